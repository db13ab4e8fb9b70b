// SPDX-License-Identifier: GPL-2.0-only
/* test_place.c - in which compartment SAs and policies lie, and what of that outlives the agent */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "keyd_world.h"
#include "words/word.h"

static char store_path[64];

/* ---- the file ----------------------------------------------------------------------------- */

static char said[1024];			/* on stderr */

/* As a file of these lines would be read; its status */
static int read_lines(const char *lines)
{
	FILE *before = stderr, *to = fmemopen(said, sizeof(said), "w"), *file;
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/dev/shm/test_place.%d.file", getpid());
	file = fopen(path, "w");
	ck_assert(file && to && fputs(lines, file) >= 0 && !fclose(file));
	memset(said, 0, sizeof(said));
	memset(k.place, 0, sizeof(k.place));
	k.places = 0;
	stderr = to;
	err = place_read(&k, path);
	fclose(to);
	stderr = before;
	unlink(path);
	return err;
}

static const struct {
	const char *lines, *says;
} wrong[] = {
	{ "reqid 1 -> green\nreqid x -> green\n", ":2: reqid \"x\": allowed: a number from 0 to 4294967295" },
	{ "# one\n\nif_id -1 -> green\n", ":3: if_id \"-1\": allowed: a number from 0 to 4294967295" },
	{ "mark 0x10/0x0f -> green\n", ":1: mark \"0x10/0x0f\": allowed: a mark without bits outside its mask" },
	{ "mark 1/x -> green\n", ":1: mark \"1/x\": allowed: M or M/MASK, each of 32 bits" },
	{ "from 10.2.0.0/33 -> green\n", ":1: from \"10.2.0.0/33\": allowed: ADDRESS or ADDRESS/BITS of IPv4 or IPv6" },
	{ "from 10.2.0.0/16 to fd02::/64 -> green\n", ":1: to \"fd02::/64\": allowed: IPv4, as the other address" },
	{ "proto nonsense -> green\n", ":1: proto \"nonsense\": allowed: 0 to 255, any" },
	{ "label \"\" -> green\n", ":1: label \"\": allowed: a security context of 1 to 63 bytes" },
	{ "label 0123456789012345678901234567890123456789012345678901234567890123 -> green\n",
	  "allowed: a security context of 1 to 63 bytes" },
	{ "reqid 1 -> Green\n", ":1: -> \"Green\": allowed: a compartment's name, 1 to 31 of a-z, 0-9, _ and -" },
	{ "reqid 1 -> ../xfrm\n", ":1: -> \"../xfrm\": allowed: a compartment's name" },
	{ "reqid 1 -> xfrm\n", ":1: -> \"xfrm\": allowed: a compartment's name" },
	{ "reqid 1 -> control\n", ":1: -> \"control\": allowed: a compartment's name" },
	{ "reqid 1 -> green01234567890123456789012345678\n", "allowed: a compartment's name" },
	{ "reqid 1 -> green protect\n", ":1: -> \"protect\": allowed: nothing behind the compartment's name" },
	{ "reqid 1\n", ":1: place: no compartment; wanted: -> NAME" },
	{ "reqid 1 ->\n", ":1: ->: the line ends here; allowed: a value after it" },
	{ "reqid 1 reqid 2 -> green\n", ":1: reqid: given twice; allowed: once" },
	{ "dport 80 -> green\n", ":1: \"dport\": unknown word; allowed: from, to, proto, if_id, mark, reqid, label, ->" },
	{ "out reqid 1 -> green\n", ":1: \"out\": unknown word" },
	{ "label \"a b -> green\n", ":1: a quote without end" },
};

START_TEST(file_is_wrong)
{
	ck_assert_int_eq(read_lines(wrong[_i].lines), -1);
	ck_assert_msg(strstr(said, wrong[_i].says), "said: %s", said);
	ck_assert_ptr_nonnull(strstr(said, "ipsec-port-keyd: "));
	ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);	/* one line */
}
END_TEST

