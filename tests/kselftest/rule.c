// SPDX-License-Identifier: GPL-2.0-only
/*
 * rule.c - the rule table: what is refused, that a refused table changes nothing, who matches
 *
 * In a network namespace of its own, with one veth. What a rule matches is seen by a rule
 * that drops: the sender is told EPERM.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipsec_port.h"
#include "tap.h"

#define USER	1234
#define GROUP	4321

static int control;

static struct ipsp_rule good(void)
{
	struct ipsp_rule r = {
		.selector = { .source_last = 0xffff, .destination_last = 0xffff },
		.directions = IPSP_RULE_OUT, .action = IPSP_RULE_TO_PORT, .compartment = "rules",
	};

	return r;
}

static struct ipsp_rule dropping(__u32 flags)
{
	struct ipsp_rule r = good();

	r.action = IPSP_RULE_DROP;
	r.compartment[0] = 0;
	r.flags = flags;
	r.uid = USER;
	r.gid = GROUP;
	return r;
}

static int set(struct ipsp_rule *rules, __u32 count, __u32 *bad)
{
	struct ipsp_rules r = { .rules = (__u64)(unsigned long)rules, .count = count };
	int err = tap_ioctl(control, IPSP_CTL_RULES_SET, &r);

	if (bad)
		*bad = r.bad;
	return err;
}

static int get(struct ipsp_rule *rules, __u32 *count)
{
	struct ipsp_rules r = { .rules = (__u64)(unsigned long)rules, .count = *count };
	int err = tap_ioctl(control, IPSP_CTL_RULES_GET, &r);

	*count = r.count;
	return err;
}

static int compartment_del(__u32 flags)
{
	struct ipsp_name n = { .name = "rules", .flags = flags };

	return tap_ioctl(control, IPSP_CTL_COMPARTMENT_DEL, &n);
}

/* ---- what is refused ----------------------------------------------------------------------- */

#define REFUSED(error, change) do {						\
	struct ipsp_rule r = good();						\
	change;									\
	TAP_EQUAL(set(&r, 1, NULL), error, "%s refused: %s", #error, #change);	\
} while (0)

static void test_refused(void)
{
	REFUSED(EINVAL, r.flags = 32);
	REFUSED(EINVAL, r.reserved[11] = 1);
	REFUSED(EINVAL, r.reserved16 = 1);
	REFUSED(EINVAL, r.directions = 0);
	REFUSED(EINVAL, r.directions = 8);
	REFUSED(EINVAL, r.action = 3);
	REFUSED(EINVAL, r.selector.ifindex = 1);
	REFUSED(EINVAL, r.selector.if_id = 1);
	REFUSED(EINVAL, r.selector.family = 5);
	REFUSED(EINVAL, r.selector.source_prefix = 1);
	REFUSED(EINVAL, r.selector.source_first = 1; r.selector.source_last = 0);
	REFUSED(EINVAL, r.selector.mark = 1);
	REFUSED(EINVAL, memset(r.device, 'x', sizeof(r.device)));
	REFUSED(EINVAL, memset(r.compartment, 'x', sizeof(r.compartment)));
	REFUSED(EINVAL, r.compartment[0] = 0);
	REFUSED(EINVAL, r.action = IPSP_RULE_DROP);
	REFUSED(EINVAL, r = dropping(IPSP_RULEF_PROTECT));
	REFUSED(EINVAL, r.flags = IPSP_RULEF_UID; r.uid = -1);
	REFUSED(EINVAL, r.flags = IPSP_RULEF_GID; r.gid = -1);
	REFUSED(EINVAL, r.flags = IPSP_RULEF_CGROUP);
	REFUSED(EINVAL, r.flags = IPSP_RULEF_CGROUP; r.cgroup = 1ull << 40);
	REFUSED(EINVAL, r.cgroup = 1);
	REFUSED(EINVAL, r.flags = IPSP_RULEF_LABEL);
	REFUSED(EINVAL, strcpy(r.label, "a"));
	REFUSED(EINVAL, r.flags = IPSP_RULEF_LABEL; memset(r.label, 'x', sizeof(r.label)));
	/* the guest has no such module: tests/native/45-label boots one that has */
	REFUSED(EOPNOTSUPP, r.flags = IPSP_RULEF_LABEL; strcpy(r.label, "u:r:t"));
	REFUSED(ENOENT, r.compartment[0] = 'q');
}

/* ---- the table as a whole ---------------------------------------------------------------------- */

