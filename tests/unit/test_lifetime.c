// SPDX-License-Identifier: GPL-2.0
/* test_lifetime - an SA at its limits, as the manager sees them: a clock and a kernel of our own making */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "manager/manager.h"
#include "suite.h"

#define SECOND	1000000000ull
#define SAS_MAX	3

static struct {
	struct database head;
	struct database_sa sa[SAS_MAX];
} store;
static struct manager m;
static struct ipsp_handle kernel[SAS_MAX];	/* by id, from 1 */
static uint64_t boot, wall;
static int soft_events, hard_events, deletions, refuses, asked;

/* ---- what is beside lifetime.c -------------------------------------------------------------- */

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	uint64_t now = clock == CLOCK_BOOTTIME ? boot : wall;

	if (clock != CLOCK_BOOTTIME && clock != CLOCK_REALTIME)
		return __real_clock_gettime(clock, t);		/* Check's own */
	*t = (struct timespec){ (time_t)(now / SECOND), (long)(now % SECOND) };
	return 0;
}

int __wrap_ioctl(int fd, unsigned long number, ...);
int __wrap_ioctl(int fd, unsigned long number, ...)
{
	struct ipsp_handle *h;
	va_list list;

	(void)fd;
	va_start(list, number);
	h = va_arg(list, struct ipsp_handle *);
	va_end(list);
	if (!h->id || h->id > SAS_MAX || !kernel[h->id - 1].id) {
		errno = ENOENT;
		return -1;
	}
	if (number == IPSP_IOC_HANDLE_GET) {
		asked++;
		*h = kernel[h->id - 1];
	} else {
		ck_assert_uint_eq(number, IPSP_IOC_HANDLE_SET);
		kernel[h->id - 1].until = h->until;
	}
	return 0;
}

struct database_sa *database_sas(struct database *d)
{
	ck_assert_ptr_eq(d, &store.head);
	return store.sa;
}

int sa_delete(struct manager *given, struct database_sa *sa)
{
	ck_assert_ptr_eq(given, &m);
	deletions++;
	if (refuses)
		return -EPIPE;
	sa->used = 0;
	return 0;
}

void event_expire(struct manager *given, const struct ipsp_sa *sa, const struct ipsp_handle *h, bool is_hard)
{
	ck_assert(given == &m && sa->handle == h->id);
	soft_events += !is_hard;
	hard_events += is_hard;
}

static void setup(void)
{
	memset(&store, 0, sizeof(store));
	memset(kernel, 0, sizeof(kernel));
	store.head.sas_max = SAS_MAX;
	m = (struct manager){ .database = &store.head };
	boot = 5000 * SECOND;
	wall = 1790000000 * SECOND;
	soft_events = hard_events = deletions = refuses = asked = 0;
}

static struct database_sa *add(int i, struct limit limit)
{
	struct ipsp_handle h = { 0 };

	store.sa[i].used = 1;
	store.sa[i].sa.handle = h.id = (__u32)i + 1;
	lifetime_begin(&m, &store.sa[i], &limit, &h);
	kernel[i] = h;
	return &store.sa[i];
}

static void pass(uint64_t seconds)
{
	boot += seconds * SECOND;
	wall += seconds * SECOND;
}

static void events_are(int soft, int hard)
{
	lifetime_look(&m);
	ck_assert_msg(soft_events == soft && hard_events == hard, "%d soft, %d hard, not %d and %d", soft_events,
		      hard_events, soft, hard);
	ck_assert_int_eq(deletions, hard);
}

/* ---- tests ------------------------------------------------------------------------------------ */

START_TEST(the_kernel_is_told)
{
	add(0, (struct limit){ .bytes = { 1, 2 }, .packets = { 3, 4 }, .add = { 5, 6 }, .use = { 7, 8 } });
	ck_assert(kernel[0].soft_bytes == 1 && kernel[0].hard_bytes == 2);
	ck_assert(kernel[0].soft_packets == 3 && kernel[0].hard_packets == 4);
	ck_assert_uint_eq(kernel[0].until, boot + 6 * SECOND);
	add(1, (struct limit){ .add = { 5, 0 } });
	ck_assert_uint_eq(kernel[1].until, 0);
}
END_TEST

START_TEST(without_limits_nobody_is_asked)
{
	add(0, (struct limit){ 0 });
	pass(1000000);
	events_are(0, 0);
	ck_assert_int_eq(asked, 0);
	ck_assert_int_eq(lifetime_timeout(&m, -1), -1);
	ck_assert_int_eq(lifetime_timeout(&m, 70), 70);
}
END_TEST

