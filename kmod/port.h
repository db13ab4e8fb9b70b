/* SPDX-License-Identifier: GPL-2.0 */
/* port.h - the character device of a compartment: who has it open, in which role */
#ifndef IPSP_PORT_H
#define IPSP_PORT_H

#include <linux/list.h>
#include <linux/types.h>

struct compartment;
struct device;
struct file;
struct pid_namespace;
struct stack;

/* An open port. Holds its compartment, so that late calls find `gone` and nothing worse. */
struct port_file {
	struct compartment *c;		/* referenced */
	struct file *file;		/* ours: lives longer */
	u32 role;			/* 0: not attached; written once under c->admin */
	struct mm_struct *mm;		/* mmgrab: compared only; MANAGER: changes under
					 * mailbox.lock
					 */
	struct pid_namespace *pids;	/* MANAGER, referenced: in which it knows its stacks */
	struct pid *pid;		/* MANAGER, referenced: its process */
	struct stack *stack;		/* STACK */
	struct list_head messages;	/* MANAGER, ADMIN, protected by mailbox.lock: to be read */
	struct list_head list;		/* ADMIN, ": mailbox.admins */
	u64 request;			/* " id of the one that is out; 0: none */
	bool forsaken;			/* " the manager went before it replied */
	struct rcu_head rcu;
};

int ipsp_port_class_init(void);		/* chrdev region, class */
void ipsp_port_class_exit(void);
int ipsp_port_init(void);		/* /dev/ipsec-port/control; opens from here on */
void ipsp_port_exit(void);

/* A device node, /dev/ipsec-port/NAME; device_unregister() takes it away. */
struct device *ipsp_port_device(int minor, const char *name, struct compartment *c);

/* The compartment goes: the manager and admins get EPIPE, the stored file is let go. */
void ipsp_port_forget(struct compartment *c);

/* control.c: the ioctls of /dev/ipsec-port/control */
extern const struct file_operations ipsp_control_fops;

#endif
