/* SPDX-License-Identifier: GPL-2.0 */
/* bundle.h - a packet that goes through several SAs: those beside the one of its ticket */
#ifndef IPSP_BUNDLE_H
#define IPSP_BUNDLE_H

#include <linux/skbuff.h>
#include "ipsec_port.h"

struct compartment;
struct dst_entry;
struct handle;

/*
 * Handles by their ids, the next outer one first, 0 ends it. Of a flow and outbound: still to
 * come. Inbound: the packet came out of them. By id, so that nobody keeps one that has gone.
 */
struct bundle {
	u32 outer[IPSP_STAMPS - 1];
};

/* All below on the RCU read side. */
struct handle *ipsp_bundle_next(struct compartment *c, const struct bundle *b);	/* or NULL */
struct bundle ipsp_bundle_rest(const struct bundle *b);		/* without the next one */
bool ipsp_bundle_has(const struct bundle *b, const struct handle *h);
/* None of its handles has gone, all are outbound. */
bool ipsp_bundle_stands(struct compartment *c, const struct bundle *b);
/* Those that have not gone are of that label. */
bool ipsp_bundle_bears(struct compartment *c, const struct bundle *b, u32 label);
/* What of mtu is left for the SA inside of them. */
u32 ipsp_bundle_mtu(struct compartment *c, const struct bundle *b, u32 mtu);
/* The same for skb's way, by the smallest path on it. */
u32 ipsp_bundle_path_mtu(struct compartment *c, const struct bundle *b,
			 const struct sk_buff *skb, u32 mtu);

/* Inbound, of c; false: more than a record can say. */
bool ipsp_bundle_came_by(struct compartment *c, struct bundle *b, const struct sk_buff *skb);

#endif
