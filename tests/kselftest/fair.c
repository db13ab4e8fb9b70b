// SPDX-License-Identifier: GPL-2.0-only
/*
 * fair.c - no flow of a compartment starves another where its stack cannot answer all
 *
 * The stack stands still: what is captured waits. A flow that floods is refused room long before there is none, and others,
 * which send less, find theirs; so outbound, by addresses and ports, and inbound, by SA. When the stack goes on all that was
 * taken leaves, and then the same again is taken.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap.h"
#include "world/world.h"

#define NET	24
#define SLOTS	4096u		/* pending tickets of a direction */
#define FLOOD	5000u
#define SOME	200u

static const char note[] __attribute__((used)) = "\n# mode: one\n";

static struct realm r, other;	/* the same realm, by another inbound SA */
static volatile int *still;	/* the stack does not answer */

static void answer_moving(struct stack *s, const void *unused)
{
	struct ticket t;
	struct draft d;

	(void)unused;
	while (!stack_next(s, &t)) {
		while (*still)
			usleep(1000);
		stack_answer(s, &t, &d);
		if (stack_put(s, &d))
			break;
	}
}

static unsigned long long full(void)
{
	return realm_stats(&r).drop[IPSP_DROP_RING_FULL];
}

static unsigned long long pending(void)
{
	return realm_stats(&r).counter[IPSP_COUNT_PENDING];
}

static int quiet(void)
{
	int i;

	for (i = 0; i < 3000 && (pending() || realm_balance(&r)); i++)
		usleep(10000);
	return i < 3000;
}

/* Of one port, so of one flow */
static void outbound(unsigned int host, unsigned int count)
{
	const struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(5000) };
	const struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(10u << 24 | NET << 16 | host),
	};
	const int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 64 << 20;

	if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) ||
	    bind(sock, (const struct sockaddr *)&from, sizeof(from)))
		tap_give_up("a socket");
	while (count--)
		if (sendto(sock, "fair", 4, 0, (const struct sockaddr *)&to, sizeof(to)) != 4)
			tap_give_up("a datagram");
	close(sock);
}

static unsigned int number[2];

static void inbound(const struct realm *of, unsigned int count)
{
	while (count--)
		wire_esp(of, ++number[of == &other]);
}

/* How many of so many more were taken */
static unsigned long long takes(void (*flow)(unsigned int count), unsigned int count)
{
	const unsigned long long before = full();

	flow(count);
	return count - (full() - before);
}

static void out_one(unsigned int count)
{
	outbound(1, count);
}

static void out_two(unsigned int count)
{
	outbound(2, count);
}

static void out_three(unsigned int count)
{
	outbound(3, count);
}

/* Each to another host, of which nothing is known */
static void out_new(unsigned int count)
{
	while (count--)
		wire_datagram(NET, 4 + count % SOME);
}

static void in_one(unsigned int count)
{
	inbound(&r, count);
}

static void in_two(unsigned int count)
{
	inbound(&other, count);
}

static void goes_on(const char *what)
{
	*still = 0;
	tap(quiet(), "%s: the stack goes on: nothing is pending, the ledger balances", what);
}

static void test_out(void)
{
	unsigned long long taken;

	out_one(1);
	out_two(1);
	out_three(1);
	tap(quiet(), "three flows are known");
	*still = 1;
	taken = takes(out_one, FLOOD);
	printf("# one that floods had %llu of %u\n", taken, SLOTS);
	tap(taken >= SLOTS / 2 && taken <= SLOTS * 3 / 4, "one that floods is refused while there is room");
	TAP_EQUAL(takes(out_two, SOME), SOME, "another finds room for all it sends");
	TAP_EQUAL(takes(out_one, SOME), 0, "the one that floods finds none");
	TAP_EQUAL(takes(out_new, SOME), SOME, "so do the questions of new flows");
	taken = takes(out_two, FLOOD);
	tap(taken > SOME && taken < SLOTS / 4, "when the other floods, it is refused as well");
	TAP_EQUAL(takes(out_three, SOME), SOME, "and a third finds room");
	goes_on("outbound");
}

/* All that was taken has left: its part is free. */
static void test_again(void)
{
	unsigned long long taken;

	*still = 1;
	taken = takes(out_one, FLOOD);
	tap(taken >= SLOTS / 2 && taken <= SLOTS * 3 / 4, "the same again is taken");
	goes_on("again");
}

static void test_in(void)
{
	unsigned long long taken;

	*still = 1;
	taken = takes(in_one, FLOOD);
	printf("# the SA that is flooded had %llu of %u\n", taken, SLOTS);
	tap(taken >= SLOTS / 2 && taken <= SLOTS * 3 / 4, "an SA that is flooded is refused while there is room");
	TAP_EQUAL(takes(in_two, SOME), SOME, "another SA finds room for all that comes");
	TAP_EQUAL(takes(out_one, SOME), SOME, "the other direction has room of its own");
	goes_on("inbound");
}

static void other_begin(void)
{
	other = r;
	other.in.id = 0;
	other.in.spi ^= 1;
	memset(other.in.counter, 0x66, sizeof(other.in.counter));
	TAP_EQUAL(tap_ioctl(r.port, IPSP_IOC_HANDLE_ADD, &other.in), 0, "one more inbound handle");
}

int main(void)
{
	const struct realm *const one[] = { &r };

	world_begin();
	still = mmap(NULL, sizeof(*still), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (still == MAP_FAILED)
		tap_give_up("shared memory");
	realm_begin(&r, NET, 60000);
	other_begin();
	realm_rules(one, 1);
	realm_start(&r, answer_moving, NULL);
	test_out();
	test_again();
	test_in();
	realm_stop(&r);
	realm_rules(NULL, 0);
	realm_end(&r);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
