// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
/* test_database - a database that a predecessor left, and policies of one index; the kernel behind a wrapped ioctl */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "manager/manager.h"
#include "suite.h"

#define SAS_MAX		3
#define POLICIES_MAX	4

static struct manager m;
static struct {				/* as database_size() counts them */
	struct database head;
	struct database_sa sa[SAS_MAX];
	struct ipsp_policy_entry policy[POLICIES_MAX];
} left;
static int refuses;
static int refuses_handle;		/* of those that begin now, the first so many */
static struct ipsp_handle added, changed;	/* the last of HANDLE_ADD, of HANDLE_SET */
static unsigned int handles_made, handles_gone, deletes;	/* by HANDLE_ADD, HANDLE_DEL, SA_DELETE */

/* ---- the kernel --------------------------------------------------------------------------- */

static unsigned int released, refused;	/* by RELEASE and REFUSE: the last id */

static void hear(const struct ipsp_record *rec)
{
	const struct ipsp_acquired *a = (const struct ipsp_acquired *)(rec + 1);

	if (rec->type == IPSP_REC_RELEASE)
		released = a->acquire;
	else if (rec->type == IPSP_REC_REFUSE)
		refused = a->acquire;
}

int __wrap_ioctl(int fd, unsigned long number, ...);
int __wrap_ioctl(int fd, unsigned long number, ...)
{
	va_list list;
	void *arg;

	va_start(list, number);
	arg = va_arg(list, void *);
	va_end(list);
	(void)fd;
	if (number == IPSP_IOC_HANDLE_ADD) {
		errno = ENOSPC;
		if (refuses_handle && refuses_handle--)
			return -1;
		((struct ipsp_handle *)arg)->id = 100 + handles_made++;
		added = *(struct ipsp_handle *)arg;
		return 0;
	}
	if (number == IPSP_IOC_HANDLE_SET) {
		changed = *(struct ipsp_handle *)arg;
		return 0;
	}
	if (number == IPSP_IOC_HANDLE_DEL) {
		handles_gone++;
		return 0;
	}
	if (number == IPSP_IOC_TAKE) {
		fd = memfd_create("left", 0);
		ck_assert_int_eq(write(fd, &left, sizeof(left)), sizeof(left));
		return fd;
	}
	ck_assert_uint_eq(number, IPSP_IOC_CONTROL);
	deletes += ((struct ipsp_record *)(uintptr_t)((struct ipsp_control *)arg)->record)->type == IPSP_REC_SA_DELETE;
	hear((struct ipsp_record *)(uintptr_t)((struct ipsp_control *)arg)->record);
	errno = EPIPE;
	return refuses ? -1 : 0;
}

static void setup(void)
{
	const struct ipsp_selector any = { .source_last = 0xffff, .destination_last = 0xffff };

	memset(&left, 0, sizeof(left));
	left.head = (struct database){ .magic = 0x3454524f50534950ull, .sas_max = SAS_MAX,
				       .policies_max = POLICIES_MAX, .sas = 1, .policies = 2, .next_index = 3 };
	left.sa[1].used = 1;
	left.sa[1].sa = (struct ipsp_sa){ .handle = 9, .family = 4, .protocol = 50, .selector = any,
					  .aead = { .name = "rfc4106(gcm(aes))", .key_bits = 160, .icv_bits = 128 } };
	left.policy[0].protect = (struct ipsp_protect){ .selector = any, .index = 1, .priority = 5 };
	left.policy[1].protect = (struct ipsp_protect){ .selector = any, .index = 2, .priority = 6, .direction = 1 };
	m = (struct manager){ .name = "blue", .fd = -1 };
	refuses = 0;
	refuses_handle = 0;
	handles_made = handles_gone = deletes = 0;
	released = refused = 0;
}

/* ---- what was left ------------------------------------------------------------------------- */

START_TEST(test_sound)
{
	ck_assert_int_eq(database_open(&m), 0);
	ck_assert_ptr_eq(database_find(&m, &left.sa[1].sa), &database_sas(m.database)[1]);
	munmap(m.database, sizeof(left));
}
END_TEST

