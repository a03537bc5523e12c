// SPDX-License-Identifier: Apache-2.0
/*
 * Objects: what can be made, found, read and changed, by whom; and keys at work in a session.
 */
#include "object_testing.h"

/* ---- creating and finding ---- */

static void created_objects_are_found(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle, label;
	struct hsm_attribute_view view;

	(void)state;
	assert_int_equal(create(peer, DATA(A_TEXT(CKA_LABEL, "one"), A_TRUE(CKA_TOKEN)), &handle),
			 CKR_OK);
	assert_int_equal(create(peer, DATA(A_TEXT(CKA_LABEL, "two")), &handle), CKR_OK);
	assert_int_equal(FIND(peer, A_NUMBER(CKA_CLASS, CKO_DATA)), 2);
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "one")), 1);
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "on")), 0);
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "two"), A_TRUE(CKA_TOKEN)), 0);
	assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, handle,
				A_LIST(A_TEXT(CKA_LABEL, "three"))),
			 CKR_OK);
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "two")), 0);
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "three")), 1);
	label = CKA_LABEL;
	assert_int_equal(get(peer, handle, &label, 1, 0, &view), CKR_OK);
	assert_int_equal(view.length, 5);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_DESTROY, handle), CKR_OK);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_DESTROY, handle), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(FIND(peer, A_NUMBER(CKA_CLASS, CKO_DATA)), 1);
	peer_free(peer);
}

static void token_objects_survive_session_objects_do_not(void **state)
{
	struct peer *peer = peer_user(0), *other = peer_new(0);
	uint64_t handle, kept;

	(void)state;
	assert_int_equal(peer_session(other, true), CKR_OK);
	assert_int_equal(create(peer, DATA(A_TEXT(CKA_LABEL, "kept"), A_TRUE(CKA_TOKEN)), &kept),
			 CKR_OK);
	assert_int_equal(create(peer, DATA(A_TEXT(CKA_LABEL, "mine")), &handle), CKR_OK);
	assert_int_equal(FIND(other, A_TEXT(CKA_LABEL, "kept")), 1);
	assert_int_equal(FIND(other, A_TEXT(CKA_LABEL, "mine")), 0);
	assert_int_equal(with_key(other, HSM_OP_OBJECT_SIZE, handle), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_CLOSE, NULL), CKR_OK);
	assert_int_equal(peer_session(peer, true), CKR_OK);
	assert_int_equal(FIND(peer, A_NUMBER(CKA_CLASS, CKO_DATA)), 1);
	peer_free(peer);
	peer_free(other);
	board_restart();
	peer = peer_new(0);
	assert_int_equal(peer_session(peer, false), CKR_OK);
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "kept")), 1);
	/* Handles of token objects stay. */
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, kept), CKR_OK);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_DESTROY, kept), CKR_SESSION_READ_ONLY);
	peer_free(peer);
}

static void private_objects_hide_from_the_public(void **state)
{
	struct peer *peer = peer_user(0), *other = peer_new(0);
	uint64_t handle;

	(void)state;
	assert_int_equal(peer_session(other, true), CKR_OK);
	assert_int_equal(
		create(peer,
		       DATA(A_TEXT(CKA_LABEL, "hidden"), A_TRUE(CKA_TOKEN), A_TRUE(CKA_PRIVATE)),
		       &handle),
		CKR_OK);
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "hidden")), 1);
	assert_int_equal(FIND(other, A_TEXT(CKA_LABEL, "hidden")), 0);
	assert_int_equal(with_key(other, HSM_OP_OBJECT_DESTROY, handle), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(create(other, DATA(A_TRUE(CKA_PRIVATE)), &handle), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "hidden")), 0);
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_OK);
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "hidden")), 0);
	peer_free(peer);
	peer_free(other);
	board_restart();
	peer = peer_user(0);
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "hidden")), 1);
	peer_free(peer);
}

static void partitions_do_not_see_each_other(void **state)
{
	struct peer *peer = peer_user(0), *other = peer_user(1);
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer, DATA(A_TRUE(CKA_TOKEN)), &handle), CKR_OK);
	assert_int_equal(FIND(other, A_NUMBER(CKA_CLASS, CKO_DATA)), 0);
	assert_int_equal(with_key(other, HSM_OP_OBJECT_SIZE, handle), CKR_OBJECT_HANDLE_INVALID);
	peer_free(peer);
	peer_free(other);
}

