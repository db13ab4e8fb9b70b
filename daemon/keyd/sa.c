// SPDX-License-Identifier: GPL-2.0-only
/* sa.c - the SAs: NEWSA, UPDSA, DELSA, GETSA, FLUSHSA, ALLOCSPI, EXPIRE */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "keyd.h"
#include "words/address.h"
#include "words/algorithm.h"

bool address_equal(const xfrm_address_t *a, const xfrm_address_t *b, __u16 family)
{
	return family == AF_INET ? a->a4 == b->a4 : !memcmp(a, b, sizeof(*a));
}

/* ---- finding ------------------------------------------------------------------------- */

static bool sa_is(const struct keyd_sa *sa, const struct xfrm_mark *mark, const xfrm_address_t *daddr,
		  __be32 spi, __u8 proto, __u16 family)
{
	return sa->state && spi && sa->info.id.spi == spi && sa->info.id.proto == proto &&
	       sa->info.family == family && address_equal(&sa->info.id.daddr, daddr, family) &&
	       (mark->v & mark->m & sa->mark.m) == sa->mark.v;
}

struct keyd_sa *sa_find(struct keyd *k, const struct xfrm_mark *mark, const xfrm_address_t *daddr,
			__be32 spi, __u8 proto, __u16 family)
{
	struct keyd_sa *at = NULL;

	while ((at = store_find_spi(k, spi, at)))
		if (sa_is(at, mark, daddr, spi, proto, family))
			return at;
	return NULL;
}

/* The one that stands for the exchange that an ACQUIRE with this number began. */
static struct keyd_sa *sa_find_acquired(struct keyd *k, const struct xfrm_mark *mark, __u32 seq)
{
	struct keyd_sa *at = NULL;

	while (seq && (at = store_find_larval(k, at)))
		if (at->info.seq == seq && (mark->v & mark->m & at->mark.m) == at->mark.v)
			return at;
	return NULL;
}

struct keyd_sa *sa_find_asked(struct keyd *k, const struct xfrm_usersa_info *like, const struct xfrm_mark *mark,
			      int64_t if_id, const struct keyd_label *label)
{
	struct keyd_sa *at = NULL;

	while ((at = store_find_larval(k, at)))
		if (!at->info.id.spi && at->info.id.proto == like->id.proto &&
		    at->info.family == like->family && at->info.mode == like->mode &&
		    at->info.reqid == like->reqid && (!label || label_is(&at->label, label)) && (if_id < 0 || at->if_id == if_id) &&
		    (mark->v & mark->m & at->mark.m) == at->mark.v &&
		    address_equal(&at->info.id.daddr, &like->id.daddr, like->family) &&
		    address_equal(&at->info.saddr, &like->saddr, like->family))
			return at;
	return NULL;
}

/* ---- what the attributes say ----------------------------------------------------------- */

static void take_bytes(struct keyd_bytes *to, const struct nlattr *a, size_t size)
{
	if (!a)
		return;
	to->size = (__u32)size;
	memcpy(to->at, nla_data(a), size < (size_t)nla_len(a) ? size : (size_t)nla_len(a));
}

static size_t key_bytes(const struct nlattr *a)
{
	return a ? (((const struct xfrm_algo *)nla_data(a))->alg_key_len + 7) / 8 : 0;
}

/* As the kernel: by its first name, and nothing behind it. */
static void take_name(char *name, enum algorithm_kind kind)
{
	const struct algorithm *a;

	name[sizeof(((struct xfrm_algo *)0)->alg_name) - 1] = '\0';
	a = algorithm_find(kind, name);		/* there is one: sa_verify */
	memset(name, 0, sizeof(((struct xfrm_algo *)0)->alg_name));
	strcpy(name, a->name);
}

/* The kernel tells AUTH as AUTH_TRUNC, too; so we keep the latter. */
static void take_auth(struct keyd_sa *sa, const struct request *r)
{
	const struct nlattr *truncated = r->attr[XFRMA_ALG_AUTH_TRUNC], *whole = r->attr[XFRMA_ALG_AUTH];
	struct xfrm_algo_auth *to = (struct xfrm_algo_auth *)sa->auth.at;
	const struct xfrm_algo *from = whole ? nla_data(whole) : NULL;
	const struct algorithm *a;

	if (truncated) {
		take_bytes(&sa->auth, truncated, sizeof(*to) + key_bytes(truncated));
	} else if (from) {
		memcpy(to->alg_name, from->alg_name, sizeof(to->alg_name));
		to->alg_key_len = from->alg_key_len;
		memcpy(to->alg_key, from->alg_key, key_bytes(whole));
		sa->auth.size = (__u32)(sizeof(*to) + key_bytes(whole));
	}
	if (!sa->auth.size)
		return;
	take_name(to->alg_name, ALGORITHM_AUTH);
	a = algorithm_find(ALGORITHM_AUTH, to->alg_name);
	if (a && !to->alg_trunc_len)
		to->alg_trunc_len = a->icv_bits[0];
}

