// SPDX-License-Identifier: Apache-2.0
/*
 * Moving a partition from one board to another: all of it arrives, at no moment do both serve it, whatever
 * is cut, repeated or forged on the way.
 */
#include "migrate_testing.h"

/* ---- what moves ---- */

static void all_of_it_moves(void **state)
{
	struct doc request, offer, receipt;
	struct package package;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	fill();
	/* A wrong PIN is a wrong PIN wherever the partition is. */
	peer = peer_new(0);
	assert_int_equal(peer_session(peer, true), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_USER, "wrong one"), CKR_PIN_INCORRECT);
	peer_free(peer);
	step_leave(&request, &offer, &package);
	assert_true(package.count > 4);
	use(BOARD_B, 1);
	assert_int_equal(step_import(&package, &receipt), CKR_OK);
	assert_int_equal(phase_of(1), HSM_MIGRATION_PHASE_IMPORTED);
	peer = peer_new(1);
	assert_int_equal(peer_call(peer, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	assert_int_equal(peer_u64(peer, HSM_FIELD_FLAGS) & CKF_USER_PIN_COUNT_LOW,
			 CKF_USER_PIN_COUNT_LOW);
	peer_free(peer);
	arrived(1);
	board_restart();
	arrived(1);

	use(BOARD_A, 1);
	peer = peer_new(0);
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_FINISH, &receipt), CKR_OK);
	peer_free(peer);
	assert_false(board.partition[0].exists);
	assert_int_equal(board.receipt_length, receipt.length);
	assert_memory_equal(board.receipt, receipt.data, receipt.length);
	doc_free(&request);
	doc_free(&offer);
	doc_free(&receipt);
	package_free(&package);
}

/* ---- frozen ---- */

static void frozen_it_serves_nothing(void **state)
{
	static const unsigned int refused[] = { HSM_OP_SESSION_CANCEL, HSM_OP_OBJECT_DESTROY,
						HSM_OP_FIND_FINAL,     HSM_OP_POLICY,
						HSM_OP_USER_LIST,      HSM_OP_MECHANISM_LIST,
						HSM_OP_MIGRATE_REQUEST };
	struct doc request, offer;
	struct peer *user, *other;
	struct hsm_writer out;
	size_t i;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	fill();
	step_meet(&request, &offer);
	user = peer_user(0);
	assert_int_equal(find(user, "private"), 1);
	assert_int_equal(step_freeze(&offer), CKR_OK);
	/* Who was logged in is not; who comes later does not get in. */
	out = peer_fields(user);
	put_template(&out, HSM_FIELD_TEMPLATE, A_LIST(A_TEXT(CKA_LABEL, "private")));
	assert_int_equal(peer_call(user, HSM_OP_FIND_INIT, &out), CKR_TOKEN_NOT_PRESENT);
	peer_free(user);
	other = peer_new(0);
	assert_int_equal(peer_session(other, true), CKR_TOKEN_NOT_PRESENT);
	assert_int_equal(peer_token_init(other, SO_PIN), CKR_TOKEN_NOT_PRESENT);
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		CK_RV rv = peer_call(other, refused[i], NULL);

		assert_true(rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_ARGUMENTS_BAD);
	}
	assert_int_equal(peer_call(other, HSM_OP_NOP, NULL), CKR_OK);
	assert_int_equal(peer_call(other, HSM_OP_TOKEN_INFO, NULL), CKR_OK);
	peer_free(other);
	assert_int_equal(phase_of(0), HSM_MIGRATION_PHASE_FROZEN);
	board_restart();
	other = peer_new(0);
	assert_int_equal(peer_session(other, true), CKR_TOKEN_NOT_PRESENT);
	peer_free(other);
	doc_free(&request);
	doc_free(&offer);
}

/* ---- whom the source believes ---- */

static void more_measurement(struct hsm_writer *out)
{
	uint8_t hash[HSM_POLICY_HASH] = { 0x77 };

	hsm_put_bytes(out, HSM_FIELD_MIGRATION_MEASUREMENTS, hash, sizeof(hash));
}

static void more_production(struct hsm_writer *out)
{
	hsm_put_u32(out, HSM_FIELD_MIGRATION_PRODUCTION, 1);
}

static void more_rollback(struct hsm_writer *out)
{
	hsm_put_u32(out, HSM_FIELD_MIGRATION_ROLLBACK, 1);
}

