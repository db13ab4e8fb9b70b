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
void play_make(struct step *step, unsigned int steps, uint32_t seed)
{
	static const unsigned char actors[] = {
		ACTOR_STACK, ACTOR_STACK, ACTOR_STACK, ACTOR_STACK, ACTOR_MANAGER, ACTOR_MANAGER, ACTOR_ADMIN, ACTOR_CONTROL,
	};
	struct dice d = dice_of(seed);
	unsigned int i;

	for (i = 0; i < steps; i++) {
		step[i].actor = actors[dice_below(&d, sizeof(actors))];
		step[i].kind = kind_of(&d, play_cast(step[i].actor));
		step[i].seed = dice(&d);
	}
}

static int is_found(const struct step *step, unsigned int steps, unsigned int tries)
{
	char finding[PLAY_FINDING];

	while (tries--)
		if (play(step, steps, 0, finding))
			return 1;
	return 0;
}

/* What races is not found each time: hence several tries before a part is thought to be needed. */
unsigned int play_shrink(struct step *step, unsigned int steps, unsigned int tries, unsigned int seconds)
{
	const time_t end = time(NULL) + (time_t)seconds;
	static struct step rest[PLAY_STEPS_MAX];
	unsigned int chunk, at;

	for (chunk = (steps + 1) / 2; chunk; chunk = chunk > 1 ? (chunk + 1) / 2 : 0)
		for (at = 0; at < steps && time(NULL) < end;) {
			unsigned int out = chunk < steps - at ? chunk : steps - at;

			memcpy(rest, step, at * sizeof(*step));
			memcpy(rest + at, step + at + out, (steps - at - out) * sizeof(*step));
			if (is_found(rest, steps - out, tries)) {
				steps -= out;
				memcpy(step, rest, steps * sizeof(*step));
			} else {
				at += out;
			}
		}
	return steps;
}

void play_print(const struct step *step, unsigned int steps)
{
	unsigned int i;

	printf("# /* as tests/kselftest/again.c it is built by make tests */\n"
	       "# #include \"tap.h\"\n# #include \"generate/play.h\"\n#\n# static const struct step steps[] = {\n");
	for (i = 0; i < steps; i++) {
		const struct cast *cast = play_cast(step[i].actor);

		printf("# \t{ %u, %u, 0x%08x },\t/* %s: %s */\n", step[i].actor, step[i].kind, step[i].seed,
		       cast->name, cast->kind[step[i].kind].name);
	}
	printf("# };\n#\n# int main(void)\n# {\n# \tchar finding[PLAY_FINDING];\n# \tint i, found = 0;\n#\n"
	       "# \tplay_begin();\n# \tfor (i = 0; i < 20 && !found; i++)\n"
	       "# \t\tfound = play(steps, %u, 1, finding);\n# \ttap(!found, \"%%s\", finding);\n"
	       "# \tplay_end();\n# \ttap(world_end(), \"what was made is freed\");\n# \treturn tap_end();\n# }\n", steps);
}
