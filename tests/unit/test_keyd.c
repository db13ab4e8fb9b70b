// SPDX-License-Identifier: GPL-2.0-only
/* test_keyd.c - the keying agent's requests, with a manager and a relay that only take notes */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/keyd/keyd.h"
#include "suite.h"

/* ---- what the agent says, and to whom ---------------------------------------------------- */

static char words[4096];		/* of the last request to the manager, blanks between */
static int words_count, manager_err;
static const char *manager_text = "";
static struct {
	int answers, multicasts, parts, more, error, has_text;
	__u16 type, event;
	uint64_t cursor[2];
	char answer[8192], told[8192], part[IPSP_XFRM_MAX];
	size_t part_size;
} heard;

void compartment_word(struct compartment_words *w, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	w->used += (size_t)vsnprintf(w->room + w->used, sizeof(w->room) - w->used, format, list);
	va_end(list);
	w->room[w->used++] = ' ';
	w->room[w->used] = '\0';
	w->count++;
}

int compartment_ask(struct keyd *k, struct compartment_words *w, __u32 flags, const char **text)
{
	(void)k;
	(void)flags;
	snprintf(words, sizeof(words), "%.*s", (int)w->used, w->room);
	words_count++;
	if (text)
		*text = manager_text;
	return manager_err;
}

int opener_ask(int opener, const char *name)
{
	(void)opener;
	(void)name;
	return -ENODEV;
}

void relay_answer(struct request *r, struct nl_msg *m, __u32 flags)
{
	const struct nlmsghdr *head = m ? nlmsg_hdr(m) : NULL;

	(void)r;
	if (flags & IPSP_XFRMF_DONE) {
		heard.error = head ? ((struct nlmsgerr *)nlmsg_data(head))->error : 0;
		heard.has_text = head && (head->nlmsg_flags & NLM_F_ACK_TLVS);
	} else {
		ck_assert_ptr_nonnull(head);
		heard.answers++;
		heard.type = head->nlmsg_type;
		memcpy(heard.answer, head, head->nlmsg_len);
	}
	nlmsg_free(m);
}

void relay_multicast(struct keyd *k, __u32 group, struct nl_msg *m)
{
	(void)k;
	ck_assert_uint_gt(group, 0);
	heard.multicasts++;
	heard.event = nlmsg_hdr(m)->nlmsg_type;
	memcpy(heard.told, nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len);
	nlmsg_free(m);
}

void relay_part(struct request *r, const void *data, size_t size, __u32 flags, const uint64_t cursor[2],
		int error)
{
	(void)r;
	heard.parts++;
	heard.more = flags & IPSP_XFRMF_MORE;
	heard.error = error;
	memcpy(heard.cursor, cursor, sizeof(heard.cursor));
	memcpy(heard.part, data, size);
	heard.part_size = size;
}

/* ---- messages ----------------------------------------------------------------------------- */

static struct keyd k;
static union {
	struct ipsp_xfrm from;
	char bytes[sizeof(struct ipsp_xfrm) + 4096];
} message;
static struct nlmsghdr *head;

static void *begin(__u16 type, size_t body)
{
	memset(&message, 0, sizeof(message));
	message.from.type = IPSP_XFRM_REQUEST;
	message.from.portid = 77;
	head = (struct nlmsghdr *)(&message.from + 1);
	head->nlmsg_len = (__u32)nlmsg_size((int)body);
	head->nlmsg_type = type;
	head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	head->nlmsg_seq = 5;
	return nlmsg_data(head);
}

static void attribute(int type, const void *data, size_t size)
{
	struct nlattr *a = (struct nlattr *)((char *)head + NLMSG_ALIGN(head->nlmsg_len));

	a->nla_type = (__u16)type;
	a->nla_len = (__u16)(NLA_HDRLEN + size);
	memcpy(a + 1, data, size);
	head->nlmsg_len = NLMSG_ALIGN(head->nlmsg_len) + (__u32)NLA_ALIGN(a->nla_len);
}

static int send_it(void)
{
	memset(&heard, 0, sizeof(heard));
	request_serve(&k, &message.from);
	return heard.error;
}

