// SPDX-License-Identifier: GPL-2.0-only
/*
 * ways_out.c - each way on which a packet may leave: super-packets, cut and fragmented ones, in UDP, with AH,
 * forwarded, renamed by NAT, too big, by a socket that says so, without a stack
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap.h"
#include "world/way.h"

/* What tests/check asks of a test's own comments, in a program */
__attribute__((used)) static const char notes[] = "\n# mode: one\n# timeout: 120\n";

#define SEGMENT		400		/* bytes of UDP in each */
#define SEGMENTS	5

static struct realm r;
static int control;

/* ---- what is sent and seen ---------------------------------------------------------------------------- */

static int flow_to(const struct realm *to, unsigned int host)
{
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(9),
				   .sin_addr.s_addr = htonl(10u << 24 | to->net << 16 | host) };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(9),
				    .sin6_addr.s6_addr = { 0xfd, 0, 0, (unsigned char)to->net,
							   [15] = (unsigned char)host } };
	const int is4 = to->kind.family == 4;
	int fd = socket(is4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, is4 ? (void *)&to4 : (void *)&to6, is4 ? sizeof(to4) : sizeof(to6)))
		tap_give_up("a connected socket");
	return fd;
}

static void give(int fd, size_t length)
{
	static const char payload[4000];

	if (send(fd, payload, length, 0) != (ssize_t)length)
		tap_give_up("send");
}

static unsigned int number_of(const unsigned char *packet)
{
	unsigned int at = (packet[0] >> 4 == 4 ? 20 : 40) + stack_numbered_at(&r) + 4;
	__be32 number;

	memcpy(&number, packet + at, sizeof(number));
	return ntohl(number);
}

/* So many of the SA's packets come next, their numbers one behind the other; else which is the first that does not. */
static int leave(unsigned int count, unsigned int first)
{
	unsigned char packet[WORLD_PACKET_MAX];
	unsigned int i;

	for (i = 0; i < count; i++)
		if (!wire_next(packet, 10000) || !wire_is_esp(&r, packet) || number_of(packet) != first + i)
			return (int)i;
	return -1;
}

/* ---- super-packets ------------------------------------------------------------------------------------- */

static const struct way {
	const char *what;
	struct realm_kind kind;
} ways[] = {
	{ "IPv4 in a tunnel", { .family = 4, .mode = IPSP_SA_TUNNEL } },
	{ "IPv6 in a tunnel", { .family = 6, .mode = IPSP_SA_TUNNEL } },
	{ "IPv4 in transport mode", { .family = 4, .mode = IPSP_SA_TRANSPORT } },
	{ "IPv6 in transport mode", { .family = 6, .mode = IPSP_SA_TRANSPORT } },
	{ "IPv4 in UDP", { .family = 4, .mode = IPSP_SA_TUNNEL, .encap = 4500 } },
	{ "IPv6 in UDP", { .family = 6, .mode = IPSP_SA_TUNNEL, .encap = 4500 } },
	{ "IPv4 with AH", { .family = 4, .mode = IPSP_SA_TUNNEL, .protocol = IPPROTO_AH } },
	{ "IPv6 with AH", { .family = 6, .mode = IPSP_SA_TUNNEL, .protocol = IPPROTO_AH } },
};

/* Goes down as one, is released as one, and is parted in front of the device: in order, the last one shorter. */
static void test_super(const struct way *w)
{
	const int size = SEGMENT;
	int fd;

	way_begin(&r, w->kind, stack_honest);
	fd = flow_to(&r, 2);
	give(fd, 100);
	TAP_EQUAL(leave(1, 1), -1, "%s: a datagram leaves", w->what);
	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)))
		tap_give_up("UDP_SEGMENT");
	give(fd, SEGMENTS * SEGMENT - 100);
	TAP_EQUAL(leave(SEGMENTS, 2), -1, "%s: a super-packet leaves in %d", w->what, SEGMENTS);
	tap(way_counted(&r, IPSP_COUNT_RELEASED, 2), "%s: of two tickets", w->what);
	TAP_EQUAL(realm_stats(&r).counter[IPSP_COUNT_OUT_PACKETS], SEGMENTS + 1, "%s: all are counted", w->what);
	close(fd);
	way_finish(&r, w->what);
}

