// SPDX-License-Identifier: GPL-2.0-only
/*
 * quorum.c - what a quorum of stacks said bit for bit leaves, and nothing else
 *
 * Three stacks answer every ticket; one of them has a fault of its own in each case. What leaves is what the honest two
 * said; the faulty one is named, ejected, and its successor votes again. With two of two nothing leaves that one of them
 * did not say.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"
#include "world/world.h"

static const char note[] __attribute__((used)) = "\n# mode: one\n";

#define STACKS	3
#define LIAR	1
#define SOME	40			/* packets of a burst */

static struct realm realm;
static struct worker worker[STACKS];
static unsigned int numbers;		/* the last that has left */

/* ---- faults ------------------------------------------------------------------------------------- */

struct fault {
	const char *what;
	unsigned int type;		/* of the tickets it answers so */
	unsigned int event, cause;	/* how its attachment ends */
	int (*act)(struct stack *s, const struct ticket *t, struct draft *d);	/* 0: put the draft; else it is done */
};

static int wrong_byte(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)s; (void)t;
	d->data[d->length - 20] ^= 1;
	return 0;
}

static int wrong_last_byte(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)s; (void)t;
	d->data[d->length - 1] ^= 0x80;
	return 0;
}

static int wrong_first_byte(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)s; (void)t;
	d->data[0] ^= 1;
	return 0;
}

static void resize(struct draft *d, unsigned int length)
{
	d->length = d->rec.data_len = length;
	d->rec.len = (d->rec.data_offset + length + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	d->publish = d->rec.len;
}

static int wrong_length(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)s; (void)t;
	resize(d, d->length + 4);
	d->answer.segment_len = d->length;
	d->data[3] += 4;
	return 0;
}

static int bare(struct draft *d, unsigned int verdict)
{
	memset(&d->answer, 0, sizeof(d->answer));
	d->answer.verdict = (__u16)verdict;
	resize(d, 0);
	return 0;
}

static int bypass(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)s; (void)t;
	return bare(d, IPSP_VERDICT_BYPASS);
}

static int wrong_handle(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)t;
	d->answer.handle[0] = s->realm->in.id;
	return 0;
}

static int false_toobig(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)s; (void)t;
	bare(d, IPSP_VERDICT_TOOBIG);
	d->answer.mtu = 600;
	return 0;
}

static int drops_it(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)s; (void)t;
	bare(d, IPSP_VERDICT_DROP);
	d->answer.reason = IPSP_DROP_INTEGRITY;
	return 0;
}

static int garbage(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)s; (void)t;
	memset(&d->rec, 0x5a, sizeof(d->rec));
	return 0;
}

static int crashes(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)s; (void)t; (void)d;
	abort();
}

static int silent(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)s; (void)t; (void)d;
	return 1;
}

/* All but the first of them. */
static int leaves_out(struct stack *s, const struct ticket *t, struct draft *d)
{
	static unsigned int n;

	(void)s; (void)t; (void)d;
	return !n++;
}

static int loops(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)s; (void)d;
	while (t)
		__asm__ volatile("" ::: "memory");
	return 1;
}

#define NEVER_HEARD	99		/* an acquire id: no event has that number */

/* A question that nobody asked, in front of an honest answer */
static int false_acquire(struct stack *s, const struct ticket *t, struct draft *d)
{
	const struct ipsp_acquire ask = {
		.acquire = NEVER_HEARD,
		.selector = { .family = 4, .source = { 10, 9, 0, 1 }, .destination = { 10, 40, 0, 1 }, .source_prefix = 32,
			      .destination_prefix = 32, .protocol = 17, .source_last = 65535, .destination_last = 65535 },
	};
	struct ipsp_record rec = { .len = 192, .type = IPSP_REC_ACQUIRE, .control_len = sizeof(ask), .data_offset = 192 };
	unsigned char *at = ipsp_ring_record(&s->up);

	(void)t; (void)d;
	memset(at, 0, rec.len);
	memcpy(at, &rec, sizeof(rec));
	memcpy(at + sizeof(rec), &ask, sizeof(ask));
	ipsp_ring_step(&s->up, rec.len);
	return 0;
}

