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
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include "compat/compat.h"
#include "compartment.h"
#include "stream.h"

/* ---- memory -------------------------------------------------------------------- */

static void area_free(struct area *a)
{
	u32 i;

	if (a->base)
		vunmap(a->base);
	for (i = 0; a->pages && i < a->count; i++)
		if (a->pages[i])
			__free_page(a->pages[i]);
	kvfree(a->pages);
	memset(a, 0, sizeof(*a));
}

/* `times` rows of the same pages in the kernel's map. */
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
			goto err;
	}
	for (; i < n * times; i++)
		a->pages[i] = a->pages[i - n];
	a->base = vmap(a->pages, n * times, VM_MAP, PAGE_KERNEL);
	if (a->base)
		return 0;
err:
	area_free(a);
	return -ENOMEM;
}

static void stream_free_areas(struct stack *s)
{
	area_free(&s->kernel_words);
	area_free(&s->stack_words);
	area_free(&s->down_area);
	area_free(&s->up_area);
}

static int stream_alloc_areas(struct stack *s)
{
	const struct ipsp_compartment *config = &s->c->config;
	struct ipsp_words *kernel, *stack;
	int err;

	BUILD_BUG_ON(sizeof(struct ipsp_words) > PAGE_SIZE);
	err = area_alloc(&s->kernel_words, PAGE_SIZE, 1);
	err = err ?: area_alloc(&s->stack_words, PAGE_SIZE, 1);
	err = err ?: area_alloc(&s->down_area, config->down_size, 2);
	err = err ?: area_alloc(&s->up_area, config->up_size, 2);
	if (err) {
		stream_free_areas(s);
		return err;
	}
	kernel = s->kernel_words.base;
	stack = s->stack_words.base;
	ipsp_ring_init(&s->down, s->down_area.base, config->down_size,
		       &kernel->down.kindex, &stack->down.kindex);
	ipsp_ring_init(&s->up, s->up_area.base, config->up_size,
		       &kernel->up.kindex, &stack->up.kindex);
	return 0;
}

/* ---- attach, break, detach ------------------------------------------------------- */

/* Each stack index has its own 4 GiB of offsets, so that a break zaps only its own. */
static u64 stream_offset(const struct stack *s)
{
	return (u64)(s->index + 1) << 32;
}

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

	lockdep_assert_held(&c->lock);
	if (s->state == STACK_BROKEN)
		return;
	s->cause = cause;
	WRITE_ONCE(s->state, STACK_BROKEN);
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

struct stack *ipsp_stream_attach(struct compartment *c, u32 index, struct file *file)
{
	struct stack *s;
	int err;

	lockdep_assert_held(&c->admin);
	if (c->stack[index])
		return ERR_PTR(-EBUSY);
	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return ERR_PTR(-ENOMEM);
	s->c = c;
	s->index = index;
	err = stream_alloc_areas(s);
	if (err) {
		kfree(s);
		return ERR_PTR(err);
	}
	mutex_init(&s->kick);
	init_waitqueue_head(&s->wait);
	INIT_WORK(&s->broken_work, stream_broken_work);
	s->mapping = file->f_mapping;
	s->pid = get_pid(task_tgid(current));
	s->mm = current->mm;
	mmgrab(s->mm);
	ipsp_compartment_hold(c);
	spin_lock_bh(&c->lock);
	c->stack[index] = s;
	spin_unlock_bh(&c->lock);
	ipsp_stats_made();
	ipsp_count(c, STACKS_ATTACHED);
	ipsp_mailbox_event(c, IPSP_EVENT_STACK_ATTACHED, 0, index, s->pid, 0);
	return s;
}

/*
 * Who may still hold the stack, and why not after this:
 *   KICK, GETMSG, mmap, poll: run under the file whose release calls us;
 *   softirq (deal_run), watchdog: reach it through c->stack[], cleared under c->lock;
 *   broken_work: flushed here; nobody queues it again once c->stack[] is clear.
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
	memzero_explicit(s->down_area.base, s->down.size);
	stream_free_areas(s);
	put_pid(s->pid);
	mmdrop(s->mm);
	kfree(s);
	ipsp_compartment_put(c);
	ipsp_stats_freed();
}

/* ---- mmap --------------------------------------------------------------------------- */

struct mapped_area {
	const struct area *area;
	u64 offset;
	u32 times;
	bool writable;
};

