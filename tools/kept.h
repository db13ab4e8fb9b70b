/* SPDX-License-Identifier: GPL-2.0-only */
/* kept.h - what the module keeps of a compartment for whoever looks for a bug: listed, or saved as pcapng */
#ifndef TOOLS_KEPT_H
#define TOOLS_KEPT_H

#include "portctl.h"

/* Both return the exit status; the compartment is there. */
struct kept {
	const char *what;		/* the command, and part of the file's name where none is given */
	int (*list)(const struct portctl *p, const char *name);
	int (*save)(const struct portctl *p, const char *name, const char *path);
};

/* list NAME | save NAME [FILE] */
int kept_main(const struct portctl *p, struct words *w, const struct kept *k);
/* What its stacks are, as the manager says, in one line; or that nobody knows. */
void kept_stacks(const char *name, char *to, size_t size);

#endif
