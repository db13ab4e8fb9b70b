/* SPDX-License-Identifier: GPL-2.0 */
/* fifo.h - the tickets of a direction in their order, and how much of it a flow may take */
#ifndef IPSP_FIFO_H
#define IPSP_FIFO_H

#include <linux/list.h>
#include <linux/types.h>

struct ticket;
struct vote;

#define FIFO_SLOTS	4096u		/* pending tickets of a direction, at most, */
#define FIFO_BYTES	(8u << 20)	/* beyond what the socket accounting allows */
#define FIFO_PARTS	256u

/* Inbound tickets in a row, dealt to the same by one deal_run, that may become one packet. */
struct run {
	u64 last;			/* its last ticket so far */
	u32 burst;			/* that deal_run */
	u32 handle;
	u32 bytes;
	u16 to;				/* by index */
	u8 tickets;			/* 0: none may follow */
	bool votes;
};

/* What the tickets of a flow, or of several by chance, have of a FIFO. */
struct part {
	u32 tickets;
	u32 bytes;			/* truesize */
};

struct fifo {				/* protected by c->lock */
	struct list_head pending;	/* in ticket order */
	struct list_head *undealt;	/* first UNDEALT, or &pending */
	struct ticket **slot;		/* number -> ticket, FIFO_SLOTS */
	struct part *part;		/* FIFO_PARTS; of what came when there was pressure */
	u32 seed;			/* of flows' parts */
	u64 next;
	struct list_head votes;		/* that stacks owe an answer to, in ticket order */
	struct vote **vote;		/* number -> vote, FIFO_SLOTS; NULL in mode SHARE */
	struct run run;
	u64 told;			/* which vote nobody won last, see quorum.c */
	u32 length;
	u32 bytes;			/* truesize of pending skbs, and ballots */
	u32 turn;			/* index of the stack that is dealt to, */
	u32 burst;			/* for so many bytes more */
	u64 head_since;			/* ns: when the present head became head */
	bool releasing;			/* somebody emits; he looks again before he ends */
};

#define FIFO_MEMORY	(FIFO_SLOTS * sizeof(void *) + FIFO_PARTS * sizeof(struct part))

int ipsp_fifo_init(struct fifo *f);		/* 0 or -ENOMEM; votes apart (quorum.c) */
void ipsp_fifo_exit(struct fifo *f);		/* init may have failed, or never been called */

/* Under c->lock from here on. The slot of that number: its ticket, or NULL. */
struct ticket **ipsp_fifo_slot(struct fifo *f, u64 number);
/* Is there room for the ticket, and has its flow not too much already? It is told its part. */
bool ipsp_fifo_has_room(const struct fifo *f, struct ticket *t);
void ipsp_fifo_append(struct fifo *f, struct ticket *t, u32 direction);	/* and numbers it */
void ipsp_fifo_forget(struct fifo *f, const struct ticket *t);		/* but for the list */

#endif
