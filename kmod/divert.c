// SPDX-License-Identifier: GPL-2.0
/*
 * divert.c - the dst of a packet that will be protected
 *
 * Firewall and NAT must know before POST_ROUTING what will be protected. So such a packet
 * gets an xfrm_dst of ours between it and its route: dst->xfrm is the handle's keyless
 * state (`rt ipsec`, `-m policy --dir out` match it), its MTU is what fits, its output runs
 * POST_ROUTING in full and then captures. Whoever holds it (a flowtable, a queue) still
 * ends in our output, which takes everything from the packet and the rules.
 *
 * Each live one holds a reference on the module, its handle and its route; `check` fails
 * once the route, the policy generation or the handle has changed.
 */
#include <linux/module.h>
#include <linux/netfilter.h>
#include <net/addrconf.h>
#include <net/dst.h>
#include <net/ip6_route.h>
#include <net/route.h>
#include <net/xfrm.h>
#include "compat/compat.h"
#include "compartment.h"
#include "handle.h"
#include "netns.h"
#include "redirector.h"

struct divert {
	struct xfrm_dst x;		/* first: the core casts */
	struct handle *handle;		/* referenced */
	struct bundle bundle;
	struct dst_ops *core;		/* xfrm's own, whose destroy ends ours */
	u32 generation;
};

static struct kmem_cache *divert_cache;

static struct divert *divert_of(struct dst_entry *dst)
{
	return container_of(dst, struct divert, x.u.dst);
}

int ipsp_divert_output4(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	struct net_device *dev = skb_dst(skb)->dev, *indev = skb->dev;

	skb->dev = dev;
	skb->protocol = htons(ETH_P_IP);
	return NF_HOOK(NFPROTO_IPV4, NF_INET_POST_ROUTING, net, sk, skb, indev, dev,
		       ipsp_redirector_capture);
}

int ipsp_divert_output6(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	struct net_device *dev = skb_dst(skb)->dev, *indev = skb->dev;

	skb->dev = dev;
	skb->protocol = htons(ETH_P_IPV6);
	return NF_HOOK(NFPROTO_IPV6, NF_INET_POST_ROUTING, net, sk, skb, indev, dev,
		       ipsp_redirector_capture);
}

struct dst_entry *ipsp_divert_path(struct dst_entry *dst)
{
	return ipsp_divert_is_ours(dst) ? xfrm_dst_path(dst) : dst;
}

static bool divert_is_current(struct dst_entry *dst)
{
	struct divert *d = divert_of(dst);

	return dst->obsolete != DST_OBSOLETE_DEAD && !READ_ONCE(d->handle->dead) &&
	       d->generation == READ_ONCE(d->handle->c->generation) &&
	       dst_check(d->x.path, d->x.path_cookie);
}

/* By which it is protected, as long as all of that stands; or NULL. */
struct handle *ipsp_divert_handle(struct dst_entry *dst, const struct bundle **b)
{
	if (!ipsp_divert_is_ours(dst) || !divert_is_current(dst))
		return NULL;
	*b = &divert_of(dst)->bundle;
	return divert_of(dst)->handle;
}

/*
 * What waits keeps its route, which lets go of a device that goes. Ours above it does not:
 * it holds its device as long as it lives.
 */
bool ipsp_divert_keep_path(struct sk_buff *skb)
{
	struct dst_entry *path = ipsp_divert_path(skb_dst(skb));

	if (path == skb_dst(skb))
		return skb_dst_force(skb);
	if (!dst_hold_safe(path))
		return false;
	skb_dst_drop(skb);
	skb_dst_set(skb, path);
	return true;
}

/* ---- dst_ops ------------------------------------------------------------------------ */

static struct dst_entry *divert_check(struct dst_entry *dst, u32 cookie)
{
	return divert_is_current(dst) ? dst : NULL;
}

/*
 * A module reference may go here: RCU callbacks run with bottom halves off, and a module's
 * text outlives the grace period that its removal waits for.
 */
static void divert_destroy(struct dst_entry *dst)
{
	struct divert *d = divert_of(dst);
	struct handle *h = d->handle;

	d->core->destroy(dst);
	ipsp_handle_put(h);
	ipsp_stats_freed();
	module_put(THIS_MODULE);
}

static int divert_ops_init(struct dst_ops *ops, const struct dst_ops *core)
{
	*ops = *core;
	ops->check = divert_check;
	ops->destroy = divert_destroy;
	ops->kmem_cachep = divert_cache;
	return dst_entries_init(ops);
}

int ipsp_divert_net_init(struct net *net)
{
	struct ipsp_net *n = ipsp_net(net);
	int err;

	err = divert_ops_init(&n->divert4, &net->xfrm.xfrm4_dst_ops);
	if (err)
		return err;
	err = divert_ops_init(&n->divert6, &net->xfrm.xfrm6_dst_ops);
	if (err)
		dst_entries_destroy(&n->divert4);
	return err;
}

void ipsp_divert_net_exit(struct net *net)
{
	struct ipsp_net *n = ipsp_net(net);

	dst_entries_destroy(&n->divert4);
	dst_entries_destroy(&n->divert6);
}

int ipsp_divert_init(void)
{
	divert_cache = KMEM_CACHE(divert, SLAB_HWCACHE_ALIGN);
	return divert_cache ? 0 : -ENOMEM;
}

