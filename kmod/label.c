// SPDX-License-Identifier: GPL-2.0
/*
 * label.c - see label.h
 *
 * The numbers are the security module's own (secid). They stay what they are until the next
 * boot, also when its policy is replaced.
 */
#include <linux/net.h>
#include <linux/security.h>
#include <linux/skbuff.h>
#include <net/flow.h>
#include <net/inet_sock.h>
#include <net/sock.h>
#include "label.h"

u32 ipsp_label_of_socket(const struct sock *sk)
{
	struct flowi_common flow = {};

	security_sk_classify_flow((struct sock *)sk, &flow);
	return flow.flowic_secid;
}

u32 ipsp_label_of_packet(const struct sk_buff *skb)
{
#ifdef CONFIG_NETWORK_SECMARK
	return skb->secmark;
#else
	return 0;
#endif
}

u32 ipsp_label_of_sender(struct sk_buff *skb)
{
	const struct sock *sk = skb_to_full_sk(skb);

	return sk && sk_fullsock(sk) ? ipsp_label_of_socket(sk) : ipsp_label_of_packet(skb);
}

void ipsp_label_packet(struct sk_buff *skb, u32 label)
{
#ifdef CONFIG_NETWORK_SECMARK
	skb->secmark = label;
#endif
}

/* Who labels sockets labels the kernel's own too. Some modules know contexts, but of files. */
static int label_is_served(struct net *net)
{
	struct socket *socket;
	int err = sock_create_kern(net, PF_INET, SOCK_DGRAM, IPPROTO_UDP, &socket);

	if (err)
		return err;
	err = ipsp_label_of_socket(socket->sk) ? 0 : -EOPNOTSUPP;
	sock_release(socket);
	return err;
}

int ipsp_label_find(struct net *net, const char *context, u32 *label)
{
	int err = label_is_served(net);

	if (err)
		return err;
	err = security_secctx_to_secid(context, strlen(context), label);
	if (err == -ENOMEM)
		return err;
	return err || !*label ? -EINVAL : 0;
}
