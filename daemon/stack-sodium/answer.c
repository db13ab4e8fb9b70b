// SPDX-License-Identifier: GPL-2.0
#include "answer.h"

#include <string.h>

struct ipsp_answer *answer_begin(void *up, const struct ipsp_record *down, uint16_t verdict)
{
	struct ipsp_record *record = up;
	struct ipsp_answer *answer = (struct ipsp_answer *)(record + 1);

	memset(up, 0, ANSWER_DATA);
	record->type = IPSP_REC_ANSWER;
	record->control_len = sizeof(*answer);
	record->data_offset = ANSWER_DATA;
	record->generation = down->generation;
	record->ticket = down->ticket;
	answer->verdict = verdict;
	return answer;
}

size_t answer_end(void *up, size_t data_len)
{
	struct ipsp_record *record = up;
	const size_t used = ANSWER_DATA + data_len, whole = (used + IPSP_ALIGN - 1) & ~(size_t)(IPSP_ALIGN - 1);

	record->len = (uint32_t)whole;
	record->data_len = (uint32_t)data_len;
	memset((uint8_t *)up + used, 0, whole - used);
	return whole;
}

size_t answer_drop(void *up, const struct ipsp_record *down, unsigned reason)
{
	answer_begin(up, down, IPSP_VERDICT_DROP)->reason = (uint16_t)reason;
	return answer_end(up, 0);
}

size_t answer_note(void *up, unsigned reason)
{
	struct ipsp_record *record = up;
	struct ipsp_note *note = (struct ipsp_note *)(record + 1);

	memset(up, 0, ANSWER_DATA);
	record->len = ANSWER_DATA;
	record->type = IPSP_REC_NOTE;
	record->control_len = sizeof(*note);
	note->reason = (uint16_t)reason;
	note->count = 1;
	return ANSWER_DATA;
}
