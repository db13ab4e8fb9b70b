// SPDX-License-Identifier: GPL-2.0-only
/*
 * faults.c - each allocation and each copy of each call fails once, in turn
 *
 * /proc/thread-self/fail-nth lets the n-th of them fail (Documentation/fault-injection of the kernel). A call that
 * fails so says so and leaves everything as it was; then the next one, until the call goes through untouched. On
 * a kernel without fault injection each call is made once, untouched. Packets: see faults_packet.c.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap.h"
#include "world/fault.h"

static struct realm r;
static int control;

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

/* ---- what is there before the call, and may be there from one that failed ------------------------------------- */

static void prepare_compartment(void)
{
	const int err = call_compartment();

	if (err && err != EEXIST)
		tap_give_up("a compartment to delete");
}

static int call_del(void)
{
	struct ipsp_name n = { .name = "faulty" };

	return tap_ioctl(control, IPSP_CTL_COMPARTMENT_DEL, &n);
}

static int has_handle;

static void prepare_handle(void)
{
	if (!has_handle && call_handle_out())
		tap_give_up("a handle to delete");
	has_handle = 1;
}

static int call_handle_del(void)
{
	return tap_ioctl(r.port, IPSP_IOC_HANDLE_DEL, &handle);
}

static void undo_handle_del(void)
{
	has_handle = 0;
}

/* A stack that awaits its snapshot */
static int stack = -1;

static void prepare_stack(void)
{
	if (stack >= 0)
		return;
	if (call_attach_stack())
		tap_give_up("a stack");
	stack = fd_made;
}

static void undo_stack(void)
{
	close(stack);
	stack = -1;
}

static int call_layout(void)
{
	struct ipsp_layout l;

	return tap_ioctl(stack, IPSP_IOC_LAYOUT, &l);
}

static int call_kick(void)
{
	return tap_ioctl(stack, IPSP_IOC_KICK, 0);
}

static void *area;
static struct ipsp_layout layout;

static void prepare_layout(void)
{
	prepare_stack();
	if (ioctl(stack, IPSP_IOC_LAYOUT, &layout))
		tap_give_up("layout");
}

static int call_mmap(void)
{
	area = mmap(NULL, 2ul * layout.up_size, PROT_READ | PROT_WRITE, MAP_SHARED, stack, (off_t)layout.up_offset);
	return area == MAP_FAILED ? errno : 0;
}

static void undo_mmap(void)
{
	munmap(area, 2ul * layout.up_size);
	undo_stack();
}

static int call_retire(void)
{
	struct ipsp_retire retire = { .index = 0 };

	return tap_ioctl(r.port, IPSP_IOC_RETIRE, &retire);
}

static int relief(unsigned int places)
{
	struct ipsp_relief relief = { .places = places };

	return tap_ioctl(r.port, IPSP_IOC_RELIEF, &relief);
}

static int call_relief(void)
{
	return relief(1);
}

static void undo_relief(void)
{
	relief(0);
}

/* ---- messages -------------------------------------------------------------------------------------------------- */

static int call_control(void)
{
	static struct {
		_Alignas(64) struct ipsp_record rec;
		struct ipsp_time time;
		_Alignas(64) char end[64];
	} time = { .rec = { .type = IPSP_REC_TIME, .len = 128, .control_len = sizeof(time.time) } };
	struct ipsp_control c = { .record = (uintptr_t)&time, .size = 128, .target = 0 };

	return tap_ioctl(r.port, IPSP_IOC_CONTROL, &c);
}

static int get(int fd)
{
	static _Alignas(64) char record[4096];
	struct ipsp_message m = { .record = (uintptr_t)record, .size = sizeof(record) };

	return tap_ioctl(fd, IPSP_IOC_GETMSG, &m);
}

/* A stack that came and went is two events. */
static void prepare_event(void)
{
	if (call_attach_stack())
		tap_give_up("a stack");
	undo_attach();
}

static int call_get_event(void)
{
	return get(r.port);
}

static void prepare_record(void)
{
	prepare_stack();
	if (call_control())
		tap_give_up("a record for a stack");
}

static int call_get_record(void)
{
	return get(stack);
}

