/* SPDX-License-Identifier: GPL-2.0 */
/* bundle - the SAs that one policy has a packet go through, innermost first (RFC 4301 appendix E) */
#ifndef IPSEC_BUNDLE_H
#define IPSEC_BUNDLE_H

#include "ip.h"
#include "sad.h"

struct bundle {
	const struct sad_sa *sa[IPSP_STAMPS];
	uint32_t count;
};

/*
 * Outbound, what the policy's templates mean for a packet. 0: all that are not optional are in it, maybe none;
 * IPSP_DROP_NO_SA: one has none; IPSP_DROP_UNSUPPORTED: it cannot be served so.
 */
uint16_t bundle_match(struct bundle *b, const struct sad *sad, const struct ipsp_policy_entry *policy,
		      const struct ipsp_tuple *tuple);

/* Inbound, what the ticket's packet came through. 0, or IPSP_DROP_NO_SA. */
uint16_t bundle_read(struct bundle *b, const struct sad *sad, const struct ipsp_packet *packet);

/* Inbound: of that packet the policy wants all of the bundle, in its order, and no more. */
int bundle_is_wanted(const struct bundle *b, const struct ipsp_policy_entry *policy, const struct ipsp_tuple *tuple);

/* Inbound: what came out is to be opened by another SA. */
int bundle_goes_on(const struct sad *sad, struct ip_bytes inner);

#endif
