// SPDX-License-Identifier: GPL-2.0-only
/*
 * place.c - in which compartment an SA or a policy lies: the file of places, a place a line, first match wins
 *
 * A condition is met where all that the SA or the policy is for lies within it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "keyd.h"
#include "words/address.h"
#include "words/option.h"
#include "words/protocol.h"
#include "words/word.h"

/* ---- a line ------------------------------------------------------------------------------- */

static int take_from(struct words *w, const char *name, void *target)
{
	struct keyd_place *p = target;

	return address_take_prefix(w, name, &p->family, p->from, &p->from_bits);
}

static int take_to(struct words *w, const char *name, void *target)
{
	struct keyd_place *p = target;

	return address_take_prefix(w, name, &p->family, p->to, &p->to_bits);
}

static int take_proto(struct words *w, const char *name, void *target)
{
	return protocol_take(w, name, &((struct keyd_place *)target)->proto);
}

static int take_if_id(struct words *w, const char *name, void *target)
{
	struct keyd_place *p = target;

	p->has_if_id = 1;
	return word_number32(w, name, 0, UINT32_MAX, &p->if_id);
}

static int take_mark(struct words *w, const char *name, void *target)
{
	struct keyd_place *p = target;

	return word_mark(w, name, &p->mark, &p->mask);
}

static int take_reqid(struct words *w, const char *name, void *target)
{
	struct keyd_place *p = target;

	p->has_reqid = 1;
	return word_number32(w, name, 0, UINT32_MAX, &p->reqid);
}

static int take_label(struct words *w, const char *name, void *target)
{
	struct keyd_place *p = target;

	return word_text(w, name, "a security context", p->label, sizeof(p->label));
}

static int take_target(struct words *w, const char *name, void *target)
{
	struct keyd_place *p = target;
	const char *value;

	if (word_value(w, name, &value))
		return -EINVAL;
	if (!option_is_name(value))
		return word_bad(w, name, value, "a compartment's name, 1 to 31 of a-z, 0-9, _ and -, not control or xfrm");
	strcpy(p->compartment, value);
	return word_peek(w) ? word_bad(w, name, word_peek(w), "nothing behind the compartment's name") : 0;
}

static const struct word_entry place_words[] = {
	{ "from", take_from }, { "to", take_to }, { "proto", take_proto }, { "if_id", take_if_id },
	{ "mark", take_mark }, { "reqid", take_reqid }, { "label", take_label }, { "->", take_target },
};

int place_parse(struct words *w, struct keyd_place *p)
{
	memset(p, 0, sizeof(*p));
	if (word_run(w, WORD_TABLE(place_words), p))
		return -EINVAL;
	if (*p->compartment)
		return 0;
	return word_fail(w, WORD_STATUS_GRAMMAR, "place: no compartment; wanted: -> NAME");
}

/* ---- the file ----------------------------------------------------------------------------- */

static int place_add(struct keyd *k, struct words *w)
{
	if (k->places == KEYD_PLACES_MAX)
		return word_fail(w, WORD_STATUS_GRAMMAR, "one place too many; allowed: %u", KEYD_PLACES_MAX);
	if (place_parse(w, &k->place[k->places]))
		return -EINVAL;
	if (!compartments_add(k, k->place[k->places].compartment))
		return word_fail(w, WORD_STATUS_GRAMMAR, "\"%s\": one compartment too many; allowed: %u, with the "
				 "default one", k->place[k->places].compartment, KEYD_COMPARTMENTS_MAX);
	k->places++;
	return 0;
}

static int place_line(struct keyd *k, char *line, struct words *w)
{
	const char *word[WORD_COUNT_MAX];
	bool is_whole = strchr(line, '\n') || strlen(line) < WORD_LINE_MAX - 1;
	int n = is_whole ? word_split(line, word, WORD_COUNT_MAX) : 0;

	word_init(w, word, n < 0 ? 0 : n);
	if (!is_whole)
		return word_fail(w, WORD_STATUS_GRAMMAR, "a longer line; allowed: %u bytes", WORD_LINE_MAX - 2);
	if (n < 0)
		return word_fail(w, WORD_STATUS_GRAMMAR, n == -E2BIG ? "more than 256 words" : "a quote without end");
	return n ? place_add(k, w) : 0;
}

int place_read(struct keyd *k, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[WORD_LINE_MAX];
	int number = 0, err = 0;
	struct words w;

	if (!file) {
		fprintf(stderr, "ipsec-port-keyd: %s: %s\n", path, strerror(errno));
		return -1;
	}
	while (!err && fgets(line, sizeof(line), file)) {
		number++;
		err = place_line(k, line, &w);
	}
	if (err)
		fprintf(stderr, "ipsec-port-keyd: %s:%d: %s\n", path, number, w.error);
	else if (ferror(file))
		fprintf(stderr, "ipsec-port-keyd: %s: %s\n", path, strerror(errno));
	err = err || ferror(file) ? -1 : 0;
	fclose(file);
	return err;
}

/* ---- which one ---------------------------------------------------------------------------- */

/* What the conditions are about: of an SA or of a policy. */
struct placed {
	const struct xfrm_selector *selector;
	const struct xfrm_mark *mark;
	const struct keyd_label *label;
	const __u32 *reqid;		/* NULL: a policy without a template */
	__u32 if_id;
};

static bool place_takes_selector(const struct keyd_place *p, const struct xfrm_selector *s)
{
	if (p->proto && p->proto != s->proto)
		return false;
	return !p->family || (s->family == (p->family == 4 ? AF_INET : AF_INET6) &&
			      s->prefixlen_s >= p->from_bits && address_is_in(&s->saddr, p->from, p->from_bits) &&
			      s->prefixlen_d >= p->to_bits && address_is_in(&s->daddr, p->to, p->to_bits));
}

static bool place_takes(const struct keyd_place *p, const struct placed *x)
{
	return place_takes_selector(p, x->selector) &&
	       (!p->has_if_id || p->if_id == x->if_id) &&
	       (!p->has_reqid || (x->reqid && p->reqid == *x->reqid)) &&
	       (x->mark->m & p->mask) == p->mask && (x->mark->v & p->mask) == p->mark &&
	       (!*p->label || !strncmp(p->label, x->label->context, IPSP_LABEL_MAX));
}

static const char *place_of(const struct keyd *k, const struct placed *x)
{
	__u32 i;

	for (i = 0; i < k->places; i++)
		if (place_takes(&k->place[i], x))
			return k->place[i].compartment;
	return k->compartment[0].name;
}

const char *place_of_sa(const struct keyd *k, const struct keyd_sa *sa)
{
	const struct placed x = { &sa->info.sel, &sa->mark, &sa->label, &sa->info.reqid, sa->if_id };

	return place_of(k, &x);
}

const char *place_of_policy(const struct keyd *k, const struct keyd_policy *p)
{
	const __u32 *reqid = p->templates ? &p->template_[0].reqid : NULL;
	const struct placed x = { &p->info.sel, &p->mark, &p->label, reqid, p->if_id };

	return place_of(k, &x);
}
