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

MAYBE static CK_RV create(struct peer *peer, const struct test_attribute *template,
			  uint64_t *handle)
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

MAYBE static CK_RV generate_ec(struct peer *peer, bool token,
			       const struct test_attribute *private_key, uint64_t handle[2])
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
/* The SO vouches for a public object; the user is logged in before and after, whose private handles are void then. */
MAYBE static void so_trusts(struct peer *peer, uint64_t handle)
{
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_SO, SO_PIN), CKR_OK);
	assert_int_equal(change(peer, HSM_OP_ATTRIBUTES_SET, handle, A_LIST(A_TRUE(CKA_TRUSTED))),
			 CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_OK);
}

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

/* ---- mechanisms at work ---- */

/**
 * struct test_mechanism - a mechanism and its parameter fields
 * @put: appends the fields, NULL: none
 */
struct test_mechanism {
	uint64_t type;
	void (*put)(struct hsm_writer *out);
};

MAYBE static void put_mechanism(struct hsm_writer *out, struct test_mechanism mechanism)
{
	hsm_put_u64(out, HSM_FIELD_MECHANISM, mechanism.type);
	if (mechanism.put)
		mechanism.put(out);
}

/* What came back in a field, into @out of 1024 bytes */
MAYBE static void take_bytes(struct peer *peer, enum hsm_field_tag tag, uint8_t *out,
			     size_t *length)
{
	const uint8_t *data = hsm_fields_bytes(&peer->fields, tag, length);

	assert_true(*length <= 1024);
	if (*length)
		memcpy(out, data, *length);
}

MAYBE static CK_RV wrap_by(struct peer *peer, struct test_mechanism mechanism, uint64_t wrapping,
			   uint64_t key, uint8_t *out, size_t *length)
{
	struct hsm_writer fields = peer_fields(peer);
	CK_RV rv;

	put_mechanism(&fields, mechanism);
	hsm_put_u64(&fields, HSM_FIELD_OTHER_KEY, wrapping);
	hsm_put_u64(&fields, HSM_FIELD_KEY, key);
	hsm_put_u64(&fields, HSM_FIELD_OUT_MAX, 1024);
	rv = peer_call(peer, HSM_OP_WRAP, &fields);
	if (rv == CKR_OK)
		take_bytes(peer, HSM_FIELD_DATA, out, length);
	return rv;
}

MAYBE static CK_RV unwrap_by(struct peer *peer, struct test_mechanism mechanism, uint64_t wrapping,
			     const uint8_t *data, size_t length,
			     const struct test_attribute *template, uint64_t *handle)
{
	struct hsm_writer fields = peer_fields(peer);
	CK_RV rv;

	put_mechanism(&fields, mechanism);
	hsm_put_u64(&fields, HSM_FIELD_OTHER_KEY, wrapping);
	hsm_put_bytes(&fields, HSM_FIELD_DATA, data, length);
	put_template(&fields, HSM_FIELD_TEMPLATE, template);
	rv = peer_call(peer, HSM_OP_UNWRAP, &fields);
	if (rv == CKR_OK)
		*handle = peer_u64(peer, HSM_FIELD_HANDLE);
	return rv;
}

MAYBE static CK_RV derive_by(struct peer *peer, struct test_mechanism mechanism, uint64_t base,
			     const struct test_attribute *template, uint64_t *handle)
{
	struct hsm_writer fields = peer_fields(peer);
	CK_RV rv;

	put_mechanism(&fields, mechanism);
	hsm_put_u64(&fields, HSM_FIELD_KEY, base);
	put_template(&fields, HSM_FIELD_TEMPLATE, template);
	rv = peer_call(peer, HSM_OP_DERIVE, &fields);
	if (rv == CKR_OK)
		*handle = peer_u64(peer, HSM_FIELD_HANDLE);
	return rv;
}

MAYBE static CK_RV begin_by(struct peer *peer, unsigned int operation,
			    struct test_mechanism mechanism, uint64_t key)
{
	struct hsm_writer fields = peer_fields(peer);

	put_mechanism(&fields, mechanism);
	hsm_put_u64(&fields, HSM_FIELD_KEY, key);
	return peer_call(peer, operation, &fields);
}

/* One-shot: ENCRYPT, DECRYPT or SIGN after its INIT, which is the operation before it */
MAYBE static CK_RV crypt_by(struct peer *peer, unsigned int operation,
			    struct test_mechanism mechanism, uint64_t key, const void *in,
			    size_t in_length, uint8_t *out, size_t *length)
{
	struct hsm_writer fields;
	CK_RV rv = begin_by(peer, operation - 1, mechanism, key);

	if (rv != CKR_OK)
		return rv;
	fields = peer_fields(peer);
	hsm_put_bytes(&fields, HSM_FIELD_DATA, in, in_length);
	hsm_put_u64(&fields, HSM_FIELD_OUT_MAX, 1024);
	rv = peer_call(peer, operation, &fields);
	if (rv == CKR_OK)
		take_bytes(peer, operation == HSM_OP_SIGN ? HSM_FIELD_SIGNATURE : HSM_FIELD_DATA,
			   out, length);
	return rv;
}

MAYBE static CK_RV generate_rsa(struct peer *peer, const struct test_attribute *public_key,
				const struct test_attribute *private_key, uint64_t handle[2])
{
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_RSA_PKCS_KEY_PAIR_GEN);
	put_template(&out, HSM_FIELD_TEMPLATE, public_key);
	put_template(&out, HSM_FIELD_PRIVATE_TEMPLATE, private_key);
	rv = peer_call(peer, HSM_OP_GENERATE_PAIR, &out);
	if (rv == CKR_OK) {
		handle[0] = peer_u64(peer, HSM_FIELD_HANDLE);
		handle[1] = peer_u64(peer, HSM_FIELD_OTHER_HANDLE);
	}
	return rv;
}

/* One attribute as bytes of a nested template. Return: their number. */
MAYBE static size_t nest(uint8_t *out, size_t room, uint64_t type, const void *value, size_t length)
{
	struct hsm_writer writer;

	hsm_writer_init(&writer, out, room);
	hsm_put_attribute(&writer, type, 0, value, length);
	assert_int_equal(writer.error, 0);
	return writer.length;
}

#endif /* OBJECT_TESTING_H */
