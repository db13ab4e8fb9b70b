// SPDX-License-Identifier: GPL-2.0
#include "esp.h"
#include "mode.h"

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

static uint32_t esp_pad_len(const struct sad_sa *sa, uint32_t text)
{
	return -(text + 2) & (sa->crypto.align - 1u);
}

uint32_t esp_sealed_len(const struct sad_sa *sa, const struct segment_plan *plan,
			const struct segment *s)
{
	uint32_t text = mode_text_len(sa, plan, s);

	return mode_front_len(sa, plan) + ESP_HEADER + sa->crypto.iv_len + text +
	       esp_pad_len(sa, text) + 2 + sa->crypto.icv_len;
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

static uint32_t esp_gather(const struct sad_sa *sa, const struct segment_plan *plan,
			   const struct segment *s, uint8_t *out)
{
	uint32_t text = mode_text_len(sa, plan, s);

	mode_text(sa, plan, s, out);
	return text + esp_trailer(esp_pad_len(sa, text), mode_next(sa, plan), out + text);
}

/* All that is not the cipher's; the text lies where its ciphertext will. */
static void esp_write(const struct sad_sa *sa, uint64_t number, const struct segment_plan *plan,
		      const struct segment *s, uint8_t *out, struct esp_sealing *e)
{
	uint8_t *text = out + ESP_HEADER + sa->crypto.iv_len;

	e->message = (struct crypto_message){ .from = text, .len = esp_gather(sa, plan, s, text) };
	esp_header(out, sa->sa.spi, number);
	crypto_iv(&sa->crypto, number, out + ESP_HEADER);
	esp_authenticate(sa, number, out, &e->message, &e->implicit, e->aad);
}

uint16_t esp_begin(const struct sad_sa *sa, uint64_t number, const struct segment_plan *plan,
		   const struct segment *s, int clear_df, uint8_t *out, struct esp_sealing *e)
{
	uint32_t total = esp_sealed_len(sa, plan, s);

	if (total > IP_LENGTH_MAX)
		return IPSP_DROP_MALFORMED;
	mode_front(sa, number, plan, s, clear_df, total, out);
	esp_write(sa, number, plan, s, out + mode_front_len(sa, plan), e);
	return 0;
}

uint16_t esp_seal(const struct sad_sa *sa, uint64_t number, const struct segment_plan *plan,
		  const struct segment *s, int clear_df, uint8_t *out)
{
	struct esp_sealing e;
	uint16_t reason = esp_begin(sa, number, plan, s, clear_df, out, &e);

	if (reason)
		return reason;
	return sa->crypto.seal(&sa->crypto, &e.message, (uint8_t *)(uintptr_t)e.message.from) ?
	       IPSP_DROP_STACK_ERROR : 0;
}

uint16_t esp_seal_row(const struct sad_sa *sa, const struct crypto_message message[], uint32_t count)
{
	return sa->crypto.seal_row(&sa->crypto, message, count) ? IPSP_DROP_STACK_ERROR : 0;
}

/* ---- open ---------------------------------------------------------------------------- */

struct esp_opened {
	struct mode_opened mode;
	uint32_t at;			/* of ESP in the outer packet */
	uint32_t text;			/* bytes of clear text, trailer included */
};

static uint16_t esp_locate(const struct sad_sa *sa, struct esp_opened *o)
{
	const uint32_t least = ESP_HEADER + sa->crypto.iv_len + 2 + sa->crypto.icv_len;
	const struct ip_bytes packet = o->mode.packet;
	const uint8_t *esp;

	o->at = mode_at(sa, &o->mode);
	if (packet.len < o->at || packet.len - o->at < least)
		return IPSP_DROP_MALFORMED;
	o->text = packet.len - o->at - (least - 2);
	if (o->text & (sa->crypto.align - 1u))
		return IPSP_DROP_MALFORMED;
	esp = ip_at(packet, o->at, ESP_HEADER);
	return esp && !memcmp(esp, &sa->sa.spi, 4) ? 0 : IPSP_DROP_MALFORMED;
}

/* The number that the kernel stamped must be the one that the packet bears: what is authenticated is the packet's. */
static uint16_t esp_decrypt(const struct sad_sa *sa, uint64_t number,
			    const struct esp_opened *o, uint8_t *out)
{
	const uint8_t *esp = ip_at(o->mode.packet, o->at, ESP_HEADER + sa->crypto.iv_len);
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
	o->mode.next = text[o->text - 1];
	*payload = o->text - 2 - pad;
	at = text + *payload;
	for (i = 0; i < pad; i++)
		if (at[i] != i + 1)
			return IPSP_DROP_PADDING;
	return o->mode.next == IP_NONE ? IPSP_DROP_DUMMY : 0;
}

uint16_t esp_open(const struct sad_sa *sa, uint64_t number, struct ip_bytes packet,
		  uint8_t *out, uint32_t *len)
{
	struct esp_opened o;
	uint16_t reason = mode_outer(sa, packet, &o.mode);
	uint8_t *text;

	if (!reason)
		reason = esp_locate(sa, &o);
	if (reason)
		return reason;
	text = out + mode_inner_front(sa, &o.mode);
	reason = esp_decrypt(sa, number, &o, text);
	if (!reason)
		reason = esp_unpad(&o, text, len);
	return reason ? reason : mode_inner(sa, &o.mode, out, len);
}
