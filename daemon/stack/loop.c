// SPDX-License-Identifier: GPL-2.0
#include "loop.h"

static void loop_submit(struct port *port, struct transform *transform)
{
	transform_flush(transform);
	ipsp_ring_submit(&port->up);
}

/* Room for a burst, whose runs must not be cut for want of it: see the manual, 6. */
#define LOOP_BURST	(128u << 10)

static int loop_begins(struct port *port, struct transform *transform)
{
	if (ipsp_ring_reserve(&port->up, LOOP_BURST)) {
		ipsp_ring_trim(&port->up, LOOP_BURST, 0);
		return 0;
	}
	loop_submit(port, transform);
	return port->kick(port, 0);
}

/* Room for what a record may become; hands in what is done while there is none. */
static void *loop_reserve(struct port *port, struct transform *transform, uint32_t room)
{
	void *up;

	while (!(up = ipsp_ring_reserve(&port->up, room))) {
		loop_submit(port, transform);
		if (port->kick(port, 0))
			return NULL;
	}
	return transform_place(transform, &port->up, up);
}

/*
 * The consumer's index is published record by record, behind each answer: when the
 * stack dies, the kernel sees there which record it died on.
 */
static int loop_record(struct port *port, struct transform *transform)
{
	const struct ipsp_record *down = ipsp_ring_record(&port->down);
	uint32_t len = down->len, room = (uint32_t)transform_room(down);
	void *up;

	if ((down->flags & IPSP_RECF_BEGIN) && loop_begins(port, transform))
		return -1;
	up = loop_reserve(port, transform, room);
	if (!up)
		return -1;
	ipsp_ring_trim(&port->up, room, (uint32_t)transform_answer(transform, down, up, room));
	ipsp_ring_step(&port->down, len);
	ipsp_ring_release(&port->down);
	return (int)len;
}

/* May it become one packet with the ticket before it? Then they are handed in together. */
static int loop_continues(const struct ipsp_record *down, uint64_t before)
{
	return down->type == IPSP_REC_UNPROTECT && !(down->flags & (IPSP_RECF_NOMERGE | IPSP_RECF_BEGIN)) &&
	       down->ticket == before + 2;
}

/*
 * What is there, but no more than a burst or two of it and what may be one packet with their last: the
 * first answer of a batch waits for its last one, and so does what other stacks have answered behind it.
 */
static int loop_batch(struct port *port, struct transform *transform)
{
	uint32_t there = ipsp_ring_peek(&port->down), done = 0;
	uint64_t before = 0;
	int len;

	while (done < there && (done < LOOP_BURST || loop_continues(ipsp_ring_record(&port->down), before))) {
		before = ((const struct ipsp_record *)ipsp_ring_record(&port->down))->ticket;
		len = loop_record(port, transform);
		if (len < 0)
			return -1;
		done += (uint32_t)len;
	}
	loop_submit(port, transform);
	return 0;
}

void loop_run(struct port *port, struct transform *transform)
{
	while (!loop_batch(port, transform) && !port->kick(port, IPSP_KICK_WAIT))
		;
}
