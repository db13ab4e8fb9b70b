// SPDX-License-Identifier: GPL-2.0-only
/* test_keyd_policy.c - the keying agent's requests about policies, and what a packet without an SA makes of them */
#define _GNU_SOURCE
#include "keyd_world.h"

/* ---- policies ------------------------------------------------------------------------------ */

START_TEST(policy_life)
{
	struct xfrm_userpolicy_id *id;

	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 100), 0);
	ck_assert_ptr_nonnull(strstr(words, "policy update src 10.1.0.0/24 dst 10.2.0.0/24 dir out index 1 priority 100 "
				     "action allow acquire 1 tmpl src 0.0.0.0 dst 10.9.0.2 proto esp spi 0x0 reqid 3 mode "
				     "tunnel"));
	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 100), -EEXIST);
	ck_assert_int_eq(policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 50), 0);
	ck_assert_ptr_nonnull(strstr(words, "index 1 priority 50"));
	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_IN, 50), 0);
	ck_assert_ptr_nonnull(strstr(words, "index 8 "));
	ck_assert_ptr_null(strstr(words, "acquire"));		/* what comes in asks for none */
	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, 4, 50), -EINVAL);
	id = xfrm_begin(XFRM_MSG_DELPOLICY, sizeof(*id));
	id->dir = XFRM_POLICY_OUT;
	id->index = 1;
	ck_assert_int_eq(send_it(), 0);
	ck_assert_int_eq(heard.event, XFRM_MSG_DELPOLICY);
	ck_assert_ptr_nonnull(strstr(words, "policy delete"));
	ck_assert_int_eq(send_it(), -ENOENT);
	xfrm_begin(XFRM_MSG_FLUSHPOLICY, 0);
	ck_assert_int_eq(send_it(), 0);
	ck_assert_int_eq(heard.multicasts, 1);
	ck_assert_uint_eq(k.store->policies, 0);
}
END_TEST

/* As many as fit, innermost first; nobody is asked for their SAs. */
/* In seconds: soft is told each half minute, hard ends it. */
START_TEST(policy_expires)
{
	const struct xfrm_user_polexpire *e = nlmsg_data((struct nlmsghdr *)heard.told);
	struct keyd_policy *p;

	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 100), 0);
	ck_assert_int_eq(lifetime_timeout(&k), -1);
	p = store_next_policy(&k, 0);
	p->info.lft.soft_add_expires_seconds = 100;
	p->info.lft.hard_add_expires_seconds = 200;
	store_named_policy(&k, p);
	ck_assert_int_eq(lifetime_timeout(&k), 1000);
	heard.multicasts = 0;
	p->info.curlft.add_time -= 99;
	lifetime_run(&k);
	ck_assert_int_eq(heard.multicasts, 0);
	p->info.curlft.add_time--;
	sleep(1);
	lifetime_run(&k);
	ck_assert(heard.multicasts == 1 && heard.event == XFRM_MSG_POLEXPIRE && !e->hard);
	sleep(1);
	lifetime_run(&k);
	ck_assert_int_eq(heard.multicasts, 1);
	p->soft_told -= 30;
	sleep(1);
	lifetime_run(&k);
	ck_assert_int_eq(heard.multicasts, 2);
	p->info.curlft.add_time -= 100;
	sleep(1);
	lifetime_run(&k);
	ck_assert(heard.multicasts == 3 && heard.event == XFRM_MSG_POLEXPIRE && e->hard);
	ck_assert_ptr_nonnull(strstr(words, "policy delete "));
	ck_assert_uint_eq(k.store->policies, 0);
	ck_assert_int_eq(lifetime_timeout(&k), -1);
}
END_TEST

