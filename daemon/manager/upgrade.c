// SPDX-License-Identifier: GPL-2.0-only
/*
 * upgrade.c - manager and stacks give way to the programs that were installed since, one by one, under load
 *
 * Theory of operation. Nothing that runs goes before its successor has shown that it can do what it will have to:
 *
 *   try      the new manager's program, as a child: does it understand configuration, module and database?
 *   relieve  one new stack more than the compartment has, the relief; it gets the snapshot and stands by as a spare
 *   replace  each stack in its turn retires: the relief has its place at once, and it answers what it was dealt; a
 *            new one comes at its index. The relief is of the same build as the one it stands in for, so that a
 *            quorum is as diverse as before
 *   end      the relief goes
 *   exec     this process becomes the new manager. The port stays open across execve(2), and with it all that is in
 *            the mailbox; so do the sockets of ESP in UDP. The kernel tells of the stacks once more, the databases
 *            are in the port; what else is needed stands in the new image's options
 *
 * A new stack that ends on the way, or does not come, ends the upgrade: those that were replaced are replaced again,
 * by the programs from before, which are held open (program.c), and whoever asked is told why.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "manager.h"

#define UPGRADE_PATIENCE	30000000000ull	/* ns, for each step */
#define UPGRADE_LOOK_MS		20		/* how often what nobody tells of is looked at */

enum upgrade_phase { IDLE, TRY, RELIEVE, RETIRE, REPLACE, CHANGE, END, EXEC };

static struct {
	enum upgrade_phase phase;
	__u64 request;			/* who is told of the end */
	bool back;			/* the programs from before come again */
	unsigned count;			/* stacks and spares when it began: the relief's index */
	unsigned at;			/* which is replaced */
	unsigned last;			/* back: the one behind the last that was */
	unsigned starts;		/* of the one that is waited for, before it started */
	uint64_t until;			/* ns, monotonic: end of the patience */
	int complaints;			/* what the new programs wrote */
	char failure[400];
} upgrade;

static void upgrade_phase(enum upgrade_phase phase)
{
	upgrade.phase = phase;
	upgrade.until = child_now() + UPGRADE_PATIENCE;
}

static bool upgrade_is_late(void)
{
	return child_now() > upgrade.until;
}

static struct child *upgrade_relief(struct manager *m)
{
	return &m->child[upgrade.count];
}

static int upgrade_set_relief(struct manager *m, int places)
{
	struct ipsp_relief relief = { .places = (__u32)places };

	if (ioctl(m->fd, IPSP_IOC_RELIEF, &relief))
		return -errno;
	m->relief = places;
	return 0;
}

/* ---- the end -------------------------------------------------------------------------------------- */

