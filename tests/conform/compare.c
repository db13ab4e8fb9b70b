// SPDX-License-Identifier: GPL-2.0
#include "compare.h"

#include <stddef.h>
#include <string.h>

#include "ipsec_port.h"
#include "ipsec_port_ring.h"

#define COMPARE_HEAD (sizeof(struct ipsp_record) + sizeof(struct ipsp_answer))

struct member {
	const char *name;
	uint32_t at, len;
};

#define RECORD(m) { "record." #m, offsetof(struct ipsp_record, m), sizeof(((struct ipsp_record *)0)->m) }
#define ANSWER(m) { "answer." #m, sizeof(struct ipsp_record) + offsetof(struct ipsp_answer, m), \
		    sizeof(((struct ipsp_answer *)0)->m) }
#define OFFLOAD(m) { "answer.offload." #m, sizeof(struct ipsp_record) + offsetof(struct ipsp_answer, offload.m), \
		     sizeof(((struct ipsp_answer *)0)->offload.m) }
#define NOTE(m) { "note." #m, sizeof(struct ipsp_record) + offsetof(struct ipsp_note, m), \
		  sizeof(((struct ipsp_note *)0)->m) }

/* The first two say where the others lie. */
static const struct member members[] = {
	RECORD(type), RECORD(control_len), ANSWER(verdict), ANSWER(reason), ANSWER(segments), ANSWER(segment_len),
	ANSWER(mtu), OFFLOAD(flags), OFFLOAD(gso_type), OFFLOAD(header_len), OFFLOAD(gso_size), OFFLOAD(csum_start),
	OFFLOAD(csum_offset), OFFLOAD(reserved), ANSWER(acquire), ANSWER(handle), ANSWER(handles), ANSWER(reserved),
	RECORD(data_len), RECORD(len), RECORD(flags), RECORD(data_offset), RECORD(generation), RECORD(ticket),
	RECORD(band), RECORD(reserved8), RECORD(reserved), { NULL, 0, 0 }
};

static const struct member notes[] = {
	RECORD(type), NOTE(handle), NOTE(reason), NOTE(reserved16), NOTE(count), NOTE(reserved),
	{ "what is behind the note", sizeof(struct ipsp_record) + sizeof(struct ipsp_note), 32 }, RECORD(len),
	RECORD(flags), RECORD(control_len), RECORD(data_offset), RECORD(data_len), RECORD(generation), RECORD(ticket),
	RECORD(band), RECORD(reserved8), RECORD(reserved), { NULL, 0, 0 }
};

static struct ipsp_record compare_record(const uint8_t *at, uint32_t len)
{
	struct ipsp_record rec = { 0 };

	memcpy(&rec, at, len < sizeof(rec) ? len : sizeof(rec));
	return rec;
}

/* Bytes of the record that begins here; 0: it has not all that its header says, and that is no answer at all. */
static uint32_t compare_whole(const uint8_t *at, uint32_t len)
{
	struct ipsp_record rec = compare_record(at, len);

	return len >= COMPARE_HEAD && rec.len >= COMPARE_HEAD && ipsp_record_is_sane(&rec, len) ? rec.len : 0;
}

static int compare_is_whole(const uint8_t *at, uint32_t len)
{
	return compare_whole(at, len) == len;
}

const uint8_t *compare_last(const uint8_t *at, uint32_t *len)
{
	uint32_t whole;

	while (at && (whole = compare_whole(at, *len)) && whole < *len) {
		at += whole;
		*len -= whole;
	}
	return at;
}

/* Both are whole, and their heads are the same. */
static const uint8_t *compare_data(const uint8_t *at, uint32_t *len)
{
	struct ipsp_record rec = compare_record(at, COMPARE_HEAD);

	*len = rec.data_len;
	return rec.data_len ? at + rec.data_offset : at;
}

