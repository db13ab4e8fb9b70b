// SPDX-License-Identifier: GPL-2.0-only
/* control.c - an operator at the control device: compartments and rules of its own, and calls that must not be */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "play.h"

#define OTHERS	3			/* compartments "gen0".. */
#define TABLE	24
#define BASE	6			/* rules of the stage and the neighbour: they stay in front */

static void other_name(char name[IPSP_NAME_MAX], unsigned int i)
{
	memset(name, 0, IPSP_NAME_MAX);
	snprintf(name, IPSP_NAME_MAX, "gen%u", i);
}

/* ---- compartments ------------------------------------------------------------------------------------- */

static struct ipsp_compartment other_of(struct dice *d)
{
	struct ipsp_compartment c = { .down_size = IPSP_RING_MIN, .up_size = IPSP_RING_MIN,
				      .deadline_ms = 1 + dice_below(d, 1000), .fail = dice_below(d, 2) };

	other_name(c.name, dice_below(d, OTHERS));
	if (dice_one_in(d, 3))
		dice_spoil(d, &c, offsetof(struct ipsp_compartment, down_size), 1);
	return c;
}

static void run_add(struct stage *s, struct dice *d)
{
	struct ipsp_compartment c = other_of(d);

	ioctl(s->fd, IPSP_CTL_COMPARTMENT_ADD, &c);
}

/* What the rules name is busy, the neighbour always. */
static void run_del(struct stage *s, struct dice *d)
{
	struct ipsp_name n = { 0 };
	unsigned int which = dice_below(d, OTHERS + 2);

	other_name(n.name, which);
	if (which >= OTHERS)
		snprintf(n.name, sizeof(n.name), "realm%u", which == OTHERS ? PLAY_NET : PLAY_NEIGHBOUR);
	if (!ioctl(s->fd, IPSP_CTL_COMPARTMENT_DEL, &n) && which >= OTHERS)
		stage_found(s, "%s was deleted while rules named it", n.name);
}

static void run_set(struct stage *s, struct dice *d)
{
	struct ipsp_compartment c = other_of(d);

	if (dice_one_in(d, 2)) {
		memcpy(c.name, s->realm.name, sizeof(c.name));
		c.fail = IPSP_FAIL_CLOSED;
	}
	ioctl(s->fd, IPSP_CTL_COMPARTMENT_SET, &c);
}

static void run_get(struct stage *s, struct dice *d)
{
	struct ipsp_compartment c = { .index = (int)dice_below(d, 6) - 1 };
	struct ipsp_stats stats = { 0 };
	struct ipsp_features f;

	if (dice_one_in(d, 3))
		dice_spoil(d, &c, sizeof(c), 1);
	ioctl(s->fd, IPSP_CTL_COMPARTMENT_GET, &c);
	other_name(stats.name, dice_below(d, OTHERS + 1));
	ioctl(s->fd, IPSP_CTL_STATS, &stats);
	ioctl(s->fd, IPSP_CTL_FEATURES, &f);
}

/* A manager of another compartment, for a moment; it ends with its descriptor. */
static void run_open(struct stage *s, struct dice *d)
{
	struct ipsp_attach a = { .role = 1 + dice_below(d, 3) };
	char name[IPSP_NAME_MAX];
	struct ipsp_handle h = s->realm.in;
	int fd;

	other_name(name, dice_below(d, OTHERS));
	fd = stage_open(name);
	ioctl(fd, IPSP_IOC_ATTACH, &a);
	h.counter[20] = 1;
	ioctl(fd, IPSP_IOC_HANDLE_ADD, &h);	/* the stage's SPI: EEXIST */
	close(fd);
}

/* ---- rules ----------------------------------------------------------------------------------------------- */

static struct ipsp_rule table[TABLE];

/* The first of them, as they stand: those of the stage, then those of the neighbour. */
static void base_read(struct stage *s)
{
	struct ipsp_rules get = { .rules = (uintptr_t)table, .count = TABLE };
	unsigned int i;

	if (ioctl(s->fd, IPSP_CTL_RULES_GET, &get) || get.count < BASE)
		stage_found(s, "the rules cannot be read: %u of them", get.count);
	for (i = 0; i < BASE; i++)
		table[i].hits = 0;
}

