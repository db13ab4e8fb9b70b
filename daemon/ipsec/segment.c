// SPDX-License-Identifier: GPL-2.0
#include "segment.h"
#include "checksum.h"
#include "tcp.h"

#define UDP_HEADER	8
#define UDP_LENGTH	4
#define UDP_CHECKSUM	6

/* ---- plan ------------------------------------------------------------------------ */

static uint32_t segment_tcp_len(const struct segment_plan *plan)
{
	const uint8_t *tcp = ip_at(plan->packet, plan->ip.header_len, TCP_HEADER);
	uint32_t len;

	if (!tcp)
		return 0;
	len = tcp_header_len(tcp);
	return len >= TCP_HEADER && ip_at(plan->packet, plan->ip.header_len, len) ? len : 0;
}

static uint16_t segment_cut(struct segment_plan *plan, uint32_t transport, uint32_t size)
{
	plan->header_len = plan->ip.header_len + transport;
	if (!transport || !size || plan->header_len > SEGMENT_HEADER_MAX ||
	    plan->header_len > plan->packet.len)
		return IPSP_DROP_MALFORMED;
	plan->payload = size;
	plan->count = (plan->packet.len - plan->header_len + size - 1) / size;
	if (!plan->count)
		plan->count = 1;
	return 0;
}

static uint16_t segment_plan_tcp(struct segment_plan *plan, uint32_t mtu)
{
	uint32_t tcp = segment_tcp_len(plan), header = plan->ip.header_len + tcp;
	uint32_t size = plan->offload.gso_size;

	if (!tcp || mtu <= header)
		return IPSP_DROP_MALFORMED;
	if (!size || size > mtu - header)
		size = mtu - header;
	return segment_cut(plan, tcp, size);
}

/* RFC 9260 6.8: SCTP's is a CRC of 32 bits; all others are RFC 1071's. */
static uint32_t segment_field_len(const struct segment_plan *plan)
{
	return plan->ip.protocol == IP_SCTP ? 4 : 2;
}

/* The header that is copied must hold the checksum that is to be finished. */
static uint16_t segment_plan_whole(struct segment_plan *plan, uint32_t mtu)
{
	int partial = plan->offload.flags & IPSP_OFFLOAD_NEEDS_CSUM;

	/* no checksum that is finished here begins inside the IP header */
	if (partial && plan->offload.csum_start < plan->ip.header_len)
		return IPSP_DROP_MALFORMED;
	plan->header_len = plan->ip.header_len;
	if (partial)
		plan->header_len = (uint32_t)plan->offload.csum_start +
				   plan->offload.csum_offset + segment_field_len(plan);
	if (plan->header_len > SEGMENT_HEADER_MAX || plan->header_len > plan->packet.len)
		return IPSP_DROP_MALFORMED;
	plan->payload = plan->packet.len - plan->header_len;
	plan->count = 1;
	plan->too_big = plan->packet.len > mtu;
	return 0;
}

/* Its header is UDP's, whatever the record says: what is no whole UDP datagram has none to repeat. */
static uint16_t segment_plan_udp(struct segment_plan *plan)
{
	if (plan->ip.protocol != IP_UDP || plan->ip.fragment)
		return IPSP_DROP_UNSUPPORTED;
	return segment_cut(plan, UDP_HEADER, plan->offload.gso_size);
}

uint16_t segment_plan(struct segment_plan *plan, struct ip_bytes packet,
		      const struct ipsp_packet *about)
{
	uint8_t type = about->offload.gso_type & ~IPSP_GSO_ECN;

	plan->packet = packet;
	plan->offload = about->offload;
	plan->too_big = 0;
	if (ip_parse(packet, &plan->ip))
		return IPSP_DROP_MALFORMED;
	if (plan->offload.gso_size && type == IPSP_GSO_UDP_L4)
		return segment_plan_udp(plan);
	if (plan->ip.protocol == IP_TCP && !plan->ip.fragment &&
	    (plan->offload.gso_size || packet.len > about->mtu))
		return segment_plan_tcp(plan, about->mtu);
	if (plan->offload.gso_size)
		return IPSP_DROP_UNSUPPORTED;
	return segment_plan_whole(plan, about->mtu);
}

/* ---- make ------------------------------------------------------------------------ */

static uint64_t segment_pseudo(const struct segment_plan *plan, uint32_t len)
{
	return checksum_pseudo(plan->ip.family, ip_source(plan->packet, &plan->ip),
			       ip_destination(plan->packet, &plan->ip), plan->ip.protocol, len);
}

