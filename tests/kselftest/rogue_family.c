// SPDX-License-Identifier: GPL-2.0-only
/*
 * rogue_family.c - a stack that lies about IPv6, in transport mode, in UDP and with AH; see rogue.c for the rest
 *
 * In transport mode the packet's own header stands in front of ESP: what may be in it, and what may not be put there. In
 * UDP and with AH the SPI and the number are elsewhere.
 */
#include <sys/ioctl.h>
#include <unistd.h>

#include "tap.h"
#include "world/lie.h"

/* number, ticket answered, cause, drop, what, statement on the draft d of ticket t */
#define TUNNEL6(X) \
	X(1, PROTECT, HEADER, NONE, "the packet in clear", \
	  (memcpy(d->data, t->data, t->length), lie_size(d, t->length))) \
	X(2, PROTECT, HEADER, NONE, "another source", d->data[23] ^= 1) \
	X(3, PROTECT, HEADER, NONE, "a source of another net", d->data[9] ^= 1) \
	X(4, PROTECT, HEADER, NONE, "another destination", d->data[39] ^= 1) \
	X(5, PROTECT, HEADER, NONE, "another protocol", d->data[6] = 17) \
	X(6, PROTECT, HEADER, NONE, "a header of options in front", d->data[6] = 0) \
	X(7, PROTECT, HEADER, NONE, "a routing header in front", d->data[6] = 43) \
	X(8, PROTECT, HEADER, NONE, "a fragment", d->data[6] = 44) \
	X(9, PROTECT, HEADER, NONE, "nothing behind the header", d->data[6] = 59) \
	X(10, PROTECT, HEADER, NONE, "another SPI", d->data[43] ^= 1) \
	X(11, PROTECT, NUMBER, NONE, "another number", d->data[47] ^= 1) \
	X(12, PROTECT, HEADER, NONE, "another IP version", d->data[0] = 0x45) \
	X(13, PROTECT, HEADER, NONE, "a length that lies", d->data[5]++) \
	X(14, PROTECT, HEADER, NONE, "a length of a jumbogram", (d->data[4] = 0, d->data[5] = 0)) \
	X(15, PROTECT, HEADER, NONE, "no hops left", d->data[7] = 0) \
	X(16, PROTECT, HEADER, NONE, "a byte less than a header", lie_size(d, 39)) \
	X(17, PROTECT, HEADER, NONE, "a header and nothing else", (d->data[4] = 0, d->data[5] = 0, lie_size(d, 40))) \
	X(18, PROTECT, HEADER, NONE, "half of ESP's header", (d->data[4] = 0, d->data[5] = 4, lie_size(d, 44))) \
	X(19, PROTECT, LENGTH, NONE, "a packet longer than the bound", lie_size(d, t->length + 200)) \
	X(20, PROTECT, MTU, NONE, "TOOBIG below the floor", lie_toobig(d, IPSP_MTU_FLOOR6 - 1)) \
	X(21, PROTECT, MTU, NONE, "TOOBIG above what was told", lie_toobig(d, t->packet.mtu + 1)) \
	X(22, CLASSIFY, NONE, BYPASS_REFUSED, "BYPASS under a rule that protects", \
	  d->answer.verdict = IPSP_VERDICT_BYPASS) \
	X(30, UNPROTECT, NONE, INNER, "a source outside the rules", d->data[11] = 99) \
	X(31, UNPROTECT, NONE, INNER, "a source of this host", own_source(d)) \
	X(32, UNPROTECT, NONE, INNER, "the loopback's source", source(d, 0, 0, 1)) \
	X(33, UNPROTECT, NONE, INNER, "no source", source(d, 0, 0, 0)) \
	X(34, UNPROTECT, NONE, INNER, "a group's source", source(d, 0xff, 2, 1)) \
	X(35, UNPROTECT, NONE, INNER, "a link's source", source(d, 0xfe, 0x80, 1)) \
	X(36, UNPROTECT, NONE, INNER, "IPv4 inside of an IPv6 source", \
	  (source(d, 0, 0, 1), d->data[18] = 0xff, d->data[19] = 0xff)) \
	X(37, UNPROTECT, NONE, INNER, "to the loopback", (memset(d->data + 24, 0, 15), d->data[39] = 1)) \
	X(38, UNPROTECT, NONE, INNER, "IPv4, for which there is no rule", ipv4(d)) \
	X(39, UNPROTECT, LENGTH, NONE, "a length that lies", d->data[5]--) \
	X(40, UNPROTECT, LENGTH, NONE, "a length of a jumbogram", d->data[5] = 0) \
	X(41, UNPROTECT, LENGTH, NONE, "a byte less than a header", lie_size(d, 39)) \
	X(42, UNPROTECT, LENGTH, NONE, "no IP", d->data[0] = 0x70) \
	X(43, UNPROTECT, LENGTH, NONE, "longer than what came", lie_size(d, 400))

