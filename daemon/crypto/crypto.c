// SPDX-License-Identifier: GPL-2.0
#include "crypto.h"

#include <openssl/crypto.h>

#include "words/algorithm.h"

static const struct crypto_engine *const crypto_engines[] = { &crypto_openssl, &crypto_ipsecmb, &crypto_sodium };
#define CRYPTO_ENGINES (sizeof(crypto_engines) / sizeof(crypto_engines[0]))

/* ---- memory -------------------------------------------------------------------------- */

#define CRYPTO_BLOCK 64

/* Where the block began, and how long it is, stand right before what is given out. */
struct crypto_block {
	void *base;
	size_t size;
};

void *crypto_take(size_t size)
{
	size_t whole = size + CRYPTO_BLOCK + sizeof(struct crypto_block);
	uint8_t *base = OPENSSL_zalloc(whole), *at;
	struct crypto_block *block;

	if (!base)
		return NULL;
	at = base + sizeof(*block);
	at += -(uintptr_t)at & (CRYPTO_BLOCK - 1);
	block = (struct crypto_block *)(void *)at - 1;
	*block = (struct crypto_block){ base, whole };
	return at;
}

void crypto_give(void *at)
{
	struct crypto_block *block = at ? (struct crypto_block *)at - 1 : NULL;

	if (block)
		OPENSSL_clear_free(block->base, block->size);
}

/* ---- an SA --------------------------------------------------------------------------- */

static const struct crypto_engine *crypto_find(uint32_t id)
{
	size_t i;

	for (i = 0; i < CRYPTO_ENGINES; i++)
		if (crypto_engines[i]->id == id)
			return crypto_engines[i];
	return NULL;
}

/* An engine knows no RFC 8750: there the IV is the number too, and only is not sent. */
static uint16_t crypto_engine_init(struct crypto_sa *sa, const struct ipsp_sa *given)
{
	const char *base = algorithm_base(given->aead.name);
	struct ipsp_sa plain;
	uint16_t reason;

	if (base == given->aead.name)
		return sa->engine->sa_init(sa, given);
	plain = *given;
	strcpy(plain.aead.name, base);
	reason = sa->engine->sa_init(sa, &plain);
	explicit_bzero(&plain, sizeof(plain));
	return reason;
}

uint16_t crypto_sa_init(struct crypto_sa *sa, const uint32_t preference[4], const struct ipsp_sa *given)
{
	const struct crypto_engine *engine = crypto_find(algorithm_engine(given, preference));
	struct algorithm_layout layout;
	uint16_t reason;

	memset(sa, 0, sizeof(*sa));
	if (!engine || !algorithm_layout(given, &layout))
		return IPSP_DROP_UNSUPPORTED;
	sa->iv_len = layout.iv_len;
	sa->align = layout.align;
	sa->icv_len = layout.icv_len;
	sa->is_aead = layout.is_aead;
	sa->engine = engine;
	reason = crypto_engine_init(sa, given);
	if (!reason && layout.has_secret_iv && given->direction == IPSP_DIR_OUT) {
		sa->iv_context = iv_init(given->cipher.key, given->cipher.key_bits / 8);
		reason = sa->iv_context ? 0 : IPSP_DROP_STACK_ERROR;
	}
	if (reason)
		crypto_sa_wipe(sa);
	return reason;
}

void crypto_sa_wipe(struct crypto_sa *sa)
{
	if (sa->engine)
		sa->engine->sa_wipe(sa);
	iv_wipe(sa->iv_context);
	explicit_bzero(sa, sizeof(*sa));
}

/* ---- warming up ---------------------------------------------------------------------- */

#define WARM_TEXT 64

/* Seals, opens, and fails to open one message, as packets will. */
static int crypto_warm_pair(const struct crypto_sa *out, const struct crypto_sa *in)
{
	uint8_t esp[8 + CRYPTO_IV_MAX + WARM_TEXT + CRYPTO_ICV_MAX] = { 1 }, opened[WARM_TEXT];
	uint8_t *text = esp + 8 + out->iv_len;
	struct crypto_message m = { .iv = esp + 8, .aad = esp, .aad_len = 8, .from = text, .len = WARM_TEXT };
	static const uint8_t zero[WARM_TEXT];

	crypto_iv(out, 1, esp + 8);
	if (!out->iv_len)
		m.iv = zero;
	if (out->seal(out, &m, text) || in->open(in, &m, text + WARM_TEXT, opened) ||
	    memcmp(opened, zero, WARM_TEXT))
		return -1;
	if (!out->icv_len)
		return 0;
	text[0] ^= 1;
	return in->open(in, &m, text + WARM_TEXT, opened) ? 0 : -1;
}

/* With each engine that has it. */
static int crypto_warm(struct ipsp_sa *sa)
{
	struct crypto_sa out, in;
	uint32_t engine;
	int failed = 0;

	for (engine = 1; engine <= ALGORITHM_ENGINES && !failed; engine++) {
		const uint32_t only[4] = { engine };

		if (!algorithm_engine(sa, only))
			continue;
		memset(&out, 0, sizeof(out));
		memset(&in, 0, sizeof(in));
		sa->direction = IPSP_DIR_OUT;
		failed = crypto_sa_init(&out, only, sa);
		sa->direction = IPSP_DIR_IN;
		failed = failed || crypto_sa_init(&in, only, sa) || crypto_warm_pair(&out, &in);
		crypto_sa_wipe(&out);
		crypto_sa_wipe(&in);
	}
	return failed ? -1 : 0;
}

static void crypto_warm_name(struct ipsp_algorithm *to, const struct algorithm *a, int length)
{
	strcpy(to->name, a->name);
	to->key_bits = a->key_bits[length];
	to->icv_bits = a->icv_bits[0];
}

static int crypto_warm_row(const struct algorithm *a)
{
	int i, failed = 0;

	for (i = 0; i < ALGORITHM_LENGTHS && (!i || a->key_bits[i]) && !failed; i++) {
		struct ipsp_sa sa = { 0 };

		if (a->kind == ALGORITHM_AEAD) {
			crypto_warm_name(&sa.aead, a, i);
		} else {
			crypto_warm_name(a->kind == ALGORITHM_CIPHER ? &sa.cipher : &sa.auth, a, i);
			if (a->kind == ALGORITHM_AUTH)
				strcpy(sa.cipher.name, "ecb(cipher_null)");
		}
		failed = crypto_warm(&sa);
	}
	return failed;
}

int crypto_init(void)
{
	const struct algorithm *a;
	size_t i;

	for (i = 0; i < CRYPTO_ENGINES; i++)
		if (crypto_engines[i]->init())
			return -1;
	if (iv_start())
		return -1;
	for (a = algorithm_table; *a->name; a++)
		if (crypto_warm_row(a))
			return -1;
	return 0;
}
