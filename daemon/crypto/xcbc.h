/* SPDX-License-Identifier: GPL-2.0 */
/* xcbc - AES-XCBC-MAC (RFC 3566), which OpenSSL lacks, out of its AES-CBC */
#ifndef CRYPTO_XCBC_H
#define CRYPTO_XCBC_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#define XCBC_BLOCK 16

struct xcbc {
	EVP_CIPHER_CTX *cipher;		/* CBC under K1 */
	uint8_t k2[XCBC_BLOCK], k3[XCBC_BLOCK];
};

int xcbc_start(void);			/* before the sandbox closes; 0, or -1 */
int xcbc_init(struct xcbc *x, const uint8_t key[XCBC_BLOCK]);
/* Of `len` bytes at `text` and at most 4 bytes behind them. 0, or -1. */
int xcbc_mac(struct xcbc *x, const uint8_t *text, size_t len, const uint8_t *behind, size_t behind_len,
	     uint8_t mac[XCBC_BLOCK]);

#endif
