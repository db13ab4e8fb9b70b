// SPDX-License-Identifier: GPL-2.0
/*
 * aead.c - AES-256-GCM (RFC 4106) and ChaCha20-Poly1305 (RFC 7634), with and without the IV on the wire (RFC 8750)
 *
 * The nonce is salt and IV; the IV is the packet's number. libsodium takes both ciphers' nonces as the same 12 bytes,
 * needs no heap for either, and an AES key schedule is made once per SA.
 */
#include "aead.h"

#include <endian.h>
#include <string.h>

#define AEAD_KEY 32			/* bytes, without salt */
#define AEAD_NONCE (AEAD_SALT + 8)

struct aead_kind {
	const char *name;		/* XFRM's */
	size_t iv_len;
	void (*key)(struct aead *aead, const uint8_t *key);
	void (*seal)(const struct aead *aead, const struct aead_job *job, const uint8_t *nonce, uint8_t *icv);
	int (*open)(const struct aead *aead, const struct aead_job *job, const uint8_t *nonce, const uint8_t *icv);
};

static void gcm_key(struct aead *aead, const uint8_t *key)
{
	crypto_aead_aes256gcm_beforenm(&aead->gcm, key);
}

static void gcm_seal(const struct aead *aead, const struct aead_job *job, const uint8_t *nonce, uint8_t *icv)
{
	crypto_aead_aes256gcm_encrypt_detached_afternm(job->text, icv, NULL, job->text, job->len, job->aad,
						       job->aad_len, NULL, nonce, &aead->gcm);
}

static int gcm_open(const struct aead *aead, const struct aead_job *job, const uint8_t *nonce, const uint8_t *icv)
{
	return crypto_aead_aes256gcm_decrypt_detached_afternm(job->text, NULL, job->cipher, job->len, icv, job->aad,
							      job->aad_len, nonce, &aead->gcm);
}

static void chacha_key(struct aead *aead, const uint8_t *key)
{
	memcpy(aead->key, key, AEAD_KEY);
}

static void chacha_seal(const struct aead *aead, const struct aead_job *job, const uint8_t *nonce, uint8_t *icv)
{
	crypto_aead_chacha20poly1305_ietf_encrypt_detached(job->text, icv, NULL, job->text, job->len, job->aad,
							   job->aad_len, NULL, nonce, aead->key);
}

static int chacha_open(const struct aead *aead, const struct aead_job *job, const uint8_t *nonce, const uint8_t *icv)
{
	return crypto_aead_chacha20poly1305_ietf_decrypt_detached(job->text, NULL, job->cipher, job->len, icv,
								  job->aad, job->aad_len, nonce, aead->key);
}

static const struct aead_kind kinds[] = {
	{ "rfc4106(gcm(aes))", 8, gcm_key, gcm_seal, gcm_open },
	{ "rfc8750(gcm(aes))", 0, gcm_key, gcm_seal, gcm_open },
	{ "rfc7539esp(chacha20,poly1305)", 8, chacha_key, chacha_seal, chacha_open },
	{ "rfc8750(chacha20,poly1305)", 0, chacha_key, chacha_seal, chacha_open },
};

int aead_init(void)
{
	return sodium_init() < 0 ? -1 : 0;
}

static const struct aead_kind *aead_kind_of(const struct ipsp_algorithm *algorithm)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strncmp(algorithm->name, kinds[i].name, sizeof(algorithm->name)))
			return &kinds[i];
	return NULL;
}

bool aead_key(struct aead *aead, const struct ipsp_algorithm *algorithm)
{
	const struct aead_kind *kind = aead_kind_of(algorithm);

	if (!kind || algorithm->key_bits != 8 * (AEAD_KEY + AEAD_SALT) || algorithm->icv_bits != 8 * AEAD_ICV)
		return false;
	if (kind->key == gcm_key && !crypto_aead_aes256gcm_is_available())
		return false;
	aead->kind = kind;
	memcpy(aead->salt, algorithm->key + AEAD_KEY, AEAD_SALT);
	kind->key(aead, algorithm->key);
	return true;
}

void aead_wipe(struct aead *aead)
{
	sodium_memzero(aead, sizeof(*aead));
}

size_t aead_iv_len(const struct aead *aead)
{
	return aead->kind->iv_len;
}

void aead_iv(uint8_t iv[8], uint64_t number)
{
	number = htobe64(number);
	memcpy(iv, &number, 8);
}

static void aead_nonce(const struct aead *aead, uint8_t nonce[AEAD_NONCE], const uint8_t *iv)
{
	memcpy(nonce, aead->salt, AEAD_SALT);
	memcpy(nonce + AEAD_SALT, iv, 8);
}

void aead_seal(const struct aead *aead, const struct aead_job *job, const uint8_t *iv, uint8_t *icv)
{
	uint8_t nonce[AEAD_NONCE];

	aead_nonce(aead, nonce, iv);
	aead->kind->seal(aead, job, nonce, icv);
}

bool aead_open(const struct aead *aead, const struct aead_job *job, const uint8_t *iv, const uint8_t *icv)
{
	uint8_t nonce[AEAD_NONCE];

	aead_nonce(aead, nonce, iv);
	return !aead->kind->open(aead, job, nonce, icv);
}
