// SPDX-License-Identifier: Apache-2.0
/*
 * Known answers of ciphers, MACs and digests beside those in test_mech_vectors.c. Where each comes from stands with it. And what
 * these mechanisms must refuse: bad lengths, counters that pass their end, bad parity.
 */
#include "mech_testing.h"

/* ---- ciphers ---- */

static const struct cipher_case {
	const char *source;
	uint64_t mechanism;
	uint64_t key_type;
	uint32_t counter_bits;
	const char *key;
	const char *iv;
	const char *plain;
	const char *cipher;
} ciphers[] = {
	{ "SP 800-38A, F.4.1", CKM_AES_OFB, CKK_AES, 0, "2b7e151628aed2a6abf7158809cf4f3c",
	  "000102030405060708090a0b0c0d0e0f",
	  "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
	  "3b3fd92eb72dad20333449f8e83cfb4a7789508d16918f03f53c52dac54ed825" },
	{ "SP 800-38A, F.3.13", CKM_AES_CFB128, CKK_AES, 0, "2b7e151628aed2a6abf7158809cf4f3c",
	  "000102030405060708090a0b0c0d0e0f",
	  "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
	  "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b" },
	{ "SP 800-38A, F.3.7", CKM_AES_CFB8, CKK_AES, 0, "2b7e151628aed2a6abf7158809cf4f3c",
	  "000102030405060708090a0b0c0d0e0f", "6bc1bee22e409f96e93d7e117393172aae2d",
	  "3b79424c9c0dd436bace9e0ed4586a4f32b9" },
	{ "SP 800-38A, F.3.1", CKM_AES_CFB1, CKK_AES, 0, "2b7e151628aed2a6abf7158809cf4f3c",
	  "000102030405060708090a0b0c0d0e0f", "6bc1", "68b3" },
	{ "RFC 3962, B, in the order of CBC-CS1 (SP 800-38A, addendum)", CKM_AES_CTS, CKK_AES, 0,
	  "636869636b656e207465726979616b69", "00000000000000000000000000000000",
	  "4920776f756c64206c696b652074686520", "97c6353568f2bf8cb4d8a580362da7ff7f" },
	{ "RFC 3962, B, in the order of CBC-CS1 (SP 800-38A, addendum)", CKM_AES_CTS, CKK_AES, 0,
	  "636869636b656e207465726979616b69", "00000000000000000000000000000000",
	  "4920776f756c64206c696b65207468652047656e6572616c2047617527732043",
	  "97687268d6ecccc0c07b25e25ecfe58439312523a78662d5be7fcbcc98ebf5a8" },
	{ "IEEE 1619, vector 2", CKM_AES_XTS, CKK_AES_XTS, 0,
	  "1111111111111111111111111111111122222222222222222222222222222222",
	  "33333333330000000000000000000000",
	  "4444444444444444444444444444444444444444444444444444444444444444",
	  "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0" },
	{ "RFC 3713, A", CKM_CAMELLIA_ECB, CKK_CAMELLIA, 0, "0123456789abcdeffedcba9876543210", "",
	  "0123456789abcdeffedcba9876543210", "67673138549669730857065648eabe43" },
	{ "RFC 3713, A", CKM_CAMELLIA_ECB, CKK_CAMELLIA, 0,
	  "0123456789abcdeffedcba98765432100011223344556677", "",
	  "0123456789abcdeffedcba9876543210", "b4993401b3e996f84ee5cee7d79b09b9" },
	{ "RFC 3713, A", CKM_CAMELLIA_ECB, CKK_CAMELLIA, 0,
	  "0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff", "",
	  "0123456789abcdeffedcba9876543210", "9acc237dff16d76c20ef7c919e3a7509" },
	{ "NTT, the data of SP 800-38A", CKM_CAMELLIA_CBC, CKK_CAMELLIA, 0,
	  "2b7e151628aed2a6abf7158809cf4f3c", "000102030405060708090a0b0c0d0e0f",
	  "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
	  "1607cf494b36bbf00daeb0b503c831aba2f2cf671629ef7840c5a5dfb5074887" },
	{ "RFC 5528, 4.1", CKM_CAMELLIA_CTR, CKK_CAMELLIA, 32, "ae6852f8121067cc4bf7a5765577f39e",
	  "00000030000000000000000000000001", "53696e676c6520626c6f636b206d7367",
	  "d09dc29a8214619a20877c76db1f0b3f" },
	{ "RFC 5794, A.1", CKM_ARIA_ECB, CKK_ARIA, 0, "000102030405060708090a0b0c0d0e0f", "",
	  "00112233445566778899aabbccddeeff", "d718fbd6ab644c739da95f3be6451778" },
	{ "RFC 5794, A.2", CKM_ARIA_ECB, CKK_ARIA, 0,
	  "000102030405060708090a0b0c0d0e0f1011121314151617", "",
	  "00112233445566778899aabbccddeeff", "26449c1805dbe7aa25a468ce263a9e79" },
	{ "RFC 5794, A.3", CKM_ARIA_ECB, CKK_ARIA, 0,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "",
	  "00112233445566778899aabbccddeeff", "f92bd7c79fb72e2f2b8f80c1972d24fc" },
	{ "KISA, ARIA test vectors", CKM_ARIA_CBC, CKK_ARIA, 0, "00112233445566778899aabbccddeeff",
	  "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
	  "11111111aaaaaaaa11111111bbbbbbbb11111111cccccccc11111111dddddddd",
	  "49d61860b14909109cef0d22a9268134fadf9fb23151e9645fba75018bdb1538" },
	{ "SP 800-67, B", CKM_DES3_ECB, CKK_DES3, 0,
	  "0123456789abcdef23456789abcdef01456789abcdef0123", "",
	  "54686520717566636b2062726f776e20666f78206a756d70",
	  "a826fd8ce53b855fcce21c8112256fe668d5c05dd9b6b900" },
	{ "SP 800-67, B, its first block after an IV of zeroes", CKM_DES3_CBC, CKK_DES3, 0,
	  "0123456789abcdef23456789abcdef01456789abcdef0123", "0000000000000000",
	  "5468652071756663", "a826fd8ce53b855f" },
	{ "RFC 8439, 2.4.2", CKM_CHACHA20, CKK_CHACHA20, 32,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "01000000000000000000004a00000000",
	  "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966"
	  "204920636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f72207468652066757475"
	  "72652c2073756e73637265656e20776f756c642062652069742e",
	  "6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0bf91b65c5524733ab8f593dab"
	  "cd62b3571639d624e65152ab8f530c359f0861d807ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806"
	  "818ce91ab77937365af90bbf74a35be6b40b8eedf2785e42874d" },
};

