// SPDX-License-Identifier: GPL-2.0
/*
 * compare.c - two runs of the same sequences, step by step: errors, answers, events
 *
 * A difference either has a name or is shown. Behind one that leaves the databases different the sequence is not looked at
 * any further; how many were and how many names were seen is told at the end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "differ.h"

#define NAMES_MAX	64
#define SHOWN_MAX	100
#define SHOWN_ALIKE	2		/* of one kind of message with the same two errors */

static struct {
	const char *name[NAMES_MAX];
	unsigned int seen[NAMES_MAX], names;
	unsigned int sequences, whole, steps, unknown;
} tally;

static void tally_name(const char *name)
{
	unsigned int i;

	for (i = 0; i < tally.names && strcmp(tally.name[i], name); i++)
		;
	if (i == NAMES_MAX)
		return;
	tally.name[i] = name;
	tally.names += i == tally.names;
	tally.seen[i]++;
}

/* Not yet shown too often? */
static bool tally_shows(const struct pair *p)
{
	static struct {
		int type, kernel, ours, said, count;
	} shown[SHOWN_MAX];
	int said = p->b ? p->b->said : p->a ? p->a->said : 0, i;

	for (i = 0; i < SHOWN_MAX && shown[i].count; i++)
		if (shown[i].type == p->request->nlmsg_type && shown[i].kernel == p->kernel_error &&
		    shown[i].ours == p->our_error && shown[i].said == said)
			return shown[i].count++ < SHOWN_ALIKE;
	if (i == SHOWN_MAX)
		return false;
	shown[i].type = p->request->nlmsg_type;
	shown[i].kernel = p->kernel_error;
	shown[i].ours = p->our_error;
	shown[i].said = said;
	return shown[i].count++ < SHOWN_ALIKE;
}

/* ---- shown ---------------------------------------------------------------------------------------- */

static void show_bytes(const unsigned char *at, size_t size, FILE *to)
{
	size_t i;

	for (i = 0; i < size; i++)
		fprintf(to, "%s%02x", i && i % 4 == 0 ? " " : "", at[i]);
	fputc('\n', to);
}

void show(const struct nlmsghdr *head, size_t size, FILE *to)
{
	size_t body = NLMSG_ALIGN(NLMSG_LENGTH(head->nlmsg_flags & NLM_F_DUMP ? 0 : message_body(head->nlmsg_type))), at;
	const unsigned char *bytes = (const unsigned char *)head;
	const struct nlattr *a;

	fprintf(to, "  %s type %u len %u flags %x seq %u pid %u\n", plan_type(head->nlmsg_type), head->nlmsg_type, head->nlmsg_len,
		head->nlmsg_flags, head->nlmsg_seq, head->nlmsg_pid);
	if (size > MESSAGE_MAX)
		return;
	fprintf(to, "    ");
	show_bytes(bytes + NLMSG_HDRLEN, (size < body ? size : body) - NLMSG_HDRLEN, to);
	for (at = body; at + NLA_HDRLEN <= size; at += NLA_ALIGN(a->nla_len)) {
		a = (const struct nlattr *)(bytes + at);
		if (a->nla_len < NLA_HDRLEN || at + a->nla_len > size)
			break;
		fprintf(to, "    %u: ", a->nla_type);
		show_bytes((const unsigned char *)(a + 1), a->nla_len - (size_t)NLA_HDRLEN, to);
	}
	if (at < size) {
		fprintf(to, "    rest: ");
		show_bytes(bytes + at, size - at, to);
	}
}

static void show_item(const char *who, const struct item *item)
{
	if (!item || item->said == SAID_SILENCE) {
		printf("  %s: nothing\n", who);
		return;
	}
	if (item->said == SAID_ERROR) {
		printf("  %s: error %s\n", who, strerror(-*(const int *)(item + 1)));
		return;
	}
	printf("  %s: %s, group %u:\n", who, item->said == SAID_EVENT ? "event" : "answer", item->group);
	show((const struct nlmsghdr *)(item + 1), item->size, stdout);
}

