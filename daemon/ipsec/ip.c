// SPDX-License-Identifier: GPL-2.0
#include "ip.h"
#include "checksum.h"

#define IP_DF		0x4000
#define IP_MF		0x2000
#define IP_OFFSET	0x1fff
#define IP6_MF		0x0001
#define IP6_OFFSET	0xfff8

static int ip_parse4(struct ip_bytes bytes, struct ip_packet *ip)
{
	const uint8_t *h = ip_at(bytes, 0, IP_HEADER4);
	uint16_t fragment;

	if (!h)
		return -1;
	fragment = ip_get16(h + 6);
	ip->header_len = (h[0] & 15) * 4u;
	ip->total_len = ip_get16(h + 2);
	ip->tos = h[1];
	ip->protocol = h[9];
	ip->protocol_at = 9;
	ip->df = !!(fragment & IP_DF);
	ip->fragment = !!(fragment & (IP_MF | IP_OFFSET));
	ip->later = !!(fragment & IP_OFFSET);
	ip->esp_at = ip->header_len;
	ip->esp_next = ip->protocol;
	ip->esp_next_at = 9;
	return ip->header_len >= IP_HEADER4 && ip->total_len >= ip->header_len &&
	       ip_at(bytes, 0, ip->header_len) ? 0 : -1;
}

static int ip_is_extension(uint8_t protocol)
{
	return protocol == IP_HOPOPTS || protocol == IP_ROUTING || protocol == IP_FRAGMENT ||
	       protocol == IP_DSTOPTS;
}

/*
 * One extension header. ESP in transport mode goes behind the last hop-by-hop, routing
 * or fragment header; destination options behind those are protected.
 */
static int ip_parse_extension(struct ip_bytes bytes, struct ip_packet *ip)
{
	const uint8_t *h = ip_at(bytes, ip->header_len, 8);
	uint8_t type = ip->protocol;
	uint32_t len;

	if (!h)
		return -1;
	len = type == IP_FRAGMENT ? 8 : 8u * (h[1] + 1u);
	if (type == IP_FRAGMENT) {
		ip->fragment = !!(ip_get16(h + 2) & (IP6_MF | IP6_OFFSET));
		ip->later = !!(ip_get16(h + 2) & IP6_OFFSET);
	}
	ip->protocol = h[0];
	ip->protocol_at = ip->header_len;
	ip->header_len += len;
	if (type != IP_DSTOPTS) {
		ip->esp_at = ip->header_len;
		ip->esp_next = ip->protocol;
		ip->esp_next_at = ip->protocol_at;
	}
	return ip_at(bytes, 0, ip->header_len) ? 0 : -1;
}

static int ip_parse6(struct ip_bytes bytes, struct ip_packet *ip)
{
	const uint8_t *h = ip_at(bytes, 0, IP_HEADER6);

	if (!h)
		return -1;
	ip->header_len = IP_HEADER6;
	ip->total_len = IP_HEADER6 + ip_get16(h + 4);
	ip->tos = (uint8_t)(h[0] << 4 | h[1] >> 4);
	ip->flow_label = ip_get32(h) & 0xfffff;
	ip->protocol = h[6];
	ip->protocol_at = 6;
	ip->esp_at = IP_HEADER6;
	ip->esp_next = h[6];
	ip->esp_next_at = 6;
	while (ip_is_extension(ip->protocol) && !ip->later)
		if (ip_parse_extension(bytes, ip))
			return -1;
	return ip->header_len <= ip->total_len ? 0 : -1;
}

int ip_parse(struct ip_bytes bytes, struct ip_packet *ip)
{
	const uint8_t *first = ip_at(bytes, 0, 1);

	memset(ip, 0, sizeof(*ip));
	if (!first)
		return -1;
	ip->family = *first >> 4;
	if (ip->family == 4)
		return ip_parse4(bytes, ip);
	return ip->family == 6 ? ip_parse6(bytes, ip) : -1;
}

const uint8_t *ip_source(struct ip_bytes bytes, const struct ip_packet *ip)
{
	return ip->family == 4 ? ip_at(bytes, 12, 4) : ip_at(bytes, 8, 16);
}

const uint8_t *ip_destination(struct ip_bytes bytes, const struct ip_packet *ip)
{
	return ip->family == 4 ? ip_at(bytes, 16, 4) : ip_at(bytes, 24, 16);
}

static int ip_has_ports(uint8_t protocol)
{
	return protocol == IP_TCP || protocol == IP_UDP || protocol == IP_SCTP ||
	       protocol == IP_DCCP || protocol == IP_UDPLITE;
}

