/* SPDX-License-Identifier: GPL-2.0-only */
/* way.h - one realm begun for one way of a packet, what is counted of it, and its end */
#ifndef KSELFTEST_WAY_H
#define KSELFTEST_WAY_H

#include "../tap.h"
#include "world.h"

/* Alone in the rules, with a stack that runs `run`. */
void way_begin(struct realm *r, struct realm_kind kind, void (*run)(struct stack *s, const void *how));
/* Nobody is to blame, and the ledger balances. */
static inline void way_finish(struct realm *r, const char *what)
{
	TAP_EQUAL(realm_event(r, 0).event, 0, "%s: the stack is not to blame", what);
	TAP_EQUAL(realm_balance(r), 0, "%s: the ledger balances", what);
	realm_stop(r);
	realm_rules(NULL, 0);
	realm_end(r);
}
/* So many become so within ten seconds; 0: they do not. */
int way_counted(const struct realm *r, unsigned int counter, unsigned long long wanted);
int way_counted_from(const struct realm *r, unsigned int counter, unsigned long long least);	/* or more */
int way_dropped(const struct realm *r, unsigned int reason, unsigned long long wanted);
void way_command(const char *line);			/* of a shell; gives up where it fails */

#endif
