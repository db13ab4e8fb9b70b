// SPDX-License-Identifier: GPL-2.0
/* test_transform - published vectors, and every path of the transform by records */
#include <stdlib.h>

#include "ipsec/ecn.h"
#include "ipsec/esp.h"
#include "ipsec/checksum.h"
#include "ipsec/transform.h"
#include "ipsec_port_ring.h"
#include "words/algorithm.h"
#include "suite.h"
#include "transform_world.h"

static struct transform *transform;
static uint8_t memory[8 << 20] __attribute__((aligned(64)));
static uint8_t up[1 << 20] __attribute__((aligned(64)));
static uint8_t down[256 << 10] __attribute__((aligned(64)));

static size_t hex(uint8_t *out, const char *text)
{
	size_t n = 0;

	for (; *text; text += 2)
		out[n++] = (uint8_t)strtoul((char[3]){ text[0], text[1], 0 }, NULL, 16);
	return n;
}

static void setup(void)
{
	transform = transform_begin(memory, sizeof(memory), 16);
}

/* ---- records ------------------------------------------------------------------------- */

static struct ipsp_record *record(uint16_t type, const void *control, uint32_t control_len,
				  const void *data, uint32_t len)
{
	return transform_record(down, type, control, control_len, data, len);
}

static const struct ipsp_answer *answer(const struct ipsp_record *rec)
{
	size_t room = transform_room(rec), len = transform_answer(transform, rec, up, room);
	const struct ipsp_record *out = (const struct ipsp_record *)up;

	ck_assert_uint_le(len, room);
	ck_assert_uint_eq(out->len, len);
	ck_assert_uint_eq(out->type, IPSP_REC_ANSWER);
	ck_assert_uint_eq(out->ticket, 42);
	ck_assert(ipsp_record_is_sane(out, (uint32_t)len));
	return (const struct ipsp_answer *)(out + 1);
}

static uint8_t *answer_data(uint32_t *len)
{
	const struct ipsp_record *out = (const struct ipsp_record *)up;

	*len = out->data_len;
	return up + out->data_offset;
}

static void control(uint16_t type, const void *c, uint32_t len, const void *data, uint32_t data_len)
{
	const struct ipsp_record *rec = record(type, c, len, data, data_len);

	ck_assert_uint_eq(transform_answer(transform, rec, up, sizeof(up)), 0);
}

static const uint8_t left4[16] = { 10, 9, 0, 1 }, right4[16] = { 10, 9, 0, 2 };

static struct ipsp_sa sa_of(uint32_t handle, uint8_t direction, uint8_t mode)
{
	struct ipsp_sa sa = {
		.handle = handle, .direction = direction, .family = 4, .protocol = 50, .mode = mode,
		.spi = htobe32(0x1000), .reqid = 1,
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.aead = { .name = "rfc4106(gcm(aes))", .key_bits = 160, .icv_bits = 128,
			  .key = "0123456789abcdefsalt" },
	};

	memcpy(sa.source, left4, 16);
	memcpy(sa.destination, right4, 16);
	return sa;
}

static void sa_add(const struct ipsp_sa *sa)
{
	control(IPSP_REC_SA_ADD, sa, sizeof(*sa), NULL, 0);
}

static void sa_pair(uint8_t mode, uint32_t flags)
{
	struct ipsp_sa out = sa_of(1, IPSP_DIR_OUT, mode), in = sa_of(2, IPSP_DIR_IN, mode);

	out.flags = in.flags = flags;
	sa_add(&out);
	sa_add(&in);
}

static struct ipsp_packet packet_of(uint32_t handle, uint64_t first, uint32_t count)
{
	return (struct ipsp_packet){
		.family = 4, .mtu = 1438, .stamp = { { handle, count, first } },
	};
}

/* ---- packets --------------------------------------------------------------------------- */

/* An IPv4 packet 10.9.0.1 -> 10.9.0.2; the payload behind its header counts up. */
static uint32_t packet4(uint8_t *p, uint8_t protocol, uint32_t len, int df)
{
	uint32_t i;

	memset(p, 0, 20);
	p[0] = 0x45;
	ip_set16(p + 4, 7);
	ip_set16(p + 6, df ? 0x4000 : 0);
	p[8] = 64;
	p[9] = protocol;
	memcpy(p + 12, left4, 4);
	memcpy(p + 16, right4, 4);
	for (i = 20; i < len; i++)
		p[i] = (uint8_t)i;
	ip_set_length(p, 20, len);
	return len;
}

