/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of command execution: what is around it. A transport that runs commands at once, a clock
 * that stands still, and a board that keeps its state in memory and can fail. Included by commands_testing.h.
 */
#ifndef BOARD_TESTING_H
#define BOARD_TESTING_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <cmocka.h>
#include "clock.h"
#include "commands.h"
#include "dice_testing.h"

/* Unused by some of the programs that include this file */
#define MAYBE __attribute__((unused))

/* ---- transport ---- */

struct task {
	bool cancelled;
	bool refuse_long;
	enum ihsm_time_class class;
};

static unsigned int test_events, test_firmware_events;

int task_set_class(struct task *task, enum ihsm_time_class time_class)
{
	task->class = time_class;
	if (task->refuse_long && time_class >= IHSM_TIME_LONG)
		return -ECANCELED;
	return task->cancelled ? -ECANCELED : 0;
}

void task_wait_begin(struct task *task)
{
	(void)task;
}

void task_wait_end(struct task *task)
{
	(void)task;
}

bool task_cancelled(const struct task *task)
{
	return task->cancelled || task->refuse_long;
}

void task_stop(struct task *task)
{
	task->cancelled = true;
}

void firmware_event(enum ihsm_event event, uint32_t detail)
{
	(void)detail;
	test_events += event == IHSM_EVENT_PARTITIONS;
	test_firmware_events += event == IHSM_EVENT_FIRMWARE;
}

/* ---- clock ---- */

/* Milliseconds since 1970; a test moves it on. What clock_start() says moves with board_restart(). */
static _Atomic(uint64_t) test_time = 1800000000000ULL;
static uint64_t test_start = 1800000000000ULL;

uint64_t clock_now(void)
{
	return test_time;
}

uint64_t clock_start(void)
{
	return test_start;
}

uint64_t clock_ticks(void)
{
	return test_time * 1000000;
}

/* ---- board ---- */

#define TEST_ROWS	4096
#define TEST_PARTITIONS 4
#define TEST_FIRMWARE	0x5a

struct test_row {
	uint64_t id;
	uint32_t length;
	uint8_t *blob;
};

struct test_partition {
	struct board_partition info;
	bool exists;
	uint64_t counter;
	uint8_t policy[BOARD_POLICY_MAX];
	size_t policy_length;
	uint32_t header_length;
	uint8_t header[HEADER_MAX];
	struct test_row row[TEST_ROWS];
	uint32_t rows;
};

static struct test_board {
	pthread_mutex_t lock;
	struct test_partition partition[TEST_PARTITIONS];
	struct board_hello hello;
	unsigned int crowd; /* BOARD_LIST answers with so many made-up partitions */
	int fail_commit; /* errno that commits are answered with */
	unsigned int commits;
	unsigned int advances;
	void (*during_commit)(void); /* once, while a commit is under way: what another thread does then */
	uint8_t receipt[BOARD_BLOB_MAX]; /* of the last partition that was retired */
	size_t receipt_length;
	uint8_t code[8];
	uint8_t validation[256];
	size_t validation_length;
	struct board_grant grant; /* the last one, seconds 0: none */
	bool grants_all; /* as if officers had granted whatever is asked for */
	int fail_retire; /* errno */
	int activated; /* times, firmware whose measurement begins with TEST_FIRMWARE: there is no other */
	uint32_t minimum; /* of BOARD_MINIMUM */
	uint32_t retired; /* event of the last BOARD_RETIRE */
	unsigned int destroyed; /* partitions, whose rows stay here */
	struct board_event event[BOARD_EVENTS_MAX]; /* that wait for the device's log */
	size_t events;
	bool deaf; /* to what firmware has taken */
} board = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct test_partition *board_find(const uint8_t *id)
{
	int i;

	for (i = 0; i < TEST_PARTITIONS; i++)
		if (board.partition[i].exists && !memcmp(board.partition[i].info.id, id, 16))
			return &board.partition[i];
	return NULL;
}

/* Rows of objects: those of the audit log are not counted */
MAYBE static uint32_t board_objects(const struct test_partition *p)
{
	uint32_t i = 0;

	while (i < p->rows && p->row[i].id < BOARD_AUDIT_ROWS)
		i++;
	return i;
}

static int board_set_row(struct test_partition *p, uint64_t id, const uint8_t *blob,
			 uint32_t length)
{
	uint32_t i, at = 0;

	while (at < p->rows && p->row[at].id < id)
		at++;
	if (at < p->rows && p->row[at].id == id) {
		free(p->row[at].blob);
		if (!length) {
			p->rows--;
			for (i = at; i < p->rows; i++)
				p->row[i] = p->row[i + 1];
			return 0;
		}
	} else {
		if (!length || p->rows == TEST_ROWS)
			return -ENOSPC;
		for (i = p->rows++; i > at; i--)
			p->row[i] = p->row[i - 1];
	}
	p->row[at] = (struct test_row){ .id = id, .length = length, .blob = malloc(length) };
	if (!p->row[at].blob)
		abort();
	memcpy(p->row[at].blob, blob, length);
	return 0;
}

