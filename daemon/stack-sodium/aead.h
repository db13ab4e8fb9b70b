/* SPDX-License-Identifier: GPL-2.0 */
/* aead - what libsodium encrypts and authenticates with, keyed once per SA */
#ifndef SODIUM_AEAD_H
#define SODIUM_AEAD_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipsec_port.h"

#define AEAD_ICV 16
#define AEAD_SALT 4

struct aead_kind;

struct aead {
	const struct aead_kind *kind;	/* NULL: none */
	uint8_t salt[AEAD_SALT];
	union {
		crypto_aead_aes256gcm_state gcm;	/* its key schedule */
		uint8_t key[32];
	};
};

/* One packet's work. `text` is sealed in place; `cipher` is opened into `text`. */
struct aead_job {
	const uint8_t *aad;
	size_t aad_len;
	const uint8_t *cipher;
	uint8_t *text;
	size_t len;
};

/* 0, or -1: the library (on this processor) does not start. Once, before the sandbox closes. */
int aead_init(void);

/* False: not an algorithm, key length or ICV length of this stack; `aead` is then untouched. */
bool aead_key(struct aead *aead, const struct ipsp_algorithm *algorithm);
void aead_wipe(struct aead *aead);

/* Bytes of IV on the wire: 8, or 0 where it is the number itself (RFC 8750). */
size_t aead_iv_len(const struct aead *aead);

/* `iv`: 8 bytes, what is or would be on the wire. */
void aead_seal(const struct aead *aead, const struct aead_job *job, const uint8_t *iv, uint8_t *icv);
/* False: not authentic; `text` is then zeros. */
bool aead_open(const struct aead *aead, const struct aead_job *job, const uint8_t *iv, const uint8_t *icv);

/* The number as it is an IV: 8 bytes, most significant first. */
void aead_iv(uint8_t iv[8], uint64_t number);

#endif
