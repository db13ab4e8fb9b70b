// SPDX-License-Identifier: GPL-2.0
/*
 * bench_transform - what a packet costs in the stack, natively, beside the cipher alone
 *
 * Prints a table and writes transform.json to the working directory. One core, records
 * hot in its cache; no ring, no kernel. `cipher` is the engine's own call on the same
 * number of bytes, in the same number of messages; `copies` are two of the packet, `out/both`
 * is protect over cipher and copies. Each figure is the best of
 * many short rows of calls. Below it stands what is wanted of them; fails where one is missed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "crypto/crypto.h"
#include "ipsec/checksum.h"
#include "ipsec/ip.h"
#include "ipsec/transform.h"
#include "words/algorithm.h"

#define BENCH_MTU	1438u	/* inner, of a path of 1500 */
#define BENCH_ROW	20e-6	/* seconds of one row of calls, at least */
#define BENCH_SECONDS	0.3	/* of rows, the best of which counts */

static uint8_t memory[1 << 20] __attribute__((aligned(64)));
static uint8_t down[IPSP_RECORD_MAX] __attribute__((aligned(64)));
static uint8_t sealed[IPSP_RECORD_MAX] __attribute__((aligned(64)));
static uint8_t up[4 * IPSP_RECORD_MAX] __attribute__((aligned(64)));
static struct transform *transform;
static struct crypto_sa raw_sa;

struct bench {
	uint32_t engine;
	const char *cipher, *name;
	uint32_t key_bits;
	const char *auth;		/* beside a cipher; NULL: an AEAD */
	uint32_t auth_bits, icv_bits;
	uint32_t packet;	/* bytes of one IP packet */
	double cipher_ns, ratio;	/* what came of it: a packet's, and protect over cipher and copies */
	int is_super;		/* to be cut */
	uint32_t segments;
};

/* Nanoseconds of one call: the best of many short rows, so that whoever else wants the processor is not counted. */
static double bench_time(void (*call)(const struct bench *), const struct bench *b)
{
	double best = 1e30, begin = bench_now(), start, took;
	unsigned long row = 1, i;

	for (;;) {
		start = bench_now();
		for (i = 0; i < row; i++)
			call(b);
		took = bench_now() - start;
		if (took < BENCH_ROW && row < 1024)
			row *= 2;
		else if (took / (double)row < best)
			best = took / (double)row;
		if (start - begin > BENCH_SECONDS && best < 1e30)
			return best * 1e9;
	}
}

/* ---- records ----------------------------------------------------------------------- */

static void bench_answer(const struct bench *b)
{
	const struct ipsp_answer *answer = (const struct ipsp_answer *)(up + sizeof(struct ipsp_record));

	transform_answer(transform, (const struct ipsp_record *)down, up, sizeof(up));
	transform_flush(transform);
	bench_check(answer->verdict == IPSP_VERDICT_TRANSFORMED && answer->segments == b->segments,
		    "a packet was refused");
}

static void bench_sa(const struct bench *b, uint32_t handle, uint8_t direction)
{
	struct ipsp_sa sa = {
		.handle = handle, .direction = direction, .family = 4, .protocol = IP_ESP,
		.mode = IPSP_SA_TUNNEL, .spi = htobe32(0x1000),
		.source = { 192, 0, 2, 1 }, .destination = { 192, 0, 2, 2 },
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
	};
	struct ipsp_algorithm *main = b->auth ? &sa.cipher : &sa.aead;
	const uint32_t engines[4] = { b->engine };

	*main = (struct ipsp_algorithm){ .key_bits = b->key_bits, .icv_bits = b->auth ? 0 : 128,
					 .key = "0123456789abcdef0123456789abcdefsalt" };
	strcpy(main->name, b->name);
	if (b->auth) {
		strcpy(sa.auth.name, b->auth);
		sa.auth.key_bits = b->auth_bits;
		sa.auth.icv_bits = b->icv_bits;
	}
	if (direction == IPSP_DIR_OUT) {
		crypto_sa_wipe(&raw_sa);
		bench_check(!crypto_sa_init(&raw_sa, engines, &sa), "no such cipher");
	}
	bench_check(!transform_answer(transform, bench_record(down, IPSP_REC_SA_ADD, &sa, sizeof(sa), NULL, 0),
				      up, sizeof(up)), "an SA was refused");
}

