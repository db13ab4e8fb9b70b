// SPDX-License-Identifier: GPL-2.0
/*
 * handle.c - one SA as the kernel knows it: addresses, SPI, bound, counter; no key
 *
 * Who may hold a handle: the compartment's xarray until DEL, tickets that bear it until
 * they are released, flows and diverted dsts until flushed. A dead one takes no new
 * ticket. The last reference may go in softirq, so the end runs in a work (the counter's
 * tables need a mutex).
 */
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/udp.h>
#include <net/ah.h>
#include <net/esp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "compartment.h"
#include "encap.h"
#include "handle.h"
#include "ipsec_port_ring.h"
#include "netns.h"
#include "rule.h"

static const struct rhashtable_params handle_params = {
	.head_offset = offsetof(struct handle, node),
	.key_offset = offsetof(struct handle, key),
	.key_len = sizeof(struct handle_key),
	.automatic_shrinking = true,
};

static struct workqueue_struct *handle_wq;

/* ---- checks ---------------------------------------------------------------------- */

/* Extended numbers are inferred from the window: without one there is nothing to go by. */
static int handle_check_numbers(const struct ipsp_handle *h)
{
	bool esn = h->flags & IPSP_HANDLEF_ESN;

	if (h->direction == IPSP_DIR_OUT)
		return h->window || (!esn && h->ceiling > U32_MAX) ? -EINVAL : 0;
	if (h->ceiling || (esn && !h->window) || h->window > IPSP_WINDOW_MAX)
		return -EINVAL;
	return h->window && h->window < IPSP_WINDOW_MIN ? -EINVAL : 0;
}

/* IPv4: four bytes, twelve of zero. */
static bool handle_addresses_ok(const struct ipsp_handle *h)
{
	if (!memchr_inv(h->destination, 0, 16))
		return false;
	return h->family == 6 ||
	       (!memchr_inv(h->source + 4, 0, 12) && !memchr_inv(h->destination + 4, 0, 12));
}

/* `fixed` holds at least an IP, maybe a UDP, and an ESP or AH header; NULL alone has no more. */
static bool handle_shape_ok(const struct ipsp_handle *h)
{
	u32 least = (h->family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) +
		    (h->protocol == IPPROTO_AH ? sizeof(struct ip_auth_hdr) :
						 sizeof(struct ip_esp_hdr)) +
		    (ipsp_encap_is(h) ? sizeof(struct udphdr) : 0);

	if (h->inner_family && h->inner_family != 4 && h->inner_family != 6)
		return false;
	if (!h->encap_source != !h->encap_destination)
		return false;
	if (h->protocol == IPPROTO_AH && (ipsp_encap_is(h) || h->mode == IPSP_SA_BEET))
		return false;
	if (h->mode == IPSP_SA_TRANSPORT && h->inner_family && h->inner_family != h->family)
		return false;
	if (h->mode == IPSP_SA_BEET && !h->inner_family)
		return false;
	return h->fixed >= least && h->fixed <= 512 && is_power_of_2(h->align) &&
	       h->align <= 256;
}

/* Of every call: no flag that is not known, and zero what is reserved. */
static bool handle_is_known(const struct ipsp_handle *h)
{
	return !(h->flags & ~IPSP_HANDLEF_ALL) &&
	       !memchr_inv(h->reserved, 0, sizeof(h->reserved));
}

static int handle_check(const struct ipsp_handle *h)
{
	if (!handle_is_known(h))
		return -EINVAL;
	if (h->direction > IPSP_DIR_IN || (h->family != 4 && h->family != 6) ||
	    (h->mode != IPSP_SA_TUNNEL && h->mode != IPSP_SA_TRANSPORT &&
	     h->mode != IPSP_SA_BEET) ||
	    (h->protocol != IPPROTO_ESP && h->protocol != IPPROTO_AH))
		return -EINVAL;
	if (ntohl(h->spi) < 256 || (h->mark & ~h->mark_mask) || !handle_addresses_ok(h) ||
	    !handle_shape_ok(h))
		return -EINVAL;
	return handle_check_numbers(h);
}

/* ---- life ------------------------------------------------------------------------ */

static struct xfrm_state *handle_state(struct net *net, const struct ipsp_handle *h)
{
	struct xfrm_state *x = xfrm_state_alloc(net);

