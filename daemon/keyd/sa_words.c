// SPDX-License-Identifier: GPL-2.0-only
/* sa_words.c - an SA as the manager is told it, and what the manager tells of its use */
#include <arpa/inet.h>
#include <errno.h>
#include <json-c/json.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>

#include "keyd.h"

static void words_address(struct compartment_words *w, const char *name, const xfrm_address_t *a,
			  __u16 family)
{
	char text[INET6_ADDRSTRLEN];

	compartment_word(w, "%s", name);
	compartment_word(w, "%s", inet_ntop(family, a, text, sizeof(text)) ? text : "");
}

static void words_id(struct compartment_words *w, const char *verb, const struct keyd_sa *sa)
{
	compartment_word(w, "state");
	compartment_word(w, "%s", verb);
	words_address(w, "src", &sa->info.saddr, sa->info.family);
	words_address(w, "dst", &sa->info.id.daddr, sa->info.family);
	compartment_word(w, "proto");
	compartment_word(w, "esp");
	compartment_word(w, "spi");
	compartment_word(w, "0x%x", ntohl(sa->info.id.spi));
}

/* ---- adding --------------------------------------------------------------------------- */

static void words_key(struct compartment_words *w, const void *key, unsigned int bits)
{
	static char hex[2 * KEYD_BYTES_MAX + 1];
	const __u8 *at = key;
	unsigned int i;

	hex[0] = '\0';
	for (i = 0; i < (bits + 7) / 8 && i < KEYD_BYTES_MAX; i++)
		snprintf(hex + 2 * i, 3, "%02x", at[i]);
	compartment_word(w, "0x%s", hex);
	explicit_bzero(hex, sizeof(hex));
}

static void words_algorithms(struct compartment_words *w, const struct keyd_sa *sa)
{
	const struct xfrm_algo_aead *aead = (const void *)sa->aead.at;
	const struct xfrm_algo_auth *auth = (const void *)sa->auth.at;
	const struct xfrm_algo *cipher = (const void *)sa->cipher.at;

	if (sa->aead.size) {
		compartment_word(w, "aead");
		compartment_word(w, "%.63s", aead->alg_name);
		words_key(w, aead->alg_key, aead->alg_key_len);
		compartment_word(w, "%u", aead->alg_icv_len);
	}
	if (sa->cipher.size) {
		compartment_word(w, "enc");
		compartment_word(w, "%.63s", cipher->alg_name);
		words_key(w, cipher->alg_key, cipher->alg_key_len);
	}
	if (sa->auth.size) {
		compartment_word(w, auth->alg_trunc_len ? "auth-trunc" : "auth");
		compartment_word(w, "%.63s", auth->alg_name);
		words_key(w, auth->alg_key, auth->alg_key_len);
		if (auth->alg_trunc_len)
			compartment_word(w, "%u", auth->alg_trunc_len);
	}
}

static void words_flags(struct compartment_words *w, const struct keyd_sa *sa)
{
	static const struct {
		__u8 bit;
		const char *word;
	} flags[] = {
		{ XFRM_STATE_NOECN, "noecn" }, { XFRM_STATE_DECAP_DSCP, "decap-dscp" },
		{ XFRM_STATE_NOPMTUDISC, "nopmtudisc" }, { XFRM_STATE_WILDRECV, "wildrecv" },
		{ XFRM_STATE_ICMP, "icmp" }, { XFRM_STATE_AF_UNSPEC, "af-unspec" },
		{ XFRM_STATE_ALIGN4, "align4" }, { XFRM_STATE_ESN, "esn" },
	};
	size_t i;

	if (sa->info.flags)
		compartment_word(w, "flag");
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (sa->info.flags & flags[i].bit)
			compartment_word(w, "%s", flags[i].word);
	if (!(sa->extra_flags & XFRM_SA_XFLAG_DONT_ENCAP_DSCP))	/* of unknown ones the kernel makes nothing either */
		return;
	compartment_word(w, "extra-flag");
	compartment_word(w, "dont-encap-dscp");
}

__u32 sa_window_size(const struct keyd_sa *sa)
{
	const struct xfrm_replay_state_esn *esn = (const void *)sa->esn.at;

	return sa->esn.size ? esn->replay_window : sa->info.replay_window;
}

static void words_selector(struct compartment_words *w, const struct xfrm_selector *s)
{
	char text[INET6_ADDRSTRLEN];

	compartment_word(w, "src");
	compartment_word(w, "%s/%u", inet_ntop(s->family, &s->saddr, text, sizeof(text)), s->prefixlen_s);
	compartment_word(w, "dst");
	compartment_word(w, "%s/%u", inet_ntop(s->family, &s->daddr, text, sizeof(text)), s->prefixlen_d);
	if (s->proto) {
		compartment_word(w, "proto");
		compartment_word(w, "%u", s->proto);
	}
	if (s->sport_mask) {
		compartment_word(w, "sport");
		compartment_word(w, "%u", ntohs(s->sport));
	}
	if (s->dport_mask) {
		compartment_word(w, "dport");
		compartment_word(w, "%u", ntohs(s->dport));
	}
	if (s->ifindex && if_indextoname((unsigned int)s->ifindex, text)) {
		compartment_word(w, "dev");
		compartment_word(w, "%s", text);
	}
}

