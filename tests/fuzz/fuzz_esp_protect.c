// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_esp_protect - PROTECT and CLASSIFY records with arbitrary packets and offloads
 *
 * The kernel writes these records, but the packets in them may be forwarded ones. What
 * comes out must be what the kernel's checks of an answer let pass, and must open again.
 */
#include "ipsec/ip.h"
#include "tests/fuzz/whole.h"

#define FUZZ_NUMBER	1000
#define FUZZ_COUNT_MAX	64


/* The first bytes of an input. */
struct fuzz_input {
	uint8_t kind;		/* 1: CLASSIFY, 2: transport, 4: outer IPv6, 8: ESN */
	uint8_t flags;		/* IPSP_PKT_*, and 0x80: NEEDS_CSUM */
	uint8_t count;
	uint8_t gso_type;
	uint16_t gso_size;
	uint16_t csum_start, csum_offset;
	uint16_t mtu;
};

/* Outbound: 1 + kind; the inbound one that opens it: 100 + kind. */
static void fuzz_sa_add(uint8_t kind, int inbound)
{
	struct ipsp_sa sa = {
		.handle = (inbound ? 100u : 1u) + kind, .reqid = 1 + !!(kind & 2),
		.direction = inbound ? IPSP_DIR_IN : IPSP_DIR_OUT, .protocol = IP_ESP,
		.family = kind & 4 ? 6 : 4,
		.mode = kind & 2 ? IPSP_SA_TRANSPORT : IPSP_SA_TUNNEL,
		.flags = kind & 8 ? IPSP_SAF_ESN : 0,
		.spi = htobe32(0x1000), .source = { 1 }, .destination = { 2 },
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.aead = { .name = "rfc4106(gcm(aes))", .key_bits = 160, .icv_bits = 128,
			  .key = "0123456789abcdefsalt" },
	};

	whole_sa_add(&sa);
}

static void fuzz_policies(void)
{
	struct ipsp_policy policy = { .operation = IPSP_POLICY_REPLACE, .count = 3 };
	struct ipsp_policy_entry e[3];
	int i;

	memset(e, 0, sizeof(e));
	for (i = 0; i < 3; i++) {
		e[i].protect.selector.source_last = e[i].protect.selector.destination_last = 0xffff;
		e[i].protect.index = 1u + (uint32_t)i;
		e[i].protect.priority = (uint32_t)i;
		e[i].action = IPSP_POLICY_APPLY;
		e[i].templates = 1;
		e[i].template_[0] = (struct ipsp_template){
			.reqid = 1, .protocol = IP_ESP, .family = 4, .mode = IPSP_SA_TUNNEL };
	}
	e[0].action = IPSP_POLICY_BYPASS;
	e[0].protect.selector.protocol = IP_UDP;
	e[0].protect.selector.destination_first = e[0].protect.selector.destination_last = 53;
	e[1].protect.selector.family = 4;
	e[1].protect.selector.source[0] = 10;
	e[1].protect.selector.source_prefix = 9;
	e[2].template_[0].mode = IPSP_SA_TRANSPORT;
	e[2].template_[0].reqid = 2;
	whole_tell(IPSP_REC_POLICY, &policy, sizeof(policy), e, sizeof(e));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	uint8_t kind;

	(void)argc;
	(void)argv;
	whole_begin(64, 8);
	for (kind = 0; kind < 16; kind += 2) {
		fuzz_sa_add(kind, 0);
		fuzz_sa_add(kind, 1);
	}
	fuzz_policies();
	return 0;
}

/* Gives one record; the answer is in *up, which the caller frees. */
static const struct ipsp_record *fuzz_ask(uint16_t type, const struct ipsp_packet *about,
					  const uint8_t *packet, size_t len)
{
	uint8_t *down = fuzz_record(type, about, sizeof(*about), packet, len);
	size_t room = transform_room((void *)down), got;
	struct ipsp_record *up = malloc(room);

	fuzz_check(up != NULL);
	got = transform_answer(transform, (void *)down, up, room);
	transform_flush(transform);
	fuzz_check(got <= room && up->len == got && ipsp_record_is_sane(up, (uint32_t)got));
	free(down);
	return up;
}

