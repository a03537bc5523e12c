// SPDX-License-Identifier: Apache-2.0
/*
 * Attacks that a token of any profile refuses, tried through the module on a compatible one: attributes, roles, wrapping,
 * deriving, and handles. Rules: Documentation/policy.rst.
 */
#include <sys/wait.h>
#include "attacks.h"

/* ---- attributes and roles ---- */

/* What protects a key is never taken back, also not on a copy or by way of a copy of a copy. */
static void protection_taken_back(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key, second;

	(void)state;
	OK(generate(s, 32,
		    ATTRS(YES(CKA_SENSITIVE), NO(CKA_EXTRACTABLE), YES(CKA_WRAP_WITH_TRUSTED)),
		    &key));
	RV(set(s, key, ATTRS(NO(CKA_WRAP_WITH_TRUSTED))), CKR_ATTRIBUTE_READ_ONLY);
	RV(copy(s, key, ATTRS(NO(CKA_WRAP_WITH_TRUSTED)), &second), CKR_ATTRIBUTE_READ_ONLY);
	RV(copy(s, key, ATTRS(NO(CKA_SENSITIVE)), &second), CKR_ATTRIBUTE_READ_ONLY);
	RV(copy(s, key, ATTRS(YES(CKA_EXTRACTABLE)), &second), CKR_ATTRIBUTE_READ_ONLY);
	RV(copy(s, key, ATTRS(NO(CKA_PRIVATE)), &second), CKR_ATTRIBUTE_READ_ONLY);
	OK(copy(s, key, ATTRS(STRING(CKA_LABEL, "copy")), &second));
	RV(copy(s, second, ATTRS(NO(CKA_WRAP_WITH_TRUSTED)), &key), CKR_ATTRIBUTE_READ_ONLY);
	RV(copy(s, second, ATTRS(NO(CKA_SENSITIVE)), &key), CKR_ATTRIBUTE_READ_ONLY);
	/* Set to what it is: no change */
	OK(set(s, second, ATTRS(YES(CKA_SENSITIVE), NO(CKA_EXTRACTABLE))));
	RV(set(s, second, ATTRS(NO(CKA_PRIVATE))), CKR_ATTRIBUTE_READ_ONLY);
}

/* The history of a key is the token's to write. */
static void forged_history(void **state)
{
	static const CK_ATTRIBUTE_TYPE history[] = { CKA_LOCAL, CKA_ALWAYS_SENSITIVE,
						     CKA_NEVER_EXTRACTABLE };
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key, kek, other;
	struct blob blob;
	size_t i;

	(void)state;
	OK(generate(s, 32, ATTRS(YES(CKA_WRAP), YES(CKA_UNWRAP)), &kek));
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE)), &key));
	OK(wrap(s, CKM_AES_KEY_WRAP, kek, key, &blob));
	for (i = 0; i < COUNT(history); i++) {
		REFUSED(import(s, ATTRS(YES(history[i])), &other));
		REFUSED(generate(s, 32, ATTRS(YES(history[i])), &other));
		REFUSED(unwrap_as(s, kek, &blob, CKK_AES, ATTRS(YES(history[i])), &other));
		REFUSED(derive_ecdh(s, p256_pair(s, CK_FALSE, "base"), 32, ATTRS(YES(history[i])),
				    &other));
		REFUSED(copy(s, key, ATTRS(YES(history[i])), &other));
		REFUSED(set(s, key, ATTRS(YES(history[i]))));
	}
	OK(unwrap_as(s, kek, &blob, CKK_AES, ATTRS(YES(CKA_SENSITIVE), NO(CKA_EXTRACTABLE)),
		     &other));
	for (i = 0; i < COUNT(history); i++)
		assert_false(get_bool(s, other, history[i]));
	OK(import(s, ATTRS(YES(CKA_SENSITIVE), NO(CKA_EXTRACTABLE)), &other));
	for (i = 0; i < COUNT(history); i++)
		assert_false(get_bool(s, other, history[i]));
}

