/* SPDX-License-Identifier: GPL-2.0 */
/* port.h - the character device of a compartment: roles, ioctls, messages */
#ifndef IPSP_PORT_H
#define IPSP_PORT_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include "ipsec_port.h"

struct compartment;
struct pid;
struct port_file;

/* Records for the manager, and who asked what. */
struct mailbox {
	spinlock_t lock;		/* protects all below */
	struct list_head events;	/* struct message for the manager, oldest first */
	u32 queued[2];			/* events and requests among them */
	u32 lost;			/* events that did not fit since the last EVENT_LOST */
	wait_queue_head_t wait;		/* the manager */
	wait_queue_head_t room;		/* admins whose request did not fit */
	struct port_file *manager;	/* NULL: none */
	struct list_head admins;	/* struct port_file */
	u64 next_id;			/* of requests */
};

int ipsp_port_class_init(void);		/* chrdev region, class */
void ipsp_port_class_exit(void);
int ipsp_port_init(void);		/* /dev/ipsec-port/control; opens from here on */
void ipsp_port_exit(void);

/* The device node of a compartment: /dev/ipsec-port/NAME. Caller: compartment.c */
int ipsp_port_create(struct compartment *c);
void ipsp_port_destroy(struct compartment *c);

/* The compartment goes: the manager and admins get EPIPE, the stored file is let go. */
void ipsp_port_forget(struct compartment *c);

void ipsp_port_mailbox_init(struct mailbox *m);
void ipsp_port_mailbox_wake(struct mailbox *m);

/*
 * An event for the manager; any context; counted as lost when the mailbox is full.
 * `pid`: the stack's process, or NULL; told by the number that the manager knows.
 */
void ipsp_port_event(struct compartment *c, u32 event, u32 cause, u32 stack, struct pid *pid,
		     u64 count);
/* A whole record (an ACQUIRE) for the manager; false: full. Any context. */
bool ipsp_port_post(struct compartment *c, const struct ipsp_record *rec, u32 size);

/* A down stream has room again: POLLOUT for the manager. Any context. */
void ipsp_port_control_room(struct compartment *c);

/* control.c: the ioctls of /dev/ipsec-port/control */
extern const struct file_operations ipsp_control_fops;

#endif
