// SPDX-License-Identifier: GPL-2.0
#include "transform.h"
#include "admit.h"
#include "ah.h"
#include "bundle.h"
#include "esp.h"
#include "merge.h"
#include "sad.h"
#include "spd.h"
#include "ipsec_port_ring.h"

#define TRANSFORM_OVERHEAD (ESP_OVERHEAD > AH_OVERHEAD ? ESP_OVERHEAD : AH_OVERHEAD)
#define TRANSFORM_HEAD (sizeof(struct ipsp_record) + sizeof(struct ipsp_answer))
#define TRANSFORM_ACQUIRE ((sizeof(struct ipsp_record) + sizeof(struct ipsp_acquire) + IPSP_ALIGN - 1) & \
			   ~(IPSP_ALIGN - 1ul))

struct transform {
	struct sad sad;
	struct spd spd;
	struct admit admit;
	struct ipsp_config config;
	struct merge merge;
	struct run {			/* the answer that merge's packet is in */
		struct ipsp_record *up;
		uint32_t handle, mark, if_id, ifindex;	/* of its first packet */
		uint32_t sealed;	/* length of the first ESP packet: no other is longer */
	} run;
};

/* One down record and the up record that answers it. */
struct turn {
	const struct ipsp_record *down;
	const struct ipsp_packet *packet;
	struct ip_bytes data;
	struct ipsp_record *up;
	struct ipsp_answer *answer;
	uint8_t *out;			/* the up record's data part */
	/* unprotect: deciphered already, to see whether it continues a run */
	int opened;
	uint16_t reason;
	uint32_t len;
};

/* ---- life ---------------------------------------------------------------------------- */

static struct transform_config transform_defaults(const struct transform_config *config)
{
	return (struct transform_config){
		.sas_max = config->sas_max ? config->sas_max : 1024,
		.policies_max = config->policies_max ? config->policies_max : 4096,
	};
}

size_t transform_arena_size(const struct transform_config *config)
{
	struct transform_config c = transform_defaults(config);

	return arena_cost(1, sizeof(struct transform)) + sad_arena_size(c.sas_max) +
	       spd_arena_size(c.policies_max) + ARENA_ALIGN;
}

struct transform *transform_init(struct arena *arena, const struct transform_config *config)
{
	struct transform_config c = transform_defaults(config);
	struct transform *t = arena_take(arena, 1, sizeof(*t));

	if (!t || sad_init(&t->sad, arena, c.sas_max) || spd_init(&t->spd, arena, c.policies_max))
		return NULL;
	return t;
}

void transform_wipe(struct transform *t)
{
	sad_clear(&t->sad);
	spd_clear(&t->spd);
}

/* ---- answers --------------------------------------------------------------------------- */

static void answer_drop(struct turn *turn, uint16_t reason)
{
	turn->answer->verdict = IPSP_VERDICT_DROP;
	turn->answer->reason = reason;
	turn->up->data_len = 0;
}

static void answer_packets(struct turn *turn, uint32_t segments, uint32_t segment_len,
			   uint32_t bytes)
{
	turn->answer->verdict = IPSP_VERDICT_TRANSFORMED;
	turn->answer->segments = segments;
	turn->answer->segment_len = segment_len;
	turn->up->data_len = bytes;
}

static void answer_begin(struct turn *turn)
{
	memset(turn->up, 0, TRANSFORM_HEAD);
	turn->up->type = IPSP_REC_ANSWER;
	turn->up->control_len = sizeof(struct ipsp_answer);
	turn->up->data_offset = TRANSFORM_HEAD;
	turn->up->generation = turn->down->generation;
	turn->up->ticket = turn->down->ticket;
}

