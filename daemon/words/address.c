/* SPDX-License-Identifier: GPL-2.0-only */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "address.h"

static __u8 address_parse(const char *text, __u8 address[16])
{
	memset(address, 0, 16);
	if (inet_pton(AF_INET, text, address) == 1)
		return 4;
	if (inet_pton(AF_INET6, text, address) == 1)
		return 6;
	return 0;
}

static int check_family(struct words *w, const char *name, const char *value,
			__u8 seen, __u8 *family)
{
	if (*family && *family != seen)
		return word_bad(w, name, value, *family == 4 ?
				"IPv4, as the other address of this line" :
				"IPv6, as the other address of this line");
	*family = seen;
	return 0;
}

int address_take(struct words *w, const char *name, __u8 *family, __u8 address[16])
{
	const char *value;
	__u8 seen;

	if (word_value(w, name, &value))
		return -EINVAL;
	seen = address_parse(value, address);
	if (!seen)
		return word_bad(w, name, value, "an IPv4 or IPv6 address");
	return check_family(w, name, value, seen, family);
}

static void mask_address(__u8 address[16], __u32 bits)
{
	__u32 i;

	for (i = 0; i < 16; i++) {
		__u32 keep = bits >= 8 * (i + 1) ? 8 : bits > 8 * i ? bits - 8 * i : 0;

		address[i] &= (__u8)(0xff00u >> keep);
	}
}

bool address_is_in(const void *address, const void *prefix, unsigned int bits)
{
	const __u8 *x = address, *y = prefix;
	unsigned int whole = bits / 8, rest = bits % 8;

	return !memcmp(x, y, whole) && (!rest || !((x[whole] ^ y[whole]) >> (8 - rest)));
}

static bool is_any(const char *value)
{
	return !strcmp(value, "any") || !strcmp(value, "all") || !strcmp(value, "default");
}

int address_take_prefix(struct words *w, const char *name, __u8 *family,
			__u8 address[16], __u8 *bits)
{
	const char *value, *slash;
	uint64_t length;
	char host[64];
	__u8 seen;

	if (word_value(w, name, &value))
		return -EINVAL;
	memset(address, 0, 16);
	*bits = 0;
	if (is_any(value))
		return 0;
	slash = strchr(value, '/');
	snprintf(host, sizeof(host), "%.*s", slash ? (int)(slash - value) : 63, value);
	seen = address_parse(host, address);
	length = seen == 4 ? 32 : 128;
	if (!seen || (slash && !word_is_number(slash + 1, length, &length)))
		return word_bad(w, name, value, "ADDRESS or ADDRESS/BITS of IPv4 or IPv6");
	*bits = (__u8)length;
	mask_address(address, *bits);
	return check_family(w, name, value, seen, family);
}

bool address_is_zero(const __u8 address[16])
{
	static const __u8 zero[16];

	return !memcmp(address, zero, 16);
}

const char *address_text(char text[ADDRESS_TEXT_MAX], __u8 family, const __u8 address[16])
{
	if (!inet_ntop(family == 6 ? AF_INET6 : AF_INET, address, text, ADDRESS_TEXT_MAX))
		text[0] = '\0';
	return text;
}

const char *address_prefix_text(char text[ADDRESS_TEXT_MAX], __u8 family,
				const __u8 address[16], __u8 bits)
{
	size_t length;

	address_text(text, family, address);
	length = strlen(text);
	snprintf(text + length, ADDRESS_TEXT_MAX - length, "/%u", bits);
	return text;
}

static bool interface_bears(const struct ifaddrs *i, __u8 family, const __u8 address[16])
{
	if (!i->ifa_addr)
		return false;
	if (family == 4 && i->ifa_addr->sa_family == AF_INET)
		return !memcmp(&((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr,
			       address, 4);
	if (family == 6 && i->ifa_addr->sa_family == AF_INET6)
		return !memcmp(&((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr,
			       address, 16);
	return false;
}

int address_is_local(__u8 family, const __u8 address[16])
{
	struct ifaddrs *list, *i;
	int found = 0;

	if (getifaddrs(&list))
		return -1;
	for (i = list; i && !found; i = i->ifa_next)
		found = interface_bears(i, family, address);
	freeifaddrs(list);
	return found;
}
