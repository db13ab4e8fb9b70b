// SPDX-License-Identifier: GPL-2.0-only
/* stack.c - a stack that answers now honestly, now not, and treats its memory and its descriptor badly */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "play.h"

/* Two threads use the rings: a scrambled answer is as good as any, a ring that grows beyond its mapping is not. */
static int is_near(const struct stack *s)
{
	return s->up.head - s->up.own <= IPSP_RING_MIN / 2;
}

static int take_ticket(struct stage *s, struct ticket *t)
{
	const struct ipsp_record *rec;
	uint32_t there = ipsp_ring_peek(&s->stack.down), len;

	if (there < sizeof(*rec) || there > IPSP_RING_MIN)
		return 0;
	rec = ipsp_ring_record(&s->stack.down);
	len = rec->len;
	if (len < sizeof(*rec) || len > there || rec->data_offset > len || rec->data_len > len - rec->data_offset)
		return 0;
	t->rec = *rec;
	memcpy(&t->packet, rec + 1, sizeof(t->packet));
	t->length = rec->data_len < sizeof(t->data) ? rec->data_len : sizeof(t->data);
	memcpy(t->data, (const char *)rec + rec->data_offset, t->length);
	ipsp_ring_step(&s->stack.down, len);
	ipsp_ring_release(&s->stack.down);
	return t->rec.type >= IPSP_REC_CLASSIFY && t->rec.type <= IPSP_REC_UNPROTECT && t->length >= 48;
}

static void put(struct stage *s, const struct draft *d)
{
	unsigned char *at = ipsp_ring_record(&s->stack.up);

	if (!is_near(&s->stack) || d->length > sizeof(d->data))
		return;
	memcpy(at, &d->rec, sizeof(d->rec));
	memcpy(at + sizeof(d->rec), &d->answer, sizeof(d->answer));
	memcpy(at + ipsp_record_data_offset(sizeof(d->answer)), d->data, d->length);
	ipsp_ring_step(&s->stack.up, d->publish);
	ipsp_ring_submit(&s->stack.up);
	ioctl(s->fd, IPSP_IOC_KICK, 0);
}

static void await_tickets(struct stage *s)
{
	if (!ipsp_ring_peek(&s->stack.down))
		stage_call(s->fd, IPSP_IOC_KICK, (void *)IPSP_KICK_WAIT);
}

/* ---- answers ------------------------------------------------------------------------------------------ */

static void answer(struct stage *s, struct dice *dice, unsigned int spoils)
{
	static const struct { size_t at, size; } parts[] = {
		{ offsetof(struct draft, rec), sizeof(struct ipsp_record) },
		{ offsetof(struct draft, answer), sizeof(struct ipsp_answer) },
		{ offsetof(struct draft, data), 64 },
		{ offsetof(struct draft, rec), sizeof(struct ipsp_record) + sizeof(struct ipsp_answer) },
	};
	unsigned int part = dice_below(dice, 4), most = 16;
	struct ticket t;
	struct draft d;

	await_tickets(s);
	while (most-- && take_ticket(s, &t)) {
		stack_answer(&s->stack, &t, &d);
		if (!most || dice_one_in(dice, 4))
			dice_spoil(dice, (char *)&d + parts[part].at, (uint32_t)parts[part].size, spoils);
		put(s, &d);
	}
}

static void run_honest(struct stage *s, struct dice *d)
{
	answer(s, d, 0);
}

static void run_spoiled(struct stage *s, struct dice *d)
{
	answer(s, d, 1 + dice_below(d, 3));
}

/* Of a verdict that fits the record, if not the ticket */
static void run_verdict(struct stage *s, struct dice *dice)
{
	struct ticket t;
	struct draft d;

	if (!take_ticket(s, &t))
		return;
	stack_answer(&s->stack, &t, &d);
	d.answer.verdict = (uint16_t)dice_below(dice, 9);
	d.answer.reason = (uint16_t)dice_below(dice, IPSP_DROP_COUNT + 1);
	d.answer.mtu = dice_word(dice);
	d.answer.segments = dice_below(dice, 4);
	if (dice_one_in(dice, 2))
		d.rec.data_len = d.answer.segment_len = 0;
	put(s, &d);
}

