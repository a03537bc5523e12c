// SPDX-License-Identifier: Apache-2.0
/*
 * The error state as an application meets it: a failed self-test ends service, says which test it was, and nothing but a
 * new firmware process brings service back.
 */
#include "object_testing.h"
#include "selftest.h"

static void self_test_on_demand(void **state)
{
	struct peer *peer = peer_new(0);

	(void)state;
	assert_int_equal(peer_call(peer, HSM_OP_SELF_TEST, NULL), CKR_OK);
	assert_true(peer_u64(peer, HSM_FIELD_TESTS) >= 17);
	assert_null(hsm_fields_find(&peer->fields, HSM_FIELD_FAILED_TEST));
	assert_int_equal(peer_call(peer, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	assert_false(peer_u64(peer, HSM_FIELD_FLAGS) & CKF_ERROR_STATE);
	peer_free(peer);
}

static void assert_refused(struct peer *peer)
{
	static const uint16_t status[] = {
		HSM_OP_NOP,	      HSM_OP_CHANNEL_CLOSE,	HSM_OP_CHANNEL_OFFER,
		HSM_OP_CHANNEL_TAKE,  HSM_OP_SELF_TEST,		HSM_OP_TOKEN_INFO,
		HSM_OP_SESSION_CLOSE, HSM_OP_SESSION_CLOSE_ALL, HSM_OP_LOGOUT,
		HSM_OP_DEVICE_STATUS, HSM_OP_DEVICE_CONDITION,	HSM_OP_FIRMWARE_STATUS,
	};
	const struct hsm_operation_info *info;
	unsigned int refused = 0;

	for (size_t i = 0; (info = hsm_operation_at(i)); i++) {
		struct hsm_writer out = peer_fields(peer);
		bool answers = false;
		CK_RV rv;

		for (size_t j = 0; j < sizeof(status) / sizeof(status[0]); j++)
			answers = answers || info->code == status[j];
		if (answers || !command_row_find(info->code))
			continue;
		/* With no field at all most are refused for that; the others show the state. */
		rv = peer_call(peer, info->code, &out);
		if (rv != CKR_GENERAL_ERROR && rv != CKR_ARGUMENTS_BAD)
			fail_msg("%s answers 0x%lx", info->name, (unsigned long)rv);
		refused += rv == CKR_GENERAL_ERROR;
	}
	assert_true(refused >= 8);
}

static void a_failed_test_ends_service(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle;
	const uint8_t *name;
	size_t length;

	(void)state;
	assert_int_equal(selftest_fail("a test of tests"), CKR_FIPS_SELF_TEST_FAILED);
	assert_refused(peer);
	assert_int_equal(generate_aes(peer, A_LIST(A_NUMBER(CKA_VALUE_LEN, 32)), &handle),
			 CKR_GENERAL_ERROR);
	assert_int_equal(peer_call(peer, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	assert_true(peer_u64(peer, HSM_FIELD_FLAGS) & CKF_ERROR_STATE);
	assert_int_equal(peer_call(peer, HSM_OP_SELF_TEST, NULL), CKR_FIPS_SELF_TEST_FAILED);
	name = hsm_fields_bytes(&peer->fields, HSM_FIELD_FAILED_TEST, &length);
	assert_int_equal(length, strlen("a test of tests"));
	assert_memory_equal(name, "a test of tests", length);
	/* Asking again heals nothing. */
	assert_int_equal(peer_call(peer, HSM_OP_SELF_TEST, NULL), CKR_FIPS_SELF_TEST_FAILED);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_CLOSE_ALL, NULL), CKR_OK);
	peer_free(peer);
	board_restart();
	peer = peer_user(0);
	assert_int_equal(generate_aes(peer, A_LIST(A_NUMBER(CKA_VALUE_LEN, 32)), &handle), CKR_OK);
	peer_free(peer);
}

/* Outside of approved mode no response claims an approved service. */
static void no_indicator_outside_of_approved_mode(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle;

	(void)state;
	assert_int_equal(generate_aes(peer, A_LIST(A_NUMBER(CKA_VALUE_LEN, 32)), &handle), CKR_OK);
	assert_int_equal(hsm_get_le16(peer->response + 24 + 2), 0);
	peer_free(peer);
}

#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(self_test_on_demand),
		READY(a_failed_test_ends_service),
		READY(no_indicator_outside_of_approved_mode),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
