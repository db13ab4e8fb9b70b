// SPDX-License-Identifier: GPL-2.0
/*
 * input.c - ESP and AH from the wire: the SPI decides whose it is
 *
 * The kernel's own protocol demultiplexer calls us with reassembled packets, extension
 * headers done. An SPI that no compartment owns is somebody else's: -EINVAL, and the next
 * handler is asked. What lies outside the replay window costs nobody a cycle more.
 */
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/udp.h>
#include <net/addrconf.h>
#include <net/esp.h>
#include <net/icmp.h>
#include <net/ip6_route.h>
#include <net/route.h>
#include <net/xfrm.h>
#include "compat/compat.h"
#include "compartment.h"
#include "encap.h"
#include "handle.h"
#include "redirector.h"

static void input_drop(struct handle *h, struct sk_buff *skb, u32 reason)
{
	ipsp_count(h->c, CAPTURED);
	ipsp_count_drop(h->c, reason);
	ipsp_handle_dropped(h, reason);
	kfree_skb(skb);
}

static bool input_is_from_peer(const struct handle *h, const struct sk_buff *skb, u8 family)
{
	return family == 4 ? !memcmp(&ip_hdr(skb)->saddr, h->config.source, 4) :
			     !memcmp(&ipv6_hdr(skb)->saddr, h->config.source, 16);
}

/*
 * Nobody has judged the source of what is taken early: only the other end's own is, any
 * other goes on to be routed, where martians end, and comes back here.
 */
static int input_take(struct sk_buff *skb, u8 family, u8 protocol, bool early, bool encap)
{
	const u32 at = ipsp_numbered_at(protocol);
	struct net *net = dev_net(skb->dev);
	const void *destination;
	struct numbered *numbered;
	struct handle *h;
	bool marked;
	u64 number;

	if (!pskb_may_pull(skb, at + sizeof(*numbered)))
		return -EINVAL;
	destination = family == 4 ? (void *)&ip_hdr(skb)->daddr : (void *)&ipv6_hdr(skb)->daddr;
	numbered = (struct numbered *)(skb->data + at);
	h = ipsp_handle_find_in(net, family, destination, protocol, numbered->spi);
	if (!h || (early && !input_is_from_peer(h, skb, family)))
		return -EINVAL;
	if (ipsp_encap_is(&h->config) != encap) {
		input_drop(h, skb, IPSP_DROP_ENCAP);
		return 0;
	}
	skb_reset_transport_header(skb);
	number = ipsp_counter_infer(h->counter, ntohl(numbered->number));
	if (!ipsp_counter_check(h->counter, number, h->c->numbers, &marked)) {
		input_drop(h, skb, IPSP_DROP_REPLAY);
		return 0;
	}
	skb_push(skb, skb->data - skb_network_header(skb));
	skb->protocol = family == 4 ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	ipsp_deal_unprotect(h->c, h, skb, number, marked, skb->dev->ifindex);
	return 0;
}

/* ---- early: before it is routed -------------------------------------------------- */

/* Nobody but us sees packets on their way in: no firewall there would miss them. */
static bool input_is_unwatched(const struct nf_hook_state *state)
{
	const struct netns_nf *nf = &state->net->nf;
	const struct nf_hook_entries *e;

	e = state->pf == NFPROTO_IPV4 ? rcu_dereference(nf->hooks_ipv4[NF_INET_LOCAL_IN]) :
					rcu_dereference(nf->hooks_ipv6[NF_INET_LOCAL_IN]);
	return e && e->num_hook_entries == 1;
}

/* Bytes of a plain IP header in front of whole ESP for an address of this host; or 0. */
static u32 input_early_header(struct net *net, const struct sk_buff *skb)
{
	const struct ipv6hdr *ip6 = ipv6_hdr(skb);
	const struct iphdr *ip = ip_hdr(skb);

	if (skb->protocol == htons(ETH_P_IP))
		return ip->ihl == 5 && !ip_is_fragment(ip) &&
		       __ip_dev_find(net, ip->daddr, false) ? sizeof(*ip) : 0;
	return ipv6_chk_addr(net, &ip6->daddr, NULL, 0) ? sizeof(*ip6) : 0;
}

u32 ipsp_input_early(const struct sk_buff *skb, const struct nf_hook_state *state)
{
	if ((skb->protocol == htons(ETH_P_IP) ? ip_hdr(skb)->protocol :
						ipv6_hdr(skb)->nexthdr) != IPPROTO_ESP)
		return 0;
	if (skb->pkt_type != PACKET_HOST || netif_is_l3_slave(state->in))
		return 0;
	return input_is_unwatched(state) ? input_early_header(state->net, skb) : 0;
}

bool ipsp_input_take(struct sk_buff *skb, u32 header, bool encap)
{
	__skb_pull(skb, header);
	if (!input_take(skb, skb->protocol == htons(ETH_P_IP) ? 4 : 6, IPPROTO_ESP, !encap, encap))
		return true;
	__skb_push(skb, header);
	return false;
}

/* ---- the protocol handlers ------------------------------------------------------- */

