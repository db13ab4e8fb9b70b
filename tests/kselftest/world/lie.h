/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lie.h - a lie is an honest answer with one thing spoiled; what is looked at is the same for each
 *
 * The rogue's realm is begun anew for each lie; the neighbour's is the program's own, IPv4, with an honest stack.
 */
#ifndef LIE_H
#define LIE_H

#include "world.h"

extern struct realm rogue, neighbour;
extern struct realm_kind rogue_kind;	/* what the rogue's realms are: IPv4 in a tunnel */

struct lie {
	const char *what;
	void (*prepare)(void);		/* in front of it, as manager; or NULL */
	void (*spoil)(struct draft *d, const struct ticket *t);
	unsigned int type;		/* of the ticket it answers */
	unsigned int net;		/* the packet goes to 10.(N+net).0.7 */
	unsigned int host;
	unsigned int segments;		/* of the super-packet that goes there; 0: it is a datagram */
	unsigned int cause;		/* IPSP_BROKEN_*: 0, the attachment stands */
	unsigned int drop;		/* IPSP_DROP_*; 0: none */
	unsigned int drops;		/* a question's ticket and the packet behind it count each */
};

/* X(number, ticket answered, cause, drop, what, statement on the draft d of ticket t) makes a function and an entry */
#define LIE_SPOIL(n, type, cause, drop, what, change) \
	static void spoil_##n(struct draft *d, const struct ticket *t) { (void)t; change; }
#define LIE_ENTRY(n, type_, cause_, drop_, what_, change) \
	{ .what = what_, .spoil = spoil_##n, .type = IPSP_REC_##type_, .host = n, \
	  .cause = IPSP_BROKEN_##cause_, .drop = IPSP_DROP_##drop_, \
	  .drops = IPSP_DROP_##drop_ == IPSP_DROP_STALE ? 2 : 1 },

void lie_size(struct draft *d, unsigned int length);	/* so many bytes of data */
void lie_bare(struct draft *d);				/* none */
void lie_toobig(struct draft *d, unsigned int mtu);

void lie_realms_begin(unsigned int deadline_ms);
void lie_realms_end(void);
/* Honest until the ticket comes that it lies about; then it says what its KICK said, and answers no more. */
void lie_once(struct stack *s, const void *how);
void lie_trigger(const struct lie *l);
int lie_only_esp(void);			/* what has left of the two realms' ESP; -1: something else as well */
int lie_neighbour_lives(unsigned int host);
int lie_broken_as(const struct lie *l);	/* broken for the cause it should be, and killed; or neither */
int lie_is_refused(const struct lie *l);	/* as it says, and nobody else was harmed */

#endif
