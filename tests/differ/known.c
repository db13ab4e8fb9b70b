// SPDX-License-Identifier: GPL-2.0
/* known.c - differences that have a name; the reason of each is in Documentation/keying.md */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#include "differ.h"

/* ---- what was asked ------------------------------------------------------------------------------- */

static bool is_state(const struct pair *p)
{
	return p->request->nlmsg_type == XFRM_MSG_NEWSA || p->request->nlmsg_type == XFRM_MSG_UPDSA;
}

static bool is_policy(const struct pair *p)
{
	return p->request->nlmsg_type == XFRM_MSG_NEWPOLICY || p->request->nlmsg_type == XFRM_MSG_UPDPOLICY;
}

static const void *attribute(const struct pair *p, uint16_t type, size_t least)
{
	const struct nlattr *a = message_find(p->request, message_body(p->request->nlmsg_type), type, least);

	return a ? a + 1 : NULL;
}

static const struct xfrm_usersa_info *state(const struct pair *p)
{
	return is_state(p) ? NLMSG_DATA(p->request) : NULL;
}

static const struct xfrm_userpolicy_info *policy(const struct pair *p)
{
	return is_policy(p) ? NLMSG_DATA(p->request) : NULL;
}

static const struct nlmsghdr *told(const struct item *item)
{
	return item && (item->said == SAID_ANSWER || item->said == SAID_EVENT) ? (const void *)(item + 1) : NULL;
}

/* ---- errors: the kernel takes it, or has another reason against it ------------------------------- */

static bool is_zero(const xfrm_address_t *a)
{
	static const xfrm_address_t none;

	return !memcmp(a, &none, sizeof(none));
}

/* The kernel takes it. */
static bool refused(const struct pair *p, int error)
{
	return !p->kernel_error && p->our_error == error;
}

static bool other_protocol(const struct pair *p)
{
	static const uint8_t others[] = { IPPROTO_AH, IPPROTO_COMP, IPPROTO_ROUTING, IPPROTO_DSTOPTS };

	return state(p) && memchr(others, state(p)->id.proto, sizeof(others)) && p->our_error == -EPROTONOSUPPORT;
}

/* Those of the generator that the kernel has. */
static bool algorithm_not_served(const struct pair *p)
{
	const char *cipher = attribute(p, XFRMA_ALG_CRYPT, sizeof(struct xfrm_algo));
	const char *auth = attribute(p, XFRMA_ALG_AUTH, sizeof(struct xfrm_algo));

	return is_state(p) && p->our_error == -ENOSYS &&
	       ((cipher && !strcmp(cipher, "cbc(twofish)")) || (auth && !strcmp(auth, "hmac(rmd160)")));
}

static bool without_integrity(const struct pair *p)
{
	return is_state(p) && refused(p, -EINVAL) && attribute(p, XFRMA_ALG_CRYPT, 0) && !attribute(p, XFRMA_ALG_AUTH, 0) &&
	       !attribute(p, XFRMA_ALG_AUTH_TRUNC, 0);
}

/* An HMAC's key of another length than its hash, or an ICV of another length than ESP's RFCs have. */
static bool hash_length(const struct pair *p)
{
	static const struct {
		const char *name;
		uint32_t bits, icv[2];
	} rows[] = { { "hmac(sha256)", 256, { 96, 128 } }, { "hmac(sha1)", 160, { 96, 96 } }, { "sha1", 160, { 96, 96 } } };
	const struct xfrm_algo_auth *cut = attribute(p, XFRMA_ALG_AUTH_TRUNC, sizeof(*cut));
	const struct xfrm_algo *whole = attribute(p, XFRMA_ALG_AUTH, sizeof(*whole));
	const char *name = cut ? cut->alg_name : whole ? whole->alg_name : "";
	uint32_t bits = cut ? cut->alg_key_len : whole ? whole->alg_key_len : 0, icv = cut ? cut->alg_trunc_len : 0;
	size_t i;

	for (i = 0; is_state(p) && refused(p, -EINVAL) && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(name, rows[i].name))
			return bits != rows[i].bits || (icv && icv != rows[i].icv[0] && icv != rows[i].icv[1]);
	return false;
}

/* Left's are 10.9.0.1 and fd09::1. */
static bool is_left(const xfrm_address_t *a)
{
	xfrm_address_t six;

	inet_pton(AF_INET6, "fd09::1", &six);
	return a->a4 == htonl(0x0a090001) || !memcmp(a, &six, sizeof(six));
}

static bool not_local(const struct pair *p)
{
	return state(p) && refused(p, -EADDRNOTAVAIL) && !is_left(&state(p)->saddr) && !is_left(&state(p)->id.daddr);
}

