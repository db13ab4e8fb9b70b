// SPDX-License-Identifier: GPL-2.0
/* test_ip - headers read and written, extension headers, and checksums */
#include <stdlib.h>

#include "ipsec/checksum.h"
#include "ipsec/ip.h"
#include "suite.h"

static size_t hex(uint8_t *out, const char *text)
{
	size_t n = 0;

	for (; *text; text++) {
		if (*text == ' ')
			continue;
		out[n++] = (uint8_t)strtoul((char[3]){ text[0], text[1], 0 }, NULL, 16);
		text++;
	}
	return n;
}

static int parse(const char *text, struct ip_packet *ip, struct ipsp_tuple *tuple)
{
	static uint8_t bytes[512];
	struct ip_bytes b = { bytes, (uint32_t)hex(bytes, text) };
	int failed = ip_parse(b, ip);

	memset(tuple, 0xff, sizeof(*tuple));
	if (!failed)
		ip_tuple(b, ip, tuple);
	return failed;
}

/* ---- parsing ------------------------------------------------------------------------- */

#define V4(fragment, protocol) "45000030 0007" fragment "40" protocol "0000 0a090001 0a090002"
#define V6(next) "6b812345 0028" next "40 20010db8000000000000000000000001 20010db8000000000000000000000002"

struct expected {
	const char *packet;
	int fails;
	uint8_t protocol, fragment, later, has_ports;
	uint16_t source, destination;
	uint32_t header_len, esp_at, esp_next_at, protocol_at;
	uint8_t esp_next;
};

static const struct expected expectations[] = {
	{ V4("4000", "06") "03e80050", 0, 6, 0, 0, 1, 1000, 80, 20, 20, 9, 9, 6 },
	{ V4("0000", "01") "08010000", 0, 1, 0, 0, 1, 8, 1, 20, 20, 9, 9, 1 },
	{ V4("0000", "11") "03e8", 0, 17, 0, 0, 0, 0, 0, 20, 20, 9, 9, 17 },	/* no ports there */
	{ V4("0000", "2f") "03e80050", 0, 47, 0, 0, 0, 0, 0, 20, 20, 9, 9, 47 },
	{ V4("2000", "11") "03e80050", 0, 17, 1, 0, 1, 1000, 80, 20, 20, 9, 9, 17 },
	{ V4("2001", "11") "03e80050", 0, 17, 1, 1, 0, 0, 0, 20, 20, 9, 9, 17 },
	{ "46000030 0007 0000 4011 0000 0a090001 0a090002 01010100 03e80035",
	  0, 17, 0, 0, 1, 1000, 53, 24, 24, 9, 9, 17 },
	{ V6("11") "03e80035", 0, 17, 0, 0, 1, 1000, 53, 40, 40, 6, 6, 17 },
	{ V6("3a") "80000000", 0, 58, 0, 0, 1, 128, 0, 40, 40, 6, 6, 58 },
	/* hop-by-hop stays in front of ESP, destination options go behind it */
	{ V6("00") "3c00010400000000 1100010400000000 03e80035",
	  0, 17, 0, 0, 1, 1000, 53, 56, 48, 40, 48, 60 },
	/* but not those in front of a routing header */
	{ V6("3c") "2b00010400000000 1100000000000000 03e80035",
	  0, 17, 0, 0, 1, 1000, 53, 56, 56, 48, 48, 17 },
	{ V6("2c") "1100000100000001 03e80035", 0, 17, 1, 0, 1, 1000, 53, 48, 48, 40, 40, 17 },
	{ V6("2c") "1100000800000001 03e80035", 0, 17, 1, 1, 0, 0, 0, 48, 48, 40, 40, 17 },
	/* an atomic fragment is none (RFC 6946) */
	{ V6("2c") "1100000000000001 03e80035", 0, 17, 0, 0, 1, 1000, 53, 48, 48, 40, 40, 17 },
	/* refused: nothing, half a header, other versions, lengths that do not end inside */
	{ .packet = "", .fails = 1 },
	{ .packet = "45000030", .fails = 1 },
	{ .packet = "55000030 00070000 4011 0000 0a090001 0a090002", .fails = 1 },
	{ .packet = "44000030 00070000 4011 0000 0a090001 0a090002", .fails = 1 },
	{ .packet = "46000030 00070000 4011 0000 0a090001 0a090002", .fails = 1 },
	{ .packet = "45000013 00070000 4011 0000 0a090001 0a090002", .fails = 1 },
	{ .packet = V6("00") "3c0001", .fails = 1 },
	{ .packet = V6("00") "3cff010400000000 1100010400000000", .fails = 1 },
};