static void put_hex(struct call *call, enum hsm_field_tag tag, const char *hex)
{
	uint8_t data[512];
	size_t length = from_hex(hex, data, sizeof(data));

	hsm_put_bytes(&call->writer, tag, data, length);
}

static struct key *secret_hex(uint64_t type, const char *hex)
{
	uint8_t data[512];
	size_t length = from_hex(hex, data, sizeof(data));

	return secret_key(type, data, length);
}

static const struct mechanism *cipher_call(struct call *call, const struct cipher_case *c)
{
	call_start(call, c->mechanism);
	if (*c->iv)
		put_hex(call, HSM_FIELD_IV, c->iv);
	if (c->counter_bits)
		hsm_put_u64(&call->writer, HSM_FIELD_COUNTER_BITS, c->counter_bits);
	return call_end(call);
}

static void try_cipher(const struct cipher_case *c)
{
	uint8_t plain[256], cipher[256], out[256];
	size_t length = from_hex(c->plain, plain, sizeof(plain)), n = sizeof(out);
	struct key *key = secret_hex(c->key_type, c->key);
	struct call call;
	const struct mechanism *mechanism = cipher_call(&call, c);

	print_message("# %s: %s\n", call.mechanism.info->name, c->source);
	assert_int_equal(from_hex(c->cipher, cipher, sizeof(cipher)), length);
	assert_int_equal(run(MECH_ENCRYPT, mechanism, key, plain, length, out, &n), CKR_OK);
	assert_int_equal(n, length);
	assert_memory_equal(out, cipher, length);
	n = sizeof(out);
	assert_int_equal(run(MECH_DECRYPT, mechanism, key, cipher, length, out, &n), CKR_OK);
	assert_memory_equal(out, plain, length);
	key_put(key);
}