/* A TCP packet, or a super-packet with its checksum left to be finished. */
static uint32_t bench_packet(const struct bench *b, uint8_t *p)
{
	static const uint8_t ends[8] = { 10, 1, 0, 1, 10, 2, 0, 1 };
	uint32_t i;

	for (i = 0; i < b->packet; i++)
		p[i] = (uint8_t)(i * 7);
	memset(p, 0, 40);
	p[0] = 0x45;
	p[6] = 0x40;
	p[8] = 64;
	p[9] = IP_TCP;
	memcpy(p + 12, ends, 8);
	p[32] = 0x50;
	ip_set_length(p, 20, b->packet);
	return b->packet;
}

static void bench_load_protect(struct bench *b)
{
	static uint8_t packet[65536];
	uint32_t len = bench_packet(b, packet), size = BENCH_MTU - 40;
	struct ipsp_packet about = { .family = 4, .mtu = BENCH_MTU, .length = len,
				     .stamp = { { 1, 64, 1 } } };

	b->segments = b->is_super ? (len - 40 + size - 1) / size : 1;
	if (b->is_super)
		about.offload = (struct ipsp_offload){
			.flags = IPSP_OFFLOAD_NEEDS_CSUM, .gso_type = IPSP_GSO_TCPV4,
			.gso_size = 1448, .csum_start = 20, .csum_offset = 16 };
	bench_record(down, IPSP_REC_PROTECT, &about, sizeof(about), packet, len);
}

/* What protect gave, the first packet of it, comes back. */
static void bench_load_unprotect(struct bench *b)
{
	struct ipsp_packet about = { .family = 4, .stamp = { { 2, 1, 1 } } };
	const struct ipsp_record *rec = (const struct ipsp_record *)up;
	uint32_t len = ((const struct ipsp_answer *)(rec + 1))->segment_len;

	memcpy(sealed, up + rec->data_offset, len);
	b->segments = 1;
	bench_record(down, IPSP_REC_UNPROTECT, &about, sizeof(about), sealed, len);
}

static uint32_t bench_text_len(uint32_t rest)
{
	uint32_t part = rest < BENCH_MTU ? rest : BENCH_MTU;

	return (part + 2 + raw_sa.align - 1) & ~(raw_sa.align - 1u);
}

/* What the engine seals at once, in place as the stack does. */
static void bench_cipher_rows(const struct bench *b)
{
	uint32_t i, n, at = 0, rest = b->packet, head = 8u + raw_sa.iv_len;
	struct crypto_message row[CRYPTO_ROW_MAX];

	for (i = 0; i < b->segments; i += n) {
		for (n = 0; n < CRYPTO_ROW_MAX && i + n < b->segments; n++, rest -= BENCH_MTU) {
			row[n] = (struct crypto_message){ .iv = up + at + 8, .aad = up + at, .aad_len = 8,
							  .from = up + at + head, .len = bench_text_len(rest) };
			at += head + (uint32_t)row[n].len + raw_sa.icv_len;
		}
		bench_check(!raw_sa.seal_row(&raw_sa, row, n), "the cipher failed");
	}
}

static void bench_cipher(const struct bench *b)
{
	uint32_t i, part = b->is_super ? BENCH_MTU : b->packet, rest = b->packet;
	struct crypto_message m = { .iv = up + 8, .aad = up, .aad_len = 8 };

	if (b->segments > 1 && raw_sa.seal_row) {
		bench_cipher_rows(b);
		return;
	}
	for (i = 0; i < b->segments; i++, rest -= part) {
		m.from = down + 256 + i * part;
		m.len = bench_text_len(rest);
		bench_check(!raw_sa.seal(&raw_sa, &m, up + 8 + raw_sa.iv_len), "the cipher failed");
	}
}

