// SPDX-License-Identifier: GPL-2.0-only
/*
 * event.c - what happened to the compartment, for `ipsec-portctl events`; in the database, which outlives us
 *
 * Events are numbered from 0, across managers; the last EVENT_KEPT are there. Who follows asks for those from a number
 * on, and is replied to when there is one.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "manager.h"
#include "words/address.h"
#include "words/protocol.h"

#define EVENT_FOLLOWERS	16

static __u64 follower[EVENT_FOLLOWERS];		/* their requests; 0: free */

/* ---- keeping ------------------------------------------------------------------------------ */

static struct event *event_at(const struct manager *m, uint64_t number)
{
	return &m->database->event[number % EVENT_KEPT];
}

uint64_t event_first(const struct manager *m)
{
	return m->database->events > EVENT_KEPT ? m->database->events - EVENT_KEPT : 0;
}

uint64_t event_end(const struct manager *m)
{
	return m->database->events;
}

/* Asked again, from where they were, by a request that finds it. */
void event_release(struct manager *m)
{
	struct text nothing;
	unsigned i;

	text_init(&nothing, (char [1]){ 0 }, 1);
	for (i = 0; i < EVENT_FOLLOWERS; i++) {
		if (follower[i])
			reply_send(m, follower[i], 0, &nothing, 0);
		follower[i] = 0;
	}
}

void event_follow(struct manager *m, __u64 request)
{
	unsigned i;

	for (i = 0; i < EVENT_FOLLOWERS && follower[i]; i++)
		;
	if (i == EVENT_FOLLOWERS) {
		event_release(m);
		i = 0;
	}
	follower[i] = request;
}

static void event_keep(struct manager *m, const struct event *e)
{
	*event_at(m, m->database->events++) = *e;
	event_release(m);
}

static void event_forget_keys(struct ipsp_sa *sa)
{
	explicit_bzero(&sa->aead, sizeof(sa->aead));
	explicit_bzero(&sa->cipher, sizeof(sa->cipher));
	explicit_bzero(&sa->auth, sizeof(sa->auth));
}

void event_expire(struct manager *m, const struct ipsp_sa *sa, const struct ipsp_handle *h, bool is_hard)
{
	struct event e = {
		.kind = IPSP_EVENT_EXPIRE, .cause = is_hard ? IPSP_EXPIRED_HARD : IPSP_EXPIRED_SOFT, .sa = *sa,
		.bytes = h->bytes, .packets = h->packets, .time = (uint64_t)time(NULL),
	};

	event_forget_keys(&e.sa);
	event_keep(m, &e);
	acquire_expired(m, sa, h);
	fprintf(stderr, "ipsec-portd: %s: spi 0x%08x: %s limit reached\n", m->name, ntohl(sa->spi),
		is_hard ? "hard" : "soft");
}

void event_began(struct manager *m)
{
	const struct event e = { .kind = EVENT_MANAGER, .pid = getpid(), .time = (uint64_t)time(NULL) };

	event_keep(m, &e);
}

/* ---- the port's ----------------------------------------------------------------------------- */

/* NULL: none that is kept. An expiry is kept with its SA, when it has been looked at. */
static const char *event_word(__u32 kind)
{
	static const char *const word[] = {
		[IPSP_EVENT_STACK_READY] = "stack-ready", [IPSP_EVENT_STACK_DIED] = "stack-died",
		[IPSP_EVENT_STACK_HUNG] = "stack-hung", [IPSP_EVENT_STACK_BROKEN] = "stack-broken",
		[IPSP_EVENT_POISON] = "poison", [IPSP_EVENT_MISMATCH] = "mismatch",
		[IPSP_EVENT_DEGRADED] = "degraded", [IPSP_EVENT_LOST] = "lost", [EVENT_MANAGER] = "manager-began",
	};

	return kind < sizeof(word) / sizeof(word[0]) ? word[kind] : NULL;
}

/* One that disagrees does so at every packet: told once, with the last count, until something else comes. */
static bool event_goes_on(const struct manager *m, const struct ipsp_event *now)
{
	struct event *last = m->database->events ? event_at(m, m->database->events - 1) : NULL;

	if (!last || now->event != IPSP_EVENT_MISMATCH || last->kind != now->event || last->stack != now->stack)
		return false;
	last->count = now->count;
	return true;
}

void event_of_port(struct manager *m, const struct ipsp_event *of)
{
	const struct event e = {
		.kind = of->event, .cause = of->cause, .stack = of->stack, .pid = of->pid, .count = of->count,
		.time = of->time / 1000000000,
	};

	if (event_word(of->event) && !event_goes_on(m, of))
		event_keep(m, &e);
}

