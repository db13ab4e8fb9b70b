// SPDX-License-Identifier: GPL-2.0-only
/* way.c - see way.h */
#include "way.h"

#include <stdlib.h>
#include <unistd.h>

#include "../tap.h"

void way_begin(struct realm *r, struct realm_kind kind, void (*run)(struct stack *s, const void *how))
{
	const struct realm *const one[] = { r };

	realm_begin_kind(r, 40, 60000, kind);
	realm_rules(one, 1);
	realm_start(r, run, NULL);
}

int way_counted(const struct realm *r, unsigned int counter, unsigned long long wanted)
{
	int i;

	for (i = 0; i < 1000 && realm_stats(r).counter[counter] != wanted; i++)
		usleep(10000);
	return i < 1000;
}

int way_counted_from(const struct realm *r, unsigned int counter, unsigned long long least)
{
	int i;

	for (i = 0; i < 1000 && realm_stats(r).counter[counter] < least; i++)
		usleep(10000);
	return i < 1000;
}

int way_dropped(const struct realm *r, unsigned int reason, unsigned long long wanted)
{
	int i;

	for (i = 0; i < 1000 && realm_stats(r).drop[reason] != wanted; i++)
		usleep(10000);
	return i < 1000;
}

void way_command(const char *line)
{
	if (system(line))
		tap_give_up(line);
}
