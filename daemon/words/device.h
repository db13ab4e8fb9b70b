/* SPDX-License-Identifier: GPL-2.0-only */
/* device.h - the narrow seam to the module: control ioctls, and an admin's transaction */
#ifndef WORDS_DEVICE_H
#define WORDS_DEVICE_H

#include "ipsec_port.h"

#define DEVICE_DIRECTORY "/dev/ipsec-port/"

/* A control ioctl; 0 or -errno. */
int device_control(unsigned long number, void *arg);
/* Opens /dev/ipsec-port/NAME; the descriptor or -errno. Waits a little for its node. */
int device_open(const char *name, int flags);
int device_attach(int fd, __u32 role, __u32 index);

struct device_reply {
	int status;
	__u32 length;
	__u32 next;			/* given: entries of a list that are known; taken: where
					 * to go on, 0: the list has ended */
	char text[IPSP_ADMIN_MAX];
};

/*
 * Sends words (each ended by NUL) to the manager of compartment `name` and waits for its
 * reply. 0 or -errno. The request is wiped.
 */
int device_request(const char *name, __u32 flags, const char *const *word, int count,
		   struct device_reply *reply);
/* The same at a port that is open and attached as an admin. */
int device_ask(int fd, __u32 flags, const char *const *word, int count,
	       struct device_reply *reply);
/* Its two halves, for who does not wait: poll says when there is a reply. */
int device_send(int fd, __u32 flags, __u32 start, const char *const *word, int count);
int device_receive(int fd, struct device_reply *reply);

#endif
