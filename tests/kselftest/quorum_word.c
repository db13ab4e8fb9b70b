// SPDX-License-Identifier: GPL-2.0-only
/*
 * quorum_word.c - a stack whose answer changes while it is voted on: what leaves is what the other said, too
 *
 * Two of two have to agree. A second thread of one changes a byte of its answers all the time, so each is one of two things
 * when it is compared. What was compared is what leaves: never the other thing, be it the one that answers first or last.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"
#include "world/flip.h"

#define STACKS	2
#define FLIPPER	1
#define PASSED	100			/* so many at least, */
#define REFUSED	5			/* and so many */
#define TRIES	10000

static const struct way {
	const char *what;
	unsigned int type;		/* of the tickets whose answers change */
	unsigned int late;		/* who answers last */
	struct flip place[2];
} ways[] = {
	{ "out, it answers last", IPSP_REC_PROTECT, FLIPPER, { { FLIP_DATA(60), 1 } } },
	{ "out, it answers first", IPSP_REC_PROTECT, !FLIPPER, { { FLIP_DATA(60), 1 } } },
	{ "in, it answers last", IPSP_REC_UNPROTECT, FLIPPER, { { FLIP_DATA(40), 1 } } },
	{ "in, it answers first", IPSP_REC_UNPROTECT, !FLIPPER, { { FLIP_DATA(40), 1 } } },
};

static struct realm realm;
static int heard = -1;			/* what comes in */

/* ---- in the child ------------------------------------------------------------------------------------ */

/* A socket hears it only with a sum that is right. */
static void finish_inner(unsigned char *packet)
{
	const unsigned short sum = wire_header_sum(packet);

	packet[10] = (unsigned char)(sum >> 8);
	packet[11] = (unsigned char)sum;
}

/*
 * Long enough for the other's answer. Who has slept is run in place of its own second thread, and who does not sleep may
 * be run in place of the other's: so the one that has such a thread does not.
 */
static void be_late(const struct stack *s)
{
	const long us = 2000;
	struct timespec from, now;

	if (s->index != FLIPPER) {
		usleep(us);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - from.tv_sec) * 1000000 + (now.tv_nsec - from.tv_nsec) / 1000 < us);
}

static void answer(struct stack *s, const void *how)
{
	const struct way *w = how;
	struct ticket t;
	struct draft d;
	int err;

	do {
		if (stack_next(s, &t))
			return;
		stack_answer(s, &t, &d);
		if (t.rec.type == IPSP_REC_UNPROTECT)
			finish_inner(d.data);
		if (s->index == w->late)
			be_late(s);
		if (s->index == FLIPPER && t.rec.type == w->type)
			err = flip_put(s, &d, w->place);
		else
			err = stack_put(s, &d);
	} while (!err);
}

/* ---- what comes of it ---------------------------------------------------------------------------------- */

static int is_all(const unsigned char *at, unsigned int length, unsigned char byte)
{
	while (length && *at == byte) {
		at++;
		length--;
	}
	return !length;
}

/* 1: it has left, as the honest one says; 0: it has not; -1: as another thing */
static int has_left(void)
{
	unsigned char packet[WORLD_PACKET_MAX];
	const unsigned int length = wire_next(packet, 10);

	if (!length)
		return 0;
	return wire_is_esp(&realm, packet) && is_all(packet + 28, length - 28, 0xee) ? 1 : -1;
}

static int has_come(void)
{
	unsigned char bytes[WORLD_PACKET_MAX];
	const ssize_t length = recv(heard, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (length < 0) {
		usleep(1000);
		return 0;
	}
	return length == 32 && is_all(bytes, 32, 0) ? 1 : -1;
}

static unsigned long long dropped(void)
{
	return realm_stats(&realm).drop[IPSP_DROP_NO_QUORUM];
}

/* One packet: 1 or -1 as above; 0: it was dropped without a quorum; -2: nothing became of it */
static int one(const struct way *w, unsigned int number)
{
	const unsigned long long before = dropped();
	int i, outcome;

	if (w->type == IPSP_REC_PROTECT)
		wire_datagram(realm.net, 9);
	else
		wire_esp(&realm, number);
	for (i = 0; i < 10000; i++) {
		outcome = w->type == IPSP_REC_PROTECT ? has_left() : has_come();
		if (outcome || dropped() > before)
			return outcome;
	}
	return -2;
}

static void begin(struct worker *worker, const struct way *w)
{
	const struct ipsp_compartment c = { .mode = IPSP_MODE_VOTE, .quorum = STACKS, .stacks = STACKS, .deadline_ms = 60000 };
	const struct realm *const only[] = { &realm };
	unsigned int i;

	realm_begin_voting(&realm, 40, c);
	realm_rules(only, 1);
	for (i = 0; i < STACKS; i++)
		realm_join(&realm, &worker[i], i, answer, w);
}

static void end(struct worker *worker)
{
	unsigned int i;

	for (i = 0; i < STACKS; i++) {
		kill(worker[i].pid, SIGKILL);
		worker_wait(&worker[i]);
	}
	realm_rules(NULL, 0);
	realm_end(&realm);
}

static void test_way(const struct way *w)
{
	unsigned int passed = 0, refused = 0, i;
	struct worker worker[STACKS];
	int outcome = 0;

	begin(worker, w);
	for (i = 1; i < TRIES && outcome >= 0 && (passed < PASSED || refused < REFUSED); i++) {
		outcome = one(w, i);
		passed += outcome == 1;
		refused += outcome == 0;
	}
	tap(outcome >= 0, "%s: what leaves is what both said: %d after %u packets", w->what, outcome, i - 1);
	tap(passed >= PASSED && refused >= REFUSED, "%s: both were seen: %u passed, %u had no quorum", w->what, passed, refused);
	TAP_EQUAL(realm_stats(&realm).counter[IPSP_COUNT_DEALT_AGAIN], 0, "%s: nothing is dealt again", w->what);
	TAP_EQUAL(realm_balance(&realm), 0, "%s: the ledger balances", w->what);
	end(worker);
}

static void hear(void)
{
	const struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(9) };

	heard = socket(AF_INET, SOCK_DGRAM, 0);
	if (heard < 0 || bind(heard, (const void *)&at, sizeof(at)))
		tap_give_up("a socket that hears");
}

int main(void)
{
	unsigned int i;

	world_begin();
	hear();
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		test_way(&ways[i]);
	close(heard);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
