// SPDX-License-Identifier: GPL-2.0
/*
 * relay.c - see relay.h
 *
 * A request is in its sender's queue until the agent reads it, and in `out` until it is
 * over. A dump's callback waits for its part; all others are answered by unicast. Nothing
 * behind struct nlmsghdr is looked at. Whatever may have borne a key is zeroed.
 */
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/slab.h>
#include <linux/xfrm.h>
#include <net/netlink.h>
#include <net/sock.h>
#include "compartment.h"
#include "netns.h"
#include "relay.h"
#include "secret.h"

#define RELAY_OUT_MAX		4096		/* requests of all senders */
#define RELAY_ROOM_WAIT		HZ
#define RELAY_PATIENCE		(10 * HZ)
#define RELAY_SUCCESSION	(3 * HZ)	/* so long a killed agent's successor is awaited */

/* ---- lifetime -------------------------------------------------------------------- */

struct relay *ipsp_relay_of(struct net *net)
{
	struct relay *r;

	rcu_read_lock();
	r = rcu_dereference(ipsp_net(net)->relay);
	if (r && !refcount_inc_not_zero(&r->ref))
		r = NULL;
	rcu_read_unlock();
	return r;
}

void ipsp_relay_put(struct relay *r)
{
	if (!r || !refcount_dec_and_test(&r->ref))
		return;
	xa_destroy(&r->out);
	ipsp_stats_freed();
	kfree_rcu(r, rcu);
}

static void request_forget_data(struct request *q)
{
	if (q->data)
		memzero_explicit(q->data, q->size);
	kvfree(q->data);
	q->data = NULL;
	q->size = 0;
}

void ipsp_relay_free(struct request *q)
{
	request_forget_data(q);
	kfree(q);
	ipsp_stats_freed();
}

/* Out of all lists: it is its caller's now. */
void ipsp_relay_unlink(struct relay *r, struct request *q)
{
	struct sender *s = q->sender;

	lockdep_assert_held(&r->lock);
	list_del_init(&q->list);
	xa_erase(&r->out, q->id);
	r->waiting--;
	if (!--s->count) {
		list_del(&s->list);
		kfree(s);
		ipsp_stats_freed();
	}
	wake_up_all(&r->wait);
}

/* ---- sending --------------------------------------------------------------------- */

static struct sk_buff *relay_skb(const void *data, u32 size, gfp_t gfp)
{
	struct sk_buff *skb = alloc_skb(size, gfp);

	if (skb)
		skb_put_data(skb, data, size);
	return skb;
}

struct sk_buff *ipsp_relay_skb(const void *data, u32 size)
{
	struct sk_buff *skb = relay_skb(data, size, GFP_KERNEL);

	if (skb)
		ipsp_secret_mark(skb);		/* GETSA tells keys */
	return skb;
}

/* A reader that does not read has ENOBUFS from it. */
void ipsp_relay_unicast(struct relay *r, u32 portid, struct sk_buff *skb)
{
	lockdep_assert_held(&r->sending);
	netlink_unicast(r->nlsk, skb, portid, MSG_DONTWAIT);
}

int ipsp_relay_multicast(struct relay *r, u32 group, const void *data, u32 size)
{
	struct sk_buff *skb;
	int err;

	lockdep_assert_held(&r->sending);
	if (!netlink_has_listeners(r->nlsk, group))
		return 0;
	skb = relay_skb(data, size, GFP_KERNEL);
	if (!skb)
		return -ENOBUFS;
	err = nlmsg_multicast(r->nlsk, skb, 0, group, GFP_KERNEL);
	return err == -ESRCH ? 0 : err;
}

/* It is small, and who asked waits for nothing else. */
static void relay_refuse(struct relay *r, const struct request *q, u32 portid, int err)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
	} answer = {
		.head = { .nlmsg_len = sizeof(answer), .nlmsg_type = NLMSG_ERROR,
			  .nlmsg_flags = NLM_F_CAPPED, .nlmsg_seq = q->head.nlmsg_seq,
			  .nlmsg_pid = portid },
		.error = { .error = err, .msg = q->head },
	};

	ipsp_relay_unicast(r, portid,
			   relay_skb(&answer, sizeof(answer), GFP_KERNEL | __GFP_NOFAIL));
}

