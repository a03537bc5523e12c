// SPDX-License-Identifier: Apache-2.0
/*
 * What a partition of the strict profile refuses, tried through the module: a partition that hsmctl makes on function 2 without
 * naming a profile. Rules: Documentation/policy.rst.
 */
#include "attacks.h"

/* generate_trusted - a public token key that wraps, with the SO's word for it; the login and its private handles end */
static CK_OBJECT_HANDLE generate_trusted(CK_SESSION_HANDLE s, CK_ULONG length, CK_BBOOL unwraps)
{
	CK_OBJECT_HANDLE key;

	OK(generate(s, length,
		    ATTRS(YES(CKA_WRAP), A(CKA_UNWRAP, unwraps), YES(CKA_TOKEN), NO(CKA_PRIVATE)),
		    &key));
	so_trusts(s, key);
	return key;
}

/* A key cannot wrap and decrypt, nor unwrap and encrypt, however it comes into being. */
static void conflicting_uses(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key, kek, other;
	struct blob blob;

	(void)state;
	RV(generate(s, 32, ATTRS(YES(CKA_WRAP), YES(CKA_DECRYPT)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(generate(s, 32, ATTRS(YES(CKA_UNWRAP), YES(CKA_ENCRYPT)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(generate(s, 32, ATTRS(YES(CKA_UNWRAP), YES(CKA_DECRYPT)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(import(s, ATTRS(YES(CKA_WRAP), YES(CKA_DECRYPT)), &key), CKR_TEMPLATE_INCONSISTENT);
	kek = generate_trusted(s, 32, CK_TRUE);
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE)), &key));
	OK(wrap(s, CKM_AES_KEY_WRAP, kek, key, &blob));
	RV(unwrap_as(s, kek, &blob, CKK_AES, ATTRS(YES(CKA_WRAP), YES(CKA_DECRYPT)), &other),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(unwrap_as(s, kek, &blob, CKK_AES, ATTRS(YES(CKA_UNWRAP), YES(CKA_ENCRYPT)), &other),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(derive_ecdh(s, p256_pair(s, CK_FALSE, "base"), 32,
		       ATTRS(YES(CKA_WRAP), YES(CKA_DECRYPT)), &other),
	   CKR_TEMPLATE_INCONSISTENT);
}

/* Uses are not added, so that no conflict is spread over time or over copies; what is not asked for is off. */
static void uses_added_later(void **state)
{
	static const CK_ATTRIBUTE_TYPE uses[] = { CKA_WRAP, CKA_UNWRAP, CKA_ENCRYPT, CKA_DECRYPT };
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key, second;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(uses); i++) {
		OK(generate(s, 32, ATTRS(NO(CKA_TOKEN)), &key));
		assert_false(get_bool(s, key, uses[i]));
		RV(set(s, key, ATTRS(YES(uses[i]))), CKR_ATTRIBUTE_READ_ONLY);
		RV(copy(s, key, ATTRS(YES(uses[i])), &second), CKR_ATTRIBUTE_READ_ONLY);
		OK(generate(s, 32, ATTRS(YES(uses[i])), &key));
		OK(set(s, key, ATTRS(NO(uses[i]))));
		RV(set(s, key, ATTRS(YES(uses[i]))), CKR_ATTRIBUTE_READ_ONLY);
		RV(copy(s, key, ATTRS(YES(uses[i])), &second), CKR_ATTRIBUTE_READ_ONLY);
	}
}

/* The same conflict in two halves of a pair */
static void conflicting_halves(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_ULONG bits = 2048;
	CK_ATTRIBUTE wraps[] = { A(CKA_MODULUS_BITS, bits), YES(CKA_WRAP) };
	CK_ATTRIBUTE encrypts[] = { A(CKA_MODULUS_BITS, bits), YES(CKA_ENCRYPT) };
	CK_ATTRIBUTE decrypts[] = { YES(CKA_DECRYPT) }, unwraps[] = { YES(CKA_UNWRAP) };
	CK_ATTRIBUTE does_both[] = { YES(CKA_DECRYPT), YES(CKA_UNWRAP) };
	CK_OBJECT_HANDLE public_key, private_key;

	(void)state;
	RV(p->C_GenerateKeyPair(s, &mechanism, wraps, 2, decrypts, 1, &public_key, &private_key),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(p->C_GenerateKeyPair(s, &mechanism, wraps, 1, does_both, 2, &public_key, &private_key),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(p->C_GenerateKeyPair(s, &mechanism, encrypts, 2, unwraps, 1, &public_key, &private_key),
	   CKR_TEMPLATE_INCONSISTENT);
}

/* The same conflict by wrapping a key that wraps and unwrapping it as one that decrypts */
static void conflict_by_a_round_trip(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE kek, key, again, target;
	struct blob blob, stolen;

	(void)state;
	RV(generate(s, 32, ATTRS(YES(CKA_WRAP), YES(CKA_EXTRACTABLE)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	OK(generate(s, 32, ATTRS(YES(CKA_WRAP)), &key));
	RV(set(s, key, ATTRS(YES(CKA_EXTRACTABLE))), CKR_ATTRIBUTE_READ_ONLY);
	/* The other way round: one that decrypts comes back as one that wraps. */
	kek = generate_trusted(s, 32, CK_TRUE);
	OK(generate(s, 32, ATTRS(YES(CKA_DECRYPT), YES(CKA_EXTRACTABLE)), &key));
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE)), &target));
	OK(wrap(s, CKM_AES_KEY_WRAP, kek, key, &blob));
	OK(unwrap_as(s, kek, &blob, CKK_AES, ATTRS(YES(CKA_WRAP)), &again));
	RV(wrap(s, CKM_AES_KEY_WRAP, again, target, &stolen), CKR_KEY_NOT_WRAPPABLE);
}

/* A key whose value somebody may know does not wrap, however sensitive it has become. */
static void known_wrapping_keys(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE known, once_known, unvouched, target, trusted;
	struct blob blob;

	(void)state;
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE)), &target));
	OK(import(s, ATTRS(YES(CKA_WRAP)), &known));
	assert_true(get_bool(s, known, CKA_SENSITIVE));
	RV(wrap(s, CKM_AES_KEY_WRAP, known, target, &blob), CKR_KEY_NOT_WRAPPABLE);
	OK(generate(s, 32, ATTRS(YES(CKA_WRAP), NO(CKA_SENSITIVE)), &once_known));
	OK(set(s, once_known, ATTRS(YES(CKA_SENSITIVE))));
	RV(wrap(s, CKM_AES_KEY_WRAP, once_known, target, &blob), CKR_KEY_NOT_WRAPPABLE);
	/* Who can unwrap with one that was made here is not known either. */
	OK(generate(s, 32, ATTRS(YES(CKA_WRAP)), &unvouched));
	assert_true(get_bool(s, unvouched, CKA_ALWAYS_SENSITIVE));
	RV(wrap(s, CKM_AES_KEY_WRAP, unvouched, target, &blob), CKR_KEY_NOT_WRAPPABLE);
	/* Both sides know what they agreed upon. */
	OK(derive_ecdh(s, p256_pair(s, CK_FALSE, "base"), 32, ATTRS(YES(CKA_WRAP)), &known));
	RV(wrap(s, CKM_AES_KEY_WRAP, known, target, &blob), CKR_KEY_NOT_WRAPPABLE);
	/* Unless the SO vouches for it */
	OK(import(s, ATTRS(YES(CKA_WRAP), YES(CKA_TOKEN), NO(CKA_PRIVATE)), &trusted));
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE), YES(CKA_TOKEN), STRING(CKA_LABEL, "target")),
		    &target));
	so_trusts(s, trusted);
	target = labelled(s, "target");
	OK(wrap(s, CKM_AES_KEY_WRAP, trusted, target, &blob));
	OK(p->C_DestroyObject(s, trusted));
	OK(p->C_DestroyObject(s, target));
}