static void aead(const char *name, unsigned int bits)
{
	struct {
		struct xfrm_algo_aead a;
		char key[36];
	} x;

	memset(&x, 0x5a, sizeof(x));
	memset(&x.a, 0, sizeof(x.a));
	snprintf(x.a.alg_name, sizeof(x.a.alg_name), "%s", name);
	x.a.alg_key_len = bits;
	x.a.alg_icv_len = 128;
	attribute(XFRMA_ALG_AEAD, &x, sizeof(x.a) + bits / 8);
}

static void authentication(unsigned int bits)
{
	char x[1024] = "";
	struct xfrm_algo *a = (struct xfrm_algo *)x;

	strcpy(a->alg_name, "hmac(sha256)");
	a->alg_key_len = bits;
	attribute(XFRMA_ALG_AUTH, x, sizeof(*a) + bits / 8);
}

static struct xfrm_usersa_info *state(__u16 type, __u32 spi)
{
	struct xfrm_usersa_info *info = begin(type, sizeof(*info));

	info->family = AF_INET;
	info->saddr.a4 = htonl(0x0a090001);
	info->id.daddr.a4 = htonl(0x0a090002);
	info->id.proto = IPPROTO_ESP;
	info->id.spi = htonl(spi);
	info->mode = XFRM_MODE_TUNNEL;
	info->lft.hard_byte_limit = info->lft.soft_byte_limit = XFRM_INF;
	info->lft.hard_packet_limit = info->lft.soft_packet_limit = XFRM_INF;
	return info;
}

static int add(__u32 spi)
{
	state(XFRM_MSG_NEWSA, spi);
	aead("rfc4106(gcm(aes))", 160);
	return send_it();
}

static int named(__u16 type, __u32 spi)
{
	struct xfrm_usersa_id *id = begin(type, sizeof(*id));

	id->daddr.a4 = htonl(0x0a090002);
	id->family = AF_INET;
	id->proto = IPPROTO_ESP;
	id->spi = htonl(spi);
	return send_it();
}

static bool has_key(const char *bytes, size_t size)
{
	char key[20];

	memset(key, 0x5a, sizeof(key));
	return memmem(bytes, size, key, sizeof(key));
}

static void setup(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/shm/test_keyd.%d", getpid());
	memset(&k, 0, sizeof(k));
	k.compartment = "blue";
	manager_err = 0;
	manager_text = "";
	ck_assert_int_eq(store_open(&k, path), 0);
	unlink(path);
}

/* ---- SAs --------------------------------------------------------------------------------- */

START_TEST(state_life)
{
	ck_assert_int_eq(add(0x1001), 0);
	ck_assert_ptr_nonnull(strstr(words, "state add src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x1001 mode tunnel"));
	ck_assert_ptr_nonnull(strstr(words, "aead rfc4106(gcm(aes)) 0x5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a 128"));
	ck_assert_int_eq(heard.multicasts, 1);
	ck_assert_int_eq(heard.event, XFRM_MSG_NEWSA);
	ck_assert(!has_key(heard.told, sizeof(heard.told)));
	ck_assert_int_eq(add(0x1001), -EEXIST);
	ck_assert_int_eq(heard.multicasts, 0);
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1001), 0);
	ck_assert_int_eq(heard.type, XFRM_MSG_NEWSA);
	ck_assert(has_key(heard.answer, sizeof(heard.answer)));
	ck_assert_int_eq(named(XFRM_MSG_DELSA, 0x1001), 0);
	ck_assert_int_eq(heard.event, XFRM_MSG_DELSA);
	ck_assert(!has_key(heard.told, sizeof(heard.told)));
	ck_assert_int_eq(named(XFRM_MSG_DELSA, 0x1001), -ESRCH);
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1001), -ESRCH);
	ck_assert_uint_eq(k.store->sas, 0);
}
END_TEST

START_TEST(state_refused_by_the_manager)
{
	manager_err = -ENOSYS;
	manager_text = "aead \"x\": allowed: y";
	ck_assert_int_eq(add(0x1001), -ENOSYS);
	ck_assert_int_eq(heard.has_text, 1);
	ck_assert_int_eq(heard.multicasts, 0);
	manager_err = 0;
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1001), -ESRCH);
}
END_TEST