/* Unwrapping what a sensitive key has wrapped does not make it readable, nor as another type. */
static void unwrapped_to_be_read(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_KEY_TYPE aes = CKK_AES;
	CK_ATTRIBUTE demand[] = { A(CKA_KEY_TYPE, aes) };
	CK_OBJECT_HANDLE kek, bound, key, other;
	struct blob blob;

	(void)state;
	OK(generate(s, 32, ATTRS(YES(CKA_WRAP), YES(CKA_UNWRAP)), &kek));
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE)), &key));
	OK(wrap(s, CKM_AES_KEY_WRAP, kek, key, &blob));
	RV(unwrap_as(s, kek, &blob, CKK_AES, ATTRS(NO(CKA_SENSITIVE), YES(CKA_EXTRACTABLE)),
		     &other),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(unwrap_as(s, kek, &blob, CKK_GENERIC_SECRET, ATTRS(NO(CKA_SENSITIVE)), &other),
	   CKR_TEMPLATE_INCONSISTENT);
	/* A blob that was changed is none. */
	blob.data[9] ^= 1;
	RV(unwrap_as(s, kek, &blob, CKK_AES, ATTRS(NO(CKA_TOKEN)), &other),
	   CKR_WRAPPED_KEY_INVALID);
	/* The unwrapping key says what type comes out of it. */
	OK(generate(s, 32,
		    ATTRS(YES(CKA_WRAP), YES(CKA_UNWRAP),
			  { CKA_UNWRAP_TEMPLATE, demand, sizeof(demand) }),
		    &bound));
	OK(wrap(s, CKM_AES_KEY_WRAP, bound, key, &blob));
	RV(unwrap_as(s, bound, &blob, CKK_GENERIC_SECRET, ATTRS(NO(CKA_TOKEN)), &other),
	   CKR_TEMPLATE_INCONSISTENT);
	OK(unwrap_as(s, bound, &blob, CKK_AES, ATTRS(NO(CKA_TOKEN)), &other));
}

/* CKA_TRUSTED is the SO's word: on no way can the user say it, or add to what the SO has vouched for. */
static void trust_of_ones_own(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE kek, key, other;
	struct blob blob;

	(void)state;
	RV(generate(s, 32, ATTRS(YES(CKA_TRUSTED)), &key), CKR_ATTRIBUTE_READ_ONLY);
	RV(import(s, ATTRS(YES(CKA_TRUSTED)), &key), CKR_ATTRIBUTE_READ_ONLY);
	OK(generate(s, 32,
		    ATTRS(YES(CKA_WRAP), YES(CKA_UNWRAP), NO(CKA_DECRYPT), NO(CKA_ENCRYPT),
			  NO(CKA_PRIVATE), YES(CKA_TOKEN)),
		    &kek));
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE)), &key));
	OK(wrap(s, CKM_AES_KEY_WRAP, kek, key, &blob));
	RV(unwrap_as(s, kek, &blob, CKK_AES, ATTRS(YES(CKA_TRUSTED)), &other),
	   CKR_ATTRIBUTE_READ_ONLY);
	RV(set(s, kek, ATTRS(YES(CKA_TRUSTED))), CKR_ATTRIBUTE_READ_ONLY);
	RV(copy(s, kek, ATTRS(YES(CKA_TRUSTED)), &other), CKR_ATTRIBUTE_READ_ONLY);
	so_trusts(s, kek);
	RV(set(s, kek, ATTRS(YES(CKA_DECRYPT))), CKR_ATTRIBUTE_READ_ONLY);
	RV(set(s, kek, ATTRS(YES(CKA_ENCRYPT))), CKR_ATTRIBUTE_READ_ONLY);
	RV(copy(s, kek, ATTRS(YES(CKA_DECRYPT)), &other), CKR_ATTRIBUTE_READ_ONLY);
	OK(copy(s, kek, ATTRS(NO(CKA_TRUSTED)), &other));
	OK(p->C_DestroyObject(s, kek));
}

/* CKA_WRAP_WITH_TRUSTED on every mechanism that wraps */
static void wrapped_without_trust(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	struct pair rsa = rsa_pair(s, 2048, CK_FALSE, "rsa");
	CK_OBJECT_HANDLE aes, key;
	CK_MECHANISM_TYPE types[1024];
	CK_ULONG count = COUNT(types), i, tried = 0;
	CK_MECHANISM_INFO info;
	struct blob blob;
	CK_RV rv;

	(void)state;
	OK(set(s, rsa.public_key, ATTRS(YES(CKA_WRAP))));
	OK(generate(s, 32, ATTRS(YES(CKA_WRAP)), &aes));
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE), YES(CKA_WRAP_WITH_TRUSTED)), &key));
	OK(p->C_GetMechanismList(slot, types, &count));
	for (i = 0; i < count; i++) {
		OK(p->C_GetMechanismInfo(slot, types[i], &info));
		if (!(info.flags & CKF_WRAP))
			continue;
		/* Some want a parameter or another key first; none wraps. */
		rv = wrap(s, types[i], info.ulMaxKeySize > 1024 ? rsa.public_key : aes, key, &blob);
		assert_int_not_equal(rv, CKR_OK);
		tried += rv == CKR_KEY_NOT_WRAPPABLE;
	}
	assert_true(tried >= 5);
	OK(generate(s, 32, ATTRS(NO(CKA_EXTRACTABLE)), &key));
	RV(wrap(s, CKM_AES_KEY_WRAP, aes, key, &blob), CKR_KEY_UNEXTRACTABLE);
}