static void spoil_magic(void) { left.head.magic++; }
static void spoil_sizes(void) { left.head.sas_max++; }
static void spoil_count(void) { left.head.policies = POLICIES_MAX + 1; }
static void spoil_sas(void) { left.head.sas = 2; }
static void spoil_family(void) { left.sa[1].sa.family = 5; }
static void spoil_sa_direction(void) { left.sa[1].sa.direction = 2; }
static void spoil_sa_selector(void) { left.sa[1].sa.selector.source_prefix = 200; }
static void spoil_name(void) { memset(left.sa[1].sa.aead.name, 'x', sizeof(left.sa[1].sa.aead.name)); }
static void spoil_key(void) { left.sa[1].sa.aead.key_bits = 8 * IPSP_KEY_MAX + 1; }
static void spoil_direction(void) { left.policy[1].protect.direction = 3; }
static void spoil_templates(void) { left.policy[0].templates = IPSP_STAMPS + 1; }
static void spoil_selector(void) { left.policy[0].protect.selector.family = 7; }
static void spoil_order(void) { left.policy[0].protect.priority = 7; }

static void (*const spoils[])(void) = {
	spoil_magic, spoil_sizes, spoil_count, spoil_sas, spoil_family, spoil_sa_direction, spoil_sa_selector,
	spoil_name, spoil_key, spoil_direction, spoil_templates, spoil_selector, spoil_order,
};

START_TEST(test_spoiled)
{
	spoils[_i]();
	ck_assert_int_eq(database_open(&m), -EINVAL);
}
END_TEST

/* ---- indices ------------------------------------------------------------------------------- */

static int add(uint32_t index, uint8_t direction, uint32_t *got)
{
	struct ipsp_policy_entry e = { .protect = { .index = index, .direction = direction,
						    .selector = { .source_last = 53, .destination_last = 0xffff } } };
	int err = policy_add(&m, &e, 0);

	*got = e.protect.index;
	return err;
}

/* The kernel and the stacks would put it in the place of the other, of another direction. */
START_TEST(test_index_taken)
{
	uint32_t got;

	ck_assert_int_eq(database_open(&m), 0);
	ck_assert_int_eq(add(2, IPSP_DIR_OUT, &got), -EEXIST);
	ck_assert_uint_eq(m.database->policies, 2);
	ck_assert_int_eq(add(3, IPSP_DIR_OUT, &got), 0);
	ck_assert_int_eq(add(0, IPSP_DIR_FWD, &got), 0);
	ck_assert_uint_eq(got, 4);
	munmap(m.database, sizeof(left));
}
END_TEST

/* A call that fails has changed nothing. */
START_TEST(test_refused)
{
	uint32_t got;

	ck_assert_int_eq(database_open(&m), 0);
	refuses = 1;
	ck_assert_int_eq(add(0, IPSP_DIR_OUT, &got), -EPIPE);
	ck_assert_int_eq(policy_delete(&m, 0), -EPIPE);
	ck_assert_uint_eq(m.database->policies, 2);
	ck_assert_uint_eq(database_policies(m.database)[0].protect.index, 1);
	munmap(m.database, sizeof(left));
}
END_TEST

/* ---- another in the place of one ------------------------------------------------------------- */

static struct state_line line_of(uint8_t direction, uint32_t reqid)
{
	struct state_line line = { .sa = left.sa[1].sa, .window = direction == IPSP_DIR_IN ? 64 : 0 };

	left.sa[1].sa.direction = direction;
	left.sa[1].window = line.window;
	line.sa.direction = direction;
	line.sa.reqid = reqid;
	ck_assert_int_eq(database_open(&m), 0);
	return line;
}

/* The one SA that there is: with this reqid, under this handle. */
static void is_there(uint32_t reqid, uint32_t handle, uint32_t window)
{
	const struct database_sa *sa = database_find(&m, &left.sa[1].sa);

	ck_assert_uint_eq(m.database->sas, 1);
	ck_assert_ptr_nonnull(sa);
	ck_assert_uint_eq(sa->sa.reqid, reqid);
	ck_assert_uint_eq(sa->sa.handle, handle);
	ck_assert_uint_eq(sa->window, window);
	munmap(m.database, sizeof(left));
}

