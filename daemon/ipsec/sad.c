// SPDX-License-Identifier: GPL-2.0
#include "sad.h"
#include "ip.h"

#include <string.h>

static uint32_t sad_buckets(uint32_t max)
{
	uint32_t n = 16;

	while (n < max)
		n *= 2;
	return n;
}

size_t sad_arena_size(uint32_t max)
{
	return arena_cost(max, sizeof(struct sad_sa)) +
	       arena_cost(sad_buckets(max), sizeof(uint32_t));
}

static void sad_chain_free(struct sad *sad)
{
	uint32_t i;

	sad->free = 0;
	for (i = sad->max; i; i--) {
		sad->sa[i - 1].next = sad->free;
		sad->free = i;
	}
}

int sad_init(struct sad *sad, struct arena *arena, uint32_t max)
{
	sad->max = max;
	sad->buckets = sad_buckets(max);
	sad->sa = arena_take(arena, max, sizeof(*sad->sa));
	sad->bucket = arena_take(arena, sad->buckets, sizeof(*sad->bucket));
	if (!sad->sa || !sad->bucket)
		return -1;
	sad_chain_free(sad);
	return 0;
}

static uint32_t *sad_link(const struct sad *sad, uint32_t handle)
{
	uint32_t *link = &sad->bucket[handle & (sad->buckets - 1)];

	while (*link && sad->sa[*link - 1].handle != handle)
		link = &sad->sa[*link - 1].next;
	return link;
}

const struct sad_sa *sad_find(const struct sad *sad, uint32_t handle)
{
	uint32_t at = handle ? *sad_link(sad, handle) : 0;

	return at ? &sad->sa[at - 1] : NULL;
}

/* Keys live on only inside the engine's context. */
static void sad_wipe_keys(struct ipsp_sa *sa)
{
	explicit_bzero(sa->aead.key, sizeof(sa->aead.key));
	explicit_bzero(sa->cipher.key, sizeof(sa->cipher.key));
	explicit_bzero(sa->auth.key, sizeof(sa->auth.key));
}

void sad_delete(struct sad *sad, uint32_t handle)
{
	uint32_t *link = sad_link(sad, handle), at = *link;
	struct sad_sa *sa;

	if (!at)
		return;
	sa = &sad->sa[at - 1];
	*link = sa->next;
	crypto_sa_wipe(&sa->crypto);
	explicit_bzero(sa, sizeof(*sa));
	sa->next = sad->free;
	sad->free = at;
}

/* Its inner addresses are the selector's. */
static int sad_is_beet(const struct ipsp_sa *sa)
{
	const struct ipsp_selector *s = &sa->selector;
	const uint8_t bits = s->family == 4 ? 32 : 128;

	return sa->mode == IPSP_SA_BEET && (s->family == 4 || s->family == 6) && s->source_prefix == bits &&
	       s->destination_prefix == bits;
}

/* A MAC and nothing else. */
static int sad_is_ah(const struct ipsp_sa *sa)
{
	return sa->protocol == IP_AH && sa->mode != IPSP_SA_BEET && !sa->encap_source && sa->auth.name[0] &&
	       !strcmp(sa->cipher.name, "ecb(cipher_null)");
}

/* What would go out as something else than it says is refused here. */
static int sad_is_served(const struct ipsp_sa *sa)
{
	if (!sa->handle || (sa->protocol != IP_ESP && !sad_is_ah(sa)) || (sa->flags & ~IPSP_SAF_ALL))
		return 0;
	if (sa->mode != IPSP_SA_TRANSPORT && sa->mode != IPSP_SA_TUNNEL && !sad_is_beet(sa))
		return 0;
	if ((sa->family != 4 && sa->family != 6) || !sa->encap_source != !sa->encap_destination)
		return 0;
	return !sa->tfc_pad;
}

