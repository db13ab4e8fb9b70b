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

/* ---- near the end of the indices: 32 bits ---------------------------------------------------------- */

#define NEAR	0xffffff00u

static struct ipsp_ring *producer, *consumer;

/* Of an empty ring all indices are the same; after 4 GiB they are there again, and a little before that they are here. */
static void start_at(unsigned index)
{
	producer->head = producer->own = producer->peer = index;
	consumer->head = consumer->own = consumer->peer = index;
	ipsp_ring_publish(producer->kown, index);
	ipsp_ring_publish(consumer->kown, index);
}

/* Both directions, each from the start and from near the wrap */
static void take_way(int way)
{
	producer = way & 1 ? &port.up : &sim.down;
	consumer = way & 1 ? &sim.up : &port.down;
	start_at(way & 2 ? NEAR : 0);
}
#define WAYS 4

START_TEST(a_full_ring_wraps)
{
	unsigned n = 0, i, began;

	take_way(_i);
	began = producer->head;
	while (put(producer, 1024, n))
		n++;
	ck_assert_uint_eq(n, SIZE / 1024);
	ck_assert(_i & 2 ? producer->head < began : producer->head > began);
	ipsp_ring_submit(producer);
	ck_assert_uint_eq(ipsp_ring_peek(consumer), SIZE);
	ck_assert(!ipsp_ring_is_broken(consumer));
	for (i = 0; i < n; i++) {
		ck_assert_uint_eq(((struct ipsp_record *)ipsp_ring_record(consumer))->ticket, i);
		ipsp_ring_step(consumer, 1024);
		ipsp_ring_release(consumer);
		ck_assert_ptr_nonnull(put(producer, 1024, n + i));
		ck_assert_ptr_null(put(producer, 64, 0));
		ck_assert_uint_eq(ipsp_ring_used(producer), SIZE);
	}
	ipsp_ring_submit(producer);
	ck_assert_uint_eq(ipsp_ring_peek(consumer), SIZE);
	ck_assert(!ipsp_ring_is_broken(consumer));
	ck_assert_uint_eq(((struct ipsp_record *)ipsp_ring_record(consumer))->ticket, n);
}
END_TEST

START_TEST(cancel_and_trim_wrap)
{
	take_way(_i);
	put(producer, 128, 1);
	ipsp_ring_submit(producer);
	put(producer, 4096, 2);
	ipsp_ring_cancel(producer);
	put(producer, 4096, 3);
	ipsp_ring_trim(producer, 4096, 64);
	ipsp_ring_submit(producer);
	ck_assert_uint_eq(ipsp_ring_peek(consumer), 128 + 64);
	ipsp_ring_step(consumer, 128);
	ck_assert_uint_eq(((struct ipsp_record *)ipsp_ring_record(consumer))->ticket, 3);
}
END_TEST

/* What is submitted and what is claimed lie on both sides of the wrap. */
START_TEST(a_producers_lies_are_seen_at_the_wrap)
{
	static const struct { unsigned ahead; int broken; } claims[] = {
		{ 64, 0 }, { 4096, 0 }, { SIZE, 0 }, { SIZE + 64, 1 }, { 2 * SIZE, 1 }, { 1u << 31, 1 },
		{ 0u - 64, 1 }, { 0u - SIZE, 1 }, { 32, 1 }, { 4096 + 8, 1 },
	};
	unsigned i;

	for (i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		take_way(_i);
		ipsp_ring_publish(producer->kown, producer->own + claims[i].ahead);
		ipsp_ring_peek(consumer);
		ck_assert_msg(ipsp_ring_is_broken(consumer) == claims[i].broken, "%#x ahead", claims[i].ahead);
	}
}
END_TEST

START_TEST(a_consumers_lies_are_seen_at_the_wrap)
{
	static const struct { unsigned ahead; int believed; } claims[] = {
		{ 0, 1 }, { 64, 1 }, { 256, 1 }, { 1024, 1 }, { 1024 + 64, 0 }, { SIZE, 0 }, { 1u << 31, 0 },
		{ 0u - 64, 0 }, { 0u - SIZE, 0 },
	};
	unsigned i, before;

	for (i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		take_way(_i);
		put(producer, 1024, 1);
		ipsp_ring_submit(producer);
		before = producer->peer;
		ipsp_ring_publish(consumer->kown, consumer->own + claims[i].ahead);
		ck_assert_msg(ipsp_ring_refresh_room(producer) == claims[i].believed, "%#x ahead", claims[i].ahead);
		ck_assert_uint_eq(producer->peer, claims[i].believed ? before + claims[i].ahead : before);
	}
}
END_TEST

/* It said that all was read, and then that it was not. */
START_TEST(a_consumer_that_goes_back_is_seen_at_the_wrap)
{
	take_way(_i);
	put(producer, 1024, 1);
	ipsp_ring_submit(producer);
	ck_assert_uint_eq(ipsp_ring_peek(consumer), 1024);
	ipsp_ring_step(consumer, 1024);
	ipsp_ring_release(consumer);
	ck_assert(ipsp_ring_refresh_room(producer));
	ipsp_ring_publish(consumer->kown, consumer->own - 64);
	ck_assert(!ipsp_ring_refresh_room(producer));
	ck_assert_uint_eq(ipsp_ring_used(producer), 0);
}
END_TEST

#define TRANSFERS 200000u

static void *produce(void *unused)
{
	unsigned i;

	(void)unused;
	for (i = 0; i < TRANSFERS;) {
		if (!put(producer, 64 + 64 * (i % 20), i)) {
			sched_yield();
			continue;
		}
		ipsp_ring_submit(producer);
		i++;
	}
	return NULL;
}

START_TEST(two_threads_keep_the_order)
{
	unsigned i = 0, left;
	pthread_t thread;

	take_way(_i);
	ck_assert_int_eq(pthread_create(&thread, NULL, produce, NULL), 0);
	while (i < TRANSFERS) {
		left = ipsp_ring_peek(consumer);
		if (!left)
			sched_yield();
		for (; left; i++) {
			const struct ipsp_record *rec = ipsp_ring_record(consumer);

			ck_assert_uint_eq(rec->ticket, i);
			ck_assert_uint_eq(rec->len, 64 + 64 * (i % 20));
			left -= rec->len;
			ipsp_ring_step(consumer, rec->len);
		}
		ipsp_ring_release(consumer);
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
	tcase_add_loop_test(c, a_full_ring_wraps, 0, WAYS);
	tcase_add_loop_test(c, cancel_and_trim_wrap, 0, WAYS);
	tcase_add_loop_test(c, a_producers_lies_are_seen_at_the_wrap, 0, WAYS);
	tcase_add_loop_test(c, a_consumers_lies_are_seen_at_the_wrap, 0, WAYS);
	tcase_add_loop_test(c, a_consumer_that_goes_back_is_seen_at_the_wrap, 0, WAYS);
	tcase_add_loop_test(c, two_threads_keep_the_order, 0, WAYS);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