/* One record of each, of `len` bytes. */
static int compare_is_same_record(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	struct ipsp_record rec = compare_record(a, len);
	uint32_t looked = rec.data_len ? rec.data_offset + rec.data_len : len;

	return !memcmp(a, b, looked < COMPARE_HEAD ? COMPARE_HEAD : looked);
}

int compare_is_same(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len)
{
	uint32_t len;

	if (!a || !b)
		return a == b;
	if (a_len != b_len)
		return 0;
	for (; a_len; a += len, b += len, a_len -= len) {
		len = compare_whole(a, a_len);
		if (!len || compare_whole(b, a_len) != len || !compare_is_same_record(a, b, len))
			return 0;
	}
	return 1;
}

/* ---- in words ----------------------------------------------------------------------------- */

static const char *const compare_reasons[] = {
#define TEXT(name, text) text,
	"none", IPSP_DROPS(TEXT)
};
static const char *const compare_verdicts[] = {
	"0", "CLASSIFY", "TRANSFORMED", "MERGED", "BYPASS", "DROP", "HOLD", "TOOBIG"
};
static const char *const compare_types[] = {
	[IPSP_REC_CLASSIFY] = "CLASSIFY", [IPSP_REC_PROTECT] = "PROTECT", [IPSP_REC_UNPROTECT] = "UNPROTECT",
	[IPSP_REC_FLUSH] = "FLUSH", [IPSP_REC_SA_ADD] = "SA_ADD", [IPSP_REC_SA_UPDATE] = "SA_UPDATE",
	[IPSP_REC_SA_DELETE] = "SA_DELETE", [IPSP_REC_POLICY] = "POLICY", [IPSP_REC_RELEASE] = "RELEASE",
	[IPSP_REC_REFUSE] = "REFUSE", [IPSP_REC_TIME] = "TIME", [IPSP_REC_CONFIG] = "CONFIG",
	[IPSP_REC_SNAPSHOT_BEGIN] = "SNAPSHOT_BEGIN", [IPSP_REC_SNAPSHOT_END] = "SNAPSHOT_END",
	[IPSP_REC_ANSWER] = "ANSWER", [IPSP_REC_NOTE] = "NOTE", [IPSP_REC_ACQUIRE] = "ACQUIRE",
};
#define COMPARE_TEXT(array, i) ((i) < sizeof(array) / sizeof((array)[0]) && (array)[i] ? (array)[i] : "?")

const char *compare_type(uint32_t type)
{
	return COMPARE_TEXT(compare_types, type);
}

const char *compare_verdict(uint32_t verdict)
{
	return COMPARE_TEXT(compare_verdicts, verdict);
}

const char *compare_reason(uint32_t reason)
{
	return COMPARE_TEXT(compare_reasons, reason);
}

static void compare_answer(FILE *to, const uint8_t *at, uint32_t len)
{
	struct ipsp_record rec = compare_record(at, len);
	struct ipsp_answer a;
	uint16_t reason;

	if (len < COMPARE_HEAD) {
		fprintf(to, "%u bytes", len);
		return;
	}
	memcpy(&a, at + sizeof(rec), sizeof(a));
	memcpy(&reason, at + sizeof(rec) + offsetof(struct ipsp_note, reason), sizeof(reason));
	if (rec.type == IPSP_REC_NOTE)
		fprintf(to, "NOTE %s", compare_reason(reason));
	else if (rec.type != IPSP_REC_ANSWER)
		fprintf(to, "a record of type %u", rec.type);
	else if (a.verdict == IPSP_VERDICT_DROP)
		fprintf(to, "DROP %s", compare_reason(a.reason));
	else
		fprintf(to, "%s, %u bytes in %u of %u, mtu %u, handle %u", compare_verdict(a.verdict), rec.data_len,
			a.segments, a.segment_len, a.mtu, a.handle[0]);
}