static void test_table(void)
{
	struct ipsp_rule three[3] = { good(), dropping(0), good() }, out[3];
	struct ipsp_compartment c = { .name = "rules" };
	__u32 bad = 7, count = 0;

	three[1].directions = IPSP_RULE_IN;
	strcpy(three[2].device, "v0");
	TAP_EQUAL(get(out, &count), 0, "no rules at first");
	TAP_EQUAL(set(three, 3, &bad), 0, "three rules");
	TAP_EQUAL(get(out, &count), E2BIG, "no room for them");
	TAP_EQUAL(count, 3, "how many there are");
	TAP_EQUAL(get(out, &count), 0, "room for them");
	/* what the devices send of themselves (MLD) may have met one by now */
	out[0].hits = 0;
	out[1].hits = 0;
	out[2].hits = 0;
	tap(!memcmp(out, three, sizeof(three)), "they come back as they were given");
	TAP_EQUAL(compartment_del(0), EBUSY, "the compartment cannot go while rules name it");
	three[1].compartment[0] = 'x';
	TAP_EQUAL(set(three, 3, &bad), EINVAL, "a table with one bad rule");
	TAP_EQUAL(bad, 1, "which is told");
	strcpy(three[2].compartment, "nobody");
	three[1].compartment[0] = 0;
	TAP_EQUAL(set(three, 3, &bad), ENOENT, "a table with an unknown compartment");
	TAP_EQUAL(bad, 2, "which is told");
	count = 3;
	TAP_EQUAL(get(out, &count), 0, "the table in force");
	tap(count == 3 && !strcmp(out[2].compartment, "rules"), "is the one before");
	TAP_EQUAL(set(NULL, IPSP_RULES_MAX + 1, &bad), EINVAL, "too many rules");
	TAP_EQUAL(set(NULL, 0, &bad), 0, "none");
	TAP_EQUAL(compartment_del(0), 0, "now the compartment can go");
	TAP_EQUAL(tap_ioctl(control, IPSP_CTL_COMPARTMENT_ADD, &c), 0, "and come back");
}

static int send_as(uid_t uid, gid_t gid);

/* ---- a set that must be confirmed ------------------------------------------------------------ */

static int set_confirm(struct ipsp_rule *rules, __u32 count, __u32 seconds)
{
	struct ipsp_rules r = { .rules = (__u64)(unsigned long)rules, .count = count,
				.confirm = seconds };

	return tap_ioctl(control, IPSP_CTL_RULES_SET, &r);
}

static int confirm(void)
{
	return tap_ioctl(control, IPSP_CTL_RULES_CONFIRM, NULL);
}

/* How many rules are in force, and how long they are to stay. */
static __u32 in_force(__u32 *seconds)
{
	struct ipsp_rule out[4];
	struct ipsp_rules r = { .rules = (__u64)(unsigned long)out, .count = 4 };

	if (tap_ioctl(control, IPSP_CTL_RULES_GET, &r))
		tap_give_up("rules get");
	if (seconds)
		*seconds = r.confirm;
	return r.count;
}

/* Within 20 s there are so many. */
static int comes_to(__u32 count)
{
	int i;

	for (i = 0; i < 2000 && in_force(NULL) != count; i++)
		usleep(10000);
	return in_force(NULL) == count;
}

/* Who sets it, in a session of its own, ends at once. */
static void set_and_die(struct ipsp_rule *rules, __u32 count, __u32 seconds)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		setsid();
		control = open("/dev/ipsec-port/control", O_RDWR);
		_exit(set_confirm(rules, count, seconds));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		tap_give_up("a child that sets rules");
}

