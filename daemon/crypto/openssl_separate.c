// SPDX-License-Identifier: GPL-2.0
/*
 * openssl_separate - a cipher, then a MAC over what it made (RFC 4303 3.3.2.1); either may be none
 *
 * The ICV is checked before anything is deciphered.
 */
#include "openssl.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>

#define MAC_MAX 64
#define DES_KEY 8
#define COUNTER_BLOCK 16

/* ---- MACs ---------------------------------------------------------------------------- */

struct openssl_mac {
	const char *xfrm;
	const char *name;		/* OpenSSL's; NULL: by xcbc.c */
	const char *parameter, *value;
	EVP_MAC *mac;			/* fetched once */
};

static struct openssl_mac openssl_macs[] = {
	{ "hmac(sha1)", "HMAC", OSSL_MAC_PARAM_DIGEST, "SHA1", NULL },
	{ "hmac(sha256)", "HMAC", OSSL_MAC_PARAM_DIGEST, "SHA256", NULL },
	{ "hmac(sha384)", "HMAC", OSSL_MAC_PARAM_DIGEST, "SHA384", NULL },
	{ "hmac(sha512)", "HMAC", OSSL_MAC_PARAM_DIGEST, "SHA512", NULL },
	{ "hmac(md5)", "HMAC", OSSL_MAC_PARAM_DIGEST, "MD5", NULL },
	{ "cmac(aes)", "CMAC", OSSL_MAC_PARAM_CIPHER, "AES-128-CBC", NULL },
	{ "xcbc(aes)", NULL, NULL, NULL, NULL },
};
#define OPENSSL_MACS (sizeof(openssl_macs) / sizeof(openssl_macs[0]))

int openssl_separate_start(void)
{
	size_t i;

	for (i = 0; i < OPENSSL_MACS; i++) {
		if (!openssl_macs[i].name || openssl_macs[i].mac)
			continue;
		openssl_macs[i].mac = EVP_MAC_fetch(NULL, openssl_macs[i].name, NULL);
		if (!openssl_macs[i].mac)
			return -1;
	}
	return xcbc_start();
}

static uint16_t openssl_mac_key(struct openssl_context *context, const struct openssl_mac *mac,
				const struct ipsp_algorithm *auth)
{
	const OSSL_PARAM parameters[] = {
		OSSL_PARAM_utf8_string(mac->parameter, (char *)(uintptr_t)mac->value, 0), OSSL_PARAM_END
	};

	context->mac = EVP_MAC_CTX_new(mac->mac);
	return context->mac && EVP_MAC_init(context->mac, auth->key, auth->key_bits / 8, parameters) ?
	       0 : IPSP_DROP_STACK_ERROR;
}

static uint16_t openssl_mac_init(struct openssl_context *context, const struct ipsp_algorithm *auth)
{
	size_t i;

	for (i = 0; i < OPENSSL_MACS; i++) {
		if (strcmp(openssl_macs[i].xfrm, auth->name))
			continue;
		if (openssl_macs[i].name)
			return openssl_mac_key(context, &openssl_macs[i], auth);
		return xcbc_init(&context->xcbc, auth->key) ? IPSP_DROP_STACK_ERROR : 0;
	}
	return IPSP_DROP_UNSUPPORTED;
}

/* Over ESP header, IV and ciphertext, which lie in one row, and the upper half of the number. 0, or -1. */
static int openssl_mac(const struct crypto_sa *sa, const struct crypto_message *m, const uint8_t *end,
		       uint8_t mac[MAC_MAX])
{
	struct openssl_context *context = sa->context;
	size_t len = (size_t)(end - m->aad), done;

	if (context->xcbc.cipher)
		return xcbc_mac(&context->xcbc, m->aad, len, m->high, m->high_len, mac);
	return EVP_MAC_init(context->mac, NULL, 0, NULL) && EVP_MAC_update(context->mac, m->aad, len) &&
	       EVP_MAC_update(context->mac, m->high, m->high_len) &&
	       EVP_MAC_final(context->mac, mac, &done, MAC_MAX) ? 0 : -1;
}

/* ---- ciphers ------------------------------------------------------------------------- */

/* RFC 3686 4: nonce, IV, and a block counter that begins with 1. */
static int openssl_cipher_begin(const struct crypto_sa *sa, const struct crypto_message *m)
{
	const struct openssl_context *context = sa->context;
	const uint8_t *iv = m->iv;
	uint8_t block[COUNTER_BLOCK];
	crypto_nonce nonce;

	if (context->is_counter) {
		nonce = crypto_nonce_of(sa, m);
		memcpy(block, &nonce, sizeof(block));
		block[15] = 1;
		iv = block;
	}
	return EVP_CipherInit_ex2(context->cipher, NULL, NULL, iv, -1, NULL);
}

static int openssl_cipher_run(const struct crypto_sa *sa, const struct crypto_message *m, uint8_t *out)
{
	const struct openssl_context *context = sa->context;
	int len;

	if (!context->cipher) {
		if (out != m->from)
			memcpy(out, m->from, m->len);
		return 0;
	}
	return openssl_cipher_begin(sa, m) && EVP_CipherUpdate(context->cipher, out, &len, m->from, (int)m->len) &&
	       len == (int)m->len ? 0 : -1;
}

/* ---- both ---------------------------------------------------------------------------- */

static int openssl_separate_seal(const struct crypto_sa *sa, const struct crypto_message *m, uint8_t *out)
{
	uint8_t mac[MAC_MAX];

	if (openssl_cipher_run(sa, m, out))
		return -1;
	if (!sa->icv_len)
		return 0;
	if (openssl_mac(sa, m, out + m->len, mac))
		return -1;
	memcpy(out + m->len, mac, sa->icv_len);
	return 0;
}

static int openssl_separate_open(const struct crypto_sa *sa, const struct crypto_message *m, const uint8_t *icv,
				 uint8_t *out)
{
	uint8_t mac[MAC_MAX];

	if (sa->icv_len && (openssl_mac(sa, m, m->from + m->len, mac) || CRYPTO_memcmp(mac, icv, sa->icv_len)))
		return -1;
	return openssl_cipher_run(sa, m, out);
}

static uint16_t openssl_separate_key(struct openssl_context *context, const struct ipsp_sa *given,
				     const EVP_CIPHER *cipher)
{
	int seals = given->direction == IPSP_DIR_OUT;
	uint8_t thrice[3 * DES_KEY];

	if (strcmp(given->cipher.name, "cbc(des)")) {
		context->cipher = openssl_cipher(cipher, given->cipher.key, seals);
	} else {
		memcpy(thrice, given->cipher.key, DES_KEY);
		memcpy(thrice + DES_KEY, given->cipher.key, DES_KEY);
		memcpy(thrice + 2 * DES_KEY, given->cipher.key, DES_KEY);
		context->cipher = openssl_cipher(cipher, thrice, seals);
		explicit_bzero(thrice, sizeof(thrice));
	}
	return context->cipher ? 0 : IPSP_DROP_STACK_ERROR;
}

uint16_t openssl_separate_init(struct crypto_sa *sa, const struct ipsp_sa *given, const EVP_CIPHER *cipher)
{
	struct openssl_context *context = sa->context;
	uint16_t reason = 0;

	sa->seal = openssl_separate_seal;
	sa->open = openssl_separate_open;
	context->is_counter = !strcmp(given->cipher.name, "rfc3686(ctr(aes))");
	if (cipher)
		reason = openssl_separate_key(context, given, cipher);
	if (!reason && sa->icv_len)
		reason = openssl_mac_init(context, &given->auth);
	return reason;
}
