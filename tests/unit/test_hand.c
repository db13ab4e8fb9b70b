// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_hand.c - an agent that is killed at any step of any request, and its successor at any of its own
 *
 * Agents are processes. What they speak to, a manager and a relay, is memory that outlives them. Whatever
 * happened, at the end the sender has one answer, the one it would have had, and store and manager have
 * what they would have had.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/keyd/keyd.h"
#include "suite.h"
#include "xfrm_request.h"

#define KILLED	9
#define THINGS	8
#define IN_GREEN 0x10000u	/* what has GREEN_REQID lies there, all else in blue */
#define GREEN_REQID 5

/* ---- the world around, which no agent's death touches -------------------------------------- */

static struct world {
	unsigned int sa[THINGS], policy[THINGS];	/* SPIs, indices, and IN_GREEN; 0: none */
	int order[THINGS], clock;			/* of policies: when each was put */
	int is_over, error, late;			/* the request's answer; answers behind it */
	int told, multicasts;				/* messages to its sender, events */
	int none;					/* requests that left no policy anywhere */
	int keeps;					/* its manager takes nothing away */
	int deletes;					/* so often that was asked for */
} *world;

static int steps, dies_at;

static void step(void)
{
	if (++steps == dies_at)
		_exit(KILLED);
}

static unsigned int *thing(unsigned int *list, unsigned int name)
{
	int i;

	for (i = 0; i < THINGS && list[i] != name; i++)
		;
	return i < THINGS ? &list[i] : NULL;
}

static void thing_put(unsigned int *list, unsigned int name)
{
	if (!thing(list, name))
		*thing(list, 0) = name;
}

static int thing_drop(unsigned int *list, unsigned int name)
{
	unsigned int *at = thing(list, name);

	if (at)
		*at = 0;
	return at ? 0 : -ESRCH;
}

void compartment_word(struct compartment_words *w, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	w->used += (size_t)vsnprintf(w->room + w->used, sizeof(w->room) - w->used, format, list);
	va_end(list);
	w->room[w->used++] = ' ';
	w->room[w->used] = '\0';
	w->count++;
}

/* One that is replaced counts as new. */
static void policy_put(unsigned int index)
{
	thing_put(world->policy, index);
	world->order[thing(world->policy, index) - world->policy] = ++world->clock;
}

static unsigned int in(const char *compartment, unsigned long name)
{
	return (unsigned int)name | (strcmp(compartment, "green") ? 0 : IN_GREEN);
}

static int manager_do(const char *compartment, const char *words)
{
	const char *spi = strstr(words, " spi 0x"), *index = strstr(words, " index ");
	unsigned int name = in(compartment, index ? strtoul(index + 7, NULL, 10) : strtoul(spi + 5, NULL, 16));

	world->deletes += !!strstr(words, " delete ");
	if (world->keeps && strstr(words, " delete "))
		return -ENOTCONN;
	if (!strncmp(words, "state add", 9) && thing(world->sa, name))
		return -EEXIST;
	if (!strncmp(words, "state add", 9))
		thing_put(world->sa, name);
	else if (!strncmp(words, "state get", 9))
		return thing(world->sa, name) ? 0 : -ESRCH;
	else if (!strncmp(words, "state delete", 12))
		return thing_drop(world->sa, name);
	else if (!strncmp(words, "policy update", 13))
		policy_put(name);
	else if (!strncmp(words, "policy delete", 13))
		return thing_drop(world->policy, name);
	return 0;
}

int compartment_ask(struct keyd *k, const char *name, struct compartment_words *w, __u32 flags, const char **text)
{
	int err, i;

	(void)k;
	(void)flags;
	step();
	err = manager_do(name, w->room);
	for (i = 0; i < THINGS && !world->policy[i]; i++)
		;
	world->none += i == THINGS;
	step();
	if (text)
		*text = "{}";
	return err;
}

int opener_ask(struct keyd *k, const struct keyd_compartment *c)
{
	(void)k;
	(void)c;
	return -ENODEV;
}

void relay_answer(struct request *r, struct nl_msg *m, __u32 flags)
{
	(void)r;
	step();
	if (world->is_over)
		world->late++;
	else if (!(flags & IPSP_XFRMF_DONE))
		world->told++;
	else
		world->error = m ? ((struct nlmsgerr *)nlmsg_data(nlmsg_hdr(m)))->error : 0;
	world->is_over |= !!(flags & IPSP_XFRMF_DONE);
	nlmsg_free(m);
	step();
}

