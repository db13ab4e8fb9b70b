// SPDX-License-Identifier: GPL-2.0
/*
 * memo.c - see memo.h
 *
 * Entries of each CPU, each under its own sequence count: softirqs write between the reads of
 * the task below them. A flow has its place; of two that share one each drives the other out,
 * so there are many more places than flows that are busy at once.
 */
#include <linux/hash.h>
#include <linux/percpu.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/seqlock.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/xfrm.h>
#include "compartment.h"
#include "memo.h"
#include "protect.h"
#include "rule.h"

#define MEMO_BITS 7			/* 13 KiB a CPU */
#define MEMO_BEHIND 8			/* bytes behind a header that is remembered, at least */
#define MEMO_HEAD4 3			/* words that hold a plain header and ports */
#define MEMO_HEAD6 6

struct memo_key {
	u64 address[4];			/* source, destination; IPv4: both in the first */
	u64 rest;			/* ports, protocol, family, direction */
	u64 mark;
	const struct net_device *dev;
	const struct xfrm_state *state;	/* of the stack that it came out of, or NULL */
};

struct memo {
	seqcount_t seq;
	struct decided decided;		/* epoch 0: empty */
	struct memo_key key;
};

/* The last one, going out: a chain behind our hook may have renamed it since. */
struct memo_noted {
	const struct sk_buff *skb;
	unsigned long dst;
	unsigned long epoch;
	u32 mark;
	u64 head[MEMO_HEAD6];
};

static struct memo __percpu *memos;
static DEFINE_PER_CPU(struct memo_noted[2], memo_noted);	/* of tasks, of softirqs */
static atomic_long_t memo_epoch = ATOMIC_LONG_INIT(1);

/* ---- what is remembered of a packet -------------------------------------------------- */

/* What was or will be NATed has other names than these. */
static bool memo_is_plain(const struct sk_buff *skb)
{
	enum ip_conntrack_info info;
	const struct nf_conn *ct = nf_ct_get(skb, &info);

	return !(ct && (ct->status & IPS_NAT_MASK));
}

/* What tells flows apart behind their header: ports, type and code. False: not remembered. */
static bool memo_ports(const u8 *behind, u8 protocol, bool v4, u32 *ports)
{
	if (likely(protocol == IPPROTO_TCP || protocol == IPPROTO_UDP))
		*ports = get_unaligned((u32 *)behind);
	else if (protocol == (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		*ports = get_unaligned((u16 *)behind);
	else if (protocol == IPPROTO_ESP)
		*ports = 0;
	else
		return false;
	return true;
}

/* Protocol and ports right behind a plain header; 0: not to be remembered. */
static u64 memo_rest(const struct sk_buff *skb, u8 direction)
{
	bool v4 = skb->protocol == htons(ETH_P_IP);
	u32 length = v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr), ports;
	const u8 *header = skb_network_header(skb);
	u8 protocol = v4 ? ip_hdr(skb)->protocol : ipv6_hdr(skb)->nexthdr;

	if (v4 && (ip_hdr(skb)->ihl != 5 || ip_is_fragment(ip_hdr(skb))))
		return 0;
	if (skb_tail_pointer(skb) - header < length + MEMO_BEHIND || !memo_is_plain(skb) ||
	    !memo_ports(header + length, protocol, v4, &ports))
		return 0;
	return (u64)ports << 32 | length << 16 | protocol << 8 | direction;
}

/*
 * Compared, never followed: while an entry stands, that of a handle of ours is no other's,
 * and only such are kept.
 */
static const struct xfrm_state *memo_state(const struct sk_buff *skb)
{
	const struct sec_path *sp = skb_sec_path(skb);

	return sp && sp->len ? sp->xvec[sp->len - 1] : NULL;
}

static u64 memo_address(const struct sk_buff *skb)
{
	u64 address;

	memcpy(&address, skb_network_header(skb) +
	       (skb->protocol == htons(ETH_P_IP) ? 12 : 32), sizeof(address));
	return address;
}

static void memo_fill(struct memo_key *key, const struct sk_buff *skb,
		      const struct net_device *dev, u64 rest)
{
	key->rest = rest;
	key->mark = skb->mark;
	key->dev = dev;
	key->state = memo_state(skb);
	key->address[0] = memo_address(skb);
	if (skb->protocol != htons(ETH_P_IP))
		memcpy(key->address, &ipv6_hdr(skb)->saddr, sizeof(key->address));
}

static bool memo_is_address(const struct memo_key *key, const struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP))
		return key->address[0] == memo_address(skb);
	return !memcmp(key->address, &ipv6_hdr(skb)->saddr, sizeof(key->address));
}

static bool memo_is(const struct memo_key *key, const struct sk_buff *skb,
		    const struct net_device *dev, u64 rest)
{
	return key->rest == rest && key->mark == skb->mark && key->dev == dev &&
	       key->state == memo_state(skb) && memo_is_address(key, skb);
}

