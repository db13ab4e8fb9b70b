// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "algorithm.h"
#include "cpus.h"
#include "option.h"

static int take_stacks(struct words *w, const char *name, void *target)
{
	return word_number32(w, name, 1, IPSP_STACKS_MAX,
			     &((struct option_set *)target)->compartment.stacks);
}

static int take_spares(struct words *w, const char *name, void *target)
{
	return word_number32(w, name, 0, IPSP_STACKS_MAX - 1,
			     &((struct option_set *)target)->compartment.spares);
}

static uint32_t engine_of(const char *name, size_t length)
{
	uint32_t engine;

	for (engine = ALGORITHM_ENGINES; engine; engine--)
		if (strlen(algorithm_engine_name(engine)) == length &&
		    !strncmp(algorithm_engine_name(engine), name, length))
			break;
	return engine;
}

/* E[,E...]: each at most once. */
static int take_engine(struct words *w, const char *name, void *target)
{
	struct option_set *o = target;
	const char *value, *at;
	uint32_t seen = 0, engine;
	size_t length;
	int n = 0;

	if (word_value(w, name, &value))
		return -EINVAL;
	for (at = value;; at += length + 1) {
		length = strcspn(at, ",");
		engine = engine_of(at, length);
		if (!engine || (seen & ALGORITHM_BIT(engine)))
			return word_bad(w, name, value,
					"ipsecmb, openssl, sodium, or several of them joined by commas, "
					"the first first, each once");
		seen |= ALGORITHM_BIT(engine);
		o->engine[n++] = engine;
		if (!at[length])
			return 0;
	}
}

static int take_yes(struct words *w, const char *name, bool *yes)
{
	static const struct word_choice choice[] = { { "no", 0, true }, { "yes", 1, true } };
	uint32_t value;

	if (word_pick(w, name, WORD_TABLE(choice), &value))
		return -EINVAL;
	*yes = value;
	return 0;
}

static int take_quorum(struct words *w, const char *name, void *target)
{
	struct option_set *o = target;

	if (word_number32(w, name, 1, IPSP_STACKS_MAX, &o->compartment.quorum))
		return -EINVAL;
	if (o->compartment.quorum > 1 && o->compartment.mode == IPSP_MODE_SHARE)
		o->compartment.mode = IPSP_MODE_VOTE;
	return 0;
}

static int take_degrade(struct words *w, const char *name, void *target)
{
	struct ipsp_compartment *c = &((struct option_set *)target)->compartment;
	bool degrade;

	if (take_yes(w, name, &degrade))
		return -EINVAL;
	c->flags = degrade ? IPSP_COMPARTMENTF_DEGRADE : 0;
	return 0;
}

static int take_builds(struct words *w, const char *name, void *target)
{
	return build_take(w, name, ((struct option_set *)target)->build);
}

static int take_cpus(struct words *w, const char *name, void *target)
{
	return cpus_take(w, name, &((struct option_set *)target)->cpus);
}

static int take_fail(struct words *w, const char *name, void *target)
{
	static const struct word_choice choice[] = {
		{ "closed", IPSP_FAIL_CLOSED, true }, { "open", IPSP_FAIL_OPEN, true },
	};

	return word_pick(w, name, WORD_TABLE(choice), &((struct option_set *)target)->compartment.fail);
}

static int take_deadline(struct words *w, const char *name, void *target)
{
	return word_number32(w, name, 1, 60000,
			     &((struct option_set *)target)->compartment.deadline_ms);
}

static int take_successor(struct words *w, const char *name, void *target)
{
	return word_number32(w, name, 1, 60000,
			     &((struct option_set *)target)->compartment.successor_ms);
}

static int take_hold(struct words *w, const char *name, void *target)
{
	return word_number32(w, name, 1, 60000, &((struct option_set *)target)->compartment.hold_ms);
}

static int take_ring(struct words *w, const char *name, void *target)
{
	struct ipsp_compartment *c = &((struct option_set *)target)->compartment;

	if (word_number32(w, name, IPSP_RING_MIN, IPSP_RING_MAX, &c->down_size))
		return -EINVAL;
	if (c->down_size & (c->down_size - 1))
		return word_bad(w, name, w->word[w->at - 1], "a power of two, in bytes");
	c->up_size = c->down_size;
	return 0;
}

