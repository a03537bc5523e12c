// SPDX-License-Identifier: Apache-2.0
/*
 * Approvals at the device command: who counts, what counts, and what an attacker would make count. Officers sign with keys of
 * all kinds that libcrypto has here.
 */
#include "commands_testing.h"
#include <hsm/cose.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include "approval.h"
#include "officers.h"

/* ---- people ---- */

enum person {
	ANNA,
	BERT,
	CARL,
	OWNER,
	STRANGER,
	PEOPLE
};

static const char *const names[] = { "anna", "bert", "carl" };
static EVP_PKEY *keys[PEOPLE];

static EVP_PKEY *new_key(const char *type, const char *curve)
{
	return curve ? EVP_PKEY_Q_keygen(mech_libctx(), NULL, type, curve)
		     : EVP_PKEY_Q_keygen(mech_libctx(), NULL, type);
}

static int make_keys(void)
{
	keys[ANNA] = new_key("EC", "P-256");
	keys[BERT] = new_key("EC", "P-384");
	keys[CARL] = new_key("ED25519", NULL);
	keys[OWNER] = new_key("ML-DSA-65", NULL) ?: new_key("EC", "P-521");
	keys[STRANGER] = new_key("EC", "P-256");
	ERR_clear_error();
	return keys[ANNA] && keys[BERT] && keys[CARL] && keys[OWNER] && keys[STRANGER] ? 0 : -1;
}

static void free_keys(void)
{
	for (int i = 0; i < PEOPLE; i++)
		EVP_PKEY_free(keys[i]);
}

struct der {
	uint8_t *bytes;
	size_t length;
};

static struct der public_der(EVP_PKEY *key)
{
	struct der der = { 0 };
	int length = i2d_PUBKEY(key, &der.bytes);

	assert_true(length > 0);
	der.length = length;
	return der;
}

static void key_id(EVP_PKEY *key, uint8_t id[HSM_APPROVAL_ID_SIZE])
{
	struct der der = public_der(key);

	assert_int_equal(officer_key_id(der.bytes, der.length, id), 0);
	OPENSSL_free(der.bytes);
}

/* ---- the device ---- */

static int officer_setup(void **state)
{
	(void)state;
	board_clear();
	board.partition[0].exists = true;
	board.partition[0].info = (struct board_partition){ .name = "device" };
	board.hello = (struct board_hello){ .functions = 4, .flags = BOARD_HELLO_EMBEDDED };
	memset(board.hello.board_id, 0xb0, sizeof(board.hello.board_id));
	return commands_start(&board.hello);
}

static struct peer *officer_new(void)
{
	struct peer *peer = peer_new(0);
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, SO_PIN, strlen(SO_PIN));
	assert_int_equal(peer_call(peer, HSM_OP_CLAIM, &out), CKR_OK);
	return peer;
}

static struct hsm_writer add_fields(struct peer *peer, const char *name, uint32_t role)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_NAME, name, strlen(name));
	hsm_put_u32(&out, HSM_FIELD_USER_ROLE, role);
	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, name, strlen(name));
	return out;
}

static CK_RV add_officer(struct peer *peer, const char *name, uint32_t role)
{
	struct hsm_writer out = add_fields(peer, name, role);

	return peer_call(peer, HSM_OP_OFFICER_ADD, &out);
}

static struct hsm_writer key_fields(struct peer *peer, const char *name, EVP_PKEY *key)
{
	struct hsm_writer out = peer_fields(peer);
	struct der der = { 0 };

	if (key)
		der = public_der(key);
	if (name)
		hsm_put_bytes(&out, HSM_FIELD_NAME, name, strlen(name));
	hsm_put_bytes(&out, HSM_FIELD_PUBLIC_KEY, der.bytes, der.length);
	OPENSSL_free(der.bytes);
	return out;
}

static CK_RV enroll(struct peer *peer, const char *name, EVP_PKEY *key)
{
	struct hsm_writer out = key_fields(peer, name, key);

	return peer_call(peer, HSM_OP_OFFICER_KEY, &out);
}

