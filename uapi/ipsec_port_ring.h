/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * ipsec_port_ring.h - one stream: a byte ring of records, one producer, one consumer
 *
 * Theory of operation
 *
 * The same text is compiled into the kernel module, the stack and the tests. One
 * side is the kernel, the other hostile; which is which depends on the stream, so
 * both sides are written as if the peer were hostile:
 *
 *   - `head` and `tail` are private and authoritative. Shared memory (the words with
 *     a k: kown, kpeer) receives a copy of our index and is never read back.
 *   - The peer's index is read once and its distance is checked before it is used:
 *     more than the ring holds is a broken peer (ipsp_ring_is_broken), not a number.
 *   - Indices are free-running byte counts modulo 2^32; the ring's size is a power of
 *     two of at most 2^30, so the distance of two valid indices never wraps.
 *
 * Records lie at multiples of IPSP_ALIGN. The ring is mapped twice in a row, so that a
 * record that passes the end goes on behind it, and none is split or padded out.
 *
 * Producer: reserve, write, submit (or cancel).   Consumer: peek, read, release.
 * submit publishes all that was reserved since the last submit; release hands back
 * the oldest bytes. Function names follow these verbs.
 *
 * Ordering. Two words, each written by one side:
 *
 *        producer                               consumer
 *
 *   room? load-acquire its index   (D)      record? load-acquire its index  (B)
 *   write the record                        read the record
 *   store-release own index        (A)      store-release own index         (C)
 *
 *   A pairs with B: without it the consumer sees the index before the record's bytes.
 *   C pairs with D: without it the producer overwrites bytes that are still read.
 *
 * Who sleeps, sleeps in the kernel (IPSP_IOC_KICK), under its wait queue's lock: no
 * flag in shared memory says so, and none can lie about it.
 */
#ifndef IPSEC_PORT_RING_H
#define IPSEC_PORT_RING_H

#include "ipsec_port.h"

/* The two only places that order memory. User space uses the compiler's builtins. */
static inline __u32 ipsp_ring_observe(const __u32 *kpeer)	/* B, D */
{
#ifdef __KERNEL__
	return smp_load_acquire(kpeer);
#else
	return __atomic_load_n(kpeer, __ATOMIC_ACQUIRE);
#endif
}

static inline void ipsp_ring_publish(__u32 *kown, __u32 index)	/* A, C */
{
#ifdef __KERNEL__
	smp_store_release(kown, index);
#else
	__atomic_store_n(kown, index, __ATOMIC_RELEASE);
#endif
}

/*
 * Where the words lie in their page. Each is alone on its cache line, and the next
 * line is left free too: the adjacent-line prefetcher would share it.
 */
struct ipsp_word {
	__u32 kindex;
	__u32 reserved[31];
};

struct ipsp_words {		/* one page for the kernel's, one for the stack's */
	struct ipsp_word down;	/* kernel: produced; stack: consumed */
	struct ipsp_word up;	/* stack: produced; kernel: consumed */
};

struct ipsp_ring {
	__u8 *base;		/* 2 * size bytes, the second half an alias of the first */
	__u32 size;		/* power of two */
	__u32 head;		/* private: bytes reserved (producer) or peeked at (consumer) */
	__u32 own;		/* private: what was last published of ours */
	__u32 peer;		/* the peer's index as last observed, checked */
	__u32 *kown;
	const __u32 *kpeer;
};

static inline void ipsp_ring_init(struct ipsp_ring *r, void *base, __u32 size,
				  __u32 *kown, const __u32 *kpeer)
{
	r->base = base;
	r->size = size;
	r->head = 0;
	r->own = 0;
	r->peer = 0;
	r->kown = kown;
	r->kpeer = kpeer;
}

static inline void *ipsp_ring_at(const struct ipsp_ring *r, __u32 index)
{
	return r->base + (index & (r->size - 1));
}

/* ---- producer ---------------------------------------------------------------- */

/* Bytes in flight; more than size: the consumer's index is a lie. */
static inline __u32 ipsp_ring_used(const struct ipsp_ring *r)
{
	return r->head - r->peer;
}

