// SPDX-License-Identifier: GPL-2.0
#include "sample.h"

#include <string.h>

static void sample_put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* RFC 1071, as slow as it can be. */
static uint32_t sample_sum(uint32_t sum, const uint8_t *at, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum >> 16) + (sum & 0xffff);
	return sum;
}

void sample_seal4(uint8_t *ip)
{
	sample_put16(ip + 10, 0);
	sample_put16(ip + 10, ~sample_sum(0, ip, (ip[0] & 15) * 4u));
}

void sample_address(struct dice *d, uint8_t family, uint8_t address[16])
{
	static const uint8_t net6[8] = { 0x20, 0x01, 0x0d, 0xb8 };

	memset(address, 0, 16);
	if (family == 6) {
		memcpy(address, net6, 8);
		address[7] = (uint8_t)dice_between(d, 1, 2);
		address[15] = (uint8_t)dice_between(d, 1, 4);
		if (dice_percent(d, 1))
			memset(address, 0, 16);
		return;
	}
	address[0] = 10;
	address[1] = (uint8_t)dice_between(d, 1, 2);
	address[3] = (uint8_t)dice_between(d, 1, 4);
	if (dice_percent(d, 1))
		memset(address, 0, 4);
}

/* ---- IP ------------------------------------------------------------------------------- */

static void sample_ip4(struct dice *d, struct sample *s, int plain)
{
	static const uint16_t fragments[] = { 0x2000, 0x2001, 0x0005, 0x6000, 0x8000 };
	uint32_t words = 5 + (!plain && dice_percent(d, 10) ? dice_between(d, 1, 10) : 0);
	uint8_t *ip = s->bytes, address[16];

	dice_fill(d, ip, words * 4);
	ip[0] = (uint8_t)(0x40 | words);
	sample_put16(ip + 6, dice_percent(d, 60) ? 0x4000 : 0);
	if (!plain && dice_percent(d, 6))
		sample_put16(ip + 6, DICE_PICK(d, fragments));
	ip[9] = s->protocol;
	sample_address(d, 4, address);
	memcpy(ip + 12, address, 4);
	sample_address(d, 4, address);
	memcpy(ip + 16, address, 4);
	s->header_len = words * 4;
}

/* One extension header at the end of those that are there; `type` is what it was called. */
static void sample_extension(struct dice *d, struct sample *s, uint8_t type, uint8_t next)
{
	uint8_t *at = s->bytes + s->header_len;
	uint32_t words = type == 44 ? 1 : dice_percent(d, 3) ? dice_between(d, 1, 50) : dice_between(d, 1, 3);

	dice_fill(d, at, words * 8);
	at[0] = next;
	if (type != 44 || dice_percent(d, 50))
		at[1] = (uint8_t)(words - 1);
	if (type == 44 && dice_percent(d, 60))
		memset(at + 2, 0, 2);
	else if (type == 44)
		sample_put16(at + 2, dice_percent(d, 50) ? 1 : 8 * dice_below(d, 4));
	s->header_len += words * 8;
}

static void sample_ip6(struct dice *d, struct sample *s, int plain)
{
	static const uint8_t types[] = { 0, 43, 44, 60, 60, 0 };
	uint32_t left = !plain && dice_percent(d, 15) ? dice_between(d, 1, 3) : 0;
	uint8_t *ip = s->bytes, type, next;

	dice_fill(d, ip, 8);
	ip[0] = (uint8_t)(0x60 | (ip[0] & 15));
	sample_address(d, 6, ip + 8);
	sample_address(d, 6, ip + 24);
	s->header_len = 40;
	type = ip[6] = left ? DICE_PICK(d, types) : s->protocol;
	for (; left; left--, type = next) {
		next = left > 1 ? DICE_PICK(d, types) : s->protocol;
		sample_extension(d, s, type, next);
	}
}

static void sample_ip(struct dice *d, struct sample *s, int plain)
{
	if (s->family == 4)
		sample_ip4(d, s, plain);
	else
		sample_ip6(d, s, plain);
}

/* ---- what is behind it ------------------------------------------------------------------ */

static void sample_tcp(struct dice *d, uint8_t *at, uint32_t *len)
{
	static const uint8_t flags[] = { 0x10, 0x18, 0x11, 0x90, 0x99, 0x02, 0xd8 };
	uint32_t words = dice_percent(d, 40) ? 5 : dice_between(d, 5, 15);

	if (*len < words * 4)
		*len = words * 4;
	at[12] = (uint8_t)(words << 4);
	at[13] = DICE_PICK(d, flags);
}

static const uint16_t sample_ports[] = { 22, 80, 443, 500, 4500, 5001, 5002 };

