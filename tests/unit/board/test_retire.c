// SPDX-License-Identifier: Apache-2.0
/*
 * A partition that has moved away, or that nothing ever came into: with one step it is gone, its document is in its place,
 * and the device's log is told. A power cut at each step, and with either of the two documents.
 */
#include "fixture.h"

static const struct policy_bytes no_policy;

static struct board_retire doomed(struct fixture *f, enum hsm_audit_event event)
{
	struct board_partition partition = { .name = "doomed", .function = 2 };
	struct board_retire retire = { .event = event };

	assert_int_equal(state_partition_create(f->state, &partition, no_policy), 0);
	memcpy(retire.partition, partition.id, sizeof(partition.id));
	return retire;
}

static size_t partitions(struct fixture *f)
{
	struct board_partition list[8];
	size_t count;

	assert_int_equal(state_list(f->state, 0, list, 8, &count), 0);
	return count;
}

/* How often it is told what became of it; never anything else than what the firmware said */
static size_t told(struct fixture *f, const struct board_retire *retire)
{
	static struct board_event list[BOARD_EVENTS_MAX];
	size_t length = 0, i, found = 0;

	assert_int_equal(state_events(f->state, list, sizeof(list), &length), 0);
	for (i = 0; i < length / sizeof(list[0]); i++) {
		if (list[i].event == HSM_AUDIT_PARTITION_CREATED ||
		    memcmp(list[i].partition, retire->partition, PARTITION_ID_SIZE))
			continue;
		assert_int_equal(list[i].event, retire->event);
		assert_int_equal(list[i].function, 2);
		found += list[i].count;
	}
	return found;
}

static void assert_kept(struct fixture *f, const struct board_retire *retire, const char *document)
{
	char bytes[64];
	size_t length;

	assert_int_equal(state_receipt(f->state, retire->partition, bytes, sizeof(bytes), &length),
			 0);
	assert_int_equal(length, strlen(document));
	assert_memory_equal(bytes, document, length);
}

static void test_crash_at_each_step(void **test)
{
	static const enum state_step steps[] = { STEP_ROTATE_DRAWN, STEP_ROTATE_STORED,
						 STEP_ROTATE_DONE };
	static const enum hsm_audit_event events[] = { HSM_AUDIT_MIGRATED_OUT,
						       HSM_AUDIT_MIGRATION_CANCELLED };
	struct fixture *f = *test;
	struct board_retire retire;
	char bytes[64];
	size_t before, length, i;

	assert_int_equal(fixture_open(f), 0);
	for (i = 0; i < 6; i++) {
		before = partitions(f);
		retire = doomed(f, events[i / 3]);
		assert_int_equal(fixture_commit(f, 2, retire.partition, 0, "theirs", 1, "row", 3),
				 0);
		f->fail_at = (int)steps[i % 3];
		assert_int_equal(state_retire(f->state, 2, &retire, "a receipt", 9), -EINTR);
		f->fail_at = -1;
		assert_int_equal(fixture_open(f), 0);
		if (partitions(f) > before) {
			/* Not yet: then neither document nor event says so. */
			assert_int_equal(steps[i % 3], STEP_ROTATE_DRAWN);
			assert_int_equal(state_receipt(f->state, retire.partition, bytes,
						       sizeof(bytes), &length),
					 -ENOENT);
			assert_int_equal(told(f, &retire), 0);
			fixture_header(f, 2, retire.partition, "theirs");
			assert_int_equal(state_retire(f->state, 2, &retire, "a receipt", 9), 0);
		}
		assert_int_equal(partitions(f), before);
		assert_kept(f, &retire, "a receipt");
		assert_int_equal(fixture_commit(f, 2, retire.partition, 0, "theirs", 1, "row", 3),
				 -ENOENT);
		assert_int_equal(told(f, &retire), 1);
		/* Once is enough, also after a crash whose answer nobody had. */
		assert_int_equal(state_retire(f->state, 2, &retire, "another", 7), -ENOENT);
		assert_kept(f, &retire, "a receipt");
	}
}

static void test_whose_and_how(void **test)
{
	struct fixture *f = *test;
	struct board_retire retire, wrong;

	assert_int_equal(fixture_open(f), 0);
	retire = doomed(f, HSM_AUDIT_MIGRATED_OUT);
	assert_int_equal(state_retire(f->state, 1, &retire, "a receipt", 9), -ENOENT);
	wrong = retire;
	wrong.event = HSM_AUDIT_TAMPERED;
	assert_int_equal(state_retire(f->state, 2, &wrong, "a receipt", 9), -EINVAL);
	assert_int_equal(state_retire(f->state, 2, &retire, "", 0), -EINVAL);
	wrong = retire;
	memset(wrong.partition, 0, sizeof(wrong.partition));
	assert_int_equal(state_retire(f->state, 0, &wrong, "a receipt", 9), -EINVAL);
	assert_int_equal(told(f, &retire), 0);
	assert_int_equal(state_retire(f->state, 2, &retire, "a receipt", 9), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_crash_at_each_step),
		TEST(test_whose_and_how),
	};

	return cmocka_run_group_tests_name("retire", tests, NULL, NULL);
}
