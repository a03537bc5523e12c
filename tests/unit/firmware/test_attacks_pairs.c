// SPDX-License-Identifier: Apache-2.0
/*
 * Key pairs at the device's own commands: attacks by mechanisms that wrap, agree and derive with them, named after their
 * lines in Documentation/policy.rst; the public half of a private key; domain parameters.
 */
#include "object_testing.h"

#define COMPATIBLE 0
#define STRICT	   1

#define OK(call)     assert_int_equal(call, CKR_OK)
#define RV(call, rv) assert_int_equal(call, rv)

#define AES(n, ...) A_LIST(A_NUMBER(CKA_VALUE_LEN, n), __VA_ARGS__)
#define AS_AES(...) \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES), __VA_ARGS__)
#define AS_PRIVATE(type, ...) \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_PRIVATE_KEY), A_NUMBER(CKA_KEY_TYPE, type), __VA_ARGS__)

static uint64_t aes_bits = 256;

static void put_rsa_aes(struct hsm_writer *out)
{
	hsm_put_u64(out, HSM_FIELD_AES_BITS, aes_bits);
	hsm_put_u64(out, HSM_FIELD_HASH, CKM_SHA256);
	hsm_put_u64(out, HSM_FIELD_MGF, CKG_MGF1_SHA256);
}

static void put_ecdh_aes(struct hsm_writer *out)
{
	hsm_put_u64(out, HSM_FIELD_AES_BITS, aes_bits);
	hsm_put_u64(out, HSM_FIELD_KDF, CKD_SHA256_KDF);
}

static uint8_t peer_point[256];
static size_t peer_length;

static void put_ecdh(struct hsm_writer *out)
{
	hsm_put_u64(out, HSM_FIELD_KDF, CKD_NULL);
	hsm_put_bytes(out, HSM_FIELD_PUBLIC, peer_point, peer_length);
}

static void put_public(struct hsm_writer *out)
{
	hsm_put_bytes(out, HSM_FIELD_PUBLIC, peer_point, peer_length);
}

static const struct test_mechanism raw = { CKM_RSA_X_509, NULL },
				   rsa_aes = { CKM_RSA_AES_KEY_WRAP, put_rsa_aes },
				   ecdh_aes = { CKM_ECDH_COF_AES_KEY_WRAP, put_ecdh_aes },
				   ecdh = { CKM_ECDH1_DERIVE, put_ecdh },
				   dh = { CKM_DH_PKCS_DERIVE, put_public },
				   public_half = { CKM_PUB_KEY_FROM_PRIV_KEY, NULL };

static uint64_t made(struct peer *peer, const struct test_attribute *template)
{
	uint64_t handle = 0;

	OK(generate_aes(peer, template, &handle));
	return handle;
}

static void make_rsa(struct peer *peer, uint64_t pair[2])
{
	OK(generate_rsa(peer, A_LIST(A_NUMBER(CKA_MODULUS_BITS, 2048), A_TRUE(CKA_WRAP)),
			A_LIST(A_TRUE(CKA_UNWRAP)), pair));
}

static void make_ec(struct peer *peer, uint64_t pair[2])
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_EC_KEY_PAIR_GEN);
	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_BYTES(CKA_EC_PARAMS, p256, sizeof(p256)), A_TRUE(CKA_WRAP),
			    A_TRUE(CKA_DERIVE)));
	put_template(&out, HSM_FIELD_PRIVATE_TEMPLATE,
		     A_LIST(A_TRUE(CKA_UNWRAP), A_TRUE(CKA_DERIVE), A_TRUE(CKA_EXTRACTABLE),
			    A_TEXT(CKA_ID, "id of the pair")));
	OK(peer_call(peer, HSM_OP_GENERATE_PAIR, &out));
	pair[0] = peer_u64(peer, HSM_FIELD_HANDLE);
	pair[1] = peer_u64(peer, HSM_FIELD_OTHER_HANDLE);
}

/* Of both ways to wrap by a pair */
struct wrapping {
	struct test_mechanism mechanism;
	uint64_t pair[2];
};

