// SPDX-License-Identifier: GPL-2.0
/* call.c - the frame of an ioctl: copies in and out, reserved words, the lock */
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "call.h"
#include "compartment.h"
#include "port.h"

const struct call *ipsp_call_find(const struct call *calls, u32 count, unsigned int number)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (calls[i].number == number)
			return &calls[i];
	return NULL;
}

static int call_handler(const struct call *call, struct port_file *p, void *arg)
{
	if (call->control)
		return call->control(current->nsproxy->net_ns, arg);
	return call->handle ? call->handle(p->c, arg) : call->port(p, arg);
}

static int call_locked(const struct call *call, struct port_file *p, void *arg)
{
	struct mutex *lock = p ? &p->c->admin : &ipsp_compartment_mutex;
	int ret;

	if (!call->locked)
		return call_handler(call, p, arg);
	mutex_lock(lock);
	ret = p && p->c->gone ? -EPIPE : call_handler(call, p, arg);
	mutex_unlock(lock);
	return ret;
}

/* What its caller never heard of must not stay: he could not take it away. */
static void call_undo(const struct call *call, struct port_file *p, void *arg)
{
	if (!call->undo)
		return;
	mutex_lock(&p->c->admin);
	call->undo(p->c, arg);
	mutex_unlock(&p->c->admin);
}

/* What it does not know, it would not do. */
static bool call_is_known(const struct call *call, const u8 *arg)
{
	u32 size = _IOC_SIZE(call->number);

	if (call->reserved && memchr_inv(arg + call->reserved, 0, size - call->reserved))
		return false;
	return !call->flags || !(*(const u32 *)(arg + call->flags) & ~call->known);
}

int ipsp_call_run(const struct call *call, struct port_file *p, void __user *user)
{
	u32 size = _IOC_SIZE(call->number), dir = _IOC_DIR(call->number);
	u8 *arg = kzalloc(size, GFP_KERNEL_ACCOUNT);
	int ret;

	if (!arg)
		return -ENOMEM;
	if ((dir & _IOC_WRITE) && copy_from_user(arg, user, size))
		ret = -EFAULT;
	else if (!call_is_known(call, arg))
		ret = -EINVAL;
	else
		ret = call_locked(call, p, arg);
	if ((dir & _IOC_READ) && (ret >= 0 || (call->tells && ret != -EFAULT)) &&
	    copy_to_user(user, arg, size)) {
		ret = -EFAULT;
		call_undo(call, p, arg);
	}
	kfree_sensitive(arg);		/* the hash key is among them */
	return ret;
}