/* The request, the offer to it, and what freezing for that offer is answered with */
static void meets(void (*more)(struct hsm_writer *out), CK_RV expected, const char *why)
{
	struct doc request, offer;
	struct peer *peer;

	allow(more);
	step_meet(&request, &offer);
	peer = peer_so(0);
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_FREEZE, &offer), expected);
	if (why)
		because(peer, why);
	peer_free(peer);
	doc_free(&request);
	doc_free(&offer);
}

static void a_policy_without_roots_keeps_it_here(void **state)
{
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	peer = peer_so(0);
	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_REQUEST, NULL), CKR_ACTION_PROHIBITED);
	because(peer, "no root");
	peer_free(peer);
}

static void a_board_that_satisfies_the_policy(void **state)
{
	(void)state;
	NEED_HYBRID;
	test_tcb.security_version = 4;
	meets(more_version, CKR_OK, NULL);
}

static void an_older_security_version(void **state)
{
	(void)state;
	NEED_HYBRID;
	meets(more_version, CKR_SIGNATURE_INVALID, "security version 3");
}

static void another_measurement(void **state)
{
	(void)state;
	NEED_HYBRID;
	meets(more_measurement, CKR_SIGNATURE_INVALID, "measurement");
}

static void a_board_in_development(void **state)
{
	(void)state;
	NEED_HYBRID;
	test_tcb.lifecycle = HSM_LIFECYCLE_DEVELOPMENT;
	meets(more_production, CKR_SIGNATURE_INVALID, "lifecycle");
}

/* The root of a third board, of which nothing else is known */
static void another_root(void **state)
{
	uint8_t bytes[1024], root[HSM_DICE_ALGORITHMS * HSM_POLICY_HASH];
	struct doc request, offer;
	struct hsm_writer out;
	struct peer *peer;
	size_t length;

	(void)state;
	NEED_HYBRID;
	length = board_roots(2, root);
	hsm_writer_init(&out, bytes, sizeof(bytes));
	hsm_put_bytes(&out, HSM_FIELD_MIGRATION_ROOTS, root, length);
	board_set_policy(0, &out);
	step_meet(&request, &offer);
	peer = peer_so(0);
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_FREEZE, &offer), CKR_SIGNATURE_INVALID);
	because(peer, "no trusted root");
	peer_free(peer);
	doc_free(&request);
	doc_free(&offer);
}

static void rollback_protection_is_demanded_of_both(void **state)
{
	struct doc request, offer;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	/* Of the source */
	board_flags[BOARD_A] = 0;
	use(BOARD_A, 1);
	allow(more_rollback);
	peer = peer_so(0);
	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_REQUEST, NULL), CKR_ACTION_PROHIBITED);
	because(peer, "this board has no rollback protection");
	peer_free(peer);
	/* Of the target, by itself */
	board_flags[BOARD_A] = BOARD_HELLO_ROLLBACK_SAFE;
	board_flags[BOARD_B] = 0;
	use(BOARD_A, 1);
	request = step_request();
	assert_int_equal(step_create(&request), CKR_ACTION_PROHIBITED);
	doc_free(&request);
	/* Of a target that does not ask itself */
	board_flags[BOARD_B] = BOARD_HELLO_ROLLBACK_SAFE;
	use(BOARD_A, 1);
	request = step_request();
	assert_int_equal(step_create(&request), CKR_OK);
	use(BOARD_B, 1);
	test_tcb.rollback_protected = false;
	assert_int_equal(step_offer(&request, &offer), CKR_OK);
	use(BOARD_A, 1);
	peer = peer_so(0);
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_FREEZE, &offer), CKR_SIGNATURE_INVALID);
	because(peer, "old copies");
	peer_free(peer);
	doc_free(&request);
	doc_free(&offer);
}

/* Where it is not demanded, the partition says for good that nobody can know how many there are. */
static void without_rollback_protection_it_is_marked(void **state)
{
	struct doc request, offer;
	struct package package;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	board_flags[BOARD_A] = 0;
	use(BOARD_A, 1);
	allow(NULL);
	step_leave(&request, &offer, &package);
	use(BOARD_B, 1);
	assert_int_equal(step_import(&package, NULL), CKR_OK);
	peer = peer_new(1);
	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_STATUS, NULL), CKR_OK);
	assert_int_equal(peer_u64(peer, HSM_FIELD_FLAGS),
			 HSM_MIGRATION_ORIGIN_MOVED | HSM_ORIGIN_UNSAFE);
	peer_free(peer);
	package_free(&package);
	doc_free(&request);
	doc_free(&offer);
}

