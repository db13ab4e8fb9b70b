// SPDX-License-Identifier: GPL-2.0
/*
 * answer.c - what a stack says is hostile: copied once, then checked, then used
 *
 * Each up record's header and control part are copied to private memory, the packet bytes
 * into skbs; every check works on those copies. A stack that breaks the protocol loses
 * its attachment, and the ticket goes back to be dealt to another as if nothing had been
 * said.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/virtio_net.h>
#include <net/addrconf.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/esp.h>
#include "compat/compat.h"
#include "ballot.h"
#include "compartment.h"
#include "encap.h"
#include "handle.h"
#include "protect.h"
#include "quorum.h"
#include "redirector.h"
#include "rule.h"
#include "stream.h"
#include "trace.h"

/* What is longer is built of page fragments instead of one linear buffer. */
#define LINEAR_MAX	4096
#define HEADROOM	ALIGN(MAX_HEADER + 64, 16)

struct reply {				/* one ANSWER, private */
	struct ipsp_record rec;
	struct ipsp_answer answer;
	const u8 *data;			/* hostile: each byte of it is fetched once */
};

/* The only way from the up ring to private memory; each byte is fetched once. */
static void answer_copy(const u8 *from, void *to, u32 len)
{
	memcpy(to, from, len);
	barrier();			/* no second read of the ring behind `to` */
}

/* ---- building skbs ------------------------------------------------------------------ */

static struct sk_buff *answer_skb(const u8 *from, u32 len)
{
	u32 linear = len <= LINEAR_MAX ? len : 256;
	struct sk_buff *skb;
	int err;

	if (linear == len) {
		skb = __netdev_alloc_skb(NULL, HEADROOM + len, GFP_ATOMIC);
		if (!skb)
			return NULL;
		skb_reserve(skb, HEADROOM);
		answer_copy(from, skb_put(skb, len), len);
	} else {
		skb = alloc_skb_with_frags(HEADROOM + linear, len - linear,
					   PAGE_ALLOC_COSTLY_ORDER, &err, GFP_ATOMIC);
		if (!skb)
			return NULL;
		skb_reserve(skb, HEADROOM);
		skb_put(skb, linear);
		skb->data_len = len - linear;
		skb->len = len;
		skb_store_bits(skb, 0, from, len);
	}
	skb_reset_network_header(skb);
	return skb;
}

/* ---- checks of an outbound packet (invariant 4a) --------------------------------- */

/* Bytes before the ESP header, or 0: not what the handle allows. */
static u32 out_header4(const struct sk_buff *skb, const struct ticket *t)
{
	const struct iphdr *ip = ip_hdr(skb);
	const struct ipsp_handle *h = &t->handle->config;
	u32 len = ip->ihl * 4;

	if (ip->version != 4 || len < sizeof(*ip) || len > skb_headlen(skb) ||
	    ntohs(ip->tot_len) != skb->len || ip->protocol != ipsp_encap_protocol(h) || !ip->ttl ||
	    (ip->frag_off & ~htons(IP_DF)))
		return 0;
	if (memcmp(&ip->saddr, h->source, 4) || memcmp(&ip->daddr, h->destination, 4))
		return 0;
	if (len == sizeof(*ip))
		return len;
	/* options: only those the packet came with */
	if (h->mode != IPSP_SA_TRANSPORT || ip_hdrlen(t->skb) != len ||
	    memcmp(ip + 1, ip_hdr(t->skb) + 1, len - sizeof(*ip)))
		return 0;
	return len;
}

static bool out_is_extension(u8 nexthdr)
{
	return nexthdr == NEXTHDR_HOP || nexthdr == NEXTHDR_ROUTING ||
	       nexthdr == NEXTHDR_FRAGMENT || nexthdr == NEXTHDR_DEST;
}

/* Transport mode: the extension headers in front, unchanged but for the last next header. */
static u32 out_extensions6(const struct sk_buff *skb, const struct ticket *t)
{
	const u8 *ours = skb_network_header(skb), *his = skb_network_header(t->skb);
	u32 at = sizeof(struct ipv6hdr), room = min(skb_headlen(skb), skb_headlen(t->skb));
	const u8 last = ipsp_encap_protocol(&t->handle->config);
	u8 nexthdr = ipv6_hdr(skb)->nexthdr;
	u32 len;

	if (nexthdr != ipv6_hdr(t->skb)->nexthdr)
		return 0;
	while (out_is_extension(nexthdr)) {
		if (at + 8 > room)
			return 0;
		len = nexthdr == NEXTHDR_FRAGMENT ? 8 :
		      ipv6_optlen((struct ipv6_opt_hdr *)(ours + at));
		if (at + len > room || memcmp(ours + at + 1, his + at + 1, len - 1))
			return 0;
		nexthdr = ours[at];
		if (nexthdr != last && nexthdr != his[at])
			return 0;
		at += len;
	}
	return nexthdr == last ? at : 0;
}

