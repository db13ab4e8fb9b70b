// SPDX-License-Identifier: GPL-2.0
/*
 * watchdog.c - deadlines: of a stack's tickets, of room for control records, of a successor
 *
 * One delayed work for each compartment, which runs only while something waits. It works
 * with no manager alive: a stack that is too late is broken, and what waits for a successor
 * that does not come is dropped. The clock is the one that ticks (ktime_get_coarse_ns): a
 * ticket may look up to a tick older than it is, so a deadline is a tick longer.
 */
#include "compartment.h"
#include "quorum.h"
#include "stream.h"

static bool watchdog_is_pending(const struct compartment *c)
{
	return c->fifo[IPSP_DIR_OUT].length || c->fifo[IPSP_DIR_IN].length;
}

static bool watchdog_is_owed(const struct compartment *c)
{
	return !list_empty(&c->fifo[IPSP_DIR_OUT].votes) ||
	       !list_empty(&c->fifo[IPSP_DIR_IN].votes);
}

/* How old the head is, in this stack's hands; 0: nothing to judge. */
static u64 watchdog_head_age(const struct stack *s, struct fifo *f, u64 now)
{
	struct ticket *t = list_first_entry_or_null(&f->pending, struct ticket, list);

	if (!t || t->state != TICKET_DEALT || t->stack != s->index)
		return ipsp_quorum_age(s, f, now);
	return now - max(t->dealt_at, f->head_since);
}

/* What lies behind its snapshot is not late before the stack has read that, if it moves. */
static u64 watchdog_late(struct compartment *c, struct stack *s, u64 now)
{
	u64 age = max(watchdog_head_age(s, &c->fifo[IPSP_DIR_OUT], now),
		      watchdog_head_age(s, &c->fifo[IPSP_DIR_IN], now));

	if (s->state == STACK_AWAITS)
		return 0;
	return min(age, s->snapshot_read ? now - s->snapshot_read : ipsp_stream_idle(s, now));
}

/* Both of what a stack may keep waiting: tickets, and the manager. ns until the next look. */
static u64 watchdog_stack(struct compartment *c, struct stack *s)
{
	u64 deadline = (u64)c->config.deadline_ms * NSEC_PER_MSEC + TICK_NSEC;
	u64 now, late, full;

	if (s->state == STACK_BROKEN)
		return 0;
	ipsp_stream_progress(s);
	now = ktime_get_coarse_ns();
	late = watchdog_late(c, s, now);
	full = ipsp_stream_has_room(s) ? 0 : ipsp_stream_idle(s, now) + 1;
	if (late > deadline)
		ipsp_stream_break_locked(s, IPSP_BROKEN_DEADLINE);
	else if (full > deadline)
		ipsp_stream_break_locked(s, IPSP_BROKEN_ROOM);
	if (!full && !watchdog_is_pending(c) && !watchdog_is_owed(c))
		return 0;
	late = max(late, full);
	return late > deadline ? deadline : deadline - late + 1;
}

static u64 watchdog_successor(struct compartment *c)
{
	u64 successor = (u64)c->config.successor_ms * NSEC_PER_MSEC, waited = 0;

	if (ipsp_share_suffices(c) || !watchdog_is_pending(c))
		return 0;
	if (c->stackless_since)
		waited = ktime_get_coarse_ns() - c->stackless_since;
	if (waited < successor)
		return successor - waited + 1;
	ipsp_deal_drop_undealt(c);
	return successor / 8 + 1;
}

/* ns until the next look, 0: nothing is pending, nobody waits. */
static u64 watchdog_look(struct compartment *c)
{
	u64 next;
	u32 i;

	lockdep_assert_held(&c->lock);
	next = watchdog_successor(c);
	for (i = 0; i < IPSP_STACKS_MAX; i++)
		if (c->stack[i])
			next = min_not_zero(next, watchdog_stack(c, c->stack[i]));
	return c->gone ? 0 : next;
}

static void watchdog_work(struct work_struct *work)
{
	struct compartment *c = container_of(work, struct compartment, watchdog.work);
	u64 next;

	spin_lock_bh(&c->lock);
	next = watchdog_look(c);
	spin_unlock_bh(&c->lock);
	ipsp_release_run(c);
	if (next)
		queue_delayed_work(system_highpri_wq, &c->watchdog,
				   nsecs_to_jiffies(next) + 1);
}

void ipsp_watchdog_init(struct compartment *c)
{
	INIT_DELAYED_WORK(&c->watchdog, watchdog_work);
}

/* The shortest of what it looks for; each look knows when the next one is due. */
void ipsp_watchdog_start(struct compartment *c)
{
	u32 ms = min(c->config.deadline_ms, c->config.successor_ms);

	if (!delayed_work_pending(&c->watchdog))
		queue_delayed_work(system_highpri_wq, &c->watchdog, msecs_to_jiffies(ms));
}

void ipsp_watchdog_now(struct compartment *c)
{
	mod_delayed_work(system_highpri_wq, &c->watchdog, 0);
}

void ipsp_watchdog_stop(struct compartment *c)
{
	cancel_delayed_work_sync(&c->watchdog);
}
