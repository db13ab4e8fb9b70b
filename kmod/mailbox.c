// SPDX-License-Identifier: GPL-2.0
/*
 * mailbox.c - what the manager has to read, and who waits for which reply
 *
 * Messages are whole records in kernel memory. Requests may carry keys, so each one is
 * zeroed when it is let go. Bounded, events and requests apart, so that admins cannot push
 * out events. Events that do not fit are counted, and told about at their place.
 */
#include <linux/cred.h>
#include <linux/mm_types.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include "compartment.h"
#include "ipsec_port_ring.h"
#include "port.h"

/* The fixed part of a request or reply fits in this, whatever stands behind. */
#define MESSAGE_HEAD	256

struct message {
	struct list_head list;
	u32 size;
	enum message_kind kind;
	u8 data[] __aligned(8);		/* a whole record */
};

static const u32 mailbox_max[] = {
	[MESSAGE_EVENT] = 256,
	[MESSAGE_ACQUIRE] = 64,
	[MESSAGE_REQUEST] = 64,
	[MESSAGE_REPLY] = U32_MAX,	/* one for each admin, who asks one thing at a time */
};

static struct ipsp_record *message_record(struct message *msg)
{
	return (struct ipsp_record *)msg->data;
}

/* Of a request or reply. */
static struct ipsp_admin *message_admin(struct message *msg)
{
	return (struct ipsp_admin *)(message_record(msg) + 1);
}

static struct message *message_new(enum message_kind kind, u32 size, gfp_t gfp)
{
	struct message *msg = kvzalloc(sizeof(*msg) + size, gfp);

	if (!msg)
		return NULL;
	msg->kind = kind;
	msg->size = size;
	ipsp_stats_made();
	return msg;
}

static void message_free(struct message *msg)
{
	memzero_explicit(msg->data, msg->size);
	kvfree(msg);
	ipsp_stats_freed();
}

static void message_free_list(struct list_head *list)
{
	struct message *msg, *next;

	list_for_each_entry_safe(msg, next, list, list)
		message_free(msg);
}

void ipsp_mailbox_init(struct mailbox *m)
{
	spin_lock_init(&m->lock);
	INIT_LIST_HEAD(&m->admins);
	init_waitqueue_head(&m->wait);
}

/* ---- the queue ------------------------------------------------------------------- */

/* -EPIPE: there is nobody; -EAGAIN: full. */
static int mailbox_add(struct mailbox *m, struct port_file *to, struct message *msg)
{
	lockdep_assert_held(&m->lock);
	if (!to)
		return -EPIPE;
	if (m->queued[msg->kind] >= mailbox_max[msg->kind])
		return -EAGAIN;
	list_add_tail(&msg->list, &to->messages);
	m->queued[msg->kind]++;
	wake_up_interruptible(&m->wait);
	return 0;
}

static void mailbox_unlink(struct mailbox *m, struct message *msg)
{
	lockdep_assert_held(&m->lock);
	list_del(&msg->list);
	WRITE_ONCE(m->queued[msg->kind], m->queued[msg->kind] - 1);
	if (msg->kind == MESSAGE_REQUEST)
		wake_up_interruptible(&m->wait);
}

/* ---- events ---------------------------------------------------------------------- */

/* One of the kernel's own, of one control part. */
static bool record_add(struct mailbox *m, enum message_kind kind, u16 type, const void *part,
		       u32 len)
{
	u32 size = ALIGN(sizeof(struct ipsp_record) + len, IPSP_ALIGN);
	struct message *msg = message_new(kind, size, GFP_ATOMIC);
	struct ipsp_record *rec;

	if (!msg)
		return false;
	rec = message_record(msg);
	rec->len = size;
	rec->type = type;
	rec->control_len = len;
	rec->data_offset = size;
	rec->band = IPSP_BAND_CONTROL;
	memcpy(rec + 1, part, len);
	if (!mailbox_add(m, m->manager, msg))
		return true;
	message_free(msg);
	return false;
}

static bool event_add(struct mailbox *m, const struct ipsp_event *event)
{
	return record_add(m, MESSAGE_EVENT, IPSP_REC_EVENT, event, sizeof(*event));
}

