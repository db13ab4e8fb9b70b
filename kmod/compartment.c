// SPDX-License-Identifier: GPL-2.0
/* compartment.c - the list of compartments: add, del, set, find; their life and end */
#include <linux/device.h>
#include <linux/slab.h>
#include "compartment.h"
#include "dissent.h"
#include "handle.h"
#include "poison.h"
#include "port.h"
#include "protect.h"
#include "rule.h"
#include "stream.h"

DEFINE_MUTEX(ipsp_compartment_mutex);	/* protects the compartments by minor, rules */
static DEFINE_XARRAY_ALLOC1(compartments);
static struct workqueue_struct *compartment_wq;

/* ---- configuration --------------------------------------------------------------- */

static bool config_name_ok(const char *name)
{
	size_t i, len = strnlen(name, IPSP_NAME_MAX);

	if (!len || len == IPSP_NAME_MAX || !strcmp(name, "control") || !strcmp(name, "xfrm"))
		return false;
	for (i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", name[i]))
			return false;
	return !memchr_inv(name + len, 0, IPSP_NAME_MAX - len);
}

enum config_kind { FIXED, CHANGES, CHANGES_TO_0 };	/* by SET; the last: 0 is a value too */

#define FIELD(name) offsetof(struct ipsp_compartment, name)
static const struct config_field {
	u16 at;
	enum config_kind kind;
	u32 standard;
	u32 most;
} config_fields[] = {
	{ FIELD(flags), CHANGES_TO_0, 0, IPSP_COMPARTMENTF_ALL },
	{ FIELD(owner_uid), FIXED, 0, U32_MAX },
	{ FIELD(owner_gid), FIXED, 0, U32_MAX },
	{ FIELD(owner_mode), FIXED, 0600, 0777 },
	{ FIELD(stacks), CHANGES, 1, IPSP_STACKS_MAX },
	{ FIELD(spares), CHANGES_TO_0, 0, IPSP_STACKS_MAX - 1 },
	{ FIELD(mode), FIXED, IPSP_MODE_SHARE, IPSP_MODE_SAMPLE },
	{ FIELD(quorum), FIXED, 0, IPSP_STACKS_MAX },
	{ FIELD(sample), CHANGES, 0, 100 },
	{ FIELD(fail), CHANGES_TO_0, IPSP_FAIL_CLOSED, IPSP_FAIL_OPEN },
	{ FIELD(deadline_ms), CHANGES, 100, 60000 },
	{ FIELD(successor_ms), CHANGES, 1000, 60000 },
	{ FIELD(hold_ms), CHANGES, 5000, 60000 },
	{ FIELD(down_size), FIXED, IPSP_RING_DEFAULT, IPSP_RING_MAX },
	{ FIELD(up_size), FIXED, IPSP_RING_DEFAULT, IPSP_RING_MAX },
	{ FIELD(handles_max), FIXED, 1024, 65536 },
	{ FIELD(flows_max), FIXED, 8192, 1048576 },
	{ FIELD(mark), CHANGES_TO_0, 0, U32_MAX },
	{ FIELD(mark_mask), CHANGES_TO_0, 0, U32_MAX },
};

static bool config_ring_ok(u32 size)
{
	return is_power_of_2(size) && size >= IPSP_RING_MIN;
}

/* Who votes has somebody to vote with. */
static bool config_quorum_ok(const struct ipsp_compartment *to)
{
	if (to->mode == IPSP_MODE_SHARE)
		return to->quorum <= 1 && !to->sample && !to->flags;
	return to->quorum && to->quorum <= to->stacks &&
	       !to->sample == (to->mode != IPSP_MODE_SAMPLE);
}

/* What is given as 0 and is no value takes the default or, in a change, stays as it is. */
static int config_take(struct ipsp_compartment *to, const struct ipsp_compartment *given,
		       bool change)
{
	const struct config_field *f;
	u32 value, before, *field;

	for (f = config_fields; f < config_fields + ARRAY_SIZE(config_fields); f++) {
		field = (void *)to + f->at;
		before = change ? *field : f->standard;
		value = *(u32 *)((void *)given + f->at);
		if (!value && f->kind != CHANGES_TO_0)
			value = before;
		if (value > f->most || (change && f->kind == FIXED && value != before))
			return -EINVAL;
		*field = value;
	}
	if (!config_quorum_ok(to) || (to->mark & ~to->mark_mask) ||
	    !config_ring_ok(to->down_size) || !config_ring_ok(to->up_size))
		return -EINVAL;
	return to->stacks + to->spares > IPSP_STACKS_MAX ? -EINVAL : 0;
}

/* ---- life ------------------------------------------------------------------------ */

static void compartment_free(struct compartment *c)
{
	ipsp_deal_compartment_exit(c);
	ipsp_flow_table_exit(c);
	ipsp_protect_compartment_exit(c);
	ipsp_poison_exit(c);
	ipsp_dissent_exit(c);
	ipsp_hold_exit(c);
	xa_destroy(&c->handles);
	ipsp_stats_compartment_exit(c);
	kfree(c);
}

static void compartment_end_work(struct work_struct *work)
{
	compartment_free(container_of(to_rcu_work(work), struct compartment, end));
	ipsp_stats_freed();
}

/* Any context: the end may sleep, so it runs in a work, when no RCU reader is left. */
void ipsp_compartment_put(struct compartment *c)
{
	if (refcount_dec_and_test(&c->ref))
		queue_rcu_work(compartment_wq, &c->end);
}

static struct compartment *compartment_new(struct net *net, const struct ipsp_compartment *config)
{
	struct compartment *c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);

	if (!c)
		return NULL;
	c->net = net;
	c->config = *config;
	refcount_set(&c->ref, 1);
	mutex_init(&c->admin);
	xa_init_flags(&c->handles, XA_FLAGS_ALLOC1);
	INIT_RCU_WORK(&c->end, compartment_end_work);
	ipsp_mailbox_init(&c->mailbox);
	ipsp_poison_init(c);
	ipsp_dissent_init(c);
	ipsp_hold_init(c);
	/* the first cannot be undone before it was tried, the others can */
	if (ipsp_deal_compartment_init(c) || ipsp_flow_table_init(c) ||
	    ipsp_stats_compartment_init(c)) {
		compartment_free(c);
		return NULL;
	}
	ipsp_stats_made();
	return c;
}

