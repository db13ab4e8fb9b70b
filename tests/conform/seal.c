// SPDX-License-Identifier: GPL-2.0
#include "seal.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#define SEAL_KEY 32
#define SEAL_ICV 16

/* What is authenticated in front of the text. */
static size_t seal_aad(const struct ipsp_sa *sa, uint64_t number, uint8_t aad[12])
{
	const uint64_t whole = htobe64(number);
	const uint32_t half = htobe32((uint32_t)number);

	memcpy(aad, &sa->spi, 4);
	if (!(sa->flags & IPSP_SAF_ESN)) {
		memcpy(aad + 4, &half, 4);
		return 8;
	}
	memcpy(aad + 4, &whole, 8);
	return 12;
}

static void seal_text(const struct ipsp_sa *sa, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
		      const uint8_t *text, size_t len, uint8_t *out)
{
	const EVP_CIPHER *cipher = strstr(sa->aead.name, "gcm") ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
	static EVP_CIPHER_CTX *context;
	int done;

	if (!context)
		context = EVP_CIPHER_CTX_new();
	if (!context || !EVP_EncryptInit_ex(context, cipher, NULL, sa->aead.key, nonce) ||
	    !EVP_EncryptUpdate(context, NULL, &done, aad, (int)aad_len) ||
	    !EVP_EncryptUpdate(context, out, &done, text, (int)len) ||
	    !EVP_EncryptFinal_ex(context, out + len, &done) ||
	    !EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, SEAL_ICV, out + len)) {
		fputs("conform: the crypto library fails\n", stderr);
		exit(2);
	}
}

void seal_esp(const struct ipsp_sa *sa, uint64_t number, uint64_t iv, const uint8_t *text, size_t len, uint8_t *out)
{
	const uint32_t half = htobe32((uint32_t)number);
	uint8_t aad[12], nonce[12];
	size_t aad_len = seal_aad(sa, number, aad);

	iv = htobe64(iv);
	memcpy(out, &sa->spi, 4);
	memcpy(out + 4, &half, 4);
	memcpy(out + 8, &iv, 8);
	memcpy(nonce, sa->aead.key + SEAL_KEY, 4);
	memcpy(nonce + 4, &iv, 8);
	seal_text(sa, nonce, aad, aad_len, text, len, out + 16);
}
