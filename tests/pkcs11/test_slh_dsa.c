// SPDX-License-Identifier: Apache-2.0
/*
 * SLH-DSA through the module: every parameter set signs, and its signature, up to 49,856 bytes, is verified in one piece,
 * in parts and with the signature first. Skipped where libcrypto does not have it.
 */
#include "fixture.h"

static CK_BYTE data[60000], signature[65536];

static struct pair slh_pair(CK_SESSION_HANDLE s, CK_ULONG set)
{
	CK_MECHANISM mechanism = { CKM_SLH_DSA_KEY_PAIR_GEN, NULL, 0 };
	CK_ATTRIBUTE public_key[] = { A(CKA_PARAMETER_SET, set), YES(CKA_VERIFY) };
	CK_ATTRIBUTE private_key[] = { YES(CKA_SIGN) };
	struct pair pair;

	OK(p->C_GenerateKeyPair(s, &mechanism, public_key, COUNT(public_key), private_key,
				COUNT(private_key), &pair.public_key, &pair.private_key));
	return pair;
}

/* Each form says yes, and no when a bit has changed. */
static void verify_in_every_form(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG length,
				 CK_ULONG n)
{
	CK_MECHANISM mechanism = { CKM_SLH_DSA, NULL, 0 };
	CK_RV expected = CKR_OK;

	for (int flip = 0; flip < 2; flip++) {
		OK(p->C_VerifyInit(s, &mechanism, key));
		RV(p->C_Verify(s, data, length, signature, n), expected);
		OK(p->C_VerifyInit(s, &mechanism, key));
		OK(p->C_VerifyUpdate(s, data, 1));
		OK(p->C_VerifyUpdate(s, data + 1, length - 1));
		RV(p->C_VerifyFinal(s, signature, n), expected);
		OK(p->C_VerifySignatureInit(s, &mechanism, key, signature, n));
		RV(p->C_VerifySignature(s, data, length), expected);
		OK(p->C_VerifySignatureInit(s, &mechanism, key, signature, n));
		OK(p->C_VerifySignatureUpdate(s, data, length));
		RV(p->C_VerifySignatureFinal(s), expected);
		signature[n - 1] ^= 1;
		expected = CKR_SIGNATURE_INVALID;
	}
}

static void every_set(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_MECHANISM mechanism = { CKM_SLH_DSA, NULL, 0 };
	CK_ULONG set, n, longest = 0, length;
	struct pair pair;

	(void)state;
	NEED(CKM_SLH_DSA, CKF_SIGN | CKF_VERIFY);
	for (set = CKP_SLH_DSA_SHA2_128S; set <= CKP_SLH_DSA_SHAKE_256F; set++) {
		/* Data and signature fit one command, or for the fast sets do not. */
		length = set & 1 ? 100 : sizeof(data);
		pair = slh_pair(s, set);
		n = sizeof(signature);
		OK(p->C_SignInit(s, &mechanism, pair.private_key));
		OK(p->C_Sign(s, data, length, signature, &n));
		longest = n > longest ? n : longest;
		verify_in_every_form(s, pair.public_key, length, n);
	}
	assert_int_equal(longest, 49856);
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(every_set) };

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