/* Stands in the queue where the lost ones would. */
static void event_tell_lost(struct mailbox *m)
{
	const struct ipsp_event event = {
		.event = IPSP_EVENT_LOST, .count = m->lost, .time = ktime_get_real_ns(),
	};

	lockdep_assert_held(&m->lock);
	if (m->lost && event_add(m, &event))
		m->lost = 0;
}

static void event_post(struct mailbox *m, struct ipsp_event *e, struct pid *pid)
{
	e->time = ktime_get_real_ns();
	spin_lock_bh(&m->lock);
	if (m->manager) {
		e->pid = pid_nr_ns(pid, m->manager->pids);
		event_tell_lost(m);
		if (m->lost || !event_add(m, e))
			m->lost++;
	}
	spin_unlock_bh(&m->lock);
}

void ipsp_mailbox_event(struct compartment *c, u32 event, u32 cause, u32 stack, struct pid *pid,
			u64 count)
{
	struct ipsp_event e = { .event = event, .cause = cause, .stack = stack, .count = count };

	event_post(&c->mailbox, &e, pid);
}

void ipsp_mailbox_event_of(struct compartment *c, u32 event, u32 cause, u32 handle, u64 count)
{
	struct ipsp_event e = { .event = event, .cause = cause, .handle = handle, .count = count };

	event_post(&c->mailbox, &e, NULL);
}

void ipsp_mailbox_mismatch(struct compartment *c, u32 stack, u32 handle, u64 ticket)
{
	struct ipsp_event e = { .event = IPSP_EVENT_MISMATCH, .stack = stack, .handle = handle,
				.count = ticket };

	event_post(&c->mailbox, &e, NULL);
}

bool ipsp_mailbox_acquire(struct compartment *c, const struct ipsp_acquire *a)
{
	struct mailbox *m = &c->mailbox;
	bool told;

	spin_lock_bh(&m->lock);
	told = record_add(m, MESSAGE_ACQUIRE, IPSP_REC_ACQUIRE, a, sizeof(*a));
	spin_unlock_bh(&m->lock);
	return told;
}

/* ---- who is there ---------------------------------------------------------------- */

/* Admins whose request is out learn that nobody replies. */
static void mailbox_forsake(struct mailbox *m)
{
	struct port_file *p;

	m->manager = NULL;
	m->lost = 0;
	list_for_each_entry(p, &m->admins, list) {
		if (p->request)
			WRITE_ONCE(p->forsaken, true);
		p->request = 0;
	}
	wake_up_interruptible(&m->wait);
}

/* What an admin asked and nobody has read is not done any more. */
static void mailbox_withdraw(struct mailbox *m, u64 request, struct list_head *gone)
{
	struct message *msg, *next;

	list_for_each_entry_safe(msg, next, &m->manager->messages, list) {
		if (msg->kind != MESSAGE_REQUEST || message_admin(msg)->id != request)
			continue;
		mailbox_unlink(m, msg);
		list_add(&msg->list, gone);
	}
}

/* Nothing unread stays. */
static void mailbox_part(struct mailbox *m, struct port_file *p, struct list_head *gone)
{
	struct message *msg, *next;

	lockdep_assert_held(&m->lock);
	list_for_each_entry_safe(msg, next, &p->messages, list) {
		mailbox_unlink(m, msg);
		list_add(&msg->list, gone);
	}
	if (m->manager == p)
		mailbox_forsake(m);
	if (p->request)
		mailbox_withdraw(m, p->request, gone);
	p->request = 0;
	list_del_init(&p->list);
}

/*
 * Its mm has gone, and so has its process, or it has none any more: not one that execve(2)
 * has just given another. Then it is no manager, whoever still has its descriptor open.
 */
static bool mailbox_has_ended(const struct port_file *p)
{
	struct task_struct *leader;
	bool ended;

	if (atomic_read(&p->mm->mm_users))
		return false;
	rcu_read_lock();
	leader = pid_task(p->pid, PIDTYPE_TGID);
	ended = !leader || !READ_ONCE(leader->mm);
	rcu_read_unlock();
	return ended;
}

/* Under the lock, as ipsp_mailbox_go_on() may change a manager's mm. */
bool ipsp_mailbox_has_ended(struct port_file *p)
{
	struct mailbox *m = &p->c->mailbox;
	bool ended;

	spin_lock_bh(&m->lock);
	ended = m->manager == p ? mailbox_has_ended(p) : !atomic_read(&p->mm->mm_users);
	spin_unlock_bh(&m->lock);
	return ended;
}

