// SPDX-License-Identifier: GPL-2.0-only
/*
 * agent.c - the device of the keying agent, and what of it is refused
 *
 * It has no calls, only messages that are read and written. As in refusal.c: a message that is right but for one thing
 * is refused by its errno, the right one is not, and what was refused has reached nobody. What becomes of right ones:
 * relay.c.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipsec_port.h"
#include "tap.h"

static const char note[] __attribute__((used)) = "\n# mode: one\n";

#define DEVICE "/dev/ipsec-port/" IPSP_XFRM_NAME

static int control;

static struct box {
	struct ipsp_xfrm head;
	char bytes[IPSP_XFRM_MAX + 64];
} box;

static int relay_set(__u32 flags)
{
	struct ipsp_relay r = { .flags = flags };

	return tap_ioctl(control, IPSP_CTL_RELAY_SET, &r);
}

static unsigned int waiting(void)
{
	struct ipsp_relay r = { 0 };

	if (ioctl(control, IPSP_CTL_RELAY_GET, &r))
		tap_give_up("relay get");
	return r.waiting;
}

/* ---- who may open it ------------------------------------------------------------------------------------ */

static int open_errno(void)
{
	int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC), err = fd < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

static int open_as_is(void)
{
	return open_errno();
}

static int open_as_nobody(void)
{
	return setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534) ? 255 : open_errno();
}

static int open_without_right(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return 255;
	data[0].effective &= ~(1u << CAP_NET_ADMIN);
	return syscall(SYS_capset, &head, data) ? 255 : open_errno();
}

/* All capabilities, but not over this network namespace */
static int open_elsewhere(void)
{
	return unshare(CLONE_NEWUSER) ? 255 : open_errno();
}

/* Another one: its relay is off. */
static int open_another(void)
{
	return unshare(CLONE_NEWNET) ? 255 : open_errno();
}

static int in_child(int (*what)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(what());
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		tap_give_up("a child");
	return WEXITSTATUS(status);
}

static void test_open(void)
{
	TAP_EQUAL(in_child(open_as_is), ENOTCONN, "open: where the relay is off");
	if (relay_set(IPSP_RELAYF_ON))
		tap_give_up("a relay");
	TAP_EQUAL(in_child(open_as_nobody), EACCES, "open: as nobody");
	TAP_EQUAL(in_child(open_without_right), EPERM, "open: as root without CAP_NET_ADMIN");
	TAP_EQUAL(in_child(open_elsewhere), EPERM, "open: as root of another user namespace");
	TAP_EQUAL(in_child(open_another), ENOTCONN, "open: in another network namespace, whose relay is off");
	TAP_EQUAL(in_child(open_as_is), 0, "open: control: as root");
}

/* ---- no calls -------------------------------------------------------------------------------------------- */

static void test_calls(int agent)
{
	static const unsigned long known[] = {
		IPSP_CTL_FEATURES, IPSP_CTL_RULES_SET, IPSP_CTL_RELAY_SET, IPSP_CTL_RELAY_GET, IPSP_IOC_ATTACH,
		IPSP_IOC_LAYOUT, IPSP_IOC_KICK, IPSP_IOC_CONTROL, IPSP_IOC_HASH_KEY, IPSP_IOC_STORE, IPSP_IOC_TAKE,
	};
	unsigned int i, nr, bad = 0;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		bad += tap_ioctl(agent, known[i], &box) != ENOTTY;
	for (nr = 0; nr < 256; nr++)
		for (i = 0; i < 4; i++)
			bad += tap_ioctl(agent, _IOC(i, IPSP_MAGIC, nr, sizeof(struct ipsp_xfrm)), &box) != ENOTTY;
	TAP_EQUAL(bad, 0, "no number is a call of this device");
	tap(mmap(NULL, 4096, PROT_READ, MAP_SHARED, agent, 0) == MAP_FAILED && errno == ENODEV, "nor is it mapped");
}

/* ---- what is wrong with a message ---------------------------------------------------------------------------- */

#define WORDS	64			/* bytes behind the header of a right message */

