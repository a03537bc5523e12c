// SPDX-License-Identifier: Apache-2.0
/*
 * Memory for keys: whole pages that a fork's child sees zeroed and that core dumps leave out.
 */
#include <sys/mman.h>
#include <openssl/crypto.h>
#include <hsm/seal.h>

void *hsm_secret_alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (madvise(p, size, MADV_WIPEONFORK) || madvise(p, size, MADV_DONTDUMP)) {
		munmap(p, size);
		return NULL;
	}
	/*
	 * Kept from swap where the limit allows it; a limit of 64 KiB, as containers have, is no
	 * reason to fail.
	 */
	(void)mlock(p, size);
	return p;
}

void hsm_secret_free(void *p, size_t size)
{
	if (!p)
		return;
	OPENSSL_cleanse(p, size);
	munmap(p, size);
}
