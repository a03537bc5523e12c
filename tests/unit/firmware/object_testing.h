/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of what the device does with objects: the commands about them, as an application's library sends them.
 * Included by one file of each test program.
 */
#ifndef OBJECT_TESTING_H
#define OBJECT_TESTING_H

#include "commands_testing.h"

#define DATA(...) A_LIST(A_NUMBER(CKA_CLASS, CKO_DATA), __VA_ARGS__)
#define KEY(...)                                                                     \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES), \
	       A_BYTES(CKA_VALUE, "0123456789abcdef", 16), __VA_ARGS__)

MAYBE static const uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };

MAYBE static CK_RV create(struct peer *peer, const struct test_attribute *template, uint64_t *handle)
{
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	put_template(&out, HSM_FIELD_TEMPLATE, template);
	rv = peer_call(peer, HSM_OP_OBJECT_CREATE, &out);
	if (rv == CKR_OK)
		*handle = peer_u64(peer, HSM_FIELD_HANDLE);
	return rv;
}

MAYBE static CK_RV generate_aes(struct peer *peer, const struct test_attribute *template,
			  uint64_t *handle)
{
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_AES_KEY_GEN);
	put_template(&out, HSM_FIELD_TEMPLATE, template);
	rv = peer_call(peer, HSM_OP_GENERATE_KEY, &out);
	if (rv == CKR_OK)
		*handle = peer_u64(peer, HSM_FIELD_HANDLE);
	return rv;
}

MAYBE static CK_RV generate_ec(struct peer *peer, bool token, const struct test_attribute *private_key,
			 uint64_t handle[2])
{
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_EC_KEY_PAIR_GEN);
	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_BYTES(CKA_EC_PARAMS, p256, sizeof(p256)),
			    A_BYTES(CKA_TOKEN, token ? "\1" : "\0", 1), A_TEXT(CKA_ID, "\1")));
	put_template(&out, HSM_FIELD_PRIVATE_TEMPLATE, private_key);
	rv = peer_call(peer, HSM_OP_GENERATE_PAIR, &out);
	if (rv == CKR_OK) {
		handle[0] = peer_u64(peer, HSM_FIELD_HANDLE);
		handle[1] = peer_u64(peer, HSM_FIELD_OTHER_HANDLE);
	}
	return rv;
}

MAYBE static CK_RV with_key(struct peer *peer, unsigned int operation, uint64_t handle)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_KEY, handle);
	return peer_call(peer, operation, &out);
}

MAYBE static CK_RV change(struct peer *peer, unsigned int operation, uint64_t handle,
		    const struct test_attribute *template)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_KEY, handle);
	put_template(&out, HSM_FIELD_TEMPLATE, template);
	return peer_call(peer, operation, &out);
}

/* Number of objects that match */
MAYBE static size_t find(struct peer *peer, const struct test_attribute *template)
{
	struct hsm_writer out = peer_fields(peer);
	size_t length;

	put_template(&out, HSM_FIELD_TEMPLATE, template);
	assert_int_equal(peer_call(peer, HSM_OP_FIND_INIT, &out), CKR_OK);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_COUNT, 1000);
	assert_int_equal(peer_call(peer, HSM_OP_FIND, &out), CKR_OK);
	hsm_fields_bytes(&peer->fields, HSM_FIELD_HANDLES, &length);
	assert_int_equal(peer_call(peer, HSM_OP_FIND_FINAL, NULL), CKR_OK);
	return length / 8;
}

#define FIND(peer, ...) find(peer, A_LIST(__VA_ARGS__))

/* The one object of a label */
MAYBE static uint64_t found_one(struct peer *peer, const char *label)
{
	struct hsm_writer out = peer_fields(peer);
	const uint8_t *list;
	uint64_t handle;
	size_t length;

	put_template(&out, HSM_FIELD_TEMPLATE, A_LIST(A_TEXT(CKA_LABEL, label)));
	assert_int_equal(peer_call(peer, HSM_OP_FIND_INIT, &out), CKR_OK);
	out = peer_fields(peer);
	hsm_put_u64(&out, HSM_FIELD_COUNT, 2);
	assert_int_equal(peer_call(peer, HSM_OP_FIND, &out), CKR_OK);
	list = hsm_fields_bytes(&peer->fields, HSM_FIELD_HANDLES, &length);
	assert_int_equal(length, 8);
	handle = hsm_get_le64(list);
	assert_int_equal(peer_call(peer, HSM_OP_FIND_FINAL, NULL), CKR_OK);
	return handle;
}

/* Read one attribute. Return: its own status; rv is the command's. */
MAYBE static CK_RV get(struct peer *peer, uint64_t handle, const uint64_t *types, size_t count,
		 size_t which, struct hsm_attribute_view *view)
{
	struct hsm_writer out = peer_fields(peer);
	const uint8_t *at;
	size_t length, i;
	CK_RV rv;

	hsm_put_u64(&out, HSM_FIELD_KEY, handle);
	hsm_put_list(&out, HSM_FIELD_TYPES, types, count);
	rv = peer_call(peer, HSM_OP_ATTRIBUTES_GET, &out);
	at = hsm_fields_bytes(&peer->fields, HSM_FIELD_ATTRIBUTES, &length);
	if (!at)
		return rv;
	for (i = 0; i <= which; i++)
		assert_true(hsm_attributes_next(
			&at,
			hsm_fields_bytes(&peer->fields, HSM_FIELD_ATTRIBUTES, &length) + length,
			view));
	return rv;
}

MAYBE static bool get_bool(struct peer *peer, uint64_t handle, uint64_t type)
{
	struct hsm_attribute_view view;

	assert_int_equal(get(peer, handle, &type, 1, 0, &view), CKR_OK);
	assert_int_equal(view.length, 1);
	return *view.value;
}

MAYBE static uint64_t get_ulong(struct peer *peer, uint64_t handle, uint64_t type)
{
	struct hsm_attribute_view view;

	assert_int_equal(get(peer, handle, &type, 1, 0, &view), CKR_OK);
	assert_int_equal(view.length, 8);
	return hsm_get_le64(view.value);
}

MAYBE static CK_RV read_one(struct peer *peer, uint64_t handle, uint64_t type,
			    struct hsm_attribute_view *view)
{
	return get(peer, handle, &type, 1, 0, view);
}

#endif /* OBJECT_TESTING_H */
