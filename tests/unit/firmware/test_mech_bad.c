// SPDX-License-Identifier: Apache-2.0
/*
 * What mechanisms must refuse, and with which answer: parameters that are not theirs, keys that are none, tags, paddings and
 * points that are wrong.
 */
#include <openssl/rsa.h>
#include "mech_testing.h"

static struct pair rsa, p256;
static struct key *aes;
static bool cancelled;

/* Instead of the transport's: a task of which this test decides that it was aborted */
bool task_cancelled(const struct task *task)
{
	(void)task;
	return cancelled;
}

static int start(void **state)
{
	if (library_start(state))
		return -1;
	assert_int_equal(pair_rsa(&rsa, 2048), CKR_OK);
	assert_int_equal(pair_p256(&p256), CKR_OK);
	aes = secret_key(CKK_AES, "0123456789abcdef", 16);
	return 0;
}

static int stop(void **state)
{
	pair_free(&rsa);
	pair_free(&p256);
	key_put(aes);
	return library_stop(state);
}

static CK_RV begin_only(enum mech_use use, const struct mechanism *mechanism, struct key *key)
{
	struct mech_operation *operation = NULL;
	CK_RV rv = mech_begin(&operation, use, mechanism, key);

	mech_free(operation);
	return rv;
}

static void put_gcm(struct call *call, size_t iv_length, uint64_t bits)
{
	static const uint8_t iv[256];

	call_start(call, CKM_AES_GCM);
	hsm_put_bytes(&call->writer, HSM_FIELD_IV, iv, iv_length);
	hsm_put_u64(&call->writer, HSM_FIELD_TAG_BITS, bits);
	call_end(call);
}

/* ---- begin ---- */

static void test_parameters(void **state)
{
	struct call call;

	(void)state;
	call_start(&call, CKM_ECDSA);
	hsm_put_bytes(&call.writer, HSM_FIELD_IV, "x", 1);
	assert_int_equal(begin_only(MECH_SIGN, call_end(&call), p256.private_key),
			 CKR_MECHANISM_PARAM_INVALID);
	call_start(&call, CKM_AES_CBC);
	hsm_put_bytes(&call.writer, HSM_FIELD_IV, "0123456789abcde", 15);
	assert_int_equal(begin_only(MECH_ENCRYPT, call_end(&call), aes),
			 CKR_MECHANISM_PARAM_INVALID);
	call_plain(&call, CKM_AES_CBC);
	assert_int_equal(begin_only(MECH_ENCRYPT, &call.mechanism, aes),
			 CKR_MECHANISM_PARAM_INVALID);
	put_gcm(&call, 0, 128);
	assert_int_equal(begin_only(MECH_ENCRYPT, &call.mechanism, aes),
			 CKR_MECHANISM_PARAM_INVALID);
	put_gcm(&call, 129, 128);
	assert_int_equal(begin_only(MECH_ENCRYPT, &call.mechanism, aes),
			 CKR_MECHANISM_PARAM_INVALID);
	put_gcm(&call, 12, 88);
	assert_int_equal(begin_only(MECH_ENCRYPT, &call.mechanism, aes),
			 CKR_MECHANISM_PARAM_INVALID);
	put_gcm(&call, 12, 136);
	assert_int_equal(begin_only(MECH_ENCRYPT, &call.mechanism, aes),
			 CKR_MECHANISM_PARAM_INVALID);
	put_gcm(&call, 12, UINT64_MAX);
	assert_int_equal(begin_only(MECH_ENCRYPT, &call.mechanism, aes),
			 CKR_MECHANISM_PARAM_INVALID);
}

static void put_pss(struct call *call, uint64_t mechanism, uint64_t hash, uint64_t mgf,
		    uint64_t salt)
{
	call_start(call, mechanism);
	hsm_put_u64(&call->writer, HSM_FIELD_HASH, hash);
	hsm_put_u64(&call->writer, HSM_FIELD_MGF, mgf);
	hsm_put_u64(&call->writer, HSM_FIELD_SALT_LENGTH, salt);
	call_end(call);
}

