// SPDX-License-Identifier: GPL-2.0-only
/*
 * manager.c - a manager that lies, and everybody in a role that is not theirs
 *
 * What a manager may not do is refused with an errno that says why, and changes nothing: its stack goes on, its
 * neighbour goes on, and no policy of its own lifts what a rule protects.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"
#include "world/world.h"

static struct realm liar, neighbour;

/* ---- control records ----------------------------------------------------------------------------- */

struct letter {				/* a POLICY record of one entry */
	_Alignas(64) struct ipsp_record rec;
	struct ipsp_policy policy;
	_Alignas(64) struct ipsp_policy_entry entry;
	_Alignas(64) unsigned char end[64];
};

static struct letter good_policy(void)
{
	struct letter l = {
		.rec = { .type = IPSP_REC_POLICY, .control_len = sizeof(l.policy),
			 .data_offset = offsetof(struct letter, entry),
			 .data_len = sizeof(l.entry), .len = offsetof(struct letter, end) },
		.policy = { .operation = IPSP_POLICY_ADD, .count = 1 },
	};

	l.entry.action = IPSP_POLICY_APPLY;
	l.entry.protect.index = 77;
	l.entry.protect.selector = (struct ipsp_selector){
		.family = 4, .destination = { 10, 200 }, .destination_prefix = 16,
		.source_last = 65535, .destination_last = 65535 };
	return l;
}

static __u32 generation_of(const struct realm *r)
{
	struct ipsp_compartment c = { 0 };
	int control = open("/dev/ipsec-port/control", O_RDWR);

	memcpy(c.name, r->name, sizeof(c.name));
	if (ioctl(control, IPSP_CTL_COMPARTMENT_GET, &c))
		tap_give_up("compartment get");
	close(control);
	return c.generation;
}

#define LETTER(error, change) do {							\
	struct letter l = good_policy();						\
	const __u32 before = generation_of(&liar);					\
	change;										\
	TAP_EQUAL(realm_control(&liar, &l.rec, IPSP_TARGET_ALL), error,			\
		  "control record: " #error ": " #change);				\
	TAP_EQUAL(generation_of(&liar), before + !(error), "and the policy's generation says so");	\
} while (0)

static void test_letters(void)
{
	LETTER(0, (void)0);
	LETTER(EINVAL, l.rec.len -= 64);
	LETTER(EINVAL, l.rec.len -= 1);
	LETTER(EINVAL, l.rec.type = 0);
	LETTER(EINVAL, l.rec.type = IPSP_REC_PROTECT);
	LETTER(EINVAL, l.rec.type = IPSP_REC_ANSWER);
	LETTER(EINVAL, l.rec.type = IPSP_REC_EVENT);
	LETTER(EINVAL, l.rec.type = IPSP_REC_RELEASE);
	LETTER(EINVAL, l.rec.type = IPSP_REC_REFUSE);
	LETTER(EOPNOTSUPP, l.rec.type = IPSP_REC_FLUSH);
	LETTER(EINVAL, l.rec.type = IPSP_REC_SA_ADD);
	LETTER(EINVAL, l.rec.flags = IPSP_RECF_NOMERGE);
	LETTER(EINVAL, l.rec.ticket = 2);
	LETTER(EINVAL, l.rec.band = 1);
	LETTER(EINVAL, l.rec.reserved8[0] = 1);
	LETTER(EINVAL, l.rec.reserved[3] = 1);
	LETTER(EINVAL, l.rec.control_len += 4);
	LETTER(EINVAL, l.rec.control_len = 0xffffff00);
	LETTER(EINVAL, l.rec.data_len = 0xffffff00);
	LETTER(EINVAL, l.rec.data_len -= 4);
	LETTER(EINVAL, l.rec.data_offset = 64);
	LETTER(EINVAL, l.policy.count = 2);
	LETTER(EINVAL, l.policy.count = 0xffffffff);
	LETTER(EINVAL, l.policy.operation = 3);
	LETTER(EINVAL, l.policy.reserved[4] = 1);
	LETTER(EINVAL, l.entry.protect.direction = 3);
	LETTER(EINVAL, l.entry.protect.clear = 2);
	LETTER(EINVAL, l.entry.protect.clear = 1);
	LETTER(EINVAL, l.entry.action = IPSP_POLICY_BYPASS);
	LETTER(EINVAL, l.entry.protect.label = 0xffffffff);
	LETTER(EINVAL, l.entry.protect.selector.family = 5);
	LETTER(EINVAL, l.entry.protect.selector.destination_prefix = 33);
	LETTER(EINVAL, l.entry.protect.selector.source_first = 9; l.entry.protect.selector.source_last = 8);
	LETTER(0, l.policy.operation = IPSP_POLICY_DELETE);
}

