// SPDX-License-Identifier: GPL-2.0
/*
 * test_ah - AH and BEET, byte by byte: what is authenticated and what may change, headers that end where they must not
 *
 * tests/native/23-scapy-ah has the same of a stranger's making; here are the corners.
 */
#include <stdlib.h>

#include "ipsec/ah.h"
#include "ipsec/beet.h"
#include "ipsec/esp.h"
#include "ipsec/transform.h"
#include "suite.h"

#define NUMBER	0x300000123ull

static uint8_t memory[8 << 20] __attribute__((aligned(64)));
static struct sad sad;
static uint8_t sealed[4096], opened[4096];
static uint32_t sealed_len, opened_len;

static void setup(void)
{
	struct arena arena;

	ck_assert_int_eq(crypto_init(), 0);
	arena_init(&arena, memory, sizeof(memory));
	ck_assert_int_eq(sad_init(&sad, &arena, 8), 0);
}

static struct ipsp_sa sa_of(uint8_t family, uint8_t protocol, uint8_t mode)
{
	struct ipsp_sa sa = {
		.family = family, .protocol = protocol, .mode = mode, .spi = htobe32(0x1000),
		.source = { 10, 9, 0, 1 }, .destination = { 10, 9, 0, 2 },
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.cipher = { .name = "ecb(cipher_null)" },
		.auth = { .name = "hmac(sha256)", .key_bits = 256, .icv_bits = 128, .key = "0123456789abcdef" },
	};

	if (family == 6) {
		sa.source[15] = 1;
		sa.destination[15] = 2;
	}
	return sa;
}

/* Handle 1 sends, 2 receives. */
static void pair(struct ipsp_sa sa)
{
	static const uint32_t engines[4];

	for (sa.handle = 1; sa.handle <= 2; sa.handle++) {
		sa.direction = sa.handle == 1 ? IPSP_DIR_OUT : IPSP_DIR_IN;
		ck_assert_uint_eq(sad_add(&sad, &sa, engines), 0);
	}
}

static uint16_t seal(const uint8_t *packet, uint32_t len)
{
	const struct ipsp_packet about = { .mtu = 3000 };
	const struct sad_sa *sa = sad_find(&sad, 1);
	struct segment_plan plan;
	struct segment s;
	uint16_t reason;

	ck_assert_uint_eq(segment_plan(&plan, (struct ip_bytes){ packet, len }, &about), 0);
	segment_make(&plan, 0, &s);
	memset(sealed, 0xee, sizeof(sealed));
	if (sa->sa.protocol == IP_AH) {
		sealed_len = ah_sealed_len(sa, &plan, &s);
		reason = ah_seal(sa, NUMBER, &plan, &s, 0, sealed);
	} else {
		sealed_len = esp_sealed_len(sa, &plan, &s);
		reason = esp_seal(sa, NUMBER, &plan, &s, 0, sealed);
	}
	return reason;
}

/* A copy of exactly that size: a sanitizer sees who reads beyond it. */
static uint16_t open_bytes(const uint8_t *packet, uint32_t len)
{
	const struct sad_sa *sa = sad_find(&sad, 2);
	uint8_t *copy = malloc(len ? len : 1);
	uint16_t reason;

	memcpy(copy, packet, len);
	if (sa->sa.protocol == IP_AH)
		reason = ah_open(sa, NUMBER, (struct ip_bytes){ copy, len }, opened, &opened_len);
	else
		reason = esp_open(sa, NUMBER, (struct ip_bytes){ copy, len }, opened, &opened_len);
	free(copy);
	return reason;
}

static void comes_out(const uint8_t *packet, uint32_t len)
{
	ck_assert_uint_eq(seal(packet, len), 0);
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), 0);
	ck_assert_uint_eq(opened_len, len);
	ck_assert_mem_eq(opened, packet, len);
}