static void test_pss_parameters(void **state)
{
	static const struct {
		uint64_t mechanism, hash, mgf, salt;
		CK_RV rv;
	} cases[] = {
		{ CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 0, CKR_OK },
		{ CKM_SHA256_RSA_PKCS_PSS, CKM_SHA384, CKG_MGF1_SHA384, 32,
		  CKR_MECHANISM_PARAM_INVALID },
		{ CKM_RSA_PKCS_PSS, CKM_SHA_1, CKG_MGF1_SHA1, 20, CKR_MECHANISM_PARAM_INVALID },
		{ CKM_RSA_PKCS_PSS, CKM_SHA512, CKG_MGF1_SHA512, 190, CKR_OK },
		{ CKM_RSA_PKCS_PSS, CKM_SHA512, CKG_MGF1_SHA512, 191, CKR_MECHANISM_PARAM_INVALID },
		{ CKM_RSA_PKCS_PSS, CKM_SHA512, CKG_MGF1_SHA512, UINT64_MAX,
		  CKR_MECHANISM_PARAM_INVALID },
		{ CKM_RSA_PKCS_PSS, CKM_AES_GCM, CKG_MGF1_SHA512, 20, CKR_MECHANISM_PARAM_INVALID },
		{ CKM_RSA_PKCS_PSS, CKM_SHA256, 0, 20, CKR_MECHANISM_PARAM_INVALID },
	};
	uint8_t signature[256];
	size_t length = sizeof(signature);
	struct call call;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_pss(&call, cases[i].mechanism, cases[i].hash, cases[i].mgf, cases[i].salt);
		assert_int_equal(begin_only(MECH_SIGN, &call.mechanism, rsa.private_key),
				 cases[i].rv);
	}
	put_pss(&call, CKM_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32);
	assert_int_equal(run(MECH_SIGN, &call.mechanism, rsa.private_key, "short", 5, signature,
			     &length),
			 CKR_DATA_LEN_RANGE);
}

static void test_keys(void **state)
{
	struct call call;

	(void)state;
	call_plain(&call, CKM_ECDSA);
	assert_int_equal(begin_only(MECH_SIGN, &call.mechanism, rsa.private_key),
			 CKR_KEY_TYPE_INCONSISTENT);
	assert_int_equal(begin_only(MECH_SIGN, &call.mechanism, aes), CKR_KEY_TYPE_INCONSISTENT);
	assert_int_equal(begin_only(MECH_SIGN, &call.mechanism, p256.public_key),
			 CKR_KEY_TYPE_INCONSISTENT);
	assert_int_equal(begin_only(MECH_VERIFY, &call.mechanism, p256.private_key),
			 CKR_KEY_TYPE_INCONSISTENT);
	assert_int_equal(begin_only(MECH_SIGN, &call.mechanism, NULL), CKR_KEY_TYPE_INCONSISTENT);
	assert_int_equal(begin_only(MECH_ENCRYPT, &call.mechanism, p256.public_key),
			 CKR_MECHANISM_INVALID);
	call_plain(&call, CKM_SHA256);
	assert_int_equal(begin_only(MECH_DIGEST, &call.mechanism, aes), CKR_KEY_TYPE_INCONSISTENT);
}

/* The standing of a use: SHA-1 signatures are made, but approved is only verifying old ones. */
static void test_standing(void **state)
{
	const struct hsm_mechanism_info *info;
	size_t i;

	(void)state;
	info = hsm_mechanism_find(CKM_SHA1_RSA_PKCS);
	assert_int_equal(info->flags, CKF_SIGN | CKF_VERIFY);
	assert_int_equal(info->approved, CKF_VERIFY);
	info = hsm_mechanism_find(CKM_RSA_PKCS);
	assert_int_equal(info->approved, CKF_SIGN | CKF_VERIFY);
	info = hsm_mechanism_find(CKM_AES_CBC);
	assert_int_equal(info->approved, info->flags);
	for (i = 0; (info = hsm_mechanism_at(i)); i++) {
		assert_false((info->approved | info->legacy) & ~info->flags);
		assert_false(info->approved & info->legacy & ~(uint64_t)CKF_DECRYPT);
	}
}

/* ---- what only verifies: signatures made by libcrypto directly ---- */

