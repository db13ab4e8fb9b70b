// SPDX-License-Identifier: GPL-2.0
/*
 * limit.c - an SA ends at its limits: bytes, packets, a moment
 *
 * Looked at for each packet where it is captured, which spares the work, and where it is
 * released, which decides: releases of a handle have an order, so what was counted is exact,
 * whichever stack answered. As in XFRM the packet that finds the limit reached is the one
 * that is refused.
 */
#include <linux/ktime.h>
#include "compartment.h"
#include "handle.h"

void ipsp_limit_init(struct handle *h)
{
	const struct ipsp_handle *c = &h->config;

	h->limited = c->soft_bytes || c->hard_bytes || c->soft_packets || c->hard_packets ||
		     c->until;
}

/* Does the count reach the limit, or come within `margin` of it? */
static bool limit_counts_to(const atomic64_t *count, u64 limit, u32 margin)
{
	u64 n = atomic64_read(count);

	return limit && (n >= limit || limit - n <= margin);
}

/* `what` is a bit: IPSP_EXPIRED_SOFT or _HARD. */
static void limit_tell(struct handle *h, u32 what)
{
	if (!test_and_set_bit(what - 1, &h->expired))
		ipsp_mailbox_event_of(h->c, IPSP_EVENT_EXPIRE, what, h->config.id, 0);
}

bool ipsp_limit_is_reached(struct handle *h)
{
	const struct ipsp_handle *c = &h->config;
	u64 until = READ_ONCE(c->until);

	if (!READ_ONCE(h->limited))
		return false;
	if (test_bit(IPSP_EXPIRED_HARD - 1, &h->expired))
		return true;
	if (limit_counts_to(&h->packets, c->hard_packets, 0) ||
	    limit_counts_to(&h->bytes, c->hard_bytes, 0) ||
	    (until && ktime_get_coarse_boottime_ns() >= until)) {
		limit_tell(h, IPSP_EXPIRED_HARD);
		return true;
	}
	if (limit_counts_to(&h->packets, c->soft_packets, 0) ||
	    limit_counts_to(&h->bytes, c->soft_bytes, 0))
		limit_tell(h, IPSP_EXPIRED_SOFT);
	return false;
}

bool ipsp_limit_is_near(const struct handle *h)
{
	/* twice what a fifo may hold: one that is just released, and one behind it */
	return READ_ONCE(h->limited) &&
	       (limit_counts_to(&h->packets, h->config.hard_packets, 2 * FIFO_SLOTS) ||
		limit_counts_to(&h->bytes, h->config.hard_bytes, 2 * FIFO_BYTES));
}
