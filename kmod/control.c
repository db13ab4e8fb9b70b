// SPDX-License-Identifier: GPL-2.0
/*
 * control.c - the ioctls of /dev/ipsec-port/control
 *
 * They act in the caller's network namespace. One table; the frame copies in and out and
 * checks what all have in common.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <net/net_namespace.h>
#include "compartment.h"
#include "rule.h"

#define CONTROL_STRUCT_MAX sizeof(struct ipsp_stats)

static int control_features(struct net *net, void *arg)
{
	struct ipsp_features *f = arg;

	memset(f, 0, sizeof(*f));
	f->features = IPSP_FEATURE_ESP | IPSP_FEATURE_ESN | IPSP_FEATURE_MERGE;
	f->stacks_max = 1;
	f->rules_max = IPSP_RULES_MAX;
	f->window_max = IPSP_WINDOW_MAX;
	return 0;
}

static int control_add(struct net *net, void *arg)
{
	return ipsp_compartment_add(net, arg);
}

static int control_del(struct net *net, void *arg)
{
	struct ipsp_name *n = arg;

	if (memchr_inv(n->reserved, 0, sizeof(n->reserved)))
		return -EINVAL;
	return ipsp_compartment_del(net, n->name);
}

static int control_set(struct net *net, void *arg)
{
	return ipsp_compartment_set(net, arg);
}

static int control_get(struct net *net, void *arg)
{
	return ipsp_compartment_get_info(net, arg);
}

static int control_rules_set(struct net *net, void *arg)
{
	struct ipsp_rules *r = arg;
	struct ipsp_rule *rules;
	int err;

	if (r->count > IPSP_RULES_MAX || memchr_inv(r->reserved, 0, sizeof(r->reserved)))
		return -EINVAL;
	rules = vmemdup_user(u64_to_user_ptr(r->rules), r->count * sizeof(*rules));
	if (IS_ERR(rules))
		return PTR_ERR(rules);
	r->bad = 0;
	err = ipsp_rule_set(net, rules, r->count, &r->bad);
	kvfree(rules);
	return err;
}

static int control_rules_get(struct net *net, void *arg)
{
	struct ipsp_rules *r = arg;
	struct ipsp_rule *rules;
	u32 room = min_t(u32, r->count, IPSP_RULES_MAX), n;
	int err = 0;

	if (memchr_inv(r->reserved, 0, sizeof(r->reserved)))
		return -EINVAL;
	rules = kvcalloc(max(room, 1u), sizeof(*rules), GFP_KERNEL_ACCOUNT);
	if (!rules)
		return -ENOMEM;
	n = ipsp_rule_get(net, rules, room);
	if (n > room)
		err = -E2BIG;
	else if (copy_to_user(u64_to_user_ptr(r->rules), rules, n * sizeof(*rules)))
		err = -EFAULT;
	r->count = n;
	kvfree(rules);
	return err;
}

static int control_stats(struct net *net, void *arg)
{
	struct ipsp_stats *s = arg;
	struct compartment *c = NULL;
	char name[IPSP_NAME_MAX];

	if (strnlen(s->name, IPSP_NAME_MAX) == IPSP_NAME_MAX ||
	    memchr_inv(s->reserved, 0, sizeof(s->reserved)))
		return -EINVAL;
	memcpy(name, s->name, sizeof(name));
	if (name[0]) {
		mutex_lock(&ipsp_compartment_mutex);
		c = ipsp_compartment_find(net, name);
		mutex_unlock(&ipsp_compartment_mutex);
		if (!c)
			return -ENOENT;
	}
	memset(s, 0, sizeof(*s));
	memcpy(s->name, name, sizeof(name));
	ipsp_stats_fill(net, c, s);
	if (c)
		ipsp_compartment_put(c);
	return 0;
}

static const struct control_call {
	unsigned int number;
	int (*handler)(struct net *net, void *arg);
} control_calls[] = {
	{ IPSP_CTL_FEATURES, control_features },
	{ IPSP_CTL_COMPARTMENT_ADD, control_add },
	{ IPSP_CTL_COMPARTMENT_DEL, control_del },
	{ IPSP_CTL_COMPARTMENT_SET, control_set },
	{ IPSP_CTL_COMPARTMENT_GET, control_get },
	{ IPSP_CTL_RULES_SET, control_rules_set },
	{ IPSP_CTL_RULES_GET, control_rules_get },
	{ IPSP_CTL_STATS, control_stats },
};

/* Rule calls say what was wrong, or how much room is missing, by the same struct. */
static bool control_copies_out(unsigned int number, int err)
{
	return (_IOC_DIR(number) & _IOC_READ) &&
	       (!err || err == -E2BIG || number == IPSP_CTL_RULES_SET);
}

static long control_run(const struct control_call *call, struct net *net, void __user *user)
{
	u32 size = _IOC_SIZE(call->number);
	void *arg = kzalloc(CONTROL_STRUCT_MAX, GFP_KERNEL_ACCOUNT);
	int err = 0;

	if (!arg)
		return -ENOMEM;
	if ((_IOC_DIR(call->number) & _IOC_WRITE) && copy_from_user(arg, user, size))
		err = -EFAULT;
	else
		err = call->handler(net, arg);
	if (err != -EFAULT && control_copies_out(call->number, err) &&
	    copy_to_user(user, arg, size))
		err = -EFAULT;
	kfree(arg);
	return err;
}

static long control_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	struct net *net = current->nsproxy->net_ns;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(control_calls); i++) {
		if (control_calls[i].number != number)
			continue;
		if (!ns_capable(net->user_ns, CAP_NET_ADMIN))
			return -EPERM;
		return control_run(&control_calls[i], net, (void __user *)arg);
	}
	return -ENOTTY;
}

const struct file_operations ipsp_control_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};
