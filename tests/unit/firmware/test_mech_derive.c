// SPDX-License-Identifier: Apache-2.0
/*
 * Derivations: known answers of each mechanism, whose source stands with it, and what each must refuse. The rules on keys
 * that come in and out (sensitive, extractable, allowed mechanisms) are in test_attacks_derive.c.
 */
#include "derive_testing.h"

/* ---- digests: the examples of FIPS 180-4, FIPS 202 and RFC 7693 are of "abc", which is the key here ---- */

static void test_digests(void **state)
{
	static const struct {
		uint64_t mechanism;
		const char *value;
	} cases[] = {
		{ CKM_SHA1_KEY_DERIVATION, "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ CKM_SHA224_KEY_DERIVATION,
		  "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" },
		{ CKM_SHA256_KEY_DERIVATION,
		  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ CKM_SHA384_KEY_DERIVATION,
		  "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
		  "8086072ba1e7cc2358baeca134c825a7" },
		{ CKM_SHA512_KEY_DERIVATION,
		  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
		{ CKM_SHA512_224_KEY_DERIVATION,
		  "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa" },
		{ CKM_SHA512_256_KEY_DERIVATION,
		  "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23" },
		{ CKM_SHA3_224_KEY_DERIVATION,
		  "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf" },
		{ CKM_SHA3_256_KEY_DERIVATION,
		  "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532" },
		{ CKM_SHA3_384_KEY_DERIVATION,
		  "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
		  "98d88cea927ac7f539f1edf228376d25" },
		{ CKM_SHA3_512_KEY_DERIVATION,
		  "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
		  "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0" },
		{ CKM_SHAKE_128_KEY_DERIVATION,
		  "5881092dd818bf5cf8a3ddb793fbcba74097d5c526a6d35f97b83351940f2cc8" },
		{ CKM_SHAKE_256_KEY_DERIVATION,
		  "483366601360a8771c6863080cc4114d8db44530f8f1e1ee4f94ea37e78b5739"
		  "d5a15bef186a5386c75744c0527e1faa9f8726e462a12a4feb06bd8801e751e4" },
		{ CKM_BLAKE2B_160_KEY_DERIVE, "384264f676f39536840523f284921cdc68b6846b" },
		{ CKM_BLAKE2B_256_KEY_DERIVE,
		  "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319" },
		{ CKM_BLAKE2B_384_KEY_DERIVE,
		  "6f56a82c8e7ef526dfe182eb5212f7db9df1317e57815dbda46083fc30f54ee6"
		  "c66ba83be64b302d7cba6ce15bb556f4" },
		{ CKM_BLAKE2B_512_KEY_DERIVE,
		  "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
		  "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923" },
	};
	struct key *base = secret_key(CKK_GENERIC_SECRET, "abc", 3);
	struct attributes key;
	struct call call;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		call_plain(&call, cases[i].mechanism);
		if (!mech_available(call.mechanism.info))
			continue;
		/* Without a length: all of it */
		wish(&key, CKK_GENERIC_SECRET, 0);
		assert_int_equal(mech_derive(&call.mechanism, base, &key), CKR_OK);
		assert_value(&key, cases[i].value);
		attributes_free(&key);
		assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET,
					 strlen(cases[i].value) / 2 + 1),
				 CKR_ATTRIBUTE_VALUE_INVALID);
	}
	/* The first bytes where less is asked for; a key type without a length of its own wants one. */
	call_plain(&call, CKM_SHA256_KEY_DERIVATION);
	wish(&key, CKK_AES, 16);
	assert_int_equal(mech_derive(&call.mechanism, base, &key), CKR_OK);
	assert_value(&key, "ba7816bf8f01cfea414140de5dae2223");
	attributes_free(&key);
	assert_int_equal(attempt(&call, base, CKK_AES, 0), CKR_TEMPLATE_INCOMPLETE);
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, MECH_DERIVED_MIN - 1),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	/* Triple DES: the length is the type's, the parity is put right. */
	wish(&key, CKK_DES3, 0);
	assert_int_equal(mech_derive(&call.mechanism, base, &key), CKR_OK);
	assert_value(&key, "ba7916bf8f01ceea404040df5dae2323b00261a297167a9d");
	attributes_free(&key);
	key_put(base);
}

