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
#include <linux/slab.h>
#include "handle.h"
#include "stats.h"
#include "window.h"

#define TOMBSTONES_MAX	65536
#define COUNTER_NAME	16		/* bytes of the name that tell keys apart */

struct counter {
	struct hlist_node node;		/* protected by counter_mutex */
	u32 users;			/* protected by counter_mutex */
	u8 name[COUNTER_NAME];
	bool inbound;
	bool esn;
	spinlock_t lock;		/* protects all below; bottom halves off */
	u64 next;			/* outbound */
	u64 ceiling;			/* outbound: last number that may be used */
	struct window window;		/* inbound; its size changes under counter_mutex too */
	u32 salt;			/* inbound: where its numbers are among those pending */
	struct rcu_head rcu;
};

struct tombstone {			/* 32 bytes */
	struct tombstone *next;
	u8 name[COUNTER_NAME];
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

/* ---- tombstones ------------------------------------------------------------------ */

static struct tombstone **tombstone_find(const u8 *name)
{
	struct tombstone **p = &tombstone_table[name_hash(name) % ARRAY_SIZE(tombstone_table)];

	lockdep_assert_held(&counter_mutex);
	while (*p && memcmp((*p)->name, name, COUNTER_NAME))
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
	memcpy(t->name, name, COUNTER_NAME);
	*p = t;
	tombstones++;
	return t;
}

/* The counter has ended, at `number`. A key that never used one leaves nothing to keep. */
static void tombstone_keep(const u8 *name, u64 number, bool inbound)
{
	struct tombstone **p = tombstone_find(name), *t = *p;

	t->number = max(t->number, number);
	if (t->number > (inbound ? 0 : 1))
		return;
	*p = t->next;
	tombstones--;
	kfree(t);
}

/* ---- counters -------------------------------------------------------------------- */

static struct counter *counter_find(const u8 *name)
{
	struct counter *n;

	lockdep_assert_held(&counter_mutex);
	hash_for_each_possible(counter_table, n, node, name_hash(name))
		if (!memcmp(n->name, name, COUNTER_NAME))
			return n;
	return NULL;
}

static u64 counter_most(bool esn)
{
	return esn ? U64_MAX : U32_MAX;
}

/* Numbers only rise. Inbound, `next` is the least that may still come. */
static void counter_raise(struct counter *n, u64 next, u64 ceiling)
{
	lockdep_assert_held(&n->lock);
	if (n->inbound) {
		if (next && next - 1 > n->window.top)
			window_fill(&n->window, next - 1);
		return;
	}
	n->next = max(n->next, next);
	n->ceiling = max(n->ceiling, ceiling);
}

static u64 counter_number(const struct counter *n)
{
	return n->inbound ? n->window.top : n->next;
}

static int counter_resize(struct counter *n, u32 size)
{
	struct window w = { .size = size, .words = window_words(size) };
	u64 *old = n->window.bits;

	lockdep_assert_held(&counter_mutex);
	if (size == n->window.size)
		return 0;
	w.bits = kcalloc(w.words, sizeof(*w.bits), GFP_KERNEL_ACCOUNT);
	if (!w.bits)
		return -ENOMEM;
	spin_lock_bh(&n->lock);
	window_inherit(&w, &n->window);
	n->window = w;
	spin_unlock_bh(&n->lock);
	kfree(old);
	return 0;
}

static int counter_configure(struct counter *n, const struct ipsp_handle *config)
{
	u64 ceiling = config->ceiling ?: counter_most(n->esn);
	int err = n->inbound ? counter_resize(n, config->window) : 0;

	if (err)
		return err;
	spin_lock_bh(&n->lock);
	counter_raise(n, config->next, ceiling);
	spin_unlock_bh(&n->lock);
	return 0;
}

/* One key, one direction, one kind of number: else two users would disagree on what is used. */
static int counter_share(struct counter *n, const struct ipsp_handle *config)
{
	bool inbound = config->direction == IPSP_DIR_IN;
	bool esn = config->flags & IPSP_HANDLEF_ESN;
	int err;

	if (n->inbound != inbound || n->esn != esn)
		return -EINVAL;
	err = counter_configure(n, config);
	if (!err)
		n->users++;
	return err;
}

static struct counter *counter_new(const struct ipsp_handle *config, u64 number)
{
	struct counter *n = kzalloc(sizeof(*n), GFP_KERNEL_ACCOUNT);

