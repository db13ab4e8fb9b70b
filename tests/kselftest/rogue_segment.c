// SPDX-License-Identifier: GPL-2.0-only
/*
 * rogue_segment.c - a stack that lies about one segment of many; see rogue.c for the rest
 *
 * A super-packet is one ticket with a number for each of its segments. The first segment is honest: the lie is in a
 * later one, or in how many there are and how long, and none of them leaves, the honest ones neither.
 */
#include <unistd.h>

#include "tap.h"
#include "world/lie.h"

#define SEGMENTS	5
#define LAST		(SEGMENTS - 1)

/* ---- where things are in segment i ------------------------------------------------------------------------- */

static unsigned char *segment(struct draft *d, unsigned int i)
{
	return d->data + i * d->answer.segment_len;
}

/* Its SPI, and four bytes behind it its number */
static unsigned char *numbered(struct draft *d, unsigned int i)
{
	unsigned char *s = segment(d, i);

	return s + (s[0] >> 4 == 4 ? 20 : 40) + stack_numbered_at(&rogue);
}

static unsigned char *udp(struct draft *d, unsigned int i)
{
	return segment(d, i) + (segment(d, i)[0] >> 4 == 4 ? 20 : 40);
}

static void swap(struct draft *d, unsigned int one, unsigned int other)
{
	unsigned char aside[4];

	memcpy(aside, numbered(d, one) + 4, 4);
	memcpy(numbered(d, one) + 4, numbered(d, other) + 4, 4);
	memcpy(numbered(d, other) + 4, aside, 4);
}

/* What the host sent, of the segment's length and as its own header says */
static void clear(struct draft *d, const struct ticket *t, unsigned int i)
{
	const unsigned int length = d->answer.segment_len;
	unsigned char *s = segment(d, i);

	memcpy(s, t->data, length);
	if (s[0] >> 4 == 4) {
		s[2] = (unsigned char)(length >> 8);
		s[3] = (unsigned char)length;
	} else {
		s[4] = (unsigned char)((length - 40) >> 8);
		s[5] = (unsigned char)(length - 40);
	}
}

/* All of them, and so many bytes more or less behind the last: the rest of the record says so as well */
static void stretch(struct draft *d, int bytes)
{
	const unsigned int each = d->answer.segment_len;

	lie_size(d, (unsigned int)((int)d->length + bytes));
	d->answer.segment_len = each;
}

/* One segment more than there are numbers, honest but for that */
static void one_more(struct draft *d)
{
	const unsigned int each = d->answer.segment_len;

	memcpy(d->data + d->length, segment(d, LAST), each);
	stretch(d, (int)each);
	d->answer.segments++;
	numbered(d, SEGMENTS)[7]++;
}

/* ---- lies -------------------------------------------------------------------------------------------------- */

