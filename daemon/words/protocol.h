/* SPDX-License-Identifier: GPL-2.0-only */
/* protocol.h - IP protocols by name or number, and the selector words of ip xfrm */
#ifndef WORDS_PROTOCOL_H
#define WORDS_PROTOCOL_H

#include "ipsec_port.h"
#include "text.h"
#include "word.h"

int protocol_take(struct words *w, const char *name, __u8 *protocol);
/* src dst proto sport dport type code dev, nested: stops at another word. */
int protocol_take_selector(struct words *w, struct ipsp_selector *s);
void protocol_selector_init(struct ipsp_selector *s);
/* src P dst P [proto N] [sport N] [dport N] */
void protocol_selector_text(struct text *t, const struct ipsp_selector *s);
/* Its name, or its number until the next call. */
const char *protocol_text(__u8 protocol);
const char *protocol_ipsec_text(__u8 protocol);
const char *protocol_mode_text(__u8 mode);

#endif
