// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
/*
 * fuzz_admin - requests to a manager, several in a row, on a database of its own or on one that it found in the port
 *
 * The input: a byte of flags, with FUZZ_FOUND the bytes of a found database, then requests, one a line, words divided
 * by blanks. The kernel is a list of handles and a list of policies behind a wrapped ioctl, and refuses what it would
 * refuse. After each request its lists and the database must hold the same.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipsec_port_selector.h"
#include "manager/manager.h"
#include "tests/fuzz/fuzz.h"

#define FUZZ_FOUND	0x01
#define FUZZ_JSON	0x02
#define FUZZ_KEYS	0x04
#define FUZZ_REFUSES	0x08		/* the kernel refuses each seventh call */
#define FUZZ_OPEN	0x10		/* no NUL behind a request's last word */
#define FUZZ_STRANGE	0x80		/* the found database's head is the input's too */

#define SAS_MAX		3u
#define POLICIES_MAX	4u
#define KERNEL_MAX	64u

static struct {
	int found;			/* what TAKE gives a copy of; -1: none */
	int refuses;
	unsigned int calls;
	struct ipsp_handle handle[KERNEL_MAX];
	unsigned int handles;
	struct ipsp_policy_entry policy[KERNEL_MAX];
	unsigned int policies;
	uint32_t next_id;
} kernel;

static struct manager manager;

/* ---- what a manager has beside its databases ------------------------------------------------------- */

struct build program_build(const struct manager *m, unsigned index)
{
	return build_of(m->options.build, index);
}

int upgrade_begin(struct manager *m, __u64 request, struct words *w)
{
	(void)m;
	(void)request;
	return word_peek(w) ? word_fail(w, 2, "upgrade: \"%.60s\"", word_peek(w)) : 0;
}

int child_count(struct manager *m)
{
	(void)m;
	return 0;
}

const char *child_state(const struct child *c)
{
	return c->pid ? "ready" : "waits";
}

void encap_open(struct manager *m, const struct ipsp_sa *sa)
{
	(void)m;
	(void)sa;
}

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

void __wrap_mark_save(struct manager *m, const struct database_sa *sa);
void __wrap_mark_save(struct manager *m, const struct database_sa *sa)
{
	(void)m;
	(void)sa;
}

void encap_sweep(struct manager *m)
{
	(void)m;
}

/* ---- the kernel ------------------------------------------------------------------------------------ */

static int refuse(int err)
{
	errno = err;
	return -1;
}

static int handle_add(struct ipsp_handle *h)
{
	unsigned int i;

	if (kernel.handles == SAS_MAX)
		return refuse(ENOSPC);
	for (i = 0; i < kernel.handles; i++)
		if (h->direction == IPSP_DIR_IN && kernel.handle[i].direction == IPSP_DIR_IN &&
		    kernel.handle[i].spi == h->spi && !memcmp(kernel.handle[i].destination, h->destination, 16))
			return refuse(EEXIST);
	h->id = ++kernel.next_id;
	kernel.handle[kernel.handles++] = *h;
	return 0;
}

static int handle_del(const struct ipsp_handle *h)
{
	unsigned int i;

	for (i = 0; i < kernel.handles; i++)
		if (kernel.handle[i].id == h->id) {
			kernel.handle[i] = kernel.handle[--kernel.handles];
			return 0;
		}
	return refuse(ENOENT);
}

static void policy_remove(uint32_t index)
{
	unsigned int i;

	for (i = 0; i < kernel.policies; i++)
		if (kernel.policy[i].protect.index == index) {
			kernel.policy[i] = kernel.policy[--kernel.policies];
			return;
		}
}

static int policy_is_valid(const struct ipsp_policy_entry *e)
{
	return e->protect.direction <= IPSP_DIR_FWD && e->protect.clear == (e->action == IPSP_POLICY_BYPASS) &&
	       !e->protect.label && !e->protect.reserved16 && ipsp_selector_is_valid(&e->protect.selector);
}

