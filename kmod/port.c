// SPDX-License-Identifier: GPL-2.0
/*
 * port.c - the character devices: one minor for control, one for each compartment
 *
 * An open file attaches in one role, bound to one mm; its release undoes all. The calls
 * are a table of {number, roles, handler}.
 */
#include <linux/cdev.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "compat/compat.h"
#include "compartment.h"
#include "handle.h"
#include "mailbox.h"
#include "stream.h"

struct port_file {
	struct compartment *c;		/* referenced */
	u32 role;			/* 0: not attached; written once under c->admin */
	struct mm_struct *mm;		/* mmgrab: compared only */
	struct stack *stack;		/* STACK */
	struct list_head list;		/* ADMIN: mailbox.admins */
	struct list_head replies;	/* ADMIN: protected by mailbox.lock */
	wait_queue_head_t wait;		/* ADMIN */
	u64 request;			/* ADMIN: id of the one that is out; 0: none */
};

static dev_t port_devt;
static struct cdev port_cdev;
static struct class *port_class;

/* ---- attach --------------------------------------------------------------------------------- */

static int attach_stack(struct port_file *p, struct file *file, const struct ipsp_attach *a)
{
	struct stack *s;

	if (a->index >= p->c->config.stacks)
		return -EINVAL;
	s = ipsp_stream_attach(p->c, a->index, file);
	if (IS_ERR(s))
		return PTR_ERR(s);
	p->stack = s;
	return 0;
}

static int attach_manager(struct port_file *p, struct file *file, const struct ipsp_attach *a)
{
	struct mailbox *m = &p->c->mailbox;
	int err = -EBUSY;

	spin_lock_bh(&m->lock);
	if (!m->manager) {
		m->manager = p;
		err = 0;
	}
	spin_unlock_bh(&m->lock);
	return err;
}

static int attach_admin(struct port_file *p, struct file *file, const struct ipsp_attach *a)
{
	struct mailbox *m = &p->c->mailbox;

	spin_lock_bh(&m->lock);
	list_add(&p->list, &m->admins);
	spin_unlock_bh(&m->lock);
	return 0;
}

static int port_attach_role(struct port_file *p, struct file *file, const struct ipsp_attach *a)
{
	if (p->role)
		return -EBUSY;
	if (p->c->gone)
		return -EPIPE;
	if (a->role != IPSP_ROLE_STACK && a->index)
		return -EINVAL;
	if (a->role == IPSP_ROLE_STACK)
		return attach_stack(p, file, a);
	return a->role == IPSP_ROLE_MANAGER ? attach_manager(p, file, a) :
					      attach_admin(p, file, a);
}

static long port_attach(struct port_file *p, struct file *file, void *arg)
{
	struct ipsp_attach *a = arg;
	int err;

	if (a->flags || memchr_inv(a->reserved, 0, sizeof(a->reserved)) ||
	    a->role < IPSP_ROLE_STACK || a->role > IPSP_ROLE_ADMIN)
		return -EINVAL;
	mutex_lock(&p->c->admin);
	err = port_attach_role(p, file, a);
	if (!err) {
		p->mm = current->mm;
		mmgrab(p->mm);
		smp_store_release(&p->role, a->role);
	}
	mutex_unlock(&p->c->admin);
	return err;
}

/* ---- stack's calls ------------------------------------------------------------------------------ */

static long port_layout(struct port_file *p, struct file *file, void *arg)
{
	ipsp_stream_layout(p->stack, arg);
	return 0;
}

/* ---- messages of managers and admins --------------------------------------------------------------- */

static struct message *message_take(struct port_file *p, u32 band)
{
	struct mailbox *m = &p->c->mailbox;
	bool manager = p->role == IPSP_ROLE_MANAGER;
	struct message *msg;

	spin_lock_bh(&m->lock);
	msg = list_first_entry_or_null(manager ? &m->events : &p->replies, struct message, list);
	if (msg && ((struct ipsp_record *)msg->data)->band < band)
		msg = NULL;
	if (msg) {
		list_del(&msg->list);
		if (manager)
			m->queued--;
	}
	spin_unlock_bh(&m->lock);
	return msg;
}

