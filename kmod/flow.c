// SPDX-License-Identifier: GPL-2.0
/*
 * flow.c - the flow cache, and the packets that wait for a flow's first answer
 *
 * A bounded table: FLOW_BUCKET entries a bucket, the least recently used one that is not
 * asking gives way. Entries are found under RCU and die by leaving the table; packets that
 * wait on one keep it alive by its classify ticket's reference.
 *
 * Nothing overtakes: while an entry is ASKING, and while its queue drains, later packets
 * queue behind; it opens when the queue is found empty under its lock.
 */
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/dst.h>
#include <net/sock.h>
#include "compat/compat.h"
#include "compartment.h"
#include "handle.h"
#include "memo.h"
#include "protect.h"
#include "redirector.h"

static struct kmem_cache *flow_cache;
static struct kmem_cache *asked_cache;

/* ---- the table ------------------------------------------------------------------- */

static struct hlist_head *flow_bucket(const struct compartment *c, const struct ipsp_tuple *t)
{
	u32 hash = jhash2((const u32 *)t, sizeof(*t) / sizeof(u32), c->flows.seed);

	return &c->flows.bucket[hash & (c->flows.buckets - 1)];
}

static void flow_free_rcu(struct rcu_head *head)
{
	kmem_cache_free(flow_cache, container_of(head, struct flow, rcu));
	ipsp_stats_freed();
}

void ipsp_flow_put(struct flow *f)
{
	if (!refcount_dec_and_test(&f->ref))
		return;
	dst_release(rcu_dereference_protected(f->dst, 1));
	if (f->handle)
		ipsp_handle_put(f->handle);
	ipsp_compartment_put(f->c);
	call_rcu(&f->rcu, flow_free_rcu);
}

static struct flow *flow_new(struct compartment *c, const struct ipsp_tuple *t)
{
	struct flow *f = kmem_cache_zalloc(flow_cache, GFP_ATOMIC);

	if (!f)
		return NULL;
	f->tuple = *t;
	f->generation = READ_ONCE(c->generation);
	f->used = jiffies;
	f->c = c;
	ipsp_compartment_hold(c);
	refcount_set(&f->ref, 1);
	spin_lock_init(&f->lock);
	INIT_LIST_HEAD(&f->queue);
	ipsp_stats_made();
	return f;
}

/* Under flows.lock. The table's reference goes with it. */
static void flow_unlink(struct flow *f)
{
	lockdep_assert_held(&f->c->flows.lock);
	hlist_del_init_rcu(&f->node);
	atomic_dec(&f->c->flows.count);
	spin_lock(&f->lock);
	if (f->state != FLOW_ASKING)
		WRITE_ONCE(f->state, FLOW_DEAD);
	f->cached = false;
	spin_unlock(&f->lock);
	ipsp_memo_forget();
	ipsp_flow_put(f);
}

/* Under flows.lock: makes room in a bucket; false: all of it is asking. */
static bool flow_evict(struct hlist_head *bucket)
{
	struct flow *f, *oldest = NULL;
	u32 n = 0;

	hlist_for_each_entry(f, bucket, node) {
		n++;
		if (ipsp_flow_state(f) != FLOW_ASKING &&
		    (!oldest || time_before(READ_ONCE(f->used), READ_ONCE(oldest->used))))
			oldest = f;
	}
	if (n < FLOW_BUCKET)
		return true;
	if (oldest)
		flow_unlink(oldest);
	return oldest;
}

static bool flow_is_current(const struct compartment *c, const struct flow *f)
{
	return ipsp_flow_state(f) == FLOW_ASKING ||
	       (ipsp_flow_state(f) != FLOW_DEAD && f->generation == READ_ONCE(c->generation));
}

static struct flow *flow_lookup(struct compartment *c, struct hlist_head *bucket,
				const struct ipsp_tuple *t)
{
	struct flow *f;

	hlist_for_each_entry_rcu(f, bucket, node, lockdep_is_held(&c->flows.lock))
		if (!memcmp(&f->tuple, t, sizeof(*t)) && flow_is_current(c, f))
			return f;
	return NULL;
}

struct flow *ipsp_flow_find(struct compartment *c, const struct ipsp_tuple *t)
{
	struct flow *f = flow_lookup(c, flow_bucket(c, t), t);