static bool no_address(const struct pair *p)
{
	return state(p) && refused(p, -EINVAL) && (is_zero(&state(p)->saddr) || is_zero(&state(p)->id.daddr));
}

/* esp6 of 6.1 finds the mode unsupported, and returns no error. */
static bool route_mode(const struct pair *p)
{
	return state(p) && refused(p, -EINVAL) && state(p)->family == AF_INET6 && state(p)->mode == XFRM_MODE_ROUTEOPTIMIZATION;
}

static bool small_spi(const struct pair *p)
{
	return state(p) && refused(p, -EINVAL) && ntohl(state(p)->id.spi) < 0x100;
}

static bool encapsulation(const struct pair *p)
{
	const struct xfrm_encap_tmpl *e = attribute(p, XFRMA_ENCAP, sizeof(*e));

	return e && is_state(p) && refused(p, -EOPNOTSUPP) &&
	       (e->encap_type != UDP_ENCAP_ESPINUDP || p->request->nlmsg_type == XFRM_MSG_UPDSA);
}

static bool seldom_asked_for(const struct pair *p)
{
	static const uint16_t types[] = { XFRMA_COADDR, XFRMA_SET_MARK, XFRMA_TFCPAD };
	const uint32_t *extra = attribute(p, XFRMA_SA_EXTRA_FLAGS, 4);
	size_t i;

	if (!is_state(p) || !refused(p, -EOPNOTSUPP))
		return false;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (attribute(p, types[i], 0))
			return true;
	return extra && (*extra & XFRM_SA_XFLAG_OSEQ_MAY_WRAP);
}

static bool offload(const struct pair *p)
{
	return is_state(p) && p->our_error == -EOPNOTSUPP && attribute(p, XFRMA_OFFLOAD_DEV, 0);
}

static bool flag_not_served(const struct pair *p)
{
	return state(p) && refused(p, -EOPNOTSUPP) &&
	       (state(p)->flags & ~(XFRM_STATE_ESN | XFRM_STATE_NOECN | XFRM_STATE_DECAP_DSCP));
}

static bool spi_twice(const struct pair *p)
{
	return is_state(p) && refused(p, -EEXIST);
}

static bool port_mask(const struct pair *p)
{
	const struct xfrm_userpolicy_info *info = policy(p);

	return info && p->our_error == -EOPNOTSUPP &&
	       ((info->sel.sport_mask && info->sel.sport_mask != 0xffff) || (info->sel.dport_mask && info->sel.dport_mask != 0xffff));
}

/* More than one, or of another protocol, or of a mode of its own */
static bool template_not_served(const struct pair *p)
{
	const struct nlattr *a = message_find(p->request, message_body(p->request->nlmsg_type), XFRMA_TMPL,
					      sizeof(struct xfrm_user_tmpl));
	const struct xfrm_user_tmpl *t = (const void *)(a + 1);

	return is_policy(p) && a && refused(p, -EOPNOTSUPP) &&
	       (a->nla_len - (size_t)NLA_HDRLEN >= 2 * sizeof(*t) || t->id.proto != IPPROTO_ESP || t->mode > XFRM_MODE_TUNNEL);
}

static bool sub_policy(const struct pair *p)
{
	const struct xfrm_userpolicy_type *t = attribute(p, XFRMA_POLICY_TYPE, sizeof(*t));

	return t && t->type == XFRM_POLICY_TYPE_SUB && refused(p, -EOPNOTSUPP);
}

static bool default_block(const struct pair *p)
{
	return p->request->nlmsg_type == XFRM_MSG_SETDEFAULT && refused(p, -EOPNOTSUPP);
}

static bool larval_family(const struct pair *p)
{
	const struct xfrm_userspi_info *info = NLMSG_DATA(p->request);

	return p->request->nlmsg_type == XFRM_MSG_ALLOCSPI && refused(p, -EINVAL) && info->info.family != AF_INET &&
	       info->info.family != AF_INET6;
}

/* ---- told otherwise -------------------------------------------------------------------------------- */