static int policy_change(const struct ipsp_policy *p, const struct ipsp_policy_entry *e)
{
	uint32_t i;

	for (i = 0; i < p->count && p->operation != IPSP_POLICY_DELETE; i++)
		if (!policy_is_valid(&e[i]))
			return refuse(EINVAL);
	if (p->operation == IPSP_POLICY_REPLACE)
		kernel.policies = 0;
	for (i = 0; i < p->count; i++) {
		policy_remove(e[i].protect.index);
		if (p->operation != IPSP_POLICY_DELETE)
			kernel.policy[kernel.policies++] = e[i];
	}
	return 0;
}

static int control(const struct ipsp_control *c)
{
	const struct ipsp_record *rec = (const struct ipsp_record *)(uintptr_t)c->record;
	const struct ipsp_policy *p = (const struct ipsp_policy *)(rec + 1);

	fuzz_check(ipsp_record_is_sane(rec, c->size) && rec->len == c->size && !rec->ticket && !rec->band);
	if (rec->type != IPSP_REC_POLICY)
		return 0;
	fuzz_check(rec->data_len == p->count * sizeof(struct ipsp_policy_entry));
	return policy_change(p, (const void *)((const uint8_t *)rec + rec->data_offset));
}

static int kernel_call(unsigned long number, void *arg)
{
	switch (number) {
	case IPSP_IOC_TAKE:
		return kernel.found < 0 ? refuse(ENOENT) : dup(kernel.found);
	case IPSP_IOC_STORE:
		return 0;
	case IPSP_IOC_CONTROL:
		return control(arg);
	case IPSP_IOC_HANDLE_ADD:
		return handle_add(arg);
	case IPSP_IOC_HANDLE_DEL:
		return handle_del(arg);
	case IPSP_IOC_HANDLE_GET:
		return refuse(ENOENT);
	}
	abort();
}

int __wrap_ioctl(int fd, unsigned long number, ...);
int __wrap_ioctl(int fd, unsigned long number, ...)
{
	va_list list;
	void *arg;

	(void)fd;
	va_start(list, number);
	arg = number == IPSP_IOC_TAKE ? NULL : va_arg(list, void *);
	va_end(list);
	if (kernel.refuses && ++kernel.calls % 7 == 0 && number != IPSP_IOC_HANDLE_DEL)
		return refuse(number == IPSP_IOC_CONTROL ? EPIPE : ENOMEM);
	return kernel_call(number, arg);
}

/* ---- are they of one mind? ----------------------------------------------------------------------------- */

static int handle_is_there(uint32_t id)
{
	unsigned int i;

	for (i = 0; i < kernel.handles; i++)
		if (kernel.handle[i].id == id)
			return 1;
	return 0;
}

static void judge_sas(void)
{
	const struct database_sa *sa = database_sas(manager.database);
	unsigned int i, used = 0;

	for (i = 0; i < manager.database->sas_max; i++)
		if (sa[i].used) {
			fuzz_check(handle_is_there(sa[i].sa.handle));
			used++;
		}
	fuzz_check(used == manager.database->sas && used == kernel.handles);
}

static int policy_is_there(const struct ipsp_policy_entry *e)
{
	unsigned int i;

	for (i = 0; i < kernel.policies; i++)
		if (!memcmp(&kernel.policy[i], e, sizeof(*e)))
			return 1;
	return 0;
}

static void judge_policies(void)
{
	const struct ipsp_policy_entry *list = database_policies(manager.database);
	unsigned int i;

	fuzz_check(manager.database->policies == kernel.policies);
	for (i = 0; i < kernel.policies; i++) {
		fuzz_check(policy_is_there(&list[i]));
		fuzz_check(!i || list[i - 1].protect.priority <= list[i].protect.priority);
	}
}

/* ---- requests -------------------------------------------------------------------------------------------- */

static void ask(const uint8_t *line, size_t length, uint32_t flags)
{
	struct ipsp_admin admin = { .id = 1, .flags = flags };
	uint8_t *bytes = fuzz_record(IPSP_REC_ADMIN_REQUEST, &admin, sizeof(admin), line, length);
	struct ipsp_record *rec = (struct ipsp_record *)bytes;
	uint8_t *data = bytes + rec->data_offset;
	size_t i;

	for (i = 0; i < length; i++)
		if (data[i] == ' ' || data[i] == '\n')
			data[i] = '\0';
	rec->len = (uint32_t)(rec->data_offset + length);	/* as far as there is memory: it is wiped behind */
	admin_answer(&manager, rec);
	free(bytes);
}

