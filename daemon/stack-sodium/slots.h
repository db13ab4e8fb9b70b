/* SPDX-License-Identifier: GPL-2.0 */
/* slots - so many places, each found by a 32-bit name; nothing is allocated */
#ifndef SODIUM_SLOTS_H
#define SODIUM_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#define SLOTS_NONE UINT32_MAX

struct slots {
	uint32_t max, taken;
	uint32_t mask;			/* of the table */
	uint32_t *table;		/* place + 1, or 0; found by linear probing */
	uint32_t *name;			/* of each place */
	uint32_t *spare;		/* places that are free: the first max - taken of it */
};

/* Bytes for `max` places; at most 2^24 of them. */
size_t slots_memory(uint32_t max);
void slots_init(struct slots *slots, void *memory, uint32_t max);

/* A place, or SLOTS_NONE. */
uint32_t slots_find(const struct slots *slots, uint32_t name);
/* SLOTS_NONE: all are taken. The name must not be there. */
uint32_t slots_take(struct slots *slots, uint32_t name);
/* The name must be there. */
void slots_free(struct slots *slots, uint32_t name);
void slots_clear(struct slots *slots);

#endif