/* number, ticket answered, cause, drop, what, statement on the draft d of ticket t; in all families and protocols */
#define ANY(X) \
	X(1, PROTECT, HEADER, NONE, "the second in clear", clear(d, t, 1)) \
	X(2, PROTECT, HEADER, NONE, "the last in clear", clear(d, t, LAST)) \
	X(3, PROTECT, HEADER, NONE, "all but the first in clear", \
	  (clear(d, t, 1), clear(d, t, 2), clear(d, t, 3), clear(d, t, LAST))) \
	X(4, PROTECT, HEADER, NONE, "another SPI in the second", numbered(d, 1)[3] ^= 1) \
	X(5, PROTECT, HEADER, NONE, "another SPI in the last", numbered(d, LAST)[0] ^= 1) \
	X(6, PROTECT, NUMBER, NONE, "the first's number again", memcpy(numbered(d, 1) + 4, numbered(d, 0) + 4, 4)) \
	X(7, PROTECT, NUMBER, NONE, "the one before's number in the last", \
	  memcpy(numbered(d, LAST) + 4, numbered(d, LAST - 1) + 4, 4)) \
	X(8, PROTECT, NUMBER, NONE, "one number for all", \
	  (memcpy(numbered(d, 1) + 4, numbered(d, 0) + 4, 4), memcpy(numbered(d, 2) + 4, numbered(d, 0) + 4, 4), \
	   memcpy(numbered(d, 3) + 4, numbered(d, 0) + 4, 4), memcpy(numbered(d, LAST) + 4, numbered(d, 0) + 4, 4))) \
	X(9, PROTECT, NUMBER, NONE, "two numbers swapped", swap(d, 1, 2)) \
	X(10, PROTECT, NUMBER, NONE, "the first's and the last's swapped", swap(d, 0, LAST)) \
	X(11, PROTECT, NUMBER, NONE, "the next ticket's number in the last", numbered(d, LAST)[7]++) \
	X(12, PROTECT, NUMBER, NONE, "a number's upper half", numbered(d, 2)[4] ^= 0x80) \
	X(13, PROTECT, LENGTH, NONE, "one segment more than numbers", one_more(d)) \
	X(14, PROTECT, LENGTH, NONE, "one segment more, and nothing in it", d->answer.segments++) \
	X(15, PROTECT, LENGTH, NONE, "one segment less than is there", d->answer.segments--) \
	X(16, PROTECT, LENGTH, NONE, "all of it as one", d->answer.segments = 1) \
	X(17, PROTECT, LENGTH, NONE, "64 Ki segments", d->answer.segments = 65536) \
	X(18, PROTECT, LENGTH, NONE, "nothing in the last", \
	  stretch(d, -(int)(d->length - LAST * d->answer.segment_len))) \
	X(19, PROTECT, HEADER, NONE, "a byte in the last", \
	  stretch(d, 1 - (int)(d->length - LAST * d->answer.segment_len))) \
	X(20, PROTECT, HEADER, NONE, "a header's half in the last", \
	  stretch(d, 10 - (int)(d->length - LAST * d->answer.segment_len))) \
	X(21, PROTECT, LENGTH, NONE, "the last longer than the others", stretch(d, 4)) \
	X(22, PROTECT, HEADER, NONE, "the last shorter than it says", stretch(d, -4)) \
	X(23, PROTECT, LENGTH, NONE, "segments shorter than they are", d->answer.segment_len -= 4) \
	X(24, PROTECT, HEADER, NONE, "segments longer than they are", d->answer.segment_len += 4) \
	X(25, PROTECT, LENGTH, NONE, "segments of 4 GiB", d->answer.segment_len = ~0u) \
	X(26, PROTECT, HEADER, NONE, "no IP at all in the third", segment(d, 2)[0] = 0)

#define FAMILY4(X) \
	X(40, PROTECT, HEADER, NONE, "another source of the second", segment(d, 1)[15] ^= 1) \
	X(41, PROTECT, HEADER, NONE, "another destination of the second", segment(d, 1)[19] ^= 1) \
	X(42, PROTECT, HEADER, NONE, "another destination of the last", segment(d, LAST)[16] ^= 1) \
	X(43, PROTECT, HEADER, NONE, "another protocol of the third", segment(d, 2)[9] = 6) \
	X(44, PROTECT, HEADER, NONE, "IP options in the third", segment(d, 2)[0] = 0x46) \
	X(45, PROTECT, HEADER, NONE, "a length that lies in the third", segment(d, 2)[3]++) \
	X(46, PROTECT, HEADER, NONE, "a fragment in the third", segment(d, 2)[6] = 0x20) \
	X(47, PROTECT, HEADER, NONE, "a later fragment in the last", segment(d, LAST)[7] = 8) \
	X(48, PROTECT, HEADER, NONE, "no time to live in the last", segment(d, LAST)[8] = 0) \
	X(49, PROTECT, HEADER, NONE, "IPv6 in the last", segment(d, LAST)[0] = 0x65)

#define FAMILY6(X) \
	X(60, PROTECT, HEADER, NONE, "another source of the second", segment(d, 1)[23] ^= 1) \
	X(61, PROTECT, HEADER, NONE, "another destination of the second", segment(d, 1)[39] ^= 1) \
	X(62, PROTECT, HEADER, NONE, "another destination of the last", segment(d, LAST)[24] ^= 1) \
	X(63, PROTECT, HEADER, NONE, "another protocol of the third", segment(d, 2)[6] = 6) \
	X(64, PROTECT, HEADER, NONE, "options in front of the third", segment(d, 2)[6] = 60) \
	X(65, PROTECT, HEADER, NONE, "a length that lies in the third", segment(d, 2)[5]++) \
	X(66, PROTECT, HEADER, NONE, "no hops left in the last", segment(d, LAST)[7] = 0) \
	X(67, PROTECT, HEADER, NONE, "IPv4 in the last", segment(d, LAST)[0] = 0x45)

