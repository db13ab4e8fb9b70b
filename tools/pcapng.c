// SPDX-License-Identifier: GPL-2.0-only
/* pcapng.c - a section, one interface, and a block for each packet; it may hold what was to be encrypted: mode 0600 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pcapng.h"
#include "portctl.h"

#define BLOCK_SECTION	0x0a0d0d0au
#define BLOCK_INTERFACE	1u
#define BLOCK_PACKET	6u
#define OPTION_COMMENT	1u
#define LINKTYPE_RAW	101u

struct block {
	uint32_t length;
	unsigned char bytes[PCAPNG_PACKET_MAX + 2048];
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

static struct block block;

static int pcapng_head(FILE *to)
{
	const uint64_t unknown = ~0ull;
	struct block *b = &block;
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

FILE *pcapng_open(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *to = fd < 0 ? NULL : fdopen(fd, "w");

	if (to && pcapng_head(to)) {
		fclose(to);
		unlink(path);
		errno = EIO;
		return NULL;
	}
	return to;
}

int pcapng_put(FILE *to, const void *packet, uint32_t length, uint64_t time, const char *comment)
{
	uint64_t microseconds = time / 1000;
	uint32_t said = (uint32_t)strlen(comment);
	struct block *b = &block;

	block_begin(b, BLOCK_PACKET);
	block_number(b, 0);		/* of the interface */
	block_number(b, (uint32_t)(microseconds >> 32));
	block_number(b, (uint32_t)microseconds);
	block_number(b, length);
	block_number(b, length);
	block_put(b, packet, length);
	block_number(b, OPTION_COMMENT | said << 16);
	block_put(b, comment, said);
	block_number(b, 0);		/* no more options */
	return block_end(b, to);
}

int pcapng_close(FILE *to, const char *path, int n)
{
	int err = fclose(to) ? -errno : 0;

	if (n >= 0 && !err) {
		printf("%d packets saved in %s\n", n, path);
		return 0;
	}
	unlink(path);
	return portctl_refused(path, n < 0 ? n : err);
}
