// SPDX-License-Identifier: GPL-2.0
/* control - SAs, policies and configurations by dice, also such as no stack serves */
#include "world.h"

#include <string.h>

#define CONTROL_POLICIES 48		/* indices, and so the most that there are */

static void control_add(struct world *w, uint16_t type, const void *part, uint32_t len)
{
	batch_add(w->batch, type, 0, 0, part, len, NULL, 0);
}

/* ---- selectors --------------------------------------------------------------------------- */

static void control_ports(struct dice *d, uint16_t *first, uint16_t *last)
{
	static const uint16_t bounds[] = { 0, 8, 22, 80, 443, 500, 4500, 5001, 5002, 0xffff };
	uint16_t a = DICE_PICK(d, bounds), b = DICE_PICK(d, bounds);

	*first = a < b ? a : b;
	*last = a < b ? b : a;
	if (dice_percent(d, 80)) {
		*first = 0;
		*last = 0xffff;
	}
}

static void control_prefixes(struct dice *d, struct ipsp_selector *s)
{
	static const uint8_t bits4[] = { 0, 8, 16, 16, 24, 30, 31, 32 }, bits6[] = { 0, 32, 64, 64, 125, 127, 128 };

	sample_address(d, s->family, s->source);
	sample_address(d, s->family, s->destination);
	s->source_prefix = s->family == 4 ? DICE_PICK(d, bits4) : DICE_PICK(d, bits6);
	s->destination_prefix = s->family == 4 ? DICE_PICK(d, bits4) : DICE_PICK(d, bits6);
}

static void control_selector(struct dice *d, struct ipsp_selector *s)
{
	static const uint8_t protocols[] = { 0, 0, 0, 0, 6, 6, 17, 1, 58, 132 }, families[] = { 4, 4, 6, 6, 0 };

	memset(s, 0, sizeof(*s));
	s->family = DICE_PICK(d, families);
	if (s->family)
		control_prefixes(d, s);
	s->protocol = DICE_PICK(d, protocols);
	control_ports(d, &s->source_first, &s->source_last);
	control_ports(d, &s->destination_first, &s->destination_last);
	if (dice_percent(d, 5))
		s->ifindex = dice_below(d, 4);
	if (dice_percent(d, 5))
		s->if_id = dice_below(d, 3);
	if (dice_percent(d, 10))
		s->mark_mask = dice_between(d, 1, 3);
	s->mark = dice_below(d, 4) & s->mark_mask;
}

/* ---- SAs ---------------------------------------------------------------------------------- */

static void control_sa_key(struct world *w, struct ipsp_sa *sa)
{
	const char *name = w->algorithm ? w->algorithm : dice_percent(&w->dice, 50) ? WORLD_GCM : WORLD_CHACHA;

	strcpy(sa->aead.name, name);
	sa->aead.key_bits = 288;
	sa->aead.icv_bits = 128;
	dice_fill(&w->dice, sa->aead.key, 36);
}

static void control_sa_options(struct dice *d, struct ipsp_sa *sa)
{
	sa->flags = (uint32_t)dice_next(d) & (dice_percent(d, 50) ? IPSP_SAF_ALL : IPSP_SAF_ESN);
	sa->reqid = dice_between(d, 1, 4);
	sa->selector.source_last = sa->selector.destination_last = 0xffff;
	if (dice_percent(d, 15))
		control_selector(d, &sa->selector);
	if (dice_percent(d, 25)) {
		sa->encap_source = (uint16_t)(1 + dice_below(d, 65535));
		sa->encap_destination = (uint16_t)(1 + dice_below(d, 65535));
	}
	if (dice_percent(d, 15))
		sa->mark_mask = dice_between(d, 1, 3);
	sa->mark = dice_below(d, 4) & sa->mark_mask;
	sa->if_id = dice_percent(d, 5);
	sa->label = dice_percent(d, 30) ? dice_below(d, 3) : 0;
}

static void control_sa_make(struct world *w, uint32_t pair, struct ipsp_sa *sa)
{
	struct dice *d = &w->dice;

	memset(sa, 0, sizeof(*sa));
	sa->handle = world_handle(pair, IPSP_DIR_OUT);
	sa->direction = IPSP_DIR_OUT;
	sa->family = dice_percent(d, 55) ? 4 : 6;
	sa->protocol = IPSP_ESP;
	sa->mode = dice_percent(d, 60) ? IPSP_SA_TUNNEL : IPSP_SA_TRANSPORT;
	sa->spi = (uint32_t)dice_next(d);
	sample_address(d, sa->family, sa->source);
	sample_address(d, sa->family, sa->destination);
	control_sa_options(d, sa);
	control_sa_key(w, sa);
}

