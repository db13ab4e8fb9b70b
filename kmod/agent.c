// SPDX-License-Identifier: GPL-2.0
/* agent.c - the keying agent's file of a relay: it reads requests and writes answers */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xfrm.h>
#include <net/net_namespace.h>
#include "relay.h"

/* ---- the agent reads --------------------------------------------------------------- */

/* The next request, of the sender whose turn it is. */
static struct request *agent_next(struct relay *r)
{
	struct request *q;
	struct sender *s;

	lockdep_assert_held(&r->lock);
	list_for_each_entry(s, &r->senders, list) {
		q = list_first_entry_or_null(&s->queue, struct request, list);
		if (!q)
			continue;
		list_move_tail(&s->list, &r->senders);
		return q;
	}
	return NULL;
}

static void agent_describe(const struct request *q, struct ipsp_xfrm *x)
{
	memset(x, 0, sizeof(*x));
	x->len = sizeof(*x) + q->size;
	x->type = q->is_dump ? IPSP_XFRM_DUMP : IPSP_XFRM_REQUEST;
	x->id = q->id;
	x->portid = q->sender->portid;
	x->cursor[0] = q->part.cursor[0];
	x->cursor[1] = q->part.cursor[1];
	x->room = q->part.room;
}

/* *data is the caller's: NULL, none. */
static int agent_take(struct relay *r, size_t size, struct ipsp_xfrm *x, u8 **data)
{
	struct request *q;
	int err = 0;

	*data = NULL;
	spin_lock_bh(&r->lock);
	q = agent_next(r);
	if (r->is_off)
		err = -EPIPE;
	else if (q && sizeof(*x) + q->size > size)
		err = -EMSGSIZE;
	if (q && !err) {
		agent_describe(q, x);
		list_del_init(&q->list);
		*data = q->data;
		q->data = NULL;
		q->size = 0;
	}
	spin_unlock_bh(&r->lock);
	return err;
}

static bool agent_readable(struct relay *r)
{
	bool readable = false;
	struct sender *s;

	spin_lock_bh(&r->lock);
	list_for_each_entry(s, &r->senders, list)
		readable |= !list_empty(&s->queue);
	readable |= r->is_off;
	spin_unlock_bh(&r->lock);
	return readable;
}

/* Its reader could not take it: it is the first again. Data that are nobody's are the caller's. */
static u8 *agent_return(struct relay *r, u64 id, u8 *data, u32 size)
{
	struct request *q;

	spin_lock_bh(&r->lock);
	q = xa_load(&r->out, id);
	if (q && !q->data && !q->is_over && list_empty(&q->list)) {
		swap(q->data, data);
		q->size = size;
		list_add(&q->list, &q->sender->queue);
	}
	spin_unlock_bh(&r->lock);
	return data;
}

/* The head last: who died over it finds none, or a whole message. */
static bool agent_copy(char __user *user, const struct ipsp_xfrm *x, const u8 *data)
{
	return !copy_to_user(user + sizeof(*x), data, x->len - sizeof(*x)) &&
	       !copy_to_user(user, x, sizeof(*x));
}

static ssize_t agent_read(struct file *file, char __user *user, size_t size, loff_t *at)
{
	struct relay *r = file->private_data;
	struct ipsp_xfrm x;
	u32 bytes;
	u8 *data;
	int err;

	for (;;) {
		err = agent_take(r, size, &x, &data);
		if (err || data)
			break;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(r->wait, agent_readable(r)))
			return -ERESTARTSYS;
	}
	if (err)
		return err;
	bytes = x.len - sizeof(x);
	if (!agent_copy(user, &x, data)) {
		err = -EFAULT;
		data = agent_return(r, x.id, data, bytes);
	}
	if (data)
		memzero_explicit(data, bytes);
	kvfree(data);
	return err ?: (int)x.len;	/* signed, as err is */
}

/* ---- the agent writes -------------------------------------------------------------- */

/* Without memory for the answer nothing is done: the agent may say it again, or time ends it. */
static int agent_answer(struct relay *r, const struct ipsp_xfrm *x, u8 *data, u32 size)
{
	struct sk_buff *skb = size ? ipsp_relay_skb(data, size) : NULL;
	struct request *q;
	u32 portid = 0;

	if (size && !skb)
		return -ENOBUFS;
	spin_lock_bh(&r->lock);
	q = x->id <= U32_MAX ? xa_load(&r->out, x->id) : NULL;
	if (q && (q->is_dump || q->data))
		q = NULL;		/* another kind, or not read yet */
	if (q && !q->sender->is_gone)
		portid = q->sender->portid;
	if (q && (x->flags & IPSP_XFRMF_DONE))
		ipsp_relay_unlink(r, q);
	spin_unlock_bh(&r->lock);
	if (skb && portid)
		ipsp_relay_unicast(r, portid, skb);
	else
		kfree_skb(skb);
	if (q && (x->flags & IPSP_XFRMF_DONE))
		ipsp_relay_free(q);
	return q ? 0 : -ENOENT;
}