static void many(char *lines, size_t room, const char *format, unsigned int count)
{
	size_t used = 0;
	unsigned int i;

	for (i = 0; i < count; i++)
		used += (size_t)snprintf(lines + used, room - used, format, i);
	ck_assert_uint_lt(used, room);
}

START_TEST(file_is_too_much)
{
	static char lines[1 << 16];

	many(lines, sizeof(lines), "reqid %u -> green\n", KEYD_PLACES_MAX);
	ck_assert_int_eq(read_lines(lines), 0);
	many(lines, sizeof(lines), "reqid %u -> green\n", KEYD_PLACES_MAX + 1);
	ck_assert_int_eq(read_lines(lines), -1);
	ck_assert_ptr_nonnull(strstr(said, ":1025: one place too many; allowed: 1024"));
	k.compartments = 1;
	many(lines, sizeof(lines), "-> c%u\n", KEYD_COMPARTMENTS_MAX - 1);
	ck_assert_int_eq(read_lines(lines), 0);
	ck_assert_uint_eq(k.compartments, KEYD_COMPARTMENTS_MAX);
	ck_assert_int_eq(read_lines("-> blue\n-> c0\n-> other\n"), -1);
	ck_assert_ptr_nonnull(strstr(said, ":3: \"other\": one compartment too many; allowed: 64, with the default one"));
	memset(lines, ' ', WORD_LINE_MAX);
	strcpy(lines + WORD_LINE_MAX, "reqid 1 -> green\n");
	ck_assert_int_eq(read_lines(lines), -1);
	ck_assert_ptr_nonnull(strstr(said, ":1: a longer line; allowed: 4094 bytes"));
}
END_TEST

START_TEST(file_is_not_there)
{
	ck_assert_int_eq(place_read(&k, "/dev/shm/test_place.none"), -1);
	ck_assert_int_eq(read_lines(""), 0);
	ck_assert_int_eq(read_lines("# nothing\n\n  # but this\nreqid 1 -> green"), 0);	/* a last line without its end */
	ck_assert_uint_eq(k.places, 1);
	ck_assert_str_eq(k.compartment[1].name, "green");
}
END_TEST

/* ---- conditions --------------------------------------------------------------------------- */

/* What an SA or a policy says of itself */
struct says {
	const char *from, *to;		/* NULL: 0.0.0.0/0 */
	__u8 proto;
	__u32 if_id, mark, mask, reqid;
	const char *label;
};

static void says_prefix(const char *text, xfrm_address_t *a, __u8 *bits, __u16 *family)
{
	char host[64];

	snprintf(host, sizeof(host), "%.*s", (int)strcspn(text, "/"), text);
	*family = strchr(text, ':') ? AF_INET6 : AF_INET;
	ck_assert_int_eq(inet_pton(*family, host, a), 1);
	*bits = (__u8)atoi(strchr(text, '/') + 1);
}

static void says_selector(const struct says *s, struct xfrm_selector *selector)
{
	says_prefix(s->from ? s->from : "0.0.0.0/0", &selector->saddr, &selector->prefixlen_s, &selector->family);
	says_prefix(s->to ? s->to : s->from && strchr(s->from, ':') ? "::/0" : "0.0.0.0/0", &selector->daddr,
		    &selector->prefixlen_d, &selector->family);
	selector->proto = s->proto;
}

static void says_attributes(const struct says *s)
{
	const struct xfrm_mark mark = { .v = s->mark, .m = s->mask };
	struct xfrm_user_sec_ctx *c;

	if (s->mask)
		xfrm_attribute(XFRMA_MARK, &mark, sizeof(mark));
	if (s->if_id)
		xfrm_attribute(XFRMA_IF_ID, &s->if_id, sizeof(s->if_id));
	if (!s->label)
		return;
	c = xfrm_room(XFRMA_SEC_CTX, sizeof(*c) + strlen(s->label) + 1);
	*c = (struct xfrm_user_sec_ctx){ .len = (__u16)(sizeof(*c) + strlen(s->label) + 1), .exttype = XFRMA_SEC_CTX,
					 .ctx_alg = XFRM_SC_ALG_SELINUX, .ctx_doi = XFRM_SC_DOI_LSM,
					 .ctx_len = (__u16)(strlen(s->label) + 1) };
	strcpy((char *)(c + 1), s->label);
}