START_TEST(state_malformed)
{
	int before = words_count;

	state(XFRM_MSG_NEWSA, 0x1001);
	ck_assert_int_eq(send_it(), -EINVAL);			/* no algorithm */
	state(XFRM_MSG_NEWSA, 0x1001)->family = 99;
	aead("rfc4106(gcm(aes))", 160);
	ck_assert_int_eq(send_it(), -EINVAL);
	state(XFRM_MSG_NEWSA, 0x1001)->sel.prefixlen_s = 33;
	aead("rfc4106(gcm(aes))", 160);
	ck_assert_int_eq(send_it(), -EINVAL);
	state(XFRM_MSG_NEWSA, 0x1001)->flags = XFRM_STATE_ESN;	/* and no window */
	aead("rfc4106(gcm(aes))", 160);
	ck_assert_int_eq(send_it(), -EINVAL);
	state(XFRM_MSG_NEWSA, 0x1001);
	attribute(XFRMA_ALG_AEAD, "short", 5);
	ck_assert_int_eq(send_it(), -ERANGE);
	state(XFRM_MSG_NEWSA, 0x1001);
	aead("rfc4106(gcm(aes))", 160);
	head->nlmsg_len -= 8;					/* the key is cut */
	ck_assert_int_lt(send_it(), 0);
	state(XFRM_MSG_NEWSA, 0x1001);
	authentication(8 * (KEYD_BYTES_MAX - sizeof(struct xfrm_algo)));	/* fits its attribute, not our room */
	ck_assert_int_eq(send_it(), -EINVAL);
	begin(XFRM_MSG_NEWSA, 20);
	ck_assert_int_eq(send_it(), -EINVAL);
	begin(XFRM_MSG_BASE + 100, 0);
	ck_assert_int_eq(send_it(), -EINVAL);
	ck_assert_int_eq(add(0x10), -EINVAL);
	ck_assert_int_eq(words_count, before);
}
END_TEST

START_TEST(state_larval)
{
	struct xfrm_userspi_info *p = begin(XFRM_MSG_ALLOCSPI, sizeof(*p));
	int before = words_count;

	p->info.family = AF_INET;
	p->info.id.daddr.a4 = htonl(0x0a090002);
	p->info.saddr.a4 = htonl(0x0a090001);
	p->info.id.proto = IPPROTO_ESP;
	p->min = p->max = 0x5000;
	ck_assert_int_eq(send_it(), 0);
	ck_assert_int_eq(heard.answers, 1);
	ck_assert_int_eq(send_it(), -ENOENT);			/* taken; what is left has no name */
	ck_assert_int_eq(k.store->sas, 2);
	ck_assert_int_eq(send_it(), -ENOENT);
	ck_assert_int_eq(k.store->sas, 2);
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0), -ESRCH);
	ck_assert_int_eq(words_count, before);
	ck_assert_int_eq(add(0x5000), -EEXIST);
	state(XFRM_MSG_UPDSA, 0x5000);
	aead("rfc4106(gcm(aes))", 160);
	ck_assert_int_eq(send_it(), 0);
	ck_assert_ptr_nonnull(strstr(words, "state add"));
	ck_assert_int_eq(heard.event, XFRM_MSG_UPDSA);
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x5000), 0);
}
END_TEST

START_TEST(state_use)
{
	const struct xfrm_usersa_info *info = nlmsg_data((struct nlmsghdr *)heard.answer);

	ck_assert_int_eq(add(0x1001), 0);
	manager_text = "{\"dir\":\"out\",\"next\":8,\"packets\":7,\"bytes\":900,\"replay\":3,"
		       "\"integrity-failed\":2,\"used-first\":5000000000,\"used-last\":9000000000}";
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1001), 0);
	ck_assert_uint_eq(info->curlft.packets, 7);
	ck_assert_uint_eq(info->curlft.bytes, 900);
	ck_assert_uint_eq(info->curlft.use_time, 5);
	ck_assert_uint_eq(info->stats.replay, 3);
	ck_assert_uint_eq(info->stats.integrity_failed, 2);
}
END_TEST

