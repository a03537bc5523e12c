// SPDX-License-Identifier: Apache-2.0
/*
 * Who signs for a board in a migration: both signatures are one board's, and the one that the document names. And
 * what evidence says of a partition that came so.
 */
#include "evidence.h"
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

/* ---- evidence ---- */

/* Numbers of three claims about partition @partition of the board that runs; UINT64_MAX: not there */
static void arrival_of(int partition, uint64_t said[3])
{
	static const enum hsm_claim claims[3] = { HSM_CLAIM_ARRIVAL, HSM_CLAIM_COPIES,
						  HSM_CLAIM_ARRIVED };
	struct peer *peer = peer_new(partition);
	struct hsm_writer out = peer_fields(peer);
	struct hsm_evidence evidence;
	struct hsm_cose *message;
	const uint8_t *bytes;
	const char *wrong;
	size_t length;

	hsm_put_u32(&out, HSM_FIELD_KIND, HSM_EVIDENCE_PARTITION);
	assert_int_equal(peer_call(peer, HSM_OP_EVIDENCE, &out), CKR_OK);
	bytes = hsm_fields_bytes(&peer->fields, HSM_FIELD_EVIDENCE, &length);
	assert_int_equal(hsm_cose_read(bytes, length, HSM_EVIDENCE_TYPE, &message), 0);
	bytes = hsm_cose_payload(message, &length);
	assert_int_equal(hsm_evidence_decode(bytes, length, &evidence, &wrong), 0);
	for (int i = 0; i < 3; i++)
		said[i] = evidence.claim[claims[i]].present ? evidence.claim[claims[i]].number
							    : UINT64_MAX;
	hsm_evidence_free(&evidence);
	hsm_cose_free(message);
	peer_free(peer);
}

static void arrives(uint32_t flags, uint64_t copies)
{
	struct doc request, offer;
	struct package package;
	uint64_t said[3];

	board_flags[BOARD_A] = flags;
	use(BOARD_A, 1);
	allow(NULL);
	arrival_of(0, said);
	assert_int_equal(said[0], HSM_MIGRATION_ORIGIN_HERE);
	assert_int_equal(said[1], 0);
	assert_int_equal(said[2], UINT64_MAX);
	step_leave(&request, &offer, &package);
	use(BOARD_B, 1);
	assert_int_equal(step_import(&package, NULL), CKR_OK);
	arrival_of(1, said);
	assert_int_equal(said[0], HSM_MIGRATION_ORIGIN_MOVED);
	assert_int_equal(said[1], copies);
	assert_int_not_equal(said[2], UINT64_MAX);
	package_free(&package);
	doc_free(&request);
	doc_free(&offer);
}

static void evidence_says_that_it_moved(void **state)
{
	(void)state;
	NEED_HYBRID;
	arrives(BOARD_HELLO_ROLLBACK_SAFE, 0);
}

static void evidence_says_that_copies_are_possible(void **state)
{
	(void)state;
	NEED_HYBRID;
	arrives(0, 1);
}

#define BOTH(name) cmocka_unit_test_setup_teardown(name, both_setup, both_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(one_board_signs_twice),
		BOTH(two_boards_sign_once_each),
		BOTH(a_board_that_names_another),
		BOTH(evidence_says_that_it_moved),
		BOTH(evidence_says_that_copies_are_possible),
	};

	return cmocka_run_group_tests_name("migrate_signers", tests, board_prepare, board_finish);
}
