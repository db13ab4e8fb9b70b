// SPDX-License-Identifier: GPL-2.0-only
/* policy_verify.c - is a policy one that XFRM would take? */
#include <arpa/inet.h>
#include <errno.h>

#include "keyd.h"

static int verify_selector(struct request *r, const struct xfrm_selector *s)
{
	unsigned int most = s->family == AF_INET ? 32 : 128;

	if (s->family != AF_INET && s->family != AF_INET6)
		return request_fail(r, -EINVAL, "Invalid selector family");
	if (s->prefixlen_d > most || s->prefixlen_s > most)
		return request_fail(r, -EINVAL, "Invalid prefix length in selector (must be <= %u for IPv%d)",
				    most, s->family == AF_INET ? 4 : 6);
	return 0;
}

static int verify_info(struct request *r, const struct xfrm_userpolicy_info *info)
{
	int err;

	if (info->share > XFRM_SHARE_UNIQUE)
		return request_fail(r, -EINVAL, "Invalid policy share");
	if (info->action > XFRM_POLICY_BLOCK)
		return request_fail(r, -EINVAL, "Invalid policy action");
	err = verify_selector(r, &info->sel);
	if (err)
		return err;
	if (info->dir > XFRM_POLICY_FWD)
		return request_fail(r, -EINVAL, "Invalid policy direction");
	if (info->index && (info->index & 7) != info->dir)
		return request_fail(r, -EINVAL, "Policy index doesn't match direction");
	return 0;
}

int policy_verify_type(struct request *r)
{
	const struct xfrm_userpolicy_type *t = r->attr[XFRMA_POLICY_TYPE] ?
					       nla_data(r->attr[XFRMA_POLICY_TYPE]) : NULL;

	return !t || t->type <= XFRM_POLICY_TYPE_SUB ? 0 : request_fail(r, -EINVAL, "Invalid policy type");
}

/* Of these there are none, so that who asks for one finds none. */
bool policy_is_sub(const struct request *r)
{
	const struct nlattr *a = r->attr[XFRMA_POLICY_TYPE];

	return a && ((const struct xfrm_userpolicy_type *)nla_data(a))->type == XFRM_POLICY_TYPE_SUB;
}

static int verify_template(struct request *r, const struct xfrm_user_tmpl *t, __u16 before, __u8 dir)
{
	bool is_tunnel = t->mode == XFRM_MODE_TUNNEL || t->mode == XFRM_MODE_BEET;

	if (is_tunnel && t->optional && dir == XFRM_POLICY_OUT)
		return request_fail(r, -EINVAL, "Mode in optional template not allowed in outbound policy");
	if (!is_tunnel && t->family != before)
		return request_fail(r, -EINVAL, "Mode in template doesn't support a family change");
	if (t->mode >= XFRM_MODE_MAX)
		return request_fail(r, -EINVAL, "Mode in template must be < XFRM_MODE_MAX (5)");
	if (t->family != AF_INET && t->family != AF_INET6)
		return request_fail(r, -EINVAL, "Invalid family in template");
	if (t->id.proto == IPPROTO_ESP || t->id.proto == IPPROTO_AH || t->id.proto == IPPROTO_COMP ||
	    t->id.proto == IPPROTO_ROUTING || t->id.proto == IPPROTO_DSTOPTS)
		return 0;
	return request_fail(r, -EINVAL, "Invalid XFRM protocol in template");
}

static int verify_templates(struct request *r, struct xfrm_user_tmpl *t, int count,
			    const struct xfrm_userpolicy_info *info)
{
	__u16 before = info->sel.family;
	int i, err;

	if (count > XFRM_MAX_DEPTH)
		return request_fail(r, -EINVAL, "Template count must be <= XFRM_MAX_DEPTH (6)");
	for (i = 0; i < count; i++) {
		if (!t[i].family)
			t[i].family = info->sel.family;
		err = verify_template(r, &t[i], before, info->dir);
		if (err)
			return err;
		before = t[i].family;
	}
	return 0;
}

/* All of it, in the kernel's order. */
int policy_verify(struct request *r, const struct xfrm_userpolicy_info *info)
{
	struct nlattr *t = r->attr[XFRMA_TMPL];
	int err = verify_info(r, info);

	if (!err)
		err = sa_verify_context(r);
	if (!err)
		err = policy_verify_type(r);
	if (!err && t)
		err = verify_templates(r, nla_data(t), nla_len(t) / (int)sizeof(struct xfrm_user_tmpl), info);
	if (!err && policy_is_sub(r))
		err = request_fail(r, -EOPNOTSUPP, "ipsec-port: policies of type sub are not served");
	return err;
}
