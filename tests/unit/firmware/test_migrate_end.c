// SPDX-License-Identifier: Apache-2.0
/*
 * The end of a move: what the source believes of the target, what a power cut leaves, and what is left of an export.
 */
#include "migrate_testing.h"

/* ---- the end at the source ---- */

/* A receipt for this partition and offer, signed by whatever board runs now */
static struct doc forge(enum hsm_migration_kind kind, const struct doc *offer)
{
	struct hsm_migration_document fields, made = { 0 };
	struct partition *partition = partition_find(board_ready[0].info.id);
	uint8_t hash[HSM_MIGRATION_HASH], *payload;
	struct hsm_cose *message = doc_read(offer, HSM_MIGRATION_OFFER, &fields, hash);
	struct doc doc;
	size_t length;

	assert_non_null(partition);
	memcpy(made.offer, hash, sizeof(made.offer));
	assert_int_equal(migrate_payload(partition, kind, &made, &payload, &length, NULL), CKR_OK);
	assert_int_equal(migrate_sign(partition, kind, payload, length, &doc.data, &doc.length),
			 CKR_OK);
	free(payload);
	partition_put(partition);
	hsm_migration_free(&fields);
	hsm_cose_free(message);
	return doc;
}

static void receipts_that_are_none(void **state)
{
	struct doc request, offer, receipt, forged;
	struct package package;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	step_meet(&request, &offer);
	/* Before it is frozen there is nothing to receive. */
	forged = forge(HSM_MIGRATION_RECEIPT, &offer);
	assert_int_equal(finish_with(&forged, "not been frozen"), CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(step_freeze(&offer), CKR_OK);
	assert_int_equal(step_export(&package), CKR_OK);
	/* The source itself has signed it. */
	assert_int_equal(finish_with(&forged, "another board"), CKR_SIGNATURE_INVALID);
	doc_free(&forged);
	/* The target has, but about something else, or says something else. */
	assert_int_equal(finish_with(&offer, NULL), CKR_DATA_INVALID);
	use(BOARD_B, 1);
	forged = forge(HSM_MIGRATION_RECEIPT, &offer);
	assert_int_equal(step_import(&package, &receipt), CKR_OK);
	use(BOARD_A, 1);
	forged.data[forged.length / 2] ^= 1;
	assert_int_not_equal(finish_with(&forged, NULL), CKR_OK);
	assert_true(board.partition[0].exists);
	assert_int_equal(finish_with(&receipt, NULL), CKR_OK);
	assert_false(board.partition[0].exists);
	doc_free(&request);
	doc_free(&offer);
	doc_free(&receipt);
	doc_free(&forged);
	package_free(&package);
}

static void taken_back_only_when_the_target_has_abandoned_it(void **state)
{
	struct doc request, offer, statement, forged;
	struct package package;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	fill();
	step_leave(&request, &offer, &package);
	peer = peer_new(0);
	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_RESUME, NULL), CKR_DATA_INVALID);
	forged = forge(HSM_MIGRATION_ABANDONED, &offer);
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_RESUME, &forged), CKR_SIGNATURE_INVALID);
	peer_free(peer);
	use(BOARD_B, 1);
	peer = peer_new(1);
	assert_int_equal(peer_call(peer, HSM_OP_IMPORT_ABANDON, NULL), CKR_OK);
	statement = doc_of(peer);
	peer_free(peer);
	/* The key is gone, and so is the partition; what it has left is the board's. */
	assert_false(board.partition[1].exists);
	assert_memory_equal(board.receipt, statement.data, statement.length);
	use(BOARD_A, 1);
	peer = peer_new(0);
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_FINISH, &statement), CKR_DATA_INVALID);
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_RESUME, &statement), CKR_OK);
	peer_free(peer);
	assert_int_equal(phase_of(0), HSM_MIGRATION_PHASE_NONE);
	arrived(0);
	board_restart();
	/* Once is enough, and an export of before is good for nothing. */
	peer = peer_new(0);
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_RESUME, &statement),
			 CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_EXPORT, NULL),
			 CKR_OPERATION_NOT_INITIALIZED);
	peer_free(peer);
	doc_free(&request);
	doc_free(&offer);
	doc_free(&statement);
	doc_free(&forged);
	package_free(&package);
}

