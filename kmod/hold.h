/* SPDX-License-Identifier: GPL-2.0 */
/* hold.h - packets that wait for a key exchange: held under an acquire id, released by it */
#ifndef IPSP_HOLD_H
#define IPSP_HOLD_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "ipsec_port.h"

struct compartment;
struct flow;
struct net_device;
struct sk_buff;
struct ticket;

#define HOLD_BUCKETS	64

/* Of a compartment. */
struct holds {
	spinlock_t lock;		/* protects all below and every struct hold */
	struct hlist_head bucket[HOLD_BUCKETS];
	struct list_head recent;	/* struct hold, the one used last at the end */
	u32 ids;
	struct list_head held;		/* tickets, in the order in which they came */
	u32 tickets;
	atomic_t bytes;			/* truesize of what is held; moved under flows' locks */
	unsigned long second;		/* jiffies: since then the manager was told */
	u32 told;			/* so often */
	u64 point;			/* a policy change: earlier tickets are asked again */
	bool ended;			/* nothing is held any more */
	struct delayed_work work;	/* what has waited too long */
	unsigned long due;		/* jiffies: when it runs, if it is pending */
};

void ipsp_hold_init(struct compartment *c);
void ipsp_hold_end(struct compartment *c);	/* c->gone, no releaser: all is dropped `gone` */
void ipsp_hold_exit(struct compartment *c);	/* last reference: memory */

/* An ACQUIRE of a stack's, private copy; 0 or IPSP_BROKEN_*. It goes to the manager, damped. */
u32 ipsp_hold_acquire(struct compartment *c, const struct ipsp_acquire *a);
/*
 * Release of a ticket with HOLD, softirqs off. true: it is taken over, held or asked again.
 * false: it is a DROP now.
 */
bool ipsp_hold_keep(struct compartment *c, struct ticket *t);
/*
 * A RELEASE, REFUSE or POLICY record went to the stacks, before the ticket of number `point`
 * (without its direction). c->lock not held.
 */
void ipsp_hold_told(struct compartment *c, const struct ipsp_record *rec, u64 point);
void ipsp_hold_device_gone(struct compartment *c, const struct net_device *dev);

/* Under f->lock, of a flow that is held: one more packet waits; 0 or IPSP_DROP_*. One less. */
u32 ipsp_hold_add(struct flow *f, const struct sk_buff *skb);
void ipsp_hold_sub(struct flow *f, const struct sk_buff *skb);

#endif
