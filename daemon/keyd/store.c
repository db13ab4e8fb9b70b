// SPDX-License-Identifier: GPL-2.0-only
/*
 * store.c - both databases in a file of a tmpfs, mapped: a successor finds them there
 *
 * Entries beyond the count are zero, and none moves: a free one in between is used again.
 */
#include <errno.h>
#include <fcntl.h>
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
	return k->store->magic == STORE_MAGIC ? 0 : -EBADMSG;
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
	struct keyd_sa *at = store_sas(k), *end = at + k->store->sas;

	while (at < end && at->state)
		at++;
	if (at == end && k->store->sas == k->store->sas_max)
		return NULL;
	k->store->sas += at == end;
	explicit_bzero(at, sizeof(*at));
	at->id = k->store->next_id++;
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
	sa->state = SA_NONE;
	explicit_bzero(sa, sizeof(*sa));
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
	struct keyd_sa *at = store_sas(k), *end = at + k->store->sas, *next = NULL;

	for (; at < end; at++)
		if (at->state && (!below || at->id < below) && (!next || at->id > next->id))
			next = at;
	return next;
}

struct keyd_policy *store_next_policy(struct keyd *k, uint64_t below)
{
	struct keyd_policy *at = store_policies(k), *end = at + k->store->policies, *next = NULL;

	for (; at < end; at++)
		if (at->state && (!below || at->id < below) && (!next || at->id > next->id))
			next = at;
	return next;
}