static void take_algorithms(struct keyd_sa *sa, const struct request *r)
{
	const struct nlattr *aead = r->attr[XFRMA_ALG_AEAD], *cipher = r->attr[XFRMA_ALG_CRYPT];

	take_bytes(&sa->aead, aead, sizeof(struct xfrm_algo_aead) + key_bytes(aead));
	take_bytes(&sa->cipher, cipher, sizeof(struct xfrm_algo) + key_bytes(cipher));
	if (aead)
		take_name((char *)sa->aead.at, ALGORITHM_AEAD);
	if (cipher)
		take_name((char *)sa->cipher.at, ALGORITHM_CIPHER);
	take_auth(sa, r);
}

static void take_esn(struct keyd_sa *sa, const struct nlattr *a)
{
	const struct xfrm_replay_state_esn *esn = a ? nla_data(a) : NULL;

	if (esn)
		take_bytes(&sa->esn, a, sizeof(*esn) + esn->bmp_len * sizeof(esn->bmp[0]));
}

static void take_usage(struct keyd_sa *sa, const struct request *r)
{
	const struct nlattr *replay = r->attr[XFRMA_REPLAY_VAL], *lifetime = r->attr[XFRMA_LTIME_VAL];

	if (replay)
		memcpy(&sa->replay, nla_data(replay), sizeof(sa->replay));
	if (lifetime)
		memcpy(&sa->before, nla_data(lifetime), sizeof(sa->before));
	if (lifetime)
		sa->info.curlft = sa->before;
	sa->replay_maxage = request_u32(r, XFRMA_ETIMER_THRESH, 10);
	sa->replay_maxdiff = request_u32(r, XFRMA_REPLAY_THRESH, 2);
	sa->mapping_maxage = request_u32(r, XFRMA_MTIMER_THRESH, 0);
}

static void take_info(struct keyd_sa *sa, const struct xfrm_usersa_info *info)
{
	sa->info = (struct xfrm_usersa_info){	/* and nothing of what lies between its members */
		.sel = info->sel, .id = info->id, .saddr = info->saddr, .lft = info->lft, .seq = info->seq,
		.reqid = info->reqid, .family = info->family, .mode = info->mode,
		.replay_window = info->replay_window, .flags = info->flags,
	};
	sa->info.curlft.add_time = (__u64)time(NULL);
	if (sa->info.replay_window > 32)
		sa->info.replay_window = 32;
	if (!sa->info.sel.family && !(info->flags & XFRM_STATE_AF_UNSPEC))
		sa->info.sel.family = info->family;
}

static void take_all(struct keyd_sa *sa, const struct request *r)
{
	take_info(sa, r->body);
	request_mark(r, &sa->mark);
	sa->mark.v &= sa->mark.m;
	if (r->attr[XFRMA_SET_MARK]) {
		sa->set_mark.v = nla_get_u32(r->attr[XFRMA_SET_MARK]);
		sa->set_mark.m = request_u32(r, XFRMA_SET_MARK_MASK, 0xffffffff);
	}
	if (r->attr[XFRMA_ENCAP])
		memcpy(&sa->encap, nla_data(r->attr[XFRMA_ENCAP]), sizeof(sa->encap));
	if (r->attr[XFRMA_COADDR])
		memcpy(&sa->coaddr, nla_data(r->attr[XFRMA_COADDR]), sizeof(sa->coaddr));
	sa->has_encap = !!r->attr[XFRMA_ENCAP];
	mapping_begin(sa);
	sa->has_coaddr = !!r->attr[XFRMA_COADDR];
	take_algorithms(sa, r);
	take_esn(sa, r->attr[XFRMA_REPLAY_ESN_VAL]);
	take_usage(sa, r);
	sa->if_id = request_u32(r, XFRMA_IF_ID, 0);
	sa->extra_flags = request_u32(r, XFRMA_SA_EXTRA_FLAGS, 0);
	sa->tfc_pad = request_u32(r, XFRMA_TFCPAD, 0);
	label_take(&sa->label, r);
	sa->direction = r->attr[KEYD_SA_DIR] ? nla_get_u8(r->attr[KEYD_SA_DIR]) : 0;
}

