// SPDX-License-Identifier: GPL-2.0
/*
 * secret.c - see secret.h
 *
 * A socket that takes an skb puts its own destructor into it. What stays is the mark of
 * zero-copy senders, who are called when the data are let go by the last who had them.
 */
#include <linux/delay.h>
#include <linux/skbuff.h>
#include "compat/compat.h"
#include "secret.h"

/* The words of `struct skb_shared_info` behind the data are still read. */
static void secret_over(struct sk_buff *skb, struct ubuf_info *mark, bool success)
{
	memzero_explicit(skb->head, skb_end_offset(skb));
	refcount_dec(&mark->refcnt);
}

IPSP_UBUF_INFO_OPS(secret_ops, secret_over);

/* refcnt: those that bear it, and one. */
static struct ubuf_info secret_mark = {
	IPSP_UBUF_INFO_USE(secret_ops, secret_over),
	.refcnt = REFCOUNT_INIT(1),
	.flags = SKBFL_ZEROCOPY_ENABLE | SKBFL_DONT_ORPHAN,
};

void ipsp_secret_mark(struct sk_buff *skb)
{
	if (skb_zcopy(skb))
		return;
	refcount_inc(&secret_mark.refcnt);
	skb_zcopy_init(skb, &secret_mark);
}

/* Each socket held the module until it was closed; its queue goes some time after that. */
void ipsp_secret_exit(void)
{
	rcu_barrier();
	while (refcount_read(&secret_mark.refcnt) != 1)
		msleep(20);
	synchronize_rcu();			/* the last one has returned */
}
