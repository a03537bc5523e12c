// SPDX-License-Identifier: Apache-2.0
/*
 * Approvals at the device command: who counts, what counts, how often, and what an attacker would make count.
 */
#include "approval_testing.h"

/* ---- how many, and who ---- */

static void without_a_quorum_a_login_is_enough(void **state)
{
	struct peer *officer = officer_new();
	uint8_t id[PARTITION_ID_SIZE];
	struct hsm_writer out;

	(void)state;
	create(officer, id, NULL, 0);
	out = named(officer, id);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_DESTROY, &out), CKR_OK);
	assert_int_equal(board.destroyed, 1);
	peer_free(officer);
}

static void one_too_few_is_not_enough(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;

	(void)state;
	create(officer, id, NULL, 0);
	begin_destroy(officer, &request, id);
	assert_refused(officer, &request, 2, 0, 0, NO_VERDICTS);
	approve(&request, BERT);
	assert_refused(officer, &request, 2, 1, 0, VERDICTS(HSM_VERDICT_GOOD));
	assert_int_equal(board.destroyed, 0);
	/* What was refused may be completed: the nonce is good until it has been used. */
	approve(&request, CARL);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	assert_int_equal(board.destroyed, 1);
	peer_free(officer);
}

static void each_person_counts_once(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE], anna[HSM_APPROVAL_ID_SIZE];
	struct hsm_cose_signer twice[2];
	static struct request request;

	(void)state;
	create(officer, id, NULL, 0);
	begin_destroy(officer, &request, id);
	approve(&request, ANNA);
	approve(&request, ANNA);
	assert_refused(officer, &request, 2, 1, 0, VERDICTS(HSM_VERDICT_GOOD, HSM_VERDICT_TWICE));
	/* Twice in one message */
	begin_destroy(officer, &request, id);
	key_id(keys[ANNA], anna);
	twice[0] = twice[1] = (struct hsm_cose_signer){ .key = keys[ANNA],
							.kid = anna,
							.kid_length = sizeof(anna) };
	sign(&request.what, twice, 2, HSM_APPROVAL_TYPE, &request);
	assert_refused(officer, &request, 2, 1, 0, VERDICTS(HSM_VERDICT_GOOD, HSM_VERDICT_TWICE));
	peer_free(officer);
}

static void two_in_one_message_are_two(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE], ids[2][HSM_APPROVAL_ID_SIZE];
	struct hsm_cose_signer signers[2];
	static struct request request;

	(void)state;
	create(officer, id, NULL, 0);
	begin_destroy(officer, &request, id);
	for (int i = 0; i < 2; i++) {
		key_id(keys[i], ids[i]);
		signers[i] = (struct hsm_cose_signer){ .key = keys[i],
						       .kid = ids[i],
						       .kid_length = sizeof(ids[i]) };
	}
	sign(&request.what, signers, 2, HSM_APPROVAL_TYPE, &request);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	peer_free(officer);
}

static void strangers_do_not_count(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE], anna[HSM_APPROVAL_ID_SIZE];
	const struct hsm_cose_signer forged = { .key = keys[STRANGER],
						.kid = anna,
						.kid_length = sizeof(anna) };
	static struct request request;

	(void)state;
	create(officer, id, NULL, 0);
	key_id(keys[ANNA], anna);
	begin_destroy(officer, &request, id);
	approve(&request, BERT);
	approve(&request, STRANGER);
	sign(&request.what, &forged, 1, HSM_APPROVAL_TYPE, &request);
	assert_refused(officer, &request, 2, 1, 0,
		       VERDICTS(HSM_VERDICT_GOOD, HSM_VERDICT_KEY, HSM_VERDICT_SIGNATURE));
	assert_int_equal(board.destroyed, 0);
	peer_free(officer);
}

/* ---- what ---- */