static void test_ciphers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		try_cipher(&ciphers[i]);
}

/* ---- MACs ---- */

static const struct mac_case {
	const char *source;
	uint64_t mechanism;
	uint64_t key_type;
	const char *key;
	const char *iv;
	const char *data;
	const char *mac;
} macs[] = {
	{ "RFC 2202, case 2", CKM_SHA_1_HMAC, CKK_SHA_1_HMAC, "4a656665", "",
	  "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
	{ "RFC 2202, case 5", CKM_SHA_1_HMAC_GENERAL, CKK_GENERIC_SECRET,
	  "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c", "",
	  "546573742057697468205472756e636174696f6e", "4c1a03424b55e07fe7f27be1" },
	{ "SP 800-38B, D.4", CKM_DES3_CMAC, CKK_DES3,
	  "8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5", "", "", "b7a688e122ffaf95" },
	{ "SP 800-38B, D.4", CKM_DES3_CMAC, CKK_DES3,
	  "8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5", "", "6bc1bee22e409f96",
	  "8e8f293136283797" },
	{ "SP 800-38B, D.4", CKM_DES3_CMAC_GENERAL, CKK_DES3,
	  "8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5", "", "6bc1bee22e409f96", "8e8f2931" },
	{ "CAVP, gcmEncryptExtIV128, 128 bits of AAD", CKM_AES_GMAC, CKK_AES,
	  "77be63708971c4e240d1cb79e8d77feb", "e0e00f19fed7ba0136a797f3",
	  "7a43ec1d9c0a5a78a0b16533a6213cab", "209fcc8d3675ed938e9c7166709dd946" },
	{ "RFC 8439, 2.5.2", CKM_POLY1305, CKK_POLY1305,
	  "85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b", "",
	  "43727970746f6772617068696320466f72756d2052657365617263682047726f7570",
	  "a8061dc1305136c6c22b8baf0c0127a9" },
	/* CBC-MAC: the last block of published CBC, the IV added to the first one */
	{ "SP 800-38A, F.2.1", CKM_AES_MAC_GENERAL, CKK_AES, "2b7e151628aed2a6abf7158809cf4f3c", "",
	  "6bc0bce12a459991e134741a7f9e1925ae2d8a571e03ac9c9eb76fac45af8e51"
	  "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
	  "3ff1caa1681fac09120eca307586e1a7" },
	{ "SP 800-38A, F.2.1", CKM_AES_MAC, CKK_AES, "2b7e151628aed2a6abf7158809cf4f3c", "",
	  "6bc0bce12a459991e134741a7f9e1925", "7649abac8119b246" },
	{ "RFC 3713, A", CKM_CAMELLIA_MAC, CKK_CAMELLIA, "0123456789abcdeffedcba9876543210", "",
	  "0123456789abcdeffedcba9876543210", "6767313854966973" },
	{ "RFC 3713, A", CKM_CAMELLIA_MAC_GENERAL, CKK_CAMELLIA, "0123456789abcdeffedcba9876543210",
	  "", "0123456789abcdeffedcba9876543210", "676731385496697308570656" },
	{ "RFC 5794, A.1", CKM_ARIA_MAC, CKK_ARIA, "000102030405060708090a0b0c0d0e0f", "",
	  "00112233445566778899aabbccddeeff", "d718fbd6ab644c73" },
	{ "RFC 5794, A.1", CKM_ARIA_MAC_GENERAL, CKK_ARIA, "000102030405060708090a0b0c0d0e0f", "",
	  "00112233445566778899aabbccddeeff", "d718fbd6ab644c739da95f3be6451778" },
	{ "SP 800-67, B", CKM_DES3_MAC, CKK_DES3,
	  "0123456789abcdef23456789abcdef01456789abcdef0123", "", "5468652071756663", "a826fd8c" },
	{ "SP 800-67, B", CKM_DES3_MAC_GENERAL, CKK_DES3,
	  "0123456789abcdef23456789abcdef01456789abcdef0123", "", "5468652071756663",
	  "a826fd8ce53b855f" },
	/* Nobody has published these; they were made with Python's hmac and its BLAKE2b, which is not libcrypto's. */
	{ "Python", CKM_BLAKE2B_160_HMAC, CKK_BLAKE2B_160_HMAC,
	  "000102030405060708090a0b0c0d0e0f10111213", "",
	  "53616d706c65206d65737361676520666f72206b65796c656e3c626c6f636b6c656e",
	  "f99dea34688a141b27f4914d69337e8f33fed95c" },
	{ "Python", CKM_BLAKE2B_256_HMAC, CKK_GENERIC_SECRET,
	  "000102030405060708090a0b0c0d0e0f10111213", "",
	  "53616d706c65206d65737361676520666f72206b65796c656e3c626c6f636b6c656e",
	  "3ff0fc8df30913b317357ffe7fe587c6e34416aea7f565c2cd26db3e67f10615" },
	{ "Python", CKM_BLAKE2B_384_HMAC, CKK_GENERIC_SECRET,
	  "000102030405060708090a0b0c0d0e0f10111213", "",
	  "53616d706c65206d65737361676520666f72206b65796c656e3c626c6f636b6c656e",
	  "de5ddb37d7362cc56c1c9e56c6e5f201d16fb3f986828e83f7e94e3fa8878f299baee1c29ae7fdbab8248081c9"
	  "ccdd4c" },
	{ "Python", CKM_BLAKE2B_512_HMAC, CKK_GENERIC_SECRET,
	  "000102030405060708090a0b0c0d0e0f10111213", "",
	  "53616d706c65206d65737361676520666f72206b65796c656e3c626c6f636b6c656e",
	  "c3cceb38fe1a012e97f040511d9c5de73b863c681810cbaec07a004801495b08121a8417778c916560ac6a98ac"
	  "cd4398abf928e8e10bf8d213bed075b5a1ed78" },
};

static const struct mechanism *mac_call(struct call *call, const struct mac_case *c, size_t length)
{
	call_start(call, c->mechanism);
	if (*c->iv) {
		put_hex(call, HSM_FIELD_IV, c->iv);
		hsm_put_u64(&call->writer, HSM_FIELD_TAG_BITS, 8 * length);
	}
	if (call->mechanism.info->parameter == HSM_PARAM_MAC_LENGTH)
		hsm_put_u64(&call->writer, HSM_FIELD_LENGTH, length);
	return call_end(call);
}

static void try_mac(const struct mac_case *c)
{
	uint8_t data[256], mac[64], out[64];
	size_t data_length = from_hex(c->data, data, sizeof(data)), n = sizeof(out);
	size_t length = from_hex(c->mac, mac, sizeof(mac));
	struct mech_operation *operation;
	struct call call;
	const struct mechanism *mechanism = mac_call(&call, c, length);
	struct key *key;

	print_message("# %s: %s\n", call.mechanism.info->name, c->source);
	if (!mech_available(call.mechanism.info))
		return;
	key = secret_hex(c->key_type, c->key);
	assert_int_equal(run(MECH_SIGN, mechanism, key, data, data_length, out, &n), CKR_OK);
	assert_int_equal(n, length);
	assert_memory_equal(out, mac, length);
	/* The same in parts, with a context that has been used */
	assert_int_equal(mech_begin(&operation, MECH_SIGN, mechanism, key), CKR_OK);
	for (size_t i = 0; i < data_length; i++)
		assert_int_equal(mech_update(operation, data + i, 1, NULL, NULL), CKR_OK);
	n = sizeof(out);
	assert_int_equal(mech_final(operation, out, &n), CKR_OK);
	assert_memory_equal(out, mac, length);
	mech_free(operation);
	assert_int_equal(run_verify(mechanism, key, data, data_length, mac, length), CKR_OK);
	mac[length - 1] ^= 1;
	assert_int_equal(run_verify(mechanism, key, data, data_length, mac, length),
			 CKR_SIGNATURE_INVALID);
	key_put(key);
}

static void test_macs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(macs) / sizeof(macs[0]); i++)
		try_mac(&macs[i]);
}

