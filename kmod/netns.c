// SPDX-License-Identifier: GPL-2.0
/* netns.c - a namespace comes and goes: each room's part, in order and in reverse */
#include "compartment.h"
#include "handle.h"
#include "memo.h"
#include "netns.h"
#include "redirector.h"
#include "relay.h"
#include "rule.h"

unsigned int ipsp_net_id;

static int netns_init(struct net *net)
{
	int err;

	err = ipsp_handle_net_init(net);
	if (err)
		return err;
	err = ipsp_divert_net_init(net);
	if (err)
		goto err_handle;
	ipsp_rule_net_init(net);
	err = ipsp_redirector_net_init(net);
	if (err)
		goto err_divert;
	err = ipsp_relay_net_init(net);
	if (err)
		goto err_redirector;
	return 0;
err_redirector:
	ipsp_redirector_net_exit(net);
err_divert:
	ipsp_divert_net_exit(net);
err_handle:
	ipsp_handle_net_exit(net);
	return err;
}

/* Before any device goes: no packet comes any more, and none that waited stays. */
static void netns_pre_exit(struct net *net)
{
	ipsp_relay_net_exit(net);
	ipsp_redirector_net_exit(net);
	ipsp_rule_net_exit(net);
	ipsp_compartment_net_exit(net);
}

/*
 * What was let go before may still be on its way out: a dst ends through its namespace's
 * dst_ops, in an RCU callback, and then puts its handle, which ends in a work. Both are
 * waited for before the namespace's part is freed.
 */
static void netns_exit(struct list_head *nets)
{
	struct net *net;

	rcu_barrier();
	list_for_each_entry(net, nets, exit_list) {
		ipsp_divert_net_exit(net);
		ipsp_handle_net_exit(net);
	}
}

static struct pernet_operations netns_ops = {
	.init = netns_init,
	.pre_exit = netns_pre_exit,
	.exit_batch = netns_exit,
	.id = &ipsp_net_id,
	.size = sizeof(struct ipsp_net),
};

/* Flows remember dsts, which hold devices; memos know a device by its place and its rules. */
static int netns_device_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	ipsp_memo_forget();
	if (event == NETDEV_DOWN || event == NETDEV_UNREGISTER)
		ipsp_compartment_device_gone(netdev_notifier_info_to_dev(ptr));
	return NOTIFY_DONE;
}

static struct notifier_block netns_device_notifier = { .notifier_call = netns_device_event };

int ipsp_netns_init(void)
{
	int err = register_pernet_subsys(&netns_ops);

	if (err)
		return err;
	err = register_netdevice_notifier(&netns_device_notifier);
	if (err)
		unregister_pernet_subsys(&netns_ops);
	return err;
}

void ipsp_netns_exit(void)
{
	unregister_netdevice_notifier(&netns_device_notifier);
	unregister_pernet_subsys(&netns_ops);
}
