// SPDX-License-Identifier: GPL-2.0-only
/* main.c - the life of a manager: configuration, port, databases, then one loop */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "manager.h"
#include "words/device.h"
#include "words/context.h"

static int complain(const char *what, int err)
{
	fprintf(stderr, "ipsec-portd: %s: %s\n", what, strerror(-err));
	return 1;
}

/* ---- readiness ---------------------------------------------------------------------------- */

/* sd_notify(3) without its library: one datagram. */
static void notify_systemd(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (!path || strlen(path) >= sizeof(address.sun_path))
		return;
	strcpy(address.sun_path, path);
	if (*path == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *)&address,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	close(fd);
}

static void tell_ready(struct manager *m)
{
	static int told;

	upgrade_done(m);
	if (told)
		return;
	told = 1;
	notify_systemd();
	if (m->ready_fd >= 0 && write(m->ready_fd, "R", 1) == 1)
		close(m->ready_fd);
	m->ready_fd = -1;
}

/* ---- events --------------------------------------------------------------------------------- */

static void event_attached(struct manager *m, const struct ipsp_event *e)
{
	int err = control_snapshot(m, (int)e->stack);

	if (err && err != -ENOENT)
		complain("snapshot", err);
}

/* A fault in a stack, a library, a compiler, a processor: whoever runs this wants to know. */
static void event_mismatch(const struct manager *m, const struct ipsp_event *e)
{
	const struct build build = build_of(m->options.build, e->stack);
	char name[32];
	struct text t;

	text_init(&t, name, sizeof(name));
	build_text(&t, &build);
	if (e->stack < IPSP_STACKS_MAX)
		fprintf(stderr, "ipsec-portd: %s: stack %u (%s) was outvoted: ticket %llu handle %u\n", m->name,
			e->stack, name, (unsigned long long)e->count, e->handle);
	else
		fprintf(stderr, "ipsec-portd: %s: stacks disagree and none has a quorum: ticket %llu handle %u\n",
			m->name, (unsigned long long)e->count, e->handle);
}

static void event_handle(struct manager *m, const struct ipsp_event *e)
{
	event_of_port(m, e);
	if (e->event == IPSP_EVENT_MISMATCH)
		event_mismatch(m, e);
	if (e->event == IPSP_EVENT_DEGRADED)
		fprintf(stderr, "ipsec-portd: %s: DEGRADED: %llu stacks decide, fewer than the quorum of %u\n", m->name,
			(unsigned long long)e->count, m->options.compartment.quorum);
	if (e->stack >= IPSP_STACKS_MAX)
		return;
	if (e->event == IPSP_EVENT_STACK_ATTACHED) {
		child_attached(m, e->stack, e->pid);
		event_attached(m, e);
	} else if (e->event == IPSP_EVENT_STACK_READY) {
		child_ready(m, e->stack, e->pid);
		if (child_all_ready(m))
			tell_ready(m);
	} else if (e->event == IPSP_EVENT_EXPIRE || e->event == IPSP_EVENT_LOST) {
		m->lifetime_due = 0;	/* whose limit it is, the handles say */
	} else if (e->event == IPSP_EVENT_POISON) {
		fprintf(stderr, "ipsec-portd: %s: ticket %llu is poison: two stacks died on it\n", m->name,
			(unsigned long long)e->count);
	} else if (e->event == IPSP_EVENT_STACK_DIED || e->event == IPSP_EVENT_STACK_HUNG ||
		   e->event == IPSP_EVENT_STACK_BROKEN) {
		fprintf(stderr, "ipsec-portd: %s: stack %u gone: event %u cause %u pending %llu\n",
			m->name, e->stack, e->event, e->cause, (unsigned long long)e->count);
		child_count(m);		/* it may have ended because fewer are wanted now */
		child_detached(m, e->stack, e->pid);
	}
}

static void port_readable(struct manager *m)
{
	static struct {
		_Alignas(64) char bytes[IPSP_ADMIN_MAX + 512];
	} b;
	struct ipsp_record *rec = (struct ipsp_record *)b.bytes;
	ssize_t got;

	while ((got = read(m->fd, b.bytes, sizeof(b.bytes))) > 0) {
		if (rec->type == IPSP_REC_EVENT)
			event_handle(m, (struct ipsp_event *)(rec + 1));
		else if (rec->type == IPSP_REC_ACQUIRE)
			acquire_handle(m, (struct ipsp_acquire *)(rec + 1));
		else if (rec->type == IPSP_REC_ADMIN_REQUEST)
			admin_answer(m, rec);
	}
	if (errno != EAGAIN && errno != EINTR)
		m->over = 1;
}

