/* SPDX-License-Identifier: GPL-2.0-only */
/* policy.h - the words of `ip xfrm policy` */
#ifndef WORDS_POLICY_H
#define WORDS_POLICY_H

#include "ipsec_port.h"
#include "text.h"
#include "word.h"

int policy_parse(struct words *w, struct ipsp_policy_entry *entry);
/* delete, get: selector and direction, or index and direction. */
bool policy_is_same(const struct ipsp_policy_entry *a, const struct ipsp_policy_entry *b);
void policy_text(struct text *t, const struct ipsp_policy_entry *entry);

#endif
