// SPDX-License-Identifier: Apache-2.0
/*
 * Derivations: known answers of each mechanism, whose source stands with it, and what each must refuse. The rules on keys
 * that come in and out (sensitive, extractable, allowed mechanisms) are in test_attacks_derive.c.
 */
#include "mech_testing.h"

struct bytes {
	uint8_t data[1024];
	size_t length;
};

static struct bytes hex(const char *text)
{
	struct bytes bytes;

	bytes.length = from_hex(text, bytes.data, sizeof(bytes.data));
	return bytes;
}

static void put_hex(struct call *call, enum hsm_field_tag tag, const char *text)
{
	struct bytes bytes = hex(text);

	hsm_put_bytes(&call->writer, tag, bytes.data, bytes.length);
}

static struct key *secret_hex(uint64_t type, const char *text)
{
	struct bytes bytes = hex(text);

	return secret_key(type, bytes.data, bytes.length);
}

/* A key to be: @length 0: the template says nothing of it */
static void wish(struct attributes *key, uint64_t type, size_t length)
{
	*key = (struct attributes){ 0 };
	set_head(key, CKO_SECRET_KEY, type);
	if (length)
		assert_int_equal(attributes_set_ulong(key, CKA_VALUE_LEN, length), CKR_OK);
}

static void assert_value(const struct attributes *key, const char *text)
{
	const struct attribute *value = attributes_find(key, CKA_VALUE);
	struct bytes wanted = hex(text);

	assert_non_null(value);
	assert_int_equal(value->length, wanted.length);
	assert_memory_equal(value->value, wanted.data, wanted.length);
}

/* Derive a generic secret and compare */
static void expect(struct call *call, struct key *base, const char *value)
{
	struct attributes key;
	const struct mechanism *mechanism = call_end(call);

	print_message("# %s\n", mechanism->info->name);
	wish(&key, CKK_GENERIC_SECRET, hex(value).length);
	assert_int_equal(mech_derive(mechanism, base, &key), CKR_OK);
	assert_value(&key, value);
	attributes_free(&key);
}

static CK_RV attempt(struct call *call, struct key *base, uint64_t type, size_t length)
{
	struct attributes key;
	CK_RV rv;

	wish(&key, type, length);
	rv = mech_derive(call_end(call), base, &key);
	attributes_free(&key);
	return rv;
}

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

/* ---- SP 800-108 ---- */

static size_t record(uint8_t *at, uint32_t type, const void *data, size_t length)
{
	struct hsm_record head = { htole32(type), htole32((uint32_t)length) };

	memcpy(at, &head, sizeof(head));
	if (length)
		memcpy(at + sizeof(head), data, length);
	return sizeof(head) + length;
}

static size_t record_hex(uint8_t *at, const char *text)
{
	struct bytes bytes = hex(text);

	return record(at, CK_SP800_108_BYTE_ARRAY, bytes.data, bytes.length);
}

static size_t record_number(uint8_t *at, uint32_t type, uint32_t method, uint32_t little,
			    uint32_t bits)
{
	struct hsm_number_form form = { htole32(method), htole32(little), htole32(bits) };

	return record(at, type, &form, sizeof(form));
}

static void kdf_start(struct call *call, uint64_t mechanism, uint64_t prf, const uint8_t *data,
		      size_t length)
{
	call_start(call, mechanism);
	hsm_put_u64(&call->writer, HSM_FIELD_PRF, prf);
	hsm_put_bytes(&call->writer, HSM_FIELD_PRF_DATA, data, length);
}

/* CAVP, KBKDF in counter mode: the counter before, in the middle of and after the fixed input */
static void test_counter_mode(void **state)
{
	uint8_t data[256];
	struct call call;
	struct key *base;
	size_t n;

	(void)state;
	base = secret_hex(CKK_GENERIC_SECRET,
			  "3edc6b5b8f7aadbd713732b482b8f979286e1ea3b8f8f99c30c884cfe3349b83");
	n = record_number(data, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 8);
	n += record_hex(data + n, "98e9988bb4cc8b34d7922e1c68ad692ba2a1d9ae15149571675f17a77ad49e80"
				  "c8d2a85e831a26445b1f0ff44d7084a17206b4896c8112daad18605a");
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, data, n);
	expect(&call, base, "6c037652990674a07844732d0ad985f9");
	key_put(base);

	base = secret_hex(CKK_SHA512_HMAC,
			  "7b7ed39b91cdbc0c0b3cfed4830a1c5b47971c80054d3c82b75a98e98ac06adf"
			  "86307afdeb15a7d83d896cc8dc0c0f8d7eb450ba31f4c12ec6fb131778cc2dc0");
	n = record_hex(data, "e4e853508f5b07a1c8e7033d0d683affdac3b7cd5931c53933b49bd30ec149300735"
			     "cfc34a307dcb609a26c9378e8f75bc5f");
	n += record_number(data + n, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 8);
	n += record_hex(data + n, "689823dbc6bf6d3c097b");
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA512_HMAC, data, n);
	expect(&call, base, "d0ad633ce6ad0d4ed5ab9247177de926");
	key_put(base);

	base = secret_hex(CKK_AES, "dff1e50ac0b69dc40f1051d46c2b069c");
	n = record_number(data, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 8);
	n += record_hex(data + n, "c16e6e02c5a3dcc8d78b9ac1306877761310455b4e41469951d9e6c2245a064b"
				  "33fd8c3b01203a7824485bf0a64060c4648b707d2607935699316ea5");
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_AES_CMAC, data, n);
	expect(&call, base, "8be8f0869b3c0ba97b71863d1b9f7813");
	/* The function's key must be of its type. */
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, data, n);
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 16), CKR_KEY_TYPE_INCONSISTENT);
	key_put(base);
}