/* Each segment is an ESP packet of its own; sealed in tunnel mode, all of it comes back. */
static void fuzz_segment(const struct fuzz_input *input, uint32_t i, const uint8_t *at,
			 uint32_t len)
{
	struct ipsp_packet about = {
		.stamp = { { 100u + (input->kind & 14u), 1, FUZZ_NUMBER + i } } };
	const struct ipsp_record *up;
	const struct ipsp_answer *answer;
	struct ip_packet ip;

	fuzz_check(!ip_parse((struct ip_bytes){ at, len }, &ip) && ip.total_len == len);
	fuzz_check(ip.protocol == IP_ESP || (input->kind & 2));
	if (ip.protocol != IP_ESP || ip.fragment)
		return;
	up = fuzz_ask(IPSP_REC_UNPROTECT, &about, at, len);
	answer = (const struct ipsp_answer *)(up + 1);
	fuzz_check(answer->verdict == IPSP_VERDICT_TRANSFORMED ||
		   (answer->verdict == IPSP_VERDICT_DROP &&
		    answer->reason != IPSP_DROP_INTEGRITY &&
		    answer->reason != IPSP_DROP_PADDING));
	free((void *)up);
}

static void fuzz_segments(const struct fuzz_input *input, const struct ipsp_packet *about,
			  const struct ipsp_record *up)
{
	const struct ipsp_answer *answer = (const struct ipsp_answer *)(up + 1);
	const uint8_t *data = (const uint8_t *)up + up->data_offset;
	uint32_t i, rest = up->data_len;

	fuzz_check(answer->segments && answer->segments <= about->stamp[0].count);
	for (i = 0; i < answer->segments; i++) {
		uint32_t len = i + 1 < answer->segments ? answer->segment_len : rest;

		fuzz_check(len && len <= answer->segment_len && len <= rest);
		fuzz_segment(input, i, data, len);
		data += len;
		rest -= len;
	}
	fuzz_check(!rest);
}

static struct ipsp_packet fuzz_about(const struct fuzz_input *input, size_t len)
{
	return (struct ipsp_packet){
		.offload = { .flags = input->flags & 0x80 ? IPSP_OFFLOAD_NEEDS_CSUM : 0,
			     .gso_type = input->gso_type, .gso_size = input->gso_size,
			     .csum_start = input->csum_start,
			     .csum_offset = input->csum_offset },
		.flags = input->flags & 7, .mtu = input->mtu, .length = (uint32_t)len,
		.stamp = { { 1u + (input->kind & 14u), 1u + input->count % FUZZ_COUNT_MAX,
			     FUZZ_NUMBER } },
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input;
	struct ipsp_packet about;
	const struct ipsp_record *up;
	const struct ipsp_answer *answer;

	if (size < sizeof(input) || size > 60000)
		return 0;
	memcpy(&input, data, sizeof(input));
	data += sizeof(input);
	size -= sizeof(input);
	about = fuzz_about(&input, size);
	if (input.kind & 1) {
		if (size > IPSP_CLASSIFY_MAX)
			size = IPSP_CLASSIFY_MAX;
		free((void *)fuzz_ask(IPSP_REC_CLASSIFY, &about, data, size));
		return 0;
	}
	up = fuzz_ask(IPSP_REC_PROTECT, &about, data, size);
	answer = (const struct ipsp_answer *)(up + 1);
	if (answer->verdict == IPSP_VERDICT_TRANSFORMED)
		fuzz_segments(&input, &about, up);
	else
		fuzz_check(!up->data_len && (answer->verdict == IPSP_VERDICT_DROP ||
					     answer->verdict == IPSP_VERDICT_TOOBIG));
	free((void *)up);
	return 0;
}
