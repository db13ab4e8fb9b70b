// SPDX-License-Identifier: GPL-2.0
#include "ring.h"

/*
 * Room in the up ring for what a record may become. While there is none, what is done is handed in: the kernel takes
 * it at the kick, so that each turn makes room.
 */
static void *ring_make_room(struct port *port, uint32_t room)
{
	void *up = ipsp_ring_reserve(&port->up, room);

	while (!up) {
		ipsp_ring_submit(&port->up);
		if (port->kick(port, 0))
			return NULL;
		up = ipsp_ring_reserve(&port->up, room);
	}
	return up;
}

/* Returns the record's length, 0 at the end of the attachment. Its place is given back before the next one is read. */
static uint32_t ring_one(struct port *port, struct record_stack *stack)
{
	const struct ipsp_record *down = ipsp_ring_record(&port->down);
	const size_t asked = record_room(down);
	const uint32_t len = down->len, room = asked < port->up.size ? (uint32_t)asked : port->up.size;
	void *up = ring_make_room(port, room);

	if (!up || len < sizeof(*down))
		return 0;
	ipsp_ring_trim(&port->up, room, (uint32_t)record_answer(stack, down, up, room));
	ipsp_ring_step(&port->down, len);
	ipsp_ring_release(&port->down);
	return len;
}

static int ring_batch(struct port *port, struct record_stack *stack)
{
	uint32_t left = ipsp_ring_peek(&port->down);
	uint32_t len;

	while (left) {
		len = ring_one(port, stack);
		if (!len || len > left)
			return -1;
		left -= len;
	}
	ipsp_ring_submit(&port->up);
	return 0;
}

void ring_run(struct port *port, struct record_stack *stack)
{
	while (!ring_batch(port, stack))
		if (port->kick(port, IPSP_KICK_WAIT))
			return;
}
