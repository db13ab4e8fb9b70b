/* SPDX-License-Identifier: GPL-2.0 */
/* crc32c - SCTP's checksum, RFC 9260 appendix A */
#ifndef SODIUM_CRC32C_H
#define SODIUM_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const uint8_t *bytes, size_t len);

/* As SCTP has it: the least significant byte first. */
void crc32c_store(uint8_t at[4], uint32_t crc);

#endif