static void rule_random(struct dice *d, struct ipsp_rule *r)
{
	static const uint8_t families[] = { 0, 0, 4, 6 };

	*r = (struct ipsp_rule){
		.selector = { .source_last = 65535, .destination_last = 65535, .family = families[dice_below(d, 4)],
			      .protocol = (uint8_t)(dice_one_in(d, 2) ? 0 : dice_below(d, 256)) },
		.directions = (uint8_t)(1 + dice_below(d, 7)), .action = (uint8_t)dice_below(d, 3),
	};
	if (r->action == IPSP_RULE_TO_PORT)
		other_name(r->compartment, dice_below(d, OTHERS));
	if (r->selector.family) {
		r->selector.destination[0] = r->selector.family == 4 ? 10 : 0xfd;
		r->selector.destination_prefix = (uint8_t)dice_below(d, r->selector.family == 4 ? 33 : 129);
	}
	if (dice_one_in(d, 4))
		snprintf(r->device, sizeof(r->device), "wire");
	if (dice_one_in(d, 3))
		dice_spoil(d, r, sizeof(*r), 1);
}

/* Behind the base: ESP comes in, or a rule that drops it would be obeyed, and the neighbour's not heard. */
static void rule_esp(struct ipsp_rule *r)
{
	*r = (struct ipsp_rule){
		.selector = { .family = 4, .protocol = 50, .source_last = 65535, .destination_last = 65535 },
		.directions = IPSP_RULE_IN, .action = IPSP_RULE_BYPASS,
	};
}

static void run_rules(struct stage *s, struct dice *d)
{
	struct ipsp_rules set = { .count = BASE + 1 + dice_below(d, TABLE - BASE - 1) };
	unsigned int i;

	base_read(s);
	set.rules = (uintptr_t)table;
	rule_esp(&table[BASE]);
	for (i = BASE + 1; i < set.count; i++)
		rule_random(d, &table[i]);
	if (dice_one_in(d, 8))
		dice_spoil(d, (char *)&set + 8, sizeof(set) - 8, 1);
	/* a table without the base would be obeyed: it must not be asked for */
	if (set.count >= BASE)
		ioctl(s->fd, IPSP_CTL_RULES_SET, &set);
}

static void run_rules_get(struct stage *s, struct dice *d)
{
	struct ipsp_rule rule[4];
	struct ipsp_rules get = { .rules = (uintptr_t)rule, .count = dice_below(d, 5) };

	if (dice_one_in(d, 4))
		get.rules = dice_word(d);
	ioctl(s->fd, IPSP_CTL_RULES_GET, &get);
}

static void run_call(struct stage *s, struct dice *d)
{
	unsigned char arg[1024] = { 0 };
	const unsigned int number = dice_below(d, 256);

	dice_spoil(d, arg, sizeof(arg), 4);
	if (number != 5 && number != 2 && number != 3)
		ioctl(s->fd, _IOC(dice_below(d, 4), IPSP_MAGIC, number, dice_below(d, 1024)), arg);
}

/* Only to see that it is found: the stage's rules go, and its packets leave in clear. */
static void run_clear(struct stage *s, struct dice *d)
{
	struct ipsp_rules set = { .rules = (uintptr_t)&table[BASE / 2], .count = BASE / 2 };

	(void)d;
	base_read(s);
	ioctl(s->fd, IPSP_CTL_RULES_SET, &set);
}

static const struct kind control_kinds[] = {
	{ "clear", 0, run_clear }, { "add", 6, run_add }, { "del", 5, run_del }, { "set", 4, run_set },
	{ "get", 4, run_get }, { "open", 4, run_open }, { "rules", 6, run_rules }, { "rules-get", 3, run_rules_get },
	{ "call", 3, run_call },
};

const struct cast control_cast = { "control", control_kinds, sizeof(control_kinds) / sizeof(control_kinds[0]), 1 };
