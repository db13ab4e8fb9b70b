// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "address.h"
#include "context.h"
#include "policy.h"
#include "protocol.h"

struct policy_line {
	struct ipsp_policy_entry *entry;
	bool has_direction;
	bool is_block;
};

static int take_direction(struct words *w, const char *name, void *target)
{
	static const struct word_choice choice[] = {
		{ "in", IPSP_DIR_IN, true }, { "out", IPSP_DIR_OUT, true },
		{ "fwd", IPSP_DIR_FWD, true },
	};
	struct policy_line *line = target;
	uint32_t value;

	if (word_pick(w, name, WORD_TABLE(choice), &value))
		return -EINVAL;
	line->entry->protect.direction = (__u8)value;
	line->has_direction = true;
	return 0;
}

static int take_action(struct words *w, const char *name, void *target)
{
	static const struct word_choice choice[] = { { "allow", 0, true }, { "block", 1, true } };
	uint32_t value;

	if (word_pick(w, name, WORD_TABLE(choice), &value))
		return -EINVAL;
	((struct policy_line *)target)->is_block = value;
	return 0;
}

static int take_priority(struct words *w, const char *name, void *target)
{
	struct policy_line *line = target;

	return word_number32(w, name, 0, UINT32_MAX, &line->entry->protect.priority);
}

static int take_index(struct words *w, const char *name, void *target)
{
	struct policy_line *line = target;

	return word_number32(w, name, 1, UINT32_MAX, &line->entry->protect.index);
}

/* What a packet without SA is held under, until a key exchange has made one. */
static int take_acquire(struct words *w, const char *name, void *target)
{
	return word_number32(w, name, 1, UINT32_MAX, &((struct policy_line *)target)->entry->acquire);
}

/* M mask N; or M/N, as it is listed. */
static int take_mark(struct words *w, const char *name, void *target)
{
	struct ipsp_selector *s = &((struct policy_line *)target)->entry->protect.selector;

	if (word_peek(w) && strchr(word_peek(w), '/'))
		return word_mark(w, name, &s->mark, &s->mark_mask);
	if (word_number32(w, name, 0, UINT32_MAX, &s->mark))
		return -EINVAL;
	s->mark_mask = UINT32_MAX;
	return word_take(w, "mask") ? word_number32(w, "mask", 0, UINT32_MAX, &s->mark_mask) : 0;
}

static int take_if_id(struct words *w, const char *name, void *target)
{
	struct policy_line *line = target;

	return word_number32(w, name, 0, UINT32_MAX, &line->entry->protect.selector.if_id);
}

static int take_context(struct words *w, const char *name, void *target)
{
	return context_take(w, name, &((struct policy_line *)target)->entry->protect.label);
}

static int take_ptype(struct words *w, const char *name, void *target)
{
	static const struct word_choice choice[] = { { "main", 0, true }, { "sub", 1, false } };
	uint32_t value;

	(void)target;
	return word_pick(w, name, WORD_TABLE(choice), &value);
}

/* ---- templates ------------------------------------------------------------------------- */

static int tmpl_src(struct words *w, const char *name, void *target)
{
	struct ipsp_template *t = target;

	return address_take(w, name, &t->family, t->source);
}

static int tmpl_dst(struct words *w, const char *name, void *target)
{
	struct ipsp_template *t = target;

	return address_take(w, name, &t->family, t->destination);
}

static int tmpl_proto(struct words *w, const char *name, void *target)
{
	static const struct word_choice choice[] = { { "esp", 50, true }, { "ah", 51, true } };
	uint32_t value;

	if (word_pick(w, name, WORD_TABLE(choice), &value))
		return -EINVAL;
	((struct ipsp_template *)target)->protocol = (__u8)value;
	return 0;
}

static int tmpl_spi(struct words *w, const char *name, void *target)
{
	uint32_t spi;

	if (word_number32(w, name, 0, UINT32_MAX, &spi))
		return -EINVAL;
	((struct ipsp_template *)target)->spi = htonl(spi);
	return 0;
}

static int tmpl_mode(struct words *w, const char *name, void *target)
{
	static const struct word_choice choice[] = {
		{ "transport", IPSP_SA_TRANSPORT, true }, { "tunnel", IPSP_SA_TUNNEL, true },
		{ "beet", IPSP_SA_BEET, true },
	};
	uint32_t value;

	if (word_pick(w, name, WORD_TABLE(choice), &value))
		return -EINVAL;
	((struct ipsp_template *)target)->mode = (__u8)value;
	return 0;
}

static int tmpl_reqid(struct words *w, const char *name, void *target)
{
	return word_number32(w, name, 0, UINT32_MAX, &((struct ipsp_template *)target)->reqid);
}

static int tmpl_level(struct words *w, const char *name, void *target)
{
	static const struct word_choice choice[] = { { "required", 0, true }, { "use", 1, true } };
	uint32_t value;

	if (word_pick(w, name, WORD_TABLE(choice), &value))
		return -EINVAL;
	((struct ipsp_template *)target)->optional = (__u8)value;
	return 0;
}

