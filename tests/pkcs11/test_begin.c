// SPDX-License-Identifier: Apache-2.0
/*
 * The module may keep the beginning of a signature until there is something to sign, and knows for a moment what the
 * device said of a session. An application must not be able to tell: each case here runs where nothing is known yet
 * and where signatures came right before, and every answer has to be the same.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "fixture.h"

#define ANSWERS 32

static CK_BYTE value[16] = "0123456789abcdef";
static CK_BYTE message[10000];

/* What a case was answered, call after call */
static struct {
	CK_RV rv[ANSWERS];
	size_t count;
} answers[2], *now;

static void tell(CK_RV rv)
{
	assert_true(now->count < ANSWERS);
	now->rv[now->count++] = rv;
}

static CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 };

static CK_OBJECT_HANDLE mac_key(CK_SESSION_HANDLE s)
{
	return secret_key(s, CKK_GENERIC_SECRET, value, sizeof(value));
}

static void expect_mac(const CK_BYTE *mac, CK_ULONG length, size_t size)
{
	unsigned int expected_length = 0;
	CK_BYTE expected[32];

	assert_non_null(HMAC(EVP_sha256(), value, sizeof(value), message, size, expected,
			     &expected_length));
	assert_int_equal(length, expected_length);
	assert_memory_equal(mac, expected, expected_length);
}

static void prime(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
	CK_BYTE mac[32];
	CK_ULONG length;
	int i;

	for (i = 0; i < 2; i++) {
		length = sizeof(mac);
		OK(p->C_SignInit(s, &hmac, key));
		OK(p->C_Sign(s, message, 50 + i, mac, &length));
		expect_mac(mac, length, 50 + i);
	}
}

/* @one: with a session and a key of its own, first as new and then after signatures */
static void both_ways(void (*one)(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key))
{
	CK_OBJECT_HANDLE key;
	CK_SESSION_HANDLE s;
	size_t i, primed;

	for (primed = 0; primed < 2; primed++) {
		now = &answers[primed];
		now->count = 0;
		s = user_session();
		key = mac_key(s);
		if (primed)
			prime(s, key);
		one(s, key);
		p->C_CloseAllSessions(slot);
	}
	assert_int_equal(answers[0].count, answers[1].count);
	for (i = 0; i < answers[0].count; i++)
		if (answers[0].rv[i] != answers[1].rv[i])
			fail_msg("call %zu: 0x%lx as new, 0x%lx after signatures", i,
				 answers[0].rv[i], answers[1].rv[i]);
}

#define CASE(name)                                                          \
	static void name##_case(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key); \
	static void name(void **state)                                      \
	{                                                                   \
		(void)state;                                                \
		both_ways(name##_case);                                     \
	}                                                                   \
	static void name##_case(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)

/* ---- one session ---- */

CASE(begun_twice)
{
	CK_BYTE mac[32];
	CK_ULONG length = sizeof(mac);

	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_Sign(s, message, 10, mac, &length));
	expect_mac(mac, length, 10);
	tell(p->C_Sign(s, message, 10, mac, &length));
}

CASE(lengths)
{
	CK_BYTE mac[32];
	CK_ULONG length = 0;

	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_Sign(s, message, 10, NULL, &length));
	assert_int_equal(length, 32);
	length = 31;
	tell(p->C_Sign(s, message, 10, mac, &length));
	assert_int_equal(length, 32);
	tell(p->C_Sign(s, message, 10, NULL, NULL));
	tell(p->C_Sign(s, message, 10, mac, &length));
	expect_mac(mac, length, 10);
	/* The buffer is too small for the first that asks. */
	length = 31;
	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_Sign(s, message, 11, mac, &length));
	assert_int_equal(length, 32);
	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_Sign(s, message, 11, mac, &length));
	expect_mac(mac, length, 11);
}