static void words_rest(struct compartment_words *w, const struct keyd_sa *sa)
{
	const struct xfrm_selector *s = &sa->info.sel;

	if (sa->mark.v | sa->mark.m) {
		compartment_word(w, "mark");
		compartment_word(w, "0x%x", sa->mark.v);
		compartment_word(w, "mask");
		compartment_word(w, "0x%x", sa->mark.m);
	}
	if (sa->if_id) {
		compartment_word(w, "if_id");
		compartment_word(w, "%u", sa->if_id);
	}
	label_words(w, &sa->label);
	if (s->family && (s->prefixlen_s | s->prefixlen_d | s->proto)) {
		compartment_word(w, "sel");
		words_selector(w, s);
	}
	if (sa->direction) {
		compartment_word(w, "dir");
		compartment_word(w, sa->direction == KEYD_SA_IN ? "in" : "out");
	}
}

/*
 * The highest number that was sent and that was seen, if the caller says: an SA that moves to another
 * address of ours has another window, which must not take the old numbers again.
 */
static __u32 words_sent(const struct keyd_sa *sa)
{
	const struct xfrm_replay_state_esn *esn = (const void *)sa->esn.at;

	if (!sa->esn.size)
		return sa->replay.oseq;
	return esn->oseq_hi ? UINT32_MAX : esn->oseq;
}

static __u32 words_seen(const struct keyd_sa *sa)
{
	const struct xfrm_replay_state_esn *esn = (const void *)sa->esn.at;

	if (!sa->esn.size)
		return sa->replay.seq;
	return esn->seq_hi ? UINT32_MAX : esn->seq;
}

static void words_numbers(struct compartment_words *w, const struct keyd_sa *sa)
{
	__u32 window = sa_window_size(sa), sent = words_sent(sa), seen = words_seen(sa);

	compartment_word(w, "reqid");
	compartment_word(w, "%u", sa->info.reqid);
	if (window) {
		compartment_word(w, "replay-window");
		compartment_word(w, "%u", window < IPSP_WINDOW_MIN ? IPSP_WINDOW_MIN : window);
	}
	if (sent | seen) {
		compartment_word(w, "replay-oseq");
		compartment_word(w, "%u", sent);
		compartment_word(w, "replay-seq");	/* the last one that may not come */
		compartment_word(w, "%u", seen);
	}
}

/* A limit that is as good as none is not said; one that a predecessor of the SA has met, is met by the first packet. */
static void words_limit(struct compartment_words *w, const char *name, __u64 limit, __u64 before)
{
	if (!limit || limit > INT64_MAX)
		return;
	compartment_word(w, "limit");
	compartment_word(w, "%s", name);
	compartment_word(w, "%llu", (unsigned long long)((int64_t)(limit - before) > 0 ? limit - before : 1));
}

/* The compartment stops it to the packet, whoever runs; seconds are ours. Its counts begin at 0. */
static void words_limits(struct compartment_words *w, const struct keyd_sa *sa)
{
	const struct xfrm_lifetime_cfg *l = &sa->info.lft;

	words_limit(w, "byte-soft", l->soft_byte_limit, sa->before.bytes);
	words_limit(w, "byte-hard", l->hard_byte_limit, sa->before.bytes);
	words_limit(w, "packet-soft", l->soft_packet_limit, sa->before.packets);
	words_limit(w, "packet-hard", l->hard_packet_limit, sa->before.packets);
}

static void words_encap(struct compartment_words *w, const struct keyd_sa *sa)
{
	if (!sa->has_encap)
		return;
	compartment_word(w, "encap");
	compartment_word(w, "espinudp");
	compartment_word(w, "%u", ntohs(sa->encap.encap_sport));
	compartment_word(w, "%u", ntohs(sa->encap.encap_dport));
	compartment_word(w, sa->info.family == AF_INET ? "0.0.0.0" : "::");	/* it has no use for it */
}

/* Named here, so that they are refused and not left out. */
static int words_refused(const struct keyd_sa *sa, struct request *r)
{
	if (sa->has_encap && sa->encap.encap_type != UDP_ENCAP_ESPINUDP)
		return request_fail(r, -EOPNOTSUPP, "ipsec-port: encapsulation type %u is not served; "
				    "wanted: espinudp", sa->encap.encap_type);
	if (sa->has_coaddr || r->attr[XFRMA_OFFLOAD_DEV] || (sa->set_mark.v | sa->set_mark.m) ||
	    sa->tfc_pad)
		return request_fail(r, -EOPNOTSUPP, "ipsec-port: coa, offload, output-mark and tfcpad are "
				    "not served");
	if (sa->extra_flags & XFRM_SA_XFLAG_OSEQ_MAY_WRAP)
		return request_fail(r, -EOPNOTSUPP, "ipsec-port: oseq-may-wrap is not served: no number is used twice");
	if (ntohl(sa->info.id.spi) < 0x100)
		return request_fail(r, -EINVAL, "ipsec-port: spi 0x%x; wanted: from 0x100",
				    ntohl(sa->info.id.spi));
	return 0;
}

