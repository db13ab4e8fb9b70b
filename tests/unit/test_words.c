// SPDX-License-Identifier: GPL-2.0
/* test_words - numbers, rules and policies as words: what is written means what it says, and is said again the same */
#include <string.h>

#include "words/policy.h"
#include "words/rule.h"
#include "words/state.h"
#include "suite.h"

static char bytes[512], said[1024];
static const char *row[WORD_COUNT_MAX];
static struct words w;

static void line(const char *text)
{
	ck_assert_uint_lt(strlen(text), sizeof(bytes));
	strcpy(bytes, text);
	word_init(&w, row, word_split(bytes, row, WORD_COUNT_MAX));
}

static const char *rule_again(const char *text)
{
	struct ipsp_rule rule;
	struct text t;

	line(text);
	ck_assert_int_eq(rule_parse(&w, &rule), 0);
	text_init(&t, said, sizeof(said));
	rule_text(&t, &rule);
	return said;
}

/* ---- numbers --------------------------------------------------------------------------- */

/* Zeros in front do not push the number's last digits out of sight. */
START_TEST(test_long_numbers)
{
	struct ipsp_rule rule;

	line("out sport 0x0000012 dport 0x000050-0x0000000000000000060 -> blue");
	ck_assert_int_eq(rule_parse(&w, &rule), 0);
	ck_assert_uint_eq(rule.selector.source_first, 0x12);
	ck_assert_uint_eq(rule.selector.source_last, 0x12);
	ck_assert_uint_eq(rule.selector.destination_first, 0x50);
	ck_assert_uint_eq(rule.selector.destination_last, 0x60);
	line("out mark 0x0000000000000012 -> blue");
	ck_assert_int_eq(rule_parse(&w, &rule), 0);
	ck_assert_uint_eq(rule.selector.mark, 0x12);
	line("out mark 0x00000000000000000012/0xff -> blue");
	ck_assert_int_eq(rule_parse(&w, &rule), 0);
	ck_assert_uint_eq(rule.selector.mark, 0x12);
}
END_TEST

START_TEST(test_numbers_refused)
{
	static const char *const lines[] = {
		"out sport 70000 -> blue", "out sport 5-4 -> blue", "out sport -5 -> blue", "out sport 5- -> blue",
		"out sport 0x12345-9 -> blue", "out sport 1234567890123456789012345678901234567890-5 -> blue",
		"out mark 0x100000000 -> blue", "out mark 4/3 -> blue", "out mark 1/ -> blue",
		"out mark 00000000000000000000000000000000000000000005/7 -> blue",
	};
	struct ipsp_rule rule;

	line(lines[_i]);
	ck_assert_int_ne(rule_parse(&w, &rule), 0);
	ck_assert_int_eq(w.status, WORD_STATUS_GRAMMAR);
	ck_assert_int_ne(w.error[0], '\0');
}
END_TEST

/* A key where its algorithm's name should be, or glued to it, is in no complaint: that may go to a log. */
START_TEST(test_no_key_in_complaint)
{
	static const char *const lines[] = {
		"src 192.0.2.1 dst 192.0.2.2 proto esp spi 4097 aead 0x000102030405060708090a0b0c0d0e0f10111213 128",
		"src 192.0.2.1 dst 192.0.2.2 proto esp spi 4097 "
		"aead rfc4106(gcm(aes))0x000102030405060708090a0b0c0d0e0f10111213 128",
		"src 192.0.2.1 dst 192.0.2.2 proto esp spi 4097 "
		"aead rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f1011121 128",
	};
	struct state_line state;

	line(lines[_i]);
	ck_assert_int_ne(state_parse(&w, &state, false), 0);
	ck_assert_ptr_null(strstr(w.error, "0x0001"));
	ck_assert_ptr_nonnull(strstr(w.error, "aead"));
}
END_TEST

/* ---- rules ----------------------------------------------------------------------------- */

