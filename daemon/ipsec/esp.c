// SPDX-License-Identifier: GPL-2.0
#include "esp.h"
#include "beet.h"
#include "ecn.h"

#include <endian.h>

#define ESP_PAD_MAX	255

/*
 * What is authenticated beside the text: SPI and number as they lie in front of it; with ESN an AEAD has all 64 bits of
 * the number there (RFC 4106 5, RFC 7634 2.1), any other MAC the upper half behind the ciphertext (RFC 4303 2.2.1).
 */
static void esp_authenticate(const struct sad_sa *sa, uint64_t number, const uint8_t *esp, struct crypto_message *m,
			     uint64_t *implicit, uint8_t aad[CRYPTO_AAD_MAX])
{
	m->iv = esp + ESP_HEADER;
	if (!sa->crypto.iv_len) {
		*implicit = htobe64(number);	/* RFC 8750 4; a MAC beside NULL does not look at it */
		m->iv = (const uint8_t *)implicit;
	}
	m->aad = esp;
	m->aad_len = ESP_HEADER;
	if (!(sa->sa.flags & IPSP_SAF_ESN))
		return;
	if (!sa->crypto.is_aead) {
		ip_set32(m->high, (uint32_t)(number >> 32));
		m->high_len = sizeof(m->high);
		return;
	}
	memcpy(aad, esp, 4);
	ip_set32(aad + 4, (uint32_t)(number >> 32));
	ip_set32(aad + 8, (uint32_t)number);
	m->aad = aad;
	m->aad_len = CRYPTO_AAD_MAX;
}

/* In one store: who loads it whole does not wait for two. */
static void esp_header(uint8_t *esp, __be32 spi, uint64_t number)
{
	struct {
		__be32 spi, number;
	} header = { spi, htobe32((uint32_t)number) };
	uint64_t whole;

	memcpy(&whole, &header, sizeof(whole));
	memcpy(esp, &whole, sizeof(whole));
}

/* ---- seal ---------------------------------------------------------------------------- */

static int esp_is_tunnel(const struct sad_sa *sa)
{
	return sa->sa.mode == IPSP_SA_TUNNEL;
}

static int esp_is_beet(const struct sad_sa *sa)
{
	return sa->sa.mode == IPSP_SA_BEET;
}

/* An outer header is made, whatever is done with the inner one. */
static int esp_has_outer(const struct sad_sa *sa)
{
	return sa->sa.mode != IPSP_SA_TRANSPORT;
}

/* RFC 3948: between IP and ESP. */
static uint32_t esp_udp_len(const struct sad_sa *sa)
{
	return sa->sa.encap_source ? ESP_UDP : 0;
}

static uint8_t esp_outer_protocol(const struct sad_sa *sa)
{
	return sa->sa.encap_source ? IP_UDP : IP_ESP;
}

/* Of the segment's header, what stays in front of ESP. */
static uint32_t esp_skip(const struct sad_sa *sa, const struct segment_plan *plan)
{
	if (esp_is_beet(sa))
		return beet_skip(plan);
	return esp_is_tunnel(sa) ? 0 : plan->ip.esp_at;
}

/* In front of what is left of the segment. */
static uint32_t esp_pseudo_len(const struct sad_sa *sa, const struct segment_plan *plan)
{
	return esp_is_beet(sa) ? beet_pseudo_len(plan) : 0;
}

static uint32_t esp_front_len(const struct sad_sa *sa, const struct segment_plan *plan)
{
	return (esp_has_outer(sa) ? ip_outer_len(sa->sa.family) : plan->ip.esp_at) + esp_udp_len(sa);
}

static uint32_t esp_text_len(const struct sad_sa *sa, const struct segment_plan *plan,
			     const struct segment *s)
{
	return esp_pseudo_len(sa, plan) + s->header_len - esp_skip(sa, plan) + s->body.len;
}

static uint32_t esp_pad_len(const struct sad_sa *sa, uint32_t text)
{
	return -(text + 2) & (sa->crypto.align - 1u);
}

uint32_t esp_sealed_len(const struct sad_sa *sa, const struct segment_plan *plan,
			const struct segment *s)
{
	uint32_t text = esp_text_len(sa, plan, s);

	return esp_front_len(sa, plan) + ESP_HEADER + sa->crypto.iv_len + text +
	       esp_pad_len(sa, text) + 2 + sa->crypto.icv_len;
}