/* As many parts as the document says, and one more */
static void test_parts_of_the_input(void **state)
{
	struct key *base = secret_hex(CKK_GENERIC_SECRET, "3edc6b5b8f7aadbd713732b482b8f979");
	uint8_t data[512];
	struct call call;
	size_t n;
	int i;

	(void)state;
	n = record_number(data, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 8);
	for (i = 1; i < 32; i++)
		n += record_hex(data + n, "01");
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, data, n);
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 16), CKR_OK);
	n += record_hex(data + n, "01");
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, data, n);
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 16), CKR_MECHANISM_PARAM_INVALID);
	key_put(base);
}

/* CAVP, counter mode, the counter after the input, a vector of two segments: two keys, and each has a segment of its own. */
static void test_several_keys(void **state)
{
	struct key *base = secret_hex(CKK_AES, "23eb065be127a881e35a6514d435679f");
	struct attributes keys[2];
	struct mech_derived derived = { .keys = keys, .count = 2 };
	uint8_t data[256];
	struct call call;
	size_t n;

	(void)state;
	n = record_hex(data, "e679861a613465a673853726"
			     "71b107e6b895a2f64043c934ff4256a7e63cfb8bfacc2124251c90fa670d45745c1c"
			     "35da9b6e05af77ea9c4ad486fd1a");
	n += record_number(data + n, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 8);
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_AES_CMAC, data, n);
	call_end(&call);
	wish(&keys[0], CKK_GENERIC_SECRET, 16);
	wish(&keys[1], CKK_AES, 16);
	assert_int_equal(mech_derive_all(&call.mechanism, base, &derived), CKR_OK);
	assert_value(&keys[0], "ea4ebbb4efff4b01684012ed8ff9c64e");
	assert_value(&keys[1], "70ae38197c36445a6c804a0e44819ac3");
	attributes_free(&keys[0]);
	attributes_free(&keys[1]);
	/* A first key of 15 bytes leaves the second one as it was. */
	wish(&keys[0], CKK_GENERIC_SECRET, 15);
	wish(&keys[1], CKK_AES, 16);
	assert_int_equal(mech_derive_all(&call.mechanism, base, &derived), CKR_OK);
	assert_value(&keys[0], "ea4ebbb4efff4b01684012ed8ff9c6");
	assert_value(&keys[1], "70ae38197c36445a6c804a0e44819ac3");
	attributes_free(&keys[0]);
	attributes_free(&keys[1]);
	/* One that is too short spoils all. */
	wish(&keys[0], CKK_GENERIC_SECRET, 16);
	wish(&keys[1], CKK_GENERIC_SECRET, MECH_DERIVED_MIN - 1);
	assert_int_equal(mech_derive_all(&call.mechanism, base, &derived),
			 CKR_ATTRIBUTE_VALUE_INVALID);
	attributes_free(&keys[0]);
	attributes_free(&keys[1]);
	key_put(base);
}

/* CAVP, KBKDF in feedback mode, HMAC-SHA256, a counter of 32 bits after the iteration variable */
static void test_feedback_mode(void **state)
{
	struct key *base =
		secret_hex(CKK_GENERIC_SECRET,
			   "93f698e842eed75394d629d957e2e89c6e741f810b623c8b901e38376d068e7b");
	uint8_t data[256];
	struct call call;
	size_t n;

	(void)state;
	n = record(data, CK_SP800_108_ITERATION_VARIABLE, NULL, 0);
	n += record_number(data + n, CK_SP800_108_COUNTER, 0, 0, 32);
	n += record_hex(data + n,
			"53b89c18690e2057a1d167822e636de50be0018532c431f7f5e37f77139220d5e0"
			"42599ebe266af5767ee18cd2c5c19a1f0f80");
	kdf_start(&call, CKM_SP800_108_FEEDBACK_KDF, CKM_SHA256_HMAC, data, n);
	put_hex(&call, HSM_FIELD_SEED,
		"9f575d9059d3e0c0803f08112f8a806de3c3471912cdf42b095388b14b33508e");
	expect(&call, base,
	       "bd1476f43a4e315747cf5918e0ea5bc0d98769457477c3ab18b742def0e079a9"
	       "33b756365afb5541f253fee43c6fd788a44041038509e9eeb68f7d65ffbb5f95");
	key_put(base);
}