/* UDP of `len` bytes behind `extra` bytes of options or extension headers, the first of them `next` in IPv6. */
static uint32_t packet4(uint8_t *p, const uint8_t *extra, uint32_t extra_len, uint32_t len)
{
	memset(p, 0, 20 + extra_len + len);
	p[0] = (uint8_t)(0x45 + extra_len / 4);
	p[1] = 0x20;
	p[8] = 64;
	p[9] = IP_UDP;
	memcpy(p + 12, (uint8_t[]){ 10, 9, 0, 1, 10, 9, 0, 2 }, 8);
	if (extra_len)
		memcpy(p + 20, extra, extra_len);
	ip_set_length(p, 20 + extra_len, 20 + extra_len + len);
	return 20 + extra_len + len;
}

static uint32_t packet6(uint8_t *p, uint8_t next, const uint8_t *extra, uint32_t extra_len, uint32_t len)
{
	const struct ipsp_sa sa = sa_of(6, IP_AH, 0);

	memset(p, 0, 40 + extra_len + len);
	ip_set32(p, 0x62012345);
	ip_set16(p + 4, (uint16_t)(extra_len + len));
	p[6] = next;
	p[7] = 64;
	memcpy(p + 8, sa.source, 16);
	memcpy(p + 24, sa.destination, 16);
	if (extra_len)
		memcpy(p + 40, extra, extra_len);
	return 40 + extra_len + len;
}

/* ---- AH ---------------------------------------------------------------------------------- */

START_TEST(each_mode_comes_out)
{
	uint8_t p[1600];
	uint32_t len = 8;

	for (; len < 1400; len += 97) {
		pair(sa_of(4, IP_AH, (uint8_t)_i));
		comes_out(p, packet4(p, NULL, 0, len));
		ck_assert_uint_eq(sealed_len, 20 + (_i ? 20 : 0) + 32 + len);
		ck_assert_uint_eq(sealed[9], IP_AH);
		ck_assert_uint_eq(sealed[21], 32 / 4 - 2);
		pair(sa_of(6, IP_AH, (uint8_t)_i));
		comes_out(p, packet6(p, IP_UDP, NULL, 0, len));
	}
}
END_TEST

START_TEST(padding_is_four_if_told)
{
	struct ipsp_sa sa = sa_of(4, IP_AH, IPSP_SA_TRANSPORT);
	uint8_t p[100];

	sa.flags = IPSP_SAF_ALIGN4 | IPSP_SAF_ESN;
	pair(sa);
	comes_out(p, packet4(p, NULL, 0, 8));
	ck_assert_uint_eq(sealed_len, 20 + 28 + 8);
	sealed[21] = 32 / 4 - 2;	/* the other length, which is not authentic */
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), IPSP_DROP_INTEGRITY);
	sealed[21] = 36 / 4 - 2;	/* none of both */
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), IPSP_DROP_MALFORMED);
}
END_TEST

START_TEST(what_is_short_or_strange_is_refused)
{
	uint8_t p[100];
	uint32_t i;

	pair(sa_of(4, IP_AH, IPSP_SA_TUNNEL));
	ck_assert_uint_eq(seal(p, packet4(p, NULL, 0, 8)), 0);
	for (i = 0; i < sealed_len; i++)
		ck_assert_uint_eq(open_bytes(sealed, i), IPSP_DROP_MALFORMED);
	sealed[24] ^= 1;		/* SPI */
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), IPSP_DROP_MALFORMED);
	sealed[24] ^= 1;
	sealed[31] ^= 1;		/* number */
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), IPSP_DROP_INTEGRITY);
	sealed[31] ^= 1;
	sealed[sealed_len - 1] ^= 1;
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), IPSP_DROP_INTEGRITY);
	sealed[sealed_len - 1] ^= 1;
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), 0);
}
END_TEST

START_TEST(too_long_is_refused)
{
	static uint8_t p[IP_LENGTH_MAX];

	pair(sa_of(4, IP_AH, IPSP_SA_TUNNEL));
	ck_assert_uint_eq(seal(p, packet4(p, NULL, 0, IP_LENGTH_MAX - 20 - 51)), IPSP_DROP_MALFORMED);
}
END_TEST