static uint32_t tcp4(uint8_t *p, uint32_t payload)
{
	packet4(p, 6, 40 + payload, 1);
	memset(p + 20, 0, 20);
	ip_set16(p + 20, 1000);
	ip_set16(p + 22, 80);
	ip_set32(p + 24, 100000);
	p[32] = 0x50;
	p[33] = 0x80 | 0x10 | 0x08 | 0x01;	/* CWR, ACK, PSH, FIN */
	return 40 + payload;
}

static uint16_t tcp_sum(const uint8_t *p, uint32_t len)
{
	uint64_t sum = checksum_pseudo(4, p + 12, p + 16, 6, len - 20);

	return checksum_fold(checksum_add(sum, p + 20, len - 20));
}

/* Seals with handle 1, opens with handle 2; the inner packet is left in the up record. */
static uint8_t *round_trip(const uint8_t *in, uint32_t len, uint64_t number, uint32_t *out)
{
	struct ipsp_packet p = packet_of(1, number, 1);
	const struct ipsp_answer *a;
	static uint8_t esp[70000];
	uint8_t *data;

	a = answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, len));
	ck_assert_uint_eq(a->verdict, IPSP_VERDICT_TRANSFORMED);
	ck_assert_uint_eq(a->segments, 1);
	data = answer_data(&len);
	memcpy(esp, data, len);
	p = packet_of(2, number, 1);
	a = answer(record(IPSP_REC_UNPROTECT, &p, sizeof(p), esp, len));
	ck_assert_uint_eq(a->verdict, IPSP_VERDICT_TRANSFORMED);
	return answer_data(out);
}

/* ---- vectors ---------------------------------------------------------------------------- */

static uint16_t open_vector(const char *name, const char *key, uint32_t flags, uint8_t mode, uint64_t number,
			    const char *esp_hex, uint8_t *out, uint32_t *len)
{
	struct ipsp_sa sa = sa_of(9, IPSP_DIR_IN, mode);
	const uint32_t engines[4] = { 0 };
	uint8_t packet[512];
	struct arena arena;
	struct sad sad;
	uint32_t n;

	strcpy(sa.aead.name, name);
	sa.aead.key_bits = (uint32_t)hex(sa.aead.key, key) * 8;
	sa.flags = flags;
	n = 20 + (uint32_t)hex(packet + 20, esp_hex);
	memcpy(&sa.spi, packet + 20, 4);
	packet4(packet, 50, 20, 0);
	ip_set_length(packet, 20, n);
	arena_init(&arena, memory + (4 << 20), 1 << 20);
	ck_assert_int_eq(sad_init(&sad, &arena, 4), 0);
	ck_assert_uint_eq(sad_add(&sad, &sa, engines), 0);
	return esp_open(sad_find(&sad, 9), number, (struct ip_bytes){ packet, n }, out, len);
}

#define RFC7634_KEY "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3"
#define RFC7634_ESP "01020304000000051011121314151617" \
	"24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95df" \
	"ab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0" \
	"76aaa8266b7fb0f7b11b369907e1ad43"

/* Appendix A: a tunnelled ping. */
START_TEST(rfc7634_packet)
{
	uint8_t out[512];
	uint32_t len;

	ck_assert_uint_eq(open_vector("rfc7539esp(chacha20,poly1305)", RFC7634_KEY, 0,
				      IPSP_SA_TUNNEL, 5, RFC7634_ESP, out, &len), 0);
	ck_assert_uint_eq(len, 84);
	ck_assert_mem_eq(out, "\x45\x00\x00\x54\xa6\xf2", 6);
	ck_assert_uint_eq(out[83], 0x37);
}
END_TEST

START_TEST(rfc7634_packet_altered)
{
	char esp[sizeof(RFC7634_ESP)];
	uint8_t out[512];
	uint32_t len;

	strcpy(esp, RFC7634_ESP);
	esp[_i * 2] = esp[_i * 2] == '0' ? '1' : '0';
	ck_assert_uint_ne(open_vector("rfc7539esp(chacha20,poly1305)", RFC7634_KEY, 0,
				      IPSP_SA_TUNNEL, 5 + (_i >= 4 && _i < 8), esp, out, &len), 0);
}
END_TEST

/* draft-mcgrew-gcm-test-01, the first packet: ESN, AES-128-GCM of RFC 4106. */
START_TEST(rfc4106_packet_esn)
{
	uint8_t out[512];
	uint32_t len;

	ck_assert_uint_eq(open_vector("rfc4106(gcm(aes))",
				      "4c80cdefbb5d10da906ac73c3613a6342e443b68", IPSP_SAF_ESN,
				      IPSP_SA_TRANSPORT, 0x8765432100000000ull,
				      "00004321000000004956ed7e3b244cfe"
				      "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34"
				      "cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce"
				      "61bc17d768fd9732459018148f6cbe722fd04796562dfdb4",
				      out, &len), 0);
	/* next header 1, the text goes up behind the outer IP header */
	ck_assert_uint_eq(out[9], 1);
	ck_assert_mem_eq(out + 20, "\x45\x00\x00\x48\x69\x9a", 6);
}
END_TEST