static void stream_map(const struct stack *s, struct mapped_area map[4])
{
	u64 base = stream_offset(s);

	map[0] = (struct mapped_area){ &s->kernel_words, base, 1, false };
	map[1] = (struct mapped_area){ &s->stack_words, base + (1ull << 20), 1, true };
	map[2] = (struct mapped_area){ &s->down_area, base + (1ull << 28), 2, false };
	map[3] = (struct mapped_area){ &s->up_area, base + (2ull << 28), 2, true };
}

void ipsp_stream_layout(const struct stack *s, struct ipsp_layout *out)
{
	struct mapped_area map[4];

	stream_map(s, map);
	memset(out, 0, sizeof(*out));
	out->kernel_words_offset = map[0].offset;
	out->stack_words_offset = map[1].offset;
	out->down_offset = map[2].offset;
	out->up_offset = map[3].offset;
	out->down_size = s->down.size;
	out->up_size = s->up.size;
	out->page_size = PAGE_SIZE;
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

static int stream_insert(struct vm_area_struct *vma, const struct mapped_area *m)
{
	unsigned long at = vma->vm_start;
	u32 i;
	int err;

	for (i = 0; i < m->area->count * m->times; i++, at += PAGE_SIZE) {
		err = vm_insert_page(vma, at, m->area->pages[i]);
		if (err)
			return err;
	}
	return 0;
}

int ipsp_stream_mmap(struct stack *s, struct vm_area_struct *vma)
{
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 size = vma->vm_end - vma->vm_start;
	struct mapped_area map[4];
	int i, err;

	if (READ_ONCE(s->state) == STACK_BROKEN)
		return -EPIPE;
	stream_map(s, map);
	for (i = 0; i < 4 && map[i].offset != offset; i++)
		;
	if (i == 4 || size != (u64)map[i].area->count * map[i].times * PAGE_SIZE)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_EXEC))
		return -EINVAL;
	if (!map[i].writable) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		ipsp_vm_flags_clear(vma, VM_MAYWRITE);
	}
	ipsp_vm_flags_clear(vma, VM_MAYEXEC);
	ipsp_vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	err = stream_insert(vma, &map[i]);
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

void ipsp_stream_submit(struct stack *s)
{
	lockdep_assert_held(&s->c->lock);
	ipsp_ring_submit(&s->down);
	if (wq_has_sleeper(&s->wait)) {
		ipsp_count(s->c, WAKEUPS);
		wake_up_interruptible_sync_poll(&s->wait, EPOLLIN);
	}
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

/* The stack's index may have moved: is its snapshot read, and is there room again? */
void ipsp_stream_progress(struct stack *s)
{
	lockdep_assert_held(&s->c->lock);
	if (!s->snapshot_read && s->state == STACK_READY &&
	    (s32)(ipsp_ring_observe(s->down.kpeer) - s->snapshot_end) >= 0)
		s->snapshot_read = ktime_get_ns();
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

static long stream_wait_work(struct stack *s, bool nonblock)
{
	if (nonblock && !ipsp_stream_has_work(s))
		return -EAGAIN;
	if (wait_event_interruptible(s->wait, ipsp_stream_has_work(s) ||
				     READ_ONCE(s->state) == STACK_BROKEN))
		return -ERESTARTSYS;
	return READ_ONCE(s->state) == STACK_BROKEN ? -EPIPE : 0;
}

/* The record at message_at: ours, in memory the stack never mapped. */
static long stream_get_one(struct stack *s, struct ipsp_message *m)
{
	struct ipsp_words *words = s->stack_words.base;
	struct ipsp_record *rec = ipsp_ring_at(&s->down, s->message_at);
	u32 len = rec->len;

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
	mutex_lock(&s->kick);
	err = ipsp_stream_has_work(s) ? stream_get_one(s, m) : -EAGAIN;
	mutex_unlock(&s->kick);
	return err;
}

int ipsp_stream_putmsg(struct stack *s, const struct ipsp_message *m)
{
	struct ipsp_words *words = s->stack_words.base;
	long err = 0;

	if (s->mapped)
		return -EBUSY;
	if (m->size < sizeof(struct ipsp_record) || m->size > s->up.size ||
	    !IS_ALIGNED(m->size, IPSP_ALIGN))
		return -EINVAL;
	mutex_lock(&s->kick);
	if (copy_from_user(ipsp_ring_record(&s->up), u64_to_user_ptr(m->record), m->size))
		err = -EFAULT;
	else
		ipsp_ring_publish(&words->up.kindex, s->up.head + m->size);
	mutex_unlock(&s->kick);
	return err ?: ipsp_answer_kick(s, 0);
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
