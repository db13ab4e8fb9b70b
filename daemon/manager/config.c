// SPDX-License-Identifier: GPL-2.0-only
/*
 * config.c - a compartment's file: [compartment] word = value; [rules], [policy], [state]
 * hold lines of the grammar
 *
 * Read by our own hand: libinih takes every line apart at the first = or :, and the lines of
 * the last three sections are full of both.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "manager.h"
#include "words/device.h"
#include "words/rule.h"

#define CONFIG_RULES 256

struct config {
	struct manager *m;
	const char *path;
	int line;
	int apply;			/* second reading */
	char section[32];
	struct ipsp_rule rules[CONFIG_RULES];
	__u32 count;
};

static int config_fail(const struct config *c, const struct words *w)
{
	fprintf(stderr, "%s:%d: %s\n", c->path, c->line, w->error);
	return -EINVAL;
}

static int config_rule(struct config *c, struct words *w)
{
	if (c->count == CONFIG_RULES)
		return word_fail(w, WORD_STATUS_REFUSED, "rules: more than %d", CONFIG_RULES);
	return rule_parse(w, &c->rules[c->count]) ? -EINVAL : (int)(c->count++, 0);
}

static int config_policy(struct config *c, struct words *w)
{
	struct ipsp_policy_entry entry;
	int err;

	if (policy_parse(w, &entry))
		return -EINVAL;
	err = policy_add(c->m, &entry, 1);
	return err ? word_fail(w, WORD_STATUS_REFUSED, "policy: %s", strerror(-err)) : 0;
}

/*
 * A key that lives in a file outlives the module and its counters: a number could come
 * again after a reboot, were it not for the key's mark.
 */
static int config_state_line(struct config *c, struct words *w, const struct state_line *line,
			     bool is_fresh)
{
	struct mark_range range;
	int err;

	if (state_weakness(&line->sa))
		fprintf(stderr, "%s:%d: warning: \"%s\" is too weak for new uses\n", c->path, c->line,
			state_weakness(&line->sa));
	if (database_find(c->m, &line->sa))
		return 0;
	err = mark_begin(c->m, &line->sa, is_fresh, line->next, &range) ?:
	      sa_add_kept(c->m, line, &range);
	return err ? mark_fail(w, &line->sa, err) : 0;
}

static int config_state(struct config *c, struct words *w)
{
	bool is_fresh = mark_is_fresh(w) || c->m->options.fresh_key;
	struct state_line line;
	int err;

	if (state_parse(w, &line, false))
		return -EINVAL;
	err = state_direction(w, &line) ?: state_admit(w, &line.sa, &c->m->options) ?:
	      config_state_line(c, w, &line, is_fresh);
	explicit_bzero(&line, sizeof(line));
	return err;
}

static int config_option(struct config *c, struct words *w)
{
	const char *pair[2];
	struct words option;

	if (w->count != 3 || strcmp(w->word[1], "="))
		return word_fail(w, WORD_STATUS_GRAMMAR, "\"%s\": wanted: word = value",
				 w->count ? w->word[0] : "");
	pair[0] = w->word[0];
	pair[1] = w->word[2];
	word_init(&option, pair, 2);
	if (!option_parse(&option, &c->m->options))
		return 0;
	memcpy(w->error, option.error, sizeof(w->error));
	return -EINVAL;
}

static int config_words(struct config *c, struct words *w)
{
	if (!strcmp(c->section, "compartment"))
		return c->apply ? 0 : config_option(c, w);
	if (!c->apply)
		return 0;
	if (!strcmp(c->section, "rules"))
		return config_rule(c, w);
	return !strcmp(c->section, "policy") ? config_policy(c, w) : config_state(c, w);
}

static int config_section(struct config *c, struct words *w, const char *word)
{
	static const char *const names[] = { "[compartment]", "[rules]", "[policy]", "[state]" };
	size_t i;

	for (i = 0; w->count == 1 && i < 4; i++)
		if (!strcmp(word, names[i])) {
			snprintf(c->section, sizeof(c->section), "%.*s", (int)strlen(word) - 2,
				 word + 1);
			return 0;
		}
	return word_bad(w, "section", w->word[w->count - 1],
			"[compartment], [rules], [policy], [state], alone on a line");
}

static int config_line(struct config *c, char *line)
{
	const char *word[WORD_COUNT_MAX];
	int n = *line == ';' ? 0 : word_split(line, word, WORD_COUNT_MAX);
	struct words w;

	word_init(&w, word, n < 0 ? 0 : n);
	if (n < 0)
		word_fail(&w, WORD_STATUS_GRAMMAR, "line: a quote without end, or too many words");
	else if (!n)
		return 0;
	else if (*word[0] == '[' ? !config_section(c, &w, word[0]) :
		 c->section[0] ? !config_words(c, &w) :
		 (word_bad(&w, "line", word[0], "a [section] first"), 0))
		return 0;
	return config_fail(c, &w);
}

/* What fgets() cut would be read as two lines. */
static int config_whole(const struct config *c, FILE *file, const char *line)
{
	if (strchr(line, '\n') || feof(file))
		return 0;
	fprintf(stderr, "%s:%d: line: longer than %d bytes, or with a NUL\n", c->path, c->line,
		WORD_LINE_MAX - 2);
	return -EINVAL;
}

static int config_read(struct config *c)
{
	FILE *file = fopen(c->path, "re");
	char line[WORD_LINE_MAX];
	int err = 0;

	if (!file) {
		fprintf(stderr, "%s: %s\n", c->path, strerror(errno));
		return -errno;
	}
	while (!err && fgets(line, sizeof(line), file)) {
		c->line++;
		err = config_whole(c, file, line) ?: config_line(c, line);
	}
	fclose(file);
	explicit_bzero(line, sizeof(line));
	return err;
}

int config_options(struct manager *m, const char *path)
{
	static struct config c;

	c = (struct config){ .m = m, .path = path };
	return config_read(&c);
}

int config_apply(struct manager *m, const char *path)
{
	static struct config c;
	struct ipsp_rules rules;
	int err;

	c = (struct config){ .m = m, .path = path, .apply = 1 };
	err = config_read(&c);
	if (err || !c.count)
		return err;
	rules = (struct ipsp_rules){ .rules = (uintptr_t)c.rules, .count = c.count };
	err = device_control(IPSP_CTL_RULES_SET, &rules);
	if (err)
		fprintf(stderr, "%s: rules: %s\n", path, strerror(-err));
	return err;
}
