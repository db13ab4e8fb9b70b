// SPDX-License-Identifier: GPL-2.0
/*
 * test_sandbox - tries to use what each stage took away; needs root
 *
 * Each attempt is made twice in a child: before the stages, where it must work (the positive
 * control), and behind them, where it must fail with the named errno or die of the named
 * signal.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <unistd.h>
#include <x86intrin.h>

#include "crypto/crypto.h"
#include "ipsec_port.h"
#include "stack/sandbox.h"
#include "words/algorithm.h"
#include "suite.h"

#define PORT_FD 9

enum stage { BEFORE, IDENTITY, CLOSED };

struct attempt {
	const char *name;
	int (*run)(void);		/* 0: it worked; -1: errno */
	enum stage stage;		/* where it must no longer work */
	int error;			/* errno there, or */
	int signal;			/* what kills there */
};

/* ---- attempts -------------------------------------------------------------------------- */

static int try_file(void)
{
	return access("/etc/passwd", F_OK);
}

static int try_open(void)
{
	return open("/", O_RDONLY | O_DIRECTORY) < 0 ? -1 : 0;
}

static int try_write_root(void)
{
	int failed = mkdir("/test-sandbox-dir", 0700);

	rmdir("/test-sandbox-dir");
	return failed;
}

static int try_root_user(void)
{
	return setresuid(0, 0, 0);
}

static int try_mount(void)
{
	return mount("none", "/", NULL, MS_REMOUNT | MS_BIND, NULL);
}

static int try_fork(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return pid < 0 ? -1 : 0;
}

static int try_new_descriptor(void)
{
	return dup(PORT_FD) < 0 ? -1 : 0;
}

/* The machine's own addresses are of another network namespace. */
static int try_network(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(9),
				 .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof(a));
}

static int try_getpid(void)
{
	return syscall(SYS_getpid) < 0 ? -1 : 0;
}

