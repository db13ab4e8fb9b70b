// SPDX-License-Identifier: GPL-2.0
/*
 * port.c - the character devices: one minor for control, one for each compartment
 *
 * An open file attaches in one role, bound to one mm; its release undoes all.
 */
#include <linux/cdev.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "compat/compat.h"
#include "call.h"
#include "compartment.h"
#include "handle.h"
#include "port.h"
#include "rule.h"
#include "relay.h"
#include "stream.h"

#define PORT_MINOR_XFRM	(IPSP_COMPARTMENTS_MAX + 1)
#define PORT_MINORS	(PORT_MINOR_XFRM + 1)

static dev_t port_devt;
static struct cdev port_cdev;
static struct class port_class = { .name = "ipsec-port" };

/* ---- attach ---------------------------------------------------------------------- */

static int attach_stack(struct port_file *p, const struct ipsp_attach *a)
{
	if (a->index >= ipsp_share_places(p->c))
		return -EINVAL;
	return ipsp_stream_attach(p, array_index_nospec(a->index, IPSP_STACKS_MAX),
				  a->flags & IPSP_ATTACHF_MERGES);
}

/* An earlier manager's stacks; one that awaits may have got half of a snapshot from it. */
static void attach_tell_stacks(struct compartment *c)
{
	static const u32 events[] = {
		[STACK_AWAITS] = IPSP_EVENT_STACK_ATTACHED,
		[STACK_READY] = IPSP_EVENT_STACK_READY,
	};
	enum stack_state state;
	struct stack *s;
	u32 i;

	lockdep_assert_held(&c->admin);
	for (i = 0; i < IPSP_STACKS_MAX; i++) {
		s = c->stack[i];
		state = s ? READ_ONCE(s->state) : STACK_BROKEN;
		if (state <= STACK_READY)
			ipsp_mailbox_event(c, events[state], 0, i, s->pid, 0);
	}
}

static int attach_manager(struct port_file *p)
{
	int err;

	if (!p->pids)
		p->pids = get_pid_ns(task_active_pid_ns(current));
	put_pid(p->pid);		/* of one who tried in vain */
	p->pid = get_pid(task_tgid(current));
	err = ipsp_mailbox_enter(p, IPSP_ROLE_MANAGER);
	if (err)
		return err;
	ipsp_share_relieve(p->c, 0);	/* a predecessor's, amid an upgrade */
	attach_tell_stacks(p->c);
	return 0;
}

/* The image that execve(2) made of the manager, on the descriptor that it kept. */
static int attach_again(struct port_file *p, const struct ipsp_attach *a)
{
	int err;

	if (a->role != IPSP_ROLE_MANAGER || p->role != IPSP_ROLE_MANAGER || a->index)
		return -EINVAL;
	if (p->pid != task_tgid(current))
		return -EIO;
	err = ipsp_mailbox_go_on(p);
	if (!err)
		attach_tell_stacks(p->c);
	return err;
}

static int attach_role(struct port_file *p, const struct ipsp_attach *a)
{
	if (a->role == IPSP_ROLE_STACK)
		return attach_stack(p, a);
	if (a->index || a->role < IPSP_ROLE_STACK || a->role > IPSP_ROLE_ADMIN)
		return -EINVAL;
	return a->role == IPSP_ROLE_MANAGER ? attach_manager(p) :
					      ipsp_mailbox_enter(p, IPSP_ROLE_ADMIN);
}

static u32 attach_flags(u32 role)
{
	return role == IPSP_ROLE_STACK ? IPSP_ATTACHF_MERGES : IPSP_ATTACHF_AGAIN;
}

static int port_attach(struct port_file *p, void *arg)
{
	struct ipsp_attach *a = arg;
	int err;

	if (a->flags & ~attach_flags(a->role))
		return -EINVAL;
	if (a->flags & IPSP_ATTACHF_AGAIN)
		return attach_again(p, a);
	err = p->role ? -EBUSY : attach_role(p, a);
	if (err)
		return err;
	p->mm = current->mm;
	mmgrab(p->mm);
	smp_store_release(&p->role, a->role);	/* matches port_may's load */
	return 0;
}

/* ---- messages -------------------------------------------------------------------- */

