// SPDX-License-Identifier: GPL-2.0
/*
 * packet.c - what of a packet the redirector may look at: IP headers, ports, ICMP type
 *
 * Nothing below (invariant 1). Every access is bounds-checked by skb_header_pointer.
 */
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack.h>
#include "encap.h"
#include "label.h"
#include "redirector.h"

static bool packet_has_ports(u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

/* Ports, or ICMP type and code in their place. A packet too short for them has none. */
static void packet_ports(const struct sk_buff *skb, u32 at, struct ipsp_tuple *t)
{
	__be16 ports[2];
	u8 icmp[2];
	const void *p;

	if (packet_has_ports(t->protocol)) {
		p = skb_header_pointer(skb, at, sizeof(ports), ports);
		if (!p)
			return;
		t->source_port = ntohs(((const __be16 *)p)[0]);
		t->destination_port = ntohs(((const __be16 *)p)[1]);
		t->has_ports = 1;
	} else if (t->protocol == (t->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		p = skb_header_pointer(skb, at, sizeof(icmp), icmp);
		if (!p)
			return;
		t->source_port = ((const u8 *)p)[0];
		t->destination_port = ((const u8 *)p)[1];
		t->has_ports = 1;
	}
}

static bool packet_tuple4(struct sk_buff *skb, struct ipsp_tuple *t, u16 *flags)
{
	u32 at = skb_network_offset(skb);
	const struct iphdr *ip;
	struct iphdr copy;

	ip = skb_header_pointer(skb, at, sizeof(copy), &copy);
	if (!ip)
		return false;
	memcpy(t->source, &ip->saddr, 4);
	memcpy(t->destination, &ip->daddr, 4);
	if (ip->version != 4 || ip->ihl < 5)
		return false;
	t->protocol = ip->protocol;
	if (ip_is_fragment(ip))
		*flags |= IPSP_PKT_FRAGMENT;
	if (!(ip->frag_off & htons(IP_OFFSET)))
		packet_ports(skb, at + ip->ihl * 4, t);
	return true;
}

/*
 * As ipv6_skip_exthdr(), which takes AH for an extension header too: here it is the protocol
 * of an SA, like ESP.
 */
static int packet_skip6(const struct sk_buff *skb, int at, u8 *nexthdr, __be16 *fragment)
{
	unsigned int ah = 0;
	int flags = 0, begin = at + sizeof(struct ipv6hdr);
	int end = ipv6_skip_exthdr(skb, begin, nexthdr, fragment);

	if (end <= begin || (*fragment & htons(~0x7)) ||
	    ipv6_find_hdr(skb, &ah, NEXTHDR_AUTH, NULL, &flags) < 0)
		return end;
	*nexthdr = NEXTHDR_AUTH;
	return ah;
}

/* "No next header" (RFC 8200 4.7) ends a chain as well as a protocol does. */
static bool packet_has_none6(const struct sk_buff *skb)
{
	unsigned int at = 0;

	return ipv6_find_hdr(skb, &at, NEXTHDR_NONE, NULL, NULL) == NEXTHDR_NONE;
}

static bool packet_tuple6(struct sk_buff *skb, struct ipsp_tuple *t, u16 *flags)
{
	int at = skb_network_offset(skb);
	const struct ipv6hdr *ip;
	struct ipv6hdr copy;
	__be16 fragment = 0;
	u8 nexthdr;

	ip = skb_header_pointer(skb, at, sizeof(copy), &copy);
	if (!ip)
		return false;
	memcpy(t->source, &ip->saddr, 16);
	memcpy(t->destination, &ip->daddr, 16);
	t->protocol = NEXTHDR_NONE;
	if (ip->version != 6)
		return false;
	nexthdr = ip->nexthdr;
	at = packet_skip6(skb, at, &nexthdr, &fragment);
	if (at < 0)
		return packet_has_none6(skb);
	/* at a later fragment the walk stops in front of the fragment header */
	if (nexthdr == NEXTHDR_FRAGMENT && skb_copy_bits(skb, at, &nexthdr, 1))
		return false;
	t->protocol = nexthdr;
	if (fragment)
		*flags |= IPSP_PKT_FRAGMENT;
	if (!(fragment & htons(~0x7)))
		packet_ports(skb, at, t);
	return true;
}

bool ipsp_packet_tuple(struct sk_buff *skb, u8 family, u8 direction, struct ipsp_tuple *t,
		       u16 *flags)
{
	memset(t, 0, sizeof(*t));
	t->family = family;
	t->direction = direction;
	t->mark = skb->mark;
	t->label = ipsp_label_of_packet(skb);
	return family == 4 ? packet_tuple4(skb, t, flags) : packet_tuple6(skb, t, flags);
}

/*
 * Policies speak of what was on the wire; DNAT comes before any hook of ours. The kernel's
 * own check restores the names in the same way (nf_nat_decode_session). Of sources there is
 * nothing to restore: in the way in they are renamed behind us.
 */
void ipsp_packet_undo_dnat(const struct sk_buff *skb, struct ipsp_tuple *t)
{
	const struct nf_conntrack_tuple *wire;
	enum ip_conntrack_info info;
	const struct nf_conn *ct = nf_ct_get(skb, &info);
	bool answer;

	if (!ct)
		return;
	answer = CTINFO2DIR(info) == IP_CT_DIR_REPLY;
	if (!(ct->status & (answer ? IPS_SRC_NAT : IPS_DST_NAT)))
		return;
	wire = &ct->tuplehash[CTINFO2DIR(info)].tuple;
	memcpy(t->destination, &wire->dst.u3, t->family == 4 ? 4 : 16);
	if (packet_has_ports(t->protocol) && t->has_ports && t->protocol == wire->dst.protonum)
		t->destination_port = ntohs(wire->dst.u.all);
}

/* Router and neighbour discovery: without it there is no link to protect. */
bool ipsp_packet_is_discovery(const struct ipsp_tuple *t)
{
	return t->family == 6 && t->protocol == IPPROTO_ICMPV6 && t->has_ports &&
	       t->source_port >= 133 && t->source_port <= 137;
}

/* Behind the IP headers, or -1: a later fragment. */
static int packet_transport(const struct sk_buff *skb, u8 family)
{
	int at = skb_network_offset(skb);
	__be16 fragment = 0;
	u8 nexthdr;

	if (family == 4)
		return ip_hdr(skb)->frag_off & htons(IP_OFFSET) ? -1 : at + ip_hdrlen(skb);
	nexthdr = ipv6_hdr(skb)->nexthdr;
	at = packet_skip6(skb, at, &nexthdr, &fragment);
	return fragment & htons(~0x7) ? -1 : at;
}

bool ipsp_packet_spi(const struct sk_buff *skb, const struct ipsp_tuple *t, __be32 *spi)
{
	const __be32 *p;
	int at;

	if (t->protocol != IPPROTO_ESP && t->protocol != IPPROTO_AH && t->protocol != IPPROTO_UDP)
		return false;
	at = packet_transport(skb, t->family);
	if (at < 0)
		return false;
	if (t->protocol == IPPROTO_UDP)
		at += sizeof(struct udphdr);
	at += ipsp_numbered_at(t->protocol);
	p = skb_header_pointer(skb, at, sizeof(*spi), spi);
	if (!p)
		return false;
	*spi = *p;
	return *spi || t->protocol != IPPROTO_UDP;
}
