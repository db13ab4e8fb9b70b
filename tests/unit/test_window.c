// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_window.c - replay window and number inference (kmod/window.h)
 *
 * The module's own text, compiled natively: cc -Ikmod tests/unit/test_window.c with Check.
 * Corner cases by hand, then everything at once against a naive model: a set of numbers.
 * WINDOW_SEED in the environment repeats a run; the seed stands in each failure's message.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "window.h"
#include "suite.h"

#define TWO32 (1ull << 32)

__attribute__((noreturn, format(printf, 2, 3)))
static void expect_failed(const char *condition, const char *format, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	ck_abort_msg("%s: %s", condition, text);
}

/* Like ck_assert_msg, for inner loops: silent, and so quick, until it fails. */
#define EXPECT(condition, ...) do {						\
	if (!(condition))							\
		expect_failed(#condition, __VA_ARGS__);				\
} while (0)

static const u32 sizes[] = { 32, 33, 63, 64, 65, 127, 128, 129, 1000, 1024, 4095, 4096 };
#define SIZES ((int)(sizeof(sizes) / sizeof(sizes[0])))

static struct window *window_new(u32 size)
{
	struct window *w = calloc(1, sizeof(*w));

	ck_assert_ptr_nonnull(w);
	w->size = size;
	w->words = window_words(size);
	/* of exactly that size: a sanitizer sees an access beyond it */
	w->bits = calloc(w->words, sizeof(*w->bits));
	ck_assert(!w->words || w->bits);
	return w;
}

static void window_delete(struct window *w)
{
	free(w->bits);
	free(w);
}

/* ---- by hand -------------------------------------------------------------------------- */

START_TEST(test_words)
{
	u32 words = window_words(sizes[_i]);

	ck_assert_uint_eq(words & (words - 1), 0);
	ck_assert_uint_ge(words * WINDOW_WORD, sizes[_i] + WINDOW_WORD);
	ck_assert_uint_lt(words / 2 * WINDOW_WORD, sizes[_i] + WINDOW_WORD);
}
END_TEST

START_TEST(test_first)
{
	struct window *w = window_new(sizes[_i]);

	ck_assert(!window_check(w, 0));
	ck_assert(!window_accept(w, 0));
	ck_assert_uint_eq(w->top, 0);
	ck_assert(window_accept(w, 1));
	ck_assert_uint_eq(w->top, 1);
	ck_assert(!window_check(w, 1));
	ck_assert(!window_accept(w, 1));
	window_delete(w);
}
END_TEST

/* The oldest number of a full window is its top - size + 1. */
START_TEST(test_left_edge)
{
	u32 size = sizes[_i];
	struct window *w = window_new(size);
	u64 top = 100000;

	ck_assert(window_accept(w, top));
	ck_assert(!window_check(w, top - size));
	ck_assert(window_check(w, top - size + 1));
	ck_assert(window_accept(w, top - size + 1));
	ck_assert(!window_accept(w, top - size + 1));
	ck_assert(window_accept(w, top - 1));
	ck_assert(!window_accept(w, top));
	window_delete(w);
}
END_TEST

/* Every number of a window, backwards, is accepted once. */
START_TEST(test_backwards)
{
	u32 size = sizes[_i], i;
	struct window *w = window_new(size);
	u64 top = 3 * 4096 + 17;

	for (i = 0; i < size; i++)
		EXPECT(window_accept(w, top - i), "size %u: top - %u", size, i);
	for (i = 0; i < size + 10; i++)
		EXPECT(!window_accept(w, top - i), "size %u: top - %u again", size, i);
	window_delete(w);
}
END_TEST

/* Moves by `step` from a full window: what stays in it is still seen, the rest is new. */
static void shift(u32 size, u64 from, u64 step)
{
	struct window *w = window_new(size);
	u64 n, top = from + step;

	for (n = from - size + 1; n <= from; n++)
		EXPECT(window_accept(w, n), "%llu", n);
	ck_assert(window_accept(w, top));
	for (n = top - size + 1; n < top; n++)
		EXPECT(window_check(w, n) == (n > from), "size %u from %llu step %llu: %llu", size,
		       from, step, n);
	ck_assert(!window_check(w, top - size));
	ck_assert(!window_check(w, top));
	window_delete(w);
}

