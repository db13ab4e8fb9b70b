/* SPDX-License-Identifier: GPL-2.0 */
/* bench.h - what each benchmark of the stack does: looks at the clock, makes records, gives up */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipsec_port_ring.h"

static inline void bench_check(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "bench: %s\n", what);
	exit(EXIT_FAILURE);
}

/* Seconds since some moment. */
static inline double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* As the kernel writes one to `to`. */
static inline struct ipsp_record *bench_record(void *to, uint16_t type, const void *control, uint32_t control_len,
					       const void *data, uint32_t data_len)
{
	struct ipsp_record *rec = to;

	memset(rec, 0, sizeof(*rec));
	rec->type = type;
	rec->control_len = control_len;
	rec->data_offset = ipsp_record_data_offset(control_len);
	rec->data_len = data_len;
	rec->len = (rec->data_offset + data_len + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	memcpy(rec + 1, control, control_len);
	if (data_len)
		memcpy((uint8_t *)to + rec->data_offset, data, data_len);
	return rec;
}

#endif
