// SPDX-License-Identifier: GPL-2.0
/*
 * player.c - sends to whom XFRM netlink leads, and keeps what comes back
 *
 * Two sockets: one asks, one listens to all groups. What an answered request told is with the listener before the answer is.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "differ.h"

#define SOL_NETLINK_	270
#define PATIENCE	5000			/* ms, for an answer that must come */
#define SENTINEL	0x40000000u		/* the sequence number of a request that asks only whether all is told */

static int asking, listening;
static uint32_t asking_port;
static struct learned learned;
static _Alignas(8) unsigned char room[1 << 17];

struct learned *player_learned(void)
{
	return &learned;
}

static int player_socket(unsigned int groups, uint32_t *port)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM), size = 1 << 22, group;
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	socklen_t length = sizeof(address);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    getsockname(fd, (struct sockaddr *)&address, &length))
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	for (group = 1; group <= (int)groups; group++)
		if (setsockopt(fd, SOL_NETLINK_, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
			return -1;
	*port = address.nl_pid;
	return fd;
}

bool player_open(void)
{
	uint32_t unused;

	asking = player_socket(0, &asking_port);
	listening = player_socket(XFRMNLGRP_MAPPING, &unused);
	if (asking < 0 || listening < 0)
		perror("NETLINK_XFRM");
	return asking >= 0 && listening >= 0;
}

static void player_write(const void *data, size_t size)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	while (sendto(asking, data, size, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0) {
		if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
			continue;
		perror("sendto");
		exit(2);
	}
}

/* ---- what comes back ------------------------------------------------------------------------------ */

static void player_heard(struct nlmsghdr *head, enum said said, unsigned int group)
{
	if (head->nlmsg_pid == asking_port)
		head->nlmsg_pid = 1;
	alike(head, &learned, true);
	script_say(said, group, head, head->nlmsg_len);
}

/* One message; true: it was the last one of the request with this number */
static bool player_take(struct nlmsghdr *head, uint32_t seq)
{
	const int *error = NLMSG_DATA(head);
	bool is_last = head->nlmsg_type == NLMSG_ERROR || head->nlmsg_type == NLMSG_DONE;

	if (head->nlmsg_seq == SENTINEL && seq != SENTINEL)
		return false;				/* of an earlier one */
	if (head->nlmsg_seq != SENTINEL) {
		if (is_last)
			script_say(SAID_ERROR, head->nlmsg_type, error, sizeof(*error));
		else
			player_heard(head, SAID_ANSWER, 0);
	}
	return is_last && head->nlmsg_seq == seq;
}

static bool player_waits(int patience)
{
	struct pollfd p = { .fd = asking, .events = POLLIN };

	return poll(&p, 1, patience) == 1;
}

static void player_answers(uint32_t seq)
{
	struct nlmsghdr *head;
	bool is_over = false;
	ssize_t got;
	int left;

	while (!is_over) {
		if (!player_waits(PATIENCE)) {
			script_say(SAID_SILENCE, 0, NULL, 0);
			return;
		}
		got = recv(asking, room, sizeof(room), 0);
		left = (int)got;
		for (head = (struct nlmsghdr *)room; got > 0 && NLMSG_OK(head, (unsigned int)left); head = NLMSG_NEXT(head, left))
			is_over |= player_take(head, seq);
	}
}

static void player_events(void)
{
	struct sockaddr_nl from;
	socklen_t length = sizeof(from);
	struct nlmsghdr *head = (struct nlmsghdr *)room;
	ssize_t got;

	while ((got = recvfrom(listening, room, sizeof(room), MSG_DONTWAIT, (struct sockaddr *)&from, &length)) > 0) {
		player_heard(head, SAID_EVENT, from.nl_groups);
		length = sizeof(from);
	}
	if (got < 0 && errno != EAGAIN)
		script_say(SAID_SILENCE, (unsigned int)errno, NULL, 0);
}

/* ---- what is asked -------------------------------------------------------------------------------- */

static void player_sentinel(void)
{
	struct {
		struct nlmsghdr head;
		struct xfrm_userpolicy_default body;
	} m = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(m.body)), .nlmsg_type = XFRM_MSG_GETDEFAULT, .nlmsg_seq = SENTINEL,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK } };

	player_write(&m, NLMSG_LENGTH(sizeof(m.body)));
	player_answers(SENTINEL);
}

