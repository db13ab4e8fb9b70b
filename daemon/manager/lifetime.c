// SPDX-License-Identifier: GPL-2.0-only
/*
 * lifetime.c - what becomes of an SA at its limits
 *
 * The kernel stops an SA at its bytes, its packets and the moment that it was told; its EXPIRE
 * event only makes us look. So what was missed while there was no manager is found by the next
 * one, in the handle and in the database. Seconds are those that the machine runs or sleeps, not
 * the clock's on the wall. A soft expiry is told once; a hard one ends the SA, as XFRM does.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "manager.h"

#define LIFETIME_SECOND	1000000000ull
#define LIFETIME_NEVER	UINT64_MAX

static uint64_t lifetime_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * LIFETIME_SECOND + (uint64_t)t.tv_nsec;
}

static uint64_t lifetime_at(uint64_t since, uint64_t seconds)
{
	return since && seconds ? since + seconds * LIFETIME_SECOND : LIFETIME_NEVER;
}

static uint64_t lifetime_sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When it ends; or when it is soft. */
static uint64_t lifetime_end(const struct database_sa *sa, int which)
{
	return lifetime_sooner(lifetime_at(sa->added, sa->limit.add[which]),
			       lifetime_at(sa->first_used, sa->limit.use[which]));
}

void lifetime_begin(struct manager *m, struct database_sa *sa, const struct limit *limit,
		    struct ipsp_handle *h)
{
	uint64_t end;

	sa->limit = *limit;
	sa->added = lifetime_clock(CLOCK_BOOTTIME);
	sa->added_real = lifetime_clock(CLOCK_REALTIME);
	sa->first_used = 0;
	sa->told = 0;
	end = lifetime_end(sa, LIMIT_HARD);
	h->until = end == LIFETIME_NEVER ? 0 : end;
	h->soft_bytes = limit->bytes[LIMIT_SOFT];
	h->hard_bytes = limit->bytes[LIMIT_HARD];
	h->soft_packets = limit->packets[LIMIT_SOFT];
	h->hard_packets = limit->packets[LIMIT_HARD];
	m->lifetime_due = 0;
}

void lifetime_go_on(struct manager *m, struct database_sa *sa, const struct database_sa *before)
{
	struct ipsp_handle to = { .id = sa->sa.handle };

	sa->added = before->added;
	sa->added_real = before->added_real;
	sa->first_used = before->first_used;
	sa->told = before->told;
	to.until = lifetime_end(sa, LIMIT_HARD);
	if (to.until != LIFETIME_NEVER)
		ioctl(m->fd, IPSP_IOC_HANDLE_SET, &to);
	m->lifetime_due = 0;
}

/* The handle has the wall's time of the first use: how long ago that was is what counts. */
static void lifetime_first_use(struct manager *m, struct database_sa *sa, const struct ipsp_handle *h)
{
	uint64_t now = lifetime_clock(CLOCK_BOOTTIME), wall = lifetime_clock(CLOCK_REALTIME);
	uint64_t ago = wall > h->used_first ? wall - h->used_first : 0;
	struct ipsp_handle to = { .id = h->id };

	sa->first_used = ago < now - sa->added ? now - ago : sa->added;
	if (!sa->limit.use[LIMIT_HARD])
		return;
	to.until = lifetime_end(sa, LIMIT_HARD);
	ioctl(m->fd, IPSP_IOC_HANDLE_SET, &to);
}

static bool lifetime_waits_for_use(const struct database_sa *sa)
{
	return !sa->first_used && (sa->limit.use[LIMIT_SOFT] || sa->limit.use[LIMIT_HARD]);
}

/* Once, whoever of the managers it was, and however often its deletion fails. */
static void lifetime_tell(struct manager *m, struct database_sa *sa, const struct ipsp_handle *h, __u32 what)
{
	if (sa->told & what)
		return;
	sa->told |= what;
	event_expire(m, &sa->sa, h, what == IPSP_EXPIRED_HARD);
}

/* Deals with one; returns when it is to be looked at again. */
static uint64_t lifetime_check(struct manager *m, struct database_sa *sa)
{
	uint64_t now = lifetime_clock(CLOCK_BOOTTIME), due = LIFETIME_NEVER;
	struct ipsp_handle h = { .id = sa->sa.handle };

	if (ioctl(m->fd, IPSP_IOC_HANDLE_GET, &h))
		return due;
	if (lifetime_waits_for_use(sa) && h.used_first)
		lifetime_first_use(m, sa, &h);
	/* the kernel met it before the hard one: both are told, however late it is here */
	if (h.expired & IPSP_EXPIRED_SOFT)
		lifetime_tell(m, sa, &h, IPSP_EXPIRED_SOFT);
	if ((h.expired & IPSP_EXPIRED_HARD) || now >= lifetime_end(sa, LIMIT_HARD)) {
		lifetime_tell(m, sa, &h, IPSP_EXPIRED_HARD);
		return sa_delete(m, sa) ? now + LIFETIME_SECOND : due;
	}
	if (now >= lifetime_end(sa, LIMIT_SOFT))
		lifetime_tell(m, sa, &h, IPSP_EXPIRED_SOFT);
	if (!(sa->told & IPSP_EXPIRED_SOFT))
		due = lifetime_end(sa, LIMIT_SOFT);
	due = lifetime_sooner(due, lifetime_end(sa, LIMIT_HARD));
	return lifetime_waits_for_use(sa) ? lifetime_sooner(due, now + LIFETIME_SECOND) : due;
}

void lifetime_look(struct manager *m)
{
	struct database_sa *sa = database_sas(m->database), *end = sa + m->database->sas_max;
	uint64_t due = LIFETIME_NEVER;

	if (lifetime_clock(CLOCK_BOOTTIME) < m->lifetime_due)
		return;
	for (; sa < end; sa++)
		if (sa->used && !limit_is_none(&sa->limit))
			due = lifetime_sooner(due, lifetime_check(m, sa));
	m->lifetime_due = due;
}

/* An hour at most, so that no sum overflows; what is due later is then looked at again. */
int lifetime_timeout(const struct manager *m, int other)
{
	uint64_t now = lifetime_clock(CLOCK_BOOTTIME), left;
	int ms;

	if (m->lifetime_due == LIFETIME_NEVER)
		return other;
	left = m->lifetime_due > now ? m->lifetime_due - now : 0;
	if (left > 3600 * LIFETIME_SECOND)
		left = 3600 * LIFETIME_SECOND;
	ms = (int)((left + 999999) / 1000000);
	return other >= 0 && other < ms ? other : ms;
}
