// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
/* test_spd - selectors at their edges, the order of policies, and the SAs that templates mean */
#include <stdlib.h>
#include <string.h>

#include "ipsec/sad.h"
#include "ipsec/spd.h"
#include "suite.h"

#define WHOLE .source_last = 0xffff, .destination_last = 0xffff

static uint8_t memory[1 << 20] __attribute__((aligned(64)));
static struct arena arena;
static struct spd spd;
static struct sad sad;

static void setup(void)
{
	ck_assert_int_eq(crypto_init(), 0);
	arena_init(&arena, memory, sizeof(memory));
	ck_assert_int_eq(spd_init(&spd, &arena, 8), 0);
	ck_assert_int_eq(sad_init(&sad, &arena, 8), 0);
}

static struct ipsp_tuple tuple_of(uint8_t protocol, uint16_t source, uint16_t destination)
{
	return (struct ipsp_tuple){
		.source = { 10, 1, 128, 1 }, .destination = { 10, 2, 0, 1 }, .family = 4,
		.protocol = protocol, .has_ports = 1, .source_port = source,
		.destination_port = destination, .direction = IPSP_DIR_OUT, .ifindex = 3, .if_id = 9,
		.mark = 0x15,
	};
}

/* ---- selectors --------------------------------------------------------------------- */

struct edge {
	struct ipsp_selector selector;
	int matches;
};

static const struct edge edges[] = {	/* of UDP 10.1.128.1:1000 -> 10.2.0.1:53 */
	{ { WHOLE }, 1 },
	{ { WHOLE, .family = 4 }, 1 },
	{ { WHOLE, .family = 6 }, 0 },
	{ { WHOLE, .family = 4, .source = { 10, 1, 128 }, .source_prefix = 17 }, 1 },
	{ { WHOLE, .family = 4, .source = { 10, 1, 0 }, .source_prefix = 16 }, 1 },
	{ { WHOLE, .family = 4, .source = { 10, 1, 0 }, .source_prefix = 17 }, 0 },
	{ { WHOLE, .family = 4, .destination = { 10, 2, 0, 1 }, .destination_prefix = 32 }, 1 },
	{ { WHOLE, .family = 4, .destination = { 10, 2, 0, 0 }, .destination_prefix = 32 }, 0 },
	{ { WHOLE, .family = 4, .destination = { 10, 2, 0, 0 }, .destination_prefix = 31 }, 1 },
	{ { WHOLE, .protocol = 17 }, 1 },
	{ { WHOLE, .protocol = 6 }, 0 },
	{ { .source_first = 1000, .source_last = 1000, .destination_last = 0xffff }, 1 },
	{ { .source_first = 1001, .source_last = 0xffff, .destination_last = 0xffff }, 0 },
	{ { .source_last = 999, .destination_last = 0xffff }, 0 },
	{ { .source_last = 0xffff, .destination_first = 53, .destination_last = 53 }, 1 },
	{ { .source_last = 0xffff, .destination_first = 54, .destination_last = 60 }, 0 },
	{ { WHOLE, .mark = 0x5, .mark_mask = 0xf }, 1 },
	{ { WHOLE, .mark = 0x15, .mark_mask = 0xff }, 1 },
	{ { WHOLE, .mark = 0x4, .mark_mask = 0xf }, 0 },
	{ { WHOLE, .ifindex = 3, .if_id = 9 }, 1 },
	{ { WHOLE, .ifindex = 4 }, 0 },
	{ { WHOLE, .if_id = 8 }, 0 },
};

START_TEST(selector_edges)
{
	struct ipsp_tuple t = tuple_of(17, 1000, 53);

	ck_assert_int_eq(!!ipsp_selector_match(&edges[_i].selector, &t), edges[_i].matches);
	ck_assert(ipsp_selector_is_valid(&edges[_i].selector));
}
END_TEST

/* A later fragment has no ports: only a selector of all ports takes it. */
START_TEST(selector_without_ports)
{
	const struct ipsp_selector all = { WHOLE }, some = { .source_first = 1, WHOLE };
	struct ipsp_tuple t = tuple_of(17, 0, 0);

	t.has_ports = 0;
	ck_assert(ipsp_selector_match(&all, &t));
	ck_assert(!ipsp_selector_match(&some, &t));
}
END_TEST