/* Modes that are malleable, or whose nonce the caller may use twice, do not wrap; nor do shorter keys. */
static void weak_wrapping(void **state)
{
	static const CK_MECHANISM_TYPE weak[] = { CKM_AES_ECB, CKM_AES_CBC, CKM_AES_CBC_PAD,
						  CKM_AES_CTR, CKM_AES_GCM, CKM_AES_CCM };
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE kek, small, target;
	struct blob blob;
	size_t i;

	(void)state;
	kek = generate_trusted(s, 32, CK_FALSE);
	small = generate_trusted(s, 16, CK_FALSE);
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE)), &target));
	for (i = 0; i < COUNT(weak); i++)
		RV(wrap(s, weak[i], kek, target, &blob), CKR_MECHANISM_INVALID);
	RV(wrap(s, CKM_AES_KEY_WRAP, small, target, &blob), CKR_WRAPPING_KEY_SIZE_RANGE);
	OK(wrap(s, CKM_AES_KEY_WRAP, kek, target, &blob));
}

/* A public key may be anybody's until the SO has said whose it is. */
static void untrusted_public_keys(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_ULONG bits = 2048;
	CK_ATTRIBUTE public_key[] = { A(CKA_MODULUS_BITS, bits), YES(CKA_WRAP), YES(CKA_TOKEN) };
	CK_ATTRIBUTE private_key[] = { YES(CKA_UNWRAP) };
	CK_OBJECT_HANDLE target;
	struct pair pair;
	struct blob blob;

	(void)state;
	OK(p->C_GenerateKeyPair(s, &mechanism, public_key, 3, private_key, 1, &pair.public_key,
				&pair.private_key));
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE), YES(CKA_TOKEN), STRING(CKA_LABEL, "target")),
		    &target));
	RV(wrap(s, CKM_RSA_PKCS_OAEP, pair.public_key, target, &blob), CKR_KEY_NOT_WRAPPABLE);
	RV(wrap(s, CKM_RSA_PKCS, pair.public_key, target, &blob), CKR_MECHANISM_INVALID);
	RV(set(s, pair.public_key, ATTRS(YES(CKA_TRUSTED))), CKR_ATTRIBUTE_READ_ONLY);
	so_trusts(s, pair.public_key);
	target = labelled(s, "target");
	OK(wrap(s, CKM_RSA_PKCS_OAEP, pair.public_key, target, &blob));
	OK(p->C_DestroyObject(s, pair.public_key));
	OK(p->C_DestroyObject(s, target));
}

