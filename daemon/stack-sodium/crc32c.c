// SPDX-License-Identifier: GPL-2.0
#include "crc32c.h"

#define CRC32C_POLYNOMIAL 0x82f63b78u	/* bits mirrored */

/* Half a byte at a time: 16 entries, made by the compiler from the polynomial. */
#define STEP(x) ((x) >> 1 ^ ((x) & 1 ? CRC32C_POLYNOMIAL : 0))
#define ENTRY(x) STEP(STEP(STEP(STEP((uint32_t)(x)))))
static const uint32_t half[16] = {
	ENTRY(0), ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5), ENTRY(6), ENTRY(7),
	ENTRY(8), ENTRY(9), ENTRY(10), ENTRY(11), ENTRY(12), ENTRY(13), ENTRY(14), ENTRY(15),
};

uint32_t crc32c(const uint8_t *bytes, size_t len)
{
	uint32_t crc = ~0u;

	while (len--) {
		crc ^= *bytes++;
		crc = crc >> 4 ^ half[crc & 15];
		crc = crc >> 4 ^ half[crc & 15];
	}
	return ~crc;
}

void crc32c_store(uint8_t at[4], uint32_t crc)
{
	int i;

	for (i = 0; i < 4; i++)
		at[i] = (uint8_t)(crc >> 8 * i);
}
