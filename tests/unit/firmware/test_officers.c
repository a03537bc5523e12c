// SPDX-License-Identifier: Apache-2.0
/*
 * Officers and auditors of the device: who makes and removes them, their keys, their PINs, the quorums.
 */
#include "approval_testing.h"
#include <openssl/core_names.h>

/* ---- who decides who decides ---- */

static void a_removed_officer_does_not_count(void **state)
{
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request, removal;
	struct peer *officer = approved_by_two(&request, begin_destroy, id);
	struct hsm_writer out;

	(void)state;
	out = peer_fields(officer);
	hsm_put_bytes(&out, HSM_FIELD_NAME, "bert", 4);
	begin(&removal, HSM_OP_OFFICER_REMOVE, &out);
	take_nonce(officer, &removal);
	approve(&removal, ANNA);
	assert_int_equal(send_request(officer, &removal), CKR_ACTION_PROHIBITED);
	approve(&removal, CARL);
	assert_int_equal(send_request(officer, &removal), CKR_OK);
	assert_refused(officer, &request, 2, 1, 0, VERDICTS(HSM_VERDICT_GOOD, HSM_VERDICT_KEY));
	/* With one more gone there would be too few for the quorum. */
	out = peer_fields(officer);
	hsm_put_bytes(&out, HSM_FIELD_NAME, "carl", 4);
	begin(&removal, HSM_OP_OFFICER_REMOVE, &out);
	take_nonce(officer, &removal);
	approve(&removal, ANNA);
	approve(&removal, CARL);
	assert_int_equal(send_request(officer, &removal), CKR_FUNCTION_REJECTED);
	peer_free(officer);
}

static void a_quorum_is_lowered_by_itself_alone(void **state)
{
	struct peer *officer = device_with_officers();
	static struct request request;
	struct hsm_writer out;

	(void)state;
	assert_int_equal(set_quorum(officer, HSM_ACTION_FIRMWARE, 1), CKR_OK);
	assert_int_equal(set_quorum(officer, HSM_ACTION_DESTROY, 1), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 0, 0, NO_VERDICTS);
	/* As many as the largest quorum, also to lower a small one */
	out = quorum_fields(officer, HSM_ACTION_FIRMWARE, 0);
	begin(&request, HSM_OP_QUORUM_SET, &out);
	take_nonce(officer, &request);
	approve(&request, CARL);
	assert_refused(officer, &request, 2, 1, 0, VERDICTS(HSM_VERDICT_GOOD));
	approve(&request, ANNA);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	/* Up it goes without a word, as far as there are keys. */
	assert_int_equal(set_quorum(officer, HSM_ACTION_DESTROY, 3), CKR_OK);
	assert_int_equal(set_quorum(officer, HSM_ACTION_DESTROY, 4), CKR_ARGUMENTS_BAD);
	assert_int_equal(set_quorum(officer, HSM_ACTION_DESTROY, 3), CKR_OK);
	assert_int_equal(set_quorum(officer, HSM_ACTIONS, 1), CKR_ARGUMENTS_BAD);
	assert_int_equal(set_quorum(officer, HSM_ACTION_NONE, 1), CKR_ARGUMENTS_BAD);
	peer_free(officer);
}

static const uint8_t opening[HSM_PIN_OPENING_SIZE] = "known to the new officer alone.";

static const uint8_t *commitment_to(const char *pin)
{
	static uint8_t commitment[HSM_APPROVAL_ID_SIZE];

	assert_int_equal(hsm_pin_commitment(opening, (const uint8_t *)pin, strlen(pin), commitment),
			 0);
	return commitment;
}

/* OFFICER_ADD with a commitment, NULL: none, and a PIN that may be another one than was committed to */
static void begin_add(struct peer *peer, struct request *request, const char *name,
		      const uint8_t *commitment, const char *pin)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_NAME, name, strlen(name));
	hsm_put_u32(&out, HSM_FIELD_USER_ROLE, ROLE_OFFICER);
	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, pin, strlen(pin));
	if (commitment) {
		hsm_put_bytes(&out, HSM_FIELD_PIN_COMMITMENT, commitment, HSM_APPROVAL_ID_SIZE);
		hsm_put_bytes(&out, HSM_FIELD_PIN_OPENING, opening, sizeof(opening));
	}
	begin(request, HSM_OP_OFFICER_ADD, &out);
	take_nonce(peer, request);
}