/* Options: taken as they are, or refused whole. A route's end and its pointer: as it will arrive. */
START_TEST(options_of_ipv4)
{
	static const struct {
		uint8_t bytes[12];
		uint32_t len;
		uint16_t reason;
	} rows[] = {
		{ { 1, 1, 1, 0 }, 4, 0 }, { { 148, 4, 0, 0 }, 4, 0 }, { { 7, 7, 4, 0, 0, 0, 0, 0 }, 8, 0 },
		{ { 130, 3, 0, 0 }, 4, 0 }, { { 0, 9, 9, 9 }, 4, 0 },
		{ { 7, 9, 4, 0 }, 4, IPSP_DROP_MALFORMED }, { { 7, 1, 4, 0 }, 4, IPSP_DROP_MALFORMED },
		{ { 1, 1, 1, 7 }, 4, IPSP_DROP_MALFORMED }, { { 131, 5, 4, 0, 0, 0, 0, 0 }, 8, IPSP_DROP_MALFORMED },
		{ { 137, 7, 4, 10, 0, 0, 9, 0 }, 8, 0 },
	};
	uint8_t p[100];

	pair(sa_of(4, IP_AH, IPSP_SA_TRANSPORT));
	ck_assert_uint_eq(seal(p, packet4(p, rows[_i].bytes, rows[_i].len, 8)), rows[_i].reason);
	if (rows[_i].reason)
		return;
	if (rows[_i].bytes[0] == 137) {		/* it has arrived: the pointer is behind, the address is the last */
		sealed[22] = 8;
		memcpy(sealed + 16, rows[_i].bytes + 3, 4);
	}
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), 0);
	sealed[12] ^= 1;
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), IPSP_DROP_INTEGRITY);
	sealed[12] ^= 1;
	if (rows[_i].bytes[0] < 2)		/* one byte, without a length */
		return;
	sealed[21] = 200;
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), IPSP_DROP_MALFORMED);
}
END_TEST

START_TEST(extensions_of_ipv6)
{
	static const struct {
		uint8_t next, bytes[24];
		uint32_t len;
		uint16_t reason;
	} rows[] = {
		{ IP_HOPOPTS, { IP_UDP, 0, 5, 2, 0, 0, 1, 0 }, 8, 0 },
		{ IP_HOPOPTS, { IP_UDP, 0, 0x3e, 4, 1, 2, 3, 4 }, 8, 0 },
		{ IP_HOPOPTS, { IP_UDP, 0, 0, 0, 0, 0, 0, 1 }, 8, IPSP_DROP_MALFORMED },
		{ IP_HOPOPTS, { IP_UDP, 0, 1, 5, 0, 0, 0, 0 }, 8, IPSP_DROP_MALFORMED },
		{ IP_ROUTING, { IP_UDP, 2, 2, 0, 0, 0, 0, 0, 1, 2, 3 }, 24, 0 },
		{ IP_ROUTING, { IP_UDP, 2, 2, 2, 0, 0, 0, 0, 1, 2, 3 }, 24, IPSP_DROP_MALFORMED },
		{ IP_ROUTING, { IP_UDP, 2, 4, 1, 0, 0, 0, 0, 1, 2, 3 }, 24, IPSP_DROP_MALFORMED },
	};
	uint8_t p[200];

	pair(sa_of(6, IP_AH, IPSP_SA_TRANSPORT));
	ck_assert_uint_eq(seal(p, packet6(p, rows[_i].next, rows[_i].bytes, rows[_i].len, 8)), rows[_i].reason);
	if (!rows[_i].reason)
		comes_out(p, packet6(p, rows[_i].next, rows[_i].bytes, rows[_i].len, 8));
}
END_TEST