/* RFC 4301 5.1.2.1: what the outer header takes from the inner one. */
static void esp_front_tunnel(const struct sad_sa *sa, uint64_t number,
			     const struct segment_plan *plan, int clear_df, uint32_t total,
			     uint8_t *out)
{
	const struct ip_packet *ip = &plan->ip;
	struct ip_outer outer = {
		.source = sa->sa.source,
		.destination = sa->sa.destination,
		.family = sa->sa.family,
		.tos = ecn_outer(ip->tos, sa->sa.flags),
		.protocol = esp_outer_protocol(sa),
		.df = !clear_df && !(sa->sa.flags & IPSP_SAF_NOPMTUDISC) &&
		      (ip->family == 6 || ip->df),
		.total_len = total,
	};

	/* RFC 6864: with DF the identification means nothing; else it must differ */
	outer.id = outer.df ? 0 : (uint16_t)number;
	ip_outer_write(out, &outer);
}

static void esp_front_transport(const struct sad_sa *sa, const struct segment_plan *plan,
				const struct segment *s, int clear_df, uint32_t total, uint8_t *out)
{
	memcpy(out, s->header, plan->ip.esp_at);
	out[plan->ip.esp_next_at] = esp_outer_protocol(sa);
	if (clear_df && plan->ip.family == 4)
		ip_clear_df(out);
	ip_set_length(out, plan->ip.family == 4 ? plan->ip.esp_at : IP_HEADER6, total);
}

/* Checksum 0: over IPv6 the kernel makes it. */
static void esp_front_udp(const struct sad_sa *sa, uint32_t len, uint8_t *out)
{
	memcpy(out, &sa->sa.encap_source, 2);
	memcpy(out + 2, &sa->sa.encap_destination, 2);
	ip_set16(out + 4, (uint16_t)len);
	ip_set16(out + 6, 0);
}

/* RFC 4303 2.4: 1, 2, 3 ...; then the length, then what is inside. */
static uint32_t esp_trailer(uint32_t pad, uint8_t next, uint8_t *trailer)
{
	uint32_t i;

	for (i = 0; i < pad; i++)
		trailer[i] = (uint8_t)(i + 1);
	trailer[pad] = (uint8_t)pad;
	trailer[pad + 1] = next;
	return pad + 2;
}

static uint8_t esp_next(const struct sad_sa *sa, const struct segment_plan *plan)
{
	if (esp_is_beet(sa))
		return beet_next(plan);
	if (!esp_is_tunnel(sa))
		return plan->ip.esp_next;
	return plan->ip.family == 4 ? IP_IPIP : IP_IPV6;
}

/* The text as one piece where its ciphertext goes: a copy costs less than further calls. */
static uint32_t esp_gather(const struct sad_sa *sa, const struct segment_plan *plan,
			   const struct segment *s, uint8_t *out)
{
	uint32_t skip = esp_skip(sa, plan), pseudo = esp_pseudo_len(sa, plan);
	uint32_t head = pseudo + s->header_len - skip, text = head + s->body.len;

	if (pseudo)
		beet_pseudo(plan, out);
	memcpy(out + pseudo, s->header + skip, head - pseudo);
	memcpy(out + head, s->body.at, s->body.len);
	return text + esp_trailer(esp_pad_len(sa, text), esp_next(sa, plan), out + text);
}

static uint16_t esp_encrypt(const struct sad_sa *sa, uint64_t number,
			    const struct segment_plan *plan, const struct segment *s, uint8_t *out)
{
	uint8_t aad[CRYPTO_AAD_MAX], *text = out + ESP_HEADER + sa->crypto.iv_len;
	struct crypto_message m = { .from = text, .len = esp_gather(sa, plan, s, text) };
	uint64_t implicit;

	esp_header(out, sa->sa.spi, number);
	crypto_iv(&sa->crypto, number, out + ESP_HEADER);
	esp_authenticate(sa, number, out, &m, &implicit, aad);
	return sa->crypto.seal(&sa->crypto, &m, text) ? IPSP_DROP_STACK_ERROR : 0;
}

uint16_t esp_seal(const struct sad_sa *sa, uint64_t number, const struct segment_plan *plan,
		  const struct segment *s, int clear_df, uint8_t *out)
{
	uint32_t total = esp_sealed_len(sa, plan, s), front = esp_front_len(sa, plan);

	if (total > IP_LENGTH_MAX)
		return IPSP_DROP_MALFORMED;
	if (esp_is_beet(sa))
		beet_front(&sa->sa, s, clear_df, esp_outer_protocol(sa), total, out);
	else if (esp_is_tunnel(sa))
		esp_front_tunnel(sa, number, plan, clear_df, total, out);
	else
		esp_front_transport(sa, plan, s, clear_df, total, out);
	if (esp_udp_len(sa))
		esp_front_udp(sa, total - front + ESP_UDP, out + front - ESP_UDP);
	return esp_encrypt(sa, number, plan, s, out + front);
}

/* ---- open ---------------------------------------------------------------------------- */

struct esp_opened {
	struct ip_bytes packet;		/* outer */
	struct ip_packet ip;
	uint32_t esp_at;
	uint32_t text;			/* bytes of clear text, trailer included */
	uint8_t next;
};