CASE(parts)
{
	static const size_t sizes[] = { 0, 1, 100, 4096, 4097, 10000 };
	CK_BYTE mac[32];
	CK_ULONG length;
	size_t i, half;

	for (i = 0; i < COUNT(sizes); i++) {
		half = sizes[i] / 2;
		OK(p->C_SignInit(s, &hmac, key));
		OK(p->C_SignUpdate(s, message, half));
		OK(p->C_SignUpdate(s, message + half, sizes[i] - half));
		length = i & 1 ? 5 : sizeof(mac);
		if (i & 1) {
			RV(p->C_SignFinal(s, mac, &length), CKR_BUFFER_TOO_SMALL);
			OK(p->C_SignFinal(s, NULL, &length));
		}
		OK(p->C_SignFinal(s, mac, &length));
		expect_mac(mac, length, sizes[i]);
	}
	/* No part at all */
	OK(p->C_SignInit(s, &hmac, key));
	OK(p->C_SignFinal(s, mac, &length));
	expect_mac(mac, length, 0);
	tell(p->C_SignUpdate(s, message, 1));
	tell(p->C_SignFinal(s, mac, &length));
}

CASE(one_piece_after_a_part)
{
	CK_BYTE mac[32];
	CK_ULONG length = sizeof(mac);

	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_SignUpdate(s, message, 1));
	tell(p->C_Sign(s, message, 1, mac, &length));
	tell(p->C_SignFinal(s, mac, &length));
}

CASE(cancelled)
{
	CK_BYTE mac[32];
	CK_ULONG length = sizeof(mac);

	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_SessionCancel(s, CKF_SIGN));
	tell(p->C_Sign(s, message, 1, mac, &length));
	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_SignUpdate(s, message, 7));
	tell(p->C_SignInit(s, NULL, 0));
	tell(p->C_SignFinal(s, mac, &length));
	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_SessionCancel(s, CKF_VERIFY));
	tell(p->C_Sign(s, message, 3, mac, &length));
	expect_mac(mac, length, 3);
}

CASE(what_is_wrong_is_said_at_once)
{
	CK_MECHANISM other = { CKM_SHA256, NULL, 0 }, unknown = { 0x7fffffff, NULL, 0 };
	CK_MECHANISM parameter = { CKM_SHA256_HMAC, message, 4 };
	CK_ULONG length = 32;

	tell(p->C_SignInit(s, &other, key));
	tell(p->C_SignInit(s, &unknown, key));
	tell(p->C_SignInit(s, &parameter, key));
	tell(p->C_SignInit(s, &hmac, 99999));
	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_Sign(s, NULL, 5, message, &length));
	tell(p->C_SignUpdate(s, NULL, 5));
	tell(p->C_SignFinal(s, message, NULL));
}

CASE(a_state_is_saved)
{
	CK_SESSION_HANDLE other = user_session();
	CK_BYTE saved[20000], mac[32];
	CK_ULONG size = sizeof(saved), length = sizeof(mac);

	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_SignUpdate(s, message, 20));
	tell(p->C_GetOperationState(s, saved, &size));
	OK(p->C_SetOperationState(other, saved, size, 0, key));
	OK(p->C_SignUpdate(other, message + 20, 5));
	OK(p->C_SignFinal(other, mac, &length));
	expect_mac(mac, length, 25);
	tell(p->C_SignUpdate(s, message + 20, 10));
	tell(p->C_SignFinal(s, mac, &length));
	expect_mac(mac, length, 30);
	/* A state that brings a signature makes it active. */
	OK(p->C_SetOperationState(s, saved, size, 0, key));
	tell(p->C_SignInit(s, &hmac, key));
}