static int say_state(const struct says *s, __u16 type, __u32 spi)
{
	struct xfrm_usersa_info *info = xfrm_state(type, spi);

	info->reqid = s->reqid;
	if (s->from || s->to || s->proto)
		says_selector(s, &info->sel);
	if (info->sel.family == AF_INET6)		/* as of IPv6 in IPv4 */
		info->flags |= XFRM_STATE_AF_UNSPEC;
	xfrm_aead("rfc4106(gcm(aes))", 160);
	says_attributes(s);
	return send_it();
}

static int say_policy(const struct says *s, __u16 type)
{
	struct xfrm_userpolicy_info *info = xfrm_begin(type, sizeof(*info));
	struct xfrm_user_tmpl t = { .family = AF_INET, .mode = XFRM_MODE_TUNNEL, .reqid = s->reqid };

	says_selector(s, &info->sel);
	info->dir = XFRM_POLICY_OUT;
	t.id.proto = IPPROTO_ESP;
	t.id.daddr.a4 = htonl(0x0a090002);
	if (s->reqid)
		xfrm_attribute(XFRMA_TMPL, &t, sizeof(t));
	says_attributes(s);
	return send_it();
}

#define BLUE	"blue"
#define GREEN	"green"
#define TEN_2	.from = "10.1.0.0/24", .to = "10.2.0.0/24"

