// SPDX-License-Identifier: GPL-2.0
/*
 * hold.c - packets that wait for a key exchange
 *
 * Theory of operation. The verdict HOLD takes a classify ticket out of the order. The ticket
 * is kept here under the acquire id that the stack named, and its flow stays ASKING, so later
 * packets of it queue behind. RELEASE of the id asks again: the ticket is enqueued under a new
 * number, and nothing of the flow has overtaken. REFUSE and the time drop it.
 *
 * What was released may be answered HOLD all the same, by a stack that asked the policies
 * before. So a RELEASE or REFUSE is remembered with its point of the ticket order, and a
 * ticket from before that point is not held.
 *
 * All of it is bounded: packets and bytes of an id, tickets, bytes and ids of a compartment.
 * Of an id the manager hears at most HOLD_PEERS destinations a second, of each once, and of
 * all ids HOLD_TOLD.
 */
#include <linux/jiffies.h>
#include <linux/slab.h>
#include "compartment.h"
#include "ipsec_port_selector.h"
#include "trace.h"

#define HOLD_PACKETS	128		/* of an id */
#define HOLD_BYTES	(512u << 10)	/* of an id, truesize */
#define HOLD_ALL_BYTES	(8u << 20)	/* of a compartment */
#define HOLD_TICKETS	1024		/* " */
#define HOLD_IDS	1024		/* " */
#define HOLD_PEERS	8
#define HOLD_DAMPED	HZ		/* of an id and destination: told again after that */
#define HOLD_TOLD	256		/* of a compartment, a second */
#define HOLD_AGAIN	IPSP_DROP_NONE	/* no reason to drop: to be asked again */
#define HOLD_HELD	IPSP_DROP_COUNT	/* nor this: it is held */

struct hold_peer {
	u8 destination[16];
	unsigned long told;		/* jiffies; 0: never */
};

/* One acquire id. Protected by holds.lock. Its tickets keep it. */
struct hold {
	struct hlist_node node;
	struct list_head recent;
	u32 id;
	u32 tickets;
	atomic_t packets, bytes;	/* moved under a flow's lock */
	u64 point;			/* of the last RELEASE or REFUSE */
	bool refused;			/* that was a REFUSE, */
	unsigned long refused_until;	/* and holds so long, jiffies */
	struct hold_peer peer[HOLD_PEERS];
};

/* ---- ids ------------------------------------------------------------------------- */

static struct hlist_head *hold_bucket(struct holds *hs, u32 id)
{
	return &hs->bucket[id % HOLD_BUCKETS];
}

static struct hold *hold_find(struct holds *hs, u32 id)
{
	struct hold *h;

	lockdep_assert_held(&hs->lock);
	hlist_for_each_entry(h, hold_bucket(hs, id), node)
		if (h->id == id)
			return h;
	return NULL;
}

static void hold_free(struct holds *hs, struct hold *h)
{
	hlist_del(&h->node);
	list_del(&h->recent);
	hs->ids--;
	kfree(h);
	ipsp_stats_freed();
}

/* The one that nobody waits on and that was used longest ago gives way. */
static bool hold_make_room(struct holds *hs)
{
	struct hold *h;

	if (hs->ids < HOLD_IDS)
		return true;
	list_for_each_entry(h, &hs->recent, recent) {
		if (h->tickets)
			continue;
		hold_free(hs, h);
		return true;
	}
	return false;
}

/* The id's, made if unknown; NULL: no room. */
static struct hold *hold_get(struct holds *hs, u32 id)
{
	struct hold *h = hold_find(hs, id);

	if (h) {
		list_move_tail(&h->recent, &hs->recent);
		return h;
	}
	h = hold_make_room(hs) ? kzalloc(sizeof(*h), GFP_ATOMIC) : NULL;
	if (!h)
		return NULL;
	h->id = id;
	hlist_add_head(&h->node, hold_bucket(hs, id));
	list_add_tail(&h->recent, &hs->recent);
	hs->ids++;
	ipsp_stats_made();
	return h;
}

/* ---- ACQUIRE --------------------------------------------------------------------- */

/* The destination's place, if it may be told about now: its own, or the oldest. */
static struct hold_peer *hold_peer(struct hold *h, const u8 *destination)
{
	struct hold_peer *p, *oldest = h->peer;

