// SPDX-License-Identifier: GPL-2.0
/*
 * test_merge - segments of one super-packet become one; nothing else does
 *
 * The oracle is the other direction: a super-packet is cut by segment.c, which has tests of
 * its own against other implementations; merged, it must be the same bytes again.
 */
#include <stdlib.h>

#include "crypto/crypto.h"
#include "ipsec/checksum.h"
#include "ipsec/merge.h"
#include "ipsec/segment.h"
#include "ipsec/tcp.h"
#include "ipsec/transform.h"
#include "ipsec_port_ring.h"
#include "stack/loop.h"
#include "suite.h"
#include "transform_world.h"

#define SIZE	1000			/* payload of a segment */
#define COUNT	12

static struct {
	uint8_t at[2000];
	uint32_t len;
} segment[COUNT];
static uint8_t whole[COUNT * SIZE + 120], buffer[COUNT * 2000];
static uint32_t whole_len, ip_len;

/* ---- packets ------------------------------------------------------------------------- */

static void make_ip(uint8_t family, uint32_t total)
{
	uint32_t i;

	memset(whole, 0, 120);
	whole[0] = family == 4 ? 0x45 : 0x60;
	if (family == 4) {
		ip_set16(whole + 4, 65530);	/* the identification wraps */
		whole[8] = 64;
		whole[9] = IP_TCP;
	} else {
		whole[6] = IP_TCP;
		whole[7] = 64;
	}
	for (i = family == 4 ? 12 : 8; i < ip_len; i++)
		whole[i] = (uint8_t)(i * 7);
	ip_set_length(whole, ip_len, total);
}

/* A super-packet with 12 bytes of options, and what segment.c makes of it. */
static void make(uint8_t family, uint32_t payload, uint8_t flags)
{
	struct ipsp_packet about = { .mtu = 1500, .offload = { .gso_size = SIZE } };
	struct segment_plan plan;
	struct segment part;
	uint32_t i, header;

	ip_len = family == 4 ? IP_HEADER4 : IP_HEADER6;
	header = ip_len + TCP_HEADER + 12;
	whole_len = header + payload;
	make_ip(family, whole_len);
	ip_set32(whole + ip_len, 0x13891389);
	ip_set32(whole + ip_len + TCP_SEQ, 0xffffff00);	/* and so does this */
	whole[ip_len + TCP_OFFSET] = 8 << 4;
	whole[ip_len + TCP_FLAGS] = flags;
	for (i = ip_len + 14; i < whole_len; i++)
		whole[i] = i < header ? (uint8_t)(i + 1) : (uint8_t)(i * 31 >> 3);
	about.offload.gso_type = family == 4 ? IPSP_GSO_TCPV4 : IPSP_GSO_TCPV6;
	ck_assert_uint_eq(segment_plan(&plan, (struct ip_bytes){ whole, whole_len }, &about), 0);
	ck_assert_uint_le(plan.count, COUNT);
	for (i = 0; i < plan.count; i++) {
		segment_make(&plan, i, &part);
		memcpy(segment[i].at, part.header, part.header_len);
		memcpy(segment[i].at + part.header_len, part.body.at, part.body.len);
		segment[i].len = part.header_len + part.body.len;
	}
}

static void open_first(struct merge *m)
{
	memcpy(buffer, segment[0].at, segment[0].len);
	merge_open(m, buffer, segment[0].len);
}

static int add(struct merge *m, uint32_t i)
{
	if (!merge_has_room(m, segment[i].len))
		return 0;
	memcpy(merge_place(m), segment[i].at, segment[i].len);
	return merge_add(m, segment[i].len);
}

/* ---- what merges ----------------------------------------------------------------------- */

