// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "device.h"

int device_control(unsigned long number, void *arg)
{
	int fd = open(DEVICE_DIRECTORY "control", O_RDWR | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, number, arg) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* devtmpfs makes the node a moment after the ioctl returns. */
int device_open(const char *name, int flags)
{
	const struct timespec pause = { 0, 2000000 };
	char path[64];
	int fd, tries;

	snprintf(path, sizeof(path), DEVICE_DIRECTORY "%s", name);
	for (tries = 0; tries < 500; tries++) {
		fd = open(path, flags);
		if (fd >= 0 || errno != ENOENT)
			break;
		nanosleep(&pause, NULL);
	}
	return fd < 0 ? -errno : fd;
}

int device_attach(int fd, __u32 role, __u32 index)
{
	struct ipsp_attach attach = { .role = role, .index = index };

	return ioctl(fd, IPSP_IOC_ATTACH, &attach) ? -errno : 0;
}

#define DEVICE_PATIENCE_MS 10000

/* ---- requests -------------------------------------------------------------------------- */

#define DEVICE_HEAD (sizeof(struct ipsp_record) + sizeof(struct ipsp_admin))
#define DEVICE_DATA ((DEVICE_HEAD + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1ul))

struct device_buffer {
	_Alignas(64) char bytes[DEVICE_DATA + IPSP_ADMIN_MAX];
};

static int request_fill(struct device_buffer *b, __u32 flags, __u32 start, const char *const *word,
			int count)
{
	struct ipsp_record *rec = (struct ipsp_record *)b->bytes;
	struct ipsp_admin *admin = (struct ipsp_admin *)(rec + 1);
	size_t used = 0, length;
	int i;

	memset(b->bytes, 0, DEVICE_DATA);
	for (i = 0; i < count; i++, used += length) {
		length = strlen(word[i]) + 1;
		if (length > IPSP_ADMIN_MAX - IPSP_ALIGN - used)
			return -E2BIG;
		memcpy(b->bytes + DEVICE_DATA + used, word[i], length);
	}
	rec->type = IPSP_REC_ADMIN_REQUEST;
	rec->control_len = sizeof(*admin);
	rec->data_offset = DEVICE_DATA;
	rec->data_len = (__u32)used;
	rec->len = (__u32)((DEVICE_DATA + used + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1ul));
	memset(b->bytes + DEVICE_DATA + used, 0, rec->len - DEVICE_DATA - used);
	admin->flags = flags;
	admin->start = start;
	return 0;
}

/* A manager that is stopped or stuck must not take its admins along. */
static int request_wait(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do {
		n = poll(&p, 1, DEVICE_PATIENCE_MS);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n ? 0 : -ETIMEDOUT;
}

static struct device_buffer buffer;

int device_send(int fd, __u32 flags, __u32 start, const char *const *word, int count)
{
	const struct ipsp_record *rec = (const struct ipsp_record *)buffer.bytes;
	int err = request_fill(&buffer, flags, start, word, count);

	if (!err && write(fd, buffer.bytes, rec->len) < 0)
		err = -errno;
	explicit_bzero(&buffer, sizeof(buffer));
	return err;
}

int device_receive(int fd, struct device_reply *reply)
{
	const struct ipsp_record *rec = (const struct ipsp_record *)buffer.bytes;
	const struct ipsp_admin *admin = (const struct ipsp_admin *)(rec + 1);

	if (read(fd, buffer.bytes, sizeof(buffer.bytes)) < 0)
		return -errno;
	reply->status = admin->status;
	reply->next = admin->start;
	reply->length = rec->data_len < IPSP_ADMIN_MAX ? rec->data_len : IPSP_ADMIN_MAX - 1;
	memcpy(reply->text, buffer.bytes + rec->data_offset, reply->length);
	reply->text[reply->length] = '\0';
	explicit_bzero(&buffer, sizeof(buffer));
	return 0;
}

int device_ask(int fd, __u32 flags, const char *const *word, int count,
	       struct device_reply *reply)
{
	int err = device_send(fd, flags, reply->next, word, count);

	if (!err)
		err = request_wait(fd);
	return err ? err : device_receive(fd, reply);
}

int device_request(const char *name, __u32 flags, const char *const *word, int count,
		   struct device_reply *reply)
{
	int fd = device_open(name, O_RDWR | O_CLOEXEC), err;

	if (fd < 0)
		return fd;
	err = device_attach(fd, IPSP_ROLE_ADMIN, 0);
	if (!err)
		err = device_ask(fd, flags, word, count, reply);
	close(fd);
	return err;
}
