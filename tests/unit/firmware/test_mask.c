// SPDX-License-Identifier: Apache-2.0
/*
 * Masked keys: they come back as they went, nothing brings back one that was destroyed, and what is not a masked key of
 * this partition is refused, whatever it looks like.
 */
#include "object_testing.h"
#include "mask.h"
#include "users.h"

struct blob {
	size_t length;
	uint8_t data[8192];
};

static CK_RV mask(struct peer *peer, uint64_t handle, struct blob *blob)
{
	CK_RV rv = with_key(peer, HSM_OP_OBJECT_MASK, handle);
	const uint8_t *data;

	if (rv != CKR_OK)
		return rv;
	data = hsm_fields_bytes(&peer->fields, HSM_FIELD_MASKED, &blob->length);
	assert_non_null(data);
	assert_true(blob->length <= sizeof(blob->data));
	memcpy(blob->data, data, blob->length);
	return CKR_OK;
}

static CK_RV with_blob(struct peer *peer, unsigned int operation, const struct blob *blob)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_MASKED, blob->data, blob->length);
	return peer_call(peer, operation, &out);
}

static CK_RV unmask(struct peer *peer, const struct blob *blob, uint64_t *handle)
{
	CK_RV rv = with_blob(peer, HSM_OP_OBJECT_UNMASK, blob);

	if (rv == CKR_OK)
		*handle = peer_u64(peer, HSM_FIELD_HANDLE);
	return rv;
}

static CK_RV remask(struct peer *peer, struct blob *blob)
{
	CK_RV rv = with_blob(peer, HSM_OP_OBJECT_REMASK, blob);
	const uint8_t *data;

	if (rv != CKR_OK)
		return rv;
	data = hsm_fields_bytes(&peer->fields, HSM_FIELD_MASKED, &blob->length);
	memcpy(blob->data, data, blob->length);
	return CKR_OK;
}

/* What AES-ECB makes of a block of zeroes: which key is it? */
static void fingerprint(struct peer *peer, uint64_t handle, uint8_t out[16])
{
	static const uint8_t zero[16];
	struct hsm_writer fields = peer_fields(peer);
	const uint8_t *data;
	size_t length;

	hsm_put_u64(&fields, HSM_FIELD_KEY, handle);
	hsm_put_u64(&fields, HSM_FIELD_MECHANISM, CKM_AES_ECB);
	assert_int_equal(peer_call(peer, HSM_OP_ENCRYPT_INIT, &fields), CKR_OK);
	fields = peer_fields(peer);
	hsm_put_bytes(&fields, HSM_FIELD_DATA, zero, sizeof(zero));
	hsm_put_u64(&fields, HSM_FIELD_OUT_MAX, 64);
	assert_int_equal(peer_call(peer, HSM_OP_ENCRYPT, &fields), CKR_OK);
	data = hsm_fields_bytes(&peer->fields, HSM_FIELD_DATA, &length);
	assert_int_equal(length, 16);
	memcpy(out, data, 16);
}

static uint64_t session_aes(struct peer *peer)
{
	uint64_t handle;

	assert_int_equal(generate_aes(peer,
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), A_TEXT(CKA_LABEL, "m"),
					     A_TRUE(CKA_PRIVATE), A_TRUE(CKA_SENSITIVE),
					     A_TRUE(CKA_ENCRYPT)),
				      &handle),
			 CKR_OK);
	return handle;
}

static void masked_keys_come_back_as_they_went(void **state)
{
	static const uint64_t history[] = {
		CKA_LOCAL,     CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE,
		CKA_SENSITIVE, CKA_PRIVATE,	     CKA_ENCRYPT
	};
	struct peer *peer = peer_user(0);
	uint64_t handle = session_aes(peer), again, twice;
	struct blob blob, second;
	uint8_t one[16], other[16];

	(void)state;
	fingerprint(peer, handle, one);
	assert_int_equal(mask(peer, handle, &blob), CKR_OK);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_DESTROY, handle), CKR_OK);
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "m")), 0);
	peer_free(peer);
	board_restart();
	peer = peer_user(0);
	assert_int_equal(unmask(peer, &blob, &again), CKR_OK);
	fingerprint(peer, again, other);
	assert_memory_equal(one, other, 16);
	for (size_t i = 0; i < sizeof(history) / sizeof(history[0]); i++)
		assert_true(get_bool(peer, again, history[i]));
	assert_false(get_bool(peer, again, CKA_TOKEN));
	assert_false(get_bool(peer, again, CKA_MODIFIABLE));
	/* Any number of times; as another object each time */
	assert_int_equal(unmask(peer, &blob, &twice), CKR_OK);
	assert_int_not_equal(again, twice);
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "m")), 2);
	/* And masked again it is the same key, under the same id. */
	assert_int_equal(mask(peer, twice, &second), CKR_OK);
	assert_int_equal(get_ulong(peer, again, CKA_HSM_MASK_ID),
			 get_ulong(peer, twice, CKA_HSM_MASK_ID));
	peer_free(peer);
}

