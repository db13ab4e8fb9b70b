// SPDX-License-Identifier: GPL-2.0
/*
 * counter.c - sequence numbers belong to the key, not to the handle
 *
 * A counter is found by the keyed hash of algorithm and key. While handles use it, it is
 * a struct counter; when the last one goes, its name and number stay as a 32-byte
 * tombstone as long as the module lives, and only rise. So no crash, deletion or re-add
 * can use a number twice or accept a replay.
 */
#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include "handle.h"
#include "stats.h"
#include "window.h"

#define TOMBSTONES_MAX	65536
#define TOMBSTONE_NAME	16		/* bytes of the name that tell keys apart */

struct counter {
	struct hlist_node node;		/* protected by counter_mutex */
	refcount_t ref;
	u8 name[IPSP_COUNTER_LEN];
	spinlock_t lock;		/* protects all below; bottom halves off */
	bool esn;
	u64 next;			/* outbound */
	u64 ceiling;			/* outbound: last number that may be used */
	struct window window;		/* inbound; bits NULL: no replay check */
};

struct tombstone {			/* 32 bytes */
	struct tombstone *next;
	u8 name[TOMBSTONE_NAME];
	u64 number;			/* outbound: next; inbound: highest seen */
};

static DEFINE_MUTEX(counter_mutex);	/* protects both tables */
static DEFINE_HASHTABLE(counter_table, 10);
static struct tombstone *tombstone_table[1024];
static u32 tombstones;
static u8 counter_hash_key[IPSP_HASH_KEY_LEN];

/* The name is a keyed hash already: its first bytes are as good as any. */
static u32 name_hash(const u8 *name)
{
	u32 hash;

	memcpy(&hash, name, sizeof(hash));
	return hash;
}

const u8 *ipsp_counter_hash_key(void)
{
	return counter_hash_key;
}

/* ---- tombstones ----------------------------------------------------------------------- */

static struct tombstone **tombstone_find(const u8 *name)
{
	struct tombstone **p = &tombstone_table[name_hash(name) % ARRAY_SIZE(tombstone_table)];

	lockdep_assert_held(&counter_mutex);
	while (*p && memcmp((*p)->name, name, TOMBSTONE_NAME))
		p = &(*p)->next;
	return p;
}

/* Made when the counter is, so that its end cannot fail. */
static struct tombstone *tombstone_get(const u8 *name)
{
	struct tombstone **p = tombstone_find(name), *t = *p;

	if (t)
		return t;
	if (tombstones >= TOMBSTONES_MAX)
		return ERR_PTR(-ENOSPC);
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return ERR_PTR(-ENOMEM);
	memcpy(t->name, name, TOMBSTONE_NAME);
	*p = t;
	tombstones++;
	return t;
}

/* ---- counters --------------------------------------------------------------------------- */

static struct counter *counter_find(const u8 *name)
{
	struct counter *n;

	lockdep_assert_held(&counter_mutex);
	hash_for_each_possible(counter_table, n, node, name_hash(name))
		if (!memcmp(n->name, name, IPSP_COUNTER_LEN))
			return n;
	return NULL;
}

static int counter_window(struct window *w, u32 size, u64 seen)
{
	if (!size)
		return 0;
	w->size = size;
	w->words = roundup_pow_of_two(size / WINDOW_WORD + 2);
	w->bits = kcalloc(w->words, sizeof(*w->bits), GFP_KERNEL_ACCOUNT);
	if (!w->bits)
		return -ENOMEM;
	if (seen)
		window_fill(w, seen);
	return 0;
}

static u64 counter_most(bool esn)
{
	return esn ? U64_MAX : U32_MAX;
}

static struct counter *counter_new(const u8 *name, u64 next, u64 ceiling, bool esn, u32 window)
{
	struct tombstone *t = tombstone_get(name);
	struct counter *n;