START_TEST(policy_of_several)
{
	struct xfrm_userpolicy_info *info = xfrm_begin(XFRM_MSG_NEWPOLICY, sizeof(*info));
	struct xfrm_user_tmpl t[IPSP_STAMPS];
	const char *at = words;
	unsigned int i;

	memset(t, 0, sizeof(t));
	for (i = 0; i < IPSP_STAMPS; i++) {
		t[i] = (struct xfrm_user_tmpl){ .family = AF_INET, .mode = XFRM_MODE_TUNNEL, .reqid = i + 1,
						.id.proto = IPPROTO_ESP, .id.daddr.a4 = htonl(0x0a090002) };
	}
	info->sel.family = AF_INET;
	info->dir = XFRM_POLICY_OUT;
	xfrm_attribute(XFRMA_TMPL, t, sizeof(t));
	ck_assert_int_eq(send_it(), 0);
	ck_assert_ptr_null(strstr(words, "acquire"));
	for (i = 0; i < IPSP_STAMPS; i++) {
		char text[32];

		snprintf(text, sizeof(text), "reqid %u mode tunnel", i + 1);
		at = strstr(at, text);
		ck_assert_ptr_nonnull(at);
	}
}
END_TEST

/* By the whole mark; a policy of type sub there is none. */
START_TEST(policy_named)
{
	const struct xfrm_mark mark = { 1, 0xff }, other = { 1, 0xf };
	const struct xfrm_userpolicy_type sub = { .type = XFRM_POLICY_TYPE_SUB };
	struct xfrm_userpolicy_id *id;

	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 100), 0);
	id = xfrm_begin(XFRM_MSG_GETPOLICY, sizeof(*id));
	id->dir = XFRM_POLICY_OUT;
	id->index = 1;
	ck_assert_int_eq(send_it(), 0);
	xfrm_attribute(XFRMA_MARK, &mark, sizeof(mark));
	ck_assert_int_eq(send_it(), -ENOENT);
	xfrm_attribute(XFRMA_MARK, &other, sizeof(other));
	ck_assert_int_eq(send_it(), -ENOENT);
	xfrm_begin(XFRM_MSG_FLUSHPOLICY, 0);
	xfrm_attribute(XFRMA_POLICY_TYPE, &sub, sizeof(sub));
	ck_assert_int_eq(send_it(), 0);
	ck_assert_uint_eq(k.store->policies, 1);
}
END_TEST

/* Its attributes have numbers of their own, which are another's elsewhere. */
START_TEST(thresholds)
{
	struct xfrmu_spdhthresh to = { 24, 16 };

	xfrm_begin(XFRM_MSG_NEWSPDINFO, sizeof(__u32));
	xfrm_attribute(XFRMA_SPD_IPV4_HTHRESH, &to, sizeof(to));
	ck_assert_int_eq(send_it(), 0);
	ck_assert_uint_eq(k.store->threshold[0].lbits, 24);
	to.rbits = 33;
	xfrm_attribute(XFRMA_SPD_IPV4_HTHRESH, &to, sizeof(to));
	ck_assert_int_eq(send_it(), -EINVAL);
	ck_assert_uint_eq(k.store->threshold[0].rbits, 16);

	/* the number of an algorithm, which holds no key here */
	ck_assert_int_eq(XFRMA_SPD_HINFO, XFRMA_ALG_CRYPT);
	xfrm_begin(XFRM_MSG_NEWSPDINFO, sizeof(__u32));
	xfrm_attribute(XFRMA_SPD_HINFO, &to, sizeof(to));
	ck_assert_int_eq(send_it(), 0);
}
END_TEST

/* ---- ACQUIRE ------------------------------------------------------------------------------- */

#define ASKED "policy 1 src 10.1.0.7 dst 10.2.0.9 proto 17 ports 1 sport 4000 dport 53 dev 0 if_id 0 mark 0"

static bool asks(const char *line)
{
	memset(&heard, 0, sizeof(heard));
	acquire_line(&k, &k.compartment[0], line);
	return heard.multicasts == 1 && heard.event == XFRM_MSG_ACQUIRE;
}

static const void *told_attribute(int type, size_t size)
{
	const struct nlmsghdr *m = (const struct nlmsghdr *)heard.told;
	struct nlattr *a = nlmsg_find_attr((struct nlmsghdr *)m, sizeof(struct xfrm_user_acquire), type);

	ck_assert_ptr_nonnull(a);
	ck_assert_uint_eq((size_t)nla_len(a), size);
	return nla_data(a);
}

