// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_record - hostile down records, several in a row: SAs, policies, configuration, snapshots, tickets
 *
 * Whoever writes a down stream is believed in nothing but that `len` bytes are there. The input is a row of
 * {struct piece, control part, data part}. Answers lie one behind the other, as in the up ring, so that runs form.
 */
#include "crypto/crypto.h"
#include "ipsec/ip.h"
#include "ipsec/transform.h"
#include "tests/fuzz/fuzz.h"

#define ROOM (256u << 10)

struct piece {
	uint8_t type;
	uint8_t flags;			/* of the record; 0x80: data_offset and data_len as they are below */
	uint16_t control_len, data_len;	/* bytes that follow in the input */
	uint16_t claimed_control;	/* 0: the true one */
	uint16_t claimed_offset, claimed_data;
};

static uint8_t memory[1 << 18] __attribute__((aligned(64)));
static uint8_t up[ROOM] __attribute__((aligned(64)));

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_check(!crypto_init());
	return 0;
}

static void sa_add(struct transform *t, uint32_t handle, uint8_t direction)
{
	struct ipsp_sa sa = {
		.handle = handle, .direction = direction, .family = 4, .protocol = IP_ESP,
		.mode = IPSP_SA_TUNNEL, .spi = htobe32(0x1000), .source = { 1 }, .destination = { 2 }, .reqid = 1,
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.aead = { .name = "rfc4106(gcm(aes))", .key_bits = 160, .icv_bits = 128, .key = "0123456789abcdefsalt" },
	};
	uint8_t *down = fuzz_record(IPSP_REC_SA_ADD, &sa, sizeof(sa), "", 0);

	fuzz_check(!transform_answer(t, (void *)down, up, sizeof(up)));
	free(down);
}

/* The record of a piece, exactly `len` bytes of memory, as the ring would hold it. */
static struct ipsp_record *record_of(const struct piece *p, const uint8_t *bytes)
{
	uint32_t at = ipsp_record_data_offset(p->control_len);
	uint32_t len = (at + p->data_len + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	struct ipsp_record *rec = calloc(1, len);

	fuzz_check(rec != NULL);
	rec->len = len;
	rec->type = p->type;
	rec->flags = p->flags & IPSP_RECF_ALL;
	rec->control_len = p->claimed_control ? p->claimed_control : p->control_len;
	rec->data_offset = p->flags & 0x80 ? p->claimed_offset : at;
	rec->data_len = p->flags & 0x80 ? p->claimed_data : p->data_len;
	memcpy(rec + 1, bytes, p->control_len);
	memcpy((uint8_t *)rec + at, bytes + p->control_len, p->data_len);
	return rec;
}

static void judge(const struct ipsp_record *rec, size_t got)
{
	fuzz_check(ipsp_record_is_sane(rec, (uint32_t)got) && rec->len == got);
	fuzz_check(rec->type == IPSP_REC_ANSWER || rec->type == IPSP_REC_NOTE ||
		   rec->type == IPSP_REC_ACQUIRE);
}

/* Returns how far the answers reach now. */
static size_t step(struct transform *t, struct ipsp_record *down, size_t used, uint64_t ticket)
{
	const size_t room = transform_room(down);
	size_t got;

	down->ticket = ticket;
	fuzz_check(!(room % IPSP_ALIGN));
	if (room > ROOM - used) {
		fuzz_check(transform_answer(t, down, up + used, ROOM - used) == TRANSFORM_NO_ROOM);
		return used;
	}
	got = transform_answer(t, down, up + used, ROOM - used);
	fuzz_check(got <= room && !(got % IPSP_ALIGN));
	return used + got;
}

static void judge_all(size_t used)
{
	size_t at = 0;

	while (at < used) {
		const struct ipsp_record *rec = (const struct ipsp_record *)(up + at);

		fuzz_check(rec->len && rec->len <= used - at);
		judge(rec, rec->len);
		at += rec->len;
	}
}

static void play(struct transform *t, const uint8_t *data, size_t size)
{
	struct ipsp_record *down;
	uint64_t ticket = 1;
	size_t used = 0;
	struct piece p;

	while (size >= sizeof(p)) {
		memcpy(&p, data, sizeof(p));
		data += sizeof(p);
		size -= sizeof(p);
		if ((size_t)p.control_len + p.data_len > size)
			break;
		down = record_of(&p, data);
		used = step(t, down, used, ticket += 2);
		free(down);
		data += p.control_len + p.data_len;
		size -= p.control_len + (size_t)p.data_len;
	}
	transform_flush(t);
	judge_all(used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct transform_config config = { 8, 8 };
	struct transform *t;
	struct arena arena;

	if (size > 16384)
		return 0;
	arena_init(&arena, memory, sizeof(memory));
	t = transform_init(&arena, &config);
	fuzz_check(t != NULL);
	sa_add(t, 1, IPSP_DIR_OUT);
	sa_add(t, 2, IPSP_DIR_IN);
	play(t, data, size);
	transform_wipe(t);
	return 0;
}