/* A super-packet that no record can say: inside a tunnel of the kernel's own. It is cut before it is dealt. */
static void test_unknown(void)
{
	const int size = SEGMENT;
	struct realm inner = { .net = 77, .kind.family = 4 };
	int fd;

	way_begin(&r, ways[0].kind, stack_honest);
	way_command("modprobe -q ipip; ip link add t0 type ipip local 10.9.0.1 remote 10.40.0.2 && ip link set t0 up && "
		"ip addr add 10.78.0.1/24 dev t0 && ip route add 10.77.0.0/16 dev t0");
	fd = flow_to(&inner, 2);
	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)))
		tap_give_up("UDP_SEGMENT");
	give(fd, SEGMENTS * SEGMENT - 100);
	TAP_EQUAL(leave(SEGMENTS, 1), -1, "IPIP: a super-packet leaves in %d", SEGMENTS);
	tap(way_counted(&r, IPSP_COUNT_RELEASED, SEGMENTS), "IPIP: of as many tickets");
	close(fd);
	way_command("ip link del t0");
	way_finish(&r, "IPIP");
}

/* ---- too long ------------------------------------------------------------------------------------------ */

/* IPv4 is fragmented behind protection: its first fragment bears the SPI, the others nothing. */
static void test_fragmented4(void)
{
	unsigned char packet[WORLD_PACKET_MAX];
	int fd, rest = 0, off = IP_PMTUDISC_DONT;

	way_begin(&r, ways[0].kind, stack_honest);
	fd = flow_to(&r, 2);
	if (setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &off, sizeof(off)))
		tap_give_up("IP_MTU_DISCOVER");
	give(fd, 3000);
	tap(wire_next(packet, 10000) && wire_is_esp(&r, packet) && packet[6] & 0x20, "too long for IPv4: a first fragment");
	while (rest < 2 && wire_next(packet, 10000) && (packet[6] & 0x1f || packet[7]) && packet[9] == IPPROTO_ESP)
		rest++;
	TAP_EQUAL(rest, 2, "too long for IPv4: and two more");
	close(fd);
	way_finish(&r, "too long for IPv4");
}

/* IPv6 is fragmented before: each is protected alone, and knows no ports but in the first. */
static void test_fragmented6(void)
{
	int fd;

	way_begin(&r, ways[1].kind, stack_honest);
	fd = flow_to(&r, 2);
	give(fd, 3000);
	TAP_EQUAL(leave(3, 1), -1, "too long for IPv6: three packets");
	tap(way_counted(&r, IPSP_COUNT_RELEASED, 3), "too long for IPv6: of three tickets");
	close(fd);
	way_finish(&r, "too long for IPv6");
}

/* TOOBIG where the packet insists on its length */
static void stack_strict(struct stack *s, const void *unused)
{
	struct ticket t;
	struct draft d;

	(void)unused;
	while (!stack_next(s, &t)) {
		stack_answer(s, &t, &d);
		if (t.rec.type == IPSP_REC_PROTECT && t.packet.length > t.packet.mtu) {
			d.answer.verdict = IPSP_VERDICT_TOOBIG;
			d.answer.segments = d.answer.segment_len = 0;
			d.answer.mtu = t.packet.mtu;
			d.length = d.rec.data_len = 0;
			d.rec.len = d.publish = (d.rec.data_offset + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
		}
		if (stack_put(s, &d))
			break;
	}
}

/* The MTU that the socket's error queue tells, or 0 */
static unsigned int told(int fd)
{
	union {
		struct cmsghdr head;
		char bytes[512];
	} about;
	char data[2000];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &about, .msg_controllen = sizeof(about) };
	struct pollfd p = { .fd = fd };
	const struct cmsghdr *c;

	if (poll(&p, 1, 10000) != 1 || recvmsg(fd, &m, MSG_ERRQUEUE) < 0)
		return 0;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, (struct cmsghdr *)c))
		if (c->cmsg_type == IP_RECVERR || c->cmsg_type == IPV6_RECVERR)
			return ((const struct sock_extended_err *)CMSG_DATA(c))->ee_info;
	return 0;
}