void relay_multicast(struct keyd *k, __u32 group, struct nl_msg *m)
{
	(void)k;
	(void)group;
	step();
	world->multicasts++;
	nlmsg_free(m);
	step();
}

void relay_part(struct request *r, const void *data, size_t size, __u32 flags, const uint64_t cursor[2],
		int error)
{
	(void)data;
	(void)size;
	(void)cursor;
	(void)error;
	relay_answer(r, NULL, flags & IPSP_XFRMF_MORE ? 0 : IPSP_XFRMF_DONE);
}

/* The steps inside: in front of what ends an entry, and around the decision. */
void __real_store_free_sa(struct keyd *k, struct keyd_sa *sa);
void __real_store_free_policy(struct keyd *k, struct keyd_policy *p);
void __real_hand_decide(struct keyd *k, int err);
void __wrap_store_free_sa(struct keyd *k, struct keyd_sa *sa);
void __wrap_store_free_policy(struct keyd *k, struct keyd_policy *p);
void __wrap_hand_decide(struct keyd *k, int err);

void __wrap_store_free_sa(struct keyd *k, struct keyd_sa *sa)
{
	step();
	__real_store_free_sa(k, sa);
	step();
}

void __wrap_store_free_policy(struct keyd *k, struct keyd_policy *p)
{
	step();
	__real_store_free_policy(k, p);
	step();
}

void __wrap_hand_decide(struct keyd *k, int err)
{
	step();
	__real_hand_decide(k, err);
	step();
}

/* ---- messages -------------------------------------------------------------------------------- */

static void state(__u16 type, __u32 spi)
{
	xfrm_state(type, spi)->seq = 9;
	xfrm_aead("rfc4106(gcm(aes))", 160);
}

static void alloc_spi(__u32 spi)
{
	struct xfrm_userspi_info *p = xfrm_begin(XFRM_MSG_ALLOCSPI, sizeof(*p));

	p->info.family = AF_INET;
	p->info.saddr.a4 = htonl(0x0a090001);
	p->info.id.daddr.a4 = htonl(0x0a090002);
	p->info.id.proto = IPPROTO_ESP;
	p->info.seq = 9;
	p->info.mode = XFRM_MODE_TUNNEL;
	p->min = p->max = spi;
}

static void selector(struct xfrm_selector *s)
{
	s->family = AF_INET;
	s->daddr.a4 = htonl(0x0a020000);
	s->prefixlen_d = 24;
}

/* With a template of the SAs here; so it has one with each index but 0. */
static void policy_template(void)
{
	struct xfrm_user_tmpl *t = xfrm_room(XFRMA_TMPL, sizeof(*t));

	t->family = AF_INET;
	t->saddr.a4 = htonl(0x0a090001);
	t->id.daddr.a4 = htonl(0x0a090002);
	t->id.proto = IPPROTO_ESP;
	t->mode = XFRM_MODE_TUNNEL;
}

/* From where the SAs of `state` are to another address of the peer. */
static void migrate(__u16 type, __u32 name)
{
	struct xfrm_userpolicy_id *id = xfrm_begin(type, sizeof(*id));
	struct xfrm_user_migrate *m = xfrm_room(XFRMA_MIGRATE, sizeof(*m));

	(void)name;
	id->sel = (struct xfrm_selector){ .family = AF_INET, .daddr.a4 = htonl(0x0a020000), .prefixlen_d = 24 };
	id->dir = XFRM_POLICY_OUT;
	m->old_family = m->new_family = AF_INET;
	m->old_saddr.a4 = m->new_saddr.a4 = htonl(0x0a090001);
	m->old_daddr.a4 = htonl(0x0a090002);
	m->new_daddr.a4 = htonl(0x0a090003);
	m->proto = IPPROTO_ESP;
	m->mode = XFRM_MODE_TUNNEL;
}

static void expire(__u16 type, __u32 spi)
{
	struct xfrm_user_expire *e = xfrm_begin(type, sizeof(*e));

	e->state.family = AF_INET;
	e->state.id.daddr.a4 = htonl(0x0a090002);
	e->state.id.proto = IPPROTO_ESP;
	e->state.id.spi = htonl(spi);
	e->hard = 1;
}