static int call_put(void)
{
	static const struct {
		_Alignas(64) struct ipsp_record rec;
		struct ipsp_note note;
		_Alignas(64) char end[64];
	} note = {
		.rec = { .len = 128, .type = IPSP_REC_NOTE, .control_len = sizeof(note.note) },
		.note = { .reason = IPSP_DROP_INTEGRITY, .count = 1 },
	};
	struct ipsp_message m = { .record = (uintptr_t)&note, .size = 128 };

	return tap_ioctl(stack, IPSP_IOC_PUTMSG, &m);
}

/* ---- what is only looked at ------------------------------------------------------------------------------------- */

static int call_features(void)
{
	struct ipsp_features f;

	return tap_ioctl(control, IPSP_CTL_FEATURES, &f);
}

static int call_hash_key(void)
{
	unsigned char key[IPSP_HASH_KEY_LEN];

	return tap_ioctl(r.port, IPSP_IOC_HASH_KEY, key);
}

static int call_relay_get(void)
{
	struct ipsp_relay relay;

	return tap_ioctl(control, IPSP_CTL_RELAY_GET, &relay);
}

/* No rule gives it. */
static int call_label(void)
{
	struct ipsp_label label = { .context = "nobody" };
	const int err = tap_ioctl(r.port, IPSP_IOC_LABEL, &label);

	return err == ENOENT ? 0 : err;
}

static void prepare_confirm(void)
{
	struct ipsp_rules rules = { .confirm = 600 };

	if (ioctl(control, IPSP_CTL_RULES_SET, &rules))
		tap_give_up("rules to confirm");
}

static int call_confirm(void)
{
	return tap_ioctl(control, IPSP_CTL_RULES_CONFIRM, NULL);
}

/* ---- what is kept: of a stack that dies of its first packet, and of two that answer it differently ----------------- */

static struct realm deadly, split;
static unsigned char kept[3 * WORLD_PACKET_MAX];

static void differ(struct stack *s, const void *unused)
{
	struct ticket t;
	struct draft d;

	(void)unused;
	while (!stack_next(s, &t)) {
		stack_answer(s, &t, &d);
		if (d.length)
			d.data[d.length - 1] ^= (unsigned char)s->index;
		if (stack_put(s, &d))
			break;
	}
}

static void expect(struct realm *of, unsigned int event)
{
	struct ipsp_event e;

	do
		e = realm_event(of, 60000);
	while (e.event && e.event != event);
	if (e.event)
		return;
	printf("# %s has no event %u\n", of->name, event);
	tap_give_up("what is to be kept");
}

static void kept_begin(void)
{
	const struct realm *const both[] = { &deadly, &split };
	struct worker w[2];
	unsigned int i;

	realm_begin_shared(&deadly, 30, 60000, 1, 0);
	realm_begin_voting(&split, 50, (struct ipsp_compartment){ .mode = IPSP_MODE_VOTE, .stacks = 2, .quorum = 2,
								   .deadline_ms = 60000 });
	realm_rules(both, 2);
	realm_start(&deadly, stack_crash, NULL);
	wire_datagram(deadly.net, 9);
	expect(&deadly, IPSP_EVENT_STACK_DIED);
	realm_stop(&deadly);
	realm_start(&deadly, stack_crash, NULL);
	expect(&deadly, IPSP_EVENT_POISON);
	realm_stop(&deadly);
	for (i = 0; i < 2; i++)
		realm_join(&split, &w[i], i, differ, NULL);
	wire_datagram(split.net, 9);
	expect(&split, IPSP_EVENT_MISMATCH);
	for (i = 0; i < 2; i++) {
		kill(w[i].pid, SIGKILL);
		worker_wait(&w[i]);
	}
	expect(&split, IPSP_EVENT_STACK_DIED);
	realm_rules(NULL, 0);
}

static void kept_end(void)
{
	realm_end(&deadly);
	realm_end(&split);
}

static int call_poison(void)
{
	struct ipsp_poison p = { .data = (uintptr_t)kept, .size = sizeof(kept) };

	memcpy(p.name, deadly.name, sizeof(p.name));
	return tap_ioctl(control, IPSP_CTL_POISON, &p);
}

