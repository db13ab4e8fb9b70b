// SPDX-License-Identifier: GPL-2.0
#include "spd.h"

#include <stddef.h>
#include <string.h>

size_t spd_arena_size(uint32_t max)
{
	return arena_cost(max, sizeof(struct ipsp_policy_entry));
}

void spd_clear(struct spd *spd)
{
	spd->count = 0;
	memset(spd->has, 0, sizeof(spd->has));
}

int spd_init(struct spd *spd, struct arena *arena, uint32_t max)
{
	spd_clear(spd);
	spd->max = max;
	spd->entry = arena_take(arena, max, sizeof(*spd->entry));
	return spd->entry ? 0 : -1;
}

/* Most policies are new: then no other is looked at. */
static uint32_t spd_kind(uint32_t index)
{
	return (index ^ index >> 16) % SPD_KINDS;
}

static void spd_remove(struct spd *spd, uint32_t index)
{
	uint32_t i, kind = spd_kind(index);

	if (!(spd->has[kind / 64] >> kind % 64 & 1))
		return;
	for (i = 0; i < spd->count && spd->entry[i].protect.index != index; i++)
		;
	if (i == spd->count)
		return;
	spd->count--;
	memmove(&spd->entry[i], &spd->entry[i + 1], (spd->count - i) * sizeof(*spd->entry));
}

/* Behind all of its priority. */
static int spd_insert(struct spd *spd, const struct ipsp_policy_entry *entry)
{
	uint32_t i = spd->count, kind;

	if (spd->count == spd->max)
		return -1;
	while (i && spd->entry[i - 1].protect.priority > entry->protect.priority)
		i--;
	memmove(&spd->entry[i + 1], &spd->entry[i], (spd->count - i) * sizeof(*spd->entry));
	spd->entry[i] = *entry;
	spd->count++;
	kind = spd_kind(entry->protect.index);
	spd->has[kind / 64] |= 1ull << kind % 64;
	return 0;
}

int spd_change(struct spd *spd, const struct ipsp_policy *policy,
	       const struct ipsp_policy_entry *entry)
{
	uint32_t i;

	if (policy->operation == IPSP_POLICY_REPLACE)
		spd_clear(spd);
	for (i = 0; i < policy->count; i++) {
		spd_remove(spd, entry[i].protect.index);
		if (policy->operation != IPSP_POLICY_DELETE && spd_insert(spd, &entry[i]))
			return -1;
	}
	return 0;
}

const struct ipsp_policy_entry *spd_find(const struct spd *spd, const struct ipsp_tuple *t)
{
	return (const struct ipsp_policy_entry *)
		ipsp_protect_find(&spd->entry->protect, sizeof(*spd->entry), spd->count, t);
}

_Static_assert(!offsetof(struct ipsp_policy_entry, protect), "an entry starts with its protect");
