// SPDX-License-Identifier: GPL-2.0-only
/*
 * child.c - the stack processes: each started in a PID namespace of its own, restarted at once
 *
 * A stack that dies again and again within a second of its start is started ever later, up
 * to a second, so that a poisoned configuration does not eat the processor.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "manager.h"
#include "words/device.h"

#define SECOND	1000000000ull
#define CHILD_QUICK_DEATHS	3	/* so many in a row are not a loop yet */

uint64_t child_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void child_exec(const struct manager *m, unsigned index, int port)
{
	const struct child *c = &m->child[index];
	const struct build build = program_build(m, index);
	char fd[12], place[12], sas[12], policies[12];
	char *argument[] = { "ipsec-port-stack", "--port-fd", fd, "--index", place, "--sas-max", sas,
			     "--policies-max", policies, NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(fd, sizeof(fd), "%d", port);
	snprintf(place, sizeof(place), "%u", index);
	snprintf(sas, sizeof(sas), "%u", m->database->sas_max);
	snprintf(policies, sizeof(policies), "%u", m->database->policies_max);
	if (c->is_new && m->complaints >= 0)
		dup2(m->complaints, 2);
	program_exec(m, c->is_new ? &m->next : &m->program, &build, argument);
	fprintf(stderr, "ipsec-portd: %s%s: %s\n", m->stack_path, build_suffix(&build), strerror(errno));
	_exit(127);
}

static void child_start(struct manager *m, unsigned index)
{
	struct child *c = &m->child[index];
	int port = device_open(m->name, O_RDWR);
	long pid;

	if (port < 0) {
		fprintf(stderr, "ipsec-portd: port %s: %s\n", m->name, strerror(-port));
		c->start_at = child_now() + SECOND;
		return;
	}
	c->is_new = c->wants_new;
	/* as fork(2), but first in its own PID namespace; the manager's memory is wiped by exec */
	pid = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
	if (!pid)
		child_exec(m, index, port);
	close(port);
	if (pid < 0) {
		fprintf(stderr, "ipsec-portd: clone: %s\n", strerror(errno));
		c->start_at = child_now() + SECOND;
		return;
	}
	c->pid = (pid_t)pid;
	c->starts++;
	c->started = child_now();
	c->start_at = 0;
}

int child_count(struct manager *m)
{
	struct ipsp_compartment c = { .index = 0 };
	int err;

	strncpy(c.name, m->name, sizeof(c.name) - 1);
	err = device_control(IPSP_CTL_COMPARTMENT_GET, &c);
	if (!err)
		m->wanted = c.stacks + c.spares;
	return err;
}

static uint64_t child_back_off(struct child *c, uint64_t now)
{
	unsigned shift;

	if (now - c->started > SECOND)
		c->quick_deaths = 0;
	if (++c->quick_deaths <= CHILD_QUICK_DEATHS)
		return now;
	shift = c->quick_deaths - CHILD_QUICK_DEATHS - 1;
	return now + (10000000ull << (shift < 7 ? shift : 7));
}

static void child_ended(const struct manager *m, struct child *c, int status)
{
	fprintf(stderr, "ipsec-portd: %s: stack %d ended, %s %d\n", m->name, c->pid,
		WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	c->pid = 0;
	c->ready = 0;
	if (c->is_new)
		c->failed = 1;
	c->is_new = 0;
	c->start_at = child_back_off(c, child_now());
	if (c->quick_deaths == CHILD_QUICK_DEATHS + 1)
		fprintf(stderr, "ipsec-portd: %s: stack %d: crash-loop: it is started ever later\n", m->name,
			(int)(c - m->child));
}

void child_reap(struct manager *m)
{
	int status, i;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->trial) {
			m->trial = 0;
			m->trial_status = status;
		}
		for (i = 0; i < IPSP_STACKS_MAX; i++)
			if (pid == m->child[i].pid)
				child_ended(m, &m->child[i], status);
	}
}

void child_end(struct manager *m)
{
	int i;

	for (i = 0; i < IPSP_STACKS_MAX; i++)
		if (m->child[i].pid)
			kill(m->child[i].pid, SIGKILL);
		else if (m->child[i].adopted > 0)
			pidfd_send_signal(m->child[i].adopted, SIGKILL, NULL, 0);
	for (i = 0; i < IPSP_STACKS_MAX; i++)
		if (m->child[i].pid)
			waitpid(m->child[i].pid, NULL, 0);
		else if (m->child[i].adopted > 0)
			poll(&(struct pollfd){ .fd = m->child[i].adopted, .events = POLLIN }, 1, 1000);
}

/* Our end shall be its end as well. Without a descriptor, it goes on behind us as it did behind who started it. */
static void child_adopt(struct child *c, pid_t pid)
{
	if (!c->adopted)
		c->adopted = pidfd_open(pid, 0);
}

static void child_forget(struct child *c)
{
	if (c->adopted > 0)
		close(c->adopted);
	c->adopted = 0;
}

/*
 * One that a predecessor started serves; a child of ours would find its place taken. One that our own process
 * started, before an upgrade, is ours.
 */
void child_attached(struct manager *m, unsigned index, pid_t pid)
{
	struct child *c = &m->child[index];

	if (pid == c->pid)
		return;
	if (pid > 0 && !c->pid && !waitpid(pid, NULL, WNOHANG)) {
		c->pid = pid;
		c->started = child_now();
	} else {
		child_adopt(c, pid);
	}
}

void child_ready(struct manager *m, unsigned index, pid_t pid)
{
	child_attached(m, index, pid);
	m->child[index].ready = 1;
}

/* Its attachment is over, so a child of ours is of no more use, whatever it still does. */
void child_detached(struct manager *m, unsigned index, pid_t pid)
{
	struct child *c = &m->child[index];

	c->ready = 0;
	if (pid != c->pid)
		child_forget(c);
	else if (pid)
		kill(pid, SIGKILL);
}

int child_all_ready(const struct manager *m)
{
	unsigned i;

	for (i = 0; i < m->wanted; i++)
		if (!m->child[i].ready)
			return 0;
	return 1;
}

const char *child_state(const struct child *c)
{
	if (c->ready)
		return "ready";
	if (c->quick_deaths > CHILD_QUICK_DEATHS)
		return "crash-loop";
	return c->pid || c->adopted ? "starting" : "waits";
}

int child_start_due(struct manager *m)
{
	int next = -1, ms;
	uint64_t now;
	unsigned i;

	for (i = 0; i < m->wanted + (unsigned)m->relief; i++) {
		if (m->child[i].pid || m->child[i].adopted)
			continue;
		now = child_now();
		if (m->child[i].start_at <= now)
			child_start(m, i);
		if (m->child[i].start_at <= now)
			continue;
		ms = (int)((m->child[i].start_at - now) / 1000000 + 1);
		if (next < 0 || ms < next)
			next = ms;
	}
	return next;
}