/* Its control part is longer than an answer: the rest of it lies where an answer's data do. */
static void put_acquire(struct stage *s, struct dice *dice, const struct ticket *t, uint32_t id)
{
	const unsigned int is4 = t->data[0] >> 4 == 4, size = is4 ? 4 : 16, at = is4 ? 12 : 8;
	struct ipsp_acquire a = { .acquire = id, .selector = {
		.family = is4 ? 4 : 6, .protocol = t->data[is4 ? 9 : 6], .source_prefix = (uint8_t)(8 * size),
		.destination_prefix = (uint8_t)(8 * size), .source_last = 65535, .destination_last = 65535 } };
	struct draft d = { .rec = { .type = IPSP_REC_ACQUIRE, .control_len = sizeof(a), .len = 192 }, .publish = 192,
			   .length = sizeof(a) - sizeof(d.answer) };

	_Static_assert(sizeof(a) > sizeof(d.answer) && sizeof(d.rec) + sizeof(a) <= 192, "a record of an ACQUIRE");
	memcpy(a.selector.source, t->data + at, size);
	memcpy(a.selector.destination, t->data + at + size, size);
	dice_spoil(dice, &a, sizeof(a), dice_one_in(dice, 8));
	memcpy(&d.answer, &a, sizeof(d.answer));
	memcpy(d.data, (const char *)&a + sizeof(d.answer), d.length);
	put(s, &d);
}

/* Questions wait for one of a few ids, which its manager releases, refuses, or never hears of */
static void run_hold(struct stage *s, struct dice *dice)
{
	unsigned int most = 1 + dice_below(dice, 8);
	struct ticket t;
	struct draft d;

	await_tickets(s);
	while (most-- && take_ticket(s, &t)) {
		stack_answer(&s->stack, &t, &d);
		if (t.rec.type == IPSP_REC_CLASSIFY) {
			d.answer = (struct ipsp_answer){ .verdict = IPSP_VERDICT_HOLD, .acquire = 1 + dice_below(dice, 4) };
			if (!dice_one_in(dice, 4))
				put_acquire(s, dice, &t, d.answer.acquire);
		}
		put(s, &d);
	}
}

static void run_note(struct stage *s, struct dice *dice)
{
	struct draft d = { .rec = { .type = IPSP_REC_NOTE, .control_len = sizeof(struct ipsp_note), .len = 128 },
			   .publish = 128 };
	const struct ipsp_note note = { .handle = dice_below(dice, 4),
					.reason = (uint16_t)(IPSP_DROP_FIRST_OF_STACK + dice_below(dice, 4)),
					.count = dice_word(dice) };

	memcpy(&d.answer, &note, sizeof(note));
	dice_spoil(dice, &d, 112, dice_below(dice, 3));
	put(s, &d);
}

static void run_garbage(struct stage *s, struct dice *d)
{
	struct draft garbage;
	size_t i;

	for (i = 0; i < sizeof(garbage); i += 4)
		((uint32_t *)&garbage)[i / 4] = dice(d);
	garbage.publish = 64 * (1 + dice_below(d, 40));
	garbage.length = 64;
	put(s, &garbage);
}

/* ---- ring words ------------------------------------------------------------------------------------------ */

static void run_words(struct stage *s, struct dice *d)
{
	struct ipsp_words *w = s->stack.words;
	volatile uint32_t *at = dice_one_in(d, 2) ? &w->down.kindex : &w->up.kindex;
	unsigned int times = 1 + dice_below(d, 8);

	while (times--) {
		*at = dice_one_in(d, 2) ? *at + 64 * (dice_below(d, 5) - 2) : dice_word(d);
		if (dice_one_in(d, 2))
			stage_call(s->fd, IPSP_IOC_KICK, 0);
	}
}

/* Records change under the reader: those of the other thread too. */
static void run_scribble(struct stage *s, struct dice *d)
{
	unsigned int times = 1 + dice_below(d, 64);

	while (times--) {
		uint32_t at = (s->stack.up.own + dice_below(d, 1024)) & (IPSP_RING_MIN - 1) & ~3u;

		*(volatile uint32_t *)(s->stack.up.base + at) = dice_word(d);
	}
}

/* ---- calls --------------------------------------------------------------------------------------------- */

static void run_kick(struct stage *s, struct dice *d)
{
	static const unsigned long flags[] = { 0, IPSP_KICK_WAIT, 2, ~0ul };

	stage_call(s->fd, IPSP_IOC_KICK, (void *)flags[dice_below(d, dice_one_in(d, 8) ? 4 : 2)]);
}

static void run_message(struct stage *s, struct dice *d)
{
	static _Alignas(64) char bytes[8192];
	struct ipsp_message m = { .record = (uintptr_t)bytes, .size = sizeof(bytes), .band = dice_below(d, 3) };

	if (dice_one_in(d, 2))
		dice_spoil(d, &m, sizeof(m), 1);
	dice_spoil(d, bytes, 192, dice_below(d, 16));
	stage_call(s->fd, dice_one_in(d, 2) ? IPSP_IOC_GETMSG : IPSP_IOC_PUTMSG, &m);
	if (dice_one_in(d, 4) && write(s->fd, bytes, dice_word(d) % sizeof(bytes)) < 0)
		stage_call(s->fd, IPSP_IOC_KICK, 0);
}

