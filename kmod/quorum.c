// SPDX-License-Identifier: GPL-2.0
/*
 * quorum.c - the kernel believes what enough stacks said, bit for bit
 *
 * Theory of operation. A ticket that is voted on is dealt to all stacks that are dealt to, as
 * the identical record, and has a vote: who has it and has not answered, and the ballots. A
 * ballot is a private copy of an answer. The first that a quorum of stacks gave is elected;
 * only then is it parsed and checked, from that copy, and becomes the ticket's answer. When
 * none can be elected any more the ticket is dropped. A vote outlives its ticket until the
 * last stack has answered or gone: who is late is still compared.
 *
 * state of a vote  ticket     elected  ends
 * open             DEALT      no       elected; lost: no ballot can win; poison
 * building         ANSWERING  yes      ipsp_quorum_built
 * late             NULL       maybe    all have answered or gone
 *
 * Nobody sees another's answers: each has its own rings, and what wins says nothing of who
 * said it. Nothing is dealt again to make a vote: a stack could see by that what it is worth.
 */
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "compartment.h"
#include "dissent.h"
#include "handle.h"
#include "poison.h"
#include "quorum.h"
#include "stream.h"

#define NOBODY	(~0u)			/* MISMATCH: no answer won */

struct vote {				/* protected by c->lock */
	struct list_head list;		/* fifo.votes, in ticket order */
	struct ticket *ticket;		/* NULL: it has its answer */
	u64 number;
	u64 dealt_at;			/* ns */
	u32 handle;			/* for the one who looks at an event */
	u16 type;			/* likewise: IPSP_REC_* of the ticket */
	bool kept;			/* the stacks' disagreement is */
	struct sk_buff *packet;		/* owned: a clone, when the ticket is gone and others owe */
	u32 load;			/* of each stack that has it */
	u32 bytes;			/* of the ballots */
	u16 out;			/* who has it and has not answered, by index */
	u16 present;			/* who was dealt it and has not gone since */
	u8 quorum;
	struct list_head ballots;	/* in the order they came */
	struct ballot *elected;
	u32 at[IPSP_STACKS_MAX];	/* index in each down ring */
};

/* ---- life ------------------------------------------------------------------------ */

int ipsp_quorum_fifo_init(struct fifo *f)
{
	f->vote = kvcalloc(FIFO_SLOTS, sizeof(*f->vote), GFP_KERNEL_ACCOUNT);
	return f->vote ? 0 : -ENOMEM;
}

void ipsp_quorum_fifo_exit(struct fifo *f)
{
	WARN_ON(!list_empty(&f->votes));
	kvfree(f->vote);
}

static bool vote_is_due(const struct compartment *c)
{
	if (c->config.mode == IPSP_MODE_SAMPLE)
		return reciprocal_scale(get_random_u32(), 100) < READ_ONCE(c->config.sample);
	return c->config.mode == IPSP_MODE_VOTE;
}

int ipsp_quorum_prepare(struct compartment *c, struct ticket *t)
{
	if (!vote_is_due(c))
		return 0;
	t->vote = kzalloc(sizeof(*t->vote), GFP_ATOMIC);
	if (!t->vote)
		return -ENOMEM;
	INIT_LIST_HEAD(&t->vote->ballots);
	t->nomerge = true;
	ipsp_stats_made();
	return 0;
}

void ipsp_quorum_ballot_put(struct ballot *b)
{
	if (refcount_dec_and_test(&b->ref))
		kvfree(b);
}

static void vote_free(struct vote *v)
{
	struct ballot *b, *next;

	list_for_each_entry_safe(b, next, &v->ballots, list)
		ipsp_quorum_ballot_put(b);
	kfree_skb(v->packet);
	kfree(v);
	ipsp_stats_freed();
}

void ipsp_quorum_forget(struct ticket *t)
{
	vote_free(t->vote);
}

static struct vote **vote_slot(const struct fifo *f, u64 number)
{
	return &f->vote[(number >> 1) & (FIFO_SLOTS - 1)];
}

