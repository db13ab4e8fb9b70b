// SPDX-License-Identifier: GPL-2.0
/*
 * redirector.c - for each packet: pass, drop, or give to a port
 *
 * Outbound, in two steps. At LOCAL_OUT (last) and FORWARD (first) the rule and the flow
 * are asked, and what must be protected is diverted (divert.c). After POST_ROUTING,
 * capture asks again by what the packet has become (SNAT), and deals it. The guard, first
 * in POST_ROUTING, catches what must be protected and did not come this way, because
 * somebody replaced its route; behind SNAT, what passed as a bypass and has a new name is
 * asked again. Both send what they divert through the rest of the chain, to capture.
 *
 * Inbound, clear packets meet the protect list at LOCAL_IN and FORWARD; what came out of a
 * stack bears our secpath and passes where its compartment is the rule's.
 */
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/addrconf.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/route.h>
#include <net/xfrm.h>
#include "compat/compat.h"
#include "bypass.h"
#include "compartment.h"
#include "encap.h"
#include "handle.h"
#include "memo.h"
#include "netns.h"
#include "protect.h"
#include "receiver.h"
#include "redirector.h"
#include "rule.h"
#include "trace.h"

/* What we send ourselves passes LOCAL_OUT and POST_ROUTING in one call, softirqs off. */
static DEFINE_PER_CPU(bool, redirector_sending);

void ipsp_redirector_sending(bool sending)
{
	__this_cpu_write(redirector_sending, sending);
}

struct look {				/* at one packet */
	struct ipsp_tuple tuple;	/* as the rules see it */
	struct ipsp_tuple key;		/* as the flow cache does: only what policies look at */
	const struct rule *rule;
	u16 flags;
	enum flow_stage stage;
	bool by_socket;			/* passes because its socket says so */
};

enum outcome { PASS, DROP, LOST, CLOSED, UNREADABLE, TO_PORT };

static u8 state_family(const struct nf_hook_state *state)
{
	return state->pf == NFPROTO_IPV4 ? 4 : 6;
}

/*
 * What the rules say of a packet going `direction` by dev. A malformed one has addresses that
 * rules match, but nothing that a stack could judge its flow by: where a compartment would be
 * asked it ends. Without a rule set it passes to those who judge it; `closed` then leaves
 * neighbour discovery (and loopback, which never comes here).
 */
static enum outcome redirector_look(struct net *net, struct sk_buff *skb, u8 family,
				    u8 direction, const struct net_device *dev,
				    struct look *l)
{
	bool closed, readable;

	l->flags = 0;
	l->rule = NULL;
	l->by_socket = false;
	closed = !rcu_access_pointer(ipsp_net(net)->rules);
	if (closed && !ipsp_closed)
		return PASS;
	readable = ipsp_packet_tuple(skb, family, direction, &l->tuple, &l->flags);
	if (ipsp_packet_is_discovery(&l->tuple))
		return PASS;
	if (closed)
		return CLOSED;
	if (direction == IPSP_DIR_OUT &&
	    ipsp_bypass_by_socket(skb_to_full_sk(skb), direction)) {
		l->by_socket = true;	/* not remembered: others may get its ports */
		return PASS;
	}
	l->rule = direction == IPSP_DIR_OUT ?
		  ipsp_rule_find(net, &l->tuple, dev, skb_to_full_sk(skb)) :
		  ipsp_receiver_rule(net, skb, dev, &l->tuple, l->flags);
	if (!l->rule || l->rule->config.action == IPSP_RULE_BYPASS)
		return PASS;
	if (l->rule->config.action == IPSP_RULE_DROP)
		return DROP;
	if (!l->rule->c)
		return LOST;
	if (!readable)
		return UNREADABLE;
	l->key = l->tuple;
	l->key.ifindex = dev ? dev->ifindex : 0;
	ipsp_protect_mask_tuple(l->rule->c, skb, &l->key);
	return TO_PORT;
}

