// SPDX-License-Identifier: GPL-2.0
#include "checksum.h"

#include <string.h>

static uint64_t checksum_load(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static uint64_t checksum_carry(uint64_t sum, uint64_t word)
{
	return __builtin_add_overflow(sum, word, &sum) ? sum + 1 : sum;
}

/* 64 bytes: the part of a packet that takes time. */
static uint64_t checksum_block(uint64_t sum, const uint8_t *at)
{
#ifdef __x86_64__
	__asm__("addq 0*8(%[at]), %[sum]\n\t"
		"adcq 1*8(%[at]), %[sum]\n\t"
		"adcq 2*8(%[at]), %[sum]\n\t"
		"adcq 3*8(%[at]), %[sum]\n\t"
		"adcq 4*8(%[at]), %[sum]\n\t"
		"adcq 5*8(%[at]), %[sum]\n\t"
		"adcq 6*8(%[at]), %[sum]\n\t"
		"adcq 7*8(%[at]), %[sum]\n\t"
		"adcq $0, %[sum]"
		: [sum] "+r"(sum)
		: [at] "r"(at), "m"(*(const uint8_t (*)[64])at)
		: "cc");
#else
	int i;

	for (i = 0; i < 64; i += 8)
		sum = checksum_carry(sum, checksum_load(at + i));
#endif
	return sum;
}

uint64_t checksum_add(uint64_t sum, const uint8_t *at, size_t len)
{
	uint64_t all = 0, last = 0;

	for (; len >= 64; at += 64, len -= 64)
		all = checksum_block(all, at);
	for (; len >= 8; at += 8, len -= 8)
		all = checksum_carry(all, checksum_load(at));
	memcpy(&last, at, len);		/* zeroes behind: RFC 1071 pads so */
	all = checksum_carry(all, last);
	return sum + (all >> 32) + (uint32_t)all;
}

uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 16) + (uint16_t)sum;
	sum = (sum >> 16) + (uint16_t)sum;
	sum = (sum >> 16) + (uint16_t)sum;
	return (uint16_t)~sum;
}

uint64_t checksum_pseudo(uint8_t family, const uint8_t *source, const uint8_t *destination,
			 uint8_t protocol, uint32_t len)
{
	size_t address = family == 4 ? 4 : 16;
	uint8_t rest[8] = { len >> 24, len >> 16, len >> 8, len, 0, 0, 0, protocol };
	uint64_t sum = checksum_add(0, source, address);

	sum = checksum_add(sum, destination, address);
	return checksum_add(sum, rest, sizeof(rest));
}

uint32_t checksum_crc32c(uint32_t crc, const uint8_t *at, size_t len)
{
	int bit;

	while (len--) {
		crc ^= *at++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}
