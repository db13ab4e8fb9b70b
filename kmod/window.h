/* SPDX-License-Identifier: GPL-2.0 */
/*
 * window.h - replay window and number inference (RFC 4303 3.4.3, appendix A)
 *
 * Pure arithmetic on 64-bit numbers, no locks, no allocation: the same text is
 * compiled into the module and into its unit test. The window is `size` packets wide and
 * ends at `top`, the highest number seen; bit n % bits says whether n was.
 *
 * The bitmap has one word more than the window needs. So a word that `top` enters holds
 * nothing that is still in the window, and is emptied whole (RFC 6479).
 */
#ifndef IPSP_WINDOW_H
#define IPSP_WINDOW_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/string.h>
#else
#include <linux/types.h>
#include <string.h>
typedef __u32 u32;
typedef __u64 u64;
#endif

#define WINDOW_WORD 64u

struct window {
	u64 top;		/* highest number accepted; 0: none yet */
	u32 size;		/* packets; 0: nothing is refused, only top is kept */
	u32 words;		/* window_words(size) */
	u64 *bits;		/* words of them */
};

/* A power of two, with words * 64 >= size + 64; none for no window. */
static inline u32 window_words(u32 size)
{
	u32 words = 2;

	while (words * WINDOW_WORD < size + WINDOW_WORD)
		words *= 2;
	return size ? words : 0;
}

static inline u64 *window_word(const struct window *w, u64 number)
{
	return &w->bits[(number / WINDOW_WORD) & (w->words - 1)];
}

static inline u64 window_bit(u64 number)
{
	return 1ull << (number % WINDOW_WORD);
}

/* May a packet of this number still be accepted? No sender uses 0. */
static inline int window_check(const struct window *w, u64 number)
{
	if (!w->size)
		return 1;
	if (!number)
		return 0;
	if (number > w->top)
		return 1;
	if (w->top - number >= w->size)
		return 0;
	return !(*window_word(w, number) & window_bit(number));
}

/* Empties the words between the old top and the new one. */
static inline void window_advance(struct window *w, u64 number)
{
	u64 word = w->top / WINDOW_WORD, last = number / WINDOW_WORD;

	if (last - word >= w->words)
		memset(w->bits, 0, w->words * sizeof(*w->bits));
	else
		while (word++ < last)
			w->bits[word & (w->words - 1)] = 0;
	w->top = number;
}

/* Checks and sets. */
static inline int window_accept(struct window *w, u64 number)
{
	if (!window_check(w, number))
		return 0;
	if (!w->size) {
		w->top = number > w->top ? number : w->top;
		return 1;
	}
	if (number > w->top)
		window_advance(w, number);
	*window_word(w, number) |= window_bit(number);
	return 1;
}

/* All numbers up to top count as seen: after a tombstone. */
static inline void window_fill(struct window *w, u64 top)
{
	w->top = top;
	if (!w->size)
		return;
	memset(w->bits, 0xff, w->words * sizeof(*w->bits));
	/* numbers above top in top's own word are not seen yet */
	*window_word(w, top) &= window_bit(top) | (window_bit(top) - 1);
}

/*
 * An empty window takes over what another of any size has seen; what that one no longer
 * knows counts as seen.
 */
static inline void window_inherit(struct window *w, const struct window *from)
{
	u64 number = from->top;

	w->top = from->top;
	for (; number && w->top - number < w->size; number--)
		if (!from->size || !window_check(from, number))
			*window_word(w, number) |= window_bit(number);
}

/*
 * The 64-bit number of which `wire` is the low half (appendix A2.1): the one in the
 * window or within 2^32 above its bottom. Below 2^32 there is no half to go back to.
 * There must be a window.
 */
static inline u64 window_infer(const struct window *w, u32 wire)
{
	u32 top_low = (u32)w->top, top_high = (u32)(w->top >> 32);
	u32 bottom = top_low - (w->size - 1);

	if (top_low >= w->size - 1) {
		if (wire < bottom)
			top_high++;
	} else {
		if (wire >= bottom && top_high)
			top_high--;
	}
	return (u64)top_high << 32 | wire;
}

#endif
