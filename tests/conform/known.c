// SPDX-License-Identifier: GPL-2.0
#include "known.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define GCM_KEY	   "abbccddef00112233445566778899aababbccddef00112233445566778899aab11223344"
#define GCM_ESP	   "4a2cbfe3000000020102030405060708ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763" \
		   "748a637985771d347f0545659f14e99def842d8eb335f4eecfdbf831824b4c4915956c96"
#define GCM_CLEAR  "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b401010402"
#define RFC7634_KEY "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3"
#define RFC7634_ESP "01020304000000051011121314151617" \
	"24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95df" \
	"ab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0" \
	"76aaa8266b7fb0f7b11b369907e1ad43"
#define RFC7634_CLEAR "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10000736270" \
	"8090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"

/* In an IPv4 header from 10.0.0.1 to 10.0.0.2. */
#define FRONT(len, protocol, checksum) "4500" len "0000000040" protocol checksum "0a0000010a000002"

/* A UDP packet with DF, and what a tunnel puts in front of it. */
#define FRONT0(len, checksum) "4500" len "000040004032" checksum "0a0000010a000002"
#define HELLO "4500002112344000401114960a0000010a00000204d20035000d000068656c6c6f"

struct known {
	const char *algorithm, *key;
	uint8_t mode;
	uint32_t flags;
	uint64_t number;
	const char *packet, *answer;
	uint16_t type, reason;		/* 0: `answer` comes out */
};

static const struct known known[] = {
	/* draft-mcgrew-gcm-test-01, AES-256: what is inside is ICMP by its last byte */
	{ WORLD_GCM, GCM_KEY, IPSP_SA_TRANSPORT, 0, 2, FRONT("0068", "32", "6662") GCM_ESP,
	  FRONT("0044", "01", "66b7") GCM_CLEAR, IPSP_REC_UNPROTECT, 0 },
	{ WORLD_GCM, GCM_KEY, IPSP_SA_TUNNEL, 0, 2, FRONT("0068", "32", "6662") GCM_ESP, "", IPSP_REC_UNPROTECT,
	  IPSP_DROP_MALFORMED },
	{ WORLD_GCM, GCM_KEY, IPSP_SA_TRANSPORT, IPSP_SAF_ESN, 2, FRONT("0068", "32", "6662") GCM_ESP, "",
	  IPSP_REC_UNPROTECT, IPSP_DROP_INTEGRITY },
	/* RFC 7634 appendix A */
	{ WORLD_CHACHA, RFC7634_KEY, IPSP_SA_TUNNEL, 0, 5, FRONT("008c", "32", "663e") RFC7634_ESP, RFC7634_CLEAR,
	  IPSP_REC_UNPROTECT, 0 },
	{ WORLD_CHACHA, RFC7634_KEY, IPSP_SA_TUNNEL, 0, 6, FRONT("008c", "32", "663e") RFC7634_ESP, "",
	  IPSP_REC_UNPROTECT, IPSP_DROP_INTEGRITY },
	/* by Documentation/stack.md, with another library and in another language */
	{ WORLD_GCM, GCM_KEY, IPSP_SA_TUNNEL, 0, 2, HELLO,
	  FRONT0("0058", "2672") "4a2cbfe30000000200000000000000020643a1d808a7bc238966fdd98a16ac9d1e3c9170728d10886427a3a3"
	  "1bf39d0e9ea55e231417e7b8d880179a632e1a67424e9c6e", IPSP_REC_PROTECT, 0 },
	{ WORLD_GCM, GCM_KEY, IPSP_SA_TRANSPORT, IPSP_SAF_ESN, 0x100000002, HELLO,
	  "4500004412344000403214520a0000010a0000024a2cbfe300000002000000010000000255ef38d6260af91c699d5b36c42f88084e64"
	  "8c4429463812c583da87a7308a53", IPSP_REC_PROTECT, 0 },
	{ WORLD_CHACHA, RFC7634_KEY, IPSP_SA_TUNNEL, IPSP_SAF_ESN, 0x100000005, HELLO,
	  FRONT0("0058", "2672") "4a2cbfe30000000500000001000000056b943a0c4fa9d59e5e8404150a7e107d6b1c8f17de18465add9e4a3b"
	  "af577ae183c4895ee91534b1bd77264d8b981850f81c7cfa", IPSP_REC_PROTECT, 0 },
	{ WORLD_CHACHA, RFC7634_KEY, IPSP_SA_TRANSPORT, 0, 5, HELLO,
	  "4500004412344000403214520a0000010a0000024a2cbfe30000000500000000000000050177015a3f7da1c1e8fe52c217faac5ddd21"
	  "8b968078402bed22a42129488719", IPSP_REC_PROTECT, 0 },
};
#define KNOWN (sizeof(known) / sizeof(known[0]))