/* The engine's context first: what it refuses leaves the one of that handle as it was. */
uint16_t sad_add(struct sad *sad, const struct ipsp_sa *given, const uint32_t engines[4])
{
	struct crypto_sa crypto;
	uint32_t *bucket, at;
	struct sad_sa *sa;
	uint16_t reason;

	if (!sad_is_served(given))
		return IPSP_DROP_UNSUPPORTED;
	reason = crypto_sa_init(&crypto, engines, given);
	if (reason)
		return reason;
	sad_delete(sad, given->handle);
	at = sad->free;
	if (!at) {
		crypto_sa_wipe(&crypto);
		return IPSP_DROP_STACK_ERROR;
	}
	sa = &sad->sa[at - 1];
	sad->free = sa->next;
	sa->handle = given->handle;
	sa->age = ++sad->age;
	sa->sa = *given;
	sad_wipe_keys(&sa->sa);
	sa->crypto = crypto;
	explicit_bzero(&crypto, sizeof(crypto));
	bucket = &sad->bucket[given->handle & (sad->buckets - 1)];
	sa->next = *bucket;
	*bucket = at;
	return 0;
}

void sad_clear(struct sad *sad)
{
	uint32_t i;

	for (i = 0; i < sad->max; i++)
		if (sad->sa[i].handle)
			sad_delete(sad, sad->sa[i].handle);
}

/* ---- for a policy ------------------------------------------------------------- */

static int sad_is_zero(const uint8_t address[16])
{
	static const uint8_t zero[16];

	return !memcmp(address, zero, 16);
}

/* Tunnel: the template's addresses. Transport: the packet's own. */
static int sad_addresses_match(const struct ipsp_sa *sa, const struct ipsp_template *t,
			       const struct ipsp_tuple *tuple)
{
	int transport = t->mode == IPSP_SA_TRANSPORT;
	const uint8_t *source = transport ? tuple->source : t->source;
	const uint8_t *destination = transport ? tuple->destination : t->destination;

	if (transport && sa->family != tuple->family)
		return 0;
	return (sad_is_zero(source) || !memcmp(source, sa->source, 16)) &&
	       (sad_is_zero(destination) || !memcmp(destination, sa->destination, 16));
}

static int sad_selector_admits(const struct ipsp_sa *sa, const struct ipsp_tuple *tuple)
{
	struct ipsp_selector any = { .source_last = 0xffff, .destination_last = 0xffff };

	return !memcmp(&sa->selector, &any, sizeof(any)) ||
	       ipsp_selector_match(&sa->selector, tuple);
}

int sad_fits(const struct ipsp_sa *sa, const struct ipsp_template *t, const struct ipsp_tuple *tuple)
{
	if (sa->mode != t->mode || sa->protocol != t->protocol)
		return 0;
	if ((t->reqid && sa->reqid != t->reqid) || (t->spi && sa->spi != t->spi))
		return 0;
	return sad_addresses_match(sa, t, tuple);
}

static int sad_matches(const struct ipsp_sa *sa, const struct ipsp_template *t,
		       const struct ipsp_tuple *tuple)
{
	return sa->direction == IPSP_DIR_OUT && !((tuple->mark ^ sa->mark) & sa->mark_mask) &&
	       (!sa->if_id || sa->if_id == tuple->if_id) && sad_fits(sa, t, tuple) && sad_selector_admits(sa, tuple);
}

const struct sad_sa *sad_match(const struct sad *sad, const struct ipsp_template *t, uint32_t label,
			       const struct ipsp_tuple *tuple)
{
	const struct sad_sa *newest = NULL;
	uint32_t i;

	for (i = 0; i < sad->max; i++) {
		const struct sad_sa *sa = &sad->sa[i];

		if (sa->handle && sa->sa.label == label && (!newest || sa->age > newest->age) &&
		    sad_matches(&sa->sa, t, tuple))
			newest = sa;
	}
	return newest;
}

static int sad_is_opener(const struct ipsp_sa *sa, const struct ipsp_tuple *tuple, const uint8_t spi[4])
{
	return sa->direction == IPSP_DIR_IN && sa->protocol == tuple->protocol && sa->family == tuple->family &&
	       !memcmp(&sa->spi, spi, 4) && !memcmp(sa->destination, tuple->destination, 16) && !sa->encap_source;
}

int sad_opens(const struct sad *sad, const struct ipsp_tuple *tuple, const uint8_t spi[4])
{
	uint32_t i;

	for (i = 0; i < sad->max; i++)
		if (sad->sa[i].handle && sad_is_opener(&sad->sa[i].sa, tuple, spi))
			return 1;
	return 0;
}
