// SPDX-License-Identifier: GPL-2.0
/*
 * mailbox.c - what the manager has to read, and who waits for which reply
 *
 * Messages are whole records in kernel memory. Requests may carry keys, so each one is
 * zeroed when it is let go. Bounded, events and requests apart, so that admins cannot push
 * out events. Events that do not fit are counted, and told about at their place.
 */
#include <linux/mm_types.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "compartment.h"
#include "mailbox.h"

static const u32 mailbox_max[] = { 256, 64 };	/* events, requests */

struct message *ipsp_mailbox_message(u32 size, gfp_t gfp)
{
	struct message *msg = kvzalloc(sizeof(*msg) + size, gfp);

	if (!msg)
		return NULL;
	msg->size = size;
	ipsp_stats_made();
	return msg;
}

void ipsp_mailbox_free(struct message *msg)
{
	memzero_explicit(msg->data, msg->size);
	kvfree(msg);
	ipsp_stats_freed();
}

static void mailbox_free_list(struct list_head *list)
{
	struct message *msg, *next;

	list_for_each_entry_safe(msg, next, list, list) {
		list_del(&msg->list);
		ipsp_mailbox_free(msg);
	}
}

void ipsp_port_mailbox_init(struct mailbox *m)
{
	spin_lock_init(&m->lock);
	INIT_LIST_HEAD(&m->events);
	INIT_LIST_HEAD(&m->admins);
	init_waitqueue_head(&m->wait);
	init_waitqueue_head(&m->room);
}

/* ---- the queue ------------------------------------------------------------------- */

int ipsp_mailbox_add(struct mailbox *m, struct message *msg)
{
	lockdep_assert_held(&m->lock);
	if (!m->manager)
		return -EPIPE;
	if (m->queued[msg->request] >= mailbox_max[msg->request])
		return -EAGAIN;
	list_add_tail(&msg->list, &m->events);
	m->queued[msg->request]++;
	wake_up_interruptible_poll(&m->wait, EPOLLIN);
	return 0;
}

bool ipsp_mailbox_has_room(struct mailbox *m)
{
	return READ_ONCE(m->queued[true]) < mailbox_max[true];
}

static void mailbox_unlink(struct mailbox *m, struct message *msg)
{
	lockdep_assert_held(&m->lock);
	list_del(&msg->list);
	WRITE_ONCE(m->queued[msg->request], m->queued[msg->request] - 1);
	if (msg->request)
		wake_up_interruptible(&m->room);
}

/* ---- events ---------------------------------------------------------------------- */

static bool event_add(struct mailbox *m, const struct ipsp_event *event)
{
	u32 size = ALIGN(sizeof(struct ipsp_record) + sizeof(*event), IPSP_ALIGN);
	struct message *msg = ipsp_mailbox_message(size, GFP_ATOMIC);
	struct ipsp_record *rec;

	if (!msg)
		return false;
	rec = ipsp_mailbox_record(msg);
	rec->len = size;
	rec->type = IPSP_REC_EVENT;
	rec->control_len = sizeof(*event);
	rec->data_offset = size;
	rec->band = IPSP_BAND_CONTROL;
	memcpy(rec + 1, event, sizeof(*event));
	if (!ipsp_mailbox_add(m, msg))
		return true;
	ipsp_mailbox_free(msg);
	return false;
}

/* Stands in the queue where the lost ones would. */
static void event_tell_lost(struct mailbox *m)
{
	const struct ipsp_event event = {
		.event = IPSP_EVENT_LOST, .count = m->lost, .time = ktime_get_real_ns(),
	};

	lockdep_assert_held(&m->lock);
	if (m->lost && event_add(m, &event))
		m->lost = 0;
}

void ipsp_port_event(struct compartment *c, u32 event, u32 cause, u32 stack, struct pid *pid,
		     u64 count)
{
	struct ipsp_event e = {
		.event = event, .cause = cause, .stack = stack, .count = count,
		.time = ktime_get_real_ns(),
	};
	struct mailbox *m = &c->mailbox;

	spin_lock_bh(&m->lock);
	if (m->manager) {
		e.pid = pid_nr_ns(pid, m->manager->pids);
		event_tell_lost(m);
		if (m->lost || !event_add(m, &e))
			m->lost++;
	}
	spin_unlock_bh(&m->lock);
}

bool ipsp_port_post(struct compartment *c, const struct ipsp_record *rec, u32 size)
{
	struct message *msg = ipsp_mailbox_message(size, GFP_ATOMIC);
	int err;

	if (!msg)
		return false;
	memcpy(msg->data, rec, size);
	spin_lock_bh(&c->mailbox.lock);
	err = ipsp_mailbox_add(&c->mailbox, msg);
	spin_unlock_bh(&c->mailbox.lock);
	if (err)
		ipsp_mailbox_free(msg);
	return !err;
}

