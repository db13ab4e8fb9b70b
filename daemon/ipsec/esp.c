// SPDX-License-Identifier: GPL-2.0
#include "esp.h"
#include "ecn.h"

#define ESP_AAD_MAX	12
#define ESP_PAD_MAX	255

/* RFC 4106 5, RFC 7634 2.1: SPI and number, 64 bits of it with ESN. */
static size_t esp_aad(const struct sad_sa *sa, uint64_t number, uint8_t aad[ESP_AAD_MAX])
{
	memcpy(aad, &sa->sa.spi, 4);
	if (!(sa->sa.flags & IPSP_SAF_ESN)) {
		ip_set32(aad + 4, (uint32_t)number);
		return 8;
	}
	ip_set32(aad + 4, (uint32_t)(number >> 32));
	ip_set32(aad + 8, (uint32_t)number);
	return 12;
}

/* ---- seal ---------------------------------------------------------------------------- */

static int esp_is_tunnel(const struct sad_sa *sa)
{
	return sa->sa.mode == IPSP_SA_TUNNEL;
}

/* Of the segment's header, what stays in front of ESP. */
static uint32_t esp_skip(const struct sad_sa *sa, const struct segment_plan *plan)
{
	return esp_is_tunnel(sa) ? 0 : plan->ip.esp_at;
}

static uint32_t esp_front_len(const struct sad_sa *sa, const struct segment_plan *plan)
{
	return esp_is_tunnel(sa) ? ip_outer_len(sa->sa.family) : plan->ip.esp_at;
}

static uint32_t esp_text_len(const struct sad_sa *sa, const struct segment_plan *plan,
			     const struct segment *s)
{
	return s->header_len - esp_skip(sa, plan) + s->body.len;
}

static uint32_t esp_pad_len(uint32_t text)
{
	return -(text + 2) & (CRYPTO_ALIGN - 1);
}

uint32_t esp_sealed_len(const struct sad_sa *sa, const struct segment_plan *plan,
			const struct segment *s)
{
	uint32_t text = esp_text_len(sa, plan, s);

	return esp_front_len(sa, plan) + ESP_HEADER + CRYPTO_IV_LEN + text +
	       esp_pad_len(text) + 2 + CRYPTO_ICV_LEN;
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
		.protocol = IP_ESP,
		.df = !clear_df && !(sa->sa.flags & IPSP_SAF_NOPMTUDISC) &&
		      (ip->family == 6 || ip->df),
		.total_len = total,
	};

	/* RFC 6864: with DF the identification means nothing; else it must differ */
	outer.id = outer.df ? 0 : (uint16_t)number;
	ip_outer_write(out, &outer);
}

static void esp_front_transport(const struct segment_plan *plan, const struct segment *s,
				int clear_df, uint32_t total, uint8_t *out)
{
	memcpy(out, s->header, plan->ip.esp_at);
	out[plan->ip.esp_next_at] = IP_ESP;
	if (clear_df && plan->ip.family == 4)
		ip_clear_df(out);
	ip_set_length(out, plan->ip.family == 4 ? plan->ip.esp_at : IP_HEADER6, total);
}

/* RFC 4303 2.4: 1, 2, 3 ...; then the length, then what is inside. */
static uint32_t esp_trailer(uint32_t text, uint8_t next, uint8_t *trailer)
{
	uint32_t pad = esp_pad_len(text), i;

	for (i = 0; i < pad; i++)
		trailer[i] = (uint8_t)(i + 1);
	trailer[pad] = (uint8_t)pad;
	trailer[pad + 1] = next;
	return pad + 2;
}

static uint8_t esp_next(const struct sad_sa *sa, const struct segment_plan *plan)
{
	if (!esp_is_tunnel(sa))
		return plan->ip.esp_next;
	return plan->ip.family == 4 ? IP_IPIP : IP_IPV6;
}

/* The text as one piece where its ciphertext goes: a copy costs less than further calls. */
static uint32_t esp_gather(const struct sad_sa *sa, const struct segment_plan *plan,
			   const struct segment *s, uint8_t *out)
{
	uint32_t skip = esp_skip(sa, plan), head = s->header_len - skip;
	uint32_t text = head + s->body.len;

	memcpy(out, s->header + skip, head);
	memcpy(out + head, s->body.at, s->body.len);
	return text + esp_trailer(text, esp_next(sa, plan), out + text);
}