/* ---- what a key encrypts ---- */

static void encrypt_data(uint64_t mechanism, uint64_t type, const char *key, const char *iv,
			 const char *data, const char *value)
{
	struct key *base = secret_hex(type, key);
	struct call call;

	call_start(&call, mechanism);
	if (iv)
		put_hex(&call, HSM_FIELD_IV, iv);
	put_hex(&call, HSM_FIELD_SHARED, data);
	expect(&call, base, value);
	key_put(base);
}

static void test_encrypt_data(void **state)
{
	static const char aes[] = "2b7e151628aed2a6abf7158809cf4f3c";
	struct key *base = secret_hex(CKK_AES, aes);
	struct call call;

	(void)state;
	/* SP 800-38A, F.1.1 and F.2.1 */
	encrypt_data(CKM_AES_ECB_ENCRYPT_DATA, CKK_AES, aes, NULL,
		     "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
		     "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf");
	encrypt_data(CKM_AES_CBC_ENCRYPT_DATA, CKK_AES, aes, "000102030405060708090a0b0c0d0e0f",
		     "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
		     "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee");
	/* RFC 3713, A; RFC 5794, A.1; SP 800-67, B */
	encrypt_data(CKM_CAMELLIA_ECB_ENCRYPT_DATA, CKK_CAMELLIA,
		     "0123456789abcdeffedcba9876543210", NULL, "0123456789abcdeffedcba9876543210",
		     "67673138549669730857065648eabe43");
	encrypt_data(CKM_CAMELLIA_CBC_ENCRYPT_DATA, CKK_CAMELLIA,
		     "0123456789abcdeffedcba9876543210", "00000000000000000000000000000000",
		     "0123456789abcdeffedcba9876543210", "67673138549669730857065648eabe43");
	encrypt_data(CKM_ARIA_ECB_ENCRYPT_DATA, CKK_ARIA, "000102030405060708090a0b0c0d0e0f", NULL,
		     "00112233445566778899aabbccddeeff", "d718fbd6ab644c739da95f3be6451778");
	encrypt_data(CKM_ARIA_CBC_ENCRYPT_DATA, CKK_ARIA, "000102030405060708090a0b0c0d0e0f",
		     "00000000000000000000000000000000", "00112233445566778899aabbccddeeff",
		     "d718fbd6ab644c739da95f3be6451778");
	encrypt_data(CKM_DES3_ECB_ENCRYPT_DATA, CKK_DES3,
		     "0123456789abcdef23456789abcdef01456789abcdef0123", NULL,
		     "54686520717566636b2062726f776e20", "a826fd8ce53b855fcce21c8112256fe6");
	encrypt_data(CKM_DES3_CBC_ENCRYPT_DATA, CKK_DES3,
		     "0123456789abcdef23456789abcdef01456789abcdef0123", "0000000000000000",
		     "5468652071756663c3069ffe8a4ceb7f", "a826fd8ce53b855fcce21c8112256fe6");
	/* Data that is not whole blocks, data that is too short, an IV too many */
	call_start(&call, CKM_AES_ECB_ENCRYPT_DATA);
	put_hex(&call, HSM_FIELD_SHARED, "6bc1bee22e409f96e93d7e1173931700aa");
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 16), CKR_MECHANISM_PARAM_INVALID);
	call_start(&call, CKM_AES_ECB_ENCRYPT_DATA);
	put_hex(&call, HSM_FIELD_SHARED, "6bc1bee22e409f96e93d7e1173931700");
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 17), CKR_DATA_LEN_RANGE);
	call_start(&call, CKM_AES_CBC_ENCRYPT_DATA);
	put_hex(&call, HSM_FIELD_SHARED, "6bc1bee22e409f96e93d7e1173931700");
	put_hex(&call, HSM_FIELD_IV, "0001020304050607");
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 16), CKR_MECHANISM_PARAM_INVALID);
	key_put(base);
}