static void message_return(struct port_file *p, struct message *msg)
{
	struct mailbox *m = &p->c->mailbox;
	bool manager = p->role == IPSP_ROLE_MANAGER;

	spin_lock_bh(&m->lock);
	list_add(&msg->list, manager ? &m->events : &p->replies);
	if (manager)
		m->queued++;
	spin_unlock_bh(&m->lock);
}

static long message_deliver(struct port_file *p, struct message *msg, struct ipsp_message *out)
{
	if (out->size < msg->size) {
		out->size = msg->size;
		message_return(p, msg);
		return -EMSGSIZE;
	}
	if (copy_to_user(u64_to_user_ptr(out->record), msg->data, msg->size)) {
		message_return(p, msg);
		return -EFAULT;
	}
	out->size = msg->size;
	ipsp_mailbox_free(msg);
	return 0;
}

static wait_queue_head_t *port_wait(struct port_file *p)
{
	return p->role == IPSP_ROLE_MANAGER ? &p->c->mailbox.wait : &p->wait;
}

static long port_getmsg(struct port_file *p, struct file *file, void *arg)
{
	struct ipsp_message *out = arg;
	struct message *msg = NULL;

	if (memchr_inv(out->reserved, 0, sizeof(out->reserved)))
		return -EINVAL;
	if (p->role == IPSP_ROLE_STACK)
		return ipsp_stream_getmsg(p->stack, out, file->f_flags & O_NONBLOCK);
	if (file->f_flags & O_NONBLOCK) {
		msg = message_take(p, out->band);
		if (!msg)
			return READ_ONCE(p->c->gone) ? -EPIPE : -EAGAIN;
	} else if (wait_event_interruptible(*port_wait(p), (msg = message_take(p, out->band)) ||
					    READ_ONCE(p->c->gone))) {
		return -ERESTARTSYS;
	}
	return msg ? message_deliver(p, msg, out) : -EPIPE;
}

/* A record from an admin or manager, checked in private memory. */
static struct message *message_from_user(const struct ipsp_message *in, u16 type)
{
	struct ipsp_record *rec;
	struct message *msg;

	if (in->size < sizeof(*rec) + sizeof(struct ipsp_admin) ||
	    in->size > IPSP_ADMIN_MAX + 256)
		return ERR_PTR(-EINVAL);
	msg = ipsp_mailbox_message(in->size, GFP_KERNEL_ACCOUNT);
	if (!msg)
		return ERR_PTR(-ENOMEM);
	rec = (struct ipsp_record *)msg->data;
	if (copy_from_user(rec, u64_to_user_ptr(in->record), in->size)) {
		ipsp_mailbox_free(msg);
		return ERR_PTR(-EFAULT);
	}
	if (!ipsp_record_is_sane(rec, in->size) || rec->len != in->size || rec->type != type ||
	    rec->control_len != sizeof(struct ipsp_admin) ||
	    memchr_inv(rec->reserved, 0, sizeof(rec->reserved))) {
		ipsp_mailbox_free(msg);
		return ERR_PTR(-EINVAL);
	}
	return msg;
}

static struct ipsp_admin *message_admin(struct message *msg)
{
	return (struct ipsp_admin *)((struct ipsp_record *)msg->data + 1);
}

/* An admin's request: one at a time, stamped with who asks. */
static long port_request(struct port_file *p, const struct ipsp_message *in)
{
	struct message *msg = message_from_user(in, IPSP_REC_ADMIN_REQUEST);
	struct mailbox *m = &p->c->mailbox;
	struct ipsp_admin *a;

	if (IS_ERR(msg))
		return PTR_ERR(msg);
	a = message_admin(msg);
	if ((a->flags & ~IPSP_ADMINF_ALL) || memchr_inv(a->reserved, 0, sizeof(a->reserved))) {
		ipsp_mailbox_free(msg);
		return -EINVAL;
	}
	spin_lock_bh(&m->lock);
	p->request = ++m->next_id;
	a->id = p->request;
	spin_unlock_bh(&m->lock);
	a->uid = from_kuid_munged(&init_user_ns, current_uid());
	a->gid = from_kgid_munged(&init_user_ns, current_gid());
	a->pid = task_tgid_nr(current);
	return ipsp_mailbox_put(m, msg) ? 0 : -EPIPE;
}

