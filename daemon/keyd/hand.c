// SPDX-License-Identifier: GPL-2.0-only
/*
 * hand.c - the request in hand: in the store, so that who comes after a killed agent finishes it
 *
 * The relay writes it there, its head last. Whatever decides it says so in front of the one
 * write that makes it true. A successor finds it in one of these states:
 *
 *   no head         nothing was read
 *   not decided     it has done nothing that is not taken away first: it is served again
 *   decided         what it decided is made true, and it is answered
 *   over            answered; only the wiping was left
 *
 * The relay says ENOENT to an answer that its sender has, so one too many does no harm. What
 * kills an agent so often that it cannot be by chance is refused.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "keyd.h"

#define HAND_TRIES	3u

/* For who reads the store after us: no write of ours passes this one. */
static void hand_step(__u32 *word, __u32 value)
{
	atomic_signal_fence(memory_order_seq_cst);
	*(volatile __u32 *)word = value;
	atomic_signal_fence(memory_order_seq_cst);
}

struct ipsp_xfrm *hand_message(struct keyd *k)
{
	return (struct ipsp_xfrm *)k->store->hand.bytes;
}

static struct nlmsghdr *hand_head(struct keyd *k)
{
	return (struct nlmsghdr *)(hand_message(k) + 1);
}

void hand_decide(struct keyd *k, int err)
{
	struct keyd_hand *h = &k->store->hand;

	if (h->is_decided)
		return;
	h->err = err;
	hand_step(&h->is_decided, 1);
}

void hand_over(struct keyd *k)
{
	struct keyd_hand *h = &k->store->hand;

	hand_step(&h->is_over, 1);
	explicit_bzero(h->bytes, hand_message(k)->len < sizeof(h->bytes) ? hand_message(k)->len : sizeof(h->bytes));
	h->err = 0;
	h->tries = 0;
	hand_step(&h->is_decided, 0);
	hand_step(&h->is_over, 0);
}

/* ---- a successor ------------------------------------------------------------------------- */

bool hand_is_whole(struct keyd *k)
{
	const struct ipsp_xfrm *x = hand_message(k);

	return !k->store->hand.is_over && x->len >= sizeof(*x) + sizeof(struct nlmsghdr) &&
	       x->len <= sizeof(k->store->hand.bytes) && hand_head(k)->nlmsg_len >= sizeof(struct nlmsghdr) &&
	       hand_head(k)->nlmsg_len <= x->len - sizeof(*x);
}

static bool hand_is(struct keyd *k, __u16 type)
{
	return hand_is_whole(k) && hand_message(k)->type == IPSP_XFRM_REQUEST && hand_head(k)->nlmsg_type == type;
}

/* It was decided that there is a new SA or policy. */
static bool hand_has_put(struct keyd *k, __u16 type, __u16 or_type)
{
	const struct keyd_hand *h = &k->store->hand;

	return h->is_decided && !h->err && (hand_is(k, type) || hand_is(k, or_type));
}

bool hand_added(struct keyd *k, const struct keyd_sa *sa)
{
	const struct xfrm_usersa_info *info = (const void *)(hand_head(k) + 1);

	return hand_has_put(k, XFRM_MSG_NEWSA, XFRM_MSG_UPDSA) && info->id.spi == sa->info.id.spi &&
	       info->family == sa->info.family && info->id.proto == sa->info.id.proto &&
	       address_equal(&info->id.daddr, &sa->info.id.daddr, info->family);
}

bool hand_put(struct keyd *k, const struct keyd_policy *p)
{
	const struct xfrm_userpolicy_info *info = (const void *)(hand_head(k) + 1);

	return hand_has_put(k, XFRM_MSG_NEWPOLICY, XFRM_MSG_UPDPOLICY) && info->dir == p->info.dir &&
	       !memcmp(&info->sel, &p->info.sel, sizeof(info->sel));
}

bool hand_migrates(struct keyd *k)
{
	return hand_is(k, XFRM_MSG_MIGRATE);
}

void hand_recover(struct keyd *k)
{
	struct keyd_hand *h = &k->store->hand;

	if (hand_is_whole(k)) {
		fprintf(stderr, "ipsec-port-keyd: a request of type %u was in hand: %s\n", hand_head(k)->nlmsg_type,
			h->is_decided ? "answered" : "served again");
		if (!h->is_decided && ++h->tries > HAND_TRIES)
			hand_decide(k, -ENOBUFS);
		request_serve(k, hand_message(k));
	} else {
		hand_over(k);
	}
}
