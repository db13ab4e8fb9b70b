// SPDX-License-Identifier: GPL-2.0
/* attributes.c - what a message about a state has beside its body: keys, numbers, limits, and what is seldom asked for */
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <string.h>

#include "differ.h"

struct cipher {
	uint16_t attribute;
	const char *name;
	uint16_t bits, icv;
};

static void algorithm(struct maker *k, const struct cipher *c)
{
	unsigned char room[sizeof(struct xfrm_algo_auth) + 128] = { 0 };
	struct xfrm_algo_auth *a = (struct xfrm_algo_auth *)room;
	bool has_icv = c->attribute != XFRMA_ALG_CRYPT && c->attribute != XFRMA_ALG_AUTH;
	size_t head = has_icv ? sizeof(*a) : sizeof(struct xfrm_algo);
	unsigned int bits = dice_percent(&k->dice, 2) ? dice_below(&k->dice, 700) : c->bits;

	strcpy(a->alg_name, c->name);
	a->alg_key_len = bits;
	if (has_icv)
		a->alg_trunc_len = dice_percent(&k->dice, 2) ? dice_below(&k->dice, 300) : c->icv;
	dice_fill(&k->dice, room + head, (bits + 7) / 8);
	message_attribute(k, c->attribute, room, head + (bits + 7) / 8);
}

void attributes_keys(struct maker *k)
{
	static const struct cipher aead[] = {
		{ XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", 160, 128 }, { XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", 288, 128 },
		{ XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", 160, 96 }, { XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", 160, 64 },
		{ XFRMA_ALG_AEAD, "rfc7539esp(chacha20,poly1305)", 288, 128 },
	}, cipher[] = {
		{ XFRMA_ALG_CRYPT, "cbc(aes)", 128, 0 }, { XFRMA_ALG_CRYPT, "cbc(aes)", 256, 0 }, { XFRMA_ALG_CRYPT, "aes", 128, 0 },
		{ XFRMA_ALG_CRYPT, "ecb(cipher_null)", 0, 0 },
	}, auth[] = {
		{ XFRMA_ALG_AUTH_TRUNC, "hmac(sha256)", 256, 128 }, { XFRMA_ALG_AUTH_TRUNC, "hmac(sha256)", 256, 96 },
		{ XFRMA_ALG_AUTH, "hmac(sha1)", 160, 0 }, { XFRMA_ALG_AUTH, "sha1", 160, 0 },
	}, odd[] = {
		{ XFRMA_ALG_AEAD, "rfc4106(gcm(nonsense))", 160, 128 }, { XFRMA_ALG_CRYPT, "cbc(twofish)", 128, 0 },
		{ XFRMA_ALG_AUTH, "hmac(rmd160)", 160, 0 }, { XFRMA_ALG_COMP, "deflate", 0, 0 }, { XFRMA_ALG_CRYPT, "", 0, 0 },
		{ XFRMA_ALG_AEAD, "rfc4309(ccm(aes))", 152, 64 },
	};

	if (dice_percent(&k->dice, 2))
		return;
	if (dice_percent(&k->dice, 3))
		algorithm(k, &DICE_PICK(&k->dice, odd));
	if (dice_percent(&k->dice, 75)) {
		algorithm(k, &DICE_PICK(&k->dice, aead));
		return;
	}
	if (dice_percent(&k->dice, 97))
		algorithm(k, &DICE_PICK(&k->dice, cipher));
	if (dice_percent(&k->dice, 97))
		algorithm(k, &DICE_PICK(&k->dice, auth));
}

/* ---- the rest -------------------------------------------------------------------------------- */