/* ---- protect ------------------------------------------------------------------------------ */

START_TEST(comes_back_as_it_was)
{
	static const uint8_t modes[] = { IPSP_SA_TUNNEL, IPSP_SA_TRANSPORT };
	uint8_t in[2048], *out;
	uint32_t n, len;

	sa_pair(modes[_i % 2], _i / 2 ? IPSP_SAF_ESN : 0);
	for (n = 20; n < 1400; n += 7) {
		packet4(in, 17, n, 0);
		out = round_trip(in, n, (_i / 2 ? 0x300000000ull : 1) + n, &len);
		ck_assert_uint_eq(len, n);
		ck_assert_mem_eq(out, in, n);
	}
}
END_TEST

static void name_algorithm(struct ipsp_algorithm *to, const char *name, uint32_t key_bits, uint32_t icv_bits)
{
	memset(to, 0, sizeof(*to));
	strcpy(to->name, name);
	to->key_bits = key_bits;
	to->icv_bits = icv_bits;
	memset(to->key, 0x5c, key_bits / 8);
}

/* A row of the table in an SA: a cipher beside SHA-256, a MAC beside AES-CBC. */
static void sa_of_row(struct ipsp_sa *sa, const struct algorithm *a, int key)
{
	struct ipsp_algorithm *to = a->kind == ALGORITHM_AEAD ? &sa->aead :
				    a->kind == ALGORITHM_CIPHER ? &sa->cipher : &sa->auth;

	memset(&sa->aead, 0, sizeof(sa->aead));
	if (a->kind == ALGORITHM_AUTH)
		name_algorithm(&sa->cipher, "cbc(aes)", 128, 0);
	if (a->kind == ALGORITHM_CIPHER)
		name_algorithm(&sa->auth, "hmac(sha256)", 256, 128);
	name_algorithm(to, a->name, a->key_bits[key], a->icv_bits[0]);
}

/* uapi, struct ipsp_handle: at most n + fixed + align + 1; and the largest inner packet fits the path. */
static void bound_holds(const struct ipsp_sa *sa, uint32_t inner, uint32_t sealed)
{
	struct algorithm_layout layout;
	uint32_t fixed, mtu = sealed;

	ck_assert(algorithm_layout(sa, &layout));
	fixed = 20u + 8 + layout.iv_len + layout.icv_len;
	ck_assert_uint_le(sealed, inner + fixed + layout.align + 1);
	ck_assert_uint_ge(((mtu - fixed) & ~(layout.align - 1u)) - 2, inner);
}

static void row_comes_back(const struct algorithm *a, int key, uint32_t flags)
{
	struct ipsp_sa out = sa_of(1, IPSP_DIR_OUT, IPSP_SA_TUNNEL), in = sa_of(2, IPSP_DIR_IN, IPSP_SA_TUNNEL);
	struct ipsp_packet p = packet_of(1, 9, 1);
	uint32_t n, len, sealed;
	uint8_t bytes[400], *back;

	out.flags = in.flags = flags;
	sa_of_row(&out, a, key);
	sa_of_row(&in, a, key);
	sa_add(&out);
	sa_add(&in);
	for (n = 20; n < 100; n++) {
		packet4(bytes, 17, n, 0);
		answer(record(IPSP_REC_PROTECT, &p, sizeof(p), bytes, n));
		answer_data(&sealed);
		bound_holds(&out, n, sealed);
		back = round_trip(bytes, n, (flags & IPSP_SAF_ESN ? 0x700000000ull : 0) + n, &len);
		ck_assert_uint_eq(len, n);
		ck_assert_mem_eq(back, bytes, n);
	}
}

START_TEST(every_algorithm_comes_back)
{
	const struct algorithm *a = &algorithm_table[_i / 2];
	int i;

	for (i = 0; i < ALGORITHM_LENGTHS && (!i || a->key_bits[i]); i++)
		row_comes_back(a, i, _i % 2 ? IPSP_SAF_ESN : 0);
}
END_TEST

