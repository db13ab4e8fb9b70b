// SPDX-License-Identifier: GPL-2.0
/*
 * share.c - which of the attached stacks are dealt to, and which one next
 *
 * Theory of operation. All stacks past their snapshot are READY and get every control record,
 * so that each of them could have any ticket. config.stacks of them are dealt to: c->sharing.
 * The others are spares, and one takes a place at the moment that it falls free, under the
 * lock that orders the tickets: there is nobody to ask, and nothing to send.
 *
 * Tickets are dealt in bursts: what comes in a row goes to one stack, which can merge it and
 * is woken once; then the least loaded has the next burst. Load is what a stack was dealt and
 * has not answered, counted by us: it cannot lie about it.
 */
#include <linux/nospec.h>
#include "compartment.h"
#include "handle.h"
#include "stream.h"

/* About one super-packet, or the segments that merge into one. */
#define BURST_BYTES	(64u << 10)

/* A ticket costs something without a byte. */
u32 ipsp_share_load(const struct ticket *t)
{
	return t->skb->len + 256;
}

/* ---- who is dealt to ------------------------------------------------------------- */

static u16 share_ready(const struct compartment *c)
{
	u16 ready = 0;
	u32 i;

	for (i = 0; i < IPSP_STACKS_MAX; i++)
		if (c->stack[i] && c->stack[i]->state == STACK_READY)
			ready |= BIT(i);
	return ready;
}

/* At most `*places` of `from`, the lowest indices first. */
static u16 share_choose(u16 from, u32 *places)
{
	u16 chosen = 0;
	u32 i;

	for (i = 0; i < IPSP_STACKS_MAX && *places; i++) {
		if (!(from & BIT(i)))
			continue;
		chosen |= BIT(i);
		--*places;
	}
	return chosen;
}

/* It has answered all that it was dealt; nobody kills it. */
void ipsp_share_leave(struct stack *s)
{
	lockdep_assert_held(&s->c->lock);
	if (s->state == STACK_LEAVING && !s->load)
		ipsp_stream_break_locked(s, IPSP_BROKEN_NONE);
}

/* No more tickets, and no control records: nobody waits for its room. */
static void share_part(struct stack *s)
{
	if (s->state == STACK_AWAITS) {
		ipsp_stream_break_locked(s, IPSP_BROKEN_NONE);
	} else if (s->state == STACK_READY) {
		WRITE_ONCE(s->state, STACK_LEAVING);
		WRITE_ONCE(s->refused, 0);
		wake_up_interruptible(&s->c->mailbox.wait);
		ipsp_share_leave(s);
	}
}

/* Below its quorum a compartment is closed, unless its operator said otherwise. */
bool ipsp_share_suffices(const struct compartment *c)
{
	u32 needed = c->config.flags & IPSP_COMPARTMENTF_DEGRADE ? 1 : c->config.quorum;

	return ipsp_share_count(c) >= max(needed, 1u);
}

/* An answer may be of a run only where all can give it. */
static bool share_merges(const struct compartment *c)
{
	unsigned long sharing = c->sharing;
	u32 i;

	if (c->config.mode == IPSP_MODE_SHARE)
		return false;
	for_each_set_bit(i, &sharing, IPSP_STACKS_MAX)
		if (!c->stack[i]->merges)
			return false;
	return true;
}

static void share_tell(struct compartment *c)
{
	u32 count = ipsp_share_count(c);
	bool degraded = count && count < c->config.quorum &&
			(c->config.flags & IPSP_COMPARTMENTF_DEGRADE);

	if (degraded && !c->degraded)
		ipsp_mailbox_event(c, IPSP_EVENT_DEGRADED, 0, 0, NULL, count);
	c->degraded = degraded;
}

u32 ipsp_share_places(const struct compartment *c)
{
	return min(c->config.stacks + c->config.spares + c->relief, (u32)IPSP_STACKS_MAX);
}

/*
 * Who is dealt to stays so; a stack whose index has become too high goes, but not before
 * another has its place.
 */
void ipsp_share_update(struct compartment *c)
{
	u16 own = GENMASK(ipsp_share_places(c) - 1, 0), ready = share_ready(c);
	u32 places = c->config.stacks, i;
	u16 chosen;

	lockdep_assert_held(&c->lock);
	chosen = share_choose(ready & own & c->sharing, &places);
	chosen |= share_choose(ready & own & ~c->sharing, &places);
	chosen |= share_choose(ready & ~own, &places);
	WRITE_ONCE(c->sharing, chosen);
	WRITE_ONCE(c->merging, share_merges(c));
	if (ipsp_share_suffices(c))
		c->stackless_since = 0;
	share_tell(c);
	for (i = 0; i < IPSP_STACKS_MAX; i++)
		if (c->stack[i] && !((own | chosen) & BIT(i)))
			share_part(c->stack[i]);
}

