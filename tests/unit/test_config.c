// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
/* test_config - a compartment's file: what portctl takes loads from it, and what is wrong is told with its line */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manager/manager.h"
#include "suite.h"

#define HEAD	"[compartment]\nfresh-key = yes\n"
#define ID	"src 127.0.0.1 dst 10.9.0.2 proto esp spi 0x1001 reqid 7 mode tunnel "
#define AEAD	"aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128"

static struct manager m;
static struct ipsp_sa added[4];
static struct ipsp_policy_entry policies[4];
static int added_count, policies_count;
static char path[] = "/tmp/test_config.XXXXXX", state[64], said[1024];

/* ---- what the file's lines become, in place of the kernel and the stacks ------------- */

int sa_add_kept(struct manager *manager, const struct state_line *line,
		const struct mark_range *range)
{
	(void)manager;
	ck_assert_uint_eq(range->ceiling > range->next, line->sa.direction == IPSP_DIR_OUT);
	ck_assert_int_lt(added_count, 4);
	added[added_count++] = line->sa;
	return 0;
}

struct database_sa *database_sas(struct database *database)
{
	(void)database;
	return NULL;
}

uint64_t child_now(void)
{
	return 0;
}

struct database_sa *database_find(struct manager *manager, const struct ipsp_sa *id)
{
	(void)manager, (void)id;
	return NULL;
}

int policy_add(struct manager *manager, struct ipsp_policy_entry *entry, int replace)
{
	(void)manager, (void)replace;
	ck_assert_int_lt(policies_count, 4);
	policies[policies_count++] = *entry;
	return 0;
}

/* ---- reading ------------------------------------------------------------------------- */

static int read_both(void)
{
	return config_options(&m, path) ?: config_apply(&m, path);
}

/* Both readings of the text; what is complained of is left in `said`, without the path. */
static int load(const char *text, size_t length)
{
	FILE *file = fopen(path, "w"), *complaints = tmpfile();
	int saved = dup(STDERR_FILENO), err;

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, length, file), length);
	ck_assert_int_eq(fclose(file), 0);
	dup2(fileno(complaints), STDERR_FILENO);
	err = read_both();
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(complaints);
	said[fread(said, 1, sizeof(said) - 1, complaints)] = '\0';
	fclose(complaints);
	if (!strncmp(said, path, strlen(path)))
		memmove(said, said + strlen(path), strlen(said + strlen(path)) + 1);
	return err;
}

static void setup(void)
{
	memset(&m, 0, sizeof(m));
	option_init(&m.options, "blue");
	added_count = policies_count = 0;
	close(mkstemp(path));
	m.state_dir = strcat(strcpy(state, path), ".d");
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", state);
	ck_assert_int_eq(system(command), 0);
	unlink(path);
	strcpy(strrchr(path, '.'), ".XXXXXX");
}

static void loads(const char *text)
{
	ck_assert_msg(!load(text, strlen(text)), "refused: %s", said);
	ck_assert_str_eq(said, "");
}

static void refused(const char *text, const char *complaint)
{
	ck_assert_int_ne(load(text, strlen(text)), 0);
	ck_assert_msg(!strncmp(said, complaint, strlen(complaint)), "said %s, not %s", said, complaint);
}

/* ---- options --------------------------------------------------------------------------- */

static void cpus_are(const char *written, const char *told)
{
	char text[128], room[2048];
	struct text t;

	option_init(&m.options, "blue");
	snprintf(text, sizeof(text), "[compartment]\ncpus = %s\n", written);
	loads(text);
	text_init(&t, room, sizeof(room));
	option_text(&t, &m.options);
	snprintf(text, sizeof(text), "\ncpus = %s\n", told);
	ck_assert_msg(strstr(room, text), "%s is told as: %s", written, room);
}

START_TEST(cpus)
{
	cpus_are("0", "0");
	cpus_are("0-0,0", "0");
	if (sysconf(_SC_NPROCESSORS_CONF) > 1) {
		cpus_are("1,0", "0-1");
		cpus_are("1", "1");
	}
	option_init(&m.options, "blue");
	refused("[compartment]\ncpus = 1024\n", ":2: cpus \"1024\"");
	refused("[compartment]\ncpus = -1\n", ":2: cpus \"-1\"");
	refused("[compartment]\ncpus = 0,\n", ":2: cpus \"0,\"");
	refused("[compartment]\ncpus = 0-\n", ":2: cpus \"0-\"");
	refused("[compartment]\ncpus = 0x0\n", ":2: cpus \"0x0\"");
	ck_assert_int_eq(CPU_COUNT(&m.options.cpus), 0);
}
END_TEST