static void show_pair(uint32_t sequence, unsigned int step, const struct pair *p)
{
	const struct item *request = p->kernel->request;

	printf("sequence %u, step %u: the kernel: %s, ours: %s\n", sequence, step,
	       p->kernel_error > 0 ? "no answer" : p->kernel_error ? strerror(-p->kernel_error) : "taken",
	       p->our_error > 0 ? "no answer" : p->our_error ? strerror(-p->our_error) : "taken");
	show((const struct nlmsghdr *)(request + 1), request->size, stdout);
	if (p->kernel_error == p->our_error) {
		show_item("kernel", p->a);
		show_item("ours", p->b);
	}
}

/* ---- compared ------------------------------------------------------------------------------------- */

static int step_error(const struct step *s)
{
	unsigned int i;

	for (i = 0; i < s->items; i++)
		if (s->item[i]->said == SAID_ERROR)
			return *(const int *)(s->item[i] + 1);
	return 1;
}

static bool item_is(const struct item *a, const struct item *b)
{
	return a->said == b->said && a->group == b->group && a->size == b->size && !memcmp(a + 1, b + 1, a->size);
}

/* false: what comes behind it in this sequence is not comparable */
static bool judge(uint32_t sequence, unsigned int number, struct pair *p, bool verbose)
{
	bool parts = true;
	const char *name = known(p, &parts);

	if (name)
		tally_name(name);
	else
		tally.unknown++;
	if ((verbose ? name != NULL : !name) && tally_shows(p)) {
		if (name)
			printf("%s: ", name);
		show_pair(sequence, number, p);
	}
	return !parts;
}

static bool step_compare(uint32_t sequence, unsigned int number, const struct step *kernel, const struct step *ours, bool verbose)
{
	struct pair p = { .request = (const struct nlmsghdr *)(kernel->request + 1), .kernel = kernel, .ours = ours,
			  .kernel_error = step_error(kernel), .our_error = step_error(ours) };
	unsigned int i;

	if (p.kernel_error != p.our_error)
		return judge(sequence, number, &p, verbose);
	for (i = 0; i < kernel->items || i < ours->items; i++) {
		p.a = i < kernel->items ? kernel->item[i] : NULL;
		p.b = i < ours->items ? ours->item[i] : NULL;
		if (p.a && p.b && item_is(p.a, p.b))
			continue;
		if (!judge(sequence, number, &p, verbose))
			return false;
	}
	return true;
}

static void sequence_compare(uint32_t number, struct script *kernel, struct script *ours, bool verbose)
{
	static struct step a, b;
	unsigned int i;

	tally.sequences++;
	for (i = 0; script_step(kernel, &a); i++) {
		if (!script_step(ours, &b)) {
			printf("sequence %u: ours ends at step %u\n", number, i);
			tally.unknown++;
			return;
		}
		tally.steps++;
		if (!step_compare(number, i, &a, &b, verbose))
			return;
	}
	tally.whole++;
}

int compare(const char *kernel_path, const char *our_path, bool verbose)
{
	uint32_t number, other;
	struct script kernel, ours;
	unsigned int i;

	if (!script_read(&kernel, kernel_path) || !script_read(&ours, our_path))
		return 2;
	while (script_sequence(&kernel, &number) && script_sequence(&ours, &other)) {
		if (number != other) {
			printf("sequences %u and %u\n", number, other);
			return 2;
		}
		sequence_compare(number, &kernel, &ours, verbose);
	}
	printf("%u sequences, %u to their end; %u messages; %u differences without a name\n", tally.sequences, tally.whole,
	       tally.steps, tally.unknown);
	for (i = 0; i < tally.names; i++)
		printf("%6u  %s\n", tally.seen[i], tally.name[i]);
	return tally.unknown || !tally.sequences;
}
