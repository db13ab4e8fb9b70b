// SPDX-License-Identifier: GPL-2.0-only
/* admin.c - an admin who asks, reads and goes, by several descriptors in turn */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "play.h"

static void run_attach(struct stage *s, struct dice *d)
{
	struct ipsp_attach a = { .role = IPSP_ROLE_ADMIN };

	close(s->fd);
	s->fd = stage_open(s->realm.name);
	if (dice_one_in(d, 4))
		dice_spoil(d, &a, sizeof(a), 1);
	ioctl(s->fd, IPSP_IOC_ATTACH, &a);
}

static void run_ask(struct stage *s, struct dice *d)
{
	static _Alignas(64) unsigned char bytes[1024];
	struct ipsp_record *rec = (struct ipsp_record *)bytes;
	struct ipsp_message m = { .record = (uintptr_t)bytes };

	memset(bytes, 0, sizeof(bytes));
	rec->type = IPSP_REC_ADMIN_REQUEST;
	rec->control_len = sizeof(struct ipsp_admin);
	rec->data_offset = ipsp_record_data_offset(rec->control_len);
	rec->data_len = dice_below(d, 512);
	rec->len = m.size = (rec->data_offset + rec->data_len + 63) & ~63u;
	if (dice_one_in(d, 3))
		dice_spoil(d, bytes, 192, 1);
	if (dice_one_in(d, 8))
		dice_spoil(d, &m, sizeof(m), 1);
	stage_call(s->fd, IPSP_IOC_PUTMSG, &m);
}

static void run_hear(struct stage *s, struct dice *d)
{
	static _Alignas(64) unsigned char bytes[2048];
	struct ipsp_message m = { .record = (uintptr_t)bytes, .size = dice_one_in(d, 4) ? 64 : sizeof(bytes),
				  .band = dice_one_in(d, 4) ? dice_word(d) : 0 };

	stage_call(s->fd, IPSP_IOC_GETMSG, &m);
}

static void run_look(struct stage *s, struct dice *d)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN | POLLOUT };

	poll(&p, 1, (int)dice_below(d, 3));
	mmap(NULL, 4096, PROT_READ, MAP_SHARED, s->fd, 1ll << 32);
	stage_any_call(s, d);
}

static const struct kind admin_kinds[] = {
	{ "attach", 4, run_attach }, { "ask", 10, run_ask }, { "hear", 8, run_hear }, { "look", 3, run_look },
};

const struct cast admin_cast = { "admin", admin_kinds, sizeof(admin_kinds) / sizeof(admin_kinds[0]), 1 };
