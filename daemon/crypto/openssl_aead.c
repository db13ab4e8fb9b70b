// SPDX-License-Identifier: GPL-2.0
/* openssl_aead - AES-GCM (RFC 4106), ChaCha20-Poly1305 (RFC 7634), AES-CCM (RFC 4309), AES-GMAC (RFC 4543) */
#include "openssl.h"

#include <openssl/core_names.h>

#define CCM_SALT 3
#define CCM_NONCE (CCM_SALT + 8)

static EVP_CIPHER_CTX *openssl_aead_of(const struct crypto_sa *sa)
{
	return ((const struct openssl_context *)sa->context)->cipher;
}

static int openssl_aead_add(EVP_CIPHER_CTX *cipher, const uint8_t *aad, size_t len)
{
	int done;

	return EVP_CipherUpdate(cipher, NULL, &done, aad, (int)len);
}

/* The tag goes by a parameter: the library's ctrl would first make one of its arguments. */
#define OPENSSL_TAG(at, size) { { OSSL_CIPHER_PARAM_AEAD_TAG, OSSL_PARAM_OCTET_STRING, (at), \
				  (size), OSSL_PARAM_UNMODIFIED }, OSSL_PARAM_END }

/* The ICV behind the text that was sealed. */
static int openssl_aead_finish(const struct crypto_sa *sa, uint8_t *end)
{
	OSSL_PARAM tag[] = OPENSSL_TAG(end, sa->icv_len);
	int len;

	return EVP_CipherFinal_ex(openssl_aead_of(sa), end, &len) &&
	       EVP_CIPHER_CTX_get_params(openssl_aead_of(sa), tag) ? 0 : -1;
}

static uint16_t openssl_aead_start(struct crypto_sa *sa, const struct ipsp_sa *given, const EVP_CIPHER *cipher,
				   crypto_seal seal, crypto_open open)
{
	struct openssl_context *context = sa->context;

	context->cipher = openssl_cipher(cipher, given->aead.key, given->direction == IPSP_DIR_OUT);
	sa->seal = seal;
	sa->open = open;
	return context->cipher ? 0 : IPSP_DROP_STACK_ERROR;
}

/* ---- GCM, ChaCha20-Poly1305 ---------------------------------------------------------- */

static int openssl_aead_begin(const struct crypto_sa *sa, const struct crypto_message *m, const OSSL_PARAM *params)
{
	const crypto_nonce nonce = crypto_nonce_of(sa, m);

	return EVP_CipherInit_ex2(openssl_aead_of(sa), NULL, NULL, (const uint8_t *)&nonce, -1, params) &&
	       openssl_aead_add(openssl_aead_of(sa), m->aad, m->aad_len);
}

static int openssl_aead_seal(const struct crypto_sa *sa, const struct crypto_message *m, uint8_t *out)
{
	int len;

	if (!openssl_aead_begin(sa, m, NULL) ||
	    !EVP_CipherUpdate(openssl_aead_of(sa), out, &len, m->from, (int)m->len))
		return -1;
	return openssl_aead_finish(sa, out + m->len);
}

static int openssl_aead_open(const struct crypto_sa *sa, const struct crypto_message *m, const uint8_t *icv,
			     uint8_t *out)
{
	const OSSL_PARAM tag[] = OPENSSL_TAG((void *)(uintptr_t)icv, sa->icv_len);
	int len;

	if (!openssl_aead_begin(sa, m, tag) ||
	    !EVP_CipherUpdate(openssl_aead_of(sa), out, &len, m->from, (int)m->len))
		return -1;
	return EVP_CipherFinal_ex(openssl_aead_of(sa), out + len, &len) > 0 ? 0 : -1;
}

uint16_t openssl_aead_init(struct crypto_sa *sa, const struct ipsp_sa *given, const EVP_CIPHER *cipher)
{
	return openssl_aead_start(sa, given, cipher, openssl_aead_seal, openssl_aead_open);
}

/* ---- GMAC: all of it is authenticated, IV and text too; nothing is hidden -------------- */