static int board_commit(const uint8_t *body, size_t size, void *reply, size_t *length)
{
	struct board_committed committed;
	struct board_commit commit;
	struct board_change change;
	struct test_partition *p;
	const uint8_t *at = body + sizeof(commit);
	uint32_t i;
	int ret = 0;

	memcpy(&commit, body, sizeof(commit));
	p = board_find(commit.partition);
	if (!p)
		return -ENOENT;
	if (board.fail_commit)
		return -board.fail_commit;
	assert_true(commit.header_length && commit.header_length <= sizeof(p->header));
	memcpy(p->header, at, commit.header_length);
	p->header_length = commit.header_length;
	at += commit.header_length;
	for (i = 0; i < commit.changes && !ret; i++) {
		memcpy(&change, at, sizeof(change));
		at += sizeof(change);
		ret = board_set_row(p, change.id, at, change.length);
		at += change.length;
	}
	assert_int_equal(ret, 0);
	assert_ptr_equal(at, body + size);
	p->counter += !!(commit.flags & BOARD_COMMIT_ADVANCE);
	board.advances += !!(commit.flags & BOARD_COMMIT_ADVANCE);
	board.commits++;
	committed.counter = p->counter;
	memcpy(reply, &committed, sizeof(committed));
	*length = sizeof(committed);
	return 0;
}

static int board_rows(const uint8_t *body, uint8_t *reply, size_t *length)
{
	struct board_rows request;
	struct test_partition *p;
	uint32_t i;

	memcpy(&request, body, sizeof(request));
	p = board_find(request.partition);
	if (!p)
		return -ENOENT;
	*length = 0;
	/* Three at a time, so that the caller has to ask again. */
	for (i = 0; i < p->rows && *length < 3 * sizeof(struct board_row); i++) {
		struct board_row row = { .id = p->row[i].id, .length = p->row[i].length };

		if (row.id <= request.after)
			continue;
		memcpy(reply + *length, &row, sizeof(row));
		memcpy(reply + *length + sizeof(row), p->row[i].blob, row.length);
		*length += sizeof(row) + row.length;
	}
	return 0;
}

static int board_open(const uint8_t *body, uint8_t *reply, size_t *length)
{
	struct test_partition *p = board_find(body);
	struct board_open open = { .generation = 1 };

	if (!p)
		return -ENOENT;
	open.partition = p->info;
	memset(open.key, 0x5a, sizeof(open.key));
	open.counter = p->counter;
	open.header_length = p->header_length;
	open.rows = p->rows;
	memcpy(reply, &open, sizeof(open));
	memcpy(reply + sizeof(open), p->header, p->header_length);
	*length = sizeof(open) + p->header_length;
	return 0;
}

/* So many partitions as officers see them, from the last slot to the first, and the device's own among them */
static int board_crowd(uint8_t *reply, size_t *length)
{
	struct board_partition info = { .id = BOARD_DEVICE_PARTITION, .slot = UINT32_MAX };
	unsigned int i;

	for (i = 0; i <= board.crowd; i++) {
		memcpy(reply + i * sizeof(info), &info, sizeof(info));
		info.slot = board.crowd - 1 - i;
		memcpy(info.id, &info.slot, sizeof(info.slot));
		info.id[15] = 1;
	}
	*length = i * sizeof(info);
	return 0;
}

static int board_list(uint8_t *reply, size_t *length)
{
	int i;

	if (board.crowd)
		return board_crowd(reply, length);
	*length = 0;
	for (i = 0; i < TEST_PARTITIONS; i++) {
		if (!board.partition[i].exists)
			continue;
		memcpy(reply + *length, &board.partition[i].info, sizeof(struct board_partition));
		*length += sizeof(struct board_partition);
	}
	return 0;
}

static int board_policy(const uint8_t *id, uint8_t *reply, size_t *length)
{
	struct test_partition *p = board_find(id);

	if (!p)
		return -ENOENT;
	memcpy(reply, p->policy, p->policy_length);
	*length = p->policy_length;
	return 0;
}

static void board_set(struct test_partition *p, const uint8_t *body, size_t size)
{
	assert_true(size >= sizeof(p->info) && size <= sizeof(p->info) + sizeof(p->policy));
	memcpy(&p->info, body, sizeof(p->info));
	p->policy_length = size - sizeof(p->info);
	memcpy(p->policy, body + sizeof(p->info), p->policy_length);
}

