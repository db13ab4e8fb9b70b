// SPDX-License-Identifier: GPL-2.0
/* fuzz_policy - a line of `policy add`: what is understood and said again means the same, as far as it is said */
#include "ipsec_port_selector.h"
#include "tests/fuzz/line.h"
#include "words/policy.h"

/* What `ip xfrm policy list` has no words for, or says as something else */
static int is_said_whole(const struct ipsp_policy_entry *e)
{
	const struct ipsp_selector *s = &e->protect.selector;
	unsigned i;

	for (i = 0; i < e->templates; i++)
		if (!e->template_[i].family)
			return 0;
	return s->family && e->protect.index && !(s->mark & ~s->mark_mask);
}

static void judge_again(const struct ipsp_policy_entry *entry)
{
	struct ipsp_policy_entry again;
	struct line l;
	struct text t;
	char said[2048];

	text_init(&t, said, sizeof(said));
	policy_text(&t, entry);
	fuzz_check(!t.is_full);
	if (!is_said_whole(entry))
		return;
	fuzz_check(!line_begin(&l, (const uint8_t *)said, t.used));
	fuzz_check(!policy_parse(&l.w, &again));
	fuzz_check(!memcmp(entry, &again, sizeof(again)));
	fuzz_check(policy_is_same(entry, &again));
	line_end(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipsp_policy_entry *entry = malloc(sizeof(*entry));
	struct line l;

	fuzz_check(entry != NULL);
	if (!line_begin(&l, data, size)) {
		if (policy_parse(&l.w, entry))
			line_judge_complaint(&l.w);
		else
			judge_again(entry);
		line_end(&l);
	}
	free(entry);
	return 0;
}
