// SPDX-License-Identifier: GPL-2.0
/*
 * poison.c - what two stacks died on is kept, so that somebody can look at it
 *
 * A few packets of each compartment, the newest of them. They are data: nothing in the
 * module ever acts on one again.
 */
#include <linux/netfilter.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <net/dst.h>
#include "compartment.h"
#include "handle.h"
#include "poison.h"

struct poison {
	struct list_head list;
	struct sk_buff *skb;		/* owned: a clone that holds nothing else */
	struct ipsp_poison about;
};

static void poison_free(struct poison *p)
{
	list_del(&p->list);
	kfree_skb(p->skb);
	kfree(p);
	ipsp_stats_freed();
}

struct sk_buff *ipsp_poison_clone(struct sk_buff *skb)
{
	struct sk_buff *clone = skb_clone(skb, GFP_ATOMIC);

	if (!clone)
		return NULL;
	clone->dev = NULL;
	skb_dst_drop(clone);
	skb_ext_reset(clone);
	nf_reset_ct(clone);
	return clone;
}

/* Without memory it is only dropped. */
void ipsp_poison_keep(struct compartment *c, const struct ticket *t, u16 type, u32 stack)
{
	struct poison *p = kzalloc(sizeof(*p), GFP_ATOMIC);

	lockdep_assert_held(&c->lock);
	if (p)
		p->skb = ipsp_poison_clone(t->skb);
	if (!p || !p->skb) {
		kfree(p);
		return;
	}
	ipsp_stats_made();
	p->about = (struct ipsp_poison){
		.length = p->skb->len, .type = type, .stack = stack, .ticket = t->number,
		.handle = t->handle ? t->handle->config.id : 0, .time = ktime_get_real_ns(),
	};
	if (c->poisons == IPSP_POISON_KEPT)
		poison_free(list_first_entry(&c->poison, struct poison, list));
	else
		c->poisons++;
	list_add_tail(&p->list, &c->poison);
}

/* The packet of the one of that index, a clone of it, and what is known of it; or NULL. */
static struct sk_buff *poison_find(struct compartment *c, struct ipsp_poison *out)
{
	struct sk_buff *skb = NULL;
	u32 index = out->index;
	struct poison *p;

	spin_lock_bh(&c->lock);
	list_for_each_entry(p, &c->poison, list) {
		if (index--)
			continue;
		skb = skb_get(p->skb);
		p->about.index = out->index;
		p->about.data = out->data;
		p->about.size = out->size;
		memcpy(p->about.name, out->name, sizeof(out->name));
		*out = p->about;
		break;
	}
	spin_unlock_bh(&c->lock);
	return skb;
}

static int poison_copy(const struct ipsp_poison *out, const struct sk_buff *skb)
{
	void *packet = kvmalloc(skb->len, GFP_KERNEL);
	int err = packet ? skb_copy_bits(skb, 0, packet, skb->len) : -ENOMEM;

	if (!err && copy_to_user(u64_to_user_ptr(out->data), packet, skb->len))
		err = -EFAULT;
	kvfree(packet);
	return err;
}

int ipsp_poison_get(struct net *net, void *arg)
{
	struct ipsp_poison *out = arg;
	struct compartment *c;
	struct sk_buff *skb;
	int err;

	if (out->reserved16 || strnlen(out->name, IPSP_NAME_MAX) == IPSP_NAME_MAX)
		return -EINVAL;
	mutex_lock(&ipsp_compartment_mutex);	/* not while the caller's memory lets us wait */
	c = ipsp_compartment_find(net, out->name);
	skb = c ? poison_find(c, out) : NULL;
	mutex_unlock(&ipsp_compartment_mutex);
	if (!skb)
		return -ENOENT;
	err = skb->len > out->size ? -EMSGSIZE : poison_copy(out, skb);
	kfree_skb(skb);
	return err;
}

void ipsp_poison_init(struct compartment *c)
{
	INIT_LIST_HEAD(&c->poison);
}

/* The last reference is gone. */
void ipsp_poison_exit(struct compartment *c)
{
	struct poison *p, *next;

	list_for_each_entry_safe(p, next, &c->poison, list)
		poison_free(p);
}