static long port_reply(struct port_file *p, const struct ipsp_message *in)
{
	struct message *msg = message_from_user(in, IPSP_REC_ADMIN_REPLY);
	struct mailbox *m = &p->c->mailbox;
	struct port_file *admin;

	if (IS_ERR(msg))
		return PTR_ERR(msg);
	spin_lock_bh(&m->lock);
	list_for_each_entry(admin, &m->admins, list) {
		if (admin->request != message_admin(msg)->id)
			continue;
		admin->request = 0;
		list_add_tail(&msg->list, &admin->replies);
		wake_up_interruptible(&admin->wait);
		msg = NULL;
		break;
	}
	spin_unlock_bh(&m->lock);
	if (msg)
		ipsp_mailbox_free(msg);		/* the admin has gone */
	return msg ? -ENOENT : 0;
}

static long port_putmsg(struct port_file *p, struct file *file, void *arg)
{
	struct ipsp_message *in = arg;

	if (in->band || memchr_inv(in->reserved, 0, sizeof(in->reserved)))
		return -EINVAL;
	if (p->role == IPSP_ROLE_STACK)
		return ipsp_stream_putmsg(p->stack, in);
	return p->role == IPSP_ROLE_ADMIN ? port_request(p, in) : port_reply(p, in);
}

/* ---- manager's calls ----------------------------------------------------------------------------------- */

static const struct control_size {
	u16 type;
	u16 control_len;
} control_sizes[] = {
	{ IPSP_REC_SA_ADD, sizeof(struct ipsp_sa) },
	{ IPSP_REC_SA_UPDATE, sizeof(struct ipsp_sa) },
	{ IPSP_REC_SA_DELETE, sizeof(struct ipsp_sa) },
	{ IPSP_REC_POLICY, sizeof(struct ipsp_policy) },
	{ IPSP_REC_TIME, sizeof(struct ipsp_time) },
	{ IPSP_REC_CONFIG, sizeof(struct ipsp_config) },
	{ IPSP_REC_SNAPSHOT_BEGIN, sizeof(struct ipsp_snapshot) },
	{ IPSP_REC_SNAPSHOT_END, sizeof(struct ipsp_snapshot) },
};

static int control_check(const struct ipsp_record *rec, u32 size)
{
	u32 i;

	if (!ipsp_record_is_sane(rec, size) || rec->len != size ||
	    (rec->flags & ~IPSP_RECF_SECRET) || rec->ticket || rec->band ||
	    memchr_inv(rec->reserved, 0, sizeof(rec->reserved)))
		return -EINVAL;
	if (rec->type == IPSP_REC_RELEASE || rec->type == IPSP_REC_REFUSE ||
	    rec->type == IPSP_REC_FLUSH)
		return -EOPNOTSUPP;
	for (i = 0; i < ARRAY_SIZE(control_sizes); i++)
		if (control_sizes[i].type == rec->type)
			return control_sizes[i].control_len == rec->control_len ? 0 : -EINVAL;
	return -EINVAL;
}

static long port_control(struct port_file *p, struct file *file, void *arg)
{
	struct ipsp_control *in = arg;
	struct ipsp_record *rec;
	long err;

	if (memchr_inv(in->reserved, 0, sizeof(in->reserved)) || in->size < sizeof(*rec) ||
	    in->size > IPSP_RECORD_MAX)
		return -EINVAL;
	rec = kvzalloc(in->size, GFP_KERNEL_ACCOUNT);
	if (!rec)
		return -ENOMEM;
	err = copy_from_user(rec, u64_to_user_ptr(in->record), in->size) ? -EFAULT : 0;
	err = err ?: control_check(rec, in->size);
	if (!err) {
		mutex_lock(&p->c->admin);
		err = p->c->gone ? -EPIPE :
		      ipsp_deal_control(p->c, in->target, rec, &in->generation);
		mutex_unlock(&p->c->admin);
	}
	memzero_explicit(rec, in->size);
	kvfree(rec);
	return err;
}