static void make_sha1(int padding, uint8_t signature[256])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pkey_ctx;
	size_t length = 256;

	assert_true(EVP_DigestSignInit_ex(ctx, &pkey_ctx, "SHA1", mech_libctx(), NULL,
					  key_pkey(rsa.private_key), NULL) > 0);
	assert_true(EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, padding) > 0);
	if (padding == RSA_PKCS1_PSS_PADDING)
		assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, 20) > 0);
	assert_true(EVP_DigestSign(ctx, signature, &length, (const uint8_t *)"old", 3) > 0);
	EVP_MD_CTX_free(ctx);
}

static void test_sha1_verifies(void **state)
{
	uint8_t signature[256];
	struct call call;

	(void)state;
	make_sha1(RSA_PKCS1_PADDING, signature);
	call_plain(&call, CKM_SHA1_RSA_PKCS);
	assert_int_equal(run_verify(&call.mechanism, rsa.public_key, "old", 3, signature, 256),
			 CKR_OK);
	assert_int_equal(run_verify(&call.mechanism, rsa.public_key, "new", 3, signature, 256),
			 CKR_SIGNATURE_INVALID);
	make_sha1(RSA_PKCS1_PSS_PADDING, signature);
	put_pss(&call, CKM_SHA1_RSA_PKCS_PSS, CKM_SHA_1, CKG_MGF1_SHA1, 20);
	assert_int_equal(run_verify(&call.mechanism, rsa.public_key, "old", 3, signature, 256),
			 CKR_OK);
	assert_int_equal(run_verify(&call.mechanism, rsa.public_key, "new", 3, signature, 256),
			 CKR_SIGNATURE_INVALID);
}

/* ---- AES ---- */

static void put_cbc(struct call *call, uint64_t mechanism)
{
	static const uint8_t iv[16];

	call_start(call, mechanism);
	hsm_put_bytes(&call->writer, HSM_FIELD_IV, iv, sizeof(iv));
	call_end(call);
}

static CK_RV decrypt_in_parts(const struct mechanism *mechanism, const uint8_t *in, size_t length)
{
	struct mech_operation *operation;
	uint8_t out[64];
	size_t n = sizeof(out);
	CK_RV rv;

	assert_int_equal(mech_begin(&operation, MECH_DECRYPT, mechanism, aes), CKR_OK);
	assert_int_equal(mech_update(operation, in, length, out, &n), CKR_OK);
	n = sizeof(out);
	rv = mech_final(operation, out, &n);
	mech_free(operation);
	return rv;
}

/* The rule, said plainly. Return: bytes of padding, 0: none */
static size_t padding_by_rule(const uint8_t *plain, size_t length)
{
	size_t pad = plain[length - 1];

	if (pad < 1 || pad > 16)
		return 0;
	for (size_t i = 1; i <= pad; i++) {
		if (plain[length - i] != pad)
			return 0;
	}
	return pad;
}

/* Each last block of 16 that is no padding, whatever is wrong with it, has the one answer, in one piece and in parts. */
static void test_cbc_padding(void **state)
{
	uint8_t plain[32] = { 0 }, cipher[32], out[64];
	size_t length, wrong = 0, right = 0;
	struct call raw, padded;
	CK_RV rv;

	(void)state;
	put_cbc(&raw, CKM_AES_CBC);
	put_cbc(&padded, CKM_AES_CBC_PAD);
	for (unsigned int pad = 0; pad < 256; pad++) {
		for (unsigned int fault = 0; fault <= 16; fault++) {
			/* fault 0: none; else the byte that is not as the padding says */
			memset(plain + 16, (int)pad, 16);
			if (fault)
				plain[16 + 16 - fault] ^= 0x40;
			length = sizeof(cipher);
			assert_int_equal(run(MECH_ENCRYPT, &raw.mechanism, aes, plain, 32, cipher,
					     &length),
					 CKR_OK);
			length = sizeof(out);
			rv = run(MECH_DECRYPT, &padded.mechanism, aes, cipher, 32, out, &length);
			assert_int_equal(decrypt_in_parts(&padded.mechanism, cipher, 32), rv);
			if (padding_by_rule(plain, 32)) {
				assert_int_equal(rv, CKR_OK);
				assert_int_equal(length, 32 - padding_by_rule(plain, 32));
				right++;
			} else {
				assert_int_equal(rv, CKR_ENCRYPTED_DATA_INVALID);
				wrong++;
			}
		}
	}
	assert_true(right > 100 && wrong > 4000);
	length = sizeof(out);
	assert_int_equal(run(MECH_DECRYPT, &padded.mechanism, aes, cipher, 31, out, &length),
			 CKR_ENCRYPTED_DATA_LEN_RANGE);
	length = sizeof(out);
	assert_int_equal(run(MECH_DECRYPT, &padded.mechanism, aes, cipher, 0, out, &length),
			 CKR_ENCRYPTED_DATA_LEN_RANGE);
	length = sizeof(out);
	assert_int_equal(run(MECH_ENCRYPT, &raw.mechanism, aes, plain, 31, out, &length),
			 CKR_DATA_LEN_RANGE);
}

