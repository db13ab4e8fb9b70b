// SPDX-License-Identifier: GPL-2.0-only
/*
 * hold.c - packets that wait for a key exchange: held in their order, within bounds, and never for ever
 *
 * The stack asks for an SA and holds until it reads RELEASE; from then on it is honest. What leaves then is what was
 * held, so each bound is seen from both sides. We are the manager.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"
#include "world/world.h"

static const char note[] __attribute__((used)) = "\n# mode: one\n";

#define NET	60
#define ID	5

static struct realm realm;
static int control;

/* ---- the stack ------------------------------------------------------------------------------------- */

static int is_released;

static void see_release(struct stack *s, const struct ipsp_record *rec)
{
	(void)s;
	is_released |= rec->type == IPSP_REC_RELEASE;
}

/* 0 of `how`: ID for all; else each host has an id of its own. */
static unsigned int id_of(const struct ticket *t, const void *how)
{
	return *(const int *)how ? (unsigned int)(t->data[18] << 8 | t->data[19]) : ID;
}

static void keep(struct stack *s, const void *how)
{
	struct ipsp_acquire a;
	struct ticket t;
	struct draft d;

	s->control = see_release;
	while (!stack_next(s, &t)) {
		stack_answer(s, &t, &d);
		if (t.rec.type == IPSP_REC_CLASSIFY && !is_released) {
			a = stack_acquire(&t, id_of(&t, how));
			stack_put_acquire(s, &a);
			d.answer.verdict = IPSP_VERDICT_HOLD;
			d.answer.acquire = a.acquire;
			d.answer.handles = d.answer.handle[0] = 0;
		}
		if (stack_put(s, &d))
			return;
	}
}

/* ---- around it ------------------------------------------------------------------------------------- */

static const int one_id = 0, many_ids = 1;

static void hold_for(unsigned int ms)
{
	struct ipsp_compartment c = { .hold_ms = ms };

	memcpy(c.name, realm.name, sizeof(c.name));
	if (ioctl(control, IPSP_CTL_COMPARTMENT_SET, &c))
		tap_give_up("compartment set");
}

static void begin(unsigned int ms, void (*run)(struct stack *s, const void *how), const int *how)
{
	const struct realm *const one[] = { &realm };

	realm_begin(&realm, NET, 60000);
	hold_for(ms);
	realm_rules(one, 1);
	realm_start(&realm, run, how);
}

static void end(const char *what)
{
	TAP_EQUAL(realm_balance(&realm), 0, "%s: the ledger balances", what);
	realm_stop(&realm);
	realm_rules(NULL, 0);
	realm_end(&realm);
}

static __u64 count(int which)
{
	return realm_stats(&realm).counter[which];
}

static __u64 dropped(int reason)
{
	return realm_stats(&realm).drop[reason];
}

/* Waits until a number is there: so many are held, or dropped. */
static int becomes(__u64 (*of)(int which), int which, __u64 wanted)
{
	int i;

	for (i = 0; i < 3000 && of(which) != wanted; i++)
		usleep(10000);
	if (of(which) == wanted)
		return 1;
	printf("# %llu, wanted %llu\n", of(which), wanted);
	return 0;
}

static void acquired(unsigned int type, unsigned int id)
{
	_Alignas(64) unsigned char bytes[128] = { 0 };
	struct ipsp_record *rec = (struct ipsp_record *)bytes;

	rec->type = (__u16)type;
	rec->control_len = sizeof(struct ipsp_acquired);
	rec->len = sizeof(bytes);
	((struct ipsp_acquired *)(rec + 1))->acquire = id;
	if (realm_control(&realm, rec, IPSP_TARGET_ALL))
		tap_give_up("RELEASE or REFUSE");
}

/* What the manager has to read of ACQUIRE; the first one to *first. Deaths are read over. */
static unsigned int acquires(struct ipsp_acquire *first)
{
	static _Alignas(64) char record[4096];
	const struct ipsp_record *rec = (const struct ipsp_record *)record;
	struct pollfd p = { .fd = realm.port, .events = POLLIN };
	unsigned int n = 0;

	while (poll(&p, 1, 0) == 1 && (p.revents & POLLIN) && read(realm.port, record, sizeof(record)) > 0)
		if (rec->type == IPSP_REC_ACQUIRE && !n++)
			memcpy(first, rec + 1, sizeof(*first));
	return n;
}

static void stack_pause(int signal)
{
	int status;

	kill(realm.stack, signal);
	if (signal == SIGSTOP)
		waitpid(realm.stack, &status, WUNTRACED);
}

static int flow_open(unsigned int host)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	const int room = 16 << 20;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = htonl(10u << 24 | NET << 16 | host);
	if (fd < 0 || connect(fd, (void *)&to, sizeof(to)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)))
		tap_give_up("a flow");
	return fd;
}