/* What was approved of one PIN, with another one in its place and the same nonce and signatures */
static void change_pin(struct request *request, const char *pin)
{
	struct hsm_field *field =
		(struct hsm_field *)hsm_fields_find(&request->what.fields, HSM_FIELD_NEW_PIN);

	assert_int_equal(field->length, strlen(pin));
	memcpy((uint8_t *)field->data, pin, strlen(pin));
}

static void the_pin_is_the_one_that_was_approved(void **state)
{
	struct peer *officer = device_with_officers();
	static struct request request;
	uint8_t wrong[HSM_APPROVAL_ID_SIZE];

	(void)state;
	/* Nobody committed to a PIN: the sender could take any. */
	begin_add(officer, &request, "dora", NULL, "dora");
	assert_refused(officer, &request, 2, 0, 0, NO_VERDICTS);
	approve(&request, ANNA);
	approve(&request, BERT);
	assert_int_equal(send_request(officer, &request), CKR_ARGUMENTS_BAD);
	/* The sender takes another PIN than was approved, or another commitment to it. */
	begin_add(officer, &request, "dora", commitment_to("dora"), "dora");
	approve(&request, ANNA);
	approve(&request, BERT);
	change_pin(&request, "mine");
	assert_int_equal(send_request(officer, &request), CKR_PIN_INCORRECT);
	memcpy(wrong, commitment_to("mine"), sizeof(wrong));
	memcpy((uint8_t *)hsm_fields_find(&request.what.fields, HSM_FIELD_PIN_COMMITMENT)->data,
	       wrong, sizeof(wrong));
	assert_refused(officer, &request, 2, 0, 0,
		       VERDICTS(HSM_VERDICT_REQUEST, HSM_VERDICT_REQUEST));
	/* None of that has used the nonce up. */
	memcpy((uint8_t *)hsm_fields_find(&request.what.fields, HSM_FIELD_PIN_COMMITMENT)->data,
	       commitment_to("dora"), sizeof(wrong));
	change_pin(&request, "dora");
	assert_int_equal(send_request(officer, &request), CKR_OK);
	peer_free(officer);
}

/* Who approves sees neither PIN nor opening. */
static void the_pin_is_not_in_what_is_signed(void **state)
{
	struct peer *officer = officer_new();
	static struct request request;
	uint8_t *bytes;
	size_t length;

	(void)state;
	begin_add(officer, &request, "dora", commitment_to("a PIN of hers"), "a PIN of hers");
	assert_int_equal(hsm_approval_build(&request.what, &bytes, &length), 0);
	assert_null(memmem(bytes, length, "a PIN of hers", 13));
	assert_null(memmem(bytes, length, opening, sizeof(opening)));
	assert_non_null(memmem(bytes, length, commitment_to("a PIN of hers"), 48));
	free(bytes);
	/* A commitment that does not fit is refused, also where none is asked for. */
	change_pin(&request, "a PIN of mine");
	assert_int_equal(send_request(officer, &request), CKR_PIN_INCORRECT);
	peer_free(officer);
}

static void one_officer_does_not_make_others(void **state)
{
	struct peer *officer = device_with_officers();
	static struct request request;
	struct hsm_writer out;

	(void)state;
	assert_int_equal(add_officer(officer, "eve", ROLE_OFFICER), CKR_ACTION_PROHIBITED);
	assert_int_equal(enroll(officer, NULL, keys[STRANGER]), CKR_ACTION_PROHIBITED);
	assert_int_equal(enroll(officer, "anna", keys[STRANGER]), CKR_ACTION_PROHIBITED);
	assert_int_equal(enroll(officer, "anna", NULL), CKR_ACTION_PROHIBITED);
	begin_add(officer, &request, "dora", commitment_to("dora"), "dora");
	approve(&request, ANNA);
	approve(&request, CARL);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	/* One key for two officers: one person would be two. */
	out = key_fields(officer, "dora", keys[ANNA]);
	begin(&request, HSM_OP_OFFICER_KEY, &out);
	take_nonce(officer, &request);
	approve(&request, ANNA);
	approve(&request, CARL);
	assert_int_equal(send_request(officer, &request), CKR_ARGUMENTS_BAD);
	peer_free(officer);
}

