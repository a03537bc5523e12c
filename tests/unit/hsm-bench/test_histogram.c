// SPDX-License-Identifier: Apache-2.0
/*
 * What the benchmark reports: percentiles against a sorted list of the same samples, and the names of operations.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hsm-bench.h"

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Samples of all magnitudes, from a generator with a fixed start */
static void fill(uint64_t *sample, size_t count, uint64_t x)
{
	for (size_t i = 0; i < count; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		sample[i] = x >> (x % 60);
	}
}

static void test_small_values_are_exact(void **state)
{
	struct histogram *histogram = calloc(1, sizeof(*histogram));

	(void)state;
	assert_non_null(histogram);
	for (uint64_t i = 1; i <= 200; i++)
		histogram_add(histogram, i);
	assert_int_equal(histogram_percentile(histogram, 50), 100);
	assert_int_equal(histogram_percentile(histogram, 90), 180);
	assert_int_equal(histogram_percentile(histogram, 99), 198);
	assert_int_equal(histogram_percentile(histogram, 100), 200);
	assert_int_equal(histogram->min, 1);
	assert_int_equal(histogram->max, 200);
	assert_int_equal(histogram->sum, 20100);
	free(histogram);
}

static void test_percentiles_match_a_sorted_list(void **state)
{
	static uint64_t sample[10000];
	struct histogram *histogram = calloc(1, sizeof(*histogram));

	(void)state;
	assert_non_null(histogram);
	fill(sample, 10000, 88172645463325252U);
	for (size_t i = 0; i < 10000; i++)
		histogram_add(histogram, sample[i]);
	qsort(sample, 10000, sizeof(sample[0]), compare);
	for (unsigned int percent = 1; percent <= 100; percent++) {
		uint64_t exact = sample[percent * 100 - 1];
		uint64_t got = histogram_percentile(histogram, percent);

		assert_true(got >= exact);
		assert_true(got - exact <= exact / HISTOGRAM_HALF);
	}
	free(histogram);
}

static void test_extremes(void **state)
{
	struct histogram *histogram = calloc(1, sizeof(*histogram));

	(void)state;
	assert_non_null(histogram);
	assert_int_equal(histogram_percentile(histogram, 50), 0);
	histogram_add(histogram, UINT64_MAX);
	assert_true(histogram_percentile(histogram, 50) == UINT64_MAX);
	histogram_add(histogram, 0);
	assert_int_equal(histogram_percentile(histogram, 50), 0);
	assert_int_equal(histogram->min, 0);
	free(histogram);
}

static void test_merge_is_as_if_added_to_one(void **state)
{
	static uint64_t sample[1000];
	struct histogram *all = calloc(3, sizeof(*all));

	(void)state;
	assert_non_null(all);
	fill(sample, 1000, 1234567);
	for (size_t i = 0; i < 1000; i++) {
		histogram_add(&all[0], sample[i]);
		histogram_add(&all[1 + i % 2], sample[i]);
	}
	histogram_merge(&all[1], &all[2]);
	assert_memory_equal(&all[0], &all[1], sizeof(all[0]));
	memset(&all[2], 0, sizeof(all[2]));
	histogram_merge(&all[1], &all[2]);
	assert_memory_equal(&all[0], &all[1], sizeof(all[0]));
	free(all);
}

static void test_operations(void **state)
{
	static const char *const wrong[] = { "",
					     "aes",
					     "aes-gcm:",
					     "aes-gcm:-1",
					     "aes-gcm:1kk",
					     "aes-gcm:17m",
					     "p256-sign:1",
					     "aes-gcm:1g",
					     "aes-gcm: 1",
					     "aes-gcm:99999999999999999999999" };
	struct operation operation;

	(void)state;
	assert_int_equal(operation_parse("aes-gcm:64k", &operation), 0);
	assert_int_equal(operation.kind, BENCH_AES_GCM);
	assert_int_equal(operation.size, 65536);
	assert_int_equal(operation_parse("aes-gcm", &operation), 0);
	assert_int_equal(operation.size, 1024);
	assert_int_equal(operation_parse("random:16m", &operation), 0);
	assert_int_equal(operation.size, BENCH_LARGEST);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(operation_parse(wrong[i], &operation), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_values_are_exact),
		cmocka_unit_test(test_percentiles_match_a_sorted_list),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_merge_is_as_if_added_to_one),
		cmocka_unit_test(test_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
