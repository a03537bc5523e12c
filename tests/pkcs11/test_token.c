// SPDX-License-Identifier: Apache-2.0
/*
 * Initialization of a token, PINs and their retry limit, login states, sessions.
 */
#include "fixture.h"

static CK_STATE state_of(CK_SESSION_HANDLE s)
{
	CK_SESSION_INFO info;

	OK(p->C_GetSessionInfo(s, &info));
	assert_int_equal(info.slotID, slot);
	return info.state;
}

static CK_FLAGS token_flags(void)
{
	CK_TOKEN_INFO info;

	OK(p->C_GetTokenInfo(slot, &info));
	return info.flags;
}

static void initialized_token(void **state)
{
	CK_TOKEN_INFO info;

	(void)state;
	OK(p->C_GetTokenInfo(slot, &info));
	assert_memory_equal(info.label, "test token                      ", 32);
	assert_true(info.flags & CKF_TOKEN_INITIALIZED);
	assert_true(info.flags & CKF_USER_PIN_INITIALIZED);
	assert_true(info.flags & CKF_LOGIN_REQUIRED);
	assert_true(info.flags & CKF_RNG);
	assert_int_equal(info.ulSessionCount, 0);
	assert_true(info.ulMinPinLen <= strlen(USER_PIN) && info.ulMaxPinLen >= strlen(USER_PIN));
}

