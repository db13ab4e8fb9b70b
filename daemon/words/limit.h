/* SPDX-License-Identifier: GPL-2.0-only */
/* limit.h - the lifetimes of an SA: `limit` of `ip xfrm state` */
#ifndef WORDS_LIMIT_H
#define WORDS_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"
#include "word.h"

#define LIMIT_SOFT	0
#define LIMIT_HARD	1
#define LIMIT_SECONDS_MAX (100ull * 365 * 24 * 3600)

/* [LIMIT_SOFT], [LIMIT_HARD]; 0: none. It lies in the manager's database: no holes. */
struct limit {
	uint64_t bytes[2], packets[2];
	uint64_t add[2], use[2];	/* seconds since it was added, since its first use */
};

/* byte-soft N, time-use-hard N ...: what follows the word `limit`. */
int limit_take(struct words *w, struct limit *limit);
bool limit_is_none(const struct limit *limit);
/* As `ip -s xfrm state` shows it, each line behind `indent`. */
void limit_text(struct text *t, const struct limit *limit, const char *indent);

#endif
