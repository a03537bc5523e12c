/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What older kernels lack; included ahead of everything when the module is built outside the
 * kernel's tree, and left out inside it. No other file knows of kernel versions.
 */
#ifndef IHSM_COMPAT_H
#define IHSM_COMPAT_H

#include <linux/slab.h>

#ifndef kzalloc_obj
#define kzalloc_obj(obj, gfp) kzalloc(sizeof(obj), gfp)
#endif

#endif /* IHSM_COMPAT_H */
