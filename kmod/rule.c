// SPDX-License-Identifier: GPL-2.0
/*
 * rule.c - the ordered table of a namespace: what traffic belongs to which compartment
 *
 * Short, replaced as a whole, read under RCU; the exact selectors live in the SPD.
 */
#include <linux/cgroup.h>
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <net/ip_fib.h>
#include <net/ip6_fib.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include "compartment.h"
#include "label.h"
#include "memo.h"
#include "netns.h"
#include "rule.h"

#define RULE_SOCKET (IPSP_RULEF_UID | IPSP_RULEF_GID | IPSP_RULEF_CGROUP)
#define RULE_OWNER (RULE_SOCKET | IPSP_RULEF_LABEL)

const void *ipsp_rule_version(const struct net *net)
{
	return rcu_access_pointer(ipsp_net(net)->rules);
}

bool ipsp_rule_by_owner(const struct net *net)
{
	const struct rule_table *table = rcu_dereference(ipsp_net(net)->rules);

	return table && table->by_owner;
}

/* ---- checks ---------------------------------------------------------------------- */

static int rule_check(const struct ipsp_rule *r)
{
	if ((r->flags & ~IPSP_RULEF_ALL) || r->reserved16 ||
	    memchr_inv(r->reserved, 0, sizeof(r->reserved)) || r->hits)
		return -EINVAL;
	if (!r->directions || r->directions > 7 || r->action > IPSP_RULE_DROP ||
	    r->selector.ifindex || r->selector.if_id || !ipsp_selector_is_valid(&r->selector))
		return -EINVAL;
	if (strnlen(r->device, sizeof(r->device)) == sizeof(r->device) ||
	    strnlen(r->compartment, sizeof(r->compartment)) == sizeof(r->compartment) ||
	    strnlen(r->label, sizeof(r->label)) == sizeof(r->label) ||
	    !(r->flags & IPSP_RULEF_LABEL) != !r->label[0])
		return -EINVAL;
	if (r->action == IPSP_RULE_TO_PORT)
		return r->compartment[0] ? 0 : -EINVAL;
	return r->compartment[0] || (r->flags & IPSP_RULEF_PROTECT) ? -EINVAL : 0;
}

/* ---- set ---------------------------------------------------------------------- */

static void rule_table_free(struct rule_table *table)
{
	u32 i;

	if (!table)
		return;
	for (i = 0; i < table->count; i++) {
		struct rule *r = &table->rule[i];

		if (r->c) {
			atomic_dec(&r->c->rules);
			ipsp_compartment_put(r->c);
		}
		free_percpu(r->hits);
	}
	kvfree(table);
}

/* When a set comes: a group that goes later is no socket's any more, its rule matches nothing. */
static int rule_cgroup(const struct ipsp_rule *config)
{
	struct cgroup *group;

	if (!(config->flags & IPSP_RULEF_CGROUP))
		return config->cgroup ? -EINVAL : 0;
	if (!IS_ENABLED(CONFIG_SOCK_CGROUP_DATA))
		return -EOPNOTSUPP;
	group = cgroup_get_from_id(config->cgroup);
	if (IS_ERR(group))
		return -EINVAL;
	cgroup_put(group);
	return 0;
}

/* When a set comes, too: a number stands for its context until the next boot. */
static int rule_label(struct net *net, struct rule *r)
{
	if (!(r->config.flags & IPSP_RULEF_LABEL))
		return 0;
	return ipsp_label_find(net, r->config.label, &r->label);
}

static int rule_owner(struct net *net, struct rule *r)
{
	r->uid = make_kuid(net->user_ns, r->config.uid);
	r->gid = make_kgid(net->user_ns, r->config.gid);
	if ((r->config.flags & IPSP_RULEF_UID) && !uid_valid(r->uid))
		return -EINVAL;
	return (r->config.flags & IPSP_RULEF_GID) && !gid_valid(r->gid) ? -EINVAL : 0;
}

/* A rule that was checked, but for what only a new set is asked. */
static int rule_fill(struct net *net, struct rule_table *table)
{
	struct rule *r = &table->rule[table->count];
	const struct ipsp_rule *config = &r->config;
	int err = rule_owner(net, r);

	if (err)
		return err;
	r->hits = alloc_percpu_gfp(u64, GFP_KERNEL_ACCOUNT);
	if (!r->hits)
		return -ENOMEM;
	if (config->action == IPSP_RULE_TO_PORT) {
		r->c = ipsp_compartment_find(net, config->compartment);
		if (!r->c) {
			free_percpu(r->hits);
			return -ENOENT;
		}
		ipsp_compartment_hold(r->c);
		atomic_inc(&r->c->rules);
	}
	table->directions |= config->directions;
	table->by_owner |= !!(config->flags & RULE_OWNER);
	table->count++;
	return 0;
}

