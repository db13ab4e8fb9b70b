// SPDX-License-Identifier: GPL-2.0
/*
 * deal.c - tickets are captured in an order, dealt to a stack, and kept until released
 *
 * Theory of operation. Each direction of a compartment has one FIFO in ticket order. A
 * ticket owns its packet until it is released, so a dead stack's tickets are dealt again
 * as the identical records: the same packet, the same numbers, stamped once at capture.
 * Nothing of an unreleased answer has left, so the second answer may replace the first.
 *
 * Where stacks merge what they vote on, inbound tickets wait until the softirq that captures
 * them has no more: a tasklet deals what has come by then, and each deal_run is one burst.
 *
 * c->lock protects the FIFOs and the down rings, so the order of capture is the order of
 * records. Answers are checked outside of it (answer.c), by whoever claimed the ticket.
 */
#include <linux/random.h>
#include <linux/slab.h>
#include <net/dst.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include "compat/compat.h"
#include "compartment.h"
#include "handle.h"
#include "poison.h"
#include "quorum.h"
#include "redirector.h"
#include "stream.h"
#include "trace.h"

static struct kmem_cache *ticket_cache;

/* ---- tickets ----------------------------------------------------------------------- */

static struct ticket *ticket_new(enum ticket_kind kind, struct sk_buff *skb)
{
	struct ticket *t = kmem_cache_zalloc(ticket_cache, GFP_ATOMIC);

	if (!t)
		return NULL;
	t->kind = kind;
	t->skb = skb;
	INIT_LIST_HEAD(&t->run);
	ipsp_stats_made();
	return t;
}

void ipsp_deal_ticket_free(struct ticket *t)
{
	struct ticket *merged, *next;

	list_for_each_entry_safe(merged, next, &t->run, list)
		ipsp_deal_ticket_free(merged);		/* they have no run */
	kfree_skb_list(t->answer);
	if (t->skb)
		consume_skb(t->skb);
	if (t->marked)
		ipsp_counter_settle(t->handle->counter, t->first, t->handle->c->numbers);
	if (t->handle)
		ipsp_handle_put(t->handle);
	if (t->answer_handle)
		ipsp_handle_put(t->answer_handle);
	if (t->flow)
		ipsp_flow_put(t->flow);
	if (t->vote)
		ipsp_quorum_forget(t);
	kmem_cache_free(ticket_cache, t);
	ipsp_stats_freed();
}

static struct fifo *ticket_fifo(struct compartment *c, const struct ticket *t)
{
	return &c->fifo[t->kind == TICKET_UNPROTECT ? IPSP_DIR_IN : IPSP_DIR_OUT];
}

bool ipsp_deal_has_stack(const struct compartment *c)
{
	return READ_ONCE(c->sharing);
}

/* ---- records --------------------------------------------------------------------- */

static u8 offload_gso_type(const struct sk_buff *skb)
{
	u32 type = skb_shinfo(skb)->gso_type;
	u8 ecn = type & SKB_GSO_TCP_ECN ? IPSP_GSO_ECN : 0;

	if (type & SKB_GSO_TCPV4)
		return IPSP_GSO_TCPV4 | ecn;
	if (type & SKB_GSO_TCPV6)
		return IPSP_GSO_TCPV6 | ecn;
	return IPSP_GSO_UDP_L4;
}

static void offload_fill(struct ipsp_offload *o, const struct sk_buff *skb)
{
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		o->flags = IPSP_OFFLOAD_NEEDS_CSUM;
		o->csum_start = skb_checksum_start_offset(skb);
		o->csum_offset = skb->csum_offset;
	}
	if (skb_is_gso(skb)) {
		o->gso_type = offload_gso_type(skb);
		o->gso_size = skb_shinfo(skb)->gso_size;
	}
}

static const u16 ticket_type[] = {
	[TICKET_CLASSIFY] = IPSP_REC_CLASSIFY,
	[TICKET_PROTECT] = IPSP_REC_PROTECT,
	[TICKET_UNPROTECT] = IPSP_REC_UNPROTECT,
};

