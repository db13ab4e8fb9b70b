// SPDX-License-Identifier: GPL-2.0-only
/* sa_message.c - an SA as netlink tells it: attributes in the kernel's order */
#include <string.h>

#include "keyd.h"

static int put_bytes(struct nl_msg *m, int type, const struct keyd_bytes *b, size_t key, enum keys keys)
{
	struct nlattr *a;

	if (!b->size)
		return 0;
	a = nla_reserve(m, type, (int)b->size);
	if (!a)
		return -1;
	memcpy(nla_data(a), b->at, b->size);
	if (keys == KEYS_HIDDEN && b->size > key)
		memset((char *)nla_data(a) + key, 0, b->size - key);
	return 0;
}

/* Authentication is told twice, as of old and with its truncated length. */
static int put_auth(struct nl_msg *m, const struct keyd_bytes *b, enum keys keys)
{
	const struct xfrm_algo_auth *from = (const struct xfrm_algo_auth *)b->at;
	size_t key = b->size ? b->size - sizeof(*from) : 0;
	struct xfrm_algo *to;
	struct nlattr *a;

	if (!b->size)
		return 0;
	a = nla_reserve(m, XFRMA_ALG_AUTH, (int)(sizeof(*to) + key));
	if (!a)
		return -1;
	to = nla_data(a);
	memcpy(to->alg_name, from->alg_name, sizeof(to->alg_name));
	to->alg_key_len = from->alg_key_len;
	if (keys == KEYS_TOLD)
		memcpy(to->alg_key, from->alg_key, key);
	else
		memset(to->alg_key, 0, key);
	return put_bytes(m, XFRMA_ALG_AUTH_TRUNC, b, sizeof(*from), keys);
}

static int put_u32(struct nl_msg *m, int type, __u32 value)
{
	return value ? nla_put_u32(m, type, value) : 0;
}

int sa_message_mark(struct nl_msg *m, const struct xfrm_mark *mark)
{
	return mark->v | mark->m ? nla_put(m, XFRMA_MARK, sizeof(*mark), mark) : 0;
}

static int put_set_mark(struct nl_msg *m, const struct xfrm_mark *mark)
{
	if (!(mark->v | mark->m))
		return 0;
	return nla_put_u32(m, XFRMA_SET_MARK, mark->v) | nla_put_u32(m, XFRMA_SET_MARK_MASK, mark->m);
}

static int put_replay(struct nl_msg *m, const struct keyd_sa *sa)
{
	return sa->esn.size ? nla_put(m, XFRMA_REPLAY_ESN_VAL, (int)sa->esn.size, sa->esn.at) :
			      nla_put(m, XFRMA_REPLAY_VAL, sizeof(sa->replay), &sa->replay);
}

static int put_extra(struct nl_msg *m, const struct keyd_sa *sa, enum keys keys)
{
	int err = put_u32(m, XFRMA_SA_EXTRA_FLAGS, sa->extra_flags);

	if (sa->has_coaddr)
		err |= nla_put(m, XFRMA_COADDR, sizeof(sa->coaddr), &sa->coaddr);
	if (sa->last_used)
		err |= nla_put_u64(m, XFRMA_LASTUSED, sa->last_used);
	err |= put_bytes(m, XFRMA_ALG_AEAD, &sa->aead, sizeof(struct xfrm_algo_aead), keys);
	err |= put_auth(m, &sa->auth, keys);
	err |= put_bytes(m, XFRMA_ALG_CRYPT, &sa->cipher, sizeof(struct xfrm_algo), keys);
	if (sa->has_encap)
		err |= nla_put(m, XFRMA_ENCAP, sizeof(sa->encap), &sa->encap);
	err |= put_u32(m, XFRMA_TFCPAD, sa->tfc_pad);
	err |= sa_message_mark(m, &sa->mark);
	err |= put_set_mark(m, &sa->set_mark);
	err |= put_replay(m, sa);
	err |= put_u32(m, XFRMA_IF_ID, sa->if_id);
	err |= label_message(m, &sa->label);
	err |= put_u32(m, XFRMA_MTIMER_THRESH, sa->mapping_maxage);
	if (sa->direction)
		err |= nla_put_u8(m, KEYD_SA_DIR, (__u8)sa->direction);
	return err;
}

