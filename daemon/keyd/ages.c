// SPDX-License-Identifier: GPL-2.0-only
/* ages.c - entries of a table in the order they came: those that went stay until there is no room */
#include <stdlib.h>

#include "ages.h"

static int age_compare(const void *a, const void *b)
{
	const struct age *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

void ages_again(struct ages *a, struct keyd *k, ages_id *id, uint32_t used)
{
	uint32_t i;

	a->count = 0;
	for (i = 0; i < used; i++)
		if (id(k, i))
			a->list[a->count++] = (struct age){ id(k, i), i };
	qsort(a->list, a->count, sizeof(a->list[0]), age_compare);
}

void ages_add(struct ages *a, struct keyd *k, ages_id *id, uint32_t at, uint32_t used)
{
	if (a->count == 2 * AGES_MAX)
		ages_again(a, k, id, used);
	else
		a->list[a->count++] = (struct age){ id(k, at), at };
}

uint32_t ages_older(const struct ages *a, uint64_t below)
{
	uint32_t least = 0, most = a->count, middle;

	if (!below)
		return a->count;
	while (least < most) {
		middle = (least + most) / 2;
		if (a->list[middle].id < below)
			least = middle + 1;
		else
			most = middle;
	}
	return least;
}
