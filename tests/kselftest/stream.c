// SPDX-License-Identifier: GPL-2.0-only
/*
 * stream.c - a stack's attachment: how it ends, and how it is kept waiting for
 *
 * We are the manager; the stack is a child that takes one record at a time (read(2)) and
 * does what we tell it over a pipe, a letter for each thing. Who lets go of the port is left
 * in peace, who breaks its rules is killed; a control record without room is refused, has its
 * turn before packets, and a stack that makes no room for a deadline is ended.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipsec_port.h"
#include "ipsec_port_ring.h"
#include "stall.h"
#include "tap.h"

#define NAME "streams"
#define DEVICE "/dev/ipsec-port/" NAME
#define RING IPSP_RING_MIN

static int control, port;

/* ---- the stack: a child ---------------------------------------------------------------------- */

struct child {
	pid_t pid;
	int order;			/* we write a letter */
	int done;			/* it writes an errno, a byte, when that is done */
};

static int open_soon(const char *path)
{
	int fd, i;

	for (i = 0; (fd = open(path, O_RDWR)) < 0 && i < 100; i++)
		usleep(50000);
	return fd;
}

static void *map_word;			/* of the stack: one of its areas */

static int order_map(int fd)
{
	struct ipsp_layout l;

	if (ioctl(fd, IPSP_IOC_LAYOUT, &l))
		return errno;
	map_word = mmap(NULL, l.page_size, PROT_READ, MAP_SHARED, fd, l.kernel_words_offset);
	return map_word == MAP_FAILED ? errno : 0;
}

static int order_read(int fd)
{
	static _Alignas(64) char record[IPSP_RECORD_MAX];

	return read(fd, record, sizeof(record)) < 0 ? errno : 0;
}

/* A record of a type that no stack may say. */
static int order_lie(int fd)
{
	struct ipsp_record rec = { .len = sizeof(rec), .type = IPSP_REC_SA_ADD };

	return write(fd, &rec, sizeof(rec)) < 0 ? errno : 0;
}

/* ---- a second thread of it, inside a call ---- */

static struct stall stall;
static struct ipsp_message message;
static volatile int caller;		/* the thread's id, when it is about to call */
static int caller_fd, caller_err;
static unsigned long caller_call;
static pthread_t caller_thread;

static void *call(void *unused)
{
	(void)unused;
	caller = (int)syscall(SYS_gettid);
	caller_err = ioctl(caller_fd, caller_call, &message) ? errno : 0;
	return NULL;
}

static int caller_start(int fd, unsigned long number, void *record, unsigned int size)
{
	message = (struct ipsp_message){ .record = (uintptr_t)record, .size = size };
	caller_fd = fd;
	caller_call = number;
	return pthread_create(&caller_thread, NULL, call, NULL);
}

/* The call uses memory that lets it wait. */
static int order_stall(int fd, unsigned long number)
{
	if (stall_begin(&stall) || caller_start(fd, number, stall.page, 4096))
		return errno;
	return stall_has_one(&stall) ? 0 : ETIMEDOUT;
}

static int caller_sleeps(void)
{
	char path[64], state = '?';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", caller);
	f = caller ? fopen(path, "r") : NULL;
	if (!f)
		return 0;
	if (fscanf(f, "%*d %*s %c", &state) != 1)
		state = '?';
	fclose(f);
	return state == 'S';
}

static void on_signal(int unused)
{
	(void)unused;
}

/*
 * It waits in GETMSG for a record, behind all that was read; another thread maps the words, says that one is there, and
 * wakes it. What lies in the ring there looks like a record of 16 MiB. The errno is GETMSG's.
 */
static int order_index(int fd)
{
	const size_t size = 32 << 20;
	void *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct sigaction a = { .sa_handler = on_signal };
	struct ipsp_words *words;
	struct ipsp_layout l;
	int i;

	sigaction(SIGUSR1, &a, NULL);
	if (ioctl(fd, IPSP_IOC_LAYOUT, &l) || caller_start(fd, IPSP_IOC_GETMSG, room, size))
		return errno;
	for (i = 0; i < 1000 && !caller_sleeps(); i++)
		usleep(10000);
	words = mmap(NULL, l.page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, l.stack_words_offset);
	if (words == MAP_FAILED)
		return errno;
	words->down.kindex -= IPSP_ALIGN;
	pthread_kill(caller_thread, SIGUSR1);
	pthread_join(caller_thread, NULL);
	return caller_err;
}