	if (!x)
		return NULL;
	x->km.state = XFRM_STATE_VALID;
	x->id.proto = h->protocol;
	x->id.spi = h->spi;
	memcpy(&x->id.daddr, h->destination, 16);
	memcpy(&x->props.saddr, h->source, 16);
	x->props.family = h->family == 4 ? AF_INET : AF_INET6;
	x->props.mode = h->mode;
	x->props.reqid = h->reqid;
	/* what lets a tunnel's packet pass the policy check without a kernel policy */
	x->xso.type = XFRM_DEV_OFFLOAD_CRYPTO;
	return x;
}

/* Who found it before it was unlinked may ask for the route until now. */
static void handle_free_rcu(struct rcu_head *head)
{
	struct handle *h = container_of(head, struct handle, rcu);

	dst_cache_destroy(&h->outer);
	kfree(h);
	ipsp_stats_freed();
}

static void handle_end(struct work_struct *work)
{
	struct handle *h = container_of(work, struct handle, end);
	struct compartment *c = h->c;

	h->xs->km.state = XFRM_STATE_DEAD;
	xfrm_state_put(h->xs);
	ipsp_counter_put(h->counter);
	ipsp_compartment_put(c);
	call_rcu(&h->rcu, handle_free_rcu);
}

bool ipsp_handle_hold(struct handle *h)
{
	return refcount_inc_not_zero(&h->ref);
}

void ipsp_handle_put(struct handle *h)
{
	if (refcount_dec_and_test(&h->ref))
		queue_work(handle_wq, &h->end);
}

static void handle_fill_key(struct handle_key *key, const struct ipsp_handle *h)
{
	memset(key, 0, sizeof(*key));
	memcpy(key->destination, h->destination, 16);
	key->spi = h->spi;
	key->direction = h->direction;
	key->family = h->family;
	key->protocol = h->protocol;
}

/* Counter, state and route cache; on failure all of it is undone. */
static int handle_parts(struct handle *h, struct net *net)
{
	const struct ipsp_handle *config = &h->config;
	int err;

	h->counter = ipsp_counter_get(config);
	if (IS_ERR(h->counter))
		return PTR_ERR(h->counter);
	err = dst_cache_init(&h->outer, GFP_KERNEL_ACCOUNT);
	if (err)
		goto err_counter;
	h->xs = handle_state(net, config);
	if (h->xs)
		return 0;
	err = -ENOMEM;
	dst_cache_destroy(&h->outer);
err_counter:
	ipsp_counter_put(h->counter);
	return err;
}

static struct handle *handle_new(struct compartment *c, const struct ipsp_handle *config)
{
	struct handle *h = kzalloc(sizeof(*h), GFP_KERNEL_ACCOUNT);
	int err;

	if (!h)
		return ERR_PTR(-ENOMEM);
	h->config = *config;
	ipsp_limit_init(h);
	err = handle_parts(h, c->net);
	if (err) {
		kfree(h);
		return ERR_PTR(err);
	}
	handle_fill_key(&h->key, config);
	memcpy(h->peer.address, config->source, 16);
	h->peer.port = config->encap_source;
	refcount_set(&h->ref, 1);
	INIT_WORK(&h->end, handle_end);
	h->c = c;
	ipsp_compartment_hold(c);
	ipsp_stats_made();
	return h;
}

/* The packet path asks these before it looks further. */
static void handle_count(struct ipsp_net *n, const struct handle *h, int by)
{
	if (h->config.direction == IPSP_DIR_OUT)
		atomic_add(by, &n->handles_out);
	if (ipsp_encap_is(&h->config))
		atomic_add(by, &n->handles_encap[h->config.direction]);
}

static void handle_unlink(struct handle *h)
{
	struct ipsp_net *n = ipsp_net(h->c->net);

	lockdep_assert_held(&h->c->admin);
	spin_lock_bh(&h->c->lock);
	ipsp_deal_sa_ended(h->c);
	smp_store_release(&h->dead, true);	/* pairs with release_asks_again */
	spin_unlock_bh(&h->c->lock);
	handle_count(n, h, -1);
	rhashtable_remove_fast(&n->handles, &h->node, handle_params);
	xa_erase(&h->c->handles, h->config.id);
	h->c->config.handles--;
	ipsp_flow_flush_handle(h->c, h);
	ipsp_handle_put(h);
}

/* ---- the ioctls ------------------------------------------------------------------ */

/* An SPI of ours is one SA's; those we send to are the peer's to choose, and to repeat. */
static int handle_hash(struct ipsp_net *n, struct handle *h)
{
	if (h->config.direction == IPSP_DIR_IN)
		return rhashtable_lookup_insert_fast(&n->handles, &h->node, handle_params);
	return rhashtable_insert_fast(&n->handles, &h->node, handle_params);
}

