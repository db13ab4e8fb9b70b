// SPDX-License-Identifier: GPL-2.0-only
/*
 * child.c - the stack process: started in a PID namespace of its own, restarted at once
 *
 * A stack that dies again and again within a second of its start is started ever later, up
 * to a second, so that a poisoned configuration does not eat the processor.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "manager.h"
#include "words/device.h"

#define SECOND	1000000000ull

uint64_t child_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void child_exec(const struct manager *m, int port)
{
	char fd[12], sas[12], policies[12], *nothing[] = { NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(fd, sizeof(fd), "%d", port);
	snprintf(sas, sizeof(sas), "%u", m->database->sas_max);
	snprintf(policies, sizeof(policies), "%u", m->database->policies_max);
	execle(m->stack_path, "ipsec-port-stack", "--port-fd", fd, "--sas-max", sas,
	       "--policies-max", policies, (char *)NULL, nothing);
	fprintf(stderr, "ipsec-portd: %s: %s\n", m->stack_path, strerror(errno));
	_exit(127);
}

void child_start(struct manager *m)
{
	int port = device_open(m->name, O_RDWR);
	long pid;

	if (port < 0) {
		fprintf(stderr, "ipsec-portd: port %s: %s\n", m->name, strerror(-port));
		m->child.start_at = child_now() + SECOND;
		return;
	}
	/* as fork(2), but first in its own PID namespace; the manager's memory is wiped by exec */
	pid = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
	if (!pid)
		child_exec(m, port);
	close(port);
	if (pid < 0) {
		fprintf(stderr, "ipsec-portd: clone: %s\n", strerror(errno));
		m->child.start_at = child_now() + SECOND;
		return;
	}
	m->child.pid = (pid_t)pid;
	m->child.started = child_now();
	m->child.start_at = 0;
}

static uint64_t child_back_off(struct child *c, uint64_t now)
{
	unsigned shift;

	if (now - c->started > SECOND)
		c->quick_deaths = 0;
	if (++c->quick_deaths <= 3)
		return now;
	shift = c->quick_deaths - 4 < 7 ? c->quick_deaths - 4 : 7;
	return now + (10000000ull << shift);
}

void child_reap(struct manager *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != m->child.pid)
			continue;
		fprintf(stderr, "ipsec-portd: %s: stack %d ended, %s %d\n", m->name, pid,
			WIFSIGNALED(status) ? "signal" : "status",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		m->child.pid = 0;
		m->child.start_at = child_back_off(&m->child, child_now());
	}
}

void child_end(struct manager *m)
{
	if (!m->child.pid)
		return;
	kill(m->child.pid, SIGKILL);
	waitpid(m->child.pid, NULL, 0);
	m->child.pid = 0;
}

/* One that a predecessor started serves; a child of ours would find its place taken. */
void child_attached(struct manager *m, pid_t pid)
{
	if (pid != m->child.pid)
		m->child.adopted = 1;
}

/* Its attachment is over, so a child of ours is of no more use, whatever it still does. */
void child_detached(struct manager *m, pid_t pid)
{
	if (pid != m->child.pid)
		m->child.adopted = 0;
	else if (pid)
		kill(pid, SIGKILL);
}

int child_timeout(const struct manager *m)
{
	uint64_t now = child_now();

	if (m->child.pid || m->child.adopted)
		return -1;
	return m->child.start_at <= now ? 0 : (int)((m->child.start_at - now) / 1000000 + 1);
}
