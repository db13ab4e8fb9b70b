// SPDX-License-Identifier: GPL-2.0-only
#include "reason.h"

#define REASON_NAME(name, text) text,
static const char *const names[] = { "none", IPSP_DROPS(REASON_NAME) };
_Static_assert(sizeof(names) / sizeof(names[0]) == IPSP_DROP_COUNT, "each reason has a name");

const char *reason_name(uint32_t reason)
{
	return reason < IPSP_DROP_COUNT ? names[reason] : "?";
}

/* What begins the list, joins two and stands around a name and its number. */
struct reason_form {
	const char *open, *comma, *before, *between, *close;
};

static void reason_add(struct text *t, const struct reason_form *form, unsigned *n, uint32_t reason, uint64_t packets)
{
	if (!packets)
		return;
	text_add(t, "%s%s%s%s%llu", (*n)++ ? form->comma : form->open, form->before, reason_name(reason), form->between,
		 (unsigned long long)packets);
}

static unsigned reason_list(struct text *t, const struct ipsp_handle *h, const struct reason_form *form)
{
	const uint64_t packets = (1ull << IPSP_HANDLE_DROP_SHIFT) - 1;
	unsigned n = 0, i;

	for (i = 0; i < IPSP_HANDLE_DROPS; i++)
		reason_add(t, form, &n, (uint32_t)(h->drops[i] >> IPSP_HANDLE_DROP_SHIFT), h->drops[i] & packets);
	reason_add(t, form, &n, IPSP_DROP_REPLAY, h->replayed);
	reason_add(t, form, &n, IPSP_DROP_INTEGRITY, h->integrity_failed);
	if (n)
		text_add(t, "%s", form->close);
	return n;
}

void reason_text(struct text *t, const struct ipsp_handle *h)
{
	static const struct reason_form form = { " (", ", ", "", " ", ")" };

	reason_list(t, h, &form);
}

void reason_json(struct text *t, const struct ipsp_handle *h)
{
	static const struct reason_form form = { "{", ",", "\"", "\":", "}" };

	if (!reason_list(t, h, &form))
		text_add(t, "{}");
}
