// SPDX-License-Identifier: Apache-2.0
/*
 * Wrapping by a key pair: what others must be able to take apart, taken apart with libcrypto alone; what others may send;
 * and what is refused, with one answer for everything that depends on a secret.
 */
#include "mech_testing.h"

#define KEK 32

static struct pair rsa, p256, x25519;
static struct key *secret;
static const uint8_t secret_value[24] = "twenty-four bytes of key";

static int start(void **state)
{
	if (library_start(state))
		return -1;
	assert_int_equal(pair_rsa(&rsa, 2048), CKR_OK);
	assert_int_equal(pair_p256(&p256), CKR_OK);
	assert_int_equal(pair_generate(&x25519, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKK_EC_MONTGOMERY,
				       CKA_EC_PARAMS, x25519_name, sizeof(x25519_name) - 1),
			 CKR_OK);
	secret = secret_key(CKK_GENERIC_SECRET, secret_value, sizeof(secret_value));
	return 0;
}

static int stop(void **state)
{
	pair_free(&rsa);
	pair_free(&p256);
	pair_free(&x25519);
	key_put(secret);
	return library_stop(state);
}

static const struct mechanism *rsa_aes(struct call *call, uint64_t bits)
{
	call_start(call, CKM_RSA_AES_KEY_WRAP);
	hsm_put_u64(&call->writer, HSM_FIELD_AES_BITS, bits);
	hsm_put_u64(&call->writer, HSM_FIELD_HASH, CKM_SHA256);
	hsm_put_u64(&call->writer, HSM_FIELD_MGF, CKG_MGF1_SHA256);
	return call_end(call);
}

static const struct mechanism *ecdh_aes(struct call *call, uint64_t mechanism, uint64_t bits,
					uint64_t kdf)
{
	call_start(call, mechanism);
	hsm_put_u64(&call->writer, HSM_FIELD_AES_BITS, bits);
	hsm_put_u64(&call->writer, HSM_FIELD_KDF, kdf);
	if (kdf != CKD_NULL)
		hsm_put_bytes(&call->writer, HSM_FIELD_SHARED, "info", 4);
	return call_end(call);
}

static CK_RV unwrap(const struct mechanism *mechanism, struct pair *pair, uint64_t type,
		    const uint8_t *wrapped, size_t length)
{
	struct attributes attributes = { 0 };
	CK_RV rv;

	set_head(&attributes, CKO_SECRET_KEY, type);
	rv = mech_unwrap(mechanism, pair->private_key, wrapped, length, &attributes);
	if (rv == CKR_OK) {
		assert_int_equal(attributes_find(&attributes, CKA_VALUE)->length,
				 sizeof(secret_value));
		assert_memory_equal(attributes_find(&attributes, CKA_VALUE)->value, secret_value,
				    sizeof(secret_value));
	}
	attributes_free(&attributes);
	return rv;
}

/* ---- what it is made of ---- */

static size_t kwp(bool wrap, const uint8_t *kek, const uint8_t *in, size_t length, uint8_t *out)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(mech_libctx(), "AES-256-WRAP-PAD", NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int written = 0;

	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	assert_true(EVP_CipherInit_ex2(ctx, cipher, kek, NULL, wrap, NULL) > 0);
	assert_true(EVP_CipherUpdate(ctx, out, &written, in, (int)length) > 0);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	return (size_t)written;
}

static EVP_PKEY_CTX *oaep(struct key *key, bool encrypt)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(mech_libctx(), key_pkey(key), NULL);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, "oaep", 0),
		OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, "SHA2-256", 0),
		OSSL_PARAM_construct_end(),
	};

	assert_true((encrypt ? EVP_PKEY_encrypt_init_ex(ctx, params)
			     : EVP_PKEY_decrypt_init_ex(ctx, params)) > 0);
	return ctx;
}