/* ---- old and mixed documents ---- */

static void an_offer_to_a_former_request(void **state)
{
	struct doc request, offer, later;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	step_meet(&request, &offer);
	later = step_request();
	peer = peer_so(0);
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_FREEZE, &offer), CKR_DATA_INVALID);
	because(peer, "another request");
	/* A request, and a document of another kind, is no offer. */
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_FREEZE, &request), CKR_DATA_INVALID);
	peer_free(peer);
	doc_free(&request);
	doc_free(&offer);
	doc_free(&later);
}

static void only_the_so_freezes_it(void **state)
{
	struct doc request, offer;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	step_meet(&request, &offer);
	peer = peer_user(0);
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_FREEZE, &offer), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_REQUEST, NULL), CKR_USER_NOT_LOGGED_IN);
	peer_free(peer);
	doc_free(&request);
	doc_free(&offer);
}

static void without_an_officer_s_grant_it_stays(void **state)
{
	struct doc request, offer;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	step_meet(&request, &offer);
	board.grants_all = false;
	peer = peer_so(0);
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_FREEZE, &offer), CKR_ACTION_PROHIBITED);
	peer_free(peer);
	assert_int_equal(phase_of(0), HSM_MIGRATION_PHASE_REQUESTED);
	doc_free(&request);
	doc_free(&offer);
}

/* A bit of what is signed, or of a signature, changed here and there: no document is taken */
static void no_bit_of_a_document_may_change(void **state)
{
	struct hsm_migration_document fields;
	uint8_t hash[HSM_MIGRATION_HASH];
	struct doc request, offer;
	struct hsm_cose *message;
	size_t length, start, i;
	const uint8_t *payload;
	struct peer *peer;
	CK_RV rv;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	step_meet(&request, &offer);
	message = doc_read(&offer, HSM_MIGRATION_OFFER, &fields, hash);
	payload = hsm_cose_payload(message, &length);
	start = (size_t)((uint8_t *)memmem(offer.data, offer.length, payload, length) - offer.data);
	peer = peer_so(0);
	for (i = 0; i < offer.length; i += i < start + length ? length / 40 + 1 : 1) {
		/* Not in the certificates: a root is believed for its key, whatever signs it. */
		if (i > start + length && i < offer.length - 20)
			continue;
		offer.data[i] ^= 0x10;
		rv = call_doc(peer, HSM_OP_MIGRATE_FREEZE, &offer);
		assert_true(rv == CKR_DATA_INVALID || rv == CKR_SIGNATURE_INVALID);
		offer.data[i] ^= 0x10;
	}
	hsm_migration_free(&fields);
	hsm_cose_free(message);
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_FREEZE, &offer), CKR_OK);
	peer_free(peer);
	doc_free(&request);
	doc_free(&offer);
}

static void a_request_for_another_partition(void **state)
{
	struct doc request, later, offer = { 0 };
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	request = step_request();
	later = step_request();
	assert_int_equal(step_create(&request), CKR_OK);
	/* Twice on one board there is no partition. */
	assert_int_equal(step_create(&request), CKR_ARGUMENTS_BAD);
	use(BOARD_B, 1);
	assert_int_equal(phase_of(1), HSM_MIGRATION_PHASE_WAITING);
	peer = peer_new(1);
	assert_int_equal(peer_session(peer, true), CKR_TOKEN_NOT_PRESENT);
	assert_int_equal(peer_token_init(peer, SO_PIN), CKR_TOKEN_NOT_PRESENT);
	assert_int_equal(call_doc(peer, HSM_OP_IMPORT_OFFER, &later), CKR_DATA_INVALID);
	because(peer, "another document");
	peer_free(peer);
	assert_int_equal(step_offer(&request, &offer), CKR_OK);
	doc_free(&request);
	doc_free(&later);
	doc_free(&offer);
}

/* ---- the package ---- */

