/* SPDX-License-Identifier: GPL-2.0 */
/* sum - the Internet checksum, RFC 1071 */
#ifndef SODIUM_SUM_H
#define SODIUM_SUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * The one's complement sum does not care for the order of bytes (RFC 1071, 2 B): it is taken in host order, and what
 * sum_fold() gives is stored as it lies in memory. Every part but the last has an even length.
 */
uint64_t sum_add(uint64_t sum, const uint8_t *bytes, size_t len);

/* The checksum field: the complement of the sum. */
uint16_t sum_fold(uint64_t sum);

/* Of a pseudo-header: addresses of `len` bytes each, the protocol, the length of what is above IP. */
uint64_t sum_pseudo(const uint8_t *addresses, size_t len, uint8_t protocol, size_t upper_len);

#endif
