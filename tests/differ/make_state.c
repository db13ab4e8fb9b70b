// SPDX-License-Identifier: GPL-2.0
/* make_state.c - messages about states: few names, so that they meet; each attribute now and then */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "differ.h"

/* The first two of a family are one end's and the other's; the third belongs to neither. */
void make_state_address(struct maker *k, uint16_t family, unsigned int which, xfrm_address_t *to)
{
	static const char *const four[] = { "10.9.0.1", "10.9.0.2", "192.0.2.7", "0.0.0.0" };
	static const char *const six[] = { "fd09::1", "fd09::2", "2001:db8::7", "::" };

	memset(to, 0, sizeof(*to));
	if (dice_percent(&k->dice, 2))
		which = dice_between(&k->dice, 2, 3);
	inet_pton(family == AF_INET6 ? AF_INET6 : AF_INET, family == AF_INET6 ? six[which] : four[which], to);
}

static uint16_t state_family(struct maker *k)
{
	static const uint16_t family[] = { AF_INET, AF_INET, AF_INET, AF_INET6, AF_INET6 };

	return dice_percent(&k->dice, 1) ? (uint16_t)dice_below(&k->dice, 30) : DICE_PICK(&k->dice, family);
}

static uint32_t state_spi(struct maker *k)
{
	static const uint32_t odd[] = { 0, 1, 0xff, 0x100, 0xffff, 0x10000, 0xffffffff };

	if (k->learned->spis && dice_percent(&k->dice, 15))
		return htonl(k->learned->spi[dice_below(&k->dice, k->learned->spis)]);
	return htonl(dice_percent(&k->dice, 3) ? DICE_PICK(&k->dice, odd) : dice_between(&k->dice, 0x1001, 0x1004));
}

static uint8_t state_protocol(struct maker *k)
{
	static const uint8_t odd[] = { IPPROTO_AH, IPPROTO_COMP, IPPROTO_ROUTING, IPPROTO_DSTOPTS, 0, 255, 17 };

	return dice_percent(&k->dice, 3) ? DICE_PICK(&k->dice, odd) : IPPROTO_ESP;
}

void make_state_mark(struct maker *k)
{
	static const struct xfrm_mark mark[] = { { 1, 0xff }, { 1, 0xff }, { 2, 0xff }, { 0, 0 }, { 0x101, 0xff }, { 0, 1 } };

	if (dice_percent(&k->dice, 12))
		message_attribute(k, XFRMA_MARK, &DICE_PICK(&k->dice, mark), sizeof(mark[0]));
	if (dice_percent(&k->dice, 8))
		message_attribute_u32(k, XFRMA_IF_ID, dice_below(&k->dice, 3));
}

void make_state_selector(struct maker *k, struct xfrm_selector *s, uint16_t family)
{
	static const uint8_t four[] = { 24, 24, 16, 32, 0, 33 }, six[] = { 64, 64, 48, 128, 0, 129 }, proto[] = { 0, 0, 0, 6, 17, 1, 58 };

	s->family = family;
	inet_pton(family, family == AF_INET6 ? "fd01::" : "10.1.0.0", &s->saddr);
	inet_pton(family, family == AF_INET6 ? "fd02::" : "10.2.0.0", &s->daddr);
	s->prefixlen_s = family == AF_INET6 ? DICE_PICK(&k->dice, six) : DICE_PICK(&k->dice, four);
	s->prefixlen_d = dice_percent(&k->dice, 90) ? (family == AF_INET6 ? 64 : 24) : 0;
	s->proto = DICE_PICK(&k->dice, proto);
	if (s->proto && dice_percent(&k->dice, 40)) {
		s->dport = htons((uint16_t)dice_between(&k->dice, 7, 8));
		s->dport_mask = 0xffff;
	}
	if (dice_percent(&k->dice, 1))
		s->sport_mask = (uint16_t)dice_next(&k->dice);
	if (dice_percent(&k->dice, 1))
		s->family = (uint16_t)dice_below(&k->dice, 12);
}

