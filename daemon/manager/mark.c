// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/hmac.h>

#include "manager.h"
#include "mark.h"

#define MARK_NAME	16		/* bytes of the hash that tell keys apart */
#define MARK_KEY	32
#define MARK_MS		1000000ull

/* ---- words ---------------------------------------------------------------------------------- */

bool mark_is_wanted(const struct words *w)
{
	int i;

	for (i = 0; i < w->count; i++)
		if (*w->word[i] == '@')
			return true;
	return false;
}

bool mark_is_fresh(struct words *w)
{
	if (!w->count || strcmp(w->word[w->count - 1], "fresh-key"))
		return false;
	w->count--;
	return true;
}

const char *mark_error(int err)
{
	static const struct {
		int err;
		const char *text;
	} texts[] = {
		{ ENOKEY, "no mark of it on disk; allowed: fresh-key, if the key was never used before" },
		{ ERANGE, "its mark says that all its numbers are used; wanted: a new key" },
		{ EBADMSG, "its mark on disk is damaged; wanted: a new key" },
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].err == -err)
			return texts[i].text;
	return strerror(-err);
}

int mark_fail(struct words *w, const struct ipsp_sa *sa, int err)
{
	const char *name = sa->aead.name[0] ? sa->aead.name : sa->cipher.name;

	return word_fail(w, WORD_STATUS_REFUSED, "state: %s \"%s\" with a key from a file: %s",
			 sa->aead.name[0] ? "aead" : "enc", name, mark_error(err));
}

/* ---- the folder ------------------------------------------------------------------------------ */

/* One for all managers of the host, who take turns by a lock on it: a key is not a compartment's. */
static int mark_folder(const struct manager *m)
{
	const char *state = m->state_dir ? m->state_dir : MARK_DIRECTORY;
	char path[512];
	int fd;

	if (snprintf(path, sizeof(path), "%s/marks", state) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	mkdir(state, 0700);
	mkdir(path, 0700);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!flock(fd, LOCK_EX))
		return fd;
	close(fd);
	return -EIO;
}

/* Bytes that fit, or -errno; longer ones are told by `room` itself. */
static ssize_t mark_read_file(int folder, const char *name, void *data, size_t room)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, data, room);
	if (got < 0)
		got = -errno;
	close(fd);
	return got;
}

/* On disk under its name, whole, when it returns 0. */
static int mark_write_file(int folder, const char *name, const void *data, size_t length)
{
	int fd = openat(folder, "new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, data, length) != (ssize_t)length)
		err = -ENOSPC;
	else if (fsync(fd))
		err = -errno;
	close(fd);
	if (!err && (renameat(folder, "new", folder, name) || fsync(folder)))
		err = -errno;
	return err;
}

/* With which names are made: a mark tells nothing of its key to who has not got this file. */
static int mark_key(int folder, __u8 key[MARK_KEY])
{
	ssize_t got = mark_read_file(folder, "key", key, MARK_KEY);

	if (got == MARK_KEY)
		return 0;
	if (got != -ENOENT)
		return got < 0 ? (int)got : -EBADMSG;
	if (getrandom(key, MARK_KEY, 0) != MARK_KEY)
		return -EIO;
	return mark_write_file(folder, "key", key, MARK_KEY);
}

/* As a counter's name (sa.c), but under a key that outlives the module. */
static void mark_hash(const __u8 key[MARK_KEY], const struct ipsp_sa *sa, __u8 *hash)
{
	struct {
		__u8 direction;
		struct ipsp_algorithm algorithm[3];
		__u8 destination[16];
		__u8 protocol;
		__be32 spi;
	} __attribute__((packed)) input;
	unsigned length = 32;

	memset(&input, 0, sizeof(input));
	input.direction = sa->direction;
	input.algorithm[0] = sa->aead;
	input.algorithm[1] = sa->cipher;
	input.algorithm[2] = sa->auth;
	if (sa->direction == IPSP_DIR_IN) {
		memcpy(input.destination, sa->destination, 16);
		input.protocol = sa->protocol;
		input.spi = sa->spi;
	}
	HMAC(EVP_sha256(), key, MARK_KEY, (const unsigned char *)&input, sizeof(input), hash,
	     &length);
	explicit_bzero(&input, sizeof(input));
}

static int mark_name(int folder, const struct ipsp_sa *sa, char name[2 * MARK_NAME + 1])
{
	__u8 key[MARK_KEY], hash[32];
	int i, err = mark_key(folder, key);

	if (err)
		return err;
	mark_hash(key, sa, hash);
	for (i = 0; i < MARK_NAME; i++)
		snprintf(name + (size_t)i * 2, 3, "%02x", hash[i]);
	explicit_bzero(key, sizeof(key));
	return 0;
}

/* ---- one mark -------------------------------------------------------------------------------- */

/* 0 with the number, -ENOENT, or why not. */
static int mark_read(int folder, const char *name, uint64_t *number)
{
	char text[32], *end;
	ssize_t got = mark_read_file(folder, name, text, sizeof(text) - 1);

	if (got < 0)
		return (int)got;
	text[got] = '\0';
	errno = 0;
	*number = strtoull(text, &end, 10);
	return got && *text >= '0' && *text <= '9' && !errno && !strcmp(end, "\n") ? 0 : -EBADMSG;
}

/* Marks only rise, whichever manager writes. */
static int mark_write(int folder, const char *name, uint64_t number)
{
	uint64_t before = 0;
	char text[32];
	int err = mark_read(folder, name, &before);

	if (err && err != -ENOENT)
		return err;
	if (!err && before >= number)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64 "\n", number);
	return mark_write_file(folder, name, text, strlen(text));
}