static void packet_fill(struct ipsp_packet *p, const struct compartment *c,
			const struct ticket *t)
{
	const struct sk_buff *skb = t->skb;
	u32 i;

	offload_fill(&p->offload, skb);
	p->family = skb->protocol == htons(ETH_P_IPV6) ? 6 : 4;
	p->direction = t->kind == TICKET_UNPROTECT ? IPSP_DIR_IN : IPSP_DIR_OUT;
	p->flags = t->flags;
	p->length = skb->len;
	p->mtu = t->mtu;
	p->ifindex = t->ifindex;
	p->mark = skb->mark;
	if (t->flow) {
		p->length = t->flow->length;
		p->mark = t->flow->tuple.mark;
		p->ifindex = t->flow->tuple.ifindex;
		p->label = t->flow->tuple.label;
	}
	if (t->handle) {
		p->label = t->handle->config.label;
		p->stamp[0].handle = t->handle->config.id;
		p->stamp[0].count = t->count;
		p->stamp[0].first = t->first;
	}
	for (i = 0; t->kind == TICKET_UNPROTECT && i < ARRAY_SIZE(t->bundle.outer); i++)
		p->stamp[i + 1].handle = t->bundle.outer[i];
}

static u32 record_len(const struct ticket *t)
{
	return ALIGN(ipsp_record_data_offset(sizeof(struct ipsp_packet)) + t->skb->len, IPSP_ALIGN);
}

/* Writes the ticket's record; false: no room now, or the stack has just broken. */
static bool deal_record(struct compartment *c, struct stack *s, struct ticket *t, u16 flags)
{
	struct ipsp_record *rec;

	if (!ipsp_stream_has_spare(s, record_len(t)))
		return false;
	rec = ipsp_stream_reserve(s, sizeof(struct ipsp_packet), t->skb->len);
	if (!rec)
		return false;
	if (!t->dealt_at)
		t->generation = c->generation;
	rec->type = ticket_type[t->kind];
	rec->flags = flags;
	rec->ticket = t->number;
	rec->generation = t->generation;
	packet_fill((struct ipsp_packet *)(rec + 1), c, t);
	/* cannot fail: the length is the skb's own */
	skb_copy_bits(t->skb, 0, (u8 *)rec + rec->data_offset, t->skb->len);
	t->at = s->down.head - rec->len;
	return true;
}

static void deal_mark(struct compartment *c, struct ticket *t, u32 stack)
{
	if (t->dealt_at)
		ipsp_count(c, DEALT_AGAIN);
	ipsp_count(c, DEALT);
	trace_ipsp_deal(c->config.name, t->number, stack);
	t->stack = stack;
	t->dealt_at = ktime_get_coarse_ns();
	t->state = TICKET_DEALT;
}

/* To the stack whose turn it is; `full`: those without room. Both by index; 0: none has. */
static u16 deal_one(struct compartment *c, struct fifo *f, struct ticket *t, u16 *full)
{
	struct stack *s;

	while ((s = ipsp_share_next(c, f, *full))) {
		if (deal_record(c, s, t, ipsp_share_flags(c, f, t, BIT(s->index)))) {
			deal_mark(c, t, s->index);
			ipsp_share_dealt(s, f, t);
			return BIT(s->index);
		}
		*full |= BIT(s->index);
	}
	return 0;
}

static bool deal_all_have_room(struct compartment *c, u32 len)
{
	unsigned long sharing = c->sharing;
	u32 i;

	for_each_set_bit(i, &sharing, IPSP_STACKS_MAX)
		if (!ipsp_stream_fits(c->stack[i], len))
			return false;
	return sharing == c->sharing;		/* none was found broken */
}

