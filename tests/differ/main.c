// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - ipsec-port-differ: plays sequences against whom XFRM netlink leads to, or compares two such runs
 *
 *   ipsec-port-differ [--seed N] [--from N] [--sequences N] [--seconds N] --to FILE
 *   ipsec-port-differ [--seed N] --from N --print          one sequence, as it is sent where nothing was learned
 *   ipsec-port-differ [--verbose] --compare KERNEL OURS    0: no difference without a name
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "differ.h"

struct run {
	uint64_t seed;
	uint32_t from, count, seconds;
	bool is_printed, is_verbose;
	const char *to;
};

static void run_dumps(struct maker *k, uint32_t seq)
{
	make_state_dump(k);
	k->m.head.nlmsg_len = NLMSG_HDRLEN;
	k->m.head.nlmsg_seq = seq;
	k->m.may_be_silent = false;
	player_send(k);
	make_policy_dump(k);
	k->m.head.nlmsg_seq = seq + 1;
	player_send(k);
}

static void run_sequence(const struct run *r, uint32_t number)
{
	static struct maker k;
	static struct learned none;
	uint32_t i, steps;

	k.dice.state = r->seed * 0x100000001b3ull + number;
	k.learned = r->is_printed ? &none : player_learned();
	steps = plan_steps(&k.dice);
	if (!r->is_printed)
		player_begin(number);
	for (i = 0; i < steps; i++) {
		plan_step(&k, i + 1);
		if (r->is_printed)
			printf("%u: %s%s%s\n", i, k.m.name, k.m.mutation ? ", " : "", k.m.mutation ? k.m.mutation : "");
		if (r->is_printed)
			show(&k.m.head, k.m.head.nlmsg_len, stdout);
		else
			player_send(&k);
	}
	if (!r->is_printed)
		run_dumps(&k, steps + 1);
}

static int run(const struct run *r)
{
	time_t end = time(NULL) + r->seconds;
	uint32_t i;

	if (!r->is_printed) {
		if (!player_open())
			return 2;
		script_open(r->to);
	}
	for (i = 0; i < r->count && (!r->seconds || time(NULL) < end); i++)
		run_sequence(r, r->from + i);
	script_close();
	printf("seed %llu, sequences %u to %u\n", (unsigned long long)r->seed, r->from, r->from + i);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: ipsec-port-differ [--seed N] [--from N] [--sequences N] [--seconds N] --to FILE\n"
			"       ipsec-port-differ [--seed N] --from N --print\n"
			"       ipsec-port-differ [--verbose] --compare KERNEL OURS\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' }, { "from", required_argument, NULL, 'f' },
		{ "sequences", required_argument, NULL, 'n' }, { "to", required_argument, NULL, 't' },
		{ "seconds", required_argument, NULL, 'S' }, { "print", no_argument, NULL, 'p' },
		{ "compare", no_argument, NULL, 'c' }, { "verbose", no_argument, NULL, 'v' }, { NULL, 0, NULL, 0 },
	};
	struct run r = { .seed = 1, .count = 1 };
	bool is_compared = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's': r.seed = strtoull(optarg, NULL, 0); break;
		case 'f': r.from = (uint32_t)strtoul(optarg, NULL, 0); break;
		case 'n': r.count = (uint32_t)strtoul(optarg, NULL, 0); break;
		case 'S': r.seconds = (uint32_t)strtoul(optarg, NULL, 0); break;
		case 't': r.to = optarg; break;
		case 'p': r.is_printed = true; break;
		case 'v': r.is_verbose = true; break;
		case 'c': is_compared = true; break;
		default: return usage();
		}
	}
	if (is_compared)
		return argc - optind == 2 ? compare(argv[optind], argv[optind + 1], r.is_verbose) : usage();
	return argc == optind && (r.to || r.is_printed) ? run(&r) : usage();
}
