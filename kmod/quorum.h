/* SPDX-License-Identifier: GPL-2.0 */
/* quorum.h - tickets that all stacks answer: what enough of them said counts */
#ifndef IPSP_QUORUM_H
#define IPSP_QUORUM_H

#include <linux/types.h>

struct ballot;
struct compartment;
struct fifo;
struct said;
struct stack;
struct ticket;
struct vote;

enum echo { ECHO_NOT_OWED, ECHO_NONE, ECHO_CAST, ECHO_TOO_LONG };

int ipsp_quorum_fifo_init(struct fifo *f);
void ipsp_quorum_fifo_exit(struct fifo *f);

u64 ipsp_answer_bound(const struct ticket *t);	/* answer.c: bytes of data, at most */

/* Capture: whether this ticket is to be voted on; then it has a vote. 0 or -ENOMEM. */
int ipsp_quorum_prepare(struct compartment *c, struct ticket *t);
void ipsp_quorum_forget(struct ticket *t);	/* it was never dealt */

/* All under c->lock. */
bool ipsp_quorum_has_slot(const struct fifo *f, u64 number);
/* The ticket's record was put into the rings of `to`, where each holds it at t->vote's place. */
void ipsp_quorum_place(struct ticket *t, u32 index, u32 at);
void ipsp_quorum_open(struct compartment *c, struct fifo *f, struct ticket *t, u16 to);
/* A stack went: it has no vote in what it has not answered. */
u32 ipsp_quorum_stack_gone(struct compartment *c, struct fifo *f, const struct stack *s);
/* ns that the stack has left out the earliest ticket that it owes; 0: it owes nothing. */
u64 ipsp_quorum_age(const struct stack *s, const struct fifo *f, u64 now);

/* answer.c. Under s->kick; takes and gives c->lock. */
/*
 * What somebody else said already takes its vote: CAST, and what comes of it as below. NONE: it
 * is the first to say so, if it still does when it is copied. NOT_OWED: no vote waits for it.
 * TOO_LONG: no answer to it may have so much data; nothing is kept of it.
 */
enum echo ipsp_quorum_echo(struct stack *s, u64 number, const struct said *said,
			   struct ticket **t, const struct ballot **elected);
/*
 * Casts the ballot, or NULL: an abstention from so many `tickets`. The ticket whose answer is now
 * elected, ANSWERING and the caller's, with *elected what counts; or NULL. The caller builds its
 * answer and tells with `err` (IPSP_BROKEN_*) what was wrong with it: then all who said so are
 * broken. Likewise the tickets that it holds in its run.
 */
struct ticket *ipsp_quorum_cast(struct stack *s, u64 number, u32 tickets, struct ballot *b,
				const struct ballot **elected);
void ipsp_quorum_built(struct compartment *c, struct ticket *t, u32 err);

#endif