static void test_toobig(const struct way *w)
{
	const int is4 = w->kind.family == 4, on = 1, insist = is4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE;
	const int level = is4 ? IPPROTO_IP : IPPROTO_IPV6;
	unsigned int mtu;
	int fd;

	way_begin(&r, w->kind, stack_strict);
	fd = flow_to(&r, 2);
	if (setsockopt(fd, level, is4 ? IP_RECVERR : IPV6_RECVERR, &on, sizeof(on)) ||
	    setsockopt(fd, level, is4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &insist, sizeof(insist)))
		tap_give_up("socket options");
	give(fd, is4 ? 1472 : 1452);
	mtu = told(fd);
	tap(mtu > 1200 && mtu < 1500, "%s: a socket learns that %u fit", w->what, mtu);
	tap(way_counted(&r, IPSP_COUNT_TOOBIG, 1), "%s: the ticket was too big", w->what);
	close(fd);
	way_finish(&r, w->what);
}

/* ---- extension headers that end in no protocol ------------------------------------------------------------ */

/* What a raw socket sends to the realm: `protocol` and so many bytes of zeros behind the IPv6 header */
static void raw6(int protocol, size_t length)
{
	const struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr.s6_addr = { 0xfd, 0, 0, 40, [15] = 2 } };
	static const char zeros[64];
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, protocol);

	/* EPERM: it was dropped on its way out */
	if (fd < 0 || (sendto(fd, zeros, length, 0, (const void *)&to, sizeof(to)) < 0 && errno != EPERM))
		tap_give_up("a raw packet");
	close(fd);
}

static unsigned long long unreadable(void)
{
	struct ipsp_stats s = { 0 };

	if (ioctl(control, IPSP_CTL_STATS, &s))
		tap_give_up("the namespace's counters");
	return s.drop[IPSP_DROP_NOT_SERVED];
}

/* "No next header" is as much under a rule as any protocol; what cannot be read to its end is nobody's to protect. */
static void test_no_next_header(void)
{
	unsigned char packet[WORLD_PACKET_MAX];
	unsigned long long before;

	way_begin(&r, ways[1].kind, stack_honest);
	raw6(IPPROTO_NONE, 16);
	TAP_EQUAL(leave(1, 1), -1, "no next header: it leaves protected");
	raw6(IPPROTO_NONE, 0);
	TAP_EQUAL(leave(1, 2), -1, "no next header: and so does the next of the flow");
	before = unreadable();
	raw6(IPPROTO_DSTOPTS, 4);
	raw6(IPPROTO_ROUTING, 1);
	TAP_EQUAL(unreadable() - before, 2, "an extension header that is cut off: dropped as not served");
	tap(!wire_next(packet, 100), "an extension header that is cut off: and nothing leaves");
	way_finish(&r, "no next header");
}

/* ---- forwarded ----------------------------------------------------------------------------------------- */

static unsigned short sum(const unsigned char *bytes, unsigned int length)
{
	unsigned int all = 0, i;

	for (i = 0; i < length; i += 2)
		all += (unsigned int)(bytes[i] << 8 | bytes[i + 1]);
	while (all >> 16)
		all = (all & 0xffff) + (all >> 16);
	return (unsigned short)~all;
}

/* A datagram of 10.8.0.9 to the realm comes in; DF */
static void come_by(unsigned int length)
{
	unsigned char packet[1500] = { 0x45, 0, (unsigned char)(length >> 8), (unsigned char)length, 0, 1, 0x40, 0, 64,
				       IPPROTO_UDP, 0, 0, 10, 8, 0, 9, 10, 40, 0, 2, 0, 9, 0, 9 };
	unsigned short header;

	packet[24] = (unsigned char)((length - 20) >> 8);
	packet[25] = (unsigned char)(length - 20);
	header = sum(packet, 20);
	packet[10] = (unsigned char)(header >> 8);
	packet[11] = (unsigned char)header;
	wire_write(packet, length);
}

