// SPDX-License-Identifier: GPL-2.0
/*
 * protect.c - the kernel's part of the policies: may a flow pass in clear?
 *
 * Given by the manager inside the POLICY record that goes to the stacks, so that kernel
 * and stacks switch at one ticket. Only struct ipsp_protect of each entry is looked at.
 *
 * A list in force is never changed, but for one thing: a policy that is new and comes behind
 * all others is written behind its end, and is in it once the count says so. Policies mostly
 * come so, and thousands of them would else copy the list as often.
 */
#include <linux/hash.h>
#include <linux/slab.h>
#include "compartment.h"
#include "label.h"
#include "memo.h"
#include "protect.h"

static bool protect_is_valid(const struct ipsp_policy_entry *e)
{
	const struct ipsp_protect *p = &e->protect;

	return p->direction <= IPSP_DIR_FWD && p->clear <= 1 && !p->reserved16 &&
	       p->label != IPSP_LABEL_ANY &&
	       p->clear == (e->action == IPSP_POLICY_BYPASS) &&
	       ipsp_selector_is_valid(&p->selector);
}

static bool protect_may_have(const struct protect_list *list, u32 index)
{
	return test_bit(hash_32(index, PROTECT_BITS), list->has);
}

/* Its place, or the count: not there. */
static u32 protect_place(const struct protect_list *list, u32 index)
{
	u32 i;

	if (!protect_may_have(list, index))
		return list->count;
	for (i = 0; i < list->count; i++)
		if (list->entry[i].index == index)
			break;
	return i;
}

static void protect_remove(struct protect_list *list, u32 index)
{
	u32 i = protect_place(list, index);

	if (i == list->count)
		return;
	list->count--;
	memmove(&list->entry[i], &list->entry[i + 1],
		(list->count - i) * sizeof(list->entry[0]));
}

/* Readers see these before they see the entry, and no harm is in that. */
static void protect_note(struct protect_list *list, const struct ipsp_protect *p)
{
	WRITE_ONCE(list->mark_mask, list->mark_mask | p->selector.mark_mask);
	WRITE_ONCE(list->uses_ifindex, list->uses_ifindex || p->selector.ifindex);
	WRITE_ONCE(list->uses_label, list->uses_label || p->label);
	__set_bit(hash_32(p->index, PROTECT_BITS), list->has);
}

/* Behind all of its priority: equal ones stay in the order they came. */
static void protect_insert(struct protect_list *list, const struct ipsp_protect *p)
{
	u32 i = list->count;

	while (i && list->entry[i - 1].priority > p->priority)
		i--;
	memmove(&list->entry[i + 1], &list->entry[i],
		(list->count - i) * sizeof(list->entry[0]));
	list->entry[i] = *p;
	list->count++;
	__set_bit(hash_32(p->index, PROTECT_BITS), list->has);
}

static int protect_apply(struct protect_list *list, const struct ipsp_policy *policy,
			 const struct ipsp_policy_entry *entry)
{
	bool delete = policy->operation == IPSP_POLICY_DELETE;
	u32 i;

	for (i = 0; i < policy->count; i++) {
		if (!delete && !protect_is_valid(&entry[i]))
			return -EINVAL;
		protect_remove(list, entry[i].protect.index);
		if (!delete)
			protect_insert(list, &entry[i].protect);
	}
	bitmap_zero(list->has, 1 << PROTECT_BITS);
	for (i = 0; i < list->count; i++)
		protect_note(list, &list->entry[i]);
	return 0;
}

/* Readers may still be in it, if it was ever in force. */
static void protect_free(struct protect_list *list)
{
	if (!list)
		return;
	ipsp_stats_freed();
	kvfree_rcu(list, rcu);
}

/* Those that were kept, and room for more than is added: so few additions copy. */
static struct protect_list *protect_copy(const struct protect_list *old, u32 kept, u32 added)
{
	u32 room = kept + added + kept / 4;
	struct protect_list *list;

	list = kvzalloc(struct_size(list, entry, room), GFP_KERNEL_ACCOUNT);
	if (!list)
		return NULL;
	ipsp_stats_made();
	list->room = room;
	list->count = kept;
	if (!kept)
		return list;
	memcpy(list->entry, old->entry, kept * sizeof(list->entry[0]));
	bitmap_copy(list->has, old->has, 1 << PROTECT_BITS);
	return list;
}

