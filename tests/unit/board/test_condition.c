// SPDX-License-Identifier: Apache-2.0
/*
 * Tampering, the board's life and accepted old copies, with a crash at every step: keys are gone from the
 * instant on at which the fuses say so, and nothing of it is undone by a restart.
 */
#include "fixture.h"

#define ADVANCE BOARD_COMMIT_ADVANCE

static struct board_condition condition(struct fixture *f)
{
	struct board_condition value;

	state_condition(f->state, &value);
	return value;
}

static size_t owned(struct fixture *f, uint32_t function)
{
	struct board_partition list[BOARD_MAX_PARTITIONS];
	size_t count;

	assert_int_equal(state_list(f->state, function, list, BOARD_MAX_PARTITIONS, &count), 0);
	return count;
}

/* A crash at no step, and at each that tampering passes */
static void test_tamper(void **test)
{
	static const int steps[] = { -1, STEP_TAMPER_NOTED, STEP_ROTATE_DRAWN, STEP_ROTATE_STORED,
				     STEP_ROTATE_DONE };
	uint8_t id[PARTITION_ID_SIZE], now[PARTITION_ID_SIZE];
	struct fixture *f = *test;
	size_t i;

	assert_int_equal(fixture_open(f), 0);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		fixture_id(f, 1, id);
		assert_int_equal(fixture_commit(f, 1, id, ADVANCE, "header", 5, "key", 3), 0);
		f->fail_at = steps[i];
		assert_int_equal(state_tamper(f->state, 8), steps[i] < 0 ? 0 : -EINTR);
		f->fail_at = -1;
		assert_int_equal(fixture_open(f), 0);
		assert_true(condition(f).flags & BOARD_HELLO_TAMPERED);
		assert_int_equal(condition(f).tamper, 8);
		assert_int_equal(condition(f).tampers, i + 1);
		assert_int_equal(owned(f, 1), 0);
		assert_int_equal(fixture_commit(f, 1, id, 0, "x", 0, NULL, 0), -ENOENT);
		assert_int_equal(state_recover(f->state), 0);
		assert_int_equal(state_recover(f->state), -EALREADY);
		fixture_id(f, 1, now);
		assert_memory_not_equal(id, now, sizeof(id));
	}
}

static int save_erased(void *data, enum state_step step)
{
	if (step == STEP_ERASE_FUSES)
		fixture_save(data, "fuses");
	return 0;
}

/* All of it is erased where the database fails: the fuses say why at the same instant. */
static void test_tamper_all(void **test)
{
	struct fixture *f = *test;

	f->config.step = save_erased;
	assert_int_equal(fixture_open(f), 0);
	f->state->failed = -EIO;
	assert_int_equal(state_tamper(f->state, 4), 0);
	assert_true(condition(f).flags & BOARD_HELLO_TAMPERED);
	fixture_close(f);
	fixture_restore(f, "fuses");
	assert_int_equal(fixture_open(f), 0);
	assert_true(condition(f).flags & BOARD_HELLO_TAMPERED);
	assert_int_equal(condition(f).tamper, 4);
	assert_int_equal(condition(f).erased_partitions, 1);
	assert_int_equal(state_recover(f->state), 0);
}

/* What was put back from before the tampering is noise. */
static void test_tamper_copy(void **test)
{
	struct fixture *f = *test;

	assert_int_equal(fixture_open(f), 0);
	fixture_close(f);
	fixture_save(f, "nvm.db");
	fixture_save(f, "nvm.db-wal");
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(state_tamper(f->state, 1), 0);
	fixture_close(f);
	fixture_restore(f, "nvm.db");
	fixture_restore(f, "nvm.db-wal");
	f->config.recover = true;
	assert_int_equal(fixture_open(f), -EBADMSG);
}

static void test_life(void **test)
{
	struct fixture *f = *test;
	uint8_t id[PARTITION_ID_SIZE];
	uint32_t from, to;

	for (from = 0; from < 7; from++)
		for (to = 0; to <= from; to++)
			assert_false(state_lifecycle_next(from, to));
	assert_int_equal(fixture_open(f), 0);
	fixture_id(f, 1, id);
	assert_int_equal(condition(f).lifecycle, HSM_LIFECYCLE_DEVELOPMENT);
	assert_int_equal(state_set_lifecycle(f->state, HSM_LIFECYCLE_DEVELOPMENT), -EINVAL);
	assert_int_equal(state_set_lifecycle(f->state, 9), -EINVAL);
	f->fail_at = STEP_ERASE_FUSES;
	assert_int_equal(state_set_lifecycle(f->state, HSM_LIFECYCLE_PRODUCTION), -EINTR);
	f->fail_at = -1;
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(condition(f).lifecycle, HSM_LIFECYCLE_PRODUCTION);
	assert_int_equal(condition(f).erased_partitions, 1);
	assert_int_equal(fixture_commit(f, 1, id, 0, "x", 0, NULL, 0), -ENOENT);
	assert_int_equal(owned(f, 1), 1);
	assert_int_equal(state_set_lifecycle(f->state, HSM_LIFECYCLE_DECOMMISSIONED), 0);
	assert_int_equal(owned(f, 1), 0);
	assert_int_equal(owned(f, 0), 1);
	assert_int_equal(state_set_lifecycle(f->state, HSM_LIFECYCLE_RETURNED), -EINVAL);
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(condition(f).lifecycle, HSM_LIFECYCLE_DECOMMISSIONED);
}