/* ---- requests that end without the agent ------------------------------------------ */

/* Takes q out; a dump is woken, others come to `over` to be refused. */
static void request_end(struct relay *r, struct request *q, int err, struct list_head *over)
{
	lockdep_assert_held(&r->lock);
	if (q->is_dump) {
		q->part.error = err;
		WRITE_ONCE(q->is_over, true);
		request_forget_data(q);
		wake_up_all(&r->wait);
		return;
	}
	q->part.portid = q->sender->is_gone ? 0 : q->sender->portid;
	r->refused++;
	ipsp_relay_unlink(r, q);
	list_add_tail(&q->list, over);
}

static void relay_refuse_all(struct relay *r, struct list_head *over, int err)
{
	struct request *q, *next;

	lockdep_assert_held(&r->sending);
	list_for_each_entry_safe(q, next, over, list) {
		if (r->nlsk && q->part.portid)
			relay_refuse(r, q, q->part.portid, err);
		ipsp_relay_free(q);
	}
}

/* Those that have waited until `now`; all of them without an agent. */
void ipsp_relay_end(struct relay *r, bool all, int err)
{
	struct request *q;
	unsigned long id;
	LIST_HEAD(over);

	lockdep_assert_held(&r->sending);
	spin_lock_bh(&r->lock);
	xa_for_each(&r->out, id, q)
		if (!q->is_over && (all || time_after(jiffies, q->until)))
			request_end(r, q, err, &over);
	spin_unlock_bh(&r->lock);
	relay_refuse_all(r, &over, err);
}

/* What it was about to tell is not told: listeners hear of it as of an overrun of their own. */
static void relay_tell_lost(struct relay *r)
{
	u32 group;

	lockdep_assert_held(&r->sending);
	for (group = 1; group <= XFRMNLGRP_MAX; group++)
		netlink_set_err(r->nlsk, 0, group, -ENOBUFS);
}

/* An agent was killed: another one may come, what it is asked waits. */
void ipsp_relay_await(struct relay *r)
{
	lockdep_assert_held(&r->lock);
	if (r->is_off)
		return;
	relay_tell_lost(r);
	r->is_awaiting = true;
	r->await_until = jiffies + RELAY_SUCCESSION;
	schedule_delayed_work(&r->watchdog, HZ);
}

/* None came. */
static bool relay_stops_awaiting(struct relay *r)
{
	bool stops;

	spin_lock_bh(&r->lock);
	stops = r->is_awaiting && time_after(jiffies, r->await_until);
	if (stops)
		r->is_awaiting = false;
	spin_unlock_bh(&r->lock);
	return stops;
}

static void relay_watch(struct work_struct *work)
{
	struct relay *r = container_of(work, struct relay, watchdog.work);

	mutex_lock(&r->sending);
	if (relay_stops_awaiting(r))
		ipsp_relay_end(r, true, -ECONNREFUSED);
	ipsp_relay_end(r, false, -ETIMEDOUT);
	if ((READ_ONCE(r->waiting) || READ_ONCE(r->is_awaiting)) && r->nlsk)
		schedule_delayed_work(&r->watchdog, HZ);
	mutex_unlock(&r->sending);
}

/* ---- a request comes in ------------------------------------------------------------ */

static struct request *request_new(const struct nlmsghdr *nlh)
{
	struct request *q;

	if (nlh->nlmsg_len > IPSP_XFRM_MAX)
		return ERR_PTR(-EMSGSIZE);
	q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);
	if (!q)
		return ERR_PTR(-ENOMEM);
	ipsp_stats_made();
	INIT_LIST_HEAD(&q->list);
	q->head = *nlh;
	q->data = kvmalloc(nlh->nlmsg_len, GFP_KERNEL_ACCOUNT);
	if (!q->data) {
		ipsp_relay_free(q);
		return ERR_PTR(-ENOMEM);
	}
	q->size = nlh->nlmsg_len;
	memcpy(q->data, nlh, q->size);
	return q;
}

static struct sender *sender_find(struct relay *r, u32 portid)
{
	struct sender *s;

	lockdep_assert_held(&r->lock);
	list_for_each_entry(s, &r->senders, list)
		if (s->portid == portid && !s->is_gone)
			return s;
	return NULL;
}

