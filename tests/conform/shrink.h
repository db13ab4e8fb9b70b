/* SPDX-License-Identifier: GPL-2.0 */
/* shrink - of the records before a difference, those that it takes */
#ifndef CONFORM_SHRINK_H
#define CONFORM_SHRINK_H

#include "batch.h"

/*
 * `records`: an episode up to the one that was answered differently. Leaves in `less` few of them that, given to
 * programs just started, show a difference at the last one. -1: these do not show any; it takes what was before.
 */
int shrink(const char *reference, const char *other, const struct batch *records, struct batch *less);

#endif