static unsigned int redirector_refuse(struct net *net, enum outcome o)
{
	ipsp_stats_net_drop(net, o == LOST ? IPSP_DROP_NO_COMPARTMENT :
				 o == CLOSED ? IPSP_DROP_CLOSED :
				 o == UNREADABLE ? IPSP_DROP_NOT_SERVED : IPSP_DROP_RULE);
	return NF_DROP;
}

static unsigned int redirector_drop(struct compartment *c, u32 reason)
{
	ipsp_count(c, CAPTURED);
	ipsp_count_drop(c, reason);
	trace_ipsp_drop(c->config.name, 0, reason);
	return NF_DROP;
}

/* ---- outbound: the first step, and the guard ------------------------------------- */

/* Without a stack nothing can be asked; `fail open` lets go what may be clear. */
static bool redirector_fails_open(const struct look *l)
{
	struct compartment *c = l->rule->c;

	return c->config.fail == IPSP_FAIL_OPEN && !ipsp_deal_has_stack(c) &&
	       !ipsp_rule_protects(l->rule) && ipsp_protect_ask(c, &l->key) != PROTECT_MUST;
}

static bool redirector_is_own(struct net *net, const struct sk_buff *skb,
			      const struct ipsp_tuple *t)
{
	const struct ipsp_net *n = ipsp_net(net);
	const u8 protocol = t->protocol == IPPROTO_AH ? IPPROTO_AH : IPPROTO_ESP;
	const struct handle *h;
	__be32 spi;

	if (!(t->protocol == protocol && atomic_read(&n->handles_out)) &&
	    !(t->protocol == IPPROTO_UDP && atomic_read(&n->handles_encap[IPSP_DIR_OUT])))
		return false;
	if (!ipsp_packet_spi(skb, t, &spi))
		return false;
	h = ipsp_handle_find_out(net, t->family, t->destination, protocol, spi);
	return h && ipsp_encap_carries(h, t);
}

/* The packet stays at its hook: 0, or it is gone: NF_DROP, NF_STOLEN. */
static unsigned int redirector_by_flow(struct sk_buff *skb, const struct nf_hook_state *state,
				       const struct look *l, struct flow *f)
{
	struct compartment *c = l->rule->c;

	switch (ipsp_flow_state(f)) {
	case FLOW_BYPASS:
		if (ipsp_rule_protects(l->rule))
			return redirector_drop(c, IPSP_DROP_BYPASS_REFUSED);
		return NF_ACCEPT;
	case FLOW_DROP:
		return redirector_drop(c, f->reason);
	case FLOW_PROTECT:
		if (!ipsp_divert(state->net, skb, f))
			return redirector_drop(c, IPSP_DROP_NO_MEMORY);
		return NF_ACCEPT;
	default:
		ipsp_flow_ask(c, &l->key, skb, l->stage, state, l->flags);
		return NF_STOLEN;
	}
}

/*
 * Whether what is known of the flow is all there is to know: not of what may be our own
 * output, nor of what may be clear without a stack, or by its socket.
 */
static bool redirector_is_of(struct net *net, const struct sk_buff *skb, struct flow *f)
{
	if (f->tuple.protocol == IPPROTO_ESP || f->c->config.fail == IPSP_FAIL_OPEN ||
	    (f->tuple.protocol == IPPROTO_UDP &&
	     atomic_read(&ipsp_net(net)->handles_encap[IPSP_DIR_OUT])))
		return false;
	return ipsp_flow_protects_still(f) &&
	       !ipsp_bypass_by_socket(skb_to_full_sk(skb), IPSP_DIR_OUT);
}

/* Apart from the quick way, whose frame stays small. */
static noinline unsigned int redirector_out_look(struct sk_buff *skb,
						 const struct nf_hook_state *state,
						 const struct net_device *dev,
						 enum flow_stage stage, struct decided *d)
{
	struct look l = { .stage = stage };
	struct net *net = state->net;
	unsigned int verdict;
	struct flow *f;
	enum outcome o;

