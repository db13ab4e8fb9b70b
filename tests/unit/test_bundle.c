// SPDX-License-Identifier: GPL-2.0
/*
 * test_bundle - policies with several templates, by records: which SAs a flow is given, one layer after the other out and
 * in, and that what lacks a layer, or has one too many, is admitted by nobody
 */
#include <stdlib.h>

#include "ipsec/ip.h"
#include "ipsec/sad.h"
#include "ipsec/transform.h"
#include "ipsec_port_ring.h"
#include "suite.h"
#include "transform_world.h"

static struct transform *transform;
static uint8_t memory[8 << 20] __attribute__((aligned(64)));
static uint8_t down[64 << 10] __attribute__((aligned(64))), up[128 << 10] __attribute__((aligned(64)));

struct bytes {
	uint8_t at[4096];
	uint32_t len;
};

/* An SA of each pair has an odd handle out, the next one in. */
struct layer {
	uint32_t handle;
	uint8_t protocol, mode;
	uint8_t outer;			/* its addresses: the packet's own, or those outside */
};

static const struct layer esp_inside = { 1, 50, IPSP_SA_TRANSPORT, 0 }, ah_around = { 3, 51, IPSP_SA_TRANSPORT, 0 },
	esp_tunnel = { 5, 50, IPSP_SA_TUNNEL, 1 }, ah_outside = { 7, 51, IPSP_SA_TRANSPORT, 1 },
	esp_outside = { 9, 50, IPSP_SA_TUNNEL, 2 };
static const struct layer *const bundles[][3] = {
	{ &esp_inside, &ah_around }, { &esp_inside, &esp_tunnel }, { &esp_tunnel, &ah_outside },
	{ &esp_tunnel, &esp_outside }, { &esp_inside, &esp_tunnel, &ah_outside }, { &ah_around, &esp_tunnel, &esp_outside },
};
#define BUNDLES (sizeof(bundles) / sizeof(bundles[0]))

static uint8_t family;

static void setup(void)
{
	transform = transform_begin(memory, sizeof(memory), 32);
	family = 4;
}

static void address(uint8_t at[16], uint8_t net, uint8_t host)
{
	memset(at, 0, 16);
	at[0] = family == 4 ? 10 : 0xfd;
	at[1] = net;
	at[family == 4 ? 3 : 15] = host;
}

/* ---- records ------------------------------------------------------------------------- */

static struct ipsp_record *record(uint16_t type, const void *control, uint32_t control_len, const void *data, uint32_t len)
{
	struct ipsp_record *rec = transform_record(down, type, control, control_len, data, len);

	rec->ticket = 43;
	rec->flags = IPSP_RECF_NOMERGE;
	return rec;
}

static void control(uint16_t type, const void *c, uint32_t len, const void *data, uint32_t data_len)
{
	ck_assert_uint_eq(transform_answer(transform, record(type, c, len, data, data_len), up, sizeof(up)), 0);
}

/* The ANSWER, behind an ACQUIRE or not. */
static const struct ipsp_answer *ask(uint16_t type, const struct ipsp_packet *p, const struct bytes *packet)
{
	const struct ipsp_record *rec = record(type, p, sizeof(*p), packet->at, packet->len), *out = (struct ipsp_record *)up;

	ck_assert_uint_gt(transform_answer(transform, rec, up, transform_room(rec)), 0);
	if (out->type == IPSP_REC_ACQUIRE)
		out = (const struct ipsp_record *)(up + out->len);
	ck_assert_uint_eq(out->type, IPSP_REC_ANSWER);
	return (const struct ipsp_answer *)(out + 1);
}

/* ---- SAs, policies, packets ------------------------------------------------------------ */

