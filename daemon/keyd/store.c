// SPDX-License-Identifier: GPL-2.0-only
/*
 * store.c - both databases in a file of a tmpfs, mapped: a successor finds them there
 *
 * Entries beyond the count are zero, and none moves: a free one in between is used again.
 * Beside the file, in our own memory and made anew from it: what finds an SA or a policy by a number
 * of it, and by its age, without a look at each.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ages.h"
#include "keyd.h"

#define STORE_MAGIC	0x3664796b70737069ull	/* "ipspkyd6" */
#define STORE_SAS	AGES_MAX
#define STORE_POLICIES	AGES_MAX

static size_t store_size(void)
{
	return sizeof(struct keyd_store) + STORE_SAS * sizeof(struct keyd_sa) +
	       STORE_POLICIES * sizeof(struct keyd_policy);
}

static void store_init(struct keyd_store *s, uint64_t netns)
{
	s->netns = netns;
	s->sas_max = STORE_SAS;
	s->policies_max = STORE_POLICIES;
	s->next_id = 1;
	s->threshold[0] = (struct xfrmu_spdhthresh){ 32, 32 };
	s->threshold[1] = (struct xfrmu_spdhthresh){ 128, 128 };
	s->default_ = (struct xfrm_userpolicy_default){ XFRM_USERPOLICY_ACCEPT, XFRM_USERPOLICY_ACCEPT,
							XFRM_USERPOLICY_ACCEPT };
	s->magic = STORE_MAGIC;
}

/* ---- finding ---------------------------------------------------------------------------- */

static __be32 spis[STORE_SAS];
static __u32 reqids[STORE_SAS];
static uint64_t larvals[STORE_SAS / 64], watched[STORE_SAS / 64], watched_policies[STORE_POLICIES / 64];	/* some too many */
static __u32 selectors[STORE_POLICIES], indices[STORE_POLICIES];	/* of a selector a sum of it */
#define STORE_KINDS	65536u
static __u32 selector_kinds[STORE_KINDS], index_kinds[STORE_KINDS];	/* how many policies have one of a kind */
static struct ages sa_ages, policy_ages;
static uint32_t free_sa, free_policy;					/* no entry below is free */

static uint64_t sa_id(struct keyd *k, uint32_t at)
{
	return store_sas(k)[at].id;
}

static uint64_t policy_id(struct keyd *k, uint32_t at)
{
	return store_policies(k)[at].id;
}

__u32 store_sum(const struct xfrm_selector *s)
{
	const __u8 *at = (const __u8 *)s, *end = at + sizeof(*s);
	__u32 sum = 2166136261u;

	while (at < end)
		sum = (sum ^ *at++) * 16777619u;
	return sum;
}

static void bit_put(uint64_t *bits, uint32_t at, bool value)
{
	bits[at / 64] &= ~(1ull << at % 64);
	bits[at / 64] |= (uint64_t)value << at % 64;
}

/* The next one that is set, from `at` on; STORE_SAS, as many as policies: none. */
static uint32_t bit_next(const uint64_t *bits, uint32_t at)
{
	uint64_t word;

	for (; at < STORE_SAS; at = (at | 63) + 1) {
		word = bits[at / 64] >> at % 64;
		if (word)
			return at + (uint32_t)__builtin_ctzll(word);
	}
	return STORE_SAS;
}

void store_named(struct keyd *k, const struct keyd_sa *sa)
{
	uint32_t at = (uint32_t)(sa - store_sas(k));

	spis[at] = sa->info.id.spi;
	reqids[at] = sa->info.reqid;
	bit_put(larvals, at, true);
	bit_put(watched, at, lifetime_is_limited(&sa->info.lft) || sa->has_encap || sa->state == SA_ENDING);
}

static __u32 *selector_kind(__u32 sum)
{
	return &selector_kinds[(sum ^ sum >> 16) % STORE_KINDS];
}

/* They are multiples of 8 and a direction. */
static __u32 *index_kind(__u32 index)
{
	return &index_kinds[(index >> 3 ^ index << 13) % STORE_KINDS];
}

/* An entry that never was named has neither. */
static void policy_noted(uint32_t at, int by)
{
	if (!(selectors[at] | indices[at]))
		return;
	*selector_kind(selectors[at]) += (__u32)by;
	*index_kind(indices[at]) += (__u32)by;
}

void store_named_policy(struct keyd *k, const struct keyd_policy *p)
{
	uint32_t at = (uint32_t)(p - store_policies(k));

	policy_noted(at, -1);
	selectors[at] = store_sum(&p->info.sel);
	indices[at] = p->info.index;
	policy_noted(at, 1);
	bit_put(watched_policies, at, p->state == SA_ENDING || lifetime_is_timed(&p->info.lft));
}

