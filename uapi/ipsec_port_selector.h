/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * ipsec_port_selector.h - does a packet match a selector? (RFC 4301 4.4.1.1)
 *
 * One source for the redirector's rules, the kernel's protect list and the stack's
 * SPD: what one of them calls a match, all do. Pure functions, no allocation.
 */
#ifndef IPSEC_PORT_SELECTOR_H
#define IPSEC_PORT_SELECTOR_H

#include "ipsec_port.h"

/* What of a packet a selector can look at. Ports in host order. */
struct ipsp_tuple {
	__u8  source[16];
	__u8  destination[16];
	__u16 source_port;		/* ICMP: type */
	__u16 destination_port;		/* ICMP: code */
	__u8  family;			/* 4 or 6 */
	__u8  protocol;
	__u8  direction;		/* IPSP_DIR_* */
	__u8  has_ports;
	__u32 ifindex;
	__u32 if_id;
	__u32 mark;
	__u32 label;			/* IPSP_LABEL_ANY: nobody's yet */
};

#define IPSP_LABEL_ANY	0xffffffffu

static inline int ipsp_prefix_match(const __u8 *address, const __u8 *prefix, __u32 bits)
{
	__u32 i, whole = bits / 8, rest = bits % 8;

	for (i = 0; i < whole; i++)
		if (address[i] != prefix[i])
			return 0;
	return !rest || !((address[whole] ^ prefix[whole]) >> (8 - rest));
}

static inline int ipsp_selector_any_port(const struct ipsp_selector *s)
{
	return !s->source_first && s->source_last == 0xffff &&
	       !s->destination_first && s->destination_last == 0xffff;
}

static inline int ipsp_selector_ports_match(const struct ipsp_selector *s,
					    const struct ipsp_tuple *t)
{
	if (!t->has_ports)
		return ipsp_selector_any_port(s);
	return t->source_port >= s->source_first && t->source_port <= s->source_last &&
	       t->destination_port >= s->destination_first &&
	       t->destination_port <= s->destination_last;
}

static inline int ipsp_selector_match(const struct ipsp_selector *s,
				      const struct ipsp_tuple *t)
{
	if (s->family && s->family != t->family)
		return 0;
	if (s->protocol && s->protocol != t->protocol)
		return 0;
	if (s->ifindex && s->ifindex != t->ifindex)
		return 0;
	if (s->if_id && s->if_id != t->if_id)
		return 0;
	if ((t->mark ^ s->mark) & s->mark_mask)
		return 0;
	return ipsp_prefix_match(t->destination, s->destination, s->destination_prefix) &&
	       ipsp_prefix_match(t->source, s->source, s->source_prefix) &&
	       ipsp_selector_ports_match(s, t);
}

/* A selector as configuration gives it: what may not be written down at all. */
static inline int ipsp_selector_is_valid(const struct ipsp_selector *s)
{
	__u32 most = s->family == 4 ? 32 : s->family == 6 ? 128 : 0;

	return (!s->family || s->family == 4 || s->family == 6) && !s->reserved &&
	       s->source_prefix <= most && s->destination_prefix <= most &&
	       s->source_first <= s->source_last &&
	       s->destination_first <= s->destination_last &&
	       !(s->mark & ~s->mark_mask);
}

/* What may still be anybody's is no reason to pass in clear. */
static inline int ipsp_protect_label_match(const struct ipsp_protect *p, const struct ipsp_tuple *t)
{
	return !p->label || p->label == t->label || (t->label == IPSP_LABEL_ANY && !p->clear);
}

/*
 * The protect list: entries in their order (priority, then age); the first match of
 * the direction decides. NULL: no entry, the rule's default follows.
 */
static inline const struct ipsp_protect *
ipsp_protect_find(const struct ipsp_protect *list, __u32 stride, __u32 count,
		  const struct ipsp_tuple *t)
{
	const __u8 *at = (const __u8 *)list;
	__u32 i;

	for (i = 0; i < count; i++, at += stride) {
		const struct ipsp_protect *p = (const struct ipsp_protect *)at;

		if (p->direction == t->direction && ipsp_protect_label_match(p, t) &&
		    ipsp_selector_match(&p->selector, t))
			return p;
	}
	return (void *)0;
}

#endif