/* The buffer goes to the dump that waits. */
static int agent_part(struct relay *r, const struct ipsp_xfrm *x, u8 **data, u32 size)
{
	struct request *q;
	int err = -ENOENT;

	spin_lock_bh(&r->lock);
	q = x->id <= U32_MAX ? xa_load(&r->out, x->id) : NULL;
	if (q && q->is_dump && !q->is_over && !q->data) {
		err = size > q->part.room ? -EMSGSIZE : 0;
		if (!err) {
			q->part = *x;
			swap(q->data, *data);
			q->size = size;
			WRITE_ONCE(q->is_over, true);
			wake_up_all(&r->wait);
		}
	}
	spin_unlock_bh(&r->lock);
	return err;
}

static int agent_take_write(struct relay *r, const struct ipsp_xfrm *x, u8 **data, u32 size)
{
	lockdep_assert_held(&r->sending);
	if (!r->nlsk)
		return -EPIPE;
	if (x->type == IPSP_XFRM_ANSWER && !x->error)
		return agent_answer(r, x, *data, size);
	if (x->type == IPSP_XFRM_PART && x->error <= 0 && x->error >= -MAX_ERRNO)
		return agent_part(r, x, data, size);
	if (x->type == IPSP_XFRM_MULTICAST && size && !x->error && x->group &&
	    x->group <= XFRMNLGRP_MAX)
		return ipsp_relay_multicast(r, x->group, *data, size);
	return -EINVAL;
}

static int agent_check(const struct ipsp_xfrm *x, size_t size)
{
	if (x->len != size || (x->flags & ~(IPSP_XFRMF_DONE | IPSP_XFRMF_MORE)) ||
	    memchr_inv(x->reserved, 0, sizeof(x->reserved)))
		return -EINVAL;
	return 0;
}

static ssize_t agent_write(struct file *file, const char __user *user, size_t size, loff_t *at)
{
	struct relay *r = file->private_data;
	u32 bytes = size - sizeof(struct ipsp_xfrm);
	struct ipsp_xfrm x;
	u8 *data;
	int err;

	if (size < sizeof(x) || size > sizeof(x) + IPSP_XFRM_MAX)
		return -EINVAL;
	if (copy_from_user(&x, user, sizeof(x)))
		return -EFAULT;
	err = agent_check(&x, size);
	if (err)
		return err;
	data = kvmalloc(bytes + 1, GFP_KERNEL_ACCOUNT);
	if (!data)
		return -ENOMEM;
	err = copy_from_user(data, user + sizeof(x), bytes) ? -EFAULT : 0;
	if (!err) {
		mutex_lock(&r->sending);
		err = agent_take_write(r, &x, &data, bytes);
		mutex_unlock(&r->sending);
	}
	if (data)
		memzero_explicit(data, bytes);
	kvfree(data);
	return err ?: size;
}

/* ---- the agent's file -------------------------------------------------------------- */

static __poll_t agent_poll(struct file *file, poll_table *wait)
{
	struct relay *r = file->private_data;

	poll_wait(file, &r->wait, wait);
	if (READ_ONCE(r->is_off))
		return EPOLLERR;
	return (agent_readable(r) ? EPOLLIN | EPOLLRDNORM : 0) | EPOLLOUT | EPOLLWRNORM;
}

static int agent_release(struct inode *inode, struct file *file)
{
	bool was_killed = current->flags & PF_SIGNALED;
	struct relay *r = file->private_data;

	mutex_lock(&r->sending);
	spin_lock_bh(&r->lock);
	r->agent = NULL;
	if (was_killed)
		ipsp_relay_await(r);
	spin_unlock_bh(&r->lock);
	if (!was_killed)
		ipsp_relay_end(r, true, -ECONNREFUSED);
	mutex_unlock(&r->sending);
	ipsp_relay_put(r);
	return 0;
}

static const struct file_operations agent_fops = {
	.owner = THIS_MODULE,
	.release = agent_release,
	.read = agent_read,
	.write = agent_write,
	.poll = agent_poll,
	.llseek = noop_llseek,
};

int ipsp_agent_open(struct inode *inode, struct file *file)
{
	const struct file_operations *fops = &agent_fops;
	struct net *net = current->nsproxy->net_ns;
	struct relay *r;
	int err = 0;

	if (!ns_capable(net->user_ns, CAP_NET_ADMIN))
		return -EPERM;
	r = ipsp_relay_of(net);
	if (!r)
		return -ENOTCONN;
	spin_lock_bh(&r->lock);
	if (r->agent || r->is_off)
		err = r->agent ? -EBUSY : -ENOTCONN;
	if (!err) {
		r->agent = file;
		r->is_awaiting = false;
	}
	spin_unlock_bh(&r->lock);
	if (err) {
		ipsp_relay_put(r);
		return err;
	}
	file->private_data = r;
	replace_fops(file, fops_get(fops));
	return 0;
}