/* Without options in what the host sent */
#define TRANSPORT4(X) \
	X(100, PROTECT, HEADER, NONE, "another source", d->data[15] ^= 1) \
	X(101, PROTECT, HEADER, NONE, "another destination", d->data[19] ^= 1) \
	X(102, PROTECT, HEADER, NONE, "the packet in clear", \
	  (memcpy(d->data, t->data, t->length), lie_size(d, t->length))) \
	X(103, PROTECT, HEADER, NONE, "options where there were none", d->data[0] = 0x46) \
	X(104, PROTECT, NUMBER, NONE, "another number", d->data[27] ^= 1) \
	X(105, UNPROTECT, NONE, INNER, "another source than the wire's", d->data[15] ^= 1) \
	X(106, UNPROTECT, NONE, INNER, "another destination than the wire's", d->data[19] ^= 8) \
	X(107, UNPROTECT, NONE, INNER, "IPv6 out of IPv4", \
	  (memset(d->data, 0, 60), d->data[0] = 0x60, d->data[5] = 20))

#define OPTIONS4(X) \
	X(120, PROTECT, HEADER, NONE, "another option than came", d->data[20] ^= 6) \
	X(121, PROTECT, HEADER, NONE, "more options than came", d->data[0] = 0x47) \
	X(122, PROTECT, HEADER, NONE, "options as long as can be", d->data[0] = 0x4f) \
	X(123, PROTECT, HEADER, NONE, "ESP where the options were", d->data[0] = 0x45)

#define TRANSPORT6(X) \
	X(140, PROTECT, HEADER, NONE, "another source", d->data[23] ^= 1) \
	X(141, PROTECT, HEADER, NONE, "another destination", d->data[39] ^= 1) \
	X(142, PROTECT, HEADER, NONE, "a destination header where there was none", d->data[6] = 60) \
	X(143, UNPROTECT, NONE, INNER, "another source than the wire's", d->data[23] ^= 1) \
	X(144, UNPROTECT, NONE, INNER, "another destination than the wire's", d->data[39] ^= 8) \
	X(145, UNPROTECT, NONE, INNER, "IPv4 out of IPv6", ipv4(d))

/* A destination header of eight bytes, ESP at 48 */
#define OPTIONS6(X) \
	X(160, PROTECT, HEADER, NONE, "another option than came", d->data[42] = 5) \
	X(161, PROTECT, HEADER, NONE, "a longer header than came", d->data[41] = 1) \
	X(162, PROTECT, HEADER, NONE, "a header beyond the packet", d->data[41] = 255) \
	X(163, PROTECT, HEADER, NONE, "another kind of header than came", d->data[6] = 43) \
	X(164, PROTECT, HEADER, NONE, "clear text behind the header", d->data[40] = 17) \
	X(165, PROTECT, HEADER, NONE, "a fragment header behind it", d->data[40] = 44) \
	X(166, PROTECT, HEADER, NONE, "itself behind it", d->data[40] = 60) \
	X(167, PROTECT, HEADER, NONE, "another SPI", d->data[51] ^= 1) \
	X(168, PROTECT, NUMBER, NONE, "another number", d->data[55] ^= 1)

