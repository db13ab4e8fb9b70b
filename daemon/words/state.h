/* SPDX-License-Identifier: GPL-2.0-only */
/* state.h - the words of `ip xfrm state` */
#ifndef WORDS_STATE_H
#define WORDS_STATE_H

#include "ipsec_port.h"
#include "limit.h"
#include "option.h"
#include "text.h"
#include "word.h"

/* One line: the SA, and what of it only the kernel's handle bears. Holds a key: wipe it. */
struct state_line {
	struct ipsp_sa sa;		/* handle 0 */
	__u32 window;
	uint64_t next;			/* outbound: first number; 0 = 1 */
	uint64_t seen;			/* inbound: behind the last one seen; 0 = next */
	struct limit limit;
	bool has_direction;		/* `dir` was given */
};

/* add, update: everything; delete, get: the id (src, dst, proto, spi). */
int state_parse(struct words *w, struct state_line *line, bool is_id_only);
/* The words of ip xfrm have no direction: as `dir` says, or by the address that is ours. */
int state_direction(struct words *w, struct state_line *line);
/* As `ip xfrm state list`, the key only with keys. */
void state_text(struct text *t, const struct state_line *line, bool keys);
/* aead, auth-trunc, enc and encap, a line each; with `bits` as `ip -s` shows them. */
void state_text_algorithms(struct text *t, const struct ipsp_sa *sa, bool keys, bool bits);

/* Why an SA is only for `legacy yes`; NULL: it is not. */
const char *state_weakness(const struct ipsp_sa *sa);
/* Whether a compartment with these options takes it: strong enough, and one of its engines has it. */
int state_admit(struct words *w, const struct ipsp_sa *sa, const struct option_set *options);

#endif
