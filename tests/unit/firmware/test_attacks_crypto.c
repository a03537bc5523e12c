// SPDX-License-Identifier: Apache-2.0
/*
 * Attacks by mechanisms, at the device's own commands: as test_attacks.c, each named after its line in
 * Documentation/policy.rst.
 */
#include "object_testing.h"

#define COMPATIBLE 0
#define STRICT	   1

#define OK(call)     assert_int_equal(call, CKR_OK)
#define RV(call, rv) assert_int_equal(call, rv)

#define AES(n, ...) A_LIST(A_NUMBER(CKA_VALUE_LEN, n), __VA_ARGS__)
#define AS_AES(...) \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_AES), __VA_ARGS__)
#define AS_GENERIC(...)                                                                         \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_GENERIC_SECRET), \
	       __VA_ARGS__)
#define BASE(...)                                                                              \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_SECRET_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_HKDF),          \
	       A_BYTES(CKA_VALUE, "a base key of thirty-two bytes..", 32), A_TRUE(CKA_DERIVE), \
	       __VA_ARGS__)
#define RSA_PUBLIC(...) A_LIST(A_NUMBER(CKA_MODULUS_BITS, 2048), __VA_ARGS__)

static void put_gcm(struct hsm_writer *out)
{
	hsm_put_bytes(out, HSM_FIELD_IV, "twelve bytes", 12);
	hsm_put_u64(out, HSM_FIELD_TAG_BITS, 128);
}

static void put_hkdf(struct hsm_writer *out)
{
	hsm_put_u64(out, HSM_FIELD_EXTRACT, 0);
	hsm_put_u64(out, HSM_FIELD_EXPAND, 1);
	hsm_put_u64(out, HSM_FIELD_HASH, CKM_SHA256);
}

static uint8_t iv[16];

static void put_iv(struct hsm_writer *out)
{
	hsm_put_bytes(out, HSM_FIELD_IV, iv, sizeof(iv));
}

static uint8_t point[133];
static size_t point_length;

static void put_ecdh(struct hsm_writer *out)
{
	hsm_put_u64(out, HSM_FIELD_KDF, CKD_NULL);
	hsm_put_bytes(out, HSM_FIELD_PUBLIC, point, point_length);
}

static const struct test_mechanism gcm = { CKM_AES_GCM, put_gcm }, kw = { CKM_AES_KEY_WRAP, NULL },
				   hkdf = { CKM_HKDF_DERIVE, put_hkdf },
				   cbc_pad = { CKM_AES_CBC_PAD, put_iv },
				   rsa_pkcs = { CKM_RSA_PKCS, NULL },
				   ecdh = { CKM_ECDH1_DERIVE, put_ecdh };

static uint64_t made(struct peer *peer, const struct test_attribute *template)
{
	uint64_t handle = 0;

	OK(generate_aes(peer, template, &handle));
	return handle;
}

static uint64_t imported(struct peer *peer, const struct test_attribute *template)
{
	uint64_t handle = 0;

	OK(create(peer, template, &handle));
	return handle;
}

/* A key that whoever knows the password knows, and that the token has made all the same */
static uint64_t from_password(struct peer *peer, const struct test_attribute *template)
{
	struct hsm_writer out = peer_fields(peer);

	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_PKCS5_PBKD2);
	hsm_put_u64(&out, HSM_FIELD_PRF, CKP_PKCS5_PBKD2_HMAC_SHA256);
	hsm_put_u64(&out, HSM_FIELD_ITERATIONS, 1000);
	hsm_put_bytes(&out, HSM_FIELD_SALT, "sixteen bytes...", 16);
	hsm_put_bytes(&out, HSM_FIELD_PASSWORD, "of the attacker.", 16);
	put_template(&out, HSM_FIELD_TEMPLATE, template);
	OK(peer_call(peer, HSM_OP_GENERATE_KEY, &out));
	return peer_u64(peer, HSM_FIELD_HANDLE);
}

/* ---- 9 ---- */

