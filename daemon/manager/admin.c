// SPDX-License-Identifier: GPL-2.0-only
/* admin.c - requests of ipsec-portctl: words in, text and an exit status out */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "manager.h"
#include "words/address.h"
#include "words/algorithm.h"
#include "words/context.h"
#include "words/reason.h"
#include "words/usage.h"

struct request {
	struct manager *m;
	struct words *w;
	struct text *out;
	__u32 flags;
	__u32 start, next;		/* of a list: entries said before; where the next reply begins */
	__u64 id;
	bool is_later;			/* it is replied to when there is something to say */
};

static int admin_fail(struct request *r, const char *what, int err)
{
	return word_fail(r->w, WORD_STATUS_REFUSED, "%s: %s", what, strerror(-err));
}

/* Entries from r->start on, as many as a reply holds whole; one entry always fits. */
static void admin_list(struct request *r, __u32 count, void (*show)(struct request *r, __u32 i))
{
	const size_t end_of_list = 4;
	size_t whole;
	__u32 i;

	for (i = r->start; i < count; i++) {
		whole = r->out->used;
		show(r, i);
		if (!r->out->is_full && r->out->room - r->out->used > end_of_list)
			continue;
		text_cut(r->out, whole);
		r->next = i;
		return;
	}
}

/* ---- state ------------------------------------------------------------------------------- */

static void state_warn(struct request *r, const struct ipsp_sa *sa)
{
	const char *weak = state_weakness(sa);

	if (!weak)
		return;
	text_add(r->out, "warning: \"%s\" is too weak for new uses\n", weak);
	fprintf(stderr, "ipsec-portd: warning: a state with \"%s\", which is too weak for new uses\n", weak);
}

/* A key from a file of its own may come again after a reboot. */
static int state_enter(struct request *r, const struct state_line *line, struct database_sa *old,
		       bool is_fresh)
{
	bool is_kept = mark_is_wanted(r->w);
	struct mark_range range;
	int err = is_kept ? mark_begin(r->m, &line->sa, is_fresh, line->next, &range) : 0;

	if (err)
		return mark_fail(r->w, &line->sa, err);
	err = old ? sa_replace(r->m, old, line, is_kept ? &range : NULL) :
	      is_kept ? sa_add_kept(r->m, line, &range) : sa_add(r->m, line);
	return err ? admin_fail(r, "state", err) : 0;
}

static int state_add_line(struct request *r, int replace)
{
	bool is_fresh = mark_is_fresh(r->w);
	struct database_sa *old;
	struct state_line line;
	int err;

	if (state_parse(r->w, &line, false) || state_direction(r->w, &line) ||
	    state_admit(r->w, &line.sa, &r->m->options))
		return -EINVAL;
	old = database_find(r->m, &line.sa);
	if (old && !replace)
		err = admin_fail(r, "state", -EEXIST);
	else if (!old && replace)
		err = admin_fail(r, "state", -ESRCH);
	else
		err = state_enter(r, &line, old, is_fresh);
	if (!err)
		state_warn(r, &line.sa);
	explicit_bzero(&line, sizeof(line));
	return err;
}

static int state_add(struct request *r)
{
	return state_add_line(r, 0);
}

static int state_update(struct request *r)
{
	return state_add_line(r, 1);
}

static struct database_sa *state_find(struct request *r)
{
	struct database_sa *sa;
	struct state_line line;

	if (state_parse(r->w, &line, true))
		return NULL;
	sa = database_find(r->m, &line.sa);
	if (!sa)
		admin_fail(r, "state", -ESRCH);
	explicit_bzero(&line, sizeof(line));
	return sa;
}

static int state_delete(struct request *r)
{
	struct database_sa *sa = state_find(r);
	int err = sa ? sa_delete(r->m, sa) : -EINVAL;

	return sa && err ? admin_fail(r, "state", err) : err;
}

static int state_flush(struct request *r)
{
	struct database_sa *sa = database_sas(r->m->database);
	struct database_sa *end = sa + r->m->database->sas_max;
	int err = 0;

	for (; !err && sa < end; sa++)
		if (sa->used)
			err = sa_delete(r->m, sa);
	return err ? admin_fail(r, "state flush", err) : 0;
}

