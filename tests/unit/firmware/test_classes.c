// SPDX-License-Identifier: Apache-2.0
/*
 * Classes of objects beside keys: certificates, trust; and attributes whose values the device computes or compares.
 */
#include "object_testing.h"

#define CERT(...)                                                                               \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_CERTIFICATE), A_NUMBER(CKA_CERTIFICATE_TYPE, CKC_X_509), \
	       A_TEXT(CKA_SUBJECT, "subject"), __VA_ARGS__)
#define TRUST(...)                                                           \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_TRUST), A_TEXT(CKA_ISSUER, "issuer"), \
	       A_TEXT(CKA_SERIAL_NUMBER, "1"), __VA_ARGS__)
#define SET(...) change(peer, HSM_OP_ATTRIBUTES_SET, handle, A_LIST(__VA_ARGS__))

static const char digest[20] = "twenty bytes of hash";

/* Of "abc", FIPS 180-4's example */
static const uint8_t sha1_abc[] = { 0xa9, 0x99, 0x3e };

static void certificates(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_attribute_view view;
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer, CERT(A_TEXT(CKA_VALUE, "abc")), &handle), CKR_OK);
	assert_false(get_bool(peer, handle, CKA_PRIVATE));
	assert_int_equal(read_one(peer, handle, CKA_CHECK_VALUE, &view), CKR_OK);
	assert_int_equal(view.length, 3);
	assert_memory_equal(view.value, sha1_abc, 3);
	assert_int_equal(SET(A_TEXT(CKA_ID, "id"), A_TEXT(CKA_ISSUER, "i"),
			     A_TEXT(CKA_SERIAL_NUMBER, "2"), A_TEXT(CKA_LABEL, "l")),
			 CKR_OK);
	assert_int_equal(SET(A_TEXT(CKA_SUBJECT, "other")), CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(SET(A_TEXT(CKA_VALUE, "xyz")), CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(SET(A_TEXT(CKA_OWNER, "xyz")), CKR_ATTRIBUTE_TYPE_INVALID);
	assert_int_equal(SET(A_TRUE(CKA_TRUSTED)), CKR_ATTRIBUTE_READ_ONLY);
	/* Neither here nor elsewhere; elsewhere, but whose? */
	assert_int_equal(create(peer, CERT(A_BYTES(CKA_VALUE, "", 0)), &handle),
			 CKR_TEMPLATE_INCOMPLETE);
	assert_int_equal(create(peer, CERT(A_BYTES(CKA_VALUE, "", 0), A_TEXT(CKA_URL, "u")),
				&handle),
			 CKR_TEMPLATE_INCOMPLETE);
	assert_int_equal(create(peer,
				CERT(A_BYTES(CKA_VALUE, "", 0), A_TEXT(CKA_URL, "u"),
				     A_TEXT(CKA_HASH_OF_SUBJECT_PUBLIC_KEY, "a"),
				     A_TEXT(CKA_HASH_OF_ISSUER_PUBLIC_KEY, "b")),
				&handle),
			 CKR_OK);
	assert_int_equal(read_one(peer, handle, CKA_CHECK_VALUE, &view),
			 CKR_ATTRIBUTE_TYPE_INVALID);
	assert_int_equal(create(peer,
				A_LIST(A_NUMBER(CKA_CLASS, CKO_CERTIFICATE),
				       A_NUMBER(CKA_CERTIFICATE_TYPE, CKC_X_509),
				       A_TEXT(CKA_VALUE, "abc")),
				&handle),
			 CKR_TEMPLATE_INCOMPLETE);
	assert_int_equal(create(peer,
				CERT(A_TEXT(CKA_VALUE, "a"), A_NUMBER(CKA_CERTIFICATE_CATEGORY, 4)),
				&handle),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	peer_free(peer);
}

static void attribute_certificates(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer,
				A_LIST(A_NUMBER(CKA_CLASS, CKO_CERTIFICATE),
				       A_NUMBER(CKA_CERTIFICATE_TYPE, CKC_X_509_ATTR_CERT),
				       A_TEXT(CKA_OWNER, "me"), A_TEXT(CKA_VALUE, "abc")),
				&handle),
			 CKR_OK);
	assert_int_equal(SET(A_TEXT(CKA_AC_ISSUER, "i"), A_TEXT(CKA_ATTR_TYPES, "t")), CKR_OK);
	assert_int_equal(SET(A_TEXT(CKA_ID, "i")), CKR_ATTRIBUTE_TYPE_INVALID);
	assert_int_equal(SET(A_TEXT(CKA_OWNER, "you")), CKR_ATTRIBUTE_READ_ONLY);
	/* WTLS is not known. */
	assert_int_equal(create(peer,
				A_LIST(A_NUMBER(CKA_CLASS, CKO_CERTIFICATE),
				       A_NUMBER(CKA_CERTIFICATE_TYPE, 2), A_TEXT(CKA_SUBJECT, "s"),
				       A_TEXT(CKA_VALUE, "abc")),
				&handle),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	peer_free(peer);
}

static void trust_names_a_certificate(void **state)
{
	struct peer *peer = peer_user(0);
	uint64_t handle;

	(void)state;
	assert_int_equal(create(peer, TRUST(A_NUMBER(CKA_TRUST_CODE_SIGNING, CKT_NOT_TRUSTED)),
				&handle),
			 CKR_OK);
	assert_int_equal(get_ulong(peer, handle, CKA_TRUST_CODE_SIGNING), CKT_NOT_TRUSTED);
	assert_int_equal(get_ulong(peer, handle, CKA_TRUST_SERVER_AUTH), CKT_TRUST_UNKNOWN);
	assert_false(get_bool(peer, handle, CKA_PRIVATE));
	/* Trust in a certificate that has no hash, neither from the start nor later */
	assert_int_equal(SET(A_NUMBER(CKA_TRUST_SERVER_AUTH, CKT_TRUST_ANCHOR)),
			 CKR_TEMPLATE_INCOMPLETE);
	assert_int_equal(create(peer, TRUST(A_NUMBER(CKA_TRUST_SERVER_AUTH, CKT_TRUSTED)), &handle),
			 CKR_TEMPLATE_INCOMPLETE);
	assert_int_equal(create(peer,
				TRUST(A_NUMBER(CKA_TRUST_SERVER_AUTH, CKT_TRUSTED),
				      A_NUMBER(CKA_NAME_HASH_ALGORITHM, CKM_SHA256),
				      A_BYTES(CKA_HASH_OF_CERTIFICATE, digest, 20)),
				&handle),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(create(peer,
				TRUST(A_NUMBER(CKA_TRUST_SERVER_AUTH, CKT_TRUSTED),
				      A_NUMBER(CKA_NAME_HASH_ALGORITHM, CKM_SHA_1),
				      A_BYTES(CKA_HASH_OF_CERTIFICATE, digest, 20)),
				&handle),
			 CKR_OK);
	assert_int_equal(SET(A_NUMBER(CKA_TRUST_SERVER_AUTH, 9)), CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(
		create(peer, A_LIST(A_NUMBER(CKA_CLASS, CKO_TRUST), A_TEXT(CKA_ISSUER, "issuer")),
		       &handle),
		CKR_TEMPLATE_INCOMPLETE);
	peer_free(peer);
}

/* Domain parameters: generated, taken out, put in again, used for a pair; and numbers that are no group */
static void domain_parameters(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_writer out = peer_fields(peer);
	struct hsm_attribute_view view;
	uint64_t generated, handle;
	uint8_t prime[256], base[256];
	size_t base_length;

	(void)state;
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_DH_PKCS_PARAMETER_GEN);
	put_template(&out, HSM_FIELD_TEMPLATE, A_LIST(A_NUMBER(CKA_PRIME_BITS, 2048)));
	assert_int_equal(peer_call(peer, HSM_OP_GENERATE_KEY, &out), CKR_OK);
	generated = peer_u64(peer, HSM_FIELD_HANDLE);
	assert_int_equal(get_ulong(peer, generated, CKA_CLASS), CKO_DOMAIN_PARAMETERS);
	assert_int_equal(get_ulong(peer, generated, CKA_KEY_TYPE), CKK_DH);
	assert_true(get_bool(peer, generated, CKA_LOCAL));
	assert_false(get_bool(peer, generated, CKA_PRIVATE));
	assert_int_equal(read_one(peer, generated, CKA_KEY_GEN_MECHANISM, &view),
			 CKR_ATTRIBUTE_TYPE_INVALID);
	assert_int_equal(read_one(peer, generated, CKA_PRIME, &view), CKR_OK);
	assert_int_equal(view.length, 256);
	memcpy(prime, view.value, 256);
	assert_int_equal(read_one(peer, generated, CKA_BASE, &view), CKR_OK);
	base_length = view.length;
	assert_in_range(base_length, 1, 256);
	memcpy(base, view.value, base_length);
#define DOMAIN(...)                                                                        \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_DOMAIN_PARAMETERS), A_NUMBER(CKA_KEY_TYPE, CKK_DH), \
	       A_BYTES(CKA_PRIME, prime, 256), __VA_ARGS__)
	assert_int_equal(create(peer, DOMAIN(A_BYTES(CKA_BASE, base, base_length)), &handle),
			 CKR_OK);
	assert_false(get_bool(peer, handle, CKA_LOCAL));
	assert_int_equal(SET(A_BYTES(CKA_BASE, base, base_length)), CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(create(peer, DOMAIN(A_TRUE(CKA_TOKEN)), &handle), CKR_TEMPLATE_INCOMPLETE);
	/* No key: it encrypts nothing. */
	assert_int_equal(begin_by(peer, HSM_OP_ENCRYPT_INIT,
				  (struct test_mechanism){ CKM_AES_ECB, NULL }, generated),
			 CKR_KEY_HANDLE_INVALID);
	prime[128] ^= 1;
	assert_int_equal(create(peer, DOMAIN(A_BYTES(CKA_BASE, base, base_length)), &handle),
			 CKR_DOMAIN_PARAMS_INVALID);
	peer_free(peer);
}

/* A session object becomes a token object, and the other way round; the copy is an object of its own. */
static void copies(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_attribute_view view;
	uint8_t id[36];
	uint64_t key, handle;

	(void)state;
	assert_int_equal(generate_aes(peer,
				      A_LIST(A_NUMBER(CKA_VALUE_LEN, 16), A_TRUE(CKA_SENSITIVE),
					     A_TEXT(CKA_LABEL, "one")),
				      &key),
			 CKR_OK);
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, key,
				A_LIST(A_TRUE(CKA_TOKEN), A_TEXT(CKA_LABEL, "two"))),
			 CKR_OK);
	handle = peer_u64(peer, HSM_FIELD_HANDLE);
	assert_true(get_bool(peer, handle, CKA_TOKEN));
	assert_true(get_bool(peer, handle, CKA_LOCAL));
	assert_true(get_bool(peer, handle, CKA_ALWAYS_SENSITIVE));
	assert_int_equal(get_ulong(peer, handle, CKA_KEY_GEN_MECHANISM), CKM_AES_KEY_GEN);
	assert_int_equal(read_one(peer, key, CKA_UNIQUE_ID, &view), CKR_OK);
	memcpy(id, view.value, sizeof(id));
	assert_int_equal(read_one(peer, handle, CKA_UNIQUE_ID, &view), CKR_OK);
	assert_memory_not_equal(view.value, id, sizeof(id));
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_SIZE, handle), CKR_OK);
	assert_in_range(peer_u64(peer, HSM_FIELD_LENGTH), 100, 4096);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_DESTROY, key), CKR_OK);
	peer_free(peer);
	board_restart();
	peer = peer_user(0);
	key = found_one(peer, "two");
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, key, A_LIST(A_FALSE(CKA_TOKEN))), CKR_OK);
	handle = peer_u64(peer, HSM_FIELD_HANDLE);
	/* In a read-only session, only session objects come and go. */
	assert_int_equal(peer_session(peer, false), CKR_OK);
	assert_int_equal(change(peer, HSM_OP_OBJECT_COPY, handle, A_LIST(A_TRUE(CKA_TOKEN))),
			 CKR_SESSION_READ_ONLY);
	assert_int_equal(SET(A_TEXT(CKA_LABEL, "three")), CKR_OK);
	handle = key;
	assert_int_equal(SET(A_TEXT(CKA_LABEL, "three")), CKR_SESSION_READ_ONLY);
	assert_int_equal(with_key(peer, HSM_OP_OBJECT_DESTROY, key), CKR_SESSION_READ_ONLY);
	peer_free(peer);
}