static void test_counter_end(void **state)
{
	static const uint8_t iv[16] = { [15] = 0xfe };
	uint8_t data[64] = { 0 };
	size_t length = sizeof(data);
	struct call call;

	(void)state;
	call_start(&call, CKM_AES_CTR);
	hsm_put_bytes(&call.writer, HSM_FIELD_IV, iv, sizeof(iv));
	hsm_put_u64(&call.writer, HSM_FIELD_COUNTER_BITS, 8);
	call_end(&call);
	/* 0xfe and 0xff are left of an 8-bit counter. */
	assert_int_equal(run(MECH_ENCRYPT, &call.mechanism, aes, data, 32, data + 32, &length),
			 CKR_OK);
	length = sizeof(data);
	assert_int_equal(run(MECH_ENCRYPT, &call.mechanism, aes, data, 33, data, &length),
			 CKR_DATA_LEN_RANGE);
}

static void test_wrong_tag(void **state)
{
	uint8_t plain[48], cipher[64], out[64], untouched[64];
	size_t length = sizeof(cipher);
	struct mech_operation *operation;
	struct call call;

	(void)state;
	memset(plain, 0x5a, sizeof(plain));
	put_gcm(&call, 12, 128);
	assert_int_equal(run(MECH_ENCRYPT, &call.mechanism, aes, plain, sizeof(plain), cipher,
			     &length),
			 CKR_OK);
	for (size_t i = 0; i < sizeof(cipher); i += 7) {
		cipher[i] ^= 1;
		memset(out, 0, sizeof(out));
		length = sizeof(out);
		assert_int_equal(run(MECH_DECRYPT, &call.mechanism, aes, cipher, 64, out, &length),
				 CKR_ENCRYPTED_DATA_INVALID);
		for (size_t j = 0; j < sizeof(out); j++)
			assert_int_equal(out[j], 0);
		cipher[i] ^= 1;
	}
	/* In parts nothing comes before the end. */
	memset(out, 0x77, sizeof(out));
	memcpy(untouched, out, sizeof(out));
	length = sizeof(out);
	assert_int_equal(mech_begin(&operation, MECH_DECRYPT, &call.mechanism, aes), CKR_OK);
	assert_int_equal(mech_update(operation, cipher, 64, out, &length), CKR_OK);
	assert_int_equal(length, 0);
	assert_memory_equal(out, untouched, sizeof(out));
	length = sizeof(out);
	assert_int_equal(mech_final(operation, out, &length), CKR_OK);
	assert_memory_equal(out, plain, sizeof(plain));
	mech_free(operation);
	length = sizeof(out);
	assert_int_equal(run(MECH_DECRYPT, &call.mechanism, aes, cipher, 15, out, &length),
			 CKR_ENCRYPTED_DATA_LEN_RANGE);
}

static void test_hold_back_quota(void **state)
{
	static uint8_t part[1024 * 1024];
	struct mech_operation *operation;
	size_t length = 0;
	struct call call;

	(void)state;
	put_gcm(&call, 12, 128);
	assert_int_equal(mech_begin(&operation, MECH_DECRYPT, &call.mechanism, aes), CKR_OK);
	for (unsigned int i = 0; i < MECH_HELD_MAX / sizeof(part); i++)
		assert_int_equal(mech_update(operation, part, sizeof(part), NULL, &length), CKR_OK);
	assert_int_equal(mech_update(operation, part, 1, NULL, &length), CKR_DATA_LEN_RANGE);
	mech_free(operation);
	call_plain(&call, CKM_ECDSA);
	assert_int_equal(mech_begin(&operation, MECH_SIGN, &call.mechanism, p256.private_key),
			 CKR_OK);
	assert_int_equal(mech_update(operation, part, 1024, NULL, NULL), CKR_OK);
	assert_int_equal(mech_update(operation, part, 1, NULL, NULL), CKR_DATA_LEN_RANGE);
	mech_free(operation);
}

