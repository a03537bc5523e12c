/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the PKCS#11 module share: the module named in HSM_PKCS11_MODULE, a device
 * (HSM_TEST_DEVICE, else a virtual HSM in a directory of its own), a token made through the API,
 * and keys. Functions are inline so that a program uses what it needs.
 */
#ifndef TESTS_PKCS11_FIXTURE_H
#define TESTS_PKCS11_FIXTURE_H

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <hsm/pkcs11.h>

#define SO_PIN	 "so-pin-8765"
#define USER_PIN "user-pin-1234"
#define RO	 CKF_SERIAL_SESSION
#define RW	 (CKF_SERIAL_SESSION | CKF_RW_SESSION)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT(s)	 ((CK_UTF8CHAR *)(s))
#define PIN(s)	 TEXT(s), strlen(s)

/* RV - the call answers this. OK - it succeeds. The numbers are shown when not. */
#define RV(call, expected) assert_int_equal((call), (expected))
#define OK(call)	   RV(call, CKR_OK)

static CK_FUNCTION_LIST_3_2 *p;
static CK_SLOT_ID slot;

/* Attribute lists: { ULONG(CKA_CLASS, class), TRUE_(CKA_TOKEN), BYTES(CKA_ID, id) } */
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
#define A(type, value)	{ (type), &(value), sizeof(value) }
#define YES(type)	{ (type), &yes, sizeof(yes) }
#define NO(type)	{ (type), &no, sizeof(no) }
#define STRING(type, s) { (type), (void *)(s), strlen(s) }

/* load - the module's functions: of 3.2 where it has them, else of 2.40 */
static inline void load(void)
{
	const char *path = getenv("HSM_PKCS11_MODULE");
	CK_VERSION version = { 3, 2 };
	CK_C_GetFunctionList get_list;
	CK_C_GetInterface get_interface;
	CK_INTERFACE *interface;
	CK_FUNCTION_LIST *list;
	void *module;

	if (p)
		return;
	assert_non_null(path);
	module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!module)
		fprintf(stderr, "%s\n", dlerror());
	assert_non_null(module);
	*(void **)&get_interface = dlsym(module, "C_GetInterface");
	if (get_interface && get_interface(TEXT("PKCS 11"), &version, &interface, 0) == CKR_OK) {
		p = interface->pFunctionList;
		return;
	}
	*(void **)&get_list = dlsym(module, "C_GetFunctionList");
	assert_non_null(get_list);
	OK(get_list(&list));
	p = (CK_FUNCTION_LIST_3_2 *)list;
}

/* device - HSM_DEVICE for this program: a new directory unless the caller named a device */
static inline void device(void)
{
	static char name[256];
	const char *tmp = getenv("TMPDIR"), *given = getenv("HSM_TEST_DEVICE");
	char dir[200];

	if (given) {
		setenv("HSM_DEVICE", given, 1);
		return;
	}
	snprintf(dir, sizeof(dir), "%s/p11.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0700), 0);
	snprintf(name, sizeof(name), "vhsm:%s", dir);
	setenv("HSM_DEVICE", name, 1);
}

/* first_slot - id of the first slot with a token */
static inline CK_SLOT_ID first_slot(void)
{
	CK_SLOT_ID ids[16];
	CK_ULONG count = 0;

	OK(p->C_GetSlotList(CK_TRUE, NULL, &count));
	assert_true(count >= 1 && count <= COUNT(ids));
	OK(p->C_GetSlotList(CK_TRUE, ids, &count));
	return ids[0];
}

static inline CK_SESSION_HANDLE session(CK_FLAGS flags)
{
	CK_SESSION_HANDLE handle = 0;

	OK(p->C_OpenSession(slot, flags, NULL, NULL, &handle));
	return handle;
}

/* token_new - all objects go, PINs as above */
static inline void token_new(void)
{
	unsigned char label[33] = "test token                      ";
	CK_SESSION_HANDLE s;

	OK(p->C_InitToken(slot, PIN(SO_PIN), label));
	slot = first_slot();
	s = session(RW);
	OK(p->C_Login(s, CKU_SO, PIN(SO_PIN)));
	OK(p->C_InitPIN(s, PIN(USER_PIN)));
	OK(p->C_Logout(s));
	OK(p->C_CloseSession(s));
}

/* Group setup and teardown for programs that need a token */
static inline int setup_token(void **state)
{
	(void)state;
	load();
	device();
	OK(p->C_Initialize(NULL));
	slot = first_slot();
	token_new();
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	RV(p->C_Finalize(NULL), CKR_OK);
	return 0;
}

/* Test setup and teardown for tests that leave sessions behind when they fail */
static inline int close_all(void **state)
{
	(void)state;
	p->C_CloseAllSessions(slot);
	return 0;
}

/* user_session - read-write, logged in as user */
static inline CK_SESSION_HANDLE user_session(void)
{
	CK_SESSION_HANDLE s = session(RW);
	CK_RV rv = p->C_Login(s, CKU_USER, PIN(USER_PIN));

	assert_true(rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN);
	return s;
}

/* has - does the token offer the mechanism for this use? */
static inline bool has(CK_MECHANISM_TYPE type, CK_FLAGS use)
{
	CK_MECHANISM_INFO info;

	return p->C_GetMechanismInfo(slot, type, &info) == CKR_OK && (info.flags & use) == use;
}

#define NEED(type, use)              \
	do {                         \
		if (!has(type, use)) \
			skip();      \
	} while (0)

/* ---- keys ---- */

static inline CK_OBJECT_HANDLE aes_key(CK_SESSION_HANDLE s, CK_ULONG length)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ATTRIBUTE attributes[] = {
		A(CKA_VALUE_LEN, length),
		YES(CKA_ENCRYPT),
		YES(CKA_DECRYPT),
		NO(CKA_TOKEN),
	};
	CK_OBJECT_HANDLE key = 0;

	OK(p->C_GenerateKey(s, &mechanism, attributes, COUNT(attributes), &key));
	return key;
}

