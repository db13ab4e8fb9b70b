// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_stack_sodium - rows of hostile records to the stack on libsodium
 *
 * The input is a row of {struct piece, control part, data part}, as that of fuzz_record, so that each target's corpus
 * is a beginning for the other. Random bytes never get behind an ICV: a piece of type SEALED is an UNPROTECT record
 * whose data part is clear text, which is sealed here for the SA of its stamp, with a right trailer or as it is.
 * The stack starts with an SA of each kind. Every row goes to two stacks: both must give the same bytes (invariant 8).
 */
#define _GNU_SOURCE
#include <endian.h>
#include <stdbool.h>

#include "tests/fuzz/fuzz.h"

#include "stack-sodium/acquire.h"
#include "stack-sodium/answer.h"
#include "stack-sodium/esp.h"
#include "stack-sodium/record.h"
#include "stack-sodium/sad.h"

#define SEALED		0x80	/* piece.type; 0x81: the clear text has its own trailer */
#define OWN_LENGTHS	0x80	/* piece.flags: data_offset and data_len are the input's */
#define SAS 128
#define POLICIES 8
#define KINDS 64
#define ROOM (64u << 10)

enum kind { KIND_IN = 1, KIND_TRANSPORT = 2, KIND_CHACHA = 4, KIND_ESN = 8, KIND_OUTER6 = 16, KIND_ENCAP = 32 };

struct piece {
	uint8_t type;
	uint8_t flags;			/* of the record */
	uint16_t control_len, data_len;	/* bytes that follow in the input */
	uint16_t claimed_control;	/* 0: the true one */
	uint16_t claimed_offset, claimed_data;
};

static uint8_t memory[2][1 << 20] __attribute__((aligned(64)));
static struct sad_sa sealer[KINDS];

static struct ipsp_sa sa_of(unsigned kind)
{
	struct ipsp_sa sa = {
		.handle = 1 + kind, .direction = kind & KIND_IN ? IPSP_DIR_IN : IPSP_DIR_OUT, .protocol = IPSP_ESP,
		.family = kind & KIND_OUTER6 ? 6 : 4, .mode = kind & KIND_TRANSPORT ? IPSP_SA_TRANSPORT : IPSP_SA_TUNNEL,
		.flags = kind & KIND_ESN ? IPSP_SAF_ESN | IPSP_SAF_DECAP_DSCP : 0, .spi = htobe32(0x1000),
		.source = { 1 }, .destination = { 2 }, .reqid = 1,
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.aead = { .name = "rfc4106(gcm(aes))", .key_bits = 288, .icv_bits = 128,
			  .key = "0123456789abcdef0123456789abcdefsalt" },
	};

	if (kind & KIND_CHACHA)
		strcpy(sa.aead.name, "rfc7539esp(chacha20,poly1305)");
	if (kind & KIND_ENCAP)
		sa.encap_source = sa.encap_destination = htobe16(4500);
	return sa;
}

static bool is_there(const struct ipsp_sa *sa)
{
	return memmem(memory[0], sizeof(memory[0]), sa->aead.key, 32) != NULL;
}

/* A key is there while its SA is, and gone with it: deleted, replaced, or by a new snapshot. */
static void judge_wiping(void)
{
	struct ipsp_sa sa = sa_of(KIND_CHACHA), other = sa;
	struct sad sad;

	fuzz_check(sad_memory(SAS) <= sizeof(memory[0]));
	sad_init(&sad, memory[0], SAS);
	other.aead.key[0] ^= 1;
	fuzz_check(!is_there(&sa) && !sad_add(&sad, &sa) && is_there(&sa));
	fuzz_check(!sad_add(&sad, &other) && is_there(&other) && !is_there(&sa));
	sad_delete(&sad, other.handle);
	fuzz_check(!is_there(&other) && !sad_add(&sad, &sa) && is_there(&sa));
	sad_clear(&sad);
	fuzz_check(!is_there(&sa) && !sad_find(&sad, sa.handle));
}

/* A packet of a policy without SA asks for one, in no more room than it said; so the rows below can hold one, too. */
static void judge_asking(void)
{
	const struct ipsp_policy policy = { .operation = IPSP_POLICY_REPLACE, .count = 1 };
	const struct ipsp_policy_entry entry = {
		.protect.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.action = IPSP_POLICY_APPLY, .templates = 1, .acquire = 7, .template_ = { { .protocol = IPSP_ESP } },
	};
	static const struct ipsp_packet about;
	const uint8_t packet[IP4_HEADER] = { 0x45, 0, 0, IP4_HEADER };
	uint8_t *given = fuzz_record(IPSP_REC_POLICY, &policy, sizeof(policy), &entry, sizeof(entry));
	uint8_t *asked = fuzz_record(IPSP_REC_CLASSIFY, &about, sizeof(about), packet, sizeof(packet));
	const size_t room = record_room((void *)asked);
	struct record_stack *stack;
	uint8_t *up = calloc(1, room);

	memset(memory[0], 0, sizeof(memory[0]));
	stack = record_start(memory[0], SAS, POLICIES);
	fuzz_check(up && !record_answer(stack, (void *)given, up, room));
	fuzz_check(record_answer(stack, (void *)asked, up, room) == ACQUIRE_LEN + ANSWER_DATA);
	fuzz_check(((struct ipsp_record *)up)->type == IPSP_REC_ACQUIRE);
	free(given);
	free(asked);
	free(up);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	unsigned kind;

	(void)argc;
	(void)argv;
	fuzz_check(!aead_init());
	judge_wiping();
	fuzz_check(record_memory(SAS, POLICIES) <= sizeof(memory[0]));
	judge_asking();
	for (kind = 0; kind < KINDS; kind++) {
		sealer[kind].given = sa_of(kind);
		fuzz_check(aead_key(&sealer[kind].aead, &sealer[kind].given.aead));
	}
	return 0;
}