static long port_handle_add(struct port_file *p, struct file *file, void *arg)
{
	return ipsp_handle_add(p->c, arg);
}

static long port_handle_set(struct port_file *p, struct file *file, void *arg)
{
	return ipsp_handle_set(p->c, arg);
}

static long port_handle_del(struct port_file *p, struct file *file, void *arg)
{
	return ipsp_handle_del(p->c, ((struct ipsp_handle *)arg)->id);
}

static long port_handle_get(struct port_file *p, struct file *file, void *arg)
{
	return ipsp_handle_get_info(p->c, arg);
}

static long port_hash_key(struct port_file *p, struct file *file, void *arg)
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

static long port_store(struct port_file *p, struct file *file, void *arg)
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

static long port_take(struct port_file *p, struct file *file, void *arg)
{
	int fd;

	if (!p->c->stored)
		return -ENOENT;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd >= 0)
		fd_install(fd, get_file(p->c->stored));
	return fd;
}

/* ---- the table -------------------------------------------------------------------------------------------- */

#define STACK	(1u << IPSP_ROLE_STACK)
#define MANAGER	(1u << IPSP_ROLE_MANAGER)
#define ADMIN	(1u << IPSP_ROLE_ADMIN)

static const struct port_call {
	unsigned int number;
	u32 roles;			/* 0: before attaching */
	bool admin;			/* handler runs under c->admin, of a living compartment */
	long (*handler)(struct port_file *p, struct file *file, void *arg);
} port_calls[] = {
	{ IPSP_IOC_ATTACH, 0, false, port_attach },
	{ IPSP_IOC_LAYOUT, STACK, false, port_layout },
	{ IPSP_IOC_GETMSG, STACK | MANAGER | ADMIN, false, port_getmsg },
	{ IPSP_IOC_PUTMSG, STACK | MANAGER | ADMIN, false, port_putmsg },
	{ IPSP_IOC_CONTROL, MANAGER, false, port_control },
	{ IPSP_IOC_HANDLE_ADD, MANAGER, true, port_handle_add },
	{ IPSP_IOC_HANDLE_SET, MANAGER, true, port_handle_set },
	{ IPSP_IOC_HANDLE_DEL, MANAGER, true, port_handle_del },
	{ IPSP_IOC_HANDLE_GET, MANAGER, true, port_handle_get },
	{ IPSP_IOC_HASH_KEY, MANAGER, false, port_hash_key },
	{ IPSP_IOC_STORE, MANAGER, true, port_store },
	{ IPSP_IOC_TAKE, MANAGER, true, port_take },
};

union port_arg {
	struct ipsp_attach attach;
	struct ipsp_layout layout;
	struct ipsp_message message;
	struct ipsp_control control;
	struct ipsp_handle handle;
	u8 key[IPSP_HASH_KEY_LEN];
	s32 fd;
};

static long port_call(const struct port_call *call, struct port_file *p, struct file *file,
		      union port_arg *arg)
{
	long ret;

	if (!call->admin)
		return call->handler(p, file, arg);
	mutex_lock(&p->c->admin);
	ret = p->c->gone ? -EPIPE : call->handler(p, file, arg);
	mutex_unlock(&p->c->admin);
	return ret;
}

static long port_run(const struct port_call *call, struct port_file *p, struct file *file,
		     void __user *user)
{
	u32 size = _IOC_SIZE(call->number), dir = _IOC_DIR(call->number);
	union port_arg arg;
	long ret;

	memset(&arg, 0, sizeof(arg));
	if ((dir & _IOC_WRITE) && copy_from_user(&arg, user, size))
		return -EFAULT;
	ret = port_call(call, p, file, &arg);
	if ((dir & _IOC_READ) && (ret >= 0 || ret == -EMSGSIZE) && copy_to_user(user, &arg, size))
		return -EFAULT;
	return ret;
}