/* ---- pieces ---- */

/* The examples of PKCS#11, 6.43, four times over, so that they are long enough */
static void test_pieces(void **state)
{
	struct key *base = secret_hex(CKK_GENERIC_SECRET, "01234567012345670123456701234567");
	struct key *other = secret_hex(CKK_GENERIC_SECRET, "89abcdef89abcdef89abcdef89abcdef");
	struct key *bits = secret_hex(CKK_GENERIC_SECRET, "329f84a9329f84a9329f84a9329f84a9");
	struct attributes key;
	struct call call;

	(void)state;
	call_start(&call, CKM_CONCATENATE_BASE_AND_KEY);
	hsm_put_u64(&call.writer, HSM_FIELD_SECOND_KEY, 1);
	call.mechanism.other[call.mechanism.others++] = &other->attributes;
	expect(&call, base, "0123456701234567012345670123456789abcdef89abcdef89abcdef89abcdef");
	call_start(&call, CKM_CONCATENATE_BASE_AND_DATA);
	put_hex(&call, HSM_FIELD_SHARED, "89abcdef");
	expect(&call, base, "0123456701234567012345670123456789abcdef");
	call_start(&call, CKM_CONCATENATE_DATA_AND_BASE);
	put_hex(&call, HSM_FIELD_SHARED, "89abcdef");
	expect(&call, base, "89abcdef01234567012345670123456701234567");
	call_start(&call, CKM_XOR_BASE_AND_DATA);
	put_hex(&call, HSM_FIELD_SHARED, "89abcdef89abcdef89abcdef89abcdef89");
	expect(&call, base, "88888888888888888888888888888888");
	call_start(&call, CKM_EXTRACT_KEY_FROM_KEY);
	hsm_put_u64(&call.writer, HSM_FIELD_FIRST_BIT, 21);
	expect(&call, bits, "952653f0952653f0952653f0952653f0");
	call_start(&call, CKM_EXTRACT_KEY_FROM_KEY);
	hsm_put_u64(&call.writer, HSM_FIELD_FIRST_BIT, 8);
	expect(&call, bits, "9f84a9329f84a9329f84a9329f84");
	/* Without a length: all of it; an extraction wants one. */
	call_start(&call, CKM_XOR_BASE_AND_DATA);
	put_hex(&call, HSM_FIELD_SHARED, "89abcdef89abcdef89abcdef89abcdef");
	wish(&key, CKK_GENERIC_SECRET, 0);
	assert_int_equal(mech_derive(call_end(&call), base, &key), CKR_OK);
	assert_value(&key, "88888888888888888888888888888888");
	attributes_free(&key);
	assert_int_equal(attempt(&call, base, CKK_AES, 0), CKR_TEMPLATE_INCOMPLETE);
	assert_int_equal(attempt(&call, base, CKK_DES2, 16), CKR_TEMPLATE_INCONSISTENT);
	call_start(&call, CKM_EXTRACT_KEY_FROM_KEY);
	hsm_put_u64(&call.writer, HSM_FIELD_FIRST_BIT, 128);
	assert_int_equal(attempt(&call, bits, CKK_GENERIC_SECRET, 14), CKR_MECHANISM_PARAM_INVALID);
	call_start(&call, CKM_EXTRACT_KEY_FROM_KEY);
	hsm_put_u64(&call.writer, HSM_FIELD_FIRST_BIT, 127);
	assert_int_equal(attempt(&call, bits, CKK_GENERIC_SECRET, 0), CKR_TEMPLATE_INCOMPLETE);
	assert_int_equal(attempt(&call, bits, CKK_GENERIC_SECRET, 17), CKR_ATTRIBUTE_VALUE_INVALID);
	key_put(base);
	key_put(other);
	key_put(bits);
}

/* ---- passwords ---- */

