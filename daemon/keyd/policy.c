// SPDX-License-Identifier: GPL-2.0-only
/* policy.c - the policies: NEWPOLICY, UPDPOLICY, DELPOLICY, GETPOLICY, FLUSHPOLICY, POLEXPIRE */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keyd.h"

/* ---- finding ------------------------------------------------------------------------- */

struct wanted {
	__u8 dir;
	bool is_sub;
	__u32 index, if_id;		/* index 0: by selector */
	struct xfrm_mark mark;
	struct xfrm_selector selector;
	struct keyd_label label;
};

static bool policy_is(const struct keyd_policy *p, const struct wanted *w)
{
	if (!p->state || p->info.dir != w->dir || p->if_id != w->if_id || p->mark.v != w->mark.v || p->mark.m != w->mark.m)
		return false;
	if (w->index)
		return p->info.index == w->index;
	return label_is(&p->label, &w->label) && !memcmp(&p->info.sel, &w->selector, sizeof(w->selector));
}

static struct keyd_policy *policy_find(struct keyd *k, const struct wanted *w)
{
	__u32 sum = store_sum(&w->selector);
	struct keyd_policy *at = NULL, *ending = NULL;

	while (!w->is_sub && (at = w->index ? store_find_index(k, w->index, at) : store_find_selector(k, sum, at))) {
		if (!policy_is(at, w))
			continue;
		if (at->state != SA_ENDING)
			return at;
		ending = at;
	}
	return ending;
}

static struct keyd_policy *policy_by_index(struct keyd *k, __u32 index)
{
	struct keyd_policy *at = NULL;

	while ((at = store_find_index(k, index, at)))
		if (at->state)
			return at;
	return NULL;
}