static void login_states(void **state)
{
	CK_SESSION_HANDLE ro = session(RO), rw = session(RW), late;

	(void)state;
	assert_int_equal(state_of(ro), CKS_RO_PUBLIC_SESSION);
	assert_int_equal(state_of(rw), CKS_RW_PUBLIC_SESSION);
	RV(p->C_Logout(ro), CKR_USER_NOT_LOGGED_IN);
	RV(p->C_Login(rw, CKU_SO, PIN(SO_PIN)), CKR_SESSION_READ_ONLY_EXISTS);
	OK(p->C_Login(ro, CKU_USER, PIN(USER_PIN)));
	assert_int_equal(state_of(ro), CKS_RO_USER_FUNCTIONS);
	assert_int_equal(state_of(rw), CKS_RW_USER_FUNCTIONS);
	RV(p->C_Login(rw, CKU_USER, PIN(USER_PIN)), CKR_USER_ALREADY_LOGGED_IN);
	RV(p->C_Login(rw, CKU_SO, PIN(SO_PIN)), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	late = session(RO);
	assert_int_equal(state_of(late), CKS_RO_USER_FUNCTIONS);
	OK(p->C_Logout(late));
	assert_int_equal(state_of(rw), CKS_RW_PUBLIC_SESSION);
}

static void so_sessions(void **state)
{
	CK_SESSION_HANDLE rw = session(RW), s;

	(void)state;
	RV(p->C_InitPIN(rw, PIN(USER_PIN)), CKR_USER_NOT_LOGGED_IN);
	OK(p->C_Login(rw, CKU_SO, PIN(SO_PIN)));
	assert_int_equal(state_of(rw), CKS_RW_SO_FUNCTIONS);
	RV(p->C_OpenSession(slot, RO, NULL, NULL, &s), CKR_SESSION_READ_WRITE_SO_EXISTS);
	RV(p->C_Login(rw, CKU_USER, PIN(USER_PIN)), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	OK(p->C_Logout(rw));
	RV(p->C_Login(rw, 99, PIN(USER_PIN)), CKR_USER_TYPE_INVALID);
}

/* The last session that closes takes the login along. */
static void login_ends_with_the_last_session(void **state)
{
	CK_SESSION_HANDLE one = user_session(), two = session(RO);

	(void)state;
	OK(p->C_CloseSession(one));
	assert_int_equal(state_of(two), CKS_RO_USER_FUNCTIONS);
	OK(p->C_CloseSession(two));
	one = session(RO);
	assert_int_equal(state_of(one), CKS_RO_PUBLIC_SESSION);
}

static void session_counts(void **state)
{
	CK_SESSION_HANDLE s[20];
	CK_TOKEN_INFO info;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(s); i++)
		s[i] = session(i % 2 ? RO : RW);
	OK(p->C_GetTokenInfo(slot, &info));
	assert_int_equal(info.ulSessionCount, 20);
	assert_int_equal(info.ulRwSessionCount, 10);
	OK(p->C_CloseAllSessions(slot));
	OK(p->C_GetTokenInfo(slot, &info));
	assert_int_equal(info.ulSessionCount, 0);
	for (i = 0; i < COUNT(s); i++)
		RV(p->C_CloseSession(s[i]), CKR_SESSION_HANDLE_INVALID);
}

static void pin_changes(void **state)
{
	CK_SESSION_HANDLE ro = session(RO), s = session(RW);

	(void)state;
	RV(p->C_SetPIN(ro, PIN(USER_PIN), PIN("another-pin")), CKR_SESSION_READ_ONLY);
	OK(p->C_CloseSession(ro));
	/* In a public session it is the user's PIN. */
	RV(p->C_SetPIN(s, PIN("wrong-pin"), PIN("another-pin")), CKR_PIN_INCORRECT);
	OK(p->C_SetPIN(s, PIN(USER_PIN), PIN("another-pin")));
	RV(p->C_Login(s, CKU_USER, PIN(USER_PIN)), CKR_PIN_INCORRECT);
	OK(p->C_Login(s, CKU_USER, PIN("another-pin")));
	OK(p->C_SetPIN(s, PIN("another-pin"), PIN(USER_PIN)));
	OK(p->C_Logout(s));
	OK(p->C_Login(s, CKU_USER, PIN(USER_PIN)));
	OK(p->C_Logout(s));
	OK(p->C_Login(s, CKU_SO, PIN(SO_PIN)));
	OK(p->C_SetPIN(s, PIN(SO_PIN), PIN("new-so-pin")));
	OK(p->C_SetPIN(s, PIN("new-so-pin"), PIN(SO_PIN)));
}

static void pin_lengths(void **state)
{
	CK_SESSION_HANDLE s = session(RW);
	CK_UTF8CHAR huge[4096];

	(void)state;
	memset(huge, 'x', sizeof(huge));
	RV(p->C_Login(s, CKU_USER, NULL, 5), CKR_ARGUMENTS_BAD);
	RV(p->C_Login(s, CKU_USER, huge, sizeof(huge)), CKR_PIN_INCORRECT);
	OK(p->C_Login(s, CKU_SO, PIN(SO_PIN)));
	RV(p->C_InitPIN(s, PIN("")), CKR_PIN_LEN_RANGE);
	RV(p->C_InitPIN(s, huge, sizeof(huge)), CKR_PIN_LEN_RANGE);
	RV(p->C_SetPIN(s, PIN(SO_PIN), huge, sizeof(huge)), CKR_PIN_LEN_RANGE);
}

static void wrong_so_pin_changes_nothing(void **state)
{
	unsigned char label[33] = "stolen                          ";
	CK_TOKEN_INFO info;
	CK_SESSION_HANDLE s;

	(void)state;
	RV(p->C_InitToken(slot, PIN("not-the-so-pin"), label), CKR_PIN_INCORRECT);
	s = session(RO);
	RV(p->C_InitToken(slot, PIN(SO_PIN), label), CKR_SESSION_EXISTS);
	OK(p->C_CloseSession(s));
	RV(p->C_InitToken(slot, NULL, 4, label), CKR_ARGUMENTS_BAD);
	RV(p->C_InitToken(slot, PIN(SO_PIN), NULL), CKR_ARGUMENTS_BAD);
	OK(p->C_GetTokenInfo(slot, &info));
	assert_memory_equal(info.label, "test token", 10);
}

/* Wrong PINs lock; the flags say so; a restart of the module does not help; the SO does. */
static void retry_limit(void **state)
{
	CK_SESSION_HANDLE s = session(RW);
	CK_RV rv = CKR_OK;
	int tries;

	(void)state;
	for (tries = 0; tries < 100 && rv != CKR_PIN_LOCKED; tries++) {
		rv = p->C_Login(s, CKU_USER, PIN("a-wrong-pin"));
		assert_true(rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED);
		if (!tries)
			assert_true(token_flags() & CKF_USER_PIN_COUNT_LOW);
	}
	assert_true(tries >= 3 && tries <= 20);
	assert_true(token_flags() & CKF_USER_PIN_LOCKED);
	RV(p->C_Login(s, CKU_USER, PIN(USER_PIN)), CKR_PIN_LOCKED);
	OK(p->C_Finalize(NULL));
	OK(p->C_Initialize(NULL));
	slot = first_slot();
	s = session(RW);
	RV(p->C_Login(s, CKU_USER, PIN(USER_PIN)), CKR_PIN_LOCKED);
	OK(p->C_Login(s, CKU_SO, PIN(SO_PIN)));
	OK(p->C_InitPIN(s, PIN(USER_PIN)));
	OK(p->C_Logout(s));
	OK(p->C_Login(s, CKU_USER, PIN(USER_PIN)));
	assert_false(token_flags() & (CKF_USER_PIN_LOCKED | CKF_USER_PIN_COUNT_LOW));
}

static void ten_thousand_sessions(void **state)
{
	static CK_SESSION_HANDLE s[10000];
	CK_SESSION_INFO session_info;
	CK_TOKEN_INFO info;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(s); i++)
		s[i] = session(i % 4 ? RO : RW);
	OK(p->C_GetTokenInfo(slot, &info));
	assert_int_equal(info.ulSessionCount, COUNT(s));
	assert_int_equal(info.ulRwSessionCount, COUNT(s) / 4);
	assert_true(info.ulMaxSessionCount >= COUNT(s));
	OK(p->C_Login(s[0], CKU_USER, PIN(USER_PIN)));
	for (i = 0; i < COUNT(s); i += 999) {
		OK(p->C_GetSessionInfo(s[i], &session_info));
		assert_int_equal(session_info.state,
				 i % 4 ? CKS_RO_USER_FUNCTIONS : CKS_RW_USER_FUNCTIONS);
	}
	OK(p->C_CloseAllSessions(slot));
}