static const struct {
	const char *lines;
	struct says says;
	const char *lies;
} rows[] = {
	/* nothing said, nothing asked */
	{ "", { .reqid = 1 }, BLUE },
	{ "-> green\n", { .reqid = 1 }, GREEN },
	{ "-> blue\n", { .reqid = 1 }, BLUE },
	/* prefixes */
	{ "to 10.2.0.0/16 -> green\n", { TEN_2 }, GREEN },
	{ "to 10.2.0.0/24 -> green\n", { TEN_2 }, GREEN },
	{ "to 10.2.0.0/25 -> green\n", { TEN_2 }, BLUE },
	{ "to 10.3.0.0/16 -> green\n", { TEN_2 }, BLUE },
	{ "from 10.2.0.0/16 -> green\n", { TEN_2 }, BLUE },
	{ "from 10.1.0.0/16 -> green\n", { TEN_2 }, GREEN },
	{ "from 10.1.0.0/16 to 10.2.0.0/16 -> green\n", { TEN_2 }, GREEN },
	{ "from 10.1.0.0/16 to 10.3.0.0/16 -> green\n", { TEN_2 }, BLUE },
	{ "to 10.2.0.0/23 -> green\n", { .from = "10.1.0.0/24", .to = "10.2.1.0/24" }, GREEN },
	{ "to 10.2.0.0/23 -> green\n", { .from = "10.1.0.0/24", .to = "10.2.2.0/24" }, BLUE },
	{ "to 10.2.0.7 -> green\n", { .to = "10.2.0.7/32" }, GREEN },
	{ "to 10.2.0.7 -> green\n", { .to = "10.2.0.0/24" }, BLUE },
	{ "to fd02::/48 -> green\n", { .from = "fd01::/64", .to = "fd02::/64" }, GREEN },
	{ "to fd02::/64 -> green\n", { .from = "fd01::/64", .to = "fd02:0:0:1::/64" }, BLUE },
	{ "from ::/0 -> green\n", { .from = "fd01::/64", .to = "fd02::/64" }, GREEN },
	{ "from ::/0 -> green\n", { TEN_2 }, BLUE },
	{ "from 0.0.0.0/0 -> green\n", { TEN_2 }, GREEN },
	{ "from 0.0.0.0/0 -> green\n", { .from = "fd01::/64", .to = "fd02::/64" }, BLUE },
	{ "from any to all -> green\n", { .from = "fd01::/64", .to = "fd02::/64" }, GREEN },
	{ "to 10.2.0.0/16 -> green\n", { .reqid = 1 }, BLUE },	/* an SA of a tunnel says no more */
	{ "from 0.0.0.0/0 -> green\n", { .reqid = 1 }, GREEN },
	/* protocol */
	{ "proto tcp -> green\n", { TEN_2, .proto = 6 }, GREEN },
	{ "proto tcp -> green\n", { TEN_2, .proto = 17 }, BLUE },
	{ "proto tcp -> green\n", { TEN_2 }, BLUE },
	{ "proto any -> green\n", { TEN_2 }, GREEN },
	/* if_id */
	{ "if_id 7 -> green\n", { .if_id = 7 }, GREEN },
	{ "if_id 7 -> green\n", { .if_id = 8 }, BLUE },
	{ "if_id 7 -> green\n", { .reqid = 7 }, BLUE },
	{ "if_id 0 -> green\n", { .reqid = 1 }, GREEN },
	{ "if_id 0 -> green\n", { .if_id = 1 }, BLUE },
	{ "if_id 4294967295 -> green\n", { .if_id = 0xffffffff }, GREEN },
	/* mark */
	{ "mark 0x10 -> green\n", { .mark = 0x10, .mask = 0xffffffff }, GREEN },
	{ "mark 0x10 -> green\n", { .mark = 0x11, .mask = 0xffffffff }, BLUE },
	{ "mark 0x10 -> green\n", { .mark = 0x10, .mask = 0xff }, BLUE },	/* it is for others, too */
	{ "mark 0x10/0xf0 -> green\n", { .mark = 0x1f, .mask = 0xff }, GREEN },
	{ "mark 0x10/0xff -> green\n", { .mark = 0x10, .mask = 0xff }, GREEN },
	{ "mark 0x10/0xff -> green\n", { .mark = 0x10, .mask = 0xf0 }, BLUE },
	{ "mark 0/0xf0 -> green\n", { .mark = 0x01, .mask = 0xff }, GREEN },
	{ "mark 0/0xf0 -> green\n", { .reqid = 1 }, BLUE },	/* for every mark */
	{ "mark 0/0 -> green\n", { .reqid = 1 }, GREEN },
	/* reqid */
	{ "reqid 3 -> green\n", { .reqid = 3 }, GREEN },
	{ "reqid 3 -> green\n", { .reqid = 4 }, BLUE },
	{ "reqid 3 -> green\n", { .if_id = 3 }, BLUE },
	/* label */
	{ "label a:b:c -> green\n", { .label = "a:b:c" }, GREEN },
	{ "label a:b:c -> green\n", { .label = "a:b:cd" }, BLUE },
	{ "label a:b:c -> green\n", { .label = "a:b" }, BLUE },
	{ "label a:b:c -> green\n", { .reqid = 1 }, BLUE },
	{ "label \"a b\" -> green\n", { .label = "a b" }, GREEN },
	/* all of a line, the first of the lines */
	{ "reqid 3 if_id 7 -> green\n", { .reqid = 3, .if_id = 7 }, GREEN },
	{ "reqid 3 if_id 7 -> green\n", { .reqid = 3, .if_id = 8 }, BLUE },
	{ "reqid 3 if_id 7 -> green\n", { .reqid = 4, .if_id = 7 }, BLUE },
	{ "reqid 3 -> red\nif_id 7 -> green\n", { .reqid = 3, .if_id = 7 }, "red" },
	{ "if_id 7 -> green\nreqid 3 -> red\n", { .reqid = 3, .if_id = 7 }, GREEN },
	{ "reqid 9 -> red\n# no\nif_id 7 -> green\n-> red\n", { .if_id = 7 }, GREEN },
	{ "reqid 9 -> green\nif_id 7 -> green\n-> red\n", { .if_id = 8 }, "red" },
	{ "reqid 3 -> blue\n-> green\n", { .reqid = 3 }, BLUE },
};

