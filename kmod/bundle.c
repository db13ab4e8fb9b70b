// SPDX-License-Identifier: GPL-2.0
/*
 * bundle.c - see bundle.h
 *
 * A ticket is for one SA. Outbound, what it gave is captured again for the next one of its
 * flow's bundle (reinject.c); inbound the secpath remembers what a packet came out of.
 */
#include <net/dst.h>
#include <net/xfrm.h>
#include "bundle.h"
#include "compartment.h"
#include "handle.h"
#include "redirector.h"

struct handle *ipsp_bundle_next(struct compartment *c, const struct bundle *b)
{
	return b->outer[0] ? ipsp_handle_by_id(c, b->outer[0]) : NULL;
}

struct bundle ipsp_bundle_rest(const struct bundle *b)
{
	struct bundle rest = { 0 };

	memcpy(rest.outer, b->outer + 1, sizeof(rest.outer) - sizeof(rest.outer[0]));
	return rest;
}

bool ipsp_bundle_has(const struct bundle *b, const struct handle *h)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(b->outer) && b->outer[i]; i++)
		if (b->outer[i] == h->config.id)
			return true;
	return false;
}

bool ipsp_bundle_stands(struct compartment *c, const struct bundle *b)
{
	const struct handle *h;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(b->outer) && b->outer[i]; i++) {
		h = ipsp_handle_by_id(c, b->outer[i]);
		if (!h || h->config.direction != IPSP_DIR_OUT)
			return false;
	}
	return true;
}

/* One that has gone is of any: it drops the packet later. */
bool ipsp_bundle_bears(struct compartment *c, const struct bundle *b, u32 label)
{
	const struct handle *h;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(b->outer) && b->outer[i]; i++) {
		h = ipsp_handle_by_id(c, b->outer[i]);
		if (h && h->config.label != label)
			return false;
	}
	return true;
}

/* From the outermost inwards. One that has gone costs nothing: it drops the packet later. */
u32 ipsp_bundle_mtu(struct compartment *c, const struct bundle *b, u32 mtu)
{
	const struct handle *h;
	int i;

	for (i = ARRAY_SIZE(b->outer) - 1; i >= 0; i--) {
		h = b->outer[i] ? ipsp_handle_by_id(c, b->outer[i]) : NULL;
		if (h)
			mtu = min(mtu, ipsp_handle_inner_mtu(h, mtu));
	}
	return mtu;
}

u32 ipsp_bundle_path_mtu(struct compartment *c, const struct bundle *b,
			 const struct sk_buff *skb, u32 mtu)
{
	struct dst_entry *path;
	struct handle *h;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(b->outer) && b->outer[i]; i++) {
		h = ipsp_handle_by_id(c, b->outer[i]);
		path = h ? ipsp_reinject_path(c, h, skb) : NULL;
		if (!path)
			continue;
		mtu = min(mtu, dst_mtu(path));
		dst_release(path);
	}
	return ipsp_bundle_mtu(c, b, mtu);
}

bool ipsp_bundle_came_by(struct compartment *c, struct bundle *b, const struct sk_buff *skb)
{
	const struct sec_path *sp = skb_sec_path(skb);
	const struct handle *h;
	u32 n = 0;
	int i;

	if (!sp)
		return true;
	if (sp->len >= IPSP_STAMPS)
		return false;
	for (i = sp->len - 1; i >= 0; i--) {
		h = ipsp_handle_of_state(sp->xvec[i]);
		if (h && h->c == c)
			b->outer[n++] = h->config.id;
	}
	return true;
}
