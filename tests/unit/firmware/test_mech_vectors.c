// SPDX-License-Identifier: Apache-2.0
/*
 * Known answers from the standards: FIPS 180-4 and 202 examples, SP 800-38A/B, the GCM submission, RFC 3394, 3602, 3610, 4231,
 * 5649, 5869, 5903, 6979, 7748, 8032. They show that the mechanisms mean the same
 * algorithms as everybody else's.
 */
#include "mech_testing.h"

static void put_hex(struct call *call, enum hsm_field_tag tag, const char *hex)
{
	uint8_t data[256];
	size_t length = from_hex(hex, data, sizeof(data));

	hsm_put_bytes(&call->writer, tag, data, length);
}

static struct key *secret_hex(uint64_t type, const char *hex)
{
	uint8_t data[256];
	size_t length = from_hex(hex, data, sizeof(data));

	return secret_key(type, data, length);
}

static void assert_hex(const uint8_t *data, size_t length, const char *hex)
{
	uint8_t wanted[1024];
	size_t wanted_length = from_hex(hex, wanted, sizeof(wanted));

	assert_int_equal(length, wanted_length);
	assert_memory_equal(data, wanted, length);
}

/* ---- digests and MACs ---- */

static void test_digests(void **state)
{
	static const struct {
		uint64_t mechanism;
		const char *abc;
	} cases[] = {
		{ CKM_SHA_1, "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ CKM_SHA224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" },
		{ CKM_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ CKM_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
			      "8086072ba1e7cc2358baeca134c825a7" },
		{ CKM_SHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
		{ CKM_SHA512_224, "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa" },
		{ CKM_SHA512_256,
		  "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23" },
		{ CKM_SHA3_224, "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf" },
		{ CKM_SHA3_256,
		  "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532" },
		{ CKM_SHA3_384, "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
				"98d88cea927ac7f539f1edf228376d25" },
		{ CKM_SHA3_512,
		  "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
		  "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0" },
	};
	uint8_t out[EVP_MAX_MD_SIZE];
	size_t length;
	struct call call;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		length = sizeof(out);
		call_plain(&call, cases[i].mechanism);
		assert_int_equal(run(MECH_DIGEST, &call.mechanism, NULL, "abc", 3, out, &length),
				 CKR_OK);
		assert_hex(out, length, cases[i].abc);
	}
}