static void test_forwarded(void)
{
	unsigned char packet[WORLD_PACKET_MAX];

	way_begin(&r, ways[0].kind, stack_strict);
	come_by(200);
	TAP_EQUAL(leave(1, 1), -1, "forwarded: a datagram leaves protected");
	come_by(200);
	TAP_EQUAL(leave(1, 2), -1, "forwarded: and a second, of a flow that is known");
	come_by(1500);
	tap(wire_next(packet, 10000) && packet[9] == IPPROTO_ICMP && packet[20] == ICMP_DEST_UNREACH &&
	    packet[21] == ICMP_FRAG_NEEDED && packet[16] == 10 && packet[17] == 8,
	    "forwarded: what is too big is told to who sent it");
	way_finish(&r, "forwarded");
}

/* ---- NAT ----------------------------------------------------------------------------------------------- */

static void rule_put(const struct ipsp_rule *rule, unsigned int count)
{
	struct ipsp_rules set = { .rules = (uintptr_t)rule, .count = count };

	if (ioctl(control, IPSP_CTL_RULES_SET, &set))
		tap_give_up("rules");
}

/* Only by the name that SNAT gives it is it for the compartment. */
static void test_snat(void)
{
	struct ipsp_rule rule = {
		.selector = { .family = 4, .source = { 10, 9, 0, 77 }, .source_prefix = 32, .source_last = 65535,
			      .destination_last = 65535 },
		.directions = IPSP_RULE_OUT, .flags = IPSP_RULEF_PROTECT,
	};
	int fd;

	way_begin(&r, ways[0].kind, stack_honest);
	memcpy(rule.compartment, r.name, sizeof(rule.compartment));
	rule_put(&rule, 1);
	way_command("nft 'add table ip n; add chain ip n p { type nat hook postrouting priority srcnat; }; "
		"add rule ip n p ip daddr 10.40.0.0/16 snat to 10.9.0.77'");
	fd = flow_to(&r, 2);
	give(fd, 100);
	TAP_EQUAL(leave(1, 1), -1, "SNAT: what gets the compartment's name leaves protected");
	give(fd, 100);
	TAP_EQUAL(leave(1, 2), -1, "SNAT: and what follows it");
	close(fd);
	way_command("nft delete table ip n");
	way_finish(&r, "SNAT");
}

/* Diverted by one name, captured by the other: asked again, of a flow of its own. */
static void test_renamed(void)
{
	int fd;

	way_begin(&r, ways[0].kind, stack_honest);
	way_command("nft 'add table ip n; add chain ip n p { type nat hook postrouting priority srcnat; }; "
		"add rule ip n p ip daddr 10.40.0.0/16 snat to 10.9.0.78'");
	fd = flow_to(&r, 3);
	give(fd, 100);
	TAP_EQUAL(leave(1, 1), -1, "renamed: it leaves protected");
	tap(way_counted(&r, IPSP_COUNT_CLASSIFIED, 2), "renamed: both names were asked for");
	give(fd, 100);
	TAP_EQUAL(leave(1, 2), -1, "renamed: and what follows it");
	close(fd);
	way_command("nft delete table ip n");
	way_finish(&r, "renamed");
}

/* ---- in clear, where that is meant ------------------------------------------------------------------------ */

static int clear_to(unsigned int net)
{
	unsigned char packet[WORLD_PACKET_MAX];

	return wire_next(packet, 10000) && packet[9] == IPPROTO_UDP && packet[16] == 10 && packet[17] == net;
}

static int policy_of_socket(int fd, int level, int option, struct xfrm_userpolicy_info info, size_t size)
{
	struct {
		struct xfrm_userpolicy_info info;
		char more[64];
	} p = { .info = info };

	return setsockopt(fd, level, option, &p, (socklen_t)size) ? errno : 0;
}

