// SPDX-License-Identifier: GPL-2.0
/* compartment.c - the list of compartments: add, del, set, find; their life and end */
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include "compartment.h"
#include "handle.h"
#include "protect.h"
#include "rule.h"
#include "stream.h"

DEFINE_MUTEX(ipsp_compartment_mutex);	/* protects the list, rules, minors */
static LIST_HEAD(compartment_list);
static struct workqueue_struct *compartment_wq;
static struct compartment *compartment_minor[IPSP_COMPARTMENTS_MAX + 1];

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

static void config_defaults(struct ipsp_compartment *c)
{
	c->owner_mode = c->owner_mode ?: 0600;
	c->stacks = c->stacks ?: 1;
	c->deadline_ms = c->deadline_ms ?: 100;
	c->successor_ms = c->successor_ms ?: 1000;
	c->down_size = c->down_size ?: IPSP_RING_DEFAULT;
	c->up_size = c->up_size ?: IPSP_RING_DEFAULT;
	c->handles_max = c->handles_max ?: 1024;
	c->flows_max = c->flows_max ?: 8192;
}

static bool config_ring_ok(u32 size)
{
	return is_power_of_2(size) && size >= IPSP_RING_MIN && size <= IPSP_RING_MAX;
}

static int config_check(const struct ipsp_compartment *c)
{
	if (c->flags || memchr_inv(c->reserved, 0, sizeof(c->reserved)) || c->index ||
	    c->stacks_attached || c->manager_attached || c->generation || c->handles)
		return -EINVAL;
	if (!config_name_ok(c->name) || (c->owner_mode & ~0777) ||
	    c->stacks > IPSP_STACKS_MAX || c->mode > IPSP_MODE_SAMPLE ||
	    c->quorum > IPSP_STACKS_MAX || c->fail > IPSP_FAIL_OPEN)
		return -EINVAL;
	if (c->deadline_ms > 60000 || c->successor_ms > 60000 || c->handles_max > 65536 ||
	    c->flows_max > 1048576 || (c->mark & ~c->mark_mask) ||
	    !config_ring_ok(c->down_size) || !config_ring_ok(c->up_size))
		return -EINVAL;
	if (c->stacks > 1 || c->quorum > 1 || c->mode != IPSP_MODE_SHARE)
		return -EOPNOTSUPP;
	return 0;
}

/* ---- life ------------------------------------------------------------------------ */

static void compartment_free_rcu(struct rcu_head *head)
{
	kfree(container_of(head, struct compartment, rcu));
	ipsp_stats_freed();
}

static void compartment_end_work(struct work_struct *work)
{
	struct compartment *c = container_of(work, struct compartment, end);

	ipsp_deal_compartment_exit(c);
	ipsp_flow_table_exit(c);
	ipsp_protect_compartment_exit(c);
	xa_destroy(&c->handles);
	ipsp_stats_compartment_exit(c);
	call_rcu(&c->rcu, compartment_free_rcu);
}

/* Any context: the end may sleep, so it runs in a work. */
void ipsp_compartment_put(struct compartment *c)
{
	if (refcount_dec_and_test(&c->ref))
		queue_work(compartment_wq, &c->end);
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
	INIT_WORK(&c->end, compartment_end_work);
	ipsp_port_mailbox_init(&c->mailbox);
	if (ipsp_stats_compartment_init(c))
		goto err_free;
	if (ipsp_flow_table_init(c))
		goto err_stats;
	if (ipsp_deal_compartment_init(c))
		goto err_flow;
	ipsp_stats_made();
	return c;
err_flow:
	ipsp_flow_table_exit(c);
err_stats:
	ipsp_stats_compartment_exit(c);
err_free:
	kfree(c);
	return NULL;
}

/*
 * Takes the compartment out of the world. Who may still hold it after this, and why not
 * for ever:
 *   rules            none name it (DEL), or they have gone before (the namespace's end);
 *   packets in hooks found it by a rule, which held it for an RCU grace period longer
 *                    than any reader; what they capture is refused: gone;
 *   stacks           broken, their works flushed; the struct ends with its file;
 *   tickets          dropped and released by ipsp_deal_compartment_end;
 *   flows            flushed; the last waiting packet or ticket puts them;
 *   handles          unlinked; diverted dsts, tickets and flows put them, and a work that
 *                    the namespace's end waits for puts us;
 *   open files       their calls fail: gone; their release puts us;
 *   the manager's and admins' sleep   woken by ipsp_port_forget.
 */