/* Who may call at all: the role, and the mm that attached in it. */
static long port_may(struct port_file *p, u32 roles)
{
	u32 role = smp_load_acquire(&p->role);

	if (!roles)
		return 0;
	if (!role)
		return -ENOTCONN;
	if (p->mm != current->mm)
		return -EIO;
	return roles & (1u << role) ? 0 : -EPERM;
}

static long port_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	struct port_file *p = file->private_data;
	long err;
	u32 i;

	if (number == IPSP_IOC_KICK) {	/* the only one on the packets' way */
		err = port_may(p, STACK);
		return err ?: ipsp_answer_kick(p->stack, arg);
	}
	for (i = 0; i < ARRAY_SIZE(port_calls); i++) {
		if (port_calls[i].number != number)
			continue;
		err = port_may(p, port_calls[i].roles);
		return err ?: port_run(&port_calls[i], p, file, (void __user *)arg);
	}
	return -ENOTTY;
}

/* ---- read, write, poll, mmap ---------------------------------------------------------------------------------- */

static ssize_t port_read(struct file *file, char __user *user, size_t size, loff_t *at)
{
	struct ipsp_message m = { .record = (uintptr_t)user, .size = min_t(size_t, size, U32_MAX) };
	struct port_file *p = file->private_data;
	long err = port_may(p, STACK | MANAGER | ADMIN);

	err = err ?: port_getmsg(p, file, &m);
	return err ?: m.size;
}

static ssize_t port_write(struct file *file, const char __user *user, size_t size, loff_t *at)
{
	struct ipsp_message m = { .record = (uintptr_t)user, .size = min_t(size_t, size, U32_MAX) };
	struct port_file *p = file->private_data;
	long err = port_may(p, STACK | MANAGER | ADMIN);

	err = err ?: port_putmsg(p, file, &m);
	return err ?: size;
}

static bool poll_control_room(struct compartment *c)
{
	bool room = true;
	u32 i;

	spin_lock_bh(&c->lock);
	for (i = 0; i < c->config.stacks; i++)
		if (c->stack[i] && c->stack[i]->state != STACK_BROKEN &&
		    c->stack[i]->control_waits && ipsp_stream_has_work(c->stack[i]))
			room = false;
	spin_unlock_bh(&c->lock);
	return room;
}

static __poll_t port_poll(struct file *file, poll_table *wait)
{
	struct port_file *p = file->private_data;
	struct list_head *list;
	__poll_t ready = 0;

	if (port_may(p, STACK | MANAGER | ADMIN))
		return EPOLLERR;
	if (p->role == IPSP_ROLE_STACK)
		return ipsp_stream_poll(p->stack, file, wait);
	poll_wait(file, port_wait(p), wait);
	if (READ_ONCE(p->c->gone))
		return EPOLLERR;
	list = p->role == IPSP_ROLE_MANAGER ? &p->c->mailbox.events : &p->replies;
	if (!list_empty_careful(list))
		ready |= EPOLLIN | EPOLLRDNORM;
	if (p->role == IPSP_ROLE_ADMIN || poll_control_room(p->c))
		ready |= EPOLLOUT | EPOLLWRNORM;
	return ready;
}

static int port_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct port_file *p = file->private_data;
	long err = port_may(p, STACK);

	return err ?: ipsp_stream_mmap(p->stack, vma);
}

/* ---- open, release ---------------------------------------------------------------------------------------------- */

static int port_open(struct inode *inode, struct file *file)
{
	struct port_file *p;

	if (!iminor(inode)) {
		const struct file_operations *control = &ipsp_control_fops;

		replace_fops(file, fops_get(control));
		return 0;
	}
	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	p->c = ipsp_compartment_by_minor(iminor(inode));
	if (!p->c) {
		kfree(p);
		return -ENODEV;
	}
	INIT_LIST_HEAD(&p->list);
	INIT_LIST_HEAD(&p->replies);
	init_waitqueue_head(&p->wait);
	file->private_data = p;
	ipsp_stats_made();
	return 0;
}

