// SPDX-License-Identifier: GPL-2.0
/* ticket - packets that are to be classified, protected and unprotected */
#include "world.h"

#include <string.h>

#include "seal.h"

#define TICKET_COUNT_MAX 600		/* of numbers: an answer then fits into 512 KiB */

/* Sometimes with flags that say nothing to a stack, or a control part of tomorrow. */
static void ticket_add(struct world *w, uint16_t type, uint16_t flags, const struct ipsp_packet *p, const uint8_t *data,
		       uint32_t len)
{
	struct {
		struct ipsp_packet packet;
		uint8_t more[72];
	} part = { .packet = *p };
	uint32_t control = sizeof(*p);

	if (dice_percent(&w->dice, 1))
		flags |= (uint16_t)dice_next(&w->dice);
	if (dice_percent(&w->dice, 1)) {
		dice_fill(&w->dice, part.more, sizeof(part.more));
		control += dice_between(&w->dice, 1, sizeof(part.more));
	}
	batch_add(w->batch, type, flags, ++w->ticket, &part, control, data, len);
}

/* What a packet comes with, whatever it is for. */
static struct ipsp_packet ticket_packet(struct dice *d, uint8_t family, uint8_t direction, uint32_t len)
{
	return (struct ipsp_packet){
		.family = family, .direction = direction, .length = len, .flags = (uint16_t)dice_below(d, 8),
		.ifindex = dice_below(d, 4), .if_id = dice_below(d, 3), .mark = dice_below(d, 4), .label = dice_below(d, 3),
	};
}

static uint8_t ticket_family(struct dice *d)
{
	return dice_percent(d, 55) ? 4 : 6;
}

static uint32_t ticket_size(struct dice *d)
{
	uint32_t kind = dice_below(d, 1000);

	if (kind < 720)
		return dice_below(d, 200);
	if (kind < 960)
		return dice_below(d, 1500);
	if (kind < 995)
		return dice_below(d, 4000);
	return dice_percent(d, 60) ? dice_below(d, SAMPLE_MAX) : SAMPLE_MAX - dice_below(d, 120);
}

void ticket_classify(struct world *w)
{
	struct dice *d = &w->dice;
	struct ipsp_packet p;
	uint32_t len;

	sample_make(d, &w->sample, ticket_family(d), dice_below(d, 120));
	if (dice_percent(d, 5))
		sample_break(d, w->sample.bytes, &w->sample.len, SAMPLE_MAX);
	len = w->sample.len < IPSP_CLASSIFY_MAX ? w->sample.len : IPSP_CLASSIFY_MAX;
	p = ticket_packet(d, w->sample.family, IPSP_DIR_OUT, w->sample.len);
	ticket_add(w, IPSP_REC_CLASSIFY, 0, &p, w->sample.bytes, len);
}

/* ---- protect --------------------------------------------------------------------------------- */

static uint32_t ticket_mtu(struct dice *d)
{
	static const uint32_t usual[] = { 1400, 1438, 1446, 1500, 1280, 576, 9000, 65535 };

	return dice_percent(d, 85) ? DICE_PICK(d, usual) : dice_between(d, 20, 2000);
}

/* What the host left to be finished; mostly where it belongs. */
static void ticket_checksum(struct dice *d, struct sample *s, struct ipsp_offload *o)
{
	o->flags = IPSP_OFFLOAD_NEEDS_CSUM;
	o->csum_start = (uint16_t)s->header_len;
	o->csum_offset = s->protocol == 6 ? 16 : s->protocol == 17 ? 6 : s->protocol == 132 ? 8 : 2;
	if (dice_percent(d, 8))
		o->csum_start = (uint16_t)dice_below(d, 420);
	if (dice_percent(d, 8))
		o->csum_offset = (uint16_t)dice_below(d, 60);
	if (dice_percent(d, 10))
		sample_level(s, 0);
}

static void ticket_super(struct dice *d, struct sample *s, uint8_t family, struct ipsp_offload *o)
{
	uint8_t protocol = dice_percent(d, 70) ? 6 : 17;
	uint32_t size = dice_percent(d, 95) ? dice_below(d, 8000) : dice_below(d, SAMPLE_MAX);

	sample_make_stream(d, s, family, protocol, size);
	o->flags = (uint8_t)dice_below(d, 4);
	o->gso_size = (uint16_t)(dice_percent(d, 90) ? dice_between(d, 200, 1460) : dice_between(d, 1, 200));
	o->gso_type = protocol == 17 ? IPSP_GSO_UDP_L4 : family == 4 ? IPSP_GSO_TCPV4 : IPSP_GSO_TCPV6;
	if (size < 200 && dice_percent(d, 50))
		sample_level(s, 1);
	if (dice_percent(d, 20))
		o->gso_type |= IPSP_GSO_ECN;
	if (dice_percent(d, 3))
		o->gso_type = (uint8_t)dice_below(d, 7);
}