CASE(other_operations_beside_it)
{
	CK_MECHANISM digest = { CKM_SHA256, NULL, 0 };
	CK_BYTE mac[32], hash[32];
	CK_ULONG length = sizeof(mac), size = sizeof(hash);
	CK_OBJECT_HANDLE found;
	CK_ULONG count;

	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_FindObjectsInit(s, NULL, 0));
	tell(p->C_DigestInit(s, &digest));
	tell(p->C_SignUpdate(s, message, 6));
	tell(p->C_FindObjects(s, &found, 1, &count));
	tell(p->C_Digest(s, message, 6, hash, &size));
	tell(p->C_FindObjectsFinal(s));
	tell(p->C_SignFinal(s, mac, &length));
	expect_mac(mac, length, 6);
}

/* ---- what happens elsewhere in the application ---- */

static CK_STATE state_of(CK_SESSION_HANDLE s)
{
	CK_SESSION_INFO info;

	OK(p->C_GetSessionInfo(s, &info));
	return info.state;
}

struct elsewhere {
	CK_SESSION_HANDLE s;
	CK_OBJECT_HANDLE key;
	CK_RV rv;
};

static void *log_out(void *argument)
{
	struct elsewhere *e = argument;

	e->rv = p->C_Logout(e->s);
	return NULL;
}

static void *destroy(void *argument)
{
	struct elsewhere *e = argument;

	e->rv = p->C_DestroyObject(e->s, e->key);
	return NULL;
}

static void *forbid(void *argument)
{
	CK_ATTRIBUTE attribute[] = { NO(CKA_SIGN) };
	struct elsewhere *e = argument;

	e->rv = p->C_SetAttributeValue(e->s, e->key, attribute, 1);
	return NULL;
}

static void in_a_thread(void *(*work)(void *), CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
	struct elsewhere e = { .s = s, .key = key };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, work, &e), 0);
	pthread_join(thread, NULL);
	tell(e.rv);
}

CASE(logged_out_between)
{
	CK_SESSION_HANDLE other = session(RW);
	CK_BYTE mac[32];
	CK_ULONG length = sizeof(mac);

	tell(p->C_SignInit(s, &hmac, key));
	in_a_thread(log_out, other, 0);
	tell(state_of(s));
	tell(state_of(other));
	tell(p->C_Sign(s, message, 1, mac, &length));
	tell(p->C_SignInit(s, &hmac, key));
}

CASE(destroyed_between)
{
	CK_SESSION_HANDLE other = session(RW);
	CK_BYTE mac[32];
	CK_ULONG length = sizeof(mac);

	tell(p->C_SignInit(s, &hmac, key));
	in_a_thread(destroy, other, key);
	tell(p->C_Sign(s, message, 1, mac, &length));
	tell(p->C_SignInit(s, &hmac, key));
}

CASE(destroyed_before)
{
	in_a_thread(destroy, session(RW), key);
	tell(p->C_SignInit(s, &hmac, key));
}

CASE(forbidden_between)
{
	CK_SESSION_HANDLE other = session(RW);
	CK_BYTE mac[32];
	CK_ULONG length = sizeof(mac);

	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_SignUpdate(s, message, 9));
	in_a_thread(forbid, other, key);
	tell(p->C_SignFinal(s, mac, &length));
	tell(p->C_SignInit(s, &hmac, key));
}

/* An object of a session goes with it, whoever uses it. */
CASE(the_session_of_the_key_is_closed)
{
	CK_SESSION_HANDLE other = session(RW);
	CK_BYTE mac[32];
	CK_ULONG length = sizeof(mac);

	key = mac_key(other);
	if (now == &answers[1])
		prime(s, key);
	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_CloseSession(other));
	tell(p->C_Sign(s, message, 1, mac, &length));
	other = session(RW);
	key = mac_key(other);
	if (now == &answers[1])
		prime(s, key);
	tell(p->C_CloseSession(other));
	tell(p->C_SignInit(s, &hmac, key));
}

CASE(sessions_closed)
{
	CK_BYTE mac[32];
	CK_ULONG length = sizeof(mac);

	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_CloseAllSessions(slot));
	tell(p->C_Sign(s, message, 1, mac, &length));
	/* Whoever comes next, in the same place, has nothing of it. */
	s = user_session();
	tell(p->C_Sign(s, message, 1, mac, &length));
	tell(p->C_SignUpdate(s, message, 1));
	key = mac_key(s);
	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_Sign(s, message, 1, mac, &length));
}

