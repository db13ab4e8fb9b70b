/* SPDX-License-Identifier: GPL-2.0 */
/* seal - ESP around any text at all, also one that no stack would make: what a peer of ours might send */
#ifndef CONFORM_SEAL_H
#define CONFORM_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "ipsec_port.h"

#define SEAL_OVERHEAD (8 + 8 + 16)

/* Writes SPI, number, `iv`, the text encrypted, the ICV: len + SEAL_OVERHEAD bytes to `out`. */
void seal_esp(const struct ipsp_sa *sa, uint64_t number, uint64_t iv, const uint8_t *text, size_t len, uint8_t *out);

#endif
