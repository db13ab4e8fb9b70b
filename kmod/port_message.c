// SPDX-License-Identifier: GPL-2.0
/* port_message.c - GETMSG and PUTMSG of managers and admins: requests and replies */
#include <linux/cred.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "compartment.h"
#include "ipsec_port_ring.h"
#include "mailbox.h"

/* The fixed part of a request or reply fits in this, whatever stands behind. */
#define MESSAGE_HEAD	256

/* ---- get ------------------------------------------------------------------------- */

wait_queue_head_t *ipsp_port_message_wait(struct port_file *p)
{
	return p->role == IPSP_ROLE_MANAGER ? &p->c->mailbox.wait : &p->wait;
}

bool ipsp_port_message_is_there(struct port_file *p)
{
	struct list_head *list = p->role == IPSP_ROLE_MANAGER ? &p->c->mailbox.events :
								 &p->replies;

	return !list_empty_careful(list) || READ_ONCE(p->forsaken) || READ_ONCE(p->c->gone);
}

static struct message *message_wait(struct port_file *p, struct ipsp_message *out, bool nonblock)
{
	struct message *msg;

	while (!READ_ONCE(p->c->gone)) {
		msg = ipsp_mailbox_take(p, out->band, &out->size);
		if (msg)
			return msg;
		if (READ_ONCE(p->forsaken))
			break;
		if (nonblock)
			return ERR_PTR(-EAGAIN);
		if (wait_event_interruptible(*ipsp_port_message_wait(p),
					     ipsp_port_message_is_there(p)))
			return ERR_PTR(-ERESTARTSYS);
	}
	return ERR_PTR(-EPIPE);
}

long ipsp_port_message_get(struct port_file *p, struct ipsp_message *out, bool nonblock)
{
	struct message *msg = message_wait(p, out, nonblock);

	if (IS_ERR(msg))
		return PTR_ERR(msg);
	if (copy_to_user(u64_to_user_ptr(out->record), msg->data, msg->size)) {
		ipsp_mailbox_return(p, msg);
		return -EFAULT;
	}
	out->size = msg->size;
	ipsp_mailbox_free(msg);
	return 0;
}

/* ---- put ------------------------------------------------------------------------- */

static struct ipsp_admin *message_admin(struct message *msg)
{
	return (struct ipsp_admin *)(ipsp_mailbox_record(msg) + 1);
}

static bool message_is_sane(struct message *msg, u16 type)
{
	const struct ipsp_record *rec = ipsp_mailbox_record(msg);
	const struct ipsp_admin *a = message_admin(msg);

	if (!ipsp_record_is_sane(rec, msg->size) || rec->len != msg->size || rec->type != type ||
	    rec->control_len != sizeof(*a) || (rec->flags & ~IPSP_RECF_SECRET) ||
	    rec->generation || rec->ticket || rec->band > IPSP_BAND_URGENT ||
	    memchr_inv(rec->reserved8, 0, sizeof(rec->reserved8)) ||
	    memchr_inv(rec->reserved, 0, sizeof(rec->reserved)))
		return false;
	return !(a->flags & ~IPSP_ADMINF_ALL) && !memchr_inv(a->reserved, 0, sizeof(a->reserved));
}

/* Copied once to private memory, then checked. */
static struct message *message_from_user(const struct ipsp_message *in, u16 type)
{
	struct message *msg;
	int err = -EINVAL;

	if (in->size < sizeof(struct ipsp_record) + sizeof(struct ipsp_admin) ||
	    in->size > IPSP_ADMIN_MAX + MESSAGE_HEAD)
		return ERR_PTR(-EINVAL);
	msg = ipsp_mailbox_message(in->size, GFP_KERNEL_ACCOUNT);
	if (!msg)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(msg->data, u64_to_user_ptr(in->record), in->size))
		err = -EFAULT;
	else if (message_is_sane(msg, type))
		return msg;
	ipsp_mailbox_free(msg);
	return ERR_PTR(err);
}

/* One at a time, so that a reply needs no other name than its admin. */
static int message_add_request(struct port_file *p, struct message *msg)
{
	struct mailbox *m = &p->c->mailbox;
	int err = -EBUSY;

	spin_lock_bh(&m->lock);
	if (READ_ONCE(p->c->gone)) {
		err = -EPIPE;
	} else if (!p->request && list_empty(&p->replies)) {
		message_admin(msg)->id = m->next_id + 1;
		err = ipsp_mailbox_add(m, msg);
	}
	if (!err) {
		p->request = ++m->next_id;
		p->forsaken = false;
	}
	spin_unlock_bh(&m->lock);
	return err;
}

static bool message_has_room(struct port_file *p)
{
	struct mailbox *m = &p->c->mailbox;

	return ipsp_mailbox_has_room(m) || !READ_ONCE(m->manager) || READ_ONCE(p->c->gone);
}

/* Stamped with who asks; the manager judges by that. */
static long message_request(struct port_file *p, const struct ipsp_message *in, bool nonblock)
{
	struct message *msg = message_from_user(in, IPSP_REC_ADMIN_REQUEST);
	struct ipsp_admin *a;
	int err;

	if (IS_ERR(msg))
		return PTR_ERR(msg);
	msg->request = true;
	a = message_admin(msg);
	a->uid = from_kuid_munged(&init_user_ns, current_uid());
	a->gid = from_kgid_munged(&init_user_ns, current_gid());
	a->pid = task_tgid_nr(current);
	a->status = 0;
	while ((err = message_add_request(p, msg)) == -EAGAIN && !nonblock) {
		err = wait_event_interruptible(p->c->mailbox.room, message_has_room(p));
		if (err)
			break;
	}
	if (err)
		ipsp_mailbox_free(msg);
	return err;
}

/* To the admin whose request has that id, if it is still there. */
static long message_reply(struct port_file *p, const struct ipsp_message *in)
{
	struct message *msg = message_from_user(in, IPSP_REC_ADMIN_REPLY);
	struct mailbox *m = &p->c->mailbox;
	struct port_file *admin;
	long err = -ENOENT;

	if (IS_ERR(msg))
		return PTR_ERR(msg);
	spin_lock_bh(&m->lock);
	list_for_each_entry(admin, &m->admins, list) {
		if (!admin->request || admin->request != message_admin(msg)->id)
			continue;
		admin->request = 0;
		list_add_tail(&msg->list, &admin->replies);
		wake_up_interruptible_poll(&admin->wait, EPOLLIN | EPOLLOUT);
		err = 0;
		break;
	}
	spin_unlock_bh(&m->lock);
	if (err)
		ipsp_mailbox_free(msg);
	return err;
}

long ipsp_port_message_put(struct port_file *p, const struct ipsp_message *in, bool nonblock)
{
	return p->role == IPSP_ROLE_ADMIN ? message_request(p, in, nonblock) :
					    message_reply(p, in);
}
