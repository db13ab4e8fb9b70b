// SPDX-License-Identifier: GPL-2.0-only
/* scene.c - what the stage can be: the kinds of its SAs, with and without a vote; and what went through each */
#include <stdio.h>

#include "play.h"

#define OFTEN	16			/* of one play in two nothing comes in in time */

static const struct {
	const char *name;
	struct realm_kind kind;
} scenes[] = {
	{ "IPv4 in a tunnel", { .family = 4, .mode = IPSP_SA_TUNNEL } },
	{ "IPv6 in a tunnel", { .family = 6, .mode = IPSP_SA_TUNNEL } },
	{ "IPv4 in transport mode", { .family = 4, .mode = IPSP_SA_TRANSPORT } },
	{ "IPv6 in transport mode", { .family = 6, .mode = IPSP_SA_TRANSPORT } },
	{ "IPv4 with options in transport mode", { .family = 4, .mode = IPSP_SA_TRANSPORT, .options = 1 } },
	{ "IPv6 with options in transport mode", { .family = 6, .mode = IPSP_SA_TRANSPORT, .options = 1 } },
	{ "IPv4 in UDP", { .family = 4, .mode = IPSP_SA_TUNNEL, .encap = 4500 } },
	{ "IPv6 in UDP", { .family = 6, .mode = IPSP_SA_TUNNEL, .encap = 4500 } },
	{ "IPv4 in UDP through a NAT", { .family = 4, .mode = IPSP_SA_TUNNEL, .encap = 4500, .encap_from = 1024 } },
	{ "IPv4 with AH", { .family = 4, .mode = IPSP_SA_TUNNEL, .protocol = IPSP_AH } },
	{ "IPv6 with AH", { .family = 6, .mode = IPSP_SA_TUNNEL, .protocol = IPSP_AH } },
};

#define SCENES	((uint32_t)(sizeof(scenes) / sizeof(scenes[0])))

static struct {
	unsigned int plays;
	unsigned long long released, in;
} played[SCENES];

struct realm_kind scene_kind(uint32_t scene)
{
	return scenes[scene % SCENES].kind;
}

const char *scene_name(uint32_t scene)
{
	return scenes[scene % SCENES].name;
}

int scene_votes(uint32_t scene)
{
	return scene / SCENES % 3 == 0;
}

uint32_t scene_first(unsigned char family)
{
	uint32_t i = 0;

	while (scenes[i].kind.family != family)
		i++;
	return i;
}

void scene_played(uint32_t scene, const struct board *board)
{
	played[scene % SCENES].plays++;
	played[scene % SCENES].released += board->released;
	played[scene % SCENES].in += board->in;
}

int scene_tell(void)
{
	int all = 1;
	uint32_t i;

	for (i = 0; i < SCENES; i++) {
		printf("# %s: %u plays, %llu packets released, %llu of them from the wire\n", scenes[i].name,
		       played[i].plays, played[i].released, played[i].in);
		if (played[i].plays >= OFTEN && (!played[i].in || played[i].released == played[i].in))
			all = 0;
	}
	return all;
}
