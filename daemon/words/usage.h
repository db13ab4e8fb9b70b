/* SPDX-License-Identifier: GPL-2.0-only */
/* usage.h - an SA with what became of it, as `ip -s xfrm state` shows it */
#ifndef WORDS_USAGE_H
#define WORDS_USAGE_H

#include "state.h"

/*
 * `h`: what the kernel tells of it; `added`: ns, CLOCK_REALTIME. But for what XFRM alone has (the bitmap of a replay
 * window) the lines are those of `ip -s xfrm state`; those that only we have come last, see usage_text_ours().
 */
void usage_text(struct text *t, const struct state_line *line, const struct ipsp_handle *h, uint64_t added, bool keys);
/* dir D engine E dropped N [lastused T] */
void usage_text_ours(struct text *t, const struct state_line *line, const struct ipsp_handle *h, const char *engine);

#endif
