// SPDX-License-Identifier: GPL-2.0-only
/*
 * ways_in.c - each way on which a packet may come: ESP in UDP and in fragments, with AH, merged; in clear to who may
 * have it and who may not, whole and in fragments, behind DNAT, by who owns the socket; what ICMP says of what left
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap.h"
#include "world/way.h"

/* What tests/check asks of a test's own comments, in a program */
__attribute__((used)) static const char notes[] = "\n# mode: one\n# timeout: 120\n";

#define PORT	9
#define USER	1234		/* owns a socket */

static struct realm r;
static int control;

/* ---- packets onto the wire --------------------------------------------------------------------------------- */

static unsigned int sum_add(unsigned int sum, const unsigned char *bytes, unsigned int length)
{
	unsigned int i;

	for (i = 0; i + 1 < length; i += 2)
		sum += (unsigned int)(bytes[i] << 8 | bytes[i + 1]);
	return sum;
}

static void sum_put(unsigned char *at, unsigned int sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	at[0] = (unsigned char)(~sum >> 8);
	at[1] = (unsigned char)~sum;
}

static void put16(unsigned char *at, unsigned int value)
{
	at[0] = (unsigned char)(value >> 8);
	at[1] = (unsigned char)value;
}

/* An IPv4 header of 10.NET.0.5 to 10.9.0.1; `fragment`: flags and offset as they lie there */
static void header4(unsigned char *p, unsigned int net, unsigned char protocol, unsigned int length,
		    unsigned int fragment)
{
	memset(p, 0, 20);
	p[0] = 0x45;
	p[5] = 7;
	put16(p + 2, length);
	put16(p + 6, fragment);
	p[8] = 64;
	p[9] = protocol;
	memcpy(p + 12, (const unsigned char [8]){ 10, (unsigned char)net, 0, 5, 10, 9, 0, 1 }, 8);
	sum_put(p + 10, sum_add(0, p, 20));
}

static void header6(unsigned char *p, unsigned int net, unsigned char next, unsigned int payload)
{
	memset(p, 0, 40);
	p[0] = 0x60;
	put16(p + 4, payload);
	p[6] = next;
	p[7] = 64;
	memcpy(p + 8, (const unsigned char [4]){ 0xfd, 0, 0, (unsigned char)net }, 4);
	p[23] = 5;
	memcpy(p + 24, (const unsigned char [16]){ 0xfd, 0, 0, 9, [15] = 1 }, 16);
}

/* Sixteen bytes of UDP to PORT; over IPv4 without a checksum */
static void datagram4(unsigned int net)
{
	unsigned char p[36] = { 0 };

	header4(p, net, IPPROTO_UDP, sizeof(p), 0);
	put16(p + 20, 4000);
	put16(p + 22, PORT);
	put16(p + 24, 16);
	wire_write(p, sizeof(p));
}

static void datagram6(unsigned int net)
{
	unsigned char p[56] = { 0 };

	header6(p, net, IPPROTO_UDP, 16);
	put16(p + 40, 4000);
	put16(p + 42, PORT);
	put16(p + 44, 16);
	sum_put(p + 46, sum_add(16 + IPPROTO_UDP, p + 8, sizeof(p) - 8));
	wire_write(p, sizeof(p));
}

static void fragment4(unsigned int net, unsigned int offset, int more)
{
	unsigned char p[44] = { 0 };

	header4(p, net, IPPROTO_UDP, sizeof(p), (more ? 0x2000u : 0) | offset / 8);
	wire_write(p, sizeof(p));
}

static void fragment6(unsigned int net, unsigned int offset, int more)
{
	unsigned char p[40 + 8 + 24] = { 0 };

	header6(p, net, IPPROTO_FRAGMENT, sizeof(p) - 40);
	p[40] = IPPROTO_UDP;
	put16(p + 42, offset | (more ? 1u : 0));
	p[47] = 9;
	wire_write(p, sizeof(p));
}

