/* SPDX-License-Identifier: GPL-2.0-only */
/* pcapng.h - packets that begin with their IP header, each with a comment, in a file for tshark */
#ifndef TOOLS_PCAPNG_H
#define TOOLS_PCAPNG_H

#include <stdint.h>
#include <stdio.h>

#define PCAPNG_PACKET_MAX	(4u << 20)

/* A new file for its owner's eyes only, its head written; NULL: errno says why not. */
FILE *pcapng_open(const char *path);
/* 0, or -EIO. `time`: ns, of the wall. */
int pcapng_put(FILE *to, const void *packet, uint32_t length, uint64_t time, const char *comment);
/* 0, or the exit status: then the file is gone again. `n`: packets in it, or -errno. */
int pcapng_close(FILE *to, const char *path, int n);

#endif
