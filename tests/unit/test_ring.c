// SPDX-License-Identifier: GPL-2.0
/* test_ring - the verbs of the ring, and what a lying peer gets */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "stack/port.h"
#include "suite.h"

#define SIZE 65536u

static struct sim sim;
static struct port port;

static void setup(void)
{
	ck_assert_int_eq(sim_create(&sim, &port, SIZE), 0);
}

static struct ipsp_record *put(struct ipsp_ring *r, unsigned len, unsigned mark)
{
	struct ipsp_record *rec = ipsp_ring_reserve(r, len);

	if (!rec)
		return NULL;
	memset(rec, 0, sizeof(*rec));
	rec->len = (len + 63) & ~63u;
	rec->ticket = mark;
	return rec;
}

START_TEST(submitted_is_peeked_once)
{
	ck_assert_ptr_nonnull(put(&sim.down, 100, 7));
	ck_assert_uint_eq(ipsp_ring_peek(&port.down), 0);
	ipsp_ring_submit(&sim.down);
	ck_assert_uint_eq(ipsp_ring_peek(&port.down), 128);
	ck_assert_uint_eq(((struct ipsp_record *)ipsp_ring_record(&port.down))->ticket, 7);
	ipsp_ring_step(&port.down, 128);
	ipsp_ring_release(&port.down);
	ck_assert_uint_eq(ipsp_ring_peek(&port.down), 0);
}
END_TEST

START_TEST(cancel_and_trim_take_back)
{
	put(&sim.down, 100, 1);
	ipsp_ring_submit(&sim.down);
	put(&sim.down, 1000, 2);
	ipsp_ring_cancel(&sim.down);
	put(&sim.down, 1000, 3);
	ipsp_ring_trim(&sim.down, 1000, 64);
	ipsp_ring_submit(&sim.down);
	ck_assert_uint_eq(ipsp_ring_peek(&port.down), 128 + 64);
}
END_TEST

START_TEST(full_ring_refuses_until_released)
{
	unsigned n = 0;

	while (put(&sim.down, 1024, n))
		n++;
	ck_assert_uint_eq(n, SIZE / 1024);
	ipsp_ring_submit(&sim.down);
	ck_assert_uint_eq(ipsp_ring_peek(&port.down), SIZE);
	ipsp_ring_step(&port.down, 1024);
	ipsp_ring_release(&port.down);
	ck_assert_ptr_nonnull(put(&sim.down, 1024, n));
	ck_assert_ptr_null(put(&sim.down, 64, n));
	ck_assert_ptr_null(ipsp_ring_reserve(&sim.down, SIZE + 1));
	ck_assert_ptr_null(ipsp_ring_reserve(&sim.down, ~0u));
}
END_TEST

START_TEST(records_run_over_the_end_in_one_piece)
{
	unsigned i, len = 1984;		/* does not divide the ring */

	for (i = 0; i < 500; i++) {
		struct ipsp_record *rec = put(&sim.down, len, i), *got;

		ck_assert_ptr_nonnull(rec);
		memset(rec + 1, (int)i, len - sizeof(*rec));
		ipsp_ring_submit(&sim.down);
		ck_assert_uint_eq(ipsp_ring_peek(&port.down), len);
		got = ipsp_ring_record(&port.down);
		ck_assert_uint_eq(got->ticket, i);
		ck_assert_uint_eq(((uint8_t *)got)[len - 1], (uint8_t)i);
		ipsp_ring_step(&port.down, len);
		ipsp_ring_release(&port.down);
	}
}
END_TEST

START_TEST(lying_producer_is_seen)
{
	ipsp_ring_publish(port.up.kown, SIZE + 64);
	ipsp_ring_peek(&sim.up);
	ck_assert(ipsp_ring_is_broken(&sim.up));
}
END_TEST

START_TEST(half_record_is_seen)
{
	ipsp_ring_publish(port.up.kown, 32);
	ipsp_ring_peek(&sim.up);
	ck_assert(ipsp_ring_is_broken(&sim.up));
}
END_TEST

START_TEST(lying_consumer_gives_no_room)
{
	unsigned n = 0;

	ipsp_ring_publish(port.down.kown, 4096);	/* released what was never submitted */
	while (put(&sim.down, 1024, n))
		n++;
	ck_assert_uint_eq(n, SIZE / 1024);
	ck_assert(!ipsp_ring_refresh_room(&sim.down));
}
END_TEST

START_TEST(insane_lengths_are_refused)
{
	struct ipsp_record r = { .len = 256, .control_len = 64, .data_offset = 128, .data_len = 128 };

	ck_assert(ipsp_record_is_sane(&r, 256));
	ck_assert(!ipsp_record_is_sane(&r, 192));
	r.data_len = 129;
	ck_assert(!ipsp_record_is_sane(&r, 256));
	r.data_len = ~0u;
	ck_assert(!ipsp_record_is_sane(&r, 256));
	r.data_len = 64;
	r.data_offset = 64;		/* inside the control part */
	ck_assert(!ipsp_record_is_sane(&r, 256));
	r.data_offset = 130;
	ck_assert(!ipsp_record_is_sane(&r, 256));
	r.data_offset = 128;
	r.control_len = ~0u;
	ck_assert(!ipsp_record_is_sane(&r, 256));
	r.control_len = 64;
	r.len = 0;
	ck_assert(!ipsp_record_is_sane(&r, 256));
	r.len = 100;
	ck_assert(!ipsp_record_is_sane(&r, 256));
}
END_TEST

#define TRANSFERS 200000u

static void *produce(void *unused)
{
	unsigned i;

	(void)unused;
	for (i = 0; i < TRANSFERS;) {
		if (!put(&sim.down, 64 + 64 * (i % 20), i)) {
			sched_yield();
			continue;
		}
		ipsp_ring_submit(&sim.down);
		i++;
	}
	return NULL;
}

START_TEST(two_threads_keep_the_order)
{
	unsigned i = 0, left;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, produce, NULL), 0);
	while (i < TRANSFERS) {
		left = ipsp_ring_peek(&port.down);
		if (!left)
			sched_yield();
		for (; left; i++) {
			const struct ipsp_record *rec = ipsp_ring_record(&port.down);

			ck_assert_uint_eq(rec->ticket, i);
			ck_assert_uint_eq(rec->len, 64 + 64 * (i % 20));
			left -= rec->len;
			ipsp_ring_step(&port.down, rec->len);
		}
		ipsp_ring_release(&port.down);
	}
	pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ring");
	TCase *c = tcase_create("verbs");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, submitted_is_peeked_once);
	tcase_add_test(c, cancel_and_trim_take_back);
	tcase_add_test(c, full_ring_refuses_until_released);
	tcase_add_test(c, records_run_over_the_end_in_one_piece);
	tcase_add_test(c, lying_producer_is_seen);
	tcase_add_test(c, half_record_is_seen);
	tcase_add_test(c, lying_consumer_gives_no_room);
	tcase_add_test(c, insane_lengths_are_refused);
	tcase_add_test(c, two_threads_keep_the_order);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