	o = redirector_look(net, skb, state_family(state), IPSP_DIR_OUT, dev, &l);
	d->rule = l.rule;
	d->flow = NULL;
	if (o == PASS) {
		if (!l.by_socket)
			ipsp_memo_keep(skb, dev, d);
		return NF_ACCEPT;
	}
	if (redirector_is_own(net, skb, &l.tuple))
		return NF_ACCEPT;
	if (o != TO_PORT)
		return redirector_refuse(net, o);
	if (redirector_fails_open(&l)) {
		/* once a packet, where it leaves: every one comes by the guard */
		if (state->hook == NF_INET_POST_ROUTING && stage == FLOW_AT_HOOK)
			ipsp_count(l.rule->c, FAILED_OPEN);
		return NF_ACCEPT;
	}
	f = ipsp_flow_find(l.rule->c, &l.key);
	if (!f) {
		ipsp_flow_ask(l.rule->c, &l.key, skb, stage, state, l.flags);
		return NF_STOLEN;
	}
	verdict = redirector_by_flow(skb, state, &l, f);
	if (verdict != NF_ACCEPT)
		return verdict;
	d->flow = ipsp_divert_is_ours(skb_dst(skb)) ? f : NULL;
	if (!d->flow || redirector_is_of(net, skb, f))
		ipsp_memo_keep(skb, dev, d);
	return NF_ACCEPT;
}

static unsigned int redirector_out(struct sk_buff *skb, const struct nf_hook_state *state,
				   enum flow_stage stage)
{
	const struct net_device *dev = state->out;
	struct decided d;

	if (this_cpu_read(redirector_sending) || !skb_dst(skb) ||
	    ipsp_divert_is_ours(skb_dst(skb)))
		return NF_ACCEPT;
	if (!dev)
		dev = skb_dst(skb)->dev;
	if (dev->flags & IFF_LOOPBACK)
		return NF_ACCEPT;
	if (!ipsp_memo_knows(skb, dev, IPSP_DIR_OUT, &d) ||
	    (d.flow && !redirector_is_of(state->net, skb, d.flow)))
		return redirector_out_look(skb, state, dev, stage, &d);
	if (d.flow && !ipsp_divert(state->net, skb, d.flow))
		return redirector_drop(d.flow->c, IPSP_DROP_NO_MEMORY);
	ipsp_memo_note(skb, &d);
	return NF_ACCEPT;
}

/* ---- outbound: the second step --------------------------------------------------- */

/* After POST_ROUTING, in clear: by the route it would have had, without the chain again. */
static int capture_clear(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	ipsp_reinject_clear(net, sk, skb);
	return 0;
}

static int capture_drop(struct compartment *c, struct sk_buff *skb, u32 reason)
{
	redirector_drop(c, reason);
	kfree_skb(skb);
	return 0;
}

static u16 capture_flags(const struct sk_buff *skb, u8 family)
{
	bool forwarded = family == 4 ? IPCB(skb)->flags & IPSKB_FORWARDED :
				       IP6CB(skb)->flags & IP6SKB_FORWARDED;

	if (forwarded)
		return 0;
	return IPSP_PKT_LOCAL | (skb->ignore_df ? IPSP_PKT_IGNORE_DF : 0);
}

static int capture_ask(struct net *net, struct sock *sk, struct sk_buff *skb,
		       const struct look *l)
{
	struct nf_hook_state state;

	nf_hook_state_init(&state, NF_INET_POST_ROUTING,
			   l->tuple.family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6, NULL, skb->dev,
			   sk, net, ipsp_redirector_capture);
	ipsp_flow_ask(l->rule->c, &l->key, skb, FLOW_AT_CAPTURE, &state, l->flags);
	return 0;
}

static int capture_by_flow(struct net *net, struct sock *sk, struct sk_buff *skb,
			   const struct look *l, struct flow *f)
{
	struct compartment *c = l->rule->c;

	switch (ipsp_flow_state(f)) {
	case FLOW_BYPASS:
		if (ipsp_rule_protects(l->rule))
			return capture_drop(c, skb, IPSP_DROP_BYPASS_REFUSED);
		return capture_clear(net, sk, skb);
	case FLOW_DROP:
		return capture_drop(c, skb, f->reason);
	case FLOW_PROTECT:
		ipsp_deal_protect(c, f->handle, &f->bundle, skb, l->flags);
		return 0;
	default:
		return capture_ask(net, sk, skb, l);
	}
}

