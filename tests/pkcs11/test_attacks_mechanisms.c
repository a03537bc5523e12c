// SPDX-License-Identifier: Apache-2.0
/*
 * Attacks on mechanisms: pieces of keys by derivation, weak wrapping, weak and invalid public keys, padding, tags, and what
 * is left of an operation after its key has gone.
 */
#include <pthread.h>
#include "attacks.h"

#define BAD_ANSWERS 8

/* Mechanisms that give a key away in pieces, or wrap it malleably, are not offered at all. */
static void mechanisms_not_offered(void **state)
{
	static const CK_MECHANISM_TYPE wrapping[] = { CKM_AES_ECB, CKM_AES_CBC, CKM_AES_CBC_PAD,
						      CKM_AES_CTR, CKM_RSA_X_509 };
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key, other;
	CK_MECHANISM_INFO info;
	struct blob blob;
	size_t i;

	(void)state;
	OK(generate(s, 32, ATTRS(YES(CKA_DERIVE), YES(CKA_WRAP)), &key));
	OK(generate(s, 32, ATTRS(YES(CKA_EXTRACTABLE)), &other));
	for (i = 0; i < COUNT(wrapping); i++) {
		if (p->C_GetMechanismInfo(slot, wrapping[i], &info) == CKR_OK)
			assert_false(info.flags & (CKF_WRAP | CKF_UNWRAP));
		RV(wrap(s, wrapping[i], key, other, &blob), CKR_MECHANISM_INVALID);
	}
}

/* Short outputs of one base, each searched for, would give it away piece by piece. */
static void short_outputs(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	struct pair pair = p256_pair(s, CK_FALSE, "base");
	CK_OBJECT_HANDLE base, key;
	CK_HKDF_PARAMS hkdf = { .bExpand = CK_TRUE,
				.prfHashMechanism = CKM_SHA256,
				.ulSaltType = CKF_HKDF_SALT_NULL };
	CK_MECHANISM mechanism = { CKM_HKDF_DERIVE, &hkdf, sizeof(hkdf) };
	CK_MECHANISM make = { CKM_HKDF_KEY_GEN, NULL, 0 };
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_ULONG length, full = 32;
	CK_BBOOL readable = CK_FALSE;
	CK_ATTRIBUTE attributes[] = { A(CKA_KEY_TYPE, type), A(CKA_VALUE_LEN, length),
				      A(CKA_EXTRACTABLE, readable) };
	CK_ATTRIBUTE wants[] = { A(CKA_VALUE_LEN, full), YES(CKA_DERIVE) };

	(void)state;
	for (length = 0; length < 14; length++)
		REFUSED(derive_ecdh(s, pair, length, ATTRS(NO(CKA_TOKEN)), &key));
	OK(derive_ecdh(s, pair, 32, ATTRS(NO(CKA_TOKEN)), &key));
	OK(p->C_GenerateKey(s, &make, wants, COUNT(wants), &base));
	for (length = 0; length < 14; length++)
		REFUSED(p->C_DeriveKey(s, &mechanism, base, attributes, COUNT(attributes), &key));
	length = (CK_ULONG)-1;
	REFUSED(p->C_DeriveKey(s, &mechanism, base, attributes, COUNT(attributes), &key));
	length = 32;
	OK(p->C_DeriveKey(s, &mechanism, base, attributes, COUNT(attributes), &key));
	/* A sensitive base has no readable output. */
	attributes[2] = (CK_ATTRIBUTE)NO(CKA_SENSITIVE);
	RV(p->C_DeriveKey(s, &mechanism, base, attributes, COUNT(attributes), &key),
	   CKR_TEMPLATE_INCONSISTENT);
}

