/* SPDX-License-Identifier: GPL-2.0 */
/* inbound - an UNPROTECT ticket and its answer */
#ifndef SODIUM_INBOUND_H
#define SODIUM_INBOUND_H

#include "sad.h"
#include "spd.h"

size_t inbound_answer(const struct sad *sad, const struct spd *spd, const struct ipsp_record *down, void *up,
		      size_t room);

#endif