static u32 out_header6(const struct sk_buff *skb, const struct ticket *t)
{
	const struct ipv6hdr *ip = ipv6_hdr(skb);
	const struct ipsp_handle *h = &t->handle->config;

	if (skb_headlen(skb) < sizeof(*ip) || ip->version != 6 || !ip->hop_limit ||
	    ntohs(ip->payload_len) + sizeof(*ip) != skb->len)
		return 0;
	if (memcmp(&ip->saddr, h->source, 16) || memcmp(&ip->daddr, h->destination, 16))
		return 0;
	if (ip->nexthdr == ipsp_encap_protocol(h))
		return sizeof(*ip);
	return h->mode == IPSP_SA_TRANSPORT ? out_extensions6(skb, t) : 0;
}

static u32 out_check(struct sk_buff *skb, const struct ticket *t, u64 number)
{
	const struct ipsp_handle *h = &t->handle->config;
	const struct numbered *numbered;
	u32 at;

	if (skb_headlen(skb) < sizeof(struct iphdr))
		return IPSP_BROKEN_HEADER;
	at = h->family == 4 ? out_header4(skb, t) : out_header6(skb, t);
	if (!at)
		return IPSP_BROKEN_HEADER;
	skb_set_transport_header(skb, at);
	if (ipsp_encap_is(h)) {
		if (!ipsp_encap_check(skb, h))
			return IPSP_BROKEN_HEADER;
		at += sizeof(struct udphdr);
	}
	at += ipsp_numbered_at(h->protocol);
	if (at + sizeof(*numbered) > skb_headlen(skb))
		return IPSP_BROKEN_HEADER;
	numbered = (const struct numbered *)(skb_network_header(skb) + at);
	if (numbered->spi != h->spi)
		return IPSP_BROKEN_HEADER;
	if (ntohl(numbered->number) != (u32)number)
		return IPSP_BROKEN_NUMBER;
	skb->protocol = h->family == 4 ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	return 0;
}

/*
 * The longest that all segments of a ticket may be together; cannot overflow: the
 * packet is under 128 KiB, count under 64 Ki, the overhead under 1 KiB.
 */
static u64 out_bound(const struct ticket *t, u32 segments)
{
	const struct ipsp_handle *h = &t->handle->config;
	u64 overhead = h->fixed + h->align + 1;

	if (segments > 1)
		overhead += 120;	/* each segment repeats the inner headers */
	return t->skb->len + segments * overhead;
}

static u32 out_lengths(const struct ticket *t, const struct reply *r)
{
	const struct ipsp_answer *a = &r->answer;
	u64 len = r->rec.data_len;

	if (!a->segments || a->segments > t->count || !a->segment_len ||
	    a->segment_len > IP_MAX_MTU)
		return IPSP_BROKEN_LENGTH;
	if (len <= (u64)(a->segments - 1) * a->segment_len ||
	    len > (u64)a->segments * a->segment_len || len > out_bound(t, a->segments))
		return IPSP_BROKEN_LENGTH;
	return 0;
}

static u32 answer_transformed_out(struct stack *s, struct ticket *t, const struct reply *r)
{
	u32 err = out_lengths(t, r), left = r->rec.data_len, i, len;
	const u8 *from = r->data;
	struct sk_buff **tail = &t->answer;

	for (i = 0; !err && i < r->answer.segments; i++, from += len, left -= len) {
		len = min(left, r->answer.segment_len);
		*tail = answer_skb(from, len);
		if (!*tail) {
			t->verdict = IPSP_VERDICT_DROP;
			t->reason = IPSP_DROP_NO_MEMORY;
			return 0;
		}
		err = out_check(*tail, t, t->first + i);
		tail = &(*tail)->next;
	}
	return err;
}

/* ---- checks of an inbound packet (invariant 4b) ---------------------------------- */

