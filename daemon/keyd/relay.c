// SPDX-License-Identifier: GPL-2.0-only
/* relay.c - messages of /dev/ipsec-port/xfrm: requests in, answers and multicasts out */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keyd.h"
#include "words/device.h"

static union {
	struct ipsp_xfrm head;
	_Alignas(8) char bytes[sizeof(struct ipsp_xfrm) + IPSP_XFRM_MAX];
} out;

int relay_open(void)
{
	return device_open(IPSP_XFRM_NAME, O_RDWR | O_CLOEXEC | O_NONBLOCK);
}

/* One whose socket has gone meanwhile is not answered. */
static void relay_write(struct keyd *k, size_t size)
{
	out.head.len = (__u32)(sizeof(out.head) + size);
	if (write(k->relay, out.bytes, out.head.len) < 0 && errno != ENOENT)
		fprintf(stderr, "ipsec-port-keyd: relay, type %u: %s\n", out.head.type, strerror(errno));
	explicit_bzero(out.bytes + sizeof(out.head), size);
}

static size_t relay_copy(struct nl_msg *m)
{
	struct nlmsghdr *head = m ? nlmsg_hdr(m) : NULL;
	size_t size = head && head->nlmsg_len <= IPSP_XFRM_MAX ? head->nlmsg_len : 0;

	if (size) {
		memcpy(out.bytes + sizeof(out.head), head, size);
		explicit_bzero(nlmsg_data(head), (size_t)nlmsg_datalen(head));
	}
	nlmsg_free(m);
	return size;
}

static void relay_head(__u32 type)
{
	memset(&out.head, 0, sizeof(out.head));
	out.head.type = type;
}

void relay_answer(struct request *r, struct nl_msg *m, __u32 flags)
{
	relay_head(IPSP_XFRM_ANSWER);
	out.head.id = r->from->id;
	out.head.flags = flags;
	relay_write(r->k, relay_copy(m));
}

void relay_multicast(struct keyd *k, __u32 group, struct nl_msg *m)
{
	if (!m)
		return;
	relay_head(IPSP_XFRM_MULTICAST);
	out.head.group = group;
	relay_write(k, relay_copy(m));
}

void relay_part(struct request *r, const void *data, size_t size, __u32 flags,
		const uint64_t cursor[2], int error)
{
	relay_head(IPSP_XFRM_PART);
	out.head.id = r->from->id;
	out.head.flags = flags;
	out.head.error = error;
	memcpy(out.head.cursor, cursor, sizeof(out.head.cursor));
	memcpy(out.bytes + sizeof(out.head), data, size);
	relay_write(r->k, size);
}

void relay_readable(struct keyd *k)
{
	ssize_t got = read(k->relay, hand_message(k), sizeof(k->store->hand.bytes));

	if (got < (ssize_t)sizeof(struct ipsp_xfrm)) {
		k->over = got >= 0 || (errno != EAGAIN && errno != EINTR);
		return;
	}
	request_serve(k, hand_message(k));
}