static void one_may_mask_what_one_may_copy(void **state)
{
	struct peer *peer = peer_user(0);
	struct blob blob;
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer, DATA(A_TEXT(CKA_LABEL, "d")), &handle), CKR_OK);
	assert_int_equal(mask(peer, handle, &blob), CKR_KEY_HANDLE_INVALID);
	assert_int_equal(mask(peer, 12345, &blob), CKR_KEY_HANDLE_INVALID);
	assert_int_equal(generate_aes(peer, A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), A_TRUE(CKA_TOKEN)),
				      &handle),
			 CKR_OK);
	assert_int_equal(mask(peer, handle, &blob), CKR_ACTION_PROHIBITED);
	assert_int_equal(generate_aes(peer,
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), A_FALSE(CKA_COPYABLE)),
				      &handle),
			 CKR_OK);
	assert_int_equal(mask(peer, handle, &blob), CKR_ACTION_PROHIBITED);
	assert_int_equal(
		generate_aes(peer,
			     A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), A_NUMBER(CKA_HSM_USE_LIMIT, 5)),
			     &handle),
		CKR_OK);
	assert_int_equal(mask(peer, handle, &blob), CKR_ACTION_PROHIBITED);
	peer_free(peer);
}

/* Attack: change a bit, and hope for another key, other attributes, another epoch. */
static void attack_changed_masked_keys_are_refused(void **state)
{
	struct peer *peer = peer_user(0);
	struct blob blob, bad;
	uint64_t handle;

	(void)state;
	assert_int_equal(mask(peer, session_aes(peer), &blob), CKR_OK);
	assert_int_equal(unmask(peer, &blob, &handle), CKR_OK);
	for (size_t i = 0; i < blob.length; i++) {
		bad = blob;
		bad.data[i] ^= (uint8_t)(1 << (i % 8));
		assert_int_equal(unmask(peer, &bad, &handle), CKR_WRAPPED_KEY_INVALID);
	}
	for (size_t length = 0; length < blob.length; length += 7) {
		bad = blob;
		bad.length = length;
		assert_int_equal(unmask(peer, &bad, &handle), CKR_WRAPPED_KEY_INVALID);
		assert_int_equal(with_blob(peer, HSM_OP_MASK_REVOKE, &bad),
				 CKR_WRAPPED_KEY_INVALID);
	}
	bad = blob;
	bad.length++;
	assert_int_equal(unmask(peer, &bad, &handle), CKR_WRAPPED_KEY_INVALID);
	peer_free(peer);
}

