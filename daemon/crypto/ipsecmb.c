// SPDX-License-Identifier: GPL-2.0
/*
 * ipsecmb - the fast engine: intel-ipsec-mb's direct calls; its jobs are in ipsecmb_jobs.c
 *
 * Theory of operation
 *
 * The library's manager is a table of functions that init_mb_mgr_auto() fills for the processor it finds; that is the
 * only time it asks. A call is then keys, nonce, text and tag in one go, no state but scratch memory that is ours. One
 * thread, so one scratch does for all SAs. The library never makes a system call after init, and has its memory from
 * us.
 */
#include "ipsecmb_jobs.h"

#include <openssl/crypto.h>

static IMB_MGR *ipsecmb;

/* ---- AES-GCM ------------------------------------------------------------------------- */

struct ipsecmb_gcm {
	struct gcm_key_data key;
	aes_gcm_enc_dec_t seal, open;
};

static struct gcm_context_data ipsecmb_gcm_scratch __attribute__((aligned(64)));

static int ipsecmb_gcm_seal(const struct crypto_sa *sa, const struct crypto_message *m, uint8_t *out)
{
	const crypto_nonce nonce = crypto_nonce_of(sa, m);
	struct ipsecmb_gcm *gcm = sa->context;

	gcm->seal(&gcm->key, &ipsecmb_gcm_scratch, out, m->from, m->len, (const uint8_t *)&nonce, m->aad, m->aad_len,
		  out + m->len, sa->icv_len);
	return 0;
}

static int ipsecmb_gcm_open(const struct crypto_sa *sa, const struct crypto_message *m, const uint8_t *icv,
			    uint8_t *out)
{
	const crypto_nonce nonce = crypto_nonce_of(sa, m);
	struct ipsecmb_gcm *gcm = sa->context;
	uint8_t tag[16];

	gcm->open(&gcm->key, &ipsecmb_gcm_scratch, out, m->from, m->len, (const uint8_t *)&nonce, m->aad, m->aad_len,
		  tag, sa->icv_len);
	return CRYPTO_memcmp(tag, icv, sa->icv_len) ? -1 : 0;
}

static void ipsecmb_gcm_key(struct ipsecmb_gcm *gcm, const struct ipsp_algorithm *a)
{
	const aes_gcm_pre_t pre[] = { ipsecmb->gcm128_pre, ipsecmb->gcm192_pre, ipsecmb->gcm256_pre };
	const aes_gcm_enc_dec_t seal[] = { ipsecmb->gcm128_enc, ipsecmb->gcm192_enc, ipsecmb->gcm256_enc };
	const aes_gcm_enc_dec_t open[] = { ipsecmb->gcm128_dec, ipsecmb->gcm192_dec, ipsecmb->gcm256_dec };
	unsigned size = (a->key_bits - 32 - 128) / 64;

	pre[size](a->key, &gcm->key);
	gcm->seal = seal[size];
	gcm->open = open[size];
}

static uint16_t ipsecmb_gcm_init(struct crypto_sa *sa, const struct ipsp_sa *given)
{
	struct ipsecmb_gcm *gcm = sa->context = crypto_take(sizeof(*gcm));

	if (!gcm)
		return IPSP_DROP_STACK_ERROR;
	ipsecmb_gcm_key(gcm, &given->aead);
	sa->seal = ipsecmb_gcm_seal;
	sa->open = ipsecmb_gcm_open;
	return 0;
}

/* ---- AES-GMAC: all of it is authenticated, IV and text too; nothing is hidden ---------- */

struct ipsecmb_gmac {
	struct gcm_key_data key;
	aes_gmac_init_t begin;
	aes_gmac_update_t add;
	aes_gmac_finalize_t end;
};

static void ipsecmb_gmac(const struct crypto_sa *sa, const struct crypto_message *m, uint8_t *tag)
{
	const crypto_nonce nonce = crypto_nonce_of(sa, m);
	struct ipsecmb_gmac *gmac = sa->context;

	gmac->begin(&gmac->key, &ipsecmb_gcm_scratch, (const uint8_t *)&nonce, IMB_GCM_IV_DATA_LEN);
	gmac->add(&gmac->key, &ipsecmb_gcm_scratch, m->aad, m->aad_len);
	gmac->add(&gmac->key, &ipsecmb_gcm_scratch, m->iv, sa->iv_len);
	gmac->add(&gmac->key, &ipsecmb_gcm_scratch, m->from, m->len);
	gmac->end(&gmac->key, &ipsecmb_gcm_scratch, tag, sa->icv_len);
}

static int ipsecmb_gmac_seal(const struct crypto_sa *sa, const struct crypto_message *m, uint8_t *out)
{
	ipsecmb_gmac(sa, m, out + m->len);
	if (out != m->from)
		memcpy(out, m->from, m->len);
	return 0;
}

static int ipsecmb_gmac_open(const struct crypto_sa *sa, const struct crypto_message *m, const uint8_t *icv,
			     uint8_t *out)
{
	uint8_t tag[16];

	ipsecmb_gmac(sa, m, tag);
	if (CRYPTO_memcmp(tag, icv, sa->icv_len))
		return -1;
	if (out != m->from)
		memcpy(out, m->from, m->len);
	return 0;
}