/* RFC 4302 A2.2: one that arrives has its addresses turned round, and nothing left to go. */
START_TEST(route_of_ipv6_is_foreseen)
{
	uint8_t route[40] = { IP_UDP, 4, 0, 2 }, p[200], first[16] = { 0x20, 1 }, last[16] = { 0x20, 2 };
	struct ipsp_sa sa = sa_of(6, IP_AH, IPSP_SA_TRANSPORT);

	memcpy(route + 8, first, 16);
	memcpy(route + 24, last, 16);
	pair(sa);
	ck_assert_uint_eq(seal(p, packet6(p, IP_ROUTING, route, sizeof(route), 8)), 0);
	ck_assert_mem_eq(sealed + 24, sa.destination, 16);	/* it goes as it was given */
	ck_assert_uint_eq(sealed[43], 2);
	memcpy(sealed + 24, last, 16);
	memcpy(sealed + 48, sa.destination, 16);
	memcpy(sealed + 64, first, 16);
	sealed[43] = 0;
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), 0);
	sealed[64] ^= 1;
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), IPSP_DROP_INTEGRITY);
}
END_TEST

/* A header that AH never stands behind: it is another's packet. */
START_TEST(arrives_behind_what_cannot_be)
{
	static const uint8_t bad[] = { IP_UDP, 0, 0x3e, 9, 1, 2, 3, 4 };
	static const uint8_t good[] = { IP_UDP, 0, 0x3e, 4, 1, 2, 3, 4 };
	uint8_t p[200];

	pair(sa_of(6, IP_AH, IPSP_SA_TRANSPORT));
	ck_assert_uint_eq(seal(p, packet6(p, IP_HOPOPTS, good, sizeof(good), 8)), 0);
	memcpy(sealed + 42, bad + 2, 6);
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), IPSP_DROP_MALFORMED);
	memcpy(sealed + 42, good + 2, 6);
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), 0);
}
END_TEST

START_TEST(what_is_not_served_is_refused)
{
	static const uint32_t engines[4];
	struct ipsp_sa sa = sa_of(4, IP_AH, IPSP_SA_BEET);

	sa.handle = 1;
	ck_assert_uint_eq(sad_add(&sad, &sa, engines), IPSP_DROP_UNSUPPORTED);
	sa.mode = IPSP_SA_TUNNEL;
	sa.auth.name[0] = '\0';
	ck_assert_uint_eq(sad_add(&sad, &sa, engines), IPSP_DROP_UNSUPPORTED);
	sa = sa_of(4, IP_ESP, IPSP_SA_BEET);
	sa.handle = 1;
	ck_assert_uint_eq(sad_add(&sad, &sa, engines), IPSP_DROP_UNSUPPORTED);	/* whose addresses? */
}
END_TEST

/* ---- BEET ---------------------------------------------------------------------------------- */

static struct ipsp_sa beet_of(uint8_t outer, uint8_t inner)
{
	struct ipsp_sa sa = sa_of(outer, IP_ESP, IPSP_SA_BEET);
	const struct ipsp_sa ends = sa_of(inner, IP_ESP, IPSP_SA_BEET);

	sa.selector.family = inner;
	sa.selector.source_prefix = sa.selector.destination_prefix = inner == 4 ? 32 : 128;
	memcpy(sa.selector.source, ends.source, 16);
	memcpy(sa.selector.destination, ends.destination, 16);
	return sa;
}

START_TEST(beet_comes_out)
{
	uint8_t outer = _i & 1 ? 6 : 4, inner = _i & 2 ? 6 : 4, p[200], nops[40];
	uint32_t len, options;

	memset(nops, 1, sizeof(nops));
	pair(beet_of(outer, inner));
	for (options = 0; options <= (inner == 4 ? 40 : 0); options += 4) {
		len = inner == 4 ? packet4(p, nops, options, 33) : packet6(p, IP_UDP, NULL, 0, 33);
		if (outer == 6 && inner == 4) {
			ip_set16(p + 6, 0x4000);	/* IPv6 says no less */
			ip_set_length(p, 20 + options, len);
		} else if (outer == 4 && inner == 6) {
			ip_set32(p, 0x62000000);	/* nor IPv4 the flow label */
		}
		comes_out(p, len);
	}
}
END_TEST