/* Attack: carry a masked key into another partition, or load it without the login that it was made under. */
static void attack_masked_keys_stay_in_their_partition(void **state)
{
	struct peer *peer = peer_user(0), *other = peer_user(1), *public;
	struct blob blob, open;
	uint64_t handle;

	(void)state;
	assert_int_equal(mask(peer, session_aes(peer), &blob), CKR_OK);
	assert_int_equal(unmask(other, &blob, &handle), CKR_WRAPPED_KEY_INVALID);
	assert_int_equal(remask(other, &blob), CKR_WRAPPED_KEY_INVALID);
	/* One that is not private neither */
	assert_int_equal(create(peer, KEY(A_FALSE(CKA_PRIVATE)), &handle), CKR_OK);
	assert_int_equal(mask(peer, handle, &open), CKR_OK);
	assert_int_equal(unmask(other, &open, &handle), CKR_WRAPPED_KEY_INVALID);
	public = peer_new(0);
	assert_int_equal(peer_session(public, true), CKR_OK);
	assert_int_equal(unmask(public, &open, &handle), CKR_OK);
	/* With a user logged in elsewhere in the partition, and with none */
	assert_int_equal(unmask(public, &blob, &handle), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(remask(public, &blob), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(with_blob(public, HSM_OP_MASK_REVOKE, &blob), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(unmask(public, &blob, &handle), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(peer_login(public, CKU_SO, SO_PIN), CKR_OK);
	assert_int_equal(unmask(public, &blob, &handle), CKR_USER_NOT_LOGGED_IN);
	peer_free(public);
	peer_free(peer);
	peer_free(other);
}

/* Attack: keep a copy of what is destroyed, and put it back. */
static void attack_destroyed_masked_keys_stay_destroyed(void **state)
{
	struct peer *peer = peer_user(0), *other = peer_user(0);
	unsigned int advances;
	struct blob blob, again, kept;
	uint64_t handle, mine, copy;

	(void)state;
	mine = session_aes(peer);
	assert_int_equal(mask(peer, mine, &blob), CKR_OK);
	assert_int_equal(mask(peer, session_aes(peer), &kept), CKR_OK);
	assert_int_equal(unmask(peer, &blob, &mine), CKR_OK);
	assert_int_equal(unmask(other, &blob, &handle), CKR_OK);
	assert_int_equal(mask(other, handle, &again), CKR_OK);
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, mine, A_LIST(A_TEXT(CKA_LABEL, "c"))),
			 CKR_OK);
	copy = peer_u64(peer, HSM_FIELD_HANDLE);
	advances = board.advances;
	assert_int_equal(with_blob(peer, HSM_OP_MASK_REVOKE, &blob), CKR_OK);
	assert_int_equal(board.advances, advances + 1);
	/* What was loaded of it is gone, with everybody, and every form of it is refused. */
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, mine), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, copy), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(with_key(other, HSM_OP_OBJECT_SIZE, handle), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(unmask(peer, &blob, &handle), CKR_WRAPPED_KEY_INVALID);
	assert_int_equal(unmask(peer, &again, &handle), CKR_WRAPPED_KEY_INVALID);
	assert_int_equal(remask(peer, &again), CKR_WRAPPED_KEY_INVALID);
	assert_int_equal(unmask(peer, &kept, &handle), CKR_OK);
	peer_free(peer);
	peer_free(other);
	board_restart();
	peer = peer_user(0);
	assert_int_equal(unmask(peer, &again, &handle), CKR_WRAPPED_KEY_INVALID);
	assert_int_equal(unmask(peer, &kept, &handle), CKR_OK);
	peer_free(peer);
}

static void revocation_is_durable_or_not_done(void **state)
{
	struct peer *peer = peer_user(0);
	struct blob blob, fixed;
	uint64_t handle;

	(void)state;
	assert_int_equal(mask(peer, session_aes(peer), &blob), CKR_OK);
	board.fail_commit = ENOSPC;
	assert_int_not_equal(with_blob(peer, HSM_OP_MASK_REVOKE, &blob), CKR_OK);
	board.fail_commit = 0;
	assert_int_equal(unmask(peer, &blob, &handle), CKR_OK);
	assert_int_equal(generate_aes(peer,
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), A_FALSE(CKA_DESTROYABLE)),
				      &handle),
			 CKR_OK);
	assert_int_equal(mask(peer, handle, &fixed), CKR_OK);
	assert_int_equal(with_blob(peer, HSM_OP_MASK_REVOKE, &fixed), CKR_ACTION_PROHIBITED);
	assert_int_equal(peer_session(peer, false), CKR_OK);
	assert_int_equal(with_blob(peer, HSM_OP_MASK_REVOKE, &blob), CKR_SESSION_READ_ONLY);
	peer_free(peer);
}

