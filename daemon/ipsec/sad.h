/* SPDX-License-Identifier: GPL-2.0 */
/* sad - the stack's security associations, by handle (RFC 4301 4.4.2) */
#ifndef IPSEC_SAD_H
#define IPSEC_SAD_H

#include "arena.h"
#include "crypto/crypto.h"
#include "ipsec_port_selector.h"

struct sad_sa {
	uint32_t handle;		/* 0: free */
	uint32_t next;			/* of its hash chain, or of the free list: index + 1 */
	uint64_t age;			/* higher is newer */
	struct ipsp_sa sa;		/* without keys */
	struct crypto_sa crypto;
};

struct sad {
	struct sad_sa *sa;
	uint32_t *bucket;		/* index + 1 */
	uint32_t buckets;		/* power of two */
	uint32_t max;
	uint32_t free;			/* index + 1 */
	uint64_t age;
};

size_t sad_arena_size(uint32_t max);
int sad_init(struct sad *sad, struct arena *arena, uint32_t max);
/* 0: another of the same handle is replaced. An IPSP_DROP_* that says why not: nothing has changed. */
uint16_t sad_add(struct sad *sad, const struct ipsp_sa *sa, const uint32_t engines[4]);
void sad_delete(struct sad *sad, uint32_t handle);
void sad_clear(struct sad *sad);
const struct sad_sa *sad_find(const struct sad *sad, uint32_t handle);
/* Is it of the kind, and between the addresses, that this template asks for? */
int sad_fits(const struct ipsp_sa *sa, const struct ipsp_template *t, const struct ipsp_tuple *tuple);
/* The newest outbound SA that this template of a policy with that label means for this packet. */
const struct sad_sa *sad_match(const struct sad *sad, const struct ipsp_template *t, uint32_t label,
			       const struct ipsp_tuple *tuple);
/* Is there an inbound SA of the packet's destination and protocol, and this SPI, without UDP? */
int sad_opens(const struct sad *sad, const struct ipsp_tuple *tuple, const uint8_t spi[4]);

#endif
