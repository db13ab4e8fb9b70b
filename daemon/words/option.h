/* SPDX-License-Identifier: GPL-2.0-only */
/* option.h - the options of a compartment: of `compartment add` and of [compartment] */
#ifndef WORDS_OPTION_H
#define WORDS_OPTION_H

#include <sched.h>

#include "build.h"
#include "ipsec_port.h"
#include "text.h"
#include "word.h"

struct option_set {
	struct ipsp_compartment compartment;	/* name filled in by the caller */
	__u32 sas_max, policies_max;
	cpu_set_t cpus;			/* manager and stacks run there; empty: wherever */
	bool default_drop;
	bool fresh_key;
	bool legacy;			/* weak algorithms, and none, are taken */
	struct build build[IPSP_STACKS_MAX];	/* of each stack by its index; empty: all are `own` */
	__u32 engine[4];		/* preference: IPSP_ENGINE_*, 0 ends it; empty: the default */
};

/* A compartment's name: also its device's, so not one that is taken there. */
bool option_is_name(const char *name);
void option_init(struct option_set *o, const char *name);
int option_parse(struct words *w, struct option_set *o);
/* Its words go together; false: `wrong` says which do not. */
bool option_agrees(const struct option_set *o, struct text *wrong);
/* One line `word = value` for each that differs from the default. */
void option_text(struct text *t, const struct option_set *o);
/* E[,E...], the default's where the list is empty. */
void option_engines_text(struct text *t, const __u32 engine[4]);

#endif