static void a_signature_is_good_for_one_request(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE], other[PARTITION_ID_SIZE];
	static struct request request, wrong;
	struct hsm_approval what;

	(void)state;
	create(officer, id, NULL, 0);
	create(officer, other, NULL, 0);
	begin_destroy(officer, &request, id);
	approve(&request, ANNA);
	/* Another partition, another board, another nonce, another place, another kind of message */
	begin_destroy(officer, &wrong, other);
	approve_what(&request, &wrong.what, keys[BERT]);
	what = request.what;
	what.board[3] ^= 1;
	approve_what(&request, &what, keys[BERT]);
	what = request.what;
	what.nonce[31] ^= 1;
	approve_what(&request, &what, keys[BERT]);
	what = request.what;
	what.partition[0] ^= 1;
	approve_what(&request, &what, keys[BERT]);
	what = request.what;
	what.operation = HSM_OP_PARTITION_UPDATE;
	approve_what(&request, &what, keys[BERT]);
	what = request.what;
	what.has_nonce = false;
	approve_what(&request, &what, keys[BERT]);
	assert_refused(officer, &request, 2, 1, 0,
		       VERDICTS(HSM_VERDICT_GOOD, HSM_VERDICT_REQUEST, HSM_VERDICT_REQUEST,
				HSM_VERDICT_REQUEST, HSM_VERDICT_REQUEST, HSM_VERDICT_REQUEST,
				HSM_VERDICT_REQUEST));
	assert_int_equal(board.destroyed, 0);
	peer_free(officer);
}

/* Approved was a weaker policy; what is sent asks for one that is weaker still. */
static void what_is_sent_is_what_was_signed(void **state)
{
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;
	struct peer *officer = approved_by_two(&request, begin_relax, id);
	struct hsm_writer out;

	(void)state;
	hsm_writer_init(&out, request.text, sizeof(request.text));
	out.length = request.length;
	hsm_put_number(&out, HSM_FIELD_MIN, 4);
	request.length = out.length;
	assert_refused(officer, &request, 2, 0, 0,
		       VERDICTS(HSM_VERDICT_REQUEST, HSM_VERDICT_REQUEST));
	peer_free(officer);
}

static void a_message_of_another_kind_is_none(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE], bert[HSM_APPROVAL_ID_SIZE];
	const struct hsm_cose_signer signer = { .key = keys[BERT],
						.kid = bert,
						.kid_length = sizeof(bert) };
	static struct request request;

	(void)state;
	create(officer, id, NULL, 0);
	key_id(keys[BERT], bert);
	begin_destroy(officer, &request, id);
	sign(&request.what, &signer, 1, "application/vnd.ihsm.evidence+cbor", &request);
	put_approval(&request, (const uint8_t *)"rubbish", 7);
	put_approval(&request, NULL, 0);
	assert_refused(officer, &request, 2, 0, 0,
		       VERDICTS(HSM_VERDICT_FORM, HSM_VERDICT_FORM, HSM_VERDICT_FORM));
	/* A list that is none, and one that is too long */
	request.list.length -= 3;
	assert_int_equal(send_request(officer, &request), CKR_ARGUMENTS_BAD);
	begin_destroy(officer, &request, id);
	for (int i = 0; i <= HSM_APPROVALS_MAX; i++)
		put_approval(&request, NULL, 0);
	assert_int_equal(send_request(officer, &request), CKR_ARGUMENTS_BAD);
	peer_free(officer);
}

/* ---- once, and not for ever ---- */

static void approvals_are_not_replayed(void **state)
{
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;
	struct peer *officer = approved_by_two(&request, begin_relax, id);
	struct hsm_writer out;

	(void)state;
	assert_int_equal(send_request(officer, &request), CKR_OK);
	out = named(officer, id);
	hsm_put_u32(&out, HSM_FIELD_PROFILE, HSM_PROFILE_STRICT);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_UPDATE, &out), CKR_OK);
	assert_refused(officer, &request, 2, 0, 0, VERDICTS(HSM_VERDICT_NONCE, HSM_VERDICT_NONCE));
	peer_free(officer);
}