static void policy(__u16 type, __u32 index)
{
	struct xfrm_userpolicy_info *info = xfrm_begin(type, sizeof(*info));

	selector(&info->sel);
	info->dir = XFRM_POLICY_OUT;
	info->priority = 100;
	if (index)
		policy_template();
}

static void green_state(__u16 type, __u32 spi)
{
	xfrm_state(type, spi)->reqid = GREEN_REQID;
	xfrm_aead("rfc4106(gcm(aes))", 160);
}

static void green_policy(__u16 type, __u32 index)
{
	struct xfrm_user_tmpl *t;

	policy(type, 0);
	t = xfrm_room(XFRMA_TMPL, sizeof(*t));
	t->family = AF_INET;
	t->id.daddr.a4 = htonl(0x0a090002);
	t->id.proto = IPPROTO_ESP;
	t->mode = XFRM_MODE_TUNNEL;
	t->reqid = GREEN_REQID + index;
}

static void policy_named(__u16 type, __u32 index)
{
	struct xfrm_userpolicy_id *id = xfrm_begin(type, sizeof(*id));

	(void)index;
	selector(&id->sel);
	id->dir = XFRM_POLICY_OUT;
}

static void flush(__u16 type, __u32 spi)
{
	(void)spi;
	xfrm_begin(type, type == XFRM_MSG_FLUSHSA ? sizeof(struct xfrm_usersa_flush) : 0);
}

/* ---- agents ------------------------------------------------------------------------------------ */

static struct keyd k;
static char path[64];

static int agent_opens(void)
{
	memset(&k, 0, sizeof(k));
	compartments_add(&k, "blue");
	k.place[k.places++] = (struct keyd_place){ .has_reqid = 1, .reqid = GREEN_REQID, .compartment = "green" };
	compartments_add(&k, "green");
	return store_open(&k, path);
}

static void agent_starts(void)
{
	if (agent_opens())
		_exit(2);
	sa_recover(&k);
	policy_recover(&k);
	hand_recover(&k);
}

/* The kernel writes the head last; a new one only where none is. */
static void agent_reads(void)
{
	if (hand_message(&k)->len)
		_exit(3);
	message.from.len = (__u32)sizeof(message.from) + head->nlmsg_len;
	memcpy(k.store->hand.bytes, message.bytes, message.from.len);
	memset(&message, 0, sizeof(message));
	world->is_over = 0;
	request_serve(&k, hand_message(&k));
}

/* A process that dies at that step (0: does not) has died. */
static bool agent_dies(int at, bool has_message)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(4);
		steps = 0;
		dies_at = has_message ? 0 : at;
		agent_starts();
		if (!has_message)
			_exit(0);
		steps = 0;
		dies_at = at;
		agent_reads();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert(!WEXITSTATUS(status) || WEXITSTATUS(status) == KILLED);
	return WEXITSTATUS(status);
}

static int moved;			/* SAs and templates that a migration had in mind */

static int valid_in_store(int *others)
{
	struct keyd_sa *sa;
	struct keyd_policy *p;
	uint64_t below;
	int count = 0;

	moved = 0;
	ck_assert_int_eq(agent_opens(), 0);
	for (below = 0; (sa = store_next_sa(&k, below)); below = sa->id) {
		if (sa->state == SA_VALID) {
			ck_assert_ptr_nonnull(thing(world->sa, in(sa->compartment, ntohl(sa->info.id.spi))));
			ck_assert_int_eq(sa->aead.at[sizeof(struct xfrm_algo_aead)], 0x5a);
			moved += sa->info.id.daddr.a4 == htonl(0x0a090003);
			count++;
		}
		*others += sa->state != SA_VALID;
	}
	for (below = 0; (p = store_next_policy(&k, below)); below = p->id) {
		if (p->state != SA_VALID) {
			++*others;
			continue;
		}
		ck_assert_ptr_nonnull(thing(world->policy, in(p->compartment, p->info.index)));
		moved += p->template_[0].id.daddr.a4 == htonl(0x0a090003);
		count += 100;
	}
	ck_assert_uint_eq(hand_message(&k)->len, 0);
	ck_assert_uint_eq(k.store->hand.is_decided | k.store->hand.is_over | k.store->hand.tries, 0);
	store_close(&k);
	return count;
}

