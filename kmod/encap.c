// SPDX-License-Identifier: GPL-2.0
/*
 * encap.c - ESP in UDP (RFC 3948): the eight bytes between IP and ESP
 *
 * The stack writes them, we check them against the handle's ports. What comes in is
 * recognised at LOCAL_IN (redirector.c) by its port and SPI, so no socket is needed; where
 * an IKE daemon has one on the same port, its own messages (SPI 0, keepalives) reach it.
 */
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include "compat/compat.h"
#include "compartment.h"
#include "encap.h"
#include "handle.h"
#include "redirector.h"

bool ipsp_encap_carries(const struct handle *h, const struct ipsp_tuple *t)
{
	const struct ipsp_handle *c = &h->config;

	if (t->protocol != ipsp_encap_protocol(c))
		return false;
	if (!ipsp_encap_is(c))
		return true;
	return t->destination_port == ntohs(c->encap_destination) &&
	       (c->direction == IPSP_DIR_IN || t->source_port == ntohs(c->encap_source));
}

/* The checksum is left to whoever finishes checksums: of the packet as long as it is now. */
static void encap_leave_checksum(struct sk_buff *skb, u8 family)
{
	struct udphdr *udp = udp_hdr(skb);
	u32 len = skb->len - skb_transport_offset(skb);

	udp->len = htons(len);
	if (family == 4)
		udp->check = ~csum_tcpudp_magic(ip_hdr(skb)->saddr, ip_hdr(skb)->daddr, len,
						IPPROTO_UDP, 0);
	else
		udp->check = ~csum_ipv6_magic(&ipv6_hdr(skb)->saddr, &ipv6_hdr(skb)->daddr, len,
					      IPPROTO_UDP, 0);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct udphdr, check);
}

bool ipsp_encap_check(struct sk_buff *skb, const struct ipsp_handle *h)
{
	u32 at = skb_transport_offset(skb);
	struct udphdr *udp = udp_hdr(skb);

	if (at + sizeof(*udp) > skb_headlen(skb) || udp->source != h->encap_source ||
	    udp->dest != h->encap_destination || ntohs(udp->len) != skb->len - at || udp->check)
		return false;
	if (h->family == 6)
		encap_leave_checksum(skb, 6);
	return true;
}

/* ---- NAT may give the peer a new name -------------------------------------------------- */

/* Only the releaser of one direction calls: what it last saw is read without the lock. */
void ipsp_encap_seen(struct compartment *c, struct handle *h, const struct sk_buff *outer)
{
	const struct udphdr *udp = (const struct udphdr *)skb_transport_header(outer) - 1;
	struct encap_peer now = { .port = udp->source };

	if (h->config.family == 4)
		memcpy(now.address, &ip_hdr(outer)->saddr, 4);
	else
		memcpy(now.address, &ipv6_hdr(outer)->saddr, 16);
	if (!memcmp(&now, &h->peer, sizeof(now)))
		return;
	spin_lock_bh(&c->lock);
	h->peer = now;
	spin_unlock_bh(&c->lock);
	ipsp_mailbox_event_of(c, IPSP_EVENT_MAPPING, 0, h->config.id, 0);
}

/* ---- super-packets ----------------------------------------------------------------------- */

/* Bytes in front of the text of a packet whose like can be one super-packet; 0: it goes alone. */
static u32 encap_front(const struct sk_buff *skb, u32 mtu)
{
	if (!skb->next || skb->len > mtu || skb->len + skb->next->len > IP_MAX_MTU ||
	    skb_is_nonlinear(skb))
		return 0;
	return skb_transport_offset(skb) + sizeof(struct udphdr);
}

/*
 * What the core parts again as UDP: all are as long as the first but the last. The others
 * lose their headers, and bring their text as frag_list.
 */
struct sk_buff *ipsp_encap_gather(struct sk_buff *head, u32 mtu)
{
	struct sk_buff *rest = head->next, *last = head;
	struct skb_shared_info *shared = skb_shinfo(head);
	u32 front = encap_front(head, mtu), text = head->len - front;

