/* SPDX-License-Identifier: GPL-2.0 */
/* sad - the SAs, by handle */
#ifndef SODIUM_SAD_H
#define SODIUM_SAD_H

#include "aead.h"
#include "slots.h"
#include "tuple.h"

struct sad_sa {
	struct ipsp_sa given;		/* without its keys */
	uint64_t age;			/* the newest has the largest */
	bool any;			/* its selector matches everything */
	struct aead aead;
};

struct sad {
	struct slots slots;
	struct sad_sa *sa;
	uint64_t age;
};

size_t sad_memory(uint32_t max);
void sad_init(struct sad *sad, void *memory, uint32_t max);

/* 0, or the reason for which the SA is refused; then nothing has changed. */
unsigned sad_add(struct sad *sad, const struct ipsp_sa *given);
void sad_delete(struct sad *sad, uint32_t handle);
void sad_clear(struct sad *sad);

/* NULL: there is none. */
const struct sad_sa *sad_find(const struct sad *sad, uint32_t handle);

/* The newest outbound one of that label that fits the template and takes the packet. */
const struct sad_sa *sad_fit(const struct sad *sad, const struct ipsp_template *want, uint32_t label,
			     const struct tuple *tuple);
bool sad_fits(const struct sad_sa *sa, const struct ipsp_template *want, const struct tuple *tuple);

/* An inbound one without UDP of the packet's destination and protocol has this SPI. */
bool sad_opens(const struct sad *sad, const struct tuple *tuple, const uint8_t spi[4]);

#endif
