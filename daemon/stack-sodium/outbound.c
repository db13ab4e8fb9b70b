// SPDX-License-Identifier: GPL-2.0
/*
 * outbound.c - cut, put in front what goes in front, seal
 *
 * Each segment is written where its text will be sealed: behind the room of what goes in front. In transport mode
 * its own headers then move to the front, over that room.
 */
#include "outbound.h"

#include <string.h>

#include "answer.h"
#include "cut.h"
#include "esp.h"

#define TTL 64
#define PACKET_MAX 65535
/* What a segment can grow by: its repeated headers, IPv6, UDP, ESP, padding, ICV */
#define GROWTH (CUT_HEADER_MAX + IP6_HEADER + ESP_UDP + ESP_HEADER + 8 + ESP_ALIGN + ESP_TRAILER + AEAD_ICV)

struct outbound {
	const struct sad_sa *sa;
	struct cut cut;
	struct ipsp_stamp stamp;
	bool tunnel;
	bool too_long;			/* whole, and for the host to fragment */
	size_t split;			/* bytes of a segment that stay in front */
	size_t head;			/* the new outer header: tunnel */
	size_t udp;			/* 8, or 0 */
};

size_t outbound_room(const struct ipsp_packet *about, size_t data_len)
{
	const size_t most = data_len + 1, count = about->stamp[0].count;

	return ANSWER_DATA + IPSP_ALIGN + data_len + (count < most ? count : most) * GROWTH;
}

/* ---- the plan ------------------------------------------------------------------------------- */

/* Bytes of segment i when it is protected. */
static size_t outbound_len(const struct outbound *o, size_t i)
{
	return o->head + o->split + o->udp + esp_len(o->sa, cut_len(&o->cut, i) - o->split);
}

static size_t outbound_total(const struct outbound *o)
{
	return (o->cut.count - 1) * outbound_len(o, 0) + outbound_len(o, o->cut.count - 1);
}

static void outbound_shape(struct outbound *o)
{
	const struct ipsp_sa *g = &o->sa->given;

	o->tunnel = g->mode == IPSP_SA_TUNNEL;
	o->udp = g->encap_source ? ESP_UDP : 0;
	if (o->tunnel)
		o->head = g->family == 4 ? IP4_HEADER : IP6_HEADER;
	else
		o->split = o->cut.ip.insert;
}

/* 0, or the reason of the drop. */
static unsigned outbound_plan(struct outbound *o, const struct sad *sad, const struct ipsp_packet *about,
			      const uint8_t *bytes, size_t len)
{
	unsigned reason;

	memset(o, 0, sizeof(*o));
	o->stamp = about->stamp[0];
	o->sa = sad_find(sad, o->stamp.handle);
	if (!o->sa || o->sa->given.direction != IPSP_DIR_OUT)
		return IPSP_DROP_NO_SA;
	reason = cut_plan(&o->cut, about, bytes, len);
	if (reason)
		return reason;
	if (o->cut.count > o->stamp.count)
		return IPSP_DROP_STACK_ERROR;
	outbound_shape(o);
	if (o->cut.ip.fragment && !o->tunnel)
		return IPSP_DROP_UNSUPPORTED;
	o->too_long = o->cut.whole && len > about->mtu;
	return 0;
}

static bool outbound_is_too_big(const struct outbound *o, const struct ipsp_packet *about)
{
	return o->too_long && (o->cut.ip.family == 6 || o->cut.ip.df) && !(about->flags & IPSP_PKT_IGNORE_DF);
}

/* ---- what goes in front -------------------------------------------------------------------------- */

static uint8_t outbound_class(uint32_t flags, const uint8_t *segment)
{
	uint8_t class = ip_class(segment);

	if (flags & IPSP_SAF_DONT_ENCAP_DSCP)
		class &= 3;
	if (flags & IPSP_SAF_NOECN)
		class &= (uint8_t)~3;
	return class;
}

static bool outbound_df(const struct outbound *o)
{
	return !o->too_long && !(o->sa->given.flags & IPSP_SAF_NOPMTUDISC) && (o->cut.ip.family == 6 || o->cut.ip.df);
}

static void outbound_head4(const struct outbound *o, uint8_t *at, uint64_t number)
{
	const struct ipsp_sa *g = &o->sa->given;
	const bool df = outbound_df(o);

	at[0] = 0x45;
	ip_put16(at + 4, df ? 0 : (uint16_t)number);
	ip_put16(at + 6, df ? 0x4000 : 0);
	at[8] = TTL;
	at[9] = o->udp ? IP_UDP : IPSP_ESP;
	memcpy(at + 12, g->source, 4);
	memcpy(at + 16, g->destination, 4);
}

