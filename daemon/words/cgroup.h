/* SPDX-License-Identifier: GPL-2.0-only */
/* cgroup.h - control groups (version 2): paths for people, numbers for the kernel */
#ifndef WORDS_CGROUP_H
#define WORDS_CGROUP_H

#include <linux/types.h>

#define CGROUP_ROOT	"/sys/fs/cgroup"
#define CGROUP_PATH_MAX	4096

/* The group's number, of its path below CGROUP_ROOT ("/": all) or of "@NUMBER". -ENOENT: there is none, or no number. */
int cgroup_find(const char *name, __u64 *number);
/* And back. -errno: it is gone, or the caller may not ask (CAP_DAC_READ_SEARCH), or its path has a blank. */
int cgroup_path(__u64 number, char path[CGROUP_PATH_MAX]);

#endif
