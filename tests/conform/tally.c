// SPDX-License-Identifier: GPL-2.0
#include "tally.h"

#include <stdio.h>
#include <string.h>

#include "compare.h"

#define TALLY_TYPES	32		/* 0: any that is none */
#define TALLY_ANSWERS	(8 + IPSP_DROP_COUNT + IPSP_DROP_COUNT)	/* none and verdicts, drops, notes */

static uint64_t tally[TALLY_TYPES][TALLY_ANSWERS];

static uint32_t tally_of(const uint8_t *up, uint32_t len)
{
	struct ipsp_record rec;
	struct ipsp_answer answer;
	struct ipsp_note note;

	up = compare_last(up, &len);
	if (!up)
		return 0;
	memcpy(&rec, up, sizeof(rec));
	memcpy(&answer, up + sizeof(rec), sizeof(answer));
	memcpy(&note, up + sizeof(rec), sizeof(note));
	if (rec.type == IPSP_REC_NOTE)
		return 8 + IPSP_DROP_COUNT + note.reason % IPSP_DROP_COUNT;
	return answer.verdict == IPSP_VERDICT_DROP ? 8u + answer.reason % IPSP_DROP_COUNT : answer.verdict % 8u;
}

void tally_add(const struct batch *given, const struct batch *answers)
{
	const uint8_t *up;
	uint32_t i, len;
	uint16_t type;

	for (i = 0; i < given->count; i++) {
		memcpy(&type, batch_record(given, i, &len) + 4, sizeof(type));
		up = batch_record(answers, i, &len);
		tally[type < TALLY_TYPES ? type : 0][tally_of(up, len)]++;
	}
}

void tally_print(void)
{
	uint32_t type, i;

	for (type = 0; type < TALLY_TYPES; type++) {
		for (i = 0; i < TALLY_ANSWERS; i++) {
			if (!tally[type][i])
				continue;
			printf("  %s -> ", compare_type(type));
			if (i < 8)
				printf("%s", i ? compare_verdict(i) : "nothing");
			else if (i < 8 + IPSP_DROP_COUNT)
				printf("DROP %s", compare_reason(i - 8));
			else
				printf("NOTE %s", compare_reason(i - 8 - IPSP_DROP_COUNT));
			printf(": %llu\n", (unsigned long long)tally[type][i]);
		}
	}
}