/* CBC-MAC fills the last block up with zeroes, and an empty message to one block of them. */
static void test_cbc_mac_fill(void **state)
{
	static const uint8_t zero[16];
	struct key *key = secret_hex(CKK_AES, "000102030405060708090a0b0c0d0e0f");
	size_t lengths[] = { 0, 1, 15, 16 };
	uint8_t mac[4][16];
	struct call call;

	(void)state;
	for (int i = 0; i < 4; i++) {
		size_t n = sizeof(mac[i]);

		call_plain(&call, CKM_AES_MAC);
		assert_int_equal(run(MECH_SIGN, &call.mechanism, key, zero, lengths[i], mac[i], &n),
				 CKR_OK);
		assert_int_equal(n, 8);
		assert_memory_equal(mac[i], mac[0], 8);
	}
	key_put(key);
}

/* A key longer than the hash's block is hashed first (RFC 2104); made with Python, as above. */
static void test_composed_hmac_long_key(void **state)
{
	uint8_t value[200], mac[64], wanted[20];
	size_t n = sizeof(mac);
	struct key *key;
	struct call call;

	(void)state;
	call_plain(&call, CKM_BLAKE2B_256_HMAC);
	if (!mech_available(call.mechanism.info))
		skip();
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)i;
	key = secret_key(CKK_GENERIC_SECRET, value, sizeof(value));
	assert_int_equal(run(MECH_SIGN, &call.mechanism, key, "Sample", 6, mac, &n), CKR_OK);
	from_hex("e9149491f297cab56c2eb718c71657c77f2f939a", wanted, sizeof(wanted));
	assert_memory_equal(mac, wanted, sizeof(wanted));
	key_put(key);
}