static struct hsm_writer quorum_fields(struct peer *peer, uint32_t action, uint64_t count)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u32(&out, HSM_FIELD_ACTION, action);
	hsm_put_u64(&out, HSM_FIELD_COUNT, count);
	return out;
}

static CK_RV set_quorum(struct peer *peer, uint32_t action, uint64_t count)
{
	struct hsm_writer out = quorum_fields(peer, action, count);

	return peer_call(peer, HSM_OP_QUORUM_SET, &out);
}

/* A device with three officers who have keys; two of them must agree to destroy and to relax. */
static struct peer *device_with_officers(void)
{
	struct peer *peer = officer_new();

	for (int i = ANNA; i <= CARL; i++) {
		assert_int_equal(add_officer(peer, names[i], ROLE_OFFICER), CKR_OK);
		assert_int_equal(enroll(peer, names[i], keys[i]), CKR_OK);
	}
	assert_int_equal(set_quorum(peer, HSM_ACTION_DESTROY, 2), CKR_OK);
	assert_int_equal(set_quorum(peer, HSM_ACTION_RELAX, 2), CKR_OK);
	return peer;
}

static void create(struct peer *officer, uint8_t id[PARTITION_ID_SIZE], EVP_PKEY *owner,
		   uint32_t approves)
{
	struct hsm_writer out = peer_fields(officer);
	struct der der;
	const uint8_t *field;
	size_t length;

	hsm_put_bytes(&out, HSM_FIELD_NAME, "tenant", 6);
	if (owner) {
		der = public_der(owner);
		hsm_put_bytes(&out, HSM_FIELD_OWNER_KEY, der.bytes, der.length);
		hsm_put_u32(&out, HSM_FIELD_OWNER_APPROVES, approves);
		OPENSSL_free(der.bytes);
	}
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_CREATE, &out), CKR_OK);
	field = hsm_fields_bytes(&officer->fields, HSM_FIELD_PARTITION, &length);
	memcpy(id, field, PARTITION_ID_SIZE);
}

/* ---- requests and approvals ---- */

/**
 * struct request - a command that people are asked to approve
 * @text: its fields
 */
struct request {
	struct hsm_approval what;
	uint8_t text[16384];
	size_t length;
	uint8_t approvals[32768];
	struct hsm_writer list;
};

static void take_nonce(struct peer *peer, struct request *request)
{
	const uint8_t *nonce;
	size_t length;

	assert_int_equal(peer_call(peer, HSM_OP_APPROVAL_NONCE, NULL), CKR_OK);
	assert_int_equal(peer_u64(peer, HSM_FIELD_COUNT), HSM_APPROVAL_SECONDS);
	nonce = hsm_fields_bytes(&peer->fields, HSM_FIELD_APPROVAL_NONCE, &length);
	assert_int_equal(length, sizeof(request->what.nonce));
	memcpy(request->what.nonce, nonce, length);
	request->what.has_nonce = true;
}

static void begin(struct request *request, unsigned int operation, const struct hsm_writer *fields)
{
	memset(request, 0, sizeof(*request));
	request->what.operation = operation;
	memset(request->what.board, 0xb0, sizeof(request->what.board));
	assert_true(fields->length <= sizeof(request->text));
	memcpy(request->text, fields->data, fields->length);
	request->length = fields->length;
	assert_int_equal(hsm_fields_parse(&request->what.fields, request->text, request->length),
			 0);
	hsm_writer_init(&request->list, request->approvals, sizeof(request->approvals));
}

static void put_approval(struct request *request, const uint8_t *bytes, size_t length)
{
	struct hsm_record record = { .length = htole32(length) };

	hsm_put_raw(&request->list, &record, sizeof(record));
	hsm_put_raw(&request->list, bytes, length);
	assert_int_equal(request->list.error, 0);
}

