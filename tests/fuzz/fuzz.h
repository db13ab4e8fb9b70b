/* SPDX-License-Identifier: GPL-2.0 */
/* fuzz.h - what the targets share: a check that aborts, a record without a byte of slack */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipsec_port.h"
#include "ipsec_port_ring.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says which check it was; not by stderr, which a target may have closed to chatter. */
#define fuzz_check(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))

__attribute__((noreturn))
static inline void fuzz_fail(const char *condition, const char *file, int line)
{
	dprintf(2, "%s:%d: check failed: %s\n", file, line, condition);
	abort();
}

/* The caller frees it. Its last bytes are not padded out, so that ASan sees any read too far. */
static inline uint8_t *fuzz_record(uint16_t type, const void *control, uint32_t control_len,
				   const void *data, size_t data_len)
{
	uint32_t at = ipsp_record_data_offset(control_len);
	uint8_t *bytes = calloc(1, at + data_len);
	struct ipsp_record *rec = (struct ipsp_record *)bytes;

	fuzz_check(bytes != NULL);
	rec->len = (uint32_t)(at + data_len + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	rec->type = type;
	rec->control_len = control_len;
	rec->data_offset = at;
	rec->data_len = (uint32_t)data_len;
	memcpy(rec + 1, control, control_len);
	memcpy(bytes + at, data, data_len);
	return bytes;
}

#endif