/* CAVP, KBKDF in double pipeline mode, HMAC-SHA256, a counter of 32 bits after the iteration variable */
static void test_double_pipeline_mode(void **state)
{
	struct key *base =
		secret_hex(CKK_GENERIC_SECRET,
			   "02d36fa021c20ddbdee469f0579468bae5cb13b548b6c61cdf9d3ec419111de2");
	uint8_t data[256];
	struct call call;
	size_t n;

	(void)state;
	n = record(data, CK_SP800_108_ITERATION_VARIABLE, NULL, 0);
	n += record_number(data + n, CK_SP800_108_COUNTER, 0, 0, 32);
	n += record_hex(data + n,
			"85abe38bf265fbdc6445ae5c71159f1548c73b7d526a623104904a0f8792070b3d"
			"f9902b9669490425a385eadb0f9c76e46f0f");
	kdf_start(&call, CKM_SP800_108_DOUBLE_PIPELINE_KDF, CKM_SHA256_HMAC, data, n);
	expect(&call, base,
	       "d69f74f518c9f64f90a0beebab69f689b73b5c13eb0f860a95cad7d9814f8c50"
	       "6eb7b179a5c5b4466a9ec154c3bf1c13efd6ec0d82b02c29af2c690299edc453");
	/* Without a counter, by hand: A(1) = PRF(input), K(1) = PRF(A(1) | input) */
	n = record(data, CK_SP800_108_ITERATION_VARIABLE, NULL, 0);
	n += record_hex(data + n, "00");
	kdf_start(&call, CKM_SP800_108_DOUBLE_PIPELINE_KDF, CKM_SHA256_HMAC, data, n);
	expect(&call, base,
	       "8e883302255cda8b20726b6fff057d923e351cf5fe756f440d4c14ad296eb65d"
	       "8b0fcdaafa7fc52de2f72bdc96c2f90b9cbd822c2d0665b43505c6dd4c1917d9");
	key_put(base);
}

/* The length as part of the input, in both ways of counting it: by two keys with one and the same input, spelled out */
static void test_length_field(void **state)
{
	struct key *base =
		secret_hex(CKK_GENERIC_SECRET,
			   "02d36fa021c20ddbdee469f0579468bae5cb13b548b6c61cdf9d3ec419111de2");
	static const struct {
		uint32_t method;
		uint32_t little;
		const char *spelled;
	} cases[] = {
		{ CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS, 0, "00000140" },
		{ CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS, 1, "40010000" },
		{ CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS, 0, "00000200" },
	};
	struct attributes one, two;
	uint8_t data[64];
	struct call call;
	size_t n;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		wish(&one, CKK_GENERIC_SECRET, 40);
		wish(&two, CKK_GENERIC_SECRET, 40);
		n = record_number(data, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 16);
		n += record_number(data + n, CK_SP800_108_DKM_LENGTH, cases[i].method,
				   cases[i].little, 32);
		kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, data, n);
		assert_int_equal(mech_derive(call_end(&call), base, &one), CKR_OK);
		n = record_number(data, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 16);
		n += record_hex(data + n, cases[i].spelled);
		kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, data, n);
		assert_int_equal(mech_derive(call_end(&call), base, &two), CKR_OK);
		assert_memory_equal(attributes_find(&one, CKA_VALUE)->value,
				    attributes_find(&two, CKA_VALUE)->value, 40);
		attributes_free(&one);
		attributes_free(&two);
	}
	key_put(base);
}

static void test_bad_input(void **state)
{
	struct key *base = secret_hex(CKK_GENERIC_SECRET, "000102030405060708090a0b0c0d0e0f");
	uint8_t data[64];
	struct call call;
	size_t n;

	(void)state;
	/* no iteration variable; two of them; a counter where it is one; widths that do not exist; a cut record */
	n = record_hex(data, "00");
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, data, n);
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 16), CKR_MECHANISM_PARAM_INVALID);
	n = record_number(data, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 8);
	n += record_number(data + n, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 8);
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, data, n);
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 16), CKR_MECHANISM_PARAM_INVALID);
	n = record_number(data, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 8);
	n += record_number(data + n, CK_SP800_108_COUNTER, 0, 0, 8);
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, data, n);
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 16), CKR_MECHANISM_PARAM_INVALID);
	for (uint32_t bits = 0; bits <= 72; bits += bits ? 31 : 7) {
		n = record_number(data, CK_SP800_108_ITERATION_VARIABLE, 0, 0, bits);
		kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, data, n);
		assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 16),
				 CKR_MECHANISM_PARAM_INVALID);
	}
	n = record_number(data, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 8);
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, data, n - 1);
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 16), CKR_MECHANISM_PARAM_INVALID);
	/* A function that is none, one with a parameter; a counter that would come round */
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256, data, n);
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 16), CKR_MECHANISM_PARAM_INVALID);
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC_GENERAL, data, n);
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 16), CKR_MECHANISM_PARAM_INVALID);
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA_1_HMAC, data, n);
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 4096), CKR_OK);
	n = record(data, CK_SP800_108_KEY_HANDLE, "12345678", 8);
	n += record_number(data + n, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 8);
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, data, n);
	assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 16), CKR_MECHANISM_PARAM_INVALID);
	key_put(base);
}

