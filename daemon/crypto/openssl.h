/* SPDX-License-Identifier: GPL-2.0 */
/* openssl - inside the engine: openssl.c is its table, openssl_aead.c and openssl_separate.c the two ways of ESP */
#ifndef CRYPTO_OPENSSL_H
#define CRYPTO_OPENSSL_H

#include <openssl/evp.h>

#include "crypto.h"
#include "xcbc.h"

/* Of an SA; what it does not need is NULL. */
struct openssl_context {
	EVP_CIPHER_CTX *cipher;
	EVP_MAC_CTX *mac;
	struct xcbc xcbc;
	uint8_t is_counter;		/* RFC 3686: nonce, IV, a block counter */
	uint8_t salt[3];		/* RFC 4309 */
};

/* Keyed, without padding; NULL: no memory. */
EVP_CIPHER_CTX *openssl_cipher(const EVP_CIPHER *cipher, const uint8_t *key, int seals);

/* Each fills sa->context, seal and open. 0, or an IPSP_DROP_*. */
uint16_t openssl_aead_init(struct crypto_sa *sa, const struct ipsp_sa *given, const EVP_CIPHER *cipher);
uint16_t openssl_aead_ccm_init(struct crypto_sa *sa, const struct ipsp_sa *given, const EVP_CIPHER *cipher);
uint16_t openssl_aead_gmac_init(struct crypto_sa *sa, const struct ipsp_sa *given, const EVP_CIPHER *cipher);
uint16_t openssl_separate_init(struct crypto_sa *sa, const struct ipsp_sa *given, const EVP_CIPHER *cipher);
int openssl_separate_start(void);	/* fetches MACs; 0, or -1 */

#endif