/* The upper half is on no wire: a packet that counts 2^32 further has another ICV, whatever the MAC. */
START_TEST(upper_half_is_authenticated)
{
	struct ipsp_sa out = sa_of(1, IPSP_DIR_OUT, IPSP_SA_TUNNEL), in = sa_of(2, IPSP_DIR_IN, IPSP_SA_TUNNEL);
	const struct algorithm *a = &algorithm_table[_i];
	struct ipsp_packet p = packet_of(1, 0x300000007ull, 1);
	uint8_t bytes[100], esp[300];
	uint32_t len;

	out.flags = in.flags = IPSP_SAF_ESN;
	sa_of_row(&out, a, 0);
	sa_of_row(&in, a, 0);
	sa_add(&out);
	sa_add(&in);
	packet4(bytes, 17, 100, 0);
	answer(record(IPSP_REC_PROTECT, &p, sizeof(p), bytes, 100));
	memcpy(esp, answer_data(&len), sizeof(esp));
	p = packet_of(2, 0x400000007ull, 1);
	ck_assert_uint_eq(answer(record(IPSP_REC_UNPROTECT, &p, sizeof(p), esp, len))->reason, IPSP_DROP_INTEGRITY);
	p.stamp[0].first = 0x300000007ull;
	ck_assert_uint_eq(answer(record(IPSP_REC_UNPROTECT, &p, sizeof(p), esp, len))->verdict,
			  IPSP_VERDICT_TRANSFORMED);
}
END_TEST

/* RFC 8750: what is sent is what it would be with the IV, which is the number, but without that. */
START_TEST(implicit_iv_is_only_not_sent)
{
	static const struct {
		const char *name, *explicit;
		uint32_t key_bits, icv_bits;
	} of[] = {
		{ "rfc8750(gcm(aes))", "rfc4106(gcm(aes))", 160, 128 },
		{ "rfc8750(ccm(aes))", "rfc4309(ccm(aes))", 280, 64 },
		{ "rfc8750(chacha20,poly1305)", "rfc7539esp(chacha20,poly1305)", 288, 128 },
	};
	struct ipsp_sa a = sa_of(1, IPSP_DIR_OUT, IPSP_SA_TUNNEL), b = sa_of(3, IPSP_DIR_OUT, IPSP_SA_TUNNEL);
	struct ipsp_packet p = packet_of(1, 0x123456789abull, 1);
	uint8_t bytes[100], implicit[300], *explicit;
	uint32_t len, longer;

	a.flags = b.flags = IPSP_SAF_ESN;
	name_algorithm(&a.aead, of[_i].name, of[_i].key_bits, of[_i].icv_bits);
	name_algorithm(&b.aead, of[_i].explicit, of[_i].key_bits, of[_i].icv_bits);
	sa_add(&a);
	sa_add(&b);
	packet4(bytes, 17, 100, 0);
	answer(record(IPSP_REC_PROTECT, &p, sizeof(p), bytes, 100));
	memcpy(implicit, answer_data(&len), sizeof(implicit));
	p.stamp[0].handle = 3;
	answer(record(IPSP_REC_PROTECT, &p, sizeof(p), bytes, 100));
	explicit = answer_data(&longer);
	ck_assert_uint_eq(longer, len + 8);
	ck_assert_mem_eq(implicit + 20, explicit + 20, 8);
	ck_assert_mem_eq(implicit + 28, explicit + 36, len - 28);
	ck_assert_mem_eq(explicit + 28, "\x00\x00\x01\x23\x45\x67\x89\xab", 8);
}
END_TEST

START_TEST(every_altered_byte_is_refused)
{
	struct ipsp_packet p = packet_of(1, 77, 1);
	const struct ipsp_answer *a;
	uint8_t in[200], esp[400], *data;
	uint32_t len, i;

	sa_pair(IPSP_SA_TUNNEL, 0);
	packet4(in, 17, 100, 0);
	answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, 100));
	data = answer_data(&len);
	memcpy(esp, data, len);
	p = packet_of(2, 77, 1);
	for (i = 20; i < len; i++) {
		if (i >= 24 && i < 28)
			continue;	/* the number comes from the stamp */
		esp[i] ^= 0x20;
		a = answer(record(IPSP_REC_UNPROTECT, &p, sizeof(p), esp, len));
		ck_assert_uint_eq(a->verdict, IPSP_VERDICT_DROP);
		ck_assert_uint_eq(((struct ipsp_record *)up)->data_len, 0);
		esp[i] ^= 0x20;
	}
	p.stamp[0].first = 78;
	a = answer(record(IPSP_REC_UNPROTECT, &p, sizeof(p), esp, len));
	ck_assert_uint_eq(a->reason, IPSP_DROP_INTEGRITY);
}
END_TEST