static int in_child(void)
{
	CK_BYTE mac[32];
	CK_ULONG length = sizeof(mac);
	CK_OBJECT_HANDLE key;
	CK_SESSION_HANDLE s;

	if (p->C_Initialize(NULL) != CKR_OK)
		return 1;
	slot = first_slot();
	s = user_session();
	key = mac_key(s);
	if (p->C_Sign(s, message, 1, mac, &length) != CKR_OPERATION_NOT_INITIALIZED)
		return 2;
	prime(s, key);
	return p->C_Finalize(NULL) == CKR_OK ? 0 : 3;
}

CASE(forked_between)
{
	CK_BYTE mac[32];
	CK_ULONG length = sizeof(mac);
	int status;
	pid_t pid;

	tell(p->C_SignInit(s, &hmac, key));
	tell(p->C_SignUpdate(s, message, 100));
	pid = fork();
	if (!pid)
		_exit(in_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	tell(p->C_SignFinal(s, mac, &length));
	expect_mac(mac, length, 100);
}

/* ---- who is logged in is the same in every session, at once ---- */

static void logins_are_seen_everywhere(void **state)
{
	CK_SESSION_HANDLE ro = session(RO), rw = session(RW);
	int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		assert_int_equal(state_of(ro), CKS_RO_PUBLIC_SESSION);
		assert_int_equal(state_of(rw), CKS_RW_PUBLIC_SESSION);
		OK(p->C_Login(i & 1 ? rw : ro, CKU_USER, PIN(USER_PIN)));
		assert_int_equal(state_of(ro), CKS_RO_USER_FUNCTIONS);
		assert_int_equal(state_of(rw), CKS_RW_USER_FUNCTIONS);
		OK(p->C_Logout(i & 1 ? ro : rw));
	}
	OK(p->C_CloseSession(ro));
	OK(p->C_Login(rw, CKU_SO, PIN(SO_PIN)));
	assert_int_equal(state_of(rw), CKS_RW_SO_FUNCTIONS);
	/* The last session that is closed logs out. */
	OK(p->C_CloseSession(rw));
	rw = session(RW);
	assert_int_equal(state_of(rw), CKS_RW_PUBLIC_SESSION);
}

