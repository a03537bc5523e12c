/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asynchronous sessions: what comes at once and what comes later, several sessions side by side, and
 * every way to end what is under way.
 */
#include <sys/wait.h>
#include "fixture.h"

#define ASYNC (RW | CKF_ASYNC_SESSION)

static CK_SESSION_HANDLE s, a;
static CK_BYTE exponent[] = { 1, 0, 1 };
static CK_ULONG slow_bits = 4096;

static int setup(void **state)
{
	(void)state;
	s = user_session();
	a = session(ASYNC);
	return 0;
}

/* complete - wait for a function. Return: what it answers in the end. */
static CK_RV complete(CK_SESSION_HANDLE handle, const char *name, CK_ASYNC_DATA *result)
{
	CK_RV rv;

	while ((rv = p->C_AsyncComplete(handle, TEXT(name), result)) == CKR_PENDING)
		;
	return rv;
}

/* An RSA key takes as long as it likes. */
static CK_RV begin_pair(CK_SESSION_HANDLE handle, CK_ULONG bits)
{
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_ATTRIBUTE public_key[] = { A(CKA_MODULUS_BITS, bits), A(CKA_PUBLIC_EXPONENT, exponent),
				      YES(CKA_VERIFY), STRING(CKA_LABEL, "asynchronous") };
	CK_ATTRIBUTE private_key[] = { YES(CKA_SIGN), STRING(CKA_LABEL, "asynchronous") };
	CK_OBJECT_HANDLE one, other;

	return p->C_GenerateKeyPair(handle, &mechanism, public_key, COUNT(public_key), private_key,
				    COUNT(private_key), &one, &other);
}

static void test_session(void **state)
{
	CK_SESSION_INFO info;
	CK_TOKEN_INFO token;

	(void)state;
	OK(p->C_GetTokenInfo(slot, &token));
	assert_true(token.flags & CKF_ASYNC_SESSION_SUPPORTED);
	OK(p->C_GetSessionInfo(a, &info));
	assert_true(info.flags & CKF_ASYNC_SESSION);
	OK(p->C_GetSessionInfo(s, &info));
	assert_false(info.flags & CKF_ASYNC_SESSION);
	/* In another session everything comes at once. */
	OK(begin_pair(s, 2048));
	RV(p->C_AsyncComplete(s, TEXT("C_GenerateKeyPair"), NULL), CKR_OPERATION_NOT_INITIALIZED);
}