static void keys_that_cannot_approve_are_refused(void **state)
{
	struct peer *officer = officer_new();
	EVP_PKEY *rsa = EVP_PKEY_Q_keygen(mech_libctx(), NULL, "RSA", (size_t)2048);
	struct hsm_writer out;

	(void)state;
	assert_int_equal(add_officer(officer, "anna", ROLE_OFFICER), CKR_OK);
	assert_int_equal(add_officer(officer, "anna", ROLE_OFFICER), CKR_ARGUMENTS_BAD);
	assert_int_equal(add_officer(officer, "arno", ROLE_AUDITOR), CKR_OK);
	assert_int_equal(add_officer(officer, "mona", ROLE_MANAGER), CKR_ARGUMENTS_BAD);
	assert_int_equal(add_officer(officer, "", ROLE_OFFICER), CKR_ARGUMENTS_BAD);
	assert_int_equal(enroll(officer, "anna", rsa), CKR_ARGUMENTS_BAD);
	assert_int_equal(enroll(officer, "arno", keys[ANNA]), CKR_USER_TYPE_INVALID);
	assert_int_equal(enroll(officer, "nobody", keys[ANNA]), CKR_USER_TYPE_INVALID);
	out = peer_fields(officer);
	hsm_put_bytes(&out, HSM_FIELD_NAME, "anna", 4);
	hsm_put_bytes(&out, HSM_FIELD_PUBLIC_KEY, "rubbish", 7);
	assert_int_equal(peer_call(officer, HSM_OP_OFFICER_KEY, &out), CKR_ARGUMENTS_BAD);
	assert_int_equal(set_quorum(officer, HSM_ACTION_DESTROY, 1), CKR_ARGUMENTS_BAD);
	EVP_PKEY_free(rsa);
	peer_free(officer);
}

/* The same key with its point compressed has another id, and is still one person's. */
static void a_key_is_one_officer_s_in_whatever_form(void **state)
{
	struct peer *officer = officer_new();
	EVP_PKEY *same = EVP_PKEY_dup(keys[ANNA]);
	uint8_t id[HSM_APPROVAL_ID_SIZE], other[HSM_APPROVAL_ID_SIZE];

	(void)state;
	assert_non_null(same);
	assert_int_equal(EVP_PKEY_set_utf8_string_param(
				 same, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"),
			 1);
	key_id(keys[ANNA], id);
	key_id(same, other);
	assert_memory_not_equal(id, other, sizeof(id));
	assert_int_equal(add_officer(officer, "anna", ROLE_OFFICER), CKR_OK);
	assert_int_equal(add_officer(officer, "carl", ROLE_OFFICER), CKR_OK);
	assert_int_equal(enroll(officer, "anna", keys[ANNA]), CKR_OK);
	assert_int_equal(enroll(officer, "carl", same), CKR_ARGUMENTS_BAD);
	assert_int_equal(enroll(officer, "anna", same), CKR_OK);
	assert_int_equal(enroll(officer, "carl", keys[ANNA]), CKR_ARGUMENTS_BAD);
	EVP_PKEY_free(same);
	peer_free(officer);
}

/* ---- logins ---- */

static CK_RV log_in_as(struct peer *peer, const char *name, const char *pin)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_PIN, pin, strlen(pin));
	if (name)
		hsm_put_bytes(&out, HSM_FIELD_NAME, name, strlen(name));
	return peer_call(peer, HSM_OP_OFFICER_LOGIN, &out);
}

/* Somebody who is not the embedded board's owner */
static struct peer *stranger_new(void)
{
	const struct context_info info = { .id = 2, .epoch = 3 };
	struct peer *peer = peer_alloc();

	assert_int_equal(context_open(&info, &peer->context), 0);
	assert_int_equal(peer_connect(peer, board.partition[0].info.id), IHSM_SC_SUCCESS);
	return peer;
}