	if (front) {
		shared->frag_list = rest;
		shared->gso_size = text;
		shared->gso_type = SKB_GSO_UDP_L4;
		shared->gso_segs = 1;
		do {
			last = rest;
			rest = rest->next;
			__skb_pull(last, front);
			head->len += last->len;
			head->data_len += last->len;
			head->truesize += last->truesize;
			shared->gso_segs++;
		} while (last->len == text && rest && head->len + rest->len <= IP_MAX_MTU);
		last->next = NULL;
		encap_leave_checksum(head, head->protocol == htons(ETH_P_IP) ? 4 : 6);
	}
	head->next = NULL;
	return rest;
}

/* ---- inbound --------------------------------------------------------------------- */

static u32 encap_header(const struct sk_buff *skb)
{
	u32 ip = skb->protocol == htons(ETH_P_IP) ? ip_hdrlen(skb) : sizeof(struct ipv6hdr);

	return ip + sizeof(struct udphdr);
}

/*
 * Bytes from the IP header to where UDP says that it ends; what is behind that is not of it
 * (RFC 768). 0: it says more than came, or has no room for ESP's header: a socket's. A
 * super-packet ends where it does.
 */
static u32 encap_end(const struct sk_buff *skb)
{
	u32 header = encap_header(skb), end;
	const struct udphdr *udp;
	struct udphdr copy;

	if (skb_is_gso(skb))
		return skb->len;
	udp = skb_header_pointer(skb, header - sizeof(copy), sizeof(copy), &copy);
	end = udp ? header - sizeof(copy) + ntohs(udp->len) : 0;
	return end >= header + sizeof(struct ip_esp_hdr) && end <= skb->len ? end : 0;
}

bool ipsp_encap_is_ours(struct net *net, struct sk_buff *skb, u8 family)
{
	const struct handle *h;
	struct ipsp_tuple t;
	__be32 spi;
	u16 flags = 0;

	if ((family == 4 ? ip_hdr(skb)->protocol : ipv6_hdr(skb)->nexthdr) != IPPROTO_UDP)
		return false;
	if (!ipsp_packet_tuple(skb, family, IPSP_DIR_IN, &t, &flags) ||
	    (flags & IPSP_PKT_FRAGMENT) || !ipsp_packet_spi(skb, &t, &spi))
		return false;
	h = ipsp_handle_find_in(net, family, t.destination, IPPROTO_ESP, spi);
	return h && ipsp_encap_carries(h, &t) && encap_end(skb);
}

/* A super-packet of UDP, from a device that knows them, as the list of its packets; NULL: none. */
static struct sk_buff *encap_part(struct sk_buff *skb)
{
	struct sk_buff *list;
	int mac = skb_mac_offset(skb);

	__skb_push(skb, -mac);
	list = __skb_gso_segment(skb, NETIF_F_SG | NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM, false);
	if (IS_ERR_OR_NULL(list)) {
		ipsp_stats_net_drop(dev_net(skb->dev), IPSP_DROP_NO_MEMORY);
		kfree_skb(skb);
		return NULL;
	}
	consume_skb(skb);
	for (skb = list; skb; skb = skb->next)
		__skb_pull(skb, -mac);
	return list;
}

static void encap_open_one(struct net *net, struct sk_buff *skb)
{
	u32 header = encap_header(skb), end = encap_end(skb);
	enum ipsp_drop reason = IPSP_DROP_GONE;		/* its handle went meanwhile */

	/* Nobody else need have looked at UDP: its header may still be in pages. */
	if (!end)
		reason = IPSP_DROP_ENCAP;		/* another hook has changed it */
	else if (pskb_trim_rcsum(skb, end) || !pskb_may_pull(skb, header))
		reason = IPSP_DROP_NO_MEMORY;
	else if (ipsp_input_take(skb, header, true))
		return;
	ipsp_stats_net_drop(net, reason);
	kfree_skb(skb);
}

int ipsp_encap_open(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff *next;

	skb = skb_is_gso(skb) ? encap_part(skb) : skb;
	for (; skb; skb = next) {
		next = skb->next;
		skb_mark_not_on_list(skb);
		encap_open_one(net, skb);
	}
	return 0;
}