/* ---- events --------------------------------------------------------------------------- */

static void sa_told(struct request *r, struct keyd_sa *sa, __u16 type)
{
	relay_multicast(r->k, XFRMNLGRP_SA, sa_message(sa, type, r->head->nlmsg_pid, r->head->nlmsg_seq, 0,
						       r->k->events));
}

void sa_told_expired(struct keyd *k, struct keyd_sa *sa, bool hard, __u32 portid)
{
	if (sa->state == SA_VALID)
		sa_words_usage(k, sa);
	relay_multicast(k, XFRMNLGRP_EXPIRE, sa_message_expire(sa, hard, portid));
}

/* ---- adding --------------------------------------------------------------------------- */

static int sa_add(struct request *r, struct keyd_sa *larval)
{
	struct keyd_sa *sa = store_new_sa(r->k);
	int err;

	if (!sa)
		return request_fail(r, -ENOBUFS, "ipsec-port-keyd: no room for another state");
	take_all(sa, r);
	strcpy(sa->compartment, place_of_sa(r->k, sa));
	store_named(r->k, sa);
	sa->state = SA_CHANGING;
	err = sa_words_add(r->k, sa, r);
	if (err) {
		store_free_sa(r->k, sa);
		return err;
	}
	hand_decide(r->k, 0);
	sa->state = SA_VALID;
	if (larval)
		store_free_sa(r->k, larval);
	sa_told(r, sa, r->head->nlmsg_type);
	return 0;
}

/* The kernel takes other ports of the same kind of encapsulation; here they are a new SA's. */
static bool sa_changes_encap(struct request *r, const struct keyd_sa *sa, int *err)
{
	const struct xfrm_encap_tmpl *to = r->attr[XFRMA_ENCAP] ? nla_data(r->attr[XFRMA_ENCAP]) : NULL;

	if (!to && !sa->has_encap)
		return false;
	*err = -EINVAL;
	if (!to || !sa->has_encap || to->encap_type != sa->encap.encap_type)
		return true;
	*err = request_fail(r, -EOPNOTSUPP, "ipsec-port: other ports of a state; wanted: delete and add");
	return to->encap_sport != sa->encap.encap_sport || to->encap_dport != sa->encap.encap_dport;
}

/* Limits in the compartment are a handle's: there it is another one, with the same key, numbers and counts. */
static int sa_change_limits(struct request *r, struct keyd_sa *sa, const struct xfrm_lifetime_cfg *to)
{
	const struct xfrm_lifetime_cfg *is = &sa->info.lft;
	struct keyd_sa other;
	int err = 0;

	if (is->soft_byte_limit != to->soft_byte_limit || is->hard_byte_limit != to->hard_byte_limit ||
	    is->soft_packet_limit != to->soft_packet_limit || is->hard_packet_limit != to->hard_packet_limit) {
		sa_words_usage(r->k, sa);
		other = *sa;
		other.info.lft = *to;
		other.before = sa->info.curlft;
		err = sa_words_update(r->k, &other, r);
		if (!err)
			sa->before = other.before;
		explicit_bzero(&other, sizeof(other));
	}
	if (!err)
		sa->info.lft = *to;
	return err;
}

/* Of a state that is there UPDSA changes this much, and no key, in the kernel too. */
static int sa_change(struct request *r, struct keyd_sa *sa)
{
	static struct keyd_sa asked;
	int err;

	if (sa_changes_encap(r, sa, &err))
		return err;
	memset(&asked, 0, sizeof(asked));
	take_all(&asked, r);
	err = sa_change_limits(r, sa, &asked.info.lft);
	if (!err) {
		store_named(r->k, sa);
		sa->soft_told = 0;
		if (asked.if_id)
			sa->if_id = asked.if_id;
		sa_told(r, &asked, r->head->nlmsg_type);	/* as the kernel: what was asked for */
	}
	explicit_bzero(&asked, sizeof(asked));
	return err;
}