static void test_targets(void)
{
	struct letter l = good_policy();
	struct ipsp_control c = { .record = (uintptr_t)&l, .size = l.rec.len };

	TAP_EQUAL(realm_control(&liar, &l.rec, 1), EINVAL, "a stack that cannot be");
	TAP_EQUAL(realm_control(&liar, &l.rec, -2), EINVAL, "a target that is none");
	c.target = IPSP_TARGET_ALL;
	c.reserved[1] = 1;
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_CONTROL, &c), EINVAL, "a reserved word");
	c.reserved[1] = 0;
	c.size = 32;
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_CONTROL, &c), EINVAL, "less than a record");
	c.size = IPSP_RECORD_MAX + 64;
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_CONTROL, &c), EINVAL, "more than a record");
	c.size = l.rec.len + 64;
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_CONTROL, &c), EINVAL, "a record and something behind it");
	c.size = l.rec.len;
	c.record = 64;
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_CONTROL, &c), EFAULT, "a record that is nowhere");
}

/* ---- roles ---------------------------------------------------------------------------------------- */

static int open_port(int role)
{
	struct ipsp_attach a = { .role = role };
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/ipsec-port/%s", liar.name);
	fd = open(path, O_RDWR);
	if (fd < 0)
		tap_give_up("port");
	if (role && ioctl(fd, IPSP_IOC_ATTACH, &a))
		tap_give_up("attach");
	return fd;
}

#define ROLE_STACK	(1 << IPSP_ROLE_STACK)
#define ROLE_MANAGER	(1 << IPSP_ROLE_MANAGER)
#define ROLE_ADMIN	(1 << IPSP_ROLE_ADMIN)

static const struct {
	const char *name;
	unsigned long number;
	int roles;
} calls[] = {
	{ "LAYOUT", IPSP_IOC_LAYOUT, ROLE_STACK },
	{ "KICK", IPSP_IOC_KICK, ROLE_STACK },
	{ "CONTROL", IPSP_IOC_CONTROL, ROLE_MANAGER },
	{ "HANDLE_ADD", IPSP_IOC_HANDLE_ADD, ROLE_MANAGER },
	{ "HANDLE_SET", IPSP_IOC_HANDLE_SET, ROLE_MANAGER },
	{ "HANDLE_DEL", IPSP_IOC_HANDLE_DEL, ROLE_MANAGER },
	{ "HANDLE_GET", IPSP_IOC_HANDLE_GET, ROLE_MANAGER },
	{ "HASH_KEY", IPSP_IOC_HASH_KEY, ROLE_MANAGER },
	{ "STORE", IPSP_IOC_STORE, ROLE_MANAGER },
	{ "TAKE", IPSP_IOC_TAKE, ROLE_MANAGER },
	{ "RELIEF", IPSP_IOC_RELIEF, ROLE_MANAGER },
	{ "RETIRE", IPSP_IOC_RETIRE, ROLE_MANAGER },
	{ "LABEL", IPSP_IOC_LABEL, ROLE_MANAGER },
	{ "GETMSG", IPSP_IOC_GETMSG, ROLE_STACK | ROLE_MANAGER | ROLE_ADMIN },
	{ "PUTMSG", IPSP_IOC_PUTMSG, ROLE_STACK | ROLE_MANAGER | ROLE_ADMIN },
};