static int call_dissent(void)
{
	struct ipsp_dissent d = { .data = (uintptr_t)kept, .size = sizeof(kept) };

	memcpy(d.name, split.name, sizeof(d.name));
	return tap_ioctl(control, IPSP_CTL_DISSENT, &d);
}

static const struct fault_call calls[] = {
	{ "FEATURES", .run = call_features },
	{ "COMPARTMENT_ADD", .run = call_compartment, .undo = undo_compartment },
	{ "COMPARTMENT_ADD, whose stacks vote", .run = call_voting, .undo = undo_compartment },
	{ "COMPARTMENT_DEL", .run = call_del, .prepare = prepare_compartment },
	{ "COMPARTMENT_SET", .run = call_set },
	{ "COMPARTMENT_GET", .run = call_get },
	{ "RULES_GET", .run = call_rules_get },
	{ "RULES_SET", .run = call_rules, .undo = undo_rules },
	{ "RULES_CONFIRM", .run = call_confirm, .undo = undo_rules, .prepare = prepare_confirm, .is_bare = 1 },
	{ "STATS", .run = call_stats },
	{ "POISON", .run = call_poison },
	{ "DISSENT", .run = call_dissent },
	{ "RELAY_GET", .run = call_relay_get },
	{ "ATTACH as stack", .run = call_attach_stack, .undo = undo_attach },
	{ "ATTACH as admin", .run = call_attach_admin, .undo = undo_attach },
	{ "LAYOUT", .run = call_layout, .undo = undo_stack, .prepare = prepare_stack },
	{ "mmap", .run = call_mmap, .undo = undo_mmap, .prepare = prepare_layout },
	{ "KICK", .run = call_kick, .undo = undo_stack, .prepare = prepare_stack, .is_bare = 1 },
	{ "GETMSG, an event", .run = call_get_event, .prepare = prepare_event },
	{ "GETMSG, a stack's record", .run = call_get_record, .undo = undo_stack, .prepare = prepare_record },
	{ "PUTMSG, a stack's note", .run = call_put, .undo = undo_stack, .prepare = prepare_stack },
	{ "an admin's request", .run = call_request, .undo = undo_attach },
	{ "CONTROL, the time", .run = call_control, .undo = undo_stack, .prepare = prepare_stack },
	{ "CONTROL, a policy", .run = call_policy, .undo = undo_policy },
	{ "HANDLE_ADD, outbound", .run = call_handle_out, .undo = undo_handle },
	{ "HANDLE_ADD, inbound", .run = call_handle_in, .undo = undo_handle },
	{ "HANDLE_SET", .run = call_handle_set },
	{ "HANDLE_GET", .run = call_handle_get },
	{ "HANDLE_DEL", .run = call_handle_del, .undo = undo_handle_del, .prepare = prepare_handle },
	{ "HASH_KEY", .run = call_hash_key },
	{ "STORE and TAKE", .run = call_store, .undo = undo_store },
	{ "RELIEF", .run = call_relief, .undo = undo_relief },
	{ "RETIRE", .run = call_retire, .undo = undo_stack, .prepare = prepare_stack },
	{ "LABEL", .run = call_label },
	{ "RELAY_SET", .run = call_relay, .undo = undo_relay },
};

static const struct fault_call relayed[] = {
	{ "an agent's multicast", .run = call_multicast, .undo = undo_multicast },
	{ "a request, and its answer", .run = call_ask, .undo = undo_multicast },
};

/* ---- each of them ------------------------------------------------------------------------------------------------ */

static void through(const struct fault_call *c, unsigned int count)
{
	int faults;

	for (; count; count--, c++) {
		faults = fault_through(&r, c);
		tap(!fault_is_there ? !faults : c->is_bare ? faults >= 0 : faults > 0,
		    "%s: %d faults, each leaves everything as it was", c->what, faults);
	}
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
	kept_begin();
	if (!fault_begin())
		printf("# no fault injection in this kernel: each call is made once\n");
	through(calls, sizeof(calls) / sizeof(calls[0]));
	relay_begin();
	through(relayed, sizeof(relayed) / sizeof(relayed[0]));
	relay_finish();
	while (realm_event(&r, 100).event)
		;
	kept_end();
	realm_end(&r);
	close(control);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
