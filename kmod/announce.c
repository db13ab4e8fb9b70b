// SPDX-License-Identifier: GPL-2.0
/*
 * announce.c - control records, put into the stacks' down streams at one point of the order
 *
 * All stacks see one history: a record goes to all of them or to none, under the lock that
 * orders the tickets. One without room for it keeps the manager waiting, for a deadline.
 */
#include "compartment.h"
#include "protect.h"
#include "stream.h"

/* From the first of its refusals on, the stack has a deadline to move. */
static void announce_refuse(struct stack *s, u32 len)
{
	if (!s->refused) {
		s->seen = ipsp_ring_observe(s->down.kpeer);
		s->moved = ktime_get_coarse_ns();
	}
	WRITE_ONCE(s->refused, len);
}

static bool announce_put(struct compartment *c, struct stack *s, const struct ipsp_record *rec)
{
	struct ipsp_record *at = ipsp_stream_reserve(s, rec->control_len, rec->data_len);
	const u8 *data = (const u8 *)rec + rec->data_offset;

	if (!at || ((rec->flags & IPSP_RECF_SECRET) && !ipsp_stream_secret(s, at))) {
		ipsp_stream_cancel(s);
		announce_refuse(s, rec->len);
		return false;
	}
	WRITE_ONCE(s->refused, 0);
	at->type = rec->type;
	at->flags = rec->flags;
	at->band = IPSP_BAND_CONTROL;
	at->generation = c->generation;
	memcpy(at + 1, rec + 1, rec->control_len);
	memcpy((u8 *)at + at->data_offset, data, rec->data_len);
	return true;
}

static bool announce_is_for(const struct stack *s, u32 index, int target)
{
	if (!s || s->state > STACK_READY)
		return false;
	return target == IPSP_TARGET_ALL ? s->state == STACK_READY : target == (int)index;
}

/* Into all or none: what was put before the one without room is taken back. */
static int announce_all(struct compartment *c, int target, const struct ipsp_record *rec)
{
	struct stack *to[IPSP_STACKS_MAX];
	u32 i, n = 0;

	for (i = 0; i < IPSP_STACKS_MAX; i++)
		if (announce_is_for(c->stack[i], i, target))
			to[n++] = c->stack[i];
	for (i = 0; i < n; i++) {
		if (announce_put(c, to[i], rec))
			continue;
		while (i--)
			ipsp_stream_cancel(to[i]);
		return -EAGAIN;
	}
	for (i = 0; i < n; i++)
		ipsp_stream_submit(to[i], true);
	return n || target == IPSP_TARGET_ALL ? 0 : -ENOENT;
}

/* The point of the order at which a stack's history equals the others'. */
static void announce_ready(struct compartment *c, struct stack *s)
{
	s->snapshot_end = s->down.own;
	s->moved = ktime_get_coarse_ns();
	WRITE_ONCE(s->state, STACK_READY);
	ipsp_mailbox_event(c, IPSP_EVENT_STACK_READY, 0, s->index, s->pid, 0);
	ipsp_share_update(c);
	ipsp_deal_run(c);
}

/* A POLICY record raises the generation; it is in force from this record on. */
static int announce_locked(struct compartment *c, int target, struct ipsp_record *rec,
			   struct protect_list *list)
{
	struct ipsp_policy *policy = (struct ipsp_policy *)(rec + 1);
	u32 generation = c->generation + (list ? 1 : 0);
	int err;

	if (rec->type == IPSP_REC_POLICY)
		policy->generation = generation;
	if (rec->type == IPSP_REC_SNAPSHOT_END)
		((struct ipsp_snapshot *)(rec + 1))->generation = generation;
	err = announce_all(c, target, rec);
	if (err)
		return err;
	if (list) {
		WRITE_ONCE(c->generation, generation);
		ipsp_protect_commit(c, list);
	}
	if (rec->type == IPSP_REC_SA_DELETE)
		ipsp_deal_sa_ended(c);
	if (rec->type == IPSP_REC_SNAPSHOT_END && target >= 0)
		announce_ready(c, c->stack[target]);
	return 0;
}

/* What changes what is held is for all stacks, and of an id. */
static bool announce_is_valid(const struct ipsp_record *rec, int target)
{
	const struct ipsp_acquired *a = (const struct ipsp_acquired *)(rec + 1);

	return (rec->type != IPSP_REC_RELEASE && rec->type != IPSP_REC_REFUSE) ||
	       (target == IPSP_TARGET_ALL && a->acquire);
}

int ipsp_announce(struct compartment *c, int target, struct ipsp_record *rec, u32 *generation)
{
	struct protect_list *list = NULL;
	u64 point;
	int err;

	lockdep_assert_held(&c->admin);
	if (target < IPSP_TARGET_ALL ||
	    target >= (int)ipsp_share_places(c) ||
	    !announce_is_valid(rec, target))
		return -EINVAL;
	if (rec->type == IPSP_REC_POLICY && target == IPSP_TARGET_ALL) {
		list = ipsp_protect_prepare(c, (struct ipsp_policy *)(rec + 1),
					    (void *)((u8 *)rec + rec->data_offset),
					    rec->data_len);
		if (IS_ERR(list))
			return PTR_ERR(list);
	}
	spin_lock_bh(&c->lock);
	err = announce_locked(c, target, rec, list);
	*generation = c->generation;
	point = c->fifo[IPSP_DIR_OUT].next;
	spin_unlock_bh(&c->lock);
	if (!err && target == IPSP_TARGET_ALL)
		ipsp_hold_told(c, rec, point);
	if (err && list)
		ipsp_protect_discard(c, list);
	if (err == -EAGAIN)
		ipsp_watchdog_start(c);
	return err;
}