	if (!f) {
		ipsp_count(c, CACHE_MISS);
		return NULL;
	}
	if (READ_ONCE(f->used) != jiffies)
		WRITE_ONCE(f->used, jiffies);
	ipsp_count(c, CACHE_HIT);
	return f;
}

/* One that was found before, and has not left the table since (memo.c). */
bool ipsp_flow_protects_still(struct flow *f)
{
	if (ipsp_flow_state(f) != FLOW_PROTECT || f->generation != READ_ONCE(f->c->generation))
		return false;
	if (READ_ONCE(f->used) != jiffies)
		WRITE_ONCE(f->used, jiffies);
	return true;
}

/* The flow of t, made if unknown (then *made). Referenced for the caller; NULL: no room. */
static struct flow *flow_get(struct compartment *c, const struct ipsp_tuple *t,
			     enum flow_state state, bool *made)
{
	struct hlist_head *bucket = flow_bucket(c, t);
	struct flow *f;

	*made = false;
	spin_lock_bh(&c->flows.lock);
	f = flow_lookup(c, bucket, t);
	if (!f && !c->gone && flow_evict(bucket)) {
		f = flow_new(c, t);
		if (f) {
			f->state = state;
			f->cached = true;
			hlist_add_head_rcu(&f->node, bucket);
			atomic_inc(&c->flows.count);
			*made = true;
		}
	}
	if (f)
		refcount_inc(&f->ref);
	spin_unlock_bh(&c->flows.lock);
	return f;
}

/* ---- flushing -------------------------------------------------------------------- */

static bool flow_has(const struct flow *f, const struct handle *h)
{
	return f->handle == h || ipsp_bundle_has(&f->bundle, h);
}

static void flow_flush_matching(struct compartment *c, const struct handle *h, bool bypass)
{
	struct hlist_node *next;
	struct flow *f;
	u32 i;

	for (i = 0; i < c->flows.buckets; i++) {
		if (hlist_empty(&c->flows.bucket[i]))
			continue;
		spin_lock_bh(&c->flows.lock);
		hlist_for_each_entry_safe(f, next, &c->flows.bucket[i], node)
			if ((!h || flow_has(f, h)) && (!bypass || f->state == FLOW_BYPASS))
				flow_unlink(f);
		spin_unlock_bh(&c->flows.lock);
	}
	ipsp_memo_forget();
}

void ipsp_flow_flush(struct compartment *c)
{
	flow_flush_matching(c, NULL, false);
}

void ipsp_flow_flush_bypass(struct compartment *c)
{
	flow_flush_matching(c, NULL, true);
}

void ipsp_flow_flush_handle(struct compartment *c, const struct handle *h)
{
	flow_flush_matching(c, h, false);
}

/* ---- inbound: what the protect list says of a clear packet ----------------------- */

enum flow_state ipsp_flow_clear(struct compartment *c, const struct ipsp_tuple *t,
				bool protect)
{
	enum protect_answer answer;
	enum flow_state state;
	struct flow *f;
	bool made;

	f = ipsp_flow_find(c, t);
	if (!f) {
		answer = ipsp_protect_ask(c, t);
		state = answer == PROTECT_CLEAR ? FLOW_BYPASS :
			answer == PROTECT_MUST ? FLOW_DROP : FLOW_DEAD;
		if (state == FLOW_DEAD)		/* no entry: the rule decides, uncached */
			return protect ? FLOW_DROP : FLOW_BYPASS;
		f = flow_get(c, t, state, &made);
		if (f)
			ipsp_flow_put(f);
		return state;
	}
	return ipsp_flow_state(f) == FLOW_BYPASS ? FLOW_BYPASS : FLOW_DROP;
}

/* ---- packets that wait ----------------------------------------------------------- */

static void asked_free(struct asked *a)
{
	dev_put(a->state.in);
	dev_put(a->state.out);
	if (a->state.sk)
		sock_put(a->state.sk);
	kmem_cache_free(asked_cache, a);
	ipsp_stats_freed();
}

static void asked_drop(struct compartment *c, struct asked *a, u32 reason)
{
	ipsp_count(c, CAPTURED);
	ipsp_count_drop(c, reason);
	kfree_skb(a->skb);
	asked_free(a);
}