u32 ipsp_share_count(const struct compartment *c)
{
	return hweight16(READ_ONCE(c->sharing));
}

u32 ipsp_share_spares(const struct compartment *c)
{
	return hweight16(share_ready(c) & ~READ_ONCE(c->sharing));
}

/* ---- who is replaced ------------------------------------------------------------- */

/* The stacks of one that is not wanted any more go, or a spare has its place. */
int ipsp_share_relieve(struct compartment *c, u32 places)
{
	lockdep_assert_held(&c->admin);
	if (places > 1)
		return -EINVAL;
	if (places && c->config.stacks + c->config.spares == IPSP_STACKS_MAX)
		return -ENOSPC;
	spin_lock_bh(&c->lock);
	c->relief = places;
	ipsp_share_update(c);
	ipsp_deal_run(c);
	spin_unlock_bh(&c->lock);
	return 0;
}

/* The last of those that are dealt to stays: its tickets would wait. */
static int share_retire(struct compartment *c, struct stack *s)
{
	if (!s || s->state == STACK_BROKEN)
		return -ENOENT;
	if ((c->sharing & BIT(s->index)) && !ipsp_share_spares(c))
		return -EBUSY;
	share_part(s);
	ipsp_share_update(c);
	ipsp_deal_run(c);
	return 0;
}

int ipsp_share_retire(struct compartment *c, u32 index)
{
	int err;

	lockdep_assert_held(&c->admin);
	if (index >= IPSP_STACKS_MAX)
		return -EINVAL;
	index = array_index_nospec(index, IPSP_STACKS_MAX);
	spin_lock_bh(&c->lock);
	err = share_retire(c, c->stack[index]);
	spin_unlock_bh(&c->lock);
	return err;
}

/* ---- who is next ----------------------------------------------------------------- */

/* Where two are equal, the one that had the last burst: it may be awake. */
static struct stack *share_least(const struct compartment *c, const struct fifo *f, u16 among)
{
	struct stack *s, *least = among & BIT(f->turn) ? c->stack[f->turn] : NULL;
	u32 i;

	for (i = 0; i < IPSP_STACKS_MAX; i++) {
		s = among & BIT(i) ? c->stack[i] : NULL;
		if (s && (!least || s->load < least->load))
			least = s;
	}
	return least;
}

struct stack *ipsp_share_next(struct compartment *c, struct fifo *f, u16 full)
{
	u16 among = c->sharing & ~full;
	struct stack *s;

	lockdep_assert_held(&c->lock);
	if (f->burst && (among & BIT(f->turn)))
		return c->stack[f->turn];
	s = share_least(c, f, among);
	if (s) {
		f->turn = s->index;
		f->burst = BURST_BYTES;
	}
	return s;
}

/* ---- what they may merge --------------------------------------------------------- */

/* What comes of a run has room in any up ring. */
#define RUN_BYTES	(80u << 10)

static bool run_goes_on(const struct compartment *c, const struct run *r, const struct ticket *t,
			u16 to)
{
	return r->tickets && r->tickets < IPSP_MERGE_MAX && r->burst == c->burst &&
	       r->last == t->number - 2 && r->to == to && r->votes == !!t->vote &&
	       r->handle == t->handle->config.id && r->bytes + t->skb->len <= RUN_BYTES;
}

/* They say nothing of whether it is voted on, where all that merge is said of all alike. */
u16 ipsp_share_flags(struct compartment *c, struct fifo *f, const struct ticket *t, u16 to)
{
	struct run *r = &f->run;
	bool begins;

	lockdep_assert_held(&c->lock);
	if (t->kind != TICKET_UNPROTECT)
		return 0;
	if (t->nomerge || (t->vote && !c->merging)) {
		r->tickets = 0;
		return IPSP_RECF_NOMERGE;
	}
	if (!c->merging)
		return 0;
	begins = !run_goes_on(c, r, t, to);
	if (begins)
		*r = (struct run){ .burst = c->burst, .handle = t->handle->config.id, .to = to,
				   .votes = t->vote };
	r->last = t->number;
	r->tickets++;
	r->bytes += t->skb->len;
	return begins ? IPSP_RECF_BEGIN : 0;
}

/* ---- what they have -------------------------------------------------------------- */

void ipsp_share_dealt(struct stack *s, struct fifo *f, const struct ticket *t)
{
	u32 load = ipsp_share_load(t);

	s->load += load;
	f->burst -= min(f->burst, load);
}

void ipsp_share_taken(struct stack *s, const struct ticket *t)
{
	s->load -= ipsp_share_load(t);
}
