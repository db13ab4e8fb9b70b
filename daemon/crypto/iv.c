// SPDX-License-Identifier: GPL-2.0
#include "iv.h"

#include <endian.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#define IV_BLOCK 16

static EVP_CIPHER *iv_cipher;
static EVP_MAC *iv_mac;

int iv_start(void)
{
	if (!iv_cipher)
		iv_cipher = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	if (!iv_mac)
		iv_mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	return iv_cipher && iv_mac ? 0 : -1;
}

static int iv_derive(const uint8_t *key, uint32_t key_len, uint8_t derived[32])
{
	static const uint8_t label[] = "ipsec-port IV";
	EVP_MAC_CTX *mac = EVP_MAC_CTX_new(iv_mac);
	const OSSL_PARAM digest[] = {
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)"SHA256", 0), OSSL_PARAM_END
	};
	size_t len;
	int done;

	done = mac && EVP_MAC_init(mac, key, key_len, digest) &&
	       EVP_MAC_update(mac, label, sizeof(label) - 1) && EVP_MAC_final(mac, derived, &len, 32);
	EVP_MAC_CTX_free(mac);
	return done ? 0 : -1;
}

void *iv_init(const uint8_t *key, uint32_t key_len)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t derived[32];

	if (!context || iv_derive(key, key_len, derived) ||
	    !EVP_EncryptInit_ex(context, iv_cipher, NULL, derived, NULL)) {
		EVP_CIPHER_CTX_free(context);
		context = NULL;
	}
	explicit_bzero(derived, sizeof(derived));
	return context;
}

void iv_wipe(void *context)
{
	EVP_CIPHER_CTX_free(context);
}

void iv_make(void *context, uint64_t number, uint8_t *at, uint8_t len)
{
	const uint64_t block[2] = { 0, htobe64(number) };
	uint8_t iv[2 * IV_BLOCK];
	int done;

	EVP_EncryptUpdate(context, iv, &done, (const uint8_t *)block, IV_BLOCK);
	memcpy(at, iv, len);
}
