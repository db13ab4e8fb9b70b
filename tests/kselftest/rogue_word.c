// SPDX-License-Identifier: GPL-2.0-only
/*
 * rogue_word.c - a stack whose memory says one thing and then another, or whose index says what is not; see rogue.c
 *
 * A second thread changes a record while KICK reads it. What is read once is one of the two: taken, and then it leaves
 * exactly as it was stamped, or refused. Both have to be seen, else the thread was never there in time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tap.h"
#include "world/flip.h"
#include "world/lie.h"

/* ---- what the two processes share ------------------------------------------------------------------------- */

static struct shared {
	volatile unsigned int stamped;	/* the number of the packet that is out */
	volatile unsigned int taken;	/* KICKs that were not refused */
	volatile int go;
} *shared;

static void share(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		tap_give_up("shared memory");
}

/* ---- records that change under the reader -------------------------------------------------------------------- */

#define BROKEN(cause)	(1u << IPSP_BROKEN_##cause)

static const struct change {
	const char *what;
	struct flip place[5];
	unsigned int causes;		/* of a refusal */
} changes[] = {
	{ "destination, SPI and number", { { FLIP_DATA(19), 1 }, { FLIP_DATA(23), 1 }, { FLIP_DATA(27), 1 } },
	  BROKEN(HEADER) | BROKEN(NUMBER) },
	{ "the destination", { { FLIP_DATA(19), 1 } }, BROKEN(HEADER) },
	{ "the number", { { FLIP_DATA(27), 4 } }, BROKEN(NUMBER) },
	{ "lengths of record, data, segment and IP", { { FLIP_REC(len), 0x40 }, { FLIP_REC(data_len), 4 }, { FLIP_ANSWER(segment_len), 4 },
							{ FLIP_DATA(3), 4 } },
	  BROKEN(RECORD) | BROKEN(LENGTH) | BROKEN(HEADER) },
	{ "ticket, verdict and segments", { { FLIP_REC(ticket), 2 }, { FLIP_ANSWER(verdict), 8 }, { FLIP_ANSWER(segments), 2 } },
	  BROKEN(TICKET) | BROKEN(VERDICT) | BROKEN(LENGTH) },
};

static void change_while_read(struct stack *s, const void *how)
{
	const struct change *c = how;
	struct ticket t;
	struct draft d;

	while (!stack_next(s, &t)) {
		stack_answer(s, &t, &d);
		if (t.rec.type != IPSP_REC_PROTECT) {
			stack_put(s, &d);
			continue;
		}
		shared->stamped = (unsigned int)t.packet.stamp[0].first;
		if (flip_put(s, &d, c->place))
			break;
		shared->taken++;
	}
	pause();
}

/* Exactly what an honest stack would have made of the one packet that is out */
static int is_as_stamped(const unsigned char *packet)
{
	const __be32 number = htonl(shared->stamped);

	return wire_is_esp(&rogue, packet) && packet[0] == 0x45 && !memcmp(packet + 12, rogue.out.source, 4) &&
	       !memcmp(packet + 16, rogue.out.destination, 4) && !memcmp(packet + 24, &number, 4);
}

struct seen {
	unsigned int taken, refused;
	int wrong;			/* something else left, or it ended otherwise */
};

/* Of one attachment, until it is broken or has had its packets. `out`: one waits for an answer already. */
static void one_attachment(const struct change *c, struct seen *n, int *out)
{
	unsigned char packet[WORLD_PACKET_MAX];
	struct ipsp_event e;
	unsigned int sent, idle;

	for (sent = 0; sent < 20; sent++) {
		if (!*out)
			wire_datagram(rogue.net, 9);
		*out = 1;
		for (idle = 0; idle < 1000; idle++) {
			if (wire_next(packet, 10)) {
				if (!is_as_stamped(packet)) {
					printf("# not as stamped, number %u: %02x %02x%02x%02x%02x\n", shared->stamped,
					       packet[0], packet[24], packet[25], packet[26], packet[27]);
					n->wrong = 1;
				}
				n->taken++;
				*out = 0;
				break;
			}
			e = realm_event(&rogue, 0);
			if (!e.event)
				continue;
			n->refused++;
			n->wrong |= e.event != IPSP_EVENT_STACK_BROKEN || !(c->causes & 1u << e.cause);
			if (n->wrong)
				printf("# event %u cause %u\n", e.event, e.cause);
			return;
		}
		if (*out) {
			printf("# nothing became of packet %u of this stack, %u were taken, %u refused\n", sent, n->taken,
			       n->refused);
			n->wrong = 1;
		}
	}
}

static void test_change(const struct change *c)
{
	struct seen n = { 0, 0, 0 };
	int out = 0, i;

	lie_realms_begin(60000);
	for (i = 0; i < 60 && !n.wrong && (n.taken < 20 || n.refused < 5); i++) {
		realm_start(&rogue, change_while_read, c);
		one_attachment(c, &n, &out);
		realm_stop(&rogue);
		while (realm_event(&rogue, 100).event)
			;
	}
	tap(!n.wrong, "%s change while they are read: what leaves is as stamped", c->what);
	tap(n.taken && n.refused, "%s: both were seen: %u taken, %u refused", c->what, n.taken, n.refused);
	tap(lie_neighbour_lives(100), "%s: the neighbour goes on", c->what);
	TAP_EQUAL(realm_balance(&rogue), 0, "%s: the ledger balances", c->what);
	lie_realms_end();
}

/* ---- a note ---------------------------------------------------------------------------------------------------- */

static const struct change note_length = { "a note's length", { { FLIP_REC(len), 0x40 } }, BROKEN(RECORD) };

