/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * text.h - lines of output in a buffer of fixed size
 *
 * Replies can hold keys, so they are built in place, in memory that its owner
 * wipes: no stdio buffer, no heap.
 */
#ifndef WORDS_TEXT_H
#define WORDS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *base;
	size_t room;		/* bytes at base, one kept for the NUL */
	size_t used;
	bool is_full;		/* something did not fit and was left out */
};

void text_init(struct text *t, char *base, size_t room);
void text_add(struct text *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void text_add_bytes(struct text *t, const char *bytes, size_t length);
/* Takes back all after `used`: a half entry must not be shown. */
void text_cut(struct text *t, size_t used);

/* One more of a list: behind ", " unless it is the first in `t`. */
void text_list(struct text *t, const char *item);

#endif
