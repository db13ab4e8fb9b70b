/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * world.h - what the programs of this folder share: a namespace with one wire, compartments, and stacks of our own
 *
 * The wire is a tun device: what the host sends is read from it, what the host shall receive is written to it. We are
 * the manager of each realm; its stack is a child that does what a function says. Realm N has compartment "realmN",
 * the addresses 10.N.0.0/16 behind the tunnel's other end 10.9.0.2, and 10.(N+1).0.0/16 by a rule without `protect`;
 * in IPv6 that is fd00:N::/32, fd00:9::2 and fd00:(N+1)::/32. In transport mode the other end is 10.N.0.2, fd00:N::2.
 */
#ifndef WORLD_H
#define WORLD_H

#include <sys/types.h>

#include "ipsec_port.h"
#include "ipsec_port_ring.h"

#define WORLD_PACKET_MAX 4096

struct realm_kind {
	unsigned char family;		/* 4 or 6, of all its packets */
	unsigned char mode;		/* IPSP_SA_* */
	int options;			/* what we send bears IP options, or an extension header */
	unsigned char protocol;		/* 51: AH; 0: ESP */
	unsigned short encap;		/* ESP in UDP, both ports; 0: none */
	unsigned short encap_from;	/* the port that a NAT made of the other end's; 0: none did */
};

struct realm {
	unsigned int net;		/* N, even */
	struct realm_kind kind;
	char name[IPSP_NAME_MAX];
	int port;			/* ours, as manager */
	struct ipsp_handle out, in;
	pid_t stack;
	int said;			/* from its stack: an int for each thing it wants to say */
};

/* The limits of the handles of realms that begin from now on. */
extern struct ipsp_handle world_limits;
/* IPSP_ATTACHF_* of the stacks that attach from now on. */
extern unsigned int world_attach;

struct worker {				/* one of several stacks of a realm */
	unsigned int index;
	pid_t pid;
	int said;			/* as realm.said */
};

struct stack {				/* in the child */
	const struct realm *realm;
	unsigned int index;
	int fd, say;
	void (*control)(struct stack *s, const struct ipsp_record *rec);	/* or NULL: read over */
	struct ipsp_ring down, up;
	void *words;			/* the stack's own page */
};

struct ticket {				/* a private copy of a record */
	struct ipsp_record rec;
	struct ipsp_packet packet;
	unsigned char data[WORLD_PACKET_MAX];
	unsigned int length;
};

/* An answer as it will lie in the ring: what it says and what is really there may differ. */
struct draft {
	struct ipsp_record rec;
	struct ipsp_answer answer;
	unsigned char data[WORLD_PACKET_MAX];
	unsigned int length;		/* bytes of data written */
	unsigned int publish;		/* bytes the index moves by */
	unsigned int times;		/* how often it is put */
};

void world_begin(void);
void world_ipv6(void);			/* it has IPv6 as well */
void world_offload(void);		/* the wire finishes checksums: super-packets of UDP can be sent */
int world_end(void);			/* 1: all that was made is freed */

void realm_begin(struct realm *r, unsigned int net, unsigned int deadline_ms);	/* IPv4 in a tunnel */
void realm_begin_kind(struct realm *r, unsigned int net, unsigned int deadline_ms, struct realm_kind kind);
/* Any, as `c` says, but for its name and its rings, which are the smallest. */
void realm_begin_as(struct realm *r, unsigned int net, struct realm_kind kind, struct ipsp_compartment c);
/* What packets of such a realm are made of: no compartment, and no ids of handles. */
struct realm realm_like(unsigned int net, struct realm_kind kind);
/* IPv4 in a tunnel, for several stacks; they have time to be replaced. */
void realm_begin_shared(struct realm *r, unsigned int net, unsigned int deadline_ms, unsigned int stacks,
			unsigned int spares);