static int try_mmap(void)
{
	return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int try_exec_memory(void)
{
	static char page[8192];
	void *at = (void *)(((unsigned long)page + 4095) & ~4095ul);

	return mprotect(at, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int try_write_port(void)
{
	return write(PORT_FD, "x", 1) < 0 ? -1 : 0;
}

static int try_other_command(void)
{
	int flags;

	return ioctl(PORT_FD, FIONREAD, &flags);
}

static int try_other_descriptor(void)
{
	int fd = PORT_FD + 1;

	/* before: some descriptor is there; the kernel's answer does not matter, only to get one */
	ioctl(fd, IPSP_IOC_KICK, 0);
	return 0;
}

static int try_kick(void)
{
	ioctl(PORT_FD, IPSP_IOC_KICK, 0);
	return 0;
}

/* int 0x80 reaches the system call table of another architecture. */
static int try_other_architecture(void)
{
	int ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(20) : "memory");	/* getpid */
	return ret < 0 ? -1 : 0;
}

static int try_time_stamp_counter(void)
{
	return __rdtsc() ? 0 : -1;
}

static int try_vdso(void)
{
	static unsigned long at;

	if (!at)
		at = getauxval(AT_SYSINFO_EHDR);
	return *(volatile char *)at == 0x7f ? 0 : -1;
}

static int try_dumpable(void)
{
	errno = EPERM;
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 ? 0 : -1;
}

static int try_privileges(void)
{
	errno = EPERM;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : -1;
}

static int try_bounding_set(void)
{
	errno = EPERM;
	return prctl(PR_CAPBSET_READ, 21, 0, 0, 0) == 1 ? 0 : -1;	/* CAP_SYS_ADMIN */
}

static int try_descriptors(void)
{
	errno = EBADF;
	return fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && fcntl(20, F_GETFD) < 0 ? -1 : 0;
}

static int try_environment(void)
{
	errno = ENOENT;
	return getenv("TEST_SANDBOX_SECRET") ? 0 : -1;
}

static const struct attempt attempts[] = {
	{ "find a file", try_file, IDENTITY, ENOENT, 0 },
	{ "open a file", try_open, IDENTITY, EMFILE, 0 },
	{ "write to the root", try_write_root, IDENTITY, EROFS, 0 },
	{ "become root", try_root_user, IDENTITY, EPERM, 0 },
	{ "mount", try_mount, IDENTITY, EPERM, 0 },
	{ "fork", try_fork, IDENTITY, EAGAIN, 0 },
	{ "a new descriptor", try_new_descriptor, IDENTITY, EMFILE, 0 },
	{ "the network", try_network, IDENTITY, EMFILE, 0 },
	{ "be dumpable", try_dumpable, IDENTITY, EPERM, 0 },
	{ "new privileges", try_privileges, IDENTITY, EPERM, 0 },
	{ "the bounding set", try_bounding_set, IDENTITY, EPERM, 0 },
	{ "inherited descriptors", try_descriptors, IDENTITY, EBADF, 0 },
	{ "the environment", try_environment, IDENTITY, ENOENT, 0 },
	{ "another system call", try_getpid, CLOSED, 0, SIGSYS },
	{ "map memory", try_mmap, CLOSED, 0, SIGSYS },
	{ "make memory executable", try_exec_memory, CLOSED, 0, SIGSYS },
	{ "write to the port", try_write_port, CLOSED, 0, SIGSYS },
	{ "another command", try_other_command, CLOSED, 0, SIGSYS },
	{ "another descriptor", try_other_descriptor, CLOSED, 0, SIGSYS },
	{ "another architecture", try_other_architecture, CLOSED, 0, SIGSYS },
	{ "the time stamp counter", try_time_stamp_counter, CLOSED, 0, SIGSEGV },
	{ "the vdso", try_vdso, CLOSED, 0, SIGSEGV },
};

/* ---- running one ------------------------------------------------------------------------- */

static void stages(enum stage stage)
{
	const char *failed = NULL;

	if (stage == BEFORE)
		return;
	failed = sandbox_early(PORT_FD);
	if (!failed)
		failed = sandbox_namespaces();
	if (!failed)
		failed = sandbox_identity(65534, 65534);
	if (!failed && stage == CLOSED)
		failed = sandbox_close(PORT_FD);
	if (failed) {
		fprintf(stderr, "test_sandbox: %s: %s\n", failed, strerror(errno));
		_exit(200);
	}
}

/* exit status 0: it worked; errno otherwise. */
static int run_in_child(const struct attempt *a, enum stage stage)
{
	pid_t pid = fork();
	int status, fds[2];

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		setenv("TEST_SANDBOX_SECRET", "1", 1);
		ck_assert_int_eq(pipe(fds), 0);
		dup2(fds[1], PORT_FD);
		dup2(fds[0], PORT_FD + 1);
		dup2(fds[0], 20);
		a->run == try_vdso ? (void)try_vdso() : (void)0;	/* finds its address */
		stages(stage);
		_exit(a->run() ? errno : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* ---- what not every machine has ------------------------------------------------------------ */

static int try_taken_time(void)
{
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
	return try_time_stamp_counter();
}

/*
 * A kernel without 32-bit system calls; a virtual machine whose processor lets the counter be read all the same. There is
 * nothing to take away there. SANDBOX_WHOLE=1 says that the machine has both (scenario/40-sandbox).
 */
static bool machine_lacks(const struct attempt *a)
{
	static const struct attempt taken = { "time, taken", try_taken_time, BEFORE, 0, SIGSEGV };
	int status = 0;
	bool lacks;

	if (getenv("SANDBOX_WHOLE"))
		return false;
	if (a->run == try_other_architecture)
		status = run_in_child(a, BEFORE);
	lacks = WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
	if (a->run == try_time_stamp_counter)
		lacks = !WIFSIGNALED(run_in_child(&taken, BEFORE));
	if (lacks)
		printf("test_sandbox: this machine has not what it takes: %s\n", a->name);
	return lacks;
}

START_TEST(attempt_works_before)
{
	const struct attempt *a = &attempts[_i];
	int status;

	if (machine_lacks(a))
		return;
	status = run_in_child(a, BEFORE);
	ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status), "%s: status %x", a->name, status);
}
END_TEST

START_TEST(attempt_fails_behind)
{
	const struct attempt *a = &attempts[_i];
	int status;

	if (machine_lacks(a))
		return;
	status = run_in_child(a, a->stage);
	if (a->signal)
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == a->signal,
			      "%s: status %x, wanted signal %d", a->name, status, a->signal);
	else
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == a->error,
			      "%s: status %x, wanted errno %d", a->name, status, a->error);
}
END_TEST