static void approvals_expire(void **state)
{
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;
	struct peer *officer = approved_by_two(&request, begin_destroy, id);

	(void)state;
	test_time += HSM_APPROVAL_SECONDS * 1000ULL;
	assert_refused(officer, &request, 2, 0, 0, VERDICTS(HSM_VERDICT_NONCE, HSM_VERDICT_NONCE));
	/* A moment before it would have done. */
	test_time--;
	assert_int_equal(send_request(officer, &request), CKR_OK);
	peer_free(officer);
}

static void nonces_that_nobody_uses_make_room(void **state)
{
	uint8_t id[PARTITION_ID_SIZE];
	static struct request first, last;
	struct peer *officer = approved_by_two(&first, begin_destroy, id);

	(void)state;
	for (int i = 0; i < OFFICER_NONCES_MAX; i++)
		begin_destroy(officer, &last, id);
	assert_refused(officer, &first, 2, 0, 0, VERDICTS(HSM_VERDICT_NONCE, HSM_VERDICT_NONCE));
	approve(&last, ANNA);
	approve(&last, BERT);
	assert_int_equal(send_request(officer, &last), CKR_OK);
	peer_free(officer);
}

static void quorums_keys_and_nonces_outlive_the_firmware(void **state)
{
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request, used;
	struct peer *officer = approved_by_two(&used, begin_relax, id);

	(void)state;
	assert_int_equal(send_request(officer, &used), CKR_OK);
	begin_destroy(officer, &request, id);
	approve(&request, ANNA);
	peer_free(officer);
	board_restart();
	officer = peer_new(0);
	assert_refused(officer, &request, 2, 1, 0, VERDICTS(HSM_VERDICT_GOOD));
	assert_int_equal(send_request(officer, &used), CKR_OK); /* no relaxation any more */
	approve(&request, CARL);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	peer_free(officer);
}

/* What is not on the disk has not been approved. */
static void a_nonce_that_cannot_be_used_up_approves_nothing(void **state)
{
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;
	struct peer *officer = approved_by_two(&request, begin_destroy, id);

	(void)state;
	board.fail_commit = ENOSPC;
	assert_int_not_equal(send_request(officer, &request), CKR_OK);
	assert_int_equal(board.destroyed, 0);
	board.fail_commit = 0;
	assert_int_equal(send_request(officer, &request), CKR_OK);
	peer_free(officer);
}

/* ---- firmware ---- */

static void begin_activate(struct peer *peer, struct request *request, uint8_t measurement)
{
	uint8_t bytes[48];
	struct hsm_writer out = peer_fields(peer);

	memset(bytes, measurement, sizeof(bytes));
	hsm_put_bytes(&out, HSM_FIELD_MEASUREMENT, bytes, sizeof(bytes));
	begin(request, HSM_OP_FIRMWARE_ACTIVATE, &out);
	take_nonce(peer, request);
}

