// SPDX-License-Identifier: GPL-2.0-only
/*
 * rogue.c - a stack that lies: each lie is refused under its own name, and harms nobody else
 *
 * A lie is an honest answer with one thing spoiled. What breaks the protocol ends the attachment and the process; what
 * a peer could have caused costs one packet. Beside it an honest neighbour goes on, nothing leaves in clear, the
 * ledger balances, and the same stack without the lie gets its packets through.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"
#include "world/lie.h"

/* ---- lies ------------------------------------------------------------------------------------------ */

/* A NOTE where the answer should be, of which one byte is not as it has to be */
static void note(struct draft *d, size_t at)
{
	const struct ipsp_note good = { .reason = IPSP_DROP_INTEGRITY, .count = 1 };

	d->rec.type = IPSP_REC_NOTE;
	d->rec.control_len = sizeof(good);
	memcpy(&d->answer, &good, sizeof(good));
	((unsigned char *)&d->answer)[at] = 1;
}

/* number, ticket answered, cause, drop, what, statement on the draft d of ticket t */
#define LIES(X) \
	/* records */ \
	X(1, CLASSIFY, RECORD, NONE, "a record longer than what was submitted", d->rec.len = 4096) \
	X(2, CLASSIFY, RECORD, NONE, "a record without length", d->rec.len = 0) \
	X(3, CLASSIFY, RECORD, NONE, "a record of an odd length", d->rec.len--) \
	X(4, CLASSIFY, RECORD, NONE, "a record longer than the ring", d->rec.len = 1u << 31) \
	X(5, CLASSIFY, RECORD, NONE, "a record shorter than its header", d->rec.len = 32) \
	X(6, CLASSIFY, RECORD, NONE, "a control part beyond the record", d->rec.control_len = 1u << 20) \
	X(7, CLASSIFY, RECORD, NONE, "a control part too short", d->rec.control_len -= 4) \
	X(8, PROTECT, RECORD, NONE, "data beyond the record", d->rec.data_len = 4096) \
	X(9, PROTECT, RECORD, NONE, "data of nearly 4 GiB", d->rec.data_len = ~0u - 60) \
	X(10, PROTECT, RECORD, NONE, "data inside the control part", d->rec.data_offset = 64) \
	X(11, PROTECT, RECORD, NONE, "data at an odd place", d->rec.data_offset++) \
	X(12, CLASSIFY, RECORD, NONE, "an unknown type", d->rec.type = 999) \
	X(13, CLASSIFY, RECORD, NONE, "the manager's type", d->rec.type = IPSP_REC_EVENT) \
	X(14, CLASSIFY, RECORD, NONE, "an unknown flag", d->rec.flags = 0x80) \
	X(15, CLASSIFY, RECORD, NONE, "a band", d->rec.band = 1) \
	X(16, CLASSIFY, RECORD, NONE, "a reserved byte", d->rec.reserved8[1] = 1) \
	X(17, CLASSIFY, RECORD, NONE, "a reserved word", d->rec.reserved[6] = 1) \
	X(18, CLASSIFY, RECORD, NONE, "a reserved word of the answer", d->answer.reserved[2] = 1) \
	X(19, CLASSIFY, RECORD, NONE, "an ACQUIRE of an answer's length", d->rec.type = IPSP_REC_ACQUIRE) \
	X(20, CLASSIFY, INDEX, NONE, "an index beyond the ring", d->publish = IPSP_RING_MIN * 4) \
	X(21, CLASSIFY, INDEX, NONE, "an index that goes back", d->publish = 0u - 64) \
	X(22, CLASSIFY, INDEX, NONE, "half a record", d->publish -= 8) \
	X(23, CLASSIFY, RECORD, NO_STACK, "more submitted than written", d->publish += 64) \
	X(24, CLASSIFY, RECORD, NONE, "a note's reserved half word", note(d, offsetof(struct ipsp_note, reserved16))) \
	X(25, CLASSIFY, RECORD, NONE, "a note's reserved word", note(d, offsetof(struct ipsp_note, reserved) + 15)) \
	X(26, CLASSIFY, RECORD, NONE, "a note for no reason", note(d, offsetof(struct ipsp_note, reason) + 1)) \
	/* tickets */ \
	X(30, CLASSIFY, TICKET, NONE, "a ticket never dealt", d->rec.ticket += 2000) \
	X(31, CLASSIFY, TICKET, NONE, "a ticket of the other direction", d->rec.ticket ^= 1) \
	X(32, CLASSIFY, TICKET, NONE, "a ticket that wraps", d->rec.ticket = ~0ull - 1) \
	X(33, CLASSIFY, TICKET, NO_STACK, "a ticket answered twice", d->times = 2) \
	/* verdicts */ \
	X(40, CLASSIFY, VERDICT, NONE, "no verdict", d->answer.verdict = 0) \
	X(41, CLASSIFY, VERDICT, NONE, "an unknown verdict", d->answer.verdict = 200) \
	X(42, CLASSIFY, VERDICT, NONE, "TRANSFORMED for a question", \
	  d->answer.verdict = IPSP_VERDICT_TRANSFORMED) \
	X(43, CLASSIFY, VERDICT, NONE, "TOOBIG for a question", d->answer.verdict = IPSP_VERDICT_TOOBIG) \
	X(44, PROTECT, VERDICT, NONE, "CLASSIFY for a packet", (d->answer.verdict = IPSP_VERDICT_CLASSIFY, lie_bare(d))) \
	X(45, PROTECT, VERDICT, NONE, "BYPASS for a packet", (d->answer.verdict = IPSP_VERDICT_BYPASS, lie_bare(d))) \
	X(46, UNPROTECT, VERDICT, NONE, "BYPASS for ESP", (d->answer.verdict = IPSP_VERDICT_BYPASS, lie_bare(d))) \
	X(47, CLASSIFY, VERDICT, NONE, "HOLD for no id", d->answer.verdict = IPSP_VERDICT_HOLD) \
	X(48, UNPROTECT, NOT_SERVED, NONE, "MERGED without its head", \
	  (d->answer.verdict = IPSP_VERDICT_MERGED, lie_bare(d))) \
	X(49, CLASSIFY, VERDICT, NONE, "DROP for a reason of the kernel's", \
	  (d->answer.verdict = IPSP_VERDICT_DROP, d->answer.reason = IPSP_DROP_REPLAY)) \
	X(50, CLASSIFY, VERDICT, NONE, "DROP for no reason", d->answer.verdict = IPSP_VERDICT_DROP) \
	X(51, CLASSIFY, VERDICT, NONE, "DROP for an unknown reason", \
	  (d->answer.verdict = IPSP_VERDICT_DROP, d->answer.reason = 5000)) \
	X(52, PROTECT, RECORD, NONE, "DROP with a packet", \
	  (d->answer.verdict = IPSP_VERDICT_DROP, d->answer.reason = IPSP_DROP_POLICY)) \
	/* handles */ \
	X(60, CLASSIFY, HANDLE, NONE, "a question without handle", d->answer.handles = 0) \
	X(61, CLASSIFY, HANDLE, NONE, "two handles, one of them none", d->answer.handles = 2) \
	X(62, CLASSIFY, NONE, STALE, "an unknown handle", d->answer.handle[0] = 4000000000u) \
	X(63, CLASSIFY, NONE, STALE, "an inbound handle", d->answer.handle[0] = rogue.in.id) \
	X(64, CLASSIFY, NONE, BYPASS_REFUSED, "BYPASS under a rule that protects", \
	  d->answer.verdict = IPSP_VERDICT_BYPASS) \
	X(65, CLASSIFY, HANDLE, NONE, "five handles", d->answer.handles = IPSP_STAMPS + 1) \
	X(66, CLASSIFY, HANDLE, NONE, "4 Gi handles", d->answer.handles = ~0u) \
	X(67, CLASSIFY, NONE, STALE, "an unknown handle outside of ours", \
	  (d->answer.handles = 2, d->answer.handle[1] = 4000000000u)) \
	X(68, CLASSIFY, NONE, STALE, "an inbound handle outside of ours", \
	  (d->answer.handles = 2, d->answer.handle[1] = rogue.in.id)) \
	/* outbound packets */ \
	X(70, PROTECT, HEADER, NONE, "the packet in clear", \
	  (memcpy(d->data, t->data, t->length), lie_size(d, t->length))) \
	X(71, PROTECT, HEADER, NONE, "another source", d->data[15] ^= 1) \
	X(72, PROTECT, HEADER, NONE, "another destination", d->data[19] ^= 1) \
	X(73, PROTECT, HEADER, NONE, "another protocol", d->data[9] = 17) \
	X(74, PROTECT, HEADER, NONE, "another SPI", d->data[23] ^= 1) \
	X(75, PROTECT, NUMBER, NONE, "another number", d->data[27] ^= 1) \
	X(76, PROTECT, NUMBER, NONE, "the number's upper half", d->data[24] ^= 1) \
	X(77, PROTECT, HEADER, NONE, "another IP version", d->data[0] = 0x65) \
	X(78, PROTECT, HEADER, NONE, "a header shorter than IP's", d->data[0] = 0x44) \
	X(79, PROTECT, HEADER, NONE, "IP options", d->data[0] = 0x46) \
	X(80, PROTECT, HEADER, NONE, "a header longer than the packet", \
	  (d->data[0] = 0x4f, d->data[3] = 40, lie_size(d, 40))) \
	X(81, PROTECT, HEADER, NONE, "a length that lies", d->data[3]++) \
	X(82, PROTECT, HEADER, NONE, "a fragment", d->data[6] = 0x20) \
	X(83, PROTECT, HEADER, NONE, "a later fragment", d->data[7] = 8) \
	X(84, PROTECT, HEADER, NONE, "no time to live", d->data[8] = 0) \
	X(85, PROTECT, HEADER, NONE, "a byte", lie_size(d, 1)) \
	X(86, PROTECT, HEADER, NONE, "an IP header and nothing else", (d->data[3] = 20, lie_size(d, 20))) \
	X(87, PROTECT, LENGTH, NONE, "nothing", lie_size(d, 0)) \
	X(88, PROTECT, LENGTH, NONE, "a packet longer than the bound", lie_size(d, t->length + 200)) \
	X(89, PROTECT, LENGTH, NONE, "no segment", d->answer.segments = 0) \
	X(90, PROTECT, LENGTH, NONE, "two segments with one number", \
	  (d->answer.segments = 2, d->answer.segment_len /= 2)) \
	X(91, PROTECT, LENGTH, NONE, "65,535 segments", d->answer.segments = 65535) \
	X(92, PROTECT, LENGTH, NONE, "4 Gi segments", d->answer.segments = ~0u) \
	X(93, PROTECT, LENGTH, NONE, "segments of no length", d->answer.segment_len = 0) \
	X(94, PROTECT, LENGTH, NONE, "segments of 4 GiB", d->answer.segment_len = ~0u) \
	X(95, PROTECT, MTU, NONE, "TOOBIG below the floor", lie_toobig(d, IPSP_MTU_FLOOR4 - 1)) \
	X(96, PROTECT, MTU, NONE, "TOOBIG above what was told", lie_toobig(d, t->packet.mtu + 1)) \
	/* inbound packets */ \
	X(100, UNPROTECT, NONE, INNER, "a source outside the rules", d->data[13] = 250) \
	X(101, UNPROTECT, NONE, INNER, "a source of this host", memcpy(d->data + 12, "\12\11\0\1", 4)) \
	X(102, UNPROTECT, NONE, INNER, "the loopback's source", memcpy(d->data + 12, "\177\0\0\1", 4)) \
	X(103, UNPROTECT, NONE, INNER, "a group's source", memcpy(d->data + 12, "\340\0\0\1", 4)) \
	X(104, UNPROTECT, NONE, INNER, "everybody's source", memcpy(d->data + 12, "\377\377\377\377", 4)) \
	X(105, UNPROTECT, NONE, INNER, "to the loopback", memcpy(d->data + 16, "\177\0\0\1", 4)) \
	X(106, UNPROTECT, LENGTH, NONE, "no IP", d->data[0] = 0) \
	X(107, UNPROTECT, LENGTH, NONE, "a header longer than the packet", \
	  (d->data[0] = 0x4f, d->data[3] = 40, lie_size(d, 40))) \
	X(108, UNPROTECT, LENGTH, NONE, "a length that lies", d->data[3]--) \
	X(109, UNPROTECT, LENGTH, NONE, "IPv6 too short for it", (d->data[0] = 0x60, lie_size(d, 30))) \
	X(110, UNPROTECT, LENGTH, NONE, "longer than what came", lie_size(d, 400)) \
	X(111, UNPROTECT, LENGTH, NONE, "nothing", lie_size(d, 0)) \
	X(112, UNPROTECT, LENGTH, NONE, "no segment", d->answer.segments = 0) \
	X(113, UNPROTECT, TICKET, NONE, "merged with what never came", d->answer.segments = 2) \
	X(114, UNPROTECT, RECORD, NONE, "more merged than may be", \
	  d->answer.segments = IPSP_MERGE_MAX + 1) \
	X(115, UNPROTECT, NOT_SERVED, NONE, "a super-packet of one", \
	  (d->answer.offload.gso_type = IPSP_GSO_TCPV4, d->answer.offload.gso_size = 20)) \
	X(116, UNPROTECT, NOT_SERVED, NONE, "an unknown offload flag", d->answer.offload.flags = 0x80) \
	X(117, UNPROTECT, RECORD, NONE, "the offload's reserved half word", d->answer.offload.reserved = 1)

