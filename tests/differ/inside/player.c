// SPDX-License-Identifier: GPL-2.0
/*
 * player.c - the player with the keying agent's own functions instead of a socket: thousands of sequences a second, natively
 *
 * Its manager reads the words as the real one does, keeps a list of names, and has no kernel.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/keyd/keyd.h"
#include "tests/differ/differ.h"
#include "words/device.h"
#include "words/policy.h"
#include "words/state.h"

#define STATES_MAX	64

static struct keyd k;
static struct option_set options;
static struct learned learned;
static struct ipsp_sa states[STATES_MAX];
static union {
	struct ipsp_xfrm head;
	_Alignas(8) char bytes[sizeof(struct ipsp_xfrm) + MESSAGE_MAX + 8];
} in;

struct learned *player_learned(void)
{
	return &learned;
}

/* ---- the manager ---------------------------------------------------------------------------------- */

int opener_ask(struct keyd *k, const struct keyd_compartment *c)
{
	(void)k;
	(void)c;
	return dup(0);
}

int __wrap_device_attach(int fd, __u32 role, __u32 index);
int __wrap_device_attach(int fd, __u32 role, __u32 index)
{
	(void)fd;
	(void)role;
	(void)index;
	return 0;
}

static struct ipsp_sa *manager_find(const struct ipsp_sa *id)
{
	int i;

	for (i = 0; i < STATES_MAX; i++)
		if (states[i].spi && states[i].spi == id->spi && states[i].family == id->family &&
		    states[i].protocol == id->protocol && !memcmp(states[i].destination, id->destination, 16))
			return &states[i];
	return NULL;
}

static int manager_state(struct words *w)
{
	bool is_new = word_take(w, "add"), is_gone = !is_new && word_take(w, "delete");
	struct ipsp_sa *old, none = { 0 };
	struct state_line line;

	if (!is_new && !is_gone)
		word_next(w);
	if (state_parse(w, &line, !is_new) || (is_new && (state_direction(w, &line) || state_admit(w, &line.sa, &options))))
		return -EINVAL;
	old = manager_find(&line.sa);
	if (is_new ? old != NULL : !old)
		return word_fail(w, WORD_STATUS_REFUSED, "state: %s", strerror(is_new ? EEXIST : ESRCH));
	if (is_new)
		for (old = states; old->spi; old++)
			;
	if (is_new || is_gone)
		*old = is_new ? line.sa : none;
	return 0;
}

static int manager_policy(struct words *w)
{
	struct ipsp_policy_entry entry;

	if (!word_take(w, "update"))
		return 0;
	return policy_parse(w, &entry);
}

int __wrap_device_ask(int fd, __u32 flags, const char *const *word, int count, struct device_reply *reply);
int __wrap_device_ask(int fd, __u32 flags, const char *const *word, int count, struct device_reply *reply)
{
	struct words w;
	int err;

	(void)fd;
	(void)flags;
	word_init(&w, word, count);
	w.is_request = true;
	err = word_take(&w, "state") ? manager_state(&w) : word_take(&w, "policy") ? manager_policy(&w) : 0;
	reply->status = err ? w.status : 0;
	snprintf(reply->text, sizeof(reply->text), "%s", err ? w.error : "{}");
	return 0;
}

/* ---- the relay ------------------------------------------------------------------------------------ */

static void heard(struct nl_msg *m, enum said said, unsigned int group)
{
	struct nlmsghdr *head = nlmsg_hdr(m);

	alike(head, &learned, true);
	script_say(said, group, head, head->nlmsg_len);
	nlmsg_free(m);
}

static void ended(int error, unsigned int type)
{
	script_say(SAID_ERROR, type, &error, sizeof(error));
}

void relay_answer(struct request *r, struct nl_msg *m, __u32 flags)
{
	(void)r;
	if (!(flags & IPSP_XFRMF_DONE)) {
		heard(m, SAID_ANSWER, 0);
		return;
	}
	if (m)
		ended(*(const int *)nlmsg_data(nlmsg_hdr(m)), NLMSG_ERROR);
	nlmsg_free(m);
}

