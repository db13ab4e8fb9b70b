// SPDX-License-Identifier: GPL-2.0
/*
 * release.c - answered tickets leave, in ticket order, with their effect
 *
 * One releaser at a time for each direction: he detaches the finished head run under
 * the lock, emits it outside, and looks again before he ends, so that whoever finds
 * `releasing` set may go home.
 */
#include <linux/slab.h>
#include <linux/tcp.h>
#include "compat/compat.h"
#include "compartment.h"
#include "encap.h"
#include "handle.h"
#include "redirector.h"
#include "trace.h"

static void release_drop(struct compartment *c, struct ticket *t)
{
	ipsp_count_drop(c, t->reason);
	if (t->handle)
		ipsp_handle_dropped(t->handle, t->reason);
	trace_ipsp_drop(c->config.name, t->number, t->reason);
}

static void release_counted(struct compartment *c, struct ticket *t, u32 reason)
{
	if (!reason) {
		ipsp_count(c, RELEASED);
		return;
	}
	t->reason = reason;
	release_drop(c, t);
}

/*
 * An SA that the answer names has ended, and nobody could know that when it was asked: it is asked
 * again, and its flow's packets wait on. So new keys cost no packet. true: it is a new ticket.
 */
static bool release_asks_again(struct compartment *c, struct ticket *t)
{
	if (t->verdict == IPSP_VERDICT_CLASSIFY &&
	    !ipsp_flow_may_have(t->flow, t->answer_handle, &t->bundle)) {
		t->verdict = IPSP_VERDICT_DROP;
		t->reason = IPSP_DROP_STALE;
	}
	smp_rmb();	/* who sees that a handle is dead sees what was asked before that */
	if (t->reason != IPSP_DROP_STALE || t->number >> 1 >= READ_ONCE(c->ended))
		return false;
	t->reason = ipsp_deal_rehire(c, t);
	if (t->reason)
		t->verdict = IPSP_VERDICT_DROP;
	return !t->reason;
}

/* Any verdict of a classify ticket opens its flow, DROP as well. */
static void release_classify(struct compartment *c, struct ticket *t)
{
	if (t->verdict == IPSP_VERDICT_CLASSIFY)
		ipsp_count(c, CLASSIFIED);
	else if (t->verdict == IPSP_VERDICT_BYPASS)
		ipsp_count(c, BYPASSED);
	else
		release_drop(c, t);
	ipsp_flow_answer(t->flow, t->verdict, t->reason, t->answer_handle, &t->bundle,
			 t->generation);
}

/* What does not count: never more than there is, whatever a stack said that the packet is. */
static u32 release_own_header(const struct ticket *t, u32 len)
{
	return min(ipsp_handle_own_header(t->handle), len);
}

/*
 * Counts each segment, as long as the limits allow it; what is behind goes. A segment's
 * own length is not known, but how the packet was cut is. false: none is left.
 */
static bool release_use_out(struct ticket *t)
{
	u32 off = release_own_header(t, t->header ?: t->skb->len);
	u32 header = t->header, packets = 0, bytes = 0;
	u32 left = t->skb->len - header, piece = t->piece ?: left, len;
	struct sk_buff **at = &t->answer;

	for (; *at && !ipsp_limit_is_reached(t->handle); at = &(*at)->next) {
		len = min(left, piece);
		left -= len;
		packets++;
		bytes += header + len - off;
		if ((*at)->next && !READ_ONCE(t->handle->limited))
			continue;
		ipsp_handle_used(t->handle, packets, bytes);
		packets = 0;
		bytes = 0;
	}
	kfree_skb_list(*at);
	*at = NULL;
	return t->answer;
}

static void release_protect(struct compartment *c, struct ticket *t)
{
	if (t->verdict == IPSP_VERDICT_TRANSFORMED && !release_use_out(t)) {
		release_counted(c, t, IPSP_DROP_EXPIRED);
	} else if (t->verdict == IPSP_VERDICT_TRANSFORMED) {
		release_counted(c, t, ipsp_reinject_out(c, t));
	} else if (t->verdict == IPSP_VERDICT_TOOBIG) {
		ipsp_count(c, TOOBIG);
		ipsp_reinject_toobig(c, t);
	} else {
		release_drop(c, t);
	}
}

/*
 * The replay bit is set here, in ticket order: a number pending twice passes once. What is
 * merged holds marked numbers only, each pending once; if one is refused yet (others brought
 * the window past it, or it is a new one), all of them are.
 */
static bool release_accept(struct ticket *t)
{
	struct counter *n = t->handle->counter;
	struct ticket *merged;
	bool ok = true;

	list_for_each_entry(merged, &t->run, list)
		ok &= ipsp_counter_accept(n, merged->first);
	return ok & ipsp_counter_accept(n, t->first);
}

