// SPDX-License-Identifier: GPL-2.0-only
/* dice.c - numbers that hurt more often than chance would have it */
#include <string.h>

#include "play.h"

uint32_t dice_word(struct dice *d)
{
	static const uint32_t edges[] = {
		0, 1, 2, 3, 4, 15, 16, 31, 32, 63, 64, 65, 127, 128, 192, 255, 256, 4095, 4096, 65535, 65536,
		IPSP_RING_MIN - 64, IPSP_RING_MIN, IPSP_RING_MIN + 64, IPSP_RECORD_MAX, 2 * IPSP_RING_MIN, 0x7fffffff,
		0x80000000, 0xffffffc0, 0xfffffffe, 0xffffffff,
	};

	switch (dice_below(d, 4)) {
	case 0:
		return edges[dice_below(d, sizeof(edges) / sizeof(edges[0]))];
	case 1:
		return 1u << dice_below(d, 32);
	case 2:
		return dice_below(d, 256);
	}
	return dice(d);
}

void dice_spoil(struct dice *d, void *at, uint32_t size, uint32_t times)
{
	unsigned char *byte = at;
	uint32_t word, where;

	while (times-- && size >= 4) {
		where = dice_below(d, size);
		if (dice_one_in(d, 2)) {
			byte[where] ^= (unsigned char)(1u << dice_below(d, 8));
		} else {
			word = dice_word(d);
			memcpy(byte + (where / 4 * 4 <= size - 4 ? where / 4 * 4 : size - 4), &word, 1u + dice_below(d, 4));
		}
	}
}
