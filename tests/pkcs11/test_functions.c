/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions around the usual operations: signatures that carry their data, verification with the
 * signature first, two operations on the same data, and states that are saved and put back,
 * keys that are wrapped with associated data and a nonce of the token's.
 */
#include "fixture.h"

static CK_SESSION_HANDLE s;

static int setup(void **state)
{
	(void)state;
	s = user_session();
	return 0;
}

static CK_BYTE text[] = "sixteen bytes...and sixteen more";

/* ---- recovery ---- */

static void test_recover(void **state)
{
	CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
	CK_MECHANISM generate = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_ULONG bits = 2048;
	CK_ATTRIBUTE public_key[] = { A(CKA_MODULUS_BITS, bits), YES(CKA_VERIFY_RECOVER),
				      YES(CKA_VERIFY) };
	CK_ATTRIBUTE private_key[] = { YES(CKA_SIGN_RECOVER), YES(CKA_SIGN) };
	struct pair pair, plain = rsa_pair(s, 2048, CK_FALSE, "no recovery");
	CK_BYTE signature[256], data[256];
	CK_ULONG length = sizeof(signature), size = sizeof(data), huge = (CK_ULONG)-1;

	(void)state;
	NEED(CKM_RSA_PKCS, CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER);
	OK(p->C_GenerateKeyPair(s, &generate, public_key, COUNT(public_key), private_key,
				COUNT(private_key), &pair.public_key, &pair.private_key));
	RV(p->C_SignRecover(s, text, 5, signature, &length), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_VerifyRecover(s, text, 5, data, &size), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_SignRecoverInit(s, &mechanism, plain.private_key), CKR_KEY_FUNCTION_NOT_PERMITTED);
	RV(p->C_VerifyRecoverInit(s, &mechanism, plain.public_key), CKR_KEY_FUNCTION_NOT_PERMITTED);
	RV(p->C_SignRecoverInit(s, &mechanism, 0), CKR_KEY_HANDLE_INVALID);
	mechanism.mechanism = CKM_ECDSA;
	RV(p->C_SignRecoverInit(s, &mechanism, pair.private_key), CKR_MECHANISM_INVALID);
	mechanism.mechanism = CKM_RSA_PKCS;
	OK(p->C_SignRecoverInit(s, &mechanism, pair.private_key));
	RV(p->C_SignRecoverInit(s, &mechanism, pair.private_key), CKR_OPERATION_ACTIVE);
	OK(p->C_SignRecover(s, text, 20, NULL, &length));
	assert_int_equal(length, 256);
	length = 255;
	RV(p->C_SignRecover(s, text, 20, signature, &length), CKR_BUFFER_TOO_SMALL);
	OK(p->C_SignRecover(s, text, 20, signature, &length));
	RV(p->C_SignRecover(s, text, 20, signature, &length), CKR_OPERATION_NOT_INITIALIZED);

	OK(p->C_VerifyRecoverInit(s, &mechanism, pair.public_key));
	OK(p->C_VerifyRecover(s, signature, length, NULL, &size));
	assert_true(size >= 20);
	size = 19;
	RV(p->C_VerifyRecover(s, signature, length, data, &size), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(size, 20);
	OK(p->C_VerifyRecover(s, signature, length, data, &size));
	assert_int_equal(size, 20);
	assert_memory_equal(data, text, 20);
	/* What is wrong with a signature comes before the buffer. */
	signature[9] ^= 1;
	OK(p->C_VerifyRecoverInit(s, &mechanism, pair.public_key));
	size = 1;
	RV(p->C_VerifyRecover(s, signature, length, data, &size), CKR_SIGNATURE_INVALID);
	OK(p->C_VerifyRecoverInit(s, &mechanism, pair.public_key));
	RV(p->C_VerifyRecover(s, signature, length - 1, data, &size), CKR_SIGNATURE_LEN_RANGE);
	OK(p->C_SignRecoverInit(s, &mechanism, pair.private_key));
	RV(p->C_SignRecover(s, text, huge, signature, &length), CKR_DATA_LEN_RANGE);
	RV(p->C_SignRecover(s, NULL, 1, signature, &length), CKR_ARGUMENTS_BAD);
	RV(p->C_SignRecover(s, text, 1, signature, NULL), CKR_ARGUMENTS_BAD);
	OK(p->C_SignRecoverInit(s, NULL, 0));
	RV(p->C_SignRecover(s, text, 20, signature, &length), CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_VerifyRecoverInit(s, &mechanism, pair.public_key));
	OK(p->C_SessionCancel(s, CKF_VERIFY_RECOVER));
	RV(p->C_VerifyRecover(s, signature, length, data, &size), CKR_OPERATION_NOT_INITIALIZED);
}

/* ---- signature first ---- */

static void test_verify_signature(void **state)
{
	CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
	struct pair pair = p256_pair(s, CK_FALSE, "signature first");
	CK_BYTE signature[64], *data = calloc(1, 100000);
	CK_ULONG length = sizeof(signature), size = 100000;

	(void)state;
	OK(p->C_SignInit(s, &mechanism, pair.private_key));
	OK(p->C_Sign(s, data, size, signature, &length));
	OK(p->C_VerifySignatureInit(s, &mechanism, pair.public_key, signature, length));
	RV(p->C_VerifySignatureInit(s, &mechanism, pair.public_key, signature, length),
	   CKR_OPERATION_ACTIVE);
	RV(p->C_VerifyInit(s, &mechanism, pair.public_key), CKR_OPERATION_ACTIVE);
	/* Not begun without the signature: not for those who bring it last */
	RV(p->C_Verify(s, data, 10, signature, length), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_VerifyUpdate(s, data, 10), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_VerifyFinal(s, signature, length), CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_VerifySignature(s, data, size));
	RV(p->C_VerifySignature(s, data, size), CKR_OPERATION_NOT_INITIALIZED);

	OK(p->C_VerifySignatureInit(s, &mechanism, pair.public_key, signature, length));
	OK(p->C_VerifySignatureUpdate(s, data, 1));
	OK(p->C_VerifySignatureUpdate(s, data, size - 1));
	OK(p->C_VerifySignatureFinal(s));
	RV(p->C_VerifySignatureFinal(s), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_VerifySignatureUpdate(s, data, 1), CKR_OPERATION_NOT_INITIALIZED);

	OK(p->C_VerifySignatureInit(s, &mechanism, pair.public_key, signature, length));
	RV(p->C_VerifySignature(s, data, size - 1), CKR_SIGNATURE_INVALID);
	OK(p->C_VerifySignatureInit(s, &mechanism, pair.public_key, signature, length));
	RV(p->C_VerifySignatureFinal(s), CKR_SIGNATURE_INVALID);
	OK(p->C_VerifySignatureInit(s, &mechanism, pair.public_key, signature, 63));
	RV(p->C_VerifySignature(s, data, size), CKR_SIGNATURE_LEN_RANGE);
	/* After a part not in one piece */
	OK(p->C_VerifySignatureInit(s, &mechanism, pair.public_key, signature, length));
	OK(p->C_VerifySignatureUpdate(s, data, 1));
	RV(p->C_VerifySignature(s, data, 10), CKR_OPERATION_ACTIVE);
	RV(p->C_VerifySignatureFinal(s), CKR_OPERATION_NOT_INITIALIZED);
	/* The other way round: begun without the signature */
	OK(p->C_VerifyInit(s, &mechanism, pair.public_key));
	RV(p->C_VerifySignature(s, data, size), CKR_OPERATION_NOT_INITIALIZED);
	RV(p->C_VerifySignatureFinal(s), CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_Verify(s, data, size, signature, length));
	RV(p->C_VerifySignatureInit(s, &mechanism, pair.public_key, NULL, 64), CKR_ARGUMENTS_BAD);
	RV(p->C_VerifySignatureInit(s, &mechanism, pair.public_key, signature, (CK_ULONG)-1),
	   CKR_SIGNATURE_LEN_RANGE);
	RV(p->C_VerifySignatureInit(s, &mechanism, pair.private_key, signature, 64),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	OK(p->C_VerifySignatureInit(s, &mechanism, pair.public_key, signature, length));
	RV(p->C_VerifySignature(s, NULL, 1), CKR_ARGUMENTS_BAD);
	OK(p->C_VerifySignatureInit(s, NULL, 0, NULL, 0));
	RV(p->C_VerifySignature(s, data, size), CKR_OPERATION_NOT_INITIALIZED);
	free(data);
}

/* ---- two at a time ---- */

static CK_BYTE iv[16];
static CK_MECHANISM cbc = { CKM_AES_CBC, iv, sizeof(iv) }, sha256 = { CKM_SHA256, NULL, 0 },
		    hmac = { CKM_SHA256_HMAC, NULL, 0 };

static void digest_of(const CK_BYTE *data, CK_ULONG length, CK_BYTE out[32])
{
	CK_ULONG size = 32;

	OK(p->C_DigestInit(s, &sha256));
	OK(p->C_Digest(s, (CK_BYTE *)data, length, out, &size));
}

static void test_digest_encrypt(void **state)
{
	CK_OBJECT_HANDLE key = aes_key(s, 16);
	CK_BYTE expected[32], digest[32], out[64], back[64];
	CK_ULONG length = 15, size = 32, back_length = sizeof(back);

	(void)state;
	digest_of(text, 32, expected);
	RV(p->C_DigestEncryptUpdate(s, text, 16, out, &length), CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_DigestInit(s, &sha256));
	RV(p->C_DigestEncryptUpdate(s, text, 16, out, &length), CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_EncryptInit(s, &cbc, key));
	/* Neither takes anything while the room is too small, or only the length is asked for. */
	RV(p->C_DigestEncryptUpdate(s, text, 16, out, &length), CKR_BUFFER_TOO_SMALL);
	OK(p->C_DigestEncryptUpdate(s, text, 16, NULL, &length));
	assert_true(length >= 16);
	OK(p->C_DigestEncryptUpdate(s, text, 16, out, &length));
	assert_int_equal(length, 16);
	OK(p->C_DigestEncryptUpdate(s, text + 16, 16, out + 16, &length));
	length = 0;
	OK(p->C_EncryptFinal(s, out + 32, &length));
	OK(p->C_DigestFinal(s, digest, &size));
	assert_memory_equal(digest, expected, 32);

	OK(p->C_DigestInit(s, &sha256));
	OK(p->C_DecryptInit(s, &cbc, key));
	OK(p->C_DecryptDigestUpdate(s, out, 32, back, &back_length));
	assert_int_equal(back_length, 32);
	assert_memory_equal(back, text, 32);
	size = 32;
	OK(p->C_DigestFinal(s, digest, &size));
	assert_memory_equal(digest, expected, 32);
	length = 0;
	OK(p->C_DecryptFinal(s, back, &length));
	RV(p->C_DecryptDigestUpdate(s, out, 32, back, &back_length), CKR_OPERATION_NOT_INITIALIZED);
}

static void test_sign_encrypt(void **state)
{
	CK_OBJECT_HANDLE key = aes_key(s, 16);
	CK_OBJECT_HANDLE mac_key = secret_key(s, CKK_GENERIC_SECRET, "0123456789abcdef", 16);
	CK_ULONG size = 200000 / 16 * 16, length = size + 64, mac_length = 32,
		 back_length = size + 64;
	CK_BYTE *data = calloc(1, size), *out = malloc(length), *back = malloc(back_length);
	CK_BYTE mac[32];

	(void)state;
	assert_true(data && out && back);
	data[77777] = 1;
	OK(p->C_SignInit(s, &hmac, mac_key));
	OK(p->C_EncryptInit(s, &cbc, key));
	OK(p->C_SignEncryptUpdate(s, data, size, out, &length));
	assert_int_equal(length, size);
	OK(p->C_SignFinal(s, mac, &mac_length));
	mac_length = 0;
	OK(p->C_EncryptFinal(s, out, &mac_length));
	OK(p->C_VerifyInit(s, &hmac, mac_key));
	OK(p->C_DecryptInit(s, &cbc, key));
	OK(p->C_DecryptVerifyUpdate(s, out, size, back, &back_length));
	assert_int_equal(back_length, size);
	assert_memory_equal(back, data, size);
	OK(p->C_VerifyFinal(s, mac, 32));
	/* One half cancelled leaves the other active. */
	OK(p->C_VerifyInit(s, &hmac, mac_key));
	OK(p->C_SessionCancel(s, CKF_DECRYPT));
	RV(p->C_DecryptVerifyUpdate(s, out, 16, back, &back_length), CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_VerifyUpdate(s, data, size));
	OK(p->C_VerifyFinal(s, mac, 32));
	RV(p->C_SignEncryptUpdate(s, NULL, 1, out, &length), CKR_ARGUMENTS_BAD);
	RV(p->C_SignEncryptUpdate(s, data, 1, out, NULL), CKR_ARGUMENTS_BAD);
	RV(p->C_SignEncryptUpdate(s, data, (CK_ULONG)-1, out, &length), CKR_ARGUMENTS_BAD);
	RV(p->C_SignEncryptUpdate(0, data, 1, out, &length), CKR_SESSION_HANDLE_INVALID);
	free(data);
	free(out);
	free(back);
}

/* ---- saved states ---- */

/* The state of the session's operations; the length comes back */
static CK_ULONG save(CK_BYTE *state, CK_ULONG room)
{
	CK_ULONG length = 0, given = room;

	OK(p->C_GetOperationState(s, NULL, &length));
	assert_true(length > 0 && length <= room);
	given = length - 1;
	RV(p->C_GetOperationState(s, state, &given), CKR_BUFFER_TOO_SMALL);
	given = room;
	OK(p->C_GetOperationState(s, state, &given));
	return given;
}

static void test_state_of_digest(void **state)
{
	CK_SESSION_HANDLE other = session(RW), reader = session(RO);
	CK_BYTE saved[16384], expected[32], digest[32];
	CK_ULONG length, size = 32, i;

	(void)state;
	digest_of(text, 32, expected);
	length = sizeof(saved);
	RV(p->C_GetOperationState(s, saved, &length), CKR_OPERATION_NOT_INITIALIZED);
	OK(p->C_DigestInit(s, &sha256));
	OK(p->C_DigestUpdate(s, text, 10));
	length = save(saved, sizeof(saved));
	OK(p->C_DigestUpdate(s, text + 10, 22));
	OK(p->C_DigestFinal(s, digest, &size));
	assert_memory_equal(digest, expected, 32);
	/* Here, twice, and in another session of the same kind */
	for (i = 0; i < 3; i++) {
		CK_SESSION_HANDLE to = i < 2 ? s : other;

		OK(p->C_SetOperationState(to, saved, length, 0, 0));
		OK(p->C_DigestUpdate(to, text + 10, 22));
		size = 32;
		memset(digest, 0, size);
		OK(p->C_DigestFinal(to, digest, &size));
		assert_memory_equal(digest, expected, 32);
	}
	RV(p->C_SetOperationState(reader, saved, length, 0, 0), CKR_SAVED_STATE_INVALID);
	for (i = 0; i < length; i += 13) {
		saved[i] ^= 4;
		RV(p->C_SetOperationState(s, saved, length, 0, 0), CKR_SAVED_STATE_INVALID);
		saved[i] ^= 4;
	}
	RV(p->C_SetOperationState(s, saved, length - 1, 0, 0), CKR_SAVED_STATE_INVALID);
	RV(p->C_SetOperationState(s, saved, 0, 0, 0), CKR_SAVED_STATE_INVALID);
	RV(p->C_SetOperationState(s, saved, (CK_ULONG)-1, 0, 0), CKR_SAVED_STATE_INVALID);
	RV(p->C_SetOperationState(s, NULL, length, 0, 0), CKR_ARGUMENTS_BAD);
	RV(p->C_GetOperationState(s, saved, NULL), CKR_ARGUMENTS_BAD);
	RV(p->C_SetOperationState(s, saved, length, aes_key(s, 16), 0), CKR_KEY_NOT_NEEDED);
	/* Another login is another owner. */
	OK(p->C_Logout(s));
	RV(p->C_SetOperationState(s, saved, length, 0, 0), CKR_SAVED_STATE_INVALID);
}

static void test_state_with_keys(void **state)
{
	CK_OBJECT_HANDLE key = aes_key(s, 16), other_key = aes_key(s, 16);
	CK_OBJECT_HANDLE mac_key = secret_key(s, CKK_GENERIC_SECRET, "0123456789abcdef", 16);
	CK_BYTE saved[16384], whole[48], out[48], mac[32], expected[32], secret[] = "sixteen bytes";
	CK_ULONG length, size = sizeof(whole), mac_length = 32, i;

	(void)state;
	OK(p->C_EncryptInit(s, &cbc, key));
	OK(p->C_Encrypt(s, text, 32, whole, &size));
	OK(p->C_SignInit(s, &hmac, mac_key));
	OK(p->C_Sign(s, text, 32, expected, &mac_length));
	OK(p->C_EncryptInit(s, &cbc, key));
	OK(p->C_SignInit(s, &hmac, mac_key));
	size = sizeof(out);
	OK(p->C_SignEncryptUpdate(s, text, 20, out, &size));
	assert_int_equal(size, 16);
	length = save(saved, sizeof(saved));
	/* Sealed: nothing of what went in shows */
	for (i = 0; i + sizeof(secret) - 1 < length; i++)
		assert_memory_not_equal(saved + i, secret, sizeof(secret) - 1);
	RV(p->C_SetOperationState(s, saved, length, 0, mac_key), CKR_KEY_NEEDED);
	RV(p->C_SetOperationState(s, saved, length, key, 0), CKR_KEY_NEEDED);
	RV(p->C_SetOperationState(s, saved, length, other_key, mac_key), CKR_KEY_CHANGED);
	RV(p->C_SetOperationState(s, saved, length, key, key), CKR_KEY_CHANGED);
	RV(p->C_SetOperationState(s, saved, length, 12345678, mac_key), CKR_KEY_CHANGED);
	OK(p->C_SetOperationState(s, saved, length, key, mac_key));
	size = sizeof(out) - 16;
	OK(p->C_SignEncryptUpdate(s, text + 20, 12, out + 16, &size));
	assert_int_equal(size, 16);
	assert_memory_equal(out, whole, 32);
	mac_length = 32;
	OK(p->C_SignFinal(s, mac, &mac_length));
	assert_memory_equal(mac, expected, 32);
	OK(p->C_SessionCancel(s, CKF_ENCRYPT));
	OK(p->C_DestroyObject(s, mac_key));
	RV(p->C_SetOperationState(s, saved, length, key, mac_key), CKR_KEY_HANDLE_INVALID);
	RV(p->C_EncryptFinal(s, out, &size), CKR_OPERATION_NOT_INITIALIZED);
}

static CK_OBJECT_HANDLE chacha_key(void)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_CHACHA20;
	CK_BYTE value[32] = { 1, 2, 3 };
	CK_ATTRIBUTE attributes[] = { A(CKA_CLASS, class), A(CKA_KEY_TYPE, type),
				      A(CKA_VALUE, value), YES(CKA_ENCRYPT), YES(CKA_DECRYPT) };
	CK_OBJECT_HANDLE key;

	OK(p->C_CreateObject(s, attributes, COUNT(attributes), &key));
	return key;
}

/* Ciphers that tell where they are go on from there, however much went in. */
static void test_state_of_long_stream(void **state)
{
	static CK_BYTE block[16] = { [15] = 0xf0 }, nonce[12], counter[4] = { 0xff };
	CK_AES_CTR_PARAMS ctr = { 16, { [14] = 0xf0 } };
	CK_CHACHA20_PARAMS chacha = { counter, 32, nonce, 96 };
	const struct {
		CK_MECHANISM mechanism;
		CK_ULONG part; /* bytes at a time */
	} streams[] = {
		{ { CKM_AES_ECB, NULL, 0 }, 4001 },
		{ { CKM_AES_CBC, block, 16 }, 4001 },
		{ { CKM_AES_CBC_PAD, block, 16 }, 4001 },
		{ { CKM_AES_CTR, &ctr, sizeof(ctr) }, 4001 },
		{ { CKM_AES_OFB, block, 16 }, 4000 },
		{ { CKM_AES_CFB128, block, 16 }, 4000 },
		{ { CKM_CHACHA20, &chacha, sizeof(chacha) }, 4001 },
	};
	CK_SESSION_HANDLE other = session(RW);
	CK_BYTE *data = calloc(1, 20000), *one = malloc(24000), *two = malloc(24000);

	(void)state;
	assert_true(data && one && two);
	for (CK_ULONG i = 0; i < 20000; i++)
		data[i] = (CK_BYTE)(i * 7 + i / 256);
	for (size_t i = 0; i < COUNT(streams); i++) {
		CK_MECHANISM mechanism = streams[i].mechanism;
		CK_OBJECT_HANDLE key = mechanism.mechanism == CKM_CHACHA20 ? chacha_key()
									   : aes_key(s, 32);
		CK_ULONG part = streams[i].part, sent = 0, got = 0, length, whole = 24000;
		CK_BYTE saved[16384];

		for (int decrypt = 0; decrypt < 2; decrypt++) {
			OK((decrypt ? p->C_DecryptInit : p->C_EncryptInit)(s, &mechanism, key));
			for (sent = 0, got = 0; sent + part < 20000; sent += part) {
				length = 24000 - got;
				OK((decrypt ? p->C_DecryptUpdate
					    : p->C_EncryptUpdate)(s, (decrypt ? one : data) + sent,
								  part, two + got, &length));
				got += length;
				if (sent != 3 * part)
					continue;
				/* On another session from here on; this one is given up. */
				length = sizeof(saved);
				OK(p->C_GetOperationState(s, saved, &length));
				OK(p->C_SessionCancel(s, CKF_ENCRYPT | CKF_DECRYPT));
				OK(p->C_SetOperationState(other, saved, length, key, 0));
				OK(p->C_GetOperationState(other, saved, &length));
				OK(p->C_SetOperationState(s, saved, length, key, 0));
			}
			length = 24000 - got;
			if (decrypt) {
				OK(p->C_DecryptUpdate(s, one + sent, whole - sent, two + got,
						      &length));
				got += length;
				length = 24000 - got;
				OK(p->C_DecryptFinal(s, two + got, &length));
				got += length;
				assert_int_equal(got, 20000);
				assert_memory_equal(two, data, 20000);
				continue;
			}
			OK(p->C_EncryptUpdate(s, data + sent, 20000 - sent, two + got, &length));
			got += length;
			length = 24000 - got;
			OK(p->C_EncryptFinal(s, two + got, &length));
			got += length;
			OK(p->C_EncryptInit(s, &mechanism, key));
			whole = 24000;
			OK(p->C_Encrypt(s, data, 20000, one, &whole));
			assert_int_equal(got, whole);
			assert_memory_equal(one, two, whole);
		}
	}
	free(data);
	free(one);
	free(two);
}

/* What must not be doubled, and what is more than a state holds */
static void test_state_unsaveable(void **state)
{
	CK_OBJECT_HANDLE key = aes_key(s, 16);
	CK_GCM_PARAMS gcm = { iv, 12, 96, NULL, 0, 128 };
	CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof(gcm) };
	CK_BYTE saved[16384], *data = calloc(1, 9000), out[64];
	CK_ULONG length = sizeof(saved), size = sizeof(out);

	(void)state;
	OK(p->C_EncryptInit(s, &mechanism, key));
	RV(p->C_GetOperationState(s, saved, &length), CKR_STATE_UNSAVEABLE);
	OK(p->C_SessionCancel(s, CKF_ENCRYPT));
	OK(p->C_DecryptInit(s, &mechanism, key));
	OK(p->C_DecryptUpdate(s, data, 64, out, &size));
	OK(p->C_GetOperationState(s, saved, &length));
	OK(p->C_EncryptInit(s, &cbc, key));
	RV(p->C_GetOperationState(s, saved, &length), CKR_STATE_UNSAVEABLE);
	OK(p->C_SessionCancel(s, CKF_ENCRYPT | CKF_DECRYPT));
	OK(p->C_DigestInit(s, &sha256));
	OK(p->C_DigestUpdate(s, data, 9000));
	length = sizeof(saved);
	RV(p->C_GetOperationState(s, saved, &length), CKR_STATE_UNSAVEABLE);
	free(data);
}

