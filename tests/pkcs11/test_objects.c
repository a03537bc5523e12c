// SPDX-License-Identifier: Apache-2.0
/*
 * Objects: templates, attributes and the rules about changing them, searches, copies, what a
 * session may see.
 */
#include "fixture.h"

static CK_OBJECT_HANDLE data_object(CK_SESSION_HANDLE s, CK_BBOOL token, CK_BBOOL private,
				    const char *label)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, class),
		A(CKA_TOKEN, token),
		A(CKA_PRIVATE, private),
		STRING(CKA_LABEL, label),
		STRING(CKA_APPLICATION, "tests"),
		STRING(CKA_VALUE, "some value"),
	};
	CK_OBJECT_HANDLE object = 0;

	OK(p->C_CreateObject(s, attributes, COUNT(attributes), &object));
	return object;
}

static void data_round_trip(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE object = data_object(s, CK_FALSE, CK_FALSE, "data");
	CK_ULONG size = 0;
	char text[64];

	(void)state;
	assert_int_equal(get(s, object, CKA_VALUE, text, sizeof(text)), 10);
	assert_memory_equal(text, "some value", 10);
	assert_false(get_bool(s, object, CKA_TOKEN));
	assert_true(get_bool(s, object, CKA_MODIFIABLE));
	OK(p->C_GetObjectSize(s, object, &size));
	assert_true(size >= 10);
	OK(p->C_DestroyObject(s, object));
	RV(p->C_DestroyObject(s, object), CKR_OBJECT_HANDLE_INVALID);
	RV(p->C_GetObjectSize(s, object, &size), CKR_OBJECT_HANDLE_INVALID);
}

/* 5.7.5: lengths without buffers, and every attribute dealt with whatever the others do */
static void attribute_values(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	struct pair pair = rsa_pair(s, 2048, CK_FALSE, "values");
	CK_BYTE modulus[256], exponent[8], tiny[4], secret[256];
	CK_ATTRIBUTE all[] = {
		{ CKA_MODULUS, NULL, 0 },
		{ CKA_PRIVATE_EXPONENT, secret, sizeof(secret) },
		{ CKA_CERTIFICATE_TYPE, secret, sizeof(secret) },
		{ CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent) },
	};
	CK_ATTRIBUTE small = { CKA_MODULUS, tiny, sizeof(tiny) };
	CK_RV rv;

	(void)state;
	rv = p->C_GetAttributeValue(s, pair.private_key, all, COUNT(all));
	assert_true(rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID);
	assert_int_equal(all[0].ulValueLen, 256);
	assert_true(all[1].ulValueLen == CK_UNAVAILABLE_INFORMATION);
	assert_true(all[2].ulValueLen == CK_UNAVAILABLE_INFORMATION);
	assert_int_equal(all[3].ulValueLen, 3);
	assert_memory_equal(exponent, "\1\0\1", 3);
	RV(p->C_GetAttributeValue(s, pair.private_key, &all[1], 1), CKR_ATTRIBUTE_SENSITIVE);
	all[2].ulValueLen = sizeof(secret);
	RV(p->C_GetAttributeValue(s, pair.private_key, &all[2], 1), CKR_ATTRIBUTE_TYPE_INVALID);
	RV(p->C_GetAttributeValue(s, pair.public_key, &small, 1), CKR_BUFFER_TOO_SMALL);
	assert_true(small.ulValueLen == CK_UNAVAILABLE_INFORMATION);
	all[0].pValue = modulus;
	all[0].ulValueLen = sizeof(modulus);
	OK(p->C_GetAttributeValue(s, pair.public_key, &all[0], 1));
	assert_true(modulus[0] & 0x80);
}