static void ask_all(const uint8_t *data, size_t size, uint32_t flags)
{
	const uint8_t *end;

	while (size) {
		end = memchr(data, '\n', size);
		if (!end)
			break;
		ask(data, (size_t)(end - data) + !(flags & FUZZ_OPEN), flags & IPSP_ADMINF_ALL);
		judge_sas();
		judge_policies();
		size -= (size_t)(end - data) + 1;
		data = end + 1;
	}
}

/* ---- a database that was there ------------------------------------------------------------------------------ */

static size_t found_size(void)
{
	return sizeof(struct database) + SAS_MAX * sizeof(struct database_sa) +
	       POLICIES_MAX * sizeof(struct ipsp_policy_entry);
}

/* Its head fits more often than chance would have it: the entries are what is looked at. */
static size_t found_begin(const uint8_t *data, size_t size, int mend)
{
	struct database d = { .magic = 0x3254524f50534950ull, .sas_max = SAS_MAX, .policies_max = POLICIES_MAX };
	const size_t length = size < found_size() ? size : found_size();

	kernel.found = memfd_create("found", 0);
	fuzz_check(kernel.found >= 0 && !ftruncate(kernel.found, (off_t)found_size()));
	fuzz_check(pwrite(kernel.found, data, length, 0) == (ssize_t)length);
	if (length >= sizeof(d) && mend) {
		memcpy(&d.sas, data + offsetof(struct database, sas), sizeof(d) - offsetof(struct database, sas));
		fuzz_check(pwrite(kernel.found, &d, sizeof(d), 0) == sizeof(d));
	}
	return length;
}

/* Two policies of one index: a manager never wrote that, and in the kernel they are one. */
static int indices_are_mixed(void)
{
	const struct ipsp_policy_entry *list = database_policies(manager.database);
	unsigned int i, j;

	for (i = 0; i < manager.database->policies; i++)
		for (j = 0; j < i; j++)
			if (list[i].protect.index == list[j].protect.index)
				return 1;
	return 0;
}

/* What it says is there, is: the kernel outlived the manager that wrote it. */
static void kernel_learn(void)
{
	const struct database_sa *sa = database_sas(manager.database);
	unsigned int i;

	for (i = 0; i < manager.database->sas_max; i++)
		if (sa[i].used)
			kernel.handle[kernel.handles++] = (struct ipsp_handle){
				.id = sa[i].sa.handle, .direction = sa[i].sa.direction, .spi = sa[i].sa.spi };
	kernel.next_id = 1u << 31;
	kernel.policies = manager.database->policies;
	memcpy(kernel.policy, database_policies(manager.database), kernel.policies * sizeof(kernel.policy[0]));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	manager.name = "blue";
	manager.fd = open("/dev/null", O_RDWR);
	stderr = fopen("/dev/null", "w");
	fuzz_check(manager.fd >= 0 && stderr != NULL);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t flags;
	size_t skip = 0;

	if (!size)
		return 0;
	flags = *data++;
	size--;
	memset(&kernel, 0, sizeof(kernel));
	kernel.found = -1;
	option_init(&manager.options, "blue");
	manager.options.sas_max = SAS_MAX;
	manager.options.policies_max = POLICIES_MAX;
	if (flags & FUZZ_FOUND)
		skip = found_begin(data, size, !(flags & FUZZ_STRANGE));
	manager.database = NULL;
	if (!database_open(&manager) && !indices_are_mixed()) {
		if (flags & FUZZ_FOUND)
			kernel_learn();
		kernel.refuses = flags & FUZZ_REFUSES;
		ask_all(data + skip, size - skip, (flags & FUZZ_OPEN) | (flags & FUZZ_JSON ? IPSP_ADMINF_JSON : 0) |
						  (flags & FUZZ_KEYS ? IPSP_ADMINF_KEYS : 0));
	}
	if (manager.database)
		munmap(manager.database, found_size());
	if (kernel.found >= 0)
		close(kernel.found);
	return 0;
}