static struct asked *asked_new(struct sk_buff *skb, enum flow_stage stage,
			       const struct nf_hook_state *state)
{
	struct asked *a;

	if (!skb_dst_force(skb))
		return NULL;
	a = kmem_cache_alloc(asked_cache, GFP_ATOMIC);
	if (!a)
		return NULL;
	a->skb = skb;
	a->stage = stage;
	a->state = *state;
	dev_hold(a->state.in);
	dev_hold(a->state.out);
	/* A socket on its way out takes no new reference: the packet itself holds it. */
	if (a->state.sk && (!sk_fullsock(a->state.sk) ||
			    !refcount_inc_not_zero(&a->state.sk->sk_refcnt)))
		a->state.sk = NULL;
	ipsp_stats_made();
	return a;
}

static void asked_send(struct flow *f, struct asked *a)
{
	ipsp_redirector_resume(a->skb, a->stage, &a->state, f);
	asked_free(a);
}

static bool asked_holds(const struct asked *a, const struct net_device *dev)
{
	return a->state.in == dev || a->state.out == dev || skb_dst(a->skb)->dev == dev;
}

void ipsp_flow_device_gone(struct flow *f, const struct net_device *dev,
			   struct list_head *gone)
{
	struct asked *a, *next;

	spin_lock_bh(&f->lock);
	list_for_each_entry_safe(a, next, &f->queue, list)
		if (asked_holds(a, dev)) {
			list_move_tail(&a->list, gone);
			f->queued--;
			if (f->hold)
				ipsp_hold_sub(f, a->skb);
		}
	spin_unlock_bh(&f->lock);
}

void ipsp_flow_drop_asked(struct compartment *c, struct list_head *gone, u32 reason)
{
	struct asked *a, *next;

	local_bh_disable();
	list_for_each_entry_safe(a, next, gone, list)
		asked_drop(c, a, reason);
	local_bh_enable();
}

/* Emits one that waited, by what the flow says now. */
static void asked_resume(struct flow *f, struct asked *a)
{
	if (f->reason)
		asked_drop(f->c, a, f->reason);
	else
		asked_send(f, a);
}

static struct asked *flow_dequeue(struct flow *f, enum flow_state state)
{
	struct asked *a;

	spin_lock_bh(&f->lock);
	a = list_first_entry_or_null(&f->queue, struct asked, list);
	if (a) {
		list_del(&a->list);
		f->queued--;
	} else {
		/* see ipsp_flow_state; one that left the table while asking opens for nobody */
		smp_store_release(&f->state, f->cached ? state : FLOW_DEAD);
	}
	spin_unlock_bh(&f->lock);
	return a;
}

static enum flow_state flow_outcome(u16 verdict)
{
	return verdict == IPSP_VERDICT_CLASSIFY ? FLOW_PROTECT :
	       verdict == IPSP_VERDICT_BYPASS ? FLOW_BYPASS : FLOW_DROP;
}

/* Drops that are not a decision about the flow are not remembered. */
static bool flow_is_decision(u16 verdict, u16 reason)
{
	return verdict != IPSP_VERDICT_DROP || reason == IPSP_DROP_POLICY ||
	       reason == IPSP_DROP_BYPASS_REFUSED;
}

bool ipsp_flow_may_have(const struct flow *f, const struct handle *h, const struct bundle *b)
{
	return !READ_ONCE(h->dead) && ipsp_bundle_stands(f->c, b);
}

void ipsp_flow_answer(struct flow *f, u16 verdict, u16 reason, struct handle *h,
		      const struct bundle *b, u32 generation)
{
	struct compartment *c = f->c;
	enum flow_state state;
	struct asked *a;

	spin_lock_bh(&c->flows.lock);
	/* its end flushed the flows that had it: this one had none yet */
	if (verdict == IPSP_VERDICT_CLASSIFY &&
	    (!ipsp_flow_may_have(f, h, b) || !ipsp_handle_hold(h))) {
		verdict = IPSP_VERDICT_DROP;
		reason = IPSP_DROP_STALE;
	}
	if (verdict == IPSP_VERDICT_CLASSIFY) {
		f->handle = h;
		f->bundle = *b;
	}
	if (f->cached && !flow_is_decision(verdict, reason))
		flow_unlink(f);
	spin_unlock_bh(&c->flows.lock);
	state = flow_outcome(verdict);
	f->answer = state;
	f->reason = verdict == IPSP_VERDICT_DROP ? reason : 0;
	f->generation = generation;
	while ((a = flow_dequeue(f, state)))
		asked_resume(f, a);
}