/* A super-packet is cut to fit; each segment opens to a right TCP packet. */
START_TEST(super_packet_is_cut)
{
	static uint8_t in[70000], esp[100000];
	uint32_t n = tcp4(in, 20000), size = 1438 - 40, count = (20000 + size - 1) / size, i, len, at = 0;
	struct ipsp_packet p = packet_of(1, 1000, count);
	const struct ipsp_answer *a;
	struct ipsp_answer sent;
	uint8_t *out;

	sa_pair(IPSP_SA_TUNNEL, 0);
	p.offload = (struct ipsp_offload){ .flags = IPSP_OFFLOAD_NEEDS_CSUM, .gso_type = IPSP_GSO_TCPV4,
					   .gso_size = 1448, .csum_start = 20, .csum_offset = 16 };
	a = answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, n));
	ck_assert_uint_eq(a->verdict, IPSP_VERDICT_TRANSFORMED);
	ck_assert_uint_eq(a->segments, count);
	sent = *a;
	out = answer_data(&len);
	memcpy(esp, out, len);
	for (i = 0; i < count; i++) {
		uint32_t part = len - i * sent.segment_len, inner, last = i + 1 == count;

		if (part > sent.segment_len)
			part = sent.segment_len;
		ck_assert_uint_eq(ip_get16(esp + i * sent.segment_len + 2), part);
		p = packet_of(2, 1000 + i, 1);
		a = answer(record(IPSP_REC_UNPROTECT, &p, sizeof(p), esp + i * sent.segment_len, part));
		ck_assert_uint_eq(a->verdict, IPSP_VERDICT_TRANSFORMED);
		out = answer_data(&inner);
		ck_assert_uint_eq(ip_get16(out + 4), 7 + i);
		ck_assert_uint_eq(ip_get32(out + 24), 100000 + at);
		ck_assert_uint_eq(out[33], 0x10 | (i ? 0 : 0x80) | (last ? 0x09 : 0));
		ck_assert_uint_eq(tcp_sum(out, inner), 0);
		ck_assert_mem_eq(out + 40, in + 40 + at, inner - 40);
		at += inner - 40;
	}
	ck_assert_uint_eq(at, 20000);
}
END_TEST

START_TEST(more_segments_than_numbers_is_refused)
{
	static uint8_t in[70000];
	uint32_t n = tcp4(in, 20000);
	struct ipsp_packet p = packet_of(1, 1000, 3);

	sa_pair(IPSP_SA_TUNNEL, 0);
	p.offload.gso_size = 1448;
	p.offload.gso_type = IPSP_GSO_TCPV4;
	ck_assert_uint_eq(answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, n))->verdict,
			  IPSP_VERDICT_DROP);
}
END_TEST

START_TEST(too_big_says_so)
{
	struct ipsp_packet p = packet_of(1, 1, 1);
	const struct ipsp_answer *a;
	uint8_t in[2000];

	sa_pair(IPSP_SA_TUNNEL, 0);
	packet4(in, 17, 1500, 1);
	a = answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, 1500));
	ck_assert_uint_eq(a->verdict, IPSP_VERDICT_TOOBIG);
	ck_assert_uint_eq(a->mtu, 1438);
	p.flags = IPSP_PKT_LOCAL | IPSP_PKT_IGNORE_DF;
	a = answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, 1500));
	ck_assert_uint_eq(a->verdict, IPSP_VERDICT_TRANSFORMED);
}
END_TEST

START_TEST(unfinished_udp_checksum_is_finished)
{
	struct ipsp_packet p = packet_of(1, 5, 1);
	uint8_t in[600], esp[800], *out;
	uint32_t len, n = 100 + (uint32_t)_i;
	uint64_t sum;
	uint16_t field;

	sa_pair(IPSP_SA_TUNNEL, 0);
	packet4(in, 17, n, 0);
	ip_set16(in + 24, (uint16_t)(n - 20));
	field = (uint16_t)~checksum_fold(checksum_pseudo(4, in + 12, in + 16, 17, n - 20));
	memcpy(in + 26, &field, 2);
	p.offload = (struct ipsp_offload){ .flags = IPSP_OFFLOAD_NEEDS_CSUM, .csum_start = 20,
					   .csum_offset = 6 };
	answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, n));
	out = answer_data(&len);
	memcpy(esp, out, len);
	p = packet_of(2, 5, 1);
	answer(record(IPSP_REC_UNPROTECT, &p, sizeof(p), esp, len));
	out = answer_data(&len);
	sum = checksum_pseudo(4, out + 12, out + 16, 17, n - 20);
	ck_assert_uint_eq(checksum_fold(checksum_add(sum, out + 20, n - 20)), 0);
}
END_TEST