struct wrong {
	const char *what;
	unsigned int at;		/* 4 bytes of the header become this, */
	__u32 value;
	int add;			/* and so many bytes more are written, as `len` says or not */
	int error;
};

#define WRONG(member, value, error) \
	{ #member " = " #value, offsetof(struct ipsp_xfrm, member), value, 0, error }
#define END { NULL, 0, 0, 0, 0 }
#define LEN	((__u32)sizeof(struct ipsp_xfrm) + WORDS)

/* Of each kind */
static const struct wrong wrong_head[] = {
	WRONG(len, 0, EINVAL), WRONG(len, LEN - 1, EINVAL), WRONG(len, LEN + 1, EINVAL), WRONG(len, 0xffffffff, EINVAL),
	WRONG(type, 0, EINVAL), WRONG(type, IPSP_XFRM_REQUEST, EINVAL), WRONG(type, IPSP_XFRM_DUMP, EINVAL),
	WRONG(type, IPSP_XFRM_MULTICAST + 1, EINVAL), WRONG(type, 0xffffffff, EINVAL),
	WRONG(flags, 1u << 2, EINVAL), WRONG(flags, 1u << 31, EINVAL),
	WRONG(reserved[0], 1, EINVAL), WRONG(reserved[1], 1u << 31, EINVAL), WRONG(reserved[2], 1, EINVAL),
	{ "a byte less than it says", offsetof(struct ipsp_xfrm, len), LEN, -1, EINVAL },
	{ "a byte more than it says", offsetof(struct ipsp_xfrm, len), LEN, 1, EINVAL },
	{ "half a header", offsetof(struct ipsp_xfrm, len), sizeof(struct ipsp_xfrm) / 2,
	  -(int)(WORDS + sizeof(struct ipsp_xfrm) / 2), EINVAL },
	{ "nothing", offsetof(struct ipsp_xfrm, len), 0, -(int)LEN, EINVAL },
	{ "more than there may be", offsetof(struct ipsp_xfrm, len), sizeof(struct ipsp_xfrm) + IPSP_XFRM_MAX + 1,
	  IPSP_XFRM_MAX + 1 - WORDS, EINVAL },
	END
};
/* The upper half of `id`, which has 64 bits */
#define ID_HIGH	{ "an id beyond 32 bits", offsetof(struct ipsp_xfrm, id) + 4, 1, 0, ENOENT }
static const struct wrong wrong_answer[] = {
	WRONG(error, -1, EINVAL), WRONG(error, 1, EINVAL), WRONG(id, 0, ENOENT), WRONG(id, 0x7fffffff, ENOENT), ID_HIGH,
	WRONG(type, IPSP_XFRM_PART, ENOENT), END
};
static const struct wrong wrong_part[] = {
	WRONG(error, 1, EINVAL), WRONG(error, 0x7fffffff, EINVAL), WRONG(error, -4096, EINVAL),
	WRONG(error, 1u << 31, EINVAL), WRONG(id, 0, ENOENT), WRONG(id, 0x7fffffff, ENOENT), ID_HIGH,
	WRONG(type, IPSP_XFRM_ANSWER, ENOENT), END
};
static const struct wrong wrong_multicast[] = {
	WRONG(error, -1, EINVAL), WRONG(error, 1, EINVAL), WRONG(group, 0, EINVAL),
	WRONG(group, XFRMNLGRP_MAX + 1, EINVAL), WRONG(group, 0xffffffff, EINVAL),
	{ "no message", offsetof(struct ipsp_xfrm, len), sizeof(struct ipsp_xfrm), -WORDS, EINVAL }, END
};

static int written(int agent, const void *from, size_t size)
{
	return write(agent, from, size) < 0 ? errno : 0;
}

static void fill(const struct ipsp_xfrm *right)
{
	struct nlmsghdr *m = (struct nlmsghdr *)box.bytes;

	memset(&box, 0, sizeof(box));
	box.head = *right;
	box.head.len = LEN;
	m->nlmsg_len = WORDS;
	m->nlmsg_type = XFRM_MSG_NEWSA;
	m->nlmsg_flags = right->type == IPSP_XFRM_PART ? NLM_F_MULTI : 0;
}

static void test_wrong(int agent, const char *name, const struct ipsp_xfrm *right, const struct wrong *w)
{
	for (; w->what; w++) {
		fill(right);
		memcpy((char *)&box + w->at, &w->value, sizeof(w->value));
		TAP_EQUAL(written(agent, &box, (size_t)((int)LEN + w->add)), w->error, "%s: %s", name, w->what);
	}
}

/* Memory that is not there, or ends in the header, or behind it */
static void test_memory(int agent, const char *name, const struct ipsp_xfrm *right)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED || munmap(page + 4096, 4096))
		tap_give_up("a page");
	fill(right);
	TAP_EQUAL(written(agent, page + 4096, LEN), EFAULT, "%s: no memory", name);
	memcpy(page + 4096 - 32, &box, 32);
	TAP_EQUAL(written(agent, page + 4096 - 32, LEN), EFAULT, "%s: memory that ends in the header", name);
	memcpy(page + 4097 - LEN, &box, LEN - 1);
	TAP_EQUAL(written(agent, page + 4097 - LEN, LEN), EFAULT, "%s: memory that ends a byte too soon", name);
	munmap(page, 4096);
}