LIES(LIE_SPOIL)

static const struct lie lies[] = { LIES(LIE_ENTRY) };

/* ---- without a lie --------------------------------------------------------------------------------- */

static void test_honest(void)
{
	struct ipsp_stats s;
	unsigned int i;

	lie_realms_begin(5000);
	realm_start(&rogue, stack_honest, NULL);
	for (i = 1; i <= 20; i++) {
		wire_datagram(rogue.net, i);
		wire_esp(&rogue, i);
	}
	for (i = 0; i < 500; i++) {
		s = realm_stats(&rogue);
		if (s.counter[IPSP_COUNT_RELEASED] == 40)
			break;
		usleep(10000);
	}
	TAP_EQUAL(s.counter[IPSP_COUNT_RELEASED], 40, "an honest stack's packets go both ways");
	TAP_EQUAL(lie_only_esp(), 20, "as ESP");
	TAP_EQUAL(realm_balance(&rogue), 0, "its ledger balances");
	wire_esp(&rogue, 7);
	for (i = 0; i < 500 && !realm_stats(&rogue).drop[IPSP_DROP_REPLAY]; i++)
		usleep(10000);
	TAP_EQUAL(realm_stats(&rogue).drop[IPSP_DROP_REPLAY], 1, "a replay is refused before it");
	lie_realms_end();
}