static void quotas_hold(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle;
	int i;

	(void)state;
	for (i = 0; i < 200; i++)
		assert_int_equal(create(peer, DATA(A_TRUE(CKA_TOKEN)), &handle), CKR_OK);
	assert_int_equal(create(peer, DATA(A_TRUE(CKA_TOKEN)), &handle), CKR_DEVICE_MEMORY);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_DESTROY, handle), CKR_OK);
	assert_int_equal(create(peer, DATA(A_TRUE(CKA_TOKEN)), &handle), CKR_OK);
	peer_free(peer);
}

/* An object that grows is measured as a new one is; one that shrinks always may. */
static void quota_holds_for_what_grows(void **state)
{
	static const char *const places[] = { "\1", "\0" };
	static char text[20000];
	struct peer *peer = peer_user(0);
	uint64_t handle[100];
	unsigned int fit, i;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (unsigned int place = 0; place < sizeof(places) / sizeof(places[0]); place++) {
		for (i = 0; i < 100; i++)
			assert_int_equal(create(peer, DATA(A_BYTES(CKA_TOKEN, places[place], 1)),
						&handle[i]),
					 CKR_OK);
		for (fit = 0; fit < 99; fit++)
			if (change(peer, HSM_OP_ATTRIBUTES_SET, handle[fit],
				   A_LIST(A_BYTES(CKA_VALUE, text, sizeof(text)))) != CKR_OK)
				break;
		/* Of a mebibyte, less what the objects take beside their values */
		assert_in_range(fit, 50, 52);
		assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, handle[fit],
					A_LIST(A_BYTES(CKA_VALUE, text, sizeof(text)))),
				 CKR_DEVICE_MEMORY);
		assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, handle[0],
					A_LIST(A_TEXT(CKA_VALUE, "y"))),
				 CKR_OK);
		assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, handle[fit],
					A_LIST(A_BYTES(CKA_VALUE, text, sizeof(text)))),
				 CKR_OK);
	}
	peer_free(peer);
}

static void init_token_destroys_objects(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle, later;

	(void)state;
	assert_int_equal(create(peer, DATA(A_TRUE(CKA_TOKEN)), &handle), CKR_OK);
	assert_int_equal(create(peer, DATA(A_TRUE(CKA_TOKEN), A_TRUE(CKA_PRIVATE)), &handle),
			 CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_CLOSE_ALL, NULL), CKR_OK);
	peer_setup(peer);
	assert_int_equal(FIND(peer, A_NUMBER(CKA_CLASS, CKO_DATA)), 0);
	assert_int_equal(create(peer, DATA(A_TRUE(CKA_TOKEN)), &later), CKR_OK);
	assert_true(later > handle);
	peer_free(peer);
}

/* ---- attributes ---- */

static void wrong_templates_are_refused(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer, A_LIST(A_TEXT(CKA_LABEL, "x")), &handle),
			 CKR_TEMPLATE_INCOMPLETE);
	assert_int_equal(create(peer, DATA(A_TRUE(CKA_SIGN)), &handle), CKR_ATTRIBUTE_TYPE_INVALID);
	assert_int_equal(create(peer, DATA(A_BYTES(CKA_TOKEN, "\2", 1)), &handle),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(create(peer, DATA(A_BYTES(CKA_TOKEN, "", 0)), &handle),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(create(peer, DATA(A_TRUE(CKA_TOKEN), A_TRUE(CKA_TOKEN)), &handle),
			 CKR_TEMPLATE_INCONSISTENT);
	assert_int_equal(create(peer, DATA(A_TEXT(CKA_UNIQUE_ID, "me")), &handle),
			 CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(create(peer, KEY(A_TRUE(CKA_LOCAL)), &handle), CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(create(peer, KEY(A_TRUE(CKA_TRUSTED)), &handle), CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(
		create(peer,
		       A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES)),
		       &handle),
		CKR_TEMPLATE_INCOMPLETE);
	assert_int_equal(create(peer, A_LIST(A_NUMBER(CKA_CLASS, 0x77)), &handle),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(FIND(peer, A_NUMBER(CKA_CLASS, CKO_DATA)), 0);
	peer_free(peer);
}

static void sensitive_values_stay_inside(void **state)
{
	static const uint64_t types[] = { CKA_LABEL, CKA_VALUE, CKA_MODULUS, CKA_CLASS };
	struct peer *peer = peer_user(0);
	struct hsm_attribute_view view;
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer, KEY(A_TEXT(CKA_LABEL, "k")), &handle), CKR_OK);
	assert_int_not_equal(get(peer, handle, types, 4, 1, &view), CKR_OK);
	assert_int_equal(view.status, CKR_ATTRIBUTE_SENSITIVE);
	assert_null(view.value);
	get(peer, handle, types, 4, 2, &view);
	assert_int_equal(view.status, CKR_ATTRIBUTE_TYPE_INVALID);
	get(peer, handle, types, 4, 3, &view);
	assert_int_equal(view.status, 0);
	assert_int_equal(hsm_get_le64(view.value), CKO_SECRET_KEY);
	/* Nor are they found out by searching. */
	assert_int_equal(FIND(peer, A_BYTES(CKA_VALUE, "0123456789abcdef", 16)), 0);
	assert_int_equal(create(peer, KEY(A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)),
				&handle),
			 CKR_OK);
	assert_int_equal(get(peer, handle, &types[1], 1, 0, &view), CKR_OK);
	assert_int_equal(view.length, 16);
	peer_free(peer);
}

