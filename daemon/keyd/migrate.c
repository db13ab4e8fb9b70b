// SPDX-License-Identifier: GPL-2.0-only
/*
 * migrate.c - MIGRATE: a policy's tunnels get other ends, and so do the SAs under them
 *
 * SPI, key, numbers and counts go on; ESP in UDP gets other ports where the message has them. What fails is
 * taken back.
 */
#include <errno.h>
#include <string.h>

#include "keyd.h"

struct migrate_encap {
	__u32 is_there;
	struct xfrm_encap_tmpl encap;
};

struct migration {
	const struct xfrm_user_migrate *to;
	int count;
	const struct xfrm_encap_tmpl *encap;	/* NULL: as it was */
	struct keyd_policy *policy;
	struct keyd_sa *sa[XFRM_MAX_DEPTH];	/* NULL: there was none */
	struct migrate_encap before[XFRM_MAX_DEPTH];
};

/* ---- is it one? --------------------------------------------------------------------------- */

static bool migrate_is_any(const xfrm_address_t *a, __u16 family)
{
	static const xfrm_address_t any;

	return address_equal(a, &any, family);
}

static bool migrate_is_same(const struct xfrm_user_migrate *a, const struct xfrm_user_migrate *b)
{
	return a->old_family == b->old_family && a->proto == b->proto && a->mode == b->mode &&
	       a->reqid == b->reqid && address_equal(&a->old_daddr, &b->old_daddr, a->old_family) &&
	       address_equal(&a->old_saddr, &b->old_saddr, a->old_family);
}

static int migrate_verify(struct request *r, const struct migration *g)
{
	int i, j;

	if (g->count < 1 || g->count > XFRM_MAX_DEPTH)
		return request_fail(r, -EINVAL, "Invalid number of SAs to migrate, must be 0 < num <= "
				    "XFRM_MAX_DEPTH (6)");
	for (i = 0; i < g->count; i++) {
		const struct xfrm_user_migrate *m = &g->to[i];

		if ((m->new_family != AF_INET && m->new_family != AF_INET6) ||
		    migrate_is_any(&m->new_daddr, m->new_family) || migrate_is_any(&m->new_saddr, m->new_family))
			return request_fail(r, -EINVAL, "Addresses in the MIGRATE attribute's list cannot be "
					    "null");
		for (j = 0; j < i; j++)
			if (migrate_is_same(m, &g->to[j]))
				return request_fail(r, -EINVAL, "Entries in the MIGRATE attribute's list must "
						    "be unique");
	}
	return 0;
}

/* ---- SAs ---------------------------------------------------------------------------------- */

static bool migrate_is_of(const struct request *r, const struct xfrm_user_migrate *m, const struct keyd_sa *sa)
{
	__u32 if_id = request_u32(r, XFRMA_IF_ID, 0);

	return sa->state == SA_VALID && sa->info.mode == m->mode && sa->info.id.proto == m->proto &&
	       (!m->reqid || sa->info.reqid == m->reqid) && (!if_id || sa->if_id == if_id) &&
	       sa->info.family == m->old_family &&
	       address_equal(&sa->info.id.daddr, &m->old_daddr, m->old_family) &&
	       address_equal(&sa->info.saddr, &m->old_saddr, m->old_family);
}

static struct keyd_sa *migrate_find(struct request *r, const struct xfrm_user_migrate *m)
{
	struct keyd_sa *sa;
	uint64_t below = 0;

	for (; (sa = store_next_sa(r->k, below)); below = sa->id)
		if (migrate_is_of(r, m, sa))
			return sa;
	return NULL;
}

static void migrate_name(struct keyd_sa *sa, const struct xfrm_user_migrate *m, bool back)
{
	sa->info.family = back ? m->old_family : m->new_family;
	sa->info.saddr = back ? m->old_saddr : m->new_saddr;
	sa->info.id.daddr = back ? m->old_daddr : m->new_daddr;
	mapping_begin(sa);
}

/* One that was not in UDP may be so from now on; one that was cannot be without, as in the kernel. */
static void migrate_encap(struct migration *g, int i, bool back)
{
	struct keyd_sa *sa = g->sa[i];

	if (back) {
		sa->has_encap = g->before[i].is_there;
		sa->encap = g->before[i].encap;
		return;
	}
	g->before[i] = (struct migrate_encap){ sa->has_encap, sa->encap };
	if (g->encap) {
		sa->has_encap = 1;
		sa->encap = *g->encap;
	}
}

/* Its use goes on from here, as the compartment counts that of the new one from 0. */
static int migrate_sa(struct request *r, struct migration *g, int i, bool back)
{
	struct keyd_sa *sa = g->sa[i];
	int err;

	sa_words_usage(r->k, sa);
	sa->state = SA_CHANGING;
	err = sa_words_delete(r->k, sa);
	if (err && err != -ESRCH) {		/* it is where it was */
		sa->state = SA_VALID;
		if (!back)
			g->sa[i] = NULL;
		return err;
	}
	sa->before = sa->info.curlft;
	migrate_encap(g, i, back);
	migrate_name(sa, &g->to[i], back);
	err = sa_words_add(r->k, sa, r);
	if (!err)
		sa->state = SA_VALID;
	return err;
}

