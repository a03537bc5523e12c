/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the driver transport asks of the kernel, in one table, so that its tests can be the kernel.
 */
#ifndef LIBHSM_DRIVER_H
#define LIBHSM_DRIVER_H

#include <linux/ihsm.h>
#include "transport.h"

/**
 * struct driver_calls - the system calls of the transport
 * @open: as open(2), for reading and writing. Return: descriptor, or a negative errno
 * @ioctl: as ioctl(2). Return: 0, or a negative errno
 * @close: as close(2)
 * @uring: descriptors are the kernel's, and io_uring may be used on them
 * @reset_ms: how long a reset that is under way is waited for
 */
struct driver_calls {
	int (*open)(const char *path);
	int (*ioctl)(int fd, unsigned long request, void *argument);
	void (*close)(int fd);
	bool uring;
	unsigned int reset_ms;
};

/* driver_open_with - driver_open() on another kernel; @calls outlives the transport */
int driver_open_with(const struct device_name *name, bool admin, const struct driver_calls *calls,
		     struct transport **transport, struct hsm_error *error);

#endif /* LIBHSM_DRIVER_H */