/* UDP at 20, ESP at 28 */
#define ENCAP4(X) \
	X(180, PROTECT, HEADER, NONE, "another source port", d->data[21] ^= 1) \
	X(181, PROTECT, HEADER, NONE, "another destination port", d->data[23] ^= 1) \
	X(182, PROTECT, HEADER, NONE, "no ports", memset(d->data + 20, 0, 4)) \
	X(183, PROTECT, HEADER, NONE, "UDP's length lies", d->data[25]++) \
	X(184, PROTECT, HEADER, NONE, "UDP of no length", (d->data[24] = 0, d->data[25] = 0)) \
	X(185, PROTECT, HEADER, NONE, "UDP's header alone is its length", (d->data[24] = 0, d->data[25] = 8)) \
	X(186, PROTECT, HEADER, NONE, "a checksum", d->data[27] = 1) \
	X(187, PROTECT, HEADER, NONE, "ESP without UDP", d->data[9] = 50) \
	X(188, PROTECT, HEADER, NONE, "ESP without UDP, where it would be", \
	  (d->data[9] = 50, memmove(d->data + 20, d->data + 28, d->length - 28), d->data[3] -= 8, \
	   lie_size(d, d->length - 8))) \
	X(189, PROTECT, HEADER, NONE, "another SPI", d->data[31] ^= 1) \
	X(190, PROTECT, HEADER, NONE, "a message of IKE", memset(d->data + 28, 0, 4)) \
	X(191, PROTECT, NUMBER, NONE, "another number", d->data[35] ^= 1) \
	X(192, PROTECT, NUMBER, NONE, "the number's upper half", d->data[32] ^= 1) \
	X(193, PROTECT, HEADER, NONE, "nothing in UDP", \
	  (d->data[2] = 0, d->data[3] = 28, d->data[24] = 0, d->data[25] = 8, lie_size(d, 28))) \
	X(194, PROTECT, HEADER, NONE, "half of UDP's header", (d->data[2] = 0, d->data[3] = 24, lie_size(d, 24))) \
	X(195, PROTECT, HEADER, NONE, "a byte to keep NAT alive", \
	  (d->data[2] = 0, d->data[3] = 29, d->data[24] = 0, d->data[25] = 9, d->data[28] = 0xff, lie_size(d, 29))) \
	X(196, PROTECT, HEADER, NONE, "another destination", d->data[19] ^= 1) \
	X(197, PROTECT, HEADER, NONE, "the packet in clear", \
	  (memcpy(d->data, t->data, t->length), lie_size(d, t->length))) \
	X(198, PROTECT, LENGTH, NONE, "a packet longer than the bound", lie_size(d, t->length + 200)) \
	X(199, UNPROTECT, NONE, INNER, "a source outside the rules", d->data[13] = 250) \
	X(200, UNPROTECT, NONE, INNER, "a source of this host", memcpy(d->data + 12, "\12\11\0\1", 4)) \
	X(201, UNPROTECT, LENGTH, NONE, "longer than what came", lie_size(d, 400))

/* UDP at 40, ESP at 48 */
#define ENCAP6(X) \
	X(220, PROTECT, HEADER, NONE, "another source port", d->data[41] ^= 1) \
	X(221, PROTECT, HEADER, NONE, "another destination port", d->data[43] ^= 1) \
	X(222, PROTECT, HEADER, NONE, "UDP's length lies", d->data[45]++) \
	X(223, PROTECT, HEADER, NONE, "a checksum of its own", d->data[47] = 1) \
	X(224, PROTECT, HEADER, NONE, "ESP without UDP", d->data[6] = 50) \
	X(225, PROTECT, HEADER, NONE, "another SPI", d->data[51] ^= 1) \
	X(226, PROTECT, NUMBER, NONE, "another number", d->data[55] ^= 1) \
	X(227, PROTECT, HEADER, NONE, "nothing in UDP", \
	  (d->data[4] = 0, d->data[5] = 8, d->data[44] = 0, d->data[45] = 8, lie_size(d, 48))) \
	X(228, PROTECT, HEADER, NONE, "half of UDP's header", (d->data[4] = 0, d->data[5] = 4, lie_size(d, 44))) \
	X(229, UNPROTECT, NONE, INNER, "a source outside the rules", d->data[11] = 99)

