// SPDX-License-Identifier: GPL-2.0
/*
 * inbound.c - open, put the packet together, ask what the SA and the policies take
 *
 * The packet that comes out is made in the answer's data part. What it must be in front, transport mode's headers,
 * goes there first, and the text is opened right behind it.
 */
#include "inbound.h"

#include <string.h>

#include "answer.h"
#include "bundle.h"
#include "esp.h"
#include "sum.h"

#define TCP_HEADER 20
#define CE 3

struct inbound {
	const struct sad_sa *sa;
	struct bundle through;		/* that one, and those before it */
	const struct ipsp_packet *about;
	struct ip outer, inner;
	uint8_t *out;			/* the packet that comes out */
	size_t front;			/* bytes in front of the text: transport */
	struct esp_opened opened;
};

/* ---- tunnel ------------------------------------------------------------------------------------- */

static bool inbound_is_packet(const struct ip *ip, uint8_t next)
{
	if (ip->family != (next == IP_IPIP ? 4 : 6) || ip->claimed > ip->len)
		return false;
	return ip->family == 6 || !sum_fold(sum_add(0, ip->at, (size_t)(ip->at[0] & 15) * 4));
}

/* RFC 6040, the two bits of ECN that come out; false: the packet must not. */
static bool inbound_ecn(uint8_t inner, uint8_t outer, uint8_t *out)
{
	*out = inner;
	if (outer == CE)
		*out = CE;
	else if (outer == 1 && inner == 2)
		*out = 1;
	return outer != CE || inner;
}

/* As RFC 1624 does it, so that the checksum stays wrong by what it was. */
static void inbound_set_class(uint8_t *packet, uint8_t class)
{
	const uint16_t before = ip_get16(packet);
	uint32_t sum;

	ip_set_class(packet, class);
	if (packet[0] >> 4 != 4)
		return;
	sum = (uint16_t)~ip_get16(packet + 10) + (uint32_t)(uint16_t)~before + ip_get16(packet);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip_put16(packet + 10, (uint16_t)~sum);
}

static unsigned inbound_class(struct inbound *in)
{
	const uint32_t flags = in->sa->given.flags;
	const uint8_t outer = ip_class(in->outer.at), inner = ip_class(in->out);
	uint8_t ecn = inner & 3, dscp = (flags & IPSP_SAF_DECAP_DSCP ? outer : inner) & (uint8_t)~3;

	if (!(flags & IPSP_SAF_NOECN) && !inbound_ecn(inner & 3, outer & 3, &ecn))
		return IPSP_DROP_ECN;
	if ((dscp | ecn) != inner)
		inbound_set_class(in->out, dscp | ecn);
	return 0;
}

/* What lies behind the length that the inner packet claims is padding of the traffic flow (RFC 4303 2.7). */
static unsigned inbound_tunnel(struct inbound *in)
{
	const uint8_t next = in->opened.next;

	if ((next != IP_IPIP && next != IP_IPV6) || !ip_parse(&in->inner, in->out, in->opened.len) ||
	    !inbound_is_packet(&in->inner, next))
		return IPSP_DROP_MALFORMED;
	in->inner.len = in->inner.claimed;
	return inbound_class(in);
}

/* ---- transport -------------------------------------------------------------------------------------- */

static unsigned inbound_transport(struct inbound *in)
{
	const size_t len = in->front + in->opened.len;

	in->out[in->outer.above_next] = in->opened.next;
	ip_set_len(in->out, (size_t)(in->out[0] & 15) * 4, len);
	return ip_parse(&in->inner, in->out, len) ? 0 : IPSP_DROP_MALFORMED;
}

/* ---- who takes it ------------------------------------------------------------------------------------- */

static bool inbound_selected(const struct inbound *in)
{
	const struct ipsp_packet nowhere = { .mark = in->sa->given.selector.mark };
	struct tuple tuple;

	if (in->sa->any)
		return true;
	tuple_of(&tuple, &in->inner, &nowhere);
	return tuple_matches(&tuple, &in->sa->given.selector);
}

enum inbound_says { NO, YES, UNKNOWN };

static enum inbound_says inbound_ask(const struct inbound *in, const struct spd *spd, uint8_t direction,
				     const struct tuple *tuple)
{
	const struct ipsp_policy_entry *policy = spd_find(spd, direction, tuple);

	if (!policy)
		return UNKNOWN;
	return policy->action == IPSP_POLICY_APPLY && bundle_wanted(&in->through, policy, tuple) ? YES : NO;
}