/* What is unwrapped, derived or decapsulated is never readable. */
static void readable_outputs(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE kek, key, other;
	struct blob blob;

	(void)state;
	RV(derive_ecdh(s, p256_pair(s, CK_FALSE, "base"), 32,
		       ATTRS(NO(CKA_SENSITIVE), YES(CKA_EXTRACTABLE)), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	kek = generate_trusted(s, 32, CK_TRUE);
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE)), &key));
	OK(wrap(s, CKM_AES_KEY_WRAP, kek, key, &blob));
	RV(unwrap_as(s, kek, &blob, CKK_AES, ATTRS(NO(CKA_SENSITIVE)), &other),
	   CKR_TEMPLATE_INCONSISTENT);
	RV(unwrap_as(s, kek, &blob, CKK_GENERIC_SECRET, ATTRS(NO(CKA_SENSITIVE)), &other),
	   CKR_TEMPLATE_INCONSISTENT);
}

/* HSM_TEST_STRICT_DEVICE, else a second partition beside the first. */
static void strict_device(void)
{
	const char *given = getenv("HSM_TEST_STRICT_DEVICE");
	static char name[300];

	if (given) {
		setenv("HSM_DEVICE", given, 1);
		return;
	}
	device();
	assert_int_equal(system("hsmctl partition create tenant --function 2 >/dev/null"), 0);
	snprintf(name, sizeof(name), "%s,function=2", getenv("HSM_DEVICE"));
	setenv("HSM_DEVICE", name, 1);
}

static int setup_strict(void **state)
{
	(void)state;
	load();
	strict_device();
	OK(p->C_Initialize(NULL));
	slot = first_slot();
	token_new();
	return 0;
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(conflicting_uses),		TEST(uses_added_later),	   TEST(conflicting_halves),
		TEST(conflict_by_a_round_trip), TEST(known_wrapping_keys), TEST(weak_wrapping),
		TEST(untrusted_public_keys),	TEST(readable_outputs),
	};

	return cmocka_run_group_tests(tests, setup_strict, teardown);
}
