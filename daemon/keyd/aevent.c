// SPDX-License-Identifier: GPL-2.0-only
/* aevent.c - NEWAE, GETAE: use and replay state of an SA, and who is told how often */
#include <errno.h>
#include <string.h>

#include "keyd.h"

static struct keyd_sa *aevent_sa(struct request *r)
{
	const struct xfrm_usersa_id *id = &((const struct xfrm_aevent_id *)r->body)->sa_id;
	struct xfrm_mark mark;
	struct keyd_sa *sa;

	request_mark(r, &mark);
	sa = sa_find(r->k, &mark, &id->daddr, id->spi, id->proto, id->family);
	if (sa && sa->state == SA_VALID)
		sa_words_usage(r->k, sa);
	return sa;
}

int aevent_get(struct request *r)
{
	const struct xfrm_aevent_id *p = r->body;
	struct keyd_sa *sa = aevent_sa(r);

	if (!sa)
		return -ESRCH;
	relay_answer(r, sa_message_ae(sa, p->flags, r->head->nlmsg_pid, r->head->nlmsg_seq), 0);
	return 0;
}

/* The counts go on from what is given here; the numbers belong to the key and are the kernel's. */
static void aevent_count(struct keyd_sa *sa, const struct xfrm_lifetime_cur *given)
{
	sa->before.bytes += given->bytes - sa->info.curlft.bytes;
	sa->before.packets += given->packets - sa->info.curlft.packets;
	sa->before.use_time = given->use_time;
	sa->info.curlft = *given;
}

/* As long as the window that is there; an SA without one takes none, and is not asked. */
static bool aevent_window_fits(const struct keyd_sa *sa, const struct nlattr *a)
{
	const struct xfrm_replay_state_esn *esn = a ? nla_data(a) : NULL, *old = (const void *)sa->esn.at;

	if (!esn || !sa->esn.size)
		return true;
	return esn->bmp_len == old->bmp_len && (size_t)nla_len(a) >= sizeof(*esn) + esn->bmp_len * sizeof(esn->bmp[0]) &&
	       esn->replay_window <= esn->bmp_len * sizeof(esn->bmp[0]) * 8;
}

int aevent_new(struct request *r)
{
	struct nlattr **a = r->attr;
	struct keyd_sa *sa;

	if (!a[XFRMA_LTIME_VAL] && !a[XFRMA_REPLAY_VAL] && !a[XFRMA_REPLAY_ESN_VAL] &&
	    !a[XFRMA_ETIMER_THRESH] && !a[XFRMA_REPLAY_THRESH])
		return -EINVAL;
	if (!(r->head->nlmsg_flags & NLM_F_REPLACE))
		return -EINVAL;
	sa = aevent_sa(r);
	if (!sa)
		return -ESRCH;
	if (sa->state != SA_VALID || !aevent_window_fits(sa, a[XFRMA_REPLAY_ESN_VAL]))
		return -EINVAL;
	if (a[XFRMA_LTIME_VAL])
		aevent_count(sa, nla_data(a[XFRMA_LTIME_VAL]));
	sa->replay_maxage = request_u32(r, XFRMA_ETIMER_THRESH, sa->replay_maxage);
	sa->replay_maxdiff = request_u32(r, XFRMA_REPLAY_THRESH, sa->replay_maxdiff);
	sa->mapping_maxage = request_u32(r, XFRMA_MTIMER_THRESH, sa->mapping_maxage);
	relay_multicast(r->k, XFRMNLGRP_AEVENTS, sa_message_ae(sa, XFRM_AE_CU, r->head->nlmsg_pid,
							      r->head->nlmsg_seq));
	return 0;
}