static void initialization_destroys_objects(void **state)
{
	CK_SESSION_HANDLE s = user_session();

	(void)state;
	p256_pair(s, CK_TRUE, "goes with the token");
	assert_int_equal(find_label(s, "goes with the token"), 2);
	OK(p->C_CloseAllSessions(slot));
	token_new();
	s = user_session();
	assert_int_equal(find_label(s, "goes with the token"), 0);
}

/* Named users are made by hsmctl: tests/interop/users.sh. Here is who has no name. */
static void names_of_users(void **state)
{
	CK_SESSION_HANDLE s = session(RW);
	CK_UTF8CHAR long_name[100] = { 'x' };

	(void)state;
	RV(p->C_LoginUser(s, CKU_USER, PIN(USER_PIN), PIN("somebody")), CKR_PIN_INCORRECT);
	RV(p->C_LoginUser(s, CKU_SO, PIN(SO_PIN), PIN("somebody")), CKR_PIN_INCORRECT);
	RV(p->C_LoginUser(s, 7, PIN(USER_PIN), PIN("somebody")), CKR_USER_TYPE_INVALID);
	RV(p->C_LoginUser(s, CKU_USER, PIN(USER_PIN), long_name, sizeof(long_name)),
	   CKR_PIN_INCORRECT);
	RV(p->C_LoginUser(s, CKU_USER, PIN(USER_PIN), NULL, 4), CKR_ARGUMENTS_BAD);
	RV(p->C_LoginUser(s, CKU_USER, NULL, 4, PIN("somebody")), CKR_ARGUMENTS_BAD);
	RV(p->C_LoginUser(0, CKU_USER, PIN(USER_PIN), PIN("somebody")), CKR_SESSION_HANDLE_INVALID);
	OK(p->C_LoginUser(s, CKU_USER, PIN(USER_PIN), NULL, 0));
	RV(p->C_Login(s, CKU_USER, PIN(USER_PIN)), CKR_USER_ALREADY_LOGGED_IN);
}

static void not_supported(void **state)
{
	CK_SESSION_HANDLE s = session(RW);

	(void)state;
	RV(p->C_GetFunctionStatus(s), CKR_FUNCTION_NOT_PARALLEL);
	RV(p->C_CancelFunction(s), CKR_FUNCTION_NOT_PARALLEL);
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(initialized_token),     TEST(login_states),
		TEST(so_sessions),	     TEST(login_ends_with_the_last_session),
		TEST(session_counts),	     TEST(pin_changes),
		TEST(pin_lengths),	     TEST(wrong_so_pin_changes_nothing),
		TEST(retry_limit),	     TEST(initialization_destroys_objects),
		TEST(names_of_users),	     TEST(not_supported),
		TEST(ten_thousand_sessions),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
