// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_merge - packets are cut, sealed, opened and merged: what was merged, cut again, is what came
 *
 * The input is a row of {struct piece, packet}. Each packet goes through PROTECT, as it is or as a super-packet. What
 * comes out is opened once alone, and once in a row, where runs form. Of each merged packet, cut as its offload says, the
 * segments must be those that were opened alone, byte for byte.
 */
#include "ipsec/checksum.h"
#include "ipsec/ip.h"
#include "ipsec/segment.h"
#include "tests/fuzz/whole.h"

#define ROOM		(512u << 10)
#define SEALED_MAX	256
#define OUT		1u		/* handles */
#define IN		2u

struct piece {
	uint16_t length;
	uint16_t gso_size;
	uint16_t mtu;
	uint8_t gso_type;
	uint8_t flags;			/* 1: NEEDS_CSUM, 2: right IPv4 and TCP checksums first, 4: NOMERGE */
};

struct sealed {				/* one ESP packet, and what is inside */
	uint8_t *packet, *inner;
	uint32_t len, inner_len;
	uint16_t flags;			/* of its record */
	int is_dropped;
};

static uint8_t up[ROOM] __attribute__((aligned(64)));
static struct sealed sealed[SEALED_MAX];
static uint32_t sealed_count;

static void sa_add(uint32_t handle, uint8_t direction)
{
	struct ipsp_sa sa = {
		.handle = handle, .direction = direction, .family = 4, .protocol = IP_ESP,
		.mode = IPSP_SA_TUNNEL, .spi = htobe32(0x1000), .source = { 1 }, .destination = { 2 },
		.flags = IPSP_SAF_AF_UNSPEC,
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.aead = { .name = "rfc4106(gcm(aes))", .key_bits = 160, .icv_bits = 128, .key = "0123456789abcdefsalt" },
	};

	whole_sa_add(&sa);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{

	(void)argc;
	(void)argv;
	whole_begin(8, 8);
	sa_add(OUT, IPSP_DIR_OUT);
	sa_add(IN, IPSP_DIR_IN);
	return 0;
}

/* ---- packets that could have come from a peer ------------------------------------------------------ */

static void put_sum(uint8_t *at, uint16_t sum)
{
	memcpy(at, &sum, sizeof(sum));
}

/* A random checksum is never right: it is written first. */
static void mend(uint8_t *at, uint32_t len)
{
	const struct ip_bytes packet = { at, len };
	struct ip_packet ip;
	uint64_t sum;

	if (ip_parse(packet, &ip))
		return;
	ip_set_length(at, ip.family == 4 ? ip.header_len : IP_HEADER6, len);
	if (ip.protocol != IP_TCP || ip.header_len + 20 > len)
		return;
	put_sum(at + ip.header_len + 16, 0);
	sum = checksum_pseudo(ip.family, ip_source(packet, &ip), ip_destination(packet, &ip), IP_TCP, len - ip.header_len);
	put_sum(at + ip.header_len + 16, checksum_fold(checksum_add(sum, at + ip.header_len, len - ip.header_len)));
}

/* ---- sealed ---------------------------------------------------------------------------------------- */

static void seal_keep(const uint8_t *at, uint32_t len, uint16_t flags)
{
	struct sealed *s = &sealed[sealed_count];

	if (sealed_count == SEALED_MAX)
		return;
	*s = (struct sealed){ .packet = malloc(len), .len = len, .flags = flags };
	fuzz_check(s->packet != NULL);
	memcpy(s->packet, at, len);
	sealed_count++;
}

static void seal(const struct piece *p, const uint8_t *packet)
{
	const struct ipsp_packet about = {
		.offload = { .gso_size = p->gso_size, .gso_type = p->gso_type, .csum_offset = 16, .csum_start = 20,
			     .flags = p->flags & 1 ? IPSP_OFFLOAD_NEEDS_CSUM : 0 },
		.mtu = p->mtu, .flags = IPSP_PKT_IGNORE_DF, .length = p->length,
		.stamp = { { OUT, 64, 1 + sealed_count } },
	};
	uint8_t *down = fuzz_record(IPSP_REC_PROTECT, &about, sizeof(about), packet, p->length);
	const struct ipsp_record *rec = (const struct ipsp_record *)up;
	const struct ipsp_answer *a = (const struct ipsp_answer *)(rec + 1);
	uint32_t at, rest;

	fuzz_check(transform_answer(transform, (void *)down, up, ROOM) == rec->len);
	transform_flush(transform);
	free(down);
	rest = a->verdict == IPSP_VERDICT_TRANSFORMED ? rec->data_len : 0;
	for (at = rec->data_offset; rest; at += a->segment_len, rest -= rest < a->segment_len ? rest : a->segment_len)
		seal_keep(up + at, rest < a->segment_len ? rest : a->segment_len,
			  (uint16_t)((p->flags & 4 ? IPSP_RECF_NOMERGE : 0) | (p->flags & 8 ? IPSP_RECF_BEGIN : 0)));
}

/* ---- opened ---------------------------------------------------------------------------------------- */

static size_t open_at(const struct sealed *s, uint32_t i, uint16_t flags, size_t used)
{
	const struct ipsp_packet about = { .stamp = { { IN, 1, 1 + i } }, .length = s->len };
	uint8_t *down = fuzz_record(IPSP_REC_UNPROTECT, &about, sizeof(about), s->packet, s->len);
	struct ipsp_record *rec = (struct ipsp_record *)down;
	size_t got, room = transform_room(rec);

	rec->flags = flags;
	rec->ticket = 1000 + 2 * i;
	fuzz_check(room <= ROOM - used);
	got = transform_answer(transform, rec, up + used, room);
	fuzz_check(got <= room);
	free(down);
	return got;
}

static void open_alone(struct sealed *s, uint32_t i)
{
	const struct ipsp_record *rec = (const struct ipsp_record *)up;
	const struct ipsp_answer *a = (const struct ipsp_answer *)(rec + 1);

	open_at(s, i, IPSP_RECF_NOMERGE, 0);
	transform_flush(transform);
	s->is_dropped = a->verdict == IPSP_VERDICT_DROP;
	fuzz_check(!s->is_dropped || a->reason != IPSP_DROP_INTEGRITY);
	s->inner_len = rec->data_len;
	s->inner = malloc(s->inner_len + 1);
	fuzz_check(s->inner != NULL);
	memcpy(s->inner, up + rec->data_offset, s->inner_len);
}

/* ---- cut again --------------------------------------------------------------------------------------- */

/* With DF the identification says nothing, and is not kept. */
static void forget_id(uint8_t *at, uint32_t len)
{
	if (*at >> 4 != 4 || !(at[6] & 0x40))
		return;
	ip_set_id(at, 0);
	ip_set_length(at, IP_HEADER4, len);
}

static void judge_segment(const struct segment_plan *plan, uint32_t i, const struct sealed *s)
{
	static uint8_t whole[65536];
	struct segment segment;

	segment_make(plan, i, &segment);
	fuzz_check(segment.header_len + segment.body.len == s->inner_len);
	memcpy(whole, segment.header, segment.header_len);
	memcpy(whole + segment.header_len, segment.body.at, segment.body.len);
	forget_id(whole, s->inner_len);
	forget_id(s->inner, s->inner_len);
	fuzz_check(!memcmp(whole, s->inner, s->inner_len));
}

static void judge_run(const struct ipsp_record *rec, const struct ipsp_answer *a, const struct sealed *first)
{
	const struct ip_bytes packet = { (const uint8_t *)rec + rec->data_offset, rec->data_len };
	const struct ipsp_packet about = { .offload = a->offload, .mtu = 65535 };
	struct segment_plan plan;
	uint32_t i;

	fuzz_check(a->segments <= IPSP_MERGE_MAX && a->offload.gso_size);
	fuzz_check(!segment_plan(&plan, packet, &about) && plan.count == a->segments);
	for (i = 0; i < a->segments; i++) {
		fuzz_check(!first[i].is_dropped);
		fuzz_check(!i || !(first[i].flags & (IPSP_RECF_NOMERGE | IPSP_RECF_BEGIN)));
		judge_segment(&plan, i, &first[i]);
	}
}

/* Returns how many tickets the answer ends. */
static uint32_t judge_answer(const struct ipsp_record *rec, uint32_t done)
{
	const struct ipsp_answer *a = (const struct ipsp_answer *)(rec + 1);
	uint32_t count = a->verdict == IPSP_VERDICT_DROP ? 1 : a->segments;

	fuzz_check(count && done + count <= sealed_count && rec->ticket == 1000 + 2ull * (done + count - 1));
	fuzz_check(count == 1 || a->verdict == IPSP_VERDICT_TRANSFORMED);
	if (count > 1) {
		judge_run(rec, a, &sealed[done]);
	} else {
		fuzz_check((a->verdict == IPSP_VERDICT_DROP) == sealed[done].is_dropped);
		fuzz_check(rec->data_len == sealed[done].inner_len &&
			   !memcmp((const uint8_t *)rec + rec->data_offset, sealed[done].inner, rec->data_len));
	}
	return count;
}

static void open_all(void)
{
	size_t used = 0, at;
	uint32_t i, done = 0;

	for (i = 0; i < sealed_count; i++)
		used += open_at(&sealed[i], i, sealed[i].flags, used);
	transform_flush(transform);
	for (at = 0; at < used; at += ((const struct ipsp_record *)(up + at))->len)
		done += judge_answer((const struct ipsp_record *)(up + at), done);
	fuzz_check(at == used && done == sealed_count);
}

static int fits(void)
{
	size_t sum = 0;
	uint32_t i;

	for (i = 0; i < sealed_count; i++)
		sum += sealed[i].len + 512u;
	return sum < ROOM - 65536;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct piece p;
	uint8_t *packet;
	uint32_t i;

	for (sealed_count = 0; size >= sizeof(p); data += p.length, size -= p.length) {
		memcpy(&p, data, sizeof(p));
		data += sizeof(p);
		size -= sizeof(p);
		if (p.length > size)
			break;
		packet = malloc(p.length + 1u);
		fuzz_check(packet != NULL);
		memcpy(packet, data, p.length);
		if (p.flags & 2)
			mend(packet, p.length);
		seal(&p, packet);
		free(packet);
	}
	for (i = 0; i < sealed_count; i++)
		open_alone(&sealed[i], i);
	if (fits())
		open_all();
	for (i = 0; i < sealed_count; i++) {
		free(sealed[i].packet);
		free(sealed[i].inner);
	}
	return 0;
}
