// SPDX-License-Identifier: GPL-2.0
#include "beet.h"

#define BEET_PROTOCOL	94
#define BEET_PSEUDO	4	/* without its padding */
#define BEET_OPTIONS_MAX 40
#define BEET_NOP	1
#define BEET_DF		0x4000

/* ---- out ------------------------------------------------------------------------------ */

static uint32_t beet_options_len(const struct segment_plan *plan)
{
	return plan->ip.family == 4 ? (plan->packet.at[0] & 15) * 4u - IP_HEADER4 : 0;
}

uint32_t beet_skip(const struct segment_plan *plan)
{
	return ip_outer_len(plan->ip.family);
}

static uint8_t beet_inside(const struct segment_plan *plan)
{
	return plan->packet.at[plan->ip.family == 4 ? 9 : 6];
}

/*
 * With the options behind it a multiple of 8. What is itself of protocol 94 gets one without options: the other end would
 * take its first bytes for one.
 */
uint32_t beet_pseudo_len(const struct segment_plan *plan)
{
	uint32_t options = beet_options_len(plan);

	if (!options && (plan->ip.family != 4 || beet_inside(plan) != BEET_PROTOCOL))
		return 0;
	return BEET_PSEUDO_MAX - (options & 4);
}

uint8_t beet_next(const struct segment_plan *plan)
{
	return beet_pseudo_len(plan) ? BEET_PROTOCOL : beet_inside(plan);
}

void beet_pseudo(const struct segment_plan *plan, uint8_t *out)
{
	uint32_t options = beet_options_len(plan), len = beet_pseudo_len(plan);

	out[0] = beet_inside(plan);
	out[1] = (uint8_t)(options / 8);
	out[2] = (uint8_t)(len - BEET_PSEUDO);
	out[3] = 0;
	memset(out + BEET_PSEUDO, BEET_NOP, len - BEET_PSEUDO);
}

/* What one header says and the other takes over, whatever its family. */
struct beet_words {
	uint8_t tos, ttl;
	uint16_t id, fragment;
	uint32_t label;
};

static struct beet_words beet_words_of(const uint8_t *ip)
{
	struct beet_words w = { .tos = ip_tos(ip) };

	if (*ip >> 4 == 4) {
		w.ttl = ip[8];
		w.id = ip_get16(ip + 4);
		w.fragment = ip_get16(ip + 6);
		return w;
	}
	w.ttl = ip[7];
	w.fragment = BEET_DF;
	w.label = ip_get32(ip) & 0xfffff;
	return w;
}

static void beet_write(uint8_t *out, const struct beet_words *w, uint8_t family, uint32_t options, uint8_t protocol,
		       const uint8_t *source, const uint8_t *destination)
{
	if (family == 4) {
		out[0] = (uint8_t)(0x45 + options / 4);
		out[1] = w->tos;
		ip_set16(out + 4, w->id);
		ip_set16(out + 6, w->fragment);
		out[8] = w->ttl;
		out[9] = protocol;
		memcpy(out + 12, source, 4);
		memcpy(out + 16, destination, 4);
		return;
	}
	ip_set32(out, 6u << 28 | (uint32_t)w->tos << 20 | w->label);
	out[6] = protocol;
	out[7] = w->ttl;
	memcpy(out + 8, source, 16);
	memcpy(out + 24, destination, 16);
}

void beet_front(const struct ipsp_sa *sa, const struct segment *s, int clear_df, uint8_t protocol, uint32_t total,
		uint8_t *out)
{
	struct beet_words w = beet_words_of(s->header);

	if (clear_df)
		w.fragment &= (uint16_t)~BEET_DF;
	beet_write(out, &w, sa->family, 0, protocol, sa->source, sa->destination);
	ip_set_length(out, ip_outer_len(sa->family), total);
}

/* ---- in ------------------------------------------------------------------------------- */

uint32_t beet_inner_len(const struct ipsp_sa *sa)
{
	return ip_outer_len(sa->selector.family);
}

/* Takes the pseudo-header away, so that the options follow the inner header; their length, or -1. */
static int beet_options(const struct ipsp_sa *sa, uint8_t *text, uint32_t *len, uint8_t *next)
{
	uint32_t pseudo, options;

	if (*next != BEET_PROTOCOL || sa->selector.family != 4)
		return 0;
	if (*len < BEET_PSEUDO)
		return -1;
	pseudo = BEET_PSEUDO + text[2];
	options = text[1] * 8u + (BEET_PSEUDO_MAX - pseudo);
	if (pseudo > BEET_PSEUDO_MAX || (pseudo & 3) || options > BEET_OPTIONS_MAX || pseudo + options > *len)
		return -1;
	*next = text[0];
	*len -= pseudo;
	memmove(text, text + pseudo, *len);
	return (int)options;
}

uint16_t beet_inner(const struct ipsp_sa *sa, struct ip_bytes outer, uint8_t next, uint8_t *out, uint32_t *len)
{
	struct beet_words w = beet_words_of(outer.at);
	uint32_t head = beet_inner_len(sa);
	int options = beet_options(sa, out + head, len, &next);

	if (options < 0)
		return IPSP_DROP_MALFORMED;
	beet_write(out, &w, sa->selector.family, (uint32_t)options, next, sa->selector.source,
		   sa->selector.destination);
	*len += head;
	ip_set_length(out, head + (uint32_t)options, *len);
	return 0;
}
