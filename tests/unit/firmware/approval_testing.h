/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Officers, owners and strangers with keys of all kinds that libcrypto has here, a device that asks them, and commands that they
 * approve: for test_approval.c, test_officers.c, test_owners.c.
 */
#ifndef APPROVAL_TESTING_H
#define APPROVAL_TESTING_H

#include "commands_testing.h"
#include <hsm/cose.h>
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

static inline EVP_PKEY *new_key(const char *type, const char *curve)
{
	return curve ? EVP_PKEY_Q_keygen(mech_libctx(), NULL, type, curve)
		     : EVP_PKEY_Q_keygen(mech_libctx(), NULL, type);
}

static inline int make_keys(void)
{
	keys[ANNA] = new_key("EC", "P-256");
	keys[BERT] = new_key("EC", "P-384");
	keys[CARL] = new_key("ED25519", NULL);
	keys[OWNER] = new_key("ML-DSA-65", NULL) ?: new_key("EC", "P-521");
	keys[STRANGER] = new_key("EC", "P-256");
	ERR_clear_error();
	return keys[ANNA] && keys[BERT] && keys[CARL] && keys[OWNER] && keys[STRANGER] ? 0 : -1;
}

static inline void free_keys(void)
{
	for (int i = 0; i < PEOPLE; i++)
		EVP_PKEY_free(keys[i]);
}

struct der {
	uint8_t *bytes;
	size_t length;
};

static inline struct der public_der(EVP_PKEY *key)
{
	struct der der = { 0 };
	int length = i2d_PUBKEY(key, &der.bytes);

	assert_true(length > 0);
	der.length = length;
	return der;
}

static inline void key_id(EVP_PKEY *key, uint8_t id[HSM_APPROVAL_ID_SIZE])
{
	struct der der = public_der(key);

	assert_int_equal(officer_key_id(der.bytes, der.length, id), 0);
	OPENSSL_free(der.bytes);
}

/* ---- the device ---- */

static inline int officer_setup(void **state)
{
	(void)state;
	board_clear();
	board.partition[0].exists = true;
	board.partition[0].info = (struct board_partition){ .name = "device" };
	board.hello = (struct board_hello){ .functions = 4,
					     .flags = BOARD_HELLO_EMBEDDED,
					     .min_security_version = 1 };
	memset(board.hello.board_id, 0xb0, sizeof(board.hello.board_id));
	return commands_start(&board.hello);
}

static inline struct peer *officer_new(void)
{
	struct peer *peer = peer_new(0);
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, SO_PIN, strlen(SO_PIN));
	assert_int_equal(peer_call(peer, HSM_OP_CLAIM, &out), CKR_OK);
	return peer;
}

static inline struct hsm_writer add_fields(struct peer *peer, const char *name, uint32_t role)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_NAME, name, strlen(name));
	hsm_put_u32(&out, HSM_FIELD_USER_ROLE, role);
	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, name, strlen(name));
	return out;
}

static inline CK_RV add_officer(struct peer *peer, const char *name, uint32_t role)
{
	struct hsm_writer out = add_fields(peer, name, role);

	return peer_call(peer, HSM_OP_OFFICER_ADD, &out);
}

static inline struct hsm_writer key_fields(struct peer *peer, const char *name, EVP_PKEY *key)
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

static inline CK_RV enroll(struct peer *peer, const char *name, EVP_PKEY *key)
{
	struct hsm_writer out = key_fields(peer, name, key);

	return peer_call(peer, HSM_OP_OFFICER_KEY, &out);
}

static inline struct hsm_writer quorum_fields(struct peer *peer, uint32_t action, uint64_t count)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u32(&out, HSM_FIELD_ACTION, action);
	hsm_put_u64(&out, HSM_FIELD_COUNT, count);
	return out;
}

static inline CK_RV set_quorum(struct peer *peer, uint32_t action, uint64_t count)
{
	struct hsm_writer out = quorum_fields(peer, action, count);

	return peer_call(peer, HSM_OP_QUORUM_SET, &out);
}

