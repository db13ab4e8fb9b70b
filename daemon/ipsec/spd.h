/* SPDX-License-Identifier: GPL-2.0 */
/* spd - the stack's policies, in their order (RFC 4301 4.4.1) */
#ifndef IPSEC_SPD_H
#define IPSEC_SPD_H

#include "arena.h"
#include "ipsec_port_selector.h"

#define SPD_KINDS	65536u

struct spd {
	struct ipsp_policy_entry *entry;	/* by (priority, age) */
	uint32_t count;
	uint32_t max;
	uint64_t has[SPD_KINDS / 64];		/* a bit for each kind of index; some of what is no more */
};

size_t spd_arena_size(uint32_t max);
int spd_init(struct spd *spd, struct arena *arena, uint32_t max);
void spd_clear(struct spd *spd);
/* 0, or -1: full; what came before it is in force. */
int spd_change(struct spd *spd, const struct ipsp_policy *policy,
	       const struct ipsp_policy_entry *entry);
const struct ipsp_policy_entry *spd_find(const struct spd *spd, const struct ipsp_tuple *t);

#endif
