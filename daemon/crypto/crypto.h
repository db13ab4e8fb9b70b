/* SPDX-License-Identifier: GPL-2.0 */
/*
 * crypto - engines, each a library behind the same four functions
 *
 * An engine makes a context once per SA, with the keys in it; per packet there is the IV, what is authenticated beside
 * the text, and the text. All engines give the same bytes for the same SA and number. The text may lie where its output
 * goes (sealed in place) or anywhere else; no other overlap.
 *
 *   AEADs        aad is what RFC 4106, 4309, 4543, 7634 say of SPI and number; `high` is empty.
 *   the others   a cipher, then a MAC over SPI, low half of the number, IV and ciphertext, then `high`: the upper half,
 *                with ESN (RFC 4303 2.2.1). aad is the ESP header; it, the IV and the ciphertext lie in one row.
 */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ipsec_port.h"
#include "iv.h"

#define CRYPTO_IV_MAX	16
#define CRYPTO_ICV_MAX	32
#define CRYPTO_ALIGN_MAX 16
#define CRYPTO_AAD_MAX	12
#define CRYPTO_ROW_MAX	32	/* messages that are sealed at once */

struct crypto_engine;
struct crypto_sa;

struct crypto_message {
	const uint8_t *iv;		/* iv_len bytes as they lie on the wire; none there: the number's 8 */
	const uint8_t *aad;
	size_t aad_len;
	const uint8_t *from;
	size_t len;			/* of the text; a multiple of `align` */
	uint8_t high[4];
	size_t high_len;		/* 0 or 4 */
};

/* Writes the text and the ICV to `out`. 0, or -1. */
typedef int (*crypto_seal)(const struct crypto_sa *sa, const struct crypto_message *message, uint8_t *out);
/* Writes the clear text to `out`. 0; -1: the ICV is not right. */
typedef int (*crypto_open)(const struct crypto_sa *sa, const struct crypto_message *message, const uint8_t *icv,
			   uint8_t *out);

/*
 * As `seal` would each of up to CRYPTO_ROW_MAX, in place: the output goes to where `from` is. No text of 0 bytes.
 * 0, or -1.
 */
typedef int (*crypto_seal_row)(const struct crypto_sa *sa, const struct crypto_message message[], uint32_t count);

/* What an SA holds of its engine. No key outside `context`. */
struct crypto_sa {
	const struct crypto_engine *engine;
	crypto_seal seal;
	crypto_open open;
	crypto_seal_row seal_row;	/* NULL: one by one is as good */
	void *context;
	void *iv_context;		/* outbound, CBC: makes IVs; see iv.h */
	uint32_t salt;			/* as it lies in memory, where there are 4 bytes of it */
	uint8_t iv_len, align, icv_len;
	uint8_t is_aead;
};

struct crypto_engine {
	uint32_t id;			/* IPSP_ENGINE_* */
	/* Everything that may need a system call or asks the processor is done here. 0, or -1. */
	int (*init)(void);
	/* Sets seal, open, context, salt; the layout is there. 0, or an IPSP_DROP_* that says why not. */
	uint16_t (*sa_init)(struct crypto_sa *sa, const struct ipsp_sa *given);
	void (*sa_wipe)(struct crypto_sa *sa);
};

extern const struct crypto_engine crypto_ipsecmb, crypto_openssl, crypto_sodium;

/*
 * Gives the libraries all their memory from [base, base + size). First of all calls:
 * -1 when a library has allocated before. Never called: they use malloc.
 */
int crypto_arena_install(void *base, size_t size);

/* A size that does for `sas_max` SAs. */
size_t crypto_arena_size(uint32_t sas_max);

/* Bytes of the crypto arena that were ever used. */
size_t crypto_arena_used(void);

/* Zeroed memory for an engine's context, aligned to 64 bytes; NULL: full. _give wipes it. */
void *crypto_take(size_t size);
void crypto_give(void *at);

/* All engines, warmed up: no system call after it. 0, or -1 naming no one. */
int crypto_init(void);

/*
 * Makes the context of an SA with the first engine of `preference` (IPSP_ENGINE_*, 0 ends it; empty: see
 * algorithm_engine) that has its algorithms. 0, or an IPSP_DROP_*.
 */
uint16_t crypto_sa_init(struct crypto_sa *sa, const uint32_t preference[4], const struct ipsp_sa *given);
void crypto_sa_wipe(struct crypto_sa *sa);

/* Writes the IV of this number, iv_len bytes: a function of key and number, never the same again with one key. */
static inline void crypto_iv(const struct crypto_sa *sa, uint64_t number, uint8_t *at)
{
	uint64_t counter = htobe64(number);

	if (sa->iv_context)
		iv_make(sa->iv_context, number, at, sa->iv_len);
	else if (sa->iv_len)
		memcpy(at, &counter, sizeof(counter));
}

typedef uint64_t crypto_nonce __attribute__((vector_size(16)));

/*
 * Salt and IV (RFC 4106 4, RFC 7634 2). One 16-byte store: the libraries load the nonce again at other offsets, and a
 * load that spans two stores waits for both.
 */
static inline crypto_nonce crypto_nonce_of(const struct crypto_sa *sa, const struct crypto_message *m)
{
	uint64_t iv;

	memcpy(&iv, m->iv, sizeof(iv));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (crypto_nonce){ sa->salt | iv << 32, iv >> 32 };
#else
	return (crypto_nonce){ (uint64_t)sa->salt << 32 | iv >> 32, iv << 32 };
#endif
}

#endif
