// SPDX-License-Identifier: GPL-2.0
/* test_state - the words of `state add` that name algorithms, what a compartment admits, and the option `engine` */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "words/algorithm.h"
#include "words/option.h"
#include "words/reason.h"
#include "words/state.h"
#include "words/usage.h"
#include "suite.h"

#define ID	"src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x1001 mode tunnel dir out "
#define KEY16	"0x000102030405060708090a0b0c0d0e0f"
#define KEY20	KEY16 "10111213"
#define KEY32	KEY16 "101112131415161718191a1b1c1d1e1f"
#define SHA1	" auth hmac(sha1) " KEY20

static struct words w;
static struct state_line line;

static int parse(const char *text)
{
	static char copy[WORD_LINE_MAX];
	static const char *word[WORD_COUNT_MAX];

	strcpy(copy, text);
	word_init(&w, word, word_split(copy, word, WORD_COUNT_MAX));
	return state_parse(&w, &line, false);
}

static void takes(const char *text)
{
	ck_assert_msg(!parse(text), "%s: %s", text, w.error);
}

static void refuses(const char *text, const char *error)
{
	ck_assert_msg(parse(text), "%s: taken", text);
	ck_assert_msg(!strncmp(w.error, error, strlen(error)), "said %s, not %s", w.error, error);
}

static void options_of(struct option_set *o, const char *text)
{
	static char copy[WORD_LINE_MAX];
	static const char *word[WORD_COUNT_MAX];

	strcpy(copy, text);
	word_init(&w, word, word_split(copy, word, WORD_COUNT_MAX));
	option_init(o, "blue");
	ck_assert_msg(!option_parse(&w, o), "%s", w.error);
}

/* ---- words --------------------------------------------------------------------------- */

static void key_of(char *to, uint32_t bits)
{
	uint32_t i;

	to += sprintf(to, "0x");
	for (i = 0; i < bits / 8; i++)
		to += sprintf(to, "%02x", i);
}

/* Each row of the table, by name and alias, with each key and ICV length; a byte more or less is refused. */
static void row_is_taken(const struct algorithm *a, const char *name, int i, int j)
{
	static const char *const word[] = { "aead", "enc", "auth-trunc" };
	char key[200], text[600];
	int n;

	key_of(key, a->key_bits[i]);
	n = snprintf(text, sizeof(text), ID "%s %s %s", word[a->kind], name, key);
	if (a->kind != ALGORITHM_CIPHER)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %u", a->icv_bits[j]);
	if (a->kind == ALGORITHM_AUTH)
		strcpy(text + n, " enc ecb(cipher_null) ''");
	takes(text);
	ck_assert_str_eq(a->kind == ALGORITHM_AEAD ? line.sa.aead.name :
			 a->kind == ALGORITHM_AUTH ? line.sa.auth.name : line.sa.cipher.name, a->name);
	key_of(key, a->key_bits[i] + 8u);
	snprintf(text, sizeof(text), ID "%s %s %s 96", word[a->kind], name, key);
	snprintf(key, sizeof(key), "%s key \"%u bits\": allowed: %u", word[a->kind], a->key_bits[i] + 8u,
		 a->key_bits[0]);
	refuses(text, key);
}

START_TEST(each_algorithm_is_taken)
{
	const struct algorithm *a;
	int i, j;

	for (a = algorithm_table; *a->name; a++)
		for (i = 0; i < ALGORITHM_LENGTHS && (!i || a->key_bits[i]); i++)
			for (j = 0; j < ALGORITHM_LENGTHS && (!j || a->icv_bits[j]); j++) {
				row_is_taken(a, a->name, i, j);
				if (a->alias)
					row_is_taken(a, a->alias, i, j);
			}
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
	refuses(ID "aead rfc4106(gcm(des)) " KEY20 " 128",
		"aead \"rfc4106(gcm(des))\": no engine has it; allowed: rfc4106(gcm(aes)), ");
	refuses(ID "enc cbc(blowfish) " KEY16, "enc \"cbc(blowfish)\": no engine has it; allowed: cbc(aes), ");
	refuses(ID "enc cbc(aes) 0x00", "enc key \"8 bits\": allowed: 128, 192 or 256 bits");
	refuses(ID "aead rfc4106(gcm(aes)) " KEY16 " 128",
		"aead key \"128 bits\": allowed: 160, 224 or 288 bits (32 of them salt)");
	refuses(ID "aead rfc4106(gcm(aes)) " KEY20 " 120", "aead icv \"120 bits\": allowed: 128, 96 or 64 bits");
	refuses(ID "enc cbc(aes) " KEY16 " auth-trunc hmac(sha1) " KEY20 " 80",
		"auth-trunc icv \"80 bits\": allowed: 96 bits");
	refuses(ID "auth hmac(sha1) " KEY20, "state: no enc (it may be ecb(cipher_null)); ");
	refuses(ID "aead rfc4106(gcm(aes)) " KEY20 " 128" SHA1,
		"state: aead \"rfc4106(gcm(aes))\" beside enc or auth; ");
	refuses(ID "ctx u:r:blue_t", "ctx \"u:r:blue_t\": allowed: a context that a rule gives to this compartment");
	refuses(ID "ctx 0123456789012345678901234567890123456789012345678901234567890123",
		"ctx \"(not shown: it may be a key)\": allowed: a security context of at most 63 bytes");
	refuses(ID "ctx", "ctx");
	takes(ID "enc aes " KEY16 " auth sha256 " KEY32);
	ck_assert_uint_eq(line.sa.auth.icv_bits, 96);	/* as XFRM's */
}
END_TEST