/* Nothing that is finished here begins inside the IP header, which the kernel compares. */
START_TEST(checksum_inside_the_ip_header_is_refused)
{
	struct ipsp_packet p = packet_of(1, 5, 1);
	uint8_t in[100];

	sa_pair(IPSP_SA_TRANSPORT, 0);
	packet4(in, 17, 100, 0);
	p.offload = (struct ipsp_offload){ .flags = IPSP_OFFLOAD_NEEDS_CSUM,
					   .csum_start = (uint16_t)_i, .csum_offset = 0 };
	ck_assert_uint_eq(answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, 100))->reason,
			  IPSP_DROP_MALFORMED);
}
END_TEST

/* RFC 4303 3.1.1: a fragment goes through a tunnel, never into transport mode. */
START_TEST(fragment_needs_a_tunnel)
{
	struct ipsp_packet p = packet_of(1, 5, 1);
	uint8_t in[100];

	sa_pair(_i ? IPSP_SA_TUNNEL : IPSP_SA_TRANSPORT, 0);
	packet4(in, 17, 100, 0);
	ip_set16(in + 6, 0x2000);
	ip_set_length(in, 20, 100);
	p.flags = IPSP_PKT_FRAGMENT;
	ck_assert_uint_eq(answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, 100))->reason,
			  _i ? 0 : IPSP_DROP_UNSUPPORTED);
}
END_TEST

/* ---- classify ------------------------------------------------------------------------------ */

static struct ipsp_policy_entry policy_of(uint32_t index, uint32_t priority, uint8_t action)
{
	struct ipsp_policy_entry e = {
		.protect = { .selector = { .family = 4, .source_last = 0xffff,
					   .destination_last = 0xffff },
			     .direction = IPSP_DIR_OUT, .clear = action == IPSP_POLICY_BYPASS,
			     .priority = priority, .index = index },
		.action = action,
		.templates = action == IPSP_POLICY_APPLY,
		.template_ = { { .reqid = 1, .family = 4, .protocol = 50, .mode = IPSP_SA_TUNNEL } },
	};

	return e;
}

static const struct ipsp_answer *classify(uint8_t protocol)
{
	struct ipsp_packet p = { .family = 4, .direction = IPSP_DIR_OUT };
	uint8_t in[100];

	packet4(in, protocol, 100, 0);
	return answer(record(IPSP_REC_CLASSIFY, &p, sizeof(p), in, 100));
}

static void policies(uint32_t operation, const struct ipsp_policy_entry *e, uint32_t n)
{
	struct ipsp_policy p = { .operation = operation, .count = n };

	control(IPSP_REC_POLICY, &p, sizeof(p), e, n * sizeof(*e));
}

START_TEST(policy_order_decides)
{
	struct ipsp_policy_entry e[3] = { policy_of(1, 10, IPSP_POLICY_APPLY),
					  policy_of(2, 5, IPSP_POLICY_DROP),
					  policy_of(3, 7, IPSP_POLICY_BYPASS) };

	ck_assert_uint_eq(classify(17)->verdict, IPSP_VERDICT_BYPASS);	/* no policy */
	e[1].protect.selector.protocol = 1;
	e[2].protect.selector.protocol = 6;
	policies(IPSP_POLICY_REPLACE, e, 3);
	ck_assert_uint_eq(classify(17)->reason, IPSP_DROP_NO_SA);
	sa_pair(IPSP_SA_TUNNEL, 0);
	ck_assert_uint_eq(classify(17)->verdict, IPSP_VERDICT_CLASSIFY);
	ck_assert_uint_eq(classify(17)->handle[0], 1);
	ck_assert_uint_eq(classify(1)->reason, IPSP_DROP_POLICY);
	ck_assert_uint_eq(classify(6)->verdict, IPSP_VERDICT_BYPASS);
	policies(IPSP_POLICY_DELETE, &e[1], 1);
	ck_assert_uint_eq(classify(1)->verdict, IPSP_VERDICT_CLASSIFY);
}
END_TEST

