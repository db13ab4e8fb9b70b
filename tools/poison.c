// SPDX-License-Identifier: GPL-2.0-only
/*
 * poison.c - packets that two stacks died on: told of, and saved for whoever looks for the bug
 *
 * The file is pcapng: a section, one interface whose packets begin with their IP header, and a
 * block for each packet with a comment. It may hold what was to be encrypted: mode 0600.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static int poison_describe(const struct poison *k, char *to, size_t size)
{
	return snprintf(to, size,
			"ipsec-port compartment %s stack %u %s ticket %llu %s handle %u: two stacks died on it",
			k->about.name, k->about.stack, k->engine, (unsigned long long)k->about.ticket,
			poison_type(k), k->about.handle);
}

/* ---- pcapng ------------------------------------------------------------------------------- */

#define BLOCK_SECTION	0x0a0d0d0au
#define BLOCK_INTERFACE	1u
#define BLOCK_PACKET	6u
#define OPTION_COMMENT	1u
#define LINKTYPE_RAW	101u

struct block {
	uint32_t length;
	unsigned char bytes[POISON_PACKET_MAX + 1024];
};

static void block_put(struct block *b, const void *from, size_t size)
{
	memcpy(b->bytes + b->length, from, size);
	memset(b->bytes + b->length + size, 0, -size & 3u);
	b->length += (uint32_t)(size + (-size & 3u));
}

static void block_number(struct block *b, uint32_t value)
{
	block_put(b, &value, sizeof(value));
}

static void block_begin(struct block *b, uint32_t type)
{
	b->length = 0;
	block_number(b, type);
	block_number(b, 0);		/* the length, in block_end() */
}

static int block_end(struct block *b, FILE *to)
{
	uint32_t length = b->length + 4;

	memcpy(b->bytes + 4, &length, sizeof(length));
	block_number(b, length);
	return fwrite(b->bytes, 1, b->length, to) == b->length ? 0 : -EIO;
}

static int save_head(struct block *b, FILE *to)
{
	const uint64_t unknown = ~0ull;
	int err;

	block_begin(b, BLOCK_SECTION);
	block_number(b, 0x1a2b3c4d);
	block_number(b, 1);		/* version 1.0 */
	block_put(b, &unknown, sizeof(unknown));
	err = block_end(b, to);
	block_begin(b, BLOCK_INTERFACE);
	block_number(b, LINKTYPE_RAW);
	block_number(b, 0);		/* packets are whole */
	return err ? err : block_end(b, to);
}

static int save_one(struct block *b, const struct poison *k, FILE *to)
{
	uint64_t microseconds = k->about.time / 1000;
	char comment[512];
	uint32_t length = (uint32_t)poison_describe(k, comment, sizeof(comment));

	block_begin(b, BLOCK_PACKET);
	block_number(b, 0);		/* of the interface */
	block_number(b, (uint32_t)(microseconds >> 32));
	block_number(b, (uint32_t)microseconds);
	block_number(b, k->about.length);
	block_number(b, k->about.length);
	block_put(b, k->packet, k->about.length);
	block_number(b, OPTION_COMMENT | length << 16);
	block_put(b, comment, length);
	block_number(b, 0);		/* no more options */
	return block_end(b, to);
}

/* How many, or -errno. */
static int save_all(struct poison *k, const char *name, FILE *to)
{
	static struct block b;
	int err = save_head(&b, to), i;

	for (i = 0; !err; i++) {
		err = poison_get(k, name, (__u32)i);
		if (!err)
			err = save_one(&b, k, to);
	}
	return err == -ENOENT ? i - 1 : err;
}

/* ---- the verbs ---------------------------------------------------------------------------- */

static FILE *save_open(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? NULL : fdopen(fd, "w");
}

static int poison_save(struct poison *k, const char *name, const char *path)
{
	FILE *to = save_open(path);
	int n, err;

	if (!to)
		return portctl_refused(path, -errno);
	poison_engine(k, name);
	n = save_all(k, name, to);
	err = fclose(to) ? -errno : 0;
	if (n < 0 || err) {
		unlink(path);
		return portctl_refused(path, n < 0 ? n : err);
	}
	printf("%d packets saved in %s\n", n, path);
	return 0;
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
