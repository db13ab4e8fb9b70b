/* SPDX-License-Identifier: GPL-2.0-only */
/* address.h - IP addresses and prefixes as words, and back */
#ifndef WORDS_ADDRESS_H
#define WORDS_ADDRESS_H

#include "ipsec_port.h"
#include "text.h"
#include "word.h"

#define ADDRESS_TEXT_MAX 64

/*
 * The value after `name`. `family` is 0 or that of an address seen before, and is
 * set: two families in one line are refused.
 */
int address_take(struct words *w, const char *name, __u8 *family, __u8 address[16]);
/* ADDRESS[/BITS], or any. Bits behind the prefix are cleared. */
int address_take_prefix(struct words *w, const char *name, __u8 *family,
			__u8 address[16], __u8 *bits);

bool address_is_zero(const __u8 address[16]);
bool address_is_in(const void *address, const void *prefix, unsigned int bits);	/* both in the order of the wire */
const char *address_text(char text[ADDRESS_TEXT_MAX], __u8 family, const __u8 address[16]);
const char *address_prefix_text(char text[ADDRESS_TEXT_MAX], __u8 family,
				const __u8 address[16], __u8 bits);
/* Does an interface of the caller's network namespace bear it? -1: cannot tell. */
int address_is_local(__u8 family, const __u8 address[16]);

#endif
