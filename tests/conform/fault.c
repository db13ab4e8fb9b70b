// SPDX-License-Identifier: GPL-2.0
/*
 * fault - ipsec-port-conform-fault: our stack with a fault that a test asks for, CONFORM_FAULT
 *
 *   data      one bit of the last byte of about 1 answer in 1,000, whichever its record's bytes say
 *   reason    of the drops, likewise, another reason
 *   count     every 1,000th answer says nothing
 *   part      of several SAs the innermost is named alone
 *   through   does not look at what a packet came out of before
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

static size_t fault_part(const struct ipsp_record *down, struct ipsp_record *up, size_t len)
{
	struct ipsp_answer *answer = (struct ipsp_answer *)(up + 1);

	(void)down;
	if (up->type == IPSP_REC_ANSWER && answer->handles > 1)
		answer->handles = 1;
	return len;
}

static size_t fault_through(struct transform *t, const struct ipsp_record *down, void *up, size_t room)
{
	static uint8_t copy[256 << 10] __attribute__((aligned(64)));
	struct ipsp_packet *p = (struct ipsp_packet *)(copy + sizeof(*down));

	if (down->type != IPSP_REC_UNPROTECT || down->control_len < sizeof(*p) || down->len > sizeof(copy))
		return __real_transform_answer(t, down, up, room);
	memcpy(copy, down, down->len);
	memset(&p->stamp[1], 0, sizeof(p->stamp) - sizeof(p->stamp[0]));
	return __real_transform_answer(t, (const struct ipsp_record *)copy, up, room);
}

size_t __wrap_transform_answer(struct transform *t, const struct ipsp_record *down, void *up, size_t room)
{
	static const struct {
		const char *name;
		size_t (*fault)(const struct ipsp_record *down, struct ipsp_record *up, size_t len);
	} faults[] = { { "data", fault_data }, { "reason", fault_reason }, { "count", fault_count },
		      { "part", fault_part } };
	const char *name = getenv("CONFORM_FAULT");
	size_t i, len;

	if (name && !strcmp(name, "through"))
		return fault_through(t, down, up, room);
	len = __real_transform_answer(t, down, up, room);

	for (i = 0; name && len && len != TRANSFORM_NO_ROOM && i < sizeof(faults) / sizeof(faults[0]); i++)
		if (!strcmp(faults[i].name, name))
			return faults[i].fault(down, up, len);
	return len;
}