/* What is left: the one call, on the one descriptor; and the way out. */
START_TEST(kick_is_left)
{
	static const struct attempt kick = { "kick", try_kick, CLOSED, 0, 0 };

	ck_assert_int_eq(run_in_child(&kick, CLOSED), 0);
}
END_TEST

/* ---- engines ----------------------------------------------------------------------------- */

#define ENGINE_MEMORY (8u << 20)

static int engine_round_trip(struct ipsp_sa *given, uint32_t engine)
{
	const uint32_t only[4] = { engine };
	uint8_t esp[8 + CRYPTO_IV_MAX + 96 + CRYPTO_ICV_MAX] = { 1 }, opened[96];
	struct crypto_sa out, in;
	struct crypto_message m = { .iv = esp + 8, .aad = esp, .aad_len = 8, .len = 96 };
	int failed;

	given->direction = IPSP_DIR_OUT;
	failed = crypto_sa_init(&out, only, given);
	given->direction = IPSP_DIR_IN;
	if (failed || crypto_sa_init(&in, only, given))
		return -1;
	m.from = esp + 8 + out.iv_len;
	crypto_iv(&out, 7, esp + 8);
	if (!out.iv_len)
		m.iv = (const uint8_t *)"87654321";
	failed = out.seal(&out, &m, esp + 8 + out.iv_len) || in.open(&in, &m, m.from + 96, opened);
	esp[9 + out.iv_len] ^= 1;
	if (out.icv_len)
		failed = failed || !in.open(&in, &m, m.from + 96, opened);
	crypto_sa_wipe(&out);
	crypto_sa_wipe(&in);
	return failed ? -1 : 0;
}

/* Each key length of a row, by each engine that has it; how many that were, or -1. */
static int engine_row(const struct algorithm *a)
{
	uint32_t engine;
	int i, n = 0;

	for (i = 0; i < ALGORITHM_LENGTHS && (!i || a->key_bits[i]); i++)
		for (engine = 1; engine <= ALGORITHM_ENGINES; engine++) {
			const uint32_t only[4] = { engine };
			struct ipsp_sa sa = { 0 };
			struct ipsp_algorithm *to = a->kind == ALGORITHM_AEAD ? &sa.aead :
						    a->kind == ALGORITHM_CIPHER ? &sa.cipher : &sa.auth;

			strcpy(to->name, a->name);
			to->key_bits = a->key_bits[i];
			to->icv_bits = a->icv_bits[0];
			if (a->kind == ALGORITHM_AUTH)
				strcpy(sa.cipher.name, "ecb(cipher_null)");
			if (!algorithm_engine(&sa, only))
				continue;
			n++;
			if (engine_round_trip(&sa, engine))
				return -1;
		}
	return n;
}

/* Whatever an SA brings when the sandbox is closed: no call but exit, no clock, no memory but the arena's. */
static int engines_in_sandbox(void)
{
	void *memory =
		mmap(NULL, ENGINE_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	const struct algorithm *a;
	int n;

	if (memory == MAP_FAILED || crypto_arena_install(memory, ENGINE_MEMORY) || crypto_init())
		return 100;
	stages(CLOSED);
	for (a = algorithm_table; *a->name; a++) {
		n = engine_row(a);
		if (n <= 0)
			return 101 + (int)(a - algorithm_table);
	}
	return 0;
}

START_TEST(engines_need_no_system_call)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		int fds[2];

		ck_assert_int_eq(pipe(fds), 0);
		dup2(fds[1], PORT_FD);
		_exit(engines_in_sandbox());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status), "status %x", status);
}
END_TEST

int main(void)
{
	int n = sizeof(attempts) / sizeof(attempts[0]);
	Suite *suite = suite_create("sandbox");
	TCase *c = tcase_create("attempts");

	tcase_add_loop_test(c, attempt_works_before, 0, n);
	tcase_add_loop_test(c, attempt_fails_behind, 0, n);
	tcase_add_test(c, kick_is_left);
	tcase_add_test(c, engines_need_no_system_call);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