int sa_new(struct request *r)
{
	const struct xfrm_usersa_info *info = r->body;
	struct keyd_sa *old, *larval;
	struct xfrm_mark mark;
	int err = sa_verify(r, info);

	if (err)
		return err;
	request_mark(r, &mark);
	old = sa_find(r->k, &mark, &info->id.daddr, info->id.spi, info->id.proto, info->family);
	if (old && old->state == SA_ENDING) {
		err = removal_sa_promised(r->k, old);
		if (err)
			return removal_fail(r, old->compartment, err);
		old = NULL;
	}
	if (r->head->nlmsg_type == XFRM_MSG_NEWSA) {
		larval = sa_find_acquired(r->k, &mark, info->seq);
		if (!larval || larval->info.id.proto != info->id.proto ||
		    !address_equal(&larval->info.id.daddr, &info->id.daddr, info->family))
			larval = sa_find_asked(r->k, info, &mark, -1, NULL);
		return old ? -EEXIST : sa_add(r, larval);
	}
	if (!old)
		return -ESRCH;
	return old->state == SA_LARVAL ? sa_add(r, old) : sa_change(r, old);
}

/* ---- deleting ------------------------------------------------------------------------- */

static struct keyd_sa *sa_named(struct request *r, const struct xfrm_usersa_id *id, int *err)
{
	struct xfrm_mark mark;
	struct keyd_sa *sa;

	*err = id->proto == IPPROTO_ESP || id->proto == IPPROTO_AH || id->proto == IPPROTO_COMP ||
	       id->proto == IPSEC_PROTO_ANY || r->attr[XFRMA_SRCADDR] ?
	       -ESRCH : -EINVAL;
	if (*err == -EINVAL)
		return NULL;
	request_mark(r, &mark);
	sa = sa_find(r->k, &mark, &id->daddr, id->spi, id->proto, id->family);
	if (sa && sa->state == SA_VALID)
		sa_words_usage(r->k, sa);
	return sa;
}

int sa_delete(struct request *r)
{
	struct keyd_sa *sa, copy;
	int err;

	sa = sa_named(r, r->body, &err);
	if (!sa)
		return err;
	copy = *sa;
	err = removal_sa(r, sa);
	if (!err)
		sa_told(r, &copy, XFRM_MSG_DELSA);
	explicit_bzero(&copy, sizeof(copy));
	return err;
}

/* All that can be taken away is; the rest is told by DELSA when it goes. */
int sa_flush(struct request *r)
{
	const struct xfrm_usersa_flush *flush = r->body;
	struct keyd_sa *at;
	struct nl_msg *m;
	uint64_t below = 0;
	int count = 0, err = 0, refused;

	removal_begin(r->k);
	while ((at = store_next_sa(r->k, below))) {
		below = at->id;
		if (flush->proto && flush->proto != IPSEC_PROTO_ANY && at->info.id.proto != flush->proto)
			continue;
		refused = removal_sa_in_pass(r->k, at);
		err = err ?: refused;
		count++;
	}
	if (!count)
		return 0;
	m = nlmsg_alloc();
	nlmsg_put(m, r->head->nlmsg_pid, r->head->nlmsg_seq, XFRM_MSG_FLUSHSA, sizeof(*flush), 0);
	memcpy(nlmsg_data(nlmsg_hdr(m)), flush, sizeof(*flush));
	relay_multicast(r->k, XFRMNLGRP_SA, m);
	return err ? removal_fail_flush(r, err) : 0;
}

/* ---- telling --------------------------------------------------------------------------- */

static void sa_answer(struct request *r, struct keyd_sa *sa)
{
	relay_answer(r, sa_message(sa, XFRM_MSG_NEWSA, r->from->portid, r->head->nlmsg_seq, 0, KEYS_TOLD), 0);
}

int sa_get(struct request *r)
{
	struct keyd_sa *sa;
	int err;

	sa = sa_named(r, r->body, &err);
	if (!sa)
		return err;
	sa_answer(r, sa);
	return 0;
}

static bool sa_passes(const struct request *r, const struct keyd_sa *sa)
{
	const struct xfrm_address_filter *f = r->attr[XFRMA_ADDRESS_FILTER] ?
					      nla_data(r->attr[XFRMA_ADDRESS_FILTER]) : NULL;
	__u8 proto = r->attr[XFRMA_PROTO] ? nla_get_u8(r->attr[XFRMA_PROTO]) : 0;

	if (proto && proto != IPSEC_PROTO_ANY && proto != sa->info.id.proto)
		return false;
	return !f || (((f->family != AF_INET && f->family != AF_INET6) || f->family == sa->info.family) &&
		      address_is_in(&sa->info.saddr, &f->saddr, f->splen) &&
		      address_is_in(&sa->info.id.daddr, &f->daddr, f->dplen));
}