/* The id is reserved first and leads to the handle last: whoever finds one finds it whole. */
static int handle_enter(struct compartment *c, struct handle *h)
{
	struct ipsp_net *n = ipsp_net(c->net);
	int err;

	err = xa_alloc_cyclic(&c->handles, &h->config.id, NULL, XA_LIMIT(1, U32_MAX),
			      &c->handle_next, GFP_KERNEL_ACCOUNT);
	if (err < 0)
		return err;
	err = handle_hash(n, h);
	if (err) {
		xa_release(&c->handles, h->config.id);
		return err;
	}
	handle_count(n, h, 1);
	c->config.handles++;
	/* a reserved entry needs no memory */
	WARN_ON_ONCE(xa_err(xa_store(&c->handles, h->config.id, h, GFP_KERNEL_ACCOUNT)));
	return 0;
}

/* Labels are what rules lead to the compartment with: nobody claims another's. */
static bool handle_may_bear(struct compartment *c, u32 number)
{
	struct ipsp_label label = { .label = number };

	return !number || !ipsp_rule_label(c, &label);
}

int ipsp_handle_add(struct compartment *c, struct ipsp_handle *config)
{
	struct handle *h;
	int err;

	lockdep_assert_held(&c->admin);
	err = handle_check(config);
	if (err)
		return err;
	if (c->config.handles >= c->config.handles_max)
		return -ENOSPC;
	if (!handle_may_bear(c, config->label))
		return -EACCES;
	h = handle_new(c, config);
	if (IS_ERR(h))
		return PTR_ERR(h);
	err = handle_enter(c, h);
	if (err) {
		h->dead = true;
		ipsp_handle_put(h);
		return err;
	}
	config->id = h->config.id;
	return 0;
}

/* The one of that id; -EINVAL, -ENOENT. */
static struct handle *handle_named(struct compartment *c, const struct ipsp_handle *config)
{
	lockdep_assert_held(&c->admin);
	if (!handle_is_known(config))
		return ERR_PTR(-EINVAL);
	return xa_load(&c->handles, config->id) ?: ERR_PTR(-ENOENT);
}

int ipsp_handle_set(struct compartment *c, struct ipsp_handle *config)
{
	struct handle *h = handle_named(c, config);
	int err;

	if (IS_ERR(h))
		return PTR_ERR(h);
	if (h->config.direction == IPSP_DIR_IN && config->ceiling)
		return -EINVAL;
	err = ipsp_counter_raise(h->counter, config->next, config->ceiling);
	if (!err && config->until) {
		WRITE_ONCE(h->config.until, config->until);
		WRITE_ONCE(h->limited, true);
	}
	return err;
}

int ipsp_handle_del(struct compartment *c, struct ipsp_handle *config)
{
	struct handle *h = handle_named(c, config);

	if (IS_ERR(h))
		return PTR_ERR(h);
	handle_unlink(h);
	return 0;
}

int ipsp_handle_get_info(struct compartment *c, struct ipsp_handle *config)
{
	struct handle *h = handle_named(c, config);
	u32 i;

	if (IS_ERR(h))
		return PTR_ERR(h);
	*config = h->config;
	ipsp_counter_fill(h->counter, config);
	config->packets = atomic64_read(&h->packets);
	config->bytes = atomic64_read(&h->bytes);
	config->dropped = atomic64_read(&h->dropped);
	config->replayed = atomic64_read(&h->replayed);
	config->integrity_failed = atomic64_read(&h->integrity);
	for (i = 0; i < IPSP_HANDLE_DROPS; i++)
		config->drops[i] = atomic64_read(&h->drops[i]);
	config->used_first = READ_ONCE(h->used_first);
	config->used_last = READ_ONCE(h->used_last);
	config->expired = READ_ONCE(h->expired);
	spin_lock_bh(&c->lock);
	memcpy(config->peer, h->peer.address, sizeof(config->peer));
	config->peer_port = h->peer.port;
	spin_unlock_bh(&c->lock);
	return 0;
}

void ipsp_handle_compartment_exit(struct compartment *c)
{
	unsigned long id;
	struct handle *h;

	lockdep_assert_held(&c->admin);
	xa_for_each(&c->handles, id, h)
		handle_unlink(h);
}

/* ---- the packet path ------------------------------------------------------------- */

static struct handle *handle_find(struct net *net, u8 direction, u8 family,
				  const void *destination, u8 protocol, __be32 spi)
{
	struct handle_key key = {
		.spi = spi, .direction = direction, .family = family, .protocol = protocol,
	};
	struct handle *h;

	memcpy(key.destination, destination, family == 4 ? 4 : 16);
	h = rhashtable_lookup(&ipsp_net(net)->handles, &key, handle_params);
	return h && !READ_ONCE(h->dead) ? h : NULL;
}

