// SPDX-License-Identifier: Apache-2.0
/*
 * The state as a whole: what was answered is there after a crash at any instant, an old copy and any
 * flipped byte are noticed, and what was destroyed does not come back.
 */
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include "fixture.h"

#define ADVANCE BOARD_COMMIT_ADVANCE

static const struct policy_bytes no_policy;

static uint64_t counter(struct fixture *f)
{
	uint64_t value;

	assert_int_equal(state_counter(f->state, &value), 0);
	return value;
}

static size_t partitions(struct fixture *f)
{
	struct board_partition list[BOARD_MAX_PARTITIONS];
	size_t count;

	assert_int_equal(state_list(f->state, 0, list, BOARD_MAX_PARTITIONS, &count), 0);
	return count;
}

static void test_commit(void **test)
{
	struct fixture *f = *test;
	uint8_t id[PARTITION_ID_SIZE], key[BOARD_KEY_SIZE], buffer[256];
	struct board_rows rows = { .after = 0 };
	struct board_open opened;
	struct board_row row;
	size_t length;
	uint64_t before;

	assert_int_equal(fixture_open(f), 0);
	fixture_id(f, 1, id);
	before = counter(f);
	assert_int_equal(state_partition_open(f->state, 1, id, &opened, buffer, sizeof(buffer)), 0);
	assert_int_equal(opened.header_length, 0);
	memcpy(key, opened.key, sizeof(key));
	assert_int_equal(fixture_commit(f, 1, id, 0, "one", 5, "row five", 8), 0);
	assert_int_equal(fixture_commit(f, 1, id, 0, "two", UINT64_MAX, "row last", 8), 0);
	assert_int_equal(counter(f), before);
	assert_int_equal(fixture_commit(f, 1, id, ADVANCE, "three", 0, NULL, 0), 0);
	assert_int_equal(counter(f), before + 1);

	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(counter(f), before + 1);
	assert_int_equal(state_partition_open(f->state, 1, id, &opened, buffer, sizeof(buffer)), 0);
	assert_memory_equal(opened.key, key, sizeof(key));
	assert_int_equal(opened.counter, 1);
	assert_int_equal(opened.rows, 2);
	fixture_header(f, 1, id, "three");
	memcpy(rows.partition, id, sizeof(id));
	assert_int_equal(state_rows(f->state, 1, &rows, buffer, sizeof(buffer), &length), 0);
	assert_int_equal(length, 2 * (sizeof(row) + 8));
	memcpy(&row, buffer, sizeof(row));
	assert_int_equal(row.id, 5);
	assert_memory_equal(buffer + sizeof(row), "row five", 8);
	memcpy(&row, buffer + sizeof(row) + 8, sizeof(row));
	assert_true(row.id == UINT64_MAX);
	/* Room for one row gives one; the next call goes on after it. */
	assert_int_equal(state_rows(f->state, 1, &rows, buffer, sizeof(row) + 8, &length), 0);
	assert_int_equal(length, sizeof(row) + 8);
	rows.after = UINT64_MAX;
	assert_int_equal(state_rows(f->state, 1, &rows, buffer, sizeof(buffer), &length), 0);
	assert_int_equal(length, 0);

	assert_int_equal(fixture_commit(f, 1, id, 0, "four", 5, NULL, 0), 0);
	assert_int_equal(state_partition_open(f->state, 1, id, &opened, buffer, sizeof(buffer)), 0);
	assert_int_equal(opened.rows, 1);
}

