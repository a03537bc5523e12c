// SPDX-License-Identifier: Apache-2.0
/*
 * RSA: published answers for every padding and hash, signatures that carry their message, and RSA without padding.
 */
#include <openssl/x509.h>
#include "mech_testing.h"
#include "vectors_rsa.h"

#define MODULUS 256 /* bytes of the pair below */

static struct pair rsa;

static int start(void **state)
{
	if (library_start(state))
		return -1;
	return pair_rsa(&rsa, MODULUS * 8) != CKR_OK;
}

static int stop(void **state)
{
	pair_free(&rsa);
	return library_stop(state);
}

static struct key *public_from(const char *modulus)
{
	static const uint8_t exponent[] = { 1, 0, 1 };
	uint8_t bytes[1024];
	size_t length = from_hex(modulus, bytes, sizeof(bytes));
	struct attributes attributes = { 0 };
	struct key *key;

	set_head(&attributes, CKO_PUBLIC_KEY, CKK_RSA);
	attributes_set(&attributes, CKA_MODULUS, bytes, length);
	attributes_set(&attributes, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
	assert_int_equal(mech_import(&attributes), CKR_OK);
	key = key_new(&attributes);
	attributes_free(&attributes);
	assert_non_null(key);
	return key;
}

/* ---- published answers ---- */

static void test_pkcs_vectors(void **state)
{
	uint8_t message[64], signature[1024];
	size_t length, signature_length;
	struct call call;
	struct key *key;

	(void)state;
	for (size_t i = 0; i < sizeof(rsa_pkcs_vectors) / sizeof(rsa_pkcs_vectors[0]); i++) {
		const struct rsa_vector *vector = &rsa_pkcs_vectors[i];

		key = public_from(vector->modulus);
		length = from_hex(vector->message, message, sizeof(message));
		signature_length = from_hex(vector->signature, signature, sizeof(signature));
		call_plain(&call, vector->mechanism);
		assert_int_equal(run_verify(&call.mechanism, key, message, length, signature,
					    signature_length),
				 CKR_OK);
		message[0] ^= 1;
		assert_int_equal(run_verify(&call.mechanism, key, message, length, signature,
					    signature_length),
				 CKR_SIGNATURE_INVALID);
		key_put(key);
	}
}

static const struct mechanism *pss(struct call *call, uint64_t mechanism,
				   const struct pss_vector *vector)
{
	call_start(call, mechanism);
	hsm_put_u64(&call->writer, HSM_FIELD_HASH, vector->hash);
	hsm_put_u64(&call->writer, HSM_FIELD_MGF, vector->mgf);
	hsm_put_u64(&call->writer, HSM_FIELD_SALT_LENGTH, vector->salt);
	return call_end(call);
}

static void test_pss_vectors(void **state)
{
	static const uint64_t mechanisms[][2] = {
		{ CKM_SHA_1, CKM_SHA1_RSA_PKCS_PSS },
		{ CKM_SHA256, CKM_SHA256_RSA_PKCS_PSS },
		{ CKM_SHA384, CKM_SHA384_RSA_PKCS_PSS },
		{ CKM_SHA512, CKM_SHA512_RSA_PKCS_PSS },
	};
	uint8_t message[64], signature[1024], digest[EVP_MAX_MD_SIZE];
	size_t length, signature_length;
	unsigned int digest_length;
	struct call call;
	struct key *key;

	(void)state;
	for (size_t i = 0; i < sizeof(rsa_pss_vectors) / sizeof(rsa_pss_vectors[0]); i++) {
		const struct pss_vector *vector = &rsa_pss_vectors[i];

		key = public_from(vector->modulus);
		length = from_hex(vector->message, message, sizeof(message));
		signature_length = from_hex(vector->signature, signature, sizeof(signature));
		for (size_t j = 0; j < sizeof(mechanisms) / sizeof(mechanisms[0]); j++) {
			if (mechanisms[j][0] == vector->hash)
				assert_int_equal(run_verify(pss(&call, mechanisms[j][1], vector),
							    key, message, length, signature,
							    signature_length),
						 CKR_OK);
		}
		assert_true(EVP_Digest(message, length, digest, &digest_length,
				       mech_hash_md(mech_hash_find(vector->hash)), NULL));
		assert_int_equal(run_verify(pss(&call, CKM_RSA_PKCS_PSS, vector), key, digest,
					    digest_length, signature, signature_length),
				 CKR_OK);
		key_put(key);
	}
}

/* The keys of the vectors are PKCS#8, which is how private keys travel: wrapped by AES here, and unwrapped. */
static struct key *private_from(const char *hex)
{
	static const uint8_t kek[32];
	uint8_t der[2048], wrapped[2056 + 16];
	size_t length = from_hex(hex, der, sizeof(der));
	struct key *aes = secret_key(CKK_AES, kek, sizeof(kek)), *key;
	struct attributes attributes = { 0 };
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	struct call call;
	int written;

	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	assert_true(EVP_EncryptInit_ex2(
		ctx, mech_cipher(hsm_mechanism_find(CKM_AES_KEY_WRAP_KWP), 32), kek, NULL, NULL));
	assert_true(EVP_EncryptUpdate(ctx, wrapped, &written, der, (int)length));
	EVP_CIPHER_CTX_free(ctx);
	set_head(&attributes, CKO_PRIVATE_KEY, CKK_RSA);
	assert_int_equal(mech_unwrap(call_plain(&call, CKM_AES_KEY_WRAP_KWP), aes, wrapped,
				     (size_t)written, &attributes),
			 CKR_OK);
	key = key_new(&attributes);
	attributes_free(&attributes);
	key_put(aes);
	return key;
}

static void test_oaep_vectors(void **state)
{
	uint8_t message[256], label[64], ciphertext[256], out[256];
	size_t length, label_length, ciphertext_length, out_length;
	struct call call;
	struct key *key;

	(void)state;
	for (size_t i = 0; i < sizeof(rsa_oaep_vectors) / sizeof(rsa_oaep_vectors[0]); i++) {
		const struct oaep_vector *vector = &rsa_oaep_vectors[i];

		key = private_from(vector->key);
		length = from_hex(vector->message, message, sizeof(message));
		label_length = from_hex(vector->label, label, sizeof(label));
		ciphertext_length = from_hex(vector->ciphertext, ciphertext, sizeof(ciphertext));
		call_start(&call, CKM_RSA_PKCS_OAEP);
		hsm_put_u64(&call.writer, HSM_FIELD_HASH, vector->hash);
		hsm_put_u64(&call.writer, HSM_FIELD_MGF, vector->mgf);
		hsm_put_bytes(&call.writer, HSM_FIELD_SOURCE, label, label_length);
		out_length = sizeof(out);
		assert_int_equal(run(MECH_DECRYPT, call_end(&call), key, ciphertext,
				     ciphertext_length, out, &out_length),
				 CKR_OK);
		assert_int_equal(out_length, length);
		assert_memory_equal(out, message, length);
		key_put(key);
	}
}

/* ---- signatures that carry their message ---- */

/* EMSA-PKCS1-v1_5 (RFC 8017, 9.2) of a message's SHA-256, and where in it the DigestInfo begins */
static size_t encoded(const uint8_t *message, size_t length, uint8_t em[MODULUS])
{
	static const uint8_t info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
					0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };
	size_t at = MODULUS - 32 - sizeof(info);