/* What it needs an SA for, and behind it that the packet is held. */
START_TEST(policy_without_sa_asks)
{
	struct ipsp_packet p = { .family = 4, .direction = IPSP_DIR_OUT, .mark = 5 };
	struct ipsp_policy_entry e = policy_of(7, 10, IPSP_POLICY_APPLY);
	const struct ipsp_record *first = (const struct ipsp_record *)up, *rec, *second;
	const struct ipsp_acquire *acquire = (const struct ipsp_acquire *)(first + 1);
	const struct ipsp_answer *verdict;
	uint8_t in[100];
	size_t len;

	e.acquire = 9;
	policies(IPSP_POLICY_REPLACE, &e, 1);
	packet4(in, 17, 100, 0);
	rec = record(IPSP_REC_CLASSIFY, &p, sizeof(p), in, 100);
	ck_assert_uint_eq(transform_answer(transform, rec, up, transform_room(rec) - 64), TRANSFORM_NO_ROOM);
	len = transform_answer(transform, rec, up, transform_room(rec));
	ck_assert_uint_le(len, transform_room(rec));
	ck_assert(ipsp_record_is_sane(first, (uint32_t)len) && first->type == IPSP_REC_ACQUIRE && !first->ticket);
	ck_assert_uint_eq(first->control_len, sizeof(*acquire));
	second = (const struct ipsp_record *)(up + first->len);
	ck_assert_uint_eq(len, first->len + second->len);
	ck_assert(ipsp_record_is_sane(second, second->len) && second->type == IPSP_REC_ANSWER && second->ticket == 42);
	verdict = (const struct ipsp_answer *)(second + 1);
	ck_assert_uint_eq(verdict->verdict, IPSP_VERDICT_HOLD);
	ck_assert_uint_eq(verdict->acquire, 9);
	ck_assert_uint_eq(acquire->acquire, 9);
	ck_assert_uint_eq(acquire->policy, 7);
	ck_assert_uint_eq(acquire->selector.source_prefix, 32);
	ck_assert_mem_eq(acquire->selector.source, in + 12, 4);
	ck_assert_mem_eq(acquire->selector.destination, in + 16, 4);
	ck_assert_uint_eq(acquire->selector.protocol, 17);
	ck_assert_uint_eq(acquire->selector.mark, 5);
	ck_assert(ipsp_selector_is_valid(&acquire->selector));
	e.template_[0].optional = 1;
	policies(IPSP_POLICY_REPLACE, &e, 1);
	ck_assert_uint_eq(classify(17)->verdict, IPSP_VERDICT_BYPASS);	/* what is optional goes in clear, as without an id */
	sa_pair(IPSP_SA_TUNNEL, 0);
	ck_assert_uint_eq(classify(17)->verdict, IPSP_VERDICT_CLASSIFY);	/* with an SA it does not ask */
}
END_TEST

/* What a UDP packet meets that was sealed with handle 1 and comes in by handle 2: 0, or why it is dropped. */
static uint16_t refusal(uint64_t number)
{
	struct ipsp_packet p = packet_of(1, number, 1);
	const struct ipsp_answer *a;
	uint8_t in[100], esp[300];
	uint32_t len;

	answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, packet4(in, 17, 100, 0)));
	memcpy(esp, answer_data(&len), 200);
	p = packet_of(2, number, 1);
	a = answer(record(IPSP_REC_UNPROTECT, &p, sizeof(p), esp, len));
	ck_assert(a->verdict == IPSP_VERDICT_TRANSFORMED || a->verdict == IPSP_VERDICT_DROP);
	return a->reason;
}

/* RFC 4301 5.2: what an SA brought is taken where the policy for it names that SA. */
START_TEST(inbound_policy_names_its_sa)
{
	static const uint8_t mode[2] = { IPSP_SA_TUNNEL, IPSP_SA_TRANSPORT };
	struct ipsp_policy_entry e[2] = { policy_of(1, 10, IPSP_POLICY_APPLY), policy_of(2, 10, IPSP_POLICY_APPLY) };

	sa_pair(mode[_i], 0);
	ck_assert_uint_eq(refusal(1), 0);		/* no policy at all: the rules decide */
	e[0].protect.direction = e[1].protect.direction = IPSP_DIR_IN;
	e[0].template_[0].mode = e[1].template_[0].mode = mode[_i];
	policies(IPSP_POLICY_REPLACE, e, 1);
	ck_assert_uint_eq(refusal(2), 0);
	ck_assert_uint_eq(refusal(3), 0);
	e[0].template_[0].reqid = 2;			/* another peer's, though it was admitted a moment ago */
	policies(IPSP_POLICY_REPLACE, e, 1);
	ck_assert_uint_eq(refusal(4), IPSP_DROP_POLICY);
	e[1].protect.direction = IPSP_DIR_FWD;		/* unless it goes on by one that names this SA */
	policies(IPSP_POLICY_REPLACE, e, 2);
	ck_assert_uint_eq(refusal(5), 0);
	e[0].template_[0].reqid = 1;
	e[0].template_[0].spi = htobe32(0x1001);
	policies(IPSP_POLICY_REPLACE, e, 1);
	ck_assert_uint_eq(refusal(6), IPSP_DROP_POLICY);
	e[0].action = IPSP_POLICY_BYPASS;
	policies(IPSP_POLICY_REPLACE, e, 1);
	ck_assert_uint_eq(refusal(7), IPSP_DROP_POLICY);
	e[0].protect.selector.protocol = 6;		/* no policy for UDP */
	policies(IPSP_POLICY_REPLACE, e, 1);
	ck_assert_uint_eq(refusal(8), 0);
	e[0].protect.selector.protocol = 17;
	e[0].action = IPSP_POLICY_APPLY;
	e[0].template_[0].reqid = 2;
	e[0].templates = IPSP_STAMPS + 3;		/* the next policy's would be among so many */
	e[1].protect.direction = IPSP_DIR_OUT;
	policies(IPSP_POLICY_REPLACE, e, 2);
	ck_assert_uint_eq(refusal(9), IPSP_DROP_POLICY);
}
END_TEST

