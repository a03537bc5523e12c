// SPDX-License-Identifier: Apache-2.0
/*
 * The fuses file: what is stored comes back, a torn or flipped slot costs one step at most, and what
 * cannot be told is refused.
 */
#include "fixture.h"

static const struct fuse_values first = {
	.counter = 7,
	.lifecycle = HSM_LIFECYCLE_PRODUCTION,
	.minimum_version = 1,
	.serial = "0123456789ABCDEF",
	.secret = { 1, 2, 3 },
	.root = { 4, 5, 6 },
};

/* Without the structure's padding */
#define VALUES_SIZE (offsetof(struct fuse_values, next_root) + BOARD_SECRET_SIZE)

static void test_round_trip(void **test)
{
	struct fixture *f = *test;
	struct fuse_values values = first;
	struct fuses *fuses;
	int i;

	assert_int_equal(fuses_create(f->fuses, &first, &f->error), 0);
	assert_int_equal(fuses_create(f->fuses, &first, &f->error), -EEXIST);
	for (i = 0; i < 5; i++) {
		assert_int_equal(fuses_open(f->fuses, &fuses, &f->error), 0);
		assert_memory_equal(fuses_values(fuses), &values, VALUES_SIZE);
		values.counter++;
		assert_int_equal(fuses_store(fuses, &values, i == 3), 0);
		fuses_close(fuses);
	}
}

static void test_private(void **test)
{
	struct fixture *f = *test;
	struct fuses *fuses;

	assert_int_equal(fuses_open(f->fuses, &fuses, &f->error), -ENOENT);
	assert_int_equal(fuses_create(f->fuses, &first, &f->error), 0);
	assert_int_equal(chmod(f->fuses, 0640), 0);
	assert_int_equal(fuses_open(f->fuses, &fuses, &f->error), -EPERM);
	assert_non_null(strstr(f->error.text, "chmod 600"));
}

/* One flipped byte leaves the other slot: the same values, or those of one step before. */
static void test_flips(void **test)
{
	struct fixture *f = *test;
	struct fuse_values values = first;
	unsigned int older = 0, same = 0;
	struct fuses *fuses;
	off_t at;

	assert_int_equal(fuses_create(f->fuses, &first, &f->error), 0);
	assert_int_equal(fuses_open(f->fuses, &fuses, &f->error), 0);
	values.counter++;
	assert_int_equal(fuses_store(fuses, &values, false), 0);
	fuses_close(fuses);
	for (at = 0; at < 8192; at += at % 4096 < 320 ? 1 : 53) {
		fixture_flip(f, "fuses", at);
		assert_int_equal(fuses_open(f->fuses, &fuses, &f->error), 0);
		values.counter = fuses_values(fuses)->counter;
		assert_memory_equal(fuses_values(fuses), &values, VALUES_SIZE);
		older += values.counter == first.counter;
		same += values.counter == first.counter + 1;
		fuses_close(fuses);
		fixture_flip(f, "fuses", at);
	}
	assert_true(older > 200);
	assert_true(same > 200);
}

static void test_both_slots_damaged(void **test)
{
	struct fixture *f = *test;
	struct fuses *fuses;

	assert_int_equal(fuses_create(f->fuses, &first, &f->error), 0);
	fixture_flip(f, "fuses", 40);
	fixture_flip(f, "fuses", 4096 + 40);
	assert_int_equal(fuses_open(f->fuses, &fuses, &f->error), -EBADMSG);
	assert_non_null(strstr(f->error.text, f->fuses));
	assert_int_equal(truncate(f->fuses, 0), 0);
	assert_int_equal(fuses_open(f->fuses, &fuses, &f->error), -EBADMSG);
}

static void test_unknown_version(void **test)
{
	struct fixture *f = *test;
	struct fuses *fuses;

	assert_int_equal(fuses_create(f->fuses, &first, &f->error), 0);
	fixture_flip(f, "fuses", 8);
	fixture_flip(f, "fuses", 4096 + 8);
	assert_int_equal(fuses_open(f->fuses, &fuses, &f->error), -EPROTONOSUPPORT);
	assert_non_null(strstr(f->error.text, "version"));
}

static unsigned int occurrences(const struct fixture *f, const uint8_t *bytes, size_t length)
{
	uint8_t file[8192];
	unsigned int n = 0;
	size_t i;
	int fd;

	fd = open(f->fuses, O_RDONLY);
	assert_int_equal(read(fd, file, sizeof(file)), sizeof(file));
	close(fd);
	for (i = 0; i + length <= sizeof(file); i++)
		n += memcmp(file + i, bytes, length) == 0;
	return n;
}

/* A secret that has to go is in neither slot afterwards. */
static void test_store_both(void **test)
{
	struct fixture *f = *test;
	struct fuse_values values = first;
	struct fuses *fuses;

	memset(values.root, 0x5a, sizeof(values.root));
	assert_int_equal(fuses_create(f->fuses, &values, &f->error), 0);
	assert_int_equal(occurrences(f, values.root, sizeof(values.root)), 2);
	assert_int_equal(fuses_open(f->fuses, &fuses, &f->error), 0);
	assert_int_equal(fuses_store(fuses, &first, true), 0);
	fuses_close(fuses);
	assert_int_equal(occurrences(f, values.root, sizeof(values.root)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_private, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_flips, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_both_slots_damaged, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_unknown_version, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_store_both, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
