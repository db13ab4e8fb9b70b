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
#include "compartment.h"
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

static void share_tell(struct compartment *c)
{
	u32 count = ipsp_share_count(c);
	bool degraded = count && count < c->config.quorum &&
			(c->config.flags & IPSP_COMPARTMENTF_DEGRADE);

	if (degraded && !c->degraded)
		ipsp_mailbox_event(c, IPSP_EVENT_DEGRADED, 0, 0, NULL, count);
	c->degraded = degraded;
}

/*
 * Who is dealt to stays so; a stack whose index has become too high goes, but not before
 * another has its place.
 */
void ipsp_share_update(struct compartment *c)
{
	u16 own = GENMASK(c->config.stacks + c->config.spares - 1, 0), ready = share_ready(c);
	u32 places = c->config.stacks, i;
	u16 chosen;

	lockdep_assert_held(&c->lock);
	chosen = share_choose(ready & own & c->sharing, &places);
	chosen |= share_choose(ready & own & ~c->sharing, &places);
	chosen |= share_choose(ready & ~own, &places);
	WRITE_ONCE(c->sharing, chosen);
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