/* As the kernel builds it: the template's addresses, the packet's where it has none; ports whole. */
START_TEST(acquire_as_the_kernel)
{
	const struct xfrm_user_acquire *a = nlmsg_data((struct nlmsghdr *)heard.told);
	const struct xfrm_user_tmpl *t;

	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 100), 0);
	ck_assert(asks(ASKED));
	ck_assert_uint_eq(((struct nlmsghdr *)heard.told)->nlmsg_pid, 0);
	ck_assert_uint_eq(a->id.daddr.a4, htonl(0x0a090002));
	ck_assert_uint_eq(a->id.spi, 0);
	ck_assert_uint_eq(a->id.proto, IPPROTO_ESP);
	ck_assert_uint_eq(a->saddr.a4, htonl(0x0a010007));
	ck_assert_uint_eq(a->sel.saddr.a4, htonl(0x0a010007));
	ck_assert_uint_eq(a->sel.daddr.a4, htonl(0x0a020009));
	ck_assert_uint_eq(a->sel.family, AF_INET);
	ck_assert_uint_eq(a->sel.prefixlen_s + a->sel.prefixlen_d, 64);
	ck_assert_uint_eq(a->sel.proto, 17);
	ck_assert_uint_eq(ntohs(a->sel.sport), 4000);
	ck_assert_uint_eq(ntohs(a->sel.dport), 53);
	ck_assert_uint_eq(a->sel.sport_mask & a->sel.dport_mask, 0xffff);
	ck_assert_uint_eq(a->policy.index, 1);
	ck_assert_uint_eq(a->policy.sel.family, AF_INET);
	ck_assert_uint_eq(a->policy.priority, 100);
	ck_assert_uint_ne(a->seq, 0);
	t = told_attribute(XFRMA_TMPL, sizeof(*t));
	ck_assert_uint_eq(t->reqid, 3);
	told_attribute(XFRMA_POLICY_TYPE, sizeof(struct xfrm_userpolicy_type));
	ck_assert_uint_eq(k.store->sas, 1);
	ck_assert_uint_eq(store_sas(&k)->state, SA_LARVAL);
	ck_assert_uint_eq(store_sas(&k)->info.seq, a->seq);
}
END_TEST

/* The same is not asked while its larval SA is there; one of its kind, of whatever sequence number, takes its place. */
START_TEST(acquire_damped)
{
	__u32 by_seq;

	for (by_seq = 0; by_seq < 2; by_seq++) {
		ck_assert_int_eq(policy(XFRM_MSG_UPDPOLICY, XFRM_POLICY_OUT, 100), 0);
		ck_assert(asks(ASKED));
		ck_assert(!asks(ASKED));
		ck_assert_int_eq(heard.multicasts, 0);
		xfrm_state(XFRM_MSG_NEWSA, 0x3001 + by_seq)->saddr.a4 = htonl(0x0a010007);
		((struct xfrm_usersa_info *)nlmsg_data(head))->reqid = 3;
		((struct xfrm_usersa_info *)nlmsg_data(head))->seq = by_seq ? store_sas(&k)[1].info.seq : 0;
		xfrm_aead("rfc4106(gcm(aes))", 160);
		ck_assert_int_eq(send_it(), 0);
		ck_assert_uint_eq(store_find_spi(&k, htonl(0x3001 + by_seq), NULL)->state, SA_VALID);
		ck_assert_ptr_null(sa_find_asked(&k, nlmsg_data(head), &(struct xfrm_mark){ 0 }, 0, NULL));
	}
	ck_assert(asks(ASKED));
}
END_TEST

/* A larval SA that nothing came of ends as the kernel's does: a hard expiry, and then it may be asked again. */
START_TEST(acquire_expires)
{
	const struct xfrm_user_expire *e = nlmsg_data((struct nlmsghdr *)heard.told);

	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 100), 0);
	ck_assert(asks(ASKED));
	store_sas(&k)->info.curlft.add_time -= SA_LARVAL_SECONDS;
	memset(&heard, 0, sizeof(heard));
	lifetime_run(&k);
	ck_assert_int_eq(heard.event, XFRM_MSG_EXPIRE);
	ck_assert_int_eq(e->hard, 1);
	ck_assert_uint_eq(e->state.id.spi, 0);
	ck_assert_uint_eq(k.store->sas, 0);
	ck_assert(asks(ASKED));
}
END_TEST

