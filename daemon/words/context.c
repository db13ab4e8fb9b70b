// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "context.h"

static int port = -1;

void context_of_port(int fd)
{
	port = fd;
}

int context_take(struct words *w, const char *name, __u32 *label)
{
	struct ipsp_label l = { .label = 0 };
	const char *value;

	if (word_value(w, name, &value))
		return -EINVAL;
	if (!*value || strlen(value) >= sizeof(l.context))
		return word_bad(w, name, value, "a security context of at most 63 bytes");
	strcpy(l.context, value);
	if (port < 0 || ioctl(port, IPSP_IOC_LABEL, &l))
		return word_bad(w, name, value, "a context that a rule gives to this compartment");
	*label = l.label;
	return 0;
}

void context_name(__u32 label, char context[IPSP_LABEL_MAX])
{
	struct ipsp_label l = { .label = label };

	strcpy(context, "?");
	if (port >= 0 && !ioctl(port, IPSP_IOC_LABEL, &l))
		strcpy(context, l.context);
}

void context_text(struct text *t, __u32 label)
{
	char context[IPSP_LABEL_MAX];

	if (!label)
		return;
	context_name(label, context);
	text_add(t, "\tsecurity context %s\n", context);
}