/* The same event, but for keys: ours are zeros. */
static bool key_in_event(const struct pair *p)
{
	static const struct {
		uint16_t type;
		size_t key;
	} secret[] = {
		{ XFRMA_ALG_AEAD, sizeof(struct xfrm_algo_aead) }, { XFRMA_ALG_CRYPT, sizeof(struct xfrm_algo) },
		{ XFRMA_ALG_AUTH, sizeof(struct xfrm_algo) }, { XFRMA_ALG_AUTH_TRUNC, sizeof(struct xfrm_algo_auth) },
	};
	static _Alignas(8) unsigned char copy[MESSAGE_MAX];
	struct nlmsghdr *head = (struct nlmsghdr *)copy;
	struct nlattr *a;
	size_t i;

	if (!p->a || !p->b || p->a->said != SAID_EVENT || p->a->size != p->b->size || p->a->group != p->b->group ||
	    p->a->size > sizeof(copy))
		return false;
	memcpy(copy, p->a + 1, p->a->size);
	for (i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
		a = message_find(head, message_body(head->nlmsg_type), secret[i].type, secret[i].key);
		if (a)
			memset((unsigned char *)(a + 1) + secret[i].key, 0, a->nla_len - NLA_HDRLEN - secret[i].key);
	}
	return !memcmp(copy, p->b + 1, p->b->size);
}

/* Both told it, and it is the same but for this attribute. */
static bool same_but(const struct pair *p, uint16_t type)
{
	static _Alignas(8) unsigned char copy[2][MESSAGE_MAX];
	const struct item *item[] = { p->a, p->b };
	struct nlattr *a;
	size_t i;

	if (!told(p->a) || !told(p->b) || p->a->said != p->b->said || p->a->size != p->b->size || p->a->size > MESSAGE_MAX)
		return false;
	for (i = 0; i < 2; i++) {
		memcpy(copy[i], item[i] + 1, item[i]->size);
		a = message_find((struct nlmsghdr *)copy[i], message_body(((struct nlmsghdr *)copy[i])->nlmsg_type), type, 1);
		if (!a)
			return false;
		memset(a + 1, 0, a->nla_len - (size_t)NLA_HDRLEN);
	}
	return !memcmp(copy[0], copy[1], p->a->size);
}

static bool hash_size(const struct pair *p)
{
	const struct nlmsghdr *a = told(p->a);

	return a && ((a->nlmsg_type == XFRM_MSG_NEWSADINFO && same_but(p, XFRMA_SAD_HINFO)) ||
		     (a->nlmsg_type == XFRM_MSG_NEWSPDINFO && same_but(p, XFRMA_SPD_HINFO)));
}

/* The kernel tells it elsewhere. */
static bool migrate_event(const struct pair *p)
{
	const struct nlmsghdr *a = told(p->a), *b = told(p->b);

	return p->request->nlmsg_type == XFRM_MSG_MIGRATE && b && b->nlmsg_type == XFRM_MSG_MIGRATE &&
	       p->b->said == SAID_EVENT && (!a || a->nlmsg_type != XFRM_MSG_MIGRATE);
}

static bool threshold_unit(const struct pair *p)
{
	const struct nlmsghdr *a = told(p->a);

	return a && a->nlmsg_type == XFRM_MSG_NEWAE && same_but(p, XFRMA_ETIMER_THRESH);
}

const char *known(const struct pair *p, bool *parts)
{
	static const struct {
		const char *name;
		bool (*is)(const struct pair *p);
		bool parts;
	} errors[] = {
		{ "other protocols than ESP", other_protocol, true },
		{ "an algorithm that the stacks have not", algorithm_not_served, true },
		{ "a cipher without integrity", without_integrity, true },
		{ "an SPI under 0x100", small_spi, true },
		{ "neither address is this host's", not_local, true },
		{ "an address that is none", no_address, true },
		{ "ESP of mode ro, IPv6", route_mode, true },
		{ "encapsulation", encapsulation, true },
		{ "coa, output-mark, tfcpad, oseq-may-wrap", seldom_asked_for, true },
		{ "offload", offload, true },
		{ "a flag", flag_not_served, true },
		{ "a hash's key or ICV of another length", hash_length, true },
		{ "an SPI twice, under two marks", spi_twice, true },
		{ "a port mask", port_mask, true },
		{ "sub policies", sub_policy, true },
		{ "a template", template_not_served, true },
		{ "default block", default_block, true },
		{ "ALLOCSPI of no family", larval_family, true },
	}, answers[] = {
		{ "keys in events", key_in_event, false },
		{ "sizes of hash tables", hash_size, false },
		{ "MIGRATE is told to its own namespace", migrate_event, true },
		{ "the unit of ETIMER_THRESH", threshold_unit, false },
	};
	size_t i;

	for (i = 0; p->kernel_error != p->our_error && i < sizeof(errors) / sizeof(errors[0]); i++) {
		*parts = errors[i].parts;
		if (errors[i].is(p))
			return errors[i].name;
	}
	for (i = 0; p->kernel_error == p->our_error && i < sizeof(answers) / sizeof(answers[0]); i++) {
		*parts = answers[i].parts;
		if (answers[i].is(p))
			return answers[i].name;
	}
	*parts = true;
	return NULL;
}