static void sign(const struct hsm_approval *what, const struct hsm_cose_signer *signers,
		 size_t count, const char *type, struct request *request)
{
	uint8_t *payload, *message;
	size_t length, size;

	assert_int_equal(hsm_approval_build(what, &payload, &length), 0);
	assert_int_equal(hsm_cose_sign(mech_libctx(), signers, count, type, payload, length, NULL,
				       0, &message, &size),
			 0);
	put_approval(request, message, size);
	free(payload);
	free(message);
}

static void approve_what(struct request *request, const struct hsm_approval *what, EVP_PKEY *key)
{
	uint8_t id[HSM_APPROVAL_ID_SIZE];
	const struct hsm_cose_signer signer = { .key = key, .kid = id, .kid_length = sizeof(id) };

	key_id(key, id);
	sign(what, &signer, 1, HSM_APPROVAL_TYPE, request);
}

static void approve(struct request *request, enum person person)
{
	approve_what(request, &request->what, keys[person]);
}

static CK_RV send_request(struct peer *peer, const struct request *request)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_raw(&out, request->text, request->length);
	hsm_put_bytes(&out, HSM_FIELD_APPROVALS, request->approvals, request->list.length);
	hsm_put_bytes(&out, HSM_FIELD_APPROVAL_NONCE, request->what.nonce,
		      sizeof(request->what.nonce));
	return peer_call(peer, request->what.operation, &out);
}

/* The answer names what is missing; verdicts of at most four signatures, ended by VERDICTS */
static void assert_missing(struct peer *peer, uint32_t needed, uint32_t given, uint32_t flags,
			   const uint32_t *verdicts)
{
	struct hsm_quorum_status status;
	const uint8_t *field;
	size_t length, i;

	field = hsm_fields_bytes(&peer->fields, HSM_FIELD_QUORUM, &length);
	assert_true(length >= sizeof(status));
	memcpy(&status, field, sizeof(status));
	assert_int_equal(le32toh(status.needed), needed);
	assert_int_equal(le32toh(status.given), given);
	assert_int_equal(le32toh(status.flags), flags);
	for (i = 0; verdicts[i] != HSM_VERDICTS; i++) {
		assert_true(length >= sizeof(status) + (i + 1) * 4);
		assert_int_equal(hsm_get_le32(field + sizeof(status) + i * 4), verdicts[i]);
	}
	assert_int_equal(length, sizeof(status) + i * 4);
}

#define VERDICTS(...) ((const uint32_t[]){ __VA_ARGS__, HSM_VERDICTS })
#define NO_VERDICTS   ((const uint32_t[]){ HSM_VERDICTS })

static struct hsm_writer named(struct peer *peer, const uint8_t *id)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_PARTITION, id, PARTITION_ID_SIZE);
	return out;
}

static void begin_destroy(struct peer *peer, struct request *request, const uint8_t *id)
{
	struct hsm_writer out = named(peer, id);

	begin(request, HSM_OP_PARTITION_DESTROY, &out);
	take_nonce(peer, request);
}

static void begin_relax(struct peer *peer, struct request *request, const uint8_t *id)
{
	struct hsm_writer out = named(peer, id);

	hsm_put_u64(&out, HSM_FIELD_FLAGS, HSM_UPDATE_RELAX);
	hsm_put_u32(&out, HSM_FIELD_PROFILE, HSM_PROFILE_LEGACY);
	begin(request, HSM_OP_PARTITION_UPDATE, &out);
	take_nonce(peer, request);
}

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
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 0, 0, NO_VERDICTS);
	approve(&request, BERT);
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 1, 0, VERDICTS(HSM_VERDICT_GOOD));
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
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 1, 0, VERDICTS(HSM_VERDICT_GOOD, HSM_VERDICT_TWICE));
	/* Twice in one message */
	begin_destroy(officer, &request, id);
	key_id(keys[ANNA], anna);
	twice[0] = twice[1] = (struct hsm_cose_signer){ .key = keys[ANNA],
							.kid = anna,
							.kid_length = sizeof(anna) };
	sign(&request.what, twice, 2, HSM_APPROVAL_TYPE, &request);
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 1, 0, VERDICTS(HSM_VERDICT_GOOD, HSM_VERDICT_TWICE));
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
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 1, 0,
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
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 1, 0,
		       VERDICTS(HSM_VERDICT_GOOD, HSM_VERDICT_REQUEST, HSM_VERDICT_REQUEST,
				HSM_VERDICT_REQUEST, HSM_VERDICT_REQUEST, HSM_VERDICT_REQUEST,
				HSM_VERDICT_REQUEST));
	assert_int_equal(board.destroyed, 0);
	peer_free(officer);
}