static int port_getmsg(struct port_file *p, void *arg)
{
	bool nonblock = p->file->f_flags & O_NONBLOCK;

	if (((struct ipsp_message *)arg)->band > IPSP_BAND_URGENT)
		return -EINVAL;
	return p->stack ? ipsp_stream_getmsg(p->stack, arg, nonblock) :
			  ipsp_mailbox_get(p, arg, nonblock);
}

static int port_putmsg(struct port_file *p, void *arg)
{
	const struct ipsp_message *in = arg;

	if (in->band)
		return -EINVAL;
	return p->stack ? ipsp_stream_putmsg(p->stack, in) :
			  ipsp_mailbox_put(p, in, p->file->f_flags & O_NONBLOCK);
}

/* ---- manager's calls ------------------------------------------------------------- */

/* Each control part ends in its reserved words. */
#define CONTROL(type, part, flags) \
	{ IPSP_REC_##type, sizeof(struct part), offsetof(struct part, reserved), flags }

static const struct control_kind {
	u16 type;
	u16 control_len;
	u16 reserved;			/* where the words begin that must be zero */
	u16 flags;			/* the record gets them, given or not */
} control_kinds[] = {
	CONTROL(SA_ADD, ipsp_sa, IPSP_RECF_SECRET),
	CONTROL(SA_UPDATE, ipsp_sa, IPSP_RECF_SECRET),
	CONTROL(SA_DELETE, ipsp_sa, IPSP_RECF_SECRET),
	CONTROL(POLICY, ipsp_policy, 0),
	CONTROL(RELEASE, ipsp_acquired, 0),
	CONTROL(REFUSE, ipsp_acquired, 0),
	CONTROL(TIME, ipsp_time, 0),
	CONTROL(CONFIG, ipsp_config, 0),
	CONTROL(SNAPSHOT_BEGIN, ipsp_snapshot, 0),
	CONTROL(SNAPSHOT_END, ipsp_snapshot, 0),
};

static int control_check_part(struct ipsp_record *rec, const struct control_kind *k)
{
	const u8 *part = (const u8 *)(rec + 1);

	if (rec->control_len != k->control_len ||
	    memchr_inv(part + k->reserved, 0, k->control_len - k->reserved))
		return -EINVAL;
	rec->flags |= k->flags;
	return 0;
}

static int control_check(struct ipsp_record *rec, u32 size)
{
	u32 i;

	if (!ipsp_record_is_sane(rec, size) || rec->len != size ||
	    (rec->flags & ~IPSP_RECF_SECRET) || rec->ticket || rec->band ||
	    memchr_inv(rec->reserved8, 0, sizeof(rec->reserved8)) ||
	    memchr_inv(rec->reserved, 0, sizeof(rec->reserved)))
		return -EINVAL;
	if (rec->type == IPSP_REC_FLUSH)
		return -EOPNOTSUPP;
	for (i = 0; i < ARRAY_SIZE(control_kinds); i++)
		if (control_kinds[i].type == rec->type)
			return control_check_part(rec, &control_kinds[i]);
	return -EINVAL;
}

static int port_control(struct port_file *p, void *arg)
{
	struct ipsp_control *in = arg;
	struct ipsp_record *rec;
	int err;

	if (in->size < sizeof(*rec) || in->size > IPSP_RECORD_MAX)
		return -EINVAL;
	rec = kvzalloc(in->size, GFP_KERNEL_ACCOUNT);
	if (!rec)
		return -ENOMEM;
	err = copy_from_user(rec, u64_to_user_ptr(in->record), in->size) ? -EFAULT : 0;
	err = err ?: control_check(rec, in->size);
	if (!err) {
		mutex_lock(&p->c->admin);
		err = p->c->gone ? -EPIPE :
		      ipsp_announce(p->c, in->target, rec, &in->generation);
		mutex_unlock(&p->c->admin);
	}
	memzero_explicit(rec, in->size);
	kvfree(rec);
	return err;
}

static int port_hash_key(struct port_file *p, void *arg)
{
	memcpy(arg, ipsp_counter_hash_key(), IPSP_HASH_KEY_LEN);
	return 0;
}

/* A regular shmem file, never a port or a socket: no cycle of references, wiped by its end. */
static bool store_is_allowed(struct file *file)
{
	struct inode *inode = file_inode(file);

	return S_ISREG(inode->i_mode) && inode->i_sb->s_magic == TMPFS_MAGIC;
}

static int port_store(struct port_file *p, void *arg)
{
	s32 fd = *(s32 *)arg;
	struct file *stored = NULL;

	if (fd != -1) {
		stored = fget(fd);
		if (!stored)
			return -EBADF;
		if (!store_is_allowed(stored)) {
			fput(stored);
			return -EINVAL;
		}
	}
	swap(p->c->stored, stored);
	if (stored)
		fput(stored);
	return 0;
}

static int port_relief(struct port_file *p, void *arg)
{
	return ipsp_share_relieve(p->c, ((struct ipsp_relief *)arg)->places);
}

static int port_retire(struct port_file *p, void *arg)
{
	return ipsp_share_retire(p->c, ((struct ipsp_retire *)arg)->index);
}

static int port_take(struct port_file *p, void *arg)
{
	int fd;

	if (!p->c->stored)
		return -ENOENT;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd >= 0)
		fd_install(fd, get_file(p->c->stored));
	return fd;
}