static int capture_look(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	u8 family = skb->protocol == htons(ETH_P_IP) ? 4 : 6;
	const struct bundle *b;
	struct handle *h;
	struct flow *f;
	struct look l;
	enum outcome o;

	h = ipsp_memo_just_noted(skb) ? ipsp_divert_handle(skb_dst(skb), &b) : NULL;
	if (h) {
		ipsp_deal_protect(h->c, h, b, skb, capture_flags(skb, family));
		return 0;
	}
	o = redirector_look(net, skb, family, IPSP_DIR_OUT, skb->dev, &l);
	if (o == PASS)
		return capture_clear(net, sk, skb);
	if (o != TO_PORT) {
		redirector_refuse(net, o);
		kfree_skb(skb);
		return 0;
	}
	l.flags |= capture_flags(skb, family);
	f = ipsp_flow_find(l.rule->c, &l.key);
	return f ? capture_by_flow(net, sk, skb, &l, f) : capture_ask(net, sk, skb, &l);
}

int ipsp_redirector_capture(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	int err;

	rcu_read_lock();
	err = capture_look(net, sk, skb);
	rcu_read_unlock();
	return err;
}

/* ---- the rest of a chain --------------------------------------------------------- */

static nf_hookfn hook_local_out, hook_forward, hook_local_in, hook_post_routing, hook_behind_snat;

static const struct nf_hook_entries *chain_of(const struct nf_hook_state *state)
{
	const struct netns_nf *nf = &state->net->nf;

	if (state->pf == NFPROTO_IPV4)
		return rcu_dereference(nf->hooks_ipv4[state->hook]);
	return rcu_dereference(nf->hooks_ipv6[state->hook]);
}

static nf_hookfn *chain_hook_of_ours(const struct nf_hook_state *state, enum flow_stage stage)
{
	if (state->hook == NF_INET_LOCAL_OUT)
		return hook_local_out;
	if (state->hook == NF_INET_FORWARD)
		return hook_forward;
	if (state->hook == NF_INET_LOCAL_IN)
		return hook_local_in;
	return stage == FLOW_BEHIND_SNAT ? hook_behind_snat : hook_post_routing;
}

/* Sends skb on from behind our hook, as a verdict on a queued packet does. */
static void chain_go_on(struct sk_buff *skb, struct nf_hook_state *state, enum flow_stage stage)
{
	const struct nf_hook_entries *chain = chain_of(state);
	nf_hookfn *ours = chain_hook_of_ours(state, stage);
	u32 i, count = chain ? chain->num_hook_entries : 0;

	for (i = 0; i < count; i++)
		if (chain->hooks[i].hook == ours)
			break;
	if (i == count) {		/* our hooks went meanwhile */
		ipsp_stats_net_drop(state->net, IPSP_DROP_DIVERTED_LOST);
		kfree_skb(skb);
		return;
	}
	if (nf_hook_slow(skb, state, chain, i + 1) == 1)
		state->okfn(state->net, state->sk, skb);
}

/* Diverted inside POST_ROUTING: it ends in capture, as if our output had begun the chain. */
static void chain_go_on_diverted(struct sk_buff *skb, struct nf_hook_state *state,
				 enum flow_stage stage)
{
	state->okfn = ipsp_redirector_capture;
	chain_go_on(skb, state, stage);
}

/* ---- packets that waited --------------------------------------------------------- */

static void resume_hook(struct sk_buff *skb, struct nf_hook_state *state, enum flow_stage stage)
{
	if (state->hook == NF_INET_POST_ROUTING && ipsp_divert_is_ours(skb_dst(skb)))
		chain_go_on_diverted(skb, state, stage);
	else
		chain_go_on(skb, state, stage);
}

static void resume_protect(struct sk_buff *skb, enum flow_stage stage,
			   struct nf_hook_state *state, struct flow *f)
{
	u8 family = f->tuple.family;

