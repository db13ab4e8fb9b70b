// SPDX-License-Identifier: GPL-2.0
/* test_transform_edges - what is finished for the host's stack, records that lie, sizes at their ends */
#include <stdlib.h>

#include "ipsec/checksum.h"
#include "ipsec/ecn.h"
#include "ipsec/esp.h"
#include "ipsec/transform.h"
#include "ipsec_port_ring.h"
#include "suite.h"
#include "transform_world.h"

static struct transform *transform;
static uint8_t memory[8 << 20] __attribute__((aligned(64)));
static uint8_t up[1 << 20] __attribute__((aligned(64)));
static uint8_t down[256 << 10] __attribute__((aligned(64)));

static void setup(void)
{
	transform = transform_begin(memory, sizeof(memory), 16);
}

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

/* A packet that is to leave, and why it does not */
static void dropped(const struct ipsp_packet *p, const void *packet, uint32_t len, uint16_t reason)
{
	const struct ipsp_answer *a = answer(record(IPSP_REC_PROTECT, p, sizeof(*p), packet, len));

	ck_assert_uint_eq(a->verdict, IPSP_VERDICT_DROP);
	ck_assert_uint_eq(a->reason, reason);
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

/* ---- records that lie --------------------------------------------------------------------- */

/* What the record says it is may not be there: then none of it is read. */
START_TEST(a_record_too_short_is_a_note)
{
	static const uint16_t types[] = { IPSP_REC_CLASSIFY, IPSP_REC_PROTECT, IPSP_REC_UNPROTECT, IPSP_REC_SA_ADD,
					  IPSP_REC_POLICY, IPSP_REC_CONFIG };
	struct ipsp_record *rec = calloc(1, sizeof(*rec));	/* ASan guards its end */

	rec->type = types[_i];
	rec->len = rec->data_offset = sizeof(*rec);
	ck_assert_uint_le(transform_room(rec), 192);
	ck_assert_uint_eq(transform_answer(transform, rec, up, sizeof(up)), 128);
	ck_assert_uint_eq(((struct ipsp_record *)up)->type, IPSP_REC_NOTE);
	free(rec);
}
END_TEST

START_TEST(a_record_that_lies_is_a_note)
{
	const struct ipsp_packet about = { .stamp = { { 1, 1, 1 } } };
	struct ipsp_record *rec = record(IPSP_REC_PROTECT, &about, sizeof(about), "E", 1);

	rec->data_len = 1u << 30;
	ck_assert_uint_le(transform_room(rec), 192);
	ck_assert_uint_eq(transform_answer(transform, rec, up, sizeof(up)), 128);
	ck_assert_uint_eq(((struct ipsp_record *)up)->type, IPSP_REC_NOTE);
}
END_TEST

/* ---- what is finished for the host's stack ---------------------------------------------- */

/* Through the tunnel and out of it again; `in` is not changed. */
static uint8_t *there_and_back(const uint8_t *in, uint32_t n, uint16_t protocol_at, uint16_t field)
{
	struct ipsp_packet p = packet_of(1, 5, 1);
	uint8_t esp[2000];
	uint32_t len;

	p.offload = (struct ipsp_offload){ .flags = IPSP_OFFLOAD_NEEDS_CSUM, .csum_start = protocol_at,
					   .csum_offset = field };
	ck_assert_uint_eq(answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, n))->verdict, IPSP_VERDICT_TRANSFORMED);
	memcpy(esp, answer_data(&len), sizeof(esp));
	p = packet_of(2, 5, 1);
	ck_assert_uint_eq(answer(record(IPSP_REC_UNPROTECT, &p, sizeof(p), esp, len))->verdict, IPSP_VERDICT_TRANSFORMED);
	return answer_data(&len);
}

