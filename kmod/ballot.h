/* SPDX-License-Identifier: GPL-2.0 */
/* ballot.h - what a stack said, in private memory */
#ifndef IPSP_BALLOT_H
#define IPSP_BALLOT_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include "ipsec_port.h"

/* What a stack said, read once and never changed; equal ones are one, of several voters. */
struct ballot {
	struct list_head list;		/* vote.ballots, protected by c->lock */
	refcount_t ref;			/* the vote's, and each dissent's that keeps it */
	u16 voters;			/* by index, protected by c->lock */
	u16 tickets;			/* that it ends: one, or a run that a stack merged */
	struct ipsp_answer answer;
	struct ipsp_acquire acquire;	/* said in front of it; all 0: none */
	u32 data_len;
	u8 data[] __aligned(8);
};

/* An answer where it lies: in a ballot, or in the ring of a stack that may still change it. */
struct said {
	const struct ipsp_answer *answer;	/* private, as is the next */
	const struct ipsp_acquire *acquire;
	const u8 *data;				/* aligned to 8 */
	u32 data_len;
	u32 tickets;				/* 1 to IPSP_MERGE_MAX */
};

/* NULL: no memory. All but the data, which is the caller's to copy before anyone else sees it. */
struct ballot *ipsp_ballot_new(const struct said *said);
void ipsp_ballot_put(struct ballot *b);

/* But for the data; whether it has the same data, of which each byte is fetched once; both. */
bool ipsp_ballot_is_like(const struct ballot *b, const struct said *said);
bool ipsp_ballot_holds(const struct ballot *b, const struct said *said);
bool ipsp_ballot_says(const struct ballot *b, const struct said *said);

#endif
