// SPDX-License-Identifier: GPL-2.0-only
/* request.c - one request: its attributes, the table of handlers, its acknowledgement */
#include <errno.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "keyd.h"

#define REQUEST_ECHO_MAX 8192		/* larger ones are answered with their header alone */

#define ATTR(type, least) [type] = { .minlen = (least) }

/* What the kernel wants at least of each. */
static const struct nla_policy attributes[KEYD_ATTR_MAX + 1] = {
	ATTR(XFRMA_SA, sizeof(struct xfrm_usersa_info)),
	ATTR(XFRMA_POLICY, sizeof(struct xfrm_userpolicy_info)),
	ATTR(XFRMA_LASTUSED, 8),
	ATTR(XFRMA_ALG_AUTH_TRUNC, sizeof(struct xfrm_algo_auth)),
	ATTR(XFRMA_ALG_AEAD, sizeof(struct xfrm_algo_aead)),
	ATTR(XFRMA_ALG_AUTH, sizeof(struct xfrm_algo)),
	ATTR(XFRMA_ALG_CRYPT, sizeof(struct xfrm_algo)),
	ATTR(XFRMA_ALG_COMP, sizeof(struct xfrm_algo)),
	ATTR(XFRMA_ENCAP, sizeof(struct xfrm_encap_tmpl)),
	ATTR(XFRMA_TMPL, sizeof(struct xfrm_user_tmpl)),
	ATTR(XFRMA_SEC_CTX, sizeof(struct xfrm_user_sec_ctx)),
	ATTR(XFRMA_LTIME_VAL, sizeof(struct xfrm_lifetime_cur)),
	ATTR(XFRMA_REPLAY_VAL, sizeof(struct xfrm_replay_state)),
	ATTR(XFRMA_REPLAY_THRESH, 4),
	ATTR(XFRMA_ETIMER_THRESH, 4),
	ATTR(XFRMA_SRCADDR, sizeof(xfrm_address_t)),
	ATTR(XFRMA_COADDR, sizeof(xfrm_address_t)),
	ATTR(XFRMA_POLICY_TYPE, sizeof(struct xfrm_userpolicy_type)),
	ATTR(XFRMA_MIGRATE, sizeof(struct xfrm_user_migrate)),
	ATTR(XFRMA_KMADDRESS, sizeof(struct xfrm_user_kmaddress)),
	ATTR(XFRMA_MARK, sizeof(struct xfrm_mark)),
	ATTR(XFRMA_TFCPAD, 4),
	ATTR(XFRMA_REPLAY_ESN_VAL, sizeof(struct xfrm_replay_state_esn)),
	ATTR(XFRMA_SA_EXTRA_FLAGS, 4),
	ATTR(XFRMA_PROTO, 1),
	ATTR(XFRMA_ADDRESS_FILTER, sizeof(struct xfrm_address_filter)),
	ATTR(XFRMA_OFFLOAD_DEV, sizeof(struct xfrm_user_offload)),
	ATTR(XFRMA_SET_MARK, 4),
	ATTR(XFRMA_SET_MARK_MASK, 4),
	ATTR(XFRMA_IF_ID, 4),
	ATTR(XFRMA_MTIMER_THRESH, 4),
	ATTR(KEYD_SA_DIR, 1),
};

/* NEWSPDINFO has numbers of its own. */
static const struct nla_policy thresholds[XFRMA_SPD_MAX + 1] = {
	ATTR(XFRMA_SPD_IPV4_HTHRESH, sizeof(struct xfrmu_spdhthresh)),
	ATTR(XFRMA_SPD_IPV6_HTHRESH, sizeof(struct xfrmu_spdhthresh)),
};

struct handler {
	size_t body;
	int (*run)(struct request *r);
	int (*dump)(struct request *r);
};

#define AT(type) [XFRM_MSG_##type - XFRM_MSG_BASE]