	if (stage == FLOW_AT_CAPTURE) {
		ipsp_deal_protect(f->c, f->handle, &f->bundle, skb,
				  capture_flags(skb, family));
		return;
	}
	if (!ipsp_divert(state->net, skb, f)) {
		capture_drop(f->c, skb, IPSP_DROP_NO_MEMORY);
		return;
	}
	resume_hook(skb, state, stage);
}

/* A bypass under a `protect` rule is refused here too: the rule is looked up anew. */
static bool resume_may_be_clear(struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct net_device *dev = state->out ?: skb_dst(skb)->dev;
	struct look l;
	enum outcome o;

	o = redirector_look(state->net, skb, state_family(state), IPSP_DIR_OUT, dev, &l);
	return o == PASS || (o == TO_PORT && !ipsp_rule_protects(l.rule));
}

void ipsp_redirector_resume(struct sk_buff *skb, enum flow_stage stage,
			    struct nf_hook_state *state, struct flow *f)
{
	rcu_read_lock();
	if (f->answer == FLOW_PROTECT)
		resume_protect(skb, stage, state, f);
	else if (!resume_may_be_clear(skb, state))
		capture_drop(f->c, skb, IPSP_DROP_BYPASS_REFUSED);
	else if (stage == FLOW_AT_CAPTURE)
		ipsp_reinject_clear(state->net, state->sk, skb);
	else
		resume_hook(skb, state, stage);
	rcu_read_unlock();
}

/* ---- inbound: clear packets ------------------------------------------------------ */

static bool redirector_kernel_asks(const struct net *net, u8 dir)
{
	return net->xfrm.policy_count[dir] ||
	       net->xfrm.policy_default[dir] != XFRM_USERPOLICY_ACCEPT;
}

/* The stack asked the policies. Where the kernel has none of its own, spare its search. */
static void redirector_spare_policy(const struct net *net, struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP) && !redirector_kernel_asks(net, XFRM_POLICY_IN) &&
	    !redirector_kernel_asks(net, XFRM_POLICY_FWD))
		IPCB(skb)->flags |= IPSKB_NOPOLICY;
}

/* The SA under which a packet came out of a stack, or NULL. */
static const struct handle *redirector_came_under(const struct sk_buff *skb)
{
	const struct sec_path *sp = skb_sec_path(skb);

	return sp && sp->len ? ipsp_handle_of_state(sp->xvec[sp->len - 1]) : NULL;
}

/* The compartment whose stack that was, or NULL. */
static struct compartment *redirector_came_by(const struct sk_buff *skb)
{
	const struct handle *h = redirector_came_under(skb);

	return h ? h->c : NULL;
}

/* It came under an SA of a label that is not its receiver's. */
static bool redirector_is_mislabelled(const struct sk_buff *skb, const struct ipsp_tuple *t)
{
	const struct handle *h = redirector_came_under(skb);

	return h && h->config.label && h->config.label != t->label;
}

/*
 * Where rules name owners, what came out of a stack may enter only sockets that a rule gives
 * to its compartment; what no socket waits for is nobody's.
 */
static bool redirector_is_astray(struct net *net, const struct sk_buff *skb, u8 direction)
{
	return direction == IPSP_DIR_IN && ipsp_rule_by_owner(net) && redirector_came_by(skb);
}

/*
 * ESP of ours on its way to our protocol handler: transport mode's rules cover it too.
 * IPv6 comes here in fragments; one without an SPI can still only end in an ESP handler.
 */
static bool redirector_is_ours_to_open(struct net *net, const struct sk_buff *skb,
				       const struct look *l)
{
	const struct ipsp_tuple *t = &l->tuple;
	const void *destination;	/* as the handler sees it: behind DNAT */
	__be32 spi;

	if (t->direction != IPSP_DIR_IN ||
	    (t->protocol != IPPROTO_ESP && t->protocol != IPPROTO_AH))
		return false;
	if (!ipsp_packet_spi(skb, t, &spi))
		return l->flags & IPSP_PKT_FRAGMENT;
	destination = t->family == 4 ? (void *)&ip_hdr(skb)->daddr : &ipv6_hdr(skb)->daddr;
	return ipsp_handle_find_in(net, t->family, destination, t->protocol, spi);
}

