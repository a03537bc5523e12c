// SPDX-License-Identifier: Apache-2.0
/*
 * The memory that this process shares with the device: one memfd that neither side can shrink.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "vfio_user.h"

int shared_init(struct shared *shared, unsigned int queues)
{
	size_t size = queue_offset(queues);
	void *base;

	shared->fd = memfd_create("hsm-rings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (shared->fd < 0)
		return -errno;
	if (ftruncate(shared->fd, (off_t)size) != 0 ||
	    fcntl(shared->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		return -errno;
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, shared->fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	shared->base = base;
	shared->size = size;
	/* A child has no business here, and must not disturb its parent's rings by accident. */
	if (madvise(base, size, MADV_DONTFORK) != 0)
		return -errno;
	madvise(base, size, MADV_DONTDUMP);
	return 0;
}

void shared_destroy(struct shared *shared, bool forked)
{
	if (shared->base && !forked)
		munmap(shared->base, shared->size);
	if (shared->fd >= 0)
		close(shared->fd);
	shared->base = NULL;
	shared->fd = -1;
}
