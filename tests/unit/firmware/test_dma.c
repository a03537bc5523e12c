// SPDX-License-Identifier: Apache-2.0
/*
 * The map of the client's memory: what may be mapped, what is reached, and that a client which takes its
 * memory away harms nobody.
 */
#include "transport_harness.h"

#define PAGE 4096U

static struct dma_map map;

static int setup(void **state)
{
	(void)state;
	if (dma_start() || dma_init(&map, 40))
		return -1;
	dma_enable(&map, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dma_destroy(&map);
	return 0;
}

static int add(uint64_t address, uint64_t size, int fd, uint64_t offset, uint32_t flags)
{
	const struct vfio_user_dma_map what = { sizeof(what), flags, offset, address, size };

	return dma_add(&map, &what, fd);
}

static int get(uint64_t address, void *to, size_t length)
{
	int error;

	dma_enter(&map);
	error = dma_read(&map, address, to, length);
	dma_leave(&map);
	return error;
}

static int put(uint64_t address, const void *from, size_t length)
{
	int error;

	dma_enter(&map);
	error = dma_write(&map, address, from, length);
	dma_leave(&map);
	return error;
}

static void test_map_and_copy(void **state)
{
	int fd = client_memfd(F_SEAL_SHRINK);
	char text[16] = "";

	(void)state;
	/* Adjacent regions, in reverse order, of swapped halves of the file. */
	assert_int_equal(add(0x2000, PAGE, fd, 0, 3), 0);
	assert_int_equal(add(0x1000, PAGE, fd, PAGE, 3), 0);
	assert_int_equal(put(0x1ffc, "acrossit", 8), 0);
	assert_int_equal(get(0x1ffc, text, 8), 0);
	assert_string_equal(text, "acrossit");
	assert_int_equal(pread(fd, text, 4, 0), 4);
	assert_memory_equal(text, "ssit", 4);
	assert_int_equal(get(0x2ffc, text, 8), -EFAULT);
	assert_int_equal(get(0xffc, text, 8), -EFAULT);
	assert_int_equal(get(UINT64_MAX - 2, text, 8), -EFAULT);
	close(fd);
}

static void test_refused(void **state)
{
	int fd = client_memfd(F_SEAL_SHRINK);

	(void)state;
	assert_int_equal(add(0x10000, 4 * PAGE, fd, 0, 3), 0);
	assert_int_equal(add(0x11000, PAGE, fd, 0, 3), -EEXIST);
	assert_int_equal(add(0xf000, 8 * PAGE, fd, 0, 3), -EEXIST);
	assert_int_equal(add(0x13000, 2 * PAGE, fd, 0, 3), -EEXIST);
	assert_int_equal(add(0x14000, 0, fd, 0, 3), -EINVAL);
	assert_int_equal(add(0x14010, PAGE, fd, 0, 3), -EINVAL);
	assert_int_equal(add(0x14000, PAGE, fd, 8, 3), -EINVAL);
	assert_int_equal(add(0x14000, PAGE, fd, 0, 4), -EINVAL);
	assert_int_equal(add(0ULL - PAGE, 2 * PAGE, fd, 0, 3), -EINVAL);
	assert_int_equal(add(0x14000, PAGE, fd, 1ULL << 63, 3), -EINVAL);
	assert_int_equal(add(0ULL - PAGE, PAGE, fd, 0, 3), 0);
	close(fd);
}

static void test_unmap_is_exact(void **state)
{
	int fd = client_memfd(F_SEAL_SHRINK);
	char byte;

	(void)state;
	assert_int_equal(add(0x10000, 4 * PAGE, fd, 0, 3), 0);
	assert_int_equal(dma_remove(&map, 0x10000, PAGE), -ENOENT);
	assert_int_equal(dma_remove(&map, 0x11000, 3 * PAGE), -ENOENT);
	assert_true(dma_has(&map, 0x10000, 4 * PAGE));
	assert_int_equal(dma_remove(&map, 0x10000, 4 * PAGE), 0);
	assert_int_equal(dma_remove(&map, 0x10000, 4 * PAGE), -ENOENT);
	assert_int_equal(get(0x10000, &byte, 1), -EFAULT);
	close(fd);
}

static void test_limits_of_reach(void **state)
{
	int fd = client_memfd(F_SEAL_SHRINK), ends[2];
	char byte = 0;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	/* Without a file, or with one that is not memory: known, but out of reach. */
	assert_int_equal(add(0x1000, PAGE, -1, 0, 3), 0);
	assert_int_equal(get(0x1000, &byte, 1), -EFAULT);
	assert_int_equal(add(0x2000, PAGE, ends[0], 0, 3), 0);
	assert_int_equal(get(0x2000, &byte, 1), -EFAULT);
	/* Read-only and write-only. */
	assert_int_equal(add(0x3000, PAGE, fd, 0, VFIO_USER_DMA_READABLE), 0);
	assert_int_equal(get(0x3000, &byte, 1), 0);
	assert_int_equal(put(0x3000, &byte, 1), -EFAULT);
	assert_int_equal(add(0x4000, PAGE, fd, 0, VFIO_USER_DMA_WRITABLE), 0);
	assert_int_equal(put(0x4000, &byte, 1), 0);
	assert_int_equal(get(0x4000, &byte, 1), -EFAULT);
	/* Beyond the width of a bus address. */
	assert_int_equal(add((1ULL << 40) - PAGE, 2 * PAGE, fd, 0, 3), 0);
	assert_int_equal(get((1ULL << 40) - 1, &byte, 1), 0);
	assert_int_equal(get(1ULL << 40, &byte, 1), -EFAULT);
	/* Bus mastering off. */
	dma_enable(&map, false);
	assert_int_equal(get(0x3000, &byte, 1), -EFAULT);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

static void test_truncated_under_us(void **state)
{
	int fd = client_memfd(0);
	uint32_t word;
	char buffer[64];
	int errors[3];

	(void)state;
	/* cmocka has put a handler of its own in the place of ours. */
	assert_int_equal(dma_start(), 0);
	assert_int_equal(add(0x10000, 4 * PAGE, fd, 0, 3), 0);
	assert_int_equal(put(0x12000, "here", 5), 0);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_int_equal(get(0x12000, buffer, sizeof(buffer)), -EFAULT);
	assert_int_equal(put(0x12000, buffer, sizeof(buffer)), -EFAULT);
	dma_enter(&map);
	errors[0] = dma_load32(&map, 0x12000, &word);
	errors[1] = dma_store32(&map, 0x12000, 1);
	errors[2] = dma_store64(&map, 0x12000, 1);
	dma_leave(&map);
	assert_int_equal(errors[0], -EFAULT);
	assert_int_equal(errors[1], -EFAULT);
	assert_int_equal(errors[2], -EFAULT);
	/* What is still there still works. */
	assert_int_equal(get(0x10000, buffer, sizeof(buffer)), 0);
	close(fd);
}

static void test_words_are_aligned(void **state)
{
	int fd = client_memfd(F_SEAL_SHRINK);
	uint32_t word = 0;
	int errors[4];

	(void)state;
	assert_int_equal(add(0x10000, PAGE, fd, 0, 3), 0);
	dma_enter(&map);
	errors[0] = dma_store32(&map, 0x10004, 0x12345678);
	errors[1] = dma_load32(&map, 0x10004, &word);
	errors[2] = dma_load32(&map, 0x10002, &word);
	errors[3] = dma_store64(&map, 0x10004, 0);
	dma_leave(&map);
	assert_int_equal(errors[0], 0);
	assert_int_equal(errors[1], 0);
	assert_int_equal(word, 0x12345678);
	assert_int_equal(errors[2], -EFAULT);
	assert_int_equal(errors[3], -EFAULT);
	close(fd);
}

/* A reader never sees a region half gone: the removal waits for it. */
static void *reader(void *stop)
{
	char buffer[PAGE];

	while (!atomic_load((atomic_bool *)stop))
		get(0x10000, buffer, sizeof(buffer));
	return NULL;
}

static void test_unmap_waits_for_readers(void **state)
{
	int fd = client_memfd(F_SEAL_SHRINK);
	atomic_bool stop = false;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, reader, &stop), 0);
	for (int i = 0; i < 2000; i++) {
		assert_int_equal(add(0x10000, PAGE, fd, 0, 3), 0);
		assert_int_equal(dma_remove(&map, 0x10000, PAGE), 0);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_map_and_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmap_is_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits_of_reach, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated_under_us, setup, teardown),
		cmocka_unit_test_setup_teardown(test_words_are_aligned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmap_waits_for_readers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
