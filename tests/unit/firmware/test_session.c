// SPDX-License-Identifier: Apache-2.0
/*
 * Tokens, PINs, sessions and logins, as PKCS#11 wants them, and what a killed process must not give away.
 */
#include "commands_testing.h"

static uint64_t token_flags(struct peer *peer)
{
	assert_int_equal(peer_call(peer, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	return peer_u64(peer, HSM_FIELD_FLAGS);
}

static void init_token_once(void **state)
{
	struct peer *peer = peer_new(0), *other = peer_new(0);

	(void)state;
	assert_false(token_flags(peer) & CKF_TOKEN_INITIALIZED);
	assert_int_equal(peer_token_init(peer, "123"), CKR_PIN_LEN_RANGE);
	assert_int_equal(peer_token_init(peer, SO_PIN), CKR_OK);
	assert_true(token_flags(peer) & CKF_TOKEN_INITIALIZED);
	assert_int_equal(peer_session(other, false), CKR_OK);
	assert_int_equal(peer_token_init(peer, SO_PIN), CKR_SESSION_EXISTS);
	assert_int_equal(peer_call(other, HSM_OP_SESSION_CLOSE, NULL), CKR_OK);
	assert_int_equal(peer_token_init(peer, "wrong pin"), CKR_PIN_INCORRECT);
	assert_true(token_flags(peer) & CKF_SO_PIN_COUNT_LOW);
	assert_int_equal(peer_token_init(peer, SO_PIN), CKR_OK);
	assert_false(token_flags(peer) & CKF_SO_PIN_COUNT_LOW);
	peer_free(peer);
	peer_free(other);
}

static void user_pin_not_initialized(void **state)
{
	struct peer *peer = peer_new(0);

	(void)state;
	assert_int_equal(peer_session(peer, true), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_USER_PIN_NOT_INITIALIZED);
	assert_int_equal(peer_pin_init(peer, USER_PIN), CKR_USER_NOT_LOGGED_IN);
	peer_free(peer);
}

static void login_states(void **state)
{
	struct peer *peer = peer_user(0);
	uint32_t session = peer->session;

	(void)state;
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_USER_ALREADY_LOGGED_IN);
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	assert_int_equal(peer_login(peer, 17, SO_PIN), CKR_USER_TYPE_INVALID);
	assert_int_equal(peer_login(peer, CKU_CONTEXT_SPECIFIC, USER_PIN),
			 CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(peer_session(peer, false), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_INFO, NULL), CKR_OK);
	assert_int_equal(peer_u64(peer, HSM_FIELD_STATE), CKS_RO_USER_FUNCTIONS);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_SESSION_READ_ONLY_EXISTS);
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_CLOSE, NULL), CKR_OK);
	peer->session = session;
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_OK);
	assert_int_equal(peer_session(peer, false), CKR_SESSION_READ_WRITE_SO_EXISTS);
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_INFO, NULL), CKR_OK);
	assert_int_equal(peer_u64(peer, HSM_FIELD_STATE), CKS_RW_SO_FUNCTIONS);
	peer_free(peer);
}

static void login_is_per_client_and_ends_with_sessions(void **state)
{
	struct peer *peer = peer_user(0), *other = peer_new(0);

	(void)state;
	assert_int_equal(peer_session(other, true), CKR_OK);
	assert_int_equal(peer_call(other, HSM_OP_SESSION_INFO, NULL), CKR_OK);
	assert_int_equal(peer_u64(other, HSM_FIELD_STATE), CKS_RW_PUBLIC_SESSION);
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_CLOSE_ALL, NULL), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_INFO, NULL), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(peer_session(peer, true), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_INFO, NULL), CKR_OK);
	assert_int_equal(peer_u64(peer, HSM_FIELD_STATE), CKS_RW_PUBLIC_SESSION);
	peer_free(peer);
	peer_free(other);
}

static void foreign_sessions_are_unknown(void **state)
{
	struct peer *peer = peer_new(0), *other = peer_new(0);

	(void)state;
	assert_int_equal(peer_session(peer, true), CKR_OK);
	other->session = peer->session;
	assert_int_equal(peer_call(other, HSM_OP_SESSION_INFO, NULL), CKR_SESSION_HANDLE_INVALID);
	peer_free(peer);
	peer_free(other);
}

