// SPDX-License-Identifier: GPL-2.0-only
/* compartments.c - the list of those that are served: of the command line and of the file of places, and no other */
#include <stdio.h>
#include <string.h>

#include "keyd.h"

struct keyd_compartment *compartments_find(struct keyd *k, const char *name)
{
	__u32 i;

	for (i = 0; i < k->compartments; i++)
		if (!strcmp(k->compartment[i].name, name))
			return &k->compartment[i];
	return NULL;
}

struct keyd_compartment *compartments_add(struct keyd *k, const char *name)
{
	struct keyd_compartment *c = compartments_find(k, name);

	if (c || k->compartments == KEYD_COMPARTMENTS_MAX)
		return c;
	c = &k->compartment[k->compartments++];
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->port = -1;
	c->acquire = -1;
	return c;
}
