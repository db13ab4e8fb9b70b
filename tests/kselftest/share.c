// SPDX-License-Identifier: GPL-2.0-only
/*
 * share.c - several stacks of one compartment: dealt in bursts, answered in any order, released in theirs
 *
 * The stacks are stopped while packets come, so that what each of them is dealt does not hang on who is faster; then
 * they go on, and each answers what it has in an order of its own. What leaves bears numbers that rise by one.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stall.h"
#include "tap.h"
#include "world/world.h"

static const char note[] __attribute__((used)) = "\n# mode: one\n";

#define STACKS		3
#define MANY		390		/* what three stacks hold, and the wire's queue */
#define BATCH		64
#define MAGIC		105		/* bytes of the packet that a stack dies of */

static struct realm realm;
static struct worker worker[STACKS];
static unsigned int numbers;		/* the last that has left */

/* ---- the stacks ----------------------------------------------------------------------------------- */

static void say_control(struct stack *s, const struct ipsp_record *rec)
{
	if (rec->type == IPSP_REC_TIME)
		stack_say(s, -2);
}

static void swap_random(struct ticket *t, unsigned int n, unsigned int *seed)
{
	static struct ticket aside;
	unsigned int i;

	for (; n > 1; n--) {
		*seed = *seed * 1103515245 + 12345;
		i = (*seed >> 16) % n;
		aside = t[i];
		t[i] = t[n - 1];
		t[n - 1] = aside;
	}
}

/* Answers what is there, up to a batch of it, in an order of its own; says each ticket as it answers it. */
static void shuffle(struct stack *s, const void *how)
{
	static struct ticket t[BATCH];
	unsigned int n, i, seed = s->index + 1;
	struct draft d;

	(void)how;
	while (!stack_next(s, &t[0])) {
		for (n = 1; n < BATCH && stack_peek(s, &t[n]); n++)
			;
		swap_random(t, n, &seed);
		for (i = 0; i < n; i++) {
			stack_answer(s, &t[i], &d);
			stack_say(s, (int)(t[i].rec.ticket >> 1));
			if (stack_put(s, &d))
				return;
		}
	}
}

/* Says what it reads as it reads it. */
static void recite(struct stack *s, const void *how)
{
	struct ticket t;
	struct draft d;

	(void)how;
	s->control = say_control;
	while (!stack_next(s, &t)) {
		stack_say(s, (int)(t.rec.ticket >> 1));
		stack_answer(s, &t, &d);
		if (stack_put(s, &d))
			return;
	}
}

static void crash(struct stack *s, const void *unused)
{
	const unsigned int length = MAGIC;

	(void)unused;
	stack_crash(s, &length);
}

/* ---- all of them ------------------------------------------------------------------------------------ */

static void pause_all(void)
{
	unsigned int i;
	int status;

	for (i = 0; i < STACKS; i++)
		if (worker[i].pid) {
			kill(worker[i].pid, SIGSTOP);
			waitpid(worker[i].pid, &status, WUNTRACED);
		}
}

static void resume_all(void)
{
	unsigned int i;

	for (i = 0; i < STACKS; i++)
		if (worker[i].pid)
			kill(worker[i].pid, SIGCONT);
}

static void begin(unsigned int stacks, unsigned int spares, void (*run)(struct stack *s, const void *how))
{
	const struct realm *const one[] = { &realm };
	unsigned int i;

	realm_begin_shared(&realm, 40, 60000, stacks, spares);
	realm_rules(one, 1);
	numbers = 0;
	for (i = 0; i < stacks + spares; i++)
		realm_join(&realm, &worker[i], i, run, NULL);
}

static void end(const char *what)
{
	const long long balance = realm_balance(&realm);
	unsigned int i;

	TAP_EQUAL(balance, 0, "%s: the ledger balances", what);
	for (i = 0; i < STACKS; i++)
		if (worker[i].pid) {
			kill(worker[i].pid, SIGKILL);
			worker_wait(&worker[i]);
		}
	realm_rules(NULL, 0);
	realm_end(&realm);
}

