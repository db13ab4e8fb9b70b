// SPDX-License-Identifier: GPL-2.0-only
/*
 * pending.c - rules change while packets wait: those that stand when a packet leaves decide
 *
 * The stack answers the second question and not the first, so the second flow's packet waits, with its answer, for the
 * first ticket to end. Then the rules change and the stack dies.
 *
 * And packets of an SA of which a stack has taken none for long: they wait a moment before it is woken.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"
#include "world/world.h"

#define NET	20

static const char note[] __attribute__((used)) = "\n# mode: one\n";

static int control;

static void answer_second(struct stack *s, const void *verdict)
{
	struct ticket t;
	struct draft d;

	if (stack_next(s, &t) || stack_next(s, &t))
		_exit(3);
	stack_answer(s, &t, &d);
	d.answer.verdict = *(const __u16 *)verdict;
	if (d.answer.verdict == IPSP_VERDICT_BYPASS)
		d.answer.handles = d.answer.handle[0] = 0;
	stack_say(s, stack_put(s, &d));
	pause();
}

/* ---- a handle ends between an answer and its turn ---------------------------------------------------- */

static struct draft first_answer;
static struct realm with_next;		/* its outbound handle is the one that comes behind */

/* The manager's word that the handle has gone: now the first question is answered, too, in its name; then in the next one's. */
static void answer_first(struct stack *s, const struct ipsp_record *rec)
{
	if (rec->type != IPSP_REC_TIME)
		return;
	stack_put(s, &first_answer);
	s->realm = &with_next;
}

/* What says the third flow is of the handle that has gone long before it was asked. */
static void answer_late(struct stack *s, const void *unused)
{
	const struct realm *gone = s->realm;
	struct ticket t, second;
	struct draft d;

	(void)unused;
	if (stack_next(s, &t) || stack_next(s, &second))
		_exit(3);
	stack_answer(s, &t, &first_answer);
	stack_answer(s, &second, &d);
	stack_say(s, stack_put(s, &d));
	s->control = answer_first;
	while (!stack_next(s, &t)) {
		stack_say(s, t.rec.type == IPSP_REC_CLASSIFY ? t.data[19] : -2);
		stack_answer(s, &t, &d);
		if (t.rec.type == IPSP_REC_CLASSIFY && t.data[19] == 3)
			d.answer.handle[0] = gone->out.id;
		stack_put(s, &d);
	}
}

static void tell_time(struct realm *r)
{
	_Alignas(64) unsigned char bytes[128] = { 0 };
	struct ipsp_record *rec = (struct ipsp_record *)bytes;

	rec->type = IPSP_REC_TIME;
	rec->control_len = sizeof(struct ipsp_time);
	rec->data_offset = rec->len = sizeof(bytes);
	TAP_EQUAL(realm_control(r, rec, 0), 0, "a control record");
}

static void next_handle(const struct realm *r)
{
	with_next = *r;
	with_next.out.id = 0;
	with_next.out.spi ^= htonl(1u << 24);
	memset(with_next.out.counter, 0x55, sizeof(with_next.out.counter));
	TAP_EQUAL(tap_ioctl(r->port, IPSP_IOC_HANDLE_ADD, &with_next.out), 0, "the handle that comes next");
}

static unsigned int leaves_by_next(void)
{
	unsigned char packet[WORLD_PACKET_MAX];
	unsigned int count = 0;

	while (count < 2 && wire_next(packet, 10000) && wire_is_esp(&with_next, packet) &&
	       !memcmp(packet + wire_esp_at(&with_next, packet), &with_next.out.spi, 4))
		count++;
	return count;
}

/*
 * The second question was answered before the handle went, and its turn came behind that; the first was asked before. Nobody
 * could know: both are asked again, and nothing that waits for them is lost. Of one that is asked later that holds no more.
 */