static void one_way_attributes(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle, copy;

	(void)state;
	assert_int_equal(create(peer, KEY(A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)),
				&handle),
			 CKR_OK);
	assert_false(get_bool(peer, handle, CKA_ALWAYS_SENSITIVE));
	assert_false(get_bool(peer, handle, CKA_LOCAL));
	assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, handle,
				A_LIST(A_TRUE(CKA_SENSITIVE), A_FALSE(CKA_EXTRACTABLE))),
			 CKR_OK);
	assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, handle,
				A_LIST(A_FALSE(CKA_SENSITIVE))),
			 CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, handle,
				A_LIST(A_TRUE(CKA_EXTRACTABLE))),
			 CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, handle, A_LIST(A_FALSE(CKA_SENSITIVE))),
			 CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, handle, A_LIST(A_TRUE(CKA_EXTRACTABLE))),
			 CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, handle, A_LIST(A_FALSE(CKA_PRIVATE))),
			 CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, handle, A_LIST(A_TEXT(CKA_LABEL, "c"))),
			 CKR_OK);
	copy = peer_u64(peer, HSM_FIELD_HANDLE);
	assert_true(get_bool(peer, copy, CKA_SENSITIVE));
	assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, copy,
				A_LIST(A_TRUE(CKA_WRAP_WITH_TRUSTED))),
			 CKR_OK);
	assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, copy,
				A_LIST(A_FALSE(CKA_WRAP_WITH_TRUSTED))),
			 CKR_ATTRIBUTE_READ_ONLY);
	peer_free(peer);
}

static void copy_destroy_modify_prohibited(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer,
				DATA(A_FALSE(CKA_COPYABLE), A_FALSE(CKA_DESTROYABLE),
				     A_FALSE(CKA_MODIFIABLE)),
				&handle),
			 CKR_OK);
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, handle, A_LIST(A_TEXT(CKA_LABEL, "c"))),
			 CKR_ACTION_PROHIBITED);
	assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, handle,
				A_LIST(A_TEXT(CKA_LABEL, "c"))),
			 CKR_ACTION_PROHIBITED);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_DESTROY, handle), CKR_ACTION_PROHIBITED);
	peer_free(peer);
}

