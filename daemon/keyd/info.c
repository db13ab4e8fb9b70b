// SPDX-License-Identifier: GPL-2.0-only
/* info.c - how many there are of both: GETSADINFO, GETSPDINFO, NEWSPDINFO */
#include <errno.h>
#include <string.h>

#include "keyd.h"

#define HASH_SLOTS	8		/* what the kernel tells of its tables when they are small */
#define HASH_MOST	0x100000

static struct nl_msg *info_message(struct request *r, __u16 type)
{
	struct nl_msg *m = nlmsg_alloc();

	nlmsg_put(m, r->from->portid, r->head->nlmsg_seq, type, sizeof(__u32), 0);
	memcpy(nlmsg_data(nlmsg_hdr(m)), r->body, sizeof(__u32));
	return m;
}

int info_sad(struct request *r)
{
	struct xfrmu_sadhinfo hash = { .sadhcnt = HASH_SLOTS, .sadhmcnt = HASH_MOST };
	struct nl_msg *m = info_message(r, XFRM_MSG_NEWSADINFO);
	__u32 i, count = 0;

	for (i = 0; i < r->k->store->sas; i++)
		count += store_sas(r->k)[i].state != SA_NONE;
	nla_put_u32(m, XFRMA_SAD_CNT, count);
	nla_put(m, XFRMA_SAD_HINFO, sizeof(hash), &hash);
	relay_answer(r, m, 0);
	return 0;
}

int info_spd(struct request *r)
{
	struct xfrmu_spdhinfo hash = { .spdhcnt = HASH_SLOTS - 1, .spdhmcnt = HASH_MOST };
	struct nl_msg *m = info_message(r, XFRM_MSG_NEWSPDINFO);
	struct xfrmu_spdinfo spd = { 0 };
	const struct keyd_policy *p = store_policies(r->k), *end = p + r->k->store->policies;

	for (; p < end; p++) {
		spd.incnt += p->state && p->info.dir == XFRM_POLICY_IN;
		spd.outcnt += p->state && p->info.dir == XFRM_POLICY_OUT;
		spd.fwdcnt += p->state && p->info.dir == XFRM_POLICY_FWD;
	}
	nla_put(m, XFRMA_SPD_INFO, sizeof(spd), &spd);
	nla_put(m, XFRMA_SPD_HINFO, sizeof(hash), &hash);
	nla_put(m, XFRMA_SPD_IPV4_HTHRESH, sizeof(r->k->store->threshold[0]), &r->k->store->threshold[0]);
	nla_put(m, XFRMA_SPD_IPV6_HTHRESH, sizeof(r->k->store->threshold[1]), &r->k->store->threshold[1]);
	relay_answer(r, m, 0);
	return 0;
}

static int threshold_take(const struct nlattr *a, unsigned int most, struct xfrmu_spdhthresh *to)
{
	if (!a)
		return 0;
	if ((size_t)nla_len(a) < sizeof(*to))
		return -EINVAL;
	memcpy(to, nla_data(a), sizeof(*to));
	return to->lbits > most || to->rbits > most ? -EINVAL : 0;
}

/* How the kernel would hash its policies: remembered, and of no effect here. */
int info_spd_set(struct request *r)
{
	struct xfrmu_spdhthresh to[2] = { r->k->store->threshold[0], r->k->store->threshold[1] };
	int err = threshold_take(r->attr[XFRMA_SPD_IPV4_HTHRESH], 32, &to[0]);

	if (!err)
		err = threshold_take(r->attr[XFRMA_SPD_IPV6_HTHRESH], 128, &to[1]);
	if (!err)
		memcpy(r->k->store->threshold, to, sizeof(to));
	return err;
}
