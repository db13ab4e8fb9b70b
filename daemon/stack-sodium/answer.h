/* SPDX-License-Identifier: GPL-2.0 */
/* answer - the up record of a ticket */
#ifndef SODIUM_ANSWER_H
#define SODIUM_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "ipsec_port.h"

#define ANSWER_DATA 128			/* where the packets begin, from the record's start */

/*
 * Each begins with a zeroed answer, and returns the length of the whole record. `data_len` bytes of packets lie at
 * ANSWER_DATA already.
 */
struct ipsp_answer *answer_begin(void *up, const struct ipsp_record *down, uint16_t verdict);
size_t answer_end(void *up, size_t data_len);

size_t answer_drop(void *up, const struct ipsp_record *down, unsigned reason);

/* Not of a ticket: something that the stack could not do. */
size_t answer_note(void *up, unsigned reason);

#endif
