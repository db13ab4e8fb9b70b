/* SPDX-License-Identifier: GPL-2.0 */
/* line.h - an input as a line of words, for the targets of one grammar each */
#ifndef FUZZ_LINE_H
#define FUZZ_LINE_H

#include "tests/fuzz/fuzz.h"
#include "words/text.h"
#include "words/word.h"

struct line {
	char *bytes;
	const char *word[WORD_COUNT_MAX];
	struct words w;
};

/* 0: it is one. The bytes are on the heap, one NUL behind them, so that ASan sees a read beyond. */
static inline int line_begin(struct line *l, const uint8_t *data, size_t size)
{
	int count;

	if (size > WORD_LINE_MAX)
		return -1;
	l->bytes = malloc(size + 1);
	fuzz_check(l->bytes != NULL);
	memcpy(l->bytes, data, size);
	l->bytes[size] = '\0';
	count = word_split(l->bytes, l->word, WORD_COUNT_MAX);
	word_init(&l->w, l->word, count < 0 ? 0 : count);
	if (count >= 0)
		return 0;
	free(l->bytes);
	return -1;
}

static inline void line_end(struct line *l)
{
	free(l->bytes);
}

/* A complaint is there, ends, and is of a kind that `ip xfrm` knows. */
static inline void line_judge_complaint(const struct words *w)
{
	fuzz_check(w->error[0] && memchr(w->error, '\0', sizeof(w->error)) != NULL);
	fuzz_check(w->status == WORD_STATUS_GRAMMAR || w->status == WORD_STATUS_MISSING ||
		   w->status == WORD_STATUS_REFUSED);
}

#endif