START_TEST(state_lies)
{
	k.labels = true;
	ck_assert_int_eq(read_lines(rows[_i].lines), 0);
	ck_assert_int_eq(say_state(&rows[_i].says, XFRM_MSG_NEWSA, 0x1001), 0);
	ck_assert_msg(!strcmp(asked, rows[_i].lies), "%s: a state lies in %s, not %s", rows[_i].lines, asked,
		      rows[_i].lies);
	ck_assert_str_eq(store_sas(&k)->compartment, rows[_i].lies);
}
END_TEST

START_TEST(policy_lies)
{
	k.labels = true;
	ck_assert_int_eq(read_lines(rows[_i].lines), 0);
	ck_assert_int_eq(say_policy(&rows[_i].says, XFRM_MSG_NEWPOLICY), 0);
	ck_assert_msg(!strcmp(asked, rows[_i].lies), "%s: a policy lies in %s, not %s", rows[_i].lines, asked,
		      rows[_i].lies);
	ck_assert_str_eq(store_policies(&k)->compartment, rows[_i].lies);
}
END_TEST

/* Without a template it has no reqid, not even 0. */
START_TEST(policy_without_reqid)
{
	const struct says none = { TEN_2 }, some = { TEN_2, .reqid = 3 };

	ck_assert_int_eq(read_lines("reqid 0 -> green\n"), 0);
	ck_assert_int_eq(say_policy(&none, XFRM_MSG_NEWPOLICY), 0);
	ck_assert_str_eq(asked, "blue");
	ck_assert_int_eq(read_lines("reqid 3 -> green\n"), 0);
	ck_assert_int_eq(say_policy(&some, XFRM_MSG_UPDPOLICY), 0);
	ck_assert_str_eq(store_policies(&k)[1].compartment, "green");
}
END_TEST

/* ---- what stays where it is, and what moves ------------------------------------------------- */

#define GREEN_LINE "reqid 3 -> green\n"

static const struct says three = { TEN_2, .reqid = 3 }, four = { TEN_2, .reqid = 4 };

static int count_of(__u16 type)
{
	struct nlmsghdr *at = (struct nlmsghdr *)heard.part;
	int left = (int)heard.part_size, count = 0;

	for (; nlmsg_ok(at, left); at = nlmsg_next(at, &left))
		count += at->nlmsg_type == type;
	return count;
}

static int dump(__u16 type)
{
	xfrm_begin(type, 0);
	message.from.type = IPSP_XFRM_DUMP;
	message.from.room = 16384;
	send_it();
	return count_of(type == XFRM_MSG_GETSA ? XFRM_MSG_NEWSA : XFRM_MSG_NEWPOLICY);
}

/* Each request goes where the state lies; what tells of all tells of both. */
START_TEST(states_of_two)
{
	ck_assert_int_eq(read_lines(GREEN_LINE), 0);
	ck_assert_int_eq(say_state(&three, XFRM_MSG_NEWSA, 0x1001), 0);
	ck_assert_int_eq(say_state(&four, XFRM_MSG_NEWSA, 0x1002), 0);
	ck_assert_str_eq(asked, "blue");
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1001), 0);
	ck_assert_str_eq(asked, "green");
	ck_assert_int_eq(say_state(&four, XFRM_MSG_NEWSA, 0x1001), -EEXIST);	/* one database */
	ck_assert_int_eq(dump(XFRM_MSG_GETSA), 2);
	ck_assert_int_eq(named(XFRM_MSG_DELSA, 0x1001), 0);
	ck_assert_str_eq(asked, "green");
	ck_assert_int_eq(named(XFRM_MSG_DELSA, 0x1002), 0);
	ck_assert_str_eq(asked, "blue");
	ck_assert_int_eq(dump(XFRM_MSG_GETSA), 0);
}
END_TEST

