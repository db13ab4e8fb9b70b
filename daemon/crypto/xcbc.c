// SPDX-License-Identifier: GPL-2.0
#include "xcbc.h"

#include <string.h>

#define XCBC_ROW 1024			/* ciphertext that nobody reads: so much of it at a time */

static EVP_CIPHER *xcbc_cipher, *xcbc_block;

int xcbc_start(void)
{
	if (!xcbc_cipher)
		xcbc_cipher = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
	if (!xcbc_block)
		xcbc_block = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	return xcbc_cipher && xcbc_block ? 0 : -1;
}

/* RFC 3566 4, step 1: three keys are the cipher's blocks of 01.., 02.., 03... */
static int xcbc_keys(const uint8_t *key, uint8_t keys[3 * XCBC_BLOCK])
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	uint8_t clear[3 * XCBC_BLOCK];
	int i, len, done;

	for (i = 0; i < 3; i++)
		memset(clear + i * XCBC_BLOCK, i + 1, XCBC_BLOCK);
	done = cipher && EVP_EncryptInit_ex(cipher, xcbc_block, NULL, key, NULL) &&
	       EVP_CIPHER_CTX_set_padding(cipher, 0) && EVP_EncryptUpdate(cipher, keys, &len, clear, sizeof(clear));
	EVP_CIPHER_CTX_free(cipher);
	return done ? 0 : -1;
}

int xcbc_init(struct xcbc *x, const uint8_t key[XCBC_BLOCK])
{
	uint8_t keys[3 * XCBC_BLOCK];
	int done;

	x->cipher = EVP_CIPHER_CTX_new();
	done = x->cipher && !xcbc_keys(key, keys) && EVP_EncryptInit_ex(x->cipher, xcbc_cipher, NULL, keys, NULL) &&
	       EVP_CIPHER_CTX_set_padding(x->cipher, 0);
	if (done) {
		memcpy(x->k2, keys + XCBC_BLOCK, XCBC_BLOCK);
		memcpy(x->k3, keys + 2 * XCBC_BLOCK, XCBC_BLOCK);
	}
	explicit_bzero(keys, sizeof(keys));
	return done ? 0 : -1;
}

/* Whole blocks; what comes out stays in the cipher, as the next one's IV. */
static int xcbc_blocks(struct xcbc *x, const uint8_t *text, size_t len)
{
	uint8_t out[XCBC_ROW + XCBC_BLOCK];
	size_t part;
	int done;

	for (; len; text += part, len -= part) {
		part = len < XCBC_ROW ? len : XCBC_ROW;
		if (!EVP_EncryptUpdate(x->cipher, out, &done, text, (int)part))
			return -1;
	}
	return 0;
}

/* Steps 3 and 4: a whole last block is mixed with K2; one that is not is filled up, and mixed with K3. */
static int xcbc_last(struct xcbc *x, uint8_t *block, size_t len, uint8_t mac[XCBC_BLOCK])
{
	const uint8_t *key = len == XCBC_BLOCK ? x->k2 : x->k3;
	uint8_t out[2 * XCBC_BLOCK];
	int i, done;

	if (len < XCBC_BLOCK) {
		memset(block + len, 0, XCBC_BLOCK - len);
		block[len] = 0x80;
	}
	for (i = 0; i < XCBC_BLOCK; i++)
		block[i] ^= key[i];
	if (!EVP_EncryptUpdate(x->cipher, out, &done, block, XCBC_BLOCK))
		return -1;
	memcpy(mac, out, XCBC_BLOCK);
	return 0;
}

int xcbc_mac(struct xcbc *x, const uint8_t *text, size_t len, const uint8_t *behind, size_t behind_len,
	     uint8_t mac[XCBC_BLOCK])
{
	static const uint8_t zero[XCBC_BLOCK];
	uint8_t tail[2 * XCBC_BLOCK], *last = tail;
	size_t rest = len % XCBC_BLOCK;

	if (!rest && !behind_len && len)
		rest = XCBC_BLOCK;
	if (!EVP_EncryptInit_ex2(x->cipher, NULL, NULL, zero, NULL) || xcbc_blocks(x, text, len - rest))
		return -1;
	memcpy(tail, text + len - rest, rest);
	memcpy(tail + rest, behind, behind_len);
	rest += behind_len;
	if (rest > XCBC_BLOCK) {
		if (xcbc_blocks(x, tail, XCBC_BLOCK))
			return -1;
		last = tail + XCBC_BLOCK;
		rest -= XCBC_BLOCK;
	}
	return xcbc_last(x, last, rest, mac);
}
