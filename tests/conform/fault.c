// SPDX-License-Identifier: GPL-2.0
/*
 * fault - ipsec-port-conform-fault: our stack with a fault that a test asks for, CONFORM_FAULT
 *
 *   data      one bit of the last byte of about 1 answer in 1,000, whichever its record's bytes say
 *   reason    of the drops, likewise, another reason
 *   count     every 1,000th answer says nothing
 *   nothing   behaves
 *
 * The linker puts it between the program and transform_answer().
 */
#include <stdlib.h>
#include <string.h>

#include "ipsec/transform.h"

size_t __real_transform_answer(struct transform *t, const struct ipsp_record *down, void *up, size_t room);
size_t __wrap_transform_answer(struct transform *t, const struct ipsp_record *down, void *up, size_t room);

/* FNV-1a: the same record always is the one. */
static int fault_is_due(const struct ipsp_record *down)
{
	const uint8_t *at = (const uint8_t *)down;
	uint32_t i, hash = 2166136261u;

	for (i = 0; i < down->len; i++)
		hash = (hash ^ at[i]) * 16777619u;
	return (hash >> 8) % 1000 == 0;
}

static size_t fault_data(const struct ipsp_record *down, struct ipsp_record *up, size_t len)
{
	if (up->data_len && fault_is_due(down))
		((uint8_t *)up)[up->data_offset + up->data_len - 1] ^= 1;
	return len;
}

static size_t fault_reason(const struct ipsp_record *down, struct ipsp_record *up, size_t len)
{
	struct ipsp_answer *answer = (struct ipsp_answer *)(up + 1);

	if (answer->verdict == IPSP_VERDICT_DROP && fault_is_due(down))
		answer->reason = IPSP_DROP_TTL;
	return len;
}

static size_t fault_count(const struct ipsp_record *down, struct ipsp_record *up, size_t len)
{
	static uint32_t count;

	(void)down;
	(void)up;
	return ++count % 1000 ? len : 0;
}

size_t __wrap_transform_answer(struct transform *t, const struct ipsp_record *down, void *up, size_t room)
{
	static const struct {
		const char *name;
		size_t (*fault)(const struct ipsp_record *down, struct ipsp_record *up, size_t len);
	} faults[] = { { "data", fault_data }, { "reason", fault_reason }, { "count", fault_count } };
	size_t i, len = __real_transform_answer(t, down, up, room);
	const char *name = getenv("CONFORM_FAULT");

	for (i = 0; name && len && len != TRANSFORM_NO_ROOM && i < sizeof(faults) / sizeof(faults[0]); i++)
		if (!strcmp(faults[i].name, name))
			return faults[i].fault(down, up, len);
	return len;
}
