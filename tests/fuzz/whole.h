/* SPDX-License-Identifier: GPL-2.0 */
/* whole.h - one transform for the targets that put packets through all of it */
#ifndef FUZZ_WHOLE_H
#define FUZZ_WHOLE_H

#include "crypto/crypto.h"
#include "ipsec/transform.h"
#include "tests/fuzz/fuzz.h"

static struct transform *transform;

static inline void whole_begin(uint32_t sas, uint32_t policies)
{
	static uint8_t memory[1 << 20] __attribute__((aligned(64)));
	const struct transform_config config = { sas, policies };
	struct arena arena;

	fuzz_check(!crypto_init());
	arena_init(&arena, memory, sizeof(memory));
	transform = transform_init(&arena, &config);
	fuzz_check(transform != NULL);
}

/* A control record, which has no answer. */
static inline void whole_tell(uint16_t type, const void *control, uint32_t control_len, const void *data,
			      size_t data_len)
{
	uint8_t up[256], *down = fuzz_record(type, control, control_len, data, data_len);

	fuzz_check(!transform_answer(transform, (void *)down, up, sizeof(up)));
	free(down);
}

static inline void whole_sa_add(const struct ipsp_sa *sa)
{
	whole_tell(IPSP_REC_SA_ADD, sa, sizeof(*sa), "", 0);
}

#endif
