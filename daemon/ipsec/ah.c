// SPDX-License-Identifier: GPL-2.0
#include "ah.h"

#define AH_OPTION_END	0
#define AH_OPTION_NOP	1
#define AH_OPTION_LSRR	131
#define AH_OPTION_SSRR	137
#define AH_CHANGES	0x20	/* of an IPv6 option's type: its data may change on the way */
#define AH_ADDRESS	16

/* ---- what routers change (3.3.3.1) ------------------------------------------------------- */

/* Appendix A1: options that do not change. */
static int ah_option_stays(uint8_t option)
{
	return option == 130 || option == 133 || option == 134 || option == 148 || option == 149;
}

/* One option of `left` bytes at most; its length, or 0. A source route names the last hop, which is authenticated. */
static uint32_t ah_mute_option4(uint8_t *ip, uint8_t *option, uint32_t left)
{
	uint32_t len = left > 1 ? option[1] : 0;
	int is_route = *option == AH_OPTION_LSRR || *option == AH_OPTION_SSRR;

	if (len < 2 || len > left || (is_route && len < 6))
		return 0;
	/* arrived where it ends: then that is the destination already */
	if (is_route && option[2] <= len)
		memcpy(ip + 16, option + len - 4, 4);
	if (!ah_option_stays(*option))
		memset(option, 0, len);
	return len;
}

static int ah_mute_options4(uint8_t *ip, uint32_t end)
{
	uint32_t at = IP_HEADER4, len;

	while (at < end && ip[at] != AH_OPTION_END) {
		len = ip[at] == AH_OPTION_NOP ? 1 : ah_mute_option4(ip, ip + at, end - at);
		if (!len)
			return -1;
		at += len;
	}
	return 0;
}

static int ah_mute4(uint8_t *ip, uint32_t end)
{
	ip[1] = 0;				/* DSCP, ECN */
	ip_set16(ip + 6, 0);			/* flags, fragment offset */
	ip[8] = 0;				/* TTL */
	ip_set16(ip + 10, 0);
	return ah_mute_options4(ip, end);
}

static int ah_mute_options6(uint8_t *header, uint32_t end)
{
	uint32_t at = 2, len;

	for (; at < end; at += len) {
		len = header[at] ? 2 : 1;	/* Pad1 is one byte */
		if (len > end - at)
			return -1;
		if (len == 2)
			len += header[at + 1];
		if (len > end - at)
			return -1;
		if (header[at] & AH_CHANGES)
			memset(header + at + 2, 0, len - 2);
	}
	return 0;
}

/* As it will be at its end: the route is behind, the last address is the destination. */
static int ah_foresee_route6(uint8_t *ip, uint8_t *routing, uint32_t len)
{
	uint32_t left = routing[3], all = (len - 8) / AH_ADDRESS;
	uint8_t *address = routing + 8, last[AH_ADDRESS];

	if (!left)
		return 0;
	if (left > all || (routing[2] != 0 && routing[2] != 2))
		return -1;
	routing[3] = 0;
	memcpy(last, address + (all - 1) * AH_ADDRESS, AH_ADDRESS);
	address += (all - left) * AH_ADDRESS;
	memmove(address + AH_ADDRESS, address, (left - 1) * AH_ADDRESS);
	memcpy(address, ip + 24, AH_ADDRESS);
	memcpy(ip + 24, last, AH_ADDRESS);
	return 0;
}

/* The extension headers lie inside `end`: ip_parse() has walked them. */
static int ah_mute6(uint8_t *ip, uint32_t end)
{
	uint32_t at = IP_HEADER6, len;
	uint8_t type = ip[6];
	int err = 0;

	ip_set32(ip, 6u << 28);			/* traffic class, flow label */
	ip[7] = 0;				/* hop limit */
	for (; !err && at < end; at += len) {
		len = 8u * (ip[at + 1] + 1u);
		if (len > end - at)
			return -1;
		if (type == IP_HOPOPTS || type == IP_DSTOPTS)
			err = ah_mute_options6(ip + at, len);
		else if (type == IP_ROUTING)
			err = ah_foresee_route6(ip, ip + at, len);
		else
			err = -1;		/* AH takes whole datagrams */
		type = ip[at];
	}
	return err;
}

/* Of the IP header and its extensions, `end` bytes, what is authenticated. 0, or -1. */
static int ah_mute(uint8_t *ip, uint32_t end)
{
	return *ip >> 4 == 4 ? ah_mute4(ip, end) : ah_mute6(ip, end);
}

/* ---- the header ---------------------------------------------------------------------------- */

static uint32_t ah_padded(uint32_t icv_len, uint32_t align)
{
	return (AH_HEADER + icv_len + align - 1) & ~(align - 1);
}

/* XFRM pads IPv4's to 8 bytes too, unless it is told to do as RFC 4302 2.6 says. */
static uint32_t ah_len(const struct sad_sa *sa)
{
	return ah_padded(sa->crypto.icv_len, sa->sa.family == 4 && (sa->sa.flags & IPSP_SAF_ALIGN4) ? 4 : 8);
}

