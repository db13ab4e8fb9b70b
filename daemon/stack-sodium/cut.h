/* SPDX-License-Identifier: GPL-2.0 */
/* cut - a packet as the host made it, and the segments that it becomes before any is protected */
#ifndef SODIUM_CUT_H
#define SODIUM_CUT_H

#include "ip.h"
#include "ipsec_port.h"

#define CUT_HEADER_MAX 384		/* bytes of headers, or up to the end of a checksum to finish */

struct cut {
	struct ip ip;
	struct ipsp_offload offload;
	bool whole;			/* one segment, the packet itself */
	size_t header;			/* what each segment begins with; whole: 0 */
	size_t size;			/* bytes behind that, of all but the last */
	size_t count;			/* of segments, at least 1 */
};

/* 0, or the reason for which the packet is dropped. */
unsigned cut_plan(struct cut *cut, const struct ipsp_packet *about, const uint8_t *bytes, size_t len);

/* Of segment i. None is longer than segment 0. */
size_t cut_len(const struct cut *cut, size_t i);

/* Writes segment i: cut_len() bytes. */
void cut_write(const struct cut *cut, size_t i, uint8_t *to);

#endif
