// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cpus.h"

/* Of what may be written here: those of the machine, as far as a cpu_set_t reaches. */
static long cpus_count(void)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);

	return n < 1 ? 1 : n > CPU_SETSIZE ? CPU_SETSIZE : n;
}

/* Its digits, moved over; -1: none, or more than there are. */
static long cpus_number(const char **at)
{
	char *end;
	long n;

	if (**at < '0' || **at > '9')
		return -1;
	errno = 0;
	n = strtol(*at, &end, 10);
	*at = end;
	return errno || n >= cpus_count() ? -1 : n;
}

static int cpus_range(const char **at, cpu_set_t *cpus)
{
	long first = cpus_number(at), last = first;

	if (first >= 0 && **at == '-') {
		++*at;
		last = cpus_number(at);
	}
	if (first < 0 || last < first)
		return -EINVAL;
	for (; first <= last; first++)
		CPU_SET((size_t)first, cpus);
	return 0;
}

static int cpus_list(const char *at, cpu_set_t *cpus)
{
	int err;

	CPU_ZERO(cpus);
	while (!(err = cpus_range(&at, cpus)) && *at == ',')
		at++;
	return err || *at ? -EINVAL : 0;
}

int cpus_take(struct words *w, const char *name, cpu_set_t *cpus)
{
	char allowed[64];
	const char *value;

	if (word_value(w, name, &value))
		return -EINVAL;
	if (!cpus_list(value, cpus))
		return 0;
	CPU_ZERO(cpus);
	snprintf(allowed, sizeof(allowed), "processors of 0 to %ld, such as 0-1,3", cpus_count() - 1);
	return word_bad(w, name, value, allowed);
}

void cpus_text(struct text *t, const cpu_set_t *cpus)
{
	const char *comma = "";
	size_t i, last;

	for (i = 0; i < CPU_SETSIZE; i = last + 1) {
		last = i;
		if (!CPU_ISSET(i, cpus))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus))
			last++;
		text_add(t, last > i ? "%s%zu-%zu" : "%s%zu", comma, i, last);
		comma = ",";
	}
}