static void test_by_socket(void)
{
	const struct xfrm_userpolicy_info allow = { .dir = XFRM_POLICY_OUT, .action = XFRM_POLICY_ALLOW };
	struct xfrm_userpolicy_info i = allow;
	const size_t size = sizeof(i);
	int fd;

	way_begin(&r, ways[0].kind, stack_honest);
	fd = flow_to(&r, 4);
	i.dir = 3;
	TAP_EQUAL(policy_of_socket(fd, IPPROTO_IP, IP_XFRM_POLICY, i, size), EINVAL, "by socket: no such direction");
	i = allow;
	i.action = 2;
	TAP_EQUAL(policy_of_socket(fd, IPPROTO_IP, IP_XFRM_POLICY, i, size), EINVAL, "by socket: no such action");
	i = allow;
	i.action = XFRM_POLICY_BLOCK;
	TAP_EQUAL(policy_of_socket(fd, IPPROTO_IP, IP_XFRM_POLICY, i, size), EOPNOTSUPP, "by socket: BLOCK");
	i = allow;
	i.sel.proto = IPPROTO_UDP;
	TAP_EQUAL(policy_of_socket(fd, IPPROTO_IP, IP_XFRM_POLICY, i, size), EOPNOTSUPP, "by socket: a selector");
	TAP_EQUAL(policy_of_socket(fd, IPPROTO_IP, IP_XFRM_POLICY, allow, size + 64), EOPNOTSUPP, "by socket: a template");
	TAP_EQUAL(policy_of_socket(fd, IPPROTO_IP, IP_XFRM_POLICY, allow, size - 1), EINVAL, "by socket: too short");
	give(fd, 100);
	TAP_EQUAL(leave(1, 1), -1, "by socket: control: it leaves protected");
	TAP_EQUAL(policy_of_socket(fd, IPPROTO_IP, IP_XFRM_POLICY, allow, size), 0, "by socket: everything may be clear");
	give(fd, 100);
	tap(clear_to(40), "by socket: and leaves so");
	close(fd);
	way_finish(&r, "by socket");
}

/* Without a stack: what may be clear passes and is counted, what is protected does not. */
static void test_open(void)
{
	struct ipsp_compartment c = { .fail = IPSP_FAIL_OPEN };
	const struct realm *const one[] = { &r };

	realm_begin(&r, 40, 60000);
	realm_rules(one, 1);
	memcpy(c.name, r.name, sizeof(c.name));
	TAP_EQUAL(tap_ioctl(control, IPSP_CTL_COMPARTMENT_SET, &c), 0, "fail open");
	wire_datagram(41, 5);
	tap(clear_to(41), "fail open: what may be clear leaves");
	tap(way_counted(&r, IPSP_COUNT_FAILED_OPEN, 1), "fail open: and is counted");
	wire_datagram(41, 256 + 5);
	tap(way_dropped(&r, IPSP_DROP_NO_STACK, 1), "fail open: what a policy protects is dropped");
	wire_datagram(40, 5);
	tap(way_dropped(&r, IPSP_DROP_NO_STACK, 2), "fail open: what a rule protects is dropped");
	TAP_EQUAL(realm_balance(&r), 0, "fail open: the ledger balances");
	realm_rules(NULL, 0);
	realm_end(&r);
}

int main(void)
{
	unsigned int i;

	world_begin();
	world_ipv6();
	world_offload();
	control = open("/dev/ipsec-port/control", O_RDWR | O_CLOEXEC);
	way_command("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wire.rp_filter=0 "
		"net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.wire.send_redirects=0");
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		test_super(&ways[i]);
	test_unknown();
	test_fragmented4();
	test_fragmented6();
	test_toobig(&ways[0]);
	test_toobig(&ways[1]);
	test_no_next_header();
	test_forwarded();
	test_snat();
	test_renamed();
	test_by_socket();
	test_open();
	close(control);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
