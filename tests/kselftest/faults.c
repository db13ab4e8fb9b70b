// SPDX-License-Identifier: GPL-2.0-only
/*
 * faults.c - each allocation and each copy of each call fails once, in turn
 *
 * /proc/thread-self/fail-nth lets the n-th of them fail (Documentation/fault-injection of the kernel). A call that
 * fails so says so and leaves everything as it was; then the next one, until the call goes through untouched. On
 * a kernel without fault injection each call is made once, untouched.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <poll.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap.h"
#include "world/world.h"

#define FAULTS_MOST 200			/* of one call: more is a loop */

static struct realm r;
static int control;

/* ---- the n-th fault ------------------------------------------------------------------------------- */

static int nth = -1, is_faulty;

/* Our own copies count as well: one that fails has used the fault up. */
static void fault_arm(unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	if (!is_faulty)
		return;
	while (pwrite(nth, text, (size_t)length, 0) != length)
		if (errno != EFAULT)
			tap_give_up("fail-nth");
}

/* Was it hit before we asked? Then the counter has run down to 0. */
static int fault_hit(void)
{
	char text[16] = { 0 };
	int hit = 0;

	if (!is_faulty)
		return 0;
	if (pread(nth, text, sizeof(text) - 1, 0) > 0)
		hit = !atoi(text);
	else if (errno != EFAULT)
		tap_give_up("fail-nth");
	fault_arm(0);
	return hit;
}

static int set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY), err = fd < 0 || write(fd, value, strlen(value)) < 0;

	close(fd);
	return err;
}

/* Allocations that may wait fail too, and single pages. */
static int fault_begin(void)
{
	nth = open("/proc/thread-self/fail-nth", O_RDWR);
	return nth < 0 || set("/sys/kernel/debug/failslab/ignore-gfp-wait", "N") ||
	       set("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N") ||
	       set("/sys/kernel/debug/fail_page_alloc/min-order", "0") ||
	       set("/sys/kernel/debug/failslab/verbose", "0") ||
	       set("/sys/kernel/debug/fail_page_alloc/verbose", "0") ||
	       set("/sys/kernel/debug/fail_usercopy/verbose", "0");
}

/* ---- calls: 0 or errno, and what undoes one that went through ------------------------------------------- */

static int fd_made;

static int call_compartment(void)
{
	struct ipsp_compartment c = { .name = "faulty", .down_size = IPSP_RING_MIN, .up_size = IPSP_RING_MIN };

	return tap_ioctl(control, IPSP_CTL_COMPARTMENT_ADD, &c);
}

/* One whose stacks vote needs memory for the votes as well. */
static int call_voting(void)
{
	struct ipsp_compartment c = { .name = "faulty", .down_size = IPSP_RING_MIN, .up_size = IPSP_RING_MIN,
				      .mode = IPSP_MODE_VOTE, .stacks = 3, .quorum = 2 };

	return tap_ioctl(control, IPSP_CTL_COMPARTMENT_ADD, &c);
}

static void undo_compartment(void)
{
	struct ipsp_name n = { .name = "faulty" };

	ioctl(control, IPSP_CTL_COMPARTMENT_DEL, &n);
}

static int call_rules(void)
{
	struct ipsp_rule rule[2] = {
		{ .selector = { .source_last = 65535, .destination_last = 65535 },
		  .directions = IPSP_RULE_IN, .action = IPSP_RULE_DROP, .device = "none0" },
		{ .selector = { .source_last = 65535, .destination_last = 65535 },
		  .directions = IPSP_RULE_OUT, .device = "none0" },
	};
	struct ipsp_rules rules = { .rules = (uintptr_t)rule, .count = 2 };

	memcpy(rule[1].compartment, r.name, sizeof(rule[1].compartment));
	return tap_ioctl(control, IPSP_CTL_RULES_SET, &rules);
}

static void undo_rules(void)
{
	realm_rules(NULL, 0);
}

static struct ipsp_handle handle;

