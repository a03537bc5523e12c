// SPDX-License-Identifier: Apache-2.0
/*
 * Derivations, passwords and one-time passwords through the module: parameters that are structures with pointers, and
 * results that come back in them. What the values must be is in tests/unit/firmware/test_mech_derive.c and test_mech_otp.c.
 */
#include "fixture.h"

static CK_OBJECT_HANDLE readable_base(CK_SESSION_HANDLE s, CK_ULONG length)
{
	static CK_BYTE value[64] =
		"a base key of a good length, which all that is here begins with";
	static CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	static CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_VALUE, value, length },
		{ CKA_DERIVE, &yes, 1 },
		{ CKA_SENSITIVE, &no, 1 },
		{ CKA_EXTRACTABLE, &yes, 1 },
	};
	CK_OBJECT_HANDLE key;

	OK(p->C_CreateObject(s, template, 6, &key));
	return key;
}

static void further_keys(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_SP800_108_COUNTER_FORMAT counter = { CK_FALSE, 8 };
	CK_PRF_DATA_PARAM parts[] = {
		{ CK_SP800_108_ITERATION_VARIABLE, &counter, sizeof(counter) },
		{ CK_SP800_108_BYTE_ARRAY, (CK_BYTE *)"label", 5 },
	};
	CK_ULONG length = 32;
	CK_ATTRIBUTE template[] = { { CKA_VALUE_LEN, &length, sizeof(length) } };
	CK_OBJECT_HANDLE base, key, further[2] = { 0 };
	CK_DERIVED_KEY more[] = { { template, 1, &further[0] }, { template, 1, &further[1] } };
	CK_SP800_108_KDF_PARAMS params = { CKM_SHA256_HMAC, 2, parts, 2, more };
	CK_MECHANISM mechanism = { CKM_SP800_108_COUNTER_KDF, &params, sizeof(params) };
	CK_BYTE one[32], two[32];

	(void)state;
	base = readable_base(s, 32);
	OK(p->C_DeriveKey(s, &mechanism, base, template, 1, &key));
	assert_true(further[0] && further[1] && further[0] != further[1]);
	assert_int_equal(get(s, further[0], CKA_VALUE, one, 32), 32);
	assert_int_equal(get(s, further[1], CKA_VALUE, two, 32), 32);
	assert_memory_not_equal(one, two, 32);
	more[1].phKey = NULL;
	RV(p->C_DeriveKey(s, &mechanism, base, template, 1, &key), CKR_MECHANISM_PARAM_INVALID);
	params.ulAdditionalDerivedKeys = 0;
	parts[1].pValue = NULL;
	RV(p->C_DeriveKey(s, &mechanism, base, template, 1, &key), CKR_MECHANISM_PARAM_INVALID);
}

static void tls_keys(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_BYTE client[4] = { 0 }, server[4] = { 0 };
	CK_SSL3_KEY_MAT_OUT out = { 1, 1, 1, 1, client, server };
	CK_TLS12_KEY_MAT_PARAMS params = {
		0,    128,	  32, CK_FALSE, { (CK_BYTE *)"client", 6, (CK_BYTE *)"server", 6 },
		&out, CKM_SHA256,
	};
	CK_MECHANISM mechanism = { CKM_TLS12_KEY_AND_MAC_DERIVE, &params, sizeof(params) };
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE template[] = { { CKA_KEY_TYPE, &type, sizeof(type) } };
	CK_OBJECT_HANDLE base;

	(void)state;
	base = readable_base(s, 48);
	OK(p->C_DeriveKey(s, &mechanism, base, template, 1, NULL));
	assert_int_equal(out.hClientMacSecret, CK_INVALID_HANDLE);
	assert_int_not_equal(out.hClientKey, CK_INVALID_HANDLE);
	assert_int_not_equal(out.hServerKey, out.hClientKey);
	assert_memory_not_equal(client, server, 4);
	out.pIVClient = NULL;
	RV(p->C_DeriveKey(s, &mechanism, base, template, 1, NULL), CKR_MECHANISM_PARAM_INVALID);
	mechanism.mechanism = CKM_TLS12_KEY_SAFE_DERIVE;
	OK(p->C_DeriveKey(s, &mechanism, base, template, 1, NULL));
	params.pReturnedKeyMaterial = NULL;
	RV(p->C_DeriveKey(s, &mechanism, base, template, 1, NULL), CKR_MECHANISM_PARAM_INVALID);
}