static void test_rsa_is_oaep_and_kwp(void **state)
{
	uint8_t wrapped[512], plain[256], kek[256];
	size_t length = sizeof(wrapped), kek_length = sizeof(kek);
	const struct mechanism *mechanism;
	EVP_PKEY_CTX *ctx;
	struct call call;

	(void)state;
	mechanism = rsa_aes(&call, KEK * 8);
	assert_int_equal(mech_wrap(mechanism, rsa.public_key, secret, wrapped, &length), CKR_OK);
	assert_int_equal(length, 256 + 32);
	ctx = oaep(rsa.private_key, false);
	assert_true(EVP_PKEY_decrypt(ctx, kek, &kek_length, wrapped, 256) > 0);
	EVP_PKEY_CTX_free(ctx);
	assert_int_equal(kek_length, KEK);
	assert_int_equal(kwp(false, kek, wrapped + 256, length - 256, plain), sizeof(secret_value));
	assert_memory_equal(plain, secret_value, sizeof(secret_value));
	assert_int_equal(unwrap(mechanism, &rsa, CKK_GENERIC_SECRET, wrapped, length), CKR_OK);
	/* Each time another AES key */
	assert_int_equal(mech_wrap(mechanism, rsa.public_key, secret, plain, &(size_t){ 256 }),
			 CKR_BUFFER_TOO_SMALL);
}

/* The AES key from the ephemeral point in front, by ECDH and X9.63 with SHA-256 */
static void ecdh_kek(struct key *key, EVP_PKEY *peer, uint8_t kek[KEK])
{
	static const uint8_t counter[] = { 0, 0, 0, 1 };
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(mech_libctx(), key_pkey(key), NULL);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t z[32];
	size_t length = sizeof(z);

	assert_true(EVP_PKEY_derive_init(ctx) > 0 && EVP_PKEY_derive_set_peer(ctx, peer) > 0 &&
		    EVP_PKEY_derive(ctx, z, &length) > 0);
	assert_true(EVP_DigestInit_ex(md, EVP_sha256(), NULL) && EVP_DigestUpdate(md, z, length) &&
		    EVP_DigestUpdate(md, counter, 4) && EVP_DigestUpdate(md, "info", 4) &&
		    EVP_DigestFinal_ex(md, kek, NULL));
	EVP_MD_CTX_free(md);
	EVP_PKEY_CTX_free(ctx);
}

/* @der: bytes in front of the point */
static void try_ecdh(uint64_t which, struct pair *pair, size_t der, size_t point)
{
	uint8_t wrapped[256], plain[64], kek[KEK];
	size_t length = sizeof(wrapped);
	const struct mechanism *mechanism;
	EVP_PKEY *peer;
	struct call call;

	mechanism = ecdh_aes(&call, which, KEK * 8, CKD_SHA256_KDF);
	assert_int_equal(mech_wrap(mechanism, pair->public_key, secret, wrapped, &length), CKR_OK);
	assert_int_equal(length, der + point + 32);
	if (der) {
		assert_int_equal(wrapped[0], 4);
		assert_int_equal(wrapped[1], point);
	}
	peer = mech_agree_peer(pair->private_key, wrapped + der, point);
	assert_non_null(peer);
	ecdh_kek(pair->private_key, peer, kek);
	EVP_PKEY_free(peer);
	assert_int_equal(kwp(false, kek, wrapped + der + point, 32, plain), sizeof(secret_value));
	assert_memory_equal(plain, secret_value, sizeof(secret_value));
	assert_int_equal(unwrap(mechanism, pair, CKK_GENERIC_SECRET, wrapped, length), CKR_OK);
	mechanism = ecdh_aes(&call, which, 128, CKD_NULL);
	length = sizeof(wrapped);
	assert_int_equal(mech_wrap(mechanism, pair->public_key, secret, wrapped, &length), CKR_OK);
	assert_int_equal(unwrap(mechanism, pair, CKK_GENERIC_SECRET, wrapped, length), CKR_OK);
}

static void test_ecdh_is_agreement_and_kwp(void **state)
{
	(void)state;
	try_ecdh(CKM_ECDH_AES_KEY_WRAP, &p256, 0, 65);
	try_ecdh(CKM_ECDH_COF_AES_KEY_WRAP, &p256, 2, 65);
	try_ecdh(CKM_ECDH_AES_KEY_WRAP, &x25519, 0, 32);
	try_ecdh(CKM_ECDH_X_AES_KEY_WRAP, &x25519, 0, 32);
}

/* CKM_ECDH_AES_KEY_WRAP takes the point as DER as well, since the standard leaves it open; the others do not mix. */
static void test_form_of_the_point(void **state)
{
	uint8_t wrapped[256], other[256];
	size_t length = sizeof(wrapped);
	const struct mechanism *cofactor, *plain;
	struct call cofactor_call, plain_call;

	(void)state;
	cofactor = ecdh_aes(&cofactor_call, CKM_ECDH_COF_AES_KEY_WRAP, 256, CKD_SHA256_KDF);
	plain = ecdh_aes(&plain_call, CKM_ECDH_AES_KEY_WRAP, 256, CKD_SHA256_KDF);
	assert_int_equal(mech_wrap(cofactor, p256.public_key, secret, wrapped, &length), CKR_OK);
	assert_int_equal(unwrap(plain, &p256, CKK_GENERIC_SECRET, wrapped, length), CKR_OK);
	memcpy(other, wrapped + 2, length - 2);
	assert_int_equal(unwrap(plain, &p256, CKK_GENERIC_SECRET, other, length - 2), CKR_OK);
	assert_int_equal(unwrap(cofactor, &p256, CKK_GENERIC_SECRET, other, length - 2),
			 CKR_WRAPPED_KEY_LEN_RANGE);
}