/* On the right board, but not the firmware that the partition was frozen for: then what that says is not believed. */
static void assert_not_believed(enum hsm_migration_kind kind, unsigned int operation)
{
	struct doc request, offer, forged;
	struct package package;
	struct peer *peer;

	test_tcb.security_version = 4;
	allow(more_version);
	step_leave(&request, &offer, &package);
	test_tcb.security_version = 3;
	use(BOARD_B, 1);
	forged = forge(kind, &offer);
	test_tcb.security_version = 4;
	use(BOARD_A, 1);
	peer = peer_new(0);
	assert_int_equal(call_doc(peer, operation, &forged), CKR_SIGNATURE_INVALID);
	because(peer, "security version 3");
	peer_free(peer);
	assert_int_equal(phase_of(0), HSM_MIGRATION_PHASE_FROZEN);
	assert_true(board.partition[0].exists);
	/* The same by firmware that the policy takes is. */
	use(BOARD_B, 1);
	doc_free(&forged);
	forged = forge(kind, &offer);
	use(BOARD_A, 1);
	peer = peer_new(0);
	assert_int_equal(call_doc(peer, operation, &forged), CKR_OK);
	peer_free(peer);
	doc_free(&request);
	doc_free(&offer);
	doc_free(&forged);
	package_free(&package);
}

static void firmware_below_the_policy_abandons_nothing(void **state)
{
	(void)state;
	NEED_HYBRID;
	assert_not_believed(HSM_MIGRATION_ABANDONED, HSM_OP_MIGRATE_RESUME);
}

static void firmware_below_the_policy_receives_nothing(void **state)
{
	(void)state;
	NEED_HYBRID;
	assert_not_believed(HSM_MIGRATION_RECEIPT, HSM_OP_MIGRATE_FINISH);
}

static void a_request_is_taken_back_by_the_so(void **state)
{
	struct doc request;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	request = step_request();
	peer = peer_new(0);
	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_RESUME, NULL), CKR_USER_NOT_LOGGED_IN);
	peer_free(peer);
	peer = peer_so(0);
	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_RESUME, NULL), CKR_OK);
	peer_free(peer);
	assert_int_equal(phase_of(0), HSM_MIGRATION_PHASE_NONE);
	doc_free(&request);
}

/* A power cut before the board has retired it: it is frozen as before, and the receipt is as good as before. */
static void cut_before_the_board_has_done_it(void **state)
{
	struct doc request, offer, receipt;
	struct package package;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	step_leave(&request, &offer, &package);
	use(BOARD_B, 1);
	assert_int_equal(step_import(&package, &receipt), CKR_OK);
	use(BOARD_A, 1);
	board.fail_retire = EIO;
	assert_int_not_equal(finish_with(&receipt, NULL), CKR_OK);
	board.fail_retire = 0;
	board_restart();
	assert_int_equal(phase_of(0), HSM_MIGRATION_PHASE_FROZEN);
	assert_int_equal(finish_with(&receipt, NULL), CKR_OK);
	assert_int_equal(board.retired, HSM_AUDIT_MIGRATED_OUT);
	doc_free(&request);
	doc_free(&offer);
	doc_free(&receipt);
	package_free(&package);
}