static int rule_add(struct net *net, struct rule_table *table)
{
	struct rule *r = &table->rule[table->count];

	return rule_check(&r->config) ?: rule_cgroup(&r->config) ?: rule_label(net, r) ?:
	       rule_fill(net, table);
}

/* What was decided under these rules. */
static void rule_flush(struct rule_table *table)
{
	u32 i;

	for (i = 0; table && i < table->count; i++)
		if (table->rule[i].c)
			ipsp_flow_flush(table->rule[i].c);
}

/*
 * Cached dsts decide anew, packets in flight see the old table or the new one. The flows
 * go when nobody sees the old one any more: none can be made by it afterwards. Returns the
 * old one.
 */
static struct rule_table *rule_swap(struct net *net, struct rule_table *table)
{
	struct ipsp_net *n = ipsp_net(net);
	struct rule_table *old;

	lockdep_assert_held(&ipsp_compartment_mutex);
	old = rcu_replace_pointer(n->rules, table, lockdep_is_held(&ipsp_compartment_mutex));
	ipsp_memo_forget();
	rt_genid_bump_all(net);
	synchronize_rcu();
	rule_flush(old);
	return old;
}

/* ---- a set that waits to be confirmed -------------------------------------------- */

/* The table in force stays. The work finds nothing to do if it runs already. */
static void rule_settle(struct rule_revert *r)
{
	lockdep_assert_held(&ipsp_compartment_mutex);
	r->waits = false;
	cancel_delayed_work(&r->work);
	rule_table_free(r->confirmed);
	r->confirmed = NULL;
}

/* What comes back is what was confirmed last, not what else was tried in between. */
static void rule_wait(struct rule_revert *r, struct rule_table *old, u32 seconds)
{
	lockdep_assert_held(&ipsp_compartment_mutex);
	if (r->waits)
		rule_table_free(old);
	else
		r->confirmed = old;
	r->waits = true;
	r->due = jiffies + seconds * HZ;
	mod_delayed_work(system_wq, &r->work, seconds * HZ);
}

static void rule_revert_work(struct work_struct *work)
{
	struct rule_revert *r = container_of(to_delayed_work(work), struct rule_revert, work);
	struct rule_table *confirmed = NULL;

	mutex_lock(&ipsp_compartment_mutex);
	if (r->waits && time_after_eq(jiffies, r->due)) {
		r->waits = false;
		swap(confirmed, r->confirmed);
		rule_table_free(rule_swap(r->net, confirmed));
	}
	mutex_unlock(&ipsp_compartment_mutex);
}

int ipsp_rule_confirm(struct net *net, void *arg)
{
	struct rule_revert *r = &ipsp_net(net)->revert;

	if (!r->waits)
		return -ENOENT;
	rule_settle(r);
	return 0;
}

static u32 rule_seconds_left(const struct rule_revert *r)
{
	lockdep_assert_held(&ipsp_compartment_mutex);
	if (!r->waits)
		return 0;
	return time_before(jiffies, r->due) ? DIV_ROUND_UP(r->due - jiffies, HZ) : 1;
}

static void rule_enforce(struct net *net, struct rule_table *table, u32 confirm)
{
	struct rule_revert *r = &ipsp_net(net)->revert;
	struct rule_table *old = rule_swap(net, table);

	if (confirm) {
		rule_wait(r, old, confirm);
		return;
	}
	rule_settle(r);
	rule_table_free(old);
}

/* Copied once, and not yet in the table's count. */
static int rule_table_copy(struct rule_table *table, const struct ipsp_rule __user *rules, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (copy_from_user(&table->rule[i].config, &rules[i], sizeof(rules[i])))
			return -EFAULT;
	return 0;
}

int ipsp_rule_set(struct net *net, void *arg)
{
	struct ipsp_rules *r = arg;
	struct rule_table *table;
	int err;

	if (r->count > IPSP_RULES_MAX || r->confirm > IPSP_CONFIRM_MAX)
		return -EINVAL;
	table = kvzalloc(struct_size(table, rule, r->count), GFP_KERNEL_ACCOUNT);
	if (!table)
		return -ENOMEM;
	err = rule_table_copy(table, u64_to_user_ptr(r->rules), r->count);
	mutex_lock(&ipsp_compartment_mutex);
	while (!err && table->count < r->count)
		err = rule_add(net, table);
	r->bad = err ? table->count : 0;
	if (err)
		rule_table_free(table);
	else
		rule_enforce(net, table, r->confirm);
	mutex_unlock(&ipsp_compartment_mutex);
	return err;
}

/* ---- a compartment that goes ----------------------------------------------------- */

