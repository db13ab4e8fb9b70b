// SPDX-License-Identifier: GPL-2.0
/* main - ipsec-port-conform: are stacks alike, byte for byte? See Documentation/stack.md */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "known.h"
#include "program.h"
#include "shrink.h"
#include "tally.h"
#include "world.h"

#define EPISODE 4000			/* records */
#define BATCH	400

struct run {
	uint64_t records, seed;
	const char *algorithm, *save;
	struct program program[PROGRAMS_MAX];	/* the first is the reference */
	uint32_t programs;
	struct world world;
	struct batch history;		/* the episode's records so far */
	uint64_t given;			/* records of episodes before it */
};

/* ---- options ----------------------------------------------------------------------------------- */

static void usage(void)
{
	fputs("usage: ipsec-port-conform [--records N] [--seed S] [--algorithm gcm|chacha] [--save FILE] REFERENCE "
	      "PROGRAM...\n", stderr);
	exit(2);
}

static uint64_t number(const char *option, const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end) {
		fprintf(stderr, "conform: %s \"%s\": allowed: a number\n", option, text);
		exit(2);
	}
	return value;
}

static const char *algorithm(const char *text)
{
	static const char *const names[][2] = {
		{ "gcm", WORLD_GCM }, { WORLD_GCM, WORLD_GCM }, { "aes-256-gcm", WORLD_GCM },
		{ "chacha", WORLD_CHACHA }, { WORLD_CHACHA, WORLD_CHACHA }, { "chacha20-poly1305", WORLD_CHACHA },
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i][0], text))
			return names[i][1];
	fprintf(stderr, "conform: --algorithm \"%s\": allowed: gcm, chacha\n", text);
	exit(2);
}

static const struct option option_names[] = {
	{ "records", required_argument, NULL, 'n' },
	{ "seed", required_argument, NULL, 's' },
	{ "algorithm", required_argument, NULL, 'a' },
	{ "save", required_argument, NULL, 'o' },
	{ NULL, 0, NULL, 0 },
};

static void options_parse(struct run *r, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", option_names, NULL)) != -1) {
		switch (c) {
		case 'n': r->records = number("--records", optarg); break;
		case 's': r->seed = number("--seed", optarg); break;
		case 'a': r->algorithm = algorithm(optarg); break;
		case 'o': r->save = optarg; break;
		default: usage();
		}
	}
	if (argc - optind < 2 || argc - optind > PROGRAMS_MAX)
		usage();
	for (; optind < argc; optind++, r->programs++)
		if (program_start(&r->program[r->programs], argv[optind]))
			exit(2);
}

/* ---- what is said of a difference ------------------------------------------------------------------- */

static void save(const char *path, const struct batch *b)
{
	FILE *file = path ? fopen(path, "wb") : NULL;

	if (!path)
		return;
	if (!file || fwrite(b->bytes, b->len, 1, file) != 1 || fclose(file))
		perror(path);
	else
		printf("  saved: %s; PROGRAM --records reads it\n", path);
}

static void print_records(const struct batch *b)
{
	const uint8_t *rec;
	uint32_t i, k, len;

	for (i = 0; i < b->count; i++) {
		rec = batch_record(b, i, &len);
		printf("    %u: ", i + 1);
		compare_describe(stdout, rec, len);
		fputs("\n      ", stdout);
		for (k = 0; k < len && k < 1024; k++)
			printf("%02x", rec[k]);
		puts(k < len ? "..." : "");
	}
}

static void print_shrunk(const struct run *r, const struct program *p)
{
	struct batch less = { 0 };

	if (shrink(r->program[0].path, p->path, &r->history, &less)) {
		puts("  not with this episode alone: it takes what was before it");
	} else {
		printf("  %u records show it:\n", less.count);
		print_records(&less);
	}
	save(r->save, &less);
	batch_free(&less);
}

static void print_difference(struct run *r, const struct program *p, uint32_t i, uint32_t count)
{
	uint32_t a_len, b_len, len;
	const uint8_t *a = batch_record(&r->program[0].answers, i, &a_len);
	const uint8_t *b = batch_record(&p->answers, i, &b_len);
	uint32_t at = r->history.count - count + i;
	const uint8_t *given = batch_record(&r->history, at, &len);

	printf("%s: not as %s: seed %llu, record %llu: ", p->path, r->program[0].path, (unsigned long long)r->seed,
	       (unsigned long long)(r->given + at + 1));
	compare_describe(stdout, given, len);
	putchar('\n');
	if (p->failed && i >= p->answers.count)
		printf("  other:     %s\n", p->failed);
	else
		compare_print(stdout, a, a_len, b, b_len);
	r->history.count = at + 1;
	r->history.len = (size_t)(given - r->history.bytes) + len;
	print_shrunk(r, p);
}

/* ---- the run ------------------------------------------------------------------------------------------ */