/* The same on the target's side: without the board there is no statement, and the import can still come to its end. */
static void cut_before_it_is_abandoned(void **state)
{
	struct doc request, offer, receipt;
	struct package package;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	fill();
	step_leave(&request, &offer, &package);
	use(BOARD_B, 1);
	board.fail_retire = EIO;
	peer = peer_new(1);
	assert_int_not_equal(peer_call(peer, HSM_OP_IMPORT_ABANDON, NULL), CKR_OK);
	assert_null(hsm_fields_find(&peer->fields, HSM_FIELD_DOCUMENT));
	peer_free(peer);
	board.fail_retire = 0;
	board_restart();
	assert_int_equal(phase_of(1), HSM_MIGRATION_PHASE_IMPORTING);
	assert_int_equal(step_import(&package, &receipt), CKR_OK);
	arrived(1);
	doc_free(&request);
	doc_free(&offer);
	doc_free(&receipt);
	package_free(&package);
}

/* The partition as the firmware has it */
static struct partition *board_partition(int i)
{
	struct partition *partition = partition_find(board.partition[i].info.id);

	assert_non_null(partition);
	partition_put(partition);
	return partition;
}

/* ---- an export's end ---- */

static CK_RV next_chunk(struct peer *peer, uint64_t number)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_CHUNK, number);
	return peer_call(peer, HSM_OP_MIGRATE_EXPORT, &out);
}

/* Keys of an export stay no longer than who reads it does. */
static void an_export_ends(void **state)
{
	struct doc request, offer;
	struct peer *reader, *other;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	fill();
	step_meet(&request, &offer);
	assert_int_equal(step_freeze(&offer), CKR_OK);
	reader = peer_new(0);
	other = peer_new(0);
	assert_int_equal(peer_call(reader, HSM_OP_MIGRATE_EXPORT, NULL), CKR_OK);
	assert_int_equal(next_chunk(reader, 0), CKR_OK);
	/* It is not another one's to read, and a wrong number ends nothing. */
	assert_int_equal(next_chunk(other, 1), CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(next_chunk(reader, 0), CKR_ARGUMENTS_BAD);
	test_time += 10 * 60 * 1000;
	assert_int_equal(next_chunk(reader, 1), CKR_OK);
	test_time += 10 * 60 * 1000 + 1;
	assert_int_equal(next_chunk(reader, 2), CKR_OPERATION_NOT_INITIALIZED);
	assert_null(board_partition(0)->export);
	/* Its reader goes. */
	assert_int_equal(peer_call(reader, HSM_OP_MIGRATE_EXPORT, NULL), CKR_OK);
	assert_non_null(board_partition(0)->export);
	peer_free(other);
	assert_non_null(board_partition(0)->export);
	peer_free(reader);
	assert_null(board_partition(0)->export);
	/* The last chunk */
	reader = peer_new(0);
	assert_int_equal(peer_call(reader, HSM_OP_MIGRATE_EXPORT, NULL), CKR_OK);
	for (uint64_t i = 0; board_partition(0)->export; i++)
		assert_int_equal(next_chunk(reader, i), CKR_OK);
	peer_free(reader);
	doc_free(&request);
	doc_free(&offer);
}

/* ---- certificates beside the offer's ---- */

static void certificates_that_are_none_are_refused(void **state)
{
	struct doc request, offer;
	struct hsm_writer out;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	step_meet(&request, &offer);
	peer = peer_so(0);
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_DOCUMENT, offer.data, offer.length);
	hsm_put_bytes(&out, HSM_FIELD_MORE_CERTIFICATES, "rubbish", 7);
	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_FREEZE, &out), CKR_DATA_INVALID);
	because(peer, "certificate 1 is none");
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_FREEZE, &offer), CKR_OK);
	peer_free(peer);
	doc_free(&request);
	doc_free(&offer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(receipts_that_are_none),
		BOTH(taken_back_only_when_the_target_has_abandoned_it),
		BOTH(firmware_below_the_policy_abandons_nothing),
		BOTH(firmware_below_the_policy_receives_nothing),
		BOTH(a_request_is_taken_back_by_the_so),
		BOTH(cut_before_the_board_has_done_it),
		BOTH(cut_before_it_is_abandoned),
		BOTH(an_export_ends),
		BOTH(certificates_that_are_none_are_refused),
	};

	return cmocka_run_group_tests_name("migrate_end", tests, board_prepare, board_finish);
}