/* HKDF with a known base and a sensitive key as its salt: the output tells of the salt, and so is sensitive too. */
static void readable_by_way_of_the_salt(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_HKDF_PARAMS hkdf = { .bExtract = CK_TRUE,
				.prfHashMechanism = CKM_SHA256,
				.ulSaltType = CKF_HKDF_SALT_KEY };
	CK_MECHANISM mechanism = { CKM_HKDF_DERIVE, &hkdf, sizeof(hkdf) };
	CK_MECHANISM make = { CKM_HKDF_KEY_GEN, NULL, 0 };
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_ULONG full = 32;
	CK_ATTRIBUTE readable[] = { A(CKA_KEY_TYPE, type), NO(CKA_SENSITIVE),
				    YES(CKA_EXTRACTABLE) };
	CK_ATTRIBUTE salt[] = { A(CKA_VALUE_LEN, full), YES(CKA_DERIVE) };
	CK_OBJECT_HANDLE base = secret_key(s, CKK_HKDF, "0123456789abcdef", 16), key;

	(void)state;
	OK(p->C_GenerateKey(s, &make, salt, COUNT(salt), &hkdf.hSaltKey));
	RV(p->C_DeriveKey(s, &mechanism, base, readable, COUNT(readable), &key),
	   CKR_TEMPLATE_INCONSISTENT);
	OK(p->C_DeriveKey(s, &mechanism, base, readable, 1, &key));
	hkdf.hSaltKey = secret_key(s, CKK_HKDF, "fedcba9876543210", 16);
	OK(p->C_DeriveKey(s, &mechanism, base, readable, COUNT(readable), &key));
}

/* ---- keys that are none ---- */

static void weak_rsa_keys(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE type = CKK_RSA;
	CK_BYTE modulus[256], odd[] = { 1, 0, 1 };
	CK_BYTE three[] = { 3 }, one[] = { 1 }, even[] = { 1, 0, 0 };
	CK_ULONG bits = 2048;
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_ATTRIBUTE bad_exponents[] = { A(CKA_PUBLIC_EXPONENT, three), A(CKA_PUBLIC_EXPONENT, one),
					 A(CKA_PUBLIC_EXPONENT, even) };
	CK_ATTRIBUTE pub[] = { A(CKA_CLASS, class), A(CKA_KEY_TYPE, type), A(CKA_MODULUS, modulus),
			       A(CKA_PUBLIC_EXPONENT, odd) };
	CK_ATTRIBUTE wanted[] = { A(CKA_MODULUS_BITS, bits), bad_exponents[0] };
	struct pair good = rsa_pair(s, 2048, CK_FALSE, "good"), pair;
	size_t i;

	(void)state;
	assert_int_equal(get(s, good.public_key, CKA_MODULUS, modulus, sizeof(modulus)), 256);
	OK(p->C_CreateObject(s, pub, COUNT(pub), &pair.public_key));
	for (i = 0; i < COUNT(bad_exponents); i++) {
		pub[3] = wanted[1] = bad_exponents[i];
		REFUSED(p->C_CreateObject(s, pub, COUNT(pub), &pair.public_key));
		REFUSED(p->C_GenerateKeyPair(s, &mechanism, wanted, 2, NULL, 0, &pair.public_key,
					     &pair.private_key));
	}
	pub[3] = (CK_ATTRIBUTE)A(CKA_PUBLIC_EXPONENT, odd);
	pub[2].ulValueLen = 128;
	REFUSED(p->C_CreateObject(s, pub, COUNT(pub), &pair.public_key));
	pub[2].ulValueLen = 256;
	modulus[255] &= 0xfe;
	REFUSED(p->C_CreateObject(s, pub, COUNT(pub), &pair.public_key));
	for (bits = 512; bits <= 1536; bits += 512)
		REFUSED(p->C_GenerateKeyPair(s, &mechanism, wanted, 1, NULL, 0, &pair.public_key,
					     &pair.private_key));
	bits = (CK_ULONG)-1;
	REFUSED(p->C_GenerateKeyPair(s, &mechanism, wanted, 1, NULL, 0, &pair.public_key,
				     &pair.private_key));
}

static CK_RV agree(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE private_key, CK_BYTE *point,
		   CK_ULONG length)
{
	CK_ECDH1_DERIVE_PARAMS params = { CKD_NULL, 0, NULL, length, point };
	CK_MECHANISM mechanism = { CKM_ECDH1_DERIVE, &params, sizeof(params) };
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_ATTRIBUTE attributes[] = { A(CKA_KEY_TYPE, type) };
	CK_OBJECT_HANDLE key;

	return p->C_DeriveKey(s, &mechanism, private_key, attributes, 1, &key);
}

