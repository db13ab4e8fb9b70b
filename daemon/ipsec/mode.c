// SPDX-License-Identifier: GPL-2.0
#include "mode.h"
#include "beet.h"
#include "ecn.h"

static int mode_is_tunnel(const struct sad_sa *sa)
{
	return sa->sa.mode == IPSP_SA_TUNNEL;
}

static int mode_is_beet(const struct sad_sa *sa)
{
	return sa->sa.mode == IPSP_SA_BEET;
}

/* An outer header is made, whatever is done with the inner one. */
static int mode_has_outer(const struct sad_sa *sa)
{
	return sa->sa.mode != IPSP_SA_TRANSPORT;
}

/* RFC 3948: between IP and ESP. */
static uint32_t mode_udp_len(const struct sad_sa *sa)
{
	return sa->sa.encap_source ? MODE_UDP : 0;
}

static uint8_t mode_outer_protocol(const struct sad_sa *sa)
{
	return sa->sa.encap_source ? IP_UDP : sa->sa.protocol;
}

/* ---- out ------------------------------------------------------------------------------ */

/* Of the segment's header, what stays in front of ESP. */
static uint32_t mode_skip(const struct sad_sa *sa, const struct segment_plan *plan)
{
	if (mode_is_beet(sa))
		return beet_skip(plan);
	return mode_is_tunnel(sa) ? 0 : plan->ip.esp_at;
}

/* In front of what is left of the segment. */
static uint32_t mode_pseudo_len(const struct sad_sa *sa, const struct segment_plan *plan)
{
	return mode_is_beet(sa) ? beet_pseudo_len(plan) : 0;
}

uint32_t mode_front_len(const struct sad_sa *sa, const struct segment_plan *plan)
{
	return (mode_has_outer(sa) ? ip_outer_len(sa->sa.family) : plan->ip.esp_at) + mode_udp_len(sa);
}

uint32_t mode_text_len(const struct sad_sa *sa, const struct segment_plan *plan,
			     const struct segment *s)
{
	return mode_pseudo_len(sa, plan) + s->header_len - mode_skip(sa, plan) + s->body.len;
}

/* As one piece where its ciphertext goes: a copy costs less than further calls. */
void mode_text(const struct sad_sa *sa, const struct segment_plan *plan, const struct segment *s, uint8_t *out)
{
	uint32_t skip = mode_skip(sa, plan), pseudo = mode_pseudo_len(sa, plan);
	uint32_t head = s->header_len - skip;

	if (pseudo)
		beet_pseudo(plan, out);
	memcpy(out + pseudo, s->header + skip, head);
	memcpy(out + pseudo + head, s->body.at, s->body.len);
}

uint8_t mode_next(const struct sad_sa *sa, const struct segment_plan *plan)
{
	if (mode_is_beet(sa))
		return beet_next(plan);
	if (!mode_is_tunnel(sa))
		return plan->ip.esp_next;
	return plan->ip.family == 4 ? IP_IPIP : IP_IPV6;
}

/* RFC 4301 5.1.2.1: what the outer header takes from the inner one. */
static void mode_front_tunnel(const struct sad_sa *sa, uint64_t number,
			     const struct segment_plan *plan, int clear_df, uint32_t total,
			     uint8_t *out)
{
	const struct ip_packet *ip = &plan->ip;
	struct ip_outer outer = {
		.source = sa->sa.source,
		.destination = sa->sa.destination,
		.family = sa->sa.family,
		.tos = ecn_outer(ip->tos, sa->sa.flags),
		.protocol = mode_outer_protocol(sa),
		.df = !clear_df && !(sa->sa.flags & IPSP_SAF_NOPMTUDISC) &&
		      (ip->family == 6 || ip->df),
		.total_len = total,
	};

	/* RFC 6864: with DF the identification means nothing; else it must differ */
	outer.id = outer.df ? 0 : (uint16_t)number;
	ip_outer_write(out, &outer);
}

static void mode_front_transport(const struct sad_sa *sa, const struct segment_plan *plan,
				const struct segment *s, int clear_df, uint32_t total, uint8_t *out)
{
	memcpy(out, s->header, plan->ip.esp_at);
	out[plan->ip.esp_next_at] = mode_outer_protocol(sa);
	if (clear_df && plan->ip.family == 4)
		ip_clear_df(out);
	ip_set_length(out, plan->ip.family == 4 ? plan->ip.esp_at : IP_HEADER6, total);
}

/* Checksum 0: over IPv6 the kernel makes it. */
static void mode_front_udp(const struct sad_sa *sa, uint32_t len, uint8_t *out)
{
	memcpy(out, &sa->sa.encap_source, 2);
	memcpy(out + 2, &sa->sa.encap_destination, 2);
	ip_set16(out + 4, (uint16_t)len);
	ip_set16(out + 6, 0);
}

