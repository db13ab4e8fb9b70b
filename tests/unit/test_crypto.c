// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
/* test_crypto - the libraries' heap, published AEAD vectors, refusals, and 1,000 SAs in their arena */
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "crypto/heap.h"
#include "ipsec_port.h"
#include "words/algorithm.h"
#include "suite.h"

static uint8_t memory[8 << 20] __attribute__((aligned(64)));
static const uint32_t any[4];

static size_t hex(uint8_t *out, const char *text)
{
	size_t n = 0;

	for (; *text; text += 2)
		out[n++] = (uint8_t)strtoul((char[3]){ text[0], text[1], 0 }, NULL, 16);
	return n;
}

static struct ipsp_sa sa_of(const char *name, const char *key, uint32_t icv_bits)
{
	struct ipsp_sa sa = { .aead = { .icv_bits = icv_bits } };

	strcpy(sa.aead.name, name);
	sa.aead.key_bits = 8 * (uint32_t)hex(sa.aead.key, key);
	return sa;
}

/* crypto_sa_init with one engine only, outbound or inbound */
static void start(struct crypto_sa *sa, uint32_t engine, struct ipsp_sa *given, uint8_t direction)
{
	const uint32_t only[4] = { engine };

	given->direction = direction;
	ck_assert_uint_eq(crypto_sa_init(sa, only, given), 0);
	ck_assert_uint_eq(sa->engine->id, engine);
}

static int has(uint32_t engine, const struct ipsp_sa *given)
{
	const uint32_t only[4] = { engine };

	return algorithm_engine(given, only) == engine;
}

/* ---- heap ------------------------------------------------------------------------------ */

static void heap_is_filled_with(const uint8_t *at, uint8_t byte, size_t len)
{
	while (len--)
		ck_assert_uint_eq(at[len], byte);
}

START_TEST(heap_blocks_stay_apart)
{
	struct heap heap;
	uint8_t *at[400];
	size_t i;

	heap_init(&heap, memory + 3, 1 << 20);
	for (i = 0; i < 400; i++) {
		at[i] = heap_take(&heap, i + 1);
		ck_assert_ptr_nonnull(at[i]);
		ck_assert_uint_eq((uintptr_t)at[i] % 16, 0);
		memset(at[i], (int)i, i + 1);
	}
	for (i = 0; i < 400; i++)
		heap_is_filled_with(at[i], (uint8_t)i, i + 1);
}
END_TEST

START_TEST(heap_wipes_and_uses_again)
{
	struct heap heap;
	uint8_t *a, *b;

	heap_init(&heap, memory, 1 << 20);
	a = heap_take(&heap, 100);
	memset(a, 0x5a, 100);
	heap_give(&heap, a);
	heap_is_filled_with(a + sizeof(void *), 0, 100 - sizeof(void *));
	b = heap_take(&heap, 128);
	ck_assert_ptr_eq(a, b);
	heap_give(&heap, NULL);
}
END_TEST

START_TEST(heap_resizes)
{
	struct heap heap;
	uint8_t *a;

	heap_init(&heap, memory, 1 << 20);
	a = heap_resize(&heap, NULL, 10);
	memset(a, 7, 10);
	a = heap_resize(&heap, a, 5000);
	heap_is_filled_with(a, 7, 10);
	a = heap_resize(&heap, a, 10);
	heap_is_filled_with(a, 7, 10);
	ck_assert_ptr_null(heap_resize(&heap, a, 0));
}
END_TEST

START_TEST(heap_ends)
{
	struct heap heap;
	size_t n = 0;

	heap_init(&heap, memory, 4096);
	while (heap_take(&heap, 48))
		n++;
	ck_assert_uint_eq(n, 4096 / 64);
	ck_assert_ptr_null(heap_take(&heap, 16));
	ck_assert_ptr_null(heap_take(&heap, 0));
	ck_assert_ptr_null(heap_take(&heap, SIZE_MAX));
}
END_TEST

/* ---- vectors --------------------------------------------------------------------------- */

struct vector {
	const char *name, *key, *iv, *aad, *clear, *sealed;
};

static const struct vector vectors[] = {
	/* The Galois/Counter Mode of Operation, McGrew and Viega: test case 4 */
	{ "rfc4106(gcm(aes))", "feffe9928665731c6d6a8f9467308308cafebabe", "facedbaddecaf888",
	  "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
	  "49a6b525b16aedf5aa0de657ba637b39",
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5a"
	  "ac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47" },
	/* draft-mcgrew-gcm-test-01, the first packet: an ESP packet with ESN */
	{ "rfc4106(gcm(aes))", "4c80cdefbb5d10da906ac73c3613a6342e443b68", "4956ed7e3b244cfe",
	  "000043218765432100000000",
	  "45000048699a000080114db7c0a80102c0a801010a9bf15638d3010000010000000000000"
	  "45f736970045f756470037369700963796265726369747902646b000021000101020201",
	  "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34"
	  "cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce"
	  "61bc17d768fd9732459018148f6cbe722fd04796562dfdb4" },
	/* RFC 7634 appendix A; its text is sealed with padding */
	{ "rfc7539esp(chacha20,poly1305)",
	  "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3",
	  "1011121314151617", "0102030400000005",
	  "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f"
	  "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363701020204",
	  "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95df"
	  "ab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0"
	  "76aaa8266b7fb0f7b11b369907e1ad43" },
};