/* Over the transport header in the copy and the body. The field is zero before. */
static uint16_t segment_checksum(const struct segment_plan *plan, const struct segment *s)
{
	uint32_t at = plan->ip.header_len, len = s->header_len - at;
	uint64_t sum = segment_pseudo(plan, len + s->body.len);

	sum = checksum_add(sum, s->header + at, len);
	return checksum_fold(checksum_add(sum, s->body.at, s->body.len));
}

static void segment_tcp(const struct segment_plan *plan, uint32_t i, struct segment *s)
{
	uint8_t *tcp = s->header + plan->ip.header_len;
	uint16_t sum = 0;

	ip_set32(tcp + TCP_SEQ, ip_get32(tcp + TCP_SEQ) + i * plan->payload);
	if (i + 1 < plan->count)
		tcp[TCP_FLAGS] &= ~(TCP_FIN | TCP_PSH);
	if (i)
		tcp[TCP_FLAGS] &= ~TCP_CWR;
	memcpy(tcp + TCP_CHECKSUM, &sum, sizeof(sum));
	sum = segment_checksum(plan, s);
	memcpy(tcp + TCP_CHECKSUM, &sum, sizeof(sum));
}

static void segment_udp(const struct segment_plan *plan, struct segment *s)
{
	uint8_t *udp = s->header + plan->ip.header_len;
	uint16_t sum = 0;

	ip_set16(udp + UDP_LENGTH, (uint16_t)(UDP_HEADER + s->body.len));
	memcpy(udp + UDP_CHECKSUM, &sum, sizeof(sum));
	sum = segment_checksum(plan, s);
	if (!sum)
		sum = 0xffff;		/* RFC 768: zero means none */
	memcpy(udp + UDP_CHECKSUM, &sum, sizeof(sum));
}

/* The host's stack left zero in the field. */
static void segment_finish_crc(const struct segment_plan *plan, struct segment *s)
{
	uint32_t start = plan->offload.csum_start, crc;

	crc = checksum_crc32c(~0u, s->header + start, s->header_len - start);
	crc = ~checksum_crc32c(crc, s->body.at, s->body.len);
	memcpy(s->header + start + plan->offload.csum_offset, &crc, sizeof(crc));	/* low byte first */
}

/* The host's stack left the pseudo-header's sum in the field; what is behind is added. */
static void segment_finish_checksum(const struct segment_plan *plan, struct segment *s)
{
	uint32_t start = plan->offload.csum_start, field = start + plan->offload.csum_offset;
	uint32_t even = (s->header_len - start) & ~1u;
	uint64_t sum;
	uint16_t folded;

	/* pieces of a sum are even but the last: the odd byte goes with the body */
	sum = checksum_add(0, s->header + start, even);
	if (start + even == s->header_len)
		sum = checksum_add(sum, s->body.at, s->body.len);
	else
		sum = checksum_add(sum, plan->packet.at + start + even,
				   plan->packet.len - start - even);
	folded = checksum_fold(sum);
	if (!folded && plan->ip.protocol == IP_UDP)
		folded = 0xffff;
	memcpy(s->header + field, &folded, sizeof(folded));
}

static void segment_cut_header(const struct segment_plan *plan, uint32_t i, struct segment *s)
{
	if (plan->ip.family == 4)
		ip_set_id(s->header, (uint16_t)(ip_get16(s->header + 4) + i));
	ip_set_length(s->header, plan->ip.family == 4 ? plan->ip.header_len : IP_HEADER6,
		      s->header_len + s->body.len);
	if (plan->ip.protocol == IP_TCP)
		segment_tcp(plan, i, s);
	else
		segment_udp(plan, s);
}

void segment_make(const struct segment_plan *plan, uint32_t i, struct segment *s)
{
	s->header_len = plan->header_len;
	memcpy(s->header, plan->packet.at, plan->header_len);
	s->body = ip_part(plan->packet, plan->header_len + i * plan->payload, plan->payload);
	if (plan->count > 1 || plan->offload.gso_size)
		segment_cut_header(plan, i, s);
	else if (!(plan->offload.flags & IPSP_OFFLOAD_NEEDS_CSUM))
		return;
	else if (plan->ip.protocol == IP_SCTP)
		segment_finish_crc(plan, s);
	else
		segment_finish_checksum(plan, s);
}
