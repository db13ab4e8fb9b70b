// SPDX-License-Identifier: GPL-2.0-only
/*
 * program.c - the stacks' programs, held open from the manager's start
 *
 * What is installed over them meanwhile may be of another version: a stack that is started again is of the one that the
 * others are, until an upgrade.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manager.h"

/* The relief is of the kind of the one that it relieves. */
struct build program_build(const struct manager *m, unsigned index)
{
	return build_of(m->options.build, m->relief && index == m->wanted ? m->relief_as : index);
}

static void program_path(const struct manager *m, const struct build *b, char *path, size_t size)
{
	snprintf(path, size, "%s%s", m->stack_path, build_suffix(b));
}

static int program_open_one(const struct manager *m, struct program *p, const struct build *b)
{
	char path[PATH_MAX + 64];
	int err;

	if (p->fd[b->program])
		return 0;
	program_path(m, b, path, sizeof(path));
	p->fd[b->program] = access(path, X_OK) ? -1 : open(path, O_PATH | O_CLOEXEC);
	if (p->fd[b->program] >= 0)
		return 0;
	err = -errno;
	p->fd[b->program] = 0;
	fprintf(stderr, "ipsec-portd: %s: %s\n", path, strerror(-err));
	return err;
}

int program_open(const struct manager *m, struct program *p)
{
	struct build b;
	unsigned i;
	int err = 0;

	for (i = 0; !err && i < IPSP_STACKS_MAX; i++) {
		b = build_of(m->options.build, i);
		err = program_open_one(m, p, &b);
	}
	if (err)
		program_close(p);
	return err;
}

void program_close(struct program *p)
{
	unsigned i;

	for (i = 0; i < BUILD_PROGRAMS; i++)
		if (p->fd[i])
			close(p->fd[i]);
	memset(p, 0, sizeof(*p));
}

static bool program_is_there(int fd, const char *path)
{
	struct stat held, there;

	return !fstat(fd, &held) && !stat(path, &there) && held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

/* By its path where that still is the same file: then the process has its name, and it may be a script. */
void program_exec(const struct manager *m, const struct program *p, const struct build *b, char *const *argument)
{
	char path[PATH_MAX + 64], *nothing[] = { NULL };
	int fd = p->fd[b->program];

	program_path(m, b, path, sizeof(path));
	if (fd && !program_is_there(fd, path))
		execveat(fd, "", argument, nothing, AT_EMPTY_PATH);
	else
		execve(path, argument, nothing);
}
