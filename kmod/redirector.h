/* SPDX-License-Identifier: GPL-2.0 */
/* redirector.h - pass, drop, or give to a port: netfilter hooks, diverted dst, input */
#ifndef IPSP_REDIRECTOR_H
#define IPSP_REDIRECTOR_H

#include <linux/netfilter.h>
#include "flow.h"

struct handle;
struct ticket;

int ipsp_redirector_net_init(struct net *net);		/* registers the hooks */
void ipsp_redirector_net_exit(struct net *net);
/* Softirqs are off: hooks let by what is sent until it is taken back. */
void ipsp_redirector_sending(bool sending);
/* Sends on a packet whose flow has been answered (f->answer). Takes skb over. */
void ipsp_redirector_resume(struct sk_buff *skb, enum flow_stage stage,
			    struct nf_hook_state *state, struct flow *f);

/*
 * packet.c: fills the tuple from an skb whose network header is set; false: no IP,
 * malformed; then it has the addresses, as far as they are there, and no protocol.
 * Sets IPSP_PKT_FRAGMENT in *flags for a fragment.
 */
bool ipsp_packet_tuple(struct sk_buff *skb, u8 family, u8 direction, struct ipsp_tuple *t,
		       u16 *flags);

/* An inbound packet's tuple gets the destination back that it came with. */
void ipsp_packet_undo_dnat(const struct sk_buff *skb, struct ipsp_tuple *t);
bool ipsp_packet_is_discovery(const struct ipsp_tuple *t);
/* An ESP packet's SPI, in UDP or not (then it is not 0); false: none. */
bool ipsp_packet_spi(const struct sk_buff *skb, const struct ipsp_tuple *t, __be32 *spi);

/* divert.c: the dst whose output is ours */
int ipsp_divert_init(void);
void ipsp_divert_exit(void);
int ipsp_divert_net_init(struct net *net);
void ipsp_divert_net_exit(struct net *net);
bool ipsp_divert(struct net *net, struct sk_buff *skb, struct flow *f);	/* false: no memory */
int ipsp_divert_output4(struct net *net, struct sock *sk, struct sk_buff *skb);
int ipsp_divert_output6(struct net *net, struct sock *sk, struct sk_buff *skb);
static inline bool ipsp_divert_is_ours(const struct dst_entry *dst)
{
	return dst && (dst->output == ipsp_divert_output4 || dst->output == ipsp_divert_output6);
}

/* What the packet would have left by without us. */
struct dst_entry *ipsp_divert_path(struct dst_entry *dst);
struct handle *ipsp_divert_handle(struct dst_entry *dst, const struct bundle **b);
/* From here on by its route alone, referenced; false: that has gone. */
bool ipsp_divert_keep_path(struct sk_buff *skb);
int ipsp_redirector_capture(struct net *net, struct sock *sk, struct sk_buff *skb);

/* cut.c: what a packet is cut into before it is dealt. Flags: may it be too long? */
u16 ipsp_cut_flags(const struct sk_buff *skb, u16 flags, u32 mtu);
bool ipsp_cut_is_due(const struct handle *h, const struct sk_buff *skb, u16 flags, u32 mtu);
/* Takes skb over; false: no memory. */
bool ipsp_cut(struct net *net, struct sk_buff *skb, u16 *flags, u32 mtu,
	      struct sk_buff_head *parts);
/* How many numbers it needs, cut by a stack; *header and *piece: see struct ticket. */
u32 ipsp_cut_count(const struct sk_buff *skb, u32 mtu, u32 *header, u32 *piece);

/* input.c: protocol handlers for ESP */
int ipsp_input_init(void);
void ipsp_input_exit(void);
/* At PRE_ROUTING: bytes in front of ESP that may be taken there; 0: let it go its way. */
u32 ipsp_input_early(const struct sk_buff *skb, const struct nf_hook_state *state);
/* At a hook, `header` bytes in front of ESP, UDP's among them or not. false: not ours, untouched */
bool ipsp_input_take(struct sk_buff *skb, u32 header, bool encap);

/* offload.c: all packets of a list that may go as one become one; the rest of the list. */
void ipsp_offload_init(void);
void ipsp_offload_exit(void);
struct sk_buff *ipsp_offload_gather(struct sk_buff *head, u32 mtu);

/*
 * reinject.c: what release does with an answered ticket; softirqs off, RCU read side.
 * out and in: 0, or the reason (IPSP_DROP_*) why nothing left; the answer stays then.
 */
int ipsp_reinject_init(void);
void ipsp_reinject_exit(void);
u32 ipsp_reinject_out(struct compartment *c, struct ticket *t);
u32 ipsp_reinject_in(struct compartment *c, struct ticket *t);
bool ipsp_reinject_merge_begin(void);	/* true: until end, what is received is merged */
void ipsp_reinject_merge_end(void);
void ipsp_reinject_toobig(struct compartment *c, struct ticket *t);
/* Where protected packets of h leave: referenced, or NULL: no route. */
struct dst_entry *ipsp_reinject_path(struct compartment *c, struct handle *h,
				     const struct sk_buff *skb);
void ipsp_reinject_clear(struct net *net, struct sock *sk, struct sk_buff *skb);

#endif