	for (p = h->peer; p < h->peer + HOLD_PEERS; p++) {
		if (p->told && !memcmp(p->destination, destination, sizeof(p->destination))) {
			oldest = p;
			break;
		}
		if (!p->told || (oldest->told && time_before(p->told, oldest->told)))
			oldest = p;
	}
	return !oldest->told || time_after_eq(jiffies, oldest->told + HOLD_DAMPED) ? oldest : NULL;
}

/* Ids can be made up: however many there are, the manager has time for more than them. */
static bool hold_may_tell(struct holds *hs)
{
	lockdep_assert_held(&hs->lock);
	if (time_after_eq(jiffies, hs->second + HZ)) {
		hs->second = jiffies;
		hs->told = 0;
	}
	return hs->told < HOLD_TOLD;
}

static bool hold_acquire_is_sane(const struct ipsp_acquire *a)
{
	u8 bits = a->selector.family == 4 ? 32 : 128;

	return a->acquire && a->selector.family && ipsp_selector_is_valid(&a->selector) &&
	       a->selector.source_prefix == bits && a->selector.destination_prefix == bits &&
	       !memchr_inv(a->reserved, 0, sizeof(a->reserved));
}

u32 ipsp_hold_acquire(struct compartment *c, const struct ipsp_acquire *a)
{
	struct holds *hs = &c->holds;
	struct hold_peer *p;
	struct hold *h;

	if (!hold_acquire_is_sane(a))
		return IPSP_BROKEN_RECORD;
	spin_lock_bh(&hs->lock);
	h = hs->ended ? NULL : hold_get(hs, a->acquire);
	p = h && hold_may_tell(hs) ? hold_peer(h, a->selector.destination) : NULL;
	if (p && ipsp_mailbox_acquire(c, a)) {
		hs->told++;
		memcpy(p->destination, a->selector.destination, sizeof(p->destination));
		p->told = jiffies ?: 1;
	}
	spin_unlock_bh(&hs->lock);
	return IPSP_BROKEN_NONE;
}

/* ---- counting what waits --------------------------------------------------------- */

static void hold_uncount(struct holds *hs, struct flow *f, u32 packets, u32 bytes)
{
	lockdep_assert_held(&f->lock);
	atomic_sub(packets, &f->hold->packets);
	atomic_sub(bytes, &f->hold->bytes);
	atomic_sub(bytes, &hs->bytes);
	f->held_packets -= packets;
	f->held_bytes -= bytes;
}

/* false: one of the bounds is reached, and nothing is counted. */
static bool hold_count(struct holds *hs, struct flow *f, u32 packets, u32 bytes)
{
	bool fits;

	lockdep_assert_held(&f->lock);
	fits = atomic_add_return(packets, &f->hold->packets) <= HOLD_PACKETS;
	fits &= atomic_add_return(bytes, &f->hold->bytes) <= HOLD_BYTES;
	fits &= atomic_add_return(bytes, &hs->bytes) <= HOLD_ALL_BYTES;
	f->held_packets += packets;
	f->held_bytes += bytes;
	if (!fits)
		hold_uncount(hs, f, packets, bytes);
	return fits;
}

u32 ipsp_hold_add(struct flow *f, const struct sk_buff *skb)
{
	return hold_count(&f->c->holds, f, 1, skb->truesize) ? 0 : IPSP_DROP_HOLD_EXPIRED;
}

void ipsp_hold_sub(struct flow *f, const struct sk_buff *skb)
{
	hold_uncount(&f->c->holds, f, 1, skb->truesize);
}

/* ---- keeping --------------------------------------------------------------------- */

/* What waits on the flow is counted to h from here on; false: it has no room for that. */
static bool hold_enter(struct holds *hs, struct hold *h, struct ticket *t)
{
	struct flow *f = t->flow;
	struct asked *a;
	u32 bytes = 0;
	bool fits;

	spin_lock(&f->lock);
	list_for_each_entry(a, &f->queue, list)
		bytes += a->skb->truesize;
	f->hold = h;
	fits = hold_count(hs, f, f->queued, bytes);
	if (!fits)
		f->hold = NULL;
	spin_unlock(&f->lock);
	if (!fits)
		return false;
	h->tickets++;
	hs->tickets++;
	list_add_tail(&t->list, &hs->held);
	return true;
}

