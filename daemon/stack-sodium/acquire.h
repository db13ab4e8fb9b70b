/* SPDX-License-Identifier: GPL-2.0 */
/* acquire - the up record that asks for an SA */
#ifndef SODIUM_ACQUIRE_H
#define SODIUM_ACQUIRE_H

#include <stddef.h>
#include <stdint.h>

#include "tuple.h"

#define ACQUIRE_LEN 192			/* the whole record; the answer lies behind it */

/* For one packet of a policy that has no SA. Returns ACQUIRE_LEN. */
size_t acquire_write(void *up, const struct ipsp_policy_entry *policy, const struct tuple *tuple, uint32_t label);

#endif
