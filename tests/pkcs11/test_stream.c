// SPDX-License-Identifier: Apache-2.0
/*
 * Data in parts and data too long for one command: the same bytes come out however they went in,
 * and a buffer that is too small costs nothing.
 */
#include "fixture.h"

#define BIG (300 * 1000 + 5)

static CK_BYTE big[BIG], out[BIG + 64], again[BIG + 64];
static const CK_ULONG lengths[] = { 0,	   1,	  15,	 16,	1000,  16384, 24576,
				    24577, 65520, 65521, 65536, 65537, BIG };

static void fill(void)
{
	size_t i;

	for (i = 0; i < sizeof(big); i++)
		big[i] = i * 7 + (i >> 9);
}

/* Uneven parts, so that blocks are cut everywhere */
static CK_ULONG encrypt_in_parts(CK_SESSION_HANDLE s, CK_ULONG length, CK_BYTE *to, CK_ULONG room)
{
	CK_ULONG done = 0, taken = 0, part, got;

	for (part = 1; taken < length; part = part * 3 + 1) {
		if (part > length - taken)
			part = length - taken;
		got = room - done;
		OK(p->C_EncryptUpdate(s, big + taken, part, to + done, &got));
		taken += part;
		done += got;
	}
	got = room - done;
	OK(p->C_EncryptFinal(s, to + done, &got));
	return done + got;
}

static void ciphers(void **state)
{
	CK_BYTE iv[16] = "an iv of 16 byte";
	CK_GCM_PARAMS gcm = { iv, 12, 96, NULL, 0, 128 };
	CK_AES_CTR_PARAMS ctr = { 128, "counter block 16" };
	CK_MECHANISM mechanisms[] = {
		{ CKM_AES_CBC_PAD, iv, sizeof(iv) },
		{ CKM_AES_CTR, &ctr, sizeof(ctr) },
		{ CKM_AES_GCM, &gcm, sizeof(gcm) },
	};
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key = aes_key(s, 32);
	CK_ULONG length, asked, back;
	size_t m, i;

	(void)state;
	fill();
	for (m = 0; m < COUNT(mechanisms); m++)
		for (i = 0; i < COUNT(lengths); i++) {
			OK(p->C_EncryptInit(s, &mechanisms[m], key));
			OK(p->C_Encrypt(s, big, lengths[i], NULL, &asked));
			length = asked;
			OK(p->C_Encrypt(s, big, lengths[i], out, &length));
			assert_true(length <= asked);
			OK(p->C_EncryptInit(s, &mechanisms[m], key));
			assert_int_equal(encrypt_in_parts(s, lengths[i], again, sizeof(again)),
					 length);
			assert_memory_equal(out, again, length);
			OK(p->C_DecryptInit(s, &mechanisms[m], key));
			back = sizeof(again);
			OK(p->C_Decrypt(s, out, length, again, &back));
			assert_int_equal(back, lengths[i]);
			assert_memory_equal(again, big, back);
		}
}

/* Nothing of a text before its tag is checked, and then all of it, however long it is */
static void held_back(void **state)
{
	CK_BYTE iv[12] = { 0 };
	CK_GCM_PARAMS gcm = { iv, 12, 96, NULL, 0, 128 };
	CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof(gcm) };
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key = aes_key(s, 16);
	CK_ULONG length = sizeof(out), n;
	int broken;

	(void)state;
	fill();
	OK(p->C_EncryptInit(s, &mechanism, key));
	OK(p->C_Encrypt(s, big, BIG, out, &length));
	for (broken = 0; broken < 2; broken++) {
		out[1000] ^= broken;
		OK(p->C_DecryptInit(s, &mechanism, key));
		n = sizeof(again);
		OK(p->C_DecryptUpdate(s, out, length, again, &n));
		assert_int_equal(n, 0);
		OK(p->C_DecryptFinal(s, NULL, &n));
		assert_int_equal(n, BIG);
		n = BIG - 1;
		if (!broken)
			RV(p->C_DecryptFinal(s, again, &n), CKR_BUFFER_TOO_SMALL);
		n = BIG;
		memset(again, 0, sizeof(again));
		RV(p->C_DecryptFinal(s, again, &n), broken ? CKR_ENCRYPTED_DATA_INVALID : CKR_OK);
		assert_int_equal(memcmp(again, big, BIG) == 0, !broken);
		RV(p->C_DecryptFinal(s, again, &n), CKR_OPERATION_NOT_INITIALIZED);
	}
	OK(p->C_DecryptInit(s, &mechanism, key));
	n = sizeof(again);
	RV(p->C_Decrypt(s, out, length, again, &n), CKR_ENCRYPTED_DATA_INVALID);
	RV(p->C_Decrypt(s, out, length, again, &n), CKR_OPERATION_NOT_INITIALIZED);
}

static void small_buffers(void **state)
{
	CK_BYTE iv[12] = { 0 };
	CK_GCM_PARAMS gcm = { iv, 12, 96, NULL, 0, 128 };
	CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof(gcm) };
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key = aes_key(s, 16);
	CK_ULONG length;
	size_t i;

	(void)state;
	fill();
	for (i = 1; i < COUNT(lengths); i++) {
		OK(p->C_EncryptInit(s, &mechanism, key));
		length = lengths[i] - 1;
		RV(p->C_Encrypt(s, big, lengths[i], out, &length), CKR_BUFFER_TOO_SMALL);
		assert_int_equal(length, lengths[i] + 16);
		OK(p->C_Encrypt(s, big, lengths[i], out, &length));
		assert_int_equal(length, lengths[i] + 16);
		RV(p->C_Encrypt(s, big, lengths[i], out, &length), CKR_OPERATION_NOT_INITIALIZED);
	}
}

