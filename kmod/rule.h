/* SPDX-License-Identifier: GPL-2.0 */
/* rule.h - the redirector's ordered table, one a namespace, replaced as a whole */
#ifndef IPSP_RULE_H
#define IPSP_RULE_H

#include <linux/cred.h>
#include <linux/netdevice.h>
#include <linux/workqueue.h>
#include "ipsec_port_selector.h"

struct compartment;
struct sock;

struct rule {
	struct ipsp_rule config;
	struct compartment *c;		/* referenced; NULL unless TO_PORT */
	kuid_t uid;			/* config's, in the namespace's user namespace */
	kgid_t gid;
	u32 label;			/* config's, as the security module counts them */
	u64 __percpu *hits;		/* NULL is allowed: not counted */
};

/*
 * A set that was not confirmed is undone by a work, which outlives whoever set it, their
 * terminal and their session.
 */
struct rule_revert {
	bool waits;			/* the table in force is not confirmed */
	unsigned long due;		/* jiffies */
	struct rule_table *confirmed;	/* NULL: there was none. While `waits` only */
	struct delayed_work work;
	struct net *net;
};

struct rule_table {
	u32 count;
	u8 directions;			/* of all rules: skip the rest quickly */
	bool by_owner;			/* one looks at sockets, or at what netfilter labelled */
	struct rule rule[];
};

/* The control device's calls. -EINVAL, -ENOENT, -EOPNOTSUPP with `bad` set; -E2BIG. */
int ipsp_rule_set(struct net *net, void *arg);		/* struct ipsp_rules */
int ipsp_rule_get(struct net *net, void *arg);
int ipsp_rule_confirm(struct net *net, void *arg);	/* under the mutex. -ENOENT */
/* Under the mutex: what names c drops, in force or set aside. -ENOMEM: nothing changed. */
int ipsp_rule_drop(struct net *net, struct compartment *c);
void ipsp_rule_net_init(struct net *net);
void ipsp_rule_net_exit(struct net *net);

/*
 * RCU read side. First match of t->direction, or NULL: pass. dev as in ipsp_rule.device; t's
 * label is that of a packet without socket.
 */
const struct rule *ipsp_rule_find(struct net *net, const struct ipsp_tuple *t,
				  const struct net_device *dev, const struct sock *sk);
/* The same of a packet whose socket cannot be known: a rule that names a compartment suits any. */
const struct rule *ipsp_rule_find_any_owner(struct net *net, const struct ipsp_tuple *t,
					    const struct net_device *dev);
/* RCU read side: do the rules give this inner packet (direction IN or FWD) to c? */
bool ipsp_rule_allows_inner(struct net *net, struct compartment *c,
			    const struct ipsp_tuple *t, const struct net_device *dev);

/* The other half of a label that leads to c. -ENOENT: none does; -EINVAL: not one half. */
int ipsp_rule_label(struct compartment *c, struct ipsp_label *l);

/* Tells two tables apart, to remember what one of them said; not to be followed. */
const void *ipsp_rule_version(const struct net *net);

/* RCU read side: is there more to a packet than its bytes, mark and device? */
bool ipsp_rule_by_owner(const struct net *net);

static inline bool ipsp_rule_protects(const struct rule *r)
{
	return r->config.flags & IPSP_RULEF_PROTECT;
}

#endif
