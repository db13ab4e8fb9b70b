/* SPDX-License-Identifier: GPL-2.0 */
/* ecn - explicit congestion notification through a tunnel (RFC 6040) */
#ifndef IPSEC_ECN_H
#define IPSEC_ECN_H

#include <stdint.h>

#define ECN_MASK	3
#define ECN_NOT_ECT	0
#define ECN_ECT1	1
#define ECN_ECT0	2
#define ECN_CE		3

/* The outer TOS of a packet whose inner one is `tos`; flags: IPSP_SAF_*. */
uint8_t ecn_outer(uint8_t tos, uint32_t flags);
/* The inner TOS after decapsulation, or -1: the packet must be dropped (4.2). */
int ecn_inner(uint8_t inner, uint8_t outer, uint32_t flags);

#endif