static u32 in_check_length(const struct sk_buff *skb)
{
	const struct iphdr *ip = ip_hdr(skb);

	if (skb_headlen(skb) < sizeof(*ip))
		return IPSP_BROKEN_LENGTH;
	if (ip->version == 4)
		return ip->ihl < 5 || ntohs(ip->tot_len) != skb->len ||
		       ip->ihl * 4 > skb_headlen(skb) ? IPSP_BROKEN_LENGTH : 0;
	if (ip->version != 6 || skb_headlen(skb) < sizeof(struct ipv6hdr))
		return IPSP_BROKEN_LENGTH;
	return ntohs(ipv6_hdr(skb)->payload_len) + sizeof(struct ipv6hdr) != skb->len ?
	       IPSP_BROKEN_LENGTH : 0;
}

static bool in_source_is_foreign4(struct net *net, __be32 source)
{
	return !ipv4_is_loopback(source) && !ipv4_is_multicast(source) &&
	       !ipv4_is_lbcast(source) && inet_addr_type(net, source) != RTN_LOCAL;
}

static bool in_source_is_foreign6(struct net *net, const struct in6_addr *source)
{
	return !ipv6_addr_loopback(source) && !ipv6_addr_is_multicast(source) &&
	       !ipv6_addr_v4mapped(source) && !ipv6_chk_addr(net, source, NULL, 0);
}

static bool in_addresses_ok(struct net *net, const struct ticket *t, const struct sk_buff *skb,
			    u8 family)
{
	const struct ipsp_handle *h = &t->handle->config;

	if (h->mode == IPSP_SA_TRANSPORT) {
		if (family != h->family)
			return false;
		return family == 4 ?
		       !memcmp(&ip_hdr(skb)->saddr, &ip_hdr(t->skb)->saddr, 8) :
		       !memcmp(&ipv6_hdr(skb)->saddr, &ipv6_hdr(t->skb)->saddr, 32);
	}
	if (family == 4)
		return in_source_is_foreign4(net, ip_hdr(skb)->saddr) &&
		       !ipv4_is_loopback(ip_hdr(skb)->daddr);
	return in_source_is_foreign6(net, &ipv6_hdr(skb)->saddr) &&
	       !ipv6_addr_loopback(&ipv6_hdr(skb)->daddr);
}

static bool in_rules_allow(struct compartment *c, const struct ticket *t,
			   const struct ipsp_tuple *tuple)
{
	bool allowed;

	rcu_read_lock();
	allowed = ipsp_rule_allows_inner(c->net, c, tuple,
					 dev_get_by_index_rcu(c->net, t->ifindex));
	rcu_read_unlock();
	return allowed;
}

/* What was allowed a moment ago, by the same rules: packets of a flow come in runs. */
static bool in_allowed(struct stack *s, const struct ticket *t, struct sk_buff *skb, u8 family)
{
	struct allowed *last = &s->allowed;
	struct compartment *c = s->c;
	struct ipsp_tuple tuple;
	u16 flags = 0;

	if (!ipsp_packet_tuple(skb, family, IPSP_DIR_IN, &tuple, &flags))
		return false;
	if (last->handle == t->handle->config.id && last->jiffies == jiffies &&
	    last->ifindex == t->ifindex && last->rules == ipsp_rule_version(c->net) &&
	    !memcmp(&last->tuple, &tuple, sizeof(tuple)))
		return true;
	if (!in_addresses_ok(c->net, t, skb, family) || !in_rules_allow(c, t, &tuple))
		return false;
	*last = (struct allowed){ .tuple = tuple, .rules = ipsp_rule_version(c->net),
				  .jiffies = jiffies, .handle = t->handle->config.id,
				  .ifindex = t->ifindex };
	return true;
}

static u32 in_check(struct stack *s, struct ticket *t, struct sk_buff *skb)
{
	u32 err = in_check_length(skb);
	u8 family;

	if (err)
		return err;
	family = ip_hdr(skb)->version;
	skb->protocol = family == 4 ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	skb_set_transport_header(skb, family == 4 ? ip_hdrlen(skb) : sizeof(struct ipv6hdr));
	if (!in_allowed(s, t, skb, family)) {
		/* The peer may have sent this: the packet goes, the stack stays. */
		t->verdict = IPSP_VERDICT_DROP;
		t->reason = IPSP_DROP_INNER;
	}
	return 0;
}

