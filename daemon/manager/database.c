// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipsec_port_selector.h"
#include "manager.h"

#define DATABASE_MAGIC 0x3454524f50534950ull	/* PISPORT4 */

struct database_sa *database_sas(struct database *d)
{
	return (struct database_sa *)(d + 1);
}

struct ipsp_policy_entry *database_policies(struct database *d)
{
	return (struct ipsp_policy_entry *)(database_sas(d) + d->sas_max);
}

static size_t database_size(__u32 sas_max, __u32 policies_max)
{
	return sizeof(struct database) + sas_max * sizeof(struct database_sa) +
	       policies_max * sizeof(struct ipsp_policy_entry);
}

static int database_map(struct manager *m, int fd, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	madvise(at, size, MADV_DONTDUMP);
	m->database = at;
	return 0;
}

static int database_create(struct manager *m)
{
	size_t size = database_size(m->options.sas_max, m->options.policies_max);
	int fd = memfd_create("ipsec-port-database", MFD_CLOEXEC), err;

	if (fd < 0 || ftruncate(fd, (off_t)size)) {
		err = -errno;
	} else {
		err = database_map(m, fd, size);
		if (!err && ioctl(m->fd, IPSP_IOC_STORE, &fd))
			err = -errno;
	}
	if (fd >= 0)
		close(fd);
	if (err)
		return err;
	m->database->sas_max = m->options.sas_max;
	m->database->policies_max = m->options.policies_max;
	m->database->next_index = 1;
	m->database->flags = m->options.default_drop ? IPSP_CONFIGF_DEFAULT_DROP : 0;
	m->database->magic = DATABASE_MAGIC;
	return 0;
}

/* ---- finding without a look at each --------------------------------------------------------- */

#define FIND_SAS	65536u		/* as max-sas allows */
#define FIND_KINDS	65536u

static __be32 spis[FIND_SAS];			/* 0: free */
static uint32_t free_from;			/* none below is */
static uint32_t indices[FIND_KINDS], selectors[FIND_KINDS];	/* how many policies have such a one, by a sum */

static uint32_t find_sum(const struct ipsp_selector *s)
{
	const uint8_t *at = (const uint8_t *)s, *end = at + sizeof(*s);
	uint32_t sum = 2166136261u;

	while (at < end)
		sum = (sum ^ *at++) * 16777619u;
	return (sum ^ sum >> 16) % FIND_KINDS;
}

/* The keying agent's are multiples of 8, and a direction. */
static uint32_t find_index(uint32_t index)
{
	return (index ^ index >> 16) % FIND_KINDS;
}

void database_noted_sa(struct manager *m, const struct database_sa *sa)
{
	uint32_t at = (uint32_t)(sa - database_sas(m->database));

	spis[at] = sa->used ? sa->sa.spi : 0;
	if (!sa->used && at < free_from)
		free_from = at;
}

void database_noted_policy(const struct ipsp_policy_entry *e, int by)
{
	indices[find_index(e->protect.index)] += (uint32_t)by;
	selectors[find_sum(&e->protect.selector)] += (uint32_t)by;
}

void database_noted_all(struct manager *m)
{
	const struct ipsp_policy_entry *e = database_policies(m->database);
	uint32_t i;

	memset(spis, 0, sizeof(spis));
	memset(indices, 0, sizeof(indices));
	memset(selectors, 0, sizeof(selectors));
	free_from = 0;
	for (i = 0; i < m->database->sas_max; i++)
		if (database_sas(m->database)[i].used)
			database_noted_sa(m, &database_sas(m->database)[i]);
	for (i = 0; i < m->database->policies; i++)
		database_noted_policy(&e[i], 1);
}

bool database_may_have_index(uint32_t index)
{
	return indices[find_index(index)];
}

bool database_may_have(const struct ipsp_policy_entry *like)
{
	return like->protect.index ? database_may_have_index(like->protect.index) : selectors[find_sum(&like->protect.selector)];
}

struct database_sa *database_free(struct manager *m)
{
	struct database_sa *at = database_sas(m->database) + free_from, *end = database_sas(m->database) + m->database->sas_max;