#define GCM	"aead rfc4106(gcm(aes)) " KEY20 " 128"

START_TEST(limits_are_taken)
{
	const struct limit *l = &line.limit;

	takes(ID GCM " limit byte-soft 1 limit byte-hard 2 limit packet-soft 3 limit packet-hard 4 limit time-soft 5 "
	      "limit time-hard 6 limit time-use-soft 7 limit time-use-hard 8");
	ck_assert(l->bytes[0] == 1 && l->bytes[1] == 2 && l->packets[0] == 3 && l->packets[1] == 4);
	ck_assert(l->add[0] == 5 && l->add[1] == 6 && l->use[0] == 7 && l->use[1] == 8);
	takes(ID GCM " limit byte-hard 18446744073709551615");
	ck_assert(limit_is_none(l));		/* XFRM's word for none */
	takes(ID GCM);
	ck_assert(limit_is_none(l));
	refuses(ID GCM " limit", "limit: ");
	refuses(ID GCM " limit bytes 7", "limit \"bytes\": allowed: time-soft, ");
	refuses(ID GCM " limit byte-hard 0", "limit byte-hard \"0\": allowed: a number from 1 to ");
	refuses(ID GCM " limit byte-hard 1 limit byte-hard 2", "limit byte-hard: given twice");
	refuses(ID GCM " limit time-hard 99999999999", "limit time-hard \"99999999999\": allowed: a number from 1 to ");
}
END_TEST

#define AH	"src 10.9.0.1 dst 10.9.0.2 proto ah spi 0x1001 mode tunnel dir out "

START_TEST(ah_is_a_mac_alone)
{
	takes(AH "auth-trunc hmac(sha256) " KEY32 " 128 flag align4");
	ck_assert(line.sa.protocol == IPSP_AH && line.sa.flags == IPSP_SAF_ALIGN4);
	ck_assert_str_eq(line.sa.cipher.name, "ecb(cipher_null)");
	refuses(AH, "state: no auth; ");
	refuses(AH GCM, "proto ah \"aead\": allowed: auth or auth-trunc alone");
	refuses(AH "enc cbc(aes) " KEY16 SHA1, "proto ah \"enc\": ");
	refuses(AH "encap espinudp 4500 4500 0.0.0.0" SHA1, "proto ah \"encap\": ");
	refuses("src 10.9.0.1 dst 10.9.0.2 proto ah spi 0x1001 mode beet sel src 1.2.3.4 dst 5.6.7.8" SHA1,
		"proto ah \"mode beet\": ");
}
END_TEST

START_TEST(beet_wants_two_addresses)
{
	static const char begin[] = "src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x1001 mode beet " GCM " ";
	char text[600];

	snprintf(text, sizeof(text), "%ssel src fd01::1 dst fd02::1", begin);
	takes(text);
	ck_assert(line.sa.mode == IPSP_SA_BEET && line.sa.selector.family == 6);
	refuses(begin, "state: no sel with one src and one dst, as mode beet wants; ");
	snprintf(text, sizeof(text), "%ssel src 10.1.0.0/24 dst 10.2.0.1", begin);
	refuses(text, "state: no sel with one src and one dst");
}
END_TEST

