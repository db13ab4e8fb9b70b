/* SPDX-License-Identifier: GPL-2.0 */
/* outbound - a PROTECT ticket and its answer */
#ifndef SODIUM_OUTBOUND_H
#define SODIUM_OUTBOUND_H

#include "sad.h"

/* Bytes that the answer may need, at most. */
size_t outbound_room(const struct ipsp_packet *about, size_t data_len);

size_t outbound_answer(const struct sad *sad, const struct ipsp_record *down, void *up, size_t room);

#endif
