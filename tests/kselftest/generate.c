// SPDX-License-Identifier: GPL-2.0-only
/*
 * generate.c - plays of random steps (generate/play.h), one after the other, for SECONDS
 *
 *   SEED=n      the first play's (1), printed; the next ones count on from it
 *   SECONDS=n   how long plays are begun (90; on two kernels three minutes)
 *   STEPS=n     of each play (120)
 *   ONLY=1      the one play of SEED, up to 20 times, each step told before it is done: where the kernel died of it
 *   LEAVE=n,m   of it leaves these steps out (tests/vm/shrink)
 *
 * A play's seed is told before it begins. What was found is shrunk and printed as a program in C.
 */
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "generate/play.h"
#include "tap.h"

/* What tests/check asks of a test's own comments, in a program */
__attribute__((used)) static const char notes[] = "\n# timeout: 400\n";

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

/* Planted: one step among others lets packets leave in clear. It is found, and nothing else is left of the row. */
static void test_planted(uint32_t scene)
{
	static struct row row;
	char finding[PLAY_FINDING];

	play_make(&row, 12, 1);
	row.scene = scene;
	row.step[7] = (struct step){ ACTOR_CONTROL, 0, 1 };
	tap(play(&row, 0, finding), "%s: what leaves in clear is found: %s", scene_name(scene), finding);
	play_shrink(&row, 1, 60);
	if (!tap(row.steps == 1 && row.step[0].actor == ACTOR_CONTROL && row.step[0].kind == 0,
		 "and shrunk to the step that did it"))
		play_print(&row);
}

static int report(struct row *row, uint32_t seed, const char *finding)
{
	printf("not ok %u SEED=%u: %s\n", ++tap_count, seed, finding);
	tap_failures++;
	fflush(stdout);
	play_shrink(row, 5, 120);
	play_print(row);
	return 1;
}

static void generate(uint32_t seed, unsigned int steps, unsigned long seconds)
{
	const time_t end = time(NULL) + (time_t)seconds;
	static struct row row;
	char finding[PLAY_FINDING];
	unsigned int plays;
	int found = 0;

	for (plays = 0; !found && time(NULL) < end; plays++, seed++) {
		play_make(&row, steps, seed);
		printf("# SEED=%u (%s)\n", seed, scene_name(row.scene));
		found = play(&row, 0, finding);
		if (found)
			report(&row, seed, finding);
	}
	tap(!found, "%u plays of %u steps in %lu s", plays, steps, seconds);
	tap(scene_tell(), "packets went both ways through each kind of SA");
}

/* The steps that LEAVE does not name, in their order. */
static void leave_out(struct row *row)
{
	static unsigned char is_out[PLAY_STEPS_MAX];
	const char *at = getenv("LEAVE");
	unsigned int i, kept = 0;
	char *end;

	for (; at && *at; at = *end == ',' ? end + 1 : end) {
		i = (unsigned int)strtoul(at, &end, 10);
		if (end == at || i >= row->steps)
			break;
		is_out[i] = 1;
	}
	for (i = 0; i < row->steps; i++)
		if (!is_out[i])
			row->step[kept++] = row->step[i];
	row->steps = kept;
}

static void only(uint32_t seed, unsigned int steps)
{
	static struct row row;
	char finding[PLAY_FINDING] = "";
	int i, found = 0;

	play_make(&row, steps, seed);
	leave_out(&row);
	for (i = 0; i < 20 && !found; i++)
		found = play(&row, 1, finding);
	if (found)
		report(&row, seed, finding);
	tap(!found, "the play of SEED=%u, %d times", seed, i);
}

int main(void)
{
	const uint32_t seed = (uint32_t)setting("SEED", 1);
	unsigned long steps = setting("STEPS", 120);

	if (steps > PLAY_STEPS_MAX)
		steps = PLAY_STEPS_MAX;
	play_begin();
	if (setting("ONLY", 0)) {
		only(seed, (unsigned int)steps);
	} else {
		test_planted(scene_first(4));
		test_planted(scene_first(6));
		generate(seed, (unsigned int)steps, setting("SECONDS", 90));
	}
	play_end();
	tap(world_end(), "what was made is freed");
	return tap_end();
}