/* To all, or to none: a stack does not learn from what it is dealt what others have. */
static u16 deal_all(struct compartment *c, struct fifo *f, struct ticket *t)
{
	unsigned long sharing = c->sharing;
	u16 dealt = 0, flags;
	u32 i;

	if (!ipsp_share_suffices(c) || !deal_all_have_room(c, record_len(t)))
		return 0;
	flags = ipsp_share_flags(c, f, t, sharing);
	for_each_set_bit(i, &sharing, IPSP_STACKS_MAX) {
		if (!deal_record(c, c->stack[i], t, flags))
			continue;
		ipsp_quorum_place(t, i, t->at);
		dealt |= BIT(i);
	}
	if (!dealt)
		return 0;
	deal_mark(c, t, NO_STACK);
	ipsp_quorum_open(c, f, t, dealt);
	return dealt;
}

/* Who was dealt something, by index; `urgent`: that he is to be woken for at once. */
static u16 deal_fifo(struct compartment *c, struct fifo *f, u16 *urgent)
{
	u16 dealt = 0, full = 0, to;

	while (f->undealt != &f->pending) {
		struct ticket *t = list_entry(f->undealt, struct ticket, list);

		if (t->state == TICKET_UNDEALT) {
			to = t->vote ? deal_all(c, f, t) : deal_one(c, f, t, &full);
			if (!to)
				break;
			dealt |= to;
			if (!t->handle || !ipsp_handle_is_vain(t->handle))
				*urgent |= to;
		}
		f->undealt = t->list.next;
	}
	return dealt;
}

void ipsp_deal_run(struct compartment *c)
{
	unsigned long dealt = 0;
	u16 urgent = 0;
	u32 i;

	lockdep_assert_held(&c->lock);
	WRITE_ONCE(c->burst, c->burst + 1);
	for (i = IPSP_DIR_OUT; i <= IPSP_DIR_IN; i++)
		if (c->fifo[i].undealt != &c->fifo[i].pending)
			dealt |= deal_fifo(c, &c->fifo[i], &urgent);
	if (!dealt)
		return;
	for_each_set_bit(i, &dealt, IPSP_STACKS_MAX)
		ipsp_stream_submit(c->stack[i], urgent & BIT(i));
}

/* It runs behind the softirq that captures, or as soon as softirqs may run at all. */
static void deal_tasklet(struct tasklet_struct *tasklet)
{
	struct compartment *c = from_tasklet(c, tasklet, dealer);

	spin_lock_bh(&c->lock);
	ipsp_deal_run(c);
	spin_unlock_bh(&c->lock);
}

static void deal_captured(struct compartment *c, const struct ticket *t)
{
	lockdep_assert_held(&c->lock);
	if (t->kind == TICKET_UNPROTECT && c->merging && !t->nomerge)
		tasklet_schedule(&c->dealer);
	else
		ipsp_deal_run(c);
}

/* ---- capture --------------------------------------------------------------------- */

static u32 enqueue_refusal(const struct compartment *c, const struct fifo *f, struct ticket *t)
{
	if (c->gone)
		return IPSP_DROP_GONE;
	if (!ipsp_share_suffices(c))
		return c->sharing ? IPSP_DROP_NO_QUORUM : IPSP_DROP_NO_STACK;
	if (!ipsp_fifo_has_room(f, t))
		return IPSP_DROP_RING_FULL;
	if (f->vote && !ipsp_quorum_has_slot(f, f->next << 1))
		return IPSP_DROP_RING_FULL;
	return IPSP_DROP_NONE;
}

/* The ticket's numbers are taken last: nothing is stamped that is refused before. */
static u32 deal_enqueue(struct compartment *c, struct ticket *t)
{
	struct fifo *f = ticket_fifo(c, t);
	u32 reason;

	if (ipsp_quorum_prepare(c, t))
		return IPSP_DROP_NO_MEMORY;
	spin_lock_bh(&c->lock);
	reason = enqueue_refusal(c, f, t);
	if (!reason && t->kind == TICKET_PROTECT &&
	    !ipsp_counter_take(t->handle->counter, t->count, &t->first))
		reason = IPSP_DROP_NUMBERS;
	if (!reason) {
		ipsp_fifo_append(f, t, f - c->fifo);
		trace_ipsp_capture(c->config.name, t->number, t->kind);
		deal_captured(c, t);
	}
	spin_unlock_bh(&c->lock);
	if (!reason)
		ipsp_watchdog_start(c);
	return reason;
}