bool ipsp_quorum_has_slot(const struct fifo *f, u64 number)
{
	return !*vote_slot(f, number);
}

void ipsp_quorum_place(struct ticket *t, u32 index, u32 at)
{
	t->vote->at[index] = at;
}

static u32 vote_needed(const struct compartment *c, u16 to)
{
	if (c->config.flags & IPSP_COMPARTMENTF_DEGRADE)
		return min_t(u32, c->config.quorum, hweight16(to));
	return c->config.quorum;
}

/* ---- what a stack owes ----------------------------------------------------------- */

static struct owed *owed_of(struct stack *s, u64 number)
{
	return &s->owed[number & 1 ? IPSP_DIR_IN : IPSP_DIR_OUT];
}

static void owed_add(struct stack *s, const struct vote *v)
{
	struct owed *o = owed_of(s, v->number);

	s->load += v->load;
	if (o->count++)
		return;
	o->first = v->number >> 1;
	o->since = v->dealt_at;
}

/* Whoever leaves one out and answers the rest is late with that one. */
static void owed_settle(const struct fifo *f, struct stack *s, const struct vote *v)
{
	struct owed *o = owed_of(s, v->number);
	const struct vote *next;

	s->load -= v->load;
	if (!--o->count || o->first != v->number >> 1)
		return;
	do {
		next = *vote_slot(f, ++o->first << 1);
	} while (!next || next->number >> 1 != o->first || !(next->out & BIT(s->index)));
	o->since = ktime_get_coarse_ns();
}

void ipsp_quorum_open(struct compartment *c, struct fifo *f, struct ticket *t, u16 to)
{
	unsigned long dealt = to;
	struct vote *v = t->vote;
	u32 i;

	lockdep_assert_held(&c->lock);
	v->ticket = t;
	v->number = t->number;
	v->dealt_at = t->dealt_at;
	v->handle = t->handle ? t->handle->config.id : 0;
	v->type = IPSP_REC_CLASSIFY + t->kind;
	v->load = ipsp_share_load(t);
	v->out = to;
	v->present = to;
	v->quorum = vote_needed(c, to);
	for_each_set_bit(i, &dealt, IPSP_STACKS_MAX)
		owed_add(c->stack[i], v);
	list_add_tail(&v->list, &f->votes);
	*vote_slot(f, v->number) = v;
	ipsp_count(c, VOTED);
}

/* It has its answer, and all have answered or gone. */
static void vote_end(struct fifo *f, struct vote *v)
{
	if (v->ticket || v->out)
		return;
	*vote_slot(f, v->number) = NULL;
	list_del(&v->list);
	f->bytes -= v->bytes;
	vote_free(v);
}

static struct fifo *vote_fifo(struct compartment *c, u64 number)
{
	return &c->fifo[number & 1 ? IPSP_DIR_IN : IPSP_DIR_OUT];
}

/* Who is broken has no vote any more, though its index has not been taken back yet. */
static struct vote *vote_find(struct compartment *c, u64 number, const struct stack *s)
{
	struct vote *v = *vote_slot(vote_fifo(c, number), number);

	lockdep_assert_held(&c->lock);
	if (!v || v->number != number || s->state == STACK_BROKEN)
		return NULL;
	return v->out & BIT(s->index) ? v : NULL;
}

/* ---- who is wrong ---------------------------------------------------------------- */

/* Once for each vote, whoever else is wrong. */
static void vote_keep(struct compartment *c, struct vote *v, u32 stack)
{
	const struct ipsp_dissent about = {
		.type = v->type, .stack = stack, .handle = v->handle, .ticket = v->number,
		.elected = !!v->elected,
	};
	struct sk_buff *packet = v->ticket ? v->ticket->skb : v->packet;

	if (v->kept || !packet)
		return;
	v->kept = true;
	ipsp_dissent_keep(c, packet, &v->ballots, v->elected, &about);
}

