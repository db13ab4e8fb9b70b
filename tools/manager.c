// SPDX-License-Identifier: GPL-2.0-only
/* manager.c - state and policy: the words go to the compartment's manager, its text comes back */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "portctl.h"
#include "words/device.h"

/* A long list comes in several replies. */
static int manager_ask(const struct portctl *p, const struct words *w, int *status)
{
	static struct device_reply reply;
	__u32 flags = (p->json ? IPSP_ADMINF_JSON : 0) | (p->keys ? IPSP_ADMINF_KEYS : 0);
	const char *word[WORD_COUNT_MAX + 1];
	int err, count = w->count - w->at;

	memcpy(word, w->word + w->at, (size_t)count * sizeof(*word));
	if (p->fresh_key)
		word[count++] = "fresh-key";
	do {
		err = device_request(p->compartment, flags, word, count, &reply);
		if (!err)
			fwrite(reply.text, 1, reply.length, reply.status ? stderr : stdout);
		*status = reply.status;
		explicit_bzero(reply.text, sizeof(reply.text));
	} while (!err && reply.next);
	return err;
}

int manager_main(const struct portctl *p, struct words *w)
{
	int err, status;

	if (!p->compartment)
		return portctl_usage("%s: no compartment; wanted: -c NAME", word_peek(w));
	err = manager_ask(p, w, &status);
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
