// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_ah - AH and BEET of arbitrary packets, whose options and extension headers both look at
 *
 * The first byte chooses the SA. The rest is a packet that is protected, and if it was taken must come out as it went in;
 * or, with FUZZ_WIRE, the whole outer packet as the wire brought it. With FUZZ_TURNED it is protected by one BEET SA and
 * opened by one of the other inner family, so that what is authentic is nonsense. No record has slack.
 */
#include "ipsec/ip.h"
#include "tests/fuzz/whole.h"

#define FUZZ_BEET	0x01
#define FUZZ_OUTER6	0x02
#define FUZZ_TUNNEL	0x04	/* AH */
#define FUZZ_INNER6	0x04	/* BEET */
#define FUZZ_ESN	0x08
#define FUZZ_KINDS	0x10
#define FUZZ_WIRE	0x10
#define FUZZ_TURNED	0x20
#define FUZZ_NUMBER	0x300000007ull


static uint32_t fuzz_handle(uint8_t kind, uint8_t direction)
{
	return 1u + 2 * (kind & (FUZZ_KINDS - 1u)) + direction;
}

static void fuzz_sa_add(uint8_t kind, uint8_t direction)
{
	struct ipsp_sa sa = {
		.handle = fuzz_handle(kind, direction), .direction = direction, .family = kind & FUZZ_OUTER6 ? 6 : 4,
		.flags = kind & FUZZ_ESN ? IPSP_SAF_ESN : 0, .spi = htobe32(0x1000),
		.source = { 1 }, .destination = { 2 },
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.cipher = { .name = "ecb(cipher_null)" },
		.auth = { .name = "hmac(sha1)", .key_bits = 160, .icv_bits = 96, .key = "0123456789abcdef" },
	};

	if (kind & FUZZ_BEET) {
		sa.protocol = IP_ESP;
		sa.mode = IPSP_SA_BEET;
		sa.selector.family = kind & FUZZ_INNER6 ? 6 : 4;
		sa.selector.source_prefix = sa.selector.destination_prefix = kind & FUZZ_INNER6 ? 128 : 32;
		sa.selector.source[0] = 3;
		sa.selector.destination[0] = 4;
	} else {
		sa.protocol = IP_AH;
		sa.mode = kind & FUZZ_TUNNEL ? IPSP_SA_TUNNEL : IPSP_SA_TRANSPORT;
	}
	whole_sa_add(&sa);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	uint8_t kind;

	(void)argc;
	(void)argv;
	whole_begin(64, 8);
	for (kind = 0; kind < FUZZ_KINDS; kind++) {
		fuzz_sa_add(kind, IPSP_DIR_OUT);
		fuzz_sa_add(kind, IPSP_DIR_IN);
	}
	return 0;
}

/* The answer's packet, in memory that the caller frees, or NULL when it was dropped or is too big. */
static uint8_t *fuzz_give(uint16_t type, uint32_t handle, const uint8_t *packet, size_t len, uint32_t *out_len)
{
	struct ipsp_packet about = { .mtu = IP_LENGTH_MAX, .length = (uint32_t)len, .stamp = { { handle, 1, FUZZ_NUMBER } } };
	uint8_t *down = fuzz_record(type, &about, sizeof(about), packet, len), *up, *out = NULL;
	size_t room = transform_room((void *)down);
	const struct ipsp_record *rec;
	const struct ipsp_answer *answer;

	up = aligned_alloc(64, room);
	fuzz_check(up != NULL);
	fuzz_check(transform_answer(transform, (void *)down, up, room) <= room);
	transform_flush(transform);
	rec = (const struct ipsp_record *)up;
	answer = (const struct ipsp_answer *)(rec + 1);
	if (answer->verdict == IPSP_VERDICT_TRANSFORMED) {
		fuzz_check(answer->segments == 1 && rec->data_len && rec->data_offset + rec->data_len <= room);
		*out_len = rec->data_len;
		out = malloc(rec->data_len);
		fuzz_check(out != NULL);
		memcpy(out, up + rec->data_offset, rec->data_len);
	} else {
		fuzz_check(answer->verdict == IPSP_VERDICT_DROP && answer->reason >= IPSP_DROP_FIRST_OF_STACK);
	}
	free(up);
	free(down);
	return out;
}

/* AH brings back each byte that the packet's own length holds. BEET keeps what is behind the IP header. */
static void fuzz_compare(uint8_t kind, const uint8_t *packet, size_t len, const uint8_t *out, uint32_t out_len)
{
	struct ip_packet before, after;
	struct ip_bytes in = { packet, (uint32_t)len }, got = { out, out_len };

	fuzz_check(!ip_parse(in, &before) && !ip_parse(got, &after) && after.total_len == out_len);
	if (before.total_len != len)
		return;			/* the kernel never gives one whose length lies */
	if (!(kind & FUZZ_BEET)) {
		fuzz_check(out_len == len && !memcmp(out + 12, packet + 12, len - 12));
		return;
	}
	if (before.family != (kind & FUZZ_INNER6 ? 6 : 4))
		return;
	fuzz_check(out_len == len && !memcmp(out + (before.family == 4 ? 20 : 40), packet + (before.family == 4 ? 20 : 40),
					     len - (before.family == 4 ? 20 : 40)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t sealed_len, out_len;
	uint8_t kind, *sealed, *out;

	if (size < 2 || size > 60000)
		return 0;
	kind = *data++;
	size--;
	if (kind & FUZZ_WIRE) {
		free(fuzz_give(IPSP_REC_UNPROTECT, fuzz_handle(kind, IPSP_DIR_IN), data, size, &out_len));
		return 0;
	}
	sealed = fuzz_give(IPSP_REC_PROTECT, fuzz_handle(kind, IPSP_DIR_OUT), data, size, &sealed_len);
	if (!sealed)
		return 0;
	if ((kind & FUZZ_BEET) && (kind & FUZZ_TURNED))
		kind ^= FUZZ_INNER6;
	out = fuzz_give(IPSP_REC_UNPROTECT, fuzz_handle(kind, IPSP_DIR_IN), sealed, sealed_len, &out_len);
	if (out && !(kind & FUZZ_TURNED))
		fuzz_compare(kind, data, size, out, out_len);
	free(out);
	free(sealed);
	return 0;
}