static void release_mailbox(struct port_file *p)
{
	struct mailbox *m = &p->c->mailbox;

	spin_lock_bh(&m->lock);
	list_del_init(&p->list);
	if (m->manager == p)
		m->manager = NULL;
	spin_unlock_bh(&m->lock);
	if (p->role == IPSP_ROLE_MANAGER)
		ipsp_port_mailbox_purge(m);
	ipsp_mailbox_purge(&p->replies);
}

static int port_release(struct inode *inode, struct file *file)
{
	struct port_file *p = file->private_data;

	if (p->stack)
		ipsp_stream_detach(p->stack);
	release_mailbox(p);
	if (p->mm)
		mmdrop(p->mm);
	ipsp_compartment_put(p->c);
	kfree(p);
	ipsp_stats_freed();
	return 0;
}

static const struct file_operations port_fops = {
	.owner = THIS_MODULE,
	.open = port_open,
	.release = port_release,
	.unlocked_ioctl = port_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.read = port_read,
	.write = port_write,
	.poll = port_poll,
	.mmap = port_mmap,
	.llseek = noop_llseek,
};

/* ---- device nodes -------------------------------------------------------------------------------------------------- */

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
	return kasprintf(GFP_KERNEL, "ipsec-port/%s", c ? c->config.name : "control");
}

static const struct device_type port_type = { .name = "ipsec-port", .devnode = port_devnode };

static void port_device_release(struct device *dev)
{
	kfree(dev);
}

static struct device *port_device(int minor, const char *name, struct compartment *c)
{
	struct device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	int err;

	if (!dev)
		return ERR_PTR(-ENOMEM);
	device_initialize(dev);
	dev->devt = MKDEV(MAJOR(port_devt), minor);
	dev->class = port_class;
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

int ipsp_port_create(struct compartment *c)
{
	struct device *dev = port_device(c->minor, c->config.name, c);

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	c->device = dev;
	return 0;
}

void ipsp_port_destroy(struct compartment *c)
{
	device_unregister(c->device);
	c->device = NULL;
}

/* c->gone is set: whoever sleeps on the port wakes and gets EPIPE. */
void ipsp_port_forget(struct compartment *c)
{
	struct port_file *p;

	lockdep_assert_held(&c->admin);
	if (c->stored)
		fput(c->stored);
	c->stored = NULL;
	spin_lock_bh(&c->mailbox.lock);
	list_for_each_entry(p, &c->mailbox.admins, list)
		wake_up_interruptible_all(&p->wait);
	spin_unlock_bh(&c->mailbox.lock);
	wake_up_interruptible_all(&c->mailbox.wait);
}

static struct device *port_control_device;

int ipsp_port_init(void)
{
	int err = alloc_chrdev_region(&port_devt, 0, IPSP_COMPARTMENTS_MAX + 1, "ipsec-port");

	if (err)
		return err;
	port_class = ipsp_class_create("ipsec-port");
	err = PTR_ERR_OR_ZERO(port_class);
	if (err)
		goto err_region;
	cdev_init(&port_cdev, &port_fops);
	port_cdev.owner = THIS_MODULE;
	err = cdev_add(&port_cdev, port_devt, IPSP_COMPARTMENTS_MAX + 1);
	if (err)
		goto err_class;
	port_control_device = port_device(0, "control", NULL);
	err = PTR_ERR_OR_ZERO(port_control_device);
	if (!err)
		return 0;
	cdev_del(&port_cdev);
err_class:
	class_destroy(port_class);
err_region:
	unregister_chrdev_region(port_devt, IPSP_COMPARTMENTS_MAX + 1);
	return err;
}

void ipsp_port_exit(void)
{
	device_unregister(port_control_device);
	cdev_del(&port_cdev);
	class_destroy(port_class);
	unregister_chrdev_region(port_devt, IPSP_COMPARTMENTS_MAX + 1);
}