static __u64 drops(void)
{
	return realm_stats(&realm).counter[IPSP_COUNT_DROPPED];
}

/* ---- the flow --------------------------------------------------------------------------------------- */

static int flow_open(unsigned int host)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	const int room = 16 << 20;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = htonl(10u << 24 | realm.net << 16 | host);
	if (fd < 0 || connect(fd, (void *)&to, sizeof(to)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)))
		tap_give_up("a flow");
	return fd;
}

static void flow_send(int fd, unsigned int count, unsigned int length)
{
	static const char payload[WORLD_PACKET_MAX];

	while (count--)
		if (send(fd, payload, length - 28, 0) < 0)
			tap_give_up("send");
}

/* So many more left, and each number is the one before it and one more; `missing` of them may be skipped. */
static int flow_left(unsigned int count, unsigned int missing)
{
	unsigned char packet[WORLD_PACKET_MAX];
	unsigned int i, number;

	for (i = 0; i < count; i++) {
		if (!wire_next(packet, 20000)) {
			printf("# only %u of %u left\n", i, count);
			return 0;
		}
		number = (unsigned int)(packet[26] << 8 | packet[27]);
		if (!wire_is_esp(&realm, packet) || number <= numbers || number - numbers - 1 > missing) {
			printf("# packet %u of %u: number %u behind %u\n", i, count, number, numbers);
			return 0;
		}
		missing -= number - numbers - 1;
		numbers = number;
	}
	return !missing && !wire_next(packet, 0);
}

/* Its first packet has left, so that the flow is known; and there is nothing to be read of what stacks said of it. */
static int flow_known(unsigned int host)
{
	int fd = flow_open(host);
	unsigned int i;

	flow_send(fd, 1, 228);
	if (!flow_left(1, 0))
		tap_give_up("the first packet of a flow");
	for (i = 0; i < STACKS; i++)
		while (worker[i].pid && worker_said(&worker[i], 0) != -1)
			;
	return fd;
}

/* Tickets that it said since; `turned`: how often one before its predecessor. */
static unsigned int said(const struct worker *w, unsigned int *turned)
{
	unsigned int n;
	int what, before = -1;

	*turned = 0;
	for (n = 0; (what = worker_said(w, 0)) >= 0; n++) {
		*turned += what < before;
		before = what;
	}
	return n;
}

/* ---- shared ------------------------------------------------------------------------------------------- */

static void test_out(void)
{
	unsigned int i, n, sum = 0, turned;
	int fd;

	begin(STACKS, 0, shuffle);
	fd = flow_known(7);
	pause_all();
	flow_send(fd, MANY, 228);
	TAP_EQUAL(realm_stats(&realm).counter[IPSP_COUNT_PENDING], MANY, "all are dealt while all stacks stand still");
	resume_all();
	tap(flow_left(MANY, 0), "%u packets through %u stacks leave in their order", MANY, STACKS);
	for (i = 0; i < STACKS; i++) {
		n = said(&worker[i], &turned);
		tap(n > MANY / 5 && n < MANY / 2, "stack %u had its share, %u", i, n);
		tap(turned > n / 4, "and answered in another order: %u times back", turned);
		sum += n;
	}
	TAP_EQUAL(sum, MANY, "each was dealt to one of them");
	TAP_EQUAL(drops(), 0, "none is dropped");
	close(fd);
	end("shared");
}

static int released(void)
{
	return realm_stats(&realm).counter[IPSP_COUNT_RELEASED] >= MANY;
}