/* What is told of them is read again as the same. */
static void quorum_is(const char *written, __u32 mode, __u32 quorum, __u32 sample)
{
	const struct ipsp_compartment *c = &m.options.compartment;
	char text[1024], room[2048], wrong[128];
	struct text t;
	int i;

	option_init(&m.options, "blue");
	snprintf(text, sizeof(text), "[compartment]\n%s", written);
	for (i = 0; i < 2; i++) {
		loads(i ? room : text);
		ck_assert_uint_eq(c->mode, mode);
		ck_assert_uint_eq(c->quorum, quorum);
		ck_assert_uint_eq(c->sample, sample);
		text_init(&t, wrong, sizeof(wrong));
		ck_assert_msg(option_agrees(&m.options, &t), "%s", wrong);
		text_init(&t, room, sizeof(room));
		option_text(&t, &m.options);
		option_init(&m.options, "blue");
	}
}

static void disagrees(const char *written, const char *complaint)
{
	char text[1024], wrong[128];
	struct text t;

	option_init(&m.options, "blue");
	snprintf(text, sizeof(text), "[compartment]\n%s", written);
	loads(text);
	text_init(&t, wrong, sizeof(wrong));
	ck_assert(!option_agrees(&m.options, &t));
	ck_assert_msg(!strncmp(wrong, complaint, strlen(complaint)), "said %s, not %s", wrong, complaint);
}

START_TEST(quorum)
{
	quorum_is("stacks = 3\n", IPSP_MODE_SHARE, 0, 0);
	quorum_is("quorum = 2\nstacks = 3\ndegrade = yes\n", IPSP_MODE_VOTE, 2, 0);
	quorum_is("stacks = 2\nquorum = 1\nmode = vote\n", IPSP_MODE_VOTE, 1, 0);
	quorum_is("stacks = 3\nmode = sample\nsample = 30\nquorum = 2\n", IPSP_MODE_SAMPLE, 2, 30);
	quorum_is("mode = 0640\n", IPSP_MODE_SHARE, 0, 0);
	disagrees("stacks = 2\nquorum = 3\n", "quorum \"3\"");
	disagrees("mode = vote\nstacks = 2\n", "mode \"vote\"");
	disagrees("stacks = 3\nquorum = 2\nmode = share\n", "mode \"share\"");
	disagrees("stacks = 3\nquorum = 2\nmode = sample\n", "sample \"0\"");
	disagrees("stacks = 3\nquorum = 2\nsample = 3\n", "sample \"3\"");
	disagrees("degrade = yes\n", "degrade \"yes\"");
	refused("[compartment]\nquorum = 17\n", ":2: quorum \"17\"");
	refused("[compartment]\nsample = 101\n", ":2: sample \"101\"");
	refused("[compartment]\nmode = most\n", ":2: mode \"most\"");
	refused("[compartment]\ndegrade = perhaps\n", ":2: degrade \"perhaps\"");
}
END_TEST