/* A copy of its rings for whoever it makes is refused. */
static int order_share(int fd)
{
	return order_map(fd) || !madvise(map_word, 4096, MADV_DOFORK) ? 0 : errno;
}

/* Its down ring, whole, or from the second page on, or to another address. */
static int order_split(int fd, int move)
{
	struct ipsp_layout l;
	char *ring;

	if (ioctl(fd, IPSP_IOC_LAYOUT, &l))
		return errno;
	ring = mmap(NULL, 2 * (size_t)l.down_size, PROT_READ, MAP_SHARED, fd, l.down_offset);
	if (ring == MAP_FAILED)
		return errno;
	if (move)
		return mremap(ring, 2 * (size_t)l.down_size, 2 * (size_t)l.down_size, MREMAP_MAYMOVE | MREMAP_FIXED,
			      ring + (1ull << 32)) == MAP_FAILED ? errno : 0;
	return munmap(ring + l.page_size, l.page_size) ? errno : 0;
}

/* A record that it has no room for, and memory that is not there: its errno, if what is told of its size is right. */
static int order_get(int fd, __u64 record, __u32 size)
{
	struct ipsp_message m = { .record = record, .size = size };
	int err = ioctl(fd, IPSP_IOC_GETMSG, &m) ? errno : 0;

	return err == EMSGSIZE && m.size <= size ? EPROTO : err;
}

static int order_do(int fd, char letter)
{
	switch (letter) {
	case 't': return order_split(fd, 0);
	case 'v': return order_split(fd, 1);
	case 's': return order_get(fd, 0, sizeof(struct ipsp_record));
	case 'n': return order_get(fd, 0, IPSP_RECORD_MAX);
	case 'g': return order_stall(fd, IPSP_IOC_GETMSG);
	case 'p': return order_stall(fd, IPSP_IOC_PUTMSG);
	case 'i': return order_index(fd);
	case 'f': return order_share(fd);
	case 'm': return order_map(fd);
	case 'u': return munmap(map_word, 4096) ? errno : 0;
	case 'c': return close(fd) ? errno : 0;
	case 'k': return ioctl(fd, IPSP_IOC_KICK, 0) ? errno : 0;
	case 'r': return order_read(fd);
	case 'l': return order_lie(fd);
	default: _exit(7);
	}
}

static void child_live(int fd, int order, int done)
{
	char letter, err;

	while (read(order, &letter, 1) == 1) {
		err = (char)order_do(fd, letter);
		if (write(done, &err, 1) != 1)
			break;
	}
	_exit(7);
}

static struct child child_start(void)
{
	struct ipsp_attach a = { .role = IPSP_ROLE_STACK };
	int order[2], done[2], fd;
	struct child k;

	if (pipe(order) || pipe(done))
		tap_give_up("pipe");
	k = (struct child){ fork(), order[1], done[0] };
	if (!k.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(order[1]);
		close(port);
		fd = open_soon(DEVICE);
		if (fd < 0 || ioctl(fd, IPSP_IOC_ATTACH, &a))
			_exit(9);
		child_live(fd, order[0], done[1]);
	}
	close(order[0]);
	close(done[1]);
	return k;
}

static void child_tell(const struct child *k, char letter)
{
	if (write(k->order, &letter, 1) != 1)
		printf("# stack %d is not there to be told '%c'\n", k->pid, letter);
}

/* The order's errno; -1: it did not live to say so. */
static int child_does(const struct child *k, char letter)
{
	struct pollfd p = { .fd = k->done, .events = POLLIN };
	char err;

	child_tell(k, letter);
	if (poll(&p, 1, 15000) != 1 || read(k->done, &err, 1) != 1)
		return -1;
	return err;
}