/* ---- policies ---------------------------------------------------------------------- */

static struct ipsp_policy_entry entry_of(uint32_t index, uint32_t priority)
{
	return (struct ipsp_policy_entry){
		.protect = { .selector = { WHOLE }, .direction = IPSP_DIR_OUT, .priority = priority,
			     .index = index },
	};
}

static int change(uint32_t operation, const struct ipsp_policy_entry *e, uint32_t count)
{
	const struct ipsp_policy p = { .operation = operation, .count = count };

	return spd_change(&spd, &p, e);
}

static void order_is(const uint32_t *index, uint32_t count)
{
	uint32_t i;

	ck_assert_uint_eq(spd.count, count);
	for (i = 0; i < count; i++)
		ck_assert_uint_eq(spd.entry[i].protect.index, index[i]);
}

/* Lower priority first; of equal ones the older. One that is replaced counts as new. */
START_TEST(policies_keep_their_order)
{
	struct ipsp_policy_entry e[4] = { entry_of(1, 20), entry_of(2, 10), entry_of(3, 20), entry_of(4, 5) };
	struct ipsp_policy_entry again = entry_of(1, 20), up = entry_of(3, 1);

	ck_assert_int_eq(change(IPSP_POLICY_REPLACE, e, 4), 0);
	order_is((uint32_t[]){ 4, 2, 1, 3 }, 4);
	ck_assert_int_eq(change(IPSP_POLICY_ADD, &again, 1), 0);
	order_is((uint32_t[]){ 4, 2, 3, 1 }, 4);
	ck_assert_int_eq(change(IPSP_POLICY_ADD, &up, 1), 0);
	order_is((uint32_t[]){ 3, 4, 2, 1 }, 4);
	ck_assert_int_eq(change(IPSP_POLICY_DELETE, &e[1], 1), 0);
	ck_assert_int_eq(change(IPSP_POLICY_DELETE, &e[1], 1), 0);	/* is gone */
	order_is((uint32_t[]){ 3, 4, 1 }, 3);
	ck_assert_int_eq(change(IPSP_POLICY_REPLACE, e, 0), 0);
	order_is(NULL, 0);
}
END_TEST

START_TEST(policies_have_an_end)
{
	struct ipsp_policy_entry e;
	uint32_t i;

	for (i = 1; i <= 8; i++) {
		e = entry_of(i, i);
		ck_assert_int_eq(change(IPSP_POLICY_ADD, &e, 1), 0);
	}
	e = entry_of(9, 1);
	ck_assert_int_ne(change(IPSP_POLICY_ADD, &e, 1), 0);
	e = entry_of(8, 1);
	ck_assert_int_eq(change(IPSP_POLICY_ADD, &e, 1), 0);	/* replaces */
}
END_TEST

START_TEST(the_direction_decides_too)
{
	struct ipsp_policy_entry e[2] = { entry_of(1, 1), entry_of(2, 2) };
	struct ipsp_tuple t = tuple_of(17, 1, 2);

	e[0].protect.direction = IPSP_DIR_IN;
	ck_assert_int_eq(change(IPSP_POLICY_REPLACE, e, 2), 0);
	ck_assert_uint_eq(spd_find(&spd, &t)->protect.index, 2);
	t.direction = IPSP_DIR_IN;
	ck_assert_uint_eq(spd_find(&spd, &t)->protect.index, 1);
	t.direction = IPSP_DIR_FWD;
	ck_assert_ptr_null(spd_find(&spd, &t));
}
END_TEST

/* ---- SAs --------------------------------------------------------------------------- */

static struct ipsp_sa sa_of(uint32_t handle, uint8_t mode)
{
	struct ipsp_sa sa = {
		.handle = handle, .direction = IPSP_DIR_OUT, .family = 4, .protocol = 50, .mode = mode,
		.spi = htobe32(handle), .reqid = 1, .selector = { WHOLE },
		.source = { 10, 1, 128, 1 }, .destination = { 10, 2, 0, 1 },
		.aead = { .name = "rfc4106(gcm(aes))", .key_bits = 160, .icv_bits = 128,
			  .key = "0123456789abcdefsalt" },
	};

	return sa;
}