static void compare_down(FILE *to, const uint8_t *at, uint32_t len)
{
	struct ipsp_record rec = compare_record(at, len);
	struct ipsp_packet p;

	fprintf(to, "%s (%u), ticket %llu, data %u bytes", compare_type(rec.type), rec.type,
		(unsigned long long)rec.ticket, rec.data_len);
	if (rec.type > IPSP_REC_UNPROTECT || rec.control_len < sizeof(p))
		return;
	memcpy(&p, at + sizeof(rec), sizeof(p));
	fprintf(to, ", handle %u, number %llu, mtu %u, flags 0x%x, gso %u of %u", p.stamp[0].handle,
		(unsigned long long)p.stamp[0].first, p.mtu, p.flags, p.offload.gso_type, p.offload.gso_size);
}

void compare_describe(FILE *to, const uint8_t *at, uint32_t len)
{
	uint16_t type = at && len >= sizeof(struct ipsp_record) ? compare_record(at, len).type : 0;

	if (type == IPSP_REC_ACQUIRE) {
		fputs("ACQUIRE, ", to);
		at = compare_last(at, &len);
	}
	if (!at)
		fputs("no answer", to);
	else if (len < sizeof(struct ipsp_record))
		fprintf(to, "%u bytes", len);
	else if (type == IPSP_REC_ANSWER || type == IPSP_REC_NOTE || type == IPSP_REC_ACQUIRE)
		compare_answer(to, at, len);
	else
		compare_down(to, at, len);
}

static void compare_hex(FILE *to, const char *who, const uint8_t *at, uint32_t len)
{
	uint32_t i;

	fprintf(to, "    %s", who);
	for (i = 0; i < len; i++)
		fprintf(to, " %02x", at[i]);
	fputc('\n', to);
}

static void compare_both(FILE *to, const uint8_t *a, const uint8_t *b, uint32_t len)
{
	compare_hex(to, "reference:", a, len);
	compare_hex(to, "other:    ", b, len);
}

/* Neither is an answer or a note: bytes. */
static void compare_print_bytes(FILE *to, const uint8_t *a, const uint8_t *b, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len && a[i] == b[i]; i++)
		;
	fprintf(to, "  byte %u; from there\n", i);
	compare_both(to, a + i, b + i, len - i < 32 ? len - i : 32);
}

static void compare_print_data(FILE *to, const uint8_t *a, const uint8_t *b)
{
	struct ipsp_answer answer;
	uint32_t len, i, from;

	memcpy(&answer, a + sizeof(struct ipsp_record), sizeof(answer));
	a = compare_data(a, &len);
	b = compare_data(b, &len);
	for (i = 0; i < len && a[i] == b[i]; i++)
		;
	fprintf(to, "  data: byte %u of packet %u; from there\n", answer.segment_len ? i % answer.segment_len : i,
		answer.segment_len ? i / answer.segment_len : 0);
	from = len - i < 32 ? len - i : 32;
	compare_both(to, a + i, b + i, from);
}

void compare_print(FILE *to, const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len)
{
	const struct member *m;

	fputs("  reference: ", to);
	compare_describe(to, a, a_len);
	fputs("\n  other:     ", to);
	compare_describe(to, b, b_len);
	fputc('\n', to);
	if (!a || !b || a_len < COMPARE_HEAD || b_len < COMPARE_HEAD)
		return;
	if (compare_record(a, a_len).type == IPSP_REC_ACQUIRE && a_len == b_len) {
		compare_print_bytes(to, a, b, a_len);
		return;
	}
	m = compare_record(a, a_len).type == IPSP_REC_NOTE && compare_record(b, b_len).type == IPSP_REC_NOTE ? notes :
	    members;
	for (; m->name && !memcmp(a + m->at, b + m->at, m->len); m++)
		;
	if (m->name) {
		fprintf(to, "  %s:\n", m->name);
		compare_both(to, a + m->at, b + m->at, m->len);
	} else if (compare_is_whole(a, a_len) && compare_is_whole(b, b_len)) {
		compare_print_data(to, a, b);
	} else {
		fprintf(to, "  lengths: %u and %u bytes behind headers that say the same\n", a_len, b_len);
	}
}
