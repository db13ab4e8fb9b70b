// SPDX-License-Identifier: GPL-2.0-only
/* poison.c - packets that two stacks died on: told of, and saved for whoever looks for the bug */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "pcapng.h"
#include "portctl.h"
#include "words/device.h"

#define POISON_PACKET_MAX	(128u << 10)

struct poison {
	struct ipsp_poison about;
	char engine[128];		/* as the manager says: "engine E build B" */
	unsigned char packet[POISON_PACKET_MAX];
};

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

static void poison_engine(struct poison *k, const char *name)
{
	static const char *const ask[] = { "manager", "stacks" };
	static struct device_reply reply;

	if (device_request(name, 0, ask, 2, &reply) || reply.status)
		snprintf(k->engine, sizeof(k->engine), "engine and build unknown: no manager");
	else
		snprintf(k->engine, sizeof(k->engine), "%.*s", (int)sizeof(k->engine) - 1, reply.text);
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

static int poison_save(struct poison *k, const char *name, const char *path)
{
	FILE *to = pcapng_open(path);

	if (!to)
		return portctl_refused(path, -errno);
	poison_engine(k, name);
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

static int poison_list(const struct portctl *p, struct poison *k, const char *name)
{
	int err, i;

	poison_engine(k, name);
	for (i = 0; !(err = poison_get(k, name, (__u32)i)); i++)
		print_one(p, k);
	return err == -ENOENT ? 0 : portctl_refused(name, err);
}

/* One that is not there keeps none either, and that is something else. */
static int is_there(const char *name)
{
	struct ipsp_compartment c = { .index = 0 };

	strcpy(c.name, name);		/* portctl_name() has seen it */
	return device_control(IPSP_CTL_COMPARTMENT_GET, &c);
}

int poison_main(const struct portctl *p, struct words *w)
{
	const char *verb, *name, *path = NULL;
	static struct poison kept;
	char standard[64];
	int err;

	word_next(w);
	verb = word_next(w);
	if (!verb || (strcmp(verb, "list") && strcmp(verb, "save")))
		return portctl_usage("poison \"%.60s\": allowed: list NAME, save NAME [FILE]", verb ? verb : "");
	name = word_next(w);
	if (!name)
		return portctl_usage("poison %s: the line ends here; allowed: NAME", verb);
	if (!strcmp(verb, "save"))
		path = word_next(w);
	if (portctl_name(name) || portctl_end(w, "poison"))
		return 2;
	err = is_there(name);
	if (err)
		return portctl_refused(name, err);
	if (!strcmp(verb, "list"))
		return poison_list(p, &kept, name);
	snprintf(standard, sizeof(standard), "%s-poison.pcapng", name);
	return poison_save(&kept, name, path ? path : standard);
}
