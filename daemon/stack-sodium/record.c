// SPDX-License-Identifier: GPL-2.0
#include "record.h"

#include <string.h>

#include "acquire.h"
#include "answer.h"
#include "bundle.h"
#include "inbound.h"
#include "ipsec_port_ring.h"
#include "outbound.h"
#include "sad.h"
#include "spd.h"

#define SAS_DEFAULT		1024
#define POLICIES_DEFAULT	4096
#define TABLE_MAX		(1u << 24)

struct record_stack {
	struct sad sad;
	struct spd spd;
	bool default_drop;		/* a flow without policy */
};

/* ---- memory ------------------------------------------------------------------------------------ */

struct record_sizes {
	uint32_t sas, policies;
	size_t sad_at, spd_at, end;
};

static size_t record_round(size_t size)
{
	return (size + 63) & ~(size_t)63;
}

static uint32_t record_limit(unsigned asked, uint32_t otherwise)
{
	if (!asked)
		return otherwise;
	return asked < TABLE_MAX ? asked : TABLE_MAX;
}

static struct record_sizes record_sizes(unsigned sas_max, unsigned policies_max)
{
	struct record_sizes s = { .sas = record_limit(sas_max, SAS_DEFAULT),
				  .policies = record_limit(policies_max, POLICIES_DEFAULT) };

	s.sad_at = record_round(sizeof(struct record_stack));
	s.spd_at = s.sad_at + record_round(sad_memory(s.sas));
	s.end = s.spd_at + record_round(spd_memory(s.policies));
	return s;
}

size_t record_memory(unsigned sas_max, unsigned policies_max)
{
	return record_sizes(sas_max, policies_max).end;
}

struct record_stack *record_start(void *memory, unsigned sas_max, unsigned policies_max)
{
	const struct record_sizes s = record_sizes(sas_max, policies_max);
	struct record_stack *stack = memory;

	sad_init(&stack->sad, (uint8_t *)memory + s.sad_at, s.sas);
	spd_init(&stack->spd, (uint8_t *)memory + s.spd_at, s.policies);
	return stack;
}

void record_wipe(struct record_stack *stack)
{
	sad_clear(&stack->sad);
	spd_clear(&stack->spd);
}

/* ---- tickets ------------------------------------------------------------------------------------- */

struct record_call {
	struct record_stack *stack;
	const struct ipsp_record *down;
	const void *control;
	void *up;
	size_t room;
};

static size_t record_verdict(const struct record_call *c, uint16_t verdict)
{
	answer_begin(c->up, c->down, verdict);
	return answer_end(c->up, 0);
}

static size_t record_classified(const struct record_call *c, const struct bundle *bundle)
{
	struct ipsp_answer *answer = answer_begin(c->up, c->down, IPSP_VERDICT_CLASSIFY);
	uint32_t i;

	for (i = 0; i < bundle->count; i++)
		answer->handle[i] = bundle->sa[i]->given.handle;
	answer->handles = bundle->count;
	return answer_end(c->up, 0);
}

/* The packet waits for the SA that the ACQUIRE in front of its answer asks for. */
static size_t record_held(const struct record_call *c, const struct ipsp_policy_entry *policy,
			  const struct tuple *tuple)
{
	const struct ipsp_packet *about = c->control;
	uint8_t *behind = (uint8_t *)c->up + acquire_write(c->up, policy, tuple, about->label);

	answer_begin(behind, c->down, IPSP_VERDICT_HOLD)->acquire = policy->acquire;
	return ACQUIRE_LEN + answer_end(behind, 0);
}

/* A policy that wants its flow protected. */
static size_t record_apply(const struct record_call *c, const struct ipsp_policy_entry *policy,
			   const struct tuple *tuple)
{
	struct bundle bundle;
	const unsigned reason = bundle_fit(&bundle, &c->stack->sad, policy, tuple);

	if (reason == IPSP_DROP_NO_SA && policy->acquire)
		return record_held(c, policy, tuple);
	if (reason)
		return answer_drop(c->up, c->down, reason);
	return bundle.count ? record_classified(c, &bundle) : record_verdict(c, IPSP_VERDICT_BYPASS);
}

static size_t record_classify(const struct record_call *c)
{
	const struct ipsp_policy_entry *policy;
	struct tuple tuple;
	struct ip ip;

	if (!ip_parse(&ip, (const uint8_t *)c->down + c->down->data_offset, c->down->data_len))
		return answer_drop(c->up, c->down, IPSP_DROP_MALFORMED);
	tuple_of(&tuple, &ip, c->control);
	policy = spd_find(&c->stack->spd, IPSP_DIR_OUT, &tuple);
	if (policy ? policy->action == IPSP_POLICY_BYPASS : !c->stack->default_drop)
		return record_verdict(c, IPSP_VERDICT_BYPASS);
	if (policy && policy->action == IPSP_POLICY_APPLY)
		return record_apply(c, policy, &tuple);
	return answer_drop(c->up, c->down, IPSP_DROP_POLICY);
}

