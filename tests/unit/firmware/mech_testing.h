/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of mechanisms share: parameters as a command carries them, keys made from a few attributes, and the
 * usual first and last steps.
 */
#ifndef MECH_TESTING_H
#define MECH_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "mech_private.h"

/* A mechanism with its parameters. Begin with call_start(), add fields with hsm_put_*(&call.writer, ...), then call_end(). */
struct call {
	struct mechanism mechanism;
	struct hsm_fields fields;
	struct hsm_writer writer;
	uint8_t data[8192];
};

static inline void call_start(struct call *call, uint64_t mechanism)
{
	memset(call, 0, sizeof(*call));
	hsm_writer_init(&call->writer, call->data, sizeof(call->data));
	call->mechanism.info = hsm_mechanism_find(mechanism);
	call->mechanism.fields = &call->fields;
	assert_non_null(call->mechanism.info);
}

static inline const struct mechanism *call_end(struct call *call)
{
	assert_int_equal(call->writer.error, 0);
	assert_int_equal(hsm_fields_parse(&call->fields, call->data, call->writer.length), 0);
	return &call->mechanism;
}

/* A mechanism without parameters */
static inline const struct mechanism *call_plain(struct call *call, uint64_t mechanism)
{
	call_start(call, mechanism);
	return call_end(call);
}

static inline void set_head(struct attributes *attributes, uint64_t class, uint64_t type)
{
	assert_int_equal(attributes_set_ulong(attributes, CKA_CLASS, class), CKR_OK);
	assert_int_equal(attributes_set_ulong(attributes, CKA_KEY_TYPE, type), CKR_OK);
}

/* An imported secret key */
static inline struct key *secret_key(uint64_t type, const void *value, size_t length)
{
	struct attributes attributes = { 0 };
	struct key *key;

	set_head(&attributes, CKO_SECRET_KEY, type);
	assert_int_equal(attributes_set(&attributes, CKA_VALUE, value, length), CKR_OK);
	assert_int_equal(mech_import(&attributes), CKR_OK);
	key = key_new(&attributes);
	assert_non_null(key);
	attributes_free(&attributes);
	return key;
}

static const uint8_t p256_oid[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const uint8_t p384_oid[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const uint8_t p521_oid[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23 };
static const uint8_t ed25519_oid[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 };
static const uint8_t ed448_name[] = "\x13\x0a" "edwards448";
static const uint8_t x25519_name[] = "\x13\x0a" "curve25519";

struct pair {
	struct attributes public_attributes;
	struct attributes private_attributes;
	struct key *public_key;
	struct key *private_key;
};

/* Generate a pair; @type and @value: the one attribute of the public template that says which */
static inline CK_RV pair_generate(struct pair *pair, uint64_t mechanism, uint64_t key_type, uint64_t type,
				  const void *value, size_t length)
{
	struct call call;
	CK_RV rv;

	memset(pair, 0, sizeof(*pair));
	set_head(&pair->public_attributes, CKO_PUBLIC_KEY, key_type);
	set_head(&pair->private_attributes, CKO_PRIVATE_KEY, key_type);
	assert_int_equal(attributes_set(&pair->public_attributes, type, value, length), CKR_OK);
	rv = mech_generate_pair(call_plain(&call, mechanism), &pair->public_attributes, &pair->private_attributes);
	if (rv != CKR_OK)
		return rv;
	pair->public_key = key_new(&pair->public_attributes);
	pair->private_key = key_new(&pair->private_attributes);
	assert_non_null(pair->public_key);
	assert_non_null(pair->private_key);
	return CKR_OK;
}

static inline void pair_free(struct pair *pair)
{
	attributes_free(&pair->public_attributes);
	attributes_free(&pair->private_attributes);
	key_put(pair->public_key);
	key_put(pair->private_key);
}

static inline CK_RV pair_rsa(struct pair *pair, uint64_t bits)
{
	uint64_t value = htole64(bits);

	return pair_generate(pair, CKM_RSA_PKCS_KEY_PAIR_GEN, CKK_RSA, CKA_MODULUS_BITS, &value, sizeof(value));
}

static inline CK_RV pair_p256(struct pair *pair)
{
	return pair_generate(pair, CKM_EC_KEY_PAIR_GEN, CKK_EC, CKA_EC_PARAMS, p256_oid, sizeof(p256_oid));
}

/* A Diffie-Hellman pair of CKK_DH or CKK_X9_42_DH in the group that parameter generation gives for so many bits */
static inline CK_RV pair_dh(struct pair *pair, uint64_t type, uint64_t bits)
{
	bool x9_42 = type == CKK_X9_42_DH;
	struct attributes domain = { 0 };
	struct call call;
	CK_RV rv;

	memset(pair, 0, sizeof(*pair));
	attributes_set_ulong(&domain, CKA_PRIME_BITS, bits);
	call_plain(&call, x9_42 ? CKM_X9_42_DH_PARAMETER_GEN : CKM_DH_PKCS_PARAMETER_GEN);
	rv = mech_generate_key(&call.mechanism, &domain);
	if (rv != CKR_OK)
		return rv;
	attributes_remove(&domain, CKA_PRIME_BITS);
	attributes_remove(&domain, CKA_SUBPRIME_BITS);
	assert_int_equal(attributes_copy(&pair->public_attributes, &domain), CKR_OK);
	attributes_free(&domain);
	set_head(&pair->public_attributes, CKO_PUBLIC_KEY, type);
	set_head(&pair->private_attributes, CKO_PRIVATE_KEY, type);
	call_plain(&call, x9_42 ? CKM_X9_42_DH_KEY_PAIR_GEN : CKM_DH_PKCS_KEY_PAIR_GEN);
	rv = mech_generate_pair(&call.mechanism, &pair->public_attributes, &pair->private_attributes);
	if (rv != CKR_OK)
		return rv;
	pair->public_key = key_new(&pair->public_attributes);
	pair->private_key = key_new(&pair->private_attributes);
	return CKR_OK;
}

/* One whole operation */
static inline CK_RV run(enum mech_use use, const struct mechanism *mechanism, struct key *key, const void *in,
			size_t in_length, void *out, size_t *out_length)
{
	struct mech_operation *operation;
	CK_RV rv = mech_begin(&operation, use, mechanism, key);

	if (rv != CKR_OK)
		return rv;
	rv = mech_single(operation, in, in_length, out, out_length);
	mech_free(operation);
	return rv;
}

static inline CK_RV run_verify(const struct mechanism *mechanism, struct key *key, const void *in, size_t in_length,
			       const void *signature, size_t length)
{
	struct mech_operation *operation;
	CK_RV rv = mech_begin(&operation, MECH_VERIFY, mechanism, key);

	if (rv != CKR_OK)
		return rv;
	rv = mech_verify(operation, in, in_length, signature, length);
	mech_free(operation);
	return rv;
}

static inline size_t from_hex(const char *hex, uint8_t *out, size_t room)
{
	size_t length = 0;
	unsigned int byte;

	while (*hex) {
		assert_true(length < room && sscanf(hex, "%2x", &byte) == 1);
		out[length++] = (uint8_t)byte;
		hex += 2;
	}
	return length;
}

static inline int library_start(void **state)
{
	(void)state;
	return mech_start();
}

static inline int library_stop(void **state)
{
	(void)state;
	mech_stop();
	return 0;
}

#endif /* MECH_TESTING_H */
