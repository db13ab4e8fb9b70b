/* SPDX-License-Identifier: GPL-2.0 */
/* flow.h - the bounded memory of what was decided for a flow */
#ifndef IPSP_FLOW_H
#define IPSP_FLOW_H

#include <linux/netfilter.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include "bundle.h"
#include "ipsec_port_selector.h"

struct compartment;
struct dst_entry;
struct handle;
struct hold;

/*
 * state     packets of it                             moved by
 * ASKING    queue (bounded, then dropped `asking`)    flow_ask
 * BYPASS    pass in clear                             release of the classify ticket
 * DROP      are dropped under `reason`                "
 * PROTECT   are diverted, stamped with `handle`       "
 * DEAD      do not find it                            flush, generation, handle's end
 */
enum flow_state { FLOW_ASKING, FLOW_BYPASS, FLOW_DROP, FLOW_PROTECT, FLOW_DEAD };

struct flow {
	struct hlist_node node;		/* protected by flows.lock, read under RCU */
	struct rcu_head rcu;
	refcount_t ref;			/* table, ticket */
	struct compartment *c;
	struct ipsp_tuple tuple;
	bool cached;			/* in the table; else for one packet only */
	enum flow_state state;		/* written under lock */
	enum flow_state answer;		/* what it becomes when the queue has drained */
	u16 reason;			/* DROP */
	u32 generation;
	struct handle *handle;		/* referenced; PROTECT */
	struct bundle bundle;		/* and what comes after it */
	struct dst_entry __rcu *dst;	/* diverted dst last used; divert.c */
	u32 length;			/* of the packet that asked */
	unsigned long used;		/* jiffies */
	spinlock_t lock;		/* protects state, queue, hold and what is held */
	struct list_head queue;		/* struct asked */
	u32 queued;
	struct hold *hold;		/* its ticket is held under this id; hold.c */
	u32 held_packets, held_bytes;	/* as counted there */
};

#define FLOW_BUCKET	8		/* entries in one bucket; the oldest gives way */
#define FLOW_QUEUE	64		/* packets that wait for one answer */
struct flow_table {
	struct hlist_head *bucket;
	u32 buckets;			/* power of two */
	u32 seed;
	atomic_t count;
	spinlock_t lock;		/* protects bucket lists' writers */
};

/* Where a packet goes on that had to wait for its flow's answer. */
enum flow_stage {
	FLOW_AT_HOOK,			/* the rest of the hook's chain is ahead of it */
	FLOW_BEHIND_SNAT,		/* so is POST_ROUTING's, but NAT has been */
	FLOW_AT_CAPTURE,		/* POST_ROUTING is behind it */
};

/* Devices and the socket are referenced. */
struct asked {
	struct list_head list;
	struct sk_buff *skb;
	enum flow_stage stage;
	struct nf_hook_state state;
};

/*
 * What was decided comes with the state:
 *
 *   release of the answer                  packets of the flow
 *   answer, reason, handle, generation     ipsp_flow_state (acquire)
 *   store of the state (release)           answer, reason, handle, generation
 */
static inline enum flow_state ipsp_flow_state(const struct flow *f)
{
	return smp_load_acquire(&f->state);	/* pairs with flow_dequeue */
}

int ipsp_flow_init(void);
void ipsp_flow_exit(void);
int ipsp_flow_table_init(struct compartment *c);
void ipsp_flow_table_exit(struct compartment *c);
void ipsp_flow_flush(struct compartment *c);			/* all */
/* Moves what waits on f and holds dev to `gone`, which drop_asked counts and frees. */
void ipsp_flow_device_gone(struct flow *f, const struct net_device *dev,
			   struct list_head *gone);
void ipsp_flow_drop_asked(struct compartment *c, struct list_head *gone, u32 reason);
void ipsp_flow_flush_bypass(struct compartment *c);		/* a stack died uncleanly */
void ipsp_flow_flush_handle(struct compartment *c, const struct handle *h);

/* RCU read side; a live entry of the present generation, or NULL. */
struct flow *ipsp_flow_find(struct compartment *c, const struct ipsp_tuple *t);
bool ipsp_flow_protects_still(struct flow *f);
/* What the protect list says of an inbound clear packet, cached. */
enum flow_state ipsp_flow_clear(struct compartment *c, const struct ipsp_tuple *t,
				bool protect);
/* Queues skb on the flow (made if unknown) and asks. Takes skb over always. */
void ipsp_flow_ask(struct compartment *c, const struct ipsp_tuple *t, struct sk_buff *skb,
		   enum flow_stage stage, const struct nf_hook_state *state, u16 flags);
/* RCU read side: all of these SAs are there still. */
bool ipsp_flow_may_have(const struct flow *f, const struct handle *h, const struct bundle *b);
/* The answer of a classify ticket: opens the flow and sends on what waited. */
void ipsp_flow_answer(struct flow *f, u16 verdict, u16 reason, struct handle *h,
		      const struct bundle *b, u32 generation);
void ipsp_flow_put(struct flow *f);

#endif
