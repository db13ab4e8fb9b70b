/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xfrm_request.h - one request to the keying agent at a time, built in place as an IKE daemon would
 *
 * The SAs are of 10.9.0.1 to 10.9.0.2; each byte of a key is 0x5a.
 */
#ifndef UNIT_XFRM_REQUEST_H
#define UNIT_XFRM_REQUEST_H

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "daemon/keyd/keyd.h"

static union {
	struct ipsp_xfrm from;
	char bytes[sizeof(struct ipsp_xfrm) + 4096];
} message;
static struct nlmsghdr *head;		/* of what is in the message */

/* The body, zeroed. */
static inline void *xfrm_begin(__u16 type, size_t body)
{
	memset(&message, 0, sizeof(message));
	message.from.type = IPSP_XFRM_REQUEST;
	message.from.portid = 77;
	head = (struct nlmsghdr *)(&message.from + 1);
	head->nlmsg_len = (__u32)nlmsg_size((int)body);
	head->nlmsg_type = type;
	head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	head->nlmsg_seq = 5;
	return nlmsg_data(head);
}

/* Where an attribute's data are to be written. */
static inline void *xfrm_room(int type, size_t size)
{
	struct nlattr *a = (struct nlattr *)((char *)head + NLMSG_ALIGN(head->nlmsg_len));

	a->nla_type = (__u16)type;
	a->nla_len = (__u16)(NLA_HDRLEN + size);
	head->nlmsg_len = NLMSG_ALIGN(head->nlmsg_len) + (__u32)NLA_ALIGN(a->nla_len);
	return a + 1;
}

static inline void xfrm_attribute(int type, const void *data, size_t size)
{
	memcpy(xfrm_room(type, size), data, size);
}

static inline struct xfrm_algo_aead *xfrm_aead(const char *name, unsigned int bits)
{
	struct xfrm_algo_aead *a = xfrm_room(XFRMA_ALG_AEAD, sizeof(*a) + bits / 8);

	snprintf(a->alg_name, sizeof(a->alg_name), "%s", name);
	a->alg_key_len = bits;
	a->alg_icv_len = 128;
	memset(a + 1, 0x5a, bits / 8);
	return a;
}

static inline struct xfrm_usersa_info *xfrm_state(__u16 type, __u32 spi)
{
	struct xfrm_usersa_info *info = xfrm_begin(type, sizeof(*info));

	info->family = AF_INET;
	info->saddr.a4 = htonl(0x0a090001);
	info->id.daddr.a4 = htonl(0x0a090002);
	info->id.proto = IPPROTO_ESP;
	info->id.spi = htonl(spi);
	info->mode = XFRM_MODE_TUNNEL;
	info->lft.hard_byte_limit = info->lft.soft_byte_limit = XFRM_INF;
	info->lft.hard_packet_limit = info->lft.soft_packet_limit = XFRM_INF;
	return info;
}

/* A request that names an SA. */
static inline void xfrm_named(__u16 type, __u32 spi)
{
	struct xfrm_usersa_id *id = xfrm_begin(type, sizeof(*id));

	id->daddr.a4 = htonl(0x0a090002);
	id->family = AF_INET;
	id->proto = IPPROTO_ESP;
	id->spi = htonl(spi);
}

#endif