static void chunks_come_once_in_their_order(void **state)
{
	struct doc request, offer;
	struct package package;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	fill();
	step_leave(&request, &offer, &package);
	use(BOARD_B, 1);
	peer = peer_new(1);
	assert_int_equal(send_chunk(peer, &package, 0), CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(call_doc(peer, HSM_OP_IMPORT_BEGIN, &package.head), CKR_OK);
	assert_int_equal(send_chunk(peer, &package, 1), CKR_ARGUMENTS_BAD);
	assert_int_equal(peer_call(peer, HSM_OP_IMPORT_END, NULL), CKR_DATA_INVALID);
	assert_int_equal(call_doc(peer, HSM_OP_IMPORT_BEGIN, &package.head), CKR_OK);
	assert_int_equal(send_chunk(peer, &package, 0), CKR_OK);
	assert_int_equal(send_chunk(peer, &package, 0), CKR_ARGUMENTS_BAD);
	/* A bit of a chunk: all of it again */
	package.chunk[1].data[100] ^= 1;
	assert_int_equal(send_chunk(peer, &package, 1), CKR_DATA_INVALID);
	package.chunk[1].data[100] ^= 1;
	assert_int_equal(send_chunk(peer, &package, 1), CKR_OPERATION_NOT_INITIALIZED);
	/* Two chunks in each other's place */
	assert_int_equal(call_doc(peer, HSM_OP_IMPORT_BEGIN, &package.head), CKR_OK);
	package.chunk[63] = package.chunk[0];
	package.chunk[0] = package.chunk[1];
	assert_int_equal(send_chunk(peer, &package, 0), CKR_DATA_INVALID);
	package.chunk[0] = package.chunk[63];
	peer_free(peer);
	assert_int_equal(step_import(&package, NULL), CKR_OK);
	arrived(1);
	package_free(&package);
	doc_free(&request);
	doc_free(&offer);
}

/* Chunks of one export do not go with the head of another, though both are of the same partition and target. */
static void heads_and_chunks_of_two_exports(void **state)
{
	struct package package, again;
	struct doc request, offer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	fill();
	step_leave(&request, &offer, &package);
	assert_int_equal(step_export(&again), CKR_OK);
	package.chunk[63] = package.chunk[0];
	package.chunk[0] = again.chunk[0];
	use(BOARD_B, 1);
	assert_int_equal(step_import(&package, NULL), CKR_DATA_INVALID);
	/* Either as a whole is good. */
	assert_int_equal(step_import(&again, NULL), CKR_OK);
	arrived(1);
	package.chunk[0] = package.chunk[63];
	package_free(&package);
	package_free(&again);
	doc_free(&request);
	doc_free(&offer);
}

/*
 * A command that has waited for commit_lock while another one completed the import: it is called as it goes on then, with
 * the partition that it had found before.
 */
static CK_RV late(struct partition *partition, CK_RV (*handler)(struct command *command),
		  const struct doc *doc)
{
	static uint8_t request[HSM_MESSAGE_MAX], answer[HSM_MESSAGE_MAX];
	struct client client = { .login = NOT_LOGGED_IN };
	struct command command = { .partition = partition, .client = &client };
	struct hsm_writer out;

	hsm_writer_init(&out, request, sizeof(request));
	hsm_put_bytes(&out, HSM_FIELD_DOCUMENT, doc->data, doc->length);
	assert_int_equal(hsm_fields_parse(&command.fields, request, out.length), 0);
	hsm_writer_init(&command.out, answer, sizeof(answer));
	return handler(&command);
}

static void what_comes_late_destroys_nothing(void **state)
{
	struct doc request, offer, receipt;
	struct partition *before;
	struct package package;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	fill();
	step_leave(&request, &offer, &package);
	use(BOARD_B, 1);
	before = partition_find(board_ready[0].info.id);
	assert_non_null(before);
	assert_int_equal(step_import(&package, &receipt), CKR_OK);
	assert_int_equal(late(before, command_import_begin, &package.head), CKR_TOKEN_NOT_PRESENT);
	assert_int_equal(late(before, command_import_offer, &request), CKR_TOKEN_NOT_PRESENT);
	assert_int_equal(late(before, command_import_end, &package.head), CKR_TOKEN_NOT_PRESENT);
	assert_int_equal(late(before, command_import_abandon, &package.head),
			 CKR_TOKEN_NOT_PRESENT);
	partition_put(before);
	assert_true(board.partition[1].exists);
	board_restart();
	arrived(1);
	package_free(&package);
	doc_free(&request);
	doc_free(&offer);
	doc_free(&receipt);
}

static void a_policy_changed_since_the_offer(void **state)
{
	struct doc request, offer;
	struct package package;
	struct hsm_writer out;
	struct peer *peer;
	CK_RV rv;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	step_leave(&request, &offer, &package);
	use(BOARD_B, 0);
	board.hello.flags |= BOARD_HELLO_EMBEDDED;
	peer = peer_new(0);
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, SO_PIN, strlen(SO_PIN));
	rv = peer_call(peer, HSM_OP_CLAIM, &out);
	assert_true(rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN);
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_PARTITION, board_ready[0].info.id, PARTITION_ID_SIZE);
	more_version(&out);
	assert_int_equal(peer_call(peer, HSM_OP_PARTITION_UPDATE, &out), CKR_OK);
	peer_free(peer);
	use(BOARD_B, 1);
	peer = peer_new(1);
	assert_int_equal(call_doc(peer, HSM_OP_IMPORT_BEGIN, &package.head), CKR_DATA_INVALID);
	because(peer, "since the offer");
	peer_free(peer);
	package_free(&package);
	doc_free(&request);
	doc_free(&offer);
}

