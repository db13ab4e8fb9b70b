// SPDX-License-Identifier: GPL-2.0-only
/*
 * refusal.c - each number of both devices, and what of it is refused
 *
 * A call that is right but for one thing: a reserved word, an unknown flag, a value outside its limits, another size,
 * memory that is not there, a caller who may not. Each is refused by its errno, the call itself is not, and nothing has
 * changed when all of them were tried. Roles: see manager.c; what is wrong inside of a rule or a handle: rule.c, handle.c;
 * the third device, which has no calls: agent.c. That no number is left out, native/27-calls sees to.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipsec_port.h"
#include "tap.h"

/* tests/check reads it in the program */
static const char note[] __attribute__((used)) = "\n# mode: one\n";

#define NAME	"refusal"
#define ROOM	2048

static int control, manager, stack;
static struct ipsp_rule one_rule;

/* ---- a call that is right --------------------------------------------------------------------------- */

static void fill_nothing(void *arg)
{
	(void)arg;
}

static void fill_compartment(void *arg)
{
	strcpy(((struct ipsp_compartment *)arg)->name, NAME);
}

static void fill_name(void *arg)
{
	strcpy(((struct ipsp_name *)arg)->name, NAME);
}

static void fill_rules(void *arg)
{
	struct ipsp_rules *r = arg;

	r->rules = (unsigned long)&one_rule;
	r->count = 1;
}

static void fill_stats(void *arg)
{
	strcpy(((struct ipsp_stats *)arg)->name, NAME);
}

static void fill_poison(void *arg)
{
	strcpy(((struct ipsp_poison *)arg)->name, NAME);
}

static void fill_dissent(void *arg)
{
	strcpy(((struct ipsp_dissent *)arg)->name, NAME);
}

static void fill_attach(void *arg)
{
	((struct ipsp_attach *)arg)->role = IPSP_ROLE_ADMIN;
}

static void fill_message(void *arg)
{
	static unsigned char record[256];
	struct ipsp_message *m = arg;

	m->record = (unsigned long)record;
	m->size = sizeof(record);
}

/* To a request that nobody made */
static void fill_reply(void *arg)
{
	static struct {
		_Alignas(64) struct ipsp_record rec;
		struct ipsp_admin admin;
	} r = { .rec = { .type = IPSP_REC_ADMIN_REPLY, .len = 128, .control_len = sizeof(r.admin),
			 .data_offset = 128 } };
	struct ipsp_message *m = arg;

	m->record = (unsigned long)&r;
	m->size = r.rec.len;
}

static void fill_control(void *arg)
{
	static struct {
		_Alignas(64) struct ipsp_record rec;
		struct ipsp_time time;
		unsigned char end[32];
	} r = { .rec = { .type = IPSP_REC_TIME, .len = 128, .control_len = sizeof(r.time),
			 .data_offset = 128 } };
	struct ipsp_control *c = arg;

	c->record = (unsigned long)&r;
	c->size = r.rec.len;
	c->target = IPSP_TARGET_ALL;
}

static void fill_handle(void *arg)
{
	*(struct ipsp_handle *)arg = (struct ipsp_handle){
		.direction = IPSP_DIR_OUT, .family = 4, .protocol = 50, .mode = IPSP_SA_TUNNEL,
		.spi = htonl(0x1000), .source = { 10, 9, 0, 1 }, .destination = { 10, 9, 0, 2 },
		.fixed = 52, .align = 4, .next = 1, .counter = { 1 } };
}

/* Of a handle that is not there */
static void fill_id(void *arg)
{
	((struct ipsp_handle *)arg)->id = 4000;
}

static void fill_store(void *arg)
{
	*(__s32 *)arg = -1;
}

/* No stack has attached there. */
static void fill_retire(void *arg)
{
	((struct ipsp_retire *)arg)->index = IPSP_STACKS_MAX - 1;
}

/* ---- what is wrong ------------------------------------------------------------------------------------- */

/* As long as one may be; no rule gives it. */
static void fill_label(void *arg)
{
	memset(((struct ipsp_label *)arg)->context, 'x', IPSP_LABEL_MAX - 1);
}

