// SPDX-License-Identifier: GPL-2.0
#include "acquire.h"

#include <string.h>

_Static_assert(ACQUIRE_LEN % IPSP_ALIGN == 0 &&
	       ACQUIRE_LEN >= sizeof(struct ipsp_record) + sizeof(struct ipsp_acquire), "an ACQUIRE's length");

size_t acquire_write(void *up, const struct ipsp_policy_entry *policy, const struct tuple *tuple, uint32_t label)
{
	struct ipsp_record *record = up;
	struct ipsp_acquire *acquire = (struct ipsp_acquire *)(record + 1);

	memset(up, 0, ACQUIRE_LEN);
	record->len = ACQUIRE_LEN;
	record->type = IPSP_REC_ACQUIRE;
	record->control_len = sizeof(*acquire);
	record->data_offset = ACQUIRE_LEN;
	acquire->acquire = policy->acquire;
	acquire->policy = policy->protect.index;
	acquire->label = label;
	tuple_selector(tuple, &acquire->selector);
	return ACQUIRE_LEN;
}
