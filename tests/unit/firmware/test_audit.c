// SPDX-License-Identifier: Apache-2.0
/*
 * The audit log at the device command: what is recorded and what is not, its chain and its quota, failures of the disk,
 * and rows that somebody has changed.
 */
#include "audit_testing.h"

static CK_RV write_record(struct partition *partition, enum hsm_audit_event event,
			  const char *actor)
{
	struct hsm_audit_record record = { .event = event, .actor = actor };

	return audit_commit(NULL, partition, &record);
}

static void a_chain_that_outlives_the_process(void **state)
{
	struct partition *partition = first_partition();
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(write_record(partition, HSM_AUDIT_OBJECT_CREATED, "user"), CKR_OK);
	partition_put(partition);
	board_restart();
	partition = first_partition();
	assert_int_equal(partition->failed, CKR_OK);
	assert_int_equal(write_record(partition, HSM_AUDIT_OBJECT_DESTROYED, "user"), CKR_OK);
	read_all(partition);
	assert_int_equal(all.first, 1);
	assert_int_equal(all.record[0].event, HSM_AUDIT_LOG_STARTED);
	assert_int_equal(count_events(HSM_AUDIT_OBJECT_CREATED), 100);
	assert_int_equal(count_events(HSM_AUDIT_OBJECT_DESTROYED), 1);
	partition_put(partition);
}

/* A commit that fails leaves neither what it was for nor a record of it. */
static void nothing_is_recorded_that_did_not_happen(void **state)
{
	struct partition *partition = first_partition();
	uint64_t before;

	(void)state;
	assert_int_equal(write_record(partition, HSM_AUDIT_PIN_SET, "so"), CKR_OK);
	before = partition->state.audit.chain.sequence;
	board.fail_commit = EIO;
	assert_int_not_equal(write_record(partition, HSM_AUDIT_USER_REMOVED, "so"), CKR_OK);
	board.fail_commit = 0;
	assert_int_equal(partition->state.audit.chain.sequence, before);
	assert_int_equal(write_record(partition, HSM_AUDIT_USER_ROLE, "so"), CKR_OK);
	read_all(partition);
	assert_int_equal(count_events(HSM_AUDIT_USER_REMOVED), 0);
	assert_int_equal(count_events(HSM_AUDIT_USER_ROLE), 1);
	partition_put(partition);
}

static void strangers_are_counted(void **state)
{
	struct partition *partition = first_partition();
	struct partition_state next;
	uint64_t before;
	int i;

	(void)state;
	assert_int_equal(write_record(partition, HSM_AUDIT_PIN_SET, "so"), CKR_OK);
	before = partition->state.audit.chain.sequence;
	for (i = 0; i < 1000; i++)
		assert_int_equal(write_record(partition, HSM_AUDIT_OBJECT_CREATED, AUDIT_PUBLIC),
				 CKR_OK);
	assert_int_equal(partition->state.audit.chain.sequence, before);
	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	assert_int_equal(audit_flush(partition, &next), CKR_OK);
	assert_int_equal(store_commit(partition, &next, NULL, 0, false), CKR_OK);
	pthread_mutex_unlock(&partition->commit_lock);
	read_all(partition);
	assert_int_equal(all.record[all.count - 1].event, HSM_AUDIT_OBJECT_CREATED);
	assert_int_equal(all.record[all.count - 1].count, 1000);
	partition_put(partition);
}

/* Whatever they rotate, the log does not grow, and nothing that they did is left out of it. */
static void strangers_who_rotate(void **state)
{
	struct partition *partition = first_partition();
	static const enum hsm_audit_event events[] = {
		HSM_AUDIT_LOGIN_FAILED,	    HSM_AUDIT_OBJECT_CREATED,  HSM_AUDIT_OBJECT_CHANGED,
		HSM_AUDIT_OBJECT_DESTROYED, HSM_AUDIT_KEY_EXPORTED,    HSM_AUDIT_CLAIM_FAILED,
		HSM_AUDIT_APPROVAL_REFUSED, HSM_AUDIT_FIRMWARE_STAGED, HSM_AUDIT_FIRMWARE_DIED,
		HSM_AUDIT_SELF_TEST,
	};
	const size_t kinds = sizeof(events) / sizeof(events[0]);
	struct hsm_audit_record record = { .actor = AUDIT_PUBLIC };
	uint64_t before;
	char subject[16];
	size_t i;

	(void)state;
	assert_int_equal(kinds, AUDIT_OTHERS_MAX);
	assert_int_equal(write_record(partition, HSM_AUDIT_PIN_SET, "so"), CKR_OK);
	before = partition->state.audit.chain.sequence;
	for (i = 0; i < 1000; i++) {
		snprintf(subject, sizeof(subject), "user %zu", i);
		record.event = events[i % kinds];
		record.subject = subject;
		record.result = i % 3;
		assert_int_equal(audit_commit(NULL, partition, &record), CKR_OK);
	}
	assert_int_equal(partition->state.audit.chain.sequence, before);
	partition_put(partition);
	board_restart();
	partition = first_partition();
	flush(partition);
	assert_in_range(partition->state.audit.chain.sequence - before, kinds,
			AUDIT_REPEATS_MAX + kinds);
	for (i = 0; i < kinds; i++)
		assert_int_equal(sum_events(events[i]), 1000 / kinds);
	partition_put(partition);
}

