// SPDX-License-Identifier: Apache-2.0
/*
 * Arguments that no caller should pass: missing pointers, huge counts and lengths, handles of
 * what is gone. Each has an answer, and afterwards the session works.
 */
#include "fixture.h"

#define HUGE_LENGTH ((CK_ULONG) - 1)
#define BAD_SESSION 0x123456UL

static void still_works(CK_SESSION_HANDLE s)
{
	CK_BYTE random[16] = { 0 }, zero[16] = { 0 };

	OK(p->C_GenerateRandom(s, random, sizeof(random)));
	assert_memory_not_equal(random, zero, sizeof(zero));
}

static void wrong_sessions(void **state)
{
	CK_SESSION_HANDLE s = session(RO);
	CK_SESSION_HANDLE bad[] = { 0, BAD_SESSION, HUGE_LENGTH, s + 1, s ^ (1UL << 20) };
	CK_BYTE byte;
	CK_ULONG n = 1;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		RV(p->C_CloseSession(bad[i]), CKR_SESSION_HANDLE_INVALID);
		RV(p->C_Sign(bad[i], &byte, 1, &byte, &n), CKR_SESSION_HANDLE_INVALID);
		RV(p->C_FindObjectsInit(bad[i], NULL, 0), CKR_SESSION_HANDLE_INVALID);
		RV(p->C_Logout(bad[i]), CKR_SESSION_HANDLE_INVALID);
	}
	OK(p->C_CloseSession(s));
	RV(p->C_CloseSession(s), CKR_SESSION_HANDLE_INVALID);
	RV(p->C_GenerateRandom(s, &byte, 1), CKR_SESSION_HANDLE_INVALID);
	RV(p->C_CloseAllSessions(slot + 777), CKR_SLOT_ID_INVALID);
}

static void missing_pointers(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key = aes_key(s, 32);
	CK_MECHANISM gcm = { CKM_AES_GCM, NULL, 0 }, sha = { CKM_SHA256, NULL, 0 };
	CK_BYTE byte = 0;
	CK_ULONG n = 1;

	(void)state;
	RV(p->C_GenerateRandom(s, NULL, 4), CKR_ARGUMENTS_BAD);
	RV(p->C_CreateObject(s, NULL, 3, &key), CKR_ARGUMENTS_BAD);
	RV(p->C_GetAttributeValue(s, key, NULL, 1), CKR_ARGUMENTS_BAD);
	RV(p->C_SetAttributeValue(s, key, NULL, 1), CKR_ARGUMENTS_BAD);
	RV(p->C_FindObjectsInit(s, NULL, 1), CKR_ARGUMENTS_BAD);
	RV(p->C_GetSessionInfo(s, NULL), CKR_ARGUMENTS_BAD);
	RV(p->C_EncryptInit(s, &gcm, key), CKR_MECHANISM_PARAM_INVALID);
	RV(p->C_GenerateKey(s, NULL, NULL, 0, &key), CKR_ARGUMENTS_BAD);
	OK(p->C_DigestInit(s, &sha));
	RV(p->C_DigestUpdate(s, NULL, 1), CKR_ARGUMENTS_BAD);
	RV(p->C_DigestFinal(s, &byte, NULL), CKR_ARGUMENTS_BAD);
	p->C_SessionCancel(s, CKF_DIGEST);
	RV(p->C_Encrypt(s, NULL, 1, &byte, &n), CKR_ARGUMENTS_BAD);
	RV(p->C_UnwrapKey(s, &sha, key, NULL, 1, NULL, 0, &key), CKR_ARGUMENTS_BAD);
	still_works(s);
}