static uint32_t match(const struct ipsp_template *t, const struct ipsp_tuple *tuple)
{
	const struct sad_sa *sa = sad_match(&sad, t, 0, tuple);

	return sa ? sa->handle : 0;
}

static uint16_t add(const struct ipsp_sa *sa)
{
	static const uint32_t any[4];

	return sad_add(&sad, sa, any);
}

START_TEST(templates_mean_sas)
{
	struct ipsp_template t = { .protocol = 50, .family = 4, .mode = IPSP_SA_TRANSPORT, .reqid = 1 };
	struct ipsp_sa sa = sa_of(1, IPSP_SA_TRANSPORT), tunnel = sa_of(2, IPSP_SA_TUNNEL),
		       inbound = sa_of(3, IPSP_SA_TRANSPORT), narrow = sa_of(4, IPSP_SA_TRANSPORT);
	struct ipsp_tuple udp = tuple_of(17, 1000, 53), other = udp;

	other.destination[3] = 7;
	inbound.direction = IPSP_DIR_IN;
	narrow.selector.protocol = 6;
	ck_assert_uint_eq(add(&sa) | add(&tunnel) | add(&inbound) | add(&narrow), 0);
	ck_assert_uint_eq(match(&t, &udp), 1);
	ck_assert_uint_eq(match(&t, &other), 0);	/* transport: the packet's own ends */
	t.reqid = 2;
	ck_assert_uint_eq(match(&t, &udp), 0);
	t.reqid = 0;
	ck_assert_uint_eq(match(&t, &udp), 1);
	t.spi = htobe32(2);
	ck_assert_uint_eq(match(&t, &udp), 0);
	t.mode = IPSP_SA_TUNNEL;
	ck_assert_uint_eq(match(&t, &other), 2);	/* tunnel: the template's */
	t.destination[0] = 99;
	ck_assert_uint_eq(match(&t, &other), 0);
	t = (struct ipsp_template){ .protocol = 50, .family = 4, .mode = IPSP_SA_TRANSPORT };
	udp.protocol = 6;
	ck_assert_uint_eq(match(&t, &udp), 4);		/* the newest that admits it */
}
END_TEST

/* One that bears an if_id or a mark serves packets of that and no others; one without serves all. */
START_TEST(interfaces_and_marks_tell_sas_apart)
{
	struct ipsp_template t = { .protocol = 50, .family = 4, .mode = IPSP_SA_TRANSPORT, .reqid = 1 };
	struct ipsp_sa any = sa_of(1, IPSP_SA_TRANSPORT), seven = sa_of(2, IPSP_SA_TRANSPORT),
		       marked = sa_of(3, IPSP_SA_TRANSPORT);
	struct ipsp_tuple udp = tuple_of(17, 1000, 53);

	udp.mark = 0;
	seven.if_id = 7;
	marked.mark = 0x10;
	marked.mark_mask = 0xf0;
	ck_assert_uint_eq(add(&seven) | add(&marked), 0);
	ck_assert_uint_eq(match(&t, &udp), 0);
	udp.if_id = 7;
	ck_assert_uint_eq(match(&t, &udp), 2);
	udp.if_id = 8;
	ck_assert_uint_eq(match(&t, &udp), 0);
	udp.mark = 0x1f;
	ck_assert_uint_eq(match(&t, &udp), 3);
	udp.mark = 0x2f;
	ck_assert_uint_eq(match(&t, &udp), 0);
	ck_assert_uint_eq(add(&any), 0);
	ck_assert_uint_eq(match(&t, &udp), 1);
}
END_TEST

/* Of no label for a policy without one, else of the policy's; the newest of those. */
START_TEST(labels_tell_sas_apart)
{
	const struct ipsp_template t = { .protocol = 50, .family = 4, .mode = IPSP_SA_TRANSPORT };
	const struct ipsp_tuple udp = tuple_of(17, 1000, 53);
	struct ipsp_sa sa;
	uint32_t i;

	for (i = 0; i < 3; i++) {
		sa = sa_of(i + 1, IPSP_SA_TRANSPORT);
		sa.label = i;
		ck_assert_uint_eq(add(&sa), 0);
	}
	for (i = 0; i < 3; i++)
		ck_assert_uint_eq(sad_match(&sad, &t, i, &udp)->handle, i + 1);
	ck_assert_ptr_null(sad_match(&sad, &t, 3, &udp));
}
END_TEST