static void test_confirm(void)
{
	struct ipsp_rule three[3] = { good(), dropping(0), dropping(0) };
	__u32 seconds, most = IPSP_CONFIRM_MAX;
	int i;

	for (i = 0; i < 3; i++)
		three[i].directions = IPSP_RULE_FWD;
	TAP_EQUAL(confirm(), ENOENT, "nothing waits to be confirmed");
	TAP_EQUAL(set(three, 1, NULL), 0, "one rule, for good");
	TAP_EQUAL(set_confirm(three, 2, most + 1), EINVAL, "more seconds than are allowed");
	TAP_EQUAL(set_confirm(three, 2, most), 0, "two rules, to be confirmed");
	TAP_EQUAL(in_force(&seconds), 2, "are in force at once");
	tap(seconds > most - 60 && seconds <= most, "and say how long: %u s", seconds);
	TAP_EQUAL(confirm(), 0, "confirmed");
	TAP_EQUAL(in_force(&seconds), 2, "they stay");
	TAP_EQUAL(seconds, 0, "for good");
	TAP_EQUAL(confirm(), ENOENT, "once");
	set_and_die(three, 3, 1);
	tap(comes_to(2), "three that nobody confirms: the two come back, though who set them is gone");
	TAP_EQUAL(confirm(), ENOENT, "then it is too late");
	TAP_EQUAL(set_confirm(three, 3, most), 0, "three, to be confirmed late");
	TAP_EQUAL(set_confirm(three, 1, 1), 0, "then one, to be confirmed soon");
	tap(comes_to(2), "what comes back is what was confirmed last");
	TAP_EQUAL(set_confirm(three, 3, 1), 0, "three, to be confirmed");
	TAP_EQUAL(set(three, 1, NULL), 0, "then one, for good");
	TAP_EQUAL(confirm(), ENOENT, "nothing waits any more");
	sleep(2);			/* longer than the first one's second: nothing is to happen */
	TAP_EQUAL(in_force(NULL), 1, "and nothing comes back");
	TAP_EQUAL(set_confirm(three + 1, 2, most), 0, "two without the compartment, to be confirmed");
	TAP_EQUAL(compartment_del(0), EBUSY, "the set that may come back names it: it cannot go");
	TAP_EQUAL(set(NULL, 0, NULL), 0, "none, for good");
}

/* The rules that name it, in force and set aside, drop from then on. */
static void test_rules_drop(void)
{
	struct ipsp_compartment c = { .name = "rules" };
	struct ipsp_rule two[2] = { good(), good() }, out[2];
	__u32 count = 2;

	two[0].flags = IPSP_RULEF_PROTECT;
	two[1].directions = IPSP_RULE_FWD;
	TAP_EQUAL(set(two, 1, NULL), 0, "a rule that names it");
	TAP_EQUAL(set_confirm(two, 2, 3600), 0, "two, to be confirmed");
	TAP_EQUAL(compartment_del(2), EINVAL, "a flag that is none");
	TAP_EQUAL(compartment_del(0), EBUSY, "it cannot go");
	TAP_EQUAL(compartment_del(IPSP_DELF_RULES_DROP), 0, "unless its rules drop");
	TAP_EQUAL(get(out, &count), 0, "the rules");
	tap(count == 2 && out[0].action == IPSP_RULE_DROP && out[1].action == IPSP_RULE_DROP,
	    "drop now");
	tap(!out[0].compartment[0] && !out[0].flags && out[0].directions == IPSP_RULE_OUT &&
	    out[1].directions == IPSP_RULE_FWD, "name nobody, and mean what they meant");
	TAP_EQUAL(send_as(0, 0), EPERM, "which is so");
	TAP_EQUAL(set_confirm(out, 0, 1), 0, "another set, to be confirmed");
	tap(comes_to(1), "what comes back");
	count = 2;
	get(out, &count);
	TAP_EQUAL(out[0].action, IPSP_RULE_DROP, "drops too");
	TAP_EQUAL(send_as(0, 0), EPERM, "which is so");
	TAP_EQUAL(set(NULL, 0, NULL), 0, "none");
	TAP_EQUAL(send_as(0, 0), 0, "control: then it passes");
	TAP_EQUAL(tap_ioctl(control, IPSP_CTL_COMPARTMENT_ADD, &c), 0, "the name is free again");
	TAP_EQUAL(compartment_del(IPSP_DELF_RULES_DROP), 0, "which no rule names: it goes as ever");
}

/* A rule whose group went matches nobody, and does not keep what else it names. */
static void test_group_gone(void)
{
	static const char path[] = "/sys/fs/cgroup/ipsp-rule";
	struct ipsp_compartment c = { .name = "rules" };
	struct ipsp_rule two[2] = { good(), dropping(IPSP_RULEF_CGROUP) };
	struct stat st;

	TAP_EQUAL(tap_ioctl(control, IPSP_CTL_COMPARTMENT_ADD, &c), 0, "the compartment again");
	if (mkdir(path, 0755) || stat(path, &st))
		tap_give_up(path);
	two[0].directions = IPSP_RULE_FWD;
	two[1].cgroup = st.st_ino;
	TAP_EQUAL(set(two, 2, NULL), 0, "a rule of a control group");
	TAP_EQUAL(rmdir(path), 0, "which goes");
	TAP_EQUAL(send_as(0, 0), 0, "its rule matches nobody");
	TAP_EQUAL(compartment_del(IPSP_DELF_RULES_DROP), 0, "the compartment can go nevertheless");
	TAP_EQUAL(set(two + 1, 1, NULL), EINVAL, "but no new set may name the group");
	TAP_EQUAL(set(NULL, 0, NULL), 0, "none");
}

