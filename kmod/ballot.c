// SPDX-License-Identifier: GPL-2.0
/* ballot.c - what a stack said, in private memory, and whether another said the same */
#include <linux/mm.h>
#include <linux/slab.h>
#include "ballot.h"

struct ballot *ipsp_ballot_new(const struct said *said)
{
	struct ballot *b = kvmalloc(struct_size(b, data, said->data_len), GFP_KERNEL);

	if (!b)
		return NULL;
	refcount_set(&b->ref, 1);
	b->answer = *said->answer;
	b->acquire = *said->acquire;
	b->data_len = said->data_len;
	b->tickets = said->tickets;
	return b;
}

void ipsp_ballot_put(struct ballot *b)
{
	if (refcount_dec_and_test(&b->ref))
		kvfree(b);
}

/* Fetches each word of `ring` once. Unrolled: most of what a vote costs the kernel is here. */
static bool words_are_equal(const u64 *private, const u64 *ring, u32 count)
{
	u64 differ = 0;

#define DIFFERS(i) (private[i] ^ READ_ONCE(ring[i]))
	for (; count >= 8; count -= 8, private += 8, ring += 8) {
		differ = DIFFERS(0) | DIFFERS(1) | DIFFERS(2) | DIFFERS(3) |
			 DIFFERS(4) | DIFFERS(5) | DIFFERS(6) | DIFFERS(7);
		if (differ)
			return false;
	}
#undef DIFFERS
	while (count--)
		differ |= *private++ ^ READ_ONCE(*ring++);
	return !differ;
}

static bool bytes_are_equal(const u8 *private, const u8 *ring, u32 len)
{
	u32 words = len / 8, i;
	u8 differ = 0;

	if (!words_are_equal((const u64 *)private, (const u64 *)ring, words))
		return false;
	for (i = words * 8; i < len; i++)
		differ |= private[i] ^ READ_ONCE(ring[i]);
	return !differ;
}

bool ipsp_ballot_is_like(const struct ballot *b, const struct said *said)
{
	return b->data_len == said->data_len && b->tickets == said->tickets &&
	       !memcmp(&b->answer, said->answer, sizeof(b->answer)) &&
	       !memcmp(&b->acquire, said->acquire, sizeof(b->acquire));
}

bool ipsp_ballot_holds(const struct ballot *b, const struct said *said)
{
	return bytes_are_equal(b->data, said->data, said->data_len);
}

bool ipsp_ballot_says(const struct ballot *b, const struct said *said)
{
	return ipsp_ballot_is_like(b, said) && ipsp_ballot_holds(b, said);
}