static struct sender *sender_get(struct relay *r, u32 portid)
{
	struct sender *s = sender_find(r, portid);

	if (s)
		return s;
	s = kzalloc(sizeof(*s), GFP_ATOMIC);
	if (!s)
		return NULL;
	ipsp_stats_made();
	INIT_LIST_HEAD(&s->queue);
	s->portid = portid;
	list_add_tail(&s->list, &r->senders);
	return s;
}

/* Somebody will be there to read a request. */
static bool relay_is_served(const struct relay *r)
{
	lockdep_assert_held(&r->lock);
	return r->agent || r->is_awaiting;
}

static bool relay_has_room(struct relay *r, u32 portid)
{
	struct sender *s;
	bool room;

	spin_lock_bh(&r->lock);
	s = sender_find(r, portid);
	room = !relay_is_served(r) || (r->waiting < RELAY_OUT_MAX &&
			     (!s || s->count < IPSP_XFRM_SENDER_MAX));
	spin_unlock_bh(&r->lock);
	return room;
}

static int relay_insert(struct relay *r, u32 portid, struct request *q)
{
	struct sender *s;

	lockdep_assert_held(&r->lock);
	if (!relay_is_served(r))
		return -ECONNREFUSED;
	s = sender_get(r, portid);
	if (!s)
		return -ENOMEM;
	if (r->waiting >= RELAY_OUT_MAX || s->count >= IPSP_XFRM_SENDER_MAX ||
	    xa_alloc_cyclic(&r->out, &q->id, q, xa_limit_31b, &r->next_id, GFP_ATOMIC) < 0) {
		if (!s->count) {
			list_del(&s->list);
			kfree(s);
			ipsp_stats_freed();
		}
		return -ENOBUFS;
	}
	q->sender = s;
	q->until = jiffies + RELAY_PATIENCE;
	s->count++;
	r->waiting++;
	list_add_tail(&q->list, &s->queue);
	if (!r->is_off)			/* none is started behind the last */
		schedule_delayed_work(&r->watchdog, HZ);
	wake_up_all(&r->wait);
	return 0;
}

/* q is the relay's with 0, and freed otherwise. */
static int relay_add(struct relay *r, u32 portid, struct request *q)
{
	int err;

	wait_event_killable_timeout(r->wait, relay_has_room(r, portid), RELAY_ROOM_WAIT);
	spin_lock_bh(&r->lock);
	err = relay_insert(r, portid, q);
	r->requests++;
	r->refused += !!err;
	spin_unlock_bh(&r->lock);
	if (err)
		ipsp_relay_free(q);
	return err;
}

static int relay_ask(struct relay *r, u32 portid, const struct nlmsghdr *nlh)
{
	struct request *q = request_new(nlh);

	return IS_ERR(q) ? PTR_ERR(q) : relay_add(r, portid, q);
}

/* ---- dumps ------------------------------------------------------------------------- */

struct dump {				/* in netlink_callback.ctx */
	u64 cursor[2];
	bool is_over;
};

static int dump_take(struct dump *d, struct sk_buff *skb, struct request *q)
{
	if (q->part.error)
		return q->part.error;
	d->cursor[0] = q->part.cursor[0];
	d->cursor[1] = q->part.cursor[1];
	d->is_over = !(q->part.flags & IPSP_XFRMF_MORE) || !q->size;
	ipsp_secret_mark(skb);
	if (q->size)
		skb_put_data(skb, q->data, q->size);
	return d->is_over && !q->size ? 0 : skb->len;
}

/* The reader of the dump waits here for the agent, by itself and for itself. */
static int dump_part(struct relay *r, struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump *d = (struct dump *)cb->ctx;
	struct request *q = request_new(cb->nlh);
	int err;

	if (IS_ERR(q))
		return PTR_ERR(q);
	q->is_dump = true;
	q->part.cursor[0] = d->cursor[0];
	q->part.cursor[1] = d->cursor[1];
	q->part.room = min_t(u32, skb_tailroom(skb), IPSP_XFRM_MAX);
	err = relay_add(r, NETLINK_CB(cb->skb).portid, q);
	if (err)
		return err;
	err = wait_event_killable_timeout(r->wait, READ_ONCE(q->is_over), 2 * RELAY_PATIENCE);
	spin_lock_bh(&r->lock);
	ipsp_relay_unlink(r, q);
	spin_unlock_bh(&r->lock);
	if (q->is_over)
		err = dump_take(d, skb, q);
	else
		err = err < 0 ? -EINTR : -ETIMEDOUT;
	ipsp_relay_free(q);
	return err;
}

