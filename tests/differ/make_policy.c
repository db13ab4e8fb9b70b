// SPDX-License-Identifier: GPL-2.0
/* make_policy.c - messages about policies: few selectors, so that they meet */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "differ.h"

static uint16_t policy_family(struct maker *k)
{
	return dice_percent(&k->dice, 60) ? AF_INET : AF_INET6;
}

static uint8_t policy_direction(struct maker *k)
{
	return (uint8_t)dice_below(&k->dice, dice_percent(&k->dice, 2) ? 9 : 3);
}

static uint32_t policy_index(struct maker *k)
{
	if (k->learned->indices && dice_percent(&k->dice, 90))
		return k->learned->index[dice_below(&k->dice, k->learned->indices)];
	return dice_below(&k->dice, 2000);
}

static void policy_info(struct maker *k, struct xfrm_userpolicy_info *p)
{
	make_state_selector(k, &p->sel, policy_family(k));
	p->lft.soft_byte_limit = p->lft.hard_byte_limit = XFRM_INF;
	p->lft.soft_packet_limit = p->lft.hard_packet_limit = XFRM_INF;
	if (dice_percent(&k->dice, 5))
		p->lft.hard_add_expires_seconds = 1000000;
	p->priority = 10 * dice_below(&k->dice, 4);
	p->dir = policy_direction(k);
	if (dice_percent(&k->dice, 5))
		p->index = 8 * dice_between(&k->dice, 1000, 1004) + p->dir;
	if (dice_percent(&k->dice, 2))
		p->index = policy_index(k);
	p->action = (uint8_t)dice_below(&k->dice, dice_percent(&k->dice, 2) ? 5 : dice_percent(&k->dice, 15) ? 2 : 1);
	p->share = dice_percent(&k->dice, 3) ? (uint8_t)dice_below(&k->dice, 6) : 0;
	p->flags = dice_percent(&k->dice, 4) ? (uint8_t)dice_below(&k->dice, 4) : 0;
}

static void policy_template(struct maker *k, struct xfrm_user_tmpl *t, const struct xfrm_userpolicy_info *p)
{
	static const uint8_t odd[] = { IPPROTO_AH, IPPROTO_COMP, 0, 255, 17, IPPROTO_ROUTING };
	unsigned int to = dice_percent(&k->dice, 50);

	memset(t, 0, sizeof(*t));
	t->family = dice_percent(&k->dice, 90) ? p->sel.family : policy_family(k);
	make_state_address(k, t->family, to, &t->id.daddr);
	make_state_address(k, t->family, !to, &t->saddr);
	t->id.proto = dice_percent(&k->dice, 3) ? DICE_PICK(&k->dice, odd) : IPPROTO_ESP;
	t->id.spi = dice_percent(&k->dice, 10) ? htonl(dice_between(&k->dice, 0x1001, 0x1004)) : 0;
	t->reqid = dice_below(&k->dice, 3);
	t->mode = dice_percent(&k->dice, 80) ? XFRM_MODE_TUNNEL : (uint8_t)dice_below(&k->dice, dice_percent(&k->dice, 10) ? 9 : 2);
	t->optional = dice_percent(&k->dice, 5);
	t->share = dice_percent(&k->dice, 2) ? 3 : 0;
	t->aalgos = t->ealgos = t->calgos = dice_percent(&k->dice, 80) ? ~0u : 7;
}

static void policy_templates(struct maker *k, const struct xfrm_userpolicy_info *p)
{
	struct xfrm_user_tmpl t[8];
	unsigned int i, count = dice_percent(&k->dice, 2) ? dice_below(&k->dice, 9) : 1;

	for (i = 0; i < count && i < 8; i++)
		policy_template(k, &t[i], p);
	message_attribute(k, XFRMA_TMPL, t, i * sizeof(t[0]));
}

static void policy_type(struct maker *k)
{
	struct xfrm_userpolicy_type t = { .type = dice_percent(&k->dice, 80) ? 0 : (uint8_t)dice_below(&k->dice, 4) };

	if (dice_percent(&k->dice, 10))
		message_attribute(k, XFRMA_POLICY_TYPE, &t, sizeof(t));
}

static void policy_message(struct maker *k, uint16_t type)
{
	struct xfrm_userpolicy_info *p = message_begin(k, type, sizeof(*p));

	policy_info(k, p);
	if (dice_percent(&k->dice, 85))
		policy_templates(k, p);
	policy_type(k);
	make_state_mark(k);
}

void make_policy_new(struct maker *k) { policy_message(k, XFRM_MSG_NEWPOLICY); }
void make_policy_update(struct maker *k) { policy_message(k, XFRM_MSG_UPDPOLICY); }

static void policy_named(struct maker *k, uint16_t type)
{
	struct xfrm_userpolicy_id *id = message_begin(k, type, sizeof(*id));

	make_state_selector(k, &id->sel, policy_family(k));
	id->dir = policy_direction(k);
	if (dice_percent(&k->dice, 45)) {
		id->index = policy_index(k);
		if (dice_percent(&k->dice, 90))
			id->dir = id->index & 7;
	}
	policy_type(k);
	make_state_mark(k);
}

