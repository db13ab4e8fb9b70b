/* SPDX-License-Identifier: GPL-2.0 */
/* bundle - the SAs that a policy with several templates has a packet go through, innermost first */
#ifndef SODIUM_BUNDLE_H
#define SODIUM_BUNDLE_H

#include "sad.h"

struct bundle {
	const struct sad_sa *sa[IPSP_STAMPS];
	uint32_t count;
};

/* Outbound: 0, then none is in it where all are optional; or the reason of the drop. */
unsigned bundle_fit(struct bundle *bundle, const struct sad *sad, const struct ipsp_policy_entry *policy,
		    const struct tuple *tuple);

/* Inbound: those of the ticket; false: one is not there. */
bool bundle_read(struct bundle *bundle, const struct sad *sad, const struct ipsp_packet *about);

/* Inbound: the policy wants all of them, in this order, and nothing else. */
bool bundle_wanted(const struct bundle *bundle, const struct ipsp_policy_entry *policy, const struct tuple *tuple);

/* Inbound: an SA that is here opens this packet again. */
bool bundle_goes_on(const struct sad *sad, const struct ip *ip);

#endif