/* Of 192 bytes: believed in one of two forms, or, of 128, what is behind it is no record. */
static void notes_while_read(struct stack *s, const void *how)
{
	const struct change *c = how;
	const struct ipsp_note note = { .reason = IPSP_DROP_INTEGRITY, .count = 1 };
	struct draft d = { .rec = { .type = IPSP_REC_NOTE, .control_len = sizeof(note), .len = 192, .data_offset = 128 },
			   .publish = 192 };
	int i;

	memcpy(&d.answer, &note, sizeof(note));
	for (i = 0; i < 1000 && !flip_put(s, &d, c->place); i++)
		shared->taken++;
	stack_say(s, i);
	pause();
}

static void test_notes(void)
{
	unsigned int refused = 0;
	int i;

	shared->taken = 0;
	for (i = 0; i < 20; i++) {
		lie_realms_begin(5000);
		realm_start(&rogue, notes_while_read, &note_length);
		realm_said(&rogue, 20000);
		refused += realm_event(&rogue, 500).cause == IPSP_BROKEN_RECORD;
		if (realm_balance(&rogue) || !lie_neighbour_lives(100 + (unsigned int)i))
			break;
		lie_realms_end();
	}
	TAP_EQUAL(i, 20, "records that change while they are read, 20 attachments");
	tap(shared->taken && refused, "both were seen: %u taken, %u refused", shared->taken, refused);
}

/* ---- what a stack says that it has read ------------------------------------------------------------------------ */

enum base { READ, DEALT };		/* what it has read, what there is to read */

static const struct word {
	const char *what;
	enum base base;
	__u32 add;
	unsigned int cause;		/* 0: it is believed, and costs nobody else */
} words[] = {
	{ "control: all that was dealt", DEALT, 0, 0 },
	{ "control: nothing more than before", READ, 0, 0 },
	{ "a record and an eighth", READ, 72, 0 },
	{ "a record more than was dealt", DEALT, 64, IPSP_BROKEN_INDEX },
	{ "a byte more than was dealt", DEALT, 1, IPSP_BROKEN_INDEX },
	{ "a ring more than was dealt", DEALT, IPSP_RING_MIN, IPSP_BROKEN_INDEX },
	{ "2 GiB more than was dealt", DEALT, 1u << 31, IPSP_BROKEN_INDEX },
	{ "a record less than before", READ, 0u - 64, IPSP_BROKEN_INDEX },
	{ "a ring less than before", READ, 0u - IPSP_RING_MIN, IPSP_BROKEN_INDEX },
	{ "2 GiB less than it was", READ, 1u << 31, IPSP_BROKEN_INDEX },
};

static void say_read(struct stack *s, const void *how)
{
	const struct word *w = how;
	struct ticket t;
	__u32 dealt;

	stack_peek(s, &t);		/* its snapshot's end */
	stack_say(s, 0);
	while (!shared->go)
		usleep(1000);
	dealt = ipsp_ring_observe(s->down.kpeer);
	ipsp_ring_publish(s->down.kown, (w->base == DEALT ? dealt : s->down.own) + w->add);
	stack_say(s, 1);
	while (shared->go)
		usleep(1000);
	s->down.peer = s->down.head = dealt;	/* no record is known behind it */
	ipsp_ring_release(&s->down);
	stack_say(s, 2);
	stack_honest(s, NULL);
}

/* A record of a quarter of the ring; nobody minds what is in it. */
static int send_big(void)
{
	static _Alignas(64) unsigned char bytes[IPSP_RING_MIN / 4];
	struct ipsp_record *rec = (struct ipsp_record *)bytes;

	memset(bytes, 0, 256);
	rec->type = IPSP_REC_TIME;
	rec->control_len = sizeof(struct ipsp_time);
	rec->data_offset = ipsp_record_data_offset(rec->control_len);
	rec->data_len = (__u32)sizeof(bytes) - rec->data_offset;
	rec->len = sizeof(bytes);
	return realm_control(&rogue, rec, IPSP_TARGET_ALL);
}

/* With the ring full the kernel has looked at the index, and looks again for the next record. */
static void test_word(const struct word *w)
{
	const struct lie as = { .cause = w->cause };
	unsigned char packet[WORLD_PACKET_MAX];
	int i, full = 0, broken;

	shared->go = 0;
	lie_realms_begin(60000);
	realm_start(&rogue, say_read, w);
	realm_said(&rogue, 10000);
	for (i = 0; i < 16 && full != EAGAIN; i++)
		full = send_big();
	shared->go = 1;
	realm_said(&rogue, 10000);
	send_big();
	broken = lie_broken_as(&as);
	TAP_EQUAL(full, EAGAIN, "read: %s: the ring is full", w->what);
	tap(broken && lie_neighbour_lives(7), "read: %s", w->what);
	shared->go = 0;
	if (!w->cause) {
		realm_said(&rogue, 10000);	/* the ring has room again */
		wire_datagram(rogue.net, 9);
		tap(wire_next(packet, 10000) && wire_is_esp(&rogue, packet), "read: %s: and the stack goes on", w->what);
	}
	TAP_EQUAL(realm_balance(&rogue), 0, "read: %s: the ledger balances", w->what);
	lie_realms_end();
}

int main(void)
{
	const struct realm *const one[] = { &neighbour };
	unsigned int i;

	share();
	world_begin();
	realm_begin(&neighbour, 40, 5000);
	realm_rules(one, 1);
	realm_start(&neighbour, stack_honest, NULL);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		test_change(&changes[i]);
	test_notes();
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		test_word(&words[i]);
	realm_stop(&neighbour);
	realm_rules(NULL, 0);
	realm_end(&neighbour);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