static bool inbound_admitted(const struct inbound *in, const struct spd *spd)
{
	enum inbound_says local, forward;
	struct tuple tuple;

	if (!spd->slots.taken)
		return true;
	tuple_of(&tuple, &in->inner, in->about);
	tuple.label = in->sa->given.label;
	local = inbound_ask(in, spd, IPSP_DIR_IN, &tuple);
	forward = inbound_ask(in, spd, IPSP_DIR_FWD, &tuple);
	return local == YES || forward == YES || (local == UNKNOWN && forward == UNKNOWN);
}

/* ---- its checksum --------------------------------------------------------------------------------------- */

static bool inbound_tcp_is_right(const struct ip *ip)
{
	const uint8_t *tcp = ip->at + ip->above;
	const size_t plain = ip->family == 4 ? IP4_HEADER : IP6_HEADER, len = ip->len - ip->above;
	size_t header;

	if (ip->protocol != IP_TCP || ip->above != plain || ip->fragment || ip->claimed != ip->len || len < TCP_HEADER)
		return false;
	header = (size_t)(tcp[12] >> 4) * 4;
	if (header < TCP_HEADER || header >= len)
		return false;
	return !sum_fold(sum_add(sum_pseudo(ip_addresses(ip->at), ip_address_len(ip->family), IP_TCP, len), tcp, len));
}

static bool inbound_is_vouched(const struct inbound *in)
{
	const struct ipsp_sa *g = &in->sa->given;

	return (g->mode == IPSP_SA_TRANSPORT && g->encap_source) || inbound_tcp_is_right(&in->inner);
}

/* ---- the ticket ------------------------------------------------------------------------------------------- */

static unsigned inbound_open(struct inbound *in, const uint8_t *bytes, size_t len)
{
	const uint8_t protocol = in->sa->given.encap_source ? IP_UDP : IPSP_ESP;
	const size_t udp = in->sa->given.encap_source ? ESP_UDP : 0;
	size_t at;

	if (!ip_parse(&in->outer, bytes, len) || in->outer.protocol != protocol || in->outer.fragment)
		return IPSP_DROP_MALFORMED;
	at = in->outer.above + udp;
	if (at > len)
		return IPSP_DROP_MALFORMED;
	if (in->sa->given.mode == IPSP_SA_TRANSPORT) {
		in->front = in->outer.above;
		memcpy(in->out, bytes, in->front);
	}
	return esp_open(in->sa, in->about->stamp[0].first, bytes + at, len - at, in->out + in->front, &in->opened);
}

/* 0, or the reason of the drop. */
static unsigned inbound_packet(struct inbound *in, const struct sad *sad, const struct spd *spd, const uint8_t *bytes,
			       size_t len)
{
	unsigned reason = inbound_open(in, bytes, len);

	if (!reason)
		reason = in->sa->given.mode == IPSP_SA_TUNNEL ? inbound_tunnel(in) : inbound_transport(in);
	if (reason)
		return reason;
	if (!inbound_selected(in))
		return IPSP_DROP_SELECTOR;
	return bundle_goes_on(sad, &in->inner) || inbound_admitted(in, spd) ? 0 : IPSP_DROP_POLICY;
}

size_t inbound_answer(const struct sad *sad, const struct spd *spd, const struct ipsp_record *down, void *up,
		      size_t room)
{
	struct inbound in = { .about = (const struct ipsp_packet *)(down + 1), .out = (uint8_t *)up + ANSWER_DATA };
	const size_t len = down->data_len;
	struct ipsp_answer *answer;
	unsigned reason;

	if (!bundle_read(&in.through, sad, in.about))
		return answer_drop(up, down, IPSP_DROP_NO_SA);
	in.sa = in.through.sa[0];
	if (ANSWER_DATA + len + IPSP_ALIGN > room)
		return answer_drop(up, down, IPSP_DROP_STACK_ERROR);
	reason = inbound_packet(&in, sad, spd, (const uint8_t *)down + down->data_offset, len);
	if (reason)
		return answer_drop(up, down, reason);
	answer = answer_begin(up, down, IPSP_VERDICT_TRANSFORMED);
	answer->segments = 1;
	answer->segment_len = (uint32_t)in.inner.len;
	answer->offload.flags = inbound_is_vouched(&in) ? IPSP_OFFLOAD_DATA_VALID : 0;
	return answer_end(up, in.inner.len);
}
