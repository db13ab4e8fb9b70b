// SPDX-License-Identifier: GPL-2.0
/*
 * mutate.c - what a broken or hostile sender makes of a message
 *
 * Limits that are reached soon are taken out again: what is over in a moment is over at another moment in the other run.
 */
#include <string.h>

#include "differ.h"

static size_t body_end(const struct maker *k)
{
	size_t end = NLMSG_ALIGN(NLMSG_LENGTH(message_body(k->m.head.nlmsg_type)));

	return k->m.head.nlmsg_flags & NLM_F_DUMP || end > k->m.head.nlmsg_len ? NLMSG_HDRLEN : end;
}

/* One attribute of it, its offset; 0: it has none */
static unsigned int some_attribute(struct maker *k)
{
	unsigned int at = (unsigned int)body_end(k), count = 0, found = 0;
	const struct nlattr *a;

	for (; at + NLA_HDRLEN <= k->m.head.nlmsg_len; at += NLA_ALIGN(a->nla_len)) {
		a = (const struct nlattr *)(k->m.bytes + at);
		if (a->nla_len < NLA_HDRLEN || a->nla_len > k->m.head.nlmsg_len - at)
			break;
		if (!dice_below(&k->dice, ++count))
			found = at;
	}
	return found;
}

static void cut(struct maker *k)
{
	uint32_t by = dice_between(&k->dice, 1, dice_percent(&k->dice, 50) ? 8 : 400);

	k->m.head.nlmsg_len = k->m.head.nlmsg_len > NLMSG_HDRLEN + by ? k->m.head.nlmsg_len - by : NLMSG_HDRLEN;
}

static void lengthen(struct maker *k)
{
	uint32_t by = dice_between(&k->dice, 1, 40);

	if (k->m.head.nlmsg_len + by > MESSAGE_MAX)
		return;
	dice_fill(&k->dice, k->m.bytes + k->m.head.nlmsg_len, by);
	k->m.head.nlmsg_len += by;
}

static void attribute_length(struct maker *k)
{
	unsigned int at = some_attribute(k);
	struct nlattr *a = (struct nlattr *)(k->m.bytes + at);
	static const uint16_t odd[] = { 0, 1, 3, 4, 5, 7, 8, 0x7fff, 0xffff };

	if (at)
		a->nla_len = dice_percent(&k->dice, 50) ? DICE_PICK(&k->dice, odd) :
			     (uint16_t)(a->nla_len + dice_below(&k->dice, 17) - 8);
}

static void attribute_type(struct maker *k)
{
	unsigned int at = some_attribute(k);

	if (at)
		((struct nlattr *)(k->m.bytes + at))->nla_type =
			dice_percent(&k->dice, 70) ? (uint16_t)dice_below(&k->dice, 32) : (uint16_t)dice_next(&k->dice);
}

static void attribute_twice(struct maker *k)
{
	unsigned int at = some_attribute(k);
	const struct nlattr *a = (const struct nlattr *)(k->m.bytes + at);
	unsigned char copy[1024];
	unsigned char *to;

	if (!at || a->nla_len > sizeof(copy))
		return;
	memcpy(copy, a, a->nla_len);
	to = message_attribute(k, a->nla_type, copy + NLA_HDRLEN, a->nla_len - (size_t)NLA_HDRLEN);
	if (to && a->nla_len > NLA_HDRLEN && a->nla_type != XFRMA_LTIME_VAL && dice_percent(&k->dice, 60))
		to[dice_below(&k->dice, (uint32_t)(a->nla_len - NLA_HDRLEN))] ^= 1u << dice_below(&k->dice, 8);
}

static void attribute_gone(struct maker *k)
{
	unsigned int at = some_attribute(k), length;

	if (!at)
		return;
	length = NLA_ALIGN(((struct nlattr *)(k->m.bytes + at))->nla_len);
	if (at + length > k->m.head.nlmsg_len)
		return;
	memmove(k->m.bytes + at, k->m.bytes + at + length, k->m.head.nlmsg_len - at - length);
	k->m.head.nlmsg_len -= length;
}

static void flip(struct maker *k)
{
	unsigned int at = dice_between(&k->dice, NLMSG_HDRLEN, k->m.head.nlmsg_len);

	if (at < k->m.head.nlmsg_len)
		k->m.bytes[at] = dice_percent(&k->dice, 50) ? (unsigned char)dice_next(&k->dice) :
							      k->m.bytes[at] ^ (unsigned char)(1u << dice_below(&k->dice, 8));
}