/* 390 numbers of three stacks through a window of 64: out of order, most would be behind it. */
static void test_in(void)
{
	struct ipsp_handle h;
	unsigned int i;

	begin(STACKS, 0, shuffle);
	pause_all();
	for (i = 1; i <= MANY; i++)
		wire_esp(&realm, i);
	resume_all();
	for (i = 0; i < 2000 && !released(); i++)
		usleep(10000);
	tap(released(), "%u packets from the wire through %u stacks and a window of 64", MANY, STACKS);
	h = (struct ipsp_handle){ .id = realm.in.id };
	if (ioctl(realm.port, IPSP_IOC_HANDLE_GET, &h))
		tap_give_up("handle get");
	TAP_EQUAL(h.replayed, 0, "none is behind the window");
	TAP_EQUAL(drops(), 0, "none is dropped");
	for (i = 1; i <= MANY; i++)
		wire_esp(&realm, i);
	TAP_EQUAL(realm_stats(&realm).drop[IPSP_DROP_REPLAY], MANY, "the same once more: each one is a replay");
	end("from the wire");
}

/* ---- one dies ------------------------------------------------------------------------------------------ */

/* A flow's burst, dealt to STACKS that answer nothing yet, one of which dies. Its socket. */
static int burst_with_a_death(void)
{
	int fd;

	begin(STACKS, 0, shuffle);
	fd = flow_known(7);
	pause_all();
	flow_send(fd, MANY, 228);
	kill(worker[1].pid, SIGKILL);
	worker_wait(&worker[1]);
	return fd;
}

static void test_death(void)
{
	struct ipsp_event e;
	unsigned int turned, i, n = 0;
	__u64 again;
	int fd;

	fd = burst_with_a_death();
	e = realm_event(&realm, 20000);
	TAP_EQUAL(e.event, IPSP_EVENT_STACK_DIED, "one of three dies with what it was dealt");
	again = realm_stats(&realm).counter[IPSP_COUNT_DEALT_AGAIN];
	TAP_EQUAL(again, e.count, "which is dealt again at once");
	tap(again > MANY / 5 && again < MANY / 2, "its share, %llu, and no other's", again);
	resume_all();
	tap(flow_left(MANY, 0), "all leave in their order");
	for (i = 0; i < STACKS; i += 2)
		n += said(&worker[i], &turned);
	TAP_EQUAL(n, MANY, "by the other two");
	TAP_EQUAL(drops(), 0, "none is dropped");
	close(fd);
	end("one died");
}

static void test_spare(void)
{
	struct ipsp_compartment c;
	unsigned int turned;
	int fd;

	begin(1, 1, shuffle);
	c = realm_now(&realm);
	TAP_EQUAL(c.stacks_attached * 10 + c.spares_attached, 11, "one stack and one spare");
	fd = flow_known(7);
	pause_all();
	flow_send(fd, MANY / 2, 228);
	kill(worker[0].pid, SIGKILL);
	worker_wait(&worker[0]);
	TAP_EQUAL(realm_event(&realm, 20000).event, IPSP_EVENT_STACK_DIED, "the stack dies");
	flow_send(fd, MANY / 4, 228);
	TAP_EQUAL(drops(), 0, "the spare has its place: nothing is dropped");
	resume_all();
	tap(flow_left(MANY / 2 + MANY / 4, 0), "all leave in their order");
	TAP_EQUAL(said(&worker[1], &turned), MANY / 2 + MANY / 4, "by the spare");
	c = realm_now(&realm);
	TAP_EQUAL(c.stacks_attached * 10 + c.spares_attached, 10, "which is the stack now");
	realm_join(&realm, &worker[0], 0, shuffle, NULL);
	c = realm_now(&realm);
	TAP_EQUAL(c.stacks_attached * 10 + c.spares_attached, 11, "the next one is the spare");
	flow_send(fd, 20, 228);
	tap(flow_left(20, 0), "and what comes goes on");
	TAP_EQUAL(said(&worker[0], &turned), 0, "without it");
	close(fd);
	end("a spare");
}

/* ---- fewer, and more ------------------------------------------------------------------------------------- */