START_TEST(what_was_cut_is_whole_again)
{
	uint32_t i, payload = (COUNT - 1) * SIZE + 77;
	uint8_t family = _i ? 6 : 4;
	struct ipsp_offload offload;
	struct merge m;
	uint16_t sum;

	make(family, payload, TCP_ACK | TCP_PSH);
	open_first(&m);
	for (i = 1; i < COUNT; i++)
		ck_assert_int_eq(add(&m, i), 1);
	ck_assert_int_eq(merge_has_room(&m, segment[0].len), 0);	/* PSH ended it */
	merge_close(&m, &offload);
	ck_assert_ptr_null(m.packet);
	ck_assert_uint_eq(offload.gso_size, SIZE);
	ck_assert_uint_eq(offload.gso_type, family == 4 ? IPSP_GSO_TCPV4 : IPSP_GSO_TCPV6);
	ck_assert_uint_eq(offload.flags, IPSP_OFFLOAD_NEEDS_CSUM);
	ck_assert_uint_eq(offload.csum_start, ip_len);
	ck_assert_uint_eq(offload.csum_offset, TCP_CHECKSUM);
	/* finished as NEEDS_CSUM asks, the checksum is right */
	sum = checksum_fold(checksum_add(0, buffer + ip_len, whole_len - ip_len));
	memcpy(buffer + ip_len + TCP_CHECKSUM, &sum, sizeof(sum));
	sum = checksum_fold(checksum_add(checksum_pseudo(family, buffer + (family == 4 ? 12 : 8),
		buffer + (family == 4 ? 16 : 24), IP_TCP, whole_len - ip_len),
		buffer + ip_len, whole_len - ip_len));
	ck_assert_uint_eq(sum, 0);
	memset(buffer + ip_len + TCP_CHECKSUM, 0, 2);
	memset(whole + ip_len + TCP_CHECKSUM, 0, 2);
	ck_assert_mem_eq(buffer, whole, whole_len);
}
END_TEST

START_TEST(one_stays_as_it_came)
{
	struct ipsp_offload offload = { 0 };
	struct merge m;

	make(4, SIZE, TCP_ACK);
	open_first(&m);
	ck_assert_ptr_nonnull(m.packet);
	merge_close(&m, &offload);
	ck_assert_uint_eq(offload.flags, IPSP_OFFLOAD_DATA_VALID);
	ck_assert_uint_eq(offload.gso_size, 0);
	ck_assert_mem_eq(buffer, segment[0].at, segment[0].len);
}
END_TEST

/* ---- what does not --------------------------------------------------------------------- */

static void fix_checksums(uint8_t *p, uint32_t len)
{
	uint8_t family = *p >> 4;
	uint16_t sum = 0;

	ip_set_length(p, ip_len, len);
	memcpy(p + ip_len + TCP_CHECKSUM, &sum, 2);
	sum = checksum_fold(checksum_add(checksum_pseudo(family, p + (family == 4 ? 12 : 8),
		p + (family == 4 ? 16 : 24), IP_TCP, len - ip_len), p + ip_len, len - ip_len));
	memcpy(p + ip_len + TCP_CHECKSUM, &sum, 2);
}

/* Each byte that must be equal, made different, its checksums right; from the IP header. */
static const struct {
	const char *what;
	uint8_t family;
	uint32_t at;
	uint8_t change;
	int broken;			/* leave the checksum wrong */
} change[] = {
	{ "nothing", 4, 0, 0, 0 },
	{ "nothing", 6, 0, 0, 0 },
	{ "type of service", 4, 1, 4, 0 },
	{ "identification", 4, 5, 1, 0 },
	{ "DF", 4, 6, 0x40, 0 },
	{ "more fragments", 4, 6, 0x20, 0 },
	{ "TTL", 4, 8, 1, 0 },
	{ "protocol", 4, 9, 1, 0 },
	{ "source", 4, 15, 1, 0 },
	{ "destination", 4, 16, 1, 0 },
	{ "traffic class", 6, 1, 0x10, 0 },
	{ "flow label", 6, 3, 1, 0 },
	{ "hop limit", 6, 7, 1, 0 },
	{ "source", 6, 8, 1, 0 },
	{ "destination", 6, 39, 1, 0 },
	{ "source port", 4, 20, 1, 0 },
	{ "destination port", 4, 23, 1, 0 },
	{ "sequence number", 4, 27, 1, 0 },
	{ "acknowledgement", 4, 31, 1, 0 },
	{ "header length", 4, 32, 0x10, 0 },
	{ "FIN", 4, 33, 0x01, 0 },
	{ "SYN", 4, 33, 0x02, 0 },
	{ "RST", 4, 33, 0x04, 0 },
	{ "no ACK", 4, 33, 0x10, 0 },
	{ "URG", 4, 33, 0x20, 0 },
	{ "ECE", 4, 33, 0x40, 0 },
	{ "CWR", 4, 33, 0x80, 0 },
	{ "window", 4, 34, 1, 0 },
	{ "urgent pointer", 4, 39, 1, 0 },
	{ "first option", 4, 40, 1, 0 },
	{ "last option", 6, 71, 1, 0 },
	{ "checksum", 4, 36, 1, 1 },
	{ "payload", 6, 500, 1, 1 },
};