START_TEST(the_newest_sa_is_taken)
{
	struct ipsp_policy_entry e = policy_of(1, 10, IPSP_POLICY_APPLY);
	struct ipsp_sa newer = sa_of(7, IPSP_DIR_OUT, IPSP_SA_TUNNEL), id = { .handle = 7 };

	sa_pair(IPSP_SA_TUNNEL, 0);
	policies(IPSP_POLICY_REPLACE, &e, 1);
	newer.spi = htobe32(0x2000);
	sa_add(&newer);
	ck_assert_uint_eq(classify(17)->handle[0], 7);
	control(IPSP_REC_SA_DELETE, &id, sizeof(id), NULL, 0);
	ck_assert_uint_eq(classify(17)->handle[0], 1);
}
END_TEST

START_TEST(a_full_sad_is_a_note)
{
	struct ipsp_sa sa;
	uint32_t i;

	for (i = 1; i <= 16; i++) {
		sa = sa_of(i, IPSP_DIR_OUT, IPSP_SA_TUNNEL);
		sa_add(&sa);
	}
	sa = sa_of(17, IPSP_DIR_OUT, IPSP_SA_TUNNEL);
	ck_assert_uint_gt(transform_answer(transform, record(IPSP_REC_SA_ADD, &sa, sizeof(sa), NULL, 0),
					   up, sizeof(up)), 0);
	ck_assert_uint_eq(((struct ipsp_record *)up)->type, IPSP_REC_NOTE);
}
END_TEST

/* RFC 6040 figure 4. */
START_TEST(ecn_on_decapsulation)
{
	static const int inner_outer[4][4] = {	/* [inner][outer]: not-ECT, ECT1, ECT0, CE */
		{ 0, 0, 0, -1 }, { 1, 1, 1, 3 }, { 2, 1, 2, 3 }, { 3, 3, 3, 3 },
	};
	uint8_t i, o;

	for (i = 0; i < 4; i++)
		for (o = 0; o < 4; o++)
			ck_assert_int_eq(ecn_inner(i, o, 0), inner_outer[i][o]);
	ck_assert_int_eq(ecn_inner(0xb8, 0x00, 0), 0xb8);
	ck_assert_int_eq(ecn_inner(0x00, 0xb8, IPSP_SAF_DECAP_DSCP), 0xb8);
}
END_TEST

static int algorithms(void)
{
	int n = 0;

	while (algorithm_table[n].name[0])
		n++;
	return n;
}

int main(void)
{
	Suite *suite = suite_create("transform");
	TCase *c = tcase_create("records");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, rfc7634_packet);
	tcase_add_loop_test(c, rfc7634_packet_altered, 0, 120);
	tcase_add_test(c, rfc4106_packet_esn);
	tcase_add_loop_test(c, comes_back_as_it_was, 0, 4);
	tcase_add_loop_test(c, every_algorithm_comes_back, 0, 2 * algorithms());
	tcase_add_loop_test(c, upper_half_is_authenticated, 0, algorithms());
	tcase_add_loop_test(c, implicit_iv_is_only_not_sent, 0, 3);
	tcase_add_test(c, every_altered_byte_is_refused);
	tcase_add_test(c, super_packet_is_cut);
	tcase_add_test(c, more_segments_than_numbers_is_refused);
	tcase_add_test(c, too_big_says_so);
	tcase_add_loop_test(c, unfinished_udp_checksum_is_finished, 0, 4);
	tcase_add_loop_test(c, checksum_inside_the_ip_header_is_refused, 0, 20);
	tcase_add_loop_test(c, fragment_needs_a_tunnel, 0, 2);
	tcase_add_test(c, policy_order_decides);
	tcase_add_test(c, policy_without_sa_asks);
	tcase_add_loop_test(c, inbound_policy_names_its_sa, 0, 2);
	tcase_add_test(c, the_newest_sa_is_taken);
	tcase_add_test(c, a_full_sad_is_a_note);
	tcase_add_test(c, ecn_on_decapsulation);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
