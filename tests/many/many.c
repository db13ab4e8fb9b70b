// SPDX-License-Identifier: GPL-2.0
/*
 * many.c - ipsec-port-many N: N states and N policies by XFRM netlink, and all of them told back
 *
 * Requests go in batches of BATCH messages a datagram, each acknowledged. The reader of the dump has the buffer that sockets
 * have by default. What it says on one line: seconds for states, for policies, for each dump.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/differ/differ.h"

#define BATCH	16u

static int fd;
static struct maker k;
static _Alignas(8) unsigned char room[1 << 16];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void end(const char *what, int err)
{
	fprintf(stderr, "ipsec-port-many: %s: %s\n", what, strerror(err));
	exit(1);
}

static void state(uint32_t i)
{
	struct xfrm_usersa_info *info = message_begin(&k, XFRM_MSG_NEWSA, sizeof(*info));
	unsigned char algorithm[sizeof(struct xfrm_algo_aead) + 20] = { 0 };
	struct xfrm_algo_aead *a = (struct xfrm_algo_aead *)algorithm;

	info->family = AF_INET;
	inet_pton(AF_INET, "10.9.0.1", &info->saddr);
	info->id.daddr.a4 = htonl(0x0a0a0000 + i / 4);
	info->id.spi = htonl(0x10000 + i);
	info->id.proto = IPPROTO_ESP;
	info->reqid = 1 + i;
	info->mode = XFRM_MODE_TUNNEL;
	info->lft.soft_byte_limit = info->lft.hard_byte_limit = XFRM_INF;
	info->lft.soft_packet_limit = info->lft.hard_packet_limit = XFRM_INF;
	strcpy(a->alg_name, "rfc4106(gcm(aes))");
	a->alg_key_len = 160;
	a->alg_icv_len = 128;
	memcpy(a->alg_key, &i, sizeof(i));
	message_attribute(&k, XFRMA_ALG_AEAD, algorithm, sizeof(algorithm));
}

static void policy(uint32_t i)
{
	struct xfrm_userpolicy_info *p = message_begin(&k, XFRM_MSG_NEWPOLICY, sizeof(*p));
	struct xfrm_user_tmpl t = { .family = AF_INET, .reqid = 1 + i, .mode = XFRM_MODE_TUNNEL };

	p->sel.family = AF_INET;
	inet_pton(AF_INET, "10.1.0.0", &p->sel.saddr);
	p->sel.prefixlen_s = 24;
	p->sel.daddr.a4 = htonl(0x0b000000 + i);
	p->sel.prefixlen_d = 32;
	p->dir = XFRM_POLICY_OUT;
	p->priority = 100;
	p->lft.soft_byte_limit = p->lft.hard_byte_limit = XFRM_INF;
	p->lft.soft_packet_limit = p->lft.hard_packet_limit = XFRM_INF;
	t.id.proto = IPPROTO_ESP;
	inet_pton(AF_INET, "10.9.0.1", &t.saddr);
	t.id.daddr.a4 = htonl(0x0a0a0000 + i / 4);
	t.aalgos = t.ealgos = t.calgos = ~0u;
	message_attribute(&k, XFRMA_TMPL, &t, sizeof(t));
}

static void acknowledged(uint32_t wanted)
{
	struct nlmsghdr *head;
	ssize_t got;
	int left;

	while (wanted) {
		got = recv(fd, room, sizeof(room), 0);
		if (got < 0)
			end("recv", errno);
		left = (int)got;
		for (head = (struct nlmsghdr *)room; NLMSG_OK(head, (unsigned int)left); head = NLMSG_NEXT(head, left), wanted--)
			if (head->nlmsg_type != NLMSG_ERROR || *(int *)NLMSG_DATA(head))
				end("refused", -*(int *)NLMSG_DATA(head));
	}
}

static double install(uint32_t count, void (*make)(uint32_t i))
{
	static unsigned char batch[BATCH * 1024];
	double began = now();
	uint32_t i, in_it = 0;
	size_t size = 0;

	for (i = 0; i < count; i++) {
		make(i);
		k.m.head.nlmsg_seq = i;
		memcpy(batch + size, k.m.bytes, k.m.head.nlmsg_len);
		size += NLMSG_ALIGN(k.m.head.nlmsg_len);
		if (++in_it < BATCH && i + 1 < count)
			continue;
		if (send(fd, batch, size, 0) < 0)
			end("send", errno);
		acknowledged(in_it);
		in_it = 0;
		size = 0;
	}
	return now() - began;
}

/* Each is told once: their numbers add up, too. */
static double dump(uint32_t count, uint16_t type, uint16_t told)
{
	double began = now();
	uint64_t sum = 0, seen = 0;
	struct nlmsghdr *head;
	ssize_t got;
	int left;

	message_begin(&k, type, 0);
	k.m.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	if (send(fd, k.m.bytes, k.m.head.nlmsg_len, 0) < 0)
		end("send", errno);
	for (;;) {
		got = recv(fd, room, sizeof(room), 0);
		if (got < 0)
			end("recv of a dump", errno);
		left = (int)got;
		for (head = (struct nlmsghdr *)room; NLMSG_OK(head, (unsigned int)left); head = NLMSG_NEXT(head, left)) {
			if (head->nlmsg_type == NLMSG_DONE)
				goto over;
			if (head->nlmsg_type != told)
				end("dump", -*(int *)NLMSG_DATA(head));
			seen++;
			sum += told == XFRM_MSG_NEWSA ? ntohl(((struct xfrm_usersa_info *)NLMSG_DATA(head))->id.spi) - 0x10000 :
				ntohl(((struct xfrm_userpolicy_info *)NLMSG_DATA(head))->sel.daddr.a4) - 0x0b000000;
		}
	}
over:
	if (seen != count || sum != (uint64_t)count * (count - 1) / 2) {
		fprintf(stderr, "ipsec-port-many: %llu told, wanted %u, each once\n", (unsigned long long)seen, count);
		exit(1);
	}
	return now() - began;
}

int main(int argc, char **argv)
{
	uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 10000;
	double states, policies, dump_states;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);
	if (fd < 0)
		end("NETLINK_XFRM", errno);
	states = install(count, state);
	policies = install(count, policy);
	dump_states = dump(count, XFRM_MSG_GETSA, XFRM_MSG_NEWSA);
	printf("%.3f %.3f %.3f ", states, policies, dump_states);
	printf("%.3f\n", dump(count, XFRM_MSG_GETPOLICY, XFRM_MSG_NEWPOLICY));
	return 0;
}
