// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM_PATIENCE 60000		/* ms without a byte either way */
#define PROGRAM_CHUNK	 (256u << 10)
#define PROGRAM_PIPE	 (1 << 20)
#define PROGRAM_ANSWER	 (1u << 20)	/* no answer is longer */

/* ---- life ------------------------------------------------------------------------------ */

static void program_child(const char *path, int in, int out)
{
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(126);
	execl(path, path, "--records", (char *)NULL);
	fprintf(stderr, "conform: %s: %s\n", path, strerror(errno));
	_exit(127);
}

/* A larger pipe costs fewer turns; a small one does too. */
static int program_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC))
		return -1;
	fcntl(ends[0], F_SETPIPE_SZ, PROGRAM_PIPE);
	return 0;
}

int program_start(struct program *p, const char *path)
{
	int in[2], out[2];

	memset(p, 0, sizeof(*p));
	p->path = path;
	if (access(path, X_OK) || program_pipe(in) || program_pipe(out)) {
		fprintf(stderr, "conform: %s: %s\n", path, strerror(errno));
		return -1;
	}
	p->pid = fork();
	if (!p->pid)
		program_child(path, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	p->in = in[1];
	p->out = out[0];
	fcntl(p->in, F_SETFL, O_NONBLOCK);
	fcntl(p->out, F_SETFL, O_NONBLOCK);
	return p->pid < 0 ? -1 : 0;
}

static void program_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int program_end(struct program *p)
{
	int status = -1;

	program_close(&p->in);
	if (p->failed)
		kill(p->pid, SIGKILL);
	waitpid(p->pid, &status, 0);
	program_close(&p->out);
	batch_free(&p->answers);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- a batch ----------------------------------------------------------------------------- */

static int program_is_done(const struct program *p, const struct batch *batch)
{
	return p->failed || (p->answers.count == batch->count && p->parsed == p->got);
}

/* Whole answers of what has come. */
static void program_parse(struct program *p, const struct batch *batch)
{
	uint32_t len;

	while (!p->failed && p->got - p->parsed >= sizeof(len)) {
		memcpy(&len, p->answers.bytes + p->parsed, sizeof(len));
		if (len > PROGRAM_ANSWER)
			p->failed = "gave an answer of more than 1 MiB";
		else if (p->answers.count == batch->count)
			p->failed = "gave an answer that nobody asked for";
		if (p->failed || p->got - p->parsed < sizeof(len) + len)
			return;
		batch_take(&p->answers, sizeof(len) + len);
		p->parsed += sizeof(len) + len;
	}
}

static void program_read(struct program *p, const struct batch *batch)
{
	size_t len = p->got - p->answers.len;
	ssize_t got;

	batch_room(&p->answers, len + PROGRAM_CHUNK);
	got = read(p->out, p->answers.bytes + p->got, PROGRAM_CHUNK);
	if (got > 0) {
		p->got += (size_t)got;
		program_parse(p, batch);
	} else if (!got || errno != EAGAIN) {
		p->failed = "ended";
	}
}

static void program_write(struct program *p, const struct batch *batch)
{
	ssize_t put = write(p->in, batch->bytes + p->written, batch->len - p->written);

	if (put > 0)
		p->written += (size_t)put;
	else if (errno != EAGAIN)
		p->failed = "ended";
}

static uint32_t program_poll(struct program *programs, uint32_t count, const struct batch *batch, struct pollfd *fds)
{
	uint32_t i, waiting = 0;

	for (i = 0; i < count; i++) {
		struct program *p = &programs[i];
		int done = program_is_done(p, batch);

		fds[2 * i] = (struct pollfd){ .fd = done ? -1 : p->out, .events = POLLIN };
		fds[2 * i + 1] = (struct pollfd){ .fd = done || p->written == batch->len ? -1 : p->in,
						  .events = POLLOUT };
		waiting += !done;
	}
	return waiting;
}

static void program_turn(struct program *p, const struct pollfd *fds, const struct batch *batch)
{
	if (fds[0].revents)
		program_read(p, batch);
	if (fds[1].revents && !p->failed)
		program_write(p, batch);
}

void program_run(struct program *programs, uint32_t count, const struct batch *batch)
{
	struct pollfd fds[2 * PROGRAMS_MAX];
	uint32_t i;
	int ready;

	for (i = 0; i < count; i++) {
		programs[i].written = programs[i].parsed = programs[i].got = 0;
		batch_clear(&programs[i].answers);
	}
	while (program_poll(programs, count, batch, fds)) {
		ready = poll(fds, 2 * count, PROGRAM_PATIENCE);
		for (i = 0; i < count; i++) {
			if (!ready && !program_is_done(&programs[i], batch))
				programs[i].failed = "does not answer";
			program_turn(&programs[i], &fds[2 * i], batch);
		}
	}
}