/* Queues; or says what the flow became meanwhile, or why the packet is dropped. */
static enum flow_state flow_queue(struct flow *f, struct asked *a, u32 *why)
{
	enum flow_state state;
	u32 reason = 0;

	spin_lock_bh(&f->lock);
	state = f->state;
	if (state == FLOW_ASKING) {
		reason = f->queued >= FLOW_QUEUE ? IPSP_DROP_ASKING :
			 f->hold ? ipsp_hold_add(f, a->skb) : 0;
		if (!reason) {
			list_add_tail(&a->list, &f->queue);
			f->queued++;
		}
	}
	spin_unlock_bh(&f->lock);
	*why = reason;
	return state;
}

static bool tuple_is_cacheable(const struct ipsp_tuple *t, u16 flags)
{
	return !(flags & IPSP_PKT_FRAGMENT) || t->has_ports;
}

static struct flow *flow_for(struct compartment *c, const struct ipsp_tuple *t, u16 flags,
			     bool *made)
{
	struct flow *f;

	if (tuple_is_cacheable(t, flags))
		return flow_get(c, t, FLOW_ASKING, made);
	f = flow_new(c, t);
	*made = f;
	return f;
}

/*
 * The flow that the packet waits on, or that was opened meanwhile. One that left the table between
 * the two is another packet's.
 */
static struct flow *flow_join(struct compartment *c, const struct ipsp_tuple *t, u16 flags,
			      struct asked *a, bool *made, enum flow_state *state, u32 *why)
{
	struct flow *f;

	while ((f = flow_for(c, t, flags, made))) {
		*state = flow_queue(f, a, why);
		if (*state != FLOW_DEAD)
			break;
		ipsp_flow_put(f);
	}
	return f;
}

/* The first packet of a flow asks; a refusal ends the flow and all that waits on it. */
static void flow_classify(struct compartment *c, struct flow *f, struct sk_buff *skb,
			  u16 flags)
{
	u32 reason = ipsp_deal_classify(c, f, skb, flags);

	if (reason)
		ipsp_flow_answer(f, IPSP_VERDICT_DROP, reason, NULL, NULL, 0);
}

void ipsp_flow_ask(struct compartment *c, const struct ipsp_tuple *t, struct sk_buff *skb,
		   enum flow_stage stage, const struct nf_hook_state *state, u16 flags)
{
	struct asked *a = asked_new(skb, stage, state);
	enum flow_state now;
	struct flow *f;
	bool made;
	u32 reason;

	f = a ? flow_join(c, t, flags, a, &made, &now, &reason) : NULL;
	if (!f) {
		ipsp_count(c, CAPTURED);
		ipsp_count_drop(c, a ? IPSP_DROP_ASKING : IPSP_DROP_NO_MEMORY);
		kfree_skb(skb);
		if (a)
			asked_free(a);
		return;
	}
	if (reason)
		asked_drop(c, a, reason);
	else if (now != FLOW_ASKING)
		asked_resume(f, a);	/* opened since the caller looked */
	else if (made)
		flow_classify(c, f, skb, flags);
	ipsp_flow_put(f);
}

/* ---- life ------------------------------------------------------------------------ */

int ipsp_flow_table_init(struct compartment *c)
{
	struct flow_table *t = &c->flows;

	t->buckets = roundup_pow_of_two(max(c->config.flows_max / FLOW_BUCKET, 1u));
	t->bucket = kvcalloc(t->buckets, sizeof(*t->bucket), GFP_KERNEL_ACCOUNT);
	if (!t->bucket)
		return -ENOMEM;
	t->seed = get_random_u32();
	spin_lock_init(&t->lock);
	return 0;
}

void ipsp_flow_table_exit(struct compartment *c)
{
	WARN_ON(atomic_read(&c->flows.count));
	kvfree(c->flows.bucket);
}

int ipsp_flow_init(void)
{
	BUILD_BUG_ON(sizeof(struct ipsp_tuple) % sizeof(u32));
	flow_cache = KMEM_CACHE(flow, SLAB_HWCACHE_ALIGN);
	asked_cache = KMEM_CACHE(asked, 0);
	if (flow_cache && asked_cache)
		return 0;
	ipsp_flow_exit();
	return -ENOMEM;
}

void ipsp_flow_exit(void)
{
	rcu_barrier();			/* flow_free_rcu */
	kmem_cache_destroy(flow_cache);
	kmem_cache_destroy(asked_cache);
}
