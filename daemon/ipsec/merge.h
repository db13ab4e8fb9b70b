/* SPDX-License-Identifier: GPL-2.0 */
/*
 * merge - TCP segments that were cut from one super-packet become one again
 *
 * Theory of operation. A run is an IP packet in its place in the up ring, and the tickets
 * that it answers. The next packet is deciphered so that its payload lands right behind it;
 * its headers then lie over the run's last bytes, which are kept aside meanwhile. Does it
 * continue the run, as the host's GRO would say, those bytes are put back, and the packet
 * has grown by the payload. Each segment's checksum is verified before it goes in. What the
 * headers say of the whole is written once, when the run is closed.
 */
#ifndef IPSEC_MERGE_H
#define IPSEC_MERGE_H

#include "ip.h"

#define MERGE_HEADER_MAX	120	/* IP and TCP */

struct merge {
	uint8_t *packet;		/* NULL: no run */
	uint32_t len;
	uint32_t header_len;
	uint32_t size;			/* payload of each segment but the last */
	uint32_t next;			/* sequence number that continues it */
	uint32_t count;			/* of segments */
	struct ip_packet ip;
	int ended;			/* PSH, or a short segment: nothing comes behind it */
	uint8_t under[MERGE_HEADER_MAX];	/* what lay where headers lie now */
};

/* A packet that may begin a run does: TCP with data and a right checksum. Else none. */
void merge_open(struct merge *m, uint8_t *packet, uint32_t len);
/* May one of at most `len` bytes still fit? */
int merge_has_room(const struct merge *m, uint32_t len);
/* Where to put the next packet; merge_add() or merge_refuse() must follow. */
uint8_t *merge_place(struct merge *m);
/* 1: what lies at merge_place(), `len` bytes, is part of the run now. 0: it is not. */
int merge_add(struct merge *m, uint32_t len);
/* Moves it to `to` and mends the run. */
void merge_refuse(struct merge *m, uint8_t *to, uint32_t len);
/* Ends the run. What the answer says of its packet. */
void merge_close(struct merge *m, struct ipsp_offload *offload);

#endif
