/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * play.h - random operations by several processes and threads on one compartment, beside a neighbour who must not
 * notice
 *
 * A play is a row of steps. Each names an actor, what it does and a number from which everything else about it follows,
 * so that a step alone means the same as in the row. The stage, a process of its own, sets up what is valid: the
 * compartment "realm20", in one play of three by vote, its manager (itself), handles of one of eleven kinds (scene.c), a
 * policy, a stack that is READY. Then each actor takes its own steps of the row in order, all actors at once, the
 * stack's and the manager's in two threads each; meanwhile the world sends packets both ways. A stack that was killed
 * for what it did is started anew and goes on behind that step.
 *
 * After each play, whatever was done: the neighbour's packets all left as ESP, in order and without a number used twice,
 * its stack was not broken, its ledger balances; nothing of what the rules protect left in clear; nothing was heard from
 * a source outside the rules; no number of the stage's first SA was used twice; the stage's processes could be ended;
 * what was made is freed.
 *
 * What the rules say when a packet leaves is what counts, not what they said when it came: so the stage's rules are kept,
 * as drop, while anything of it may be pending, and the wire is read empty behind each play.
 */
#ifndef PLAY_H
#define PLAY_H

#include <stdint.h>

#include "tests/kselftest/world/world.h"

#define PLAY_STEPS_MAX	512
#define PLAY_NET	20		/* the stage's realm */
#define PLAY_NEIGHBOUR	40
#define PLAY_FINDING	256		/* bytes of its text */

enum actor { ACTOR_STACK, ACTOR_MANAGER, ACTOR_ADMIN, ACTOR_CONTROL, ACTOR_COUNT };

struct step {
	unsigned char actor, kind;
	uint32_t seed;
};

struct row {
	uint32_t scene;			/* a number from which all follows that the stage is before the first step */
	unsigned int steps;
	struct step step[PLAY_STEPS_MAX];
};

/* ---- numbers: a step's, or a row's ------------------------------------------------------------------ */

struct dice {
	uint64_t state;
};

static inline struct dice dice_of(uint32_t seed)
{
	return (struct dice){ 0x9e3779b97f4a7c15ull * (seed + 1ull) };
}

static inline uint32_t dice(struct dice *d)			/* splitmix64 */
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)(z ^ z >> 31);
}

static inline uint32_t dice_below(struct dice *d, uint32_t n)
{
	return dice(d) % n;
}

static inline int dice_one_in(struct dice *d, uint32_t n)
{
	return !dice_below(d, n);
}

uint32_t dice_word(struct dice *d);		/* small, near a limit, a power of two, or anything */
void dice_spoil(struct dice *d, void *at, uint32_t size, uint32_t times);	/* changes that many words or bits in it */

/* ---- actors ------------------------------------------------------------------------------------------- */

struct stage;

struct kind {
	const char *name;
	unsigned int weight;		/* 0: only where it is asked for */
	void (*run)(struct stage *s, struct dice *d);
};

/* One for each actor; a kind is an index into its list. */
struct cast {
	const char *name;
	const struct kind *kind;
	unsigned int kinds;
	unsigned int threads;
};
extern const struct cast stack_cast, manager_cast, admin_cast, control_cast;
const struct cast *play_cast(unsigned int actor);

/* What all its processes see */
struct board {
	unsigned int next[ACTOR_COUNT];	/* the next step of each, as an index into the row */
	unsigned int over;		/* 1: no further step */
	unsigned int done[ACTOR_COUNT];	/* it has come to the end of the row */
	unsigned long long released, in;	/* of the stage, packets both ways and of them those from the wire */
	char finding[PLAY_FINDING];	/* of the stage's own processes */
};

struct stage {
	struct realm realm;
	const struct row *row;
	struct board *board;
	int is_told;			/* each step is printed before it is done */
	/* of an actor's process: */
	int fd;				/* its port, or the control device */
	struct stack stack;
	void *mapped[8];
	int stored[4];
};

/* In an actor's process or thread: its steps, until the row ends or the board says so. */
void stage_act(struct stage *s, unsigned int actor);
/* A call that may sleep: it is interrupted soon. */
int stage_call(int fd, unsigned long number, void *arg);
int stage_open(const char *name);
/* Any of a port's calls, seldom one that is none, with an argument that is mostly zero. */
void stage_any_call(struct stage *s, struct dice *d);
__attribute__((format(printf, 2, 3)))
void stage_found(const struct stage *s, const char *format, ...);	/* the first one counts */

/* ---- the play ------------------------------------------------------------------------------------------ */

void play_begin(void);
void play_end(void);
/* 0, or 1 and what was found. */
int play(const struct row *row, int is_told, char finding[PLAY_FINDING]);
void play_make(struct row *row, unsigned int steps, uint32_t seed);
/* Leaves out of the row what is not needed to find something again. */
void play_shrink(struct row *row, unsigned int tries, unsigned int seconds);
void play_print(const struct row *row);		/* as a program in C */

/* ---- what the stage is ----------------------------------------------------------------------------------- */

struct realm_kind scene_kind(uint32_t scene);
const char *scene_name(uint32_t scene);
int scene_votes(uint32_t scene);
uint32_t scene_first(unsigned char family);	/* one whose packets are of that family */
void scene_played(uint32_t scene, const struct board *board);
/* Tells what went through each kind so far; 1: something did, both ways, through each that was played often. */
int scene_tell(void);

/* ---- the world's packets -------------------------------------------------------------------------------- */

void traffic_begin(const struct realm *neighbour);
void traffic_end(void);
int traffic_neighbour(char finding[PLAY_FINDING]);	/* the neighbour's alone, both ways: 0, or 1 */
void traffic_round(struct realm_kind kind);	/* before each play, of such a stage */
void traffic_some(uint32_t serial);		/* a few packets both ways; looks at what has left */
int traffic_judge(char finding[PLAY_FINDING]);	/* waits for what is still to come; 0, or 1 */

#endif