static struct memo *memo_of(const struct sk_buff *skb, u64 rest)
{
	return raw_cpu_ptr(memos + hash_64(rest ^ memo_address(skb), MEMO_BITS));
}

/* ---- asking ---------------------------------------------------------------------- */

static void memo_count(const struct rule *rule, const struct memo_key *key)
{
	if (!rule)
		return;
	this_cpu_inc(*rule->hits);
	if (!rule->c)
		return;
	ipsp_count(rule->c, CACHE_HIT);
	if ((u8)key->rest != IPSP_DIR_OUT && !key->state)
		ipsp_count(rule->c, CLEAR_PASSED);
}

/*
 * What softirqs send and what the task below them sends are noted apart, so each is written
 * whole and read whole with preemption off; switching softirqs off would cost as much again.
 */
static struct memo_noted *memo_noted_begin(void)
{
	preempt_disable();
	return this_cpu_ptr(&memo_noted[!!in_serving_softirq()]);
}

static void memo_noted_end(void)
{
	preempt_enable();
}

static bool memo_is_head(const u64 *head, const struct sk_buff *skb)
{
	const u64 *now = (const u64 *)skb_network_header(skb);

	if (head[0] != now[0] || head[1] != now[1] || head[2] != now[2])
		return false;
	return likely(skb->protocol == htons(ETH_P_IP)) ||
	       (head[3] == now[3] && head[4] == now[4] && head[5] == now[5]);
}

/* Of a packet with a `rest`, so that there are as many bytes. */
void ipsp_memo_note(const struct sk_buff *skb, const struct decided *d)
{
	const u64 *head = (const u64 *)skb_network_header(skb);
	struct memo_noted *n = memo_noted_begin();

	BUILD_BUG_ON(MEMO_HEAD4 * 8 > sizeof(struct iphdr) + MEMO_BEHIND ||
		     MEMO_HEAD6 * 8 > sizeof(struct ipv6hdr) + MEMO_BEHIND);
	n->skb = skb;
	n->dst = skb->_skb_refdst;
	n->epoch = d->epoch;
	n->mark = skb->mark;
	n->head[0] = head[0];
	n->head[1] = head[1];
	n->head[2] = head[2];
	if (unlikely(skb->protocol != htons(ETH_P_IP))) {
		n->head[3] = head[3];
		n->head[4] = head[4];
		n->head[5] = head[5];
	}
	memo_noted_end();
}

bool ipsp_memo_knows(const struct sk_buff *skb, const struct net_device *dev, u8 direction,
		     struct decided *d)
{
	unsigned long epoch = atomic_long_read_acquire(&memo_epoch);
	u64 rest = memo_rest(skb, direction);
	const struct memo *m;
	unsigned int seq;
	bool same;

	*d = (struct decided){ .epoch = epoch, .rest = rest };
	if (!rest)
		return false;
	m = memo_of(skb, rest);
	seq = raw_read_seqcount(&m->seq);
	same = m->decided.epoch == epoch && memo_is(&m->key, skb, dev, rest);
	d->rule = m->decided.rule;
	d->flow = m->decided.flow;
	if (!same || (seq & 1) || read_seqcount_retry(&m->seq, seq))
		return false;
	memo_count(d->rule, &m->key);
	return true;
}

bool ipsp_memo_just_noted(const struct sk_buff *skb)
{
	struct memo_noted *n = memo_noted_begin();
	bool same;

	same = n->skb == skb && n->dst == skb->_skb_refdst && n->mark == skb->mark &&
	       n->epoch == atomic_long_read(&memo_epoch) && memo_is_head(n->head, skb);
	n->skb = NULL;
	memo_noted_end();
	return same;
}

void ipsp_memo_keep(const struct sk_buff *skb, const struct net_device *dev,
		    const struct decided *d)
{
	struct memo *m;

	if (!d->rest || ipsp_rule_by_owner(dev_net(dev)) ||
	    (d->rule && d->rule->c && ipsp_protect_by_label(d->rule->c)))
		return;
	local_bh_disable();
	m = memo_of(skb, d->rest);
	raw_write_seqcount_begin(&m->seq);
	m->decided = *d;
	memo_fill(&m->key, skb, dev, d->rest);
	raw_write_seqcount_end(&m->seq);
	local_bh_enable();
}

void ipsp_memo_forget(void)
{
	atomic_long_inc(&memo_epoch);
	smp_mb__after_atomic();		/* before a grace period that the caller waits for */
}

int ipsp_memo_init(void)
{
	/* larger than what a module may declare */
	memos = __alloc_percpu(sizeof(struct memo) << MEMO_BITS, __alignof__(struct memo));
	return memos ? 0 : -ENOMEM;
}

void ipsp_memo_exit(void)
{
	free_percpu(memos);
}
