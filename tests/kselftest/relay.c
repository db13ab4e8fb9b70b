// SPDX-License-Identifier: GPL-2.0-only
/*
 * relay.c - XFRM netlink by way of an agent, which is ourselves
 *
 * In a network namespace of its own. Each rule of the manual's section 6 is looked at: who
 * may ask and who may be the agent, that what is asked comes through whole and what is
 * answered goes to who asked, that dumps go at their reader's pace, that bounds hold, and
 * that without an agent, or with one that hangs, nobody waits for long.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipsec_port.h"
#include "tap.h"

#define DEVICE "/dev/ipsec-port/" IPSP_XFRM_NAME

static int control;

static union {
	struct ipsp_xfrm head;
	char bytes[sizeof(struct ipsp_xfrm) + IPSP_XFRM_MAX];
} box;

static union {
	struct nlmsghdr head;
	char bytes[1 << 16];
} got;

static struct nlmsghdr *box_message(void)
{
	return (struct nlmsghdr *)(&box.head + 1);
}

static int relay_set(__u32 flags)
{
	struct ipsp_relay r = { .flags = flags };

	return tap_ioctl(control, IPSP_CTL_RELAY_SET, &r);
}

static struct ipsp_relay relay_get(void)
{
	struct ipsp_relay r;

	memset(&r, 0, sizeof(r));
	ioctl(control, IPSP_CTL_RELAY_GET, &r);
	return r;
}

static int agent_open(void)
{
	int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int socket_open(__u32 groups)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_groups = groups };
	struct timeval patience = { .tv_sec = 30 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);

	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)))
		tap_give_up("an XFRM socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/* A message with so many bytes of letters behind its header. */
static int ask(int fd, __u16 type, __u16 flags, __u32 seq, size_t size)
{
	static union {
		struct nlmsghdr head;
		char bytes[1 << 16];
	} m;

	memset(&m.head, 0, sizeof(m.head));
	m.head.nlmsg_len = (__u32)(sizeof(m.head) + size);
	m.head.nlmsg_type = type;
	m.head.nlmsg_flags = NLM_F_REQUEST | flags;
	m.head.nlmsg_seq = seq;
	memset(&m.head + 1, 'k', size);
	return send(fd, &m, m.head.nlmsg_len, 0) < 0 ? errno : 0;
}

/* The error of what is to be read: 0 of an acknowledgement; -1: it is something else. */
static int read_error(int fd)
{
	const struct nlmsgerr *e = (const void *)(&got.head + 1);
	ssize_t n = recv(fd, &got, sizeof(got), 0);

	if (n < 0)
		return errno;
	return got.head.nlmsg_type == NLMSG_ERROR ? -e->error : -1;
}

static int agent_read(int agent)
{
	return read(agent, &box, sizeof(box)) < 0 ? errno : 0;
}

static int agent_write(int agent, __u32 type, __u64 id, __u32 flags, const void *data, size_t size)
{
	memset(&box.head, 0, sizeof(box.head));
	box.head.len = (__u32)(sizeof(box.head) + size);
	box.head.type = type;
	box.head.id = id;
	box.head.flags = flags;
	memcpy(&box.head + 1, data, size);
	return write(agent, &box, box.head.len) < 0 ? errno : 0;
}

/* ---- on, off, who ----------------------------------------------------------------------------- */

static void look_at_on_and_off(void)
{
	int agent, other;

	TAP_EQUAL(-agent_open(), ENOTCONN, "no agent where the relay is off");
	TAP_EQUAL(relay_set(0x80), EINVAL, "unknown flags are refused");
	TAP_EQUAL(relay_set(IPSP_RELAYF_ON), 0, "on");
	TAP_EQUAL(relay_set(IPSP_RELAYF_ON), 0, "on again");
	TAP_EQUAL(relay_get().flags, IPSP_RELAYF_ON, "it says so");
	agent = agent_open();
	tap(agent >= 0, "an agent");
	TAP_EQUAL(relay_get().flags, IPSP_RELAYF_ON | IPSP_RELAYF_AGENT, "it says so");
	TAP_EQUAL(-agent_open(), EBUSY, "one at a time");
	TAP_EQUAL(agent_read(agent), EAGAIN, "nothing is asked");
	close(agent);
	other = agent_open();
	tap(other >= 0, "another, behind it");
	TAP_EQUAL(relay_set(0), 0, "off");
	TAP_EQUAL(agent_read(other), EPIPE, "the agent hears of it");
	TAP_EQUAL(agent_write(other, IPSP_XFRM_MULTICAST, 0, 0, "", 0), EPIPE, "and cannot write");
	close(other);
	TAP_EQUAL(relay_get().flags, 0, "it is off");
}