START_TEST(what_differs_does_not_merge)
{
	uint8_t *p = segment[2].at, moved[2000];
	uint32_t len;
	struct merge m;

	make(change[_i].family, 4 * SIZE, TCP_ACK);
	p[change[_i].at] ^= change[_i].change;
	if (!change[_i].broken)
		fix_checksums(p, segment[2].len);
	open_first(&m);
	ck_assert_int_eq(add(&m, 1), 1);
	len = m.len;
	ck_assert_msg(add(&m, 2) == !change[_i].change, "%s", change[_i].what);
	if (!change[_i].change)
		return;
	merge_refuse(&m, moved, segment[2].len);
	ck_assert_mem_eq(moved, p, segment[2].len);
	ck_assert_uint_eq(m.len, len);
	ck_assert_mem_eq(buffer + len - 100, segment[1].at + segment[1].len - 100, 100);
	/* the right one still goes on */
	make(change[_i].family, 4 * SIZE, TCP_ACK);
	ck_assert_int_eq(add(&m, 2), 1);
}
END_TEST

/* With DF the identification means nothing (RFC 6864). */
START_TEST(identification_is_free_with_df)
{
	struct merge m;
	uint32_t i;

	make(4, 4 * SIZE, TCP_ACK);
	for (i = 0; i < 2; i++) {
		segment[i].at[6] = 0x40;
		ip_set16(segment[i].at + 4, (uint16_t)(1000 * i));
		fix_checksums(segment[i].at, segment[i].len);
	}
	open_first(&m);
	ck_assert_int_eq(add(&m, 1), 1);
}
END_TEST

START_TEST(what_begins_no_run)
{
	static const struct { uint32_t at; uint8_t change; int broken, ends; } no[] = {
		{ 36, 1, 1, 0 },		/* checksum */
		{ 9, 1, 0, 0 },			/* protocol */
		{ 6, 0x20, 0, 0 },		/* a fragment */
		{ 0, 1, 0, 0 },			/* header with options */
		{ 32, 0xc0, 0, 0 },		/* TCP header shorter than it can be */
		{ 33, 1, 0, 1 },		/* FIN: alone, and nothing behind it */
		{ 33, 8, 0, 1 },		/* PSH */
	};
	struct merge m;

	make(4, 4 * SIZE, TCP_ACK);
	segment[0].at[no[_i].at] ^= no[_i].change;
	if (!no[_i].broken)
		fix_checksums(segment[0].at, segment[0].len);
	open_first(&m);
	ck_assert_int_eq(m.packet != NULL, no[_i].ends);
	ck_assert_int_eq(merge_has_room(&m, 100), 0);
}
END_TEST

START_TEST(a_run_ends_in_time)
{
	struct merge m;

	make(4, 4 * SIZE, TCP_ACK);
	open_first(&m);
	ck_assert_int_eq(merge_has_room(&m, 65535 - m.len), 1);
	ck_assert_int_eq(merge_has_room(&m, 65536 - m.len), 0);
	m.count = IPSP_MERGE_MAX;
	ck_assert_int_eq(merge_has_room(&m, 100), 0);
	make(4, SIZE + 300, TCP_ACK);		/* the second one is short */
	open_first(&m);
	ck_assert_int_eq(add(&m, 1), 1);
	ck_assert_int_eq(merge_has_room(&m, 100), 0);
}
END_TEST

/* ---- by records ------------------------------------------------------------------------ */