/* ip xfrm names the last one, sent or seen */
START_TEST(numbers_are_taken)
{
	takes(ID GCM " replay-oseq 5 replay-seq 3");
	ck_assert_uint_eq(line.next, 6);
	ck_assert_uint_eq(line.seen, 4);
	takes(ID GCM);
	ck_assert_uint_eq(line.next | line.seen, 0);
}
END_TEST

/* As `ip -s xfrm state` shows the same SA; the last line is ours. */
START_TEST(usage_is_shown_as_ip_shows_it)
{
	struct ipsp_handle h = { .next = 3, .packets = 2, .bytes = 168 };
	char room[3000];
	struct text t;

	setenv("TZ", "UTC", 1);
	takes(ID GCM " replay-window 32 reqid 1 limit byte-soft 7 limit time-hard 1000");
	text_init(&t, room, sizeof(room));
	usage_text(&t, &line, &h, 1790000000ull * 1000000000, true);
	usage_text_ours(&t, &line, &h, "openssl");
	ck_assert_str_eq(room,
		"src 10.9.0.1 dst 10.9.0.2\n"
		"\tproto esp spi 0x00001001(4097) reqid 1(0x00000001) mode tunnel\n"
		"\treplay-window 32 seq 0x00000000 flag  (0x00000000)\n"
		"\taead rfc4106(gcm(aes)) " KEY20 " (160 bits) 128\n"
		"\tanti-replay context: seq 0x0, oseq 0x2\n"
		"\tsel src 0.0.0.0/0 dst 0.0.0.0/0 uid 0\n"
		"\tlifetime config:\n"
		"\t  limit: soft 7(bytes), hard (INF)(bytes)\n"
		"\t  limit: soft (INF)(packets), hard (INF)(packets)\n"
		"\t  expire add: soft 0(sec), hard 1000(sec)\n"
		"\t  expire use: soft 0(sec), hard 0(sec)\n"
		"\tlifetime current:\n"
		"\t  168(bytes), 2(packets)\n"
		"\t  add 2026-09-21 14:13:20 use -\n"
		"\tstats:\n"
		"\t  replay-window 0 replay 0 failed 0\n"
		"\tdir out engine openssl dropped 0\n");
}
END_TEST

/* What an SA dropped, by reason: those it counts apart, then those that have counters of their own. */
START_TEST(drops_have_names)
{
	struct ipsp_handle h = {
		.replayed = 2, .drops = { (__u64)IPSP_DROP_MALFORMED << 56 | 3, (__u64)IPSP_DROP_SELECTOR << 56 | ((1ull << 56) - 1) },
	};
	char room[200];
	struct text t;

	text_init(&t, room, sizeof(room));
	reason_text(&t, &h);
	ck_assert_str_eq(room, " (malformed 3, selector 72057594037927935, replay 2)");
	text_init(&t, room, sizeof(room));
	reason_json(&t, &h);
	ck_assert_str_eq(room, "{\"malformed\":3,\"selector\":72057594037927935,\"replay\":2}");
	text_init(&t, room, sizeof(room));
	reason_text(&t, &(struct ipsp_handle){ .id = 1 });
	reason_json(&t, &(struct ipsp_handle){ .id = 1 });
	ck_assert_str_eq(room, "{}");
	ck_assert_str_eq(reason_name(IPSP_DROP_LABEL), "label");
	ck_assert_str_eq(reason_name(IPSP_DROP_COUNT), "?");
}
END_TEST

/* What is shown is taken again, and is the same. */
START_TEST(text_is_taken_again)
{
	char room[2000];
	struct ipsp_sa before;
	struct text t;

	takes(ID "enc cbc(aes) " KEY16 " auth-trunc hmac(sha256) " KEY32 " 128");
	before = line.sa;
	text_init(&t, room, sizeof(room));
	state_text(&t, &line, false);
	ck_assert_ptr_null(strstr(room, "0001020304"));
	ck_assert_ptr_nonnull(strstr(room, "enc cbc(aes) (128 bits, not shown)\n"));
	text_init(&t, room, sizeof(room));
	state_text(&t, &line, true);
	strstr(room, "flag\n")[0] = '#';	/* without a flag the word stands alone, as ip xfrm shows it */
	memset(strstr(room, "#lag"), ' ', 4);
	*strstr(room, "\tsel") = '\0';
	takes(room);
	ck_assert_mem_eq(&line.sa.cipher, &before.cipher, sizeof(before.cipher));
	ck_assert_mem_eq(&line.sa.auth, &before.auth, sizeof(before.auth));
}
END_TEST

