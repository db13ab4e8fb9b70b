/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * build.h - which program each stack of a compartment is: implementations of IPsec that share no code but the interface's
 *
 *   own[:ENGINE]  ipsec-port-stack, with that engine and no other
 *   sodium        ipsec-port-stack-sodium: AES-256-GCM and ChaCha20-Poly1305 of libsodium
 *   rust          ipsec-port-stack-rust: the same of nettle, in Rust
 */
#ifndef WORDS_BUILD_H
#define WORDS_BUILD_H

#include "text.h"
#include "word.h"

enum build_program { BUILD_NONE, BUILD_OWN, BUILD_SODIUM, BUILD_RUST, BUILD_PROGRAMS };

struct build {
	__u8 program;			/* enum build_program; BUILD_NONE ends a list */
	__u8 engine;			/* IPSP_ENGINE_*; 0: as the compartment says */
};

/* The next word, behind `name`: a list by commas, of IPSP_STACKS_MAX at most. -EINVAL, with w's error. */
int build_take(struct words *w, const char *name, struct build *list);
void build_list_text(struct text *t, const struct build *list);
void build_text(struct text *t, const struct build *b);
/* Of the stack of that index: a list goes round; an empty one is `own`. */
struct build build_of(const struct build *list, unsigned index);
/* What the program's name has behind ipsec-port-stack. */
const char *build_suffix(const struct build *b);
/* Two of the first `stacks` that are the same: one fault may be in both. NULL, or its name. */
const char *build_twice(const struct build *list, unsigned stacks);
/* A build of the list that cannot serve the SA; BUILD_NONE: all can, but own without an engine may not. */
struct build build_lacks(const struct build *list, const struct ipsp_sa *sa);

#endif
