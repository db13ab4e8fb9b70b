// SPDX-License-Identifier: GPL-2.0-only
/*
 * late-stack.c - the product's stack, at a module whose interface is another
 *
 * Linked with --wrap=ioctl, beside objects that are the product's own; installed by nobody.
 */
#include <stdarg.h>
#include <sys/ioctl.h>

#include "ipsec_port.h"

int __real_ioctl(int fd, unsigned long number, ...);
int __wrap_ioctl(int fd, unsigned long number, ...);

int __wrap_ioctl(int fd, unsigned long number, ...)
{
	va_list list;
	void *arg;
	int err;

	va_start(list, number);
	arg = va_arg(list, void *);
	va_end(list);
	err = __real_ioctl(fd, number, arg);
	if (!err && number == IPSP_IOC_LAYOUT)
		((struct ipsp_layout *)arg)->interface++;
	return err;
}