/* An SA that is moved goes on above what it has sent, and takes nothing that it has seen. */
START_TEST(state_moved)
{
	struct xfrm_replay_state replay = { .oseq = 0, .seq = 77, .bitmap = 1 };
	struct {
		struct xfrm_replay_state_esn head;
		__u32 bits[2];
	} esn = { .head = { .bmp_len = 2, .replay_window = 64, .seq = 5 } };

	state(XFRM_MSG_NEWSA, 0x1001);
	aead("rfc4106(gcm(aes))", 160);
	attribute(XFRMA_REPLAY_VAL, &replay, sizeof(replay));
	ck_assert_int_eq(send_it(), 0);
	ck_assert_ptr_nonnull(strstr(words, " replay-oseq 77 "));
	state(XFRM_MSG_NEWSA, 0x1002)->flags = XFRM_STATE_ESN;
	aead("rfc4106(gcm(aes))", 160);
	attribute(XFRMA_REPLAY_ESN_VAL, &esn, sizeof(esn));
	ck_assert_int_eq(send_it(), 0);
	ck_assert_ptr_nonnull(strstr(words, " replay-oseq 5 "));
	esn.head.seq_hi = 1;
	state(XFRM_MSG_NEWSA, 0x1003)->flags = XFRM_STATE_ESN;
	aead("rfc4106(gcm(aes))", 160);
	attribute(XFRMA_REPLAY_ESN_VAL, &esn, sizeof(esn));
	ck_assert_int_eq(send_it(), 0);
	ck_assert_ptr_nonnull(strstr(words, " replay-oseq 4294967295 "));
	ck_assert_int_eq(add(0x1004), 0);
	ck_assert_ptr_null(strstr(words, "replay-oseq"));
}
END_TEST

static int encapsulated(__u16 type, __u16 kind, __u16 port, __u32 patience)
{
	struct xfrm_encap_tmpl encap = { .encap_type = kind, .encap_sport = htons(port), .encap_dport = htons(4500) };

	state(type, 0x1001);
	aead("rfc4106(gcm(aes))", 160);
	attribute(XFRMA_ENCAP, &encap, sizeof(encap));
	if (patience)
		attribute(XFRMA_MTIMER_THRESH, &patience, sizeof(patience));
	return send_it();
}

START_TEST(state_in_udp)
{
	ck_assert_int_eq(encapsulated(XFRM_MSG_NEWSA, 1, 4501, 0), -EOPNOTSUPP);	/* without IKE's marker */
	ck_assert_int_eq(encapsulated(XFRM_MSG_NEWSA, 2, 4501, 0), 0);
	ck_assert_ptr_nonnull(strstr(words, "encap espinudp 4501 4500 0.0.0.0"));
	ck_assert_int_eq(encapsulated(XFRM_MSG_UPDSA, 2, 4501, 0), 0);
	ck_assert_int_eq(encapsulated(XFRM_MSG_UPDSA, 2, 4502, 0), -EOPNOTSUPP);
	ck_assert_int_eq(encapsulated(XFRM_MSG_UPDSA, 7, 4501, 0), -EINVAL);
	state(XFRM_MSG_UPDSA, 0x1001);
	aead("rfc4106(gcm(aes))", 160);
	ck_assert_int_eq(send_it(), -EINVAL);
}
END_TEST

static int tells_mapping(void)
{
	memset(&heard, 0, sizeof(heard));
	sa_words_usage(&k, store_sas(&k));
	mapping_check(&k, store_sas(&k));
	return heard.multicasts;
}

START_TEST(state_mapping)
{
	const struct xfrm_user_mapping *m = nlmsg_data((struct nlmsghdr *)heard.told);

	ck_assert_int_eq(encapsulated(XFRM_MSG_NEWSA, 2, 4501, 0), 0);
	manager_text = "{\"dir\":\"in\",\"peer\":\"10.9.0.1\",\"peer-port\":4501}";
	ck_assert_int_eq(tells_mapping(), 0);			/* as it was given */
	manager_text = "{\"dir\":\"in\",\"peer\":\"10.9.0.7\",\"peer-port\":4502}";
	ck_assert_int_eq(tells_mapping(), 1);
	ck_assert_int_eq(heard.event, XFRM_MSG_MAPPING);
	ck_assert_uint_eq(ntohl(m->old_saddr.a4), 0x0a090001);
	ck_assert_uint_eq(ntohs(m->old_sport), 4501);
	ck_assert_uint_eq(ntohl(m->new_saddr.a4), 0x0a090007);
	ck_assert_uint_eq(ntohs(m->new_sport), 4502);
	ck_assert_uint_eq(ntohl(m->id.spi), 0x1001);
	ck_assert_int_eq(tells_mapping(), 0);			/* once */
	manager_text = "{\"dir\":\"in\",\"peer\":\"10.9.0.1\",\"peer-port\":4501}";
	ck_assert_int_eq(tells_mapping(), 1);			/* and back */
	ck_assert_int_eq(lifetime_timeout(&k), 1000);
	ck_assert_int_eq(named(XFRM_MSG_DELSA, 0x1001), 0);
	ck_assert_int_eq(encapsulated(XFRM_MSG_NEWSA, 2, 4501, 1000), 0);
	manager_text = "{\"dir\":\"in\",\"peer\":\"10.9.0.1\",\"peer-port\":4502}";
	ck_assert_int_eq(tells_mapping(), 1);
	manager_text = "{\"dir\":\"in\",\"peer\":\"10.9.0.1\",\"peer-port\":4503}";
	ck_assert_int_eq(tells_mapping(), 0);			/* not so soon */
}
END_TEST

