/* SPDX-License-Identifier: GPL-2.0 */
/* stats.h - counters per CPU and compartment; the ledger (uapi: struct ipsp_stats) */
#ifndef IPSP_STATS_H
#define IPSP_STATS_H

#include <linux/percpu.h>
#include "ipsec_port.h"

struct compartment;

struct counts {
	u64 counter[IPSP_COUNT_COUNT];
	u64 drop[IPSP_DROP_COUNT];
};

/* Any context. PENDING and HELD are not counted but computed. */
#define ipsp_count_add(c, id, n) this_cpu_add((c)->counts->counter[IPSP_COUNT_##id], (n))
#define ipsp_count(c, id) ipsp_count_add(c, id, 1)

/* A ticket, or a packet that never got one, ends as dropped. */
#define ipsp_count_drop(c, reason) do {					\
	this_cpu_inc((c)->counts->counter[IPSP_COUNT_DROPPED]);		\
	this_cpu_inc((c)->counts->drop[(reason)]);			\
} while (0)

/* Module-wide, beside any compartment: objects made and freed (created = destroyed). */
void ipsp_stats_made(void);
void ipsp_stats_freed(void);
/* Drops that belong to no compartment: rules `drop`, `closed`, no-compartment. */
void ipsp_stats_net_drop(struct net *net, u32 reason);

void ipsp_stats_exit(void);
int ipsp_stats_compartment_init(struct compartment *c);		/* allocates c->counts */
void ipsp_stats_compartment_exit(struct compartment *c);
/* The control device's call: of a compartment, or of the namespace itself. */
int ipsp_stats_get(struct net *net, void *arg);		/* struct ipsp_stats */

#endif
