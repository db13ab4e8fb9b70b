/* SPDX-License-Identifier: GPL-2.0-only */
/* rule.h - one line of a rule file (see ipsec-portctl(8), rule set) */
#ifndef WORDS_RULE_H
#define WORDS_RULE_H

#include "ipsec_port.h"
#include "text.h"
#include "word.h"

int rule_parse(struct words *w, struct ipsp_rule *rule);
void rule_text(struct text *t, const struct ipsp_rule *rule);

#endif
