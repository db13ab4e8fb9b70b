/* SPDX-License-Identifier: GPL-2.0 */
/*
 * checksum - the Internet checksum (RFC 1071), and SCTP's CRC32c (RFC 9260 6.8)
 *
 * A sum is of 16-bit words as they lie in memory, so a folded one is stored as it is.
 * Each piece of a message but the last has an even length. A sum takes 2^31 pieces
 * before it can overflow.
 */
#ifndef IPSEC_CHECKSUM_H
#define IPSEC_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t checksum_add(uint64_t sum, const uint8_t *at, size_t len);
uint16_t checksum_fold(uint64_t sum);		/* the complement: what a header holds */
uint64_t checksum_pseudo(uint8_t family, const uint8_t *source, const uint8_t *destination,
			 uint8_t protocol, uint32_t len);

/* Start with ~0, continue with what came back; the header holds the complement. */
uint32_t checksum_crc32c(uint32_t crc, const uint8_t *at, size_t len);

#endif
