/* SPDX-License-Identifier: GPL-2.0-only */
/* context.h - a security context as a word, and as the number that the kernel has for it */
#ifndef WORDS_CONTEXT_H
#define WORDS_CONTEXT_H

#include "ipsec_port.h"
#include "text.h"
#include "word.h"

/* The port of the compartment whose labels they are, role manager. Without one there are none. */
void context_of_port(int fd);

int context_take(struct words *w, const char *name, __u32 *label);
/* "?": no rule gives it to the compartment any more. */
void context_name(__u32 label, char context[IPSP_LABEL_MAX]);
/* The line of `ip xfrm`; of 0, none. */
void context_text(struct text *t, __u32 label);

#endif
