/* SPDX-License-Identifier: GPL-2.0 */
/*
 * segment - a packet as the host's stack made it, cut into packets that fit
 *
 * A super-packet (gso_size) and any TCP packet longer than the MTU is cut; what the
 * offload left undone (checksums, lengths, identification) is finished. Everything else
 * is one segment. A segment is a private header and a part of the original payload.
 */
#ifndef IPSEC_SEGMENT_H
#define IPSEC_SEGMENT_H

#include "ip.h"

#define SEGMENT_HEADER_MAX 384

struct segment_plan {
	struct ip_bytes packet;
	struct ip_packet ip;
	struct ipsp_offload offload;
	uint32_t header_len;		/* repeated in front of each segment */
	uint32_t payload;		/* bytes of one segment behind it */
	uint32_t count;
	int too_big;			/* not to be cut, and longer than the MTU */
};

struct segment {
	uint8_t header[SEGMENT_HEADER_MAX];
	uint32_t header_len;
	struct ip_bytes body;
};

/* 0, or an IPSP_DROP_*. `packet` is the whole of it. */
uint16_t segment_plan(struct segment_plan *plan, struct ip_bytes packet,
		      const struct ipsp_packet *about);
/* Segment i < plan->count. */
void segment_make(const struct segment_plan *plan, uint32_t i, struct segment *segment);

#endif