static void sa_add(const struct layer *l, uint32_t handle, uint8_t direction)
{
	struct ipsp_sa sa = {
		.handle = handle, .direction = direction, .family = family, .protocol = l->protocol, .mode = l->mode,
		.spi = htobe32(0x1000 + l->handle), .reqid = l->handle,
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
	};

	if (l->protocol == 50)
		sa.aead = (struct ipsp_algorithm){ "rfc4106(gcm(aes))", 160, 128, "0123456789abcdefsalt" };
	else
		sa.auth = (struct ipsp_algorithm){ "hmac(sha256)", 256, 128, "0123456789abcdef" };
	if (l->protocol == 51)
		strcpy(sa.cipher.name, "ecb(cipher_null)");
	sa.aead.key[0] = sa.auth.key[0] = (uint8_t)l->handle;
	address(sa.source, l->outer, 1);
	address(sa.destination, l->outer, 2);
	control(IPSP_REC_SA_ADD, &sa, sizeof(sa), NULL, 0);
}

static void sa_delete(uint32_t handle)
{
	const struct ipsp_sa sa = { .handle = handle };

	control(IPSP_REC_SA_DELETE, &sa, sizeof(sa), NULL, 0);
}

static void sa_pairs(const struct layer *const *layers)
{
	uint32_t i;

	for (i = 0; i < 3 && layers[i]; i++) {
		sa_add(layers[i], layers[i]->handle, IPSP_DIR_OUT);
		sa_add(layers[i], layers[i]->handle + 1, IPSP_DIR_IN);
	}
}

static struct ipsp_policy_entry policy_of(const struct layer *const *layers, uint8_t direction)
{
	struct ipsp_policy_entry e = {
		.protect = { .selector = { .family = family, .source_last = 0xffff, .destination_last = 0xffff },
			     .direction = direction, .index = direction + 1u },
		.action = IPSP_POLICY_APPLY,
	};
	struct ipsp_template *t;

	for (; e.templates < 3 && layers[e.templates]; e.templates++) {
		t = &e.template_[e.templates];
		*t = (struct ipsp_template){ .reqid = layers[e.templates]->handle, .family = family,
					     .protocol = layers[e.templates]->protocol, .mode = layers[e.templates]->mode };
		if (t->mode == IPSP_SA_TUNNEL) {
			address(t->source, layers[e.templates]->outer, 1);
			address(t->destination, layers[e.templates]->outer, 2);
		}
	}
	return e;
}

static void policy_set(const struct ipsp_policy_entry *e)
{
	const struct ipsp_policy p = { .operation = IPSP_POLICY_ADD, .count = 1 };

	control(IPSP_REC_POLICY, &p, sizeof(p), e, sizeof(*e));
}

static void policies(const struct layer *const *layers)
{
	struct ipsp_policy_entry out = policy_of(layers, IPSP_DIR_OUT), in = policy_of(layers, IPSP_DIR_IN);

	policy_set(&out);
	policy_set(&in);
}

static struct bytes udp(void)
{
	struct bytes p = { .len = 100 };
	uint32_t i, header = family == 4 ? 20 : 40, size = family == 4 ? 4 : 16;
	uint8_t end[16];

	for (i = header; i < p.len; i++)
		p.at[i] = (uint8_t)i;
	p.at[0] = (uint8_t)(family == 4 ? 0x45 : 0x60);
	p.at[family == 4 ? 9 : 6] = 17;
	p.at[family == 4 ? 8 : 7] = 64;
	address(end, 0, 1);
	memcpy(p.at + (family == 4 ? 12 : 8), end, size);
	address(end, 0, 2);
	memcpy(p.at + (family == 4 ? 16 : 24), end, size);
	ip_set_length(p.at, header, p.len);
	return p;
}

static const struct ipsp_answer *classify(void)
{
	const struct ipsp_packet p = { .family = family, .direction = IPSP_DIR_OUT };
	const struct bytes packet = udp();

	return ask(IPSP_REC_CLASSIFY, &p, &packet);
}

static struct bytes answer_data(void)
{
	const struct ipsp_record *out = (const struct ipsp_record *)up;
	struct bytes b = { .len = out->data_len };

