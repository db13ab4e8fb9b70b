/* SPDX-License-Identifier: GPL-2.0 */
/* protect.h - the compartment's policy selectors with one bit each: clear or not */
#ifndef IPSP_PROTECT_H
#define IPSP_PROTECT_H

#include "ipsec_port_selector.h"

struct compartment;

struct protect_list {
	struct rcu_head rcu;
	u32 count;
	u32 mark_mask;			/* joint mask of the selectors */
	bool uses_ifindex;
	struct ipsp_protect entry[];	/* by (priority, age) */
};

enum protect_answer { PROTECT_NONE, PROTECT_CLEAR, PROTECT_MUST };

/*
 * Under c->admin: the list that a POLICY record (sane, private) makes of the present one.
 * -EINVAL: a bad entry or operation; nothing changed.
 */
struct protect_list *ipsp_protect_prepare(struct compartment *c,
					  const struct ipsp_policy *policy,
					  const struct ipsp_policy_entry *entry, u32 bytes);
/* Under c->admin and c->lock: puts it in force. */
void ipsp_protect_commit(struct compartment *c, struct protect_list *list);
void ipsp_protect_discard(struct protect_list *list);
void ipsp_protect_compartment_exit(struct compartment *c);

/* RCU read side. */
enum protect_answer ipsp_protect_ask(struct compartment *c, const struct ipsp_tuple *t);
/* The part of mark and ifindex that policies look at: what belongs in a flow's key. */
void ipsp_protect_mask_tuple(struct compartment *c, struct ipsp_tuple *t);

#endif
