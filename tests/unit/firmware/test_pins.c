// SPDX-License-Identifier: Apache-2.0
/*
 * Rules for PINs at the device command: length, history, expiry, lockout, the delay that grows; and that each counter is on
 * disk before an answer leaves, whatever instant the machine stops at.
 */
#include "commands_testing.h"

static struct peer *peer_open(void)
{
	struct peer *peer = peer_new(0);

	assert_int_equal(peer_session(peer, true), CKR_OK);
	return peer;
}

static CK_RV set_pin(struct peer *peer, const char *pin, const char *new_pin)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_PIN, pin, strlen(pin));
	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, new_pin, strlen(new_pin));
	return peer_call(peer, HSM_OP_PIN_SET, &out);
}

static CK_RV log_out(struct peer *peer)
{
	return peer_call(peer, HSM_OP_LOGOUT, NULL);
}

static CK_RV try_once(struct peer *peer, const char *pin)
{
	CK_RV rv = peer_login(peer, CKU_USER, pin);

	if (rv == CKR_OK)
		assert_int_equal(log_out(peer), CKR_OK);
	return rv;
}

static uint64_t token_flags(struct peer *peer)
{
	assert_int_equal(peer_call(peer, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	return peer_u64(peer, HSM_FIELD_FLAGS);
}

#define USER_FLAGS                                                               \
	(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED | \
	 CKF_USER_PIN_TO_BE_CHANGED)

static void lengths_are_the_policy_s(void **state)
{
	struct peer *peer = peer_open();
	struct hsm_writer out;
	uint8_t bytes[64];

	(void)state;
	hsm_writer_init(&out, bytes, sizeof(bytes));
	hsm_put_u64(&out, HSM_FIELD_MIN, 8);
	hsm_put_u64(&out, HSM_FIELD_MAX, 12);
	board_set_policy(0, &out);
	assert_int_equal(set_pin(peer, USER_PIN, "1234567"), CKR_PIN_LEN_RANGE);
	assert_int_equal(set_pin(peer, USER_PIN, "1234567890abc"), CKR_PIN_LEN_RANGE);
	assert_int_equal(set_pin(peer, USER_PIN, "1234567890ab"), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	assert_int_equal(peer_u64(peer, HSM_FIELD_MIN), 8);
	assert_int_equal(peer_u64(peer, HSM_FIELD_MAX), 12);
	/* A PIN that was set before is good as it is. */
	board_set_value(0, HSM_POLICY_PIN_MIN, 20);
	assert_int_equal(try_once(peer, "1234567890ab"), CKR_OK);
	peer_free(peer);
}

static void the_last_pins_are_not_taken_again(void **state)
{
	struct peer *peer = peer_open();

	(void)state;
	assert_int_equal(set_pin(peer, USER_PIN, USER_PIN), CKR_OK);
	board_set_value(0, HSM_POLICY_PIN_HISTORY, 3);
	/* also the one that was set before there was a history */
	assert_int_equal(set_pin(peer, USER_PIN, USER_PIN), CKR_PIN_INVALID);
	assert_int_equal(set_pin(peer, USER_PIN, "first"), CKR_OK);
	assert_int_equal(set_pin(peer, "first", "first"), CKR_PIN_INVALID);
	assert_int_equal(set_pin(peer, "first", "second"), CKR_OK);
	assert_int_equal(set_pin(peer, "second", "third"), CKR_OK);
	board_restart();
	peer_free(peer);
	peer = peer_open();
	assert_int_equal(set_pin(peer, "third", "first"), CKR_PIN_INVALID);
	assert_int_equal(set_pin(peer, "third", "second"), CKR_PIN_INVALID);
	assert_int_equal(set_pin(peer, "third", "fourth"), CKR_OK);
	assert_int_equal(set_pin(peer, "fourth", "first"), CKR_OK);
	assert_int_equal(log_out(peer), CKR_USER_NOT_LOGGED_IN);
	/* The SO cannot give it back either. */
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_OK);
	assert_int_equal(peer_pin_init(peer, "fourth"), CKR_PIN_INVALID);
	assert_int_equal(peer_pin_init(peer, "second"), CKR_OK);
	peer_free(peer);
}

static void an_expired_pin_can_only_be_changed(void **state)
{
	struct peer *peer = peer_open();

	(void)state;
	board_set_value(0, HSM_POLICY_PIN_DAYS, 30);
	assert_int_equal(try_once(peer, USER_PIN), CKR_OK);
	assert_int_equal(token_flags(peer) & USER_FLAGS, 0);
	test_time += 31 * 86400000ULL;
	assert_int_equal(token_flags(peer) & USER_FLAGS, CKF_USER_PIN_TO_BE_CHANGED);
	assert_int_equal(try_once(peer, "wrong"), CKR_PIN_INCORRECT);
	assert_int_equal(try_once(peer, USER_PIN), CKR_PIN_EXPIRED);
	assert_int_equal(log_out(peer), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_PIN_EXPIRED);
	assert_int_equal(set_pin(peer, USER_PIN, "another"), CKR_OK);
	assert_int_equal(try_once(peer, "another"), CKR_OK);
	assert_int_equal(token_flags(peer) & USER_FLAGS, 0);
	peer_free(peer);
}

static void an_expired_so_pin_too(void **state)
{
	struct peer *peer = peer_open();
	struct hsm_writer out = peer_fields(peer);

	(void)state;
	board_set_value(0, HSM_POLICY_PIN_DAYS, 30);
	test_time += 31 * 86400000ULL;
	hsm_put_u64(&out, HSM_FIELD_USER, CKU_SO);
	hsm_put_bytes(&out, HSM_FIELD_PIN, SO_PIN, strlen(SO_PIN));
	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, "so another", 10);
	assert_int_equal(peer_call(peer, HSM_OP_PIN_SET, &out), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_SO, "so another"), CKR_OK);
	peer_free(peer);
}