static void vote_mismatch(struct compartment *c, struct vote *v, u32 stack)
{
	ipsp_count(c, MISMATCHES);
	vote_keep(c, v, stack);
	ipsp_mailbox_mismatch(c, stack, v->handle, v->number);
}

static void vote_outvoted(struct compartment *c, struct vote *v, struct stack *s)
{
	if (s->state == STACK_BROKEN)
		return;			/* named already, or on its way */
	vote_mismatch(c, v, s->index);
	if (++s->outvoted < IPSP_EJECT)
		return;
	ipsp_count(c, STACKS_EJECTED);
	ipsp_stream_break_locked(s, IPSP_BROKEN_OUTVOTED);
}

/* All who said something else; a stack that has gone since is not the one of that index. */
static void vote_name(struct compartment *c, struct vote *v)
{
	const struct ballot *b;
	unsigned long wrong;
	u32 i;

	list_for_each_entry(b, &v->ballots, list) {
		wrong = b == v->elected ? 0 : b->voters & v->present;
		for_each_set_bit(i, &wrong, IPSP_STACKS_MAX)
			vote_outvoted(c, v, c->stack[i]);
	}
}

/* ---- counting -------------------------------------------------------------------- */

/* The ticket ends without a winner. */
static void vote_lose(struct compartment *c, struct vote *v)
{
	if (!list_empty(&v->ballots) && !list_is_singular(&v->ballots))
		vote_mismatch(c, v, NOBODY);
	v->ticket->vote = NULL;
	ipsp_deal_drop(v->ticket, IPSP_DROP_NO_QUORUM);
	v->ticket = NULL;
}

static struct ballot *vote_leader(const struct vote *v)
{
	struct ballot *b, *leader = NULL;

	list_for_each_entry(b, &v->ballots, list)
		if (!leader || hweight16(b->voters) > hweight16(leader->voters))
			leader = b;
	return leader;
}

/* As soon as it can be known. true: one is elected, and the ticket is the caller's. */
static bool vote_judge(struct compartment *c, struct vote *v)
{
	struct ballot *leader = vote_leader(v);
	u32 has = leader ? hweight16(leader->voters) : 0;

	if (!v->ticket || v->elected)
		return false;
	if (has >= v->quorum) {
		v->elected = leader;
		v->ticket->state = TICKET_ANSWERING;
		vote_name(c, v);
		return true;
	}
	if (has + hweight16(v->out) < v->quorum)
		vote_lose(c, v);
	return false;
}

static bool ballot_is_equal(const struct ballot *a, const struct ballot *b)
{
	return a->data_len == b->data_len && !memcmp(&a->answer, &b->answer, sizeof(a->answer)) &&
	       !memcmp(&a->acquire, &b->acquire, sizeof(a->acquire)) &&
	       !memcmp(a->data, b->data, a->data_len);
}

/* An equal one takes the vote, and `b` is the caller's still. false: it is kept. */
static bool vote_count(struct fifo *f, struct vote *v, const struct stack *s, struct ballot *b)
{
	struct ballot *other;

	list_for_each_entry(other, &v->ballots, list) {
		if (!ballot_is_equal(other, b))
			continue;
		other->voters |= BIT(s->index);
		return true;
	}
	b->voters = BIT(s->index);
	list_add_tail(&b->list, &v->ballots);
	v->bytes += sizeof(*b) + b->data_len;
	f->bytes += sizeof(*b) + b->data_len;
	return false;
}

/* It has answered, whatever it said. */
static void vote_settle(const struct fifo *f, struct vote *v, struct stack *s)
{
	v->out &= ~BIT(s->index);
	owed_settle(f, s, v);
	if (++s->votes % IPSP_EJECT_WINDOW == 0)
		s->outvoted = 0;
}

static bool vote_has_lost(const struct vote *v, const struct stack *s)
{
	return v->elected && !(v->elected->voters & BIT(s->index));
}

/* true: `b` may go. */
static bool vote_take(struct compartment *c, struct fifo *f, struct vote *v, struct stack *s,
		      struct ballot *b)
{
	bool equal = b && vote_count(f, v, s, b);