/* In from the skb and out to one, as the kernel copies a packet; other memory each time, of a pool of a ring's size */
static void bench_copies(const struct bench *b)
{
	static uint8_t pool[2][IPSP_RING_DEFAULT] __attribute__((aligned(64)));
	static uint32_t at;

	if (at + b->packet > IPSP_RING_DEFAULT)
		at = 0;
	memcpy(pool[0] + at, down + 256, b->packet);
	memcpy(pool[1] + at, pool[0] + at, b->packet);
	at += (b->packet + 63) & ~63u;
	__asm__ volatile("" : : : "memory");
}

/* ---- the table ---------------------------------------------------------------------- */

static void bench_config(const struct bench *b)
{
	struct ipsp_config config = { .engine = { b->engine } };

	bench_check(!transform_answer(transform, bench_record(down, IPSP_REC_CONFIG, &config, sizeof(config), NULL, 0), up,
				      sizeof(up)), "a configuration was refused");
}

static void bench_row(struct bench *b, FILE *json, int first)
{
	const char *engine = algorithm_engine_name(b->engine);
	double protect, unprotect, cipher, copies, packets, ratio;

	bench_config(b);
	bench_sa(b, 1, IPSP_DIR_OUT);
	bench_sa(b, 2, IPSP_DIR_IN);
	bench_load_protect(b);
	packets = b->segments;
	cipher = bench_time(bench_cipher, b);
	copies = bench_time(bench_copies, b);
	protect = bench_time(bench_answer, b);
	bench_load_unprotect(b);
	unprotect = bench_time(bench_answer, b);
	b->ratio = ratio = protect / (cipher + copies);
	b->cipher_ns = cipher / packets;
	printf("%-8s %-18s %7u %8.0f %10.0f %10.0f %10.0f %9.0f %10.2f %9.2f\n", engine, b->cipher, b->packet, packets,
	       cipher / packets, copies / packets, protect / packets, unprotect, b->packet * 8 / protect, ratio);
	fprintf(json,
		"%s  {\"engine\": \"%s\", \"cipher\": \"%s\", \"bytes\": %u, \"packets\": %.0f, \"cipher_ns\": %.1f, "
		"\"copies_ns\": %.1f, \"protect_ns\": %.1f, \"unprotect_ns\": %.1f, \"protect_gbit\": %.3f, \"ratio\": "
		"%.3f}",
		first ? "" : ",\n", engine, b->cipher, b->packet, packets, cipher / packets, copies / packets,
		protect / packets, unprotect, b->packet * 8 / protect, ratio);
}

/* ---- what is wanted ----------------------------------------------------------------------- */

#define BENCH_SIZES	4
static const uint32_t bench_sizes[BENCH_SIZES] = { 64, 512, 1400, 65000 };
static struct bench bench_done[64];	/* each cipher at each size */
static unsigned bench_count;

static const struct bench *bench_find(uint32_t engine, const char *cipher, uint32_t packet)
{
	unsigned i;

	for (i = 0; i < bench_count; i++)
		if (bench_done[i].engine == engine && !strcmp(bench_done[i].cipher, cipher) && bench_done[i].packet == packet)
			return &bench_done[i];
	bench_check(0, "no such row");
	return NULL;
}

static int bench_tell(const char *what, double is, double wanted, int is_enough)
{
	printf("%s: %.2f of %.2f%s\n", what, is, wanted, is_enough ? "" : ": missed");
	return is_enough;
}

/* What ipsecmb does with rows of segments, over OpenSSL, which has them one by one */
static int bench_rows_pay(const char *cipher, double wanted)
{
	const double is = bench_find(IPSP_ENGINE_OPENSSL, cipher, 65000)->cipher_ns /
			  bench_find(IPSP_ENGINE_IPSECMB, cipher, 65000)->cipher_ns;

	return bench_tell(cipher, is, wanted, is >= wanted);
}

static int bench_is_as_wanted(void)
{
	const double most = 1.35, is = bench_find(IPSP_ENGINE_IPSECMB, "aes-128-gcm", 1400)->ratio;
	int as_wanted = bench_tell("aes-128-gcm, at most", is, most, is <= most);

	as_wanted &= bench_rows_pay("aes-128-cbc-sha256", 3);
	return as_wanted & bench_rows_pay("3des-sha1", 2.5);
}