/* ---- BYPASS where it may be and where it may not ------------------------------------------------------- */

static void bypass(struct draft *d, const struct ticket *t)
{
	(void)t;
	d->answer.verdict = IPSP_VERDICT_BYPASS;
}

static void test_bypass(void)
{
	static const struct lie inside = { .what = "BYPASS of what a policy protects", .spoil = bypass,
		.type = IPSP_REC_CLASSIFY, .net = 1, .host = 0x107, .drop = IPSP_DROP_BYPASS_REFUSED,
		.drops = 2 };
	static const struct lie outside = { .what = "BYPASS elsewhere", .spoil = bypass,
		.type = IPSP_REC_CLASSIFY, .net = 1, .host = 0x207 };
	unsigned char packet[WORLD_PACKET_MAX];

	tap(lie_is_refused(&inside), "%s", inside.what);
	lie_realms_begin(5000);
	realm_start(&rogue, lie_once, &outside);
	lie_trigger(&outside);
	tap(wire_next(packet, 5000) && packet[9] == 17 && packet[17] == rogue.net + 1,
	    "%s is believed: the wire sees clear packets when there are any", outside.what);
	lie_realms_end();
}

/* ---- what a broken stack leaves behind ------------------------------------------------------------------ */

static void hole(struct draft *d, const struct ticket *t)
{
	(void)t;
	d->answer.handles = 3;
	d->answer.handle[1] = rogue.out.id;
	d->answer.handle[2] = 0;
}