static noinline unsigned int redirector_in_look(struct sk_buff *skb,
						const struct nf_hook_state *state,
						u8 direction, struct decided *d)
{
	struct look l;
	enum outcome o;

	o = redirector_look(state->net, skb, state_family(state), direction, state->in, &l);
	if (o == PASS && redirector_is_astray(state->net, skb, direction))
		return redirector_drop(redirector_came_by(skb), IPSP_DROP_INNER);
	d->rule = l.rule;
	d->flow = NULL;
	if (o == PASS) {
		if (!secpath_exists(skb))
			ipsp_memo_keep(skb, state->in, d);
		return NF_ACCEPT;
	}
	if (o != TO_PORT)
		return redirector_refuse(state->net, o);
	if (redirector_came_by(skb) == l.rule->c) {
		if (redirector_is_mislabelled(skb, &l.tuple))
			return redirector_drop(l.rule->c, IPSP_DROP_LABEL);
		redirector_spare_policy(state->net, skb);
		ipsp_memo_keep(skb, state->in, d);
		return NF_ACCEPT;
	}
	if (redirector_is_ours_to_open(state->net, skb, &l))
		return NF_ACCEPT;
	if (ipsp_bypass_by_receiver(state->net, skb, &l.tuple))
		return NF_ACCEPT;
	if (ipsp_flow_clear(l.rule->c, &l.key, ipsp_rule_protects(l.rule)) == FLOW_BYPASS &&
	    !ipsp_rule_protects(l.rule)) {
		ipsp_count(l.rule->c, CLEAR_PASSED);
		if (!secpath_exists(skb))
			ipsp_memo_keep(skb, state->in, d);
		return NF_ACCEPT;
	}
	return redirector_drop(l.rule->c, IPSP_DROP_CLEAR);
}

static unsigned int redirector_in(struct sk_buff *skb, const struct nf_hook_state *state,
				  u8 direction)
{
	struct decided d;

	if (!state->in || (state->in->flags & IFF_LOOPBACK))
		return NF_ACCEPT;
	if (!ipsp_memo_knows(skb, state->in, direction, &d))
		return redirector_in_look(skb, state, direction, &d);
	if (secpath_exists(skb))
		redirector_spare_policy(state->net, skb);
	return NF_ACCEPT;
}

/* ---- inbound: clear fragments ------------------------------------------------------ */

static bool redirector_is_local(struct net *net, const struct sk_buff *skb, u8 family)
{
	return family == 4 ? inet_addr_type(net, ip_hdr(skb)->daddr) == RTN_LOCAL :
			     ipv6_chk_addr(net, &ipv6_hdr(skb)->daddr, NULL, 0);
}

/*
 * In transport mode ESP in UDP comes from an address that a rule covers, maybe in fragments.
 * Those are gathered apart from all others, so that none gets to what came out of a stack;
 * the whole is judged at LOCAL_IN. IPv6's reassembly cannot be asked so: there they end.
 */
#define ENCAP_DEFRAG	0x69707370	/* beside enum ip_defrag_users */

static bool encap_may_be_of(struct net *net, const struct look *l)
{
	return l->tuple.family == 4 && l->tuple.direction == IPSP_DIR_IN &&
	       l->tuple.protocol == IPPROTO_UDP &&
	       atomic_read(&ipsp_net(net)->handles_encap[IPSP_DIR_IN]);
}

static unsigned int encap_gather(struct net *net, struct sk_buff *skb)
{
	int err;

	local_bh_disable();
	err = ip_defrag(net, skb, ENCAP_DEFRAG);
	local_bh_enable();
	return err ? NF_STOLEN : NF_ACCEPT;
}

/*
 * Before anyone reassembles: a whole packet is judged by what its first fragment came with,
 * so a clear one must never become the rest of one that came out of a stack. What may be
 * clear is left to the hooks that see it whole.
 */