static void final_asked_twice(void **state)
{
	CK_BYTE iv[16] = { 0 };
	CK_MECHANISM mechanism = { CKM_AES_CBC, iv, sizeof(iv) };
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE key = aes_key(s, 16);
	CK_ULONG length;

	(void)state;
	OK(p->C_EncryptInit(s, &mechanism, key));
	OK(p->C_EncryptUpdate(s, big, 32, NULL, &length));
	assert_true(length >= 32);
	OK(p->C_EncryptUpdate(s, big, 32, out, &length));
	assert_int_equal(length, 32);
	OK(p->C_EncryptFinal(s, NULL, &length));
	length = 16;
	OK(p->C_EncryptFinal(s, out, &length));
	assert_int_equal(length, 0);
	RV(p->C_EncryptFinal(s, out, &length), CKR_OPERATION_NOT_INITIALIZED);
}

static void digests(void **state)
{
	CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
	CK_SESSION_HANDLE s = user_session();
	CK_BYTE one[32], two[32];
	CK_ULONG length, n;
	size_t i;

	(void)state;
	fill();
	for (i = 0; i < COUNT(lengths); i++) {
		OK(p->C_DigestInit(s, &mechanism));
		n = 31;
		RV(p->C_Digest(s, big, lengths[i], one, &n), CKR_BUFFER_TOO_SMALL);
		assert_int_equal(n, 32);
		OK(p->C_Digest(s, big, lengths[i], one, &n));
		OK(p->C_DigestInit(s, &mechanism));
		length = lengths[i] / 3;
		OK(p->C_DigestUpdate(s, big, length));
		OK(p->C_DigestUpdate(s, big + length, lengths[i] - length));
		n = 0;
		OK(p->C_DigestFinal(s, NULL, &n));
		assert_int_equal(n, 32);
		OK(p->C_DigestFinal(s, two, &n));
		assert_memory_equal(one, two, 32);
	}
}

static void signatures(void **state)
{
	CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 }, ecdsa = { CKM_ECDSA_SHA256, NULL, 0 };
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE mac = secret_key(s, CKK_GENERIC_SECRET, "a secret of 24 bytes xxx", 24);
	struct pair pair = p256_pair(s, CK_FALSE, "stream");
	CK_BYTE one[64], two[64];
	CK_ULONG n;
	size_t i;

	(void)state;
	fill();
	for (i = 0; i < COUNT(lengths); i++) {
		OK(p->C_SignInit(s, &hmac, mac));
		n = 3;
		RV(p->C_Sign(s, big, lengths[i], one, &n), CKR_BUFFER_TOO_SMALL);
		OK(p->C_Sign(s, big, lengths[i], one, &n));
		OK(p->C_SignInit(s, &hmac, mac));
		OK(p->C_SignUpdate(s, big, lengths[i]));
		OK(p->C_SignFinal(s, two, &n));
		assert_int_equal(n, 32);
		assert_memory_equal(one, two, 32);
		OK(p->C_VerifyInit(s, &hmac, mac));
		OK(p->C_Verify(s, big, lengths[i], one, 32));

		OK(p->C_SignInit(s, &ecdsa, pair.private_key));
		n = sizeof(one);
		OK(p->C_Sign(s, big, lengths[i], one, &n));
		OK(p->C_VerifyInit(s, &ecdsa, pair.public_key));
		OK(p->C_VerifyUpdate(s, big, lengths[i]));
		OK(p->C_VerifyFinal(s, one, n));
		one[20] ^= 1;
		OK(p->C_VerifyInit(s, &ecdsa, pair.public_key));
		RV(p->C_Verify(s, big, lengths[i], one, n), CKR_SIGNATURE_INVALID);
	}
}

/* Several kinds of operations at a time in one session */
static void side_by_side(void **state)
{
	CK_MECHANISM sha = { CKM_SHA256, NULL, 0 }, hmac = { CKM_SHA256_HMAC, NULL, 0 };
	CK_SESSION_HANDLE s = user_session();
	CK_OBJECT_HANDLE mac = secret_key(s, CKK_GENERIC_SECRET, "a secret of 24 bytes xxx", 24);
	CK_BYTE digest[32], code[32];
	CK_ULONG n = 32;

	(void)state;
	OK(p->C_DigestInit(s, &sha));
	OK(p->C_DigestUpdate(s, big, 100));
	OK(p->C_SignInit(s, &hmac, mac));
	OK(p->C_SignUpdate(s, big, 100));
	OK(p->C_DigestFinal(s, digest, &n));
	OK(p->C_SignFinal(s, code, &n));
	assert_memory_not_equal(digest, code, 32);
}

#define TEST(f) cmocka_unit_test_teardown(f, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ciphers), TEST(held_back),	 TEST(small_buffers), TEST(final_asked_twice),
		TEST(digests), TEST(signatures), TEST(side_by_side),
	};

	return cmocka_run_group_tests(tests, setup_token, teardown);
}
