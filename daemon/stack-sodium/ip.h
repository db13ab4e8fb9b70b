/* SPDX-License-Identifier: GPL-2.0 */
/* ip - what is looked at of an IP packet, IPv4 (RFC 791) or IPv6 (RFC 8200) */
#ifndef SODIUM_IP_H
#define SODIUM_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IP_HOP_BY_HOP	0
#define IP_ICMP		1
#define IP_IPIP		4
#define IP_TCP		6
#define IP_UDP		17
#define IP_IPV6		41
#define IP_ROUTING	43
#define IP_FRAGMENT	44
#define IP_AH		51
#define IP_ICMPV6	58
#define IP_NONE		59
#define IP_OPTIONS	60

#define IP4_HEADER	20
#define IP6_HEADER	40

struct ip {
	const uint8_t *at;
	size_t len;			/* bytes that are there */
	size_t claimed;			/* bytes that its own length field says */
	uint8_t family;			/* 4 or 6 */
	uint8_t protocol;		/* of what is above IP */
	bool df;			/* IPv4: must not be fragmented */
	bool fragment;
	bool later;			/* a fragment beyond the first: nothing above to look at */
	size_t above;			/* where that begins */
	size_t above_next;		/* the byte that says what is there */
	size_t insert;			/* where ESP goes in transport mode */
	size_t insert_next;		/* the byte that says what is there */
};

static inline uint16_t ip_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t ip_get32(const uint8_t *at)
{
	return (uint32_t)ip_get16(at) << 16 | ip_get16(at + 2);
}

static inline void ip_put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void ip_put32(uint8_t *at, uint32_t value)
{
	ip_put16(at, value >> 16);
	ip_put16(at + 2, value & 0xffff);
}

/*
 * `there` bytes are there; the headers must lie within them and within what the packet claims to be long, and no more
 * is asked. False: no such packet, and `ip` is then not to be used.
 */
bool ip_parse(struct ip *ip, const uint8_t *bytes, size_t there);

/* The length fields and IPv4's checksum, once all else of the header is there. */
void ip_set_len(uint8_t *packet, size_t header, size_t len);

/* Bytes 0..1 of either header hold it: type of service, or traffic class. */
uint8_t ip_class(const uint8_t *packet);
void ip_set_class(uint8_t *packet, uint8_t value);

/* Both addresses lie in a row. */
static inline const uint8_t *ip_addresses(const uint8_t *packet)
{
	return packet + (packet[0] >> 4 == 4 ? 12 : 8);
}

static inline size_t ip_address_len(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

#endif
