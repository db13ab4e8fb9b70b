// SPDX-License-Identifier: GPL-2.0-only
/* control.c - records into the stacks' down streams; waits while one has no room */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "manager.h"

#define CONTROL_CHUNK	128		/* policies in one record: well below a ring */
#define CONTROL_MAX	(1024 + CONTROL_CHUNK * sizeof(struct ipsp_policy_entry))

struct control_buffer {
	_Alignas(64) char bytes[CONTROL_MAX];
};

/* Until it is in all streams, or refused for good. A stack that makes no room is ended by
 * the kernel, so nobody waits here for ever. */
static int control_send(struct manager *m, int target, struct ipsp_record *rec)
{
	struct ipsp_control c = { .record = (uintptr_t)rec, .size = rec->len, .target = target };
	struct pollfd p = { .fd = m->fd, .events = POLLOUT };

	while (ioctl(m->fd, IPSP_IOC_CONTROL, &c)) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		poll(&p, 1, -1);
	}
	return 0;
}

static struct ipsp_record *control_record(struct control_buffer *b, __u16 type, const void *control,
					  size_t control_len, const void *data, size_t data_len)
{
	struct ipsp_record *rec = (struct ipsp_record *)b->bytes;
	size_t at = (sizeof(*rec) + control_len + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1ul);
	size_t len = (at + data_len + IPSP_ALIGN - 1) & ~(IPSP_ALIGN - 1ul);

	memset(b->bytes, 0, len);
	rec->len = (__u32)len;
	rec->type = type;
	rec->control_len = (__u32)control_len;
	rec->data_offset = (__u32)at;
	rec->data_len = (__u32)data_len;
	memcpy(rec + 1, control, control_len);
	if (data_len)
		memcpy(b->bytes + at, data, data_len);
	return rec;
}

int control_sa(struct manager *m, int target, __u16 type, const struct ipsp_sa *sa)
{
	struct control_buffer b;
	struct ipsp_record *rec = control_record(&b, type, sa, sizeof(*sa), NULL, 0);
	int err;

	rec->flags = IPSP_RECF_SECRET;
	err = control_send(m, target, rec);
	explicit_bzero(&b, rec->len);
	return err;
}

int control_policy(struct manager *m, int target, __u32 operation,
		   const struct ipsp_policy_entry *entry, uint32_t count)
{
	struct ipsp_policy policy = { .operation = operation, .count = count };
	struct control_buffer b;

	return control_send(m, target, control_record(&b, IPSP_REC_POLICY, &policy, sizeof(policy),
						      entry, count * sizeof(*entry)));
}

int control_acquired(struct manager *m, __u16 type, __u32 acquire)
{
	struct ipsp_acquired a = { .acquire = acquire };
	struct control_buffer b;

	return control_send(m, IPSP_TARGET_ALL, control_record(&b, type, &a, sizeof(a), NULL, 0));
}

static int control_mark(struct manager *m, int target, __u16 type)
{
	struct ipsp_snapshot s = { .sas = m->database->sas, .policies = m->database->policies };
	struct control_buffer b;

	if (type == IPSP_REC_SNAPSHOT_END)
		memset(&s, 0, sizeof(s));
	return control_send(m, target, control_record(&b, type, &s, sizeof(s), NULL, 0));
}

/* That of the stack's own build alone, as no other build's fault may be in it; or the compartment's preference. */
static void control_engines(const struct manager *m, int target, __u32 engine[4])
{
	const struct build build = program_build(m, (unsigned)target);

	if (build.engine)
		engine[0] = build.engine;
	else
		memcpy(engine, m->options.engine, sizeof(m->options.engine));
}

static int control_config(struct manager *m, int target)
{
	struct ipsp_config config = {
		.flags = m->database->flags,
		.sas_max = m->database->sas_max,
		.policies_max = m->database->policies_max,
	};
	struct control_buffer b;

	control_engines(m, target, config.engine);
	return control_send(m, target, control_record(&b, IPSP_REC_CONFIG, &config,
						      sizeof(config), NULL, 0));
}

static int snapshot_sas(struct manager *m, int target)
{
	struct database_sa *sa = database_sas(m->database), *end = sa + m->database->sas_max;
	int err = 0;

	for (; !err && sa < end; sa++)
		if (sa->used)
			err = control_sa(m, target, IPSP_REC_SA_ADD, &sa->sa);
	return err;
}

static int snapshot_policies(struct manager *m, int target)
{
	const struct ipsp_policy_entry *list = database_policies(m->database);
	uint32_t left = m->database->policies, n;
	__u32 operation = IPSP_POLICY_REPLACE;
	int err = 0;

	do {
		n = left < CONTROL_CHUNK ? left : CONTROL_CHUNK;
		err = control_policy(m, target, operation, list, n);
		operation = IPSP_POLICY_ADD;
		list += n;
		left -= n;
	} while (!err && left);
	return err;
}

/* One thread sends it and every change, so nothing changes in between. */
int control_snapshot(struct manager *m, int target)
{
	int err = control_mark(m, target, IPSP_REC_SNAPSHOT_BEGIN);

	if (!err)
		err = control_config(m, target);
	if (!err)
		err = snapshot_sas(m, target);
	if (!err)
		err = snapshot_policies(m, target);
	return err ? err : control_mark(m, target, IPSP_REC_SNAPSHOT_END);
}