/* What the carrier's end is to the tickets of its run. */
static void release_run(struct compartment *c, struct ticket *t)
{
	struct ticket *merged;

	list_for_each_entry(merged, &t->run, list) {
		if (t->verdict == IPSP_VERDICT_TRANSFORMED) {
			ipsp_count(c, MERGED);
		} else {
			merged->reason = t->reason;
			release_drop(c, merged);
		}
	}
}

static void release_refuse(struct ticket *t, u32 reason)
{
	t->verdict = IPSP_VERDICT_DROP;
	t->reason = reason;
}

/* The carrier, and each of its run with the headers that the carrier has once. */
static void release_use_in(struct ticket *t)
{
	const struct sk_buff *skb = t->answer;
	struct ticket *merged;
	u32 header;

	ipsp_handle_used(t->handle, 1, skb->len - release_own_header(t, skb->len));
	if (list_empty(&t->run))
		return;
	header = skb_transport_offset(skb) + tcp_hdrlen(skb);
	header -= release_own_header(t, header);
	list_for_each_entry(merged, &t->run, list)
		ipsp_handle_used(t->handle, 1, header);
}

static void release_unprotect(struct compartment *c, struct ticket *t)
{
	if (t->verdict == IPSP_VERDICT_TRANSFORMED || t->reason == IPSP_DROP_DUMMY) {
		ipsp_handle_judge(t->handle, true);
		if (ipsp_limit_is_reached(t->handle))
			release_refuse(t, IPSP_DROP_EXPIRED);
		else if (!release_accept(t))
			release_refuse(t, IPSP_DROP_REPLAY);
		else if (t->verdict == IPSP_VERDICT_TRANSFORMED)
			release_use_in(t);
	} else if (t->reason >= IPSP_DROP_FIRST_OF_STACK) {
		ipsp_handle_judge(t->handle, false);
	}
	release_run(c, t);
	if (t->verdict == IPSP_VERDICT_TRANSFORMED && ipsp_encap_is(&t->handle->config))
		ipsp_encap_seen(c, t->handle, t->skb);
	if (t->verdict != IPSP_VERDICT_TRANSFORMED) {
		release_drop(c, t);
		return;
	}
	release_counted(c, t, ipsp_reinject_in(c, t));
}

static void (*const release_kind[])(struct compartment *c, struct ticket *t) = {
	[TICKET_CLASSIFY] = release_classify,
	[TICKET_PROTECT] = release_protect,
	[TICKET_UNPROTECT] = release_unprotect,
};

/* Packets of one run, more than one, may be of one flow. */
static bool release_merges(const struct list_head *run)
{
	return !list_is_singular(run) &&
	       list_first_entry(run, struct ticket, list)->kind == TICKET_UNPROTECT &&
	       ipsp_reinject_merge_begin();
}

/* Held, or asked again: it does not end. */
static bool release_is_kept(struct compartment *c, struct ticket *t)
{
	if (t->verdict == IPSP_VERDICT_HOLD)
		return ipsp_hold_keep(c, t);
	return t->kind == TICKET_CLASSIFY && release_asks_again(c, t);
}

/* The run ends with it: its tickets are freed, or kept elsewhere. */
static void release_emit(struct compartment *c, struct list_head *run)
{
	bool merges = release_merges(run);
	struct ticket *t, *next;

	rcu_read_lock();
	list_for_each_entry_safe(t, next, run, list) {
		trace_ipsp_release(c->config.name, t->number, t->verdict);
		if (release_is_kept(c, t))
			continue;
		release_kind[t->kind](c, t);
		ipsp_deal_ticket_free(t);
	}
	INIT_LIST_HEAD(run);
	if (merges)
		ipsp_reinject_merge_end();
	rcu_read_unlock();
}

/*
 * Gives the lock up while it emits; softirqs stay off, so what it sends comes in behind it. As
 * long as others go on to answer there is more to emit: then softirqs have their turn between.
 */
static void release_fifo(struct compartment *c, struct fifo *f)
	__must_hold(&c->lock)
{
	LIST_HEAD(run);
	bool again = false;

	if (f->releasing)
		return;
	f->releasing = true;
	while (!list_empty(&f->pending) && ipsp_deal_detach_finished(f, &run)) {
		spin_unlock(&c->lock);
		if (again) {
			local_bh_enable();
			local_bh_disable();
		}
		again = true;
		release_emit(c, &run);
		spin_lock(&c->lock);
	}
	f->releasing = false;
}

void ipsp_release_run_locked(struct compartment *c)
{
	lockdep_assert_held(&c->lock);
	release_fifo(c, &c->fifo[IPSP_DIR_OUT]);
	release_fifo(c, &c->fifo[IPSP_DIR_IN]);
}

void ipsp_release_run(struct compartment *c)
{
	spin_lock_bh(&c->lock);
	ipsp_release_run_locked(c);
	spin_unlock_bh(&c->lock);
}