/* ---- every namespace ---------------------------------------------------------------------------- */

/* In a namespace of its own, made now: what `look` finds there. */
static int in_another(int flags, int (*look)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(unshare(flags) ? 255 : look());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int flags_there(void)
{
	return (int)relay_get().flags;
}

static int switched_there(void)
{
	return relay_set(0) || relay_get().flags != IPSP_RELAYF_ALL;
}

static int all_there(void)
{
	return relay_set(IPSP_RELAYF_ON | IPSP_RELAYF_ALL);
}

/* Its own it may: so it is not for want of any right that all are refused. */
static int own_there(void)
{
	return relay_set(IPSP_RELAYF_ON);
}

/* One that is there before: it says what its relay is, for each byte that comes. */
static int elder(int *told)
{
	int asked[2], said[2], flags;
	char byte;

	if (pipe(asked) || pipe(said))
		tap_give_up("pipes");
	if (!fork()) {
		close(asked[1]);
		if (unshare(CLONE_NEWNET))
			_exit(1);
		do {
			flags = flags_there();
			if (write(said[1], &flags, sizeof(flags)) != sizeof(flags))
				break;
		} while (read(asked[0], &byte, 1) == 1);
		_exit(0);
	}
	close(asked[0]);
	close(said[1]);
	*told = said[0];
	return asked[1];
}

static int elder_flags(int told)
{
	int flags = -1;

	return read(told, &flags, sizeof(flags)) == sizeof(flags) ? flags : -1;
}

static void look_at_all(void)
{
	const int all = IPSP_RELAYF_ON | IPSP_RELAYF_ALL;
	int told, ask_elder = elder(&told);

	TAP_EQUAL(elder_flags(told), 0, "another namespace, off");
	TAP_EQUAL(in_another(CLONE_NEWUSER | CLONE_NEWNET, own_there), 0, "who has rights over one may switch that");
	TAP_EQUAL(in_another(CLONE_NEWUSER | CLONE_NEWNET, all_there), EPERM, "but not all");
	TAP_EQUAL(relay_set(all), 0, "all on");
	TAP_EQUAL(relay_get().flags, all, "this one");
	TAP_EQUAL(write(ask_elder, "", 1), 1, "the other is asked");
	TAP_EQUAL(elder_flags(told), all, "the other");
	TAP_EQUAL(in_another(CLONE_NEWNET, flags_there), all, "one that is new");
	TAP_EQUAL(in_another(CLONE_NEWNET, switched_there), 0, "which may be off for itself");
	TAP_EQUAL(in_another(CLONE_NEWUSER | CLONE_NEWNET, flags_there), all, "one of another user's");
	TAP_EQUAL(relay_set(IPSP_RELAYF_ALL), 0, "all off");
	TAP_EQUAL(relay_get().flags, 0, "this one");
	TAP_EQUAL(write(ask_elder, "", 1), 1, "the other is asked");
	TAP_EQUAL(elder_flags(told), 0, "the other");
	TAP_EQUAL(in_another(CLONE_NEWNET, flags_there), 0, "one that is new");
	close(ask_elder);
	close(told);
	wait(NULL);
}

/* ---- requests ----------------------------------------------------------------------------------- */

static void look_at_a_request(int agent)
{
	char answer[64];
	struct nlmsghdr *m = (struct nlmsghdr *)answer;
	int fd = socket_open(0);
	__u64 id;

	TAP_EQUAL(ask(fd, XFRM_MSG_NEWSA, NLM_F_ACK, 7, 300), 0, "a request");
	TAP_EQUAL(agent_read(agent), 0, "the agent has it");
	TAP_EQUAL(box.head.type, IPSP_XFRM_REQUEST, "as a request");
	TAP_EQUAL(box.head.len, sizeof(box.head) + sizeof(*m) + 300, "whole");
	tap(box_message()->nlmsg_seq == 7 && box_message()->nlmsg_type == XFRM_MSG_NEWSA &&
	    ((char *)(box_message() + 1))[299] == 'k', "as it was");
	id = box.head.id;
	memset(answer, 'a', sizeof(answer));
	memset(m, 0, sizeof(*m));
	m->nlmsg_len = sizeof(answer);
	m->nlmsg_type = XFRM_MSG_NEWSA;
	m->nlmsg_seq = 7;
	TAP_EQUAL(agent_write(agent, IPSP_XFRM_ANSWER, id + 1, 0, answer, sizeof(answer)), ENOENT,
		  "an answer to nothing");
	TAP_EQUAL(agent_write(agent, IPSP_XFRM_PART, id, 0, answer, sizeof(answer)), ENOENT,
		  "a part of what is no dump");
	TAP_EQUAL(agent_write(agent, 99, id, 0, answer, sizeof(answer)), EINVAL, "an unknown type");
	TAP_EQUAL(agent_write(agent, IPSP_XFRM_ANSWER, id, 0, answer, sizeof(answer)), 0, "an answer");
	TAP_EQUAL(agent_write(agent, IPSP_XFRM_ANSWER, id, IPSP_XFRMF_DONE, "", 0), 0, "the end of it");
	TAP_EQUAL(agent_write(agent, IPSP_XFRM_ANSWER, id, IPSP_XFRMF_DONE, "", 0), ENOENT, "once");
	TAP_EQUAL(recv(fd, &got, sizeof(got), 0), (int)sizeof(answer), "it comes to who asked");
	tap(!memcmp(&got, answer, sizeof(answer)), "as it was");
	TAP_EQUAL(recv(fd, &got, sizeof(got), MSG_DONTWAIT), -1, "and nothing else");
	TAP_EQUAL(relay_get().waiting, 0, "nothing waits");
	close(fd);
}

static void look_at_rights(int agent)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM);
		struct timeval patience = { .tv_sec = 10 };

		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(100);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		_exit(ask(fd, XFRM_MSG_FLUSHSA, NLM_F_ACK, 1, 8) ? 101 : read_error(fd));
	}
	waitpid(pid, &status, 0);
	TAP_EQUAL(WEXITSTATUS(status), EPERM, "who has no right is told so");
	TAP_EQUAL(agent_read(agent), EAGAIN, "and the agent does not hear of it");
}

