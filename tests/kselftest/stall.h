/* SPDX-License-Identifier: GPL-2.0-only */
/* stall.h - a page whose first user waits until it is let go: what a hostile caller hands to a call */
#ifndef STALL_H
#define STALL_H

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct stall {
	void *page;
	int fd;
};

/* 0: it stands. */
static inline int stall_begin(struct stall *s)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register r = { .mode = UFFDIO_REGISTER_MODE_MISSING, .range.len = 4096 };

	s->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	s->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	r.range.start = (unsigned long)s->page;
	return s->page == MAP_FAILED || s->fd < 0 || ioctl(s->fd, UFFDIO_API, &api) || ioctl(s->fd, UFFDIO_REGISTER, &r);
}

/* 1: somebody waits for it. */
static inline int stall_has_one(const struct stall *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	return poll(&p, 1, 10000) == 1 && (p.revents & POLLIN);
}

static inline void stall_end(struct stall *s)
{
	close(s->fd);
	munmap(s->page, 4096);
}

#endif