	ck_assert_uint_le(b.len, sizeof(b.at));
	memcpy(b.at, up + out->data_offset, b.len);
	return b;
}

static struct bytes seal(const struct layer *l, const struct bytes *packet)
{
	const struct ipsp_packet p = { .family = family, .mtu = 2000, .stamp = { { l->handle, 1, 77 } } };

	ck_assert_uint_eq(ask(IPSP_REC_PROTECT, &p, packet)->verdict, IPSP_VERDICT_TRANSFORMED);
	return answer_data();
}

/* `before`: what the packet came through, the last one first. 0, or why it is dropped. */
static uint16_t open_one(const struct layer *l, const uint32_t before[3], struct bytes *packet)
{
	struct ipsp_packet p = { .family = family, .direction = IPSP_DIR_IN, .stamp = { { l->handle + 1, 1, 77 } } };
	const struct ipsp_answer *a;
	uint32_t i;

	for (i = 0; i < 3; i++)
		p.stamp[i + 1].handle = before[i];
	a = ask(IPSP_REC_UNPROTECT, &p, packet);
	if (a->verdict == IPSP_VERDICT_TRANSFORMED)
		*packet = answer_data();
	return a->reason;
}

static uint32_t layers_of(const struct layer *const *layers)
{
	return layers[2] ? 3 : 2;
}

static struct bytes seal_all(const struct layer *const *layers)
{
	struct bytes packet = udp();
	uint32_t i;

	for (i = 0; i < layers_of(layers); i++)
		packet = seal(layers[i], &packet);
	return packet;
}

/* From the outermost inwards, as the kernel has it done; the first refusal. */
static uint16_t open_all(const struct layer *const *layers, struct bytes *packet)
{
	uint32_t before[3] = { 0 }, i = layers_of(layers);
	uint16_t reason = 0;

	while (i-- && !reason) {
		reason = open_one(layers[i], before, packet);
		memmove(before + 1, before, 2 * sizeof(before[0]));
		before[0] = layers[i]->handle + 1;
	}
	return reason;
}

/* ---- out ------------------------------------------------------------------------------- */

START_TEST(all_are_named_innermost_first)
{
	const struct layer *const *layers = bundles[_i % BUNDLES];
	const struct ipsp_answer *a;
	uint32_t i, n = layers_of(layers);

	family = (size_t)_i < BUNDLES ? 4 : 6;
	sa_pairs(layers);
	policies(layers);
	a = classify();
	ck_assert_uint_eq(a->verdict, IPSP_VERDICT_CLASSIFY);
	ck_assert_uint_eq(a->handles, n);
	for (i = 0; i < IPSP_STAMPS; i++)
		ck_assert_uint_eq(a->handle[i], i < n ? layers[i]->handle : 0);
}
END_TEST

START_TEST(none_is_named_where_one_is_missing)
{
	const struct layer *const *layers = bundles[_i];
	struct ipsp_policy_entry out = policy_of(layers, IPSP_DIR_OUT);
	const struct ipsp_answer *a;
	uint32_t i;

	for (i = 0; i < layers_of(layers); i++) {
		sa_pairs(layers);
		sa_delete(layers[i]->handle);
		out.acquire = 0;
		policy_set(&out);
		a = classify();
		ck_assert_uint_eq(a->reason, IPSP_DROP_NO_SA);
		ck_assert_uint_eq(a->handles, 0);
		out.acquire = 6;
		policy_set(&out);
		ck_assert_uint_eq(classify()->verdict, IPSP_VERDICT_HOLD);
	}
}
END_TEST