static void make_wrappings(struct peer *peer, struct wrapping wrappings[2])
{
	wrappings[0].mechanism = rsa_aes;
	make_rsa(peer, wrappings[0].pair);
	wrappings[1].mechanism = ecdh_aes;
	make_ec(peer, wrappings[1].pair);
	aes_bits = 256;
}

/* ---- 5 ---- */

static void attack_5_wrapped_by_a_pair_unwrapped_as_another_type(void **state)
{
	static const uint64_t types[] = { CKK_RSA, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY, CKK_DH };
	struct peer *peer = peer_user(COMPATIBLE);
	struct wrapping wrappings[2];
	uint8_t blob[1024];
	uint64_t key;
	size_t length;

	(void)state;
	make_wrappings(peer, wrappings);
	for (size_t i = 0; i < 2; i++) {
		struct wrapping *by = &wrappings[i];

		OK(wrap_by(peer, by->mechanism, by->pair[0], wrappings[1].pair[1], blob, &length));
		OK(unwrap_by(peer, by->mechanism, by->pair[1], blob, length,
			     AS_PRIVATE(CKK_EC, A_TRUE(CKA_SENSITIVE)), &key));
		for (size_t j = 0; j < sizeof(types) / sizeof(types[0]); j++)
			RV(unwrap_by(peer, by->mechanism, by->pair[1], blob, length,
				     AS_PRIVATE(types[j], A_TRUE(CKA_SENSITIVE)), &key),
			   CKR_WRAPPED_KEY_INVALID);
		RV(unwrap_by(peer, by->mechanism, by->pair[1], blob, length,
			     AS_AES(A_TRUE(CKA_SENSITIVE)), &key),
		   CKR_WRAPPED_KEY_INVALID);
	}
	peer_free(peer);
}

/* ---- 6 ---- */

static void attack_6_wrapped_by_a_pair_without_trust(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	struct wrapping wrappings[2];
	uint64_t free_key, bound_key;
	uint8_t blob[1024];
	size_t length;

	(void)state;
	make_wrappings(peer, wrappings);
	free_key = made(peer, AES(16, A_TRUE(CKA_EXTRACTABLE)));
	bound_key = made(peer, AES(16, A_TRUE(CKA_EXTRACTABLE), A_TRUE(CKA_WRAP_WITH_TRUSTED)));
	for (size_t i = 0; i < 2; i++) {
		struct wrapping *by = &wrappings[i];

		OK(wrap_by(peer, by->mechanism, by->pair[0], free_key, blob, &length));
		RV(wrap_by(peer, by->mechanism, by->pair[0], bound_key, blob, &length),
		   CKR_KEY_NOT_WRAPPABLE);
	}
	peer_free(peer);

	/* A public key may be anybody's: in the strict profile it wraps only when the SO vouches for it. */
	peer = peer_user(STRICT);
	make_rsa(peer, wrappings[0].pair);
	free_key = made(peer, AES(16, A_TRUE(CKA_EXTRACTABLE)));
	RV(wrap_by(peer, rsa_aes, wrappings[0].pair[0], free_key, blob, &length),
	   CKR_KEY_NOT_WRAPPABLE);
	peer_free(peer);
}

/* ---- 10 ---- */

static void attack_10_raw_rsa_unwraps_nothing(void **state)
{
	uint8_t chosen[256] = { 0 }, blob[1024];
	struct peer *peer;
	uint64_t pair[2], key;
	size_t length;

	(void)state;
	/* Whoever can choose the bytes that come out can plant a key, or relate one to another by multiplying. */
	chosen[255] = 1;
	for (int profile = COMPATIBLE; profile <= STRICT; profile++) {
		peer = peer_user(profile);
		make_rsa(peer, pair);
		RV(unwrap_by(peer, raw, pair[1], chosen, sizeof(chosen),
			     AS_AES(A_NUMBER(CKA_VALUE_LEN, 16)), &key),
		   CKR_MECHANISM_INVALID);
		RV(wrap_by(peer, raw, pair[0], made(peer, AES(16, A_TRUE(CKA_EXTRACTABLE))), blob,
			   &length),
		   CKR_MECHANISM_INVALID);
		peer_free(peer);
	}
}

