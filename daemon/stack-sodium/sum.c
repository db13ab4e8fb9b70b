// SPDX-License-Identifier: GPL-2.0
#include "sum.h"

#include <endian.h>
#include <string.h>

uint64_t sum_add(uint64_t sum, const uint8_t *bytes, size_t len)
{
	uint32_t word;
	uint16_t half = 0;

	for (; len >= 4; bytes += 4, len -= 4) {
		memcpy(&word, bytes, 4);
		sum += word;
	}
	if (len >= 2) {
		memcpy(&half, bytes, 2);
		sum += half;
		bytes += 2;
		len -= 2;
	}
	if (len) {
		half = 0;
		memcpy(&half, bytes, 1);
		sum += half;
	}
	return sum;
}

uint16_t sum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint64_t sum_pseudo(const uint8_t *addresses, size_t len, uint8_t protocol, size_t upper_len)
{
	return sum_add(0, addresses, 2 * len) + htobe32((uint32_t)upper_len) + htobe16(protocol);
}
