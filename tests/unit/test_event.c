// SPDX-License-Identifier: GPL-2.0
/* test_event - what a compartment's events say, how many are kept, and who waits for the next one */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/manager.h"
#include "suite.h"

static struct database database;
static struct manager m;
static char said[4096];
static struct text out;
static __u64 replied[64];
static unsigned replies, expiries;

/* ---- what is beside event.c ----------------------------------------------------------------- */

int reply_send(struct manager *of, __u64 request, int status, const struct text *text, __u32 next)
{
	ck_assert_ptr_eq(of, &m);
	ck_assert(!status && !text->used && !next);
	replied[replies++] = request;
	return 0;
}

void acquire_expired(struct manager *of, const struct ipsp_sa *sa, const struct ipsp_handle *h)
{
	ck_assert(of == &m && sa && h);
	expiries++;
}

static void begin(void)
{
	memset(&database, 0, sizeof(database));
	m = (struct manager){ .name = "blue", .database = &database };
	event_release(&m);
	memset(replied, 0, sizeof(replied));
	replies = expiries = 0;
	setenv("TZ", "UTC", 1);
}

static void happens(__u32 kind, __u32 cause, __u32 stack, __u64 count)
{
	const struct ipsp_event e = {
		.event = kind, .cause = cause, .stack = stack, .pid = 77, .count = count, .time = 86400000000000,
	};

	event_of_port(&m, &e);
}

static const char *text_of(uint64_t number)
{
	text_init(&out, said, sizeof(said));
	event_text(&m, &out, number);
	return said;
}

static const char *json_of(uint64_t number)
{
	text_init(&out, said, sizeof(said));
	event_text_json(&m, &out, number);
	return said;
}

/* ---- tests ------------------------------------------------------------------------------------ */

static const struct {
	__u32 kind, cause, stack;
	const char *text, *json;
} kinds[] = {
	{ IPSP_EVENT_STACK_READY, 0, 1, "stack 1 (pid 77) serves", "\"stack-ready\",\"stack\":1,\"pid\":77,\"cause\":\"\"" },
	{ IPSP_EVENT_STACK_DIED, 0, 0, "stack 0 (pid 77) has ended: it had 5 packets", "\"stack-died\"" },
	{ IPSP_EVENT_STACK_HUNG, IPSP_BROKEN_DEADLINE, 2, "stack 2 (pid 77) hung: it had 5 packets", "\"stack-hung\"" },
	{ IPSP_EVENT_STACK_BROKEN, IPSP_BROKEN_NUMBER, 3, "stack 3 (pid 77) broke the protocol (number): it had 5 packets",
	  "\"stack-broken\",\"stack\":3,\"pid\":77,\"cause\":\"number\",\"count\":5" },
	{ IPSP_EVENT_STACK_BROKEN, 99, 3, "stack 3 (pid 77) broke the protocol (?): it had 5 packets", "\"cause\":\"?\"" },
	{ IPSP_EVENT_POISON, 0, 1, "ticket 5 is poison: two stacks died on it", "\"poison\"" },
	{ IPSP_EVENT_MISMATCH, 0, 2, "stack 2 was outvoted: ticket 5", "\"mismatch\",\"stack\":2" },
	{ IPSP_EVENT_MISMATCH, 0, ~0u, "stacks disagree, and none has a quorum: ticket 5", "\"mismatch\",\"stack\":-1" },
	{ IPSP_EVENT_DEGRADED, 0, 0, "degraded: 5 stacks decide, fewer than the quorum", "\"degraded\"" },
	{ IPSP_EVENT_LOST, 0, 0, "5 events did not reach the manager", "\"lost\"" },
};

#define KINDS	((int)(sizeof(kinds) / sizeof(kinds[0])))

START_TEST(each_kind_is_told)
{
	char wanted[256];

	begin();
	happens(kinds[_i].kind, kinds[_i].cause, kinds[_i].stack, 5);
	ck_assert_uint_eq(event_end(&m), 1);
	snprintf(wanted, sizeof(wanted), "Timestamp: 1970-01-02 00:00:00\nCompartment blue: %s\n", kinds[_i].text);
	ck_assert_str_eq(text_of(0), wanted);
	ck_assert_ptr_nonnull(strstr(json_of(0), kinds[_i].json));
	ck_assert_int_eq(strncmp(said, "{\"time\":86400,\"compartment\":\"blue\",\"event\":\"", 44), 0);
	ck_assert_str_eq(said + strlen(said) - 2, "}\n");
}
END_TEST