/* Approved was a weaker policy; what is sent asks for one that is weaker still. */
static void what_is_sent_is_what_was_signed(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;
	struct hsm_writer out;

	(void)state;
	create(officer, id, NULL, 0);
	begin_relax(officer, &request, id);
	approve(&request, ANNA);
	approve(&request, BERT);
	hsm_writer_init(&out, request.text, sizeof(request.text));
	out.length = request.length;
	hsm_put_number(&out, HSM_FIELD_MIN, 4);
	request.length = out.length;
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 0, 0, VERDICTS(HSM_VERDICT_REQUEST, HSM_VERDICT_REQUEST));
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
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 0, 0,
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
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;
	struct hsm_writer out;

	(void)state;
	create(officer, id, NULL, 0);
	begin_relax(officer, &request, id);
	approve(&request, ANNA);
	approve(&request, BERT);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	out = named(officer, id);
	hsm_put_u32(&out, HSM_FIELD_PROFILE, HSM_PROFILE_STRICT);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_UPDATE, &out), CKR_OK);
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 0, 0, VERDICTS(HSM_VERDICT_NONCE, HSM_VERDICT_NONCE));
	peer_free(officer);
}

static void approvals_expire(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;

	(void)state;
	create(officer, id, NULL, 0);
	begin_destroy(officer, &request, id);
	approve(&request, ANNA);
	approve(&request, BERT);
	test_time += HSM_APPROVAL_SECONDS * 1000ULL;
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 0, 0, VERDICTS(HSM_VERDICT_NONCE, HSM_VERDICT_NONCE));
	/* A moment before it would have done. */
	test_time--;
	assert_int_equal(send_request(officer, &request), CKR_OK);
	peer_free(officer);
}

static void nonces_that_nobody_uses_make_room(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE];
	static struct request first, last;

	(void)state;
	create(officer, id, NULL, 0);
	begin_destroy(officer, &first, id);
	approve(&first, ANNA);
	approve(&first, BERT);
	for (int i = 0; i < OFFICER_NONCES_MAX; i++)
		begin_destroy(officer, &last, id);
	assert_int_equal(send_request(officer, &first), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 0, 0, VERDICTS(HSM_VERDICT_NONCE, HSM_VERDICT_NONCE));
	approve(&last, ANNA);
	approve(&last, BERT);
	assert_int_equal(send_request(officer, &last), CKR_OK);
	peer_free(officer);
}

static void quorums_keys_and_nonces_outlive_the_firmware(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request, used;

	(void)state;
	create(officer, id, NULL, 0);
	begin_relax(officer, &used, id);
	approve(&used, ANNA);
	approve(&used, BERT);
	assert_int_equal(send_request(officer, &used), CKR_OK);
	begin_destroy(officer, &request, id);
	approve(&request, ANNA);
	peer_free(officer);
	board_restart();
	officer = peer_new(0);
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 1, 0, VERDICTS(HSM_VERDICT_GOOD));
	assert_int_equal(send_request(officer, &used), CKR_OK); /* no relaxation any more */
	approve(&request, CARL);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	peer_free(officer);
}