/* Of zeros: a call that is let in says anything but EPERM and ENOTCONN. */
static void test_role(const char *who, int fd, int role)
{
	unsigned char zeros[512];
	unsigned int i;
	int err;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i].roles & role)
			continue;
		memset(zeros, 0, sizeof(zeros));
		err = tap_ioctl(fd, calls[i].number, zeros);
		TAP_EQUAL(err, role ? EPERM : ENOTCONN, "%s may not call %s", who, calls[i].name);
	}
	TAP_EQUAL(tap_ioctl(fd, _IO(IPSP_MAGIC, 0x7f), NULL), ENOTTY, "%s: a call that is none", who);
	TAP_EQUAL(tap_ioctl(fd, IPSP_CTL_RULES_SET, zeros), ENOTTY, "%s: a call of the control device", who);
}

static void test_roles(void)
{
	struct ipsp_attach again = { .role = IPSP_ROLE_MANAGER }, bad = { .role = 4 };
	int nobody = open_port(0), admin = open_port(IPSP_ROLE_ADMIN);

	test_role("nobody", nobody, 0);
	test_role("an admin", admin, ROLE_ADMIN);
	test_role("a manager", liar.port, ROLE_MANAGER);
	TAP_EQUAL(tap_ioctl(nobody, IPSP_IOC_ATTACH, &again), EBUSY, "a second manager");
	TAP_EQUAL(tap_ioctl(admin, IPSP_IOC_ATTACH, &again), EBUSY, "a second role");
	TAP_EQUAL(tap_ioctl(nobody, IPSP_IOC_ATTACH, &bad), EINVAL, "a role that is none");
	bad = (struct ipsp_attach){ .role = IPSP_ROLE_ADMIN, .index = 1 };
	TAP_EQUAL(tap_ioctl(nobody, IPSP_IOC_ATTACH, &bad), EINVAL, "an admin with an index");
	bad = (struct ipsp_attach){ .role = IPSP_ROLE_STACK, .index = 8 };
	TAP_EQUAL(tap_ioctl(nobody, IPSP_IOC_ATTACH, &bad), EINVAL, "a stack beyond the last");
	bad = (struct ipsp_attach){ .role = IPSP_ROLE_STACK, .flags = 1 };
	TAP_EQUAL(tap_ioctl(nobody, IPSP_IOC_ATTACH, &bad), EINVAL, "a flag that is none");
	bad = (struct ipsp_attach){ .role = IPSP_ROLE_STACK };
	TAP_EQUAL(tap_ioctl(nobody, IPSP_IOC_ATTACH, &bad), EBUSY, "a place that is taken");
	tap(mmap(NULL, 4096, PROT_READ, MAP_SHARED, admin, 1ll << 32) == MAP_FAILED,
	    "an admin maps nothing");
	close(nobody);
	close(admin);
}

/*
 * A stack, while keys are stored. Its own calls are let in before and behind: it is for its role that the others are not,
 * and nothing that it was refused ended its attachment.
 */
static void stack_calls(int port)
{
	struct ipsp_attach manager = { .role = IPSP_ROLE_MANAGER }, again = manager;
	struct ipsp_layout layout;

	TAP_EQUAL(tap_ioctl(port, IPSP_IOC_LAYOUT, &layout), 0, "a stack: control: its own call");
	test_role("a stack", port, ROLE_STACK);
	TAP_EQUAL(tap_ioctl(port, IPSP_IOC_ATTACH, &manager), EBUSY, "a stack: a second role");
	again.flags = IPSP_ATTACHF_AGAIN;
	TAP_EQUAL(tap_ioctl(port, IPSP_IOC_ATTACH, &again), EINVAL, "a stack: it was never the manager");
	TAP_EQUAL(tap_ioctl(port, IPSP_IOC_KICK, 0), 0, "a stack: control: it is still attached");
}