/* A packet of the pseudo-header's own protocol, which begins as one that takes options off. */
START_TEST(beet_protocol_is_carried)
{
	static const uint8_t like[] = { 17, 0, 0, 0, 1, 1, 1, 1 };
	uint8_t outer = _i & 1 ? 6 : 4, inner = _i & 2 ? 6 : 4, p[200];
	uint32_t len = inner == 4 ? packet4(p, NULL, 0, 33) : packet6(p, 94, NULL, 0, 33);

	pair(beet_of(outer, inner));
	if (inner == 4) {
		p[9] = 94;
		ip_set16(p + 6, 0x4000);
	}
	if (inner == 6)
		ip_set32(p, 0x62000000);
	memcpy(p + (inner == 4 ? 20 : 40), like, sizeof(like));
	ip_set_length(p, inner == 4 ? 20 : 0, len);
	comes_out(p, len);
}
END_TEST

/* The pseudo-header of a packet that is authentic and wrong. */
START_TEST(beet_options_that_lie)
{
	static const struct {
		uint8_t bytes[8];
		uint32_t len;
	} rows[] = {
		{ { 17, 0, 0, 0 }, 3 }, { { 17, 0, 0, 0 }, 4 }, { { 17, 1, 4, 0, 1, 1, 1, 1 }, 8 },
		{ { 17, 0, 5, 0, 1, 1, 1, 1 }, 8 }, { { 17, 0, 1, 0, 1, 1, 1, 1 }, 8 }, { { 17, 9, 0, 0, 1, 1, 1, 1 }, 8 },
	};
	const struct ipsp_sa four = beet_of(4, 4);
	uint8_t outer[20] = { 0x45 }, out[100];
	uint32_t len = rows[_i].len;

	memcpy(out + 20, rows[_i].bytes, 8);
	ck_assert_uint_eq(beet_inner(&four, (struct ip_bytes){ outer, 20 }, 94, out, &len), IPSP_DROP_MALFORMED);
}
END_TEST

/* Authentic, but what comes out is no packet, or one that the SA is not for. */
START_TEST(beet_inside_is_looked_at)
{
	struct ipsp_sa sa = beet_of(4, 6);
	uint8_t p[200];
	uint32_t len = packet6(p, IP_UDP, NULL, 0, 33);

	sa.selector.protocol = 6;
	pair(sa);
	ck_assert_uint_eq(seal(p, len), 0);
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), IPSP_DROP_SELECTOR);
	sa = beet_of(4, 4);
	pair(sa);
	len = packet4(p, NULL, 0, 33);
	p[9] = IP_DSTOPTS;
	p[21] = 200;			/* as IPv6 has it, longer than the packet */
	ck_assert_uint_eq(seal(p, len), 0);
	sa = beet_of(4, 6);
	pair(sa);
	ck_assert_uint_eq(open_bytes(sealed, sealed_len), IPSP_DROP_MALFORMED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ah");
	TCase *c = tcase_create("ah and beet");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_loop_test(c, each_mode_comes_out, 0, 2);
	tcase_add_test(c, padding_is_four_if_told);
	tcase_add_test(c, what_is_short_or_strange_is_refused);
	tcase_add_test(c, too_long_is_refused);
	tcase_add_loop_test(c, options_of_ipv4, 0, 10);
	tcase_add_loop_test(c, extensions_of_ipv6, 0, 7);
	tcase_add_test(c, route_of_ipv6_is_foreseen);
	tcase_add_test(c, arrives_behind_what_cannot_be);
	tcase_add_test(c, what_is_not_served_is_refused);
	tcase_add_loop_test(c, beet_comes_out, 0, 4);
	tcase_add_loop_test(c, beet_protocol_is_carried, 0, 4);
	tcase_add_loop_test(c, beet_options_that_lie, 0, 6);
	tcase_add_test(c, beet_inside_is_looked_at);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