/* Another application has its own, and ends what both have. */
static void other_applications(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_BYTE mac[32];
	CK_ULONG length = sizeof(mac);
	struct pair pair =
		ec_pair(s, CKM_EC_KEY_PAIR_GEN, oid_p256, sizeof(oid_p256), CK_TRUE, "shared");
	CK_MECHANISM ecdsa = { CKM_ECDSA_SHA256, NULL, 0 };
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE template[] = { A(CKA_CLASS, class), STRING(CKA_LABEL, "shared") };
	CK_OBJECT_HANDLE found = 0;
	CK_BYTE signature[64];
	int status, i;
	CK_RV rv;
	pid_t pid;

	(void)state;
	for (i = 0; i < 3; i++) {
		length = sizeof(signature);
		OK(p->C_SignInit(s, &ecdsa, pair.private_key));
		OK(p->C_Sign(s, message, 10, signature, &length));
	}
	pid = fork();
	if (!pid) {
		OK(p->C_Initialize(NULL));
		slot = first_slot();
		s = session(RW);
		if (state_of(s) != CKS_RW_PUBLIC_SESSION)
			_exit(1);
		s = user_session();
		if (find(s, template, COUNT(template), &found, 1) != 1)
			_exit(2);
		_exit(p->C_DestroyObject(s, found) == CKR_OK ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(state_of(s), CKS_RW_USER_FUNCTIONS);
	/* No signature by a key that was destroyed, whichever of the two calls says so. */
	length = sizeof(signature);
	rv = p->C_SignInit(s, &ecdsa, pair.private_key);
	if (rv == CKR_OK)
		RV(p->C_Sign(s, message, 10, signature, &length), CKR_OPERATION_NOT_INITIALIZED);
	else
		assert_int_equal(rv, CKR_KEY_HANDLE_INVALID);
	RV(p->C_SignInit(s, &ecdsa, pair.private_key), CKR_KEY_HANDLE_INVALID);
	OK(p->C_SignInit(s, &hmac, mac_key(s)));
	length = sizeof(mac);
	OK(p->C_Sign(s, message, 10, mac, &length));
	expect_mac(mac, length, 10);
}

static void a_pin_for_each_signature(void **state)
{
	CK_MECHANISM pair_gen = { CKM_EC_KEY_PAIR_GEN, NULL, 0 }, ecdsa = { CKM_ECDSA, NULL, 0 };
	CK_ATTRIBUTE public_key[] = { { CKA_EC_PARAMS, (void *)oid_p256, sizeof(oid_p256) } };
	CK_ATTRIBUTE private_key[] = { YES(CKA_SIGN), YES(CKA_PRIVATE),
				       YES(CKA_ALWAYS_AUTHENTICATE) };
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE pub, key;
	CK_BYTE signature[64];
	CK_ULONG length;
	int i;

	(void)state;
	OK(p->C_GenerateKeyPair(s, &pair_gen, public_key, 1, private_key, COUNT(private_key), &pub,
				&key));
	for (i = 0; i < 4; i++) {
		length = sizeof(signature);
		OK(p->C_SignInit(s, &ecdsa, key));
		OK(p->C_Login(s, CKU_CONTEXT_SPECIFIC, PIN(USER_PIN)));
		OK(p->C_Sign(s, message, 32, signature, &length));
		OK(p->C_SignInit(s, &ecdsa, key));
		RV(p->C_Sign(s, message, 32, signature, &length), CKR_USER_NOT_LOGGED_IN);
	}
}

static void as_often_as_the_limit_says(void **state)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_ULONG limit = 3, length;
	CK_ATTRIBUTE template[] = { A(CKA_CLASS, class), A(CKA_KEY_TYPE, type), A(CKA_VALUE, value),
				    YES(CKA_SIGN), A(CKA_HSM_USE_LIMIT, limit) };
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key;
	CK_BYTE mac[32];
	int i;

	(void)state;
	OK(p->C_CreateObject(s, template, COUNT(template), &key));
	for (i = 0; i < 3; i++) {
		length = sizeof(mac);
		OK(p->C_SignInit(s, &hmac, key));
		OK(p->C_Sign(s, message, 4, mac, &length));
	}
	RV(p->C_SignInit(s, &hmac, key), CKR_KEY_EXHAUSTED);
}

#define CLEAN(test) cmocka_unit_test_teardown(test, close_all)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CLEAN(begun_twice),
		CLEAN(lengths),
		CLEAN(parts),
		CLEAN(one_piece_after_a_part),
		CLEAN(cancelled),
		CLEAN(what_is_wrong_is_said_at_once),
		CLEAN(a_state_is_saved),
		CLEAN(other_operations_beside_it),
		CLEAN(logged_out_between),
		CLEAN(destroyed_between),
		CLEAN(destroyed_before),
		CLEAN(forbidden_between),
		CLEAN(the_session_of_the_key_is_closed),
		CLEAN(sessions_closed),
		CLEAN(forked_between),
		CLEAN(logins_are_seen_everywhere),
		CLEAN(other_applications),
		CLEAN(a_pin_for_each_signature),
		CLEAN(as_often_as_the_limit_says),
	};
	size_t i;

	for (i = 0; i < sizeof(message); i++)
		message[i] = 7 * i + 1;
	return cmocka_run_group_tests(tests, setup_token, teardown);
}
