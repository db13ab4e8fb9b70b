/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * manager.h - ipsec-portd: holds a compartment's databases, starts and restarts its
 * stack, never touches a packet
 *
 *   main      options, configuration, the loop
 *   database  SAs and policies in a memfd that the port keeps: survives the manager
 *   control   records to the stacks: SA, policy, snapshot
 *   child     the stack process
 *   admin     requests of ipsec-portctl: a table of commands
 *   mark      on disk, how far the numbers of keys from files may have gone
 */
#ifndef MANAGER_MANAGER_H
#define MANAGER_MANAGER_H

#include <stdint.h>
#include <sys/types.h>

#include "mark.h"
#include "words/option.h"
#include "words/policy.h"
#include "words/state.h"

#define DATABASE_USED	1u
#define DATABASE_KEPT	2u		/* its key outlives the module: it has a mark on disk */

struct database_sa {
	__u32 used;			/* DATABASE_*; 0: free */
	__u32 window;
	struct ipsp_sa sa;		/* handle and key inside */
};

/* In the memfd; fixed size, so that a successor maps it as it is. */
struct database {
	__u64 magic;
	__u32 sas_max, policies_max;
	__u32 sas;
	__u32 policies;
	__u32 next_index;		/* of the next policy */
	__u32 flags;			/* IPSP_CONFIGF_* */
	/* database_sa[sas_max], then ipsp_policy_entry[policies_max] in their order */
};

struct child {
	pid_t pid;			/* 0: none of ours */
	int adopted;			/* one that is not ours serves: we only hear of its end */
	uint64_t started;		/* ns, monotonic */
	uint64_t start_at;		/* not before */
	unsigned quick_deaths;
};

struct manager {
	const char *name;
	const char *stack_path;
	struct option_set options;
	int fd;				/* the port, role manager */
	int ready_fd;			/* told once a stack is ready; -1: told */
	int signal_fd;
	int over;
	int made;			/* the compartment is new */
	struct database *database;
	const char *state_dir;		/* NULL: MARK_DIRECTORY */
	struct mark *marks;		/* as the database's SAs */
	int marks_wanted;		/* some may have one */
	uint64_t marks_due;		/* ns, monotonic: the next look */
	struct child child;
	__u8 hash_key[IPSP_HASH_KEY_LEN];
};

/* database.c */
int database_open(struct manager *m);		/* 0, or -errno with a line on stderr */
struct database_sa *database_sas(struct database *d);
struct ipsp_policy_entry *database_policies(struct database *d);
struct database_sa *database_find(struct manager *m, const struct ipsp_sa *id);

/* state.c, policy.c: change database, kernel and stacks together; 0 or -errno */
int sa_add(struct manager *m, const struct state_line *line);
/* With a key that outlives the module, in the range that mark_begin() gave. */
int sa_add_kept(struct manager *m, const struct state_line *line, const struct mark_range *range);
int sa_delete(struct manager *m, struct database_sa *sa);
int policy_add(struct manager *m, struct ipsp_policy_entry *entry, int replace);
int policy_delete(struct manager *m, uint32_t at);

/* control.c */
int control_sa(struct manager *m, int target, __u16 type, const struct ipsp_sa *sa);
int control_policy(struct manager *m, int target, __u32 operation,
		   const struct ipsp_policy_entry *entry, uint32_t count);
int control_snapshot(struct manager *m, int target);

/* child.c */
uint64_t child_now(void);
void child_start(struct manager *m);
void child_reap(struct manager *m);
void child_end(struct manager *m);
void child_attached(struct manager *m, pid_t pid);	/* as the port's events say */
void child_detached(struct manager *m, pid_t pid);
int child_timeout(const struct manager *m);	/* ms until it is to be started; -1: no */

/* admin.c */
void admin_answer(struct manager *m, struct ipsp_record *request);

/* config.c: applies FILE's [compartment] before, the rest after the port is open */
int config_options(struct manager *m, const char *path);
int config_apply(struct manager *m, const char *path);

#endif
