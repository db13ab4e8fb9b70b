// SPDX-License-Identifier: GPL-2.0-only
/*
 * acquire.c - what a compartment tells: what it needs an SA for, as ACQUIRE to the IKE daemons; limits that were met
 *
 * A second port of each, on which a request is always out: the manager replies when there is something. As in the
 * kernel a larval SA without SPI stands for the exchange: while it is there the same is not asked again, a new SA of
 * its kind takes its place, and its end is told by EXPIRE.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keyd.h"
#include "words/device.h"

#define ACQUIRE_RETRY 1			/* seconds, where there is no manager */

struct wanted {				/* the packet that asked */
	unsigned int policy, proto, ports, sport, dport, dev, if_id, mark;
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
};

/* ---- the larval SA ------------------------------------------------------------------------ */

static bool acquire_address_is_any(const xfrm_address_t *a, __u16 family)
{
	static const xfrm_address_t any;

	return address_equal(a, &any, family);
}

static int acquire_selector(struct xfrm_selector *s, const struct wanted *w, __u16 family)
{
	memset(s, 0, sizeof(*s));
	if (inet_pton(family, w->src, &s->saddr) != 1 || inet_pton(family, w->dst, &s->daddr) != 1)
		return -EINVAL;
	s->family = family;
	s->prefixlen_s = s->prefixlen_d = family == AF_INET ? 32 : 128;
	s->proto = (__u8)w->proto;
	s->sport = htons((__u16)w->sport);
	s->dport = htons((__u16)w->dport);
	if (!w->ports)
		s->sport = s->dport = 0;
	s->sport_mask = s->dport_mask = 0xffff;
	s->ifindex = (int)w->dev;
	return 0;
}

/* The template's addresses, or the packet's where it has none. */
static void acquire_info(struct xfrm_usersa_info *info, const struct keyd_policy *p, const struct xfrm_selector *s)
{
	const struct xfrm_user_tmpl *t = &p->template_[0];

	memset(info, 0, sizeof(*info));
	info->id = t->id;
	info->saddr = t->saddr;
	info->family = t->family;
	if (acquire_address_is_any(&info->id.daddr, t->family))
		info->id.daddr = s->daddr;
	if (acquire_address_is_any(&info->saddr, t->family))
		info->saddr = s->saddr;
	info->sel = *s;
	info->mode = t->mode;
	info->reqid = t->reqid;
	info->lft.soft_byte_limit = info->lft.hard_byte_limit = XFRM_INF;
	info->lft.soft_packet_limit = info->lft.hard_packet_limit = XFRM_INF;
	info->lft.hard_add_expires_seconds = SA_LARVAL_SECONDS;
	info->curlft.add_time = (__u64)time(NULL);
}

static struct keyd_sa *acquire_larval(struct keyd *k, const struct keyd_policy *p, const struct xfrm_usersa_info *info)
{
	struct keyd_sa *sa = store_new_sa(k);

	if (!sa)
		return NULL;
	sa->info = *info;
	sa->mark = p->mark;
	sa->if_id = p->if_id;
	sa->label = p->label;			/* the packet's: it would not be the policy's otherwise */
	sa->info.seq = ++k->store->next_seq ?: ++k->store->next_seq;
	store_named(k, sa);
	sa->state = SA_LARVAL;
	return sa;
}

/* ---- ACQUIRE ------------------------------------------------------------------------------ */

struct nl_msg *acquire_message(const struct keyd_policy *p, const struct xfrm_user_acquire *about)
{
	struct nl_msg *m = nlmsg_alloc_size(4096);
	struct xfrm_user_acquire *a;

	if (!m || !nlmsg_put(m, 0, 0, XFRM_MSG_ACQUIRE, sizeof(*a), 0)) {
		nlmsg_free(m);
		return NULL;
	}
	a = nlmsg_data(nlmsg_hdr(m));
	*a = *about;
	a->policy = p->info;
	policy_message_attributes(m, p);
	return m;
}