/* What only the manager may have: the databases with their keys. */
static void test_stack(void)
{
	struct ipsp_attach stack = { .role = IPSP_ROLE_STACK, .index = 1 };
	struct ipsp_relief relief = { .places = 1 };
	int port = open_port(0), admin = open_port(IPSP_ROLE_ADMIN), memory = memfd_create("keys", 0), none = -1, fd;

	if (ioctl(liar.port, IPSP_IOC_STORE, &memory) || ioctl(liar.port, IPSP_IOC_RELIEF, &relief) ||
	    ioctl(port, IPSP_IOC_ATTACH, &stack))
		tap_give_up("a relief, and something stored");
	stack_calls(port);
	TAP_EQUAL(tap_ioctl(admin, IPSP_IOC_TAKE, NULL), EPERM, "nor does an admin get what is stored");
	fd = ioctl(liar.port, IPSP_IOC_TAKE, NULL);
	tap(fd >= 0, "control: the manager does");
	close(fd);
	close(port);
	relief.places = 0;
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_RELIEF, &relief), 0, "the stack goes");
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_STORE, &none), 0, "and what was stored");
	TAP_EQUAL(realm_event(&liar, 5000).event, IPSP_EVENT_STACK_ATTACHED, "the manager was told that it came");
	TAP_EQUAL(realm_event(&liar, 5000).event, IPSP_EVENT_STACK_DIED, "and that it went, of its own");
	close(admin);
	close(memory);
}

/* ---- an upgrade ---------------------------------------------------------------------------------------- */

/* In a child, so another process and another mm: what ATTACH says to it. */
static int again_in_child(struct ipsp_attach *again)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(tap_ioctl(liar.port, IPSP_IOC_ATTACH, again));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		tap_give_up("child");
	return WEXITSTATUS(status);
}

static void test_again(void)
{
	struct ipsp_attach again = { .role = IPSP_ROLE_MANAGER, .flags = IPSP_ATTACHF_AGAIN };
	int nobody = open_port(0), admin = open_port(IPSP_ROLE_ADMIN);

	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_ATTACH, &again), EBUSY, "again: the image is the one that attached");
	TAP_EQUAL(tap_ioctl(nobody, IPSP_IOC_ATTACH, &again), EINVAL, "again: who never was");
	TAP_EQUAL(tap_ioctl(admin, IPSP_IOC_ATTACH, &again), EINVAL, "again: an admin");
	TAP_EQUAL(again_in_child(&again), EIO, "again: another process, with the manager's descriptor");
	again.role = IPSP_ROLE_STACK;
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_ATTACH, &again), EINVAL, "again: as a stack");
	close(nobody);
	close(admin);
}

/* What cannot be delivered stays the first. */
static void test_short(void)
{
	struct ipsp_message m = { .size = sizeof(struct ipsp_record) };

	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_GETMSG, &m), EMSGSIZE, "a message that there is no room for");
	TAP_EQUAL(m.size, (sizeof(struct ipsp_record) + sizeof(struct ipsp_event) + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u),
		  "its size is told");
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_GETMSG, &m), EFAULT, "room that is not there");
}

