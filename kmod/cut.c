// SPDX-License-Identifier: GPL-2.0
/*
 * cut.c - what a packet is cut into before it is dealt
 *
 * TCP is cut by the stack, and an IPv4 packet that is too long and may be fragmented is
 * fragmented behind protection, as the kernel's ESP does. Here are cut: super-packets that
 * no record can say, and IPv6 packets too long for a tunnel that may be fragmented.
 */
#include <linux/percpu.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/ipv6_stubs.h>
#include "compat/compat.h"
#include "compartment.h"
#include "handle.h"
#include "redirector.h"

/* ---- by a stack ------------------------------------------------------------------ */

static u32 cut_header_len(const struct sk_buff *skb)
{
	u32 network = skb_transport_offset(skb);

	if (skb_is_gso_tcp(skb))
		return network + tcp_hdrlen(skb);
	return network + 60;		/* the longest TCP header */
}

static u8 cut_protocol(const struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP))
		return ip_hdr(skb)->protocol;
	return ipv6_hdr(skb)->nexthdr;
}

/*
 * How many numbers: the kernel's upper bound of the segments at this MTU. What is not
 * used is skipped on the wire. A plain TCP packet that is too long is cut as well. What is cut
 * has a *header and a *piece, see struct ticket.
 */
u32 ipsp_cut_count(const struct sk_buff *skb, u32 mtu, u32 *header, u32 *piece)
{
	u32 repeated, room, size = skb_shinfo(skb)->gso_size;

	if (skb_is_gso(skb) && !skb_is_gso_tcp(skb)) {
		*header = skb_transport_offset(skb) + 8;
		*piece = size;
		return DIV_ROUND_UP(skb->len - *header, size);
	}
	if (!skb_is_gso(skb) && (skb->len <= mtu || cut_protocol(skb) != IPPROTO_TCP))
		return 1;
	repeated = cut_header_len(skb);
	if (repeated + 8 > mtu || repeated >= skb->len)
		return 1;
	*header = repeated;
	room = mtu - repeated;
	*piece = size && size < room ? size : room;
	return DIV_ROUND_UP(skb->len - *header, *piece);
}

/* ---- by us ----------------------------------------------------------------------- */

static u32 cut_largest_fragment(const struct sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_IP) ? IPCB(skb)->frag_max_size :
						  IP6CB(skb)->frag_max_size;
}

/* What connection tracking put together may come apart again, but not in longer pieces. */
u16 ipsp_cut_flags(const struct sk_buff *skb, u16 flags, u32 mtu)
{
	u32 largest = cut_largest_fragment(skb);

	if (!(flags & IPSP_PKT_LOCAL) && skb->ignore_df && largest && largest <= mtu)
		flags |= IPSP_PKT_IGNORE_DF;
	return flags;
}

/* Super-packets that a record cannot say: tunnels inside, SCTP, frag lists, and BIG TCP. */
static bool cut_is_unknown(const struct sk_buff *skb)
{
	const u32 known = SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_UDP_L4 | SKB_GSO_TCP_ECN |
			  SKB_GSO_DODGY | SKB_GSO_TCP_FIXEDID;

	return skb_is_gso(skb) && ((skb_shinfo(skb)->gso_type & ~known) || skb->len > IP_MAX_MTU);
}

static bool cut_is_to_fragment(const struct handle *h, const struct sk_buff *skb, u16 flags,
			       u32 mtu)
{
	return skb->len > mtu && !skb_is_gso(skb) && (flags & IPSP_PKT_IGNORE_DF) &&
	       skb->protocol == htons(ETH_P_IPV6) && h->config.mode == IPSP_SA_TUNNEL &&
	       ipv6_hdr(skb)->nexthdr != IPPROTO_TCP;
}

bool ipsp_cut_is_due(const struct handle *h, const struct sk_buff *skb, u16 flags, u32 mtu)
{
	return cut_is_unknown(skb) || cut_is_to_fragment(h, skb, flags, mtu);
}

static bool cut_segments(struct sk_buff *skb, struct sk_buff_head *parts)
{
	struct sk_buff *segs = skb_gso_segment(skb, NETIF_F_SG), *next;

	if (IS_ERR_OR_NULL(segs)) {
		kfree_skb(skb);
		return false;
	}
	consume_skb(skb);
	skb_list_walk_safe(segs, skb, next) {
		skb_mark_not_on_list(skb);
		__skb_queue_tail(parts, skb);
	}
	return true;
}

/* ip6_fragment hands each piece to a function that knows nothing but the piece. */
static DEFINE_PER_CPU(struct sk_buff_head *, cut_parts);

static int cut_take_fragment(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	__skb_queue_tail(this_cpu_read(cut_parts), skb);
	return 0;
}

/* Its MTU is the route's, or less: the largest fragment that it may make. */
static bool cut_fragments(struct net *net, struct sk_buff *skb, u32 mtu,
			  struct sk_buff_head *parts)
{
	u32 largest = cut_largest_fragment(skb);
	int err;

	mtu = min(mtu, ip6_skb_dst_mtu(skb));
	IP6CB(skb)->frag_max_size = largest ? min(largest, mtu) : mtu;
	skb->ignore_df = 1;
	local_bh_disable();
	this_cpu_write(cut_parts, parts);
	err = ipv6_stub->ipv6_fragment(net, skb->sk, skb, cut_take_fragment);
	local_bh_enable();
	if (err)
		__skb_queue_purge(parts);
	return !err;
}

bool ipsp_cut(struct net *net, struct sk_buff *skb, u16 *flags, u32 mtu,
	      struct sk_buff_head *parts)
{
	__skb_queue_head_init(parts);
	if (skb_is_gso(skb))
		return cut_segments(skb, parts);
	*flags |= IPSP_PKT_FRAGMENT;
	return cut_fragments(net, skb, mtu, parts);
}
