/* SPDX-License-Identifier: GPL-2.0 */
/* loop - down records in, up records out, one call a batch */
#ifndef STACK_LOOP_H
#define STACK_LOOP_H

#include "ipsec/transform.h"
#include "port.h"

/* Returns when the attachment is over. No system call but the port's kick. */
void loop_run(struct port *port, struct transform *transform);

#endif