/* ---- records of the input ------------------------------------------------------------------------- */

static size_t outer_len(const struct sad_sa *sa)
{
	return (sa->given.family == 4 ? IP4_HEADER : IP6_HEADER) + (sa->given.encap_source ? ESP_UDP : 0);
}

/* The header of the outer packet, with what is looked at of it. */
static void outer_write(const struct sad_sa *sa, uint8_t *at, size_t len, uint8_t class)
{
	const uint8_t protocol = sa->given.encap_source ? IP_UDP : IPSP_ESP;

	at[0] = sa->given.family == 4 ? 0x45 : 0x60;
	at[sa->given.family == 4 ? 9 : 6] = protocol;
	ip_set_class(at, class);
	ip_set_len(at, IP4_HEADER, len);
}

/* Seals `text` as it is; n and next are its last bytes. */
static void seal_bare(const struct sad_sa *sa, uint64_t number, uint8_t *at, size_t len)
{
	uint8_t aad[12], iv[8];
	const struct aead_job job = { .aad = aad, .aad_len = sa->given.flags & IPSP_SAF_ESN ? 12 : 8,
				      .text = at + esp_head_len(sa), .len = len };

	memcpy(at, &sa->given.spi, 4);
	memcpy(aad, &sa->given.spi, 4);
	ip_put32(at + 4, (uint32_t)number);
	aead_iv(iv, number);
	memcpy(aad + 4, sa->given.flags & IPSP_SAF_ESN ? iv : at + 4, 8 - (sa->given.flags & IPSP_SAF_ESN ? 0 : 4));
	memcpy(at + ESP_HEADER, iv, 8);
	aead_seal(&sa->aead, &job, iv, at + esp_head_len(sa) + len);
}

/* An UNPROTECT record around clear text: {next, outer class, text}. */
static uint8_t *sealed_record(const struct piece *p, struct ipsp_packet *about, const uint8_t *data, size_t len)
{
	const struct sad_sa *sa = &sealer[(about->stamp[0].handle & (KINDS - 1)) | KIND_IN];
	const size_t front = outer_len(sa), text_len = len - 2;
	const size_t whole = front + (p->type & 1 ? esp_head_len(sa) + text_len + AEAD_ICV : esp_len(sa, text_len));
	uint8_t *packet = calloc(1, whole), *record;

	about->stamp[0].handle = sa->given.handle;
	fuzz_check(packet != NULL);
	outer_write(sa, packet, whole, data[1]);
	memcpy(packet + front + esp_head_len(sa), data + 2, text_len);
	if (p->type & 1)
		seal_bare(sa, about->stamp[0].first, packet + front, text_len);
	else
		esp_seal(sa, about->stamp[0].first, data[0], packet + front, text_len);
	record = fuzz_record(IPSP_REC_UNPROTECT, about, sizeof(*about), packet, whole);
	free(packet);
	return record;
}

static struct ipsp_record *record_of(const struct piece *p, const uint8_t *bytes)
{
	struct ipsp_packet about;
	struct ipsp_record *down;

	if (p->type >= SEALED && p->control_len >= sizeof(about) && p->data_len >= 2) {
		memcpy(&about, bytes, sizeof(about));
		return (void *)sealed_record(p, &about, bytes + p->control_len, p->data_len);
	}
	down = (void *)fuzz_record(p->type & (SEALED - 1), bytes, p->control_len, bytes + p->control_len, p->data_len);
	down->flags = p->flags & IPSP_RECF_ALL;
	if (p->claimed_control)
		down->control_len = p->claimed_control;
	if (p->flags & OWN_LENGTHS) {
		down->data_offset = p->claimed_offset;
		down->data_len = p->claimed_data;
	}
	return down;
}

/* ---- what may come up --------------------------------------------------------------------------------- */

