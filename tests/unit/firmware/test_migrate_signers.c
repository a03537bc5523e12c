// SPDX-License-Identifier: Apache-2.0
/*
 * Who signs for a board in a migration: both signatures are one board's, and the one that the document names.
 */
#include "migrate_testing.h"

static CK_RV freezes(const struct doc *offer, const char *why)
{
	struct peer *peer = peer_so(0);
	CK_RV rv = call_doc(peer, HSM_OP_MIGRATE_FREEZE, offer);

	if (why)
		because(peer, why);
	peer_free(peer);
	return rv;
}

static void one_board_signs_twice(void **state)
{
	struct doc request, offer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	step_meet(&request, &offer);
	assert_int_equal(freezes(&offer, NULL), CKR_OK);
	doc_free(&request);
	doc_free(&offer);
}

/* Each of the two chains leads to a root of the policy, and the second one is another board's. */
static void two_boards_sign_once_each(void **state)
{
	struct doc request, offer;

	(void)state;
	NEED_HYBRID;
	test_device_mixed = BOARD_B;
	allow(NULL);
	step_meet(&request, &offer);
	assert_int_equal(freezes(&offer, "different boards"), CKR_SIGNATURE_INVALID);
	assert_int_equal(phase_of(0), HSM_MIGRATION_PHASE_REQUESTED);
	test_device_mixed = 0xff;
	doc_free(&request);
	doc_free(&offer);
}

/* Firmware of B says that it is another board, whose device its certificates do not name. */
static void a_board_that_names_another(void **state)
{
	struct doc request, offer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	request = step_request();
	assert_int_equal(step_create(&request), CKR_OK);
	use(BOARD_B, 1);
	commands_stop();
	board.hello.board_id[0] ^= 0x40;
	assert_int_equal(commands_start(&board.hello), 0);
	assert_int_equal(step_offer(&request, &offer), CKR_OK);
	use(BOARD_A, 1);
	assert_int_equal(freezes(&offer, "names another board"), CKR_SIGNATURE_INVALID);
	doc_free(&request);
	doc_free(&offer);
}

#define BOTH(name) cmocka_unit_test_setup_teardown(name, both_setup, both_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(one_board_signs_twice),
		BOTH(two_boards_sign_once_each),
		BOTH(a_board_that_names_another),
	};

	return cmocka_run_group_tests_name("migrate_signers", tests, board_prepare, board_finish);
}