/* The same in front of an answer that is another's to give: nobody votes on it. */
static int acquire_unasked(struct stack *s, const struct ticket *t, struct draft *d)
{
	d->rec.ticket += 2000;
	return false_acquire(s, t, d);
}

/* Longer than what comes of the packet can be: it is not kept to be compared. */
static int too_long(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)s; (void)t;
	resize(d, 3000);
	d->answer.segment_len = 3000;
	return 0;
}

#define OUTVOTED IPSP_EVENT_STACK_BROKEN, IPSP_BROKEN_OUTVOTED
static const struct fault faults[] = {
	{ "a wrong byte in its ciphertext", IPSP_REC_PROTECT, OUTVOTED, wrong_byte },
	{ "a wrong length", IPSP_REC_PROTECT, OUTVOTED, wrong_length },
	{ "a false TOOBIG", IPSP_REC_PROTECT, OUTVOTED, false_toobig },
	{ "drops what it should protect", IPSP_REC_PROTECT, OUTVOTED, drops_it },
	{ "BYPASS of a flow to be protected", IPSP_REC_CLASSIFY, OUTVOTED, bypass },
	{ "a wrong handle", IPSP_REC_CLASSIFY, OUTVOTED, wrong_handle },
	{ "a wrong inner packet", IPSP_REC_UNPROTECT, OUTVOTED, wrong_byte },
	{ "drops what is authentic", IPSP_REC_UNPROTECT, OUTVOTED, drops_it },
	{ "garbage in its ring", IPSP_REC_PROTECT, IPSP_EVENT_STACK_BROKEN, IPSP_BROKEN_RECORD, garbage },
	{ "a false ACQUIRE", IPSP_REC_PROTECT, OUTVOTED, false_acquire },
	{ "dies", IPSP_REC_PROTECT, IPSP_EVENT_STACK_DIED, 0, crashes },
	{ "dies of what comes in", IPSP_REC_UNPROTECT, IPSP_EVENT_STACK_DIED, 0, crashes },
	{ "is silent", IPSP_REC_PROTECT, IPSP_EVENT_STACK_HUNG, IPSP_BROKEN_DEADLINE, silent },
	{ "loops for ever", IPSP_REC_UNPROTECT, IPSP_EVENT_STACK_HUNG, IPSP_BROKEN_DEADLINE, loops },
	{ "a wrong last byte", IPSP_REC_PROTECT, OUTVOTED, wrong_last_byte },
	{ "a wrong first byte of an inner packet", IPSP_REC_UNPROTECT, OUTVOTED, wrong_first_byte },
	{ "a false ACQUIRE in front of no answer of its own", IPSP_REC_PROTECT, IPSP_EVENT_STACK_BROKEN, IPSP_BROKEN_TICKET,
	  acquire_unasked },
	{ "more than an ESP packet can be", IPSP_REC_PROTECT, IPSP_EVENT_STACK_BROKEN, IPSP_BROKEN_LENGTH, too_long },
	{ "more than its packet had inside", IPSP_REC_UNPROTECT, IPSP_EVENT_STACK_BROKEN, IPSP_BROKEN_LENGTH, too_long },
	{ "more than an answer to a question is", IPSP_REC_CLASSIFY, IPSP_EVENT_STACK_BROKEN, IPSP_BROKEN_LENGTH, too_long },
};

/* Honest, but for tickets of its fault's type. */
static void faulty(struct stack *s, const void *how)
{
	const struct fault *f = how;
	struct ticket t;
	struct draft d;

	while (!stack_next(s, &t)) {
		stack_answer(s, &t, &d);
		if (f && t.rec.type == f->type && f->act(s, &t, &d))
			continue;
		if (stack_put(s, &d))
			return;
	}
}

static unsigned int sum(const void *bytes, unsigned int length)
{
	const unsigned char *p = bytes;
	unsigned int n = 5381;

	while (length--)
		n = n * 33 + *p++;
	return n & 0x7fffffff;
}