/* No validation is configured here, so that no operation is true to one. */
static void test_validation_flags(void **state)
{
	CK_FLAGS flags = ~0UL;

	(void)state;
	OK(p->C_GetSessionValidationFlags(s, CKS_LAST_VALIDATION_OK, &flags));
	assert_int_equal(flags, 0);
	RV(p->C_GetSessionValidationFlags(s, CKS_LAST_VALIDATION_OK, NULL), CKR_ARGUMENTS_BAD);
	RV(p->C_GetSessionValidationFlags(s, 99, &flags), CKR_ARGUMENTS_BAD);
	RV(p->C_GetSessionValidationFlags(0, CKS_LAST_VALIDATION_OK, &flags),
	   CKR_SESSION_HANDLE_INVALID);
}

/* ---- authenticated wrapping ---- */

static CK_OBJECT_HANDLE extractable(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE a,
				    CK_ATTRIBUTE_TYPE b)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG length = 32;
	CK_ATTRIBUTE attributes[] = { A(CKA_VALUE_LEN, length), YES(CKA_EXTRACTABLE), YES(a),
				      YES(b) };
	CK_OBJECT_HANDLE key;

	OK(p->C_GenerateKey(session, &mechanism, attributes, COUNT(attributes), &key));
	return key;
}

static void wrap_with(CK_MECHANISM *mechanism, CK_BYTE *tag, CK_OBJECT_HANDLE wrapping,
		      CK_OBJECT_HANDLE key)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE attributes[] = { A(CKA_CLASS, class), A(CKA_KEY_TYPE, type),
				      YES(CKA_ENCRYPT) };
	CK_BYTE wrapped[64], check[3], same[3];
	CK_ULONG length = sizeof(wrapped);
	CK_OBJECT_HANDLE back;

	OK(p->C_WrapKeyAuthenticated(s, mechanism, wrapping, key, text, 9, NULL, &length));
	assert_int_equal(length, 32);
	length = 31;
	RV(p->C_WrapKeyAuthenticated(s, mechanism, wrapping, key, text, 9, wrapped, &length),
	   CKR_BUFFER_TOO_SMALL);
	assert_int_equal(length, 32);
	OK(p->C_WrapKeyAuthenticated(s, mechanism, wrapping, key, text, 9, wrapped, &length));
	assert_int_equal(length, 32);
	OK(p->C_UnwrapKeyAuthenticated(s, mechanism, wrapping, wrapped, length, attributes,
				       COUNT(attributes), text, 9, &back));
	get(s, key, CKA_CHECK_VALUE, check, 3);
	get(s, back, CKA_CHECK_VALUE, same, 3);
	assert_memory_equal(check, same, 3);
	assert_false(get_bool(s, back, CKA_LOCAL));
	assert_false(get_bool(s, back, CKA_ALWAYS_SENSITIVE));
	RV(p->C_UnwrapKeyAuthenticated(s, mechanism, wrapping, wrapped, length, attributes,
				       COUNT(attributes), text, 8, &back),
	   CKR_WRAPPED_KEY_INVALID);
	tag[0] ^= 1;
	RV(p->C_UnwrapKeyAuthenticated(s, mechanism, wrapping, wrapped, length, attributes,
				       COUNT(attributes), text, 9, &back),
	   CKR_WRAPPED_KEY_INVALID);
	tag[0] ^= 1;
	RV(p->C_UnwrapKeyAuthenticated(s, mechanism, wrapping, wrapped, (CK_ULONG)-1, attributes,
				       COUNT(attributes), text, 9, &back),
	   CKR_WRAPPED_KEY_LEN_RANGE);
	RV(p->C_UnwrapKeyAuthenticated(s, mechanism, wrapping, NULL, length, attributes,
				       COUNT(attributes), text, 9, &back),
	   CKR_ARGUMENTS_BAD);
}