static void type(struct maker *k)
{
	k->m.head.nlmsg_type = (uint16_t)dice_between(&k->dice, XFRM_MSG_BASE - 2, XFRM_MSG_BASE + 30);
	k->m.may_be_silent = true;
}

static void flags(struct maker *k)
{
	k->m.head.nlmsg_flags ^= 1u << dice_below(&k->dice, 12);
	k->m.may_be_silent = true;
}

static void length(struct maker *k)
{
	static const uint32_t odd[] = { 0, 1, 15, 16, 17, 0x7fffffff, 0xffffffff };

	k->m.head.nlmsg_len = DICE_PICK(&k->dice, odd);
	k->m.may_be_silent = true;
}

static void port(struct maker *k)
{
	k->m.head.nlmsg_pid = dice_below(&k->dice, 3);
}

void mutate(struct maker *k)
{
	static const struct {
		const char *name;
		void (*run)(struct maker *k);
	} way[] = {
		{ "cut", cut }, { "longer", lengthen }, { "attribute length", attribute_length }, { "attribute type", attribute_type },
		{ "attribute twice", attribute_twice }, { "attribute gone", attribute_gone }, { "flip", flip }, { "flip", flip },
		{ "type", type }, { "flags", flags }, { "length", length }, { "port", port },
	};
	uint32_t i = dice_below(&k->dice, sizeof(way) / sizeof(way[0]));

	k->m.mutation = way[i].name;
	way[i].run(k);
}

static void calm_seconds(__u64 *seconds)
{
	if (*seconds < 1000000 || *seconds > 1ull << 40)
		*seconds = 0;
}

static void calm_count(__u64 *limit)
{
	if (*limit < 1ull << 50)
		*limit = XFRM_INF;
}

static void calm_limits(struct xfrm_lifetime_cfg *l)
{
	calm_seconds(&l->soft_add_expires_seconds);
	calm_seconds(&l->hard_add_expires_seconds);
	calm_seconds(&l->soft_use_expires_seconds);
	calm_seconds(&l->hard_use_expires_seconds);
	calm_count(&l->soft_byte_limit);
	calm_count(&l->hard_byte_limit);
	calm_count(&l->soft_packet_limit);
	calm_count(&l->hard_packet_limit);
}

/* Of an attribute that tells counts so far: none is near a limit, and its SA was added not long ago. */
static void calm_use(struct maker *k)
{
	unsigned int at, body = (unsigned int)body_end(k);
	struct xfrm_lifetime_cur now;
	struct nlattr *a;

	for (at = body; at + NLA_HDRLEN <= k->m.head.nlmsg_len; at += NLA_ALIGN(a->nla_len)) {
		a = (struct nlattr *)(k->m.bytes + at);
		if (a->nla_len < NLA_HDRLEN || a->nla_len > k->m.head.nlmsg_len - at)
			return;
		if ((a->nla_type & NLA_TYPE_MASK) != XFRMA_LTIME_VAL || a->nla_len < NLA_HDRLEN + sizeof(now))
			continue;
		memcpy(&now, a + 1, sizeof(now));
		now.bytes &= 0xffffffff;
		now.packets &= 0xffffffff;
		now.add_time = 0xffffffff;	/* in the year 2106 */
		now.use_time = now.use_time ? 0xffffffff : 0;
		memcpy(a + 1, &now, sizeof(now));
	}
}

/* A choice is known as one by where it is made. */
static void calm_range(struct xfrm_userspi_info *p)
{
	if (p->min >= p->max)
		return;
	p->min = SPI_RANDOM;
	p->max = SPI_RANDOM + 0xfffff;
}

void mutate_calm(struct maker *k)
{
	unsigned char *body = k->m.bytes + NLMSG_HDRLEN;

	if (k->m.head.nlmsg_len > MESSAGE_MAX || k->m.head.nlmsg_len < NLMSG_HDRLEN + message_body(k->m.head.nlmsg_type))
		return;
	if (k->m.head.nlmsg_type == XFRM_MSG_NEWSA || k->m.head.nlmsg_type == XFRM_MSG_UPDSA)
		calm_limits(&((struct xfrm_usersa_info *)body)->lft);
	if (k->m.head.nlmsg_type == XFRM_MSG_NEWPOLICY || k->m.head.nlmsg_type == XFRM_MSG_UPDPOLICY)
		calm_limits(&((struct xfrm_userpolicy_info *)body)->lft);
	if (k->m.head.nlmsg_type == XFRM_MSG_ALLOCSPI)
		calm_range((struct xfrm_userspi_info *)body);
	calm_use(k);
}
