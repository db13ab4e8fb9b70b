/* SPDX-License-Identifier: GPL-2.0 */
/* label.h - the security context of a socket, as a number of this boot's security module */
#ifndef IPSP_LABEL_H
#define IPSP_LABEL_H

#include <linux/types.h>

struct net;
struct sk_buff;
struct sock;

/*
 * The number of a context (a string that ends). May sleep. -EOPNOTSUPP: nobody here labels
 * sockets; -EINVAL: no context that the security module knows.
 */
int ipsp_label_find(struct net *net, const char *context, u32 *label);

/* Any context. sk is a whole one, not a request or in TIME_WAIT. 0: it has none. */
u32 ipsp_label_of_socket(const struct sock *sk);
/* What netfilter's SECMARK gave a packet. 0: nothing. */
u32 ipsp_label_of_packet(const struct sk_buff *skb);
/* One that leaves: its socket's, where it has a whole one. */
u32 ipsp_label_of_sender(struct sk_buff *skb);
/* As SECMARK would. */
void ipsp_label_packet(struct sk_buff *skb, u32 label);

#endif