	memset(em, 0xff, MODULUS);
	em[0] = 0;
	em[1] = 1;
	em[at - 1] = 0;
	memcpy(em + at, info, sizeof(info));
	assert_true(EVP_Digest(message, length, em + at + sizeof(info), NULL, EVP_sha256(), NULL));
	return at;
}

/* A published signature, taken apart: without padding it is all of the encoded message, else its DigestInfo. */
static void test_recover_vector(void **state)
{
	const struct rsa_vector *vector = NULL;
	uint8_t message[64], signature[MODULUS], em[MODULUS], out[MODULUS];
	size_t length, at, out_length = sizeof(out);
	struct call call;
	struct key *key;

	(void)state;
	for (size_t i = 0; !vector; i++) {
		if (rsa_pkcs_vectors[i].mechanism == CKM_SHA256_RSA_PKCS)
			vector = &rsa_pkcs_vectors[i];
	}
	key = public_from(vector->modulus);
	length = from_hex(vector->message, message, sizeof(message));
	from_hex(vector->signature, signature, sizeof(signature));
	at = encoded(message, length, em);
	call_plain(&call, CKM_RSA_X_509);
	assert_int_equal(run(MECH_VERIFY_RECOVER, &call.mechanism, key, signature, MODULUS, out,
			     &out_length),
			 CKR_OK);
	assert_int_equal(out_length, MODULUS);
	assert_memory_equal(out, em, MODULUS);
	assert_int_equal(run_verify(&call.mechanism, key, em + 1, MODULUS - 1, signature, MODULUS),
			 CKR_OK);
	call_plain(&call, CKM_RSA_PKCS);
	assert_int_equal(run(MECH_VERIFY_RECOVER, &call.mechanism, key, signature, MODULUS, out,
			     &out_length),
			 CKR_OK);
	assert_int_equal(out_length, MODULUS - at);
	assert_memory_equal(out, em + at, out_length);
	key_put(key);
}