/* One asks many times before another asks once: the other is read second. */
static void look_at_fairness(int agent)
{
	int many = socket_open(0), few = socket_open(0), i;
	__u32 first;

	for (i = 0; i < IPSP_XFRM_SENDER_MAX; i++)
		ask(many, XFRM_MSG_GETSADINFO, 0, (__u32)i, 4);
	ask(few, XFRM_MSG_GETSADINFO, 0, 1000, 4);
	agent_read(agent);
	first = box_message()->nlmsg_seq;
	agent_read(agent);
	tap(first == 0 && box_message()->nlmsg_seq == 1000, "senders are read in turn");
	TAP_EQUAL(relay_get().waiting, IPSP_XFRM_SENDER_MAX + 1, "all of them wait");
	TAP_EQUAL(ask(many, XFRM_MSG_GETSADINFO, 0, 2000, 4), 0, "one more than a sender may");
	TAP_EQUAL(read_error(many), ENOBUFS, "is refused, when it has waited");
	close(many);
	while (!agent_read(agent))
		TAP_EQUAL(box_message()->nlmsg_seq < IPSP_XFRM_SENDER_MAX, 1, "of a socket that is closed");
	close(few);
}

static void look_at_multicasts(int agent)
{
	struct nlmsghdr m = { .nlmsg_len = sizeof(m), .nlmsg_type = XFRM_MSG_FLUSHSA };
	struct sockaddr_nl from;
	socklen_t size = sizeof(from);
	int joined = socket_open(1 << (XFRMNLGRP_SA - 1)), other = socket_open(1 << (XFRMNLGRP_POLICY - 1));

	memset(&box.head, 0, sizeof(box.head));
	box.head.len = sizeof(box.head) + sizeof(m);
	box.head.type = IPSP_XFRM_MULTICAST;
	box.head.group = XFRMNLGRP_SA;
	memcpy(&box.head + 1, &m, sizeof(m));
	TAP_EQUAL(write(agent, &box, box.head.len), (int)box.head.len, "a multicast");
	TAP_EQUAL(recvfrom(joined, &got, sizeof(got), 0, (struct sockaddr *)&from, &size), (int)sizeof(m),
		  "who joined has it");
	TAP_EQUAL(from.nl_pid, 0, "from port id 0");
	TAP_EQUAL(recv(other, &got, sizeof(got), MSG_DONTWAIT), -1, "who did not, has not");
	box.head.group = XFRMNLGRP_MAX + 1;
	tap(write(agent, &box, box.head.len) < 0 && errno == EINVAL, "there is no such group");
	close(joined);
	close(other);
}

/* ---- dumps ------------------------------------------------------------------------------------- */

#define DUMP_MESSAGES 2000
#define DUMP_BYTES 100

