/* SPDX-License-Identifier: GPL-2.0 */
/* handle.h - the kernel's bookkeeping of one SA, without its key */
#ifndef IPSP_HANDLE_H
#define IPSP_HANDLE_H

#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include <linux/workqueue.h>
#include <net/dst_cache.h>
#include <net/xfrm.h>
#include "ipsec_port.h"

struct compartment;
struct counter;

struct handle_key {			/* no holes; memcmp'd and hashed */
	u8 destination[16];
	__be32 spi;
	u8 direction;
	u8 family;
	u8 protocol;
	u8 reserved;
};

struct encap_peer {			/* no holes; memcmp'd */
	u8 address[16];
	__be16 port;
};

struct handle {
	struct rhash_head node;		/* ipsp_net.handles */
	struct rcu_head rcu;
	refcount_t ref;			/* xarray, tickets, flows */
	struct compartment *c;		/* referenced */
	struct ipsp_handle config;	/* id set; next, counts unused */
	struct handle_key key;
	struct counter *counter;	/* referenced */
	struct xfrm_state *xs;		/* keyless; for dst->xfrm and secpath; our reference */
	struct dst_cache outer;		/* route to the tunnel's other end, mark 0 */
	struct encap_peer peer;		/* inbound, ESP in UDP: written under c->lock */
	bool dead;			/* deleted: takes no new ticket */
	bool limited;			/* config bears limits */
	u8 vain;			/* inbound: see ipsp_handle_judge */
	unsigned long expired;		/* IPSP_EXPIRED_* that were told; test_and_set_bit() */
	atomic64_t packets, bytes, dropped, replayed, integrity;
	atomic64_t drops[IPSP_HANDLE_DROPS];	/* as in struct ipsp_handle */
	u64 used_first, used_last;	/* ns, realtime, coarse */
	struct work_struct end;		/* the last reference went */
};

int ipsp_handle_init(void);			/* with the counters */
void ipsp_handle_exit(void);
int ipsp_handle_net_init(struct net *net);
void ipsp_handle_net_exit(struct net *net);

/* The ioctls; under c->admin. */
int ipsp_handle_add(struct compartment *c, struct ipsp_handle *config);
int ipsp_handle_set(struct compartment *c, struct ipsp_handle *config);
int ipsp_handle_del(struct compartment *c, struct ipsp_handle *config);
int ipsp_handle_get_info(struct compartment *c, struct ipsp_handle *config);
void ipsp_handle_compartment_exit(struct compartment *c);	/* deletes all */

/* RCU read side; NULL or a live one, not referenced. */
struct handle *ipsp_handle_find_in(struct net *net, u8 family, const void *destination,
				   u8 protocol, __be32 spi);
/* An (outbound) packet of one of our SAs is our own output. */
struct handle *ipsp_handle_find_out(struct net *net, u8 family, const void *destination,
				    u8 protocol, __be32 spi);
struct handle *ipsp_handle_by_id(struct compartment *c, u32 id);	/* RCU */

bool ipsp_handle_hold(struct handle *h);	/* false: going */
void ipsp_handle_put(struct handle *h);
/* The handle an xfrm_state of a secpath belongs to, or NULL if it is not ours. RCU. */
struct handle *ipsp_handle_of_state(const struct xfrm_state *x);

/* The IP header of the packet that is not protected with it: transport mode and BEET. */
u32 ipsp_handle_own_header(const struct handle *h);
/* Largest inner packet for a path MTU; see struct ipsp_handle. Not below 68; 1280 in IPv6. */
u32 ipsp_handle_inner_mtu(const struct handle *h, u32 path_mtu);
void ipsp_handle_used(struct handle *h, u32 packets, u32 bytes);
/* A packet of it is dropped; the compartment's counters are the caller's. */
void ipsp_handle_dropped(struct handle *h, u32 reason);

/*
 * Inbound, at release: did a stack take it for one of the SA's own? Of so many in a row it took
 * none: then somebody else sends them, and the next ones wake no stack at once. That costs the
 * SA's own packet behind them a short wait, not more, and the one behind that nothing.
 */
#define HANDLE_VAIN 16

static inline void ipsp_handle_judge(struct handle *h, bool taken)
{
	if (taken && h->vain)
		WRITE_ONCE(h->vain, 0);
	else if (!taken && h->vain < HANDLE_VAIN)
		WRITE_ONCE(h->vain, h->vain + 1);
}

static inline bool ipsp_handle_is_vain(const struct handle *h)
{
	return READ_ONCE(h->vain) >= HANDLE_VAIN;
}

/* limit.c: at a limit one more packet is refused, and the manager told, once. */
void ipsp_limit_init(struct handle *h);
bool ipsp_limit_is_reached(struct handle *h);
/* So near that what is pending may reach it: then no packet is merged with others. */
bool ipsp_limit_is_near(const struct handle *h);

/* counter.c: numbers and windows, named by key; they outlive their handles. */
int ipsp_counter_init(void);
void ipsp_counter_exit(void);
const u8 *ipsp_counter_hash_key(void);		/* IPSP_HASH_KEY_LEN bytes */
/*
 * The one of config's name, raised to its next and ceiling. -ENOSPC: no room for another
 * tombstone; -EINVAL: in use with the other direction or ESN flag.
 */
struct counter *ipsp_counter_get(const struct ipsp_handle *config);
void ipsp_counter_put(struct counter *n);
/* Never lowers either. -EINVAL: a ceiling above what the numbers can be. */
int ipsp_counter_raise(struct counter *n, u64 next, u64 ceiling);
/* next (to stamp, or highest seen) and ceiling */
void ipsp_counter_fill(struct counter *n, struct ipsp_handle *out);
/* Takes count numbers; false: the ceiling (or 2^32 - 1, 2^64 - 2) is reached. */
bool ipsp_counter_take(struct counter *n, u32 count, u64 *first);
/*
 * Inbound. infer: the 64-bit number of a wire number (RFC 4303 appendix A). check: false
 * for what is left of the window or seen. accept: checks and sets, at release.
 *
 * `pending` has COUNTER_PLACES bits, for all SAs of a compartment. *marked: the number is above
 * all that were let in, and no other packet of it is pending; the caller settles it at its end.
 * Two numbers may have one place: then the second is not marked, which does no harm.
 */
#define COUNTER_PLACES	0x10000u
u64 ipsp_counter_infer(struct counter *n, u32 wire);
bool ipsp_counter_check(struct counter *n, u64 number, unsigned long *pending, bool *marked);
bool ipsp_counter_accept(struct counter *n, u64 number);
void ipsp_counter_settle(const struct counter *n, u64 number, unsigned long *pending);

#endif