/* The same, for stacks that vote as `c` says. */
void realm_begin_voting(struct realm *r, unsigned int net, struct ipsp_compartment c);
void realm_end(struct realm *r);
/* Starts run(s) in a child that is attached and READY. */
void realm_start(struct realm *r, void (*run)(struct stack *s, const void *how), const void *how);
void realm_stop(struct realm *r);	/* kills and forgets the child */
/* The same for one of several: with its index, and what it says apart. */
void realm_join(struct realm *r, struct worker *w, unsigned int index, void (*run)(struct stack *s, const void *how),
		const void *how);
void realm_stacks(struct realm *r, unsigned int stacks, unsigned int spares);	/* it has so many from now on */
struct ipsp_compartment realm_now(const struct realm *r);
int realm_poison(const struct realm *r, struct ipsp_poison *p);	/* 0 or errno */
int realm_dissent(const struct realm *r, struct ipsp_dissent *d);	/* likewise */
int worker_said(const struct worker *w, int ms);		/* -1: nothing */
int worker_wait(struct worker *w);				/* its status, when it has ended */
void realm_rules(const struct realm *const *realms, unsigned int count);
struct ipsp_event realm_event(struct realm *r, int ms);		/* event 0: none came */
struct ipsp_stats realm_stats(const struct realm *r);
/*
 * Of the ledger. A packet is out of the tunnel's end before it is counted so: 0 soon after the last one, never anything
 * else a second after it.
 */
long long realm_balance(const struct realm *r);
int realm_said(struct realm *r, int ms);			/* what the stack says; -1: nothing */
int realm_control(struct realm *r, struct ipsp_record *rec, int target);

void wire_datagram(unsigned int net, unsigned int host);	/* we send one to 10.net.0.host */
/* We send one as its kind is, to the host of the realm's net, or of the next one. */
void wire_realm_datagram(const struct realm *r, unsigned int next, unsigned int host);
/* What is sent from now on bears an IPv4 option of four bytes that nobody acts upon, or a destination header of padding. */
void wire_options(int fd, unsigned char family);
/* We send so many datagrams of 200 bytes as one super-packet; see world_offload(). */
void wire_super(const struct realm *r, unsigned int host, unsigned int segments);
void wire_esp(const struct realm *r, unsigned int number);	/* ESP (or AH) comes in from the other end */
int wire_try_esp(const struct realm *r, unsigned int number);	/* the same: 0, or the errno of the wire's end */
void wire_write(const void *packet, unsigned int length);	/* any packet comes in */
unsigned short wire_header_sum(const unsigned char *header);	/* of IPv4, without options; its own bytes do not count */
/* The next packet of 10/8 or fd00::/16 that the host sends within so many ms: its length, 0: none. */
unsigned int wire_next(unsigned char *packet, int ms);
int wire_is_esp(const struct realm *r, const unsigned char *packet);
unsigned int wire_esp_at(const struct realm *r, const unsigned char *packet);	/* its SPI, then its number; 0: it is not */

/* ---- in the child ---------------------------------------------------------------------------- */

/* Attaches as the stack of s->realm and maps its areas; ends the process where it cannot. */
void stack_enter(struct stack *s);
int stack_peek(struct stack *s, struct ticket *t);	/* 1: a packet record was there; nobody waits */
/* The next packet record; control records are read over. 0, or -errno of the KICK. */
int stack_next(struct stack *s, struct ticket *t);
void stack_answer(const struct stack *s, const struct ticket *t, struct draft *d);	/* an honest one */
int stack_put(struct stack *s, const struct draft *d);		/* and KICKs: 0 or -errno */
struct ipsp_acquire stack_acquire(const struct ticket *t, unsigned int id);	/* for that IPv4 packet, under that id */
void stack_put_acquire(struct stack *s, const struct ipsp_acquire *a);	/* it is neither submitted nor KICKed for */
unsigned int stack_numbered_at(const struct realm *r);	/* SPI and number, behind the IP header */
void stack_honest(struct stack *s, const void *unused);		/* answers until its port is gone */
/* Dies at a packet going out, of *length bytes or (NULL) any, before its index has moved on: as one that trips over it. */
void stack_crash(struct stack *s, const void *length);
void stack_say(const struct stack *s, int what);

#endif
