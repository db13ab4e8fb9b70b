/* SPDX-License-Identifier: GPL-2.0 */
/* compartment.h - a named unit of isolation: one port, its stacks, handles, flows */
#ifndef IPSP_COMPARTMENT_H
#define IPSP_COMPARTMENT_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include "ipsec_port.h"
#include "flow.h"
#include "deal.h"
#include "port.h"
#include "stats.h"

struct protect_list;
struct stack;

/*
 * Lifetime: one reference for the list (until COMPARTMENT_DEL or the namespace
 * goes), one for each open port file, rule, handle and flow. `gone` is set before the
 * list's reference is dropped: from then on nothing is captured, dealt or attached.
 *
 * Locks, outermost first: ipsp_compartment_mutex, admin, lock, fifo/flow/counter
 * spinlocks. `lock` and all inside it are taken with bottom halves off.
 */
struct compartment {
	struct list_head list;		/* protected by ipsp_compartment_mutex */
	refcount_t ref;
	struct rcu_head rcu;
	struct net *net;		/* not held: the namespace's pre_exit ends us */
	bool gone;			/* written under admin and lock */
	int minor;
	struct device *device;
	struct ipsp_compartment config;	/* defaults filled in; SET writes under admin */
	atomic_t rules;			/* rules that name us: DEL is EBUSY */
	atomic_t files;			/* open ports, until they hold the module no more */

	struct mutex admin;		/* protects: attach/detach, config, handles, policy */
	spinlock_t lock;		/* protects: fifo[], the down rings, stack[], generation */
	struct stack *stack[IPSP_STACKS_MAX];	/* written under admin and lock */
	struct fifo fifo[2];		/* IPSP_DIR_OUT, IPSP_DIR_IN */
	u32 generation;			/* of the policy; written under lock */
	bool had_stack;			/* one was READY before: pending may wait for a successor */
	u64 stackless_since;		/* ns; when the last one went; 0 = one is there */
	struct protect_list __rcu *protect;	/* written under admin */
	struct flow_table flows;
	struct xarray handles;		/* id -> struct handle, written under admin */
	u32 handle_next;		/* ids go round, so that none is soon used again */
	struct mailbox mailbox;		/* manager and admins */
	struct file *stored;		/* STORE; protected by admin */
	struct counts __percpu *counts;
	struct delayed_work watchdog;	/* deadlines, see watchdog.c */
	struct work_struct end;		/* the last reference went */
};

extern struct mutex ipsp_compartment_mutex;	/* protects the list, rules, minors */

int ipsp_compartment_init(void);
void ipsp_compartment_exit(void);

/* Both in: checked for range here; add returns 0 or -errno and takes defaults. */
int ipsp_compartment_add(struct net *net, const struct ipsp_compartment *config);
int ipsp_compartment_del(struct net *net, const char *name);
int ipsp_compartment_set(struct net *net, const struct ipsp_compartment *config);
int ipsp_compartment_get_info(struct net *net, struct ipsp_compartment *config);

/* NULL or a referenced one. The first by name within net, the second by device minor. */
struct compartment *ipsp_compartment_find(struct net *net, const char *name);
struct compartment *ipsp_compartment_by_minor(int minor);
void ipsp_compartment_put(struct compartment *c);
static inline void ipsp_compartment_hold(struct compartment *c)
{
	refcount_inc(&c->ref);
}

/* The namespace goes: all its compartments end; pending packets are dropped `gone`. */
void ipsp_compartment_net_exit(struct net *net);
/* A device goes: flows of all compartments of its namespace are flushed. */
void ipsp_compartment_device_gone(struct net_device *dev);

#endif