static void test_handle(void)
{
	const struct realm *one[1];
	struct realm r;
	int i;

	one[0] = &r;
	realm_begin(&r, NET, 60000);
	next_handle(&r);
	realm_rules(one, 1);
	realm_start(&r, answer_late, NULL);
	wire_datagram(NET, 1);
	wire_datagram(NET, 2);
	TAP_EQUAL(realm_said(&r, 10000), 0, "the second question is answered, the first is not");
	TAP_EQUAL(tap_ioctl(r.port, IPSP_IOC_HANDLE_DEL, &r.out), 0, "its handle goes");
	tell_time(&r);
	TAP_EQUAL(realm_said(&r, 10000), 1, "the first is asked again");
	TAP_EQUAL(realm_said(&r, 10000), 2, "so is the second");
	TAP_EQUAL(leaves_by_next(), 2, "and both packets leave by the next handle");
	TAP_EQUAL(realm_stats(&r).counter[IPSP_COUNT_REHIRED], 2, "two tickets were rehired");
	TAP_EQUAL(realm_stats(&r).drop[IPSP_DROP_STALE], 0, "nothing is dropped");
	wire_datagram(NET, 3);
	for (i = 0; i < 1000 && realm_stats(&r).drop[IPSP_DROP_STALE] < 2; i++)
		usleep(10000);
	TAP_EQUAL(realm_stats(&r).drop[IPSP_DROP_STALE], 2,
		  "who names it for one that was asked later loses the question and the packet");
	TAP_EQUAL(realm_stats(&r).counter[IPSP_COUNT_REHIRED], 2, "which is not asked again");
	TAP_EQUAL(realm_balance(&r), 0, "the ledger balances");
	realm_stop(&r);
	realm_rules(NULL, 0);
	realm_end(&r);
}

/* ---- rules that change ---------------------------------------------------------------------------------- */

/* One packet's answer is out and waits. */
static void wait_behind(struct realm *r, const __u16 *verdict)
{
	const struct realm *const one[] = { r };

	realm_begin(r, NET, 60000);
	realm_rules(one, 1);
	realm_start(r, answer_second, verdict);
	wire_datagram(NET, 1);
	wire_datagram(NET, 2);
	TAP_EQUAL(realm_said(r, 10000), 0, "the second question is answered, the first is not");
}

static int pending(const struct realm *r)
{
	return realm_stats(r).counter[IPSP_COUNT_PENDING] || realm_balance(r);
}

/* The stack is killed; its tickets end when no successor has come. */
static void stack_dies(struct realm *r)
{
	int i;

	realm_stop(r);
	for (i = 0; i < 1000 && pending(r); i++)
		usleep(10000);
	tap(!pending(r), "nothing is pending");
}

/*
 * The ledger is one of tickets: a packet that waited for its flow's answer is in none between that and where it then
 * goes. Its question, and of both hosts the packet itself, are dropped where nothing may leave.
 */
static void wait_dropped(const struct realm *r)
{
	unsigned long long dropped = 0;
	int i, k;

	for (i = 0; i < 1000 && dropped < 3; i++, usleep(10000))
		for (dropped = k = 0; k < IPSP_DROP_COUNT; k++)
			dropped += realm_stats(r).drop[k];
	TAP_EQUAL(dropped, 3, "all is dropped");
}

/* The one packet that the wire has: to that host in clear. Else there is none. */
static int clear_to(unsigned int host)
{
	unsigned char packet[WORLD_PACKET_MAX];
	int is_clear = wire_next(packet, 10000) && packet[9] == 17 && packet[17] == NET && packet[19] == host;

	return is_clear && !wire_next(packet, 0);
}

static int nothing_left(void)
{
	unsigned char packet[WORLD_PACKET_MAX];
	const unsigned int length = wire_next(packet, 0);
	unsigned int i;

	if (!length)
		return 1;
	printf("# %u bytes left:", length);
	for (i = 0; i < length && i < 48; i++)
		printf(" %02x", packet[i]);
	puts("");
	return 0;
}

static void test_kept(const __u16 *verdict, const char *what)
{
	struct realm r;

	wait_behind(&r, verdict);
	stack_dies(&r);
	wait_dropped(&r);
	tap(nothing_left(), "%s: under its rules nothing leaves in clear", what);
	realm_rules(NULL, 0);
	realm_end(&r);
}

/* As `compartment del --rules drop` */
static void test_drop(const __u16 *verdict, const char *what)
{
	struct ipsp_name n = { .flags = IPSP_DELF_RULES_DROP };
	struct realm r;

	wait_behind(&r, verdict);
	memcpy(n.name, r.name, sizeof(n.name));
	TAP_EQUAL(tap_ioctl(control, IPSP_CTL_COMPARTMENT_DEL, &n), 0, "the compartment goes, its rules drop");
	tap(nothing_left(), "%s: nor by its deletion, with rules that drop", what);
	realm_stop(&r);
	tap(nothing_left(), "%s: nor behind that", what);
	close(r.port);
	realm_rules(NULL, 0);
}

/* Whoever takes the rules away first lets go what waits, as all that comes later. */
static void test_gone(const __u16 *verdict, const char *what)
{
	struct realm r;

	wait_behind(&r, verdict);
	realm_rules(NULL, 0);
	stack_dies(&r);
	tap(clear_to(2), "%s: control: without any rule it leaves as a new one would", what);
	realm_end(&r);
}

