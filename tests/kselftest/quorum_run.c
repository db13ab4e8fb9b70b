// SPDX-License-Identifier: GPL-2.0-only
/*
 * quorum_run.c - what stacks merge is voted on as a whole: together by a quorum, or not at all
 *
 * Six packets come in as one burst, behind one that had to wait for room in the ring of a stack that stood still. Each
 * stack cuts the six into runs as its case says and answers a run of several with one packet of TCP, alone ones with a
 * datagram each.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"
#include "world/world.h"

static const char note[] __attribute__((used)) = "\n# mode: one\n";

#define STACKS	3
#define SLOW	2			/* it stands still until all have come */
#define BIG	4			/* packets that fill its ring but for less than WAITS, */
#define BIG_LEN	60000
#define WAITS	30000			/* bytes of the first that must wait */
#define SMALL	300			/* of the six behind it: wire_esp()'s */
#define SIX	6
#define CAME	(BIG + 1)		/* in front of the six */

enum way { HONEST, WRONG_BYTE, WRONG_OFFLOAD, DROPS, DIES, ACROSS, TWICE };

struct part {				/* what a stack makes of the six */
	unsigned int cut[SIX + 1];	/* lengths of its runs; 0 ends them */
	enum way way;
};

#define WHOLE	{ { 6 }, HONEST }
#define ALONE	{ { 1, 1, 1, 1, 1, 1 }, HONEST }
static const struct run_case {
	const char *what;
	unsigned int stacks, quorum;
	struct part part[STACKS];
	unsigned int in, merged, dropped, reason, mismatches, broken;
} cases[] = {
	{ "all merge alike", 3, 2, { WHOLE, WHOLE, WHOLE }, 1, 5, 0, 0, 0, 0 },
	{ "two of two merge alike", 2, 2, { WHOLE, { { 0 }, HONEST }, WHOLE }, 1, 5, 0, 0, 0, 0 },
	{ "all cut it in two", 3, 2, { { { 2, 4 }, HONEST }, { { 2, 4 }, HONEST }, { { 2, 4 }, HONEST } }, 2, 4, 0, 0, 0, 0 },
	{ "none merges", 3, 3, { ALONE, ALONE, ALONE }, 6, 0, 0, 0, 0, 0 },
	{ "one has a wrong byte", 3, 2, { WHOLE, { { 6 }, WRONG_BYTE }, WHOLE }, 1, 5, 0, 0, 1, 0 },
	{ "who is late has a wrong byte", 3, 2, { WHOLE, WHOLE, { { 6 }, WRONG_BYTE } }, 1, 5, 0, 0, 1, 0 },
	{ "one cuts it otherwise", 3, 2, { WHOLE, { { 3, 3 }, HONEST }, WHOLE }, 1, 5, 0, 0, 1, 0 },
	{ "one does not merge", 3, 2, { WHOLE, ALONE, WHOLE }, 1, 5, 0, 0, 1, 0 },
	{ "the last does not merge", 3, 2, { WHOLE, WHOLE, ALONE }, 1, 5, 0, 0, 1, 0 },
	{ "one merges alone", 3, 2, { ALONE, WHOLE, ALONE }, 6, 0, 0, 0, 1, 0 },
	{ "the last merges alone", 3, 2, { ALONE, ALONE, WHOLE }, 6, 0, 0, 0, 1, 0 },
	{ "one merges more than the others", 3, 2, { WHOLE, { { 1, 5 }, HONEST }, { { 1, 5 }, HONEST } }, 2, 4, 0, 0, 1, 0 },
	{ "one drops the run", 3, 2, { WHOLE, { { 1, 1, 1, 1, 1, 1 }, DROPS }, WHOLE }, 1, 5, 0, 0, 1, 0 },
	{ "one dies of it", 3, 2, { WHOLE, { { 6 }, DIES }, WHOLE }, 1, 5, 0, 0, 0, 0 },
	{ "each cuts it otherwise", 3, 2, { WHOLE, { { 3, 3 }, HONEST }, { { 2, 4 }, HONEST } },
	  0, 0, 6, IPSP_DROP_NO_QUORUM, 1, 0 },
	{ "three wrong bytes", 3, 3, { WHOLE, { { 6 }, WRONG_BYTE }, WHOLE }, 0, 0, 6, IPSP_DROP_NO_QUORUM, 1, 0 },
	{ "two of two cut it otherwise", 2, 2, { WHOLE, { { 0 }, HONEST }, ALONE }, 0, 0, 6, IPSP_DROP_NO_QUORUM, 1, 0 },
	{ "two of two agree on the end", 2, 2, { { { 2, 4 }, HONEST }, { { 0 }, HONEST }, { { 1, 1, 4 }, HONEST } },
	  1, 3, 2, IPSP_DROP_NO_QUORUM, 1, 0 },
	{ "two of two, one dies of it", 2, 2, { WHOLE, { { 0 }, HONEST }, { { 6 }, DIES } },
	  0, 0, 6, IPSP_DROP_NO_QUORUM, 0, 0 },
	{ "a majority breaks the protocol", 3, 2, { { { 6 }, WRONG_OFFLOAD }, { { 6 }, WRONG_OFFLOAD }, WHOLE },
	  0, 0, 6, IPSP_DROP_BAD_ANSWER, 1, 2 },
	{ "one merges beyond the burst", 3, 2, { WHOLE, { { 6 }, ACROSS }, WHOLE }, 1, 5, 0, 0, 0, 1 },
	{ "one merges what it has answered", 3, 2, { WHOLE, { { 6 }, TWICE }, WHOLE }, 1, 5, 0, 0, 0, 1 },
};