/* ---- who asks, and listens ------------------------------------------------------------------------------------ */

static int socket_open(__u32 groups)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_groups = groups };
	struct timeval patience = { .tv_sec = 30 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);

	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		tap_give_up("an XFRM socket");
	return fd;
}

static int ask(int fd, __u16 type, __u16 flags)
{
	struct nlmsghdr m = { .nlmsg_len = sizeof(m), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags };

	return send(fd, &m, sizeof(m), 0) < 0 ? errno : 0;
}

static char heard[1 << 16];

static int hears(int fd, int flags)
{
	return (int)recv(fd, heard, sizeof(heard), flags);
}

/* Reads what is asked; gives up when nothing is. */
static struct ipsp_xfrm agent_read(int agent)
{
	struct pollfd p = { .fd = agent, .events = POLLIN };

	if (poll(&p, 1, 10000) != 1 || read(agent, &box, sizeof(box)) < 0)
		tap_give_up("what was asked");
	return box.head;
}

/* A request that is not read yet is nobody's to answer; then each lie about it; then its answer. */
static void test_answer(int agent)
{
	struct ipsp_xfrm right = { .type = IPSP_XFRM_ANSWER, .flags = IPSP_XFRMF_DONE };
	void *nowhere = mmap(NULL, sizeof(box), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = socket_open(0), other = socket_open(0);
	char small[sizeof(struct ipsp_xfrm) + 8];

	ask(fd, XFRM_MSG_GETSADINFO, 0);
	right.id = agent_read(agent).id;
	ask(other, XFRM_MSG_GETSADINFO, 0);
	fill(&right);
	box.head.id = right.id + 1;		/* ids are given one by one */
	TAP_EQUAL(written(agent, &box, LEN), ENOENT, "ANSWER: to what was not read yet");
	TAP_EQUAL(read(agent, small, sizeof(small)) < 0 ? errno : 0, EMSGSIZE, "read: into less than it needs");
	TAP_EQUAL(read(agent, nowhere, sizeof(box)) < 0 ? errno : 0, EFAULT, "read: into no memory");
	TAP_EQUAL(agent_read(agent).id, right.id + 1, "read: control: it is still there");
	test_wrong(agent, "ANSWER", &right, wrong_head);
	test_wrong(agent, "ANSWER", &right, wrong_answer);
	test_memory(agent, "ANSWER", &right);
	TAP_EQUAL(waiting(), 2, "ANSWER: both still wait");
	TAP_EQUAL(hears(fd, MSG_DONTWAIT), -1, "ANSWER: nothing of all that came to who asked");
	fill(&right);
	TAP_EQUAL(written(agent, &box, LEN), 0, "ANSWER: control: the right one");
	TAP_EQUAL(hears(fd, 0), WORDS, "ANSWER: control: it came");
	fill(&right);
	TAP_EQUAL(written(agent, &box, LEN), ENOENT, "ANSWER: a second time");
	TAP_EQUAL(hears(other, MSG_DONTWAIT), -1, "ANSWER: the other one has none");
	box.head.id++;
	TAP_EQUAL(written(agent, &box, LEN), 0, "ANSWER: control: and then it has its own");
	close(fd);
	close(other);
}

/* Its asker waits inside of its call: a process of its own, which says how much came. */
static pid_t dump_ask(void)
{
	int fd, n, total = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	fd = socket_open(0);
	if (ask(fd, XFRM_MSG_GETSA, NLM_F_DUMP))
		_exit(254);
	for (;;) {
		n = hears(fd, 0);
		if (n <= 0)
			_exit(253);
		if (((struct nlmsghdr *)heard)->nlmsg_type == NLMSG_DONE)
			_exit(total);
		total += WORDS;
		if (n > WORDS)		/* the end came with it */
			_exit(total);
	}
}

static void test_part(int agent)
{
	struct ipsp_xfrm right = { .type = IPSP_XFRM_PART };
	pid_t asker = dump_ask();
	struct ipsp_xfrm asked;
	int status = -1;
	__u32 long_len;

	asked = agent_read(agent);
	TAP_EQUAL(asked.type, IPSP_XFRM_DUMP, "PART: a dump is asked for");
	right.id = asked.id;
	test_wrong(agent, "PART", &right, wrong_head);
	test_wrong(agent, "PART", &right, wrong_part);
	test_memory(agent, "PART", &right);
	tap(asked.room && asked.room < IPSP_XFRM_MAX, "PART: there is room for %u", asked.room);
	fill(&right);
	long_len = box.head.len = (__u32)sizeof(box.head) + asked.room + 4;
	TAP_EQUAL(written(agent, &box, long_len), EMSGSIZE, "PART: more than there is room for");
	TAP_EQUAL(waiting(), 1, "PART: the dump still waits");
	fill(&right);
	TAP_EQUAL(written(agent, &box, LEN), 0, "PART: control: the right one");
	waitpid(asker, &status, 0);
	TAP_EQUAL(WIFEXITED(status) ? WEXITSTATUS(status) : -1, WORDS, "PART: control: it came, and nothing else");
	fill(&right);
	TAP_EQUAL(written(agent, &box, LEN), ENOENT, "PART: of a dump that is over");
}

static void test_multicast(int agent)
{
	const struct ipsp_xfrm right = { .type = IPSP_XFRM_MULTICAST, .group = XFRMNLGRP_SA };
	int fd = socket_open(1u << (XFRMNLGRP_SA - 1));

	test_wrong(agent, "MULTICAST", &right, wrong_head);
	test_wrong(agent, "MULTICAST", &right, wrong_multicast);
	test_memory(agent, "MULTICAST", &right);
	TAP_EQUAL(hears(fd, MSG_DONTWAIT), -1, "MULTICAST: nothing of all that came to who joined");
	fill(&right);
	TAP_EQUAL(written(agent, &box, LEN), 0, "MULTICAST: control: the right one");
	TAP_EQUAL(hears(fd, 0), WORDS, "MULTICAST: control: it came");
	close(fd);
}

int main(void)
{
	int agent;

	if (system("for m in xfrm_user af_key; do rmmod $m 2> /dev/null; done; ! grep -q ^xfrm_user /proc/modules") ||
	    unshare(CLONE_NEWNET))
		tap_give_up("a namespace without xfrm_user");
	control = open("/dev/ipsec-port/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		tap_give_up("control");
	test_open();
	agent = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (agent < 0)
		tap_give_up("an agent");
	test_calls(agent);
	test_answer(agent);
	test_part(agent);
	test_multicast(agent);
	TAP_EQUAL(waiting(), 0, "nothing waits");
	close(agent);
	TAP_EQUAL(relay_set(0), 0, "off");
	return tap_end();
}
