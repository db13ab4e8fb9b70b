// SPDX-License-Identifier: GPL-2.0
/*
 * dissent.c - what stacks disagreed on is kept, so that somebody can find out who was wrong
 *
 * A few of each compartment, the newest: the packet and the answers. They are data: nothing
 * in the module ever acts on one again.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include "ballot.h"
#include "compartment.h"
#include "dissent.h"
#include "poison.h"
#include "quorum.h"

struct dissent {
	struct list_head list;		/* c->dissent, the oldest first; protected by c->lock */
	refcount_t ref;
	struct sk_buff *packet;		/* owned: a clone that holds nothing else */
	struct ballot *ballot[IPSP_DISSENT_ANSWERS];	/* referenced */
	struct ipsp_dissent about;
};

static void dissent_put(struct dissent *d)
{
	u32 i;

	if (!refcount_dec_and_test(&d->ref))
		return;
	for (i = 0; i < d->about.answers; i++)
		ipsp_ballot_put(d->ballot[i]);
	kfree_skb(d->packet);
	kfree(d);
	ipsp_stats_freed();
}

static void dissent_add(struct dissent *d, struct ballot *b)
{
	struct ipsp_dissent *about = &d->about;
	struct ipsp_dissent_answer *a = &about->answer[about->answers];

	refcount_inc(&b->ref);
	d->ballot[about->answers++] = b;
	a->voters = b->voters;
	a->data_len = b->data_len;
	a->answer = b->answer;
	about->length += b->data_len;
}

static void dissent_enter(struct compartment *c, struct dissent *d)
{
	struct dissent *oldest;

	list_add_tail(&d->list, &c->dissent);
	if (++c->dissents <= IPSP_DISSENT_KEPT)
		return;
	oldest = list_first_entry(&c->dissent, struct dissent, list);
	list_del(&oldest->list);
	c->dissents--;
	dissent_put(oldest);
}

/* Without memory it is only told of. */
void ipsp_dissent_keep(struct compartment *c, struct sk_buff *packet,
		       struct list_head *ballots, struct ballot *elected,
		       const struct ipsp_dissent *about)
{
	struct dissent *d = kzalloc(sizeof(*d), GFP_ATOMIC);
	struct ballot *b;

	lockdep_assert_held(&c->lock);
	if (d)
		d->packet = ipsp_poison_clone(packet);
	if (!d || !d->packet) {
		kfree(d);
		return;
	}
	ipsp_stats_made();
	refcount_set(&d->ref, 1);
	d->about = *about;
	d->about.time = ktime_get_real_ns();
	d->about.packet_len = packet->len;
	d->about.length = packet->len;
	if (elected)
		dissent_add(d, elected);
	list_for_each_entry(b, ballots, list)
		if (b != elected && d->about.answers < IPSP_DISSENT_ANSWERS)
			dissent_add(d, b);
	dissent_enter(c, d);
}

/* ---- to be looked at ------------------------------------------------------------- */

static struct dissent *dissent_find(struct compartment *c, u32 index)
{
	struct dissent *d, *found = NULL;

	spin_lock_bh(&c->lock);
	list_for_each_entry(d, &c->dissent, list) {
		if (index--)
			continue;
		refcount_inc(&d->ref);
		found = d;
		break;
	}
	spin_unlock_bh(&c->lock);
	return found;
}

static int dissent_copy(const struct dissent *d, u8 __user *to)
{
	void *packet = kvmalloc(d->packet->len, GFP_KERNEL);
	int err = packet ? skb_copy_bits(d->packet, 0, packet, d->packet->len) : -ENOMEM;
	u32 i;

	if (!err && copy_to_user(to, packet, d->packet->len))
		err = -EFAULT;
	kvfree(packet);
	to += d->packet->len;
	for (i = 0; !err && i < d->about.answers; i++) {
		if (copy_to_user(to, d->ballot[i]->data, d->ballot[i]->data_len))
			err = -EFAULT;
		to += d->ballot[i]->data_len;
	}
	return err;
}

static void dissent_describe(const struct dissent *d, struct ipsp_dissent *out)
{
	struct ipsp_dissent in = *out;

	*out = d->about;
	memcpy(out->name, in.name, sizeof(in.name));
	out->data = in.data;
	out->size = in.size;
	out->index = in.index;
}

int ipsp_dissent_get(struct net *net, void *arg)
{
	struct ipsp_dissent *out = arg;
	struct compartment *c;
	struct dissent *d;
	int err;

	if (strnlen(out->name, IPSP_NAME_MAX) == IPSP_NAME_MAX)
		return -EINVAL;
	mutex_lock(&ipsp_compartment_mutex);	/* not while the caller's memory lets us wait */
	c = ipsp_compartment_find(net, out->name);
	d = c ? dissent_find(c, out->index) : NULL;
	mutex_unlock(&ipsp_compartment_mutex);
	if (!d)
		return -ENOENT;
	dissent_describe(d, out);
	err = out->length > out->size ? -EMSGSIZE :
					dissent_copy(d, u64_to_user_ptr(out->data));
	dissent_put(d);
	return err;
}

/* ---- life ------------------------------------------------------------------------ */

void ipsp_dissent_init(struct compartment *c)
{
	INIT_LIST_HEAD(&c->dissent);
}

/* The last reference is gone. */
void ipsp_dissent_exit(struct compartment *c)
{
	struct dissent *d, *next;

	list_for_each_entry_safe(d, next, &c->dissent, list)
		dissent_put(d);
}