/* Says what it was dealt, to the last bit. */
static void recite(struct stack *s, const void *how)
{
	struct ticket t;
	struct draft d;

	(void)how;
	while (!stack_next(s, &t)) {
		stack_say(s, (int)(sum(&t.rec, sizeof(t.rec)) ^ sum(&t.packet, sizeof(t.packet)) ^
				   sum(t.data, t.length)));
		stack_answer(s, &t, &d);
		if (stack_put(s, &d))
			return;
	}
}

/* ---- the world ------------------------------------------------------------------------------------ */

static struct ipsp_compartment votes(unsigned int quorum, unsigned int stacks)
{
	return (struct ipsp_compartment){ .mode = IPSP_MODE_VOTE, .quorum = quorum, .stacks = stacks,
					  .deadline_ms = 60000 };
}

static void join(unsigned int i, const struct fault *f)
{
	realm_join(&realm, &worker[i], i, faulty, f);
}

static void begin(struct ipsp_compartment c)
{
	const struct realm *const one[] = { &realm };

	realm_begin_voting(&realm, 40, c);
	realm_rules(one, 1);
	numbers = 0;
}

static void leave(struct worker *w)
{
	if (w->pid) {
		kill(w->pid, SIGKILL);
		worker_wait(w);
	}
}

static void end(const char *what)
{
	unsigned int i;

	TAP_EQUAL(realm_balance(&realm), 0, "%s: the ledger balances", what);
	for (i = 0; i < STACKS; i++)
		leave(&worker[i]);
	realm_rules(NULL, 0);
	realm_end(&realm);
}

static __u64 counter(unsigned int which)
{
	return realm_stats(&realm).counter[which];
}

static __u64 dropped(unsigned int reason)
{
	return realm_stats(&realm).drop[reason];
}

/* Waits until so many were, and no longer than 20 seconds. */
static __u64 dropped_soon(unsigned int reason, __u64 wanted)
{
	unsigned int i;

	for (i = 0; i < 2000 && dropped(reason) < wanted; i++)
		usleep(10000);
	return dropped(reason);
}

static int flow_open(unsigned int host)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = htonl(10u << 24 | realm.net << 16 | host);
	if (fd < 0 || connect(fd, (void *)&to, sizeof(to)))
		tap_give_up("a flow");
	return fd;
}

static void flow_send_long(int fd, unsigned int count, size_t length)
{
	static const char payload[1400];

	while (count--)
		if (send(fd, payload, length, 0) < 0)
			tap_give_up("send");
}

static void flow_send(int fd, unsigned int count)
{
	flow_send_long(fd, count, 200);
}

/* Behind the ESP header all is as the honest say: 0xee. */
static int is_honest(const unsigned char *packet, unsigned int length)
{
	unsigned int i;

	for (i = 28; i < length; i++)
		if (packet[i] != 0xee)
			return 0;
	return wire_is_esp(&realm, packet);
}

/* So many leave, each as the honest say, with numbers that rise. */
static int leave_honest(unsigned int count)
{
	unsigned char packet[WORLD_PACKET_MAX];
	unsigned int i, length, number;

	for (i = 0; i < count; i++) {
		length = wire_next(packet, 20000);
		number = length ? (unsigned int)(packet[26] << 8 | packet[27]) : 0;
		if (!length || !is_honest(packet, length) || number <= numbers) {
			printf("# packet %u of %u: %u bytes, number %u behind %u\n", i, count, length, number, numbers);
			return 0;
		}
		numbers = number;
	}
	return !wire_next(packet, 0);
}

static int came_in(__u64 before, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < 2000 && counter(IPSP_COUNT_IN_PACKETS) < before + count; i++)
		usleep(10000);
	return counter(IPSP_COUNT_IN_PACKETS) == before + count;
}

/* Both ways, and a few flows that are new: each kind of ticket is answered often enough. */
static int traffic(unsigned int round)
{
	const __u64 before = counter(IPSP_COUNT_IN_PACKETS);
	unsigned int i;
	int fd, ok = 1;

	for (i = 0; i < 5; i++) {
		fd = flow_open(10 * round + i + 1);
		flow_send(fd, SOME / 5);
		ok &= leave_honest(SOME / 5);
		close(fd);
	}
	for (i = 1; i <= SOME; i++)
		wire_esp(&realm, round * SOME + i);
	return came_in(before, SOME) && ok;
}

