// SPDX-License-Identifier: GPL-2.0
#include "arena.h"

#include <string.h>

void arena_init(struct arena *arena, void *base, size_t size)
{
	size_t skew = -(uintptr_t)base & (ARENA_ALIGN - 1);

	arena->base = (uint8_t *)base + (skew < size ? skew : size);
	arena->size = size - (skew < size ? skew : size);
	arena->used = 0;
}

size_t arena_cost(size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - ARENA_ALIGN)
		return SIZE_MAX;
	return (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

void *arena_take(struct arena *arena, size_t count, size_t size)
{
	size_t cost = arena_cost(count, size);
	void *at;

	if (cost > arena->size - arena->used)
		return NULL;
	at = arena->base + arena->used;
	arena->used += cost;
	return memset(at, 0, cost);
}
