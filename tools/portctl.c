// SPDX-License-Identifier: GPL-2.0-only
/* portctl.c - options, and the table of subcommands */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "portctl.h"
#include "ipsec_port.h"
#include "words/option.h"

static const struct command {
	const char *name;
	int (*run)(const struct portctl *p, struct words *w);
	const char *help;
	const char *options;		/* that mean something to it, besides --json; NULL: none */
} commands[] = {
	{ "compartment", compartment_main,
	  "add NAME [OPTION VALUE]... | del NAME [--rules drop] | set NAME ... | show NAME | list",
	  "--rules" },
	{ "rule", rule_main, "set FILE [--confirm SECONDS] | confirm | list", "--confirm" },
	{ "stat", stat_main, "[NAME]", "-c" },
	{ "poison", poison_main, "list NAME | save NAME [FILE]", NULL },
	{ "quorum", quorum_main, "list NAME | save NAME [FILE] [--sensitive]: what stacks disagreed on", "--sensitive" },
	{ "relay", relay_main, "enable [--all] | disable [--all] | show: XFRM netlink to ipsec-port-keyd", "--all" },
	{ "state", manager_main, "-c NAME state ...: as ip xfrm state", "-c --keys --fresh-key" },
	{ "policy", manager_main, "-c NAME policy ...: as ip xfrm policy", "-c" },
	{ "upgrade", upgrade_main, "NAME: to the programs that were installed since, under load", NULL },
	{ "events", manager_main, "-c NAME events [--follow]: what happened to its stacks, and expiries as of ip xfrm monitor", "-c --follow" },
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

int portctl_name(const char *name)
{
	if (option_is_name(name))
		return 0;
	return portctl_usage("compartment \"%.60s\": allowed: 1 to 31 of a-z 0-9 _ -, not control "
			     "or xfrm", name);
}

int portctl_end(const struct words *w, const char *what)
{
	return word_peek(w) ? portctl_usage("%s: \"%.60s\": allowed: nothing more", what,
					    word_peek(w)) : 0;
}

static int help(void)
{
	size_t i;

	printf("usage: ipsec-portctl [-c NAME] [--json] [--keys] COMMAND ...\n");
	for (i = 0; i < COMMANDS; i++)
		printf("  %-12s %s\n", commands[i].name, commands[i].help);
	return 0;
}

/* ---- options ------------------------------------------------------------------------------ */

static const struct option {
	const char *name;
	size_t text, number;		/* where it goes: one with a value, or a flag */
} option_table[] = {
	{ "-c", offsetof(struct portctl, compartment), 0 },
	{ "--rules", offsetof(struct portctl, rules), 0 },
	{ "--confirm", offsetof(struct portctl, confirm), 0 },
	{ "--json", 0, offsetof(struct portctl, json) },
	{ "--keys", 0, offsetof(struct portctl, keys) },
	{ "--fresh-key", 0, offsetof(struct portctl, fresh_key) },
	{ "--sensitive", 0, offsetof(struct portctl, sensitive) },
	{ "--all", 0, offsetof(struct portctl, all) },
	{ "--follow", 0, offsetof(struct portctl, follow) },
};

#define OPTIONS (sizeof(option_table) / sizeof(option_table[0]))

static const struct option *option_find(const char *name)
{
	size_t i;

	for (i = 0; i < OPTIONS; i++)
		if (!strcmp(name, option_table[i].name))
			return &option_table[i];
	return NULL;
}

/* Options may stand anywhere; what is left is the command. 0, or an exit status. */
static int options(struct portctl *p, int argc, char **argv, const char **word, int *count)
{
	const struct option *o;
	int i;

	for (i = 1; i < argc; i++) {
		o = option_find(argv[i]);
		if (o && o->number) {
			*(int *)((char *)p + o->number) = 1;
		} else if (o && i + 1 < argc) {
			*(const char **)((char *)p + o->text) = argv[++i];
		} else if (o) {
			return portctl_usage("option \"%s\": the line ends here; allowed: a value "
					     "after it", argv[i]);
		} else if (!strncmp(argv[i], "--", 2)) {
			return portctl_usage("option \"%.60s\": allowed: -c NAME, --json, --keys, "
					     "--fresh-key, --sensitive, --all, --follow, --rules drop, --confirm SECONDS, --help",
					     argv[i]);
		} else {
			if (*count == WORD_COUNT_MAX)
				return portctl_usage("command: more than %d words", WORD_COUNT_MAX);
			word[(*count)++] = argv[i];
		}
	}
	return 0;
}

static int option_is_of(const struct command *c, const char *name)
{
	const char *at = c->options ? strstr(c->options, name) : NULL;
	size_t length = strlen(name);

	return at && (at[length] == '\0' || at[length] == ' ');
}

/* One that is given and does nothing would be taken for one that does. */
static int options_of(const struct portctl *p, const struct command *c)
{
	const struct option *o;

	for (o = option_table; o < option_table + OPTIONS; o++) {
		int given = o->number ? *(const int *)((const char *)p + o->number) :
					!!*(const char *const *)((const char *)p + o->text);

		if (given && strcmp(o->name, "--json") && !option_is_of(c, o->name))
			return portctl_usage("option \"%s\": not of command %s; allowed: %s",
					     o->name, c->name, c->options ? c->options : "none");
	}
	return p->compartment ? portctl_name(p->compartment) : 0;
}

static int dispatch(const struct portctl *p, struct words *w)
{
	const char *name = word_peek(w);
	char list[160];
	struct text t;
	size_t i;

	text_init(&t, list, sizeof(list));
	for (i = 0; i < COMMANDS; i++)
		text_list(&t, commands[i].name);
	if (!name)
		return portctl_usage("command: the line ends here; allowed: %s", list);
	for (i = 0; i < COMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return options_of(p, &commands[i]) ?: commands[i].run(p, w);
	return portctl_usage("command \"%.60s\": allowed: %s", name, list);
}

int main(int argc, char **argv)
{
	const char *word[WORD_COUNT_MAX];
	struct portctl p = { 0 };
	int count = 0, err;
	struct words w;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);	/* keys pass through here */
	if (argc > 1 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")))
		return help();
	err = options(&p, argc, argv, word, &count);
	if (err)
		return err;
	word_init(&w, word, count);
	return dispatch(&p, &w);
}