static void test_relief(void)
{
	struct ipsp_attach stack = { .role = IPSP_ROLE_STACK, .index = 1 };
	struct ipsp_relief relief = { .places = 1 };
	struct ipsp_retire retire = { .index = 0 };
	int port = open_port(0);

	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_RETIRE, &retire), EBUSY, "the only stack stays");
	retire.index = 1;
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_RETIRE, &retire), ENOENT, "nobody is there to go");
	TAP_EQUAL(tap_ioctl(port, IPSP_IOC_ATTACH, &stack), EINVAL, "a stack more than there may be");
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_RELIEF, &relief), 0, "a relief may come");
	TAP_EQUAL(tap_ioctl(port, IPSP_IOC_ATTACH, &stack), 0, "and does");
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_RETIRE, &retire), 0, "it goes before it had its snapshot");
	TAP_EQUAL(tap_ioctl(port, IPSP_IOC_KICK, 0), EPIPE, "and knows it");
	test_short();
	TAP_EQUAL(realm_event(&liar, 5000).event, IPSP_EVENT_STACK_ATTACHED, "the manager was told that it came");
	TAP_EQUAL(realm_event(&liar, 5000).event, IPSP_EVENT_STACK_DIED, "and that it went");
	close(port);
	relief.places = 0;
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_RELIEF, &relief), 0, "no relief any more");
	port = open_port(0);
	TAP_EQUAL(tap_ioctl(port, IPSP_IOC_ATTACH, &stack), EINVAL, "no place for it");
	close(port);
}

/* ---- what is stored ------------------------------------------------------------------------------------ */

static void test_store(void)
{
	int socket_fd = socket(AF_INET, SOCK_DGRAM, 0), none = -1, closed = 999, fd;
	int memory = memfd_create("databases", 0), folder = open("/dev/shm", O_RDONLY);

	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_TAKE, NULL), ENOENT, "nothing is stored yet");
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_STORE, &closed), EBADF, "what is not open is not stored");
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_STORE, &socket_fd), EINVAL, "nor a socket");
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_STORE, &liar.port), EINVAL, "nor the port itself");
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_STORE, &folder), EINVAL, "nor a folder");
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_STORE, &memory), 0, "memory is");
	fd = ioctl(liar.port, IPSP_IOC_TAKE, NULL);
	tap(fd >= 0 && write(fd, "x", 1) == 1 && lseek(memory, 0, SEEK_END) == 1, "and comes back");
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_STORE, &none), 0, "and can be let go");
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_TAKE, NULL), ENOENT, "then it is gone");
	close(fd);
	close(folder);
	close(memory);
	close(socket_fd);
}

/* ---- others' things ------------------------------------------------------------------------------------ */

static void test_neighbour(void)
{
	struct ipsp_handle h = neighbour.in;
	unsigned char packet[WORLD_PACKET_MAX];

	h.id = 0;
	memset(h.counter, 0x5a, sizeof(h.counter));
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_HANDLE_ADD, &h), EEXIST,
		  "the neighbour's SPI and address are the neighbour's");
	h = (struct ipsp_handle){ .id = 4000 };
	TAP_EQUAL(tap_ioctl(liar.port, IPSP_IOC_HANDLE_DEL, &h), ENOENT, "a handle that is not there");
	wire_datagram(neighbour.net, 5);
	tap(wire_next(packet, 5000) && wire_is_esp(&neighbour, packet), "the neighbour goes on");
}

/* A policy that lets go what a rule protects, and a stack that obeys it */
static void say_bypass(struct stack *s, const void *unused)
{
	struct ticket t;
	struct draft d;

	(void)unused;
	while (!stack_next(s, &t)) {
		stack_answer(s, &t, &d);
		if (t.rec.type == IPSP_REC_CLASSIFY)
			d.answer.verdict = IPSP_VERDICT_BYPASS;
		stack_put(s, &d);
	}
}

static void test_bypass(void)
{
	struct letter l = good_policy();
	unsigned char packet[WORLD_PACKET_MAX];
	int i;

	l.policy.operation = IPSP_POLICY_REPLACE;
	l.entry.action = IPSP_POLICY_BYPASS;
	l.entry.protect.clear = 1;
	l.entry.protect.selector.destination_prefix = 0;
	TAP_EQUAL(realm_control(&liar, &l.rec, IPSP_TARGET_ALL), 0, "a policy that bypasses everything");
	wire_datagram(liar.net + 1, 5);
	tap(wire_next(packet, 5000) && packet[9] == 17, "is obeyed where the rule lets it");
	wire_datagram(liar.net, 5);
	for (i = 0; i < 500 && !realm_stats(&liar).drop[IPSP_DROP_BYPASS_REFUSED]; i++)
		usleep(10000);
	TAP_EQUAL(realm_stats(&liar).drop[IPSP_DROP_BYPASS_REFUSED], 1, "and refused under `protect`");
	tap(!wire_next(packet, 100), "where nothing leaves in clear");
}