static int in_manager(void)
{
	int i, count = 0;

	for (i = 0; i < THINGS; i++)
		count += (world->sa[i] ? 1 : 0) + (world->policy[i] ? 100 : 0);
	return count;
}

/* ---- requests ------------------------------------------------------------------------------------ */

static const struct one {
	const char *what;
	struct what {
		void (*make)(__u16 type, __u32 name);
		__u16 type;
		__u32 name;
	} before[3], then;
	int error, has;		/* its answer (ENOTCONN: its manager takes nothing away); SAs, and policies by hundreds */
} requests[] = {
	{ "NEWSA", { { NULL, 0, 0 } }, { state, XFRM_MSG_NEWSA, 0x1001 }, 0, 1 },
	{ "NEWSA of one that is there", { { state, XFRM_MSG_NEWSA, 0x1001 } }, { state, XFRM_MSG_NEWSA, 0x1001 },
	  -EEXIST, 1 },
	{ "NEWSA beside another", { { state, XFRM_MSG_NEWSA, 0x1002 } }, { state, XFRM_MSG_NEWSA, 0x1001 }, 0, 2 },
	{ "UPDSA of a larval", { { NULL, XFRM_MSG_ALLOCSPI, 0x1001 } }, { state, XFRM_MSG_UPDSA, 0x1001 }, 0, 1 },
	{ "UPDSA", { { state, XFRM_MSG_NEWSA, 0x1001 } }, { state, XFRM_MSG_UPDSA, 0x1001 }, 0, 1 },
	{ "UPDSA of none", { { NULL, 0, 0 } }, { state, XFRM_MSG_UPDSA, 0x1001 }, -ESRCH, 0 },
	{ "DELSA", { { state, XFRM_MSG_NEWSA, 0x1001 }, { state, XFRM_MSG_NEWSA, 0x1002 } },
	  { xfrm_named, XFRM_MSG_DELSA, 0x1001 }, 0, 1 },
	{ "DELSA of none", { { state, XFRM_MSG_NEWSA, 0x1002 } }, { xfrm_named, XFRM_MSG_DELSA, 0x1001 }, -ESRCH, 1 },
	{ "GETSA", { { state, XFRM_MSG_NEWSA, 0x1001 } }, { xfrm_named, XFRM_MSG_GETSA, 0x1001 }, 0, 1 },
	{ "FLUSHSA", { { state, XFRM_MSG_NEWSA, 0x1001 }, { state, XFRM_MSG_NEWSA, 0x1002 } },
	  { flush, XFRM_MSG_FLUSHSA, 0 }, 0, 0 },
	{ "NEWPOLICY", { { state, XFRM_MSG_NEWSA, 0x1001 } }, { policy, XFRM_MSG_NEWPOLICY, 0 }, 0, 101 },
	{ "NEWPOLICY of one that is there", { { policy, XFRM_MSG_NEWPOLICY, 0 } }, { policy, XFRM_MSG_NEWPOLICY, 0 },
	  -EEXIST, 100 },
	{ "UPDPOLICY", { { policy, XFRM_MSG_NEWPOLICY, 0 } }, { policy, XFRM_MSG_UPDPOLICY, 0 }, 0, 100 },
	{ "DELPOLICY", { { policy, XFRM_MSG_NEWPOLICY, 0 } }, { policy_named, XFRM_MSG_DELPOLICY, 0 }, 0, 0 },
	{ "NEWSA elsewhere", { { state, XFRM_MSG_NEWSA, 0x1002 } }, { green_state, XFRM_MSG_NEWSA, 0x1001 }, 0, 2 },
	{ "DELSA elsewhere", { { state, XFRM_MSG_NEWSA, 0x1002 }, { green_state, XFRM_MSG_NEWSA, 0x1001 } },
	  { xfrm_named, XFRM_MSG_DELSA, 0x1001 }, 0, 1 },
	{ "FLUSHSA of both", { { state, XFRM_MSG_NEWSA, 0x1001 }, { green_state, XFRM_MSG_NEWSA, 0x1002 } },
	  { flush, XFRM_MSG_FLUSHSA, 0 }, 0, 0 },
	{ "UPDPOLICY to elsewhere", { { policy, XFRM_MSG_NEWPOLICY, 0 } }, { green_policy, XFRM_MSG_UPDPOLICY, 0 }, 0, 100 },
	{ "UPDPOLICY from there", { { green_policy, XFRM_MSG_NEWPOLICY, 0 } }, { green_policy, XFRM_MSG_UPDPOLICY, 1 }, 0,
	  100 },
	{ "EXPIRE", { { state, XFRM_MSG_NEWSA, 0x1001 }, { state, XFRM_MSG_NEWSA, 0x1002 } },
	  { expire, XFRM_MSG_EXPIRE, 0x1001 }, 0, 1 },
	{ "MIGRATE", { { state, XFRM_MSG_NEWSA, 0x1001 }, { policy, XFRM_MSG_NEWPOLICY, 1 } },
	  { migrate, XFRM_MSG_MIGRATE, 0 }, 0, 101 },
	{ "DELSA, kept", { { state, XFRM_MSG_NEWSA, 0x1001 } }, { xfrm_named, XFRM_MSG_DELSA, 0x1001 }, -ENOTCONN, 1 },
	{ "DELPOLICY, kept", { { policy, XFRM_MSG_NEWPOLICY, 0 } }, { policy_named, XFRM_MSG_DELPOLICY, 0 }, -ENOTCONN, 100 },
	{ "EXPIRE, kept", { { state, XFRM_MSG_NEWSA, 0x1001 } }, { expire, XFRM_MSG_EXPIRE, 0x1001 }, -ENOTCONN, 1 },
	{ "MIGRATE, kept", { { state, XFRM_MSG_NEWSA, 0x1001 }, { policy, XFRM_MSG_NEWPOLICY, 1 } },
	  { migrate, XFRM_MSG_MIGRATE, 0 }, -ENOTCONN, 101 },
	{ "FLUSHPOLICY", { { policy, XFRM_MSG_NEWPOLICY, 0 } }, { flush, XFRM_MSG_FLUSHPOLICY, 0 }, 0, 0 },
};

