// SPDX-License-Identifier: GPL-2.0-only
/*
 * label.c - the security context of an SA or a policy
 *
 * Where no security module labels sockets, the kernel's XFRM takes a context and forgets it; so do we.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "keyd.h"

/* SELinux alone has a context for sockets to be made in; the others say that there is none. */
bool label_is_served(void)
{
	int fd = open("/proc/thread-self/attr/sockcreate", O_RDONLY | O_CLOEXEC);
	char context[IPSP_LABEL_MAX];
	bool is_served = fd >= 0 && read(fd, context, sizeof(context)) >= 0;

	if (fd >= 0)
		close(fd);
	return is_served;
}

static const struct xfrm_user_sec_ctx *label_given(const struct request *r)
{
	return r->k->labels && r->attr[XFRMA_SEC_CTX] ? nla_data(r->attr[XFRMA_SEC_CTX]) : NULL;
}

int label_verify(struct request *r)
{
	const struct xfrm_user_sec_ctx *c = label_given(r);

	if (!c)
		return 0;
	if (c->ctx_doi != XFRM_SC_DOI_LSM || c->ctx_alg != XFRM_SC_ALG_SELINUX || !c->ctx_len)
		return -EINVAL;
	if (strnlen((const char *)(c + 1), c->ctx_len) < IPSP_LABEL_MAX && c->ctx_len <= IPSP_LABEL_MAX)
		return 0;
	return request_fail(r, -EINVAL, "ipsec-port: a security context of %u bytes; wanted: at most %u", c->ctx_len,
			    IPSP_LABEL_MAX - 1);
}

void label_take(struct keyd_label *to, const struct request *r)
{
	const struct xfrm_user_sec_ctx *c = label_given(r);

	memset(to, 0, sizeof(*to));
	if (!c || c->ctx_len > sizeof(to->context) || sizeof(*c) + c->ctx_len > (size_t)nla_len(r->attr[XFRMA_SEC_CTX]))
		return;			/* who asks by index is not verified */
	to->len = c->ctx_len;
	memcpy(to->context, c + 1, c->ctx_len);
}

bool label_is(const struct keyd_label *a, const struct keyd_label *b)
{
	return !strncmp(a->context, b->context, IPSP_LABEL_MAX);
}

int label_message(struct nl_msg *m, const struct keyd_label *label)
{
	const struct xfrm_user_sec_ctx head = {
		.len = (__u16)(sizeof(head) + label->len), .exttype = XFRMA_SEC_CTX, .ctx_alg = XFRM_SC_ALG_SELINUX,
		.ctx_doi = XFRM_SC_DOI_LSM, .ctx_len = (__u16)label->len,
	};
	struct nlattr *a;

	if (!label->len)
		return 0;
	a = nla_reserve(m, XFRMA_SEC_CTX, head.len);
	if (!a)
		return -1;
	memcpy(nla_data(a), &head, sizeof(head));
	memcpy((char *)nla_data(a) + sizeof(head), label->context, label->len);
	return 0;
}

void label_words(struct compartment_words *w, const struct keyd_label *label)
{
	if (!label->len)
		return;
	compartment_word(w, "ctx");
	compartment_word(w, "%.*s", (int)sizeof(label->context), label->context);
}