static int words_put(struct keyd *k, const char *verb, const struct keyd_sa *sa, struct request *r)
{
	static const char *const mode[] = { "transport", "tunnel", "ro", "in_trigger", "beet" };
	static struct compartment_words w;
	const char *text;
	int err = words_refused(sa, r);

	if (err)
		return err;
	w.count = 0;
	w.used = 0;
	words_id(&w, verb, sa);
	compartment_word(&w, "mode");
	compartment_word(&w, "%s", mode[sa->info.mode]);
	words_numbers(&w, sa);
	words_flags(&w, sa);
	words_rest(&w, sa);
	words_algorithms(&w, sa);
	words_encap(&w, sa);
	words_limits(&w, sa);
	err = compartment_ask(k, sa->compartment, &w, 0, &text);
	return err ? request_fail(r, err, "%.200s", text) : 0;
}

int sa_words_add(struct keyd *k, const struct keyd_sa *sa, struct request *r)
{
	return words_put(k, "add", sa, r);
}

int sa_words_update(struct keyd *k, const struct keyd_sa *sa, struct request *r)
{
	return words_put(k, "update", sa, r);
}

int sa_words_delete(struct keyd *k, const struct keyd_sa *sa)
{
	struct compartment_words w = { .count = 0 };

	words_id(&w, "delete", sa);
	return compartment_ask(k, sa->compartment, &w, 0, NULL);
}

bool sa_words_is_there(struct keyd *k, const struct keyd_sa *sa)
{
	struct compartment_words w = { .count = 0 };

	words_id(&w, "get", sa);
	return compartment_ask(k, sa->compartment, &w, IPSP_ADMINF_JSON, NULL) != -ESRCH;
}

/* ---- use ------------------------------------------------------------------------------ */

static __u64 number_of(struct json_object *o, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(o, name, &value) ? (__u64)json_object_get_int64(value) : 0;
}

static void usage_replay(struct keyd_sa *sa, struct json_object *o)
{
	struct xfrm_replay_state_esn *esn = (void *)sa->esn.at;
	__u64 next = number_of(o, "next");
	struct json_object *direction;
	bool is_out = json_object_object_get_ex(o, "dir", &direction) &&
		      !strcmp(json_object_get_string(direction), "out");

	if (is_out && next)
		next--;
	if (sa->esn.size && is_out) {
		esn->oseq = (__u32)next;
		esn->oseq_hi = sa->info.flags & XFRM_STATE_ESN ? (__u32)(next >> 32) : 0;
	} else if (sa->esn.size) {
		esn->seq = (__u32)next;
		esn->seq_hi = sa->info.flags & XFRM_STATE_ESN ? (__u32)(next >> 32) : 0;
	} else if (is_out) {
		sa->replay.oseq = (__u32)next;
	} else {
		sa->replay.seq = (__u32)next;
	}
}

/* What the compartment has no word of leaves it as it is. */
static void usage_peer(struct keyd_sa *sa, struct json_object *o)
{
	struct json_object *peer;
	xfrm_address_t address = { 0 };

	if (!json_object_object_get_ex(o, "peer", &peer) ||
	    inet_pton(sa->info.family, json_object_get_string(peer), &address) != 1)
		return;
	sa->peer = address;
	sa->peer_port = htons((__u16)number_of(o, "peer-port"));
}

static void usage_take(struct keyd_sa *sa, struct json_object *o)
{
	struct xfrm_lifetime_cur *now = &sa->info.curlft;
	__u64 first = number_of(o, "used-first") / 1000000000, last = number_of(o, "used-last") / 1000000000;

	now->bytes = sa->before.bytes + number_of(o, "bytes");
	now->packets = sa->before.packets + number_of(o, "packets");
	now->use_time = sa->before.use_time ? sa->before.use_time : first;
	sa->info.stats.replay = (__u32)number_of(o, "replay");
	sa->info.stats.integrity_failed = (__u32)number_of(o, "integrity-failed");
	if (last)
		sa->last_used = last;
	usage_replay(sa, o);
	usage_peer(sa, o);
}

int sa_words_usage(struct keyd *k, struct keyd_sa *sa)
{
	struct compartment_words w = { .count = 0 };
	struct json_object *o;
	const char *text;
	int err;

	words_id(&w, "get", sa);
	err = compartment_ask(k, sa->compartment, &w, IPSP_ADMINF_JSON, &text);
	if (err)
		return err;
	o = json_tokener_parse(text);
	if (o && json_object_is_type(o, json_type_object))
		usage_take(sa, o);
	json_object_put(o);
	return 0;
}