static void conflicts_are_refused_in_the_strict_profile(void **state)
{
	struct peer *relaxed = peer_user(0), *strict = peer_user(1);
	uint64_t handle;

	(void)state;
	assert_int_equal(create(relaxed, KEY(A_TRUE(CKA_WRAP), A_TRUE(CKA_DECRYPT)), &handle),
			 CKR_OK);
	assert_int_equal(create(strict, KEY(A_TRUE(CKA_WRAP), A_TRUE(CKA_DECRYPT)), &handle),
			 CKR_TEMPLATE_INCONSISTENT);
	assert_int_equal(generate_aes(strict,
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), A_TRUE(CKA_UNWRAP),
					     A_TRUE(CKA_ENCRYPT)),
				      &handle),
			 CKR_TEMPLATE_INCONSISTENT);
	assert_int_equal(create(strict, KEY(A_TRUE(CKA_WRAP)), &handle), CKR_OK);
	assert_int_equal(change(strict, HSM_OP_ATTRIBUTES_SET, handle, A_LIST(A_TRUE(CKA_DECRYPT))),
			 CKR_ATTRIBUTE_READ_ONLY);
	/* Nor one after the other, nor on a copy. */
	assert_int_equal(change(strict, HSM_OP_ATTRIBUTES_SET, handle, A_LIST(A_FALSE(CKA_WRAP))),
			 CKR_OK);
	assert_int_equal(change(strict, HSM_OP_ATTRIBUTES_SET, handle, A_LIST(A_TRUE(CKA_DECRYPT))),
			 CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(change(strict, HSM_OP_OBJECT_COPY, handle, A_LIST(A_TRUE(CKA_DECRYPT))),
			 CKR_ATTRIBUTE_READ_ONLY);
	peer_free(relaxed);
	peer_free(strict);
}

/* ---- keys at work ---- */

static CK_RV begin(struct peer *peer, unsigned int operation, uint64_t handle, uint64_t mechanism,
		   const char *iv)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_KEY, handle);
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, mechanism);
	if (iv)
		hsm_put_bytes(&out, HSM_FIELD_IV, iv, strlen(iv));
	return peer_call(peer, operation, &out);
}

static CK_RV run(struct peer *peer, unsigned int operation, const void *data, size_t length,
		 uint64_t out_max, uint64_t part)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_bytes(&out, HSM_FIELD_DATA, data, length);
	if (out_max != ~0ULL)
		hsm_put_u64(&out, HSM_FIELD_OUT_MAX, out_max);
	if (part)
		hsm_put_u64(&out, HSM_FIELD_PART, part);
	return peer_call(peer, operation, &out);
}

static void sign_and_verify(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_writer out;
	uint8_t signature[64];
	const uint8_t *field;
	uint64_t pair[2];
	size_t length;

	(void)state;
	assert_int_equal(generate_ec(peer, true, A_LIST(A_TRUE(CKA_TOKEN), A_TEXT(CKA_ID, "\1")),
				     pair),
			 CKR_OK);
	assert_true(get_bool(peer, pair[1], CKA_ALWAYS_SENSITIVE));
	assert_true(get_bool(peer, pair[1], CKA_NEVER_EXTRACTABLE));
	assert_true(get_bool(peer, pair[1], CKA_LOCAL));
	assert_int_equal(begin(peer, HSM_OP_SIGN_INIT, pair[0], CKM_ECDSA, NULL),
			 CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_int_equal(begin(peer, HSM_OP_SIGN_INIT, pair[1], CKM_AES_GCM, NULL),
			 CKR_MECHANISM_INVALID);
	assert_int_equal(begin(peer, HSM_OP_SIGN_INIT, pair[1], CKM_ECDSA_SHA256, NULL), CKR_OK);
	assert_int_equal(begin(peer, HSM_OP_SIGN_INIT, pair[1], CKM_ECDSA_SHA256, NULL),
			 CKR_OPERATION_ACTIVE);
	assert_int_equal(run(peer, HSM_OP_SIGN, "abc", 3, 0, 0), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(peer_u64(peer, HSM_FIELD_NEEDED), 64);
	assert_int_equal(run(peer, HSM_OP_SIGN, "abc", 3, 64, 0), CKR_OK);
	field = hsm_fields_bytes(&peer->fields, HSM_FIELD_SIGNATURE, &length);
	assert_int_equal(length, sizeof(signature));
	memcpy(signature, field, sizeof(signature));
	assert_int_equal(run(peer, HSM_OP_SIGN, "abc", 3, 64, 0), CKR_OPERATION_NOT_INITIALIZED);

	assert_int_equal(begin(peer, HSM_OP_VERIFY_INIT, pair[0], CKM_ECDSA_SHA256, NULL), CKR_OK);
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_DATA, "abc", 3);
	hsm_put_bytes(&out, HSM_FIELD_SIGNATURE, signature, sizeof(signature));
	assert_int_equal(peer_call(peer, HSM_OP_VERIFY, &out), CKR_OK);
	signature[40] ^= 1;
	assert_int_equal(begin(peer, HSM_OP_VERIFY_INIT, pair[0], CKM_ECDSA_SHA256, NULL), CKR_OK);
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_DATA, "abc", 3);
	hsm_put_bytes(&out, HSM_FIELD_SIGNATURE, signature, sizeof(signature));
	assert_int_equal(peer_call(peer, HSM_OP_VERIFY, &out), CKR_SIGNATURE_INVALID);
	peer_free(peer);
}