static struct transform *transform;
static uint8_t memory[8 << 20] __attribute__((aligned(64)));
static uint8_t up[1 << 18] __attribute__((aligned(64)));
static uint8_t down[1 << 17] __attribute__((aligned(64)));
static uint8_t sealed[COUNT][2000];
static uint32_t sealed_len[COUNT];

static struct ipsp_record *record(uint16_t type, const void *control, uint32_t control_len,
				  const void *data, uint32_t len)
{
	return transform_record(down, type, control, control_len, data, len);
}

static void sa_add(uint32_t handle, uint8_t direction)
{
	struct ipsp_sa sa = {
		.handle = handle, .direction = direction, .family = 4, .protocol = 50,
		.mode = IPSP_SA_TUNNEL, .spi = htobe32(0x1000),
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.aead = { .name = "rfc4106(gcm(aes))", .key_bits = 160, .icv_bits = 128,
			  .key = "0123456789abcdefsalt" },
	};

	ck_assert_uint_eq(transform_answer(transform,
		record(IPSP_REC_SA_ADD, &sa, sizeof(sa), NULL, 0), up, sizeof(up)), 0);
}

static void seal_all(void)
{
	const struct ipsp_record *out = (const struct ipsp_record *)up;
	uint32_t i;

	for (i = 0; i < COUNT && segment[i].len; i++) {
		struct ipsp_packet about = { .mtu = 2000, .stamp = { { 1, 1, i + 1 } } };

		transform_answer(transform, record(IPSP_REC_PROTECT, &about, sizeof(about),
				 segment[i].at, segment[i].len), up, sizeof(up));
		sealed_len[i] = out->data_len;
		memcpy(sealed[i], up + out->data_offset, out->data_len);
	}
}

static void setup(void)
{
	transform = transform_begin(memory, sizeof(memory), 4);
	sa_add(1, IPSP_DIR_OUT);
	sa_add(2, IPSP_DIR_IN);
	make(4, COUNT * SIZE, TCP_ACK);
	seal_all();
}

static struct ipsp_record *unprotect_record(void *to, uint32_t i, uint16_t flags, struct ipsp_packet about)
{
	struct ipsp_record *rec;

	about.mtu = 2000;
	about.stamp[0] = (struct ipsp_stamp){ 2, 1, i + 1 };
	rec = transform_record(to, IPSP_REC_UNPROTECT, &about, sizeof(about), sealed[i], sealed_len[i]);
	rec->ticket = 2 * i + 1;
	rec->flags = flags;
	return rec;
}

static size_t unprotect_about(size_t at, uint32_t i, uint16_t flags, struct ipsp_packet about)
{
	struct ipsp_record *rec = unprotect_record(down, i, flags, about);

	return at + transform_answer(transform, rec, up + at, transform_room(rec));
}

/* Ticket 2 * i + 1 of an ESP packet, answered behind what is there. */
static size_t unprotect(size_t at, uint32_t i, uint16_t flags)
{
	return unprotect_about(at, i, flags, (struct ipsp_packet){ 0 });
}

/* Nothing comes in any more. */
static void policy_drop(void)
{
	struct ipsp_policy_entry e = {
		.protect = { .selector = { .family = 4, .source_last = 0xffff, .destination_last = 0xffff },
			     .direction = IPSP_DIR_IN, .priority = 1, .index = 1 },
		.action = IPSP_POLICY_DROP,
	};
	struct ipsp_policy p = { .operation = IPSP_POLICY_ADD, .count = 1 };

	ck_assert_uint_eq(transform_answer(transform, record(IPSP_REC_POLICY, &p, sizeof(p), &e, sizeof(e)),
					   down + sizeof(down) / 2, sizeof(down) / 2), 0);
}

/* Answers from `at` to `end`: {last ticket, segments} of each. */
static void expect(size_t end, const uint32_t (*answers)[2], uint32_t count)
{
	size_t at = 0;
	uint32_t i;

	transform_flush(transform);
	for (i = 0; i < count; i++) {
		const struct ipsp_record *rec = (const struct ipsp_record *)(up + at);
		const struct ipsp_answer *a = (const struct ipsp_answer *)(rec + 1);

		ck_assert(ipsp_record_is_sane(rec, (uint32_t)(end - at)));
		ck_assert_uint_eq(rec->ticket, 2 * answers[i][0] + 1);
		ck_assert_uint_eq(a->verdict, answers[i][1] ? IPSP_VERDICT_TRANSFORMED :
							      IPSP_VERDICT_DROP);
		ck_assert_uint_eq(a->segments, answers[i][1]);
		ck_assert_uint_eq(a->offload.gso_size, answers[i][1] > 1 ? SIZE : 0);
		at += rec->len;
	}
	ck_assert_uint_eq(at, end);
}