/* ---- memory ---------------------------------------------------------------------------------------------- */

static void run_map(struct stage *s, struct dice *d)
{
	static const uint64_t areas[] = { 0, 1ull << 20, 1ull << 28, 2ull << 28, 1ull << 32, 3ull << 32 };
	static const size_t sizes[] = { 4096, 8192, IPSP_RING_MIN, 2 * IPSP_RING_MIN, 2 * IPSP_RING_MIN + 4096 };
	unsigned int i = dice_below(d, 8);
	uint64_t offset = (1ull << 32) + areas[dice_below(d, 6)];

	if (s->mapped[i])
		munmap(s->mapped[i], 4096);
	if (dice_one_in(d, 8))
		offset += 4096ull * dice_word(d);
	s->mapped[i] = mmap(NULL, sizes[dice_below(d, 5)], (int)dice_below(d, 4),
			    dice_one_in(d, 8) ? MAP_PRIVATE : MAP_SHARED, s->fd, (off_t)offset);
	if (s->mapped[i] == MAP_FAILED)
		s->mapped[i] = NULL;
}

static void run_protection(struct stage *s, struct dice *d)
{
	void *at = dice_one_in(d, 2) ? s->stack.down.base : s->mapped[dice_below(d, 8)];

	if (!at)
		return;
	mprotect(at, 4096, PROT_READ | (dice_one_in(d, 2) ? PROT_WRITE : 0));
	madvise(at, 4096, (int)dice_below(d, 26));
	if (at == s->stack.down.base)
		mprotect(at, 4096, PROT_READ);
}

/* An area of its own goes: that ends the attachment. Then it runs into the hole, sooner or later. */
static void run_unmap(struct stage *s, struct dice *d)
{
	munmap(dice_one_in(d, 2) ? s->stack.up.base + IPSP_RING_MIN : s->stack.down.base, 4096);
	run_kick(s, d);
}

/* ---- process ----------------------------------------------------------------------------------------------- */

/* Another mm: its calls are refused, its copies of the mappings are not there, its end is nobody's. */
static void run_fork(struct stage *s, struct dice *d)
{
	pid_t child = fork();

	if (!child) {
		run_kick(s, d);
		run_map(s, d);
		if (dice_one_in(d, 2))
			*(volatile char *)s->stack.up.base = 1;
		_exit(0);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

static void run_descriptor(struct stage *s, struct dice *d)
{
	int other = dup(s->fd), fresh = stage_open(s->realm.name);
	struct ipsp_attach a = { .role = dice_below(d, 5), .index = dice_below(d, 3) };
	struct pollfd p = { .fd = s->fd, .events = (short)dice(d) };

	ioctl(dice_one_in(d, 4) ? other : fresh, IPSP_IOC_ATTACH, &a);
	poll(&p, 1, 0);
	close(other);
	close(fresh);
}

static void run_close(struct stage *s, struct dice *d)
{
	int fd = s->fd;

	s->fd = dice_one_in(d, 2) ? stage_open(s->realm.name) : -1;
	close(fd);
	run_kick(s, d);
}

static void run_end(struct stage *s, struct dice *d)
{
	(void)s;
	_exit((int)dice_below(d, 2));
}

static void run_silence(struct stage *s, struct dice *d)
{
	(void)s;
	usleep(1000 * dice_below(d, 200));
}

static const struct kind stack_kinds[] = {
	{ "honest", 30, run_honest }, { "spoiled", 16, run_spoiled }, { "verdict", 8, run_verdict },
	{ "hold", 10, run_hold }, { "note", 5, run_note }, { "garbage", 3, run_garbage }, { "words", 8, run_words },
	{ "scribble", 8, run_scribble }, { "kick", 14, run_kick }, { "message", 6, run_message },
	{ "call", 6, stage_any_call }, { "map", 8, run_map }, { "protection", 4, run_protection },
	{ "unmap", 1, run_unmap }, { "fork", 2, run_fork }, { "descriptor", 4, run_descriptor },
	{ "close", 1, run_close }, { "end", 1, run_end }, { "silence", 2, run_silence },
};

const struct cast stack_cast = { "stack", stack_kinds, sizeof(stack_kinds) / sizeof(stack_kinds[0]), 2 };