static void keys_survive_a_restart(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t pair[2];

	(void)state;
	assert_int_equal(generate_ec(peer, true, A_LIST(A_TRUE(CKA_TOKEN)), pair), CKR_OK);
	peer_free(peer);
	board_restart();
	peer = peer_user(0);
	assert_int_equal(begin(peer, HSM_OP_SIGN_INIT, pair[1], CKM_ECDSA_SHA256, NULL), CKR_OK);
	assert_int_equal(run(peer, HSM_OP_SIGN, "abc", 3, 64, 0), CKR_OK);
	peer_free(peer);
}

static void logout_ends_private_operations(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t pair[2];

	(void)state;
	assert_int_equal(generate_ec(peer, true, A_LIST(A_TRUE(CKA_TOKEN)), pair), CKR_OK);
	assert_int_equal(begin(peer, HSM_OP_SIGN_INIT, pair[1], CKM_ECDSA_SHA256, NULL), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(run(peer, HSM_OP_SIGN, "abc", 3, 64, 0), CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(begin(peer, HSM_OP_SIGN_INIT, pair[1], CKM_ECDSA_SHA256, NULL),
			 CKR_KEY_HANDLE_INVALID);
	peer_free(peer);
}

static void always_authenticate(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t pair[2];

	(void)state;
	assert_int_equal(generate_ec(peer, false, A_LIST(A_TRUE(CKA_ALWAYS_AUTHENTICATE)), pair),
			 CKR_OK);
	assert_int_equal(begin(peer, HSM_OP_SIGN_INIT, pair[1], CKM_ECDSA_SHA256, NULL), CKR_OK);
	assert_int_equal(run(peer, HSM_OP_SIGN, "abc", 3, 64, 0), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(begin(peer, HSM_OP_SIGN_INIT, pair[1], CKM_ECDSA_SHA256, NULL), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_CONTEXT_SPECIFIC, "wrong pin"), CKR_PIN_INCORRECT);
	assert_int_equal(peer_login(peer, CKU_CONTEXT_SPECIFIC, USER_PIN), CKR_OK);
	assert_int_equal(run(peer, HSM_OP_SIGN, "abc", 3, 64, 0), CKR_OK);
	assert_int_equal(begin(peer, HSM_OP_SIGN_INIT, pair[1], CKM_ECDSA_SHA256, NULL), CKR_OK);
	assert_int_equal(run(peer, HSM_OP_SIGN, "abc", 3, 64, 0), CKR_USER_NOT_LOGGED_IN);
	peer_free(peer);
}

static void allowed_mechanisms_hold(void **state)
{
	uint64_t allowed = htole64(CKM_ECDSA_SHA384);
	struct peer *peer = peer_user(0);
	uint64_t pair[2];

	(void)state;
	assert_int_equal(generate_ec(peer, false,
				     A_LIST(A_BYTES(CKA_ALLOWED_MECHANISMS, &allowed, 8)), pair),
			 CKR_OK);
	assert_int_equal(begin(peer, HSM_OP_SIGN_INIT, pair[1], CKM_ECDSA_SHA256, NULL),
			 CKR_MECHANISM_INVALID);
	assert_int_equal(begin(peer, HSM_OP_SIGN_INIT, pair[1], CKM_ECDSA_SHA384, NULL), CKR_OK);
	peer_free(peer);
}

static void parts_run_in_order(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_writer out;
	uint64_t handle;

	(void)state;
	assert_int_equal(generate_aes(peer, A_LIST(A_NUMBER(CKA_VALUE_LEN, 32)), &handle), CKR_OK);
	assert_int_equal(begin(peer, HSM_OP_ENCRYPT_INIT, handle, CKM_AES_CBC_PAD,
			       "0123456789abcdef"),
			 CKR_OK);
	assert_int_equal(run(peer, HSM_OP_ENCRYPT_UPDATE, "abc", 3, 100, 1), CKR_OK);
	assert_int_equal(run(peer, HSM_OP_ENCRYPT_UPDATE, "abc", 3, 100, 1), CKR_ARGUMENTS_BAD);
	assert_int_equal(run(peer, HSM_OP_ENCRYPT_UPDATE, "0123456789abcdef", 16, 0, 2),
			 CKR_BUFFER_TOO_SMALL);
	assert_int_equal(run(peer, HSM_OP_ENCRYPT_UPDATE, "0123456789abcdef", 16, 100, 2), CKR_OK);
	/* The third part is missing: whoever waits can be called off. */
	peer->task.cancelled = true;
	assert_int_equal(run(peer, HSM_OP_ENCRYPT_UPDATE, "abc", 3, 100, 4), CKR_FUNCTION_CANCELED);
	peer->task.cancelled = false;
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_OUT_MAX, 100);
	hsm_put_u64(&out, HSM_FIELD_PART, 3);
	assert_int_equal(peer_call(peer, HSM_OP_ENCRYPT_FINAL, &out), CKR_OK);
	peer_free(peer);
}

/* ---- wrapping ---- */

static CK_RV wrap(struct peer *peer, uint64_t wrapping, uint64_t key, uint8_t *out, size_t *length)
{
	struct hsm_writer fields = peer_fields(peer);
	const uint8_t *data;
	CK_RV rv;

	hsm_put_u64(&fields, HSM_FIELD_MECHANISM, CKM_AES_KEY_WRAP);
	hsm_put_u64(&fields, HSM_FIELD_OTHER_KEY, wrapping);
	hsm_put_u64(&fields, HSM_FIELD_KEY, key);
	hsm_put_u64(&fields, HSM_FIELD_OUT_MAX, 4096);
	rv = peer_call(peer, HSM_OP_WRAP, &fields);
	if (rv == CKR_OK) {
		data = hsm_fields_bytes(&peer->fields, HSM_FIELD_DATA, length);
		memcpy(out, data, *length);
	}
	return rv;
}

static CK_RV unwrap(struct peer *peer, uint64_t wrapping, const uint8_t *data, size_t length,
		    const struct test_attribute *template, uint64_t *handle)
{
	struct hsm_writer fields = peer_fields(peer);
	CK_RV rv;

	hsm_put_u64(&fields, HSM_FIELD_MECHANISM, CKM_AES_KEY_WRAP);
	hsm_put_u64(&fields, HSM_FIELD_OTHER_KEY, wrapping);
	hsm_put_bytes(&fields, HSM_FIELD_DATA, data, length);
	put_template(&fields, HSM_FIELD_TEMPLATE, template);
	rv = peer_call(peer, HSM_OP_UNWRAP, &fields);
	if (rv == CKR_OK)
		*handle = peer_u64(peer, HSM_FIELD_HANDLE);
	return rv;
}

#define AES_TEMPLATE(...) \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES), __VA_ARGS__)

static void wrap_and_unwrap(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t kek, key, locked, back;
	uint8_t blob[128];
	size_t length;

	(void)state;
	assert_int_equal(generate_aes(peer,
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), A_TRUE(CKA_WRAP),
					     A_TRUE(CKA_UNWRAP)),
				      &kek),
			 CKR_OK);
	assert_int_equal(generate_aes(peer, A_LIST(A_NUMBER(CKA_VALUE_LEN, 16)), &locked), CKR_OK);
	assert_int_equal(wrap(peer, kek, locked, blob, &length), CKR_KEY_UNEXTRACTABLE);
	assert_int_equal(generate_aes(peer,
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 16), A_TRUE(CKA_EXTRACTABLE)),
				      &key),
			 CKR_OK);
	assert_int_equal(wrap(peer, locked, key, blob, &length), CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_int_equal(wrap(peer, kek, key, blob, &length), CKR_OK);
	assert_int_equal(length, 24);
	assert_int_equal(unwrap(peer, kek, blob, length, AES_TEMPLATE(A_FALSE(CKA_SENSITIVE)),
				&back),
			 CKR_TEMPLATE_INCONSISTENT);
	assert_int_equal(unwrap(peer, kek, blob, length, AES_TEMPLATE(A_TEXT(CKA_LABEL, "b")),
				&back),
			 CKR_OK);
	assert_false(get_bool(peer, back, CKA_ALWAYS_SENSITIVE));
	assert_false(get_bool(peer, back, CKA_NEVER_EXTRACTABLE));
	assert_false(get_bool(peer, back, CKA_LOCAL));
	blob[3] ^= 1;
	assert_int_not_equal(unwrap(peer, kek, blob, length, AES_TEMPLATE(A_TEXT(CKA_LABEL, "b")),
				    &back),
			     CKR_OK);
	peer_free(peer);
}

