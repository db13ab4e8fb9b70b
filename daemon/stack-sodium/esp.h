/* SPDX-License-Identifier: GPL-2.0 */
/* esp - RFC 4303 around one text: SPI, number, IV, text, padding, ICV */
#ifndef SODIUM_ESP_H
#define SODIUM_ESP_H

#include "sad.h"

#define ESP_HEADER	8		/* SPI and number */
#define ESP_TRAILER	2		/* length of the padding, next header */
#define ESP_ALIGN	4
#define ESP_UDP		8		/* RFC 3948 */

/* What is in front of the text, UDP not counted. */
size_t esp_head_len(const struct sad_sa *sa);
/* The whole of it. */
size_t esp_len(const struct sad_sa *sa, size_t text_len);

/* Seals what lies at `at` + esp_head_len(), and writes the rest around it. */
void esp_seal(const struct sad_sa *sa, uint64_t number, uint8_t next, uint8_t *at, size_t text_len);

struct esp_opened {
	uint8_t next;
	size_t len;			/* of the text, without its padding */
};

/* `len` bytes of ESP at `at`, opened to `text`, where `len` bytes of room are. 0, or the reason of the drop. */
unsigned esp_open(const struct sad_sa *sa, uint64_t number, const uint8_t *at, size_t len, uint8_t *text,
		  struct esp_opened *opened);

#endif
