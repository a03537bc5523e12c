// SPDX-License-Identifier: Apache-2.0
/*
 * What applications do to a token in numbers: thousands of objects, sessions opened and forgotten, workers that all log in
 * at once, a token initialized under others; and the answers of wrapping that applications depend on.
 */
#include <sys/wait.h>
#include "attacks.h"

#define MANY	2000
#define WORKERS 14 /* more than a PIN has tries */

static void many_objects(void **state)
{
	CK_SESSION_HANDLE s = session(RW);
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_OBJECT_HANDLE object, first = 0, found;
	CK_ATTRIBUTE one[] = { A(CKA_CLASS, class), { CKA_LABEL, NULL, 0 } };
	CK_ATTRIBUTE attributes[] = { A(CKA_CLASS, class),
				      NO(CKA_PRIVATE),
				      { CKA_LABEL, NULL, 0 } };
	char label[16];
	int i;

	(void)state;
	for (i = 0; i < MANY; i++) {
		snprintf(label, sizeof(label), "n%d", i);
		attributes[2].pValue = label;
		attributes[2].ulValueLen = strlen(label);
		OK(p->C_CreateObject(s, attributes, COUNT(attributes), &object));
		if (!i)
			first = object;
	}
	assert_int_equal(find(s, attributes, 1, NULL, 0), MANY);
	for (i = 0; i < MANY; i += 37) {
		snprintf(label, sizeof(label), "n%d", i);
		one[1].pValue = label;
		one[1].ulValueLen = strlen(label);
		assert_int_equal(find(s, one, 2, &found, 1), 1);
		if (!i)
			assert_int_equal(found, first);
	}
	/* What is destroyed in the middle of a search is no harm to it. */
	OK(p->C_FindObjectsInit(s, attributes, 1));
	OK(p->C_DestroyObject(s, first));
	for (i = 0; p->C_FindObjects(s, &found, 1, &attributes[2].ulValueLen) == CKR_OK &&
		    attributes[2].ulValueLen;
	     i++)
		;
	OK(p->C_FindObjectsFinal(s));
	assert_in_range(i, MANY - 1, MANY);
	OK(p->C_CloseSession(s));
	s = session(RO);
	assert_int_equal(find(s, attributes, 1, NULL, 0), 0);
}

/* Sessions to the limit and back; the limit is a number, and what is given back can be had again. */
static void all_sessions(void **state)
{
	CK_SESSION_HANDLE handle;
	CK_TOKEN_INFO info;
	CK_ULONG i, round, limit;

	(void)state;
	OK(p->C_GetTokenInfo(slot, &info));
	limit = info.ulMaxSessionCount;
	assert_in_range(limit, 1, 1 << 20);
	for (i = 0; i < 3000; i++)
		OK(p->C_CloseSession(session(RO)));
	for (round = 0; round < 2; round++) {
		for (i = 0; p->C_OpenSession(slot, RO, NULL, NULL, &handle) == CKR_OK; i++)
			;
		assert_int_equal(i, limit);
		RV(p->C_OpenSession(slot, RO, NULL, NULL, &handle), CKR_SESSION_COUNT);
		OK(p->C_GetTokenInfo(slot, &info));
		assert_int_equal(info.ulSessionCount, limit);
		OK(p->C_CloseAllSessions(slot));
	}
	OK(p->C_CloseSession(session(RO)));
}

/* One worker of a server, when all of them have been told to start */
static int worker(int start)
{
	CK_SESSION_HANDLE s;
	char byte;

	if (p->C_Initialize(NULL) != CKR_OK ||
	    p->C_OpenSession(slot, RW, NULL, NULL, &s) != CKR_OK || read(start, &byte, 1) != 0)
		return 1;
	return p->C_Login(s, CKU_USER, PIN(USER_PIN)) == CKR_OK ? 0 : 2;
}

