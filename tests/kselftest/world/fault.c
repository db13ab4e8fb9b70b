// SPDX-License-Identifier: GPL-2.0-only
/* fault.c - see fault.h; Documentation/fault-injection of the kernel says what fail-nth is */
#define _GNU_SOURCE
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/kselftest/tap.h"

/* ---- the n-th fault ------------------------------------------------------------------------------- */

int fault_is_there;
static int nth = -1, control = -1;

/* Our own copies count as well: one that fails has used the fault up. */
void fault_arm(unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	if (!fault_is_there)
		return;
	while (pwrite(nth, text, (size_t)length, 0) != length)
		if (errno != EFAULT)
			tap_give_up("fail-nth");
}

/* Was it hit before we asked? Then the counter has run down to 0. */
int fault_hit(void)
{
	char text[16] = { 0 };
	int hit = 0;

	if (!fault_is_there)
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

void fault_own(void)
{
	if (nth >= 0)
		close(nth);
	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
}

/* Allocations that may wait fail too, and single pages. */
int fault_begin(void)
{
	control = open("/dev/ipsec-port/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		tap_give_up("control");
	fault_own();
	fault_is_there = nth >= 0 && !set("/sys/kernel/debug/failslab/ignore-gfp-wait", "N") &&
			 !set("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N") &&
			 !set("/sys/kernel/debug/fail_page_alloc/min-order", "0") &&
			 !set("/sys/kernel/debug/failslab/verbose", "0") &&
			 !set("/sys/kernel/debug/fail_page_alloc/verbose", "0") &&
			 !set("/sys/kernel/debug/fail_usercopy/verbose", "0");
	return fault_is_there;
}

/* ---- calls ------------------------------------------------------------------------------------------- */

/* The objects that are alive now, once what was let go has gone. */
static long long alive(struct realm *r)
{
	long long now, before = -1;
	struct ipsp_stats s;

	for (;;) {
		while (realm_event(r, 0).event)
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

int fault_through(struct realm *r, const struct fault_call *c)
{
	const long long before = alive(r);
	unsigned int n;
	int err, hit;

	for (n = 1; n < FAULTS_MOST; n++) {
		if (c->prepare)
			c->prepare();
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
	if (alive(r) != before)
		printf("# objects alive: %lld before, %lld now\n", before, alive(r));
	return err || n == FAULTS_MOST || alive(r) != before ? -1 : (int)n - 1;
}
