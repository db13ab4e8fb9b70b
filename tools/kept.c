// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "kept.h"
#include "words/device.h"

void kept_stacks(const char *name, char *to, size_t size)
{
	static const char *const ask[] = { "manager", "stacks" };
	static struct device_reply reply;

	if (device_request(name, 0, ask, 2, &reply) || reply.status)
		snprintf(to, size, "engine and build unknown: no manager");
	else
		snprintf(to, size, "%.*s", (int)size - 1, reply.text);
}

/* One that is not there keeps nothing either, and that is something else. */
static int kept_is_there(const char *name)
{
	struct ipsp_compartment c = { .index = 0 };

	strcpy(c.name, name);		/* portctl_name() has seen it */
	return device_control(IPSP_CTL_COMPARTMENT_GET, &c);
}

int kept_main(const struct portctl *p, struct words *w, const struct kept *k)
{
	const char *verb, *name, *path = NULL;
	char standard[64];
	int err;

	word_next(w);
	verb = word_next(w);
	if (!verb || (strcmp(verb, "list") && strcmp(verb, "save")))
		return portctl_usage("%s \"%.60s\": allowed: list NAME, save NAME [FILE]", k->what, verb ? verb : "");
	name = word_next(w);
	if (!name)
		return portctl_usage("%s %s: the line ends here; allowed: NAME", k->what, verb);
	if (!strcmp(verb, "save"))
		path = word_next(w);
	if (portctl_name(name) || portctl_end(w, k->what))
		return 2;
	err = kept_is_there(name);
	if (err)
		return portctl_refused(name, err);
	if (!strcmp(verb, "list"))
		return k->list(p, name);
	snprintf(standard, sizeof(standard), "%s-%s.pcapng", name, k->what);
	return k->save(p, name, path ? path : standard);
}
