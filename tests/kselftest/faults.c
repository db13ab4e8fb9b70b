// SPDX-License-Identifier: GPL-2.0-only
/*
 * faults.c - each allocation and each copy of each call fails once, in turn
 *
 * /proc/thread-self/fail-nth lets the n-th of them fail (Documentation/fault-injection of the kernel). A call that
 * fails so says so and leaves everything as it was; then the next one, until the call goes through untouched. On
 * a kernel without fault injection there is nothing to do.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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

static int nth = -1;

/* Our own copies count as well: one that fails has used the fault up. */
static void fault_arm(unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	while (pwrite(nth, text, (size_t)length, 0) != length)
		if (errno != EFAULT)
			tap_give_up("fail-nth");
}

/* Was it hit before we asked? Then the counter has run down to 0. */
static int fault_hit(void)
{
	char text[16] = { 0 };
	int hit = 0;

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

static int call_policy(void)
{
	_Alignas(64) unsigned char bytes[128 + 64] = { 0 };
	struct ipsp_record *rec = (struct ipsp_record *)bytes;

	rec->type = IPSP_REC_POLICY;
	rec->control_len = sizeof(struct ipsp_policy);
	rec->len = 128;
	return realm_control(&r, rec, IPSP_TARGET_ALL);
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
	{ "RULES_SET", call_rules, undo_rules },
	{ "HANDLE_ADD, outbound", call_handle_out, undo_handle },
	{ "HANDLE_ADD, inbound", call_handle_in, undo_handle },
	{ "CONTROL, a policy", call_policy, NULL },
	{ "ATTACH as stack", call_attach_stack, undo_attach },
	{ "ATTACH as admin", call_attach_admin, undo_attach },
	{ "an admin's request", call_request, undo_attach },
	{ "STATS", call_stats, NULL },
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
	unsigned int i;
	int faults;

	world_begin();
	control = open("/dev/ipsec-port/control", O_RDWR);
	realm_begin(&r, 20, 60000);
	test_untold();
	if (fault_begin()) {
		printf("# no fault injection in this kernel: nothing more to do\n");
		realm_end(&r);
		close(control);
		tap(world_end(), "what was made is freed");
		return tap_end();
	}
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		faults = call_through(&calls[i]);
		tap(faults > 0, "%s: %d faults, each leaves everything as it was", calls[i].what, faults);
	}
	while (realm_event(&r, 100).event)
		;
	test_packets();
	realm_end(&r);
	close(control);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
