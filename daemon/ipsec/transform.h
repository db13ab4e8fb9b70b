/* SPDX-License-Identifier: GPL-2.0 */
/*
 * transform - the stack's one entry: a down record in, at most one answer out
 *
 * Theory of operation
 *
 * A transform is a function of the records it was given: no clock, no randomness, no
 * heap, no descriptor. It holds a SAD and an SPD in memory that the caller handed in,
 * and the same records give the same bytes, in every process that is given them.
 *
 * Before the sandbox closes:    crypto_arena_install(), crypto_init(),
 *                               arena_init(), transform_init()
 * For each down record, in order: reserve transform_room(down) bytes of the up ring,
 *                               transform_answer(), keep what it returned.
 *
 * The packet goes straight from the down record into the up record; the cipher is the
 * copy. So `down` must stay as it is while transform_answer() runs (the down ring is
 * written by the kernel only, and not before the record is released), and the two may
 * not overlap.
 */
#ifndef IPSEC_TRANSFORM_H
#define IPSEC_TRANSFORM_H

#include <stddef.h>
#include <stdint.h>

#include "ipsec_port.h"
#include "arena.h"

struct ipsp_ring;
struct transform;

struct transform_config {
	uint32_t sas_max;		/* 0: 1024 */
	uint32_t policies_max;		/* 0: 4096 */
};

/* Returned by transform_answer() when `room` is less than transform_room(down). */
#define TRANSFORM_NO_ROOM ((size_t)-1)

/* Bytes an arena must have for transform_init() to succeed. */
size_t transform_arena_size(const struct transform_config *config);

/*
 * NULL: the arena is too small. crypto_init() has been called before. Nothing is
 * allocated after it returns, but the engine's contexts of an SA, which come from the
 * crypto arena.
 */
struct transform *transform_init(struct arena *arena, const struct transform_config *config);

/* Upper bound of what transform_answer() writes for this record; a multiple of 64. */
size_t transform_room(const struct ipsp_record *down);

/*
 * Handles one whole down record, whose `len` bytes are there. Writes whole up records
 * to `up` (64-byte aligned) and returns their length, a multiple of 64:
 *   a ticket gives one ANSWER, or is merged into the one right before `up`, which
 *   then grows; the length is what it takes from `up` on, and may be 0;
 *   a question whose policy lacks an SA gives an ACQUIRE and behind it its ANSWER;
 *   a control record gives nothing (0), or a NOTE with a reason when it was refused;
 *   TRANSFORM_NO_ROOM: nothing was read, changed or written.
 */
size_t transform_answer(struct transform *transform, const struct ipsp_record *down,
			void *up, size_t room);

/*
 * Where a record is to be written for which the ring has reserved `up`: a run that has passed the
 * ring's end goes on behind it, in the alias.
 */
void *transform_place(struct transform *transform, const struct ipsp_ring *ring, void *up);

/* Before what was written is handed in: finishes the answer that might still have grown. */
void transform_flush(struct transform *transform);

/* Wipes every key. The arena may be used anew after it. */
void transform_wipe(struct transform *transform);

#endif