static int input_esp4(struct sk_buff *skb)
{
	return input_take(skb, 4, IPPROTO_ESP, false, false);
}

static int input_esp6(struct sk_buff *skb)
{
	return input_take(skb, 6, IPPROTO_ESP, false, false);
}

static int input_ah4(struct sk_buff *skb)
{
	return input_take(skb, 4, IPPROTO_AH, false, false);
}

static int input_ah6(struct sk_buff *skb)
{
	return input_take(skb, 6, IPPROTO_AH, false, false);
}

/*
 * From a socket that takes ESP in UDP, which has shortened the IP header's length by UDP's.
 * Only what LOCAL_IN could not recognise comes this way: IPv6 that was in fragments there.
 */
static int input_from_socket(struct sk_buff *skb, int nexthdr, __be32 spi, int encap)
{
	u32 len = skb->len + (skb->data - skb_network_header(skb));
	u8 family = ip_hdr(skb)->version;

	if (encap != UDP_ENCAP_ESPINUDP)
		return -EINVAL;
	if (family == 4)
		ip_hdr(skb)->tot_len = htons(len);
	else
		ipv6_hdr(skb)->payload_len = htons(len - sizeof(struct ipv6hdr));
	return input_take(skb, family, IPPROTO_ESP, false, true);
}

static int input_no_callback(struct sk_buff *skb, int err)
{
	return 0;
}

/*
 * ICMP about our ESP: what is too long for the path is learned by the route to the other
 * end, where release looks for the MTU. The quoted header's SPI must be one of ours.
 */
static int input_error4(struct sk_buff *skb, u32 info)
{
	const struct iphdr *ip = (const struct iphdr *)skb->data;
	const u8 protocol = ip->protocol == IPPROTO_AH ? IPPROTO_AH : IPPROTO_ESP;
	const struct numbered *numbered = (const void *)(skb->data + ip->ihl * 4 +
							 ipsp_numbered_at(protocol));

	if (!ipsp_handle_find_out(dev_net(skb->dev), 4, &ip->daddr, protocol, numbered->spi))
		return -ENOENT;
	if (icmp_hdr(skb)->type == ICMP_DEST_UNREACH && icmp_hdr(skb)->code == ICMP_FRAG_NEEDED)
		ipv4_update_pmtu(skb, dev_net(skb->dev), info, 0, protocol);
	return 0;
}

static int input_error6(struct sk_buff *skb, u8 protocol, u8 type, int offset, __be32 info)
{
	const struct ipv6hdr *ip = (const struct ipv6hdr *)skb->data;
	const struct numbered *numbered = (const void *)(skb->data + offset +
							 ipsp_numbered_at(protocol));
	struct net *net = dev_net(skb->dev);

	if (!ipsp_handle_find_out(net, 6, &ip->daddr, protocol, numbered->spi))
		return -ENOENT;
	if (type == ICMPV6_PKT_TOOBIG)
		ip6_update_pmtu(skb, net, info, 0, 0, sock_net_uid(net, NULL));
	return 0;
}

static int input_error_esp6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type, u8 code,
			    int offset, __be32 info)
{
	return input_error6(skb, IPPROTO_ESP, type, offset, info);
}

static int input_error_ah6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type, u8 code,
			   int offset, __be32 info)
{
	return input_error6(skb, IPPROTO_AH, type, offset, info);
}

static struct xfrm4_protocol input_protocols4[] = {
	{ .handler = input_esp4, .input_handler = input_from_socket },
	{ .handler = input_ah4 },
};

static struct xfrm6_protocol input_protocols6[] = {
	{ .handler = input_esp6, .input_handler = input_from_socket,
	  .err_handler = input_error_esp6 },
	{ .handler = input_ah6, .err_handler = input_error_ah6 },
};

static const u8 input_number[] = { IPPROTO_ESP, IPPROTO_AH };

/* Deregistering waits for the readers. */
static void input_deregister(u32 count)
{
	while (count--) {
		xfrm6_protocol_deregister(&input_protocols6[count], input_number[count]);
		xfrm4_protocol_deregister(&input_protocols4[count], input_number[count]);
	}
}

static int input_register(u32 i)
{
	struct xfrm4_protocol *p4 = &input_protocols4[i];
	struct xfrm6_protocol *p6 = &input_protocols6[i];
	int err;

	p4->err_handler = input_error4;
	p4->cb_handler = input_no_callback;
	p6->cb_handler = input_no_callback;
	p4->priority = 1000;
	p6->priority = 1000;
	err = xfrm4_protocol_register(p4, input_number[i]);
	if (err)
		return err;
	err = xfrm6_protocol_register(p6, input_number[i]);
	if (err)
		xfrm4_protocol_deregister(p4, input_number[i]);
	return err;
}

int ipsp_input_init(void)
{
	int err;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(input_number); i++) {
		err = input_register(i);
		if (err) {
			input_deregister(i);
			return err;
		}
	}
	return 0;
}

void ipsp_input_exit(void)
{
	input_deregister(ARRAY_SIZE(input_number));
}