/* One policy more: an index, what it is for, and whether that may pass */
static void add_policy(__u32 index, unsigned int net, __u8 prefix, bool clear)
{
	struct letter l = good_policy();

	l.entry.action = clear ? IPSP_POLICY_BYPASS : IPSP_POLICY_APPLY;
	l.entry.protect.clear = clear;
	l.entry.protect.index = index;
	l.entry.protect.selector.destination[1] = (__u8)net;
	l.entry.protect.selector.destination_prefix = prefix;
	if (realm_control(&liar, &l.rec, IPSP_TARGET_ALL))
		tap_give_up("a policy more");
}

/* The ticket that asked is counted, and the datagram that waited for it */
static bool refuses_one_more(void)
{
	const __u64 before = realm_stats(&liar).drop[IPSP_DROP_BYPASS_REFUSED];
	unsigned char packet[WORLD_PACKET_MAX];
	int i;

	wire_datagram(liar.net + 1, 5);
	for (i = 0; i < 500 && realm_stats(&liar).drop[IPSP_DROP_BYPASS_REFUSED] == before; i++)
		usleep(10000);
	return realm_stats(&liar).drop[IPSP_DROP_BYPASS_REFUSED] > before && !wire_next(packet, 100);
}

static bool passes_one_more(void)
{
	unsigned char packet[WORLD_PACKET_MAX];

	wire_datagram(liar.net + 1, 5);
	return wire_next(packet, 5000) && packet[9] == 17;
}

/* One by one, each behind all others, so that there is room for some and the list grows for some */
static void test_many(void)
{
	struct letter l = good_policy();
	__u32 i;

	l.policy.operation = IPSP_POLICY_REPLACE;
	TAP_EQUAL(realm_control(&liar, &l.rec, IPSP_TARGET_ALL), 0, "one policy instead of all");
	for (i = 0; i < 40; i++)
		add_policy(100 + i, 100 + i, 16, false);
	tap(passes_one_more(), "what forty more are not for passes");
	add_policy(200, 0, 0, false);
	tap(refuses_one_more(), "what the youngest is for does not");
	add_policy(201, 0, 0, true);
	tap(refuses_one_more(), "nor behind a younger one that would let it");
	add_policy(200, 0, 0, false);
	tap(passes_one_more(), "one that comes again is behind that one");
	l.policy.operation = IPSP_POLICY_DELETE;
	l.entry.protect.index = 201;
	TAP_EQUAL(realm_control(&liar, &l.rec, IPSP_TARGET_ALL), 0, "which is deleted");
	tap(refuses_one_more(), "and then it is the first again");
	add_policy(201, 0, 0, true);
	tap(refuses_one_more(), "the deleted one comes behind it");
}

int main(void)
{
	const struct realm *const both[] = { &liar, &neighbour };

	world_begin();
	realm_begin(&liar, 20, 5000);
	realm_begin(&neighbour, 40, 5000);
	realm_rules(both, 2);
	realm_start(&liar, say_bypass, NULL);
	realm_start(&neighbour, stack_honest, NULL);
	test_letters();
	test_targets();
	test_roles();
	test_stack();
	test_again();
	test_relief();
	test_store();
	test_neighbour();
	test_bypass();
	test_many();
	TAP_EQUAL(realm_balance(&liar), 0, "the ledger balances");
	TAP_EQUAL(realm_event(&liar, 0).event, 0, "no stack was harmed");
	realm_stop(&liar);
	realm_stop(&neighbour);
	realm_rules(NULL, 0);
	realm_end(&liar);
	realm_end(&neighbour);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
