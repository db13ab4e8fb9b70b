// SPDX-License-Identifier: GPL-2.0-only
/* manager.c - state, policy and events: the words go to the compartment's manager, its text comes back */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "portctl.h"
#include "words/device.h"

#define MANAGER_KEYS	3		/* a state has at most so many */

struct key {
	char text[2 * IPSP_KEY_MAX + 8];	/* "@=0x..." */
};

/* @FILE: we read its first line, by our own rights and in our own time; the manager gets "@=" and the line. */
static int key_read(const char *path, struct key *k)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 2;
	ssize_t got;

	if (fd < 0)
		return -errno;
	memset(k, 0, sizeof(*k));
	memcpy(k->text, "@=", 2);
	do {
		got = read(fd, k->text + used, sizeof(k->text) - 1 - used);
		used += got > 0 ? (size_t)got : 0;
	} while (got > 0 && used < sizeof(k->text) - 1 && !memchr(k->text, '\n', used));
	got = got < 0 ? -errno : 0;
	close(fd);
	if (!got && used == sizeof(k->text) - 1 && !memchr(k->text, '\n', used))
		return -EFBIG;
	k->text[strcspn(k->text, "\r\n")] = '\0';
	return (int)got;
}

static int keys_read(const char **word, int count, struct key *key)
{
	int i, n = 0, err;

	for (i = 0; i < count; i++) {
		if (*word[i] != '@' || n == MANAGER_KEYS)
			continue;
		err = key_read(word[i] + 1, &key[n]);
		if (err)
			return portctl_refused(word[i], err);
		word[i] = key[n++].text;
	}
	return 0;
}

/* A long list comes in several replies. */
static int manager_ask(const struct portctl *p, const char *const *word, int count, int *status)
{
	static struct device_reply reply;
	__u32 flags = (p->json ? IPSP_ADMINF_JSON : 0) | (p->keys ? IPSP_ADMINF_KEYS : 0);
	int err;

	do {
		err = device_request(p->compartment, flags, word, count, &reply);
		if (!err)
			fwrite(reply.text, 1, reply.length, reply.status ? stderr : stdout);
		*status = reply.status;
		explicit_bzero(reply.text, sizeof(reply.text));
	} while (!err && reply.next);
	return err;
}

/* ---- following ------------------------------------------------------------------------------ */

/* The admin's end of the port. A manager that comes again finds what happened so far in the database. */
static int follow_open(const struct portctl *p)
{
	int fd = device_open(p->compartment, O_RDWR | O_CLOEXEC), err = fd < 0 ? fd : device_attach(fd, IPSP_ROLE_ADMIN, 0);

	if (fd >= 0 && err)
		close(fd);
	return err ? err : fd;
}

/* Until the port ends, or nobody reads us: 0, or -EPIPE: there is no manager. */
static int follow_port(const struct portctl *p, int fd, __u32 *start)
{
	static const char *const word[] = { "events", "follow" };
	static struct device_reply reply;
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	int err;

	for (;;) {
		err = device_send(fd, p->json ? IPSP_ADMINF_JSON : 0, *start, word, 2);
		if (err)
			return err;
		while (poll(&wait, 1, -1) < 0 && errno == EINTR)
			;
		err = device_receive(fd, &reply);
		if (err)
			return err;
		fwrite(reply.text, 1, reply.length, stdout);
		if (fflush(stdout))
			return 0;
		if (reply.next)
			*start = reply.next;
	}
}

/* What is there, and then what comes, also by managers that come. It ends with the compartment. */
static int manager_follow(const struct portctl *p, struct words *w)
{
	const struct timespec pause = { 0, 200000000 };
	__u32 start = 0;
	int fd, err;

	word_next(w);
	err = portctl_end(w, "events --follow");
	while (!err) {
		fd = follow_open(p);
		if (fd < 0)
			return portctl_refused(p->compartment, fd);
		err = follow_port(p, fd, &start);
		close(fd);
		if (err != -EPIPE && err != -ENODEV)
			return err ? portctl_refused(p->compartment, err) : 0;
		nanosleep(&pause, NULL);
		err = 0;
	}
	return err;
}

int manager_main(const struct portctl *p, struct words *w)
{
	const char *word[WORD_COUNT_MAX + 1];
	struct key key[MANAGER_KEYS];
	int err, status, count = w->count - w->at;

	if (!p->compartment)
		return portctl_usage("%s: no compartment; wanted: -c NAME", word_peek(w));
	if (p->follow)
		return manager_follow(p, w);
	memcpy(word, w->word + w->at, (size_t)count * sizeof(*word));
	err = keys_read(word, count, key);
	if (err) {
		explicit_bzero(key, sizeof(key));
		return err;
	}
	if (p->fresh_key)
		word[count++] = "fresh-key";
	err = manager_ask(p, word, count, &status);
	explicit_bzero(key, sizeof(key));
	if (err == -EPIPE)
		return portctl_usage("compartment \"%s\": no manager; wanted: a running ipsec-portd",
				     p->compartment);
	if (err == -ETIMEDOUT)
		return portctl_usage("compartment \"%s\": its manager does not answer within 10 s",
				     p->compartment);
	if (err)
		return portctl_refused(p->compartment, err);
	return status;
}
