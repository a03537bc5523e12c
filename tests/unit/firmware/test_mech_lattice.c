// SPDX-License-Identifier: Apache-2.0
/*
 * ML-DSA and ML-KEM against libcrypto used directly: what a signature covers, byte for byte, and what a private key is made
 * of. Skipped where libcrypto does not have them.
 */
#include "mech_testing.h"

#define CONTEXT "context"

static struct pair dsa, kem;

static int start(void **state)
{
	uint64_t set = htole64(CKP_ML_DSA_44);

	if (library_start(state))
		return -1;
	if (!mech_available(hsm_mechanism_find(CKM_ML_DSA)))
		return 0;
	if (pair_generate(&dsa, CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA, CKA_PARAMETER_SET, &set,
			  sizeof(set)))
		return -1;
	return pair_generate(&kem, CKM_ML_KEM_KEY_PAIR_GEN, CKK_ML_KEM, CKA_PARAMETER_SET, &set,
			     sizeof(set));
}

static int stop(void **state)
{
	pair_free(&dsa);
	pair_free(&kem);
	return library_stop(state);
}

static size_t sign(uint64_t mechanism, uint64_t hedge, const void *message, size_t length,
		   uint8_t *signature)
{
	size_t signature_length = MECH_SIGNATURE_MAX;
	struct call call;

	call_start(&call, mechanism);
	hsm_put_bytes(&call.writer, HSM_FIELD_CONTEXT, CONTEXT, strlen(CONTEXT));
	hsm_put_u64(&call.writer, HSM_FIELD_HEDGE, hedge);
	assert_int_equal(run(MECH_SIGN, call_end(&call), dsa.private_key, message, length,
			     signature, &signature_length),
			 CKR_OK);
	return signature_length;
}

/* Is this the signature of exactly these bytes, with no encoding by libcrypto before them? */
static bool covers(const uint8_t *bytes, size_t length, const uint8_t *signature,
		   size_t signature_length)
{
	int encoding = 0;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_int("message-encoding", &encoding),
				OSSL_PARAM_construct_end() };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	assert_true(EVP_DigestVerifyInit_ex(ctx, NULL, NULL, mech_libctx(), NULL,
					    key_pkey(dsa.public_key), params) > 0);
	ok = EVP_DigestVerify(ctx, signature, signature_length, bytes, length) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

/* FIPS 204, algorithms 2 and 4: 0 or 1, length of the context, context, and the message or OID and hash */
static void test_what_is_signed(void **state)
{
	static const uint8_t pure[] = "\x00\x07" CONTEXT "message";
	static const uint8_t hashed_head[] = "\x01\x07" CONTEXT
					     "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01";
	uint8_t signature[MECH_SIGNATURE_MAX], hashed[sizeof(hashed_head) - 1 + 32];
	size_t length;

	(void)state;
	if (!dsa.public_key)
		skip();
	length = sign(CKM_ML_DSA, CKH_HEDGE_PREFERRED, "message", 7, signature);
	assert_true(covers(pure, sizeof(pure) - 1, signature, length));
	assert_false(covers(pure, sizeof(pure) - 2, signature, length));
	memcpy(hashed, hashed_head, sizeof(hashed_head) - 1);
	assert_true(EVP_Digest("message", 7, hashed + sizeof(hashed_head) - 1, NULL, EVP_sha256(),
			       NULL));
	length = sign(CKM_HASH_ML_DSA_SHA256, CKH_HEDGE_PREFERRED, "message", 7, signature);
	assert_true(covers(hashed, sizeof(hashed), signature, length));
	hashed[0] = 0;
	assert_false(covers(hashed, sizeof(hashed), signature, length));
}

