/* SPDX-License-Identifier: GPL-2.0 */
/* call.h - the ioctls of both devices: what a table says of each, and the frame they run in */
#ifndef IPSP_CALL_H
#define IPSP_CALL_H

#include <linux/types.h>
#include "ipsec_port.h"

struct compartment;
struct net;
struct port_file;

#define CALL_RESERVED(type) .reserved = offsetof(struct type, reserved)
#define CALL_FLAGS(type, all) .flags = offsetof(struct type, flags), .known = all

/* One of the handlers; `arg` is the number's struct, in private memory. */
struct call {
	unsigned int number;
	u32 roles;			/* ports: who may, by BIT(role); 0: before attaching */
	u16 reserved;			/* where words begin that must be zero; 0: none */
	u16 flags;			/* where the flags are; 0: none, or its handler looks */
	u32 known;			/* of them */
	bool locked;			/* under ipsp_compartment_mutex, or c->admin */
	bool tells;			/* the struct comes back with an error, too */
	int (*control)(struct net *net, void *arg);
	int (*port)(struct port_file *p, void *arg);
	int (*handle)(struct compartment *c, struct ipsp_handle *config);
	int (*undo)(struct compartment *c, struct ipsp_handle *config);	/* if it cannot be told */
};

/* NULL: none of that number. */
const struct call *ipsp_call_find(const struct call *calls, u32 count, unsigned int number);
/* p: NULL at the control device, which acts in the caller's network namespace. */
int ipsp_call_run(const struct call *call, struct port_file *p, void __user *user);

#endif
