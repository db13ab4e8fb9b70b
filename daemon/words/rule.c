// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "cgroup.h"
#include "protocol.h"
#include "rule.h"

static int take_from(struct words *w, const char *name, void *target)
{
	struct ipsp_selector *s = &((struct ipsp_rule *)target)->selector;

	return address_take_prefix(w, name, &s->family, s->source, &s->source_prefix);
}

static int take_to(struct words *w, const char *name, void *target)
{
	struct ipsp_selector *s = &((struct ipsp_rule *)target)->selector;

	return address_take_prefix(w, name, &s->family, s->destination,
				   &s->destination_prefix);
}

static int take_proto(struct words *w, const char *name, void *target)
{
	return protocol_take(w, name, &((struct ipsp_rule *)target)->selector.protocol);
}

static int take_sport(struct words *w, const char *name, void *target)
{
	struct ipsp_selector *s = &((struct ipsp_rule *)target)->selector;

	return word_range(w, name, &s->source_first, &s->source_last);
}

static int take_dport(struct words *w, const char *name, void *target)
{
	struct ipsp_selector *s = &((struct ipsp_rule *)target)->selector;

	return word_range(w, name, &s->destination_first, &s->destination_last);
}

static int take_dev(struct words *w, const char *name, void *target)
{
	struct ipsp_rule *r = target;

	return word_text(w, name, "an interface name", r->device, sizeof(r->device));
}

static int take_mark(struct words *w, const char *name, void *target)
{
	struct ipsp_selector *s = &((struct ipsp_rule *)target)->selector;

	return word_mark(w, name, &s->mark, &s->mark_mask);
}

static int take_uid(struct words *w, const char *name, void *target)
{
	struct ipsp_rule *r = target;

	r->flags |= IPSP_RULEF_UID;
	return word_number32(w, name, 0, UINT32_MAX, &r->uid);
}

static int take_gid(struct words *w, const char *name, void *target)
{
	struct ipsp_rule *r = target;

	r->flags |= IPSP_RULEF_GID;
	return word_number32(w, name, 0, UINT32_MAX, &r->gid);
}

static int take_cgroup(struct words *w, const char *name, void *target)
{
	struct ipsp_rule *r = target;
	const char *value;

	if (word_value(w, name, &value))
		return -EINVAL;
	if (cgroup_find(value, &r->cgroup))
		return word_bad(w, name, value, "the path of a group below " CGROUP_ROOT ", or @ and its number");
	r->flags |= IPSP_RULEF_CGROUP;
	return 0;
}

/* Which contexts there are, the security module knows, and only where the rules are for. */
static int take_label(struct words *w, const char *name, void *target)
{
	struct ipsp_rule *r = target;

	r->flags |= IPSP_RULEF_LABEL;
	return word_text(w, name, "a security context", r->label, sizeof(r->label));
}

static int take_target(struct words *w, const char *name, void *target)
{
	struct ipsp_rule *r = target;
	const char *value;

	if (word_value(w, name, &value))
		return -EINVAL;
	if (!strcmp(value, "bypass")) {
		r->action = IPSP_RULE_BYPASS;
	} else if (!strcmp(value, "drop")) {
		r->action = IPSP_RULE_DROP;
	} else if (strlen(value) < sizeof(r->compartment)) {
		r->action = IPSP_RULE_TO_PORT;
		strcpy(r->compartment, value);
		if (word_take(w, "protect"))
			r->flags |= IPSP_RULEF_PROTECT;
	} else {
		return word_bad(w, name, value, "bypass, drop, or a compartment's name");
	}
	return word_peek(w) ? word_bad(w, name, word_peek(w), "nothing behind the target") : 0;
}

static const struct word_entry rule_words[] = {
	{ "from", take_from }, { "to", take_to }, { "proto", take_proto },
	{ "sport", take_sport }, { "dport", take_dport }, { "dev", take_dev },
	{ "mark", take_mark }, { "uid", take_uid }, { "gid", take_gid },
	{ "cgroup", take_cgroup }, { "label", take_label }, { "->", take_target },
};