/* ---- what is refused ---- */

static void test_parameters(void **state)
{
	static const uint64_t bits[] = { 0, 64, 127, 129, 512, 1ULL << 40 };
	uint8_t wrapped[512];
	struct call call;

	(void)state;
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		assert_int_equal(mech_wrap(rsa_aes(&call, bits[i]), rsa.public_key, secret, wrapped,
					   &(size_t){ sizeof(wrapped) }),
				 CKR_MECHANISM_PARAM_INVALID);
		assert_int_equal(mech_wrap(ecdh_aes(&call, CKM_ECDH_COF_AES_KEY_WRAP, bits[i],
						    CKD_SHA256_KDF),
					   p256.public_key, secret, wrapped,
					   &(size_t){ sizeof(wrapped) }),
				 CKR_MECHANISM_PARAM_INVALID);
	}
	assert_int_equal(mech_wrap(ecdh_aes(&call, CKM_ECDH_COF_AES_KEY_WRAP, 256, 0x7777),
				   p256.public_key, secret, wrapped, &(size_t){ sizeof(wrapped) }),
			 CKR_MECHANISM_PARAM_INVALID);
	/* Keys of another kind, and the wrong half */
	assert_int_equal(mech_wrap(ecdh_aes(&call, CKM_ECDH_COF_AES_KEY_WRAP, 256, CKD_SHA256_KDF),
				   x25519.public_key, secret, wrapped,
				   &(size_t){ sizeof(wrapped) }),
			 CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
	assert_int_equal(mech_wrap(ecdh_aes(&call, CKM_ECDH_X_AES_KEY_WRAP, 256, CKD_SHA256_KDF),
				   p256.public_key, secret, wrapped, &(size_t){ sizeof(wrapped) }),
			 CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
	assert_int_equal(mech_wrap(rsa_aes(&call, 256), rsa.private_key, secret, wrapped,
				   &(size_t){ sizeof(wrapped) }),
			 CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
}

/* Attack 12 and 13: a fault of RSA's padding, an AES key of another length and a fault of the wrapping look the same. */
static void test_one_answer_for_every_fault(void **state)
{
	uint8_t wrapped[512], forged[512], kek[KEK] = { 7 };
	size_t length = sizeof(wrapped), forged_length = 256;
	const struct mechanism *mechanism;
	EVP_PKEY_CTX *ctx;
	struct call call;

	(void)state;
	mechanism = rsa_aes(&call, 256);
	assert_int_equal(mech_wrap(mechanism, rsa.public_key, secret, wrapped, &length), CKR_OK);
	for (size_t at = 5; at < length; at += 50) {
		wrapped[at] ^= 1;
		assert_int_equal(unwrap(mechanism, &rsa, CKK_GENERIC_SECRET, wrapped, length),
				 CKR_WRAPPED_KEY_INVALID);
		wrapped[at] ^= 1;
	}
	/* A well-made one, but with an AES key of 16 bytes where 32 are said to be */
	ctx = oaep(rsa.public_key, true);
	assert_true(EVP_PKEY_encrypt(ctx, forged, &forged_length, kek, 16) > 0);
	memcpy(forged + 256, wrapped + 256, length - 256);
	assert_int_equal(unwrap(mechanism, &rsa, CKK_GENERIC_SECRET, forged, length),
			 CKR_WRAPPED_KEY_INVALID);
	/* One that a partner made himself opens. */
	assert_true(EVP_PKEY_encrypt(ctx, forged, &forged_length, kek, KEK) > 0);
	EVP_PKEY_CTX_free(ctx);
	kwp(true, kek, secret_value, sizeof(secret_value), forged + 256);
	assert_int_equal(unwrap(mechanism, &rsa, CKK_GENERIC_SECRET, forged, length), CKR_OK);
	/* Lengths are no secret: those that no wrapping has are named, the others not. */
	for (size_t cut = 1; cut <= 32; cut++)
		assert_int_equal(unwrap(mechanism, &rsa, CKK_GENERIC_SECRET, wrapped, length - cut),
				 cut == 8 || cut == 16 ? CKR_WRAPPED_KEY_INVALID
						       : CKR_WRAPPED_KEY_LEN_RANGE);
}

/* Attack 11: points of another curve and of small order in front of a wrapped key */
static void test_bad_points(void **state)
{
	uint8_t wrapped[256];
	size_t length = sizeof(wrapped);
	const struct mechanism *mechanism;
	struct call call;

	(void)state;
	mechanism = ecdh_aes(&call, CKM_ECDH_AES_KEY_WRAP, 256, CKD_SHA256_KDF);
	assert_int_equal(mech_wrap(mechanism, p256.public_key, secret, wrapped, &length), CKR_OK);
	wrapped[64] ^= 1;
	assert_int_equal(unwrap(mechanism, &p256, CKK_GENERIC_SECRET, wrapped, length),
			 CKR_WRAPPED_KEY_INVALID);
	memset(wrapped + 1, 0, 64);
	assert_int_equal(unwrap(mechanism, &p256, CKK_GENERIC_SECRET, wrapped, length),
			 CKR_WRAPPED_KEY_INVALID);
	length = sizeof(wrapped);
	assert_int_equal(mech_wrap(mechanism, x25519.public_key, secret, wrapped, &length), CKR_OK);
	memset(wrapped, 0, 32);
	assert_int_equal(unwrap(mechanism, &x25519, CKK_GENERIC_SECRET, wrapped, length),
			 CKR_WRAPPED_KEY_INVALID);
}

/* Attack 5: a private key that was wrapped comes back as that type and on that curve, or not at all. */
static void test_private_keys_keep_their_type(void **state)
{
	static const uint64_t types[] = { CKK_RSA, CKK_EC_EDWARDS, CKK_DH, CKK_ML_DSA };
	uint8_t wrapped[2048];
	struct attributes attributes = { 0 };
	const struct mechanism *mechanism;
	struct pair *wrapping[] = { &rsa, &p256 };
	struct call call;
	size_t length;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		mechanism = i ? ecdh_aes(&call, CKM_ECDH_COF_AES_KEY_WRAP, 256, CKD_SHA256_KDF)
			      : rsa_aes(&call, 256);
		length = sizeof(wrapped);
		assert_int_equal(mech_wrap(mechanism, wrapping[i]->public_key, p256.private_key,
					   wrapped, &length),
				 CKR_OK);
		set_head(&attributes, CKO_PRIVATE_KEY, CKK_EC);
		assert_int_equal(mech_unwrap(mechanism, wrapping[i]->private_key, wrapped, length,
					     &attributes),
				 CKR_OK);
		assert_memory_equal(attributes_find(&attributes, CKA_VALUE)->value,
				    attributes_find(&p256.private_attributes, CKA_VALUE)->value,
				    32);
		attributes_free(&attributes);
		for (size_t j = 0; j < sizeof(types) / sizeof(types[0]); j++) {
			set_head(&attributes, CKO_PRIVATE_KEY, types[j]);
			assert_int_equal(mech_unwrap(mechanism, wrapping[i]->private_key, wrapped,
						     length, &attributes),
					 CKR_WRAPPED_KEY_INVALID);
			attributes_free(&attributes);
		}
		set_head(&attributes, CKO_PRIVATE_KEY, CKK_EC);
		attributes_set(&attributes, CKA_EC_PARAMS, p384_oid, sizeof(p384_oid));
		assert_int_equal(mech_unwrap(mechanism, wrapping[i]->private_key, wrapped, length,
					     &attributes),
				 CKR_TEMPLATE_INCONSISTENT);
		attributes_free(&attributes);
		/* As an AES key, whose length it does not have */
		set_head(&attributes, CKO_SECRET_KEY, CKK_AES);
		assert_int_equal(mech_unwrap(mechanism, wrapping[i]->private_key, wrapped, length,
					     &attributes),
				 CKR_WRAPPED_KEY_INVALID);
		attributes_free(&attributes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rsa_is_oaep_and_kwp),
		cmocka_unit_test(test_ecdh_is_agreement_and_kwp),
		cmocka_unit_test(test_form_of_the_point),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_one_answer_for_every_fault),
		cmocka_unit_test(test_bad_points),
		cmocka_unit_test(test_private_keys_keep_their_type),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
