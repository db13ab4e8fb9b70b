// SPDX-License-Identifier: GPL-2.0
/*
 * mailbox.c - what the manager has to read, and the way of an admin's request and reply
 *
 * Messages are whole records in kernel memory. Requests may carry keys, so each one is
 * zeroed when it is let go. Bounded: events that do not fit are counted and told about.
 */
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "compartment.h"
#include "mailbox.h"

#define MAILBOX_MAX 256			/* messages that wait for the manager */

struct message *ipsp_mailbox_message(u32 size, gfp_t gfp)
{
	struct message *m = kvzalloc(sizeof(*m) + size, gfp);

	if (!m)
		return NULL;
	m->size = size;
	ipsp_stats_made();
	return m;
}

void ipsp_mailbox_free(struct message *m)
{
	memzero_explicit(m->data, m->size);
	kvfree(m);
	ipsp_stats_freed();
}

void ipsp_mailbox_purge(struct list_head *list)
{
	struct message *m, *next;

	list_for_each_entry_safe(m, next, list, list) {
		list_del(&m->list);
		ipsp_mailbox_free(m);
	}
}

void ipsp_port_mailbox_init(struct mailbox *m)
{
	spin_lock_init(&m->lock);
	INIT_LIST_HEAD(&m->events);
	INIT_LIST_HEAD(&m->admins);
	init_waitqueue_head(&m->wait);
}

void ipsp_port_mailbox_purge(struct mailbox *m)
{
	LIST_HEAD(gone);

	spin_lock_bh(&m->lock);
	list_splice_init(&m->events, &gone);
	m->queued = 0;
	spin_unlock_bh(&m->lock);
	ipsp_mailbox_purge(&gone);
}

/* Takes the message over. */
bool ipsp_mailbox_put(struct mailbox *m, struct message *msg)
{
	bool ok;

	spin_lock_bh(&m->lock);
	ok = m->manager && m->queued < MAILBOX_MAX;
	if (ok) {
		list_add_tail(&msg->list, &m->events);
		m->queued++;
	} else if (m->manager) {
		m->lost++;
	}
	spin_unlock_bh(&m->lock);
	if (ok)
		wake_up_interruptible(&m->wait);
	else
		ipsp_mailbox_free(msg);
	return ok;
}

static void event_fill(struct message *msg, const struct ipsp_event *event)
{
	struct ipsp_record *rec = (struct ipsp_record *)msg->data;

	rec->len = msg->size;
	rec->type = IPSP_REC_EVENT;
	rec->control_len = sizeof(*event);
	rec->data_offset = msg->size;
	rec->band = IPSP_BAND_CONTROL;
	memcpy(rec + 1, event, sizeof(*event));
}

static void mailbox_event(struct compartment *c, const struct ipsp_event *event)
{
	u32 size = ALIGN(sizeof(struct ipsp_record) + sizeof(*event), IPSP_ALIGN);
	struct message *msg = ipsp_mailbox_message(size, GFP_ATOMIC);

	if (!msg)
		return;
	event_fill(msg, event);
	ipsp_mailbox_put(&c->mailbox, msg);
}

void ipsp_port_event(struct compartment *c, u32 event, u32 cause, u32 stack, s32 pid,
		     u64 count)
{
	struct ipsp_event e = {
		.event = event, .cause = cause, .stack = stack, .pid = pid, .count = count,
		.time = ktime_get_real_ns(),
	};
	u32 lost = xchg(&c->mailbox.lost, 0);

	if (lost) {
		struct ipsp_event l = { .event = IPSP_EVENT_LOST, .count = lost, .time = e.time };

		mailbox_event(c, &l);
	}
	mailbox_event(c, &e);
}

void ipsp_port_control_room(struct compartment *c)
{
	wake_up_interruptible_poll(&c->mailbox.wait, EPOLLOUT);
}