struct wrong {
	const char *what;
	unsigned int at, bytes;
	unsigned long long value;
	int error;
};

#define WRONG(type, member, value, error) \
	{ #member " = " #value, offsetof(struct ipsp_##type, member), \
	  sizeof(((struct ipsp_##type *)0)->member), value, error }
#define END { NULL, 0, 0, 0, 0 }

#define WRONG_COMPARTMENT								\
	WRONG(compartment, flags, 1, EINVAL), WRONG(compartment, flags, 1u << 31, EINVAL),	\
	WRONG(compartment, owner_mode, 01000, EINVAL), WRONG(compartment, stacks, 17, EINVAL),	\
	WRONG(compartment, spares, 16, EINVAL), WRONG(compartment, quorum, 2, EINVAL),		\
	WRONG(compartment, sample, 1, EINVAL),							\
	WRONG(compartment, mode, 3, EINVAL), WRONG(compartment, quorum, 17, EINVAL),		\
	WRONG(compartment, fail, 2, EINVAL), WRONG(compartment, deadline_ms, 60001, EINVAL),	\
	WRONG(compartment, successor_ms, 60001, EINVAL),					\
	WRONG(compartment, down_size, IPSP_RING_MIN / 2, EINVAL),				\
	WRONG(compartment, down_size, IPSP_RING_MAX * 2, EINVAL),				\
	WRONG(compartment, down_size, IPSP_RING_MIN + 1, EINVAL),				\
	WRONG(compartment, up_size, IPSP_RING_MIN / 2, EINVAL),					\
	WRONG(compartment, up_size, IPSP_RING_MAX * 2, EINVAL),					\
	WRONG(compartment, handles_max, 65537, EINVAL),						\
	WRONG(compartment, flows_max, 1048577, EINVAL), WRONG(compartment, mark, 1, EINVAL),	\
	{ "no name", 0, 1, 0, EINVAL }, { "a name with a capital", 0, 1, 'R', EINVAL },		\
	{ "a name with a slash", 3, 1, '/', EINVAL },						\
	{ "a byte behind the name", 31, 1, 'x', EINVAL }

static const struct wrong wrong_compartment[] = {
	WRONG_COMPARTMENT, WRONG(compartment, mode, IPSP_MODE_VOTE, EINVAL),
	WRONG(compartment, mode, IPSP_MODE_SAMPLE, EINVAL),
	WRONG(compartment, stacks_attached, 1, EINVAL), WRONG(compartment, manager_attached, 1, EINVAL),
	WRONG(compartment, generation, 1, EINVAL), WRONG(compartment, handles, 1, EINVAL),
	WRONG(compartment, spares_attached, 1, EINVAL), WRONG(compartment, index, 1, EINVAL), END
};
/* What GET says may be given back as it is; what is fixed may not differ. */
static const struct wrong wrong_set[] = {
	WRONG_COMPARTMENT, WRONG(compartment, mode, IPSP_MODE_VOTE, EINVAL),
	WRONG(compartment, owner_uid, 1, EINVAL), WRONG(compartment, handles_max, 7, EINVAL),
	WRONG(compartment, flows_max, 64, EINVAL), WRONG(compartment, down_size, IPSP_RING_MIN, EINVAL),
	{ "another's name", 0, 1, 'x', ENOENT }, END
};
static const struct wrong wrong_get[] = {
	WRONG(compartment, flags, 1, EINVAL), WRONG(compartment, index, 0xffffffff, EINVAL),
	{ "another's name", 0, 1, 'x', ENOENT }, END
};
static const struct wrong wrong_del[] = {
	WRONG(name, flags, 2, EINVAL), WRONG(name, flags, 1u << 31, EINVAL),
	{ "another's name", 0, 1, 'x', ENOENT }, { "no name", 0, 1, 0, ENOENT }, END
};
static const struct wrong wrong_rules_set[] = {
	WRONG(rules, count, IPSP_RULES_MAX + 1, EINVAL), WRONG(rules, count, 0xffffffff, EINVAL),
	WRONG(rules, confirm, IPSP_CONFIRM_MAX + 1, EINVAL), WRONG(rules, rules, 0, EFAULT), END
};
static const struct wrong wrong_rules_get[] = {
	WRONG(rules, count, 0, E2BIG), WRONG(rules, rules, 64, EFAULT), END
};
static const struct wrong wrong_stats[] = { { "another's name", 0, 1, 'x', ENOENT }, END };
static const struct wrong wrong_poison[] = { WRONG(poison, reserved16, 1, EINVAL), END };
static const struct wrong wrong_relay_set[] = {
	WRONG(relay, flags, IPSP_RELAYF_AGENT, EINVAL), WRONG(relay, flags, IPSP_RELAYF_AGENT | IPSP_RELAYF_ALL, EINVAL),
	WRONG(relay, flags, 1u << 3, EINVAL), WRONG(relay, flags, 1u << 31, EINVAL),
	WRONG(relay, waiting, 1, EINVAL), WRONG(relay, requests, 1, EINVAL), WRONG(relay, refused, 1, EINVAL), END
};
static const struct wrong wrong_attach[] = {
	WRONG(attach, role, 0, EINVAL), WRONG(attach, role, 4, EINVAL), WRONG(attach, index, 1, EINVAL),
	WRONG(attach, flags, IPSP_ATTACHF_AGAIN, EINVAL),
	WRONG(attach, flags, IPSP_ATTACHF_MERGES, EINVAL), WRONG(attach, flags, 4, EINVAL), WRONG(attach, role, IPSP_ROLE_MANAGER, EBUSY), END
};
static const struct wrong wrong_getmsg[] = {
	WRONG(message, band, 3, EINVAL), END
};
static const struct wrong wrong_putmsg[] = {
	WRONG(message, band, 1, EINVAL), WRONG(message, size, 0, EINVAL), WRONG(message, size, 63, EINVAL),
	WRONG(message, size, 0xffffffff, EINVAL), END
};
static const struct wrong wrong_control[] = {
	WRONG(control, size, 0, EINVAL), WRONG(control, size, IPSP_RECORD_MAX + 64, EINVAL),
	WRONG(control, target, 16, EINVAL), WRONG(control, target, 0xfffffffe, EINVAL),
	WRONG(control, record, 64, EFAULT), END
};
static const struct wrong wrong_handle[] = {
	WRONG(handle, flags, 1u << 30, EINVAL), WRONG(handle, flags, 1u << 31, EINVAL),
	WRONG(handle, label, 1, EACCES), WRONG(handle, label, 0xffffffff, EACCES), END
};
static const struct wrong wrong_id[] = {
	WRONG(handle, flags, 1u << 30, EINVAL), WRONG(handle, flags, 1u << 31, EINVAL), END
};
static const struct wrong wrong_store[] = {
	{ "what is not open", 0, 4, 999, EBADF }, { "less than -1", 0, 4, 0xfffffffe, EBADF }, END
};
static const struct wrong wrong_relief[] = { WRONG(relief, places, 2, EINVAL), WRONG(relief, places, 1u << 31, EINVAL), END };
static const struct wrong wrong_retire[] = {
	WRONG(retire, index, IPSP_STACKS_MAX, EINVAL), WRONG(retire, index, 0xffffffff, EINVAL), END
};
static const struct wrong wrong_label[] = {
	WRONG(label, label, 1, EINVAL), WRONG(label, context[IPSP_LABEL_MAX - 1], 'x', EINVAL), END
};
static const struct wrong nothing_wrong[] = { END };

/* ---- the table ------------------------------------------------------------------------------------------- */

#define RESERVED(type) offsetof(struct ipsp_##type, reserved), sizeof(struct ipsp_##type)

/* `good` is what the right call says: 0 only where it may be made as often as one likes. */
static const struct call {
	const char *name;
	unsigned long number;
	int *fd;
	void (*fill)(void *arg);
	int good;
	unsigned int reserved, size;		/* where the reserved words begin and end */
	const struct wrong *wrong;
} calls[] = {
	{ "FEATURES", IPSP_CTL_FEATURES, &control, fill_nothing, 0, 0, 0, nothing_wrong },
	{ "COMPARTMENT_ADD", IPSP_CTL_COMPARTMENT_ADD, &control, fill_compartment, EEXIST,
	  RESERVED(compartment), wrong_compartment },
	{ "COMPARTMENT_DEL", IPSP_CTL_COMPARTMENT_DEL, &control, fill_name, EBUSY, RESERVED(name), wrong_del },
	{ "COMPARTMENT_SET", IPSP_CTL_COMPARTMENT_SET, &control, fill_compartment, 0,
	  RESERVED(compartment), wrong_set },
	{ "COMPARTMENT_GET", IPSP_CTL_COMPARTMENT_GET, &control, fill_compartment, 0,
	  RESERVED(compartment), wrong_get },
	{ "RULES_SET", IPSP_CTL_RULES_SET, &control, fill_rules, 0, RESERVED(rules), wrong_rules_set },
	{ "RULES_GET", IPSP_CTL_RULES_GET, &control, fill_rules, 0, RESERVED(rules), wrong_rules_get },
	{ "STATS", IPSP_CTL_STATS, &control, fill_stats, 0, RESERVED(stats), wrong_stats },
	{ "POISON", IPSP_CTL_POISON, &control, fill_poison, ENOENT, RESERVED(poison), wrong_poison },
	{ "DISSENT", IPSP_CTL_DISSENT, &control, fill_dissent, ENOENT, RESERVED(dissent), nothing_wrong },
	{ "RULES_CONFIRM", IPSP_CTL_RULES_CONFIRM, &control, fill_nothing, ENOENT, 0, 0, nothing_wrong },
	{ "RELAY_SET", IPSP_CTL_RELAY_SET, &control, fill_nothing, 0, RESERVED(relay), wrong_relay_set },
	{ "RELAY_GET", IPSP_CTL_RELAY_GET, &control, fill_nothing, 0, 0, 0, nothing_wrong },
	{ "ATTACH", IPSP_IOC_ATTACH, &manager, fill_attach, EBUSY, RESERVED(attach), nothing_wrong },
	{ "LAYOUT", IPSP_IOC_LAYOUT, &stack, fill_nothing, 0, 0, 0, nothing_wrong },
	{ "GETMSG", IPSP_IOC_GETMSG, &manager, fill_message, 0, RESERVED(message), wrong_getmsg },
	{ "PUTMSG", IPSP_IOC_PUTMSG, &manager, fill_reply, ENOENT, RESERVED(message), wrong_putmsg },
	{ "CONTROL", IPSP_IOC_CONTROL, &manager, fill_control, 0, RESERVED(control), wrong_control },
	{ "HANDLE_ADD", IPSP_IOC_HANDLE_ADD, &manager, fill_handle, 0, RESERVED(handle), wrong_handle },
	{ "HANDLE_SET", IPSP_IOC_HANDLE_SET, &manager, fill_id, ENOENT, RESERVED(handle), wrong_id },
	{ "HANDLE_GET", IPSP_IOC_HANDLE_GET, &manager, fill_id, ENOENT, RESERVED(handle), wrong_id },
	{ "HANDLE_DEL", IPSP_IOC_HANDLE_DEL, &manager, fill_id, ENOENT, RESERVED(handle), wrong_id },
	{ "HASH_KEY", IPSP_IOC_HASH_KEY, &manager, fill_nothing, 0, 0, 0, nothing_wrong },
	{ "STORE", IPSP_IOC_STORE, &manager, fill_store, 0, 0, 0, wrong_store },
	{ "TAKE", IPSP_IOC_TAKE, &manager, fill_nothing, ENOENT, 0, 0, nothing_wrong },
	{ "RELIEF", IPSP_IOC_RELIEF, &manager, fill_nothing, 0, RESERVED(relief), wrong_relief },
	{ "RETIRE", IPSP_IOC_RETIRE, &manager, fill_retire, ENOENT, RESERVED(retire), wrong_retire },
	{ "LABEL", IPSP_IOC_LABEL, &manager, fill_label, ENOENT, RESERVED(label), wrong_label },
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))

static union {
	unsigned char bytes[ROOM];
	unsigned long long align;
} arg;

static int call_as_is(const struct call *c)
{
	return tap_ioctl(*c->fd, c->number, arg.bytes);
}

static void fill(const struct call *c)
{
	memset(&arg, 0, sizeof(arg));
	c->fill(arg.bytes);
}

static void test_right(const struct call *c)
{
	fill(c);
	TAP_EQUAL(call_as_is(c), c->good, "%s: control: the right one", c->name);
	if (c->number == IPSP_IOC_HANDLE_ADD && tap_ioctl(*c->fd, IPSP_IOC_HANDLE_DEL, arg.bytes))
		tap_give_up("handle del");
}

/* Each word of four bytes */
static void test_reserved(const struct call *c)
{
	unsigned int at, bad = 0, words = 0;

	for (at = (c->reserved + 3) & ~3u; at < c->size; at += 4, words++) {
		fill(c);
		arg.bytes[at + 3] = 0x80;
		if (call_as_is(c) != EINVAL) {
			printf("# %s: the reserved word at %u is not looked at\n", c->name, at);
			bad++;
		}
	}
	if (words)
		TAP_EQUAL(bad, 0, "%s: %u reserved words, each refused", c->name, words);
}

static void test_wrong(const struct call *c)
{
	const struct wrong *w;

	for (w = c->wrong; w->what; w++) {
		fill(c);
		memcpy(arg.bytes + w->at, &w->value, w->bytes);
		TAP_EQUAL(call_as_is(c), w->error, "%s: %s", c->name, w->what);
	}
}

/* A name that does not end in its field: nobody's, or none at all; nobody reads on behind it. */
static void test_name(const struct call *c)
{
	int err;

	fill(c);
	if (memcmp(arg.bytes, NAME, sizeof(NAME)))
		return;
	memset(arg.bytes, 'r', IPSP_NAME_MAX);
	err = call_as_is(c);
	tap(err == EINVAL || err == ENOENT, "%s: a name without an end: errno %d", c->name, err);
}

/* Memory that is not there, and memory that ends too soon */
static void test_memory(const struct call *c)
{
	unsigned int size = _IOC_SIZE(c->number);
	unsigned char *page;

	if (!size)
		return;
	TAP_EQUAL(tap_ioctl(*c->fd, c->number, NULL), EFAULT, "%s: no memory", c->name);
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || munmap(page + 4096, 4096))
		tap_give_up("a page");
	fill(c);
	memcpy(page + 4096 - size + 1, arg.bytes, size - 1);
	TAP_EQUAL(tap_ioctl(*c->fd, c->number, page + 4096 - size + 1), EFAULT,
		  "%s: memory that ends a byte too soon", c->name);
	munmap(page, 4096);
}

static void test_size(const struct call *c)
{
	static const int other[] = { -8, -4, 4, 8, 64 };
	unsigned int nr = _IOC_NR(c->number), dir = _IOC_DIR(c->number), i, bad = 0;
	int size = _IOC_SIZE(c->number);

	fill(c);
	for (i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		if (size + other[i] >= 0)
			bad += tap_ioctl(*c->fd, _IOC(dir, IPSP_MAGIC, nr, size + other[i]), arg.bytes) != ENOTTY;
	for (i = 0; i < 4; i++)
		if (i != dir)
			bad += tap_ioctl(*c->fd, _IOC(i, IPSP_MAGIC, nr, size), arg.bytes) != ENOTTY;
	bad += tap_ioctl(*c->fd, _IOC(dir, IPSP_MAGIC + 1, nr, size), arg.bytes) != ENOTTY;
	TAP_EQUAL(bad, 0, "%s: another size, direction or magic is another call", c->name);
}

static int is_known(unsigned int number)
{
	unsigned int i;

	for (i = 0; i < CALLS; i++)
		if (calls[i].number == number)
			return 1;
	return number == IPSP_IOC_KICK;
}

/* All numbers of all sizes that somebody has, at both devices */
static void test_unknown(void)
{
	unsigned int nr, i, dir, number, bad = 0;

	for (nr = 0; nr < 256; nr++)
		for (i = 0; i < CALLS; i++)
			for (dir = 0; dir < 4; dir++) {
				number = _IOC(dir, IPSP_MAGIC, nr, _IOC_SIZE(calls[i].number));
				if (is_known(number))
					continue;
				bad += tap_ioctl(control, number, arg.bytes) != ENOTTY;
				bad += tap_ioctl(manager, number, arg.bytes) != ENOTTY;
			}
	TAP_EQUAL(bad, 0, "every number that is none is ENOTTY, at both devices");
}

static void test_kick(void)
{
	TAP_EQUAL(tap_ioctl(stack, IPSP_IOC_KICK, (void *)2), EINVAL, "KICK: an unknown flag");
	TAP_EQUAL(tap_ioctl(stack, IPSP_IOC_KICK, (void *)(1ul << 31)), EINVAL, "KICK: another");
	TAP_EQUAL(tap_ioctl(stack, IPSP_IOC_KICK, (void *)(1ul << 32)), EINVAL, "KICK: one beyond 32 bits");
	TAP_EQUAL(tap_ioctl(stack, IPSP_IOC_KICK, NULL), 0, "KICK: control: the right one");
}

/* ATTACH, by one who has no role yet */
static void test_attach(void)
{
	static const struct call attach = { "ATTACH", IPSP_IOC_ATTACH, &control, fill_attach, 0,
					    RESERVED(attach), wrong_attach };
	struct call c = attach;
	int fd = open("/dev/ipsec-port/" NAME, O_RDWR);

	c.fd = &fd;
	test_wrong(&c);
	test_reserved(&c);
	fill(&c);
	TAP_EQUAL(call_as_is(&c), 0, "ATTACH: control: the right one");
	close(fd);
}

/* ---- who may not -------------------------------------------------------------------------------------------- */

static void drop_net_admin(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		_exit(99);
	data[0].effective &= ~(1u << CAP_NET_ADMIN);
	if (syscall(SYS_capset, &head, data))
		_exit(99);
}

static void be_nobody(void)
{
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		_exit(99);
}

static void unshare_user(int flags)
{
	if (unshare(CLONE_NEWUSER | flags))
		_exit(99);
}

/* All capabilities, but in a user namespace that does not own the network namespace */
static void be_root_elsewhere(void)
{
	unshare_user(0);
}

/* Of each call of one device, by a child that is somebody else: how many are refused otherwise. 99: no such child. */
static int refused_otherwise(void (*become)(void), const int *fd, int error)
{
	unsigned int i, bad = 0;
	int status, err;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		become();
		for (i = 0; i < CALLS; i++) {
			if ((calls[i].fd == &control) != (fd == &control))
				continue;
			fill(&calls[i]);
			err = call_as_is(&calls[i]);
			/* who has a role gets no other, whoever asks */
			if (err == error || (calls[i].number == IPSP_IOC_ATTACH && err == EBUSY))
				continue;
			printf("# %s is not refused\n", calls[i].name);
			fflush(stdout);
			bad++;
		}
		_exit((int)bad);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		tap_give_up("a child");
	return WEXITSTATUS(status);
}

static int open_errno(const char *path)
{
	int fd = open(path, O_RDWR), err = fd < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

static int nobody_opens(const char *path)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		be_nobody();
		_exit(open_errno(path));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		tap_give_up("a child");
	return WEXITSTATUS(status);
}

static void same_memory(void)
{
}

static void test_callers(void)
{
	TAP_EQUAL(nobody_opens("/dev/ipsec-port/control"), EACCES, "nobody does not open the control device");
	TAP_EQUAL(nobody_opens("/dev/ipsec-port/" NAME), EACCES, "nor a port");
	TAP_EQUAL(nobody_opens("/dev/null"), 0, "control: but another device");
	TAP_EQUAL(refused_otherwise(be_nobody, &control, EPERM), 0, "nobody, given it open: each call EPERM");
	TAP_EQUAL(refused_otherwise(drop_net_admin, &control, EPERM), 0, "root without CAP_NET_ADMIN: each call EPERM");
	TAP_EQUAL(refused_otherwise(be_root_elsewhere, &control, EPERM), 0,
		  "root of a user namespace that does not own the network namespace: each call EPERM");
	TAP_EQUAL(refused_otherwise(same_memory, &manager, EIO), 0, "a port's descriptor in another process: each call EIO");
	TAP_EQUAL(refused_otherwise(be_nobody, &manager, EIO), 0, "whoever that is");
}

/* Root of a network namespace of its own: the calls act there, and never here. */
static void in_own_namespace(void)
{
	struct ipsp_rules rules = { 0 };
	struct ipsp_compartment c = { .name = NAME };
	struct ipsp_name n = { .name = NAME, .flags = IPSP_DELF_RULES_DROP };
	int bad;

	unshare_user(CLONE_NEWNET);
	bad = tap_ioctl(control, IPSP_CTL_RULES_GET, &rules) || rules.count;
	bad += tap_ioctl(control, IPSP_CTL_COMPARTMENT_GET, &c) != ENOENT;
	bad += tap_ioctl(control, IPSP_CTL_COMPARTMENT_DEL, &n) != ENOENT;
	bad += tap_ioctl(control, IPSP_CTL_RULES_SET, &rules) != 0;
	_exit(bad);
}

static void test_namespace(void)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		in_own_namespace();
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		tap_give_up("a child");
	TAP_EQUAL(WEXITSTATUS(status), 0, "root of a network namespace of its own acts there, and not here");
}

/* ---- nothing changed ------------------------------------------------------------------------------------------ */

struct everything {
	struct ipsp_compartment c;
	struct ipsp_rule rule;
	struct ipsp_rules rules;
};

static struct everything look(void)
{
	struct everything e;

	memset(&e, 0, sizeof(e));
	strcpy(e.c.name, NAME);
	e.rules.count = 1;
	e.rules.rules = (unsigned long)&e.rule;
	if (ioctl(control, IPSP_CTL_COMPARTMENT_GET, &e.c) || ioctl(control, IPSP_CTL_RULES_GET, &e.rules))
		tap_give_up("looking");
	e.rules.rules = 0;
	e.rule.hits = 0;
	return e;
}

static int open_port(int role)
{
	struct ipsp_attach a = { .role = role };
	int fd, i;

	for (i = 0; (fd = open("/dev/ipsec-port/" NAME, O_RDWR | O_NONBLOCK)) < 0 && i < 1000; i++)
		usleep(10000);
	if (fd < 0 || ioctl(fd, IPSP_IOC_ATTACH, &a))
		tap_give_up("attach");
	return fd;
}

int main(void)
{
	struct ipsp_compartment c = { .name = NAME };
	struct ipsp_rules rules = { .rules = (unsigned long)&one_rule, .count = 1 };
	struct everything before, after;
	unsigned int i;

	if (unshare(CLONE_NEWNET))
		tap_give_up("a namespace");
	control = open("/dev/ipsec-port/control", O_RDWR);
	if (control < 0 || ioctl(control, IPSP_CTL_COMPARTMENT_ADD, &c))
		tap_give_up("compartment add");
	one_rule.selector.source_last = 65535;
	one_rule.selector.destination_last = 65535;
	one_rule.directions = IPSP_RULE_FWD;
	strcpy(one_rule.compartment, NAME);
	if (ioctl(control, IPSP_CTL_RULES_SET, &rules))
		tap_give_up("rules set");
	manager = open_port(IPSP_ROLE_MANAGER);
	stack = open_port(IPSP_ROLE_STACK);
	for (i = 0; i < CALLS; i++)
		test_right(&calls[i]);
	before = look();
	for (i = 0; i < CALLS; i++) {
		test_reserved(&calls[i]);
		test_wrong(&calls[i]);
		test_name(&calls[i]);
		test_memory(&calls[i]);
		test_size(&calls[i]);
	}
	test_attach();
	test_kick();
	test_unknown();
	test_callers();
	test_namespace();
	after = look();
	tap(!memcmp(&before, &after, sizeof(before)), "nothing changed by all of that");
	close(stack);
	close(manager);
	return tap_end();
}