static void test_hedging(void **state)
{
	uint8_t one[MECH_SIGNATURE_MAX], two[MECH_SIGNATURE_MAX];
	size_t length;
	struct call call;

	(void)state;
	if (!dsa.public_key)
		skip();
	length = sign(CKM_ML_DSA, CKH_DETERMINISTIC_REQUIRED, "message", 7, one);
	sign(CKM_ML_DSA, CKH_DETERMINISTIC_REQUIRED, "message", 7, two);
	assert_memory_equal(one, two, length);
	sign(CKM_ML_DSA, CKH_HEDGE_REQUIRED, "message", 7, two);
	assert_memory_not_equal(one, two, length);
	call_start(&call, CKM_ML_DSA);
	hsm_put_u64(&call.writer, HSM_FIELD_HEDGE, 3);
	length = sizeof(one);
	assert_int_equal(run(MECH_SIGN, call_end(&call), dsa.private_key, "m", 1, one, &length),
			 CKR_MECHANISM_PARAM_INVALID);
}

/* Import @pair's private half without one attribute, or with one changed */
static CK_RV import_private(struct pair *pair, uint64_t without, uint64_t changed,
			    struct attributes *attributes)
{
	attributes_copy(attributes, &pair->private_attributes);
	attributes_remove(attributes, CKA_PUBLIC_KEY_INFO);
	attributes_remove(attributes, without);
	if (changed)
		((uint8_t *)attributes_find(attributes, changed)->value)[3] ^= 1;
	return mech_import(attributes);
}

static void same_public_key(struct pair *pair, uint64_t without)
{
	const struct attribute *info =
		attributes_find(&pair->private_attributes, CKA_PUBLIC_KEY_INFO);
	struct attributes attributes = { 0 };

	assert_int_equal(import_private(pair, without, 0, &attributes), CKR_OK);
	assert_memory_equal(attributes_find(&attributes, CKA_PUBLIC_KEY_INFO)->value, info->value,
			    info->length);
	attributes_free(&attributes);
}

static void refused(struct pair *pair, uint64_t changed)
{
	struct attributes attributes = { 0 };

	assert_int_equal(import_private(pair, CKA_LABEL, changed, &attributes),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	attributes_free(&attributes);
}

static void test_private_keys(void **state)
{
	struct pair *pairs[] = { &dsa, &kem };
	struct attributes attributes = { 0 };

	(void)state;
	if (!dsa.public_key)
		skip();
	for (size_t i = 0; i < 2; i++) {
		same_public_key(pairs[i], CKA_SEED);
		same_public_key(pairs[i], CKA_VALUE);
		/* Seed and expanded key of two keys */
		refused(pairs[i], CKA_SEED);
		refused(pairs[i], CKA_VALUE);
		assert_int_equal(import_private(pairs[i], CKA_PARAMETER_SET, 0, &attributes),
				 CKR_TEMPLATE_INCOMPLETE);
		attributes_free(&attributes);
	}
}

/* A ciphertext that was changed gives another secret, not an error: ML-KEM rejects implicitly. */
static void test_changed_ciphertext(void **state)
{
	struct attributes made = { 0 }, got = { 0 };
	uint8_t ciphertext[2048];
	size_t length = sizeof(ciphertext);
	struct call call;
	const struct mechanism *mechanism;

	(void)state;
	if (!kem.public_key)
		skip();
	mechanism = call_plain(&call, CKM_ML_KEM);
	set_head(&made, CKO_SECRET_KEY, CKK_AES);
	set_head(&got, CKO_SECRET_KEY, CKK_AES);
	assert_int_equal(mech_encapsulate(mechanism, kem.public_key, ciphertext, &length, &made),
			 CKR_OK);
	ciphertext[0] ^= 1;
	assert_int_equal(mech_decapsulate(mechanism, kem.private_key, ciphertext, length, &got),
			 CKR_OK);
	assert_memory_not_equal(attributes_find(&made, CKA_VALUE)->value,
				attributes_find(&got, CKA_VALUE)->value, 32);
	assert_int_equal(mech_decapsulate(mechanism, kem.public_key, ciphertext, length, &got),
			 CKR_KEY_TYPE_INCONSISTENT);
	attributes_free(&made);
	attributes_free(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_signed),
		cmocka_unit_test(test_hedging),
		cmocka_unit_test(test_private_keys),
		cmocka_unit_test(test_changed_ciphertext),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