static int ah_len_is_right(const struct sad_sa *sa, uint32_t len)
{
	return len == ah_padded(sa->crypto.icv_len, 8) ||
	       (sa->sa.family == 4 && len == ah_padded(sa->crypto.icv_len, 4));
}

/* The whole packet lies at `packet`, muted; the ICV's own field is zero. */
static struct crypto_message ah_message(const struct sad_sa *sa, uint64_t number, const uint8_t *packet, uint32_t at,
					uint32_t total)
{
	struct crypto_message m = { .aad = packet, .aad_len = at, .from = packet + at, .len = total - at };

	if (sa->sa.flags & IPSP_SAF_ESN) {
		ip_set32(m.high, (uint32_t)(number >> 32));
		m.high_len = sizeof(m.high);
	}
	return m;
}

/* ---- seal ------------------------------------------------------------------------------ */

uint32_t ah_sealed_len(const struct sad_sa *sa, const struct segment_plan *plan, const struct segment *s)
{
	return mode_front_len(sa, plan) + ah_len(sa) + mode_text_len(sa, plan, s);
}

static void ah_write(const struct sad_sa *sa, uint64_t number, uint8_t next, uint8_t *ah)
{
	uint32_t len = ah_len(sa);

	memset(ah, 0, len);
	ah[0] = next;
	ah[1] = (uint8_t)(len / 4 - 2);
	memcpy(ah + 4, &sa->sa.spi, 4);
	ip_set32(ah + 8, (uint32_t)number);
}

/* The MAC is made in place: the header is muted for it and comes back. */
static uint16_t ah_authenticate(const struct sad_sa *sa, uint64_t number, uint8_t *packet, uint32_t at, uint32_t total)
{
	struct crypto_message m = ah_message(sa, number, packet, at, total);
	uint8_t header[SEGMENT_HEADER_MAX];
	uint16_t reason = 0;

	memcpy(header, packet, at);
	if (ah_mute(packet, at))
		reason = IPSP_DROP_MALFORMED;
	else if (sa->crypto.seal(&sa->crypto, &m, packet + at))
		reason = IPSP_DROP_STACK_ERROR;
	memcpy(packet, header, at);
	memcpy(packet + at + AH_HEADER, packet + total, sa->crypto.icv_len);
	return reason;
}

uint16_t ah_seal(const struct sad_sa *sa, uint64_t number, const struct segment_plan *plan,
		 const struct segment *s, int clear_df, uint8_t *out)
{
	uint32_t total = ah_sealed_len(sa, plan, s), front = mode_front_len(sa, plan);

	if (total > IP_LENGTH_MAX || front > SEGMENT_HEADER_MAX)
		return IPSP_DROP_MALFORMED;
	mode_front(sa, number, plan, s, clear_df, total, out);
	ah_write(sa, number, mode_next(sa, plan), out + front);
	mode_text(sa, plan, s, out + front + ah_len(sa));
	return ah_authenticate(sa, number, out, front, total);
}

/* ---- open ------------------------------------------------------------------------------ */

/* Where AH is, its length; or a reason. */
static uint16_t ah_locate(const struct sad_sa *sa, const struct mode_opened *o, uint32_t *at, uint32_t *len)
{
	const uint8_t *ah;

	*at = mode_at(sa, o);
	ah = ip_at(o->packet, *at, AH_HEADER);
	if (!ah || o->ip.total_len != o->packet.len)
		return IPSP_DROP_MALFORMED;
	*len = (ah[1] + 2u) * 4;
	if (!ah_len_is_right(sa, *len) || !ip_at(o->packet, *at, *len) || memcmp(ah + 4, &sa->sa.spi, 4))
		return IPSP_DROP_MALFORMED;
	return 0;
}

/* On a copy in `out`, which has room for the whole packet. */
static uint16_t ah_verify(const struct sad_sa *sa, uint64_t number, const struct mode_opened *o, uint32_t at,
			  uint8_t *out)
{
	const uint8_t *icv = o->packet.at + at + AH_HEADER;
	struct crypto_message m = ah_message(sa, number, out, at, o->packet.len);

	if (ip_get32(o->packet.at + at + 8) != (uint32_t)number)
		return IPSP_DROP_INTEGRITY;
	memcpy(out, o->packet.at, o->packet.len);
	memset(out + at + AH_HEADER, 0, sa->crypto.icv_len);
	if (ah_mute(out, at))
		return IPSP_DROP_MALFORMED;
	return sa->crypto.open(&sa->crypto, &m, icv, out + at) ? IPSP_DROP_INTEGRITY : 0;
}

uint16_t ah_open(const struct sad_sa *sa, uint64_t number, struct ip_bytes packet, uint8_t *out, uint32_t *len)
{
	struct mode_opened o;
	uint32_t at, header;
	uint16_t reason = mode_outer(sa, packet, &o);

	if (!reason)
		reason = ah_locate(sa, &o, &at, &header);
	if (!reason)
		reason = ah_verify(sa, number, &o, at, out);
	if (reason)
		return reason;
	o.next = packet.at[at];
	*len = packet.len - at - header;
	memcpy(out + mode_inner_front(sa, &o), packet.at + at + header, *len);
	return mode_inner(sa, &o, out, len);
}
