// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cgroup.h"

#define FILEID_KERNFS	0xfe		/* of a file handle: the number, eight bytes */

/* A directory of that filesystem has its group's number as its inode's. */
static int number_of_directory(const char *path, __u64 *number)
{
	struct statfs fs;
	struct stat st;

	if (stat(path, &st) || !S_ISDIR(st.st_mode) || statfs(path, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC)
		return -ENOENT;
	*number = st.st_ino;
	return 0;
}

static int number_of_digits(const char *digits, __u64 *number)
{
	char *end;

	if (*digits < '0' || *digits > '9')
		return -ENOENT;
	errno = 0;
	*number = strtoull(digits, &end, 10);
	return errno || *end || !*number ? -ENOENT : 0;
}

int cgroup_find(const char *name, __u64 *number)
{
	char path[CGROUP_PATH_MAX];

	if (*name == '@')
		return number_of_digits(name + 1, number);
	if (*name != '/' || strstr(name, "/.."))
		return -ENOENT;
	if (snprintf(path, sizeof(path), CGROUP_ROOT "%s", name) >= (int)sizeof(path))
		return -ENOENT;
	return number_of_directory(path, number);
}

/* A descriptor of the group's directory. */
static int cgroup_open(__u64 number)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(number)];
	} u = { .handle = { .handle_bytes = sizeof(number), .handle_type = FILEID_KERNFS } };
	int root = open(CGROUP_ROOT, O_DIRECTORY | O_CLOEXEC), fd;

	if (root < 0)
		return -errno;
	memcpy(u.handle.f_handle, &number, sizeof(number));
	fd = open_by_handle_at(root, &u.handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	close(root);
	return fd;
}

int cgroup_path(__u64 number, char path[CGROUP_PATH_MAX])
{
	char link[64], full[CGROUP_PATH_MAX];
	int fd = cgroup_open(number);
	const size_t root = strlen(CGROUP_ROOT);
	ssize_t n;

	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, full, sizeof(full) - 1);
	close(fd);
	if (n < 0)
		return -errno;
	full[n] = '\0';
	if (strncmp(full, CGROUP_ROOT, root) || strpbrk(full, " \t\n#'\"\\") || strstr(full, " (deleted)"))
		return -ENOENT;
	strcpy(path, full[root] ? full + root : "/");
	return 0;
}
