// SPDX-License-Identifier: GPL-2.0
/* script.c - what was said in a run, as a file: items, each with its size before it */
#include <stdlib.h>
#include <string.h>

#include "differ.h"

static FILE *to;

void script_open(const char *path)
{
	to = fopen(path, "w");
	if (!to) {
		perror(path);
		exit(2);
	}
}

void script_say(enum said said, unsigned int group, const void *data, size_t size)
{
	static const char padding[8];
	struct item item = { .said = (uint16_t)said, .group = (uint16_t)group, .size = (uint32_t)size };

	if (!to)
		return;
	fwrite(&item, sizeof(item), 1, to);
	fwrite(data, size, 1, to);
	fwrite(padding, -size & 7, 1, to);
}

void script_close(void)
{
	if (to && fclose(to)) {
		perror("script");
		exit(2);
	}
	to = NULL;
}

/* ---- reading ---------------------------------------------------------------------------------- */

bool script_read(struct script *s, const char *path)
{
	FILE *from = fopen(path, "r");
	unsigned char *room;
	long size;

	if (!from || fseek(from, 0, SEEK_END) || (size = ftell(from)) < 0) {
		perror(path);
		return false;
	}
	room = malloc((size_t)size + 1);
	rewind(from);
	if (!room || fread(room, 1, (size_t)size, from) != (size_t)size)
		return false;
	fclose(from);
	s->at = room;
	s->end = room + size;
	return true;
}

static const struct item *script_item(struct script *s)
{
	const struct item *item = (const struct item *)s->at;

	if (s->at + sizeof(*item) > s->end || s->at + sizeof(*item) + item->size > s->end)
		return NULL;
	return item;
}

static void script_next(struct script *s)
{
	const struct item *item = (const struct item *)s->at;

	s->at += sizeof(*item) + ((item->size + 7) & ~7u);
}

bool script_sequence(struct script *s, uint32_t *number)
{
	const struct item *item;

	while ((item = script_item(s)) && item->said != SAID_SEQUENCE)
		script_next(s);
	if (!item)
		return false;
	memcpy(number, item + 1, sizeof(*number));
	script_next(s);
	return true;
}

bool script_step(struct script *s, struct step *step)
{
	const struct item *item = script_item(s);

	step->items = 0;
	if (!item || item->said != SAID_REQUEST)
		return false;
	step->request = item;
	for (script_next(s); (item = script_item(s)) && item->said > SAID_REQUEST; script_next(s))
		if (step->items < sizeof(step->item) / sizeof(step->item[0]))
			step->item[step->items++] = item;
	return true;
}
