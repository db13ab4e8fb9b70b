// SPDX-License-Identifier: GPL-2.0-only
/* compartment.c - requests to the compartment's manager, in the words of ipsec-portctl */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keyd.h"
#include "words/device.h"
#include "words/word.h"

#define COMPARTMENT_SILENCE 10		/* seconds, as many as it was waited for */

void compartment_word(struct compartment_words *w, const char *format, ...)
{
	char *at = w->room + w->used;
	size_t left = sizeof(w->room) - w->used;
	va_list list;
	int length;

	if (w->count == COMPARTMENT_WORDS || !left)
		return;
	va_start(list, format);
	length = vsnprintf(at, left, format, list);
	va_end(list);
	if (length < 0 || (size_t)length >= left)
		return;
	w->word[w->count++] = at;
	w->used += (size_t)length + 1;
}

static int compartment_open(struct keyd *k, struct keyd_compartment *c)
{
	int err;

	if (c->port >= 0)
		return 0;
	c->port = opener_ask(k, c);
	if (c->port < 0)
		return c->port;
	err = device_attach(c->port, IPSP_ROLE_ADMIN, 0);
	if (!err)
		return 0;
	close(c->port);
	c->port = -1;
	return err;
}

/* What the manager says in words, as the errno that XFRM has for it. */
static int compartment_errno(int status, const char *text)
{
	static const struct {
		const char *begin, *part;
		int err;
	} meaning[] = {
		{ "aead key", "", -EINVAL }, { "enc key", "", -EINVAL }, { "auth key", "", -EINVAL },
		{ "auth-trunc key", "", -EINVAL }, { "auth-trunc icv", "", -EINVAL },
		{ "aead", "", -ENOSYS }, { "enc", "", -ENOSYS }, { "auth", "", -ENOSYS },
		{ "", "not served", -EOPNOTSUPP }, { "", "File exists", -EEXIST },
		{ "", "No such process", -ESRCH }, { "", "No such file", -ENOENT },
		{ "", "No space left", -ENOBUFS }, { "", "Cannot allocate", -ENOMEM },
		{ "", "neither src nor dst", -EADDRNOTAVAIL },
	};
	size_t i;

	for (i = 0; i < sizeof(meaning) / sizeof(meaning[0]); i++)
		if (!strncmp(text, meaning[i].begin, strlen(meaning[i].begin)) &&
		    strstr(text, meaning[i].part))
			return meaning[i].err;
	return status ? -EINVAL : 0;
}

/*
 * One that hangs must not take the others along: what only asks for counts (JSON) is not said again at once, and what was
 * known last is told. What changes something is always said.
 */
static bool compartment_is_silent(const struct keyd_compartment *c, __u32 flags)
{
	return (flags & IPSP_ADMINF_JSON) && time(NULL) < c->silent_until;
}

/* Its manager may have been another one since, its port deleted and made anew. */
static int compartment_try(struct keyd *k, struct keyd_compartment *c, struct compartment_words *w, __u32 flags,
			   struct device_reply *reply)
{
	int err = !c ? -ENOENT : compartment_is_silent(c, flags) ? -ETIMEDOUT : compartment_open(k, c);

	if (c)
		c->has_gone = err == -ENOENT;
	if (err)
		return err;
	reply->next = 0;
	err = device_ask(c->port, flags, w->word, w->count, reply);
	c->silent_until = err == -ETIMEDOUT ? time(NULL) + COMPARTMENT_SILENCE : 0;
	if (err) {
		close(c->port);
		c->port = -1;
	}
	return err;
}

int compartment_ask(struct keyd *k, const char *name, struct compartment_words *w, __u32 flags, const char **text)
{
	struct keyd_compartment *c = compartments_find(k, name);
	static struct device_reply reply;
	int err = compartment_try(k, c, w, flags, &reply);

	if (err == -EPIPE)
		err = compartment_try(k, c, w, flags, &reply);
	explicit_bzero(w->room, w->used);
	if (err) {
		snprintf(reply.text, sizeof(reply.text), "compartment \"%s\": its manager: %s", name,
			 strerror(-err));
		err = err == -ETIMEDOUT ? err : -ENOTCONN;
	} else if (reply.status) {
		reply.text[strcspn(reply.text, "\n")] = '\0';
		err = compartment_errno(reply.status, reply.text);
	}
	if (text)
		*text = reply.text;
	return err;
}