static const struct word_choice rule_directions[] = {
	{ "out", IPSP_RULE_OUT, true }, { "in", IPSP_RULE_IN, true },
	{ "fwd", IPSP_RULE_FWD, true },
	{ "any", IPSP_RULE_OUT | IPSP_RULE_IN | IPSP_RULE_FWD, true },
};

int rule_parse(struct words *w, struct ipsp_rule *rule)
{
	uint32_t directions;

	memset(rule, 0, sizeof(*rule));
	rule->selector.source_last = 0xffff;
	rule->selector.destination_last = 0xffff;
	rule->action = 0xff;
	if (word_pick(w, "direction", WORD_TABLE(rule_directions), &directions))
		return -EINVAL;
	rule->directions = (__u8)directions;
	if (word_run(w, WORD_TABLE(rule_words), rule))
		return -EINVAL;
	if (rule->action == 0xff)
		return word_fail(w, WORD_STATUS_GRAMMAR,
				 "rule: no target; wanted: -> NAME [protect], -> bypass or -> drop");
	return 0;
}

/* ---- and back ------------------------------------------------------------------- */

static void text_selector(struct text *t, const struct ipsp_selector *s)
{
	char prefix[ADDRESS_TEXT_MAX];

	/* a family without prefixes is one prefix of no bits: without it the rule would mean both families */
	if (s->source_prefix || (s->family && !s->destination_prefix))
		text_add(t, " from %s", address_prefix_text(prefix, s->family, s->source,
							    s->source_prefix));
	if (s->destination_prefix)
		text_add(t, " to %s", address_prefix_text(prefix, s->family, s->destination,
							  s->destination_prefix));
	if (s->protocol)
		text_add(t, " proto %u", s->protocol);
	if (s->source_first || s->source_last != 0xffff)
		text_add(t, " sport %u-%u", s->source_first, s->source_last);
	if (s->destination_first || s->destination_last != 0xffff)
		text_add(t, " dport %u-%u", s->destination_first, s->destination_last);
}

static void text_named(struct text *t, const char *name, const char *word)
{
	text_add(t, "%s", name);
	word_say(t, word);
}

static void text_cgroup(struct text *t, __u64 number)
{
	char path[CGROUP_PATH_MAX];

	/* one that would leave no room for the rest of the line is said as its number too */
	if (cgroup_path(number, path) || strlen(path) > RULE_TEXT_MAX / 2)
		text_add(t, " cgroup @%llu", (unsigned long long)number);
	else
		text_add(t, " cgroup %s", path);
}

void rule_text(struct text *t, const struct ipsp_rule *r)
{
	const struct ipsp_selector *s = &r->selector;

	text_add(t, "%s", r->directions == 7 ? "any" : r->directions == IPSP_RULE_OUT ? "out" :
		 r->directions == IPSP_RULE_IN ? "in" : "fwd");
	text_selector(t, s);
	if (r->device[0])
		text_named(t, " dev ", r->device);
	if (s->mark_mask)
		text_add(t, " mark 0x%x/0x%x", s->mark, s->mark_mask);
	if (r->flags & IPSP_RULEF_UID)
		text_add(t, " uid %u", r->uid);
	if (r->flags & IPSP_RULEF_GID)
		text_add(t, " gid %u", r->gid);
	if (r->flags & IPSP_RULEF_CGROUP)
		text_cgroup(t, r->cgroup);
	if (r->flags & IPSP_RULEF_LABEL)
		text_named(t, " label ", r->label);
	text_named(t, " -> ", r->action == IPSP_RULE_BYPASS ? "bypass" : r->action == IPSP_RULE_DROP ? "drop" : r->compartment);
	if (r->flags & IPSP_RULEF_PROTECT)
		text_add(t, " protect");
}
