// SPDX-License-Identifier: GPL-2.0
/* plan.c - which messages a sequence has, and how often each kind comes */
#include "differ.h"

static const struct {
	const char *name;
	unsigned int often;
	void (*make)(struct maker *k);
} kinds[] = {
	{ "NEWSA", 30, make_state_new }, { "UPDSA", 10, make_state_update }, { "DELSA", 8, make_state_delete }, { "GETSA", 8, make_state_get },
	{ "GETSA dump", 4, make_state_dump }, { "FLUSHSA", 1, make_state_flush }, { "ALLOCSPI", 12, make_state_alloc_spi },
	{ "EXPIRE", 4, make_state_expire }, { "NEWAE", 6, make_state_new_ae }, { "GETAE", 5, make_state_get_ae }, { "GETSADINFO", 1, make_state_count },
	{ "NEWPOLICY", 20, make_policy_new }, { "UPDPOLICY", 10, make_policy_update }, { "DELPOLICY", 8, make_policy_delete },
	{ "GETPOLICY", 8, make_policy_get }, { "GETPOLICY dump", 3, make_policy_dump }, { "FLUSHPOLICY", 1, make_policy_flush },
	{ "POLEXPIRE", 4, make_policy_expire }, { "ACQUIRE", 3, make_policy_acquire }, { "MIGRATE", 5, make_policy_migrate },
	{ "SETDEFAULT", 1, make_policy_default_set }, { "GETDEFAULT", 1, make_policy_default_get }, { "GETSPDINFO", 1, make_policy_count },
	{ "NEWSPDINFO", 1, make_policy_thresholds },
};

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

unsigned int plan_steps(struct dice *d)
{
	return dice_between(d, 4, 14);
}

void plan_step(struct maker *k, uint32_t seq)
{
	uint32_t sum = 0, at;
	size_t i;

	for (i = 0; i < KINDS; i++)
		sum += kinds[i].often;
	at = dice_below(&k->dice, sum);
	for (i = 0; at >= kinds[i].often; i++)
		at -= kinds[i].often;
	k->m.name = kinds[i].name;
	k->m.mutation = NULL;
	k->m.may_be_silent = false;
	kinds[i].make(k);
	k->m.head.nlmsg_seq = seq;
	if (dice_percent(&k->dice, 15))
		mutate(k);
	mutate_calm(k);
}

const char *plan_type(unsigned int type)
{
	static const char *const name[] = {
		"NEWSA", "DELSA", "GETSA", "NEWPOLICY", "DELPOLICY", "GETPOLICY", "ALLOCSPI", "ACQUIRE", "EXPIRE", "UPDPOLICY",
		"UPDSA", "POLEXPIRE", "FLUSHSA", "FLUSHPOLICY", "NEWAE", "GETAE", "REPORT", "MIGRATE", "NEWSADINFO", "GETSADINFO",
		"NEWSPDINFO", "GETSPDINFO", "MAPPING", "SETDEFAULT", "GETDEFAULT",
	};
	unsigned int i = type - XFRM_MSG_BASE;

	return type >= XFRM_MSG_BASE && i < sizeof(name) / sizeof(name[0]) ? name[i] :
	       type == NLMSG_ERROR ? "ERROR" : type == NLMSG_DONE ? "DONE" : "?";
}
