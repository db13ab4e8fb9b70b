// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "algorithm.h"

#define O ALGORITHM_BIT(IPSP_ENGINE_OPENSSL)
#define M ALGORITHM_BIT(IPSP_ENGINE_IPSECMB)
#define S ALGORITHM_BIT(IPSP_ENGINE_SODIUM)
#define AEAD ALGORITHM_AEAD
#define CIPHER ALGORITHM_CIPHER
#define AUTH ALGORITHM_AUTH

const struct algorithm algorithm_table[] = {
	/* name, alias, kind, legacy, IV, align, salt, key bits, ICV bits, engines, explicit */
	{ "rfc4106(gcm(aes))", NULL, AEAD, false, 8, 4, 4, { 160, 224, 288 }, { 128, 96, 64 }, O | M | S, NULL },
	{ "rfc7539esp(chacha20,poly1305)", NULL, AEAD, false, 8, 4, 4, { 288 }, { 128 }, O | M | S, NULL },
	{ "rfc4309(ccm(aes))", NULL, AEAD, false, 8, 4, 3, { 152, 216, 280 }, { 128, 96, 64 }, O, NULL },
	{ "rfc4543(gcm(aes))", NULL, AEAD, false, 8, 4, 4, { 160, 224, 288 }, { 128 }, O | M, NULL },
	{ "rfc8750(gcm(aes))", NULL, AEAD, false, 0, 4, 4, { 160, 224, 288 }, { 128 }, O | M | S,
	  "rfc4106(gcm(aes))" },
	{ "rfc8750(ccm(aes))", NULL, AEAD, false, 0, 4, 3, { 152, 216, 280 }, { 64 }, O, "rfc4309(ccm(aes))" },
	{ "rfc8750(chacha20,poly1305)", NULL, AEAD, false, 0, 4, 4, { 288 }, { 128 }, O | M | S,
	  "rfc7539esp(chacha20,poly1305)" },
	{ "cbc(aes)", "aes", CIPHER, false, 16, 16, 0, { 128, 192, 256 }, { 0 }, O | M, NULL },
	{ "rfc3686(ctr(aes))", NULL, CIPHER, false, 8, 4, 4, { 160, 224, 288 }, { 0 }, O | M, NULL },
	{ "cbc(camellia)", "camellia", CIPHER, false, 16, 16, 0, { 128, 192, 256 }, { 0 }, O, NULL },
	{ "ecb(cipher_null)", "cipher_null", CIPHER, false, 0, 4, 0, { 0 }, { 0 }, O, NULL },
	{ "cbc(des3_ede)", "des3_ede", CIPHER, true, 8, 8, 0, { 192 }, { 0 }, O | M, NULL },
	{ "cbc(des)", "des", CIPHER, true, 8, 8, 0, { 64 }, { 0 }, O, NULL },
	{ "hmac(sha1)", "sha1", AUTH, false, 0, 4, 0, { 160 }, { 96 }, O | M, NULL },
	{ "hmac(sha256)", "sha256", AUTH, false, 0, 4, 0, { 256 }, { 96, 128 }, O | M, NULL },
	{ "hmac(sha384)", NULL, AUTH, false, 0, 4, 0, { 384 }, { 192 }, O | M, NULL },
	{ "hmac(sha512)", NULL, AUTH, false, 0, 4, 0, { 512 }, { 256 }, O | M, NULL },
	{ "xcbc(aes)", NULL, AUTH, false, 0, 4, 0, { 128 }, { 96 }, O, NULL },
	{ "cmac(aes)", NULL, AUTH, false, 0, 4, 0, { 128 }, { 96 }, O, NULL },
	{ "hmac(md5)", "md5", AUTH, true, 0, 4, 0, { 128 }, { 96 }, O, NULL },
	{ .name = "" }
};

/* ---- finding ------------------------------------------------------------------------- */

const struct algorithm *algorithm_find(enum algorithm_kind kind, const char *name)
{
	const struct algorithm *a;

	for (a = algorithm_table; *a->name; a++)
		if (a->kind == kind && (!strcmp(a->name, name) || (a->alias && !strcmp(a->alias, name))))
			return a;
	return NULL;
}

const char *algorithm_base(const char *aead)
{
	const struct algorithm *a = algorithm_find(ALGORITHM_AEAD, aead);

	return a && a->explicit ? a->explicit : aead;
}

bool algorithm_allows(const uint16_t lengths[ALGORITHM_LENGTHS], uint32_t bits)
{
	int i;

	for (i = 0; i < ALGORITHM_LENGTHS && (!i || lengths[i]); i++)
		if (lengths[i] == bits)
			return true;
	return false;
}