static unsigned int heard;		/* ACQUIREs that reached the manager */

/* The next of that kind; others are read over, and `named` counts those of `stack` that were outvoted. */
static struct ipsp_event event_of(unsigned int kind, unsigned int stack, unsigned int *named)
{
	struct ipsp_event e;

	for (*named = 0;;) {
		e = realm_event(&realm, 20000);
		heard += e.event == NEVER_HEARD;
		if (!e.event || e.event == kind)
			return e;
		if (e.event == IPSP_EVENT_MISMATCH)
			*named += e.stack == stack;
	}
}

/* ---- what is kept ------------------------------------------------------------------------------ */

/* The packet, and both answers: what won first, and what one stack said of it with a bit of its own. */
static void kept(const char *what, unsigned int elected)
{
	static unsigned char bytes[4 * WORLD_PACKET_MAX];
	struct ipsp_dissent d = { .data = (uintptr_t)bytes, .size = 10 };
	const unsigned char *won, *lost;
	unsigned int i, bits = 0;

	TAP_EQUAL(realm_dissent(&realm, &d), EMSGSIZE, "%s: what they said is kept, and longer than 10 bytes", what);
	tap(d.length > d.packet_len && d.length <= sizeof(bytes), "%s: it says how long", what);
	d = (struct ipsp_dissent){ .data = 64, .size = sizeof(bytes) };
	TAP_EQUAL(realm_dissent(&realm, &d), EFAULT, "%s: it is copied to no memory that is not there", what);
	d = (struct ipsp_dissent){ .data = (uintptr_t)bytes, .size = sizeof(bytes) };
	TAP_EQUAL(realm_dissent(&realm, &d), 0, "%s: and there it is", what);
	tap(d.answers == 2 && d.elected == elected && d.stack == (elected ? LIAR : ~0u) && d.type == IPSP_REC_PROTECT,
	    "%s: of a packet to be protected, with two answers", what);
	TAP_EQUAL(d.packet_len, 228, "%s: the packet is whole", what);
	won = bytes + d.packet_len;
	lost = won + d.answer[0].data_len;
	for (i = 0; i < d.answer[1].data_len; i++)
		bits += (unsigned int)__builtin_popcount(won[i] ^ lost[i]);
	TAP_EQUAL(bits, 1, "%s: the answers differ in a bit", what);
	d = (struct ipsp_dissent){ .index = IPSP_DISSENT_KEPT };
	TAP_EQUAL(realm_dissent(&realm, &d), ENOENT, "%s: no more are kept than there is room for", what);
}

/* ---- one of three is wrong ---------------------------------------------------------------------- */

static void one_fault(const struct fault *f)
{
	struct ipsp_compartment c = votes(2, STACKS);
	struct ipsp_event e;
	unsigned int i, named;

	c.deadline_ms = f->event == IPSP_EVENT_STACK_HUNG ? 2000 : 60000;
	begin(c);
	for (i = 0; i < STACKS; i++)
		join(i, i == LIAR ? f : NULL);
	tap(traffic(0), "%s: all of it passes, as the honest two say", f->what);
	e = event_of(f->event, LIAR, &named);
	tap(e.event == f->event && e.cause == f->cause && e.stack == LIAR,
	    "%s: its attachment ends, event %u, cause %u, stack %u", f->what, e.event, e.cause, e.stack);
	if (f->cause == IPSP_BROKEN_OUTVOTED)
		TAP_EQUAL(named, IPSP_EJECT, "%s: it is named, each time that it is outvoted", f->what);
	leave(&worker[LIAR]);
	join(LIAR, NULL);
	TAP_EQUAL(realm_now(&realm).stacks_attached, STACKS, "%s: its successor votes", f->what);
	tap(traffic(1), "%s: and traffic goes on", f->what);
	TAP_EQUAL(heard, 0, "%s: the manager heard of no ACQUIRE", f->what);
	TAP_EQUAL(counter(IPSP_COUNT_DROPPED), 0, "%s: nothing is dropped", f->what);
	TAP_EQUAL(counter(IPSP_COUNT_DEALT_AGAIN), 0, "%s: nothing is dealt again", f->what);
	end(f->what);
}

