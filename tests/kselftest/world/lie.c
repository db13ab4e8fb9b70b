// SPDX-License-Identifier: GPL-2.0-only
/* lie.c - one lie told: what it costs the liar, and nobody else */
#include "lie.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct realm rogue, neighbour;
struct realm_kind rogue_kind = { .family = 4, .mode = IPSP_SA_TUNNEL };

/* ---- spoiling ------------------------------------------------------------------------------------- */

void lie_size(struct draft *d, unsigned int length)
{
	d->length = d->rec.data_len = d->answer.segment_len = length;
	d->rec.len = (d->rec.data_offset + length + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1u);
	d->publish = d->rec.len;
}

void lie_bare(struct draft *d)
{
	lie_size(d, 0);
}

void lie_toobig(struct draft *d, unsigned int mtu)
{
	d->answer.verdict = IPSP_VERDICT_TOOBIG;
	d->answer.mtu = mtu;
	lie_bare(d);
}

/* ---- the liar ------------------------------------------------------------------------------------- */

void lie_once(struct stack *s, const void *how)
{
	const struct lie *l = how;
	struct ticket t;
	struct draft d;

	while (!stack_next(s, &t)) {
		stack_answer(s, &t, &d);
		if (t.rec.type == l->type) {
			l->spoil(&d, &t);
			stack_say(s, -stack_put(s, &d));
			pause();
		}
		if (stack_put(s, &d))
			break;
	}
}

void lie_trigger(const struct lie *l)
{
	if (l->type == IPSP_REC_UNPROTECT)
		wire_esp(&rogue, 1);
	else if (l->segments)
		wire_super(&rogue, l->host, l->segments);
	else
		wire_realm_datagram(&rogue, l->net, l->host);
}

int lie_only_esp(void)
{
	unsigned char packet[WORLD_PACKET_MAX];
	int n = 0;

	while (wire_next(packet, 0)) {
		if (!wire_is_esp(&rogue, packet) && !wire_is_esp(&neighbour, packet)) {
			printf("# a packet of IPv%u, protocol %u left\n", packet[0] >> 4,
			       packet[packet[0] >> 4 == 4 ? 9 : 6]);
			return -1;
		}
		n++;
	}
	return n;
}

int lie_neighbour_lives(unsigned int host)
{
	unsigned char packet[WORLD_PACKET_MAX];

	wire_datagram(neighbour.net, host);
	while (wire_next(packet, 5000))
		if (wire_is_esp(&neighbour, packet))
			return 1;
	return 0;
}

int lie_broken_as(const struct lie *l)
{
	struct ipsp_event e = realm_event(&rogue, l->cause ? 10000 : 100);
	int status;

	if (!l->cause)
		return !e.event;
	if (e.event != IPSP_EVENT_STACK_BROKEN || e.cause != l->cause) {
		printf("# event %u cause %u, wanted %u %u\n", e.event, e.cause,
		       IPSP_EVENT_STACK_BROKEN, l->cause);
		return 0;
	}
	waitpid(rogue.stack, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static int lie_dropped_as(const struct lie *l)
{
	const struct ipsp_stats s = realm_stats(&rogue);
	unsigned int i;

	for (i = 1; i < IPSP_DROP_COUNT; i++)
		if (s.drop[i] != (i == l->drop ? l->drops : 0)) {
			printf("# drop %u counted %llu times\n", i, s.drop[i]);
			return 0;
		}
	return 1;
}

void lie_realms_begin(unsigned int deadline_ms)
{
	const struct realm *const both[] = { &rogue, &neighbour };

	realm_begin_kind(&rogue, 20, deadline_ms, rogue_kind);
	realm_rules(both, 2);
}

void lie_realms_end(void)
{
	const struct realm *const one[] = { &neighbour };

	realm_stop(&rogue);
	realm_rules(one, 1);
	realm_end(&rogue);
}

int lie_is_refused(const struct lie *l)
{
	int before, said, broken, dropped, esp, alive, ok;

	lie_realms_begin(5000);
	if (l->prepare)
		l->prepare();
	realm_start(&rogue, lie_once, l);
	before = lie_only_esp();
	lie_trigger(l);
	said = realm_said(&rogue, 10000);
	broken = lie_broken_as(l);
	dropped = lie_dropped_as(l);
	esp = lie_only_esp();
	alive = lie_neighbour_lives(l->host);
	ok = (said == (l->cause ? EPIPE : 0) || (l->cause && said == -1)) && broken && dropped &&
	     !before && !esp && alive && !realm_balance(&rogue);
	if (!ok)
		printf("# said %d, broken as wanted %d, drops as wanted %d, left %d, neighbour %d, "
		       "balance %lld\n", said, broken, dropped, esp, alive, realm_balance(&rogue));
	lie_realms_end();
	return ok;
}
