// SPDX-License-Identifier: GPL-2.0-only
/*
 * uapi_layout.c - the interface's structs are laid out as the module was compiled
 *
 * It does not compile where a size or an offset differs from the list in
 * ipsec_port_layout.h, which the module asserts too. What the list cannot assert of itself
 * is looked at when run: that its members fill each struct. So none is missing from it, no
 * padding is left that the compiler chose, and none through which the kernel could tell what
 * it held.
 */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>

#include "ipsec_port.h"
#include "ipsec_port_ring.h"

#include "ipsec_port_layout.h"		/* the assertions */

struct member {
	const char *type, *name;	/* name NULL: the struct itself */
	size_t at, bytes;
};

#define SIZE(type, bytes) { #type, NULL, 0, bytes },
#define AT(type, member, at, bytes) { #type, #member, at, bytes },
static const struct member list[] = {
#include "ipsec_port_layout.h"
};
#define ENTRIES (sizeof(list) / sizeof(list[0]))

/* The members after the struct at `i`: each begins where the one before it ends. */
static int is_filled(size_t i)
{
	size_t bytes = list[i].bytes, at = 0;
	const char *type = list[i].type;

	for (i++; i < ENTRIES && list[i].name; i++) {
		if (list[i].at != at) {
			printf("# %s.%s is at %zu, the one before it ends at %zu\n", type,
			       list[i].name, list[i].at, at);
			return 0;
		}
		at += list[i].bytes;
	}
	if (at != bytes)
		printf("# %s has %zu bytes, its members end at %zu\n", type, bytes, at);
	return at == bytes;
}

int main(void)
{
	unsigned int n = 0, failed = 0;
	size_t i;
	int ok;

	printf("TAP version 13\n");
	for (i = 0; i < ENTRIES; i++) {
		if (list[i].name)
			continue;
		ok = is_filled(i);
		failed += !ok;
		printf("%sok %u struct ipsp_%s: %zu bytes, filled by its members\n",
		       ok ? "" : "not ", ++n, list[i].type, list[i].bytes);
	}
	printf("1..%u\n", n);
	return failed ? 1 : 0;
}
