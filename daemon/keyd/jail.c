// SPDX-License-Identifier: GPL-2.0-only
/*
 * jail.c - the system calls that serving takes, and no others
 *
 * Nothing is opened, started, mapped executable, or sent elsewhere. Of sockets there is the
 * one that if_indextoname() asks with. A call beside these ends the process.
 */
#include <errno.h>
#include <json-c/json.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "keyd.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* As they are: on what is open, on our own memory, on nothing. */
static const int allowed[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn), SCMP_SYS(exit_group),
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
	SCMP_SYS(sendto), SCMP_SYS(recvmsg),		/* of the opener; no socket is connected by us */
};

static const struct {
	int call;
	unsigned int argument;
	scmp_datum_t mask, value;
} limited[] = {
	{ SCMP_SYS(ioctl), 1, UINT32_MAX, IPSP_IOC_ATTACH },
	{ SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCGIFNAME },
	{ SCMP_SYS(socket), 0, UINT32_MAX, AF_UNIX },
	{ SCMP_SYS(mmap), 2, PROT_EXEC, 0 },
};

static int jail_fill(scmp_filter_ctx filter)
{
	int err = 0;
	size_t i;

	for (i = 0; !err && i < COUNT(allowed); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (i = 0; !err && i < COUNT(limited); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, limited[i].call, 1,
				       SCMP_CMP(limited[i].argument, SCMP_CMP_MASKED_EQ, limited[i].mask,
						limited[i].value));
	return err;
}

int jail_close(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err = filter ? jail_fill(filter) : -ENOMEM;

	json_object_put(json_tokener_parse("{\"a\":1}"));	/* its first object takes a seed, who knows where from */
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
