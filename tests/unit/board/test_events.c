// SPDX-License-Identifier: Apache-2.0
/*
 * Events on their way into the device's log: none is lost or told twice, whatever stops when, and a board that nobody
 * asks does not collect without end.
 */
#include "fixture.h"

static struct board_event list[BOARD_EVENTS_MAX];

static size_t take_list(struct fixture *f)
{
	size_t length = 0;

	assert_int_equal(state_events(f->state, list, sizeof(list), &length), 0);
	assert_int_equal(length % sizeof(list[0]), 0);
	return length / sizeof(list[0]);
}

static void put(struct fixture *f, enum hsm_audit_event event, uint32_t number)
{
	const struct board_event what = { .event = event, .number = number };

	assert_int_equal(state_event(f->state, &what), 0);
}

static uint64_t counter(struct fixture *f)
{
	uint64_t value;

	assert_int_equal(state_counter(f->state, &value), 0);
	return value;
}

static void test_taken(void **test)
{
	struct fixture *f = *test;
	uint64_t before;

	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(take_list(f), 0);
	before = counter(f);
	put(f, HSM_AUDIT_BOOT, 1);
	put(f, HSM_AUDIT_FIRMWARE_DIED, 2);
	assert_int_equal(counter(f), before);
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(take_list(f), 2);
	assert_int_equal(list[0].serial, 1);
	assert_int_equal(list[0].event, HSM_AUDIT_BOOT);
	assert_int_equal(list[1].serial, 2);
	assert_int_equal(list[1].number, 2);
	assert_int_equal(state_events_taken(f->state, 1), 0);
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(take_list(f), 1);
	assert_int_equal(list[0].serial, 2);
	assert_int_equal(state_events_taken(f->state, 2), 0);
	assert_int_equal(take_list(f), 0);
	put(f, HSM_AUDIT_BOOT, 1);
	assert_int_equal(take_list(f), 1);
	assert_int_equal(list[0].serial, 3);
}

/* What firmware was given it may have logged: nothing is added to that, also after a crash. */
static void test_handed(void **test)
{
	struct fixture *f = *test;

	assert_int_equal(fixture_open(f), 0);
	put(f, HSM_AUDIT_BOOT, 1);
	put(f, HSM_AUDIT_BOOT, 1);
	assert_int_equal(take_list(f), 1);
	assert_int_equal(list[0].count, 2);
	assert_int_equal(fixture_open(f), 0);
	put(f, HSM_AUDIT_BOOT, 1);
	assert_int_equal(state_events_taken(f->state, 99), 0);
	assert_int_equal(take_list(f), 1);
	assert_int_equal(list[0].serial, 2);
	assert_int_equal(list[0].count, 1);
}

static void test_bounded(void **test)
{
	struct fixture *f = *test;
	size_t count, i, round;
	uint64_t sum = 0;

	assert_int_equal(fixture_open(f), 0);
	for (i = 0; i < 100; i++)
		put(f, HSM_AUDIT_FIRMWARE_DIED, (uint32_t)i);
	put(f, HSM_AUDIT_BOOT, 0);
	count = take_list(f);
	assert_int_equal(count, EVENTS_OF_A_KIND + 1);
	for (i = 0; i < count; i++)
		sum += list[i].event == HSM_AUDIT_FIRMWARE_DIED ? list[i].count : 0;
	assert_int_equal(sum, 100);
	/* Asked for again and again, and never taken */
	for (round = 0; round < 2 * BOARD_EVENTS_MAX; round++) {
		put(f, HSM_AUDIT_BOOT, (uint32_t)round);
		assert_in_range(take_list(f), 1, BOARD_EVENTS_MAX);
	}
	assert_int_equal(list[BOARD_EVENTS_MAX - 1].number, round - 1);
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(take_list(f), BOARD_EVENTS_MAX);
}

static size_t count_kind(struct fixture *f, enum hsm_audit_event event)
{
	size_t i, count = take_list(f), found = 0;

	for (i = 0; i < count; i++)
		found += list[i].event == event ? list[i].count : 0;
	return found;
}

