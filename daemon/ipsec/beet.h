/* SPDX-License-Identifier: GPL-2.0 */
/*
 * beet - bound end-to-end tunnel (draft-nikander-esp-beet-mode): what a tunnel does, as long as transport mode
 *
 * The inner addresses are the SA's selector's, one each, so the inner IP header is not sent: what of it may change
 * lies in the outer one. IPv4 options go in front of the payload behind a pseudo-header, protocol 94, which is IPv4's alone:
 *
 *   | outer IP | SPI | seq | IV | [ next, options' length / 8, pad length, 0, pad | options ] [ payload | ...
 */
#ifndef IPSEC_BEET_H
#define IPSEC_BEET_H

#include "sad.h"
#include "segment.h"

#define BEET_PSEUDO_MAX	8

/* Of the inner packet, what is left away; and what stands in front of its options, or 0. */
uint32_t beet_skip(const struct segment_plan *plan);
uint32_t beet_pseudo_len(const struct segment_plan *plan);
void beet_pseudo(const struct segment_plan *plan, uint8_t *out);
/* What ESP names as inside. */
uint8_t beet_next(const struct segment_plan *plan);

/* Writes the outer header of ip_outer_len() bytes: the inner one's words, the SA's addresses. */
void beet_front(const struct ipsp_sa *sa, const struct segment *segment, int clear_df, uint8_t protocol, uint32_t total,
		uint8_t *out);

/* Bytes of the inner header without options. */
uint32_t beet_inner_len(const struct ipsp_sa *sa);
/*
 * `out`: room for the inner header, and behind it *len bytes that were inside, `next` first. `outer`: the packet they
 * came in. Makes the inner packet, and *len its length. 0, or an IPSP_DROP_*.
 */
uint16_t beet_inner(const struct ipsp_sa *sa, struct ip_bytes outer, uint8_t next, uint8_t *out, uint32_t *len);

#endif
