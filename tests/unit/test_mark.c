// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
/* test_mark - the marks on disk of keys that outlive the module: they only rise, and come before the numbers */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manager/manager.h"

static struct manager m;
static char state[] = "/tmp/test_mark.XXXXXX";

/* ---- in place of the other rooms: a database of nothing, a clock that stands ---------------------- */

struct database_sa *database_sas(struct database *database)
{
	(void)database;
	return NULL;
}

uint64_t child_now(void)
{
	return 0;
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(state));
	m = (struct manager){ .name = "blue", .fd = -1, .state_dir = state };
}

static void teardown(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", state);
	ck_assert_int_eq(system(command), 0);
	strcpy(strrchr(state, '.'), ".XXXXXX");
}

static struct ipsp_sa sa_of(int direction, const char *key)
{
	struct ipsp_sa sa = { .direction = (__u8)direction, .family = 4, .protocol = 50,
			      .spi = 0x01100000, .destination = { 10, 9, 0, 2 } };

	strcpy(sa.aead.name, "rfc4106(gcm(aes))");
	sa.aead.key_bits = 160;
	strcpy((char *)sa.aead.key, key);
	return sa;
}

/* The file of the only mark there is: its name and text. */
static int mark_file(char *path, size_t room, char *text, size_t text_room)
{
	char folder[64];
	struct dirent *e;
	int found = 0;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/marks", state);
	dir = opendir(folder);
	while (dir && (e = readdir(dir)))
		if (strlen(e->d_name) == 32) {
			found++;
			snprintf(path, room, "%s/%s", folder, e->d_name);
		}
	if (dir)
		closedir(dir);
	if (found && text) {
		FILE *file = fopen(path, "r");

		ck_assert_ptr_nonnull(fgets(text, (int)text_room, file));
		fclose(file);
	}
	return found;
}

START_TEST(first)
{
	struct ipsp_sa sa = sa_of(IPSP_DIR_OUT, "one");
	struct mark_range range;
	char path[320], text[32];

	ck_assert_int_eq(mark_begin(&m, &sa, false, 0, &range), -ENOKEY);
	ck_assert_int_eq(mark_file(path, sizeof(path), NULL, 0), 0);
	ck_assert_int_eq(mark_begin(&m, &sa, true, 0, &range), 0);
	ck_assert_uint_eq(range.next, 1);
	ck_assert_uint_eq(range.ceiling, MARK_AHEAD);
	ck_assert_int_eq(mark_file(path, sizeof(path), text, sizeof(text)), 1);
	ck_assert_uint_eq(strtoull(text, NULL, 10), range.ceiling);
	ck_assert_ptr_null(strstr(path, "6f6e65"));	/* the key's bytes are in no name */
}
END_TEST

/* Another life of the module, and another: each begins above all that the one before may have used. */
START_TEST(again)
{
	struct ipsp_sa sa = sa_of(IPSP_DIR_OUT, "one");
	struct mark_range range;
	uint64_t last;

	ck_assert_int_eq(mark_begin(&m, &sa, true, 0, &range), 0);
	last = range.ceiling;
	ck_assert_int_eq(mark_begin(&m, &sa, false, 0, &range), 0);
	ck_assert_uint_eq(range.next, last + 1);
	ck_assert_uint_eq(range.ceiling, last + MARK_AHEAD);
	last = range.ceiling;
	ck_assert_int_eq(mark_begin(&m, &sa, true, 5, &range), 0);	/* a promise that is not true */
	ck_assert_uint_eq(range.next, last + 1);
	last = range.ceiling + 1000;
	ck_assert_int_eq(mark_begin(&m, &sa, false, last, &range), 0);
	ck_assert_uint_eq(range.next, last);
}
END_TEST

/* It is the key that has a mark, not the SPI, nor the compartment; inbound it is the SA. */
START_TEST(belongs_to_key)
{
	struct ipsp_sa sa = sa_of(IPSP_DIR_OUT, "one"), other = sa_of(IPSP_DIR_OUT, "two");
	struct mark_range range;

	ck_assert_int_eq(mark_begin(&m, &sa, true, 0, &range), 0);
	ck_assert_int_eq(mark_begin(&m, &other, false, 0, &range), -ENOKEY);
	sa.spi = 0x02100000;
	m.name = "red";
	ck_assert_int_eq(mark_begin(&m, &sa, false, 0, &range), 0);
	ck_assert_uint_eq(range.next, MARK_AHEAD + 1);
	sa.direction = IPSP_DIR_IN;
	ck_assert_int_eq(mark_begin(&m, &sa, false, 0, &range), -ENOKEY);
	ck_assert_int_eq(mark_begin(&m, &sa, true, 0, &range), 0);
	ck_assert_uint_eq(range.next, 1);
	ck_assert_uint_eq(range.ceiling, 0);
	sa.spi = 0x03100000;
	ck_assert_int_eq(mark_begin(&m, &sa, false, 0, &range), -ENOKEY);
}
END_TEST

static void write_mark(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(at_the_end)
{
	struct ipsp_sa sa = sa_of(IPSP_DIR_OUT, "one");
	struct mark_range range;
	char path[320];

	ck_assert_int_eq(mark_begin(&m, &sa, true, 0, &range), 0);
	ck_assert_int_eq(mark_file(path, sizeof(path), NULL, 0), 1);
	write_mark(path, "4294967290\n");
	ck_assert_int_eq(mark_begin(&m, &sa, false, 0, &range), 0);
	ck_assert_uint_eq(range.next, 4294967291u);
	ck_assert_uint_eq(range.ceiling, UINT32_MAX);
	ck_assert_int_eq(mark_begin(&m, &sa, false, 0, &range), -ERANGE);
	sa.flags = IPSP_SAF_ESN;
	ck_assert_int_eq(mark_begin(&m, &sa, false, 0, &range), 0);
	ck_assert_uint_eq(range.next, 1ull << 32);
}
END_TEST

/* What cannot be read, or cannot be written, lets no number be used. */
START_TEST(damaged)
{
	static const char *const bad[] = { "", "x\n", "12", "12 \n", "-1\n", "99999999999999999999\n" };
	struct ipsp_sa sa = sa_of(IPSP_DIR_OUT, "one");
	struct mark_range range;
	char path[320];
	size_t i;

	ck_assert_int_eq(mark_begin(&m, &sa, true, 0, &range), 0);
	ck_assert_int_eq(mark_file(path, sizeof(path), NULL, 0), 1);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_mark(path, bad[i]);
		ck_assert_int_eq(mark_begin(&m, &sa, true, 0, &range), -EBADMSG);
	}
	write_mark(path, "12\n");
	ck_assert_int_eq(mark_begin(&m, &sa, false, 0, &range), 0);
	m.state_dir = "/proc/self/no/such";
	ck_assert_int_eq(mark_begin(&m, &sa, true, 0, &range), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mark");
	TCase *tc = tcase_create("file");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, first);
	tcase_add_test(tc, again);
	tcase_add_test(tc, belongs_to_key);
	tcase_add_test(tc, at_the_end);
	tcase_add_test(tc, damaged);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
