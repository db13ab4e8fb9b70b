// SPDX-License-Identifier: GPL-2.0
#include "slots.h"

#include <string.h>

/* Twice as many entries as places, and a power of two, so that a probe always ends at an empty one. */
static uint32_t slots_table_size(uint32_t max)
{
	uint32_t size = 4;

	while (size < 2 * max)
		size *= 2;
	return size;
}

size_t slots_memory(uint32_t max)
{
	return sizeof(uint32_t) * ((size_t)slots_table_size(max) + 2 * (size_t)max);
}

void slots_init(struct slots *slots, void *memory, uint32_t max)
{
	slots->max = max;
	slots->mask = slots_table_size(max) - 1;
	slots->table = memory;
	slots->name = slots->table + slots->mask + 1;
	slots->spare = slots->name + max;
	slots_clear(slots);
}

void slots_clear(struct slots *slots)
{
	uint32_t i;

	memset(slots->table, 0, sizeof(uint32_t) * ((size_t)slots->mask + 1));
	for (i = 0; i < slots->max; i++)
		slots->spare[i] = slots->max - 1 - i;
	slots->taken = 0;
}

static uint32_t slots_home(const struct slots *slots, uint32_t name)
{
	return (name * 2654435761u ^ name >> 15) & slots->mask;
}

/* Where the name is in the table, or where it would go. */
static uint32_t slots_probe(const struct slots *slots, uint32_t name)
{
	uint32_t at = slots_home(slots, name);

	while (slots->table[at] && slots->name[slots->table[at] - 1] != name)
		at = (at + 1) & slots->mask;
	return at;
}

uint32_t slots_find(const struct slots *slots, uint32_t name)
{
	return slots->table[slots_probe(slots, name)] - 1;	/* 0 - 1 is SLOTS_NONE */
}

uint32_t slots_take(struct slots *slots, uint32_t name)
{
	uint32_t place;

	if (slots->taken == slots->max)
		return SLOTS_NONE;
	place = slots->spare[slots->max - ++slots->taken];
	slots->name[place] = name;
	slots->table[slots_probe(slots, name)] = place + 1;
	return place;
}

/* What was pushed past the hole moves into it, unless its home lies behind the hole. */
static void slots_close_gap(struct slots *slots, uint32_t hole)
{
	uint32_t at, home;

	for (at = (hole + 1) & slots->mask; slots->table[at]; at = (at + 1) & slots->mask) {
		home = slots_home(slots, slots->name[slots->table[at] - 1]);
		if (((at - home) & slots->mask) < ((at - hole) & slots->mask))
			continue;
		slots->table[hole] = slots->table[at];
		slots->table[at] = 0;
		hole = at;
	}
}

void slots_free(struct slots *slots, uint32_t name)
{
	const uint32_t at = slots_probe(slots, name);

	slots->spare[slots->max - slots->taken--] = slots->table[at] - 1;
	slots->table[at] = 0;
	slots_close_gap(slots, at);
}
