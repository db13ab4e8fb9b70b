// SPDX-License-Identifier: GPL-2.0-only
/*
 * mapping.c - a stack's four areas: how each may be mapped, and in no other way
 *
 * We are manager and stack at once. What is refused leaves the attachment as it was; then each area is mapped as it may
 * be, and no later call makes more of it: not what the kernel wrote writable, nothing executable, longer, or dumped.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"
#include "world/world.h"

static const char note[] __attribute__((used)) = "\n# mode: one\n";

#define R	PROT_READ
#define W	PROT_WRITE
#define X	PROT_EXEC
#define S	MAP_SHARED
#define P	MAP_PRIVATE
#define PAGE	4096

static struct realm r;
static int port;

static struct area {
	const char *what;
	__u64 offset;
	size_t size;
	int prot;
	unsigned char *at;
} areas[4];

/* ---- what is refused ------------------------------------------------------------------------------------- */

/* For each area. Sizes and offsets are what is added to the right ones; size -1: half of it. */
static const struct wrong {
	const char *what;
	long size, offset;
	int prot, flags;
	int error[2];			/* of what the stack reads only, of what it may write */
} wrongs[] = {
	{ "a page more", PAGE, 0, R, S, { EINVAL, EINVAL } },
	{ "a page less", -PAGE, 0, R, S, { EINVAL, EINVAL } },
	{ "half of it", -1, 0, R, S, { EINVAL, EINVAL } },
	{ "much more", 1 << 26, 0, R, S, { EINVAL, EINVAL } },
	{ "from the second page on", 0, PAGE, R, S, { EINVAL, EINVAL } },
	{ "from a page before", 0, -PAGE, R, S, { EINVAL, EINVAL } },
	{ "another stack's", 0, 1l << 32, R, S, { EINVAL, EINVAL } },
	{ "a stack's that cannot be", 0, 1l << 40, R, S, { EINVAL, EINVAL } },
	{ "private", 0, 0, R, P, { EINVAL, EINVAL } },
	{ "private, to write", 0, 0, R | W, P, { EINVAL, EINVAL } },
	{ "to execute", 0, 0, R | X, S, { EINVAL, EINVAL } },
	{ "to execute and write", 0, 0, R | W | X, S, { EINVAL, EINVAL } },
	{ "to execute alone", 0, 0, X, S, { EINVAL, EINVAL } },
	{ "to write", 0, 0, R | W, S, { EPERM, 0 } },
	{ "to write alone", 0, 0, W, S, { EPERM, 0 } },
};

static int map_errno(int fd, size_t size, int prot, int flags, __u64 offset)
{
	/* what should not be there goes by our end: an munmap would end the attachment */
	return mmap(NULL, size, prot, flags, fd, (off_t)offset) == MAP_FAILED ? errno : 0;
}

/* 0: of one page there is no less */
static size_t wrong_size(const struct area *a, const struct wrong *w)
{
	if (w->size == -1)
		return a->size > PAGE ? a->size / 2 : 0;
	return a->size + (size_t)w->size;
}

static void test_wrong(const struct area *a)
{
	const struct wrong *w;
	size_t size;
	int error;

	for (w = wrongs; w < wrongs + sizeof(wrongs) / sizeof(wrongs[0]); w++) {
		size = wrong_size(a, w);
		error = w->error[a->prot != R];
		if (error && size)
			TAP_EQUAL(map_errno(port, size, w->prot, w->flags, a->offset + (__u64)w->offset), error,
				  "%s: %s", a->what, w->what);
	}
	TAP_EQUAL(tap_ioctl(port, IPSP_IOC_KICK, 0), 0, "%s: the attachment stands", a->what);
}

/* Who is no stack, or another process */
static void test_others(void)
{
	const struct area *a = &areas[0];
	char path[64];
	int status = -1, nobody;
	pid_t pid;

	snprintf(path, sizeof(path), "/dev/ipsec-port/%s", r.name);
	nobody = open(path, O_RDWR);
	TAP_EQUAL(map_errno(nobody, a->size, R, S, a->offset), ENOTCONN, "nobody maps");
	TAP_EQUAL(map_errno(r.port, a->size, R, S, a->offset), EPERM, "nor does a manager");
	TAP_EQUAL(map_errno(port, a->size, R, S, 0), EINVAL, "nothing is where no stack's areas are");
	pid = fork();
	if (!pid)
		_exit(map_errno(port, a->size, R, S, a->offset));
	waitpid(pid, &status, 0);
	TAP_EQUAL(WIFEXITED(status) ? WEXITSTATUS(status) : -1, EIO, "nor another process with a stack's descriptor");
	close(nobody);
}

/* ---- what is mapped ---------------------------------------------------------------------------------------- */

