/* SPDX-License-Identifier: GPL-2.0-only */
/* ages.h - entries of a table in the order they came */
#ifndef KEYD_AGES_H
#define KEYD_AGES_H

#include <stdint.h>

#define AGES_MAX	16384u

struct keyd;

struct age {
	uint64_t id;			/* rising; one that the entry has no more is past */
	uint32_t at;
};

struct ages {
	uint32_t count;
	struct age list[2 * AGES_MAX];
};

typedef uint64_t ages_id(struct keyd *k, uint32_t at);	/* the entry's id; 0: it has none */

/* The past ones go; `used`: entries beyond have no id. */
void ages_again(struct ages *a, struct keyd *k, ages_id *id, uint32_t used);
void ages_add(struct ages *a, struct keyd *k, ages_id *id, uint32_t at, uint32_t used);
/* How many of the list are older than `below`; 0: all of it. */
uint32_t ages_older(const struct ages *a, uint64_t below);

#endif
