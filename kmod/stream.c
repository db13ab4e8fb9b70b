// SPDX-License-Identifier: GPL-2.0
/*
 * stream.c - an attached stack: its memory, its two rings, its end
 *
 * Theory of operation. The pages belong to the module and are mapped twice: into the
 * kernel (rings twice in a row) and into the stack. The stack's mappings hold the file,
 * so the file's release comes after the last of them; detach may then free the pages.
 * A break takes the mappings away earlier (they turn into SIGBUS), and the process with
 * them; the index stays taken until its file is released.
 */
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include "compat/compat.h"
#include "compartment.h"
#include "port.h"
#include "stream.h"

/* ---- memory -------------------------------------------------------------------- */

/* Each stack index has its own 4 GiB of offsets, so that a break zaps only its own. */
static u64 stream_offset(const struct stack *s)
{
	return (u64)(s->index + 1) << 32;
}

static const struct area_shape {
	u64 offset;			/* from the stack's */
	u32 times;			/* mapped so often in a row */
	bool writable;			/* by the stack */
} area_shapes[AREA_COUNT] = {
	[AREA_KERNEL_WORDS] = { 0, 1, false },
	[AREA_STACK_WORDS] = { 1ull << 20, 1, true },
	[AREA_DOWN] = { 1ull << 28, 2, false },
	[AREA_UP] = { 2ull << 28, 2, true },
};

static void area_free(struct area *a)
{
	u32 i;

	if (a->base)
		vunmap(a->base);
	for (i = 0; a->pages && i < a->count; i++)
		if (a->pages[i])
			__free_page(a->pages[i]);
	kvfree(a->pages);
}

/* `times` rows of the same pages. */
static int area_alloc(struct area *a, u32 size, u32 times)
{
	u32 i, n = size >> PAGE_SHIFT;

	a->count = n;
	a->pages = kvcalloc((size_t)n * times, sizeof(*a->pages), GFP_KERNEL_ACCOUNT);
	if (!a->pages)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		a->pages[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!a->pages[i])
			return -ENOMEM;
	}
	for (; i < n * times; i++)
		a->pages[i] = a->pages[i - n];
	a->base = vmap(a->pages, n * times, VM_MAP, PAGE_KERNEL);
	return a->base ? 0 : -ENOMEM;
}

static void stream_free(struct stack *s)
{
	int i;

	for (i = 0; i < AREA_COUNT; i++)
		area_free(&s->area[i]);
	kfree(s);
}

static struct stack *stream_alloc(const struct ipsp_compartment *config)
{
	const u32 size[] = { PAGE_SIZE, PAGE_SIZE, config->down_size, config->up_size };
	struct stack *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	struct ipsp_words *kernel, *stack;
	int i;

	BUILD_BUG_ON(sizeof(struct ipsp_words) > PAGE_SIZE || ARRAY_SIZE(size) != AREA_COUNT);
	if (!s)
		return NULL;
	for (i = 0; i < AREA_COUNT; i++) {
		if (area_alloc(&s->area[i], size[i], area_shapes[i].times)) {
			stream_free(s);
			return NULL;
		}
	}
	kernel = s->area[AREA_KERNEL_WORDS].base;
	stack = s->area[AREA_STACK_WORDS].base;
	ipsp_ring_init(&s->down, s->area[AREA_DOWN].base, config->down_size,
		       &kernel->down.kindex, &stack->down.kindex);
	ipsp_ring_init(&s->up, s->area[AREA_UP].base, config->up_size,
		       &kernel->up.kindex, &stack->up.kindex);
	return s;
}

/* ---- wake-ups ------------------------------------------------------------------------ */

static void stream_wake(struct stack *s)
{
	ipsp_count(s->c, WAKEUPS);
	wake_up_interruptible_sync_poll(&s->wait, EPOLLIN);
}

/* Armed under c->lock while c->stack[] has the stack; cancelled behind that. */
static enum hrtimer_restart stream_patience_ends(struct hrtimer *timer)
{
	struct stack *s = container_of(timer, struct stack, patience);

