// SPDX-License-Identifier: GPL-2.0-only
/* traffic.c - packets for the neighbour and the stage, both ways; what leaves and what is heard is looked at */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <linux/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/kselftest/tap.h"
#include "play.h"

#define SEEN_MAX	(1u << 16)	/* numbers of one play */

static const struct realm *neighbour;
static struct realm stage;		/* of this play, as far as its packets need it */
static int out_neighbour = -1, out_stage = -1, heard4 = -1, heard6 = -1;
static char first_finding[PLAY_FINDING];

static struct {
	unsigned int sent, left;	/* outbound: datagrams given, ESP seen */
	unsigned int came, heard;	/* inbound: ESP given, datagrams heard */
	uint32_t last;			/* number of the last ESP */
	uint32_t in;			/* of the last ESP given */
} count;
static uint32_t seen[SEEN_MAX];

__attribute__((format(printf, 1, 2)))
static void found(const char *format, ...)
{
	va_list ap;

	if (first_finding[0])
		return;
	va_start(ap, format);
	vsnprintf(first_finding, sizeof(first_finding), format, ap);
	va_end(ap);
}

static int datagrams(unsigned char family)
{
	int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		tap_give_up("a socket");
	return fd;
}

/* What a stack opens has no checksum: in IPv6 it is taken where one says so. */
static void hear_at(void)
{
	const struct sockaddr_in at4 = { .sin_family = AF_INET, .sin_port = htons(9) };
	const struct sockaddr_in6 at6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	const int one = 1;

	heard4 = datagrams(4);
	heard6 = datagrams(6);
	if (bind(heard4, (const void *)&at4, sizeof(at4)) ||
	    setsockopt(heard6, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) ||
	    setsockopt(heard6, IPPROTO_UDP, UDP_NO_CHECK6_RX, &one, sizeof(one)) ||
	    bind(heard6, (const void *)&at6, sizeof(at6)))
		tap_give_up("a socket that hears");
}

void traffic_begin(const struct realm *realm)
{
	neighbour = realm;
	out_neighbour = datagrams(4);
	hear_at();
}

void traffic_end(void)
{
	close(out_neighbour);
	close(out_stage);
	close(heard4);
	close(heard6);
}

void traffic_round(struct realm_kind kind)
{
	memset(seen, 0, sizeof(seen));
	first_finding[0] = '\0';
	stage = realm_like(PLAY_NET, kind);
	close(out_stage);
	out_stage = datagrams(kind.family);
	if (kind.options)
		wire_options(out_stage, kind.family);
}

/* ---- what has left -------------------------------------------------------------------------------------- */

/* A table by open addressing; 0 is no number. Full: nothing more is remembered. */
static int number_is_new(uint32_t number)
{
	unsigned int i, at = number * 2654435761u >> 16;

	for (i = 0; i < 64; i++, at = (at + 1) % SEEN_MAX) {
		if (seen[at] == number)
			return 0;
		if (!seen[at]) {
			seen[at] = number;
			return 1;
		}
	}
	return 1;
}

static uint32_t number_of(const struct realm *r, const unsigned char *packet)
{
	uint32_t number;

	memcpy(&number, packet + wire_esp_at(r, packet) + 4, 4);
	return ntohl(number);
}

static void look_neighbour(const unsigned char *packet)
{
	const uint32_t number = number_of(neighbour, packet);

	count.left++;
	if (number <= count.last)
		found("the neighbour's number %u left behind its %u", number, count.last);
	count.last = number;
}

static void look_stage(const unsigned char *packet)
{
	const uint32_t number = number_of(&stage, packet);

	if (!number_is_new(number))
		found("number %u left twice", number);
}

static void look_clear(const unsigned char *packet)
{
	if (packet[0] >> 4 == 6) {
		if (packet[27] == PLAY_NET)
			found("a packet of protocol %u left in clear to fd00:%x::%x%02x", packet[6], packet[27], packet[38],
			      packet[39]);
	} else if (packet[16] == 10 && (packet[17] == PLAY_NET || packet[17] == PLAY_NEIGHBOUR)) {
		found("a packet of protocol %u left in clear to 10.%u.%u.%u", packet[9], packet[17], packet[18], packet[19]);
	}
}

static void look(const unsigned char *packet)
{
	if (wire_is_esp(neighbour, packet))
		look_neighbour(packet);
	else if (wire_is_esp(&stage, packet))
		look_stage(packet);
	else
		look_clear(packet);
}

static void look_all(void)
{
	unsigned char packet[WORLD_PACKET_MAX];

	while (wire_next(packet, 0))
		look(packet);
}