void ipsp_port_control_room(struct compartment *c)
{
	wake_up_interruptible_poll(&c->mailbox.wait, EPOLLOUT);
}

/* ---- readers --------------------------------------------------------------------- */

static struct message *mailbox_first(struct port_file *p)
{
	struct list_head *list = p->role == IPSP_ROLE_MANAGER ? &p->c->mailbox.events :
								 &p->replies;

	return list_first_entry_or_null(list, struct message, list);
}

struct message *ipsp_mailbox_take(struct port_file *p, u32 band, u32 *size)
{
	struct mailbox *m = &p->c->mailbox;
	struct message *msg;

	spin_lock_bh(&m->lock);
	msg = mailbox_first(p);
	if (msg && ipsp_mailbox_record(msg)->band < band) {
		msg = ERR_PTR(-EAGAIN);
	} else if (msg && msg->size > *size) {
		*size = msg->size;
		msg = ERR_PTR(-EMSGSIZE);
	} else if (msg && p->role == IPSP_ROLE_MANAGER) {
		mailbox_unlink(m, msg);
		event_tell_lost(m);
	} else if (msg) {
		list_del(&msg->list);
	}
	spin_unlock_bh(&m->lock);
	return msg;
}

/* It could not be delivered: it is the first again. */
void ipsp_mailbox_return(struct port_file *p, struct message *msg)
{
	struct mailbox *m = &p->c->mailbox;

	spin_lock_bh(&m->lock);
	if (p->role == IPSP_ROLE_MANAGER) {
		list_add(&msg->list, &m->events);
		m->queued[msg->request]++;
	} else {
		list_add(&msg->list, &p->replies);
	}
	spin_unlock_bh(&m->lock);
}

/* ---- who is there ---------------------------------------------------------------- */

/* Admins whose request is out learn that nobody replies; nothing unread stays. */
static void mailbox_forsake(struct mailbox *m, struct list_head *gone)
{
	struct port_file *p;

	lockdep_assert_held(&m->lock);
	m->manager = NULL;
	m->lost = 0;
	m->queued[false] = 0;
	m->queued[true] = 0;
	list_splice_init(&m->events, gone);
	list_for_each_entry(p, &m->admins, list) {
		if (!p->request)
			continue;
		p->request = 0;
		p->forsaken = true;
		wake_up_interruptible(&p->wait);
	}
	wake_up_interruptible_all(&m->room);
}

/* A manager whose mm has ended is none, whoever still has its descriptor open. */
int ipsp_mailbox_enter_manager(struct port_file *p)
{
	struct mailbox *m = &p->c->mailbox;
	LIST_HEAD(gone);
	int err = 0;

	lockdep_assert_held(&p->c->admin);
	spin_lock_bh(&m->lock);
	if (m->manager && !atomic_read(&m->manager->mm->mm_users))
		mailbox_forsake(m, &gone);
	if (m->manager)
		err = -EBUSY;
	else
		m->manager = p;
	spin_unlock_bh(&m->lock);
	mailbox_free_list(&gone);
	return err;
}

void ipsp_mailbox_enter_admin(struct port_file *p)
{
	struct mailbox *m = &p->c->mailbox;

	spin_lock_bh(&m->lock);
	list_add(&p->list, &m->admins);
	spin_unlock_bh(&m->lock);
}

/* What an admin asked and nobody has read is not done any more. */
static void mailbox_withdraw(struct mailbox *m, u64 request, struct list_head *gone)
{
	struct message *msg, *next;

	lockdep_assert_held(&m->lock);
	list_for_each_entry_safe(msg, next, &m->events, list) {
		struct ipsp_admin *a = (struct ipsp_admin *)(ipsp_mailbox_record(msg) + 1);

		if (!msg->request || a->id != request)
			continue;
		mailbox_unlink(m, msg);
		list_add(&msg->list, gone);
	}
}

void ipsp_mailbox_leave(struct port_file *p)
{
	struct mailbox *m = &p->c->mailbox;
	LIST_HEAD(gone);

	spin_lock_bh(&m->lock);
	if (m->manager == p)
		mailbox_forsake(m, &gone);
	if (p->request)
		mailbox_withdraw(m, p->request, &gone);
	p->request = 0;
	list_del_init(&p->list);
	list_splice_init(&p->replies, &gone);
	spin_unlock_bh(&m->lock);
	mailbox_free_list(&gone);
}

/* The compartment is gone: whoever sleeps looks again, and finds that. */
void ipsp_port_mailbox_wake(struct mailbox *m)
{
	struct port_file *p;

	spin_lock_bh(&m->lock);
	list_for_each_entry(p, &m->admins, list)
		wake_up_interruptible_all(&p->wait);
	spin_unlock_bh(&m->lock);
	wake_up_interruptible_all(&m->wait);
	wake_up_interruptible_all(&m->room);
}
