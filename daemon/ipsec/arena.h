/* SPDX-License-Identifier: GPL-2.0 */
/*
 * arena - memory that is handed in once and given out from front to back
 *
 * Nothing is given back: what is taken from an arena lives as long as the arena.
 */
#ifndef IPSEC_ARENA_H
#define IPSEC_ARENA_H

#include <stddef.h>
#include <stdint.h>

#define ARENA_ALIGN 64		/* of everything taken */

struct arena {
	uint8_t *base;
	size_t size;
	size_t used;
};

void arena_init(struct arena *arena, void *base, size_t size);

/* `count` zeroed elements of `size` bytes, or NULL when they do not fit. */
void *arena_take(struct arena *arena, size_t count, size_t size);

/* What arena_take(count, size) uses up at most; SIZE_MAX when it overflows. */
size_t arena_cost(size_t count, size_t size);

#endif
