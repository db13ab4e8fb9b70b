// SPDX-License-Identifier: GPL-2.0
#include "sad.h"

#include <string.h>

size_t sad_memory(uint32_t max)
{
	return sizeof(struct sad_sa) * (size_t)max + slots_memory(max);
}

void sad_init(struct sad *sad, void *memory, uint32_t max)
{
	sad->sa = memory;
	sad->age = 0;
	slots_init(&sad->slots, sad->sa + max, max);
}

/* ---- what is taken ------------------------------------------------------------------------------ */

static bool sad_is_served(const struct ipsp_sa *g)
{
	return g->handle && !(g->flags & ~IPSP_SAF_ALL) && g->protocol == IPSP_ESP &&
	       (g->mode == IPSP_SA_TRANSPORT || g->mode == IPSP_SA_TUNNEL) && (g->family == 4 || g->family == 6) &&
	       !g->encap_source == !g->encap_destination && !g->tfc_pad && memchr(g->aead.name, 0, sizeof(g->aead.name)) &&
	       !g->cipher.name[0] && !g->auth.name[0];
}

static bool sad_is_any(const struct ipsp_selector *s)
{
	static const struct ipsp_selector any = { .source_last = 0xffff, .destination_last = 0xffff };

	return !memcmp(s, &any, sizeof(any));
}

static void sad_fill(struct sad_sa *sa, const struct ipsp_sa *given, const struct aead *aead, uint64_t age)
{
	aead_wipe(&sa->aead);
	sa->given = *given;
	sodium_memzero(&sa->given.aead, sizeof(sa->given.aead));
	sodium_memzero(&sa->given.cipher, sizeof(sa->given.cipher));
	sodium_memzero(&sa->given.auth, sizeof(sa->given.auth));
	sa->age = age;
	sa->any = sad_is_any(&given->selector);
	sa->aead = *aead;
}

unsigned sad_add(struct sad *sad, const struct ipsp_sa *given)
{
	struct aead aead = { .kind = NULL };
	unsigned reason = 0;
	uint32_t place;

	if (!sad_is_served(given) || !aead_key(&aead, &given->aead))
		return IPSP_DROP_UNSUPPORTED;
	place = slots_find(&sad->slots, given->handle);
	if (place == SLOTS_NONE)
		place = slots_take(&sad->slots, given->handle);
	if (place == SLOTS_NONE)
		reason = IPSP_DROP_STACK_ERROR;
	else
		sad_fill(&sad->sa[place], given, &aead, ++sad->age);
	aead_wipe(&aead);
	return reason;
}

void sad_delete(struct sad *sad, uint32_t handle)
{
	const uint32_t place = slots_find(&sad->slots, handle);

	if (place == SLOTS_NONE)
		return;
	sodium_memzero(&sad->sa[place], sizeof(sad->sa[place]));
	slots_free(&sad->slots, handle);
}

void sad_clear(struct sad *sad)
{
	sodium_memzero(sad->sa, sizeof(*sad->sa) * (size_t)sad->slots.max);
	slots_clear(&sad->slots);
}

/* ---- finding one ---------------------------------------------------------------------------------- */

const struct sad_sa *sad_find(const struct sad *sad, uint32_t handle)
{
	const uint32_t place = slots_find(&sad->slots, handle);

	return place == SLOTS_NONE ? NULL : &sad->sa[place];
}

/* `open` is an address that nobody insists on, if it is zero. */
static bool sad_address(const uint8_t open[16], const uint8_t sa[16])
{
	return sodium_is_zero(open, 16) || !memcmp(open, sa, 16);
}

bool sad_fits(const struct sad_sa *sa, const struct ipsp_template *want, const struct tuple *tuple)
{
	const struct ipsp_sa *g = &sa->given;

	if (want->mode != g->mode || want->protocol != g->protocol || (want->reqid && want->reqid != g->reqid) ||
	    (want->spi && want->spi != g->spi))
		return false;
	if (want->mode == IPSP_SA_TRANSPORT)
		return g->family == tuple->family && sad_address(tuple->source, g->source) &&
		       sad_address(tuple->destination, g->destination);
	return sad_address(want->source, g->source) && sad_address(want->destination, g->destination);
}

static bool sad_takes(const struct sad_sa *sa, const struct tuple *tuple)
{
	return sa->given.direction == IPSP_DIR_OUT && !((tuple->mark ^ sa->given.mark) & sa->given.mark_mask) &&
	       (!sa->given.if_id || sa->given.if_id == tuple->if_id) &&
	       (sa->any || tuple_matches(tuple, &sa->given.selector));
}

/* A free place has age 0, which no SA has. */
const struct sad_sa *sad_fit(const struct sad *sad, const struct ipsp_template *want, uint32_t label,
			     const struct tuple *tuple)
{
	const struct sad_sa *best = NULL;
	uint32_t i;

	for (i = 0; i < sad->slots.max; i++) {
		const struct sad_sa *sa = &sad->sa[i];

		if (sa->age > (best ? best->age : 0) && sa->given.label == label && sad_fits(sa, want, tuple) && sad_takes(sa, tuple))
			best = sa;
	}
	return best;
}

/* A free place is of no family. */
bool sad_opens(const struct sad *sad, const struct tuple *tuple, const uint8_t spi[4])
{
	uint32_t i;

	for (i = 0; i < sad->slots.max; i++) {
		const struct ipsp_sa *g = &sad->sa[i].given;

		if (g->family == tuple->family && g->direction == IPSP_DIR_IN && g->protocol == tuple->protocol &&
		    !g->encap_source && !memcmp(&g->spi, spi, 4) && !memcmp(g->destination, tuple->destination, 16))
			return true;
	}
	return false;
}