static void flow_send(int fd, unsigned int length)
{
	static const char payload[WORLD_PACKET_MAX];

	if (send(fd, payload, length - 28, 0) < 0)
		tap_give_up("send");
}

/* So many leave, ESP all of them, each longer than the one before it. */
static int leave_rising(unsigned int wanted)
{
	unsigned char packet[WORLD_PACKET_MAX];
	unsigned int n, length, before = 0;

	for (n = 0; n < wanted; n++, before = length) {
		length = wire_next(packet, 20000);
		if (!wire_is_esp(&realm, packet) || length <= before) {
			printf("# packet %u of %u: %u bytes behind one of %u\n", n, wanted, length, before);
			return 0;
		}
	}
	return !wire_next(packet, 0);
}

static int nothing_leaves(void)
{
	unsigned char packet[WORLD_PACKET_MAX];

	return !wire_next(packet, 0);
}

static unsigned int left(void)
{
	unsigned char packet[WORLD_PACKET_MAX];
	unsigned int n = 0;

	while (wire_next(packet, n ? 300 : 20000))
		n += wire_is_esp(&realm, packet) ? 1 : 1000000;
	return n;
}

/* ---- released, refused, expired --------------------------------------------------------------------- */

static void test_release(void)
{
	struct ipsp_acquire a = { 0 };
	unsigned int i;
	int fd;

	begin(60000, keep, &one_id);
	fd = flow_open(7);
	for (i = 0; i < 10; i++)
		flow_send(fd, 100 + 40 * i);
	tap(becomes(count, IPSP_COUNT_HELD, 1), "a flow of ten packets is held");
	TAP_EQUAL(realm_balance(&realm), 0, "and balances so");
	tap(nothing_leaves(), "nothing leaves");
	TAP_EQUAL(acquires(&a), 1, "the manager is asked once");
	tap(a.acquire == ID && a.selector.destination[3] == 7 && a.selector.destination_prefix == 32,
	    "for that packet");
	for (i = 10; i < 20; i++)
		flow_send(fd, 100 + 40 * i);
	acquired(IPSP_REC_RELEASE, ID + 1);
	TAP_EQUAL(count(IPSP_COUNT_HELD), 1, "the release of another id is none");
	acquired(IPSP_REC_REFUSE, ID + 1);
	TAP_EQUAL(count(IPSP_COUNT_HELD), 1, "nor is its refusal");
	/* is_released is said of any id to our stack */
	acquired(IPSP_REC_RELEASE, ID);
	for (i = 20; i < 30; i++)
		flow_send(fd, 100 + 40 * i);
	tap(leave_rising(30), "released, all thirty leave in their order, as ESP");
	TAP_EQUAL(count(IPSP_COUNT_REHIRED), 1, "its ticket was rehired");
	TAP_EQUAL(count(IPSP_COUNT_HELD), 0, "nothing is held");
	TAP_EQUAL(count(IPSP_COUNT_DROPPED), 0, "nothing was dropped");
	close(fd);
	end("released");
}

static void test_refuse(void)
{
	struct ipsp_acquire a;

	begin(60000, keep, &one_id);
	wire_datagram(NET, 1);
	wire_datagram(NET, 2);
	tap(becomes(count, IPSP_COUNT_HELD, 2), "two flows are held");
	TAP_EQUAL(acquires(&a), 2, "each destination is told");
	acquired(IPSP_REC_REFUSE, ID);
	TAP_EQUAL(dropped(IPSP_DROP_NO_SA), 4, "refused: two questions and two packets are dropped");
	TAP_EQUAL(count(IPSP_COUNT_HELD), 0, "nothing is held");
	wire_datagram(NET, 3);
	tap(becomes(dropped, IPSP_DROP_NO_SA, 6), "and so is what comes right behind");
	tap(nothing_leaves(), "nothing leaves");
	end("refused");
}

static void test_expiry(void)
{
	begin(300, keep, &one_id);
	wire_datagram(NET, 1);
	tap(becomes(dropped, IPSP_DROP_HOLD_EXPIRED, 2), "when its time is over a packet is dropped");
	TAP_EQUAL(count(IPSP_COUNT_HELD), 0, "nothing is held");
	acquired(IPSP_REC_RELEASE, ID);
	tap(nothing_leaves(), "a release behind that brings nothing back");
	wire_datagram(NET, 1);
	TAP_EQUAL(left(), 1, "but what comes then leaves");
	end("expired");
}

/* The stack reads the question before the release, and says HOLD behind it. */
static void test_late(unsigned int type, const char *what)
{
	begin(60000, keep, &one_id);
	stack_pause(SIGSTOP);
	wire_datagram(NET, 1);
	acquired(type, ID);
	stack_pause(SIGCONT);
	if (type == IPSP_REC_RELEASE)
		TAP_EQUAL(left(), 1, "HOLD said behind the release: asked again, and it leaves");
	else
		tap(becomes(dropped, IPSP_DROP_NO_SA, 2), "HOLD said behind the refusal: dropped");
	TAP_EQUAL(count(IPSP_COUNT_HELD), 0, "nothing is held");
	end(what);
}

