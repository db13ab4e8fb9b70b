/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * word.h - a command as a row of words, and the one line that says what is wrong
 *
 * A grammar is a table of words; word_run() walks the row and calls the function
 * of each word, which takes the values that follow. Every function returns 0 or
 * a negative errno and leaves the first complaint in `error`: the word, what was
 * seen, what is allowed. Key material never gets into a complaint.
 */
#ifndef WORDS_WORD_H
#define WORDS_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

#define WORD_ERROR_MAX	512
#define WORD_LINE_MAX	4096
#define WORD_COUNT_MAX	256

/* The exit statuses of `ip xfrm`. */
#define WORD_STATUS_GRAMMAR	255	/* a word is wrong */
#define WORD_STATUS_MISSING	1	/* a word is missing */
#define WORD_STATUS_REFUSED	2	/* understood, not done */

struct words {
	const char *const *word;
	int count;
	int at;
	bool is_request;		/* of somebody else: @=TEXT is what he read from a file, and none is opened */
	int status;			/* of the complaint */
	char error[WORD_ERROR_MAX];
};

struct word_entry {
	const char *name;
	int (*take)(struct words *w, const char *name, void *target);
};

struct word_choice {
	const char *name;
	uint32_t value;
	bool is_served;
};

void word_init(struct words *w, const char *const *word, int count);

/* Cuts a line in place; "quoted words" may hold blanks, # starts a comment. */
int word_split(char *line, const char **word, int room);

/* The other way: one word such that word_split() gives it back. One with both quotes and a blank, which no line can say, is cut apart there. */
void word_say(struct text *t, const char *word);

const char *word_peek(const struct words *w);		/* NULL at the end */
const char *word_next(struct words *w);
bool word_take(struct words *w, const char *name);	/* steps over it if it is next */

int word_fail(struct words *w, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* What may stand in a complaint: not what may be a key in the wrong place. */
const char *word_shown(const char *seen);
/* name "seen": allowed */
int word_bad(struct words *w, const char *name, const char *seen, const char *allowed);
int word_not_served(struct words *w, const char *name, const char *seen,
		    const char *allowed);

/*
 * What was seen where an algorithm's name should be, as far as it may be shown: it may be a key, or a name and a key
 * without the blank between them.
 */
void word_show_no_key(char *part, size_t room, const char *seen);

/* The value after `name`. */
int word_value(struct words *w, const char *name, const char **value);
/* The same into `size` bytes, with its end; `what` it is: "an interface name". */
int word_text(struct words *w, const char *name, const char *what, char *text, size_t size);
int word_number(struct words *w, const char *name, uint64_t least, uint64_t most,
		uint64_t *number);
int word_number32(struct words *w, const char *name, uint32_t least, uint32_t most,
		  uint32_t *number);
int word_pick(struct words *w, const char *name, const struct word_choice *choice,
	      size_t count, uint32_t *value);
/* N[-M] */
int word_range(struct words *w, const char *name, uint16_t *first, uint16_t *last);
/* M[/MASK] */
int word_mark(struct words *w, const char *name, uint32_t *mark, uint32_t *mask);

/* A whole number in C's notation, nothing behind it. */
bool word_is_number(const char *text, uint64_t most, uint64_t *number);

/*
 * Runs the row through a table (at most 64 entries), each word at most once unless
 * its name ends in '*'. _nested returns 0 at the first word that is not in it.
 */
int word_run(struct words *w, const struct word_entry *table, size_t count, void *target);
int word_run_nested(struct words *w, const struct word_entry *table, size_t count,
		    void *target);

#define WORD_TABLE(table) (table), sizeof(table) / sizeof((table)[0])

#endif
