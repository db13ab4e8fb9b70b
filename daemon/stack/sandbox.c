// SPDX-License-Identifier: GPL-2.0
/*
 * sandbox.c - what a stack gives up, and when
 *
 * Theory of operation. A stack parses hostile bytes with keys in its memory. When the last
 * stage is through, all that is left to it is one system call on one descriptor, exit
 * and the return from a signal. Every failure of a stage ends the process: no sandbox,
 * no packets. The stages, in order:
 *
 *   early        Should: leave no descriptor but the port's and standard error, no
 *                environment. Mustn't: need anything of them later.
 *   namespaces   Should: put the process into empty mount, network, IPC, UTS and cgroup
 *                namespaces, the root an empty read-only tmpfs. (Its PID namespace was
 *                made by the manager's clone.) Mustn't: rely on user namespaces.
 *   identity     Should: drop groups, user, every capability, the way back to them, and
 *                what resource limits can take. Mustn't: leave the process dumpable.
 *   close        Should: unmap vdso, forbid the time stamp counter, close standard error,
 *                filter system calls. Mustn't: be followed by any other system call.
 *
 * Between identity and close the engines are warm and all memory is locked.
 */
#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipsec_port.h"

/* ---- early ------------------------------------------------------------------------- */

const char *sandbox_early(int port_fd)
{
	if (port_fd < 3)
		return "the port's descriptor is one of the standard ones";
	if (port_fd > 3 && close_range(3, (unsigned)port_fd - 1, 0))
		return "close_range below the port";
	if (close_range((unsigned)port_fd + 1, ~0u, 0))
		return "close_range above the port";
	close(0);
	close(1);
	clearenv();
	return NULL;
}

/* ---- namespaces ---------------------------------------------------------------------- */

/* An empty tmpfs becomes the root; the old one goes, lazily as we stand in it. */
static const char *sandbox_empty_root(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return "mount / private";
	if (mount("none", "/tmp", "tmpfs", MS_NODEV | MS_NOEXEC | MS_NOSUID, "size=4k,mode=0555"))
		return "mount of an empty root";
	if (chdir("/tmp") || syscall(SYS_pivot_root, ".", "."))
		return "pivot_root";
	if (umount2(".", MNT_DETACH) || chdir("/"))
		return "umount of the old root";
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV | MS_NOEXEC |
		  MS_NOSUID, NULL))
		return "remount of the root read-only";
	return NULL;
}

const char *sandbox_namespaces(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP))
		return "unshare of the namespaces";
	return sandbox_empty_root();
}

/* ---- identity --------------------------------------------------------------------------- */

static const char *sandbox_limits(void)
{
	static const int kind[] = { RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_FSIZE, RLIMIT_CORE,
				    RLIMIT_MSGQUEUE, RLIMIT_LOCKS };
	const struct rlimit none = { 0, 0 };
	size_t i;

	for (i = 0; i < sizeof(kind) / sizeof(kind[0]); i++)
		if (setrlimit(kind[i], &none))
			return "setrlimit";
	return NULL;
}

static const char *sandbox_capabilities(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return "clearing the ambient capabilities";
	if (syscall(SYS_capset, &head, none))
		return "capset";
	return NULL;
}

static const char *sandbox_bounding_set(void)
{
	int i;

	for (i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0))
			return "dropping the bounding set";
	return NULL;
}

const char *sandbox_identity(uid_t uid, gid_t gid)
{
	const char *failed = sandbox_bounding_set();

	if (failed)
		return failed;
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return "setting user and group";
	failed = sandbox_capabilities();
	if (!failed)
		failed = sandbox_limits();
	if (failed)
		return failed;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return "PR_SET_NO_NEW_PRIVS";
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return "PR_SET_DUMPABLE";
	return NULL;
}

/* ---- close --------------------------------------------------------------------------------- */

struct sandbox_range {
	unsigned long start, end;
};

/* vdso and vvar lie side by side; what the kernel calls them is in the memory map. */
static int sandbox_is_vdso(const char *line)
{
	return strstr(line, "[vdso]") || strstr(line, "[vvar");
}

static struct sandbox_range sandbox_vdso[8];
static unsigned sandbox_vdsos;

/* Before the root is taken away: /proc is still there. */
__attribute__((constructor)) static void sandbox_find_vdso(void)
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	while (maps && fgets(line, sizeof(line), maps) && sandbox_vdsos < 8) {
		struct sandbox_range *r = &sandbox_vdso[sandbox_vdsos];

		if (sandbox_is_vdso(line) && sscanf(line, "%lx-%lx", &r->start, &r->end) == 2)
			sandbox_vdsos++;
	}
	if (maps)
		fclose(maps);
}

static const char *sandbox_unmap_vdso(void)
{
	unsigned i;

	if (!sandbox_vdsos)
		return "finding the vdso";
	for (i = 0; i < sandbox_vdsos; i++)
		if (munmap((void *)sandbox_vdso[i].start,
			   sandbox_vdso[i].end - sandbox_vdso[i].start))
			return "munmap of the vdso";
	return NULL;
}

#define FIELD(name) ((unsigned)offsetof(struct seccomp_data, name))
#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define NEXT_IF(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 1, 0)
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define ALLOW_IF(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1), ALLOW

/* The kernel compares 32 bits of the descriptor; the command it casts to 32 bits itself. */
static const char *sandbox_filter(int port_fd)
{
	struct sock_filter filter[] = {
		LOAD(FIELD(arch)), NEXT_IF(AUDIT_ARCH_X86_64), KILL,
		LOAD(FIELD(nr)),
		ALLOW_IF(SYS_exit_group), ALLOW_IF(SYS_exit), ALLOW_IF(SYS_rt_sigreturn),
		NEXT_IF(SYS_ioctl), KILL,
		LOAD(FIELD(args[0])), NEXT_IF((unsigned)port_fd), KILL,
		LOAD(FIELD(args[0]) + 4), NEXT_IF(0), KILL,
		LOAD(FIELD(args[1])), NEXT_IF(IPSP_IOC_KICK), KILL,
		LOAD(FIELD(args[1]) + 4), NEXT_IF(0), KILL,
		ALLOW,
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0))
		return "PR_SET_SECCOMP";
	return NULL;
}

const char *sandbox_close(int port_fd)
{
	const char *failed = sandbox_unmap_vdso();

	if (failed)
		return failed;
	if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0))
		return "PR_SET_TSC";
	if (close(2) && errno != EBADF)
		return "closing standard error";
	return sandbox_filter(port_fd);
}
