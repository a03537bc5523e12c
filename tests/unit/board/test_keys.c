// SPDX-License-Identifier: Apache-2.0
/*
 * Derivation and sealing: every input counts, the ladder leads downwards only, no bit of a sealed
 * blob can change.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "internal.h"

static int setup(void **test)
{
	return keys_new((struct keys **)test);
}

static int teardown(void **test)
{
	keys_free(*test);
	return 0;
}

static void test_platform_inputs(void **test)
{
	struct fuse_values values[5] = { 0 };
	uint8_t key[5][BOARD_KEY_SIZE];
	int i, j;

	values[1].secret[31] = 1;
	values[2].vendor_hash[47] = 1;
	values[3].lifecycle = 1;
	values[4].debug = 1;
	for (i = 0; i < 5; i++)
		assert_int_equal(keys_platform(*test, &values[i], key[i]), 0);
	for (i = 0; i < 5; i++)
		for (j = 0; j < i; j++)
			assert_memory_not_equal(key[i], key[j], BOARD_KEY_SIZE);
	/* The counter is no input: keys last. */
	values[0].counter = 9;
	assert_int_equal(keys_platform(*test, &values[0], key[1]), 0);
	assert_memory_equal(key[0], key[1], BOARD_KEY_SIZE);
}

static void test_ladder(void **test)
{
	static const uint8_t platform[BOARD_KEY_SIZE] = { 42 };
	uint8_t high[BOARD_KEY_SIZE], low[BOARD_KEY_SIZE];

	assert_int_equal(keys_ladder(*test, platform, 3, high), 0);
	assert_int_equal(keys_ladder(*test, platform, 1, low), 0);
	assert_memory_not_equal(high, low, BOARD_KEY_SIZE);
	assert_int_equal(keys_ladder_down(*test, 3, high), 0);
	assert_int_equal(keys_ladder_down(*test, 2, high), 0);
	assert_memory_equal(high, low, BOARD_KEY_SIZE);
	assert_int_equal(keys_ladder_down(*test, 1, high), -EINVAL);
	assert_int_equal(keys_ladder(*test, platform, 0, high), -EINVAL);
	assert_int_equal(keys_ladder(*test, platform, LADDER_TOP + 1, high), -EINVAL);
}

static void test_partition_inputs(void **test)
{
	uint8_t ladder[BOARD_KEY_SIZE] = { 0 }, wrapping[BOARD_SECRET_SIZE] = { 0 };
	uint8_t id[PARTITION_ID_SIZE] = { 0 }, key[5][BOARD_KEY_SIZE];
	int i, j;

	assert_int_equal(keys_partition(*test, ladder, wrapping, id, 1, key[0]), 0);
	assert_int_equal(keys_partition(*test, ladder, wrapping, id, 2, key[1]), 0);
	id[0] = 1;
	assert_int_equal(keys_partition(*test, ladder, wrapping, id, 1, key[2]), 0);
	id[0] = 0;
	wrapping[0] = 1;
	assert_int_equal(keys_partition(*test, ladder, wrapping, id, 1, key[3]), 0);
	wrapping[0] = 0;
	ladder[0] = 1;
	assert_int_equal(keys_partition(*test, ladder, wrapping, id, 1, key[4]), 0);
	for (i = 0; i < 5; i++)
		for (j = 0; j < i; j++)
			assert_memory_not_equal(key[i], key[j], BOARD_KEY_SIZE);
}

static void test_seal(void **test)
{
	static const uint8_t key[BOARD_KEY_SIZE] = { 7 };
	static const char text[] = "root record", bound[] = "board";
	uint8_t sealed[sizeof(text) + SEAL_OVERHEAD], again[sizeof(sealed)], plain[sizeof(text)];
	size_t i;

	assert_int_equal(keys_seal(*test, key, bound, sizeof(bound), text, sizeof(text), sealed),
			 0);
	assert_int_equal(
		keys_unseal(*test, key, bound, sizeof(bound), sealed, sizeof(sealed), plain), 0);
	assert_memory_equal(plain, text, sizeof(text));
	for (i = 0; i < 8 * sizeof(sealed); i++) {
		memcpy(again, sealed, sizeof(sealed));
		again[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(keys_unseal(*test, key, bound, sizeof(bound), again, sizeof(again),
					     plain),
				 -EBADMSG);
	}
	assert_int_equal(keys_unseal(*test, key, bound, sizeof(bound) - 1, sealed, sizeof(sealed),
				     plain),
			 -EBADMSG);
	assert_int_equal(keys_unseal(*test, key, bound, sizeof(bound), sealed, SEAL_OVERHEAD - 1,
				     plain),
			 -EBADMSG);
	/* Nonces are random: the same text never gives the same bytes. */
	assert_int_equal(keys_seal(*test, key, bound, sizeof(bound), text, sizeof(text), again), 0);
	assert_memory_not_equal(sealed, again, sizeof(sealed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_platform_inputs),
		cmocka_unit_test(test_ladder),
		cmocka_unit_test(test_partition_inputs),
		cmocka_unit_test(test_seal),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
