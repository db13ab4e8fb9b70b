// SPDX-License-Identifier: GPL-2.0
/*
 * test_engines - random messages: all engines give the same bytes, and each opens what another sealed
 *
 * Algorithm, lengths, sizes from 0 to 65,000 bytes, alignments, ESN, in place and elsewhere are drawn; the seed is
 * printed. What one engine only has is opened again by it, and refused when a byte is another. An engine that seals rows
 * gives in one, of 1 to 32 messages of different lengths, the bytes that OpenSSL gives one by one. 3,000 cases, with
 * LONG=1 100,000; ENGINES_CASES=N for another number, ENGINES_SEED=N for the same again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/crypto.h"
#include "words/algorithm.h"
#include "suite.h"

#define SIZE_MAX_CASE 65000
#define ROOM (SIZE_MAX_CASE + 200)

static uint8_t clear[ROOM], first[ROOM], other[ROOM], opened[ROOM];
static uint64_t state;

/* xorshift64*: the same everywhere, from its seed */
static uint32_t draw(uint32_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

static void draw_bytes(uint8_t *at, size_t len)
{
	while (len--)
		*at++ = (uint8_t)draw(256);
}

static uint16_t draw_length(const uint16_t lengths[ALGORITHM_LENGTHS])
{
	int n = 1;

	while (n < ALGORITHM_LENGTHS && lengths[n])
		n++;
	return lengths[draw((uint32_t)n)];
}

static void draw_algorithm(struct ipsp_algorithm *to, enum algorithm_kind kind)
{
	const struct algorithm *a, *of[32];
	uint32_t n = 0;

	for (a = algorithm_table; *a->name; a++)
		if (a->kind == kind)
			of[n++] = a;
	a = of[draw(n)];
	strcpy(to->name, a->name);
	to->key_bits = draw_length(a->key_bits);
	to->icv_bits = draw_length(a->icv_bits);
	draw_bytes(to->key, to->key_bits / 8);
}

/* AEADs more often: they are what several engines have. */
static void draw_sa(struct ipsp_sa *sa)
{
	memset(sa, 0, sizeof(*sa));
	if (draw(4)) {
		draw_algorithm(&sa->aead, ALGORITHM_AEAD);
		return;
	}
	draw_algorithm(&sa->cipher, ALGORITHM_CIPHER);
	if (draw(8))
		draw_algorithm(&sa->auth, ALGORITHM_AUTH);
}

static size_t draw_size(size_t align)
{
	static const uint32_t most[] = { 40, 300, 1500, 1500, 9000, SIZE_MAX_CASE };

	return draw(most[draw(6)] + 1) & ~(align - 1);
}

/* ---- one case ------------------------------------------------------------------------ */

struct one {
	struct ipsp_sa given;
	struct algorithm_layout layout;
	struct crypto_message m;
	size_t text;			/* from the row's start */
	int in_place;
};

/* The row: 8 bytes of header, IV, text, ICV. */
static void one_seal(struct one *c, uint32_t engine, uint8_t *row)
{
	const uint32_t only[4] = { engine };
	struct crypto_sa sa;

	c->given.direction = IPSP_DIR_OUT;
	ck_assert_uint_eq(crypto_sa_init(&sa, only, &c->given), 0);
	ck_assert_uint_eq(sa.engine->id, engine);
	memcpy(row, clear, 8);
	crypto_iv(&sa, 0x100000007ull, row + 8);
	c->m.iv = sa.iv_len ? row + 8 : clear;
	if (c->m.aad_len == 8)
		c->m.aad = row;
	c->m.from = clear + 64;
	if (c->in_place)
		c->m.from = memcpy(row + c->text, clear + 64, c->m.len);
	ck_assert_int_eq(sa.seal(&sa, &c->m, row + c->text), 0);
	crypto_sa_wipe(&sa);
}

static void one_open(struct one *c, uint32_t engine, uint8_t *row, const char *seed)
{
	const uint32_t only[4] = { engine };
	size_t whole = c->m.len + c->layout.icv_len;
	struct crypto_sa sa;
	uint32_t at;

	c->given.direction = IPSP_DIR_IN;
	ck_assert_uint_eq(crypto_sa_init(&sa, only, &c->given), 0);
	c->m.iv = sa.iv_len ? row + 8 : clear;
	if (c->m.aad_len == 8)
		c->m.aad = row;
	c->m.from = row + c->text;
	ck_assert_msg(!sa.open(&sa, &c->m, c->m.from + c->m.len, opened + draw(17)), "%s: not opened", seed);
	if (c->layout.icv_len && whole) {
		at = draw((uint32_t)whole);
		row[c->text + at] ^= 0x08;
		ck_assert_msg(sa.open(&sa, &c->m, c->m.from + c->m.len, opened), "%s: altered, and opened", seed);
		row[c->text + at] ^= 0x08;
	}
	ck_assert_int_eq(sa.open(&sa, &c->m, c->m.from + c->m.len, opened), 0);
	ck_assert_msg(!memcmp(opened, clear + 64, c->m.len), "%s: another text", seed);
	crypto_sa_wipe(&sa);
}

static struct crypto_message row_message(const struct one *c, const struct crypto_sa *sa, uint32_t i, size_t at)
{
	uint8_t *row = other + at;
	struct crypto_message m = { .aad = row, .aad_len = 8, .iv = row + 8, .from = row + c->text,
				    .len = (draw(1500) + c->layout.align) & ~(c->layout.align - 1u), .high_len = c->m.high_len };

	memcpy(m.high, c->m.high, 4);
	memcpy(row, clear + i, c->text + m.len + c->layout.icv_len);
	crypto_iv(sa, i, row + 8);
	return m;
}

/* Its copy in `first`, at the same place */
static void row_alone(const struct one *c, const struct crypto_sa *alone, struct crypto_message m, size_t whole)
{
	uint8_t *at = first + (m.aad - other);

	memcpy(at, m.aad, whole);
	m.aad = at;
	m.iv = at + 8;
	m.from = at + c->text;
	ck_assert_int_eq(alone->seal(alone, &m, at + c->text), 0);
}

/* Of each message in a row what OpenSSL makes of it alone; each lies where the one before ends, as segments do. */
static void one_row(struct one *c, uint32_t engine, const char *seed)
{
	const uint32_t only[4] = { engine }, openssl[4] = { IPSP_ENGINE_OPENSSL };
	struct crypto_message m[CRYPTO_ROW_MAX];
	uint32_t i, count = 1 + draw(CRYPTO_ROW_MAX);
	size_t at = draw(17), begin = at, whole;
	struct crypto_sa sa, alone;

	c->given.direction = IPSP_DIR_OUT;
	ck_assert_uint_eq(crypto_sa_init(&sa, only, &c->given), 0);
	ck_assert_uint_eq(crypto_sa_init(&alone, openssl, &c->given), 0);
	for (i = 0; sa.seal_row && i < count; i++, at += whole) {
		m[i] = row_message(c, &sa, i, at);
		whole = c->text + m[i].len + c->layout.icv_len;
		row_alone(c, &alone, m[i], whole);
	}
	if (sa.seal_row) {
		ck_assert_int_eq(sa.seal_row(&sa, m, count), 0);
		ck_assert_msg(!memcmp(other + begin, first + begin, at - begin),
			      "%s: a row of %u gives other bytes", seed, count);
	}
	crypto_sa_wipe(&sa);
	crypto_sa_wipe(&alone);
}

static void one_draw(struct one *c)
{
	memset(c, 0, sizeof(*c));
	do {
		draw_sa(&c->given);
	} while (!algorithm_layout(&c->given, &c->layout));
	draw_bytes(clear, 64);
	c->m.len = draw_size(c->layout.align);
	clear[64 + draw(16)] ^= (uint8_t)draw(256);	/* else as it was: to draw each byte takes too long */
	c->m.aad = clear + 16;
	c->m.aad_len = 8;
	if (draw(2) && c->layout.is_aead)
		c->m.aad_len = 12;
	else if (draw(2) && !c->layout.is_aead)
		c->m.high_len = 4;
	draw_bytes(c->m.high, 4);
	c->text = 8u + c->layout.iv_len;
	c->in_place = (int)draw(2);
}

/* How many engines agreed. */
static int one_run(const char *seed)
{
	uint32_t engine, sealers = 0, skew = draw(17);
	struct one c;
	uint8_t *row;

	one_draw(&c);
	for (engine = 1; engine <= ALGORITHM_ENGINES; engine++) {
		const uint32_t only[4] = { engine };

		if (!algorithm_engine(&c.given, only))
			continue;
		row = sealers ? other + draw(17) : first + skew;
		one_seal(&c, engine, row);
		if (sealers)
			ck_assert_msg(!memcmp(row, first + skew, c.text + c.m.len + c.layout.icv_len),
				      "%s: %s%s gives other bytes by %s", seed, c.given.aead.name, c.given.cipher.name,
				      algorithm_engine_name(engine));
		sealers++;
		one_open(&c, engine, first + skew, seed);
	}
	for (engine = 1; engine <= ALGORITHM_ENGINES; engine++) {
		const uint32_t only[4] = { engine };

		if (engine != IPSP_ENGINE_OPENSSL && algorithm_engine(&c.given, only))
			one_row(&c, engine, seed);
	}
	ck_assert_msg(sealers, "%s: no engine", seed);
	return (int)sealers;
}

START_TEST(engines_agree)
{
	unsigned long cases = strtoul(getenv("ENGINES_CASES") ?: getenv("LONG") && *getenv("LONG") ? "100000" : "3000", NULL, 10), i;
	uint64_t seed = strtoull(getenv("ENGINES_SEED") ?: "0", NULL, 0) ?: (uint64_t)time(NULL);
	int by[ALGORITHM_ENGINES + 1] = { 0 };
	char text[64];

	ck_assert_int_eq(crypto_init(), 0);
	state = seed * 2 + 1;
	draw_bytes(clear, sizeof(clear));
	for (i = 0; i < cases; i++) {
		snprintf(text, sizeof(text), "ENGINES_SEED=%llu, case %lu", (unsigned long long)seed, i);
		by[one_run(text)]++;
	}
	printf("ENGINES_SEED=%llu: %lu cases, %d by two engines, %d by three\n", (unsigned long long)seed, cases, by[2],
	       by[3]);
	if (!__builtin_cpu_supports("aes"))
		return;
	ck_assert_int_gt(by[2], 0);
	ck_assert_int_gt(by[3], 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engines");
	TCase *c = tcase_create("engines");

	tcase_set_timeout(c, 3600);
	tcase_add_test(c, engines_agree);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