/* The CRC of "123456789" is 0xe3069283 (RFC 3720 B.4's polynomial); SCTP's lies low byte first, over a field of zeroes. */
START_TEST(unfinished_sctp_checksum_is_finished)
{
	uint32_t n = 120 + (uint32_t)_i, crc;
	uint8_t in[200], *out;

	ck_assert_uint_eq(~checksum_crc32c(~0u, (const uint8_t *)"123456789", 9), 0xe3069283u);
	sa_pair(IPSP_SA_TUNNEL, 0);
	packet4(in, 132, n, 0);
	memset(in + 28, 0, 4);
	out = there_and_back(in, n, 20, 8);
	memcpy(&crc, out + 28, 4);
	memset(out + 28, 0, 4);
	ck_assert_mem_eq(out, in, n);
	ck_assert_uint_eq(crc, ~checksum_crc32c(~0u, in + 20, n - 20));
}
END_TEST

/* A field at an odd place: the sum is taken over the packet as it lies. */
START_TEST(checksum_at_an_odd_place_is_finished)
{
	uint8_t in[121], *out;
	uint16_t sum;

	sa_pair(IPSP_SA_TUNNEL, 0);
	packet4(in, 200, sizeof(in), 0);
	sum = checksum_fold(checksum_add(0, in + 20, sizeof(in) - 20));
	out = there_and_back(in, sizeof(in), 20, 5);
	ck_assert_mem_eq(out + 25, &sum, 2);
}
END_TEST

/* RFC 768: a sum of zero is sent as all ones. The payload's last word makes it one. */
START_TEST(udp_checksum_is_never_zero)
{
	uint8_t in[120], *out;
	uint16_t ones = 0xffff;

	sa_pair(IPSP_SA_TUNNEL, 0);
	packet4(in, 17, sizeof(in), 0);
	memset(in + 118, 0, 2);
	out = there_and_back(in, sizeof(in), 20, 6);
	memcpy(in + 118, out + 26, 2);
	out = there_and_back(in, sizeof(in), 20, 6);
	ck_assert_mem_eq(out + 26, &ones, 2);
}
END_TEST

/* The same for a super-packet's segment. */
START_TEST(udp_segment_checksum_is_never_zero)
{
	struct ipsp_packet p = packet_of(1, 5, 4);
	const uint16_t ones = 0xffff;
	uint8_t in[20 + 8 + 400], esp[2000];
	uint32_t len;
	int i;

	sa_pair(IPSP_SA_TUNNEL, 0);
	packet4(in, 17, sizeof(in), 0);
	memset(in + 28 + 198, 0, 2);
	p.offload = (struct ipsp_offload){ .gso_type = IPSP_GSO_UDP_L4, .gso_size = 200 };
	for (i = 0; i < 2; i++) {
		struct ipsp_packet back = packet_of(2, 5, 1);
		const struct ipsp_answer *a = answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, sizeof(in)));
		uint32_t first = a->segment_len;

		ck_assert_uint_eq(a->segments, 2);
		memcpy(esp, answer_data(&len), sizeof(esp));
		answer(record(IPSP_REC_UNPROTECT, &back, sizeof(back), esp, first));
		memcpy(in + 28 + 198, answer_data(&len) + 26, 2);	/* the first time: what is missing to zero */
	}
	ck_assert_mem_eq(in + 28 + 198, &ones, 2);
}
END_TEST

/* As UDP only UDP is cut: of anything else nobody knows what to repeat. */
START_TEST(only_udp_is_cut_as_udp)
{
	static const struct {
		uint8_t protocol, fragment;
	} other[] = { { 6, 0 }, { 1, 0 }, { 17, 0x20 } };
	struct ipsp_packet p = packet_of(1, 5, 4);
	uint8_t in[20 + 8 + 400];

	sa_pair(IPSP_SA_TUNNEL, 0);
	packet4(in, other[_i].protocol, sizeof(in), 0);
	in[6] = other[_i].fragment;
	p.offload = (struct ipsp_offload){ .gso_type = IPSP_GSO_UDP_L4, .gso_size = 200 };
	dropped(&p, in, sizeof(in), IPSP_DROP_UNSUPPORTED);
}
END_TEST

/* A super-packet of UDP without the header that each segment would repeat */
START_TEST(a_udp_header_that_is_not_there_is_not_repeated)
{
	struct ipsp_packet p = packet_of(1, 5, 4);
	uint8_t in[27];

	sa_pair(IPSP_SA_TUNNEL, 0);
	packet4(in, 17, sizeof(in), 0);
	p.offload = (struct ipsp_offload){ .gso_type = IPSP_GSO_UDP_L4, .gso_size = 200 };
	dropped(&p, in, sizeof(in), IPSP_DROP_MALFORMED);
}
END_TEST