/* A number and a truth value have one size each. */
static void template_values(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_OBJECT_HANDLE object;
	CK_ATTRIBUTE good = A(CKA_CLASS, class);
	CK_ATTRIBUTE short_class = { CKA_CLASS, &class, 4 };
	CK_ATTRIBUTE long_bool[] = { good, { CKA_TOKEN, &class, 4 } };
	CK_ATTRIBUTE no_value[] = { good, { CKA_LABEL, NULL, 5 } };
	CK_ATTRIBUTE absurd[] = { good, { CKA_LABEL, &class, (CK_ULONG)-1 } };
	CK_ATTRIBUTE twice[] = { good, STRING(CKA_LABEL, "a"), STRING(CKA_LABEL, "b") };

	(void)state;
	RV(p->C_CreateObject(s, &short_class, 1, &object), CKR_ATTRIBUTE_VALUE_INVALID);
	RV(p->C_CreateObject(s, long_bool, 2, &object), CKR_ATTRIBUTE_VALUE_INVALID);
	RV(p->C_CreateObject(s, no_value, 2, &object), CKR_ATTRIBUTE_VALUE_INVALID);
	RV(p->C_CreateObject(s, absurd, 2, &object), CKR_ATTRIBUTE_VALUE_INVALID);
	RV(p->C_CreateObject(s, twice, 3, &object), CKR_TEMPLATE_INCONSISTENT);
	RV(p->C_CreateObject(s, &twice[1], 1, &object), CKR_TEMPLATE_INCOMPLETE);
}

static void generated_key_attributes(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	struct pair pair = p256_pair(s, CK_FALSE, "attributes");
	CK_BYTE point[128], params[32];
	CK_ULONG mechanism;

	(void)state;
	assert_true(get_bool(s, pair.private_key, CKA_SENSITIVE));
	assert_true(get_bool(s, pair.private_key, CKA_ALWAYS_SENSITIVE));
	assert_true(get_bool(s, pair.private_key, CKA_PRIVATE));
	assert_true(get_bool(s, pair.private_key, CKA_LOCAL));
	assert_false(get_bool(s, pair.private_key, CKA_EXTRACTABLE));
	assert_true(get_bool(s, pair.private_key, CKA_NEVER_EXTRACTABLE));
	get(s, pair.private_key, CKA_KEY_GEN_MECHANISM, &mechanism, sizeof(mechanism));
	assert_int_equal(mechanism, CKM_EC_KEY_PAIR_GEN);
	/* A DER OCTET STRING around the uncompressed point */
	assert_int_equal(get(s, pair.public_key, CKA_EC_POINT, point, sizeof(point)), 67);
	assert_memory_equal(point, "\x04\x41\x04", 3);
	assert_int_equal(get(s, pair.public_key, CKA_EC_PARAMS, params, sizeof(params)),
			 sizeof(oid_p256));
	assert_memory_equal(params, oid_p256, sizeof(oid_p256));
}

static void imported_key_is_no_secret(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key = secret_key(s, CKK_AES, "0123456789abcdef", 16);
	CK_BYTE value[32];

	(void)state;
	assert_int_equal(get(s, key, CKA_VALUE, value, sizeof(value)), 16);
	assert_memory_equal(value, "0123456789abcdef", 16);
	assert_false(get_bool(s, key, CKA_LOCAL));
	assert_false(get_bool(s, key, CKA_ALWAYS_SENSITIVE));
	assert_false(get_bool(s, key, CKA_NEVER_EXTRACTABLE));
}

/* SENSITIVE only ever becomes true, EXTRACTABLE false; also not by way of a copy. */
static void one_way_attributes(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key = secret_key(s, CKK_AES, "0123456789abcdef", 16), copy;
	CK_ATTRIBUTE sensitive = YES(CKA_SENSITIVE), not_sensitive = NO(CKA_SENSITIVE);
	CK_ATTRIBUTE not_extractable = NO(CKA_EXTRACTABLE), extractable = YES(CKA_EXTRACTABLE),
		     local = YES(CKA_LOCAL);
	CK_ATTRIBUTE value = { CKA_VALUE, (char[32]){ 0 }, 32 };

	(void)state;
	OK(p->C_SetAttributeValue(s, key, &sensitive, 1));
	RV(p->C_GetAttributeValue(s, key, &value, 1), CKR_ATTRIBUTE_SENSITIVE);
	RV(p->C_SetAttributeValue(s, key, &not_sensitive, 1), CKR_ATTRIBUTE_READ_ONLY);
	OK(p->C_SetAttributeValue(s, key, &not_extractable, 1));
	RV(p->C_SetAttributeValue(s, key, &extractable, 1), CKR_ATTRIBUTE_READ_ONLY);
	assert_int_not_equal(p->C_SetAttributeValue(s, key, &local, 1), CKR_OK);
	assert_int_not_equal(p->C_CopyObject(s, key, &not_sensitive, 1, &copy), CKR_OK);
	assert_int_not_equal(p->C_CopyObject(s, key, &extractable, 1, &copy), CKR_OK);
	OK(p->C_CopyObject(s, key, NULL, 0, &copy));
	value.ulValueLen = 32;
	RV(p->C_GetAttributeValue(s, copy, &value, 1), CKR_ATTRIBUTE_SENSITIVE);
}