/* As it is, but what names c drops; NULL of NULL. */
static struct rule_table *rule_table_without(struct net *net, const struct rule_table *from,
					     const struct compartment *c)
{
	struct rule_table *table;
	struct ipsp_rule *config;
	int err = 0;

	if (!from)
		return NULL;
	table = kvzalloc(struct_size(table, rule, from->count), GFP_KERNEL_ACCOUNT);
	if (!table)
		return ERR_PTR(-ENOMEM);
	while (!err && table->count < from->count) {
		config = &table->rule[table->count].config;
		*config = from->rule[table->count].config;
		table->rule[table->count].label = from->rule[table->count].label;
		if (from->rule[table->count].c == c) {
			config->action = IPSP_RULE_DROP;
			config->flags &= ~IPSP_RULEF_PROTECT;
			memset(config->compartment, 0, sizeof(config->compartment));
		}
		err = rule_fill(net, table);
	}
	if (!err)
		return table;
	rule_table_free(table);
	return ERR_PTR(err);
}

int ipsp_rule_drop(struct net *net, struct compartment *c)
{
	struct ipsp_net *n = ipsp_net(net);
	struct rule_table *table, *confirmed;

	table = rcu_dereference_protected(n->rules, lockdep_is_held(&ipsp_compartment_mutex));
	table = rule_table_without(net, table, c);
	if (IS_ERR(table))
		return PTR_ERR(table);
	confirmed = rule_table_without(net, n->revert.confirmed, c);
	if (IS_ERR(confirmed)) {
		rule_table_free(table);
		return PTR_ERR(confirmed);
	}
	rule_table_free(rule_swap(net, table));
	swap(n->revert.confirmed, confirmed);
	rule_table_free(confirmed);
	return 0;
}

/* ---- get ------------------------------------------------------------------------- */

static u64 rule_hits(const struct rule *r)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(r->hits, cpu));
	return sum;
}

static u32 rule_table_list(struct net *net, struct ipsp_rule *out, u32 room, u32 *confirm)
{
	struct rule_table *table;
	u32 i, n = 0;

	mutex_lock(&ipsp_compartment_mutex);
	table = rcu_dereference_protected(ipsp_net(net)->rules,
					  lockdep_is_held(&ipsp_compartment_mutex));
	if (table)
		n = table->count;
	*confirm = rule_seconds_left(&ipsp_net(net)->revert);
	for (i = 0; i < n && i < room; i++) {
		out[i] = table->rule[i].config;
		out[i].hits = rule_hits(&table->rule[i]);
	}
	mutex_unlock(&ipsp_compartment_mutex);
	return n;
}

int ipsp_rule_get(struct net *net, void *arg)
{
	struct ipsp_rules *r = arg;
	u32 room = min_t(u32, r->count, IPSP_RULES_MAX);
	struct ipsp_rule *rules = kvcalloc(max(room, 1u), sizeof(*rules), GFP_KERNEL_ACCOUNT);
	int err = 0;

	if (!rules)
		return -ENOMEM;
	r->count = rule_table_list(net, rules, room, &r->confirm);
	if (r->count > room)
		err = -E2BIG;
	else if (copy_to_user(u64_to_user_ptr(r->rules), rules, r->count * sizeof(*rules)))
		err = -EFAULT;
	kvfree(rules);
	return err;
}

void ipsp_rule_net_init(struct net *net)
{
	struct rule_revert *r = &ipsp_net(net)->revert;

	r->net = net;
	INIT_DELAYED_WORK(&r->work, rule_revert_work);
}

void ipsp_rule_net_exit(struct net *net)
{
	mutex_lock(&ipsp_compartment_mutex);
	rule_enforce(net, NULL, 0);
	mutex_unlock(&ipsp_compartment_mutex);
	cancel_delayed_work_sync(&ipsp_net(net)->revert.work);
}

/* ---- labels ---------------------------------------------------------------------- */

static bool rule_is_of_label(const struct rule *r, const struct ipsp_label *l)
{
	return l->context[0] ? !strcmp(r->config.label, l->context) : r->label == l->label;
}

int ipsp_rule_label(struct compartment *c, struct ipsp_label *l)
{
	const struct rule_table *table;
	int err = -ENOENT;
	u32 i;

	if (strnlen(l->context, sizeof(l->context)) == sizeof(l->context) ||
	    (l->context[0] && l->label))
		return -EINVAL;
	rcu_read_lock();
	table = rcu_dereference(ipsp_net(c->net)->rules);
	for (i = 0; err && table && i < table->count; i++) {
		const struct rule *r = &table->rule[i];

		if (r->c != c || !r->label || !rule_is_of_label(r, l))
			continue;
		l->label = r->label;
		strscpy(l->context, r->config.label, sizeof(l->context));
		err = 0;
	}
	rcu_read_unlock();
	return err;
}

/* ---- the packet path ------------------------------------------------------------- */