START_TEST(an_optional_one_is_left_out)
{
	struct ipsp_policy_entry out = policy_of(bundles[0], IPSP_DIR_OUT);

	sa_pairs(bundles[0]);
	out.template_[1].optional = 1;
	policy_set(&out);
	ck_assert_uint_eq(classify()->handles, 2);
	sa_delete(ah_around.handle);
	ck_assert_uint_eq(classify()->handles, 1);
	ck_assert_uint_eq(classify()->handle[0], esp_inside.handle);
	out.template_[0].optional = 1;
	policy_set(&out);
	sa_delete(esp_inside.handle);
	ck_assert_uint_eq(classify()->verdict, IPSP_VERDICT_BYPASS);
}
END_TEST

/* AH outside of a tunnel is between the tunnel's ends, not between the packet's. */
START_TEST(a_tunnel_hides_the_addresses)
{
	sa_pairs(bundles[2]);
	policies(bundles[2]);
	sa_delete(ah_outside.handle);
	sa_add(&(const struct layer){ 11, 51, IPSP_SA_TRANSPORT, 0 }, 11, IPSP_DIR_OUT);
	ck_assert_uint_eq(classify()->reason, IPSP_DROP_NO_SA);
	ck_assert_uint_eq(classify()->handles, 0);
}
END_TEST

START_TEST(what_cannot_be_served_is_unsupported)
{
	struct ipsp_policy_entry out = policy_of(bundles[1], IPSP_DIR_OUT);
	struct ipsp_sa sa = { .handle = 21, .family = 4, .protocol = 50, .spi = htobe32(0x2000), .reqid = 1,
			      .encap_source = htobe16(4500), .encap_destination = htobe16(4500),
			      .selector = { .source_last = 0xffff, .destination_last = 0xffff },
			      .aead = { "rfc4106(gcm(aes))", 160, 128, "0123456789abcdefsalt" } };

	sa_pairs(bundles[1]);
	out.templates = IPSP_STAMPS + 1;
	policy_set(&out);
	ck_assert_uint_eq(classify()->reason, IPSP_DROP_UNSUPPORTED);
	out.templates = 2;
	policy_set(&out);
	ck_assert_uint_eq(classify()->handles, 2);
	address(sa.source, 0, 1);
	address(sa.destination, 0, 2);
	control(IPSP_REC_SA_ADD, &sa, sizeof(sa), NULL, 0);	/* the newest, and in UDP */
	ck_assert_uint_eq(classify()->reason, IPSP_DROP_UNSUPPORTED);
}
END_TEST

/* ---- in -------------------------------------------------------------------------------- */

START_TEST(comes_back_through_all)
{
	const struct layer *const *layers = bundles[_i % BUNDLES];
	struct bytes packet, clear;

	family = (size_t)_i < BUNDLES ? 4 : 6;
	clear = udp();
	sa_pairs(layers);
	policies(layers);
	packet = seal_all(layers);
	ck_assert_uint_eq(open_all(layers, &packet), 0);
	ck_assert_uint_eq(packet.len, clear.len);
	ck_assert_mem_eq(packet.at, clear.at, clear.len);
}
END_TEST

START_TEST(one_layer_alone_is_refused)
{
	static const uint32_t nothing[3];
	const struct layer *const *layers = bundles[_i % BUNDLES];
	struct bytes packet;
	uint32_t i;

	family = (size_t)_i < BUNDLES ? 4 : 6;
	sa_pairs(layers);
	policies(layers);
	for (i = 0; i < layers_of(layers); i++) {
		packet = udp();
		packet = seal(layers[i], &packet);
		ck_assert_uint_eq(open_one(layers[i], nothing, &packet), IPSP_DROP_POLICY);
	}
}
END_TEST

START_TEST(another_order_is_refused)
{
	static const struct layer *const turned[3] = { &ah_around, &esp_inside };
	struct bytes packet;

	sa_pairs(bundles[0]);
	policies(bundles[0]);
	packet = seal_all(turned);
	ck_assert_uint_eq(open_all(turned, &packet), IPSP_DROP_POLICY);
}
END_TEST

