// SPDX-License-Identifier: GPL-2.0
/*
 * control.c - the ioctls of /dev/ipsec-port/control
 *
 * They act in the caller's network namespace.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/nsproxy.h>
#include <net/net_namespace.h>
#include "call.h"
#include "compartment.h"
#include "dissent.h"
#include "poison.h"
#include "port.h"
#include "relay.h"
#include "rule.h"

static int control_features(struct net *net, void *arg)
{
	struct ipsp_features *f = arg;

	f->features = IPSP_FEATURE_ESP | IPSP_FEATURE_ESN | IPSP_FEATURE_MERGE |
		      IPSP_FEATURE_QUORUM |
		      IPSP_FEATURE_SHARE | IPSP_FEATURE_ENCAP | IPSP_FEATURE_RELAY |
		      IPSP_FEATURE_LIMITS | IPSP_FEATURE_AH | IPSP_FEATURE_HOLD |
		      IPSP_FEATURE_LABEL | IPSP_FEATURE_BUNDLE;
	f->stacks_max = IPSP_STACKS_MAX;
	f->rules_max = IPSP_RULES_MAX;
	f->window_max = IPSP_WINDOW_MAX;
	f->interface = IPSP_INTERFACE;
	return 0;
}

/* Rule calls say what was wrong, or how much room is missing, by the same struct. */
static const struct call control_calls[] = {
	{ IPSP_CTL_FEATURES, .control = control_features },
	{ IPSP_CTL_COMPARTMENT_ADD, CALL_RESERVED(ipsp_compartment), .locked = true,
	  .control = ipsp_compartment_add },
	{ IPSP_CTL_COMPARTMENT_DEL, CALL_RESERVED(ipsp_name),
	  CALL_FLAGS(ipsp_name, IPSP_DELF_ALL), .locked = true, .control = ipsp_compartment_del },
	{ IPSP_CTL_COMPARTMENT_SET, CALL_RESERVED(ipsp_compartment), .locked = true,
	  .control = ipsp_compartment_set },
	{ IPSP_CTL_COMPARTMENT_GET, CALL_RESERVED(ipsp_compartment), .locked = true,
	  .control = ipsp_compartment_get },
	{ IPSP_CTL_RULES_SET, CALL_RESERVED(ipsp_rules), .tells = true, .control = ipsp_rule_set },
	{ IPSP_CTL_RULES_GET, CALL_RESERVED(ipsp_rules), .tells = true, .control = ipsp_rule_get },
	{ IPSP_CTL_RELAY_SET, CALL_RESERVED(ipsp_relay), .locked = true,
	  .control = ipsp_relay_set },
	{ IPSP_CTL_RELAY_GET, .locked = true, .control = ipsp_relay_get },
	{ IPSP_CTL_RULES_CONFIRM, .locked = true, .control = ipsp_rule_confirm },
	{ IPSP_CTL_STATS, CALL_RESERVED(ipsp_stats), .locked = true, .control = ipsp_stats_get },
	{ IPSP_CTL_DISSENT, CALL_RESERVED(ipsp_dissent), .tells = true,
	  .control = ipsp_dissent_get },
	{ IPSP_CTL_POISON, CALL_RESERVED(ipsp_poison), .tells = true,
	  .control = ipsp_poison_get },
};

static long control_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	const struct call *call = ipsp_call_find(control_calls, ARRAY_SIZE(control_calls), number);

	if (!call)
		return -ENOTTY;
	if (!ns_capable(current->nsproxy->net_ns->user_ns, CAP_NET_ADMIN))
		return -EPERM;
	return ipsp_call_run(call, NULL, (void __user *)arg);
}

const struct file_operations ipsp_control_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};