static void huge_lengths(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key = aes_key(s, 16), object;
	CK_BYTE iv[16] = { 0 };
	CK_MECHANISM cbc = { CKM_AES_CBC, iv, HUGE_LENGTH };
	CK_GCM_PARAMS gcm = { .pIv = iv, .ulIvLen = HUGE_LENGTH, .ulTagBits = 128 };
	CK_MECHANISM gcm_mechanism = { CKM_AES_GCM, &gcm, sizeof(gcm) };
	CK_MECHANISM cut = { CKM_AES_GCM, &gcm, sizeof(gcm) - 1 };
	CK_ATTRIBUTE label = { CKA_LABEL, iv, HUGE_LENGTH };

	(void)state;
	RV(p->C_EncryptInit(s, &cbc, key), CKR_MECHANISM_PARAM_INVALID);
	RV(p->C_EncryptInit(s, &gcm_mechanism, key), CKR_MECHANISM_PARAM_INVALID);
	RV(p->C_EncryptInit(s, &cut, key), CKR_MECHANISM_PARAM_INVALID);
	gcm.ulIvLen = 12;
	gcm.pIv = NULL;
	RV(p->C_EncryptInit(s, &gcm_mechanism, key), CKR_MECHANISM_PARAM_INVALID);
	RV(p->C_CreateObject(s, &label, HUGE_LENGTH, &object), CKR_ARGUMENTS_BAD);
	RV(p->C_CreateObject(s, &label, 1, &object), CKR_ATTRIBUTE_VALUE_INVALID);
	RV(p->C_GetAttributeValue(s, key, &label, HUGE_LENGTH), CKR_ARGUMENTS_BAD);
	still_works(s);
}

static void wrong_mechanisms(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key = aes_key(s, 16);
	CK_MECHANISM unknown = { 0x7ffffff0UL, NULL, 0 }, rsa = { CKM_RSA_PKCS, NULL, 0 };
	CK_MECHANISM with_extra = { CKM_SHA256, "x", 1 };

	(void)state;
	RV(p->C_DigestInit(s, &unknown), CKR_MECHANISM_INVALID);
	RV(p->C_SignInit(s, &unknown, key), CKR_MECHANISM_INVALID);
	RV(p->C_DigestInit(s, &with_extra), CKR_MECHANISM_PARAM_INVALID);
	RV(p->C_EncryptInit(s, &rsa, key), CKR_KEY_TYPE_INCONSISTENT);
	RV(p->C_EncryptInit(s, &rsa, key + 99999), CKR_KEY_HANDLE_INVALID);
	still_works(s);
}

static void operations_out_of_order(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_MECHANISM sha = { CKM_SHA256, NULL, 0 };
	CK_BYTE out[64], byte = 0;
	CK_ULONG n = sizeof(out);

	(void)state;
	RV(p->C_Digest(s, &byte, 1, out, &n), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_SignUpdate(s, &byte, 1), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_EncryptFinal(s, out, &n), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_Verify(s, &byte, 1, out, 32), CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_DigestInit(s, &sha));
	RV(p->C_DigestInit(s, &sha), CKR_OPERATION_ACTIVE);
	OK(p->C_DigestInit(s, NULL));
	RV(p->C_Digest(s, &byte, 1, out, &n), CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_DigestInit(s, &sha));
	OK(p->C_SessionCancel(s, CKF_DIGEST));
	RV(p->C_Digest(s, &byte, 1, out, &n), CKR_OPERATION_NOT_INITIALIZED);
	still_works(s);
}

/* Handles of one life of the module mean nothing in the next. */
static void handles_after_finalize(void **state)
{
	CK_SESSION_HANDLE s = session(RO);
	CK_BYTE byte;

	(void)state;
	OK(p->C_Finalize(NULL));
	RV(p->C_GenerateRandom(s, &byte, 1), CKR_CRYPTOKI_NOT_INITIALIZED);
	OK(p->C_Initialize(NULL));
	slot = first_slot();
	RV(p->C_GenerateRandom(s, &byte, 1), CKR_SESSION_HANDLE_INVALID);
	still_works(session(RO));
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(wrong_sessions),	TEST(missing_pointers),	       TEST(huge_lengths),
		TEST(wrong_mechanisms), TEST(operations_out_of_order), TEST(handles_after_finalize),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