/* As xt_owner: the group of the file that made the socket. */
static bool rule_gid_match(const struct rule *r, struct sock *sk)
{
	struct file *file;
	bool match;

	read_lock_bh(&sk->sk_callback_lock);
	file = sk->sk_socket ? sk->sk_socket->file : NULL;
	match = file && gid_eq(file->f_cred->fsgid, r->gid);
	read_unlock_bh(&sk->sk_callback_lock);
	return match;
}

/* NULL: this kernel's sockets do not know. */
static struct cgroup *rule_cgroup_of(const struct sock *sk)
{
#ifdef CONFIG_SOCK_CGROUP_DATA
	return sock_cgroup_ptr((struct sock_cgroup_data *)&sk->sk_cgrp_data);
#else
	return NULL;
#endif
}

/* As nft's `socket cgroupv2`: the group in which the socket was made, or one around it. */
static bool rule_cgroup_match(const struct rule *r, const struct sock *sk)
{
	struct cgroup *group = rule_cgroup_of(sk);

	for (; group; group = cgroup_parent(group))
		if (cgroup_id(group) == r->config.cgroup)
			return true;
	return false;
}

/*
 * The user is the socket's own, as in policy routing: it stays when the file is closed and
 * the rest of the data still goes out, which must not leave in clear.
 */
static bool rule_socket_match(const struct rule *r, const struct sock *sk)
{
	u32 flags = r->config.flags;

	if (!sk)
		return false;
	if ((flags & IPSP_RULEF_UID) && !uid_eq(READ_ONCE(sk->sk_uid), r->uid))
		return false;
	if ((flags & IPSP_RULEF_CGROUP) && !rule_cgroup_match(r, sk))
		return false;
	return !(flags & IPSP_RULEF_GID) || rule_gid_match(r, (struct sock *)sk);
}

static bool rule_owner_match(const struct rule *r, const struct ipsp_tuple *t,
			     const struct sock *sk)
{
	u32 flags = r->config.flags;

	if (!(flags & RULE_OWNER))
		return true;
	if (sk && !sk_fullsock(sk))
		sk = NULL;
	if ((flags & IPSP_RULEF_LABEL) && r->label != (sk ? ipsp_label_of_socket(sk) : t->label))
		return false;
	return !(flags & RULE_SOCKET) || rule_socket_match(r, sk);
}

static bool rule_match(const struct rule *r, const struct ipsp_tuple *t,
		       const struct net_device *dev)
{
	const struct ipsp_rule *c = &r->config;

	if (!(c->directions & (1u << t->direction)) || !ipsp_selector_match(&c->selector, t))
		return false;
	return !c->device[0] || (dev && !strcmp(dev->name, c->device));
}

static const struct rule *rule_find(struct net *net, const struct ipsp_tuple *t,
				    const struct net_device *dev, const struct sock *sk,
				    bool any_owner)
{
	const struct rule_table *table = rcu_dereference(ipsp_net(net)->rules);
	u32 i;

	if (!table || !(table->directions & (1u << t->direction)))
		return NULL;
	for (i = 0; i < table->count; i++) {
		const struct rule *r = &table->rule[i];

		if (rule_match(r, t, dev) && ((any_owner && r->c) || rule_owner_match(r, t, sk))) {
			this_cpu_inc(*r->hits);
			return r;
		}
	}
	return NULL;
}

const struct rule *ipsp_rule_find(struct net *net, const struct ipsp_tuple *t,
				  const struct net_device *dev, const struct sock *sk)
{
	return rule_find(net, t, dev, sk, false);
}

const struct rule *ipsp_rule_find_any_owner(struct net *net, const struct ipsp_tuple *t,
					    const struct net_device *dev)
{
	return rule_find(net, t, dev, NULL, true);
}

/* A rule with an owner is asked again at LOCAL_IN, where the socket is known. */
static bool rule_allows(const struct rule_table *table, struct compartment *c,
			struct ipsp_tuple *t, const struct net_device *dev, u8 direction)
{
	u32 i;

	t->direction = direction;
	for (i = 0; i < table->count; i++) {
		const struct rule *r = &table->rule[i];

		if (!rule_match(r, t, dev))
			continue;
		if (r->c == c || !(r->config.flags & RULE_OWNER))
			return r->c == c;
	}
	return false;
}

bool ipsp_rule_allows_inner(struct net *net, struct compartment *c, const struct ipsp_tuple *t,
			    const struct net_device *dev)
{
	const struct rule_table *table = rcu_dereference(ipsp_net(net)->rules);
	struct ipsp_tuple tuple = *t;

	if (!table)
		return false;
	return rule_allows(table, c, &tuple, dev, IPSP_DIR_IN) ||
	       rule_allows(table, c, &tuple, dev, IPSP_DIR_FWD);
}
