// SPDX-License-Identifier: Apache-2.0
/*
 * The mandatory cases of the PKCS#11 profiles 3.2 (BL-M-1-32, EXT-M-1-32, AUTH-M-1-32, CERT-M-1-32):
 * the calls that a consumer of the baseline provider, extended provider, authentication token and
 * public certificates token makes, each from C_Initialize to C_Finalize.
 */
#include "../pkcs11/fixture.h"

#define CERTIFICATE_LABEL "conformance certificate"
#define KEY_LABEL	  "conformance key"

/* A body of bytes: the token stores certificates and does not judge them */
static CK_BYTE certificate[889];

static CK_BYTE modulus[1024], exponent[16];
static CK_ULONG modulus_length, exponent_length;

/* ---- steps that the cases share ---- */

static void begin(void)
{
	CK_INFO info;
	CK_ULONG count = 0;
	CK_SLOT_ID *slots;
	CK_SLOT_INFO slot_info;
	CK_TOKEN_INFO token;

	OK(p->C_Initialize(NULL));
	OK(p->C_GetInfo(&info));
	assert_true(info.cryptokiVersion.major == 3 && info.cryptokiVersion.minor == 2);
	assert_int_equal(info.flags, 0);
	OK(p->C_GetSlotList(CK_TRUE, NULL, &count));
	assert_true(count >= 1);
	slots = calloc(count, sizeof(*slots));
	OK(p->C_GetSlotList(CK_TRUE, slots, &count));
	slot = slots[0];
	free(slots);
	OK(p->C_GetSlotInfo(slot, &slot_info));
	assert_true(slot_info.flags & CKF_TOKEN_PRESENT);
	OK(p->C_GetTokenInfo(slot, &token));
	assert_true(token.flags & CKF_RNG);
	assert_true(token.flags & CKF_LOGIN_REQUIRED);
	assert_true(token.flags & CKF_USER_PIN_INITIALIZED);
	assert_true(token.flags & CKF_TOKEN_INITIALIZED);
	assert_true(token.ulMinPinLen <= token.ulMaxPinLen);
}

static void end(CK_SESSION_HANDLE s)
{
	OK(p->C_CloseSession(s));
	OK(p->C_CloseAllSessions(slot));
	OK(p->C_Finalize(NULL));
}

/* The first object that a template finds, 0 for none */
static CK_OBJECT_HANDLE first(CK_SESSION_HANDLE s, CK_ATTRIBUTE *attributes, CK_ULONG count)
{
	CK_OBJECT_HANDLE object = 0;
	CK_ULONG got = 0;

	OK(p->C_FindObjectsInit(s, attributes, count));
	OK(p->C_FindObjects(s, &object, 1, &got));
	OK(p->C_FindObjectsFinal(s));
	return got ? object : 0;
}

/* Does the token claim the profile, as a CKO_PROFILE object? Without one it claims nothing. */
static bool claims(CK_ULONG profile)
{
	CK_OBJECT_CLASS class = CKO_PROFILE;
	CK_ATTRIBUTE attributes[] = { A(CKA_CLASS, class), A(CKA_PROFILE_ID, profile) };
	CK_SESSION_HANDLE s = session(RO);
	bool found = first(s, attributes, COUNT(attributes)) != 0;

	OK(p->C_CloseSession(s));
	return found;
}

/* ---- the cases ---- */

static void baseline_provider(void **state)
{
	CK_ATTRIBUTE on_token[] = { YES(CKA_TOKEN) };
	CK_SESSION_HANDLE s;
	CK_SESSION_INFO info;

	(void)state;
	begin();
	assert_true(claims(CKP_BASELINE_PROVIDER));
	s = session(RO);
	OK(p->C_GetSessionInfo(s, &info));
	assert_int_equal(info.state, CKS_RO_PUBLIC_SESSION);
	first(s, on_token, COUNT(on_token));
	end(s);
}

/* Every mechanism that is listed has information, and only the sizes and flags of its row. */
static void extended_provider(void **state)
{
	CK_ATTRIBUTE on_token[] = { YES(CKA_TOKEN) };
	CK_MECHANISM_TYPE *list;
	CK_MECHANISM_INFO info;
	CK_SESSION_HANDLE s;
	CK_ULONG count = 0, i;

	(void)state;
	begin();
	assert_true(claims(CKP_EXTENDED_PROVIDER));
	OK(p->C_GetMechanismList(slot, NULL, &count));
	list = calloc(count, sizeof(*list));
	OK(p->C_GetMechanismList(slot, list, &count));
	for (i = 0; i < count; i++) {
		OK(p->C_GetMechanismInfo(slot, list[i], &info));
		assert_true(info.ulMinKeySize <= info.ulMaxKeySize);
		assert_int_not_equal(info.flags, 0);
	}
	free(list);
	s = session(RW);
	OK(p->C_Login(s, CKU_USER, PIN(USER_PIN)));
	first(s, on_token, COUNT(on_token));
	OK(p->C_Logout(s));
	end(s);
}