static void wrap_with_trusted_only(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t kek, key;
	uint8_t blob[128];
	size_t length;

	(void)state;
	assert_int_equal(generate_aes(peer,
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), A_TRUE(CKA_WRAP),
					     A_TRUE(CKA_TOKEN), A_FALSE(CKA_PRIVATE)),
				      &kek),
			 CKR_OK);
	assert_int_equal(generate_aes(peer,
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 16), A_TRUE(CKA_EXTRACTABLE),
					     A_TRUE(CKA_TOKEN), A_TRUE(CKA_WRAP_WITH_TRUSTED),
					     A_TEXT(CKA_LABEL, "wanted")),
				      &key),
			 CKR_OK);
	assert_int_equal(wrap(peer, kek, key, blob, &length), CKR_KEY_NOT_WRAPPABLE);
	assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, kek, A_LIST(A_TRUE(CKA_TRUSTED))),
			 CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_OK);
	assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, kek, A_LIST(A_TRUE(CKA_TRUSTED))),
			 CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(wrap(peer, kek, key, blob, &length), CKR_KEY_HANDLE_INVALID);
	key = found_one(peer, "wanted");
	assert_int_equal(wrap(peer, kek, key, blob, &length), CKR_OK);
	peer_free(peer);
}

/* One attribute as bytes of a nested template */
static size_t nested(uint8_t *out, uint64_t type, const void *value, size_t length)
{
	struct hsm_writer writer;

	hsm_writer_init(&writer, out, 128);
	hsm_put_attribute(&writer, type, 0, value, length);
	return writer.length;
}