/* Templates of wrapping, unwrapping and base keys hold for byte strings too, allowed mechanisms on every path. */
static void templates_of_keys(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_MECHANISM_TYPE padded[] = { CKM_AES_KEY_WRAP_KWP }, none[] = { CKM_AES_CMAC };
	CK_ATTRIBUTE demand[] = { STRING(CKA_ID, "mine"), YES(CKA_SENSITIVE) };
	CK_ATTRIBUTE allowed = { CKA_ALLOWED_MECHANISMS, padded, sizeof(padded) };
	CK_ATTRIBUTE other_use = { CKA_ALLOWED_MECHANISMS, none, sizeof(none) };
	CK_OBJECT_HANDLE kek, key, other;
	struct blob blob;
	char id[8];

	(void)state;
	OK(generate(s, 32,
		    ATTRS(YES(CKA_WRAP), YES(CKA_UNWRAP),
			  { CKA_WRAP_TEMPLATE, demand, sizeof(demand) },
			  { CKA_UNWRAP_TEMPLATE, demand, sizeof(demand) }),
		    &kek));
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE), YES(CKA_SENSITIVE), STRING(CKA_ID, "your")),
		    &key));
	REFUSED(wrap(s, CKM_AES_KEY_WRAP, kek, key, &blob));
	OK(set(s, key, ATTRS(STRING(CKA_ID, "mine"))));
	OK(wrap(s, CKM_AES_KEY_WRAP, kek, key, &blob));
	RV(unwrap_as(s, kek, &blob, CKK_AES, ATTRS(STRING(CKA_ID, "your")), &other),
	   CKR_TEMPLATE_INCONSISTENT);
	OK(unwrap_as(s, kek, &blob, CKK_AES, ATTRS(NO(CKA_TOKEN)), &other));
	assert_int_equal(get(s, other, CKA_ID, id, sizeof(id)), 4);
	assert_memory_equal(id, "mine", 4);
	OK(generate(s, 32, ATTRS(YES(CKA_WRAP), YES(CKA_UNWRAP), allowed), &kek));
	RV(wrap(s, CKM_AES_KEY_WRAP, kek, key, &blob), CKR_MECHANISM_INVALID);
	OK(wrap(s, CKM_AES_KEY_WRAP_KWP, kek, key, &blob));
	RV(unwrap_as(s, kek, &blob, CKK_AES, ATTRS(NO(CKA_TOKEN)), &other), CKR_MECHANISM_INVALID);
	OK(generate(s, 32, ATTRS(YES(CKA_WRAP), other_use), &kek));
	RV(wrap(s, CKM_AES_KEY_WRAP_KWP, kek, key, &blob), CKR_MECHANISM_INVALID);
}