static void try_pin(struct partition *partition)
{
	struct partition_state next;

	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	assert_int_equal(audit_try(partition, &next, CKU_USER), CKR_OK);
	assert_int_equal(store_commit(partition, &next, NULL, 0, false), CKR_OK);
	pthread_mutex_unlock(&partition->commit_lock);
}

/* A PIN that is right is not wrong for an auditor who reads while it is looked at; one that nobody found right is. */
static void a_pin_is_wrong_or_right(void **state)
{
	struct partition *partition = first_partition();
	struct client client = { .login = NOT_LOGGED_IN };
	struct command command = { .partition = partition, .client = &client };
	struct partition_state next;

	(void)state;
	atomic_store(&partition->trying, true);
	try_pin(partition);
	flush(partition);
	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	assert_int_equal(audit_right(&command, &next, CKU_USER), CKR_OK);
	assert_int_equal(store_commit(partition, &next, NULL, 0, false), CKR_OK);
	pthread_mutex_unlock(&partition->commit_lock);
	atomic_store(&partition->trying, false);
	flush(partition);
	assert_int_equal(count_events(HSM_AUDIT_LOGIN_FAILED), 0);
	/* Killed between the try and what came of it */
	atomic_store(&partition->trying, true);
	try_pin(partition);
	partition_put(partition);
	board_restart();
	partition = first_partition();
	flush(partition);
	assert_int_equal(sum_events(HSM_AUDIT_LOGIN_FAILED), 1);
	/* The next one says of the one before that it was wrong. */
	try_pin(partition);
	try_pin(partition);
	flush(partition);
	assert_int_equal(sum_events(HSM_AUDIT_LOGIN_FAILED), 3);
	partition_put(partition);
}

static void fail_now(void)
{
	board.fail_commit = EIO;
}

static void fail_next(void)
{
	board.during_commit = fail_now;
}

/* The commit that says so fails: it is said before the log is read, and once. */
static void locked_is_always_said(void **state)
{
	struct partition *partition;
	struct peer *peer = peer_new(0);
	CK_RV rv = CKR_PIN_INCORRECT;
	int tries = 0;

	(void)state;
	peer_setup(peer);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	while (rv != CKR_PIN_LOCKED) {
		assert_in_range(++tries, 1, 100);
		test_time += 24 * 3600 * 1000;
		board.during_commit = fail_next;
		rv = peer_login(peer, CKU_USER, "wrong");
		board.fail_commit = 0;
		board.during_commit = NULL;
	}
	peer_free(peer);
	board_restart();
	partition = first_partition();
	flush(partition);
	flush(partition);
	assert_int_equal(count_events(HSM_AUDIT_LOCKED), 1);
	assert_int_equal(sum_events(HSM_AUDIT_LOGIN_FAILED), tries - 1);
	partition_put(partition);
}

/* The oldest records go, and the chain begins where the header says. */
static void a_full_log_overwrites(void **state)
{
	struct partition *partition;
	uint64_t last;
	int i;

	(void)state;
	board_set_value(0, HSM_POLICY_AUDIT_BYTES, 131072);
	partition = first_partition();
	for (i = 0; i < 6000; i++)
		assert_int_equal(write_record(partition, HSM_AUDIT_OBJECT_CREATED, "user"), CKR_OK);
	assert_true(partition->state.audit.bytes <= 131072 + audit_row_bytes(AUDIT_BLOCK));
	last = partition->state.audit.chain.sequence;
	read_all(partition);
	assert_true(all.first > 1);
	assert_int_equal(all.first, partition->state.audit.first);
	partition_put(partition);
	board_restart();
	partition = first_partition();
	assert_int_equal(partition->failed, CKR_OK);
	assert_int_equal(partition->state.audit.chain.sequence, last);
	partition_put(partition);
}