/* AH at 20, its SPI at 24 */
#define AH4(X) \
	X(240, PROTECT, HEADER, NONE, "another source", d->data[15] ^= 1) \
	X(241, PROTECT, HEADER, NONE, "another destination", d->data[19] ^= 1) \
	X(242, PROTECT, HEADER, NONE, "ESP instead of AH", d->data[9] = 50) \
	X(243, PROTECT, HEADER, NONE, "the packet in clear", \
	  (memcpy(d->data, t->data, t->length), lie_size(d, t->length))) \
	X(244, PROTECT, HEADER, NONE, "another SPI", d->data[27] ^= 1) \
	X(245, PROTECT, HEADER, NONE, "SPI and number where ESP has them", memmove(d->data + 20, d->data + 24, 8)) \
	X(246, PROTECT, NUMBER, NONE, "another number", d->data[31] ^= 1) \
	X(247, PROTECT, NUMBER, NONE, "the number's upper half", d->data[28] ^= 1) \
	X(248, PROTECT, HEADER, NONE, "AH cut behind its SPI", (d->data[2] = 0, d->data[3] = 28, lie_size(d, 28))) \
	X(249, PROTECT, HEADER, NONE, "IP options", d->data[0] = 0x46) \
	X(250, PROTECT, HEADER, NONE, "a fragment", d->data[6] = 0x20) \
	X(251, PROTECT, HEADER, NONE, "a length that lies", d->data[3]++) \
	X(252, PROTECT, LENGTH, NONE, "a packet longer than the bound", lie_size(d, t->length + 200)) \
	X(253, PROTECT, LENGTH, NONE, "two segments with one number", \
	  (d->answer.segments = 2, d->answer.segment_len /= 2)) \
	X(254, UNPROTECT, NONE, INNER, "a source outside the rules", d->data[13] = 250) \
	X(255, UNPROTECT, NONE, INNER, "a source of this host", memcpy(d->data + 12, "\12\11\0\1", 4)) \
	X(256, UNPROTECT, LENGTH, NONE, "longer than what came", lie_size(d, 400))

/* AH at 40, its SPI at 44 */
#define AH6(X) \
	X(270, PROTECT, HEADER, NONE, "another destination", d->data[39] ^= 1) \
	X(271, PROTECT, HEADER, NONE, "ESP instead of AH", d->data[6] = 50) \
	X(272, PROTECT, HEADER, NONE, "another SPI", d->data[47] ^= 1) \
	X(273, PROTECT, HEADER, NONE, "SPI and number where ESP has them", memmove(d->data + 40, d->data + 44, 8)) \
	X(274, PROTECT, NUMBER, NONE, "another number", d->data[51] ^= 1) \
	X(275, PROTECT, HEADER, NONE, "AH cut behind its SPI", (d->data[4] = 0, d->data[5] = 8, lie_size(d, 48))) \
	X(276, UNPROTECT, NONE, INNER, "a source outside the rules", d->data[11] = 99)

static void source(struct draft *d, unsigned int first, unsigned int second, unsigned int last)
{
	memset(d->data + 8, 0, 16);
	d->data[8] = (unsigned char)first;
	d->data[9] = (unsigned char)second;
	d->data[23] = (unsigned char)last;
}

static void own_source(struct draft *d)
{
	source(d, 0xfd, 0, 1);
	d->data[11] = 9;
}

static void ipv4(struct draft *d)
{
	memcpy(d->data, (const unsigned char [20]){ 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0,
	       10, (unsigned char)rogue.net, 0, 9, 10, 9, 0, 1 }, 20);
}

TUNNEL6(LIE_SPOIL)
TRANSPORT4(LIE_SPOIL)
OPTIONS4(LIE_SPOIL)
TRANSPORT6(LIE_SPOIL)
OPTIONS6(LIE_SPOIL)
ENCAP4(LIE_SPOIL)
ENCAP6(LIE_SPOIL)
AH4(LIE_SPOIL)
AH6(LIE_SPOIL)

static const struct lie tunnel6[] = { TUNNEL6(LIE_ENTRY) };
static const struct lie transport4[] = { TRANSPORT4(LIE_ENTRY) };
static const struct lie options4[] = { OPTIONS4(LIE_ENTRY) };
static const struct lie transport6[] = { TRANSPORT6(LIE_ENTRY) };
static const struct lie options6[] = { OPTIONS6(LIE_ENTRY) };
static const struct lie encap4[] = { ENCAP4(LIE_ENTRY) };
static const struct lie encap6[] = { ENCAP6(LIE_ENTRY) };
static const struct lie ah4[] = { AH4(LIE_ENTRY) };
static const struct lie ah6[] = { AH6(LIE_ENTRY) };

