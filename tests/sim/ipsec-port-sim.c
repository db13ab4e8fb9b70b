// SPDX-License-Identifier: GPL-2.0
/*
 * sim - the transform alone, on records from stdin
 *
 * Each record comes behind its length in 4 bytes (host order). Each is answered by the up
 * record that the stack would give, likewise behind its length; 0: no answer. So a test in
 * any language is a page long, and needs neither module nor sandbox. What has been answered
 * is written before more is waited for. `--records`, which other stacks need, is taken too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "ipsec/transform.h"
#include "ipsec_port_ring.h"

static uint8_t memory[4 << 20] __attribute__((aligned(64)));
static uint8_t heap[8 << 20] __attribute__((aligned(64)));
static uint8_t down[IPSP_RECORD_MAX] __attribute__((aligned(64)));
static uint8_t up[4 * IPSP_RECORD_MAX] __attribute__((aligned(64)));

static struct input {
	uint8_t bytes[1 << 20];
	size_t at, end;
} input;

/* 1: `size` bytes are in `to`; 0: the input has ended. */
static int sim_take(void *to, size_t size)
{
	ssize_t got;

	while (input.end - input.at < size) {
		memmove(input.bytes, input.bytes + input.at, input.end - input.at);
		input.end -= input.at;
		input.at = 0;
		if (fflush(stdout))
			exit(EXIT_FAILURE);
		got = read(STDIN_FILENO, input.bytes + input.end, sizeof(input.bytes) - input.end);
		if (got <= 0)
			return 0;
		input.end += (size_t)got;
	}
	memcpy(to, input.bytes + input.at, size);
	input.at += size;
	return 1;
}

/* 1: a record is in `down`; 0: the input has ended. */
static int sim_read(void)
{
	uint32_t len;

	if (!sim_take(&len, sizeof(len)))
		return 0;
	if (len < sizeof(struct ipsp_record) || len > sizeof(down) || !sim_take(down, len) ||
	    !ipsp_record_is_sane((const struct ipsp_record *)down, len)) {
		fprintf(stderr, "sim: no record of %u bytes\n", len);
		exit(EXIT_FAILURE);
	}
	return 1;
}

static void sim_write(uint32_t len)
{
	if (fwrite(&len, sizeof(len), 1, stdout) != 1 || (len && fwrite(up, len, 1, stdout) != 1))
		exit(EXIT_FAILURE);
}

static int sim_run(struct transform *transform)
{
	size_t len;

	while (sim_read()) {
		len = transform_answer(transform, (const struct ipsp_record *)down, up, sizeof(up));
		if (len == TRANSFORM_NO_ROOM) {
			fputs("sim: an answer does not fit\n", stderr);
			return EXIT_FAILURE;
		}
		transform_flush(transform);
		sim_write((uint32_t)len);
	}
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const struct transform_config config = { 256, 256 };
	struct transform *transform;
	struct arena arena;

	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--records"))) {
		fputs("usage: ipsec-port-sim [--records]\n", stderr);
		return 2;
	}
	if (crypto_arena_install(heap, sizeof(heap)) || crypto_init()) {
		fputs("sim: the crypto library does not start\n", stderr);
		return EXIT_FAILURE;
	}
	arena_init(&arena, memory, sizeof(memory));
	transform = transform_init(&arena, &config);
	return transform ? sim_run(transform) : EXIT_FAILURE;
}