static void test_key_pair_and_signature(void **state)
{
	CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_ASYNC_DATA result = { 0, NULL, 77, 1, 2 };
	CK_OBJECT_HANDLE public_key, private_key;
	CK_BYTE signature[256], data[] = "data", *buffer = signature;
	CK_ULONG length, id;

	(void)state;
	RV(begin_pair(a, 2048), CKR_PENDING);
	/* Meanwhile the session does nothing else; looking at it is allowed. */
	RV(p->C_DigestInit(a, &mechanism), CKR_OPERATION_ACTIVE);
	RV(begin_pair(a, 2048), CKR_OPERATION_ACTIVE);
	RV(p->C_AsyncGetID(a, TEXT("C_GenerateKeyPair"), &id), CKR_STATE_UNSAVEABLE);
	RV(p->C_AsyncGetID(a, TEXT("C_Sign"), &id), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_AsyncComplete(a, TEXT("C_Sign"), &result), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_AsyncComplete(a, NULL, &result), CKR_ARGUMENTS_BAD);
	RV(p->C_AsyncComplete(a, TEXT("C_GenerateKeyPair"), NULL), CKR_ARGUMENTS_BAD);
	OK(complete(a, "C_GenerateKeyPair", &result));
	assert_null(result.pValue);
	public_key = result.hObject;
	private_key = result.hAdditionalObject;
	assert_true(public_key && private_key && public_key != private_key);
	RV(p->C_AsyncComplete(a, TEXT("C_GenerateKeyPair"), &result),
	   CKR_OPERATION_NOT_INITIALIZED);

	RV(p->C_SignInit(a, &mechanism, private_key), CKR_OK);
	/* The length, and a buffer that is too small, come at once. */
	OK(p->C_Sign(a, data, 4, NULL, &length));
	assert_int_equal(length, 256);
	length = 255;
	RV(p->C_Sign(a, data, 4, signature, &length), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(length, 256);
	RV(p->C_Sign(a, data, 4, buffer, &length), CKR_PENDING);
	OK(complete(a, "C_Sign", &result));
	assert_ptr_equal(result.pValue, signature);
	assert_int_equal(result.ulValue, 256);

	OK(p->C_VerifyInit(a, &mechanism, public_key));
	RV(p->C_Verify(a, data, 4, signature, 256), CKR_PENDING);
	OK(complete(a, "C_Verify", NULL));
	OK(p->C_VerifyInit(a, &mechanism, public_key));
	RV(p->C_Verify(a, data, 3, signature, 256), CKR_PENDING);
	RV(complete(a, "C_Verify", NULL), CKR_SIGNATURE_INVALID);
}

/* An error comes with the buffer, so that it can be freed. */
static void test_errors(void **state)
{
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 }, ecb = { CKM_AES_ECB, NULL, 0 };
	CK_ULONG bad = 7, length = 16;
	CK_ATTRIBUTE attributes[] = { A(CKA_VALUE_LEN, bad) };
	CK_ASYNC_DATA result = { 0, NULL, 0, 0, 0 };
	CK_OBJECT_HANDLE key = aes_key(s, 16), none;
	CK_BYTE out[16];

	(void)state;
	RV(p->C_GenerateKey(a, &generate, attributes, COUNT(attributes), &none), CKR_PENDING);
	RV(complete(a, "C_GenerateKey", &result), CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(result.hObject, CK_INVALID_HANDLE);
	/* What the module itself can see comes at once. */
	RV(p->C_GenerateKey(a, NULL, attributes, COUNT(attributes), &none), CKR_ARGUMENTS_BAD);
	OK(p->C_EncryptInit(a, &ecb, key));
	RV(p->C_Encrypt(a, out, 15, out, &length), CKR_PENDING);
	RV(complete(a, "C_Encrypt", &result), CKR_DATA_LEN_RANGE);
	assert_ptr_equal(result.pValue, out);
	assert_int_equal(result.ulValue, 0);
	result.ulVersion = 1;
	RV(p->C_AsyncComplete(a, TEXT("C_Encrypt"), &result), CKR_ARGUMENTS_BAD);
	RV(p->C_AsyncComplete(0, TEXT("C_Encrypt"), &result), CKR_SESSION_HANDLE_INVALID);
	RV(p->C_AsyncGetID(a, NULL, &length), CKR_ARGUMENTS_BAD);
	RV(p->C_AsyncGetID(a, TEXT("C_Sign"), NULL), CKR_ARGUMENTS_BAD);
	RV(p->C_AsyncJoin(a, TEXT("C_Sign"), 1, out, sizeof(out)), CKR_SAVED_STATE_INVALID);
	RV(p->C_AsyncJoin(a, NULL, 1, out, sizeof(out)), CKR_ARGUMENTS_BAD);
}

/*
 * Two at work at a time: while the long one is under way, another begins and ends. A long one that was
 * quick proves nothing and is begun again.
 */
static void test_side_by_side(void **state)
{
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG bytes = 16;
	CK_ATTRIBUTE attributes[] = { A(CKA_VALUE_LEN, bytes) };
	CK_ASYNC_DATA result = { 0, NULL, 0, 0, 0 };
	CK_SESSION_HANDLE b = session(ASYNC);
	CK_OBJECT_HANDLE none;
	CK_RV rv;

	(void)state;
	do {
		RV(begin_pair(a, slow_bits), CKR_PENDING);
		RV(p->C_GenerateKey(b, &generate, attributes, COUNT(attributes), &none),
		   CKR_PENDING);
		OK(complete(b, "C_GenerateKey", &result));
		assert_true(result.hObject);
		rv = p->C_AsyncComplete(a, TEXT("C_GenerateKeyPair"), &result);
		assert_true(rv == CKR_PENDING || rv == CKR_OK);
	} while (rv == CKR_OK);
	OK(p->C_SessionCancel(a, CKF_GENERATE_KEY_PAIR));
}

/* The device stops, nothing is left behind, and the session goes on. */
static void test_cancel(void **state)
{
	CK_ASYNC_DATA result = { 0, NULL, 0, 0, 0 };
	CK_ULONG before = find_label(s, "asynchronous");
	CK_MECHANISM sha = { CKM_SHA256, NULL, 0 };

	(void)state;
	RV(begin_pair(a, slow_bits), CKR_PENDING);
	/* Not the flag of what is under way */
	RV(p->C_SessionCancel(a, CKF_SIGN), CKR_OPERATION_ACTIVE);
	OK(p->C_SessionCancel(a, CKF_GENERATE_KEY_PAIR));
	RV(p->C_AsyncComplete(a, TEXT("C_GenerateKeyPair"), &result),
	   CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(find_label(s, "asynchronous"), before);
	OK(p->C_DigestInit(a, &sha));
	OK(p->C_SessionCancel(a, CKF_DIGEST));
}

static void test_close_while_pending(void **state)
{
	CK_ASYNC_DATA result = { 0, NULL, 0, 0, 0 };
	CK_ULONG before = find_label(s, "asynchronous");

	(void)state;
	RV(begin_pair(a, slow_bits), CKR_PENDING);
	OK(p->C_CloseSession(a));
	RV(p->C_AsyncComplete(a, TEXT("C_GenerateKeyPair"), &result), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(find_label(s, "asynchronous"), before);
}

static void test_login(void **state)
{
	(void)state;
	OK(p->C_Logout(a));
	RV(p->C_Login(a, CKU_USER, PIN("wrong pin")), CKR_PENDING);
	RV(complete(a, "C_Login", NULL), CKR_PIN_INCORRECT);
	RV(p->C_Login(a, CKU_USER, PIN(USER_PIN)), CKR_PENDING);
	OK(complete(a, "C_Login", NULL));
}

/* What is under way when the user logs out ends by the device's own rules. */
static void test_logout_while_pending(void **state)
{
	CK_ASYNC_DATA result = { 0, NULL, 0, 0, 0 };
	CK_RV rv;

	(void)state;
	RV(begin_pair(a, slow_bits), CKR_PENDING);
	RV(p->C_Logout(a), CKR_OPERATION_ACTIVE);
	OK(p->C_Logout(s));
	rv = p->C_AsyncComplete(a, TEXT("C_GenerateKeyPair"), &result);
	assert_true(rv == CKR_PENDING || rv == CKR_USER_NOT_LOGGED_IN || rv == CKR_OK);
	OK(p->C_SessionCancel(a, CKF_GENERATE_KEY_PAIR));
}

static void test_finalize_while_pending(void **state)
{
	(void)state;
	RV(begin_pair(a, slow_bits), CKR_PENDING);
	OK(p->C_Finalize(NULL));
	RV(p->C_AsyncComplete(a, TEXT("C_GenerateKeyPair"), NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	OK(p->C_Initialize(NULL));
	slot = first_slot();
}

/* Has this process a ring of the kernel's? */
static bool has_ring(void)
{
	char path[32], target[64];
	bool found = false;
	ssize_t length;

	for (int fd = 0; fd < 1024 && !found; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, target, sizeof(target) - 1);
		if (length <= 0)
			continue;
		target[length] = '\0';
		found = strcmp(target, "anon_inode:[io_uring]") == 0;
	}
	return found;
}

/* Over the kernel's driver what is under way is in a ring, also after a fork and a new start. */
static void test_by_io_uring(void **state)
{
	int status = -1;
	pid_t child;

	(void)state;
	RV(begin_pair(a, 2048), CKR_PENDING);
	assert_true(has_ring());
	child = fork();
	if (child == 0)
		_exit(p->C_Finalize(NULL) == CKR_CRYPTOKI_NOT_INITIALIZED &&
				      p->C_Initialize(NULL) == CKR_OK
			      ? 0
			      : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	OK(complete(a, "C_GenerateKeyPair", &(CK_ASYNC_DATA){ 0, NULL, 0, 0, 0 }));
	OK(p->C_Finalize(NULL));
	assert_false(has_ring());
	OK(p->C_Initialize(NULL));
	slot = first_slot();
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_session),
		T(test_key_pair_and_signature),
		T(test_errors),
		T(test_side_by_side),
		T(test_cancel),
		T(test_close_while_pending),
		T(test_login),
		T(test_logout_while_pending),
		T(test_finalize_while_pending),
		T(test_by_io_uring),
	};

	const char *device = getenv("HSM_TEST_DEVICE");
	bool driver = device && strncmp(device, "/dev/", 5) == 0;

	/* The last one is about the kernel's driver. */
	return _cmocka_run_group_tests("tests", tests, COUNT(tests) - (driver ? 0 : 1), setup_token,
				       teardown);
}
