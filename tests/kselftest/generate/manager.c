// SPDX-License-Identifier: GPL-2.0-only
/* manager.c - a manager's calls: control records, handles, what is stored, replies; valid first, then spoiled */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "play.h"

struct letter {
	_Alignas(64) unsigned char bytes[2048];
};

static struct ipsp_record *letter_begin(struct letter *l, uint16_t type, uint32_t control_len, uint32_t data_len)
{
	struct ipsp_record *rec = (struct ipsp_record *)l->bytes;

	memset(l, 0, sizeof(*l));
	rec->type = type;
	rec->control_len = control_len;
	rec->data_offset = ipsp_record_data_offset(control_len);
	rec->data_len = data_len;
	rec->len = (rec->data_offset + data_len + 63) & ~63u;
	return rec;
}

static void letter_send(struct stage *s, struct dice *d, struct letter *l, int is_spoiled)
{
	const struct ipsp_record *rec = (const struct ipsp_record *)l->bytes;
	struct ipsp_control c = { .record = (uintptr_t)l->bytes, .size = rec->len, .target = IPSP_TARGET_ALL };

	if (is_spoiled)
		dice_spoil(d, l->bytes, rec->len, 1 + dice_below(d, 3));
	if (dice_one_in(d, 4))
		c.target = 0;
	if (dice_one_in(d, 16))
		dice_spoil(d, &c, sizeof(c), 1);
	stage_call(s->fd, IPSP_IOC_CONTROL, &c);
}

/* Of any family, of the stage's hosts, or of others */
static void selector_fill(const struct realm *r, struct dice *d, struct ipsp_selector *s)
{
	const int is4 = r->kind.family == 4;

	*s = (struct ipsp_selector){
		.family = dice_one_in(d, 4) ? 0 : r->kind.family, .protocol = dice_one_in(d, 2) ? 17 : 0,
		.source_last = 65535, .destination_last = 65535,
	};
	if (!s->family)
		return;
	s->destination_prefix = (uint8_t)dice_below(d, is4 ? 33 : 129);
	s->destination[0] = is4 ? 10 : 0xfd;
	s->destination[is4 ? 1 : 3] = (uint8_t)(PLAY_NET + dice_below(d, 2));
}

static void run_policy(struct stage *s, struct dice *d)
{
	const uint32_t count = dice_below(d, 4);
	struct letter l;
	struct ipsp_record *rec = letter_begin(&l, IPSP_REC_POLICY, sizeof(struct ipsp_policy),
					       count * sizeof(struct ipsp_policy_entry));
	struct ipsp_policy *policy = (struct ipsp_policy *)(rec + 1);
	struct ipsp_policy_entry *e = (struct ipsp_policy_entry *)(l.bytes + rec->data_offset);
	uint32_t i;

	policy->operation = dice_below(d, 3);
	policy->count = count;
	for (i = 0; i < count; i++) {
		selector_fill(&s->realm, d, &e[i].protect.selector);
		e[i].protect.index = dice_below(d, 8);
		e[i].protect.priority = dice_below(d, 3);
		e[i].protect.direction = (uint8_t)dice_below(d, 3);
		e[i].action = (uint8_t)dice_below(d, 3);
		e[i].protect.clear = e[i].action == IPSP_POLICY_BYPASS;
	}
	letter_send(s, d, &l, dice_one_in(d, 3));
}

static void run_letter(struct stage *s, struct dice *d)
{
	static const struct { uint16_t type; uint32_t length; } kinds[] = {
		{ IPSP_REC_SA_ADD, sizeof(struct ipsp_sa) }, { IPSP_REC_SA_UPDATE, sizeof(struct ipsp_sa) },
		{ IPSP_REC_SA_DELETE, sizeof(struct ipsp_sa) }, { IPSP_REC_TIME, sizeof(struct ipsp_time) },
		{ IPSP_REC_CONFIG, sizeof(struct ipsp_config) },
		{ IPSP_REC_SNAPSHOT_BEGIN, sizeof(struct ipsp_snapshot) },
		{ IPSP_REC_SNAPSHOT_END, sizeof(struct ipsp_snapshot) },
		{ IPSP_REC_RELEASE, sizeof(struct ipsp_acquired) }, { IPSP_REC_FLUSH, 0 },
	};
	const unsigned int i = dice_below(d, sizeof(kinds) / sizeof(kinds[0]));
	struct letter l;

	letter_begin(&l, kinds[i].type, kinds[i].length, 0);
	letter_send(s, d, &l, dice_one_in(d, 2));
}

/* What a stack holds is released or refused, before it is held or after. */
static void run_acquired(struct stage *s, struct dice *d)
{
	struct letter l;
	struct ipsp_record *rec = letter_begin(&l, dice_one_in(d, 3) ? IPSP_REC_REFUSE : IPSP_REC_RELEASE,
					       sizeof(struct ipsp_acquired), 0);

	((struct ipsp_acquired *)(rec + 1))->acquire = 1 + dice_below(d, 5);
	letter_send(s, d, &l, dice_one_in(d, 8));
}

