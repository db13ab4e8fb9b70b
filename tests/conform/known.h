/* SPDX-License-Identifier: GPL-2.0 */
/* known - records whose answers are published, or were computed by hand from Documentation/stack.md */
#ifndef CONFORM_KNOWN_H
#define CONFORM_KNOWN_H

#include "batch.h"

/* Of one algorithm, or NULL: of all. Answers lie at the same places; 0 bytes: none. */
void known_make(const char *algorithm, struct batch *given, struct batch *answers);

/* Of these the last is held by a stack that asks for SAs: a question, and a policy with an id and without an SA. */
void known_hold(struct batch *given);

#endif