static uint64_t control_first_number(struct dice *d, uint32_t flags)
{
	static const uint64_t near[] = { 1, 1, 0xfffffff0, 0x1fffffff8, 0x7fffffffffffffff };
	uint64_t number = dice_percent(d, 70) ? DICE_PICK(d, near) : dice_next(d);

	return flags & IPSP_SAF_ESN ? number : (uint32_t)number;
}

/* Both directions: the same SA, as its two ends have it. */
void control_sa(struct world *w, uint32_t pair)
{
	uint16_t type = dice_percent(&w->dice, 50) ? IPSP_REC_SA_ADD : IPSP_REC_SA_UPDATE;
	struct ipsp_sa in;

	control_sa_make(w, pair, &w->pair[pair].sa);
	w->pair[pair].next = control_first_number(&w->dice, w->pair[pair].sa.flags);
	in = w->pair[pair].sa;
	in.handle = world_handle(pair, IPSP_DIR_IN);
	in.direction = dice_percent(&w->dice, 1) ? IPSP_DIR_FWD : IPSP_DIR_IN;
	batch_add(w->batch, type, IPSP_RECF_SECRET, 0, &w->pair[pair].sa, sizeof(in), NULL, 0);
	batch_add(w->batch, type, IPSP_RECF_SECRET, 0, &in, sizeof(in), NULL, 0);
}

/* One that nobody serves; the one of its handle stays. */
static void control_sa_bad(struct world *w)
{
	struct dice *d = &w->dice;
	struct ipsp_sa sa;

	control_sa_make(w, dice_below(d, WORLD_PAIRS), &sa);
	switch (dice_below(d, 12)) {
	case 0: sa.handle = 0; break;
	case 1: sa.flags |= 0x80u << dice_below(d, 25); break;
	case 2: sa.protocol = dice_percent(d, 50) ? 51 : 108; break;
	case 3: sa.mode = (uint8_t)(dice_percent(d, 50) ? 2 : 9); break;
	case 4: sa.family = (uint8_t)dice_below(d, 4); break;
	case 5: sa.encap_source = 0; sa.encap_destination = 1; break;
	case 6: sa.encap_source = 1; sa.encap_destination = 0; break;
	case 7: sa.tfc_pad = dice_between(d, 1, 1500); break;
	case 8: sa.aead.key_bits = dice_percent(d, 50) ? 256 : 280; break;
	case 9: sa.aead.icv_bits = 120; break;
	case 10: strcpy(dice_percent(d, 50) ? sa.auth.name : sa.cipher.name, "hmac(sha256)"); break;
	default: memset(sa.aead.name, 'a', dice_percent(d, 50) ? 64 : 3);
	}
	control_add(w, IPSP_REC_SA_ADD, &sa, sizeof(sa));
}

static void control_sa_any(struct world *w)
{
	control_sa(w, dice_below(&w->dice, WORLD_PAIRS));
}

/* Its mirror too, sometimes, and sometimes none that there is. */
static void control_sa_delete(struct world *w)
{
	struct ipsp_sa sa = { .handle = dice_below(&w->dice, 2 * WORLD_PAIRS + 4) };

	control_add(w, IPSP_REC_SA_DELETE, &sa, sizeof(sa));
}

/* ---- policies ------------------------------------------------------------------------------ */

/* One that any SA of tunnel mode fits, so that policies with several find all of theirs. */
static void control_template_any(struct dice *d, struct ipsp_template *t)
{
	*t = (struct ipsp_template){ .protocol = IPSP_ESP, .mode = IPSP_SA_TUNNEL };
	t->optional = (uint8_t)dice_percent(d, 10);
}

static void control_template(struct world *w, struct ipsp_template *t)
{
	struct dice *d = &w->dice;
	uint32_t index;
	const struct ipsp_sa *sa = &world_pair(w, &index)->sa;

	if (dice_percent(d, 40)) {
		memcpy(t->source, sa->source, 16);
		memcpy(t->destination, sa->destination, 16);
	}
	t->spi = dice_percent(d, 10) ? sa->spi : 0;
	t->reqid = dice_percent(d, 30) ? sa->reqid : 0;
	t->family = sa->family;
	t->protocol = dice_percent(d, 97) ? IPSP_ESP : 51;
	t->mode = dice_percent(d, 95) ? sa->mode : !sa->mode;
	t->optional = (uint8_t)dice_percent(d, 25);
}

