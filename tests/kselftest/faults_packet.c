// SPDX-License-Identifier: GPL-2.0-only
/*
 * faults_packet.c - each allocation on a packet's way fails once, in turn: out, in, and inside of a stack's KICK
 *
 * A packet that meets a fault is lost, in our hands counted, and nobody is to blame; the next one passes. On a kernel
 * without fault injection all pass. Calls: see faults.c.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap.h"
#include "world/fault.h"

static struct realm r;

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

/* Likewise of one that comes in: it is lost on the way to us, or to be counted. */
static int packets_in(void)
{
	unsigned int n;
	int hit = 1, err = 0;

	for (n = 1; n < FAULTS_MOST && hit; n++) {
		fault_arm(n);
		err = wire_try_esp(&r, n);
		hit = fault_hit();
		if (err && err != ENOMEM && err != EFAULT && err != ENOBUFS) {
			printf("# fault %u: errno %d\n", n, err);
			return -1;
		}
	}
	return hit || err ? -1 : (int)n - 2;
}

static void test_in(void)
{
	const struct ipsp_stats before = realm_stats(&r);
	const int faults = packets_in();
	struct ipsp_stats s;
	__u64 ours;
	int i;

	tap(fault_is_there ? faults > 3 : !faults, "packets in: %d faults on their way", faults);
	for (i = 0; i < 100 && realm_stats(&r).counter[IPSP_COUNT_PENDING]; i++)
		usleep(100000);
	s = realm_stats(&r);
	ours = s.drop[IPSP_DROP_NO_MEMORY] - before.drop[IPSP_DROP_NO_MEMORY];
	tap(fault_is_there ? ours > 0 : !ours, "packets in: %llu of them in ours, each counted", ours);
	tap(s.counter[IPSP_COUNT_IN_PACKETS] > before.counter[IPSP_COUNT_IN_PACKETS], "packets in: control: %llu came in",
	    s.counter[IPSP_COUNT_IN_PACKETS] - before.counter[IPSP_COUNT_IN_PACKETS]);
	TAP_EQUAL(realm_event(&r, 0).event, 0, "packets in: the stack is not to blame");
	TAP_EQUAL(realm_balance(&r), 0, "packets in: the ledger balances");
}

/* A stack whose KICK meets each fault once */
static void kick_through(struct stack *s, const void *unused)
{
	struct ticket t;
	struct draft d;
	unsigned int n;

	(void)unused;
	fault_own();
	for (n = 1; !stack_next(s, &t); n = n % 40 + 1) {
		stack_answer(s, &t, &d);
		fault_arm(n);
		stack_put(s, &d);
		fault_hit();
	}
}

static void test_out(void)
{
	const int faults = packets_through();

	tap(fault_is_there ? faults > 3 : !faults, "packets out: %d faults on their way", faults);
	TAP_EQUAL(realm_event(&r, 0).event, 0, "packets out: the stack is not to blame");
	TAP_EQUAL(realm_balance(&r), 0, "packets out: the ledger balances");
}

static void test_kick(void)
{
	const __u64 before = realm_stats(&r).drop[IPSP_DROP_NO_MEMORY];
	__u64 lost;
	int i;

	realm_stop(&r);
	while (realm_event(&r, 1000).event)
		;
	realm_start(&r, kick_through, NULL);
	for (i = 0; i < 200; i++) {
		wire_datagram(r.net, 1000 + (unsigned int)i);
		wire_esp(&r, 1 + FAULTS_MOST + (unsigned int)i);
	}
	for (i = 0; i < 100 && realm_stats(&r).counter[IPSP_COUNT_PENDING]; i++)
		usleep(100000);
	lost = realm_stats(&r).drop[IPSP_DROP_NO_MEMORY] - before;
	tap(fault_is_there ? lost > 20 : !lost, "a stack's answers: %llu lost for want of memory", lost);
	TAP_EQUAL(realm_event(&r, 0).event, 0, "and the stack is not to blame");
	TAP_EQUAL(realm_balance(&r), 0, "the ledger balances");
	realm_stop(&r);
	realm_rules(NULL, 0);
}

int main(void)
{
	const struct realm *const one[] = { &r };

	world_begin();
	realm_begin(&r, 20, 60000);
	if (!fault_begin())
		printf("# no fault injection in this kernel: each packet passes\n");
	realm_rules(one, 1);
	realm_start(&r, stack_honest, NULL);
	test_out();
	test_in();
	test_kick();
	realm_rules(NULL, 0);
	realm_end(&r);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