/* What a pair cannot decrypt it does not sign either: in the strict profile there is no RSA without padding. */
static void attack_10_raw_rsa_opens_what_was_wrapped(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint8_t blob[1024], text[1024];
	size_t length, n;
	uint64_t pair[2];

	(void)state;
	OK(generate_rsa(peer, A_LIST(A_NUMBER(CKA_MODULUS_BITS, 2048), A_TRUE(CKA_WRAP)),
			A_LIST(A_TRUE(CKA_UNWRAP), A_TRUE(CKA_SIGN)), pair));
	aes_bits = 256;
	OK(wrap_by(peer, rsa_aes, pair[0], made(peer, AES(16, A_TRUE(CKA_EXTRACTABLE))), blob,
		   &length));
	/* Half way: OAEP's padded AES key, which the caller then takes apart himself */
	OK(crypt_by(peer, HSM_OP_SIGN, raw, pair[1], blob, 256, text, &n));
	assert_int_equal(n, 256);
	assert_int_equal(text[0], 0);
	peer_free(peer);

	peer = peer_user(STRICT);
	OK(generate_rsa(peer, A_LIST(A_NUMBER(CKA_MODULUS_BITS, 2048), A_TRUE(CKA_WRAP)),
			A_LIST(A_TRUE(CKA_UNWRAP), A_TRUE(CKA_SIGN)), pair));
	RV(crypt_by(peer, HSM_OP_SIGN, raw, pair[1], blob, 256, text, &n), CKR_MECHANISM_INVALID);
	RV(begin_by(peer, HSM_OP_DECRYPT_INIT, raw, pair[1]), CKR_MECHANISM_INVALID);
	peer_free(peer);
}

/* ---- 11 ---- */

static void try_ecdh(struct peer *peer, uint64_t base, CK_RV wanted)
{
	uint64_t key;

	RV(derive_by(peer, ecdh, base, AS_AES(A_NUMBER(CKA_VALUE_LEN, 16)), &key), wanted);
}

static void attack_11_points_of_other_curves(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	struct hsm_attribute_view view;
	struct wrapping wrappings[2];
	uint8_t blob[1024];
	size_t length;
	uint64_t key;

	(void)state;
	make_wrappings(peer, wrappings);
	OK(read_one(peer, wrappings[1].pair[0], CKA_EC_POINT, &view));
	peer_length = view.length;
	memcpy(peer_point, view.value, view.length);
	try_ecdh(peer, wrappings[1].pair[1], CKR_OK);
	peer_point[peer_length - 1] ^= 1;
	try_ecdh(peer, wrappings[1].pair[1], CKR_MECHANISM_PARAM_INVALID);
	/* The identity, and nothing */
	peer_length = 1;
	peer_point[0] = 0;
	try_ecdh(peer, wrappings[1].pair[1], CKR_MECHANISM_PARAM_INVALID);
	peer_length = 0;
	try_ecdh(peer, wrappings[1].pair[1], CKR_MECHANISM_PARAM_INVALID);
	/* In front of a wrapped key */
	OK(wrap_by(peer, ecdh_aes, wrappings[1].pair[0],
		   made(peer, AES(16, A_TRUE(CKA_EXTRACTABLE))), blob, &length));
	OK(unwrap_by(peer, ecdh_aes, wrappings[1].pair[1], blob, length,
		     AS_AES(A_TRUE(CKA_SENSITIVE)), &key));
	blob[66] ^= 1;
	RV(unwrap_by(peer, ecdh_aes, wrappings[1].pair[1], blob, length,
		     AS_AES(A_TRUE(CKA_SENSITIVE)), &key),
	   CKR_WRAPPED_KEY_INVALID);
	peer_free(peer);
}

static void attack_11_weak_moduli_and_exponents(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t pair[2];

	(void)state;
	OK(generate_rsa(peer,
			A_LIST(A_NUMBER(CKA_MODULUS_BITS, 2048),
			       A_BYTES(CKA_PUBLIC_EXPONENT, "\1\0\1", 3)),
			A_LIST(A_TRUE(CKA_SIGN)), pair));
	RV(generate_rsa(peer, A_LIST(A_NUMBER(CKA_MODULUS_BITS, 1024)), A_LIST(A_TRUE(CKA_SIGN)),
			pair),
	   CKR_ATTRIBUTE_VALUE_INVALID);
	RV(generate_rsa(peer,
			A_LIST(A_NUMBER(CKA_MODULUS_BITS, 2048),
			       A_BYTES(CKA_PUBLIC_EXPONENT, "\3", 1)),
			A_LIST(A_TRUE(CKA_SIGN)), pair),
	   CKR_ATTRIBUTE_VALUE_INVALID);
	peer_free(peer);
}

