/* SPDX-License-Identifier: GPL-2.0 */
/* netns.h - what the module keeps for each network namespace */
#ifndef IPSP_NETNS_H
#define IPSP_NETNS_H

#include <linux/rhashtable.h>
#include <net/dst_ops.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include "ipsec_port.h"
#include "rule.h"

struct relay;

struct ipsp_net {
	struct rule_table __rcu *rules;		/* written under ipsp_compartment_mutex */
	struct rule_revert revert;		/* protected by ipsp_compartment_mutex */
	struct rhashtable handles;		/* all handles, by struct handle_key */
	atomic_t handles_out;			/* how many of them are outbound */
	atomic_t handles_encap[2];		/* in UDP, by direction */
	atomic64_t drop[IPSP_DROP_COUNT];	/* that belong to no compartment */
	struct dst_ops divert4;			/* of diverted dsts, see divert.c */
	struct dst_ops divert6;
	struct relay __rcu *relay;		/* written under ipsp_compartment_mutex */
	struct list_head relay_list;		/* relay_nets, protected by that, too */
	struct net *net;			/* whose this is */
	bool relay_is_new;			/* protected by that: see relay_switch_all */
};

extern unsigned int ipsp_net_id;
extern bool ipsp_closed;		/* main.c: a namespace without rules drops all */

static inline struct ipsp_net *ipsp_net(const struct net *net)
{
	return net_generic(net, ipsp_net_id);
}

/* The same in a hook, which is an RCU read side as it is: net_generic() would enter another. */
static inline struct ipsp_net *ipsp_net_of_hook(const struct nf_hook_state *state)
{
	return rcu_dereference(state->net->gen)->ptr[ipsp_net_id];
}

int ipsp_netns_init(void);
void ipsp_netns_exit(void);

#endif