static const uint8_t *first_data(void)
{
	return up + ((const struct ipsp_record *)up)->data_offset;
}

START_TEST(a_batch_is_one_answer)
{
	size_t end = 0;
	uint32_t i;

	for (i = 0; i < COUNT; i++)
		end = unprotect(end, i, 0);
	expect(end, (const uint32_t[][2]){ { COUNT - 1, COUNT } }, 1);
	ck_assert_mem_eq(first_data() + 52, whole + 52, COUNT * SIZE);
}
END_TEST

START_TEST(no_run_across_a_mark)
{
	size_t end = unprotect(0, 0, 0);

	end = unprotect(end, 1, 0);
	end = unprotect(end, 2, IPSP_RECF_NOMERGE);
	end = unprotect(end, 3, 0);
	end = unprotect(end, 4, 0);
	expect(end, (const uint32_t[][2]){ { 1, 2 }, { 2, 1 }, { 4, 2 } }, 3);
}
END_TEST

START_TEST(no_run_into_a_begin)
{
	size_t end = unprotect(0, 0, IPSP_RECF_BEGIN);

	end = unprotect(end, 1, 0);
	end = unprotect(end, 2, IPSP_RECF_BEGIN);
	end = unprotect(end, 3, 0);
	end = unprotect(end, 4, 0);
	expect(end, (const uint32_t[][2]){ { 1, 2 }, { 4, 3 } }, 2);
}
END_TEST

START_TEST(no_run_across_a_missing_ticket)
{
	size_t end = unprotect(0, 0, 0);

	end = unprotect(end, 1, 0);
	end = unprotect(end, 3, 0);		/* 2 went to somebody else */
	expect(end, (const uint32_t[][2]){ { 1, 2 }, { 3, 1 } }, 2);
}
END_TEST

START_TEST(a_forgery_in_the_middle)
{
	size_t end = unprotect(0, 0, 0);

	end = unprotect(end, 1, 0);
	sealed[2][100] ^= 1;
	end = unprotect(end, 2, 0);
	end = unprotect(end, 3, 0);
	expect(end, (const uint32_t[][2]){ { 1, 2 }, { 2, 0 }, { 3, 1 } }, 3);
	ck_assert_mem_eq(first_data() + 52, whole + 52, 2 * SIZE);
}
END_TEST

START_TEST(no_run_across_a_flush)
{
	size_t end = unprotect(0, 0, 0);

	transform_flush(transform);
	end = unprotect(end, 1, 0);
	end = unprotect(end, 2, 0);
	expect(end, (const uint32_t[][2]){ { 0, 1 }, { 2, 2 } }, 2);
}
END_TEST

/* What is in the run was admitted, and what comes behind the policy is not. */
START_TEST(no_run_across_a_policy)
{
	size_t end = unprotect(0, 0, 0);

	end = unprotect(end, 1, 0);
	policy_drop();
	end = unprotect(end, 2, 0);
	end = unprotect(end, 3, 0);
	expect(end, (const uint32_t[][2]){ { 1, 2 }, { 2, 0 }, { 3, 0 } }, 3);
}
END_TEST

/* Policies may ask for the mark, the device, the interface's id: a run has one of each. */
START_TEST(no_run_of_two_origins)
{
	static const struct ipsp_packet other[] = { { .mark = 1 }, { .ifindex = 1 }, { .if_id = 1 } };
	size_t end = unprotect(0, 0, 0);

	end = unprotect(end, 1, 0);
	end = unprotect_about(end, 2, 0, other[_i]);
	end = unprotect_about(end, 3, 0, other[_i]);
	expect(end, (const uint32_t[][2]){ { 1, 2 }, { 3, 2 } }, 2);
}
END_TEST