/* FIPS 197, appendix B's key; the check value is what AES makes of a block of zeroes */
static void check_values(void **state)
{
	static const uint8_t key[] = { 0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
				       0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c };
	static const uint8_t right[] = { 0x7d, 0xf7, 0x6b };
	struct peer *peer = peer_user(0);
	struct hsm_attribute_view view;
	uint64_t handle;

	(void)state;
#define AES(...)                                                                     \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES), \
	       A_BYTES(CKA_VALUE, key, 16), __VA_ARGS__)
	assert_int_equal(create(peer, AES(A_BYTES(CKA_CHECK_VALUE, right, 3)), &handle), CKR_OK);
	assert_int_equal(read_one(peer, handle, CKA_CHECK_VALUE, &view), CKR_OK);
	assert_memory_equal(view.value, right, 3);
	assert_int_equal(SET(A_BYTES(CKA_CHECK_VALUE, right, 3)), CKR_OK);
	assert_int_equal(SET(A_BYTES(CKA_CHECK_VALUE, key, 3)), CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(SET(A_BYTES(CKA_CHECK_VALUE, "", 0)), CKR_OK);
	assert_int_equal(read_one(peer, handle, CKA_CHECK_VALUE, &view),
			 CKR_ATTRIBUTE_TYPE_INVALID);
	assert_int_equal(SET(A_BYTES(CKA_CHECK_VALUE, right, 3)), CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(create(peer, AES(A_BYTES(CKA_CHECK_VALUE, key, 3)), &handle),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(create(peer, AES(A_BYTES(CKA_CHECK_VALUE, "", 0)), &handle), CKR_OK);
	assert_int_equal(read_one(peer, handle, CKA_CHECK_VALUE, &view),
			 CKR_ATTRIBUTE_TYPE_INVALID);
	peer_free(peer);
}

static void public_key_info_is_that_of_the_key(void **state)
{
	struct peer *peer = peer_user(0);
	struct hsm_attribute_view view;
	uint64_t pair[2] = { 0 }, handle;
	uint8_t info[256];
	size_t length;

	(void)state;
	assert_int_equal(generate_ec(peer, false, A_LIST(A_TRUE(CKA_SIGN)), pair), CKR_OK);
	assert_int_equal(read_one(peer, pair[0], CKA_PUBLIC_KEY_INFO, &view), CKR_OK);
	length = view.length;
	assert_in_range(length, 80, sizeof(info));
	memcpy(info, view.value, length);
	assert_int_equal(read_one(peer, pair[1], CKA_PUBLIC_KEY_INFO, &view), CKR_OK);
	assert_int_equal(view.length, length);
	assert_memory_equal(view.value, info, length);
	handle = pair[1];
	assert_int_equal(SET(A_BYTES(CKA_PUBLIC_KEY_INFO, info, length)), CKR_OK);
	info[length - 1] ^= 1;
	assert_int_equal(SET(A_BYTES(CKA_PUBLIC_KEY_INFO, info, length)),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	peer_free(peer);
}

/* What no template says */
static void defaults(void **state)
{
	struct peer *peer = peer_user(0);
	struct peer *strict = peer_user(1);
	uint64_t handle;

	(void)state;
	assert_int_equal(generate_aes(peer, A_LIST(A_NUMBER(CKA_VALUE_LEN, 16)), &handle), CKR_OK);
	assert_false(get_bool(peer, handle, CKA_SENSITIVE));
	assert_false(get_bool(peer, handle, CKA_EXTRACTABLE));
	assert_false(get_bool(peer, handle, CKA_ALWAYS_SENSITIVE));
	assert_true(get_bool(peer, handle, CKA_NEVER_EXTRACTABLE));
	assert_int_equal(get_ulong(peer, handle, CKA_OBJECT_VALIDATION_FLAGS), 0);
	assert_int_equal(SET(A_NUMBER(CKA_OBJECT_VALIDATION_FLAGS, 1)), CKR_ATTRIBUTE_READ_ONLY);
	assert_int_equal(generate_aes(strict, A_LIST(A_NUMBER(CKA_VALUE_LEN, 16)), &handle),
			 CKR_OK);
	assert_true(get_bool(strict, handle, CKA_SENSITIVE));
	peer_free(peer);
	peer_free(strict);
}

#define READY(test) cmocka_unit_test_setup_teardown(test, board_setup_ready, board_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		READY(certificates),
		READY(attribute_certificates),
		READY(trust_names_a_certificate),
		READY(domain_parameters),
		READY(copies),
		READY(check_values),
		READY(public_key_info_is_that_of_the_key),
		READY(defaults),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