START_TEST(seconds_since_it_was_added)
{
	struct database_sa *sa = add(0, (struct limit){ .add = { 10, 20 } });

	events_are(0, 0);
	ck_assert_int_eq(lifetime_timeout(&m, -1), 10000);
	ck_assert_int_eq(lifetime_timeout(&m, 100), 100);
	pass(9);
	events_are(0, 0);
	pass(1);
	events_are(1, 0);
	ck_assert_int_eq(lifetime_timeout(&m, -1), 10000);
	pass(9);
	events_are(1, 0);
	pass(1);
	events_are(1, 1);
	ck_assert(!sa->used);
	ck_assert_int_eq(lifetime_timeout(&m, -1), -1);
}
END_TEST

/* The wall's clock may jump; so may the manager die: what it told is in the database. */
START_TEST(clock_and_manager_may_change)
{
	add(0, (struct limit){ .add = { 10, 20 } });
	wall += 1000000 * SECOND;
	events_are(0, 0);
	pass(10);
	events_are(1, 0);
	m = (struct manager){ .database = &store.head };
	events_are(1, 0);
	wall -= 2000000 * SECOND;
	pass(10);
	events_are(1, 1);
}
END_TEST

START_TEST(seconds_since_first_use)
{
	add(0, (struct limit){ .use = { 10, 20 } });
	events_are(0, 0);
	pass(100);
	events_are(0, 0);
	ck_assert_int_eq(lifetime_timeout(&m, -1), 1000);	/* it is looked for each second */
	kernel[0].used_first = wall;
	pass(3);
	events_are(0, 0);
	ck_assert_uint_eq(kernel[0].until, boot + 17 * SECOND);
	ck_assert_int_eq(lifetime_timeout(&m, -1), 7000);
	pass(7);
	events_are(1, 0);
	pass(10);
	events_are(1, 1);
}
END_TEST

/* A first use that the wall's clock puts before the beginning, or into the future. */
START_TEST(first_use_out_of_time)
{
	struct database_sa *sa = add(0, (struct limit){ .use = { 0, 20 } });

	kernel[0].used_first = 1;
	pass(5);
	events_are(0, 0);
	ck_assert_uint_eq(sa->first_used, sa->added);
	sa = add(1, (struct limit){ .use = { 0, 20 } });
	kernel[1].used_first = wall + 1000 * SECOND;
	events_are(0, 0);
	ck_assert_uint_eq(sa->first_used, boot);
}
END_TEST

START_TEST(what_the_kernel_says)
{
	add(0, (struct limit){ .packets = { 5, 10 } });
	add(1, (struct limit){ .bytes = { 0, 10 } });
	events_are(0, 0);
	ck_assert_int_eq(lifetime_timeout(&m, -1), -1);		/* it tells by an event */
	kernel[0].expired = IPSP_EXPIRED_SOFT;
	events_are(0, 0);
	m.lifetime_due = 0;		/* which does this */
	events_are(1, 0);
	m.lifetime_due = 0;
	events_are(1, 0);
	kernel[0].expired |= IPSP_EXPIRED_HARD;
	kernel[1].expired = IPSP_EXPIRED_HARD;
	m.lifetime_due = 0;
	events_are(1, 2);
}
END_TEST

/* A stack that takes no record may refuse the deletion: then it is tried again. */
START_TEST(a_deletion_is_tried_again)
{
	struct database_sa *sa = add(0, (struct limit){ .add = { 0, 10 } });

	refuses = 1;
	pass(10);
	lifetime_look(&m);
	ck_assert_int_eq(deletions, 1);
	ck_assert_int_eq(lifetime_timeout(&m, -1), 1000);
	refuses = 0;
	pass(1);
	lifetime_look(&m);
	ck_assert_int_eq(deletions, 2);
	ck_assert(!sa->used);
	ck_assert_int_eq(hard_events, 1);
}
END_TEST

START_TEST(a_century_is_not_overflowed)
{
	add(0, (struct limit){ .add = { 0, LIMIT_SECONDS_MAX } });
	events_are(0, 0);
	ck_assert_int_eq(lifetime_timeout(&m, -1), 3600 * 1000);
	ck_assert_uint_gt(kernel[0].until, boot);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lifetime");
	TCase *c = tcase_create("lifetime");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, the_kernel_is_told);
	tcase_add_test(c, without_limits_nobody_is_asked);
	tcase_add_test(c, seconds_since_it_was_added);
	tcase_add_test(c, clock_and_manager_may_change);
	tcase_add_test(c, seconds_since_first_use);
	tcase_add_test(c, first_use_out_of_time);
	tcase_add_test(c, what_the_kernel_says);
	tcase_add_test(c, a_deletion_is_tried_again);
	tcase_add_test(c, a_century_is_not_overflowed);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
