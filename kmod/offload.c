// SPDX-License-Identifier: GPL-2.0
/*
 * offload.c - the packets of one ticket go down as one, and are parted at the device
 *
 * Theory of operation. A super-packet of ESP is a list: its first packet, the others in
 * frag_list, each whole. No device takes both bits of its GSO type, so the core parts it
 * just in front of the driver, by our offload for ESP. What lies between (netfilter, the
 * neighbour, the queue) sees and pays for one, as with the kernel's own ESP.
 *
 * Only one offload of ESP can be: where esp4_offload or esp6_offload came first, packets
 * go one by one. One still queued when we go is dropped by the core: nobody parts it.
 */
#include <net/ip.h>
#include <net/protocol.h>
#include "compat/compat.h"
#include "redirector.h"

#define OFFLOAD_TYPE (SKB_GSO_ESP | SKB_GSO_FRAGLIST)

static bool offload_is_ours[2];		/* IPv4, IPv6 */

/* Called with the transport header pulled to. All is charged to the first packet's socket. */
static struct sk_buff *offload_segment(struct sk_buff *skb, netdev_features_t features)
{
	struct sk_buff *segs, *seg;
	u32 truesize = skb->truesize;

	if (skb_shinfo(skb)->gso_type != OFFLOAD_TYPE)
		return ERR_PTR(-EINVAL);
	segs = skb_segment_list(skb, features, skb_mac_header_len(skb));
	skb->truesize = truesize;	/* some kernels take the others' off */
	if (!IS_ERR(segs))
		for (seg = segs; seg; seg = seg->next)
			seg->ip_summed = CHECKSUM_NONE;
	return segs;
}

static const struct net_offload offload_esp = {
	.callbacks = { .gso_segment = offload_segment },
};

struct sk_buff *ipsp_offload_gather(struct sk_buff *head, u32 mtu)
{
	struct skb_shared_info *shared = skb_shinfo(head);
	struct sk_buff *rest = head->next, *last = NULL;

	if (!rest || head->len > mtu || head->len + rest->len > IP_MAX_MTU ||
	    !offload_is_ours[head->protocol == htons(ETH_P_IPV6)])
		goto out;
	shared->gso_size = head->len - skb_transport_offset(head);
	shared->gso_type = OFFLOAD_TYPE;
	shared->gso_segs = 1;
	shared->frag_list = rest;
	head->ip_summed = CHECKSUM_UNNECESSARY;
	for (; rest && head->len + rest->len <= IP_MAX_MTU; last = rest, rest = rest->next) {
		head->len += rest->len;
		head->data_len += rest->len;
		head->truesize += rest->truesize;
		shared->gso_segs++;
	}
	last->next = NULL;
out:
	head->next = NULL;
	return rest;
}

void ipsp_offload_init(void)
{
	offload_is_ours[0] = !inet_add_offload(&offload_esp, IPPROTO_ESP);
	offload_is_ours[1] = !inet6_add_offload(&offload_esp, IPPROTO_ESP);
}

/* Deleting waits for the readers. */
void ipsp_offload_exit(void)
{
	if (offload_is_ours[0])
		inet_del_offload(&offload_esp, IPPROTO_ESP);
	if (offload_is_ours[1])
		inet6_del_offload(&offload_esp, IPPROTO_ESP);
}
