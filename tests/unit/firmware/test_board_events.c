// SPDX-License-Identifier: Apache-2.0
/*
 * Events of the board in the device's log: each once, whatever stops in between.
 */
#include "commands_testing.h"
#include "audit_log.h"

static uint8_t bytes[65536];
static char texts[65536];

static struct partition *device(void)
{
	static const uint8_t id[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;
	struct partition *partition = partition_find(id);

	assert_non_null(partition);
	return partition;
}

static struct audit_state audit(void)
{
	struct partition *partition = device();
	struct audit_state audit = partition->state.audit;

	partition_put(partition);
	return audit;
}

/* How often the event is in the log; @last: its last record */
static uint64_t logged(enum hsm_audit_event event, struct hsm_audit_record *last)
{
	struct partition *partition = device();
	uint8_t base[HSM_AUDIT_HASH];
	struct hsm_audit_record record;
	struct partition_state next;
	uint64_t first, sum = 0;
	size_t at, used;
	long length;

	pthread_mutex_lock(&partition->commit_lock);
	next = partition->state;
	assert_int_equal(audit_flush(partition, &next), CKR_OK);
	if (next.audit.pending)
		assert_int_equal(store_commit(partition, &next, NULL, 0, false), CKR_OK);
	length = audit_read(partition, 1, bytes, sizeof(bytes), &first, base);
	pthread_mutex_unlock(&partition->commit_lock);
	assert_true(length >= 0);
	for (at = 0; at < (size_t)length; at += used) {
		assert_int_equal(
			hsm_audit_decode(bytes + at, length - at, &used, texts + at, &record), 0);
		if (record.event != event)
			continue;
		sum += record.count ? record.count : 1;
		if (last)
			*last = record;
	}
	partition_put(partition);
	return sum;
}

static void keep(enum hsm_audit_event event, uint32_t count, const char *detail)
{
	static uint64_t serial;
	struct board_event *what = &board.event[board.events++];

	if (board.events == 1 && !board.deaf)
		serial = audit().serial;
	*what = (struct board_event){ .serial = ++serial,
				      .event = event,
				      .count = count,
				      .first = 1000,
				      .last = 2000,
				      .function = 3,
				      .number = 2,
				      .version = 7,
				      .measurement = { 0x5a } };
	snprintf(what->detail, sizeof(what->detail), "%s", detail);
}

static void what_a_record_says(void **state)
{
	struct hsm_audit_record record;

	(void)state;
	keep(HSM_AUDIT_BOOT, 5, "1.2.3");
	commands_board_events();
	assert_int_equal(board.events, 0);
	assert_int_equal(logged(HSM_AUDIT_BOOT, &record), 5);
	assert_string_equal(record.actor, "board");
	assert_string_equal(record.detail, "1.2.3");
	assert_int_equal(record.first, 1000);
	assert_int_equal(record.last, 2000);
	assert_int_equal(record.function, 3);
	assert_int_equal(record.number, 2);
	assert_int_equal(record.version, 7);
	assert_int_equal(record.measurement.length, 48);
	assert_int_equal(record.serial, 1);
}

/* The board does not hear that they are taken: it gives them again, and they are in the log once. */
static void once_in_the_log(void **state)
{
	(void)state;
	board.deaf = true;
	keep(HSM_AUDIT_BOOT, 1, "");
	keep(HSM_AUDIT_TAMPERED, 1, "");
	commands_board_events();
	commands_board_events();
	board_restart();
	assert_int_equal(board.events, 2);
	assert_int_equal(logged(HSM_AUDIT_BOOT, NULL), 1);
	assert_int_equal(logged(HSM_AUDIT_TAMPERED, NULL), 1);
	keep(HSM_AUDIT_BOOT, 1, "");
	board.deaf = false;
	board_restart();
	assert_int_equal(board.events, 0);
	assert_int_equal(logged(HSM_AUDIT_BOOT, NULL), 2);
	assert_int_equal(logged(HSM_AUDIT_TAMPERED, NULL), 1);
}

/* What is not on the disk the board goes on keeping. */
static void none_is_lost(void **state)
{
	(void)state;
	keep(HSM_AUDIT_ZEROIZED, 1, "");
	board.fail_commit = EIO;
	commands_board_events();
	board.fail_commit = 0;
	assert_int_equal(board.events, 1);
	board_restart();
	assert_int_equal(board.events, 0);
	assert_int_equal(logged(HSM_AUDIT_ZEROIZED, NULL), 1);
}

/* Those that strangers can bring about grow no log; their subject tells them apart. */
static void strangers_events_are_counted(void **state)
{
	struct hsm_audit_record record;
	uint64_t before, after;
	int i;

	(void)state;
	keep(HSM_AUDIT_BOOT, 1, "");
	commands_board_events();
	before = audit().chain.sequence;
	for (i = 0; i < 300; i++) {
		keep(HSM_AUDIT_FIRMWARE_DIED, 1, "signal 9 (Killed)");
		keep(HSM_AUDIT_CLAIM_FAILED, 2, "");
		commands_board_events();
		assert_int_equal(board.events, 0);
	}
	after = audit().chain.sequence;
	assert_in_range(after - before, 0, 2);
	assert_int_equal(logged(HSM_AUDIT_FIRMWARE_DIED, &record), 300);
	assert_string_equal(record.subject, "function 3");
	assert_int_equal(logged(HSM_AUDIT_CLAIM_FAILED, &record), 600);
	assert_string_equal(record.actor, AUDIT_PUBLIC);
}

static int device_setup(void **state)
{
	static const uint8_t id[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;

	(void)state;
	board_clear();
	board_add(0, 0, 0);
	memcpy(board.partition[0].info.id, id, sizeof(id));
	board.hello = (struct board_hello){ .function = 0, .functions = 2 };
	return commands_start(&board.hello);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, device_setup, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_a_record_says),
		TEST(once_in_the_log),
		TEST(none_is_lost),
		TEST(strangers_events_are_counted),
	};

	return cmocka_run_group_tests_name("board events", tests, NULL, NULL);
}
