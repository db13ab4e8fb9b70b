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
 * use of each algorithm) is done once in openssl_init(), before the sandbox closes.
 */
#include "crypto.h"
#include "heap.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#define OPENSSL_SALT_LEN 4

struct openssl_algorithm {
	const char *xfrm;		/* XFRM's name */
	const char *name;		/* OpenSSL's */
	uint32_t key_bits;		/* without the salt */
	EVP_CIPHER *cipher;		/* fetched once */
};

static struct openssl_algorithm openssl_algorithm[] = {
	{ "rfc4106(gcm(aes))", "AES-128-GCM", 128, NULL },
	{ "rfc4106(gcm(aes))", "AES-192-GCM", 192, NULL },
	{ "rfc4106(gcm(aes))", "AES-256-GCM", 256, NULL },
	{ "rfc7539esp(chacha20,poly1305)", "ChaCha20-Poly1305", 256, NULL },
};
#define OPENSSL_ALGORITHMS (sizeof(openssl_algorithm) / sizeof(openssl_algorithm[0]))

static const char *const openssl_names[] = {
	"rfc4106(gcm(aes))", "rfc7539esp(chacha20,poly1305)", NULL
};

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

static const struct openssl_algorithm *openssl_find(const struct ipsp_algorithm *algorithm)
{
	size_t i;

	for (i = 0; i < OPENSSL_ALGORITHMS; i++)
		if (!strcmp(openssl_algorithm[i].xfrm, algorithm->name) &&
		    openssl_algorithm[i].key_bits + 8 * OPENSSL_SALT_LEN == algorithm->key_bits)
			return &openssl_algorithm[i];
	return NULL;
}

static uint16_t openssl_sa_init(struct crypto_sa *sa, const struct ipsp_algorithm *algorithm,
				int seals)
{
	const struct openssl_algorithm *found = openssl_find(algorithm);
	EVP_CIPHER_CTX *context;

	if (!found || algorithm->icv_bits != 8 * CRYPTO_ICV_LEN)
		return IPSP_DROP_UNSUPPORTED;
	context = EVP_CIPHER_CTX_new();
	if (!context)
		return IPSP_DROP_STACK_ERROR;
	if (!EVP_CipherInit_ex(context, found->cipher, NULL, algorithm->key, NULL, seals)) {
		EVP_CIPHER_CTX_free(context);
		return IPSP_DROP_STACK_ERROR;
	}
	sa->engine = &crypto_openssl;
	sa->context = context;
	memcpy(&sa->salt, algorithm->key + found->key_bits / 8, OPENSSL_SALT_LEN);
	return 0;
}

static void openssl_sa_wipe(struct crypto_sa *sa)
{
	EVP_CIPHER_CTX_free(sa->context);
}

/* ---- packets ----------------------------------------------------------------- */

typedef uint64_t openssl_nonce __attribute__((vector_size(16)));

/*
 * Salt and IV (RFC 4106 4, RFC 7634 2). One 16-byte store: the library loads the nonce
 * again at offset 4, and a load that spans two stores waits for both.
 */
static int openssl_start(const struct crypto_sa *sa, const struct crypto_message *m,
			 const OSSL_PARAM *params)
{
	openssl_nonce nonce;
	uint64_t low, high;
	int len;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	low = sa->salt | m->iv << 32;
	high = m->iv >> 32;
#else
	low = (uint64_t)sa->salt << 32 | m->iv >> 32;
	high = m->iv << 32;
#endif
	nonce = (openssl_nonce){ low, high };
	return EVP_CipherInit_ex2(sa->context, NULL, NULL, (const uint8_t *)&nonce, -1, params) &&
	       EVP_CipherUpdate(sa->context, NULL, &len, m->aad, (int)m->aad_len);
}

static uint8_t *openssl_text(const struct crypto_sa *sa, const struct crypto_message *m,
			     uint8_t *out)
{
	unsigned i;
	int len;

	for (i = 0; i < m->pieces; i++) {
		if (!m->piece[i].len)
			continue;
		if (!EVP_CipherUpdate(sa->context, out, &len, m->piece[i].from,
				      (int)m->piece[i].len))
			return NULL;
		out += len;
	}
	return out;
}

/* The tag goes by a parameter: the library's ctrl would first make one of its arguments. */
#define OPENSSL_TAG(at) { { OSSL_CIPHER_PARAM_AEAD_TAG, OSSL_PARAM_OCTET_STRING, (at), \
			    CRYPTO_ICV_LEN, OSSL_PARAM_UNMODIFIED }, OSSL_PARAM_END }

static int openssl_take_tag(EVP_CIPHER_CTX *context, uint8_t *to)
{
	OSSL_PARAM tag[] = OPENSSL_TAG(to);

	return EVP_CIPHER_CTX_get_params(context, tag) ? 0 : -1;
}

static int openssl_seal(const struct crypto_sa *sa, const struct crypto_message *m,
			uint8_t *out)
{
	int len;

	if (!openssl_start(sa, m, NULL))
		return -1;
	out = openssl_text(sa, m, out);
	if (!out || !EVP_CipherFinal_ex(sa->context, out, &len))
		return -1;
	return openssl_take_tag(sa->context, out);
}

static int openssl_open(const struct crypto_sa *sa, const struct crypto_message *m,
			const uint8_t *icv, uint8_t *out)
{
	const OSSL_PARAM tag[] = OPENSSL_TAG((void *)(uintptr_t)icv);
	uint8_t *end;
	int len;

	if (!openssl_start(sa, m, tag))
		return -1;
	end = openssl_text(sa, m, out);
	if (!end)
		return -1;
	return EVP_CipherFinal_ex(sa->context, end, &len) > 0 ? 0 : -1;
}

/* ---- init -------------------------------------------------------------------- */

/* Seals, opens, and fails to open one message, as packets will. */
static int openssl_warm_pair(struct crypto_sa *out, struct crypto_sa *in)
{
	static const uint8_t aad[8], text[64];
	uint8_t sealed[64 + CRYPTO_ICV_LEN], opened[64];
	struct crypto_message m = { 1, aad, sizeof(aad), { { text, sizeof(text) } }, 1 };

	if (openssl_seal(out, &m, sealed))
		return -1;
	m.piece[0].from = sealed;
	if (openssl_open(in, &m, sealed + sizeof(text), opened) ||
	    memcmp(opened, text, sizeof(text)))
		return -1;
	sealed[0] ^= 1;
	return openssl_open(in, &m, sealed + sizeof(text), opened) ? 0 : -1;
}

static int openssl_warm(const struct openssl_algorithm *algorithm)
{
	struct ipsp_algorithm key = { .icv_bits = 8 * CRYPTO_ICV_LEN };
	struct crypto_sa out = { 0 }, in = { 0 };
	int failed;

	strcpy(key.name, algorithm->xfrm);
	key.key_bits = algorithm->key_bits + 8 * OPENSSL_SALT_LEN;
	failed = openssl_sa_init(&out, &key, 1) || openssl_sa_init(&in, &key, 0) ||
		 openssl_warm_pair(&out, &in);
	crypto_sa_wipe(&out);
	crypto_sa_wipe(&in);
	return failed ? -1 : 0;
}

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
		if (!algorithm->cipher || openssl_warm(algorithm))
			return -1;
	}
	return 0;
}

const struct crypto_engine crypto_openssl = {
	.id = IPSP_ENGINE_OPENSSL,
	.name = "openssl",
	.algorithms = openssl_names,
	.init = openssl_init,
	.sa_init = openssl_sa_init,
	.sa_wipe = openssl_sa_wipe,
	.seal = openssl_seal,
	.open = openssl_open,
};