static uint32_t record_len(uint32_t data)
{
	return (uint32_t)(TRANSFORM_HEAD + data + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
}

static size_t answer_finish(struct turn *turn)
{
	turn->up->len = record_len(turn->up->data_len);
	return turn->up->len;
}

/* ---- classify ---------------------------------------------------------------------------- */

/* Host-length: this packet's own. */
static void acquire_selector(struct ipsp_selector *s, const struct ipsp_tuple *tuple)
{
	memcpy(s->source, tuple->source, 16);
	memcpy(s->destination, tuple->destination, 16);
	s->source_prefix = s->destination_prefix = tuple->family == 4 ? 32 : 128;
	s->family = tuple->family;
	s->protocol = tuple->protocol;
	s->source_last = s->destination_last = 0xffff;
	if (tuple->has_ports) {
		s->source_first = s->source_last = tuple->source_port;
		s->destination_first = s->destination_last = tuple->destination_port;
	}
	s->ifindex = tuple->ifindex;
	s->if_id = tuple->if_id;
	s->mark = tuple->mark;
	s->mark_mask = tuple->mark ? UINT32_MAX : 0;
}

/* An ACQUIRE, and the answer behind it. */
static void classify_hold(struct turn *turn, const struct ipsp_policy_entry *policy, const struct ipsp_tuple *tuple)
{
	struct ipsp_record *rec = turn->up;
	struct ipsp_acquire *acquire = (struct ipsp_acquire *)(rec + 1);

	memset(rec, 0, TRANSFORM_ACQUIRE);
	rec->len = TRANSFORM_ACQUIRE;
	rec->type = IPSP_REC_ACQUIRE;
	rec->control_len = sizeof(*acquire);
	rec->data_offset = TRANSFORM_ACQUIRE;
	acquire->acquire = policy->acquire;
	acquire->policy = policy->protect.index;
	acquire->label = turn->packet->label;
	acquire_selector(&acquire->selector, tuple);
	turn->up = (struct ipsp_record *)((uint8_t *)rec + TRANSFORM_ACQUIRE);
	turn->answer = (struct ipsp_answer *)(turn->up + 1);
	turn->out = (uint8_t *)turn->up + TRANSFORM_HEAD;
	answer_begin(turn);
	turn->answer->verdict = IPSP_VERDICT_HOLD;
	turn->answer->acquire = policy->acquire;
}

static void classify_apply(struct transform *t, struct turn *turn,
			   const struct ipsp_policy_entry *policy, const struct ipsp_tuple *tuple)
{
	struct bundle bundle;
	uint16_t reason = bundle_match(&bundle, &t->sad, policy, tuple);
	uint32_t i;

	if (reason == IPSP_DROP_NO_SA && policy->acquire) {
		classify_hold(turn, policy, tuple);
		return;
	}
	if (reason) {
		answer_drop(turn, reason);
		return;
	}
	turn->answer->verdict = bundle.count ? IPSP_VERDICT_CLASSIFY : IPSP_VERDICT_BYPASS;
	turn->answer->handles = bundle.count;
	for (i = 0; i < bundle.count; i++)
		turn->answer->handle[i] = bundle.sa[i]->handle;
}

static void transform_classify(struct transform *t, struct turn *turn)
{
	const struct ipsp_policy_entry *policy;
	struct ipsp_tuple tuple;
	struct ip_packet ip;

	if (ip_parse(turn->data, &ip)) {
		answer_drop(turn, IPSP_DROP_MALFORMED);
		return;
	}
	memset(&tuple, 0, sizeof(tuple));
	ip_tuple(turn->data, &ip, &tuple);
	tuple.direction = IPSP_DIR_OUT;
	tuple.ifindex = turn->packet->ifindex;
	tuple.if_id = turn->packet->if_id;
	tuple.mark = turn->packet->mark;
	tuple.label = turn->packet->label;
	policy = spd_find(&t->spd, &tuple);
	if (policy && policy->action == IPSP_POLICY_APPLY)
		classify_apply(t, turn, policy, &tuple);
	else if (policy ? policy->action == IPSP_POLICY_BYPASS :
			  !(t->config.flags & IPSP_CONFIGF_DEFAULT_DROP))
		turn->answer->verdict = IPSP_VERDICT_BYPASS;
	else
		answer_drop(turn, IPSP_DROP_POLICY);
}

/* ---- protect ------------------------------------------------------------------------------ */

static int protect_is_too_big(const struct turn *turn, const struct segment_plan *plan)
{
	if (!plan->too_big || (turn->packet->flags & IPSP_PKT_IGNORE_DF))
		return 0;
	return plan->ip.family == 6 || plan->ip.df;
}

/* ESP and AH differ in nothing else. */
struct protocol {
	uint32_t (*sealed_len)(const struct sad_sa *sa, const struct segment_plan *plan, const struct segment *s);
	uint16_t (*seal)(const struct sad_sa *sa, uint64_t number, const struct segment_plan *plan,
			 const struct segment *s, int clear_df, uint8_t *out);
	uint16_t (*open)(const struct sad_sa *sa, uint64_t number, struct ip_bytes packet, uint8_t *out,
			 uint32_t *len);
};

static const struct protocol *protocol_of(const struct sad_sa *sa)
{
	static const struct protocol esp = { esp_sealed_len, esp_seal, esp_open };
	static const struct protocol ah = { ah_sealed_len, ah_seal, ah_open };

	return sa->sa.protocol == IP_AH ? &ah : &esp;
}

static uint16_t protect_segments(struct turn *turn, const struct sad_sa *sa,
				 const struct segment_plan *plan)
{
	const struct protocol *protocol = protocol_of(sa);
	uint64_t number = turn->packet->stamp[0].first;
	uint32_t i, len = 0, first = 0;
	uint8_t *out = turn->out;
	struct segment segment;
	uint16_t reason;

	for (i = 0; i < plan->count; i++, out += len) {
		segment_make(plan, i, &segment);
		len = protocol->sealed_len(sa, plan, &segment);
		if (!i)
			first = len;
		reason = protocol->seal(sa, number + i, plan, &segment, plan->too_big, out);
		if (reason)
			return reason;
	}
	answer_packets(turn, plan->count, first, (uint32_t)(out - turn->out));
	return 0;
}

/* So many segments at once as the engine takes: each is written, then all are sealed. */
static uint16_t protect_rows(struct turn *turn, const struct sad_sa *sa, const struct segment_plan *plan)
{
	struct crypto_message row[CRYPTO_ROW_MAX];
	uint64_t number = turn->packet->stamp[0].first;
	uint32_t i, len = 0, first = 0, count = 0;
	uint8_t *out = turn->out;
	struct esp_sealing sealing;
	struct segment segment;
	uint16_t reason = 0;

	for (i = 0; i < plan->count && !reason; i++, out += len) {
		segment_make(plan, i, &segment);
		len = esp_sealed_len(sa, plan, &segment);
		if (!i)
			first = len;
		reason = esp_begin(sa, number + i, plan, &segment, plan->too_big, out, &sealing);
		row[count++] = sealing.message;
		if (reason || (count < CRYPTO_ROW_MAX && i + 1 < plan->count))
			continue;
		reason = esp_seal_row(sa, row, count);
		count = 0;
	}
	if (!reason)
		answer_packets(turn, plan->count, first, (uint32_t)(out - turn->out));
	return reason;
}

static uint16_t protect_all(struct turn *turn, const struct sad_sa *sa, const struct segment_plan *plan)
{
	if (plan->count > 1 && sa->crypto.seal_row && sa->sa.protocol == IP_ESP)
		return protect_rows(turn, sa, plan);
	return protect_segments(turn, sa, plan);
}

static void transform_protect(struct transform *t, struct turn *turn)
{
	const struct ipsp_stamp *stamp = &turn->packet->stamp[0];
	const struct sad_sa *sa = sad_find(&t->sad, stamp->handle);
	struct segment_plan plan;
	uint16_t reason;

	reason = sa && sa->sa.direction == IPSP_DIR_OUT ?
		 segment_plan(&plan, turn->data, turn->packet) : IPSP_DROP_NO_SA;
	if (!reason && plan.count > stamp->count)
		reason = IPSP_DROP_STACK_ERROR;
	/* RFC 4303 3.1.1: transport mode, and so BEET, takes whole datagrams only */
	if (!reason && plan.ip.fragment && sa->sa.mode != IPSP_SA_TUNNEL)
		reason = IPSP_DROP_UNSUPPORTED;
	if (!reason && protect_is_too_big(turn, &plan)) {
		turn->answer->verdict = IPSP_VERDICT_TOOBIG;
		turn->answer->mtu = turn->packet->mtu;
		if (plan.ip.family == 6 && turn->answer->mtu < IPSP_MTU_FLOOR6)
			turn->answer->mtu = IPSP_MTU_FLOOR6;
		return;
	}
	if (!reason)
		reason = protect_all(turn, sa, &plan);
	if (reason)
		answer_drop(turn, reason);
}

/* ---- unprotect ------------------------------------------------------------------------------ */

static uint16_t unprotect_open(struct transform *t, const struct turn *turn, uint8_t *out,
			       uint32_t *len)
{
	struct bundle bundle;
	uint16_t reason = bundle_read(&bundle, &t->sad, turn->packet);

	if (reason)
		return reason;
	return protocol_of(bundle.sa[0])->open(bundle.sa[0], turn->packet->stamp[0].first, turn->data, out, len);
}

/* What is opened again is asked of when nothing more of it is. */
static uint16_t unprotect_admit(struct transform *t, const struct turn *turn, const uint8_t *out, uint32_t len)
{
	const struct ip_bytes inner = { out, len };
	struct bundle bundle;
	uint16_t reason;

	if (bundle_goes_on(&t->sad, inner))
		return 0;
	reason = bundle_read(&bundle, &t->sad, turn->packet);
	return reason ? reason : admit_packet(&t->admit, &t->spd, &bundle, inner, turn->packet);
}

/* All that policies ask besides the inner packet's own headers. */
static int run_is_alike(const struct run *run, const struct ipsp_packet *packet)
{
	return packet->stamp[0].handle == run->handle && packet->ifindex == run->ifindex &&
	       packet->if_id == run->if_id && packet->mark == run->mark;
}

/* The ticket right behind the run's last one, of its handle, to be written right behind it. */
static int run_is_continued(const struct transform *t, const struct turn *turn)
{
	const struct ipsp_record *up = t->run.up;

	return turn->down->type == IPSP_REC_UNPROTECT &&
	       merge_has_room(&t->merge, turn->data.len) &&
	       (const uint8_t *)turn->up == (const uint8_t *)up + up->len &&
	       turn->down->ticket == up->ticket + 2 &&
	       !(turn->down->flags & (IPSP_RECF_NOMERGE | IPSP_RECF_BEGIN)) && turn->data.len <= t->run.sealed &&
	       run_is_alike(&t->run, turn->packet);
}

static void run_open(struct transform *t, const struct turn *turn)
{
	merge_open(&t->merge, turn->out, turn->len);
	if (turn->down->flags & IPSP_RECF_NOMERGE)
		t->merge.ended = 1;
	t->run = (struct run){
		.up = turn->up, .handle = turn->packet->stamp[0].handle, .mark = turn->packet->mark,
		.if_id = turn->packet->if_id, .ifindex = turn->packet->ifindex, .sealed = turn->data.len,
	};
}

static void run_grow(struct transform *t, const struct turn *turn)
{
	struct ipsp_record *up = t->run.up;
	struct ipsp_answer *answer = (struct ipsp_answer *)(up + 1);

	up->ticket = turn->down->ticket;
	up->data_len = t->merge.len;
	up->len = record_len(t->merge.len);
	answer->segments = t->merge.count;
	answer->segment_len = t->merge.len;
}

/* A run that lies behind the end as a whole is looked at where it began. */
static void run_unwrap(struct transform *t, const struct ipsp_ring *ring)
{
	if ((uint8_t *)t->run.up < ring->base + ring->size)
		return;
	t->run.up = (struct ipsp_record *)((uint8_t *)t->run.up - ring->size);
	t->merge.packet -= ring->size;
}

void *transform_place(struct transform *t, const struct ipsp_ring *ring, void *up)
{
	uint8_t *behind;

	if (!t->merge.packet)
		return up;
	run_unwrap(t, ring);
	behind = (uint8_t *)t->run.up + t->run.up->len;
	return behind == (uint8_t *)up + ring->size ? behind : up;
}

void transform_flush(struct transform *t)
{
	if (t->merge.packet)
		merge_close(&t->merge, &((struct ipsp_answer *)(t->run.up + 1))->offload);
}

/*
 * Part of the run now, or deciphered in its place for an answer of its own. What is part of it has the names
 * of the first packet, which was admitted.
 */
static int run_continue(struct transform *t, struct turn *turn)
{
	uint8_t *place = merge_place(&t->merge);

	turn->opened = 1;
	turn->reason = unprotect_open(t, turn, place, &turn->len);
	if (!turn->reason && merge_add(&t->merge, turn->len)) {
		run_grow(t, turn);
		return 1;
	}
	merge_refuse(&t->merge, turn->out, turn->len);
	if (!turn->reason)
		turn->reason = unprotect_admit(t, turn, turn->out, turn->len);
	return 0;
}

/*
 * RFC 3948 3.1.2: a NAT has changed addresses that the transport checksum covers. The ICV
 * has vouched for the text.
 */
static int unprotect_is_natted(const struct transform *t, const struct turn *turn)
{
	const struct sad_sa *sa = sad_find(&t->sad, turn->packet->stamp[0].handle);

	return sa->sa.mode == IPSP_SA_TRANSPORT && sa->sa.encap_source;
}

static void transform_unprotect(struct transform *t, struct turn *turn)
{
	if (!turn->opened)
		turn->reason = unprotect_open(t, turn, turn->out, &turn->len);
	if (!turn->opened && !turn->reason)
		turn->reason = unprotect_admit(t, turn, turn->out, turn->len);
	if (turn->reason) {
		answer_drop(turn, turn->reason);
		return;
	}
	answer_packets(turn, 1, turn->len, turn->len);
	if (unprotect_is_natted(t, turn))
		turn->answer->offload.flags = IPSP_OFFLOAD_DATA_VALID;
	run_open(t, turn);
}

/* ---- control -------------------------------------------------------------------------------- */

static uint16_t control_sa_add(struct transform *t, const struct ipsp_record *rec)
{
	return sad_add(&t->sad, (const struct ipsp_sa *)(rec + 1), t->config.engine);
}

static uint16_t control_sa_delete(struct transform *t, const struct ipsp_record *rec)
{
	sad_delete(&t->sad, ((const struct ipsp_sa *)(rec + 1))->handle);
	return 0;
}

static uint16_t control_policy(struct transform *t, const struct ipsp_record *rec)
{
	const struct ipsp_policy *policy = (const struct ipsp_policy *)(rec + 1);
	const void *data = (const uint8_t *)rec + rec->data_offset;

	if (rec->data_len != (uint64_t)policy->count * sizeof(struct ipsp_policy_entry))
		return IPSP_DROP_MALFORMED;
	return spd_change(&t->spd, policy, data) ? IPSP_DROP_STACK_ERROR : 0;
}

static uint16_t control_config(struct transform *t, const struct ipsp_record *rec)
{
	t->config = *(const struct ipsp_config *)(rec + 1);
	return 0;
}

static uint16_t control_begin(struct transform *t, const struct ipsp_record *rec)
{
	(void)rec;
	transform_wipe(t);
	return 0;
}

static uint16_t control_nothing(struct transform *t, const struct ipsp_record *rec)
{
	(void)t;
	(void)rec;
	return 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

struct transform_type {
	void (*ticket)(struct transform *t, struct turn *turn);
	uint16_t (*control)(struct transform *t, const struct ipsp_record *rec);
	uint32_t control_len;		/* least */
};

static const struct transform_type transform_type[] = {
	[IPSP_REC_CLASSIFY] = { transform_classify, NULL, sizeof(struct ipsp_packet) },
	[IPSP_REC_PROTECT] = { transform_protect, NULL, sizeof(struct ipsp_packet) },
	[IPSP_REC_UNPROTECT] = { transform_unprotect, NULL, sizeof(struct ipsp_packet) },
	[IPSP_REC_FLUSH] = { NULL, control_nothing, 0 },
	[IPSP_REC_SA_ADD] = { NULL, control_sa_add, sizeof(struct ipsp_sa) },
	[IPSP_REC_SA_UPDATE] = { NULL, control_sa_add, sizeof(struct ipsp_sa) },
	[IPSP_REC_SA_DELETE] = { NULL, control_sa_delete, sizeof(struct ipsp_sa) },
	[IPSP_REC_POLICY] = { NULL, control_policy, sizeof(struct ipsp_policy) },
	[IPSP_REC_RELEASE] = { NULL, control_nothing, 0 },
	[IPSP_REC_REFUSE] = { NULL, control_nothing, 0 },
	[IPSP_REC_TIME] = { NULL, control_nothing, 0 },
	[IPSP_REC_CONFIG] = { NULL, control_config, sizeof(struct ipsp_config) },
	[IPSP_REC_SNAPSHOT_BEGIN] = { NULL, control_begin, 0 },
	[IPSP_REC_SNAPSHOT_END] = { NULL, control_nothing, 0 },
};

static const struct transform_type *transform_find(const struct ipsp_record *down)
{
	const struct transform_type *type = &transform_type[0];

	if (down->type < sizeof(transform_type) / sizeof(transform_type[0]))
		type = &transform_type[down->type];
	if ((!type->ticket && !type->control) || !ipsp_record_is_sane(down, down->len) ||
	    down->control_len < type->control_len)
		return NULL;
	return type;
}

/*
 * Each segment adds an outer header, ESP, and the inner headers again. A record that is not one, or too short for its
 * type, gets a note.
 */
size_t transform_room(const struct ipsp_record *down)
{
	const struct ipsp_packet *packet = (const struct ipsp_packet *)(down + 1);
	size_t room = TRANSFORM_HEAD;

	if (!transform_find(down))
		return (room + IPSP_ALIGN - 1) & ~(size_t)(IPSP_ALIGN - 1);
	if (down->type == IPSP_REC_CLASSIFY)
		room += TRANSFORM_ACQUIRE;
	else if (down->type == IPSP_REC_PROTECT)
		room += down->data_len + (size_t)packet->stamp[0].count *
			(TRANSFORM_OVERHEAD + SEGMENT_HEADER_MAX);
	else if (down->type == IPSP_REC_UNPROTECT)
		room += down->data_len + IP_HEADER6;	/* BEET brings one back */
	return (room + IPSP_ALIGN - 1) & ~(size_t)(IPSP_ALIGN - 1);
}

static size_t transform_ticket(struct transform *t, const struct transform_type *type,
			       const struct ipsp_record *down, void *up)
{
	struct turn turn = {
		.down = down,
		.packet = (const struct ipsp_packet *)(down + 1),
		.data = { (const uint8_t *)down + down->data_offset, down->data_len },
		.up = up,
		.answer = (struct ipsp_answer *)((struct ipsp_record *)up + 1),
		.out = (uint8_t *)up + TRANSFORM_HEAD,
	};

	if (run_is_continued(t, &turn) && run_continue(t, &turn))
		return (size_t)((uint8_t *)t->run.up + t->run.up->len - (uint8_t *)up);
	transform_flush(t);
	answer_begin(&turn);
	type->ticket(t, &turn);
	return answer_finish(&turn) + (size_t)((uint8_t *)turn.up - (uint8_t *)up);
}

static size_t transform_note(void *up, uint16_t reason)
{
	struct ipsp_record *rec = up;
	struct ipsp_note *note = (struct ipsp_note *)(rec + 1);
	size_t len = (sizeof(*rec) + sizeof(*note) + IPSP_ALIGN - 1) & ~(size_t)(IPSP_ALIGN - 1);

	memset(up, 0, len);
	rec->len = (uint32_t)len;
	rec->type = IPSP_REC_NOTE;
	rec->control_len = sizeof(*note);
	note->reason = reason;
	note->count = 1;
	return len;
}

size_t transform_answer(struct transform *t, const struct ipsp_record *down, void *up, size_t room)
{
	const struct transform_type *type = transform_find(down);
	uint16_t reason;

	if (room < transform_room(down))
		return TRANSFORM_NO_ROOM;
	if (type && type->ticket)
		return transform_ticket(t, type, down, up);
	t->admit.handle = 0;
	t->merge.ended = 1;		/* what comes behind it is judged anew */
	reason = type ? type->control(t, down) : IPSP_DROP_UNSUPPORTED;
	return reason ? transform_note(up, reason) : 0;
}
