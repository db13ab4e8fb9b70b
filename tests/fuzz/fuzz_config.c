// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
/*
 * fuzz_config - a compartment's file: [compartment] options, [rules], [policy] and [state] lines
 *
 * The input is the file. Read twice, as a manager does; where the first reading refuses, so it does again, and options
 * are those that the control device takes.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "manager/manager.h"
#include "tests/fuzz/fuzz.h"

static char path[64];
static int file;
static uint32_t rules;

/* ---- in place of the kernel and the stacks ----------------------------------------------------------- */

/* No disk: no key has a mark. */
int __wrap_mark_begin(struct manager *m, const struct ipsp_sa *sa, bool is_fresh, uint64_t least,
		      struct mark_range *range);
int __wrap_mark_begin(struct manager *m, const struct ipsp_sa *sa, bool is_fresh, uint64_t least,
		      struct mark_range *range)
{
	(void)m;
	range->next = least ? least : 1;
	range->ceiling = sa->direction == IPSP_DIR_OUT ? UINT32_MAX : 0;
	return is_fresh ? 0 : -ENOKEY;
}

uint64_t child_now(void)
{
	return 1;
}

int sa_add_kept(struct manager *m, const struct state_line *line, const struct mark_range *range)
{
	(void)m;
	fuzz_check(range->next);
	fuzz_check(line->sa.aead.name[0] && line->sa.family);
	return line->sa.reqid == 99 ? -28 : 0;
}

struct database_sa *database_sas(struct database *d)
{
	(void)d;
	return NULL;
}

struct database_sa *database_find(struct manager *m, const struct ipsp_sa *id)
{
	(void)m;
	(void)id;
	return NULL;
}

int policy_add(struct manager *m, struct ipsp_policy_entry *entry, int replace)
{
	(void)m;
	fuzz_check(replace && entry->protect.direction <= IPSP_DIR_FWD && entry->templates <= IPSP_STAMPS);
	return entry->protect.priority == 99 ? -28 : 0;
}

int __wrap_device_control(unsigned long number, void *arg);
int __wrap_device_control(unsigned long number, void *arg)
{
	const struct ipsp_rules *set = arg;

	fuzz_check(number == IPSP_CTL_RULES_SET && set->count);
	rules = set->count;
	return 0;
}

/* ---- the target ---------------------------------------------------------------------------------------- */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	file = memfd_create("config", 0);
	fuzz_check(file >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	stderr = fopen("/dev/null", "w");	/* complaints: every second input has one */
	fuzz_check(stderr != NULL);
	return 0;
}

static void judge_options(const struct option_set *o)
{
	const struct ipsp_compartment *c = &o->compartment;

	fuzz_check(c->deadline_ms <= 60000 && c->successor_ms <= 60000 && c->owner_mode <= 0777);
	fuzz_check(c->down_size == c->up_size && !(c->down_size & (c->down_size - 1)));
	fuzz_check(!(c->mark & ~c->mark_mask) && c->fail <= IPSP_FAIL_OPEN);
	fuzz_check(o->sas_max && o->sas_max <= 65536 && o->policies_max && o->policies_max <= 100000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct manager m;
	char said[1024];
	struct text t;
	int err;

	memset(&m, 0, sizeof(m));
	option_init(&m.options, "blue");
	fuzz_check(!ftruncate(file, 0) && pwrite(file, data, size, 0) == (ssize_t)size);
	err = config_options(&m, path);
	if (err) {
		fuzz_check(config_options(&m, path) == err);
		return 0;
	}
	judge_options(&m.options);
	text_init(&t, said, sizeof(said));
	option_text(&t, &m.options);
	fuzz_check(!t.is_full);
	config_apply(&m, path);
	return 0;
}