static const char *state_engine(const struct request *r, const struct database_sa *sa)
{
	return algorithm_engine_name(algorithm_engine(&sa->sa, r->m->options.engine)) ?: "none";
}

static void state_show_json(struct request *r, const struct database_sa *sa,
			    const struct ipsp_handle *h)
{
	char a[ADDRESS_TEXT_MAX], b[ADDRESS_TEXT_MAX], context[IPSP_LABEL_MAX];

	text_add(r->out, "%s{\"src\":\"%s\",\"dst\":\"%s\",\"spi\":%u,\"reqid\":%u,"
		 "\"mode\":%u,\"dir\":\"%s\",\"handle\":%u,\"next\":%llu,\"packets\":%llu,"
		 "\"bytes\":%llu,\"dropped\":%llu,\"replay\":%llu,\"integrity-failed\":%llu,"
		 "\"used-first\":%llu,\"used-last\":%llu,\"engine\":\"%s\"",
		 r->out->used ? r->out->base[r->out->used - 1] == '}' ? "," : "" :
				r->start ? "," : "",
		 address_text(a, sa->sa.family, sa->sa.source),
		 address_text(b, sa->sa.family, sa->sa.destination), __builtin_bswap32(sa->sa.spi),
		 sa->sa.reqid, sa->sa.mode, sa->sa.direction == IPSP_DIR_OUT ? "out" : "in", h->id,
		 h->next, h->packets, h->bytes, h->dropped, h->replayed, h->integrity_failed,
		 h->used_first, h->used_last, state_engine(r, sa));
	text_add(r->out, ",\"drops\":");
	reason_json(r->out, h);
	if (h->encap_source && sa->sa.direction == IPSP_DIR_IN)
		text_add(r->out, ",\"peer\":\"%s\",\"peer-port\":%u",
			 address_text(a, sa->sa.family, h->peer), ntohs(h->peer_port));
	if (sa->sa.label) {
		context_name(sa->sa.label, context);
		text_add(r->out, ",\"ctx\":\"%s\"", context);
	}
	text_add(r->out, "}");
}

static void state_show(struct request *r, const struct database_sa *sa)
{
	struct state_line line = { .sa = sa->sa, .window = sa->window, .limit = sa->limit };
	struct ipsp_handle h = { .id = sa->sa.handle };

	if (ioctl(r->m->fd, IPSP_IOC_HANDLE_GET, &h))
		memset(&h, 0, sizeof(h));
	if (r->flags & IPSP_ADMINF_JSON) {
		state_show_json(r, sa, &h);
	} else {
		usage_text(r->out, &line, &h, sa->added_real, r->flags & IPSP_ADMINF_KEYS);
		usage_text_ours(r->out, &line, &h, state_engine(r, sa));
	}
	explicit_bzero(&line, sizeof(line));
}

static void state_show_nth(struct request *r, __u32 i)
{
	const struct database_sa *sa = &database_sas(r->m->database)[i];

	if (sa->used)
		state_show(r, sa);
}

static int state_list(struct request *r)
{
	if ((r->flags & IPSP_ADMINF_JSON) && !r->start)
		text_add(r->out, "[");
	admin_list(r, r->m->database->sas_max, state_show_nth);
	if ((r->flags & IPSP_ADMINF_JSON) && !r->next)
		text_add(r->out, "]\n");
	return 0;
}

static int state_get(struct request *r)
{
	const struct database_sa *sa = state_find(r);

	if (!sa)
		return -EINVAL;
	state_show(r, sa);
	return 0;
}

static int state_count(struct request *r)
{
	text_add(r->out, "\t SAD count %u\n", r->m->database->sas);
	return 0;
}

/* ---- policy ------------------------------------------------------------------------------ */

static int policy_add_line(struct request *r, int replace)
{
	struct ipsp_policy_entry entry;
	int err;

	if (policy_parse(r->w, &entry))
		return -EINVAL;
	err = policy_add(r->m, &entry, replace);
	return err ? admin_fail(r, "policy", err) : 0;
}