static void ticket_load(struct dice *d, struct sample *s, uint8_t family, struct ipsp_offload *o)
{
	memset(o, 0, sizeof(*o));
	if (dice_percent(d, 15)) {
		ticket_super(d, s, family, o);
		return;
	}
	sample_make(d, s, family, ticket_size(d));
	if (dice_percent(d, 20))
		ticket_checksum(d, s, o);
	if (dice_percent(d, 1))
		dice_fill(d, o, sizeof(*o) - 2);
}

static void ticket_stamp(struct world *w, struct ipsp_stamp *stamp, struct pair *pair, uint32_t index)
{
	struct dice *d = &w->dice;

	stamp->handle = world_handle(index, IPSP_DIR_OUT);
	stamp->count = dice_percent(d, 90) ? dice_between(d, 100, TICKET_COUNT_MAX) : dice_between(d, 1, 3);
	stamp->first = pair->next;
	pair->next += stamp->count;
	if (!(pair->sa.flags & IPSP_SAF_ESN))
		pair->next &= 0xffffffff;
	if (dice_percent(d, 2))
		stamp->handle = dice_below(d, 2 * WORLD_PAIRS + 4);
}

void ticket_protect(struct world *w)
{
	struct dice *d = &w->dice;
	struct ipsp_offload offload;
	struct ipsp_packet p;
	uint32_t index;
	struct pair *pair = world_pair(w, &index);
	uint8_t family = ticket_family(d);

	if (pair->sa.mode == IPSP_SA_TRANSPORT && dice_percent(d, 95))
		family = pair->sa.family;
	ticket_load(d, &w->sample, family, &offload);
	if (dice_percent(d, 5))
		sample_break(d, w->sample.bytes, &w->sample.len, SAMPLE_MAX);
	p = ticket_packet(d, family, IPSP_DIR_OUT, w->sample.len);
	p.offload = offload;
	p.mtu = ticket_mtu(d);
	ticket_stamp(w, &p.stamp[0], pair, index);
	ticket_add(w, IPSP_REC_PROTECT, 0, &p, w->sample.bytes, w->sample.len);
}

/* ---- unprotect: what the reference protected ------------------------------------------------------ */

/* A router between has marked it, or worse has happened. */
static void ticket_alter(struct dice *d, struct sample *s, struct ipsp_stamp *stamp)
{
	uint8_t ecn = (uint8_t)dice_below(d, 4);

	switch (dice_below(d, 6)) {
	case 0:
		stamp->first += (uint64_t[]){ 1, (uint64_t)-1, 1ull << 32, 0x10000 }[dice_below(d, 4)];
		break;
	case 1:
		stamp->handle = dice_below(d, 2 * WORLD_PAIRS + 4);
		break;
	case 2:
		sample_break(d, s->bytes, &s->len, SAMPLE_MAX);
		break;
	default:
		if (s->len < 40)
			break;
		if (s->bytes[0] >> 4 == 4)
			s->bytes[1] = (uint8_t)((s->bytes[1] & ~3) | ecn);
		else
			s->bytes[1] = (uint8_t)((s->bytes[1] & ~0x30) | ecn << 4);
	}
}

/* What it came out of before: mostly SAs that there are, inbound ones. */
static void ticket_through(struct dice *d, struct ipsp_packet *p)
{
	uint32_t i, n = dice_percent(d, 15) ? dice_between(d, 1, IPSP_STAMPS - 1) : 0;

	for (i = 1; i <= n; i++)
		p->stamp[i].handle = dice_percent(d, 96) ? world_handle(dice_below(d, WORLD_PAIRS), IPSP_DIR_IN) :
							   dice_below(d, 2 * WORLD_PAIRS + 4);
	if (dice_percent(d, 5))
		p->stamp[dice_between(d, 1, IPSP_STAMPS - 1)].first = dice_next(d);
}

static void ticket_open(struct world *w, uint32_t handle, uint64_t number, int altered)
{
	struct sample *s = &w->sample;
	struct ipsp_packet p;

	p = ticket_packet(&w->dice, s->bytes[0] >> 4, IPSP_DIR_IN, s->len);
	p.stamp[0] = (struct ipsp_stamp){ .handle = handle, .count = 1, .first = number };
	ticket_through(&w->dice, &p);
	if (altered)
		ticket_alter(&w->dice, s, &p.stamp[0]);
	ticket_add(w, IPSP_REC_UNPROTECT, IPSP_RECF_NOMERGE, &p, s->bytes, s->len);
}

static void ticket_unprotect_kept(struct world *w)
{
	const struct kept *kept = &w->kept[dice_below(&w->dice, WORLD_KEPT)];

	if (!kept->bytes) {
		ticket_protect(w);
		return;
	}
	memcpy(w->sample.bytes, kept->bytes, kept->len);
	w->sample.len = kept->len;
	ticket_open(w, kept->handle, kept->number, dice_percent(&w->dice, 35));
}

/* ---- unprotect: what a peer might send -------------------------------------------------------------- */

