/* SPDX-License-Identifier: GPL-2.0 */
/*
 * memo.h - what passed a moment ago passes again, without asking rules and flows anew
 *
 * Only passing is remembered: of TCP and UDP, by what the rules and policies can see of a
 * packet, and only until anything changes that anybody could decide otherwise by.
 */
#ifndef IPSP_MEMO_H
#define IPSP_MEMO_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

struct rule;

/*
 * RCU read side. True: it passes, and is counted. False: *epoch is to be given to keep,
 * should the packet pass: what it was decided by may have changed meanwhile.
 */
bool ipsp_memo_passes(const struct sk_buff *skb, const struct net_device *dev, u8 direction,
		      unsigned long *epoch);
void ipsp_memo_keep(const struct sk_buff *skb, const struct net_device *dev, u8 direction,
		    const struct rule *rule, unsigned long epoch);
/*
 * The guard's question: did memo_passes just say so, going out, of this very packet? One
 * that has another route, mark or name since is not the same.
 */
bool ipsp_memo_just_passed(const struct sk_buff *skb);
/* Behind every change of rules, policies, flows and devices; before a rule is freed. */
void ipsp_memo_forget(void);

#endif