static void policy_wanted(const struct request *r, struct wanted *w, __u8 dir, __u32 index,
			  const struct xfrm_selector *selector)
{
	memset(w, 0, sizeof(*w));
	w->is_sub = policy_is_sub(r);
	w->dir = dir;
	w->index = index;
	w->selector = *selector;
	w->if_id = request_u32(r, XFRMA_IF_ID, 0);
	request_mark(r, &w->mark);
	label_take(&w->label, r);
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

static void policy_take_template(struct xfrm_user_tmpl *to, const struct xfrm_user_tmpl *from)
{
	*to = (struct xfrm_user_tmpl){
		.id = from->id, .family = from->family, .saddr = from->saddr, .reqid = from->reqid, .mode = from->mode,
		.share = from->share, .optional = from->optional, .aalgos = from->aalgos, .ealgos = from->ealgos,
		.calgos = from->calgos,
	};
}

void policy_take(struct keyd_policy *p, const struct request *r, const struct xfrm_userpolicy_info *info)
{
	const struct nlattr *t = r->attr[XFRMA_TMPL];
	__u32 i;

	p->info = (struct xfrm_userpolicy_info){	/* and nothing of what lies between its members */
		.sel = info->sel, .lft = info->lft, .priority = info->priority, .index = info->index, .dir = info->dir,
		.action = info->action, .flags = info->flags,
	};
	p->info.curlft.add_time = (__u64)time(NULL);
	p->info.share = XFRM_SHARE_ANY;
	request_mark(r, &p->mark);
	p->mark.v &= p->mark.m;			/* as the kernel keeps it */
	p->if_id = request_u32(r, XFRMA_IF_ID, 0);
	label_take(&p->label, r);
	p->templates = t ? (__u32)((size_t)nla_len(t) / sizeof(p->template_[0])) : 0;
	for (i = 0; i < p->templates; i++)
		policy_take_template(&p->template_[i], (const struct xfrm_user_tmpl *)nla_data(t) + i);
}

static void policy_told(struct request *r, const struct keyd_policy *p, __u16 type)
{
	relay_multicast(r->k, XFRMNLGRP_POLICY,
			policy_message(r->k, p, type, r->head->nlmsg_pid, r->head->nlmsg_seq, 0));
}

/* The new one's compartment has replaced it by its index; another one still has it. */
static void policy_replaced(struct keyd *k, struct keyd_policy *old, const struct keyd_policy *by)
{
	if (strcmp(old->compartment, by->compartment))
		removal_policy_promised(k, old);
	else
		store_free_policy(k, old);
}

/* In force at once, the old one is then taken away: between the two it may lie in two compartments, never in none. */
static int policy_put(struct request *r, struct keyd_policy *old)
{
	struct keyd_policy *p = store_new_policy(r->k);
	int err;

	if (!p)
		return request_fail(r, -ENOBUFS, "ipsec-port-keyd: no room for another policy");
	policy_take(p, r, r->body);
	if (old)
		p->info.index = old->info.index;
	else if (!p->info.index || policy_by_index(r->k, p->info.index))
		p->info.index = policy_index(r->k, p->info.dir);
	strcpy(p->compartment, place_of_policy(r->k, p));
	store_named_policy(r->k, p);
	p->state = SA_CHANGING;
	err = policy_words_set(r->k, p, r);
	if (err) {
		store_free_policy(r->k, p);
		return err;
	}
	hand_decide(r->k, 0);
	if (old)
		policy_replaced(r->k, old, p);
	p->state = SA_VALID;
	policy_told(r, p, r->head->nlmsg_type);
	return 0;
}

int policy_new(struct request *r)
{
	const struct xfrm_userpolicy_info *info = r->body;
	struct keyd_policy *old;
	struct wanted w;
	int err = policy_verify(r, info);

	if (err)
		return err;
	policy_wanted(r, &w, info->dir, 0, &info->sel);
	w.mark.v &= w.mark.m;
	old = policy_find(r->k, &w);
	if (old && old->state != SA_ENDING && r->head->nlmsg_type == XFRM_MSG_NEWPOLICY)
		return -EEXIST;
	return policy_put(r, old);
}

/* ---- deleting and telling ---------------------------------------------------------------- */

static void policy_told_deleted(struct request *r, const struct keyd_policy *p, bool by_index)
{
	relay_multicast(r->k, XFRMNLGRP_POLICY,
			policy_message_deleted(r->k, p, by_index, r->head->nlmsg_pid, r->head->nlmsg_seq));
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
	err = id->index ? 0 : sa_verify_context(r);
	if (err)
		return err;
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
	err = removal_policy(r, p);
	if (!err)
		policy_told_deleted(r, &copy, id->index);
	return err;
}

int policy_flush(struct request *r)
{
	struct keyd_policy *at = store_policies(r->k);
	__u32 i = policy_is_sub(r) ? 0 : r->k->store->policies;
	struct nl_msg *m;
	int count = 0, err = policy_verify_type(r), refused;

	if (err)
		return err;
	removal_begin(r->k);
	while (i--) {				/* the last first: lists are not moved for each */
		if (!at[i].state)
			continue;
		refused = removal_policy_in_pass(r->k, &at[i]);
		err = err ?: refused;
		count++;
	}
	if (!count)
		return 0;
	m = nlmsg_alloc();
	nlmsg_put(m, r->head->nlmsg_pid, r->head->nlmsg_seq, XFRM_MSG_FLUSHPOLICY, 0, 0);
	nla_put(m, XFRMA_POLICY_TYPE, sizeof(struct xfrm_userpolicy_type), &(struct xfrm_userpolicy_type){ 0 });
	relay_multicast(r->k, XFRMNLGRP_POLICY, m);
	return err ? removal_fail_flush(r, err) : 0;
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

void policy_told_expired(struct keyd *k, const struct keyd_policy *p, bool hard, __u32 portid)
{
	struct nl_msg *m = policy_message(k, p, XFRM_MSG_POLEXPIRE, portid, 0, 0);
	struct xfrm_user_polexpire *e = nlmsg_data(nlmsg_hdr(m));

	e->hard = hard;
	relay_multicast(k, XFRMNLGRP_EXPIRE, m);
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
	err = e->pol.index ? 0 : sa_verify_context(r);
	if (err)
		return err;
	policy_wanted(r, &w, e->pol.dir, e->pol.index, &e->pol.sel);
	p = policy_find(r->k, &w);
	if (!p)
		return -ENOENT;
	copy = *p;
	err = e->hard ? removal_policy(r, p) : 0;
	hand_decide(r->k, err);
	if (!err)
		policy_told_expired(r->k, &copy, e->hard, r->head->nlmsg_pid);
	return err;
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

/* Those that it takes the place of. */
static void recover_replaced(struct keyd *k, const struct keyd_policy *p)
{
	struct keyd_policy *at = store_policies(k), *end = at + k->store->policies;

	for (; at < end; at++)
		if (at != p && at->state && at->info.index == p->info.index && at->id < p->id)
			policy_replaced(k, at, p);
}

static int older_first(const void *a, const void *b)
{
	const struct keyd_policy *const *x = a, *const *y = b;

	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

/* In the order of their age: one that is put counts as the youngest of its priority. */
static void recover_put(struct keyd *k)
{
	struct keyd_policy *at = store_policies(k), *end = at + k->store->policies;
	struct keyd_policy **all = calloc(k->store->policies + 1, sizeof(*all));
	size_t count = 0, i;

	for (; all && at < end; at++)
		if (at->state == SA_VALID)
			all[count++] = at;
	if (count)
		qsort(all, count, sizeof(*all), older_first);
	for (i = 0; i < count; i++)
		policy_words_set(k, all[i], NULL);
	free(all);
}

/* One that was decided is in force; one that was not goes, and what it had replaced is put again. */
void policy_recover(struct keyd *k)
{
	struct keyd_policy *p;
	uint64_t below = 0;

	removal_begin(k);
	while ((p = store_next_policy(k, below))) {
		below = p->id;
		if (p->state == SA_LEAVING)		/* who wanted that is served again */
			p->state = SA_VALID;
		if (p->state == SA_CHANGING && hand_put(k, p)) {
			recover_replaced(k, p);
			p->state = SA_VALID;
		}
		if (p->state == SA_CHANGING || p->state == SA_ENDING)
			removal_policy_in_pass(k, p);
	}
	recover_put(k);
}
