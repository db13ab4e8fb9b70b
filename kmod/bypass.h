/* SPDX-License-Identifier: GPL-2.0 */
/* bypass.h - sockets of IKE daemons, whose packets nobody protects: IP_XFRM_POLICY */
#ifndef IPSP_BYPASS_H
#define IPSP_BYPASS_H

#include <net/sock.h>
#include "ipsec_port_selector.h"

struct sk_buff;

int ipsp_bypass_init(void);
void ipsp_bypass_exit(void);

/* RCU read side. Has this socket (NULL: none) such a policy in that direction? */
bool ipsp_bypass_by_socket(const struct sock *sk, u8 direction);
/* The same of the UDP socket that a clear packet is for. */
bool ipsp_bypass_by_receiver(struct net *net, struct sk_buff *skb, const struct ipsp_tuple *t);

#endif