START_TEST(acquire_refused)
{
	ck_assert(!asks(ASKED));				/* no such policy */
	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_IN, 50), 0);
	ck_assert(!asks(ASKED));				/* one that comes in */
	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 50), 0);
	ck_assert(!asks("policy 9 src x dst 10.2.0.9 proto 17 ports 1 sport 1 dport 2 dev 0 if_id 0 mark 0"));
	ck_assert(!asks("policy 9 src 10.1.0.7"));
	ck_assert(!asks(""));
	ck_assert_uint_eq(k.store->sas, 0);
	ck_assert(asks("policy 9 src 10.1.0.7 dst 10.2.0.9 proto 47 ports 0 sport 0 dport 65535 dev 0 if_id 0 mark 0"));
	ck_assert_uint_eq(((struct xfrm_user_acquire *)nlmsg_data((struct nlmsghdr *)heard.told))->sel.dport, 0);
}
END_TEST

/* ---- labels ---------------------------------------------------------------------------- */

static void context_of(const char *text, size_t len)
{
	struct xfrm_user_sec_ctx *c = xfrm_room(XFRMA_SEC_CTX, sizeof(*c) + len);

	*c = (struct xfrm_user_sec_ctx){
		.len = (__u16)(sizeof(*c) + len), .exttype = XFRMA_SEC_CTX, .ctx_alg = XFRM_SC_ALG_SELINUX,
		.ctx_doi = XFRM_SC_DOI_LSM, .ctx_len = (__u16)len,
	};
	memcpy(c + 1, text, len);
}

/* As policy() does it, but sent with a context. */
static int labelled_policy(__u16 type, const char *text)
{
	policy(type == XFRM_MSG_NEWPOLICY ? XFRM_MSG_GETPOLICY : type, XFRM_POLICY_OUT, 100);
	head->nlmsg_type = type;
	context_of(text, strlen(text) + 1);
	return send_it();
}

static const char *told_context(void)
{
	const struct nlattr *a = nlmsg_find_attr((struct nlmsghdr *)heard.told,
		heard.event == XFRM_MSG_ACQUIRE ? sizeof(struct xfrm_user_acquire) : heard.event == XFRM_MSG_NEWSA ?
		sizeof(struct xfrm_usersa_info) : sizeof(struct xfrm_userpolicy_info), XFRMA_SEC_CTX);

	return a ? (const char *)nla_data(a) + sizeof(struct xfrm_user_sec_ctx) : "";
}

static bool asks_by(__u32 index)
{
	char line[160];

	snprintf(line, sizeof(line), "policy %u src 10.1.0.7 dst 10.2.0.9 proto 17 ports 1 sport 4000 dport 53 dev 0 "
		 "if_id 0 mark 0", index);
	return asks(line);
}

/* Two labels to one peer: two policies, two exchanges, two SAs, each with its context. */
START_TEST(labels_ask_apart)
{
	static const char *const context[] = { "u:r:blue_t", "u:r:green_t" };
	__u32 i;

	k.labels = true;
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(labelled_policy(XFRM_MSG_NEWPOLICY, context[i]), 0);
		ck_assert_str_eq(told_context(), context[i]);
		ck_assert_ptr_nonnull(strstr(words, context[i]));
	}
	ck_assert_int_eq(labelled_policy(XFRM_MSG_NEWPOLICY, context[0]), -EEXIST);
	for (i = 0; i < 2; i++) {
		ck_assert(asks_by(store_policies(&k)[i].info.index));
		ck_assert_int_eq(heard.event, XFRM_MSG_ACQUIRE);
		ck_assert_str_eq(told_context(), context[i]);
		ck_assert(!asks_by(store_policies(&k)[i].info.index));
	}
	ck_assert_uint_eq(k.store->sas, 2);
	for (i = 0; i < 2; i++) {
		xfrm_state(XFRM_MSG_NEWSA, 0x3001 + i)->seq = store_sas(&k)[i].info.seq;
		xfrm_aead("rfc4106(gcm(aes))", 160);
		context_of(context[i], strlen(context[i]) + 1);
		ck_assert_int_eq(send_it(), 0);
		ck_assert_str_eq(told_context(), context[i]);
		ck_assert_ptr_nonnull(strstr(words, "ctx u:r:"));
	}
	ck_assert_str_eq(store_find_spi(&k, htonl(0x3002), NULL)->label.context, context[1]);
}
END_TEST

