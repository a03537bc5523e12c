// SPDX-License-Identifier: Apache-2.0
/*
 * Consent that officers gave over function 0: it is for one partition and one request, once, for its time, and
 * nobody but function 0 gives it.
 */
#include "fixture.h"
#include "function.h"

static struct board_grant make(uint8_t partition, uint32_t number, uint32_t seconds)
{
	struct board_grant grant = { .seconds = seconds };

	memset(grant.partition, partition, sizeof(grant.partition));
	memcpy(grant.digest, &number, sizeof(number));
	return grant;
}

static int add(struct grants *grants, uint8_t partition, uint32_t number, uint32_t seconds)
{
	const struct board_grant grant = make(partition, number, seconds);

	return grant_add(grants, &grant);
}

static int take(struct grants *grants, uint8_t partition, uint32_t number)
{
	const struct board_grant grant = make(partition, number, 0);

	return grant_take(grants, &grant);
}

static void test_once(void **test)
{
	struct grants grants = { .lock = PTHREAD_MUTEX_INITIALIZER };

	(void)test;
	assert_int_equal(take(&grants, 1, 1), -ENOENT);
	assert_int_equal(add(&grants, 1, 1, 600), 0);
	assert_int_equal(take(&grants, 2, 1), -ENOENT);
	assert_int_equal(take(&grants, 1, 2), -ENOENT);
	assert_int_equal(take(&grants, 1, 1), 0);
	assert_int_equal(take(&grants, 1, 1), -ENOENT);
	/* Given twice it is there twice. */
	assert_int_equal(add(&grants, 1, 1, 600), 0);
	assert_int_equal(add(&grants, 1, 1, 600), 0);
	assert_int_equal(take(&grants, 1, 1), 0);
	assert_int_equal(take(&grants, 1, 1), 0);
	assert_int_equal(take(&grants, 1, 1), -ENOENT);
}

static void test_time(void **test)
{
	struct grants grants = { .lock = PTHREAD_MUTEX_INITIALIZER };

	(void)test;
	assert_int_equal(add(&grants, 1, 1, 0), -EINVAL);
	assert_int_equal(add(&grants, 1, 1, BOARD_GRANT_SECONDS_MAX + 1), -EINVAL);
	assert_int_equal(add(&grants, 1, 1, BOARD_GRANT_SECONDS_MAX), 0);
	assert_int_equal(add(&grants, 1, 2, 600), 0);
	/* As if its time were over */
	grants.ends[0] = 0;
	assert_int_equal(take(&grants, 1, 1), -ENOENT);
	assert_int_equal(grants.count, 1);
	assert_int_equal(take(&grants, 1, 2), 0);
}

/* The oldest goes when there is no room. */
static void test_room(void **test)
{
	struct grants grants = { .lock = PTHREAD_MUTEX_INITIALIZER };
	uint32_t i;

	(void)test;
	for (i = 0; i <= BOARD_GRANTS_MAX; i++)
		assert_int_equal(add(&grants, 1, i, 600), 0);
	assert_int_equal(grants.count, BOARD_GRANTS_MAX);
	assert_int_equal(take(&grants, 1, 0), -ENOENT);
	for (i = 1; i <= BOARD_GRANTS_MAX; i++)
		assert_int_equal(take(&grants, 1, i), 0);
	assert_int_equal(grants.count, 0);
}

static int ask(struct board *board, uint32_t function, uint32_t type,
	       const struct board_grant *grant)
{
	static uint8_t request[1024], reply[BOARD_MESSAGE_MAX];
	struct board_message head = { .type = type, .length = sizeof(*grant) };

	memcpy(request, &head, sizeof(head));
	memcpy(request + sizeof(head), grant, sizeof(*grant));
	assert_true(storage_handle(board, function, request, sizeof(head) + sizeof(*grant),
				   reply) >= (ssize_t)sizeof(head));
	memcpy(&head, reply, sizeof(head));
	return head.status;
}

static void test_functions(void **test)
{
	struct fixture *f = *test;
	struct board_options options = { .functions = 3 };
	struct board board = { .options = &options };
	struct board_grant grant = make(0, 7, 600);

	assert_int_equal(fixture_open(f), 0);
	board.state = f->state;
	fixture_id(f, 1, grant.partition);
	assert_int_equal(ask(&board, 1, BOARD_GRANT, &grant), -EACCES);
	assert_int_equal(ask(&board, 0, BOARD_GRANT, &grant), 0);
	/* Only the function that has the partition has the consent. */
	assert_int_equal(ask(&board, 2, BOARD_GRANT_TAKE, &grant), -ENOENT);
	assert_int_equal(ask(&board, 0, BOARD_GRANT_TAKE, &grant), -ENOENT);
	assert_int_equal(ask(&board, 1, BOARD_GRANT_TAKE, &grant), 0);
	assert_int_equal(ask(&board, 1, BOARD_GRANT_TAKE, &grant), -ENOENT);
	/* An update is for function 0 to ask for, which holds the officers' approvals against their quorum. */
	assert_int_equal(ask(&board, 1, BOARD_ACTIVATE, &grant), -EACCES);
	assert_int_equal(ask(&board, 1, BOARD_MINIMUM, &grant), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_room),
		cmocka_unit_test_setup_teardown(test_functions, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