static void assert_state(struct peer *peer, uint64_t epoch, uint64_t grace, uint64_t count)
{
	assert_int_equal(peer_call(peer, HSM_OP_MASK_STATE, NULL), CKR_OK);
	/* Each C_InitToken leaves two epochs behind, the test's own first. */
	assert_int_equal(peer_u64(peer, HSM_FIELD_EPOCH), 2 + epoch);
	assert_int_equal(peer_u64(peer, HSM_FIELD_GRACE), grace);
	assert_int_equal(peer_u64(peer, HSM_FIELD_COUNT), count);
	assert_int_equal(peer_u64(peer, HSM_FIELD_MAX), MASK_REVOKED_MAX);
}

static void revoke_new(struct peer *peer, struct blob *blob)
{
	uint64_t handle = session_aes(peer);

	assert_int_equal(mask(peer, handle, blob), CKR_OK);
	assert_int_equal(with_blob(peer, HSM_OP_MASK_REVOKE, blob), CKR_OK);
	/* The key that it was masked from goes with it. */
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, handle), CKR_OBJECT_HANDLE_INVALID);
}

static CK_RV end_grace(struct peer *peer)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_FLAGS, 1);
	return peer_call(peer, HSM_OP_MASK_STATE, &out);
}

/* The list is full: a new epoch, in which survivors are masked again and the dead stay dead. */
static void attack_old_epochs_are_refused(void **state)
{
	struct peer *peer = peer_user(0);
	struct blob first, survivor, late, copy, blob;
	uint64_t handle;

	(void)state;
	assert_int_equal(mask(peer, session_aes(peer), &survivor), CKR_OK);
	assert_int_equal(mask(peer, session_aes(peer), &late), CKR_OK);
	revoke_new(peer, &first);
	for (int i = 1; i < MASK_REVOKED_MAX; i++)
		revoke_new(peer, &blob);
	assert_state(peer, 0, 0, MASK_REVOKED_MAX);
	assert_int_equal(unmask(peer, &survivor, &handle), CKR_OK);
	/* The same one once more needs no room. */
	assert_int_equal(with_blob(peer, HSM_OP_MASK_REVOKE, &first), CKR_WRAPPED_KEY_INVALID);
	revoke_new(peer, &blob);
	assert_state(peer, 1, 1, 1);
	peer_free(peer);
	board_restart();
	peer = peer_user(0);
	assert_state(peer, 1, 1, 1);
	assert_int_equal(unmask(peer, &survivor, &handle), CKR_HSM_MASK_OLD);
	assert_int_equal(unmask(peer, &first, &handle), CKR_WRAPPED_KEY_INVALID);
	assert_int_equal(remask(peer, &first), CKR_WRAPPED_KEY_INVALID);
	copy = survivor;
	assert_int_equal(remask(peer, &copy), CKR_OK);
	assert_int_equal(unmask(peer, &copy, &handle), CKR_OK);
	/* Destroyed under its new form, it cannot be had again from the old one. */
	assert_int_equal(with_blob(peer, HSM_OP_MASK_REVOKE, &copy), CKR_OK);
	assert_int_equal(remask(peer, &survivor), CKR_WRAPPED_KEY_INVALID);
	/* When the grace is over, what has not been masked again is lost. */
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(end_grace(peer), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(end_grace(peer), CKR_OK);
	assert_state(peer, 1, 0, 2);
	assert_int_equal(unmask(peer, &late, &handle), CKR_WRAPPED_KEY_INVALID);
	assert_int_equal(remask(peer, &late), CKR_WRAPPED_KEY_INVALID);
	assert_int_equal(unmask(peer, &first, &handle), CKR_WRAPPED_KEY_INVALID);
	peer_free(peer);
}

/* Attack: load from before C_InitToken, private or not. */
static void attack_init_token_voids_masked_keys(void **state)
{
	struct peer *peer = peer_user(0);
	struct blob blob, open;
	uint64_t handle;

	(void)state;
	assert_int_equal(mask(peer, session_aes(peer), &blob), CKR_OK);
	assert_int_equal(create(peer, KEY(A_FALSE(CKA_PRIVATE)), &handle), CKR_OK);
	assert_int_equal(mask(peer, handle, &open), CKR_OK);
	peer_free(peer);
	peer = peer_new(0);
	peer_setup(peer);
	assert_int_equal(unmask(peer, &blob, &handle), CKR_WRAPPED_KEY_INVALID);
	assert_int_equal(unmask(peer, &open, &handle), CKR_WRAPPED_KEY_INVALID);
	assert_state(peer, 2, 0, 0);
	assert_int_equal(mask(peer, session_aes(peer), &blob), CKR_OK);
	assert_int_equal(unmask(peer, &blob, &handle), CKR_OK);
	peer_free(peer);
}

static void add_user(struct peer *so, const char *name, uint32_t role)
{
	struct hsm_writer out = peer_fields(so);

	hsm_put_bytes(&out, HSM_FIELD_NAME, name, strlen(name));
	hsm_put_u32(&out, HSM_FIELD_USER_ROLE, role);
	hsm_put_bytes(&out, HSM_FIELD_NEW_PIN, USER_PIN, strlen(USER_PIN));
	assert_int_equal(peer_call(so, HSM_OP_USER_CREATE, &out), CKR_OK);
}

static struct peer *peer_named(const char *name)
{
	struct peer *peer = peer_new(0);
	struct hsm_writer out;

	assert_int_equal(peer_session(peer, true), CKR_OK);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_USER, CKU_USER);
	hsm_put_bytes(&out, HSM_FIELD_PIN, USER_PIN, strlen(USER_PIN));
	hsm_put_bytes(&out, HSM_FIELD_NAME, name, strlen(name));
	assert_int_equal(peer_call(peer, HSM_OP_LOGIN, &out), CKR_OK);
	return peer;
}

