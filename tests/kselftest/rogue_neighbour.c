// SPDX-License-Identifier: GPL-2.0-only
/*
 * rogue_neighbour.c - a compartment that reaches for its neighbour's things, that floods, that will not end
 *
 * What is another's is not there for it, be that another compartment's or another stack's of its own. What it sends in
 * masses is bounded and counted, and its neighbour's packets go on meanwhile. Its memory is taken from it at a break,
 * whoever else lives in that memory.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"
#include "world/lie.h"

/* ---- what is another's, or dead ------------------------------------------------------------------------ */

/* The neighbour's handles; their numbers are beyond those in the rogue's compartment. */
static struct ipsp_handle foreign_out, foreign_in;
static __u32 dead_handle;

#define LIES(X) \
	X(1, CLASSIFY, NONE, STALE, "the neighbour's outbound handle", d->answer.handle[0] = foreign_out.id) \
	X(2, CLASSIFY, NONE, STALE, "the neighbour's inbound handle", d->answer.handle[0] = foreign_in.id) \
	X(3, CLASSIFY, NONE, STALE, "the number that no handle has", d->answer.handle[0] = 0) \
	X(4, PROTECT, HEADER, NONE, "the neighbour's SPI", memcpy(d->data + 20, &foreign_out.spi, 4)) \
	X(5, UNPROTECT, NONE, INNER, "a packet of the neighbour's hosts", \
	  d->data[13] = (unsigned char)neighbour.net) \
	X(6, UNPROTECT, NONE, INNER, "a packet of the tunnel's other end", memcpy(d->data + 12, "\12\11\0\2", 4)) \
	X(7, CLASSIFY, NONE, STALE, "the neighbour's handle outside of ours", \
	  (d->answer.handles = 2, d->answer.handle[1] = foreign_out.id))

LIES(LIE_SPOIL)
static const struct lie lies[] = { LIES(LIE_ENTRY) };

static struct ipsp_handle handle_like(const struct realm *r, struct ipsp_handle h, unsigned char what)
{
	h.id = 0;
	h.spi ^= htonl((unsigned int)what << 24);
	memset(h.counter, what, sizeof(h.counter));
	if (ioctl(r->port, IPSP_IOC_HANDLE_ADD, &h))
		tap_give_up("one more handle");
	return h;
}

static void foreign_begin(void)
{
	unsigned char i;

	for (i = 0; i < 4; i++) {
		foreign_out = handle_like(&neighbour, neighbour.out, 0x10 + i);
		foreign_in = handle_like(&neighbour, neighbour.in, 0x20 + i);
	}
}

static void handle_that_dies(void)
{
	struct ipsp_handle h = handle_like(&rogue, rogue.out, 0x30);

	dead_handle = h.id;
	h = (struct ipsp_handle){ .id = dead_handle };
	if (ioctl(rogue.port, IPSP_IOC_HANDLE_DEL, &h))
		tap_give_up("handle del");
}

static void spoil_dead(struct draft *d, const struct ticket *t)
{
	(void)t;
	d->answer.handle[0] = dead_handle;
}

static void test_others(void)
{
	static const struct lie dead = { .what = "a handle that was deleted", .prepare = handle_that_dies,
		.spoil = spoil_dead, .type = IPSP_REC_CLASSIFY, .host = 9, .drop = IPSP_DROP_STALE,
		.drops = 2 };
	size_t i;

	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
		tap(lie_is_refused(&lies[i]), "%s", lies[i].what);
	tap(lie_is_refused(&dead), "%s", dead.what);
}

/* ---- a ticket of another stack's ------------------------------------------------------------------------- */

/* Two stacks of one compartment, and how far each is */
static struct theft {
	unsigned int type;		/* of the ticket that is stolen */
	int late;			/* when its owner has answered it */
	volatile unsigned int owner;	/* its index + 1; 0: there is none yet */
	volatile int go, answered;
	struct ticket ticket;
} *theft;

/* As its owner would answer it */
static void steal(struct stack *s)
{
	struct draft d;

	while (theft->late && !theft->answered)
		usleep(1000);
	stack_answer(s, &theft->ticket, &d);
	stack_say(s, -stack_put(s, &d));
	pause();
}

