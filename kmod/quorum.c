// SPDX-License-Identifier: GPL-2.0
/*
 * quorum.c - the kernel believes what enough stacks said, bit for bit
 *
 * Theory of operation. A ticket that is voted on is dealt to all stacks that are dealt to, as
 * the identical record, and has a vote: who has it and has not answered, and the ballots. A
 * ballot is a private copy of an answer. Who says what is in one already has his compared with
 * it where it lies, and not copied. The first that a quorum of stacks gave is elected;
 * only then is it parsed and checked, from that copy, and becomes the ticket's answer. When
 * none can be elected any more the ticket is dropped. A vote outlives its ticket until the
 * last stack has answered or gone: who is late is still compared.
 *
 * state of a vote  ticket     elected  ends
 * open             DEALT      no       elected; lost: no ballot can win; poison
 * building         ANSWERING  yes      ipsp_quorum_built
 * late             NULL       maybe    all have answered or gone
 *
 * Runs. Where all stacks merge (IPSP_ATTACHF_MERGES), inbound tickets are dealt in bursts, and
 * an answer may be one to several in a row of a burst: its ballot is in the vote of the last,
 * and the earlier ones' votes only say by how many tickets they are before it. Is it elected,
 * the earlier ones follow: their tickets go into its run. No burst begins or ends at another
 * ticket for another stack, and what it holds is there at once, so that equal stacks merge alike.
 *
 * Nobody sees another's answers: each has its own rings, and what wins says nothing of who
 * said it. Nothing is dealt again to make a vote: a stack could see by that what it is worth.
 */
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include "ballot.h"
#include "compartment.h"
#include "dissent.h"
#include "handle.h"
#include "poison.h"
#include "quorum.h"
#include "stream.h"

#define NOBODY		(~0u)		/* MISMATCH: no answer won */

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
	u32 bytes;			/* of the ballots, and `packet` */
	u32 most;			/* of data that an answer may have */
	u16 out;			/* who has it and has not answered, by index */
	u16 present;			/* who was dealt it and has not gone since */
	u16 said;			/* who said something of it */
	u16 into;			/* and of these, who merged it into a later one, */
	u8 ahead[IPSP_STACKS_MAX];	/* so many tickets later */
	u8 quorum;
	u8 place;			/* so many before it may be in one run with it */
	u8 followed;			/* so many tickets later is the run's answer; 0: none */
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

/* What is merged is voted on or not as a whole: a burst has one number, which nobody can guess. */
static u32 vote_chance(const struct compartment *c, const struct ticket *t)
{
	if (t->kind == TICKET_UNPROTECT && READ_ONCE(c->merging))
		return siphash_1u32(READ_ONCE(c->burst), &c->chance);
	return get_random_u32();
}

static bool vote_is_due(const struct compartment *c, const struct ticket *t)
{
	if (c->config.mode == IPSP_MODE_SAMPLE)
		return reciprocal_scale(vote_chance(c, t), 100) < READ_ONCE(c->config.sample);
	return c->config.mode == IPSP_MODE_VOTE;
}

int ipsp_quorum_prepare(struct compartment *c, struct ticket *t)
{
	if (!vote_is_due(c, t))
		return 0;
	t->vote = kzalloc(sizeof(*t->vote), GFP_ATOMIC);
	if (!t->vote)
		return -ENOMEM;
	INIT_LIST_HEAD(&t->vote->ballots);
	if (!READ_ONCE(c->merging))
		t->nomerge = true;	/* who has it besides has others in between */
	ipsp_stats_made();
	return 0;
}

