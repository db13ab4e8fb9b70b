/* SPDX-License-Identifier: GPL-2.0 */
/*
 * world - what a stack may be given, made by dice: SAs and policies that come and go, and packets between them
 *
 * Theory of operation. The stream is made in episodes, each of them a function of the seed and its own number, and of
 * what the reference answered in it; each begins with SNAPSHOT_BEGIN and so does not look back. An episode is made in
 * batches. world_learn() is given the reference's answers to one: packets that it protected are unprotected in later
 * ones, by the SA of the other direction, some of them altered.
 */
#ifndef CONFORM_WORLD_H
#define CONFORM_WORLD_H

#include "batch.h"
#include "dice.h"
#include "sample.h"

#define WORLD_PAIRS	16
#define WORLD_KEPT	128
#define WORLD_GCM	"rfc4106(gcm(aes))"
#define WORLD_CHACHA	"rfc7539esp(chacha20,poly1305)"

struct pair {				/* an SA and its mirror */
	struct ipsp_sa sa;		/* outbound */
	uint64_t next;
};

struct kept {				/* a packet that the reference protected */
	uint8_t *bytes;
	uint32_t len, handle;
	uint64_t number;
};

struct world {
	struct dice dice;
	struct batch *batch;		/* being made */
	uint64_t ticket;
	const char *algorithm;		/* NULL: either */
	int holds;			/* the reference asks for an SA: policies may have an id to ask with */
	struct pair pair[WORLD_PAIRS];
	struct kept kept[WORLD_KEPT];
	uint32_t keeps;
	struct sample sample;
};

/* The first records of an episode. */
void world_begin(struct world *w, uint64_t seed, uint64_t episode);
void world_make(struct world *w, uint32_t records);
void world_learn(struct world *w, const struct batch *given, const struct batch *answers);
void world_free(struct world *w);

uint32_t world_handle(uint32_t pair, uint8_t direction);
struct pair *world_pair(struct world *w, uint32_t *index);

/* control.c, ticket.c: one record each */
void control_sa(struct world *w, uint32_t pair);
void control_policies(struct world *w, uint32_t operation, uint32_t count);
void control_config(struct world *w);
void control_any(struct world *w);
void ticket_classify(struct world *w);
void ticket_protect(struct world *w);
void ticket_unprotect(struct world *w);

#endif
