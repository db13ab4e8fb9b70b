// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - ipsec-port-keyd --compartment NAME [OPTIONS]: opens what needs root, gives root up, serves
 *
 * It serves the network namespace in which it is started.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "keyd.h"
#include "words/device.h"
#include "words/option.h"

#define RUN_DIRECTORY	"/run/ipsec-port"
#define KEYD_USER	"ipsec-port"	/* else nobody */

static volatile sig_atomic_t told_to_end;

static int complain(const char *what, int err)
{
	fprintf(stderr, "ipsec-port-keyd: %s: %s\n", what, strerror(-err));
	return 1;
}

static void on_signal(int signal_number)
{
	(void)signal_number;
	told_to_end = 1;
}

/* sd_notify(3) without its library: one datagram, on a socket that is connected while its path can be seen. */
static int notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (!path || strlen(path) >= sizeof(address.sun_path))
		return -1;
	strcpy(address.sun_path, path);
	if (*path == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (struct sockaddr *)&address,
				(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))))
		return fd;
	complain("NOTIFY_SOCKET", -errno);
	close(fd);
	return -1;
}

static void notify_ready(int fd)
{
	if (fd < 0)
		return;
	send(fd, "READY=1", 7, MSG_NOSIGNAL);
	close(fd);
}

/* ---- the unprivileged part ------------------------------------------------------------ */

/* Everything but what is open goes. */
static int give_up_root(void)
{
	const struct passwd *user = getpwnam(KEYD_USER);
	uid_t uid = user ? user->pw_uid : 65534;
	gid_t gid = user ? user->pw_gid : 65534;

	if (chroot(RUN_DIRECTORY "/empty") || chdir("/"))
		return -errno;
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	return setuid(0) ? 0 : -EPERM;
}

/* What the managers need SAs for; false: one of them does not listen. */
static bool open_acquires(struct keyd *k, struct pollfd *p)
{
	bool all = true;
	__u32 i;

	for (i = 0; i < k->compartments; i++) {
		acquire_open(k, &k->compartment[i]);
		p[i] = (struct pollfd){ .fd = k->compartment[i].acquire, .events = POLLIN };
		all &= p[i].fd >= 0;
	}
	return all;
}

static void hear_acquires(struct keyd *k, const struct pollfd *p)
{
	__u32 i;

	for (i = 0; i < k->compartments; i++)
		if (p[i].revents & POLLIN)
			acquire_readable(k, &k->compartment[i]);
		else if (p[i].revents & (POLLERR | POLLHUP))
			acquire_lost(k, &k->compartment[i]);
}

static void loop(struct keyd *k)
{
	struct pollfd p[1 + KEYD_COMPARTMENTS_MAX] = { { .fd = k->relay, .events = POLLIN } };
	int wait;

	while (!k->over && !told_to_end) {
		wait = open_acquires(k, p + 1) ? lifetime_timeout(k) : 1000;
		if (poll(p, 1 + k->compartments, wait) < 0 && errno != EINTR)
			return;
		if (p[0].revents & POLLIN)
			relay_readable(k);
		else if (p[0].revents & (POLLERR | POLLHUP))
			return;
		hear_acquires(k, p + 1);
		lifetime_run(k);
	}
}

/*
 * Keys lie here and in the store: none goes to swap space. What comes later is locked too, which at a limit would make
 * an allocation fail: so only without one.
 */
static void lock_memory(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &all) || mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		complain("memory is not locked, keys may get to swap space (limit of locked memory: unlimited wanted)", -errno);
}

static int serve(struct keyd *k)
{
	struct sigaction action = { .sa_handler = on_signal };
	int notify = notify_open(), err;

	lock_memory();
	err = give_up_root();
	if (err)
		return complain("giving up root", err);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	err = jail_close();
	if (err)
		return complain("seccomp", err);
	sa_recover(k);
	policy_recover(k);
	hand_recover(k);
	notify_ready(notify);
	loop(k);
	return told_to_end ? 0 : 1;
}

/* ---- start ------------------------------------------------------------------------------ */

/* The store is the namespace's and the default compartment's. */
static int open_store(struct keyd *k, const char *given)
{
	char path[128];
	struct stat ns;

	if (stat("/proc/self/ns/net", &ns))
		return complain("/proc/self/ns/net", -errno);
	mkdir(RUN_DIRECTORY, 0755);
	mkdir(RUN_DIRECTORY "/empty", 0555);
	snprintf(path, sizeof(path), RUN_DIRECTORY "/keyd.%s.%lu", k->compartment[0].name, (unsigned long)ns.st_ino);
	int err = store_open(k, given ? given : path);

	if (err != -EBUSY)
		return err ? complain(given ? given : path, err) : 0;
	fprintf(stderr, "ipsec-port-keyd: %s: another agent has it; wanted: a store of its own for each namespace\n",
		given ? given : path);
	return 1;
}

static int run(struct keyd *k, const char *store)
{
	int child, end;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);	/* of both halves */
	k->relay = relay_open();
	if (k->relay == -ENOTCONN)
		fprintf(stderr, "ipsec-port-keyd: the relay is off; wanted: ipsec-portctl relay enable\n");
	if (k->relay < 0)
		return complain("/dev/ipsec-port/" IPSP_XFRM_NAME, k->relay);
	if (open_store(k, store))
		return 1;
	k->labels = label_is_served();
	child = opener_start(&end);
	if (child < 0)
		return complain("fork", child);
	if (child) {
		close(k->relay);
		store_close(k);
		return opener_serve(k, end, child);
	}
	k->opener = end;
	return serve(k);
}

static int usage(void)
{
	fprintf(stderr, "usage: ipsec-port-keyd --compartment NAME [--place FILE] [--store FILE] [--multicast-keys]\n");
	return 2;
}

static int bad_option(const char *seen)
{
	fprintf(stderr, "ipsec-port-keyd: option \"%s\": allowed: --compartment NAME, --place FILE, --store FILE, each with a value, "
		"and --multicast-keys, which has none\n", seen);
	return 2;
}

static int bad_name(const char *name)
{
	fprintf(stderr, "ipsec-port-keyd: --compartment \"%.60s\": allowed: 1 to 31 of a-z, 0-9, _ and -, not control or "
		"xfrm\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "compartment", required_argument, NULL, 'c' },
		{ "place", required_argument, NULL, 'p' },
		{ "store", required_argument, NULL, 's' },
		{ "multicast-keys", no_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	const char *compartment = NULL, *place = NULL, *store = NULL;
	static struct keyd k;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'c')
			compartment = optarg;
		else if (c == 'p')
			place = optarg;
		else if (c == 's')
			store = optarg;
		else if (c == 'm')
			k.events = KEYS_TOLD;
		else
			return bad_option(argv[optind - 1]);
	}
	if (optind != argc || !compartment)
		return usage();
	if (!option_is_name(compartment))
		return bad_name(compartment);
	compartments_add(&k, compartment);
	if (place && place_read(&k, place))
		return 2;
	return run(&k, store);
}
