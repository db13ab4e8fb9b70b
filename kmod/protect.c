// SPDX-License-Identifier: GPL-2.0
/*
 * protect.c - the kernel's part of the policies: may a flow pass in clear?
 *
 * Given by the manager inside the POLICY record that goes to the stacks, so that kernel
 * and stacks switch at one ticket. Only struct ipsp_protect of each entry is looked at.
 */
#include <linux/slab.h>
#include "compartment.h"
#include "memo.h"
#include "protect.h"

static bool protect_is_valid(const struct ipsp_policy_entry *e)
{
	const struct ipsp_protect *p = &e->protect;

	return p->direction <= IPSP_DIR_FWD && p->clear <= 1 && !p->reserved16 && !p->reserved &&
	       p->clear == (e->action == IPSP_POLICY_BYPASS) &&
	       ipsp_selector_is_valid(&p->selector);
}

static void protect_remove(struct protect_list *list, u32 index)
{
	u32 i;

	for (i = 0; i < list->count; i++)
		if (list->entry[i].index == index)
			break;
	if (i == list->count)
		return;
	list->count--;
	memmove(&list->entry[i], &list->entry[i + 1],
		(list->count - i) * sizeof(list->entry[0]));
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
	for (i = 0; i < list->count; i++) {
		list->mark_mask |= list->entry[i].selector.mark_mask;
		list->uses_ifindex |= list->entry[i].selector.ifindex;
	}
	return 0;
}

/* Readers may still be in it, if it was ever in force. */
void ipsp_protect_discard(struct protect_list *list)
{
	if (!list)
		return;
	ipsp_stats_freed();
	kvfree_rcu(list, rcu);
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
	if (old && policy->operation != IPSP_POLICY_REPLACE)
		kept = old->count;
	list = kvzalloc(struct_size(list, entry, kept + policy->count), GFP_KERNEL_ACCOUNT);
	if (!list)
		return ERR_PTR(-ENOMEM);
	ipsp_stats_made();
	list->count = kept;
	if (kept)
		memcpy(list->entry, old->entry, kept * sizeof(list->entry[0]));
	if (protect_apply(list, policy, entry)) {
		ipsp_protect_discard(list);
		return ERR_PTR(-EINVAL);
	}
	return list;
}

void ipsp_protect_commit(struct compartment *c, struct protect_list *list)
{
	struct protect_list *old;

	lockdep_assert_held(&c->admin);
	lockdep_assert_held(&c->lock);
	old = rcu_replace_pointer(c->protect, list, lockdep_is_held(&c->lock));
	ipsp_memo_forget();
	ipsp_protect_discard(old);
}

/* The compartment's last reference: nobody reads any more. */
void ipsp_protect_compartment_exit(struct compartment *c)
{
	ipsp_protect_discard(rcu_dereference_protected(c->protect, 1));
}

enum protect_answer ipsp_protect_ask(struct compartment *c, const struct ipsp_tuple *t)
{
	const struct protect_list *list = rcu_dereference(c->protect);
	const struct ipsp_protect *p = NULL;

	if (list)
		p = ipsp_protect_find(list->entry, sizeof(list->entry[0]), list->count, t);
	if (!p)
		return PROTECT_NONE;
	return p->clear ? PROTECT_CLEAR : PROTECT_MUST;
}

void ipsp_protect_mask_tuple(struct compartment *c, struct ipsp_tuple *t)
{
	const struct protect_list *list = rcu_dereference(c->protect);

	t->mark &= list ? list->mark_mask : 0;
	if (!list || !list->uses_ifindex)
		t->ifindex = 0;
}