	vote_settle(f, v, s);
	if (b && vote_has_lost(v, s))
		vote_outvoted(c, v, s);
	return equal;
}

/* ---- answers --------------------------------------------------------------------- */

bool ipsp_quorum_has(struct stack *s, u64 number)
{
	bool has;

	lockdep_assert_held(&s->kick);
	spin_lock_bh(&s->c->lock);
	has = vote_find(s->c, number, s);
	spin_unlock_bh(&s->c->lock);
	return has;
}

struct ballot *ipsp_quorum_ballot(const struct ipsp_answer *a,
				  const struct ipsp_acquire *acquire, u32 data_len)
{
	struct ballot *b = kvmalloc(struct_size(b, data, data_len), GFP_KERNEL);

	if (!b)
		return NULL;
	refcount_set(&b->ref, 1);
	b->answer = *a;
	b->acquire = *acquire;
	b->data_len = data_len;
	return b;
}

struct ticket *ipsp_quorum_cast(struct stack *s, u64 number, struct ballot *b,
				const struct ballot **elected)
{
	struct compartment *c = s->c;
	struct ticket *t = NULL;
	bool spare = true;
	struct fifo *f;
	struct vote *v;

	lockdep_assert_held(&s->kick);
	spin_lock_bh(&c->lock);
	v = vote_find(c, number, s);
	if (v) {
		f = vote_fifo(c, number);
		spare = vote_take(c, f, v, s, b);
		if (vote_judge(c, v)) {
			t = v->ticket;
			*elected = v->elected;
		}
		vote_end(f, v);
	}
	spin_unlock_bh(&c->lock);
	if (spare)
		kvfree(b);
	return t;
}

/* What they all said breaks the protocol: they are equal in that as well. */
static void vote_break(struct compartment *c, struct vote *v, u32 cause)
{
	unsigned long guilty = v->elected->voters & v->present;
	struct ticket *t = v->ticket;
	u32 i;

	for_each_set_bit(i, &guilty, IPSP_STACKS_MAX)
		ipsp_stream_break_locked(c->stack[i], cause);
	kfree_skb_list(t->answer);
	t->answer = NULL;
	ipsp_deal_drop(t, IPSP_DROP_BAD_ANSWER);
}

void ipsp_quorum_built(struct compartment *c, struct ticket *t, u32 err)
{
	struct vote *v = t->vote;

	spin_lock_bh(&c->lock);
	if (err)
		vote_break(c, v, err);
	if (v->out)
		v->packet = ipsp_poison_clone(t->skb);
	v->ticket = NULL;
	t->vote = NULL;
	ipsp_deal_answered(c, t);
	vote_end(vote_fifo(c, v->number), v);
	spin_unlock_bh(&c->lock);
}

/* ---- death, silence -------------------------------------------------------------- */

static void vote_suspect(struct compartment *c, struct vote *v, const struct stack *s,
			 u32 suspect)
{
	struct ticket *t = v->ticket;

	if (!t || v->elected || v->at[s->index] != suspect || ++t->deaths < 2)
		return;
	t->vote = NULL;
	v->ticket = NULL;
	ipsp_deal_poison(c, t, s);
}

u32 ipsp_quorum_stack_gone(struct compartment *c, struct fifo *f, const struct stack *s)
{
	u32 suspect = ipsp_ring_observe(s->down.kpeer), n = 0;
	struct vote *v, *next;

	lockdep_assert_held(&c->lock);
	list_for_each_entry_safe(v, next, &f->votes, list) {
		v->present &= ~BIT(s->index);
		if (!(v->out & BIT(s->index)))
			continue;
		v->out &= ~BIT(s->index);
		n++;
		vote_suspect(c, v, s, suspect);
		vote_judge(c, v);
		vote_end(f, v);
	}
	return n;
}

u64 ipsp_quorum_age(const struct stack *s, const struct fifo *f, u64 now)
{
	const struct owed *o = &s->owed[f - s->c->fifo];

	return o->count ? now - o->since : 0;
}
