// SPDX-License-Identifier: GPL-2.0
/* main.c - the rooms of the module in the order they open, and in reverse */
#include <linux/build_bug.h>
#include <linux/module.h>
#include "bypass.h"
#include "compartment.h"
#include "handle.h"
#include "ipsec_port_ring.h"
#include "ipsec_port_layout.h"		/* asserted here, for all */
#include "memo.h"
#include "netns.h"
#include "port.h"
#include "redirector.h"
#include "relay.h"
#include "secret.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

bool ipsp_closed;
module_param_named(closed, ipsp_closed, bool, 0444);
MODULE_PARM_DESC(closed, "drop all traffic of a namespace until its first rule set");

struct room {
	int (*init)(void);
	void (*exit)(void);
};

static const struct room rooms[] = {
	{ NULL, ipsp_stats_exit },			/* last word: made = freed */
	{ ipsp_handle_init, ipsp_handle_exit },		/* counters, hash key */
	{ ipsp_divert_init, ipsp_divert_exit },
	{ ipsp_deal_init, ipsp_deal_exit },
	{ ipsp_memo_init, ipsp_memo_exit },
	{ ipsp_flow_init, ipsp_flow_exit },
	{ ipsp_reinject_init, ipsp_reinject_exit },
	{ ipsp_port_class_init, ipsp_port_class_exit },	/* outlives the compartments' nodes */
	{ ipsp_compartment_init, ipsp_compartment_exit },
	{ ipsp_bypass_init, ipsp_bypass_exit },
	{ NULL, ipsp_secret_exit },			/* answers that were not read */
	{ ipsp_relay_init, ipsp_relay_exit },
	{ ipsp_netns_init, ipsp_netns_exit },		/* hooks: packets from here on */
	{ ipsp_input_init, ipsp_input_exit },
	{ ipsp_port_init, ipsp_port_exit },		/* users from here on */
};

static void rooms_exit(int n)
{
	while (n--)
		rooms[n].exit();
}

static int __init ipsec_port_init(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		err = rooms[i].init ? rooms[i].init() : 0;
		if (err) {
			rooms_exit(i);
			return err;
		}
	}
	return 0;
}

static void __exit ipsec_port_exit(void)
{
	rooms_exit(ARRAY_SIZE(rooms));
}

module_init(ipsec_port_init);
module_exit(ipsec_port_exit);
MODULE_DESCRIPTION("IPsec in user-space stacks behind a port");
MODULE_LICENSE("GPL");