/* What is looked at when it comes, or is nothing by itself, is not kept; nor is what no kernel of ours tells. */
START_TEST(others_are_not_kept)
{
	static const __u32 kind[] = { 0, IPSP_EVENT_STACK_ATTACHED, IPSP_EVENT_EXPIRE, IPSP_EVENT_CEILING, IPSP_EVENT_MAPPING, 31, 33, ~0u };
	size_t i;

	begin();
	for (i = 0; i < sizeof(kind) / sizeof(kind[0]); i++)
		happens(kind[i], 0, 0, 0);
	ck_assert_uint_eq(event_end(&m), 0);
}
END_TEST

START_TEST(an_expiry_without_its_keys)
{
	struct ipsp_sa sa = { .family = 4, .protocol = IPSP_ESP, .spi = 0x01020304, .aead = { .name = "x", .key = { 1 } } };
	const struct ipsp_handle h = { .bytes = 10, .packets = 2 };
	static const struct ipsp_algorithm none;

	begin();
	event_expire(&m, &sa, &h, true);
	ck_assert_uint_eq(expiries, 1);
	ck_assert_int_eq(memcmp(&database.event[0].sa.aead, &none, sizeof(none)), 0);
	ck_assert_ptr_nonnull(strstr(text_of(0), "10(bytes), 2(packets)\n\thard 1\n"));
	ck_assert_ptr_nonnull(strstr(json_of(0), "\"event\":\"expired-hard\""));
	event_expire(&m, &sa, &h, false);
	ck_assert_ptr_nonnull(strstr(text_of(1), "\thard 0\n"));
	ck_assert_ptr_nonnull(strstr(json_of(1), "\"event\":\"expired-soft\""));
}
END_TEST

START_TEST(the_last_are_kept)
{
	unsigned i;

	begin();
	for (i = 0; i < EVENT_KEPT; i++)
		happens(IPSP_EVENT_POISON, 0, 0, i);
	ck_assert_uint_eq(event_first(&m), 0);
	happens(IPSP_EVENT_POISON, 0, 0, i);
	ck_assert_uint_eq(event_first(&m), 1);
	ck_assert_uint_eq(event_end(&m), EVENT_KEPT + 1);
	ck_assert_ptr_nonnull(strstr(text_of(1), "ticket 1 is"));
	ck_assert_ptr_nonnull(strstr(text_of(EVENT_KEPT), "ticket 256 is"));
}
END_TEST

/* It does so at every packet; what else happened is not driven out by that. */
START_TEST(who_disagrees_is_told_of_once)
{
	begin();
	happens(IPSP_EVENT_MISMATCH, 0, 1, 10);
	happens(IPSP_EVENT_MISMATCH, 0, 1, 12);
	ck_assert_uint_eq(event_end(&m), 1);
	ck_assert_ptr_nonnull(strstr(text_of(0), "ticket 12"));
	happens(IPSP_EVENT_MISMATCH, 0, 2, 14);
	happens(IPSP_EVENT_STACK_DIED, 0, 2, 0);
	happens(IPSP_EVENT_MISMATCH, 0, 2, 16);
	ck_assert_uint_eq(event_end(&m), 4);
}
END_TEST

START_TEST(who_follows_is_replied_to_once)
{
	begin();
	event_follow(&m, 7);
	event_follow(&m, 9);
	ck_assert_uint_eq(replies, 0);
	event_began(&m);
	ck_assert(replies == 2 && replied[0] == 7 && replied[1] == 9);
	event_began(&m);
	ck_assert_uint_eq(replies, 2);
}
END_TEST

/* One too many: all others ask again, and none is forgotten. */
START_TEST(more_than_there_is_room_for)
{
	__u64 i;

	begin();
	for (i = 1; i <= 17; i++)
		event_follow(&m, i);
	ck_assert_uint_eq(replies, 16);
	event_began(&m);
	ck_assert(replies == 17 && replied[16] == 17);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("event");
	TCase *c = tcase_create("event");

	tcase_add_loop_test(c, each_kind_is_told, 0, KINDS);
	tcase_add_test(c, others_are_not_kept);
	tcase_add_test(c, an_expiry_without_its_keys);
	tcase_add_test(c, the_last_are_kept);
	tcase_add_test(c, who_disagrees_is_told_of_once);
	tcase_add_test(c, who_follows_is_replied_to_once);
	tcase_add_test(c, more_than_there_is_room_for);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