static void attack_9_a_key_in_pieces(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	struct hsm_attribute_view view;
	uint64_t open, closed, key;
	unsigned int n;

	(void)state;
	/* Of a base that its owner knows, the outputs may be read; but none that one could search for. */
	open = imported(peer, BASE(A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)));
	OK(derive_by(peer, hkdf, open,
		     AS_GENERIC(A_NUMBER(CKA_VALUE_LEN, 14), A_FALSE(CKA_SENSITIVE),
				A_TRUE(CKA_EXTRACTABLE)),
		     &key));
	OK(read_one(peer, key, CKA_VALUE, &view));
	for (n = 0; n < 14; n++)
		RV(derive_by(peer, hkdf, open, AS_GENERIC(A_NUMBER(CKA_VALUE_LEN, n)), &key),
		   CKR_ATTRIBUTE_VALUE_INVALID);
	/* Of a sensitive base, none may be read. */
	closed = imported(peer, BASE(A_TRUE(CKA_SENSITIVE)));
	RV(derive_by(peer, hkdf, closed,
		     AS_GENERIC(A_NUMBER(CKA_VALUE_LEN, 32), A_FALSE(CKA_SENSITIVE),
				A_TRUE(CKA_EXTRACTABLE)),
		     &key),
	   CKR_TEMPLATE_INCONSISTENT);
	OK(derive_by(peer, hkdf, closed, AS_GENERIC(A_NUMBER(CKA_VALUE_LEN, 32)), &key));
	RV(read_one(peer, key, CKA_VALUE, &view), CKR_ATTRIBUTE_SENSITIVE);
	peer_free(peer);

	peer = peer_user(STRICT);
	open = imported(peer, BASE(A_FALSE(CKA_SENSITIVE), A_TRUE(CKA_EXTRACTABLE)));
	RV(derive_by(peer, hkdf, open,
		     AS_GENERIC(A_NUMBER(CKA_VALUE_LEN, 32), A_FALSE(CKA_SENSITIVE)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	peer_free(peer);
}

/* ---- 10 ---- */

static void attack_10_modes_that_wrap_badly(void **state)
{
	static const uint64_t never[] = { CKM_AES_ECB, CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_CTR,
					  CKM_RSA_X_509 };
	struct peer *peer = peer_user(COMPATIBLE);
	uint8_t one[1024], two[1024];
	uint64_t kek, first, second, key;
	size_t length, i;

	(void)state;
	/* Two keys under one nonce: who knows the first has the second. */
	kek = made(peer, AES(32, A_TRUE(CKA_WRAP)));
	first = imported(peer, AS_AES(A_BYTES(CKA_VALUE, "known to everyone", 16),
				      A_TRUE(CKA_EXTRACTABLE)));
	second = imported(peer, AS_AES(A_BYTES(CKA_VALUE, "not known to many", 16),
				       A_TRUE(CKA_EXTRACTABLE)));
	OK(wrap_by(peer, gcm, kek, first, one, &length));
	OK(wrap_by(peer, gcm, kek, second, two, &length));
	for (i = 0; i < 16; i++)
		two[i] ^= one[i] ^ "known to everyone"[i];
	assert_memory_equal(two, "not known to many", 16);
	/* Modes without a tag wrap in no profile. */
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		RV(wrap_by(peer, (struct test_mechanism){ never[i], NULL }, kek, first, one,
			   &length),
		   CKR_MECHANISM_INVALID);
		RV(unwrap_by(peer, (struct test_mechanism){ never[i], NULL }, kek, one, 16,
			     AS_AES(A_TRUE(CKA_SIGN)), &key),
		   CKR_MECHANISM_INVALID);
	}
	peer_free(peer);

	peer = peer_user(STRICT);
	kek = made(peer, AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_TOKEN), A_FALSE(CKA_PRIVATE)));
	so_trusts(peer, kek);
	first = made(peer, AES(32, A_TRUE(CKA_EXTRACTABLE)));
	RV(wrap_by(peer, gcm, kek, first, one, &length), CKR_MECHANISM_INVALID);
	OK(wrap_by(peer, kw, kek, first, one, &length));
	peer_free(peer);
}

