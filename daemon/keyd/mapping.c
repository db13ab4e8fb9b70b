// SPDX-License-Identifier: GPL-2.0-only
/*
 * mapping.c - what comes from behind a NAT that gave it another name: MAPPING
 *
 * The module's handle says where the last authentic packet came from. One event for each new
 * name, and of an SA with MTIMER_THRESH none before so many seconds are over.
 */
#include <time.h>

#include "keyd.h"

void mapping_begin(struct keyd_sa *sa)
{
	sa->told_peer = sa->info.saddr;
	sa->told_port = sa->encap.encap_sport;
	sa->peer = sa->told_peer;
	sa->peer_port = sa->told_port;
}

bool mapping_is_watched(const struct keyd_sa *sa)
{
	return sa->state == SA_VALID && sa->has_encap;
}

static bool mapping_is_new(const struct keyd_sa *sa)
{
	return sa->peer_port != sa->told_port ||
	       !address_equal(&sa->peer, &sa->told_peer, sa->info.family);
}

void mapping_check(struct keyd *k, struct keyd_sa *sa)
{
	uint64_t now = (uint64_t)time(NULL);

	if (!mapping_is_watched(sa) || !mapping_is_new(sa) || now < sa->mapping_time + sa->mapping_maxage)
		return;
	relay_multicast(k, XFRMNLGRP_MAPPING, sa_message_mapping(sa));
	sa->told_peer = sa->peer;
	sa->told_port = sa->peer_port;
	sa->mapping_time = now;
}
