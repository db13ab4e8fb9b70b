/* SPDX-License-Identifier: GPL-2.0 */
/* admit - does a policy want what came out of an SA to have come through it? (RFC 4301 5.2, step 4) */
#ifndef IPSEC_ADMIT_H
#define IPSEC_ADMIT_H

#include "ip.h"
#include "bundle.h"
#include "spd.h"

/* The last one that was admitted: packets of a flow come in runs. Forgotten when a policy or an SA changes. */
struct admit {
	struct ipsp_tuple tuple;
	uint32_t handle;		/* it came through this one alone; 0: none */
};

/* 0, or IPSP_DROP_POLICY. The packet has been parsed before; mark and ifindex are its outer packet's. */
uint16_t admit_packet(struct admit *last, const struct spd *spd, const struct bundle *through,
		      struct ip_bytes inner, const struct ipsp_packet *outer);

#endif