/* Its wait status within a second, or -1: it lives. */
static int child_status(const struct child *k)
{
	int status, i;

	for (i = 0; i < 100; i++) {
		if (waitpid(k->pid, &status, WNOHANG) == k->pid)
			return status;
		usleep(10000);
	}
	return -1;
}

static void child_end(const struct child *k)
{
	kill(k->pid, SIGKILL);
	waitpid(k->pid, NULL, 0);
	close(k->order);
	close(k->done);
}

/* ---- the manager: us --------------------------------------------------------------------------- */

static void manager_enter(void)
{
	struct ipsp_attach a = { .role = IPSP_ROLE_MANAGER };

	port = open_soon(DEVICE);
	if (port < 0 || ioctl(port, IPSP_IOC_ATTACH, &a) || fcntl(port, F_SETFL, O_NONBLOCK))
		tap_give_up("attach as manager");
}

static void begin(unsigned int deadline_ms)
{
	struct ipsp_compartment c = {
		.name = NAME, .deadline_ms = deadline_ms, .down_size = RING, .up_size = RING,
	};

	if (ioctl(control, IPSP_CTL_COMPARTMENT_ADD, &c))
		tap_give_up("compartment add");
	manager_enter();
}

static void end(void)
{
	struct ipsp_name n = { .name = NAME };

	close(port);
	if (ioctl(control, IPSP_CTL_COMPARTMENT_DEL, &n))
		tap_give_up("compartment del");
}

/* The next event within so many milliseconds; event 0: none. */
static struct ipsp_event event_within(int ms)
{
	static _Alignas(64) char record[4096];
	struct pollfd p = { .fd = port, .events = POLLIN };

	if (poll(&p, 1, ms) != 1 || read(port, record, sizeof(record)) < 0)
		return (struct ipsp_event){ 0 };
	return *(struct ipsp_event *)(record + sizeof(struct ipsp_record));
}

static void expect_event(unsigned int event, unsigned int cause, const struct child *k,
			 const char *what)
{
	struct ipsp_event e = event_within(10000);

	if (!tap(e.event == event && e.cause == cause && e.pid == k->pid, "%s", what))
		printf("# event %u cause %u pid %d, wanted %u %u %d\n", e.event, e.cause, e.pid,
		       event, cause, k->pid);
}

static struct child attached(void)
{
	struct child k = child_start();

	expect_event(IPSP_EVENT_STACK_ATTACHED, 0, &k, "the stack attaches");
	return k;
}