static void copies(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE object = data_object(s, CK_FALSE, CK_FALSE, "original"), copy, third;
	CK_ATTRIBUTE changes[] = { STRING(CKA_LABEL, "copy"), NO(CKA_COPYABLE) };
	char text[32];

	(void)state;
	OK(p->C_CopyObject(s, object, changes, COUNT(changes), &copy));
	assert_int_not_equal(copy, object);
	assert_int_equal(get(s, copy, CKA_LABEL, text, sizeof(text)), 4);
	assert_memory_equal(text, "copy", 4);
	RV(p->C_CopyObject(s, copy, NULL, 0, &third), CKR_ACTION_PROHIBITED);
}

static void not_modifiable_not_destroyable(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE attributes[] = { A(CKA_CLASS, class), NO(CKA_MODIFIABLE),
				      NO(CKA_DESTROYABLE) };
	CK_ATTRIBUTE label = STRING(CKA_LABEL, "new");
	CK_OBJECT_HANDLE object;

	(void)state;
	OK(p->C_CreateObject(s, attributes, COUNT(attributes), &object));
	RV(p->C_SetAttributeValue(s, object, &label, 1), CKR_ACTION_PROHIBITED);
	RV(p->C_DestroyObject(s, object), CKR_ACTION_PROHIBITED);
}

static void read_only_sessions(void **state)
{
	CK_SESSION_HANDLE ro = session(RO);
	CK_SESSION_HANDLE rw = user_session();
	CK_OBJECT_HANDLE object = data_object(rw, CK_TRUE, CK_FALSE, "token object"), copy;
	CK_ATTRIBUTE label = STRING(CKA_LABEL, "changed"), token = YES(CKA_TOKEN);
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE attributes[] = { A(CKA_CLASS, class), YES(CKA_TOKEN) };

	(void)state;
	RV(p->C_CreateObject(ro, attributes, COUNT(attributes), &copy), CKR_SESSION_READ_ONLY);
	RV(p->C_SetAttributeValue(ro, object, &label, 1), CKR_SESSION_READ_ONLY);
	RV(p->C_CopyObject(ro, object, &token, 1, &copy), CKR_SESSION_READ_ONLY);
	RV(p->C_DestroyObject(ro, object), CKR_SESSION_READ_ONLY);
	data_object(ro, CK_FALSE, CK_FALSE, "session object");
	OK(p->C_DestroyObject(rw, object));
}

/* Private objects are there for the user alone; handles of them die with the login. */
static void private_objects(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE token_object = data_object(s, CK_TRUE, CK_TRUE, "private");
	CK_OBJECT_HANDLE session_object = data_object(s, CK_FALSE, CK_TRUE, "private"), object;
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE attributes[] = { A(CKA_CLASS, class), YES(CKA_PRIVATE), NO(CKA_TOKEN) };
	char text[32];
	CK_ATTRIBUTE value = { CKA_VALUE, text, sizeof(text) };

	(void)state;
	assert_int_equal(find_label(s, "private"), 2);
	OK(p->C_Logout(s));
	assert_int_equal(find_label(s, "private"), 0);
	RV(p->C_GetAttributeValue(s, token_object, &value, 1), CKR_OBJECT_HANDLE_INVALID);
	RV(p->C_GetAttributeValue(s, session_object, &value, 1), CKR_OBJECT_HANDLE_INVALID);
	RV(p->C_CreateObject(s, attributes, COUNT(attributes), &object), CKR_USER_NOT_LOGGED_IN);
	OK(p->C_Login(s, CKU_USER, PIN(USER_PIN)));
	assert_int_equal(find_label(s, "private"), 1);
	assert_int_equal(find(s, (CK_ATTRIBUTE[]){ STRING(CKA_LABEL, "private") }, 1, &object, 1),
			 1);
	assert_int_equal(get(s, object, CKA_VALUE, text, sizeof(text)), 10);
	OK(p->C_DestroyObject(s, object));
}