/* Two of three, over this measurement, with a nonce of this device that has not expired, once. */
static void two_activate_firmware(void **state)
{
	struct peer *officer = device_with_officers();
	static struct request request, other;

	(void)state;
	assert_int_equal(set_quorum(officer, HSM_ACTION_FIRMWARE, 2), CKR_OK);
	begin_activate(officer, &request, TEST_FIRMWARE);
	assert_refused(officer, &request, 2, 0, 0, NO_VERDICTS);
	approve(&request, ANNA);
	approve(&request, ANNA);
	assert_refused(officer, &request, 2, 1, 0, VERDICTS(HSM_VERDICT_GOOD, HSM_VERDICT_TWICE));
	/* What they approved is another image. */
	begin_activate(officer, &request, TEST_FIRMWARE);
	begin_activate(officer, &other, TEST_FIRMWARE + 1);
	memcpy(other.what.nonce, request.what.nonce, sizeof(other.what.nonce));
	approve_what(&request, &other.what, keys[ANNA]);
	approve_what(&request, &other.what, keys[BERT]);
	assert_refused(officer, &request, 2, 0, 0,
		       VERDICTS(HSM_VERDICT_REQUEST, HSM_VERDICT_REQUEST));
	/* Too late */
	begin_activate(officer, &request, TEST_FIRMWARE);
	approve(&request, ANNA);
	approve(&request, BERT);
	test_time += HSM_APPROVAL_SECONDS * 1000ULL;
	assert_refused(officer, &request, 2, 0, 0, VERDICTS(HSM_VERDICT_NONCE, HSM_VERDICT_NONCE));
	assert_int_equal(board.activated, 0);
	/* And as it should be, once */
	begin_activate(officer, &request, TEST_FIRMWARE);
	approve(&request, CARL);
	approve(&request, BERT);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	assert_int_equal(board.activated, 1);
	assert_refused(officer, &request, 2, 0, 0, VERDICTS(HSM_VERDICT_NONCE, HSM_VERDICT_NONCE));
	assert_int_equal(board.activated, 1);
	peer_free(officer);
}

/* The same class: what refuses older firmware for ever */
static void two_raise_the_minimum(void **state)
{
	struct peer *officer = device_with_officers();
	static struct request request;
	struct hsm_writer out;

	(void)state;
	assert_int_equal(set_quorum(officer, HSM_ACTION_FIRMWARE, 2), CKR_OK);
	out = peer_fields(officer);
	hsm_put_u32(&out, HSM_FIELD_SECURITY_VERSION, 2);
	begin(&request, HSM_OP_FIRMWARE_MINIMUM, &out);
	take_nonce(officer, &request);
	approve(&request, ANNA);
	assert_refused(officer, &request, 2, 1, 0, VERDICTS(HSM_VERDICT_GOOD));
	assert_int_equal(board.minimum, 0);
	approve(&request, CARL);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	assert_int_equal(board.minimum, 2);
	peer_free(officer);
}

/* What the fuses have taken is told in IDENTIFY from then on, and what they have not is not. */
static void the_minimum_is_told(void **state)
{
	static const struct {
		uint32_t version;
		CK_RV rv;
		uint32_t told;
		unsigned int events;
	} steps[] = {
		{ 3, CKR_OK, 3, 1 },
		{ 3, CKR_OK, 3, 1 },
		{ 2, CKR_ACTION_PROHIBITED, 3, 1 },
		{ 4, CKR_OK, 4, 2 },
	};
	struct peer *officer = officer_new();
	unsigned int before = test_firmware_events;
	struct hsm_writer out;

	(void)state;
	assert_int_equal(commands_minimum_version(), board.hello.min_security_version);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		out = peer_fields(officer);
		hsm_put_u32(&out, HSM_FIELD_SECURITY_VERSION, steps[i].version);
		assert_int_equal(peer_call(officer, HSM_OP_FIRMWARE_MINIMUM, &out), steps[i].rv);
		assert_int_equal(commands_minimum_version(), steps[i].told);
		assert_int_equal(test_firmware_events - before, steps[i].events);
	}
	peer_free(officer);
}

/* ---- the form ---- */