/*
 * Takes the compartment out of the world. Who may still hold it after this, and why not
 * for ever:
 *   rules            none name it (DEL), or they have gone before (the namespace's end);
 *   packets in hooks found it by a rule, which held it for an RCU grace period longer
 *                    than any reader; what they capture is refused: gone;
 *   stacks           broken, their works flushed; the struct ends with its file;
 *   tickets          dropped and released by ipsp_deal_compartment_end, held ones by
 *                    ipsp_hold_end;
 *   flows            flushed; the last waiting packet or ticket puts them;
 *   handles          unlinked; diverted dsts, tickets and flows put them, and a work that
 *                    the namespace's end waits for puts us;
 *   open files       their calls fail: gone; their release puts us;
 *   the manager's and admins' sleep   woken by ipsp_port_forget.
 */
static void compartment_end(struct compartment *c)
{
	lockdep_assert_held(&ipsp_compartment_mutex);
	xa_erase(&compartments, c->minor);
	device_unregister(c->device);
	mutex_lock(&c->admin);
	spin_lock_bh(&c->lock);
	c->gone = true;
	spin_unlock_bh(&c->lock);
	ipsp_deal_compartment_end(c);
	ipsp_hold_end(c);
	ipsp_handle_compartment_exit(c);
	ipsp_flow_flush(c);
	ipsp_port_forget(c);
	mutex_unlock(&c->admin);
	ipsp_compartment_put(c);
}

static struct compartment *compartment_lookup(const char *name)
{
	struct compartment *c;
	unsigned long minor;

	lockdep_assert_held(&ipsp_compartment_mutex);
	xa_for_each(&compartments, minor, c)
		if (!strncmp(c->config.name, name, IPSP_NAME_MAX))
			return c;
	return NULL;
}

static int compartment_enter(struct compartment *c)
{
	int err;

	if (compartment_lookup(c->config.name))
		return -EEXIST;
	err = xa_alloc(&compartments, &c->minor, c, XA_LIMIT(1, IPSP_COMPARTMENTS_MAX),
		       GFP_KERNEL_ACCOUNT);
	if (err)
		return err == -EBUSY ? -ENOSPC : err;
	c->device = ipsp_port_device(c->minor, c->config.name, c);
	err = PTR_ERR_OR_ZERO(c->device);
	if (err)
		xa_erase(&compartments, c->minor);
	return err;
}

/* ---- the control device's calls -------------------------------------------------- */

int ipsp_compartment_add(struct net *net, void *arg)
{
	struct ipsp_compartment config = {}, *given = arg;
	struct compartment *c;
	int err;

	if (!config_name_ok(given->name) || given->index ||
	    memchr_inv(&given->stacks_attached, 0, FIELD(spares) - FIELD(stacks_attached)))
		return -EINVAL;
	memcpy(config.name, given->name, sizeof(config.name));
	err = config_take(&config, given, false);
	if (err)
		return err;
	c = compartment_new(net, &config);
	if (!c)
		return -ENOMEM;
	err = compartment_enter(c);
	if (err)
		ipsp_compartment_put(c);
	return err;
}