	if (!n)
		return NULL;
	n->users = 1;
	spin_lock_init(&n->lock);
	memcpy(n->name, config->counter, COUNTER_NAME);
	n->salt = get_random_u32();
	n->inbound = config->direction == IPSP_DIR_IN;
	n->esn = config->flags & IPSP_HANDLEF_ESN;
	n->next = max(number, 1ull);
	n->window.top = n->inbound ? number : 0;
	if (counter_configure(n, config)) {
		kfree(n);
		return NULL;
	}
	hash_add(counter_table, &n->node, name_hash(n->name));
	ipsp_stats_made();
	return n;
}

static struct counter *counter_enter(const struct ipsp_handle *config)
{
	struct tombstone *t = tombstone_get(config->counter);
	struct counter *n;

	BUILD_BUG_ON(sizeof(struct tombstone) != 32);
	if (IS_ERR(t))
		return ERR_CAST(t);
	n = counter_new(config, t->number);
	if (n)
		return n;
	tombstone_keep(config->counter, 0, config->direction == IPSP_DIR_IN);
	return ERR_PTR(-ENOMEM);
}

struct counter *ipsp_counter_get(const struct ipsp_handle *config)
{
	struct counter *n;
	int err;

	mutex_lock(&counter_mutex);
	n = counter_find(config->counter);
	if (n) {
		err = counter_share(n, config);
		if (err)
			n = ERR_PTR(err);
	} else {
		n = counter_enter(config);
	}
	mutex_unlock(&counter_mutex);
	return n;
}

/* Who found its handle before that was unlinked may check a number until now. */
static void counter_free_rcu(struct rcu_head *head)
{
	struct counter *n = container_of(head, struct counter, rcu);

	kfree(n->window.bits);
	kfree(n);
	ipsp_stats_freed();
}

/* Process context: the last handle of a key ends in a work, see ipsp_handle_put. */
void ipsp_counter_put(struct counter *n)
{
	mutex_lock(&counter_mutex);
	if (--n->users) {
		mutex_unlock(&counter_mutex);
		return;
	}
	tombstone_keep(n->name, counter_number(n), n->inbound);
	hash_del(&n->node);
	mutex_unlock(&counter_mutex);
	call_rcu(&n->rcu, counter_free_rcu);
}

int ipsp_counter_raise(struct counter *n, u64 next, u64 ceiling)
{
	if (ceiling > counter_most(n->esn))
		return -EINVAL;
	spin_lock_bh(&n->lock);
	counter_raise(n, next, ceiling);
	spin_unlock_bh(&n->lock);
	return 0;
}

void ipsp_counter_fill(struct counter *n, struct ipsp_handle *out)
{
	spin_lock_bh(&n->lock);
	out->next = counter_number(n);
	out->ceiling = n->inbound ? 0 : n->ceiling;
	spin_unlock_bh(&n->lock);
}

/*
 * Under the compartment's lock: softirqs are off. The last test: `next` itself must not
 * wrap, so 2^64 - 1 is never used.
 */
bool ipsp_counter_take(struct counter *n, u32 count, u64 *first)
{
	bool ok;

	spin_lock(&n->lock);
	ok = count && n->next <= n->ceiling && n->ceiling - n->next >= count - 1 &&
	     n->next + count > n->next;
	if (ok) {
		*first = n->next;
		n->next += count;
	}
	spin_unlock(&n->lock);
	return ok;
}

u64 ipsp_counter_infer(struct counter *n, u32 wire)
{
	u64 number;

	if (!n->esn)
		return wire;
	spin_lock_bh(&n->lock);
	number = window_infer(&n->window, wire);
	spin_unlock_bh(&n->lock);
	return number;
}

static u32 counter_place(const struct counter *n, u64 number)
{
	return (n->salt + (u32)number) % COUNTER_PLACES;
}

/*
 * Looked up and marked in one: the mark is taken away behind ipsp_counter_accept, so whoever
 * finds none here has looked before that one's lock, or sees what it has set.
 */
bool ipsp_counter_check(struct counter *n, u64 number, unsigned long *pending, bool *marked)
{
	bool ok;

	spin_lock_bh(&n->lock);
	ok = window_check(&n->window, number);
	*marked = ok && number > n->window.top &&
		  !test_and_set_bit(counter_place(n, number), pending);
	spin_unlock_bh(&n->lock);
	return ok;
}

void ipsp_counter_settle(const struct counter *n, u64 number, unsigned long *pending)
{
	clear_bit(counter_place(n, number), pending);
}

/* At release, softirqs off. */
bool ipsp_counter_accept(struct counter *n, u64 number)
{
	bool ok;

	spin_lock(&n->lock);
	ok = window_accept(&n->window, number);
	spin_unlock(&n->lock);
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