#define SET(lies) lies, sizeof(lies) / sizeof((lies)[0])
static const struct set {
	const char *what;
	struct realm_kind kind;
	const struct lie *lies;
	size_t count;
} sets[] = {
	{ "IPv6 in a tunnel", { .family = 6, .mode = IPSP_SA_TUNNEL, .options = 0 }, SET(tunnel6) },
	{ "IPv4 in transport mode", { .family = 4, .mode = IPSP_SA_TRANSPORT, .options = 0 }, SET(transport4) },
	{ "IPv4 with options in transport mode", { .family = 4, .mode = IPSP_SA_TRANSPORT, .options = 1 }, SET(options4) },
	{ "IPv6 in transport mode", { .family = 6, .mode = IPSP_SA_TRANSPORT, .options = 0 }, SET(transport6) },
	{ "IPv6 with options in transport mode", { .family = 6, .mode = IPSP_SA_TRANSPORT, .options = 1 }, SET(options6) },
	{ "IPv4 in UDP", { .family = 4, .mode = IPSP_SA_TUNNEL, .encap = 4500 }, SET(encap4) },
	{ "IPv6 in UDP", { .family = 6, .mode = IPSP_SA_TUNNEL, .encap = 4500 }, SET(encap6) },
	{ "IPv4 with AH", { .family = 4, .mode = IPSP_SA_TUNNEL, .protocol = IPSP_AH }, SET(ah4) },
	{ "IPv6 with AH", { .family = 6, .mode = IPSP_SA_TUNNEL, .protocol = IPSP_AH }, SET(ah6) },
};

/* In transport mode there is one host at the other end. */
static unsigned int host_of(const struct set *set, const struct lie *l)
{
	return set->kind.mode == IPSP_SA_TRANSPORT ? 2 : l->host;
}

/* The set's control: without a lie the same packets go both ways. */
static void test_honest(const struct set *set)
{
	const struct lie first = set->lies[0];
	struct ipsp_stats s;
	unsigned int i;

	lie_realms_begin(5000);
	realm_start(&rogue, stack_honest, NULL);
	for (i = 1; i <= 10; i++) {
		wire_realm_datagram(&rogue, 0, host_of(set, &first));
		wire_esp(&rogue, i);
	}
	for (i = 0; i < 500; i++) {
		s = realm_stats(&rogue);
		if (s.counter[IPSP_COUNT_RELEASED] == 20)
			break;
		usleep(10000);
	}
	TAP_EQUAL(s.counter[IPSP_COUNT_RELEASED], 20, "%s: an honest stack's packets go both ways", set->what);
	TAP_EQUAL(lie_only_esp(), 10, "as ESP");
	TAP_EQUAL(realm_balance(&rogue), 0, "its ledger balances");
	lie_realms_end();
}

static void test_set(const struct set *set)
{
	struct lie l;
	size_t i;

	rogue_kind = set->kind;
	test_honest(set);
	for (i = 0; i < set->count; i++) {
		l = set->lies[i];
		l.host = host_of(set, &l);
		tap(lie_is_refused(&l), "%s: %s", set->what, l.what);
	}
}

/* An IPv4 datagram of 28 bytes, out of an SA that takes 40 bytes of header for IPv6's own */
static void shorten(struct draft *d, const struct ticket *t)
{
	(void)t;
	d->data[3] = 28;
	d->data[25] = 8;
	lie_size(d, 28);
}

/* A stack may say what it likes of the inner packet: the SA's bytes do not go below what they were. */
static void test_beet_bytes(void)
{
	const struct lie lie = { .what = "short", .spoil = shorten, .type = IPSP_REC_UNPROTECT };
	struct ipsp_handle h;
	unsigned int i;

	rogue_kind = (struct realm_kind){ .family = 4, .mode = IPSP_SA_BEET, .options = 0 };
	lie_realms_begin(5000);
	realm_start(&rogue, lie_once, &lie);
	wire_esp(&rogue, 1);
	for (i = 0; i < 500; i++) {
		h = (struct ipsp_handle){ .id = rogue.in.id };
		if (ioctl(rogue.port, IPSP_IOC_HANDLE_GET, &h) || h.packets)
			break;
		usleep(10000);
	}
	TAP_EQUAL(h.packets, 1, "BEET of IPv6: an inner packet that is shorter than its header is counted");
	TAP_EQUAL(h.bytes, 0, "as no bytes");
	TAP_EQUAL(realm_balance(&rogue), 0, "its ledger balances");
	lie_realms_end();
}

int main(void)
{
	const struct realm *const one[] = { &neighbour };
	unsigned int i;

	world_begin();
	world_ipv6();
	realm_begin(&neighbour, 40, 5000);
	realm_rules(one, 1);
	realm_start(&neighbour, stack_honest, NULL);
	for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		test_set(&sets[i]);
	test_beet_bytes();
	realm_stop(&neighbour);
	realm_rules(NULL, 0);
	realm_end(&neighbour);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