static void nested_templates_hold(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t kek, key, back;
	uint8_t blob[128], demand[128];
	size_t length, n;

	(void)state;
	n = nested(demand, CKA_LABEL, "only", 4);
	assert_int_equal(generate_aes(peer,
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 32), A_TRUE(CKA_WRAP),
					     A_TRUE(CKA_UNWRAP),
					     A_BYTES(CKA_WRAP_TEMPLATE, demand, n),
					     A_BYTES(CKA_UNWRAP_TEMPLATE, demand, n)),
				      &kek),
			 CKR_OK);
	assert_int_equal(generate_aes(peer,
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 16), A_TRUE(CKA_EXTRACTABLE)),
				      &key),
			 CKR_OK);
	assert_int_equal(wrap(peer, kek, key, blob, &length), CKR_KEY_HANDLE_INVALID);
	assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, key,
				A_LIST(A_TEXT(CKA_LABEL, "only"))),
			 CKR_OK);
	assert_int_equal(wrap(peer, kek, key, blob, &length), CKR_OK);
	assert_int_equal(unwrap(peer, kek, blob, length, AES_TEMPLATE(A_TEXT(CKA_LABEL, "other")),
				&back),
			 CKR_TEMPLATE_INCONSISTENT);
	assert_int_equal(unwrap(peer, kek, blob, length, AES_TEMPLATE(A_TRUE(CKA_EXTRACTABLE)),
				&back),
			 CKR_OK);
	assert_int_equal(FIND(peer, A_TEXT(CKA_LABEL, "only")), 2);
	peer_free(peer);
}

#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(created_objects_are_found),
		READY(token_objects_survive_session_objects_do_not),
		READY(private_objects_hide_from_the_public),
		READY(partitions_do_not_see_each_other),
		READY(quotas_hold),
		READY(quota_holds_for_what_grows),
		READY(init_token_destroys_objects),
		READY(wrong_templates_are_refused),
		READY(sensitive_values_stay_inside),
		READY(one_way_attributes),
		READY(copy_destroy_modify_prohibited),
		READY(conflicts_are_refused_in_the_strict_profile),
		READY(sign_and_verify),
		READY(keys_survive_a_restart),
		READY(logout_ends_private_operations),
		READY(always_authenticate),
		READY(allowed_mechanisms_hold),
		READY(parts_run_in_order),
		READY(wrap_and_unwrap),
		READY(wrap_with_trusted_only),
		READY(nested_templates_hold),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
