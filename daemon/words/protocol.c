// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "protocol.h"

static const struct {
	const char *name;
	__u8 number;
} protocols[] = {
	{ "any", 0 }, { "icmp", 1 }, { "tcp", 6 }, { "udp", 17 }, { "dccp", 33 },
	{ "gre", 47 }, { "esp", 50 }, { "ah", 51 }, { "ipv6-icmp", 58 }, { "icmpv6", 58 },
	{ "comp", 108 }, { "sctp", 132 }, { "udplite", 136 },
};

int protocol_take(struct words *w, const char *name, __u8 *protocol)
{
	const char *value;
	uint64_t number;
	size_t i;

	if (word_value(w, name, &value))
		return -EINVAL;
	for (i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (!strcmp(value, protocols[i].name)) {
			*protocol = protocols[i].number;
			return 0;
		}
	if (!word_is_number(value, 255, &number))
		return word_bad(w, name, value, "0 to 255, any, icmp, tcp, udp, dccp, gre, esp, ah, "
				"ipv6-icmp, comp, sctp, udplite");
	*protocol = (__u8)number;
	return 0;
}

void protocol_selector_init(struct ipsp_selector *s)
{
	memset(s, 0, sizeof(*s));
	s->source_last = 0xffff;
	s->destination_last = 0xffff;
}

static int take_src(struct words *w, const char *name, void *target)
{
	struct ipsp_selector *s = target;

	return address_take_prefix(w, name, &s->family, s->source, &s->source_prefix);
}

static int take_dst(struct words *w, const char *name, void *target)
{
	struct ipsp_selector *s = target;

	return address_take_prefix(w, name, &s->family, s->destination,
				   &s->destination_prefix);
}

static int take_proto(struct words *w, const char *name, void *target)
{
	return protocol_take(w, name, &((struct ipsp_selector *)target)->protocol);
}

static int take_sport(struct words *w, const char *name, void *target)
{
	struct ipsp_selector *s = target;

	return word_range(w, name, &s->source_first, &s->source_last);
}

static int take_dport(struct words *w, const char *name, void *target)
{
	struct ipsp_selector *s = target;

	return word_range(w, name, &s->destination_first, &s->destination_last);
}

static int take_dev(struct words *w, const char *name, void *target)
{
	struct ipsp_selector *s = target;
	const char *value;

	if (word_value(w, name, &value))
		return -EINVAL;
	s->ifindex = if_nametoindex(value);
	return s->ifindex ? 0 : word_bad(w, name, value, "an interface that exists");
}

static const struct word_entry selector_words[] = {
	{ "src", take_src }, { "dst", take_dst }, { "proto", take_proto },
	{ "sport", take_sport }, { "dport", take_dport },
	{ "type", take_sport }, { "code", take_dport }, { "dev", take_dev },
};

int protocol_take_selector(struct words *w, struct ipsp_selector *s)
{
	return word_run_nested(w, WORD_TABLE(selector_words), s);
}

static const char *number_text(__u32 number, char text[IF_NAMESIZE])
{
	snprintf(text, IF_NAMESIZE, "if%u", number);
	return text;
}

void protocol_selector_text(struct text *t, const struct ipsp_selector *s)
{
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX], device[IF_NAMESIZE];

	text_add(t, "src %s dst %s", address_prefix_text(a, s->family, s->source,
							 s->source_prefix),
		 address_prefix_text(b, s->family, s->destination, s->destination_prefix));
	if (s->protocol)
		text_add(t, " proto %u", s->protocol);
	if (s->source_first || s->source_last != 0xffff)
		text_add(t, " sport %u-%u", s->source_first, s->source_last);
	if (s->destination_first || s->destination_last != 0xffff)
		text_add(t, " dport %u-%u", s->destination_first, s->destination_last);
	if (s->ifindex)				/* of one that has gone only its number is left */
		text_add(t, " dev %s", if_indextoname(s->ifindex, device) ?: number_text(s->ifindex, device));
}

const char *protocol_text(__u8 protocol)
{
	static char number[4];
	size_t i;

	for (i = 1; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (protocols[i].number == protocol)
			return protocols[i].name;
	snprintf(number, sizeof(number), "%u", protocol);
	return number;
}

const char *protocol_ipsec_text(__u8 protocol)
{
	return protocol == 51 ? "ah" : "esp";
}

const char *protocol_mode_text(__u8 mode)
{
	return mode == IPSP_SA_TUNNEL ? "tunnel" : mode == IPSP_SA_TRANSPORT ? "transport" : "beet";
}
