// SPDX-License-Identifier: GPL-2.0-only
/*
 * secret.c - what an agent answers does not stay in the kernel's memory when it was read
 *
 * Answers carry a pattern of random words, which this program keeps in another form only. All
 * memory is searched for it: it is there while an answer waits for its reader, which shows
 * that the search finds it, and nowhere when that one has read it, or has closed its socket.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipsec_port.h"
#include "tap.h"

static const char note[] __attribute__((used)) = "\n# mode: one\n";	/* for the runner */

#define WORDS	4u
#define BODY	1024u			/* bytes of pattern in a message */
#define CHUNK	(1u << 20)

static const volatile uint64_t mask = 0x5a17c0de9b3d2e61ull;
static uint64_t masked[WORDS];		/* the pattern's words, each xor mask */

static union {
	struct ipsp_xfrm head;
	char bytes[sizeof(struct ipsp_xfrm) + IPSP_XFRM_MAX];
} box;

/* ---- searching ---------------------------------------------------------------------------------- */

static int holds(const uint64_t *at, size_t words)
{
	uint64_t m = mask, a = masked[0], b = masked[1];
	size_t i;

	for (i = 0; i + 1 < words; i++)
		if ((at[i] ^ m) == a && (at[i + 1] ^ m) == b)
			return 1;
	return 0;
}

/*
 * A hit is read over, here and in the kernel's own buffer of the file, by memory that is
 * another: of the begin, or where that was the hit, of the end.
 */
static int seek_range(int fd, off_t at, size_t size)
{
	static uint64_t chunk[CHUNK / 8];
	off_t other;
	size_t done, part;
	int hit = 0;

	for (done = 0; !hit && done < size; done += part) {
		ssize_t n;

		part = size - done < CHUNK ? size - done : CHUNK;
		n = pread(fd, chunk, part, at + (off_t)done);
		hit = n > 0 && holds(chunk, (size_t)n / 8);
	}
	explicit_bzero(chunk, sizeof(chunk));
	other = done > CHUNK ? at : at + (off_t)size - 4096;
	if (hit && pread(fd, chunk, 4096, other) < 0)
		tap_give_up("/proc/kcore");
	return hit;
}

/* Physical memory: the segments that have a physical address and are no part of another. */
static int seek(void)
{
	int fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC), hit = 0;
	Elf64_Phdr segment[64];
	size_t i, bytes = 0;
	Elf64_Ehdr head;

	if (fd < 0 || read(fd, &head, sizeof(head)) != sizeof(head) || head.e_phnum > 64 ||
	    pread(fd, segment, head.e_phnum * sizeof(segment[0]), (off_t)head.e_phoff) < 0)
		tap_give_up("/proc/kcore");
	for (i = 0; !hit && i < head.e_phnum; i++) {
		if (segment[i].p_type != PT_LOAD || segment[i].p_paddr == (Elf64_Addr)-1)
			continue;
		bytes += segment[i].p_memsz;
		hit = seek_range(fd, (off_t)segment[i].p_offset, segment[i].p_memsz);
	}
	close(fd);
	printf("# %s, %zu MiB\n", hit ? "found" : "not found", bytes >> 20);
	return hit;
}

/* What a closed socket held goes some time later. */
static int stays(void)
{
	int tries;

	for (tries = 0; tries < 5; tries++)
		if (!seek())
			return 0;
	return 1;
}

/* ---- one answer ----------------------------------------------------------------------------------- */

static int socket_open(void)
{
	struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		tap_give_up("an XFRM socket");
	return fd;
}

static void ask(int fd, __u16 flags)
{
	struct nlmsghdr m = { .nlmsg_len = sizeof(m), .nlmsg_type = XFRM_MSG_GETSA,
			      .nlmsg_flags = NLM_F_REQUEST | flags };

	if (send(fd, &m, sizeof(m), 0) != sizeof(m))
		tap_give_up("asking");
}

