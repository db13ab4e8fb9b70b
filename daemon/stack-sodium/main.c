// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - the second stack: another parser, other databases, another library, another compiler
 *
 * Its life is that of daemon/stack/main.c: get everything that it will need, attach, close the sandbox, answer
 * records. With --records there is neither port nor sandbox (stream.h).
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "aead.h"
#include "ring.h"
#include "stack/sandbox.h"
#include "stream.h"

#define NAME "ipsec-port-stack-sodium"
#define RECORDS_MAX 256			/* SAs and policies with --records */

enum main_option { PORT_FD, INDEX, SAS_MAX, POLICIES_MAX, USER, GROUP, OPTION_NUMBERS, PORT, RECORDS };

struct main_options {
	unsigned number[OPTION_NUMBERS];
	int port_fd;			/* -1: none */
	bool records;
};

static const struct option names[] = {
	{ "port-fd", required_argument, NULL, PORT_FD },
	{ "index", required_argument, NULL, INDEX },
	{ "sas-max", required_argument, NULL, SAS_MAX },
	{ "policies-max", required_argument, NULL, POLICIES_MAX },
	{ "uid", required_argument, NULL, USER },
	{ "gid", required_argument, NULL, GROUP },
	{ "port", required_argument, NULL, PORT },
	{ "records", no_argument, NULL, RECORDS },
	{ NULL, 0, NULL, 0 },
};

static void die(const char *what)
{
	fprintf(stderr, NAME ": %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void must(const char *failed)
{
	if (failed)
		die(failed);
}

#define WORDS "--port DEVICE | --port-fd N | --records [--index I] [--sas-max N] [--policies-max N] [--uid U] [--gid G]"

static void usage(void)
{
	fprintf(stderr, "usage: " NAME " " WORDS "\n");
	_exit(2);
}

static void refuse(const char *seen)
{
	fprintf(stderr, NAME ": option \"%s\": allowed, each but --records with a value: " WORDS "\n", seen);
	_exit(2);
}

static unsigned main_number(const char *option, const char *text)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || !isdigit((unsigned char)*text) || *end || value > 0x7fffffff) {
		fprintf(stderr, NAME ": --%s \"%s\": allowed: a number\n", option, text);
		_exit(2);
	}
	return (unsigned)value;
}

static void main_option(struct main_options *o, int chosen, int at)
{
	if (chosen < OPTION_NUMBERS) {
		o->number[chosen] = main_number(names[at].name, optarg);
		if (chosen == PORT_FD)
			o->port_fd = (int)o->number[PORT_FD];
	} else if (chosen == RECORDS) {
		o->records = true;
	} else {
		o->port_fd = open(optarg, O_RDWR | O_CLOEXEC);
		if (o->port_fd < 0)
			die(optarg);
	}
}

static void main_options(struct main_options *o, int argc, char **argv)
{
	int chosen, at = 0;

	opterr = 0;
	while ((chosen = getopt_long(argc, argv, "", names, &at)) != -1) {
		if (chosen == '?')
			refuse(argv[optind - 1]);
		main_option(o, chosen, at);
	}
	if (optind != argc || o->records == (o->port_fd >= 0))
		usage();
}

/* All that the stack will ever use, there from now on. */
static struct record_stack *main_stack(unsigned sas_max, unsigned policies_max)
{
	const size_t size = record_memory(sas_max, policies_max);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		die("memory of the databases");
	if (aead_init())
		die("starting libsodium");
	return record_start(memory, sas_max, policies_max);
}

/* ---- the port -------------------------------------------------------------------------------- */

/* The pages of the call stack are there before a page fault could tell anybody anything. */
static void main_touch_pages(void)
{
	volatile char pages[32 * 4096];
	size_t i;

	for (i = 0; i < sizeof(pages); i += 4096)
		pages[i] = 0;
}

static void main_port(const struct main_options *o)
{
	struct record_stack *stack;
	struct port port = { 0 };

	must(sandbox_early(o->port_fd));
	stack = main_stack(o->number[SAS_MAX], o->number[POLICIES_MAX]);
	main_touch_pages();
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		die("mlockall");
	must(sandbox_namespaces());
	/* Only now: the deadlines of what it is dealt do not wait for a library to start. */
	must(port_attach(&port, o->port_fd, o->number[INDEX]));
	must(sandbox_identity(o->number[USER], o->number[GROUP]));
	must(sandbox_close(o->port_fd));
	ring_run(&port, stack);
}

int main(int argc, char **argv)
{
	struct main_options o = { .number = { [USER] = 65534, [GROUP] = 65534 }, .port_fd = -1 };

	main_options(&o, argc, argv);
	if (o.records)
		return stream_run(main_stack(RECORDS_MAX, RECORDS_MAX));
	main_port(&o);
	_exit(0);
}
