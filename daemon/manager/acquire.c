// SPDX-License-Identifier: GPL-2.0-only
/*
 * acquire.c - packets that wait for an SA: told to the keying agent, released when the SA is there
 *
 * The agent asks `acquire wait`, and the reply comes when a stack has needed an SA, or an SA has met a limit. Without an
 * agent the packets are refused at once; so are those whose agent has gone. What is not told, the kernel drops when its
 * time is over.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "ipsec_port_selector.h"
#include "manager.h"
#include "words/address.h"

#define ACQUIRE_QUEUE	64
#define ACQUIRE_IDS	256
#define ACQUIRE_PATIENCE 5000000000ull	/* ns that an agent takes between two requests */
#define ACQUIRE_TEXT	16384
#define ACQUIRE_EXPIRED	4096		/* what does not fit the agent finds when it looks */

static struct {
	__u64 waiter;				/* request that waits for its reply; 0: none */
	uint64_t replied;			/* ns, when the last one had it; 0: there was none, or it has gone */
	struct ipsp_acquire queue[ACQUIRE_QUEUE];
	unsigned queued;
	__u32 id[ACQUIRE_IDS];			/* whose packets wait */
	unsigned ids;
	bool is_over;				/* there were more ids than that */
	struct text expired;			/* a line for each limit that was met */
	char expired_room[ACQUIRE_EXPIRED];
} acquire;

/* ---- does it fit? ------------------------------------------------------------------------------ */

static bool acquire_address_fits(const __u8 *wanted, const __u8 *is)
{
	static const __u8 any[16];

	return !memcmp(wanted, any, 16) || !memcmp(wanted, is, 16);
}

/* As the stacks ask: what they would not take must not release what waits for it, or they ask again at once. */
static bool acquire_is_for(const struct ipsp_sa *sa, const struct ipsp_selector *packet)
{
	return !((sa->mark ^ packet->mark) & sa->mark_mask) && (!sa->if_id || sa->if_id == packet->if_id);
}

/* Of transport mode the packet's addresses decide, where there is one. */
static bool acquire_fits(const struct ipsp_sa *sa, const struct ipsp_policy_entry *e,
			 const struct ipsp_selector *packet)
{
	const struct ipsp_template *t = &e->template_[0];
	const bool is_transport = t->mode == IPSP_SA_TRANSPORT;

	if (sa->direction != IPSP_DIR_OUT || sa->label != e->protect.label || sa->mode != t->mode ||
	    sa->protocol != t->protocol ||
	    (t->reqid && t->reqid != sa->reqid) || (t->spi && t->spi != sa->spi) ||
	    (packet && !acquire_is_for(sa, packet)))
		return false;
	if (!is_transport)
		return acquire_address_fits(t->source, sa->source) &&
		       acquire_address_fits(t->destination, sa->destination);
	return !packet || (!memcmp(packet->source, sa->source, 16) &&
			   !memcmp(packet->destination, sa->destination, 16));
}

static bool acquire_is_of(const struct ipsp_policy_entry *e)
{
	return e->acquire && e->action == IPSP_POLICY_APPLY && e->protect.direction == IPSP_DIR_OUT && e->templates;
}

static bool acquire_is_inside(const struct ipsp_policy_entry *e, const struct ipsp_selector *s)
{
	struct ipsp_tuple tuple = {
		.source_port = s->source_first, .destination_port = s->destination_first, .family = s->family,
		.protocol = s->protocol, .direction = IPSP_DIR_OUT, .has_ports = !ipsp_selector_any_port(s),
		.ifindex = s->ifindex, .if_id = s->if_id, .mark = s->mark,
	};

	memcpy(tuple.source, s->source, 16);
	memcpy(tuple.destination, s->destination, 16);
	return ipsp_selector_match(&e->protect.selector, &tuple);
}

/* A stack says what it likes: there is such a policy, and such a packet is one of its. */
static const struct ipsp_policy_entry *acquire_policy(struct manager *m, const struct ipsp_acquire *a)
{
	const struct ipsp_policy_entry *e = database_policies(m->database), *end = e + m->database->policies;

	for (; e < end; e++)
		if (acquire_is_of(e) && e->acquire == a->acquire && e->protect.index == a->policy &&
		    acquire_is_inside(e, &a->selector))
			return e;
	return NULL;
}

static bool acquire_is_served(struct manager *m, const struct ipsp_policy_entry *e, const struct ipsp_selector *packet)
{
	const struct database_sa *sa = database_sas(m->database), *end = sa + m->database->sas_max;

	for (; sa < end; sa++)
		if (sa->used && acquire_fits(&sa->sa, e, packet))
			return true;
	return false;
}

/* ---- who waits ---------------------------------------------------------------------------------- */

static bool acquire_waits(__u32 id, bool forget)
{
	unsigned i;

	for (i = 0; i < acquire.ids && acquire.id[i] != id; i++)
		;
	if (i == acquire.ids)
		return acquire.is_over;
	if (forget)
		acquire.id[i] = acquire.id[--acquire.ids];
	return true;
}