/* Behind `len` bytes of text; the whole a multiple of 4, mostly. */
static uint32_t ticket_trailer(struct dice *d, uint8_t *text, uint32_t len, uint8_t next)
{
	static const uint8_t extensions[] = { 0, 43, 44, 60 };
	uint32_t pad = (0u - (len + 2)) & 3, i;

	if (dice_percent(d, 10))
		pad += 4 * dice_below(d, 64);
	if (pad > 255 || dice_percent(d, 1))
		pad &= 255;
	for (i = 0; i < pad; i++)
		text[len + i] = (uint8_t)(i + 1);
	if (pad && dice_percent(d, 5))
		text[len + dice_below(d, pad)] ^= 1;
	text[len + pad] = (uint8_t)(dice_percent(d, 4) ? dice_next(d) : pad);
	text[len + pad + 1] = dice_percent(d, 4) ? 59 : next;
	if (dice_percent(d, 2))
		text[len + pad + 1] = (uint8_t)dice_next(d);
	if (dice_percent(d, 2))
		text[len + pad + 1] = DICE_PICK(d, extensions);
	return len + pad + 2;
}

/* ESP for another SA, mostly one that there is: whoever has it opens that next. */
static void ticket_nested(struct world *w, uint8_t family, struct sample *inner)
{
	struct dice *d = &w->dice;
	uint32_t index;
	const struct ipsp_sa *sa = &world_pair(w, &index)->sa;
	uint8_t spi[4];

	sample_make_stream(d, inner, family, 50, dice_below(d, 100));
	memcpy(spi, &sa->spi, 4);
	if (dice_percent(d, 5))
		spi[3] ^= 1;
	memcpy(inner->bytes + inner->header_len, spi, 4);
	if (family == 4)
		memcpy(inner->bytes + 16, sa->destination, 4);
	else
		memcpy(inner->bytes + 24, sa->destination, 16);
	if (family == 4)
		sample_seal4(inner->bytes);
}

/* An inner packet, or what is behind one's IP header. */
static uint32_t ticket_text(struct world *w, const struct ipsp_sa *sa, uint8_t *text)
{
	struct dice *d = &w->dice;
	static struct sample inner;
	uint32_t from = 0, len;
	uint8_t family = sa->mode == IPSP_SA_TUNNEL ? ticket_family(d) : sa->family, next = family == 4 ? 4 : 41;

	sample_make(d, &inner, family, dice_below(d, 300));
	if (dice_percent(d, 8))
		ticket_nested(w, family, &inner);
	if (dice_percent(d, 6))
		sample_break(d, inner.bytes, &inner.len, 2048);
	if (sa->mode != IPSP_SA_TUNNEL) {
		from = inner.len < inner.header_len ? inner.len : inner.header_len;
		next = inner.protocol;
	}
	len = inner.len - from;
	memcpy(text, inner.bytes + from, len);
	if (dice_percent(d, 8)) {
		dice_fill(d, text + len, 40);
		len += dice_below(d, 40);
	}
	return ticket_trailer(d, text, len, next);
}

/* IP and UDP in front of ESP, as a stranger makes them. */
static uint32_t ticket_front(struct world *w, const struct ipsp_sa *sa)
{
	struct dice *d = &w->dice;
	struct sample *s = &w->sample;

	sample_make_stream(d, s, sa->family, sa->encap_source ? 17 : 50, 0);
	s->len = s->header_len;
	if (!sa->encap_source)
		return s->len;
	dice_fill(d, s->bytes + s->len, 8);
	memcpy(s->bytes + s->len, &sa->encap_source, 2);
	memcpy(s->bytes + s->len + 2, &sa->encap_destination, 2);
	s->len += 8;
	return s->len;
}

static void ticket_unprotect_made(struct world *w)
{
	static uint8_t text[8192];
	uint32_t index, front, len;
	const struct pair *pair = world_pair(w, &index);
	struct sample *s = &w->sample;
	uint64_t number = pair->next - dice_below(&w->dice, 100), iv = number;

	len = ticket_text(w, &pair->sa, text);
	front = ticket_front(w, &pair->sa);
	if (dice_percent(&w->dice, 30))
		iv = dice_next(&w->dice);
	seal_esp(&pair->sa, number, iv, text, len, s->bytes + front);
	s->len = front + len + SEAL_OVERHEAD;
	if (s->bytes[0] >> 4 == 4) {
		s->bytes[2] = (uint8_t)(s->len >> 8);
		s->bytes[3] = (uint8_t)s->len;
	} else {
		s->bytes[4] = (uint8_t)((s->len - 40) >> 8);
		s->bytes[5] = (uint8_t)(s->len - 40);
	}
	ticket_open(w, world_handle(index, IPSP_DIR_IN), number, dice_percent(&w->dice, 15));
}

void ticket_unprotect(struct world *w)
{
	if (dice_percent(&w->dice, 35))
		ticket_unprotect_made(w);
	else
		ticket_unprotect_kept(w);
}
