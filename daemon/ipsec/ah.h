/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ah - one packet behind an authentication header, and out of it (RFC 4302)
 *
 *   transport   | IP, exts | next | length | 0 | SPI | seq | ICV, pad | payload ...
 *   tunnel      | outer IP | next | length | 0 | SPI | seq | ICV, pad | inner IP ...
 *
 * The ICV is over all of it, the IP header included, with zeros for itself and for what routers change. AH is taken for
 * a cipher of nothing and a MAC, so that engines, counters and names need not know it.
 */
#ifndef IPSEC_AH_H
#define IPSEC_AH_H

#include "mode.h"

#define AH_HEADER	12
/* The ICV is made behind the packet, before it goes where it belongs. */
#define AH_OVERHEAD	(MODE_FRONT_MAX + AH_HEADER + CRYPTO_ICV_MAX + 4 + CRYPTO_ICV_MAX)

/* As esp_sealed_len(), esp_seal(), esp_open(); `out` has room for CRYPTO_ICV_MAX bytes more. */
uint32_t ah_sealed_len(const struct sad_sa *sa, const struct segment_plan *plan, const struct segment *segment);
uint16_t ah_seal(const struct sad_sa *sa, uint64_t number, const struct segment_plan *plan,
		 const struct segment *segment, int clear_df, uint8_t *out);
uint16_t ah_open(const struct sad_sa *sa, uint64_t number, struct ip_bytes packet, uint8_t *out, uint32_t *len);

#endif
