// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "port.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Two rows of the same bytes of the file. */
static void *sim_map_twice(int fd, off_t offset, size_t size)
{
	uint8_t *at = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int row;

	if (at == MAP_FAILED)
		return NULL;
	for (row = 0; row < 2; row++)
		if (mmap(at + row * size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 fd, offset) == MAP_FAILED)
			return NULL;
	return at;
}

static int sim_kick(struct port *port, unsigned flags)
{
	if (!(flags & IPSP_KICK_WAIT) || ipsp_ring_peek(&port->down))
		return 0;			/* as the module: who has something to do does not wait */
	return -1;				/* nobody fills it meanwhile: the test goes on */
}

static void sim_rings(struct sim *sim, struct port *port, struct ipsp_words *words,
		      void *down, void *up, unsigned size)
{
	struct ipsp_words *kernel = &words[0], *stack = &words[1];

	ipsp_ring_init(&sim->down, down, size, &kernel->down.kindex, &stack->down.kindex);
	ipsp_ring_init(&sim->up, up, size, &kernel->up.kindex, &stack->up.kindex);
	ipsp_ring_init(&port->down, down, size, &stack->down.kindex, &kernel->down.kindex);
	ipsp_ring_init(&port->up, up, size, &stack->up.kindex, &kernel->up.kindex);
}

int sim_create(struct sim *sim, struct port *port, unsigned size)
{
	const off_t page = 4096;
	void *words, *down, *up;
	int fd = memfd_create("ipsec-port-sim", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, page + 2 * (off_t)size))
		return -1;
	words = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	down = sim_map_twice(fd, page, size);
	up = sim_map_twice(fd, page + size, size);
	close(fd);
	if (words == MAP_FAILED || !down || !up)
		return -1;
	sim->memory = words;
	port->fd = -1;
	port->kick = sim_kick;
	port->context = sim;
	sim_rings(sim, port, words, down, up, size);
	return 0;
}
