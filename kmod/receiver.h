/* SPDX-License-Identifier: GPL-2.0 */
/* receiver.h - the socket that a packet is for */
#ifndef IPSP_RECEIVER_H
#define IPSP_RECEIVER_H

#include <net/sock.h>
#include "ipsec_port_selector.h"

struct net_device;
struct rule;
struct sk_buff;

/*
 * RCU read side; a packet at LOCAL_IN, whose names are t's. The TCP or UDP socket that will
 * get it, to be given back by sock_gen_put(), maybe one in TIME_WAIT; or NULL.
 */
struct sock *ipsp_receiver_find(struct net *net, struct sk_buff *skb,
				const struct ipsp_tuple *t);

/*
 * RCU read side; t of a packet that comes in or goes through (direction), under its present
 * name; gets its old one back (DNAT), by which the rules know it. What they say of it, where
 * they ask for an owner by the socket that would get it. Of a fragment (flags: IPSP_PKT_*)
 * nobody knows the socket: it must suit the first compartment that it may be for.
 */
const struct rule *ipsp_receiver_rule(struct net *net, struct sk_buff *skb,
				      const struct net_device *dev, struct ipsp_tuple *t,
				      u16 flags);

#endif