static void test_policy(void)
{
	_Alignas(64) unsigned char bytes[128] = { 0 };
	struct ipsp_record *rec = (struct ipsp_record *)bytes;

	begin(60000, keep, &one_id);
	wire_datagram(NET, 1);
	tap(becomes(count, IPSP_COUNT_HELD, 1), "a flow is held");
	rec->type = IPSP_REC_POLICY;
	rec->control_len = sizeof(struct ipsp_policy);
	rec->len = sizeof(bytes);
	if (realm_control(&realm, rec, IPSP_TARGET_ALL))
		tap_give_up("a policy");
	tap(becomes(count, IPSP_COUNT_REHIRED, 1), "the policies change: it is asked again");
	tap(becomes(count, IPSP_COUNT_HELD, 1), "and held again");
	acquired(IPSP_REC_RELEASE, ID);
	TAP_EQUAL(left(), 1, "released, it leaves");
	end("another policy");
}

/* ---- bounds ------------------------------------------------------------------------------------------ */

/* Of 20 flows of ten packets twelve fit: 128 packets of an id. */
static void test_packets(void)
{
	unsigned int host, i;
	int fd[21];

	begin(60000, keep, &one_id);
	stack_pause(SIGSTOP);
	for (host = 1; host <= 20; host++) {
		fd[host] = flow_open(host);
		for (i = 0; i < 10; i++)
			flow_send(fd[host], 100);
	}
	stack_pause(SIGCONT);
	tap(becomes(dropped, IPSP_DROP_HOLD_EXPIRED, 8 * 11), "of twenty flows of ten, eight are too many for an id");
	TAP_EQUAL(count(IPSP_COUNT_HELD), 12, "twelve are held");
	for (i = 0; i < 10; i++)
		flow_send(fd[1], 100);
	TAP_EQUAL(dropped(IPSP_DROP_HOLD_EXPIRED), 8 * 11 + 2, "of ten more of the first, two are too many");
	acquired(IPSP_REC_RELEASE, ID);
	TAP_EQUAL(left(), 128, "released, those leave");
	for (host = 1; host <= 20; host++)
		close(fd[host]);
	end("many packets");
}

/* Flows with ids of their own, as from spoofed sources: the compartment's bound. */
static void test_flood(void)
{
	unsigned int host;

	begin(60000, keep, &many_ids);
	for (host = 1; host <= 1500; host++)
		wire_datagram(NET, host);
	tap(becomes(dropped, IPSP_DROP_HOLD_EXPIRED, 2 * (1500 - 1024)), "of 1500 flows 1024 fit into a compartment");
	TAP_EQUAL(count(IPSP_COUNT_HELD), 1024, "which are held");
	tap(realm_stats(&realm).memory < 16u << 20, "and it has %llu bytes", realm_stats(&realm).memory);
	hold_for(50);
	acquired(IPSP_REC_REFUSE, 3);
	TAP_EQUAL(count(IPSP_COUNT_HELD), 1023, "one of them is refused");
	end("many flows");		/* with all that are held */
}

/* ---- a stack that lies -------------------------------------------------------------------------------- */

#define FLOOD	20000

static void shout(struct stack *s, const void *how)
{
	struct ipsp_acquire a;
	struct ticket t;
	unsigned int i;

	(void)how;
	stack_next(s, &t);
	for (i = 1; i <= FLOOD; i++) {
		a = stack_acquire(&t, i % 3 ? i : ID);
		memcpy(a.selector.destination, &i, 4);
		stack_put_acquire(s, &a);
		if (i % 64)
			continue;
		ipsp_ring_submit(&s->up);
		if (ioctl(s->fd, IPSP_IOC_KICK, 0))
			_exit(4);
	}
	ipsp_ring_submit(&s->up);
	ioctl(s->fd, IPSP_IOC_KICK, 0);
	stack_say(s, 1);
	do {
		struct draft d;

		stack_answer(s, &t, &d);
		if (stack_put(s, &d))
			return;
	} while (!stack_next(s, &t));
}

