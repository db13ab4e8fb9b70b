// SPDX-License-Identifier: GPL-2.0
#include "stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipsec_port_ring.h"

static uint8_t input[4 * IPSP_RECORD_MAX];
static size_t input_at, input_end;
static union {
	struct ipsp_record head;
	uint8_t bytes[IPSP_RECORD_MAX];
} down __attribute__((aligned(64)));
static uint8_t up[8 * IPSP_RECORD_MAX] __attribute__((aligned(64)));

/* Before it waits for more input, all answers are on their way. */
static bool stream_fill(void)
{
	ssize_t got;

	if (fflush(stdout))
		return false;
	memmove(input, input + input_at, input_end - input_at);
	input_end -= input_at;
	input_at = 0;
	do {
		got = read(STDIN_FILENO, input + input_end, sizeof(input) - input_end);
	} while (got < 0 && errno == EINTR);
	if (got > 0)
		input_end += (size_t)got;
	return got > 0;
}

static bool stream_take(void *to, size_t len)
{
	while (input_end - input_at < len)
		if (!stream_fill())
			return false;
	memcpy(to, input + input_at, len);
	input_at += len;
	return true;
}

static bool stream_write(uint32_t len)
{
	return fwrite(&len, sizeof(len), 1, stdout) == 1 && (!len || fwrite(up, len, 1, stdout) == 1);
}

int stream_run(struct record_stack *stack)
{
	uint32_t len;

	while (stream_take(&len, sizeof(len))) {
		if (len < sizeof(down.head) || len > sizeof(down) || !stream_take(&down, len) || down.head.len != len ||
		    !ipsp_record_is_sane(&down.head, len)) {
			fprintf(stderr, "ipsec-port-stack-sodium: %u bytes: not a record, or not whole\n", len);
			return EXIT_FAILURE;
		}
		if (!stream_write((uint32_t)record_answer(stack, &down.head, up, sizeof(up))))
			return EXIT_FAILURE;
	}
	return fflush(stdout) || input_end != input_at ? EXIT_FAILURE : EXIT_SUCCESS;
}
