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
#include "rule.h"

#define MEMO_BITS 4

struct memo_key {
	u64 address[4];			/* source, destination; IPv4: both in the first */
	u64 rest;			/* ports, protocol, family, direction */
	u64 mark;
	const struct net_device *dev;
};

struct memo {
	seqcount_t seq;
	unsigned long epoch;		/* 0: empty */
	const struct rule *rule;	/* its hits are counted; NULL: none matched */
	struct memo_key key;
};

struct memo_passed {			/* the last one, going out */
	const struct sk_buff *skb;
	unsigned long dst;
	struct memo_key key;		/* a FORWARD chain may have renamed it since */
};

static DEFINE_PER_CPU(struct memo[1 << MEMO_BITS], memos);
static DEFINE_PER_CPU(struct memo_passed, memo_passed);
static atomic_long_t memo_epoch = ATOMIC_LONG_INIT(1);

/* ---- what is remembered of a packet -------------------------------------------------- */

/* What was or will be NATed has other names than these; a secpath decides by itself. */
static bool memo_is_plain(const struct sk_buff *skb)
{
	enum ip_conntrack_info info;
	const struct nf_conn *ct = nf_ct_get(skb, &info);

	return !(ct && (ct->status & IPS_NAT_MASK)) && !secpath_exists((struct sk_buff *)skb);
}

/* Protocol and ports of TCP and UDP right behind a plain header; 0: not to be remembered. */
static u64 memo_rest(const struct sk_buff *skb, u8 direction)
{
	bool v4 = skb->protocol == htons(ETH_P_IP);
	u32 ports, at = v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	u8 protocol = v4 ? ip_hdr(skb)->protocol : ipv6_hdr(skb)->nexthdr;

	if ((protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) ||
	    (v4 && (ip_hdr(skb)->ihl != 5 || ip_is_fragment(ip_hdr(skb)))) ||
	    skb_headlen(skb) < skb_network_offset(skb) + at + sizeof(ports) ||
	    !memo_is_plain(skb))
		return 0;
	memcpy(&ports, skb_network_header(skb) + at, sizeof(ports));
	return (u64)ports << 32 | at << 16 | protocol << 8 | direction;
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
	       memo_is_address(key, skb);
}

static struct memo *memo_of(const struct sk_buff *skb, u64 rest)
{
	return raw_cpu_ptr(&memos[hash_64(rest ^ memo_address(skb), MEMO_BITS)]);
}

/* ---- asking ---------------------------------------------------------------------- */

static void memo_count(const struct rule *rule, u8 direction)
{
	if (!rule)
		return;
	this_cpu_inc(*rule->hits);
	if (!rule->c)
		return;
	ipsp_count(rule->c, CACHE_HIT);
	if (direction != IPSP_DIR_OUT)
		ipsp_count(rule->c, CLEAR_PASSED);
}

/* Written whole with softirqs off, read whole: see just_passed. */
static void memo_note_passed(const struct sk_buff *skb, const struct net_device *dev, u64 rest)
{
	struct memo_passed *p;

	local_bh_disable();
	p = this_cpu_ptr(&memo_passed);
	p->skb = skb;
	p->dst = skb->_skb_refdst;
	memo_fill(&p->key, skb, dev, rest);
	local_bh_enable();
}

bool ipsp_memo_passes(const struct sk_buff *skb, const struct net_device *dev, u8 direction,
		      unsigned long *epoch)
{
	u64 rest = memo_rest(skb, direction);
	const struct rule *rule;
	const struct memo *m;
	unsigned int seq;
	bool same;

	*epoch = atomic_long_read_acquire(&memo_epoch);
	if (!rest)
		return false;
	m = memo_of(skb, rest);
	seq = raw_read_seqcount(&m->seq);
	same = m->epoch == *epoch && memo_is(&m->key, skb, dev, rest);
	rule = m->rule;
	if (!same || (seq & 1) || read_seqcount_retry(&m->seq, seq))
		return false;
	memo_count(rule, direction);
	if (direction == IPSP_DIR_OUT)
		memo_note_passed(skb, dev, rest);
	return true;
}

bool ipsp_memo_just_passed(const struct sk_buff *skb)
{
	struct memo_passed *p;
	bool same;

	local_bh_disable();
	p = this_cpu_ptr(&memo_passed);
	same = p->skb == skb && p->dst == skb->_skb_refdst &&
	       memo_is(&p->key, skb, p->key.dev, memo_rest(skb, IPSP_DIR_OUT));
	p->skb = NULL;
	local_bh_enable();
	return same;
}

void ipsp_memo_keep(const struct sk_buff *skb, const struct net_device *dev, u8 direction,
		    const struct rule *rule, unsigned long epoch)
{
	u64 rest = memo_rest(skb, direction);
	struct memo *m;

	if (!rest || ipsp_rule_by_owner(dev_net(dev)))
		return;
	local_bh_disable();
	m = memo_of(skb, rest);
	raw_write_seqcount_begin(&m->seq);
	m->epoch = epoch;
	m->rule = rule;
	memo_fill(&m->key, skb, dev, rest);
	raw_write_seqcount_end(&m->seq);
	local_bh_enable();
}

void ipsp_memo_forget(void)
{
	atomic_long_inc(&memo_epoch);
	smp_mb__after_atomic();		/* before a grace period that the caller waits for */
}
