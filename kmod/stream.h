/* SPDX-License-Identifier: GPL-2.0 */
/* stream.h - an attached stack and its two rings (see ipsec_port_ring.h) */
#ifndef IPSP_STREAM_H
#define IPSP_STREAM_H

#include <linux/hrtimer.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/poll.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "ipsec_port_ring.h"
#include "ipsec_port_selector.h"

struct compartment;
struct port_file;

/*
 * state    packets       control       KICK   moved by
 * AWAITS   no            own snapshot  yes    attach
 * READY    if it shares  yes           yes    SNAPSHOT_END (announce.c), under c->lock
 * LEAVING  no            no            yes    fewer are wanted (share.c), under c->lock
 * BROKEN   no            no            EPIPE  ipsp_stream_break, under c->lock
 */
enum stack_state { STACK_AWAITS, STACK_READY, STACK_LEAVING, STACK_BROKEN };

enum area_name { AREA_KERNEL_WORDS, AREA_STACK_WORDS, AREA_DOWN, AREA_UP, AREA_COUNT };

struct area {
	struct page **pages;		/* twice in a row (rings), once (words) */
	u32 count;
	void *base;			/* vmapped */
};

#define IPSP_STREAM_PATIENCE NSEC_PER_MSEC

#define STREAM_SECRETS 256
struct secret {				/* a record in the down ring that holds a key */
	u32 at, len;
};

/* The inner packet that was allowed last; see answer.c. */
struct allowed {
	struct ipsp_tuple tuple;
	const void *rules;		/* compared, never followed */
	unsigned long jiffies;
	u32 handle;
	int ifindex;
};

/* Votes of one direction that a stack has not cast. Protected by c->lock. */
struct owed {
	u32 count;
	u64 first;			/* the earliest one's ticket, without its direction */
	u64 since;			/* ns: when it became that */
};

struct stack {
	struct compartment *c;		/* referenced */
	u32 index;
	enum stack_state state;		/* written under c->lock */
	u32 cause;			/* IPSP_BROKEN_* once BROKEN */
	struct pid *pid;
	struct address_space *mapping;	/* of the file that attached: what is zapped */
	struct mutex message;		/* one GETMSG or PUTMSG at a time: protects message_at */
	struct mutex kick;		/* one batch of answers at a time: protects up */
	bool mapped;			/* mmap was used: no GETMSG/PUTMSG */
	wait_queue_head_t wait;		/* KICK WAIT, poll */
	struct hrtimer patience;	/* wakes it for what need not wake it at once */
	struct area area[AREA_COUNT];
	struct ipsp_ring down;		/* we produce; protected by c->lock */
	struct ipsp_ring up;		/* we consume; protected by kick */
	struct allowed allowed;		/* protected by kick */
	struct ipsp_acquire acquire;	/* VOTE, SAMPLE: waits for its answer; protected by kick */
	u32 message_at;			/* GETMSG without mmap: what was read of down */
	struct secret secrets[STREAM_SECRETS];	/* protected by c->lock */
	u32 secret_head, secret_tail;
	u32 refused;			/* bytes of the control record that had no room; 0: none */
	u32 seen;			/* the stack's index of `down` when it was seen to move, */
	u64 moved;			/* and when, in ns: see ipsp_stream_idle */
	u32 snapshot_end;		/* the index behind SNAPSHOT_END, once READY */
	u64 snapshot_read;		/* ns: when it had passed that; 0: not yet */
	u32 load;			/* of tickets it has not answered; protected by c->lock */
	u32 votes;			/* it has cast, " */
	u32 outvoted;			/* of those in this IPSP_EJECT_WINDOW, " */
	u64 told;			/* what it was outvoted in last, see quorum.c; " */
	bool merges;			/* IPSP_ATTACHF_MERGES; not changed */
	struct owed owed[2];		/* IPSP_DIR_OUT, IPSP_DIR_IN */
	struct work_struct broken_work;	/* the part of a break that may sleep */
};

/* Process context, under c->admin. The caller has checked the index. */
int ipsp_stream_attach(struct port_file *p, u32 index, bool merges);
/* Release of the file or the end of the mm: tickets go back to be dealt again. */
void ipsp_stream_detach(struct stack *s);

int ipsp_stream_mmap(struct stack *s, struct vm_area_struct *vma);
int ipsp_stream_layout(struct port_file *p, void *arg);		/* struct ipsp_layout */
/* GETMSG, PUTMSG of a stack that does not mmap. Block unless nonblock. */
int ipsp_stream_getmsg(struct stack *s, struct ipsp_message *m, bool nonblock);
int ipsp_stream_putmsg(struct stack *s, const struct ipsp_message *m);
__poll_t ipsp_stream_poll(struct stack *s, struct file *file, poll_table *wait);

/*
 * Breaks the attachment: POLLERR, mappings zapped, tickets dealt again, the process killed
 * if it is at fault (a cause). Any context; the slow part runs in a work. The second form:
 * under c->lock.
 */
void ipsp_stream_break(struct stack *s, u32 cause);
void ipsp_stream_break_locked(struct stack *s, u32 cause);

/* Under c->lock. NULL: no room. The header's len is set; the caller fills the rest. */
struct ipsp_record *ipsp_stream_reserve(struct stack *s, u32 control_len, u32 data_len);
/* false: too many */
bool ipsp_stream_secret(struct stack *s, const struct ipsp_record *rec);
/* Publishes and wakes; what is not urgent wakes within IPSP_STREAM_PATIENCE. */
void ipsp_stream_submit(struct stack *s, bool urgent);
void ipsp_stream_cancel(struct stack *s);	/* takes back what was not submitted */
bool ipsp_stream_has_work(const struct stack *s);	/* records not yet consumed */
/* Under c->lock: room for the refused control record, if there is one; for a packet beside it. */
bool ipsp_stream_has_room(struct stack *s);
bool ipsp_stream_has_spare(struct stack *s, u32 len);
bool ipsp_stream_fits(struct stack *s, u32 len);	/* the same, and that much room */
void ipsp_stream_progress(struct stack *s);	/* under c->lock: the stack may have moved */
u64 ipsp_stream_idle(struct stack *s, u64 now);	/* under c->lock: ns since it moved */

/*
 * announce.c: a control record (already copied from user, sane lengths) into the streams of
 * target (-1: all READY). Called under c->admin. POLICY swaps the protect list in the same
 * critical section; SNAPSHOT_END makes the target READY. -EAGAIN: no room in one, nothing put.
 */
int ipsp_announce(struct compartment *c, int target, struct ipsp_record *rec, u32 *generation);

/* answer.c: takes all submitted up records (hostile), then maybe sleeps. */
long ipsp_answer_kick(struct stack *s, unsigned long flags);

#endif