/* What is not on the disk has not been approved. */
static void a_nonce_that_cannot_be_used_up_approves_nothing(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;

	(void)state;
	create(officer, id, NULL, 0);
	begin_destroy(officer, &request, id);
	approve(&request, ANNA);
	approve(&request, BERT);
	board.fail_commit = ENOSPC;
	assert_int_not_equal(send_request(officer, &request), CKR_OK);
	assert_int_equal(board.destroyed, 0);
	board.fail_commit = 0;
	assert_int_equal(send_request(officer, &request), CKR_OK);
	peer_free(officer);
}

/* ---- who decides who decides ---- */

static void a_removed_officer_does_not_count(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request, removal;
	struct hsm_writer out;

	(void)state;
	create(officer, id, NULL, 0);
	begin_destroy(officer, &request, id);
	approve(&request, ANNA);
	approve(&request, BERT);
	out = peer_fields(officer);
	hsm_put_bytes(&out, HSM_FIELD_NAME, "bert", 4);
	begin(&removal, HSM_OP_OFFICER_REMOVE, &out);
	take_nonce(officer, &removal);
	approve(&removal, ANNA);
	assert_int_equal(send_request(officer, &removal), CKR_ACTION_PROHIBITED);
	approve(&removal, CARL);
	assert_int_equal(send_request(officer, &removal), CKR_OK);
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 1, 0, VERDICTS(HSM_VERDICT_GOOD, HSM_VERDICT_KEY));
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
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 1, 0, VERDICTS(HSM_VERDICT_GOOD));
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
	/* The PIN is no part of what is signed. */
	out = add_fields(officer, "dora", ROLE_OFFICER);
	begin(&request, HSM_OP_OFFICER_ADD, &out);
	take_nonce(officer, &request);
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

/* ---- owners ---- */

static void an_owner_is_asked(void **state)
{
	struct peer *officer = officer_new();
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;

	(void)state;
	create(officer, id, keys[OWNER], 1);
	begin_destroy(officer, &request, id);
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 0, 0, HSM_QUORUM_OWNER, NO_VERDICTS);
	approve(&request, STRANGER);
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 0, 0, HSM_QUORUM_OWNER, VERDICTS(HSM_VERDICT_KEY));
	approve(&request, OWNER);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	peer_free(officer);
}

static void officers_and_owner_are_both_asked(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;

	(void)state;
	create(officer, id, keys[OWNER], 1);
	begin_destroy(officer, &request, id);
	approve(&request, OWNER);
	approve(&request, OWNER);
	approve(&request, BERT);
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 1, HSM_QUORUM_OWNER | HSM_QUORUM_OWNER_GIVEN,
		       VERDICTS(HSM_VERDICT_GOOD, HSM_VERDICT_TWICE, HSM_VERDICT_GOOD));
	begin_destroy(officer, &request, id);
	approve(&request, ANNA);
	approve(&request, BERT);
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	assert_missing(officer, 2, 2, HSM_QUORUM_OWNER,
		       VERDICTS(HSM_VERDICT_GOOD, HSM_VERDICT_GOOD));
	approve(&request, OWNER);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	peer_free(officer);
}