static void old_copy(struct fixture *f)
{
	static const uint8_t device[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;
	int i;

	fixture_save(f, "nvm.db");
	assert_int_equal(fixture_open(f), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(fixture_commit(f, 0, device, ADVANCE, "later", 0, NULL, 0), 0);
	fixture_close(f);
	fixture_restore(f, "nvm.db");
}

static void test_recover(void **test)
{
	static const uint8_t device[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;
	struct fixture *f = *test;
	int i;

	assert_int_equal(fixture_open(f), 0);
	fixture_close(f);
	old_copy(f);
	assert_int_equal(fixture_open(f), -ESTALE);
	assert_non_null(strstr(f->error.text, "--recover"));
	f->config.recover = true;
	assert_int_equal(fixture_open(f), 0);
	assert_true(condition(f).flags & BOARD_HELLO_STALE);
	assert_int_equal(owned(f, 1), 0);
	/* However far it counts, it does not come to look like the newest. */
	for (i = 0; i < 10; i++)
		assert_int_equal(fixture_commit(f, 0, device, ADVANCE, "try", 0, NULL, 0), 0);
	assert_int_equal(fixture_commit(f, 0, device, ADVANCE, "try", 0, NULL, 0), -EKEYREVOKED);
	fixture_close(f);
	f->config.recover = false;
	assert_int_equal(fixture_open(f), -ESTALE);
	f->config.recover = true;
	assert_int_equal(fixture_open(f), 0);
	f->fail_at = STEP_RECOVER_NOTED;
	assert_int_equal(state_recover(f->state), -EINTR);
	f->fail_at = -1;
	assert_int_equal(fixture_open(f), 0);
	assert_true(condition(f).flags & BOARD_HELLO_STALE);
	assert_int_equal(state_recover(f->state), 0);
	assert_int_equal(condition(f).recoveries, 2);
	assert_int_equal(owned(f, 1), 1);
	f->config.recover = false;
	assert_int_equal(fixture_open(f), 0);
	assert_true(condition(f).flags & BOARD_HELLO_RECOVERED);
}

/* Tampering with a board on an old copy erases, and makes the copy no newer than it is. */
static void test_tamper_stale(void **test)
{
	struct fixture *f = *test;
	uint64_t counter;

	assert_int_equal(fixture_open(f), 0);
	fixture_close(f);
	old_copy(f);
	f->config.recover = true;
	assert_int_equal(fixture_open(f), 0);
	counter = condition(f).counter;
	assert_int_equal(state_tamper(f->state, 1), 0);
	assert_int_equal(condition(f).counter, counter);
	f->config.recover = false;
	assert_int_equal(fixture_open(f), -ESTALE);
	f->config.recover = true;
	assert_int_equal(fixture_open(f), 0);
	assert_true(condition(f).flags & BOARD_HELLO_TAMPERED);
	assert_true(condition(f).flags & BOARD_HELLO_STALE);
	assert_int_equal(state_recover(f->state), 0);
	assert_int_equal(condition(f).recoveries, 1);
	assert_true(condition(f).counter > counter);
	f->config.recover = false;
	assert_int_equal(fixture_open(f), 0);
}

/*
 * A crash while the keys of a tampered old copy are erased, and one while the next start puts the copy back: it is
 * readable all the same, and erased in the end, and the newest state is not harmed.
 */
static void test_tamper_stale_twice(void **test)
{
	static const int steps[] = { STEP_ROTATE_DRAWN, STEP_ROTATE_STORED, STEP_ROTATE_DONE };
	uint8_t id[PARTITION_ID_SIZE], now[PARTITION_ID_SIZE];
	struct fixture *f = *test;
	size_t i;

	assert_int_equal(fixture_open(f), 0);
	fixture_id(f, 1, id);
	fixture_close(f);
	old_copy(f);
	f->config.recover = true;
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		f->fail_at = -1;
		assert_int_equal(fixture_open(f), 0);
		f->fail_at = steps[i];
		assert_int_equal(state_tamper(f->state, 1), -EINTR);
		f->fail_at = STEP_ROTATE_BACK;
		assert_int_equal(fixture_open(f), steps[i] == STEP_ROTATE_STORED ? -EINTR : 0);
		f->fail_at = -1;
		assert_int_equal(fixture_open(f), 0);
		assert_true(condition(f).flags & BOARD_HELLO_TAMPERED);
		assert_true(condition(f).flags & BOARD_HELLO_STALE);
		assert_int_equal(fixture_open(f), 0);
		assert_int_equal(state_recover(f->state), 0);
		fixture_id(f, 1, now);
		assert_memory_not_equal(id, now, sizeof(id));
		memcpy(id, now, sizeof(id));
		fixture_close(f);
		f->config.recover = false;
		old_copy(f);
		f->config.recover = true;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tamper, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_tamper_all, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_tamper_copy, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_life, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_recover, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_tamper_stale, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_tamper_stale_twice, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