/* As many as the part holds; the cursor is the age of the last one told. */
int sa_dump(struct request *r)
{
	static char room[IPSP_XFRM_MAX];
	const struct xfrm_address_filter *f;
	uint64_t cursor[2] = { r->from->cursor[0], 0 };
	size_t used = 0, size;
	struct keyd_sa *sa;
	struct nl_msg *m;

	f = r->attr[XFRMA_ADDRESS_FILTER] ? nla_data(r->attr[XFRMA_ADDRESS_FILTER]) : NULL;
	if (f && (f->splen > 128 || f->dplen > 128))
		return -EINVAL;
	for (; (sa = store_next_sa(r->k, cursor[0])); cursor[0] = sa->id) {
		if (!sa_passes(r, sa))
			continue;
		if (sa->state == SA_VALID)
			sa_words_usage(r->k, sa);
		m = sa_message(sa, XFRM_MSG_NEWSA, r->from->portid, r->head->nlmsg_seq, NLM_F_MULTI,
			       KEYS_TOLD);
		size = NLMSG_ALIGN(nlmsg_hdr(m)->nlmsg_len);
		if (used + size <= r->from->room)
			memcpy(room + used, nlmsg_hdr(m), size);
		explicit_bzero(nlmsg_data(nlmsg_hdr(m)), (size_t)nlmsg_datalen(nlmsg_hdr(m)));
		nlmsg_free(m);
		if (used + size > r->from->room)
			break;
		used += size;
	}
	relay_part(r, room, used, sa ? IPSP_XFRMF_MORE : 0, cursor, 0);
	explicit_bzero(room, used);
	return 0;
}

/* ---- ALLOCSPI --------------------------------------------------------------------------- */

static int spi_verify(__u8 proto, __u32 min, __u32 max)
{
	if (proto == IPPROTO_COMP ? max >= 0x10000 : proto != IPPROTO_AH && proto != IPPROTO_ESP)
		return -EINVAL;
	return min > max ? -EINVAL : 0;
}

/* No SPI is given twice, whatever its destination. */
static bool spi_is_used(struct keyd *k, __be32 spi, __u8 proto)
{
	struct keyd_sa *at = NULL;

	while ((at = store_find_spi(k, spi, at)))
		if (at->state && at->info.id.proto == proto)
			return true;
	return false;
}

static __be32 spi_find(struct request *r, const struct xfrm_userspi_info *p, __u8 proto)
{
	__u64 range = (__u64)p->max - p->min + 1, tries = range < 1000 ? range * 10 : 1000;
	__u32 random, spi;

	for (; tries; tries--) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return 0;
		spi = htonl((__u32)(p->min + random % range));
		if (spi && !spi_is_used(r->k, spi, proto))
			return spi;
	}
	return 0;
}

static void larval_init(struct keyd_sa *sa, const struct request *r)
{
	const struct xfrm_userspi_info *p = r->body;
	struct xfrm_usersa_info *info = &sa->info;
	__u8 bits = p->info.family == AF_INET ? 32 : 128;

	info->id.proto = p->info.id.proto;
	memcpy(&info->id.daddr, &p->info.id.daddr, p->info.family == AF_INET ? 4 : 16);
	memcpy(&info->saddr, &p->info.saddr, p->info.family == AF_INET ? 4 : 16);
	info->family = p->info.family;
	info->mode = p->info.mode;
	info->reqid = p->info.reqid;
	info->sel.daddr = info->id.daddr;
	info->sel.saddr = info->saddr;
	info->sel.prefixlen_d = bits;
	info->sel.prefixlen_s = bits;
	info->lft.soft_byte_limit = XFRM_INF;
	info->lft.hard_byte_limit = XFRM_INF;
	info->lft.soft_packet_limit = XFRM_INF;
	info->lft.hard_packet_limit = XFRM_INF;
	info->lft.hard_add_expires_seconds = SA_LARVAL_SECONDS;
	info->curlft.add_time = (__u64)time(NULL);
	sa->if_id = request_u32(r, XFRMA_IF_ID, 0);
	request_mark(r, &sa->mark);
}

/* One that an ACQUIRE made, one that has no SPI yet, or a new one. */
static struct keyd_sa *larval_find(struct request *r, const struct xfrm_mark *mark)
{
	const struct xfrm_userspi_info *p = r->body;
	struct keyd_sa *sa = sa_find_acquired(r->k, mark, p->info.seq);

