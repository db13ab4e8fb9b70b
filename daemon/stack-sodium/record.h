/* SPDX-License-Identifier: GPL-2.0 */
/* record - one down record in; out comes nothing, a note, or an answer, which may have an ACQUIRE in front */
#ifndef SODIUM_RECORD_H
#define SODIUM_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipsec_port.h"

struct record_stack;

/* Bytes for so many SAs and policies; 0 asks for the default. */
size_t record_memory(unsigned sas_max, unsigned policies_max);

/* `memory` is zeroed and aligned to 64. It is all that the stack ever uses. */
struct record_stack *record_start(void *memory, unsigned sas_max, unsigned policies_max);

/* Bytes that the answer may need, whatever it says; a multiple of IPSP_ALIGN. */
size_t record_room(const struct ipsp_record *down);

/* `down->len` bytes are there, and nothing else of it is believed. Returns the bytes written to `up`; 0: no answer. */
size_t record_answer(struct record_stack *stack, const struct ipsp_record *down, void *up, size_t room);

/* Forgets every key. */
void record_wipe(struct record_stack *stack);

#endif
