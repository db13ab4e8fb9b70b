// SPDX-License-Identifier: GPL-2.0-only
/* traffic.c - packets for the neighbour and the stage, both ways; what leaves and what is heard is looked at */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/kselftest/tap.h"
#include "play.h"

#define SEEN_MAX	(1u << 16)	/* numbers of one play */

static const struct realm *neighbour;
static struct realm stage;		/* as far as its packets need it */
static int out_neighbour = -1, out_stage = -1, heard = -1;
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

static int datagrams(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || (port && bind(fd, (void *)&at, sizeof(at))))
		tap_give_up("a socket");
	return fd;
}

void traffic_begin(const struct realm *realm)
{
	neighbour = realm;
	out_neighbour = datagrams(0);
	out_stage = datagrams(0);
	heard = datagrams(9);
	stage = *realm;
	stage.net = PLAY_NET;
	stage.out.spi = htonl(0x10000 + PLAY_NET * 256 + IPSP_DIR_OUT);
	stage.in.spi = htonl(0x10000 + PLAY_NET * 256 + IPSP_DIR_IN);
}

void traffic_end(void)
{
	close(out_neighbour);
	close(out_stage);
	close(heard);
}

void traffic_round(void)
{
	memset(seen, 0, sizeof(seen));
	first_finding[0] = '\0';
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

static uint32_t number_of(const unsigned char *packet)
{
	uint32_t number;

	memcpy(&number, packet + 4 * (packet[0] & 15) + 4, 4);
	return ntohl(number);
}

static void look_neighbour(const unsigned char *packet)
{
	const uint32_t number = number_of(packet);

	count.left++;
	if (number <= count.last)
		found("the neighbour's number %u left behind its %u", number, count.last);
	count.last = number;
}

static void look(const unsigned char *packet)
{
	if (wire_is_esp(neighbour, packet))
		look_neighbour(packet);
	else if (wire_is_esp(&stage, packet)) {
		if (!number_is_new(number_of(packet)))
			found("number %u left twice", number_of(packet));
	} else if (packet[16] == 10 && (packet[17] == PLAY_NET || packet[17] == PLAY_NEIGHBOUR))
		found("a packet of protocol %u left in clear to 10.%u.%u.%u", packet[9], packet[17], packet[18], packet[19]);
}

static void look_all(void)
{
	unsigned char packet[WORLD_PACKET_MAX];

	while (wire_next(packet, 0))
		if (packet[0] >> 4 == 4)
			look(packet);
}

/* From a compartment come the sources that its rules allow, and no others. */
static void hear_all(void)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	static __u64 before;
	const __u64 now = realm_stats(neighbour).counter[IPSP_COUNT_IN_PACKETS];
	char bytes[2048];
	uint32_t address;

	count.heard += (unsigned int)(now - before);	/* released; a socket would want a checksum */
	before = now;

	while (recvfrom(heard, bytes, sizeof(bytes), 0, (void *)&from, &length) >= 0) {
		address = ntohl(from.sin_addr.s_addr);
		if (address >> 16 != (10 << 8 | PLAY_NEIGHBOUR) && address >> 16 != (10 << 8 | PLAY_NET))
			found("a datagram was heard from %s", inet_ntoa(from.sin_addr));
		length = sizeof(from);
	}
}

/* ---- what is sent ---------------------------------------------------------------------------------------- */

static int send_to(int fd, unsigned int net, unsigned int host, size_t length)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(10u << 24 | net << 16 | host) };
	static const char payload[1200];

	return sendto(fd, payload, length, MSG_DONTWAIT, (void *)&to, sizeof(to)) < 0 ? errno : 0;
}

/* One flow: what it is made of in the kernel is there from the first one on. */
static void send_neighbour(void)
{
	int err = send_to(out_neighbour, PLAY_NEIGHBOUR, 7, 200);

	if (!err)
		count.sent++;
	else if (err != EAGAIN && err != ENOBUFS)
		found("the neighbour's datagram: %s", strerror(err));
	wire_esp(neighbour, ++count.in);
	count.came++;
}

/* An ESP packet that claims to be for the stage: its number may be any */
static void send_stage(uint32_t serial)
{
	struct dice d = dice_of(serial);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		send_to(out_stage, PLAY_NET, 1 + dice_below(&d, 400), dice_below(&d, 1200));
		send_to(out_stage, PLAY_NET + 1, dice_below(&d, 1024), dice_below(&d, 1200));
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
