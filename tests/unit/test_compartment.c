// SPDX-License-Identifier: GPL-2.0-only
/* test_compartment.c - the keying agent's requests to managers: each to its own, those that are not there, those that hang */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/keyd/keyd.h"
#include "suite.h"
#include "words/device.h"

static struct keyd k;
static int opened[KEYD_COMPARTMENTS_MAX], asked, ask_err;
static int64_t now;
static char said[200];

/* ---- in place of the helper, the ports and the clock ------------------------------------------ */

int opener_ask(struct keyd *of, const struct keyd_compartment *c)
{
	if (!strcmp(c->name, "absent"))
		return -ENOENT;
	opened[c - of->compartment]++;
	return dup(0);
}

int __wrap_device_attach(int fd, __u32 role, __u32 index);
int __wrap_device_attach(int fd, __u32 role, __u32 index)
{
	(void)fd;
	(void)index;
	return role == IPSP_ROLE_ADMIN ? 0 : -EINVAL;
}

int __wrap_device_ask(int fd, __u32 flags, const char *const *word, int count, struct device_reply *reply);
int __wrap_device_ask(int fd, __u32 flags, const char *const *word, int count, struct device_reply *reply)
{
	(void)flags;
	asked++;
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(count, 1);
	strcpy(said, word[0]);
	if (!ask_err)
		*reply = (struct device_reply){ .text = "{}" };
	return ask_err;
}

time_t __wrap_time(time_t *to);
time_t __wrap_time(time_t *to)
{
	(void)to;
	return now;
}

/* ---- requests --------------------------------------------------------------------------------- */

static const char *text;

static int ask(const char *name, __u32 flags)
{
	static struct compartment_words w;

	memset(&w, 0, sizeof(w));
	compartment_word(&w, "%s", "word");
	return compartment_ask(&k, name, &w, flags, &text);
}

static void setup(void)
{
	memset(&k, 0, sizeof(k));
	compartments_add(&k, "blue");
	compartments_add(&k, "absent");
	compartments_add(&k, "green");
	now = 1000;
}

START_TEST(each_has_its_port)
{
	ck_assert_int_eq(ask("blue", 0), 0);
	ck_assert_int_eq(ask("green", 0), 0);
	ck_assert_int_eq(ask("blue", 0), 0);
	ck_assert_int_eq(opened[0], 1);
	ck_assert_int_eq(opened[2], 1);
	ck_assert_int_ne(k.compartment[0].port, k.compartment[2].port);
	ck_assert_str_eq(said, "word");
}
END_TEST

START_TEST(one_is_not_there)
{
	ck_assert_int_eq(ask("absent", 0), -ENOTCONN);
	ck_assert_str_eq(text, "compartment \"absent\": its manager: No such file or directory");
	ck_assert_int_eq(ask("none", 0), -ENOTCONN);
	ck_assert_str_eq(text, "compartment \"none\": its manager: No such file or directory");
	ck_assert_int_eq(asked, 0);
	ck_assert_int_eq(ask("green", 0), 0);
}
END_TEST

/* Another manager, another port: it is opened again once. */
START_TEST(one_has_gone)
{
	ck_assert_int_eq(ask("blue", 0), 0);
	ask_err = -EPIPE;
	ck_assert_int_eq(ask("blue", 0), -ENOTCONN);
	ck_assert_int_eq(opened[0], 2);
	ck_assert_int_eq(asked, 3);
	ask_err = 0;
	ck_assert_int_eq(ask("blue", 0), 0);
	ck_assert_int_eq(opened[0], 3);
}
END_TEST

/* It is waited for once; then what it is to do is said, and what it knows not asked. The others are asked. */
START_TEST(one_hangs)
{
	ask_err = -ETIMEDOUT;
	ck_assert_int_eq(ask("blue", IPSP_ADMINF_JSON), -ETIMEDOUT);
	ck_assert_int_eq(ask("blue", IPSP_ADMINF_JSON), -ETIMEDOUT);
	ck_assert_int_eq(asked, 1);
	ck_assert_int_eq(ask("blue", 0), -ETIMEDOUT);
	ck_assert_int_eq(asked, 2);
	ask_err = 0;
	ck_assert_int_eq(ask("green", IPSP_ADMINF_JSON), 0);
	ck_assert_int_eq(asked, 3);
	now += 10;
	ck_assert_int_eq(ask("blue", IPSP_ADMINF_JSON), 0);
	ck_assert_int_eq(asked, 4);
}
END_TEST

START_TEST(one_hung)
{
	ask_err = -ETIMEDOUT;
	ck_assert_int_eq(ask("blue", 0), -ETIMEDOUT);
	ask_err = 0;
	ck_assert_int_eq(ask("blue", 0), 0);
	ck_assert_int_eq(ask("blue", IPSP_ADMINF_JSON), 0);	/* it has replied */
	ck_assert_int_eq(asked, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("compartment");
	TCase *c = tcase_create("compartment");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, each_has_its_port);
	tcase_add_test(c, one_is_not_there);
	tcase_add_test(c, one_has_gone);
	tcase_add_test(c, one_hangs);
	tcase_add_test(c, one_hung);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
