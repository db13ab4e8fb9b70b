// SPDX-License-Identifier: GPL-2.0-only
/* stack.c - a stack that encrypts nothing: the kernel cannot tell, it looks at headers and numbers only */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "world.h"

static int is_packet(const struct ipsp_record *rec)
{
	return rec->type >= IPSP_REC_CLASSIFY && rec->type <= IPSP_REC_UNPROTECT;
}

static void ticket_copy(struct ticket *t, const struct ipsp_record *rec)
{
	t->rec = *rec;
	t->length = rec->data_len < sizeof(t->data) ? rec->data_len : sizeof(t->data);
	memcpy(&t->packet, rec + 1, sizeof(t->packet));
	memcpy(t->data, (const char *)rec + rec->data_offset, t->length);
}

int stack_next(struct stack *s, struct ticket *t)
{
	const struct ipsp_record *rec;
	int is = 0;

	while (!is) {
		while (!ipsp_ring_peek(&s->down))
			if (ioctl(s->fd, IPSP_IOC_KICK, IPSP_KICK_WAIT) && errno != EINTR)
				return -errno;
		rec = ipsp_ring_record(&s->down);
		is = is_packet(rec);
		if (is)
			ticket_copy(t, rec);
		ipsp_ring_step(&s->down, rec->len);
		ipsp_ring_release(&s->down);
	}
	return 0;
}

static void answer_protect(const struct stack *s, const struct ticket *t, struct draft *d)
{
	const struct ipsp_handle *h = &s->realm->out;
	__be32 number = htonl((unsigned int)t->packet.stamp[0].first);
	unsigned int length = 20 + 8 + 8 + ((t->length + 2 + 3) & ~3u) + 16;
	const unsigned char ip[20] = { 0x45, 0, (unsigned char)(length >> 8), (unsigned char)length,
				       0, 0, 0, 0, 64, 50 };

	memset(d->data, 0xee, length);
	memcpy(d->data, ip, 20);
	memcpy(d->data + 12, h->source, 4);
	memcpy(d->data + 16, h->destination, 4);
	memcpy(d->data + 20, &h->spi, 4);
	memcpy(d->data + 24, &number, 4);
	d->answer.verdict = IPSP_VERDICT_TRANSFORMED;
	d->answer.segments = 1;
	d->answer.segment_len = length;
	d->length = length;
}

static void answer_unprotect(const struct stack *s, struct draft *d)
{
	const unsigned char ip[28] = { 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0, 10,
				       (unsigned char)s->realm->net, 0, 9, 10, 9, 0, 1,
				       0, 9, 0, 9, 0, 40 };

	memset(d->data, 0, 60);
	memcpy(d->data, ip, sizeof(ip));
	d->answer.verdict = IPSP_VERDICT_TRANSFORMED;
	d->answer.segments = 1;
	d->length = 60;
}

static void answer_classify(const struct stack *s, struct draft *d)
{
	d->answer.verdict = IPSP_VERDICT_CLASSIFY;
	d->answer.handles = 1;
	d->answer.handle[0] = s->realm->out.id;
	d->length = 0;
}

void stack_answer(const struct stack *s, const struct ticket *t, struct draft *d)
{
	memset(d, 0, sizeof(*d));
	if (t->rec.type == IPSP_REC_CLASSIFY)
		answer_classify(s, d);
	else if (t->rec.type == IPSP_REC_PROTECT)
		answer_protect(s, t, d);
	else
		answer_unprotect(s, d);
	d->rec.type = IPSP_REC_ANSWER;
	d->rec.ticket = t->rec.ticket;
	d->rec.generation = t->rec.generation;
	d->rec.control_len = sizeof(d->answer);
	d->rec.data_offset = ipsp_record_data_offset(sizeof(d->answer));
	d->rec.data_len = d->length;
	d->rec.len = (d->rec.data_offset + d->length + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	d->publish = d->rec.len;
	d->times = 1;
}

int stack_put(struct stack *s, const struct draft *d)
{
	unsigned char *at;
	unsigned int i;

	for (i = 0; i < d->times; i++) {
		at = ipsp_ring_record(&s->up);
		memcpy(at, &d->rec, sizeof(d->rec));
		memcpy(at + sizeof(d->rec), &d->answer, sizeof(d->answer));
		memcpy(at + ipsp_record_data_offset(sizeof(d->answer)), d->data, d->length);
		ipsp_ring_step(&s->up, d->publish);
	}
	ipsp_ring_submit(&s->up);
	return ioctl(s->fd, IPSP_IOC_KICK, 0) ? -errno : 0;
}

void stack_honest(struct stack *s, const void *unused)
{
	struct ticket t;
	struct draft d;

	(void)unused;
	while (!stack_next(s, &t)) {
		stack_answer(s, &t, &d);
		if (stack_put(s, &d))
			break;
	}
}

void stack_say(const struct stack *s, int what)
{
	if (write(s->say, &what, sizeof(what)) != sizeof(what))
		_exit(6);
}