/* No packet is longer than those it came out of; BEET brings its own header back. */
static u32 in_bound(const struct ticket *t)
{
	const struct ticket *merged;
	u32 len = t->skb->len;

	if (t->handle->config.mode == IPSP_SA_BEET)
		len += sizeof(struct ipv6hdr);
	list_for_each_entry(merged, &t->run, list)
		len += merged->skb->len;
	return len;
}

/* The most data that an answer to it may have, alone; in a run theirs are added. */
u64 ipsp_answer_bound(const struct ticket *t)
{
	if (t->kind == TICKET_PROTECT)
		return out_bound(t, t->count);
	return t->kind == TICKET_UNPROTECT ? in_bound(t) : 0;
}

/* What is merged is a TCP super-packet, and nothing else is. */
static bool in_offload_is_served(const struct ticket *t, const struct ipsp_offload *o)
{
	if (list_empty(&t->run))
		return !o->gso_type && !o->gso_size && !(o->flags & ~IPSP_OFFLOAD_DATA_VALID);
	return (o->gso_type == IPSP_GSO_TCPV4 || o->gso_type == IPSP_GSO_TCPV6) &&
	       o->gso_size && o->flags == IPSP_OFFLOAD_NEEDS_CSUM;
}

/* The kernel's own reader of such a header, as for packets of a virtual machine. */
static u32 in_offload(struct sk_buff *skb, const struct ipsp_offload *o)
{
	const bool little = virtio_legacy_is_little_endian();
	const struct virtio_net_hdr hdr = {
		.flags = o->flags,
		.gso_type = o->gso_type,
		.hdr_len = __cpu_to_virtio16(little, o->header_len),
		.gso_size = __cpu_to_virtio16(little, o->gso_size),
		.csum_start = __cpu_to_virtio16(little, o->csum_start),
		.csum_offset = __cpu_to_virtio16(little, o->csum_offset),
	};
	bool v4 = skb->protocol == htons(ETH_P_IP);
	u8 protocol = v4 ? ip_hdr(skb)->protocol : ipv6_hdr(skb)->nexthdr;

	if (!o->gso_type) {
		skb->ip_summed = o->flags ? CHECKSUM_UNNECESSARY : CHECKSUM_NONE;
		return 0;
	}
	/* it would believe any place for the checksum, and take what is there for TCP's header */
	if (o->gso_type != (v4 ? IPSP_GSO_TCPV4 : IPSP_GSO_TCPV6) || protocol != IPPROTO_TCP ||
	    o->csum_start != skb_transport_offset(skb) ||
	    o->csum_offset != offsetof(struct tcphdr, check) ||
	    virtio_net_hdr_to_skb(skb, &hdr, little))
		return IPSP_BROKEN_LENGTH;
	return 0;
}

static u32 answer_transformed_in(struct stack *s, struct ticket *t, const struct reply *r)
{
	const struct ipsp_offload *offload = &r->answer.offload;
	u32 err;

	if (!r->answer.segments || !r->rec.data_len || r->rec.data_len >= in_bound(t))
		return IPSP_BROKEN_LENGTH;
	if (!in_offload_is_served(t, offload))
		return IPSP_BROKEN_NOT_SERVED;
	t->answer = answer_skb(r->data, r->rec.data_len);
	if (!t->answer) {
		t->verdict = IPSP_VERDICT_DROP;
		t->reason = IPSP_DROP_NO_MEMORY;
		return 0;
	}
	err = in_check(s, t, t->answer);
	return err ?: in_offload(t->answer, offload);
}

/* ---- the other verdicts ---------------------------------------------------------- */

/* What leaves under an SA is of its label, whatever the stack believes. */
static u32 answer_label(struct stack *s, struct ticket *t)
{
	u32 label;

	rcu_read_lock();
	label = ipsp_protect_label(s->c, &t->flow->tuple);
	if (t->answer_handle->config.label != label ||
	    !ipsp_bundle_bears(s->c, &t->bundle, label)) {
		t->verdict = IPSP_VERDICT_DROP;
		t->reason = IPSP_DROP_LABEL;
	}
	rcu_read_unlock();
	return 0;
}