static const struct word_entry template_words[] = {
	{ "src", tmpl_src }, { "dst", tmpl_dst }, { "proto", tmpl_proto }, { "spi", tmpl_spi },
	{ "mode", tmpl_mode }, { "reqid", tmpl_reqid }, { "level", tmpl_level },
};

static int take_template(struct words *w, const char *name, void *target)
{
	struct ipsp_policy_entry *e = ((struct policy_line *)target)->entry;
	struct ipsp_template *t = &e->template_[e->templates];

	if (e->templates == IPSP_STAMPS)
		return word_not_served(w, name, "fifth", "four templates at most");
	t->protocol = 50;
	if (word_run_nested(w, WORD_TABLE(template_words), t))
		return -EINVAL;
	e->templates++;
	return 0;
}

/* ---- lines ------------------------------------------------------------------------------- */

static int take_selector_word(struct words *w, const char *name, void *target)
{
	(void)name;
	w->at--;			/* the selector's own table takes it */
	return protocol_take_selector(w, &((struct policy_line *)target)->entry->protect.selector);
}

static const struct word_entry policy_words[] = {
	{ "src*", take_selector_word }, { "dst*", take_selector_word },
	{ "proto*", take_selector_word }, { "sport*", take_selector_word },
	{ "dport*", take_selector_word }, { "type*", take_selector_word },
	{ "code*", take_selector_word }, { "dev*", take_selector_word },
	{ "dir", take_direction }, { "action", take_action }, { "priority", take_priority },
	{ "index", take_index }, { "ptype", take_ptype }, { "mark", take_mark },
	{ "if_id", take_if_id }, { "ctx", take_context }, { "acquire", take_acquire }, { "tmpl*", take_template },
};

/* One SA is asked for at a time, and of BEET only the innermost addresses are known. */
static int check_bundle(struct words *w, const struct ipsp_policy_entry *e)
{
	uint8_t i;

	if (e->templates < 2)
		return 0;
	if (e->acquire)
		return word_not_served(w, "acquire", "of several templates", "acquire with one template");
	for (i = 0; i < e->templates; i++)
		if (e->template_[i].mode == IPSP_SA_BEET)
			return word_not_served(w, "mode", "beet", "transport, tunnel beside another template");
	return 0;
}

int policy_parse(struct words *w, struct ipsp_policy_entry *entry)
{
	struct policy_line line = { .entry = entry };

	memset(entry, 0, sizeof(*entry));
	protocol_selector_init(&entry->protect.selector);
	if (word_run(w, WORD_TABLE(policy_words), &line))
		return -EINVAL;
	if (!line.has_direction)
		return word_fail(w, WORD_STATUS_MISSING,
				 "policy: no dir; wanted: dir in, dir out or dir fwd");
	if (check_bundle(w, entry))
		return -EINVAL;
	entry->action = line.is_block ? IPSP_POLICY_DROP :
			entry->templates ? IPSP_POLICY_APPLY : IPSP_POLICY_BYPASS;
	entry->protect.clear = entry->action == IPSP_POLICY_BYPASS;
	return 0;
}

bool policy_is_same(const struct ipsp_policy_entry *a, const struct ipsp_policy_entry *b)
{
	if (a->protect.direction != b->protect.direction)
		return false;
	if (a->protect.index && b->protect.index)
		return a->protect.index == b->protect.index;
	if (a->protect.label != b->protect.label)
		return false;
	return !memcmp(&a->protect.selector, &b->protect.selector, sizeof(a->protect.selector));
}

static void text_template(struct text *t, const struct ipsp_template *m)
{
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX];

	text_add(t, "\ttmpl src %s dst %s\n", address_text(a, m->family, m->source),
		 address_text(b, m->family, m->destination));
	text_add(t, "\t\tproto %s spi 0x%08x reqid %u mode %s%s\n", m->protocol == IPSP_AH ? "ah" : "esp",
		 ntohl(m->spi), m->reqid, protocol_mode_text(m->mode), m->optional ? " level use" : "");
}

/* In the order of `ip xfrm policy list`; acquire is ours. */
void policy_text(struct text *t, const struct ipsp_policy_entry *e)
{
	static const char *const direction[] = { "out", "in", "fwd" };
	const struct ipsp_selector *s = &e->protect.selector;
	int i;

	protocol_selector_text(t, &e->protect.selector);
	text_add(t, "\n\tdir %s action %s index %u priority %u\n", direction[e->protect.direction],
		 e->action == IPSP_POLICY_DROP ? "block" : "allow", e->protect.index,
		 e->protect.priority);
	if (e->acquire)
		text_add(t, "\tacquire %u\n", e->acquire);
	context_text(t, e->protect.label);
	if (s->mark | s->mark_mask)
		text_add(t, "\tmark 0x%x/0x%x\n", s->mark, s->mark_mask);
	for (i = 0; i < e->templates; i++)
		text_template(t, &e->template_[i]);
	if (s->if_id)
		text_add(t, "\tif_id 0x%x\n", s->if_id);
}