/* A small room makes several parts; each SA is told once, the youngest first. */
START_TEST(state_dump)
{
	__u32 spi, last = 0x1000 + 20;
	size_t at;
	int told = 0;

	for (spi = 0x1001; spi <= 0x1014; spi++)
		ck_assert_int_eq(add(spi), 0);
	begin(XFRM_MSG_GETSA, 0);
	message.from.type = IPSP_XFRM_DUMP;
	message.from.room = 1500;
	do {
		send_it();
		ck_assert_uint_gt(heard.part_size, 0);
		for (at = 0; at < heard.part_size; told++, last--) {
			const struct nlmsghdr *m = (const void *)(heard.part + at);
			const struct xfrm_usersa_info *info = nlmsg_data(m);

			ck_assert_uint_eq(ntohl(info->id.spi), last);
			ck_assert_int_eq(m->nlmsg_flags, NLM_F_MULTI);
			at += NLMSG_ALIGN(m->nlmsg_len);
		}
		memcpy(message.from.cursor, heard.cursor, sizeof(heard.cursor));
	} while (heard.more);
	ck_assert_int_eq(told, 20);
}
END_TEST

/* ---- policies ------------------------------------------------------------------------------ */

static int policy(__u16 type, __u8 dir, __u32 priority)
{
	struct xfrm_userpolicy_info *info = begin(type, sizeof(*info));
	struct xfrm_user_tmpl t = { .family = AF_INET, .mode = XFRM_MODE_TUNNEL, .reqid = 3 };

	info->sel.family = AF_INET;
	info->sel.saddr.a4 = htonl(0x0a010000);
	info->sel.daddr.a4 = htonl(0x0a020000);
	info->sel.prefixlen_s = info->sel.prefixlen_d = 24;
	info->dir = dir;
	info->priority = priority;
	t.id.proto = IPPROTO_ESP;
	t.id.daddr.a4 = htonl(0x0a090002);
	attribute(XFRMA_TMPL, &t, sizeof(t));
	return send_it();
}

/* ---- ACQUIRE ------------------------------------------------------------------------------- */

#define ASKED "policy 1 src 10.1.0.7 dst 10.2.0.9 proto 17 ports 1 sport 4000 dport 53 dev 0 if_id 0 mark 0"

static bool asks(const char *line)
{
	memset(&heard, 0, sizeof(heard));
	acquire_line(&k, line);
	return heard.multicasts == 1 && heard.event == XFRM_MSG_ACQUIRE;
}

static const void *told_attribute(int type, size_t size)
{
	const struct nlmsghdr *m = (const struct nlmsghdr *)heard.told;
	struct nlattr *a = nlmsg_find_attr((struct nlmsghdr *)m, sizeof(struct xfrm_user_acquire), type);

	ck_assert_ptr_nonnull(a);
	ck_assert_uint_eq((size_t)nla_len(a), size);
	return nla_data(a);
}