static void attack_10_weak_or_known_wrapping_keys(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t known, shorter, unvouched, target, pair[2] = { 0 };
	uint8_t blob[1024];
	size_t length;

	(void)state;
	known = imported(peer, AS_AES(A_BYTES(CKA_VALUE, "of the attacker.", 16),
				      A_TRUE(CKA_SENSITIVE), A_TRUE(CKA_WRAP)));
	shorter = made(peer, AES(16, A_TRUE(CKA_WRAP)));
	target = made(peer, AES(32, A_TRUE(CKA_EXTRACTABLE)));
	OK(generate_rsa(peer, RSA_PUBLIC(A_TRUE(CKA_WRAP)), A_LIST(A_TRUE(CKA_SIGN)), pair));
	OK(wrap_by(peer, kw, known, target, blob, &length));
	known = from_password(peer, AS_AES(A_NUMBER(CKA_VALUE_LEN, 32), A_TRUE(CKA_WRAP)));
	OK(wrap_by(peer, kw, known, target, blob, &length));
	OK(wrap_by(peer, kw, shorter, target, blob, &length));
	OK(wrap_by(peer, rsa_pkcs, pair[0], target, blob, &length));
	/* A policy of its own may still call the key too short: the one that wraps, not the one that is wrapped. */
	board_set_value(0, HSM_POLICY_MIN_AES, 256);
	RV(wrap_by(peer, kw, shorter, target, blob, &length), CKR_WRAPPING_KEY_SIZE_RANGE);
	OK(wrap_by(peer, kw, known, target, blob, &length));
	peer_free(peer);

	peer = peer_user(STRICT);
	known = imported(peer, AS_AES(A_BYTES(CKA_VALUE, "of the attacker.of the attacker.", 32),
				      A_TRUE(CKA_SENSITIVE), A_TRUE(CKA_WRAP)));
	target = made(peer, AES(32, A_TRUE(CKA_EXTRACTABLE)));
	RV(wrap_by(peer, kw, known, target, blob, &length), CKR_KEY_NOT_WRAPPABLE);
	known = from_password(peer, AS_AES(A_NUMBER(CKA_VALUE_LEN, 32), A_TRUE(CKA_WRAP)));
	RV(wrap_by(peer, kw, known, target, blob, &length), CKR_KEY_NOT_WRAPPABLE);
	/* One that was made here and always sensitive may unwrap elsewhere: that is for the SO to say. */
	unvouched = made(peer, AES(32, A_TRUE(CKA_WRAP), A_TRUE(CKA_TOKEN), A_FALSE(CKA_PRIVATE)));
	shorter = made(peer, AES(16, A_TRUE(CKA_WRAP), A_TRUE(CKA_TOKEN), A_FALSE(CKA_PRIVATE)));
	assert_true(get_bool(peer, unvouched, CKA_ALWAYS_SENSITIVE));
	RV(wrap_by(peer, kw, unvouched, target, blob, &length), CKR_KEY_NOT_WRAPPABLE);
	so_trusts(peer, shorter);
	so_trusts(peer, unvouched);
	target = made(peer, AES(32, A_TRUE(CKA_EXTRACTABLE)));
	OK(wrap_by(peer, kw, unvouched, target, blob, &length));
	RV(wrap_by(peer, kw, shorter, target, blob, &length), CKR_WRAPPING_KEY_SIZE_RANGE);
	OK(generate_rsa(peer, RSA_PUBLIC(A_TRUE(CKA_WRAP)), A_LIST(A_TRUE(CKA_UNWRAP)), pair));
	assert_int_not_equal(wrap_by(peer, rsa_pkcs, pair[0], target, blob, &length), CKR_OK);
	peer_free(peer);
}

/* ---- 11 ---- */

static void attack_11_weak_rsa_keys(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint8_t modulus[256];
	uint64_t pair[2] = { 0 }, key;
	struct hsm_attribute_view view;

	(void)state;
#define PUBLIC(n, e, e_length)                                                       \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_PUBLIC_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_RSA), \
	       A_BYTES(CKA_MODULUS, modulus, n), A_BYTES(CKA_PUBLIC_EXPONENT, e, e_length))
	OK(generate_rsa(peer, RSA_PUBLIC(A_TRUE(CKA_VERIFY)), A_LIST(A_TRUE(CKA_SIGN)), pair));
	OK(read_one(peer, pair[0], CKA_MODULUS, &view));
	assert_int_equal(view.length, 256);
	memcpy(modulus, view.value, 256);
	OK(create(peer, PUBLIC(256, "\1\0\1", 3), &key));
	RV(create(peer, PUBLIC(256, "\3", 1), &key), CKR_ATTRIBUTE_VALUE_INVALID);
	RV(create(peer, PUBLIC(256, "\1\0\0", 3), &key), CKR_ATTRIBUTE_VALUE_INVALID);
	RV(create(peer, PUBLIC(128, "\1\0\1", 3), &key), CKR_ATTRIBUTE_VALUE_INVALID);
	modulus[255] ^= 1;
	RV(create(peer, PUBLIC(256, "\1\0\1", 3), &key), CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_not_equal(generate_rsa(peer, RSA_PUBLIC(A_TEXT(CKA_PUBLIC_EXPONENT, "\3")),
					  A_LIST(A_TRUE(CKA_SIGN)), pair),
			     CKR_OK);
	assert_int_not_equal(generate_rsa(peer, A_LIST(A_NUMBER(CKA_MODULUS_BITS, 1024)),
					  A_LIST(A_TRUE(CKA_SIGN)), pair),
			     CKR_OK);
	peer_free(peer);
}

