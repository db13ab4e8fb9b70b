// SPDX-License-Identifier: GPL-2.0
/*
 * reinject.c - released packets go back to where IP would have had them
 *
 * Out: ESP packets start at LOCAL_OUT, as the kernel's own ESP does, by the route to the
 * SA's other end. In: inner packets re-enter as received on the device that brought the
 * outer one, through gro_cells, so that the kernel's GRO merges them, with a secpath of
 * length 1 that holds the handle's keyless state.
 */
#include <linux/etherdevice.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <net/dst_cache.h>
#include <net/gro_cells.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/xfrm.h>
#include "compat/compat.h"
#include "compartment.h"
#include "encap.h"
#include "handle.h"
#include "redirector.h"

static struct net_device *reinject_device;	/* carries the NAPI of the gro_cells, no more */
static struct gro_cells reinject_cells;

/* ---- the way to the other end ---------------------------------------------------- */

static struct dst_entry *path_lookup4(struct net *net, const struct handle *h, u32 mark)
{
	struct flowi4 fl = { .flowi4_proto = ipsp_encap_protocol(&h->config), .flowi4_mark = mark };
	struct rtable *rt;

	memcpy(&fl.saddr, h->config.source, 4);
	memcpy(&fl.daddr, h->config.destination, 4);
	fl.fl4_sport = h->config.encap_source;
	fl.fl4_dport = h->config.encap_destination;
	rt = ip_route_output_key(net, &fl);
	return IS_ERR(rt) ? NULL : &rt->dst;
}

static struct dst_entry *path_lookup6(struct net *net, const struct handle *h, u32 mark)
{
	struct flowi6 fl = { .flowi6_proto = ipsp_encap_protocol(&h->config), .flowi6_mark = mark };
	struct dst_entry *dst;

	memcpy(&fl.saddr, h->config.source, 16);
	memcpy(&fl.daddr, h->config.destination, 16);
	fl.fl6_sport = h->config.encap_source;
	fl.fl6_dport = h->config.encap_destination;
	dst = ip6_route_output(net, NULL, &fl);
	if (!dst->error)
		return dst;
	dst_release(dst);
	return NULL;
}

static struct dst_entry *path_remember(struct handle *h, struct dst_entry *dst)
{
	struct in6_addr source;

	if (!dst)
		return NULL;
	memcpy(&source, h->config.source, 16);
	if (h->config.family == 4)
		dst_cache_set_ip4(&h->outer, dst, source.s6_addr32[0]);
	else
		dst_cache_set_ip6(&h->outer, dst, &source);
	return dst;
}

/* Softirqs are off: the cache is per CPU. Marked packets may be routed differently. */
static struct dst_entry *path_tunnel(struct net *net, struct handle *h, u32 mark)
{
	struct dst_entry *dst = mark ? NULL : dst_cache_get(&h->outer);

	if (dst)
		return dst;
	dst = h->config.family == 4 ? path_lookup4(net, h, mark) : path_lookup6(net, h, mark);
	return mark ? dst : path_remember(h, dst);
}

struct dst_entry *ipsp_reinject_path(struct compartment *c, struct handle *h,
				     const struct sk_buff *skb)
{
	struct dst_entry *dst;

	if (h->config.mode == IPSP_SA_TRANSPORT) {
		dst = ipsp_divert_path(skb_dst(skb));
		return dst && dst_hold_safe(dst) ? dst : NULL;
	}
	local_bh_disable();
	dst = path_tunnel(c->net, h, skb->mark);
	local_bh_enable();
	return dst;
}

/* ---- out ------------------------------------------------------------------------- */

static void out_inherit(struct sk_buff *skb, const struct sk_buff *from)
{
	skb->priority = from->priority;
	skb->mark = from->mark;
	skb->tstamp = from->tstamp;
	skb_copy_hash(skb, from);
	skb_copy_queue_mapping(skb, from);
	skb_copy_secmark(skb, from);
	if (from->sk && sk_fullsock(from->sk))
		skb_set_owner_w(skb, from->sk);
}

static void out_send(struct net *net, struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP)) {
		ip_local_out(net, skb->sk, skb);
		return;
	}
	skb->ignore_df = 1;		/* IPv6: only the sender fragments, and that is us */
	ip6_local_out(net, skb->sk, skb);
}

/* Nobody cuts a super-packet of AH. */
static struct sk_buff *out_alone(struct sk_buff *head, u32 mtu)
{
	struct sk_buff *rest = head->next;

	skb_mark_not_on_list(head);
	return rest;
}

u32 ipsp_reinject_out(struct compartment *c, struct ticket *t)
{
	struct dst_entry *path = ipsp_reinject_path(c, t->handle, t->skb);
	u32 packets = 0, bytes = 0, mtu;
	struct sk_buff *(*gather)(struct sk_buff *head, u32 mtu);
	struct sk_buff *skb, *next;

	if (!path)
		return IPSP_DROP_GONE;
	gather = ipsp_encap_is(&t->handle->config) ? ipsp_encap_gather :
		 t->handle->config.protocol == IPPROTO_AH ? out_alone : ipsp_offload_gather;
	mtu = dst_mtu(path);
	ipsp_redirector_sending(true);
	for (skb = t->answer; skb; skb = next) {
		next = gather(skb, mtu);
		out_inherit(skb, t->skb);
		skb_dst_set(skb, dst_clone(path));
		packets += skb_is_gso(skb) ? skb_shinfo(skb)->gso_segs : 1;
		bytes += skb->len;
		out_send(c->net, skb);
	}
	ipsp_redirector_sending(false);
	t->answer = NULL;
	dst_release(path);
	ipsp_count_add(c, OUT_PACKETS, packets);
	ipsp_count_add(c, OUT_BYTES, bytes);
	return 0;
}