static int batch_is_same(struct run *r, const struct batch *batch)
{
	uint32_t i, n, a_len, b_len;

	for (n = 1; n < r->programs; n++) {
		const struct program *p = &r->program[n];

		for (i = 0; i < batch->count; i++) {
			const uint8_t *a = batch_record(&r->program[0].answers, i, &a_len);
			const uint8_t *b = batch_record(&p->answers, i, &b_len);

			if (i < p->answers.count && compare_is_same(a, a_len, b, b_len))
				continue;
			print_difference(r, p, i, batch->count);
			return 0;
		}
	}
	return 1;
}

static int run_batch(struct run *r, struct batch *batch)
{
	uint32_t i;

	program_run(r->program, r->programs, batch);
	for (i = 0; i < batch->count; i++)
		batch_copy(&r->history, batch, i);
	if (r->program[0].failed) {
		printf("%s, the reference: %s at record %llu, seed %llu\n", r->program[0].path, r->program[0].failed,
		       (unsigned long long)(r->given + r->history.count - batch->count +
					    r->program[0].answers.count + 1), (unsigned long long)r->seed);
		return -1;
	}
	if (!batch_is_same(r, batch))
		return -1;
	tally_add(batch, &r->program[0].answers);
	world_learn(&r->world, batch, &r->program[0].answers);
	return 0;
}

static int run_episode(struct run *r, uint64_t episode, uint64_t most)
{
	static struct batch batch;
	int failed = 0;

	if (most > EPISODE)
		most = EPISODE;
	batch_clear(&r->history);
	r->world.batch = &batch;
	r->world.algorithm = r->algorithm;
	batch_clear(&batch);
	world_begin(&r->world, r->seed, episode);
	while (!failed && r->history.count < most) {
		world_make(&r->world, BATCH);
		failed = run_batch(r, &batch);
		batch_clear(&batch);
	}
	r->given += r->history.count;
	return failed;
}

static void print_known(const struct program *p, uint32_t i, const uint8_t *rec, uint32_t len)
{
	printf("%s: known answer %u: ", p->path, i + 1);
	compare_describe(stdout, rec, len);
	printf("%s%s\n", p->failed ? ": " : "", p->failed ? p->failed : "");
}

/* Each is right by itself, the reference too. */
static int run_known(struct run *r)
{
	struct batch given = { 0 }, answers = { 0 };
	uint32_t n, i, a_len, b_len, len;
	const uint8_t *rec;
	int failed = 0;

	known_make(r->algorithm, &given, &answers);
	program_run(r->program, r->programs, &given);
	for (n = 0; n < r->programs && !failed; n++) {
		for (i = 0; i < given.count && !failed; i++) {
			const uint8_t *a = batch_record(&answers, i, &a_len);
			const uint8_t *b = batch_record(&r->program[n].answers, i, &b_len);

			failed = i >= r->program[n].answers.count || !compare_is_same(a, a_len, b, b_len);
			if (!failed)
				continue;
			rec = batch_record(&given, i, &len);
			print_known(&r->program[n], i, rec, len);
			compare_print(stdout, a, a_len, b, b_len);
		}
	}
	printf("known answers: %u records\n", given.count);
	batch_free(&given);
	batch_free(&answers);
	return failed;
}

/* Ids to ask with are for those who ask: does the reference? */
static void run_hold(struct run *r)
{
	struct batch given = { 0 };
	struct ipsp_answer answer;
	const uint8_t *up;
	uint32_t len;

	known_hold(&given);
	program_run(r->program, r->programs, &given);
	up = batch_record(&r->program[0].answers, given.count - 1, &len);
	up = compare_last(up, &len);
	if (up && len >= sizeof(struct ipsp_record) + sizeof(answer)) {
		memcpy(&answer, up + sizeof(struct ipsp_record), sizeof(answer));
		r->world.holds = answer.verdict == IPSP_VERDICT_HOLD;
	}
	batch_free(&given);
}

static int run_all(struct run *r)
{
	uint64_t episode;

	if (run_known(r))
		return -1;
	run_hold(r);
	for (episode = 0; r->given < r->records; episode++)
		if (run_episode(r, episode, r->records - r->given))
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	static struct run r = { .records = 100000, .seed = 1 };
	int failed;
	uint32_t i;

	signal(SIGPIPE, SIG_IGN);
	options_parse(&r, argc, argv);
	failed = run_all(&r);
	for (i = 0; i < r.programs; i++) {
		int status = program_end(&r.program[i]);

		if (status && !failed) {
			printf("%s: exit status %d at the end of its input\n", r.program[i].path, status);
			failed = 1;
		}
	}
	world_free(&r.world);
	if (!failed)
		tally_print();
	if (!failed)
		printf("%llu records, seed %llu: %u programs alike\n", (unsigned long long)r.given,
		       (unsigned long long)r.seed, r.programs);
	return failed ? 1 : 0;
}