void mode_front(const struct sad_sa *sa, uint64_t number, const struct segment_plan *plan,
		const struct segment *s, int clear_df, uint32_t total, uint8_t *out)
{
	uint32_t len = mode_front_len(sa, plan);

	if (mode_is_beet(sa))
		beet_front(&sa->sa, s, clear_df, mode_outer_protocol(sa), total, out);
	else if (mode_is_tunnel(sa))
		mode_front_tunnel(sa, number, plan, clear_df, total, out);
	else
		mode_front_transport(sa, plan, s, clear_df, total, out);
	if (mode_udp_len(sa))
		mode_front_udp(sa, total - len + MODE_UDP, out + len - MODE_UDP);
}

/* ---- in ------------------------------------------------------------------------------- */

uint16_t mode_outer(const struct sad_sa *sa, struct ip_bytes packet, struct mode_opened *o)
{
	o->packet = packet;
	return ip_parse(packet, &o->ip) || o->ip.protocol != mode_outer_protocol(sa) || o->ip.fragment ?
	       IPSP_DROP_MALFORMED : 0;
}

uint32_t mode_at(const struct sad_sa *sa, const struct mode_opened *o)
{
	return o->ip.header_len + mode_udp_len(sa);
}

static uint16_t mode_check_selector(const struct sad_sa *sa, struct ip_bytes inner,
				   const struct ip_packet *ip)
{
	const struct ipsp_selector any = { .source_last = 0xffff, .destination_last = 0xffff };
	struct ipsp_tuple tuple;

	if (!memcmp(&sa->sa.selector, &any, sizeof(any)))
		return 0;
	memset(&tuple, 0, sizeof(tuple));
	ip_tuple(inner, ip, &tuple);
	tuple.direction = IPSP_DIR_IN;
	tuple.mark = sa->sa.selector.mark;
	return ipsp_selector_match(&sa->sa.selector, &tuple) ? 0 : IPSP_DROP_SELECTOR;
}

/* Bytes behind the inner packet are traffic flow confidentiality (2.7) and fall away. */
static uint16_t mode_inner_tunnel(const struct sad_sa *sa, const struct mode_opened *o,
				 uint8_t *out, uint32_t *len)
{
	struct ip_bytes inner = { out, *len };
	struct ip_packet ip;
	int tos;

	if ((o->next != IP_IPIP && o->next != IP_IPV6) || ip_parse(inner, &ip) ||
	    ip.family != (o->next == IP_IPIP ? 4 : 6) || ip.total_len > *len ||
	    !ip_is_intact(inner))
		return IPSP_DROP_MALFORMED;
	*len = inner.len = ip.total_len;
	tos = ecn_inner(ip.tos, o->ip.tos, sa->sa.flags);
	if (tos < 0)
		return IPSP_DROP_ECN;
	if (tos != ip.tos)
		ip_set_tos(out, (uint8_t)tos);
	return mode_check_selector(sa, inner, &ip);
}

static uint16_t mode_inner_transport(const struct sad_sa *sa, const struct mode_opened *o,
				    uint8_t *out, uint32_t *len)
{
	struct ip_bytes inner;
	struct ip_packet ip;

	memcpy(out, o->packet.at, o->ip.header_len);
	out[o->ip.protocol_at] = o->next;
	*len += o->ip.header_len;
	ip_set_length(out, o->ip.family == 4 ? o->ip.header_len : IP_HEADER6, *len);
	inner = (struct ip_bytes){ out, *len };
	if (ip_parse(inner, &ip))
		return IPSP_DROP_MALFORMED;
	return mode_check_selector(sa, inner, &ip);
}

static uint16_t mode_inner_beet(const struct sad_sa *sa, const struct mode_opened *o, uint8_t *out, uint32_t *len)
{
	uint16_t reason = beet_inner(&sa->sa, o->packet, o->next, out, len);
	struct ip_bytes inner = { out, *len };
	struct ip_packet ip;

	if (!reason && ip_parse(inner, &ip))
		reason = IPSP_DROP_MALFORMED;
	return reason ? reason : mode_check_selector(sa, inner, &ip);
}

/* By mode: bytes in front of the clear text, and what makes the inner packet of it. */
uint32_t mode_inner_front(const struct sad_sa *sa, const struct mode_opened *o)
{
	if (mode_is_beet(sa))
		return beet_inner_len(&sa->sa);
	return mode_is_tunnel(sa) ? 0 : o->ip.header_len;
}

uint16_t mode_inner(const struct sad_sa *sa, const struct mode_opened *o, uint8_t *out, uint32_t *len)
{
	if (mode_is_beet(sa))
		return mode_inner_beet(sa, o, out, len);
	return mode_is_tunnel(sa) ? mode_inner_tunnel(sa, o, out, len) : mode_inner_transport(sa, o, out, len);
}
