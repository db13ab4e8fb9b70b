// SPDX-License-Identifier: GPL-2.0-only
/* rule.c - the namespace's rule table, set as a whole from a file, confirmed, or listed */
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

/* 0, or the exit status. The kernel itself puts the former set back: see uapi, 1. */
static int rule_confirm_seconds(const struct portctl *p, __u32 *seconds)
{
	uint64_t number;

	if (!p->confirm)
		return 0;
	if (!word_is_number(p->confirm, IPSP_CONFIRM_MAX, &number) || !number)
		return portctl_usage("option --confirm \"%.60s\": allowed: a number of seconds from "
				     "1 to %u", p->confirm, IPSP_CONFIRM_MAX);
	*seconds = (__u32)number;
	return 0;
}

/* The line was understood: what the kernel does not know of it. */
static int rule_complain(const char *path, __u32 bad, int err)
{
	const struct ipsp_rule *r = &rules[bad];

	if (err == -ENOENT)
		portctl_usage("%s:%d: %s is no compartment of this namespace", path, rule_line[bad], r->compartment);
	else if (!(r->flags & IPSP_RULEF_LABEL))
		portctl_usage("%s:%d: %s %s", path, rule_line[bad], r->compartment, strerror(-err));
	else if (err == -EINVAL)
		portctl_usage("%s:%d: label \"%s\": wanted: a context that this host's security module knows", path,
			      rule_line[bad], r->label);
	else
		portctl_usage("%s:%d: label \"%s\": this host has no security module that labels sockets", path,
			      rule_line[bad], r->label);
	return 1;
}

static int rule_set(const struct portctl *p, const char *path)
{
	struct ipsp_rules set = { .rules = (uintptr_t)rules };
	int count, err = rule_confirm_seconds(p, &set.confirm);
	FILE *file;

	if (err)
		return err;
	file = strcmp(path, "-") ? fopen(path, "re") : stdin;
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
		return rule_complain(path, set.bad, err);
	return portctl_refused(path, err);
}

static int rule_list(void)
{
	struct ipsp_rules get = { .rules = (uintptr_t)rules, .count = IPSP_RULES_MAX };
	char line[RULE_TEXT_MAX];
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
	if (get.confirm)
		printf("# not confirmed: the set before comes back in %u s\n", get.confirm);
	return 0;
}

void rule_text_naming(struct text *t, const char *name)
{
	struct ipsp_rules get = { .rules = (uintptr_t)rules, .count = IPSP_RULES_MAX };
	__u32 i, n = 0;

	if (device_control(IPSP_CTL_RULES_GET, &get))
		return;
	for (i = 0; i < get.count; i++) {
		if (strcmp(rules[i].compartment, name))
			continue;
		text_add(t, "%s\"", n++ ? ", " : "");
		rule_text(t, &rules[i]);
		text_add(t, "\"");
	}
	if (!n && get.confirm)
		text_add(t, "one of the set that comes back unless this one is confirmed");
}

static int rule_confirm(void)
{
	int err = device_control(IPSP_CTL_RULES_CONFIRM, NULL);

	if (err != -ENOENT)
		return err ? portctl_refused("rule confirm", err) : 0;
	fprintf(stderr, "ipsec-portctl: rule confirm: no set waits for it; it was confirmed, was "
		"replaced, or has gone back\n");
	return 1;
}

int rule_main(const struct portctl *p, struct words *w)
{
	const char *verb, *path;
	int set;

	word_next(w);
	verb = word_next(w);
	set = verb && !strcmp(verb, "set");
	if (p->confirm && !set)
		return portctl_usage("option \"--confirm\": allowed: with rule set FILE");
	path = set ? word_next(w) : NULL;
	if (set && !path)
		return portctl_usage("rule set: the line ends here; allowed: FILE, or - for the "
				     "standard input");
	if (!verb || (!set && strcmp(verb, "confirm") && strcmp(verb, "list")))
		return portctl_usage("rule \"%.60s\": allowed: set FILE, confirm, list",
				     verb ? verb : "");
	if (portctl_end(w, "rule"))
		return 2;
	return set ? rule_set(p, path) : *verb == 'c' ? rule_confirm() : rule_list();
}