/* More right PINs at a time than wrong ones are allowed: none is locked out. */
static void workers_log_in_at_once(void **state)
{
	int start[2], status, i;
	pid_t pid[WORKERS];

	(void)state;
	assert_int_equal(pipe(start), 0);
	for (i = 0; i < WORKERS; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (!pid[i]) {
			close(start[1]);
			_exit(worker(start[0]));
		}
	}
	close(start[0]);
	close(start[1]);
	for (i = 0; i < WORKERS; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
}

/* C_InitToken under another process's session is refused; its keys stay. */
static void initialized_under_others(void **state)
{
	unsigned char label[33] = "not yours                       ";
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key;
	int status;
	pid_t pid;

	(void)state;
	OK(generate(s, 32, ATTRS(YES(CKA_TOKEN), STRING(CKA_LABEL, "stays")), &key));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (p->C_Initialize(NULL) != CKR_OK)
			_exit(1);
		_exit(p->C_InitToken(slot, PIN(SO_PIN), label) == CKR_SESSION_EXISTS ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	RV(p->C_InitToken(slot, PIN(SO_PIN), label), CKR_SESSION_EXISTS);
	assert_int_equal(find_label(s, "stays"), 1);
	OK(p->C_DestroyObject(s, key));
}

/* Each way to be wrong has its own answer (PKCS#11 3.2, C_WrapKey and C_UnwrapKey). */
static void answers_of_wrapping(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE kek, key, plain, other;
	struct blob blob, small;
	struct pair ec = p256_pair(s, CK_FALSE, "no kek");

	(void)state;
	OK(generate(s, 32, ATTRS(YES(CKA_WRAP), YES(CKA_UNWRAP)), &kek));
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE)), &key));
	OK(generate(s, 32, ATTRS(NO(CKA_WRAP)), &plain));
	RV(wrap(s, CKM_AES_KEY_WRAP, 0, key, &blob), CKR_WRAPPING_KEY_HANDLE_INVALID);
	RV(wrap(s, CKM_AES_KEY_WRAP, kek, 0, &blob), CKR_KEY_HANDLE_INVALID);
	RV(wrap(s, CKM_AES_KEY_WRAP, plain, key, &blob), CKR_KEY_FUNCTION_NOT_PERMITTED);
	RV(wrap(s, CKM_AES_KEY_WRAP, kek, ec.public_key, &blob), CKR_KEY_NOT_WRAPPABLE);
	RV(wrap(s, CKM_AES_KEY_WRAP, kek, ec.private_key, &blob), CKR_KEY_UNEXTRACTABLE);
	RV(wrap(s, CKM_RSA_PKCS_OAEP, kek, key, &blob), CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
	RV(wrap(s, CKM_SHA256, kek, key, &blob), CKR_MECHANISM_INVALID);
	OK(wrap(s, CKM_AES_KEY_WRAP, kek, key, &blob));
	assert_int_equal(blob.length, 40);
	RV(unwrap_as(s, 0, &blob, CKK_AES, ATTRS(NO(CKA_TOKEN)), &other),
	   CKR_UNWRAPPING_KEY_HANDLE_INVALID);
	RV(unwrap_as(s, plain, &blob, CKK_AES, ATTRS(NO(CKA_TOKEN)), &other),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	small = blob;
	small.length = 39;
	RV(unwrap_as(s, kek, &small, CKK_AES, ATTRS(NO(CKA_TOKEN)), &other),
	   CKR_WRAPPED_KEY_LEN_RANGE);
	small.length = 32;
	RV(unwrap_as(s, kek, &small, CKK_AES, ATTRS(NO(CKA_TOKEN)), &other),
	   CKR_WRAPPED_KEY_INVALID);
	RV(unwrap_as(s, kek, &blob, CKK_RSA, ATTRS(NO(CKA_TOKEN)), &other),
	   CKR_ATTRIBUTE_VALUE_INVALID);
	/* Every attribute of the template is there afterwards. */
	OK(unwrap_as(s, kek, &blob, CKK_AES,
		     ATTRS(STRING(CKA_LABEL, "back"), STRING(CKA_ID, "7"), NO(CKA_DECRYPT),
			   NO(CKA_MODIFIABLE), YES(CKA_EXTRACTABLE)),
		     &other));
	assert_int_equal(find_label(s, "back"), 1);
	assert_false(get_bool(s, other, CKA_DECRYPT));
	assert_false(get_bool(s, other, CKA_MODIFIABLE));
	assert_true(get_bool(s, other, CKA_EXTRACTABLE));
	assert_true(get_bool(s, other, CKA_SENSITIVE));
}

/* Unknown attributes do not keep the others from being filled in. */
static void unknown_among_known(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	struct pair pair = p256_pair(s, CK_FALSE, "asked");
	CK_BYTE value[64], label[64], point[80], more[64];
	CK_ATTRIBUTE asked[] = {
		{ CKA_VENDOR_DEFINED | 7, more, sizeof(more) },
		{ CKA_LABEL, label, sizeof(label) },
		{ CKA_VALUE, value, sizeof(value) },
		{ CKA_MODULUS, more, sizeof(more) },
		{ CKA_EC_PARAMS, point, sizeof(point) },
	};

	(void)state;
	REFUSED(p->C_GetAttributeValue(s, pair.private_key, asked, COUNT(asked)));
	assert_true(asked[0].ulValueLen == CK_UNAVAILABLE_INFORMATION);
	assert_int_equal(asked[1].ulValueLen, 5);
	assert_memory_equal(label, "asked", 5);
	assert_true(asked[2].ulValueLen == CK_UNAVAILABLE_INFORMATION);
	assert_true(asked[3].ulValueLen == CK_UNAVAILABLE_INFORMATION);
	assert_int_equal(asked[4].ulValueLen, sizeof(oid_p256));
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(many_objects),	      TEST(all_sessions),
		TEST(workers_log_in_at_once), TEST(initialized_under_others),
		TEST(answers_of_wrapping),    TEST(unknown_among_known),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