static void own(struct stack *s, const struct ticket *t)
{
	theft->ticket = *t;
	theft->owner = s->index + 1;
	while (!theft->go && !theft->late)
		usleep(1000);
}

/* Whoever is dealt the ticket is its owner, the other one the thief. */
static void owner_or_thief(struct stack *s, const void *unused)
{
	struct ticket t;
	struct draft d;

	(void)unused;
	for (;;) {
		if (theft->owner && theft->owner != s->index + 1)
			steal(s);
		if (!stack_peek(s, &t)) {
			usleep(1000);
			continue;
		}
		if (t.rec.type == theft->type && !theft->owner)
			own(s, &t);
		stack_answer(s, &t, &d);
		if (stack_put(s, &d))
			break;
		theft->answered = t.rec.type == theft->type;
	}
}

static void theft_begin(struct worker *w, unsigned int type, int late)
{
	const struct realm *const both[] = { &rogue, &neighbour };
	unsigned int i;

	memset(theft, 0, sizeof(*theft));
	theft->type = type;
	theft->late = late;
	realm_begin_shared(&rogue, 20, 60000, 2, 0);
	realm_rules(both, 2);
	for (i = 0; i < 2; i++)
		realm_join(&rogue, &w[i], i, owner_or_thief, NULL);
	if (type == IPSP_REC_UNPROTECT)
		wire_esp(&rogue, 1);
	else
		wire_datagram(rogue.net, 9);
}

static void theft_end(struct worker *w)
{
	const struct realm *const one[] = { &neighbour };

	kill(w->pid, SIGKILL);
	worker_wait(w);
	realm_rules(one, 1);
	realm_end(&rogue);
}

