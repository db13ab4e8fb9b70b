// SPDX-License-Identifier: GPL-2.0
#include "ip.h"

#include <string.h>

#include "sum.h"

static bool ip_parse4(struct ip *ip)
{
	const size_t header = (size_t)(ip->at[0] & 15) * 4;
	const uint16_t offset = ip_get16(ip->at + 6);

	ip->claimed = ip_get16(ip->at + 2);
	if (header < IP4_HEADER || header > ip->len || header > ip->claimed)
		return false;
	ip->df = (offset & 0x4000) != 0;
	ip->fragment = (offset & 0x3fff) != 0;
	ip->later = (offset & 0x1fff) != 0;
	ip->protocol = ip->at[9];
	ip->above = ip->insert = header;
	ip->above_next = ip->insert_next = 9;
	return true;
}

/* One extension header at `ip->above`; false: it does not lie within `end`. */
static bool ip_extension(struct ip *ip, size_t end)
{
	const uint8_t *at = ip->at + ip->above;
	size_t len = 8;

	if (end - ip->above < 8)
		return false;
	if (ip->protocol == IP_FRAGMENT) {
		ip->fragment = (ip_get16(at + 2) & 0xfff9) != 0;
		ip->later = (ip_get16(at + 2) & 0xfff8) != 0;
	} else {
		len = 8 + (size_t)at[1] * 8;
	}
	if (end - ip->above < len)
		return false;
	ip->above_next = ip->above;
	ip->protocol = at[0];
	ip->above += len;
	return true;
}

static bool ip_is_extension(uint8_t protocol)
{
	return protocol == IP_HOP_BY_HOP || protocol == IP_ROUTING || protocol == IP_OPTIONS || protocol == IP_FRAGMENT;
}

static bool ip_parse6(struct ip *ip)
{
	size_t end;

	if (ip->len < IP6_HEADER)
		return false;
	ip->claimed = IP6_HEADER + (size_t)ip_get16(ip->at + 4);
	end = ip->len < ip->claimed ? ip->len : ip->claimed;
	ip->protocol = ip->at[6];
	ip->above = ip->insert = IP6_HEADER;
	ip->above_next = ip->insert_next = 6;
	while (!ip->later && ip_is_extension(ip->protocol)) {
		const bool before = ip->protocol != IP_OPTIONS;

		if (!ip_extension(ip, end))
			return false;
		if (before) {
			ip->insert = ip->above;
			ip->insert_next = ip->above_next;
		}
	}
	return true;
}

bool ip_parse(struct ip *ip, const uint8_t *bytes, size_t there)
{
	memset(ip, 0, sizeof(*ip));
	ip->at = bytes;
	ip->len = there;
	if (there < IP4_HEADER)
		return false;
	ip->family = bytes[0] >> 4;
	if (ip->family == 4)
		return ip_parse4(ip);
	return ip->family == 6 && ip_parse6(ip);
}

void ip_set_len(uint8_t *packet, size_t header, size_t len)
{
	uint16_t sum;

	if (packet[0] >> 4 == 6) {
		ip_put16(packet + 4, len - IP6_HEADER);
		return;
	}
	ip_put16(packet + 2, len);
	memset(packet + 10, 0, 2);
	sum = sum_fold(sum_add(0, packet, header));
	memcpy(packet + 10, &sum, 2);
}

uint8_t ip_class(const uint8_t *packet)
{
	return packet[0] >> 4 == 4 ? packet[1] : (uint8_t)(packet[0] << 4 | packet[1] >> 4);
}

void ip_set_class(uint8_t *packet, uint8_t value)
{
	if (packet[0] >> 4 == 4) {
		packet[1] = value;
		return;
	}
	packet[0] = (uint8_t)(0x60 | value >> 4);
	packet[1] = (uint8_t)(value << 4 | (packet[1] & 15));
}
