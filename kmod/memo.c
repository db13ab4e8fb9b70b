// SPDX-License-Identifier: GPL-2.0
/*
 * memo.c - see memo.h
 *
 * A few entries for each CPU, each under its own sequence count: softirqs write between the
 * reads of the task below them.
 */
#include <linux/hash.h>
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

#define MEMO_BITS 4

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

struct memo_noted {			/* the last one, going out */
	const struct sk_buff *skb;
	unsigned long dst;
	unsigned long epoch;
	struct memo_key key;		/* a FORWARD chain may have renamed it since */
};

static DEFINE_PER_CPU(struct memo[1 << MEMO_BITS], memos);
static DEFINE_PER_CPU(struct memo_noted, memo_noted);
static atomic_long_t memo_epoch = ATOMIC_LONG_INIT(1);

/* ---- what is remembered of a packet -------------------------------------------------- */

/* What was or will be NATed has other names than these. */
static bool memo_is_plain(const struct sk_buff *skb)
{
	enum ip_conntrack_info info;
	const struct nf_conn *ct = nf_ct_get(skb, &info);

	return !(ct && (ct->status & IPS_NAT_MASK));
}

/* Bytes behind the header that tell flows apart: ports, type and code; -1: not remembered. */
static int memo_port_bytes(u8 protocol, bool v4)
{
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
		return 4;
	if (protocol == (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return 2;
	return protocol == IPPROTO_ESP ? 0 : -1;
}

/* Protocol and ports right behind a plain header; 0: not to be remembered. */
static u64 memo_rest(const struct sk_buff *skb, u8 direction)
{
	bool v4 = skb->protocol == htons(ETH_P_IP);
	u32 ports = 0, at = v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	u8 protocol = v4 ? ip_hdr(skb)->protocol : ipv6_hdr(skb)->nexthdr;
	int len = memo_port_bytes(protocol, v4);

	if (len < 0 || (v4 && (ip_hdr(skb)->ihl != 5 || ip_is_fragment(ip_hdr(skb)))) ||
	    skb_headlen(skb) < skb_network_offset(skb) + at + len || !memo_is_plain(skb))
		return 0;
	if (len == 4)
		memcpy(&ports, skb_network_header(skb) + at, 4);
	else if (len == 2)
		memcpy(&ports, skb_network_header(skb) + at, 2);
	return (u64)ports << 32 | at << 16 | protocol << 8 | direction;
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
	return raw_cpu_ptr(&memos[hash_64(rest ^ memo_address(skb), MEMO_BITS)]);
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

/* Written whole with softirqs off, read whole: see just_noted. */
void ipsp_memo_note(const struct sk_buff *skb, const struct net_device *dev,
		    const struct decided *d)
{
	struct memo_noted *n;

	local_bh_disable();
	n = this_cpu_ptr(&memo_noted);
	n->skb = skb;
	n->dst = skb->_skb_refdst;
	n->epoch = d->epoch;
	memo_fill(&n->key, skb, dev, d->rest);
	local_bh_enable();
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
	struct memo_noted *n;
	bool same;

	local_bh_disable();
	n = this_cpu_ptr(&memo_noted);
	same = n->skb == skb && n->dst == skb->_skb_refdst &&
	       n->epoch == atomic_long_read(&memo_epoch) &&
	       memo_is(&n->key, skb, n->key.dev, memo_rest(skb, IPSP_DIR_OUT));
	n->skb = NULL;
	local_bh_enable();
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
