// SPDX-License-Identifier: GPL-2.0-only
/* policy_message.c - a policy as netlink tells it */
#include <string.h>

#include "keyd.h"

/* Of the SAs that serve it: those of its templates' reqid and destination. */
static bool policy_is_served_by(const struct keyd_policy *p, const struct keyd_sa *sa)
{
	const struct xfrm_user_tmpl *t = &p->template_[0];

	if (!p->templates || sa->state != SA_VALID || sa->info.mode != t->mode ||
	    (t->reqid && t->reqid != sa->info.reqid))
		return false;
	return t->mode != XFRM_MODE_TUNNEL || address_equal(&t->id.daddr, &sa->info.id.daddr, t->family);
}

/* When it was last used: as its SAs were. */
__u64 policy_use_time(struct keyd *k, const struct keyd_policy *p)
{
	struct keyd_sa *at = NULL;
	__u64 last = 0;

	while (p->templates && (at = store_find_reqid(k, p->template_[0].reqid, at))) {
		if (!policy_is_served_by(p, at))
			continue;
		if (at->last_used > last)
			last = at->last_used;
	}
	return last;
}

void policy_read_use(struct keyd *k, const struct keyd_policy *p)
{
	struct keyd_sa *at = NULL;

	while ((at = store_find_reqid(k, p->template_[0].reqid, at)))
		if (policy_is_served_by(p, at))
			sa_words_usage(k, at);
}

static size_t policy_body(__u16 type)
{
	return type == XFRM_MSG_DELPOLICY ? sizeof(struct xfrm_userpolicy_id) :
	       type == XFRM_MSG_POLEXPIRE ? sizeof(struct xfrm_user_polexpire) :
					    sizeof(struct xfrm_userpolicy_info);
}

void policy_message_attributes(struct nl_msg *m, const struct keyd_policy *p)
{
	const struct xfrm_userpolicy_type main_type = { .type = XFRM_POLICY_TYPE_MAIN };

	if (p->templates)
		nla_put(m, XFRMA_TMPL, (int)(p->templates * sizeof(p->template_[0])), p->template_);
	label_message(m, &p->label);
	nla_put(m, XFRMA_POLICY_TYPE, sizeof(main_type), &main_type);
	sa_message_mark(m, &p->mark);
	if (p->if_id)
		nla_put_u32(m, XFRMA_IF_ID, p->if_id);
}

/* DELPOLICY: its body is the caller's, the policy an attribute. */
struct nl_msg *policy_message(struct keyd *k, const struct keyd_policy *p, __u16 type, __u32 portid,
			      __u32 seq, int flags)
{
	struct xfrm_userpolicy_info info = p->info;
	struct nl_msg *m = nlmsg_alloc_size(4096);

	nlmsg_put(m, portid, seq, type, (int)policy_body(type), flags);
	memset(nlmsg_data(nlmsg_hdr(m)), 0, policy_body(type));
	info.curlft.use_time = policy_use_time(k, p);
	if (type == XFRM_MSG_DELPOLICY)
		nla_put(m, XFRMA_POLICY, sizeof(info), &info);
	else
		memcpy(nlmsg_data(nlmsg_hdr(m)), &info, sizeof(info));
	policy_message_attributes(m, p);
	return m;
}

struct nl_msg *policy_message_deleted(struct keyd *k, const struct keyd_policy *p, bool by_index, __u32 portid, __u32 seq)
{
	struct nl_msg *m = policy_message(k, p, XFRM_MSG_DELPOLICY, portid, seq, 0);
	struct xfrm_userpolicy_id *id = nlmsg_data(nlmsg_hdr(m));

	id->dir = p->info.dir;
	if (by_index)
		id->index = p->info.index;
	else
		id->sel = p->info.sel;
	return m;
}