void make_policy_delete(struct maker *k) { policy_named(k, XFRM_MSG_DELPOLICY); }
void make_policy_get(struct maker *k) { policy_named(k, XFRM_MSG_GETPOLICY); }

void make_policy_dump(struct maker *k)
{
	message_begin(k, XFRM_MSG_GETPOLICY, 0);
	k->m.head.nlmsg_flags |= NLM_F_DUMP;
}

void make_policy_flush(struct maker *k)
{
	message_begin(k, XFRM_MSG_FLUSHPOLICY, 0);
	policy_type(k);
}

void make_policy_expire(struct maker *k)
{
	struct xfrm_user_polexpire *e = message_begin(k, XFRM_MSG_POLEXPIRE, sizeof(*e));

	policy_info(k, &e->pol);
	if (dice_percent(&k->dice, 50)) {
		e->pol.index = policy_index(k);
		e->pol.dir = e->pol.index & 7;
	}
	e->hard = (uint8_t)dice_below(&k->dice, 3);
	policy_type(k);
	make_state_mark(k);
}

void make_policy_acquire(struct maker *k)
{
	struct xfrm_user_acquire *a = message_begin(k, XFRM_MSG_ACQUIRE, sizeof(*a));

	policy_info(k, &a->policy);
	a->sel = a->policy.sel;
	a->id.daddr = a->sel.daddr;
	a->id.proto = IPPROTO_ESP;
	a->saddr = a->sel.saddr;
	a->aalgos = a->ealgos = a->calgos = dice_below(&k->dice, 16);
	if (dice_percent(&k->dice, 95))
		policy_templates(k, &a->policy);
	policy_type(k);
	make_state_mark(k);
}

static void policy_move(struct maker *k, struct xfrm_user_migrate *m, uint16_t family)
{
	unsigned int to = dice_percent(&k->dice, 50);

	memset(m, 0, sizeof(*m));
	m->old_family = m->new_family = family;
	if (dice_percent(&k->dice, 5))
		m->new_family = policy_family(k);
	make_state_address(k, m->old_family, to, &m->old_daddr);
	make_state_address(k, m->old_family, !to, &m->old_saddr);
	make_state_address(k, m->new_family, dice_percent(&k->dice, 80) ? to : 2, &m->new_daddr);
	make_state_address(k, m->new_family, dice_percent(&k->dice, 80) ? !to : 2, &m->new_saddr);
	m->proto = dice_percent(&k->dice, 95) ? IPPROTO_ESP : IPPROTO_AH;
	m->mode = dice_percent(&k->dice, 90) ? XFRM_MODE_TUNNEL : (uint8_t)dice_below(&k->dice, 6);
	m->reqid = dice_below(&k->dice, 3);
}

void make_policy_migrate(struct maker *k)
{
	struct xfrm_userpolicy_id *id = message_begin(k, XFRM_MSG_MIGRATE, sizeof(*id));
	struct xfrm_user_kmaddress ends = { .family = AF_INET };
	struct xfrm_user_migrate m[8];
	unsigned int i, count = dice_percent(&k->dice, 10) ? dice_below(&k->dice, 9) : 1;
	uint16_t family = policy_family(k);

	make_state_selector(k, &id->sel, family);
	id->dir = policy_direction(k);
	for (i = 0; i < count && i < 8; i++)
		policy_move(k, &m[i], family);
	if (dice_percent(&k->dice, 97))
		message_attribute(k, XFRMA_MIGRATE, m, i * sizeof(m[0]));
	if (dice_percent(&k->dice, 10))
		message_attribute(k, XFRMA_KMADDRESS, &ends, sizeof(ends));
	policy_type(k);
}

void make_policy_default_set(struct maker *k)
{
	struct xfrm_userpolicy_default *d = message_begin(k, XFRM_MSG_SETDEFAULT, sizeof(*d));

	d->in = (uint8_t)dice_below(&k->dice, dice_percent(&k->dice, 5) ? 4 : 1) * 2;
	d->fwd = (uint8_t)(dice_below(&k->dice, 2) * 2);
	d->out = XFRM_USERPOLICY_ACCEPT;
}

void make_policy_default_get(struct maker *k)
{
	message_begin(k, XFRM_MSG_GETDEFAULT, sizeof(struct xfrm_userpolicy_default));
}

void make_policy_count(struct maker *k)
{
	*(uint32_t *)message_begin(k, XFRM_MSG_GETSPDINFO, sizeof(uint32_t)) = dice_below(&k->dice, 4);
}

void make_policy_thresholds(struct maker *k)
{
	struct xfrmu_spdhthresh four = { (uint8_t)dice_below(&k->dice, 34), (uint8_t)dice_below(&k->dice, 33) };
	struct xfrmu_spdhthresh six = { (uint8_t)dice_below(&k->dice, 130), (uint8_t)dice_below(&k->dice, 129) };

	message_begin(k, XFRM_MSG_NEWSPDINFO, sizeof(uint32_t));
	if (dice_percent(&k->dice, 60))
		message_attribute(k, XFRMA_SPD_IPV4_HTHRESH, &four, sizeof(four));
	if (dice_percent(&k->dice, 60))
		message_attribute(k, XFRMA_SPD_IPV6_HTHRESH, &six, dice_percent(&k->dice, 5) ? 1 : sizeof(six));
}