static void judge_answer(const struct ipsp_record *down, const struct ipsp_record *up, bool asks)
{
	static const uint8_t verdicts[] = {	/* by type, bits of IPSP_VERDICT_* */
		[IPSP_REC_CLASSIFY] = 1 << IPSP_VERDICT_CLASSIFY | 1 << IPSP_VERDICT_BYPASS | 1 << IPSP_VERDICT_DROP |
				      1 << IPSP_VERDICT_HOLD,
		[IPSP_REC_PROTECT] = 1 << IPSP_VERDICT_TRANSFORMED | 1 << IPSP_VERDICT_DROP | 1 << IPSP_VERDICT_TOOBIG,
		[IPSP_REC_UNPROTECT] = 1 << IPSP_VERDICT_TRANSFORMED | 1 << IPSP_VERDICT_DROP,
	};
	const struct ipsp_answer *answer = (const struct ipsp_answer *)(up + 1);

	fuzz_check(down->type && down->type <= IPSP_REC_UNPROTECT && verdicts[down->type] >> answer->verdict & 1);
	fuzz_check(up->ticket == down->ticket && up->control_len == sizeof(*answer));
	fuzz_check((answer->verdict == IPSP_VERDICT_DROP) == (answer->reason >= IPSP_DROP_FIRST_OF_STACK));
	fuzz_check((answer->verdict == IPSP_VERDICT_HOLD) == asks && asks == (answer->acquire != 0));
	fuzz_check((answer->verdict == IPSP_VERDICT_TRANSFORMED) == (up->data_len != 0));
	if (!up->data_len)
		return;
	fuzz_check(answer->segment_len <= up->data_len && answer->segments <= up->data_len);
	fuzz_check((uint64_t)(answer->segments - 1) * answer->segment_len < up->data_len);
	if (down->type == IPSP_REC_UNPROTECT)
		fuzz_check(answer->segments == 1 && up->data_len <= down->data_len);
}

/* Returns the record behind it, which must be the answer that holds the packet for it. */
static const struct ipsp_record *judge_acquire(const struct ipsp_record *up, size_t got)
{
	const struct ipsp_record *behind = (const struct ipsp_record *)((const uint8_t *)up + ACQUIRE_LEN);
	const struct ipsp_acquire *acquire = (const struct ipsp_acquire *)(up + 1);
	const struct ipsp_answer *answer = (const struct ipsp_answer *)(behind + 1);

	fuzz_check(got == ACQUIRE_LEN + ANSWER_DATA && up->len == ACQUIRE_LEN && ipsp_record_is_sane(up, up->len));
	fuzz_check(up->control_len == sizeof(*acquire) && !up->data_len && !up->ticket);
	fuzz_check(behind->type == IPSP_REC_ANSWER && answer->acquire == acquire->acquire);
	fuzz_check(acquire->selector.source_prefix == 8 * ip_address_len(acquire->selector.family));
	return behind;
}

static void judge(const struct ipsp_record *down, const struct ipsp_record *up, size_t got)
{
	const bool asks = up->type == IPSP_REC_ACQUIRE;
	const struct ipsp_record *last = asks ? judge_acquire(up, got) : up;
	const size_t len = got - (asks ? ACQUIRE_LEN : 0);

	fuzz_check(!(len % IPSP_ALIGN) && last->len == len && ipsp_record_is_sane(last, (uint32_t)len));
	if (last->type == IPSP_REC_ANSWER)
		judge_answer(down, last, asks);
	else
		fuzz_check(last->type == IPSP_REC_NOTE);
}

/* The second stack has more room than it asked for, and nothing more to say. */
static void step(struct record_stack *const stack[2], const struct ipsp_record *down)
{
	const size_t room = record_room(down), ample = 2 * room + ROOM;
	uint8_t *up[2] = { calloc(1, room), calloc(1, ample) };
	size_t got = record_answer(stack[0], down, up[0], room);

	fuzz_check(up[0] && up[1] && !(room % IPSP_ALIGN) && got <= room);
	if (got)
		judge(down, (void *)up[0], got);
	fuzz_check(record_answer(stack[1], down, up[1], ample) == got && !memcmp(up[0], up[1], got));
	free(up[0]);
	free(up[1]);
}

static void play(struct record_stack *const stack[2], const uint8_t *data, size_t size)
{
	struct ipsp_record *down;
	uint64_t ticket = 1;
	struct piece p;

	while (size >= sizeof(p)) {
		memcpy(&p, data, sizeof(p));
		data += sizeof(p);
		size -= sizeof(p);
		if ((size_t)p.control_len + p.data_len > size)
			break;
		down = record_of(&p, data);
		down->ticket = ticket += 2;
		step(stack, down);
		free(down);
		data += p.control_len + p.data_len;
		size -= p.control_len + (size_t)p.data_len;
	}
}

static struct record_stack *start(uint8_t *at)
{
	struct record_stack *stack;
	uint8_t *down, up[128];
	struct ipsp_sa sa;
	unsigned kind;

	memset(at, 0, record_memory(SAS, POLICIES));
	stack = record_start(at, SAS, POLICIES);
	for (kind = 0; kind < KINDS; kind++) {
		sa = sa_of(kind);
		down = fuzz_record(IPSP_REC_SA_ADD, &sa, sizeof(sa), "", 0);
		fuzz_check(!record_answer(stack, (void *)down, up, sizeof(up)));
		free(down);
	}
	return stack;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record_stack *stack[2];

	if (size > 16384)
		return 0;
	stack[0] = start(memory[0]);
	stack[1] = start(memory[1]);
	play(stack, data, size);
	record_wipe(stack[0]);
	record_wipe(stack[1]);
	return 0;
}
