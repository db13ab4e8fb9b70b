/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * manager.h - ipsec-portd: holds a compartment's databases, starts and restarts its
 * stacks, never touches a packet
 *
 *   main      options, configuration, the loop
 *   database  SAs and policies in a memfd that the port keeps: survives the manager
 *   control   records to the stacks: SA, policy, snapshot
 *   encap     sockets for ESP in UDP
 *   child     the stack processes; program: the files that they run
 *   upgrade   stacks and manager give way to what was installed since, one by one
 *   admin     requests of ipsec-portctl: a table of commands; reply: what they get
 *   acquire   packets that wait for an SA: to the keying agent
 *   lifetime  what becomes of an SA at its limits; event: what was told of it
 *   mark      on disk, how far the numbers of keys from files may have gone
 */
#ifndef MANAGER_MANAGER_H
#define MANAGER_MANAGER_H

#include <stdint.h>
#include <sys/types.h>

#include "mark.h"
#include "words/build.h"
#include "words/option.h"
#include "words/policy.h"
#include "words/state.h"

#define DATABASE_USED	1u
#define DATABASE_KEPT	2u		/* its key outlives the module: it has a mark on disk */

struct database_sa {
	__u32 used;			/* DATABASE_*; 0: free */
	__u32 window;
	struct ipsp_sa sa;		/* handle and key inside */
	struct limit limit;
	uint64_t added;			/* ns, CLOCK_BOOTTIME */
	uint64_t added_real;		/* ns, CLOCK_REALTIME: to be shown */
	uint64_t first_used;		/* ns, CLOCK_BOOTTIME; 0: not known, or nobody asked */
	__u32 told;			/* IPSP_EXPIRED_* */
	__u32 reserved;
};

#define EVENT_MANAGER	32		/* beside IPSP_EVENT_*: a manager begins */

/* What happened to the compartment. */
struct event {
	__u32 kind;			/* IPSP_EVENT_*, EVENT_MANAGER */
	__u32 cause;			/* IPSP_BROKEN_*, of an expiry IPSP_EXPIRED_* */
	__u32 stack;			/* index */
	__s32 pid;
	__u64 count;			/* as of struct ipsp_event */
	uint64_t time;			/* s, CLOCK_REALTIME */
	/* of an expiry */
	uint64_t bytes, packets;	/* what the SA had counted */
	struct ipsp_sa sa;		/* without its keys */
};

#define EVENT_KEPT 256

/* In the memfd; fixed size, so that a successor maps it as it is. */
struct database {
	__u64 magic;
	__u32 sas_max, policies_max;
	__u32 sas;
	__u32 policies;
	__u32 next_index;		/* of the next policy */
	__u32 flags;			/* IPSP_CONFIGF_* */
	__u64 events;			/* so many there were; the last EVENT_KEPT are here */
	struct event event[EVENT_KEPT];	/* a ring */
	/* database_sa[sas_max], then ipsp_policy_entry[policies_max] in their order */
};

/* The stacks' programs, held open: what is installed meanwhile is not run before an upgrade. */
struct program {
	int fd[BUILD_PROGRAMS];		/* 0: not open */
};

struct child {
	pid_t pid;			/* 0: none of ours */
	unsigned starts;		/* so many processes it has been */
	int wants_new;			/* the next one is of m->next */
	int is_new;			/* this one is */
	int failed;			/* one that was has ended */
	int adopted;			/* one that is not ours serves: its descriptor, or -1; 0: none */
	int ready;			/* it has its snapshot */
	uint64_t started;		/* ns, monotonic */
	uint64_t start_at;		/* not before */
	unsigned quick_deaths;
};

/* A socket on a port that carries ESP in UDP; port 0: free */
#define ENCAP_MAX 16
struct encap {
	int fd;
	__be16 port;
	__u8 family;
};

/* What the image before us hands over, see upgrade.c. */
struct heritage {
	int fd;				/* the port; -1: there was none */
	__u64 upgrade;			/* request that waits for the upgrade's end */
	__u64 waiter;			/* request of the keying agent; 0: none */
};

struct manager {
	const char *name;
	const char *self;		/* path of our program */
	const char *config;		/* the file, or NULL */
	const char *stack;		/* as given, or NULL */
	const char *stack_path;
	struct program program, next;	/* next: during an upgrade */
	int relief;			/* 1: a stack more than `wanted`, the last index */
	unsigned relief_as;		/* of the build of that index */
	pid_t trial;			/* of the new manager's program; 0: it has ended, */
	int trial_status;		/* so */
	int complaints;			/* where new programs write what is wrong; -1: none */
	struct heritage heritage;
	int try_fd;			/* a database that is only looked at; -1: none, we are the manager */
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
	uint64_t lifetime_due;		/* ns, CLOCK_BOOTTIME: likewise, at the limits; 0: now */
	unsigned wanted;		/* stacks and spares, as the kernel says */
	struct child child[IPSP_STACKS_MAX];	/* by their index at the port */
	struct encap encap[ENCAP_MAX];
	__u8 hash_key[IPSP_HASH_KEY_LEN];
};

/* database.c */
int database_open(struct manager *m);		/* 0, or -errno with a line on stderr */
int database_try(struct manager *m, int fd);	/* likewise: could we take over that one? */
struct database_sa *database_sas(struct database *d);
struct ipsp_policy_entry *database_policies(struct database *d);
struct database_sa *database_find(struct manager *m, const struct ipsp_sa *id);
struct database_sa *database_free(struct manager *m);		/* NULL: full */
/* So that what is not there is not looked for: an entry was filled or emptied, a policy came (1) or goes (-1), all of it. */
void database_noted_sa(struct manager *m, const struct database_sa *sa);
void database_noted_policy(const struct ipsp_policy_entry *e, int by);
void database_noted_all(struct manager *m);
bool database_may_have(const struct ipsp_policy_entry *like);	/* false: no policy is the same */
bool database_may_have_index(uint32_t index);

