// SPDX-License-Identifier: GPL-2.0
#include "tuple.h"

#include <string.h>

#define TUPLE_DCCP	33
#define TUPLE_SCTP	132
#define TUPLE_UDPLITE	136

static bool tuple_is_icmp(const struct ip *ip)
{
	return ip->protocol == (ip->family == 4 ? IP_ICMP : IP_ICMPV6);
}

static bool tuple_is_ported(uint8_t protocol)
{
	static const uint8_t ported[] = { IP_TCP, IP_UDP, TUPLE_DCCP, TUPLE_SCTP, TUPLE_UDPLITE };

	return memchr(ported, protocol, sizeof(ported)) != NULL;
}

static void tuple_ports(struct tuple *tuple, const struct ip *ip)
{
	const uint8_t *above = ip->at + ip->above;

	if (ip->later || ip->len - ip->above < 4)
		return;
	if (tuple_is_icmp(ip)) {
		tuple->source_port = above[0];
		tuple->destination_port = above[1];
		tuple->has_ports = true;
	} else if (tuple_is_ported(ip->protocol)) {
		tuple->source_port = ip_get16(above);
		tuple->destination_port = ip_get16(above + 2);
		tuple->has_ports = true;
	}
}

void tuple_of(struct tuple *tuple, const struct ip *ip, const struct ipsp_packet *about)
{
	const size_t len = ip_address_len(ip->family);
	const uint8_t *addresses = ip_addresses(ip->at);

	memset(tuple, 0, sizeof(*tuple));
	memcpy(tuple->source, addresses, len);
	memcpy(tuple->destination, addresses + len, len);
	tuple->family = ip->family;
	tuple->protocol = ip->protocol;
	tuple_ports(tuple, ip);
	tuple->ifindex = about->ifindex;
	tuple->if_id = about->if_id;
	tuple->mark = about->mark;
	tuple->label = about->label;
}

/* The first `bits` bits are the same; more than there are: all of them. */
static bool tuple_prefix(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
	const unsigned whole = bits / 8 < 16 ? bits / 8 : 16;

	if (memcmp(a, b, whole))
		return false;
	return whole == 16 || !((a[whole] ^ b[whole]) >> (8 - bits % 8));
}

static bool tuple_in_ports(const struct tuple *t, const struct ipsp_selector *s)
{
	if (!t->has_ports)
		return !s->source_first && s->source_last == 0xffff && !s->destination_first &&
		       s->destination_last == 0xffff;
	return t->source_port >= s->source_first && t->source_port <= s->source_last &&
	       t->destination_port >= s->destination_first && t->destination_port <= s->destination_last;
}

bool tuple_matches(const struct tuple *t, const struct ipsp_selector *s)
{
	return (!s->family || s->family == t->family) && (!s->protocol || s->protocol == t->protocol) &&
	       (!s->ifindex || s->ifindex == t->ifindex) && (!s->if_id || s->if_id == t->if_id) &&
	       !((t->mark ^ s->mark) & s->mark_mask) && tuple_in_ports(t, s) &&
	       tuple_prefix(t->destination, s->destination, s->destination_prefix) &&
	       tuple_prefix(t->source, s->source, s->source_prefix);
}

void tuple_selector(const struct tuple *t, struct ipsp_selector *s)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->source, t->source, sizeof(s->source));
	memcpy(s->destination, t->destination, sizeof(s->destination));
	s->source_prefix = s->destination_prefix = (uint8_t)(8 * ip_address_len(t->family));
	s->family = t->family;
	s->protocol = t->protocol;
	s->source_first = t->has_ports ? t->source_port : 0;
	s->source_last = t->has_ports ? t->source_port : 0xffff;
	s->destination_first = t->has_ports ? t->destination_port : 0;
	s->destination_last = t->has_ports ? t->destination_port : 0xffff;
	s->ifindex = t->ifindex;
	s->if_id = t->if_id;
	s->mark = t->mark;
	s->mark_mask = t->mark ? UINT32_MAX : 0;
}