static noinline unsigned int redirector_fragment(struct sk_buff *skb,
						 const struct nf_hook_state *state)
{
	u8 family = state_family(state), direction;
	enum outcome o;
	struct look l;

	if (skb->dev->flags & IFF_LOOPBACK)
		return NF_ACCEPT;
	direction = redirector_is_local(state->net, skb, family) ? IPSP_DIR_IN : IPSP_DIR_FWD;
	o = redirector_look(state->net, skb, family, direction, state->in, &l);
	if (o == UNREADABLE)
		return redirector_refuse(state->net, o);
	if (o != TO_PORT || redirector_came_by(skb) == l.rule->c ||
	    redirector_is_ours_to_open(state->net, skb, &l))
		return NF_ACCEPT;
	if (!ipsp_rule_protects(l.rule) && ipsp_protect_ask(l.rule->c, &l.key) != PROTECT_MUST)
		return NF_ACCEPT;
	return encap_may_be_of(state->net, &l) ? encap_gather(state->net, skb) :
						 redirector_drop(l.rule->c, IPSP_DROP_CLEAR);
}

static noinline unsigned int redirector_fragment6(struct sk_buff *skb,
						  const struct nf_hook_state *state)
{
	u8 nexthdr = ipv6_hdr(skb)->nexthdr;
	__be16 fragment = 0;

	ipv6_skip_exthdr(skb, skb_network_offset(skb) + sizeof(struct ipv6hdr), &nexthdr,
			 &fragment);
	return fragment ? redirector_fragment(skb, state) : NF_ACCEPT;
}

/* ---- hooks ----------------------------------------------------------------------- */

static unsigned int hook_fragment4(void *priv, struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	return likely(!ip_is_fragment(ip_hdr(skb))) ? NF_ACCEPT : redirector_fragment(skb, state);
}

static unsigned int hook_fragment6(void *priv, struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	if (likely(!ipv6_ext_hdr(ipv6_hdr(skb)->nexthdr)))
		return NF_ACCEPT;
	return redirector_fragment6(skb, state);
}

static unsigned int hook_local_out(void *priv, struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	return redirector_out(skb, state, FLOW_AT_HOOK);
}

/* Looked up twice: as `fwd` for what it may be, as `out` for what it needs next. */
static unsigned int hook_forward(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	unsigned int verdict = redirector_in(skb, state, IPSP_DIR_FWD);

	return verdict == NF_ACCEPT ? redirector_out(skb, state, FLOW_AT_HOOK) : verdict;
}

static noinline unsigned int redirector_early(struct sk_buff *skb,
					      const struct nf_hook_state *state, u32 header)
{
	struct decided d;
	enum outcome o;
	struct look l;

	if (!ipsp_memo_knows(skb, state->in, IPSP_DIR_IN, &d)) {
		o = redirector_look(state->net, skb, state_family(state), IPSP_DIR_IN,
				    state->in, &l);
		if (o != PASS && o != TO_PORT)
			return redirector_refuse(state->net, o);
		d.rule = l.rule;
		d.flow = NULL;
		if (o == PASS && !secpath_exists(skb))
			ipsp_memo_keep(skb, state->in, &d);
	}
	return ipsp_input_take(skb, header, false) ? NF_STOLEN : NF_ACCEPT;
}

/*
 * ESP of ours spares the way through routing to its handler, where nobody else would look
 * at it there. Its source is checked by its ICV, as with the kernel's own ESP in GRO.
 */
static unsigned int hook_pre_routing(void *priv, struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	u32 header = ipsp_input_early(skb, state);

	return likely(!header) ? NF_ACCEPT : redirector_early(skb, state, header);
}

/* ---- inbound: ESP in UDP --------------------------------------------------------- */

static noinline unsigned int redirector_encap(struct sk_buff *skb,
					      const struct nf_hook_state *state)
{
	struct nf_hook_state rest = *state;
	enum outcome o;
	struct look l;

	o = redirector_look(state->net, skb, state_family(state), IPSP_DIR_IN, state->in, &l);
	if (o != PASS && o != TO_PORT)
		return redirector_refuse(state->net, o);
	rest.okfn = ipsp_encap_open;
	chain_go_on(skb, &rest, FLOW_AT_HOOK);
	return NF_STOLEN;
}