/* An agent of its own process: the asker waits inside its call. */
static void dump_serve(int agent)
{
	static char part[IPSP_XFRM_MAX];
	struct ipsp_xfrm ask_;
	__u64 at;
	size_t used;

	for (;;) {
		struct pollfd p = { .fd = agent, .events = POLLIN };

		poll(&p, 1, -1);
		if (agent_read(agent) || box.head.type != IPSP_XFRM_DUMP)
			_exit(1);
		ask_ = box.head;
		at = ask_.cursor[0];
		for (used = 0; at < DUMP_MESSAGES && used + DUMP_BYTES <= ask_.room; at++, used += DUMP_BYTES) {
			struct nlmsghdr *m = (struct nlmsghdr *)(part + used);

			memset(m, 0, DUMP_BYTES);
			m->nlmsg_len = DUMP_BYTES;
			m->nlmsg_type = XFRM_MSG_NEWSA;
			m->nlmsg_flags = NLM_F_MULTI;
			m->nlmsg_seq = box_message()->nlmsg_seq;
			m->nlmsg_pid = (__u32)at;
		}
		memset(&box.head, 0, sizeof(box.head));
		box.head.type = IPSP_XFRM_PART;
		box.head.id = ask_.id;
		box.head.cursor[0] = at;
		box.head.flags = at < DUMP_MESSAGES ? IPSP_XFRMF_MORE : 0;
		box.head.len = (__u32)(sizeof(box.head) + used);
		memcpy(&box.head + 1, part, used);
		if (write(agent, &box, box.head.len) < 0)
			_exit(2);
	}
}

static int dump_read(int fd, int *done)
{
	ssize_t n = recv(fd, &got, sizeof(got), 0);
	const struct nlmsghdr *m;
	int count = 0;
	size_t at;

	for (at = 0; n > 0 && at < (size_t)n; at += NLMSG_ALIGN(m->nlmsg_len)) {
		m = (const struct nlmsghdr *)(got.bytes + at);
		if (m->nlmsg_type == NLMSG_DONE)
			*done = 1;
		else if (m->nlmsg_type == XFRM_MSG_NEWSA)
			count++;
	}
	if (n <= 0)
		*done = -1;
	return count;
}

static void look_at_a_dump(int agent)
{
	int fd = socket_open(0), small = 8192, done = 0, count = 0;
	pid_t pid = fork();

	if (!pid)
		dump_serve(agent);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	TAP_EQUAL(ask(fd, XFRM_MSG_GETSA, NLM_F_DUMP, 9, 0), 0, "a dump into a small buffer");
	while (!done)
		count += dump_read(fd, &done);
	TAP_EQUAL(done, 1, "it ends");
	TAP_EQUAL(count, DUMP_MESSAGES, "nothing of it is lost");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
}

/* ---- no agent -------------------------------------------------------------------------------------- */

static int seconds_since(time_t began)
{
	return (int)(time(NULL) - began);
}

static int dump_error(int fd)
{
	const int *error = (const int *)(&got.head + 1);

	if (recv(fd, &got, sizeof(got), 0) < 0)
		return errno;
	return got.head.nlmsg_type == NLMSG_DONE ? -*error : -1;
}

static void look_at_no_agent(void)
{
	int fd = socket_open(0), agent;
	time_t began = time(NULL);

	ask(fd, XFRM_MSG_NEWSA, 0, 1, 100);
	TAP_EQUAL(read_error(fd), ECONNREFUSED, "a request without an agent");
	ask(fd, XFRM_MSG_GETSA, NLM_F_DUMP, 2, 0);
	TAP_EQUAL(dump_error(fd), ECONNREFUSED, "a dump without an agent");
	agent = agent_open();
	ask(fd, XFRM_MSG_NEWSA, 0, 3, 100);
	ask(fd, XFRM_MSG_NEWSA, 0, 4, 100);
	agent_read(agent);
	close(agent);
	TAP_EQUAL(read_error(fd), ECONNREFUSED, "its agent has read it and gone");
	TAP_EQUAL(read_error(fd), ECONNREFUSED, "its agent has gone before");
	tap(seconds_since(began) < 5, "all of that at once");
	close(fd);
}

static void look_at_a_hung_agent(void)
{
	int agent = agent_open(), fd = socket_open(0);

	ask(fd, XFRM_MSG_NEWSA, 0, 1, 100);
	agent_read(agent);
	TAP_EQUAL(read_error(fd), ETIMEDOUT, "an agent that does not answer");
	close(fd);
	close(agent);
}

/* ---- an agent that is killed -------------------------------------------------------------------- */

static pid_t killed;

