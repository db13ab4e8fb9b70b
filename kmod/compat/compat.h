/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - what differs between the kernels we build on: 6.1 and 6.12
 *
 * The only place with version tests. Each shim names the upstream change that made it
 * necessary and takes the newer kernel's shape.
 */
#ifndef IPSP_COMPAT_H
#define IPSP_COMPAT_H

#include <linux/version.h>
#include <linux/device.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/dst.h>
#include <net/ip6_fib.h>
#include <net/route.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0) || LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#error "ipsec_port is built and tested on Linux 6.1 to 6.12"
#endif

/* 6.3, bc292ab00f6c: vma flags are changed through functions */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void ipsp_vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}

static inline void ipsp_vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#else
#define ipsp_vm_flags_set vm_flags_set
#define ipsp_vm_flags_clear vm_flags_clear
#endif

/* 6.6, 762c8dc7f269: dst_alloc() lost initial_ref */
static inline void *ipsp_dst_alloc(struct dst_ops *ops, struct net_device *dev, int obsolete,
				   unsigned short flags)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
	return dst_alloc(ops, dev, 1, obsolete, flags);
#else
	return dst_alloc(ops, dev, obsolete, flags);
#endif
}

/* 6.4, d288a162dd1c: rt_uncached moved into struct dst_entry */
static inline void ipsp_rt_uncached_init(struct rtable *rt)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	INIT_LIST_HEAD(&rt->rt_uncached);
#else
	INIT_LIST_HEAD(&rt->dst.rt_uncached);
#endif
}

static inline void ipsp_rt6_uncached_init(struct rt6_info *rt)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	INIT_LIST_HEAD(&rt->rt6i_uncached);
#else
	INIT_LIST_HEAD(&rt->dst.rt_uncached);
#endif
}

/* 6.10, 78f1a1e5a3c3: dummy devices are allocated */
static inline struct net_device *ipsp_alloc_dummy_device(void)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
	struct net_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (dev)
		init_dummy_netdev(dev);
	return dev;
#else
	return alloc_netdev_dummy(0);
#endif
}

static inline void ipsp_free_dummy_device(struct net_device *dev)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
	kfree(dev);
#else
	free_netdev(dev);
#endif
}

/* 6.2, a9b12f8b4f42: devnode() takes a const device */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define ipsp_devnode_device struct device
#else
#define ipsp_devnode_device const struct device
#endif

/* 6.10, 2c92ca849fcc: __assign_str() lost its source */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define ipsp_assign_str(dst, src) __assign_str(dst, src)
#else
#define ipsp_assign_str(dst, src) __assign_str(dst)
#endif

/* 6.10, 7ab4f16f9e24: what a ubuf_info calls is in a table */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define IPSP_UBUF_INFO_OPS(name, over)
#define IPSP_UBUF_INFO_USE(name, over) .callback = (over)
#else
#define IPSP_UBUF_INFO_OPS(name, over) \
	static const struct ubuf_info_ops name = { .complete = (over) }
#define IPSP_UBUF_INFO_USE(name, over) .ops = &(name)
#endif

/* 6.5, d457a0e329b0: skb_gso_segment() and its kin moved to net/gso.h */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#include <net/gso.h>
#endif

#endif