static void attack_11_invalid_points(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	struct hsm_attribute_view view;
	uint64_t pair[2] = { 0 }, key;

	(void)state;
	OK(generate_ec(peer, false, A_LIST(A_TRUE(CKA_DERIVE)), pair));
	OK(read_one(peer, pair[0], CKA_EC_POINT, &view));
	point_length = view.length - 2;
	assert_int_equal(point_length, 65);
	memcpy(point, view.value + 2, point_length);
	OK(derive_by(peer, ecdh, pair[1], AS_GENERIC(A_NUMBER(CKA_VALUE_LEN, 32)), &key));
	/* Off the curve, the identity, cut short, and none at all */
	point[64] ^= 1;
	assert_int_not_equal(derive_by(peer, ecdh, pair[1], AS_GENERIC(A_NUMBER(CKA_VALUE_LEN, 32)),
				       &key),
			     CKR_OK);
	RV(create(peer,
		  A_LIST(A_NUMBER(CKA_CLASS, CKO_PUBLIC_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_EC),
			 A_BYTES(CKA_EC_PARAMS, p256, sizeof(p256)),
			 A_BYTES(CKA_EC_POINT, point, point_length)),
		  &key),
	   CKR_ATTRIBUTE_VALUE_INVALID);
	point[64] ^= 1;
	for (point_length = 64; point_length > 60; point_length--)
		assert_int_not_equal(derive_by(peer, ecdh, pair[1],
					       AS_GENERIC(A_NUMBER(CKA_VALUE_LEN, 32)), &key),
				     CKR_OK);
	memset(point, 0, sizeof(point));
	for (point_length = 0; point_length < 2; point_length++)
		assert_int_not_equal(derive_by(peer, ecdh, pair[1],
					       AS_GENERIC(A_NUMBER(CKA_VALUE_LEN, 32)), &key),
				     CKR_OK);
	peer_free(peer);
}

/* ---- 12 ---- */

/* DECRYPT_UPDATE and DECRYPT_FINAL. Return: the last code; *given: how many bytes came */
static CK_RV decrypt_in_parts(struct peer *peer, struct test_mechanism mechanism, uint64_t key,
			      const uint8_t *in, size_t length, size_t *given)
{
	struct hsm_writer fields = peer_fields(peer);
	size_t n;
	CK_RV rv;

	OK(begin_by(peer, HSM_OP_DECRYPT_INIT, mechanism, key));
	hsm_put_bytes(&fields, HSM_FIELD_DATA, in, length);
	hsm_put_u64(&fields, HSM_FIELD_OUT_MAX, 1024);
	OK(peer_call(peer, HSM_OP_DECRYPT_UPDATE, &fields));
	hsm_fields_bytes(&peer->fields, HSM_FIELD_DATA, given);
	fields = peer_fields(peer);
	hsm_put_u64(&fields, HSM_FIELD_OUT_MAX, 1024);
	rv = peer_call(peer, HSM_OP_DECRYPT_FINAL, &fields);
	hsm_fields_bytes(&peer->fields, HSM_FIELD_DATA, &n);
	*given += n;
	return rv;
}