/* The end of each entry, too, is looked at: so the pages that hold keys are mapped, and nobody's but ours. */
static void index_all(struct keyd *k)
{
	const struct keyd_sa *sas = store_sas(k);
	uint32_t i;

	for (i = 0; i < k->store->sas; i++)
		(void)*(const volatile char *)((const char *)(&sas[i] + 1) - 1);
	memset(spis, 0, sizeof(spis));
	memset(reqids, 0, sizeof(reqids));
	memset(selectors, 0, sizeof(selectors));
	memset(indices, 0, sizeof(indices));
	memset(selector_kinds, 0, sizeof(selector_kinds));
	memset(index_kinds, 0, sizeof(index_kinds));
	memset(larvals, 0, sizeof(larvals));
	memset(watched, 0, sizeof(watched));
	memset(watched_policies, 0, sizeof(watched_policies));
	for (i = 0; i < k->store->sas; i++)		/* those beyond are not looked at: that would take memory */
		store_named(k, &store_sas(k)[i]);
	for (i = 0; i < k->store->policies; i++)
		store_named_policy(k, &store_policies(k)[i]);
	free_sa = free_policy = 0;
	ages_again(&sa_ages, k, sa_id, k->store->sas);
	ages_again(&policy_ages, k, policy_id, k->store->policies);
}

struct keyd_sa *store_find_spi(struct keyd *k, __be32 spi, const struct keyd_sa *after)
{
	uint32_t i = after ? (uint32_t)(after - store_sas(k)) + 1 : 0;

	for (; i < k->store->sas; i++)
		if (spis[i] == spi)
			return &store_sas(k)[i];
	return NULL;
}

struct keyd_sa *store_find_reqid(struct keyd *k, __u32 reqid, const struct keyd_sa *after)
{
	uint32_t i = after ? (uint32_t)(after - store_sas(k)) + 1 : 0;

	for (; i < k->store->sas; i++)
		if (!reqid || reqids[i] == reqid)
			return &store_sas(k)[i];
	return NULL;
}

struct keyd_sa *store_find_larval(struct keyd *k, const struct keyd_sa *after)
{
	uint32_t i = after ? (uint32_t)(after - store_sas(k)) + 1 : 0;

	for (; (i = bit_next(larvals, i)) < STORE_SAS; i++) {
		if (store_sas(k)[i].state == SA_LARVAL)
			return &store_sas(k)[i];
		bit_put(larvals, i, false);
	}
	return NULL;
}

struct keyd_sa *store_find_watched(struct keyd *k, const struct keyd_sa *after)
{
	uint32_t i = bit_next(watched, after ? (uint32_t)(after - store_sas(k)) + 1 : 0);

	return i < STORE_SAS ? &store_sas(k)[i] : NULL;
}

struct keyd_policy *store_find_watched_policy(struct keyd *k, const struct keyd_policy *after)
{
	uint32_t i = bit_next(watched_policies, after ? (uint32_t)(after - store_policies(k)) + 1 : 0);

	return i < STORE_POLICIES ? &store_policies(k)[i] : NULL;
}

struct keyd_policy *store_find_selector(struct keyd *k, __u32 sum, const struct keyd_policy *after)
{
	uint32_t i = after ? (uint32_t)(after - store_policies(k)) + 1 : 0;

	for (; *selector_kind(sum) && i < k->store->policies; i++)
		if (selectors[i] == sum)
			return &store_policies(k)[i];
	return NULL;
}

struct keyd_policy *store_find_index(struct keyd *k, __u32 index, const struct keyd_policy *after)
{
	uint32_t i = after ? (uint32_t)(after - store_policies(k)) + 1 : 0;

	for (; *index_kind(index) && i < k->store->policies; i++)
		if (indices[i] == index)
			return &store_policies(k)[i];
	return NULL;
}

/* ---- the file -------------------------------------------------------------------------- */

/* What a predecessor had placed in compartments that are none of ours any more is no business of ours either. */
static void store_forget(struct keyd *k)
{
	struct keyd_policy *p = store_policies(k);
	struct keyd_sa *sa = store_sas(k);
	__u32 i, sas = 0, policies = 0;

	for (i = k->store->sas; i--;)
		if (*sa[i].compartment && !compartments_find(k, sa[i].compartment)) {
			store_free_sa(k, &sa[i]);
			sas++;
		}
	for (i = k->store->policies; i--;)
		if (*p[i].compartment && !compartments_find(k, p[i].compartment)) {
			store_free_policy(k, &p[i]);
			policies++;
		}
	if (sas | policies)
		fprintf(stderr, "ipsec-port-keyd: %u states and %u policies of compartments that are not named any "
			"more: forgotten\n", sas, policies);
}

static int netns_cookie(uint64_t *cookie)
{
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
	socklen_t size = sizeof(*cookie);

	if (s < 0 || getsockopt(s, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &size))
		err = -errno;
	if (s >= 0)
		close(s);
	return err;
}

/*
 * The file bears the number of its namespace's inode, which a later namespace may be given again: what an ended one held is
 * wiped, it is nobody's any more.
 */