/* As RFC 4301 5.2 has it: what the policy names, and nothing else. */
START_TEST(more_than_is_wanted_is_refused)
{
	static const struct layer *const inner[3] = { &esp_inside };
	struct ipsp_policy_entry in;
	struct bytes packet;

	sa_pairs(bundles[0]);
	policies(inner);
	packet = seal_all(bundles[0]);
	ck_assert_uint_eq(open_all(bundles[0], &packet), IPSP_DROP_POLICY);
	in = policy_of(bundles[0], IPSP_DIR_IN);
	in.template_[1].optional = 1;
	policy_set(&in);
	packet = seal_all(bundles[0]);
	ck_assert_uint_eq(open_all(bundles[0], &packet), 0);
	packet = udp();
	packet = seal(&esp_inside, &packet);
	ck_assert_uint_eq(open_one(&esp_inside, (const uint32_t[3]){ 0 }, &packet), 0);
}
END_TEST

/* What was admitted a moment ago through both is not through one. */
START_TEST(an_admission_is_not_remembered)
{
	static const uint32_t nothing[3], ah[3] = { 4 }, gone[3] = { 30 }, outbound[3] = { 3 };
	struct bytes packet = udp(), again;

	sa_pairs(bundles[0]);
	policies(bundles[0]);
	packet = seal(&esp_inside, &packet);
	again = packet;
	ck_assert_uint_eq(open_one(&esp_inside, ah, &again), 0);
	again = packet;
	ck_assert_uint_eq(open_one(&esp_inside, nothing, &again), IPSP_DROP_POLICY);
	ck_assert_uint_eq(open_one(&esp_inside, gone, &again), IPSP_DROP_NO_SA);
	ck_assert_uint_eq(open_one(&esp_inside, outbound, &again), IPSP_DROP_NO_SA);
}
END_TEST

/* Only what is ours to open goes on without being asked of. */
START_TEST(what_nobody_opens_is_asked_of)
{
	static const uint32_t nothing[3];
	struct bytes packet;

	sa_pairs(bundles[0]);
	policies(bundles[0]);
	packet = seal_all(bundles[0]);
	ck_assert_uint_eq(open_one(&ah_around, nothing, &packet), 0);
	sa_delete(esp_inside.handle + 1);
	packet = seal_all(bundles[0]);
	ck_assert_uint_eq(open_one(&ah_around, nothing, &packet), IPSP_DROP_POLICY);
}
END_TEST

/* What has no SPI nobody opens either. */
START_TEST(what_is_too_short_to_be_opened_is_asked_of)
{
	static const uint32_t nothing[3];
	struct bytes packet = udp();

	sa_pairs(bundles[0]);
	policies(bundles[0]);
	packet.at[9] = IP_ESP;
	packet.len = 24;
	ip_set_length(packet.at, 20, packet.len);
	packet = seal(&ah_around, &packet);
	ck_assert_uint_eq(open_one(&ah_around, nothing, &packet), IPSP_DROP_POLICY);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bundle");
	TCase *c = tcase_create("bundle");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_loop_test(c, all_are_named_innermost_first, 0, 2 * BUNDLES);
	tcase_add_loop_test(c, none_is_named_where_one_is_missing, 0, BUNDLES);
	tcase_add_test(c, an_optional_one_is_left_out);
	tcase_add_test(c, a_tunnel_hides_the_addresses);
	tcase_add_test(c, what_cannot_be_served_is_unsupported);
	tcase_add_loop_test(c, comes_back_through_all, 0, 2 * BUNDLES);
	tcase_add_loop_test(c, one_layer_alone_is_refused, 0, 2 * BUNDLES);
	tcase_add_test(c, another_order_is_refused);
	tcase_add_test(c, more_than_is_wanted_is_refused);
	tcase_add_test(c, an_admission_is_not_remembered);
	tcase_add_test(c, what_nobody_opens_is_asked_of);
	tcase_add_test(c, what_is_too_short_to_be_opened_is_asked_of);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