/* Points off the curve, the identity, and points of small order */
static void invalid_points(void **state)
{
	static const CK_BYTE oid_x25519[] = { 6, 3, 0x2b, 0x65, 0x6e };
	CK_SESSION_HANDLE s = user_session();
	struct pair pair = p256_pair(s, CK_FALSE, "points");
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE type = CKK_EC;
	CK_BYTE point[80], zero[65] = { 4 }, identity[] = { 0 }, wrapped[] = { 4, 1, 0 };
	CK_BYTE order[2][32] = { { 0 }, { 1 } };
	CK_ULONG length = get(s, pair.public_key, CKA_EC_POINT, point, sizeof(point));
	CK_ATTRIBUTE pub[] = { A(CKA_CLASS, class),
			       A(CKA_KEY_TYPE, type),
			       { CKA_EC_PARAMS, (void *)oid_p256, sizeof(oid_p256) },
			       { CKA_EC_POINT, point, length } };
	CK_MECHANISM make = { CKM_EC_MONTGOMERY_KEY_PAIR_GEN, NULL, 0 };
	CK_ATTRIBUTE x25519[] = { { CKA_EC_PARAMS, (void *)oid_x25519, sizeof(oid_x25519) } };
	CK_ATTRIBUTE derives[] = { YES(CKA_DERIVE) };
	CK_OBJECT_HANDLE key;

	(void)state;
	/* In an OCTET STRING and raw: both forms are taken. */
	OK(p->C_CreateObject(s, pub, COUNT(pub), &key));
	OK(agree(s, pair.private_key, point, length));
	OK(agree(s, pair.private_key, point + 2, length - 2));
	pub[3] = (CK_ATTRIBUTE){ CKA_EC_POINT, point + 2, length - 2 };
	OK(p->C_CreateObject(s, pub, COUNT(pub), &key));
	point[30] ^= 1;
	REFUSED(agree(s, pair.private_key, point, length));
	REFUSED(agree(s, pair.private_key, point + 2, length - 2));
	REFUSED(p->C_CreateObject(s, pub, COUNT(pub), &key));
	REFUSED(agree(s, pair.private_key, zero, sizeof(zero)));
	REFUSED(agree(s, pair.private_key, identity, sizeof(identity)));
	REFUSED(agree(s, pair.private_key, wrapped, sizeof(wrapped)));
	REFUSED(agree(s, pair.private_key, NULL, 0));
	pub[3] = (CK_ATTRIBUTE)A(CKA_EC_POINT, identity);
	REFUSED(p->C_CreateObject(s, pub, COUNT(pub), &key));
	OK(p->C_GenerateKeyPair(s, &make, x25519, 1, derives, 1, &pair.public_key,
				&pair.private_key));
	REFUSED(agree(s, pair.private_key, order[0], 32));
	REFUSED(agree(s, pair.private_key, order[1], 32));
}

/* ---- padding ---- */

/* One block whose plaintext ends in @last, @before in front of it; by ECB, so that nothing pads */
static void bad_block(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_BYTE before, CK_BYTE last,
		      CK_BYTE out[16])
{
	CK_MECHANISM ecb = { CKM_AES_ECB, NULL, 0 };
	CK_BYTE plain[16];
	CK_ULONG length = 16;

	memset(plain, before, sizeof(plain));
	plain[15] = last;
	OK(p->C_EncryptInit(s, &ecb, key));
	OK(p->C_Encrypt(s, plain, sizeof(plain), out, &length));
}