/* ---- RSA ---- */

static void test_rsa_decryption(void **state)
{
	uint8_t cipher[256], one[256], two[256];
	size_t length = sizeof(cipher), length2;
	struct call call, other;

	(void)state;
	call_start(&call, CKM_RSA_PKCS_OAEP);
	hsm_put_u64(&call.writer, HSM_FIELD_HASH, CKM_SHA_1);
	hsm_put_u64(&call.writer, HSM_FIELD_MGF, CKG_MGF1_SHA256);
	hsm_put_bytes(&call.writer, HSM_FIELD_SOURCE, "label", 5);
	call_end(&call);
	call_start(&other, CKM_RSA_PKCS_OAEP);
	hsm_put_u64(&other.writer, HSM_FIELD_HASH, CKM_SHA_1);
	hsm_put_u64(&other.writer, HSM_FIELD_MGF, CKG_MGF1_SHA256);
	call_end(&other);
	assert_int_equal(run(MECH_ENCRYPT, &call.mechanism, rsa.public_key, "text", 4, cipher,
			     &length),
			 CKR_OK);
	length = sizeof(one);
	assert_int_equal(run(MECH_DECRYPT, &other.mechanism, rsa.private_key, cipher, 256, one,
			     &length),
			 CKR_ENCRYPTED_DATA_INVALID);
	length = sizeof(one);
	assert_int_equal(run(MECH_DECRYPT, &call.mechanism, rsa.private_key, cipher, 256, one,
			     &length),
			 CKR_OK);
	assert_int_equal(length, 4);
	length = sizeof(one);
	assert_int_equal(run(MECH_DECRYPT, &call.mechanism, rsa.private_key, cipher, 255, one,
			     &length),
			 CKR_ENCRYPTED_DATA_LEN_RANGE);
	length = sizeof(cipher);
	assert_int_equal(run(MECH_ENCRYPT, &call.mechanism, rsa.public_key, one, 256 - 41, cipher,
			     &length),
			 CKR_DATA_LEN_RANGE);
	/* PKCS#1 v1.5: no answer tells bad padding from good, and the made-up one is always the same. */
	memset(cipher, 0x11, sizeof(cipher));
	call_plain(&call, CKM_RSA_PKCS);
	length = length2 = sizeof(one);
	if (!mech_implicit_rejection()) {
		assert_int_equal(begin_only(MECH_DECRYPT, &call.mechanism, rsa.private_key),
				 CKR_MECHANISM_INVALID);
		return;
	}
	assert_int_equal(run(MECH_DECRYPT, &call.mechanism, rsa.private_key, cipher, 256, one,
			     &length),
			 CKR_OK);
	assert_int_equal(run(MECH_DECRYPT, &call.mechanism, rsa.private_key, cipher, 256, two,
			     &length2),
			 CKR_OK);
	assert_int_equal(length, length2);
	assert_memory_equal(one, two, length);
}

static CK_RV import_changed(struct pair *pair, bool private_half, uint64_t type, const void *value,
			    size_t length)
{
	struct attributes attributes = { 0 };
	CK_RV rv;

	attributes_copy(&attributes,
			private_half ? &pair->private_attributes : &pair->public_attributes);
	attributes_remove(&attributes, CKA_PUBLIC_KEY_INFO);
	if (value)
		attributes_set(&attributes, type, value, length);
	else
		attributes_remove(&attributes, type);
	rv = mech_import(&attributes);
	attributes_free(&attributes);
	return rv;
}