/* secret_key - from a value; readable, for all uses of its type that a test may want */
static inline CK_OBJECT_HANDLE secret_key(CK_SESSION_HANDLE s, CK_KEY_TYPE type, const void *value,
					  CK_ULONG length)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_BBOOL cipher = type == CKK_AES, mac = type != CKK_AES;
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, class), A(CKA_KEY_TYPE, type),  { CKA_VALUE, (void *)value, length },
		NO(CKA_TOKEN),	     A(CKA_ENCRYPT, cipher), A(CKA_DECRYPT, cipher),
		A(CKA_SIGN, mac),    A(CKA_VERIFY, mac),     YES(CKA_DERIVE),
		NO(CKA_SENSITIVE),   YES(CKA_EXTRACTABLE),
	};
	CK_OBJECT_HANDLE key = 0;

	OK(p->C_CreateObject(s, attributes, COUNT(attributes), &key));
	return key;
}

struct pair {
	CK_OBJECT_HANDLE public_key;
	CK_OBJECT_HANDLE private_key;
};

static inline struct pair rsa_pair(CK_SESSION_HANDLE s, CK_ULONG bits, CK_BBOOL token,
				   const char *label)
{
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_BYTE exponent[] = { 1, 0, 1 };
	CK_ATTRIBUTE public_key[] = {
		A(CKA_MODULUS_BITS, bits), A(CKA_PUBLIC_EXPONENT, exponent),
		A(CKA_TOKEN, token),	   YES(CKA_VERIFY),
		YES(CKA_ENCRYPT),	   STRING(CKA_LABEL, label),
	};
	CK_ATTRIBUTE private_key[] = {
		A(CKA_TOKEN, token),	  YES(CKA_SIGN), YES(CKA_DECRYPT), YES(CKA_SENSITIVE),
		STRING(CKA_LABEL, label),
	};
	struct pair pair = { 0, 0 };

	OK(p->C_GenerateKeyPair(s, &mechanism, public_key, COUNT(public_key), private_key,
				COUNT(private_key), &pair.public_key, &pair.private_key));
	return pair;
}

static const CK_BYTE oid_p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
static const CK_BYTE oid_p384[] = { 6, 5, 0x2b, 0x81, 4, 0, 0x22 };
static const CK_BYTE oid_p521[] = { 6, 5, 0x2b, 0x81, 4, 0, 0x23 };
static const CK_BYTE oid_ed25519[] = { 6, 3, 0x2b, 0x65, 0x70 };

static inline struct pair ec_pair(CK_SESSION_HANDLE s, CK_MECHANISM_TYPE type, const CK_BYTE *oid,
				  CK_ULONG length, CK_BBOOL token, const char *label)
{
	CK_MECHANISM mechanism = { type, NULL, 0 };
	CK_BBOOL derive = type == CKM_EC_KEY_PAIR_GEN;
	CK_ATTRIBUTE public_key[] = {
		{ CKA_EC_PARAMS, (void *)oid, length },
		A(CKA_TOKEN, token),
		YES(CKA_VERIFY),
		STRING(CKA_LABEL, label),
	};
	CK_ATTRIBUTE private_key[] = {
		A(CKA_TOKEN, token),	  YES(CKA_SIGN), A(CKA_DERIVE, derive), YES(CKA_SENSITIVE),
		STRING(CKA_LABEL, label),
	};
	struct pair pair = { 0, 0 };

	OK(p->C_GenerateKeyPair(s, &mechanism, public_key, COUNT(public_key), private_key,
				COUNT(private_key), &pair.public_key, &pair.private_key));
	return pair;
}

static inline struct pair p256_pair(CK_SESSION_HANDLE s, CK_BBOOL token, const char *label)
{
	return ec_pair(s, CKM_EC_KEY_PAIR_GEN, oid_p256, sizeof(oid_p256), token, label);
}

/* get - bytes of one attribute; the length comes back */
static inline CK_ULONG get(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
			   void *to, CK_ULONG room)
{
	CK_ATTRIBUTE attribute = { type, to, room };

	OK(p->C_GetAttributeValue(s, object, &attribute, 1));
	return attribute.ulValueLen;
}

static inline CK_BBOOL get_bool(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object,
				CK_ATTRIBUTE_TYPE type)
{
	CK_BBOOL value = 0xaa;

	assert_int_equal(get(s, object, type, &value, sizeof(value)), sizeof(value));
	return value;
}

/* find - number of objects that match; the first *room handles into objects, may be NULL */
static inline CK_ULONG find(CK_SESSION_HANDLE s, CK_ATTRIBUTE *attributes, CK_ULONG count,
			    CK_OBJECT_HANDLE *objects, CK_ULONG room)
{
	CK_OBJECT_HANDLE some[8];
	CK_ULONG total = 0, got, i;

	OK(p->C_FindObjectsInit(s, attributes, count));
	do {
		OK(p->C_FindObjects(s, some, COUNT(some), &got));
		for (i = 0; i < got; i++, total++)
			if (total < room)
				objects[total] = some[i];
	} while (got);
	OK(p->C_FindObjectsFinal(s));
	return total;
}

static inline CK_ULONG find_label(CK_SESSION_HANDLE s, const char *label)
{
	CK_ATTRIBUTE attributes[] = { STRING(CKA_LABEL, label) };

	return find(s, attributes, 1, NULL, 0);
}

#endif /* TESTS_PKCS11_FIXTURE_H */