/* Who may not use keys masks and loads none; who may not destroy keys destroys none. */
static void roles_hold_for_masked_keys(void **state)
{
	struct peer *peer = peer_user(0), *so = peer_new(0), *manager, *reader;
	struct blob blob, other;
	uint64_t handle;

	(void)state;
	assert_int_equal(mask(peer, session_aes(peer), &blob), CKR_OK);
	peer_free(peer);
	assert_int_equal(peer_session(so, true), CKR_OK);
	assert_int_equal(peer_login(so, CKU_SO, SO_PIN), CKR_OK);
	add_user(so, "max", ROLE_MANAGER);
	add_user(so, "rita", ROLE_READ_ONLY);
	peer_free(so);
	manager = peer_named("max");
	reader = peer_named("rita");
	assert_int_equal(unmask(reader, &blob, &handle), CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_int_equal(with_blob(reader, HSM_OP_MASK_REVOKE, &blob), CKR_SESSION_READ_ONLY);
	assert_int_equal(end_grace(reader), CKR_SESSION_READ_ONLY);
	assert_int_equal(unmask(manager, &blob, &handle), CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_int_equal(mask(manager, session_aes(manager), &other),
			 CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_int_equal(with_blob(manager, HSM_OP_MASK_REVOKE, &blob), CKR_OK);
	peer_free(manager);
	peer_free(reader);
}

/* What makes keys live outside of the device is not free either: masking, and loading what was masked */
static void masks_are_operations(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_writer out;
	uint8_t blob[1024];
	uint64_t key = 0;
	size_t length;

	(void)state;
	assert_int_equal(create(peer, KEY(A_TRUE(CKA_SENSITIVE)), &key), CKR_OK);
	board_set_value(0, HSM_POLICY_MAX_RATE, 2);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_MASK, key), CKR_OK);
	take_bytes(peer, HSM_FIELD_MASKED, blob, &length);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_MASK, key), CKR_OK);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_MASK, key), CKR_DEVICE_MEMORY);
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_MASKED, blob, length);
	assert_int_equal(peer_call(peer, HSM_OP_OBJECT_UNMASK, &out), CKR_DEVICE_MEMORY);
	test_time += 1000;
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_MASKED, blob, length);
	assert_int_equal(peer_call(peer, HSM_OP_OBJECT_UNMASK, &out), CKR_OK);
	peer_free(peer);
}

#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(masked_keys_come_back_as_they_went),
		READY(one_may_mask_what_one_may_copy),
		READY(attack_changed_masked_keys_are_refused),
		READY(attack_masked_keys_stay_in_their_partition),
		READY(attack_destroyed_masked_keys_stay_destroyed),
		READY(revocation_is_durable_or_not_done),
		READY(attack_old_epochs_are_refused),
		READY(attack_init_token_voids_masked_keys),
		READY(roles_hold_for_masked_keys),
		READY(masks_are_operations),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