/* A device with three officers who have keys; two of them must agree to destroy and to relax. */
static inline struct peer *device_with_officers(void)
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

static inline void create(struct peer *officer, uint8_t id[PARTITION_ID_SIZE], EVP_PKEY *owner,
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

static inline void take_nonce(struct peer *peer, struct request *request)
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

static inline void begin(struct request *request, unsigned int operation, const struct hsm_writer *fields)
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

static inline void put_approval(struct request *request, const uint8_t *bytes, size_t length)
{
	struct hsm_record record = { .length = htole32(length) };

	hsm_put_raw(&request->list, &record, sizeof(record));
	hsm_put_raw(&request->list, bytes, length);
	assert_int_equal(request->list.error, 0);
}

static inline void sign(const struct hsm_approval *what, const struct hsm_cose_signer *signers,
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

static inline void approve_what(struct request *request, const struct hsm_approval *what, EVP_PKEY *key)
{
	uint8_t id[HSM_APPROVAL_ID_SIZE];
	const struct hsm_cose_signer signer = { .key = key, .kid = id, .kid_length = sizeof(id) };

	key_id(key, id);
	sign(what, &signer, 1, HSM_APPROVAL_TYPE, request);
}

static inline void approve(struct request *request, enum person person)
{
	approve_what(request, &request->what, keys[person]);
}

static inline CK_RV send_request(struct peer *peer, const struct request *request)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_raw(&out, request->text, request->length);
	hsm_put_bytes(&out, HSM_FIELD_APPROVALS, request->approvals, request->list.length);
	hsm_put_bytes(&out, HSM_FIELD_APPROVAL_NONCE, request->what.nonce,
		      sizeof(request->what.nonce));
	return peer_call(peer, request->what.operation, &out);
}

/* The answer names what is missing; verdicts of at most four signatures, ended by VERDICTS */
static inline void assert_missing(struct peer *peer, uint32_t needed, uint32_t given, uint32_t flags,
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

static inline struct hsm_writer named(struct peer *peer, const uint8_t *id)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_PARTITION, id, PARTITION_ID_SIZE);
	return out;
}

static inline void begin_destroy(struct peer *peer, struct request *request, const uint8_t *id)
{
	struct hsm_writer out = named(peer, id);

	begin(request, HSM_OP_PARTITION_DESTROY, &out);
	take_nonce(peer, request);
}

static inline void begin_relax(struct peer *peer, struct request *request, const uint8_t *id)
{
	struct hsm_writer out = named(peer, id);

	hsm_put_u64(&out, HSM_FIELD_FLAGS, HSM_UPDATE_RELAX);
	hsm_put_u32(&out, HSM_FIELD_PROFILE, HSM_PROFILE_LEGACY);
	begin(request, HSM_OP_PARTITION_UPDATE, &out);
	take_nonce(peer, request);
}

/* The command is refused for want of approvals, and the answer says which. */
static inline void assert_refused(struct peer *peer, const struct request *request, uint32_t needed,
				  uint32_t given, uint32_t flags, const uint32_t *verdicts)
{
	assert_int_equal(send_request(peer, request), CKR_ACTION_PROHIBITED);
	assert_missing(peer, needed, given, flags, verdicts);
}

typedef void (*request_begin)(struct peer *peer, struct request *request, const uint8_t *id);

/* A device with officers, and a command about a new partition that Anna and Bert approve */
static inline struct peer *approved_by_two(struct request *request, request_begin begin_it,
					   uint8_t id[PARTITION_ID_SIZE])
{
	struct peer *officer = device_with_officers();

	create(officer, id, NULL, 0);
	begin_it(officer, request, id);
	approve(request, ANNA);
	approve(request, BERT);
	return officer;
}

static inline int approval_prepare(void **state)
{
	return board_prepare(state) || make_keys();
}

static inline int approval_finish(void **state)
{
	free_keys();
	return board_finish(state);
}

#define OFFICER(name) cmocka_unit_test_setup_teardown(name, officer_setup, board_teardown)

#endif /* APPROVAL_TESTING_H */