/* ---- rows: many segments, a cipher and a MAC ------------------------------------------------ */

#define ROWS_PAYLOAD	200
#define ROWS_SEGMENTS	(2 * CRYPTO_ROW_MAX + 3)
#define ROWS_LEN	(28 + (ROWS_SEGMENTS - 1) * ROWS_PAYLOAD + 77)

static const char *const rows_ciphers[] = { "cbc(aes)", "rfc3686(ctr(aes))" };

/* A transform anew, whose SAs are of that engine; what it makes of the super-packet is left in `up`. */
static uint32_t rows_seal(const char *cipher, uint32_t engine, const uint8_t *in)
{
	struct ipsp_sa sa[2] = { sa_of(1, IPSP_DIR_OUT, IPSP_SA_TUNNEL), sa_of(2, IPSP_DIR_IN, IPSP_SA_TUNNEL) };
	struct ipsp_config config = { .engine = { engine } };
	struct ipsp_packet p = packet_of(1, 5, ROWS_SEGMENTS);
	int i;

	setup();
	control(IPSP_REC_CONFIG, &config, sizeof(config), NULL, 0);
	for (i = 0; i < 2; i++) {
		memset(&sa[i].aead, 0, sizeof(sa[i].aead));
		strcpy(sa[i].cipher.name, cipher);
		sa[i].cipher.key_bits = cipher[0] == 'r' ? 160 : 128;
		strcpy(sa[i].auth.name, "hmac(sha256)");
		sa[i].auth.key_bits = 256;
		sa[i].auth.icv_bits = 128;
		sa_add(&sa[i]);
	}
	p.offload = (struct ipsp_offload){ .gso_type = IPSP_GSO_UDP_L4, .gso_size = ROWS_PAYLOAD };
	ck_assert_uint_eq(answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, ROWS_LEN))->segments, ROWS_SEGMENTS);
	return ((const struct ipsp_answer *)(up + sizeof(struct ipsp_record)))->segment_len;
}

/* Segment i comes out as the payload that it was cut from, behind headers of its length. */
static void rows_open(const uint8_t *esp, uint32_t len, uint32_t i, const uint8_t *in)
{
	const uint32_t payload = i + 1 < ROWS_SEGMENTS ? ROWS_PAYLOAD : 77;
	struct ipsp_packet p = packet_of(2, 5 + i, 1);
	const uint8_t *out;

	ck_assert_uint_eq(answer(record(IPSP_REC_UNPROTECT, &p, sizeof(p), esp, len))->verdict,
			  IPSP_VERDICT_TRANSFORMED);
	out = answer_data(&len);
	ck_assert_uint_eq(len, 28 + payload);
	ck_assert_mem_eq(out + 28, in + 28 + i * ROWS_PAYLOAD, payload);
}

/* More than two rows, the last not full: the bytes are those of an engine that seals one by one, and all come out. */
START_TEST(rows_are_sealed_as_one_by_one)
{
	static uint8_t in[ROWS_LEN], rows[sizeof(up)];
	uint32_t i, len, segment;
	const uint8_t *made;

	packet4(in, 17, sizeof(in), 0);
	segment = rows_seal(rows_ciphers[_i], IPSP_ENGINE_IPSECMB, in);
	made = answer_data(&len);
	memcpy(rows, made, len);
	ck_assert_uint_eq(rows_seal(rows_ciphers[_i], IPSP_ENGINE_OPENSSL, in), segment);
	ck_assert_mem_eq(answer_data(&i), rows, len);
	ck_assert_uint_eq(i, len);
	for (i = 0; i < ROWS_SEGMENTS; i++, len -= segment)
		rows_open(rows + i * segment, len < segment ? len : segment, i, in);
}
END_TEST