static int ends_by_itself(struct worker *w)
{
	const struct ipsp_event e = realm_event(&realm, 20000);
	const int status = worker_wait(w);

	if (e.event == IPSP_EVENT_STACK_DIED && !e.cause && WIFEXITED(status) && !WEXITSTATUS(status))
		return 1;
	printf("# event %u cause %u, status %x\n", e.event, e.cause, (unsigned int)status);
	return 0;
}

static void test_fewer(void)
{
	unsigned int i, turned;
	int fd;

	begin(STACKS, 0, shuffle);
	fd = flow_known(7);
	pause_all();
	flow_send(fd, MANY, 228);
	realm_stacks(&realm, 1, 0);
	tap(!realm_event(&realm, 200).event, "two of three have to go: they keep what they were dealt");
	resume_all();
	tap(flow_left(MANY, 0), "all leave in their order");
	for (i = 1; i < STACKS; i++)
		tap(said(&worker[i], &turned) > MANY / 5, "what stack %u had by itself", i);
	tap(ends_by_itself(&worker[1]) + ends_by_itself(&worker[2]) == 2, "then they end, and nobody kills them");
	flow_send(fd, 50, 228);
	tap(flow_left(50, 0), "the one that is left goes on");
	TAP_EQUAL(drops(), 0, "none is dropped");
	TAP_EQUAL(realm_stats(&realm).counter[IPSP_COUNT_DEALT_AGAIN], 0, "none is dealt again");
	realm_stacks(&realm, STACKS, 0);
	for (i = 1; i < STACKS; i++)
		realm_join(&realm, &worker[i], i, shuffle, NULL);
	said(&worker[0], &turned);
	pause_all();
	flow_send(fd, MANY, 228);
	resume_all();
	tap(flow_left(MANY, 0), "with new ones, all leave in their order");
	for (i = 0; i < STACKS; i++)
		tap(said(&worker[i], &turned) > MANY / 5, "stack %u had its share", i);
	close(fd);
	end("fewer");
}

/* The one whose index is too high stays until somebody has its place. */
static void test_last(void)
{
	int fd;

	begin(2, 0, shuffle);
	fd = flow_known(7);
	kill(worker[0].pid, SIGKILL);
	worker_wait(&worker[0]);
	TAP_EQUAL(realm_event(&realm, 20000).event, IPSP_EVENT_STACK_DIED, "of two stacks the first dies");
	realm_stacks(&realm, 1, 0);
	flow_send(fd, 50, 228);
	tap(flow_left(50, 0), "one is wanted: the second stays while it is the only one");
	realm_join(&realm, &worker[0], 0, shuffle, NULL);
	tap(ends_by_itself(&worker[1]), "and goes when the first is there again");
	flow_send(fd, 50, 228);
	tap(flow_left(50, 0), "which goes on");
	TAP_EQUAL(drops(), 0, "none is dropped");
	close(fd);
	end("the last one");
}

/* ---- one history ------------------------------------------------------------------------------------------ */

/* Of a kind that changes nothing for the packets: a policy would have the flow asked again. */
static void announce(void)
{
	_Alignas(64) unsigned char bytes[128] = { 0 };
	struct ipsp_record *rec = (struct ipsp_record *)bytes;

	rec->type = IPSP_REC_TIME;
	rec->control_len = sizeof(struct ipsp_time);
	rec->len = sizeof(bytes);
	if (realm_control(&realm, rec, IPSP_TARGET_ALL))
		tap_give_up("a control record");
}

/* Every stack sees the record, all that came before it in front of it and all that came after it behind it. */
static void test_history(void)
{
	unsigned int i, seen = 0;
	int what, last = -1, first = 1 << 30, fd;

	begin(STACKS, 0, recite);
	fd = flow_known(7);
	pause_all();
	flow_send(fd, MANY / 2, 228);
	announce();
	flow_send(fd, MANY / 2, 228);
	resume_all();
	tap(flow_left(2 * (MANY / 2), 0), "a control record in the midst of packets: all leave in their order");
	for (i = 0; i < STACKS; i++) {
		int behind = 0;

		/* one that has no packet behind the record may read it after all of them have left */
		while ((what = worker_said(&worker[i], behind ? 0 : 10000)) != -1) {
			if (what == -2)
				behind = 1;
			else if (behind && what < first)
				first = what;
			else if (!behind && what > last)
				last = what;
		}
		seen += (unsigned int)behind;
	}
	TAP_EQUAL(seen, STACKS, "each stack has the control record");
	tap(last + 1 == first, "at one point of the order: up to ticket %d, from ticket %d", last, first);
	close(fd);
	end("one history");
}