static void session_objects_end_with_their_session(void **state)
{
	CK_SESSION_HANDLE s = user_session(), other = session(RO);
	CK_OBJECT_HANDLE object = data_object(s, CK_FALSE, CK_FALSE, "fleeting");
	char text[32];

	(void)state;
	assert_int_equal(find_label(other, "fleeting"), 1);
	assert_int_equal(get(other, object, CKA_VALUE, text, sizeof(text)), 10);
	OK(p->C_CloseSession(s));
	assert_int_equal(find_label(other, "fleeting"), 0);
}

static void searches(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE objects[4];
	CK_ULONG count = 9, i;
	char label[16];

	(void)state;
	for (i = 0; i < 30; i++) {
		snprintf(label, sizeof(label), "n%lu", i % 3);
		data_object(s, CK_FALSE, CK_FALSE, label);
	}
	assert_int_equal(find_label(s, "n1"), 10);
	assert_true(find(s, NULL, 0, NULL, 0) >= 30);
	RV(p->C_FindObjects(s, objects, 1, &count), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_FindObjectsFinal(s), CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_FindObjectsInit(s, NULL, 0));
	RV(p->C_FindObjectsInit(s, NULL, 0), CKR_OPERATION_ACTIVE);
	OK(p->C_FindObjects(s, objects, 4, &count));
	assert_int_equal(count, 4);
	OK(p->C_FindObjects(s, objects, 0, &count));
	assert_int_equal(count, 0);
	RV(p->C_FindObjects(s, NULL, 1, &count), CKR_ARGUMENTS_BAD);
	OK(p->C_FindObjectsFinal(s));
}

static void nested_templates(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_MECHANISM_TYPE allowed[] = { CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_KWP };
	CK_MECHANISM_TYPE got[4];
	CK_ATTRIBUTE inner[] = { A(CKA_KEY_TYPE, type), YES(CKA_EXTRACTABLE) };
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, class),
		A(CKA_KEY_TYPE, type),
		STRING(CKA_VALUE, "0123456789abcdef"),
		YES(CKA_WRAP),
		{ CKA_WRAP_TEMPLATE, inner, sizeof(inner) },
		{ CKA_ALLOWED_MECHANISMS, allowed, sizeof(allowed) },
	};
	CK_KEY_TYPE got_type = 0;
	CK_BBOOL got_bool = 7;
	CK_ATTRIBUTE out[2] = { { 0, &got_type, sizeof(got_type) },
				{ 0, &got_bool, sizeof(got_bool) } };
	CK_ATTRIBUTE outer = { CKA_WRAP_TEMPLATE, NULL, 0 };
	CK_OBJECT_HANDLE key;
	CK_ULONG i;

	(void)state;
	OK(p->C_CreateObject(s, attributes, COUNT(attributes), &key));
	assert_int_equal(get(s, key, CKA_ALLOWED_MECHANISMS, got, sizeof(got)), sizeof(allowed));
	assert_memory_equal(got, allowed, sizeof(allowed));
	OK(p->C_GetAttributeValue(s, key, &outer, 1));
	assert_int_equal(outer.ulValueLen, sizeof(out));
	outer.pValue = out;
	/* Which comes first is the token's to choose: give each room for both. */
	for (i = 0; i < 2; i++)
		out[i].ulValueLen = sizeof(CK_ULONG);
	out[1].pValue = &(CK_ULONG){ 0 };
	OK(p->C_GetAttributeValue(s, key, &outer, 1));
	assert_true(out[0].type != out[1].type);
	for (i = 0; i < 2; i++) {
		if (out[i].type == CKA_KEY_TYPE)
			assert_int_equal(*(CK_ULONG *)out[i].pValue, CKK_AES);
		else
			assert_int_equal(*(CK_BBOOL *)out[i].pValue, CK_TRUE);
	}
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(data_round_trip),
		TEST(attribute_values),
		TEST(template_values),
		TEST(generated_key_attributes),
		TEST(imported_key_is_no_secret),
		TEST(one_way_attributes),
		TEST(copies),
		TEST(not_modifiable_not_destroyable),
		TEST(read_only_sessions),
		TEST(private_objects),
		TEST(session_objects_end_with_their_session),
		TEST(searches),
		TEST(nested_templates),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
