/* SPDX-License-Identifier: GPL-2.0 */
/* deal.h - tickets: dealt to stacks, answered in any order, released in theirs */
#ifndef IPSP_DEAL_H
#define IPSP_DEAL_H

#include <linux/list.h>
#include <linux/skbuff.h>
#include <linux/types.h>
#include "bundle.h"
#include "fifo.h"

struct compartment;
struct flow;
struct handle;
struct stack;
struct vote;

enum ticket_kind { TICKET_CLASSIFY, TICKET_PROTECT, TICKET_UNPROTECT };

/*
 * state      in fifo  who holds a copy  moved by
 * UNDEALT    yes      nobody            capture, or the death of its stack
 * DEALT      yes      one stack, all    deal_run
 * ANSWERING  yes      answer.c, alone   ipsp_deal_claim
 *   in a run          with its carrier  "
 * ANSWERED   yes      nobody            answer.c, the watchdog (drop), quorum.c (drop)
 * (freed)    no                         release.c, when it is the head
 */
enum ticket_state { TICKET_UNDEALT, TICKET_DEALT, TICKET_ANSWERING, TICKET_ANSWERED };

struct ticket {
	struct list_head list;		/* fifo.pending */
	u64 number;			/* fifo.next at capture, << 1 | direction */
	enum ticket_kind kind;
	enum ticket_state state;
	u8 deaths;			/* stacks that died on it; 2 = poison */
	u8 stack;			/* index, when DEALT; NO_STACK: to all that vote */
	bool nomerge;			/* unprotect: not in a run with others */
	bool marked;			/* unprotect: its number is, in c->numbers */
	u16 flags;			/* IPSP_PKT_* */
	u16 part;			/* of the FIFO, see fifo.c */
	u32 generation;			/* of the policy, when first dealt */
	u32 at;				/* index in the down ring, when DEALT */
	u32 mtu;			/* protect: inner MTU told */
	int ifindex;			/* inbound: device it came by */
	struct sk_buff *skb;		/* owned; dev is NULL while pending */
	struct handle *handle;		/* referenced; protect, unprotect */
	struct bundle bundle;		/* beside it; classify: beside answer_handle */
	u64 first;			/* stamped numbers */
	u32 count;
	u32 header;			/* protect, to be cut: bytes that each segment repeats, */
	u32 piece;			/* and what it holds behind them; else 0 */
	struct flow *flow;		/* referenced; classify */
	struct vote *vote;		/* NULL: one stack's answer is enough, or there is one */
	u64 dealt_at;			/* ns */
	/* the answer */
	u16 verdict;			/* 0: none yet */
	u16 reason;
	u32 answer_mtu;
	u32 acquire;			/* HOLD: the id */
	unsigned long hold_until;	/* jiffies; 0: never held; hold.c */
	struct handle *answer_handle;	/* referenced; CLASSIFY */
	struct sk_buff *answer;		/* list by ->next, built and checked */
	struct list_head run;		/* unprotect: earlier tickets, whose packets it holds */
};

#define NO_STACK	IPSP_STACKS_MAX

int ipsp_deal_init(void);		/* slab */
void ipsp_deal_exit(void);
int ipsp_deal_compartment_init(struct compartment *c);	/* fifos, watchdog */
/* DEL, under c->admin, c->gone is set: ends stacks, drops all pending as `gone`. */
void ipsp_deal_compartment_end(struct compartment *c);
void ipsp_deal_compartment_exit(struct compartment *c);	/* last reference: memory */

/*
 * Capture. Softirq or process context, RCU read side. All take skb over, count, and
 * free it on every failure under its own reason; but classify, which copies the headers.
 * It says why not (IPSP_DROP_*), or 0; `flow` is referenced by the ticket.
 */
u32 ipsp_deal_classify(struct compartment *c, struct flow *flow, const struct sk_buff *skb,
		       u16 flags);
/* A classify ticket out of the order is a new one, and counted; IPSP_DROP_*: it is the caller's. */
u32 ipsp_deal_rehire(struct compartment *c, struct ticket *t);
void ipsp_deal_protect(struct compartment *c, struct handle *h, const struct bundle *b,
		       struct sk_buff *skb, u16 flags);