static void make(const struct what *w)
{
	if (w->type == XFRM_MSG_ALLOCSPI)
		alloc_spi(w->name);
	else
		w->make(w->type, w->name);
}

static void world_begins(const struct one *r)
{
	int i;

	memset(world, 0, sizeof(*world));
	unlink(path);
	for (i = 0; i < 3 && r->before[i].type; i++) {
		make(&r->before[i]);
		ck_assert(!agent_dies(0, true));
		ck_assert_int_eq(world->error, 0);
	}
	world->told = world->none = 0;
	world->keeps = r->error == -ENOTCONN;
	make(&r->then);
}

static void world_is_right(const struct one *r, int first, int second)
{
	int larval = 0, valid = valid_in_store(&larval);

	if (r->then.make == green_policy)
		ck_assert_int_eq(world->none, 0);
	ck_assert_int_eq(moved, r->then.type == XFRM_MSG_MIGRATE && !r->error ? 2 : 0);
	ck_assert_msg(world->is_over && world->error == r->error && valid == r->has && in_manager() == r->has && !larval,
		      "%s, killed at %d and %d: answered %d with %d (%d), store %d, manager %d (%d), larval %d", r->what,
		      first, second, world->is_over, world->error, r->error, valid, in_manager(), r->has, larval);
}

START_TEST(request_survives)
{
	const struct one *r = &requests[_i];
	int first, second, deaths = 0;
	bool died, again;

	for (first = 1, died = true; died; first++) {
		for (second = 1, again = true; again; second++) {
			world_begins(r);
			died = agent_dies(first, true);
			again = died && agent_dies(second, false);
			if (again)
				ck_assert(!agent_dies(0, false));
			deaths += again;
			world_is_right(r, first, second);
		}
	}
	ck_assert_int_gt(deaths, 8);
	unlink(path);
}
END_TEST

