/* SPDX-License-Identifier: GPL-2.0 */
/* watchdog.h - nobody waits for a stack for ever: tickets, the manager, a successor's tickets */
#ifndef IPSP_WATCHDOG_H
#define IPSP_WATCHDOG_H

struct compartment;

void ipsp_watchdog_init(struct compartment *c);
void ipsp_watchdog_start(struct compartment *c);	/* something waits; any context */
void ipsp_watchdog_hurry(struct compartment *c);	/* a stack went: wait for its successor */
void ipsp_watchdog_stop(struct compartment *c);		/* and wait until it has; sleeps */

#endif
