// SPDX-License-Identifier: Apache-2.0
/*
 * The client's memory: regions that it mapped for its device, and the only code that touches them.
 * Everything is copied, by these functions, between that memory and private buffers: the client may
 * write it at any time, and, where its file is not sealed against it, truncate it under us.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport.h"

/**
 * struct dma_region - one mapping
 * @address: bus address
 * @size: bytes, a multiple of the page size
 * @memory: where it is mapped here; NULL: it came without a file that can be mapped, and is out of reach
 * @prot: PROT_READ | PROT_WRITE
 * @guarded: touching it may raise SIGBUS
 */
struct dma_region {
	uint64_t address;
	uint64_t size;
	uint8_t *memory;
	int prot;
	bool guarded;
};

#define PAGE 4096U

/* Where a SIGBUS of this thread returns to, while it touches a guarded region. */
static __thread sigjmp_buf *guard;

static void on_sigbus(int signal_number)
{
	if (guard)
		siglongjmp(*guard, 1);
	/* Not ours: die of it, with the default action, as soon as the instruction is tried again. */
	signal(signal_number, SIG_DFL);
}

/**
 * dma_start - prepare the process, before the sandbox closes
 *
 * Return: 0 or a negative errno.
 */
int dma_start(void)
{
	/* SA_NODEFER: siglongjmp() out of the handler does not restore the signal mask (it was not saved). */
	struct sigaction action = { .sa_handler = on_sigbus, .sa_flags = SA_NODEFER };

	sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, NULL) ? -errno : 0;
}

/**
 * dma_init - make an empty map
 * @map: to be set up
 * @address_bits: width of the device's bus addresses
 */
