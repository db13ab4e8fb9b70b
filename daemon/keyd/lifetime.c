// SPDX-License-Identifier: GPL-2.0-only
/*
 * lifetime.c - what expires by time, bytes, packets
 *
 * Seconds are looked at once a second. Bytes and packets are the compartment's to stop, to the packet, with an agent or
 * without: its manager tells as soon as a limit is met, and a hard one ends the SA there. What was told to nobody is found
 * by the next look: an SA with such a limit, or from behind a NAT, is asked for its use each second. A soft expiry is told
 * once; a hard one ends the SA, told by EXPIRE alone, as the kernel does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "keyd.h"

bool lifetime_is_limited(const struct xfrm_lifetime_cfg *l)
{
	return l->soft_add_expires_seconds || l->hard_add_expires_seconds || l->soft_use_expires_seconds ||
	       l->hard_use_expires_seconds || l->soft_byte_limit != XFRM_INF ||
	       l->hard_byte_limit != XFRM_INF || l->soft_packet_limit != XFRM_INF ||
	       l->hard_packet_limit != XFRM_INF;
}

bool lifetime_is_timed(const struct xfrm_lifetime_cfg *l)
{
	return l->soft_add_expires_seconds || l->hard_add_expires_seconds || l->soft_use_expires_seconds ||
	       l->hard_use_expires_seconds;
}

static bool lifetime_needs_use(const struct xfrm_lifetime_cfg *l)
{
	return l->soft_use_expires_seconds || l->hard_use_expires_seconds || l->soft_byte_limit != XFRM_INF ||
	       l->hard_byte_limit != XFRM_INF || l->soft_packet_limit != XFRM_INF ||
	       l->hard_packet_limit != XFRM_INF;
}

static bool lifetime_is_over(const struct xfrm_lifetime_cur *now, __u64 add, __u64 use, __u64 bytes,
			     __u64 packets)
{
	__u64 t = (__u64)time(NULL);

	return (add && t >= now->add_time + add) || (use && now->use_time && t >= now->use_time + use) ||
	       now->bytes >= bytes || now->packets >= packets;
}

/* The kernel takes no limit of 0 bytes for one that is reached before the first. */
static __u64 lifetime_limit(__u64 limit)
{
	return limit ? limit : XFRM_INF;
}

static void lifetime_tell_soft(struct keyd *k, struct keyd_sa *sa)
{
	sa_told_expired(k, sa, false, 0);
	sa->soft_told = 1;		/* twice rather than never */
}

/* On the way to a hard limit it met the soft one, whenever we look. */
static bool lifetime_passed_soft(const struct keyd_sa *sa)
{
	const struct xfrm_lifetime_cfg *l = &sa->info.lft;
	const struct xfrm_lifetime_cur *now = &sa->info.curlft;

	return !sa->soft_told &&
	       ((l->soft_byte_limit < l->hard_byte_limit && now->bytes >= lifetime_limit(l->soft_byte_limit)) ||
		(l->soft_packet_limit < l->hard_packet_limit && now->packets >= lifetime_limit(l->soft_packet_limit)));
}

static void lifetime_check(struct keyd *k, struct keyd_sa *sa)
{
	const struct xfrm_lifetime_cfg *l = &sa->info.lft;
	const struct xfrm_lifetime_cur *now = &sa->info.curlft;
	bool has_gone = false;

	if (sa->state == SA_VALID && (lifetime_needs_use(l) || mapping_is_watched(sa)))
		has_gone = sa_words_usage(k, sa) == -ESRCH;
	mapping_check(k, sa);
	if (has_gone ||
	    lifetime_is_over(now, l->hard_add_expires_seconds, l->hard_use_expires_seconds,
			     lifetime_limit(l->hard_byte_limit), lifetime_limit(l->hard_packet_limit))) {
		if (lifetime_passed_soft(sa))
			lifetime_tell_soft(k, sa);
		sa_told_expired(k, sa, true, 0);
		removal_sa_promised(k, sa);
	} else if (!sa->soft_told &&
		   lifetime_is_over(now, l->soft_add_expires_seconds, l->soft_use_expires_seconds,
				    lifetime_limit(l->soft_byte_limit), lifetime_limit(l->soft_packet_limit))) {
		lifetime_tell_soft(k, sa);
	}
}