static int call_handle(__u8 direction)
{
	handle = direction == IPSP_DIR_OUT ? r.out : r.in;
	handle.id = 0;
	handle.spi ^= 0x7000000;
	memset(handle.counter, 0x33 + direction, sizeof(handle.counter));
	return tap_ioctl(r.port, IPSP_IOC_HANDLE_ADD, &handle);
}

static int call_handle_out(void)
{
	return call_handle(IPSP_DIR_OUT);
}

static int call_handle_in(void)
{
	return call_handle(IPSP_DIR_IN);
}

static void undo_handle(void)
{
	ioctl(r.port, IPSP_IOC_HANDLE_DEL, &handle);
}

/* One that protects what no other does; an empty record is the list without it. */
static int policy(unsigned int operation, unsigned int count)
{
	static struct {
		_Alignas(64) struct ipsp_record rec;
		struct ipsp_policy policy;
		_Alignas(64) struct ipsp_policy_entry entry;
		_Alignas(64) char end[64];
	} p;

	memset(&p, 0, sizeof(p));
	p.rec.type = IPSP_REC_POLICY;
	p.rec.control_len = sizeof(p.policy);
	p.rec.data_offset = (unsigned int)((char *)&p.entry - (char *)&p);
	p.rec.data_len = count * (unsigned int)sizeof(p.entry);
	p.rec.len = (p.rec.data_offset + p.rec.data_len + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	p.policy.operation = operation;
	p.policy.count = count;
	p.entry.action = IPSP_POLICY_DROP;
	p.entry.protect.index = 4711;
	p.entry.protect.selector.family = 4;
	p.entry.protect.selector.source_last = 65535;
	p.entry.protect.selector.destination_last = 65535;
	return realm_control(&r, &p.rec, IPSP_TARGET_ALL);
}

static int call_policy(void)
{
	return policy(IPSP_POLICY_ADD, 1);
}

static void undo_policy(void)
{
	policy(IPSP_POLICY_DELETE, 1);
}

static int call_attach(unsigned int role)
{
	struct ipsp_attach a = { .role = role };
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/dev/ipsec-port/%s", r.name);
	fd_made = open(path, O_RDWR | O_NONBLOCK);
	if (fd_made < 0)
		return errno;
	err = tap_ioctl(fd_made, IPSP_IOC_ATTACH, &a);
	if (err)
		close(fd_made);
	return err;
}

static int call_attach_stack(void)
{
	return call_attach(IPSP_ROLE_STACK);
}

static int call_attach_admin(void)
{
	return call_attach(IPSP_ROLE_ADMIN);
}

static void undo_attach(void)
{
	close(fd_made);
}

static int call_request(void)
{
	static const struct {
		_Alignas(64) struct ipsp_record rec;
		struct ipsp_admin admin;
		_Alignas(64) char end[64];
	} request = {
		.rec = { .len = 128, .type = IPSP_REC_ADMIN_REQUEST, .control_len = sizeof(request.admin) },
	};
	int err = call_attach(IPSP_ROLE_ADMIN);

	if (err)
		return err;
	err = write(fd_made, &request, 128) < 0 ? errno : 0;
	if (err)
		close(fd_made);
	return err;
}

static int call_set(void)
{
	struct ipsp_compartment c = { .deadline_ms = 60000 };

	memcpy(c.name, r.name, sizeof(c.name));
	return tap_ioctl(control, IPSP_CTL_COMPARTMENT_SET, &c);
}

static int call_get(void)
{
	struct ipsp_compartment c = { 0 };

	memcpy(c.name, r.name, sizeof(c.name));
	return tap_ioctl(control, IPSP_CTL_COMPARTMENT_GET, &c);
}

static int call_rules_get(void)
{
	static struct ipsp_rule rule[8];
	struct ipsp_rules rules = { .rules = (uintptr_t)rule, .count = 8 };

	return tap_ioctl(control, IPSP_CTL_RULES_GET, &rules);
}

static int call_handle_set(void)
{
	struct ipsp_handle h = { .id = r.out.id };

	return tap_ioctl(r.port, IPSP_IOC_HANDLE_SET, &h);
}

static int call_handle_get(void)
{
	struct ipsp_handle h = { .id = r.out.id };

	return tap_ioctl(r.port, IPSP_IOC_HANDLE_GET, &h);
}

/* A regular file in memory is stored, and taken again. */
static int call_store(void)
{
	int fd = memfd_create("stored", MFD_CLOEXEC), err;

	if (fd < 0)			/* tmpfs without memory for an inode says that it has no space */
		return errno == ENOSPC ? ENOMEM : errno;
	err = tap_ioctl(r.port, IPSP_IOC_STORE, &fd);
	close(fd);
	if (err)
		return err;
	fd_made = ioctl(r.port, IPSP_IOC_TAKE);
	return fd_made < 0 ? errno : 0;
}

static void undo_store(void)
{
	int none = -1;

	close(fd_made);
	ioctl(r.port, IPSP_IOC_STORE, &none);
}

/* ---- the relay: its socket cannot be made for want of memory, and does not say why ------------------------- */

static int relay_switch(unsigned int flags)
{
	struct ipsp_relay relay = { .flags = flags };

	return tap_ioctl(control, IPSP_CTL_RELAY_SET, &relay);
}

static int call_relay(void)
{
	int err = relay_switch(IPSP_RELAYF_ON);

	return err == EADDRINUSE ? ENOMEM : err;
}

static void undo_relay(void)
{
	relay_switch(0);
}

static int agent, asker;		/* of a relay that is on: the agent's file, an XFRM socket of group SA */

static void relay_begin(void)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_groups = 1 << (XFRMNLGRP_SA - 1) };

	if (relay_switch(IPSP_RELAYF_ON))
		tap_give_up("a relay");
	agent = open("/dev/ipsec-port/" IPSP_XFRM_NAME, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	asker = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_XFRM);
	if (agent < 0 || asker < 0 || bind(asker, (struct sockaddr *)&name, sizeof(name)))
		tap_give_up("an agent, and one who asks");
}