/* What is too long, or of another kind, is refused; who asks by index may say anything. */
START_TEST(labels_refused)
{
	char text[4000] = "";
	struct xfrm_userpolicy_id *id;

	k.labels = true;
	memset(text, 'a', sizeof(text) - 1);
	ck_assert_int_eq(labelled_policy(XFRM_MSG_NEWPOLICY, ""), 0);
	xfrm_state(XFRM_MSG_NEWSA, 0x4001);
	xfrm_aead("rfc4106(gcm(aes))", 160);
	context_of(text, 64);
	ck_assert_int_eq(send_it(), -EINVAL);
	xfrm_state(XFRM_MSG_NEWSA, 0x4001);
	xfrm_aead("rfc4106(gcm(aes))", 160);
	context_of(text, 63);
	((struct xfrm_user_sec_ctx *)((char *)head + head->nlmsg_len - 72))->ctx_doi = 7;
	ck_assert_int_eq(send_it(), -EINVAL);
	id = xfrm_begin(XFRM_MSG_GETPOLICY, sizeof(*id));
	id->index = store_policies(&k)->info.index;
	id->dir = XFRM_POLICY_OUT;
	context_of(text, 3000);
	ck_assert_int_eq(send_it(), 0);
	ck_assert_uint_eq(k.store->sas, 0);
}
END_TEST

/* Where nothing labels sockets, XFRM takes a context and forgets it. */
START_TEST(labels_forgotten)
{
	ck_assert_int_eq(labelled_policy(XFRM_MSG_NEWPOLICY, "u:r:blue_t"), 0);
	ck_assert_str_eq(told_context(), "");
	ck_assert_ptr_null(strstr(words, "ctx"));
	ck_assert_int_eq(policy(XFRM_MSG_NEWPOLICY, XFRM_POLICY_OUT, 100), -EEXIST);
}
END_TEST

/* ACQUIRE as a request: an event for each template, and nothing else. */
START_TEST(acquire_asked)
{
	struct xfrm_user_tmpl t = { .family = AF_INET, .mode = XFRM_MODE_TUNNEL, .id.proto = IPPROTO_ESP };
	struct xfrm_user_acquire *a = xfrm_begin(XFRM_MSG_ACQUIRE, sizeof(*a));

	a->policy.sel.family = AF_INET;
	a->policy.dir = XFRM_POLICY_OUT;
	ck_assert_int_eq(send_it(), 0);
	ck_assert_int_eq(heard.multicasts, 0);
	xfrm_attribute(XFRMA_TMPL, &t, sizeof(t));
	ck_assert_int_eq(send_it(), 0);
	ck_assert_int_eq(heard.multicasts, 1);
	ck_assert_int_eq(heard.event, XFRM_MSG_ACQUIRE);
	ck_assert_uint_eq(k.store->sas + k.store->policies, 0);
	a->policy.action = 7;
	ck_assert_int_eq(send_it(), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyd_policy");
	TCase *c = tcase_create("requests");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, policy_life);
	tcase_set_timeout(c, 20);
	tcase_add_test(c, policy_expires);
	tcase_add_test(c, policy_of_several);
	tcase_add_test(c, policy_named);
	tcase_add_test(c, thresholds);
	tcase_add_test(c, acquire_as_the_kernel);
	tcase_add_test(c, acquire_damped);
	tcase_add_test(c, acquire_expires);
	tcase_add_test(c, acquire_refused);
	tcase_add_test(c, acquire_asked);
	tcase_add_test(c, labels_ask_apart);
	tcase_add_test(c, labels_refused);
	tcase_add_test(c, labels_forgotten);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