/* 17 keys of 16 blocks of CMAC each are more than 255 iterations. */
static void test_counter_width(void **state)
{
	struct key *base = secret_hex(CKK_AES, "000102030405060708090a0b0c0d0e0f");
	struct attributes keys[2];
	struct mech_derived derived = { .keys = keys, .count = 2 };
	uint8_t data[64];
	struct call call;
	size_t n;

	(void)state;
	for (int i = 0; i < 2; i++) {
		wish(&keys[0], CKK_GENERIC_SECRET, 4080 - 16 + 16 * (size_t)i);
		wish(&keys[1], CKK_GENERIC_SECRET, 16);
		n = record_number(data, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 8);
		kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_AES_CMAC, data, n);
		assert_int_equal(mech_derive_all(call_end(&call), base, &derived),
				 i ? CKR_KEY_SIZE_RANGE : CKR_OK);
		attributes_free(&keys[0]);
		attributes_free(&keys[1]);
	}
	key_put(base);
}

/* Another key as part of the input, which the caller of the mechanism has looked up */
static void test_key_in_input(void **state)
{
	struct key *base = secret_hex(CKK_GENERIC_SECRET, "000102030405060708090a0b0c0d0e0f");
	struct key *other = secret_hex(CKK_GENERIC_SECRET, "a0a1a2a3");
	struct attributes one, two;
	uint64_t handles[MECH_OTHER_KEYS];
	unsigned int count;
	uint8_t data[64];
	struct call call;
	size_t n;

	(void)state;
	wish(&one, CKK_GENERIC_SECRET, 32);
	wish(&two, CKK_GENERIC_SECRET, 32);
	n = record_number(data, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 8);
	n += record(data + n, CK_SP800_108_KEY_HANDLE, "\x05\0\0\0\0\0\0\0", 8);
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, data, n);
	call_end(&call);
	assert_int_equal(mech_other_handles(&call.fields, handles, &count), CKR_OK);
	assert_int_equal(count, 1);
	assert_int_equal(handles[0], 5);
	call.mechanism.other[0] = &other->attributes;
	call.mechanism.others = 1;
	assert_int_equal(mech_derive(&call.mechanism, base, &one), CKR_OK);
	n = record_number(data, CK_SP800_108_ITERATION_VARIABLE, 0, 0, 8);
	n += record_hex(data + n, "a0a1a2a3");
	kdf_start(&call, CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, data, n);
	assert_int_equal(mech_derive(call_end(&call), base, &two), CKR_OK);
	assert_memory_equal(attributes_find(&one, CKA_VALUE)->value,
			    attributes_find(&two, CKA_VALUE)->value, 32);
	attributes_free(&one);
	attributes_free(&two);
	key_put(base);
	key_put(other);
}

/* ---- TLS 1.2 ---- */

#define PREMASTER                                                          \
	"f8938ecc9edebc5030c0c6a441e213cd24e6f770a50dda07876f8d55da062bca" \
	"db386b411fd4fe4313a604fce6c17fbc"
#define MASTER                                                             \
	"202c88c00f84a17a20027079604787461176455539e705be730890602c289a50" \
	"01e34eeb3a043e5d52a65e66125188bf"

static void tls_start(struct call *call, uint64_t mechanism, const char *client, const char *server)
{
	call_start(call, mechanism);
	put_hex(call, HSM_FIELD_SEED, client);
	if (server)
		put_hex(call, HSM_FIELD_OTHER_SEED, server);
	hsm_put_u64(&call->writer, HSM_FIELD_PRF, CKM_SHA256);
}

/* CAVP, TLS 1.2 with SHA-256: the premaster secret there begins with no version, so that none comes out. */
static void test_tls_master(void **state)
{
	struct key *base = secret_hex(CKK_GENERIC_SECRET, PREMASTER);
	struct attributes key;
	struct mech_derived derived = { .keys = &key, .count = 1 };
	struct call call;

	(void)state;
	for (int dh = 0; dh < 2; dh++) {
		tls_start(&call, dh ? CKM_TLS12_MASTER_KEY_DERIVE_DH : CKM_TLS12_MASTER_KEY_DERIVE,
			  "36c129d01a3200894b9179faac589d9835d58775f9b5ea3587cb8fd0364cae8c",
			  "f6c9575ed7ddd73e1f7d16eca115415812a43c2b747daaaae043abfb50053fce");
		wish(&key, CKK_GENERIC_SECRET, 0);
		assert_int_equal(mech_derive_all(call_end(&call), base, &derived), CKR_OK);
		assert_value(&key, MASTER);
		assert_int_equal(attributes_find(&key, CKA_ALLOWED_MECHANISMS)->length, 6 * 8);
		assert_int_equal(derived.version[0], 0);
		attributes_free(&key);
	}
	wish(&key, CKK_GENERIC_SECRET, 47);
	assert_int_equal(mech_derive_all(&call.mechanism, base, &derived),
			 CKR_TEMPLATE_INCONSISTENT);
	attributes_free(&key);
	wish(&key, CKK_GENERIC_SECRET, 48);
	attributes_set(&key, CKA_ALLOWED_MECHANISMS, "\x31\x02\0\0\0\0\0\0", 8);
	assert_int_equal(mech_derive_all(&call.mechanism, base, &derived),
			 CKR_TEMPLATE_INCONSISTENT);
	attributes_free(&key);
	key_put(base);
}

