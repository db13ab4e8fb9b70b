// SPDX-License-Identifier: GPL-2.0
#include "checksum.h"

#include <endian.h>
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

/* ---- blocks: the part of a packet that takes time ------------------------------------- */

#define BLOCK 128

#ifdef __x86_64__
#include <immintrin.h>

/* Bytes that the processor sums in wide lanes: none where it has not got them. */
static size_t checksum_wide(size_t len)
{
	return __builtin_cpu_supports("avx2") ? len & ~(size_t)(BLOCK - 1) : 0;
}

/*
 * Two sums of 64-bit lanes: of the upper halves, and of the whole, which may wrap. The upper
 * ones taken from it leave the sum of the lower halves, and that does not wrap.
 */
__attribute__((target("avx2"))) static uint64_t checksum_blocks(const uint8_t *at, size_t len)
{
	const uint8_t *end = at + len;
	__m256i whole = _mm256_setzero_si256(), upper = whole, v;
	uint64_t lanes[4];
	int i;

	for (; at != end; at += BLOCK) {
#pragma GCC unroll 4
		for (i = 0; i < BLOCK; i += 32) {
			v = _mm256_loadu_si256((const __m256i *)(at + i));
			whole = _mm256_add_epi64(whole, v);
			upper = _mm256_add_epi64(upper, _mm256_srli_epi64(v, 32));
		}
	}
	whole = _mm256_sub_epi64(whole, _mm256_slli_epi64(upper, 32));
	_mm256_storeu_si256((__m256i *)lanes, _mm256_add_epi64(whole, upper));
	return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}
#else
#define checksum_wide(len) 0
#define checksum_blocks(at, len) 0
#endif

/* ---- the sum --------------------------------------------------------------------------- */

/* Less than 8 bytes, with zeroes behind: RFC 1071 pads so. */
static uint64_t checksum_rest(const uint8_t *at, size_t len)
{
	uint64_t sum = 0;
	uint32_t four;
	uint16_t two;

	if (len & 4) {
		memcpy(&four, at, sizeof(four));
		sum = four;
		at += 4;
	}
	if (len & 2) {
		memcpy(&two, at, sizeof(two));
		sum += two;
		at += 2;
	}
	return len & 1 ? sum + le16toh(*at) : sum;
}

uint64_t checksum_add(uint64_t sum, const uint8_t *at, size_t len)
{
	size_t wide = checksum_wide(len);
	uint64_t all = wide ? checksum_blocks(at, wide) : 0;

#pragma GCC unroll 8
	for (at += wide, len -= wide; len >= 8; at += 8, len -= 8)
		all = checksum_carry(all, checksum_load(at));
	all = checksum_carry(all, checksum_rest(at, len));
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

/* Words of 32 bits: they leave room for their carries. */
static uint64_t checksum_words(uint64_t sum, const uint8_t *at, size_t len)
{
	uint32_t word;

	for (; len; at += 4, len -= 4) {
		memcpy(&word, at, sizeof(word));
		sum += word;
	}
	return sum;
}

uint64_t checksum_pseudo(uint8_t family, const uint8_t *source, const uint8_t *destination,
			 uint8_t protocol, uint32_t len)
{
	size_t address = family == 4 ? 4 : 16;
	uint64_t sum = (uint64_t)htobe32(len) + htobe32(protocol);

	return checksum_words(checksum_words(sum, source, address), destination, address);
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