	if (sa && address_equal(&sa->info.id.daddr, &p->info.id.daddr, p->info.family))
		return sa;
	sa = sa_find_asked(r->k, &p->info, mark, -1, NULL);
	if (sa)
		return sa;
	sa = store_new_sa(r->k);
	if (!sa)
		return NULL;
	larval_init(sa, r);
	store_named(r->k, sa);
	sa->state = SA_LARVAL;
	return sa;
}

int sa_alloc_spi(struct request *r)
{
	const struct xfrm_userspi_info *p = r->body;
	struct xfrm_mark mark;
	struct keyd_sa *sa;
	int err = spi_verify(p->info.id.proto, p->min, p->max);

	if (p->info.family != AF_INET && p->info.family != AF_INET6)
		err = -EINVAL;
	if (err)
		return err;
	request_mark(r, &mark);
	sa = larval_find(r, &mark);
	if (!sa)
		return request_fail(r, -ENOBUFS, "ipsec-port-keyd: no room for another state");
	if (!sa->info.id.spi) {
		sa->info.id.spi = spi_find(r, p, sa->info.id.proto);
		store_named(r->k, sa);
	}
	if (!sa->info.id.spi)
		return -ENOENT;
	sa_answer(r, sa);
	return 0;
}

/* ---- EXPIRE ------------------------------------------------------------------------------ */

static int sa_expire_hard(struct request *r, struct keyd_sa *sa)
{
	struct keyd_sa copy;
	int err;

	sa_words_usage(r->k, sa);
	copy = *sa;
	err = removal_sa(r, sa);
	if (!err)
		relay_multicast(r->k, XFRMNLGRP_EXPIRE, sa_message_expire(&copy, true, r->head->nlmsg_pid));
	explicit_bzero(&copy, sizeof(copy));
	return err;
}

int sa_expire(struct request *r)
{
	const struct xfrm_user_expire *e = r->body;
	const struct xfrm_usersa_info *info = &e->state;
	struct xfrm_mark mark;
	struct keyd_sa *sa;

	request_mark(r, &mark);
	sa = sa_find(r->k, &mark, &info->id.daddr, info->id.spi, info->id.proto, info->family);
	if (!sa)
		return -ENOENT;
	if (sa->state != SA_VALID && sa->state != SA_LEAVING)
		return -EINVAL;
	if (e->hard)
		return sa_expire_hard(r, sa);
	sa_told_expired(r->k, sa, false, r->head->nlmsg_pid);
	hand_decide(r->k, 0);
	return 0;
}

/* ---- after a restart ---------------------------------------------------------------------- */

/* What stood for an SA until it came. */
static void recover_larval(struct keyd *k, const struct keyd_sa *sa)
{
	struct keyd_sa *at = NULL, *next;

	for (at = store_find_spi(k, sa->info.id.spi, NULL); at; at = next) {
		next = store_find_spi(k, sa->info.id.spi, at);
		if (at->state == SA_LARVAL && at->info.id.proto == sa->info.id.proto &&
		    at->info.family == sa->info.family &&
		    address_equal(&at->info.id.daddr, &sa->info.id.daddr, sa->info.family))
			store_free_sa(k, at);
	}
}

/* One that a migration had in its hands goes on under the name that it has got. */
static bool recover_migrated(struct keyd *k, const struct keyd_sa *sa)
{
	struct request none = { .k = k };
	int err = hand_migrates(k) ? sa_words_add(k, sa, &none) : -ESRCH;

	return !err || err == -EEXIST;
}

/* What a predecessor had in its hands and did not decide is taken away. */
void sa_recover(struct keyd *k)
{
	struct keyd_sa *sa;
	uint64_t below = 0;

	removal_begin(k);
	while ((sa = store_next_sa(k, below))) {
		below = sa->id;
		if (sa->state == SA_LEAVING && hand_is_whole(k))
			continue;		/* who wanted that is served again */
		if (sa->state == SA_LEAVING)
			sa->state = SA_VALID;
		if (sa->state == SA_CHANGING && (hand_added(k, sa) || recover_migrated(k, sa)))
			sa->state = SA_VALID;
		if (sa->state == SA_VALID && hand_added(k, sa))
			recover_larval(k, sa);
		if (sa->state == SA_VALID && !sa_words_is_there(k, sa)) {	/* it has met its limit, or was taken away */
			relay_multicast(k, XFRMNLGRP_EXPIRE, sa_message_expire(sa, true, 0));
			sa->state = SA_ENDING;
		}
		if (sa->state == SA_CHANGING || sa->state == SA_ENDING)
			removal_sa_in_pass(k, sa);
	}
}
