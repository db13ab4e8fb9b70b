// SPDX-License-Identifier: GPL-2.0
/*
 * alike.c - what is chosen by chance or by the clock, as such: indices of policies, SPIs, times, the port's own number
 *
 * The n-th index that a run gives out is named n, whatever it is; so is an SPI of the range that leaves a choice. Times of
 * now are 1. The rest stays as it is.
 */
#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "differ.h"

#define ALIKE_INDEX	0x7f000000u

static uint32_t learned_name(uint32_t *list, unsigned int *count, uint32_t value, bool learn)
{
	unsigned int i;

	for (i = 0; i < *count; i++)
		if (list[i] == value)
			return i + 1;
	if (!learn || *count == LEARNED_MAX)
		return 0;
	list[(*count)++] = value;
	return *count;
}

static void alike_index(uint32_t *index, struct learned *l, bool learn)
{
	uint32_t name = *index ? learned_name(l->index, &l->indices, *index, learn) : 0;

	if (name)
		*index = ALIKE_INDEX | name << 3 | (*index & 7);
}

static void alike_spi(__be32 *spi, struct learned *l, bool learn)
{
	uint32_t value = ntohl(*spi), name;

	if (value < SPI_RANDOM || value > SPI_RANDOM + 0xfffff)
		return;
	name = learned_name(l->spi, &l->spis, value, learn);
	if (name)
		*spi = htonl(SPI_RANDOM | name);
}

static void alike_time(__u64 *t)
{
	__u64 now = (__u64)time(NULL);

	if (*t > now - 1000000 && *t < now + 1000000)
		*t = 1;
}

static void alike_use(struct xfrm_lifetime_cur *c)
{
	alike_time(&c->add_time);
	alike_time(&c->use_time);
}

static void alike_sa(struct xfrm_usersa_info *info, struct learned *l, bool learn)
{
	alike_spi(&info->id.spi, l, learn);
	alike_use(&info->curlft);
}

static void alike_policy(struct xfrm_userpolicy_info *p, struct learned *l, bool learn)
{
	alike_index(&p->index, l, learn);
	alike_use(&p->curlft);
}

static void alike_body(struct nlmsghdr *head, struct learned *l, bool learn)
{
	void *body = NLMSG_DATA(head);

	switch (head->nlmsg_type) {
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA:
	case XFRM_MSG_ALLOCSPI:
	case XFRM_MSG_EXPIRE:
		alike_sa(body, l, learn);
		break;
	case XFRM_MSG_DELSA:
	case XFRM_MSG_GETSA:
	case XFRM_MSG_NEWAE:
	case XFRM_MSG_GETAE:
		alike_spi(&((struct xfrm_usersa_id *)body)->spi, l, learn);
		break;
	case XFRM_MSG_NEWPOLICY:
	case XFRM_MSG_UPDPOLICY:
	case XFRM_MSG_POLEXPIRE:
		alike_policy(body, l, learn);
		break;
	case XFRM_MSG_DELPOLICY:
	case XFRM_MSG_GETPOLICY:
		alike_index(&((struct xfrm_userpolicy_id *)body)->index, l, learn);
		break;
	case XFRM_MSG_ACQUIRE:
		((struct xfrm_user_acquire *)body)->seq = 0;
		alike_policy(&((struct xfrm_user_acquire *)body)->policy, l, false);
		break;
	}
}

/* Attributes are not aligned for 64 bits: they are changed in a copy. */
static void alike_attributes(struct nlmsghdr *head, struct learned *l, bool learn)
{
	size_t body = message_body(head->nlmsg_type);
	struct nlattr *a = message_find(head, body, XFRMA_LTIME_VAL, sizeof(struct xfrm_lifetime_cur));
	struct xfrm_userpolicy_info policy;
	struct xfrm_lifetime_cur use;
	struct xfrm_usersa_info sa;

	if (a) {
		memcpy(&use, a + 1, sizeof(use));
		alike_use(&use);
		memcpy(a + 1, &use, sizeof(use));
	}
	a = head->nlmsg_type == XFRM_MSG_DELSA ? message_find(head, body, XFRMA_SA, sizeof(sa)) : NULL;
	if (a) {
		memcpy(&sa, a + 1, sizeof(sa));
		alike_sa(&sa, l, learn);
		memcpy(a + 1, &sa, sizeof(sa));
	}
	a = head->nlmsg_type == XFRM_MSG_DELPOLICY ? message_find(head, body, XFRMA_POLICY, sizeof(policy)) : NULL;
	if (a) {
		memcpy(&policy, a + 1, sizeof(policy));
		alike_policy(&policy, l, learn);
		memcpy(a + 1, &policy, sizeof(policy));
	}
}

void alike(struct nlmsghdr *head, struct learned *l, bool learn)
{
	size_t body = message_body(head->nlmsg_type);

	if (!body || head->nlmsg_len < NLMSG_LENGTH(body) || head->nlmsg_len > 1u << 20)
		return;
	alike_body(head, l, learn);
	alike_attributes(head, l, learn);
}
