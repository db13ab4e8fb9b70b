// SPDX-License-Identifier: GPL-2.0-only
/* relay.c - the namespace's XFRM netlink socket: ours for the keying agent, or not */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "portctl.h"
#include "words/device.h"

static int relay_set(__u32 flags)
{
	struct ipsp_relay set = { .flags = flags };
	int err = device_control(IPSP_CTL_RELAY_SET, &set);

	if (err == -EADDRINUSE) {
		fprintf(stderr, "ipsec-portctl: relay: another module has XFRM netlink; wanted: xfrm_user not "
			"loaded (rmmod xfrm_user; /etc/modprobe.d: install xfrm_user /bin/false)\n");
		return 1;
	}
	if (err == -EPERM && flags & IPSP_RELAYF_ALL)
		return portctl_refused("relay --all: of every namespace; wanted: CAP_NET_ADMIN over the machine", err);
	return err ? portctl_refused("relay", err) : 0;
}

static int relay_show(const struct portctl *p)
{
	struct ipsp_relay get;
	int err = device_control(IPSP_CTL_RELAY_GET, &get);
	const char *is_on, *is_all;

	if (err)
		return portctl_refused("relay", err);
	is_on = get.flags & IPSP_RELAYF_ON ? "on" : "off";
	is_all = get.flags & IPSP_RELAYF_ALL ? "on" : "off";
	if (p->json)
		printf("{\"relay\":\"%s\",\"all\":\"%s\",\"agent\":%s,\"waiting\":%u,\"requests\":%llu,\"refused\":%llu}\n",
		       is_on, is_all, get.flags & IPSP_RELAYF_AGENT ? "true" : "false", get.waiting, get.requests, get.refused);
	else
		printf("relay %s all %s agent %s waiting %u requests %llu refused %llu\n", is_on, is_all,
		       get.flags & IPSP_RELAYF_AGENT ? "yes" : "no", get.waiting, get.requests, get.refused);
	return 0;
}

int relay_main(const struct portctl *p, struct words *w)
{
	const __u32 all = p->all ? IPSP_RELAYF_ALL : 0;
	const char *verb;

	word_next(w);
	verb = word_next(w);
	if (word_peek(w))
		return portctl_usage("relay %s \"%s\": allowed: nothing behind it", verb, word_peek(w));
	if (verb && !strcmp(verb, "enable"))
		return relay_set(IPSP_RELAYF_ON | all);
	if (verb && !strcmp(verb, "disable"))
		return relay_set(all);
	if ((!verb || !strcmp(verb, "show")) && p->all)
		return portctl_usage("relay show: option \"--all\": allowed: with enable and disable");
	if (!verb || !strcmp(verb, "show"))
		return relay_show(p);
	return portctl_usage("relay \"%s\": allowed: enable, disable, show", verb);
}
