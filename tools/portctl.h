/* SPDX-License-Identifier: GPL-2.0-only */
/* portctl.h - ipsec-portctl: one file a subcommand, each `<name>_main` */
#ifndef TOOLS_PORTCTL_H
#define TOOLS_PORTCTL_H

#include "words/word.h"

struct portctl {
	const char *compartment;	/* -c NAME */
	int json;
	int keys;
};

/* Exit status: 0, 1 (refused by the kernel or missing), 2 (usage). */
int compartment_main(const struct portctl *p, struct words *w);
int rule_main(const struct portctl *p, struct words *w);
int poison_main(const struct portctl *p, struct words *w);
int relay_main(const struct portctl *p, struct words *w);
int stat_main(const struct portctl *p, struct words *w);
int manager_main(const struct portctl *p, struct words *w);	/* state, policy */

/* One line on stderr; returns the exit status. */
int portctl_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
int portctl_refused(const char *what, int err);

#endif
