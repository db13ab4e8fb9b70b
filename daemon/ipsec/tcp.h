/* SPDX-License-Identifier: GPL-2.0 */
/* tcp - where things are in a TCP header (RFC 9293 3.1) */
#ifndef IPSEC_TCP_H
#define IPSEC_TCP_H

#include <stdint.h>

#define TCP_HEADER	20		/* without options */
#define TCP_SEQ		4
#define TCP_OFFSET	12
#define TCP_FLAGS	13
#define TCP_CHECKSUM	16

#define TCP_FIN		0x01
#define TCP_PSH		0x08
#define TCP_ACK		0x10
#define TCP_CWR		0x80

static inline uint32_t tcp_header_len(const uint8_t *tcp)
{
	return (tcp[TCP_OFFSET] >> 4) * 4u;
}

#endif
