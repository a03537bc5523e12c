// SPDX-License-Identifier: Apache-2.0
/*
 * The standard's convention for functions that return output of variable length (5.2), for each of
 * them: without a buffer the length, and nothing happens; with a buffer that is too small, the
 * length and CKR_BUFFER_TOO_SMALL, and the operation goes on; then the output, and the operation
 * has ended. And what ends an operation, and what does not.
 */
#include "../pkcs11/fixture.h"

static CK_SESSION_HANDLE s;
static CK_OBJECT_HANDLE aes, secret;
static CK_BYTE iv[16], text[48] = "a text of forty-eight bytes, three blocks of AES";
static CK_MECHANISM cbc = { CKM_AES_CBC_PAD, iv, sizeof(iv) }, sha = { CKM_SHA256, NULL, 0 };
static CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 };

/* One output function of an operation that has been started */
typedef CK_RV output_fn(CK_BYTE *out, CK_ULONG *length);

static CK_RV encrypt(CK_BYTE *out, CK_ULONG *length)
{
	return p->C_Encrypt(s, text, sizeof(text), out, length);
}

static CK_BYTE sealed[64];

static CK_RV decrypt(CK_BYTE *out, CK_ULONG *length)
{
	return p->C_Decrypt(s, sealed, sizeof(sealed), out, length);
}

static CK_RV digest(CK_BYTE *out, CK_ULONG *length)
{
	return p->C_Digest(s, text, sizeof(text), out, length);
}

static CK_RV digest_final(CK_BYTE *out, CK_ULONG *length)
{
	return p->C_DigestFinal(s, out, length);
}

static CK_RV sign(CK_BYTE *out, CK_ULONG *length)
{
	return p->C_Sign(s, text, sizeof(text), out, length);
}

static CK_RV sign_final(CK_BYTE *out, CK_ULONG *length)
{
	return p->C_SignFinal(s, out, length);
}

static CK_RV encrypt_final(CK_BYTE *out, CK_ULONG *length)
{
	return p->C_EncryptFinal(s, out, length);
}

/* The whole convention; @exact: the length asked for is that of the output, not a bound */
static void convention(output_fn *fn, CK_ULONG size, bool exact)
{
	CK_BYTE out[256];
	CK_ULONG length = 12345;

	OK(fn(NULL, &length));
	assert_true(exact ? length == size : length >= size);
	length = 1;
	memset(out, 0xee, sizeof(out));
	RV(fn(out, &length), CKR_BUFFER_TOO_SMALL);
	assert_true(length >= size);
	assert_int_equal(out[1], 0xee);
	length = sizeof(out);
	OK(fn(out, &length));
	assert_int_equal(length, size);
	length = sizeof(out);
	RV(fn(out, &length), CKR_OPERATION_NOT_INITIALIZED);
}

static void output_of_single_calls(void **state)
{
	CK_ULONG length = sizeof(sealed);

	(void)state;
	OK(p->C_EncryptInit(s, &cbc, aes));
	OK(p->C_Encrypt(s, text, sizeof(text), sealed, &length));
	assert_int_equal(length, sizeof(sealed));
	OK(p->C_EncryptInit(s, &cbc, aes));
	convention(encrypt, 64, true);
	OK(p->C_DecryptInit(s, &cbc, aes));
	convention(decrypt, 48, false);
	OK(p->C_DigestInit(s, &sha));
	convention(digest, 32, true);
	OK(p->C_SignInit(s, &hmac, secret));
	convention(sign, 32, true);
}

static void output_of_last_parts(void **state)
{
	CK_BYTE out[64];
	CK_ULONG length = sizeof(out);

	(void)state;
	OK(p->C_DigestInit(s, &sha));
	OK(p->C_DigestUpdate(s, text, sizeof(text)));
	convention(digest_final, 32, true);
	OK(p->C_SignInit(s, &hmac, secret));
	OK(p->C_SignUpdate(s, text, sizeof(text)));
	convention(sign_final, 32, true);
	OK(p->C_EncryptInit(s, &cbc, aes));
	OK(p->C_EncryptUpdate(s, text, 20, out, &length));
	assert_int_equal(length, 16);
	convention(encrypt_final, 16, false);
}

