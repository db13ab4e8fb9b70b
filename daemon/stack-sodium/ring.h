/* SPDX-License-Identifier: GPL-2.0 */
/* ring - records from the port's down ring, answers to its up ring */
#ifndef SODIUM_RING_H
#define SODIUM_RING_H

#include "record.h"
#include "stack/port.h"

/* Until the attachment is over. No system call but the port's kick. */
void ring_run(struct port *port, struct record_stack *stack);

#endif
