/* SPDX-License-Identifier: GPL-2.0 */
/* spd - the policies, in the order in which they are asked */
#ifndef SODIUM_SPD_H
#define SODIUM_SPD_H

#include "slots.h"
#include "tuple.h"

struct spd {
	struct slots slots;		/* by the policy's index */
	struct ipsp_policy_entry *entry;
	uint64_t *age;			/* of each entry */
	uint32_t *order;		/* places, by (priority, age) */
	uint64_t born;
};

size_t spd_memory(uint32_t max);
void spd_init(struct spd *spd, void *memory, uint32_t max);
void spd_clear(struct spd *spd);

/* False: no room; one of its index that was there is gone all the same. */
bool spd_add(struct spd *spd, const struct ipsp_policy_entry *entry);
void spd_delete(struct spd *spd, uint32_t index);

/* NULL: none matches. */
const struct ipsp_policy_entry *spd_find(const struct spd *spd, uint8_t direction, const struct tuple *tuple);

#endif
