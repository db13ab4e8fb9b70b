// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
/* test_mark - the marks on disk of keys that outlive the module: they only rise, and come before the numbers */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manager/manager.h"
#include "suite.h"

static struct manager m;
static char state[] = "/tmp/test_mark.XXXXXX";

/* ---- in place of the other rooms: a database of one, a clock that we set, the kernel's counter ------ */

static struct database_sa one;
static uint64_t now;
static struct ipsp_handle counter;	/* next and ceiling */
static int sets;

struct database_sa *database_sas(struct database *database)
{
	(void)database;
	return &one;
}

uint64_t child_now(void)
{
	return now;
}

static uint64_t mark_on_disk(void);

/* The kernel's part of the ceiling: it only rises. When it does, the mark must be there already. */
int ioctl(int fd, unsigned long number, ...)
{
	struct ipsp_handle *h;
	va_list list;

	va_start(list, number);
	h = va_arg(list, struct ipsp_handle *);
	va_end(list);
	ck_assert_int_eq(fd, -1);
	if (number == IPSP_IOC_HANDLE_GET) {
		h->next = counter.next;
		h->ceiling = counter.ceiling;
		return 0;
	}
	ck_assert_uint_eq(number, IPSP_IOC_HANDLE_SET);
	ck_assert_uint_ge(mark_on_disk(), h->ceiling);
	counter.ceiling = h->ceiling > counter.ceiling ? h->ceiling : counter.ceiling;
	sets++;
	return 0;
}

static struct database nothing = { .sas_max = 1 };

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(state));
	m = (struct manager){ .name = "blue", .fd = -1, .state_dir = state, .database = &nothing };
	memset(&one, 0, sizeof(one));
	memset(&counter, 0, sizeof(counter));
	now = sets = 0;
}

static void teardown(void)
{
	char command[64];

	free(m.marks);
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

static uint64_t mark_on_disk(void)
{
	char path[320], text[32];

	ck_assert_int_eq(mark_file(path, sizeof(path), text, sizeof(text)), 1);
	return strtoull(text, NULL, 10);
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

/* An SA with a mark, and its counter as the kernel would have it */
static void begin(int direction)
{
	struct mark_range range;

	one = (struct database_sa){ .used = DATABASE_USED | DATABASE_KEPT, .sa = sa_of(direction, "one") };
	ck_assert_int_eq(mark_begin(&m, &one.sa, true, 0, &range), 0);
	counter.next = direction == IPSP_DIR_OUT ? range.next : 0;
	counter.ceiling = range.ceiling;
	m.marks_wanted = 1;
}

static void look_at(uint64_t next)
{
	counter.next = next;
	now += MARK_LOOK_MS * 1000000ull;
	mark_look(&m);
}

/* A thousand looks at a counter that runs: it never reaches its ceiling, and the mark is never behind it. */
START_TEST(keeps_ahead)
{
	uint64_t next = 1, step = 1;
	int i;

	begin(IPSP_DIR_OUT);
	for (i = 0; i < 1000; i++) {
		look_at(next);
		ck_assert_uint_ge(mark_on_disk(), counter.ceiling);
		ck_assert_uint_gt(counter.ceiling, next + step * 2);
		step = i < 20 ? step * 2 : 1000000;
		next += step;
	}
	ck_assert_int_gt(sets, 10);
}
END_TEST

/* One that stands costs the disk nothing. */
START_TEST(stands)
{
	begin(IPSP_DIR_OUT);
	look_at(100);
	sets = 0;
	look_at(100);
	look_at(101);
	ck_assert_int_eq(sets, 0);
	ck_assert_int_eq(mark_timeout(&m, -1), MARK_LOOK_MS + 1);
	ck_assert_int_eq(mark_timeout(&m, 5), 5);
	one.used = 0;
	look_at(101);
	ck_assert_int_eq(mark_timeout(&m, -1), -1);	/* no such SA any more */
}
END_TEST

START_TEST(stops_at_the_last)
{
	begin(IPSP_DIR_OUT);
	look_at(UINT32_MAX - 100);
	ck_assert_uint_eq(counter.ceiling, UINT32_MAX);
	ck_assert_uint_eq(mark_on_disk(), UINT32_MAX);
	sets = 0;
	look_at(UINT32_MAX);
	ck_assert_int_eq(sets, 0);
}
END_TEST

/* Without the disk no ceiling is raised: the kernel stops there. */
START_TEST(disk_gone)
{
	begin(IPSP_DIR_OUT);
	m.state_dir = "/proc/self/no/such";
	look_at(MARK_AHEAD - 5);
	ck_assert_int_eq(sets, 0);
	ck_assert_uint_eq(counter.ceiling, MARK_AHEAD);
	m.state_dir = state;
	look_at(MARK_AHEAD - 4);
	ck_assert_uint_gt(counter.ceiling, MARK_AHEAD);
}
END_TEST

/* Somebody added the same key by hand, without a mark: its ceiling is the kernel's last; so is the mark. */
START_TEST(follows_others)
{
	begin(IPSP_DIR_OUT);
	counter.ceiling = UINT32_MAX;
	look_at(5);
	ck_assert_uint_eq(mark_on_disk(), UINT32_MAX);
}
END_TEST

START_TEST(inbound)
{
	struct mark_range range;

	begin(IPSP_DIR_IN);
	look_at(1234);
	ck_assert_uint_eq(mark_on_disk(), 1234);
	counter.next = 1300;
	mark_save(&m, &one);		/* it is deleted between two looks */
	ck_assert_uint_eq(mark_on_disk(), 1300);
	ck_assert_int_eq(mark_begin(&m, &one.sa, false, 0, &range), 0);
	ck_assert_uint_eq(range.next, 1301);
	ck_assert_int_eq(sets, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mark");
	TCase *tc = tcase_create("file");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, first);
	tcase_add_test(tc, again);
	tcase_add_test(tc, belongs_to_key);
	tcase_add_test(tc, at_the_end);
	tcase_add_test(tc, damaged);
	tcase_add_test(tc, keeps_ahead);
	tcase_add_test(tc, stands);
	tcase_add_test(tc, stops_at_the_last);
	tcase_add_test(tc, disk_gone);
	tcase_add_test(tc, follows_others);
	tcase_add_test(tc, inbound);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
