// SPDX-License-Identifier: GPL-2.0
#include "port.h"

#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

static int port_kick(struct port *port, unsigned flags)
{
	return ioctl(port->fd, IPSP_IOC_KICK, (unsigned long)flags) && errno != EINTR ? -1 : 0;
}

static void *port_map(int fd, size_t size, int protection, __u64 offset)
{
	void *at = mmap(NULL, size, protection, MAP_SHARED, fd, (off_t)offset);

	return at == MAP_FAILED ? NULL : at;
}

static const char *port_map_all(struct port *port, const struct ipsp_layout *l)
{
	struct ipsp_words *kernel, *stack;
	void *down, *up;

	kernel = port_map(port->fd, l->page_size, PROT_READ, l->kernel_words_offset);
	stack = port_map(port->fd, l->page_size, PROT_READ | PROT_WRITE, l->stack_words_offset);
	down = port_map(port->fd, 2ul * l->down_size, PROT_READ, l->down_offset);
	up = port_map(port->fd, 2ul * l->up_size, PROT_READ | PROT_WRITE, l->up_offset);
	if (!kernel || !stack || !down || !up)
		return "mmap of the streams";
	ipsp_ring_init(&port->down, down, l->down_size, &stack->down.kindex,
		       &kernel->down.kindex);
	ipsp_ring_init(&port->up, up, l->up_size, &stack->up.kindex, &kernel->up.kindex);
	return NULL;
}

static const char *port_attach_as(struct port *port, int fd, struct ipsp_attach attach)
{
	struct ipsp_layout layout;

	port->fd = fd;
	port->kick = port_kick;
	if (ioctl(fd, IPSP_IOC_ATTACH, &attach))
		return "ATTACH";
	if (ioctl(fd, IPSP_IOC_LAYOUT, &layout))
		return "LAYOUT";
	if (layout.interface != IPSP_INTERFACE) {
		errno = EPROTO;
		return "the module's interface is another than this program's";
	}
	return port_map_all(port, &layout);
}

const char *port_attach(struct port *port, int fd, unsigned index)
{
	return port_attach_as(port, fd, (struct ipsp_attach){ .role = IPSP_ROLE_STACK, .index = index });
}

const char *port_attach_merging(struct port *port, int fd, unsigned index)
{
	return port_attach_as(port, fd, (struct ipsp_attach){ .role = IPSP_ROLE_STACK, .index = index,
							 .flags = IPSP_ATTACHF_MERGES });
}