/* As the kernel builds it: the template's addresses, the packet's where it has none; ports whole. */
START_TEST(acquire_as_the_kernel)
{
	const struct xfrm_user_acquire *a = nlmsg_data((struct nlmsghdr *)heard.told);
	const struct xfrm_user_tmpl *t;

	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 100), 0);
	ck_assert(asks(ASKED));
	ck_assert_uint_eq(((struct nlmsghdr *)heard.told)->nlmsg_pid, 0);
	ck_assert_uint_eq(a->id.daddr.a4, htonl(0x0a090002));
	ck_assert_uint_eq(a->id.spi, 0);
	ck_assert_uint_eq(a->id.proto, IPPROTO_ESP);
	ck_assert_uint_eq(a->saddr.a4, htonl(0x0a010007));
	ck_assert_uint_eq(a->sel.saddr.a4, htonl(0x0a010007));
	ck_assert_uint_eq(a->sel.daddr.a4, htonl(0x0a020009));
	ck_assert_uint_eq(a->sel.family, AF_INET);
	ck_assert_uint_eq(a->sel.prefixlen_s + a->sel.prefixlen_d, 64);
	ck_assert_uint_eq(a->sel.proto, 17);
	ck_assert_uint_eq(ntohs(a->sel.sport), 4000);
	ck_assert_uint_eq(ntohs(a->sel.dport), 53);
	ck_assert_uint_eq(a->sel.sport_mask & a->sel.dport_mask, 0xffff);
	ck_assert_uint_eq(a->policy.index, 1);
	ck_assert_uint_eq(a->policy.sel.family, AF_INET);
	ck_assert_uint_eq(a->policy.priority, 100);
	ck_assert_uint_ne(a->seq, 0);
	t = told_attribute(XFRMA_TMPL, sizeof(*t));
	ck_assert_uint_eq(t->reqid, 3);
	told_attribute(XFRMA_POLICY_TYPE, sizeof(struct xfrm_userpolicy_type));
	ck_assert_uint_eq(k.store->sas, 1);
	ck_assert_uint_eq(store_sas(&k)->state, SA_LARVAL);
	ck_assert_uint_eq(store_sas(&k)->info.seq, a->seq);
}
END_TEST

/* The same is not asked while its larval SA is there; one of its kind, of whatever sequence number, takes its place. */
START_TEST(acquire_damped)
{
	__u32 by_seq;

	for (by_seq = 0; by_seq < 2; by_seq++) {
		ck_assert_int_eq(policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 100), 0);
		ck_assert(asks(ASKED));
		ck_assert(!asks(ASKED));
		ck_assert_int_eq(heard.multicasts, 0);
		state(XFRM_MSG_NEWSA, 0x3001 + by_seq)->saddr.a4 = htonl(0x0a010007);
		((struct xfrm_usersa_info *)nlmsg_data(head))->reqid = 3;
		((struct xfrm_usersa_info *)nlmsg_data(head))->seq = by_seq ? store_sas(&k)[1].info.seq : 0;
		aead("rfc4106(gcm(aes))", 160);
		ck_assert_int_eq(send_it(), 0);
		ck_assert_uint_eq(store_find_spi(&k, htonl(0x3001 + by_seq), NULL)->state, SA_VALID);
		ck_assert_ptr_null(sa_find_asked(&k, nlmsg_data(head), &(struct xfrm_mark){ 0 }, 0));
	}
	ck_assert(asks(ASKED));
}
END_TEST

/* A larval SA that nothing came of ends as the kernel's does: a hard expiry, and then it may be asked again. */
START_TEST(acquire_expires)
{
	const struct xfrm_user_expire *e = nlmsg_data((struct nlmsghdr *)heard.told);

	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 100), 0);
	ck_assert(asks(ASKED));
	store_sas(&k)->info.curlft.add_time -= SA_LARVAL_SECONDS;
	memset(&heard, 0, sizeof(heard));
	lifetime_run(&k);
	ck_assert_int_eq(heard.event, XFRM_MSG_EXPIRE);
	ck_assert_int_eq(e->hard, 1);
	ck_assert_uint_eq(e->state.id.spi, 0);
	ck_assert_uint_eq(k.store->sas, 0);
	ck_assert(asks(ASKED));
}
END_TEST

START_TEST(acquire_refused)
{
	ck_assert(!asks(ASKED));				/* no such policy */
	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_IN, 50), 0);
	ck_assert(!asks(ASKED));				/* one that comes in */
	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 50), 0);
	ck_assert(!asks("policy 9 src x dst 10.2.0.9 proto 17 ports 1 sport 1 dport 2 dev 0 if_id 0 mark 0"));
	ck_assert(!asks("policy 9 src 10.1.0.7"));
	ck_assert(!asks(""));
	ck_assert_uint_eq(k.store->sas, 0);
	ck_assert(asks("policy 9 src 10.1.0.7 dst 10.2.0.9 proto 47 ports 0 sport 0 dport 65535 dev 0 if_id 0 mark 0"));
	ck_assert_uint_eq(((struct xfrm_user_acquire *)nlmsg_data((struct nlmsghdr *)heard.told))->sel.dport, 0);
}
END_TEST