#define ENCAP(X) \
	X(80, PROTECT, HEADER, NONE, "another source port in the second", udp(d, 1)[1] ^= 1) \
	X(81, PROTECT, HEADER, NONE, "another destination port in the last", udp(d, LAST)[3] ^= 1) \
	X(82, PROTECT, HEADER, NONE, "UDP's length lies in the third", udp(d, 2)[5]++) \
	X(83, PROTECT, HEADER, NONE, "a checksum in the third", udp(d, 2)[7] = 1) \
	X(84, PROTECT, HEADER, NONE, "an IKE message in the last", memset(udp(d, LAST) + 8, 0, 4))

ANY(LIE_SPOIL)
FAMILY4(LIE_SPOIL)
FAMILY6(LIE_SPOIL)
ENCAP(LIE_SPOIL)

static const struct lie any[] = { ANY(LIE_ENTRY) };
static const struct lie family4[] = { FAMILY4(LIE_ENTRY) };
static const struct lie family6[] = { FAMILY6(LIE_ENTRY) };
static const struct lie encap[] = { ENCAP(LIE_ENTRY) };

#define SET(lies) { lies, sizeof(lies) / sizeof((lies)[0]) }
static const struct set {
	const char *what;
	struct realm_kind kind;
	struct {
		const struct lie *lie;
		size_t count;
	} lies[2];
} sets[] = {
	{ "IPv4", { .family = 4, .mode = IPSP_SA_TUNNEL }, { SET(any), SET(family4) } },
	{ "IPv6", { .family = 6, .mode = IPSP_SA_TUNNEL }, { SET(family6) } },
	{ "IPv4 in UDP", { .family = 4, .mode = IPSP_SA_TUNNEL, .encap = 4500 }, { SET(encap) } },
	{ "IPv6 in UDP", { .family = 6, .mode = IPSP_SA_TUNNEL, .encap = 4500 }, { SET(encap) } },
	{ "IPv4 with AH", { .family = 4, .mode = IPSP_SA_TUNNEL, .protocol = 51 }, { SET(any) } },
};

/* ---- without a lie --------------------------------------------------------------------------------------------- */

/* One ticket with a number for each segment, and all of them leave, in their order. */
static void test_honest(const struct set *set)
{
	unsigned char packet[WORLD_PACKET_MAX];
	struct ipsp_stats s;
	unsigned int i;

	lie_realms_begin(5000);
	realm_start(&rogue, stack_honest, NULL);
	wire_super(&rogue, 2, SEGMENTS);
	for (i = 0; i < SEGMENTS && wire_next(packet, 10000) && wire_is_esp(&rogue, packet); i++)
		if (packet[(packet[0] >> 4 == 4 ? 20 : 40) + stack_numbered_at(&rogue) + 7] != i + 1)
			break;
	TAP_EQUAL(i, SEGMENTS, "%s: control: an honest stack's segments leave in their order", set->what);
	TAP_EQUAL(realm_balance(&rogue), 0, "%s: control: its ledger balances", set->what);
	s = realm_stats(&rogue);
	TAP_EQUAL(s.counter[IPSP_COUNT_RELEASED], 1, "%s: control: of one ticket", set->what);
	TAP_EQUAL(s.counter[IPSP_COUNT_OUT_PACKETS], SEGMENTS, "%s: control: all are counted", set->what);
	lie_realms_end();
}

static void test_lies(const struct set *set, const struct lie *lies, size_t count)
{
	struct lie l;
	size_t i;

	for (i = 0; i < count; i++) {
		l = lies[i];
		l.segments = SEGMENTS;
		tap(lie_is_refused(&l), "%s: %s", set->what, l.what);
	}
}

int main(void)
{
	const struct realm *const one[] = { &neighbour };
	unsigned int i;

	world_begin();
	world_ipv6();
	world_offload();
	realm_begin(&neighbour, 40, 5000);
	realm_rules(one, 1);
	realm_start(&neighbour, stack_honest, NULL);
	for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		rogue_kind = sets[i].kind;
		test_honest(&sets[i]);
		test_lies(&sets[i], sets[i].lies[0].lie, sets[i].lies[0].count);
		test_lies(&sets[i], sets[i].lies[1].lie, sets[i].lies[1].count);
	}
	realm_stop(&neighbour);
	realm_rules(NULL, 0);
	realm_end(&neighbour);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