static void test_tls_version(void **state)
{
	struct key *base =
		secret_hex(CKK_GENERIC_SECRET,
			   "0303000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e"
			   "1f202122232425262728292a2b2c2d");
	struct attributes key;
	struct mech_derived derived = { .keys = &key, .count = 1 };
	struct call call;

	(void)state;
	tls_start(&call, CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE, "aabb", NULL);
	wish(&key, CKK_GENERIC_SECRET, 0);
	assert_int_equal(mech_derive_all(call_end(&call), base, &derived), CKR_OK);
	assert_int_equal(derived.version[0], 3);
	assert_int_equal(derived.version[1], 3);
	attributes_free(&key);
	memset(derived.version, 0, 2);
	tls_start(&call, CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH, "aabb", NULL);
	wish(&key, CKK_GENERIC_SECRET, 0);
	assert_int_equal(mech_derive_all(call_end(&call), base, &derived), CKR_OK);
	assert_int_equal(derived.version[0], 0);
	attributes_free(&key);
	key_put(base);
}

/* RFC 7627: the label and the session's hash */
static void test_tls_extended(void **state)
{
	struct key *base = secret_hex(CKK_GENERIC_SECRET, PREMASTER);
	struct attributes one, two;
	struct call call;

	(void)state;
	wish(&one, CKK_GENERIC_SECRET, 0);
	wish(&two, CKK_GENERIC_SECRET, 48);
	tls_start(&call, CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE, "00112233445566778899aabbccddeeff",
		  NULL);
	assert_int_equal(mech_derive(call_end(&call), base, &one), CKR_OK);
	/* The same by the exporter, which takes any label */
	tls_start(&call, CKM_TLS_KDF, "0011223344556677", "8899aabbccddeeff");
	hsm_put_bytes(&call.writer, HSM_FIELD_PRF_LABEL, "extended master secret", 22);
	assert_int_equal(mech_derive(call_end(&call), base, &two), CKR_OK);
	assert_memory_equal(attributes_find(&one, CKA_VALUE)->value,
			    attributes_find(&two, CKA_VALUE)->value, 48);
	attributes_free(&one);
	attributes_free(&two);
	key_put(base);
}

/* CAVP, the key block of that master secret: 128 bytes, here as MAC keys, keys and IVs */
static void test_tls_keys(void **state)
{
	struct key *base = secret_hex(CKK_GENERIC_SECRET, MASTER);
	struct attributes keys[4];
	struct mech_derived derived = { .keys = keys, .count = 4 };
	struct bytes iv = hex("0be68985add6c38445ad9f8c64bf8068bf9a6679485d966f1ad6f68b43495b10");
	struct mech_tls_keys wanted;
	struct call call;

	(void)state;
	for (int safe = 0; safe < 2; safe++) {
		tls_start(&call, safe ? CKM_TLS12_KEY_SAFE_DERIVE : CKM_TLS12_KEY_AND_MAC_DERIVE,
			  "62e1fd91f23f558a605f28478c58cf72637b89784d959df7e946d3f07bd1b616",
			  "ae6c806f8ad4d80784549dff28a4b58fd837681a51d928c3e30ee5ff14f39868");
		hsm_put_u64(&call.writer, HSM_FIELD_MAC_BITS, 160);
		hsm_put_u64(&call.writer, HSM_FIELD_KEY_BITS, 128);
		hsm_put_u64(&call.writer, HSM_FIELD_IV_BITS, 128);
		call_end(&call);
		for (int i = 0; i < 4; i++)
			wish(&keys[i], i < 2 ? CKK_GENERIC_SECRET : CKK_AES, 0);
		assert_int_equal(mech_tls_keys(&call.mechanism, &wanted), CKR_OK);
		assert_true(wanted.mac && wanted.key);
		assert_int_equal(mech_derive_all(&call.mechanism, base, &derived), CKR_OK);
		assert_value(&keys[0], "d06139889fffac1e3a71865f504aa5d0d2a2e895");
		assert_value(&keys[1], "06c6f2279b670c3e1b74f531016a2530c51a3a0f");
		assert_value(&keys[2], "7e1d6590d0f0566b2f387f8d11fd4f73");
		assert_value(&keys[3], "1cdd572d2eae927f6f2f81410b25e696");
		assert_int_equal(derived.iv_length, safe ? 0 : 32);
		if (!safe)
			assert_memory_equal(derived.iv, iv.data, 32);
		for (int i = 0; i < 4; i++)
			attributes_free(&keys[i]);
	}
	key_put(base);
}

