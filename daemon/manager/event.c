// SPDX-License-Identifier: GPL-2.0-only
/* event.c - the last events of the compartment's SAs, for `ipsec-portctl events` */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "manager.h"
#include "words/address.h"
#include "words/protocol.h"

#define EVENT_KEPT 256

struct event {
	struct ipsp_sa sa;		/* without its keys */
	uint64_t bytes, packets;	/* what it had counted */
	time_t time;
	bool is_hard;
};

static struct event event_kept[EVENT_KEPT];
static uint64_t event_count;

static void event_forget_keys(struct ipsp_sa *sa)
{
	explicit_bzero(&sa->aead, sizeof(sa->aead));
	explicit_bzero(&sa->cipher, sizeof(sa->cipher));
	explicit_bzero(&sa->auth, sizeof(sa->auth));
}

void event_expire(struct manager *m, const struct ipsp_sa *sa, const struct ipsp_handle *h, bool is_hard)
{
	struct event *e = &event_kept[event_count++ % EVENT_KEPT];

	*e = (struct event){
		.sa = *sa, .bytes = h->bytes, .packets = h->packets, .time = time(NULL), .is_hard = is_hard,
	};
	event_forget_keys(&e->sa);
	fprintf(stderr, "ipsec-portd: %s: spi 0x%08x: %s limit reached\n", m->name, ntohl(sa->spi),
		is_hard ? "hard" : "soft");
}

uint32_t event_kept_count(void)
{
	return event_count < EVENT_KEPT ? (uint32_t)event_count : EVENT_KEPT;
}

/* As `ip xfrm monitor` shows it, with the time first. */
void event_text(struct text *out, uint32_t i)
{
	uint64_t first = event_count > EVENT_KEPT ? event_count - EVENT_KEPT : 0;
	const struct event *e = &event_kept[(first + i) % EVENT_KEPT];
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX], when[32] = "";
	struct tm tm;

	if (localtime_r(&e->time, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	text_add(out, "Timestamp: %s\nExpired src %s dst %s\n", when, address_text(a, e->sa.family, e->sa.source),
		 address_text(b, e->sa.family, e->sa.destination));
	text_add(out, "\tproto %s spi 0x%08x reqid %u mode %s\n\tlifetime current:\n\t  %llu(bytes), %llu(packets)\n"
		 "\thard %d\n", protocol_ipsec_text(e->sa.protocol), ntohl(e->sa.spi), e->sa.reqid,
		 protocol_mode_text(e->sa.mode), (unsigned long long)e->bytes, (unsigned long long)e->packets,
		 e->is_hard);
}
