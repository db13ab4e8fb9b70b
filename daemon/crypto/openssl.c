// SPDX-License-Identifier: GPL-2.0
/*
 * openssl - the engine for every algorithm
 *
 * Theory of operation
 *
 * A context (EVP_CIPHER_CTX) has its key schedule made once, when the SA comes. Per
 * packet: a nonce, the associated data, the text, the tag; nothing of that fetches,
 * allocates or locks. The library's configuration file, its exit handler and its random
 * generator are never touched. What it does lazily (providers, error state, the first
 * use of each algorithm) is done once by crypto_init(), before the sandbox closes.
 */
#include "crypto.h"
#include "heap.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

struct openssl_algorithm {
	const char *xfrm;		/* XFRM's name */
	const char *name;		/* OpenSSL's */
	uint32_t key_bits;		/* salt included */
	EVP_CIPHER *cipher;		/* fetched once */
};

static struct openssl_algorithm openssl_algorithm[] = {
	{ "rfc4106(gcm(aes))", "AES-128-GCM", 160, NULL },
	{ "rfc4106(gcm(aes))", "AES-192-GCM", 224, NULL },
	{ "rfc4106(gcm(aes))", "AES-256-GCM", 288, NULL },
	{ "rfc7539esp(chacha20,poly1305)", "ChaCha20-Poly1305", 288, NULL },
};
#define OPENSSL_ALGORITHMS (sizeof(openssl_algorithm) / sizeof(openssl_algorithm[0]))

static struct heap openssl_heap;

/* ---- memory ------------------------------------------------------------------ */

static void *openssl_take(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return heap_take(&openssl_heap, size);
}

static void *openssl_resize(void *at, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return heap_resize(&openssl_heap, at, size);
}

static void openssl_give(void *at, const char *file, int line)
{
	(void)file;
	(void)line;
	heap_give(&openssl_heap, at);
}

int crypto_arena_install(void *base, size_t size)
{
	heap_init(&openssl_heap, base, size);
	return CRYPTO_set_mem_functions(openssl_take, openssl_resize, openssl_give) ? 0 : -1;
}

/* Measured with OpenSSL 3.0: see test_crypto_arena. Twice that, for other versions. */
size_t crypto_arena_size(uint32_t sas_max)
{
	return (2u << 20) + (size_t)sas_max * 4096;
}

size_t crypto_arena_used(void)
{
	return openssl_heap.used;
}

/* ---- contexts ---------------------------------------------------------------- */

static int openssl_seal(const struct crypto_sa *sa, const struct crypto_message *m, uint8_t *out);
static int openssl_open(const struct crypto_sa *sa, const struct crypto_message *m, const uint8_t *icv, uint8_t *out);

static const struct openssl_algorithm *openssl_find(const struct ipsp_algorithm *algorithm)
{
	size_t i;

	for (i = 0; i < OPENSSL_ALGORITHMS; i++)
		if (!strcmp(openssl_algorithm[i].xfrm, algorithm->name) &&
		    openssl_algorithm[i].key_bits == algorithm->key_bits)
			return &openssl_algorithm[i];
	return NULL;
}

static uint16_t openssl_sa_init(struct crypto_sa *sa, const struct ipsp_sa *given)
{
	const struct openssl_algorithm *found = openssl_find(&given->aead);
	int seals = given->direction == IPSP_DIR_OUT;

	sa->context = EVP_CIPHER_CTX_new();
	if (!found || !sa->context)
		return IPSP_DROP_STACK_ERROR;
	if (!EVP_CipherInit_ex(sa->context, found->cipher, NULL, given->aead.key, NULL, seals))
		return IPSP_DROP_STACK_ERROR;
	sa->seal = openssl_seal;
	sa->open = openssl_open;
	memcpy(&sa->salt, given->aead.key + given->aead.key_bits / 8 - sizeof(sa->salt), sizeof(sa->salt));
	return 0;
}

static void openssl_sa_wipe(struct crypto_sa *sa)
{
	EVP_CIPHER_CTX_free(sa->context);
}

/* ---- packets ----------------------------------------------------------------- */

static int openssl_start(const struct crypto_sa *sa, const struct crypto_message *m,
			 const OSSL_PARAM *params)
{
	const crypto_nonce nonce = crypto_nonce_of(sa, m);
	int len;

	return EVP_CipherInit_ex2(sa->context, NULL, NULL, (const uint8_t *)&nonce, -1, params) &&
	       EVP_CipherUpdate(sa->context, NULL, &len, m->aad, (int)m->aad_len);
}

/* The tag goes by a parameter: the library's ctrl would first make one of its arguments. */
#define OPENSSL_TAG(at, size) { { OSSL_CIPHER_PARAM_AEAD_TAG, OSSL_PARAM_OCTET_STRING, (at), \
				  (size), OSSL_PARAM_UNMODIFIED }, OSSL_PARAM_END }

static int openssl_seal(const struct crypto_sa *sa, const struct crypto_message *m, uint8_t *out)
{
	OSSL_PARAM tag[] = OPENSSL_TAG(out + m->len, sa->icv_len);
	int len;

	if (!openssl_start(sa, m, NULL) ||
	    !EVP_CipherUpdate(sa->context, out, &len, m->from, (int)m->len) ||
	    !EVP_CipherFinal_ex(sa->context, out + len, &len))
		return -1;
	return EVP_CIPHER_CTX_get_params(sa->context, tag) ? 0 : -1;
}

static int openssl_open(const struct crypto_sa *sa, const struct crypto_message *m,
			const uint8_t *icv, uint8_t *out)
{
	const OSSL_PARAM tag[] = OPENSSL_TAG((void *)(uintptr_t)icv, sa->icv_len);
	int len;

	if (!openssl_start(sa, m, tag) ||
	    !EVP_CipherUpdate(sa->context, out, &len, m->from, (int)m->len))
		return -1;
	return EVP_CipherFinal_ex(sa->context, out + len, &len) > 0 ? 0 : -1;
}

/* ---- init -------------------------------------------------------------------- */

static int openssl_init(void)
{
	size_t i;

	if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL))
		return -1;
	ERR_clear_error();		/* makes the thread's error state */
	for (i = 0; i < OPENSSL_ALGORITHMS; i++) {
		struct openssl_algorithm *algorithm = &openssl_algorithm[i];

		if (!algorithm->cipher)
			algorithm->cipher = EVP_CIPHER_fetch(NULL, algorithm->name, NULL);
		if (!algorithm->cipher)
			return -1;
	}
	return 0;
}

const struct crypto_engine crypto_openssl = {
	.id = IPSP_ENGINE_OPENSSL,
	.init = openssl_init,
	.sa_init = openssl_sa_init,
	.sa_wipe = openssl_sa_wipe,
};