static void test_foreign(void **test)
{
	static const uint8_t device[PARTITION_ID_SIZE] = BOARD_DEVICE_PARTITION;
	struct fixture *f = *test;
	struct board_rows rows = { .after = 0 };
	struct board_open opened;
	uint8_t id[PARTITION_ID_SIZE], buffer[64];
	uint32_t function;
	size_t length;

	assert_int_equal(fixture_open(f), 0);
	fixture_id(f, 1, id);
	memcpy(rows.partition, id, sizeof(id));
	for (function = 0; function < 4; function++) {
		if (function == 1)
			continue;
		assert_int_equal(state_partition_open(f->state, function, id, &opened, buffer,
						      sizeof(buffer)),
				 -ENOENT);
		assert_int_equal(state_rows(f->state, function, &rows, buffer, sizeof(buffer),
					    &length),
				 -ENOENT);
		assert_int_equal(fixture_commit(f, function, id, 0, "x", 0, NULL, 0), -ENOENT);
	}
	assert_int_equal(state_partition_open(f->state, 1, device, &opened, buffer, sizeof(buffer)),
			 -ENOENT);
	assert_int_equal(state_partition_open(f->state, 0, device, &opened, buffer, sizeof(buffer)),
			 0);
}

/* Every length but the right one, and each field out of range. */
static void test_malformed_commit(void **test)
{
	struct fixture *f = *test;
	uint8_t request[512], id[PARTITION_ID_SIZE];
	struct board_committed committed;
	struct board_commit head;
	struct board_change change;
	size_t length, n, at = sizeof(head) + 6;

	assert_int_equal(fixture_open(f), 0);
	fixture_id(f, 1, id);
	length = fixture_request(request, id, 0, "header", 9, "contents", 8);
	for (n = 0; n < length; n++)
		assert_int_equal(state_commit(f->state, 1, request, n, &committed), -EINVAL);
	assert_int_equal(state_commit(f->state, 1, request, length + 1, &committed), -EINVAL);
	memcpy(&head, request, sizeof(head));
	memcpy(&change, request + at, sizeof(change));

	head.flags = 1U << 7;
	memcpy(request, &head, sizeof(head));
	assert_int_equal(state_commit(f->state, 1, request, length, &committed), -EINVAL);
	head.flags = 0;
	head.header_length = UINT32_MAX;
	memcpy(request, &head, sizeof(head));
	assert_int_equal(state_commit(f->state, 1, request, length, &committed), -EINVAL);
	head.header_length = 6;
	head.changes = UINT32_MAX;
	memcpy(request, &head, sizeof(head));
	assert_int_equal(state_commit(f->state, 1, request, length, &committed), -EINVAL);
	head.changes = 1;
	memcpy(request, &head, sizeof(head));
	change.id = 0;
	memcpy(request + at, &change, sizeof(change));
	assert_int_equal(state_commit(f->state, 1, request, length, &committed), -EINVAL);
	change.id = 9;
	change.length = UINT32_MAX;
	memcpy(request + at, &change, sizeof(change));
	assert_int_equal(state_commit(f->state, 1, request, length, &committed), -EINVAL);
	change.length = 8;
	memcpy(request + at, &change, sizeof(change));
	assert_int_equal(state_commit(f->state, 1, request, length, &committed), 0);
}

static void test_quota(void **test)
{
	struct fixture *f = *test;
	struct board_partition partition = { .name = "small", .function = 2, .max_bytes = 1000 };
	static uint8_t blob[900];
	uint32_t function;

	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(state_partition_create(f->state, &partition, no_policy), 0);
	assert_int_equal(fixture_commit(f, 2, partition.id, 0, "a", 1, blob, 900), 0);
	assert_int_equal(fixture_commit(f, 2, partition.id, 0, "b", 2, blob, 101), -EDQUOT);
	fixture_header(f, 2, partition.id, "a");
	assert_int_equal(fixture_commit(f, 2, partition.id, 0, "c", 2, blob, 100), 0);
	/* What adds nothing is never refused: a counter of PIN failures must be able to move. */
	partition.max_bytes = 10;
	assert_int_equal(state_partition_update(f->state, &partition, no_policy, &function), 0);
	assert_int_equal(fixture_commit(f, 2, partition.id, ADVANCE, "d", 0, NULL, 0), 0);
	assert_int_equal(fixture_commit(f, 2, partition.id, 0, "e", 1, NULL, 0), 0);
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(fixture_commit(f, 2, partition.id, 0, "f", 3, blob, 1), -EDQUOT);
}