static int relay_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct relay *r;
	int err;

	BUILD_BUG_ON(sizeof(struct dump) > sizeof(cb->ctx));
	if (((struct dump *)cb->ctx)->is_over)
		return 0;
	r = ipsp_relay_of(sock_net(skb->sk));
	err = r ? dump_part(r, skb, cb) : -ECONNREFUSED;
	ipsp_relay_put(r);
	return err;
}

/* ---- the socket -------------------------------------------------------------------- */

static bool relay_is_dump(const struct nlmsghdr *nlh)
{
	return (nlh->nlmsg_type == XFRM_MSG_GETSA || nlh->nlmsg_type == XFRM_MSG_GETPOLICY) &&
	       (nlh->nlmsg_flags & NLM_F_DUMP);
}

/* -EINTR: no answer from here. */
static int relay_message(struct sk_buff *skb, struct nlmsghdr *nlh,
			 struct netlink_ext_ack *extack)
{
	struct netlink_dump_control control = { .dump = relay_dump, .module = THIS_MODULE };
	struct relay *r;
	int err;

	if (!netlink_net_capable(skb, CAP_NET_ADMIN)) {
		memzero_explicit(nlmsg_data(nlh), nlmsg_len(nlh));
		return -EPERM;
	}
	if (relay_is_dump(nlh))
		return netlink_dump_start(skb->sk, skb, nlh, &control);
	r = ipsp_relay_of(sock_net(skb->sk));
	err = r ? relay_ask(r, NETLINK_CB(skb).portid, nlh) : -ECONNREFUSED;
	ipsp_relay_put(r);
	memzero_explicit(nlmsg_data(nlh), nlmsg_len(nlh));
	if (err == -ECONNREFUSED)
		NL_SET_ERR_MSG(extack, "ipsec_port: no keying agent; wanted: ipsec-port-keyd");
	return err ?: -EINTR;
}

/* What is parsed is pulled; what was no request nobody has zeroed. */
static void relay_input(struct sk_buff *skb)
{
	u8 *data = skb->data;
	u32 len = skb->len;

	netlink_rcv_skb(skb, relay_message);
	if (refcount_read(&skb->users) == 1)	/* no dump keeps it */
		memzero_explicit(data, len);
}

/* A socket is closed: what it asked is done, but not told to whoever has its number next. */
static int relay_socket_gone(struct notifier_block *nb, unsigned long event, void *data)
{
	struct netlink_notify *n = data;
	struct relay *r;
	struct sender *s;

	if (event != NETLINK_URELEASE || n->protocol != NETLINK_XFRM)
		return NOTIFY_DONE;
	r = ipsp_relay_of(n->net);
	if (!r)
		return NOTIFY_DONE;
	spin_lock_bh(&r->lock);
	s = sender_find(r, n->portid);
	if (s)
		s->is_gone = true;
	spin_unlock_bh(&r->lock);
	ipsp_relay_put(r);
	return NOTIFY_DONE;
}

static struct notifier_block relay_notifier = { .notifier_call = relay_socket_gone };

/* ---- on and off -------------------------------------------------------------------- */

static int relay_on(struct net *net)
{
	struct netlink_kernel_cfg config = { .groups = XFRMNLGRP_MAX, .input = relay_input };
	struct relay *r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);

	if (!r)
		return -ENOMEM;
	refcount_set(&r->ref, 1);
	mutex_init(&r->sending);
	spin_lock_init(&r->lock);
	INIT_LIST_HEAD(&r->senders);
	xa_init_flags(&r->out, XA_FLAGS_ALLOC1);
	init_waitqueue_head(&r->wait);
	INIT_DELAYED_WORK(&r->watchdog, relay_watch);
	r->nlsk = netlink_kernel_create(net, NETLINK_XFRM, &config);
	if (!r->nlsk) {			/* it does not say why */
		kfree(r);
		return -EADDRINUSE;
	}
	ipsp_stats_made();
	rcu_assign_pointer(ipsp_net(net)->relay, r);
	return 0;
}