/* Flags that tell how many tries are left, for the user and shifted for the SO */
static void tries_end_where_the_policy_says(void **state)
{
	struct peer *peer = peer_open();

	(void)state;
	board_set_value(0, HSM_POLICY_PIN_TRIES, 3);
	assert_int_equal(token_flags(peer) & USER_FLAGS, 0);
	assert_int_equal(try_once(peer, "wrong"), CKR_PIN_INCORRECT);
	assert_int_equal(token_flags(peer) & USER_FLAGS, CKF_USER_PIN_COUNT_LOW);
	assert_int_equal(try_once(peer, "wrong"), CKR_PIN_INCORRECT);
	assert_int_equal(token_flags(peer) & USER_FLAGS,
			 CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY);
	assert_int_equal(try_once(peer, "wrong"), CKR_PIN_INCORRECT);
	assert_int_equal(token_flags(peer) & USER_FLAGS,
			 CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_LOCKED);
	assert_int_equal(try_once(peer, USER_PIN), CKR_PIN_LOCKED);
	assert_null(hsm_fields_find(&peer->fields, HSM_FIELD_RETRY_AFTER));
	assert_int_equal(set_pin(peer, USER_PIN, "another"), CKR_PIN_LOCKED);
	/* The SO unlocks it with a new one, and has tries of its own. */
	assert_int_equal(peer_login(peer, CKU_SO, "wrong"), CKR_PIN_INCORRECT);
	assert_true(token_flags(peer) & CKF_SO_PIN_COUNT_LOW);
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_OK);
	assert_false(token_flags(peer) & CKF_SO_PIN_COUNT_LOW);
	assert_int_equal(peer_pin_init(peer, "another"), CKR_OK);
	assert_int_equal(log_out(peer), CKR_OK);
	assert_int_equal(try_once(peer, "another"), CKR_OK);
	peer_free(peer);
}

