/* SPDX-License-Identifier: GPL-2.0 */
/* compartment.h - a named unit of isolation: one port, its stacks, handles, flows */
#ifndef IPSP_COMPARTMENT_H
#define IPSP_COMPARTMENT_H

#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/siphash.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include "ipsec_port.h"
#include "flow.h"
#include "deal.h"
#include "hold.h"
#include "mailbox.h"
#include "stats.h"

struct protect_list;
struct stack;

/*
 * Lifetime: one reference for the list (until COMPARTMENT_DEL or the namespace
 * goes), one for each open port file, rule, handle and flow. `gone` is set before the
 * list's reference is dropped: from then on nothing is captured, dealt or attached.
 *
 * Locks, outermost first: ipsp_compartment_mutex, admin, lock, holds, fifo/flow/counter
 * spinlocks. `lock` and all inside it are taken with bottom halves off.
 */
struct compartment {
	refcount_t ref;
	struct net *net;		/* not held: the namespace's pre_exit ends us */
	bool gone;			/* written under admin and lock */
	u32 minor;
	struct device *device;
	struct ipsp_compartment config;	/* defaults filled in; SET writes under admin and lock */
	atomic_t rules;			/* rules that name us: DEL is EBUSY */
	atomic_t files;			/* open ports, until they hold the module no more */

	struct mutex admin;		/* protects: attach/detach, config, handles, policy */
	spinlock_t lock;		/* protects: fifo[], the down rings, stack[], generation,
					 * sharing, poison
					 */
	struct stack *stack[IPSP_STACKS_MAX];	/* written under admin and lock */
	u16 sharing;			/* who is dealt to, by index; written under lock */
	bool merging;			/* they vote, and all who share merge; written under lock */
	u32 burst;			/* counts deal_runs; written under lock */
	siphash_key_t chance;		/* which of them are voted on, in mode SAMPLE */
	u32 relief;			/* 1: a stack more than config says; under admin and lock */
	struct fifo fifo[2];		/* IPSP_DIR_OUT, IPSP_DIR_IN */
	unsigned long *numbers;		/* of inbound tickets: bits, see ipsp_counter_check */
	u32 generation;			/* of the policy; written under lock */
	u64 ended;			/* what was asked before this ticket may be answered with
					 * an SA that has ended; written under lock
					 */
	bool degraded;			/* fewer share than `quorum`, and it was told; under lock */
	u64 stackless_since;		/* ns; since when too few share; 0: enough; under lock */
	struct protect_list __rcu *protect;	/* written under admin */
	struct flow_table flows;
	struct holds holds;
	struct xarray handles;		/* id -> struct handle, written under admin */
	u32 handle_next;		/* ids go round, so that none is soon used again */
	struct mailbox mailbox;		/* manager and admins */
	struct list_head poison;	/* what was kept, the oldest first; under lock */
	u32 poisons;			/* so many; under lock */
	struct list_head dissent;	/* likewise */
	u32 dissents;			/* likewise */
	struct file *stored;		/* STORE; protected by admin */
	struct counts __percpu *counts;
	struct delayed_work watchdog;	/* deadlines, see watchdog.c */
	struct tasklet_struct dealer;	/* where stacks merge what they vote on, see deal.c */
	struct rcu_work end;		/* the last reference went */
};

extern struct mutex ipsp_compartment_mutex;	/* protects the compartments by minor, rules */

int ipsp_compartment_init(void);
void ipsp_compartment_exit(void);

/* The control device's calls, under the mutex. */
int ipsp_compartment_add(struct net *net, void *arg);	/* struct ipsp_compartment */
int ipsp_compartment_del(struct net *net, void *arg);	/* struct ipsp_name */
int ipsp_compartment_set(struct net *net, void *arg);
int ipsp_compartment_get(struct net *net, void *arg);

/* NULL or one. By name within net, under the mutex; by device minor, referenced. */
struct compartment *ipsp_compartment_find(struct net *net, const char *name);
struct compartment *ipsp_compartment_by_minor(u32 minor);
void ipsp_compartment_put(struct compartment *c);
static inline void ipsp_compartment_hold(struct compartment *c)
{
	refcount_inc(&c->ref);
}

/* The namespace goes: all its compartments end; pending packets are dropped `gone`. */
void ipsp_compartment_net_exit(struct net *net);
/* A device goes: flows of all compartments of its namespace, and what waits on its account. */
void ipsp_compartment_device_gone(struct net_device *dev);

#endif