START_TEST(headers_are_read)
{
	const struct expected *e = &expectations[_i];
	struct ipsp_tuple t;
	struct ip_packet ip;

	ck_assert_int_eq(!!parse(e->packet, &ip, &t), e->fails);
	if (e->fails)
		return;
	ck_assert_uint_eq(ip.protocol, e->protocol);
	ck_assert_uint_eq(t.protocol, e->protocol);
	ck_assert_uint_eq(ip.fragment, e->fragment);
	ck_assert_uint_eq(ip.later, e->later);
	ck_assert_uint_eq(t.has_ports, e->has_ports);
	ck_assert_uint_eq(t.source_port, e->source);
	ck_assert_uint_eq(t.destination_port, e->destination);
	ck_assert_uint_eq(ip.header_len, e->header_len);
	ck_assert_uint_eq(ip.esp_at, e->esp_at);
	ck_assert_uint_eq(ip.esp_next_at, e->esp_next_at);
	ck_assert_uint_eq(ip.protocol_at, e->protocol_at);
	ck_assert_uint_eq(ip.esp_next, e->esp_next);
}
END_TEST

START_TEST(ipv6_fields)
{
	struct ipsp_tuple t;
	struct ip_packet ip;

	ck_assert_int_eq(parse(V6("11") "03e80035", &ip, &t), 0);
	ck_assert_uint_eq(ip.family, 6);
	ck_assert_uint_eq(ip.tos, 0xb8);
	ck_assert_uint_eq(ip.total_len, 80);
	ck_assert_uint_eq(t.source[15], 1);
	ck_assert_uint_eq(t.destination[15], 2);
}
END_TEST

/* ---- bounds ---------------------------------------------------------------------------- */

START_TEST(nothing_is_reached_outside)
{
	uint8_t bytes[8] = { 0 };
	struct ip_bytes b = { bytes, 8 };
	struct ip_sink sink = { bytes, 8 };

	ck_assert_ptr_eq(ip_at(b, 0, 8), bytes);
	ck_assert_ptr_eq(ip_at(b, 8, 0), bytes + 8);
	ck_assert_ptr_null(ip_at(b, 0, 9));
	ck_assert_ptr_null(ip_at(b, 9, 0));
	ck_assert_ptr_null(ip_at(b, 4, 0xffffffff));
	ck_assert_ptr_null(ip_at(b, 0xffffffff, 2));
	ck_assert_uint_eq(ip_part(b, 6, 10).len, 2);
	ck_assert_uint_eq(ip_part(b, 9, 10).len, 0);
	ck_assert_ptr_eq(ip_put(&sink, 5), bytes);
	ck_assert_ptr_null(ip_put(&sink, 4));
	ck_assert_ptr_eq(ip_put(&sink, 3), bytes + 5);
}
END_TEST

/* ---- writing ---------------------------------------------------------------------------- */

