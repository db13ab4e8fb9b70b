/* SPDX-License-Identifier: GPL-2.0 */
/* encap.h - ESP in UDP (RFC 3948): the eight bytes between IP and ESP */
#ifndef IPSP_ENCAP_H
#define IPSP_ENCAP_H

#include <linux/in.h>
#include <linux/skbuff.h>
#include "ipsec_port_selector.h"

struct compartment;
struct handle;

static inline bool ipsp_encap_is(const struct ipsp_handle *h)
{
	return h->encap_source;		/* both ports or none: handle.c */
}

/* What the outer IP header names. */
static inline u8 ipsp_encap_protocol(const struct ipsp_handle *h)
{
	return ipsp_encap_is(h) ? IPPROTO_UDP : h->protocol;
}

/* SPI and number, which ESP has in front and AH behind four bytes. */
struct numbered {
	__be32 spi, number;
};

static inline u32 ipsp_numbered_at(u8 protocol)
{
	return protocol == IPPROTO_AH ? 4 : 0;
}

/* Is this tuple that of a packet of h, as it is on the wire? Its source may have moved (NAT). */
bool ipsp_encap_carries(const struct handle *h, const struct ipsp_tuple *t);

/*
 * An outbound packet of h, its transport header set: are the eight bytes as they must be?
 * Over IPv6 the checksum is left to whoever finishes checksums: there it may not be zero.
 */
bool ipsp_encap_check(struct sk_buff *skb, const struct ipsp_handle *h);
/* Packets of one list that may go as one super-packet of UDP become one; the rest of it. */
struct sk_buff *ipsp_encap_gather(struct sk_buff *head, u32 mtu);

/* An inbound packet of ours, whole, and no message of an IKE daemon's on the same port? */
bool ipsp_encap_is_ours(struct net *net, struct sk_buff *skb, u8 family);
/* The end of LOCAL_IN for what is ours: whoever filters what comes in has seen it. */
int ipsp_encap_open(struct net *net, struct sock *sk, struct sk_buff *skb);
/* The outer packet of an authentic inbound one: has the peer another address or port now? */
void ipsp_encap_seen(struct compartment *c, struct handle *h, const struct sk_buff *outer);

#endif