/* With two of two, nothing that the honest one did not say; what it is cannot be known. */
static void two_of_two(const struct fault *f)
{
	unsigned char packet[WORLD_PACKET_MAX];
	unsigned int named;
	int fd;

	begin(votes(2, 2));
	join(0, NULL);
	join(1, f);
	fd = flow_open(7);
	flow_send(fd, SOME);
	tap(event_of(IPSP_EVENT_MISMATCH, ~0u, &named).stack == ~0u, "2 of 2, %s: a mismatch, of which nobody is named",
	    f->what);
	tap(dropped_soon(IPSP_DROP_NO_QUORUM, 1) > 0, "2 of 2, %s: it is dropped as without a quorum", f->what);
	tap(!wire_next(packet, 300), "2 of 2, %s: nothing leaves", f->what);
	TAP_EQUAL(counter(IPSP_COUNT_STACKS_EJECTED), 0, "2 of 2, %s: neither is ejected", f->what);
	if (f->type == IPSP_REC_PROTECT)
		kept("2 of 2", 0);
	close(fd);
	end("2 of 2");
}

static void test_faults(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		one_fault(&faults[i]);
	two_of_two(&faults[0]);
	two_of_two(&faults[4]);
}

/* ---- what they see ---------------------------------------------------------------------------------- */

static void test_same_records(void)
{
	int said[STACKS], fd, same = 1;
	unsigned int i, n;

	begin(votes(2, STACKS));
	for (i = 0; i < STACKS; i++)
		realm_join(&realm, &worker[i], i, recite, NULL);
	fd = flow_open(7);
	flow_send(fd, SOME);
	tap(leave_honest(SOME), "records: all leave");
	for (n = 0; n < SOME + 1; n++) {
		for (i = 0; i < STACKS; i++)
			said[i] = worker_said(&worker[i], 20000);
		same &= said[0] != -1 && said[0] == said[1] && said[1] == said[2];
	}
	tap(same, "records: %u tickets, and each stack is dealt the same bits", n);
	TAP_EQUAL(counter(IPSP_COUNT_DEALT), 1 + SOME, "records: each ticket is dealt once, to all");
	close(fd);
	end("records");
}

/* ---- late, and fewer -------------------------------------------------------------------------------- */

static void stop(unsigned int i)
{
	int status;

	kill(worker[i].pid, SIGSTOP);
	waitpid(worker[i].pid, &status, WUNTRACED);
}

static void test_late(void)
{
	struct ipsp_event e;
	unsigned int i, named;
	int fd;

	begin(votes(2, STACKS));
	for (i = 0; i < STACKS; i++)
		join(i, i == LIAR ? &faults[0] : NULL);
	stop(LIAR);
	fd = flow_open(7);
	flow_send(fd, SOME);
	tap(leave_honest(SOME), "late: what two of three said leaves while the third stands still");
	TAP_EQUAL(counter(IPSP_COUNT_MISMATCHES), 0, "late: nothing was to be compared");
	kill(worker[LIAR].pid, SIGCONT);
	e = event_of(IPSP_EVENT_STACK_BROKEN, LIAR, &named);
	tap(e.cause == IPSP_BROKEN_OUTVOTED && named == IPSP_EJECT, "late: it is compared, named and ejected all the same");
	kept("late", 1);
	close(fd);
	end("late");
}

