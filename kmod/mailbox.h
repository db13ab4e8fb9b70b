/* SPDX-License-Identifier: GPL-2.0 */
/* mailbox.h - messages of managers and admins; see port.h for struct mailbox */
#ifndef IPSP_MAILBOX_H
#define IPSP_MAILBOX_H

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/wait.h>
#include "ipsec_port.h"

struct compartment;
struct file;
struct mailbox;
struct pid_namespace;
struct stack;

/* An open port. Holds its compartment, so that late calls find `gone` and nothing worse. */
struct port_file {
	struct compartment *c;		/* referenced */
	u32 role;			/* 0: not attached; written once under c->admin */
	struct mm_struct *mm;		/* mmgrab: compared only */
	struct pid_namespace *pids;	/* MANAGER, referenced: in which it knows its stacks */
	struct stack *stack;		/* STACK */
	struct list_head list;		/* ADMIN, protected by mailbox.lock: mailbox.admins */
	struct list_head replies;	/* " struct message */
	u64 request;			/* " id of the one that is out; 0: none */
	bool forsaken;			/* " the manager went before it replied */
	wait_queue_head_t wait;		/* ADMIN */
	struct rcu_head rcu;
};

struct message {
	struct list_head list;
	u32 size;
	bool request;			/* of an admin; else an event */
	u8 data[] __aligned(8);		/* a whole record */
};

static inline struct ipsp_record *ipsp_mailbox_record(struct message *msg)
{
	return (struct ipsp_record *)msg->data;
}

struct message *ipsp_mailbox_message(u32 size, gfp_t gfp);
void ipsp_mailbox_free(struct message *msg);		/* zeroes it */

/* Under m->lock. 0: msg is the manager's; -EPIPE: there is none; -EAGAIN: full. */
int ipsp_mailbox_add(struct mailbox *m, struct message *msg);
bool ipsp_mailbox_has_room(struct mailbox *m);		/* for a request; a hint */
/*
 * The next one of p, at most *size long and of that band or above; NULL: none,
 * -EAGAIN: it is of a lower band, -EMSGSIZE: *size says what it needs.
 */
struct message *ipsp_mailbox_take(struct port_file *p, u32 band, u32 *size);
void ipsp_mailbox_return(struct port_file *p, struct message *msg);

/* Under c->admin. -EBUSY: there is a manager, and its mm lives. */
int ipsp_mailbox_enter_manager(struct port_file *p);
void ipsp_mailbox_enter_admin(struct port_file *p);
/* The end of p's role, as often as one likes. */
void ipsp_mailbox_leave(struct port_file *p);

/* port_message.c: GETMSG and PUTMSG of managers and admins. */
long ipsp_port_message_get(struct port_file *p, struct ipsp_message *out, bool nonblock);
long ipsp_port_message_put(struct port_file *p, const struct ipsp_message *in, bool nonblock);
bool ipsp_port_message_is_there(struct port_file *p);	/* or an end of waiting; a hint */
wait_queue_head_t *ipsp_port_message_wait(struct port_file *p);

#endif
