// SPDX-License-Identifier: GPL-2.0-only
/* portctl.c - options, and the table of subcommands */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "portctl.h"

static const struct {
	const char *name;
	int (*run)(const struct portctl *p, struct words *w);
	const char *help;
} commands[] = {
	{ "compartment", compartment_main, "add NAME [OPTION VALUE]... | del NAME | set NAME ... | show NAME | list" },
	{ "rule", rule_main, "set FILE | list" },
	{ "stat", stat_main, "[NAME]" },
	{ "poison", poison_main, "list NAME | save NAME [FILE]" },
	{ "relay", relay_main, "enable | disable | show: XFRM netlink to ipsec-port-keyd" },
	{ "state", manager_main, "-c NAME state ...: as ip xfrm state" },
	{ "policy", manager_main, "-c NAME policy ...: as ip xfrm policy" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

int portctl_usage(const char *format, ...)
{
	va_list list;

	fprintf(stderr, "ipsec-portctl: ");
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fprintf(stderr, "\n");
	return 2;
}

int portctl_refused(const char *what, int err)
{
	fprintf(stderr, "ipsec-portctl: %s: %s\n", what, strerror(-err));
	return 1;
}

static int help(void)
{
	size_t i;

	printf("usage: ipsec-portctl [-c NAME] [--json] [--keys] COMMAND ...\n");
	for (i = 0; i < COMMANDS; i++)
		printf("  %-12s %s\n", commands[i].name, commands[i].help);
	return 0;
}

static int dispatch(const struct portctl *p, struct words *w)
{
	const char *name = word_peek(w);
	size_t i;

	if (!name)
		return portctl_usage("no command; wanted: compartment, rule, stat, poison, relay, state, policy");
	for (i = 0; i < COMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return commands[i].run(p, w);
	if (!strcmp(name, "events"))
		return portctl_usage("command \"%s\": not served yet", name);
	return portctl_usage("command \"%s\": allowed: compartment, rule, stat, poison, relay, state, policy", name);
}

/* Options may stand anywhere; what is left is the command. 0, or an exit status. */
static int options(struct portctl *p, int argc, char **argv, const char **word, int *count)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-c") && i + 1 < argc)
			p->compartment = argv[++i];
		else if (!strcmp(argv[i], "--json"))
			p->json = 1;
		else if (!strcmp(argv[i], "--keys"))
			p->keys = 1;
		else if (!strncmp(argv[i], "--", 2))
			return portctl_usage("option \"%s\": allowed: -c NAME, --json, --keys, --help",
					     argv[i]);
		else if (*count < WORD_COUNT_MAX)
			word[(*count)++] = argv[i];
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *word[WORD_COUNT_MAX];
	struct portctl p = { 0 };
	int count = 0, err;
	struct words w;

	if (argc > 1 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")))
		return help();
	err = options(&p, argc, argv, word, &count);
	if (err)
		return err;
	word_init(&w, word, count);
	return dispatch(&p, &w);
}
