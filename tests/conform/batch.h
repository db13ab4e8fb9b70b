/* SPDX-License-Identifier: GPL-2.0 */
/* batch - records one behind the other, each behind its length, as a program is given them and gives them back */
#ifndef CONFORM_BATCH_H
#define CONFORM_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "ipsec_port.h"

struct batch {
	uint8_t *bytes;
	size_t len, room;
	size_t *at;			/* where record i's length lies */
	uint32_t count, most;
};

void batch_clear(struct batch *b);
void batch_free(struct batch *b);
/* Takes up `len` bytes more and says where they are, until the next call; they belong to no record yet. */
uint8_t *batch_room(struct batch *b, size_t len);
/* Those bytes, length first, are a record. */
void batch_take(struct batch *b, size_t len);
/* A record of this type, ticket and parts. */
void batch_add(struct batch *b, uint16_t type, uint16_t flags, uint64_t ticket, const void *control,
	       uint32_t control_len, const void *data, uint32_t data_len);
/* Record i of another batch. */
void batch_copy(struct batch *b, const struct batch *from, uint32_t i);
/* Record i, or NULL where there is none: an answer of length 0. Its bytes lie at 4 modulo 8. */
const uint8_t *batch_record(const struct batch *b, uint32_t i, uint32_t *len);

#endif