static u32 answer_classify(struct stack *s, struct ticket *t, const struct reply *r)
{
	u32 i, handles = r->answer.handles;
	struct bundle bundle = { 0 };
	struct handle *h;

	if (!handles || handles > IPSP_STAMPS)
		return IPSP_BROKEN_HANDLE;
	for (i = 1; i < handles; i++) {
		if (!r->answer.handle[i])
			return IPSP_BROKEN_HANDLE;
		bundle.outer[i - 1] = r->answer.handle[i];
	}
	t->bundle = bundle;		/* whole: nothing that another one said of it stays */
	rcu_read_lock();
	h = ipsp_handle_by_id(s->c, r->answer.handle[0]);
	if (h && h->config.direction == IPSP_DIR_OUT &&
	    ipsp_bundle_stands(s->c, &t->bundle) && ipsp_handle_hold(h))
		t->answer_handle = h;
	rcu_read_unlock();
	if (t->answer_handle)
		return answer_label(s, t);
	/* Deleted while the ticket was out: release asks again, and does not punish. */
	t->verdict = IPSP_VERDICT_DROP;
	t->reason = IPSP_DROP_STALE;
	return 0;
}

/* Refused inside the protect list, whatever the stack believes. */
static u32 answer_bypass(struct stack *s, struct ticket *t, const struct reply *r)
{
	rcu_read_lock();
	if (ipsp_protect_ask(s->c, &t->flow->tuple) == PROTECT_MUST) {
		t->verdict = IPSP_VERDICT_DROP;
		t->reason = IPSP_DROP_BYPASS_REFUSED;
	}
	rcu_read_unlock();
	return 0;
}

static u32 answer_drop(struct stack *s, struct ticket *t, const struct reply *r)
{
	if (r->answer.reason < IPSP_DROP_FIRST_OF_STACK || r->answer.reason >= IPSP_DROP_COUNT)
		return IPSP_BROKEN_VERDICT;
	t->reason = r->answer.reason;
	return 0;
}

/* Out of the order, until the id is released; hold.c. */
static u32 answer_hold(struct stack *s, struct ticket *t, const struct reply *r)
{
	t->acquire = r->answer.acquire;
	return t->acquire ? 0 : IPSP_BROKEN_VERDICT;
}

static u32 answer_toobig(struct stack *s, struct ticket *t, const struct reply *r)
{
	u32 floor = t->skb->protocol == htons(ETH_P_IP) ? IPSP_MTU_FLOOR4 : IPSP_MTU_FLOOR6;

	if (r->answer.mtu < floor || r->answer.mtu > max(t->mtu, floor))
		return IPSP_BROKEN_MTU;
	t->answer_mtu = r->answer.mtu;
	return 0;
}

static u32 answer_not_served(struct stack *s, struct ticket *t, const struct reply *r)
{
	return IPSP_BROKEN_NOT_SERVED;
}

typedef u32 (*answer_fn)(struct stack *s, struct ticket *t, const struct reply *r);

/* kind x verdict; what is missing breaks the attachment. */
static const answer_fn answer_table[3][IPSP_VERDICT_TOOBIG + 1] = {
	[TICKET_CLASSIFY] = {
		[IPSP_VERDICT_CLASSIFY] = answer_classify,
		[IPSP_VERDICT_BYPASS] = answer_bypass,
		[IPSP_VERDICT_DROP] = answer_drop,
		[IPSP_VERDICT_HOLD] = answer_hold,
	},
	[TICKET_PROTECT] = {
		[IPSP_VERDICT_TRANSFORMED] = answer_transformed_out,
		[IPSP_VERDICT_DROP] = answer_drop,
		[IPSP_VERDICT_TOOBIG] = answer_toobig,
	},
	[TICKET_UNPROTECT] = {
		[IPSP_VERDICT_TRANSFORMED] = answer_transformed_in,
		[IPSP_VERDICT_MERGED] = answer_not_served,
		[IPSP_VERDICT_DROP] = answer_drop,
	},
};

/* ---- records --------------------------------------------------------------------- */

static u32 answer_ticket(struct stack *s, struct ticket *t, const struct reply *r)
{
	answer_fn fn;

	if (r->answer.verdict > IPSP_VERDICT_TOOBIG)
		return IPSP_BROKEN_VERDICT;
	fn = answer_table[t->kind][r->answer.verdict];
	if (!fn)
		return IPSP_BROKEN_VERDICT;
	if (r->answer.verdict != IPSP_VERDICT_TRANSFORMED && r->rec.data_len)
		return IPSP_BROKEN_RECORD;
	t->verdict = r->answer.verdict;
	return fn(s, t, r);
}

