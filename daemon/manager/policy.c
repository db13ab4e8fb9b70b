// SPDX-License-Identifier: GPL-2.0-only
/* policy.c - the policies in their order: priority, then age */
#include <errno.h>
#include <string.h>

#include "manager.h"

static int policy_find(struct manager *m, const struct ipsp_policy_entry *like)
{
	struct ipsp_policy_entry *list = database_policies(m->database);
	uint32_t i;

	for (i = 0; database_may_have(like) && i < m->database->policies; i++)
		if (policy_is_same(&list[i], like))
			return (int)i;
	return -1;
}

static void policy_insert(struct manager *m, const struct ipsp_policy_entry *entry)
{
	struct ipsp_policy_entry *list = database_policies(m->database);
	uint32_t i = m->database->policies;

	while (i && list[i - 1].protect.priority > entry->protect.priority)
		i--;
	memmove(&list[i + 1], &list[i], (m->database->policies - i) * sizeof(*list));
	list[i] = *entry;
	database_noted_policy(entry, 1);
	m->database->policies++;
}

static void policy_remove(struct manager *m, uint32_t at)
{
	struct ipsp_policy_entry *list = database_policies(m->database);

	database_noted_policy(&list[at], -1);
	m->database->policies--;
	memmove(&list[at], &list[at + 1], (m->database->policies - at) * sizeof(*list));
}

/* In the kernel and in the stacks a policy takes the place of the one of its index, whatever that was. */
static int policy_has_index(struct manager *m, uint32_t index)
{
	const struct ipsp_policy_entry *list = database_policies(m->database);
	uint32_t i;

	for (i = 0; database_may_have_index(index) && i < m->database->policies; i++)
		if (list[i].protect.index == index)
			return 1;
	return 0;
}

static uint32_t policy_new_index(struct manager *m)
{
	uint32_t index;

	do
		index = m->database->next_index++;
	while (!index || policy_has_index(m, index));
	return index;
}

int policy_add(struct manager *m, struct ipsp_policy_entry *entry, int replace)
{
	int at = policy_find(m, entry), err;

	if (at >= 0 && !replace)
		return -EEXIST;
	if (at < 0 && policy_has_index(m, entry->protect.index))
		return -EEXIST;
	if (at < 0 && m->database->policies == m->database->policies_max)
		return -ENOSPC;
	if (at >= 0)
		entry->protect.index = database_policies(m->database)[at].protect.index;
	else if (!entry->protect.index)
		entry->protect.index = policy_new_index(m);
	err = control_policy(m, IPSP_TARGET_ALL, IPSP_POLICY_ADD, entry, 1);
	if (err)
		return err;
	if (at >= 0)
		policy_remove(m, (uint32_t)at);
	policy_insert(m, entry);
	return 0;
}

int policy_delete(struct manager *m, uint32_t at)
{
	struct ipsp_policy_entry entry = database_policies(m->database)[at];
	int err = control_policy(m, IPSP_TARGET_ALL, IPSP_POLICY_DELETE, &entry, 1);

	if (!err)
		policy_remove(m, at);
	return err;
}