static uint16_t ipsecmb_gmac_start(struct crypto_sa *sa, const struct ipsp_sa *given)
{
	const aes_gcm_pre_t pre[] = { ipsecmb->gcm128_pre, ipsecmb->gcm192_pre, ipsecmb->gcm256_pre };
	const aes_gmac_init_t begin[] = { ipsecmb->gmac128_init, ipsecmb->gmac192_init, ipsecmb->gmac256_init };
	const aes_gmac_update_t add[] = { ipsecmb->gmac128_update, ipsecmb->gmac192_update, ipsecmb->gmac256_update };
	const aes_gmac_finalize_t end[] = { ipsecmb->gmac128_finalize, ipsecmb->gmac192_finalize,
					    ipsecmb->gmac256_finalize };
	struct ipsecmb_gmac *gmac = sa->context = crypto_take(sizeof(*gmac));
	unsigned size = (given->aead.key_bits - 32 - 128) / 64;

	if (!gmac)
		return IPSP_DROP_STACK_ERROR;
	pre[size](given->aead.key, &gmac->key);
	gmac->begin = begin[size];
	gmac->add = add[size];
	gmac->end = end[size];
	sa->seal = ipsecmb_gmac_seal;
	sa->open = ipsecmb_gmac_open;
	return 0;
}

/* ---- ChaCha20-Poly1305 --------------------------------------------------------------- */

#define IPSECMB_CHACHA_KEY 32

static struct chacha20_poly1305_context_data ipsecmb_chacha_scratch __attribute__((aligned(64)));

static void ipsecmb_chacha(const struct crypto_sa *sa, const struct crypto_message *m,
			   chacha_poly_enc_dec_update_t update, uint8_t *out, uint8_t *tag)
{
	const crypto_nonce nonce = crypto_nonce_of(sa, m);

	ipsecmb->chacha20_poly1305_init(sa->context, &ipsecmb_chacha_scratch, &nonce, m->aad, m->aad_len);
	update(sa->context, &ipsecmb_chacha_scratch, out, m->from, m->len);
	ipsecmb->chacha20_poly1305_finalize(&ipsecmb_chacha_scratch, tag, sa->icv_len);
}

static int ipsecmb_chacha_seal(const struct crypto_sa *sa, const struct crypto_message *m, uint8_t *out)
{
	ipsecmb_chacha(sa, m, ipsecmb->chacha20_poly1305_enc_update, out, out + m->len);
	return 0;
}

static int ipsecmb_chacha_open(const struct crypto_sa *sa, const struct crypto_message *m, const uint8_t *icv,
			       uint8_t *out)
{
	uint8_t tag[16];

	ipsecmb_chacha(sa, m, ipsecmb->chacha20_poly1305_dec_update, out, tag);
	return CRYPTO_memcmp(tag, icv, sa->icv_len) ? -1 : 0;
}

static uint16_t ipsecmb_chacha_init(struct crypto_sa *sa, const struct ipsp_sa *given)
{
	sa->context = crypto_take(IPSECMB_CHACHA_KEY);
	if (!sa->context)
		return IPSP_DROP_STACK_ERROR;
	memcpy(sa->context, given->aead.key, IPSECMB_CHACHA_KEY);
	sa->seal = ipsecmb_chacha_seal;
	sa->open = ipsecmb_chacha_open;
	return 0;
}

/* ---- the engine ---------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint16_t (*init)(struct crypto_sa *sa, const struct ipsp_sa *given);
} ipsecmb_algorithm[] = {
	{ "rfc4106(gcm(aes))", ipsecmb_gcm_init },
	{ "rfc4543(gcm(aes))", ipsecmb_gmac_start },
	{ "rfc7539esp(chacha20,poly1305)", ipsecmb_chacha_init },
};

static uint16_t ipsecmb_sa_init(struct crypto_sa *sa, const struct ipsp_sa *given)
{
	size_t i;

	if (!sa->is_aead)
		return ipsecmb_jobs_init(sa, given);
	for (i = 0; i < sizeof(ipsecmb_algorithm) / sizeof(ipsecmb_algorithm[0]); i++) {
		if (strcmp(ipsecmb_algorithm[i].name, given->aead.name))
			continue;
		memcpy(&sa->salt, given->aead.key + given->aead.key_bits / 8 - sizeof(sa->salt), sizeof(sa->salt));
		return ipsecmb_algorithm[i].init(sa, given);
	}
	return IPSP_DROP_UNSUPPORTED;
}

static void ipsecmb_sa_wipe(struct crypto_sa *sa)
{
	if (!sa->is_aead)
		ipsecmb_jobs_wipe(sa);
	crypto_give(sa->context);
}

/* The manager lives as long as the process. */
static int ipsecmb_init(void)
{
	IMB_ARCH arch;
	void *memory;

	if (ipsecmb)
		return 0;
	memory = crypto_take(imb_get_mb_mgr_size());
	if (!memory)
		return -1;
	ipsecmb = imb_set_pointers_mb_mgr(memory, 0, 1);
	if (!ipsecmb)
		return -1;
	init_mb_mgr_auto(ipsecmb, &arch);
	return arch == IMB_ARCH_NONE || imb_get_errno(ipsecmb) ? -1 : ipsecmb_jobs_start(ipsecmb);
}

const struct crypto_engine crypto_ipsecmb = {
	.id = IPSP_ENGINE_IPSECMB,
	.init = ipsecmb_init,
	.sa_init = ipsecmb_sa_init,
	.sa_wipe = ipsecmb_sa_wipe,
};
