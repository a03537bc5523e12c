/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What older kernels lack; included ahead of everything when the module is built outside the
 * kernel's tree, and left out inside it. No other file knows of kernel versions.
 */
#ifndef IHSM_COMPAT_H
#define IHSM_COMPAT_H

#include <linux/slab.h>
#include <linux/version.h>

#ifndef kzalloc_obj
#define kzalloc_obj(obj, gfp) kzalloc(sizeof(obj), gfp)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
/* There is no <kunit/static_stub.h>, and no test runs. */
#define KUNIT_STATIC_STUB_REDIRECT(function, args...)	do { } while (0)
#endif

/* io_uring: what kernel/uring.h has for the newest kernel */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define IHSM_URING_COMPAT
#include <linux/io_uring.h>
#include <linux/ihsm.h>

/* Nobody is told that a ring ends: its commands run to their end. */
#define IHSM_URING_CANCEL	0
#define IHSM_URING_ENTRY(ioucmd)	((ioucmd)->cmd)
/* Who waits for several answers is woken for each. */
#define io_uring_cmd_do_in_task_lazy	io_uring_cmd_complete_in_task
static inline void io_uring_cmd_mark_cancelable(struct io_uring_cmd *ioucmd, unsigned int flags)
{
}

#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define IHSM_URING_COMPAT
#include <linux/io_uring/cmd.h>
#include <linux/ihsm.h>

#define IHSM_URING_CANCEL	IO_URING_F_CANCEL
#define IHSM_URING_ENTRY(ioucmd)	io_uring_sqe_cmd((ioucmd)->sqe)
#endif

#ifdef IHSM_URING_COMPAT
#define IHSM_URING_CALLBACK(name)	void name(struct io_uring_cmd *called, unsigned int flags)
#define IHSM_URING_CALLED()		called
#define IHSM_URING_CALLED_FLAGS()	flags

static inline void ihsm_uring_done(struct io_uring_cmd *ioucmd, int result, unsigned int flags)
{
	io_uring_cmd_done(ioucmd, result, 0, flags);
}
#endif

#endif /* IHSM_COMPAT_H */