START_TEST(test_shift)
{
	u32 size = sizes[_i], span = window_words(size) * WINDOW_WORD;
	const u64 steps[] = {
		1, 2, WINDOW_WORD - 1, WINDOW_WORD, WINDOW_WORD + 1, size - 1, size, size + 1,
		span - WINDOW_WORD, span - 1, span, span + 1, 2 * span, TWO32, TWO32 * 4096,
	};
	const u64 from[] = { 8191, 8192, 8193, 8192 + 63, TWO32 - 1, TWO32, TWO32 + 1 };
	size_t i, k;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		for (k = 0; k < sizeof(from) / sizeof(from[0]); k++)
			shift(size, from[k], steps[i]);
}
END_TEST

/* The far end: the last number there is. */
START_TEST(test_last)
{
	struct window *w = window_new(sizes[_i]);

	ck_assert(window_accept(w, UINT64_MAX - 1));
	ck_assert(window_accept(w, UINT64_MAX));
	ck_assert(!window_accept(w, UINT64_MAX));
	ck_assert(window_accept(w, UINT64_MAX - sizes[_i] + 1));
	ck_assert(!window_check(w, UINT64_MAX - sizes[_i]));
	ck_assert(!window_check(w, 1));
	window_delete(w);
}
END_TEST

/* Without ESN the wire number is the number: after 2^32 - 1 everything is old. */
START_TEST(test_wrap_without_esn)
{
	struct window *w = window_new(sizes[_i]);
	u32 wire;

	ck_assert(window_accept(w, UINT32_MAX));
	for (wire = 0; wire < 2 * sizes[_i]; wire++)
		EXPECT(!window_check(w, wire), "%u", wire);
	window_delete(w);
}
END_TEST

/* With it they go on above, and stragglers from below the wrap still find their half. */
START_TEST(test_wrap_with_esn)
{
	u32 size = sizes[_i], i;
	struct window *w = window_new(size);
	u64 n;

	for (n = TWO32 - 2 * size; n < TWO32 + 2 * size; n++) {
		if (n % 7 == 3)
			continue;
		EXPECT(window_infer(w, (u32)n) == n, "size %u: %#llx", size, n);
		EXPECT(window_accept(w, n), "size %u: %#llx", size, n);
		for (i = 1; i < size; i++)
			EXPECT(window_infer(w, (u32)(n - i)) == n - i, "size %u: %#llx - %u", size,
			       n, i);
	}
	for (n = w->top - size + 1; n <= w->top; n++)
		EXPECT(window_check(w, window_infer(w, (u32)n)) == (n % 7 == 3), "size %u: %#llx",
		       size, n);
	window_delete(w);
}
END_TEST

START_TEST(test_fill)
{
	u32 size = sizes[_i];
	u64 top, n;

	for (top = 5 * 4096; top < 5 * 4096 + 130; top++) {
		struct window *w = window_new(size);

		window_fill(w, top);
		ck_assert_uint_eq(w->top, top);
		for (n = top - size - 1; n <= top; n++)
			EXPECT(!window_check(w, n), "size %u top %llu: %llu", size, top, n);
		ck_assert(window_accept(w, top + 2));
		ck_assert(window_accept(w, top + 1));
		ck_assert(!window_check(w, top));
		ck_assert(window_accept(w, top + 200));
		ck_assert(!window_check(w, top + 2));
		ck_assert(window_check(w, top + 201));
		window_delete(w);
	}
}
END_TEST

/* Below its own size a filled window knows every number there is. */
START_TEST(test_fill_small)
{
	struct window *w = window_new(sizes[_i]);

	window_fill(w, 5);
	for (u64 n = 0; n <= 5; n++)
		ck_assert(!window_check(w, n));
	ck_assert(window_accept(w, 6));
	ck_assert(!window_check(w, 5));
	window_delete(w);
}
END_TEST

START_TEST(test_inherit)
{
	u32 size = sizes[_i], k;
	u64 n, top = 3 * 4096 + 5;

	for (k = 0; k < (u32)SIZES; k++) {
		struct window *from = window_new(sizes[k]), *to = window_new(size);

		for (n = 1; n <= top; n++)
			if (n % 3)
				window_accept(from, n);
		window_inherit(to, from);
		ck_assert_uint_eq(to->top, from->top);
		for (n = to->top - size + 1; n <= to->top; n++)
			EXPECT(window_check(to, n) == window_check(from, n), "%u from %u: %llu",
			       size, sizes[k], n);
		ck_assert(!window_check(to, to->top - size));
		ck_assert(window_accept(to, to->top + 1));
		window_delete(from);
		window_delete(to);
	}
}
END_TEST