static CK_RV from_password(uint64_t prf, const char *password, const char *salt,
			   uint64_t iterations, struct attributes *key)
{
	struct call call;

	call_start(&call, CKM_PKCS5_PBKD2);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, prf);
	hsm_put_u64(&call.writer, HSM_FIELD_ITERATIONS, iterations);
	hsm_put_bytes(&call.writer, HSM_FIELD_SALT, salt, strlen(salt));
	hsm_put_bytes(&call.writer, HSM_FIELD_PASSWORD, password, strlen(password));
	return mech_generate_key(call_end(&call), key);
}

static void test_pbkdf2(void **state)
{
	struct attributes key;

	(void)state;
	wish(&key, CKK_GENERIC_SECRET, 20); /* RFC 6070 */
	assert_int_equal(from_password(CKP_PKCS5_PBKD2_HMAC_SHA1, "password", "salt", 2, &key),
			 CKR_OK);
	assert_value(&key, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
	attributes_free(&key);
	wish(&key, CKK_GENERIC_SECRET, 64); /* RFC 7914, 11 */
	assert_int_equal(from_password(CKP_PKCS5_PBKD2_HMAC_SHA256, "passwd", "salt", 1, &key),
			 CKR_OK);
	assert_value(&key, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
			   "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
	attributes_free(&key);
	wish(&key, CKK_AES, 32);
	assert_int_equal(from_password(CKP_PKCS5_PBKD2_HMAC_SHA256, "passwd", "salt", 0, &key),
			 CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(from_password(CKP_PKCS5_PBKD2_HMAC_SHA256, "passwd", "salt",
				       MECH_PBKDF2_MAX + 1, &key),
			 CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(from_password(CKP_PKCS5_PBKD2_HMAC_GOSTR3411, "passwd", "salt", 1, &key),
			 CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(from_password(CKP_PKCS5_PBKD2_HMAC_SHA512_256, "passwd", "", 1, &key),
			 CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(from_password(CKP_PKCS5_PBKD2_HMAC_SHA512_256, "passwd", "s", 1, &key),
			 CKR_OK);
	attributes_free(&key);
	wish(&key, CKK_AES, 0);
	assert_int_equal(from_password(CKP_PKCS5_PBKD2_HMAC_SHA256, "passwd", "salt", 1, &key),
			 CKR_TEMPLATE_INCOMPLETE);
	attributes_free(&key);
}

/* ---- HKDF as data: RFC 5869, A.1 ---- */

static void test_hkdf_data(void **state)
{
	struct key *base =
		secret_hex(CKK_GENERIC_SECRET, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
	struct attributes object = { 0 };
	struct call call;

	(void)state;
	call_start(&call, CKM_HKDF_DATA);
	hsm_put_u64(&call.writer, HSM_FIELD_EXTRACT, 1);
	hsm_put_u64(&call.writer, HSM_FIELD_EXPAND, 1);
	hsm_put_u64(&call.writer, HSM_FIELD_HASH, CKM_SHA256);
	put_hex(&call, HSM_FIELD_SALT, "000102030405060708090a0b0c");
	put_hex(&call, HSM_FIELD_INFO, "f0f1f2f3f4f5f6f7f8f9");
	attributes_set_ulong(&object, CKA_CLASS, CKO_DATA);
	attributes_set_ulong(&object, CKA_VALUE_LEN, 42);
	assert_int_equal(mech_derive(call_end(&call), base, &object), CKR_OK);
	assert_value(&object, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
			      "34007208d5b887185865");
	assert_null(attributes_find(&object, CKA_VALUE_LEN));
	attributes_free(&object);
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 42), CKR_TEMPLATE_INCONSISTENT);
	key_put(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digests),	  cmocka_unit_test(test_encrypt_data),
		cmocka_unit_test(test_pieces),	  cmocka_unit_test(test_pbkdf2),
		cmocka_unit_test(test_hkdf_data),
	};

	return cmocka_run_group_tests(tests, library_start, library_stop);
}