/* For tickets that own their packet: on refusal all is freed and counted. */
static void deal_packet(struct compartment *c, struct ticket *t)
{
	u32 reason = ipsp_limit_is_reached(t->handle) ? IPSP_DROP_EXPIRED : deal_enqueue(c, t);

	if (!reason)
		return;
	ipsp_count_drop(c, reason);
	ipsp_handle_dropped(t->handle, reason);
	ipsp_deal_ticket_free(t);
}

u32 ipsp_deal_classify(struct compartment *c, struct flow *flow, const struct sk_buff *skb,
		       u16 flags)
{
	u32 reason, len = min_t(u32, skb->len, IPSP_CLASSIFY_MAX);
	struct sk_buff *head = alloc_skb(len, GFP_ATOMIC);
	struct ticket *t = head ? ticket_new(TICKET_CLASSIFY, head) : NULL;

	if (!t) {
		kfree_skb(head);
		return IPSP_DROP_NO_MEMORY;
	}
	skb_copy_bits(skb, 0, skb_put(head, len), len);
	head->protocol = skb->protocol;
	t->flags = flags;
	t->flow = flow;
	flow->length = skb->len;
	refcount_inc(&flow->ref);
	reason = deal_enqueue(c, t);
	if (reason)
		ipsp_deal_ticket_free(t);
	else
		ipsp_count(c, CAPTURED);
	return reason;
}

/* The ticket ends as rehired and is a new one; or not: why. */
u32 ipsp_deal_rehire(struct compartment *c, struct ticket *t)
{
	u32 reason;

	t->state = TICKET_UNDEALT;
	t->deaths = 0;
	t->dealt_at = 0;
	t->verdict = 0;
	t->reason = 0;
	if (t->answer_handle)
		ipsp_handle_put(t->answer_handle);
	t->answer_handle = NULL;
	reason = deal_enqueue(c, t);
	if (reason)
		return reason;
	ipsp_count(c, REHIRED);
	ipsp_count(c, CAPTURED);
	return 0;
}

void ipsp_deal_sa_ended(struct compartment *c)
{
	lockdep_assert_held(&c->lock);
	WRITE_ONCE(c->ended, c->fifo[IPSP_DIR_OUT].next);
}

/* ---- capture: outbound --------------------------------------------------------------- */

static void deal_protect_one(struct compartment *c, struct handle *h, const struct bundle *b,
			     struct sk_buff *skb, u16 flags, u32 mtu)
{
	struct ticket *t;

	ipsp_count(c, CAPTURED);
	t = ticket_new(TICKET_PROTECT, skb);
	if (!t || !ipsp_divert_keep_path(skb)) {
		ipsp_count_drop(c, IPSP_DROP_NO_MEMORY);
		if (t)
			ipsp_deal_ticket_free(t);
		else
			kfree_skb(skb);
		return;
	}
	t->handle = ipsp_handle_hold(h) ? h : NULL;
	if (!t->handle) {
		ipsp_count_drop(c, IPSP_DROP_STALE);
		ipsp_deal_ticket_free(t);
		return;
	}
	t->bundle = *b;
	t->flags = flags;
	t->mtu = mtu;
	t->count = ipsp_cut_count(skb, mtu, &t->header, &t->piece);
	deal_packet(c, t);
}

static void deal_protect_drop(struct compartment *c, u32 reason)
{
	ipsp_count(c, CAPTURED);
	ipsp_count_drop(c, reason);
}

void ipsp_deal_protect(struct compartment *c, struct handle *h, const struct bundle *b,
		       struct sk_buff *skb, u16 flags)
{
	struct dst_entry *path = ipsp_reinject_path(c, h, skb);
	struct sk_buff_head parts;
	u32 mtu;