START_TEST(test_replaced)
{
	const uint8_t direction = _i ? IPSP_DIR_IN : IPSP_DIR_OUT;
	struct state_line line = line_of(direction, 7);

	line.next = 6;			/* replay-oseq 5 */
	line.seen = 4;			/* replay-seq 3 */
	ck_assert_int_eq(sa_replace(&m, database_find(&m, &line.sa), &line, NULL), 0);
	ck_assert_uint_eq(added.next, direction == IPSP_DIR_IN ? 4 : 6);
	ck_assert_uint_eq(handles_gone, 1);
	ck_assert_uint_eq(deletes, 1);
	is_there(7, 100, direction == IPSP_DIR_IN ? 64 : 0);
}
END_TEST

/* Nothing of an outbound one is touched before the new one is there; an inbound one comes back. */
START_TEST(test_replace_refused)
{
	struct state_line line = line_of(IPSP_DIR_OUT, 7);

	refuses_handle = 1;
	ck_assert_int_eq(sa_replace(&m, database_find(&m, &line.sa), &line, NULL), -ENOSPC);
	ck_assert_uint_eq(handles_gone + deletes, 0);
	is_there(0, 9, 0);

	line = line_of(IPSP_DIR_IN, 7);
	refuses_handle = 1;
	ck_assert_int_eq(sa_replace(&m, database_find(&m, &line.sa), &line, NULL), -ENOSPC);
	ck_assert_uint_eq(handles_gone, 1);
	is_there(0, 100, 64);
}
END_TEST

/* What comes back has the limits that it had, and no more time than it had. */
START_TEST(test_replace_refused_limits)
{
	const struct limit limit = { .packets = { 0, 300 }, .add = { 0, 900 } };
	const struct database_sa *sa;
	struct state_line line;

	left.sa[1].limit = limit;
	left.sa[1].added = 5000000000ull;
	left.sa[1].first_used = 6000000000ull;
	left.sa[1].told = IPSP_EXPIRED_SOFT;
	line = line_of(IPSP_DIR_IN, 7);
	refuses_handle = 1;
	ck_assert_int_eq(sa_replace(&m, database_find(&m, &line.sa), &line, NULL), -ENOSPC);
	sa = database_find(&m, &line.sa);
	ck_assert_mem_eq(&sa->limit, &limit, sizeof(limit));
	ck_assert_uint_eq(sa->added, 5000000000ull);
	ck_assert_uint_eq(sa->first_used, 6000000000ull);
	ck_assert_uint_eq(sa->told, IPSP_EXPIRED_SOFT);
	ck_assert_uint_eq(added.hard_packets, 300);
	ck_assert_uint_eq(changed.id, sa->sa.handle);
	ck_assert_uint_eq(changed.until, 905000000000ull);
	munmap(m.database, sizeof(left));
}
END_TEST

/* The stacks' refusal leaves handles as they were, too. */
START_TEST(test_replace_not_told)
{
	struct state_line line = line_of(_i ? IPSP_DIR_IN : IPSP_DIR_OUT, 7);

	refuses = 1;
	ck_assert_int_eq(sa_replace(&m, database_find(&m, &line.sa), &line, NULL), -EPIPE);
	ck_assert_uint_eq(handles_gone, handles_made);
	is_there(0, 9, line.window);
}
END_TEST

/* A full database has no room for two: the old one goes first, and comes back. */
START_TEST(test_replace_full)
{
	struct state_line line;

	left.head.sas = SAS_MAX;
	left.sa[0] = left.sa[2] = left.sa[1];
	left.sa[0].sa.spi = 1;
	left.sa[2].sa.spi = 2;
	line = line_of(IPSP_DIR_OUT, 7);
	refuses_handle = 1;
	ck_assert_int_eq(sa_replace(&m, database_find(&m, &line.sa), &line, NULL), -ENOSPC);
	ck_assert_uint_eq(m.database->sas, SAS_MAX);
	ck_assert_int_eq(sa_replace(&m, database_find(&m, &line.sa), &line, NULL), 0);
	ck_assert_uint_eq(database_find(&m, &line.sa)->sa.reqid, 7);
	ck_assert_uint_eq(m.database->sas, SAS_MAX);
	munmap(m.database, sizeof(left));
}
END_TEST