/* From no window: nothing is known, so nothing comes twice. And back to none. */
START_TEST(test_no_window)
{
	struct window *none = window_new(0), *w = window_new(sizes[_i]);
	u64 n;

	ck_assert_uint_eq(none->words, 0);
	for (n = 0; n < 50; n++) {
		ck_assert(window_accept(none, n));
		ck_assert(window_accept(none, n));
	}
	ck_assert(window_accept(none, 3));
	ck_assert_uint_eq(none->top, 49);
	window_inherit(w, none);
	for (n = 0; n <= 49; n++)
		ck_assert(!window_check(w, n));
	ck_assert(window_accept(w, 50));
	window_fill(none, 0);
	window_inherit(none, w);
	ck_assert_uint_eq(none->top, 50);
	window_fill(none, 60);
	ck_assert_uint_eq(none->top, 60);
	window_delete(none);
	window_delete(w);
}
END_TEST

/* ---- RFC 4303 appendix A2: both cases, at each edge ------------------------------------- */

static void infer(u32 size, u64 top, u32 wire, u64 want)
{
	struct window w = { .top = top, .size = size };
	u64 got = window_infer(&w, wire);

	ck_assert_msg(got == want, "size %u top %#llx wire %#x: %#llx not %#llx",
		      size, top, wire, got, want);
}

/* Case A: the window lies in one half. Below its bottom, low numbers are the next half's. */
START_TEST(test_infer_case_a)
{
	u32 size = sizes[_i], low = 0x10000;
	u64 high = 5 * TWO32, top = high + low;

	infer(size, top, low, top);
	infer(size, top, low + 1, top + 1);
	infer(size, top, UINT32_MAX, high + UINT32_MAX);
	infer(size, top, low - size + 1, top - size + 1);
	infer(size, top, low - size, high + TWO32 + low - size);
	infer(size, top, 0, high + TWO32);
	/* the least top of case A: its window's bottom is 0 */
	infer(size, high + size - 1, 0, high);
	infer(size, high + size - 1, UINT32_MAX, high + UINT32_MAX);
	infer(size, high + UINT32_MAX, UINT32_MAX, high + UINT32_MAX);
	infer(size, high + UINT32_MAX, 0, high + TWO32);
}
END_TEST

/* Case B: the window spans two halves. From its bottom up, high numbers are the lower's. */
START_TEST(test_infer_case_b)
{
	u32 size = sizes[_i];
	u64 high = 5 * TWO32, top = high;

	infer(size, top, 0, top);
	infer(size, top, 1, top + 1);
	infer(size, top, UINT32_MAX, high - 1);
	infer(size, top, (u32)(0 - (size - 1)), top - size + 1);
	infer(size, top, (u32)(0 - size), high + TWO32 - size);
	/* the greatest top of case B */
	top = high + size - 2;
	infer(size, top, UINT32_MAX, high - 1);
	infer(size, top, UINT32_MAX - 1, high + UINT32_MAX - 1);
	infer(size, top, 0, high);
}
END_TEST

/* Before 2^32 there is no lower half: a first number, however high, is meant as it is. */
START_TEST(test_infer_first_half)
{
	u32 size = sizes[_i];

	infer(size, 0, 1, 1);
	infer(size, 0, UINT32_MAX, UINT32_MAX);
	infer(size, 3, UINT32_MAX, UINT32_MAX);
	infer(size, 3, 2, 2);
}
END_TEST

/* At the end of all numbers the next half wraps, and the window refuses it. */
START_TEST(test_infer_last_half)
{
	struct window *w = window_new(sizes[_i]);
	u64 n;

	ck_assert(window_accept(w, UINT64_MAX));
	n = window_infer(w, 5);
	ck_assert_uint_eq(n, 5);
	ck_assert(!window_check(w, n));
	window_delete(w);
}
END_TEST

/* ---- against a naive model ---------------------------------------------------------------- */

static u64 random_state, random_seed;