	if (!path) {
		deal_protect_drop(c, IPSP_DROP_GONE);
		kfree_skb(skb);
		return;
	}
	mtu = ipsp_handle_inner_mtu(h, ipsp_bundle_path_mtu(c, b, skb, dst_mtu(path)));
	dst_release(path);
	flags = ipsp_cut_flags(skb, flags, mtu);
	if (!ipsp_cut_is_due(h, skb, flags, mtu))
		deal_protect_one(c, h, b, skb, flags, mtu);
	else if (!ipsp_cut(c->net, skb, &flags, mtu, &parts))
		deal_protect_drop(c, IPSP_DROP_NO_MEMORY);
	else
		while ((skb = __skb_dequeue(&parts)))
			deal_protect_one(c, h, b, skb, flags, mtu);
}

/* ---- capture: inbound ------------------------------------------------------------ */

void ipsp_deal_unprotect(struct compartment *c, struct handle *h, struct sk_buff *skb,
			 u64 number, bool marked, int ifindex)
{
	struct ticket *t = ticket_new(TICKET_UNPROTECT, skb);
	bool fits = t && ipsp_bundle_came_by(c, &t->bundle, skb);

	ipsp_count(c, CAPTURED);
	if (!fits || !ipsp_handle_hold(h)) {
		if (marked)
			ipsp_counter_settle(h->counter, number, c->numbers);
		ipsp_count_drop(c, fits ? IPSP_DROP_STALE :
				   t ? IPSP_DROP_NOT_SERVED : IPSP_DROP_NO_MEMORY);
		if (t)
			ipsp_deal_ticket_free(t);
		else
			kfree_skb(skb);
		return;
	}
	t->handle = h;
	t->first = number;
	t->marked = marked;
	t->nomerge = !marked || t->bundle.outer[0] || ipsp_limit_is_near(h);
	t->count = 1;
	t->ifindex = ifindex;
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	deal_packet(c, t);
}

/* ---- answers --------------------------------------------------------------------- */

static struct ticket *claim_find(struct compartment *c, u64 number, const struct stack *s)
{
	struct ticket *t = *ipsp_fifo_slot(&c->fifo[number & 1], number);

	return t && t->number == number && t->state == TICKET_DEALT &&
	       t->stack == s->index ? t : NULL;
}

static bool claim_merges(const struct ticket *t, const struct ticket *carrier)
{
	return t && t->kind == TICKET_UNPROTECT && !t->nomerge && t->handle == carrier->handle;
}

/* Numbers of a direction go by 2. What was dealt and is not answered is in the FIFO. */
static bool claim_run(struct compartment *c, struct ticket *carrier, u32 count,
		      struct stack *s)
{
	struct ticket *t;
	u32 i;

	for (i = 0; i < count; i++)
		if (!claim_merges(claim_find(c, carrier->number - 2 * i, s), carrier))
			return false;
	for (i = 1; i < count; i++) {
		t = claim_find(c, carrier->number - 2 * i, s);
		t->state = TICKET_ANSWERING;
		ipsp_share_taken(s, t);
		list_move(&t->list, &carrier->run);
	}
	return true;
}

static bool claim_is_allowed(const struct stack *s)
{
	return s->state == STACK_READY || s->state == STACK_LEAVING;
}

struct ticket *ipsp_deal_claim(struct compartment *c, u64 number, u32 count, struct stack *s)
{
	struct ticket *t;

	spin_lock_bh(&c->lock);
	t = claim_is_allowed(s) ? claim_find(c, number, s) : NULL;
	if (t && count > 1 && !claim_run(c, t, count, s))
		t = NULL;
	if (t) {
		t->state = TICKET_ANSWERING;
		ipsp_share_taken(s, t);
	}
	spin_unlock_bh(&c->lock);
	return t;
}

void ipsp_deal_answered(struct compartment *c, struct ticket *t)
{
	smp_store_release(&t->state, TICKET_ANSWERED);	/* matches release.c's load */
}

void ipsp_deal_follow(struct ticket *t, struct ticket *carrier)
{
	t->state = TICKET_ANSWERING;
	list_move(&t->list, &carrier->run);
}