static bool lifetime_is_of(const struct keyd_sa *sa, const struct keyd_compartment *c, const char *destination)
{
	xfrm_address_t a = { 0 };

	return sa->state == SA_VALID && lifetime_needs_use(&sa->info.lft) && !strcmp(sa->compartment, c->name) &&
	       inet_pton(sa->info.family, destination, &a) == 1 && address_equal(&a, &sa->info.id.daddr, sa->info.family);
}

void lifetime_met(struct keyd *k, const struct keyd_compartment *c, const char *destination, __be32 spi,
		  const struct xfrm_lifetime_cur *counted)
{
	struct keyd_sa *sa = NULL;

	while ((sa = store_find_spi(k, spi, sa)) && !lifetime_is_of(sa, c, destination))
		;
	if (!sa)
		return;
	sa->info.curlft.bytes = sa->before.bytes + counted->bytes;
	sa->info.curlft.packets = sa->before.packets + counted->packets;
	lifetime_check(k, sa);		/* as it is by now */
}

/* ---- policies: seconds only, as in the kernel; of use, since the last one ----------------------- */

#define LIFETIME_SOFT_AGAIN 30		/* seconds: a soft expiry is told again until somebody does something */

static void lifetime_check_policy(struct keyd *k, struct keyd_policy *p)
{
	const struct xfrm_lifetime_cfg *l = &p->info.lft;
	struct xfrm_lifetime_cur now = p->info.curlft;
	__u32 seconds = (__u32)time(NULL);
	struct keyd_policy copy = *p;

	if (p->templates && (l->soft_use_expires_seconds || l->hard_use_expires_seconds))
		policy_read_use(k, p);
	now.use_time = policy_use_time(k, p) ?: now.add_time;
	if (lifetime_is_over(&now, l->hard_add_expires_seconds, l->hard_use_expires_seconds, XFRM_INF, XFRM_INF)) {
		removal_policy_promised(k, p);
		policy_told_expired(k, &copy, true, 0);
	} else if (seconds - p->soft_told >= LIFETIME_SOFT_AGAIN &&
		   lifetime_is_over(&now, l->soft_add_expires_seconds, l->soft_use_expires_seconds, XFRM_INF, XFRM_INF)) {
		policy_told_expired(k, p, false, 0);
		p->soft_told = seconds;
	}
}

static void lifetime_check_policies(struct keyd *k)
{
	struct keyd_policy *p = NULL;

	while ((p = store_find_watched_policy(k, p)))
		if (p->state == SA_VALID && lifetime_is_timed(&p->info.lft))
			lifetime_check_policy(k, p);
}

/* ---- each second --------------------------------------------------------------------------------- */

static struct keyd_sa *lifetime_next(struct keyd *k, struct keyd_sa *at)
{
	while ((at = store_find_watched(k, at)))
		if ((at->state == SA_VALID || at->state == SA_LARVAL) &&
		    (lifetime_is_limited(&at->info.lft) || mapping_is_watched(at)))
			return at;
	return NULL;
}

int lifetime_timeout(const struct keyd *k)
{
	struct keyd *all = (struct keyd *)k;

	return lifetime_next(all, NULL) || removal_waits(all) || store_find_watched_policy(all, NULL) ? 1000 : -1;
}

void lifetime_run(struct keyd *k)
{
	static time_t last;
	struct keyd_sa *sa = NULL;
	time_t now = time(NULL);

	if (now == last)
		return;
	last = now;
	removal_run(k);
	while ((sa = lifetime_next(k, sa)))
		lifetime_check(k, sa);
	lifetime_check_policies(k);
}