/* ---- what packets wait for ------------------------------------------------------------------- */

#define ID 6

/* A policy that needs an SA of reqid 3, and a packet of it. */
static struct ipsp_acquire asked(void)
{
	struct ipsp_acquire a = { .acquire = ID, .policy = 1 };

	left.head.sas = 0;
	left.sa[1].used = 0;
	left.policy[0].acquire = ID;
	left.policy[0].action = IPSP_POLICY_APPLY;
	left.policy[0].templates = 1;
	left.policy[0].template_[0] = (struct ipsp_template){ .reqid = 3, .family = 4, .protocol = 50,
							      .mode = IPSP_SA_TUNNEL };
	left.policy[0].protect.selector.family = 4;
	left.policy[0].protect.selector.destination[0] = 10;
	left.policy[0].protect.selector.destination_prefix = 8;
	ck_assert_int_eq(database_open(&m), 0);
	a.selector = (struct ipsp_selector){ .source = { 10, 1, 0, 7 }, .destination = { 10, 2, 0, 9 }, .family = 4,
					     .source_prefix = 32, .destination_prefix = 32, .protocol = 17,
					     .source_first = 4000, .source_last = 4000, .destination_first = 53,
					     .destination_last = 53 };
	return a;
}

static int sa_for(uint32_t reqid, uint32_t spi, uint32_t if_id, uint32_t mark)
{
	struct state_line line = { .sa = left.sa[1].sa };

	line.sa.mode = IPSP_SA_TUNNEL;
	line.sa.reqid = reqid;
	line.sa.spi = spi;
	line.sa.if_id = if_id;
	line.sa.mark = line.sa.mark_mask = mark;
	return sa_add(&m, &line);
}

static int sa_of(uint32_t reqid, uint32_t spi)
{
	return sa_for(reqid, spi, 0, 0);
}

/* What an agent reads: the text, and of which request. */
static const char *reply(int fd, uint64_t request)
{
	static _Alignas(64) char bytes[4096];
	const struct ipsp_record *rec = (const struct ipsp_record *)bytes;
	ssize_t got;

	memset(bytes, 0, sizeof(bytes));
	got = read(fd, bytes, sizeof(bytes) - 1);
	ck_assert_int_ge(got, 128);
	ck_assert_uint_eq(rec->type, IPSP_REC_ADMIN_REPLY);
	ck_assert_uint_eq(((const struct ipsp_admin *)(rec + 1))->id, request);
	return bytes + rec->data_offset;
}

START_TEST(test_acquire_without_agent)
{
	struct ipsp_acquire a = asked();

	acquire_handle(&m, &a);
	ck_assert_uint_eq(refused, ID);
	ck_assert_uint_eq(released, 0);
}
END_TEST

START_TEST(test_acquire)
{
	struct ipsp_acquire a = asked();
	int pair[2];

	ck_assert_int_eq(pipe(pair), 0);
	m.fd = pair[1];
	acquire_wait(&m, 42);
	acquire_handle(&m, &a);
	ck_assert_str_eq(reply(pair[0], 42), "policy 1 src 10.1.0.7 dst 10.2.0.9 proto 17 ports 1 sport 4000 dport 53 "
			 "dev 0 if_id 0 mark 0\n");
	ck_assert_int_eq(sa_of(4, 1), 0);
	ck_assert_uint_eq(released, 0);			/* not one that it waits for */
	ck_assert_int_eq(sa_of(3, 2), 0);
	ck_assert_uint_eq(released, ID);
	released = 0;
	acquire_handle(&m, &a);
	ck_assert_uint_eq(released, ID);		/* asked before that SA was known */
	ck_assert_uint_eq(refused, 0);
}
END_TEST

