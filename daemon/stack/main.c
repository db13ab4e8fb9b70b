// SPDX-License-Identifier: GPL-2.0
/* main.c - the life of a stack: warm up, attach, close the sandbox, answer records */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "loop.h"
#include "sandbox.h"

struct options {
	int port_fd;
	unsigned index;
	uid_t uid;
	gid_t gid;
	struct transform_config transform;
};

static void die(const char *what)
{
	fprintf(stderr, "ipsec-port-stack: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void must(const char *failed)
{
	if (failed)
		die(failed);
}

static unsigned number(const char *option, const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end || value > 0x7fffffff) {
		fprintf(stderr, "ipsec-port-stack: %s \"%s\": allowed: a number\n", option, text);
		_exit(2);
	}
	return (unsigned)value;
}

static int open_port(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die(path);
	return fd;
}

static const struct option option_names[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "port-fd", required_argument, NULL, 'f' },
	{ "index", required_argument, NULL, 'i' },
	{ "sas-max", required_argument, NULL, 's' },
	{ "policies-max", required_argument, NULL, 'l' },
	{ "uid", required_argument, NULL, 'u' },
	{ "gid", required_argument, NULL, 'g' },
	{ NULL, 0, NULL, 0 },
};

#define WORDS "--port DEVICE | --port-fd N [--index I] [--sas-max N] [--policies-max N] [--uid U] [--gid G]"

static void refuse(const char *seen)
{
	fprintf(stderr, "ipsec-port-stack: option \"%s\": allowed, each with a value: " WORDS "\n", seen);
	_exit(2);
}

static void options_parse(struct options *o, int argc, char **argv)
{
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", option_names, NULL)) != -1) {
		switch (c) {
		case 'p': o->port_fd = open_port(optarg); break;
		case 'f': o->port_fd = (int)number("--port-fd", optarg); break;
		case 'i': o->index = number("--index", optarg); break;
		case 's': o->transform.sas_max = number("--sas-max", optarg); break;
		case 'l': o->transform.policies_max = number("--policies-max", optarg); break;
		case 'u': o->uid = number("--uid", optarg); break;
		case 'g': o->gid = number("--gid", optarg); break;
		default: refuse(argv[optind - 1]);
		}
	}
	if (o->port_fd < 0 || optind != argc) {
		fprintf(stderr, "usage: ipsec-port-stack " WORDS "\n");
		_exit(2);
	}
}

static void *locked_memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (at == MAP_FAILED)
		die("memory of the arena");
	return at;
}

/* OpenSSL's memory first: it may not have allocated before. */
static struct transform *warm_up(const struct transform_config *config)
{
	size_t crypto = crypto_arena_size(config->sas_max ? config->sas_max : 1024);
	size_t size = transform_arena_size(config);
	struct transform *transform;
	struct arena arena;

	if (crypto_arena_install(locked_memory(crypto), crypto))
		die("giving the library its memory");
	if (crypto_init())
		die("starting the engines");
	arena_init(&arena, locked_memory(size), size);
	transform = transform_init(&arena, config);
	if (!transform)
		die("starting the transform");
	return transform;
}

/* The stack's own pages are there before page faults could tell anybody anything. */
static void touch_stack(void)
{
	volatile char room[128 * 1024];
	size_t i;

	for (i = 0; i < sizeof(room); i += 4096)
		room[i] = 0;
}

int main(int argc, char **argv)
{
	struct options o = { .port_fd = -1, .uid = 65534, .gid = 65534 };
	struct transform *transform;
	struct port port = { 0 };

	options_parse(&o, argc, argv);
	must(sandbox_early(o.port_fd));
	transform = warm_up(&o.transform);
	touch_stack();
	/* As they are touched: most of a library's text is for other processors. What holds keys is there by now. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		die("mlockall");
	must(sandbox_namespaces());
	/* Only now: the deadlines of what it is dealt do not wait for libraries to start. */
	must(port_attach_merging(&port, o.port_fd, o.index));
	must(sandbox_identity(o.uid, o.gid));
	must(sandbox_close(o.port_fd));
	loop_run(&port, transform);
	_exit(0);
}
