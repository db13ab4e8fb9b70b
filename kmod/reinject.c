// SPDX-License-Identifier: GPL-2.0
/*
 * reinject.c - released packets go back to where IP would have had them
 *
 * Out: ESP packets start at LOCAL_OUT, as the kernel's own ESP does, by the route to the
 * SA's other end. In: inner packets re-enter as received on the device that brought the
 * outer one, with a secpath of length 1 that holds the handle's keyless state. A packet
 * that is alone goes straight in. Of several, the kernel's GRO merges what a stack did not:
 * by a NAPI of this CPU, which nobody schedules, and which keeps nothing beyond the run.
 */
#include <linux/etherdevice.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <net/dst_cache.h>
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
#include "label.h"
#include "redirector.h"

static struct net_device *reinject_device;	/* carries the NAPIs, no more */

/* Used with softirqs off, by one run at a time. */
struct merger {
	struct napi_struct napi;
	bool merges;
};

static struct merger __percpu *reinject_mergers;

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

/* Not sealed by all yet: each goes to the next SA, by the way that this one would have had. */
static u32 out_next(struct compartment *c, struct ticket *t)
{
	const struct bundle rest = ipsp_bundle_rest(&t->bundle);
	const u16 flags = (t->flags & IPSP_PKT_LOCAL) | IPSP_PKT_IGNORE_DF;
	struct handle *next = ipsp_bundle_next(c, &t->bundle);
	struct dst_entry *path;
	struct sk_buff *skb;

	path = next ? ipsp_reinject_path(c, t->handle, t->skb) : NULL;
	if (!path)
		return next ? IPSP_DROP_GONE : IPSP_DROP_STALE;
	while ((skb = t->answer)) {
		t->answer = skb->next;
		skb_mark_not_on_list(skb);
		out_inherit(skb, t->skb);
		skb_dst_set(skb, dst_clone(path));
		ipsp_deal_protect(c, next, &rest, skb, flags);
	}
	dst_release(path);
	return 0;
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
	struct sk_buff *(*gather)(struct sk_buff *head, u32 mtu);
	u32 packets = 0, bytes = 0, mtu;
	struct sk_buff *skb, *next;
	struct dst_entry *path;

	if (t->bundle.outer[0])
		return out_next(c, t);
	path = ipsp_reinject_path(c, t->handle, t->skb);
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

static void in_came_by(struct sec_path *sp, struct xfrm_state *x)
{
	xfrm_state_hold(x);
	sp->xvec[sp->len++] = x;
}

/* Ours that the outer packet came out of before; no more than a record can say. */
static bool in_secpath(struct sk_buff *skb, struct handle *h, const struct sk_buff *outer)
{
	const struct sec_path *before = skb_sec_path(outer);
	struct sec_path *sp = secpath_set(skb);
	int i;

	if (!sp)
		return false;
	BUILD_BUG_ON(IPSP_STAMPS > XFRM_MAX_DEPTH);
	for (i = 0; before && i < before->len; i++)
		if (ipsp_handle_of_state(before->xvec[i]))
			in_came_by(sp, before->xvec[i]);
	in_came_by(sp, h->xs);
	return true;
}

/* Softirqs are off until all of the run has been received: it stays in its order. */
bool ipsp_reinject_merge_begin(void)
{
	struct merger *m = this_cpu_ptr(reinject_mergers);

	if (!napi_schedule_prep(&m->napi))
		return false;		/* it is in use, by the run that we are called from */
	m->merges = true;
	return true;
}

void ipsp_reinject_merge_end(void)
{
	struct merger *m = this_cpu_ptr(reinject_mergers);

	m->merges = false;
	napi_complete_done(&m->napi, 1);
}

/*
 * GRO may hand on what it holds from here, and that may have us release a run of another
 * compartment: a NAPI is not entered twice, what comes so goes straight in.
 */
static void in_receive(struct sk_buff *skb)
{
	struct merger *m = this_cpu_ptr(reinject_mergers);

	if (!m->merges) {
		netif_receive_skb(skb);
		return;
	}
	m->merges = false;
	napi_gro_receive(&m->napi, skb);
	m->merges = true;
}

u32 ipsp_reinject_in(struct compartment *c, struct ticket *t)
{
	struct sk_buff *skb = t->answer;
	const u32 mask = READ_ONCE(c->config.mark_mask);

	skb->dev = dev_get_by_index_rcu(c->net, t->ifindex);
	if (!skb->dev)
		return IPSP_DROP_GONE;
	if (!in_secpath(skb, t->handle, t->skb))
		return IPSP_DROP_NO_MEMORY;
	t->answer = NULL;
	skb->pkt_type = PACKET_HOST;
	skb->priority = t->skb->priority;
	skb->mark = (t->skb->mark & ~mask) | (READ_ONCE(c->config.mark) & mask);
	ipsp_label_packet(skb, t->handle->config.label);
	skb_copy_queue_mapping(skb, t->skb);
	in_link_header(skb, t->skb);
	ipsp_count(c, IN_PACKETS);
	ipsp_count_add(c, IN_BYTES, skb->len);
	in_receive(skb);
	return 0;
}

/* ---- life ------------------------------------------------------------------------ */

/* Nobody schedules it but for a moment, see merge_begin. */
static int merger_poll(struct napi_struct *napi, int budget)
{
	napi_complete_done(napi, 0);
	return 0;
}

static int mergers_init(void)
{
	struct merger *m;
	int cpu;

	reinject_mergers = alloc_percpu(struct merger);
	if (!reinject_mergers)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		m = per_cpu_ptr(reinject_mergers, cpu);
		set_bit(NAPI_STATE_NO_BUSY_POLL, &m->napi.state);
		netif_napi_add(reinject_device, &m->napi, merger_poll);
		napi_enable(&m->napi);
	}
	return 0;
}

static void mergers_exit(void)
{
	struct merger *m;
	int cpu;

	for_each_possible_cpu(cpu) {
		m = per_cpu_ptr(reinject_mergers, cpu);
		napi_disable(&m->napi);
		__netif_napi_del(&m->napi);
	}
	synchronize_net();		/* for those who walk the device's list */
	free_percpu(reinject_mergers);
}

int ipsp_reinject_init(void)
{
	int err;

	reinject_device = ipsp_alloc_dummy_device();
	if (!reinject_device)
		return -ENOMEM;
	err = mergers_init();
	if (err)
		ipsp_free_dummy_device(reinject_device);
	else
		ipsp_offload_init();
	return err;
}

void ipsp_reinject_exit(void)
{
	ipsp_offload_exit();
	mergers_exit();
	ipsp_free_dummy_device(reinject_device);
}
