// SPDX-License-Identifier: GPL-2.0-only
/* sa_verify.c - is an SA as NEWSA and UPDSA give it one that XFRM would take? */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#include "keyd.h"
#include "words/algorithm.h"

static int verify_prefixes(struct request *r, const struct xfrm_selector *s, unsigned int family)
{
	unsigned int most = family == AF_INET ? 32 : 128;

	if (s->prefixlen_d <= most && s->prefixlen_s <= most)
		return 0;
	return request_fail(r, -EINVAL, "Invalid prefix length in selector (must be <= %u for IPv%d)", most,
			    family == AF_INET ? 4 : 6);
}

static int verify_families(struct request *r, const struct xfrm_usersa_info *info)
{
	unsigned int family = info->sel.family;

	if (info->family != AF_INET && info->family != AF_INET6)
		return request_fail(r, -EINVAL, "Invalid address family");
	if (!family && !(info->flags & XFRM_STATE_AF_UNSPEC))
		family = info->family;
	if (!family)
		return 0;
	if (family != AF_INET && family != AF_INET6)
		return request_fail(r, -EINVAL, "Invalid address family in selector");
	return verify_prefixes(r, &info->sel, family);
}

static int verify_esp(struct request *r, const struct xfrm_usersa_info *info)
{
	bool apart = r->attr[XFRMA_ALG_AUTH] || r->attr[XFRMA_ALG_AUTH_TRUNC] || r->attr[XFRMA_ALG_CRYPT];

	if (r->attr[XFRMA_ALG_COMP])
		return request_fail(r, -EINVAL, "Invalid attribute for ESP: COMP");
	if (!apart && !r->attr[XFRMA_ALG_AEAD])
		return request_fail(r, -EINVAL, "Missing required attribute for ESP: at least one of AUTH, "
				    "AUTH_TRUNC, CRYPT, AEAD");
	if (apart && r->attr[XFRMA_ALG_AEAD])
		return request_fail(r, -EINVAL, "Invalid attribute combination for ESP: AEAD can't be used "
				    "with AUTH, AUTH_TRUNC, CRYPT");
	if (r->attr[XFRMA_TFCPAD] && info->mode != XFRM_MODE_TUNNEL)
		return request_fail(r, -EINVAL, "TFC padding can only be used in tunnel mode");
	return 0;
}

static bool has_any(const struct request *r, const int *types)
{
	for (; *types; types++)
		if (r->attr[*types])
			return true;
	return false;
}

/* What is not served is looked at as if it were: who asks for it in a wrong way hears of that first. */
static int verify_others(struct request *r, const struct xfrm_usersa_info *info)
{
	static const struct {
		__u8 proto;
		int needs[3], has_not[9];
	} others[] = {
		{ IPPROTO_AH, { XFRMA_ALG_AUTH, XFRMA_ALG_AUTH_TRUNC },
		  { XFRMA_ALG_AEAD, XFRMA_ALG_CRYPT, XFRMA_ALG_COMP, XFRMA_TFCPAD } },
		{ IPPROTO_COMP, { XFRMA_ALG_COMP },
		  { XFRMA_ALG_AEAD, XFRMA_ALG_AUTH, XFRMA_ALG_AUTH_TRUNC, XFRMA_ALG_CRYPT, XFRMA_TFCPAD } },
		{ IPPROTO_DSTOPTS, { XFRMA_COADDR },
		  { XFRMA_ALG_COMP, XFRMA_ALG_AUTH, XFRMA_ALG_AUTH_TRUNC, XFRMA_ALG_AEAD, XFRMA_ALG_CRYPT, XFRMA_ENCAP,
		    XFRMA_SEC_CTX, XFRMA_TFCPAD } },
		{ IPPROTO_ROUTING, { XFRMA_COADDR },
		  { XFRMA_ALG_COMP, XFRMA_ALG_AUTH, XFRMA_ALG_AUTH_TRUNC, XFRMA_ALG_AEAD, XFRMA_ALG_CRYPT, XFRMA_ENCAP,
		    XFRMA_SEC_CTX, XFRMA_TFCPAD } },
	};
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (others[i].proto != info->id.proto)
			continue;
		if (!has_any(r, others[i].needs))
			return request_fail(r, -EINVAL, "Missing required attribute for protocol %u", info->id.proto);
		if (has_any(r, others[i].has_not))
			return request_fail(r, -EINVAL, "Invalid attributes for protocol %u", info->id.proto);
		if (info->id.proto == IPPROTO_COMP && ntohl(info->id.spi) >= 0x10000)
			return request_fail(r, -EINVAL, "SPI is too large for COMP (must be < 0x10000)");
		return 0;
	}
	return request_fail(r, -EINVAL, "Unsupported protocol");
}

static int verify_protocol(struct request *r, const struct xfrm_usersa_info *info)
{
	return info->id.proto == IPPROTO_ESP ? verify_esp(r, info) : verify_others(r, info);
}