static void test_wrap_authenticated(void **state)
{
	CK_OBJECT_HANDLE wrapping = extractable(s, CKA_WRAP, CKA_UNWRAP);
	CK_OBJECT_HANDLE key = extractable(s, CKA_ENCRYPT, CKA_DECRYPT),
			 unextractable = aes_key(s, 32);
	CK_BYTE nonce[12] = { 0 }, before[12], tag[16], wrapped[64];
	CK_GCM_MESSAGE_PARAMS gcm = { nonce, 12, 0, CKG_GENERATE, tag, 128 };
	CK_CCM_MESSAGE_PARAMS ccm = { 0, nonce, 12, 0, CKG_GENERATE_RANDOM, tag, 16 };
	CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof(gcm) };
	CK_ULONG length = sizeof(wrapped);

	(void)state;
	wrap_with(&mechanism, tag, wrapping, key);
	memcpy(before, nonce, 12);
	OK(p->C_WrapKeyAuthenticated(s, &mechanism, wrapping, key, NULL, 0, wrapped, &length));
	assert_memory_not_equal(before, nonce, 12);
	mechanism = (CK_MECHANISM){ CKM_AES_CCM, &ccm, sizeof(ccm) };
	wrap_with(&mechanism, tag, wrapping, key);
	/* Asking for the length uses up no nonce. */
	gcm.ivGenerator = CKG_GENERATE_COUNTER;
	mechanism = (CK_MECHANISM){ CKM_AES_GCM, &gcm, sizeof(gcm) };
	OK(p->C_WrapKeyAuthenticated(s, &mechanism, wrapping, key, NULL, 0, NULL, &length));
	length = sizeof(wrapped);
	OK(p->C_WrapKeyAuthenticated(s, &mechanism, wrapping, key, NULL, 0, wrapped, &length));
	memset(before, 0, 12);
	assert_memory_equal(nonce, before, 12);
	/* Every rule of C_WrapKey */
	RV(p->C_WrapKeyAuthenticated(s, &mechanism, wrapping, unextractable, NULL, 0, wrapped,
				     &length),
	   CKR_KEY_UNEXTRACTABLE);
	RV(p->C_WrapKeyAuthenticated(s, &mechanism, key, wrapping, NULL, 0, wrapped, &length),
	   CKR_KEY_FUNCTION_NOT_PERMITTED);
	RV(p->C_WrapKeyAuthenticated(s, &mechanism, 0, key, NULL, 0, wrapped, &length),
	   CKR_WRAPPING_KEY_HANDLE_INVALID);
	RV(p->C_WrapKeyAuthenticated(s, &mechanism, wrapping, 0, NULL, 0, wrapped, &length),
	   CKR_KEY_HANDLE_INVALID);
	RV(p->C_WrapKeyAuthenticated(s, &mechanism, wrapping, key, NULL, 1, wrapped, &length),
	   CKR_ARGUMENTS_BAD);
	RV(p->C_WrapKeyAuthenticated(s, &mechanism, wrapping, key, NULL, 0, wrapped, NULL),
	   CKR_ARGUMENTS_BAD);
	mechanism.mechanism = CKM_AES_KEY_WRAP;
	RV(p->C_WrapKeyAuthenticated(s, &mechanism, wrapping, key, NULL, 0, wrapped, &length),
	   CKR_MECHANISM_INVALID);
	mechanism.mechanism = CKM_AES_GCM;
	mechanism.ulParameterLen--;
	RV(p->C_WrapKeyAuthenticated(s, &mechanism, wrapping, key, NULL, 0, wrapped, &length),
	   CKR_MECHANISM_PARAM_INVALID);
}

