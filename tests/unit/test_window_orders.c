// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_window_orders.c - every order of eight packets, against RFC 4303 appendix A
 *
 * The oracle is the appendix's own text: Tl, Th, W, the cases A and B, and of each packet the low half of its number,
 * as the wire has it. A packet is intact if the high half that was inferred is the sender's. Eight packets lie where
 * windows have edges, in every order (an order's beginning is an order of fewer), each once more right behind itself
 * and once more at the end; first one by one, then all of them inferred before the first is accepted, as tickets that
 * wait for their stacks are. Windows of 32 and 64, with and without ESN, from nothing and around 2^32.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "window.h"
#include "suite.h"

#define PACKETS	8
#define TWO32	(1ull << 32)

/* ---- the oracle --------------------------------------------------------------------------- */

#define SEEN_MAX 64

struct oracle {
	uint32_t W, Tl, Th;
	bool esn;
	struct {
		uint32_t l, h;
	} seen[SEEN_MAX];		/* whatever was accepted; what is outside the window is never asked for */
	int count;
};

static bool oracle_saw(const struct oracle *o, uint32_t h, uint32_t l)
{
	int i;

	for (i = 0; i < o->count; i++)
		if (o->seen[i].l == l && o->seen[i].h == h)
			return true;
	return false;
}

static bool oracle_keep(struct oracle *o, uint32_t h, uint32_t l)
{
	o->seen[o->count].l = l;
	o->seen[o->count++].h = h;
	return true;
}

/* In the window: "if pass replay check, if intact, set the bit". */
static bool oracle_inside(struct oracle *o, uint32_t Seqh, uint32_t Seql, bool intact)
{
	return !oracle_saw(o, Seqh, Seql) && intact && oracle_keep(o, Seqh, Seql);
}

static bool oracle_above(struct oracle *o, uint32_t Seqh, uint32_t Seql, bool intact)
{
	if (!intact)
		return false;
	o->Th = Seqh;
	o->Tl = Seql;
	return oracle_keep(o, Seqh, Seql);
}

/* A2.2, case A: the window lies within one subspace. */
static bool oracle_case_a(struct oracle *o, uint32_t high, uint32_t Seql)
{
	if (Seql < o->Tl - o->W + 1)
		return oracle_above(o, o->Th + 1, Seql, high == o->Th + 1);
	if (Seql <= o->Tl)
		return oracle_inside(o, o->Th, Seql, high == o->Th);
	return oracle_above(o, o->Th, Seql, high == o->Th);
}

/* Case B: it spans two. */
static bool oracle_case_b(struct oracle *o, uint32_t high, uint32_t Seql)
{
	if (Seql >= o->Tl - o->W + 1)
		return oracle_inside(o, o->Th - 1, Seql, high == o->Th - 1);
	if (Seql <= o->Tl)
		return oracle_inside(o, o->Th, Seql, high == o->Th);
	return oracle_above(o, o->Th, Seql, high == o->Th);
}

/* Without ESN (3.4.3): left of the window, in it, or right of it. */
static bool oracle_short(struct oracle *o, uint32_t Seq)
{
	if (!Seq || (o->Tl >= o->W && Seq <= o->Tl - o->W))
		return false;
	return Seq <= o->Tl ? oracle_inside(o, 0, Seq, true) : oracle_above(o, 0, Seq, true);
}

static bool oracle_takes(struct oracle *o, uint64_t number)
{
	uint32_t high = (uint32_t)(number >> 32), low = (uint32_t)number;

	if (!o->esn)
		return oracle_short(o, low);
	return o->Tl >= o->W - 1 ? oracle_case_a(o, high, low) : oracle_case_b(o, high, low);
}

/* ---- ours ---------------------------------------------------------------------------------- */

struct ours {
	struct window w;
	u64 bits[4];
	bool esn;
};

static uint64_t ours_infers(const struct ours *o, uint64_t number)
{
	return o->esn ? window_infer(&o->w, (uint32_t)number) : (uint32_t)number;
}

/* As the module does: checked when it is captured, and again, and kept, when it is released intact. */
static bool ours_takes(struct ours *o, uint64_t inferred, uint64_t number)
{
	return inferred == (o->esn ? number : (uint32_t)number) && window_check(&o->w, inferred) &&
	       window_accept(&o->w, inferred);
}

/* ---- every order ---------------------------------------------------------------------------- */

struct setting {
	uint32_t size;
	bool esn;
	uint64_t before;		/* accepted before the eight; 0: none */
	uint64_t packet[PACKETS];
	uint64_t orders, taken;
};

static void begin(const struct setting *s, struct oracle *oracle, struct ours *ours)
{
	*oracle = (struct oracle){ .W = s->size, .esn = s->esn };
	*ours = (struct ours){ .esn = s->esn };
	ours->w.size = s->size;
	ours->w.words = window_words(s->size);
	ours->w.bits = ours->bits;
	if (!s->before)
		return;
	oracle->Th = (uint32_t)(s->before >> 32);
	oracle->Tl = (uint32_t)s->before;
	oracle_keep(oracle, oracle->Th, oracle->Tl);
	ours->w.top = s->before - 1;
	if (!window_accept(&ours->w, s->before))
		ck_abort_msg("the first one was refused");
}

static void differ(const struct setting *s, const int order[PACKETS], int i, const char *when)
{
	char text[200];
	int k, n = 0;

	for (k = 0; k < PACKETS; k++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %#llx", (unsigned long long)s->packet[order[k]]);
	ck_abort_msg("window %u esn %d from %#llx, order%s: packet %d %s", s->size, s->esn, (unsigned long long)s->before,
		     text, i, when);
}

static void one_by_one(struct setting *s, const int order[PACKETS])
{
	struct oracle oracle;
	struct ours ours;
	int i, again;

	begin(s, &oracle, &ours);
	for (i = 0; i < 2 * PACKETS; i++) {
		uint64_t number = s->packet[order[i % PACKETS]];

		for (again = 0; again < 2; again++) {
			bool wanted = oracle_takes(&oracle, number);

			if (ours_takes(&ours, ours_infers(&ours, number), number) != wanted)
				differ(s, order, i, again ? "again" : "at first");
			s->taken += wanted;
		}
	}
	if (ours.w.top != ((uint64_t)oracle.Th << 32 | oracle.Tl))
		differ(s, order, i, "leaves another top");
}

/* All inferred and checked by the window as it was before the first. */
static void all_pending(const struct setting *s, const int order[PACKETS])
{
	uint64_t inferred[PACKETS];
	struct oracle oracle;
	struct ours ours;
	int i;

	begin(s, &oracle, &ours);
	for (i = 0; i < PACKETS; i++) {
		uint64_t number = s->packet[order[i]];

		inferred[i] = ours_infers(&ours, number);
		if (!window_check(&ours.w, inferred[i]))
			inferred[i] = number + 1;	/* dropped at once */
	}
	for (i = 0; i < PACKETS; i++) {
		uint64_t number = s->packet[order[i]];

		if (ours_takes(&ours, inferred[i], number) != oracle_takes(&oracle, number))
			differ(s, order, i, "pending");
	}
}

static void orders(struct setting *s, int order[PACKETS], int fixed)
{
	int i, swap;

	if (fixed == PACKETS) {
		s->orders++;
		one_by_one(s, order);
		all_pending(s, order);
		return;
	}
	for (i = fixed; i < PACKETS; i++) {
		swap = order[fixed], order[fixed] = order[i], order[i] = swap;
		orders(s, order, fixed + 1);
		swap = order[fixed], order[fixed] = order[i], order[i] = swap;
	}
}

/* The eight, as distances from a middle: next to each other; at the edges of one window; of two; and far. */
static const struct shape {
	int window[PACKETS], more[PACKETS];
} shapes[] = {
	{ { 0, 0, 0, 0, 0, 0, 0, 0 }, { -4, -3, -2, -1, 0, 1, 2, 3 } },
	{ { -1, -1, -1, 0, 0, 1, 1, 1 }, { -1, 0, 1, 0, 1, -1, 0, 1 } },
	{ { -2, -2, -1, -1, 0, 1, 2, 2 }, { 0, 1, -1, 0, 0, 0, -1, 0 } },
	{ { 0, 0, 1, 1, 2, 2, 3, 3 }, { -1, 0, -1, 0, -1, 0, -1, 0 } },
	{ { -1, 0, 0, 0, 1, 50, 50, 51 }, { 0, -1, 0, 1, 0, -1, 0, 0 } },
};
#define SHAPES ((int)(sizeof(shapes) / sizeof(shapes[0])))

static void run(uint32_t size, bool esn, uint64_t middle, uint64_t before)
{
	int i, k;

	ck_assert_uint_le(window_words(size), 4);	/* as many as struct ours has */
	for (k = 0; k < SHAPES; k++) {
		struct setting s = { .size = size, .esn = esn, .before = before };
		int order[PACKETS] = { 0, 1, 2, 3, 4, 5, 6, 7 };

		for (i = 0; i < PACKETS; i++)
			s.packet[i] = middle + (uint64_t)((int64_t)shapes[k].window[i] * size + shapes[k].more[i]);
		orders(&s, order, 0);
		ck_assert_uint_eq(s.orders, 40320);
		ck_assert_uint_gt(s.taken, 40320);	/* something was there to be told apart, */
		ck_assert_uint_lt(s.taken, 40320 * 4 * PACKETS);	/* and something was refused */
	}
}

static const uint32_t sizes[] = { 32, 64 };

/* From nothing; with numbers that are 0 or would be below it left out by starting at 2 W + 1. */
START_TEST(from_nothing)
{
	run(sizes[_i], true, 2 * sizes[_i] + 4, 0);
	run(sizes[_i], false, 2 * sizes[_i] + 4, 0);
}
END_TEST

START_TEST(in_the_middle)
{
	run(sizes[_i], true, 1000000, 1000000 - 3);
	run(sizes[_i], false, 1000000, 1000000 - 3);
}
END_TEST

/* The subspace ends inside the eight, right before, right behind. */
START_TEST(around_two_to_32)
{
	const int64_t at[] = { -33, -1, 0, 1, 31, 64 };
	size_t i;

	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		run(sizes[_i], true, TWO32 + (uint64_t)at[i], TWO32 - 200);
		run(sizes[_i], true, 7 * TWO32 + (uint64_t)at[i], 7 * TWO32 + (uint64_t)at[i] - 2);
	}
}
END_TEST

/* Without ESN nothing comes after 2^32 - 1. */
START_TEST(before_the_end)
{
	run(sizes[_i], false, TWO32 - 52 * sizes[_i], TWO32 - 55 * sizes[_i]);
}
END_TEST

int main(void)
{
	const struct {
		const char *name;
		const TTest *test;
	} tests[] = {
		{ "from nothing", from_nothing }, { "in the middle", in_the_middle },
		{ "around 2^32", around_two_to_32 }, { "before the end", before_the_end },
	};
	Suite *suite = suite_create("window orders");
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		TCase *c = tcase_create(tests[i].name);

		tcase_set_timeout(c, 60);
		tcase_add_loop_test(c, tests[i].test, 0, 2);
		suite_add_tcase(suite, c);
	}
	return suite_run(suite);
}
