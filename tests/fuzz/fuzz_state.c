// SPDX-License-Identifier: GPL-2.0
/* fuzz_state - a line of `state add`: its key is in no complaint and in no listing, and wiped when it is refused */
#include <stdio.h>

#include "tests/fuzz/line.h"
#include "words/state.h"

#define KEY_WORTH_HIDING 16		/* bytes of a word that stand in nothing else by chance */

static char said[8192];

/* The second word behind `aead`, where ip xfrm has the key, when it looks like one; or NULL */
static const char *key_of(const struct words *w)
{
	int i;

	for (i = 0; i + 2 < w->count; i++)
		if (!strcmp(w->word[i], "aead"))
			return !strncmp(w->word[i + 2], "0x", 2) && strlen(w->word[i + 2]) >= KEY_WORTH_HIDING ?
			       w->word[i + 2] : NULL;
	return NULL;
}

static int is_zero(const void *at, size_t size)
{
	const uint8_t *byte = at;

	while (size--)
		if (*byte++)
			return 0;
	return 1;
}

static void judge_listing(const struct state_line *line)
{
	char hex[2 * IPSP_KEY_MAX + 1] = "";
	struct text t;
	uint32_t i;

	fuzz_check(line->sa.aead.key_bits <= 8 * IPSP_KEY_MAX);
	for (i = 0; i < line->sa.aead.key_bits / 8; i++)
		sprintf(hex + 2 * i, "%02x", line->sa.aead.key[i]);
	text_init(&t, said, sizeof(said));
	state_text(&t, line, true);
	fuzz_check(!t.is_full && strstr(said, hex));
	text_init(&t, said, sizeof(said));
	state_text(&t, line, false);
	fuzz_check(!t.is_full && !strstr(said, hex));
}

static void judge(struct words *w, struct state_line *line, bool is_id_only)
{
	const char *key = key_of(w);
	struct words whole = *w;

	if (state_parse(&whole, line, is_id_only)) {
		line_judge_complaint(&whole);
		fuzz_check(is_zero(line, sizeof(*line)));
		fuzz_check(!key || !strstr(whole.error, key));
		return;
	}
	fuzz_check((line->sa.family == 4 || line->sa.family == 6) && line->sa.protocol == 50 && line->sa.spi);
	if (line->sa.aead.name[0])
		judge_listing(line);
	if (line->has_direction)
		fuzz_check(!state_direction(&whole, line));
	fuzz_check(state_fixed(&line->sa) <= 72);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state_line *line = malloc(sizeof(*line));
	struct line l;

	fuzz_check(line != NULL);
	if (!line_begin(&l, data, size)) {
		judge(&l.w, line, false);
		judge(&l.w, line, true);
		line_end(&l);
	}
	free(line);
	return 0;
}