static void control_policy(struct world *w, struct ipsp_policy_entry *e)
{
	static const uint8_t actions[] = { 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 0, 0, 7 };
	struct dice *d = &w->dice;
	uint32_t i;

	memset(e, 0, sizeof(*e));
	control_selector(d, &e->protect.selector);
	e->protect.direction = (uint8_t)dice_below(d, 3);
	e->protect.priority = dice_below(d, 6);
	e->protect.index = dice_below(d, CONTROL_POLICIES);
	e->action = DICE_PICK(d, actions);
	e->protect.clear = e->action == IPSP_POLICY_BYPASS;
	e->protect.label = dice_percent(d, 30) ? dice_below(d, 3) : 0;
	e->acquire = w->holds && dice_percent(d, 40) ? dice_between(d, 1, 1000) : 0;
	e->templates = (uint8_t)(dice_percent(d, 70) ? 1 : dice_below(d, IPSP_STAMPS + 3));
	for (i = 0; i < e->templates && i < IPSP_STAMPS; i++)
		if (e->templates > 1 && dice_percent(d, 60))
			control_template_any(d, &e->template_[i]);
		else
			control_template(w, &e->template_[i]);
}

void control_policies(struct world *w, uint32_t operation, uint32_t count)
{
	const struct ipsp_policy policy = { .operation = operation, .count = count };
	struct ipsp_policy_entry e[CONTROL_POLICIES];
	uint32_t i, len = count * (uint32_t)sizeof(e[0]);

	for (i = 0; i < count; i++)
		control_policy(w, &e[i]);
	if (len && dice_percent(&w->dice, 2))
		len -= dice_between(&w->dice, 1, 8);
	batch_add(w->batch, IPSP_REC_POLICY, 0, 0, &policy, sizeof(policy), e, len);
}

static void control_policies_any(struct world *w)
{
	uint32_t operation = dice_below(&w->dice, 10);

	if (!operation)
		control_policies(w, IPSP_POLICY_REPLACE, dice_below(&w->dice, CONTROL_POLICIES));
	else
		control_policies(w, operation < 6 ? IPSP_POLICY_ADD : IPSP_POLICY_DELETE, dice_between(&w->dice, 1, 3));
}

/* ---- the rest -------------------------------------------------------------------------------- */

void control_config(struct world *w)
{
	static const __u32 first[][2] = {
		{ 0, 0 }, { IPSP_ENGINE_OPENSSL, IPSP_ENGINE_IPSECMB }, { IPSP_ENGINE_IPSECMB, IPSP_ENGINE_OPENSSL },
	};
	const __u32 *engine = first[dice_below(&w->dice, 3)];
	const struct ipsp_config config = {
		.flags = dice_below(&w->dice, 2), .engine = { engine[0], engine[1] },
	};

	control_add(w, IPSP_REC_CONFIG, &config, sizeof(config));
}

static void control_idle(struct world *w)
{
	static const uint16_t types[] = { IPSP_REC_FLUSH, IPSP_REC_RELEASE, IPSP_REC_REFUSE, IPSP_REC_TIME,
					  IPSP_REC_SNAPSHOT_END };
	uint8_t part[64] = { 0 };

	dice_fill(&w->dice, part, 32);
	control_add(w, DICE_PICK(&w->dice, types), part, dice_percent(&w->dice, 80) ? 32 : 0);
}

/* Of a type that there is not, or too short for its own. */
static void control_bad(struct world *w)
{
	static const uint16_t unknown[] = { 0, 4, 15, 27, 32, 34, 49, 255, 0xffff };
	static const struct {
		uint16_t type, least;
	} known[] = {
		{ IPSP_REC_CLASSIFY, 128 }, { IPSP_REC_PROTECT, 128 }, { IPSP_REC_UNPROTECT, 128 },
		{ IPSP_REC_SA_ADD, 600 }, { IPSP_REC_SA_DELETE, 600 }, { IPSP_REC_POLICY, 32 }, { IPSP_REC_CONFIG, 64 },
	};
	uint8_t part[640] = { 0 };
	uint32_t i = dice_below(&w->dice, sizeof(known) / sizeof(known[0]));

	if (dice_percent(&w->dice, 50))
		control_add(w, DICE_PICK(&w->dice, unknown), part, dice_below(&w->dice, 2) * 128);
	else
		control_add(w, known[i].type, part, dice_below(&w->dice, known[i].least));
}

/* Everything goes and the SAs come anew. */
static void control_reset(struct world *w)
{
	const struct ipsp_snapshot snapshot = { 0 };
	uint32_t i;

	control_add(w, IPSP_REC_SNAPSHOT_BEGIN, &snapshot, sizeof(snapshot));
	for (i = dice_below(&w->dice, 3); i < WORLD_PAIRS; i++)
		control_sa(w, i);
}

void control_any(struct world *w)
{
	static void (*const kinds[])(struct world *w) = {
		control_sa_any, control_sa_any, control_sa_bad, control_sa_bad, control_policies_any, control_policies_any,
		control_policies_any, control_config, control_idle, control_bad, control_bad,
	};

	if (dice_percent(&w->dice, 1))
		control_reset(w);
	else if (dice_percent(&w->dice, 3))
		control_sa_delete(w);
	else
		DICE_PICK(&w->dice, kinds)(w);
}