/* ---- who matches ---------------------------------------------------------------------------------- */

/* A datagram by v0 from a process of this user and group: 0, or why not. */
static int send_as(uid_t uid, gid_t gid)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int status, fd;
	pid_t pid = fork();

	if (!pid) {
		if (setgid(gid) || setuid(uid))
			_exit(255);
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		to.sin_addr.s_addr = inet_addr("10.99.0.2");
		_exit(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		tap_give_up("a child that sends");
	return WEXITSTATUS(status);
}

static void test_owner(void)
{
	struct ipsp_rule r = dropping(IPSP_RULEF_UID), out;
	__u32 count = 1;

	TAP_EQUAL(send_as(USER, 0), 0, "without rules everything passes");
	TAP_EQUAL(set(&r, 1, NULL), 0, "a rule by user");
	TAP_EQUAL(send_as(USER, 0), EPERM, "matches the user");
	TAP_EQUAL(send_as(0, 0), 0, "and nobody else");
	get(&out, &count);
	TAP_EQUAL(out.hits, 1, "which is counted");
	r = dropping(IPSP_RULEF_GID);
	TAP_EQUAL(set(&r, 1, NULL), 0, "a rule by group");
	TAP_EQUAL(send_as(0, GROUP), EPERM, "matches the group");
	TAP_EQUAL(send_as(USER, 0), 0, "and nobody else");
	r = dropping(IPSP_RULEF_UID | IPSP_RULEF_GID);
	TAP_EQUAL(set(&r, 1, NULL), 0, "a rule by both");
	TAP_EQUAL(send_as(USER, GROUP), EPERM, "matches both");
	TAP_EQUAL(send_as(USER, 0), 0, "not the user alone");
	TAP_EQUAL(send_as(0, GROUP), 0, "nor the group alone");
}

static void test_order(void)
{
	struct ipsp_rule two[2] = { dropping(0), dropping(0) };

	two[0].action = IPSP_RULE_BYPASS;
	strcpy(two[0].device, "v0");
	TAP_EQUAL(set(two, 2, NULL), 0, "bypass by v0, then drop");
	TAP_EQUAL(send_as(0, 0), 0, "the first match decides");
	strcpy(two[0].device, "v1");
	TAP_EQUAL(set(two, 2, NULL), 0, "bypass by another device, then drop");
	TAP_EQUAL(send_as(0, 0), EPERM, "a device that is not the packet's does not match");
	two[1].directions = IPSP_RULE_IN | IPSP_RULE_FWD;
	TAP_EQUAL(set(two, 2, NULL), 0, "drop what comes in");
	TAP_EQUAL(send_as(0, 0), 0, "what goes out is not meant");
	two[1] = dropping(0);
	two[1].selector.family = 4;
	two[1].selector.protocol = IPPROTO_UDP;
	two[1].selector.destination_prefix = 24;
	memcpy(two[1].selector.destination, "\x0a\x63\x00\x00", 4);
	two[1].selector.destination_first = 9;
	two[1].selector.destination_last = 9;
	TAP_EQUAL(set(two, 2, NULL), 0, "drop by prefix, protocol and port");
	TAP_EQUAL(send_as(0, 0), EPERM, "matches");
	two[1].selector.destination[2] = 1;
	TAP_EQUAL(set(two, 2, NULL), 0, "another prefix");
	TAP_EQUAL(send_as(0, 0), 0, "does not");
}

int main(void)
{
	struct ipsp_compartment c = { .name = "rules" };

	if (unshare(CLONE_NEWNET) ||
	    system("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && "
		   "ip addr add 10.99.0.1/24 dev v0 && "
		   "ip neigh add 10.99.0.2 lladdr 02:00:00:00:00:02 dev v0 nud permanent"))
		tap_give_up("a namespace with a veth");
	control = open("/dev/ipsec-port/control", O_RDWR);
	if (control < 0 || ioctl(control, IPSP_CTL_COMPARTMENT_ADD, &c))
		tap_give_up("compartment add");
	test_refused();
	test_table();
	test_confirm();
	test_owner();
	test_order();
	test_rules_drop();
	test_group_gone();
	return tap_end();
}