static int take_handles(struct words *w, const char *name, void *target)
{
	struct option_set *o = target;

	o->compartment.handles_max = 0;
	if (word_number32(w, name, 1, 65536, &o->sas_max))
		return -EINVAL;
	o->compartment.handles_max = o->sas_max;
	return 0;
}

static int take_policies(struct words *w, const char *name, void *target)
{
	return word_number32(w, name, 1, 100000, &((struct option_set *)target)->policies_max);
}

static int take_flows(struct words *w, const char *name, void *target)
{
	return word_number32(w, name, 64, 1048576,
			     &((struct option_set *)target)->compartment.flows_max);
}

static int take_owner(struct words *w, const char *name, void *target)
{
	const char *value;
	struct passwd *user;
	uint64_t number;

	if (word_value(w, name, &value))
		return -EINVAL;
	user = getpwnam(value);
	if (!user && !word_is_number(value, UINT32_MAX, &number))
		return word_bad(w, name, value, "a user's name or number");
	((struct option_set *)target)->compartment.owner_uid = user ? user->pw_uid : (__u32)number;
	return 0;
}

static int take_group(struct words *w, const char *name, void *target)
{
	struct group *group;
	const char *value;
	uint64_t number;

	if (word_value(w, name, &value))
		return -EINVAL;
	group = getgrnam(value);
	if (!group && !word_is_number(value, UINT32_MAX, &number))
		return word_bad(w, name, value, "a group's name or number");
	((struct option_set *)target)->compartment.owner_gid = group ? group->gr_gid : (__u32)number;
	return 0;
}

static int take_sample(struct words *w, const char *name, void *target)
{
	return word_number32(w, name, 1, 100, &((struct option_set *)target)->compartment.sample);
}

/* How tickets are dealt; or a number: the device's permissions. */
static int take_mode(struct words *w, const char *name, void *target)
{
	static const char *const modes[] = { "share", "vote", "sample" };
	struct ipsp_compartment *c = &((struct option_set *)target)->compartment;
	const char *value = word_peek(w);
	uint64_t number;
	__u32 i;

	for (i = IPSP_MODE_SHARE; value && i <= IPSP_MODE_SAMPLE; i++)
		if (!strcmp(value, modes[i])) {
			word_next(w);
			c->mode = i;
			value = word_peek(w);
			return i == IPSP_MODE_SAMPLE && value && word_is_number(value, UINT32_MAX, &number) ?
			       take_sample(w, name, target) : 0;
		}
	return word_number32(w, name, 0, 0777, &c->owner_mode);
}

static int take_mark(struct words *w, const char *name, void *target)
{
	struct ipsp_compartment *c = &((struct option_set *)target)->compartment;

	return word_mark(w, name, &c->mark, &c->mark_mask);
}

static int take_default(struct words *w, const char *name, void *target)
{
	static const struct word_choice choice[] = { { "bypass", 0, true }, { "drop", 1, true } };
	uint32_t drop;

	if (word_pick(w, name, WORD_TABLE(choice), &drop))
		return -EINVAL;
	((struct option_set *)target)->default_drop = drop;
	return 0;
}

static int take_fresh_key(struct words *w, const char *name, void *target)
{
	return take_yes(w, name, &((struct option_set *)target)->fresh_key);
}

static int take_legacy(struct words *w, const char *name, void *target)
{
	return take_yes(w, name, &((struct option_set *)target)->legacy);
}

static const struct word_entry option_words[] = {
	{ "stacks", take_stacks }, { "spares", take_spares },
	{ "engine", take_engine }, { "quorum", take_quorum }, { "degrade", take_degrade },
	{ "builds", take_builds }, { "sample", take_sample },
	{ "cpus", take_cpus }, { "fail", take_fail }, { "deadline", take_deadline },
	{ "successor", take_successor }, { "hold", take_hold }, { "ring", take_ring }, { "max-sas", take_handles },
	{ "max-policies", take_policies }, { "max-flows", take_flows }, { "owner", take_owner },
	{ "group", take_group }, { "mode", take_mode }, { "mark", take_mark },
	{ "default", take_default }, { "fresh-key", take_fresh_key },
	{ "legacy", take_legacy },
};