static void relay_finish(void)
{
	close(asker);
	close(agent);
	relay_switch(0);
}

static union {
	struct ipsp_xfrm head;
	char bytes[sizeof(struct ipsp_xfrm) + 4096];
} box;

static int agent_writes(unsigned int type, __u64 id, unsigned int flags)
{
	const struct nlmsghdr m = { .nlmsg_len = sizeof(m), .nlmsg_type = XFRM_MSG_FLUSHSA };

	memset(&box.head, 0, sizeof(box.head));
	box.head.len = sizeof(box.head) + sizeof(m);
	box.head.type = type;
	box.head.id = id;
	box.head.flags = flags;
	box.head.group = type == IPSP_XFRM_MULTICAST ? XFRMNLGRP_SA : 0;
	memcpy(&box.head + 1, &m, sizeof(m));
	return write(agent, &box, box.head.len) < 0 ? errno : 0;
}

/* What an answer or a refusal brings: 0, or its error; ENOENT: nothing came. */
static int asker_hears(void)
{
	union {
		struct nlmsghdr head;
		char bytes[4096];
	} m;
	const struct nlmsgerr *e = (const void *)(&m.head + 1);

	if (recv(asker, &m, sizeof(m), 0) < 0)
		return errno == EAGAIN ? ENOENT : errno;
	return m.head.nlmsg_type == NLMSG_ERROR ? -e->error : 0;
}

static int call_multicast(void)
{
	return agent_writes(IPSP_XFRM_MULTICAST, 0, 0);
}

static void undo_multicast(void)
{
	while (asker_hears() != ENOENT)
		;
}

/* What the agent could not read is nobody's any more: who asked hears when its time is over. */
static int ask_in_vain(void)
{
	struct pollfd p = { .fd = asker, .events = POLLIN };

	poll(&p, 1, 60000);
	return asker_hears() == ETIMEDOUT ? EFAULT : EPROTO;
}

/*
 * Asked, read by the agent, answered, heard: what fails on the way is said to the one or the other. An answer that
 * failed may be said again: the fault is behind it.
 */
