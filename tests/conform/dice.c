// SPDX-License-Identifier: GPL-2.0
#include "dice.h"

#include <string.h>

/* splitmix64: any state is as good as another. */
uint64_t dice_next(struct dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint32_t dice_below(struct dice *d, uint32_t n)
{
	return n ? (uint32_t)(dice_next(d) >> 32) % n : 0;
}

uint32_t dice_between(struct dice *d, uint32_t least, uint32_t most)
{
	return least + dice_below(d, most - least + 1);
}

int dice_percent(struct dice *d, uint32_t percent)
{
	return dice_below(d, 100) < percent;
}

void dice_fill(struct dice *d, void *at, size_t len)
{
	uint8_t *to = at;
	uint64_t word;
	size_t n;

	for (; len; to += n, len -= n) {
		word = dice_next(d);
		n = len < sizeof(word) ? len : sizeof(word);
		memcpy(to, &word, n);
	}
}
