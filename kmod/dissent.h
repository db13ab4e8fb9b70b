/* SPDX-License-Identifier: GPL-2.0 */
/* dissent.h - what stacks disagreed on */
#ifndef IPSP_DISSENT_H
#define IPSP_DISSENT_H

#include <linux/list.h>
#include <linux/skbuff.h>
#include <linux/types.h>
#include "ipsec_port.h"

struct ballot;
struct compartment;
struct net;

void ipsp_dissent_init(struct compartment *c);
void ipsp_dissent_exit(struct compartment *c);
/*
 * Under c->lock: keeps a copy of the packet and references to the first ballots, `elected`
 * (or NULL) before the others. `about`: type, stack, handle, ticket.
 */
void ipsp_dissent_keep(struct compartment *c, struct sk_buff *packet,
		       struct list_head *ballots, struct ballot *elected,
		       const struct ipsp_dissent *about);
/* The control device's call. */
int ipsp_dissent_get(struct net *net, void *arg);	/* struct ipsp_dissent */

#endif
