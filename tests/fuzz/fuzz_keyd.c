// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_keyd.c - whatever an XFRM socket may say to the keying agent
 *
 * The input is a row of messages: type, flags, a length, so many bytes. Types and attributes
 * are taken into the range that is known. The manager takes all, or refuses each third.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/keyd/keyd.h"

static unsigned int asked;

void compartment_word(struct compartment_words *w, const char *format, ...)
{
	(void)format;
	w->count++;
}

int opener_ask(struct keyd *k, const struct keyd_compartment *c)
{
	(void)k;
	(void)c;
	return -1;
}

int compartment_ask(struct keyd *k, const char *name, struct compartment_words *w, __u32 flags,
		    const char **text)
{
	if (!compartments_find(k, name))
		abort();
	(void)w;
	(void)flags;
	if (text)
		*text = "{\"dir\":\"in\",\"next\":7,\"packets\":3,\"bytes\":4,\"peer\":\"10.9.0.7\",\"peer-port\":4502}";
	return asked++ % 3 == 2 ? -ENOSYS : 0;
}

void relay_answer(struct request *r, struct nl_msg *m, __u32 flags)
{
	(void)r;
	(void)flags;
	if (m && nlmsg_hdr(m)->nlmsg_len > IPSP_XFRM_MAX)
		abort();
	nlmsg_free(m);
}

void relay_multicast(struct keyd *k, __u32 group, struct nl_msg *m)
{
	(void)k;
	(void)group;
	nlmsg_free(m);
}

void relay_part(struct request *r, const void *data, size_t size, __u32 flags, const uint64_t cursor[2],
		int error)
{
	(void)data;
	(void)error;
	if (size > r->from->room || ((flags & IPSP_XFRMF_MORE) && cursor[0] == r->from->cursor[0] && size))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_message(struct keyd *k, const uint8_t *data, size_t size)
{
	static union {
		struct ipsp_xfrm from;
		char bytes[sizeof(struct ipsp_xfrm) + 4096];
	} m;
	struct nlmsghdr *head = (struct nlmsghdr *)(&m.from + 1);

	memset(&m, 0, sizeof(m));
	m.from.type = data[1] & 1 ? IPSP_XFRM_DUMP : IPSP_XFRM_REQUEST;
	m.from.room = 3800;
	head->nlmsg_len = (__u32)(sizeof(*head) + size - 4);
	head->nlmsg_type = (__u16)(XFRM_MSG_BASE + data[0] % 42);
	head->nlmsg_flags = NLM_F_REQUEST | (__u16)(data[1] << 8);
	memcpy(head + 1, data + 4, size - 4);
	request_serve(k, &m.from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct keyd k = { .labels = true };
	size_t length;
	char path[64];

	if (!k.store) {
		compartments_add(&k, "blue");
		compartments_add(&k, "green");
		k.place[k.places++] = (struct keyd_place){ .mark = 1, .mask = 1, .compartment = "green" };
		snprintf(path, sizeof(path), "/dev/shm/fuzz_keyd.%d", getpid());
		if (store_open(&k, path))
			abort();
		unlink(path);
	}
	asked = 0;
	while (size >= 4) {
		length = 4 + (size_t)(data[2] | (data[3] & 7) << 8);
		if (length > size)
			length = size;
		one_message(&k, data, length);
		data += length;
		size -= length;
	}
	while (k.store->sas)
		store_free_sa(&k, store_next_sa(&k, 0));
	while (k.store->policies)
		store_free_policy(&k, store_next_policy(&k, 0));
	return 0;
}
