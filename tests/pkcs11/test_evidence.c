// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence of keys through the module: the vendor's function with a nonce and bytes to be bound, the
 * attribute without, and where a key comes from. What evidence says is tested at the device's
 * commands; here: the conventions of buffers, and that the bytes arrive.
 */
#include "fixture.h"

static CK_HSM_FUNCTION_LIST *vendor(void)
{
	CK_INTERFACE *interface;

	OK(p->C_GetInterface(TEXT(CK_HSM_INTERFACE), NULL, &interface, 0));
	return interface->pFunctionList;
}

static CK_OBJECT_HANDLE make_key(CK_SESSION_HANDLE s)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG length = 32;
	CK_ATTRIBUTE template[] = {
		{ CKA_VALUE_LEN, &length, sizeof(length) },
		{ CKA_LABEL, (void *)"attested", 8 },
	};
	CK_OBJECT_HANDLE key;

	OK(p->C_GenerateKey(s, &mechanism, template, 2, &key));
	return key;
}

static CK_BYTE room[CK_HSM_EVIDENCE_MAX];

static bool holds(CK_ULONG length, const void *bytes, size_t size)
{
	return memmem(room, length, bytes, size);
}

static void function_and_nonce(void **state)
{
	static CK_BYTE nonce[] = "the verifier's nonce", binding[] = "bound bytes";
	CK_HSM_FUNCTION_LIST *v = vendor();
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key = make_key(s);
	CK_ULONG length = sizeof(room), needed = 0;

	(void)state;
	assert_true(v->version.major == 1 && v->version.minor >= 1);
	OK(v->C_HsmAttestKey(s, key, nonce, 20, binding, 11, room, &length));
	assert_true(holds(length, nonce, 20));
	assert_true(holds(length, binding, 11));
	assert_true(holds(length, "attested", 8));
	OK(v->C_HsmAttestKey(s, key, nonce, 20, NULL, 0, NULL, &needed));
	assert_in_range(needed, 500, sizeof(room));
	length = 100;
	RV(v->C_HsmAttestKey(s, key, nonce, 20, NULL, 0, room, &length), CKR_BUFFER_TOO_SMALL);
	assert_in_range(length, needed - 8, needed + 8);
	length = sizeof(room);
	OK(v->C_HsmAttestKey(s, key, NULL, 0, NULL, 0, room, &length));
	assert_false(holds(length, nonce, 20));
}

static void wrong_arguments(void **state)
{
	static CK_BYTE bytes[100];
	CK_HSM_FUNCTION_LIST *v = vendor();
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key = make_key(s);
	CK_ULONG length = sizeof(room);

	(void)state;
	RV(v->C_HsmAttestKey(s, key, bytes, 7, NULL, 0, room, &length), CKR_ARGUMENTS_BAD);
	RV(v->C_HsmAttestKey(s, key, NULL, 20, NULL, 0, room, &length), CKR_ARGUMENTS_BAD);
	RV(v->C_HsmAttestKey(s, key, NULL, 0, NULL, 5, room, &length), CKR_ARGUMENTS_BAD);
	RV(v->C_HsmAttestKey(s, key, bytes, ~0UL, NULL, 0, room, &length), CKR_ARGUMENTS_BAD);
	RV(v->C_HsmAttestKey(s, key, bytes, 20, NULL, 0, room, NULL), CKR_ARGUMENTS_BAD);
	RV(v->C_HsmAttestKey(s, 0, bytes, 20, NULL, 0, room, &length), CKR_KEY_HANDLE_INVALID);
	RV(v->C_HsmAttestKey(0, key, bytes, 20, NULL, 0, room, &length),
	   CKR_SESSION_HANDLE_INVALID);
}

static void attributes(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key = make_key(s);
	CK_ULONG origin = 0, type = 0;
	CK_ATTRIBUTE template[] = {
		{ CKA_HSM_EVIDENCE, room, sizeof(room) },
		{ CKA_HSM_ORIGIN, &origin, sizeof(origin) },
		{ CKA_KEY_TYPE, &type, sizeof(type) },
	};

	(void)state;
	OK(p->C_GetAttributeValue(s, key, template, 3));
	assert_true(holds(template[0].ulValueLen, "attested", 8));
	assert_int_equal(origin, CK_HSM_ORIGIN_GENERATED);
	assert_int_equal(type, CKK_AES);
	template[0].pValue = NULL;
	OK(p->C_GetAttributeValue(s, key, template, 1));
	assert_in_range(template[0].ulValueLen, 500, sizeof(room));
	template[0].pValue = room;
	template[0].ulValueLen = 10;
	RV(p->C_GetAttributeValue(s, key, template, 1), CKR_BUFFER_TOO_SMALL);
	template[1].ulValueLen = sizeof(origin);
	RV(p->C_SetAttributeValue(s, key, &template[1], 1), CKR_ATTRIBUTE_READ_ONLY);
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(function_and_nonce),
		TEST(wrong_arguments),
		TEST(attributes),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