static void put_id(void *body, const struct keyd_sa *sa)
{
	struct xfrm_usersa_id *id = body;

	memset(id, 0, sizeof(*id));
	id->daddr = sa->info.id.daddr;
	id->spi = sa->info.id.spi;
	id->family = sa->info.family;
	id->proto = sa->info.id.proto;
}

static struct nl_msg *message_new(__u16 type, __u32 portid, __u32 seq, size_t body, int flags)
{
	struct nl_msg *m = nlmsg_alloc_size(8192);

	if (m)
		nlmsg_put(m, portid, seq, type, (int)body, flags);
	return m;
}

struct nl_msg *sa_message(struct keyd_sa *sa, __u16 type, __u32 portid, __u32 seq, int flags,
			  enum keys keys)
{
	bool is_delete = type == XFRM_MSG_DELSA;
	struct nl_msg *m = message_new(type, portid, seq, is_delete ? sizeof(struct xfrm_usersa_id) :
				       sizeof(sa->info), flags);
	int err = 0;

	if (!m)
		return NULL;
	if (is_delete) {
		put_id(nlmsg_data(nlmsg_hdr(m)), sa);
		err = nla_put(m, XFRMA_SA, sizeof(sa->info), &sa->info);
	} else {
		memcpy(nlmsg_data(nlmsg_hdr(m)), &sa->info, sizeof(sa->info));
	}
	if (err | put_extra(m, sa, keys)) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

struct nl_msg *sa_message_expire(struct keyd_sa *sa, bool hard, __u32 portid)
{
	struct nl_msg *m = message_new(XFRM_MSG_EXPIRE, portid, 0, sizeof(struct xfrm_user_expire), 0);
	struct xfrm_user_expire *e;

	if (!m)
		return NULL;
	e = nlmsg_data(nlmsg_hdr(m));
	e->state = sa->info;
	e->hard = hard;
	sa_message_mark(m, &sa->mark);
	put_u32(m, XFRMA_IF_ID, sa->if_id);
	return m;
}

struct nl_msg *sa_message_mapping(const struct keyd_sa *sa)
{
	struct nl_msg *m = message_new(XFRM_MSG_MAPPING, 0, 0, sizeof(struct xfrm_user_mapping), 0);
	struct xfrm_user_mapping *to;

	if (!m)
		return NULL;
	to = nlmsg_data(nlmsg_hdr(m));
	memset(to, 0, sizeof(*to));
	put_id(&to->id, sa);
	to->reqid = sa->info.reqid;
	to->old_saddr = sa->info.saddr;
	to->old_sport = sa->encap.encap_sport;
	to->new_saddr = sa->peer;
	to->new_sport = sa->peer_port;
	return m;
}

struct nl_msg *sa_message_ae(struct keyd_sa *sa, __u32 flags, __u32 portid, __u32 seq)
{
	struct nl_msg *m = message_new(XFRM_MSG_NEWAE, portid, seq, sizeof(struct xfrm_aevent_id), 0);
	struct xfrm_aevent_id *id;

	if (!m)
		return NULL;
	id = nlmsg_data(nlmsg_hdr(m));
	put_id(&id->sa_id, sa);
	id->saddr = sa->info.saddr;
	id->reqid = sa->info.reqid;
	id->flags = flags;
	put_replay(m, sa);
	nla_put(m, XFRMA_LTIME_VAL, sizeof(sa->info.curlft), &sa->info.curlft);
	if (flags & XFRM_AE_RTHR)
		nla_put_u32(m, XFRMA_REPLAY_THRESH, sa->replay_maxdiff);
	if (flags & XFRM_AE_ETHR)
		nla_put_u32(m, XFRMA_ETIMER_THRESH, sa->replay_maxage);
	sa_message_mark(m, &sa->mark);
	put_u32(m, XFRMA_IF_ID, sa->if_id);
	return m;
}