static int openssl_aead_gmac(const struct crypto_sa *sa, const struct crypto_message *m, const OSSL_PARAM *params)
{
	return openssl_aead_begin(sa, m, params) && openssl_aead_add(openssl_aead_of(sa), m->iv, sa->iv_len) &&
	       openssl_aead_add(openssl_aead_of(sa), m->from, m->len);
}

static int openssl_aead_gmac_seal(const struct crypto_sa *sa, const struct crypto_message *m, uint8_t *out)
{
	if (!openssl_aead_gmac(sa, m, NULL))
		return -1;
	if (out != m->from)
		memcpy(out, m->from, m->len);
	return openssl_aead_finish(sa, out + m->len);
}

static int openssl_aead_gmac_open(const struct crypto_sa *sa, const struct crypto_message *m, const uint8_t *icv,
				  uint8_t *out)
{
	const OSSL_PARAM tag[] = OPENSSL_TAG((void *)(uintptr_t)icv, sa->icv_len);
	uint8_t none[16];
	int len;

	if (!openssl_aead_gmac(sa, m, tag) || EVP_CipherFinal_ex(openssl_aead_of(sa), none, &len) <= 0)
		return -1;
	if (out != m->from)
		memcpy(out, m->from, m->len);
	return 0;
}

uint16_t openssl_aead_gmac_init(struct crypto_sa *sa, const struct ipsp_sa *given, const EVP_CIPHER *cipher)
{
	return openssl_aead_start(sa, given, cipher, openssl_aead_gmac_seal, openssl_aead_gmac_open);
}

/* ---- CCM: wants to know the length first, and the tag before it deciphers -------------- */

static int openssl_aead_ccm(const struct crypto_sa *sa, const struct crypto_message *m, const OSSL_PARAM *params,
			    uint8_t *out)
{
	const struct openssl_context *context = sa->context;
	uint8_t nonce[CCM_NONCE];
	int len;

	memcpy(nonce, context->salt, CCM_SALT);
	memcpy(nonce + CCM_SALT, m->iv, sizeof(nonce) - CCM_SALT);
	return EVP_CipherInit_ex2(context->cipher, NULL, NULL, nonce, -1, params) &&
	       EVP_CipherUpdate(context->cipher, NULL, &len, NULL, (int)m->len) &&
	       openssl_aead_add(context->cipher, m->aad, m->aad_len) &&
	       EVP_CipherUpdate(context->cipher, out, &len, m->from, (int)m->len) > 0;
}

static int openssl_aead_ccm_seal(const struct crypto_sa *sa, const struct crypto_message *m, uint8_t *out)
{
	return openssl_aead_ccm(sa, m, NULL, out) ? openssl_aead_finish(sa, out + m->len) : -1;
}

static int openssl_aead_ccm_open(const struct crypto_sa *sa, const struct crypto_message *m, const uint8_t *icv,
				 uint8_t *out)
{
	const OSSL_PARAM tag[] = OPENSSL_TAG((void *)(uintptr_t)icv, sa->icv_len);

	return openssl_aead_ccm(sa, m, tag, out) ? 0 : -1;
}

uint16_t openssl_aead_ccm_init(struct crypto_sa *sa, const struct ipsp_sa *given, const EVP_CIPHER *cipher)
{
	struct openssl_context *context = sa->context;
	int seals = given->direction == IPSP_DIR_OUT;

	memcpy(context->salt, given->aead.key + given->aead.key_bits / 8 - CCM_SALT, CCM_SALT);
	sa->seal = openssl_aead_ccm_seal;
	sa->open = openssl_aead_ccm_open;
	context->cipher = EVP_CIPHER_CTX_new();
	if (!context->cipher || !EVP_CipherInit_ex(context->cipher, cipher, NULL, NULL, NULL, seals) ||
	    EVP_CIPHER_CTX_ctrl(context->cipher, EVP_CTRL_AEAD_SET_IVLEN, CCM_NONCE, NULL) <= 0 ||
	    EVP_CIPHER_CTX_ctrl(context->cipher, EVP_CTRL_AEAD_SET_TAG, sa->icv_len, NULL) <= 0 ||
	    !EVP_CipherInit_ex(context->cipher, NULL, NULL, given->aead.key, NULL, seals))
		return IPSP_DROP_STACK_ERROR;
	return 0;
}