/* ---- digests ---- */

/* BLAKE2b-512: RFC 7693, A; the other lengths: the reference implementation's, as in Python */
static void test_blake2b(void **state)
{
	static const struct {
		uint64_t mechanism;
		const char *abc;
	} cases[] = {
		{ CKM_BLAKE2B_160, "384264f676f39536840523f284921cdc68b6846b" },
		{ CKM_BLAKE2B_256,
		  "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319" },
		{ CKM_BLAKE2B_384,
		  "6f56a82c8e7ef526dfe182eb5212f7db9df1317e57815dbda46083fc30f54ee6"
		  "c66ba83be64b302d7cba6ce15bb556f4" },
		{ CKM_BLAKE2B_512,
		  "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
		  "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923" },
	};
	uint8_t digest[64], wanted[64];
	struct call call;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = sizeof(digest), length = from_hex(cases[i].abc, wanted, sizeof(wanted));

		call_plain(&call, cases[i].mechanism);
		if (!mech_available(call.mechanism.info))
			skip();
		assert_int_equal(run(MECH_DIGEST, &call.mechanism, NULL, "abc", 3, digest, &n),
				 CKR_OK);
		assert_int_equal(n, length);
		assert_memory_equal(digest, wanted, length);
	}
}

/* ---- what must not work ---- */