START_TEST(builds)
{
	const char written[] = "[compartment]\nbuilds = own:openssl,sodium,rust\n";
	struct ipsp_sa sa = { .protocol = IPSP_ESP, .mode = IPSP_SA_TUNNEL };
	char room[2048];
	struct text t;

	loads(written);
	text_init(&t, room, sizeof(room));
	option_text(&t, &m.options);
	ck_assert_msg(strstr(room, "\nbuilds = own:openssl,sodium,rust\n"), "told as: %s", room);
	ck_assert_uint_eq(build_of(m.options.build, 3).program, BUILD_OWN);
	ck_assert_uint_eq(build_of(m.options.build, 3).engine, IPSP_ENGINE_OPENSSL);
	ck_assert_uint_eq(build_of(m.options.build, 5).program, BUILD_RUST);
	ck_assert_ptr_null(build_twice(m.options.build, 3));
	ck_assert_str_eq(build_twice(m.options.build, 4), "own");
	strcpy(sa.aead.name, "rfc4106(gcm(aes))");
	sa.aead.icv_bits = 128;
	sa.aead.key_bits = 160;
	ck_assert_uint_eq(build_lacks(m.options.build, &sa).program, BUILD_SODIUM);
	sa.aead.key_bits = 288;
	ck_assert_uint_eq(build_lacks(m.options.build, &sa).program, BUILD_NONE);
	sa.mode = IPSP_SA_BEET;
	ck_assert_uint_eq(build_lacks(m.options.build, &sa).program, BUILD_SODIUM);
	loads("[compartment]\nbuilds = own,own:sodium\n");
	ck_assert_uint_eq(build_lacks(m.options.build, &sa).program, BUILD_NONE);
	sa.aead.key_bits = 160;			/* libsodium has 256 bits only: OpenSSL would be there twice */
	loads("[compartment]\nbuilds = own:openssl,own:sodium\n");
	ck_assert_uint_eq(build_lacks(m.options.build, &sa).program, BUILD_OWN);
	ck_assert_uint_eq(build_lacks(m.options.build, &sa).engine, IPSP_ENGINE_SODIUM);
	loads("[compartment]\nbuilds = own,own:openssl\n");
	ck_assert_uint_eq(build_lacks(m.options.build, &sa).program, BUILD_NONE);
	refused("[compartment]\nbuilds = own:\n", ":2: builds \"own:\"");
	refused("[compartment]\nbuilds = sodium:openssl\n", ":2: builds \"sodium:openssl\"");
	refused("[compartment]\nbuilds = own,\n", ":2: builds \"own,\"");
	refused("[compartment]\nbuilds = o,o,o,o,o,o,o,o\n", ":2: builds");
	refused("[compartment]\nbuilds = own,own,own,own,own,own,own,own,own,own,own,own,own,own,own,own\n", ":2: builds");
}
END_TEST

/* ---- states and policies -------------------------------------------------------------- */

START_TEST(state_with_direction)
{
	loads(HEAD "[state]\n" ID AEAD "\n"
	      "dir in src 127.0.0.1 dst 10.9.0.2 proto esp spi 0x1002 " AEAD "\n"
	      "src 10.9.0.2 dst 127.0.0.1 proto esp spi 0x1003 " AEAD "\n");
	ck_assert_int_eq(added_count, 3);
	ck_assert_int_eq(added[0].direction, IPSP_DIR_OUT);	/* our source */
	ck_assert_int_eq(added[1].direction, IPSP_DIR_IN);	/* what is said counts */
	ck_assert_int_eq(added[2].direction, IPSP_DIR_IN);	/* our destination */
	ck_assert_uint_eq(ntohl(added[0].spi), 0x1001);
	ck_assert_uint_eq(added[0].aead.key_bits, 160);
}
END_TEST

START_TEST(state_without_direction)
{
	refused(HEAD "[state]\n\nsrc 240.0.0.1 dst 240.0.0.2 proto esp spi 0x1001 " AEAD "\n",
		":5: state: neither src nor dst is an address of this host; "
		"wanted: one that is, or dir in|out");
	ck_assert_int_eq(added_count, 0);
	loads(HEAD "[state]\ndir out src 240.0.0.1 dst 240.0.0.2 proto esp spi 0x1001 " AEAD "\n");
	ck_assert_int_eq(added_count, 1);
}
END_TEST

START_TEST(state_refused)
{
	refused("[state]\n" ID AEAD "\n", ":2: state: aead \"rfc4106(gcm(aes))\" with a key from a file: ");
	refused(HEAD "[state]\n" ID "\n", ":4: state: no aead; ");
	refused(HEAD "[state]\n" ID AEAD " colour red\n", ":4: \"colour\": unknown word; ");
	refused(HEAD "[state]\n" ID "aead 'rfc4106(gcm(aes)) 0x00 128\n", ":4: line: a quote without end");
	ck_assert_int_eq(added_count, 0);
	m.options.fresh_key = false;	/* not of what is read next */
	loads("[state]\n" ID AEAD " fresh-key\n");		/* a promise for this key alone */
	loads("[state]\n" ID AEAD "\n");			/* which has a mark now */
	refused("[state]\n" ID AEAD "\n" ID "aead 'rfc4106(gcm(aes))' 0x100102030405060708090a0b0c0d0e0f10111213 128\n",
		":3: state: aead \"rfc4106(gcm(aes))\" with a key from a file: no mark of it on disk; allowed: fresh-key");
}
END_TEST

