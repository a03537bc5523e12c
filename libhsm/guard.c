// SPDX-License-Identifier: Apache-2.0
/*
 * Noticing a fork without a handler: a page that the kernel hands to a child filled with zeros.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include "internal.h"

int guard_init(struct guard *guard)
{
	long size = sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (page == MAP_FAILED)
		return -ENOMEM;
	if (madvise(page, (size_t)size, MADV_WIPEONFORK) != 0) {
		int error = -errno;

		munmap(page, (size_t)size);
		return error;
	}
	guard->page = page;
	*guard->page = 1;
	return 0;
}

void guard_destroy(struct guard *guard)
{
	if (!guard->page)
		return;
	munmap((void *)(uintptr_t)guard->page, (size_t)sysconf(_SC_PAGESIZE));
	guard->page = NULL;
}