/* One that is new, and behind all others; there is room for it. */
static bool protect_appends(const struct protect_list *list, const struct ipsp_policy *policy,
			    const struct ipsp_policy_entry *entry)
{
	return list && policy->operation == IPSP_POLICY_ADD && policy->count == 1 &&
	       list->count && list->count < list->room && protect_is_valid(entry) &&
	       list->entry[list->count - 1].priority <= entry->protect.priority &&
	       protect_place(list, entry->protect.index) == list->count;
}

struct protect_list *ipsp_protect_prepare(struct compartment *c,
					  const struct ipsp_policy *policy,
					  const struct ipsp_policy_entry *entry, u32 bytes)
{
	struct protect_list *old, *list;
	u32 kept = 0;

	lockdep_assert_held(&c->admin);
	if (policy->operation > IPSP_POLICY_DELETE ||
	    bytes != (u64)policy->count * sizeof(*entry))
		return ERR_PTR(-EINVAL);
	old = rcu_dereference_protected(c->protect, lockdep_is_held(&c->admin));
	if (protect_appends(old, policy, entry)) {
		old->entry[old->count] = entry->protect;
		return old;
	}
	if (old && policy->operation != IPSP_POLICY_REPLACE)
		kept = old->count;
	list = protect_copy(old, kept, policy->count);
	if (!list)
		return ERR_PTR(-ENOMEM);
	if (protect_apply(list, policy, entry)) {
		protect_free(list);
		return ERR_PTR(-EINVAL);
	}
	return list;
}

void ipsp_protect_commit(struct compartment *c, struct protect_list *list)
{
	struct protect_list *old;

	lockdep_assert_held(&c->admin);
	lockdep_assert_held(&c->lock);
	old = rcu_dereference_protected(c->protect, lockdep_is_held(&c->lock));
	if (list == old) {
		protect_note(list, &list->entry[list->count]);
		/* the entry before the count: protect_first */
		smp_store_release(&list->count, list->count + 1);
	} else {
		rcu_assign_pointer(c->protect, list);
		protect_free(old);
	}
	ipsp_memo_forget();
}

/* What lies behind the end of the one in force is nothing. */
void ipsp_protect_discard(struct compartment *c, struct protect_list *list)
{
	if (list != rcu_dereference_protected(c->protect, lockdep_is_held(&c->admin)))
		protect_free(list);
}

/* The compartment's last reference: nobody reads any more. */
void ipsp_protect_compartment_exit(struct compartment *c)
{
	protect_free(rcu_dereference_protected(c->protect, 1));
}

static const struct ipsp_protect *protect_first(const struct protect_list *list,
						const struct ipsp_tuple *t)
{
	u32 count;

	/* the count before the entries: ipsp_protect_commit */
	count = list ? smp_load_acquire(&list->count) : 0;
	return count ? ipsp_protect_find(list->entry, sizeof(list->entry[0]), count, t) : NULL;
}

enum protect_answer ipsp_protect_ask(struct compartment *c, const struct ipsp_tuple *t)
{
	const struct ipsp_protect *p = protect_first(rcu_dereference(c->protect), t);

	if (!p)
		return PROTECT_NONE;
	return p->clear ? PROTECT_CLEAR : PROTECT_MUST;
}

bool ipsp_protect_by_label(struct compartment *c)
{
	const struct protect_list *list = rcu_dereference(c->protect);

	return list && READ_ONCE(list->uses_label);
}

u32 ipsp_protect_label(struct compartment *c, const struct ipsp_tuple *t)
{
	const struct protect_list *list = rcu_dereference(c->protect);
	const struct ipsp_protect *p = NULL;

	if (list && READ_ONCE(list->uses_label))
		p = protect_first(list, t);
	return p ? p->label : 0;
}

void ipsp_protect_mask_tuple(struct compartment *c, struct sk_buff *skb, struct ipsp_tuple *t)
{
	const struct protect_list *list = rcu_dereference(c->protect);

	t->mark &= list ? READ_ONCE(list->mark_mask) : 0;
	if (!list || !READ_ONCE(list->uses_ifindex))
		t->ifindex = 0;
	t->label = !list || !READ_ONCE(list->uses_label) ? 0 :
		   t->direction == IPSP_DIR_OUT ? ipsp_label_of_sender(skb) : IPSP_LABEL_ANY;
}