static size_t record_protect(const struct record_call *c)
{
	return outbound_answer(&c->stack->sad, c->down, c->up, c->room);
}

static size_t record_unprotect(const struct record_call *c)
{
	return inbound_answer(&c->stack->sad, &c->stack->spd, c->down, c->up, c->room);
}

/* ---- control records --------------------------------------------------------------------------------- */

static size_t record_sa_add(const struct record_call *c)
{
	const unsigned reason = sad_add(&c->stack->sad, c->control);

	return reason ? answer_note(c->up, reason) : 0;
}

static size_t record_sa_delete(const struct record_call *c)
{
	const struct ipsp_sa *sa = c->control;

	sad_delete(&c->stack->sad, sa->handle);
	return 0;
}

static size_t record_policy(const struct record_call *c)
{
	const struct ipsp_policy *policy = c->control;
	const struct ipsp_policy_entry *entry = (const void *)((const uint8_t *)c->down + c->down->data_offset);
	struct spd *spd = &c->stack->spd;
	uint32_t i;

	if (c->down->data_len != policy->count * (uint64_t)sizeof(*entry))
		return answer_note(c->up, IPSP_DROP_MALFORMED);
	if (policy->operation == IPSP_POLICY_REPLACE)
		spd_clear(spd);
	for (i = 0; i < policy->count; i++) {
		if (policy->operation == IPSP_POLICY_DELETE)
			spd_delete(spd, entry[i].protect.index);
		else if (!spd_add(spd, &entry[i]))
			return answer_note(c->up, IPSP_DROP_STACK_ERROR);
	}
	return 0;
}

static size_t record_config(const struct record_call *c)
{
	const struct ipsp_config *config = c->control;

	c->stack->default_drop = (config->flags & IPSP_CONFIGF_DEFAULT_DROP) != 0;
	return 0;
}

static size_t record_snapshot(const struct record_call *c)
{
	record_wipe(c->stack);
	return 0;
}

static size_t record_nothing(const struct record_call *c)
{
	(void)c;
	return 0;
}

/* ---- which is which ------------------------------------------------------------------------------------- */

static const struct {
	uint16_t type;
	uint16_t size;			/* least control part */
	size_t (*handle)(const struct record_call *c);
} kinds[] = {
	{ IPSP_REC_CLASSIFY, sizeof(struct ipsp_packet), record_classify },
	{ IPSP_REC_PROTECT, sizeof(struct ipsp_packet), record_protect },
	{ IPSP_REC_UNPROTECT, sizeof(struct ipsp_packet), record_unprotect },
	{ IPSP_REC_FLUSH, 0, record_nothing },
	{ IPSP_REC_SA_ADD, sizeof(struct ipsp_sa), record_sa_add },
	{ IPSP_REC_SA_UPDATE, sizeof(struct ipsp_sa), record_sa_add },
	{ IPSP_REC_SA_DELETE, sizeof(struct ipsp_sa), record_sa_delete },
	{ IPSP_REC_POLICY, sizeof(struct ipsp_policy), record_policy },
	{ IPSP_REC_RELEASE, 0, record_nothing },
	{ IPSP_REC_REFUSE, 0, record_nothing },
	{ IPSP_REC_TIME, 0, record_nothing },
	{ IPSP_REC_CONFIG, sizeof(struct ipsp_config), record_config },
	{ IPSP_REC_SNAPSHOT_BEGIN, 0, record_snapshot },
	{ IPSP_REC_SNAPSHOT_END, 0, record_nothing },
};

static bool record_is_packet(const struct ipsp_record *down)
{
	return down->type <= IPSP_REC_UNPROTECT && down->control_len >= sizeof(struct ipsp_packet) &&
	       ipsp_record_is_sane(down, down->len);
}

size_t record_room(const struct ipsp_record *down)
{
	const struct ipsp_packet *about = (const struct ipsp_packet *)(down + 1);
	size_t room = ANSWER_DATA;

	if (record_is_packet(down) && down->type == IPSP_REC_PROTECT)
		room = outbound_room(about, down->data_len);
	else if (record_is_packet(down) && down->type == IPSP_REC_CLASSIFY)
		room = ACQUIRE_LEN + ANSWER_DATA;
	else if (record_is_packet(down))
		room = ANSWER_DATA + down->data_len + IPSP_ALIGN;
	return record_round(room);
}

size_t record_answer(struct record_stack *stack, const struct ipsp_record *down, void *up, size_t room)
{
	const struct record_call call = { stack, down, down + 1, up, room };
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].type == down->type && down->control_len >= kinds[i].size &&
		    ipsp_record_is_sane(down, down->len))
			return kinds[i].handle(&call);
	return answer_note(up, IPSP_DROP_UNSUPPORTED);
}
