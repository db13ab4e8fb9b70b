// SPDX-License-Identifier: GPL-2.0-only
/*
 * opener.c - opens ports for the unprivileged part, and does nothing else
 *
 * The number of a compartment of the list comes in, a descriptor or an errno goes out. The list is the one that was
 * there before the fork: no other name can be meant.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keyd.h"

int opener_start(int *end)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	*end = pair[!pid];
	close(pair[!!pid]);
	return pid;
}

int opener_ask(struct keyd *k, const struct keyd_compartment *c)
{
	const __u32 number = (__u32)(c - k->compartment);
	char control[CMSG_SPACE(sizeof(int))];
	int err = -EPIPE, fd = -1;
	struct iovec part = { &err, sizeof(err) };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *answer;

	if (send(k->opener, &number, sizeof(number), MSG_NOSIGNAL) < 0 ||
	    recvmsg(k->opener, &m, MSG_CMSG_CLOEXEC) != sizeof(err))
		return -EPIPE;
	answer = CMSG_FIRSTHDR(&m);
	if (err || !answer || answer->cmsg_type != SCM_RIGHTS)
		return err ? err : -EPIPE;
	memcpy(&fd, CMSG_DATA(answer), sizeof(fd));
	return fd;
}

static int opener_open(const struct keyd *k, __u32 number)
{
	char path[64];
	int fd;

	if (number >= k->compartments)
		return -EINVAL;
	snprintf(path, sizeof(path), "/dev/ipsec-port/%s", k->compartment[number].name);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static void opener_reply(int end, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	int err = fd < 0 ? fd : 0;
	struct iovec part = { &err, sizeof(err) };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	sendmsg(end, &m, MSG_NOSIGNAL);
	if (fd >= 0)
		close(fd);
}

/* The other end is closed by the child's end. A signal for both is for the child to take. */
int opener_serve(const struct keyd *k, int end, int child)
{
	ssize_t got;
	__u32 number;
	int status;

	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	while ((got = recv(end, &number, sizeof(number), 0)) > 0 || (got < 0 && errno == EINTR))
		if (got > 0)
			opener_reply(end, got == sizeof(number) ? opener_open(k, number) : -EINVAL);
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return 1;
	return WEXITSTATUS(status);
}