START_TEST(policy_life)
{
	struct xfrm_userpolicy_id *id;

	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 100), 0);
	ck_assert_ptr_nonnull(strstr(words, "policy update src 10.1.0.0/24 dst 10.2.0.0/24 dir out index 1 priority 100 "
				     "action allow acquire 1 tmpl src 0.0.0.0 dst 10.9.0.2 proto esp spi 0x0 reqid 3 mode "
				     "tunnel"));
	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 100), -EEXIST);
	ck_assert_int_eq(policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 50), 0);
	ck_assert_ptr_nonnull(strstr(words, "index 1 priority 50"));
	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_IN, 50), 0);
	ck_assert_ptr_nonnull(strstr(words, "index 8 "));
	ck_assert_ptr_null(strstr(words, "acquire"));		/* what comes in asks for none */
	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, 4, 50), -EINVAL);
	id = begin(XFRM_MSG_DELPOLICY, sizeof(*id));
	id->dir = XFRM_POLICY_OUT;
	id->index = 1;
	ck_assert_int_eq(send_it(), 0);
	ck_assert_int_eq(heard.event, XFRM_MSG_DELPOLICY);
	ck_assert_ptr_nonnull(strstr(words, "policy delete"));
	ck_assert_int_eq(send_it(), -ENOENT);
	begin(XFRM_MSG_FLUSHPOLICY, 0);
	ck_assert_int_eq(send_it(), 0);
	ck_assert_int_eq(heard.multicasts, 1);
	ck_assert_uint_eq(k.store->policies, 0);
}
END_TEST

/* What is half done when the agent dies is taken back, the rest stands. */
/* The youngest that is older, by a look at each. */
static struct keyd_sa *next_by_looking(uint64_t below)
{
	struct keyd_sa *at = store_sas(&k), *end = at + k.store->sas, *next = NULL;

	for (; at < end; at++)
		if (at->state && (!below || at->id < below) && (!next || at->id > next->id))
			next = at;
	return next;
}

static void compare_walks(void)
{
	struct keyd_sa *sa;
	uint64_t below = 0;

	do {
		sa = store_next_sa(&k, below);
		ck_assert_ptr_eq(sa, next_by_looking(below));
		below = sa ? sa->id : 0;
		if (sa)
			ck_assert_ptr_eq(store_find_spi(&k, sa->info.id.spi, NULL), sa);
	} while (sa);
}

/* More come and go than the list of ages holds; what is found is what is there. */
START_TEST(store_index)
{
	uint32_t random = 1, i;
	struct keyd_sa *sa;

	for (i = 0; i < 80000; i++) {
		random = random * 1664525 + 1013904223;
		sa = random >> 31 || k.store->sas < 20 ? NULL : store_sas(&k) + (random >> 8) % k.store->sas;
		if (sa && sa->state) {
			store_free_sa(&k, sa);
		} else if (k.store->sas < 300) {
			sa = store_new_sa(&k);
			ck_assert_uint_eq(sa->state, SA_NONE);
			sa->info.id.spi = htonl(0x1000 + i);
			store_named(&k, sa);
			sa->state = SA_VALID;
		}
		if (i % 1000 == 0)
			compare_walks();
	}
	compare_walks();
	ck_assert_int_gt(k.store->sas, 20);
}
END_TEST

static int migrate(__u32 from, __u32 to, __u32 reqid)
{
	struct xfrm_user_migrate m = { .proto = IPPROTO_ESP, .mode = XFRM_MODE_TUNNEL, .reqid = reqid,
				       .old_family = AF_INET, .new_family = AF_INET };
	struct xfrm_userpolicy_id *id;

	id = begin(XFRM_MSG_MIGRATE, sizeof(*id));
	id->sel = store_next_policy(&k, 0)->info.sel;
	id->dir = XFRM_POLICY_OUT;
	m.old_daddr.a4 = htonl(from);
	m.old_saddr.a4 = from == 0x0a090004 ? htonl(0x0a090001) : 0;
	m.new_daddr.a4 = htonl(to);
	m.new_saddr.a4 = htonl(0x0a090001);
	attribute(XFRMA_MIGRATE, &m, sizeof(m));
	return send_it();
}