static void from_a_password(void **state)
{
	static const CK_BYTE wanted[] = { 0xea, 0x6c, 0x01, 0x4d, 0xc7, 0x2d, 0x6f,
					  0x8c, 0xcd, 0x1e, 0xd9, 0x2a, 0xce, 0x1d,
					  0x41, 0xf0, 0xd8, 0xde, 0x89, 0x57 }; /* RFC 6070 */
	CK_SESSION_HANDLE s = user_session();
	CK_PKCS5_PBKD2_PARAMS2 params = {
		CKZ_SALT_SPECIFIED,    "salt", 4, 2, CKP_PKCS5_PBKD2_HMAC_SHA1, NULL, 0,
		(CK_BYTE *)"password", 8,
	};
	CK_MECHANISM mechanism = { CKM_PKCS5_PBKD2, &params, sizeof(params) };
	CK_ULONG password_length = 8, length = 20;
	CK_ATTRIBUTE template[] = { { CKA_VALUE_LEN, &length, sizeof(length) },
				    { CKA_SENSITIVE, &no, 1 },
				    { CKA_EXTRACTABLE, &yes, 1 } };
	CK_OBJECT_HANDLE key;
	CK_BYTE value[20];

	(void)state;
	OK(p->C_GenerateKey(s, &mechanism, template, 3, &key));
	assert_int_equal(get(s, key, CKA_VALUE, value, 20), 20);
	assert_memory_equal(value, wanted, 20);

	/* CK_PKCS5_PBKD2_PARAMS of older versions: the length's address stands in its place. */
	memset(value, 0, sizeof(value));
	params.ulPasswordLen = (CK_ULONG)&password_length;
	OK(p->C_GenerateKey(s, &mechanism, template, 3, &key));
	assert_int_equal(get(s, key, CKA_VALUE, value, 20), 20);
	assert_memory_equal(value, wanted, 20);
	password_length = 1UL << 20;
	RV(p->C_GenerateKey(s, &mechanism, template, 3, &key), CKR_MECHANISM_PARAM_INVALID);
}

static void one_time_passwords(void **state)
{
	static CK_OBJECT_CLASS class = CKO_OTP_KEY;
	static CK_KEY_TYPE type = CKK_HOTP;
	CK_SESSION_HANDLE s = user_session();
	CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof(class) },
				    { CKA_KEY_TYPE, &type, sizeof(type) },
				    { CKA_VALUE, "12345678901234567890", 20 },
				    { CKA_SIGN, &yes, 1 },
				    { CKA_VERIFY, &yes, 1 } };
	CK_BYTE counter[8] = { 0 };
	CK_OTP_PARAM given = { CK_OTP_COUNTER, counter, 8 };
	CK_OTP_PARAMS params = { &given, 1 };
	CK_MECHANISM own = { CKM_HOTP, NULL, 0 }, check = { CKM_HOTP, &params, sizeof(params) };
	union {
		CK_OTP_SIGNATURE_INFO info;
		CK_BYTE bytes[256];
	} out;
	CK_OBJECT_HANDLE key;
	CK_ULONG length = 0;

	(void)state;
	OK(p->C_CreateObject(s, template, 5, &key));
	OK(p->C_SignInit(s, &own, key));
	OK(p->C_Sign(s, NULL, 0, NULL, &length));
	assert_true(length > sizeof(CK_OTP_SIGNATURE_INFO) && length <= sizeof(out));
	length--;
	RV(p->C_Sign(s, NULL, 0, out.bytes, &length), CKR_BUFFER_TOO_SMALL);
	OK(p->C_Sign(s, NULL, 0, out.bytes, &length));
	assert_int_equal(out.info.ulCount, 1);
	assert_int_equal(out.info.pParams[0].type, CK_OTP_VALUE);
	assert_int_equal(out.info.pParams[0].ulValueLen, 6);
	assert_memory_equal(out.info.pParams[0].pValue, "755224", 6); /* RFC 4226, D */
	/* In parts, of which there are none: the next one */
	OK(p->C_SignInit(s, &own, key));
	length = sizeof(out);
	OK(p->C_SignFinal(s, out.bytes, &length));
	assert_int_equal(out.info.ulCount, 1);
	assert_int_equal(out.info.pParams[0].ulValueLen, 6);
	assert_memory_equal(out.info.pParams[0].pValue, "287082", 6);
	OK(p->C_VerifyInit(s, &check, key));
	OK(p->C_Verify(s, NULL, 0, (CK_BYTE *)"755224", 6));
	OK(p->C_VerifyInit(s, &check, key));
	RV(p->C_Verify(s, NULL, 0, (CK_BYTE *)"287082", 6), CKR_SIGNATURE_INVALID);
	RV(p->C_VerifyInit(s, &own, key), CKR_MECHANISM_PARAM_INVALID);
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(further_keys),
		TEST(tls_keys),
		TEST(from_a_password),
		TEST(one_time_passwords),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