/* A crash at no step, and at each that tampering passes: told of once, with the sensors */
static void test_tampered(void **test)
{
	static const int steps[] = { -1, STEP_TAMPER_NOTED, STEP_ROTATE_DRAWN, STEP_ROTATE_STORED,
				     STEP_ROTATE_DONE };
	struct fixture *f = *test;
	size_t i;

	assert_int_equal(fixture_open(f), 0);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		f->fail_at = steps[i];
		state_tamper(f->state, 1U << i);
		f->fail_at = -1;
		assert_int_equal(fixture_open(f), 0);
		assert_int_equal(count_kind(f, HSM_AUDIT_TAMPERED), 1);
		assert_int_equal(list[0].number, 1U << i);
		assert_int_equal(fixture_open(f), 0);
		assert_int_equal(count_kind(f, HSM_AUDIT_TAMPERED), 1);
		assert_int_equal(state_events_taken(f->state, list[0].serial), 0);
		assert_int_equal(state_recover(f->state), 0);
		assert_int_equal(fixture_open(f), 0);
		assert_int_equal(take_list(f), 0);
	}
	/* All is erased, the log as well: the new one begins with why. */
	f->state->failed = -EIO;
	assert_int_equal(state_tamper(f->state, 4), 0);
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(count_kind(f, HSM_AUDIT_TAMPERED), 1);
	assert_int_equal(count_kind(f, HSM_AUDIT_ZEROIZED), 1);
	assert_int_equal(count_kind(f, HSM_AUDIT_LIFECYCLE), 0);
}

static void test_erased(void **test)
{
	static const int steps[] = { -1, STEP_ERASE_FUSES, STEP_CREATE_DATABASE };
	struct fixture *f = *test;
	size_t i;

	assert_int_equal(fixture_open(f), 0);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		put(f, HSM_AUDIT_BOOT, 0);
		f->fail_at = steps[i];
		state_erase(f->state);
		f->fail_at = -1;
		assert_int_equal(fixture_open(f), 0);
		assert_int_equal(take_list(f), 1);
		assert_int_equal(list[0].serial, 1);
		assert_int_equal(list[0].event, HSM_AUDIT_ZEROIZED);
		assert_int_equal(state_events_taken(f->state, 1), 0);
	}
	f->fail_at = STEP_ERASE_FUSES;
	state_set_lifecycle(f->state, HSM_LIFECYCLE_PRODUCTION);
	f->fail_at = -1;
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(count_kind(f, HSM_AUDIT_LIFECYCLE), 1);
	assert_int_equal(list[1].number, HSM_LIFECYCLE_PRODUCTION);
	assert_int_equal(state_set_lifecycle(f->state, HSM_LIFECYCLE_DECOMMISSIONED), 0);
	assert_int_equal(count_kind(f, HSM_AUDIT_DECOMMISSIONED), 1);
	fixture_close(f);
	assert_int_equal(state_zeroize(&f->config, &f->error), 0);
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(count_kind(f, HSM_AUDIT_ZEROIZED), 1);
	assert_int_equal(count_kind(f, HSM_AUDIT_DECOMMISSIONED), 0);
}

static size_t read_code(struct fixture *f, char *code, size_t room)
{
	char path[FIXTURE_PATH];
	FILE *file;
	size_t n;

	fixture_path(f, "claim-code", "", path);
	file = fopen(path, "r");
	assert_non_null(file);
	n = fread(code, 1, room, file);
	fclose(file);
	return n;
}