static void nobody_unlocks_the_so(void **state)
{
	struct peer *peer = peer_open();
	int i;

	(void)state;
	board_set_value(0, HSM_POLICY_PIN_TRIES, 2);
	for (i = 0; i < 2; i++)
		assert_int_equal(peer_login(peer, CKU_SO, "wrong"), CKR_PIN_INCORRECT);
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_PIN_LOCKED);
	assert_true(token_flags(peer) & CKF_SO_PIN_LOCKED);
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_CLOSE_ALL, NULL), CKR_OK);
	assert_int_equal(peer_token_init(peer, SO_PIN), CKR_PIN_LOCKED);
	board_restart();
	peer_free(peer);
	peer = peer_open();
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_PIN_LOCKED);
	assert_int_equal(try_once(peer, USER_PIN), CKR_OK);
	peer_free(peer);
}

static void wait_and_fail(struct peer *peer, uint64_t wait)
{
	unsigned int commits = board.commits;

	assert_int_equal(try_once(peer, USER_PIN), CKR_PIN_LOCKED);
	assert_int_equal(peer_u64(peer, HSM_FIELD_RETRY_AFTER), wait);
	assert_int_equal(board.commits, commits); /* it was not a try */
	test_time += wait;
	assert_int_equal(try_once(peer, "wrong"), CKR_PIN_INCORRECT);
}

static void the_delay_grows(void **state)
{
	struct peer *peer = peer_open();

	(void)state;
	board_set_value(0, HSM_POLICY_PIN_DELAY, 5);
	assert_int_equal(try_once(peer, "wrong"), CKR_PIN_INCORRECT);
	assert_int_equal(try_once(peer, "wrong"), CKR_PIN_INCORRECT);
	wait_and_fail(peer, 5000);
	wait_and_fail(peer, 10000);
	wait_and_fail(peer, 20000);
	assert_int_equal(try_once(peer, USER_PIN), CKR_PIN_LOCKED);
	/* Others are not held up, and a right one ends it. */
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_OK);
	assert_int_equal(log_out(peer), CKR_OK);
	test_time += 40000;
	assert_int_equal(try_once(peer, USER_PIN), CKR_OK);
	assert_int_equal(try_once(peer, "wrong"), CKR_PIN_INCORRECT);
	assert_int_equal(try_once(peer, USER_PIN), CKR_OK);
	peer_free(peer);
}

/* A restart does not shorten it; a clock that was set back begins it anew, and no more. */
static void the_delay_outlives_a_restart(void **state)
{
	struct peer *peer = peer_open();

	(void)state;
	board_set_value(0, HSM_POLICY_PIN_DELAY, 100);
	assert_int_equal(try_once(peer, "wrong"), CKR_PIN_INCORRECT);
	assert_int_equal(try_once(peer, "wrong"), CKR_PIN_INCORRECT);
	test_time += 60000;
	board_restart();
	peer_free(peer);
	peer = peer_open();
	assert_int_equal(try_once(peer, USER_PIN), CKR_PIN_LOCKED);
	assert_int_equal(peer_u64(peer, HSM_FIELD_RETRY_AFTER), 40000);
	test_time -= 1000000;
	board_restart();
	peer_free(peer);
	peer = peer_open();
	assert_int_equal(try_once(peer, USER_PIN), CKR_PIN_LOCKED);
	assert_int_equal(peer_u64(peer, HSM_FIELD_RETRY_AFTER), 100000);
	test_time += 100000;
	assert_int_equal(try_once(peer, USER_PIN), CKR_OK);
	peer_free(peer);
}

static void the_delay_has_an_end(void **state)
{
	struct peer *peer = peer_open();
	struct hsm_writer out;
	uint8_t bytes[64];
	int i;

	(void)state;
	hsm_writer_init(&out, bytes, sizeof(bytes));
	hsm_put_u32(&out, HSM_FIELD_PIN_DELAY, 3000);
	hsm_put_u32(&out, HSM_FIELD_PIN_TRIES, 100);
	board_set_policy(0, &out);
	for (i = 0; i < 6; i++) {
		assert_int_equal(try_once(peer, "wrong"), CKR_PIN_INCORRECT);
		test_time += i ? 3600000 : 0;
	}
	assert_int_equal(try_once(peer, USER_PIN), CKR_OK);
	peer_free(peer);
}