/* Tickets that an answer ends. */
static u32 answer_count(const struct ipsp_record *rec, const struct ipsp_answer *a)
{
	if (!(rec->ticket & 1) || a->verdict != IPSP_VERDICT_TRANSFORMED)
		return 1;
	return min(a->segments, IPSP_MERGE_MAX + 1);
}

static bool answer_votes(const struct stack *s)
{
	return s->c->config.mode != IPSP_MODE_SHARE;
}

/* Where stacks vote, what was said in front of an answer counts with it. */
static u32 answer_asked(struct stack *s, const struct ipsp_acquire *acquire)
{
	return acquire->acquire ? ipsp_hold_acquire(s->c, acquire) : IPSP_BROKEN_NONE;
}

/* What is elected is parsed: a private copy, that all who won said. */
static void answer_elected(struct stack *s, struct ticket *t, const struct reply *r,
			   const struct ballot *elected)
{
	struct reply won = *r;
	u32 err;

	won.answer = elected->answer;
	won.data = elected->data;
	won.rec.data_len = elected->data_len;
	err = answer_asked(s, &elected->acquire);
	ipsp_quorum_built(s->c, t, err ?: answer_ticket(s, t, &won));
}

/* Nobody has said it yet: it is copied once, whole. Without memory for it, it has not voted. */
static struct ticket *answer_ballot(struct stack *s, u64 number, const struct said *said,
				    const struct ballot **elected)
{
	struct ballot *b = ipsp_ballot_new(said);

	if (b)
		answer_copy(said->data, b->data, b->data_len);
	return ipsp_quorum_cast(s, number, said->tickets, b, elected);
}

static enum echo answer_vote(struct stack *s, const struct reply *r, u32 count)
{
	const struct said said = {
		.answer = &r->answer, .acquire = &s->acquire,
		.data = r->data, .data_len = r->rec.data_len, .tickets = count,
	};
	const struct ballot *elected;
	struct ticket *t = NULL;
	enum echo echo = ipsp_quorum_echo(s, r->rec.ticket, &said, &t, &elected);

	if (echo == ECHO_NONE)
		t = answer_ballot(s, r->rec.ticket, &said, &elected);
	if (t)
		answer_elected(s, t, r, elected);
	return echo;
}

/* What was said in front of it is nobody's before the ticket is known to be this stack's. */
static u32 answer_claimed(struct stack *s, const struct reply *r, u32 count)
{
	struct ticket *t = ipsp_deal_claim(s->c, r->rec.ticket, count, s);
	u32 err;

	if (!t)
		return IPSP_BROKEN_TICKET;
	err = answer_asked(s, &s->acquire) ?: answer_ticket(s, t, r);
	if (err)
		ipsp_deal_unclaim(s->c, t);
	else
		ipsp_deal_answered(s->c, t);
	return err;
}

static u32 answer_one(struct stack *s, const struct ipsp_record *rec, const u8 *from)
{
	struct reply r = { .rec = *rec, .data = from + rec->data_offset };
	enum echo echo;
	u32 count, err;

	if (rec->control_len != sizeof(r.answer))
		return IPSP_BROKEN_RECORD;
	answer_copy(from + sizeof(*rec), &r.answer, sizeof(r.answer));
	count = answer_count(rec, &r.answer);
	if (r.answer.reserved[0] || r.answer.reserved[1] || r.answer.reserved[2] ||
	    r.answer.offload.reserved || count > IPSP_MERGE_MAX)
		return IPSP_BROKEN_RECORD;
	trace_ipsp_answer(s->c->config.name, rec->ticket, r.answer.verdict);
	if (!answer_votes(s))
		return answer_claimed(s, &r, count);
	echo = count ? answer_vote(s, &r, count) : ECHO_NOT_OWED;
	if (echo == ECHO_TOO_LONG)
		return IPSP_BROKEN_LENGTH;
	err = echo == ECHO_NOT_OWED ? answer_claimed(s, &r, count) : IPSP_BROKEN_NONE;
	memset(&s->acquire, 0, sizeof(s->acquire));
	return err;
}

