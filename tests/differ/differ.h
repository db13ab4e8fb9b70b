/* SPDX-License-Identifier: GPL-2.0 */
/*
 * differ.h - the same XFRM netlink to the kernel's xfrm_user and to the keying agent: what do they answer?
 *
 *   main      options: play a seed against whom this namespace has, and keep what was said; print one; compare two
 *   plan      sequences of messages, and which kinds there are
 *   make_state  messages about states
 *   attributes  what those have beside their body
 *   make_policy  messages about policies
 *   message   what messages are made of
 *   mutate    what a broken or hostile sender makes of one
 *   player    sends, hears answers and events
 *   alike     times, ports and numbers that are chosen at random, as such
 *   script    what was said, as a file
 *   compare   two of them
 *   known     differences that have a name and a reason (Documentation/keying.md)
 *
 * A sequence is a function of seed and number. It begins with empty databases and ends with a dump of both.
 */
#ifndef DIFFER_H
#define DIFFER_H

#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/conform/dice.h"

#define MESSAGE_MAX	6000
#define LEARNED_MAX	32
#define SPI_RANDOM	0xc0000000u	/* ALLOCSPI's range that leaves a choice: these and 0xfffff more */

/* What a run gave out by a choice of its own: the n-th of it means the same in both. */
struct learned {
	uint32_t index[LEARNED_MAX], spi[LEARNED_MAX];
	unsigned int indices, spis;
};

struct message {
	const char *name;		/* of its kind */
	const char *mutation;		/* NULL: none */
	bool may_be_silent;		/* who gets it may find nothing to answer */
	union {
		struct nlmsghdr head;
		_Alignas(8) unsigned char bytes[MESSAGE_MAX];
	};
};

struct maker {
	struct dice dice;
	const struct learned *learned;
	struct message m;
};

/* plan.c */
unsigned int plan_steps(struct dice *d);
void plan_step(struct maker *k, uint32_t seq);		/* the next message into k->m */
const char *plan_type(unsigned int type);

/* message.c */
void *message_begin(struct maker *k, uint16_t type, size_t body);
void *message_attribute(struct maker *k, uint16_t type, const void *data, size_t size);
void message_attribute_u32(struct maker *k, uint16_t type, uint32_t value);
struct nlattr *message_find(const struct nlmsghdr *head, size_t body, uint16_t type, size_t least);
size_t message_body(unsigned int type);

/* attributes.c */
void attributes_keys(struct maker *k);
void attributes_esn(struct maker *k, struct xfrm_usersa_info *info);
void attributes_use(struct maker *k);
void attributes_rest(struct maker *k);

/* make_state.c, make_policy.c: one kind each */
void make_state_new(struct maker *k);
void make_state_update(struct maker *k);
void make_state_delete(struct maker *k);
void make_state_get(struct maker *k);
void make_state_dump(struct maker *k);
void make_state_flush(struct maker *k);
void make_state_alloc_spi(struct maker *k);
void make_state_expire(struct maker *k);
void make_state_new_ae(struct maker *k);
void make_state_get_ae(struct maker *k);
void make_state_count(struct maker *k);
void make_state_mark(struct maker *k);			/* perhaps a mark, an if_id */
void make_state_address(struct maker *k, uint16_t family, unsigned int which, xfrm_address_t *to);
void make_state_selector(struct maker *k, struct xfrm_selector *s, uint16_t family);
void make_policy_new(struct maker *k);
void make_policy_update(struct maker *k);
void make_policy_delete(struct maker *k);
void make_policy_get(struct maker *k);
void make_policy_dump(struct maker *k);
void make_policy_flush(struct maker *k);
void make_policy_expire(struct maker *k);
void make_policy_acquire(struct maker *k);
void make_policy_migrate(struct maker *k);
void make_policy_default_set(struct maker *k);
void make_policy_default_get(struct maker *k);
void make_policy_count(struct maker *k);
void make_policy_thresholds(struct maker *k);

void mutate(struct maker *k);
void mutate_calm(struct maker *k);

/* ---- what was said ---- */

enum said {
	SAID_SEQUENCE = 1,		/* its number */
	SAID_REQUEST,			/* the message, as alike() leaves it */
	SAID_ERROR,			/* int */
	SAID_ANSWER,			/* a message */
	SAID_EVENT,			/* group, a message */
	SAID_SILENCE,			/* nothing came */
};

struct item {
	uint16_t said, group;
	uint32_t size;			/* behind it, padded to 8 */
};

void script_open(const char *path);
void script_say(enum said said, unsigned int group, const void *data, size_t size);
void script_close(void);

struct step {
	const struct item *request;
	const struct item *item[64];	/* what followed */
	unsigned int items;
};

struct script {
	const unsigned char *at, *end;
};

bool script_read(struct script *s, const char *path);
bool script_sequence(struct script *s, uint32_t *number);	/* the next one */
bool script_step(struct script *s, struct step *step);		/* false: the sequence is over */

/* player.c */
bool player_open(void);
void player_begin(uint32_t number);			/* everything empty */
void player_send(struct maker *k);
struct learned *player_learned(void);

void alike(struct nlmsghdr *head, struct learned *l, bool learn);	/* one message, in place */

/* known.c: the name of a difference, NULL: it has none. *parts: from here on the histories differ */
struct pair {
	const struct nlmsghdr *request;
	const struct step *kernel, *ours;
	int kernel_error, our_error;	/* 1: none came */
	const struct item *a, *b;	/* the first that differ, where the errors are the same; NULL: missing */
};
const char *known(const struct pair *p, bool *parts);

int compare(const char *kernel, const char *ours, bool verbose);
void show(const struct nlmsghdr *head, size_t size, FILE *to);

#endif
