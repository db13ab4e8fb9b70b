// SPDX-License-Identifier: GPL-2.0-only
/* rule.c - the namespace's rule table, set as a whole from a file, or listed */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "portctl.h"
#include "words/device.h"
#include "words/rule.h"

static struct ipsp_rule rules[IPSP_RULES_MAX];
static int rule_line[IPSP_RULES_MAX];

/* Number of rules, or a negative exit status. */
static int rule_read(FILE *file, const char *path)
{
	const char *word[WORD_COUNT_MAX];
	char line[WORD_LINE_MAX];
	struct words w;
	int n, number = 0, count = 0;

	while (fgets(line, sizeof(line), file)) {
		number++;
		n = word_split(line, word, WORD_COUNT_MAX);
		if (!n)
			continue;
		if (n < 0 || count == IPSP_RULES_MAX)
			return -portctl_usage("%s:%d: %s", path, number, n < 0 ?
					      "a quote without end" : "more than 1024 rules");
		word_init(&w, word, n);
		if (rule_parse(&w, &rules[count]))
			return -portctl_usage("%s:%d: %s", path, number, w.error);
		rule_line[count++] = number;
	}
	return count;
}

static int rule_set(const char *path)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	struct ipsp_rules set = { .rules = (uintptr_t)rules };
	int count, err;

	if (!file)
		return portctl_refused(path, -errno);
	count = rule_read(file, path);
	if (file != stdin)
		fclose(file);
	if (count < 0)
		return -count;
	set.count = (__u32)count;
	err = device_control(IPSP_CTL_RULES_SET, &set);
	if (!err)
		return 0;
	if ((err == -ENOENT || err == -EINVAL || err == -EOPNOTSUPP) && set.bad < set.count)
		return portctl_usage("%s:%d: %s %s", path, rule_line[set.bad],
				     rules[set.bad].compartment,
				     err == -ENOENT ? "is no compartment of this namespace" :
				     strerror(-err)) - 1;
	return portctl_refused(path, err);
}

static int rule_list(void)
{
	struct ipsp_rules get = { .rules = (uintptr_t)rules, .count = IPSP_RULES_MAX };
	char line[512];
	struct text t;
	__u32 i;
	int err = device_control(IPSP_CTL_RULES_GET, &get);

	if (err)
		return portctl_refused("rule list", err);
	for (i = 0; i < get.count; i++) {
		text_init(&t, line, sizeof(line));
		rule_text(&t, &rules[i]);
		printf("%-60s # %llu\n", line, rules[i].hits);
	}
	return 0;
}

int rule_main(const struct portctl *p, struct words *w)
{
	const char *verb, *path;

	(void)p;
	word_next(w);
	verb = word_next(w);
	path = word_next(w);
	if (verb && !strcmp(verb, "set") && path)
		return rule_set(path);
	if (verb && !strcmp(verb, "list"))
		return rule_list();
	return portctl_usage("rule \"%s\": allowed: set FILE, list", verb ? verb : "");
}