/* Too long for IP: nothing of a row is sent. */
START_TEST(a_row_that_is_too_long_is_refused)
{
	static uint8_t in[65535];
	struct ipsp_packet p = packet_of(1, 5, 2);
	struct ipsp_sa sa = sa_of(1, IPSP_DIR_OUT, IPSP_SA_TUNNEL);

	memset(&sa.aead, 0, sizeof(sa.aead));
	strcpy(sa.cipher.name, "cbc(aes)");
	sa.cipher.key_bits = 128;
	strcpy(sa.auth.name, "hmac(sha256)");
	sa.auth.key_bits = 256;
	sa.auth.icv_bits = 128;
	sa_add(&sa);
	packet4(in, 17, sizeof(in), 0);
	p.offload = (struct ipsp_offload){ .gso_type = IPSP_GSO_UDP_L4, .gso_size = 65480 };
	dropped(&p, in, sizeof(in), IPSP_DROP_MALFORMED);
}
END_TEST

/* ---- ESP in UDP -------------------------------------------------------------------------------- */

/* Its header is that of RFC 3948; behind a NAT the transport checksum is vouched for, in transport mode alone. */
START_TEST(esp_in_udp_comes_back)
{
	struct ipsp_sa sa[2] = { sa_of(1, IPSP_DIR_OUT, _i ? IPSP_SA_TUNNEL : IPSP_SA_TRANSPORT),
				 sa_of(2, IPSP_DIR_IN, _i ? IPSP_SA_TUNNEL : IPSP_SA_TRANSPORT) };
	struct ipsp_packet p = packet_of(1, 5, 1);
	const struct ipsp_answer *a;
	uint8_t in[500], esp[1000];
	uint32_t i, len;

	for (i = 0; i < 2; i++) {
		sa[i].encap_source = htobe16(i ? 4500 : 4501);
		sa[i].encap_destination = htobe16(i ? 4501 : 4500);
		sa_add(&sa[i]);
	}
	packet4(in, 17, sizeof(in), 0);
	answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, sizeof(in)));
	memcpy(esp, answer_data(&len), sizeof(esp));
	ck_assert(ip_is_intact((struct ip_bytes){ esp, len }));
	ck_assert_uint_eq(esp[9], 17);
	ck_assert_uint_eq(ip_get16(esp + 20), 4501);
	ck_assert_uint_eq(ip_get16(esp + 22), 4500);
	ck_assert_uint_eq(ip_get16(esp + 24), len - 20);
	ck_assert_uint_eq(ip_get16(esp + 26), 0);
	ck_assert_mem_eq(esp + 28, &sa[0].spi, 4);
	p = packet_of(2, 5, 1);
	a = answer(record(IPSP_REC_UNPROTECT, &p, sizeof(p), esp, len));
	ck_assert_uint_eq(a->verdict, IPSP_VERDICT_TRANSFORMED);
	ck_assert_uint_eq(a->offload.flags, _i ? 0 : IPSP_OFFLOAD_DATA_VALID);
	ck_assert_mem_eq(answer_data(&len), in, sizeof(in));
	ck_assert_uint_eq(len, sizeof(in));
}
END_TEST

/* ---- refusals ---------------------------------------------------------------------------------- */

/* Errors leave things as they were: what an SA is updated to may be refused, the SA stays. */
START_TEST(a_refused_update_changes_nothing)
{
	struct ipsp_sa sa = sa_of(1, IPSP_DIR_OUT, IPSP_SA_TUNNEL);
	struct ipsp_packet p = packet_of(1, 1, 1);
	uint8_t in[100];

	sa_add(&sa);
	if (_i)
		sa.mode = 9;
	else
		sa.aead.icv_bits = 8;
	ck_assert_uint_eq(transform_answer(transform, record(IPSP_REC_SA_UPDATE, &sa, sizeof(sa), NULL, 0), up,
					   sizeof(up)), 128);
	ck_assert_uint_eq(((struct ipsp_record *)up)->type, IPSP_REC_NOTE);
	packet4(in, 17, sizeof(in), 0);
	ck_assert_uint_eq(answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, sizeof(in)))->verdict,
			  IPSP_VERDICT_TRANSFORMED);
}
END_TEST

/* ---- edges ------------------------------------------------------------------------------ */