#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

struct opened {
	struct ipsp_sa given;
	uint8_t aad[32], iv[16], clear[256], sealed[256];
	size_t len, icv;
	struct crypto_message m;
};

static void load(const struct vector *v, struct opened *o)
{
	memset(o, 0, sizeof(*o));
	o->m.aad_len = hex(o->aad, v->aad);
	hex(o->iv, v->iv);
	o->len = hex(o->clear, v->clear);
	o->icv = hex(o->sealed, v->sealed) - o->len;
	o->given = sa_of(v->name, v->key, (uint32_t)o->icv * 8);
	o->m.aad = o->aad;
	o->m.iv = o->iv;
	o->m.len = o->len;
}

/* By each engine that has it, elsewhere and in place. */
START_TEST(vector_seals)
{
	uint32_t engine, engines = 0;
	struct crypto_sa sa;
	struct opened o;
	uint8_t out[256];

	ck_assert_int_eq(crypto_init(), 0);
	load(&vectors[_i], &o);
	for (engine = 1; engine <= ALGORITHM_ENGINES; engine++) {
		if (!has(engine, &o.given))
			continue;
		engines++;
		start(&sa, engine, &o.given, IPSP_DIR_OUT);
		o.m.from = o.clear;
		ck_assert_int_eq(sa.seal(&sa, &o.m, out), 0);
		ck_assert_mem_eq(out, o.sealed, o.len + o.icv);
		memset(out, 0, sizeof(out));
		memcpy(out, o.clear, o.len);
		o.m.from = out;
		ck_assert_int_eq(sa.seal(&sa, &o.m, out), 0);
		ck_assert_mem_eq(out, o.sealed, o.len + o.icv);
		crypto_sa_wipe(&sa);
	}
	ck_assert_uint_ge(engines, 2);
}
END_TEST

static void opens_only_as_it_was(const struct crypto_sa *sa, struct opened *o)
{
	uint8_t *icv = o->sealed + o->len, out[256];
	size_t at;

	o->m.from = o->sealed;
	for (at = 0; at < o->len + o->icv; at++) {
		o->sealed[at] ^= 0x10;
		ck_assert_int_ne(sa->open(sa, &o->m, icv, out), 0);
		o->sealed[at] ^= 0x10;
	}
	o->aad[3] ^= 1;
	ck_assert_int_ne(sa->open(sa, &o->m, icv, out), 0);
	o->aad[3] ^= 1;
	o->iv[0] ^= 1;
	ck_assert_int_ne(sa->open(sa, &o->m, icv, out), 0);
	o->iv[0] ^= 1;
	ck_assert_int_eq(sa->open(sa, &o->m, icv, out), 0);
	ck_assert_mem_eq(out, o->clear, o->len);
}

START_TEST(vector_opens_and_only_as_it_was)
{
	uint32_t engine, engines = 0;
	struct crypto_sa sa;
	struct opened o;

	ck_assert_int_eq(crypto_init(), 0);
	load(&vectors[_i], &o);
	for (engine = 1; engine <= ALGORITHM_ENGINES; engine++) {
		if (!has(engine, &o.given))
			continue;
		engines++;
		start(&sa, engine, &o.given, IPSP_DIR_IN);
		opens_only_as_it_was(&sa, &o);
		crypto_sa_wipe(&sa);
	}
	ck_assert_uint_ge(engines, 2);
}
END_TEST

/* ---- refusals, memory ------------------------------------------------------------------------ */

#define GCM_KEY "feffe9928665731c6d6a8f9467308308cafebabe"

START_TEST(unknown_algorithms_are_refused)
{
	const uint32_t sodium[4] = { IPSP_ENGINE_SODIUM }, unknown[4] = { 99 };
	struct ipsp_sa a = sa_of("rfc4106(gcm(aes))", GCM_KEY, 128), b = a;
	struct crypto_sa sa;

	ck_assert_int_eq(crypto_init(), 0);
	b.aead.icv_bits = 32;
	ck_assert_uint_eq(crypto_sa_init(&sa, any, &b), IPSP_DROP_UNSUPPORTED);
	b = a;
	b.aead.key_bits = 128;
	ck_assert_uint_eq(crypto_sa_init(&sa, any, &b), IPSP_DROP_UNSUPPORTED);
	strcpy(b.aead.name, "gcm(aes)");
	ck_assert_uint_eq(crypto_sa_init(&sa, any, &b), IPSP_DROP_UNSUPPORTED);
	memset(b.aead.name, 'x', sizeof(b.aead.name));
	ck_assert_uint_eq(crypto_sa_init(&sa, any, &b), IPSP_DROP_UNSUPPORTED);
	ck_assert_uint_eq(crypto_sa_init(&sa, sodium, &a), IPSP_DROP_UNSUPPORTED);
	ck_assert_uint_eq(crypto_sa_init(&sa, unknown, &a), IPSP_DROP_UNSUPPORTED);
	crypto_sa_wipe(&sa);		/* of one that never was */
}
END_TEST

