/* SPDX-License-Identifier: GPL-2.0 */
/*
 * port - how a stack reaches its port: two rings and one call
 *
 * The real port is a char device; the simulated one is a memfd whose other end a test
 * drives. They differ in `kick` only.
 */
#ifndef STACK_PORT_H
#define STACK_PORT_H

#include "ipsec_port_ring.h"

struct port {
	struct ipsp_ring down;		/* we consume */
	struct ipsp_ring up;		/* we produce */
	int fd;
	/* Hands in what was submitted; IPSP_KICK_WAIT sleeps until there is more. 0: go
	 * on; -1: the attachment is over. */
	int (*kick)(struct port *port, unsigned flags);
	void *context;			/* of a simulated port */
};

/* Attaches descriptor fd (of the port's device) as stack `index` and maps its streams.
 * NULL, or a text that says what failed (errno says why). */
const char *port_attach(struct port *port, int fd, unsigned index);
/* The same for one that merges as the manual has it (6), also what is voted on. */
const char *port_attach_merging(struct port *port, int fd, unsigned index);

/* sim.c: a port without a module. `peer` is the kernel's end. */
struct sim {
	struct ipsp_ring down;		/* the test produces */
	struct ipsp_ring up;		/* the test consumes */
	void *memory;
};

/* Each ring of `size` bytes. 0, or -1 with errno. */
int sim_create(struct sim *sim, struct port *port, unsigned size);

#endif