static int store_wipe_of_another(int fd, uint64_t netns)
{
	struct { uint64_t magic, netns; } head = { 0 };

	if (pread(fd, &head, sizeof(head), 0) < 0)
		return -errno;
	if (head.magic != STORE_MAGIC || head.netns == netns)
		return 0;
	fprintf(stderr, "ipsec-port-keyd: the store was that of a namespace that has ended: begun anew\n");
	return ftruncate(fd, 0) ? -errno : 0;
}

#define STORE_PATIENCE	100	/* times 10 ms */

/* A predecessor that is dying lets go of its relay a moment before. */
static int store_lock(int fd)
{
	int tries = STORE_PATIENCE;

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (!tries--)
			return -EBUSY;
		usleep(10000);
	}
	return 0;
}

/* What is refused stays as it was. The lock is the file's, as it is open here, so both halves' of an agent. */
static int store_take(int fd, uint64_t netns)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid || (st.st_mode & 077))
		return -EPERM;
	if (st.st_size && (size_t)st.st_size != store_size())
		return -EBADMSG;
	return store_lock(fd) ?: store_wipe_of_another(fd, netns) ?: (ftruncate(fd, (off_t)store_size()) ? -errno : 0);
}

static int store_map(struct keyd *k, int fd, uint64_t netns)
{
	void *at = mmap(NULL, store_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	k->store = at;
	madvise(k->store, store_size(), MADV_DONTDUMP);
	if (!k->store->magic)
		store_init(k->store, netns);
	if (k->store->magic == STORE_MAGIC && k->store->sas <= STORE_SAS && k->store->policies <= STORE_POLICIES)
		return 0;
	munmap(at, store_size());
	k->store = NULL;
	return -EBADMSG;
}

int store_open(struct keyd *k, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), err;
	uint64_t netns = 0;

	if (fd < 0)
		return -errno;
	err = netns_cookie(&netns) ?: store_take(fd, netns) ?: store_map(k, fd, netns);
	if (err) {
		close(fd);
		return err;
	}
	k->store_fd = fd;
	index_all(k);
	store_forget(k);
	return 0;
}

void store_close(struct keyd *k)
{
	munmap(k->store, store_size());
	close(k->store_fd);
	k->store = NULL;
}

struct keyd_sa *store_sas(struct keyd *k)
{
	return (struct keyd_sa *)(k->store + 1);
}

struct keyd_policy *store_policies(struct keyd *k)
{
	return (struct keyd_policy *)(store_sas(k) + k->store->sas_max);
}

struct keyd_sa *store_new_sa(struct keyd *k)
{
	struct keyd_sa *at = store_sas(k) + free_sa, *end = store_sas(k) + k->store->sas;

	while (at < end && at->state)
		at++;
	if (at >= end && k->store->sas == k->store->sas_max)
		return NULL;
	free_sa = (uint32_t)(at - store_sas(k));
	k->store->sas += at == end;
	explicit_bzero(at, sizeof(*at));
	at->id = k->store->next_id++;
	ages_add(&sa_ages, k, sa_id, free_sa, k->store->sas);
	return at;
}

struct keyd_policy *store_new_policy(struct keyd *k)
{
	struct keyd_policy *at = store_policies(k) + free_policy, *end = store_policies(k) + k->store->policies;

	while (at < end && at->state)
		at++;
	if (at >= end && k->store->policies == k->store->policies_max)
		return NULL;
	free_policy = (uint32_t)(at - store_policies(k));
	k->store->policies += at == end;
	memset(at, 0, sizeof(*at));
	at->id = k->store->next_id++;
	ages_add(&policy_ages, k, policy_id, free_policy, k->store->policies);
	return at;
}

void store_free_sa(struct keyd *k, struct keyd_sa *sa)
{
	uint32_t i = (uint32_t)(sa - store_sas(k));

	sa->state = SA_NONE;
	explicit_bzero(sa, sizeof(*sa));
	store_named(k, sa);
	free_sa = i < free_sa ? i : free_sa;
	while (k->store->sas && !store_sas(k)[k->store->sas - 1].state)
		k->store->sas--;
}

void store_free_policy(struct keyd *k, struct keyd_policy *p)
{
	uint32_t i = (uint32_t)(p - store_policies(k));

	p->state = SA_NONE;
	memset(p, 0, sizeof(*p));
	store_named_policy(k, p);
	free_policy = i < free_policy ? i : free_policy;
	while (k->store->policies && !store_policies(k)[k->store->policies - 1].state)
		k->store->policies--;
}

struct keyd_sa *store_next_sa(struct keyd *k, uint64_t below)
{
	uint32_t i = ages_older(&sa_ages, below);

	while (i--) {
		struct keyd_sa *sa = &store_sas(k)[sa_ages.list[i].at];

		if (sa->id == sa_ages.list[i].id && sa->state)
			return sa;
	}
	return NULL;
}

struct keyd_policy *store_next_policy(struct keyd *k, uint64_t below)
{
	uint32_t i = ages_older(&policy_ages, below);

	while (i--) {
		struct keyd_policy *p = &store_policies(k)[policy_ages.list[i].at];

		if (p->id == policy_ages.list[i].id && p->state)
			return p;
	}
	return NULL;
}
