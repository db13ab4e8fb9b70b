// SPDX-License-Identifier: GPL-2.0
/* test_transform_edges - what is finished for the host's stack, records that lie, sizes at their ends */
#include <stdlib.h>

#include "ipsec/checksum.h"
#include "ipsec/ecn.h"
#include "ipsec/esp.h"
#include "ipsec/transform.h"
#include "ipsec_port_ring.h"
#include "suite.h"

static struct transform *transform;
static uint8_t memory[8 << 20] __attribute__((aligned(64)));
static uint8_t up[1 << 20] __attribute__((aligned(64)));
static uint8_t down[256 << 10] __attribute__((aligned(64)));

static void setup(void)
{
	const struct transform_config config = { 16, 16 };
	struct arena arena;

	ck_assert_int_eq(crypto_init(), 0);
	arena_init(&arena, memory, sizeof(memory));
	transform = transform_init(&arena, &config);
	ck_assert_ptr_nonnull(transform);
}

static struct ipsp_record *record(uint16_t type, const void *control, uint32_t control_len,
				  const void *data, uint32_t data_len)
{
	struct ipsp_record *rec = (struct ipsp_record *)down;

	memset(down, 0, 1024);
	rec->type = type;
	rec->ticket = 42;
	rec->control_len = control_len;
	rec->data_offset = ipsp_record_data_offset(control_len);
	rec->data_len = data_len;
	rec->len = (rec->data_offset + data_len + 63) & ~63u;
	memcpy(rec + 1, control, control_len);
	if (data_len)
		memcpy(down + rec->data_offset, data, data_len);
	return rec;
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
	const struct ipsp_answer *a;

	sa_pair(IPSP_SA_TUNNEL, 0);
	packet4(in, other[_i].protocol, sizeof(in), 0);
	in[6] = other[_i].fragment;
	p.offload = (struct ipsp_offload){ .gso_type = IPSP_GSO_UDP_L4, .gso_size = 200 };
	a = answer(record(IPSP_REC_PROTECT, &p, sizeof(p), in, sizeof(in)));
	ck_assert_uint_eq(a->verdict, IPSP_VERDICT_DROP);
	ck_assert_uint_eq(a->reason, IPSP_DROP_UNSUPPORTED);
}
END_TEST

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

/* Who insists on nothing gets no DF, in transport mode, where the header is the packet's own. */
START_TEST(df_is_cleared_in_transport_mode)
{
	struct ipsp_packet p = packet_of(1, 1, 1);
	uint8_t in[1500];
	uint32_t len;

	sa_pair(IPSP_SA_TRANSPORT, 0);
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
	tcase_add_loop_test(c, a_refused_update_changes_nothing, 0, 2);
	tcase_add_test(c, df_is_cleared_in_transport_mode);
	tcase_add_test(c, what_would_be_too_long_for_ip_is_refused);
	tcase_add_test(c, ecn_is_left_alone_when_told_so);
	tcase_add_test(c, an_arena_of_the_size_it_says);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