int dma_init(struct dma_map *map, unsigned int address_bits)
{
	pthread_rwlockattr_t attributes;
	int error;

	memset(map, 0, sizeof(*map));
	map->limit = address_bits >= 64 ? 0 : 1ULL << address_bits;
	if (pthread_rwlockattr_init(&attributes))
		return -ENOMEM;
	/* Pollers read without a pause; an unmap must get its turn between them. */
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	error = pthread_rwlock_init(&map->lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	return -error;
}

static void region_drop(struct dma_region *region)
{
	if (region->memory)
		munmap(region->memory, region->size);
}

/* dma_clear - remove every region */
void dma_clear(struct dma_map *map)
{
	pthread_rwlock_wrlock(&map->lock);
	for (unsigned int i = 0; i < map->count; i++)
		region_drop(&map->regions[i]);
	free(map->regions);
	map->regions = NULL;
	map->count = 0;
	map->room = 0;
	pthread_rwlock_unlock(&map->lock);
}

void dma_destroy(struct dma_map *map)
{
	dma_clear(map);
	pthread_rwlock_destroy(&map->lock);
}

/* dma_enable - follow the bus master bit; when it returns after false, nothing touches the memory */
void dma_enable(struct dma_map *map, bool on)
{
	pthread_rwlock_wrlock(&map->lock);
	map->enabled = on;
	pthread_rwlock_unlock(&map->lock);
}

/* dma_quiesce - wait until everybody who is between dma_enter() and dma_leave() now has left */
void dma_quiesce(struct dma_map *map)
{
	pthread_rwlock_wrlock(&map->lock);
	pthread_rwlock_unlock(&map->lock);
}

void dma_enter(struct dma_map *map)
{
	pthread_rwlock_rdlock(&map->lock);
}

void dma_leave(struct dma_map *map)
{
	pthread_rwlock_unlock(&map->lock);
}

/* Index of the first region that ends above @address; map->count when there is none. */
static unsigned int region_index(const struct dma_map *map, uint64_t address)
{
	unsigned int low = 0, high = map->count;

	while (low < high) {
		unsigned int middle = (low + high) / 2;
		const struct dma_region *region = &map->regions[middle];

		if (region->address + (region->size - 1) < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Map @fd. Only memory files answer F_GET_SEALS: a page fault on one cannot be made to wait for the
 * client, as it could on a file system that the client serves itself.
 */
static int region_map(struct dma_region *region, int fd, uint64_t offset)
{
	struct stat info;
	int seals;

	if (fd < 0)
		return 0;
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0) {
		log_line(
			"dma: a mapping's file is not memory (memfd, tmpfs, hugetlbfs): out of reach");
		return 0;
	}
	if (fstat(fd, &info))
		return -errno;
	if (offset > INT64_MAX || region->size > (uint64_t)INT64_MAX - offset)
		return -EINVAL;
	/* Huge pages can be missing when they are touched, whatever the seals say. */
	region->guarded = !(seals & F_SEAL_SHRINK) || info.st_blksize != (blksize_t)PAGE ||
			  offset + region->size > (uint64_t)info.st_size;
	region->memory = mmap(NULL, region->size, region->prot, MAP_SHARED, fd, (off_t)offset);
	if (region->memory == MAP_FAILED) {
		region->memory = NULL;
		return -errno;
	}
	return 0;
}

static int region_check(const struct vfio_user_dma_map *what)
{
	if (!what->size || (what->size | what->address | what->offset) & (PAGE - 1))
		return -EINVAL;
	if (what->address + (what->size - 1) < what->address || what->size > SIZE_MAX / 2)
		return -EINVAL;
	if (what->flags & ~(VFIO_USER_DMA_READABLE | VFIO_USER_DMA_WRITABLE))
		return -EINVAL;
	return 0;
}

static int region_insert(struct dma_map *map, const struct dma_region *region)
{
	unsigned int at = region_index(map, region->address);
	struct dma_region *more;

	if (at < map->count && map->regions[at].address <= region->address + (region->size - 1))
		return -EEXIST;
	if (map->count >= VFIO_USER_MAX_DMA_MAPS)
		return -ENOSPC;
	if (map->count == map->room) {
		more = realloc(map->regions, (map->room * 2 + 16) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		map->regions = more;
		map->room = map->room * 2 + 16;
	}
	memmove(&map->regions[at + 1], &map->regions[at], (map->count - at) * sizeof(*region));
	map->regions[at] = *region;
	map->count++;
	return 0;
}

/**
 * dma_add - add a region
 * @map: of the connection
 * @what: as the client sent it
 * @fd: its file, stays the caller's; -1: none, the region is then known but out of reach
 *
 * Return: 0, -EEXIST when it overlaps another, -EINVAL, -ENOSPC, -ENOMEM or what mmap() says.
 */
int dma_add(struct dma_map *map, const struct vfio_user_dma_map *what, int fd)
{
	struct dma_region region = { .address = what->address, .size = what->size };
	int error = region_check(what);

	if (error)
		return error;
	if (what->flags & VFIO_USER_DMA_READABLE)
		region.prot |= PROT_READ;
	if (what->flags & VFIO_USER_DMA_WRITABLE)
		region.prot |= PROT_WRITE;
	error = region_map(&region, fd, what->offset);
	if (error)
		return error;
	pthread_rwlock_wrlock(&map->lock);
	error = region_insert(map, &region);
	pthread_rwlock_unlock(&map->lock);
	if (error)
		region_drop(&region);
	return error;
}

/**
 * dma_remove - remove a region; when it returns, nothing refers to it any more
 * @map: of the connection
 * @address: where the region begins
 * @size: of the region; must be that of a mapping
 *
 * Return: 0, or -ENOENT when no region is exactly there.
 */
int dma_remove(struct dma_map *map, uint64_t address, uint64_t size)
{
	struct dma_region region = { 0 };
	unsigned int at;

	pthread_rwlock_wrlock(&map->lock);
	at = region_index(map, address);
	if (at < map->count && map->regions[at].address == address &&
	    map->regions[at].size == size) {
		region = map->regions[at];
		map->count--;
		memmove(&map->regions[at], &map->regions[at + 1],
			(map->count - at) * sizeof(region));
	}
	pthread_rwlock_unlock(&map->lock);
	if (!region.size)
		return -ENOENT;
	region_drop(&region);
	return 0;
}

/* dma_has - is there a region exactly there? */
bool dma_has(struct dma_map *map, uint64_t address, uint64_t size)
{
	unsigned int at;
	bool found;

	pthread_rwlock_rdlock(&map->lock);
	at = region_index(map, address);
	found = at < map->count && map->regions[at].address == address &&
		map->regions[at].size == size;
	pthread_rwlock_unlock(&map->lock);
	return found;
}

/*
 * The memory at @address, as much of @length as lies in one region. NULL: not mapped, not allowed,
 * too wide an address, or bus mastering is off.
 */
static uint8_t *translate(const struct dma_map *map, uint64_t address, size_t length, int prot,
			  size_t *piece, bool *guarded)
{
	const struct dma_region *region;
	uint64_t into;
	unsigned int at;

	if (!map->enabled || address + (length - 1) < address)
		return NULL;
	if (map->limit && (address >= map->limit || length > map->limit - address))
		return NULL;
	at = region_index(map, address);
	if (at == map->count || map->regions[at].address > address)
		return NULL;
	region = &map->regions[at];
	if (!region->memory || !(region->prot & prot))
		return NULL;
	into = address - region->address;
	*piece = region->size - into < length ? region->size - into : length;
	*guarded = region->guarded;
	return region->memory + into;
}

/* Does the processor's own copying; kept apart since sigsetjmp() costs its caller the registers. */
static __attribute__((noinline)) int copy_guarded(void *to, const void *from, size_t length)
{
	sigjmp_buf here;

	if (sigsetjmp(here, 0)) {
		guard = NULL;
		return -EFAULT;
	}
	guard = &here;
	atomic_signal_fence(memory_order_seq_cst);
	memcpy(to, from, length);
	atomic_signal_fence(memory_order_seq_cst);
	guard = NULL;
	return 0;
}

static int copy(void *to, const void *from, size_t length, bool guarded)
{
	if (guarded)
		return copy_guarded(to, from, length);
	memcpy(to, from, length);
	return 0;
}

/**
 * dma_read - copy from the client's memory
 * @map: of the connection, between dma_enter() and dma_leave()
 * @address: bus address
 * @to: private buffer
 * @length: bytes; they may cross from one region into the next
 *
 * Return: 0, or -EFAULT when a part is not mapped, or its file has been truncated.
 */
int dma_read(struct dma_map *map, uint64_t address, void *to, size_t length)
{
	uint8_t *out = to;

	while (length) {
		size_t piece;
		bool guarded;
		const uint8_t *from = translate(map, address, length, PROT_READ, &piece, &guarded);

		if (!from || copy(out, from, piece, guarded))
			return -EFAULT;
		out += piece;
		address += piece;
		length -= piece;
	}
	return 0;
}

/**
 * dma_write - copy to the client's memory
 * @map: of the connection, between dma_enter() and dma_leave()
 * @address: bus address
 * @from: private buffer
 * @length: bytes
 *
 * Return: 0 or -EFAULT; then a part may have been written.
 */
int dma_write(struct dma_map *map, uint64_t address, const void *from, size_t length)
{
	const uint8_t *in = from;

	while (length) {
		size_t piece;
		bool guarded;
		uint8_t *to = translate(map, address, length, PROT_WRITE, &piece, &guarded);

		if (!to || copy(to, in, piece, guarded))
			return -EFAULT;
		in += piece;
		address += piece;
		length -= piece;
	}
	return 0;
}

static __attribute__((noinline)) int load32_guarded(const uint32_t *from, uint32_t *value)
{
	sigjmp_buf here;

	if (sigsetjmp(here, 0)) {
		guard = NULL;
		return -EFAULT;
	}
	guard = &here;
	atomic_signal_fence(memory_order_seq_cst);
	*value = __atomic_load_n(from, __ATOMIC_ACQUIRE);
	atomic_signal_fence(memory_order_seq_cst);
	guard = NULL;
	return 0;
}

/* dma_load32 - load an aligned word in one piece, before everything that is read after it */
int dma_load32(struct dma_map *map, uint64_t address, uint32_t *value)
{
	size_t piece;
	bool guarded;
	const void *from;

	if (address & 3)
		return -EFAULT;
	from = translate(map, address, sizeof(*value), PROT_READ, &piece, &guarded);
	if (!from)
		return -EFAULT;
	if (guarded)
		return load32_guarded(from, value);
	*value = __atomic_load_n((const uint32_t *)from, __ATOMIC_ACQUIRE);
	return 0;
}

static __attribute__((noinline)) int store_guarded(void *to, uint64_t value, size_t size)
{
	sigjmp_buf here;

	if (sigsetjmp(here, 0)) {
		guard = NULL;
		return -EFAULT;
	}
	guard = &here;
	atomic_signal_fence(memory_order_seq_cst);
	if (size == sizeof(uint64_t))
		__atomic_store_n((uint64_t *)to, value, __ATOMIC_RELEASE);
	else
		__atomic_store_n((uint32_t *)to, (uint32_t)value, __ATOMIC_RELEASE);
	atomic_signal_fence(memory_order_seq_cst);
	guard = NULL;
	return 0;
}

/* dma_store32 - store an aligned word in one piece, after everything that was written before it */
int dma_store32(struct dma_map *map, uint64_t address, uint32_t value)
{
	size_t piece;
	bool guarded;
	void *to;

	if (address & 3)
		return -EFAULT;
	to = translate(map, address, sizeof(value), PROT_WRITE, &piece, &guarded);
	if (!to)
		return -EFAULT;
	if (guarded)
		return store_guarded(to, value, sizeof(value));
	__atomic_store_n((uint32_t *)to, value, __ATOMIC_RELEASE);
	return 0;
}

/* dma_store64 - likewise for eight bytes */
int dma_store64(struct dma_map *map, uint64_t address, uint64_t value)
{
	size_t piece;
	bool guarded;
	void *to;

	if (address & 7)
		return -EFAULT;
	to = translate(map, address, sizeof(value), PROT_WRITE, &piece, &guarded);
	if (!to)
		return -EFAULT;
	if (guarded)
		return store_guarded(to, value, sizeof(value));
	__atomic_store_n((uint64_t *)to, value, __ATOMIC_RELEASE);
	return 0;
}
