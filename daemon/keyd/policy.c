// SPDX-License-Identifier: GPL-2.0-only
/* policy.c - the policies: NEWPOLICY, UPDPOLICY, DELPOLICY, GETPOLICY, FLUSHPOLICY, POLEXPIRE */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "keyd.h"

/* ---- finding ------------------------------------------------------------------------- */

struct wanted {
	__u8 dir;
	__u32 index, if_id;		/* index 0: by selector */
	struct xfrm_mark mark;
	struct xfrm_selector selector;
};

static bool policy_is(const struct keyd_policy *p, const struct wanted *w)
{
	if (!p->state || p->info.dir != w->dir || p->if_id != w->if_id)
		return false;
	if (w->index)
		return p->info.index == w->index && (w->mark.v & w->mark.m & p->mark.m) == p->mark.v;
	return p->mark.v == w->mark.v && p->mark.m == w->mark.m &&
	       !memcmp(&p->info.sel, &w->selector, sizeof(w->selector));
}

static struct keyd_policy *policy_find(struct keyd *k, const struct wanted *w)
{
	struct keyd_policy *at = store_policies(k), *end = at + k->store->policies;

	for (; at < end; at++)
		if (policy_is(at, w))
			return at;
	return NULL;
}

static struct keyd_policy *policy_by_index(struct keyd *k, __u32 index)
{
	struct keyd_policy *at = store_policies(k), *end = at + k->store->policies;

	for (; at < end; at++)
		if (at->state && at->info.index == index)
			return at;
	return NULL;
}

static void policy_wanted(const struct request *r, struct wanted *w, __u8 dir, __u32 index,
			  const struct xfrm_selector *selector)
{
	memset(w, 0, sizeof(*w));
	w->dir = dir;
	w->index = index;
	w->selector = *selector;
	w->if_id = request_u32(r, XFRMA_IF_ID, 0);
	request_mark(r, &w->mark);
}

struct keyd_policy *policy_of_selector(const struct request *r, __u8 dir, const struct xfrm_selector *selector)
{
	struct wanted w;

	policy_wanted(r, &w, dir, 0, selector);
	return policy_find(r->k, &w);
}

/* As the kernel's: multiples of 8 and the direction, never 0. */
static __u32 policy_index(struct keyd *k, __u8 dir)
{
	__u32 index;

	do {
		index = k->store->index_generator | dir;
		if (!index)
			index = 8;
		k->store->index_generator += 8;
	} while (policy_by_index(k, index));
	return index;
}

/* ---- adding --------------------------------------------------------------------------- */

static void policy_take(struct keyd_policy *p, const struct request *r)
{
	const struct nlattr *t = r->attr[XFRMA_TMPL];

	p->info = *(const struct xfrm_userpolicy_info *)r->body;
	memset(&p->info.curlft, 0, sizeof(p->info.curlft));
	p->info.curlft.add_time = (__u64)time(NULL);
	p->info.share = XFRM_SHARE_ANY;
	request_mark(r, &p->mark);
	p->if_id = request_u32(r, XFRMA_IF_ID, 0);
	p->templates = t ? (__u32)((size_t)nla_len(t) / sizeof(p->template_[0])) : 0;
	if (p->templates)
		memcpy(p->template_, nla_data(t), p->templates * sizeof(p->template_[0]));
}

static void policy_told(struct request *r, const struct keyd_policy *p, __u16 type)
{
	relay_multicast(r->k, XFRMNLGRP_POLICY,
			policy_message(r->k, p, type, r->head->nlmsg_pid, r->head->nlmsg_seq, 0));
}