/* In no compartment before it has its key */
START_TEST(larval_lies_nowhere)
{
	struct xfrm_userspi_info *p = xfrm_begin(XFRM_MSG_ALLOCSPI, sizeof(*p));
	int before = words_count;

	ck_assert_int_eq(read_lines(GREEN_LINE), 0);
	p->info.family = AF_INET;
	p->info.saddr.a4 = htonl(0x0a090001);
	p->info.id.daddr.a4 = htonl(0x0a090002);
	p->info.id.proto = IPPROTO_ESP;
	p->info.mode = XFRM_MODE_TUNNEL;
	p->min = p->max = 0x5000;
	ck_assert_int_eq(send_it(), 0);
	ck_assert_str_eq(store_sas(&k)->compartment, "");
	ck_assert_int_eq(words_count, before);
	ck_assert_int_eq(say_state(&three, XFRM_MSG_UPDSA, 0x5000), 0);
	ck_assert_str_eq(asked, "green");
	ck_assert_int_eq(words_count, before + 1);
}
END_TEST

/* UPDSA changes lifetimes and if_id, and where it lies not */
START_TEST(state_stays)
{
	struct says seven = three;

	ck_assert_int_eq(read_lines("if_id 7 -> red\n" GREEN_LINE), 0);
	ck_assert_int_eq(say_state(&three, XFRM_MSG_NEWSA, 0x1001), 0);
	seven.if_id = 7;
	ck_assert_int_eq(say_state(&seven, XFRM_MSG_UPDSA, 0x1001), 0);
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1001), 0);
	ck_assert_str_eq(asked, "green");
}
END_TEST

/* First where it comes to, then from where it was: the last word is the old one's end. */
START_TEST(policy_moves)
{
	int before;

	ck_assert_int_eq(read_lines(GREEN_LINE), 0);
	ck_assert_int_eq(say_policy(&three, XFRM_MSG_NEWPOLICY), 0);
	ck_assert_str_eq(asked, "green");
	before = words_count;
	ck_assert_int_eq(say_policy(&four, XFRM_MSG_UPDPOLICY), 0);
	ck_assert_int_eq(words_count, before + 2);
	ck_assert_str_eq(asked, "green");
	ck_assert_ptr_nonnull(strstr(words, "policy delete"));
	ck_assert_int_eq(dump(XFRM_MSG_GETPOLICY), 1);
	before = words_count;
	ck_assert_int_eq(say_policy(&four, XFRM_MSG_UPDPOLICY), 0);	/* where it is: replaced by its index */
	ck_assert_int_eq(words_count, before + 1);
	ck_assert_str_eq(asked, "blue");
	ck_assert_int_eq(dump(XFRM_MSG_GETPOLICY), 1);
}
END_TEST

/* Where it cannot come to, it is not; and stays where it was. */
START_TEST(policy_does_not_move)
{
	ck_assert_int_eq(read_lines(GREEN_LINE), 0);
	ck_assert_int_eq(say_policy(&three, XFRM_MSG_NEWPOLICY), 0);
	manager_err = -ENOTCONN;
	manager_text = "compartment \"blue\": its manager: No such file or directory";
	ck_assert_int_eq(say_policy(&four, XFRM_MSG_UPDPOLICY), -ENOTCONN);
	ck_assert_int_eq(heard.has_text, 1);
	manager_err = 0;
	ck_assert_int_eq(dump(XFRM_MSG_GETPOLICY), 1);
	ck_assert_str_eq(store_next_policy(&k, 0)->compartment, "green");
	ck_assert_uint_eq(store_next_policy(&k, 0)->template_[0].reqid, 3);
}
END_TEST