	while (at < end && at->used)
		at++;
	free_from = (uint32_t)(at - database_sas(m->database));
	return at < end ? at : NULL;
}

/* ---- a predecessor's ---------------------------------------------------------------------- */

static int algorithm_is_sound(const struct ipsp_algorithm *a)
{
	return memchr(a->name, '\0', sizeof(a->name)) && a->key_bits <= 8 * IPSP_KEY_MAX;
}

static int sa_is_sound(const struct ipsp_sa *sa)
{
	return (sa->family == 4 || sa->family == 6) && sa->direction <= IPSP_DIR_IN &&
	       ipsp_selector_is_valid(&sa->selector) && algorithm_is_sound(&sa->aead) &&
	       algorithm_is_sound(&sa->cipher) && algorithm_is_sound(&sa->auth);
}

static int policy_is_sound(const struct ipsp_policy_entry *e)
{
	return e->protect.direction <= IPSP_DIR_FWD && e->templates <= IPSP_STAMPS &&
	       ipsp_selector_is_valid(&e->protect.selector);
}

static int events_are_sound(const struct database *d)
{
	uint32_t i;

	for (i = 0; i < EVENT_KEPT && i < d->events; i++)
		if (d->event[i].kind > EVENT_MANAGER ||
		    (d->event[i].kind == IPSP_EVENT_EXPIRE && !sa_is_sound(&d->event[i].sa)))
			return 0;
	return 1;
}

/* What everybody else relies on: names that end, numbers inside what they count. */
static int database_is_sound(struct database *d)
{
	const struct ipsp_policy_entry *policy = database_policies(d);
	const struct database_sa *sa = database_sas(d);
	uint32_t i, used = 0;

	for (i = 0; i < d->sas_max; i++) {
		used += !!sa[i].used;
		if (sa[i].used && !sa_is_sound(&sa[i].sa))
			return 0;
	}
	for (i = 0; i < d->policies; i++)
		if (!policy_is_sound(&policy[i]) ||
		    (i && policy[i - 1].protect.priority > policy[i].protect.priority))
			return 0;
	return used == d->sas && events_are_sound(d);
}

/* Believed only if its sizes fit the file, and its entries what is done with them. */
static int database_take(struct manager *m, int fd)
{
	struct stat st;
	int err = fstat(fd, &st) || (size_t)st.st_size < sizeof(struct database) ? -EINVAL : 0;

	if (!err)
		err = database_map(m, fd, (size_t)st.st_size);
	close(fd);
	if (err)
		return err;
	if (m->database->magic != DATABASE_MAGIC ||
	    (size_t)st.st_size != database_size(m->database->sas_max, m->database->policies_max) ||
	    m->database->sas_max > FIND_SAS || m->database->policies > m->database->policies_max || !database_is_sound(m->database))
		return -EINVAL;
	return 0;
}

int database_open(struct manager *m)
{
	int fd = ioctl(m->fd, IPSP_IOC_TAKE), err;

	if (fd < 0 && errno != ENOENT)
		err = -errno;
	else
		err = fd < 0 ? database_create(m) : database_take(m, fd);
	if (err)
		fprintf(stderr, "ipsec-portd: database of %s: %s\n", m->name, strerror(-err));
	else
		database_noted_all(m);
	return err;
}

int database_try(struct manager *m, int fd)
{
	int err = database_take(m, fd);

	if (err)
		fprintf(stderr, "ipsec-portd: database of %s: it is not of this version's form\n", m->name);
	return err;
}

struct database_sa *database_find(struct manager *m, const struct ipsp_sa *id)
{
	struct database_sa *at = database_sas(m->database);
	uint32_t i;

	for (i = 0; i < m->database->sas_max; i++)
		if (spis[i] == id->spi && at[i].used && at[i].sa.spi == id->spi && at[i].sa.family == id->family &&
		    at[i].sa.protocol == id->protocol && !memcmp(at[i].sa.destination, id->destination, 16))
			return &at[i];
	return NULL;
}
