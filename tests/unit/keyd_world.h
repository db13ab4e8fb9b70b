/* SPDX-License-Identifier: GPL-2.0-only */
/* keyd_world.h - a keying agent whose manager and relay only take notes */
#ifndef UNIT_KEYD_WORLD_H
#define UNIT_KEYD_WORLD_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"
#include "xfrm_request.h"

/* ---- what the agent says, and to whom ---------------------------------------------------- */

static char words[4096];		/* of the last request to the manager, blanks between */
static char asked[IPSP_NAME_MAX];	/* whose manager that was */
static int words_count, manager_err;
static const char *manager_text = "", *manager_errs_at = "";	/* words of what it refuses; "": all */
static struct {
	int answers, multicasts, parts, more, error, has_text;
	__u16 type, event;
	uint64_t cursor[2];
	char answer[8192], told[8192], part[IPSP_XFRM_MAX];
	size_t part_size;
} heard;

void compartment_word(struct compartment_words *w, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	w->used += (size_t)vsnprintf(w->room + w->used, sizeof(w->room) - w->used, format, list);
	va_end(list);
	w->room[w->used++] = ' ';
	w->room[w->used] = '\0';
	w->count++;
}

int compartment_ask(struct keyd *k, const char *name, struct compartment_words *w, __u32 flags, const char **text)
{
	(void)k;
	(void)flags;
	snprintf(asked, sizeof(asked), "%s", name);
	snprintf(words, sizeof(words), "%.*s", (int)w->used, w->room);
	words_count++;
	if (text)
		*text = manager_text;
	return strstr(words, manager_errs_at) ? manager_err : 0;
}

int opener_ask(struct keyd *k, const struct keyd_compartment *c)
{
	(void)k;
	(void)c;
	return -ENODEV;
}

void relay_answer(struct request *r, struct nl_msg *m, __u32 flags)
{
	const struct nlmsghdr *head = m ? nlmsg_hdr(m) : NULL;

	(void)r;
	if (flags & IPSP_XFRMF_DONE) {
		heard.error = head ? ((struct nlmsgerr *)nlmsg_data(head))->error : 0;
		heard.has_text = head && (head->nlmsg_flags & NLM_F_ACK_TLVS);
	} else {
		ck_assert_ptr_nonnull(head);
		heard.answers++;
		heard.type = head->nlmsg_type;
		memcpy(heard.answer, head, head->nlmsg_len);
	}
	nlmsg_free(m);
}

void relay_multicast(struct keyd *k, __u32 group, struct nl_msg *m)
{
	(void)k;
	ck_assert_uint_gt(group, 0);
	heard.multicasts++;
	heard.event = nlmsg_hdr(m)->nlmsg_type;
	memcpy(heard.told, nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len);
	nlmsg_free(m);
}

void relay_part(struct request *r, const void *data, size_t size, __u32 flags, const uint64_t cursor[2],
		int error)
{
	(void)r;
	heard.parts++;
	heard.more = flags & IPSP_XFRMF_MORE;
	heard.error = error;
	memcpy(heard.cursor, cursor, sizeof(heard.cursor));
	memcpy(heard.part, data, size);
	heard.part_size = size;
}

/* ---- messages ----------------------------------------------------------------------------- */

static struct keyd k;
static inline int send_it(void)
{
	memset(&heard, 0, sizeof(heard));
	request_serve(&k, &message.from);
	return heard.error;
}

static inline void authentication(unsigned int bits)
{
	char x[1024] = "";
	struct xfrm_algo *a = (struct xfrm_algo *)x;

	strcpy(a->alg_name, "hmac(sha256)");
	a->alg_key_len = bits;
	xfrm_attribute(XFRMA_ALG_AUTH, x, sizeof(*a) + bits / 8);
}

static inline int add(__u32 spi)
{
	xfrm_state(XFRM_MSG_NEWSA, spi);
	xfrm_aead("rfc4106(gcm(aes))", 160);
	return send_it();
}

static inline int named(__u16 type, __u32 spi)
{
	xfrm_named(type, spi);
	return send_it();
}

static inline bool has_key(const char *bytes, size_t size)
{
	char key[20];

	memset(key, 0x5a, sizeof(key));
	return memmem(bytes, size, key, sizeof(key));
}

static inline void setup(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/shm/test_keyd.%d", getpid());
	memset(&k, 0, sizeof(k));
	compartments_add(&k, "blue");
	manager_err = 0;
	manager_text = manager_errs_at = "";
	ck_assert_int_eq(store_open(&k, path), 0);
	unlink(path);
}

static inline int policy(__u16 type, __u8 dir, __u32 priority)
{
	struct xfrm_userpolicy_info *info = xfrm_begin(type, sizeof(*info));
	struct xfrm_user_tmpl t = { .family = AF_INET, .mode = XFRM_MODE_TUNNEL, .reqid = 3 };

	info->sel.family = AF_INET;
	info->sel.saddr.a4 = htonl(0x0a010000);
	info->sel.daddr.a4 = htonl(0x0a020000);
	info->sel.prefixlen_s = info->sel.prefixlen_d = 24;
	info->dir = dir;
	info->priority = priority;
	t.id.proto = IPPROTO_ESP;
	t.id.daddr.a4 = htonl(0x0a090002);
	xfrm_attribute(XFRMA_TMPL, &t, sizeof(t));
	return send_it();
}

#endif