static u64 random_next(void)		/* splitmix64 */
{
	u64 z = (random_state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

#define MODEL_SEEN 16384		/* more than any window and any run of small steps */

struct model {				/* the last numbers accepted, in no order */
	u64 top;
	u32 size;
	u64 seen[MODEL_SEEN];
	u32 count;
};

static bool model_accept(struct model *m, u64 number)
{
	u32 i;

	if (!number || (number <= m->top && m->top - number >= m->size))
		return false;
	for (i = 0; i < m->count; i++)
		if (m->seen[i] == number)
			return false;
	if (number > m->top)
		m->top = number;
	for (i = 0; i < m->count; )	/* forget what left the window */
		if (m->top - m->seen[i] >= m->size)
			m->seen[i] = m->seen[--m->count];
		else
			i++;
	m->seen[m->count++] = number;
	EXPECT(m->count < MODEL_SEEN, "%u", m->count);
	return true;
}

static u64 model_infer(const struct model *m, u32 wire)
{
	u64 bottom = m->top >= m->size - 1 ? m->top - (m->size - 1) : 0;
	u64 n = (bottom & ~(u64)UINT32_MAX) | wire;

	return n < bottom ? n + TWO32 : n;	/* the least one not left of the window */
}

/* A number somewhere around the top: mostly near it, some far ahead, some long gone. */
static u64 random_number(const struct model *m)
{
	u64 r = random_next(), by = random_next();

	switch (r % 16) {
	case 0: case 1: case 2: case 3: case 4: case 5:
		return m->top + 1 + by % 3;
	case 6: case 7: case 8:
		return m->top > m->size ? m->top - by % m->size : by % (m->top + 2);
	case 9:
		return m->top > 2 * m->size ? m->top - by % (2 * m->size) : 0;
	case 10:
		return m->top + by % 200;
	case 11:
		return m->top + by % (2 * m->size);
	case 12:
		return m->top - (m->top >= m->size ? m->size : 0);
	case 13:
		return m->top >= m->size - 1 ? m->top - (m->size - 1) : m->top;
	case 14:
		return by % 64 ? m->top : m->top + 3 * m->size + by % 100000;
	default:
		return by % 256 ? m->top + 1 : m->top + (by >> 40) * 997;
	}
}

static void model_run(u32 size, u64 from, bool esn, int steps)
{
	struct model *m = calloc(1, sizeof(*m));
	struct window *w = window_new(size);
	u64 number, inferred;
	int i;

	m->size = size;
	m->top = from;
	w->top = from;			/* as if nothing near it was ever seen */
	for (i = 0; i < steps; i++) {
		number = random_number(m);
		if (esn) {
			inferred = window_infer(w, (u32)number);
			EXPECT(inferred == model_infer(m, (u32)number),
			       "seed %llu size %u step %d", random_seed, size, i);
			number = inferred;
		} else {
			number = (u32)number;
		}
		EXPECT(window_accept(w, number) == model_accept(m, number),
		       "seed %llu size %u step %d number %#llx", random_seed, size, i, number);
		EXPECT(w->top == m->top, "seed %llu size %u step %d", random_seed, size, i);
	}
	window_delete(w);
	free(m);
}

START_TEST(test_model)
{
	const u64 from[] = { 0, 1, 4096, TWO32 - 4500, 7 * TWO32 - 4500, 7 * TWO32 };
	size_t i;

	for (i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
		model_run(sizes[_i], from[i], true, 4000);
		if (from[i] < TWO32)
			model_run(sizes[_i], from[i], false, 4000);
	}
}
END_TEST

static Suite *window_suite(void)
{
	const struct {
		const char *name;
		const TTest *test;
	} tests[] = {
		{ "words", test_words }, { "first", test_first }, { "left edge", test_left_edge },
		{ "backwards", test_backwards }, { "shift", test_shift }, { "last", test_last },
		{ "wrap without ESN", test_wrap_without_esn },
		{ "wrap with ESN", test_wrap_with_esn }, { "fill", test_fill },
		{ "fill small", test_fill_small }, { "inherit", test_inherit },
		{ "no window", test_no_window }, { "infer, case A", test_infer_case_a },
		{ "infer, case B", test_infer_case_b },
		{ "infer, first half", test_infer_first_half },
		{ "infer, last half", test_infer_last_half }, { "model", test_model },
	};
	Suite *s = suite_create("window");
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		TCase *t = tcase_create(tests[i].name);

		tcase_set_timeout(t, 60);
		tcase_add_loop_test(t, tests[i].test, 0, SIZES);
		suite_add_tcase(s, t);
	}
	return s;
}

int main(void)
{
	const char *seed = getenv("WINDOW_SEED");

	random_seed = seed ? strtoull(seed, NULL, 0) : (u64)time(NULL);
	random_state = random_seed;
	return suite_run(window_suite());
}
