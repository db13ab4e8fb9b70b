/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ip - reads and writes IP headers; the one place that turns offsets into pointers
 *
 * Reading: every byte of a packet is reached through ip_at(), which gives NULL for what
 * does not lie inside. Writing: ip_put() gives the next bytes of a sink, or NULL when
 * they do not fit.
 */
#ifndef IPSEC_IP_H
#define IPSEC_IP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ipsec_port_selector.h"

#define IP_HOPOPTS	0
#define IP_ICMP		1
#define IP_IPIP		4
#define IP_TCP		6
#define IP_UDP		17
#define IP_DCCP		33
#define IP_IPV6		41
#define IP_ROUTING	43
#define IP_FRAGMENT	44
#define IP_ESP		50
#define IP_AH		51
#define IP_ICMPV6	58
#define IP_NONE		59	/* IPv6 no next header; in ESP a dummy packet */
#define IP_DSTOPTS	60
#define IP_SCTP		132
#define IP_UDPLITE	136

#define IP_HEADER4	20	/* without options */
#define IP_HEADER6	40
#define IP_LENGTH_MAX	65535	/* what both length fields can say */
#define IP_TTL		64	/* of an outer header */

struct ip_bytes {
	const uint8_t *at;
	uint32_t len;
};

struct ip_sink {
	uint8_t *at;
	uint32_t room;
};

static inline const uint8_t *ip_at(struct ip_bytes bytes, uint32_t offset, uint32_t len)
{
	if (offset > bytes.len || len > bytes.len - offset)
		return NULL;
	return bytes.at + offset;
}

/* From `offset` on, at most `len` bytes; empty when it begins outside. */
static inline struct ip_bytes ip_part(struct ip_bytes bytes, uint32_t offset, uint32_t len)
{
	uint32_t rest = offset < bytes.len ? bytes.len - offset : 0;

	return (struct ip_bytes){ rest ? bytes.at + offset : bytes.at,
				  len < rest ? len : rest };
}

static inline uint8_t *ip_put(struct ip_sink *sink, uint32_t len)
{
	uint8_t *at = sink->at;

	if (len > sink->room)
		return NULL;
	sink->at += len;
	sink->room -= len;
	return at;
}

static inline uint16_t ip_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t ip_get32(const uint8_t *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return __builtin_bswap32(word);
}

static inline void ip_set16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = (uint8_t)value;
}

static inline void ip_set32(uint8_t *at, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(at, &value, sizeof(value));
}

/* What is known of one IP packet. Offsets are from its first byte. */
struct ip_packet {
	uint8_t  family;
	uint8_t  tos;			/* or traffic class */
	uint8_t  protocol;		/* behind the extension headers */
	uint8_t  fragment;		/* one of several */
	uint8_t  later;			/* and not the first: nothing behind its header */
	uint8_t  df;
	uint8_t  esp_next;		/* the protocol number of what is at esp_at */
	uint32_t flow_label;
	uint32_t header_len;		/* offset of the protocol's header */
	uint32_t protocol_at;		/* offset of the byte that names it */
	uint32_t esp_at;		/* where transport mode puts ESP: RFC 4303 3.1.1 */
	uint32_t esp_next_at;		/* offset of the byte that will name ESP */
	uint32_t total_len;		/* by its header; may be more than is there */
};

/* 0, or -1: no IP packet, or one whose headers do not end inside `bytes`. */
int ip_parse(struct ip_bytes bytes, struct ip_packet *ip);

/* The addresses, protocol and ports that selectors look at; the rest is left alone. */
void ip_tuple(struct ip_bytes bytes, const struct ip_packet *ip, struct ipsp_tuple *tuple);

const uint8_t *ip_source(struct ip_bytes bytes, const struct ip_packet *ip);
const uint8_t *ip_destination(struct ip_bytes bytes, const struct ip_packet *ip);

/* An IPv4 header that is all there and whose checksum is right; any IPv6 one. */
int ip_is_intact(struct ip_bytes bytes);

struct ip_outer {
	const uint8_t *source, *destination;
	uint8_t  family;
	uint8_t  tos;
	uint8_t  protocol;
	uint8_t  df;
	uint16_t id;
	uint32_t flow_label;
	uint32_t total_len;
};

uint32_t ip_outer_len(uint8_t family);
/* Writes ip_outer_len() bytes; no options, no extension headers. */
void ip_outer_write(uint8_t *at, const struct ip_outer *outer);

/*
 * Makes a header that lies at `at` say `total_len`, and its IPv4 checksum right.
 * `header_len` bytes of it are there.
 */
void ip_set_length(uint8_t *at, uint32_t header_len, uint32_t total_len);
void ip_set_id(uint8_t *at, uint16_t id);		/* IPv4; checksum not touched */
void ip_clear_df(uint8_t *at);				/* IPv4; checksum not touched */
uint8_t ip_tos(const uint8_t *at);
/* Keeps an IPv4 checksum as right as it was. */
void ip_set_tos(uint8_t *at, uint8_t tos);

#endif
