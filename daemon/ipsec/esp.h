/* SPDX-License-Identifier: GPL-2.0 */
/*
 * esp - one packet into ESP and out of it (RFC 4303; AEADs: RFC 4106, RFC 7634)
 *
 *   tunnel      | outer IP | SPI | seq | IV | [ inner IP ... | pad | n | next ] | ICV |
 *   transport   | IP, exts | SPI | seq | IV | [ payload ...  | pad | n | next ] | ICV |
 *
 *   BEET        see beet.h
 *
 * With ESP in UDP (RFC 3948) eight bytes of UDP stand in front of the SPI.
 *
 * The IV is the 64-bit number: unique for a key as long as the number is.
 */
#ifndef IPSEC_ESP_H
#define IPSEC_ESP_H

#include "mode.h"

#define ESP_HEADER	8
#define ESP_OVERHEAD	(MODE_FRONT_MAX + ESP_HEADER + CRYPTO_IV_MAX + 2 + CRYPTO_ALIGN_MAX + CRYPTO_ICV_MAX)

/* Bytes that segment becomes. */
uint32_t esp_sealed_len(const struct sad_sa *sa, const struct segment_plan *plan,
			const struct segment *segment);
/* Writes exactly that. `clear_df`: the host may fragment it. 0, or an IPSP_DROP_*. */
uint16_t esp_seal(const struct sad_sa *sa, uint64_t number, const struct segment_plan *plan,
		  const struct segment *segment, int clear_df, uint8_t *out);

/*
 * The same, but for the cipher: of several packets, whose messages esp_seal_row() then seals together. Only what has no
 * AEAD is sealed so: its messages point into `out` and nowhere else.
 */
struct esp_sealing {
	struct crypto_message message;
	uint64_t implicit;
	uint8_t aad[CRYPTO_AAD_MAX];
};
uint16_t esp_begin(const struct sad_sa *sa, uint64_t number, const struct segment_plan *plan,
		   const struct segment *segment, int clear_df, uint8_t *out, struct esp_sealing *e);
uint16_t esp_seal_row(const struct sad_sa *sa, const struct crypto_message message[], uint32_t count);

/*
 * `packet`: the whole outer packet. Writes the inner one to `out`, which has room for
 * packet.len bytes and an IPv6 header, and its length to *len. 0, or an IPSP_DROP_*.
 */
uint16_t esp_open(const struct sad_sa *sa, uint64_t number, struct ip_bytes packet,
		  uint8_t *out, uint32_t *len);

#endif
