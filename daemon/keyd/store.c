// SPDX-License-Identifier: GPL-2.0-only
/*
 * store.c - both databases in a file of a tmpfs, mapped: a successor finds them there
 *
 * Entries beyond the count are zero, and none moves: a free one in between is used again.
 * Beside the file, in our own memory and made anew from it: what finds an SA by its SPI and by
 * its age without a look at each.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keyd.h"

#define STORE_MAGIC	0x3264796b70737069ull	/* "ipspkyd2" */
#define STORE_SAS	16384u
#define STORE_POLICIES	16384u

static size_t store_size(void)
{
	return sizeof(struct keyd_store) + STORE_SAS * sizeof(struct keyd_sa) +
	       STORE_POLICIES * sizeof(struct keyd_policy);
}

static void store_init(struct keyd_store *s)
{
	s->sas_max = STORE_SAS;
	s->policies_max = STORE_POLICIES;
	s->next_id = 1;
	s->threshold[0] = (struct xfrmu_spdhthresh){ 32, 32 };
	s->threshold[1] = (struct xfrmu_spdhthresh){ 128, 128 };
	s->default_ = (struct xfrm_userpolicy_default){ XFRM_USERPOLICY_ACCEPT, XFRM_USERPOLICY_ACCEPT,
							XFRM_USERPOLICY_ACCEPT };
	s->magic = STORE_MAGIC;
}

/* ---- finding SAs ----------------------------------------------------------------------- */

struct age {
	uint64_t id;			/* rising; one that the entry has no more is past */
	uint32_t at;
};

static __be32 spis[STORE_SAS];
static struct age ages[2 * STORE_SAS];
static uint32_t ages_count, free_from;	/* no entry below is free */

static int age_compare(const void *a, const void *b)
{
	const struct age *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* The past ones go. */
static void index_ages(struct keyd *k)
{
	const struct keyd_sa *sas = store_sas(k);
	uint32_t i;

	ages_count = 0;
	for (i = 0; i < k->store->sas; i++)
		if (sas[i].id)
			ages[ages_count++] = (struct age){ sas[i].id, i };
	qsort(ages, ages_count, sizeof(ages[0]), age_compare);
}

static void index_all(struct keyd *k)
{
	const struct keyd_sa *sas = store_sas(k);
	uint32_t i;

	for (i = 0; i < STORE_SAS; i++)
		spis[i] = sas[i].info.id.spi;
	free_from = 0;
	index_ages(k);
}

void store_named(struct keyd *k, const struct keyd_sa *sa)
{
	spis[sa - store_sas(k)] = sa->info.id.spi;
}

struct keyd_sa *store_find_spi(struct keyd *k, __be32 spi, const struct keyd_sa *after)
{
	uint32_t i = after ? (uint32_t)(after - store_sas(k)) + 1 : 0;

	for (; i < k->store->sas; i++)
		if (spis[i] == spi)
			return &store_sas(k)[i];
	return NULL;
}

/* How many are older. */
static uint32_t index_older(uint64_t below)
{
	uint32_t least = 0, most = ages_count, middle;

	while (least < most) {
		middle = (least + most) / 2;
		if (ages[middle].id < below)
			least = middle + 1;
		else
			most = middle;
	}
	return least;
}

/* ---- the file -------------------------------------------------------------------------- */

int store_open(struct keyd *k, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), err = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid || (st.st_mode & 077))
		err = -EPERM;
	else if (st.st_size && (size_t)st.st_size != store_size())
		err = -EBADMSG;
	else if (ftruncate(fd, (off_t)store_size()))
		err = -errno;
	if (!err)
		k->store = mmap(NULL, store_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!err && k->store == MAP_FAILED)
		err = -errno;
	close(fd);
	if (err)
		return err;
	madvise(k->store, store_size(), MADV_DONTDUMP);
	if (!k->store->magic)
		store_init(k->store);
	if (k->store->magic != STORE_MAGIC || k->store->sas > STORE_SAS || k->store->policies > STORE_POLICIES)
		return -EBADMSG;
	index_all(k);
	return 0;
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
	struct keyd_sa *at = store_sas(k) + free_from, *end = store_sas(k) + k->store->sas;

	while (at < end && at->state)
		at++;
	if (at >= end && k->store->sas == k->store->sas_max)
		return NULL;
	free_from = (uint32_t)(at - store_sas(k));
	k->store->sas += at == end;
	explicit_bzero(at, sizeof(*at));
	at->id = k->store->next_id++;
	if (ages_count == 2 * STORE_SAS)
		index_ages(k);
	else
		ages[ages_count++] = (struct age){ at->id, free_from };
	return at;
}

struct keyd_policy *store_new_policy(struct keyd *k)
{
	struct keyd_policy *at = store_policies(k), *end = at + k->store->policies;

	while (at < end && at->state)
		at++;
	if (at == end && k->store->policies == k->store->policies_max)
		return NULL;
	k->store->policies += at == end;
	memset(at, 0, sizeof(*at));
	at->id = k->store->next_id++;
	return at;
}

void store_free_sa(struct keyd *k, struct keyd_sa *sa)
{
	uint32_t i = (uint32_t)(sa - store_sas(k));

	sa->state = SA_NONE;
	explicit_bzero(sa, sizeof(*sa));
	spis[i] = 0;
	free_from = i < free_from ? i : free_from;
	while (k->store->sas && !store_sas(k)[k->store->sas - 1].state)
		k->store->sas--;
}

void store_free_policy(struct keyd *k, struct keyd_policy *p)
{
	p->state = SA_NONE;
	memset(p, 0, sizeof(*p));
	while (k->store->policies && !store_policies(k)[k->store->policies - 1].state)
		k->store->policies--;
}

struct keyd_sa *store_next_sa(struct keyd *k, uint64_t below)
{
	uint32_t i = below ? index_older(below) : ages_count;
	struct keyd_sa *sa;

	while (i--) {
		sa = &store_sas(k)[ages[i].at];
		if (sa->id == ages[i].id && sa->state)
			return sa;
	}
	return NULL;
}

struct keyd_policy *store_next_policy(struct keyd *k, uint64_t below)
{
	struct keyd_policy *at = store_policies(k), *end = at + k->store->policies, *next = NULL;

	for (; at < end; at++)
		if (at->state && (!below || at->id < below) && (!next || at->id > next->id))
			next = at;
	return next;
}