/* One family's rule without prefixes is no rule for both. */
START_TEST(test_rule_family)
{
	ck_assert_str_eq(rule_again("out to 0.0.0.0/0 -> blue protect"), "out from 0.0.0.0/0 -> blue protect");
	ck_assert_str_eq(rule_again("in from ::/0 -> drop"), "in from ::/0 -> drop");
	ck_assert_str_eq(rule_again("out from any to 10.0.0.0/8 -> blue"), "out to 10.0.0.0/8 -> blue");
	ck_assert_str_eq(rule_again("any -> bypass"), "any -> bypass");
}
END_TEST

START_TEST(test_rule_whole)
{
	static const char text[] = "fwd from fd00::/16 to fd01::/17 proto 6 sport 1-2 dport 3-4 dev eth0 mark 0x5/0xf "
				   "uid 7 gid 8 cgroup @281474976710656 label system_u:system_r:httpd_t:s0 -> green protect";

	ck_assert_str_eq(rule_again(text), text);
}
END_TEST

/* What a listing says can be set again, whatever the names are made of. */
START_TEST(test_rule_quoted)
{
	static const char *const pairs[][2] = {
		{ "out label '#' -> blue", "out label \"#\" -> blue" },
		{ "out label 'a \"b' dev \"it's \" -> 'dark blue' protect", "out dev \"it's \" label 'a \"b' -> \"dark blue\" protect" },
		{ "out -> '#1'", "out -> \"#1\"" },
		{ "out -> it's\"", "out -> it's\"" },
		{ "out -> ''", "out -> \"\"" },
	};

	ck_assert_str_eq(rule_again(pairs[_i][0]), pairs[_i][1]);
	ck_assert_str_eq(rule_again(said), pairs[_i][1]);
}
END_TEST

START_TEST(test_rule_refused)
{
	static const char *const lines[] = {
		"", "out", "sideways -> blue", "out -> ", "out -> blue protect now", "out -> bypass protect",
		"out -> a-name-that-is-longer-than-31-bytes-", "out dev a-device-with-a-long-name -> blue",
		"out dev '' -> blue", "out from 10.0.0.0/33 -> blue", "out from 10.0.0.0 to fd00:: -> blue",
		"out proto 256 -> blue", "out proto frisbee -> blue", "out uid 1 uid 2 -> blue", "out cgroup /no-such-group -> blue",
		"out cgroup a -> blue", "out cgroup @ -> blue", "out cgroup @0 -> blue", "out cgroup @-1 -> blue",
		"out cgroup @18446744073709551616 -> blue", "out cgroup /../../../etc -> blue", "out cgroup '' -> blue",
		"out label -> blue", "out label '' -> blue",
		"out label sixty_four_bytes_are_one_more_than_a_rule_has_room_for:r:t:s0:c9 -> blue",
	};
	struct ipsp_rule rule;

	line(lines[_i]);
	ck_assert_int_ne(rule_parse(&w, &rule), 0);
	ck_assert_int_ne(w.error[0], '\0');
}
END_TEST

/* ---- policies -------------------------------------------------------------------------- */

#define TUNNEL	"tmpl src 10.9.0.1 dst 10.9.0.2 proto esp reqid 2 mode tunnel "
#define INSIDE	"tmpl proto esp reqid 1 mode transport "
#define AROUND	"tmpl proto ah reqid 3 mode transport "