void ipsp_deal_unclaim(struct compartment *c, struct ticket *t)
{
	struct ticket *merged;

	spin_lock_bh(&c->lock);
	list_for_each_entry(merged, &t->run, list)
		merged->state = TICKET_DEALT;
	list_splice_tail_init(&t->run, &t->list);	/* where they were: just before it */
	kfree_skb_list(t->answer);
	t->answer = NULL;
	t->verdict = 0;
	t->state = TICKET_DEALT;
	spin_unlock_bh(&c->lock);
}

/* The finished head run; true when there is one. Emptied slots forget their tickets. */
bool ipsp_deal_detach_finished(struct fifo *f, struct list_head *run)
{
	struct list_head *last = &f->pending;
	struct ticket *t, *merged;

	list_for_each_entry(t, &f->pending, list) {
		/* matches the store in ipsp_deal_answered: the answer is complete */
		if (smp_load_acquire(&t->state) != TICKET_ANSWERED)
			break;
		if (f->undealt == &t->list)
			f->undealt = t->list.next;
		ipsp_fifo_forget(f, t);
		list_for_each_entry(merged, &t->run, list)
			ipsp_fifo_forget(f, merged);
		last = &t->list;
	}
	if (last == &f->pending)
		return false;
	list_cut_position(run, &f->pending, last);	/* at once, not one by one */
	if (!list_empty(&f->pending))
		f->head_since = ktime_get_coarse_ns();
	return true;
}

/* ---- death ----------------------------------------------------------------------- */

void ipsp_deal_drop(struct ticket *t, u32 reason)
{
	t->verdict = IPSP_VERDICT_DROP;
	t->reason = reason;
	t->state = TICKET_ANSWERED;
}

void ipsp_deal_poison(struct compartment *c, struct ticket *t, const struct stack *s)
{
	lockdep_assert_held(&c->lock);
	ipsp_deal_drop(t, IPSP_DROP_POISON);
	ipsp_poison_keep(c, t, ticket_type[t->kind], s->index);
	ipsp_mailbox_event(c, IPSP_EVENT_POISON, 0, s->index, NULL, t->number);
}

/*
 * Back to UNDEALT. The record that the stack's own index points at is the one it died
 * on: two such deaths make a ticket poison. A lie only moves the blame inside one
 * compartment.
 */
static u32 fifo_take_back(struct compartment *c, struct fifo *f, const struct stack *s)
{
	u32 suspect = ipsp_ring_observe(s->down.kpeer), n = 0;
	struct ticket *t;

	f->undealt = &f->pending;
	list_for_each_entry(t, &f->pending, list) {
		if (t->state == TICKET_DEALT && t->stack == s->index) {
			t->state = TICKET_UNDEALT;
			n++;
			if (t->at == suspect && ++t->deaths >= 2)
				ipsp_deal_poison(c, t, s);
		}
		if (t->state == TICKET_UNDEALT && f->undealt == &f->pending)
			f->undealt = &t->list;
	}
	return n + ipsp_quorum_stack_gone(c, f, s);
}

void ipsp_deal_stack_gone(struct compartment *c, struct stack *s, u32 *pending)
{
	/* No answer is in work: KICK holds the mutex while it claims. */
	mutex_lock(&s->kick);
	spin_lock_bh(&c->lock);
	*pending = fifo_take_back(c, &c->fifo[IPSP_DIR_OUT], s);
	*pending += fifo_take_back(c, &c->fifo[IPSP_DIR_IN], s);
	s->load = 0;
	if (!ipsp_share_suffices(c) && !c->stackless_since)
		WRITE_ONCE(c->stackless_since, ktime_get_coarse_ns() ?: 1);
	ipsp_deal_run(c);
	spin_unlock_bh(&c->lock);
	mutex_unlock(&s->kick);
	ipsp_watchdog_now(c);
	ipsp_release_run(c);
}

static void fifo_drop_undealt(struct fifo *f, u32 reason)
{
	struct ticket *t;

	list_for_each_entry(t, &f->pending, list)
		if (t->state == TICKET_UNDEALT)
			ipsp_deal_drop(t, reason);
	f->undealt = &f->pending;
}