static void sample_ports_put(struct dice *d, uint8_t *at)
{
	sample_put16(at, DICE_PICK(d, sample_ports));
	sample_put16(at + 2, DICE_PICK(d, sample_ports));
}

/* The field's place, for those whose checksum covers a pseudo-header; 0: none. */
static uint32_t sample_checksum_at(uint8_t protocol)
{
	return protocol == 6 ? 16 : protocol == 17 ? 6 : protocol == 58 ? 2 : 0;
}

static uint32_t sample_pseudo(const struct sample *s, uint32_t len)
{
	const uint8_t tail[8] = { 0, 0, (uint8_t)(len >> 8), (uint8_t)len, 0, 0, 0, s->protocol };
	uint32_t sum = sample_sum(0, tail, sizeof(tail));

	return s->family == 4 ? sample_sum(sum, s->bytes + 12, 8) : sample_sum(sum, s->bytes + 8, 32);
}

static void sample_checksum(struct sample *s, uint32_t len)
{
	uint8_t *at = s->bytes + s->header_len, *field = at + sample_checksum_at(s->protocol);

	if (field == at || (uint32_t)(field - at) + 2 > len)
		return;
	sample_put16(field, 0);
	sample_put16(field, ~sample_sum(sample_pseudo(s, len), at, len));
}

void sample_level(struct sample *s, int anew)
{
	uint8_t *at = s->bytes + s->header_len;
	uint32_t len = s->len - s->header_len, sum;

	if (s->protocol != 17 || s->len < s->header_len + 10)
		return;
	if (anew)
		sample_put16(at + 6, 0);
	sample_put16(at + 8, 0);
	sum = sample_sum(anew ? sample_pseudo(s, len) : 0, at, len);
	sample_put16(at + 8, ~sum);
}

static void sample_lengths(struct dice *d, struct sample *s)
{
	if (s->family == 6) {
		sample_put16(s->bytes + 4, s->len - 40);
		return;
	}
	sample_put16(s->bytes + 2, s->len);
	if (!dice_percent(d, 3))
		sample_seal4(s->bytes);
	if (dice_percent(d, 1) && !s->bytes[10] && !s->bytes[11])
		memset(s->bytes + 10, 0xff, 2);
}

static void sample_transport(struct dice *d, struct sample *s, uint32_t size)
{
	uint8_t *at = s->bytes + s->header_len;
	uint32_t len = size;

	if (s->header_len + len > SAMPLE_MAX)
		len = SAMPLE_MAX - s->header_len;
	dice_fill(d, at, len < 60 ? 60 : len);
	sample_ports_put(d, at);
	if (s->protocol == 6)
		sample_tcp(d, at, &len);
	if (s->protocol == 1 || s->protocol == 58)
		at[0] = (uint8_t)(dice_percent(d, 50) ? 8 : 128);
	if (s->protocol == 17)
		sample_put16(at + 4, len);
	if (dice_percent(d, 70))
		sample_checksum(s, len);
	s->len = s->header_len + len;
	sample_lengths(d, s);
}

/* ---- the whole -------------------------------------------------------------------------- */

void sample_make(struct dice *d, struct sample *s, uint8_t family, uint32_t size)
{
	static const uint8_t protocols[] = { 6, 6, 6, 6, 6, 17, 17, 17, 17, 1, 58, 132, 33, 136, 50, 51, 89, 4, 41, 59 };

	s->family = family;
	s->protocol = DICE_PICK(d, protocols);
	sample_ip(d, s, 0);
	sample_transport(d, s, size);
}

void sample_make_stream(struct dice *d, struct sample *s, uint8_t family, uint8_t protocol, uint32_t size)
{
	s->family = family;
	s->protocol = protocol;
	sample_ip(d, s, !dice_percent(d, 10));
	sample_transport(d, s, size);
}

void sample_break(struct dice *d, uint8_t *bytes, uint32_t *len, uint32_t most)
{
	uint32_t i, n = dice_between(d, 1, 3), near = *len < 80 ? *len : 80;

	switch (dice_below(d, 4)) {
	case 0:
		*len = dice_below(d, *len + 1);
		break;
	case 1:
		n = dice_between(d, 1, 64);
		if (*len + n <= most) {
			dice_fill(d, bytes + *len, n);
			*len += n;
		}
		break;
	case 2:				/* in a header */
		for (i = 0; i < n && near; i++)
			bytes[dice_below(d, near)] ^= (uint8_t)(1u << dice_below(d, 8));
		break;
	default:
		for (i = 0; i < n && *len; i++)
			bytes[dice_below(d, *len)] = (uint8_t)dice_next(d);
	}
}
