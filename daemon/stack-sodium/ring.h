/* SPDX-License-Identifier: GPL-2.0 */
/* ring - the stack's two ways to records: the port's rings, or standard input and output */
#ifndef SODIUM_RING_H
#define SODIUM_RING_H

#include "record.h"
#include "stack/port.h"

/* Until the attachment is over. No system call but the port's kick. */
void ring_run(struct port *port, struct record_stack *stack);

#endif