int main(void)
{
	static const struct bench ciphers[] = {
		{ IPSP_ENGINE_IPSECMB, "aes-128-gcm", "rfc4106(gcm(aes))", .key_bits = 160 },
		{ IPSP_ENGINE_OPENSSL, "aes-128-gcm", "rfc4106(gcm(aes))", .key_bits = 160 },
		{ IPSP_ENGINE_IPSECMB, "aes-256-gcm", "rfc4106(gcm(aes))", .key_bits = 288 },
		{ IPSP_ENGINE_OPENSSL, "aes-256-gcm", "rfc4106(gcm(aes))", .key_bits = 288 },
		{ IPSP_ENGINE_SODIUM, "aes-256-gcm", "rfc4106(gcm(aes))", .key_bits = 288 },
		{ IPSP_ENGINE_IPSECMB, "chacha20-poly1305", "rfc7539esp(chacha20,poly1305)", .key_bits = 288 },
		{ IPSP_ENGINE_OPENSSL, "chacha20-poly1305", "rfc7539esp(chacha20,poly1305)", .key_bits = 288 },
		{ IPSP_ENGINE_SODIUM, "chacha20-poly1305", "rfc7539esp(chacha20,poly1305)", .key_bits = 288 },
		{ IPSP_ENGINE_OPENSSL, "aes-128-cbc-sha256", "cbc(aes)", .key_bits = 128,
		  .auth = "hmac(sha256)", .auth_bits = 256, .icv_bits = 128 },
		{ IPSP_ENGINE_IPSECMB, "aes-128-cbc-sha256", "cbc(aes)", .key_bits = 128,
		  .auth = "hmac(sha256)", .auth_bits = 256, .icv_bits = 128 },
		{ IPSP_ENGINE_OPENSSL, "aes-256-cbc-sha256", "cbc(aes)", .key_bits = 256,
		  .auth = "hmac(sha256)", .auth_bits = 256, .icv_bits = 128 },
		{ IPSP_ENGINE_IPSECMB, "aes-256-cbc-sha256", "cbc(aes)", .key_bits = 256,
		  .auth = "hmac(sha256)", .auth_bits = 256, .icv_bits = 128 },
		{ IPSP_ENGINE_OPENSSL, "aes-128-ctr-sha1", "rfc3686(ctr(aes))", .key_bits = 160,
		  .auth = "hmac(sha1)", .auth_bits = 160, .icv_bits = 96 },
		{ IPSP_ENGINE_OPENSSL, "3des-sha1", "cbc(des3_ede)", .key_bits = 192,
		  .auth = "hmac(sha1)", .auth_bits = 160, .icv_bits = 96 },
		{ IPSP_ENGINE_IPSECMB, "3des-sha1", "cbc(des3_ede)", .key_bits = 192,
		  .auth = "hmac(sha1)", .auth_bits = 160, .icv_bits = 96 },
	};
	_Static_assert(sizeof(ciphers) / sizeof(ciphers[0]) * BENCH_SIZES <= sizeof(bench_done) / sizeof(bench_done[0]),
		       "room for each");
	const struct transform_config config = { 16, 16 };
	FILE *json = fopen("transform.json", "w");
	struct arena arena;
	unsigned i, j;

	bench_check(json && !crypto_init(), "cannot start");
	arena_init(&arena, memory, sizeof(memory));
	transform = transform_init(&arena, &config);
	bench_check(transform != NULL, "no memory");
	printf("%-8s %-18s %7s %8s %10s %10s %10s %9s %10s %9s\n", "engine", "tunnel 4 in 4", "bytes", "packets",
	       "cipher ns", "copies ns", "protect ns", "unprot ns", "Gbit/s out", "out/both");
	fputs("[\n", json);
	for (i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		for (j = 0; j < BENCH_SIZES; j++) {
			struct bench *b = &bench_done[bench_count++];

			*b = ciphers[i];
			b->packet = bench_sizes[j];
			b->is_super = bench_sizes[j] > BENCH_MTU;
			bench_row(b, json, !i && !j);
		}
	fputs("\n]\n", json);
	return fclose(json) || !bench_is_as_wanted() ? EXIT_FAILURE : EXIT_SUCCESS;
}