/* A group of nobody's making, and values outside of the group */
static CK_RV generate_dh(struct peer *peer, const uint8_t *prime, size_t length, uint64_t pair[2])
{
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_DH_PKCS_KEY_PAIR_GEN);
	put_template(&out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_BYTES(CKA_PRIME, prime, length), A_BYTES(CKA_BASE, "\2", 1)));
	put_template(&out, HSM_FIELD_PRIVATE_TEMPLATE, A_LIST(A_TRUE(CKA_DERIVE)));
	rv = peer_call(peer, HSM_OP_GENERATE_PAIR, &out);
	if (rv == CKR_OK) {
		pair[0] = peer_u64(peer, HSM_FIELD_HANDLE);
		pair[1] = peer_u64(peer, HSM_FIELD_OTHER_HANDLE);
	}
	return rv;
}

static CK_RV generate_parameters(struct peer *peer, uint64_t bits, uint64_t *handle)
{
	struct hsm_writer out = peer_fields(peer);
	CK_RV rv;

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_DH_PKCS_PARAMETER_GEN);
	put_template(&out, HSM_FIELD_TEMPLATE, A_LIST(A_NUMBER(CKA_PRIME_BITS, bits)));
	rv = peer_call(peer, HSM_OP_GENERATE_KEY, &out);
	if (rv == CKR_OK)
		*handle = peer_u64(peer, HSM_FIELD_HANDLE);
	return rv;
}

static void attack_11_groups_and_values_of_ones_own(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	struct hsm_attribute_view view;
	uint64_t domain, pair[2], key;
	uint8_t prime[256];

	(void)state;
	OK(generate_parameters(peer, 2048, &domain));
	OK(read_one(peer, domain, CKA_PRIME, &view));
	assert_int_equal(view.length, sizeof(prime));
	memcpy(prime, view.value, sizeof(prime));
	OK(generate_dh(peer, prime, sizeof(prime), pair));
	OK(read_one(peer, pair[0], CKA_VALUE, &view));
	peer_length = view.length;
	memcpy(peer_point, view.value, view.length);
	OK(derive_by(peer, dh, pair[1], AS_AES(A_NUMBER(CKA_VALUE_LEN, 16)), &key));
	/* p - 1 has order 2: the secret would be one of two. */
	peer_length = sizeof(prime);
	memcpy(peer_point, prime, sizeof(prime));
	peer_point[255] ^= 1;
	RV(derive_by(peer, dh, pair[1], AS_AES(A_NUMBER(CKA_VALUE_LEN, 16)), &key),
	   CKR_MECHANISM_PARAM_INVALID);
	peer_length = 1;
	peer_point[0] = 1;
	RV(derive_by(peer, dh, pair[1], AS_AES(A_NUMBER(CKA_VALUE_LEN, 16)), &key),
	   CKR_MECHANISM_PARAM_INVALID);
	prime[17] ^= 4;
	RV(generate_dh(peer, prime, sizeof(prime), pair), CKR_DOMAIN_PARAMS_INVALID);
	RV(create(peer,
		  A_LIST(A_NUMBER(CKA_CLASS, CKO_DOMAIN_PARAMETERS), A_NUMBER(CKA_KEY_TYPE, CKK_DH),
			 A_BYTES(CKA_PRIME, prime, sizeof(prime)), A_BYTES(CKA_BASE, "\2", 1)),
		  &domain),
	   CKR_DOMAIN_PARAMS_INVALID);
	peer_free(peer);
}

/* ---- 12 and 13 ---- */