/* The group's bit, as a socket hears it. */
static struct {
	struct nl_msg *m;
	unsigned int group;
} later[32];
static unsigned int laters;

void relay_multicast(struct keyd *unused, __u32 group, struct nl_msg *m)
{
	(void)unused;
	if (laters == sizeof(later) / sizeof(later[0]))
		abort();
	later[laters].m = m;
	later[laters++].group = 1u << (group - 1);
}

static void tell_later(void)
{
	unsigned int i;

	for (i = 0; i < laters; i++)
		heard(later[i].m, SAID_EVENT, later[i].group);
	laters = 0;
}

void relay_part(struct request *r, const void *data, size_t size, __u32 flags, const uint64_t cursor[2], int error)
{
	static _Alignas(8) char room[IPSP_XFRM_MAX];
	struct nlmsghdr *head;
	int left = (int)size;

	memcpy(room, data, size);
	for (head = (struct nlmsghdr *)room; NLMSG_OK(head, (unsigned int)left); head = NLMSG_NEXT(head, left)) {
		alike(head, &learned, true);
		script_say(SAID_ANSWER, 0, head, head->nlmsg_len);
	}
	memcpy(r->from->cursor, cursor, sizeof(r->from->cursor));
	r->from->flags = flags & IPSP_XFRMF_MORE && size ? 1 : 0;
	if (!r->from->flags)
		ended(error, NLMSG_DONE);
}

/* ---- requests, as the kernel's netlink and the module hand them over -------------------------------- */

static bool is_dump(const struct nlmsghdr *head)
{
	return (head->nlmsg_type == XFRM_MSG_GETSA || head->nlmsg_type == XFRM_MSG_GETPOLICY) &&
	       (head->nlmsg_flags & NLM_F_DUMP);
}

static void serve(const struct nlmsghdr *head)
{
	memset(&in, 0, sizeof(in));
	memcpy(&in.head + 1, head, head->nlmsg_len);
	in.head.type = is_dump(head) ? IPSP_XFRM_DUMP : IPSP_XFRM_REQUEST;
	in.head.portid = 1;
	in.head.room = 3800;
	do
		request_serve(&k, &in.head);
	while (in.head.flags);
}

bool player_open(void)
{
	char path[] = "/dev/shm/differ.XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0 || store_open(&k, path))
		return false;
	close(fd);
	unlink(path);
	option_init(&options, "blue");
	return true;
}

void player_begin(uint32_t number)
{
	while (k.store->sas)
		store_free_sa(&k, store_next_sa(&k, 0));
	while (k.store->policies)
		store_free_policy(&k, store_next_policy(&k, 0));
	k.store->threshold[0] = (struct xfrmu_spdhthresh){ 32, 32 };
	k.store->threshold[1] = (struct xfrmu_spdhthresh){ 128, 128 };
	memset(states, 0, sizeof(states));
	memset(&learned, 0, sizeof(learned));
	script_say(SAID_SEQUENCE, 0, &number, sizeof(number));
}

void player_send(struct maker *maker)
{
	static struct maker copy;
	size_t size = maker->m.head.nlmsg_len, sent = size < NLMSG_HDRLEN || size > MESSAGE_MAX ? 200 : size;
	const struct nlmsghdr *head = &maker->m.head;

	copy.m = maker->m;
	alike(&copy.m.head, &learned, false);
	script_say(SAID_REQUEST, 0, copy.m.bytes, sent);
	if (sent != size)
		return;
	if (!(head->nlmsg_flags & NLM_F_REQUEST) || head->nlmsg_type < NLMSG_MIN_TYPE) {
		if (head->nlmsg_flags & NLM_F_ACK)
			ended(0, NLMSG_ERROR);
		return;
	}
	serve(head);
	tell_later();
}
