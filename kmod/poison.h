/* SPDX-License-Identifier: GPL-2.0 */
/* poison.h - packets that two stacks died on */
#ifndef IPSP_POISON_H
#define IPSP_POISON_H

#include <linux/types.h>

struct compartment;
struct net;
struct sk_buff;
struct ticket;

void ipsp_poison_init(struct compartment *c);
void ipsp_poison_exit(struct compartment *c);
/* Under c->lock: keeps a copy. `type` is the ticket's record, `stack` who died last. */
void ipsp_poison_keep(struct compartment *c, const struct ticket *t, u16 type, u32 stack);
/* A clone that holds neither a device, nor a route, nor a connection, nor a socket; or NULL. */
struct sk_buff *ipsp_poison_clone(struct sk_buff *skb);
/* The control device's call. */
int ipsp_poison_get(struct net *net, void *arg);	/* struct ipsp_poison */

#endif