static void recover_with(uint64_t mechanism, bool padded)
{
	uint8_t message[20] = "to be recovered", signature[MODULUS], out[MODULUS];
	size_t length = sizeof(signature), out_length = sizeof(out);
	struct call call;

	call_plain(&call, mechanism);
	assert_int_equal(run(MECH_SIGN_RECOVER, &call.mechanism, rsa.private_key, message,
			     sizeof(message), signature, &length),
			 CKR_OK);
	assert_int_equal(length, MODULUS);
	assert_int_equal(run(MECH_VERIFY_RECOVER, &call.mechanism, rsa.public_key, signature,
			     length, out, &out_length),
			 CKR_OK);
	assert_int_equal(out_length, padded ? sizeof(message) : MODULUS);
	assert_memory_equal(out + out_length - sizeof(message), message, sizeof(message));
	assert_int_equal(run(MECH_VERIFY_RECOVER, &call.mechanism, rsa.public_key, signature,
			     length - 1, out, &out_length),
			 CKR_SIGNATURE_LEN_RANGE);
	signature[length - 1] ^= 1;
	out_length = sizeof(out);
	assert_int_equal(run(MECH_VERIFY_RECOVER, &call.mechanism, rsa.public_key, signature,
			     length, out, &out_length),
			 padded ? CKR_SIGNATURE_INVALID : CKR_OK);
	/* The halves of the pair are not exchanged. */
	assert_int_equal(run(MECH_SIGN_RECOVER, &call.mechanism, rsa.public_key, message,
			     sizeof(message), signature, &length),
			 CKR_KEY_TYPE_INCONSISTENT);
	assert_int_equal(run(MECH_VERIFY_RECOVER, &call.mechanism, rsa.private_key, signature,
			     MODULUS, out, &out_length),
			 CKR_KEY_TYPE_INCONSISTENT);
}

static void test_recover(void **state)
{
	struct mech_operation *operation;
	struct call call;

	(void)state;
	recover_with(CKM_RSA_PKCS, true);
	recover_with(CKM_RSA_X_509, false);
	call_plain(&call, CKM_SHA256_RSA_PKCS);
	assert_int_equal(mech_begin(&operation, MECH_SIGN_RECOVER, &call.mechanism,
				    rsa.private_key),
			 CKR_MECHANISM_INVALID);
}

/* ---- no padding ---- */