/* Each last byte that a changed IV can make of a padding: whatever is wrong with it, one answer */
static void attack_12_padding_oracle(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint8_t blob[1024], text[1024];
	unsigned int i, right = 0;
	size_t length, n;
	uint64_t key;
	CK_RV rv;

	(void)state;
	key = made(peer, AES(32, A_TRUE(CKA_ENCRYPT), A_TRUE(CKA_DECRYPT)));
	memset(iv, 0, sizeof(iv));
	OK(crypt_by(peer, HSM_OP_ENCRYPT, cbc_pad, key, "ten bytes.", 10, blob, &length));
	assert_int_equal(length, 16);
	for (i = 0; i < 256; i++) {
		iv[15] = i;
		rv = crypt_by(peer, HSM_OP_DECRYPT, cbc_pad, key, blob, length, text, &n);
		RV(decrypt_in_parts(peer, cbc_pad, key, blob, length, &n), rv);
		if (rv == CKR_OK)
			right++;
		else
			RV(rv, CKR_ENCRYPTED_DATA_INVALID);
	}
	/* Six bytes of padding, and one: 10 is followed by 6, or by what ends in 1. */
	assert_int_equal(right, 2);
	peer_free(peer);
}

/* ---- 13 ---- */

static void attack_13_implicit_rejection(void **state)
{
	uint8_t blob[1024], text[1024], again[1024];
	struct peer *peer;
	uint64_t pair[2] = { 0 };
	unsigned int i;
	size_t length, n, m;

	(void)state;
	/* A libcrypto that does not reject implicitly does not decrypt so here at all. */
	if (!(mech_flags(hsm_mechanism_find(CKM_RSA_PKCS)) & CKF_DECRYPT))
		skip();
	peer = peer_user(COMPATIBLE);
	OK(generate_rsa(peer, RSA_PUBLIC(A_TRUE(CKA_ENCRYPT)), A_LIST(A_TRUE(CKA_DECRYPT)), pair));
	OK(crypt_by(peer, HSM_OP_ENCRYPT, rsa_pkcs, pair[0], "a premaster", 11, blob, &length));
	OK(crypt_by(peer, HSM_OP_DECRYPT, rsa_pkcs, pair[1], blob, length, text, &n));
	assert_int_equal(n, 11);
	assert_memory_equal(text, "a premaster", 11);
	/* What was tampered with decrypts too, to the same nonsense each time. */
	for (i = 1; i < 20; i++) {
		blob[length - i] ^= i;
		OK(crypt_by(peer, HSM_OP_DECRYPT, rsa_pkcs, pair[1], blob, length, text, &n));
		OK(crypt_by(peer, HSM_OP_DECRYPT, rsa_pkcs, pair[1], blob, length, again, &m));
		assert_int_equal(n, m);
		assert_memory_equal(text, again, n);
	}
	peer_free(peer);

	peer = peer_user(STRICT);
	OK(generate_rsa(peer, RSA_PUBLIC(A_TRUE(CKA_ENCRYPT)), A_LIST(A_TRUE(CKA_DECRYPT)), pair));
	assert_int_not_equal(begin_by(peer, HSM_OP_DECRYPT_INIT, rsa_pkcs, pair[1]), CKR_OK);
	peer_free(peer);
}

/* ---- 14 ---- */

static void attack_14_plaintext_before_the_tag(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint8_t blob[1024], text[1024];
	size_t length, n, i;
	uint64_t key;

	(void)state;
	key = made(peer, AES(32, A_TRUE(CKA_ENCRYPT), A_TRUE(CKA_DECRYPT)));
	memset(text, 'x', 600);
	OK(crypt_by(peer, HSM_OP_ENCRYPT, gcm, key, text, 600, blob, &length));
	assert_int_equal(length, 616);
	OK(decrypt_in_parts(peer, gcm, key, blob, length, &n));
	assert_int_equal(n, 600);
	for (i = 0; i < length; i += 77) {
		blob[i] ^= 1;
		assert_int_not_equal(decrypt_in_parts(peer, gcm, key, blob, length, &n), CKR_OK);
		assert_int_equal(n, 0);
		RV(crypt_by(peer, HSM_OP_DECRYPT, gcm, key, blob, length, text, &n),
		   CKR_ENCRYPTED_DATA_INVALID);
		assert_null(hsm_fields_find(&peer->fields, HSM_FIELD_DATA));
		blob[i] ^= 1;
	}
	peer_free(peer);
}

#define READY(test) cmocka_unit_test_setup_teardown(test, board_setup_ready, board_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		READY(attack_9_a_key_in_pieces),
		READY(attack_10_modes_that_wrap_badly),
		READY(attack_10_weak_or_known_wrapping_keys),
		READY(attack_11_weak_rsa_keys),
		READY(attack_11_invalid_points),
		READY(attack_12_padding_oracle),
		READY(attack_13_implicit_rejection),
		READY(attack_14_plaintext_before_the_tag),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