/* Each says of itself, in bits, how long its key is. */
static int verify_algorithm(struct request *r, int type, size_t key, const char *name)
{
	const struct nlattr *a = r->attr[type];
	const struct xfrm_algo *algorithm = a ? nla_data(a) : NULL;

	if (!a)
		return 0;
	if ((size_t)nla_len(a) < key + ((size_t)algorithm->alg_key_len + 7) / 8 ||
	    algorithm->alg_key_len > 8 * (KEYD_BYTES_MAX - 80))	/* no name is longer than that */
		return request_fail(r, -EINVAL, "Invalid %s attribute length", name);
	return 0;
}

static int verify_algorithms(struct request *r)
{
	int err;

	err = verify_algorithm(r, XFRMA_ALG_AEAD, sizeof(struct xfrm_algo_aead), "AEAD");
	if (!err)
		err = verify_algorithm(r, XFRMA_ALG_AUTH_TRUNC, sizeof(struct xfrm_algo_auth), "AUTH_TRUNC");
	if (!err)
		err = verify_algorithm(r, XFRMA_ALG_AUTH, sizeof(struct xfrm_algo), "AUTH/CRYPT/COMP");
	if (!err)
		err = verify_algorithm(r, XFRMA_ALG_CRYPT, sizeof(struct xfrm_algo), "AUTH/CRYPT/COMP");
	if (!err)
		err = verify_algorithm(r, XFRMA_ALG_COMP, sizeof(struct xfrm_algo), "AUTH/CRYPT/COMP");
	return err;
}

int sa_verify_context(struct request *r)
{
	const struct nlattr *a = r->attr[XFRMA_SEC_CTX];
	const struct xfrm_user_sec_ctx *context = a ? nla_data(a) : NULL;

	if (!a || (context->len <= nla_len(a) && context->len == sizeof(*context) + context->ctx_len))
		return label_verify(r);
	return request_fail(r, -EINVAL, "Invalid security context length");
}

static int verify_replay(struct request *r, const struct xfrm_usersa_info *info)
{
	const struct nlattr *a = r->attr[XFRMA_REPLAY_ESN_VAL];
	const struct xfrm_replay_state_esn *esn = a ? nla_data(a) : NULL;

	if (!a)
		return info->flags & XFRM_STATE_ESN ?
		       request_fail(r, -EINVAL, "Missing required attribute for ESN") : 0;
	if (esn->bmp_len > XFRMA_REPLAY_ESN_MAX / sizeof(esn->bmp[0]) / 8)
		return request_fail(r, -EINVAL, "ESN bitmap length must be <= 128");
	if ((size_t)nla_len(a) < sizeof(*esn) + esn->bmp_len * sizeof(esn->bmp[0]) &&
	    nla_len(a) != sizeof(*esn))
		return request_fail(r, -EINVAL, "ESN attribute is too short to fit the full bitmap length");
	if (info->id.proto != IPPROTO_ESP && info->id.proto != IPPROTO_AH)
		return request_fail(r, -EINVAL, "ESN only supported for ESP and AH");
	if (info->replay_window)
		return request_fail(r, -EINVAL, "ESN not compatible with legacy replay_window");
	return 0;
}

static int verify_window(struct request *r, const struct xfrm_usersa_info *info)
{
	const struct nlattr *a = r->attr[XFRMA_REPLAY_ESN_VAL];
	const struct xfrm_replay_state_esn *esn = a ? nla_data(a) : NULL;

	if (!a)
		return 0;
	if (esn->replay_window > esn->bmp_len * sizeof(esn->bmp[0]) * 8)
		return request_fail(r, -EINVAL, "ESN replay window is too large for the chosen bitmap size");
	if ((info->flags & XFRM_STATE_ESN) && !esn->replay_window)
		return request_fail(r, -EINVAL, "ESN replay window must be > 0");
	return 0;
}

/* ---- what the compartment's stacks have, by name --------------------------------------------- */

static int verify_name(struct request *r, int type, enum algorithm_kind kind, const char *what)
{
	const struct nlattr *a = r->attr[type];
	char name[sizeof(((struct xfrm_algo *)0)->alg_name)];

	if (!a)
		return 0;
	memcpy(name, nla_data(a), sizeof(name));
	name[sizeof(name) - 1] = '\0';
	return algorithm_find(kind, name) ? 0 : request_fail(r, -ENOSYS, "Requested %s algorithm not found", what);
}

/* What each attribute gives is looked at by its length before. */
static const struct algorithm *named(const struct request *r, int type, enum algorithm_kind kind)
{
	return r->attr[type] ? algorithm_find(kind, nla_data(r->attr[type])) : NULL;
}

