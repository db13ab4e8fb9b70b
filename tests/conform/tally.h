/* SPDX-License-Identifier: GPL-2.0 */
/* tally - how often the reference gave which answer to which record: what was never asked shows nothing */
#ifndef CONFORM_TALLY_H
#define CONFORM_TALLY_H

#include "batch.h"

void tally_add(const struct batch *given, const struct batch *answers);
/* A line for each: the record's type, the answer, how often. */
void tally_print(void);

#endif