static void test_hmac(void **state)
{
	/* RFC 4231, test case 2 */
	struct key *key = secret_key(CKK_GENERIC_SECRET, "Jefe", 4);
	struct key *typed = secret_key(CKK_SHA256_HMAC, "Jefe", 4);
	const char *text = "what do ya want for nothing?";
	uint8_t out[64];
	size_t length = sizeof(out);
	struct call call;

	(void)state;
	call_plain(&call, CKM_SHA256_HMAC);
	assert_int_equal(run(MECH_SIGN, &call.mechanism, key, text, strlen(text), out, &length),
			 CKR_OK);
	assert_hex(out, length, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_int_equal(run_verify(&call.mechanism, typed, text, strlen(text), out, length),
			 CKR_OK);
	call_plain(&call, CKM_SHA512_HMAC);
	length = sizeof(out);
	assert_int_equal(run(MECH_SIGN, &call.mechanism, typed, text, strlen(text), out, &length),
			 CKR_KEY_TYPE_INCONSISTENT);
	length = sizeof(out);
	assert_int_equal(run(MECH_SIGN, &call.mechanism, key, text, strlen(text), out, &length),
			 CKR_OK);
	assert_hex(out, length,
		   "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
		   "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
	call_start(&call, CKM_SHA256_HMAC_GENERAL);
	hsm_put_u64(&call.writer, HSM_FIELD_LENGTH, 16);
	call_end(&call);
	length = sizeof(out);
	assert_int_equal(run(MECH_SIGN, &call.mechanism, key, text, strlen(text), out, &length),
			 CKR_OK);
	assert_hex(out, length, "5bdcc146bf60754e6a042426089575c7");
	key_put(key);
	key_put(typed);
}

static void test_cmac(void **state)
{
	/* SP 800-38B, AES-128, examples 2 and 3 */
	struct key *key = secret_hex(CKK_AES, "2b7e151628aed2a6abf7158809cf4f3c");
	uint8_t in[64], out[16];
	size_t in_length = from_hex(
		"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411",
		in, sizeof(in));
	size_t length = sizeof(out);
	struct call call;

	(void)state;
	call_plain(&call, CKM_AES_CMAC);
	assert_int_equal(run(MECH_SIGN, &call.mechanism, key, in, 16, out, &length), CKR_OK);
	assert_hex(out, length, "070a16b46b4d4144f79bdd9dd04a287c");
	length = sizeof(out);
	assert_int_equal(run(MECH_SIGN, &call.mechanism, key, in, in_length, out, &length), CKR_OK);
	assert_hex(out, length, "dfa66747de9ae63030ca32611497c827");
	key_put(key);
}

/* ---- ciphers ---- */

static void encrypt_case(struct call *call, const char *key_hex, const char *plain,
			 const char *cipher)
{
	struct key *key = secret_hex(CKK_AES, key_hex);
	uint8_t in[256], out[256];
	size_t in_length = from_hex(plain, in, sizeof(in)), length = sizeof(out),
	       back_length = sizeof(in);

	assert_int_equal(run(MECH_ENCRYPT, call_end(call), key, in, in_length, out, &length),
			 CKR_OK);
	assert_hex(out, length, cipher);
	assert_int_equal(run(MECH_DECRYPT, &call->mechanism, key, out, length, in, &back_length),
			 CKR_OK);
	assert_hex(in, back_length, plain);
	key_put(key);
}

static void test_ciphers(void **state)
{
	static const char key[] = "2b7e151628aed2a6abf7158809cf4f3c";
	static const char plain[] =
		"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
	struct call call;

	(void)state;
	/* SP 800-38A, F.1.1, F.2.1, F.5.1 */
	call_start(&call, CKM_AES_ECB);
	encrypt_case(&call, key, plain,
		     "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf");
	call_start(&call, CKM_AES_CBC);
	put_hex(&call, HSM_FIELD_IV, "000102030405060708090a0b0c0d0e0f");
	encrypt_case(&call, key, plain,
		     "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2");
	call_start(&call, CKM_AES_CTR);
	put_hex(&call, HSM_FIELD_IV, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
	hsm_put_u64(&call.writer, HSM_FIELD_COUNTER_BITS, 128);
	encrypt_case(&call, key, plain,
		     "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff");
	/* RFC 3602, case 1 */
	call_start(&call, CKM_AES_CBC);
	put_hex(&call, HSM_FIELD_IV, "3dafba429d9eb430b422da802c9fac41");
	encrypt_case(&call, "06a9214036b8a15b512e03d534120006", "53696e676c6520626c6f636b206d7367",
		     "e353779c1079aeb82708942dbe77181a");
}

static void test_aead(void **state)
{
	struct call call;

	(void)state;
	/* Test case 16 of the GCM submission */
	call_start(&call, CKM_AES_GCM);
	put_hex(&call, HSM_FIELD_IV, "cafebabefacedbaddecaf888");
	put_hex(&call, HSM_FIELD_AAD, "feedfacedeadbeeffeedfacedeadbeefabaddad2");
	hsm_put_u64(&call.writer, HSM_FIELD_TAG_BITS, 128);
	encrypt_case(&call, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
		     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
		     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
		     "76fc6ece0f4e1768cddf8853bb2d551b");
	/* RFC 3610, packet vector 1 */
	call_start(&call, CKM_AES_CCM);
	hsm_put_u64(&call.writer, HSM_FIELD_LENGTH, 23);
	put_hex(&call, HSM_FIELD_IV, "00000003020100a0a1a2a3a4a5");
	put_hex(&call, HSM_FIELD_AAD, "0001020304050607");
	hsm_put_u64(&call.writer, HSM_FIELD_TAG_BITS, 64);
	encrypt_case(&call, "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
		     "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
		     "588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0");
}

static void test_key_wrap(void **state)
{
	static const struct {
		uint64_t mechanism;
		const char *kek, *key, *wrapped;
	} cases[] = {
		/* RFC 3394, 4.6; RFC 5649, 6, both examples */
		{ CKM_AES_KEY_WRAP,
		  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		  "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
		  "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21" },
		{ CKM_AES_KEY_WRAP_KWP, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
		  "c37b7e6492584340bed12207808941155068f738",
		  "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a" },
		{ CKM_AES_KEY_WRAP_PAD, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
		  "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f" },
	};
	uint8_t out[128];
	size_t length;
	struct key *kek, *key;
	struct call call;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		length = sizeof(out);
		kek = secret_hex(CKK_AES, cases[i].kek);
		key = secret_hex(CKK_GENERIC_SECRET, cases[i].key);
		call_plain(&call, cases[i].mechanism);
		assert_int_equal(mech_wrap(&call.mechanism, kek, key, out, &length), CKR_OK);
		assert_hex(out, length, cases[i].wrapped);
		key_put(kek);
		key_put(key);
	}
}

/* ---- signatures and agreement ---- */

static struct key *half_key(uint64_t class, uint64_t type, const uint8_t *params,
			    size_t params_length, const char *hex)
{
	struct attributes attributes = { 0 };
	uint8_t data[256];
	size_t length = from_hex(hex, data, sizeof(data));
	struct key *key;

	set_head(&attributes, class, type);
	attributes_set(&attributes, CKA_EC_PARAMS, params, params_length);
	attributes_set(&attributes, class == CKO_PUBLIC_KEY ? CKA_EC_POINT : CKA_VALUE, data,
		       length);
	assert_int_equal(mech_import(&attributes), CKR_OK);
	key = key_new(&attributes);
	attributes_free(&attributes);
	return key;
}

static void test_ecdsa(void **state)
{
	/* RFC 6979, A.2.5: P-256, "sample"; the public point raw, which input may be */
	struct key *key =
		half_key(CKO_PUBLIC_KEY, CKK_EC, p256_oid, sizeof(p256_oid),
			 "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
			 "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
	static const char sha256[] =
		"efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
		"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
	static const char sha1[] =
		"61340c88c3aaebeb4f6d667f672ca9759a6ccaa9fa8811313039ee4a35471d32"
		"6d7f147dac089441bb2e2fe8f7a3fa264b9c475098fdcf6e00d7c996e1b8b7eb";
	uint8_t signature[64];
	struct call call;

	(void)state;
	from_hex(sha256, signature, sizeof(signature));
	call_plain(&call, CKM_ECDSA_SHA256);
	assert_int_equal(run_verify(&call.mechanism, key, "sample", 6, signature, 64), CKR_OK);
	assert_int_equal(run_verify(&call.mechanism, key, "simple", 6, signature, 64),
			 CKR_SIGNATURE_INVALID);
	from_hex(sha1, signature, sizeof(signature));
	call_plain(&call, CKM_ECDSA_SHA1);
	assert_int_equal(run_verify(&call.mechanism, key, "sample", 6, signature, 64), CKR_OK);
	key_put(key);
}

static void test_eddsa(void **state)
{
	/* RFC 8032, 7.1, test 2 */
	struct key *key =
		half_key(CKO_PRIVATE_KEY, CKK_EC_EDWARDS, ed25519_oid, sizeof(ed25519_oid),
			 "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
	/* The same public key raw and as an OCTET STRING */
	struct key *raw =
		half_key(CKO_PUBLIC_KEY, CKK_EC_EDWARDS, ed25519_oid, sizeof(ed25519_oid),
			 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
	struct key *der =
		half_key(CKO_PUBLIC_KEY, CKK_EC_EDWARDS, ed25519_oid, sizeof(ed25519_oid),
			 "04203d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
	uint8_t signature[64];
	size_t length = sizeof(signature);
	struct call call;

	(void)state;
	call_plain(&call, CKM_EDDSA);
	assert_int_equal(run(MECH_SIGN, &call.mechanism, key, "\x72", 1, signature, &length),
			 CKR_OK);
	assert_hex(signature, length,
		   "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
		   "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
	assert_int_equal(run_verify(&call.mechanism, raw, "\x72", 1, signature, length), CKR_OK);
	assert_int_equal(run_verify(&call.mechanism, der, "\x72", 1, signature, length), CKR_OK);
	key_put(key);
	key_put(raw);
	key_put(der);
}

static void derive_case(struct key *base, const struct mechanism *mechanism, size_t length,
			const char *hex)
{
	struct attributes attributes = { 0 };
	const struct attribute *value;

	set_head(&attributes, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	attributes_set_ulong(&attributes, CKA_VALUE_LEN, length);
	assert_int_equal(mech_derive(mechanism, base, &attributes), CKR_OK);
	value = attributes_find(&attributes, CKA_VALUE);
	assert_hex(value->value, value->length, hex);
	attributes_free(&attributes);
}

static void test_ecdh(void **state)
{
	/* RFC 5903, 8.1 */
	struct key *key =
		half_key(CKO_PRIVATE_KEY, CKK_EC, p256_oid, sizeof(p256_oid),
			 "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433");
	struct call call;

	(void)state;
	call_start(&call, CKM_ECDH1_DERIVE);
	put_hex(&call, HSM_FIELD_PUBLIC,
		"04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
		"56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab");
	hsm_put_u64(&call.writer, HSM_FIELD_KDF, CKD_NULL);
	derive_case(key, call_end(&call), 32,
		    "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de");
	/* Shorter: bytes go from the leading end */
	derive_case(key, &call.mechanism, 16, "2fef8e9ece7dce03812464d04b9442de");
	key_put(key);
	/* RFC 7748, 6.1 */
	key = half_key(CKO_PRIVATE_KEY, CKK_EC_MONTGOMERY, x25519_name, sizeof(x25519_name) - 1,
		       "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
	call_start(&call, CKM_ECDH1_DERIVE);
	put_hex(&call, HSM_FIELD_PUBLIC,
		"de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
	hsm_put_u64(&call.writer, HSM_FIELD_KDF, CKD_NULL);
	derive_case(key, call_end(&call), 32,
		    "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
	key_put(key);
}

static void test_hkdf(void **state)
{
	/* RFC 5869, A.1 */
	struct key *key =
		secret_hex(CKK_GENERIC_SECRET, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
	struct key *prk = secret_hex(
		CKK_HKDF, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
	static const char okm[] =
		"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
	struct call call;

	(void)state;
	call_start(&call, CKM_HKDF_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_EXTRACT, 1);
	hsm_put_u64(&call.writer, HSM_FIELD_EXPAND, 1);
	hsm_put_u64(&call.writer, HSM_FIELD_HASH, CKM_SHA256);
	put_hex(&call, HSM_FIELD_SALT, "000102030405060708090a0b0c");
	put_hex(&call, HSM_FIELD_INFO, "f0f1f2f3f4f5f6f7f8f9");
	derive_case(key, call_end(&call), 42, okm);
	call_start(&call, CKM_HKDF_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_EXPAND, 1);
	hsm_put_u64(&call.writer, HSM_FIELD_HASH, CKM_SHA256);
	put_hex(&call, HSM_FIELD_INFO, "f0f1f2f3f4f5f6f7f8f9");
	derive_case(prk, call_end(&call), 42, okm);
	call_start(&call, CKM_HKDF_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_EXTRACT, 1);
	hsm_put_u64(&call.writer, HSM_FIELD_HASH, CKM_SHA256);
	put_hex(&call, HSM_FIELD_SALT, "000102030405060708090a0b0c");
	derive_case(key, call_end(&call), 32,
		    "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
	key_put(key);
	key_put(prk);
}

static void test_check_values(void **state)
{
	struct attributes attributes = { 0 };
	uint8_t zero[16] = { 0 };

	(void)state;
	/* AES-128 of zeroes under zeroes begins with 66e94b, SHA-1 of "abc" with a9993e. */
	set_head(&attributes, CKO_SECRET_KEY, CKK_AES);
	attributes_set(&attributes, CKA_VALUE, zero, sizeof(zero));
	assert_int_equal(mech_import(&attributes), CKR_OK);
	assert_hex(attributes_find(&attributes, CKA_CHECK_VALUE)->value, 3, "66e94b");
	attributes_set(&attributes, CKA_CHECK_VALUE, "abc", 3);
	assert_int_equal(mech_import(&attributes), CKR_ATTRIBUTE_VALUE_INVALID);
	attributes_free(&attributes);
	set_head(&attributes, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	attributes_set(&attributes, CKA_VALUE, "abc", 3);
	assert_int_equal(mech_import(&attributes), CKR_OK);
	assert_hex(attributes_find(&attributes, CKA_CHECK_VALUE)->value, 3, "a9993e");
	attributes_free(&attributes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digests),	     cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_cmac),	     cmocka_unit_test(test_ciphers),
		cmocka_unit_test(test_aead),	     cmocka_unit_test(test_key_wrap),
		cmocka_unit_test(test_ecdsa),	     cmocka_unit_test(test_eddsa),
		cmocka_unit_test(test_ecdh),	     cmocka_unit_test(test_hkdf),
		cmocka_unit_test(test_check_values),
	};

	return cmocka_run_group_tests(tests, library_start, library_stop);
}