/* Every fault of the padding has the same answer, in one piece, at the end of parts, and in no output. */
static void padding_oracle(void **state)
{
	static const CK_BYTE faults[][2] = { { 0, 0 },	{ 0, 2 }, { 0, 16 },   { 15, 16 },
					     { 0, 17 }, { 3, 4 }, { 0, 0xff }, { 255, 3 } };
	CK_SESSION_HANDLE s = user_session();
	CK_BYTE iv[16] = { 0 }, in[16], out[32];
	CK_MECHANISM cbc = { CKM_AES_CBC_PAD, iv, sizeof(iv) };
	CK_OBJECT_HANDLE key = aes_key(s, 32);
	CK_ULONG length;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(faults); i++) {
		bad_block(s, key, faults[i][0], faults[i][1], in);
		OK(p->C_DecryptInit(s, &cbc, key));
		length = sizeof(out);
		RV(p->C_Decrypt(s, in, sizeof(in), out, &length), CKR_ENCRYPTED_DATA_INVALID);
		OK(p->C_DecryptInit(s, &cbc, key));
		length = sizeof(out);
		OK(p->C_DecryptUpdate(s, in, sizeof(in), out, &length));
		assert_int_equal(length, 0);
		length = sizeof(out);
		RV(p->C_DecryptFinal(s, out, &length), CKR_ENCRYPTED_DATA_INVALID);
	}
	bad_block(s, key, 7, 1, in);
	OK(p->C_DecryptInit(s, &cbc, key));
	length = sizeof(out);
	OK(p->C_Decrypt(s, in, sizeof(in), out, &length));
	assert_int_equal(length, 15);
}

/*
 * PKCS#1 v1.5: a ciphertext that was changed decrypts to something that follows from it and the key, and to nothing that
 * tells it from a good one. Where libcrypto cannot do that, the token does not offer it.
 */
static void implicit_rejection(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_MECHANISM v15 = { CKM_RSA_PKCS, NULL, 0 };
	CK_BYTE in[256], out[2][256];
	CK_ULONG length = sizeof(in), lengths[2];
	struct pair pair;
	int i, turn;

	(void)state;
	NEED(CKM_RSA_PKCS, CKF_DECRYPT);
	pair = rsa_pair(s, 2048, CK_FALSE, "v1.5");
	OK(p->C_EncryptInit(s, &v15, pair.public_key));
	OK(p->C_Encrypt(s, (CK_BYTE *)"premaster", 9, in, &length));
	for (i = 0; i < BAD_ANSWERS; i++) {
		in[100 + i] ^= 0x10;
		for (turn = 0; turn < 2; turn++) {
			OK(p->C_DecryptInit(s, &v15, pair.private_key));
			lengths[turn] = sizeof(out[turn]);
			OK(p->C_Decrypt(s, in, sizeof(in), out[turn], &lengths[turn]));
		}
		assert_int_equal(lengths[0], lengths[1]);
		assert_memory_equal(out[0], out[1], lengths[0]);
		assert_false(lengths[0] == 9 && !memcmp(out[0], "premaster", 9));
	}
}

/* ---- authenticated encryption ---- */

/* Nothing of the plaintext before the tag has verified: not from parts, not from an end that fails. */
static void unverified_plaintext(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	CK_BYTE iv[12] = { 9 }, plain[64], sealed[80], out[80], clean[80];
	CK_GCM_PARAMS gcm = { .pIv = iv, .ulIvLen = 12, .ulIvBits = 96, .ulTagBits = 128 };
	CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof(gcm) };
	CK_OBJECT_HANDLE key = aes_key(s, 32);
	CK_ULONG length = sizeof(sealed), i;

	(void)state;
	memset(plain, 'p', sizeof(plain));
	memset(clean, 0xee, sizeof(clean));
	OK(p->C_EncryptInit(s, &mechanism, key));
	OK(p->C_Encrypt(s, plain, sizeof(plain), sealed, &length));
	assert_int_equal(length, 80);
	for (i = 0; i < 80; i += 13) {
		sealed[i] ^= 4;
		memset(out, 0xee, sizeof(out));
		OK(p->C_DecryptInit(s, &mechanism, key));
		length = sizeof(out);
		REFUSED(p->C_Decrypt(s, sealed, 80, out, &length));
		assert_memory_equal(out, clean, sizeof(out));
		OK(p->C_DecryptInit(s, &mechanism, key));
		length = sizeof(out);
		OK(p->C_DecryptUpdate(s, sealed, 80, out, &length));
		assert_int_equal(length, 0);
		length = sizeof(out);
		REFUSED(p->C_DecryptFinal(s, out, &length));
		assert_memory_equal(out, clean, sizeof(out));
		sealed[i] ^= 4;
	}
	/* Tags so short that they can be guessed */
	for (gcm.ulTagBits = 0; gcm.ulTagBits < 32; gcm.ulTagBits += 8)
		REFUSED(p->C_DecryptInit(s, &mechanism, key));
}

