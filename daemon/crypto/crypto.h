/* SPDX-License-Identifier: GPL-2.0 */
/*
 * crypto - one table of engines, each an AEAD library behind the same six functions
 *
 * An engine makes a context once per SA, with the key in it; per packet there is a
 * nonce, the associated data and the text. The text comes in up to CRYPTO_PIECES
 * pieces, so that headers that were rewritten, the packet's own bytes and the ESP
 * trailer go into one message without being gathered first. A piece may lie where its
 * output goes (sealed in place) or anywhere else; no other overlap.
 */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "ipsec_port.h"

#define CRYPTO_PIECES	3
#define CRYPTO_IV_LEN	8	/* on the wire; RFC 4106 3.1, RFC 7634 2 */
#define CRYPTO_ICV_LEN	16
#define CRYPTO_ALIGN	4	/* of ESP's padding; both AEADs are stream ciphers */

struct crypto_engine;

/* What an SA holds of its engine. No key outside `context`. */
struct crypto_sa {
	const struct crypto_engine *engine;
	void *context;
	uint32_t salt;			/* as it lies in memory */
};

struct crypto_piece {
	const uint8_t *from;
	size_t len;
};

struct crypto_message {
	uint64_t iv;			/* the 8 bytes as they lie on the wire */
	const uint8_t *aad;
	size_t aad_len;
	struct crypto_piece piece[CRYPTO_PIECES];
	unsigned pieces;
};

struct crypto_engine {
	uint32_t id;			/* IPSP_ENGINE_* */
	const char *name;
	const char *const *algorithms;	/* XFRM's names, NULL ends them */

	/* Everything that may need a system call is done here. 0, or -1. */
	int (*init)(void);
	/* 0, or an IPSP_DROP_* that says why not. `seals`: outbound. */
	uint16_t (*sa_init)(struct crypto_sa *sa, const struct ipsp_algorithm *algorithm,
			    int seals);
	void (*sa_wipe)(struct crypto_sa *sa);
	/* Writes the pieces' text and the ICV to `out`. 0, or -1. */
	int (*seal)(const struct crypto_sa *sa, const struct crypto_message *message,
		    uint8_t *out);
	/* Writes the clear text to `out`. 0; -1: the ICV is not right. */
	int (*open)(const struct crypto_sa *sa, const struct crypto_message *message,
		    const uint8_t *icv, uint8_t *out);
};

extern const struct crypto_engine crypto_openssl;

/* Every engine that was built in, NULL ends it. */
extern const struct crypto_engine *const crypto_engines[];

/*
 * Gives the libraries all their memory from [base, base + size). First of all calls:
 * -1 when a library has allocated before. Never called: they use malloc.
 */
int crypto_arena_install(void *base, size_t size);

/* A size that does for `sas_max` SAs. */
size_t crypto_arena_size(uint32_t sas_max);

/* Bytes of the crypto arena that were ever used. */
size_t crypto_arena_used(void);

/* All engines, warmed up: no system call after it. 0, or -1 naming no one. */
int crypto_init(void);

/*
 * Makes the context of an SA with the first engine of `preference` (IPSP_ENGINE_*, 0
 * ends it, an empty one means all) that has the algorithm. 0, or an IPSP_DROP_*.
 */
uint16_t crypto_sa_init(struct crypto_sa *sa, const uint32_t preference[4],
			const struct ipsp_algorithm *algorithm, int seals);
void crypto_sa_wipe(struct crypto_sa *sa);

#endif