/* What has left is compared with what is late: until then it counts as what waits does, and no more of it is taken. */
static void test_late_bounded(void)
{
	const struct fault f = { "reads, and is silent", IPSP_REC_PROTECT, 0, 0, silent };
	unsigned char packet[WORLD_PACKET_MAX];
	unsigned int i, n, named, left = 0;
	int fd;

	begin(votes(2, STACKS));
	for (i = 0; i < STACKS; i++)
		join(i, i == LIAR ? &f : NULL);
	fd = flow_open(7);
	for (n = 0; n < 3500 && !dropped(IPSP_DROP_RING_FULL); n += SOME) {
		flow_send_long(fd, SOME, 1400);
		for (i = 0; i < SOME && wire_next(packet, 300); i++)
			left++;
	}
	tap(dropped(IPSP_DROP_RING_FULL) > 0 && n > SOME, "late and many: after %u there is no room for more", n);
	TAP_EQUAL(left + dropped(IPSP_DROP_RING_FULL), n, "late and many: all others have left");
	leave(&worker[LIAR]);
	event_of(IPSP_EVENT_STACK_DIED, LIAR, &named);
	join(LIAR, NULL);
	numbers = left;
	tap(traffic(1), "late and many: without it there is room again");
	close(fd);
	end("late and many");
}

static void test_below(int degrade)
{
	struct ipsp_compartment c = votes(2, STACKS);
	const char *what = degrade ? "degrade" : "below";
	unsigned char packet[WORLD_PACKET_MAX];
	unsigned int i, named;
	int fd;

	c.flags = degrade ? IPSP_COMPARTMENTF_DEGRADE : 0;
	begin(c);
	for (i = 0; i < STACKS; i++) {
		join(i, NULL);
		if (degrade && !i)
			TAP_EQUAL(event_of(IPSP_EVENT_DEGRADED, 0, &named).count, 1, "degrade: the first is alone: it is told");
	}
	fd = flow_open(7);
	flow_send(fd, 1);
	tap(leave_honest(1), "%s: a packet leaves", what);
	for (i = 1; i < STACKS; i++) {
		leave(&worker[i]);
		if (degrade && i == 2)
			TAP_EQUAL(event_of(IPSP_EVENT_DEGRADED, 0, &named).count, 1, "degrade: one is left: it is told");
		event_of(IPSP_EVENT_STACK_DIED, 0, &named);
	}
	flow_send(fd, SOME);
	if (degrade) {
		tap(leave_honest(SOME), "degrade: with one of three packets leave");
		TAP_EQUAL(counter(IPSP_COUNT_DROPPED), 0, "degrade: and nothing is dropped");
	} else {
		TAP_EQUAL(dropped_soon(IPSP_DROP_NO_QUORUM, SOME), SOME,
			  "below: with one of three each is dropped as without a quorum");
		tap(!wire_next(packet, 300), "below: and nothing leaves");
		join(1, NULL);
		flow_send(fd, SOME);
		tap(leave_honest(SOME), "below: with the second back they leave");
	}
	close(fd);
	end(what);
}

/* Who answers all but one is late with that one, however busy it is with the others. */
static void test_left_out(unsigned int type)
{
	const struct fault f = { "leaves one out", type, 0, 0, leaves_out };
	const char *what = type == IPSP_REC_PROTECT ? "left out" : "left out of what comes in";
	struct ipsp_compartment c = votes(2, STACKS);
	struct ipsp_event e = { 0 };
	unsigned int i, n;
	int fd;

	c.deadline_ms = 1000;
	begin(c);
	for (i = 0; i < STACKS; i++)
		join(i, i == LIAR ? &f : NULL);
	fd = flow_open(7);
	for (n = 1; n <= 200 && !e.event; n++) {
		flow_send(fd, 1);
		wire_esp(&realm, n);
		e = realm_event(&realm, 50);
	}
	tap(e.event == IPSP_EVENT_STACK_HUNG && e.stack == LIAR && n < 200,
	    "%s: its deadline comes while it answers the others, after %u of 200", what, n);
	tap(leave_honest(n - 1), "%s: what the others said leaves", what);
	TAP_EQUAL(counter(IPSP_COUNT_DROPPED), 0, "%s: nothing is dropped", what);
	close(fd);
	end(what);
}