/* The packet as it was, by its own route; POST_ROUTING is behind it. */
void ipsp_reinject_clear(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	struct dst_entry *path = ipsp_divert_path(skb_dst(skb));

	if (path != skb_dst(skb)) {
		dst_hold(path);
		skb_dst_drop(skb);
		skb_dst_set(skb, path);
	}
	if (skb->protocol == htons(ETH_P_IP))
		IPCB(skb)->flags |= IPSKB_REROUTED;
	else
		IP6CB(skb)->flags |= IP6SKB_REROUTED;
	dst_output(net, sk, skb);
}

/* ---- too big --------------------------------------------------------------------- */

/*
 * The kernel's ESP tells a datagram socket while it sends, by its route. Ours tells it
 * later, by an error that its next call returns, as an ICMP error does, to those who asked
 * for errors or are connected.
 */
static void toobig_local(struct sk_buff *skb, u32 mtu)
{
	struct sock *sk = skb->sk;

	xfrm_local_error(skb, mtu);
	if ((sk->sk_type != SOCK_DGRAM && sk->sk_type != SOCK_RAW) ||
	    (sk->sk_state != TCP_ESTABLISHED && skb_queue_empty_lockless(&sk->sk_error_queue)))
		return;
	WRITE_ONCE(sk->sk_err, EMSGSIZE);
	sk_error_report(sk);
}

/* Tells the socket of a local packet, the sender of a forwarded one. */
void ipsp_reinject_toobig(struct compartment *c, struct ticket *t)
{
	struct sk_buff *skb = t->skb;
	bool v4 = skb->protocol == htons(ETH_P_IP);
	struct dst_entry *path = ipsp_divert_path(skb_dst(skb));

	rcu_read_lock();
	skb->dev = path->dev;
	if ((t->flags & IPSP_PKT_LOCAL) && skb->sk && sk_fullsock(skb->sk))
		toobig_local(skb, t->answer_mtu);
	else if (v4)
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(t->answer_mtu));
	else
		icmpv6_send(skb, ICMPV6_PKT_TOOBIG, 0, t->answer_mtu);
	rcu_read_unlock();
}

/* ---- in -------------------------------------------------------------------------- */

/* The outer packet's link header goes in front of the inner one: GRO and taps look at it. */
static void in_link_header(struct sk_buff *skb, const struct sk_buff *outer)
{
	u32 len = skb_mac_header_was_set(outer) ? outer->mac_len : 0;

	if (!len || len > skb_headroom(skb)) {
		skb_reset_mac_header(skb);
		return;
	}
	memcpy(skb->data - len, skb_mac_header(outer), len);
	skb_set_mac_header(skb, -(int)len);
	skb->mac_len = len;
	if (len == ETH_HLEN)
		eth_hdr(skb)->h_proto = skb->protocol;
}

static bool in_secpath(struct sk_buff *skb, struct handle *h)
{
	struct sec_path *sp = secpath_set(skb);

	if (!sp)
		return false;
	xfrm_state_hold(h->xs);
	sp->xvec[sp->len++] = h->xs;
	return true;
}

u32 ipsp_reinject_in(struct compartment *c, struct ticket *t)
{
	struct sk_buff *skb = t->answer;
	const u32 mask = READ_ONCE(c->config.mark_mask);

	skb->dev = dev_get_by_index_rcu(c->net, t->ifindex);
	if (!skb->dev)
		return IPSP_DROP_GONE;
	if (!in_secpath(skb, t->handle))
		return IPSP_DROP_NO_MEMORY;
	t->answer = NULL;
	skb->pkt_type = PACKET_HOST;
	skb->priority = t->skb->priority;
	skb->mark = (t->skb->mark & ~mask) | (READ_ONCE(c->config.mark) & mask);
	skb_copy_queue_mapping(skb, t->skb);
	in_link_header(skb, t->skb);
	ipsp_count(c, IN_PACKETS);
	ipsp_count_add(c, IN_BYTES, skb->len);
	gro_cells_receive(&reinject_cells, skb);
	return 0;
}

/* ---- life ------------------------------------------------------------------------ */

int ipsp_reinject_init(void)
{
	int err;

	reinject_device = ipsp_alloc_dummy_device();
	if (!reinject_device)
		return -ENOMEM;
	err = gro_cells_init(&reinject_cells, reinject_device);
	if (err)
		ipsp_free_dummy_device(reinject_device);
	else
		ipsp_offload_init();
	return err;
}

void ipsp_reinject_exit(void)
{
	ipsp_offload_exit();
	gro_cells_destroy(&reinject_cells);
	ipsp_free_dummy_device(reinject_device);
}