static void test_tls_key_parameters(void **state)
{
	static const struct {
		uint64_t mac, key, iv;
	} bad[] = {
		{ 0, 0, 0 },	  { 0, 0, 128 },    { 160, 0, 128 },  { 8, 128, 0 },
		{ 160, 8, 0 },	  { 161, 128, 0 },  { 160, 132, 0 },  { 160, 128, 136 },
		{ 1024, 128, 0 }, { 160, 1024, 0 }, { 160, 128, 33 }, { UINT64_MAX, 128, 0 },
	};
	struct key *base = secret_hex(CKK_GENERIC_SECRET, MASTER);
	struct call call;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		tls_start(&call, CKM_TLS12_KEY_AND_MAC_DERIVE, "00", "01");
		hsm_put_u64(&call.writer, HSM_FIELD_MAC_BITS, bad[i].mac);
		hsm_put_u64(&call.writer, HSM_FIELD_KEY_BITS, bad[i].key);
		hsm_put_u64(&call.writer, HSM_FIELD_IV_BITS, bad[i].iv);
		assert_int_equal(attempt(&call, base, CKK_GENERIC_SECRET, 0),
				 CKR_MECHANISM_PARAM_INVALID);
	}
	key_put(base);
}

/* By the label of the key block the exporter gives CAVP's. */
static void test_tls_export(void **state)
{
	struct key *base = secret_hex(CKK_GENERIC_SECRET, MASTER);
	struct attributes one, two;
	struct key *short_key = secret_hex(CKK_GENERIC_SECRET, "9bbe436ba940f017b17652849a71db35");
	struct call call;

	(void)state;
	tls_start(&call, CKM_TLS_KDF, "a0ba9f936cda3118", "27a6f796ffd5198c");
	hsm_put_bytes(&call.writer, HSM_FIELD_PRF_LABEL, "test label", 10);
	assert_int_equal(attempt(&call, short_key, CKK_GENERIC_SECRET, 100), CKR_KEY_SIZE_RANGE);
	/* CAVP's key block again, by its label */
	tls_start(&call, CKM_TLS12_KDF,
		  "ae6c806f8ad4d80784549dff28a4b58fd837681a51d928c3e30ee5ff14f39868",
		  "62e1fd91f23f558a605f28478c58cf72637b89784d959df7e946d3f07bd1b616");
	hsm_put_bytes(&call.writer, HSM_FIELD_PRF_LABEL, "key expansion", 13);
	expect(&call, base,
	       "d06139889fffac1e3a71865f504aa5d0d2a2e89506c6f2279b670c3e1b74f531"
	       "016a2530c51a3a0f7e1d6590d0f0566b2f387f8d11fd4f731cdd572d2eae927f"
	       "6f2f81410b25e6960be68985add6c38445ad9f8c64bf8068bf9a6679485d966f"
	       "1ad6f68b43495b10a683755ea2b858d70ccac7ec8b053c6bd41ca299d4e51928");
	/* A context, also an empty one, makes another key (RFC 5705). */
	wish(&one, CKK_GENERIC_SECRET, 32);
	wish(&two, CKK_GENERIC_SECRET, 32);
	tls_start(&call, CKM_TLS_KDF, "00", "01");
	hsm_put_bytes(&call.writer, HSM_FIELD_PRF_LABEL, "EXPERIMENTAL", 12);
	assert_int_equal(mech_derive(call_end(&call), base, &one), CKR_OK);
	tls_start(&call, CKM_TLS_KDF, "00", "01");
	hsm_put_bytes(&call.writer, HSM_FIELD_PRF_LABEL, "EXPERIMENTAL", 12);
	hsm_put_bytes(&call.writer, HSM_FIELD_INFO, "", 0);
	assert_int_equal(mech_derive(call_end(&call), base, &two), CKR_OK);
	assert_memory_not_equal(attributes_find(&one, CKA_VALUE)->value,
				attributes_find(&two, CKA_VALUE)->value, 32);
	attributes_free(&one);
	attributes_free(&two);
	key_put(base);
	key_put(short_key);
}

/* Finished is the same function with another label: what the exporter gives for it */
static void test_tls_mac(void **state)
{
	struct key *base = secret_hex(CKK_GENERIC_SECRET, MASTER);
	struct attributes key;
	struct call call;

	(void)state;
	for (uint64_t side = 0; side <= 3; side++) {
		uint8_t mac[64], hash[32];
		size_t n = sizeof(mac);

		memset(hash, 0x5a, sizeof(hash));
		call_start(&call, side % 2 ? CKM_TLS_MAC : CKM_TLS12_MAC);
		hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA256);
		hsm_put_u64(&call.writer, HSM_FIELD_LENGTH, 14);
		hsm_put_u64(&call.writer, HSM_FIELD_NUMBER, side);
		assert_int_equal(run(MECH_SIGN, call_end(&call), base, hash, 32, mac, &n),
				 side == 1 || side == 2 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
		if (side != 1 && side != 2)
			continue;
		assert_int_equal(n, 14);
		assert_int_equal(run_verify(&call.mechanism, base, hash, 32, mac, 14), CKR_OK);
		hash[0] ^= 1;
		assert_int_equal(run_verify(&call.mechanism, base, hash, 32, mac, 14),
				 CKR_SIGNATURE_INVALID);
		hash[0] ^= 1;
		call_start(&call, CKM_TLS_KDF);
		hsm_put_bytes(&call.writer, HSM_FIELD_SEED, hash, 32);
		hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA256);
		hsm_put_bytes(&call.writer, HSM_FIELD_PRF_LABEL,
			      side == 1 ? "server finished" : "client finished", 15);
		wish(&key, CKK_GENERIC_SECRET, 14);
		assert_int_equal(mech_derive(call_end(&call), base, &key), CKR_OK);
		assert_memory_equal(attributes_find(&key, CKA_VALUE)->value, mac, 14);
		attributes_free(&key);
	}
	call_start(&call, CKM_TLS_MAC);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA256);
	hsm_put_u64(&call.writer, HSM_FIELD_LENGTH, 11);
	hsm_put_u64(&call.writer, HSM_FIELD_NUMBER, 1);
	assert_int_equal(run(MECH_SIGN, call_end(&call), base, "", 0, (uint8_t[16]){ 0 },
			     &(size_t){ 16 }),
			 CKR_MECHANISM_PARAM_INVALID);
	key_put(base);
}

