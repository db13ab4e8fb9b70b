// SPDX-License-Identifier: GPL-2.0
/*
 * pump - as many datagrams as go through, and a sink that looks at each ESP packet of them and keeps none
 *
 *   pump send ADDRESS PORT BYTES SECONDS        numbered datagrams, one behind the other; waits where its socket is full
 *   pump sink DEVICE SPI (0x...)                JSON, when it has all that came before a SIGTERM: `packets`, their rate `pps` from the second
 *                                               to the last, those of another SPI `other`, not above all before `disordered`,
 *                                               behind a window of 32 or twice in it `refused`, `missing` of the numbers, and
 *                                               `lost`, which the sink did not see
 *
 * IPv4. Both cost little beside a cipher: 32 packets a call, and the sink is given 64 bytes of each.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PUMP_BATCH	32u
#define PUMP_BYTES_MAX	9000u
#define PUMP_SNAP	64u
#define PUMP_WINDOW	32u
#define PUMP_SENDS	(1024 << 10)	/* bytes: who sends waits for what it sent, and nothing is dropped for it */
#define PUMP_KEEPS	(64 << 20)
#define PUMP_FIRST	500000		/* us: a flow is known before much of it comes */
#define PUMP_REST	20000		/* us: a sink that woke for each packet would take the processor that it measures */

static volatile sig_atomic_t is_over;

static void on_term(int signal)
{
	(void)signal;
	is_over = 1;
}

static void pump_check(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "pump: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static double pump_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- sends ------------------------------------------------------------------------------ */

static int source_open(const char *address, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = PUMP_SENDS;

	pump_check(inet_pton(AF_INET, address, &to.sin_addr) == 1, address);
	pump_check(s >= 0 && !connect(s, (struct sockaddr *)&to, sizeof(to)), "cannot connect");
	pump_check(!setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)), "SO_SNDBUFFORCE");
	return s;
}

static int pump_send(char **argv)
{
	static uint8_t data[PUMP_BATCH][PUMP_BYTES_MAX];
	static struct mmsghdr message[PUMP_BATCH];
	static struct iovec part[PUMP_BATCH];
	const uint32_t bytes = (uint32_t)atoi(argv[2]);
	const double end = pump_now() + PUMP_FIRST * 1e-6 + atof(argv[3]);
	int s = source_open(argv[0], argv[1]), sent;
	uint64_t number = 0;
	uint32_t i;

	pump_check(bytes >= sizeof(number) && bytes <= PUMP_BYTES_MAX, "BYTES: 8 to 9000");
	for (i = 0; i < PUMP_BATCH; i++) {
		part[i] = (struct iovec){ data[i], bytes };
		message[i].msg_hdr = (struct msghdr){ .msg_iov = &part[i], .msg_iovlen = 1 };
	}
	pump_check(send(s, data[0], bytes, 0) > 0, "send");
	for (usleep(PUMP_FIRST), number++; pump_now() < end; number += (uint64_t)sent) {
		for (i = 0; i < PUMP_BATCH; i++)
			memcpy(data[i], &(uint64_t){ number + i }, sizeof(number));
		sent = sendmmsg(s, message, PUMP_BATCH, 0);
		pump_check(sent > 0, "sendmmsg");
	}
	printf("%llu\n", (unsigned long long)number);
	return EXIT_SUCCESS;
}

/* ---- the sink --------------------------------------------------------------------------- */

struct sink {
	uint32_t spi;
	uint64_t packets, other, disordered, refused;
	uint64_t first, highest;	/* sequence numbers */
	uint32_t seen;			/* bit i: highest - i came */
	double from, to;
};

static int sink_open(const char *device)
{
	struct sock_filter snap = { BPF_RET | BPF_K, 0, 0, PUMP_SNAP };
	struct sock_fprog filter = { 1, &snap };
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(device) };
	int s = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = PUMP_KEEPS;

	pump_check(at.sll_ifindex > 0, device);
	pump_check(s >= 0 && !setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) &&
		   !setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) &&
		   !bind(s, (struct sockaddr *)&at, sizeof(at)), "cannot listen");
	return s;
}

/* As RFC 4303 3.4.3 has it, of a window of 32. */
static bool sink_window(struct sink *k, uint64_t number)
{
	uint64_t behind = k->highest - number;

	if (number > k->highest) {
		k->seen = number - k->highest < PUMP_WINDOW ? k->seen << (number - k->highest) | 1 : 1;
		k->highest = number;
		return true;
	}
	k->disordered++;
	if (behind >= PUMP_WINDOW || k->seen & 1u << behind)
		return false;
	k->seen |= 1u << behind;
	return true;
}

static uint32_t sink_word(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void sink_take(struct sink *k, const uint8_t *packet, uint32_t len)
{
	const uint8_t *esp = packet + (packet[0] & 15) * 4;

	if (len < PUMP_SNAP || packet[9] != IPPROTO_ESP)
		return;
	if (sink_word(esp) != k->spi) {
		k->other++;
		return;
	}
	k->to = pump_now();
	if (!k->packets)
		k->first = sink_word(esp + 4);
	if (++k->packets == 2)
		k->from = k->to;
	k->refused += !sink_window(k, sink_word(esp + 4));
}

static void sink_print(const struct sink *k, int s)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	pump_check(!getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &stats, &len), "PACKET_STATISTICS");
	printf("{\"packets\": %llu, \"pps\": %.0f, \"other\": %llu, \"disordered\": %llu, \"refused\": %llu, \"missing\": %lld, \"lost\": %u}\n",
	       (unsigned long long)k->packets, k->packets > 2 ? (double)(k->packets - 2) / (k->to - k->from) : 0,
	       (unsigned long long)k->other, (unsigned long long)k->disordered, (unsigned long long)k->refused,
	       k->packets ? (long long)(k->highest - k->first + 1 - k->packets + k->refused) : 0, stats.tp_drops);
}

static int pump_sink(char **argv)
{
	static uint8_t data[PUMP_BATCH][PUMP_SNAP];
	static struct mmsghdr message[PUMP_BATCH];
	static struct iovec part[PUMP_BATCH];
	struct sink sink = { .spi = (uint32_t)strtoul(argv[1], NULL, 0) };
	int s = sink_open(argv[0]), n, i;

	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
	for (i = 0; i < (int)PUMP_BATCH; i++) {
		part[i] = (struct iovec){ data[i], PUMP_SNAP };
		message[i].msg_hdr = (struct msghdr){ .msg_iov = &part[i], .msg_iovlen = 1 };
	}
	for (n = 0; !is_over || n > 0;) {
		n = recvmmsg(s, message, PUMP_BATCH, MSG_DONTWAIT, NULL);
		for (i = 0; i < n; i++)
			sink_take(&sink, data[i], message[i].msg_len);
		if (n < (int)PUMP_BATCH)
			usleep(PUMP_REST);
	}
	sink_print(&sink, s);
	return EXIT_SUCCESS;
}

/* ----------------------------------------------------------------------------------------- */

static const struct command {
	const char *name;
	int words;
	int (*run)(char **argv);
} commands[] = { { "send", 4, pump_send }, { "sink", 2, pump_sink } };

int main(int argc, char **argv)
{
	unsigned i;

	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name) && argc == 2 + commands[i].words)
			return commands[i].run(argv + 2);
	fprintf(stderr, "usage: pump send ADDRESS PORT BYTES SECONDS | pump sink DEVICE SPI\n");
	return EXIT_FAILURE;
}
