// SPDX-License-Identifier: GPL-2.0-only
/*
 * acquire_request.c - ACQUIRE as a request: somebody has the IKE daemons asked for an SA
 *
 * One event for each template; as in the kernel no policy and no larval SA comes of it.
 */
#include "keyd.h"

/* What is asked for is as it was given, but for the template's id. */
static void acquire_template(struct request *r, const struct keyd_policy *p, const struct xfrm_user_tmpl *t)
{
	struct xfrm_user_acquire about = *(const struct xfrm_user_acquire *)r->body;

	about.id = t->id;
	about.seq = ++r->k->store->next_seq ?: ++r->k->store->next_seq;
	relay_multicast(r->k, XFRMNLGRP_ACQUIRE, acquire_message(p, &about));
}

int acquire_request(struct request *r)
{
	const struct xfrm_user_acquire *a = r->body;
	struct keyd_policy p = { .state = SA_NONE };
	int err = policy_verify(r, &a->policy);
	__u32 i;

	if (err)
		return err;
	policy_take(&p, r, &a->policy);
	p.info.curlft.add_time = 0;
	p.info.dir = XFRM_POLICY_OUT;
	request_mark(r, &p.mark);		/* as it was given: it is not kept */
	p.label.len = 0;			/* what is told is the state's, and there is none */
	for (i = 0; i < p.templates; i++) {
		p.template_[i].aalgos = a->aalgos;
		p.template_[i].ealgos = a->ealgos;
		p.template_[i].calgos = a->calgos;
		acquire_template(r, &p, &p.template_[i]);
	}
	return 0;
}