/* ---- IKE ---- */

/* CAVP, IKEv2 with HMAC-SHA1 */
static void test_ike2(void **state)
{
	static const char ni[] = "32b50d5f4a3763f3", nr[] = "9206a04b26564cb1";
	static const char skeyseed[] = "a9a7b222b59f8f48645f28a1db5b5f5d7479cba7";
	struct key *shared =
		secret_hex(CKK_GENERIC_SECRET,
			   "4b2c1f971981a8ad8d0abeafabf38cf75fc8349c148142465ed9c8b516b8be52");
	struct key *shared_new =
		secret_hex(CKK_GENERIC_SECRET,
			   "863f3c9d06efd39d2b907b97f8699e5dd5251ef64a2a176f36ee40c87d4f9330");
	struct key *seed = secret_hex(CKK_SHA_1_HMAC, skeyseed);
	struct key *sk_d = secret_hex(CKK_SHA_1_HMAC, "a14293677cc80ff8f9cc0eee30d895da9d8f4056");
	struct call call;

	(void)state;
	call_start(&call, CKM_IKE_PRF_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA_1_HMAC);
	hsm_put_u64(&call.writer, HSM_FIELD_NUMBER, HSM_IKE_DATA_AS_KEY);
	put_hex(&call, HSM_FIELD_SEED, ni);
	put_hex(&call, HSM_FIELD_OTHER_SEED, nr);
	expect(&call, shared, skeyseed);
	assert_int_equal(attempt(&call, shared, CKK_GENERIC_SECRET, 19), CKR_KEY_SIZE_RANGE);
	assert_int_equal(attempt(&call, shared, CKK_GENERIC_SECRET, 21), CKR_KEY_SIZE_RANGE);
	assert_int_equal(attempt(&call, shared, CKK_SHA_1_HMAC, 0), CKR_OK);

	call_start(&call, CKM_IKE2_PRF_PLUS_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA_1_HMAC);
	put_hex(&call, HSM_FIELD_SHARED,
		"32b50d5f4a3763f39206a04b26564cb134c9e7c1888687853ff77d760d2b2199");
	expect(&call, seed,
	       "a14293677cc80ff8f9cc0eee30d895da9d8f405666e30ef0dfcb63c634a46002"
	       "a2a63080e514a062768b76606f9fa5e992204fc5a670bde3f10d6b027113936a"
	       "5c55b648a194ae587b0088d52204b702c979fa280870d2ed41efa9c549fd1119"
	       "8af1670b143d384bd275c5f594cf266b05ebadca855e4249520a441a81157435"
	       "a7a56cc4");
	assert_int_equal(attempt(&call, seed, CKK_GENERIC_SECRET, 0), CKR_TEMPLATE_INCOMPLETE);
	assert_int_equal(attempt(&call, seed, CKK_GENERIC_SECRET, 4096), CKR_OK);

	call_start(&call, CKM_IKE_PRF_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA_1_HMAC);
	hsm_put_u64(&call.writer, HSM_FIELD_NUMBER, HSM_IKE_REKEY);
	hsm_put_u64(&call.writer, HSM_FIELD_SECOND_KEY, 1);
	put_hex(&call, HSM_FIELD_SEED, ni);
	put_hex(&call, HSM_FIELD_OTHER_SEED, nr);
	call.mechanism.other[0] = &shared_new->attributes;
	call.mechanism.others = 1;
	expect(&call, sk_d, "63e81194946ebd05df7df5ebf5d8750056bf1f1d");
	/* Both flags at once; a rekey without the new key */
	call_start(&call, CKM_IKE_PRF_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA_1_HMAC);
	hsm_put_u64(&call.writer, HSM_FIELD_NUMBER, HSM_IKE_REKEY | HSM_IKE_DATA_AS_KEY);
	put_hex(&call, HSM_FIELD_SEED, ni);
	assert_int_equal(attempt(&call, shared, CKK_GENERIC_SECRET, 20),
			 CKR_MECHANISM_PARAM_INVALID);
	call_start(&call, CKM_IKE_PRF_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA_1_HMAC);
	hsm_put_u64(&call.writer, HSM_FIELD_NUMBER, HSM_IKE_REKEY);
	put_hex(&call, HSM_FIELD_SEED, ni);
	assert_int_equal(attempt(&call, sk_d, CKK_GENERIC_SECRET, 20), CKR_MECHANISM_PARAM_INVALID);
	key_put(shared);
	key_put(shared_new);
	key_put(seed);
	key_put(sk_d);
}