/* ---- the machine stops ---- */

/* What is on disk at each commit of a wrong try, and after the power has gone at that instant */
static struct test_partition at_commit;
static int wait_for;

static void power_fails(void)
{
	if (wait_for-- > 0)
		board.during_commit = power_fails;
	else
		board.fail_commit = EIO;
}

static unsigned int tries_left(void)
{
	struct peer *peer = peer_open();
	unsigned int n = 0;

	while (n < 20 && try_once(peer, "wrong") == CKR_PIN_INCORRECT)
		n++;
	peer_free(peer);
	return n;
}

/*
 * The power goes before or after the failure is on disk, and after each number of wrong tries. There is never an answer for
 * a try that the counter does not know.
 */
static void a_power_cut_gives_no_try(void **state)
{
	unsigned int answered, tries = 4;
	struct peer *peer;
	int step;

	(void)state;
	board_set_value(0, HSM_POLICY_PIN_TRIES, tries);
	for (step = 0; step < 4; step++) {
		partition_copy(&at_commit, &board.partition[0]);
		peer = peer_open();
		wait_for = step;
		board.during_commit = power_fails;
		for (answered = 0; try_once(peer, "wrong") == CKR_PIN_INCORRECT; answered++)
			;
		board.during_commit = NULL;
		board.fail_commit = 0;
		assert_int_equal(answered, step);
		peer_free(peer);
		board_restart();
		assert_int_equal(tries_left(), tries - answered);
		/* back to a partition with all tries */
		partition_copy(&board.partition[0], &at_commit);
		board_restart();
	}
	partition_empty(&at_commit);
}

/* A right PIN whose forgiving is lost costs a try, and opens nothing. */
static void a_lost_pardon_is_a_failure(void **state)
{
	struct peer *peer = peer_open();

	(void)state;
	wait_for = 1;
	board.during_commit = power_fails;
	assert_int_not_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(log_out(peer), CKR_USER_NOT_LOGGED_IN);
	board.during_commit = NULL;
	board.fail_commit = 0;
	peer_free(peer);
	board_restart();
	peer = peer_open();
	assert_int_equal(token_flags(peer) & USER_FLAGS, CKF_USER_PIN_COUNT_LOW);
	assert_int_equal(try_once(peer, USER_PIN), CKR_OK);
	assert_int_equal(token_flags(peer) & USER_FLAGS, 0);
	peer_free(peer);
}

/* A change of a PIN is whole or has not been. */
static void a_change_is_whole(void **state)
{
	struct peer *peer;
	int step;

	(void)state;
	for (step = 0; step < 3; step++) {
		peer = peer_open();
		wait_for = step;
		board.during_commit = power_fails;
		assert_int_not_equal(set_pin(peer, USER_PIN, "another"), CKR_OK);
		board.during_commit = NULL;
		board.fail_commit = 0;
		peer_free(peer);
		board_restart();
		peer = peer_open();
		assert_int_equal(try_once(peer, USER_PIN), CKR_OK);
		assert_int_equal(try_once(peer, "another"), CKR_PIN_INCORRECT);
		assert_int_equal(try_once(peer, USER_PIN), CKR_OK);
		peer_free(peer);
	}
}

#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(lengths_are_the_policy_s),
		READY(the_last_pins_are_not_taken_again),
		READY(an_expired_pin_can_only_be_changed),
		READY(an_expired_so_pin_too),
		READY(tries_end_where_the_policy_says),
		READY(nobody_unlocks_the_so),
		READY(the_delay_grows),
		READY(the_delay_outlives_a_restart),
		READY(the_delay_has_an_end),
		READY(a_power_cut_gives_no_try),
		READY(a_lost_pardon_is_a_failure),
		READY(a_change_is_whole),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
