// SPDX-License-Identifier: GPL-2.0-only
/* compartment.c - compartments: made with their manager, changed, shown, ended */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "portctl.h"
#include "words/device.h"
#include "words/option.h"

#define RUN_DIRECTORY "/run/ipsec-port"

static int get(const char *name, struct ipsp_compartment *c)
{
	memset(c, 0, sizeof(*c));
	strcpy(c->name, name);		/* portctl_name() has seen it */
	return device_control(IPSP_CTL_COMPARTMENT_GET, c);
}

/* ---- add -------------------------------------------------------------------------------- */

static int write_config(const char *path, const struct option_set *o)
{
	char room[2048];
	struct text t;
	FILE *file;

	text_init(&t, room, sizeof(room));
	option_text(&t, o);
	mkdir(RUN_DIRECTORY, 0755);
	file = fopen(path, "we");
	if (!file)
		return -errno;
	fwrite(room, 1, t.used, file);
	return fclose(file) ? -errno : 0;
}

static int run_systemctl(const char *name)
{
	char unit[64];
	pid_t pid = fork();
	int status;

	snprintf(unit, sizeof(unit), "ipsec-portd@%s", name);
	if (!pid) {
		execlp("systemctl", "systemctl", "start", unit, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ?
	       WEXITSTATUS(status) : 1;
}

/* The daemon beside us, its standard streams in a log, readiness through a pipe. */
static void exec_manager(const char *name, const char *config, int ready)
{
	char self[PATH_MAX], path[PATH_MAX + 16], log[PATH_MAX], fd[12];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int out;

	self[n > 0 ? n : 0] = '\0';
	snprintf(path, sizeof(path), "%s/ipsec-portd", dirname(self));
	snprintf(log, sizeof(log), RUN_DIRECTORY "/%s.log", name);
	snprintf(fd, sizeof(fd), "%d", ready);
	setsid();
	out = open(log, O_CREAT | O_WRONLY | O_APPEND, 0600);
	dup2(open("/dev/null", O_RDONLY), 0);
	dup2(out, 1);
	dup2(out, 2);
	execl(path, "ipsec-portd", "--config", config, "--ready-fd", fd, name, (char *)NULL);
	_exit(127);
}

static void print_log_end(const char *name)
{
	char log[PATH_MAX], line[512], last[512] = "no message";
	FILE *file;

	snprintf(log, sizeof(log), RUN_DIRECTORY "/%s.log", name);
	file = fopen(log, "re");
	while (file && fgets(line, sizeof(line), file))
		memcpy(last, line, sizeof(last));
	if (file)
		fclose(file);
	fprintf(stderr, "ipsec-portctl: compartment %s: its manager ended: %s", name, last);
}

static int start_manager(const char *name, const char *config)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (!access("/run/systemd/system", F_OK))
		return run_systemctl(name);
	if (pipe(ready))
		return portctl_refused("pipe", -errno);
	pid = fork();
	if (!pid) {
		close(ready[0]);
		exec_manager(name, config, ready[1]);
	}
	close(ready[1]);
	if (pid > 0 && read(ready[0], &byte, 1) == 1)
		return 0;
	print_log_end(name);
	return 1;
}

static int compartment_add(const struct portctl *p, const char *name, struct words *w)
{
	char config[PATH_MAX], room[128];
	struct ipsp_compartment now;
	struct option_set o;
	struct text wrong;
	int err;

	(void)p;
	option_init(&o, name);
	if (option_parse(w, &o))
		return portctl_usage("%s", w->error);
	text_init(&wrong, room, sizeof(room));
	if (!option_agrees(&o, &wrong))
		return portctl_usage("compartment add: %s", room);
	if (!get(name, &now))
		return portctl_refused(name, -EEXIST);
	snprintf(config, sizeof(config), RUN_DIRECTORY "/%s.conf", name);
	err = write_config(config, &o);
	if (err)
		return portctl_refused(config, err);
	return start_manager(name, config);
}

/* ---- the others --------------------------------------------------------------------------- */

#define END_TRIES 2000			/* 10 s */

/* Its manager and stacks end by themselves; when they have, the module can be removed. */
static void wait_for_end(const char *name, int port)
{
	const struct timespec pause = { 0, 5000000 };
	struct pollfd p = { .fd = port };
	int i;

	for (i = 0; i < END_TRIES && poll(&p, 1, 0) >= 0 && !(p.revents & POLLHUP); i++)
		nanosleep(&pause, NULL);
	if (i == END_TRIES)
		fprintf(stderr, "ipsec-portctl: compartment %s is deleted, but somebody still has "
			"its port open\n", name);
}

static int del(const char *name, __u32 flags)
{
	struct ipsp_name n;
	char room[2048];
	struct text t;
	int err;

	memset(&n, 0, sizeof(n));
	strcpy(n.name, name);
	n.flags = flags;
	err = device_control(IPSP_CTL_COMPARTMENT_DEL, &n);
	if (err != -EBUSY)
		return err ? portctl_refused(name, err) : 0;
	text_init(&t, room, sizeof(room));
	rule_text_naming(&t, name);
	fprintf(stderr, "ipsec-portctl: compartment %s: rules name it: %s; wanted: rules without "
		"it, or --rules drop\n", name, t.base);
	return 1;
}

static int compartment_del(const struct portctl *p, const char *name, struct words *w)
{
	__u32 flags = p->rules ? IPSP_DELF_RULES_DROP : 0;
	struct ipsp_compartment now;
	int err, port;

	(void)w;
	if (p->rules && strcmp(p->rules, "drop"))
		return portctl_usage("option --rules \"%.60s\": allowed: drop", p->rules);
	err = get(name, &now);
	if (err)
		return portctl_refused(name, err);
	port = device_open(name, O_RDWR | O_CLOEXEC);
	if (port >= 0)
		device_attach(port, IPSP_ROLE_ADMIN, 0);
	err = del(name, flags);
	if (!err && port >= 0)
		wait_for_end(name, port);
	if (port >= 0)
		close(port);
	return err;
}

/* The rest is fixed when a compartment is made. */
static int is_changeable(const char *word)
{
	static const char *const changeable[] = { "stacks", "spares", "fail", "deadline", "successor", "hold", "mark",
						  "degrade", "sample" };
	size_t i;

	for (i = 0; i < sizeof(changeable) / sizeof(changeable[0]); i++)
		if (!strcmp(word, changeable[i]))
			return 1;
	return 0;
}

/* Its manager learns how many stacks it has to keep, and they come or go. */
static int set_stacks(const char *name)
{
	static const char *const update[] = { "manager", "update" };
	const struct timespec pause = { 0, 5000000 };
	static struct device_reply reply;
	struct ipsp_compartment c;
	int i, err;

	err = device_request(name, 0, update, 2, &reply);
	if (err == -EPIPE)
		return 0;		/* it has no manager: the next one learns it from the kernel */
	if (err || reply.status)
		return err ? portctl_refused(name, err) : portctl_usage("%s", reply.text);
	for (i = 0; i < END_TRIES; i++) {
		err = get(name, &c);
		if (err)
			return portctl_refused(name, err);
		if (c.stacks_attached == c.stacks && c.spares_attached == c.spares)
			return 0;
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "ipsec-portctl: compartment %s: stacks %u, wanted %u; spares %u, wanted %u\n",
		name, c.stacks_attached, c.stacks, c.spares_attached, c.spares);
	return 1;
}

static int compartment_set(const struct portctl *p, const char *name, struct words *w)
{
	struct ipsp_compartment now;
	struct option_set o;
	int err = get(name, &now), i;

	(void)p;
	if (err)
		return portctl_refused(name, err);
	for (i = w->at; i < w->count; i += 2)
		if (!is_changeable(w->word[i]))
			return portctl_usage("compartment set: \"%.60s\": allowed: stacks, spares, fail, "
					     "deadline, successor, hold, mark, degrade, sample", w->word[i]);
	option_init(&o, name);
	o.compartment.flags = now.flags;
	o.compartment.fail = now.fail;
	o.compartment.stacks = now.stacks;
	o.compartment.spares = now.spares;
	o.compartment.mark = now.mark;
	o.compartment.mark_mask = now.mark_mask;
	if (option_parse(w, &o))
		return portctl_usage("%s", w->error);
	err = device_control(IPSP_CTL_COMPARTMENT_SET, &o.compartment);
	if (err)
		return portctl_refused(name, err);
	return o.compartment.stacks == now.stacks && o.compartment.spares == now.spares ? 0 : set_stacks(name);
}

static void print_one(const struct portctl *p, const struct ipsp_compartment *c)
{
	static const char *const modes[] = { "share", "vote", "sample" };

	if (p->json)
		printf("{\"name\":\"%s\",\"stacks\":%u,\"stacks-attached\":%u,\"spares\":%u,"
		       "\"spares-attached\":%u,\"manager\":%u,\"fail\":\"%s\",\"deadline\":%u,"
		       "\"generation\":%u,\"handles\":%u,\"mode\":\"%s\",\"quorum\":%u}\n",
		       c->name, c->stacks, c->stacks_attached, c->spares, c->spares_attached,
		       c->manager_attached, c->fail ? "open" : "closed", c->deadline_ms, c->generation, c->handles,
		       modes[c->mode], c->quorum);
	else
		printf("%s stacks %u attached %u spares %u attached %u manager %s fail %s deadline %u "
		       "generation %u handles %u mode %s quorum %u\n", c->name, c->stacks, c->stacks_attached, c->spares,
		       c->spares_attached, c->manager_attached ? "yes" : "no", c->fail ? "open" : "closed",
		       c->deadline_ms, c->generation, c->handles, modes[c->mode], c->quorum);
}

static int compartment_show(const struct portctl *p, const char *name, struct words *w)
{
	static const char *const ask[] = { "manager", "show" };
	static struct device_reply reply;
	struct ipsp_compartment c;
	int err = get(name, &c);

	(void)w;
	if (err)
		return portctl_refused(name, err);
	print_one(p, &c);
	if (c.manager_attached &&
	    !device_request(name, p->json ? IPSP_ADMINF_JSON : 0, ask, 2, &reply))
		printf("%s", reply.text);
	return 0;
}

static int compartment_list(const struct portctl *p)
{
	struct ipsp_compartment c;
	int i;

	for (i = 0;; i++) {
		memset(&c, 0, sizeof(c));
		c.index = i;
		if (device_control(IPSP_CTL_COMPARTMENT_GET, &c))
			return 0;
		print_one(p, &c);
	}
}

static const struct {
	const char *name;
	int (*run)(const struct portctl *p, const char *name, struct words *w);
	int options;			/* words may follow */
} verbs[] = {
	{ "add", compartment_add, 1 }, { "del", compartment_del, 0 },
	{ "set", compartment_set, 1 }, { "show", compartment_show, 0 },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

int compartment_main(const struct portctl *p, struct words *w)
{
	const char *verb, *name;
	size_t i;

	word_next(w);
	verb = word_next(w);
	if (p->rules && (!verb || strcmp(verb, "del")))
		return portctl_usage("option \"--rules\": allowed: with compartment del NAME");
	if (verb && !strcmp(verb, "list"))
		return portctl_end(w, "compartment list") ?: compartment_list(p);
	for (i = 0; verb && i < VERBS; i++)
		if (!strcmp(verb, verbs[i].name))
			break;
	if (!verb || i == VERBS)
		return portctl_usage("compartment \"%.60s\": allowed: add, del, set, show, list",
				     verb ? verb : "");
	name = word_next(w);
	if (!name)
		return portctl_usage("compartment %s: the line ends here; allowed: NAME", verb);
	if (portctl_name(name) || (!verbs[i].options && portctl_end(w, "compartment")))
		return 2;
	return verbs[i].run(p, name, w);
}