#define SKEYID_D "e1657d5ed060aa353846b7e13416025c6ae532025b2b2e4ec462e96647aed624"
#define SKEYID_A "68195b79b376fa081dffda51b7a6d33eb47adc27ed9115f38d5890d8f4a59a1f"
#define SKEYID_E "8864b579e170e453dc8e5da049f629db68a6f5e89469ba83536e490e52c024e9"

/* RFC 2409, 5 and appendix B, made with Python's hmac: key 00.. to 1f, g^xy 64.. to a3, cookies 00.. and 08.. */
static void test_ike1(void **state)
{
	struct key *skeyid =
		secret_hex(CKK_SHA256_HMAC,
			   "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
	struct key *skeyid_d = secret_hex(CKK_SHA256_HMAC, SKEYID_D);
	struct key *skeyid_a = secret_hex(CKK_SHA256_HMAC, SKEYID_A);
	struct key *skeyid_e = secret_hex(CKK_SHA256_HMAC, SKEYID_E);
	const char *made[] = { SKEYID_D, SKEYID_A, SKEYID_E };
	struct key *previous[] = { NULL, skeyid_d, skeyid_a };
	uint8_t value[64];
	struct key *gxy;
	struct call call;

	(void)state;
	for (int i = 0; i < 64; i++)
		value[i] = (uint8_t)(100 + i);
	gxy = secret_key(CKK_GENERIC_SECRET, value, sizeof(value));
	for (unsigned int i = 0; i < 3; i++) {
		call_start(&call, CKM_IKE1_PRF_DERIVE);
		hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA256_HMAC);
		hsm_put_u64(&call.writer, HSM_FIELD_NUMBER, i);
		hsm_put_u64(&call.writer, HSM_FIELD_SECOND_KEY, 1);
		put_hex(&call, HSM_FIELD_SEED, "0001020304050607");
		put_hex(&call, HSM_FIELD_OTHER_SEED, "08090a0b0c0d0e0f");
		call.mechanism.other[call.mechanism.others++] = &gxy->attributes;
		if (previous[i]) {
			hsm_put_u64(&call.writer, HSM_FIELD_THIRD_KEY, 2);
			call.mechanism.other[call.mechanism.others++] = &previous[i]->attributes;
		}
		expect(&call, skeyid, made[i]);
		assert_int_equal(attempt(&call, skeyid, CKK_GENERIC_SECRET, 33),
				 CKR_KEY_SIZE_RANGE);
	}
	call_start(&call, CKM_IKE1_EXTENDED_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA256_HMAC);
	expect(&call, skeyid_e,
	       "fab414c07984140b19f7be9bfae13559be1bdcc25b6856195a65d337cdd2537c"
	       "176a03eeaa08a634796dc4a2213a18e4");
	/* Where SKEYID_e is long enough the key is cut from it. */
	call_start(&call, CKM_IKE1_EXTENDED_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA256_HMAC);
	expect(&call, skeyid_e, "8864b579e170e453dc8e5da049f629db68a6f5e89469ba83");
	call_start(&call, CKM_IKE1_EXTENDED_DERIVE);
	hsm_put_u64(&call.writer, HSM_FIELD_PRF, CKM_SHA256_HMAC);
	hsm_put_u64(&call.writer, HSM_FIELD_SECOND_KEY, 1);
	put_hex(&call, HSM_FIELD_SHARED, "0301020304");
	call.mechanism.other[call.mechanism.others++] = &gxy->attributes;
	expect(&call, skeyid_d,
	       "a06a9909408f97da708471a2d9a891b9d54a8b796cfbf5b8f72c74b2039e0d7a"
	       "4ae7369f41e6bef9fe3bf54d694444be");
	key_put(skeyid);
	key_put(skeyid_d);
	key_put(skeyid_a);
	key_put(skeyid_e);
	key_put(gxy);
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
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_encrypt_data),
		cmocka_unit_test(test_counter_mode),
		cmocka_unit_test(test_parts_of_the_input),
		cmocka_unit_test(test_several_keys),
		cmocka_unit_test(test_feedback_mode),
		cmocka_unit_test(test_double_pipeline_mode),
		cmocka_unit_test(test_length_field),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_counter_width),
		cmocka_unit_test(test_key_in_input),
		cmocka_unit_test(test_tls_master),
		cmocka_unit_test(test_tls_version),
		cmocka_unit_test(test_tls_extended),
		cmocka_unit_test(test_tls_keys),
		cmocka_unit_test(test_tls_key_parameters),
		cmocka_unit_test(test_tls_export),
		cmocka_unit_test(test_tls_mac),
		cmocka_unit_test(test_ike2),
		cmocka_unit_test(test_ike1),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_pbkdf2),
		cmocka_unit_test(test_hkdf_data),
	};

	return cmocka_run_group_tests(tests, library_start, library_stop);
}