/* A process that is one; with the first request that comes it is killed, `reads` of its own will or unread. */
static void agent_begin(int reads)
{
	int ready[2];
	char c = 0;

	if (pipe(ready))
		tap_give_up("a pipe");
	killed = fork();
	if (!killed) {
		struct pollfd p = { .fd = agent_open(), .events = POLLIN };

		c = p.fd >= 0;
		if (write(ready[1], &c, 1) != 1 || poll(&p, 1, 30000) != 1 || (reads && agent_read(p.fd)))
			_exit(1);
		raise(SIGKILL);
	}
	if (killed < 0 || read(ready[0], &c, 1) != 1 || !c)
		tap_give_up("an agent in a process of its own");
	close(ready[0]);
	close(ready[1]);
}

static int agent_was_killed(void)
{
	int status = 0;

	return waitpid(killed, &status, 0) == killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static int agent_acknowledge(int agent, __u64 id)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr e;
	} m;

	memset(&m, 0, sizeof(m));
	m.head.nlmsg_len = sizeof(m);
	m.head.nlmsg_type = NLMSG_ERROR;
	return agent_write(agent, IPSP_XFRM_ANSWER, id, IPSP_XFRMF_DONE, &m, sizeof(m));
}

static void look_at_a_successor(void)
{
	int fd = socket_open(0), listener = socket_open(1u << (XFRMNLGRP_SA - 1)), agent;
	void *nowhere = mmap(NULL, sizeof(box), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u64 first;

	agent_begin(1);
	ask(fd, XFRM_MSG_NEWSA, 0, 1, 100);
	tap(agent_was_killed(), "an agent is killed with a request in hand");
	ask(fd, XFRM_MSG_NEWSA, 0, 2, 100);
	TAP_EQUAL(read_error(listener), ENOBUFS, "a listener hears that it may have missed something");
	agent = agent_open();
	tap(agent >= 0, "another one comes");
	TAP_EQUAL(read(agent, nowhere, sizeof(box)) < 0 ? errno : 0, EFAULT, "it reads to where nothing is");
	TAP_EQUAL(agent_read(agent), 0, "what was asked meanwhile is still there to be read");
	TAP_EQUAL(box_message()->nlmsg_seq, 2, "and it is that");
	first = box.head.id - 1;		/* ids are given one by one */
	TAP_EQUAL(agent_write(agent, IPSP_XFRM_ANSWER, box.head.id, IPSP_XFRMF_DONE, "", 0), 0, "it is over");
	TAP_EQUAL(agent_read(agent), EAGAIN, "nothing else is to be read: the kernel has no copy");
	TAP_EQUAL(agent_acknowledge(agent, first), 0, "what its predecessor had read it answers by its id");
	TAP_EQUAL(read_error(fd), 0, "its sender hears");
	TAP_EQUAL(agent_write(agent, IPSP_XFRM_ANSWER, first, IPSP_XFRMF_DONE, "", 0), ENOENT, "once");
	close(agent);
	close(listener);
	close(fd);
}

static void look_at_no_successor(void)
{
	int fd = socket_open(0);
	time_t began = time(NULL);

	agent_begin(0);
	ask(fd, XFRM_MSG_NEWSA, 0, 1, 100);
	tap(agent_was_killed(), "an agent is killed, and no other comes");
	TAP_EQUAL(read_error(fd), ECONNREFUSED, "what was asked is refused");
	tap(seconds_since(began) >= 2 && seconds_since(began) < 10, "after some seconds: %d", seconds_since(began));
	began = time(NULL);
	ask(fd, XFRM_MSG_NEWSA, 0, 2, 100);
	TAP_EQUAL(read_error(fd), ECONNREFUSED, "and what is asked then");
	tap(seconds_since(began) < 2, "at once");
	close(fd);
}

int main(void)
{
	int agent;

	if (system("for m in xfrm_user af_key; do rmmod $m 2> /dev/null; done; ! grep -q ^xfrm_user /proc/modules") ||
	    unshare(CLONE_NEWNET))
		tap_give_up("a namespace without xfrm_user");
	control = open("/dev/ipsec-port/control", O_RDWR);
	if (control < 0)
		tap_give_up("control");
	printf("TAP version 13\n");
	look_at_on_and_off();
	look_at_all();
	relay_set(IPSP_RELAYF_ON);
	look_at_no_agent();
	agent = agent_open();
	look_at_a_request(agent);
	look_at_rights(agent);
	look_at_fairness(agent);
	look_at_multicasts(agent);
	look_at_a_dump(agent);
	close(agent);
	look_at_a_hung_agent();
	look_at_a_successor();
	look_at_no_successor();
	TAP_EQUAL(relay_set(0), 0, "off");
	return tap_end();
}