/* A single call does not finish what was begun in parts: it is refused, and as every failing call ends it. */
static void single_after_update(void **state)
{
	CK_BYTE out[64];
	CK_ULONG length = sizeof(out);

	(void)state;
	OK(p->C_DigestInit(s, &sha));
	OK(p->C_DigestUpdate(s, text, 1));
	RV(p->C_Digest(s, text, 1, out, &length), CKR_OPERATION_ACTIVE);
	RV(p->C_DigestFinal(s, out, &length), CKR_OPERATION_NOT_INITIALIZED);
}

/* A wrong signature ends the verification, and so does a good one. */
static void verification_ends(void **state)
{
	CK_BYTE mac[32], wrong[32] = { 0 };
	CK_ULONG length = sizeof(mac);

	(void)state;
	OK(p->C_SignInit(s, &hmac, secret));
	OK(p->C_Sign(s, text, sizeof(text), mac, &length));
	OK(p->C_VerifyInit(s, &hmac, secret));
	RV(p->C_Verify(s, text, sizeof(text), wrong, sizeof(wrong)), CKR_SIGNATURE_INVALID);
	RV(p->C_Verify(s, text, sizeof(text), mac, sizeof(mac)), CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_VerifyInit(s, &hmac, secret));
	RV(p->C_Verify(s, text, sizeof(text), mac, sizeof(mac) - 1), CKR_SIGNATURE_LEN_RANGE);
	OK(p->C_VerifyInit(s, &hmac, secret));
	OK(p->C_Verify(s, text, sizeof(text), mac, sizeof(mac)));
	RV(p->C_Verify(s, text, sizeof(text), mac, sizeof(mac)), CKR_OPERATION_NOT_INITIALIZED);
}

/* One search at a time; one operation of each kind, and kinds side by side */
static void operations_side_by_side(void **state)
{
	CK_BYTE out[64];
	CK_ULONG length = sizeof(out);

	(void)state;
	OK(p->C_FindObjectsInit(s, NULL, 0));
	OK(p->C_DigestInit(s, &sha));
	OK(p->C_EncryptInit(s, &cbc, aes));
	RV(p->C_FindObjectsInit(s, NULL, 0), CKR_OPERATION_ACTIVE);
	OK(p->C_Encrypt(s, text, 1, out, &length));
	length = sizeof(out);
	OK(p->C_Digest(s, text, 1, out, &length));
	OK(p->C_FindObjectsFinal(s));
	RV(p->C_FindObjectsFinal(s), CKR_OPERATION_NOT_INITIALIZED);
}

/* Attributes: what there is comes, each of the others is marked, and the code says why. */
static void attributes_in_one_call(void **state)
{
	CK_OBJECT_HANDLE key = aes_key(s, 32);
	CK_BYTE value[32], small[1];
	CK_ULONG number = 0;
	CK_ATTRIBUTE attributes[] = {
		{ CKA_VALUE, value, sizeof(value) },
		{ CKA_MODULUS, value, sizeof(value) },
		A(CKA_VALUE_LEN, number),
	};
	CK_ATTRIBUTE cut[] = { { CKA_VALUE_LEN, small, sizeof(small) } };
	CK_RV rv = p->C_GetAttributeValue(s, key, attributes, COUNT(attributes));

	(void)state;
	assert_true(rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID);
	assert_true(attributes[0].ulValueLen == CK_UNAVAILABLE_INFORMATION);
	assert_true(attributes[1].ulValueLen == CK_UNAVAILABLE_INFORMATION);
	assert_int_equal(number, 32);
	RV(p->C_GetAttributeValue(s, key, cut, 1), CKR_BUFFER_TOO_SMALL);
	assert_true(cut[0].ulValueLen == CK_UNAVAILABLE_INFORMATION);
}

static int setup(void **state)
{
	static const CK_BYTE value[32] = "a secret that signs";

	setup_token(state);
	s = user_session();
	aes = aes_key(s, 32);
	secret = secret_key(s, CKK_GENERIC_SECRET, value, sizeof(value));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_of_single_calls),  cmocka_unit_test(output_of_last_parts),
		cmocka_unit_test(single_after_update),	   cmocka_unit_test(verification_ends),
		cmocka_unit_test(operations_side_by_side), cmocka_unit_test(attributes_in_one_call),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
