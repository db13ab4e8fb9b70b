// SPDX-License-Identifier: GPL-2.0
#include "cut.h"

#include <string.h>

#include "crc32c.h"
#include "sum.h"

#define TCP_HEADER	20
#define TCP_FIN_PSH	0x09
#define TCP_CWR		0x80
#define UDP_HEADER	8
#define CUT_SCTP	132

/* ---- the plan ------------------------------------------------------------------------------- */

static unsigned cut_plan_pieces(struct cut *cut, size_t header, size_t size)
{
	const size_t behind = cut->ip.len - header;

	cut->header = header;
	cut->size = size;
	cut->count = behind ? (behind + size - 1) / size : 1;
	return 0;
}

static unsigned cut_plan_udp(struct cut *cut)
{
	const size_t header = cut->ip.above + UDP_HEADER;

	if (header > CUT_HEADER_MAX || header > cut->ip.len)
		return IPSP_DROP_MALFORMED;
	return cut_plan_pieces(cut, header, cut->offload.gso_size);
}

static unsigned cut_plan_tcp(struct cut *cut, uint32_t mtu)
{
	const struct ip *ip = &cut->ip;
	const size_t gso = cut->offload.gso_size;
	size_t tcp, header, size;

	if (ip->len - ip->above < TCP_HEADER)
		return IPSP_DROP_MALFORMED;
	tcp = (size_t)(ip->at[ip->above + 12] >> 4) * 4;
	header = ip->above + tcp;
	if (tcp < TCP_HEADER || header > ip->len || header > CUT_HEADER_MAX || mtu <= header)
		return IPSP_DROP_MALFORMED;
	size = mtu - header;
	return cut_plan_pieces(cut, header, gso && gso < size ? gso : size);
}

static unsigned cut_plan_whole(struct cut *cut)
{
	const struct ipsp_offload *o = &cut->offload;
	const size_t end = (size_t)o->csum_start + o->csum_offset + (cut->ip.protocol == CUT_SCTP ? 4 : 2);

	cut->whole = true;
	cut->count = 1;
	if (!(o->flags & IPSP_OFFLOAD_NEEDS_CSUM))
		return cut->ip.above > CUT_HEADER_MAX ? IPSP_DROP_MALFORMED : 0;
	if (o->csum_start < cut->ip.above || end > CUT_HEADER_MAX || end > cut->ip.len)
		return IPSP_DROP_MALFORMED;
	return 0;
}

unsigned cut_plan(struct cut *cut, const struct ipsp_packet *about, const uint8_t *bytes, size_t len)
{
	const struct ip *ip = &cut->ip;
	uint16_t gso;
	bool udp;

	memset(cut, 0, sizeof(*cut));
	cut->offload = about->offload;
	gso = cut->offload.gso_size;
	udp = (cut->offload.gso_type & ~IPSP_GSO_ECN) == IPSP_GSO_UDP_L4;
	if (!ip_parse(&cut->ip, bytes, len))
		return IPSP_DROP_MALFORMED;
	if (gso && udp && ip->protocol == IP_UDP && !ip->fragment)
		return cut_plan_udp(cut);
	if (ip->protocol == IP_TCP && !ip->fragment && !(gso && udp) && (gso || len > about->mtu))
		return cut_plan_tcp(cut, about->mtu);
	return gso ? IPSP_DROP_UNSUPPORTED : cut_plan_whole(cut);
}

/* ---- segments --------------------------------------------------------------------------------- */

size_t cut_len(const struct cut *cut, size_t i)
{
	if (cut->whole)
		return cut->ip.len;
	return i + 1 < cut->count ? cut->header + cut->size : cut->ip.len - i * cut->size;
}

static void cut_store_sum(uint8_t *at, uint64_t sum, uint8_t protocol)
{
	uint16_t folded = sum_fold(sum);

	if (!folded && protocol == IP_UDP)
		folded = 0xffff;
	memcpy(at, &folded, 2);
}

/* The field holds what the host left in it: the sum of the pseudo-header. */
static void cut_finish_sum(const struct cut *cut, uint8_t *packet)
{
	uint8_t *from = packet + cut->offload.csum_start, *field = from + cut->offload.csum_offset;
	const size_t len = cut->ip.len - cut->offload.csum_start;

	if (cut->ip.protocol == CUT_SCTP)
		crc32c_store(field, crc32c(from, len));
	else
		cut_store_sum(field, sum_add(0, from, len), cut->ip.protocol);
}

static void cut_tcp(const struct cut *cut, size_t i, uint8_t *tcp)
{
	ip_put32(tcp + 4, ip_get32(tcp + 4) + (uint32_t)(i * cut->size));
	if (i)
		tcp[13] &= (uint8_t)~TCP_CWR;
	if (i + 1 < cut->count)
		tcp[13] &= (uint8_t)~TCP_FIN_PSH;
}

/* Length and checksum of what is above IP, `len` bytes of it. */
static void cut_upper(const struct cut *cut, uint8_t *packet, size_t len)
{
	uint8_t *upper = packet + cut->ip.above, *field = upper + (cut->ip.protocol == IP_UDP ? 6 : 16);
	uint64_t sum = sum_pseudo(ip_addresses(packet), ip_address_len(cut->ip.family), cut->ip.protocol, len);

	if (cut->ip.protocol == IP_UDP)
		ip_put16(upper + 4, len);
	memset(field, 0, 2);
	cut_store_sum(field, sum_add(sum, upper, len), cut->ip.protocol);
}

void cut_write(const struct cut *cut, size_t i, uint8_t *to)
{
	const size_t len = cut_len(cut, i);

	if (cut->whole) {
		memcpy(to, cut->ip.at, len);
		if (cut->offload.flags & IPSP_OFFLOAD_NEEDS_CSUM)
			cut_finish_sum(cut, to);
		return;
	}
	memcpy(to, cut->ip.at, cut->header);
	memcpy(to + cut->header, cut->ip.at + cut->header + i * cut->size, len - cut->header);
	if (cut->ip.family == 4)
		ip_put16(to + 4, (uint16_t)(ip_get16(to + 4) + i));
	if (cut->ip.protocol == IP_TCP)
		cut_tcp(cut, i, to + cut->ip.above);
	ip_set_len(to, (size_t)(to[0] & 15) * 4, len);
	cut_upper(cut, to, len - cut->ip.above);
}