static int port_label(struct port_file *p, void *arg)
{
	return ipsp_rule_label(p->c, arg);
}

/* ---- the table ------------------------------------------------------------------- */

#define STACK	BIT(IPSP_ROLE_STACK)
#define MANAGER	BIT(IPSP_ROLE_MANAGER)
#define EVERYONE (STACK | MANAGER | BIT(IPSP_ROLE_ADMIN))
#define CALL_HANDLE \
	.reserved = offsetof(struct ipsp_handle, reserved), \
	CALL_FLAGS(ipsp_handle, IPSP_HANDLEF_ALL)

static const struct call port_calls[] = {
	{ IPSP_IOC_ATTACH, 0, CALL_RESERVED(ipsp_attach), .locked = true, .port = port_attach },
	{ IPSP_IOC_LAYOUT, STACK, .port = ipsp_stream_layout },
	{ IPSP_IOC_GETMSG, EVERYONE, CALL_RESERVED(ipsp_message), .tells = true,
	  .port = port_getmsg },
	{ IPSP_IOC_PUTMSG, EVERYONE, CALL_RESERVED(ipsp_message), .port = port_putmsg },
	{ IPSP_IOC_CONTROL, MANAGER, CALL_RESERVED(ipsp_control), .port = port_control },
	{ IPSP_IOC_HANDLE_ADD, MANAGER, CALL_HANDLE, .locked = true,
	  .handle = ipsp_handle_add, .undo = ipsp_handle_del },
	{ IPSP_IOC_HANDLE_SET, MANAGER, CALL_HANDLE, .locked = true,
	  .handle = ipsp_handle_set },
	{ IPSP_IOC_HANDLE_DEL, MANAGER, CALL_HANDLE, .locked = true,
	  .handle = ipsp_handle_del },
	{ IPSP_IOC_HANDLE_GET, MANAGER, CALL_HANDLE, .locked = true,
	  .handle = ipsp_handle_get_info },
	{ IPSP_IOC_HASH_KEY, MANAGER, .port = port_hash_key },
	{ IPSP_IOC_STORE, MANAGER, .locked = true, .port = port_store },
	{ IPSP_IOC_TAKE, MANAGER, .locked = true, .port = port_take },
	{ IPSP_IOC_RELIEF, MANAGER, CALL_RESERVED(ipsp_relief), .locked = true,
	  .port = port_relief },
	{ IPSP_IOC_RETIRE, MANAGER, CALL_RESERVED(ipsp_retire), .locked = true,
	  .port = port_retire },
	{ IPSP_IOC_LABEL, MANAGER, CALL_RESERVED(ipsp_label), .locked = true, .port = port_label },
};

/* Who may call at all: the role, and the mm that attached in it. */
static long port_may(struct port_file *p, u32 roles)
{
	u32 role = smp_load_acquire(&p->role);	/* matches port_attach's store */

	if (!roles)
		return 0;
	if (!role)
		return -ENOTCONN;
	if (READ_ONCE(p->mm) != current->mm)
		return -EIO;
	return roles & BIT(role) ? 0 : -EPERM;
}

static long port_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	struct port_file *p = file->private_data;
	const struct call *call;
	long err;

	if (number == IPSP_IOC_KICK) {	/* the only one on the packets' way */
		err = port_may(p, STACK);
		return err ?: ipsp_answer_kick(p->stack, arg);
	}
	call = ipsp_call_find(port_calls, ARRAY_SIZE(port_calls), number);
	err = call ? port_may(p, call->roles) : -ENOTTY;
	return err ?: ipsp_call_run(call, p, (void __user *)arg);
}