static uint32_t known_hex(uint8_t *to, const char *text)
{
	uint32_t n = 0;

	for (; text[0] && text[1]; text += 2)
		to[n++] = (uint8_t)strtoul((char[3]){ text[0], text[1], 0 }, NULL, 16);
	return n;
}

static void known_none(struct batch *answers)
{
	memset(batch_room(answers, 4), 0, 4);
	batch_take(answers, 4);
}

static void known_sa(const struct known *k, uint32_t handle, struct batch *given)
{
	struct ipsp_sa sa = {
		.handle = handle, .direction = k->type == IPSP_REC_UNPROTECT, .flags = k->flags, .family = 4,
		.protocol = IPSP_ESP, .mode = k->mode, .source = { 10, 0, 0, 1 }, .destination = { 10, 0, 0, 2 },
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.aead = { .key_bits = 288, .icv_bits = 128 },
	};
	uint8_t packet[2048];

	known_hex(packet, k->type == IPSP_REC_UNPROTECT ? k->packet : k->answer);
	memcpy(&sa.spi, packet + 20, 4);
	known_hex(sa.aead.key, k->key);
	strcpy(sa.aead.name, k->algorithm);
	batch_add(given, IPSP_REC_SA_ADD, IPSP_RECF_SECRET, 0, &sa, sizeof(sa), NULL, 0);
}

static void known_ticket(const struct known *k, uint32_t handle, struct batch *given, struct batch *answers)
{
	struct ipsp_answer answer = { .verdict = IPSP_VERDICT_TRANSFORMED, .segments = 1 };
	struct ipsp_packet p = { .mtu = 1400, .stamp = { { handle, 1, k->number } } };
	uint8_t packet[2048];

	p.length = known_hex(packet, k->packet);
	batch_add(given, k->type, IPSP_RECF_NOMERGE, handle, &p, sizeof(p), packet, p.length);
	answer.segment_len = known_hex(packet, k->answer);
	if (k->reason)
		answer = (struct ipsp_answer){ .verdict = IPSP_VERDICT_DROP, .reason = k->reason };
	batch_add(answers, IPSP_REC_ANSWER, 0, handle, &answer, sizeof(answer), packet, answer.segment_len);
}

void known_make(const char *algorithm, struct batch *given, struct batch *answers)
{
	uint32_t i;

	for (i = 0; i < KNOWN; i++) {
		if (algorithm && strcmp(algorithm, known[i].algorithm))
			continue;
		known_sa(&known[i], i + 1, given);
		known_none(answers);
		known_ticket(&known[i], i + 1, given, answers);
	}
}

void known_hold(struct batch *given)
{
	static const struct ipsp_snapshot snapshot = { 0 };
	const struct ipsp_policy policy = { .operation = IPSP_POLICY_REPLACE, .count = 1 };
	struct ipsp_policy_entry entry = {
		.protect.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.action = IPSP_POLICY_APPLY, .templates = 1, .acquire = 7, .template_ = { { .protocol = IPSP_ESP } },
	};
	struct ipsp_packet p = { 0 };
	uint8_t packet[64];

	batch_add(given, IPSP_REC_SNAPSHOT_BEGIN, 0, 0, &snapshot, sizeof(snapshot), NULL, 0);
	batch_add(given, IPSP_REC_POLICY, 0, 0, &policy, sizeof(policy), &entry, sizeof(entry));
	p.length = known_hex(packet, HELLO);
	batch_add(given, IPSP_REC_CLASSIFY, 0, 1, &p, sizeof(p), packet, p.length);
}
