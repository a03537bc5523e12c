/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of derivations share: values in hexadecimal, a key to be, and its comparison with a known one.
 */
#ifndef TESTS_FIRMWARE_DERIVE_TESTING_H
#define TESTS_FIRMWARE_DERIVE_TESTING_H

#include "mech_testing.h"

struct bytes {
	uint8_t data[1024];
	size_t length;
};

static inline struct bytes hex(const char *text)
{
	struct bytes bytes;

	bytes.length = from_hex(text, bytes.data, sizeof(bytes.data));
	return bytes;
}

static inline void put_hex(struct call *call, enum hsm_field_tag tag, const char *text)
{
	struct bytes bytes = hex(text);

	hsm_put_bytes(&call->writer, tag, bytes.data, bytes.length);
}

static inline struct key *secret_hex(uint64_t type, const char *text)
{
	struct bytes bytes = hex(text);

	return secret_key(type, bytes.data, bytes.length);
}

/* A key to be: @length 0: the template says nothing of it */
static inline void wish(struct attributes *key, uint64_t type, size_t length)
{
	*key = (struct attributes){ 0 };
	set_head(key, CKO_SECRET_KEY, type);
	if (length)
		assert_int_equal(attributes_set_ulong(key, CKA_VALUE_LEN, length), CKR_OK);
}

static inline void assert_value(const struct attributes *key, const char *text)
{
	const struct attribute *value = attributes_find(key, CKA_VALUE);
	struct bytes wanted = hex(text);

	assert_non_null(value);
	assert_int_equal(value->length, wanted.length);
	assert_memory_equal(value->value, wanted.data, wanted.length);
}

/* Derive a generic secret and compare */
static inline void expect(struct call *call, struct key *base, const char *value)
{
	struct attributes key;
	const struct mechanism *mechanism = call_end(call);

	print_message("# %s\n", mechanism->info->name);
	wish(&key, CKK_GENERIC_SECRET, hex(value).length);
	assert_int_equal(mech_derive(mechanism, base, &key), CKR_OK);
	assert_value(&key, value);
	attributes_free(&key);
}

static inline CK_RV attempt(struct call *call, struct key *base, uint64_t type, size_t length)
{
	struct attributes key;
	CK_RV rv;

	wish(&key, type, length);
	rv = mech_derive(call_end(call), base, &key);
	attributes_free(&key);
	return rv;
}

#endif /* TESTS_FIRMWARE_DERIVE_TESTING_H */