static uint16_t esp_locate(const struct sad_sa *sa, struct esp_opened *o)
{
	const uint32_t least = ESP_HEADER + sa->crypto.iv_len + 2 + sa->crypto.icv_len;
	const uint8_t *esp;

	if (ip_parse(o->packet, &o->ip) || o->ip.protocol != esp_outer_protocol(sa) || o->ip.fragment)
		return IPSP_DROP_MALFORMED;
	o->esp_at = o->ip.header_len + esp_udp_len(sa);
	if (o->packet.len < o->esp_at || o->packet.len - o->esp_at < least)
		return IPSP_DROP_MALFORMED;
	o->text = o->packet.len - o->esp_at - (least - 2);
	if (o->text & (sa->crypto.align - 1u))
		return IPSP_DROP_MALFORMED;
	esp = ip_at(o->packet, o->esp_at, ESP_HEADER);
	return esp && !memcmp(esp, &sa->sa.spi, 4) ? 0 : IPSP_DROP_MALFORMED;
}

/* The number that the kernel stamped must be the one that the packet bears: what is authenticated is the packet's. */
static uint16_t esp_decrypt(const struct sad_sa *sa, uint64_t number,
			    const struct esp_opened *o, uint8_t *out)
{
	const uint8_t *esp = ip_at(o->packet, o->esp_at, ESP_HEADER + sa->crypto.iv_len);
	const uint8_t *text = esp + ESP_HEADER + sa->crypto.iv_len;
	struct crypto_message m = { .from = text, .len = o->text };
	uint64_t implicit;
	uint8_t aad[CRYPTO_AAD_MAX];

	if (ip_get32(esp + 4) != (uint32_t)number)
		return IPSP_DROP_INTEGRITY;
	esp_authenticate(sa, number, esp, &m, &implicit, aad);
	return sa->crypto.open(&sa->crypto, &m, text + o->text, out) ? IPSP_DROP_INTEGRITY : 0;
}

/* RFC 4303 2.4: the padding bytes are checked; what is left is the payload. */
static uint16_t esp_unpad(struct esp_opened *o, const uint8_t *text, uint32_t *payload)
{
	uint32_t pad = text[o->text - 2], i;
	const uint8_t *at;

	if (pad > o->text - 2)
		return IPSP_DROP_PADDING;
	o->next = text[o->text - 1];
	*payload = o->text - 2 - pad;
	at = text + *payload;
	for (i = 0; i < pad; i++)
		if (at[i] != i + 1)
			return IPSP_DROP_PADDING;
	return o->next == IP_NONE ? IPSP_DROP_DUMMY : 0;
}

static uint16_t esp_check_selector(const struct sad_sa *sa, struct ip_bytes inner,
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
static uint16_t esp_inner_tunnel(const struct sad_sa *sa, const struct esp_opened *o,
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
	return esp_check_selector(sa, inner, &ip);
}

static uint16_t esp_inner_transport(const struct sad_sa *sa, const struct esp_opened *o,
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
	return esp_check_selector(sa, inner, &ip);
}

static uint16_t esp_inner_beet(const struct sad_sa *sa, const struct esp_opened *o, uint8_t *out, uint32_t *len)
{
	uint16_t reason = beet_inner(&sa->sa, o->packet, o->next, out, len);
	struct ip_bytes inner = { out, *len };
	struct ip_packet ip;

	if (!reason && ip_parse(inner, &ip))
		reason = IPSP_DROP_MALFORMED;
	return reason ? reason : esp_check_selector(sa, inner, &ip);
}

/* By mode: bytes in front of the clear text, and what makes the inner packet of it. */
static uint32_t esp_inner_front(const struct sad_sa *sa, const struct esp_opened *o)
{
	if (esp_is_beet(sa))
		return beet_inner_len(&sa->sa);
	return esp_is_tunnel(sa) ? 0 : o->ip.header_len;
}

static uint16_t esp_inner(const struct sad_sa *sa, const struct esp_opened *o, uint8_t *out, uint32_t *len)
{
	if (esp_is_beet(sa))
		return esp_inner_beet(sa, o, out, len);
	return esp_is_tunnel(sa) ? esp_inner_tunnel(sa, o, out, len) : esp_inner_transport(sa, o, out, len);
}

uint16_t esp_open(const struct sad_sa *sa, uint64_t number, struct ip_bytes packet,
		  uint8_t *out, uint32_t *len)
{
	struct esp_opened o = { .packet = packet };
	uint16_t reason = esp_locate(sa, &o);
	uint8_t *text;

	if (reason)
		return reason;
	text = out + esp_inner_front(sa, &o);
	reason = esp_decrypt(sa, number, &o, text);
	if (!reason)
		reason = esp_unpad(&o, text, len);
	if (reason)
		return reason;
	return esp_inner(sa, &o, out, len);
}