static CK_RV encrypt_bytes(uint64_t mechanism, struct key *key, const char *iv, uint64_t bits,
			   size_t length)
{
	uint8_t in[256] = { 0 }, out[256];
	size_t n = sizeof(out);
	struct call call;

	call_start(&call, mechanism);
	if (iv)
		put_hex(&call, HSM_FIELD_IV, iv);
	if (bits)
		hsm_put_u64(&call.writer, HSM_FIELD_COUNTER_BITS, bits);
	return run(MECH_ENCRYPT, call_end(&call), key, in, length, out, &n);
}

static void test_lengths(void **state)
{
	static const char iv16[] = "000102030405060708090a0b0c0d0e0f", iv8[] = "0001020304050607";
	struct key *aes = secret_hex(CKK_AES, "000102030405060708090a0b0c0d0e0f");
	struct key *xts = secret_hex(
		CKK_AES_XTS, "1111111111111111111111111111111122222222222222222222222222222222");
	struct key *des = secret_hex(CKK_DES3, "0123456789abcdef23456789abcdef01456789abcdef0123");

	(void)state;
	assert_int_equal(encrypt_bytes(CKM_AES_CTS, aes, iv16, 0, 15), CKR_DATA_LEN_RANGE);
	assert_int_equal(encrypt_bytes(CKM_AES_CTS, aes, iv16, 0, 16), CKR_OK);
	assert_int_equal(encrypt_bytes(CKM_AES_XTS, xts, iv16, 0, 15), CKR_DATA_LEN_RANGE);
	assert_int_equal(encrypt_bytes(CKM_AES_XTS, xts, iv16, 0, 17), CKR_OK);
	assert_int_equal(encrypt_bytes(CKM_AES_XTS, xts, iv8, 0, 16), CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(encrypt_bytes(CKM_AES_XTS, aes, iv16, 0, 16), CKR_KEY_TYPE_INCONSISTENT);
	assert_int_equal(encrypt_bytes(CKM_AES_CBC, xts, iv16, 0, 16), CKR_KEY_TYPE_INCONSISTENT);
	assert_int_equal(encrypt_bytes(CKM_AES_OFB, aes, iv8, 0, 16), CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(encrypt_bytes(CKM_DES3_CBC, des, iv16, 0, 16),
			 CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(encrypt_bytes(CKM_DES3_CBC, des, iv8, 0, 12), CKR_DATA_LEN_RANGE);
	assert_int_equal(encrypt_bytes(CKM_DES3_CBC, des, iv8, 0, 8), CKR_OK);
	key_put(aes);
	key_put(xts);
	key_put(des);
}

/* ChaCha20 with 32 bits of counter ends with it; with 64 bits it goes on. */
static void test_chacha_counter(void **state)
{
	static const char last[] = "ffffffff000000000000000000000000";
	struct key *key = secret_hex(
		CKK_CHACHA20, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");

	(void)state;
	assert_int_equal(encrypt_bytes(CKM_CHACHA20, key, last, 32, 64), CKR_OK);
	assert_int_equal(encrypt_bytes(CKM_CHACHA20, key, last, 32, 65), CKR_DATA_LEN_RANGE);
	assert_int_equal(encrypt_bytes(CKM_CHACHA20, key, last, 64, 65), CKR_OK);
	assert_int_equal(encrypt_bytes(CKM_CHACHA20, key, last, 96, 64),
			 CKR_MECHANISM_PARAM_INVALID);
	assert_int_equal(encrypt_bytes(CKM_CHACHA20, key, "00", 32, 64),
			 CKR_MECHANISM_PARAM_INVALID);
	key_put(key);
}

static CK_RV import_hex(uint64_t type, const char *hex)
{
	struct attributes attributes = { 0 };
	uint8_t data[128];
	size_t length = from_hex(hex, data, sizeof(data));
	CK_RV rv;

	set_head(&attributes, CKO_SECRET_KEY, type);
	attributes_set(&attributes, CKA_VALUE, data, length);
	rv = mech_import(&attributes);
	attributes_free(&attributes);
	return rv;
}

static void test_values(void **state)
{
	(void)state;
	assert_int_equal(import_hex(CKK_DES3, "0123456789abcdef23456789abcdef01456789abcdef0123"),
			 CKR_OK);
	/* parity; two like keys; lengths; halves of an XTS key */
	assert_int_equal(import_hex(CKK_DES3, "0023456789abcdef23456789abcdef01456789abcdef0123"),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(import_hex(CKK_DES3, "0123456789abcdef0123456789abcdef456789abcdef0123"),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(import_hex(CKK_DES2, "0123456789abcdef0123456789abcdef"),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(import_hex(CKK_DES2, "0123456789abcdef23456789abcdef01"), CKR_OK);
	assert_int_equal(import_hex(CKK_DES3, "0123456789abcdef23456789abcdef01"),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(import_hex(CKK_CHACHA20, "000102030405060708090a0b0c0d0e0f"),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(
		import_hex(CKK_AES_XTS,
			   "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"),
		CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(import_hex(CKK_CAMELLIA, "000102030405060708090a0b0c0d0e0f10"),
			 CKR_ATTRIBUTE_VALUE_INVALID);
}

/* Check values are made with the key's own cipher: 3DES of the key and plaintext of zeroes (SP 800-67), not its SHA-1. */
static void test_check_value(void **state)
{
	struct key *key = secret_hex(CKK_DES3, "0123456789abcdef23456789abcdef01456789abcdef0123");
	uint8_t out[8];
	size_t n = sizeof(out);
	struct call call;

	(void)state;
	assert_int_equal(run(MECH_ENCRYPT, call_plain(&call, CKM_DES3_ECB), key,
			     (const uint8_t[8]){ 0 }, 8, out, &n),
			 CKR_OK);
	assert_memory_equal(attributes_find(&key->attributes, CKA_CHECK_VALUE)->value, out, 3);
	key_put(key);
}

static void test_gmac_parameters(void **state)
{
	struct key *key = secret_hex(CKK_AES, "000102030405060708090a0b0c0d0e0f");
	uint8_t out[16];
	size_t n = sizeof(out);
	struct call call;

	(void)state;
	call_start(&call, CKM_AES_GMAC);
	put_hex(&call, HSM_FIELD_IV, "000102030405060708090a0b");
	hsm_put_u64(&call.writer, HSM_FIELD_TAG_BITS, 72);
	assert_int_equal(run(MECH_SIGN, call_end(&call), key, "a", 1, out, &n),
			 CKR_MECHANISM_PARAM_INVALID);
	call_start(&call, CKM_AES_GMAC);
	hsm_put_u64(&call.writer, HSM_FIELD_TAG_BITS, 128);
	assert_int_equal(run(MECH_SIGN, call_end(&call), key, "a", 1, out, &n),
			 CKR_MECHANISM_PARAM_INVALID);
	call_start(&call, CKM_AES_GMAC);
	put_hex(&call, HSM_FIELD_IV, "000102030405060708090a0b");
	put_hex(&call, HSM_FIELD_AAD, "00");
	hsm_put_u64(&call.writer, HSM_FIELD_TAG_BITS, 128);
	assert_int_equal(run(MECH_SIGN, call_end(&call), key, "a", 1, out, &n),
			 CKR_MECHANISM_PARAM_INVALID);
	key_put(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ciphers),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_cbc_mac_fill),
		cmocka_unit_test(test_composed_hmac_long_key),
		cmocka_unit_test(test_blake2b),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_chacha_counter),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_check_value),
		cmocka_unit_test(test_gmac_parameters),
	};

	return cmocka_run_group_tests(tests, library_start, library_stop);
}