/* ---- by the loop ------------------------------------------------------------------------- */

static struct sim sim;
static uint32_t came;			/* runs */

/* Each run of a burst is whole, wherever it lies and however much else was in the ring. */
static int take_runs(struct port *port, unsigned flags)
{
	const struct ipsp_record *rec;
	uint32_t left;

	for (left = ipsp_ring_peek(&sim.up); left; left -= rec->len) {
		rec = ipsp_ring_record(&sim.up);
		ck_assert(ipsp_record_is_sane(rec, left));
		ipsp_ring_step(&sim.up, rec->len);
		if (rec->type == IPSP_REC_NOTE)
			continue;
		ck_assert_uint_eq(rec->ticket, 2 * (++came * COUNT - 1) + 1);
		ck_assert_uint_eq(((const struct ipsp_answer *)(rec + 1))->segments, COUNT);
		ck_assert_mem_eq((const uint8_t *)rec + rec->data_offset + 52, whole + 52, COUNT * SIZE);
	}
	ipsp_ring_release(&sim.up);
	return flags & IPSP_KICK_WAIT && !ipsp_ring_peek(&port->down) ? -1 : 0;
}

static void put_burst(uint32_t number)
{
	static uint8_t one[4096] __attribute__((aligned(64)));
	struct ipsp_record *rec;
	void *at;
	uint32_t i;

	for (i = 0; i < COUNT; i++) {
		rec = unprotect_record(one, i, i ? 0 : IPSP_RECF_BEGIN, (struct ipsp_packet){ 0 });
		rec->ticket += 2 * (uint64_t)number * COUNT;
		at = ipsp_ring_reserve(&sim.down, rec->len);
		ck_assert_ptr_nonnull(at);
		memcpy(at, rec, rec->len);
	}
}

/* What was answered in front of them and has not been handed in: so many bytes of the up ring */
static void fill_up(struct port *port, uint32_t len)
{
	struct ipsp_record *rec = ipsp_ring_reserve(&port->up, len);

	ck_assert_ptr_nonnull(rec);
	*rec = (struct ipsp_record){ .len = len, .type = IPSP_REC_NOTE };
}

/* One to twelve bursts are there at once, until each ring has been full and passed its end often. */
START_TEST(bursts_are_merged_alike)
{
	uint32_t round, i, put = 0;
	struct port port;

	came = 0;
	ck_assert_int_eq(sim_create(&sim, &port, IPSP_RING_MIN), 0);
	port.kick = take_runs;
	for (round = 0; round < 200; round++) {
		for (i = 0; i <= round % 12; i++)
			put_burst(put++);
		ipsp_ring_submit(&sim.down);
		fill_up(&port, 64 + round * 7919 * 64 % (IPSP_RING_MIN - 64));
		loop_run(&port, transform);
		ck_assert_uint_eq(came, put);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("merge");
	TCase *segments = tcase_create("segments"), *records = tcase_create("records");

	tcase_add_loop_test(segments, what_was_cut_is_whole_again, 0, 2);
	tcase_add_test(segments, one_stays_as_it_came);
	tcase_add_loop_test(segments, what_differs_does_not_merge, 0,
			    sizeof(change) / sizeof(change[0]));
	tcase_add_test(segments, identification_is_free_with_df);
	tcase_add_loop_test(segments, what_begins_no_run, 0, 7);
	tcase_add_test(segments, a_run_ends_in_time);
	suite_add_tcase(s, segments);
	tcase_add_checked_fixture(records, setup, NULL);
	tcase_add_test(records, a_batch_is_one_answer);
	tcase_add_test(records, no_run_across_a_mark);
	tcase_add_test(records, no_run_into_a_begin);
	tcase_add_test(records, no_run_across_a_missing_ticket);
	tcase_add_test(records, a_forgery_in_the_middle);
	tcase_add_test(records, no_run_across_a_flush);
	tcase_add_test(records, no_run_across_a_policy);
	tcase_add_loop_test(records, no_run_of_two_origins, 0, 3);
	tcase_add_test(records, bursts_are_merged_alike);
	suite_add_tcase(s, records);
	return suite_run(s);
}