/* The same of a base key */
static void templates_of_base_keys(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_MECHANISM_TYPE only[] = { CKM_ECDSA };
	CK_ATTRIBUTE demand[] = { STRING(CKA_ID, "mine") };
	CK_ATTRIBUTE public_key[] = { { CKA_EC_PARAMS, (void *)oid_p256, sizeof(oid_p256) } };
	CK_ATTRIBUTE bound[] = { YES(CKA_DERIVE), { CKA_DERIVE_TEMPLATE, demand, sizeof(demand) } };
	CK_ATTRIBUTE signs[] = { YES(CKA_DERIVE), { CKA_ALLOWED_MECHANISMS, only, sizeof(only) } };
	CK_OBJECT_HANDLE key;
	struct pair pair;

	(void)state;
	OK(p->C_GenerateKeyPair(s, &mechanism, public_key, 1, bound, 2, &pair.public_key,
				&pair.private_key));
	RV(derive_ecdh(s, pair, 32, ATTRS(STRING(CKA_ID, "your")), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	OK(derive_ecdh(s, pair, 32, ATTRS(STRING(CKA_ID, "mine")), &key));
	OK(p->C_GenerateKeyPair(s, &mechanism, public_key, 1, signs, 2, &pair.public_key,
				&pair.private_key));
	RV(derive_ecdh(s, pair, 32, ATTRS(NO(CKA_TOKEN)), &key), CKR_MECHANISM_INVALID);
}

/* Private keys are there for the user alone, and what was begun with them ends with the login. */
static void private_keys_of_another_login(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	struct pair pair = p256_pair(s, CK_TRUE, "hidden");
	CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };
	CK_BYTE hash[32] = { 1 }, signature[64];
	CK_ULONG length = sizeof(signature);
	CK_OBJECT_HANDLE other;

	(void)state;
	OK(p->C_SignInit(s, &ecdsa, pair.private_key));
	OK(p->C_Logout(s));
	REFUSED(p->C_Sign(s, hash, sizeof(hash), signature, &length));
	RV(p->C_SignInit(s, &ecdsa, pair.private_key), CKR_KEY_HANDLE_INVALID);
	OK(p->C_Login(s, CKU_SO, PIN(SO_PIN)));
	assert_int_equal(find(s, LIST(YES(CKA_PRIVATE)), 1, NULL, 0), 0);
	RV(p->C_SignInit(s, &ecdsa, pair.private_key), CKR_KEY_HANDLE_INVALID);
	RV(copy(s, pair.private_key, ATTRS(NO(CKA_PRIVATE)), &other), CKR_OBJECT_HANDLE_INVALID);
	RV(p->C_DestroyObject(s, pair.private_key), CKR_OBJECT_HANDLE_INVALID);
	OK(p->C_Logout(s));
	OK(p->C_Login(s, CKU_USER, PIN(USER_PIN)));
	REFUSED(p->C_Sign(s, hash, sizeof(hash), signature, &length));
	assert_int_equal(find(s, LIST(STRING(CKA_LABEL, "hidden"), YES(CKA_PRIVATE)), 2,
			      &pair.private_key, 1),
			 1);
	OK(p->C_SignInit(s, &ecdsa, pair.private_key));
	length = sizeof(signature);
	OK(p->C_Sign(s, hash, sizeof(hash), signature, &length));
	OK(p->C_DestroyObject(s, pair.private_key));
	OK(p->C_DestroyObject(s, pair.public_key));
}

/* CKA_ALWAYS_AUTHENTICATE: one PIN, one use */
static void use_without_the_pin(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 }, ecdsa = { CKM_ECDSA, NULL, 0 };
	CK_ATTRIBUTE public_key[] = { { CKA_EC_PARAMS, (void *)oid_p256, sizeof(oid_p256) } };
	CK_ATTRIBUTE private_key[] = { YES(CKA_SIGN), YES(CKA_ALWAYS_AUTHENTICATE) };
	CK_BYTE hash[32] = { 1 }, signature[64];
	CK_ULONG length = sizeof(signature);
	CK_OBJECT_HANDLE other;
	struct pair pair;

	(void)state;
	OK(p->C_GenerateKeyPair(s, &mechanism, public_key, 1, private_key, 2, &pair.public_key,
				&pair.private_key));
	RV(copy(s, pair.private_key, ATTRS(NO(CKA_ALWAYS_AUTHENTICATE)), &other),
	   CKR_ATTRIBUTE_READ_ONLY);
	RV(p->C_Login(s, CKU_CONTEXT_SPECIFIC, PIN(USER_PIN)), CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_SignInit(s, &ecdsa, pair.private_key));
	RV(p->C_Sign(s, hash, sizeof(hash), signature, &length), CKR_USER_NOT_LOGGED_IN);
	OK(p->C_SignInit(s, &ecdsa, pair.private_key));
	RV(p->C_Login(s, CKU_CONTEXT_SPECIFIC, PIN("wrong pin")), CKR_PIN_INCORRECT);
	OK(p->C_Login(s, CKU_CONTEXT_SPECIFIC, PIN(USER_PIN)));
	OK(p->C_Sign(s, hash, sizeof(hash), signature, &length));
	OK(p->C_SignInit(s, &ecdsa, pair.private_key));
	RV(p->C_Sign(s, hash, sizeof(hash), signature, &length), CKR_USER_NOT_LOGGED_IN);
}

/* ---- handles ---- */

static void in_a_child(void (*attack)(CK_OBJECT_HANDLE session_key, CK_OBJECT_HANDLE token_key),
		       CK_OBJECT_HANDLE session_key, CK_OBJECT_HANDLE token_key)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		attack(session_key, token_key);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define CHILD(condition)                           \
	do {                                       \
		if (!(condition))                  \
			_exit(__LINE__ % 100 + 1); \
	} while (0)