void attributes_esn(struct maker *k, struct xfrm_usersa_info *info)
{
	struct {
		struct xfrm_replay_state_esn head;
		uint32_t map[8];
	} e = { .head = { .bmp_len = dice_between(&k->dice, 1, 4) } };
	size_t size = sizeof(e.head) + 4 * e.head.bmp_len;

	e.head.replay_window = 32 * e.head.bmp_len;
	if (dice_percent(&k->dice, 8))
		e.head.replay_window = dice_below(&k->dice, 200);
	if (dice_percent(&k->dice, 4))
		e.head.bmp_len = (uint32_t)dice_next(&k->dice);
	if (dice_percent(&k->dice, 90))
		info->replay_window = 0;
	if (dice_percent(&k->dice, 80))
		info->flags |= XFRM_STATE_ESN;
	if (dice_percent(&k->dice, 96))
		message_attribute(k, XFRMA_REPLAY_ESN_VAL, &e, dice_percent(&k->dice, 5) ? size - 4 : size);
}

static void encapsulation(struct maker *k)
{
	struct xfrm_encap_tmpl e = { .encap_type = UDP_ENCAP_ESPINUDP, .encap_sport = htons(4500), .encap_dport = htons(4500) };

	if (dice_percent(&k->dice, 5))
		e.encap_type = (uint16_t)dice_below(&k->dice, 9);
	if (dice_percent(&k->dice, 20))
		e.encap_sport = htons(4501);
	message_attribute(k, XFRMA_ENCAP, &e, sizeof(e));
}

static void context(struct maker *k)
{
	struct {
		struct xfrm_user_sec_ctx head;
		char text[8];
	} c = { { .len = sizeof(c), .exttype = 8, .ctx_alg = 1, .ctx_doi = 1, .ctx_len = 8 }, "a:b:c:d" };

	if (dice_percent(&k->dice, 50))
		c.head.ctx_len = (uint16_t)dice_below(&k->dice, 20);
	message_attribute(k, XFRMA_SEC_CTX, &c, sizeof(c));
}

void attributes_use(struct maker *k)
{
	struct xfrm_replay_state replay = { .oseq = dice_below(&k->dice, 100), .seq = dice_below(&k->dice, 100), .bitmap = 1 };
	struct xfrm_lifetime_cur now = { .bytes = dice_below(&k->dice, 5000), .packets = dice_below(&k->dice, 50), .use_time = 1000 };

	if (dice_percent(&k->dice, 5))
		message_attribute(k, XFRMA_LTIME_VAL, &now, sizeof(now));
	if (dice_percent(&k->dice, 3))
		message_attribute(k, XFRMA_REPLAY_VAL, &replay, sizeof(replay));
	if (dice_percent(&k->dice, 4))
		message_attribute_u32(k, XFRMA_ETIMER_THRESH, dice_below(&k->dice, 100));
	if (dice_percent(&k->dice, 4))
		message_attribute_u32(k, XFRMA_REPLAY_THRESH, dice_below(&k->dice, 100));
}

void attributes_rest(struct maker *k)
{
	xfrm_address_t coaddr = { .a4 = 7 };
	struct xfrm_user_offload offload = { .ifindex = 1 };

	if (dice_percent(&k->dice, 10))
		encapsulation(k);
	if (dice_percent(&k->dice, 3))
		message_attribute_u32(k, XFRMA_MTIMER_THRESH, dice_below(&k->dice, 100));
	if (dice_percent(&k->dice, 2))
		message_attribute_u32(k, XFRMA_TFCPAD, dice_below(&k->dice, 100));
	if (dice_percent(&k->dice, 2))
		message_attribute(k, XFRMA_COADDR, &coaddr, sizeof(coaddr));
	if (dice_percent(&k->dice, 1))
		message_attribute(k, XFRMA_OFFLOAD_DEV, &offload, sizeof(offload));
	if (dice_percent(&k->dice, 2))
		message_attribute_u32(k, XFRMA_SET_MARK, dice_below(&k->dice, 3));
	if (dice_percent(&k->dice, 1))
		message_attribute_u32(k, XFRMA_SET_MARK_MASK, 0xff);
	if (dice_percent(&k->dice, 3))
		message_attribute_u32(k, XFRMA_SA_EXTRA_FLAGS, dice_below(&k->dice, 5));
	if (dice_percent(&k->dice, 2))
		context(k);
}