static void the_same_package_again_gives_the_receipt_again(void **state)
{
	struct doc request, offer, receipt, again;
	struct hsm_migration_document one, other;
	uint8_t hash[HSM_MIGRATION_HASH];
	struct hsm_cose *first, *second;
	struct package package;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	step_leave(&request, &offer, &package);
	use(BOARD_B, 1);
	assert_int_equal(step_import(&package, &receipt), CKR_OK);
	board_restart();
	peer = peer_new(1);
	assert_int_equal(call_doc(peer, HSM_OP_IMPORT_BEGIN, &package.head),
			 CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(peer_call(peer, HSM_OP_IMPORT_END, NULL), CKR_OK);
	again = doc_of(peer);
	first = doc_read(&receipt, HSM_MIGRATION_RECEIPT, &one, hash);
	second = doc_read(&again, HSM_MIGRATION_RECEIPT, &other, hash);
	assert_memory_equal(one.package, other.package, HSM_MIGRATION_HASH);
	assert_memory_equal(one.offer, other.offer, HSM_MIGRATION_HASH);
	/* What is there is not abandoned any more. */
	assert_int_equal(peer_call(peer, HSM_OP_IMPORT_ABANDON, NULL),
			 CKR_OPERATION_NOT_INITIALIZED);
	peer_free(peer);
	hsm_migration_free(&one);
	hsm_migration_free(&other);
	hsm_cose_free(first);
	hsm_cose_free(second);
	use(BOARD_A, 1);
	peer = peer_new(0);
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_FINISH, &again), CKR_OK);
	peer_free(peer);
	package_free(&package);
	doc_free(&request);
	doc_free(&offer);
	doc_free(&receipt);
	doc_free(&again);
}

/* Another board that was made ready for the same request has another import key. */
static void a_second_target_cannot_open_it(void **state)
{
	struct doc request, offer, second;
	struct package package;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	step_leave(&request, &offer, &package);
	/* B loses the partition, and makes it anew for the same request: another key */
	use(BOARD_B, 1);
	commands_stop();
	partition_empty(&board.partition[1]);
	partition_empty(&board.partition[0]);
	board.partition[0].exists = true;
	board.partition[0].info = (struct board_partition){ .name = "device" };
	assert_int_equal(commands_start(&board.hello), 0);
	assert_int_equal(step_create(&request), CKR_OK);
	use(BOARD_B, 1);
	assert_int_equal(step_offer(&request, &second), CKR_OK);
	peer = peer_new(1);
	assert_int_equal(call_doc(peer, HSM_OP_IMPORT_BEGIN, &package.head), CKR_DATA_INVALID);
	because(peer, "another offer");
	peer_free(peer);
	/* Nor does the source freeze it once more for that one. */
	use(BOARD_A, 1);
	peer = peer_new(0);
	assert_int_equal(call_doc(peer, HSM_OP_MIGRATE_FREEZE, &second), CKR_TOKEN_NOT_PRESENT);
	peer_free(peer);
	package_free(&package);
	doc_free(&request);
	doc_free(&offer);
	doc_free(&second);
}

/* ---- cut anywhere ---- */