/* Of one selector: another mark, another if_id, another policy, which may lie elsewhere */
START_TEST(policies_of_one_selector)
{
	struct says marked = four, of_interface = four;

	marked.mark = marked.mask = 0x10;
	of_interface.if_id = 7;
	ck_assert_int_eq(read_lines("mark 0x10/0x10 -> green\nif_id 7 -> red\n"), 0);
	ck_assert_int_eq(say_policy(&four, XFRM_MSG_NEWPOLICY), 0);
	ck_assert_str_eq(asked, "blue");
	ck_assert_int_eq(say_policy(&marked, XFRM_MSG_UPDPOLICY), 0);
	ck_assert_str_eq(asked, "green");
	ck_assert_int_eq(say_policy(&of_interface, XFRM_MSG_UPDPOLICY), 0);
	ck_assert_str_eq(asked, "red");
	ck_assert_int_eq(say_policy(&marked, XFRM_MSG_NEWPOLICY), -EEXIST);
	ck_assert_int_eq(dump(XFRM_MSG_GETPOLICY), 3);
}
END_TEST

START_TEST(flush_is_of_all)
{
	int before;

	ck_assert_int_eq(read_lines(GREEN_LINE), 0);
	ck_assert_int_eq(say_state(&three, XFRM_MSG_NEWSA, 0x1001), 0);
	ck_assert_int_eq(say_state(&four, XFRM_MSG_NEWSA, 0x1002), 0);
	ck_assert_int_eq(say_policy(&three, XFRM_MSG_NEWPOLICY), 0);
	before = words_count;
	xfrm_begin(XFRM_MSG_FLUSHSA, sizeof(struct xfrm_usersa_flush));
	ck_assert_int_eq(send_it(), 0);
	ck_assert_int_eq(words_count, before + 2);
	ck_assert_str_eq(asked, "green");		/* the older one is the last one */
	ck_assert_int_eq(dump(XFRM_MSG_GETSA), 0);
	xfrm_begin(XFRM_MSG_FLUSHPOLICY, 0);
	ck_assert_int_eq(send_it(), 0);
	ck_assert_str_eq(asked, "green");
	ck_assert_int_eq(dump(XFRM_MSG_GETPOLICY), 0);
}
END_TEST

/* The manager of one does not speak for another. */
START_TEST(acquire_of_its_own)
{
	char line[200];

	ck_assert_int_eq(read_lines(GREEN_LINE), 0);
	ck_assert_int_eq(say_policy(&three, XFRM_MSG_NEWPOLICY), 0);
	snprintf(line, sizeof(line), "policy %u src 10.1.0.1 dst 10.2.0.1 proto 1 ports 0 sport 0 dport 0 dev 0 "
		 "if_id 0 mark 0", store_policies(&k)->info.index);
	memset(&heard, 0, sizeof(heard));
	acquire_line(&k, compartments_find(&k, "blue"), line);
	ck_assert_int_eq(heard.multicasts, 0);
	acquire_line(&k, compartments_find(&k, "green"), line);
	ck_assert_int_eq(heard.multicasts, 1);
	ck_assert_int_eq(heard.event, XFRM_MSG_ACQUIRE);
}
END_TEST

/* ---- another agent -------------------------------------------------------------------------- */

/* One that is given these lines finds what the one before left. */
static void again(const char *lines)
{
	FILE *before = stderr, *to;
	char text[sizeof(said)] = "";

	store_close(&k);
	memset(&k, 0, sizeof(k));
	compartments_add(&k, "blue");
	ck_assert_int_eq(read_lines(lines), 0);
	to = fmemopen(text, sizeof(text), "w");
	stderr = to;
	ck_assert_int_eq(store_open(&k, store_path), 0);
	fclose(to);
	stderr = before;
	memcpy(said, text, sizeof(said));
	sa_recover(&k);
	policy_recover(&k);
}

static void begin(void)
{
	snprintf(store_path, sizeof(store_path), "/dev/shm/test_place.%d.store", getpid());
	unlink(store_path);
	ck_assert_int_eq(store_open(&k, store_path), 0);
	ck_assert_int_eq(read_lines(GREEN_LINE), 0);
	ck_assert_int_eq(say_state(&three, XFRM_MSG_NEWSA, 0x1001), 0);
	ck_assert_int_eq(say_state(&four, XFRM_MSG_NEWSA, 0x1002), 0);
	ck_assert_int_eq(say_policy(&three, XFRM_MSG_NEWPOLICY), 0);
}