/* HOLD_HELD; HOLD_AGAIN: to be asked again instead; or why it is dropped. */
static u32 hold_try(struct holds *hs, struct ticket *t, u64 number)
{
	struct hold *h;

	lockdep_assert_held(&hs->lock);
	if (hs->ended)
		return IPSP_DROP_GONE;
	if (t->hold_until && time_after_eq(jiffies, t->hold_until))
		return IPSP_DROP_HOLD_EXPIRED;
	h = hold_get(hs, t->acquire);
	if (!h || hs->tickets >= HOLD_TICKETS)
		return IPSP_DROP_HOLD_EXPIRED;
	if (h->refused && (number < h->point || time_before(jiffies, h->refused_until)))
		return IPSP_DROP_NO_SA;
	if (number < max(h->point, hs->point))
		return HOLD_AGAIN;
	return hold_enter(hs, h, t) ? HOLD_HELD : IPSP_DROP_HOLD_EXPIRED;
}

/* When the next one has waited long enough. */
static void hold_watch(struct holds *hs, unsigned long until)
{
	lockdep_assert_held(&hs->lock);
	if (delayed_work_pending(&hs->work) && !time_before(until, hs->due))
		return;
	hs->due = until;
	mod_delayed_work(system_wq, &hs->work, until - jiffies);
}

/* The time runs from the first HOLD on, however often it is asked again. */
static u32 hold_take(struct compartment *c, struct ticket *t)
{
	struct holds *hs = &c->holds;
	u32 result;

	if (!t->hold_until)
		t->hold_until = (jiffies + msecs_to_jiffies(c->config.hold_ms)) ?: 1;
	spin_lock_bh(&hs->lock);
	result = hold_try(hs, t, t->number >> 1);
	if (result == HOLD_HELD)
		hold_watch(hs, t->hold_until);
	spin_unlock_bh(&hs->lock);
	return result;
}

bool ipsp_hold_keep(struct compartment *c, struct ticket *t)
{
	u32 reason = hold_take(c, t);

	if (reason == HOLD_HELD)
		return true;
	if (reason == HOLD_AGAIN)
		reason = ipsp_deal_rehire(c, t);
	if (!reason)
		return true;
	t->verdict = IPSP_VERDICT_DROP;
	t->reason = reason;
	return false;
}

/* ---- letting go ------------------------------------------------------------------ */

/* The flow's packets are nobody's here any more; they still wait for their ticket. */
static void hold_leave(struct holds *hs, struct ticket *t)
{
	struct flow *f = t->flow;

	spin_lock_bh(&hs->lock);
	f->hold->tickets--;
	hs->tickets--;
	spin_lock(&f->lock);
	hold_uncount(hs, f, f->held_packets, f->held_bytes);
	f->hold = NULL;
	spin_unlock(&f->lock);
	spin_unlock_bh(&hs->lock);
}

static void hold_drop(struct compartment *c, struct ticket *t, u32 reason)
{
	ipsp_count_drop(c, reason);
	trace_ipsp_drop(c->config.name, t->number, reason);
	ipsp_flow_answer(t->flow, IPSP_VERDICT_DROP, reason, NULL, NULL, t->generation);
	ipsp_deal_ticket_free(t);
}

/* In their order. reason: IPSP_DROP_*, or HOLD_AGAIN. */
static void hold_let_go(struct compartment *c, struct list_head *gone, u32 reason)
{
	struct ticket *t, *next;
	u32 why;

	rcu_read_lock();
	local_bh_disable();
	list_for_each_entry_safe(t, next, gone, list) {
		list_del(&t->list);
		hold_leave(&c->holds, t);
		why = reason == HOLD_AGAIN ? ipsp_deal_rehire(c, t) : reason;
		if (why)
			hold_drop(c, t, why);
	}
	local_bh_enable();
	rcu_read_unlock();
}

/* Moves the tickets of that id, 0: of all ids, to `gone`. */
static void hold_take_out(struct holds *hs, u32 id, struct list_head *gone)
{
	struct ticket *t, *next;

	lockdep_assert_held(&hs->lock);
	list_for_each_entry_safe(t, next, &hs->held, list)
		if (!id || t->acquire == id)
			list_move_tail(&t->list, gone);
}