static unsigned int hook_local_in(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	if (atomic_read(&ipsp_net_of_hook(state)->handles_encap[IPSP_DIR_IN]) &&
	    ipsp_encap_is_ours(state->net, skb, state_family(state)))
		return redirector_encap(skb, state);
	return redirector_in(skb, state, IPSP_DIR_IN);
}

/* In POST_ROUTING: what was diverted before is on its way to capture. */
static unsigned int hook_late(struct sk_buff *skb, const struct nf_hook_state *state,
			      enum flow_stage stage)
{
	struct nf_hook_state rest = *state;
	unsigned int verdict;

	if (ipsp_divert_is_ours(skb_dst(skb)))
		return NF_ACCEPT;
	verdict = redirector_out(skb, state, stage);
	if (verdict != NF_ACCEPT || !ipsp_divert_is_ours(skb_dst(skb)))
		return verdict;
	chain_go_on_diverted(skb, &rest, stage);
	return NF_STOLEN;
}

/* The guard */
static unsigned int hook_post_routing(void *priv, struct sk_buff *skb,
				      const struct nf_hook_state *state)
{
	if (ipsp_divert_is_ours(skb_dst(skb)) || ipsp_memo_just_noted(skb))
		return NF_ACCEPT;
	return hook_late(skb, state, FLOW_AT_HOOK);
}

/* NAT gives a source its new name here: that of SNAT, or in an answer the one DNAT hid. */
static unsigned int hook_behind_snat(void *priv, struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	enum ip_conntrack_info info;
	const struct nf_conn *ct = nf_ct_get(skb, &info);

	if (!ct || !(ct->status & IPS_NAT_MASK))
		return NF_ACCEPT;
	return hook_late(skb, state, FLOW_BEHIND_SNAT);
}

#define HOOK(family, where, function, prio) \
	{ .pf = family, .hooknum = NF_INET_##where, .hook = function, .priority = prio }

static const struct nf_hook_ops redirector_hooks[] = {
	HOOK(NFPROTO_IPV4, PRE_ROUTING, hook_fragment4, NF_IP_PRI_FIRST),
	HOOK(NFPROTO_IPV4, PRE_ROUTING, hook_pre_routing, NF_IP_PRI_LAST),
	HOOK(NFPROTO_IPV4, LOCAL_OUT, hook_local_out, NF_IP_PRI_LAST),
	HOOK(NFPROTO_IPV4, FORWARD, hook_forward, NF_IP_PRI_FIRST),
	HOOK(NFPROTO_IPV4, LOCAL_IN, hook_local_in, NF_IP_PRI_FIRST),
	HOOK(NFPROTO_IPV4, POST_ROUTING, hook_post_routing, NF_IP_PRI_FIRST),
	HOOK(NFPROTO_IPV4, POST_ROUTING, hook_behind_snat, NF_IP_PRI_NAT_SRC + 1),
	HOOK(NFPROTO_IPV6, PRE_ROUTING, hook_fragment6, NF_IP6_PRI_FIRST),
	HOOK(NFPROTO_IPV6, PRE_ROUTING, hook_pre_routing, NF_IP6_PRI_LAST),
	HOOK(NFPROTO_IPV6, LOCAL_OUT, hook_local_out, NF_IP6_PRI_LAST),
	HOOK(NFPROTO_IPV6, FORWARD, hook_forward, NF_IP6_PRI_FIRST),
	HOOK(NFPROTO_IPV6, LOCAL_IN, hook_local_in, NF_IP6_PRI_FIRST),
	HOOK(NFPROTO_IPV6, POST_ROUTING, hook_post_routing, NF_IP6_PRI_FIRST),
	HOOK(NFPROTO_IPV6, POST_ROUTING, hook_behind_snat, NF_IP6_PRI_NAT_SRC + 1),
};

int ipsp_redirector_net_init(struct net *net)
{
	return nf_register_net_hooks(net, redirector_hooks, ARRAY_SIZE(redirector_hooks));
}

void ipsp_redirector_net_exit(struct net *net)
{
	nf_unregister_net_hooks(net, redirector_hooks, ARRAY_SIZE(redirector_hooks));
}
