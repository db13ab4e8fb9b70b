// SPDX-License-Identifier: GPL-2.0
/*
 * fifo.c - the tickets of a direction in their order, and how much of it a flow may take
 *
 * Whoever sends more than the stacks can answer fills the FIFO. That none of them takes it all is
 * by dynamic thresholds (Choudhury and Hahne, IEEE/ACM Transactions on Networking 6, 2, 1998): a
 * flow may have as much of the FIFO as is free in it. So one that floods has half of it, two have
 * a third each, and a flow that sends less always finds room. Nothing is counted before a quarter
 * of the FIFO is taken, so where stacks keep up a flow costs nothing.
 *
 * A flow is outbound what addresses and ports tell apart, and inbound an SA: what lies in it is not
 * known yet. Questions (CLASSIFY) are one flow: who makes up new ones all the time leaves room
 * for what is known. Flows share a part by chance, one in 254 with a given other.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include "compartment.h"
#include "handle.h"

/* Of a ticket: 0, of none, came when there was no pressure. */
enum { PART_NONE, PART_QUESTIONS, PART_FLOWS };

int ipsp_fifo_init(struct fifo *f)
{
	f->slot = kvcalloc(FIFO_SLOTS, sizeof(*f->slot), GFP_KERNEL_ACCOUNT);
	f->part = kvcalloc(FIFO_PARTS, sizeof(*f->part), GFP_KERNEL_ACCOUNT);
	f->seed = get_random_u32();
	return f->slot && f->part ? 0 : -ENOMEM;
}

void ipsp_fifo_exit(struct fifo *f)
{
	WARN_ON(f->length);
	kvfree(f->part);
	kvfree(f->slot);
}

struct ticket **ipsp_fifo_slot(struct fifo *f, u64 number)
{
	return &f->slot[(number >> 1) & (FIFO_SLOTS - 1)];
}

/* ---- parts ----------------------------------------------------------------------- */

static bool fifo_is_pressed(const struct fifo *f)
{
	return f->length >= FIFO_SLOTS / 4 || f->bytes >= FIFO_BYTES / 4;
}

/* Addresses, and what a transport header begins with: the ports, or an SPI. */
static u32 part_hash(const struct fifo *f, const struct sk_buff *skb)
{
	const bool is_4 = skb->protocol == htons(ETH_P_IP);
	const u32 at = skb_network_offset(skb) + (is_4 ? ip_hdrlen(skb) : sizeof(struct ipv6hdr));
	const u32 *addresses = is_4 ? (const u32 *)&ip_hdr(skb)->saddr :
				      (const u32 *)&ipv6_hdr(skb)->saddr;
	__be32 room = 0;
	const __be32 *ports = skb_header_pointer(skb, at, sizeof(room), &room);

	return jhash2(addresses, is_4 ? 2 : 8, f->seed ^ (__force u32)(ports ? *ports : 0));
}

static u16 part_of(const struct fifo *f, const struct ticket *t)
{
	u32 hash;

	if (t->kind == TICKET_CLASSIFY)
		return PART_QUESTIONS;
	hash = t->kind == TICKET_PROTECT ? part_hash(f, t->skb) :
					   jhash_1word(t->handle->config.id, f->seed);
	return PART_FLOWS + reciprocal_scale(hash, FIFO_PARTS - PART_FLOWS);
}

bool ipsp_fifo_has_room(const struct fifo *f, struct ticket *t)
{
	const u32 size = t->skb->truesize, slots = FIFO_SLOTS - f->length;
	const u32 bytes = FIFO_BYTES - min(f->bytes, FIFO_BYTES);	/* ballots may be beyond */
	const struct part *p;

	t->part = PART_NONE;
	if (!slots || size > bytes)
		return false;
	if (likely(!fifo_is_pressed(f)))
		return true;
	t->part = part_of(f, t);
	p = &f->part[t->part];
	return !p->tickets || (p->tickets < slots && p->bytes + size <= bytes);
}

static void part_count(struct fifo *f, const struct ticket *t, int by)
{
	struct part *p = &f->part[t->part];

	if (t->part == PART_NONE)
		return;
	p->tickets += by;
	p->bytes += by * (int)t->skb->truesize;
}

/* ---- order ----------------------------------------------------------------------- */

void ipsp_fifo_append(struct fifo *f, struct ticket *t, u32 direction)
{
	t->number = f->next++ << 1 | direction;
	*ipsp_fifo_slot(f, t->number) = t;
	if (list_empty(&f->pending))
		f->head_since = ktime_get_coarse_ns();
	list_add_tail(&t->list, &f->pending);
	if (f->undealt == &f->pending)
		f->undealt = &t->list;
	f->length++;
	f->bytes += t->skb->truesize;
	part_count(f, t, 1);
}

void ipsp_fifo_forget(struct fifo *f, const struct ticket *t)
{
	*ipsp_fifo_slot(f, t->number) = NULL;
	f->length--;
	f->bytes -= t->skb->truesize;
	part_count(f, t, -1);
}
