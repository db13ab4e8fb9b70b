/* SPDX-License-Identifier: GPL-2.0-only */
/* tap.h - what the programs of this folder say: a line for each thing that was looked at */
#ifndef TAP_H
#define TAP_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static unsigned int tap_count, tap_failures;

__attribute__((format(printf, 2, 3)))
static inline int tap(int ok, const char *format, ...)
{
	va_list ap;

	printf("%sok %u ", ok ? "" : "not ", ++tap_count);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	tap_failures += !ok;
	return ok;
}

/* Both sides are shown where they differ. */
#define TAP_EQUAL(got, want, ...) do {						\
	long long got_ = (long long)(got), want_ = (long long)(want);		\
	if (!tap(got_ == want_, __VA_ARGS__))					\
		printf("# " #got " is %lld, wanted %lld\n", got_, want_);	\
} while (0)

/* Of a call: 0, or the errno it was refused with. */
static inline int tap_ioctl(int fd, unsigned long number, void *arg)
{
	return ioctl(fd, number, arg) < 0 ? errno : 0;
}

__attribute__((noreturn))
static inline void tap_give_up(const char *what)
{
	printf("not ok %u %s: %s\n", ++tap_count, what, strerror(errno));
	exit(1);
}

static inline int tap_end(void)
{
	printf("1..%u\n", tap_count);
	return tap_failures ? 1 : 0;
}

#endif