static void upgrade_reply(struct manager *m, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void upgrade_reply(struct manager *m, int status, const char *format, ...)
{
	char room[512], line[480];
	struct text out;
	va_list list;

	va_start(list, format);
	vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	text_init(&out, room, sizeof(room));
	text_add(&out, "compartment %s: %s\n", m->name, line);
	fprintf(stderr, "ipsec-portd: %s: %s\n", m->name, line);
	reply_send(m, upgrade.request, status, &out, 0);
}

static void upgrade_close(struct manager *m)
{
	unsigned i;

	for (i = 0; i < IPSP_STACKS_MAX; i++)
		m->child[i].wants_new = m->child[i].is_new = m->child[i].failed = 0;
	if (m->complaints >= 0) {
		close(m->complaints);
		close(upgrade.complaints);
	}
	m->complaints = -1;
	program_close(&m->next);
	upgrade.phase = IDLE;
}

/* The last line that the new programs wrote, if there was one. */
static const char *upgrade_complaint(void)
{
	static char text[256];
	ssize_t n, used = 0;
	char *line;

	while (used < (ssize_t)sizeof(text) - 1 &&
	       (n = read(upgrade.complaints, text + used, sizeof(text) - 1 - (size_t)used)) > 0)
		used += n;
	text[used] = '\0';
	while (used && text[used - 1] == '\n')
		text[--used] = '\0';
	line = strrchr(text, '\n');
	return line ? line + 1 : text;
}

/* Those that were replaced, and the one that was about to be, are of the programs from before again. */
static void upgrade_fail(struct manager *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void upgrade_fail(struct manager *m, const char *format, ...)
{
	const bool is_begun = upgrade.phase > RELIEVE || upgrade.at;
	va_list list;
	unsigned i;

	va_start(list, format);
	vsnprintf(upgrade.failure, sizeof(upgrade.failure), format, list);
	va_end(list);
	for (i = 0; i < IPSP_STACKS_MAX; i++)
		m->child[i].wants_new = m->child[i].is_new = m->child[i].failed = 0;
	upgrade.back = true;
	upgrade.last = is_begun ? upgrade.at + 1 : 0;
	upgrade.at = 0;
	if (!m->relief) {
		upgrade_reply(m, 1, "not upgraded: %s", upgrade.failure);
		upgrade_close(m);
		return;
	}
	upgrade_phase(upgrade.last ? RETIRE : END);
}

/* A new one has ended that was not to. */
static bool upgrade_has_failed(struct manager *m)
{
	const char *complaint;
	struct build b;
	unsigned i;

	for (i = 0; i <= upgrade.count && !m->child[i].failed; i++)
		;
	if (upgrade.back || upgrade.phase >= END || i > upgrade.count)
		return false;
	complaint = upgrade_complaint();
	b = program_build(m, i);
	if (*complaint)
		upgrade_fail(m, "the new %s%s ended: %s", m->stack_path, build_suffix(&b), complaint);
	else
		upgrade_fail(m, "the new %s%s ended", m->stack_path, build_suffix(&b));
	return true;
}

/* ---- try ------------------------------------------------------------------------------------------ */

/* Arguments as ours, and `more`; NULL ends them. */
static void upgrade_arguments(const struct manager *m, const char **argument, const char *const *more)
{
	int n = 0;

	argument[n++] = "ipsec-portd";
	if (m->config) {
		argument[n++] = "--config";
		argument[n++] = m->config;
	}
	if (m->stack) {
		argument[n++] = "--stack";
		argument[n++] = m->stack;
	}
	if (m->state_dir) {
		argument[n++] = "--state-dir";
		argument[n++] = m->state_dir;
	}
	while (*more)
		argument[n++] = *more++;
	argument[n++] = m->name;
	argument[n] = NULL;
}

static void upgrade_exec_trial(const struct manager *m, int database)
{
	const char *argument[12], *more[] = { "--try", NULL, NULL };
	char fd[12];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(fd, sizeof(fd), "%d", database);
	more[1] = fd;
	fcntl(database, F_SETFD, 0);
	dup2(m->complaints, 2);
	upgrade_arguments(m, argument, more);
	execv(m->self, (char *const *)argument);
	fprintf(stderr, "%s: %s\n", m->self, strerror(errno));
	_exit(127);
}

static int upgrade_pipe(struct manager *m)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	upgrade.complaints = ends[0];
	m->complaints = ends[1];
	return 0;
}

static int upgrade_try(struct manager *m)
{
	int database = ioctl(m->fd, IPSP_IOC_TAKE), err;

	if (database < 0)
		return -errno;
	m->trial = fork();
	if (!m->trial)
		upgrade_exec_trial(m, database);
	err = m->trial < 0 ? -errno : 0;
	close(database);
	return err;
}

static int upgrade_refuse(struct manager *m, struct words *w)
{
	unsigned i;

	if (word_peek(w))
		return word_fail(w, 2, "upgrade: \"%.60s\": allowed: nothing more", word_peek(w));
	if (upgrade.phase)
		return word_fail(w, 1, "compartment %s: an upgrade is under way", m->name);
	if (m->wanted == IPSP_STACKS_MAX)
		return word_fail(w, 1, "compartment %s: stacks and spares %u, wanted at most %d: one more is needed for a while",
				 m->name, m->wanted, IPSP_STACKS_MAX - 1);
	for (i = 0; i < m->wanted; i++)
		if (!m->child[i].ready)
			return word_fail(w, 1, "compartment %s: stack %u: %s, wanted ready", m->name, i, child_state(&m->child[i]));
	return 0;
}

int upgrade_begin(struct manager *m, __u64 request, struct words *w)
{
	int err = upgrade_refuse(m, w);

	if (err)
		return err;
	memset(&upgrade, 0, sizeof(upgrade));
	upgrade.request = request;
	upgrade.count = m->wanted;
	err = upgrade_pipe(m) ?: upgrade_try(m);
	if (err) {
		upgrade_close(m);
		return word_fail(w, 1, "compartment %s: upgrade: %s", m->name, strerror(-err));
	}
	upgrade_phase(TRY);
	return 0;
}

static void step_try(struct manager *m)
{
	const char *complaint;
	int err;

	if (m->trial && upgrade_is_late())
		kill(m->trial, SIGKILL);
	if (m->trial)
		return;
	if (m->trial_status) {
		complaint = upgrade_complaint();
		upgrade_fail(m, "the new %s: %s", m->self, *complaint ? complaint : "it ended at its trial");
		return;
	}
	upgrade.count = m->wanted;
	err = program_open(m, &m->next) ?: upgrade_set_relief(m, 1);
	if (err) {
		upgrade_fail(m, "%s: %s", m->stack_path, strerror(-err));
		return;
	}
	m->relief_as = 0;
	upgrade_relief(m)->quick_deaths = 0;
	upgrade_relief(m)->wants_new = 1;
	upgrade_phase(RELIEVE);
}

/* ---- stacks --------------------------------------------------------------------------------------- */

static void step_relieve(struct manager *m)
{
	if (upgrade_relief(m)->ready)
		upgrade_phase(RETIRE);
	else if (upgrade_is_late())
		upgrade_fail(m, "the new stack was not ready in time");
}

/* It gets no more; when all that it has is answered, it ends. One that is not there comes by itself. */
static bool upgrade_retire(struct manager *m, unsigned index)
{
	struct ipsp_retire retire = { .index = index };
	struct child *c = &m->child[index];
	int err;

	c->quick_deaths = 0;
	err = ioctl(m->fd, IPSP_IOC_RETIRE, &retire) ? -errno : 0;
	if (err && err != -ENOENT)
		return false;
	upgrade.starts = c->starts;
	if (err && c->pid)
		kill(c->pid, SIGKILL);
	return true;
}

/* As diverse as before: the relief is changed, too, where the next one is of another build. */
static bool upgrade_wants_change(const struct manager *m)
{
	const struct build is = program_build(m, upgrade.count), next = build_of(m->options.build, upgrade.at);

	return is.program != next.program || is.engine != next.engine;
}

static void upgrade_advance(struct manager *m)
{
	const unsigned last = upgrade.back ? upgrade.last : upgrade.count;

	upgrade.at++;
	upgrade_phase(upgrade.at == last ? END : upgrade_wants_change(m) ? CHANGE : RETIRE);
}

static void step_retire(struct manager *m)
{
	struct child *c = &m->child[upgrade.at];

	c->wants_new = !upgrade.back;
	c->is_new = 0;
	if (upgrade_retire(m, upgrade.at))
		upgrade_phase(REPLACE);
	else if (upgrade_is_late() && upgrade.back)
		upgrade_advance(m);
	else if (upgrade_is_late())
		upgrade_fail(m, "stack %u: no other could take its place in time", upgrade.at);
}

static bool upgrade_is_replaced(const struct child *c)
{
	return c->starts != upgrade.starts && c->ready;
}

static void step_replace(struct manager *m)
{
	const bool is_there = upgrade_is_replaced(&m->child[upgrade.at]);

	if (is_there || (upgrade.back && upgrade_is_late()))
		upgrade_advance(m);
	else if (upgrade_is_late())
		upgrade_fail(m, "stack %u: the new one was not ready in time", upgrade.at);
}

/* First the one that is there goes, then one of the other build comes. */
static void step_change(struct manager *m)
{
	struct child *c = upgrade_relief(m);

	if (upgrade_wants_change(m)) {
		c->is_new = 0;
		c->wants_new = !upgrade.back;
		m->relief_as = upgrade.at;
		if (!upgrade_retire(m, upgrade.count))
			m->relief_as = upgrade.at - 1;
	} else if (upgrade_is_replaced(c) || (upgrade.back && upgrade_is_late())) {
		upgrade_phase(RETIRE);
	} else if (upgrade_is_late()) {
		upgrade_fail(m, "the new stack was not ready in time");
	}
}

static void step_end(struct manager *m)
{
	struct child *c = upgrade_relief(m);

	c->is_new = c->wants_new = 0;
	if (m->relief && upgrade_set_relief(m, 0))
		return;			/* the port is gone: so are we, soon */
	if ((c->pid || c->adopted) && !upgrade_is_late())
		return;
	if (c->pid)
		kill(c->pid, SIGKILL);
	if (!upgrade.back) {
		upgrade_phase(EXEC);
		return;
	}
	upgrade_reply(m, 1, "not upgraded: %s", upgrade.failure);
	upgrade_close(m);
}

/* ---- manager -------------------------------------------------------------------------------------- */

#define ENCAP_WORD 24

/* The options of the new image; the port and the sockets stay open for it. */
static void upgrade_exec(struct manager *m)
{
	static char encap[ENCAP_MAX][ENCAP_WORD], resume[64];
	const char *argument[12 + 2 * ENCAP_MAX], *more[4 + 2 * ENCAP_MAX] = { "--resume", resume };
	int i, n = 2;

	snprintf(resume, sizeof(resume), "%d,%" PRIu64 ",%" PRIu64, m->fd, (uint64_t)upgrade.request,
		 (uint64_t)acquire_waiter());
	fcntl(m->fd, F_SETFD, 0);
	for (i = 0; i < ENCAP_MAX; i++) {
		if (!m->encap[i].port)
			continue;
		snprintf(encap[i], ENCAP_WORD, "%d,%u,%u", m->encap[i].fd, m->encap[i].family, ntohs(m->encap[i].port));
		fcntl(m->encap[i].fd, F_SETFD, 0);
		more[n++] = "--encap";
		more[n++] = encap[i];
	}
	more[n] = NULL;
	upgrade_arguments(m, argument, more);
	execv(m->self, (char *const *)argument);
	i = errno;
	fcntl(m->fd, F_SETFD, FD_CLOEXEC);
	errno = i;
}

static void step_exec(struct manager *m)
{
	if ((!child_all_ready(m) || !acquire_is_quiet()) && !upgrade_is_late())
		return;
	mark_end(m);
	event_release(m);
	upgrade_exec(m);
	upgrade_reply(m, 1, "its stacks are upgraded, its manager is not: %s: %s", m->self, strerror(errno));
	program_close(&m->program);
	m->program = m->next;
	memset(&m->next, 0, sizeof(m->next));
	upgrade_close(m);
}

/* Up to three numbers, joined by commas. */
static bool upgrade_numbers(const char *text, uint64_t *number)
{
	char end;

	return sscanf(text, "%" SCNu64 ",%" SCNu64 ",%" SCNu64 "%c", &number[0], &number[1], &number[2], &end) == 3;
}

bool upgrade_inherit(struct manager *m, const char *text)
{
	uint64_t n[3];

	if (!upgrade_numbers(text, n) || n[0] > INT32_MAX)
		return false;
	m->heritage = (struct heritage){ .fd = (int)n[0], .upgrade = n[1], .waiter = n[2] };
	return true;
}

bool upgrade_inherit_encap(struct manager *m, const char *text)
{
	struct encap *e = m->encap;
	uint64_t n[3];

	while (e < m->encap + ENCAP_MAX && e->port)
		e++;
	if (e == m->encap + ENCAP_MAX || !upgrade_numbers(text, n) || n[0] > INT32_MAX || (n[1] != 4 && n[1] != 6) ||
	    !n[2] || n[2] > UINT16_MAX || fcntl((int)n[0], F_SETFD, FD_CLOEXEC))
		return false;
	*e = (struct encap){ .fd = (int)n[0], .family = (__u8)n[1], .port = htons((uint16_t)n[2]) };
	return true;
}

void upgrade_done(struct manager *m)
{
	if (!m->heritage.upgrade)
		return;
	upgrade.request = m->heritage.upgrade;
	m->heritage.upgrade = 0;
	upgrade_reply(m, 0, "manager and %u stacks are upgraded, to " IPSP_VERSION, m->wanted);
}

/* ---- the machine ---------------------------------------------------------------------------------- */

/* What was agreed on is not there any more: those that are new stay, and no more come. */
static void upgrade_abandon(struct manager *m)
{
	upgrade_set_relief(m, 0);
	m->relief = 0;
	upgrade_reply(m, 1, "not upgraded: stacks and spares were %u when it began, and are %u now", upgrade.count, m->wanted);
	upgrade_close(m);
}

void upgrade_look(struct manager *m)
{
	static void (*const steps[])(struct manager *m) = {
		[TRY] = step_try, [RELIEVE] = step_relieve, [RETIRE] = step_retire, [REPLACE] = step_replace,
		[CHANGE] = step_change, [END] = step_end, [EXEC] = step_exec,
	};

	if (!upgrade.phase || m->over)
		return;
	if (upgrade.phase != TRY && m->wanted != upgrade.count) {
		upgrade_abandon(m);
		return;
	}
	if (!upgrade_has_failed(m))
		steps[upgrade.phase](m);
}

int upgrade_timeout(const struct manager *m, int other)
{
	(void)m;
	if (!upgrade.phase)
		return other;
	return other < 0 || other > UPGRADE_LOOK_MS ? UPGRADE_LOOK_MS : other;
}
