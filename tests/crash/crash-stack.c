// SPDX-License-Identifier: GPL-2.0-only
/*
 * crash-stack.c - the product's stack, and a packet that it dies of
 *
 * Linked with --wrap=transform_answer, beside objects that are the product's own; installed by nobody.
 */
#define _GNU_SOURCE
#include <string.h>

#include "ipsec/transform.h"

#define MAGIC "ipsec-port: die here"

size_t __real_transform_answer(struct transform *t, const struct ipsp_record *down, void *up, size_t room);
size_t __wrap_transform_answer(struct transform *t, const struct ipsp_record *down, void *up, size_t room);

size_t __wrap_transform_answer(struct transform *t, const struct ipsp_record *down, void *up, size_t room)
{
	const char *data = (const char *)down + down->data_offset;

	if (down->type == IPSP_REC_PROTECT && memmem(data, down->data_len, MAGIC, sizeof(MAGIC) - 1))
		__builtin_trap();
	return __real_transform_answer(t, down, up, room);
}