static struct nl_msg *acquire_about(const struct keyd_policy *p, const struct keyd_sa *sa)
{
	const struct xfrm_user_tmpl *t = &p->template_[0];
	const struct xfrm_user_acquire about = {
		.id = sa->info.id, .saddr = sa->info.saddr, .sel = sa->info.sel, .seq = sa->info.seq,
		.aalgos = t->aalgos, .ealgos = t->ealgos, .calgos = t->calgos,
	};

	return acquire_message(p, &about);
}

static struct keyd_policy *acquire_policy(struct keyd *k, __u32 index)
{
	struct keyd_policy *at = NULL;

	while ((at = store_find_index(k, index, at)))
		if (at->state == SA_VALID)
			return at->info.dir == XFRM_POLICY_OUT && at->templates ? at : NULL;
	return NULL;
}

static void acquire_ask(struct keyd *k, const struct keyd_compartment *c, const struct wanted *w)
{
	const struct keyd_policy *p = acquire_policy(k, w->policy);
	struct xfrm_usersa_info info;
	struct xfrm_selector s;
	struct keyd_sa *sa;

	if (!p || strcmp(p->compartment, c->name) || acquire_selector(&s, w, strchr(w->src, ':') ? AF_INET6 : AF_INET))
		return;
	acquire_info(&info, p, &s);
	if (sa_find_asked(k, &info, &p->mark, p->if_id, &p->label))
		return;
	sa = acquire_larval(k, p, &info);
	if (sa)
		relay_multicast(k, XFRMNLGRP_ACQUIRE, acquire_about(p, sa));
}

void acquire_line(struct keyd *k, const struct keyd_compartment *c, const char *line)
{
	unsigned long long bytes, packets;
	struct wanted w = { 0 };
	unsigned int spi;

	if (sscanf(line, "policy %u src %45s dst %45s proto %u ports %u sport %u dport %u dev %u if_id %u mark %u",
		   &w.policy, w.src, w.dst, &w.proto, &w.ports, &w.sport, &w.dport, &w.dev, &w.if_id, &w.mark) == 10)
		acquire_ask(k, c, &w);
	else if (sscanf(line, "expired dst %45s spi %x bytes %llu packets %llu", w.dst, &spi, &bytes, &packets) == 4)
		lifetime_met(k, c, w.dst, htonl(spi), &(struct xfrm_lifetime_cur){ .bytes = bytes, .packets = packets });
}

/* ---- the port ----------------------------------------------------------------------------- */

static void acquire_close(struct keyd_compartment *c)
{
	if (c->acquire >= 0)
		close(c->acquire);
	c->acquire = -1;
	c->acquire_retry = time(NULL) + ACQUIRE_RETRY;
}

static int acquire_send(struct keyd_compartment *c)
{
	static const char *const wait[] = { "acquire", "wait" };

	return device_send(c->acquire, 0, 0, wait, 2);
}

void acquire_open(struct keyd *k, struct keyd_compartment *c)
{
	if (c->acquire >= 0 || time(NULL) < c->acquire_retry)
		return;
	c->acquire = opener_ask(k, c);
	if (c->acquire < 0 || device_attach(c->acquire, IPSP_ROLE_ADMIN, 0) || acquire_send(c))
		acquire_close(c);
}

/* No manager any more, or another one: that one is asked. */
void acquire_lost(struct keyd *k, struct keyd_compartment *c)
{
	acquire_close(c);
	c->acquire_retry = 0;
	acquire_open(k, c);
}

void acquire_readable(struct keyd *k, struct keyd_compartment *c)
{
	static struct device_reply reply;
	char *line, *end;

	if (device_receive(c->acquire, &reply) || reply.status) {
		acquire_close(c);
		return;
	}
	if (acquire_send(c))
		acquire_close(c);
	for (line = reply.text; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		acquire_line(k, c, line);
	}
}