/* By type; those that are missing the kernel does not take either. */
static const struct handler handlers[] = {
	AT(NEWSA) = { sizeof(struct xfrm_usersa_info), sa_new, NULL },
	AT(UPDSA) = { sizeof(struct xfrm_usersa_info), sa_new, NULL },
	AT(DELSA) = { sizeof(struct xfrm_usersa_id), sa_delete, NULL },
	AT(GETSA) = { sizeof(struct xfrm_usersa_id), sa_get, sa_dump },
	AT(FLUSHSA) = { sizeof(struct xfrm_usersa_flush), sa_flush, NULL },
	AT(ALLOCSPI) = { sizeof(struct xfrm_userspi_info), sa_alloc_spi, NULL },
	AT(EXPIRE) = { sizeof(struct xfrm_user_expire), sa_expire, NULL },
	AT(NEWPOLICY) = { sizeof(struct xfrm_userpolicy_info), policy_new, NULL },
	AT(UPDPOLICY) = { sizeof(struct xfrm_userpolicy_info), policy_new, NULL },
	AT(DELPOLICY) = { sizeof(struct xfrm_userpolicy_id), policy_get, NULL },
	AT(GETPOLICY) = { sizeof(struct xfrm_userpolicy_id), policy_get, policy_dump },
	AT(FLUSHPOLICY) = { 0, policy_flush, NULL },
	AT(POLEXPIRE) = { sizeof(struct xfrm_user_polexpire), policy_expire, NULL },
	AT(ACQUIRE) = { sizeof(struct xfrm_user_acquire), acquire_request, NULL },
	AT(MIGRATE) = { sizeof(struct xfrm_userpolicy_id), migrate_new, NULL },
	AT(NEWAE) = { sizeof(struct xfrm_aevent_id), aevent_new, NULL },
	AT(GETAE) = { sizeof(struct xfrm_aevent_id), aevent_get, NULL },
	AT(GETSADINFO) = { sizeof(__u32), info_sad, NULL },
	AT(NEWSPDINFO) = { sizeof(__u32), info_spd_set, NULL },
	AT(GETSPDINFO) = { sizeof(__u32), info_spd, NULL },
	AT(SETDEFAULT) = { sizeof(struct xfrm_userpolicy_default), policy_default_set, NULL },
	AT(GETDEFAULT) = { sizeof(struct xfrm_userpolicy_default), policy_default_get, NULL },
};

#define HANDLERS (sizeof(handlers) / sizeof(handlers[0]))

int request_fail(struct request *r, int err, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(r->text, sizeof(r->text), format, list);
	va_end(list);
	return err;
}

uint32_t request_u32(const struct request *r, int type, uint32_t otherwise)
{
	return r->attr[type] ? nla_get_u32(r->attr[type]) : otherwise;
}

void request_mark(const struct request *r, struct xfrm_mark *mark)
{
	memset(mark, 0, sizeof(*mark));
	if (r->attr[XFRMA_MARK])
		memcpy(mark, nla_data(r->attr[XFRMA_MARK]), sizeof(*mark));
}

/* ---- parsing ------------------------------------------------------------------------- */

/* In or out, as the kernels that have it say, of whatever message. */
static bool request_direction_is_bad(const struct request *r)
{
	__u8 direction = r->attr[KEYD_SA_DIR] ? nla_get_u8(r->attr[KEYD_SA_DIR]) : KEYD_SA_IN;

	return direction != KEYD_SA_IN && direction != KEYD_SA_OUT;
}

static int request_parse(struct request *r, const struct handler *h)
{
	int head = (int)nlmsg_size((int)h->body), rest, err;
	bool is_info = h->run == info_spd_set;

	if ((int)r->head->nlmsg_len < head)
		return request_fail(r, -EINVAL, "Invalid header length");
	rest = (int)r->head->nlmsg_len - NLMSG_ALIGN(head);
	err = rest <= 0 ? 0 :
	      nla_parse(r->attr, is_info ? XFRMA_SPD_MAX : KEYD_ATTR_MAX,
			(struct nlattr *)((char *)r->head + NLMSG_ALIGN(head)), rest,
			(struct nla_policy *)(is_info ? thresholds : attributes));
	if (err)
		return request_fail(r, -ERANGE, "Attribute failed policy validation");
	return request_direction_is_bad(r) ? request_fail(r, -ERANGE, "integer out of range") : 0;
}

static const struct handler *request_handler(const struct nlmsghdr *head)
{
	unsigned int type = head->nlmsg_type - XFRM_MSG_BASE;

	return head->nlmsg_type >= XFRM_MSG_BASE && type < HANDLERS && handlers[type].run ?
	       &handlers[type] : NULL;
}