static void test_right(struct area *a)
{
	a->at = mmap(NULL, a->size, a->prot, S, port, (off_t)a->offset);
	tap(a->at != MAP_FAILED, "%s: control: as it may be", a->what);
	if (a->at == MAP_FAILED)
		tap_give_up(a->what);
}

/* Also not by the way that debuggers have past a mapping's rights */
static int poke_errno(const struct area *a)
{
	const unsigned char byte = 1;
	int fd = open("/proc/self/mem", O_RDWR), err;

	if (fd < 0)
		tap_give_up("/proc/self/mem");
	err = pwrite(fd, &byte, 1, (off_t)(uintptr_t)a->at) == 1 ? 0 : errno;
	close(fd);
	return err;
}

static void test_later(const struct area *a)
{
	const int reads = a->prot == R;

	TAP_EQUAL(mprotect(a->at, a->size, R | X) ? errno : 0, EACCES, "%s: later to execute", a->what);
	TAP_EQUAL(mprotect(a->at, a->size, X) ? errno : 0, EACCES, "%s: later to execute alone", a->what);
	TAP_EQUAL(mprotect(a->at, a->size, R | W) ? errno : 0, reads ? EACCES : 0, "%s: later to write", a->what);
	TAP_EQUAL(mremap(a->at, a->size, a->size + PAGE, 0) == MAP_FAILED ? errno : 0, EFAULT, "%s: later longer", a->what);
	TAP_EQUAL(madvise(a->at, a->size, MADV_DODUMP) ? errno : 0, EINVAL, "%s: later in a core file", a->what);
	TAP_EQUAL(madvise(a->at, a->size, MADV_DOFORK) ? errno : 0, EINVAL, "%s: later a child's as well", a->what);
	TAP_EQUAL(poke_errno(a), EIO, "%s: nor by /proc/self/mem", a->what);
	TAP_EQUAL(mprotect(a->at, a->size, a->prot) ? errno : 0, 0, "%s: control: its own rights it may have again", a->what);
}

/* Both halves of a ring are the same memory: what is written in one is read in the other. */
static void test_same(void)
{
	const struct area *up = &areas[3], *words = &areas[1];

	up->at[PAGE] = 7;
	up->at[up->size - 1] = 9;
	words->at[PAGE - 1] = 5;
	tap(up->at[up->size / 2 + PAGE] == 7 && up->at[up->size / 2 - 1] == 9 && words->at[PAGE - 1] == 5,
	    "control: what a stack may write it writes, and a ring is mapped twice in a row");
}

static void areas_find(void)
{
	struct ipsp_layout l;

	if (ioctl(port, IPSP_IOC_LAYOUT, &l))
		tap_give_up("layout");
	areas[0] = (struct area){ "the kernel's words", l.kernel_words_offset, l.page_size, R, NULL };
	areas[1] = (struct area){ "the stack's words", l.stack_words_offset, l.page_size, R | W, NULL };
	areas[2] = (struct area){ "the down ring", l.down_offset, 2ul * l.down_size, R, NULL };
	areas[3] = (struct area){ "the up ring", l.up_offset, 2ul * l.up_size, R | W, NULL };
}

static void attach(void)
{
	struct ipsp_attach a = { .role = IPSP_ROLE_STACK };
	char path[64];

	snprintf(path, sizeof(path), "/dev/ipsec-port/%s", r.name);
	port = open(path, O_RDWR);
	if (port < 0 || ioctl(port, IPSP_IOC_ATTACH, &a))
		tap_give_up("attach as stack");
	areas_find();
}

int main(void)
{
	unsigned int i;

	world_begin();
	realm_begin(&r, 20, 60000);
	attach();
	for (i = 0; i < 4; i++)
		test_wrong(&areas[i]);
	test_others();
	for (i = 0; i < 4; i++)
		test_right(&areas[i]);
	for (i = 0; i < 4; i++)
		test_later(&areas[i]);
	test_same();
	TAP_EQUAL(tap_ioctl(port, IPSP_IOC_KICK, 0), 0, "the attachment stands");
	TAP_EQUAL(realm_event(&r, 5000).event, IPSP_EVENT_STACK_ATTACHED, "its manager was told that it came");
	TAP_EQUAL(realm_event(&r, 100).event, 0, "and of nothing else");
	munmap(areas[0].at, areas[0].size);
	TAP_EQUAL(realm_event(&r, 5000).event, IPSP_EVENT_STACK_DIED, "control: what is unmapped ends it");
	TAP_EQUAL(map_errno(port, areas[2].size, R, S, areas[2].offset), EPIPE, "and then nothing is mapped");
	for (i = 1; i < 4; i++)
		munmap(areas[i].at, areas[i].size);
	close(port);
	TAP_EQUAL(realm_balance(&r), 0, "the ledger balances");
	realm_end(&r);
	tap(world_end(), "what was made is freed");
	return tap_end();
}
