// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_ip - IPv4 options, IPv6 extension headers: what is said of a packet lies inside it
 *
 * The input is the packet. What is then written into a copy (length, type of service) is read back the same.
 */
#include "ipsec/ip.h"
#include "tests/fuzz/fuzz.h"

static void judge(struct ip_bytes bytes, const struct ip_packet *ip)
{
	const uint32_t least = ip->family == 4 ? IP_HEADER4 : IP_HEADER6;

	fuzz_check(ip->family == 4 || ip->family == 6);
	fuzz_check(ip->header_len >= least && ip->header_len <= bytes.len && ip->header_len <= ip->total_len);
	fuzz_check(ip->esp_at >= least && ip->esp_at <= ip->header_len);
	fuzz_check(ip->protocol_at < ip->header_len && ip->esp_next_at < ip->esp_at);
	fuzz_check(bytes.at[ip->protocol_at] == ip->protocol && bytes.at[ip->esp_next_at] == ip->esp_next);
	fuzz_check(!ip->later || ip->fragment);
	fuzz_check(ip->tos == ip_tos(bytes.at));
	fuzz_check(ip_source(bytes, ip) && ip_destination(bytes, ip));
}

static void judge_tuple(struct ip_bytes bytes, const struct ip_packet *ip)
{
	struct ipsp_tuple t;

	memset(&t, 0xa5, sizeof(t));
	ip_tuple(bytes, ip, &t);
	fuzz_check(t.family == ip->family && t.protocol == ip->protocol && t.has_ports <= 1);
	fuzz_check(!t.has_ports || (!ip->later && ip->header_len + 4 <= bytes.len));
	fuzz_check(t.has_ports || (!t.source_port && !t.destination_port));
}

/* Each change reads back, an IPv4 checksum that was right stays so, and nothing else has moved. */
static void judge_changes(struct ip_bytes bytes, const struct ip_packet *ip)
{
	const uint32_t fixed = ip->family == 4 ? ip->header_len : IP_HEADER6;
	uint8_t *copy = malloc(bytes.len), tos = (uint8_t)~ip->tos;
	const struct ip_bytes changed = { copy, bytes.len };
	const int intact = ip_is_intact(bytes);
	struct ip_packet again;

	fuzz_check(copy != NULL);
	memcpy(copy, bytes.at, bytes.len);
	ip_set_tos(copy, tos);
	fuzz_check(!ip_parse(changed, &again) && again.tos == tos && again.header_len == ip->header_len);
	fuzz_check(ip_is_intact(changed) == intact);
	ip_set_length(copy, fixed, fixed + 1000);
	fuzz_check(ip_is_intact(changed));
	if (!ip_parse(changed, &again))
		fuzz_check(again.total_len == fixed + 1000 && again.protocol == ip->protocol);
	fuzz_check(!memcmp(copy + fixed, bytes.at + fixed, bytes.len - fixed));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ip_bytes bytes = { data, (uint32_t)size };
	struct ip_packet ip;

	ip_is_intact(bytes);
	if (size > 70000 || ip_parse(bytes, &ip))
		return 0;
	judge(bytes, &ip);
	judge_tuple(bytes, &ip);
	judge_changes(bytes, &ip);
	return 0;
}