/* ---- packets of which nothing comes ----------------------------------------------------------------------- */

#define VAIN		16	/* so many in a row, */
#define PATIENCE	1000	/* then its next ones wait so many us, */
#define ALTERED		1000	/* and of numbers from here on nothing comes */

static int now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int)(now.tv_sec % 1000 * 1000000 + now.tv_nsec / 1000);
}

/* Says when it sees each packet that came in. */
static void answer_altered(struct stack *s, const void *unused)
{
	struct ticket t;
	struct draft d;

	(void)unused;
	while (!stack_next(s, &t)) {
		if (t.rec.type == IPSP_REC_UNPROTECT)
			stack_say(s, now_us());
		stack_answer(s, &t, &d);
		if (t.rec.type == IPSP_REC_UNPROTECT && t.packet.stamp[0].first >= ALTERED) {
			d.answer = (struct ipsp_answer){ .verdict = IPSP_VERDICT_DROP, .reason = IPSP_DROP_INTEGRITY };
			d.rec.data_len = d.length = 0;
			d.rec.len = d.publish = d.rec.data_offset;
		}
		if (stack_put(s, &d))
			break;
	}
}

static int is_asleep(const struct realm *r)
{
	char path[32], state = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", r->stack);
	stat = fopen(path, "re");
	if (!stat || fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (stat)
		fclose(stat);
	return state == 'S';
}

/* All is answered, and the stack sleeps. */
static void quiet(const struct realm *r)
{
	int i;

	for (i = 0; i < 1000 && (pending(r) || !is_asleep(r)); i++)
		usleep(10000);
	if (i == 1000)
		tap_give_up("a stack that sleeps");
}

static unsigned long long wakeups(const struct realm *r)
{
	return realm_stats(r).counter[IPSP_COUNT_WAKEUPS];
}

/* Is the stack woken before the packet has come in? */
static int wakes_at_once(struct realm *r, unsigned int number)
{
	unsigned long long before;
	int at_once;

	quiet(r);
	before = wakeups(r);
	wire_esp(r, number);
	at_once = wakeups(r) > before;
	return realm_said(r, 10000) != -1 && at_once;
}

/* us from its sending until the stack sees it; -1: never */
static int waits(struct realm *r, unsigned int number)
{
	int sent, seen;

	quiet(r);
	sent = now_us();
	wire_esp(r, number);
	seen = realm_said(r, 10000);
	return seen == -1 ? -1 : (seen - sent + 1000000000) % 1000000000;
}

static void test_vain(void)
{
	const struct realm *one[1];
	int i, shortest = PATIENCE, at_once = 0;
	struct realm r;

	one[0] = &r;
	realm_begin(&r, NET, 60000);
	realm_rules(one, 1);
	realm_start(&r, answer_altered, NULL);
	for (i = 0; i < VAIN; i++)
		at_once += wakes_at_once(&r, ALTERED + (unsigned int)i);
	TAP_EQUAL(at_once, VAIN, "each altered packet wakes its stack at once");
	for (i = 0; i < 8; i++) {
		int us = waits(&r, ALTERED + VAIN + (unsigned int)i);

		shortest = us < shortest ? us : shortest;
	}
	TAP_EQUAL(shortest, PATIENCE, "until there were many in a row: then they wait, and are opened");
	TAP_EQUAL(waits(&r, 1) >= PATIENCE, 1, "so does the SA's own behind them");
	tap(wakes_at_once(&r, ALTERED * 2), "but no other behind that");
	quiet(&r);
	TAP_EQUAL(realm_stats(&r).drop[IPSP_DROP_INTEGRITY], VAIN + 9, "and each is dropped for what it is");
	TAP_EQUAL(realm_balance(&r), 0, "the ledger balances");
	realm_stop(&r);
	realm_rules(NULL, 0);
	realm_end(&r);
}

int main(void)
{
	static const __u16 classify = IPSP_VERDICT_CLASSIFY, bypass = IPSP_VERDICT_BYPASS;

	world_begin();
	control = open("/dev/ipsec-port/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		tap_give_up("/dev/ipsec-port/control");
	test_kept(&classify, "to be protected");
	test_kept(&bypass, "a bypass");
	test_drop(&classify, "to be protected");
	test_drop(&bypass, "a bypass");
	test_gone(&classify, "to be protected");
	test_gone(&bypass, "a bypass");
	test_handle();
	test_vain();
	close(control);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