/* Who could change the owner, or what the owner is asked, would need no owner. */
static void an_owner_is_not_talked_away(void **state)
{
	struct peer *officer = officer_new();
	uint8_t id[PARTITION_ID_SIZE];
	static struct request request;
	struct hsm_writer out;
	struct der der;
	int i;

	(void)state;
	create(officer, id, keys[OWNER], 1);
	der = public_der(keys[STRANGER]);
	for (i = 0; i < 4; i++) {
		out = named(officer, id);
		hsm_put_u64(&out, HSM_FIELD_FLAGS, HSM_UPDATE_RELAX);
		if (i == 0)
			hsm_put_bytes(&out, HSM_FIELD_OWNER_KEY, NULL, 0);
		else if (i == 1)
			hsm_put_bytes(&out, HSM_FIELD_OWNER_KEY, der.bytes, der.length);
		else if (i == 2)
			hsm_put_u32(&out, HSM_FIELD_OWNER_APPROVES, 0);
		else
			hsm_put_u32(&out, HSM_FIELD_OWNER_APPROVES, 6);
		begin(&request, HSM_OP_PARTITION_UPDATE, &out);
		take_nonce(officer, &request);
		assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
		assert_missing(officer, 0, 0, HSM_QUORUM_OWNER, NO_VERDICTS);
	}
	/* More to be asked for is nobody's loss. */
	out = named(officer, id);
	hsm_put_u32(&out, HSM_FIELD_OWNER_APPROVES, 5);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_UPDATE, &out), CKR_OK);
	/* With the owner's word there is another one. */
	out = named(officer, id);
	hsm_put_u64(&out, HSM_FIELD_FLAGS, HSM_UPDATE_RELAX);
	hsm_put_bytes(&out, HSM_FIELD_OWNER_KEY, der.bytes, der.length);
	begin(&request, HSM_OP_PARTITION_UPDATE, &out);
	take_nonce(officer, &request);
	approve(&request, OWNER);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	begin_destroy(officer, &request, id);
	approve(&request, OWNER);
	assert_int_equal(send_request(officer, &request), CKR_ACTION_PROHIBITED);
	approve(&request, STRANGER);
	assert_int_equal(send_request(officer, &request), CKR_OK);
	OPENSSL_free(der.bytes);
	peer_free(officer);
}

static void an_owner_s_key_is_one(void **state)
{
	struct peer *officer = officer_new();
	uint8_t id[PARTITION_ID_SIZE];
	struct hsm_writer out = peer_fields(officer);
	struct der der;

	(void)state;
	hsm_put_bytes(&out, HSM_FIELD_NAME, "tenant", 6);
	hsm_put_bytes(&out, HSM_FIELD_OWNER_KEY, "rubbish", 7);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_CREATE, &out), CKR_ARGUMENTS_BAD);
	/* An owner comes later only on purpose: it is one more who can say no. */
	create(officer, id, NULL, 0);
	out = named(officer, id);
	der = public_der(keys[OWNER]);
	hsm_put_bytes(&out, HSM_FIELD_OWNER_KEY, der.bytes, der.length);
	OPENSSL_free(der.bytes);
	assert_int_equal(peer_call(officer, HSM_OP_PARTITION_UPDATE, &out), CKR_ACTION_PROHIBITED);
	assert_null(hsm_fields_find(&officer->fields, HSM_FIELD_QUORUM));
	peer_free(officer);
}

/* ---- grants ---- */

/* A partition's own process has no officers: it is told by the board what they have granted. */
static CK_RV check_in_partition(const uint8_t *id, uint64_t flags)
{
	struct partition partition = { 0 };
	struct task task = { 0 };
	struct client client = { 0 };
	struct command command = { .task = &task, .client = &client, .partition = &partition };
	uint8_t text[64];
	struct hsm_writer out;

	memcpy(partition.info.id, id, PARTITION_ID_SIZE);
	command.info = hsm_operation_find(HSM_OP_PARTITION_UPDATE);
	hsm_writer_init(&out, text, sizeof(text));
	hsm_put_u64(&out, HSM_FIELD_FLAGS, flags);
	assert_int_equal(hsm_fields_parse(&command.fields, text, out.length), 0);
	return approval_check(&command, NULL);
}

static void begin_grant(struct peer *officer, struct request *request, const uint8_t *id)
{
	struct hsm_writer out = peer_fields(officer);

	hsm_put_u64(&out, HSM_FIELD_FLAGS, 1);
	begin(request, HSM_OP_PARTITION_UPDATE, &out);
	memcpy(request->what.partition, id, PARTITION_ID_SIZE);
	take_nonce(officer, request);
}

