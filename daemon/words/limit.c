// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "limit.h"

static const struct limit_word {
	const char *name;
	size_t at;			/* in struct limit */
	uint64_t most;
} limit_words[] = {
	{ "time-soft", offsetof(struct limit, add[LIMIT_SOFT]), LIMIT_SECONDS_MAX },
	{ "time-hard", offsetof(struct limit, add[LIMIT_HARD]), LIMIT_SECONDS_MAX },
	{ "time-use-soft", offsetof(struct limit, use[LIMIT_SOFT]), LIMIT_SECONDS_MAX },
	{ "time-use-hard", offsetof(struct limit, use[LIMIT_HARD]), LIMIT_SECONDS_MAX },
	{ "byte-soft", offsetof(struct limit, bytes[LIMIT_SOFT]), UINT64_MAX },
	{ "byte-hard", offsetof(struct limit, bytes[LIMIT_HARD]), UINT64_MAX },
	{ "packet-soft", offsetof(struct limit, packets[LIMIT_SOFT]), UINT64_MAX },
	{ "packet-hard", offsetof(struct limit, packets[LIMIT_HARD]), UINT64_MAX },
};

#define LIMIT_WORDS (sizeof(limit_words) / sizeof(limit_words[0]))

static int limit_unknown(struct words *w, const char *seen)
{
	char list[160];
	struct text t;
	size_t i;

	text_init(&t, list, sizeof(list));
	for (i = 0; i < LIMIT_WORDS; i++)
		text_list(&t, limit_words[i].name);
	return word_bad(w, "limit", seen, list);
}

/* The largest number is XFRM's word for none. */
int limit_take(struct words *w, struct limit *limit)
{
	const struct limit_word *row = limit_words;
	uint64_t *value;
	const char *word;
	char name[32];

	if (word_value(w, "limit", &word))
		return -EINVAL;
	while (row < limit_words + LIMIT_WORDS && strcmp(row->name, word))
		row++;
	if (row == limit_words + LIMIT_WORDS)
		return limit_unknown(w, word);
	value = (uint64_t *)((char *)limit + row->at);
	snprintf(name, sizeof(name), "limit %s", row->name);
	if (*value)
		return word_fail(w, WORD_STATUS_GRAMMAR, "%s: given twice; allowed: once", name);
	if (word_number(w, name, 1, row->most, value))
		return -EINVAL;
	if (*value == UINT64_MAX)
		*value = 0;
	return 0;
}

bool limit_is_none(const struct limit *limit)
{
	static const struct limit none;

	return !memcmp(limit, &none, sizeof(none));
}

static void limit_text_count(struct text *t, uint64_t limit, const char *unit)
{
	if (limit)
		text_add(t, "%" PRIu64 "(%s)", limit, unit);
	else
		text_add(t, "(INF)(%s)", unit);
}

static void limit_text_counts(struct text *t, const uint64_t limit[2], const char *unit)
{
	text_add(t, "limit: soft ");
	limit_text_count(t, limit[LIMIT_SOFT], unit);
	text_add(t, ", hard ");
	limit_text_count(t, limit[LIMIT_HARD], unit);
	text_add(t, "\n");
}

static void limit_text_seconds(struct text *t, const uint64_t limit[2], const char *what)
{
	text_add(t, "expire %s: soft %" PRIu64 "(sec), hard %" PRIu64 "(sec)\n", what, limit[LIMIT_SOFT],
		 limit[LIMIT_HARD]);
}

void limit_text(struct text *t, const struct limit *limit, const char *indent)
{
	text_add(t, "%s", indent);
	limit_text_counts(t, limit->bytes, "bytes");
	text_add(t, "%s", indent);
	limit_text_counts(t, limit->packets, "packets");
	text_add(t, "%s", indent);
	limit_text_seconds(t, limit->add, "add");
	text_add(t, "%s", indent);
	limit_text_seconds(t, limit->use, "use");
}
