// SPDX-License-Identifier: GPL-2.0
/*
 * receiver.c - see receiver.h
 *
 * As the protocols look themselves, only earlier: what early demultiplexing found in the skb
 * is not enough, a socket that listens or is not connected is not there.
 */
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/udp.h>
#include "label.h"
#include "receiver.h"
#include "redirector.h"
#include "rule.h"

static struct inet_hashinfo *receiver_hash(struct net *net)
{
	return net->ipv4.tcp_death_row.hashinfo;
}

/* What a program that chooses among SO_REUSEPORT's sockets may skip to see TCP's data. */
static int receiver_headers(const struct sk_buff *skb)
{
	return skb_network_header_len(skb) + sizeof(struct tcphdr);
}

static struct sock *receiver_find6(struct net *net, struct sk_buff *skb,
				   const struct ipsp_tuple *t)
{
	const struct in6_addr *from = (const struct in6_addr *)t->source;
	const struct in6_addr *to = (const struct in6_addr *)t->destination;
	__be16 sport = htons(t->source_port), dport = htons(t->destination_port);

	if (t->protocol == IPPROTO_UDP)
		return udp6_lib_lookup(net, from, sport, to, dport, skb->dev->ifindex);
	return inet6_lookup(net, receiver_hash(net), skb, receiver_headers(skb), from, sport,
			    to, dport, skb->dev->ifindex);
}

static struct sock *receiver_find4(struct net *net, struct sk_buff *skb,
				   const struct ipsp_tuple *t)
{
	__be16 sport = htons(t->source_port), dport = htons(t->destination_port);
	__be32 from, to;

	memcpy(&from, t->source, sizeof(from));
	memcpy(&to, t->destination, sizeof(to));
	if (t->protocol == IPPROTO_UDP)
		return udp4_lib_lookup(net, from, sport, to, dport, skb->dev->ifindex);
	return inet_lookup(net, receiver_hash(net), skb, receiver_headers(skb), from, sport,
			   to, dport, skb->dev->ifindex);
}

struct sock *ipsp_receiver_find(struct net *net, struct sk_buff *skb,
				const struct ipsp_tuple *t)
{
	if ((t->protocol != IPPROTO_UDP && t->protocol != IPPROTO_TCP) || !t->has_ports)
		return NULL;
	return t->family == 4 ? receiver_find4(net, skb, t) : receiver_find6(net, skb, t);
}

const struct rule *ipsp_receiver_rule(struct net *net, struct sk_buff *skb,
				      const struct net_device *dev, struct ipsp_tuple *t,
				      u16 flags)
{
	bool by_owner = t->direction == IPSP_DIR_IN && ipsp_rule_by_owner(net);
	const struct rule *rule;
	struct sock *sk = NULL;

	if (by_owner && !(flags & IPSP_PKT_FRAGMENT))
		sk = ipsp_receiver_find(net, skb, t);
	if (sk && sk_to_full_sk(sk) && sk_fullsock(sk_to_full_sk(sk)))
		t->label = ipsp_label_of_socket(sk_to_full_sk(sk));
	ipsp_packet_undo_dnat(skb, t);
	if (by_owner && (flags & IPSP_PKT_FRAGMENT))
		return ipsp_rule_find_any_owner(net, t, dev);
	rule = ipsp_rule_find(net, t, dev, sk ? sk_to_full_sk(sk) : NULL);
	if (sk)
		sock_gen_put(sk);
	return rule;
}