static void ip_tuple_ports(struct ip_bytes bytes, const struct ip_packet *ip,
			   struct ipsp_tuple *tuple)
{
	int icmp = ip->protocol == (ip->family == 4 ? IP_ICMP : IP_ICMPV6);
	const uint8_t *h = ip_at(bytes, ip->header_len, 4);

	if (ip->later || !h || !(icmp || ip_has_ports(ip->protocol)))
		return;
	tuple->has_ports = 1;
	tuple->source_port = icmp ? h[0] : ip_get16(h);
	tuple->destination_port = icmp ? h[1] : ip_get16(h + 2);
}

void ip_tuple(struct ip_bytes bytes, const struct ip_packet *ip, struct ipsp_tuple *tuple)
{
	uint32_t len = ip->family == 4 ? 4 : 16;

	memset(tuple->source, 0, sizeof(tuple->source));
	memset(tuple->destination, 0, sizeof(tuple->destination));
	memcpy(tuple->source, ip_source(bytes, ip), len);
	memcpy(tuple->destination, ip_destination(bytes, ip), len);
	tuple->family = ip->family;
	tuple->protocol = ip->protocol;
	tuple->has_ports = 0;
	tuple->source_port = 0;
	tuple->destination_port = 0;
	ip_tuple_ports(bytes, ip, tuple);
}

int ip_is_intact(struct ip_bytes bytes)
{
	const uint8_t *h = ip_at(bytes, 0, IP_HEADER4);

	if (!h)
		return 0;
	if (*h >> 4 != 4)
		return 1;
	h = ip_at(bytes, 0, (h[0] & 15) * 4u);
	return h && !checksum_fold(checksum_add(0, h, (h[0] & 15) * 4u));
}

/* ---- writing ------------------------------------------------------------------- */

uint32_t ip_outer_len(uint8_t family)
{
	return family == 4 ? IP_HEADER4 : IP_HEADER6;
}

static void ip_outer_write4(uint8_t *at, const struct ip_outer *outer)
{
	at[0] = 0x45;
	at[1] = outer->tos;
	ip_set16(at + 4, outer->id);
	ip_set16(at + 6, outer->df ? IP_DF : 0);
	at[8] = IP_TTL;
	at[9] = outer->protocol;
	memcpy(at + 12, outer->source, 4);
	memcpy(at + 16, outer->destination, 4);
	ip_set_length(at, IP_HEADER4, outer->total_len);
}

static void ip_outer_write6(uint8_t *at, const struct ip_outer *outer)
{
	ip_set32(at, 6u << 28 | (uint32_t)outer->tos << 20 | outer->flow_label);
	ip_set16(at + 4, (uint16_t)(outer->total_len - IP_HEADER6));
	at[6] = outer->protocol;
	at[7] = IP_TTL;
	memcpy(at + 8, outer->source, 16);
	memcpy(at + 24, outer->destination, 16);
}

void ip_outer_write(uint8_t *at, const struct ip_outer *outer)
{
	if (outer->family == 4)
		ip_outer_write4(at, outer);
	else
		ip_outer_write6(at, outer);
}

void ip_set_length(uint8_t *at, uint32_t header_len, uint32_t total_len)
{
	uint16_t sum = 0;

	if (*at >> 4 != 4) {
		ip_set16(at + 4, (uint16_t)(total_len - IP_HEADER6));
		return;
	}
	ip_set16(at + 2, (uint16_t)total_len);
	memcpy(at + 10, &sum, sizeof(sum));
	sum = checksum_fold(checksum_add(0, at, header_len));
	memcpy(at + 10, &sum, sizeof(sum));
}

void ip_set_id(uint8_t *at, uint16_t id)
{
	ip_set16(at + 4, id);
}

void ip_clear_df(uint8_t *at)
{
	ip_set16(at + 6, ip_get16(at + 6) & ~IP_DF);
}

uint8_t ip_tos(const uint8_t *at)
{
	return *at >> 4 == 4 ? at[1] : (uint8_t)(at[0] << 4 | at[1] >> 4);
}

/* RFC 1624: the checksum changes by what the word changed by. */
void ip_set_tos(uint8_t *at, uint8_t tos)
{
	uint32_t sum;

	if (*at >> 4 != 4) {
		at[0] = (uint8_t)(0x60 | tos >> 4);
		at[1] = (uint8_t)(tos << 4 | (at[1] & 15));
		return;
	}
	sum = (uint16_t)~ip_get16(at + 10) + (uint16_t)~ip_get16(at) + (at[0] << 8 | tos);
	sum = (sum >> 16) + (uint16_t)sum;
	sum = (sum >> 16) + (uint16_t)sum;
	at[1] = tos;
	ip_set16(at + 10, (uint16_t)~sum);
}
