// SPDX-License-Identifier: GPL-2.0-only
/* reply.c - what an admin gets for its request */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "manager.h"

int reply_send(struct manager *m, __u64 request, int status, const struct text *out, __u32 next)
{
	static struct {
		_Alignas(64) char bytes[IPSP_ADMIN_MAX + 256];
	} b;
	struct ipsp_record *rec = (struct ipsp_record *)b.bytes;
	struct ipsp_admin *admin = (struct ipsp_admin *)(rec + 1);
	__u32 at = 128;
	int err;

	memset(b.bytes, 0, at);
	rec->type = IPSP_REC_ADMIN_REPLY;
	rec->control_len = sizeof(*admin);
	rec->data_offset = at;
	rec->data_len = (__u32)out->used;
	rec->len = (at + rec->data_len + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	memcpy(b.bytes + at, out->base, out->used);
	memset(b.bytes + at + out->used, 0, rec->len - at - out->used);
	admin->id = request;
	admin->status = status;
	admin->start = next;
	err = write(m->fd, b.bytes, rec->len) < 0 ? -errno : 0;
	if (err && err != -ENOENT)
		fprintf(stderr, "ipsec-portd: reply: %s\n", strerror(-err));
	explicit_bzero(&b, rec->len);
	return err;
}