static int policy_add_new(struct request *r)
{
	return policy_add_line(r, 0);
}

static int policy_update(struct request *r)
{
	return policy_add_line(r, 1);
}

static int policy_find_line(struct request *r, uint32_t *at)
{
	struct ipsp_policy_entry like;
	uint32_t i;

	if (policy_parse(r->w, &like))
		return -EINVAL;
	for (i = 0; i < r->m->database->policies; i++)
		if (policy_is_same(&database_policies(r->m->database)[i], &like)) {
			*at = i;
			return 0;
		}
	return admin_fail(r, "policy", -ENOENT);
}

static int policy_delete_line(struct request *r)
{
	uint32_t at;
	int err;

	if (policy_find_line(r, &at))
		return -EINVAL;
	err = policy_delete(r->m, at);
	return err ? admin_fail(r, "policy", err) : 0;
}

static int policy_flush(struct request *r)
{
	int err = control_policy(r->m, IPSP_TARGET_ALL, IPSP_POLICY_REPLACE, NULL, 0);

	if (err)
		return admin_fail(r, "policy flush", err);
	r->m->database->policies = 0;
	database_noted_all(r->m);
	return 0;
}

static void policy_show_nth(struct request *r, __u32 i)
{
	policy_text(r->out, &database_policies(r->m->database)[i]);
}

static int policy_list(struct request *r)
{
	admin_list(r, r->m->database->policies, policy_show_nth);
	return 0;
}

static int policy_get(struct request *r)
{
	uint32_t at;

	if (policy_find_line(r, &at))
		return -EINVAL;
	policy_text(r->out, &database_policies(r->m->database)[at]);
	return 0;
}

static int policy_count(struct request *r)
{
	text_add(r->out, "\t SPD count %u\n", r->m->database->policies);
	return 0;
}

/* ---- events ------------------------------------------------------------------------------- */

static void events_show_nth(struct request *r, __u32 i)
{
	if (r->flags & IPSP_ADMINF_JSON)
		event_text_json(r->m, r->out, i);
	else
		event_text(r->m, r->out, i);
}

/* Those from number r->start on that are kept */
static int events_list(struct request *r)
{
	r->start = (__u32)(r->start > event_first(r->m) ? r->start : event_first(r->m));
	admin_list(r, (__u32)event_end(r->m), events_show_nth);
	return 0;
}

/* The same; the reply says with which number to ask again. Where there is none yet, it comes later. */
static int events_follow(struct request *r)
{
	events_list(r);
	if (!r->next)
		r->next = (__u32)event_end(r->m);
	if (r->out->used)
		return 0;
	r->is_later = true;
	event_follow(r->m, r->id);
	return 0;
}

/* ---- the manager itself -------------------------------------------------------------------- */

static int manager_show(struct request *r)
{
	const struct child *c = r->m->child;
	const int json = r->flags & IPSP_ADMINF_JSON;
	char engines[64], build[32];
	struct text t;
	unsigned i;

	text_init(&t, engines, sizeof(engines));
	option_engines_text(&t, r->m->options.engine);
	text_add(r->out, json ? "{\"manager\":%d,\"states\":%u,\"policies\":%u,\"engine\":\"%s\",\"stacks\":[" :
		 "manager %d states %u policies %u engine %s\n", getpid(), r->m->database->sas,
		 r->m->database->policies, engines);
	for (i = 0; i < r->m->wanted; i++) {
		const struct build b = program_build(r->m, i);

		text_init(&t, build, sizeof(build));
		build_text(&t, &b);
		text_add(r->out, json ? "%s{\"stack\":%u,\"pid\":%d,\"state\":\"%s\",\"quick-deaths\":%u,\"build\":\"%s\"}" :
			 "%sstack %u pid %d %s quick-deaths %u build %s\n", json && i ? "," : "", i, c[i].pid,
			 child_state(&c[i]), c[i].quick_deaths, build);
	}
	if (json)
		text_add(r->out, "]}\n");
	return 0;
}

/* How many stacks the compartment has was changed. */
static int manager_update(struct request *r)
{
	int err = child_count(r->m);

	return err ? admin_fail(r, r->m->name, err) : 0;
}