/* Many at once: a stream runs full, and whoever waits for room gets it or is told. */
static void run_flood(struct stage *s, struct dice *d)
{
	unsigned int i, times = 100 + dice_below(d, 400);
	struct letter l;

	letter_begin(&l, IPSP_REC_SA_UPDATE, sizeof(struct ipsp_sa), 0);
	for (i = 0; i < times; i++)
		letter_send(s, d, &l, 0);
}

/* ---- handles --------------------------------------------------------------------------------------------- */

/* The first SA again, under its own name; or others, of 64 names, whose SPIs are not its. */
static struct ipsp_handle handle_of(const struct stage *s, struct dice *d)
{
	struct ipsp_handle h = dice_one_in(d, 2) ? s->realm.out : s->realm.in;

	h.id = 0;
	if (dice_one_in(d, 3))
		return h;
	memset(h.counter, 0, sizeof(h.counter));
	h.counter[0] = (uint8_t)(1 + dice_below(d, 64));
	h.spi = htonl(0x80000000u | dice_below(d, 64));
	h.window = h.direction == IPSP_DIR_IN ? 32u << dice_below(d, 9) : 0;
	if (dice_one_in(d, 3))
		dice_spoil(d, (char *)&h + 12, 68, 1);
	h.spi |= htonl(0x80000000u);
	return h;
}

static void run_handle_add(struct stage *s, struct dice *d)
{
	struct ipsp_handle h = handle_of(s, d);

	stage_call(s->fd, IPSP_IOC_HANDLE_ADD, &h);
}

static uint32_t handle_id(const struct stage *s, struct dice *d)
{
	switch (dice_below(d, 4)) {
	case 0:
		return s->realm.out.id;
	case 1:
		return s->realm.in.id;
	}
	return dice_one_in(d, 4) ? dice_word(d) : dice_below(d, 40);
}

static void run_handle_set(struct stage *s, struct dice *d)
{
	struct ipsp_handle h = { .id = handle_id(s, d) };

	stage_call(s->fd, IPSP_IOC_HANDLE_GET, &h);
	h.ceiling = dice_one_in(d, 2) ? dice_word(d) : 0;
	if (dice_one_in(d, 3))
		dice_spoil(d, &h, sizeof(h), 1);
	stage_call(s->fd, IPSP_IOC_HANDLE_SET, &h);
}

static void run_handle_del(struct stage *s, struct dice *d)
{
	struct ipsp_handle h = { .id = handle_id(s, d) };

	stage_call(s->fd, dice_one_in(d, 2) ? IPSP_IOC_HANDLE_DEL : IPSP_IOC_HANDLE_GET, &h);
}

/* ---- what is stored, said, replied -------------------------------------------------------------------------- */

static void run_store(struct stage *s, struct dice *d)
{
	int fds[] = { memfd_create("stored", 0), socket(AF_INET, SOCK_DGRAM, 0), dup(s->fd), -1, (int)dice_word(d) };
	int got;

	ioctl(s->fd, IPSP_IOC_STORE, &fds[dice_below(d, 5)]);
	got = ioctl(s->fd, IPSP_IOC_TAKE);
	close(got);
	close(fds[0]);
	close(fds[1]);
	close(fds[2]);
}

/* A reply to a request that may never have been */
static void run_reply(struct stage *s, struct dice *d)
{
	struct letter l;
	struct ipsp_record *rec = letter_begin(&l, IPSP_REC_ADMIN_REPLY, sizeof(struct ipsp_admin), 40);
	struct ipsp_message m = { .record = (uintptr_t)&l, .size = rec->len };

	((struct ipsp_admin *)(rec + 1))->id = 1 + dice_below(d, 64);
	if (dice_one_in(d, 3))
		dice_spoil(d, l.bytes, rec->len, 2);
	stage_call(s->fd, IPSP_IOC_PUTMSG, &m);
}

/* The manager goes, and another comes: the same process, by another descriptor. */
static void run_again(struct stage *s, struct dice *d)
{
	int fd = stage_open(s->realm.name), i;
	struct ipsp_attach a = { .role = IPSP_ROLE_MANAGER };

	(void)d;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	dup2(fd, s->realm.port);		/* both threads' and the housekeeper's */
	close(fd);
	for (i = 0; ioctl(s->realm.port, IPSP_IOC_ATTACH, &a) && errno == EBUSY && i < 20; i++)
		usleep(5000);
}

static const struct kind manager_kinds[] = {
	{ "policy", 14, run_policy }, { "letter", 12, run_letter }, { "acquired", 10, run_acquired },
	{ "flood", 1, run_flood },
	{ "handle-add", 10, run_handle_add }, { "handle-set", 6, run_handle_set }, { "handle-del", 5, run_handle_del },
	{ "store", 6, run_store }, { "call", 6, stage_any_call }, { "reply", 6, run_reply }, { "again", 2, run_again },
};

const struct cast manager_cast = { "manager", manager_kinds, sizeof(manager_kinds) / sizeof(manager_kinds[0]), 2 };
