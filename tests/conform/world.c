// SPDX-License-Identifier: GPL-2.0
#include "world.h"

#include <stdlib.h>
#include <string.h>

uint32_t world_handle(uint32_t pair, uint8_t direction)
{
	return 1 + 2 * pair + (direction == IPSP_DIR_IN);
}

struct pair *world_pair(struct world *w, uint32_t *index)
{
	*index = dice_below(&w->dice, WORLD_PAIRS);
	return &w->pair[*index];
}

/* ---- an episode ------------------------------------------------------------------------- */

void world_free(struct world *w)
{
	uint32_t i;

	for (i = 0; i < WORLD_KEPT; i++)
		free(w->kept[i].bytes);
	memset(w->kept, 0, sizeof(w->kept));
	w->keeps = 0;
}

void world_begin(struct world *w, uint64_t seed, uint64_t episode)
{
	const struct ipsp_snapshot snapshot = { .sas = 2 * WORLD_PAIRS };
	uint32_t i;

	world_free(w);
	w->dice.state = seed * 0x100000001b3ull + episode;
	w->dice.state = dice_next(&w->dice);
	memset(w->pair, 0, sizeof(w->pair));
	batch_add(w->batch, IPSP_REC_SNAPSHOT_BEGIN, 0, 0, &snapshot, sizeof(snapshot), NULL, 0);
	control_config(w);
	for (i = 0; i < WORLD_PAIRS; i++)
		control_sa(w, i);
	if (dice_percent(&w->dice, 70))
		control_policies(w, IPSP_POLICY_REPLACE, dice_between(&w->dice, 1, 20));
	batch_add(w->batch, IPSP_REC_SNAPSHOT_END, 0, 0, &snapshot, sizeof(snapshot), NULL, 0);
}

void world_make(struct world *w, uint32_t records)
{
	static void (*const tickets[])(struct world *w) = {
		ticket_classify, ticket_protect, ticket_protect, ticket_unprotect, ticket_unprotect,
	};

	for (; records; records--) {
		if (dice_percent(&w->dice, 3))
			control_any(w);
		else
			DICE_PICK(&w->dice, tickets)(w);
	}
}

/* ---- what was protected ------------------------------------------------------------------- */

static void world_keep(struct world *w, uint32_t handle, uint64_t number, const uint8_t *bytes, uint32_t len)
{
	struct kept *kept = &w->kept[w->keeps++ % WORLD_KEPT];

	free(kept->bytes);
	*kept = (struct kept){ malloc(len), len, handle + 1, number };	/* the mirror's handle */
	if (!kept->bytes)
		abort();
	memcpy(kept->bytes, bytes, len);
}

/* One segment of an answer, or none. */
static void world_learn_one(struct world *w, const uint8_t *given, const uint8_t *answered, uint32_t len)
{
	struct ipsp_packet packet;
	struct ipsp_answer answer;
	struct ipsp_record rec;
	uint32_t i, at, size;

	memcpy(&rec, answered, sizeof(rec));
	memcpy(&packet, given + sizeof(rec), sizeof(packet));
	memcpy(&answer, answered + sizeof(rec), sizeof(answer));
	if (answer.verdict != IPSP_VERDICT_TRANSFORMED || !answer.segments || rec.data_offset > len ||
	    rec.data_len > len - rec.data_offset)
		return;
	i = dice_below(&w->dice, answer.segments);
	at = i * answer.segment_len;
	if (at >= rec.data_len)
		return;
	size = rec.data_len - at < answer.segment_len ? rec.data_len - at : answer.segment_len;
	world_keep(w, packet.stamp[0].handle, packet.stamp[0].first + i, answered + rec.data_offset + at, size);
}

void world_learn(struct world *w, const struct batch *given, const struct batch *answers)
{
	uint32_t i, len, answer_len;

	for (i = 0; i < given->count; i++) {
		const uint8_t *down = batch_record(given, i, &len), *up = batch_record(answers, i, &answer_len);
		uint16_t type;

		memcpy(&type, down + 4, sizeof(type));
		if (type == IPSP_REC_PROTECT && len >= sizeof(struct ipsp_record) + sizeof(struct ipsp_packet) &&
		    answer_len >= sizeof(struct ipsp_record) + sizeof(struct ipsp_answer))
			world_learn_one(w, down, up, answer_len);
	}
}