/* ---- read, write, poll, mmap ----------------------------------------------------- */

static ssize_t port_read(struct file *file, char __user *user, size_t size, loff_t *at)
{
	struct ipsp_message m = { .record = (uintptr_t)user, .size = min_t(size_t, size, U32_MAX) };
	struct port_file *p = file->private_data;
	long err = port_may(p, EVERYONE);

	err = err ?: port_getmsg(p, &m);
	return err ?: m.size;
}

static ssize_t port_write(struct file *file, const char __user *user, size_t size, loff_t *at)
{
	struct ipsp_message m = { .record = (uintptr_t)user, .size = min_t(size_t, size, U32_MAX) };
	struct port_file *p = file->private_data;
	long err = port_may(p, EVERYONE);

	err = err ?: port_putmsg(p, &m);
	return err ?: size;
}

static bool poll_control_room(struct compartment *c)
{
	bool room = true;
	u32 i;

	spin_lock_bh(&c->lock);
	for (i = 0; i < IPSP_STACKS_MAX; i++)
		if (c->stack[i] && c->stack[i]->state != STACK_BROKEN &&
		    !ipsp_stream_has_room(c->stack[i]))
			room = false;
	spin_unlock_bh(&c->lock);
	return room;
}

/* An admin has one thing out at a time; one who was forsaken learns it when all is read. */
static __poll_t poll_mailbox(struct port_file *p)
{
	__poll_t ready = list_empty(&p->messages) ? 0 : EPOLLIN | EPOLLRDNORM;

	if (p->role == IPSP_ROLE_MANAGER)
		return ready | (poll_control_room(p->c) ? EPOLLOUT | EPOLLWRNORM : 0);
	if (!ready && READ_ONCE(p->forsaken))
		return EPOLLERR;
	return ready || READ_ONCE(p->request) ? ready : EPOLLOUT | EPOLLWRNORM;
}

static __poll_t port_poll(struct file *file, poll_table *wait)
{
	struct port_file *p = file->private_data;

	if (port_may(p, EVERYONE))
		return EPOLLERR;
	if (p->stack)
		return ipsp_stream_poll(p->stack, file, wait);
	poll_wait(file, &p->c->mailbox.wait, wait);
	if (READ_ONCE(p->c->gone))
		return EPOLLERR | (atomic_read(&p->c->files) == 1 ? EPOLLHUP : 0);
	return poll_mailbox(p);
}

static int port_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct port_file *p = file->private_data;
	long err = port_may(p, STACK);

	return err ?: ipsp_stream_mmap(p->stack, vma);
}

/* ---- open, release --------------------------------------------------------------- */

static int port_open(struct inode *inode, struct file *file)
{
	struct port_file *p;

	if (!iminor(inode)) {
		const struct file_operations *control = &ipsp_control_fops;

		replace_fops(file, fops_get(control));
		return 0;
	}
	if (iminor(inode) == PORT_MINOR_XFRM)
		return ipsp_agent_open(inode, file);
	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	p->c = ipsp_compartment_by_minor(iminor(inode));
	if (!p->c) {
		kfree(p);
		return -ENODEV;
	}
	atomic_inc(&p->c->files);
	INIT_LIST_HEAD(&p->list);
	INIT_LIST_HEAD(&p->messages);
	p->file = file;
	file->private_data = p;
	ipsp_stats_made();
	return 0;
}

/*
 * Somebody closes a descriptor of the file. If the mm that attached has ended, so has the
 * attachment, though others may hold descriptors still. An exiting process comes by here
 * after its mm has gone; where somebody else kept that mm a moment longer (a debugger),
 * the successor's attach finds out.
 */
static int port_flush(struct file *file, fl_owner_t id)
{
	struct port_file *p = file->private_data;
	u32 role = smp_load_acquire(&p->role);	/* matches port_attach's store */

	if (!role || !ipsp_mailbox_has_ended(p))
		return 0;
	if (p->stack)
		ipsp_stream_break(p->stack, IPSP_BROKEN_NONE);
	ipsp_mailbox_leave(p);
	return 0;
}

/*
 * The file gives its reference on the module back right after release, and a grace period
 * later nobody can be between the two any more.
 */
static void port_free_rcu(struct rcu_head *head)
{
	struct port_file *p = container_of(head, struct port_file, rcu);

	atomic_dec(&p->c->files);
	ipsp_compartment_put(p->c);
	kfree(p);
	ipsp_stats_freed();
}

