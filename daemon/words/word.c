/* SPDX-License-Identifier: GPL-2.0-only */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "word.h"

void word_init(struct words *w, const char *const *word, int count)
{
	memset(w, 0, sizeof(*w));
	w->word = word;
	w->count = count;
}

/* One word, its quotes taken off; returns where the rest begins, NULL: no end quote. */
static char *split_one(char *at, const char **word)
{
	char quote = *at == '"' || *at == '\'' ? *at : '\0';

	if (quote) {
		*word = ++at;
		at = strchr(at, quote);
		if (!at)
			return NULL;
	} else {
		*word = at;
		while (*at && !isspace((unsigned char)*at))
			at++;
	}
	if (*at)
		*at++ = '\0';
	return at;
}

int word_split(char *line, const char **word, int room)
{
	int count = 0;

	for (;;) {
		while (isspace((unsigned char)*line))
			line++;
		if (!*line || *line == '#')
			return count;
		if (count == room)
			return -E2BIG;
		line = split_one(line, &word[count++]);
		if (!line)
			return -EINVAL;
	}
}

/* Without quotes it would come back whole. */
static bool word_is_plain(const char *word)
{
	if (!*word || *word == '#' || *word == '"' || *word == '\'')
		return false;
	while (*word)
		if (isspace((unsigned char)*word++))
			return false;
	return true;
}

void word_say(struct text *t, const char *word)
{
	const char *quote = word_is_plain(word) ? "" : strchr(word, '"') ? "'" : "\"";

	text_add(t, "%s%s%s", quote, word, quote);
}

const char *word_peek(const struct words *w)
{
	return w->at < w->count ? w->word[w->at] : NULL;
}

const char *word_next(struct words *w)
{
	return w->at < w->count ? w->word[w->at++] : NULL;
}

bool word_take(struct words *w, const char *name)
{
	const char *next = word_peek(w);

	if (!next || strcmp(next, name))
		return false;
	w->at++;
	return true;
}

int word_fail(struct words *w, int status, const char *format, ...)
{
	va_list list;

	w->status = status;
	va_start(list, format);
	vsnprintf(w->error, sizeof(w->error), format, list);
	va_end(list);
	return -EINVAL;
}

/* What is as long as a key may be one that stands in the wrong place. */
const char *word_shown(const char *seen)
{
	size_t digits = strspn(seen + strspn(seen, "@="), "0123456789abcdefABCDEFxX");

	return digits >= 20 ? "(not shown: it may be a key)" : seen;
}

int word_bad(struct words *w, const char *name, const char *seen, const char *allowed)
{
	return word_fail(w, WORD_STATUS_GRAMMAR, "%s \"%.100s\": allowed: %s", name,
			 word_shown(seen), allowed);
}

int word_not_served(struct words *w, const char *name, const char *seen,
		    const char *allowed)
{
	return word_fail(w, WORD_STATUS_REFUSED, "%s \"%.100s\": not served yet; allowed: %s",
			 name, word_shown(seen), allowed);
}

int word_value(struct words *w, const char *name, const char **value)
{
	*value = word_next(w);
	if (*value)
		return 0;
	return word_fail(w, WORD_STATUS_GRAMMAR,
			 "%s: the line ends here; allowed: a value after it", name);
}

int word_text(struct words *w, const char *name, const char *what, char *text, size_t size)
{
	const char *value;
	char allowed[80];

	if (word_value(w, name, &value))
		return -EINVAL;
	if (*value && strlen(value) < size) {
		strcpy(text, value);
		return 0;
	}
	snprintf(allowed, sizeof(allowed), "%s of 1 to %zu bytes", what, size - 1);
	return word_bad(w, name, value, allowed);
}

bool word_is_number(const char *text, uint64_t most, uint64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoull(text, &end, 0);
	return !errno && !*end && *number <= most;
}

int word_number(struct words *w, const char *name, uint64_t least, uint64_t most,
		uint64_t *number)
{
	const char *value;
	char allowed[80];

	if (word_value(w, name, &value))
		return -EINVAL;
	if (word_is_number(value, most, number) && *number >= least)
		return 0;
	snprintf(allowed, sizeof(allowed), "a number from %llu to %llu",
		 (unsigned long long)least, (unsigned long long)most);
	return word_bad(w, name, value, allowed);
}

int word_number32(struct words *w, const char *name, uint32_t least, uint32_t most,
		  uint32_t *number)
{
	uint64_t wide;

	if (word_number(w, name, least, most, &wide))
		return -EINVAL;
	*number = (uint32_t)wide;
	return 0;
}

