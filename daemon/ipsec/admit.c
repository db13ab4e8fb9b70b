// SPDX-License-Identifier: GPL-2.0
#include "admit.h"

enum admit_answer { ADMIT_UNKNOWN, ADMIT_YES, ADMIT_NO };

/* A policy that lets pass in clear does not want an SA; one that drops wants nothing. */
static enum admit_answer admit_by(const struct spd *spd, const struct bundle *through,
				  struct ipsp_tuple *tuple, uint8_t direction)
{
	const struct ipsp_policy_entry *policy;

	tuple->direction = direction;
	policy = spd_find(spd, tuple);
	if (!policy)
		return ADMIT_UNKNOWN;
	return policy->action == IPSP_POLICY_APPLY && bundle_is_wanted(through, policy, tuple) ? ADMIT_YES : ADMIT_NO;
}

/*
 * Whether it is for this host or goes on is the kernel's to know: either direction may admit it. Of what no policy knows
 * the rules decide, which the kernel looks up.
 */
static int admit_search(const struct spd *spd, const struct bundle *through, struct ipsp_tuple *tuple)
{
	enum admit_answer in = admit_by(spd, through, tuple, IPSP_DIR_IN);
	enum admit_answer fwd = in == ADMIT_YES ? ADMIT_YES : admit_by(spd, through, tuple, IPSP_DIR_FWD);

	return in == ADMIT_YES || fwd == ADMIT_YES || (in == ADMIT_UNKNOWN && fwd == ADMIT_UNKNOWN);
}

uint16_t admit_packet(struct admit *last, const struct spd *spd, const struct bundle *through,
		      struct ip_bytes inner, const struct ipsp_packet *outer)
{
	const uint32_t handle = through->count == 1 ? through->sa[0]->handle : 0;
	struct ipsp_tuple tuple;
	struct ip_packet ip;

	if (!spd->count)
		return 0;
	if (ip_parse(inner, &ip))
		return IPSP_DROP_MALFORMED;
	memset(&tuple, 0, sizeof(tuple));
	ip_tuple(inner, &ip, &tuple);
	tuple.ifindex = outer->ifindex;
	tuple.if_id = outer->if_id;
	tuple.mark = outer->mark;
	tuple.label = through->sa[0]->sa.label;
	if (handle && last->handle == handle && !memcmp(&last->tuple, &tuple, sizeof(tuple)))
		return 0;
	last->handle = 0;
	last->tuple = tuple;
	if (!admit_search(spd, through, &tuple))
		return IPSP_DROP_POLICY;
	last->handle = handle;
	return 0;
}
