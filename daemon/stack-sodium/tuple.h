/* SPDX-License-Identifier: GPL-2.0 */
/* tuple - what a selector looks at of a packet (RFC 4301 4.4.1.1) */
#ifndef SODIUM_TUPLE_H
#define SODIUM_TUPLE_H

#include "ip.h"
#include "ipsec_port.h"

struct tuple {
	uint8_t source[16], destination[16];	/* IPv4: four bytes, then zeros */
	uint8_t family, protocol;
	bool has_ports;				/* or ICMP's type and code */
	uint16_t source_port, destination_port;
	uint32_t ifindex, if_id, mark;
	uint32_t label;				/* of the packet, or of the SA it came under */
};

/* `about`: where the packet's interface and mark stand. */
void tuple_of(struct tuple *tuple, const struct ip *ip, const struct ipsp_packet *about);

bool tuple_matches(const struct tuple *tuple, const struct ipsp_selector *selector);

/* The selector of this packet's flow alone: addresses at full length, its own ports if it has any. */
void tuple_selector(const struct tuple *tuple, struct ipsp_selector *selector);

#endif
