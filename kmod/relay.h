/* SPDX-License-Identifier: GPL-2.0 */
/*
 * relay.h - NETLINK_XFRM of a namespace, handed to a keying agent and back, unread
 *
 * The manual is in ipsec_port.h, 7.
 */
#ifndef IPSP_RELAY_H
#define IPSP_RELAY_H

#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include "ipsec_port.h"

struct file;
struct inode;
struct net;
struct sk_buff;
struct sock;

struct request {
	struct list_head list;		/* sender->queue, or a list of those that are over */
	struct sender *sender;
	u32 id;
	bool is_dump;
	bool is_over;			/* dump: its part is there */
	struct nlmsghdr head;
	unsigned long until;		/* jiffies */
	struct ipsp_xfrm part;		/* dump: what is asked, then the answer's */
	u32 size;
	u8 *data;			/* netlink messages: the request's, then the part's */
};

/* One socket with requests out. */
struct sender {
	struct list_head list;		/* relay.senders */
	struct list_head queue;		/* requests that the agent has not read */
	u32 portid;
	u32 count;			/* of its requests, in the queue and out */
	bool is_gone;			/* closed: what it asked is done, and not told */
};

/*
 * Lifetime: one reference for the namespace while the relay is on, one for the agent's
 * file, one for each call that is in it. `sending` is outside `lock`.
 */
struct relay {
	refcount_t ref;
	struct rcu_head rcu;
	struct mutex sending;		/* protects: nlsk; held while anything is sent by it */
	struct sock *nlsk;		/* NULL: off, the namespace may be gone */
	spinlock_t lock;		/* protects: all below, and requests and senders */
	struct file *agent;
	bool is_awaiting;		/* no agent, and a killed one's successor may come */
	unsigned long await_until;	/* jiffies */
	struct list_head senders;	/* the next one to be served first */
	struct xarray out;		/* id -> request, in a queue or read */
	u32 next_id, waiting;
	u64 requests, refused;
	bool is_off;
	wait_queue_head_t wait;		/* agent: requests; senders: room; dumps: their part */
	struct delayed_work watchdog;
};

int ipsp_relay_init(void);
void ipsp_relay_exit(void);

/* The control device's calls, under ipsp_compartment_mutex. */
int ipsp_relay_set(struct net *net, void *arg);	/* struct ipsp_relay */
int ipsp_relay_get(struct net *net, void *arg);
/* The namespace comes, with its relay on where all have it; it goes. */
int ipsp_relay_net_init(struct net *net);
void ipsp_relay_net_exit(struct net *net);

/* NULL, or referenced. */
struct relay *ipsp_relay_of(struct net *net);
void ipsp_relay_put(struct relay *r);	/* NULL is none */
/* Under r->lock: out of all lists, it is its caller's, who frees it. */
void ipsp_relay_unlink(struct relay *r, struct request *q);
void ipsp_relay_free(struct request *q);
/* Under r->lock: requests wait a moment for another agent. */
void ipsp_relay_await(struct relay *r);
/* A copy, to be sent: the last who has it zeroes it. NULL: no memory. */
struct sk_buff *ipsp_relay_skb(const void *data, u32 size);
/* Under r->sending, with r->nlsk. The first takes skb over. */
void ipsp_relay_unicast(struct relay *r, u32 portid, struct sk_buff *skb);
int ipsp_relay_multicast(struct relay *r, u32 group, const void *data, u32 size);
/* Under r->sending: ends all requests, or those that have waited too long, in err. */
void ipsp_relay_end(struct relay *r, bool all, int err);

/* agent.c: a file of /dev/ipsec-port/xfrm; takes over its operations */
int ipsp_agent_open(struct inode *inode, struct file *file);

#endif