static void sessions_are_counted_and_bounded(void **state)
{
	struct peer *peer = peer_new(0);
	int i;

	(void)state;
	for (i = 0; i < 64; i++)
		assert_int_equal(peer_session(peer, i % 2), CKR_OK);
	assert_int_equal(peer_session(peer, true), CKR_SESSION_COUNT);
	assert_int_equal(peer_call(peer, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	assert_int_equal(peer_u64(peer, HSM_FIELD_SESSIONS), 64);
	assert_int_equal(peer_u64(peer, HSM_FIELD_RW_SESSIONS), 32);
	peer_free(peer);
	peer = peer_new(0);
	assert_int_equal(peer_session(peer, true), CKR_OK);
	peer_free(peer);
}

static void pin_set_changes_the_pin(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_writer out = peer_fields(peer);

	(void)state;
	hsm_put_bytes(&out, HSM_FIELD_PIN, USER_PIN, strlen(USER_PIN));
	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, "another pin", 11);
	assert_int_equal(peer_call(peer, HSM_OP_PIN_SET, &out), CKR_OK);
	peer_free(peer);
	board_restart();
	peer = peer_new(0);
	assert_int_equal(peer_session(peer, true), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_PIN_INCORRECT);
	assert_int_equal(peer_login(peer, CKU_USER, "another pin"), CKR_OK);
	peer_free(peer);
}

static void wrong_pins_lock(void **state)
{
	struct peer *peer = peer_new(0);
	int i;

	(void)state;
	assert_int_equal(peer_session(peer, true), CKR_OK);
	for (i = 0; i < 10; i++) {
		if (i == 9)
			assert_true(token_flags(peer) & CKF_USER_PIN_FINAL_TRY);
		assert_int_equal(peer_login(peer, CKU_USER, "wrong pin"), CKR_PIN_INCORRECT);
		/* Each failure is on disk: a restart forgives nothing. */
		if (i == 4) {
			peer_free(peer);
			board_restart();
			peer = peer_new(0);
			assert_int_equal(peer_session(peer, true), CKR_OK);
		}
		assert_true(token_flags(peer) & CKF_USER_PIN_COUNT_LOW);
	}
	assert_true(token_flags(peer) & CKF_USER_PIN_LOCKED);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_PIN_LOCKED);
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_OK);
	assert_int_equal(peer_pin_init(peer, USER_PIN), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_OK);
	peer_free(peer);
}

static void a_guess_that_cannot_be_counted_is_not_made(void **state)
{
	struct peer *peer = peer_new(0);
	unsigned int advances;

	(void)state;
	assert_int_equal(peer_session(peer, true), CKR_OK);
	board.fail_commit = ENOSPC;
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_DEVICE_MEMORY);
	board.fail_commit = 0;
	advances = board.advances;
	assert_int_equal(peer_login(peer, CKU_USER, "wrong pin"), CKR_PIN_INCORRECT);
	assert_int_equal(board.advances, advances + 1);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_OK);
	peer_free(peer);
}

/* Ten thousand of one application, a place that is free again is found, and the quota is the partition's. */
static void ten_thousand_sessions(void **state)
{
	static uint32_t opened[10000];
	struct peer *peer = peer_new(0), *other = peer_new(0);
	uint32_t i, last = 0;

	(void)state;
	board.partition[0].info.max_sessions = 10000;
	commands_partition_changed(board.partition[0].info.id);
	for (i = 0; i < 10000; i++) {
		assert_int_equal(peer_session(peer, i & 1), CKR_OK);
		opened[i] = peer->session;
	}
	assert_int_equal(peer_session(peer, true), CKR_SESSION_COUNT);
	assert_int_equal(peer_session(other, true), CKR_SESSION_COUNT);
	assert_int_equal(peer_call(peer, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	assert_int_equal(peer_u64(peer, HSM_FIELD_SESSIONS), 10000);
	assert_int_equal(peer_u64(peer, HSM_FIELD_RW_SESSIONS), 5000);
	assert_int_equal(peer_u64(peer, HSM_FIELD_MAX_SESSIONS), 10000);
	assert_int_equal(peer_call(other, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	assert_int_equal(peer_u64(other, HSM_FIELD_SESSIONS), 0);
	for (i = 0; i < 10000; i += 1234) {
		peer->session = opened[i];
		assert_int_equal(peer_call(peer, HSM_OP_SESSION_CLOSE, NULL), CKR_OK);
		assert_int_equal(peer_call(peer, HSM_OP_SESSION_INFO, NULL),
				 CKR_SESSION_HANDLE_INVALID);
		last++;
	}
	for (i = 0; i < last; i++)
		assert_int_equal(peer_session(other, false), CKR_OK);
	assert_int_equal(peer_session(peer, true), CKR_SESSION_COUNT);
	peer_free(other);
	for (i = 0; i < last; i++)
		assert_int_equal(peer_session(peer, true), CKR_OK);
	assert_int_equal(peer_session(peer, true), CKR_SESSION_COUNT);
	for (i = 0; i < 10000; i += 777) {
		peer->session = opened[i];
		assert_int_equal(peer_call(peer, HSM_OP_SESSION_INFO, NULL),
				 i % 1234 ? CKR_OK : CKR_SESSION_HANDLE_INVALID);
	}
	peer_free(peer);
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, board_setup, board_teardown)
#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(init_token_once),
		TEST(user_pin_not_initialized),
		READY(login_states),
		READY(login_is_per_client_and_ends_with_sessions),
		READY(foreign_sessions_are_unknown),
		READY(sessions_are_counted_and_bounded),
		READY(ten_thousand_sessions),
		READY(pin_set_changes_the_pin),
		READY(wrong_pins_lock),
		READY(a_guess_that_cannot_be_counted_is_not_made),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
