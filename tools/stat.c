// SPDX-License-Identifier: GPL-2.0-only
/* stat.c - counters by name, drops by reason, and whether the ledger balances */
#include <stdio.h>
#include <string.h>

#include "portctl.h"
#include "words/device.h"
#include "words/reason.h"

#define COUNTER_TEXT(name, text) text,
static const char *const counter_text[] = { IPSP_COUNTERS(COUNTER_TEXT) };

static long long balance(const struct ipsp_stats *s)
{
	const __u64 *c = s->counter;

	return (long long)(c[IPSP_COUNT_CAPTURED] - c[IPSP_COUNT_CLASSIFIED] -
			   c[IPSP_COUNT_RELEASED] - c[IPSP_COUNT_MERGED] - c[IPSP_COUNT_BYPASSED] -
			   c[IPSP_COUNT_TOOBIG] - c[IPSP_COUNT_DROPPED] - c[IPSP_COUNT_REHIRED] -
			   c[IPSP_COUNT_HELD] - c[IPSP_COUNT_PENDING]);
}

static void print_json(const struct ipsp_stats *s)
{
	int i;

	printf("{\"name\":\"%s\"", s->name);
	for (i = 0; i < IPSP_COUNT_COUNT; i++)
		printf(",\"%s\":%llu", counter_text[i], s->counter[i]);
	printf(",\"balance\":%lld,\"memory\":%llu,\"drops\":{", balance(s), s->memory);
	for (i = 1; i < IPSP_DROP_COUNT; i++)
		printf("%s\"%s\":%llu", i > 1 ? "," : "", reason_name(i), s->drop[i]);
	printf("}}\n");
}

static void print_text(const struct ipsp_stats *s)
{
	int i;

	for (i = 0; i < IPSP_COUNT_COUNT; i++)
		if (s->counter[i])
			printf("%-20s %llu\n", counter_text[i], s->counter[i]);
	for (i = 1; i < IPSP_DROP_COUNT; i++)
		if (s->drop[i])
			printf("drop %-15s %llu\n", reason_name(i), s->drop[i]);
	printf("%-20s %llu\n", "memory", s->memory);
	printf("ledger %s\n", balance(s) ? "DOES NOT BALANCE" : "balances");
}

int stat_main(const struct portctl *p, struct words *w)
{
	struct ipsp_stats stats;
	const char *name;
	int err;

	word_next(w);
	name = word_next(w);
	if (!name)
		name = p->compartment;
	memset(&stats, 0, sizeof(stats));
	if ((name && portctl_name(name)) || portctl_end(w, "stat"))
		return 2;
	if (name)
		strcpy(stats.name, name);
	err = device_control(IPSP_CTL_STATS, &stats);
	if (err)
		return portctl_refused(name ? name : "stat", err);
	if (p->json)
		print_json(&stats);
	else
		print_text(&stats);
	return 0;
}