/* Another process: session objects are not its, private ones not before its own login. */
static void uses_foreign_handles(CK_OBJECT_HANDLE session_key, CK_OBJECT_HANDLE token_key)
{
	CK_MECHANISM ecb = { CKM_AES_ECB, NULL, 0 };
	CK_ATTRIBUTE wanted = STRING(CKA_LABEL, "kept");
	CK_SESSION_HANDLE s;
	CK_ULONG size;

	CHILD(p->C_Initialize(NULL) == CKR_OK);
	CHILD(p->C_OpenSession(slot, RW, NULL, NULL, &s) == CKR_OK);
	CHILD(p->C_EncryptInit(s, &ecb, token_key) == CKR_KEY_HANDLE_INVALID);
	CHILD(p->C_EncryptInit(s, &ecb, session_key) == CKR_KEY_HANDLE_INVALID);
	CHILD(p->C_Login(s, CKU_USER, PIN(USER_PIN)) == CKR_OK);
	CHILD(p->C_EncryptInit(s, &ecb, session_key) == CKR_KEY_HANDLE_INVALID);
	CHILD(p->C_GetObjectSize(s, session_key, &size) == CKR_OBJECT_HANDLE_INVALID);
	CHILD(p->C_DestroyObject(s, session_key) == CKR_OBJECT_HANDLE_INVALID);
	/* Of what the token keeps, it finds a handle of its own. */
	CHILD(p->C_FindObjectsInit(s, &wanted, 1) == CKR_OK);
	CHILD(p->C_FindObjects(s, &token_key, 1, &size) == CKR_OK && size == 1);
	CHILD(p->C_FindObjectsFinal(s) == CKR_OK);
	CHILD(p->C_EncryptInit(s, &ecb, token_key) == CKR_OK);
	CHILD(p->C_Finalize(NULL) == CKR_OK);
}

static void handles_of_another_process(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_MECHANISM ecb = { CKM_AES_ECB, NULL, 0 };
	CK_OBJECT_HANDLE session_key, token_key;

	(void)state;
	OK(generate(s, 32, ATTRS(YES(CKA_ENCRYPT)), &session_key));
	OK(generate(s, 32, ATTRS(YES(CKA_ENCRYPT), YES(CKA_TOKEN), STRING(CKA_LABEL, "kept")),
		    &token_key));
	in_a_child(uses_foreign_handles, session_key, token_key);
	OK(p->C_EncryptInit(s, &ecb, session_key));
	OK(p->C_DestroyObject(s, token_key));
}

/* Handles are not used again, and one that is gone is good for nothing. */
static void handles_after_destruction(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_MECHANISM ecb = { CKM_AES_ECB, NULL, 0 };
	CK_OBJECT_HANDLE key, next, kek;
	struct blob blob;
	int i;

	(void)state;
	OK(generate(s, 32, ATTRS(YES(CKA_WRAP)), &kek));
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE)), &key));
	OK(p->C_DestroyObject(s, key));
	for (i = 0; i < 20; i++) {
		OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE)), &next));
		assert_int_not_equal(next, key);
	}
	RV(p->C_EncryptInit(s, &ecb, key), CKR_KEY_HANDLE_INVALID);
	RV(wrap(s, CKM_AES_KEY_WRAP, kek, key, &blob), CKR_KEY_HANDLE_INVALID);
	RV(wrap(s, CKM_AES_KEY_WRAP, key, kek, &blob), CKR_WRAPPING_KEY_HANDLE_INVALID);
	RV(copy(s, key, ATTRS(NO(CKA_TOKEN)), &next), CKR_OBJECT_HANDLE_INVALID);
	RV(set(s, key, ATTRS(NO(CKA_ENCRYPT))), CKR_OBJECT_HANDLE_INVALID);
}

/* A search does not tell what may not be read: the value of a sensitive key is no template. */
static void guessing_by_searching(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key;
	CK_ATTRIBUTE guess = STRING(CKA_VALUE, "0123456789abcdef0123456789abcdef");

	(void)state;
	OK(import(s, ATTRS(YES(CKA_SENSITIVE)), &key));
	assert_int_equal(find(s, &guess, 1, NULL, 0), 0);
	OK(import(s, ATTRS(NO(CKA_SENSITIVE), YES(CKA_EXTRACTABLE)), &key));
	assert_int_equal(find(s, &guess, 1, NULL, 0), 1);
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(protection_taken_back),	 TEST(forged_history),
		TEST(unwrapped_to_be_read),	 TEST(trust_of_ones_own),
		TEST(wrapped_without_trust),	 TEST(templates_of_keys),
		TEST(templates_of_base_keys),	 TEST(private_keys_of_another_login),
		TEST(use_without_the_pin),	 TEST(handles_of_another_process),
		TEST(handles_after_destruction), TEST(guessing_by_searching),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
