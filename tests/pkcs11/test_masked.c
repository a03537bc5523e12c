// SPDX-License-Identifier: Apache-2.0
/*
 * Masked keys and self-tests through the module's own interface, as an application finds it. What the device refuses is
 * tested at its commands; here: the conventions of buffers, and that the answers arrive.
 */
#include "fixture.h"

static CK_HSM_FUNCTION_LIST *vendor(void)
{
	CK_INTERFACE *interface;

	OK(p->C_GetInterface(TEXT(CK_HSM_INTERFACE), NULL, &interface, 0));
	return interface->pFunctionList;
}

static CK_OBJECT_HANDLE session_key(CK_SESSION_HANDLE s)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG length = 32;
	CK_ATTRIBUTE template[] = {
		{ CKA_VALUE_LEN, &length, sizeof(length) },
		{ CKA_ENCRYPT, &yes, sizeof(yes) },
		{ CKA_PRIVATE, &yes, sizeof(yes) },
		{ CKA_LABEL, (void *)"masked", 6 },
	};
	CK_OBJECT_HANDLE key;

	OK(p->C_GenerateKey(s, &mechanism, template, 4, &key));
	return key;
}

static void encrypt(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_BYTE out[16])
{
	CK_MECHANISM mechanism = { CKM_AES_ECB, NULL, 0 };
	CK_BYTE zero[16] = { 0 };
	CK_ULONG length = 16;

	OK(p->C_EncryptInit(s, &mechanism, key));
	OK(p->C_Encrypt(s, zero, sizeof(zero), out, &length));
	assert_int_equal(length, 16);
}

static void a_masked_key_lives_outside(void **state)
{
	CK_HSM_FUNCTION_LIST *v = vendor();
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key = session_key(s), again;
	CK_BYTE masked[2048], fresh[2048], one[16], other[16];
	CK_ULONG length = 0, fresh_length = sizeof(fresh), needed;
	CK_HSM_MASK_INFO info;

	(void)state;
	encrypt(s, key, one);
	OK(v->C_HsmMaskKey(s, key, NULL, &length));
	assert_in_range(length, 100, sizeof(masked));
	needed = length;
	length = 10;
	RV(v->C_HsmMaskKey(s, key, masked, &length), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(length, needed);
	OK(v->C_HsmMaskKey(s, key, masked, &length));
	OK(p->C_DestroyObject(s, key));
	OK(v->C_HsmUnmaskKey(s, masked, length, &again));
	encrypt(s, again, other);
	assert_memory_equal(one, other, 16);
	OK(v->C_HsmRemaskKey(s, masked, length, fresh, &fresh_length));
	assert_memory_not_equal(masked, fresh, length);
	OK(v->C_HsmMaskInfo(s, CK_FALSE, &info));
	assert_int_equal(info.ulRevoked, 0);
	OK(v->C_HsmRevokeKey(s, masked, length));
	OK(v->C_HsmMaskInfo(s, CK_FALSE, &info));
	assert_int_equal(info.ulRevoked, 1);
	assert_false(info.bGrace);
	RV(v->C_HsmUnmaskKey(s, fresh, fresh_length, &again), CKR_WRAPPED_KEY_INVALID);
	OK(v->C_HsmMaskInfo(s, CK_TRUE, &info));
}

static void bad_arguments(void **state)
{
	CK_HSM_FUNCTION_LIST *v = vendor();
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key = session_key(s);
	static CK_BYTE big[100000];
	CK_ULONG length = sizeof(big);

	(void)state;
	RV(v->C_HsmMaskKey(s, key, big, NULL), CKR_ARGUMENTS_BAD);
	RV(v->C_HsmMaskKey(s, 9999, big, &length), CKR_KEY_HANDLE_INVALID);
	RV(v->C_HsmMaskKey(9999, key, big, &length), CKR_SESSION_HANDLE_INVALID);
	RV(v->C_HsmUnmaskKey(s, NULL, 10, &key), CKR_ARGUMENTS_BAD);
	RV(v->C_HsmUnmaskKey(s, big, 10, NULL), CKR_ARGUMENTS_BAD);
	RV(v->C_HsmUnmaskKey(s, big, sizeof(big), &key), CKR_WRAPPED_KEY_INVALID);
	RV(v->C_HsmUnmaskKey(s, big, 0, &key), CKR_WRAPPED_KEY_INVALID);
	RV(v->C_HsmRemaskKey(s, big, 10, big, NULL), CKR_ARGUMENTS_BAD);
	RV(v->C_HsmRevokeKey(s, NULL, 0), CKR_ARGUMENTS_BAD);
	RV(v->C_HsmMaskInfo(s, CK_FALSE, NULL), CKR_ARGUMENTS_BAD);
	RV(v->C_HsmSelfTest(slot, NULL), CKR_ARGUMENTS_BAD);
	RV(v->C_HsmSelfTest(9999, &length), CKR_SLOT_ID_INVALID);
}

static void self_test(void **state)
{
	CK_ULONG tests = 0;

	(void)state;
	OK(vendor()->C_HsmSelfTest(slot, &tests));
	assert_true(tests >= 17);
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_masked_key_lives_outside),
		TEST(bad_arguments),
		TEST(self_test),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
