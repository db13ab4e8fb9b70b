// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_esp_open - decapsulation of arbitrary packets
 *
 * Random bytes never get behind an ICV. So the first byte chooses: the rest is the whole
 * outer packet as the wire brought it; or it is the clear text, which is sealed with the
 * SA's own key first, so that padding, next header, inner packet and selectors are
 * reached. Records have not one byte of slack, so that ASan sees any read too far.
 */
#include "crypto/crypto.h"
#include "ipsec/ip.h"
#include "tests/fuzz/whole.h"

#define FUZZ_SEALED	0x01	/* the input is clear text */
#define FUZZ_TRANSPORT	0x02
#define FUZZ_CHACHA	0x04
#define FUZZ_ESN	0x08
#define FUZZ_OUTER6	0x10
#define FUZZ_SELECTOR	0x20	/* the SA admits UDP to port 53 only */
#define FUZZ_TRAILER	0x40	/* with FUZZ_SEALED: a right trailer is added */
#define FUZZ_NUMBER	0x300000007ull

static struct crypto_sa sealer[2];

static struct ipsp_sa fuzz_sa(uint8_t kind)
{
	struct ipsp_sa sa = {
		.handle = 1u + kind, .direction = IPSP_DIR_IN, .protocol = IP_ESP,
		.family = kind & FUZZ_OUTER6 ? 6 : 4,
		.mode = kind & FUZZ_TRANSPORT ? IPSP_SA_TRANSPORT : IPSP_SA_TUNNEL,
		.flags = kind & FUZZ_ESN ? IPSP_SAF_ESN | IPSP_SAF_DECAP_DSCP : 0,
		.spi = htobe32(0x1000), .source = { 1 }, .destination = { 2 },
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.aead = { .name = "rfc4106(gcm(aes))", .key_bits = 160, .icv_bits = 128,
			  .key = "0123456789abcdef0123456789abcdefsalt" },
	};

	if (kind & FUZZ_CHACHA) {
		strcpy(sa.aead.name, "rfc7539esp(chacha20,poly1305)");
		sa.aead.key_bits = 288;
	}
	if (kind & FUZZ_SELECTOR) {
		sa.selector.protocol = IP_UDP;
		sa.selector.destination_first = sa.selector.destination_last = 53;
	}
	return sa;
}

static void fuzz_sa_add(uint8_t kind)
{
	struct ipsp_sa sa = fuzz_sa(kind);

	whole_sa_add(&sa);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const uint32_t engines[4] = { 0 };
	struct ipsp_sa plain = fuzz_sa(0), chacha = fuzz_sa(FUZZ_CHACHA);
	unsigned kind;

	(void)argc;
	(void)argv;
	whole_begin(128, 8);
	for (kind = 0; kind < 64; kind++)
		fuzz_sa_add((uint8_t)kind & (uint8_t)~FUZZ_SEALED);
	plain.direction = chacha.direction = IPSP_DIR_OUT;
	fuzz_check(!crypto_sa_init(&sealer[0], engines, &plain));
	fuzz_check(!crypto_sa_init(&sealer[1], engines, &chacha));
	return 0;
}

/* Pads and ends the text as RFC 4303 2.4 says; the inner family names itself. */
static size_t fuzz_trailer(uint8_t *text, size_t len, uint8_t kind)
{
	uint8_t pad = (uint8_t)(-(len + 2) & 3), next = IP_UDP, i;

	if (!(kind & FUZZ_TRANSPORT))
		next = len && *text >> 4 == 6 ? IP_IPV6 : IP_IPIP;
	for (i = 0; i < pad; i++)
		text[len++] = i + 1;
	text[len++] = pad;
	text[len++] = next;
	return len;
}

/* The outer packet around a sealed text. Returns its length; the caller frees. */
static size_t fuzz_seal(uint8_t kind, const uint8_t *data, size_t size, uint8_t **packet)
{
	static const uint8_t address[32] = { 1, [16] = 2 };
	uint32_t front = ip_outer_len(kind & FUZZ_OUTER6 ? 6 : 4);
	const struct crypto_sa *sa = &sealer[!!(kind & FUZZ_CHACHA)];
	uint8_t *text = malloc(size + 8), aad[12], *out;
	struct ip_outer outer = { .source = address, .destination = address + 16,
				  .family = kind & FUZZ_OUTER6 ? 6 : 4, .protocol = IP_ESP };
	struct crypto_message m = { .aad = aad };

	fuzz_check(text != NULL);
	if (size)
		outer.tos = data[0];
	memcpy(text, data + !!size, size - !!size);
	size -= !!size;
	if (kind & FUZZ_TRAILER)
		size = fuzz_trailer(text, size, kind);
	outer.total_len = (uint32_t)(front + 16 + size + sa->icv_len);
	out = *packet = malloc(outer.total_len);
	fuzz_check(out != NULL);
	ip_outer_write(out, &outer);
	ip_set32(out + front, 0x1000);
	ip_set32(out + front + 4, (uint32_t)FUZZ_NUMBER);
	crypto_iv(sa, 7, out + front + 8);
	m.iv = out + front + 8;
	memcpy(aad, out + front, 8);
	m.aad_len = 8;
	if (kind & FUZZ_ESN) {
		ip_set32(aad + 4, (uint32_t)(FUZZ_NUMBER >> 32));
		ip_set32(aad + 8, (uint32_t)FUZZ_NUMBER);
		m.aad_len = 12;
	}
	m.from = text;
	m.len = size;
	fuzz_check(!sa->seal(sa, &m, out + front + 16));
	free(text);
	return outer.total_len;
}

static void fuzz_judge(const uint8_t *up, size_t len)
{
	const struct ipsp_record *rec = (const struct ipsp_record *)up;
	const struct ipsp_answer *answer = (const struct ipsp_answer *)(rec + 1);
	struct ip_bytes inner = { up + rec->data_offset, rec->data_len };
	struct ip_packet ip;

	fuzz_check(ipsp_record_is_sane(rec, (uint32_t)len) && rec->len == len);
	if (answer->verdict == IPSP_VERDICT_DROP) {
		fuzz_check(answer->reason >= IPSP_DROP_FIRST_OF_STACK &&
			   answer->reason < IPSP_DROP_COUNT && !rec->data_len);
		return;
	}
	fuzz_check(answer->verdict == IPSP_VERDICT_TRANSFORMED && answer->segments == 1 &&
		   answer->segment_len == rec->data_len);
	fuzz_check(!ip_parse(inner, &ip) && ip.total_len == rec->data_len);
}

static void fuzz_open(uint8_t kind, const uint8_t *packet, size_t len)
{
	struct ipsp_packet about = {
		.family = kind & FUZZ_OUTER6 ? 6 : 4, .direction = IPSP_DIR_IN,
		.length = (uint32_t)len,
		.stamp = { { 1u + (kind & 0x3e), 1, FUZZ_NUMBER } },
	};
	uint8_t *down = fuzz_record(IPSP_REC_UNPROTECT, &about, sizeof(about), packet, len);
	size_t room = transform_room((void *)down);
	uint8_t *up = malloc(room);
	size_t got;

	fuzz_check(up != NULL);
	got = transform_answer(transform, (void *)down, up, room);
	transform_flush(transform);
	fuzz_judge(up, got);
	free(up);
	free(down);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *packet, kind;

	if (!size || size > 60000)
		return 0;
	kind = *data++;
	size--;
	if (!(kind & FUZZ_SEALED)) {
		fuzz_open(kind, data, size);
		return 0;
	}
	size = fuzz_seal(kind, data, size, &packet);
	fuzz_open(kind, packet, size);
	free(packet);
	return 0;
}