/* ---- acknowledgements ---------------------------------------------------------------- */

/*
 * Keys are not sent back to who sent them. Only what is longer than the head of an algorithm can
 * hold a key: NEWSPDINFO has other attributes, of two bytes, under the same numbers.
 */
static void request_wipe_keys(struct request *r)
{
	static const struct {
		int type;
		size_t key;
	} secret[] = {
		{ XFRMA_ALG_AEAD, offsetof(struct xfrm_algo_aead, alg_key) },
		{ XFRMA_ALG_CRYPT, offsetof(struct xfrm_algo, alg_key) },
		{ XFRMA_ALG_AUTH, offsetof(struct xfrm_algo, alg_key) },
		{ XFRMA_ALG_AUTH_TRUNC, offsetof(struct xfrm_algo_auth, alg_key) },
	};
	size_t i, size;

	for (i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
		struct nlattr *a = r->attr[secret[i].type];

		size = a ? (size_t)nla_len(a) : 0;
		if (size > secret[i].key)
			explicit_bzero((char *)nla_data(a) + secret[i].key, size - secret[i].key);
	}
}

static void request_acknowledge(struct request *r, int err)
{
	bool whole = err && r->head->nlmsg_len <= REQUEST_ECHO_MAX;
	size_t echo = whole ? r->head->nlmsg_len : sizeof(*r->head);
	int flags = (r->text[0] ? NLM_F_ACK_TLVS : 0) | (err && !whole ? NLM_F_CAPPED : 0);
	struct nlmsgerr *e;
	struct nl_msg *m;

	if (!err && !(r->head->nlmsg_flags & NLM_F_ACK)) {
		relay_answer(r, NULL, IPSP_XFRMF_DONE);
		return;
	}
	m = nlmsg_alloc_size(echo + 64 + sizeof(r->text));
	nlmsg_put(m, r->from->portid, r->head->nlmsg_seq, NLMSG_ERROR, (int)(sizeof(e->error) + echo), flags);
	e = nlmsg_data(nlmsg_hdr(m));
	e->error = err;
	memcpy(&e->msg, r->head, echo);
	if (r->text[0])
		nla_put_string(m, NLMSGERR_ATTR_MSG, r->text);
	relay_answer(r, m, IPSP_XFRMF_DONE);
}

/* ---- serving ------------------------------------------------------------------------- */

static int request_run(struct request *r)
{
	const struct handler *h = request_handler(r->head);
	int err = h ? request_parse(r, h) : -EINVAL;

	return err ? err : h->run(r);
}

static void request_dump(struct request *r)
{
	static const uint64_t none[2];
	const struct handler *h = request_handler(r->head);
	struct handler any = { 0, NULL, NULL };
	int err;

	/* as the kernel: a dump needs no body, and looks for attributes right behind the header */
	err = h && h->dump ? request_parse(r, &any) : -EINVAL;
	if (!err)
		err = h->dump(r);
	if (err)
		relay_part(r, "", 0, 0, none, err);
}

/* What was decided is done: a deletion, a migration to its end, which may be over. */
static int request_finish(struct request *r)
{
	static const __u16 again[] = { XFRM_MSG_DELSA, XFRM_MSG_DELPOLICY, XFRM_MSG_EXPIRE, XFRM_MSG_POLEXPIRE,
				       XFRM_MSG_MIGRATE };
	int err = r->k->store->hand.err;
	size_t i;

	for (i = 0; !err && i < sizeof(again) / sizeof(again[0]); i++)
		if (r->head->nlmsg_type == again[i])
			request_run(r);
	r->text[0] = '\0';
	return err;
}

static void request_once(struct request *r)
{
	int err = r->k->store->hand.is_decided ? request_finish(r) : request_run(r);

	hand_decide(r->k, err);		/* here the keys go */
	request_wipe_keys(r);
	request_acknowledge(r, err);
}

void request_serve(struct keyd *k, struct ipsp_xfrm *x)
{
	struct request r = { .k = k, .from = x, .head = (struct nlmsghdr *)(x + 1) };

	r.body = nlmsg_data(r.head);
	if (x->type == IPSP_XFRM_DUMP)
		request_dump(&r);
	else
		request_once(&r);
	hand_over(k);
}