/* Who insists on nothing gets no DF, in transport mode and BEET, where the header is the packet's own. */
START_TEST(df_is_cleared_where_it_is_the_packets_own)
{
	struct ipsp_sa sa = sa_of(1, IPSP_DIR_OUT, _i ? IPSP_SA_BEET : IPSP_SA_TRANSPORT);
	struct ipsp_packet p = packet_of(1, 1, 1);
	uint8_t in[1500];
	uint32_t len;

	if (_i) {
		sa.selector.family = 4;
		sa.selector.source_prefix = sa.selector.destination_prefix = 32;
		memcpy(sa.selector.source, left4, 16);
		memcpy(sa.selector.destination, right4, 16);
	}
	sa_add(&sa);
	packet4(in, 17, sizeof(in), 1);
	p.flags = IPSP_PKT_LOCAL | IPSP_PKT_IGNORE_DF;
	ck_assert_uint_eq(answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, sizeof(in)))->verdict,
			  IPSP_VERDICT_TRANSFORMED);
	ck_assert_uint_eq(answer_data(&len)[6] & 0x40, 0);
	ck_assert(ip_is_intact((struct ip_bytes){ answer_data(&len), len }));
}
END_TEST

START_TEST(what_would_be_too_long_for_ip_is_refused)
{
	struct ipsp_packet p = packet_of(1, 1, 1);
	static uint8_t in[65530];

	sa_pair(IPSP_SA_TUNNEL, 0);
	packet4(in, 17, sizeof(in), 0);
	p.flags = IPSP_PKT_LOCAL | IPSP_PKT_IGNORE_DF;
	ck_assert_uint_eq(answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, sizeof(in)))->reason,
			  IPSP_DROP_MALFORMED);
}
END_TEST

START_TEST(ecn_is_left_alone_when_told_so)
{
	ck_assert_int_eq(ecn_inner(0, ECN_CE, IPSP_SAF_NOECN), 0);
	ck_assert_int_eq(ecn_inner(0x41, 0x83, IPSP_SAF_NOECN | IPSP_SAF_DECAP_DSCP), 0x81);
}
END_TEST

/* What transform_arena_size() says is enough, and much less is not. */
START_TEST(an_arena_of_the_size_it_says)
{
	const struct transform_config config = { 16, 16 };
	const size_t size = transform_arena_size(&config);
	struct arena arena;
	size_t less;

	ck_assert_uint_le(size, sizeof(memory) / 2);
	arena_init(&arena, memory + 1, size);	/* not aligned: that is allowed for */
	ck_assert_ptr_nonnull(transform_init(&arena, &config));
	for (less = 0; less + 2 * ARENA_ALIGN < size; less += ARENA_ALIGN) {
		arena_init(&arena, memory, less);
		ck_assert_ptr_null(transform_init(&arena, &config));
	}
	ck_assert_uint_eq(arena_cost(SIZE_MAX, 2), SIZE_MAX);
	ck_assert_uint_eq(arena_cost(SIZE_MAX, 1), SIZE_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transform_edges");
	TCase *c = tcase_create("edges");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, a_record_too_short_is_a_note, 0, 6);
	tcase_add_test(c, a_record_that_lies_is_a_note);
	tcase_add_loop_test(c, unfinished_sctp_checksum_is_finished, 0, 4);
	tcase_add_test(c, checksum_at_an_odd_place_is_finished);
	tcase_add_test(c, udp_checksum_is_never_zero);
	tcase_add_test(c, udp_segment_checksum_is_never_zero);
	tcase_add_loop_test(c, only_udp_is_cut_as_udp, 0, 3);
	tcase_add_test(c, a_udp_header_that_is_not_there_is_not_repeated);
	tcase_add_loop_test(c, rows_are_sealed_as_one_by_one, 0, 2);
	tcase_add_test(c, a_row_that_is_too_long_is_refused);
	tcase_add_loop_test(c, esp_in_udp_comes_back, 0, 2);
	tcase_add_loop_test(c, a_refused_update_changes_nothing, 0, 2);
	tcase_add_loop_test(c, df_is_cleared_where_it_is_the_packets_own, 0, 2);
	tcase_add_test(c, what_would_be_too_long_for_ip_is_refused);
	tcase_add_test(c, ecn_is_left_alone_when_told_so);
	tcase_add_test(c, an_arena_of_the_size_it_says);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