/* The compartment replaces it by its index; here the new one is the younger. */
static int policy_put(struct request *r, struct keyd_policy *old)
{
	struct keyd_policy *p = store_new_policy(r->k);
	int err;

	if (!p)
		return request_fail(r, -ENOBUFS, "ipsec-port-keyd: no room for another policy");
	policy_take(p, r);
	if (old)
		p->info.index = old->info.index;
	else if (!p->info.index || policy_by_index(r->k, p->info.index))
		p->info.index = policy_index(r->k, p->info.dir);
	p->state = SA_CHANGING;
	err = policy_words_set(r->k, p, r);
	if (err) {
		store_free_policy(r->k, p);
		return err;
	}
	if (old)
		store_free_policy(r->k, old);
	p->state = SA_VALID;
	policy_told(r, p, r->head->nlmsg_type);
	return 0;
}

int policy_new(struct request *r)
{
	const struct xfrm_userpolicy_info *info = r->body;
	struct nlattr *t = r->attr[XFRMA_TMPL];
	struct keyd_policy *old;
	struct wanted w;
	int err = policy_verify(r, info);

	if (!err)
		err = policy_verify_type(r);
	if (!err && t)
		err = policy_verify_templates(r, nla_data(t), nla_len(t) / (int)sizeof(struct xfrm_user_tmpl),
					      info);
	if (err)
		return err;
	policy_wanted(r, &w, info->dir, 0, &info->sel);
	old = policy_find(r->k, &w);
	if (old && r->head->nlmsg_type == XFRM_MSG_NEWPOLICY)
		return -EEXIST;
	return policy_put(r, old);
}

/* ---- deleting and telling ---------------------------------------------------------------- */

static void policy_remove(struct keyd *k, struct keyd_policy *p)
{
	p->state = SA_CHANGING;
	policy_words_delete(k, p);
	store_free_policy(k, p);
}

static void policy_told_deleted(struct request *r, const struct keyd_policy *p, bool by_index)
{
	struct nl_msg *m = policy_message(r->k, p, XFRM_MSG_DELPOLICY, r->head->nlmsg_pid, r->head->nlmsg_seq, 0);
	struct xfrm_userpolicy_id *id = nlmsg_data(nlmsg_hdr(m));

	id->dir = p->info.dir;
	if (by_index)
		id->index = p->info.index;
	else
		id->sel = p->info.sel;
	relay_multicast(r->k, XFRMNLGRP_POLICY, m);
}

int policy_get(struct request *r)
{
	const struct xfrm_userpolicy_id *id = r->body;
	struct keyd_policy *p, copy;
	struct wanted w;
	int err = policy_verify_type(r);

	if (err)
		return err;
	if (id->dir > XFRM_POLICY_FWD)
		return request_fail(r, -EINVAL, "Invalid policy direction");
	policy_wanted(r, &w, id->dir, id->index, &id->sel);
	p = policy_find(r->k, &w);
	if (!p)
		return -ENOENT;
	if (r->head->nlmsg_type == XFRM_MSG_GETPOLICY) {
		policy_read_use(r->k, p);
		relay_answer(r, policy_message(r->k, p, XFRM_MSG_NEWPOLICY, r->from->portid,
					       r->head->nlmsg_seq, 0), 0);
		return 0;
	}
	copy = *p;
	policy_remove(r->k, p);
	policy_told_deleted(r, &copy, id->index);
	return 0;
}

int policy_flush(struct request *r)
{
	struct keyd_policy *at = store_policies(r->k);
	__u32 i, most = r->k->store->policies;
	struct nl_msg *m;
	int count = 0, err = policy_verify_type(r);

	if (err)
		return err;
	for (i = 0; i < most; i++) {
		if (!at[i].state)
			continue;
		policy_remove(r->k, &at[i]);
		count++;
	}
	if (!count)
		return 0;
	m = nlmsg_alloc();
	nlmsg_put(m, r->head->nlmsg_pid, r->head->nlmsg_seq, XFRM_MSG_FLUSHPOLICY, 0, 0);
	nla_put(m, XFRMA_POLICY_TYPE, sizeof(struct xfrm_userpolicy_type), &(struct xfrm_userpolicy_type){ 0 });
	relay_multicast(r->k, XFRMNLGRP_POLICY, m);
	return 0;
}