static void outbound_head6(const struct outbound *o, uint8_t *at)
{
	const struct ipsp_sa *g = &o->sa->given;

	ip_put32(at, 0x60000000);
	at[6] = o->udp ? IP_UDP : IPSP_ESP;
	at[7] = TTL;
	memcpy(at + 8, g->source, 16);
	memcpy(at + 24, g->destination, 16);
}

static void outbound_tunnel(const struct outbound *o, uint8_t *at, size_t len, uint64_t number)
{
	const uint8_t *segment = at + o->head + o->udp + esp_head_len(o->sa);

	if (o->sa->given.family == 4)
		outbound_head4(o, at, number);
	else
		outbound_head6(o, at);
	ip_set_class(at, outbound_class(o->sa->given.flags, segment));
	ip_set_len(at, o->head, len);
}

static void outbound_transport(const struct outbound *o, uint8_t *at, size_t len)
{
	memmove(at, at + o->udp + esp_head_len(o->sa), o->split);
	at[o->cut.ip.insert_next] = o->udp ? IP_UDP : IPSP_ESP;
	if (o->cut.ip.family == 4 && o->too_long)
		at[6] &= (uint8_t)~0x40;
	ip_set_len(at, o->split, len);
}

static void outbound_udp(const struct outbound *o, uint8_t *at, size_t len)
{
	memcpy(at, &o->sa->given.encap_source, 2);
	memcpy(at + 2, &o->sa->given.encap_destination, 2);
	ip_put16(at + 4, len);
	ip_put16(at + 6, 0);
}

/* ---- segments --------------------------------------------------------------------------------------- */

static uint8_t outbound_next(const struct outbound *o)
{
	if (!o->tunnel)
		return o->cut.ip.at[o->cut.ip.insert_next];
	return o->cut.ip.family == 4 ? IP_IPIP : IP_IPV6;
}

static size_t outbound_segment(const struct outbound *o, size_t i, uint8_t *at)
{
	const size_t len = outbound_len(o, i), front = o->head + o->split;
	const uint64_t number = o->stamp.first + i;

	cut_write(&o->cut, i, at + o->head + o->udp + esp_head_len(o->sa));
	if (o->tunnel)
		outbound_tunnel(o, at, len, number);
	else
		outbound_transport(o, at, len);
	if (o->udp)
		outbound_udp(o, at + front, len - front);
	esp_seal(o->sa, number, outbound_next(o), at + front + o->udp, cut_len(&o->cut, i) - o->split);
	return len;
}

static size_t outbound_segments(const struct outbound *o, const struct ipsp_record *down, void *up)
{
	struct ipsp_answer *answer = answer_begin(up, down, IPSP_VERDICT_TRANSFORMED);
	uint8_t *at = (uint8_t *)up + ANSWER_DATA;
	size_t i;

	answer->segments = (uint32_t)o->cut.count;
	answer->segment_len = (uint32_t)outbound_len(o, 0);
	for (i = 0; i < o->cut.count; i++)
		at += outbound_segment(o, i, at);
	return answer_end(up, (size_t)(at - (uint8_t *)up) - ANSWER_DATA);
}

static size_t outbound_too_big(const struct ip *ip, uint32_t mtu, const struct ipsp_record *down, void *up)
{
	struct ipsp_answer *answer = answer_begin(up, down, IPSP_VERDICT_TOOBIG);

	answer->mtu = ip->family == 6 && mtu < IPSP_MTU_FLOOR6 ? IPSP_MTU_FLOOR6 : mtu;
	return answer_end(up, 0);
}

size_t outbound_answer(const struct sad *sad, const struct ipsp_record *down, void *up, size_t room)
{
	const struct ipsp_packet *about = (const struct ipsp_packet *)(down + 1);
	const uint8_t *bytes = (const uint8_t *)down + down->data_offset;
	struct outbound o;
	unsigned reason = outbound_plan(&o, sad, about, bytes, down->data_len);

	if (reason)
		return answer_drop(up, down, reason);
	if (outbound_is_too_big(&o, about))
		return outbound_too_big(&o.cut.ip, about->mtu, down, up);
	if (outbound_len(&o, 0) > PACKET_MAX)
		return answer_drop(up, down, IPSP_DROP_MALFORMED);
	if (ANSWER_DATA + outbound_total(&o) + IPSP_ALIGN > room)
		return answer_drop(up, down, IPSP_DROP_STACK_ERROR);
	return outbound_segments(&o, down, up);
}