static int manager_upgrade(struct request *r)
{
	r->is_later = true;
	return upgrade_begin(r->m, r->id, r->w);
}

/* Of which kind the stacks are, for whoever looks at what they died on. */
static int manager_stacks(struct request *r)
{
	const __u32 *engine = r->m->options.engine;
	unsigned i;

	if (r->m->options.build[0].program) {
		text_add(r->out, "builds ");
		build_list_text(r->out, r->m->options.build);
		text_add(r->out, " ");
	}
	for (i = 0; i < sizeof(r->m->options.engine) / sizeof(*engine) && engine[i]; i++)
		text_add(r->out, "%s%s", i ? "," : "engine ", algorithm_engine_name(engine[i]));
	text_add(r->out, "%s build %s", i ? "" : "engine default", IPSP_VERSION);
	return 0;
}

/* ---- acquire ------------------------------------------------------------------------------- */

static int acquire_wait_line(struct request *r)
{
	r->is_later = true;
	acquire_wait(r->m, r->id);
	return 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct {
	const char *object, *verb;
	int (*run)(struct request *r);
} commands[] = {
	{ "state", "add", state_add }, { "state", "update", state_update },
	{ "state", "delete", state_delete }, { "state", "del", state_delete },
	{ "state", "deleteall", state_flush }, { "state", "flush", state_flush },
	{ "state", "list", state_list }, { "state", "show", state_list },
	{ "state", "get", state_get }, { "state", "count", state_count },
	{ "policy", "add", policy_add_new }, { "policy", "update", policy_update },
	{ "policy", "delete", policy_delete_line }, { "policy", "del", policy_delete_line },
	{ "policy", "deleteall", policy_flush }, { "policy", "flush", policy_flush },
	{ "policy", "list", policy_list }, { "policy", "show", policy_list },
	{ "policy", "get", policy_get }, { "policy", "count", policy_count },
	{ "events", "list", events_list }, { "events", "follow", events_follow },
	{ "acquire", "wait", acquire_wait_line },
	{ "manager", "show", manager_show }, { "manager", "update", manager_update },
	{ "manager", "stacks", manager_stacks }, { "manager", "upgrade", manager_upgrade },
};

static int admin_run(struct request *r)
{
	const char *object = word_next(r->w), *verb = word_next(r->w);
	size_t i;

	if (!verb)
		verb = "list";
	for (i = 0; object && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(object, commands[i].object) && !strcmp(verb, commands[i].verb))
			return commands[i].run(r);
	return word_bad(r->w, object ? object : "command", verb,
			"add, update, delete, get, list, count, flush");
}

/* Words ended by NUL; the last byte is checked to be one. */
static int admin_split(const char *data, __u32 length, const char **word)
{
	__u32 at = 0;
	int n = 0;

	if (length && data[length - 1])
		return -1;
	while (at < length && n < WORD_COUNT_MAX) {
		word[n++] = data + at;
		at += (__u32)strlen(data + at) + 1;
	}
	return at < length ? -1 : n;
}

void admin_answer(struct manager *m, struct ipsp_record *rec)
{
	static char room[IPSP_ADMIN_MAX - 256];
	const struct ipsp_admin *admin = (const struct ipsp_admin *)(rec + 1);
	const char *word[WORD_COUNT_MAX];
	struct words w;
	struct text out;
	struct request r = { m, &w, &out, admin->flags, admin->start, 0, admin->id, false };
	int n = admin_split((const char *)rec + rec->data_offset, rec->data_len, word);

	text_init(&out, room, sizeof(room));
	word_init(&w, word, n < 0 ? 0 : n);
	w.is_request = true;
	if (admin_run(&r)) {
		r.is_later = false;
		text_cut(&out, 0);
		text_add(&out, "%s\n", w.error);
	} else {
		w.status = 0;
	}
	if (!r.is_later)
		reply_send(m, admin->id, w.status, &out, w.status ? 0 : r.next);
	explicit_bzero(room, out.used);
	explicit_bzero(rec, rec->len);
}