static int call_ask(void)
{
	struct nlmsghdr m = { .nlmsg_len = sizeof(m), .nlmsg_type = XFRM_MSG_GETSADINFO, .nlmsg_flags = NLM_F_REQUEST };
	int err, heard;

	if (send(asker, &m, sizeof(m), 0) < 0)
		return errno;
	if (read(agent, &box, sizeof(box)) < 0)
		return errno == EFAULT ? ask_in_vain() : asker_hears();
	m.nlmsg_pid = (__u32)box.head.id;
	err = agent_writes(IPSP_XFRM_ANSWER, m.nlmsg_pid, IPSP_XFRMF_DONE);
	if (err && agent_writes(IPSP_XFRM_ANSWER, m.nlmsg_pid, IPSP_XFRMF_DONE))
		return EPROTO;
	heard = asker_hears();
	return err ? err : heard;
}

static int call_stats(void)
{
	struct ipsp_stats s = { 0 };

	memcpy(s.name, r.name, sizeof(s.name));
	return tap_ioctl(control, IPSP_CTL_STATS, &s);
}

static const struct call {
	const char *what;
	int (*run)(void);
	void (*undo)(void);
} calls[] = {
	{ "COMPARTMENT_ADD", call_compartment, undo_compartment },
	{ "COMPARTMENT_ADD, whose stacks vote", call_voting, undo_compartment },
	{ "COMPARTMENT_SET", call_set, NULL },
	{ "COMPARTMENT_GET", call_get, NULL },
	{ "RULES_GET", call_rules_get, NULL },
	{ "RULES_SET", call_rules, undo_rules },
	{ "HANDLE_ADD, outbound", call_handle_out, undo_handle },
	{ "HANDLE_ADD, inbound", call_handle_in, undo_handle },
	{ "HANDLE_SET", call_handle_set, NULL },
	{ "HANDLE_GET", call_handle_get, NULL },
	{ "STORE and TAKE", call_store, undo_store },
	{ "CONTROL, a policy", call_policy, undo_policy },
	{ "ATTACH as stack", call_attach_stack, undo_attach },
	{ "ATTACH as admin", call_attach_admin, undo_attach },
	{ "an admin's request", call_request, undo_attach },
	{ "STATS", call_stats, NULL },
	{ "RELAY_SET", call_relay, undo_relay },
};

static const struct call relayed[] = {
	{ "an agent's multicast", call_multicast, undo_multicast },
	{ "a request, and its answer", call_ask, undo_multicast },
};

/* The objects that are alive now, once what was let go has gone. */
static long long alive(void)
{
	long long now, before = -1;
	struct ipsp_stats s;

	for (;;) {
		while (realm_event(&r, 0).event)
			;
		s = (struct ipsp_stats){ 0 };
		if (ioctl(control, IPSP_CTL_STATS, &s))
			tap_give_up("stats");
		now = (long long)(s.counter[IPSP_COUNT_OBJECTS_MADE] - s.counter[IPSP_COUNT_OBJECTS_FREED]);
		if (now == before)
			return now;
		before = now;
		usleep(100000);
	}
}

/* How many faults it met, each said by an errno or borne; -1: one left something behind, or it never came through. */
static int call_through(const struct call *c)
{
	const long long before = alive();
	unsigned int n;
	int err, hit;

	for (n = 1; n < FAULTS_MOST; n++) {
		fault_arm(n);
		err = c->run();
		hit = fault_hit();
		if (!err && c->undo)
			c->undo();
		if (!hit)
			break;
		if (err && err != ENOMEM && err != EFAULT && err != ENOBUFS) {
			printf("# fault %u: errno %d\n", n, err);
			return -1;
		}
	}
	if (err)
		printf("# without a fault: errno %d\n", err);
	if (alive() != before)
		printf("# objects alive: %lld before, %lld now\n", before, alive());
	return err || n == FAULTS_MOST || alive() != before ? -1 : (int)n - 1;
}

static void through(const struct call *c, unsigned int count)
{
	int faults;

	for (; count; count--, c++) {
		faults = call_through(c);
		tap(is_faulty ? faults > 0 : !faults, "%s: %d faults, each leaves everything as it was", c->what,
		    faults);
	}
}