/* ---- poison ------------------------------------------------------------------------------------------------ */

static struct ipsp_event next_but_deaths(void)
{
	struct ipsp_event e;

	do
		e = realm_event(&realm, 20000);
	while (e.event == IPSP_EVENT_STACK_DIED);
	return e;
}

/* Who saves it into memory that lets the call wait keeps nobody else from the control device. */
static void *poison_save(void *page)
{
	struct ipsp_poison p = { .data = (uintptr_t)page, .size = MAGIC };

	realm_poison(&realm, &p);
	return NULL;
}

static void poison_stalled(void)
{
	int status = -1, waits, i;
	pthread_t saver;
	struct stall s;
	pid_t other;

	if (stall_begin(&s) || pthread_create(&saver, NULL, poison_save, s.page))
		tap_give_up("userfaultfd");
	waits = stall_has_one(&s);
	other = fork();
	if (!other) {
		realm_stats(&realm);
		_exit(0);
	}
	for (i = 0; i < 500 && waitpid(other, &status, WNOHANG) != other; i++)
		usleep(10000);
	tap(waits && !status, "who saves it into slow memory keeps nobody waiting");
	stall_end(&s);
	pthread_join(saver, NULL);
	if (status)
		waitpid(other, NULL, 0);
}

static void test_poison(void)
{
	unsigned char packet[WORLD_PACKET_MAX];
	struct ipsp_poison p = { .data = (uintptr_t)packet, .size = MAGIC - 1 };
	struct ipsp_event e;
	int fd, other;

	begin(2, 0, crash);
	fd = flow_known(7);
	other = flow_known(8);
	TAP_EQUAL(realm_poison(&realm, &p), ENOENT, "no poison yet");
	pause_all();
	flow_send(other, 50, 228);
	flow_send(fd, 1, MAGIC);
	flow_send(other, 50, 228);
	resume_all();
	e = next_but_deaths();
	TAP_EQUAL(e.event, IPSP_EVENT_POISON, "what two stacks died on is poison");
	worker_wait(&worker[0]);
	worker_wait(&worker[1]);
	TAP_EQUAL(next_but_deaths().event, 0, "which is told once");
	realm_join(&realm, &worker[0], 0, crash, NULL);
	tap(flow_left(100, 1), "the other flow loses nothing, and the poison's number is not used");
	TAP_EQUAL(realm_stats(&realm).drop[IPSP_DROP_POISON], 1, "it is dropped");
	TAP_EQUAL(drops(), 1, "and nothing else is");
	TAP_EQUAL(realm_poison(&realm, &p), EMSGSIZE, "it does not fit into less");
	p.size = p.length;
	p.data = 64;
	TAP_EQUAL(realm_poison(&realm, &p), EFAULT, "nor where no memory is");
	p.data = (uintptr_t)packet;
	TAP_EQUAL(realm_poison(&realm, &p), 0, "it was kept");
	TAP_EQUAL(p.ticket, e.count, "under its ticket");
	tap(p.length == MAGIC && p.type == IPSP_REC_PROTECT && packet[0] == 0x45 && packet[19] == 7,
	    "as it came: %u bytes, to host %u", p.length, packet[19]);
	p.index = 1;
	TAP_EQUAL(realm_poison(&realm, &p), ENOENT, "and no other");
	poison_stalled();
	close(fd);
	close(other);
	end("poison");
}

/* ---- limits ------------------------------------------------------------------------------------------------ */

