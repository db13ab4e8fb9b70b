/* SPDX-License-Identifier: GPL-2.0 */
/*
 * iv - initialisation vectors that nobody knows before: a block of AES over the number
 *
 * CBC needs an IV that who chooses the text cannot foresee (NIST SP 800-38A, appendix C). It is made of key and number
 * alone, so that a packet that is sealed again has the same bytes. The key is derived from the cipher's, by
 * HMAC-SHA-256, and used for nothing else: with the cipher's own key, text could be chosen that shows a later IV. Where
 * the cipher's block has 8 bytes, so many of the block are taken.
 */
#ifndef CRYPTO_IV_H
#define CRYPTO_IV_H

#include <stdint.h>

/* Before the sandbox closes. 0, or -1. */
int iv_start(void);
/* NULL: no memory. */
void *iv_init(const uint8_t *key, uint32_t key_len);
void iv_wipe(void *context);
void iv_make(void *context, uint64_t number, uint8_t *at, uint8_t len);

#endif