static void list_choices(char *list, size_t room, const struct word_choice *choice,
			 size_t count)
{
	struct text t;
	size_t i;

	text_init(&t, list, room);
	for (i = 0; i < count; i++)
		if (choice[i].is_served)
			text_list(&t, choice[i].name);
}

void word_show_no_key(char *part, size_t room, const char *seen)
{
	const size_t longest_number = sizeof("0xffffffffffffffff") - 1;
	const char *digits = strstr(seen, "0x");

	if (digits && strlen(digits) > longest_number)
		snprintf(part, room, "%.*s...", (int)(digits - seen), seen);
	else
		snprintf(part, room, "%s", seen);
}

int word_pick(struct words *w, const char *name, const struct word_choice *choice,
	      size_t count, uint32_t *value)
{
	const char *seen;
	char list[256];
	size_t i;

	if (word_value(w, name, &seen))
		return -EINVAL;
	list_choices(list, sizeof(list), choice, count);
	for (i = 0; i < count; i++) {
		if (strcmp(seen, choice[i].name))
			continue;
		if (!choice[i].is_served)
			return word_not_served(w, name, seen, list);
		*value = choice[i].value;
		return 0;
	}
	return word_bad(w, name, seen, list);
}

/* The number in front of `end`, or the whole word; what is longer than any number is none, not its first digits. */
static bool word_is_first_number(const char *text, const char *end, uint64_t most, uint64_t *number)
{
	size_t length = end ? (size_t)(end - text) : strlen(text);
	char part[32];

	if (length >= sizeof(part))
		return false;
	memcpy(part, text, length);
	part[length] = '\0';
	return word_is_number(part, most, number);
}

int word_range(struct words *w, const char *name, uint16_t *first, uint16_t *last)
{
	const char *value, *dash;
	uint64_t low, high;

	if (word_value(w, name, &value))
		return -EINVAL;
	dash = strchr(value, '-');
	if (!word_is_first_number(value, dash, 65535, &low) ||
	    !word_is_number(dash ? dash + 1 : value, 65535, &high) || low > high)
		return word_bad(w, name, value, "N or N-M, each from 0 to 65535, N <= M");
	*first = (uint16_t)low;
	*last = (uint16_t)high;
	return 0;
}

int word_mark(struct words *w, const char *name, uint32_t *mark, uint32_t *mask)
{
	const char *value, *slash;
	uint64_t bits, most = UINT32_MAX;

	if (word_value(w, name, &value))
		return -EINVAL;
	slash = strchr(value, '/');
	if (!word_is_first_number(value, slash, UINT32_MAX, &bits) ||
	    (slash && !word_is_number(slash + 1, UINT32_MAX, &most)))
		return word_bad(w, name, value, "M or M/MASK, each of 32 bits");
	if (bits & ~most)
		return word_bad(w, name, value, "a mark without bits outside its mask");
	*mark = (uint32_t)bits;
	*mask = (uint32_t)most;
	return 0;
}

/* `name` or, for a word that may come again, `name*`. */
static bool entry_matches(const struct word_entry *entry, const char *word)
{
	size_t length = strcspn(entry->name, "*");

	return !strncmp(entry->name, word, length) && !word[length];
}

static int entry_find(const struct word_entry *table, size_t count, const char *word)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (entry_matches(&table[i], word))
			return (int)i;
	return -1;
}

static int word_unknown(struct words *w, const struct word_entry *table, size_t count)
{
	char list[WORD_ERROR_MAX - 100];
	struct text t;
	size_t i;

	text_init(&t, list, sizeof(list));
	for (i = 0; i < count; i++)
		text_add(&t, "%s%.*s", i ? ", " : "", (int)strcspn(table[i].name, "*"),
			 table[i].name);
	return word_fail(w, WORD_STATUS_GRAMMAR, "\"%.60s\": unknown word; allowed: %s",
			 word_shown(word_peek(w)), list);
}

static int run(struct words *w, const struct word_entry *table, size_t count,
	       void *target, bool is_nested)
{
	uint64_t seen = 0;
	const char *word;

	while ((word = word_peek(w))) {
		int i = entry_find(table, count, word);

		if (i < 0)
			return is_nested ? 0 : word_unknown(w, table, count);
		if (seen & (1ull << i))
			return word_fail(w, WORD_STATUS_GRAMMAR,
					 "%s: given twice; allowed: once", word);
		if (!strchr(table[i].name, '*'))
			seen |= 1ull << i;
		w->at++;
		if (table[i].take(w, word, target))
			return -EINVAL;
	}
	return 0;
}

int word_run(struct words *w, const struct word_entry *table, size_t count, void *target)
{
	return run(w, table, count, target, false);
}

int word_run_nested(struct words *w, const struct word_entry *table, size_t count,
		    void *target)
{
	return run(w, table, count, target, true);
}