static void test_partitions(void **test)
{
	struct fixture *f = *test;
	struct board_partition a = { .name = "a", .function = 2 }, b = { .name = "b" }, list[8];
	uint32_t former;
	size_t count;

	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(state_partition_create(f->state, &a, no_policy), 0);
	assert_int_equal(state_partition_create(f->state, &b, no_policy), 0);
	assert_int_equal(state_partition_create(f->state, &a, no_policy), -EEXIST);
	assert_int_equal(a.slot + 1, b.slot);
	assert_int_equal(a.max_bytes, BOARD_DEFAULT_BYTES);
	b.function = 2;
	assert_int_equal(state_partition_assign(f->state, &b, &former), 0);
	assert_int_equal(former, 0);
	assert_int_equal(state_list(f->state, 2, list, 8, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(state_partition_destroy(f->state, b.id, &former), 0);
	assert_int_equal(former, 2);
	assert_int_equal(state_partition_destroy(f->state, b.id, &former), -ENOENT);
	/* The number of a slot is never given again. */
	memset(b.id, 0, sizeof(b.id));
	assert_int_equal(state_partition_create(f->state, &b, no_policy), 0);
	assert_int_equal(b.slot, a.slot + 2);
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(partitions(f), 4);
}

static void assert_policy(struct fixture *f, const struct board_partition *partition,
			  uint32_t function, struct policy_bytes wanted)
{
	static uint8_t bytes[BOARD_POLICY_MAX];
	size_t length;

	assert_int_equal(
		state_policy(f->state, function, partition->id, bytes, sizeof(bytes), &length), 0);
	assert_int_equal(length, wanted.length);
	assert_memory_equal(bytes, wanted.data, wanted.length);
}

static void test_policies(void **test)
{
	static const struct policy_bytes first = { "first", 5 }, second = { "the second", 10 };
	static const uint8_t zeros[BOARD_POLICY_MAX + 1];
	static const struct policy_bytes too_long = { zeros, sizeof(zeros) };
	struct fixture *f = *test;
	struct board_partition a = { .name = "a", .function = 2 }, b = { .name = "b" };
	uint8_t bytes[16];
	uint32_t function = 0;
	size_t length;

	assert_int_equal(fixture_open(f), 0);
	a.flags = BOARD_PARTITION_STRICT | BOARD_PARTITION_LEGACY;
	assert_int_equal(state_partition_create(f->state, &a, first), -EINVAL);
	a.flags = BOARD_PARTITION_LEGACY;
	assert_int_equal(state_partition_create(f->state, &a, too_long), -EINVAL);
	assert_int_equal(state_partition_create(f->state, &a, first), 0);
	assert_int_equal(state_partition_create(f->state, &b, no_policy), 0);
	assert_int_equal(fixture_open(f), 0);
	assert_policy(f, &a, 2, first);
	assert_policy(f, &a, 0, first);
	assert_policy(f, &b, 0, no_policy);
	assert_int_equal(state_policy(f->state, 3, a.id, bytes, 16, &length), -ENOENT);
	assert_int_equal(state_partition_update(f->state, &a, too_long, &function), -EINVAL);
	assert_policy(f, &a, 2, first);
	assert_int_equal(state_partition_update(f->state, &a, second, &function), 0);
	assert_int_equal(function, 2);
	assert_int_equal(fixture_open(f), 0);
	assert_policy(f, &a, 2, second);
	/* Put back behind the record's back, or gone */
	assert_int_equal(nvm_policy_set(f->state->nvm, a.id, first.data, first.length), 0);
	assert_int_equal(state_policy(f->state, 2, a.id, bytes, 16, &length), -EBADMSG);
	assert_int_equal(nvm_policy_set(f->state->nvm, a.id, NULL, 0), 0);
	assert_int_equal(state_policy(f->state, 2, a.id, bytes, 16, &length), -EBADMSG);
	assert_int_equal(nvm_policy_set(f->state->nvm, a.id, second.data, second.length), 0);
	assert_policy(f, &a, 2, second);
	/* It goes with its partition. */
	assert_int_equal(state_partition_destroy(f->state, a.id, &function), 0);
	assert_int_equal(nvm_policy_get(f->state->nvm, a.id, bytes, 16, &length), 0);
	assert_int_equal(length, 0);
}

/* Copies of before: database, fuses, and both. */
static void test_old_copies(void **test)
{
	struct fixture *f = *test;
	uint8_t id[PARTITION_ID_SIZE];

	assert_int_equal(fixture_open(f), 0);
	fixture_id(f, 1, id);
	assert_int_equal(fixture_commit(f, 1, id, ADVANCE, "old", 0, NULL, 0), 0);
	fixture_close(f);
	fixture_save_all(f);
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(fixture_commit(f, 1, id, ADVANCE, "new", 0, NULL, 0), 0);
	fixture_close(f);

	/* Old fuses by one: an interrupted commit looks like that, and the fuses catch up. */
	fixture_copy(f, "fuses", "", ".new");
	fixture_restore(f, "fuses");
	assert_int_equal(fixture_open(f), 0);
	fixture_header(f, 1, id, "new");
	assert_int_equal(fixture_commit(f, 1, id, ADVANCE, "newer", 0, NULL, 0), 0);
	fixture_close(f);
	fixture_restore(f, "fuses");
	assert_int_equal(fixture_open(f), -ESTALE);
	assert_non_null(strstr(f->error.text, f->fuses));

	fixture_copy(f, "fuses", ".new", "");
	fixture_restore(f, "nvm.db");
	fixture_restore(f, "nvm.db-wal");
	assert_int_equal(fixture_open(f), -ESTALE);
	assert_non_null(strstr(f->error.text, "old copy"));
	assert_non_null(strstr(f->error.text, "--zeroize"));
}

/* A crash after the database and before the fuses: done when the board comes back. */
static void test_crash_in_commit(void **test)
{
	struct fixture *f = *test;
	uint8_t id[PARTITION_ID_SIZE];
	uint64_t before;

	assert_int_equal(fixture_open(f), 0);
	fixture_id(f, 1, id);
	assert_int_equal(fixture_commit(f, 1, id, ADVANCE, "old", 0, NULL, 0), 0);
	before = counter(f);
	f->fail_at = STEP_COMMIT_STORED;
	assert_int_equal(fixture_commit(f, 1, id, ADVANCE, "new", 0, NULL, 0), -EINTR);
	f->fail_at = -1;
	/* Nothing is served by a board that does not know what is on the disk. */
	assert_int_equal(fixture_commit(f, 1, id, 0, "newer", 0, NULL, 0), -EINTR);
	assert_int_equal(fixture_open(f), 0);
	fixture_header(f, 1, id, "new");
	assert_int_equal(counter(f), before + 1);
}

static void test_crash_in_creation(void **test)
{
	static const enum state_step steps[] = { STEP_CREATE_FUSES, STEP_CREATE_DATABASE };
	struct fixture *f = *test;
	size_t i;

	for (i = 0; i < 2; i++) {
		f->fail_at = (int)steps[i];
		assert_int_equal(fixture_open(f), -EINTR);
	}
	f->fail_at = -1;
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(partitions(f), 2);
}

/*
 * A crash at each step of a destruction: the partition is there whole, or gone for good, and the others
 * are unharmed; then destroying succeeds, and a copy of the database from before is worth nothing.
 */
static void test_crash_in_rotation(void **test)
{
	static const enum state_step steps[] = {
		STEP_ROTATE_DRAWN,
		STEP_ROTATE_STORED,
		STEP_ROTATE_DONE,
	};
	struct board_partition doomed = { .name = "doomed", .function = 2 };
	struct fixture *f = *test;
	uint8_t id[PARTITION_ID_SIZE];
	uint32_t former;
	size_t i;

	assert_int_equal(fixture_open(f), 0);
	fixture_id(f, 1, id);
	assert_int_equal(fixture_commit(f, 1, id, 0, "mine", 1, "row", 3), 0);
	for (i = 0; i < 3; i++) {
		memset(doomed.id, 0, sizeof(doomed.id));
		assert_int_equal(state_partition_create(f->state, &doomed, no_policy), 0);
		assert_int_equal(fixture_commit(f, 2, doomed.id, 0, "theirs", 1, "row", 3), 0);
		fixture_close(f);
		fixture_save_all(f);
		assert_int_equal(fixture_open(f), 0);
		f->fail_at = (int)steps[i];
		assert_int_equal(state_partition_destroy(f->state, doomed.id, &former), -EINTR);
		f->fail_at = -1;
		assert_int_equal(fixture_open(f), 0);
		assert_int_equal(partitions(f), steps[i] == STEP_ROTATE_DRAWN ? 3 : 2);
		if (steps[i] == STEP_ROTATE_DRAWN) {
			fixture_header(f, 2, doomed.id, "theirs");
			assert_int_equal(state_partition_destroy(f->state, doomed.id, &former), 0);
		}
		fixture_header(f, 1, id, "mine");
		fixture_close(f);
		fixture_copy(f, "nvm.db", "", ".new");
		fixture_restore(f, "nvm.db");
		assert_int_equal(fixture_open(f), -EBADMSG);
		assert_non_null(strstr(f->error.text, "root record"));
		fixture_copy(f, "nvm.db", ".new", "");
		assert_int_equal(fixture_open(f), 0);
	}
}

/* No flipped byte goes unnoticed where the board is the judge: the record is the same, or refused. */
static void test_flips(void **test)
{
	struct board_partition before[8], after[8];
	struct fixture *f = *test;
	size_t count, n, refused = 0;
	uint8_t id[PARTITION_ID_SIZE];
	off_t at, size;
	int ret;

	assert_int_equal(fixture_open(f), 0);
	fixture_id(f, 1, id);
	assert_int_equal(fixture_commit(f, 1, id, ADVANCE, "header", 1, "row", 3), 0);
	assert_int_equal(state_list(f->state, 0, before, 8, &count), 0);
	fixture_close(f);
	fixture_save_all(f);
	size = fixture_size(f, "nvm.db");
	assert_true(size > 0);
	for (at = 0; at < size; at += at % 4096 < 128 ? 1 : 29) {
		fixture_flip(f, "nvm.db", at);
		ret = fixture_open(f);
		if (ret) {
			assert_true(f->error.text[0]);
			refused++;
		} else {
			assert_int_equal(state_list(f->state, 0, after, 8, &n), 0);
			assert_int_equal(n, count);
			assert_memory_equal(after, before, count * sizeof(*before));
		}
		fixture_close(f);
		fixture_restore_all(f);
	}
	assert_true(refused > 20);
	assert_int_equal(fixture_open(f), 0);
}

static void test_unknown_version(void **test)
{
	struct fixture *f = *test;

	assert_int_equal(fixture_open(f), 0);
	fixture_close(f);
	/* user_version in SQLite's file header */
	fixture_flip(f, "nvm.db", 63);
	assert_int_equal(fixture_open(f), -EPROTONOSUPPORT);
	assert_non_null(strstr(f->error.text, "version"));
}

static void test_missing(void **test)
{
	struct fixture *f = *test;
	char path[FIXTURE_PATH];

	assert_int_equal(fixture_open(f), 0);
	fixture_close(f);
	fixture_save_all(f);
	unlink(f->fuses);
	assert_int_equal(fixture_open(f), -ENOENT);
	assert_non_null(strstr(f->error.text, "fuses"));
	assert_int_equal(access(f->fuses, F_OK), -1);
	fixture_restore_all(f);
	fixture_path(f, "nvm.db", "", path);
	unlink(path);
	assert_int_equal(fixture_open(f), -ENOENT);
	assert_non_null(strstr(f->error.text, "missing"));
	assert_int_equal(access(path, F_OK), -1);
}

static bool is_approved(struct fixture *f)
{
	struct board_hello hello = { 0 };

	state_identity(f->state, &hello);
	return hello.flags & BOARD_HELLO_APPROVED;
}

/* The mode is the state's: not to be had later, not to be lost. */
static void test_approved(void **test)
{
	struct fixture *f = *test;

	assert_int_equal(fixture_open(f), 0);
	assert_false(is_approved(f));
	f->config.approved = true;
	assert_int_equal(fixture_open(f), -EINVAL);
	assert_non_null(strstr(f->error.text, "without --fips"));
	fixture_close(f);
	/* Zeroized it has no keys that were used in the other mode. */
	assert_int_equal(state_zeroize(&f->config, &f->error), 0);
	assert_int_equal(fixture_open(f), 0);
	assert_true(is_approved(f));
	f->config.approved = false;
	assert_int_equal(fixture_open(f), 0);
	assert_true(is_approved(f));
	fixture_close(f);
	assert_int_equal(state_zeroize(&f->config, &f->error), 0);
	assert_int_equal(fixture_open(f), 0);
	assert_true(is_approved(f));
}

static void test_zeroize(void **test)
{
	struct fixture *f = *test;
	struct board_hello before = { 0 }, after = { 0 };
	struct board_condition erased, later;
	uint8_t id[PARTITION_ID_SIZE], other[PARTITION_ID_SIZE];
	uint64_t last;

	assert_int_equal(fixture_open(f), 0);
	/* What was erased before is part of the board's history. */
	assert_int_equal(state_erase(f->state), 0);
	fixture_id(f, 1, id);
	assert_int_equal(fixture_commit(f, 1, id, ADVANCE, "secret", 0, NULL, 0), 0);
	state_condition(f->state, &erased);
	state_identity(f->state, &before);
	last = counter(f);
	fixture_close(f);
	fixture_save_all(f);
	assert_int_equal(state_zeroize(&f->config, &f->error), 0);
	assert_int_equal(fixture_open(f), 0);
	fixture_id(f, 1, other);
	assert_memory_not_equal(id, other, sizeof(id));
	state_identity(f->state, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_true(counter(f) > last);
	state_condition(f->state, &later);
	assert_int_equal(erased.erased_partitions, 1);
	assert_int_equal(later.erased_partitions, 1);
	assert_int_equal(later.erased, erased.erased);
	assert_int_equal(later.erased_time, erased.erased_time);
	fixture_close(f);
	/* The former database under the new fuses is noise. */
	fixture_restore(f, "nvm.db");
	assert_int_equal(fixture_open(f), -EBADMSG);
}

/* Commits one after the other, each told to the parent when it has been answered. */
static void commit_forever(struct fixture *f, const uint8_t *id, int out)
{
	char header[16];
	unsigned int n;

	for (n = 1;; n++) {
		snprintf(header, sizeof(header), "%08u", n);
		if (fixture_commit(f, 1, id, n % 4 ? 0 : ADVANCE, header, n % 16 + 1, header, 8))
			_exit(1);
		if (write(out, &n, sizeof(n)) != sizeof(n))
			_exit(1);
	}
}

static void test_killed(void **test)
{
	struct fixture *f = *test;
	uint8_t id[PARTITION_ID_SIZE];
	char header[16];
	struct board_open opened;
	unsigned int n, last, found, round;
	int pipes[2], status;
	pid_t pid;

	assert_int_equal(fixture_open(f), 0);
	fixture_id(f, 1, id);
	for (round = 0; round < 8; round++) {
		fixture_close(f);
		assert_int_equal(pipe(pipes), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			if (fixture_open(f))
				_exit(1);
			commit_forever(f, id, pipes[1]);
		}
		close(pipes[1]);
		last = 0;
		while (last < 20 + 7 * round && read(pipes[0], &n, sizeof(n)) == sizeof(n))
			last = n;
		kill(pid, SIGKILL);
		while (read(pipes[0], &n, sizeof(n)) == sizeof(n))
			last = n;
		close(pipes[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(fixture_open(f), 0);
		assert_int_equal(
			state_partition_open(f->state, 1, id, &opened, header, sizeof(header)), 0);
		assert_int_equal(opened.header_length, 8);
		header[8] = '\0';
		found = (unsigned int)strtoul(header, NULL, 10);
		assert_in_range(found, last, last + 1);
	}
}

static void fill(struct fixture *f)
{
	static const char bytes[4096];
	char path[FIXTURE_PATH];
	int fd;

	fixture_path(f, "fill", "", path);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

/* A disk that fills up: an error, nothing half-done, and all is well once there is room. */
static void test_full_disk(void **test)
{
	struct fixture *f = *test;
	uint8_t id[PARTITION_ID_SIZE];
	static uint8_t blob[60000];
	char ballast[FIXTURE_PATH], header[16], good[16] = "";
	uint32_t former;
	uint64_t row;
	int fd, ret;

	/* In a chroot the root is no mount of its own, and whoever made it has made it private. */
	if (unshare(CLONE_NEWNS) ||
	    (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) && errno != EINVAL) ||
	    mount("none", f->directory, "tmpfs", 0, "size=4m,mode=700"))
		skip();
	assert_int_equal(fixture_open(f), 0);
	fixture_id(f, 1, id);
	fixture_path(f, "ballast", "", ballast);
	fd = open(ballast, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(posix_fallocate(fd, 0, 2000000), 0);
	close(fd);
	for (row = 1, ret = 0; !ret && row < 100; row++) {
		snprintf(header, sizeof(header), "%u", (unsigned int)row);
		ret = fixture_commit(f, 1, id, row % 2 ? ADVANCE : 0, header, row, blob,
				     sizeof(blob));
		if (!ret)
			strcpy(good, header);
	}
	assert_int_equal(ret, -ENOSPC);
	fixture_header(f, 1, id, good);
	/* Not a byte is left, and what adds none goes on for as long as somebody may try PINs. */
	fill(f);
	for (row = 0; row < 500; row++) {
		snprintf(good, sizeof(good), "pin %u", (unsigned int)row);
		assert_int_equal(fixture_commit(f, 1, id, ADVANCE, good, 0, NULL, 0), 0);
	}
	assert_int_equal(fixture_commit(f, 1, id, 0, "no", 150, blob, 10), -ENOSPC);
	fixture_header(f, 1, id, good);
	assert_int_equal(fixture_commit(f, 1, id, 0, "less", 1, NULL, 0), 0);
	assert_int_equal(unlink(ballast), 0);
	fixture_path(f, "fill", "", ballast);
	assert_int_equal(unlink(ballast), 0);
	assert_int_equal(fixture_commit(f, 1, id, ADVANCE, "room", 200, blob, 1000), 0);
	fixture_header(f, 1, id, "room");
	assert_int_equal(fixture_open(f), 0);
	fixture_header(f, 1, id, "room");
	assert_int_equal(state_partition_destroy(f->state, id, &former), 0);
	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(partitions(f), 1);
	fixture_close(f);
	assert_int_equal(umount(f->directory), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_commit),
		TEST(test_foreign),
		TEST(test_malformed_commit),
		TEST(test_quota),
		TEST(test_partitions),
		TEST(test_policies),
		TEST(test_old_copies),
		TEST(test_crash_in_commit),
		TEST(test_crash_in_creation),
		TEST(test_crash_in_rotation),
		TEST(test_flips),
		TEST(test_unknown_version),
		TEST(test_missing),
		TEST(test_zeroize),
		TEST(test_approved),
		TEST(test_killed),
		TEST(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
