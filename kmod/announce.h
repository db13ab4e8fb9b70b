/* SPDX-License-Identifier: GPL-2.0 */
/* announce.h - control records to the stacks */
#ifndef IPSP_ANNOUNCE_H
#define IPSP_ANNOUNCE_H

#include "ipsec_port.h"

struct compartment;

/*
 * IPSP_IOC_CONTROL: a control record (already copied from user, sane lengths, in
 * `rec`) into the streams of target (-1: all READY). Called under c->admin. POLICY
 * swaps the protect list in the same critical section; SNAPSHOT_END makes the target
 * READY. -EAGAIN: no room in one, nothing put.
 */
int ipsp_announce(struct compartment *c, int target, struct ipsp_record *rec, u32 *generation);

#endif
