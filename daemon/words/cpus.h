/* SPDX-License-Identifier: GPL-2.0-only */
/* cpus.h - a set of processors, as people write it: 0-3,8 */
#ifndef WORDS_CPUS_H
#define WORDS_CPUS_H

#include <sched.h>

#include "text.h"
#include "word.h"

/* The next word, behind `name`: N[-M][,N[-M]...], each a processor that this machine has or may get. -EINVAL, with w's error. */
int cpus_take(struct words *w, const char *name, cpu_set_t *cpus);
void cpus_text(struct text *t, const cpu_set_t *cpus);

#endif
