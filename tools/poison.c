// SPDX-License-Identifier: GPL-2.0-only
/* poison.c - packets that two stacks died on: told of, and saved for whoever looks for the bug */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kept.h"
#include "pcapng.h"
#include "portctl.h"
#include "words/device.h"

#define POISON_PACKET_MAX	(128u << 10)

struct poison {
	struct ipsp_poison about;
	char engine[128];		/* as the manager says: "engine E build B" */
	unsigned char packet[POISON_PACKET_MAX];
};

static struct poison poison;

/* 0, or -errno: -ENOENT behind the last. */
static int poison_get(struct poison *k, const char *name, __u32 index)
{
	memset(&k->about, 0, sizeof(k->about));
	strcpy(k->about.name, name);
	k->about.index = index;
	k->about.data = (uintptr_t)k->packet;
	k->about.size = sizeof(k->packet);
	return device_control(IPSP_CTL_POISON, &k->about);
}

static const char *poison_type(const struct poison *k)
{
	return k->about.type == IPSP_REC_CLASSIFY ? "classify" :
	       k->about.type == IPSP_REC_PROTECT ? "protect" : "unprotect";
}

static void poison_describe(const struct poison *k, char *to, size_t size)
{
	snprintf(to, size,
		 "ipsec-port compartment %s stack %u %s ticket %llu %s handle %u: two stacks died on it",
		 k->about.name, k->about.stack, k->engine, (unsigned long long)k->about.ticket,
		 poison_type(k), k->about.handle);
}

/* ---- the verbs ---------------------------------------------------------------------------- */

/* How many, or -errno. */
static int save_all(struct poison *k, const char *name, FILE *to)
{
	char comment[512];
	int err = 0, i;

	for (i = 0; !err; i++) {
		err = poison_get(k, name, (__u32)i);
		if (err)
			break;
		poison_describe(k, comment, sizeof(comment));
		err = pcapng_put(to, k->packet, k->about.length, k->about.time, comment);
	}
	return err == -ENOENT ? i : err;
}

static int poison_save(const struct portctl *p, const char *name, const char *path)
{
	struct poison *k = &poison;
	FILE *to = pcapng_open(path);

	(void)p;
	if (!to)
		return portctl_refused(path, -errno);
	kept_stacks(name, k->engine, sizeof(k->engine));
	return pcapng_close(to, path, save_all(k, name, to));
}

static void print_one(const struct portctl *p, const struct poison *k)
{
	char text[512];

	poison_describe(k, text, sizeof(text));
	if (p->json)
		printf("{\"compartment\":\"%s\",\"stack\":%u,\"ticket\":%llu,\"type\":\"%s\",\"handle\":%u,"
		       "\"length\":%u,\"time\":%llu}\n", k->about.name, k->about.stack,
		       (unsigned long long)k->about.ticket, poison_type(k), k->about.handle, k->about.length,
		       (unsigned long long)k->about.time);
	else
		printf("%s, %u bytes\n", text, k->about.length);
}

static int poison_list(const struct portctl *p, const char *name)
{
	struct poison *k = &poison;
	int err, i;

	kept_stacks(name, k->engine, sizeof(k->engine));
	for (i = 0; !(err = poison_get(k, name, (__u32)i)); i++)
		print_one(p, k);
	return err == -ENOENT ? 0 : portctl_refused(name, err);
}

int poison_main(const struct portctl *p, struct words *w)
{
	static const struct kept kept = { "poison", poison_list, poison_save };

	return kept_main(p, w, &kept);
}
