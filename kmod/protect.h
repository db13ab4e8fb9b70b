/* SPDX-License-Identifier: GPL-2.0 */
/* protect.h - the compartment's policy selectors with one bit each: clear or not */
#ifndef IPSP_PROTECT_H
#define IPSP_PROTECT_H

#include "ipsec_port_selector.h"

struct compartment;
struct sk_buff;

#define PROTECT_BITS	14

struct protect_list {
	struct rcu_head rcu;
	u32 count;			/* only rises while in force; what is below it is written */
	u32 room;
	u32 mark_mask;			/* joint mask of the selectors */
	bool uses_ifindex;
	bool uses_label;
	DECLARE_BITMAP(has, 1 << PROTECT_BITS);	/* indices, by a hash; some may be no more */
	struct ipsp_protect entry[];	/* by (priority, age) */
};

enum protect_answer { PROTECT_NONE, PROTECT_CLEAR, PROTECT_MUST };

/*
 * Under c->admin: the list that a POLICY record (sane, private) makes of the present one; it
 * may be the present one itself, which gains an entry when it is committed. -EINVAL: a bad
 * entry or operation; nothing changed.
 */
struct protect_list *ipsp_protect_prepare(struct compartment *c,
					  const struct ipsp_policy *policy,
					  const struct ipsp_policy_entry *entry, u32 bytes);
/* Under c->admin and c->lock: puts it in force. */
void ipsp_protect_commit(struct compartment *c, struct protect_list *list);
/* Under c->admin: it was not committed. */
void ipsp_protect_discard(struct compartment *c, struct protect_list *list);
void ipsp_protect_compartment_exit(struct compartment *c);

/* RCU read side. */
enum protect_answer ipsp_protect_ask(struct compartment *c, const struct ipsp_tuple *t);
/* The part of mark, ifindex and label that policies look at: what belongs in a flow's key. */
void ipsp_protect_mask_tuple(struct compartment *c, struct sk_buff *skb, struct ipsp_tuple *t);
bool ipsp_protect_by_label(struct compartment *c);
/* The label that t's SA must have; 0: none. */
u32 ipsp_protect_label(struct compartment *c, const struct ipsp_tuple *t);

#endif