/* Wrong codes are counted by the fuses, and told of also when the record was not written */
static void test_claim(void **test)
{
	struct fixture *f = *test;
	struct fuse_values values;
	char code[64];
	size_t n;
	int i;

	f->config.embedded = false;
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(claim_prepare(f->state, &f->error), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(claim_try(f->state, (const uint8_t *)"wrong", 5), -EACCES);
	assert_int_equal(count_kind(f, HSM_AUDIT_CLAIM_FAILED), 3);
	assert_int_equal(state_events_taken(f->state, list[0].serial), 0);
	/* As if the machine had stopped between the fuses and the record */
	values = *fuses_values(f->state->fuses);
	values.claim_failures++;
	assert_int_equal(fuses_store(f->state->fuses, &values, false), 0);
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(count_kind(f, HSM_AUDIT_CLAIM_FAILED), 1);
	for (i = 4; i < 10; i++)
		assert_int_equal(claim_try(f->state, (const uint8_t *)"wrong", 5), -EACCES);
	assert_int_equal(claim_try(f->state, (const uint8_t *)"wrong", 5), -EPERM);
	assert_int_equal(count_kind(f, HSM_AUDIT_CLAIM_FAILED), 7);
	/* Another code: what is wrong from now on counts from nothing. */
	assert_int_equal(claim_prepare(f->state, &f->error), 0);
	assert_int_equal(state_events_taken(f->state, UINT64_MAX), 0);
	assert_int_equal(claim_try(f->state, (const uint8_t *)"wrong", 5), -EACCES);
	assert_int_equal(count_kind(f, HSM_AUDIT_CLAIM_FAILED), 1);
	n = read_code(f, code, sizeof(code));
	assert_int_equal(claim_try(f->state, (const uint8_t *)code, n), 0);
	assert_int_equal(count_kind(f, HSM_AUDIT_CLAIMED), 1);
	assert_int_equal(count_kind(f, HSM_AUDIT_CLAIM_FAILED), 1);
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(count_kind(f, HSM_AUDIT_CLAIMED), 1);
}

static bool is_there(struct fixture *f, const uint8_t *id)
{
	struct board_partition all[BOARD_MAX_PARTITIONS];
	size_t i, count;

	assert_int_equal(state_list(f->state, 0, all, BOARD_MAX_PARTITIONS, &count), 0);
	for (i = 0; i < count; i++)
		if (!memcmp(all[i].id, id, PARTITION_ID_SIZE))
			return true;
	return false;
}

/* So often it was told of for this partition; then nothing waits any more. */
static size_t told(struct fixture *f, enum hsm_audit_event event, const uint8_t *id)
{
	size_t i, count = take_list(f), found = 0;

	for (i = 0; i < count; i++)
		if (list[i].event == event && !memcmp(list[i].partition, id, PARTITION_ID_SIZE))
			found += list[i].count;
	assert_int_equal(state_events_taken(f->state, UINT64_MAX), 0);
	return found;
}

static void retire(struct fixture *f, const uint8_t *id)
{
	struct board_retire retire = { .event = HSM_AUDIT_MIGRATED_OUT };

	memcpy(retire.partition, id, sizeof(retire.partition));
	state_retire(f->state, 2, &retire, "document", 8);
}

/* Killed at each step: it is told of exactly when it has happened, whatever the caller heard. */
static void test_partitions(void **test)
{
	static const int steps[] = { STEP_COMMIT_STORED, STEP_ROTATE_DRAWN, STEP_ROTATE_STORED,
				     STEP_ROTATE_DONE, -1 };
	const struct policy_bytes policy = { "policy", 6 };
	struct fixture *f = *test;
	struct board_partition partition;
	uint32_t former;
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_int_equal(fixture_open(f), 0);
		partition = (struct board_partition){ .id = { 1, (uint8_t)i }, .function = 2 };
		f->fail_at = steps[i];
		state_partition_create(f->state, &partition, policy);
		f->fail_at = -1;
		assert_int_equal(fixture_open(f), 0);
		assert_int_equal(told(f, HSM_AUDIT_PARTITION_CREATED, partition.id),
				 is_there(f, partition.id));
		f->fail_at = steps[i];
		state_partition_update(f->state, &partition, policy, &former);
		f->fail_at = -1;
		assert_int_equal(fixture_open(f), 0);
		assert_int_equal(told(f, HSM_AUDIT_POLICY_CHANGED, partition.id), 1);
		f->fail_at = steps[i];
		if (i & 1)
			state_partition_destroy(f->state, partition.id, &former);
		else
			retire(f, partition.id);
		f->fail_at = -1;
		assert_int_equal(fixture_open(f), 0);
		assert_int_equal(
			told(f, i & 1 ? HSM_AUDIT_PARTITION_DESTROYED : HSM_AUDIT_MIGRATED_OUT,
			     partition.id),
			!is_there(f, partition.id));
	}
	assert_int_equal(fixture_open(f), 0);
	fixture_id(f, 1, partition.id);
	partition.function = 2;
	assert_int_equal(state_partition_assign(f->state, &partition, &former), 0);
	assert_int_equal(told(f, HSM_AUDIT_PARTITION_ASSIGNED, partition.id), 1);
	/* To where it is already */
	assert_int_equal(state_partition_assign(f->state, &partition, &former), 0);
	assert_int_equal(told(f, HSM_AUDIT_PARTITION_ASSIGNED, partition.id), 0);
}

static void open_as(struct fixture *f, uint32_t version)
{
	fixture_close(f);
	assert_int_equal(state_open(&f->config, version, &f->state, &f->error), 0);
}

/* The fuses come first: what they have is told of, once, also when nothing else was written before the power went. */
static void test_minimum(void **test)
{
	struct board_hello hello = { 0 };
	struct fixture *f = *test;

	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(state_set_minimum(f->state, 1), 0);
	assert_int_equal(take_list(f), 0);
	open_as(f, 3);
	assert_int_equal(state_set_minimum(f->state, 4), -ERANGE);
	assert_int_equal(take_list(f), 0);
	assert_int_equal(state_set_minimum(f->state, 3), 0);
	assert_int_equal(state_set_minimum(f->state, 3), 0);
	open_as(f, 3);
	/* The next firmware is greeted with it. */
	state_identity(f->state, &hello);
	assert_int_equal(hello.min_security_version, 3);
	assert_int_equal(take_list(f), 1);
	assert_int_equal(list[0].event, HSM_AUDIT_FIRMWARE_MINIMUM);
	assert_int_equal(list[0].version, 3);
	assert_int_equal(list[0].count, 1);
	assert_int_equal(state_events_taken(f->state, list[0].serial), 0);
	open_as(f, 3);
	assert_int_equal(take_list(f), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_taken),  TEST(test_handed), TEST(test_bounded),    TEST(test_tampered),
		TEST(test_erased), TEST(test_claim),  TEST(test_partitions), TEST(test_minimum),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