/* ---- packets ---------------------------------------------------------------------------------------------- */

/* Each allocation on the way of a datagram out fails once: it is lost, and counted. */
static int packets_through(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), hit = 1;
	unsigned int n;

	for (n = 1; n < FAULTS_MOST && hit; n++) {
		to.sin_addr.s_addr = htonl(10u << 24 | r.net << 16 | n);
		fault_arm(n);
		if (sendto(fd, "packet", 6, 0, (struct sockaddr *)&to, sizeof(to)) < 0 &&
		    errno != ENOBUFS && errno != ENOMEM && errno != EFAULT && errno != EPERM)
			tap_give_up("sendto");
		hit = fault_hit();
	}
	close(fd);
	return hit ? -1 : (int)n - 2;
}

/* A stack whose KICK meets each fault once */
static void kick_through(struct stack *s, const void *unused)
{
	struct ticket t;
	struct draft d;
	unsigned int n;

	(void)unused;
	close(nth);
	nth = open("/proc/thread-self/fail-nth", O_RDWR);
	for (n = 1; !stack_next(s, &t); n = n % 40 + 1) {
		stack_answer(s, &t, &d);
		fault_arm(n);
		stack_put(s, &d);
		fault_hit();
	}
}

static void test_packets(void)
{
	const struct realm *const one[] = { &r };
	int faults, i;

	realm_rules(one, 1);
	realm_start(&r, stack_honest, NULL);
	faults = packets_through();
	tap(faults > 3, "datagrams out: %d faults on their way", faults);
	realm_stop(&r);
	while (realm_event(&r, 1000).event)
		;
	realm_start(&r, kick_through, NULL);
	for (i = 0; i < 200; i++) {
		wire_datagram(r.net, 1000 + (unsigned int)i);
		wire_esp(&r, 1 + (unsigned int)i);
	}
	for (i = 0; i < 100 && realm_stats(&r).counter[IPSP_COUNT_PENDING]; i++)
		usleep(100000);
	tap(realm_stats(&r).drop[IPSP_DROP_NO_MEMORY] > 20, "a stack's answers: %llu lost for want of memory",
	    realm_stats(&r).drop[IPSP_DROP_NO_MEMORY]);
	TAP_EQUAL(realm_event(&r, 0).event, 0, "and the stack is not to blame");
	TAP_EQUAL(realm_balance(&r), 0, "the ledger balances");
	realm_stop(&r);
	realm_rules(NULL, 0);
}

/* A handle whose id cannot be told is not there: its SPI is free. */
static void test_untold(void)
{
	struct ipsp_handle *nowhere = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*nowhere = r.in;
	nowhere->id = 0;
	nowhere->spi ^= 0x3000000;
	memset(nowhere->counter, 0x77, sizeof(nowhere->counter));
	if (mprotect(nowhere, 4096, PROT_READ))
		tap_give_up("mprotect");
	TAP_EQUAL(tap_ioctl(r.port, IPSP_IOC_HANDLE_ADD, nowhere), EFAULT, "an id that cannot be told");
	TAP_EQUAL(tap_ioctl(r.port, IPSP_IOC_HANDLE_ADD, nowhere), EFAULT, "and no handle of it is left");
	munmap(nowhere, 4096);
}

int main(void)
{
	if (system("for m in xfrm_user af_key; do rmmod $m 2> /dev/null; done; ! grep -q ^xfrm_user /proc/modules"))
		tap_give_up("a kernel without xfrm_user");
	world_begin();
	control = open("/dev/ipsec-port/control", O_RDWR);
	realm_begin(&r, 20, 60000);
	test_untold();
	is_faulty = !fault_begin();
	if (!is_faulty)
		printf("# no fault injection in this kernel: each call is made once\n");
	through(calls, sizeof(calls) / sizeof(calls[0]));
	relay_begin();
	through(relayed, sizeof(relayed) / sizeof(relayed[0]));
	relay_finish();
	while (realm_event(&r, 100).event)
		;
	if (is_faulty)
		test_packets();
	realm_end(&r);
	close(control);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
