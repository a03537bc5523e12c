// SPDX-License-Identifier: Apache-2.0
/*
 * The audit log at the device command: what is recorded and what is not, its chain and its quota, failures of the disk,
 * and rows that somebody has changed.
 */
#include "commands_testing.h"
#include "audit_log.h"

#define RECORDS_MAX 4096

/* All records that there are, decoded; the text of each is in @text */
struct records {
	uint8_t bytes[65536];
	size_t length;
	uint64_t first;
	size_t count;
	struct hsm_audit_record record[RECORDS_MAX];
	char text[RECORDS_MAX][512];
};

static struct records all;

static void read_all(struct partition *partition)
{
	struct hsm_audit_chain chain = { 0 };
	uint8_t base[HSM_AUDIT_HASH];
	size_t at = 0, used;
	long length;

	pthread_mutex_lock(&partition->commit_lock);
	length = audit_read(partition, 1, all.bytes, sizeof(all.bytes), &all.first, base);
	pthread_mutex_unlock(&partition->commit_lock);
	assert_true(length >= 0);
	memcpy(chain.head, base, sizeof(base));
	chain.sequence = all.first - 1;
	for (all.count = 0; at < (size_t)length; at += used) {
		assert_true(all.count < RECORDS_MAX);
		assert_int_equal(hsm_audit_decode(all.bytes + at, length - at, &used,
						  all.text[all.count], &all.record[all.count]),
				 0);
		assert_int_equal(hsm_audit_extend(&chain, audit_sha384(), all.bytes + at, used), 0);
		assert_int_equal(all.record[all.count++].sequence, chain.sequence);
	}
	/* Where all fitted, the chain ends where the header says. */
	if (chain.sequence == partition->state.audit.chain.sequence)
		assert_memory_equal(chain.head, partition->state.audit.chain.head, HSM_AUDIT_HASH);
}

static struct partition *first_partition(void)
{
	struct partition *partition = partition_find(board.partition[0].info.id);

	assert_non_null(partition);
	return partition;
}

static CK_RV write_record(struct partition *partition, enum hsm_audit_event event,
			  const char *actor)
{
	struct hsm_audit_record record = { .event = event, .actor = actor };

	return audit_commit(NULL, partition, &record);
}

static size_t count_events(enum hsm_audit_event event)
{
	size_t i, count = 0;

	for (i = 0; i < all.count; i++)
		count += all.record[i].event == event;
	return count;
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
		TEST(a_full_log_overwrites),
		TEST(a_full_log_refuses),
		TEST(changed_rows_are_seen),
		TEST(removed_rows_are_seen),
		cmocka_unit_test(encodings),
	};

	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
