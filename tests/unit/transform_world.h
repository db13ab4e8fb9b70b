/* SPDX-License-Identifier: GPL-2.0-only */
/* transform_world.h - a transform, and records for it as they would lie in a ring */
#ifndef UNIT_TRANSFORM_WORLD_H
#define UNIT_TRANSFORM_WORLD_H

#include <check.h>
#include <string.h>

#include "crypto/crypto.h"
#include "ipsec/transform.h"
#include "ipsec_port_ring.h"

/* In `size` bytes of memory; room for `most` SAs and as many policies. */
static inline struct transform *transform_begin(void *memory, size_t size, uint32_t most)
{
	const struct transform_config config = { most, most };
	struct transform *transform;
	struct arena arena;

	ck_assert_int_eq(crypto_init(), 0);
	arena_init(&arena, memory, size);
	transform = transform_init(&arena, &config);
	ck_assert_ptr_nonnull(transform);
	return transform;
}

/* At down, of ticket 42. */
static inline struct ipsp_record *transform_record(uint8_t *down, uint16_t type, const void *control, uint32_t control_len,
						   const void *data, uint32_t data_len)
{
	struct ipsp_record *rec = (struct ipsp_record *)down;
	const uint32_t offset = ipsp_record_data_offset(control_len), len = (offset + data_len + 63) & ~63u;

	memset(down, 0, len);
	rec->type = type;
	rec->ticket = 42;
	rec->control_len = control_len;
	rec->data_offset = offset;
	rec->data_len = data_len;
	rec->len = len;
	memcpy(rec + 1, control, control_len);
	if (data_len)
		memcpy(down + offset, data, data_len);
	return rec;
}

#endif