static void compartment_end(struct compartment *c)
{
	lockdep_assert_held(&ipsp_compartment_mutex);
	list_del(&c->list);
	compartment_minor[c->minor] = NULL;
	ipsp_port_destroy(c);
	mutex_lock(&c->admin);
	spin_lock_bh(&c->lock);
	c->gone = true;
	spin_unlock_bh(&c->lock);
	ipsp_deal_compartment_end(c);
	ipsp_handle_compartment_exit(c);
	ipsp_flow_flush(c);
	ipsp_port_forget(c);
	mutex_unlock(&c->admin);
	ipsp_compartment_put(c);
}

static int compartment_free_minor(void)
{
	int i;

	for (i = 1; i <= IPSP_COMPARTMENTS_MAX; i++)
		if (!compartment_minor[i])
			return i;
	return -ENOSPC;
}

static struct compartment *compartment_lookup(const char *name)
{
	struct compartment *c;

	lockdep_assert_held(&ipsp_compartment_mutex);
	list_for_each_entry(c, &compartment_list, list)
		if (!strncmp(c->config.name, name, IPSP_NAME_MAX))
			return c;
	return NULL;
}

static int compartment_enter(struct compartment *c)
{
	int err;

	lockdep_assert_held(&ipsp_compartment_mutex);
	if (compartment_lookup(c->config.name))
		return -EEXIST;
	c->minor = compartment_free_minor();
	if (c->minor < 0)
		return c->minor;
	compartment_minor[c->minor] = c;
	err = ipsp_port_create(c);
	if (err) {
		compartment_minor[c->minor] = NULL;
		return err;
	}
	list_add_tail(&c->list, &compartment_list);
	return 0;
}

/* ---- the control device's calls -------------------------------------------------- */

int ipsp_compartment_add(struct net *net, const struct ipsp_compartment *given)
{
	struct ipsp_compartment config = *given;
	struct compartment *c;
	int err;

	config_defaults(&config);
	err = config_check(&config);
	if (err)
		return err;
	c = compartment_new(net, &config);
	if (!c)
		return -ENOMEM;
	mutex_lock(&ipsp_compartment_mutex);
	err = compartment_enter(c);
	mutex_unlock(&ipsp_compartment_mutex);
	if (err)
		ipsp_compartment_put(c);
	return err;
}

static struct compartment *compartment_of(struct net *net, const char *name)
{
	struct compartment *c = compartment_lookup(name);

	return c && net_eq(c->net, net) ? c : NULL;
}

int ipsp_compartment_del(struct net *net, const char *name)
{
	struct compartment *c;
	int err = 0;

	mutex_lock(&ipsp_compartment_mutex);
	c = compartment_of(net, name);
	if (!c)
		err = -ENOENT;
	else if (atomic_read(&c->rules))
		err = -EBUSY;
	else
		compartment_end(c);
	mutex_unlock(&ipsp_compartment_mutex);
	if (!err)
		rcu_barrier();		/* the dsts that it diverted hold the module until then */
	return err;
}

static bool change_leaves(u32 now, u32 given)
{
	return !given || given == now;
}

/* What SET may not change must be as it was, or 0. */
static bool change_is_allowed(const struct ipsp_compartment *now,
			      const struct ipsp_compartment *given)
{
	return !given->flags && !memchr_inv(given->reserved, 0, sizeof(given->reserved)) &&
	       change_leaves(now->owner_uid, given->owner_uid) &&
	       change_leaves(now->owner_gid, given->owner_gid) &&
	       change_leaves(now->owner_mode, given->owner_mode) &&
	       change_leaves(now->stacks, given->stacks) &&
	       change_leaves(now->mode, given->mode) &&
	       change_leaves(now->quorum, given->quorum) &&
	       change_leaves(now->down_size, given->down_size) &&
	       change_leaves(now->up_size, given->up_size) &&
	       change_leaves(now->handles_max, given->handles_max) &&
	       change_leaves(now->flows_max, given->flows_max);
}

static void change_apply(struct ipsp_compartment *now, const struct ipsp_compartment *given)
{
	now->fail = given->fail;
	now->deadline_ms = given->deadline_ms ?: now->deadline_ms;
	now->successor_ms = given->successor_ms ?: now->successor_ms;
	now->mark = given->mark;
	now->mark_mask = given->mark_mask;
}

