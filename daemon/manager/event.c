// SPDX-License-Identifier: GPL-2.0-only
/* event.c - the last events of the compartment's SAs, for `ipsec-portctl events`; in the database, which outlives us */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "manager.h"
#include "words/address.h"
#include "words/protocol.h"

static void event_forget_keys(struct ipsp_sa *sa)
{
	explicit_bzero(&sa->aead, sizeof(sa->aead));
	explicit_bzero(&sa->cipher, sizeof(sa->cipher));
	explicit_bzero(&sa->auth, sizeof(sa->auth));
}

void event_expire(struct manager *m, const struct ipsp_sa *sa, const struct ipsp_handle *h, bool is_hard)
{
	struct event *e = &m->database->event[m->database->events++ % EVENT_KEPT];

	*e = (struct event){
		.sa = *sa, .bytes = h->bytes, .packets = h->packets, .time = (uint64_t)time(NULL), .is_hard = is_hard,
	};
	event_forget_keys(&e->sa);
	acquire_expired(m, sa, h);
	fprintf(stderr, "ipsec-portd: %s: spi 0x%08x: %s limit reached\n", m->name, ntohl(sa->spi),
		is_hard ? "hard" : "soft");
}

uint32_t event_kept_count(const struct manager *m)
{
	return m->database->events < EVENT_KEPT ? (uint32_t)m->database->events : EVENT_KEPT;
}

/* As `ip xfrm monitor` shows it, with the time first. */
void event_text(const struct manager *m, struct text *out, uint32_t i)
{
	uint64_t first = m->database->events > EVENT_KEPT ? m->database->events - EVENT_KEPT : 0;
	const struct event *e = &m->database->event[(first + i) % EVENT_KEPT];
	const time_t then = (time_t)e->time;
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX], when[32] = "";
	struct tm tm;

	if (localtime_r(&then, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	text_add(out, "Timestamp: %s\nExpired src %s dst %s\n", when, address_text(a, e->sa.family, e->sa.source),
		 address_text(b, e->sa.family, e->sa.destination));
	text_add(out, "\tproto %s spi 0x%08x reqid %u mode %s\n\tlifetime current:\n\t  %llu(bytes), %llu(packets)\n"
		 "\thard %d\n", protocol_ipsec_text(e->sa.protocol), ntohl(e->sa.spi), e->sa.reqid,
		 protocol_mode_text(e->sa.mode), (unsigned long long)e->bytes, (unsigned long long)e->packets,
		 e->is_hard);
}