/*
 * Reads the consumer's index anew. False: it went back or beyond what was
 * submitted, and the old one stays in force.
 */
static inline int ipsp_ring_refresh_room(struct ipsp_ring *r)
{
	__u32 peer = ipsp_ring_observe(r->kpeer);	/* D, matches C */

	if (peer - r->peer > r->own - r->peer)
		return 0;
	r->peer = peer;
	return 1;
}

/* Room for len bytes (rounded up to IPSP_ALIGN), or NULL. len <= size. */
static inline void *ipsp_ring_reserve(struct ipsp_ring *r, __u32 len)
{
	__u32 need = (len + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	void *at;

	if (need > r->size || need < len)
		return (void *)0;
	if (r->size - ipsp_ring_used(r) < need) {
		ipsp_ring_refresh_room(r);
		if (r->size - ipsp_ring_used(r) < need)
			return (void *)0;
	}
	at = ipsp_ring_at(r, r->head);
	r->head += need;
	return at;
}

/* Of the last reservation of `reserved` bytes only `used` were written. */
static inline void ipsp_ring_trim(struct ipsp_ring *r, __u32 reserved, __u32 used)
{
	r->head -= (reserved + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	r->head += (used + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
}

static inline void ipsp_ring_submit(struct ipsp_ring *r)
{
	/* whole: who is about to sleep on the other end looks at it without our lock */
	__atomic_store_n(&r->own, r->head, __ATOMIC_RELAXED);
	ipsp_ring_publish(r->kown, r->own);		/* A, matches B */
}

/* Takes back all that was reserved since the last submit. */
static inline void ipsp_ring_cancel(struct ipsp_ring *r)
{
	r->head = r->own;
}

/* ---- consumer ---------------------------------------------------------------- */

/*
 * Bytes that may be read from `head` on; refreshes when none are known. The
 * caller asks ipsp_ring_is_broken() when it distrusts the producer.
 */
static inline __u32 ipsp_ring_peek(struct ipsp_ring *r)
{
	if (r->peer == r->head)
		r->peer = ipsp_ring_observe(r->kpeer);	/* B, matches A */
	return r->peer - r->head;
}

/* A producer that claims more than the ring holds, or half a record. */
static inline int ipsp_ring_is_broken(const struct ipsp_ring *r)
{
	return r->peer - r->own > r->size || (r->peer & (IPSP_ALIGN - 1));
}

static inline void *ipsp_ring_record(const struct ipsp_ring *r)
{
	return ipsp_ring_at(r, r->head);
}

/* Steps over a record of len bytes without giving its room back. */
static inline void ipsp_ring_step(struct ipsp_ring *r, __u32 len)
{
	r->head += len;
}

/* Gives back all that was stepped over. */
static inline void ipsp_ring_release(struct ipsp_ring *r)
{
	r->own = r->head;
	ipsp_ring_publish(r->kown, r->own);		/* C, matches D */
}

/*
 * The lengths of a record that a peer wrote, checked on a PRIVATE copy of its header
 * against the bytes that are there. No sum can overflow: each term is bounded by
 * `available` <= 2^30 before it is added.
 */
static inline int ipsp_record_is_sane(const struct ipsp_record *rec, __u32 available)
{
	if (rec->len < sizeof(*rec) || rec->len > available ||
	    (rec->len & (IPSP_ALIGN - 1)))
		return 0;
	if (rec->control_len > rec->len - sizeof(*rec))
		return 0;
	if (!rec->data_len)
		return 1;
	return rec->data_offset >= sizeof(*rec) + rec->control_len &&
	       !(rec->data_offset & (IPSP_ALIGN - 1)) &&
	       rec->data_offset <= rec->len && rec->data_len <= rec->len - rec->data_offset;
}

static inline __u32 ipsp_record_data_offset(__u32 control_len)
{
	return (sizeof(struct ipsp_record) + control_len + IPSP_ALIGN - 1) &
	       ~(IPSP_ALIGN - 1u);
}

#endif