/* state.c, policy.c: change database, kernel and stacks together; 0 or -errno */
int sa_add(struct manager *m, const struct state_line *line);
/* With a key that outlives the module, in the range that mark_begin() gave. */
int sa_add_kept(struct manager *m, const struct state_line *line, const struct mark_range *range);
int sa_delete(struct manager *m, struct database_sa *sa);
/* range: NULL, or as with sa_add_kept(). Refused: the old one is still there, or there again. */
int sa_replace(struct manager *m, struct database_sa *old, const struct state_line *line, const struct mark_range *range);
int policy_add(struct manager *m, struct ipsp_policy_entry *entry, int replace);
int policy_delete(struct manager *m, uint32_t at);

/* control.c */
int control_sa(struct manager *m, int target, __u16 type, const struct ipsp_sa *sa);
int control_policy(struct manager *m, int target, __u32 operation,
		   const struct ipsp_policy_entry *entry, uint32_t count);
int control_acquired(struct manager *m, __u16 type, __u32 acquire);	/* RELEASE or REFUSE */
int control_snapshot(struct manager *m, int target);

/* lifetime.c */
/* Its time begins; what the kernel is to know of its limits goes into `h`. */
void lifetime_begin(struct manager *m, struct database_sa *sa, const struct limit *limit,
		    struct ipsp_handle *h);
/* One that comes back: its time goes on. Its counts begin anew, at a handle of its own. */
void lifetime_go_on(struct manager *m, struct database_sa *sa, const struct database_sa *before);
void lifetime_look(struct manager *m);		/* when it is time, or lifetime_due is 0 */
int lifetime_timeout(const struct manager *m, int other);	/* ms; the earlier of it and `other` */

/* event.c */
void event_expire(struct manager *m, const struct ipsp_sa *sa, const struct ipsp_handle *h, bool is_hard);
void event_of_port(struct manager *m, const struct ipsp_event *of);	/* what the kernel tells; an expiry only with its SA */
void event_began(struct manager *m);
uint64_t event_first(const struct manager *m);			/* the number of the oldest that is kept */
uint64_t event_end(const struct manager *m);			/* of the next one */
void event_text(const struct manager *m, struct text *out, uint64_t number);
void event_text_json(const struct manager *m, struct text *out, uint64_t number);
void event_follow(struct manager *m, __u64 request);		/* is replied to, with nothing, when something happens */
void event_release(struct manager *m);				/* all who follow are */

/* encap.c: sockets for the SAs in the database */
void encap_open(struct manager *m, const struct ipsp_sa *sa);
void encap_open_all(struct manager *m);		/* what a predecessor had */
void encap_sweep(struct manager *m);		/* closes those that no SA wants */

/* program.c */
struct build program_build(const struct manager *m, unsigned index);	/* of the stack of that index */
int program_open(const struct manager *m, struct program *p);	/* 0, or -errno with a line on stderr */
void program_close(struct program *p);
/* Returns if it failed, with errno. */
void program_exec(const struct manager *m, const struct program *p, const struct build *b, char *const *argument);

/* upgrade.c */
int upgrade_begin(struct manager *m, __u64 request, struct words *w);	/* 0: the reply comes when it is over */
void upgrade_look(struct manager *m);
int upgrade_timeout(const struct manager *m, int other);	/* ms; the earlier of it and `other` */
/* Of an option of the image before us: FD,REQUEST,WAITER and FD,FAMILY,PORT. false: it is none. */
bool upgrade_inherit(struct manager *m, const char *text);
bool upgrade_inherit_encap(struct manager *m, const char *text);
void upgrade_done(struct manager *m);		/* all is there again: whoever asked is told, once */

/* child.c */
uint64_t child_now(void);
int child_count(struct manager *m);	/* asks the kernel how many are wanted: 0 or -errno */
int child_start_due(struct manager *m);	/* ms until the next is to be started; -1: none */
void child_reap(struct manager *m);
void child_end(struct manager *m);
void child_attached(struct manager *m, unsigned index, pid_t pid);	/* as the port's events say */
void child_ready(struct manager *m, unsigned index, pid_t pid);
void child_detached(struct manager *m, unsigned index, pid_t pid);
int child_all_ready(const struct manager *m);
/* "ready", "starting", "waits", or "crash-loop": it is started ever later. */
const char *child_state(const struct child *c);

/* acquire.c */
void acquire_handle(struct manager *m, const struct ipsp_acquire *a);
void acquire_wait(struct manager *m, __u64 request);	/* the agent asks for the next ones */
void acquire_sa_came(struct manager *m, const struct ipsp_sa *sa);
void acquire_expired(struct manager *m, const struct ipsp_sa *sa, const struct ipsp_handle *h);	/* it met a limit */
bool acquire_is_quiet(void);			/* the agent has been told of all */
__u64 acquire_waiter(void);			/* its request, or 0 */
void acquire_succeed(__u64 waiter);		/* a predecessor may have told of some */

/* reply.c: to the admin whose request has that id; 0, or -errno: -ENOENT, it has gone */
int reply_send(struct manager *m, __u64 request, int status, const struct text *out, __u32 next);

/* admin.c */
void admin_answer(struct manager *m, struct ipsp_record *request);

/* config.c: applies FILE's [compartment] before, the rest after the port is open */
int config_options(struct manager *m, const char *path);
int config_apply(struct manager *m, const char *path);

#endif