/* Its question is dealt again, and nothing that it said of it is in the answer: the packet is sealed once. */
static void test_left_behind(void)
{
	static const struct lie l = { .what = "three handles with none among them", .spoil = hole,
		.type = IPSP_REC_CLASSIFY, .host = 9, .cause = IPSP_BROKEN_HANDLE };
	unsigned char packet[WORLD_PACKET_MAX] = { 0 };
	int leaves;

	lie_realms_begin(5000);
	realm_start(&rogue, lie_once, &l);
	lie_trigger(&l);
	tap(lie_broken_as(&l), "%s", l.what);
	realm_start(&rogue, stack_honest, NULL);
	leaves = wire_next(packet, 5000) && wire_is_esp(&rogue, packet);
	tap(leaves && packet[27] == 1, "%s: it leaves as the next stack says, by number %u", l.what, packet[27]);
	tap(!wire_next(packet, 100), "%s: and nothing else leaves", l.what);
	lie_realms_end();
}

/* ---- merging ------------------------------------------------------------------------------------------ */

/* Two packets come in, of these numbers; the second's answer claims to hold both. */
struct merge {
	const char *what;
	unsigned int number[2];
	int answer_first;		/* honestly, alone */
	int is_tcp;			/* it looks like what merging makes */
	unsigned int cause;		/* IPSP_BROKEN_*; 0: believed */
	__u16 csum_start, csum_offset;	/* 20, 16: TCP's */
	unsigned char protocol;
};