/* Innermost first, and said again the same. */
START_TEST(test_policy_of_several)
{
	const char *text = "src 10.1.0.0/24 dst 10.2.0.0/24 dir out " INSIDE TUNNEL AROUND TUNNEL;
	struct ipsp_policy_entry e, again;
	struct text t;

	line(text);
	ck_assert_int_eq(policy_parse(&w, &e), 0);
	ck_assert_int_eq(e.templates, 4);
	ck_assert_int_eq(e.template_[0].mode, IPSP_SA_TRANSPORT);
	ck_assert_int_eq(e.template_[1].mode, IPSP_SA_TUNNEL);
	ck_assert_int_eq(e.template_[2].protocol, IPSP_AH);
	ck_assert_int_eq(e.template_[3].reqid, 2);
	e.template_[0].family = e.template_[2].family = 4;	/* what is said has addresses, */
	e.protect.index = 5;					/* and an index */
	text_init(&t, said, sizeof(said));
	policy_text(&t, &e);
	word_init(&w, row, word_split(said, row, WORD_COUNT_MAX));
	ck_assert_int_eq(policy_parse(&w, &again), 0);
	ck_assert_mem_eq(e.template_, again.template_, sizeof(e.template_));
}
END_TEST

/* Whatever decides what a policy is for is listed, in words that are understood. */
START_TEST(test_policy_said_again)
{
	static const struct {
		const char *line, *says;
	} policies[] = {
		{ "src 1.1.0.0 acquire 5 dir out index 9 proto 7", "\n\tacquire 5\n" },
		{ "src 1.1.0.0 dir out index 9 mark 1 mask 0xff", "\n\tmark 0x1/0xff\n" },
		{ "src 1.1.0.0 dir out index 9 mark 0x1/0xff", "\n\tmark 0x1/0xff\n" },
		{ "src 1.1.0.0 dir out index 9 mark 0 mask 1", "\n\tmark 0x0/0x1\n" },
		{ "src 1.1.0.0 dir out index 9 if_id 0x50 " TUNNEL, "\n\tif_id 0x50\n" },
		{ "src 1.1.0.0 dst 1.2.0.0/16 dev lo dir out index 9", " dev lo\n" },
	};
	struct ipsp_policy_entry e, again;
	struct text t;

	line(policies[_i].line);
	ck_assert_int_eq(policy_parse(&w, &e), 0);
	text_init(&t, said, sizeof(said));
	policy_text(&t, &e);
	ck_assert_msg(strstr(said, policies[_i].says), "%s: %s", policies[_i].line, said);
	word_init(&w, row, word_split(said, row, WORD_COUNT_MAX));
	ck_assert_int_eq(policy_parse(&w, &again), 0);
	ck_assert_mem_eq(&e, &again, sizeof(e));
	line("src 1.1.0.0 dir out index 9");
	ck_assert_int_eq(policy_parse(&w, &e), 0);
	text_init(&t, said, sizeof(said));
	policy_text(&t, &e);
	ck_assert_ptr_null(strstr(said, policies[_i].says));
}
END_TEST

START_TEST(test_policy_of_too_much)
{
	static const struct {
		const char *line, *error;
	} refused[] = {
		{ "dir out " INSIDE TUNNEL TUNNEL TUNNEL AROUND, "fifth" },
		{ "dir out acquire 7 " INSIDE AROUND, "acquire" },
		{ "dir out tmpl proto esp mode beet " AROUND, "beet" },
	};
	struct ipsp_policy_entry e;

	line(refused[_i].line);
	ck_assert_int_ne(policy_parse(&w, &e), 0);
	ck_assert_int_eq(w.status, WORD_STATUS_REFUSED);
	ck_assert_ptr_nonnull(strstr(w.error, refused[_i].error));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("words");
	TCase *c = tcase_create("words");

	tcase_add_test(c, test_long_numbers);
	tcase_add_loop_test(c, test_numbers_refused, 0, 10);
	tcase_add_loop_test(c, test_no_key_in_complaint, 0, 3);
	tcase_add_test(c, test_rule_family);
	tcase_add_test(c, test_rule_whole);
	tcase_add_loop_test(c, test_rule_quoted, 0, 5);
	tcase_add_loop_test(c, test_rule_refused, 0, 25);
	tcase_add_test(c, test_policy_of_several);
	tcase_add_loop_test(c, test_policy_said_again, 0, 6);
	tcase_add_loop_test(c, test_policy_of_too_much, 0, 3);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