/* A key in the wrong place is not repeated to whoever reads the complaint. */
START_TEST(state_key_hidden)
{
	refused(HEAD "[state]\n" ID "aead 'rfc4106(gcm(aes))' 128 0x000102030405060708090a0b0c0d0e0f10111213\n", ":4: aead");
	ck_assert_msg(!strstr(said, "0a0b0c"), "%s", said);
	refused(HEAD "[state]\n" ID "0x000102030405060708090a0b0c0d0e0f10111213\n", ":4: ");
	ck_assert_msg(!strstr(said, "0a0b0c"), "%s", said);
	refused(HEAD "[state]\n" ID "mode 000102030405060708090a0b0c0d0e0f10111213\n", ":4: ");
	ck_assert_msg(!strstr(said, "0a0b0c"), "%s", said);
	refused(HEAD "[state]\n" ID "aead 0x000102030405060708090a0b0c0d0e0f10111213 key 128\n", ":4: aead ");
	ck_assert_msg(!strstr(said, "0a0b0c"), "%s", said);
}
END_TEST

START_TEST(policy_lines)
{
	loads("# a comment\n; another\n[policy]\n"
	      "src 10.1.0.0/24 dst 10.2.0.0/24 dir out "
	      "tmpl src 10.9.0.1 dst 10.9.0.2 proto esp reqid 7 mode tunnel # why\n"
	      "dir in action block");
	ck_assert_int_eq(policies_count, 2);
	ck_assert_int_eq(policies[0].templates, 1);
	ck_assert_uint_eq(policies[0].template_[0].reqid, 7);
	ck_assert_int_eq(policies[1].action, IPSP_POLICY_DROP);
	refused("[policy]\n\n\nsrc 10.1.0.0/24\n", ":4: policy: no dir; wanted: dir in, dir out or dir fwd");
}
END_TEST

/* ---- lines ----------------------------------------------------------------------------- */

START_TEST(line_sections)
{
	refused("dir in action block\n[policy]\n", ":1: line \"dir\": allowed: a [section] first");
	refused("[policies]\n", ":1: section \"[policies]\": allowed: ");
	refused("[policy] dir in action block\n", ":1: section \"block\": allowed: ");
	ck_assert_int_eq(policies_count, 0);
}
END_TEST

/* The rest of a long line, were it taken for a line, would be a policy: it must not be. */
START_TEST(line_too_long)
{
	static const char tail[] = "dir in action block\n";
	char text[WORD_LINE_MAX + 64] = "[policy]\n";
	size_t at = strlen(text);

	memset(text + at, '#', WORD_LINE_MAX - 1);
	strcpy(text + at + WORD_LINE_MAX - 1, tail);
	refused(text, ":2: line: longer than 4094 bytes");
	ck_assert_int_eq(policies_count, 0);
	text[at + WORD_LINE_MAX - 2] = '\n';	/* as long as may be */
	loads(text);
	ck_assert_int_eq(policies_count, 1);
}
END_TEST

START_TEST(line_with_nul)
{
	static const char text[] = "[policy]\ndir in\0 action block\n";

	ck_assert_int_ne(load(text, sizeof(text) - 1), 0);
	ck_assert_msg(strstr(said, ":2: line: ") == said, "%s", said);
	ck_assert_int_eq(policies_count, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *tc = tcase_create("file");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, cpus);
	tcase_add_test(tc, quorum);
	tcase_add_test(tc, builds);
	tcase_add_test(tc, state_with_direction);
	tcase_add_test(tc, state_without_direction);
	tcase_add_test(tc, state_refused);
	tcase_add_test(tc, state_key_hidden);
	tcase_add_test(tc, policy_lines);
	tcase_add_test(tc, line_sections);
	tcase_add_test(tc, line_too_long);
	tcase_add_test(tc, line_with_nul);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
