/* SPDX-License-Identifier: GPL-2.0 */
/* program - a stack under test: a child with `--records`, that is given a batch and gives one back */
#ifndef CONFORM_PROGRAM_H
#define CONFORM_PROGRAM_H

#include <sys/types.h>

#include "batch.h"

#define PROGRAMS_MAX 16

struct program {
	const char *path;
	pid_t pid;
	int in, out;			/* ours: what it reads, what it writes; -1: closed */
	size_t written;			/* of the batch */
	size_t parsed;			/* of its answers */
	struct batch answers;		/* in order, one a record; behind `parsed`: part of one */
	size_t got;
	const char *failed;		/* what it did instead of answering; or NULL */
};

/* 0, or -1: it does not start, and that has been said. */
int program_start(struct program *p, const char *path);
/*
 * Gives each the whole batch and takes one answer a record; all at once. Whoever does not do so in time, or ends,
 * has `failed` and the answers that it gave.
 */
void program_run(struct program *programs, uint32_t count, const struct batch *batch);
/* Closes its input: an honest one then ends with 0. Its exit status, or -1 if it had to be killed. */
int program_end(struct program *p);

#endif
