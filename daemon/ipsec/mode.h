/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mode - what transport, tunnel and BEET put around a packet and take off again, the same for ESP and AH
 *
 *   out  | front: outer IP, or IP and its extension headers [, UDP] | ESP or AH | pseudo | segment from `skip` on |
 */
#ifndef IPSEC_MODE_H
#define IPSEC_MODE_H

#include "sad.h"
#include "segment.h"

#define MODE_UDP	8
#define MODE_FRONT_MAX	(IP_HEADER6 + MODE_UDP + 8)	/* of what is made; with BEET's pseudo-header */

/* ---- out ---- */

uint32_t mode_front_len(const struct sad_sa *sa, const struct segment_plan *plan);
/* `total`: bytes of the whole packet. `clear_df`: the host may fragment it. */
void mode_front(const struct sad_sa *sa, uint64_t number, const struct segment_plan *plan,
		const struct segment *segment, int clear_df, uint32_t total, uint8_t *out);
/* What is protected: bytes, the bytes themselves, and what it is. */
uint32_t mode_text_len(const struct sad_sa *sa, const struct segment_plan *plan, const struct segment *segment);
void mode_text(const struct sad_sa *sa, const struct segment_plan *plan, const struct segment *segment, uint8_t *out);
uint8_t mode_next(const struct sad_sa *sa, const struct segment_plan *plan);

/* ---- in ---- */

struct mode_opened {
	struct ip_bytes packet;		/* outer */
	struct ip_packet ip;
	uint8_t next;			/* what was inside */
};

/* Parses the outer packet: is it whole, and of the SA's protocol? 0, or an IPSP_DROP_*. */
uint16_t mode_outer(const struct sad_sa *sa, struct ip_bytes packet, struct mode_opened *o);
/* Where ESP, or AH, begins. */
uint32_t mode_at(const struct sad_sa *sa, const struct mode_opened *o);
/* Where, in `out`, what was inside must lie for mode_inner(). */
uint32_t mode_inner_front(const struct sad_sa *sa, const struct mode_opened *o);
/* *len bytes lie there; makes the inner packet in `out`, and *len its length. 0, or an IPSP_DROP_*. */
uint16_t mode_inner(const struct sad_sa *sa, const struct mode_opened *o, uint8_t *out, uint32_t *len);

#endif