	BUILD_BUG_ON(sizeof(struct tombstone) != 32);
	if (IS_ERR(t))
		return ERR_CAST(t);
	n = kzalloc(sizeof(*n), GFP_KERNEL_ACCOUNT);
	if (!n || counter_window(&n->window, window, t->number)) {
		kfree(n);
		return ERR_PTR(-ENOMEM);
	}
	refcount_set(&n->ref, 1);
	spin_lock_init(&n->lock);
	memcpy(n->name, name, sizeof(n->name));
	n->esn = esn;
	n->next = max3(next, t->number, 1ull);
	n->ceiling = ceiling ? min(ceiling, counter_most(esn)) : counter_most(esn);
	hash_add(counter_table, &n->node, name_hash(name));
	ipsp_stats_made();
	return n;
}

struct counter *ipsp_counter_get(const u8 *name, u64 next, u64 ceiling, bool esn, u32 window)
{
	struct counter *n;

	mutex_lock(&counter_mutex);
	n = counter_find(name);
	if (n)
		refcount_inc(&n->ref);
	else
		n = counter_new(name, next, ceiling, esn, window);
	mutex_unlock(&counter_mutex);
	return n;
}

/* Process context: the last handle of a key ends under its compartment's mutex or in a
 * work, see ipsp_handle_put. */
void ipsp_counter_put(struct counter *n)
{
	struct tombstone *t;

	mutex_lock(&counter_mutex);
	if (!refcount_dec_and_test(&n->ref)) {
		mutex_unlock(&counter_mutex);
		return;
	}
	t = *tombstone_find(n->name);
	t->number = max(t->number, n->window.bits ? n->window.top : n->next);
	hash_del(&n->node);
	mutex_unlock(&counter_mutex);
	kfree(n->window.bits);
	kfree_sensitive(n);
	ipsp_stats_freed();
}

int ipsp_counter_raise(struct counter *n, u64 next, u64 ceiling)
{
	int err = 0;

	spin_lock_bh(&n->lock);
	if (ceiling > counter_most(n->esn))
		err = -ERANGE;
	if (!err && next > n->next)
		n->next = next;
	if (!err && ceiling > n->ceiling)
		n->ceiling = ceiling;
	spin_unlock_bh(&n->lock);
	return err;
}

u64 ipsp_counter_next(struct counter *n)
{
	u64 number;

	spin_lock_bh(&n->lock);
	number = n->window.bits ? n->window.top : n->next;
	spin_unlock_bh(&n->lock);
	return number;
}

/* next stays above the ceiling's last number without wrapping: both are at most 2^64 - 1. */
bool ipsp_counter_take(struct counter *n, u32 count, u64 *first)
{
	bool ok;

	spin_lock_bh(&n->lock);
	ok = n->next <= n->ceiling && n->ceiling - n->next >= count - 1 &&
	     n->next + count > n->next;
	if (ok) {
		*first = n->next;
		n->next += count;
	}
	spin_unlock_bh(&n->lock);
	return ok;
}

u64 ipsp_counter_infer(struct counter *n, u32 wire)
{
	u64 number = wire;

	spin_lock_bh(&n->lock);
	if (n->esn && n->window.bits)
		number = window_infer(&n->window, wire);
	spin_unlock_bh(&n->lock);
	return number;
}

bool ipsp_counter_check(struct counter *n, u64 number)
{
	bool ok;

	spin_lock_bh(&n->lock);
	ok = !n->window.bits || window_check(&n->window, number);
	spin_unlock_bh(&n->lock);
	return ok;
}

bool ipsp_counter_accept(struct counter *n, u64 number)
{
	bool ok;

	spin_lock_bh(&n->lock);
	ok = !n->window.bits || window_accept(&n->window, number);
	spin_unlock_bh(&n->lock);
	return ok;
}

int ipsp_counter_init(void)
{
	get_random_bytes(counter_hash_key, sizeof(counter_hash_key));
	return 0;
}

void ipsp_counter_exit(void)
{
	struct tombstone *t;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(tombstone_table); i++)
		while ((t = tombstone_table[i])) {
			tombstone_table[i] = t->next;
			kfree(t);
		}
	memzero_explicit(counter_hash_key, sizeof(counter_hash_key));
}
