// SPDX-License-Identifier: GPL-2.0
/* compartment.c - the list of compartments: add, del, set, find; their life and end */
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include "compartment.h"
#include "handle.h"
#include "protect.h"
#include "rule.h"
#include "stream.h"

DEFINE_MUTEX(ipsp_compartment_mutex);
static LIST_HEAD(compartment_list);
static struct workqueue_struct *compartment_wq;
static struct compartment *compartment_minor[IPSP_COMPARTMENTS_MAX + 1];

/* ---- configuration -------------------------------------------------------------------------- */

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
	    c->quorum > c->stacks || c->fail > IPSP_FAIL_OPEN)
		return -EINVAL;
	if (c->deadline_ms > 60000 || c->successor_ms > 60000 || c->handles_max > 65536 ||
	    c->flows_max > 1048576 || (c->mark & ~c->mark_mask) ||
	    !config_ring_ok(c->down_size) || !config_ring_ok(c->up_size))
		return -EINVAL;
	if (c->stacks > 1 || c->quorum > 1 || c->mode != IPSP_MODE_SHARE)
		return -EOPNOTSUPP;
	return 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

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
 * Takes the compartment out of the world. Who may still hold it after this: open files
 * (their calls fail: gone), flows and handles until RCU and their works are done.
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

/* ---- the control device's calls ------------------------------------------------------------- */

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
	return err;
}

/* Only what SET may change; the rest must be as it was given, or 0. */
static int compartment_change(struct compartment *c, struct ipsp_compartment *config)
{
	struct ipsp_compartment now = c->config;
	int err;

	now.stacks_attached = now.manager_attached = now.generation = now.handles = 0;
	now.fail = config->fail;
	now.deadline_ms = config->deadline_ms ?: now.deadline_ms;
	now.successor_ms = config->successor_ms ?: now.successor_ms;
	now.mark = config->mark;
	now.mark_mask = config->mark_mask;
	err = config_check(&now);
	if (err)
		return err;
	now.handles = c->config.handles;
	mutex_lock(&c->admin);
	c->config = now;
	mutex_unlock(&c->admin);
	return 0;
}

int ipsp_compartment_set(struct net *net, const struct ipsp_compartment *given)
{
	struct ipsp_compartment config = *given;
	struct compartment *c;
	int err;

	mutex_lock(&ipsp_compartment_mutex);
	c = compartment_of(net, config.name);
	err = c ? compartment_change(c, &config) : -ENOENT;
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

	if (config->index < 0 || strnlen(config->name, IPSP_NAME_MAX) == IPSP_NAME_MAX)
		return -EINVAL;
	mutex_lock(&ipsp_compartment_mutex);
	c = config->name[0] ? compartment_of(net, config->name) :
			      compartment_nth(net, config->index);
	if (c)
		compartment_fill(c, config);
	mutex_unlock(&ipsp_compartment_mutex);
	return c ? 0 : -ENOENT;
}

/* ---- for the other rooms ----------------------------------------------------------------------- */

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