/* The new image of the manager's process: all that was in the mailbox is. */
int ipsp_mailbox_go_on(struct port_file *p)
{
	struct mailbox *m = &p->c->mailbox;
	struct mm_struct *before = p->mm;
	int err = 0;

	lockdep_assert_held(&p->c->admin);
	if (before == current->mm)
		return -EBUSY;
	spin_lock_bh(&m->lock);
	if (m->manager == p) {
		mmgrab(current->mm);
		WRITE_ONCE(p->mm, current->mm);
	} else {
		err = -EPIPE;
	}
	spin_unlock_bh(&m->lock);
	if (!err)
		mmdrop(before);
	return err;
}

int ipsp_mailbox_enter(struct port_file *p, u32 role)
{
	struct mailbox *m = &p->c->mailbox;
	LIST_HEAD(gone);
	int err = 0;

	lockdep_assert_held(&p->c->admin);
	spin_lock_bh(&m->lock);
	if (m->manager && mailbox_has_ended(m->manager))
		mailbox_part(m, m->manager, &gone);
	if (role == IPSP_ROLE_ADMIN)
		list_add(&p->list, &m->admins);
	else if (m->manager)
		err = -EBUSY;
	else
		m->manager = p;
	spin_unlock_bh(&m->lock);
	message_free_list(&gone);
	return err;
}

void ipsp_mailbox_leave(struct port_file *p)
{
	struct mailbox *m = &p->c->mailbox;
	LIST_HEAD(gone);

	spin_lock_bh(&m->lock);
	mailbox_part(m, p, &gone);
	spin_unlock_bh(&m->lock);
	message_free_list(&gone);
}

/* ---- get ------------------------------------------------------------------------- */

/*
 * The next one, at most out->size long and of that band or above; NULL: none, -EAGAIN: it
 * is of a lower band, -EMSGSIZE: out->size says what it needs.
 */
static struct message *mailbox_take(struct port_file *p, struct ipsp_message *out)
{
	struct mailbox *m = &p->c->mailbox;
	struct message *msg;

	spin_lock_bh(&m->lock);
	msg = list_first_entry_or_null(&p->messages, struct message, list);
	if (msg && message_record(msg)->band < out->band) {
		msg = ERR_PTR(-EAGAIN);
	} else if (msg && msg->size > out->size) {
		out->size = msg->size;
		msg = ERR_PTR(-EMSGSIZE);
	} else if (msg) {
		mailbox_unlink(m, msg);
		event_tell_lost(m);
	}
	spin_unlock_bh(&m->lock);
	return msg;
}

/* It could not be delivered: it is the first again. */
static void mailbox_return(struct port_file *p, struct message *msg)
{
	struct mailbox *m = &p->c->mailbox;

	spin_lock_bh(&m->lock);
	list_add(&msg->list, &p->messages);
	m->queued[msg->kind]++;
	spin_unlock_bh(&m->lock);
}

static struct message *mailbox_wait(struct port_file *p, struct ipsp_message *out, bool nonblock)
{
	struct message *msg;

	while (!READ_ONCE(p->c->gone)) {
		msg = mailbox_take(p, out);
		if (msg)
			return msg;
		if (READ_ONCE(p->forsaken))
			break;
		if (nonblock)
			return ERR_PTR(-EAGAIN);
		if (wait_event_interruptible(p->c->mailbox.wait,
					     !list_empty(&p->messages) ||
					     READ_ONCE(p->forsaken) || READ_ONCE(p->c->gone)))
			return ERR_PTR(-ERESTARTSYS);
	}
	return ERR_PTR(-EPIPE);
}

int ipsp_mailbox_get(struct port_file *p, struct ipsp_message *out, bool nonblock)
{
	struct message *msg = mailbox_wait(p, out, nonblock);

	if (IS_ERR(msg))
		return PTR_ERR(msg);
	if (copy_to_user(u64_to_user_ptr(out->record), msg->data, msg->size)) {
		mailbox_return(p, msg);
		return -EFAULT;
	}
	out->size = msg->size;
	message_free(msg);
	return 0;
}

/* ---- put ------------------------------------------------------------------------- */