static struct ipsp_handle counted(__u32 id)
{
	struct ipsp_handle h = { .id = id };

	if (ioctl(realm.port, IPSP_IOC_HANDLE_GET, &h))
		tap_give_up("handle get");
	return h;
}

static unsigned int expiries(__u32 id, __u32 cause)
{
	struct ipsp_event e;
	unsigned int n = 0;

	while ((e = realm_event(&realm, 0)).event)
		n += e.event == IPSP_EVENT_EXPIRE && e.handle == id && e.cause == cause;
	return n;
}

static int is_expired(unsigned int count)
{
	return realm_stats(&realm).drop[IPSP_DROP_EXPIRED] >= count;
}

/* All are dealt before the first is answered, and one stack dies: the count is that of what leaves, in its order. */
static void test_limit_out(void)
{
	struct ipsp_handle h;
	int fd, i;

	world_limits = (struct ipsp_handle){ .hard_packets = 101 };
	fd = burst_with_a_death();
	resume_all();
	tap(flow_left(100, 0), "of %u that three stacks have, one of which dies, 100 leave, in their order", MANY);
	for (i = 0; i < 2000 && !is_expired(MANY - 100); i++)
		usleep(10000);
	h = counted(realm.out.id);
	TAP_EQUAL(h.packets, 101, "with the first of all 101 are counted");
	TAP_EQUAL(h.bytes, 101 * 228, "and so many bytes");
	TAP_EQUAL(h.expired, IPSP_EXPIRED_HARD, "the SA has expired");
	TAP_EQUAL(realm_stats(&realm).drop[IPSP_DROP_EXPIRED], MANY - 100, "the others are dropped");
	flow_send(fd, 1, 228);
	TAP_EQUAL(realm_stats(&realm).drop[IPSP_DROP_EXPIRED], MANY - 99, "and one that comes later, at once");
	TAP_EQUAL(expiries(realm.out.id, IPSP_EXPIRED_HARD), 1, "it is told once");
	close(fd);
	end("a limit, out");
}

/* The packet that reaches the bytes passes. Each has 228 outside, and is counted with what is inside. */
static void test_limit_in(void)
{
	struct ipsp_handle h;
	unsigned int i;
	__u64 each;

	world_limits = (struct ipsp_handle){ .soft_packets = 2, .hard_packets = 0 };
	begin(STACKS, 0, shuffle);
	wire_esp(&realm, 1);
	for (i = 0; i < 2000 && !counted(realm.in.id).packets; i++)
		usleep(10000);
	each = counted(realm.in.id).bytes;
	tap(each > 0, "a packet counts %llu bytes", each);
	end("a limit, in: what one counts");
	world_limits = (struct ipsp_handle){ .soft_packets = 2, .hard_bytes = 49 * each + 1 };
	begin(STACKS, 0, shuffle);
	pause_all();
	for (i = 1; i <= MANY; i++)
		wire_esp(&realm, i);
	resume_all();
	for (i = 0; i < 2000 && !is_expired(MANY - 50); i++)
		usleep(10000);
	h = counted(realm.in.id);
	TAP_EQUAL(h.packets, 50, "in: 50 reach so many bytes");
	TAP_EQUAL(realm_stats(&realm).drop[IPSP_DROP_EXPIRED], MANY - 50, "the others are dropped");
	TAP_EQUAL(h.expired, IPSP_EXPIRED_SOFT | IPSP_EXPIRED_HARD, "soft and hard");
	TAP_EQUAL(expiries(realm.in.id, IPSP_EXPIRED_SOFT), 1, "soft is told once");
	end("a limit, in");
	world_limits = (struct ipsp_handle){ 0 };
}

int main(void)
{
	world_begin();
	test_out();
	test_in();
	test_death();
	test_spare();
	test_fewer();
	test_last();
	test_history();
	test_poison();
	test_limit_out();
	test_limit_in();
	tap(world_end(), "what was made is freed");
	return tap_end();
}