/* The kernel names its AEADs by their ICV, too; of a hash it truncates to no more than there is. */
static int verify_icvs(struct request *r)
{
	const struct algorithm *aead = named(r, XFRMA_ALG_AEAD, ALGORITHM_AEAD);
	const struct algorithm *auth = named(r, XFRMA_ALG_AUTH_TRUNC, ALGORITHM_AUTH);

	if (aead && !algorithm_allows(aead->icv_bits, ((struct xfrm_algo_aead *)nla_data(r->attr[XFRMA_ALG_AEAD]))->alg_icv_len))
		return request_fail(r, -ENOSYS, "Requested AEAD algorithm not found");
	if (auth && ((struct xfrm_algo_auth *)nla_data(r->attr[XFRMA_ALG_AUTH_TRUNC]))->alg_trunc_len > auth->key_bits[0])
		return request_fail(r, -EINVAL, "Invalid length requested for truncated ICV");
	return 0;
}

/* As the kernel's ciphers see it, in whole bytes; a hash takes a key of any length there. */
static int verify_key(struct request *r, int type, enum algorithm_kind kind)
{
	const struct algorithm *a = named(r, type, kind);
	const struct xfrm_algo *given = a ? nla_data(r->attr[type]) : NULL;

	if (!a || algorithm_allows(a->key_bits, (given->alg_key_len + 7) / 8 * 8))
		return 0;
	return request_fail(r, -EINVAL, "Kernel was unable to initialize cryptographic operations");
}

/* Whatever state it is about: what no state could have is refused before that is looked for. */
static int verify_keys(struct request *r)
{
	int err = verify_key(r, XFRMA_ALG_AEAD, ALGORITHM_AEAD);

	if (!err)
		err = verify_key(r, XFRMA_ALG_CRYPT, ALGORITHM_CIPHER);
	if (!err && !r->attr[XFRMA_ALG_AEAD] && !r->attr[XFRMA_ALG_CRYPT])
		err = request_fail(r, -EINVAL, "ESP: AEAD or CRYPT must be provided");
	return err;
}

static int verify_names(struct request *r)
{
	int err = verify_name(r, XFRMA_ALG_AEAD, ALGORITHM_AEAD, "AEAD");

	if (!err)
		err = verify_name(r, XFRMA_ALG_AUTH_TRUNC, ALGORITHM_AUTH, "AUTH_TRUNC");
	if (!err && !r->attr[XFRMA_ALG_AUTH_TRUNC])
		err = verify_name(r, XFRMA_ALG_AUTH, ALGORITHM_AUTH, "AUTH");
	if (!err)
		err = verify_name(r, XFRMA_ALG_CRYPT, ALGORITHM_CIPHER, "CRYPT");
	if (!err)
		err = verify_icvs(r);
	return err;
}

/* Only a tunnel may carry the other family. */
static int verify_mode(struct request *r, const struct xfrm_usersa_info *info)
{
	bool is_tunnel = info->mode == XFRM_MODE_TUNNEL || info->mode == XFRM_MODE_BEET;

	if (info->id.proto != IPPROTO_ESP)
		return request_fail(r, -EPROTONOSUPPORT, "ipsec-port-keyd: protocol %u is not served; wanted: esp",
				    info->id.proto);
	if (info->mode == XFRM_MODE_ROUTEOPTIMIZATION)
		return request_fail(r, info->family == AF_INET ? -EPROTONOSUPPORT : -EINVAL, "Unsupported XFRM mode for ESP");
	if (!is_tunnel && info->sel.family && info->sel.family != info->family)
		return request_fail(r, -EPROTONOSUPPORT, "Only tunnel modes can accommodate a change of family");
	return 0;
}

/* Of those that there are we serve one; which, is said when the state is known. */
static int verify_encap(struct request *r)
{
	const struct xfrm_encap_tmpl *encap = r->attr[XFRMA_ENCAP] ? nla_data(r->attr[XFRMA_ENCAP]) : NULL;

	if (!encap || encap->encap_type == UDP_ENCAP_ESPINUDP || encap->encap_type == UDP_ENCAP_ESPINUDP_NON_IKE ||
	    encap->encap_type == KEYD_ENCAP_ESPINTCP)
		return 0;
	return request_fail(r, -EINVAL, "Unsupported encapsulation type for ESP");
}

int sa_verify(struct request *r, const struct xfrm_usersa_info *info)
{
	int err = verify_families(r, info);

	if (!err)
		err = verify_protocol(r, info);
	if (!err)
		err = verify_algorithms(r);
	if (!err)
		err = sa_verify_context(r);
	if (!err)
		err = verify_replay(r, info);
	if (!err && (info->mode > XFRM_MODE_BEET || info->mode == XFRM_MODE_IN_TRIGGER))
		err = request_fail(r, -EINVAL, "Unsupported mode");
	if (!err && r->attr[XFRMA_MTIMER_THRESH] && !r->attr[XFRMA_ENCAP])
		err = request_fail(r, -EINVAL, "MTIMER_THRESH attribute can only be set on ENCAP states");
	if (!err)
		err = verify_names(r);
	if (!err)
		err = verify_mode(r, info);
	if (!err)
		err = verify_keys(r);
	if (!err)
		err = verify_encap(r);
	if (!err)
		err = verify_window(r, info);
	return err;
}
