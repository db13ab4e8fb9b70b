// SPDX-License-Identifier: GPL-2.0
/*
 * bypass.c - see bypass.h
 *
 * The socket option asks the XFRM managers of the kernel to make a policy of what it was
 * given. Ours takes exactly what an IKE daemon wants of it, a policy that lets everything
 * of the socket by; so it works without xfrm_user.
 */
#include <linux/xfrm.h>
#include <net/inet_hashtables.h>
#include <net/xfrm.h>
#include "bypass.h"
#include "receiver.h"

static bool bypass_is_for(const struct sock *sk, int option)
{
	return (sk->sk_family == AF_INET && option == IP_XFRM_POLICY) ||
	       (sk->sk_family == AF_INET6 && option == IPV6_XFRM_POLICY);
}

/* Everything: no address, port, protocol, device. */
static bool bypass_takes_all(const struct xfrm_selector *s)
{
	return !s->prefixlen_s && !s->prefixlen_d && !s->sport_mask && !s->dport_mask &&
	       !s->proto && !s->ifindex;
}

static int bypass_check(const struct sock *sk, int option, const void *data, int size)
{
	const struct xfrm_userpolicy_info *info = data;

	if (!bypass_is_for(sk, option))
		return -EOPNOTSUPP;
	if (size < sizeof(*info) || info->dir > XFRM_POLICY_OUT ||
	    info->action > XFRM_POLICY_BLOCK || info->share > XFRM_SHARE_UNIQUE)
		return -EINVAL;
	if (size > sizeof(*info) || info->action != XFRM_POLICY_ALLOW ||
	    !bypass_takes_all(&info->sel))
		return -EOPNOTSUPP;
	return 0;
}

/* RCU read side. *dir: where the policy goes, or a negative errno. */
static struct xfrm_policy *bypass_compile(struct sock *sk, int option, u8 *data, int size,
					  int *dir)
{
	const struct xfrm_userpolicy_info *info = (const void *)data;
	struct xfrm_policy *policy;

	*dir = bypass_check(sk, option, data, size);
	if (*dir)
		return NULL;
	policy = xfrm_policy_alloc(sock_net(sk), GFP_ATOMIC);
	if (!policy) {
		*dir = -ENOBUFS;
		return NULL;
	}
	policy->priority = info->priority;
	policy->index = info->index;
	policy->selector = info->sel;
	policy->family = info->sel.family;
	policy->action = info->action;
	policy->flags = info->flags;
	policy->type = XFRM_POLICY_TYPE_MAIN;
	policy->lft.soft_byte_limit = XFRM_INF;
	policy->lft.hard_byte_limit = XFRM_INF;
	policy->lft.soft_packet_limit = XFRM_INF;
	policy->lft.hard_packet_limit = XFRM_INF;
	*dir = info->dir;
	return policy;
}

/* The kernel's own policies ask for SAs: not here. Called without a test for NULL. */
static int bypass_acquire(struct xfrm_state *x, struct xfrm_tmpl *t, struct xfrm_policy *policy)
{
	return -EINVAL;
}

static struct xfrm_mgr bypass_manager = {
	.acquire = bypass_acquire,
	.compile_policy = bypass_compile,
};

bool ipsp_bypass_by_socket(const struct sock *sk, u8 direction)
{
	const struct xfrm_policy *policy;

	if (!sk || !sk_fullsock(sk))
		return false;
	policy = rcu_dereference(sk->sk_policy[direction == IPSP_DIR_OUT ? XFRM_POLICY_OUT :
					       XFRM_POLICY_IN]);
	return policy && policy->action == XFRM_POLICY_ALLOW && !policy->xfrm_nr &&
	       bypass_takes_all(&policy->selector);
}

bool ipsp_bypass_by_receiver(struct net *net, struct sk_buff *skb, const struct ipsp_tuple *t)
{
	struct sock *sk;
	bool bypass;

	if (t->direction != IPSP_DIR_IN || t->protocol != IPPROTO_UDP)
		return false;
	sk = ipsp_receiver_find(net, skb, t);
	if (!sk)
		return false;
	bypass = ipsp_bypass_by_socket(sk, IPSP_DIR_IN);
	sock_gen_put(sk);
	return bypass;
}

int ipsp_bypass_init(void)
{
	xfrm_register_km(&bypass_manager);
	return 0;
}

void ipsp_bypass_exit(void)
{
	xfrm_unregister_km(&bypass_manager);
}
