/* SPDX-License-Identifier: GPL-2.0 */
/* receiver.h - the socket that a packet is for */
#ifndef IPSP_RECEIVER_H
#define IPSP_RECEIVER_H

#include <net/sock.h>
#include "ipsec_port_selector.h"

struct sk_buff;

/*
 * RCU read side; a packet at LOCAL_IN, whose names are t's. The TCP or UDP socket that will
 * get it, to be given back by sock_gen_put(), maybe one in TIME_WAIT; or NULL.
 */
struct sock *ipsp_receiver_find(struct net *net, struct sk_buff *skb,
				const struct ipsp_tuple *t);

#endif