static void test_import_rsa(void **state)
{
	static const uint8_t three[] = { 3 }, even[] = { 1, 0, 2 };
	static const uint64_t numbers[] = { CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2 };
	uint8_t changed[512];
	const struct attribute *attribute;

	(void)state;
	assert_int_equal(import_changed(&rsa, false, CKA_PUBLIC_EXPONENT, three, 1),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(import_changed(&rsa, false, CKA_PUBLIC_EXPONENT, even, 3),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(import_changed(&rsa, false, CKA_PUBLIC_EXPONENT, NULL, 0),
			 CKR_TEMPLATE_INCOMPLETE);
	assert_int_equal(import_changed(&rsa, true, CKA_PRIME_2, NULL, 0), CKR_TEMPLATE_INCOMPLETE);
	attribute = attributes_find(&rsa.public_attributes, CKA_MODULUS);
	assert_int_equal(import_changed(&rsa, false, CKA_MODULUS, attribute->value, 128),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		attribute = attributes_find(&rsa.private_attributes, numbers[i]);
		memcpy(changed, attribute->value, attribute->length);
		changed[attribute->length / 2] ^= 4;
		assert_int_equal(import_changed(&rsa, true, numbers[i], changed, attribute->length),
				 CKR_ATTRIBUTE_VALUE_INVALID);
	}
}

static void test_generation(void **state)
{
	static const uint8_t three[] = { 3 };
	struct attributes public_key = { 0 }, private_key = { 0 };
	uint8_t task;
	struct pair pair;
	struct call call;

	(void)state;
	assert_int_equal(pair_rsa(&pair, 1024), CKR_ATTRIBUTE_VALUE_INVALID);
	pair_free(&pair);
	assert_int_equal(pair_rsa(&pair, UINT64_MAX), CKR_ATTRIBUTE_VALUE_INVALID);
	pair_free(&pair);
	assert_int_equal(pair_generate(&pair, CKM_EC_KEY_PAIR_GEN, CKK_EC, CKA_EC_PARAMS,
				       ed25519_oid, sizeof(ed25519_oid)),
			 CKR_CURVE_NOT_SUPPORTED);
	pair_free(&pair);
	attributes_set_ulong(&public_key, CKA_MODULUS_BITS, 4096);
	attributes_set(&public_key, CKA_PUBLIC_EXPONENT, three, 1);
	call_plain(&call, CKM_RSA_PKCS_KEY_PAIR_GEN);
	assert_int_equal(mech_generate_pair(&call.mechanism, &public_key, &private_key),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	attributes_remove(&public_key, CKA_PUBLIC_EXPONENT);
	cancelled = true;
	call.mechanism.task = (struct task *)&task;
	assert_int_equal(mech_generate_pair(&call.mechanism, &public_key, &private_key),
			 CKR_FUNCTION_CANCELED);
	cancelled = false;
	attributes_free(&public_key);
	attributes_free(&private_key);
}

/* ---- curves ---- */

static CK_RV derive_with(struct key *key, const uint8_t *point, size_t length,
			 uint64_t value_length)
{
	struct attributes attributes = { 0 };
	struct call call;
	CK_RV rv;

	set_head(&attributes, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	attributes_set_ulong(&attributes, CKA_VALUE_LEN, value_length);
	call_start(&call, CKM_ECDH1_DERIVE);
	hsm_put_bytes(&call.writer, HSM_FIELD_PUBLIC, point, length);
	hsm_put_u64(&call.writer, HSM_FIELD_KDF, CKD_NULL);
	rv = mech_derive(call_end(&call), key, &attributes);
	attributes_free(&attributes);
	return rv;
}

static void test_points(void **state)
{
	const struct attribute *point = attributes_find(&p256.public_attributes, CKA_EC_POINT);
	uint8_t changed[67], zero[65] = { 0 };
	struct pair x25519;

	(void)state;
	assert_int_equal(point->length, sizeof(changed));
	memcpy(changed, point->value, sizeof(changed));
	assert_int_equal(derive_with(p256.private_key, changed, sizeof(changed), 32), CKR_OK);
	changed[66] ^= 1;
	assert_int_equal(import_changed(&p256, false, CKA_EC_POINT, changed, sizeof(changed)),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(derive_with(p256.private_key, changed, sizeof(changed), 32),
			 CKR_MECHANISM_PARAM_INVALID);
	/* The identity, a point of the wrong length, and zeroes */
	assert_int_equal(derive_with(p256.private_key, zero, 1, 32), CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(derive_with(p256.private_key, point->value, 66, 32),
			 CKR_MECHANISM_PARAM_INVALID);
	zero[0] = 4;
	assert_int_equal(derive_with(p256.private_key, zero, sizeof(zero), 32),
			 CKR_MECHANISM_PARAM_INVALID);
	/* A scalar of zero, and one that is not below the order */
	zero[0] = 0;
	assert_int_equal(import_changed(&p256, true, CKA_VALUE, zero, 32),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	memset(changed, 0xff, 32);
	assert_int_equal(import_changed(&p256, true, CKA_VALUE, changed, 32),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(import_changed(&p256, false, CKA_EC_PARAMS, p384_oid, sizeof(p384_oid)),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	/* Points of small order give zero, which is refused. */
	assert_int_equal(pair_generate(&x25519, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKK_EC_MONTGOMERY,
				       CKA_EC_PARAMS, x25519_name, sizeof(x25519_name) - 1),
			 CKR_OK);
	assert_int_equal(derive_with(x25519.private_key, zero, 32, 32),
			 CKR_MECHANISM_PARAM_INVALID);
	pair_free(&x25519);
	/* A derived key has a least length. */
	assert_int_equal(derive_with(p256.private_key, point->value, point->length, 13),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(derive_with(p256.private_key, point->value, point->length, 33),
			 CKR_ATTRIBUTE_VALUE_INVALID);
}

/* ---- wrapping ---- */

static void test_wrapping(void **state)
{
	struct key *odd = secret_key(CKK_GENERIC_SECRET, "seventeen letters", 17);
	struct attributes attributes = { 0 };
	uint8_t wrapped[128];
	size_t length = sizeof(wrapped);
	struct call call;

	(void)state;
	call_plain(&call, CKM_AES_KEY_WRAP);
	assert_int_equal(mech_wrap(&call.mechanism, aes, odd, wrapped, &length),
			 CKR_KEY_SIZE_RANGE);
	assert_int_equal(mech_wrap(&call.mechanism, p256.public_key, odd, wrapped, &length),
			 CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
	assert_int_equal(mech_wrap(&call.mechanism, aes, p256.public_key, wrapped, &length),
			 CKR_KEY_NOT_WRAPPABLE);
	call_plain(&call, CKM_AES_KEY_WRAP_KWP);
	length = 0;
	assert_int_equal(mech_wrap(&call.mechanism, aes, odd, wrapped, &length),
			 CKR_BUFFER_TOO_SMALL);
	assert_int_equal(length, 32);
	assert_int_equal(mech_wrap(&call.mechanism, aes, odd, wrapped, &length), CKR_OK);
	/* 17 bytes are no AES key, and not 16 of anything; one byte less is no wrapped key. */
	set_head(&attributes, CKO_SECRET_KEY, CKK_AES);
	assert_int_equal(mech_unwrap(&call.mechanism, aes, wrapped, 32, &attributes),
			 CKR_WRAPPED_KEY_INVALID);
	attributes_free(&attributes);
	set_head(&attributes, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	attributes_set_ulong(&attributes, CKA_VALUE_LEN, 16);
	assert_int_equal(mech_unwrap(&call.mechanism, aes, wrapped, 32, &attributes),
			 CKR_TEMPLATE_INCONSISTENT);
	assert_int_equal(mech_unwrap(&call.mechanism, aes, wrapped, 31, &attributes),
			 CKR_WRAPPED_KEY_LEN_RANGE);
	attributes_free(&attributes);
	/* No key leaves or enters by a mode without authentication. */
	put_cbc(&call, CKM_AES_CBC_PAD);
	assert_int_equal(mech_wrap(&call.mechanism, aes, odd, wrapped, &length),
			 CKR_MECHANISM_INVALID);
	assert_int_equal(mech_unwrap(&call.mechanism, aes, wrapped, 32, &attributes),
			 CKR_MECHANISM_INVALID);
	key_put(odd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_pss_parameters),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_sha1_verifies),
		cmocka_unit_test(test_standing),
		cmocka_unit_test(test_cbc_padding),
		cmocka_unit_test(test_counter_end),
		cmocka_unit_test(test_wrong_tag),
		cmocka_unit_test(test_hold_back_quota),
		cmocka_unit_test(test_rsa_decryption),
		cmocka_unit_test(test_import_rsa),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_points),
		cmocka_unit_test(test_wrapping),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