static int board_create(const uint8_t *body, size_t size, uint8_t *reply, size_t *length)
{
	struct test_partition *p = board.partition;

	while (p < board.partition + TEST_PARTITIONS && p->exists)
		p++;
	if (p == board.partition + TEST_PARTITIONS)
		return -ENOSPC;
	if (body[0] && board_find(body))
		return -EEXIST;
	board_set(p, body, size);
	p->exists = true;
	if (!p->info.id[0])
		memset(p->info.id, 0x80 + (int)(p - board.partition), sizeof(p->info.id));
	p->info.max_objects = p->info.max_objects ? p->info.max_objects : 100;
	p->info.max_sessions = p->info.max_sessions ? p->info.max_sessions : 100;
	p->info.max_bytes = p->info.max_bytes ? p->info.max_bytes : 1 << 20;
	memcpy(reply, &p->info, sizeof(p->info));
	*length = sizeof(p->info);
	return 0;
}

static int board_update(const uint8_t *body, size_t size)
{
	struct test_partition *p = board_find(body);

	if (!p)
		return -ENOENT;
	board_set(p, body, size);
	return 0;
}

/* With one place for a grant */
static int board_grant(enum board_request type, const uint8_t *body)
{
	struct board_grant grant;

	memcpy(&grant, body, sizeof(grant));
	if (type == BOARD_GRANT) {
		board.grant = grant;
		return 0;
	}
	if (board.grants_all)
		return 0;
	if (!board.grant.seconds || memcmp(grant.partition, board.grant.partition, 16) ||
	    memcmp(grant.digest, board.grant.digest, sizeof(grant.digest)))
		return -ENOENT;
	board.grant.seconds = 0;
	return 0;
}

static int board_destroy(const uint8_t *id)
{
	struct test_partition *p = board_find(id);

	if (!p)
		return -ENOENT;
	p->exists = false;
	board.destroyed++;
	return 0;
}

static void partition_empty(struct test_partition *p);

static int board_retire(const uint8_t *body, size_t size)
{
	struct test_partition *p = board_find(body);
	struct board_retire retire;

	if (!p)
		return -ENOENT;
	if (board.fail_retire)
		return -board.fail_retire;
	memcpy(&retire, body, sizeof(retire));
	board.retired = retire.event;
	board.receipt_length = size - sizeof(retire);
	memcpy(board.receipt, body + sizeof(retire), board.receipt_length);
	partition_empty(p);
	return 0;
}

static int board_events_taken(const uint8_t *body)
{
	uint64_t serial;
	size_t i, left = 0;

	memcpy(&serial, body, sizeof(serial));
	for (i = 0; i < board.events && !board.deaf; i++)
		if (board.event[i].serial > serial)
			board.event[left++] = board.event[i];
	if (!board.deaf)
		board.events = left;
	return 0;
}

static int board_answer(enum board_request type, const uint8_t *body, size_t size, uint8_t *reply,
			size_t *length)
{
	uint64_t counter = 7;

	*length = 0;
	switch (type) {
	case BOARD_HELLO:
		memcpy(reply, &board.hello, sizeof(board.hello));
		*length = sizeof(board.hello);
		return 0;
	case BOARD_LIST:
		return board_list(reply, length);
	case BOARD_OPEN:
		return board_open(body, reply, length);
	case BOARD_ROWS:
		return board_rows(body, reply, length);
	case BOARD_COMMIT:
		return board_commit(body, size, reply, length);
	case BOARD_VALIDATION:
		memcpy(reply, board.validation, board.validation_length);
		*length = board.validation_length;
		return 0;
	case BOARD_COUNTER:
		memcpy(reply, &counter, 8);
		*length = 8;
		return 0;
	case BOARD_CLAIM:
		if (board.hello.flags & BOARD_HELLO_CLAIMED)
			return -EALREADY;
		if (size != sizeof(board.code) || memcmp(body, board.code, size))
			return -EACCES;
		board.hello.flags |= BOARD_HELLO_CLAIMED;
		return 0;
	case BOARD_PARTITION_CREATE:
		return board_create(body, size, reply, length);
	case BOARD_PARTITION_UPDATE:
		return board_update(body, size);
	case BOARD_POLICY:
		return board_policy(body, reply, length);
	case BOARD_RETIRE:
		return board_retire(body, size);
	case BOARD_RECEIPT:
		memcpy(reply, board.receipt, board.receipt_length);
		*length = board.receipt_length;
		return board.receipt_length ? 0 : -ENOENT;
	case BOARD_ALIAS:
		return board_find(body) ? board_alias(body, reply, length) : -ENOENT;
	case BOARD_EVENTS:
		*length = board.events * sizeof(board.event[0]);
		memcpy(reply, board.event, *length);
		return 0;
	case BOARD_EVENTS_TAKEN:
		return board_events_taken(body);
	case BOARD_REPORT:
		return 0;
	case BOARD_PARTITION_DESTROY:
		return board_destroy(body);
	case BOARD_FIRMWARE:
		*length = sizeof(struct board_update);
		memset(reply, 0, *length);
		return 0;
	case BOARD_ACTIVATE:
		if (body[0] != TEST_FIRMWARE)
			return -ENOENT;
		board.activated++;
		return 0;
	case BOARD_MINIMUM: {
		uint32_t minimum;

		memcpy(&minimum, body, sizeof(minimum));
		if (minimum < board.minimum)
			return -ERANGE;
		board.minimum = minimum;
		return 0;
	}
	case BOARD_GRANT:
	case BOARD_GRANT_TAKE:
		return board_grant(type, body);
	default:
		return -EINVAL;
	}
}