static int listener(int family, int type)
{
	struct sockaddr_in6 at6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	struct sockaddr_in at4 = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0 || (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) ||
	    bind(fd, family == AF_INET ? (void *)&at4 : (void *)&at6, family == AF_INET ? sizeof(at4) : sizeof(at6)))
		tap_give_up("a socket");
	return fd;
}

/* Of that protocol to 10.NET, among whatever else leaves: its byte `at`, or -1 */
static int leaves(unsigned char protocol, unsigned int net, unsigned int at)
{
	unsigned char packet[WORLD_PACKET_MAX];

	while (wire_next(packet, 10000))
		if (packet[0] == 0x45 && packet[9] == protocol && packet[17] == net)
			return packet[at];
	return -1;
}

static int hears(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char bytes[100];

	return poll(&p, 1, ms) == 1 && recv(fd, bytes, sizeof(bytes), 0) >= 0;
}

/* ---- protected ------------------------------------------------------------------------------------------- */

static const struct way {
	const char *what;
	struct realm_kind kind;
} ways[] = {
	{ "IPv4 in UDP", { .family = 4, .mode = IPSP_SA_TUNNEL, .encap = 4500 } },
	{ "IPv6 in UDP", { .family = 6, .mode = IPSP_SA_TUNNEL, .encap = 4500 } },
	{ "IPv4 in UDP, transport mode", { .family = 4, .mode = IPSP_SA_TRANSPORT, .encap = 4500 } },
	{ "IPv4 with AH", { .family = 4, .mode = IPSP_SA_TUNNEL, .protocol = IPPROTO_AH } },
	{ "IPv6 with AH", { .family = 6, .mode = IPSP_SA_TUNNEL, .protocol = IPPROTO_AH } },
};

static void test_protected(const struct way *w)
{
	way_begin(&r, w->kind, stack_honest);
	wire_esp(&r, 1);
	tap(way_counted(&r, IPSP_COUNT_IN_PACKETS, 1), "%s: one comes in", w->what);
	wire_esp(&r, 2);
	wire_esp(&r, 3);
	wire_esp(&r, 2);
	tap(way_counted(&r, IPSP_COUNT_IN_PACKETS, 3), "%s: and two more", w->what);
	tap(way_dropped(&r, IPSP_DROP_REPLAY, 1), "%s: and none twice", w->what);
	way_finish(&r, w->what);
}

/* A NAT gives the other end another port: that is told once. */
static void test_mapping(const struct way *w)
{
	way_begin(&r, w->kind, stack_honest);
	wire_esp(&r, 1);
	tap(way_counted(&r, IPSP_COUNT_IN_PACKETS, 1), "%s: one comes in from where it was", w->what);
	r.kind.encap_from = 5000;
	wire_esp(&r, 2);
	TAP_EQUAL(realm_event(&r, 10000).event, IPSP_EVENT_MAPPING, "%s: another port is told", w->what);
	wire_esp(&r, 3);
	tap(way_counted(&r, IPSP_COUNT_IN_PACKETS, 3), "%s: and the next comes in", w->what);
	way_finish(&r, w->what);
}

/* Plain ESP for an SA that is in UDP */
static void test_other_encap(void)
{
	struct realm plain;

	way_begin(&r, ways[0].kind, stack_honest);
	plain = r;
	plain.kind.encap = 0;
	wire_esp(&plain, 1);
	tap(way_dropped(&r, IPSP_DROP_ENCAP, 1), "plain ESP for an SA in UDP is dropped");
	way_finish(&r, "plain ESP for an SA in UDP");
}

