// SPDX-License-Identifier: GPL-2.0
/* message.c - netlink messages: a head, a body, attributes */
#include <string.h>

#include "differ.h"

void *message_begin(struct maker *k, uint16_t type, size_t body)
{
	memset(k->m.bytes, 0, NLMSG_LENGTH(body));
	k->m.head.nlmsg_type = type;
	k->m.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	k->m.head.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
	return NLMSG_DATA(&k->m.head);
}

void *message_attribute(struct maker *k, uint16_t type, const void *data, size_t size)
{
	unsigned int at = NLMSG_ALIGN(k->m.head.nlmsg_len);
	struct nlattr *a = (struct nlattr *)(k->m.bytes + at);

	if (at + NLA_HDRLEN + NLA_ALIGN(size) > MESSAGE_MAX)
		return NULL;
	memset(a, 0, NLA_HDRLEN + NLA_ALIGN(size));
	a->nla_type = type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + size);
	if (data)
		memcpy(a + 1, data, size);
	k->m.head.nlmsg_len = (uint32_t)(at + NLA_HDRLEN + NLA_ALIGN(size));
	return a + 1;
}

void message_attribute_u32(struct maker *k, uint16_t type, uint32_t value)
{
	message_attribute(k, type, &value, sizeof(value));
}

/* The last of its type, as the kernel's parser has it. */
struct nlattr *message_find(const struct nlmsghdr *head, size_t body, uint16_t type, size_t least)
{
	const unsigned char *at = (const unsigned char *)head + NLMSG_ALIGN(NLMSG_LENGTH(body));
	const unsigned char *end = (const unsigned char *)head + head->nlmsg_len;
	struct nlattr *found = NULL;

	while (at + NLA_HDRLEN <= end) {
		struct nlattr *a = (struct nlattr *)at;

		if (a->nla_len < NLA_HDRLEN || a->nla_len > end - at)
			break;
		if ((a->nla_type & NLA_TYPE_MASK) == type && a->nla_len >= NLA_HDRLEN + least)
			found = a;
		at += NLA_ALIGN(a->nla_len);
	}
	return found;
}

size_t message_body(unsigned int type)
{
	static const size_t size[] = {
		[XFRM_MSG_NEWSA - XFRM_MSG_BASE] = sizeof(struct xfrm_usersa_info),
		[XFRM_MSG_UPDSA - XFRM_MSG_BASE] = sizeof(struct xfrm_usersa_info),
		[XFRM_MSG_DELSA - XFRM_MSG_BASE] = sizeof(struct xfrm_usersa_id),
		[XFRM_MSG_GETSA - XFRM_MSG_BASE] = sizeof(struct xfrm_usersa_id),
		[XFRM_MSG_FLUSHSA - XFRM_MSG_BASE] = sizeof(struct xfrm_usersa_flush),
		[XFRM_MSG_ALLOCSPI - XFRM_MSG_BASE] = sizeof(struct xfrm_userspi_info),
		[XFRM_MSG_EXPIRE - XFRM_MSG_BASE] = sizeof(struct xfrm_user_expire),
		[XFRM_MSG_NEWAE - XFRM_MSG_BASE] = sizeof(struct xfrm_aevent_id),
		[XFRM_MSG_GETAE - XFRM_MSG_BASE] = sizeof(struct xfrm_aevent_id),
		[XFRM_MSG_NEWPOLICY - XFRM_MSG_BASE] = sizeof(struct xfrm_userpolicy_info),
		[XFRM_MSG_UPDPOLICY - XFRM_MSG_BASE] = sizeof(struct xfrm_userpolicy_info),
		[XFRM_MSG_DELPOLICY - XFRM_MSG_BASE] = sizeof(struct xfrm_userpolicy_id),
		[XFRM_MSG_GETPOLICY - XFRM_MSG_BASE] = sizeof(struct xfrm_userpolicy_id),
		[XFRM_MSG_POLEXPIRE - XFRM_MSG_BASE] = sizeof(struct xfrm_user_polexpire),
		[XFRM_MSG_ACQUIRE - XFRM_MSG_BASE] = sizeof(struct xfrm_user_acquire),
		[XFRM_MSG_MIGRATE - XFRM_MSG_BASE] = sizeof(struct xfrm_userpolicy_id),
		[XFRM_MSG_NEWSADINFO - XFRM_MSG_BASE] = sizeof(uint32_t),
		[XFRM_MSG_GETSADINFO - XFRM_MSG_BASE] = sizeof(uint32_t),
		[XFRM_MSG_NEWSPDINFO - XFRM_MSG_BASE] = sizeof(uint32_t),
		[XFRM_MSG_GETSPDINFO - XFRM_MSG_BASE] = sizeof(uint32_t),
		[XFRM_MSG_SETDEFAULT - XFRM_MSG_BASE] = sizeof(struct xfrm_userpolicy_default),
		[XFRM_MSG_GETDEFAULT - XFRM_MSG_BASE] = sizeof(struct xfrm_userpolicy_default),
	};
	unsigned int i = type - XFRM_MSG_BASE;

	return type >= XFRM_MSG_BASE && i < sizeof(size) / sizeof(size[0]) ? size[i] : 0;
}
