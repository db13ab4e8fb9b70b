// SPDX-License-Identifier: GPL-2.0-only
/* policy_words.c - a policy as the manager is told it */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>

#include "keyd.h"

static const char *const directions[] = { "in", "out", "fwd" };

static void words_ports(struct compartment_words *w, const struct xfrm_selector *s)
{
	bool is_icmp = s->proto == IPPROTO_ICMP || s->proto == IPPROTO_ICMPV6;

	if (s->sport_mask) {
		compartment_word(w, is_icmp ? "type" : "sport");
		compartment_word(w, "%u", ntohs(s->sport));
	}
	if (s->dport_mask) {
		compartment_word(w, is_icmp ? "code" : "dport");
		compartment_word(w, "%u", ntohs(s->dport));
	}
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
	words_ports(w, s);
	if (s->ifindex && if_indextoname((unsigned int)s->ifindex, text)) {
		compartment_word(w, "dev");
		compartment_word(w, "%s", text);
	}
}

static void words_template(struct compartment_words *w, const struct xfrm_user_tmpl *t)
{
	char text[INET6_ADDRSTRLEN];

	compartment_word(w, "tmpl");
	if (t->mode == XFRM_MODE_TUNNEL) {
		compartment_word(w, "src");
		compartment_word(w, "%s", inet_ntop(t->family, &t->saddr, text, sizeof(text)));
		compartment_word(w, "dst");
		compartment_word(w, "%s", inet_ntop(t->family, &t->id.daddr, text, sizeof(text)));
	}
	compartment_word(w, "proto");
	compartment_word(w, t->id.proto == IPPROTO_AH ? "ah" : "esp");
	compartment_word(w, "spi");
	compartment_word(w, "0x%x", ntohl(t->id.spi));
	compartment_word(w, "reqid");
	compartment_word(w, "%u", t->reqid);
	compartment_word(w, "mode");
	compartment_word(w, t->mode == XFRM_MODE_TUNNEL ? "tunnel" : t->mode == XFRM_MODE_BEET ? "beet" : "transport");
	if (t->optional) {
		compartment_word(w, "level");
		compartment_word(w, "use");
	}
}

static void words_rest(struct compartment_words *w, const struct keyd_policy *p)
{
	compartment_word(w, "dir");
	compartment_word(w, "%s", directions[p->info.dir]);
	compartment_word(w, "index");
	compartment_word(w, "%u", p->info.index);
	compartment_word(w, "priority");
	compartment_word(w, "%u", p->info.priority);
	compartment_word(w, "action");
	compartment_word(w, p->info.action == XFRM_POLICY_BLOCK ? "block" : "allow");
	if (p->info.dir == XFRM_POLICY_OUT && p->info.action == XFRM_POLICY_ALLOW && p->templates == 1) {
		compartment_word(w, "acquire");
		compartment_word(w, "%u", p->info.index);
	}
	if (p->mark.v | p->mark.m) {
		compartment_word(w, "mark");
		compartment_word(w, "%u", p->mark.v);
		compartment_word(w, "mask");
		compartment_word(w, "%u", p->mark.m);
	}
	if (p->if_id) {
		compartment_word(w, "if_id");
		compartment_word(w, "%u", p->if_id);
	}
	label_words(w, &p->label);
}

/* An outer protocol that is compressed or of mobile IPv6 has no place in a compartment. */
static int words_refused(const struct keyd_policy *p, struct request *r)
{
	const struct xfrm_selector *s = &p->info.sel;
	__u32 i;

	for (i = 0; i < p->templates; i++)
		if (p->template_[i].id.proto != IPPROTO_ESP && p->template_[i].id.proto != IPPROTO_AH)
			return r ? request_fail(r, -EOPNOTSUPP, "ipsec-port: template of protocol %u is not "
						"served; wanted: esp", p->template_[i].id.proto) : -EOPNOTSUPP;
	if ((s->sport_mask && s->sport_mask != 0xffff) || (s->dport_mask && s->dport_mask != 0xffff))
		return r ? request_fail(r, -EOPNOTSUPP, "ipsec-port: port masks are not served") : -EOPNOTSUPP;
	return 0;
}

int policy_words_set(struct keyd *k, const struct keyd_policy *p, struct request *r)
{
	struct compartment_words w = { .count = 0 };
	const char *text;
	int err = words_refused(p, r);
	__u32 i;

	if (err)
		return err;
	compartment_word(&w, "policy");
	compartment_word(&w, "update");
	words_selector(&w, &p->info.sel);
	words_rest(&w, p);
	for (i = 0; i < p->templates; i++)
		words_template(&w, &p->template_[i]);
	err = compartment_ask(k, p->compartment, &w, 0, &text);
	return err && r ? request_fail(r, err, "%.200s", text) : err;
}

int policy_words_delete(struct keyd *k, const struct keyd_policy *p)
{
	struct compartment_words w = { .count = 0 };

	compartment_word(&w, "policy");
	compartment_word(&w, "delete");
	words_selector(&w, &p->info.sel);
	compartment_word(&w, "dir");
	compartment_word(&w, "%s", directions[p->info.dir]);
	compartment_word(&w, "index");
	compartment_word(&w, "%u", p->info.index);
	return compartment_ask(k, p->compartment, &w, 0, NULL);
}