/* The agent hears at once of an SA that has met a limit; what happens between two of its requests is kept for the next. */
START_TEST(test_acquire_expired)
{
	const struct ipsp_handle h = { .bytes = 900, .packets = 7 };
	struct ipsp_sa sa = { .family = 4, .protocol = IPSP_ESP, .spi = htonl(0x1001), .destination = { 10, 9, 0, 2 } };
	int pair[2];

	asked();
	ck_assert_int_eq(pipe(pair), 0);
	m.fd = pair[1];
	acquire_wait(&m, 42);
	event_expire(&m, &sa, &h, false);
	ck_assert_str_eq(reply(pair[0], 42), "expired dst 10.9.0.2 spi 0x1001 bytes 900 packets 7\n");
	event_expire(&m, &sa, &h, true);
	sa.spi = htonl(0x1002);
	event_expire(&m, &sa, &h, true);
	acquire_wait(&m, 43);
	ck_assert_str_eq(reply(pair[0], 43), "expired dst 10.9.0.2 spi 0x1001 bytes 900 packets 7\n"
			 "expired dst 10.9.0.2 spi 0x1002 bytes 900 packets 7\n");
}
END_TEST

/* An SA of another if_id or mark is none: it would be released, and asked for again, without end. */
START_TEST(test_acquire_for_others)
{
	struct ipsp_acquire a = asked();
	int pair[2];

	ck_assert_int_eq(pipe(pair), 0);
	m.fd = pair[1];
	ck_assert_int_eq(sa_for(3, 1, 7, 0), 0);
	ck_assert_int_eq(sa_for(3, 2, 0, 0x10), 0);
	acquire_wait(&m, 42);
	acquire_handle(&m, &a);
	ck_assert_uint_eq(released + refused, 0);
	ck_assert_ptr_nonnull(strstr(reply(pair[0], 42), "policy 1 "));
	a.selector.mark = 0x30;
	acquire_handle(&m, &a);
	ck_assert_uint_eq(released, ID);
	released = 0;
	a.selector.mark = 0;
	a.selector.if_id = 7;
	acquire_handle(&m, &a);
	ck_assert_uint_eq(released, ID);
}
END_TEST

/* Between two requests of the agent nothing is lost; one that has gone is found out. */
START_TEST(test_acquire_between)
{
	struct ipsp_acquire a = asked();
	int pair[2];

	ck_assert_int_eq(pipe(pair), 0);
	m.fd = pair[1];
	acquire_wait(&m, 42);
	acquire_handle(&m, &a);
	reply(pair[0], 42);
	a.selector.destination[3] = 10;
	acquire_handle(&m, &a);
	acquire_wait(&m, 43);
	ck_assert_ptr_nonnull(strstr(reply(pair[0], 43), "dst 10.2.0.10 "));
	ck_assert_uint_eq(refused, 0);
	acquire_wait(&m, 44);
	acquire_wait(&m, 45);				/* another agent: the one before it has its reply */
	ck_assert_str_eq(reply(pair[0], 44), "");
	m.fd = -1;
	acquire_handle(&m, &a);
	ck_assert_uint_eq(refused, ID);
}
END_TEST

/* What a stack makes up: no such id, another policy's, a packet that is not its. */
START_TEST(test_acquire_made_up)
{
	struct ipsp_acquire a = asked();

	a.acquire = ID + 1;
	acquire_handle(&m, &a);
	a = asked();
	a.policy = 2;
	acquire_handle(&m, &a);
	a = asked();
	a.selector.destination[0] = 11;
	acquire_handle(&m, &a);
	ck_assert_uint_eq(refused + released, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("database");
	TCase *c = tcase_create("database");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, test_sound);
	tcase_add_loop_test(c, test_spoiled, 0, sizeof(spoils) / sizeof(spoils[0]));
	tcase_add_test(c, test_index_taken);
	tcase_add_test(c, test_refused);
	tcase_add_loop_test(c, test_replaced, 0, 2);
	tcase_add_test(c, test_replace_refused);
	tcase_add_test(c, test_replace_refused_limits);
	tcase_add_loop_test(c, test_replace_not_told, 0, 2);
	tcase_add_test(c, test_replace_full);
	tcase_add_test(c, test_acquire_without_agent);
	tcase_add_test(c, test_acquire);
	tcase_add_test(c, test_acquire_expired);
	tcase_add_test(c, test_acquire_for_others);
	tcase_add_test(c, test_acquire_between);
	tcase_add_test(c, test_acquire_made_up);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
