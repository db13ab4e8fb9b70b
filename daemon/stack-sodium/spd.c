// SPDX-License-Identifier: GPL-2.0
#include "spd.h"

#include <string.h>

size_t spd_memory(uint32_t max)
{
	return (sizeof(struct ipsp_policy_entry) + sizeof(uint64_t) + sizeof(uint32_t)) * (size_t)max + slots_memory(max);
}

void spd_init(struct spd *spd, void *memory, uint32_t max)
{
	spd->entry = memory;
	spd->age = (uint64_t *)(spd->entry + max);
	spd->order = (uint32_t *)(spd->age + max);
	spd->born = 0;
	slots_init(&spd->slots, spd->order + max, max);
}

void spd_clear(struct spd *spd)
{
	slots_clear(&spd->slots);
}

/* How many come before (priority, age). */
static uint32_t spd_before(const struct spd *spd, uint32_t priority, uint64_t age)
{
	uint32_t low = 0, high = spd->slots.taken;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2, place = spd->order[middle];
		const uint32_t its = spd->entry[place].protect.priority;

		if (its < priority || (its == priority && spd->age[place] < age))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void spd_delete(struct spd *spd, uint32_t index)
{
	const uint32_t place = slots_find(&spd->slots, index);
	uint32_t at;

	if (place == SLOTS_NONE)
		return;
	at = spd_before(spd, spd->entry[place].protect.priority, spd->age[place]);
	slots_free(&spd->slots, index);
	memmove(spd->order + at, spd->order + at + 1, sizeof(uint32_t) * (spd->slots.taken - at));
}

bool spd_add(struct spd *spd, const struct ipsp_policy_entry *entry)
{
	uint32_t at, place;

	spd_delete(spd, entry->protect.index);
	at = spd_before(spd, entry->protect.priority, ++spd->born);
	place = slots_take(&spd->slots, entry->protect.index);
	if (place == SLOTS_NONE)
		return false;
	memmove(spd->order + at + 1, spd->order + at, sizeof(uint32_t) * (spd->slots.taken - 1 - at));
	spd->order[at] = place;
	spd->entry[place] = *entry;
	spd->age[place] = spd->born;
	return true;
}

/* A policy without a label is for all. */
static bool spd_label(uint32_t wanted, const struct tuple *tuple)
{
	return !wanted || wanted == tuple->label;
}

const struct ipsp_policy_entry *spd_find(const struct spd *spd, uint8_t direction, const struct tuple *tuple)
{
	uint32_t i;

	for (i = 0; i < spd->slots.taken; i++) {
		const struct ipsp_policy_entry *entry = &spd->entry[spd->order[i]];

		if (entry->protect.direction == direction && spd_label(entry->protect.label, tuple) &&
		    tuple_matches(tuple, &entry->protect.selector))
			return entry;
	}
	return NULL;
}