/* ---- races ---- */

struct race {
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key;
	unsigned int strange;
	unsigned int done;
};

static void *signs(void *argument)
{
	struct race *race = argument;
	CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };
	CK_BYTE hash[32] = { 1 }, signature[64];
	CK_ULONG length;
	CK_RV rv;

	for (;;) {
		rv = p->C_SignInit(race->session, &ecdsa, race->key);
		if (rv == CKR_KEY_HANDLE_INVALID)
			return NULL;
		length = sizeof(signature);
		if (rv == CKR_OK)
			rv = p->C_Sign(race->session, hash, sizeof(hash), signature, &length);
		race->strange += rv != CKR_OK;
		race->done++;
	}
}

/* Destroyed in the middle of signatures: those that began end well, then the handle is invalid, in every session. */
static void destroyed_while_signing(void **state)
{
	CK_SESSION_HANDLE s = user_session();
	struct race race[2];
	struct pair pair;
	pthread_t thread[2];
	int i, round;

	(void)state;
	for (round = 0; round < 10; round++) {
		pair = p256_pair(s, round & 1 ? CK_TRUE : CK_FALSE, "race");
		for (i = 0; i < 2; i++) {
			race[i] = (struct race){ .session = session(RW), .key = pair.private_key };
			assert_int_equal(pthread_create(&thread[i], NULL, signs, &race[i]), 0);
		}
		OK(p->C_DestroyObject(s, pair.private_key));
		OK(p->C_DestroyObject(s, pair.public_key));
		for (i = 0; i < 2; i++) {
			pthread_join(thread[i], NULL);
			assert_int_equal(race[i].strange, 0);
			OK(p->C_CloseSession(race[i].session));
		}
	}
	assert_int_equal(find_label(s, "race"), 0);
}

struct change {
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE object;
	unsigned int strange;
};

static void *changes(void *argument)
{
	struct change *change = argument;
	CK_RV rv;

	do {
		rv = set(change->session, change->object, ATTRS(STRING(CKA_LABEL, "changed")));
	} while (rv == CKR_OK);
	change->strange = rv != CKR_OBJECT_HANDLE_INVALID && rv != CKR_FUNCTION_FAILED;
	return NULL;
}

/* A session object that is changed from one session while its own ends goes with it, and out of the account. */
static void changed_while_its_session_ends(void **state)
{
	CK_SESSION_HANDLE s = user_session(), owner;
	struct change change = { .session = s };
	pthread_t thread;
	int round;

	(void)state;
	for (round = 0; round < 50; round++) {
		owner = session(RW);
		OK(generate(owner, 32, ATTRS(STRING(CKA_LABEL, "new")), &change.object));
		assert_int_equal(pthread_create(&thread, NULL, changes, &change), 0);
		OK(p->C_CloseSession(owner));
		pthread_join(thread, NULL);
		assert_int_equal(change.strange, 0);
	}
	assert_int_equal(find_label(s, "new") + find_label(s, "changed"), 0);
	OK(generate(s, 32, ATTRS(NO(CKA_TOKEN)), &change.object));
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mechanisms_not_offered),
		TEST(short_outputs),
		TEST(readable_by_way_of_the_salt),
		TEST(weak_rsa_keys),
		TEST(invalid_points),
		TEST(padding_oracle),
		TEST(implicit_rejection),
		TEST(unverified_plaintext),
		TEST(destroyed_while_signing),
		TEST(changed_while_its_session_ends),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