/* Nobody is inside a call, asleep or mapped: each of those holds the file. */
static int port_release(struct inode *inode, struct file *file)
{
	struct port_file *p = file->private_data;

	if (p->stack)
		ipsp_stream_detach(p->stack);
	ipsp_mailbox_leave(p);
	if (p->mm)
		mmdrop(p->mm);
	if (p->pids)
		put_pid_ns(p->pids);
	put_pid(p->pid);
	call_rcu(&p->rcu, port_free_rcu);
	return 0;
}

static const struct file_operations port_fops = {
	.owner = THIS_MODULE,
	.open = port_open,
	.flush = port_flush,
	.release = port_release,
	.unlocked_ioctl = port_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.read = port_read,
	.write = port_write,
	.poll = port_poll,
	.mmap = port_mmap,
	.llseek = noop_llseek,
};

/* ---- device nodes ---------------------------------------------------------------- */

/* Asked without mode, uid, gid when the node goes. */
static char *port_devnode(ipsp_devnode_device *dev, umode_t *mode, kuid_t *uid, kgid_t *gid)
{
	const struct compartment *c = dev_get_drvdata(dev);

	if (mode)
		*mode = c ? c->config.owner_mode : 0600;
	if (c && uid && gid) {
		*uid = make_kuid(&init_user_ns, c->config.owner_uid);
		*gid = make_kgid(&init_user_ns, c->config.owner_gid);
	}
	return kasprintf(GFP_KERNEL, "ipsec-port/%s", c ? c->config.name :
			 MINOR(dev->devt) == PORT_MINOR_XFRM ? IPSP_XFRM_NAME : "control");
}

static const struct device_type port_type = { .name = "ipsec-port", .devnode = port_devnode };

static void port_device_release(struct device *dev)
{
	kfree(dev);
}

struct device *ipsp_port_device(int minor, const char *name, struct compartment *c)
{
	struct device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	int err;

	if (!dev)
		return ERR_PTR(-ENOMEM);
	device_initialize(dev);
	dev->devt = MKDEV(MAJOR(port_devt), minor);
	dev->class = &port_class;
	dev->type = &port_type;
	dev->release = port_device_release;
	dev_set_drvdata(dev, c);
	err = dev_set_name(dev, "ipsec-port!%s", name);
	err = err ?: device_add(dev);
	if (!err)
		return dev;
	put_device(dev);
	return ERR_PTR(err);
}

/* c->gone is set: whoever sleeps on the port wakes and gets EPIPE. */
void ipsp_port_forget(struct compartment *c)
{
	lockdep_assert_held(&c->admin);
	if (c->stored)
		fput(c->stored);
	c->stored = NULL;
	wake_up_interruptible_all(&c->mailbox.wait);
}

static struct device *port_control_device, *port_xfrm_device;

/* What compartments' nodes need: there before the first, and after the last. */
int ipsp_port_class_init(void)
{
	int err = alloc_chrdev_region(&port_devt, 0, PORT_MINORS, "ipsec-port");

	if (err)
		return err;
	err = class_register(&port_class);
	if (err)
		unregister_chrdev_region(port_devt, PORT_MINORS);
	return err;
}

void ipsp_port_class_exit(void)
{
	class_unregister(&port_class);
	unregister_chrdev_region(port_devt, PORT_MINORS);
}

int ipsp_port_init(void)
{
	int err;

	cdev_init(&port_cdev, &port_fops);
	port_cdev.owner = THIS_MODULE;
	err = cdev_add(&port_cdev, port_devt, PORT_MINORS);
	if (err)
		return err;
	port_control_device = ipsp_port_device(0, "control", NULL);
	err = PTR_ERR_OR_ZERO(port_control_device);
	if (err)
		goto err_cdev;
	port_xfrm_device = ipsp_port_device(PORT_MINOR_XFRM, IPSP_XFRM_NAME, NULL);
	err = PTR_ERR_OR_ZERO(port_xfrm_device);
	if (err)
		goto err_control;
	return 0;
err_control:
	device_unregister(port_control_device);
err_cdev:
	cdev_del(&port_cdev);
	return err;
}

void ipsp_port_exit(void)
{
	device_unregister(port_xfrm_device);
	device_unregister(port_control_device);
	cdev_del(&port_cdev);
}
