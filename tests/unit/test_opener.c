// SPDX-License-Identifier: GPL-2.0-only
/* test_opener.c - what opens ports for the unprivileged part opens those of its list, and nothing else */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/keyd/keyd.h"
#include "suite.h"

static struct keyd k;
static int pid;

/* In place of the devices: blue is there. */
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	(void)flags;
	errno = ENOENT;
	return strcmp(path, "/dev/ipsec-port/blue") ? -1 : dup(0);
}

static void setup(void)
{
	int end, served;

	memset(&k, 0, sizeof(k));
	strcpy(k.compartment[0].name, "blue");
	strcpy(k.compartment[1].name, "green");
	k.compartments = 2;
	pid = opener_start(&end);
	ck_assert_int_ge(pid, 0);
	if (!pid) {			/* here it is the child that opens, for who forked it */
		served = fork();
		if (!served)
			_exit(7);
		_exit(opener_serve(&k, end, served));
	}
	k.opener = end;
}

static void end(int wanted)
{
	int status;

	close(k.opener);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), wanted);
}

START_TEST(of_the_list)
{
	int fd = opener_ask(&k, &k.compartment[0]);

	ck_assert_int_ge(fd, 0);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(opener_ask(&k, &k.compartment[1]), -ENOENT);
	end(7);
}
END_TEST

/* The list is the one of before the fork: what is written into it later opens nothing. */
START_TEST(not_of_the_list)
{
	strcpy(k.compartment[2].name, "blue");
	k.compartments = 3;
	ck_assert_int_eq(opener_ask(&k, &k.compartment[2]), -EINVAL);
	ck_assert_int_eq(opener_ask(&k, &k.compartment[KEYD_COMPARTMENTS_MAX - 1]), -EINVAL);
	ck_assert_int_ge(opener_ask(&k, &k.compartment[0]), 0);		/* it is still there */
	end(7);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("opener");
	TCase *c = tcase_create("opener");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, of_the_list);
	tcase_add_test(c, not_of_the_list);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
