// SPDX-License-Identifier: GPL-2.0
#include "bundle.h"

/* The packet as this SA makes it: what the next one outside of it protects. */
static void bundle_step(struct ipsp_tuple *tuple, const struct sad_sa *sa)
{
	if (sa->sa.mode != IPSP_SA_TRANSPORT) {
		memcpy(tuple->source, sa->sa.source, 16);
		memcpy(tuple->destination, sa->sa.destination, 16);
		tuple->family = sa->sa.family;
	}
	tuple->protocol = sa->sa.protocol;
	tuple->has_ports = 0;
	tuple->source_port = tuple->destination_port = 0;
}

/* ---- out --------------------------------------------------------------------------- */

/* RFC 3948: what UDP carries is told by its ports, and only the outermost is seen by who looks at them. */
static int bundle_hides_udp(const struct bundle *b)
{
	uint32_t i;

	for (i = 0; i + 1 < b->count; i++)
		if (b->sa[i]->sa.encap_source)
			return 1;
	return 0;
}

uint16_t bundle_match(struct bundle *b, const struct sad *sad, const struct ipsp_policy_entry *policy,
		      const struct ipsp_tuple *tuple)
{
	struct ipsp_tuple inner = *tuple;
	const struct sad_sa *sa;
	uint32_t i;

	b->count = 0;
	if (!policy->templates || policy->templates > IPSP_STAMPS)
		return IPSP_DROP_UNSUPPORTED;
	for (i = 0; i < policy->templates; i++) {
		sa = sad_match(sad, &policy->template_[i], policy->protect.label, &inner);
		if (!sa && policy->template_[i].optional)
			continue;
		if (!sa)
			return IPSP_DROP_NO_SA;
		b->sa[b->count++] = sa;
		bundle_step(&inner, sa);
	}
	return bundle_hides_udp(b) ? IPSP_DROP_UNSUPPORTED : 0;
}

/* ---- in ---------------------------------------------------------------------------- */

uint16_t bundle_read(struct bundle *b, const struct sad *sad, const struct ipsp_packet *packet)
{
	const struct sad_sa *sa;

	for (b->count = 0; b->count < IPSP_STAMPS && (!b->count || packet->stamp[b->count].handle); b->count++) {
		sa = sad_find(sad, packet->stamp[b->count].handle);
		if (!sa || sa->sa.direction != IPSP_DIR_IN)
			return IPSP_DROP_NO_SA;
		b->sa[b->count] = sa;
	}
	return 0;
}

int bundle_is_wanted(const struct bundle *b, const struct ipsp_policy_entry *policy, const struct ipsp_tuple *tuple)
{
	struct ipsp_tuple inner = *tuple;
	uint32_t i, at = 0;

	for (i = 0; i < policy->templates && i < IPSP_STAMPS; i++) {
		if (at < b->count && sad_fits(&b->sa[at]->sa, &policy->template_[i], &inner))
			bundle_step(&inner, b->sa[at++]);
		else if (!policy->template_[i].optional)
			return 0;
	}
	return at == b->count;
}

int bundle_goes_on(const struct sad *sad, struct ip_bytes inner)
{
	struct ipsp_tuple tuple;
	const uint8_t *spi;
	struct ip_packet ip;
	uint32_t at;

	if (ip_parse(inner, &ip) || ip.fragment || (ip.protocol != IP_ESP && ip.protocol != IP_AH))
		return 0;
	at = ip.header_len + (ip.protocol == IP_AH ? 4 : 0);
	spi = ip_at(inner, at, 8);
	if (!spi)
		return 0;
	ip_tuple(inner, &ip, &tuple);
	return sad_opens(sad, &tuple, spi);
}