/* As kill -9 of the firmware after every step, and in the middle of the chunks */
static void a_restart_after_each_step(void **state)
{
	struct doc request, offer, again, receipt;
	struct package package;
	struct peer *peer;

	(void)state;
	NEED_HYBRID;
	allow(NULL);
	fill();
	request = step_request();
	board_restart();
	assert_int_equal(step_create(&request), CKR_OK);
	use(BOARD_B, 1);
	board_restart();
	assert_int_equal(step_offer(&request, &offer), CKR_OK);
	board_restart();
	assert_int_equal(step_offer(&request, &again), CKR_OK);
	use(BOARD_A, 1);
	/* The same offer, signed anew */
	assert_int_equal(step_freeze(&again), CKR_OK);
	board_restart();
	peer = peer_new(0);
	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_EXPORT, NULL), CKR_OK);
	peer_free(peer);
	board_restart();
	assert_int_equal(step_export(&package), CKR_OK);
	use(BOARD_B, 1);
	peer = peer_new(1);
	assert_int_equal(call_doc(peer, HSM_OP_IMPORT_BEGIN, &package.head), CKR_OK);
	assert_int_equal(send_chunk(peer, &package, 0), CKR_OK);
	assert_int_equal(send_chunk(peer, &package, 1), CKR_OK);
	assert_int_equal(send_chunk(peer, &package, 2), CKR_OK);
	peer_free(peer);
	board_restart();
	assert_int_equal(phase_of(1), HSM_MIGRATION_PHASE_IMPORTING);
	peer = peer_new(1);
	assert_int_equal(peer_call(peer, HSM_OP_IMPORT_END, NULL), CKR_OPERATION_NOT_INITIALIZED);
	peer_free(peer);
	/* The last commit fails: nothing has arrived. */
	peer = peer_new(1);
	assert_int_equal(call_doc(peer, HSM_OP_IMPORT_BEGIN, &package.head), CKR_OK);
	for (size_t i = 0; i < package.count; i++)
		assert_int_equal(send_chunk(peer, &package, i), CKR_OK);
	board.fail_commit = ENOSPC;
	assert_int_equal(peer_call(peer, HSM_OP_IMPORT_END, NULL), CKR_DEVICE_MEMORY);
	board.fail_commit = 0;
	peer_free(peer);
	board_restart();
	assert_int_equal(phase_of(1), HSM_MIGRATION_PHASE_IMPORTING);
	assert_int_equal(step_import(&package, &receipt), CKR_OK);
	board_restart();
	arrived(1);
	use(BOARD_A, 1);
	assert_int_equal(finish_with(&receipt, NULL), CKR_OK);
	package_free(&package);
	doc_free(&request);
	doc_free(&offer);
	doc_free(&again);
	doc_free(&receipt);
}

/* What never came to its end is no reason why it should not come once more. */
static void there_and_back_again(void **state)
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
	assert_int_equal(step_import(&package, &receipt), CKR_OK);
	use(BOARD_A, 1);
	assert_int_equal(finish_with(&receipt, NULL), CKR_OK);
	use(BOARD_B, 1);
	/* Its policy came along, and allows B alone: not back. */
	peer = peer_so(1);
	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_REQUEST, NULL), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_POLICY, NULL), CKR_OK);
	assert_non_null(hsm_fields_find(&peer->fields, HSM_FIELD_MIGRATION_ROOTS));
	assert_int_equal(peer_call(peer, HSM_OP_MIGRATE_RESUME, NULL), CKR_OK);
	peer_free(peer);
	assert_int_equal(phase_of(1), HSM_MIGRATION_PHASE_IMPORTED);
	package_free(&package);
	doc_free(&request);
	doc_free(&offer);
	doc_free(&receipt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(all_of_it_moves),
		BOTH(frozen_it_serves_nothing),
		BOTH(a_policy_without_roots_keeps_it_here),
		BOTH(a_board_that_satisfies_the_policy),
		BOTH(an_older_security_version),
		BOTH(another_measurement),
		BOTH(a_board_in_development),
		BOTH(another_root),
		BOTH(rollback_protection_is_demanded_of_both),
		BOTH(without_rollback_protection_it_is_marked),
		BOTH(an_offer_to_a_former_request),
		BOTH(only_the_so_freezes_it),
		BOTH(without_an_officer_s_grant_it_stays),
		BOTH(no_bit_of_a_document_may_change),
		BOTH(a_request_for_another_partition),
		BOTH(chunks_come_once_in_their_order),
		BOTH(heads_and_chunks_of_two_exports),
		BOTH(what_comes_late_destroys_nothing),
		BOTH(a_policy_changed_since_the_offer),
		BOTH(the_same_package_again_gives_the_receipt_again),
		BOTH(a_second_target_cannot_open_it),
		BOTH(a_restart_after_each_step),
		BOTH(there_and_back_again),
	};

	return cmocka_run_group_tests_name("migrate", tests, board_prepare, board_finish);
}
