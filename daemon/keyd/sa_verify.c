// SPDX-License-Identifier: GPL-2.0-only
/* sa_verify.c - is an SA as NEWSA and UPDSA give it one that XFRM would take? */
#include <arpa/inet.h>
#include <errno.h>

#include "keyd.h"

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

static int verify_protocol(struct request *r, const struct xfrm_usersa_info *info)
{
	if (info->id.proto == IPPROTO_ESP)
		return verify_esp(r, info);
	if (info->id.proto == IPPROTO_AH || info->id.proto == IPPROTO_COMP ||
	    info->id.proto == IPPROTO_DSTOPTS || info->id.proto == IPPROTO_ROUTING)
		return request_fail(r, -EPROTONOSUPPORT, "ipsec-port-keyd: protocol %u is not served; "
				    "wanted: esp", info->id.proto);
	return request_fail(r, -EINVAL, "Unsupported protocol");
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
	return err;
}

static int verify_context(struct request *r)
{
	const struct nlattr *a = r->attr[XFRMA_SEC_CTX];
	const struct xfrm_user_sec_ctx *context = a ? nla_data(a) : NULL;

	if (!a || (context->len <= nla_len(a) && context->len == sizeof(*context) + context->ctx_len))
		return 0;
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
	if (info->replay_window)
		return request_fail(r, -EINVAL, "ESN not compatible with legacy replay_window");
	if (esn->replay_window > esn->bmp_len * sizeof(esn->bmp[0]) * 8)
		return request_fail(r, -EINVAL, "ESN replay window is too large for the chosen bitmap size");
	if ((info->flags & XFRM_STATE_ESN) && !esn->replay_window)
		return request_fail(r, -EINVAL, "ESN replay window must be > 0");
	return 0;
}

int sa_verify(struct request *r, const struct xfrm_usersa_info *info)
{
	int err = verify_families(r, info);

	if (!err)
		err = verify_protocol(r, info);
	if (!err)
		err = verify_algorithms(r);
	if (!err)
		err = verify_context(r);
	if (!err)
		err = verify_replay(r, info);
	if (!err && info->mode > XFRM_MODE_BEET)
		err = request_fail(r, -EINVAL, "Unsupported mode");
	if (!err && r->attr[XFRMA_MTIMER_THRESH] && !r->attr[XFRMA_ENCAP])
		err = request_fail(r, -EINVAL, "MTIMER_THRESH attribute can only be set on ENCAP states");
	return err;
}