#define ONE_CUTS	6		/* its place */

static struct realm realm;
static struct worker worker[STACKS];

/* ---- in the child ------------------------------------------------------------------------------------ */

static void resize(struct draft *d, unsigned int length)
{
	d->length = d->rec.data_len = d->answer.segment_len = length;
	d->rec.len = d->publish = (d->rec.data_offset + length + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
}

/* A super-packet of TCP, 20 bytes a segment */
static void merged(struct draft *d, unsigned int count, enum way way)
{
	const unsigned int length = 40 + 20 * count;

	memset(d->data, 0, length);
	memcpy(d->data, (unsigned char [34]){ 0x45, 0, 0, (unsigned char)length, 0, 0, 0x40, 0, 64, 6, 0, 0,
	       10, (unsigned char)realm.net, 0, 9, 10, 9, 0, 1, 0, 9, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10 }, 34);
	resize(d, length);
	d->answer.segments = count;
	d->answer.offload = (struct ipsp_offload){
		.flags = IPSP_OFFLOAD_NEEDS_CSUM, .gso_type = IPSP_GSO_TCPV4, .gso_size = 20, .header_len = 40,
		.csum_start = way == WRONG_OFFLOAD ? 4 : 20, .csum_offset = 16,
	};
	if (way == WRONG_BYTE)
		d->data[length - 1] ^= 1;
}

static void drops(struct draft *d)
{
	memset(&d->answer, 0, sizeof(d->answer));
	d->answer.verdict = IPSP_VERDICT_DROP;
	d->answer.reason = IPSP_DROP_INTEGRITY;
	resize(d, 0);
	d->answer.segment_len = 0;
}

/* The answer to a run, of which this is the last ticket */
static void answer_run(const struct stack *s, const struct ticket *t, struct draft *d, unsigned int count, enum way way)
{
	if (way == DIES)
		abort();
	stack_answer(s, t, d);
	if (way == ACROSS)
		count += CAME;
	if (way == TWICE)
		count++;
	if (way == DROPS)
		drops(d);
	else if (count > 1)
		merged(d, count, way);
}

/* Alone, but the six; who merges across the burst's begin owes all that came before. */
static int is_alone(const struct ticket *t)
{
	return t->rec.type != IPSP_REC_UNPROTECT || t->rec.data_len != SMALL;
}

static void cutting(struct stack *s, const void *how)
{
	const struct part *p = how;
	unsigned int at = 0, has = 0;
	struct ticket t;
	struct draft d;

	while (!stack_next(s, &t)) {
		if (t.rec.type == IPSP_REC_UNPROTECT)
			stack_say(s, t.rec.flags);
		if (is_alone(&t) ? p->way == ACROSS : ++has < (p->cut[at] ? p->cut[at] : 1))
			continue;
		if (is_alone(&t))
			stack_answer(s, &t, &d);
		else
			answer_run(s, &t, &d, has, p->way);
		if (!is_alone(&t)) {
			at += p->cut[at] != 0;
			has = 0;
		}
		if (stack_put(s, &d))
			return;
	}
}

/* ---- the burst ----------------------------------------------------------------------------------------- */

static void come_in(unsigned int number, unsigned int length)
{
	static unsigned char packet[BIG_LEN];
	const __be16 total = htons((unsigned short)length);
	const __be32 sequence = htonl(number);
	unsigned int i, sum = 0;

	memset(packet, 0, 28);
	memcpy(packet, (const unsigned char [10]){ 0x45, 0, 0, 0, 0, 0, 0, 0, 64, IPPROTO_ESP }, 10);
	memcpy(packet + 2, &total, 2);
	memcpy(packet + 12, realm.in.source, 4);
	memcpy(packet + 16, realm.in.destination, 4);
	for (i = 0; i < 20; i += 2)
		sum += (unsigned int)(packet[i] << 8 | packet[i + 1]);
	sum = ~((sum & 0xffff) + (sum >> 16));
	packet[10] = (unsigned char)(sum >> 8);
	packet[11] = (unsigned char)sum;
	memcpy(packet + 20, &realm.in.spi, 4);
	memcpy(packet + 24, &sequence, 4);
	wire_write(packet, length);
}

static __u64 counter(unsigned int which)
{
	return realm_stats(&realm).counter[which];
}

static int comes_to(unsigned int which, __u64 wanted)
{
	unsigned int i;

	for (i = 0; i < 2000 && counter(which) < wanted; i++)
		usleep(10000);
	return counter(which) == wanted;
}

static void stand_still(const struct worker *w)
{
	int status;

	kill(w->pid, SIGSTOP);
	waitpid(w->pid, &status, WUNTRACED);
}

/* `sample`: percent of the tickets that are voted on; 0: all, in mode VOTE */
static void begin(const struct run_case *c, unsigned int sample)
{
	const struct realm *const one[] = { &realm };
	unsigned int i;

	realm_begin_voting(&realm, 40, (struct ipsp_compartment){
		.mode = sample ? IPSP_MODE_SAMPLE : IPSP_MODE_VOTE, .sample = sample, .quorum = c->quorum,
		.stacks = STACKS, .deadline_ms = 60000 });
	realm_rules(one, 1);
	for (i = 0; i < STACKS; i++)
		if (c->part[i].cut[0])
			realm_join(&realm, &worker[i], i, cutting, &c->part[i]);
}

static void burst(void)
{
	unsigned int i;

	stand_still(&worker[SLOW]);
	for (i = 1; i <= BIG; i++)
		come_in(i, BIG_LEN);
	come_in(i, WAITS);
	for (i++; i <= CAME + SIX; i++)
		wire_esp(&realm, i);
	kill(worker[SLOW].pid, SIGCONT);
}

static void end(const char *what)
{
	unsigned int i;

	TAP_EQUAL(realm_balance(&realm), 0, "%s: the ledger balances", what);
	for (i = 0; i < STACKS; i++) {
		if (worker[i].pid) {
			kill(worker[i].pid, SIGKILL);
			worker_wait(&worker[i]);
		}
	}
	realm_rules(NULL, 0);
	realm_end(&realm);
}

/* ---- cases ------------------------------------------------------------------------------------------------- */

static unsigned int broken(void)
{
	return (unsigned int)counter(IPSP_COUNT_STACKS_BROKEN);
}

static void test_case(const struct run_case *c, unsigned int sample)
{
	begin(c, sample);
	burst();
	tap(comes_to(IPSP_COUNT_RELEASED, CAME + c->in), "%s: %u packets come of the six", c->what, c->in);
	tap(comes_to(IPSP_COUNT_MERGED, c->merged), "%s: %u tickets are merged", c->what, c->merged);
	tap(comes_to(IPSP_COUNT_DROPPED, c->dropped), "%s: %u are dropped", c->what, c->dropped);
	if (c->dropped)
		TAP_EQUAL(realm_stats(&realm).drop[c->reason], c->dropped, "%s: all for one reason", c->what);
	tap(comes_to(IPSP_COUNT_MISMATCHES, c->mismatches), "%s: somebody is wrong %u times", c->what, c->mismatches);
	TAP_EQUAL(broken(), c->broken, "%s: so many attachments are broken", c->what);
	TAP_EQUAL(counter(IPSP_COUNT_DEALT_AGAIN), 0, "%s: nothing is dealt again", c->what);
	end(c->what);
}

/* What may be merged is told all of them alike; nothing may be, where one cannot. */
static void test_flags(int all)
{
	static const struct run_case c = { .quorum = 2, .part = { ALONE, ALONE, ALONE } };
	const int begins = all ? IPSP_RECF_BEGIN : IPSP_RECF_NOMERGE, goes_on = all ? 0 : IPSP_RECF_NOMERGE;
	const char *what = all ? "all merge" : "one cannot merge";
	unsigned int i, n, right = 0;

	begin(&c, 0);
	if (!all) {
		kill(worker[1].pid, SIGKILL);
		worker_wait(&worker[1]);
		TAP_EQUAL(realm_event(&realm, 20000).event, IPSP_EVENT_STACK_DIED, "%s: that it took another's place", what);
		world_attach = 0;
		realm_join(&realm, &worker[1], 1, cutting, &c.part[1]);
	}
	burst();
	for (i = 0; i < STACKS; i++)
		for (n = 0; n < CAME + SIX; n++)
			right += worker_said(&worker[i], 20000) == (n < CAME ? begins : goes_on);
	TAP_EQUAL(right, STACKS * (CAME + SIX), "%s: each record says so, to each", what);
	tap(comes_to(IPSP_COUNT_RELEASED, CAME + SIX), "%s: all come in", what);
	world_attach = IPSP_ATTACHF_MERGES;
	end(what);
}

#define SINGLES	60

/* A stack does not see in its records which of them others have as well. */
static void test_sample(void)
{
	static const struct run_case c = { .quorum = 2, .part = { ALONE, ALONE, ALONE } };
	unsigned int i, right = 0, n = 0;
	__u64 voted;
	int flags;

	begin(&c, 50);
	for (i = 1; i <= SINGLES; i++)
		wire_esp(&realm, i);
	tap(comes_to(IPSP_COUNT_RELEASED, SINGLES), "sample: all come in");
	voted = counter(IPSP_COUNT_VOTED);
	tap(voted > SINGLES / 6 && voted < SINGLES * 5 / 6, "sample: some of them are voted on: %llu", voted);
	for (i = 0; i < STACKS; i++)
		for (; (flags = worker_said(&worker[i], 500)) != -1; n++)
			right += flags == IPSP_RECF_BEGIN;
	TAP_EQUAL(n, SINGLES + (STACKS - 1) * voted, "sample: those go to all, the others to one");
	TAP_EQUAL(right, n, "sample: their records do not differ");
	end("sample");
}

int main(void)
{
	unsigned int i;

	world_begin();
	world_attach = IPSP_ATTACHF_MERGES;
	test_flags(1);
	test_flags(0);
	test_sample();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		test_case(&cases[i], 0);
	test_case(&cases[0], 100);
	test_case(&cases[ONE_CUTS], 100);
	TAP_EQUAL(world_end(), 1, "all that was made is freed");
	return tap_end();
}
