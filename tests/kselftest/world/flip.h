/* SPDX-License-Identifier: GPL-2.0-only */
/* flip.h - in a stack: a record that a second thread changes while KICK reads it */
#ifndef KSELFTEST_FLIP_H
#define KSELFTEST_FLIP_H

#include <stddef.h>

#include "world.h"

#define FLIP_REC(member)	offsetof(struct ipsp_record, member)
#define FLIP_ANSWER(member)	(sizeof(struct ipsp_record) + offsetof(struct ipsp_answer, member))
#define FLIP_DATA(at)		(128 + (at))	/* ipsp_record_data_offset() of an answer */

struct flip {
	unsigned int at;		/* byte of the record */
	unsigned char bits;		/* of it that change; 0 ends a list of these */
};

/*
 * Puts an answer and KICKs: what the KICK returns. The thread is at the record before KICK is, and stays with the places
 * of the first call.
 */
int flip_put(struct stack *s, const struct draft *d, const struct flip *places);

#endif
