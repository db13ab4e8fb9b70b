// SPDX-License-Identifier: GPL-2.0
#include "merge.h"
#include "checksum.h"
#include "tcp.h"

#define MERGE_DF	0x40		/* in byte 6 of an IPv4 header */

/* ---- one segment --------------------------------------------------------------------- */

static int merge_checksum_is_right(struct ip_bytes packet, const struct ip_packet *ip)
{
	uint32_t len = packet.len - ip->header_len;
	uint64_t sum = checksum_pseudo(ip->family, ip_source(packet, ip),
				       ip_destination(packet, ip), IP_TCP, len);

	return !checksum_fold(checksum_add(sum, packet.at + ip->header_len, len));
}

/* Bytes of its headers, when it has data and no more than a header that merges; or 0. */
static uint32_t merge_header_len(struct ip_bytes packet, const struct ip_packet *ip)
{
	uint32_t plain = ip->family == 4 ? IP_HEADER4 : IP_HEADER6, len;
	const uint8_t *tcp = ip_at(packet, plain, TCP_HEADER);

	if (!tcp || ip->protocol != IP_TCP || ip->fragment || ip->header_len != plain ||
	    ip->total_len != packet.len)
		return 0;
	len = plain + tcp_header_len(tcp);
	return tcp_header_len(tcp) >= TCP_HEADER && len < packet.len ? len : 0;
}

void merge_open(struct merge *m, uint8_t *at, uint32_t len)
{
	struct ip_bytes packet = { at, len };
	uint8_t flags;

	m->packet = NULL;
	if (ip_parse(packet, &m->ip))
		return;
	m->header_len = merge_header_len(packet, &m->ip);
	if (!m->header_len || !merge_checksum_is_right(packet, &m->ip))
		return;
	flags = at[m->ip.header_len + TCP_FLAGS];
	m->packet = at;
	m->len = len;
	m->size = len - m->header_len;
	m->next = ip_get32(at + m->ip.header_len + TCP_SEQ) + m->size;
	m->count = 1;
	m->ended = flags != TCP_ACK;
}

/* ---- the next one ----------------------------------------------------------------------- */

int merge_has_room(const struct merge *m, uint32_t len)
{
	return m->packet && !m->ended && m->count < IPSP_MERGE_MAX &&
	       m->len + len <= IP_LENGTH_MAX;
}

uint8_t *merge_place(struct merge *m)
{
	uint8_t *at = m->packet + m->len - m->header_len;

	memcpy(m->under, at, m->header_len);
	return at;
}

/* Equal but for length, checksum and identification; that counts on, unless it means nothing. */
static int merge_is_same4(const struct merge *m, const uint8_t *ip)
{
	const uint8_t *first = m->packet;

	return !memcmp(ip, first, 2) && !memcmp(ip + 6, first + 6, 4) &&
	       !memcmp(ip + 12, first + 12, 8) &&
	       (first[6] & MERGE_DF ||
		ip_get16(ip + 4) == (uint16_t)(ip_get16(first + 4) + m->count));
}

static int merge_is_same6(const struct merge *m, const uint8_t *ip)
{
	return !memcmp(ip, m->packet, 4) && !memcmp(ip + 6, m->packet + 6, IP_HEADER6 - 6);
}

/* The same connection, acknowledgement, window and options. */
static int merge_is_same_tcp(const struct merge *m, const uint8_t *tcp)
{
	const uint8_t *first = m->packet + m->ip.header_len;

	return !memcmp(tcp, first, TCP_SEQ) && !memcmp(tcp + 8, first + 8, 5) &&
	       (tcp[TCP_FLAGS] & ~TCP_PSH) == TCP_ACK && !memcmp(tcp + 14, first + 14, 2) &&
	       !memcmp(tcp + 18, first + 18, m->header_len - m->ip.header_len - 18);
}

static uint32_t merge_total_len(const struct merge *m, const uint8_t *ip)
{
	return m->ip.family == 4 ? ip_get16(ip + 2) : (uint32_t)IP_HEADER6 + ip_get16(ip + 4);
}

/* Headers whose bytes are the first's, but for what may differ, need no other look. */
static int merge_continues(const struct merge *m, struct ip_bytes packet)
{
	const uint8_t *ip = ip_at(packet, 0, m->header_len + 1), *tcp;

	if (!ip || packet.len - m->header_len > m->size)
		return 0;
	tcp = ip + m->ip.header_len;
	return (m->ip.family == 4 ? merge_is_same4(m, ip) : merge_is_same6(m, ip)) &&
	       merge_is_same_tcp(m, tcp) && merge_total_len(m, ip) == packet.len &&
	       ip_get32(tcp + TCP_SEQ) == m->next && merge_checksum_is_right(packet, &m->ip);
}

int merge_add(struct merge *m, uint32_t len)
{
	uint8_t *at = m->packet + m->len - m->header_len;
	uint32_t payload = len - m->header_len;
	uint8_t flags;

	if (!merge_continues(m, (struct ip_bytes){ at, len }))
		return 0;
	flags = at[m->ip.header_len + TCP_FLAGS];
	memcpy(at, m->under, m->header_len);
	m->packet[m->ip.header_len + TCP_FLAGS] |= flags;
	m->len += payload;
	m->next += payload;
	m->count++;
	m->ended = flags != TCP_ACK || payload < m->size;
	return 1;
}

void merge_refuse(struct merge *m, uint8_t *to, uint32_t len)
{
	uint8_t *at = m->packet + m->len - m->header_len;

	memmove(to, at, len);
	memcpy(at, m->under, m->header_len);
}

/* ---- the whole --------------------------------------------------------------------------- */

/* One segment stays as it came. Of several, the checksum is the pseudo header's alone. */
void merge_close(struct merge *m, struct ipsp_offload *offload)
{
	struct ip_bytes packet = { m->packet, m->len };
	uint32_t at = m->ip.header_len;
	uint16_t sum;

	offload->flags = IPSP_OFFLOAD_DATA_VALID;
	m->packet = NULL;
	if (m->count == 1)
		return;
	ip_set_length((uint8_t *)packet.at, at, packet.len);
	sum = ~checksum_fold(checksum_pseudo(m->ip.family, ip_source(packet, &m->ip),
					     ip_destination(packet, &m->ip), IP_TCP,
					     packet.len - at));
	memcpy((uint8_t *)packet.at + at + TCP_CHECKSUM, &sum, sizeof(sum));
	*offload = (struct ipsp_offload){
		.flags = IPSP_OFFLOAD_NEEDS_CSUM,
		.gso_type = m->ip.family == 4 ? IPSP_GSO_TCPV4 : IPSP_GSO_TCPV6,
		.header_len = (uint16_t)m->header_len,
		.gso_size = (uint16_t)m->size,
		.csum_start = (uint16_t)at,
		.csum_offset = TCP_CHECKSUM,
	};
}
