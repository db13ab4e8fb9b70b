// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_selector - the classifier: selectors, the protect list, the SPD, against one written bit by bit
 *
 * The input is a tuple and policies behind it, as many as there are. Those that configuration may write down are put
 * into an SPD one by one; what it then finds for the tuple must be the first by priority, then age, of those that match.
 */
#include "ipsec/arena.h"
#include "ipsec/spd.h"
#include "tests/fuzz/fuzz.h"

#define ENTRIES_MAX 16

struct entry {				/* of the input */
	struct ipsp_selector selector;
	uint8_t direction, priority, index, operation;
};

struct world {
	struct ipsp_policy_entry entry[ENTRIES_MAX];
	unsigned int count;
};

/* ---- bit by bit ------------------------------------------------------------------------------------ */

static int bits_are_equal(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int i;

	for (i = 0; i < bits; i++)
		if ((a[i / 8] ^ b[i / 8]) & (0x80u >> i % 8))
			return 0;
	return 1;
}

static int is_within(unsigned int value, unsigned int first, unsigned int last)
{
	return first <= value && value <= last;
}

static int ports_match(const struct ipsp_selector *s, const struct ipsp_tuple *t)
{
	if (t->has_ports)
		return is_within(t->source_port, s->source_first, s->source_last) &&
		       is_within(t->destination_port, s->destination_first, s->destination_last);
	return s->source_first == 0 && s->source_last == 65535 && s->destination_first == 0 &&
	       s->destination_last == 65535;
}

static int matches(const struct ipsp_selector *s, const struct ipsp_tuple *t)
{
	return (s->family == 0 || s->family == t->family) &&
	       (s->protocol == 0 || s->protocol == t->protocol) &&
	       (s->ifindex == 0 || s->ifindex == t->ifindex) && (s->if_id == 0 || s->if_id == t->if_id) &&
	       (t->mark & s->mark_mask) == (s->mark & s->mark_mask) &&
	       bits_are_equal(t->source, s->source, s->source_prefix) &&
	       bits_are_equal(t->destination, s->destination, s->destination_prefix) && ports_match(s, t);
}

/* ---- a list in the order of its making ------------------------------------------------------------- */

static void world_delete(struct world *w, uint32_t index)
{
	unsigned int i;

	for (i = 0; i < w->count; i++)
		if (w->entry[i].protect.index == index) {
			w->count--;
			memmove(&w->entry[i], &w->entry[i + 1], (w->count - i) * sizeof(w->entry[0]));
			return;
		}
}

static void world_change(struct world *w, uint32_t operation, const struct ipsp_policy_entry *e)
{
	if (operation == IPSP_POLICY_REPLACE)
		w->count = 0;
	world_delete(w, e->protect.index);
	if (operation != IPSP_POLICY_DELETE)
		w->entry[w->count++] = *e;
}

static const struct ipsp_policy_entry *world_find(const struct world *w, const struct ipsp_tuple *t)
{
	const struct ipsp_policy_entry *best = NULL, *e;

	for (e = w->entry; e < w->entry + w->count; e++)
		if (e->protect.direction == t->direction && matches(&e->protect.selector, t) &&
		    (!best || e->protect.priority < best->protect.priority))
			best = e;
	return best;
}

/* ---- the two of them ------------------------------------------------------------------------------- */

static void judge(const struct spd *spd, const struct world *w, const struct ipsp_tuple *t)
{
	const struct ipsp_policy_entry *found = spd_find(spd, t), *wanted = world_find(w, t);

	fuzz_check(spd->count == w->count);
	fuzz_check(!found == !wanted);
	fuzz_check(!found || !memcmp(found, wanted, sizeof(*found)));
}

static void step(struct spd *spd, struct world *w, const struct entry *in, const struct ipsp_tuple *t)
{
	struct ipsp_policy policy = { .operation = in->operation % 3u, .count = 1 };
	struct ipsp_policy_entry e;

	if (!ipsp_selector_is_valid(&in->selector))
		return;
	memset(&e, 0, sizeof(e));
	e.protect.selector = in->selector;
	e.protect.direction = in->direction % 3u;
	e.protect.priority = in->priority % 4u;
	e.protect.index = in->index % 8u;
	fuzz_check(!spd_change(spd, &policy, &e));
	world_change(w, policy.operation, &e);
	judge(spd, w, t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[1 << 16] __attribute__((aligned(64)));
	static struct world w;
	struct ipsp_tuple *t = malloc(sizeof(*t));	/* on the heap: ASan guards both ends */
	struct arena arena;
	struct entry in;
	struct spd spd;

	fuzz_check(t != NULL);
	arena_init(&arena, memory, sizeof(memory));
	fuzz_check(!spd_init(&spd, &arena, ENTRIES_MAX));
	w.count = 0;
	if (size >= sizeof(*t)) {
		memcpy(t, data, sizeof(*t));
		t->direction %= 3;
		for (data += sizeof(*t), size -= sizeof(*t); size >= sizeof(in); data += sizeof(in), size -= sizeof(in)) {
			memcpy(&in, data, sizeof(in));
			step(&spd, &w, &in, t);
		}
	}
	free(t);
	return 0;
}
