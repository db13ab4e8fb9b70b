// SPDX-License-Identifier: GPL-2.0
#include "shrink.h"

#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "program.h"

#define SHRINK_TRIALS 300

struct hunt {
	const char *reference, *other;
	const struct batch *records;
	uint32_t *index, count;		/* of those that are still in */
	uint32_t *trial;
	uint32_t trials;		/* that are left */
};

/* ---- one trial ----------------------------------------------------------------------------- */

/* Records of a batch up to the first that is answered differently, that one included; 0: none is. */
static uint32_t shrink_compare(const struct program programs[2], uint32_t count)
{
	uint32_t i, a_len, b_len;

	for (i = 0; i < count; i++) {
		const uint8_t *a = batch_record(&programs[0].answers, i, &a_len);
		const uint8_t *b = batch_record(&programs[1].answers, i, &b_len);

		if (i >= programs[1].answers.count || !compare_is_same(a, a_len, b, b_len))
			return i + 1;
	}
	return 0;
}

static uint32_t shrink_run(const struct hunt *h, const struct batch *batch)
{
	struct program programs[2];
	uint32_t found = 0;

	if (program_start(&programs[0], h->reference) || program_start(&programs[1], h->other))
		exit(2);
	program_run(programs, 2, batch);
	if (!programs[0].failed)
		found = shrink_compare(programs, batch->count);
	program_end(&programs[0]);
	program_end(&programs[1]);
	return found;
}

static void shrink_pick(const struct hunt *h, const uint32_t *index, uint32_t count, struct batch *batch)
{
	uint32_t i;

	batch_clear(batch);
	for (i = 0; i < count; i++)
		batch_copy(batch, h->records, index[i]);
}

/* The trial's records take the place of those that are in, if they show a difference. */
static int shrink_try(struct hunt *h, uint32_t count)
{
	static struct batch batch;
	uint32_t found;

	h->trials -= h->trials > 0;
	shrink_pick(h, h->trial, count, &batch);
	found = shrink_run(h, &batch);
	if (!found)
		return 0;
	memcpy(h->index, h->trial, found * sizeof(*h->trial));
	h->count = found;
	return 1;
}

/* ---- the hunt ------------------------------------------------------------------------------ */

static int shrink_is_ticket(const struct batch *b, uint32_t i)
{
	uint32_t len;
	uint16_t type;

	memcpy(&type, batch_record(b, i, &len) + 4, sizeof(type));
	return type <= IPSP_REC_UNPROTECT;
}

/* Packets change nothing: with luck, the last one and all control records do. */
static void shrink_tickets(struct hunt *h)
{
	uint32_t i, count = 0;

	for (i = 0; i < h->count; i++)
		if (i + 1 == h->count || !shrink_is_ticket(h->records, h->index[i]))
			h->trial[count++] = h->index[i];
	shrink_try(h, count);
}

/* Without `size` of them at a time, the newest first; the last stays. */
static void shrink_chunks(struct hunt *h, uint32_t size)
{
	uint32_t end = h->count - 1, from, rest;

	while (end && h->trials) {
		from = end > size ? end - size : 0;
		rest = h->count - end;
		memcpy(h->trial, h->index, from * sizeof(*h->trial));
		memcpy(h->trial + from, h->index + end, rest * sizeof(*h->trial));
		shrink_try(h, from + rest);
		end = from < h->count ? from : h->count - 1;
	}
}

static void shrink_all(struct hunt *h)
{
	uint32_t size;

	shrink_tickets(h);
	for (size = h->count / 2; size && h->trials; size /= 2)
		shrink_chunks(h, size);
}

int shrink(const char *reference, const char *other, const struct batch *records, struct batch *less)
{
	struct hunt h = { reference, other, records, calloc(records->count, sizeof(uint32_t)), 0,
			  calloc(records->count, sizeof(uint32_t)), SHRINK_TRIALS };
	int found;

	for (; h.count < records->count; h.count++)
		h.trial[h.count] = h.count;
	found = shrink_try(&h, h.count);
	if (found)
		shrink_all(&h);
	shrink_pick(&h, h.index, h.count, less);
	free(h.index);
	free(h.trial);
	return found ? 0 : -1;
}