static void vote_free(struct vote *v)
{
	struct ballot *b, *next;

	list_for_each_entry_safe(b, next, &v->ballots, list)
		ipsp_ballot_put(b);
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

/* ---- runs ------------------------------------------------------------------------ */

/* The vote of so many tickets before it, or behind it where that is negative; or NULL. */
static struct vote *vote_before(const struct fifo *f, const struct vote *v, int tickets)
{
	u64 number = v->number - 2 * (s64)tickets;
	struct vote *before = *vote_slot(f, number);

	return before && before->number == number ? before : NULL;
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
	v->place = t->kind == TICKET_UNPROTECT && f->run.tickets ? f->run.tickets - 1 : 0;
	v->dealt_at = t->dealt_at;
	v->handle = t->handle ? t->handle->config.id : 0;
	v->type = IPSP_REC_CLASSIFY + t->kind;
	v->load = ipsp_share_load(t);
	v->most = ipsp_answer_bound(t);
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

/* The last one's vote, if this stack owes each of so many that may be one run. */
static struct vote *vote_find_run(struct compartment *c, u64 number, u32 tickets,
				  const struct stack *s)
{
	struct vote *v = vote_find(c, number, s);
	u32 i;

	if (!v || tickets > v->place + 1u)
		return NULL;
	for (i = 1; i < tickets; i++)
		if (!vote_find(c, number - 2 * i, s))
			return NULL;
	return v;
}

/* Who is a little wrong is outvoted, and what it said is kept; but not whatever it likes to say. */
#define VOTE_SLACK	1024

static bool vote_run_fits(const struct fifo *f, const struct vote *v, const struct said *said)
{
	u64 most = v->most;
	u32 i;

	for (i = 1; i < said->tickets; i++)
		most += vote_before(f, v, i)->most;
	return said->data_len <= most + VOTE_SLACK;
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

/* What may be one run is told of once, however it was cut into answers. */
static bool vote_is_told(struct vote *v, u64 *told)
{
	u64 run = v->number - 2 * v->place + 2;		/* never 0 */
	bool is = *told == run;

	*told = run;
	return is;
}

static void vote_mismatch(struct compartment *c, struct vote *v, u32 stack)
{
	ipsp_count(c, MISMATCHES);
	vote_keep(c, v, stack);
	ipsp_mailbox_mismatch(c, stack, v->handle, v->number);
}

static void vote_outvoted(struct compartment *c, struct vote *v, struct stack *s)
{
	if (s->state == STACK_BROKEN || vote_is_told(v, &s->told))
		return;			/* named already, or on its way */
	vote_mismatch(c, v, s->index);
	if (++s->outvoted < IPSP_EJECT)
		return;
	ipsp_count(c, STACKS_EJECTED);
	ipsp_stream_break_locked(s, IPSP_BROKEN_OUTVOTED);
}

/*
 * All who said something else of the ticket or of those that follow it; a stack that has gone
 * since is not the one of that index.
 */
static void vote_name(struct compartment *c, const struct fifo *f, struct vote *v)
{
	unsigned long wrong = v->said & v->present;
	const struct vote *before;
	u32 i;

	for (i = 1; i < v->elected->tickets; i++) {
		before = vote_before(f, v, i);
		wrong |= before->said & before->present;
	}
	wrong &= ~v->elected->voters;
	for_each_set_bit(i, &wrong, IPSP_STACKS_MAX)
		vote_outvoted(c, v, c->stack[i]);
}

/* ---- counting -------------------------------------------------------------------- */

static bool vote_is_contested(const struct vote *v)
{
	if (list_empty(&v->ballots))
		return false;
	return v->into || !list_is_singular(&v->ballots);
}

/* The ticket ends without a winner. */
static void vote_lose(struct compartment *c, struct fifo *f, struct vote *v)
{
	if (vote_is_contested(v) && !vote_is_told(v, &f->told))
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

static bool vote_is_open(const struct vote *v)
{
	return v && v->ticket && !v->elected;
}

/* How many say that it is merged into the one so many tickets later, if that can still win. */
static u32 vote_followers(const struct fifo *f, const struct vote *v, u32 ahead)
{
	const struct vote *later = vote_before(f, v, -(int)ahead);
	unsigned long into = v->into;
	u32 i, n = 0;

	if (!vote_is_open(later))
		return 0;
	for_each_set_bit(i, &into, IPSP_STACKS_MAX)
		n += v->ahead[i] == ahead;
	return n;
}

/* The most that anything has that was said of it. */
static u32 vote_best(const struct fifo *f, const struct vote *v)
{
	const struct ballot *leader = vote_leader(v);
	u32 best = leader ? hweight16(leader->voters) : 0, i;
	unsigned long into = v->into;

	for_each_set_bit(i, &into, IPSP_STACKS_MAX)
		best = max(best, vote_followers(f, v, v->ahead[i]));
	return best;
}

static bool vote_is_lost(const struct fifo *f, const struct vote *v)
{
	u32 out = hweight16(v->out);

	return vote_is_open(v) && out < v->quorum && vote_best(f, v) + out < v->quorum;
}

/* Tickets, itself and those before it, of which anybody said that they are one with it. */
static u32 run_reach(const struct vote *v)
{
	const struct ballot *b;
	u32 reach = 1;

	list_for_each_entry(b, &v->ballots, list)
		reach = max_t(u32, reach, b->tickets);
	return reach;
}

/*
 * What is said of a ticket by its being in a later one's run is worth nothing any more when that
 * has lost. From the last to the first, so that it is known by then.
 */
static void run_judge(struct compartment *c, struct fifo *f, struct vote *v, u32 reach)
{
	struct vote *before;
	u32 i;

	for (i = 1; i < reach; i++) {
		before = vote_before(f, v, i);
		if (before && vote_is_lost(f, before))
			vote_lose(c, f, before);
	}
}

/* All of them are there to follow: whoever has one has no answer to it yet. */
static bool run_is_whole(const struct fifo *f, const struct vote *v, u32 tickets)
{
	u32 i;

	for (i = 1; i < tickets; i++)
		if (!vote_is_open(vote_before(f, v, i)))
			return false;
	return true;
}

/* Their votes stay until those who owe them have answered, or gone. */
static void run_follow(const struct fifo *f, struct vote *v)
{
	struct vote *before;
	u32 i;

	for (i = 1; i < v->elected->tickets; i++) {
		before = vote_before(f, v, i);
		before->ticket->vote = NULL;
		ipsp_deal_follow(before->ticket, v->ticket);
		before->ticket = NULL;
		before->followed = i;
	}
}

static bool vote_elect(struct compartment *c, struct fifo *f, struct vote *v,
		       struct ballot *leader)
{
	if (!run_is_whole(f, v, leader->tickets)) {
		vote_lose(c, f, v);
		return false;
	}
	v->elected = leader;
	v->ticket->state = TICKET_ANSWERING;
	run_follow(f, v);
	vote_name(c, f, v);
	return true;
}

/* As soon as it can be known. true: one is elected, and the ticket is the caller's. */
static bool vote_judge(struct compartment *c, struct fifo *f, struct vote *v, u32 reach)
{
	struct ballot *leader = vote_leader(v);
	bool elected = false;

	if (vote_is_open(v) && leader && hweight16(leader->voters) >= v->quorum)
		elected = vote_elect(c, f, v, leader);
	else if (vote_is_lost(f, v))
		vote_lose(c, f, v);
	run_judge(c, f, v, reach);
	return elected;
}

/* true: somebody said the same, and that ballot has this vote as well. */
static bool vote_echoes(struct vote *v, const struct stack *s, const struct said *said)
{
	struct ballot *b;

	list_for_each_entry(b, &v->ballots, list) {
		if (!ipsp_ballot_says(b, said))
			continue;
		b->voters |= BIT(s->index);
		return true;
	}
	return false;
}

static void vote_add(struct fifo *f, struct vote *v, const struct stack *s, struct ballot *b)
{
	b->voters = BIT(s->index);
	list_add_tail(&b->list, &v->ballots);
	v->bytes += sizeof(*b) + b->data_len;
	f->bytes += sizeof(*b) + b->data_len;
}

/* An equal one takes the vote, and `b` is the caller's still. false: it is kept. */
static bool vote_count(struct fifo *f, struct vote *v, const struct stack *s, struct ballot *b)
{
	const struct said said = {
		.answer = &b->answer, .acquire = &b->acquire,
		.data = b->data, .data_len = b->data_len, .tickets = b->tickets,
	};

	if (vote_echoes(v, s, &said))
		return true;
	vote_add(f, v, s, b);
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

/* Of what is decided this stack said otherwise. */
static bool vote_has_lost(const struct vote *v, const struct stack *s)
{
	if (!(v->said & BIT(s->index)))
		return false;
	if (v->elected)
		return !(v->elected->voters & BIT(s->index));
	if (!v->followed)
		return false;
	return !(v->into & BIT(s->index)) || v->ahead[s->index] != v->followed;
}

/* One of a run: by so many tickets before its answer. */
static void run_settle(const struct fifo *f, struct vote *v, struct stack *s, bool said,
		       u32 ahead)
{
	if (said) {
		v->said |= BIT(s->index);
		if (ahead)
			v->into |= BIT(s->index);
		v->ahead[s->index] = ahead;
	}
	vote_settle(f, v, s);
}

/* true: of one of them it said what did not count. */
static bool run_cast(const struct fifo *f, struct vote *v, struct stack *s, u32 tickets, bool said)
{
	struct vote *before;
	bool lost;
	u32 i;

	run_settle(f, v, s, said, 0);
	lost = vote_has_lost(v, s);
	for (i = 1; i < tickets; i++) {
		before = vote_before(f, v, i);
		run_settle(f, before, s, said, i);
		lost |= vote_has_lost(before, s);
	}
	return lost;
}

/* Those that are over, and the last one itself at the end. */
static void run_end(struct fifo *f, struct vote *v, u32 reach)
{
	struct vote *before;
	u32 i;

	for (i = 1; i < reach; i++) {
		before = vote_before(f, v, i);
		if (before)
			vote_end(f, before);
	}
	vote_end(f, v);
}

/* The ticket, if what counts is known by this vote; the vote itself may be over with it. */
static struct ticket *vote_cast(struct compartment *c, struct vote *v, struct stack *s,
				u32 tickets, bool said, const struct ballot **elected)
{
	u32 reach = max(run_reach(v), tickets);
	struct fifo *f = vote_fifo(c, v->number);
	struct ticket *t = NULL;

	if (run_cast(f, v, s, tickets, said))
		vote_outvoted(c, v, s);
	if (vote_judge(c, f, v, reach)) {
		t = v->ticket;
		*elected = v->elected;
	}
	run_end(f, v, reach);
	return t;
}

/* ---- answers --------------------------------------------------------------------- */

/* Referenced: what somebody said like it, if this stack owes an answer. */
static struct ballot *echo_find(struct compartment *c, u64 number, const struct said *said,
				const struct stack *s, enum echo *echo)
{
	struct ballot *b, *like = NULL;
	struct vote *v;

	spin_lock_bh(&c->lock);
	v = vote_find_run(c, number, said->tickets, s);
	*echo = !v ? ECHO_NOT_OWED :
		vote_run_fits(vote_fifo(c, number), v, said) ? ECHO_NONE : ECHO_TOO_LONG;
	if (*echo == ECHO_NONE) {
		list_for_each_entry(b, &v->ballots, list) {
			if (like || !ipsp_ballot_is_like(b, said))
				continue;
			refcount_inc(&b->ref);
			like = b;
		}
	}
	spin_unlock_bh(&c->lock);
	return like;
}

/* It is said of this vote as long as the stack owes it: ballots stay until it is over. */
static enum echo echo_cast(struct compartment *c, u64 number, struct ballot *b, struct stack *s,
			   struct ticket **t, const struct ballot **elected)
{
	struct vote *v;

	spin_lock_bh(&c->lock);
	v = vote_find_run(c, number, b->tickets, s);
	if (v) {
		b->voters |= BIT(s->index);
		*t = vote_cast(c, v, s, b->tickets, true, elected);
	}
	spin_unlock_bh(&c->lock);
	return v ? ECHO_CAST : ECHO_NONE;
}

/*
 * A ring's bytes are only compared here, with a private copy that nobody changes any more, and
 * each is fetched once: equal is final. What differs counts for nothing yet, the stack may have
 * changed it since: it is copied, and the copy is compared anew. Not under the lock, which all
 * stacks and those who capture wait for.
 */
enum echo ipsp_quorum_echo(struct stack *s, u64 number, const struct said *said,
			   struct ticket **t, const struct ballot **elected)
{
	struct compartment *c = s->c;
	enum echo echo;
	struct ballot *b;

	lockdep_assert_held(&s->kick);
	b = echo_find(c, number, said, s, &echo);
	if (!b)
		return echo;
	if (ipsp_ballot_holds(b, said))
		echo = echo_cast(c, number, b, s, t, elected);
	ipsp_ballot_put(b);
	return echo;
}

struct ticket *ipsp_quorum_cast(struct stack *s, u64 number, u32 tickets, struct ballot *b,
				const struct ballot **elected)
{
	struct compartment *c = s->c;
	struct ticket *t = NULL;
	bool spare = true;
	struct vote *v;

	lockdep_assert_held(&s->kick);
	spin_lock_bh(&c->lock);
	v = vote_find_run(c, number, tickets, s);
	if (v) {
		spare = b && vote_count(vote_fifo(c, number), v, s, b);
		t = vote_cast(c, v, s, tickets, b, elected);
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

/* Those who owe are compared with it yet: it counts as what waits does. */
static void vote_keep_packet(struct fifo *f, struct vote *v, struct sk_buff *skb)
{
	v->packet = ipsp_poison_clone(skb);
	if (!v->packet)
		return;
	v->bytes += v->packet->truesize;
	f->bytes += v->packet->truesize;
}

void ipsp_quorum_built(struct compartment *c, struct ticket *t, u32 err)
{
	struct vote *v = t->vote;

	spin_lock_bh(&c->lock);
	if (err)
		vote_break(c, v, err);
	if (v->out)
		vote_keep_packet(vote_fifo(c, v->number), v, t->skb);
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
	u32 reach;

	lockdep_assert_held(&c->lock);
	list_for_each_entry_safe(v, next, &f->votes, list) {
		v->present &= ~BIT(s->index);
		if (!(v->out & BIT(s->index)))
			continue;
		v->out &= ~BIT(s->index);
		n++;
		vote_suspect(c, v, s, suspect);
		reach = run_reach(v);
		vote_judge(c, f, v, reach);
		run_end(f, v, reach);
	}
	return n;
}

u64 ipsp_quorum_age(const struct stack *s, const struct fifo *f, u64 now)
{
	const struct owed *o = &s->owed[f - s->c->fifo];

	return o->count ? now - o->since : 0;
}