/* It ends with a message of its own, some time after what is asked behind it was answered. */
static bool player_is_dump(const struct nlmsghdr *head)
{
	return (head->nlmsg_type == XFRM_MSG_GETSA || head->nlmsg_type == XFRM_MSG_GETPOLICY) && head->nlmsg_len >= NLMSG_HDRLEN &&
	       head->nlmsg_len <= MESSAGE_MAX && (head->nlmsg_flags & NLM_F_DUMP) && (head->nlmsg_flags & NLM_F_REQUEST);
}

/* A length that is a lie is not that of what is sent. */
void player_send(struct maker *k)
{
	static struct maker copy;
	size_t size = k->m.head.nlmsg_len;

	if (size < NLMSG_HDRLEN || size > MESSAGE_MAX)
		size = 200;
	copy.m = k->m;
	alike(&copy.m.head, &learned, false);
	script_say(SAID_REQUEST, 0, copy.m.bytes, size);
	player_write(k->m.bytes, size);
	if (k->m.may_be_silent && !player_is_dump(&k->m.head))
		player_sentinel();
	else
		player_answers(k->m.head.nlmsg_seq);
	player_events();
}

static void player_quietly(struct maker *k)
{
	player_write(k->m.bytes, k->m.head.nlmsg_len);
	player_sentinel();
}

void player_begin(uint32_t number)
{
	static struct maker k;
	struct xfrm_userpolicy_type type = { 0 };
	struct xfrm_userpolicy_default *d;
	struct xfrm_usersa_flush *f;

	f = message_begin(&k, XFRM_MSG_FLUSHSA, sizeof(*f));
	k.m.head.nlmsg_seq = SENTINEL;
	k.m.head.nlmsg_flags = NLM_F_REQUEST;
	f->proto = 0;
	player_quietly(&k);
	for (type.type = XFRM_POLICY_TYPE_MAIN; type.type <= XFRM_POLICY_TYPE_SUB; type.type++) {
		message_begin(&k, XFRM_MSG_FLUSHPOLICY, 0);
		message_attribute(&k, XFRMA_POLICY_TYPE, &type, sizeof(type));
		k.m.head.nlmsg_seq = SENTINEL;
		k.m.head.nlmsg_flags = NLM_F_REQUEST;
		player_quietly(&k);
	}
	message_begin(&k, XFRM_MSG_NEWSPDINFO, sizeof(uint32_t));
	message_attribute(&k, XFRMA_SPD_IPV4_HTHRESH, &(struct xfrmu_spdhthresh){ 32, 32 }, sizeof(struct xfrmu_spdhthresh));
	message_attribute(&k, XFRMA_SPD_IPV6_HTHRESH, &(struct xfrmu_spdhthresh){ 128, 128 }, sizeof(struct xfrmu_spdhthresh));
	k.m.head.nlmsg_seq = SENTINEL;
	k.m.head.nlmsg_flags = NLM_F_REQUEST;
	player_quietly(&k);
	d = message_begin(&k, XFRM_MSG_SETDEFAULT, sizeof(*d));
	k.m.head.nlmsg_seq = SENTINEL;
	k.m.head.nlmsg_flags = NLM_F_REQUEST;
	d->in = d->fwd = d->out = XFRM_USERPOLICY_ACCEPT;
	player_quietly(&k);
	while (recv(listening, room, sizeof(room), MSG_DONTWAIT) > 0)
		;
	memset(&learned, 0, sizeof(learned));
	script_say(SAID_SEQUENCE, 0, &number, sizeof(number));
}