static uint16_t esp_encrypt(const struct sad_sa *sa, uint64_t number,
			    const struct segment_plan *plan, const struct segment *s, uint8_t *out)
{
	uint8_t aad[ESP_AAD_MAX], *text = out + ESP_HEADER + CRYPTO_IV_LEN;
	struct crypto_message m = {
		.iv = __builtin_bswap64(number),
		.aad = aad,
		.aad_len = esp_aad(sa, number, aad),
		.piece = { { text, esp_gather(sa, plan, s, text) } },
		.pieces = 1,
	};

	memcpy(out, &sa->sa.spi, 4);
	ip_set32(out + 4, (uint32_t)number);
	memcpy(out + ESP_HEADER, &m.iv, CRYPTO_IV_LEN);
	return sa->crypto.engine->seal(&sa->crypto, &m, text) ? IPSP_DROP_STACK_ERROR : 0;
}

uint16_t esp_seal(const struct sad_sa *sa, uint64_t number, const struct segment_plan *plan,
		  const struct segment *s, int clear_df, uint8_t *out)
{
	uint32_t total = esp_sealed_len(sa, plan, s);

	if (total > IP_LENGTH_MAX)
		return IPSP_DROP_MALFORMED;
	if (esp_is_tunnel(sa))
		esp_front_tunnel(sa, number, plan, clear_df, total, out);
	else
		esp_front_transport(plan, s, clear_df, total, out);
	return esp_encrypt(sa, number, plan, s, out + esp_front_len(sa, plan));
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
	const uint32_t least = ESP_HEADER + CRYPTO_IV_LEN + 2 + CRYPTO_ICV_LEN;
	const uint8_t *esp;

	if (ip_parse(o->packet, &o->ip) || o->ip.protocol != IP_ESP || o->ip.fragment)
		return IPSP_DROP_MALFORMED;
	o->esp_at = o->ip.header_len;
	if (o->packet.len < o->esp_at || o->packet.len - o->esp_at < least)
		return IPSP_DROP_MALFORMED;
	o->text = o->packet.len - o->esp_at - (least - 2);
	if (o->text % CRYPTO_ALIGN)
		return IPSP_DROP_MALFORMED;
	esp = ip_at(o->packet, o->esp_at, ESP_HEADER);
	return esp && !memcmp(esp, &sa->sa.spi, 4) ? 0 : IPSP_DROP_MALFORMED;
}

static uint16_t esp_decrypt(const struct sad_sa *sa, uint64_t number,
			    const struct esp_opened *o, uint8_t *out)
{
	const uint8_t *esp = ip_at(o->packet, o->esp_at, ESP_HEADER + CRYPTO_IV_LEN);
	const uint8_t *text = esp + ESP_HEADER + CRYPTO_IV_LEN;
	uint8_t aad[ESP_AAD_MAX];
	struct crypto_message m = {
		.aad = aad,
		.aad_len = esp_aad(sa, number, aad),
		.piece = { { text, o->text } },
		.pieces = 1,
	};

	memcpy(&m.iv, esp + ESP_HEADER, CRYPTO_IV_LEN);
	return sa->crypto.engine->open(&sa->crypto, &m, text + o->text, out) ?
	       IPSP_DROP_INTEGRITY : 0;
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

	memcpy(out, o->packet.at, o->esp_at);
	out[o->ip.protocol_at] = o->next;
	*len += o->esp_at;
	ip_set_length(out, o->ip.family == 4 ? o->esp_at : IP_HEADER6, *len);
	inner = (struct ip_bytes){ out, *len };
	if (ip_parse(inner, &ip))
		return IPSP_DROP_MALFORMED;
	return esp_check_selector(sa, inner, &ip);
}

uint16_t esp_open(const struct sad_sa *sa, uint64_t number, struct ip_bytes packet,
		  uint8_t *out, uint32_t *len)
{
	struct esp_opened o = { .packet = packet };
	uint16_t reason = esp_locate(sa, &o);
	uint8_t *text;

	if (reason)
		return reason;
	text = esp_is_tunnel(sa) ? out : out + o.esp_at;
	reason = esp_decrypt(sa, number, &o, text);
	if (!reason)
		reason = esp_unpad(&o, text, len);
	if (reason)
		return reason;
	return esp_is_tunnel(sa) ? esp_inner_tunnel(sa, &o, out, len) :
				   esp_inner_transport(sa, &o, out, len);
}
