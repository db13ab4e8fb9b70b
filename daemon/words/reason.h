/* SPDX-License-Identifier: GPL-2.0-only */
/* reason.h - why packets were dropped, by name */
#ifndef WORDS_REASON_H
#define WORDS_REASON_H

#include <stdint.h>

#include "ipsec_port.h"
#include "text.h"

/* Of an IPSP_DROP_*; "?" of one that is not known. */
const char *reason_name(uint32_t reason);
/* What an SA dropped, by reason: " (malformed 3, replay 1)", or nothing. */
void reason_text(struct text *t, const struct ipsp_handle *h);
/* The same in JSON: {"malformed":3,"replay":1}, or {}. */
void reason_json(struct text *t, const struct ipsp_handle *h);

#endif
