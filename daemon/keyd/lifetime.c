// SPDX-License-Identifier: GPL-2.0-only
/*
 * lifetime.c - what expires by time, bytes, packets
 *
 * Once a second; an SA with a byte or packet limit, or from behind a NAT, is asked for its use each time. A soft
 * expiry is told once; a hard one ends the SA, told by EXPIRE alone, as the kernel does.
 */
#include <time.h>

#include "keyd.h"

bool lifetime_is_limited(const struct xfrm_lifetime_cfg *l)
{
	return l->soft_add_expires_seconds || l->hard_add_expires_seconds || l->soft_use_expires_seconds ||
	       l->hard_use_expires_seconds || l->soft_byte_limit != XFRM_INF ||
	       l->hard_byte_limit != XFRM_INF || l->soft_packet_limit != XFRM_INF ||
	       l->hard_packet_limit != XFRM_INF;
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

static void lifetime_check(struct keyd *k, struct keyd_sa *sa)
{
	const struct xfrm_lifetime_cfg *l = &sa->info.lft;
	const struct xfrm_lifetime_cur *now = &sa->info.curlft;

	if (sa->state == SA_VALID && (lifetime_needs_use(l) || mapping_is_watched(sa)))
		sa_words_usage(k, sa);
	mapping_check(k, sa);
	if (lifetime_is_over(now, l->hard_add_expires_seconds, l->hard_use_expires_seconds,
			     lifetime_limit(l->hard_byte_limit), lifetime_limit(l->hard_packet_limit))) {
		sa_told_expired(k, sa, true, 0);
		removal_sa_promised(k, sa);
	} else if (!sa->soft_told &&
		   lifetime_is_over(now, l->soft_add_expires_seconds, l->soft_use_expires_seconds,
				    lifetime_limit(l->soft_byte_limit), lifetime_limit(l->soft_packet_limit))) {
		sa_told_expired(k, sa, false, 0);
		sa->soft_told = 1;		/* twice rather than never */
	}
}

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
	return lifetime_next((struct keyd *)k, NULL) || removal_waits((struct keyd *)k) ? 1000 : -1;
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
}
