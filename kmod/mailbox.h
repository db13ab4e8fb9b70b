/* SPDX-License-Identifier: GPL-2.0 */
/* mailbox.h - what managers and admins have to read, and who waits for which reply */
#ifndef IPSP_MAILBOX_H
#define IPSP_MAILBOX_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include "ipsec_port.h"

struct compartment;
struct pid;
struct port_file;

enum message_kind { MESSAGE_EVENT, MESSAGE_ACQUIRE, MESSAGE_REQUEST, MESSAGE_REPLY };

/* Of a compartment. Each manager's and admin's messages are in its port_file. */
struct mailbox {
	spinlock_t lock;		/* protects all below but `wait`, and every `messages` */
	wait_queue_head_t wait;		/* for a message, for room, for the end */
	u32 queued[4];			/* unread ones, by kind */
	u32 lost;			/* events that did not fit since the last EVENT_LOST */
	struct port_file *manager;	/* NULL: none */
	struct list_head admins;	/* struct port_file */
	u64 next_id;			/* of requests */
};

void ipsp_mailbox_init(struct mailbox *m);

/*
 * An event for the manager; any context; counted as lost when the mailbox is full.
 * `pid`: the stack's process, or NULL; told by the number that the manager knows.
 */
void ipsp_mailbox_event(struct compartment *c, u32 event, u32 cause, u32 stack, struct pid *pid,
			u64 count);

/* The same about a handle. */
void ipsp_mailbox_event_of(struct compartment *c, u32 event, u32 cause, u32 handle, u64 count);

/* A stack, ~0: nobody can say which, answered a ticket of that handle otherwise than most. */
void ipsp_mailbox_mismatch(struct compartment *c, u32 stack, u32 handle, u64 ticket);
/* What a stack needs an SA for; any context. false: no manager, or it has enough to read. */
bool ipsp_mailbox_acquire(struct compartment *c, const struct ipsp_acquire *a);

/* Under c->admin, as manager or admin. -EBUSY: there is a manager, and its mm lives. */
int ipsp_mailbox_enter(struct port_file *p, u32 role);
/* Under c->admin, in the image that execve(2) made of the manager: -EBUSY, -EPIPE. */
int ipsp_mailbox_go_on(struct port_file *p);
/* Who attached is no more, though its file is. */
bool ipsp_mailbox_has_ended(struct port_file *p);
/* The end of p's role, as often as one likes. */
void ipsp_mailbox_leave(struct port_file *p);

/* GETMSG and PUTMSG of managers and admins. */
int ipsp_mailbox_get(struct port_file *p, struct ipsp_message *out, bool nonblock);
int ipsp_mailbox_put(struct port_file *p, const struct ipsp_message *in, bool nonblock);

#endif