/* C_WrapKey with a nonce of the token's: CK_GCM_WRAP_PARAMS, CK_CCM_WRAP_PARAMS */
static void test_wrap_parameters(void **state)
{
	CK_OBJECT_HANDLE wrapping = extractable(s, CKA_WRAP, CKA_UNWRAP), back;
	CK_OBJECT_HANDLE key = extractable(s, CKA_ENCRYPT, CKA_DECRYPT);
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE attributes[] = { A(CKA_CLASS, class), A(CKA_KEY_TYPE, type) };
	CK_BYTE nonce[12] = { 0 }, zero[12] = { 0 }, wrapped[64];
	CK_GCM_WRAP_PARAMS gcm = { nonce, 12, 0, CKG_GENERATE, text, 5, 96 };
	CK_CCM_WRAP_PARAMS ccm = { 77, nonce, 12, 0, CKG_GENERATE, NULL, 0, 16 };
	CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof(gcm) };
	CK_ULONG length = sizeof(wrapped);

	(void)state;
	OK(p->C_WrapKey(s, &mechanism, wrapping, key, wrapped, &length));
	assert_int_equal(length, 32 + 12);
	assert_memory_not_equal(nonce, zero, 12);
	OK(p->C_UnwrapKey(s, &mechanism, wrapping, wrapped, length, attributes, COUNT(attributes),
			  &back));
	gcm.ulAADLen = 4;
	RV(p->C_UnwrapKey(s, &mechanism, wrapping, wrapped, length, attributes, COUNT(attributes),
			  &back),
	   CKR_WRAPPED_KEY_INVALID);
	mechanism = (CK_MECHANISM){ CKM_AES_CCM, &ccm, sizeof(ccm) };
	length = sizeof(wrapped);
	OK(p->C_WrapKey(s, &mechanism, wrapping, key, wrapped, &length));
	assert_int_equal(length, 32 + 16);
	OK(p->C_UnwrapKey(s, &mechanism, wrapping, wrapped, length, attributes, COUNT(attributes),
			  &back));
	ccm.pNonce = NULL;
	RV(p->C_WrapKey(s, &mechanism, wrapping, key, wrapped, &length),
	   CKR_MECHANISM_PARAM_INVALID);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_recover),
		T(test_verify_signature),
		T(test_digest_encrypt),
		T(test_sign_encrypt),
		T(test_state_of_digest),
		T(test_state_with_keys),
		T(test_state_of_long_stream),
		T(test_state_unsaveable),
		T(test_wrap_authenticated),
		T(test_wrap_parameters),
		T(test_validation_flags),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