/* A policy with a label is for packets of it; what is nobody's yet may not pass in clear by one. */
START_TEST(labels_tell_policies_apart)
{
	static const struct {
		uint32_t policy, tuple;
		uint8_t clear, found;
	} row[] = {
		{ 0, 0, 0, 1 }, { 0, 7, 0, 1 }, { 7, 7, 0, 1 }, { 7, 7, 1, 1 }, { 7, 0, 0, 0 }, { 7, 8, 0, 0 },
		{ 7, IPSP_LABEL_ANY, 0, 1 }, { 7, IPSP_LABEL_ANY, 1, 0 }, { 0, IPSP_LABEL_ANY, 1, 1 },
	};
	struct ipsp_tuple t = tuple_of(17, 1000, 53);
	uint32_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const struct ipsp_protect p = { .selector = { WHOLE }, .label = row[i].policy, .clear = row[i].clear };

		t.label = row[i].tuple;
		ck_assert_int_eq(!!ipsp_protect_find(&p, sizeof(p), 1, &t), row[i].found);
	}
}
END_TEST

START_TEST(handles_find_sas_and_keys_do_not_stay)
{
	uint32_t handles[] = { 1, 17, 33, 0x80000001, 5, 6, 7, 8 }, i;	/* some in one bucket */
	struct ipsp_sa sa;

	for (i = 0; i < 8; i++) {
		sa = sa_of(handles[i], IPSP_SA_TUNNEL);
		ck_assert_uint_eq(add(&sa), 0);
	}
	ck_assert_ptr_null(memmem(memory, sizeof(memory), sa.aead.key, 16));
	sa = sa_of(99, IPSP_SA_TUNNEL);
	ck_assert_uint_eq(add(&sa), IPSP_DROP_STACK_ERROR);
	sad_delete(&sad, 17);
	sad_delete(&sad, 17);
	for (i = 0; i < 8; i++)
		ck_assert_int_eq(!!sad_find(&sad, handles[i]), handles[i] != 17);
	ck_assert_uint_eq(add(&sa), 0);
	ck_assert_ptr_nonnull(sad_find(&sad, 99));
	sad_clear(&sad);
	ck_assert_ptr_null(sad_find(&sad, 99));
	ck_assert_ptr_null(sad_find(&sad, 0));
}
END_TEST

/* AH, BEET, ESP in UDP and the like are refused by name, not served as something else. */
START_TEST(what_is_not_served_is_refused)
{
	struct ipsp_sa sa[9];
	uint32_t i;

	for (i = 0; i < 9; i++)
		sa[i] = sa_of(1, IPSP_SA_TUNNEL);
	sa[0].protocol = 51;
	sa[1].mode = IPSP_SA_BEET;
	sa[2].encap_destination = htobe16(4500);
	sa[3].family = 0;
	sa[4].flags = IPSP_SAF_ALL + 1;
	sa[5].tfc_pad = 100;
	strcpy(sa[6].auth.name, "hmac(sha256)");
	strcpy(sa[7].cipher.name, "cbc(aes)");
	sa[8].handle = 0;
	for (i = 0; i < 9; i++)
		ck_assert_uint_eq(add(&sa[i]), IPSP_DROP_UNSUPPORTED);
	ck_assert_ptr_null(sad_find(&sad, 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spd");
	TCase *c = tcase_create("spd");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_loop_test(c, selector_edges, 0, sizeof(edges) / sizeof(edges[0]));
	tcase_add_test(c, selector_without_ports);
	tcase_add_test(c, policies_keep_their_order);
	tcase_add_test(c, policies_have_an_end);
	tcase_add_test(c, the_direction_decides_too);
	tcase_add_test(c, templates_mean_sas);
	tcase_add_test(c, interfaces_and_marks_tell_sas_apart);
	tcase_add_test(c, labels_tell_sas_apart);
	tcase_add_test(c, labels_tell_policies_apart);
	tcase_add_test(c, handles_find_sas_and_keys_do_not_stay);
	tcase_add_test(c, what_is_not_served_is_refused);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
