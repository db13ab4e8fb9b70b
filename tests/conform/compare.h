/* SPDX-License-Identifier: GPL-2.0 */
/* compare - are two answers the same, and if not: in which member, with which bytes */
#ifndef CONFORM_COMPARE_H
#define CONFORM_COMPARE_H

#include <stdint.h>
#include <stdio.h>

/* Of several records one behind the other, the last: what is before an answer came with it. */
const uint8_t *compare_last(const uint8_t *at, uint32_t *len);
/* NULL where there is no answer. Bytes behind the data are looked at by nobody. */
int compare_is_same(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len);
/* Where the first difference lies, and what each has there. */
void compare_print(FILE *to, const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len);
/* One line that says what a record is. */
void compare_describe(FILE *to, const uint8_t *rec, uint32_t len);

/* Names of the interface; "?" where there is none. */
const char *compare_type(uint32_t type);
const char *compare_verdict(uint32_t verdict);
const char *compare_reason(uint32_t reason);

#endif
