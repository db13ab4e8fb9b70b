// SPDX-License-Identifier: GPL-2.0
/* fuzz_rule - a line of a rule file: what is understood and said again means the same */
#include "tests/fuzz/line.h"
#include "ipsec_port_selector.h"
#include "words/rule.h"

static void judge_again(const struct ipsp_rule *rule)
{
	struct ipsp_rule again;
	struct line l;
	struct text t;
	char said[RULE_TEXT_MAX];

	text_init(&t, said, sizeof(said));
	rule_text(&t, rule);
	fuzz_check(!t.is_full);
	fuzz_check(!line_begin(&l, (const uint8_t *)said, t.used));
	fuzz_check(!rule_parse(&l.w, &again));
	fuzz_check(!memcmp(rule, &again, sizeof(again)));
	line_end(&l);
}

/* Without a dash there is one number, however long it is written. (`sport` may also be a device's or compartment's name.) */
static void judge_port(const struct words *w, const char *name, uint16_t first, uint16_t last)
{
	int i;

	for (i = 1; i + 1 < w->count; i++)
		if (!strcmp(w->word[i], name) && strcmp(w->word[i - 1], "dev") && strcmp(w->word[i - 1], "->") &&
		    !strchr(w->word[i + 1], '-'))
			fuzz_check(first == last && strtoul(w->word[i + 1], NULL, 0) == first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipsp_rule *rule = malloc(sizeof(*rule));
	struct line l;

	fuzz_check(rule != NULL);
	if (!line_begin(&l, data, size)) {
		if (rule_parse(&l.w, rule)) {
			line_judge_complaint(&l.w);
		} else {
			fuzz_check(ipsp_selector_is_valid(&rule->selector));
			judge_port(&l.w, "sport", rule->selector.source_first, rule->selector.source_last);
			judge_port(&l.w, "dport", rule->selector.destination_first, rule->selector.destination_last);
			judge_again(rule);
		}
		line_end(&l);
	}
	free(rule);
	return 0;
}