/* Packets that wait for a flow's answer hold devices: those of one that goes are dropped. */
void ipsp_deal_device_gone(struct compartment *c, const struct net_device *dev)
{
	struct ticket *t;
	LIST_HEAD(gone);

	spin_lock_bh(&c->lock);
	list_for_each_entry(t, &c->fifo[IPSP_DIR_OUT].pending, list)
		if (t->flow)
			ipsp_flow_device_gone(t->flow, dev, &gone);
	spin_unlock_bh(&c->lock);
	ipsp_flow_drop_asked(c, &gone, IPSP_DROP_GONE);
}

/* What a stack has is its own: it may be leaving. */
void ipsp_deal_drop_undealt(struct compartment *c)
{
	u32 reason = c->gone ? IPSP_DROP_GONE : IPSP_DROP_NO_SUCCESSOR;

	lockdep_assert_held(&c->lock);
	fifo_drop_undealt(&c->fifo[IPSP_DIR_OUT], reason);
	fifo_drop_undealt(&c->fifo[IPSP_DIR_IN], reason);
}

/* ---- life ------------------------------------------------------------------------ */

static int deal_fifo_init(const struct compartment *c, struct fifo *f)
{
	return ipsp_fifo_init(f) ?:
	       c->config.mode == IPSP_MODE_SHARE ? 0 : ipsp_quorum_fifo_init(f);
}

static void deal_fifo_exit(struct fifo *f)
{
	ipsp_quorum_fifo_exit(f);
	ipsp_fifo_exit(f);
}

int ipsp_deal_compartment_init(struct compartment *c)
{
	struct fifo *f;

	spin_lock_init(&c->lock);
	ipsp_watchdog_init(c);
	tasklet_setup(&c->dealer, deal_tasklet);
	get_random_bytes(&c->chance, sizeof(c->chance));
	for (f = c->fifo; f < c->fifo + ARRAY_SIZE(c->fifo); f++) {
		INIT_LIST_HEAD(&f->pending);
		INIT_LIST_HEAD(&f->votes);
		f->undealt = &f->pending;
	}
	c->numbers = kvcalloc(BITS_TO_LONGS(COUNTER_PLACES), sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!c->numbers)
		return -ENOMEM;
	return deal_fifo_init(c, &c->fifo[IPSP_DIR_OUT]) ?:
	       deal_fifo_init(c, &c->fifo[IPSP_DIR_IN]);
}

/* Breaks the attachment, and waits until its last answer is through. */
static void deal_end_stack(struct compartment *c, u32 index)
{
	struct stack *s = c->stack[index];

	if (!s)
		return;
	ipsp_stream_break(s, IPSP_BROKEN_NONE);
	flush_work(&s->broken_work);
}

/*
 * c->gone is set: capture refuses. Who may still hold a ticket: a KICK (flushed with its
 * stack: broken_work takes its mutex), the watchdog (cancelled), a releaser (waited for). Nobody
 * schedules the dealer any more.
 */
void ipsp_deal_compartment_end(struct compartment *c)
{
	u32 i;

	lockdep_assert_held(&c->admin);
	for (i = 0; i < IPSP_STACKS_MAX; i++)
		deal_end_stack(c, i);
	spin_lock_bh(&c->lock);
	ipsp_deal_drop_undealt(c);
	spin_unlock_bh(&c->lock);
	ipsp_watchdog_stop(c);
	tasklet_kill(&c->dealer);
	ipsp_release_run(c);
}

/* The last reference is gone, and with it every file, flow and ticket; or init failed. */
void ipsp_deal_compartment_exit(struct compartment *c)
{
	ipsp_watchdog_stop(c);
	deal_fifo_exit(&c->fifo[IPSP_DIR_OUT]);
	deal_fifo_exit(&c->fifo[IPSP_DIR_IN]);
	kvfree(c->numbers);
}

int ipsp_deal_init(void)
{
	ticket_cache = KMEM_CACHE(ticket, SLAB_HWCACHE_ALIGN);
	return ticket_cache ? 0 : -ENOMEM;
}

void ipsp_deal_exit(void)
{
	kmem_cache_destroy(ticket_cache);
}