/* The first of the list that has it; without a list ipsecmb, where there is AES-NI. */
START_TEST(preference_decides)
{
	const uint32_t lists[][4] = { { 0 }, { IPSP_ENGINE_OPENSSL, IPSP_ENGINE_IPSECMB },
				      { IPSP_ENGINE_SODIUM, IPSP_ENGINE_OPENSSL } };
	const uint32_t want[] = { __builtin_cpu_supports("aes") ? IPSP_ENGINE_IPSECMB : IPSP_ENGINE_OPENSSL,
				  IPSP_ENGINE_OPENSSL, IPSP_ENGINE_OPENSSL };
	struct ipsp_sa a = sa_of("rfc4106(gcm(aes))", GCM_KEY, 128);
	struct crypto_sa sa;
	int i;

	ck_assert_int_eq(crypto_init(), 0);
	for (i = 0; i < 3; i++) {
		ck_assert_uint_eq(crypto_sa_init(&sa, lists[i], &a), 0);
		ck_assert_uint_eq(sa.engine->id, want[i]);
		crypto_sa_wipe(&sa);
	}
}
END_TEST

static void thousand(struct crypto_sa sa[1000], uint32_t engine, struct ipsp_sa *given)
{
	int i;

	for (i = 0; i < 1000; i++)
		start(&sa[i], engine, given, i & 1 ? IPSP_DIR_IN : IPSP_DIR_OUT);
}

/* A process of its own (Check forks): the arena must come before anything else. */
static void fit_their_arena(uint32_t engine, struct ipsp_sa *given)
{
	static struct crypto_sa sa[1000];
	size_t size = crypto_arena_size(1000), used, round;
	int i;

	ck_assert_uint_le(size, sizeof(memory));
	ck_assert_int_eq(crypto_arena_install(memory, size), 0);
	ck_assert_int_eq(crypto_init(), 0);
	for (round = used = 0; round < 3; round++) {
		thousand(sa, engine, given);
		if (round)
			ck_assert_uint_eq(crypto_arena_used(), used);	/* nothing leaks */
		used = crypto_arena_used();
		for (i = 0; i < 1000; i++)
			crypto_sa_wipe(&sa[i]);
	}
	ck_assert_uint_le(used, size / 4 * 3);
}

START_TEST(a_thousand_sas_fit_their_arena)
{
	struct ipsp_sa given = sa_of("rfc4106(gcm(aes))", GCM_KEY "000102030405060708090a0b0c0d0e0f", 128);

	fit_their_arena(1 + (uint32_t)_i, &given);
}
END_TEST

/* The largest there is: a cipher and a MAC of OpenSSL, and of ipsecmb beside them. */
START_TEST(a_thousand_with_a_mac_fit_their_arena)
{
	struct ipsp_sa given = { .cipher = { .name = "cbc(aes)", .key_bits = 256 },
				 .auth = { .name = "hmac(sha512)", .key_bits = 512, .icv_bits = 256 } };
	const uint32_t engine[] = { IPSP_ENGINE_OPENSSL, IPSP_ENGINE_IPSECMB };

	if (has(engine[_i], &given))
		fit_their_arena(engine[_i], &given);
	else
		ck_assert(!__builtin_cpu_supports("aes"));
}
END_TEST

/* The key is gone from the arena once its SA is. */
START_TEST(a_wiped_sa_leaves_no_key)
{
	struct ipsp_sa given = sa_of("rfc7539esp(chacha20,poly1305)",
		"c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3", 128);
	struct crypto_sa sa;

	ck_assert_int_eq(crypto_arena_install(memory, sizeof(memory)), 0);
	ck_assert_int_eq(crypto_init(), 0);
	start(&sa, 1 + (uint32_t)_i, &given, IPSP_DIR_OUT);
	ck_assert_ptr_nonnull(memmem(memory, sizeof(memory), given.aead.key, 16));
	crypto_sa_wipe(&sa);
	ck_assert_ptr_null(memmem(memory, sizeof(memory), given.aead.key, 16));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crypto");
	TCase *c = tcase_create("crypto");

	tcase_set_timeout(c, 60);
	tcase_add_test(c, heap_blocks_stay_apart);
	tcase_add_test(c, heap_wipes_and_uses_again);
	tcase_add_test(c, heap_resizes);
	tcase_add_test(c, heap_ends);
	tcase_add_loop_test(c, vector_seals, 0, (int)VECTORS);
	tcase_add_loop_test(c, vector_opens_and_only_as_it_was, 0, (int)VECTORS);
	tcase_add_test(c, unknown_algorithms_are_refused);
	tcase_add_test(c, preference_decides);
	tcase_add_loop_test(c, a_thousand_sas_fit_their_arena, 0, ALGORITHM_ENGINES);
	tcase_add_loop_test(c, a_thousand_with_a_mac_fit_their_arena, 0, 2);
	tcase_add_loop_test(c, a_wiped_sa_leaves_no_key, 0, ALGORITHM_ENGINES);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