static void only_one_form_is_read(void **state)
{
	struct peer *officer = officer_new();
	static const uint8_t id[PARTITION_ID_SIZE] = { 7 };
	static struct request request;
	struct hsm_approval read;
	uint8_t *bytes, *kept;
	size_t length, i;

	(void)state;
	begin_relax(officer, &request, id);
	assert_int_equal(hsm_approval_build(&request.what, &bytes, &length), 0);
	assert_int_equal(hsm_approval_parse(bytes, length, &read, &kept), 0);
	assert_int_equal(read.operation, HSM_OP_PARTITION_UPDATE);
	assert_int_equal(hsm_fields_u64(&read.fields, HSM_FIELD_PROFILE, 0), HSM_PROFILE_LEGACY);
	assert_memory_equal(read.nonce, request.what.nonce, sizeof(read.nonce));
	free(kept);
	for (i = 0; i < length; i++)
		assert_int_not_equal(hsm_approval_parse(bytes, i, &read, &kept), 0);
	/* A flipped bit gives another request, or none; never the same. */
	for (i = 0; i < length * 8; i++) {
		bytes[i / 8] ^= 1 << i % 8;
		if (!hsm_approval_parse(bytes, length, &read, &kept)) {
			uint8_t *again;
			size_t size;

			assert_int_equal(hsm_approval_build(&read, &again, &size), 0);
			assert_int_equal(size, length);
			assert_memory_equal(again, bytes, length);
			free(again);
			free(kept);
		}
		bytes[i / 8] ^= 1 << i % 8;
	}
	free(bytes);
	request.what.operation = HSM_OP_NOP;
	assert_int_equal(hsm_approval_build(&request.what, &bytes, &length), -EINVAL);
	peer_free(officer);
}

/* What is too long to be sent along with each approval is signed by its hash, and shown so. */
static void long_fields_are_signed_by_their_hash(void **state)
{
	struct peer *officer = officer_new();
	static const uint8_t id[PARTITION_ID_SIZE] = { 7 };
	static uint8_t document[HSM_APPROVAL_FIELD_MAX + 1];
	static struct request request;
	uint8_t hash[HSM_APPROVAL_ID_SIZE], *bytes, *again, *kept;
	const struct hsm_field *field;
	struct hsm_approval read;
	struct hsm_writer out;
	size_t length, size, i;

	(void)state;
	for (i = 0; i < 2; i++) {
		out = named(officer, id);
		hsm_put_bytes(&out, HSM_FIELD_OWNER_KEY, document, sizeof(document) - 1 + i);
		begin(&request, HSM_OP_PARTITION_UPDATE, &out);
		take_nonce(officer, &request);
		assert_int_equal(hsm_approval_build(&request.what, &bytes, &length), 0);
		assert_int_equal(hsm_approval_parse(bytes, length, &read, &kept), 0);
		assert_int_equal(read.hashed.count, i);
		assert_int_equal(read.fields.count, 2 - i);
		/* What was read is the same request. */
		assert_int_equal(hsm_approval_build(&read, &again, &size), 0);
		assert_int_equal(size, length);
		assert_memory_equal(again, bytes, length);
		free(again);
		free(bytes);
		if (!i)
			free(kept);
	}
	field = hsm_fields_find(&read.hashed, HSM_FIELD_OWNER_KEY);
	assert_int_equal(officer_key_id(document, sizeof(document), hash), 0);
	assert_int_equal(field->length, sizeof(hash));
	assert_memory_equal(field->data, hash, sizeof(hash));
	free(kept);
	peer_free(officer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICER(without_a_quorum_a_login_is_enough),
		OFFICER(one_too_few_is_not_enough),
		OFFICER(each_person_counts_once),
		OFFICER(two_in_one_message_are_two),
		OFFICER(strangers_do_not_count),
		OFFICER(a_signature_is_good_for_one_request),
		OFFICER(what_is_sent_is_what_was_signed),
		OFFICER(a_message_of_another_kind_is_none),
		OFFICER(approvals_are_not_replayed),
		OFFICER(approvals_expire),
		OFFICER(nonces_that_nobody_uses_make_room),
		OFFICER(quorums_keys_and_nonces_outlive_the_firmware),
		OFFICER(a_nonce_that_cannot_be_used_up_approves_nothing),
		OFFICER(two_activate_firmware),
		OFFICER(two_raise_the_minimum),
		OFFICER(the_minimum_is_told),
		OFFICER(only_one_form_is_read),
		OFFICER(long_fields_are_signed_by_their_hash),
	};

	return cmocka_run_group_tests(tests, approval_prepare, approval_finish);
}
