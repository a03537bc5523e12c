// SPDX-License-Identifier: Apache-2.0
/*
 * Commits of several commands together. The first commit is the test's own; the others start when it has reached the
 * test's board, and it is held up there until all of them wait for the next one, so that each run is the same.
 */
#include <sched.h>
#include "commands_testing.h"
#include "commit_group.h"

#define OTHERS 5

static struct peer *peer;
static struct command command;
static struct job *others;
static unsigned int awaited;

/**
 * struct job - what one thread does
 * @doomed: destroy this object; NULL: add one
 * @large: the object to be added fits no row
 */
struct job {
	pthread_t thread;
	struct object *doomed;
	bool large;
	uint64_t handle;
	CK_RV rv;
};

static CK_RV add_one(bool large, uint64_t *handle)
{
	static uint8_t much[60000];
	struct attributes set = { 0 };
	CK_RV rv;

	attributes_set_ulong(&set, CKA_CLASS, CKO_DATA);
	attributes_set_bool(&set, CKA_TOKEN, true);
	attributes_set_bool(&set, CKA_PRIVATE, true);
	attributes_set(&set, CKA_VALUE, much, large ? sizeof(much) : 1);
	attributes_set(&set, CKA_APPLICATION, much, large ? sizeof(much) : 1);
	rv = objects_add(&command, &set, 1, handle);
	attributes_free(&set);
	return rv;
}

static void *work(void *argument)
{
	struct job *job = argument;

	if (job->doomed)
		job->rv = object_destroy(&command, job->doomed);
	else
		job->rv = add_one(job->large, &job->handle);
	return NULL;
}

static void wait_for_others(void)
{
	struct commit_group *group = &command.partition->group;
	unsigned int count;

	do {
		sched_yield();
		count = 0;
		pthread_mutex_lock(&group->lock);
		for (struct change_set *set = group->first; set; set = set->next)
			count++;
		pthread_mutex_unlock(&group->lock);
	} while (count < awaited);
}

static void start(struct job *jobs, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		assert_int_equal(pthread_create(&jobs[i].thread, NULL, work, &jobs[i]), 0);
}

static void start_others(void)
{
	start(others, awaited);
	wait_for_others();
}

/* The others while our own commit is under way. Return: commits for them. */
static unsigned int together(struct job *jobs, unsigned int count)
{
	unsigned int before = board.commits, i;
	uint64_t handle;
	CK_RV rv;

	others = jobs;
	awaited = count;
	board.during_commit = start_others;
	rv = add_one(false, &handle);
	for (i = 0; i < count; i++)
		pthread_join(jobs[i].thread, NULL);
	assert_int_equal(rv, CKR_OK);
	return board.commits - before;
}

static void ready(void)
{
	uint8_t id[PARTITION_ID_SIZE];

	peer = peer_user(0);
	memcpy(id, board.partition[0].info.id, sizeof(id));
	command = (struct command){ .partition = partition_find(id), .task = &peer->task };
	assert_non_null(command.partition);
	command.client = command.partition->clients;
	command.session = session_find(command.client, peer->session);
	assert_non_null(command.session);
}

static void done(void)
{
	session_put(command.session);
	partition_put(command.partition);
	peer_free(peer);
	/* What is on the board is what the header says. */
	board_restart();
	peer = peer_user(0);
	peer_free(peer);
}

static void others_share_one_commit(void **state)
{
	struct job jobs[OTHERS] = { 0 };
	unsigned int i, j;

	(void)state;
	ready();
	/* Ours goes alone, all the others together. */
	assert_int_equal(together(jobs, OTHERS), 2);
	for (i = 0; i < OTHERS; i++) {
		assert_int_equal(jobs[i].rv, CKR_OK);
		for (j = 0; j < i; j++)
			assert_int_not_equal(jobs[i].handle, jobs[j].handle);
	}
	assert_int_equal(board_objects(&board.partition[0]), OTHERS + 1);
	assert_int_equal(command.partition->state.rows, OTHERS + 1);
	done();
}

/* One that cannot be stored spoils it for no other. */
static void each_has_its_own_result(void **state)
{
	struct job jobs[OTHERS] = { 0 };
	unsigned int i;

	(void)state;
	ready();
	jobs[2].large = true;
	together(jobs, OTHERS);
	for (i = 0; i < OTHERS; i++)
		assert_int_equal(jobs[i].rv, i == 2 ? CKR_DEVICE_MEMORY : CKR_OK);
	assert_int_equal(board_objects(&board.partition[0]), OTHERS);
	done();
}

/* The quota counts what the others of the commit add. */
static void quota_holds_within_a_commit(void **state)
{
	struct job jobs[OTHERS] = { 0 };
	unsigned int i, made = 0;

	(void)state;
	ready();
	command.partition->info.max_objects = 3;
	together(jobs, OTHERS);
	for (i = 0; i < OTHERS; i++) {
		made += jobs[i].rv == CKR_OK;
		assert_true(jobs[i].rv == CKR_OK || jobs[i].rv == CKR_DEVICE_MEMORY);
	}
	assert_int_equal(made, 2);
	assert_int_equal(board_objects(&board.partition[0]), 3);
	done();
}

/* Two that destroy the same object: one has done it, the other came too late. */
static void one_object_changes_once(void **state)
{
	struct job jobs[OTHERS] = { 0 };
	unsigned int i, gone = 0;
	uint64_t handle;

	(void)state;
	ready();
	assert_int_equal(add_one(false, &handle), CKR_OK);
	for (i = 0; i < OTHERS; i++) {
		jobs[i].doomed = object_find(&command, handle);
		assert_non_null(jobs[i].doomed);
	}
	together(jobs, OTHERS);
	for (i = 0; i < OTHERS; i++) {
		gone += jobs[i].rv == CKR_OK;
		assert_true(jobs[i].rv == CKR_OK || jobs[i].rv == OBJECT_STALE);
		object_put(jobs[i].doomed);
	}
	assert_int_equal(gone, 1);
	assert_int_equal(board_objects(&board.partition[0]), 1);
	assert_null(object_find(&command, handle));
	done();
}

/* A board that refuses refuses all, and nothing has changed. */
static void refused_together(void **state)
{
	struct job jobs[OTHERS] = { 0 };
	unsigned int i;
	uint64_t handle;

	(void)state;
	ready();
	board.fail_commit = ENOSPC;
	start(jobs, OTHERS);
	for (i = 0; i < OTHERS; i++)
		pthread_join(jobs[i].thread, NULL);
	for (i = 0; i < OTHERS; i++)
		assert_int_equal(jobs[i].rv, CKR_DEVICE_MEMORY);
	board.fail_commit = 0;
	assert_int_equal(add_one(false, &handle), CKR_OK);
	assert_int_equal(board_objects(&board.partition[0]), 1);
	done();
}

#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(others_share_one_commit),
		READY(each_has_its_own_result),
		READY(quota_holds_within_a_commit),
		READY(one_object_changes_once),
		READY(refused_together),
	};

	return cmocka_run_group_tests_name("commit group", tests, board_prepare, board_finish);
}