void ipsp_divert_exit(void)
{
	rcu_barrier();			/* dst_destroy_rcu of the last ones */
	kmem_cache_destroy(divert_cache);
}

/* ---- making one ------------------------------------------------------------------ */

static void divert_fill4(struct xfrm_dst *x, const struct dst_entry *route)
{
	const struct rtable *rt = (const struct rtable *)route;

	x->u.rt.rt_is_input = rt->rt_is_input;
	x->u.rt.rt_type = rt->rt_type;
	x->u.rt.rt_flags = rt->rt_flags;
	x->u.rt.rt_iif = rt->rt_iif;
	x->u.rt.rt_uses_gateway = rt->rt_uses_gateway;
	x->u.rt.rt_gw_family = rt->rt_gw_family;
	if (rt->rt_gw_family == AF_INET)
		x->u.rt.rt_gw4 = rt->rt_gw4;
	else if (rt->rt_gw_family == AF_INET6)
		x->u.rt.rt_gw6 = rt->rt_gw6;
	ipsp_rt_uncached_init(&x->u.rt);
	x->u.dst.output = ipsp_divert_output4;
}

static void divert_fill6(struct xfrm_dst *x, const struct dst_entry *route)
{
	const struct rt6_info *rt = (const struct rt6_info *)route;

	x->u.rt6.rt6i_flags = rt->rt6i_flags & (RTF_ANYCAST | RTF_LOCAL);
	x->u.rt6.rt6i_gateway = rt->rt6i_gateway;
	x->u.rt6.rt6i_dst = rt->rt6i_dst;
	x->u.rt6.rt6i_src = rt->rt6i_src;
	x->u.rt6.rt6i_idev = in6_dev_get(route->dev);
	ipsp_rt6_uncached_init(&x->u.rt6);
	x->path_cookie = rt6_get_cookie(rt);
	x->u.dst.output = ipsp_divert_output6;
}

/* Takes over one reference of route. */
static struct dst_entry *divert_make(struct net *net, struct dst_entry *route, struct flow *f)
{
	bool v4 = f->tuple.family == 4;
	struct handle *h = f->handle;
	struct divert *d = NULL;
	u32 mtu;

	if (!ipsp_handle_hold(h))
		goto out;
	if (!try_module_get(THIS_MODULE)) {	/* being removed: it would outlive our text */
		ipsp_handle_put(h);
		goto out;
	}
	d = ipsp_dst_alloc(v4 ? &ipsp_net(net)->divert4 : &ipsp_net(net)->divert6, route->dev,
			   DST_OBSOLETE_FORCE_CHK, DST_NOCOUNT);
	if (!d) {
		module_put(THIS_MODULE);
		ipsp_handle_put(h);
		goto out;
	}
	memset_after(&d->x, 0, u.dst);
	d->handle = h;
	d->bundle = f->bundle;
	d->core = v4 ? &net->xfrm.xfrm4_dst_ops : &net->xfrm.xfrm6_dst_ops;
	d->generation = f->generation;
	ipsp_stats_made();
	dst_copy_metrics(&d->x.u.dst, route);
	if (v4)
		divert_fill4(&d->x, route);
	else
		divert_fill6(&d->x, route);
	mtu = ipsp_handle_inner_mtu(h, ipsp_bundle_mtu(h->c, &f->bundle, dst_mtu(route)));
	dst_metric_set(&d->x.u.dst, RTAX_MTU, mtu);
	d->x.u.dst.input = dst_discard;
	xfrm_state_hold(h->xs);
	d->x.u.dst.xfrm = h->xs;
	d->x.route = dst_clone(route);
	d->x.child = dst_clone(route);
	d->x.path = route;		/* child's reference keeps it: destroy puts route, child */
	dst_release(route);
	return &d->x.u.dst;
out:
	dst_release(route);
	return NULL;
}

/* The flow's last one, if it fits this route and still stands. */
static struct dst_entry *divert_cached(struct flow *f, const struct dst_entry *route)
{
	struct dst_entry *dst = rcu_dereference(f->dst);

	if (!dst || xfrm_dst_path(dst) != route || !divert_is_current(dst) ||
	    !dst_hold_safe(dst))
		return NULL;
	return dst;
}

static void divert_remember(struct flow *f, struct dst_entry *dst)
{
	struct dst_entry *old;

	spin_lock_bh(&f->lock);
	if (!f->cached) {		/* out of the table: nobody would put it */
		spin_unlock_bh(&f->lock);
		return;
	}
	dst_hold(dst);
	old = rcu_dereference_protected(f->dst, lockdep_is_held(&f->lock));
	rcu_assign_pointer(f->dst, dst);
	spin_unlock_bh(&f->lock);
	dst_release(old);
}

/* RCU read side. */
bool ipsp_divert(struct net *net, struct sk_buff *skb, struct flow *f)
{
	struct dst_entry *route = ipsp_divert_path(skb_dst(skb));
	struct dst_entry *dst = divert_cached(f, route);

	if (!dst) {
		if (!dst_hold_safe(route))
			return false;
		dst = divert_make(net, route, f);
		if (!dst)
			return false;
		divert_remember(f, dst);
	}
	skb_dst_drop(skb);
	skb_dst_set(skb, dst);
	return true;
}