static uint64_t mark_most(const struct ipsp_sa *sa)
{
	return sa->flags & IPSP_SAF_ESN ? UINT64_MAX : UINT32_MAX;
}

static uint64_t mark_above(uint64_t number, uint64_t ahead, uint64_t most)
{
	return number < most && most - number > ahead ? number + ahead : most;
}

static int mark_find(int folder, const struct ipsp_sa *sa, bool is_fresh, char *name,
		     uint64_t *number)
{
	int err = mark_name(folder, sa, name);

	*number = 0;
	if (!err)
		err = mark_read(folder, name, number);
	if (err != -ENOENT)
		return err;
	return is_fresh ? 0 : -ENOKEY;
}

int mark_begin(struct manager *m, const struct ipsp_sa *sa, bool is_fresh, uint64_t least,
	       struct mark_range *range)
{
	uint64_t number, most = mark_most(sa);
	char name[2 * MARK_NAME + 1];
	int folder = mark_folder(m), err;

	if (folder < 0)
		return folder;
	err = mark_find(folder, sa, is_fresh, name, &number);
	if (!err && number >= most)
		err = -ERANGE;
	range->next = number + 1 > least || err ? number + 1 : least;
	range->ceiling = 0;
	if (!err && sa->direction == IPSP_DIR_OUT)
		number = range->ceiling = mark_above(range->next - 1, MARK_AHEAD, most);
	if (!err)
		err = mark_write(folder, name, number);
	close(folder);
	return err;
}

static int mark_raise(struct manager *m, const struct ipsp_sa *sa, struct mark *mark,
		      uint64_t number)
{
	char name[2 * MARK_NAME + 1];
	int folder = mark_folder(m), err;

	err = folder < 0 ? folder : mark_name(folder, sa, name);
	if (!err)
		err = mark_write(folder, name, number);
	if (folder >= 0)
		close(folder);
	if (err)
		fprintf(stderr, "ipsec-portd: %s: mark of spi 0x%x: %s\n", m->name,
			__builtin_bswap32(sa->spi), mark_error(err));
	else
		mark->written = number;
	return err;
}

/* ---- looking --------------------------------------------------------------------------------- */

/*
 * Raised while three quarters are left, by what eight looks will use. Who gave the same key
 * without a mark raised the ceiling beyond it: then the mark follows.
 */
static void mark_look_out(struct manager *m, const struct ipsp_sa *sa, struct mark *mark,
			  struct ipsp_handle *h)
{
	uint64_t most = mark_most(sa), used = mark->last ? h->next - mark->last : 0;
	uint64_t ahead = used > MARK_AHEAD / 8 ? used * 8 : MARK_AHEAD;
	struct ipsp_handle to = { .id = h->id };

	mark->last = h->next;
	if (h->ceiling > mark->written && mark_raise(m, sa, mark, h->ceiling))
		return;
	if (h->ceiling >= most || (h->ceiling >= h->next && h->ceiling - h->next >= ahead / 4 * 3))
		return;
	to.ceiling = mark_above(h->next, ahead, most);
	if (!mark_raise(m, sa, mark, to.ceiling))
		ioctl(m->fd, IPSP_IOC_HANDLE_SET, &to);
}

void mark_save(struct manager *m, const struct database_sa *sa)
{
	struct ipsp_handle h = { .id = sa->sa.handle };
	struct mark *mark;

	if (!m->marks)
		m->marks = calloc(m->database->sas_max, sizeof(*m->marks));
	if (!m->marks || !(sa->used & DATABASE_KEPT) || ioctl(m->fd, IPSP_IOC_HANDLE_GET, &h))
		return;
	mark = &m->marks[sa - database_sas(m->database)];
	if (sa->sa.direction == IPSP_DIR_OUT)
		mark_look_out(m, &sa->sa, mark, &h);
	else if (h.next > mark->written)
		mark_raise(m, &sa->sa, mark, h.next);
}

void mark_end(struct manager *m)
{
	const struct database_sa *sa = database_sas(m->database), *end = sa + m->database->sas_max;

	m->marks_wanted = 0;
	for (; sa < end; sa++) {
		if (!(sa->used & DATABASE_KEPT))
			continue;
		m->marks_wanted = 1;
		mark_save(m, sa);
	}
}

void mark_look(struct manager *m)
{
	uint64_t now = child_now();

	if (!m->marks_wanted || now < m->marks_due)
		return;
	mark_end(m);
	m->marks_due = now + MARK_LOOK_MS * MARK_MS;
}

int mark_timeout(const struct manager *m, int other)
{
	uint64_t now = child_now();
	int ms;

	if (!m->marks_wanted)
		return other;
	ms = m->marks_due > now ? (int)((m->marks_due - now) / MARK_MS + 1) : 0;
	return other >= 0 && other < ms ? other : ms;
}