static void officers_have_names_and_pins_of_their_own(void **state)
{
	struct peer *officer = officer_new(), *anna = stranger_new(), *arno = stranger_new();
	struct hsm_writer out;

	(void)state;
	assert_int_equal(add_officer(officer, "anna", ROLE_OFFICER), CKR_OK);
	assert_int_equal(add_officer(officer, "arno", ROLE_AUDITOR), CKR_OK);
	assert_int_equal(peer_call(anna, HSM_OP_OFFICER_LIST, NULL), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(log_in_as(anna, "nobody", "anna"), CKR_PIN_INCORRECT);
	assert_int_equal(log_in_as(anna, "anna", "arno"), CKR_PIN_INCORRECT);
	assert_int_equal(log_in_as(anna, NULL, "anna"), CKR_PIN_INCORRECT);
	assert_int_equal(log_in_as(anna, "anna", "anna"), CKR_OK);
	assert_int_equal(log_in_as(anna, "anna", "anna"), CKR_USER_ALREADY_LOGGED_IN);
	assert_int_equal(peer_call(anna, HSM_OP_OFFICER_LIST, NULL), CKR_OK);
	/* Her own PIN, nobody else's */
	out = peer_fields(anna);
	hsm_put_bytes(&out, HSM_FIELD_PIN, "anna", 4);
	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, "hanna", 5);
	assert_int_equal(peer_call(anna, HSM_OP_OFFICER_PIN, &out), CKR_OK);
	peer_free(anna);
	anna = stranger_new();
	assert_int_equal(log_in_as(anna, "anna", "anna"), CKR_PIN_INCORRECT);
	assert_int_equal(log_in_as(anna, NULL, SO_PIN), CKR_OK);
	/* Who reads the log administers nothing. */
	assert_int_equal(log_in_as(arno, "arno", "arno"), CKR_OK);
	assert_int_equal(peer_call(arno, HSM_OP_OFFICER_LIST, NULL), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(peer_call(arno, HSM_OP_APPROVAL_NONCE, NULL), CKR_USER_NOT_LOGGED_IN);
	peer_free(anna);
	peer_free(arno);
	peer_free(officer);
}

static void who_is_removed_is_no_officer_at_once(void **state)
{
	struct peer *officer = officer_new(), *anna = stranger_new();
	struct hsm_writer out;

	(void)state;
	assert_int_equal(add_officer(officer, "anna", ROLE_OFFICER), CKR_OK);
	assert_int_equal(log_in_as(anna, "anna", "anna"), CKR_OK);
	out = peer_fields(officer);
	hsm_put_bytes(&out, HSM_FIELD_NAME, "anna", 4);
	assert_int_equal(peer_call(officer, HSM_OP_OFFICER_REMOVE, &out), CKR_OK);
	assert_int_equal(peer_call(anna, HSM_OP_OFFICER_LIST, NULL), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(log_in_as(anna, "anna", "anna"), CKR_PIN_INCORRECT);
	/* The first one stays: there is no other way to an officer. */
	out = peer_fields(officer);
	hsm_put_bytes(&out, HSM_FIELD_NAME, "", 0);
	assert_int_equal(peer_call(officer, HSM_OP_OFFICER_REMOVE, &out), CKR_USER_TYPE_INVALID);
	peer_free(anna);
	peer_free(officer);
}

static void the_list_tells_who_can_approve(void **state)
{
	struct peer *officer = device_with_officers();
	struct hsm_officer_status status[4];
	struct hsm_quorum_status quorum;
	uint8_t id[HSM_APPROVAL_ID_SIZE];
	const uint8_t *field;
	size_t length;

	(void)state;
	assert_int_equal(peer_call(officer, HSM_OP_OFFICER_LIST, NULL), CKR_OK);
	field = hsm_fields_bytes(&officer->fields, HSM_FIELD_OFFICERS, &length);
	assert_int_equal(length, sizeof(status));
	memcpy(status, field, length);
	assert_int_equal(le32toh(status[0].flags), HSM_OFFICER_FIRST);
	for (int i = ANNA; i <= CARL; i++) {
		assert_string_equal(status[i + 1].name, names[i]);
		assert_int_equal(le32toh(status[i + 1].flags), HSM_OFFICER_KEY);
		key_id(keys[i], id);
		assert_memory_equal(status[i + 1].key, id, sizeof(id));
	}
	field = hsm_fields_bytes(&officer->fields, HSM_FIELD_QUORUM, &length);
	assert_int_equal(length, (HSM_ACTIONS - 1) * sizeof(quorum));
	for (uint32_t i = 1; i < HSM_ACTIONS; i++) {
		bool two = i == HSM_ACTION_DESTROY || i == HSM_ACTION_RELAX ||
			   i == HSM_ACTION_ROLES;

		memcpy(&quorum, field + (i - 1) * sizeof(quorum), sizeof(quorum));
		assert_int_equal(le32toh(quorum.action), i);
		assert_int_equal(le32toh(quorum.needed), two ? 2 : 0);
		assert_int_equal(le32toh(quorum.given), 3);
	}
	peer_free(officer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFICER(a_removed_officer_does_not_count),
		OFFICER(a_quorum_is_lowered_by_itself_alone),
		OFFICER(the_pin_is_the_one_that_was_approved),
		OFFICER(the_pin_is_not_in_what_is_signed),
		OFFICER(one_officer_does_not_make_others),
		OFFICER(keys_that_cannot_approve_are_refused),
		OFFICER(a_key_is_one_officer_s_in_whatever_form),
		OFFICER(officers_have_names_and_pins_of_their_own),
		OFFICER(who_is_removed_is_no_officer_at_once),
		OFFICER(the_list_tells_who_can_approve),
	};

	return cmocka_run_group_tests(tests, approval_prepare, approval_finish);
}