/* A control record of `length` bytes of data to stack 0; its errno. */
static int send_record(unsigned int type, unsigned int control_len, unsigned int length)
{
	static _Alignas(64) char bytes[IPSP_RECORD_MAX];
	struct ipsp_record *rec = (struct ipsp_record *)bytes;
	struct ipsp_control c = { .record = (uintptr_t)rec };

	memset(bytes, 1, sizeof(bytes));
	memset(rec, 0, sizeof(*rec) + control_len);
	rec->type = type;
	rec->control_len = control_len;
	rec->data_offset = ipsp_record_data_offset(control_len);
	rec->data_len = length;
	rec->len = (rec->data_offset + length + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	c.size = rec->len;
	return tap_ioctl(port, IPSP_IOC_CONTROL, &c);
}

static int send_policy(void)		/* four of them fill the ring */
{
	return send_record(IPSP_REC_POLICY, sizeof(struct ipsp_policy), RING / 4 - 256);
}

static int send_entry(void)
{
	return send_record(IPSP_REC_POLICY, sizeof(struct ipsp_policy), 1000);
}

static int send_end(void)
{
	return send_record(IPSP_REC_SNAPSHOT_END, sizeof(struct ipsp_snapshot), 0);
}

static void fill(void)
{
	int i, err = 0;

	for (i = 0; i < 64 && !err; i++)
		err = send_policy();
	TAP_EQUAL(err, EAGAIN, "a stream without room refuses a control record");
}

static int may_put(int ms)		/* POLLOUT */
{
	struct pollfd p = { .fd = port, .events = POLLOUT };

	return poll(&p, 1, ms) == 1 && (p.revents & POLLOUT);
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* ---- how an attachment ends ---------------------------------------------------------------------- */

static void test_close(void)
{
	struct child k;

	begin(5000);
	k = attached();
	TAP_EQUAL(child_does(&k, 'c'), 0, "it closes its port");
	expect_event(IPSP_EVENT_STACK_DIED, 0, &k, "which ends its attachment");
	TAP_EQUAL(child_status(&k), -1, "and not the process");
	child_end(&k);

	k = attached();
	TAP_EQUAL(child_does(&k, 'm'), 0, "another maps an area");
	TAP_EQUAL(child_does(&k, 'u'), 0, "and gives it up");
	expect_event(IPSP_EVENT_STACK_DIED, 0, &k, "which ends its attachment");
	TAP_EQUAL(child_does(&k, 'k'), EPIPE, "its calls fail");
	TAP_EQUAL(child_status(&k), -1, "it goes on");
	child_end(&k);
	end();
}

/* It holds a call up in memory of its own while its attachment ends: nobody waits for it. */
static void test_stall(char call, const char *what)
{
	struct child k;

	begin(60000);
	k = attached();
	TAP_EQUAL(send_entry(), 0, "a record for it");
	TAP_EQUAL(child_does(&k, call), 0, "a stack keeps %s waiting", what);
	TAP_EQUAL(child_does(&k, 'm'), 0, "it maps an area");
	TAP_EQUAL(child_does(&k, 'u'), 0, "and gives it up");
	expect_event(IPSP_EVENT_STACK_DIED, 0, &k, "its attachment has ended");
	TAP_EQUAL(child_status(&k), -1, "the process waits on");
	end();
	tap(1, "and the compartment can be deleted");
	child_end(&k);
}

static void test_index(void)
{
	struct child k;
	int round, i;

	begin(60000);
	k = attached();
	for (round = 0; round < 2; round++) {
		fill();
		for (i = 0; i < 4; i++)
			TAP_EQUAL(child_does(&k, 'r'), 0, "it takes a record");
	}
	TAP_EQUAL(child_does(&k, 'i'), EAGAIN, "where no record is, it finds none, whatever its index says");
	child_end(&k);
	end();
}

static void test_share(void)
{
	struct child k;

	begin(5000);
	k = attached();
	TAP_EQUAL(child_does(&k, 'f'), EINVAL, "it may not have its areas copied on fork");
	child_end(&k);
	end();
}

/* What it is refused changes nothing: the record is there for whoever has room for it. */
static void test_refused(void)
{
	struct child k;

	begin(60000);
	k = attached();
	TAP_EQUAL(send_entry(), 0, "a record for it");
	TAP_EQUAL(child_does(&k, 's'), EMSGSIZE, "one without room for it is told how much it needs");
	TAP_EQUAL(child_does(&k, 'n'), EFAULT, "one without memory gets none");
	TAP_EQUAL(child_does(&k, 'r'), 0, "and then it reads the record");
	TAP_EQUAL(child_does(&k, 't'), EINVAL, "a page of an area may not go alone");
	TAP_EQUAL(child_does(&k, 'k'), 0, "its areas are as they were");
	TAP_EQUAL(child_does(&k, 'v'), EINVAL, "nor may an area move");
	child_end(&k);
	end();
}

static void test_exit(void)
{
	struct child k;
	int status;

	begin(5000);
	k = attached();
	child_tell(&k, 'x');
	expect_event(IPSP_EVENT_STACK_DIED, 0, &k, "one that exits is gone");
	status = child_status(&k);
	tap(WIFEXITED(status) && WEXITSTATUS(status) == 7, "by its own will");
	child_end(&k);
	end();
}

static void test_lie(void)
{
	struct child k;
	int status;

	begin(5000);
	k = attached();
	child_tell(&k, 'l');
	expect_event(IPSP_EVENT_STACK_BROKEN, IPSP_BROKEN_RECORD, &k, "one that lies is broken");
	status = child_status(&k);
	tap(status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "and killed");
	child_end(&k);
	end();
}

static void test_gone(void)
{
	struct child k;
	int status;

	begin(5000);
	k = attached();
	end();
	status = child_status(&k);
	tap(status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	    "the compartment's end is its stacks'");
	child_end(&k);
}

/* Who deletes a compartment can tell when nobody uses its port, and the module, any more. */
static void test_end(void)
{
	struct ipsp_attach a = { .role = IPSP_ROLE_ADMIN };
	struct ipsp_name n = { .name = NAME };
	struct pollfd p = { 0 };
	struct child k;
	int i;

	begin(5000);
	k = attached();
	p.fd = open_soon(DEVICE);
	if (ioctl(p.fd, IPSP_IOC_ATTACH, &a) || ioctl(control, IPSP_CTL_COMPARTMENT_DEL, &n))
		tap_give_up("compartment del");
	child_status(&k);
	poll(&p, 1, 0);
	TAP_EQUAL(p.revents, POLLERR, "deleted, and its manager has the port still open");
	close(port);
	for (i = 0; i < 500 && !(p.revents & POLLHUP); i++) {
		usleep(10000);
		poll(&p, 1, 0);
	}
	TAP_EQUAL(p.revents, POLLERR | POLLHUP, "then nobody but us has");
	close(p.fd);
	child_end(&k);
}

/* ---- a manager's successor -------------------------------------------------------------------- */

static void test_successor(void)
{
	struct child k;

	begin(5000);
	k = attached();
	close(port);
	manager_enter();
	expect_event(IPSP_EVENT_STACK_ATTACHED, 0, &k,
		     "a second manager is told of a stack that awaits its snapshot");
	TAP_EQUAL(send_end(), 0, "it gives it one");
	expect_event(IPSP_EVENT_STACK_READY, 0, &k, "the stack is ready");
	close(port);
	manager_enter();
	expect_event(IPSP_EVENT_STACK_READY, 0, &k,
		     "a third manager is told of a stack that is ready");
	child_end(&k);
	expect_event(IPSP_EVENT_STACK_DIED, 0, &k, "and of its end");
	end();
}

/* In a namespace of PIDs: its exit status says whether the event had fork(2)'s number. */
static void manage_alone(void)
{
	struct ipsp_event e;
	struct child k;

	begin(5000);
	k = child_start();
	e = event_within(10000);
	child_end(&k);
	end();
	_exit(e.event == IPSP_EVENT_STACK_ATTACHED && e.pid == k.pid && e.pid < 9 ? 0 : 1);
}

static void test_pids(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		if (unshare(CLONE_NEWPID))
			_exit(2);
		pid = fork();
		if (!pid)
			manage_alone();
		waitpid(pid, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
	}
	waitpid(pid, &status, 0);
	TAP_EQUAL(status, 0, "a manager in a namespace of PIDs knows its stack by its own number");
}

/* ---- room ------------------------------------------------------------------------------------------ */

static void test_room(void)
{
	long long before;
	struct child k;
	int room;

	begin(60000);
	k = attached();
	tap(may_put(0), "room at first");
	fill();
	tap(!may_put(200), "no room, no POLLOUT");
	before = now_ms();
	TAP_EQUAL(child_does(&k, 'r'), 0, "the stack, without snapshot yet, takes a record");
	room = may_put(5000);
	tap(room, "POLLOUT, after %lld ms", now_ms() - before);
	TAP_EQUAL(send_policy(), 0, "and the record goes in");
	fill();
	child_end(&k);
	tap(may_put(5000), "the stack's end is room enough");
	TAP_EQUAL(send_policy(), ENOENT, "for whoever is there");
	end();
}

static void test_stuck(void)
{
	struct child k;
	int status, i;

	begin(400);
	k = attached();
	fill();
	for (i = 0; i < 8; i++) {
		usleep(200000);
		child_does(&k, 'r');
		send_policy();
	}
	TAP_EQUAL(event_within(0).event, 0, "a slow stack, 4 deadlines without enough room, goes on");
	fill();
	expect_event(IPSP_EVENT_STACK_BROKEN, IPSP_BROKEN_ROOM, &k,
		     "one that takes nothing for a deadline is broken");
	status = child_status(&k);
	tap(status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "and killed");
	tap(may_put(5000), "the manager is free again");
	child_end(&k);
	end();
}

/* ---- packets ----------------------------------------------------------------------------------------- */

static void set_rules(unsigned int count)
{
	struct ipsp_rule rule = {
		.selector = { .family = 4, .destination = { 10, 77 }, .destination_prefix = 16,
			      .source_last = 65535, .destination_last = 65535 },
		.directions = IPSP_RULE_OUT, .flags = IPSP_RULEF_PROTECT, .compartment = NAME,
	};
	struct ipsp_rules rules = { .rules = (uintptr_t)&rule, .count = count };

	if (ioctl(control, IPSP_CTL_RULES_SET, &rules))
		tap_give_up("rules");
}

/* One datagram to each of so many addresses: as many flows, as many tickets. */
static void send_packets(unsigned int count)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 32 << 20;
	unsigned int i;

	/* they stay the socket's until the stack answers */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)))
		tap_give_up("SO_SNDBUFFORCE");
	for (i = 0; i < count; i++) {
		to.sin_addr.s_addr = htonl(0x0a4d0000 + i + 2);
		if (sendto(fd, "packet", 6, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			tap_give_up("sendto");
	}
	close(fd);
}

static __u64 counted(int which)
{
	struct ipsp_stats s = { .name = NAME };

	if (ioctl(control, IPSP_CTL_STATS, &s))
		tap_give_up("stats");
	return s.counter[which];
}

static void test_turn(void)
{
	__u64 dealt;
	struct child k;
	int i;

	begin(60000);
	set_rules(1);
	k = attached();
	TAP_EQUAL(send_end(), 0, "its snapshot is empty");
	expect_event(IPSP_EVENT_STACK_READY, 0, &k, "it is ready");
	send_packets(2000);
	dealt = counted(IPSP_COUNT_DEALT);
	tap(dealt > 100 && dealt < 1900, "packets fill the ring (%llu of 2000 dealt)", dealt);
	TAP_EQUAL(send_entry(), EAGAIN, "a control record is refused");
	for (i = 0; i < 16; i++)
		TAP_EQUAL(child_does(&k, 'r'), 0, "the stack takes a record");
	tap(may_put(5000), "the control record has its turn before packets that wait");
	TAP_EQUAL(send_entry(), 0, "and goes in");
	tap(counted(IPSP_COUNT_DEALT) > dealt, "packets were dealt all the same");
	child_end(&k);
	set_rules(0);
	end();
}

static void test_snapshot(void)
{
	struct child k;
	int i;

	begin(500);
	set_rules(1);
	k = attached();
	for (i = 0; i < 4; i++)
		TAP_EQUAL(send_entry(), 0, "a record of the snapshot");
	TAP_EQUAL(send_end(), 0, "its end");
	expect_event(IPSP_EVENT_STACK_READY, 0, &k, "the stack is ready");
	send_packets(1);
	TAP_EQUAL(counted(IPSP_COUNT_PENDING), 1, "a packet waits behind its snapshot");
	for (i = 0; i < 4; i++) {
		usleep(300000);
		TAP_EQUAL(child_does(&k, 'r'), 0, "it reads");
	}
	TAP_EQUAL(event_within(0).event, 0, "so long the packet has no deadline");
	TAP_EQUAL(child_does(&k, 'r'), 0, "it reads the end");
	expect_event(IPSP_EVENT_STACK_HUNG, IPSP_BROKEN_DEADLINE, &k,
		     "from there on it has a deadline");
	child_end(&k);
	set_rules(0);
	end();
}

int main(void)
{
	static void (*const tests[])(void) = {
		test_close, test_index, test_share, test_refused, test_exit, test_lie, test_gone, test_end, test_successor,
		test_room, test_stuck, test_turn, test_snapshot, test_pids,
	};
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	if (system("ip link add streams0 type dummy && ip addr add 10.77.0.1/32 dev streams0 && "
		   "ip link set streams0 up && ip route add 10.77.0.0/16 dev streams0"))
		tap_give_up("a device");
	control = open("/dev/ipsec-port/control", O_RDWR);
	if (control < 0)
		tap_give_up("control");
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tests[i]();
	test_stall('g', "GETMSG");
	test_stall('p', "PUTMSG");
	if (system("ip link del streams0"))
		tap_give_up("the device's end");
	return tap_end();
}