static void signal_readable(struct manager *m)
{
	struct signalfd_siginfo info;

	while (read(m->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			child_reap(m);
		else
			m->over = 1;
	}
}

static void loop(struct manager *m)
{
	struct pollfd p[2] = { { .fd = m->fd, .events = POLLIN },
			       { .fd = m->signal_fd, .events = POLLIN } };
	int timeout;

	while (!m->over) {
		timeout = child_start_due(m);
		if (poll(p, 2, upgrade_timeout(m, lifetime_timeout(m, mark_timeout(m, timeout)))) < 0 && errno != EINTR)
			return;
		mark_look(m);
		lifetime_look(m);
		if (p[1].revents)
			signal_readable(m);
		if (p[0].revents & POLLIN)
			port_readable(m);
		else if (p[0].revents & (POLLERR | POLLHUP))
			m->over = 1;
		upgrade_look(m);
	}
}

/* ---- start ------------------------------------------------------------------------------------ */

static int signals_open(struct manager *m)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->signal_fd < 0 ? -errno : 0;
}

/* We are the image that execve(2) made of the manager: the port is open, and ours. */
static int port_keep(struct manager *m)
{
	struct ipsp_attach again = { .role = IPSP_ROLE_MANAGER, .flags = IPSP_ATTACHF_AGAIN };

	m->fd = m->heritage.fd;
	if (fcntl(m->fd, F_SETFD, FD_CLOEXEC) || ioctl(m->fd, IPSP_IOC_ATTACH, &again))
		return -errno;
	return 0;
}

