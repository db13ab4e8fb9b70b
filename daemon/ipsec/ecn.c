// SPDX-License-Identifier: GPL-2.0
#include "ecn.h"
#include "ipsec_port.h"

uint8_t ecn_outer(uint8_t tos, uint32_t flags)
{
	uint8_t dscp = flags & IPSP_SAF_DONT_ENCAP_DSCP ? 0 : tos & ~ECN_MASK;

	return flags & IPSP_SAF_NOECN ? dscp : dscp | (tos & ECN_MASK);
}

/* Figure 4: a CE mark on a packet that cannot bear it means loss. */
int ecn_inner(uint8_t inner, uint8_t outer, uint32_t flags)
{
	uint8_t ecn = inner & ECN_MASK, mark = outer & ECN_MASK;
	uint8_t dscp = (flags & IPSP_SAF_DECAP_DSCP ? outer : inner) & ~ECN_MASK;

	if (flags & IPSP_SAF_NOECN)
		return dscp | ecn;
	if (mark == ECN_CE)
		return ecn == ECN_NOT_ECT ? -1 : dscp | ECN_CE;
	if (mark == ECN_ECT1 && ecn == ECN_ECT0)
		ecn = ECN_ECT1;
	return dscp | ecn;
}