void ipsp_deal_unprotect(struct compartment *c, struct handle *h, struct sk_buff *skb,
			 u64 number, bool marked, int ifindex);

/* A stack went (c->lock not held): its tickets are dealt again or wait. */
void ipsp_deal_stack_gone(struct compartment *c, struct stack *s, u32 *pending);

/* Under c->lock: a handle went, or the stacks were told so; see compartment.h, `ended`. */
void ipsp_deal_sa_ended(struct compartment *c);

/* Under c->lock: hands undealt tickets to the stacks while there is room. */
void ipsp_deal_run(struct compartment *c);
void ipsp_deal_device_gone(struct compartment *c, const struct net_device *dev);
void ipsp_deal_drop_undealt(struct compartment *c);	/* no successor came for them */
/*
 * The DEALT ticket of that number and stack, now ANSWERING and the caller's; or NULL. With
 * it, in its run, the `count` - 1 before it, if all of them may be merged.
 */
struct ticket *ipsp_deal_claim(struct compartment *c, u64 number, u32 count, struct stack *s);
/* ANSWERING -> ANSWERED, or back to DEALT when the answer was refused. */
void ipsp_deal_answered(struct compartment *c, struct ticket *t);
void ipsp_deal_unclaim(struct compartment *c, struct ticket *t);
/* Under c->lock: moves the finished head run to `run`; false: none. */
bool ipsp_deal_detach_finished(struct fifo *f, struct list_head *run);
/* release.c: emits the finished head run of both directions; the second gives the lock up. */
void ipsp_release_run(struct compartment *c);
void ipsp_release_run_locked(struct compartment *c);
void ipsp_deal_ticket_free(struct ticket *t);	/* with what it references */
bool ipsp_deal_has_stack(const struct compartment *c);	/* a READY one; racy hint */
/* quorum.c, under c->lock: a DEALT ticket ends without an answer. */
void ipsp_deal_drop(struct ticket *t, u32 reason);
void ipsp_deal_follow(struct ticket *t, struct ticket *carrier);	/* into its run, in front */
void ipsp_deal_poison(struct compartment *c, struct ticket *t, const struct stack *s);

/* share.c, under c->admin: a manager replaces stacks. */
u32 ipsp_share_places(const struct compartment *c);	/* indices there are */
int ipsp_share_relieve(struct compartment *c, u32 places);
int ipsp_share_retire(struct compartment *c, u32 index);

/* share.c, under c->lock: who is dealt to. */
void ipsp_share_update(struct compartment *c);	/* a stack came, went, or fewer are wanted */
void ipsp_share_leave(struct stack *s);		/* it ends if it has to and has nothing left */
struct stack *ipsp_share_next(struct compartment *c, struct fifo *f, u16 full);	/* or NULL */
/* IPSP_RECF_* of the record that is about to be written to them: with what it may be merged. */
u16 ipsp_share_flags(struct compartment *c, struct fifo *f, const struct ticket *t, u16 to);
void ipsp_share_dealt(struct stack *s, struct fifo *f, const struct ticket *t);
void ipsp_share_taken(struct stack *s, const struct ticket *t);	/* it has it no more */
u32 ipsp_share_load(const struct ticket *t);		/* what it counts for */
bool ipsp_share_suffices(const struct compartment *c);	/* enough are dealt to */
u32 ipsp_share_count(const struct compartment *c);	/* stacks that are dealt to */
u32 ipsp_share_spares(const struct compartment *c);

/* watchdog.c: nobody waits for a stack for ever: tickets, the manager, a successor's tickets */
void ipsp_watchdog_init(struct compartment *c);
void ipsp_watchdog_start(struct compartment *c);	/* something waits; any context */
void ipsp_watchdog_now(struct compartment *c);	/* deadlines have changed, a stack went */
void ipsp_watchdog_stop(struct compartment *c);		/* and wait until it has; sleeps */

#endif
