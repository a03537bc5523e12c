// SPDX-License-Identifier: Apache-2.0
/*
 * SP 800-108, in its three modes: known answers, whose source stands with them, and what must be refused.
 */
#include "derive_testing.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counter_mode),
		cmocka_unit_test(test_parts_of_the_input),
		cmocka_unit_test(test_several_keys),
		cmocka_unit_test(test_feedback_mode),
		cmocka_unit_test(test_double_pipeline_mode),
		cmocka_unit_test(test_length_field),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_counter_width),
		cmocka_unit_test(test_key_in_input),
	};

	return cmocka_run_group_tests(tests, library_start, library_stop);
}