static void lengths(struct text *t, const uint16_t bits[ALGORITHM_LENGTHS])
{
	int i;

	for (i = 0; i < ALGORITHM_LENGTHS && (!i || bits[i]); i++)
		text_add(t, "%s%u", i ? " " : "", bits[i]);
}

/* The row as the page has it, up to the RFC's number. */
static void page_row(struct text *t, const struct algorithm *a)
{
	uint32_t engine;

	text_add(t, "| `%s` ", a->name);
	if (a->alias)
		text_add(t, "(`%s`) ", a->alias);
	text_add(t, "| ");
	lengths(t, a->key_bits);
	text_add(t, " | ");
	lengths(t, a->icv_bits);
	text_add(t, " | %u %u %u |", a->iv_len, a->align, a->salt_len);
	for (engine = 1; engine <= ALGORITHM_ENGINES; engine++)
		if (a->engines & ALGORITHM_BIT(engine))
			text_add(t, " %s", algorithm_engine_name(engine));
	text_add(t, " | ");
}

START_TEST(page_is_the_table)
{
	FILE *file = fopen("Documentation/algorithms.md", "r");
	const struct algorithm *a;
	char page[16384], row[300];
	struct text t;
	int rows = 0;
	char *at;

	ck_assert_ptr_nonnull(file);
	page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
	fclose(file);
	for (a = algorithm_table; *a->name; a++) {
		text_init(&t, row, sizeof(row));
		page_row(&t, a);
		at = strstr(page, row);
		ck_assert_msg(at, "not there: %s", row);
		ck_assert_int_eq(strcspn(at, "\n") > strlen(row) + strlen("1234, legacy"), a->is_legacy);
		rows++;
	}
	for (at = page; (at = strstr(at, "\n| `")); at++)
		rows--;
	ck_assert_int_eq(rows, -3);	/* the engines' own rows */
}
END_TEST

/* ---- what a compartment admits ------------------------------------------------------- */

static void admits(const char *text, const char *options, const char *error)
{
	struct option_set o;

	options_of(&o, options);
	takes(text);
	if (!error) {
		ck_assert_msg(!state_admit(&w, &line.sa, &o), "%s: %s", text, w.error);
		return;
	}
	ck_assert_msg(state_admit(&w, &line.sa, &o), "%s: admitted", text);
	ck_assert_msg(!strncmp(w.error, error, strlen(error)), "said %s, not %s", w.error, error);
	ck_assert_int_eq(w.status, WORD_STATUS_REFUSED);
}

START_TEST(weak_ones_need_legacy)
{
	static const struct {
		const char *words, *weak;
	} weak[] = {
		{ ID "enc cbc(des3_ede) " KEY20 "14151617" SHA1, "cbc(des3_ede)" },
		{ ID "enc cbc(des) 0x0001020304050607" SHA1, "cbc(des)" },
		{ ID "enc cbc(aes) " KEY16 " auth hmac(md5) " KEY16, "hmac(md5)" },
		{ ID "enc cbc(aes) " KEY16, "enc without auth" },
		{ ID "enc ecb(cipher_null) ''", "enc without auth" },
	};
	char error[100];
	size_t i;

	for (i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
		snprintf(error, sizeof(error), "state: \"%s\": too weak; allowed: in a compartment with legacy yes",
			 weak[i].weak);
		admits(weak[i].words, "", error);
		admits(weak[i].words, "legacy yes", NULL);
		ck_assert_str_eq(state_weakness(&line.sa), weak[i].weak);
	}
	admits(ID "enc ecb(cipher_null) ''" SHA1, "", NULL);
	ck_assert_ptr_null(state_weakness(&line.sa));
}
END_TEST

START_TEST(engines_decide)
{
	const char *cbc = ID "enc cbc(aes) " KEY16 SHA1;

	admits(cbc, "", NULL);
	admits(cbc, "engine sodium,openssl", NULL);
	admits(cbc, "engine sodium",
	       "state: \"cbc(aes) hmac(sha1)\": not of engine sodium; engines that have it: openssl");
	admits(ID "aead rfc4106(gcm(aes)) " KEY20 " 128", "engine sodium",
	       "state: \"rfc4106(gcm(aes))\": not of engine sodium; engines that have it: openssl");
	admits(ID "aead rfc7539esp(chacha20,poly1305) " KEY32 "20212223 128", "engine sodium", NULL);
}
END_TEST

/* ---- the option ------------------------------------------------------------------------ */

