/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sample - IP packets of all kinds: both families, options and extension headers, fragments, TCP, UDP, ICMP, SCTP and
 * what nobody knows, with right checksums and wrong ones, whole and broken
 */
#ifndef CONFORM_SAMPLE_H
#define CONFORM_SAMPLE_H

#include "dice.h"

#define SAMPLE_MAX 65535

struct sample {
	uint8_t bytes[SAMPLE_MAX + 512];
	uint32_t len;
	uint32_t header_len;		/* where the transport header was put */
	uint8_t protocol;
	uint8_t family;
};

/* Addresses come from small sets, so that selectors match often: 16 bytes, IPv4 in the first four. */
void sample_address(struct dice *d, uint8_t family, uint8_t address[16]);
/* The transport part has about `size` bytes. */
void sample_make(struct dice *d, struct sample *s, uint8_t family, uint32_t size);
/* A TCP or UDP packet of just that many bytes behind its transport header; what a super-packet is. */
void sample_make_stream(struct dice *d, struct sample *s, uint8_t family, uint8_t protocol, uint32_t size);
/* Some bytes altered, cut off or added. */
void sample_break(struct dice *d, uint8_t *bytes, uint32_t *len, uint32_t most);
/*
 * Alters a word behind a UDP header so that the checksum of all from there on comes to zero: of what lies there, or,
 * with `anew`, with the pseudo-header and a field of zero.
 */
void sample_level(struct sample *s, int anew);
/* Makes an IPv4 header's checksum right. */
void sample_seal4(uint8_t *ip);

#endif
