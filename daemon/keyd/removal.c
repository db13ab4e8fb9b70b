// SPDX-License-Identifier: GPL-2.0-only
/*
 * removal.c - SAs and policies go: from their compartment first, then from the store
 *
 * What a manager does not take away is still in its database, in handles and stacks, so it is not forgotten here. A
 * request about that one is refused, and it stays as it was. What has reached its limit, or is flushed, is marked and
 * goes as soon as its manager takes it away: it is asked once a second, one that hangs once in a minute.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "keyd.h"

#define REMOVAL_HUNG	60		/* seconds: each time others wait for ten */

/* ---- the manager's answer -------------------------------------------------------------------- */

/* Where there is no such thing, there is nothing to take away; with a compartment goes all that it had. */
static int removal_answer(struct keyd *k, const char *compartment, int err)
{
	struct keyd_compartment *c = compartments_find(k, compartment);

	if (err == -ESRCH || err == -ENOENT || (err == -ENOTCONN && (!c || c->has_gone)))
		err = 0;
	if (!c)
		return err;
	c->removal_err = err;
	c->removal_pass = k->removal_pass;
	c->removal_at = err ? time(NULL) + (err == -ETIMEDOUT ? REMOVAL_HUNG : 1) : 0;
	return err;
}

/* Whoever refused one in this pass is not asked about each of the others. */
static int removal_refused(struct keyd *k, const char *compartment)
{
	const struct keyd_compartment *c = compartments_find(k, compartment);

	return c && c->removal_pass == k->removal_pass ? c->removal_err : 0;
}

int removal_fail(struct request *r, const char *compartment, int err)
{
	return request_fail(r, err, "ipsec-port-keyd: compartment \"%s\" keeps it; its manager: %s", compartment, strerror(-err));
}

void removal_begin(struct keyd *k)
{
	k->removal_pass++;
}

int removal_fail_flush(struct request *r, int err)
{
	__u32 i;

	for (i = 0; i < r->k->compartments; i++)
		if (removal_refused(r->k, r->k->compartment[i].name))
			return request_fail(r, err, "ipsec-port-keyd: compartment \"%s\": its manager: %s; what it keeps goes "
					    "when it answers", r->k->compartment[i].name, strerror(-err));
	return err;
}

/* ---- SAs ------------------------------------------------------------------------------------- */

/* 0: it is in no compartment any more. */
static int removal_take_sa(struct keyd *k, struct keyd_sa *sa, enum sa_state meanwhile)
{
	__u32 was = sa->state;
	int err;

	if (was == SA_LARVAL)
		return 0;
	if (was != SA_ENDING)
		sa->state = meanwhile;
	err = removal_answer(k, sa->compartment, sa_words_delete(k, sa));
	if (err && meanwhile == SA_LEAVING && was != SA_ENDING)
		sa->state = SA_VALID;
	return err;
}

int removal_sa_in_pass(struct keyd *k, struct keyd_sa *sa)
{
	int err = sa->state == SA_LARVAL ? 0 : removal_refused(k, sa->compartment);

	if (err)
		sa->state = SA_ENDING;
	else
		err = removal_take_sa(k, sa, SA_ENDING);
	if (err)
		store_named(k, sa);
	else
		store_free_sa(k, sa);
	return err;
}

int removal_sa_promised(struct keyd *k, struct keyd_sa *sa)
{
	removal_begin(k);
	return removal_sa_in_pass(k, sa);
}

int removal_sa(struct request *r, struct keyd_sa *sa)
{
	int err;

	if (r->k->store->hand.is_decided) {	/* by a predecessor: it is not refused any more */
		removal_sa_promised(r->k, sa);
		return 0;
	}
	err = removal_take_sa(r->k, sa, SA_LEAVING);
	if (err)
		return removal_fail(r, sa->compartment, err);
	hand_decide(r->k, 0);
	store_free_sa(r->k, sa);
	return 0;
}

/* ---- policies -------------------------------------------------------------------------------- */

static int removal_take_policy(struct keyd *k, struct keyd_policy *p, enum sa_state meanwhile)
{
	__u32 was = p->state;
	int err;

	if (was != SA_ENDING)
		p->state = meanwhile;
	err = removal_answer(k, p->compartment, policy_words_delete(k, p));
	if (err && meanwhile == SA_LEAVING && was != SA_ENDING)
		p->state = SA_VALID;
	return err;
}

int removal_policy_in_pass(struct keyd *k, struct keyd_policy *p)
{
	int err = removal_refused(k, p->compartment);

	if (err)
		p->state = SA_ENDING;
	else
		err = removal_take_policy(k, p, SA_ENDING);
	if (err)
		store_named_policy(k, p);
	else
		store_free_policy(k, p);
	return err;
}

int removal_policy_promised(struct keyd *k, struct keyd_policy *p)
{
	removal_begin(k);
	return removal_policy_in_pass(k, p);
}

int removal_policy(struct request *r, struct keyd_policy *p)
{
	int err;

	if (r->k->store->hand.is_decided) {
		removal_policy_promised(r->k, p);
		return 0;
	}
	err = removal_take_policy(r->k, p, SA_LEAVING);
	if (err)
		return removal_fail(r, p->compartment, err);
	hand_decide(r->k, 0);
	store_free_policy(r->k, p);
	return 0;
}

/* ---- what waits for its manager ---------------------------------------------------------------- */

static struct keyd_sa *removal_next_sa(struct keyd *k, struct keyd_sa *at)
{
	while ((at = store_find_watched(k, at)) && at->state != SA_ENDING)
		;
	return at;
}

static struct keyd_policy *removal_next_policy(struct keyd *k, struct keyd_policy *at)
{
	while ((at = store_find_watched_policy(k, at)) && at->state != SA_ENDING)
		;
	return at;
}

bool removal_waits(struct keyd *k)
{
	return removal_next_sa(k, NULL) || removal_next_policy(k, NULL);
}

static bool removal_is_due(struct keyd *k, const char *compartment)
{
	const struct keyd_compartment *c = compartments_find(k, compartment);

	return !c || time(NULL) >= c->removal_at || c->removal_pass == k->removal_pass;
}

static void removal_run_sa(struct keyd *k, struct keyd_sa *sa)
{
	struct keyd_sa copy = *sa;

	if (removal_is_due(k, sa->compartment) && !removal_sa_in_pass(k, sa))
		relay_multicast(k, XFRMNLGRP_SA, sa_message(&copy, XFRM_MSG_DELSA, 0, 0, 0, k->events));
	explicit_bzero(&copy, sizeof(copy));
}

static void removal_run_policy(struct keyd *k, struct keyd_policy *p)
{
	struct keyd_policy copy = *p;

	if (removal_is_due(k, p->compartment) && !removal_policy_in_pass(k, p))
		relay_multicast(k, XFRMNLGRP_POLICY, policy_message_deleted(k, &copy, true, 0, 0));
}

void removal_run(struct keyd *k)
{
	struct keyd_policy *p = NULL;
	struct keyd_sa *sa = NULL;

	removal_begin(k);
	while ((sa = removal_next_sa(k, sa)))
		removal_run_sa(k, sa);
	while ((p = removal_next_policy(k, p)))
		removal_run_policy(k, p);
}