int policy_dump(struct request *r)
{
	static char room[IPSP_XFRM_MAX];
	uint64_t cursor[2] = { r->from->cursor[0], 0 };
	struct keyd_policy *p;
	size_t used = 0, size;
	struct nl_msg *m;

	for (; (p = store_next_policy(r->k, cursor[0])); cursor[0] = p->id) {
		m = policy_message(r->k, p, XFRM_MSG_NEWPOLICY, r->from->portid, r->head->nlmsg_seq, NLM_F_MULTI);
		size = NLMSG_ALIGN(nlmsg_hdr(m)->nlmsg_len);
		if (used + size <= r->from->room)
			memcpy(room + used, nlmsg_hdr(m), size);
		nlmsg_free(m);
		if (used + size > r->from->room)
			break;
		used += size;
	}
	relay_part(r, room, used, p ? IPSP_XFRMF_MORE : 0, cursor, 0);
	return 0;
}

/* ---- POLEXPIRE ---------------------------------------------------------------------------- */

static void policy_told_expired(struct request *r, const struct keyd_policy *p, bool hard)
{
	struct nl_msg *m = policy_message(r->k, p, XFRM_MSG_POLEXPIRE, r->head->nlmsg_pid, 0, 0);
	struct xfrm_user_polexpire *e = nlmsg_data(nlmsg_hdr(m));

	e->hard = hard;
	relay_multicast(r->k, XFRMNLGRP_EXPIRE, m);
}

int policy_expire(struct request *r)
{
	const struct xfrm_user_polexpire *e = r->body;
	struct keyd_policy *p, copy;
	struct wanted w;
	int err = policy_verify_type(r);

	if (err)
		return err;
	if (e->pol.dir > XFRM_POLICY_FWD)
		return request_fail(r, -EINVAL, "Invalid policy direction");
	policy_wanted(r, &w, e->pol.dir, e->pol.index, &e->pol.sel);
	p = policy_find(r->k, &w);
	if (!p)
		return -ENOENT;
	copy = *p;
	if (e->hard)
		policy_remove(r->k, p);
	policy_told_expired(r, &copy, e->hard);
	return 0;
}

/* ---- the default ---------------------------------------------------------------------------- */

static struct nl_msg *policy_default_message(struct keyd *k, __u32 portid, __u32 seq)
{
	struct nl_msg *m = nlmsg_alloc();

	nlmsg_put(m, portid, seq, XFRM_MSG_GETDEFAULT, sizeof(k->store->default_), 0);
	memcpy(nlmsg_data(nlmsg_hdr(m)), &k->store->default_, sizeof(k->store->default_));
	return m;
}

int policy_default_get(struct request *r)
{
	relay_answer(r, policy_default_message(r->k, r->from->portid, r->head->nlmsg_seq), 0);
	return 0;
}

/* The rules say what a flow without policy is; here only what that is already can be asked for. */
int policy_default_set(struct request *r)
{
	const struct xfrm_userpolicy_default *d = r->body;

	if (d->in == XFRM_USERPOLICY_BLOCK || d->fwd == XFRM_USERPOLICY_BLOCK || d->out == XFRM_USERPOLICY_BLOCK)
		return request_fail(r, -EOPNOTSUPP, "ipsec-port: default block is not served; "
				    "wanted: a rule with protect");
	relay_multicast(r->k, XFRMNLGRP_POLICY, policy_default_message(r->k, 0, 0));
	return 0;
}

/* ---- after a restart ------------------------------------------------------------------------ */

/* One that was on its way is put in force, or the one that it replaced would be lost. */
void policy_recover(struct keyd *k)
{
	struct keyd_policy *p;
	uint64_t below = 0;

	while ((p = store_next_policy(k, below))) {
		below = p->id;
		if (p->state == SA_CHANGING)
			policy_remove(k, p);
		else
			policy_words_set(k, p, NULL);
	}
}