int storage_call(enum board_request type, const struct iovec *parts, int count, void *reply,
		 size_t capacity, size_t *length)
{
	static uint8_t body[BOARD_MESSAGE_MAX], answer[BOARD_MESSAGE_MAX];
	void (*meanwhile)(void) = board.during_commit;
	size_t size = 0;
	int i, ret;

	if (type == BOARD_COMMIT && meanwhile) {
		board.during_commit = NULL;
		meanwhile();
	}
	pthread_mutex_lock(&board.lock);
	for (i = 0; i < count; i++) {
		assert_true(size + parts[i].iov_len <= BOARD_MESSAGE_MAX);
		memcpy(body + size, parts[i].iov_base, parts[i].iov_len);
		size += parts[i].iov_len;
	}
	ret = board_answer(type, body, size, answer, length);
	if (!ret) {
		assert_true(*length <= capacity);
		if (*length)
			memcpy(reply, answer, *length);
	}
	pthread_mutex_unlock(&board.lock);
	return ret;
}

/* What came between the halves would be served between them as well: nothing in the firmware can tell. */
static struct {
	struct iovec copy;
	uint8_t body[BOARD_MESSAGE_MAX];
} begun;

int storage_begin(enum board_request type, const struct iovec *parts, int count)
{
	int i;

	(void)type;
	begun.copy = (struct iovec){ .iov_base = begun.body };
	for (i = 0; i < count; i++) {
		memcpy(begun.body + begun.copy.iov_len, parts[i].iov_base, parts[i].iov_len);
		begun.copy.iov_len += parts[i].iov_len;
	}
	return 0;
}

int storage_finish(enum board_request type, void *reply, size_t capacity, size_t *length)
{
	return storage_call(type, &begun.copy, 1, reply, capacity, length);
}

static void board_add(int i, uint8_t tag, uint32_t flags)
{
	struct test_partition *p = &board.partition[i];

	p->exists = true;
	p->info = (struct board_partition){ .function = 1,
					    .slot = i,
					    .flags = flags,
					    .max_objects = 200,
					    .max_sessions = 64,
					    .max_bytes = 1 << 20 };
	memset(p->info.id, tag, sizeof(p->info.id));
	snprintf(p->info.name, sizeof(p->info.name), "partition %d", i);
}

static void partition_empty(struct test_partition *p)
{
	uint32_t i;

	for (i = 0; i < p->rows; i++)
		free(p->row[i].blob);
	memset(p, 0, sizeof(*p));
}

MAYBE static void partition_copy(struct test_partition *to, const struct test_partition *from)
{
	uint32_t i;

	partition_empty(to);
	*to = *from;
	for (i = 0; i < to->rows; i++) {
		to->row[i].blob = malloc(to->row[i].length);
		if (!to->row[i].blob)
			abort();
		memcpy(to->row[i].blob, from->row[i].blob, to->row[i].length);
	}
}

static void board_clear(void)
{
	int i;

	for (i = 0; i < TEST_PARTITIONS; i++)
		partition_empty(&board.partition[i]);
	memset(&board.hello, 0, sizeof(board.hello));
	board.fail_commit = 0;
	board.during_commit = NULL;
	board.validation_length = 0;
	board.commits = board.advances = 0;
	board.grant.seconds = 0;
	board.destroyed = 0;
	board.activated = 0;
	board.minimum = board.retired = 0;
	board.fail_retire = 0;
	board.events = 0;
	board.deaf = false;
}

#endif /* BOARD_TESTING_H */