START_TEST(outer_headers)
{
	static const uint8_t a[16] = { 192, 0, 2, 1 }, b[16] = { 192, 0, 2, 2 };
	struct ip_outer o = { .source = a, .destination = b, .family = 4, .tos = 0xb9, .protocol = 50,
			      .df = 1, .total_len = 1400 };
	uint8_t out[40];
	struct ip_packet ip;

	ip_outer_write(out, &o);
	ck_assert(ip_is_intact((struct ip_bytes){ out, 20 }));
	ck_assert_int_eq(ip_parse((struct ip_bytes){ out, 20 }, &ip), 0);
	ck_assert(ip.df && ip.tos == 0xb9 && ip.protocol == 50 && ip.total_len == 1400 && out[8] == 64);
	out[1] ^= 4;
	ck_assert(!ip_is_intact((struct ip_bytes){ out, 20 }));
	o.family = 6;
	ip_outer_write(out, &o);
	ck_assert_int_eq(ip_parse((struct ip_bytes){ out, 40 }, &ip), 0);
	ck_assert(ip.tos == 0xb9 && ip.protocol == 50 && ip.total_len == 1400 && out[7] == 64);
}
END_TEST

START_TEST(tos_changes_keep_the_checksum)
{
	uint8_t out[20];

	hex(out, "45000030 0007 4000 4006 0000 0a090001 0a090002");
	ip_set_length(out, 20, 48);
	ip_set_tos(out, (uint8_t)_i);
	ck_assert_uint_eq(ip_tos(out), _i);
	ck_assert(ip_is_intact((struct ip_bytes){ out, 20 }));
	ip_set_tos(out, 0);
	ck_assert(ip_is_intact((struct ip_bytes){ out, 20 }));
	hex(out, "6b812345 00281140");
	ip_set_tos(out, (uint8_t)_i);
	ck_assert_uint_eq(ip_tos(out), _i);
	ck_assert_uint_eq(out[0] >> 4, 6);
	ck_assert_uint_eq(ip_get32(out) & 0xfffff, 0x12345);
}
END_TEST

/* ---- checksums -------------------------------------------------------------------------- */

static uint16_t slow_checksum(const uint8_t *at, size_t len)
{
	uint32_t sum = 0;
	uint16_t net;
	size_t i;

	for (i = 0; i < len; i += 2)
		sum += (uint32_t)(at[i] << 8 | (i + 1 < len ? at[i + 1] : 0));
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	net = htobe16((uint16_t)~sum);
	return net;
}

/* Every length and alignment, in one piece and in two, against the sum done by hand. */
START_TEST(checksums)
{
	uint8_t bytes[1100];
	size_t len, cut, i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = _i ? (uint8_t)(i * 199 + 7) : 0xff;
	for (len = 0; len < 1024; len++) {
		const uint8_t *at = bytes + len % 13;

		ck_assert_uint_eq(checksum_fold(checksum_add(0, at, len)), slow_checksum(at, len));
		cut = (len / 3) & ~(size_t)1;
		ck_assert_uint_eq(checksum_fold(checksum_add(checksum_add(0, at, cut), at + cut, len - cut)),
				  slow_checksum(at, len));
	}
}
END_TEST

START_TEST(pseudo_headers)
{
	static const uint8_t a[16] = { 10, 9, 0, 1 }, b[16] = { 10, 9, 0, 2 };
	uint8_t by_hand[40] = { 10, 9, 0, 1, 10, 9, 0, 2, 0, 6, 1, 2 };

	ck_assert_uint_eq(checksum_fold(checksum_pseudo(4, a, b, 6, 0x102)), slow_checksum(by_hand, 12));
	memset(by_hand, 0, sizeof(by_hand));
	memcpy(by_hand, a, 16);
	memcpy(by_hand + 16, b, 16);
	ip_set32(by_hand + 32, 70000);
	by_hand[39] = 17;
	ck_assert_uint_eq(checksum_fold(checksum_pseudo(6, a, b, 17, 70000)), slow_checksum(by_hand, 40));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ip");
	TCase *c = tcase_create("ip");

	tcase_add_loop_test(c, headers_are_read, 0, sizeof(expectations) / sizeof(expectations[0]));
	tcase_add_test(c, ipv6_fields);
	tcase_add_test(c, nothing_is_reached_outside);
	tcase_add_test(c, outer_headers);
	tcase_add_loop_test(c, tos_changes_keep_the_checksum, 0, 256);
	tcase_add_loop_test(c, checksums, 0, 2);
	tcase_add_test(c, pseudo_headers);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
