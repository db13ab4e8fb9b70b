// SPDX-License-Identifier: GPL-2.0
#include "batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *batch_grow(void *at, size_t size)
{
	at = realloc(at, size);
	if (!at) {
		fputs("conform: no memory\n", stderr);
		exit(2);
	}
	return at;
}

void batch_clear(struct batch *b)
{
	b->len = 0;
	b->count = 0;
}

void batch_free(struct batch *b)
{
	free(b->bytes);
	free(b->at);
	memset(b, 0, sizeof(*b));
}

uint8_t *batch_room(struct batch *b, size_t len)
{
	if (b->room - b->len < len) {
		b->room = 2 * (b->len + len) + 65536;
		b->bytes = batch_grow(b->bytes, b->room);
	}
	return b->bytes + b->len;
}

void batch_take(struct batch *b, size_t len)
{
	if (b->count == b->most) {
		b->most = 2 * b->most + 1024;
		b->at = batch_grow(b->at, b->most * sizeof(*b->at));
	}
	b->at[b->count++] = b->len;
	b->len += len;
}

void batch_add(struct batch *b, uint16_t type, uint16_t flags, uint64_t ticket, const void *control,
	       uint32_t control_len, const void *data, uint32_t data_len)
{
	struct ipsp_record rec = { .type = type, .flags = flags, .ticket = ticket, .control_len = control_len,
				   .data_len = data_len, .generation = (uint32_t)ticket * 7 };
	uint8_t *at;

	rec.data_offset = (uint32_t)(sizeof(rec) + control_len + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	rec.len = (rec.data_offset + data_len + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	at = batch_room(b, sizeof(rec.len) + rec.len);
	memset(at, 0, sizeof(rec.len) + rec.len);
	memcpy(at, &rec.len, sizeof(rec.len));
	memcpy(at + 4, &rec, sizeof(rec));
	if (control_len)
		memcpy(at + 4 + sizeof(rec), control, control_len);
	if (data_len)
		memcpy(at + 4 + rec.data_offset, data, data_len);
	batch_take(b, sizeof(rec.len) + rec.len);
}

void batch_copy(struct batch *b, const struct batch *from, uint32_t i)
{
	size_t end = i + 1 < from->count ? from->at[i + 1] : from->len, len = end - from->at[i];

	memcpy(batch_room(b, len), from->bytes + from->at[i], len);
	batch_take(b, len);
}

const uint8_t *batch_record(const struct batch *b, uint32_t i, uint32_t *len)
{
	*len = 0;
	if (i >= b->count)
		return NULL;
	memcpy(len, b->bytes + b->at[i], sizeof(*len));
	return *len ? b->bytes + b->at[i] + sizeof(*len) : NULL;
}