/* Its fragments come from an address that is protected: they are gathered apart, and judged whole. */
static void test_encap_fragments(void)
{
	const struct way *w = &ways[2];
	unsigned char p[20 + 8 + 8 + 208] = { 0 }, second[20 + 200];
	__be32 words[2] = { 0, htonl(1) };

	way_begin(&r, w->kind, stack_honest);
	words[0] = r.in.spi;
	header4(p, 40, IPPROTO_UDP, 20 + 24, 0x2000);
	memcpy(p + 12, r.in.source, 4);
	memset(p + 10, 0, 2);
	sum_put(p + 10, sum_add(0, p, 20));
	put16(p + 20, 4500);
	put16(p + 22, 4500);
	put16(p + 24, 24 + 200);
	memcpy(p + 28, words, sizeof(words));
	memcpy(second, p, 20);
	put16(second + 2, sizeof(second));
	put16(second + 6, 24 / 8);
	memset(second + 20, 0xee, 200);
	memset(second + 10, 0, 2);
	sum_put(second + 10, sum_add(0, second, 20));
	wire_write(p, 20 + 24);
	wire_write(second, sizeof(second));
	tap(way_counted(&r, IPSP_COUNT_IN_PACKETS, 1), "%s, in two fragments: it comes in", w->what);
	way_finish(&r, "in two fragments");
}

/* ---- merged ----------------------------------------------------------------------------------------------- */