static void limits(struct maker *k, struct xfrm_lifetime_cfg *l)
{
	l->soft_byte_limit = l->hard_byte_limit = l->soft_packet_limit = l->hard_packet_limit = XFRM_INF;
	if (dice_percent(&k->dice, 10))
		l->hard_byte_limit = dice_next(&k->dice) >> 8 | 1ull << 50;
	if (dice_percent(&k->dice, 10))
		l->soft_packet_limit = dice_next(&k->dice) >> 8 | 1ull << 50;
	if (dice_percent(&k->dice, 10))
		l->hard_add_expires_seconds = 1000000 + dice_below(&k->dice, 1000);
	if (dice_percent(&k->dice, 10))
		l->soft_use_expires_seconds = 1000000 + dice_below(&k->dice, 1000);
}

static void state_name(struct maker *k, xfrm_address_t *daddr, xfrm_address_t *saddr, uint16_t family)
{
	unsigned int to = dice_percent(&k->dice, 50);

	make_state_address(k, family, to, daddr);
	if (saddr)
		make_state_address(k, family, !to, saddr);
}

static void state_info(struct maker *k, struct xfrm_usersa_info *info)
{
	static const uint8_t mode[] = { XFRM_MODE_TUNNEL, XFRM_MODE_TUNNEL, XFRM_MODE_TUNNEL, XFRM_MODE_TRANSPORT, XFRM_MODE_BEET };

	info->family = state_family(k);
	state_name(k, &info->id.daddr, &info->saddr, info->family);
	info->id.spi = state_spi(k);
	info->id.proto = state_protocol(k);
	info->mode = dice_percent(&k->dice, 2) ? (uint8_t)dice_below(&k->dice, 8) : DICE_PICK(&k->dice, mode);
	info->reqid = dice_below(&k->dice, 3);
	info->seq = dice_percent(&k->dice, 20) ? dice_between(&k->dice, 1, 2) : 0;
	info->replay_window = (uint8_t)(dice_percent(&k->dice, 5) ? dice_below(&k->dice, 256) : 32 * dice_below(&k->dice, 2));
	if (info->mode == XFRM_MODE_BEET || dice_percent(&k->dice, 20)) {
		info->sel.family = info->family == AF_INET6 ? AF_INET6 : AF_INET;
		info->sel.saddr = info->saddr;
		info->sel.daddr = info->id.daddr;
		info->sel.prefixlen_s = info->sel.prefixlen_d = info->sel.family == AF_INET6 ? 128 : 32;
	} else if (dice_percent(&k->dice, 10)) {
		make_state_selector(k, &info->sel, dice_percent(&k->dice, 70) ? info->family : AF_INET6);
	}
	if (dice_percent(&k->dice, 10))
		info->flags = (uint8_t)(1u << dice_below(&k->dice, 7));
	limits(k, &info->lft);
}

/* ---- messages ---------------------------------------------------------------------------------- */

static void state_message(struct maker *k, uint16_t type)
{
	struct xfrm_usersa_info *info = message_begin(k, type, sizeof(*info));

	state_info(k, info);
	attributes_keys(k);
	if (dice_percent(&k->dice, 15))
		attributes_esn(k, info);
	attributes_use(k);
	attributes_rest(k);
	make_state_mark(k);
}

void make_state_new(struct maker *k) { state_message(k, XFRM_MSG_NEWSA); }
void make_state_update(struct maker *k) { state_message(k, XFRM_MSG_UPDSA); }

static void state_named(struct maker *k, uint16_t type)
{
	struct xfrm_usersa_id *id = message_begin(k, type, sizeof(*id));
	xfrm_address_t source;

	id->family = state_family(k);
	state_name(k, &id->daddr, &source, id->family);
	id->spi = state_spi(k);
	id->proto = state_protocol(k);
	if (dice_percent(&k->dice, 5))
		message_attribute(k, XFRMA_SRCADDR, &source, sizeof(source));
	make_state_mark(k);
}