static const struct merge merges[] = {
	{ "two merged", { 1, 2 }, 0, 1, 0, 20, 16, 6 },
	{ "merged with one answered before", { 1, 2 }, 1, 1, IPSP_BROKEN_TICKET, 20, 16, 6 },
	{ "merged with one that it overtook", { 9, 4 }, 0, 1, 0, 20, 16, 6 },
	{ "merged with another of its number", { 9, 9 }, 0, 1, IPSP_BROKEN_TICKET, 20, 16, 6 },
	{ "merged, and no TCP", { 1, 2 }, 0, 0, IPSP_BROKEN_NOT_SERVED, 20, 16, 6 },
	{ "merged, its checksum in the IP header", { 1, 2 }, 0, 1, IPSP_BROKEN_LENGTH, 4, 16, 6 },
	{ "merged, its checksum behind TCP's header", { 1, 2 }, 0, 1, IPSP_BROKEN_LENGTH, 60, 16, 6 },
	{ "merged, its checksum elsewhere in it", { 1, 2 }, 0, 1, IPSP_BROKEN_LENGTH, 20, 4, 6 },
	{ "merged UDP", { 1, 2 }, 0, 1, IPSP_BROKEN_LENGTH, 20, 16, 17 },
};

/* A TCP segment of 10.N.0.9 to 10.9.0.1 of 440 bytes, as two of 200 */
static void merge_tcp(struct draft *d, const struct merge *m)
{
	memset(d->data, 0, 440);
	memcpy(d->data, (unsigned char [34]){ 0x45, 0, 440 >> 8, 440 & 255, 0, 0, 0, 0, 64, 6, 0, 0,
	       10, (unsigned char)rogue.net, 0, 9, 10, 9, 0, 1, 0, 9, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0,
	       0x50, 0x10 }, 34);
	lie_size(d, 440);
	d->answer.offload = (struct ipsp_offload){
		.flags = IPSP_OFFLOAD_NEEDS_CSUM, .gso_type = IPSP_GSO_TCPV4, .gso_size = 200,
		.header_len = 40, .csum_start = m->csum_start, .csum_offset = m->csum_offset,
	};
	d->data[9] = m->protocol;
}

static void merge_two(struct stack *s, const void *how)
{
	const struct merge *m = how;
	struct ticket first, second;
	struct draft d;

	stack_next(s, &first);
	stack_next(s, &second);
	stack_answer(s, &first, &d);
	if (m->answer_first)
		stack_put(s, &d);
	stack_answer(s, &second, &d);
	if (m->is_tcp)
		merge_tcp(&d, m);
	d.answer.segments = 2;
	stack_say(s, -stack_put(s, &d));
	pause();
}