static void test_shout(void)
{
	const time_t start = time(NULL);
	struct ipsp_acquire a;
	struct ipsp_stats before, after;
	unsigned int heard = 0;
	int said;

	begin(60000, shout, &one_id);
	before = realm_stats(&realm);
	wire_datagram(NET, 1);
	while ((said = realm_said(&realm, 1)) == -1 && time(NULL) - start < 120)
		heard += acquires(&a);
	heard += acquires(&a);
	TAP_EQUAL(said, 1, "a stack asks for 20,000 SAs");
	after = realm_stats(&realm);
	tap(after.counter[IPSP_COUNT_OBJECTS_MADE] - after.counter[IPSP_COUNT_OBJECTS_FREED] <
	    before.counter[IPSP_COUNT_OBJECTS_MADE] - before.counter[IPSP_COUNT_OBJECTS_FREED] + 1024 + 64 + 16,
	    "the kernel remembers no more than 1024 ids");
	tap(heard >= 64 && heard <= 256 * (unsigned int)(time(NULL) - start + 2),
	    "and the manager, which reads all the time, hears %u", heard);
	TAP_EQUAL(left(), 1, "the packet leaves");
	end("shouted at");
}

/* Spoiled in one way; whoever lies so is ended. */
static void spoil(struct stack *s, const void *how)
{
	struct ipsp_record *rec;
	struct ipsp_acquire a;
	struct ticket t;

	stack_next(s, &t);
	a = stack_acquire(&t, ID);
	switch (*(const int *)how) {
	case 1: a.acquire = 0; break;
	case 2: a.selector.destination_prefix = 24; break;
	case 3: a.selector.family = 0; break;
	case 4: a.selector.family = 6; break;
	case 5: a.selector.source_first = 2; a.selector.source_last = 1; break;
	case 6: a.reserved[4] = 1; break;
	case 7: a.selector.reserved = 1; break;
	}
	rec = ipsp_ring_record(&s->up);
	stack_put_acquire(s, &a);
	if (*(const int *)how == 8)
		rec->control_len -= 4;
	if (*(const int *)how == 9)
		rec->ticket = t.rec.ticket, rec->flags = 1;
	ipsp_ring_submit(&s->up);
	stack_say(s, ioctl(s->fd, IPSP_IOC_KICK, 0) ? errno : 0);
	pause();
}

static void test_spoil(void)
{
	static const char *const what[] = { "control: nothing spoiled", "no id", "a net", "no family", "another family",
					    "ports that fall", "a reserved word", "the selector's", "too short",
					    "a flag" };
	struct ipsp_acquire a;
	struct ipsp_event e;
	int i;

	for (i = 0; i < 10; i++) {
		begin(60000, spoil, &i);
		wire_datagram(NET, 1);
		if (!i) {
			TAP_EQUAL(realm_said(&realm, 10000), 0, "an ACQUIRE: %s", what[i]);
			TAP_EQUAL(acquires(&a), 1, "is told");
		} else {
			e = realm_event(&realm, 10000);
			tap(e.event == IPSP_EVENT_STACK_BROKEN && e.cause == IPSP_BROKEN_RECORD,
			    "an ACQUIRE: %s: its stack is ended", what[i]);
		}
		realm_stop(&realm);
		realm_rules(NULL, 0);
		realm_end(&realm);
	}
}

/* ---- devices, namespaces ------------------------------------------------------------------------------ */

static void test_device(void)
{
	begin(60000, keep, &one_id);
	if (system("ip link add gone0 type veth peer name gone1 && ip link set gone0 up && ip link set gone1 up && "
		   "ip route add 10.60.0.99/32 dev gone0"))
		tap_give_up("a device");
	wire_datagram(NET, 1);
	wire_datagram(NET, 99);
	tap(becomes(count, IPSP_COUNT_HELD, 2), "two flows are held, one by a device of its own");
	TAP_EQUAL(system("timeout 20 ip link del gone0"), 0, "that device goes");
	tap(becomes(dropped, IPSP_DROP_GONE, 1), "and its packet with it");
	acquired(IPSP_REC_RELEASE, ID);
	TAP_EQUAL(left(), 1, "the other one is released");
	end("a device");
}

/* Another program, with a namespace of its own, in which it ends while a flow is held. */
static int ends_in_the_middle(void)
{
	world_begin();
	control = open("/dev/ipsec-port/control", O_RDWR | O_CLOEXEC);
	begin(60000, keep, &one_id);
	wire_datagram(NET, 1);
	return becomes(count, IPSP_COUNT_HELD, 1) ? 7 : 1;
}

static void test_namespace(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(ends_in_the_middle());
	waitpid(pid, &status, 0);
	tap(WIFEXITED(status) && WEXITSTATUS(status) == 7, "a namespace ends with a flow that is held");
}

int main(void)
{
	test_namespace();
	world_begin();
	control = open("/dev/ipsec-port/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		tap_give_up("/dev/ipsec-port/control");
	test_release();
	test_refuse();
	test_expiry();
	test_late(IPSP_REC_RELEASE, "released before");
	test_late(IPSP_REC_REFUSE, "refused before");
	test_policy();
	test_packets();
	test_flood();
	test_shout();
	test_spoil();
	test_device();
	close(control);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