/* From a compartment come the sources that its rules allow, and no others. */
static void hear4(void)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	char bytes[2048];
	uint32_t address;

	while (recvfrom(heard4, bytes, sizeof(bytes), 0, (void *)&from, &length) >= 0) {
		address = ntohl(from.sin_addr.s_addr);
		if (address >> 16 != (10 << 8 | PLAY_NEIGHBOUR) && address >> 16 != (10 << 8 | PLAY_NET))
			found("a datagram was heard from %s", inet_ntoa(from.sin_addr));
		length = sizeof(from);
	}
}

static void hear6(void)
{
	static const unsigned char net[4] = { 0xfd, 0, 0, PLAY_NET };
	struct sockaddr_in6 from;
	socklen_t length = sizeof(from);
	char bytes[2048], text[INET6_ADDRSTRLEN];

	while (recvfrom(heard6, bytes, sizeof(bytes), 0, (void *)&from, &length) >= 0) {
		if (memcmp(&from.sin6_addr, net, sizeof(net)))
			found("a datagram was heard from %s", inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof(text)));
		length = sizeof(from);
	}
}

static void hear_all(void)
{
	static __u64 before;
	const __u64 now = realm_stats(neighbour).counter[IPSP_COUNT_IN_PACKETS];

	count.heard += (unsigned int)(now - before);	/* released, whether a socket takes it or not */
	before = now;
	hear4();
	hear6();
}

/* ---- what is sent ---------------------------------------------------------------------------------------- */

static const char payload[1200];

static int send4(int fd, unsigned int net, unsigned int host, size_t length)
{
	const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9),
					.sin_addr.s_addr = htonl(10u << 24 | net << 16 | host) };

	return sendto(fd, payload, length, MSG_DONTWAIT, (const void *)&to, sizeof(to)) < 0 ? errno : 0;
}

static int send6(int fd, unsigned int net, unsigned int host, size_t length)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(9),
				   .sin6_addr.s6_addr = { 0xfd, 0, 0, (unsigned char)net } };

	to.sin6_addr.s6_addr[14] = (unsigned char)(host >> 8);
	to.sin6_addr.s6_addr[15] = (unsigned char)host;
	return sendto(fd, payload, length, MSG_DONTWAIT, (const void *)&to, sizeof(to)) < 0 ? errno : 0;
}

/* One flow: what it is made of in the kernel is there from the first one on. */
static void send_neighbour(void)
{
	int err = send4(out_neighbour, PLAY_NEIGHBOUR, 7, 200);

	if (!err)
		count.sent++;
	else if (err != EAGAIN && err != ENOBUFS)
		found("the neighbour's datagram: %s", strerror(err));
	wire_esp(neighbour, ++count.in);
	count.came++;
}

/* In transport mode its other end is one host: most are for that one. */
static unsigned int host_of(struct dice *d)
{
	return stage.kind.mode == IPSP_SA_TRANSPORT && !dice_one_in(d, 4) ? 2 : 1 + dice_below(d, 400);
}

/* And ESP packets that claim to be for the stage: the number of one may be any. */
static void send_stage(uint32_t serial)
{
	int (*const send)(int, unsigned int, unsigned int, size_t) = stage.kind.family == 4 ? send4 : send6;
	struct dice d = dice_of(serial);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		send(out_stage, PLAY_NET, host_of(&d), dice_below(&d, 1200));
		send(out_stage, PLAY_NET + 1, dice_below(&d, 1024), dice_below(&d, 1200));
	}
	wire_esp(&stage, dice_one_in(&d, 4) ? dice_word(&d) : serial);
	wire_esp(&stage, serial + 1);
}

void traffic_some(uint32_t serial)
{
	send_neighbour();
	send_stage(serial);
	look_all();
	hear_all();
}

/* ---- the end ---------------------------------------------------------------------------------------------- */

static struct ipsp_stats net_stats(void)
{
	static const struct realm none;		/* without a name: the namespace */

	return realm_stats(&none);
}

/*
 * One more of the neighbour's, behind all that the stage has sent: when it is seen, the wire is empty, and nothing of
 * this play is taken for the next one's, whose numbers begin anew.
 */
int traffic_judge(char finding[PLAY_FINDING])
{
	int i;

	send_neighbour();
	for (i = 0; i < 3000 && (count.left < count.sent || count.heard < count.came); i++) {
		usleep(10000);
		look_all();
		hear_all();
	}
	if (count.left != count.sent)
		found("of the neighbour's %u datagrams %u left", count.sent, count.left);
	if (count.heard != count.came)
		found("of the neighbour's %u ESP packets %u were heard; dropped by rules of the namespace: %llu", count.came,
		      count.heard, net_stats().drop[IPSP_DROP_RULE]);
	count.sent = count.left = count.came = count.heard = 0;
	memcpy(finding, first_finding, PLAY_FINDING);
	return finding[0] != '\0';
}

int traffic_neighbour(char finding[PLAY_FINDING])
{
	unsigned int i;

	for (i = 0; i < 10; i++)
		send_neighbour();
	return traffic_judge(finding);
}
