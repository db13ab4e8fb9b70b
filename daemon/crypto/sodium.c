// SPDX-License-Identifier: GPL-2.0
/* sodium - a diverse second opinion: libsodium's AES-256-GCM, where the processor has it, and ChaCha20-Poly1305 */
#include "crypto.h"

#include <sodium.h>

#define SODIUM_KEY 32

static int sodium_gcm_seal(const struct crypto_sa *sa, const struct crypto_message *m, uint8_t *out)
{
	const crypto_nonce nonce = crypto_nonce_of(sa, m);

	return crypto_aead_aes256gcm_encrypt_detached_afternm(out, out + m->len, NULL, m->from, m->len, m->aad,
							      m->aad_len, NULL, (const uint8_t *)&nonce, sa->context);
}

static int sodium_gcm_open(const struct crypto_sa *sa, const struct crypto_message *m, const uint8_t *icv, uint8_t *out)
{
	const crypto_nonce nonce = crypto_nonce_of(sa, m);

	return crypto_aead_aes256gcm_decrypt_detached_afternm(out, NULL, m->from, m->len, icv, m->aad, m->aad_len,
							      (const uint8_t *)&nonce, sa->context);
}

static uint16_t sodium_gcm_init(struct crypto_sa *sa, const uint8_t *key)
{
	sa->context = crypto_take(crypto_aead_aes256gcm_statebytes());
	if (!sa->context)
		return IPSP_DROP_STACK_ERROR;
	sa->seal = sodium_gcm_seal;
	sa->open = sodium_gcm_open;
	return crypto_aead_aes256gcm_beforenm(sa->context, key) ? IPSP_DROP_STACK_ERROR : 0;
}

static int sodium_chacha_seal(const struct crypto_sa *sa, const struct crypto_message *m, uint8_t *out)
{
	const crypto_nonce nonce = crypto_nonce_of(sa, m);

	return crypto_aead_chacha20poly1305_ietf_encrypt_detached(out, out + m->len, NULL, m->from, m->len, m->aad,
								  m->aad_len, NULL, (const uint8_t *)&nonce,
								  sa->context);
}

static int sodium_chacha_open(const struct crypto_sa *sa, const struct crypto_message *m, const uint8_t *icv,
			      uint8_t *out)
{
	const crypto_nonce nonce = crypto_nonce_of(sa, m);

	return crypto_aead_chacha20poly1305_ietf_decrypt_detached(out, NULL, m->from, m->len, icv, m->aad, m->aad_len,
								  (const uint8_t *)&nonce, sa->context);
}

static uint16_t sodium_chacha_init(struct crypto_sa *sa, const uint8_t *key)
{
	sa->context = crypto_take(SODIUM_KEY);
	if (!sa->context)
		return IPSP_DROP_STACK_ERROR;
	memcpy(sa->context, key, SODIUM_KEY);
	sa->seal = sodium_chacha_seal;
	sa->open = sodium_chacha_open;
	return 0;
}

static uint16_t sodium_sa_init(struct crypto_sa *sa, const struct ipsp_sa *given)
{
	const uint8_t *key = given->aead.key;

	memcpy(&sa->salt, key + SODIUM_KEY, sizeof(sa->salt));
	if (!strcmp(given->aead.name, "rfc4106(gcm(aes))"))
		return sodium_gcm_init(sa, key);
	return sodium_chacha_init(sa, key);
}

static void sodium_sa_wipe(struct crypto_sa *sa)
{
	crypto_give(sa->context);
}

static int sodium_start(void)
{
	return sodium_init() < 0 ? -1 : 0;
}

const struct crypto_engine crypto_sodium = {
	.id = IPSP_ENGINE_SODIUM,
	.init = sodium_start,
	.sa_init = sodium_sa_init,
	.sa_wipe = sodium_sa_wipe,
};