static void relay_off(struct net *net, struct relay *r)
{
	RCU_INIT_POINTER(ipsp_net(net)->relay, NULL);
	mutex_lock(&r->sending);
	spin_lock_bh(&r->lock);
	r->is_off = true;
	r->is_awaiting = false;
	r->agent = NULL;
	spin_unlock_bh(&r->lock);
	ipsp_relay_end(r, true, -ECONNREFUSED);
	netlink_kernel_release(r->nlsk);
	r->nlsk = NULL;
	mutex_unlock(&r->sending);
	wake_up_all(&r->wait);
	cancel_delayed_work_sync(&r->watchdog);
	ipsp_relay_put(r);
}

static struct relay *relay_locked(struct net *net)
{
	return rcu_dereference_protected(ipsp_net(net)->relay,
					 lockdep_is_held(&ipsp_compartment_mutex));
}

static int relay_switch(struct net *net, bool on)
{
	struct relay *r = relay_locked(net);

	if (on == !!r)
		return 0;
	if (on)
		return relay_on(net);
	relay_off(net, r);
	return 0;
}

/* ---- all of them --------------------------------------------------------------------- */

/* Protected by ipsp_compartment_mutex: all namespaces; those to come begin with it on. */
static LIST_HEAD(relay_nets);
static bool relay_all;

/* Those that this call switched on are switched off again where one cannot be. */
static int relay_switch_all(bool on)
{
	struct ipsp_net *n;
	int err = 0;

	lockdep_assert_held(&ipsp_compartment_mutex);
	list_for_each_entry(n, &relay_nets, relay_list) {
		n->relay_is_new = on && !relay_locked(n->net);
		err = relay_switch(n->net, on);
		if (err)
			break;
	}
	if (!err)
		relay_all = on;
	else
		list_for_each_entry_continue_reverse(n, &relay_nets, relay_list)
			if (n->relay_is_new)
				relay_switch(n->net, false);
	return err;
}

/*
 * One that another module's socket is in the way of stays as it is: no namespace fails for
 * it, as none would without us.
 */
int ipsp_relay_net_init(struct net *net)
{
	struct ipsp_net *n = ipsp_net(net);
	int err = 0;

	n->net = net;
	mutex_lock(&ipsp_compartment_mutex);
	if (relay_all)
		err = relay_on(net);
	if (err == -EADDRINUSE)
		err = 0;
	if (!err)
		list_add_tail(&n->relay_list, &relay_nets);
	mutex_unlock(&ipsp_compartment_mutex);
	return err;
}

/* ---- the control device's -------------------------------------------------------------- */

int ipsp_relay_set(struct net *net, void *arg)
{
	const struct ipsp_relay *set = arg;
	bool on = set->flags & IPSP_RELAYF_ON;

	if ((set->flags & ~(IPSP_RELAYF_ON | IPSP_RELAYF_ALL)) || set->waiting || set->requests ||
	    set->refused)
		return -EINVAL;
	if (!(set->flags & IPSP_RELAYF_ALL))
		return relay_switch(net, on);
	return capable(CAP_NET_ADMIN) ? relay_switch_all(on) : -EPERM;
}

int ipsp_relay_get(struct net *net, void *arg)
{
	struct relay *r = relay_locked(net);
	struct ipsp_relay *get = arg;

	get->flags = relay_all ? IPSP_RELAYF_ALL : 0;
	if (!r)
		return 0;
	spin_lock_bh(&r->lock);
	get->flags |= IPSP_RELAYF_ON | (r->agent ? IPSP_RELAYF_AGENT : 0);
	get->waiting = r->waiting;
	get->requests = r->requests;
	get->refused = r->refused;
	spin_unlock_bh(&r->lock);
	return 0;
}

void ipsp_relay_net_exit(struct net *net)
{
	struct relay *r;

	mutex_lock(&ipsp_compartment_mutex);
	list_del(&ipsp_net(net)->relay_list);
	r = relay_locked(net);
	if (r)
		relay_off(net, r);
	mutex_unlock(&ipsp_compartment_mutex);
}

int ipsp_relay_init(void)
{
	return netlink_register_notifier(&relay_notifier);
}

void ipsp_relay_exit(void)
{
	netlink_unregister_notifier(&relay_notifier);
}