static void test_merge(const struct merge *m)
{
	const struct lie as = { .what = m->what, .cause = m->cause };
	struct ipsp_stats s;
	int broken;

	lie_realms_begin(5000);
	realm_start(&rogue, merge_two, m);
	wire_esp(&rogue, m->number[0]);
	wire_esp(&rogue, m->number[1]);
	realm_said(&rogue, 10000);
	broken = lie_broken_as(&as);
	s = realm_stats(&rogue);
	if (!tap(broken && s.counter[IPSP_COUNT_MERGED] == !m->cause && !lie_only_esp() &&
		 !realm_balance(&rogue) && lie_neighbour_lives(200), "%s", m->what))
		printf("# broken as wanted %d, merged %llu, balance %lld\n", broken,
		       s.counter[IPSP_COUNT_MERGED], realm_balance(&rogue));
	lie_realms_end();
}

/* ---- the process ------------------------------------------------------------------------------------- */

static void stop_at_first(struct stack *s, const void *unused)
{
	struct ticket t;

	(void)unused;
	stack_next(s, &t);
	stack_say(s, 0);
	raise(SIGSTOP);
	pause();
}

static void test_silence(void)
{
	struct ipsp_event e;

	lie_realms_begin(300);
	realm_start(&rogue, stop_at_first, NULL);
	wire_datagram(rogue.net, 9);
	TAP_EQUAL(realm_said(&rogue, 10000), 0, "it stops itself in front of a ticket");
	e = realm_event(&rogue, 10000);
	tap(e.event == IPSP_EVENT_STACK_HUNG && e.cause == IPSP_BROKEN_DEADLINE,
	    "after its deadline it is ended");
	tap(lie_neighbour_lives(9), "the neighbour did not wait for it");
	TAP_EQUAL(realm_balance(&rogue), 0, "the ledger balances");
	lie_realms_end();
}

static void become_another(struct stack *s, const void *unused)
{
	struct ticket t;

	(void)unused;
	stack_next(s, &t);
	execl("/bin/sleep", "sleep", "60", NULL);
	_exit(5);
}

static void test_exec(void)
{
	struct ipsp_event e;

	lie_realms_begin(60000);
	realm_start(&rogue, become_another, NULL);
	wire_datagram(rogue.net, 9);
	e = realm_event(&rogue, 10000);
	TAP_EQUAL(e.event, IPSP_EVENT_STACK_DIED, "one that becomes another program has died");
	lie_realms_end();
}

/* A second mm with the same descriptor: it can do nothing, and its end is not the stack's. */
static void lend_port(struct stack *s, const void *unused)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(ioctl(s->fd, IPSP_IOC_KICK, 0) ? errno : 0);
	waitpid(child, &status, 0);
	stack_say(s, WIFEXITED(status) ? WEXITSTATUS(status) : 1000);
	stack_honest(s, unused);
}

static void test_fork(void)
{
	unsigned char packet[WORLD_PACKET_MAX];

	lie_realms_begin(5000);
	realm_start(&rogue, lend_port, NULL);
	TAP_EQUAL(realm_said(&rogue, 10000), EIO, "another mm may not call with a stack's descriptor");
	wire_datagram(rogue.net, 9);
	tap(wire_next(packet, 5000) && wire_is_esp(&rogue, packet), "and the stack goes on");
	lie_realms_end();
}

int main(void)
{
	const struct realm *const one[] = { &neighbour };
	unsigned int i;

	world_begin();
	realm_begin(&neighbour, 40, 5000);
	realm_rules(one, 1);
	realm_start(&neighbour, stack_honest, NULL);
	test_honest();
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
		tap(lie_is_refused(&lies[i]), "%s", lies[i].what);
	for (i = 0; i < sizeof(merges) / sizeof(merges[0]); i++)
		test_merge(&merges[i]);
	test_bypass();
	test_left_behind();
	test_silence();
	test_exec();
	test_fork();
	realm_stop(&neighbour);
	realm_rules(NULL, 0);
	realm_end(&neighbour);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