/* The row of what was given, which may come from anywhere; NULL: none, or a length it does not allow. */
static const struct algorithm *algorithm_row(enum algorithm_kind kind, const struct ipsp_algorithm *given)
{
	const struct algorithm *a;

	if (strnlen(given->name, sizeof(given->name)) == sizeof(given->name))
		return NULL;
	a = algorithm_find(kind, given->name);
	if (!a || !algorithm_allows(a->key_bits, given->key_bits))
		return NULL;
	return kind == ALGORITHM_CIPHER || algorithm_allows(a->icv_bits, given->icv_bits) ? a : NULL;
}

bool algorithm_layout(const struct ipsp_sa *sa, struct algorithm_layout *layout)
{
	const struct algorithm *aead, *cipher, *auth;

	if (sa->aead.name[0]) {
		aead = algorithm_row(ALGORITHM_AEAD, &sa->aead);
		if (!aead || sa->cipher.name[0] || sa->auth.name[0])
			return false;
		*layout = (struct algorithm_layout){ aead->iv_len, aead->align, (uint8_t)(sa->aead.icv_bits / 8), true,
						     false };
		return true;
	}
	cipher = algorithm_row(ALGORITHM_CIPHER, &sa->cipher);
	auth = sa->auth.name[0] ? algorithm_row(ALGORITHM_AUTH, &sa->auth) : NULL;
	if (!cipher || (sa->auth.name[0] && !auth))
		return false;
	*layout = (struct algorithm_layout){ cipher->iv_len, cipher->align,
					     auth ? (uint8_t)(sa->auth.icv_bits / 8) : 0, false,
					     cipher->iv_len == cipher->align };
	return true;
}

/* ---- engines ------------------------------------------------------------------------- */

static const char *const engine_names[ALGORITHM_ENGINES + 1] = {
	[IPSP_ENGINE_OPENSSL] = "openssl", [IPSP_ENGINE_IPSECMB] = "ipsecmb", [IPSP_ENGINE_SODIUM] = "sodium",
};

const char *algorithm_engine_name(uint32_t engine)
{
	return engine <= ALGORITHM_ENGINES ? engine_names[engine] : NULL;
}

/* libsodium's calls know one key and one ICV length each. */
static uint32_t engines_of(enum algorithm_kind kind, const struct ipsp_algorithm *given)
{
	const struct algorithm *a = algorithm_row(kind, given);
	uint32_t engines = a ? a->engines : 0;

	if (given->key_bits != 288 || given->icv_bits != 128)
		engines &= ~S;
	return engines;
}

/* What the processor lacks: ipsecmb without AES-NI is slower than openssl, sodium has no AES without. */
static uint32_t engines_missing(const struct ipsp_sa *sa)
{
	uint32_t missing = M;

	if (__builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.2"))
		return 0;
	if (!strcmp(algorithm_base(sa->aead.name), "rfc4106(gcm(aes))"))
		missing |= S;
	return missing;
}

static uint32_t engines_for(const struct ipsp_sa *sa)
{
	struct algorithm_layout layout;
	uint32_t engines;

	if (!algorithm_layout(sa, &layout))
		return 0;
	if (layout.is_aead)
		engines = engines_of(ALGORITHM_AEAD, &sa->aead);
	else
		engines = engines_of(ALGORITHM_CIPHER, &sa->cipher);
	if (sa->auth.name[0])
		engines &= engines_of(ALGORITHM_AUTH, &sa->auth);
	else if (!layout.is_aead)
		engines &= ~M;		/* its jobs are a cipher and a MAC */
	return engines & ~engines_missing(sa);
}

uint32_t algorithm_engine(const struct ipsp_sa *sa, const uint32_t preference[4])
{
	static const uint32_t standard[4] = { IPSP_ENGINE_IPSECMB, IPSP_ENGINE_OPENSSL };
	uint32_t engines = engines_for(sa);
	int i;

	if (!preference[0])
		preference = standard;
	for (i = 0; i < 4 && preference[i]; i++)
		if (preference[i] <= ALGORITHM_ENGINES && (engines & ALGORITHM_BIT(preference[i])))
			return preference[i];
	return 0;
}

void algorithm_engines_text(struct text *t, const struct ipsp_sa *sa)
{
	uint32_t engines = engines_for(sa), engine;
	const char *comma = "";

	for (engine = 1; engine <= ALGORITHM_ENGINES; engine++) {
		if (!(engines & ALGORITHM_BIT(engine)))
			continue;
		text_add(t, "%s%s", comma, engine_names[engine]);
		comma = ", ";
	}
	if (!engines)
		text_add(t, "none");
}
