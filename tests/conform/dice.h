/* SPDX-License-Identifier: GPL-2.0 */
/* dice - numbers that look random and are the same again for the same seed */
#ifndef CONFORM_DICE_H
#define CONFORM_DICE_H

#include <stddef.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

uint64_t dice_next(struct dice *d);
uint32_t dice_below(struct dice *d, uint32_t n);		/* 0..n-1; 0 for n 0 */
uint32_t dice_between(struct dice *d, uint32_t least, uint32_t most);
int dice_percent(struct dice *d, uint32_t percent);		/* 1 in so many of a hundred */
void dice_fill(struct dice *d, void *at, size_t len);

#define DICE_PICK(d, array) ((array)[dice_below((d), sizeof(array) / sizeof((array)[0]))])

#endif