START_TEST(engine_list)
{
	static const char *const bad[] = { "engine gnutls", "engine openssl,openssl", "engine openssl,", "engine ,",
					   "engine" };
	struct option_set o, again;
	const char *word[4];
	char room[1000], copy[100];
	struct text t;
	size_t i;

	options_of(&o, "engine ipsecmb,sodium,openssl legacy yes");
	ck_assert_uint_eq(o.engine[0], IPSP_ENGINE_IPSECMB);
	ck_assert_uint_eq(o.engine[1], IPSP_ENGINE_SODIUM);
	ck_assert_uint_eq(o.engine[2], IPSP_ENGINE_OPENSSL);
	ck_assert_uint_eq(o.engine[3], 0);
	text_init(&t, room, sizeof(room));
	option_text(&t, &o);
	ck_assert_ptr_nonnull(strstr(room, "\nengine = ipsecmb,sodium,openssl\nlegacy = yes\n"));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(copy, bad[i]);
		word_init(&w, word, word_split(copy, word, 4));
		option_init(&again, "blue");
		ck_assert_msg(option_parse(&w, &again), "%s: taken", bad[i]);
	}
}
END_TEST

/* ---- keys from files -------------------------------------------------------------------- */

#define AEAD	ID "aead rfc4106(gcm(aes)) "

/* A FIFO without a writer would keep whoever opens it. */
START_TEST(test_key_file)
{
	char path[] = "/tmp/test_state.XXXXXX", text[256], fifo[64];
	const int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, KEY20 "\n", sizeof(KEY20)), sizeof(KEY20));
	close(fd);
	snprintf(text, sizeof(text), AEAD "@%s 128", path);
	takes(text);
	ck_assert_uint_eq(line.sa.aead.key_bits, 160);
	snprintf(fifo, sizeof(fifo), "%s.fifo", path);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	snprintf(text, sizeof(text), AEAD "@%s 128", fifo);
	alarm(10);
	refuses(text, "aead \"@/tmp/test_state.");
	refuses(AEAD "@/dev/zero 128", "aead \"@/dev/zero\"");
	alarm(0);
	unlink(fifo);
	unlink(path);
}
END_TEST

static int request(const char *key, const char *bits)
{
	const char *const word[] = { "src", "10.9.0.1", "dst", "10.9.0.2", "proto", "esp", "spi", "0x1001", "mode", "tunnel",
				     "dir", "out", "aead", "rfc4106(gcm(aes))", key, bits };

	word_init(&w, word, sizeof(word) / sizeof(word[0]));
	w.is_request = true;
	return state_parse(&w, &line, false);
}

/* Of somebody else's request no file is opened, and what was read from one is in no complaint. */
START_TEST(test_key_request)
{
	char path[] = "/tmp/test_state.XXXXXX", word[64];
	const int fd = mkstemp(path);

	ck_assert_int_eq(write(fd, KEY20 "\n", sizeof(KEY20)), sizeof(KEY20));
	close(fd);
	ck_assert_msg(!request("@=" KEY20, "128"), "%s", w.error);
	ck_assert_uint_eq(line.sa.aead.key_bits, 160);
	snprintf(word, sizeof(word), "@%s", path);
	ck_assert_int_ne(request(word, "128"), 0);
	ck_assert_msg(!!strstr(w.error, "aead \"@/tmp"), "%s", w.error);
	ck_assert_int_ne(request("@=" KEY20 "1", "128"), 0);
	ck_assert_ptr_null(strstr(w.error, "0102"));
	ck_assert_int_ne(request("128", "@=" KEY20), 0);
	ck_assert_ptr_null(strstr(w.error, "0102"));
	unlink(path);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state");
	TCase *c = tcase_create("words");

	tcase_add_test(c, each_algorithm_is_taken);
	tcase_add_test(c, what_is_wrong_is_said);
	tcase_add_test(c, text_is_taken_again);
	tcase_add_test(c, limits_are_taken);
	tcase_add_test(c, ah_is_a_mac_alone);
	tcase_add_test(c, beet_wants_two_addresses);
	tcase_add_test(c, numbers_are_taken);
	tcase_add_test(c, usage_is_shown_as_ip_shows_it);
	tcase_add_test(c, page_is_the_table);
	tcase_add_test(c, weak_ones_need_legacy);
	tcase_add_test(c, engines_decide);
	tcase_add_test(c, engine_list);
	tcase_add_test(c, drops_have_names);
	tcase_add_test(c, test_key_file);
	tcase_add_test(c, test_key_request);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
