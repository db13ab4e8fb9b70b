// SPDX-License-Identifier: GPL-2.0
/* stats.c - counters, and the ledger that must balance (uapi: struct ipsp_stats) */
#include <linux/percpu.h>
#include "compartment.h"
#include "handle.h"
#include "netns.h"
#include "stats.h"
#include "stream.h"

static DEFINE_PER_CPU(s64, stats_made);
static DEFINE_PER_CPU(s64, stats_freed);	/* where it is freed: only sums mean anything */

void ipsp_stats_made(void)
{
	this_cpu_inc(stats_made);
}

void ipsp_stats_freed(void)
{
	this_cpu_inc(stats_freed);
}

static s64 stats_of(const s64 __percpu *count)
{
	s64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(count, cpu));
	return sum;
}

void ipsp_stats_net_drop(struct net *net, u32 reason)
{
	atomic64_inc(&ipsp_net(net)->drop[reason]);
}

int ipsp_stats_compartment_init(struct compartment *c)
{
	BUILD_BUG_ON(IPSP_COUNT_COUNT > IPSP_COUNT_SLOTS || IPSP_DROP_COUNT > IPSP_DROP_SLOTS);
	c->counts = alloc_percpu_gfp(struct counts, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	return c->counts ? 0 : -ENOMEM;
}

void ipsp_stats_compartment_exit(struct compartment *c)
{
	free_percpu(c->counts);
}

static void stats_sum(const struct compartment *c, struct ipsp_stats *out)
{
	const struct counts *n;
	int cpu, i;

	for_each_possible_cpu(cpu) {
		n = per_cpu_ptr(c->counts, cpu);
		for (i = 0; i < IPSP_COUNT_COUNT; i++)
			out->counter[i] += READ_ONCE(n->counter[i]);
		for (i = 0; i < IPSP_DROP_COUNT; i++)
			out->drop[i] += READ_ONCE(n->drop[i]);
	}
}

/* What the compartment may occupy now: its rings and tables, and the packets that wait. */
static u64 stats_memory(struct compartment *c)
{
	u64 bytes = sizeof(*c) + 2 * FIFO_MEMORY + COUNTER_PLACES / 8 +
		    num_possible_cpus() * sizeof(struct counts) +
		    (u64)c->config.handles * sizeof(struct handle) +
		    c->flows.buckets * sizeof(struct hlist_head) +
		    (u64)atomic_read(&c->flows.count) * sizeof(struct flow);
	u32 i;

	lockdep_assert_held(&c->lock);
	for (i = 0; i < IPSP_STACKS_MAX; i++)
		if (c->stack[i])
			bytes += sizeof(struct stack) + 2 * PAGE_SIZE +
				 (u64)c->config.down_size + c->config.up_size;
	if (c->config.mode != IPSP_MODE_SHARE)
		bytes += 2 * FIFO_SLOTS * sizeof(void *);
	bytes += atomic_read(&c->holds.bytes) +
		 (u64)READ_ONCE(c->holds.tickets) * sizeof(struct ticket);
	for (i = 0; i < ARRAY_SIZE(c->fifo); i++)
		bytes += c->fifo[i].bytes + (u64)c->fifo[i].length * sizeof(struct ticket);
	return bytes;
}

/* The namespace's own: packets that came to no compartment were captured to be dropped. */
static void stats_net(struct net *net, struct ipsp_stats *out)
{
	int i;

	for (i = 0; i < IPSP_DROP_COUNT; i++) {
		out->drop[i] = atomic64_read(&ipsp_net(net)->drop[i]);
		out->counter[IPSP_COUNT_DROPPED] += out->drop[i];
	}
	out->counter[IPSP_COUNT_CAPTURED] = out->counter[IPSP_COUNT_DROPPED];
}

static void stats_compartment(struct compartment *c, struct ipsp_stats *out)
{
	/* Under the lock, so that a ticket is counted once: pending or ended. */
	spin_lock_bh(&c->lock);
	stats_sum(c, out);
	out->counter[IPSP_COUNT_PENDING] = c->fifo[IPSP_DIR_OUT].length +
					   c->fifo[IPSP_DIR_IN].length;
	out->counter[IPSP_COUNT_HELD] = READ_ONCE(c->holds.tickets);
	out->memory = stats_memory(c);
	spin_unlock_bh(&c->lock);
}

int ipsp_stats_get(struct net *net, void *arg)
{
	struct ipsp_stats *out = arg;
	struct compartment *c = NULL;

	if (strnlen(out->name, IPSP_NAME_MAX) == IPSP_NAME_MAX)
		return -EINVAL;
	if (out->name[0]) {
		c = ipsp_compartment_find(net, out->name);
		if (!c)
			return -ENOENT;
	}
	memset_after(out, 0, name);
	if (c)
		stats_compartment(c, out);
	else
		stats_net(net, out);
	out->counter[IPSP_COUNT_OBJECTS_MADE] = stats_of(&stats_made);
	out->counter[IPSP_COUNT_OBJECTS_FREED] = stats_of(&stats_freed);
	return 0;
}

void ipsp_stats_exit(void)
{
	s64 made = stats_of(&stats_made), freed = stats_of(&stats_freed);

	if (made != freed)
		pr_err("objects made %lld, freed %lld\n", made, freed);
	else
		pr_info("objects made %lld = freed\n", made);
}