/* One that cannot be had back goes: fail closed. */
static void migrate_back(struct request *r, struct migration *g, int count)
{
	while (count--)
		if (g->sa[count] && migrate_sa(r, g, count, true))
			removal_sa_promised(r->k, g->sa[count]);
}

static int migrate_sas(struct request *r, struct migration *g)
{
	int i, err;

	for (i = 0; i < g->count; i++) {
		g->sa[i] = migrate_find(r, &g->to[i]);
		err = g->sa[i] ? migrate_sa(r, g, i, false) : 0;
		if (err) {
			migrate_back(r, g, i + 1);
			return err;
		}
	}
	return 0;
}

/* ---- the policy ------------------------------------------------------------------------------ */

static bool migrate_is_template(const struct xfrm_user_migrate *m, const struct xfrm_user_tmpl *t)
{
	if (t->mode != m->mode || t->id.proto != m->proto || (m->reqid && t->reqid != m->reqid))
		return false;
	return t->mode == XFRM_MODE_TRANSPORT ||
	       (t->family == m->old_family && address_equal(&t->id.daddr, &m->old_daddr, t->family) &&
		address_equal(&t->saddr, &m->old_saddr, t->family));
}

static int migrate_template(struct xfrm_user_tmpl *t, const struct migration *g)
{
	int i;

	for (i = 0; i < g->count; i++) {
		if (!migrate_is_template(&g->to[i], t))
			continue;
		if (t->mode != XFRM_MODE_TRANSPORT) {
			t->family = g->to[i].new_family;
			t->id.daddr = g->to[i].new_daddr;
			t->saddr = g->to[i].new_saddr;
		}
		return 1;
	}
	return 0;
}

static int migrate_policy(struct request *r, const struct migration *g)
{
	struct keyd_policy to = *g->policy;
	int hits = 0, err;
	__u32 i;

	for (i = 0; i < to.templates; i++)
		hits += migrate_template(&to.template_[i], g);
	if (!hits)
		return -ENODATA;
	err = policy_words_set(r->k, &to, r);
	if (err)
		return err;
	hand_decide(r->k, 0);
	*g->policy = to;
	return 0;
}

/* ---- it is told --------------------------------------------------------------------------------- */

static void migrate_put(struct nl_msg *m, const struct request *r, int type)
{
	if (r->attr[type])
		nla_put(m, type, nla_len(r->attr[type]), nla_data(r->attr[type]));
}

static void migrate_told(struct request *r, const struct migration *g)
{
	struct nl_msg *m = nlmsg_alloc_size(4096);
	const struct xfrm_userpolicy_id *asked = r->body;
	struct xfrm_userpolicy_type type = { .type = XFRM_POLICY_TYPE_MAIN };
	struct xfrm_userpolicy_id *id;
	int i;

	nlmsg_put(m, 0, 0, XFRM_MSG_MIGRATE, sizeof(*id), 0);
	id = nlmsg_data(nlmsg_hdr(m));
	memset(id, 0, sizeof(*id));
	id->sel = asked->sel;
	id->dir = asked->dir;
	migrate_put(m, r, XFRMA_KMADDRESS);
	migrate_put(m, r, XFRMA_ENCAP);
	nla_put(m, XFRMA_POLICY_TYPE, sizeof(type), &type);
	for (i = 0; i < g->count; i++)
		nla_put(m, XFRMA_MIGRATE, sizeof(g->to[i]), &g->to[i]);
	relay_multicast(r->k, XFRMNLGRP_MIGRATE, m);
}

int migrate_new(struct request *r)
{
	const struct nlattr *a = r->attr[XFRMA_MIGRATE];
	const struct xfrm_userpolicy_id *id = r->body;
	struct migration g = { .to = a ? nla_data(a) : NULL,
			       .count = a ? nla_len(a) / (int)sizeof(struct xfrm_user_migrate) : 0 };
	int err = a ? policy_verify_type(r) : request_fail(r, -EINVAL, "Missing required MIGRATE attribute");

	if (!err)
		err = migrate_verify(r, &g);
	if (!err && id->dir > XFRM_POLICY_FWD)
		err = request_fail(r, -EINVAL, "Invalid policy direction");
	if (err)
		return err;
	g.encap = r->attr[XFRMA_ENCAP] ? nla_data(r->attr[XFRMA_ENCAP]) : NULL;
	g.policy = policy_of_selector(r, id->dir, &id->sel);
	if (!g.policy || g.policy->state == SA_ENDING)
		return request_fail(r, -ENOENT, "Target policy not found");
	err = migrate_sas(r, &g);
	if (err)
		return err;
	err = migrate_policy(r, &g);
	if (err)
		migrate_back(r, &g, g.count);
	else
		migrate_told(r, &g);
	return err;
}