/* What waits for a successor may wait long. Who is silent meanwhile is found out by its own deadline. */
static void test_late_behind_death(void)
{
	const struct fault f = { "is silent", IPSP_REC_PROTECT, 0, 0, silent };
	struct ipsp_compartment c = votes(2, STACKS);
	unsigned int i, named;
	int fd;

	c.deadline_ms = 1000;
	c.successor_ms = 60000;
	begin(c);
	for (i = 0; i < STACKS; i++)
		join(i, i == LIAR ? &f : NULL);
	leave(&worker[2]);
	TAP_EQUAL(event_of(IPSP_EVENT_STACK_DIED, 2, &named).stack, 2, "behind a death: one has died");
	fd = flow_open(7);
	flow_send(fd, SOME);
	TAP_EQUAL(event_of(IPSP_EVENT_STACK_HUNG, LIAR, &named).stack, LIAR,
		  "behind a death: one that is silent is broken when its own deadline comes");
	close(fd);
	end("behind a death");
}

/* ---- a majority of liars -------------------------------------------------------------------------- */

static int wrong_spi(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)s; (void)t;
	d->data[20] ^= 1;
	return 0;
}

/* What the kernel checks of one stack it checks of all of them. */
static void test_conspiracy(void)
{
	static const struct fault f = { "a wrong SPI", IPSP_REC_PROTECT, 0, 0, wrong_spi };
	unsigned char packet[WORLD_PACKET_MAX];
	unsigned int i, named;
	int fd;

	begin(votes(2, STACKS));
	for (i = 0; i < STACKS; i++)
		join(i, i ? &f : NULL);
	stop(0);
	fd = flow_open(7);
	flow_send(fd, 1);
	for (i = 1; i < STACKS; i++)
		TAP_EQUAL(event_of(IPSP_EVENT_STACK_BROKEN, 0, &named).cause, IPSP_BROKEN_HEADER,
			  "conspiracy: two agree on a foreign header: both are broken");
	TAP_EQUAL(dropped_soon(IPSP_DROP_BAD_ANSWER, 1), 1, "conspiracy: the packet is dropped");
	tap(!wire_next(packet, 300), "conspiracy: nothing leaves");
	kill(worker[0].pid, SIGCONT);
	close(fd);
	end("conspiracy");
}

static int own_byte(struct stack *s, const struct ticket *t, struct draft *d)
{
	(void)t;
	d->data[d->length - 20] ^= (unsigned char)(s->index + 1);
	return 0;
}

static void test_discord(void)
{
	static const struct fault f = { "discord", IPSP_REC_PROTECT, 0, 0, own_byte };
	unsigned char packet[WORLD_PACKET_MAX];
	unsigned int i;
	int fd;

	begin(votes(2, STACKS));
	for (i = 0; i < STACKS; i++)
		join(i, &f);
	fd = flow_open(7);
	flow_send(fd, SOME);
	TAP_EQUAL(dropped_soon(IPSP_DROP_NO_QUORUM, SOME), SOME,
		  "discord: three say three things, and each packet is dropped as without a quorum");
	tap(!wire_next(packet, 300), "discord: nothing leaves");
	close(fd);
	end("discord");
}

/* ---- a sample ----------------------------------------------------------------------------------------- */

static void test_sample(void)
{
	struct ipsp_compartment c = votes(2, STACKS);
	unsigned int i;
	__u64 voted;
	int fd;

	c.mode = IPSP_MODE_SAMPLE;
	c.sample = 30;
	begin(c);
	for (i = 0; i < STACKS; i++)
		join(i, NULL);
	fd = flow_open(7);
	for (i = 0; i < 20; i++) {
		flow_send(fd, 50);
		if (!leave_honest(50))
			break;
	}
	TAP_EQUAL(i, 20, "sample: 1000 packets leave in their order");
	voted = counter(IPSP_COUNT_VOTED);
	tap(voted > 200 && voted < 400, "sample: of 1001 tickets about 30 percent are voted on: %llu", voted);
	TAP_EQUAL(counter(IPSP_COUNT_MISMATCHES), 0, "sample: nobody is outvoted");
	close(fd);
	end("sample");
}

int main(void)
{
	world_begin();
	test_faults();
	test_same_records();
	test_late();
	test_late_bounded();
	test_left_out(IPSP_REC_PROTECT);
	test_left_out(IPSP_REC_UNPROTECT);
	test_late_behind_death();
	test_below(0);
	test_below(1);
	test_conspiracy();
	test_discord();
	test_sample();
	TAP_EQUAL(world_end(), 1, "all that was made is freed");
	return tap_end();
}