struct handle *ipsp_handle_find_in(struct net *net, u8 family, const void *destination,
				   u8 protocol, __be32 spi)
{
	return handle_find(net, IPSP_DIR_IN, family, destination, protocol, spi);
}

struct handle *ipsp_handle_find_out(struct net *net, u8 family, const void *destination,
				    u8 protocol, __be32 spi)
{
	return handle_find(net, IPSP_DIR_OUT, family, destination, protocol, spi);
}

struct handle *ipsp_handle_by_id(struct compartment *c, u32 id)
{
	struct handle *h = xa_load(&c->handles, id);

	return h && !READ_ONCE(h->dead) ? h : NULL;
}

/* xfrm_state_alloc() gave it our namespace; the SPI and address find the handle. */
struct handle *ipsp_handle_of_state(const struct xfrm_state *x)
{
	u8 family = x->props.family == AF_INET ? 4 : 6;
	struct handle *h = handle_find(xs_net((struct xfrm_state *)x), IPSP_DIR_IN, family,
				       &x->id.daddr, x->id.proto, x->id.spi);

	return h && h->xs == x ? h : NULL;
}

u32 ipsp_handle_own_header(const struct handle *h)
{
	const struct ipsp_handle *c = &h->config;

	if (c->mode == IPSP_SA_TUNNEL)
		return 0;
	return (c->mode == IPSP_SA_BEET ? c->inner_family : c->family) == 4 ?
	       sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

/* As xfrm_state_mtu(): IPv6 may not be told less than its least, so the outside fragments. */
u32 ipsp_handle_inner_mtu(const struct handle *h, u32 path_mtu)
{
	const struct ipsp_handle *c = &h->config;
	u32 room = path_mtu > c->fixed ? (path_mtu - c->fixed) & ~((u32)c->align - 1) : 0;
	u32 least = c->family == 4 ? IPSP_MTU_FLOOR4 : IPSP_MTU_FLOOR6;
	u32 trailer = c->protocol == IPPROTO_ESP ? 2 : 0;

	room += ipsp_handle_own_header(h);
	return max(room, least + trailer) - trailer;
}

void ipsp_handle_used(struct handle *h, u32 packets, u32 bytes)
{
	u64 now = ktime_get_coarse_real_ns();

	atomic64_add(packets, &h->packets);
	atomic64_add(bytes, &h->bytes);
	if (!READ_ONCE(h->used_first))
		WRITE_ONCE(h->used_first, now);
	WRITE_ONCE(h->used_last, now);
}

/* A slot is a reason's from its first packet on. Are all taken, no others are told apart. */
static void handle_count_drop(struct handle *h, u32 reason)
{
	const u64 first = (u64)reason << IPSP_HANDLE_DROP_SHIFT | 1;
	u64 seen;
	u32 i;

	for (i = 0; i < IPSP_HANDLE_DROPS; i++) {
		seen = atomic64_read(&h->drops[i]) ?: atomic64_cmpxchg(&h->drops[i], 0, first);
		if (!seen)
			return;
		if (seen >> IPSP_HANDLE_DROP_SHIFT == reason) {
			atomic64_inc(&h->drops[i]);
			return;
		}
	}
}

void ipsp_handle_dropped(struct handle *h, u32 reason)
{
	atomic64_inc(&h->dropped);
	if (reason == IPSP_DROP_REPLAY)
		atomic64_inc(&h->replayed);
	else if (reason == IPSP_DROP_INTEGRITY)
		atomic64_inc(&h->integrity);
	else
		handle_count_drop(h, reason);
}

/* ---- namespaces, module ---------------------------------------------------------- */

int ipsp_handle_net_init(struct net *net)
{
	return rhashtable_init(&ipsp_net(net)->handles, &handle_params);
}

void ipsp_handle_net_exit(struct net *net)
{
	flush_workqueue(handle_wq);
	rhashtable_destroy(&ipsp_net(net)->handles);
}

int ipsp_handle_init(void)
{
	int err = ipsp_counter_init();

	if (err)
		return err;
	handle_wq = alloc_workqueue("ipsp_handle", 0, 0);
	return handle_wq ? 0 : -ENOMEM;
}

void ipsp_handle_exit(void)
{
	rcu_barrier();			/* flows and dsts that put their handle */
	destroy_workqueue(handle_wq);
	rcu_barrier();			/* handle_free_rcu, counter_free_rcu */
	ipsp_counter_exit();
}
