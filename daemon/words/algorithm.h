/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * algorithm.h - the one table of algorithms: XFRM's names, key and ICV lengths, what ESP looks like with each, and the
 * engines that have it
 *
 * The grammar, the manager and the stack all ask here, so that what `state add` takes is what a stack can do, and the
 * kernel's bound is what a packet grows by. Documentation/algorithms.md shows the same table.
 */
#ifndef WORDS_ALGORITHM_H
#define WORDS_ALGORITHM_H

#include <stdbool.h>
#include <stdint.h>

#include "ipsec_port.h"
#include "text.h"

enum algorithm_kind { ALGORITHM_AEAD, ALGORITHM_CIPHER, ALGORITHM_AUTH };

#define ALGORITHM_LENGTHS	3
#define ALGORITHM_ENGINES	3	/* IPSP_ENGINE_* go from 1 to this */
#define ALGORITHM_BIT(engine)	(1u << (engine))

struct algorithm {
	const char *name;			/* XFRM's */
	const char *alias;			/* its older one, or NULL */
	enum algorithm_kind kind;
	bool is_legacy;				/* only with `legacy yes` */
	uint8_t iv_len;				/* bytes on the wire */
	uint8_t align;				/* of ESP's text: the block, at least 4 */
	uint8_t salt_len;			/* last bytes of the key */
	uint16_t key_bits[ALGORITHM_LENGTHS];	/* allowed, with the salt; a 0 behind the first ends them */
	uint16_t icv_bits[ALGORITHM_LENGTHS];	/* allowed; the first is that of `auth` */
	uint32_t engines;			/* ALGORITHM_BIT of each that has it */
	const char *explicit;			/* RFC 8750: the algorithm whose IV is not sent here; else NULL */
};

/* All of them; an empty name ends it. */
extern const struct algorithm algorithm_table[];

/* By name or alias; NULL: no such. */
const struct algorithm *algorithm_find(enum algorithm_kind kind, const char *name);
/* What the libraries call it: the name, but without RFC 8750's. An unknown name: itself. */
const char *algorithm_base(const char *aead);
/* Whether a table's lengths hold these bits. */
bool algorithm_allows(const uint16_t lengths[ALGORITHM_LENGTHS], uint32_t bits);

/* How an SA's packets look. */
struct algorithm_layout {
	uint8_t iv_len, align, icv_len;
	bool is_aead;
	bool has_secret_iv;		/* CBC: nobody may know it before */
};

/* false: the SA names no algorithm, one that is unknown, or lengths that its row does not allow. */
bool algorithm_layout(const struct ipsp_sa *sa, struct algorithm_layout *layout);

/*
 * The engine for an SA: the first of `preference` (0 ends it; an empty one means ipsecmb, then openssl) that has its
 * algorithms, on this processor. 0: none.
 */
uint32_t algorithm_engine(const struct ipsp_sa *sa, const uint32_t preference[4]);

const char *algorithm_engine_name(uint32_t engine);	/* NULL: no such */
/* Names of the engines that have all the SA's algorithms, joined by ", ". */
void algorithm_engines_text(struct text *t, const struct ipsp_sa *sa);

#endif