static int compartment_change(struct compartment *c, const struct ipsp_compartment *given)
{
	struct ipsp_compartment next;
	int err;

	mutex_lock(&c->admin);
	next = c->config;
	next.handles = 0;		/* counted there; no part of what is given */
	change_apply(&next, given);
	err = change_is_allowed(&next, given) ? config_check(&next) : -EINVAL;
	if (!err)
		change_apply(&c->config, given);
	mutex_unlock(&c->admin);
	return err;
}

int ipsp_compartment_set(struct net *net, const struct ipsp_compartment *given)
{
	struct compartment *c;
	int err;

	if (!config_name_ok(given->name))
		return -EINVAL;
	mutex_lock(&ipsp_compartment_mutex);
	c = compartment_of(net, given->name);
	err = c ? compartment_change(c, given) : -ENOENT;
	mutex_unlock(&ipsp_compartment_mutex);
	return err;
}

static struct compartment *compartment_nth(struct net *net, s32 index)
{
	struct compartment *c;

	list_for_each_entry(c, &compartment_list, list)
		if (net_eq(c->net, net) && !index--)
			return c;
	return NULL;
}

static void compartment_fill(struct compartment *c, struct ipsp_compartment *out)
{
	u32 i;

	mutex_lock(&c->admin);
	*out = c->config;
	out->generation = c->generation;
	out->manager_attached = !!c->mailbox.manager;
	for (i = 0; i < c->config.stacks; i++)
		if (c->stack[i] && c->stack[i]->state == STACK_READY)
			out->stacks_attached++;
	mutex_unlock(&c->admin);
}

int ipsp_compartment_get_info(struct net *net, struct ipsp_compartment *config)
{
	struct compartment *c;

	if (config->index < 0 || strnlen(config->name, IPSP_NAME_MAX) == IPSP_NAME_MAX ||
	    config->flags || memchr_inv(config->reserved, 0, sizeof(config->reserved)))
		return -EINVAL;
	mutex_lock(&ipsp_compartment_mutex);
	c = config->name[0] ? compartment_of(net, config->name) :
			      compartment_nth(net, config->index);
	if (c)
		compartment_fill(c, config);
	mutex_unlock(&ipsp_compartment_mutex);
	return c ? 0 : -ENOENT;
}

/* ---- for the other rooms --------------------------------------------------------- */

/* Under the mutex, as rules are set. */
struct compartment *ipsp_compartment_find(struct net *net, const char *name)
{
	struct compartment *c = compartment_of(net, name);

	if (c)
		ipsp_compartment_hold(c);
	return c;
}

struct compartment *ipsp_compartment_by_minor(int minor)
{
	struct compartment *c = NULL;

	mutex_lock(&ipsp_compartment_mutex);
	if (minor > 0 && minor <= IPSP_COMPARTMENTS_MAX)
		c = compartment_minor[minor];
	if (c)
		ipsp_compartment_hold(c);
	mutex_unlock(&ipsp_compartment_mutex);
	return c;
}

void ipsp_compartment_net_exit(struct net *net)
{
	struct compartment *c, *next;

	mutex_lock(&ipsp_compartment_mutex);
	list_for_each_entry_safe(c, next, &compartment_list, list)
		if (net_eq(c->net, net))
			compartment_end(c);
	mutex_unlock(&ipsp_compartment_mutex);
}

/* RTNL is held and comes before our mutex: nothing under the mutex takes RTNL. */
void ipsp_compartment_device_gone(struct net_device *dev)
{
	struct compartment *c;

	mutex_lock(&ipsp_compartment_mutex);
	list_for_each_entry(c, &compartment_list, list)
		if (net_eq(c->net, dev_net(dev)))
			ipsp_flow_flush(c);
	mutex_unlock(&ipsp_compartment_mutex);
}

int ipsp_compartment_init(void)
{
	compartment_wq = alloc_workqueue("ipsp_compartment", 0, 0);
	return compartment_wq ? 0 : -ENOMEM;
}

/* Namespaces have ended theirs; works and RCU callbacks of the last ones are waited for. */
void ipsp_compartment_exit(void)
{
	WARN_ON(!list_empty(&compartment_list));
	rcu_barrier();
	destroy_workqueue(compartment_wq);
	rcu_barrier();
}
