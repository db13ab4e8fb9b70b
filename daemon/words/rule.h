/* SPDX-License-Identifier: GPL-2.0-only */
/* rule.h - one line of a rule file (see ipsec-portctl(8), rule set) */
#ifndef WORDS_RULE_H
#define WORDS_RULE_H

#include "ipsec_port.h"
#include "text.h"
#include "word.h"

#define RULE_TEXT_MAX	1024	/* bytes that hold any rule as a line, with its NUL */

int rule_parse(struct words *w, struct ipsp_rule *rule);
/* A line that rule_parse() understands as the same rule. */
void rule_text(struct text *t, const struct ipsp_rule *rule);

#endif
