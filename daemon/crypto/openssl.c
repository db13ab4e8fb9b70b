// SPDX-License-Identifier: GPL-2.0
/*
 * openssl - the engine for every algorithm
 *
 * Theory of operation
 *
 * A context has its key schedule made once, when the SA comes. Per packet: a nonce, what is authenticated, the text,
 * the tag; nothing of that fetches or locks. (HMAC of OpenSSL 3.0 starts each message with a copy of its keyed state,
 * in a block that it takes from our heap.) The library's configuration file, its exit handler and its random generator
 * are never touched. What it does lazily (providers, error state, the first use of each algorithm) is done once by
 * crypto_init(), before the sandbox closes.
 */
#include "heap.h"
#include "openssl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

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

/* ---- ciphers ----------------------------------------------------------------- */

struct openssl_algorithm {
	const char *xfrm;		/* XFRM's name */
	const char *name;		/* OpenSSL's */
	uint32_t key_bits;		/* salt included */
	uint16_t (*init)(struct crypto_sa *sa, const struct ipsp_sa *given, const EVP_CIPHER *cipher);
	EVP_CIPHER *cipher;		/* fetched once; NULL: none */
};

/* DES is 3DES with one key thrice: DES alone is in a provider that is not loaded. */
static struct openssl_algorithm openssl_algorithm[] = {
	{ "rfc4106(gcm(aes))", "AES-128-GCM", 160, openssl_aead_init, NULL },
	{ "rfc4106(gcm(aes))", "AES-192-GCM", 224, openssl_aead_init, NULL },
	{ "rfc4106(gcm(aes))", "AES-256-GCM", 288, openssl_aead_init, NULL },
	{ "rfc7539esp(chacha20,poly1305)", "ChaCha20-Poly1305", 288, openssl_aead_init, NULL },
	{ "rfc4309(ccm(aes))", "AES-128-CCM", 152, openssl_aead_ccm_init, NULL },
	{ "rfc4309(ccm(aes))", "AES-192-CCM", 216, openssl_aead_ccm_init, NULL },
	{ "rfc4309(ccm(aes))", "AES-256-CCM", 280, openssl_aead_ccm_init, NULL },
	{ "rfc4543(gcm(aes))", "AES-128-GCM", 160, openssl_aead_gmac_init, NULL },
	{ "rfc4543(gcm(aes))", "AES-192-GCM", 224, openssl_aead_gmac_init, NULL },
	{ "rfc4543(gcm(aes))", "AES-256-GCM", 288, openssl_aead_gmac_init, NULL },
	{ "cbc(aes)", "AES-128-CBC", 128, openssl_separate_init, NULL },
	{ "cbc(aes)", "AES-192-CBC", 192, openssl_separate_init, NULL },
	{ "cbc(aes)", "AES-256-CBC", 256, openssl_separate_init, NULL },
	{ "rfc3686(ctr(aes))", "AES-128-CTR", 160, openssl_separate_init, NULL },
	{ "rfc3686(ctr(aes))", "AES-192-CTR", 224, openssl_separate_init, NULL },
	{ "rfc3686(ctr(aes))", "AES-256-CTR", 288, openssl_separate_init, NULL },
	{ "cbc(camellia)", "CAMELLIA-128-CBC", 128, openssl_separate_init, NULL },
	{ "cbc(camellia)", "CAMELLIA-192-CBC", 192, openssl_separate_init, NULL },
	{ "cbc(camellia)", "CAMELLIA-256-CBC", 256, openssl_separate_init, NULL },
	{ "cbc(des3_ede)", "DES-EDE3-CBC", 192, openssl_separate_init, NULL },
	{ "cbc(des)", "DES-EDE3-CBC", 64, openssl_separate_init, NULL },
	{ "ecb(cipher_null)", NULL, 0, openssl_separate_init, NULL },
};
#define OPENSSL_ALGORITHMS (sizeof(openssl_algorithm) / sizeof(openssl_algorithm[0]))

static const struct openssl_algorithm *openssl_find(const struct ipsp_algorithm *algorithm)
{
	size_t i;

	for (i = 0; i < OPENSSL_ALGORITHMS; i++)
		if (!strcmp(openssl_algorithm[i].xfrm, algorithm->name) &&
		    openssl_algorithm[i].key_bits == algorithm->key_bits)
			return &openssl_algorithm[i];
	return NULL;
}

/* ---- the engine -------------------------------------------------------------- */

static uint16_t openssl_sa_init(struct crypto_sa *sa, const struct ipsp_sa *given)
{
	const struct ipsp_algorithm *main = sa->is_aead ? &given->aead : &given->cipher;
	const struct openssl_algorithm *found = openssl_find(main);
	struct openssl_context *context;

	if (!found)
		return IPSP_DROP_UNSUPPORTED;
	context = sa->context = OPENSSL_zalloc(sizeof(*context));
	if (!context)
		return IPSP_DROP_STACK_ERROR;
	if (main->key_bits / 8 >= sizeof(sa->salt))
		memcpy(&sa->salt, main->key + main->key_bits / 8 - sizeof(sa->salt), sizeof(sa->salt));
	return found->init(sa, given, found->cipher);
}

static void openssl_sa_wipe(struct crypto_sa *sa)
{
	struct openssl_context *context = sa->context;

	if (!context)
		return;
	EVP_CIPHER_CTX_free(context->cipher);
	EVP_CIPHER_CTX_free(context->xcbc.cipher);
	EVP_MAC_CTX_free(context->mac);
	OPENSSL_clear_free(context, sizeof(*context));
}

static int openssl_init(void)
{
	size_t i;

	if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL))
		return -1;
	ERR_clear_error();		/* makes the thread's error state */
	for (i = 0; i < OPENSSL_ALGORITHMS; i++) {
		struct openssl_algorithm *algorithm = &openssl_algorithm[i];

		if (!algorithm->name || algorithm->cipher)
			continue;
		algorithm->cipher = EVP_CIPHER_fetch(NULL, algorithm->name, NULL);
		if (!algorithm->cipher)
			return -1;
	}
	return openssl_separate_start();
}

/* Where there are no blocks nothing is padded; a context that was told so is told anew with each nonce. */
static int openssl_unpadded(EVP_CIPHER_CTX *context)
{
	return EVP_CIPHER_CTX_get_block_size(context) == 1 || EVP_CIPHER_CTX_set_padding(context, 0);
}

EVP_CIPHER_CTX *openssl_cipher(const EVP_CIPHER *cipher, const uint8_t *key, int seals)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

	if (context && EVP_CipherInit_ex(context, cipher, NULL, key, NULL, seals) && openssl_unpadded(context))
		return context;
	EVP_CIPHER_CTX_free(context);
	return NULL;
}

const struct crypto_engine crypto_openssl = {
	.id = IPSP_ENGINE_OPENSSL,
	.init = openssl_init,
	.sa_init = openssl_sa_init,
	.sa_wipe = openssl_sa_wipe,
};