static bool message_is_sane(struct message *msg)
{
	const u16 type = msg->kind == MESSAGE_REQUEST ? IPSP_REC_ADMIN_REQUEST :
							IPSP_REC_ADMIN_REPLY;
	const struct ipsp_record *rec = message_record(msg);
	const struct ipsp_admin *a = message_admin(msg);

	if (!ipsp_record_is_sane(rec, msg->size) || rec->len != msg->size || rec->type != type ||
	    rec->control_len != sizeof(*a) || (rec->flags & ~IPSP_RECF_SECRET) ||
	    rec->generation || rec->ticket || rec->band > IPSP_BAND_URGENT ||
	    memchr_inv(rec->reserved8, 0, sizeof(rec->reserved8)) ||
	    memchr_inv(rec->reserved, 0, sizeof(rec->reserved)))
		return false;
	return !(a->flags & ~IPSP_ADMINF_ALL) && !memchr_inv(a->reserved, 0, sizeof(a->reserved));
}

/* Copied once to private memory, then checked. */
static struct message *message_from_user(const struct ipsp_message *in, enum message_kind kind)
{
	struct message *msg;
	int err = -EINVAL;

	if (in->size < sizeof(struct ipsp_record) + sizeof(struct ipsp_admin) ||
	    in->size > IPSP_ADMIN_MAX + MESSAGE_HEAD)
		return ERR_PTR(-EINVAL);
	msg = message_new(kind, in->size, GFP_KERNEL_ACCOUNT);
	if (!msg)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(msg->data, u64_to_user_ptr(in->record), in->size))
		err = -EFAULT;
	else if (message_is_sane(msg))
		return msg;
	message_free(msg);
	return ERR_PTR(err);
}

/* Stamped with who asks; the manager judges by that. */
static void request_stamp(struct message *msg)
{
	struct ipsp_admin *a = message_admin(msg);

	a->uid = from_kuid_munged(&init_user_ns, current_uid());
	a->gid = from_kgid_munged(&init_user_ns, current_gid());
	a->pid = task_tgid_nr(current);
	a->status = 0;
}

/* One at a time, so that a reply needs no other name than its admin. */
static int request_add(struct port_file *p, struct message *msg)
{
	struct mailbox *m = &p->c->mailbox;
	int err = -EBUSY;

	spin_lock_bh(&m->lock);
	if (READ_ONCE(p->c->gone)) {
		err = -EPIPE;
	} else if (!p->request && list_empty(&p->messages)) {
		message_admin(msg)->id = m->next_id + 1;
		err = mailbox_add(m, m->manager, msg);
	}
	if (!err) {
		p->request = ++m->next_id;
		p->forsaken = false;
	}
	spin_unlock_bh(&m->lock);
	return err;
}

static bool request_has_room(struct mailbox *m)
{
	return READ_ONCE(m->queued[MESSAGE_REQUEST]) < mailbox_max[MESSAGE_REQUEST] ||
	       !READ_ONCE(m->manager);
}

static int mailbox_request(struct port_file *p, struct message *msg, bool nonblock)
{
	struct mailbox *m = &p->c->mailbox;
	int err;

	request_stamp(msg);
	while ((err = request_add(p, msg)) == -EAGAIN && !nonblock) {
		err = wait_event_interruptible(m->wait, request_has_room(m) ||
					       READ_ONCE(p->c->gone));
		if (err)
			break;
	}
	return err;
}

/* To the admin whose request has that id, if it is still there. */
static int mailbox_reply(struct port_file *p, struct message *msg)
{
	struct mailbox *m = &p->c->mailbox;
	struct port_file *admin;
	int err = -ENOENT;

	spin_lock_bh(&m->lock);
	list_for_each_entry(admin, &m->admins, list) {
		if (!admin->request || admin->request != message_admin(msg)->id)
			continue;
		admin->request = 0;
		err = mailbox_add(m, admin, msg);
		break;
	}
	spin_unlock_bh(&m->lock);
	return err;
}

int ipsp_mailbox_put(struct port_file *p, const struct ipsp_message *in, bool nonblock)
{
	bool asks = p->role == IPSP_ROLE_ADMIN;
	struct message *msg = message_from_user(in, asks ? MESSAGE_REQUEST : MESSAGE_REPLY);
	int err;

	if (IS_ERR(msg))
		return PTR_ERR(msg);
	err = asks ? mailbox_request(p, msg, nonblock) : mailbox_reply(p, msg);
	if (err)
		message_free(msg);
	return err;
}
