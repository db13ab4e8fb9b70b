// SPDX-License-Identifier: GPL-2.0-only
/*
 * handle_busy.c - SAs that are deleted and made anew while their packets come in and go out
 *
 * Whoever found an SA just before it was deleted may go on with it: what becomes of that a kernel that watches its memory
 * says (make check-debug). Here: no packet is lost from the ledger, none comes in twice, and all that was made is freed.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"
#include "world/way.h"

/* What tests/check asks of a test's own comments, in a program; two processors */
__attribute__((used)) static const char notes[] = "\n# timeout: 120\n";

#define ROUNDS	400

static struct realm r;

/* Until it is killed */
static pid_t flood(void)
{
	unsigned int number;
	pid_t pid = fork();

	if (pid)
		return pid;
	for (number = 1;; number++) {
		wire_esp(&r, number);
		if (number % 16 == 0)
			wire_datagram(r.net, 7);
	}
}

static void renew(struct ipsp_handle *h)
{
	struct ipsp_handle id = { .id = h->id };

	if (ioctl(r.port, IPSP_IOC_HANDLE_DEL, &id))
		tap_give_up("a handle's end");
	h->id = 0;
	if (ioctl(r.port, IPSP_IOC_HANDLE_ADD, h))
		tap_give_up("the same handle again");
}

int main(void)
{
	unsigned int i, unheard = 0;
	__u64 before, after;
	pid_t pid;

	world_begin();
	way_begin(&r, (struct realm_kind){ .family = 4, .mode = IPSP_SA_TUNNEL }, stack_honest);
	pid = flood();
	tap(way_counted_from(&r, IPSP_COUNT_IN_PACKETS, 100), "packets come in");
	for (i = 0; i < ROUNDS; i++) {
		before = realm_stats(&r).counter[IPSP_COUNT_CAPTURED];
		renew(&r.in);
		after = realm_stats(&r).counter[IPSP_COUNT_CAPTURED];
		unheard += before == after;
	}
	tap(unheard < ROUNDS, "the SA is renewed %d times, and packets came while it was in %u of them", ROUNDS, ROUNDS - unheard);
	before = realm_stats(&r).counter[IPSP_COUNT_IN_PACKETS];
	tap(way_counted_from(&r, IPSP_COUNT_IN_PACKETS, before + 100), "and they go on to come in");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	TAP_EQUAL(realm_stats(&r).drop[IPSP_DROP_REPLAY], 0, "none was taken for another one");
	way_finish(&r, "busy");
	tap(world_end(), "what was made is freed");
	return tap_end();
}
