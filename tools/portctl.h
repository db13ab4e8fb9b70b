/* SPDX-License-Identifier: GPL-2.0-only */
/* portctl.h - ipsec-portctl: one file a subcommand, each `<name>_main` */
#ifndef TOOLS_PORTCTL_H
#define TOOLS_PORTCTL_H

#include "words/text.h"
#include "words/word.h"

/* Options of the command line; NULL and 0: not given. */
struct portctl {
	const char *compartment;	/* -c NAME */
	const char *rules;		/* --rules drop */
	const char *confirm;		/* --confirm SECONDS */
	int json;
	int keys;
	int fresh_key;
	int sensitive;
	int all;
	int follow;
};

/* Exit status: 0, 1 (refused by the kernel or missing), 2 (usage). */
int compartment_main(const struct portctl *p, struct words *w);
int rule_main(const struct portctl *p, struct words *w);
int poison_main(const struct portctl *p, struct words *w);
int quorum_main(const struct portctl *p, struct words *w);
int relay_main(const struct portctl *p, struct words *w);
int stat_main(const struct portctl *p, struct words *w);
int upgrade_main(const struct portctl *p, struct words *w);
int manager_main(const struct portctl *p, struct words *w);	/* state, policy */

/* The rules in force that name a compartment, as a list in one line. */
void rule_text_naming(struct text *t, const char *name);

/* One line on stderr; returns the exit status. */
int portctl_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
int portctl_refused(const char *what, int err);
/* 0, or the exit status: a compartment's name that cannot be one; words that are too many. */
int portctl_name(const char *name);
int portctl_end(const struct words *w, const char *what);

#endif