/* The policy of `policy` has a template from anywhere to 10.9.0.2. */
START_TEST(migration)
{
	struct xfrm_usersa_info *info = state(XFRM_MSG_NEWSA, 0x1001);
	struct keyd_sa *sa;

	info->saddr.a4 = 0;
	info->reqid = 3;
	aead("rfc4106(gcm(aes))", 160);
	ck_assert_int_eq(send_it(), 0);
	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 100), 0);
	manager_text = "{\"dir\":\"out\",\"next\":8,\"packets\":7,\"bytes\":900}";
	ck_assert_int_eq(migrate(0x0a090003, 0x0a090004, 3), -ENODATA);	/* no template is so */
	ck_assert_int_eq(migrate(0x0a090002, 0, 3), -EINVAL);
	ck_assert_int_eq(migrate(0x0a090002, 0x0a090004, 3), 0);
	ck_assert_int_eq(heard.multicasts, 1);
	ck_assert_int_eq(heard.event, XFRM_MSG_MIGRATE);
	ck_assert_ptr_nonnull(strstr(words, "tmpl src 10.9.0.1 dst 10.9.0.4 proto esp"));
	sa = store_next_sa(&k, 0);
	ck_assert_int_eq(sa->state, SA_VALID);
	ck_assert_uint_eq(ntohl(sa->info.id.daddr.a4), 0x0a090004);
	ck_assert_uint_eq(ntohl(sa->info.id.spi), 0x1001);
	ck_assert_uint_eq(sa->before.bytes, 900);
	manager_err = -EINVAL;					/* neither the new nor the old one: it goes */
	ck_assert_int_eq(migrate(0x0a090004, 0x0a090005, 3), -EINVAL);
	ck_assert_uint_eq(k.store->sas, 0);
	ck_assert_int_eq(heard.multicasts, 0);
}
END_TEST

START_TEST(recovery)
{
	ck_assert_int_eq(add(0x1001), 0);
	ck_assert_int_eq(add(0x1002), 0);
	store_sas(&k)[1].state = SA_CHANGING;
	sa_recover(&k);
	ck_assert_ptr_nonnull(strstr(words, "state get") ? words : strstr(words, "state delete"));
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1002), -ESRCH);
	ck_assert_int_eq(named(XFRM_MSG_GETSA, 0x1001), 0);
}
END_TEST

/* In the jail what serving takes goes on, and what it does not take ends the process. */
static int jailed(void (*what)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || jail_close())
			_exit(3);
		what();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void does_serve(void)
{
	char name[IF_NAMESIZE];

	free(malloc(1 << 22));
	fprintf(stderr, "%s\n", if_indextoname(1, name) ? name : "no device 1");
	sa_recover(&k);
}

static void does_open(void) { open("/dev/null", O_RDONLY); }
static void does_start(void) { fork(); }
static void does_map_code(void) { mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static void does_call_out(void) { socket(AF_INET, SOCK_DGRAM, 0); }
static void does_ask_else(void) { ioctl(0, FIONREAD, NULL); }

START_TEST(jail)
{
	void (*const bad[])(void) = { does_open, does_start, does_map_code, does_call_out, does_ask_else };
	size_t i;

	ck_assert_int_eq(jailed(does_serve), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int status = jailed(bad[i]);

		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%zu: status 0x%x", i, status);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyd");
	TCase *c = tcase_create("requests");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, state_life);
	tcase_add_test(c, state_refused_by_the_manager);
	tcase_add_test(c, state_malformed);
	tcase_add_test(c, state_larval);
	tcase_add_test(c, state_use);
	tcase_add_test(c, state_moved);
	tcase_add_test(c, state_in_udp);
	tcase_add_test(c, state_mapping);
	tcase_add_test(c, state_dump);
	tcase_add_test(c, policy_life);
	tcase_add_test(c, acquire_as_the_kernel);
	tcase_add_test(c, acquire_damped);
	tcase_add_test(c, acquire_expires);
	tcase_add_test(c, acquire_refused);
	tcase_add_test(c, migration);
	tcase_add_test(c, store_index);
	tcase_add_test(c, recovery);
	tcase_add_test(c, jail);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