/* ---- telling ---------------------------------------------------------------------------------- */

static const char *event_cause(const struct event *e)
{
#define EVENT_CAUSE(name, text) [IPSP_BROKEN_##name] = text,
	static const char *const cause[] = { [IPSP_BROKEN_NONE] = "", IPSP_BROKENS(EVENT_CAUSE) };

	return e->cause < sizeof(cause) / sizeof(cause[0]) ? cause[e->cause] : "?";
}

/* As `ip xfrm monitor` shows it. */
static void event_text_expire(const struct event *e, struct text *out)
{
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];

	text_add(out, "Expired src %s dst %s\n", address_text(a, e->sa.family, e->sa.source),
		 address_text(b, e->sa.family, e->sa.destination));
	text_add(out, "\tproto %s spi 0x%08x reqid %u mode %s\n\tlifetime current:\n\t  %" PRIu64 "(bytes), %" PRIu64
		 "(packets)\n\thard %d\n", protocol_ipsec_text(e->sa.protocol), ntohl(e->sa.spi), e->sa.reqid,
		 protocol_mode_text(e->sa.mode), e->bytes, e->packets, e->cause == IPSP_EXPIRED_HARD);
}

static void event_text_stack(const struct event *e, struct text *out)
{
	text_add(out, "stack %u (pid %d) ", e->stack, e->pid);
	if (e->kind == IPSP_EVENT_STACK_READY) {
		text_add(out, "serves\n");
		return;
	}
	if (e->kind == IPSP_EVENT_STACK_DIED)
		text_add(out, "has ended");
	else if (e->kind == IPSP_EVENT_STACK_HUNG)
		text_add(out, "hung");
	else
		text_add(out, "broke the protocol (%s)", event_cause(e));
	text_add(out, ": it had %llu packets\n", e->count);
}

static void event_text_other(const struct event *e, struct text *out)
{
	if (e->kind == EVENT_MANAGER)
		text_add(out, "a manager (pid %d) begins\n", e->pid);
	else if (e->kind == IPSP_EVENT_POISON)
		text_add(out, "ticket %llu is poison: two stacks died on it\n", e->count);
	else if (e->kind == IPSP_EVENT_DEGRADED)
		text_add(out, "degraded: %llu stacks decide, fewer than the quorum\n", e->count);
	else if (e->kind == IPSP_EVENT_LOST)
		text_add(out, "%llu events did not reach the manager\n", e->count);
	else if (e->stack < IPSP_STACKS_MAX)
		text_add(out, "stack %u was outvoted: ticket %llu\n", e->stack, e->count);
	else
		text_add(out, "stacks disagree, and none has a quorum: ticket %llu\n", e->count);
}

void event_text(const struct manager *m, struct text *out, uint64_t number)
{
	const struct event *e = event_at(m, number);
	const time_t then = (time_t)e->time;
	char when[32] = "";
	struct tm tm;

	if (localtime_r(&then, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	text_add(out, "Timestamp: %s\n", when);
	if (e->kind == IPSP_EVENT_EXPIRE) {
		event_text_expire(e, out);
		return;
	}
	text_add(out, "Compartment %s: ", m->name);
	if (e->kind >= IPSP_EVENT_STACK_READY && e->kind <= IPSP_EVENT_STACK_BROKEN)
		event_text_stack(e, out);
	else
		event_text_other(e, out);
}

/* An object a line: who follows reads them one by one. */
void event_text_json(const struct manager *m, struct text *out, uint64_t number)
{
	const struct event *e = event_at(m, number);
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];

	text_add(out, "{\"time\":%" PRIu64 ",\"compartment\":\"%s\"", e->time, m->name);
	if (e->kind == IPSP_EVENT_EXPIRE)
		text_add(out, ",\"event\":\"expired-%s\",\"src\":\"%s\",\"dst\":\"%s\",\"proto\":\"%s\",\"spi\":%u,"
			 "\"bytes\":%" PRIu64 ",\"packets\":%" PRIu64 "}\n", e->cause == IPSP_EXPIRED_HARD ? "hard" : "soft",
			 address_text(a, e->sa.family, e->sa.source), address_text(b, e->sa.family, e->sa.destination),
			 protocol_ipsec_text(e->sa.protocol), ntohl(e->sa.spi), e->bytes, e->packets);
	else
		text_add(out, ",\"event\":\"%s\",\"stack\":%d,\"pid\":%d,\"cause\":\"%s\",\"count\":%llu}\n",
			 event_word(e->kind), e->stack < IPSP_STACKS_MAX ? (int)e->stack : -1, e->pid,
			 e->kind == IPSP_EVENT_STACK_BROKEN ? event_cause(e) : "", e->count);
}
