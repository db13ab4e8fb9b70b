// SPDX-License-Identifier: GPL-2.0
/* fuzz_state - a line of `state add`: its key is in no complaint and in no listing, and wiped when it is refused */
#include <stdio.h>

#include "tests/fuzz/line.h"
#include "words/state.h"

#define KEY_WORTH_HIDING 16		/* bytes of a word that stand in nothing else by chance */

static char said[8192];

/* In how many words does it stand? */
static int times(const struct words *w, const char *key)
{
	int i, n = 0;

	for (i = 0; i < w->count; i++)
		n += strstr(w->word[i], key) != NULL;
	return n;
}

/* The second word behind `aead`, where ip xfrm has the key, when it looks like one and stands nowhere else; or NULL */
static const char *key_of(const struct words *w)
{
	const char *key;
	int i;

	for (i = 0; i + 2 < w->count; i++)
		if (!strcmp(w->word[i], "aead")) {
			key = w->word[i + 2];
			return !strncmp(key, "0x", 2) && strlen(key) >= KEY_WORTH_HIDING && times(w, key) == 1 ?
			       key : NULL;
		}
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

/* Its digits are listed when keys are asked for, and else not. */
static void judge_listing(const struct state_line *line, const struct ipsp_algorithm *a)
{
	char hex[2 * IPSP_KEY_MAX + 1] = "";
	struct text t;
	uint32_t i;

	if (!a->name[0] || a->key_bits < 8 * KEY_WORTH_HIDING)
		return;
	fuzz_check(a->key_bits <= 8 * IPSP_KEY_MAX);
	for (i = 0; i < a->key_bits / 8; i++)
		sprintf(hex + 2 * i, "%02x", a->key[i]);
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
	fuzz_check((line->sa.family == 4 || line->sa.family == 6) && (line->sa.protocol == IPSP_ESP || line->sa.protocol == IPSP_AH) && line->sa.spi);
	judge_listing(line, &line->sa.aead);
	judge_listing(line, &line->sa.cipher);
	judge_listing(line, &line->sa.auth);
	if (line->has_direction)
		fuzz_check(!state_direction(&whole, line));
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