static int port_take(struct manager *m)
{
	int err = device_control(IPSP_CTL_COMPARTMENT_ADD, &m->options.compartment);

	if (err && err != -EEXIST)
		return err;
	m->made = !err;
	m->fd = device_open(m->name, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	return m->fd < 0 ? m->fd : device_attach(m->fd, IPSP_ROLE_MANAGER, 0);
}

static int port_open(struct manager *m)
{
	int err = m->heritage.fd < 0 ? port_take(m) : port_keep(m);

	if (!err && ioctl(m->fd, IPSP_IOC_HASH_KEY, m->hash_key))
		err = -errno;
	if (!err)
		context_of_port(m->fd);
	return err;
}

/* Nothing is left of a compartment that only we wanted. */
static int port_undo(struct manager *m)
{
	struct ipsp_name name;

	memset(&name, 0, sizeof(name));
	strcpy(name.name, m->name);
	if (m->made)
		device_control(IPSP_CTL_COMPARTMENT_DEL, &name);
	return 1;
}

/* Now: later another file may have taken the place of ours. */
static const char *self_path(void)
{
	static char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	return self;
}

static const char *stack_beside(const char *given, const char *self)
{
	static char path[PATH_MAX + 32];
	char folder[PATH_MAX];

	if (given)
		return given;
	strcpy(folder, self);
	snprintf(path, sizeof(path), "%s/ipsec-port-stack", dirname(folder));
	return path;
}

#define OPTIONS "--config FILE, --stack PATH, --state-dir DIR, --ready-fd N, --help"

/* One line: the word, what was seen, what is allowed. */
static int usage(const char *what, const char *seen, const char *allowed)
{
	fprintf(stderr, "ipsec-portd: %s \"%.60s\": allowed: %s\n", what, seen, allowed);
	return 2;
}

static int help(void)
{
	printf("usage: ipsec-portd [--config FILE] [--stack PATH] [--state-dir DIR] "
	       "[--ready-fd N] NAME\n");
	return 0;
}

static bool options_agree(const struct option_set *o)
{
	char room[128];
	struct text wrong;

	text_init(&wrong, room, sizeof(room));
	if (option_agrees(o, &wrong))
		return true;
	fprintf(stderr, "ipsec-portd: %s: %s\n", o->compartment.name, room);
	return false;
}

/* Records that another interface lays out otherwise would be misread. */
static int interface_fits(void)
{
	struct ipsp_features f = { 0 };
	int err = device_control(IPSP_CTL_FEATURES, &f);

	if (err)
		return complain("features of the module", err);
	if (f.interface == IPSP_INTERFACE)
		return 0;
	fprintf(stderr, "ipsec-portd: the module's interface is %u, wanted %d\n", f.interface, IPSP_INTERFACE);
	return 1;
}

static void warn_of_twins(const struct option_set *o)
{
	const char *twin = build_twice(o->build, o->compartment.stacks);

	if (twin && o->compartment.quorum > 1)
		fprintf(stderr, "ipsec-portd: %s: two of its stacks are \"%s\": not diverse, one fault may be in both\n",
			o->compartment.name, twin);
}

/* What could be wrong with us, found out before anything depends on us. */
static int check(struct manager *m)
{
	/* a program that is not there: now, not by stacks that never come */
	if ((m->config && config_options(m, m->config)) || !options_agree(&m->options) || interface_fits() ||
	    program_open(m, &m->program))
		return 1;
	/* the stacks inherit it, and what they answer is released where they run */
	if (CPU_COUNT(&m->options.cpus) && sched_setaffinity(0, sizeof(m->options.cpus), &m->options.cpus))
		return complain("cpus", -errno);
	return 0;
}

/* A predecessor's databases hold what its file said, and all that has changed since. */
static int databases_open(struct manager *m)
{
	int err = database_open(m);

	if (m->heritage.fd >= 0)
		acquire_succeed(m->heritage.waiter);
	else if (!err && m->config)
		err = config_apply(m, m->config);
	return err;
}

static int run(struct manager *m)
{
	int err;

	if (check(m))
		return 1;
	warn_of_twins(&m->options);
	err = signals_open(m);
	if (err)
		return complain("signals", err);
	err = port_open(m);
	if (err)
		return complain(m->name, err);
	if (databases_open(m))
		return port_undo(m);
	err = child_count(m);
	if (err) {
		complain(m->name, err);
		return port_undo(m);
	}
	event_began(m);
	encap_open_all(m);
	m->marks_wanted = 1;	/* a predecessor's, for example */
	port_readable(m);	/* a predecessor's stacks are told of first: they go on */
	loop(m);
	child_end(m);
	mark_end(m);
	return 0;
}

/* ---- options -------------------------------------------------------------------------------------- */

static int take_config(struct manager *m, const char *value)
{
	m->config = m->config && !access(m->config, F_OK) ? m->config : value;	/* the first that is there */
	return 0;
}

static int take_stack(struct manager *m, const char *value)
{
	m->stack = value;
	return 0;
}

static int take_state_dir(struct manager *m, const char *value)
{
	m->state_dir = value;
	return 0;
}

static int take_ready_fd(struct manager *m, const char *value)
{
	uint64_t number;

	if (!word_is_number(value, INT_MAX, &number))
		return usage("option --ready-fd", value, "a descriptor's number");
	m->ready_fd = (int)number;
	return 0;
}

static int take_try(struct manager *m, const char *value)
{
	uint64_t number;

	if (!word_is_number(value, INT_MAX, &number))
		return usage("option --try", value, "a descriptor's number");
	m->try_fd = (int)number;
	return 0;
}

static int take_resume(struct manager *m, const char *value)
{
	return upgrade_inherit(m, value) ? 0 : usage("option --resume", value, "what a manager gives when it is upgraded");
}

static int take_encap(struct manager *m, const char *value)
{
	return upgrade_inherit_encap(m, value) ? 0 :
	       usage("option --encap", value, "what a manager gives when it is upgraded");
}

/* The last three are for the image that an upgrade starts. */
static const struct option option_names[] = {
	{ "config", required_argument, NULL, 0 },
	{ "stack", required_argument, NULL, 0 },
	{ "state-dir", required_argument, NULL, 0 },
	{ "ready-fd", required_argument, NULL, 0 },
	{ "try", required_argument, NULL, 0 },
	{ "resume", required_argument, NULL, 0 },
	{ "encap", required_argument, NULL, 0 },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int (*const option_take[])(struct manager *m, const char *value) = {
	take_config, take_stack, take_state_dir, take_ready_fd, take_try, take_resume, take_encap,
};

/* 0, or an exit status; -1: that was all. */
static int options(struct manager *m, int argc, char **argv)
{
	int c, at, status = 0;

	while (!status && (c = getopt_long(argc, argv, ":", option_names, &at)) != -1) {
		if (c == 'h')
			return help(), -1;
		if (c == ':')
			return usage("option", argv[optind - 1], "a value after it");
		if (c)
			return usage("option", argv[optind - 1], OPTIONS);
		status = option_take[at](m, optarg);
	}
	if (status)
		return status;
	if (optind == argc)
		return usage("compartment", "", "its name, the last word");
	if (optind + 1 != argc)
		return usage("word", argv[optind + 1], "nothing behind the compartment's name");
	if (!option_is_name(argv[optind]))
		return usage("compartment", argv[optind],
			     "1 to 31 of a-z 0-9 _ -, not control or xfrm");
	m->name = argv[optind];
	return 0;
}

int main(int argc, char **argv)
{
	static struct manager m = { .fd = -1, .ready_fd = -1, .complaints = -1, .try_fd = -1, .heritage.fd = -1 };
	int status = options(&m, argc, argv);

	if (status)
		return status < 0 ? 0 : status;
	m.self = self_path();
	m.stack_path = stack_beside(m.stack, m.self);
	option_init(&m.options, m.name);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	if (m.try_fd >= 0)
		return check(&m) || database_try(&m, m.try_fd);
	return run(&m);
}
