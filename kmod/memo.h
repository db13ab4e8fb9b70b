/* SPDX-License-Identifier: GPL-2.0 */
/*
 * memo.h - what passed a moment ago passes again, without asking rules and flows anew
 *
 * Passing is remembered, and a flow that is diverted: of TCP, UDP, ICMP and ESP, by what the
 * rules and policies can see of a packet, and only until anything changes that anybody could
 * decide otherwise by.
 */
#ifndef IPSP_MEMO_H
#define IPSP_MEMO_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

struct flow;
struct rule;

/* By what a packet was decided, and when: that may have changed meanwhile. */
struct decided {
	unsigned long epoch;
	const struct rule *rule;	/* NULL: none matched */
	struct flow *flow;		/* that it goes out by, diverted; NULL: it passes */
	u64 rest;			/* memo.c's own */
};

/*
 * RCU read side. True: as *d says; what passes is counted. False: d->epoch is to be given to
 * keep, should the packet pass or be diverted. What came out of a stack is its own entry.
 */
bool ipsp_memo_knows(const struct sk_buff *skb, const struct net_device *dev, u8 direction,
		     struct decided *d);
void ipsp_memo_keep(const struct sk_buff *skb, const struct net_device *dev,
		    const struct decided *d);
/* Going out, by its present route, as *d says: POST_ROUTING or capture will ask. */
void ipsp_memo_note(const struct sk_buff *skb, const struct decided *d);
/*
 * The guard's question, and capture's: was this very packet just noted? One that has another
 * route, mark or name since is not the same, nor is any after a change.
 */
bool ipsp_memo_just_noted(const struct sk_buff *skb);
/* Behind every change of rules, policies, flows and devices; before a rule or flow is freed. */
void ipsp_memo_forget(void);
int ipsp_memo_init(void);
void ipsp_memo_exit(void);

#endif
