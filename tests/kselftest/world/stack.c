// SPDX-License-Identifier: GPL-2.0-only
/* stack.c - a stack that encrypts nothing: the kernel cannot tell, it looks at headers and numbers only */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
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

int stack_peek(struct stack *s, struct ticket *t)
{
	const struct ipsp_record *rec;
	int is = 0;

	while (!is && ipsp_ring_peek(&s->down)) {
		rec = ipsp_ring_record(&s->down);
		is = is_packet(rec);
		if (is)
			ticket_copy(t, rec);
		else if (s->control)
			s->control(s, rec);
		ipsp_ring_step(&s->down, rec->len);
		ipsp_ring_release(&s->down);
	}
	return is;
}

int stack_next(struct stack *s, struct ticket *t)
{
	while (!stack_peek(s, t))
		if (ioctl(s->fd, IPSP_IOC_KICK, IPSP_KICK_WAIT) && errno != EINTR)
			return -errno;
	return 0;
}

/* ---- what stands in front of ESP: its length ------------------------------------------------------ */

unsigned int stack_numbered_at(const struct realm *r)
{
	return r->kind.encap ? 8 : r->kind.protocol == IPPROTO_AH ? 4 : 0;
}

static unsigned char front_protocol(const struct ipsp_handle *h)
{
	return h->encap_source ? IPPROTO_UDP : h->protocol;
}

static unsigned int front_tunnel(const struct ipsp_handle *h, unsigned char *to)
{
	const unsigned int is4 = h->family == 4, size = is4 ? 4 : 16, at = is4 ? 12 : 8;

	to[0] = is4 ? 0x45 : 0x60;
	to[is4 ? 8 : 7] = 64;
	to[is4 ? 9 : 6] = front_protocol(h);
	memcpy(to + at, h->source, size);
	memcpy(to + at + size, h->destination, size);
	return at + 2 * size;
}

/* The packet's own, options and destination header included */
static unsigned int front_transport(const struct ipsp_handle *h, const struct ticket *t, unsigned char *to)
{
	unsigned int is4 = t->data[0] >> 4 == 4, next = is4 ? 9 : 6, length = is4 ? 4 * (t->data[0] & 15) : 40;

	if (!is4 && t->data[6] == IPPROTO_DSTOPTS) {
		next = 40;
		length += 8 * (t->data[41] + 1u);
	}
	memcpy(to, t->data, length);
	to[next] = front_protocol(h);
	return length;
}

static void front_length(unsigned char *to, unsigned int length)
{
	unsigned int at = to[0] >> 4 == 4 ? 2 : 4;

	if (at == 4)
		length -= 40;
	to[at] = (unsigned char)(length >> 8);
	to[at + 1] = (unsigned char)length;
}

/* One packet of so many inner bytes, with its number, to `to`: its length */
static unsigned int protect_one(const struct stack *s, const struct ticket *t, unsigned int inner, unsigned int i,
				unsigned char *to)
{
	const struct ipsp_handle *h = &s->realm->out;
	const int tunnel = h->mode == IPSP_SA_TUNNEL;
	__be32 number = htonl((unsigned int)t->packet.stamp[0].first + i);
	unsigned int at = tunnel ? front_tunnel(h, to) : front_transport(h, t, to);
	unsigned int front = at, length;

	inner -= tunnel ? 0 : at;
	at += stack_numbered_at(s->realm);
	length = at + 8 + 8 + ((inner + 2 + 3) & ~3u) + 16;
	memset(to + front, 0xee, length - front);
	front_length(to, length);
	if (h->encap_source) {
		const __be16 words[4] = { h->encap_source, h->encap_destination, htons((unsigned short)(length - front)), 0 };

		memcpy(to + front, words, sizeof(words));
	}
	memcpy(to + at, &h->spi, 4);
	memcpy(to + at + 4, &number, 4);
	return length;
}

/* A super-packet of UDP is cut, where all of it is here. */
static void answer_protect(const struct stack *s, const struct ticket *t, struct draft *d)
{
	const unsigned int size = t->packet.offload.gso_size, header = t->data[0] >> 4 == 4 ? 28 : 48;
	unsigned int left = t->length - header, i = 0, piece;

	d->answer.verdict = IPSP_VERDICT_TRANSFORMED;
	do {
		piece = size && size < left ? size : left;
		left -= piece;
		d->length += protect_one(s, t, header + piece, i++, d->data + d->length);
		if (i == 1)
			d->answer.segment_len = d->length;
	} while (left);
	d->answer.segments = i;
}

/* A datagram of 60 bytes, from a host behind the tunnel or from the other end */
static void answer_unprotect(const struct stack *s, struct draft *d)
{
	const struct ipsp_handle *h = &s->realm->in;
	const unsigned int is4 = h->family == 4, host = is4 ? 15 : 23;

	memset(d->data, 0, 60);
	front_tunnel(h, d->data);
	d->data[is4 ? 9 : 6] = IPPROTO_UDP;
	if (h->mode != IPSP_SA_TRANSPORT) {
		d->data[is4 ? 13 : 11] = (unsigned char)s->realm->net;
		d->data[host] = 9;
	}
	front_length(d->data, 60);
	memcpy(d->data + (is4 ? 20 : 40), (const unsigned char [6]){ 0, 9, 0, 9, 0, is4 ? 40 : 20 }, 6);
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

struct ipsp_acquire stack_acquire(const struct ticket *t, unsigned int id)
{
	struct ipsp_acquire a = { .acquire = id, .policy = id };

	a.selector.family = 4;
	a.selector.source_prefix = a.selector.destination_prefix = 32;
	a.selector.source_last = a.selector.destination_last = 65535;
	a.selector.protocol = t->data[9];
	memcpy(a.selector.source, t->data + 12, 4);
	memcpy(a.selector.destination, t->data + 16, 4);
	return a;
}

void stack_put_acquire(struct stack *s, const struct ipsp_acquire *a)
{
	struct ipsp_record *rec = ipsp_ring_record(&s->up);

	memset(rec, 0, 192);
	rec->type = IPSP_REC_ACQUIRE;
	rec->control_len = sizeof(*a);
	rec->len = (sizeof(*rec) + sizeof(*a) + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	memcpy(rec + 1, a, sizeof(*a));
	ipsp_ring_step(&s->up, rec->len);
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

void stack_crash(struct stack *s, const void *length)
{
	const unsigned int *magic = length;
	const struct ipsp_record *rec;
	struct ticket t;
	struct draft d;

	for (;;) {
		while (!ipsp_ring_peek(&s->down))
			if (ioctl(s->fd, IPSP_IOC_KICK, IPSP_KICK_WAIT) && errno != EINTR)
				return;
		rec = ipsp_ring_record(&s->down);
		if (rec->type == IPSP_REC_PROTECT && (!magic || rec->data_len == *magic))
			abort();
		if (!is_packet(rec)) {		/* alone: what follows it may be the packet */
			ipsp_ring_step(&s->down, rec->len);
			ipsp_ring_release(&s->down);
			continue;
		}
		stack_peek(s, &t);
		stack_answer(s, &t, &d);
		if (stack_put(s, &d))
			return;
	}
}

void stack_say(const struct stack *s, int what)
{
	if (write(s->say, &what, sizeof(what)) != sizeof(what))
		_exit(6);
}
