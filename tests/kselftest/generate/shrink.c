// SPDX-License-Identifier: GPL-2.0-only
/* shrink.c - rows of steps: made from a seed, and cut down to what is needed to find something again */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "play.h"

static unsigned char kind_of(struct dice *d, const struct cast *cast)
{
	unsigned int sum = 0, i, at;

	for (i = 0; i < cast->kinds; i++)
		sum += cast->kind[i].weight;
	at = dice_below(d, sum);
	for (i = 0; at >= cast->kind[i].weight; i++)
		at -= cast->kind[i].weight;
	return (unsigned char)i;
}

/* Half of them are the stack's, a quarter the manager's. */
void play_make(struct row *row, unsigned int steps, uint32_t seed)
{
	static const unsigned char actors[] = {
		ACTOR_STACK, ACTOR_STACK, ACTOR_STACK, ACTOR_STACK, ACTOR_MANAGER, ACTOR_MANAGER, ACTOR_ADMIN, ACTOR_CONTROL,
	};
	struct dice d = dice_of(seed);
	unsigned int i;

	row->scene = dice(&d);
	row->steps = steps;
	for (i = 0; i < steps; i++) {
		struct step *step = &row->step[i];

		step->actor = actors[dice_below(&d, sizeof(actors))];
		step->kind = kind_of(&d, play_cast(step->actor));
		step->seed = dice(&d);
	}
}

static int is_found(const struct row *row, unsigned int tries)
{
	char finding[PLAY_FINDING];

	while (tries--)
		if (play(row, 0, finding))
			return 1;
	return 0;
}

/* What races is not found each time: hence several tries before a part is thought to be needed. */
void play_shrink(struct row *row, unsigned int tries, unsigned int seconds)
{
	const time_t end = time(NULL) + (time_t)seconds;
	static struct row rest;
	unsigned int chunk, at;

	for (chunk = (row->steps + 1) / 2; chunk; chunk = chunk > 1 ? (chunk + 1) / 2 : 0)
		for (at = 0; at < row->steps && time(NULL) < end;) {
			unsigned int out = chunk < row->steps - at ? chunk : row->steps - at;

			rest = *row;
			rest.steps -= out;
			memmove(rest.step + at, rest.step + at + out, (rest.steps - at) * sizeof(*rest.step));
			if (is_found(&rest, tries))
				*row = rest;
			else
				at += out;
		}
}

void play_print(const struct row *row)
{
	const struct step *step;

	printf("# /* as tests/kselftest/again.c it is built by make tests; %s */\n"
	       "# #include \"tap.h\"\n# #include \"generate/play.h\"\n#\n# static const struct row row = { 0x%08x, %u, {\n",
	       scene_name(row->scene), row->scene, row->steps);
	for (step = row->step; step < row->step + row->steps; step++) {
		const struct cast *cast = play_cast(step->actor);

		printf("# \t{ %u, %u, 0x%08x },\t/* %s: %s */\n", step->actor, step->kind, step->seed,
		       cast->name, cast->kind[step->kind].name);
	}
	printf("# } };\n#\n# int main(void)\n# {\n# \tchar finding[PLAY_FINDING];\n# \tint i, found = 0;\n#\n"
	       "# \tplay_begin();\n# \tfor (i = 0; i < 20 && !found; i++)\n"
	       "# \t\tfound = play(&row, 1, finding);\n# \ttap(!found, \"%%s\", finding);\n"
	       "# \tplay_end();\n# \ttap(world_end(), \"what was made is freed\");\n# \treturn tap_end();\n# }\n");
}