static void acquire_note(__u32 id)
{
	if (acquire_waits(id, false))
		return;
	if (acquire.ids == ACQUIRE_IDS)
		acquire.is_over = true;
	else
		acquire.id[acquire.ids++] = id;
}

void acquire_sa_came(struct manager *m, const struct ipsp_sa *sa)
{
	const struct ipsp_policy_entry *e = database_policies(m->database), *end = e + m->database->policies;

	if (!acquire.ids && !acquire.is_over)
		return;
	for (; e < end; e++)
		if (acquire_is_of(e) && acquire_fits(sa, e, NULL) && acquire_waits(e->acquire, true))
			control_acquired(m, IPSP_REC_RELEASE, e->acquire);
}

/* ---- the agent ----------------------------------------------------------------------------------- */

static bool acquire_has_agent(void)
{
	return acquire.waiter || (acquire.replied && child_now() - acquire.replied < ACQUIRE_PATIENCE);
}

static void acquire_text(struct text *t, const struct ipsp_acquire *a)
{
	const struct ipsp_selector *s = &a->selector;
	char from[ADDRESS_TEXT_MAX], to[ADDRESS_TEXT_MAX];

	text_add(t, "policy %u src %s dst %s proto %u ports %d sport %u dport %u dev %u if_id %u mark %u\n", a->policy,
		 address_text(from, s->family, s->source), address_text(to, s->family, s->destination), s->protocol,
		 !ipsp_selector_any_port(s), s->source_first, s->destination_first, s->ifindex, s->if_id, s->mark);
}

static void acquire_refuse_all(struct manager *m)
{
	while (acquire.queued)
		control_acquired(m, IPSP_REC_REFUSE, acquire.queue[--acquire.queued].acquire);
}

/* Who waits gets all that there is. One whose request is not known any more has gone. */
static void acquire_deliver(struct manager *m)
{
	static char room[ACQUIRE_TEXT];
	struct text out;
	unsigned i;

	if (!acquire.waiter || !(acquire.queued + acquire.expired.used))
		return;
	text_init(&out, room, sizeof(room));
	for (i = 0; i < acquire.queued; i++)
		acquire_text(&out, &acquire.queue[i]);
	if (acquire.expired.used)
		text_add(&out, "%s", acquire.expired_room);
	acquire.expired.used = 0;
	acquire.replied = reply_send(m, acquire.waiter, 0, &out, 0) ? 0 : child_now();
	acquire.waiter = 0;
	if (!acquire.replied)
		acquire_refuse_all(m);
	acquire.queued = 0;
}

/* The last one that asks is the agent; the one before it gets a reply of nothing. */
void acquire_wait(struct manager *m, __u64 request)
{
	struct text nothing;

	text_init(&nothing, (char [1]){ 0 }, 1);
	if (acquire.waiter)
		reply_send(m, acquire.waiter, 0, &nothing, 0);
	acquire.waiter = request;
	acquire_deliver(m);
}

void acquire_expired(struct manager *m, const struct ipsp_sa *sa, const struct ipsp_handle *h)
{
	struct text *t = &acquire.expired;
	char a[ADDRESS_TEXT_MAX];
	size_t whole;

	if (!acquire_has_agent() || sa->protocol != IPSP_ESP)
		return;
	if (!t->used)
		text_init(t, acquire.expired_room, sizeof(acquire.expired_room));
	whole = t->used;
	text_add(t, "expired dst %s spi 0x%x bytes %llu packets %llu\n", address_text(a, sa->family, sa->destination),
		 ntohl(sa->spi), (unsigned long long)h->bytes, (unsigned long long)h->packets);
	if (t->is_full)
		text_cut(t, whole);
	acquire_deliver(m);
}

void acquire_handle(struct manager *m, const struct ipsp_acquire *a)
{
	const struct ipsp_policy_entry *e = acquire_policy(m, a);

	if (!e)
		return;			/* it has changed: the kernel has asked again */
	if (acquire_is_served(m, e, &a->selector)) {
		control_acquired(m, IPSP_REC_RELEASE, a->acquire);
		return;
	}
	if (!acquire_has_agent()) {
		control_acquired(m, IPSP_REC_REFUSE, a->acquire);
		return;
	}
	if (acquire.queued == ACQUIRE_QUEUE)
		return;
	acquire_note(a->acquire);
	acquire.queue[acquire.queued++] = *a;
	acquire_deliver(m);
}

/* ---- another manager --------------------------------------------------------------------------------- */

bool acquire_is_quiet(void)
{
	return !acquire.queued;
}

__u64 acquire_waiter(void)
{
	return acquire.waiter;
}

/* Whose packets wait we do not know: any policy's may. */
void acquire_succeed(__u64 waiter)
{
	acquire.is_over = true;
	acquire.waiter = waiter;
	acquire.replied = waiter ? 0 : child_now();
}