	if (ipsp_stream_has_work(s) && wq_has_sleeper(&s->wait))
		stream_wake(s);
	return HRTIMER_NORESTART;
}

static void stream_patience_init(struct stack *s)
{
	hrtimer_init(&s->patience, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	s->patience.function = stream_patience_ends;
}

/* Who is awake looks again before he sleeps. */
void ipsp_stream_submit(struct stack *s, bool urgent)
{
	lockdep_assert_held(&s->c->lock);
	ipsp_ring_submit(&s->down);
	if (!wq_has_sleeper(&s->wait))
		return;
	if (urgent)
		stream_wake(s);
	else if (!hrtimer_is_queued(&s->patience))
		hrtimer_start(&s->patience, ns_to_ktime(IPSP_STREAM_PATIENCE),
			      HRTIMER_MODE_REL_SOFT);
}

/* ---- attach, break, detach ------------------------------------------------------- */

/*
 * A process that let go of its port, or ends anyhow, is left in peace; so is not one of a
 * compartment that is gone: nothing could be done with it, and it would keep the module.
 */
static bool stream_is_at_fault(const struct stack *s)
{
	return s->cause || READ_ONCE(s->c->gone);
}

static void stream_broken_work(struct work_struct *work)
{
	struct stack *s = container_of(work, struct stack, broken_work);
	u32 event = !s->cause ? IPSP_EVENT_STACK_DIED :
		    s->cause == IPSP_BROKEN_DEADLINE ? IPSP_EVENT_STACK_HUNG :
		    IPSP_EVENT_STACK_BROKEN;
	u32 pending;

	unmap_mapping_range(s->mapping, stream_offset(s), 1ull << 32, 1);
	if (stream_is_at_fault(s))
		kill_pid(s->pid, SIGKILL, 1);
	wake_up_interruptible_all(&s->wait);
	ipsp_flow_flush_bypass(s->c);
	ipsp_deal_stack_gone(s->c, s, &pending);
	wake_up_interruptible(&s->c->mailbox.wait);	/* it has no room, and needs none */
	ipsp_mailbox_event(s->c, event, s->cause, s->index, s->pid, pending);
}

void ipsp_stream_break_locked(struct stack *s, u32 cause)
{
	struct compartment *c = s->c;
	enum stack_state was;

	lockdep_assert_held(&c->lock);
	if (s->state == STACK_BROKEN)
		return;
	was = s->state;
	s->cause = cause;
	WRITE_ONCE(s->state, STACK_BROKEN);
	if (was == STACK_READY)
		ipsp_share_update(c);	/* a spare has its place at once */
	if (cause == IPSP_BROKEN_NONE)
		ipsp_count(c, STACKS_DIED);
	else if (cause == IPSP_BROKEN_DEADLINE)
		ipsp_count(c, STACKS_HUNG);
	else
		ipsp_count(c, STACKS_BROKEN);
	queue_work(system_highpri_wq, &s->broken_work);
}

void ipsp_stream_break(struct stack *s, u32 cause)
{
	spin_lock_bh(&s->c->lock);
	ipsp_stream_break_locked(s, cause);
	spin_unlock_bh(&s->c->lock);
}

int ipsp_stream_attach(struct port_file *p, u32 index, bool merges)
{
	struct compartment *c = p->c;
	struct stack *s;

	lockdep_assert_held(&c->admin);
	if (c->stack[index])
		return -EBUSY;
	s = stream_alloc(&c->config);
	if (!s)
		return -ENOMEM;
	s->c = c;
	s->index = index;
	s->merges = merges;
	mutex_init(&s->message);
	mutex_init(&s->kick);
	init_waitqueue_head(&s->wait);
	stream_patience_init(s);
	INIT_WORK(&s->broken_work, stream_broken_work);
	s->mapping = p->file->f_mapping;
	s->pid = get_pid(task_tgid(current));
	p->stack = s;
	ipsp_compartment_hold(c);
	spin_lock_bh(&c->lock);
	c->stack[index] = s;
	spin_unlock_bh(&c->lock);
	ipsp_stats_made();
	ipsp_count(c, STACKS_ATTACHED);
	ipsp_mailbox_event(c, IPSP_EVENT_STACK_ATTACHED, 0, index, s->pid, 0);
	return 0;
}

/*
 * Who may still hold the stack, and why not after this:
 *   KICK, GETMSG, mmap, poll: run under the file whose release calls us;
 *   softirq (deal_run), watchdog: reach it through c->stack[], cleared under c->lock;
 *   broken_work: flushed here; nobody queues it again once c->stack[] is clear;
 *   patience: cancelled here, likewise.
 */
void ipsp_stream_detach(struct stack *s)
{
	struct compartment *c = s->c;

	ipsp_stream_break(s, IPSP_BROKEN_NONE);
	flush_work(&s->broken_work);
	mutex_lock(&c->admin);
	spin_lock_bh(&c->lock);
	c->stack[s->index] = NULL;
	spin_unlock_bh(&c->lock);
	mutex_unlock(&c->admin);
	hrtimer_cancel(&s->patience);
	memzero_explicit(s->down.base, s->down.size);
	put_pid(s->pid);
	stream_free(s);
	ipsp_compartment_put(c);
	ipsp_stats_freed();
}

/* ---- mmap --------------------------------------------------------------------------- */

int ipsp_stream_layout(struct port_file *p, void *arg)
{
	const struct stack *s = p->stack;
	struct ipsp_layout *out = arg;
	u64 base = stream_offset(s);

	out->kernel_words_offset = base + area_shapes[AREA_KERNEL_WORDS].offset;
	out->stack_words_offset = base + area_shapes[AREA_STACK_WORDS].offset;
	out->down_offset = base + area_shapes[AREA_DOWN].offset;
	out->up_offset = base + area_shapes[AREA_UP].offset;
	out->down_size = s->down.size;
	out->up_size = s->up.size;
	out->page_size = PAGE_SIZE;
	out->interface = IPSP_INTERFACE;
	return 0;
}

/* The end of the mm (or an munmap) is the stack's death, wherever its descriptor is. */
static void stream_vm_close(struct vm_area_struct *vma)
{
	ipsp_stream_break(vma->vm_private_data, IPSP_BROKEN_NONE);
}

static int stream_vm_refuse_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

static int stream_vm_refuse_move(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static const struct vm_operations_struct stream_vm_ops = {
	.close = stream_vm_close,
	.may_split = stream_vm_refuse_split,
	.mremap = stream_vm_refuse_move,
};

int ipsp_stream_mmap(struct stack *s, struct vm_area_struct *vma)
{
	u64 offset = ((u64)vma->vm_pgoff << PAGE_SHIFT) - stream_offset(s);
	const struct area_shape *shape;
	const struct area *a;
	int i, err;

	if (READ_ONCE(s->state) == STACK_BROKEN)
		return -EPIPE;
	for (i = 0; i < AREA_COUNT && area_shapes[i].offset != offset; i++)
		;
	if (i == AREA_COUNT)
		return -EINVAL;
	a = &s->area[i];
	shape = &area_shapes[i];
	if (vma_pages(vma) != a->count * shape->times || !(vma->vm_flags & VM_SHARED) ||
	    (vma->vm_flags & VM_EXEC))
		return -EINVAL;
	if (!shape->writable) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		ipsp_vm_flags_clear(vma, VM_MAYWRITE);
	}
	ipsp_vm_flags_clear(vma, VM_MAYEXEC);
	/* VM_IO: else madvise() may ask for a copy on fork after all */
	ipsp_vm_flags_set(vma, VM_IO | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	err = vm_map_pages_zero(vma, a->pages, a->count * shape->times);
	if (err)
		return err;
	vma->vm_private_data = s;
	vma->vm_ops = &stream_vm_ops;
	s->mapped = true;
	return 0;
}

/* ---- down ring -------------------------------------------------------------------- */

/* Zeroes what bore a key and has been released. */
static void stream_wipe(struct stack *s)
{
	while (s->secret_tail != s->secret_head) {
		struct secret *x = &s->secrets[s->secret_tail % STREAM_SECRETS];

		if ((s32)(s->down.peer - (x->at + x->len)) < 0)
			return;
		memzero_explicit(ipsp_ring_at(&s->down, x->at), x->len);
		s->secret_tail++;
	}
}

static void stream_room(struct stack *s)
{
	if (!ipsp_ring_refresh_room(&s->down))
		ipsp_stream_break_locked(s, IPSP_BROKEN_INDEX);
	stream_wipe(s);
}

struct ipsp_record *ipsp_stream_reserve(struct stack *s, u32 control_len, u32 data_len)
{
	u32 data_offset = ipsp_record_data_offset(control_len);
	u32 len = ALIGN(data_offset + data_len, IPSP_ALIGN);
	struct ipsp_record *rec;

	lockdep_assert_held(&s->c->lock);
	if (s->secret_tail != s->secret_head)
		stream_room(s);
	rec = ipsp_ring_reserve(&s->down, len);
	if (!rec) {
		stream_room(s);		/* says whether the index is a lie */
		return NULL;
	}
	memset(rec, 0, data_offset);
	rec->len = len;
	rec->control_len = control_len;
	rec->data_offset = data_offset;
	rec->data_len = data_len;
	return rec;
}

bool ipsp_stream_secret(struct stack *s, const struct ipsp_record *rec)
{
	lockdep_assert_held(&s->c->lock);
	if (s->secret_head - s->secret_tail == STREAM_SECRETS)
		return false;
	s->secrets[s->secret_head % STREAM_SECRETS] =
		(struct secret){ .at = s->down.head - rec->len, .len = rec->len };
	s->secret_head++;
	return true;
}

void ipsp_stream_cancel(struct stack *s)
{
	lockdep_assert_held(&s->c->lock);
	ipsp_ring_cancel(&s->down);
	while (s->secret_head != s->secret_tail &&
	       (s32)(s->secrets[(s->secret_head - 1) % STREAM_SECRETS].at - s->down.own) >= 0)
		s->secret_head--;
}

/* ---- room for control records ------------------------------------------------------- */

bool ipsp_stream_has_room(struct stack *s)
{
	lockdep_assert_held(&s->c->lock);
	if (!s->refused)
		return true;
	stream_room(s);
	return s->down.size - ipsp_ring_used(&s->down) >= s->refused &&
	       s->secret_head - s->secret_tail < STREAM_SECRETS;
}

/* What packets may not take: the record that was refused comes again. */
bool ipsp_stream_has_spare(struct stack *s, u32 len)
{
	lockdep_assert_held(&s->c->lock);
	if (s->refused)
		stream_room(s);
	return !s->refused || s->down.size - ipsp_ring_used(&s->down) >= len + s->refused;
}

bool ipsp_stream_fits(struct stack *s, u32 len)
{
	lockdep_assert_held(&s->c->lock);
	if (s->down.size - ipsp_ring_used(&s->down) < len + s->refused)
		stream_room(s);
	return s->down.size - ipsp_ring_used(&s->down) >= len + s->refused;
}

/* The stack's index may have moved: is its snapshot read, and is there room again? */
void ipsp_stream_progress(struct stack *s)
{
	lockdep_assert_held(&s->c->lock);
	if (!s->snapshot_read && s->state > STACK_AWAITS &&
	    (s32)(ipsp_ring_observe(s->down.kpeer) - s->snapshot_end) >= 0)
		s->snapshot_read = ktime_get_coarse_ns();
	if (s->refused && ipsp_stream_has_room(s))
		wake_up_interruptible(&s->c->mailbox.wait);
}

/* ns since the stack's index was last seen to move; seen now. A lie is as good as a move. */
u64 ipsp_stream_idle(struct stack *s, u64 now)
{
	u32 index = ipsp_ring_observe(s->down.kpeer);

	lockdep_assert_held(&s->c->lock);
	if (index != s->seen) {
		s->seen = index;
		s->moved = now;
	}
	return now - s->moved;
}

/* A lie about the consumer's index only costs the liar his sleep. */
bool ipsp_stream_has_work(const struct stack *s)
{
	return ipsp_ring_observe(s->down.kpeer) != READ_ONCE(s->down.own);
}

/* ---- one record at a time: a stack that does not mmap ---------------------------- */

/*
 * The stack's memory may let us wait for as long as it likes (userfaultfd, FUSE). So it is
 * touched under `message` alone, which nobody needs to end an attachment, unlike `kick`.
 */

static long stream_wait_work(struct stack *s, bool nonblock)
{
	if (nonblock && !ipsp_stream_has_work(s))
		return -EAGAIN;
	if (wait_event_interruptible(s->wait, ipsp_stream_has_work(s) ||
				     READ_ONCE(s->state) == STACK_BROKEN))
		return -ERESTARTSYS;
	return READ_ONCE(s->state) == STACK_BROKEN ? -EPIPE : 0;
}

/* Bytes of records at message_at, by what we know: the index may lie, for a stack that maps. */
static u32 stream_unread(struct stack *s)
{
	u32 unread;

	spin_lock_bh(&s->c->lock);
	unread = s->down.own - s->message_at;
	spin_unlock_bh(&s->c->lock);
	return unread;
}

/*
 * The record at message_at. One that maps its words while it is in here can have it written
 * over by newer ones: what is copied then is nonsense, but inside the ring.
 */
static long stream_get_one(struct stack *s, struct ipsp_message *m)
{
	struct ipsp_words *words = s->area[AREA_STACK_WORDS].base;
	struct ipsp_record *rec = ipsp_ring_at(&s->down, s->message_at);
	u32 unread = stream_unread(s), len;

	if (!unread)
		return -EAGAIN;
	len = READ_ONCE(rec->len);
	if (unread > s->down.size || len > unread || len < sizeof(*rec)) {
		ipsp_stream_break(s, IPSP_BROKEN_INDEX);
		return -EPIPE;
	}
	if (rec->band < m->band)
		return -EAGAIN;
	if (m->size < len) {
		m->size = len;
		return -EMSGSIZE;
	}
	if (copy_to_user(u64_to_user_ptr(m->record), rec, len))
		return -EFAULT;
	m->size = len;
	s->message_at += len;
	ipsp_ring_publish(&words->down.kindex, s->message_at);
	spin_lock_bh(&s->c->lock);
	stream_room(s);
	ipsp_deal_run(s->c);
	ipsp_stream_progress(s);
	spin_unlock_bh(&s->c->lock);
	return 0;
}

int ipsp_stream_getmsg(struct stack *s, struct ipsp_message *m, bool nonblock)
{
	long err;

	if (s->mapped)
		return -EBUSY;
	err = stream_wait_work(s, nonblock);
	if (err)
		return err;
	mutex_lock(&s->message);
	err = stream_get_one(s, m);
	mutex_unlock(&s->message);
	return err;
}

int ipsp_stream_putmsg(struct stack *s, const struct ipsp_message *m)
{
	struct ipsp_words *words = s->area[AREA_STACK_WORDS].base;
	long err = 0;

	if (s->mapped)
		return -EBUSY;
	if (m->size < sizeof(struct ipsp_record) || m->size > s->up.size ||
	    !IS_ALIGNED(m->size, IPSP_ALIGN))
		return -EINVAL;
	mutex_lock(&s->message);
	if (copy_from_user(ipsp_ring_record(&s->up), u64_to_user_ptr(m->record), m->size))
		err = -EFAULT;
	else
		ipsp_ring_publish(&words->up.kindex, s->up.head + m->size);
	err = err ?: ipsp_answer_kick(s, 0);
	mutex_unlock(&s->message);
	return err;
}

__poll_t ipsp_stream_poll(struct stack *s, struct file *file, poll_table *wait)
{
	__poll_t ready = EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &s->wait, wait);
	if (READ_ONCE(s->state) == STACK_BROKEN)
		return EPOLLERR;
	if (READ_ONCE(s->refused)) {
		spin_lock_bh(&s->c->lock);
		ipsp_stream_progress(s);
		spin_unlock_bh(&s->c->lock);
	}
	if (ipsp_stream_has_work(s))
		ready |= EPOLLIN | EPOLLRDNORM;
	return ready;
}