/* Counts of an honest stack with no ticket; they move no number that anyone relies on. */
static u32 answer_note(struct stack *s, const struct ipsp_record *rec, const u8 *from)
{
	struct ipsp_note note;

	if (rec->control_len != sizeof(note) || rec->data_len)
		return IPSP_BROKEN_RECORD;
	answer_copy(from + sizeof(*rec), &note, sizeof(note));
	if (note.reason < IPSP_DROP_FIRST_OF_STACK || note.reason >= IPSP_DROP_COUNT ||
	    note.reserved16 || memchr_inv(note.reserved, 0, sizeof(note.reserved)))
		return IPSP_BROKEN_RECORD;
	return 0;
}

/* What it needs an SA for: the manager's to judge. */
static u32 answer_acquire(struct stack *s, const struct ipsp_record *rec, const u8 *from)
{
	struct ipsp_acquire acquire;

	if (rec->control_len != sizeof(acquire) || rec->data_len)
		return IPSP_BROKEN_RECORD;
	answer_copy(from + sizeof(*rec), &acquire, sizeof(acquire));
	if (!answer_votes(s))
		return ipsp_hold_acquire(s->c, &acquire);
	s->acquire = acquire;
	return IPSP_BROKEN_NONE;
}

/* All behind the ticket is 0: the band, and what is reserved. */
static bool answer_is_plain(const struct ipsp_record *rec)
{
	const u64 *word = (const u64 *)rec;

	BUILD_BUG_ON(offsetof(struct ipsp_record, band) != 32 || sizeof(*rec) != 64);
	return !rec->flags && !(word[4] | word[5] | word[6] | word[7]);
}

static u32 answer_record(struct stack *s, const struct ipsp_record *rec, const u8 *from)
{
	if (!answer_is_plain(rec))
		return IPSP_BROKEN_RECORD;
	if (rec->type == IPSP_REC_ANSWER)
		return answer_one(s, rec, from);
	if (rec->type == IPSP_REC_NOTE)
		return answer_note(s, rec, from);
	return rec->type == IPSP_REC_ACQUIRE ? answer_acquire(s, rec, from) : IPSP_BROKEN_RECORD;
}

/* All that was submitted when we looked; 0 or IPSP_BROKEN_*. */
static u32 answer_consume(struct stack *s)
{
	struct ipsp_record rec;
	const u8 *from;
	u32 left, err;

	lockdep_assert_held(&s->kick);
	left = ipsp_ring_peek(&s->up);
	if (ipsp_ring_is_broken(&s->up))
		return IPSP_BROKEN_INDEX;
	for (; left; left -= rec.len) {
		from = ipsp_ring_record(&s->up);
		answer_copy(from, &rec, sizeof(rec));
		if (!ipsp_record_is_sane(&rec, left))
			return IPSP_BROKEN_RECORD;
		err = answer_record(s, &rec, from);
		if (err)
			return err;
		ipsp_ring_step(&s->up, rec.len);
	}
	ipsp_ring_release(&s->up);
	return 0;
}

static long answer_take(struct stack *s)
{
	struct compartment *c = s->c;
	u32 err;

	if (READ_ONCE(s->state) == STACK_BROKEN)
		return -EPIPE;
	mutex_lock(&s->kick);
	err = answer_consume(s);
	if (err)
		ipsp_stream_break(s, err);
	spin_lock_bh(&c->lock);
	ipsp_deal_run(c);
	ipsp_stream_progress(s);
	ipsp_share_leave(s);
	ipsp_release_run_locked(c);
	spin_unlock_bh(&c->lock);
	mutex_unlock(&s->kick);
	return READ_ONCE(s->state) == STACK_BROKEN ? -EPIPE : 0;
}

/* Killed in its sleep: its end is known now, not when all of its memory has been freed. */
static long answer_interrupted(struct stack *s)
{
	if (fatal_signal_pending(current))
		ipsp_stream_break(s, IPSP_BROKEN_NONE);
	return -EINTR;
}

long ipsp_answer_kick(struct stack *s, unsigned long flags)
{
	long err;

	if (flags & ~(unsigned long)IPSP_KICK_ALL)
		return -EINVAL;
	ipsp_count(s->c, KICKS);
	err = answer_take(s);
	if (err || !(flags & IPSP_KICK_WAIT))
		return err;
	if (wait_event_interruptible(s->wait, ipsp_stream_has_work(s) ||
				     READ_ONCE(s->state) == STACK_BROKEN))
		return answer_interrupted(s);
	return READ_ONCE(s->state) == STACK_BROKEN ? -EPIPE : 0;
}
