// SPDX-License-Identifier: GPL-2.0-only
/*
 * crash-stack.c - the product's stack, with a packet that it dies of, and one that it protects wrong
 *
 * Linked with --wrap=transform_answer, beside objects that are the product's own; installed by nobody.
 */
#define _GNU_SOURCE
#include <string.h>

#include "ipsec/transform.h"

#define DIE "ipsec-port: die here"
#define LIE "ipsec-port: lie here"

size_t __real_transform_answer(struct transform *t, const struct ipsp_record *down, void *up, size_t room);
size_t __wrap_transform_answer(struct transform *t, const struct ipsp_record *down, void *up, size_t room);

static int holds(const struct ipsp_record *down, const char *magic)
{
	return down->type == IPSP_REC_PROTECT &&
	       memmem((const char *)down + down->data_offset, down->data_len, magic, strlen(magic));
}

/* One bit of the ICV: the kernel cannot know. */
static void spoil(struct ipsp_record *up)
{
	if (up->type == IPSP_REC_ANSWER && up->data_len)
		((char *)up)[up->data_offset + up->data_len - 1] ^= 1;
}

size_t __wrap_transform_answer(struct transform *t, const struct ipsp_record *down, void *up, size_t room)
{
	const int lies = holds(down, LIE);
	size_t length;

	if (holds(down, DIE))
		__builtin_trap();
	length = __real_transform_answer(t, down, up, room);
	if (lies) {
		transform_flush(t);
		spoil(up);
	}
	return length;
}