static void hold_told_policy(struct compartment *c, u64 point)
{
	struct holds *hs = &c->holds;
	LIST_HEAD(gone);

	spin_lock_bh(&hs->lock);
	hs->point = point;
	hold_take_out(hs, 0, &gone);
	spin_unlock_bh(&hs->lock);
	hold_let_go(c, &gone, HOLD_AGAIN);
}

static void hold_told_acquired(struct compartment *c, u32 id, bool refused, u64 point)
{
	struct holds *hs = &c->holds;
	struct hold *h;
	LIST_HEAD(gone);

	spin_lock_bh(&hs->lock);
	h = hold_get(hs, id);
	if (h) {
		h->point = point;
		h->refused = refused;
		h->refused_until = jiffies + HOLD_DAMPED;
		memset(h->peer, 0, sizeof(h->peer));
	}
	hold_take_out(hs, id, &gone);
	spin_unlock_bh(&hs->lock);
	hold_let_go(c, &gone, refused ? IPSP_DROP_NO_SA : HOLD_AGAIN);
}

void ipsp_hold_told(struct compartment *c, const struct ipsp_record *rec, u64 point)
{
	const struct ipsp_acquired *a = (const struct ipsp_acquired *)(rec + 1);

	if (rec->type == IPSP_REC_POLICY)
		hold_told_policy(c, point);
	else if (rec->type == IPSP_REC_RELEASE || rec->type == IPSP_REC_REFUSE)
		hold_told_acquired(c, a->acquire, rec->type == IPSP_REC_REFUSE, point);
}

/* ---- time, devices --------------------------------------------------------------- */

/* Moves what has waited long enough to `gone`, and watches the next one. */
static void hold_expire(struct holds *hs, struct list_head *gone)
{
	struct ticket *t, *next;

	lockdep_assert_held(&hs->lock);
	list_for_each_entry_safe(t, next, &hs->held, list) {
		if (time_after_eq(jiffies, t->hold_until))
			list_move_tail(&t->list, gone);
		else
			hold_watch(hs, t->hold_until);
	}
}

static void hold_work(struct work_struct *work)
{
	struct compartment *c = container_of(work, struct compartment, holds.work.work);
	LIST_HEAD(gone);

	spin_lock_bh(&c->holds.lock);
	hold_expire(&c->holds, &gone);
	spin_unlock_bh(&c->holds.lock);
	hold_let_go(c, &gone, IPSP_DROP_HOLD_EXPIRED);
}

void ipsp_hold_device_gone(struct compartment *c, const struct net_device *dev)
{
	struct ticket *t;
	LIST_HEAD(gone);

	spin_lock_bh(&c->holds.lock);
	list_for_each_entry(t, &c->holds.held, list)
		ipsp_flow_device_gone(t->flow, dev, &gone);
	spin_unlock_bh(&c->holds.lock);
	ipsp_flow_drop_asked(c, &gone, IPSP_DROP_GONE);
}

/* ---- life ------------------------------------------------------------------------ */

void ipsp_hold_init(struct compartment *c)
{
	struct holds *hs = &c->holds;

	spin_lock_init(&hs->lock);
	INIT_LIST_HEAD(&hs->recent);
	INIT_LIST_HEAD(&hs->held);
	INIT_DELAYED_WORK(&hs->work, hold_work);
}

void ipsp_hold_end(struct compartment *c)
{
	struct holds *hs = &c->holds;
	LIST_HEAD(gone);

	spin_lock_bh(&hs->lock);
	hs->ended = true;
	hold_take_out(hs, 0, &gone);
	spin_unlock_bh(&hs->lock);
	hold_let_go(c, &gone, IPSP_DROP_GONE);
	cancel_delayed_work_sync(&hs->work);
}

void ipsp_hold_exit(struct compartment *c)
{
	struct holds *hs = &c->holds;
	struct hold *h, *next;

	WARN_ON(hs->tickets || atomic_read(&hs->bytes));
	list_for_each_entry_safe(h, next, &hs->recent, recent)
		hold_free(hs, h);
}
