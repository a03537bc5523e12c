// SPDX-License-Identifier: Apache-2.0
/*
 * C_LoginUser: users with names, made by hsmctl as an administrator makes them, as an application meets them.
 */
#include <stdlib.h>
#include "fixture.h"

#define NAMED_PIN "named-pin-5678"

static void put_file(const char *name, const char *text)
{
	char path[512];
	FILE *file;
	int closed;

	snprintf(path, sizeof(path), "%s/%s", getenv("TMPDIR"), name);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%s\n", text);
	closed = fclose(file);
	assert_int_equal(closed, 0);
}

static void add_user(const char *name, const char *role)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "hsmctl user add %s --role %s --pin-file $TMPDIR/so --new-pin-file $TMPDIR/named",
		 name, role);
	assert_int_equal(system(command), 0);
}

static int setup_users(void **state)
{
	int ret = setup_token(state);

	if (ret)
		return ret;
	umask(077);
	put_file("so", SO_PIN);
	put_file("named", NAMED_PIN);
	add_user("ulla", "user");
	add_user("max", "manager");
	add_user("rita", "read-only");
	return 0;
}

static CK_RV login(CK_SESSION_HANDLE s, const char *name)
{
	return p->C_LoginUser(s, CKU_USER, PIN(NAMED_PIN), PIN(name));
}

static CK_RV generate(CK_SESSION_HANDLE s, CK_BBOOL token, CK_OBJECT_HANDLE *key)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG length = 16;
	CK_ATTRIBUTE template[] = { A(CKA_VALUE_LEN, length), A(CKA_TOKEN, token),
				    YES(CKA_ENCRYPT) };

	return p->C_GenerateKey(s, &mechanism, template, 3, key);
}

static CK_RV use(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
	CK_MECHANISM mechanism = { CKM_AES_ECB, NULL, 0 };

	return p->C_EncryptInit(s, &mechanism, key);
}

static CK_STATE state_of(CK_SESSION_HANDLE s)
{
	CK_SESSION_INFO info;

	OK(p->C_GetSessionInfo(s, &info));
	return info.state;
}

static void a_user_uses_keys_and_changes_none(void **state)
{
	CK_SESSION_HANDLE s = session(RW);
	CK_OBJECT_HANDLE key;

	(void)state;
	OK(login(s, "ulla"));
	assert_int_equal(state_of(s), CKS_RO_USER_FUNCTIONS);
	RV(generate(s, CK_TRUE, &key), CKR_SESSION_READ_ONLY);
	OK(generate(s, CK_FALSE, &key));
	OK(use(s, key));
}

static void a_manager_makes_keys_and_uses_none(void **state)
{
	CK_SESSION_HANDLE s = session(RW);
	CK_OBJECT_HANDLE key;

	(void)state;
	OK(login(s, "max"));
	assert_int_equal(state_of(s), CKS_RW_USER_FUNCTIONS);
	OK(generate(s, CK_TRUE, &key));
	RV(use(s, key), CKR_KEY_FUNCTION_NOT_PERMITTED);
	OK(p->C_DestroyObject(s, key));
}

static void a_reader_does_neither(void **state)
{
	CK_SESSION_HANDLE s = session(RW);
	CK_OBJECT_HANDLE key;

	(void)state;
	OK(login(s, "rita"));
	assert_int_equal(state_of(s), CKS_RO_USER_FUNCTIONS);
	RV(generate(s, CK_TRUE, &key), CKR_SESSION_READ_ONLY);
	RV(generate(s, CK_FALSE, &key), CKR_USER_NOT_LOGGED_IN);
}

static void logins_exclude_one_another(void **state)
{
	CK_SESSION_HANDLE s = session(RW);

	(void)state;
	RV(login(s, "nobody"), CKR_PIN_INCORRECT);
	RV(p->C_LoginUser(s, CKU_USER, PIN("wrong"), PIN("ulla")), CKR_PIN_INCORRECT);
	OK(login(s, "ulla"));
	RV(login(s, "ulla"), CKR_USER_ALREADY_LOGGED_IN);
	RV(login(s, "rita"), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	RV(p->C_Login(s, CKU_USER, PIN(USER_PIN)), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	OK(p->C_Logout(s));
	OK(p->C_Login(s, CKU_USER, PIN(USER_PIN)));
	RV(login(s, "ulla"), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
}

static void a_user_changes_its_own_pin(void **state)
{
	CK_SESSION_HANDLE s = session(RW);

	(void)state;
	OK(login(s, "ulla"));
	OK(p->C_SetPIN(s, PIN(NAMED_PIN), PIN("another-pin")));
	OK(p->C_Logout(s));
	RV(login(s, "ulla"), CKR_PIN_INCORRECT);
	OK(p->C_LoginUser(s, CKU_USER, PIN("another-pin"), PIN("ulla")));
	OK(p->C_SetPIN(s, PIN("another-pin"), PIN(NAMED_PIN)));
	OK(p->C_Logout(s));
	OK(p->C_Login(s, CKU_USER, PIN(USER_PIN)));
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_user_uses_keys_and_changes_none),
		TEST(a_manager_makes_keys_and_uses_none),
		TEST(a_reader_does_neither),
		TEST(logins_exclude_one_another),
		TEST(a_user_changes_its_own_pin),
	};

	return cmocka_run_group_tests(tests, setup_users, teardown);
}
