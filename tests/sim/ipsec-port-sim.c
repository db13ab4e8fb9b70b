// SPDX-License-Identifier: GPL-2.0
/*
 * sim - the transform alone, on records from stdin
 *
 * Each record comes behind its length in 4 bytes (host order). Each is answered by the up
 * record that the stack would give, likewise behind its length; 0: no answer. So a test in
 * any language is a page long, and needs neither module nor sandbox.
 */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/crypto.h"
#include "ipsec/transform.h"
#include "ipsec_port_ring.h"

static uint8_t memory[4 << 20] __attribute__((aligned(64)));
static uint8_t heap[8 << 20] __attribute__((aligned(64)));
static uint8_t down[IPSP_RECORD_MAX] __attribute__((aligned(64)));
static uint8_t up[4 * IPSP_RECORD_MAX] __attribute__((aligned(64)));

/* 1: a record is in `down`; 0: the input has ended. */
static int sim_read(void)
{
	uint32_t len;

	if (fread(&len, sizeof(len), 1, stdin) != 1)
		return 0;
	if (len < sizeof(struct ipsp_record) || len > sizeof(down) ||
	    fread(down, len, 1, stdin) != 1 ||
	    !ipsp_record_is_sane((const struct ipsp_record *)down, len)) {
		fprintf(stderr, "sim: no record of %u bytes\n", len);
		exit(EXIT_FAILURE);
	}
	return 1;
}

static void sim_write(uint32_t len)
{
	if (fwrite(&len, sizeof(len), 1, stdout) != 1 ||
	    (len && fwrite(up, len, 1, stdout) != 1) || fflush(stdout))
		exit(EXIT_FAILURE);
}

int main(void)
{
	const struct transform_config config = { 256, 256 };
	struct transform *transform;
	struct arena arena;
	size_t len;

	if (crypto_arena_install(heap, sizeof(heap)) || crypto_init()) {
		fputs("sim: the crypto library does not start\n", stderr);
		return EXIT_FAILURE;
	}
	arena_init(&arena, memory, sizeof(memory));
	transform = transform_init(&arena, &config);
	while (transform && sim_read()) {
		len = transform_answer(transform, (const struct ipsp_record *)down, up, sizeof(up));
		if (len == TRANSFORM_NO_ROOM) {
			fputs("sim: an answer does not fit\n", stderr);
			return EXIT_FAILURE;
		}
		transform_flush(transform);
		sim_write((uint32_t)len);
	}
	return transform ? EXIT_SUCCESS : EXIT_FAILURE;
}