static void attack_13_one_answer_for_every_fault(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	struct wrapping wrappings[2];
	uint8_t blob[1024];
	size_t length;
	uint64_t key;

	(void)state;
	make_wrappings(peer, wrappings);
	OK(wrap_by(peer, rsa_aes, wrappings[0].pair[0],
		   made(peer, AES(16, A_TRUE(CKA_EXTRACTABLE))), blob, &length));
	OK(unwrap_by(peer, rsa_aes, wrappings[0].pair[1], blob, length,
		     AS_AES(A_TRUE(CKA_SENSITIVE)), &key));
	/* In RSA's part, and in what the AES key in between has wrapped */
	for (size_t at = 10; at < length; at += 30) {
		blob[at] ^= 1;
		RV(unwrap_by(peer, rsa_aes, wrappings[0].pair[1], blob, length,
			     AS_AES(A_TRUE(CKA_SENSITIVE)), &key),
		   CKR_WRAPPED_KEY_INVALID);
		blob[at] ^= 1;
	}
	peer_free(peer);
}

/* ---- the public half ---- */

static void public_half_is_created_as_any_object(void **state)
{
	static const uint64_t same[] = { CKA_EC_POINT, CKA_EC_PARAMS, CKA_PUBLIC_KEY_INFO };
	struct peer *peer = peer_user(COMPATIBLE);
	struct hsm_attribute_view view;
	uint8_t value[256];
	uint64_t pair[2], key, rsa[2], aes;
	size_t length;

	(void)state;
	make_ec(peer, pair);
	OK(derive_by(peer, public_half, pair[1], A_LIST(A_TEXT(CKA_LABEL, "found again")), &key));
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		OK(read_one(peer, pair[0], same[i], &view));
		length = view.length;
		memcpy(value, view.value, length);
		OK(read_one(peer, key, same[i], &view));
		assert_int_equal(view.length, length);
		assert_memory_equal(view.value, value, length);
	}
	/* From the private half */
	assert_true(get_bool(peer, key, CKA_WRAP));
	assert_true(get_bool(peer, key, CKA_DERIVE));
	assert_false(get_bool(peer, key, CKA_LOCAL));
	assert_false(get_bool(peer, key, CKA_PRIVATE));
	assert_int_equal(get_ulong(peer, key, CKA_KEY_GEN_MECHANISM), CKM_EC_KEY_PAIR_GEN);
	OK(read_one(peer, key, CKA_ID, &view));
	assert_int_equal(view.length, strlen("id of the pair"));
	/* Also without CKA_DERIVE, and with what the template says */
	make_rsa(peer, rsa);
	OK(derive_by(peer, public_half, rsa[1], A_LIST(A_FALSE(CKA_WRAP), A_TRUE(CKA_VERIFY)),
		     &key));
	assert_false(get_bool(peer, key, CKA_WRAP));
	assert_int_equal(get_ulong(peer, key, CKA_MODULUS_BITS), 2048);
	/* Not with another key's material, as another class, nor of a key that has no public half */
	RV(derive_by(peer, public_half, rsa[1], A_LIST(A_BYTES(CKA_PUBLIC_EXPONENT, "\3", 1)),
		     &key),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(derive_by(peer, public_half, rsa[1], A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	aes = made(peer, AES(16, A_TRUE(CKA_DERIVE)));
	RV(derive_by(peer, public_half, aes, A_LIST(A_TEXT(CKA_LABEL, "no")), &key),
	   CKR_KEY_TYPE_INCONSISTENT);
	RV(derive_by(peer, public_half, rsa[0], A_LIST(A_TEXT(CKA_LABEL, "no")), &key),
	   CKR_KEY_TYPE_INCONSISTENT);
	RV(derive_by(peer, public_half, rsa[1], A_LIST(A_TRUE(CKA_TRUSTED)), &key),
	   CKR_ATTRIBUTE_READ_ONLY);
	peer_free(peer);
}

/* CKA_ALLOWED_MECHANISMS holds on this way too, and the rule about halves of a pair */
static void public_half_obeys_the_private_one(void **state)
{
	uint8_t allowed[8] = { CKM_RSA_PKCS_PSS };
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t rsa[2], key;

	(void)state;
	OK(generate_rsa(peer, A_LIST(A_NUMBER(CKA_MODULUS_BITS, 2048)),
			A_LIST(A_TRUE(CKA_SIGN),
			       A_BYTES(CKA_ALLOWED_MECHANISMS, allowed, sizeof(allowed))),
			rsa));
	RV(derive_by(peer, public_half, rsa[1], A_LIST(A_TEXT(CKA_LABEL, "no")), &key),
	   CKR_MECHANISM_INVALID);
	peer_free(peer);

	peer = peer_user(STRICT);
	OK(generate_rsa(peer, A_LIST(A_NUMBER(CKA_MODULUS_BITS, 2048)), A_LIST(A_TRUE(CKA_DECRYPT)),
			rsa));
	OK(derive_by(peer, public_half, rsa[1], A_LIST(A_TRUE(CKA_ENCRYPT)), &key));
	RV(derive_by(peer, public_half, rsa[1], A_LIST(A_TRUE(CKA_WRAP)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	peer_free(peer);
}

/* ---- domain parameters ---- */

static void domain_parameters(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	struct hsm_attribute_view view;
	uint8_t prime[384];
	uint64_t domain, created = 0;

	(void)state;
	OK(generate_parameters(peer, 3072, &domain));
	assert_int_equal(get_ulong(peer, domain, CKA_CLASS), CKO_DOMAIN_PARAMETERS);
	assert_int_equal(get_ulong(peer, domain, CKA_PRIME_BITS), 3072);
	assert_true(get_bool(peer, domain, CKA_LOCAL));
	OK(read_one(peer, domain, CKA_PRIME, &view));
	assert_int_equal(view.length, sizeof(prime));
	memcpy(prime, view.value, sizeof(prime));
	OK(create(peer,
		  A_LIST(A_NUMBER(CKA_CLASS, CKO_DOMAIN_PARAMETERS), A_NUMBER(CKA_KEY_TYPE, CKK_DH),
			 A_BYTES(CKA_PRIME, prime, sizeof(prime)), A_BYTES(CKA_BASE, "\2", 1)),
		  &created));
	assert_int_equal(get_ulong(peer, created, CKA_PRIME_BITS), 3072);
	assert_false(get_bool(peer, created, CKA_LOCAL));
	RV(generate_parameters(peer, 1024, &domain), CKR_ATTRIBUTE_VALUE_INVALID);
	peer_free(peer);
}

/* ---- a weaker key in between ---- */

static void attack_10_weaker_key_in_between(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	struct wrapping wrappings[2];
	uint8_t blob[1024];
	uint64_t key;
	size_t length;

	(void)state;
	make_wrappings(peer, wrappings);
	key = made(peer, AES(32, A_TRUE(CKA_EXTRACTABLE)));
	aes_bits = 128;
	for (size_t i = 0; i < 2; i++)
		OK(wrap_by(peer, wrappings[i].mechanism, wrappings[i].pair[0], key, blob, &length));
	peer_free(peer);

	peer = peer_user(STRICT);
	OK(generate_rsa(peer,
			A_LIST(A_NUMBER(CKA_MODULUS_BITS, 2048), A_TRUE(CKA_WRAP),
			       A_TRUE(CKA_TOKEN), A_FALSE(CKA_PRIVATE)),
			A_LIST(A_TRUE(CKA_UNWRAP)), wrappings[0].pair));
	so_trusts(peer, wrappings[0].pair[0]);
	key = made(peer, AES(32, A_TRUE(CKA_EXTRACTABLE)));
	RV(wrap_by(peer, rsa_aes, wrappings[0].pair[0], key, blob, &length),
	   CKR_WRAPPING_KEY_SIZE_RANGE);
	aes_bits = 256;
	OK(wrap_by(peer, rsa_aes, wrappings[0].pair[0], key, blob, &length));
	peer_free(peer);
}

#define READY(test) cmocka_unit_test_setup_teardown(test, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(attack_5_wrapped_by_a_pair_unwrapped_as_another_type),
		READY(attack_6_wrapped_by_a_pair_without_trust),
		READY(attack_10_raw_rsa_unwraps_nothing),
		READY(attack_10_raw_rsa_opens_what_was_wrapped),
		READY(attack_10_weaker_key_in_between),
		READY(attack_11_points_of_other_curves),
		READY(attack_11_weak_moduli_and_exponents),
		READY(attack_11_groups_and_values_of_ones_own),
		READY(attack_13_one_answer_for_every_fault),
		READY(public_half_is_created_as_any_object),
		READY(public_half_obeys_the_private_one),
		READY(domain_parameters),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
