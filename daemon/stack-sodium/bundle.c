// SPDX-License-Identifier: GPL-2.0
#include "bundle.h"

#include <string.h>

/* How the packet looks to what comes outside of this SA. */
static void bundle_wrap(struct tuple *tuple, const struct sad_sa *sa)
{
	if (sa->given.mode != IPSP_SA_TRANSPORT) {
		memcpy(tuple->source, sa->given.source, sizeof(tuple->source));
		memcpy(tuple->destination, sa->given.destination, sizeof(tuple->destination));
		tuple->family = sa->given.family;
	}
	tuple->protocol = sa->given.protocol;
	tuple->has_ports = false;
}

/* ESP in UDP has nothing around it. */
static bool bundle_is_sound(const struct bundle *bundle)
{
	uint32_t i;

	for (i = 1; i < bundle->count; i++)
		if (bundle->sa[i - 1]->given.encap_source)
			return false;
	return true;
}

unsigned bundle_fit(struct bundle *bundle, const struct sad *sad, const struct ipsp_policy_entry *policy,
		    const struct tuple *tuple)
{
	struct tuple now = *tuple;
	const struct sad_sa *sa;
	unsigned i;

	bundle->count = 0;
	if (!policy->templates || policy->templates > IPSP_STAMPS)
		return IPSP_DROP_UNSUPPORTED;
	for (i = 0; i < policy->templates; i++) {
		sa = sad_fit(sad, &policy->template_[i], policy->protect.label, &now);
		if (!sa && !policy->template_[i].optional)
			return IPSP_DROP_NO_SA;
		if (!sa)
			continue;
		bundle->sa[bundle->count++] = sa;
		bundle_wrap(&now, sa);
	}
	return bundle_is_sound(bundle) ? 0 : IPSP_DROP_UNSUPPORTED;
}

bool bundle_read(struct bundle *bundle, const struct sad *sad, const struct ipsp_packet *about)
{
	const struct sad_sa *sa;

	bundle->count = 0;
	do {
		sa = sad_find(sad, about->stamp[bundle->count].handle);
		if (!sa || sa->given.direction != IPSP_DIR_IN)
			return false;
		bundle->sa[bundle->count++] = sa;
	} while (bundle->count < IPSP_STAMPS && about->stamp[bundle->count].handle);
	return true;
}

bool bundle_wanted(const struct bundle *bundle, const struct ipsp_policy_entry *policy, const struct tuple *tuple)
{
	struct tuple now = *tuple;
	uint32_t taken = 0;
	unsigned i;

	for (i = 0; i < policy->templates && i < IPSP_STAMPS; i++) {
		const struct ipsp_template *want = &policy->template_[i];

		if (taken < bundle->count && sad_fits(bundle->sa[taken], want, &now))
			bundle_wrap(&now, bundle->sa[taken++]);
		else if (!want->optional)
			return false;
	}
	return taken == bundle->count;
}

bool bundle_goes_on(const struct sad *sad, const struct ip *ip)
{
	const struct ipsp_packet nowhere = { 0 };
	struct tuple tuple;

	if (ip->protocol != IPSP_ESP || ip->fragment || ip->above > ip->len || ip->len - ip->above < 8)
		return false;
	tuple_of(&tuple, ip, &nowhere);
	return sad_opens(sad, &tuple, ip->at + ip->above);
}
