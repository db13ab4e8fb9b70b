// SPDX-License-Identifier: GPL-2.0-only
/*
 * quorum.c - what stacks disagreed on: told of, and saved for whoever looks for the one that was wrong
 *
 * Each is a packet as it was dealt, and behind it what each answer made of it. What lost is left out, unless it is asked
 * for: two ciphertexts under one number weaken a key.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kept.h"
#include "pcapng.h"
#include "portctl.h"
#include "words/device.h"

struct dissent {
	struct ipsp_dissent about;
	char builds[512];		/* as the manager says */
	unsigned char bytes[PCAPNG_PACKET_MAX];
};

static struct dissent dissent;

/* 0, or -errno: -ENOENT behind the last. */
static int dissent_get(struct dissent *d, const char *name, __u32 index)
{
	memset(&d->about, 0, sizeof(d->about));
	strcpy(d->about.name, name);
	d->about.index = index;
	d->about.data = (uintptr_t)d->bytes;
	d->about.size = sizeof(d->bytes);
	return device_control(IPSP_CTL_DISSENT, &d->about);
}

static const char *dissent_type(const struct dissent *d)
{
	return d->about.type == IPSP_REC_CLASSIFY ? "classify" : d->about.type == IPSP_REC_PROTECT ? "protect" : "unprotect";
}

static const char *verdict_name(__u16 verdict)
{
	static const char *const name[] = { "none", "CLASSIFY", "TRANSFORMED", "MERGED", "BYPASS", "DROP", "HOLD", "TOOBIG" };

	return verdict < sizeof(name) / sizeof(name[0]) ? name[verdict] : "unknown";
}

static void voters_text(struct text *t, __u32 voters)
{
	char number[12];
	struct text list;
	char room[64];
	int i;

	text_init(&list, room, sizeof(room));
	for (i = 0; i < IPSP_STACKS_MAX; i++)
		if (voters & 1u << i) {
			snprintf(number, sizeof(number), "%d", i);
			text_list(&list, number);
		}
	text_add(t, "%s", room);
}

static int is_elected(const struct dissent *d, unsigned i)
{
	return !i && d->about.elected;
}

static void answer_text(struct text *t, const struct dissent *d, unsigned i)
{
	const struct ipsp_dissent_answer *a = &d->about.answer[i];

	text_add(t, "%s of stacks ", is_elected(d, i) ? "elected," : "not elected,");
	voters_text(t, a->voters);
	text_add(t, ": %s", verdict_name(a->answer.verdict));
	if (a->answer.verdict == IPSP_VERDICT_DROP)
		text_add(t, " reason %u", a->answer.reason);
	if (a->answer.verdict == IPSP_VERDICT_TOOBIG)
		text_add(t, " mtu %u", a->answer.mtu);
	if (a->answer.handles)
		text_add(t, " handle %u", a->answer.handle[0]);
	if (a->data_len)
		text_add(t, " %u bytes in %u", a->data_len, a->answer.segments);
}

static void dissent_text(struct text *t, const struct dissent *d)
{
	text_add(t, "ipsec-port compartment %s, now with %s: ticket %llu %s handle %u: ", d->about.name, d->builds,
		 (unsigned long long)d->about.ticket, dissent_type(d), d->about.handle);
	if (d->about.stack < IPSP_STACKS_MAX)
		text_add(t, "stack %u was outvoted", d->about.stack);
	else
		text_add(t, "no answer had a quorum");
}

/* ---- save ----------------------------------------------------------------------------------- */

/* An answer's packets: how many, or -errno. */
static int save_answer(FILE *to, const struct dissent *d, unsigned i, const unsigned char *data)
{
	const struct ipsp_dissent_answer *a = &d->about.answer[i];
	uint32_t at = 0, piece = a->answer.segments > 1 ? a->answer.segment_len : a->data_len, length;
	char room[512];
	struct text t;
	int err = 0, n;

	text_init(&t, room, sizeof(room));
	text_add(&t, "ticket %llu, ", (unsigned long long)d->about.ticket);
	answer_text(&t, d, i);
	for (n = 0; !err && at < a->data_len && piece; n++, at += length) {
		length = a->data_len - at < piece ? a->data_len - at : piece;
		err = pcapng_put(to, data + at, length, d->about.time, room);
	}
	return err ? err : n;
}

/* Packets, or -errno. */
static int save_one(FILE *to, const struct dissent *d, int sensitive)
{
	const unsigned char *data = d->bytes + d->about.packet_len;
	char room[1536];
	struct text t;
	unsigned i;
	int n = 1, more;

	text_init(&t, room, sizeof(room));
	dissent_text(&t, d);
	for (i = 0; i < d->about.answers; i++) {
		text_add(&t, "; ");
		answer_text(&t, d, i);
	}
	more = pcapng_put(to, d->bytes, d->about.packet_len, d->about.time, room);
	for (i = 0; !more && i < d->about.answers; data += d->about.answer[i++].data_len) {
		if (!is_elected(d, i) && !sensitive)
			continue;
		more = save_answer(to, d, i, data);
		if (more < 0)
			return more;
		n += more;
		more = 0;
	}
	return more < 0 ? more : n;
}

static int save_all(FILE *to, struct dissent *d, const char *name, int sensitive)
{
	int n = 0, more, err, i;

	for (i = 0; !(err = dissent_get(d, name, (__u32)i)); i++) {
		more = save_one(to, d, sensitive);
		if (more < 0)
			return more;
		n += more;
	}
	return err == -ENOENT ? n : err;
}

static int quorum_save(const struct portctl *p, const char *name, const char *path)
{
	struct dissent *d = &dissent;
	FILE *to = pcapng_open(path);

	if (!to)
		return portctl_refused(path, -errno);
	kept_stacks(name, d->builds, sizeof(d->builds));
	return pcapng_close(to, path, save_all(to, d, name, p->sensitive));
}

/* ---- list ----------------------------------------------------------------------------------- */

static void print_one(const struct portctl *p, const struct dissent *d)
{
	char room[1536];
	struct text t;
	unsigned i;

	text_init(&t, room, sizeof(room));
	if (p->json) {
		text_add(&t, "{\"compartment\":\"%s\",\"ticket\":%llu,\"type\":\"%s\",\"handle\":%u,\"elected\":%u,\"stack\":%d}",
			 d->about.name, (unsigned long long)d->about.ticket, dissent_type(d), d->about.handle,
			 d->about.elected, (int)d->about.stack);
		printf("%s\n", room);
		return;
	}
	dissent_text(&t, d);
	for (i = 0; i < d->about.answers; i++) {
		text_add(&t, "\n\t");
		answer_text(&t, d, i);
	}
	printf("%s\n", room);
}

static int quorum_list(const struct portctl *p, const char *name)
{
	struct dissent *d = &dissent;
	int err, i;

	kept_stacks(name, d->builds, sizeof(d->builds));
	for (i = 0; !(err = dissent_get(d, name, (__u32)i)); i++)
		print_one(p, d);
	return err == -ENOENT ? 0 : portctl_refused(name, err);
}

int quorum_main(const struct portctl *p, struct words *w)
{
	static const struct kept kept = { "quorum", quorum_list, quorum_save };

	return kept_main(p, w, &kept);
}