/* Two tickets of TCP come out as one super-packet, by the answer to the second. */
static void answer_merged(struct draft *d)
{
	d->answer.segments = 2;
	d->length = d->answer.segment_len = 40 + 2 * 100;
	memset(d->data, 0, d->length);
	header4(d->data, 40, IPPROTO_TCP, d->length, 0x4000);
	put16(d->data + 20, 4000);
	put16(d->data + 22, PORT);
	d->data[32] = 5 << 4;
	d->data[33] = 0x10;
	put16(d->data + 34, 1000);
	d->answer.offload = (struct ipsp_offload){
		.flags = IPSP_OFFLOAD_NEEDS_CSUM, .gso_type = IPSP_GSO_TCPV4, .gso_size = 100, .header_len = 40,
		.csum_start = 20, .csum_offset = 16,
	};
	d->rec.data_len = d->length;
	d->rec.len = d->publish = (d->rec.data_offset + d->length + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
}

static void stack_merging(struct stack *s, const void *unused)
{
	struct ticket t;
	struct draft d;
	int before = 0;

	(void)unused;
	while (!stack_next(s, &t)) {
		if (t.rec.type == IPSP_REC_UNPROTECT && !before++)
			continue;
		stack_answer(s, &t, &d);
		if (t.rec.type == IPSP_REC_UNPROTECT) {
			answer_merged(&d);
			before = 0;
		}
		if (stack_put(s, &d))
			break;
	}
}

static void test_merged(void)
{
	way_begin(&r, (struct realm_kind){ .family = 4, .mode = IPSP_SA_TUNNEL }, stack_merging);
	wire_esp(&r, 1);
	wire_esp(&r, 2);
	tap(way_counted(&r, IPSP_COUNT_MERGED, 1), "merged: a ticket ends in another's answer");
	tap(way_counted(&r, IPSP_COUNT_IN_PACKETS, 1), "merged: one packet comes of both");
	wire_esp(&r, 1);
	tap(way_dropped(&r, IPSP_DROP_REPLAY, 1), "merged: its number does not come again");
	way_finish(&r, "merged");
}

/* ---- numbers ----------------------------------------------------------------------------------------------- */

#define FAR	0xffffffffu		/* a number that nobody has come to */

static void drop_it(struct draft *d)
{
	memset(&d->answer, 0, sizeof(d->answer));
	d->answer.verdict = IPSP_VERDICT_DROP;
	d->answer.reason = IPSP_DROP_INTEGRITY;
	d->length = d->rec.data_len = 0;
	d->rec.len = d->publish = (d->rec.data_offset + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
}

/* Says how each may be merged; what comes with the number FAR is forged. */
static void stack_of_flags(struct stack *s, const void *unused)
{
	struct ticket t;
	struct draft d;

	(void)unused;
	while (!stack_next(s, &t)) {
		stack_answer(s, &t, &d);
		if (t.rec.type == IPSP_REC_UNPROTECT) {
			stack_say(s, t.rec.flags);
			if (t.packet.stamp[0].first == FAR)
				drop_it(&d);
		}
		if (stack_put(s, &d))
			break;
	}
}

/* A forged number far ahead says nothing of those that follow; two of one number are not merged while both pend. */
static void test_numbers(void)
{
	way_begin(&r, (struct realm_kind){ .family = 4, .mode = IPSP_SA_TUNNEL }, stack_of_flags);
	wire_esp(&r, FAR);
	TAP_EQUAL(realm_said(&r, 10000), 0, "numbers: a forged one, far ahead");
	tap(way_dropped(&r, IPSP_DROP_INTEGRITY, 1), "numbers: it is found out");
	wire_esp(&r, 1);
	TAP_EQUAL(realm_said(&r, 10000), 0, "numbers: the next may be merged");
	tap(way_counted(&r, IPSP_COUNT_IN_PACKETS, 1), "numbers: and comes in");
	kill(r.stack, SIGSTOP);
	wire_esp(&r, FAR);
	wire_esp(&r, 3);
	wire_esp(&r, 3);
	wire_esp(&r, 2);
	kill(r.stack, SIGCONT);
	TAP_EQUAL(realm_said(&r, 10000), 0, "numbers: while the forged one pends");
	TAP_EQUAL(realm_said(&r, 10000), 0, "numbers: one that comes twice, first");
	TAP_EQUAL(realm_said(&r, 10000), IPSP_RECF_NOMERGE, "numbers: and second");
	TAP_EQUAL(realm_said(&r, 10000), 0, "numbers: one that was overtaken");
	tap(way_counted(&r, IPSP_COUNT_IN_PACKETS, 3), "numbers: each comes in once");
	tap(way_dropped(&r, IPSP_DROP_REPLAY, 1), "numbers: and not twice");
	wire_esp(&r, 4);
	TAP_EQUAL(realm_said(&r, 10000), 0, "numbers: and so it goes on");
	way_finish(&r, "numbers");
}

/* ---- in clear ----------------------------------------------------------------------------------------------- */

static struct ipsp_rule rule_of(unsigned char family, unsigned int net, unsigned int directions, unsigned int flags)
{
	struct ipsp_rule rule = {
		.selector = { .family = family, .source_prefix = family == 4 ? 16 : 32, .source_last = 65535,
			      .destination_last = 65535 },
		.directions = (__u8)directions, .flags = flags,
	};

	memcpy(rule.compartment, r.name, sizeof(rule.compartment));
	memcpy(rule.selector.source, family == 4 ? (const unsigned char [4]){ 10, (unsigned char)net } :
		(const unsigned char [4]){ 0xfd, 0, 0, (unsigned char)net }, 4);
	return rule;
}

static void rule_put(const struct ipsp_rule *rule, unsigned int count)
{
	struct ipsp_rules set = { .rules = (uintptr_t)rule, .count = count };

	if (ioctl(control, IPSP_CTL_RULES_SET, &set))
		tap_give_up("rules");
}

/* To this host and through it, IPv4 and IPv6, whole and in fragments: dropped from 40, let in from 41. */
static void test_clear(void)
{
	const unsigned int both = IPSP_RULE_IN | IPSP_RULE_FWD;
	const struct ipsp_rule rules[] = {
		rule_of(4, 40, both, IPSP_RULEF_PROTECT), rule_of(6, 40, both, IPSP_RULEF_PROTECT),
		rule_of(4, 41, both, 0), rule_of(6, 41, both, 0),
	};
	int four = listener(AF_INET, SOCK_DGRAM), six = listener(AF_INET6, SOCK_DGRAM), i;
	unsigned char p[56] = { 0 };

	rule_put(rules, 4);
	for (i = 0; i < 2; i++) {	/* the second one of a flow that is known */
		datagram4(41);
		tap(hears(four, 10000), "in clear: IPv4 that may be is heard");
		datagram6(41);
		tap(hears(six, 10000), "in clear: IPv6 that may be is heard");
	}
	tap(way_counted(&r, IPSP_COUNT_CLEAR_PASSED, 4), "in clear: all four are counted");
	datagram4(40);
	datagram6(40);
	tap(way_dropped(&r, IPSP_DROP_CLEAR, 2), "in clear: what is protected is dropped");
	fragment4(40, 0, 1);
	fragment4(40, 24, 0);
	tap(way_dropped(&r, IPSP_DROP_CLEAR, 4), "in clear: so are fragments of IPv4");
	fragment6(40, 0, 1);
	fragment6(40, 24, 0);
	tap(way_dropped(&r, IPSP_DROP_CLEAR, 6), "in clear: and of IPv6");
	header6(p, 40, IPPROTO_NONE, 16);
	wire_write(p, sizeof(p));
	tap(way_dropped(&r, IPSP_DROP_CLEAR, 7), "in clear: and what has no next header");
	tap(!hears(four, 0) && !hears(six, 0), "in clear: nothing of it is heard");
	close(four);
	close(six);
}

static void forward(unsigned int net)
{
	unsigned char p[36] = { 0 };

	header4(p, net, IPPROTO_UDP, sizeof(p), 0);
	memcpy(p + 16, (const unsigned char [4]){ 10, 8, 0, 9 }, 4);
	memset(p + 10, 0, 2);
	sum_put(p + 10, sum_add(0, p, 20));
	put16(p + 24, 16);
	wire_write(p, sizeof(p));
}

static void test_through(void)
{
	forward(41);
	tap(leaves(IPPROTO_UDP, 8, 9) > 0, "through: what may be in clear goes on");
	forward(40);
	tap(way_dropped(&r, IPSP_DROP_CLEAR, 8), "through: what is protected does not");
}

/* The rule names what was on the wire, before DNAT. */
static void test_dnat(void)
{
	struct ipsp_rule rule = rule_of(4, 43, IPSP_RULE_IN, IPSP_RULEF_PROTECT);
	int fd = listener(AF_INET, SOCK_DGRAM);

	memcpy(rule.selector.destination, (const unsigned char [4]){ 10, 9, 0, 1 }, 4);
	rule.selector.destination_prefix = 32;
	rule.selector.destination_first = rule.selector.destination_last = PORT;
	way_command("ip addr add 10.9.0.66/32 dev wire; nft 'add table ip n; "
		"add chain ip n p { type nat hook prerouting priority dstnat; }; "
		"add rule ip n p ip saddr 10.43.0.0/16 udp dport 9 dnat to 10.9.0.66:9'");
	rule_put(&rule, 1);
	datagram4(43);
	tap(way_dropped(&r, IPSP_DROP_CLEAR, 9), "DNAT: a rule knows it by the name that it came with");
	memcpy(rule.selector.destination, (const unsigned char [4]){ 10, 9, 0, 66 }, 4);
	rule_put(&rule, 1);
	datagram4(43);
	tap(hears(fd, 10000), "DNAT: and not by the other");
	way_command("nft delete table ip n; ip addr del 10.9.0.66/32 dev wire");
	close(fd);
}

/* A socket whose policy lets everything in: an IKE daemon's */
static void test_receiver_bypass(void)
{
	const struct xfrm_userpolicy_info allow = { .dir = XFRM_POLICY_IN, .action = XFRM_POLICY_ALLOW };
	struct ipsp_rule rules[] = { rule_of(4, 44, IPSP_RULE_IN, IPSP_RULEF_PROTECT),
				     rule_of(6, 44, IPSP_RULE_IN, IPSP_RULEF_PROTECT) };
	int four = listener(AF_INET, SOCK_DGRAM), six = listener(AF_INET6, SOCK_DGRAM);

	rule_put(rules, 2);
	datagram4(44);
	tap(way_dropped(&r, IPSP_DROP_CLEAR, 10), "by socket: control: dropped");
	if (setsockopt(four, IPPROTO_IP, IP_XFRM_POLICY, &allow, sizeof(allow)) ||
	    setsockopt(six, IPPROTO_IPV6, IPV6_XFRM_POLICY, &allow, sizeof(allow)))
		tap_give_up("a socket's policy");
	datagram4(44);
	tap(hears(four, 10000), "by socket: IPv4 is heard");
	datagram6(44);
	tap(hears(six, 10000), "by socket: IPv6 is heard");
	close(four);
	close(six);
}

/* A rule by user: it is for the socket that would receive. A fragment may be for anybody's. */
static void test_owner(void)
{
	struct ipsp_rule rules[] = { rule_of(4, 45, IPSP_RULE_IN, IPSP_RULEF_PROTECT | IPSP_RULEF_UID),
				     rule_of(6, 45, IPSP_RULE_IN, IPSP_RULEF_PROTECT | IPSP_RULEF_UID) };
	int four = listener(AF_INET, SOCK_DGRAM), six = listener(AF_INET6, SOCK_DGRAM);

	rules[0].uid = rules[1].uid = USER;
	rule_put(rules, 2);
	datagram4(45);
	datagram6(45);
	tap(hears(four, 10000) && hears(six, 10000), "by owner: another's hears");
	if (fchown(four, USER, -1u) || fchown(six, USER, -1u))
		tap_give_up("fchown");
	datagram4(45);
	datagram6(45);
	tap(way_dropped(&r, IPSP_DROP_CLEAR, 12), "by owner: the user's does not");
	fragment4(45, 0, 1);
	tap(way_dropped(&r, IPSP_DROP_CLEAR, 13), "by owner: a fragment is anybody's");
	close(four);
	close(six);
}

/* As above, for a connection that begins */
static void test_owner_tcp(void)
{
	struct ipsp_rule rule = rule_of(4, 46, IPSP_RULE_IN, IPSP_RULEF_PROTECT | IPSP_RULEF_UID);
	unsigned char p[40] = { 0 };
	int fd = listener(AF_INET, SOCK_STREAM);

	rule.uid = USER;
	rule_put(&rule, 1);
	if (listen(fd, 5))
		tap_give_up("listen");
	header4(p, 46, IPPROTO_TCP, sizeof(p), 0);
	put16(p + 20, 4000);
	put16(p + 22, PORT);
	p[32] = 5 << 4;
	p[33] = 2;			/* SYN */
	put16(p + 34, 1000);
	sum_put(p + 36, sum_add(20 + IPPROTO_TCP, p + 12, sizeof(p) - 12));
	wire_write(p, sizeof(p));
	TAP_EQUAL(leaves(IPPROTO_TCP, 46, 33), 0x12, "by owner: another's answers TCP");
	if (fchown(fd, USER, -1u))
		tap_give_up("fchown");
	wire_write(p, sizeof(p));
	tap(way_dropped(&r, IPSP_DROP_CLEAR, 14), "by owner: the user's does not");
	close(fd);
}

/* ---- what ICMP says ----------------------------------------------------------------------------------------- */

static void stack_telling(struct stack *s, const void *unused)
{
	struct ticket t;
	struct draft d;

	(void)unused;
	while (!stack_next(s, &t)) {
		if (t.rec.type == IPSP_REC_PROTECT)
			stack_say(s, (int)t.packet.mtu);
		stack_answer(s, &t, &d);
		if (stack_put(s, &d))
			break;
	}
}

/* 10.9.0.5 or fd00:9::5 quotes the packet: 1400 bytes fit */
static void too_long(const unsigned char *quoted)
{
	const int is4 = quoted[0] >> 4 == 4;
	const unsigned int at = is4 ? 20 : 40, length = at + 8 + at + 16;
	unsigned char p[40 + 8 + 40 + 16] = { 0 };

	if (is4)
		header4(p, 9, IPPROTO_ICMP, length, 0);
	else
		header6(p, 9, IPPROTO_ICMPV6, length - 40);
	p[at] = is4 ? 3 : 2;		/* unreachable, would have to be fragmented; packet too big */
	p[at + 1] = is4 ? 4 : 0;
	put16(p + at + 6, 1400);
	memcpy(p + at + 8, quoted, at + 16);
	if (is4)
		sum_put(p + at + 2, sum_add(0, p + at, length - at));
	else
		sum_put(p + at + 2, sum_add(length - at + IPPROTO_ICMPV6, p + 8, length - 8));
	wire_write(p, length);
}

static void test_icmp(const struct way *w)
{
	unsigned char packet[WORLD_PACKET_MAX], foreign[WORLD_PACKET_MAX];
	const unsigned int at = w->kind.family == 4 ? 20 : 40;
	int before, now = 0, i;

	way_begin(&r, w->kind, stack_telling);
	wire_realm_datagram(&r, 0, 2);
	do				/* among what has left before */
		if (!wire_next(packet, 10000))
			tap_give_up("a packet to quote");
	while (packet[0] >> 4 != w->kind.family || !wire_is_esp(&r, packet));
	before = realm_said(&r, 10000);
	memcpy(foreign, packet, sizeof(foreign));
	foreign[at + stack_numbered_at(&r)] ^= 1;
	too_long(foreign);
	wire_realm_datagram(&r, 0, 2);
	TAP_EQUAL(realm_said(&r, 10000), before, "%s: another's SPI says nothing", w->what);
	too_long(packet);
	for (i = 0; i < 100 && (!i || now == before); i++) {
		wire_realm_datagram(&r, 0, 2);
		now = realm_said(&r, 10000);
	}
	TAP_EQUAL(now, before - 100, "%s: 100 less fit now", w->what);
	way_finish(&r, w->what);
}

static void test_icmp_all(void)
{
	/* AH over IPv6 is to the kernel an extension header: it tells nobody of it */
	static const struct way quoted[] = {
		{ "ICMP of ESP over IPv4", { .family = 4, .mode = IPSP_SA_TUNNEL } },
		{ "ICMP of ESP over IPv6", { .family = 6, .mode = IPSP_SA_TUNNEL } },
		{ "ICMP of AH over IPv4", { .family = 4, .mode = IPSP_SA_TUNNEL, .protocol = IPPROTO_AH } },
	};
	unsigned int i;

	for (i = 0; i < sizeof(quoted) / sizeof(quoted[0]); i++) {
		test_icmp(&quoted[i]);
		/* what was learned of the way to the other end is forgotten */
		way_command("ip link set wire mtu 1400; ip link set wire mtu 1500; ip route flush cache");
	}
}

int main(void)
{
	unsigned int i;

	world_begin();
	world_ipv6();
	control = open("/dev/ipsec-port/control", O_RDWR | O_CLOEXEC);
	way_command("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wire.rp_filter=0 "
		"net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.wire.send_redirects=0");
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		test_protected(&ways[i]);
	test_mapping(&ways[0]);
	test_mapping(&ways[1]);
	test_other_encap();
	test_encap_fragments();
	test_merged();
	test_numbers();
	way_begin(&r, (struct realm_kind){ .family = 4, .mode = IPSP_SA_TUNNEL }, stack_honest);
	test_clear();
	test_through();
	test_dnat();
	test_receiver_bypass();
	test_owner();
	test_owner_tcp();
	way_finish(&r, "in clear");
	test_icmp_all();
	close(control);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
