// SPDX-License-Identifier: GPL-2.0
#include "esp.h"

#include <endian.h>
#include <string.h>

size_t esp_head_len(const struct sad_sa *sa)
{
	return ESP_HEADER + aead_iv_len(&sa->aead);
}

static size_t esp_padding(size_t text_len)
{
	return -(text_len + ESP_TRAILER) % ESP_ALIGN;
}

size_t esp_len(const struct sad_sa *sa, size_t text_len)
{
	return esp_head_len(sa) + text_len + esp_padding(text_len) + ESP_TRAILER + AEAD_ICV;
}

/* SPI and number as they are authenticated: all 64 bits with ESN, else what is on the wire. */
static size_t esp_aad(const struct sad_sa *sa, uint64_t number, uint8_t aad[12])
{
	memcpy(aad, &sa->given.spi, 4);
	if (!(sa->given.flags & IPSP_SAF_ESN)) {
		ip_put32(aad + 4, (uint32_t)number);
		return 8;
	}
	aead_iv(aad + 4, number);
	return 12;
}

void esp_seal(const struct sad_sa *sa, uint64_t number, uint8_t next, uint8_t *at, size_t text_len)
{
	const size_t padding = esp_padding(text_len);
	uint8_t *text = at + esp_head_len(sa), *end = text + text_len;
	uint8_t aad[12], iv[8];
	const struct aead_job job = { .aad = aad, .aad_len = esp_aad(sa, number, aad), .text = text,
				      .len = text_len + padding + ESP_TRAILER };
	size_t i;

	aead_iv(iv, number);
	memcpy(at, &sa->given.spi, 4);
	ip_put32(at + 4, (uint32_t)number);
	memcpy(at + ESP_HEADER, iv, aead_iv_len(&sa->aead));
	for (i = 0; i < padding; i++)
		*end++ = (uint8_t)(i + 1);
	*end++ = (uint8_t)padding;
	*end++ = next;
	aead_seal(&sa->aead, &job, iv, end);
}

static unsigned esp_trailer(const uint8_t *text, size_t len, struct esp_opened *opened)
{
	const size_t padding = text[len - 2];
	size_t i;

	if (padding > len - ESP_TRAILER)
		return IPSP_DROP_PADDING;
	opened->next = text[len - 1];
	opened->len = len - ESP_TRAILER - padding;
	for (i = 0; i < padding; i++)
		if (text[opened->len + i] != i + 1)
			return IPSP_DROP_PADDING;
	return opened->next == IP_NONE ? IPSP_DROP_DUMMY : 0;
}

unsigned esp_open(const struct sad_sa *sa, uint64_t number, const uint8_t *at, size_t len, uint8_t *text,
		  struct esp_opened *opened)
{
	const size_t head = esp_head_len(sa), around = head + AEAD_ICV;
	uint8_t aad[12], iv[8];
	struct aead_job job = { .aad = aad, .aad_len = esp_aad(sa, number, aad), .cipher = at + head, .text = text };

	if (len < around + ESP_TRAILER)
		return IPSP_DROP_MALFORMED;
	job.len = len - around;
	if (job.len % ESP_ALIGN || memcmp(at, &sa->given.spi, 4))
		return IPSP_DROP_MALFORMED;
	if (ip_get32(at + 4) != (uint32_t)number)
		return IPSP_DROP_INTEGRITY;
	aead_iv(iv, number);
	memcpy(iv, at + ESP_HEADER, aead_iv_len(&sa->aead));
	if (!aead_open(&sa->aead, &job, iv, at + len - AEAD_ICV))
		return IPSP_DROP_INTEGRITY;
	return esp_trailer(text, job.len, opened);
}