static void test_raw(void **state)
{
	const struct attribute *modulus = attributes_find(&rsa.public_attributes, CKA_MODULUS);
	uint8_t ciphertext[MODULUS], plain[MODULUS];
	size_t length = sizeof(ciphertext), plain_length = sizeof(plain);
	struct call call;

	(void)state;
	call_plain(&call, CKM_RSA_X_509);
	assert_int_equal(run(MECH_ENCRYPT, &call.mechanism, rsa.public_key, "abc", 3, ciphertext,
			     &length),
			 CKR_OK);
	assert_int_equal(run(MECH_DECRYPT, &call.mechanism, rsa.private_key, ciphertext, length,
			     plain, &plain_length),
			 CKR_OK);
	assert_int_equal(plain_length, MODULUS);
	assert_memory_equal(plain + MODULUS - 3, "abc", 3);
	for (size_t i = 0; i < MODULUS - 3; i++)
		assert_int_equal(plain[i], 0);
	/* Numbers that are not below the modulus, and inputs longer than it */
	assert_int_equal(run(MECH_ENCRYPT, &call.mechanism, rsa.public_key, modulus->value, MODULUS,
			     ciphertext, &length),
			 CKR_DATA_INVALID);
	assert_int_equal(run(MECH_SIGN, &call.mechanism, rsa.private_key, modulus->value, MODULUS,
			     ciphertext, &length),
			 CKR_DATA_INVALID);
	assert_int_equal(run(MECH_DECRYPT, &call.mechanism, rsa.private_key, modulus->value,
			     MODULUS, plain, &plain_length),
			 CKR_ENCRYPTED_DATA_INVALID);
	memset(plain, 0, sizeof(plain));
	assert_int_equal(run(MECH_DECRYPT, &call.mechanism, rsa.private_key, plain, MODULUS - 1,
			     plain, &plain_length),
			 CKR_ENCRYPTED_DATA_LEN_RANGE);
}

/* Keys neither leave nor come in by it: whoever chooses the bytes chooses the key, and may relate it to others. */
static void test_raw_wraps_nothing(void **state)
{
	static const uint8_t bytes[32] = "a key";
	struct key *aes = secret_key(CKK_AES, bytes, sizeof(bytes));
	struct attributes attributes = { 0 };
	uint8_t wrapped[MODULUS] = { 0 };
	size_t length = sizeof(wrapped);
	struct call call;

	(void)state;
	call_plain(&call, CKM_RSA_X_509);
	set_head(&attributes, CKO_SECRET_KEY, CKK_AES);
	assert_int_equal(mech_wrap(&call.mechanism, rsa.public_key, aes, wrapped, &length),
			 CKR_MECHANISM_INVALID);
	assert_int_equal(mech_unwrap(&call.mechanism, rsa.private_key, wrapped, sizeof(wrapped),
				     &attributes),
			 CKR_MECHANISM_INVALID);
	attributes_free(&attributes);
	key_put(aes);
}

/* ---- generation ---- */

static void test_generation(void **state)
{
	static const uint8_t exponent[] = { 0x01, 0x00, 0x00, 0x00, 0x0f };
	uint8_t signature[MODULUS];
	size_t length = sizeof(signature);
	struct pair pair = { 0 };
	struct call call;

	(void)state;
	set_head(&pair.public_attributes, CKO_PUBLIC_KEY, CKK_RSA);
	set_head(&pair.private_attributes, CKO_PRIVATE_KEY, CKK_RSA);
	attributes_set_ulong(&pair.public_attributes, CKA_MODULUS_BITS, MODULUS * 8);
	attributes_set(&pair.public_attributes, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
	call_plain(&call, CKM_RSA_X9_31_KEY_PAIR_GEN);
	assert_int_equal(mech_generate_pair(&call.mechanism, &pair.public_attributes,
					    &pair.private_attributes),
			 CKR_OK);
	assert_memory_equal(attributes_find(&pair.private_attributes, CKA_PUBLIC_EXPONENT)->value,
			    exponent, sizeof(exponent));
	pair.public_key = key_new(&pair.public_attributes);
	pair.private_key = key_new(&pair.private_attributes);
	call_plain(&call, CKM_SHA512_RSA_PKCS);
	assert_int_equal(run(MECH_SIGN, &call.mechanism, pair.private_key, "abc", 3, signature,
			     &length),
			 CKR_OK);
	assert_int_equal(run_verify(&call.mechanism, pair.public_key, "abc", 3, signature, length),
			 CKR_OK);
	pair_free(&pair);
	assert_int_equal(pair_rsa(&pair, 8192 + 8), CKR_ATTRIBUTE_VALUE_INVALID);
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pkcs_vectors),	  cmocka_unit_test(test_pss_vectors),
		cmocka_unit_test(test_oaep_vectors),	  cmocka_unit_test(test_recover_vector),
		cmocka_unit_test(test_recover),		  cmocka_unit_test(test_raw),
		cmocka_unit_test(test_raw_wraps_nothing), cmocka_unit_test(test_generation),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