struct compartment *ipsp_compartment_find(struct net *net, const char *name)
{
	struct compartment *c = compartment_lookup(name);

	return c && net_eq(c->net, net) ? c : NULL;
}

int ipsp_compartment_del(struct net *net, void *arg)
{
	const struct ipsp_name *name = arg;
	struct compartment *c = ipsp_compartment_find(net, name->name);
	int err;

	if (!c)
		return -ENOENT;
	if (atomic_read(&c->rules)) {
		err = name->flags & IPSP_DELF_RULES_DROP ? ipsp_rule_drop(net, c) : -EBUSY;
		if (err)
			return err;
	}
	compartment_end(c);
	rcu_barrier();		/* the dsts that it diverted hold the module until then */
	return 0;
}

/* How many stacks there are changes at one point of the ticket order. */
static void compartment_change(struct compartment *c, const struct ipsp_compartment *next)
{
	spin_lock_bh(&c->lock);
	c->config = *next;
	ipsp_share_update(c);
	ipsp_deal_run(c);
	spin_unlock_bh(&c->lock);
}

int ipsp_compartment_set(struct net *net, void *arg)
{
	const struct ipsp_compartment *given = arg;
	struct ipsp_compartment next;
	struct compartment *c;
	int err;

	if (!config_name_ok(given->name))
		return -EINVAL;
	c = ipsp_compartment_find(net, given->name);
	if (!c)
		return -ENOENT;
	mutex_lock(&c->admin);
	next = c->config;
	err = config_take(&next, given, true);
	if (!err)
		compartment_change(c, &next);
	mutex_unlock(&c->admin);
	if (!err)
		ipsp_watchdog_now(c);	/* what waits is judged by the new deadlines */
	return err;
}

static struct compartment *compartment_nth(struct net *net, s32 index)
{
	struct compartment *c;
	unsigned long minor;

	xa_for_each(&compartments, minor, c)
		if (net_eq(c->net, net) && !index--)
			return c;
	return NULL;
}

int ipsp_compartment_get(struct net *net, void *arg)
{
	struct ipsp_compartment *out = arg;
	struct compartment *c;

	if (out->index < 0 || strnlen(out->name, IPSP_NAME_MAX) == IPSP_NAME_MAX || out->flags)
		return -EINVAL;
	c = out->name[0] ? ipsp_compartment_find(net, out->name) :
			   compartment_nth(net, out->index);
	if (!c)
		return -ENOENT;
	mutex_lock(&c->admin);
	*out = c->config;
	out->generation = c->generation;
	out->manager_attached = !!c->mailbox.manager;
	spin_lock_bh(&c->lock);
	out->stacks_attached = ipsp_share_count(c);
	out->spares_attached = ipsp_share_spares(c);
	spin_unlock_bh(&c->lock);
	mutex_unlock(&c->admin);
	return 0;
}

/* ---- for the other rooms --------------------------------------------------------- */

struct compartment *ipsp_compartment_by_minor(u32 minor)
{
	struct compartment *c;

	mutex_lock(&ipsp_compartment_mutex);
	c = xa_load(&compartments, minor);
	if (c)
		ipsp_compartment_hold(c);
	mutex_unlock(&ipsp_compartment_mutex);
	return c;
}

void ipsp_compartment_net_exit(struct net *net)
{
	struct compartment *c;
	unsigned long minor;

	mutex_lock(&ipsp_compartment_mutex);
	xa_for_each(&compartments, minor, c)
		if (net_eq(c->net, net))
			compartment_end(c);
	mutex_unlock(&ipsp_compartment_mutex);
}

/* RTNL is held and comes before our mutex: nothing under the mutex takes RTNL. */
void ipsp_compartment_device_gone(struct net_device *dev)
{
	struct compartment *c;
	unsigned long minor;

	mutex_lock(&ipsp_compartment_mutex);
	xa_for_each(&compartments, minor, c)
		if (net_eq(c->net, dev_net(dev))) {
			ipsp_flow_flush(c);
			ipsp_deal_device_gone(c, dev);
			ipsp_hold_device_gone(c, dev);
		}
	mutex_unlock(&ipsp_compartment_mutex);
}

int ipsp_compartment_init(void)
{
	compartment_wq = alloc_workqueue("ipsp_compartment", 0, 0);
	return compartment_wq ? 0 : -ENOMEM;
}

/*
 * Namespaces have ended theirs. A port's file lets go of its own in an RCU callback, a last
 * reference waits for one before its work: hence twice.
 */
void ipsp_compartment_exit(void)
{
	WARN_ON(!xa_empty(&compartments));
	rcu_barrier();
	rcu_barrier();
	destroy_workqueue(compartment_wq);
}