/* Its inode's number came again, with another cookie. */
START_TEST(another_namespace_begins_anew)
{
	begin();
	k.store->index_generator = 80;
	k.store->netns++;
	again(GREEN_LINE);
	ck_assert_ptr_nonnull(strstr(said, "a namespace that has ended"));
	ck_assert_int_eq(k.store->sas, 0);
	ck_assert_int_eq(k.store->policies, 0);
	ck_assert_int_eq(k.store->index_generator, 0);
	again(GREEN_LINE);
	ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(what_is_refused_stays)
{
	begin();
	k.store->netns++;
	ck_assert_int_eq(chmod(store_path, 0640), 0);
	ck_assert_int_eq(store_open(&k, store_path), -EPERM);
	ck_assert_int_eq(chmod(store_path, 0600), 0);
	ck_assert_int_ne(k.store->sas, 0);	/* its mapping is still ours: nothing was wiped */
}
END_TEST

/* Another namespace's agent that is given the same file: it would be wiped under the first one's hands. */
START_TEST(a_store_is_one_agents)
{
	struct keyd other = { 0 };

	begin();
	k.store->netns++;
	compartments_add(&other, "blue");
	ck_assert_int_eq(store_open(&other, store_path), -EBUSY);
	ck_assert_ptr_null(other.store);
	ck_assert_int_ne(k.store->sas, 0);
	k.store->netns--;
	store_close(&k);
	ck_assert_int_eq(store_open(&other, store_path), 0);
	ck_assert_int_ne(other.store->sas, 0);
	store_close(&other);
	ck_assert_int_eq(store_open(&k, store_path), 0);
}
END_TEST

START_TEST(places_are_remembered)
{
	begin();
	again("reqid 9 -> green\n");		/* other lines, the same compartments: what lies lies */
	ck_assert_str_eq(said, "");
	ck_assert_str_eq(asked, "green");	/* the policy is put again */
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1001), 0);
	ck_assert_str_eq(asked, "green");
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1002), 0);
	ck_assert_str_eq(asked, "blue");
	unlink(store_path);
}
END_TEST

START_TEST(a_compartment_is_named_no_more)
{
	int before = words_count;

	begin();
	before = words_count;
	again("");
	ck_assert_ptr_nonnull(strstr(said, "1 states and 1 policies of compartments that are not named any more"));
	ck_assert_int_eq(words_count, before + 1);	/* is the other one there? */
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1001), -ESRCH);
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1002), 0);
	ck_assert_int_eq(dump(XFRM_MSG_GETPOLICY), 0);
	unlink(store_path);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("place");
	TCase *c = tcase_create("place");
	const int count = (int)(sizeof(rows) / sizeof(rows[0]));

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_loop_test(c, file_is_wrong, 0, (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(c, file_is_too_much);
	tcase_add_test(c, file_is_not_there);
	tcase_add_loop_test(c, state_lies, 0, count);
	tcase_add_loop_test(c, policy_lies, 0, count);
	tcase_add_test(c, policy_without_reqid);
	tcase_add_test(c, states_of_two);
	tcase_add_test(c, larval_lies_nowhere);
	tcase_add_test(c, state_stays);
	tcase_add_test(c, policy_moves);
	tcase_add_test(c, policy_does_not_move);
	tcase_add_test(c, policies_of_one_selector);
	tcase_add_test(c, flush_is_of_all);
	tcase_add_test(c, acquire_of_its_own);
	tcase_add_test(c, places_are_remembered);
	tcase_add_test(c, another_namespace_begins_anew);
	tcase_add_test(c, what_is_refused_stays);
	tcase_add_test(c, a_store_is_one_agents);
	tcase_add_test(c, a_compartment_is_named_no_more);
	suite_add_tcase(suite, c);
	return suite;
}

int main(void)
{
	return suite_run(make());
}