/* An RSA key on the token is found by its label, read and used. */
static void authentication_token(void **state)
{
	CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY, private_class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE public_key[] = { YES(CKA_TOKEN), STRING(CKA_LABEL, KEY_LABEL),
				      A(CKA_CLASS, public_class) };
	CK_ATTRIBUTE private_key[] = { YES(CKA_TOKEN), STRING(CKA_LABEL, KEY_LABEL),
				       A(CKA_CLASS, private_class) };
	CK_BYTE n[1024], e[1024], text[67] = "what is signed", signature[256];
	CK_ATTRIBUTE numbers[] = { A(CKA_MODULUS, n), A(CKA_PUBLIC_EXPONENT, e) };
	CK_MECHANISM m = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_ULONG length = sizeof(signature);
	CK_OBJECT_HANDLE public, private;
	CK_SESSION_HANDLE s;

	(void)state;
	begin();
	assert_true(claims(CKP_AUTHENTICATION_TOKEN));
	s = session(RO);
	OK(p->C_Login(s, CKU_USER, PIN(USER_PIN)));
	public = first(s, public_key, COUNT(public_key));
	assert_int_not_equal(public, 0);
	OK(p->C_GetAttributeValue(s, public, numbers, COUNT(numbers)));
	assert_int_equal(numbers[0].ulValueLen, modulus_length);
	assert_memory_equal(n, modulus, modulus_length);
	assert_int_equal(numbers[1].ulValueLen, exponent_length);
	assert_memory_equal(e, exponent, exponent_length);
	private = first(s, private_key, COUNT(private_key));
	assert_int_not_equal(private, 0);
	OK(p->C_SignInit(s, &m, private));
	OK(p->C_Sign(s, text, sizeof(text), signature, &length));
	assert_int_equal(length, 256);
	OK(p->C_VerifyInit(s, &m, public));
	OK(p->C_Verify(s, text, sizeof(text), signature, length));
	OK(p->C_Logout(s));
	end(s);
}

/* Certificates are found and read without a login, lengths first. */
static void public_certificates_token(void **state)
{
	CK_OBJECT_CLASS class = CKO_CERTIFICATE;
	CK_ATTRIBUTE attributes[] = { YES(CKA_TOKEN), A(CKA_CLASS, class) };
	CK_BYTE label[64], value[1024];
	CK_ATTRIBUTE wanted[] = { { CKA_LABEL, NULL, 0 }, { CKA_VALUE, NULL, 0 } };
	CK_OBJECT_HANDLE object;
	CK_SESSION_HANDLE s;

	(void)state;
	begin();
	assert_true(claims(CKP_PUBLIC_CERTIFICATES_TOKEN));
	s = session(RO);
	object = first(s, attributes, COUNT(attributes));
	assert_int_not_equal(object, 0);
	OK(p->C_GetAttributeValue(s, object, wanted, COUNT(wanted)));
	assert_int_equal(wanted[0].ulValueLen, strlen(CERTIFICATE_LABEL));
	assert_int_equal(wanted[1].ulValueLen, sizeof(certificate));
	wanted[0].pValue = label;
	wanted[1].pValue = value;
	OK(p->C_GetAttributeValue(s, object, wanted, COUNT(wanted)));
	assert_memory_equal(label, CERTIFICATE_LABEL, strlen(CERTIFICATE_LABEL));
	assert_memory_equal(value, certificate, sizeof(certificate));
	end(s);
}

/* ---- what the cases find on the token ---- */

static void store_certificate(CK_SESSION_HANDLE s)
{
	static CK_BYTE subject[] = { 0x30, 0 };
	CK_OBJECT_CLASS class = CKO_CERTIFICATE;
	CK_CERTIFICATE_TYPE type = CKC_X_509;
	CK_ATTRIBUTE attributes[] = {
		A(CKA_CLASS, class),
		A(CKA_CERTIFICATE_TYPE, type),
		YES(CKA_TOKEN),
		NO(CKA_PRIVATE),
		STRING(CKA_LABEL, CERTIFICATE_LABEL),
		A(CKA_SUBJECT, subject),
		A(CKA_VALUE, certificate),
	};
	CK_OBJECT_HANDLE object;

	memset(certificate, 0x5a, sizeof(certificate));
	OK(p->C_CreateObject(s, attributes, COUNT(attributes), &object));
}

static int setup(void **state)
{
	CK_SESSION_HANDLE s;
	struct pair pair;

	setup_token(state);
	s = user_session();
	pair = rsa_pair(s, 2048, CK_TRUE, KEY_LABEL);
	modulus_length = get(s, pair.public_key, CKA_MODULUS, modulus, sizeof(modulus));
	exponent_length = get(s, pair.public_key, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
	store_certificate(s);
	OK(p->C_Finalize(NULL));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(baseline_provider),
		cmocka_unit_test(extended_provider),
		cmocka_unit_test(authentication_token),
		cmocka_unit_test(public_certificates_token),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