/* The thief is broken and killed; the owner's answer counts, once. */
static void test_theft(const char *what, unsigned int type, int late)
{
	unsigned char packet[WORLD_PACKET_MAX];
	struct worker w[2];
	struct ipsp_event e;
	struct ipsp_stats s;
	unsigned int thief, left = 0, i;
	__u64 drops = 0;
	int status;

	theft_begin(w, type, late);
	e = realm_event(&rogue, 10000);
	thief = theft->owner == 1;
	tap(e.event == IPSP_EVENT_STACK_BROKEN && e.cause == IPSP_BROKEN_TICKET && e.stack == thief,
	    "%s: event %u, cause %u, of the thief", what, e.event, e.cause);
	status = worker_wait(&w[thief]);
	tap(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s: it is killed", what);
	if (!late)
		TAP_EQUAL(lie_only_esp(), 0, "%s: nothing leaves by its word", what);
	theft->go = 1;
	for (; wire_next(packet, left ? 100 : type == IPSP_REC_UNPROTECT ? 500 : 10000); left++)
		if (!wire_is_esp(&rogue, packet) || packet[27] != 1)
			break;
	TAP_EQUAL(left, type != IPSP_REC_UNPROTECT, "%s: the owner's answer leaves, once", what);
	TAP_EQUAL(realm_balance(&rogue), 0, "%s: the ledger balances", what);
	s = realm_stats(&rogue);
	for (i = 1; i < IPSP_DROP_COUNT; i++)
		drops += s.drop[i];
	tap(s.counter[IPSP_COUNT_RELEASED] == 1 && !drops && s.counter[IPSP_COUNT_STACKS_BROKEN] == 1,
	    "%s: one is released, none dropped, one stack broken", what);
	TAP_EQUAL(realm_event(&rogue, 0).event, 0, "%s: the owner is not to blame", what);
	tap(lie_neighbour_lives(64), "%s: the neighbour goes on", what);
	theft_end(&w[!thief]);
}

static void test_thefts(void)
{
	theft = mmap(NULL, sizeof(*theft), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (theft == MAP_FAILED)
		tap_give_up("shared memory");
	test_theft("another stack's question", IPSP_REC_CLASSIFY, 0);
	test_theft("another stack's packet out", IPSP_REC_PROTECT, 0);
	test_theft("another stack's packet in", IPSP_REC_UNPROTECT, 0);
	test_theft("another stack's packet out, when it has answered", IPSP_REC_PROTECT, 1);
	test_theft("another stack's packet in, when it has answered", IPSP_REC_UNPROTECT, 1);
}

/* ---- notes ------------------------------------------------------------------------------------------------ */

struct notes {
	const char *what;
	unsigned int rounds, each;	/* KICKs, records in one */
	unsigned short reason;
	unsigned int data, cut;		/* bytes of data, bytes missing from the control part */
	int said;			/* by the last KICK */
};

static const struct notes notes[] = {
	{ "20,000 notes, a ring at a time", 10, 2000, IPSP_DROP_INTEGRITY, 0, 0, 0 },
	{ "3,000 notes, one at a time", 3000, 1, IPSP_DROP_STACK_ERROR, 0, 0, 0 },
	{ "a note for a reason of the kernel's", 1, 1, IPSP_DROP_REPLAY, 0, 0, EPIPE },
	{ "a note for no reason", 1, 1, 0, 0, 0, EPIPE },
	{ "a note for an unknown reason", 1, 1, 60000, 0, 0, EPIPE },
	{ "a note with data", 1, 1, IPSP_DROP_INTEGRITY, 8, 0, EPIPE },
	{ "a note cut short", 1, 1, IPSP_DROP_INTEGRITY, 0, 8, EPIPE },
	{ "a note between 1,000 others that lies", 1, 1000, IPSP_DROP_GONE, 0, 0, EPIPE },
};

/* Of many in one KICK the one in the middle bears what is wrong. */
static void note_put(struct stack *s, const struct notes *n, int wrong)
{
	const struct ipsp_note note = {
		.reason = wrong ? n->reason : IPSP_DROP_INTEGRITY, .count = ~0ull,
	};
	struct ipsp_record *rec = ipsp_ring_record(&s->up);

	memset(rec, 0, 192);
	rec->type = IPSP_REC_NOTE;
	rec->control_len = (__u32)sizeof(note) - n->cut;
	rec->data_offset = ipsp_record_data_offset(rec->control_len);
	rec->data_len = n->data;
	rec->len = (rec->data_offset + n->data + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	memcpy(rec + 1, &note, sizeof(note));
	ipsp_ring_step(&s->up, rec->len);
}

static void flood_notes(struct stack *s, const void *how)
{
	const struct notes *n = how;
	unsigned int i, k;
	int err = 0;

	for (i = 0; i < n->rounds && !err; i++) {
		for (k = 0; k < n->each; k++)
			note_put(s, n, k == n->each / 2);
		ipsp_ring_submit(&s->up);
		err = ioctl(s->fd, IPSP_IOC_KICK, 0) ? errno : 0;
	}
	stack_say(s, err);
	if (err)
		pause();
	stack_honest(s, NULL);
}

/* A killed process may not come to say it: the event is what counts. */
static int notes_are_taken_as(const struct notes *n)
{
	const struct lie as = { .cause = n->said ? IPSP_BROKEN_RECORD : 0 };
	int said = realm_said(&rogue, 20000);
	unsigned char packet[WORLD_PACKET_MAX];

	if (!lie_broken_as(&as))
		return 0;
	if (n->said)
		return said == n->said || said == -1;
	wire_datagram(rogue.net, 3);
	return !said && wire_next(packet, 5000) && wire_is_esp(&rogue, packet);
}

static void test_notes(const struct notes *n)
{
	struct ipsp_stats s;
	__u64 drops = 0;
	int taken, alive, i;

	lie_realms_begin(5000);
	realm_start(&rogue, flood_notes, n);
	alive = lie_neighbour_lives(60);	/* while they come */
	taken = notes_are_taken_as(n);
	s = realm_stats(&rogue);
	for (i = 1; i < IPSP_DROP_COUNT; i++)
		drops += s.drop[i];
	if (!tap(taken && alive && !drops && !realm_balance(&rogue), "%s", n->what))
		printf("# taken as wanted %d, neighbour %d, drops %llu, balance %lld\n", taken, alive, drops,
		       realm_balance(&rogue));
	lie_realms_end();
}

/* ---- SAs that nobody needs, packets that wait for them ----------------------------------------------------------- */

#define ACQUIRES	20000
#define HOLDS		300

static int kick(struct stack *s)
{
	ipsp_ring_submit(&s->up);
	return ioctl(s->fd, IPSP_IOC_KICK, 0) ? errno : 0;
}

/* With the first question it asks for masses of SAs; then it holds what comes, each flow for an SA of its own. */
static void flood_acquires(struct stack *s, const void *unused)
{
	struct ipsp_acquire a;
	struct ticket t;
	struct draft d;
	unsigned int i;
	int err = 0;

	(void)unused;
	stack_next(s, &t);
	for (i = 1; i <= ACQUIRES && !err; i++) {
		a = stack_acquire(&t, i);
		memcpy(a.selector.destination, &i, 4);
		stack_put_acquire(s, &a);
		err = i % 64 ? 0 : kick(s);
	}
	stack_say(s, err);
	do {
		stack_answer(s, &t, &d);
		d.answer = (struct ipsp_answer){ .verdict = IPSP_VERDICT_HOLD,
						 .acquire = ACQUIRES + (unsigned int)(t.data[18] << 8 | t.data[19]) };
		if (stack_put(s, &d))
			return;
	} while (!stack_next(s, &t));
}

static int is_held(unsigned int flows)
{
	unsigned int i;

	for (i = 0; i < 2000 && realm_stats(&rogue).counter[IPSP_COUNT_HELD] < flows; i++)
		usleep(10000);
	return realm_stats(&rogue).counter[IPSP_COUNT_HELD] == flows;
}

static void test_acquires(void)
{
	unsigned int host;

	lie_realms_begin(60000);
	realm_start(&rogue, flood_acquires, NULL);
	wire_datagram(rogue.net, 1);
	tap(lie_neighbour_lives(65), "while 20,000 SAs are asked for, the neighbour goes on");
	TAP_EQUAL(realm_said(&rogue, 60000), 0, "whoever asks is not broken");
	for (host = 2; host <= HOLDS; host++)
		wire_datagram(rogue.net, host);
	tap(lie_neighbour_lives(66), "while 300 flows are put on hold, too");
	tap(is_held(HOLDS), "and those are held");
	TAP_EQUAL(lie_only_esp(), 0, "nothing of them leaves");
	TAP_EQUAL(realm_balance(&rogue), 0, "the ledger balances");
	lie_realms_end();
	tap(lie_neighbour_lives(67), "when all of it has gone, the neighbour goes on");
}

/* ---- events that nobody reads, requests that nobody answers --------------------------------------------------- */

#define ATTACHMENTS	300
#define EVENTS_MAX	256
#define REQUESTS_MAX	64

static int port_open(int role, int flags)
{
	struct ipsp_attach a = { .role = role };
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/ipsec-port/%s", rogue.name);
	fd = open(path, O_RDWR | O_CLOEXEC | flags);
	if (fd < 0 || ioctl(fd, IPSP_IOC_ATTACH, &a))
		tap_give_up("attach");
	return fd;
}

/* Each attachment is two events: it came, it went. */
static void test_events(void)
{
	struct ipsp_event e;
	__u64 kept = 0, lost = 0;
	int i;

	lie_realms_begin(5000);
	for (i = 0; i < ATTACHMENTS; i++)
		close(port_open(IPSP_ROLE_STACK, 0));
	while ((e = realm_event(&rogue, 100)).event) {
		kept += e.event != IPSP_EVENT_LOST;
		lost += e.event == IPSP_EVENT_LOST ? e.count : 0;
	}
	TAP_EQUAL(kept, EVENTS_MAX, "events that nobody reads are kept up to a bound");
	TAP_EQUAL(kept + lost, 2 * ATTACHMENTS, "and the others are counted");
	tap(lie_neighbour_lives(61), "the neighbour goes on");
	realm_start(&rogue, stack_honest, NULL);
	tap(realm_balance(&rogue) == 0, "and so does the flooder, when they are read");
	lie_realms_end();
}

static int request(int fd)
{
	_Alignas(64) unsigned char bytes[192] = { 0 };
	struct ipsp_record *rec = (struct ipsp_record *)bytes;
	struct ipsp_message m = { .record = (uintptr_t)bytes };

	rec->type = IPSP_REC_ADMIN_REQUEST;
	rec->control_len = sizeof(struct ipsp_admin);
	rec->data_offset = ipsp_record_data_offset(rec->control_len);
	rec->data_len = 0;
	rec->len = m.size = rec->data_offset;
	return tap_ioctl(fd, IPSP_IOC_PUTMSG, &m);
}

static void test_requests(void)
{
	int fd[REQUESTS_MAX + 40], taken = 0, busy = 0, i;
	const int count = sizeof(fd) / sizeof(fd[0]);

	lie_realms_begin(5000);
	for (i = 0; i < count; i++) {
		fd[i] = port_open(IPSP_ROLE_ADMIN, O_NONBLOCK);
		taken += request(fd[i]) == 0;
	}
	TAP_EQUAL(taken, REQUESTS_MAX, "requests that nobody reads are kept up to a bound");
	for (i = 0; i < REQUESTS_MAX; i++)
		busy += request(fd[i]) == EBUSY;
	TAP_EQUAL(busy, REQUESTS_MAX, "an admin asks one thing at a time");
	for (i = 0; i < count; i++)
		close(fd[i]);
	realm_start(&rogue, stack_honest, NULL);
	tap(lie_neighbour_lives(62), "they push out no event, and the neighbour goes on");
	lie_realms_end();
}

/* ---- who scribbles on behind the break ---------------------------------------------------------------------- */

static char other_stack[64 << 10];

/* Another process in the stack's memory: the break's SIGKILL is not for it, the loss of its pages is. */
static int scribble(void *how)
{
	struct stack *s = how;

	for (;;) {
		volatile __u32 *word = (volatile __u32 *)ipsp_ring_record(&s->up);

		word[0] = 64;
		word[2] = ~0u;
		if (ioctl(s->fd, IPSP_IOC_KICK, 0) && errno != EPIPE)
			_exit(7);
	}
}

static void break_in_company(struct stack *s, const void *unused)
{
	const struct notes lie = { .reason = IPSP_DROP_REPLAY };
	struct stack copy = *s;
	pid_t pid;

	(void)unused;
	pid = clone(scribble, other_stack + sizeof(other_stack), CLONE_VM | SIGCHLD, &copy);
	stack_say(s, pid);
	note_put(s, &lie, 1);
	ipsp_ring_submit(&s->up);
	ioctl(s->fd, IPSP_IOC_KICK, 0);
	pause();
}

static void test_company(void)
{
	const struct lie as = { .cause = IPSP_BROKEN_RECORD };
	int status = 0, pid, broken, i;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	lie_realms_begin(5000);
	realm_start(&rogue, break_in_company, NULL);
	pid = realm_said(&rogue, 10000);
	broken = lie_broken_as(&as);
	for (i = 0; i < 500 && pid > 0 && waitpid(pid, &status, WNOHANG) != pid; i++)
		usleep(10000);
	if (i == 500)
		kill(pid, SIGKILL);
	tap(broken, "one that scribbles with two processes is broken");
	if (!tap(pid > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS,
		 "the other finds the memory gone"))
		printf("# pid %d, status %#x\n", pid, status);
	tap(lie_neighbour_lives(63) && !realm_balance(&rogue), "the neighbour goes on, the ledger balances");
	lie_realms_end();
}

int main(void)
{
	const struct realm *const one[] = { &neighbour };
	unsigned int i;

	world_begin();
	realm_begin(&neighbour, 40, 5000);
	foreign_begin();
	realm_rules(one, 1);
	realm_start(&neighbour, stack_honest, NULL);
	test_others();
	test_thefts();
	for (i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		test_notes(&notes[i]);
	test_acquires();
	test_events();
	test_requests();
	test_company();
	realm_stop(&neighbour);
	realm_rules(NULL, 0);
	realm_end(&neighbour);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