/* What cannot be recorded is not done, but who makes room gets in. */
static void a_full_log_refuses(void **state)
{
	struct partition *partition;
	struct hsm_audit_record login = { .event = HSM_AUDIT_LOGIN, .actor = "so" };
	struct partition_state next;
	struct hsm_writer policy;
	uint8_t bytes[64];
	CK_RV rv = CKR_OK;
	int i;

	(void)state;
	hsm_writer_init(&policy, bytes, sizeof(bytes));
	hsm_put_u32(&policy, HSM_FIELD_AUDIT_BYTES, 131072);
	hsm_put_u32(&policy, HSM_FIELD_AUDIT_FULL, 1);
	board_set_policy(0, &policy);
	partition = first_partition();
	for (i = 0; i < 8000 && rv == CKR_OK; i++)
		rv = write_record(partition, HSM_AUDIT_OBJECT_CREATED, "user");
	assert_int_equal(rv, CKR_DEVICE_MEMORY);
	assert_int_equal(partition->state.audit.first, 1);
	assert_true(partition->state.audit.bytes <= 131072);
	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	assert_int_equal(audit_record(partition, &next, &login), CKR_DEVICE_MEMORY);
	assert_int_equal(audit_record_reserve(partition, &next, &login), CKR_OK);
	assert_int_equal(store_commit(partition, &next, NULL, 0, false), CKR_OK);
	/* What was exported goes, and there is room. */
	next = partition->state;
	next.audit.released = next.audit.chain.sequence - 10;
	assert_int_equal(audit_record_reserve(partition, &next, &login), CKR_OK);
	assert_int_equal(store_commit(partition, &next, NULL, 0, false), CKR_OK);
	pthread_mutex_unlock(&partition->commit_lock);
	assert_int_equal(write_record(partition, HSM_AUDIT_OBJECT_CREATED, "user"), CKR_OK);
	assert_true(partition->state.audit.first > 1);
	partition_put(partition);
}

static struct test_row *audit_row(int index)
{
	struct test_partition *p = &board.partition[0];

	return &p->row[board_objects(p) + index];
}

static void changed_rows_are_seen(void **state)
{
	struct partition *partition = first_partition();
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(write_record(partition, HSM_AUDIT_OBJECT_CREATED, "user"), CKR_OK);
	partition_put(partition);
	audit_row(0)->blob[100] ^= 1;
	board_restart();
	partition = first_partition();
	assert_int_not_equal(partition->failed, CKR_OK);
	partition_put(partition);
	audit_row(0)->blob[100] ^= 1;
}

static void removed_rows_are_seen(void **state)
{
	struct partition *partition = first_partition();
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(write_record(partition, HSM_AUDIT_OBJECT_CREATED, "user"), CKR_OK);
	partition_put(partition);
	board_set_row(&board.partition[0], audit_row(1)->id, NULL, 0);
	board_restart();
	partition = first_partition();
	assert_int_not_equal(partition->failed, CKR_OK);
	partition_put(partition);
}

/* Only the one encoding of a record is one. */
static void encodings(void **state)
{
	struct hsm_audit_record record = { .sequence = 300,
					   .event = HSM_AUDIT_LOGIN,
					   .actor = "so" };
	uint8_t bytes[256], longer[256];
	char texts[256];
	size_t used, i;
	long length = hsm_audit_encode(&record, bytes, sizeof(bytes));

	(void)state;
	assert_true(length > 0);
	assert_int_equal(hsm_audit_decode(bytes, length, &used, texts, &record), 0);
	assert_int_equal(used, length);
	assert_string_equal(record.actor, "so");
	for (i = 0; i < (size_t)length; i++)
		assert_int_equal(hsm_audit_decode(bytes, i, &used, texts, &record), -EBADMSG);
	assert_int_equal(hsm_audit_encode(&record, bytes, 3), -EMSGSIZE);
	/* 300 in four bytes, not in two */
	memcpy(longer, "\xa3\x01\x1a\x00\x00\x01\x2c\x03\x11\x04\x62so", 13);
	assert_int_equal(hsm_audit_decode(longer, 13, &used, texts, &record), -EBADMSG);
	memcpy(longer, "\xa3\x01\x19\x01\x2c\x03\x11\x04\x62so", 11);
	assert_int_equal(hsm_audit_decode(longer, 11, &used, texts, &record), 0);
	/* keys that do not ascend */
	memcpy(longer, "\xa3\x03\x11\x01\x19\x01\x2c\x04\x62so", 11);
	assert_int_equal(hsm_audit_decode(longer, 11, &used, texts, &record), -EBADMSG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, board_setup, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_chain_that_outlives_the_process),
		TEST(nothing_is_recorded_that_did_not_happen),
		TEST(strangers_are_counted),
		TEST(strangers_who_rotate),
		TEST(a_pin_is_wrong_or_right),
		TEST(locked_is_always_said),
		TEST(a_full_log_overwrites),
		TEST(a_full_log_refuses),
		TEST(changed_rows_are_seen),
		TEST(removed_rows_are_seen),
		cmocka_unit_test(encodings),
	};

	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