/* What kills its agent each time is refused, and the next one is served. */
START_TEST(request_that_kills)
{
	int i;

	world_begins(&requests[0]);
	ck_assert(agent_dies(1, true));
	for (i = 0; i < 3; i++)
		ck_assert(agent_dies(5, false));	/* four are taking away what the one before began */
	ck_assert(!agent_dies(0, false));
	ck_assert_int_eq(world->is_over, 1);
	ck_assert_int_eq(world->error, -ENOBUFS);
	ck_assert_int_eq(in_manager(), 0);
	state(XFRM_MSG_NEWSA, 0x1003);
	ck_assert(!agent_dies(0, true));
	ck_assert_int_eq(world->error, 0);
	ck_assert_int_eq(in_manager(), 1);
	unlink(path);
}
END_TEST

/* Of equal priority, the older one is asked first; under the next agent, too. */
START_TEST(policies_keep_their_order)
{
	__u32 i;

	memset(world, 0, sizeof(*world));
	unlink(path);
	for (i = 0; i < 4; i++) {
		policy(XFRM_MSG_NEWPOLICY, 0);
		((struct xfrm_userpolicy_info *)nlmsg_data(head))->sel.daddr.a4 = htonl(0x0a020000 + (i << 8));
		ck_assert(!agent_dies(0, true));
		ck_assert_int_eq(world->error, 0);
	}
	ck_assert(!agent_dies(0, false));
	ck_assert_int_eq(in_manager(), 400);
	for (i = 1; i < 4; i++)
		ck_assert_int_lt(world->order[i - 1], world->order[i]);
	unlink(path);
}
END_TEST

/* An agent that looks at its clock. */
static void agent_waits(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		steps = dies_at = 0;
		agent_starts();
		_exit(lifetime_timeout(&k) < 0 ? 1 : (lifetime_run(&k), 0));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void in_store(int valid, int ending)
{
	int others = 0;

	ck_assert_int_eq(valid_in_store(&others), valid);
	ck_assert_int_eq(others, ending);
}

/* What is flushed and cannot be taken away is told, asked for once for all, and goes when its manager is there again. */
START_TEST(a_flush_is_kept)
{
	world_begins(&requests[9]);
	world->keeps = 1;
	ck_assert(!agent_dies(0, true));
	ck_assert_int_eq(world->error, -ENOTCONN);
	ck_assert_int_eq(world->deletes, 1);
	ck_assert_int_eq(in_manager(), 2);
	in_store(0, 2);
	agent_waits();
	in_store(0, 2);
	state(XFRM_MSG_NEWSA, 0x1001);
	ck_assert(!agent_dies(0, true));
	ck_assert_int_eq(world->error, -ENOTCONN);
	world->keeps = 0;
	state(XFRM_MSG_NEWSA, 0x1001);			/* the old one goes for the new one */
	ck_assert(!agent_dies(0, true));
	ck_assert_int_eq(world->error, 0);
	ck_assert(!agent_dies(0, false));
	ck_assert_int_eq(in_manager(), 1);
	in_store(1, 0);
	unlink(path);
}
END_TEST

/* A flushed policy is not in the way of a new one. */
START_TEST(a_flushed_policy_is_put_again)
{
	memset(world, 0, sizeof(*world));
	unlink(path);
	policy(XFRM_MSG_NEWPOLICY, 0);
	ck_assert(!agent_dies(0, true));
	world->keeps = 1;
	flush(XFRM_MSG_FLUSHPOLICY, 0);
	ck_assert(!agent_dies(0, true));
	ck_assert_int_eq(world->error, -ENOTCONN);
	ck_assert_int_eq(in_manager(), 100);
	policy(XFRM_MSG_NEWPOLICY, 0);
	ck_assert(!agent_dies(0, true));
	ck_assert_int_eq(world->error, 0);
	world->keeps = 0;
	ck_assert(!agent_dies(0, false));
	ck_assert_int_eq(in_manager(), 100);
	in_store(100, 0);
	unlink(path);
}
END_TEST

static void setup(void)
{
	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(world, MAP_FAILED);
	snprintf(path, sizeof(path), "/dev/shm/test_hand.%d", getpid());
}

int main(void)
{
	Suite *suite = suite_create("hand");
	TCase *c = tcase_create("killed");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, request_survives, 0, (int)(sizeof(requests) / sizeof(requests[0])));
	tcase_add_test(c, request_that_kills);
	tcase_add_test(c, policies_keep_their_order);
	tcase_add_test(c, a_flush_is_kept);
	tcase_add_test(c, a_flushed_policy_is_put_again);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