static CK_RV send_grant(struct peer *officer, struct request *request)
{
	struct hsm_approval plain = request->what;
	struct hsm_writer out = peer_fields(officer);
	uint8_t *bytes;
	size_t length;

	plain.has_nonce = false;
	assert_int_equal(hsm_approval_build(&plain, &bytes, &length), 0);
	hsm_put_bytes(&out, HSM_FIELD_DATA, bytes, length);
	hsm_put_bytes(&out, HSM_FIELD_APPROVALS, request->approvals, request->list.length);
	hsm_put_bytes(&out, HSM_FIELD_APPROVAL_NONCE, request->what.nonce, 32);
	free(bytes);
	return peer_call(officer, HSM_OP_APPROVAL_GRANT, &out);
}

static void a_partition_does_what_was_granted_once(void **state)
{
	struct peer *officer = device_with_officers();
	uint8_t id[PARTITION_ID_SIZE], other[PARTITION_ID_SIZE];
	static struct request request;

	(void)state;
	create(officer, id, NULL, 0);
	create(officer, other, NULL, 0);
	assert_int_equal(check_in_partition(id, 1), CKR_ACTION_PROHIBITED);
	begin_grant(officer, &request, id);
	approve(&request, ANNA);
	assert_int_equal(send_grant(officer, &request), CKR_ACTION_PROHIBITED);
	assert_int_equal(check_in_partition(id, 1), CKR_ACTION_PROHIBITED);
	approve(&request, CARL);
	assert_int_equal(send_grant(officer, &request), CKR_OK);
	assert_int_equal(check_in_partition(other, 1), CKR_ACTION_PROHIBITED);
	assert_int_equal(check_in_partition(id, 0), CKR_ACTION_PROHIBITED);
	assert_int_equal(check_in_partition(id, 1), CKR_OK);
	assert_int_equal(check_in_partition(id, 1), CKR_ACTION_PROHIBITED);
	assert_int_equal(send_grant(officer, &request), CKR_ACTION_PROHIBITED);
	peer_free(officer);
}

static void what_cannot_be_granted(void **state)
{
	struct peer *officer = officer_new();
	uint8_t id[PARTITION_ID_SIZE];
	static const uint8_t device[PARTITION_ID_SIZE], nobody[PARTITION_ID_SIZE] = { 9 };
	static struct request request;

	(void)state;
	create(officer, id, NULL, 0);
	begin_grant(officer, &request, device);
	assert_int_equal(send_grant(officer, &request), CKR_ARGUMENTS_BAD);
	begin_grant(officer, &request, nobody);
	assert_int_equal(send_grant(officer, &request), CKR_OBJECT_HANDLE_INVALID);
	begin_grant(officer, &request, id);
	request.what.board[0] ^= 1;
	assert_int_equal(send_grant(officer, &request), CKR_ARGUMENTS_BAD);
	request.what.board[0] ^= 1;
	assert_int_equal(send_grant(officer, &request), CKR_OK);
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

static int prepare(void **state)
{
	return board_prepare(state) || make_keys();
}

static int finish(void **state)
{
	free_keys();
	return board_finish(state);
}

#define OFFICER(name) cmocka_unit_test_setup_teardown(name, officer_setup, board_teardown)

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
		OFFICER(a_removed_officer_does_not_count),
		OFFICER(a_quorum_is_lowered_by_itself_alone),
		OFFICER(one_officer_does_not_make_others),
		OFFICER(keys_that_cannot_approve_are_refused),
		OFFICER(a_key_is_one_officer_s_in_whatever_form),
		OFFICER(officers_have_names_and_pins_of_their_own),
		OFFICER(who_is_removed_is_no_officer_at_once),
		OFFICER(the_list_tells_who_can_approve),
		OFFICER(an_owner_is_asked),
		OFFICER(officers_and_owner_are_both_asked),
		OFFICER(an_owner_is_not_talked_away),
		OFFICER(an_owner_s_key_is_one),
		OFFICER(a_partition_does_what_was_granted_once),
		OFFICER(what_cannot_be_granted),
		OFFICER(only_one_form_is_read),
		OFFICER(long_fields_are_signed_by_their_hash),
	};

	return cmocka_run_group_tests(tests, prepare, finish);
}
