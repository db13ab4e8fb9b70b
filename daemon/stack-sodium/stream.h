/* SPDX-License-Identifier: GPL-2.0 */
/* stream - records from standard input, answers to standard output; neither port nor sandbox */
#ifndef SODIUM_STREAM_H
#define SODIUM_STREAM_H

#include "record.h"

/*
 * Each record comes behind its length in 4 bytes (host order), each is answered likewise; 0: no answer. Returns the
 * exit status, at the end of the input or at what is no record.
 */
int stream_run(struct record_stack *stack);

#endif