void make_state_delete(struct maker *k) { state_named(k, XFRM_MSG_DELSA); }
void make_state_get(struct maker *k) { state_named(k, XFRM_MSG_GETSA); }

void make_state_dump(struct maker *k)
{
	struct xfrm_address_filter filter = { .family = AF_INET, .splen = 24, .dplen = (uint8_t)dice_below(&k->dice, 33) };

	message_begin(k, XFRM_MSG_GETSA, 0);
	k->m.head.nlmsg_flags |= NLM_F_DUMP;
	state_name(k, &filter.daddr, &filter.saddr, filter.family);
	if (dice_percent(&k->dice, 30))
		message_attribute(k, XFRMA_ADDRESS_FILTER, &filter, sizeof(filter));
	if (dice_percent(&k->dice, 30))
		message_attribute(k, XFRMA_PROTO, &(uint8_t){ state_protocol(k) }, 1);
}

void make_state_flush(struct maker *k)
{
	struct xfrm_usersa_flush *f = message_begin(k, XFRM_MSG_FLUSHSA, sizeof(*f));

	f->proto = dice_percent(&k->dice, 50) ? 255 : dice_percent(&k->dice, 50) ? state_protocol(k) : 0;
}

void make_state_alloc_spi(struct maker *k)
{
	struct xfrm_userspi_info *p = message_begin(k, XFRM_MSG_ALLOCSPI, sizeof(*p));

	state_info(k, &p->info);
	memset(&p->info.lft, 0, sizeof(p->info.lft));
	p->info.seq = dice_below(&k->dice, 3);
	p->min = SPI_RANDOM;
	p->max = SPI_RANDOM + 0xfffff;
	if (dice_percent(&k->dice, 50))
		p->min = p->max = dice_between(&k->dice, 0x1001, 0x1004);
	if (dice_percent(&k->dice, 3))
		p->max = dice_below(&k->dice, 3);
	make_state_mark(k);
}

void make_state_expire(struct maker *k)
{
	struct xfrm_user_expire *e = message_begin(k, XFRM_MSG_EXPIRE, sizeof(*e));

	state_info(k, &e->state);
	e->hard = (uint8_t)dice_below(&k->dice, 3);
	make_state_mark(k);
}

static void aevent(struct maker *k, uint16_t type)
{
	struct xfrm_aevent_id *id = message_begin(k, type, sizeof(*id));

	id->sa_id.family = state_family(k);
	state_name(k, &id->sa_id.daddr, &id->saddr, id->sa_id.family);
	id->sa_id.spi = state_spi(k);
	id->sa_id.proto = state_protocol(k);
	id->flags = dice_below(&k->dice, 256);
}

void make_state_new_ae(struct maker *k)
{
	struct xfrm_usersa_info unused = { 0 };
	struct xfrm_lifetime_cur now = { .bytes = dice_below(&k->dice, 5000), .packets = 3, .use_time = 1000 };

	aevent(k, XFRM_MSG_NEWAE);
	if (dice_percent(&k->dice, 80))
		k->m.head.nlmsg_flags |= NLM_F_REPLACE;
	if (dice_percent(&k->dice, 60))
		message_attribute(k, XFRMA_LTIME_VAL, &now, sizeof(now));
	if (dice_percent(&k->dice, 60))
		message_attribute_u32(k, XFRMA_ETIMER_THRESH, dice_below(&k->dice, 100));
	if (dice_percent(&k->dice, 15))
		attributes_esn(k, &unused);
	attributes_use(k);
	make_state_mark(k);
}

void make_state_get_ae(struct maker *k)
{
	aevent(k, XFRM_MSG_GETAE);
	make_state_mark(k);
}

void make_state_count(struct maker *k)
{
	*(uint32_t *)message_begin(k, XFRM_MSG_GETSADINFO, sizeof(uint32_t)) = dice_below(&k->dice, 4);
}