bool option_is_name(const char *name)
{
	size_t length = strlen(name);

	return length && length < IPSP_NAME_MAX && strcmp(name, "control") && strcmp(name, "xfrm") &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

void option_init(struct option_set *o, const char *name)
{
	memset(o, 0, sizeof(*o));
	strncpy(o->compartment.name, name, IPSP_NAME_MAX - 1);
	o->sas_max = 1024;
	o->policies_max = 4096;
}

int option_parse(struct words *w, struct option_set *o)
{
	return word_run(w, WORD_TABLE(option_words), o);
}

/* What no single word can know. */
bool option_agrees(const struct option_set *o, struct text *wrong)
{
	const struct ipsp_compartment *c = &o->compartment;
	__u32 stacks = c->stacks ? c->stacks : 1, quorum = c->quorum ? c->quorum : 1;

	if (quorum > stacks)
		text_add(wrong, "quorum \"%u\": allowed: 1 to %u, as many as there are stacks", quorum, stacks);
	else if (c->mode != IPSP_MODE_SHARE && !c->quorum)
		text_add(wrong, "mode \"%s\": allowed: with quorum Q", c->mode == IPSP_MODE_VOTE ? "vote" : "sample");
	else if (c->mode == IPSP_MODE_SHARE && quorum > 1)
		text_add(wrong, "mode \"share\": allowed: without quorum; seen: quorum %u", quorum);
	else if (!c->sample != (c->mode != IPSP_MODE_SAMPLE))
		text_add(wrong, "sample \"%u\": allowed: 1 to 100 percent, with mode sample", c->sample);
	else if (c->mode == IPSP_MODE_SHARE && c->flags)
		text_add(wrong, "degrade \"yes\": allowed: with quorum Q");
	return !wrong->used;
}

static void text_number(struct text *t, const char *name, __u32 value, __u32 standard)
{
	if (value != standard)
		text_add(t, "%s = %u\n", name, value);
}

void option_engines_text(struct text *t, const __u32 engine[4])
{
	int i;

	if (!engine[0])
		text_add(t, "ipsecmb,openssl");
	for (i = 0; i < 4 && engine[i]; i++)
		text_add(t, "%s%s", i ? "," : "", algorithm_engine_name(engine[i]));
}

void option_text(struct text *t, const struct option_set *o)
{
	const struct ipsp_compartment *c = &o->compartment;

	text_add(t, "[compartment]\nfail = %s\n", c->fail ? "open" : "closed");
	text_number(t, "stacks", c->stacks, 0);
	text_number(t, "spares", c->spares, 0);
	if (c->mode == IPSP_MODE_VOTE)
		text_add(t, "mode = vote\n");
	if (c->mode == IPSP_MODE_SAMPLE)
		text_add(t, "mode = sample\nsample = %u\n", c->sample);
	text_number(t, "quorum", c->quorum, 0);
	if (c->flags & IPSP_COMPARTMENTF_DEGRADE)
		text_add(t, "degrade = yes\n");
	if (o->build[0].program) {
		text_add(t, "builds = ");
		build_list_text(t, o->build);
		text_add(t, "\n");
	}
	text_number(t, "deadline", c->deadline_ms, 0);
	text_number(t, "successor", c->successor_ms, 0);
	text_number(t, "hold", c->hold_ms, 0);
	text_number(t, "ring", c->down_size, 0);
	text_number(t, "max-sas", o->sas_max, 1024);
	text_number(t, "max-policies", o->policies_max, 4096);
	text_number(t, "max-flows", c->flows_max, 0);
	text_number(t, "owner", c->owner_uid, 0);
	text_number(t, "group", c->owner_gid, 0);
	text_number(t, "mode", c->owner_mode, 0);
	if (c->mark_mask)
		text_add(t, "mark = 0x%x/0x%x\n", c->mark, c->mark_mask);
	if (CPU_COUNT(&o->cpus)) {
		text_add(t, "cpus = ");
		cpus_text(t, &o->cpus);
		text_add(t, "\n");
	}
	text_add(t, "default = %s\n", o->default_drop ? "drop" : "bypass");
	if (o->engine[0]) {
		text_add(t, "engine = ");
		option_engines_text(t, o->engine);
		text_add(t, "\n");
	}
	if (o->legacy)
		text_add(t, "legacy = yes\n");
	if (o->fresh_key)
		text_add(t, "fresh-key = yes\n");
}
