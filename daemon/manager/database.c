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

#define DATABASE_MAGIC 0x3254524f50534950ull	/* PISPORT2 */

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
	return used == d->sas;
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
	    m->database->policies > m->database->policies_max || !database_is_sound(m->database))
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
	return err;
}

struct database_sa *database_find(struct manager *m, const struct ipsp_sa *id)
{
	struct database_sa *at = database_sas(m->database), *end = at + m->database->sas_max;

	for (; at < end; at++)
		if (at->used && at->sa.spi == id->spi && at->sa.family == id->family &&
		    at->sa.protocol == id->protocol &&
		    !memcmp(at->sa.destination, id->destination, 16))
			return at;
	return NULL;
}