/* The next request is answered with the pattern. */
static int serve(int agent)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(&box.head + 1);
	struct pollfd p = { .fd = agent, .events = POLLIN };
	uint64_t *body = (uint64_t *)(m + 1);
	__u32 size = sizeof(*m) + BODY, i;
	int is_dump, err;

	if (poll(&p, 1, 60000) != 1 || read(agent, &box, sizeof(box)) < 0)
		return -errno;
	is_dump = box.head.type == IPSP_XFRM_DUMP;
	box.head.len = (__u32)sizeof(box.head) + size;
	box.head.type = is_dump ? IPSP_XFRM_PART : IPSP_XFRM_ANSWER;
	box.head.flags = is_dump ? 0 : IPSP_XFRMF_DONE;
	box.head.portid = 0;
	box.head.room = 0;
	m->nlmsg_len = size;
	m->nlmsg_type = XFRM_MSG_NEWSA;
	m->nlmsg_flags = is_dump ? NLM_F_MULTI : 0;
	for (i = 0; i < BODY / sizeof(*body); i++)
		body[i] = masked[i % WORDS] ^ mask;
	err = write(agent, &box, box.head.len) < 0 ? -errno : 0;
	explicit_bzero(&box, sizeof(box));
	return err;
}

static int read_pattern(int fd)
{
	static uint64_t got[8192];
	ssize_t n = recv(fd, got, sizeof(got), 0);
	int whole = n >= (ssize_t)(sizeof(struct nlmsghdr) + BODY) &&
		    holds(got + sizeof(struct nlmsghdr) / 8, BODY / 8);

	explicit_bzero(got, sizeof(got));
	return whole;
}

/* ---- what is looked at ------------------------------------------------------------------------------- */

static void look_at_an_answer(int agent)
{
	int fd = socket_open();

	ask(fd, 0);
	TAP_EQUAL(serve(agent), 0, "an answer");
	tap(seek(), "it is found while it waits for its reader");
	tap(read_pattern(fd), "it is read");
	tap(!seek(), "nowhere after it was read");
	close(fd);
}

/* The asker waits inside its call: the agent is a process of its own. */
static void look_at_a_dump(int agent)
{
	int fd = socket_open(), status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(serve(agent) ? 1 : 0);
	ask(fd, NLM_F_DUMP);
	waitpid(pid, &status, 0);
	TAP_EQUAL(status, 0, "a dump");
	tap(seek(), "it is found while it waits for its reader");
	tap(read_pattern(fd), "it is read");
	tap(!stays(), "nowhere after it was read");
	close(fd);
}

static void look_at_a_closed_socket(int agent)
{
	int fd = socket_open();

	ask(fd, 0);
	TAP_EQUAL(serve(agent), 0, "an answer that is not read");
	tap(seek(), "it is found");
	close(fd);
	tap(!stays(), "nowhere after its socket was closed");
}

int main(void)
{
	struct ipsp_relay on = { .flags = IPSP_RELAYF_ON }, off = { .flags = 0 };
	int control, agent;

	if (system("for m in xfrm_user af_key; do rmmod $m 2> /dev/null; done; ! grep -q ^xfrm_user /proc/modules") ||
	    unshare(CLONE_NEWNET))
		tap_give_up("a namespace without xfrm_user");
	control = open("/dev/ipsec-port/control", O_RDWR);
	if (control < 0 || tap_ioctl(control, IPSP_CTL_RELAY_SET, &on) ||
	    getrandom(masked, sizeof(masked), 0) != sizeof(masked))
		tap_give_up("control");
	agent = open("/dev/ipsec-port/" IPSP_XFRM_NAME, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (agent < 0)
		tap_give_up("an agent");
	printf("TAP version 13\n");
	look_at_an_answer(agent);
	look_at_a_dump(agent);
	look_at_a_closed_socket(agent);
	close(agent);
	TAP_EQUAL(tap_ioctl(control, IPSP_CTL_RELAY_SET, &off), 0, "off");
	return tap_end();
}
